"""Facts about an instance that the guarantees of this package need: singular values, support, rounding errors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from planted.base.arrays import EPS
from planted.base.checks import check_number
from recovery.guarantees import Bounded, Verdict, exceeds
from recovery.guarantees.engine.instance import Instance
from recovery.operators.ranks import rank_tolerance, triangle, unit_columns

__all__ = [
    "SOURCE",
    "Facts",
    "clearly",
    "facts",
    "full_column_rank",
    "option",
    "planted_shape",
    "smallest_signal",
]

_LEAST = 2.0**-400
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
    R : numpy.ndarray, shape (min(n, d), d)
        X in an orthonormal basis Q of its range, where n >= d a triangle: errors of sums over n rows stay out.
    z, xi : numpy.ndarray, shape (min(n, d),)
        y and the noise in that basis; zeros for a noise that is not known.
    s : numpy.ndarray, shape (min(n, d),)
        Singular values of X, descending.
    misfit : float
        How far y may be from X w + xi, by rounding alone; inf, so that nothing is decided, where squares of the
        numbers leave the range of float64 although units were chosen well.
    """

    X: np.ndarray
    y: np.ndarray
    R: np.ndarray
    z: np.ndarray
    xi: np.ndarray
    s: np.ndarray
    misfit: float

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
            which is smaller. And what rounding of y makes of the weights: the misfit over sigma_min(X).
        """
        if self.smallest == 0.0:
            return math.inf
        with np.errstate(over="ignore", invalid="ignore"):
            residual = float(np.linalg.norm(self.y - self.X @ w))
            found = self._unit * (float(np.linalg.norm(w)) + residual / self.smallest) + self.misfit / self.smallest
        return math.inf if math.isnan(found) else found

    def run_error(self, instance: Instance) -> float:
        """Return how far apart two weights must be so that no run confuses them, on any mask that holds the support.

        Parameters
        ----------
        instance : Instance
            With x and noise.

        Returns
        -------
        float
            4 times :meth:`weight_error` for weights w* + eta, whose residual is no longer than the noise: twice for
            the two weights, and as much for what :func:`linear_lottery.imp` takes as a tie.
        """
        noise = float(np.linalg.norm(instance.noise)) / self.smallest if self.smallest > 0.0 else math.inf
        found = 4.0 * self._unit * (float(np.linalg.norm(instance.x)) + 2.0 * noise)
        found += 4.0 * self.misfit / self.smallest if self.smallest > 0.0 else math.inf
        return math.inf if math.isnan(found) else found


def facts(instance: Instance) -> Facts:
    """Decompose an instance (on the CPU, float64)."""
    X, y = instance.matrix, np.asarray(instance.y)
    n, d = X.shape
    noise = np.zeros(n) if instance.noise is None else instance.noise
    T = triangle(np, np.column_stack([X, y, noise]))[: min(n, d)]
    misfit = 0.0 if instance.misfit is None else float(np.linalg.norm(instance.misfit))
    if any(_far(part) for part in (X, y, instance.noise, instance.x)):
        misfit = math.inf
    return Facts(X, y, T[:, :d], T[:, d], T[:, d + 1], np.linalg.svd(T[:, :d], compute_uv=False), misfit)


def _far(values: np.ndarray | None) -> bool:
    size = 0.0 if values is None else float(np.max(np.abs(values), initial=0.0))
    return size != 0.0 and not _LEAST <= size <= 1.0 / _LEAST


def full_column_rank(known: Facts) -> Verdict:
    """Return whether X has full column rank: ``unknown`` where rounding cannot tell it from rank deficiency."""
    n, d = known.X.shape
    if n < d:
        return Verdict.of(False, f"X has {n} rows and {d} columns, so its columns are dependent")
    clear = 8.0 * rank_tolerance(d, np.float64)
    unit = np.linalg.svd(unit_columns(np, known.R)[0], compute_uv=False)
    if float(unit[-1]) <= clear or not known.smallest > clear * float(known.s[0]):
        return Verdict.unknown(f"sigma_min(X) = {known.smallest:.3g} is 0 within rounding error")
    return Verdict.of(True, f"X has full column rank, with sigma_min(X) = {known.smallest:.6g}")


def planted_shape(known: Facts, instance: Instance) -> Verdict:
    """Return whether X has full column rank and the sparsity is the number of planted weights, at least one."""
    k = len(instance.support)
    if k != instance.sparsity:
        return Verdict.of(False, f"x has {k} non-zeros, not sparsity={instance.sparsity}")
    if k == 0:
        return Verdict.of(False, "x is 0, so there is nothing to recover")
    return full_column_rank(known)


def clearly(
    left: float, right: float, reason: str, relative: float = 0.0, *, left_error: float = 0.0, right_error: float = 0.0
) -> Verdict:
    """Return whether left > right, where both have a relative error and absolute ones: see :func:`exceeds`."""
    first = Bounded(left, _times(relative, left) + left_error)
    return exceeds(first, Bounded(right, _times(relative, right) + right_error), reason)


def _times(relative: float, size: float) -> float:
    """Return an absolute error; none of 0, whatever is relative to it."""
    return relative * abs(size) if size != 0.0 else 0.0


def smallest_signal(instance: Instance) -> float:
    """Return the smallest magnitude of a planted weight."""
    return float(np.abs(instance.x[instance.support]).min())


def option(instance: Instance, name: str) -> float:
    """Return an option that is a number of at least 0, or refuse it."""
    return check_number(instance.options[name], f"options[{name!r}]", minimum=0.0, finite=False)
