"""Independent SymPy derivations of the probabilities, risks and moments in the numeric code.

Every function returns SymPy expressions in the symbols named in its docstring. They serve the tests, which compare them
with the numeric code at random rationals, and readers who want to see a formula derived. SymPy is imported when a
function is called. Results are cached: treat them as immutable.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from planted.base.extras import need

__all__ = [
    "inverse_chi_square_mean",
    "largest_null_density",
    "largest_of_two",
    "projection_moments",
    "threshold_probability",
    "threshold_risk",
    "truncated_second_moment",
    "two_weight_recovery",
]


@cache
def largest_null_density() -> Any:
    """Return the density of the largest of N standard normal magnitudes, from its distribution function (E1).

    Returns
    -------
    sympy.Expr
        Of ``t`` and ``N``.
    """
    sp = need("sympy")

    t, N, x = sp.symbols("t N x", positive=True)
    below = sp.integrate(2 * _bell(x), (x, 0, t))
    return sp.diff(below**N, t)


@cache
def two_weight_recovery() -> Any:
    """Return the probability of recovery for one signal and one null, by a rotation of the plane (E1).

    Returns
    -------
    sympy.Expr
        Of the amplitude ``a`` in units of s. |a + z1| > |z2| if and only if (a + z1 - z2) (a + z1 + z2) > 0, and the
        two factors are independent N(a, 2).
    """
    sp = need("sympy")

    a, x = sp.symbols("a x", positive=True)
    positive = sp.integrate(sp.exp(-((x - a) ** 2) / 4) / sp.sqrt(4 * sp.pi), (x, 0, sp.oo))
    return sp.simplify(positive**2 + (1 - positive) ** 2)


@cache
def threshold_probability() -> Any:
    """Return the probability that threshold pruning is exact, from integrals of densities (E2).

    Returns
    -------
    sympy.Expr
        Of ``d``, ``k``, ``A`` and ``T`` (amplitude and threshold in units of s).
    """
    sp = need("sympy")

    d, k, A, T, x = sp.symbols("d k A T x", positive=True)
    null_goes = sp.integrate(_bell(x), (x, -T, T))
    signal_goes = sp.integrate(_bell(x - A), (x, -T, T))
    return null_goes ** (d - k) * (1 - signal_goes) ** k


@cache
def threshold_risk() -> Any:
    """Return the risk r(a) / s^2 of one weight under a threshold, from its integral (E3).

    Returns
    -------
    sympy.Expr
        Of ``A`` and ``T`` (amplitude and threshold in units of s).
    """
    sp = need("sympy")

    A, T = sp.symbols("A T", positive=True)
    z = sp.Symbol("z", real=True)
    pruned = sp.integrate(_bell(z), (z, -T - A, T - A))
    kept = sp.integrate(z**2 * _bell(z), (z, T - A, sp.oo)) + sp.integrate(z**2 * _bell(z), (z, -sp.oo, -T - A))
    return A**2 * pruned + kept


@cache
def truncated_second_moment() -> Any:
    """Return E[z^2; |z| > q] for a standard normal z, from its integral (E4).

    Returns
    -------
    sympy.Expr
        Of ``q``.
    """
    sp = need("sympy")

    q, z = sp.symbols("q z", positive=True)
    return 2 * sp.integrate(z**2 * _bell(z), (z, q, sp.oo))


@cache
def largest_of_two() -> Any:
    """Return E max(z1^2, z2^2) for independent standard normals, in polar coordinates (E4, without large d).

    Returns
    -------
    sympy.Expr
        A number.
    """
    sp = need("sympy")

    radius, angle = sp.symbols("radius angle", positive=True)
    squared = sp.integrate(radius**3 * sp.exp(-(radius**2) / 2), (radius, 0, sp.oo))
    # eight sectors, in which the larger coordinate is the cosine
    return sp.simplify(squared * 8 * sp.integrate(sp.cos(angle) ** 2, (angle, 0, sp.pi / 4)) / (2 * sp.pi))


@cache
def inverse_chi_square_mean() -> Any:
    """Return E[1 / chi^2] with nu > 2 degrees of freedom, from its integral (E5).

    Returns
    -------
    sympy.Expr
        Of ``nu``.
    """
    sp = need("sympy")

    x, nu = sp.Symbol("x", positive=True), sp.Symbol("nu", positive=True)
    density = x ** (nu / 2 - 1) * sp.exp(-x / 2) / (2 ** (nu / 2) * sp.gamma(nu / 2))
    return sp.simplify(sp.gammasimp(sp.integrate(density / x, (x, 0, sp.oo), conds="none")))


@cache
def projection_moments() -> dict[str, Any]:
    """Return second moments of a uniformly random projection, from its symmetries alone (E6).

    Returns
    -------
    dict
        ``diagonal``: E P_ii^2; ``off``: E P_ij^2; ``product``: E P_ii P_jj; of the rank ``n`` and the size ``m``.

    Notes
    -----
    Three equations: P^2 = P on the diagonal, (tr P)^2 = n^2, and P_ii has the same distribution as v'P v for every unit
    vector v, here v = (e_i + e_j) / sqrt(2); odd moments vanish because axes may be reflected.
    """
    sp = need("sympy")

    n, m, diagonal, off, product = sp.symbols("n m diagonal off product", positive=True)
    (found,) = sp.solve(
        [
            diagonal + (m - 1) * off - n / m,
            m * diagonal + m * (m - 1) * product - n**2,
            (diagonal + 2 * off + product) / 2 - diagonal,
        ],
        [diagonal, off, product],
        dict=True,
    )
    return {str(name): sp.factor(value) for name, value in found.items()}


def _bell(x: Any) -> Any:
    """Return the standard normal density as an expression."""
    sp = need("sympy")

    return sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi)
