"""Independent SymPy derivations of the statements about BINGO, NEq and ticket transfer.

The numeric code is in :mod:`recovery.pruning.closed_forms`. Here averages are derived from recurrences, expectations
from sums over subsets, similarities from integrals over arcs, filters from generating functions, and the errors of
tickets from the chi-square density. Every function returns SymPy expressions in the symbols named in its docstring.
They serve the tests, which compare them with the numeric code, and readers who want to see a formula derived. SymPy is
imported when a function is called. Results are cached: treat them as immutable.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import Any

from planted.base.extras import need

__all__ = [
    "average_variance",
    "coalition_mean",
    "coalition_shares",
    "effective_sample_size",
    "inverse_chi_square",
    "score_sum",
    "similarity_gap",
    "ticket_error",
    "turning_speed",
    "velocity_drift",
    "velocity_weights",
]


@cache
def score_sum() -> Any:
    """Return the sum of the printed and the corrected score after N probes, from the recurrence u -> (u + 1) / 2.

    Returns
    -------
    sympy.Expr
        Of ``N`` and ``u0``, the sum of the two initial scores. The change in accuracy cancels in the sum.
    """
    sp = need("sympy")

    N = sp.symbols("N", integer=True, nonnegative=True)
    u0, change, printed, corrected = sp.symbols("u0 change printed corrected", real=True)
    after = sp.simplify((printed + 1 - change) / 2 + (corrected + change) / 2)
    u = sp.Function("u")
    step = after.subs(printed, u(N) - corrected)
    return sp.rsolve(sp.Eq(u(N + 1), sp.simplify(step)), u(N), {u(0): u0})


@cache
def average_variance() -> Any:
    """Return the variance of BINGO's average of N independent probes, from V -> V / 4 + variance / 4, V_0 = 0.

    Returns
    -------
    sympy.Expr
        Of ``N`` and ``variance``.
    """
    sp = need("sympy")

    N = sp.symbols("N", integer=True, nonnegative=True)
    variance = sp.symbols("variance", positive=True)
    V = sp.Function("V")
    return sp.simplify(sp.rsolve(sp.Eq(V(N + 1), V(N) / 4 + variance / 4), V(N), {V(0): 0}))


@cache
def effective_sample_size() -> Any:
    """Return the effective sample size of BINGO's average: the N of a plain mean with the same variance for its bias.

    Returns
    -------
    sympy.Expr
        Of ``N``: the squared total weight of the probes, from E -> E / 2 + 1 / 2, divided by the variance for sigma =
        1.
    """
    sp = need("sympy")

    N = sp.symbols("N", integer=True, nonnegative=True)
    variance = sp.symbols("variance", positive=True)
    share = sp.Function("share")
    mean = sp.rsolve(sp.Eq(share(N + 1), share(N) / 2 + sp.Rational(1, 2)), share(N), {share(0): 0})
    return sp.factor(sp.simplify(mean**2 / average_variance().subs(variance, 1)))


@cache
def coalition_shares() -> tuple[Any, Any]:
    """Return the probabilities that one and two other weights are in a subset containing a given one, by counting.

    Returns
    -------
    tuple of sympy.Expr
        Of ``m`` and ``p``: quotients of binomial coefficients, simplified.
    """
    sp = need("sympy")

    m, p = sp.symbols("m p", positive=True)
    whole = sp.binomial(p - 1, m - 1)
    one, two = sp.binomial(p - 2, m - 2), sp.binomial(p - 3, m - 3)
    quotients = (part.rewrite(sp.gamma) / whole.rewrite(sp.gamma) for part in (one, two))
    first, second = (sp.factor(sp.gammasimp(quotient)) for quotient in quotients)
    return first, second


@cache
def coalition_mean(p: int, size: int, j: int) -> Any:
    """Return the mean change of a quadratic loss over all subsets that contain weight j, term by term.

    Parameters
    ----------
    p : int
        Weights.
    size : int
        Weights of a subset.
    j : int
        The weight.

    Returns
    -------
    sympy.Expr
        Of ``g0``, ... (gradient), ``h00``, ``h01``, ... (upper triangle of the Hessian) and ``d0``, ... (shifts).
    """
    sp = need("sympy")

    gradient = sp.Matrix(p, 1, lambda i, _: sp.Symbol(f"g{i}", real=True))
    hessian = sp.Matrix(p, p, lambda i, k: sp.Symbol(f"h{min(i, k)}{max(i, k)}", real=True))
    total, count = sp.Integer(0), 0
    for subset in combinations(range(p), size):
        if j in subset:
            moved = sp.Matrix(p, 1, lambda i, _, subset=subset: sp.Symbol(f"d{i}", real=True) if i in subset else 0)
            total += (gradient.T * moved + moved.T * hessian * moved / 2)[0]
            count += 1
    return sp.expand(total / count)


@cache
def similarity_gap() -> Any:
    """Return 1 - phi of two ReLU units on Gaussian inputs, integrated over the three arcs where one or both are active.

    Returns
    -------
    sympy.Expr
        Of ``t``, the angle in (0, pi): E(relu(u.z) - relu(v.z))^2 for unit vectors u and v. In their plane z has mean
        squared length 2 and a uniform direction.
    """
    sp = need("sympy")

    t = sp.symbols("t", positive=True)
    a = sp.symbols("a", real=True)
    half = sp.pi / 2
    arcs = (
        (sp.cos(a), -half, t - half),
        (sp.cos(a) - sp.cos(a - t), t - half, half),
        (sp.cos(a - t), half, t + half),
    )
    total = sum(sp.integrate(sp.expand(sp.expand_trig(part**2)), (a, low, high)) for part, low, high in arcs)
    return sp.simplify(total / sp.pi)


@cache
def velocity_weights(rule: str, count: int) -> list[Any]:
    """Return the weights of similarities in the velocity: Taylor coefficients of the filter's generating function.

    Parameters
    ----------
    rule : {"paper", "released"}
        Which filter.
    count : int
        How many.

    Returns
    -------
    list of sympy.Expr
        Of ``mu``.
    """
    return _taylor(_transfer(rule), count)


@cache
def velocity_drift(rule: str) -> Any:
    """Return the limit of the velocity if phi changes by c in every epoch, by the final value theorem.

    Parameters
    ----------
    rule : {"paper", "released"}
        Which filter.

    Returns
    -------
    sympy.Expr
        Of ``mu`` and ``c``: phi = c z / (1 - z)^2, and the limit of (1 - z) V(z) for z -> 1.
    """
    sp = need("sympy")

    z, c = sp.symbols("z c")
    return sp.limit(sp.cancel((1 - z) * _transfer(rule) * c * z / (1 - z) ** 2), z, 1)


@cache
def turning_speed(rule: str, epoch: int) -> Any:
    """Return the velocity after some epochs if a unit turns by the same angle in each: phi drops once, by delta.

    Parameters
    ----------
    rule : {"paper", "released"}
        Which filter.
    epoch : int
        t, the first epoch is 0.

    Returns
    -------
    sympy.Expr
        Of ``mu`` and ``delta``: phi - 1 = -delta / (1 - z), times the generating function of the filter.
    """
    sp = need("sympy")

    z, delta = sp.symbols("z delta")
    return sp.factor(_taylor(sp.cancel(-delta / (1 - z) * _transfer(rule)), epoch + 1)[epoch])


@cache
def inverse_chi_square() -> Any:
    """Return E[1 / chi^2] for k > 2 degrees of freedom, by integrating over the density.

    Returns
    -------
    sympy.Expr
        Of ``k``.
    """
    sp = need("sympy")

    x, k, more = sp.symbols("x k more", positive=True)
    density = x ** (k / 2 - 1) * sp.exp(-x / 2) / (2 ** (k / 2) * sp.gamma(k / 2))
    # k = 2 + more, so that the integral converges for every positive symbol
    value = sp.integrate(sp.powsimp((density / x).subs(k, 2 + more)), (x, 0, sp.oo))
    return sp.simplify(sp.gammasimp(value)).subs(more, k - 2)


@cache
def ticket_error(many: bool) -> Any:
    """Return the expected error of a ticket over Gaussian inputs, derived from traces and chi-squares.

    Parameters
    ----------
    many : bool
        Whether there are more samples than weights in the mask.

    Returns
    -------
    sympy.Expr
        Of ``n``, ``m``, ``outside``, ``distance`` and ``variance`` (of the noise).

    Notes
    -----
    The distribution of a Gaussian matrix A (n x m) is invariant under rotations. So the projection onto its null space,
    of rank m - n for n < m, has mean (m - n) / m I. E|A^+ e|^2 for e ~ N(0, s I) is s times the expected trace of the
    inverse of the smaller of A'A and AA'. By symmetry this is a sum of equal terms, one per row, each the mean of 1 /
    |a|^2, where a is the part of a column (row) of A orthogonal to the others and |a|^2 is chi-square with |n - m| + 1
    degrees of freedom.
    """
    sp = need("sympy")

    n, m, outside, distance, variance, k = sp.symbols("n m outside distance variance k", positive=True)
    extra = outside + variance
    each = inverse_chi_square()
    if many:
        return outside + extra * m * each.subs(k, n - m + 1)
    return outside + (m - n) / m * distance + extra * n * each.subs(k, m - n + 1)


def _transfer(rule: str) -> Any:
    """Return V(z) / Phi(z), solved from the recursion, where z is a delay of one epoch."""
    sp = need("sympy")

    z, mu, V, Phi = sp.symbols("z mu V Phi")
    change = (1 - z) * Phi
    recursion = change - mu * z * V if rule == "paper" else mu * z * V - z * change + change
    (found,) = sp.solve(sp.Eq(V, recursion), V)
    return sp.factor(found / Phi)


def _taylor(quotient: Any, count: int) -> list[Any]:
    """Return Taylor coefficients of a quotient of polynomials of z, by long division."""
    sp = need("sympy")

    z = sp.symbols("z")
    above, below = (sp.Poly(part, z).all_coeffs()[::-1] for part in sp.fraction(sp.together(quotient)))
    found: list[Any] = []
    for power in range(count):
        rest = above[power] if power < len(above) else sp.Integer(0)
        for lag in range(1, min(power, len(below) - 1) + 1):
            rest -= below[lag] * found[power - lag]
        found.append(sp.expand(sp.cancel(rest / below[0])))
    return found
