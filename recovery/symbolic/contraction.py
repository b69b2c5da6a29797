"""SymPy derivation of the contraction factors of the iterative methods, and of the constants at which they reach 1.

Symbols: ``delta`` is an isometry constant, ``kappa`` a condition number of restricted eigenvalues. The proofs in words
are in docs/theory, "Unit-step thresholding" and "Contraction factors and their thresholds". SymPy is imported
when a function is called. Results are cached: treat them as immutable.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from planted.base.extras import need

__all__ = [
    "delta_of_kappa",
    "grades_fixed_point",
    "grades_rate",
    "htp_rate",
    "iht_rate",
    "iht_rate_relaxed",
    "iht_rate_sharp",
    "relaxed_sparsity",
    "thresholds",
    "two_atoms_fixed_point",
    "two_s_rates",
]


@cache
def iht_rate() -> Any:
    """Return the contraction factor of unit-step IHT as in Foucart's proof, sqrt(3) delta.

    Returns
    -------
    sympy.Expr
        Of ``delta`` = delta_{3s}. With p and q the norms of v = (I - A'A) e on the wrongly selected and the wrongly
        omitted entries, |e+|^2 <= p^2 + (p + q)^2 (plus the part on which both supports agree) and p^2 + q^2 <= delta^2
        |e|^2. Here (p + q)^2 is replaced by 2 (p^2 + q^2), its bound by Cauchy's inequality.
    """
    sp = need("sympy")

    p, q = sp.symbols("p q", positive=True)
    return _largest(p**2 + 2 * (p**2 + q**2))


@cache
def iht_rate_sharp() -> Any:
    """Return the best factor obtainable from the same split of the error, (1 + sqrt(5)) / 2 delta.

    Returns
    -------
    sympy.Expr
        Of ``delta`` = delta_{3s}: p^2 + (p + q)^2 is maximised directly.
    """
    sp = need("sympy")

    p, q = sp.symbols("p q", positive=True)
    return _largest(p**2 + (p + q) ** 2)


@cache
def iht_rate_relaxed() -> Any:
    """Return the contraction factor of unit-step IHT that keeps more entries than the truth has.

    Returns
    -------
    sympy.Expr
        Of ``delta`` = delta_{2s~ + s} and ``rho`` = s / s~: for each wrongly omitted entry at least 1 / rho are wrongly
        selected, none of them smaller, so |u_left|^2 <= rho |u_taken|^2, and p^2 + (q + sqrt(rho) p)^2 is maximised.
    """
    sp = need("sympy")

    p, q, rho = sp.symbols("p q rho", positive=True)
    return _largest(p**2 + (q + sp.sqrt(rho) * p) ** 2)


@cache
def relaxed_sparsity() -> Any:
    """Return the s~ / s above which IHT with relaxed sparsity contracts, as a function of the condition number.

    Returns
    -------
    sympy.Expr
        Of ``kappa``, of order 2 s~ + s: the inverse of the rho at which :func:`iht_rate_relaxed` is 1.
    """
    sp = need("sympy")

    kappa, delta, rho = sp.symbols("kappa delta rho", positive=True)
    tau = 1 / delta_of_kappa()
    # tau^2 is the larger eigenvalue of a matrix of trace 2 + rho and determinant 1
    (found,) = sp.solve(sp.Eq(tau**2 + 1 / tau**2, 2 + rho), rho)
    at_three = iht_rate_relaxed().subs(delta, delta_of_kappa()).subs(rho, found).subs(kappa, 3)
    if sp.simplify(at_three - 1) != 0:
        raise ArithmeticError("the factor is not 1 there")
    return sp.factor(1 / found)


@cache
def htp_rate() -> Any:
    """Return the contraction factor of hard thresholding pursuit with unit step.

    Returns
    -------
    sympy.Expr
        Of ``delta``: sqrt(D / E) from D = M + T, where D = |e+|^2, E = |e|^2, the missed entries M = (p + q)^2 are at
        most 2 delta^2 E, and the error on the chosen support T at most delta^2 D.
    """
    sp = need("sympy")

    delta, D, E = sp.symbols("delta D E", positive=True)
    p, q = sp.symbols("p q", positive=True)
    missed = _largest((p + q) ** 2) ** 2 * E
    (solved,) = sp.solve(sp.Eq(D, missed + delta**2 * D), D)
    return sp.sqrt(sp.factor(solved / E))


@cache
def two_s_rates() -> dict[str, Any]:
    """Return the factors of unit-step IHT and HTP in terms of delta_{2s}.

    Returns
    -------
    dict
        ``iht`` and ``htp``, of ``delta``. On the support of the truth |v| <= delta |e|, and off it |v| <= delta (|e_S|
        + |e_rest|), which is maximised over |e| = 1; together they bound |v| in place of delta_{3s}.
    """
    sp = need("sympy")

    p, q, delta, D = sp.symbols("p q delta D", positive=True)
    reach = sp.sqrt(delta**2 + _largest((p + q) ** 2) ** 2)
    missed = (_largest((p + q) ** 2) ** 2).subs(delta, reach)
    (solved,) = sp.solve(sp.Eq(D, missed + delta**2 * D), D)
    return {"iht": sp.expand(iht_rate_sharp().subs(delta, reach)), "htp": sp.sqrt(sp.factor(solved))}


@cache
def grades_rate() -> Any:
    """Return the factor by which a step 1 / beta lowers the objective, kappa - 1.

    Returns
    -------
    sympy.Expr
        Of ``kappa`` = beta_{2s} / alpha_{2s}: f+ <= f + <g, u> + beta |u|^2 / 2, which the thresholded step minimises
        over s-sparse points. Hence the minimum is at most the value at the truth, u = x - x_t, where <g, u> = -2 f for
        a quadratic without noise, and |u|^2 <= 2 f / alpha.
    """
    sp = need("sympy")

    kappa, alpha, f = sp.symbols("kappa alpha f", positive=True)
    beta = kappa * alpha
    slope, square = -2 * f, 2 * f / alpha
    return sp.expand(sp.simplify((f + slope + beta * square / 2) / f))


@cache
def delta_of_kappa() -> Any:
    """Return the isometry constant of the best multiple of A.

    Returns
    -------
    sympy.Expr
        Of ``kappa``: found by choosing c^2 such that 1 - c^2 alpha = c^2 beta - 1, with beta = kappa alpha.
    """
    sp = need("sympy")

    kappa, alpha, c = sp.symbols("kappa alpha c", positive=True)
    (square,) = sp.solve(sp.Eq(1 - c * alpha, c * kappa * alpha - 1), c)
    return sp.simplify(1 - square * alpha)


@cache
def thresholds() -> dict[str, Any]:
    """Return the constants at which each factor equals 1.

    Returns
    -------
    dict
        For ``iht``, ``iht-sharp``, ``htp``, ``iht-2s``, ``htp-2s`` and ``grades`` a pair (delta, kappa), related by
        :func:`delta_of_kappa`, at the order of that method's condition.
    """
    sp = need("sympy")

    delta, kappa = sp.symbols("delta kappa", positive=True)
    found = {}
    rates = {"iht": iht_rate(), "iht-sharp": iht_rate_sharp(), "htp": htp_rate()}
    rates |= {f"{name}-2s": rate for name, rate in two_s_rates().items()}
    for name, rate in rates.items():
        one = sp.Eq(rate, 1) if rate.is_polynomial(delta) else sp.Eq(rate**2, 1)
        (limit,) = (sp.radsimp(root) for root in sp.solve(one, delta) if root.is_positive)
        (ratio,) = sp.solve(sp.Eq(delta_of_kappa(), limit), kappa)
        found[name] = (limit, sp.radsimp(ratio))
    (ratio,) = sp.solve(sp.Eq(grades_rate(), 1), kappa)
    found["grades"] = (delta_of_kappa().subs(kappa, ratio), ratio)
    return found


@cache
def two_atoms_fixed_point() -> Any:
    """Return the delta above which unit-step IHT and HTP have a wrong fixed point for two atoms.

    Returns
    -------
    sympy.Expr
        A number. The Gram matrix is [[1, delta], [delta, 1]], the truth e_1, the point delta e_2: the next point before
        thresholding is computed, and its two entries are set equal.
    """
    sp = need("sympy")

    delta = sp.symbols("delta", positive=True)
    gram, truth, point = sp.Matrix([[1, delta], [delta, 1]]), sp.Matrix([1, 0]), sp.Matrix([0, delta])
    moved = (point + gram * (truth - point)).applyfunc(sp.expand)
    if sp.simplify(moved[1] - delta) != 0:
        raise ArithmeticError("the point is not fixed on its own support")
    (limit,) = (root for root in sp.solve(sp.Eq(moved[0], moved[1]), delta) if root.is_positive)
    return limit


@cache
def grades_fixed_point() -> Any:
    """Return the kappa above which steps of length 1 / beta have a wrong fixed point, for one atom of two.

    Returns
    -------
    sympy.Expr
        A number. The Gram matrix has the eigenvalues 1 and 1 / kappa at 45 degrees, the truth is e_1, and the point is
        the minimiser on e_2; the entries of the next point before thresholding are set equal.
    """
    sp = need("sympy")

    kappa = sp.symbols("kappa", positive=True)
    turn = sp.Matrix([[1, 1], [1, -1]]) / sp.sqrt(2)
    gram = turn * sp.diag(1, 1 / kappa) * turn.T
    truth, point = sp.Matrix([1, 0]), sp.Matrix([0, gram[0, 1] / gram[1, 1]])
    moved = (point + gram * (truth - point)).applyfunc(sp.simplify)
    roots = sp.solve(sp.Eq(moved[0], moved[1]), kappa)
    (limit,) = (root for root in roots if root > 1)
    return limit


def _largest(form: Any) -> Any:
    """Return delta times the square root of the maximum of a quadratic form of p and q on the unit circle."""
    sp = need("sympy")

    p, q, delta = sp.symbols("p q delta", positive=True)
    values = sp.Matrix(sp.hessian(form, (p, q)) / 2).eigenvals(multiple=True)
    return sp.expand(sp.sqrtdenest(sp.sqrt(max(values, key=sp.N)))) * delta
