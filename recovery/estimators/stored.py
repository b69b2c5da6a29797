"""Saving and loading estimators: parameters and fitted attributes, in npz or JSON."""

from __future__ import annotations

from typing import Any, TypeVar

from planted.base.files import Stored, storable
from recovery.estimators.paths import SparsePath

__all__ = ["StoredEstimator"]

storable(SparsePath)

_Self = TypeVar("_Self", bound="StoredEstimator")


class StoredEstimator(Stored):
    """Mixin for saving and loading an estimator, fitted or not.

    Parameters that are objects of other packages, such as a splitter as `cv`, cannot be saved.
    """

    def _state(self) -> dict[str, Any]:
        parameters = self.get_params(deep=False)  # type: ignore[attr-defined]
        fitted = {name: value for name, value in vars(self).items() if name not in parameters}
        return {"parameters": parameters, "fitted": fitted}

    @classmethod
    def _of_state(cls: type[_Self], state: dict[str, Any]) -> _Self:
        one = cls(**state["parameters"])
        vars(one).update(state["fitted"])
        return one
