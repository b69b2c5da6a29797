"""What the guarantees of this package ask of an instance: its singular values, its support, what rounding can do."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from planted.checks import check_number
from recovery.guarantees import Verdict
from recovery.instances import Instance

__all__ = ["EPS", "SOURCE", "Facts", "facts", "full_column_rank", "option", "planted_shape", "smallest_signal"]

EPS = float(np.finfo(np.float64).eps)
SOURCE = "condition derived in this project, for the phenomenon studied in Elesedy et al. 2020"


@dataclass(frozen=True, eq=False)
class Facts:
    """A linear model y = X w + xi, decomposed.

    Parameters
    ----------
    X : numpy.ndarray, shape (n, d)
        Features.
    y : numpy.ndarray, shape (n,)
        Data.
    U : numpy.ndarray, shape (n, min(n, d))
        Left singular vectors of X.
    s : numpy.ndarray, shape (min(n, d),)
        Singular values of X, falling.
    """

    X: np.ndarray
    y: np.ndarray
    U: np.ndarray
    s: np.ndarray

    @property
    def smallest(self) -> float:
        """sigma_min(X), as computed; 0 if n < d."""
        n, d = self.X.shape
        return float(self.s[-1]) if n >= d else 0.0

    @property
    def cond(self) -> float:
        """Condition number of X, inf if n < d."""
        return float(self.s[0]) / self.smallest if self.smallest > 0.0 else math.inf

    @property
    def _unit(self) -> float:
        """8 (d + 10) eps cond(X): d for the rounds of a path, 10 for what a factor from X'X may lose (`imp`)."""
        return 8.0 * (self.X.shape[1] + 10.0) * EPS * self.cond

    def rounding(self, *ratios: float) -> float:
        """Return 8 (d + 10) eps cond(X) (1 + the ratios): the relative error of what is divided by sigma_min.

        Parameters
        ----------
        *ratios : float
            Norms of intermediate quantities over the norm of the result.

        Returns
        -------
        float
            The error, inf if a ratio is NaN.
        """
        size = self._unit * (1.0 + sum(ratios))
        return math.inf if math.isnan(size) else size

    def weight_error(self, w: np.ndarray) -> float:
        """Return how far least-squares weights under a mask may be off by rounding.

        Parameters
        ----------
        w : numpy.ndarray, shape (d,)
            The weights, 0 outside the mask.

        Returns
        -------
        float
            8 (d + 10) eps cond(X) (norm of w + norm of y - X w over sigma_min(X)): the perturbation bound of least
            squares (Wedin) with backward errors of 8 (d + 10) eps, and cond(X) for that of the columns in the mask,
            which is smaller.
        """
        if self.smallest == 0.0:
            return math.inf
        residual = float(np.linalg.norm(self.y - self.X @ w))
        size = float(np.linalg.norm(w))
        return self._unit * (size + residual / self.smallest)


def facts(instance: Instance) -> Facts:
    """Decompose an instance (on the CPU, float64)."""
    X = instance.matrix
    U, s, _ = np.linalg.svd(X, full_matrices=False)
    return Facts(X, np.asarray(instance.y), U, s)


def full_column_rank(known: Facts) -> Verdict:
    """Return whether X has full column rank: ``unknown`` where rounding cannot tell it from rank deficiency."""
    n, d = known.X.shape
    if n < d:
        return Verdict.of(False, f"X is {n} x {d}, so its columns are dependent")
    if known.smallest <= 8.0 * max(n, d) * EPS * float(known.s[0]):
        return Verdict.unknown(f"sigma_min(X) = {known.smallest:.3g} is 0 within rounding")
    return Verdict.of(True, f"X has full column rank, sigma_min(X) = {known.smallest:.6g}")


def planted_shape(known: Facts, instance: Instance) -> Verdict:
    """Return whether X has full column rank and the sparsity is the number of planted weights, at least one."""
    k = len(instance.support)
    if k != instance.sparsity:
        return Verdict.of(False, f"sparsity={instance.sparsity} and x has {k} non-zeros")
    if k == 0:
        return Verdict.of(False, "x is 0, so there is nothing to recover")
    return full_column_rank(known)


def smallest_signal(instance: Instance) -> float:
    """Return the smallest magnitude of a planted weight."""
    return float(np.abs(instance.x[instance.support]).min())


def option(instance: Instance, name: str) -> float:
    """Return an option that is a number of at least 0, or refuse it."""
    return check_number(instance.options[name], f"options[{name!r}]", minimum=0.0, finite=False)
