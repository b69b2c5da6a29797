"""The data sets used to find a mask, to obtain weights, and to retrain the pruned model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planted.base import arrays
from planted.base.checks import check_array, check_same_rows
from planted.base.values import by_value
from recovery.mlp.losses import class_targets
from recovery.pruning.model import Model

__all__ = ["Data", "DataSets", "data_sets"]


@by_value
@dataclass(frozen=True, eq=False)
class Data:
    """Inputs and targets.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs.
    y : array, shape (n,) or (n, k)
        Targets; class numbers of shape (n,), or rows of probabilities, for the cross-entropy.
    X_validation, y_validation : array, optional
        Held-out inputs and targets, for methods that need them.

    Raises
    ------
    TypeError, ValueError
        If an array does not contain real, finite numbers, or numbers of rows differ.
    """

    X: Any
    y: Any
    X_validation: Any = None
    y_validation: Any = None

    def __post_init__(self) -> None:
        X, y = check_array(self.X, "X", ndim=2), check_array(self.y, "y", ndim=(1, 2))
        check_same_rows(X, "X", y, "y")
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "y", y)
        if (self.X_validation is None) != (self.y_validation is None):
            given = "X_validation" if self.y_validation is None else "y_validation"
            raise ValueError(f"only {given} was given; expected both X_validation and y_validation, or none")
        if self.X_validation is not None:
            X_held = check_array(self.X_validation, "X_validation", ndim=2, shape=(None, int(X.shape[1])))
            y_held = check_array(self.y_validation, "y_validation", ndim=int(y.ndim))
            check_same_rows(X_held, "X_validation", y_held, "y_validation")
            object.__setattr__(self, "X_validation", X_held)
            object.__setattr__(self, "y_validation", y_held)

    @property
    def n_samples(self) -> int:
        """Number of training samples."""
        return int(self.X.shape[0])

    def fit_to(self, model: Model, name: str = "data") -> Data:
        """Return the data in a model's dtype, with targets of shape (n, k); raise an error if they do not match."""
        if int(self.X.shape[1]) != model.widths[0]:
            raise ValueError(
                f"{name}: X has {self.X.shape[1]} column(s); expected {model.widths[0]}, the model's inputs"
            )
        arrays.namespace(self.X, self.y, *model.layers)
        X = self.X.astype(model.dtype, copy=False)
        y = self._targets(self.y, model, name)
        if self.X_validation is None:
            return Data(X, y)
        return Data(
            X, y, self.X_validation.astype(model.dtype, copy=False), self._targets(self.y_validation, model, name)
        )

    def _targets(self, y: Any, model: Model, name: str) -> Any:
        outputs = model.widths[-1]
        if model.loss == "cross_entropy":
            found = class_targets(y, model.loss, model.dtype, outputs if y.ndim == 1 else None)
        else:
            found = y.astype(model.dtype, copy=False)
            found = found[:, None] if found.ndim == 1 else found
        if int(found.shape[1]) != outputs:
            raise ValueError(f"{name}: y has {found.shape[1]} column(s); expected {outputs}, the model's outputs")
        return found


DataSets = Mapping[str, Data]


def data_sets(data: Any, names: Sequence[str]) -> tuple[Data, ...]:
    """Return the data sets for the three steps of a method.

    Parameters
    ----------
    data : Data, (X, y), or dict of these
        A single data set is used for all names.
    names : sequence of str
        The method's names for the data of its mask, its weights and its retraining.

    Returns
    -------
    tuple of Data
        In the order of `names`.

    Raises
    ------
    TypeError, ValueError
        If a name is missing, or `data` is none of these.
    """
    if isinstance(data, Mapping):
        missing = [name for name in names if name not in data]
        if missing:
            raise ValueError(
                f"data has the sets {sorted(map(str, data))}; expected also {missing[0]!r}, which the method uses"
            )
        return tuple(_one(data[name], f"data[{name!r}]") for name in names)
    one = _one(data, "data")
    return tuple(one for _ in names)


def _one(value: Any, name: str) -> Data:
    if isinstance(value, Data):
        return value
    if isinstance(value, tuple) and len(value) in (2, 4):
        return Data(*value)
    raise TypeError(f"{name} is of type {type(value).__name__}; expected Data, a pair (X, y), or a dict of these")
