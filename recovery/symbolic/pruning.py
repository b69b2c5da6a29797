"""Statements about BINGO, NEq and ticket transfer, derived a second time in SymPy, from other starting points.

The numeric code is in :mod:`recovery.pruning.closed_forms`. Here averages come out of recurrences, expectations out
of sums over subsets, similarities out of integrals over arcs, filters out of generating functions, and the errors of
tickets out of the density of chi-square. Every function returns SymPy expressions whose symbols carry the names in
its docstring. They exist for the tests, which compare them with the numeric code, and for readers who want to see a
formula come out. SymPy is imported when a function is called. Results are cached: treat them as immutable.
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
    """Return printed + corrected score after N probes, solved from its recurrence u -> (u + 1) / 2.

    Returns
    -------
    sympy.Expr
        Of ``N`` and ``u0``, the sum of the two starts. The change of the accuracy cancels in the sum.
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
    """Return the variance of BINGO's average of N independent probes, from V -> V / 4 + variance / 4, V = 0 at first.

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
    """Return the effective sample size of BINGO's average: the N of a mean with the same variance for its bias.

    Returns
    -------
    sympy.Expr
        Of ``N``: the square of the share of the probes, from E -> E / 2 + 1 / 2, over the variance for sigma = 1.
    """
    sp = need("sympy")

    N = sp.symbols("N", integer=True, nonnegative=True)
    variance = sp.symbols("variance", positive=True)
    share = sp.Function("share")
    mean = sp.rsolve(sp.Eq(share(N + 1), share(N) / 2 + sp.Rational(1, 2)), share(N), {share(0): 0})
    return sp.factor(sp.simplify(mean**2 / average_variance().subs(variance, 1)))


@cache
def coalition_shares() -> tuple[Any, Any]:
    """Return how likely one other weight, and two others, are in a subset that holds a given one, by counting subsets.

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
    """Return the mean change of a quadratic loss over all subsets that hold weight j, term by term.

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
        Of ``t``, the angle in (0, pi): E(relu(u.z) - relu(v.z))^2 for unit vectors u and v. The length of z squared has
        mean 2 in their plane, and its direction is uniform.
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
    """Return the limit of the velocity where phi changes by c in every epoch, by the final value theorem.

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
    """Return the velocity after some epochs of a unit that turns by the same angle in each: phi falls once, by delta.

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
    """Return E[1 / chi^2] with k > 2 degrees of freedom, integrated over its density.

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
    """Return the expected error of a ticket over Gaussian inputs, put together from traces and chi-squares.

    Parameters
    ----------
    many : bool
        More samples than weights in the mask, or fewer.

    Returns
    -------
    sympy.Expr
        Of ``n``, ``m``, ``outside``, ``distance`` and ``variance`` (of the noise).

    Notes
    -----
    A Gaussian matrix A (n x m) is as likely as its product with a rotation. So the projection on its null space, of
    rank m - n for n < m, has the mean (m - n) / m I. E|A^+ e|^2 for e ~ N(0, s I) is s times the trace of the inverse
    of the smaller of A'A and AA': by symmetry as many equal terms as it has rows, and each is 1 / |a|^2 of what is
    left of a column (row) of A beside the others, a chi-square with |n - m| + 1 degrees of freedom.
    """
    sp = need("sympy")

    n, m, outside, distance, variance, k = sp.symbols("n m outside distance variance k", positive=True)
    extra = outside + variance
    each = inverse_chi_square()
    if many:
        return outside + extra * m * each.subs(k, n - m + 1)
    return outside + (m - n) / m * distance + extra * n * each.subs(k, m - n + 1)


def _transfer(rule: str) -> Any:
    """Return V(z) / Phi(z), solved from the recursion: z is a delay by one epoch."""
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
