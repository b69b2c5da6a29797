"""Changes of a sensing matrix that may make a guarantee hold; each is carried out to measure its effect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.arrays import EPS
from planted.base.frames import Names, labels
from recovery.conditions import complementary_pairs, equal_gates, one_per_pair
from recovery.conditions.population import population_operator

__all__ = ["Change", "changes", "looks_normal", "parallel", "written_out"]


@dataclass(frozen=True)
class Change:
    """A changed matrix.

    Parameters
    ----------
    name : str
        The change.
    note : str
        Its cost, or the meaning of x afterwards.
    matrix : numpy.ndarray, shape (n', N')
        The changed matrix.
    measured : bool
        Whether the change was made to the given data; otherwise the matrix is their limit.
    """

    name: str
    note: str
    matrix: np.ndarray
    measured: bool = True


def parallel(A: np.ndarray) -> np.ndarray:
    """Return the columns that are multiples of an earlier one, to 1e-12.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        Non-zero columns.

    Returns
    -------
    numpy.ndarray of int64
        Their indices, ascending.
    """
    unit = A / np.linalg.norm(A, axis=0)
    close = np.triu(np.abs(unit.T @ unit) >= 1.0 - 1e-10, k=1)
    first, second = np.nonzero(close)
    signs = np.sign((unit[:, first] * unit[:, second]).sum(axis=0))
    same = np.abs(unit[:, first] - signs * unit[:, second]).max(axis=0, initial=0.0) <= 1e-12
    return np.unique(second[same])


def written_out(X: np.ndarray, gates: np.ndarray) -> np.ndarray:
    """Return [D_1 X, ..., D_p X], shape (n, d p)."""
    return np.hstack([X * gate[:, None] for gate in gates.T]) if gates.shape[1] else np.zeros((len(X), 0))


def changes(
    A: np.ndarray, gated: tuple[np.ndarray, np.ndarray] | None, H: Any = None, names: Names = None
) -> Iterator[Change]:
    """Yield changes, the cheapest first.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        The matrix.
    gated : tuple of numpy.ndarray, optional
        X, shape (n, d), and the gates, shape (n, p), if A is made of them.
    H : array, shape (d, p), optional
        Generators of the gates.
    names : tuple of str, optional
        Names of the columns; their numbers by default.

    Yields
    ------
    Change
        Only changes that have an effect and leave non-zero columns.
    """
    norms = np.linalg.norm(A, axis=0)
    there = labels(names, np.flatnonzero(norms > 0.0))
    if np.any(norms == 0.0):
        yield Change(
            "drop zero columns", f"{int(np.sum(norms == 0.0))} columns carry no information on x", A[:, norms > 0.0]
        )
        A, norms = A[:, norms > 0.0], norms[norms > 0.0]
    repeated = parallel(A)
    if 0 < len(repeated) < A.shape[1] - 1:
        note = f"{len(repeated)} columns are multiples of an earlier one; no data can separate their weights"
        yield Change("drop parallel columns", note, np.delete(A, repeated, axis=1))
    if norms.max() > norms.min() * (1.0 + 1e-9):
        yield Change("unit columns", "no cost: x_j becomes |a_j| x_j, with the same support", A / norms)
    left, spectrum, right = np.linalg.svd(A, full_matrices=False)
    kept = spectrum > max(A.shape) * EPS * spectrum[0]
    if spectrum[kept].max() > spectrum[kept].min() * (1.0 + 1e-9):
        yield Change(
            "precondition the rows",
            "no cost without noise: y and A are multiplied by (A A')^(-1/2); x and the null space stay the same",
            left[:, kept] @ right[kept],
        )
    if gated is not None:
        yield from _gates(*gated)
    elif A.shape[1] > 2:
        j = _worst(A / norms)
        yield Change(
            f"drop column {there[j]}", "the column most similar to another one; x_j must be 0", np.delete(A, j, axis=1)
        )
    if gated is not None:
        yield from _inputs(*gated, H)


def _gates(X: np.ndarray, gates: np.ndarray) -> Iterator[Change]:
    groups = equal_gates(gates)
    if groups:
        keep = np.setdiff1d(np.arange(gates.shape[1]), [j for group in groups for j in group[1:]])
        note = (
            f"{gates.shape[1] - len(keep)} of {gates.shape[1]} gates are equal to another one; their weights are added"
        )
        yield Change("drop equal gates", note, _nonzero(written_out(X, gates[:, keep])))
    if complementary_pairs(gates):
        reduced = one_per_pair(gates)
        note = "same range; the weights of a replaced gate are counted twice, so s may double"
        changed = _nonzero(written_out(X, reduced.gates))
        yield Change("one gate per complementary pair and an ungated block", note, changed)
    if gates.shape[1] > 1:
        best, where = np.inf, 0
        for j in range(gates.shape[1]):
            rest = _nonzero(written_out(X, np.delete(gates, j, axis=1)))
            if rest.shape[1] > 1:
                value = _coherence(rest)
                best, where = (value, j) if value < best else (best, where)
        fewer = np.delete(gates, where, axis=1)
        note = "the gate whose removal lowers the coherence most; no neuron may have its pattern"
        yield Change(f"drop gate {where}", note, _nonzero(written_out(X, fewer)))
        half = _spread(gates, max(1, gates.shape[1] // 2))
        note = f"gates {', '.join(map(str, half))}, chosen to be far apart; no neuron may have another pattern"
        yield Change("keep half of the gates", note, _nonzero(written_out(X, gates[:, half])))


def _inputs(X: np.ndarray, gates: np.ndarray, H: Any) -> Iterator[Change]:
    n, d = X.shape
    left, spectrum, right = np.linalg.svd(X, full_matrices=False)
    full = n > d and spectrum[-1] > n * EPS * spectrum[0]
    if full:
        white = np.sqrt(n) * left @ right  # the whitened features closest to the given ones
        note = (
            "features X (X'X / n)^(-1/2), same gates: weights are sparse in the whitened features, not in the given "
            "ones"
        )
        yield Change("whiten X", note, _nonzero(written_out(white, gates)))
    centred = written_out(X, gates)
    centred = centred - left @ (left.T @ centred)
    if full and np.linalg.norm(centred, axis=0).min() > 1e-9 * np.linalg.norm(centred, axis=0).max():
        note = "the range of X is projected out of y and A; x stays the same, with d equations fewer"
        yield Change("remove the linear part", note, centred)
    if H is not None:
        limit = arrays.to_numpy(population_operator(H).columns(np.arange(d * gates.shape[1])))
        note = "the limit for rows from N(0, I), from the population Gram matrix of the generators; " + looks_normal(X)
        yield Change("many more rows", note, limit, measured=False)


def looks_normal(X: np.ndarray) -> str:
    """Return a sentence on whether the rows look like samples from N(0, c I): mean, covariance, kurtosis.

    Parameters
    ----------
    X : numpy.ndarray, shape (n, d)
        Inputs.

    Returns
    -------
    str
        The sentence. The largest deviation of each of the three is compared with 4.5 standard errors for normal rows;
        the first that exceeds them is named.
    """
    n, d = X.shape
    size = float(np.sqrt(np.mean(X * X))) or 1.0
    Z = X / size
    mean = float(np.abs(Z.mean(axis=0)).max()) * np.sqrt(n)
    covariance = Z.T @ Z / n - np.eye(d)
    spread = float(np.abs(covariance / np.sqrt(1.0 + np.eye(d))).max()) * np.sqrt(n)
    kurtosis = abs(float(np.mean(Z**4)) - 3.0) / np.sqrt(96.0 / (n * d))
    for name, value in (("means", mean), ("covariances", spread), ("fourth moments", kurtosis)):
        if value > 4.5:
            return f"but the rows of X are not of that kind: their {name} are {value:.0f} standard errors off"
    return "the means, covariances and fourth moments of X are compatible with it"


def _nonzero(A: np.ndarray) -> np.ndarray:
    return A[:, np.any(A != 0.0, axis=0)]


def _coherence(A: np.ndarray) -> float:
    unit = A / np.linalg.norm(A, axis=0)
    cosines = np.abs(unit.T @ unit)
    np.fill_diagonal(cosines, 0.0)
    return float(cosines.max())


def _worst(unit: np.ndarray) -> int:
    """Return the column of the most similar pair that is more similar to the other columns."""
    cosines = np.abs(unit.T @ unit)
    np.fill_diagonal(cosines, 0.0)
    i, j = np.unravel_index(int(np.argmax(cosines)), cosines.shape)
    return int(i if cosines[i].sum() >= cosines[j].sum() else j)


def _spread(gates: np.ndarray, count: int) -> list[int]:
    """Choose gates one by one, each as far as possible from those chosen, in Hamming distance to gate or complement."""
    differ = (gates[:, :, None] != gates[:, None, :]).sum(axis=0)
    apart = np.minimum(differ, len(gates) - differ)
    chosen = [int(np.argmax(apart.sum(axis=0)))]
    while len(chosen) < count:
        nearest = apart[chosen].min(axis=0)
        nearest[chosen] = -1
        chosen.append(int(np.argmax(nearest)))
    return sorted(chosen)
