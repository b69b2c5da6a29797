"""Exact truth about small matrices of floats, by integers of Python; it shares no code with what makes certificates.

Restricted eigenvalues: t bounds all blocks A_S'A_S if and only if no t I - A_S'A_S (or its negative) has a negative
eigenvalue. The eigenvalues of a symmetric matrix are real, so that, by the rule of signs, none is negative if and only
if no elementary symmetric function of them is: these are integers here, by the method of Faddeev and LeVerrier. A
float eigenvalue decides first wherever it is farther from 0 than its error can be (Weyl).

Null space: the share |z_K|_1 / |z|_1 is largest at a vertex of {A z = 0, |z|_1 <= 1}, a null vector whose support is
minimal; all of them are found by elimination in fractions. They decide the spark and uniqueness in l1, too.
"""

from fractions import Fraction
from functools import cmp_to_key
from itertools import chain, combinations
from math import lcm

import numpy as np

UNIT = 2.0**-53


def integer_columns(A):
    """Return, column by column, integers c and one exponent k: the column is c 2**k."""
    out = []
    for column in A.T.tolist():
        ratios = [value.as_integer_ratio() for value in column]
        k = max(q.bit_length() - 1 for _, q in ratios)  # denominators are powers of two
        out.append(([p << (k - q.bit_length() + 1) for p, q in ratios], -k))
    return out


class Blocks:
    """All blocks of s columns of A: which of them, if any, a number does not bound."""

    def __init__(self, A, s):
        self.A, self.s = A, s
        self.columns = integer_columns(A)
        self.supports = np.array(list(combinations(range(A.shape[1]), s)))
        # exponents of the largest entries; of zeros, far below everything
        tops = np.abs(A).max(axis=0)
        self.tops = np.where(tops > 0, np.frexp(tops)[1].astype(np.int64), -5000)
        self.exact_checks = 0
        self._inner = {}

    def values(self):
        """Return the smallest and the largest eigenvalue of a block as floats divided by the scale, and the scale."""
        scale = int(self.tops.max())
        if scale == -5000:
            return 0.0, 0.0, Fraction(1)
        B = np.ldexp(self.A, -scale)
        spectrum = np.linalg.eigvalsh(self._blocks(B.T @ B))
        return float(spectrum[:, 0].min()), float(spectrum[:, -1].max()), Fraction(4) ** scale

    def crossed(self, side, t):
        """Return a support on which the rational t is no bound of the eigenvalues on a side, or None: t is one."""
        t = Fraction(t)
        if side == "smallest" and t <= 0:
            return None  # no Gram matrix has a negative eigenvalue
        least, error = self._float_gaps(side, t)
        if (least < -error).any():
            return tuple(self.supports[int(np.argmin(least + error))].tolist())
        for support in self.supports[least <= error].tolist():
            if min(self.elementary(side, t, support)) < 0:
                return tuple(support)
        return None

    def reached(self, side, t, support):
        """Say whether the block of a support has an eigenvalue of at least t (side "largest") or at most t."""
        # not so if and only if the shifted block is positive definite
        return min(self.elementary(side, Fraction(t), list(support))) <= 0

    def elementary(self, side, t, support):
        """Return the elementary symmetric functions of the eigenvalues of t I - A_S'A_S, or its negative, congruent.

        Rows and columns are scaled by powers of two, which keeps signs: the numbers become integers.
        """
        self.exact_checks += 1
        sign = 1 if side == "largest" else -1
        lowest = min(self.columns[i][1] for i in support)
        size, M = len(support), []
        for i in support:
            up = self.columns[i][1] - lowest
            M.append([-sign * t.denominator * self.inner(i, j) << (up + self.columns[j][1] - lowest) for j in support])
        for a in range(size):
            # everything is multiplied by 2**(-2 lowest) and the denominator of t
            shift = -2 * lowest
            M[a][a] = M[a][a] * (1 << max(0, -shift)) + sign * t.numerator * (1 << max(0, shift))
            if shift < 0:
                M[a] = [value if b == a else value << -shift for b, value in enumerate(M[a])]
        out, power = [], [[int(a == b) for b in range(size)] for a in range(size)]
        for k in range(1, size + 1):
            product = [[sum(M[a][c] * power[c][b] for c in range(size)) for b in range(size)] for a in range(size)]
            value, rest = divmod(sum(product[a][a] for a in range(size)), k)
            assert rest == 0
            out.append(value)
            power = [[value * (a == b) - product[a][b] for b in range(size)] for a in range(size)]
        return out

    def inner(self, i, j):
        """Return the inner product of two columns of integers."""
        if (i, j) not in self._inner:
            product = sum(map(int.__mul__, self.columns[i][0], self.columns[j][0]))
            self._inner[i, j] = self._inner[j, i] = product
        return self._inner[i, j]

    def _float_gaps(self, side, t):
        """Return the smallest eigenvalue of each shifted block in floats, scaled, and a bound of its error."""
        rows, s = self.A.shape[0], self.s
        half = (_bits(abs(t)) + 1) // 2 if t else -5000
        x = np.maximum(self.tops, half)
        x = np.where(x == -5000, 0, x)
        C = np.ldexp(self.A, -x)
        shift = np.array([float(t / Fraction(4) ** int(e)) for e in x])
        M = C.T @ C
        M = np.diag(shift) - M if side == "largest" else M - np.diag(shift)
        blocks = self._blocks(M)
        sizes = ((C * C).sum(axis=0) + np.abs(shift))[self.supports].sum(axis=1)
        # rounding of C'C, of the shift, of its subtraction, and of the eigenvalue routine, with room to spare
        error = 32.0 * (rows + s * s + 8) * UNIT * sizes + 2.0**-900
        return np.linalg.eigvalsh(blocks)[:, 0], error

    def _blocks(self, M):
        return M[self.supports[:, :, None], self.supports[:, None, :]]


class ExactBlocks(Blocks):
    """The same of rational numbers of any size, ints, floats or Fractions, by exact arithmetic alone."""

    def __init__(self, rows, s):
        rows = [list(map(Fraction, row)) for row in rows]
        self.unit = lcm(*(value.denominator for row in rows for value in row))
        columns = [[int(value * self.unit) for value in column] for column in zip(*rows, strict=True)]
        self.columns = [(column, 0) for column in columns]
        self.s, self.exact_checks, self._inner = s, 0, {}
        self.supports = list(combinations(range(len(columns)), s))

    def crossed(self, side, t):
        """Return a support on which the rational t is no bound of the eigenvalues on a side, or None: t is one."""
        t = Fraction(t)
        if side == "smallest" and t <= 0:
            return None
        return next((one for one in self.supports if min(self.elementary(side, t, one)) < 0), None)

    def elementary(self, side, t, support):
        """Return what :meth:`Blocks.elementary` returns, of the columns times their common denominator."""
        return super().elementary(side, Fraction(t) * self.unit**2, support)

    def near(self, side, steps=80):
        """Return two rationals, close to each other, between which the extreme eigenvalue on a side lies."""
        most = max(self.inner(i, i) for i in range(len(self.columns)))
        low, high = Fraction(0), Fraction(self.s * most, self.unit**2)
        for _ in range(steps):
            middle = (low + high) / 2
            above = self.crossed("largest", middle) is not None if side == "largest" else not self._below(middle)
            low, high = (middle, high) if above else (low, middle)
        return low, high

    def _below(self, t):
        """Say whether some block has an eigenvalue below t."""
        return self.crossed("smallest", t) is not None


def minimal_null_vectors(A):
    """Return all null vectors of minimal support, one of z and -z, as dicts from indices to Fractions.

    Parameters
    ----------
    A : numpy.ndarray of float64, shape (n, N)
        Small: elimination for each set of columns of size up to n + 1.
    """
    columns = [[Fraction(value) for value in column] for column in A.T.tolist()]
    circuits = []
    for chosen in chain.from_iterable(combinations(range(len(columns)), k) for k in range(1, A.shape[0] + 2)):
        if any(known.keys() <= set(chosen) for known in circuits):
            continue
        z = _dependence([columns[i] for i in chosen])
        if z is not None:  # no smaller set is dependent, so that no entry is 0
            circuits.append(dict(zip(chosen, z, strict=True)))
    return circuits


def null_space_constant(circuits, s):
    """Return alpha_s exactly, from all null vectors of minimal support; 0 where there are none."""
    shares = (sorted(map(abs, z.values()), reverse=True) for z in circuits)
    return max((sum(sizes[:s]) / sum(sizes) for sizes in shares), default=Fraction(0))


def recovers(circuits, support, signs):
    """Say whether minimal l1 norm recovers every x with a signed support, from all null vectors of minimal support.

    So if and only if |z off S|_1 > |signs'z_S| for every z != 0 with A z = 0; every z is a sum of vectors of minimal
    support whose signs agree with its own, so that these suffice.
    """
    wanted = dict(zip(support, signs, strict=True))
    return all(
        sum(abs(value) for i, value in z.items() if i not in wanted)
        > abs(sum(wanted[i] * z[i] for i in wanted if i in z))
        for z in circuits
    )


def plane_patterns(rows):
    """Return all patterns (row . h >= 0 for each row) of h != 0 in the plane, from the directions where one changes.

    Parameters
    ----------
    rows : list of pairs of int, float or Fraction
        At least one of them not 0.

    Returns
    -------
    set of tuple of bool
        A pattern changes only at directions orthogonal to a row: these, sorted by angle in exact arithmetic, and one
        direction between any two neighbours are all there is to look at.
    """
    rows = [tuple(map(Fraction, row)) for row in rows]
    edges = [(sign * -b, sign * a) for a, b in rows if (a, b) != (0, 0) for sign in (1, -1)]
    edges.sort(key=cmp_to_key(_by_angle))
    edges = [edge for k, edge in enumerate(edges) if k == 0 or _by_angle(edges[k - 1], edge)]
    between = []
    for (a, b), (c, d) in zip(edges, edges[1:] + edges[:1], strict=True):
        # a quarter turn from opposite directions, the sum of positive multiples of all others
        p, q = abs(a) + abs(b), abs(c) + abs(d)
        between.append((-b, a) if a * d == b * c else (a / p + c / q, b / p + d / q))
    return {tuple(x * h + y * g >= 0 for x, y in rows) for h, g in edges + between}


def _by_angle(one, other):
    """Compare two directions by their angles from 0 to a whole turn."""
    halves = [(y < 0 or (y == 0 and x < 0)) for x, y in (one, other)]
    if halves[0] != halves[1]:
        return -1 if halves[1] else 1
    cross = one[0] * other[1] - one[1] * other[0]
    return -1 if cross > 0 else int(cross < 0)


def _dependence(columns):
    """Return the coefficients of a relation between columns all of whose proper subsets are independent, or None."""
    rows = [list(row) for row in zip(*columns, strict=True)]
    size = len(columns)
    for k in range(size - 1):
        place = next(i for i in range(k, len(rows)) if rows[i][k])  # independent: there is a pivot
        rows[k], rows[place] = rows[place], rows[k]
        rows[k] = [value / rows[k][k] for value in rows[k]]
        for i, row in enumerate(rows):
            if i != k and row[k]:
                rows[i] = [a - row[k] * b for a, b in zip(row, rows[k], strict=True)]
    if any(row[-1] for row in rows[size - 1 :]):
        return None
    return [-row[-1] for row in rows[: size - 1]] + [Fraction(1)]


def _bits(value):
    """Return e with value < 2**e."""
    return value.numerator.bit_length() - value.denominator.bit_length() + 1
