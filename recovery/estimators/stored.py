"""Saving and loading estimators: parameters and fitted attributes, in npz or JSON."""

from __future__ import annotations

import os
from typing import Any, TypeVar

from planted.base.files import Stored, can_be_saved, storable
from recovery.estimators.paths import SparsePath

__all__ = ["StoredEstimator"]

storable(SparsePath)

_Self = TypeVar("_Self", bound="StoredEstimator")


class StoredEstimator(Stored):
    """Mixin for saving and loading an estimator, fitted or not.

    Parameters that are objects of other packages, such as a splitter as `cv`, cannot be saved.
    """

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the estimator to a file that :meth:`load` reads without unpickling anything.

        Parameters
        ----------
        path : path
            File name, ending in ``.npz`` or ``.json``, as for all results of this package.

        Raises
        ------
        ValueError
            If the name has another ending.
        TypeError
            If a parameter cannot be written, such as a splitter as `cv`. A fitted model does not need it to predict:
            set another value first.
        FileNotFoundError
            If the folder does not exist.
        """
        estimator: Any = self
        default = type(self)().get_params(deep=False)  # type: ignore[attr-defined]
        for name, value in estimator.get_params(deep=False).items():
            if not can_be_saved(value):
                raise TypeError(
                    f"{name}={value!r} is of type {type(value).__name__}, which cannot be saved; a fitted model does "
                    f"not need it to predict: call set_params({name}={default[name]!r}), or another value, before save"
                )
        super().save(path)

    def _state(self) -> dict[str, Any]:
        parameters = self.get_params(deep=False)  # type: ignore[attr-defined]
        fitted = {name: value for name, value in vars(self).items() if name not in parameters}
        return {"parameters": parameters, "fitted": fitted}

    @classmethod
    def _of_state(cls: type[_Self], state: dict[str, Any]) -> _Self:
        one = cls(**state["parameters"])
        vars(one).update(state["fitted"])
        return one
