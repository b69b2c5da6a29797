"""Numbers with rigorous bounds on their rounding errors, and the linear algebra of the guarantees in such numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np

from planted.base.arrays import EPS
from planted.base.values import same

__all__ = [
    "Bounded",
    "LeastSquares",
    "babel",
    "coherence",
    "constant",
    "cosines",
    "data",
    "data_of",
    "eigenvalues",
    "exponents",
    "extra",
    "inverse_gram",
    "least_squares",
    "matmul",
    "maximum",
    "minimum",
    "noise_of",
    "norm",
    "number",
    "singular_values",
    "total",
]

"""2^-52, twice the largest relative error of one operation: error bounds here have a safety factor of 2."""
TINY = math.ulp(0.0)
"""The smallest positive number: the largest error of one operation due to underflow."""
_UP = 1.0 + 2.0**-40
"""Compensates for the rounding of the bounds themselves."""
_QUIET = {"over": "ignore", "invalid": "ignore", "divide": "ignore", "under": "ignore"}


@dataclass(frozen=True, eq=False, slots=True)
class Bounded:
    """A computed number, or array of numbers, with a bound on its absolute error.

    Parameters
    ----------
    value : float or numpy.ndarray
        The computed value. An infinity with error 0 is a true infinity (such as the minimum over an empty set).
    error : float or numpy.ndarray
        Bound on the distance of the true number from `value`: 0 if the value is exact, ``inf`` if nothing is known
        because of overflow or a possibly singular matrix.

    Notes
    -----
    Sums, products, quotients and the functions of this module propagate the bound: the errors of their arguments, to
    first and second order, and the rounding error of the operation itself. A float as the other operand counts as a
    constant that was rounded once or twice (:func:`constant`), an array as exact (:func:`data`). There is no ``<``, no
    truth value and no conversion to float: the only comparison is :func:`recovery.guarantees.exceeds`.
    """

    value: Any
    error: Any

    __array_ufunc__ = None  # so that array * Bounded calls Bounded.__rmul__

    def __post_init__(self) -> None:
        if isinstance(self.value, np.ndarray):
            error = np.multiply(self.error, _UP)
            if np.shape(error) != self.value.shape:
                error = np.full(self.value.shape, error, dtype=np.float64)
            if not (np.isfinite(self.value).all() and np.isfinite(error).all()):
                lost = np.isnan(error) | np.isnan(self.value) | (np.isinf(self.value) & (error != 0.0))
                error = np.where(lost, np.inf, error)
            object.__setattr__(self, "error", error)
        else:
            value, error = float(self.value), float(self.error) * _UP
            lost = math.isnan(error) or math.isnan(value) or (math.isinf(value) and error != 0.0)
            object.__setattr__(self, "value", value)
            object.__setattr__(self, "error", math.inf if lost else error)

    @property
    def lower(self) -> Any:
        """Lower bound on the true number."""
        return _outward(self.value, self.error, -1.0)

    @property
    def upper(self) -> Any:
        """Upper bound on the true number."""
        return _outward(self.value, self.error, 1.0)

    def __getitem__(self, index: Any) -> Bounded:
        return Bounded(_plain(self.value[index]), _plain(self.error[index]))

    def __len__(self) -> int:
        return len(self.value)

    def __neg__(self) -> Bounded:
        return Bounded(-self.value, self.error)

    def __abs__(self) -> Bounded:
        return Bounded(_plain(np.abs(self.value)), self.error)

    def __add__(self, other: Any) -> Bounded:
        other = number(other)
        with np.errstate(**_QUIET):  # type: ignore[arg-type]
            value = self.value + other.value
            rounding = np.where((self.value == 0.0) | (other.value == 0.0), 0.0, EPS * np.abs(value))
            return _made(value, self.error + other.error + rounding, self, other)

    def __sub__(self, other: Any) -> Bounded:
        return self + (-number(other))

    def __rsub__(self, other: Any) -> Bounded:
        return number(other) + (-self)

    def __mul__(self, other: Any) -> Bounded:
        other = number(other)
        with np.errstate(**_QUIET):  # type: ignore[arg-type]
            value = self.value * other.value
            moved = _product(np.abs(self.value), other.error) + _product(np.abs(other.value), self.error)
            moved = moved + _product(self.error, other.error)
            zero = (self.value == 0.0) | (other.value == 0.0)
            return _made(value, moved + np.where(zero, 0.0, EPS * np.abs(value) + TINY), self, other)

    def __truediv__(self, other: Any) -> Bounded:
        other = number(other)
        with np.errstate(**_QUIET):  # type: ignore[arg-type]
            value = np.divide(self.value, other.value)
            room = np.abs(other.value) - other.error
            moved = (self.error + _product(np.abs(value), other.error)) / np.where(room > 0.0, room, np.nan)
            rounding = np.where(np.asarray(self.value) == 0.0, 0.0, EPS * np.abs(value) + TINY)
            return _made(value, moved + rounding, self, other)

    def __rtruediv__(self, other: Any) -> Bounded:
        return number(other) / self

    __radd__ = __add__
    __rmul__ = __mul__

    def sqrt(self) -> Bounded:
        """Return the square root of a non-negative number."""
        with np.errstate(**_QUIET):  # type: ignore[arg-type]
            value = np.sqrt(np.maximum(self.value, 0.0))
            low = np.sqrt(np.maximum(np.asarray(self.value) - self.error, 0.0))
            high = np.sqrt(np.maximum(np.asarray(self.value) + self.error, 0.0))
            moved = np.where(np.asarray(self.error) == 0.0, 0.0, np.minimum(self.error / (value + low), high) * 1.0)
            moved = np.where(np.isnan(moved), high, moved)
            return _made(value, moved + EPS * value, self)

    def square(self) -> Bounded:
        """Return the square."""
        return self * self

    def min(self, initial: float = math.inf) -> Bounded:
        """Return the smallest entry, or `initial` if there is none."""
        return -((-self).max(-initial))

    def max(self, initial: float = -math.inf) -> Bounded:
        """Return the largest entry, or `initial` if there is none."""
        if not np.size(self.value):
            return Bounded(initial, 0.0)
        value, low, high = float(np.max(self.value)), float(np.max(self.lower)), float(np.max(self.upper))
        return Bounded(value, 0.0 if math.isinf(value) else max(value - low, high - value))

    def __lt__(self, *other: Any) -> NoReturn:
        raise TypeError("two computed numbers are compared by recovery.guarantees.exceeds, which knows their errors")

    __le__ = __gt__ = __ge__ = __bool__ = __lt__

    def __eq__(self, other: object) -> Any:
        """Return whether value and error are identical; this does not compare the true numbers."""
        if isinstance(other, (int, float, Fraction, np.ndarray, np.generic)):
            self.__lt__(other)
        if not isinstance(other, Bounded):
            return NotImplemented
        return same((self.value, self.error), (other.value, other.error))

    def __hash__(self) -> int:
        return hash((Bounded, np.shape(self.value)))


def _outward(value: Any, error: Any, sign: float) -> Any:
    with np.errstate(**_QUIET):  # type: ignore[arg-type]
        found = value + sign * np.asarray(error) + sign * np.where(np.asarray(error) == 0.0, 0.0, EPS * np.abs(value))
    return _plain(np.where(np.isnan(found), sign * np.inf, found))


def _plain(value: Any) -> Any:
    """Return 0-dimensional arrays as floats."""
    return value if isinstance(value, np.ndarray) and value.ndim else float(value)


def _product(left: Any, right: Any) -> Any:
    """Return left * right, with 0 * inf = 0: an error of 0 stays 0, whatever it is multiplied by."""
    return np.where((np.asarray(left) == 0.0) | (np.asarray(right) == 0.0), 0.0, np.multiply(left, right))


def _made(value: Any, error: Any, *parents: Bounded) -> Bounded:
    """Return a result; an infinity that does not come from an exact infinity is an overflow."""
    value = np.asarray(value, dtype=np.float64)
    if np.isfinite(value).all():
        return Bounded(_plain(value), error if value.ndim else float(error))
    meant = np.zeros(value.shape, dtype=bool)
    for parent in parents:
        meant |= np.broadcast_to(np.isinf(parent.value) & (np.asarray(parent.error) == 0.0), value.shape)
    error = np.where(np.isinf(value), np.where(meant, 0.0, np.inf), error)
    return Bounded(_plain(value), _plain(np.broadcast_to(error, value.shape)))


def constant(value: float) -> Bounded:
    """Return a constant of a theorem: integers are exact, others were rounded at most twice (such as 1 / (2 k - 1))."""
    value = float(value)
    exact = value.is_integer() or math.isinf(value)
    return Bounded(value, 0.0 if exact else EPS * abs(value))


def data(values: Any) -> Bounded:
    """Return numbers of an instance, which count as exact."""
    values = np.asarray(values, dtype=np.float64)
    return Bounded(values if values.ndim else float(values), np.zeros(values.shape) if values.ndim else 0.0)


def noise_of(instance: Any) -> Bounded:
    """Return the noise of an instance; its error is the misfit, by which y - A x may differ from it."""
    return Bounded(np.asarray(instance.noise), 0.0 if instance.misfit is None else instance.misfit)


def data_of(instance: Any) -> Bounded:
    """Return y = A x + noise of an instance: the data, with the misfit as the error due to rounding."""
    return Bounded(np.asarray(instance.y), 0.0 if instance.misfit is None else instance.misfit)


def number(value: Any) -> Bounded:
    """Return a number with its error: an array is data, int and Fraction are exact, a float is a constant."""
    if isinstance(value, Bounded):
        return value
    if isinstance(value, np.ndarray) and value.ndim:
        return data(value)
    if isinstance(value, (int, Fraction)) and not isinstance(value, bool):
        try:
            near = float(value)
        except OverflowError:
            return Bounded(1.7e308 if value > 0 else -1.7e308, math.inf)
        return Bounded(near, abs(float(Fraction(value) - Fraction(near))))
    return constant(value)


def maximum(*values: Any) -> Bounded:
    """Return the largest of several numbers."""
    found = [number(value) for value in values]
    return Bounded(np.array([one.value for one in found]), np.array([one.error for one in found])).max()


def minimum(*values: Any) -> Bounded:
    """Return the smallest of several numbers."""
    return -maximum(*(-number(value) for value in values))


def total(values: Any, axis: int | None = None) -> Bounded:
    """Return the sum of the entries; its rounding error is at most count * EPS * sum of magnitudes, in any order."""
    values = number(values)
    count = np.size(values.value) if axis is None else values.value.shape[axis]
    with np.errstate(**_QUIET):  # type: ignore[arg-type]
        value, size = np.sum(values.value, axis=axis), np.sum(np.abs(values.value), axis=axis)
        return _made(value, np.sum(values.error, axis=axis) + max(count - 1, 0) * EPS * size)


def matmul(left: Any, right: Any) -> Bounded:
    """Return the product of two matrices, or a matrix and a vector.

    Notes
    -----
    |fl(A B) - A B| <= gamma_n |A| |B| with gamma_n = n u / (1 - n u), in any order of summation, with or without fused
    multiply-add (Higham, Accuracy and Stability of Numerical Algorithms, section 3.5; from memory of the literature,
    verified with fractions by tests/recovery/test_bounded.py). gamma_n is replaced by n EPS, which is larger.
    """
    left, right = number(left), number(right)
    inner = left.value.shape[-1]
    with np.errstate(**_QUIET):  # type: ignore[arg-type]
        value = left.value @ right.value
        L, R = np.abs(left.value), np.abs(right.value)
        error = inner * EPS * (L @ R)
        if np.any(right.error):
            error = error + _times(L, right.error)
        if np.any(left.error):
            error = error + _times(left.error, R + right.error)
        lost = inner * TINY * ((L.max(axis=-1, initial=0.0) > 0.0)[..., None] if right.value.ndim == 2 else 1.0)
        error = np.where(error == 0.0, 0.0, error) + np.where(np.any(R) and np.any(L), lost, 0.0)
        exact = _integers(left, right, L, R)
        return _made(value, np.zeros(np.shape(value)) if exact else error)


def _times(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return left @ right for errors, where 0 * inf is 0."""
    found = left @ right
    if np.any(np.isnan(found)):
        found = np.where(np.isnan(found), np.inf, found)
    return np.asarray(found)


def _integers(left: Bounded, right: Bounded, L: np.ndarray, R: np.ndarray) -> bool:
    """Return whether a product was exact: integers whose sums stay below 2^53."""
    if np.any(left.error) or np.any(right.error):
        return False
    if L.size and R.size and float(L.max()) * float(R.max()) * L.shape[-1] >= 2.0**53:
        return False
    return bool(np.all(L == np.floor(L)) and np.all(R == np.floor(R)))


def exponents(A: np.ndarray, axis: int | None = 0) -> Any:
    """Return the e with 2^e <= max |A| < 2^(e+1), along an axis; 0 if all entries are 0."""
    top = np.max(np.abs(A), axis=axis, initial=0.0)
    return np.where(top > 0.0, np.frexp(top)[1] - 1, 0)


def norm(values: Any, axis: int | None = None) -> Bounded:
    """Return the Euclidean norm of a vector, or the norms of the columns (``axis=0``) or rows (``axis=1``) of a matrix.

    Notes
    -----
    Scaled by a power of two, so that squares neither overflow nor underflow. The error bound is (n + 2) / 2 relative
    roundings plus, by the triangle inequality, the norm of the errors.
    """
    values = number(values)
    with np.errstate(**_QUIET):  # type: ignore[arg-type]
        shift = exponents(values.value, axis)
        spread = shift if axis != 1 else shift[:, None]
        count = np.size(values.value) if axis is None else values.value.shape[axis]
        length = np.ldexp(np.sqrt(np.sum(np.ldexp(values.value, -spread) ** 2, axis=axis)), shift)
        error: Any = 0.5 * (count + 4) * EPS * length
        if count == 1:
            error = np.zeros_like(length)
        if np.any(values.error):
            error = error + norm(np.where(np.isfinite(values.error), values.error, 1e300), axis).value * _UP
            error = np.where(np.any(np.isinf(values.error), axis=axis), np.inf, error)
        return _made(length, error + np.where((length > 0.0) & (count > 1), TINY, 0.0))


def cosines(A: np.ndarray) -> Bounded:
    """Return |<a_i, a_j>| / (|a_i| |a_j|), shape (N, N), 0 on the diagonal; the columns must not be 0.

    Notes
    -----
    Columns are first scaled by powers of two to a largest entry between 1 and 2, which changes no cosine.
    """
    unit = np.ldexp(A, -exponents(A))
    gram = matmul(unit.T, unit)
    lengths = Bounded(np.diag(gram.value).copy(), np.diag(gram.error).copy()).sqrt()
    found = abs(gram) / (lengths[:, None] * lengths[None, :])
    off = ~np.eye(A.shape[1], dtype=bool)
    return Bounded(np.where(off, found.value, 0.0), np.where(off, found.error, 0.0))


def coherence(A: np.ndarray) -> Bounded:
    """Return mu, the largest |cosine| of two columns, 0 for a single one; the columns must not be 0."""
    return cosines(A).max(0.0)


def babel(A: np.ndarray, s: int) -> Bounded:
    """Return mu_1(s), the largest sum of |cosines| of one column and s others, or all others if there are fewer."""
    found = cosines(A)
    s = min(s, A.shape[1] - 1)
    if s <= 0:
        return Bounded(0.0, 0.0)
    # each of the s largest has at most the largest error of its row
    rows = total(-np.sort(-found.value, axis=1)[:, :s], axis=1)
    return Bounded(rows.value, rows.error + s * np.max(found.error, axis=1)).max(0.0)


def extra(A: np.ndarray, support: np.ndarray, signs: np.ndarray | None = None, *, unit: bool = False) -> Bounded:
    """Return the irrepresentable value, or the exact recovery coefficient, of a support: the maximum over j outside it.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        The columns, exact numbers.
    support : numpy.ndarray of int, shape (k,)
        S, not empty.
    signs : numpy.ndarray, shape (k,), optional
        If given, the irrepresentable value max |sgn'A_S^+ a_j| is returned; otherwise the exact recovery coefficient
        max |A_S^+ a_j|_1.
    unit : bool, default False
        Whether to scale the columns to unit norm first.

    Returns
    -------
    Bounded
        0 if S contains all columns and they are independent. The error is infinite if the columns of S may be
        dependent.
    """
    inside = np.zeros(A.shape[1], dtype=bool)
    inside[support] = True
    fit = least_squares(A[:, support], A[:, ~inside])
    if not fit.independent:
        return Bounded(0.0, math.inf)
    found = fit.weights
    if unit:
        lengths = norm(A, 0)
        found = found * lengths[support][:, None] / lengths[~inside][None, :]
    leaning = total(abs(found), 0) if signs is None else abs(total(found * np.asarray(signs)[:, None], 0))
    return leaning.max(0.0)


def singular_values(A: np.ndarray) -> Bounded:
    """Return the singular values in descending order, shape (min(n, N),).

    Notes
    -----
    LAPACK is backward stable, |E|_2 <= p(n, N) u |A|_2 with a slowly growing p, for which n N is a generous bound
    (Higham, theorem 19.4, for the orthogonal reductions); no singular value moves by more than |E|_2 (Weyl).
    """
    if not A.size:
        return data(np.zeros(0))
    shift = int(exponents(A, None))
    found = np.linalg.svd(np.ldexp(A, -shift), compute_uv=False)
    size = float(np.sqrt(np.sum(found**2)))
    error = np.full(found.shape, 4.0 * (max(A.shape) + 4 * min(A.shape)) * min(A.shape) * EPS * size)
    with np.errstate(**_QUIET):  # type: ignore[arg-type]
        return _made(np.ldexp(found, shift), np.ldexp(error, shift) + TINY)


def eigenvalues(gram: Any) -> Bounded:
    """Return the ascending eigenvalues of a symmetric matrix, or of each in a stack; errors enter by their norm."""
    gram = number(gram)
    k = gram.value.shape[-1]
    with np.errstate(**_QUIET):  # type: ignore[arg-type]
        if not np.all(np.isfinite(gram.value)) or not np.all(np.isfinite(gram.error)):
            return Bounded(np.zeros(gram.value.shape[:-1]), np.inf)
        found = np.linalg.eigvalsh(gram.value)
        size = np.sqrt(np.sum(gram.value**2, axis=(-2, -1)))
        moved = np.sqrt(np.sum(gram.error**2, axis=(-2, -1))) + 8.0 * k * EPS * size + k * TINY
        return _made(found, np.broadcast_to(moved[..., None], found.shape))


@dataclass(frozen=True)
class LeastSquares:
    """Least-squares solution with error bounds.

    Parameters
    ----------
    weights : Bounded, shape (k,) or (k, m)
        A^+ b.
    residual : Bounded, shape (n,) or (n, m)
        b - A A^+ b; each column's errors are bounded by their norm.
    residual_norm : Bounded, float or shape (m,)
        Its norm.
    smallest : Bounded
        The smallest singular value of A after scaling columns by powers of two to a largest entry between 1 and 2. If
        its lower bound is positive, A certainly has full column rank.
    condition : float
        Upper bound on the ratio of the largest to the smallest; 1 without columns.
    """

    weights: Bounded
    residual: Bounded
    residual_norm: Bounded
    smallest: Bounded
    condition: float

    @property
    def independent(self) -> bool:
        """Whether the columns are certainly independent."""
        return bool(self.smallest.lower > 0.0)


def least_squares(A: np.ndarray, b: Any) -> LeastSquares:
    """Return A^+ b with an error bound computed from the residual, however the solution was found.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, k)
        Exact numbers, n >= k or not.
    b : numpy.ndarray or Bounded, shape (n,) or (n, m)
        Right-hand sides.

    Returns
    -------
    LeastSquares
        Errors are ``inf`` if the columns may be dependent.

    Notes
    -----
    Derived here. For any z, A^+ b - z = A^+ r with r = b - A z exactly, if the columns are independent. The computed r^
    differs from r by at most d = gamma (|A| |z| + |b|), entry by entry. So |A^+ b - z| <= |d| / s + |A^+ r^| with the
    smallest singular value s, and |A^+ r^| <= min(|r^| / s, |A'r^| / s^2), since A^+ = (A'A)^-1 A'. In the same way the
    residual (I - P) b = (I - P) r differs from r^ by at most |d| + min(|r^|, |A'r^| / s).
    """
    b = number(b)
    rows, size = A.shape
    flat = b.value.ndim == 1
    B, eB = (b.value[:, None], b.error[:, None]) if flat else (b.value, b.error)
    if size == 0:
        weights = data(np.zeros((0,) if flat else (0, B.shape[1])))
        return LeastSquares(weights, b, norm(b, 0), Bounded(math.inf, 0.0), 1.0)
    shift = exponents(A)
    scaled = np.ldexp(A, -shift)
    with np.errstate(**_QUIET):  # type: ignore[arg-type]
        level = exponents(B)
        B, eB = np.ldexp(B, -level), np.ldexp(eB, -level)
        if rows >= size:
            Q, R = np.linalg.qr(scaled)
            spectrum = singular_values(R)
            smallest = Bounded(float(spectrum.value[-1]), float(spectrum.error[-1]) + _qr_error(scaled))
        else:
            smallest = data(0.0)
        s = float(smallest.lower)
        if not s > 0.0 or not np.all(np.isfinite(B)):
            nothing = Bounded(np.zeros((size, B.shape[1])), np.inf), Bounded(np.zeros(B.shape), np.inf)
            w, r = nothing if not flat else (nothing[0][:, 0], nothing[1][:, 0])
            return LeastSquares(w, r, Bounded(0.0, math.inf) if flat else norm(r, 0), smallest, math.inf)
        condition = float(spectrum.upper[0]) / s
        z = np.linalg.solve(R, Q.T @ B)
        for _ in range(2):  # refinement makes the solution as accurate as its residual
            z = z + np.linalg.solve(R, Q.T @ (B - scaled @ z))
        r = B - scaled @ z
        inner = (size + 2) * EPS * (np.abs(scaled) @ np.abs(z) + np.abs(B)) + eB + (size + 1) * TINY
        d = np.sqrt(np.sum(inner**2, axis=0)) * _UP
        length = np.sqrt(np.sum(r**2, axis=0)) * (1.0 + rows * EPS)
        steep = norm(matmul(scaled.T, r), 0).upper
        off = (d + np.minimum(length, steep / s)) / s
        left = d + np.minimum(length, steep / s)
        weights = _made(
            np.ldexp(z, level - shift[:, None]), np.ldexp(np.broadcast_to(off, z.shape), level - shift[:, None])
        )
        residual = _made(np.ldexp(r, level), np.ldexp(np.broadcast_to(left, r.shape), level))
        lengths = norm(data(r), 0)
        lengths = _made(np.ldexp(lengths.value, level), np.ldexp(lengths.error + left, level))
    if flat:
        return LeastSquares(weights[:, 0], residual[:, 0], lengths[0], smallest, condition)
    return LeastSquares(weights, residual, lengths, smallest, condition)


def inverse_gram(A: np.ndarray) -> Bounded:
    """Return (A'A)^-1, shape (k, k), with an error bound computed from the residual.

    Notes
    -----
    Derived here. With X the computed inverse and E = I - A'A X, (A'A)^-1 = X (I - E)^-1, so the error of an entry in
    row i is at most the sum of |X_i| times rho / (1 - rho), where rho is the largest row sum of |E|. The columns are
    first scaled to a largest entry between 1 and 2. Errors are ``inf`` if rho >= 1, since the columns may then be
    dependent.
    """
    size = A.shape[1]
    shift = exponents(A)
    scaled = np.ldexp(A, -shift)
    gram = matmul(scaled.T, scaled)
    try:
        found = np.linalg.inv(gram.value)
    except np.linalg.LinAlgError:
        found = np.full((size, size), np.nan)
    if not np.all(np.isfinite(found)):
        return Bounded(np.zeros((size, size)), np.inf)
    off = matmul(gram, found) - np.eye(size)
    rho = float(np.max(np.sum(np.abs(off.value) + off.error, axis=1), initial=0.0))
    rows = np.sum(np.abs(found), axis=1)[:, None] * (rho / (1.0 - rho) if rho < 1.0 else math.inf)
    power = -(shift[:, None] + shift)
    with np.errstate(**_QUIET):  # type: ignore[arg-type]
        return _made(np.ldexp(found, power), np.ldexp(np.broadcast_to(rows, found.shape), power))


def _qr_error(A: np.ndarray) -> float:
    """Return a bound on the change of singular values by a QR factorisation (Higham, theorem 19.4)."""
    return 4.0 * (max(A.shape) + 4 * min(A.shape)) * EPS * math.sqrt(min(A.shape)) * float(np.linalg.norm(A))
