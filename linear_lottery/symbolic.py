"""Independent SymPy derivations of gradient flow and least squares under masks.

Every function returns SymPy expressions in the symbols named in its docstring. They serve the tests, which compare them
with the numeric code at random rationals, and readers who want to see a formula derived. SymPy is imported when a
function is called. Results are cached: treat them as immutable.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from planted.base.extras import need

__all__ = [
    "equicorrelated_rows",
    "flow_mode",
    "flow_pair",
    "interlacing",
    "ranking_time",
    "removal",
    "segment_excess",
    "three_column_variances",
]


@cache
def flow_mode() -> Any:
    """Return one mode of gradient flow, solved from its differential equation.

    Returns
    -------
    sympy.Expr
        a(t) of ``lam``, ``b``, ``a0``, ``t``, from a' = -lam (a - b), a(0) = a0.
    """
    sp = need("sympy")

    lam, t = sp.symbols("lam t", positive=True)
    b, a0 = sp.symbols("b a0", real=True)
    a = sp.Function("a")
    return sp.dsolve(sp.Eq(a(t).diff(t), -lam * (a(t) - b)), a(t), ics={a(0): a0}).rhs


@cache
def flow_pair() -> Any:
    """Return gradient flow of two coupled weights, by the Laplace transform of its differential equation.

    Returns
    -------
    sympy.Matrix, shape (2, 1)
        w(t) of ``p``, ``q``, ``r`` (G = [[p, q], [q, r]]), ``h1``, ``h2`` (X'y / n), ``u1``, ``u2`` (the start), ``t``.

    Notes
    -----
    w' = h - G w becomes (z I + G) W = u + h / z. The residues of W exp(z t) at z = 0 and at z = -eigenvalue are summed.
    No decomposition of X and no pseudo-inverse is used.
    """
    sp = need("sympy")

    p, r, t = sp.symbols("p r t", positive=True)
    q, h1, h2, u1, u2, z = sp.symbols("q h1 h2 u1 u2 z", real=True)
    G, h, u = sp.Matrix([[p, q], [q, r]]), sp.Matrix([h1, h2]), sp.Matrix([u1, u2])
    numerator = (z * sp.eye(2) + G).adjugate() * (z * u + h)
    middle, root = (p + r) / 2, sp.sqrt((p - r) ** 2 / 4 + q**2)
    first, second = -middle + root, -middle - root
    at_zero = numerator.subs(z, 0) / (first * second)
    at_first = numerator.subs(z, first) * sp.exp(first * t) / (first * (first - second))
    at_second = numerator.subs(z, second) * sp.exp(second * t) / (second * (second - first))
    return sp.ImmutableMatrix(at_zero + at_first + at_second)


@cache
def interlacing() -> Any:
    """Return (largest - p) (p - smallest) for the eigenvalues of [[p, q], [q, r]], simplified (C4).

    Returns
    -------
    sympy.Expr
        Of ``p``, ``q``, ``r``: a square, so p, the Gram matrix of the pruned model, lies between the eigenvalues.
    """
    sp = need("sympy")

    p, q, r = sp.symbols("p q r", real=True)
    low, high = sp.Matrix([[p, q], [q, r]]).eigenvals(multiple=True)
    return sp.simplify(sp.expand((high - p) * (p - low)))


@cache
def segment_excess() -> Any:
    """Return how far a squared residual on a segment lies above the chord, from the loss itself (C5).

    Returns
    -------
    sympy.Expr
        Of ``s``, ``y`` and the predictions ``f`` and ``g`` at the ends: one sample, loss (prediction - y)^2 / 2.
    """
    sp = need("sympy")

    s, y, f, g = sp.symbols("s y f g", real=True)
    between = ((1 - s) * f + s * g - y) ** 2 / 2
    chord = (1 - s) * (f - y) ** 2 / 2 + s * (g - y) ** 2 / 2
    return sp.factor(sp.expand(between - chord))


@cache
def ranking_time() -> Any:
    """Return the time at which two weights are ranked in the worst case, from equality of their magnitudes (D2).

    Returns
    -------
    sympy.Expr
        Time of ``c``, ``e`` (limits, c > e > 0), ``u``, ``v`` (starts, against and with the limit) and ``lam``.
    """
    sp = need("sympy")

    c, e, u, v, lam, left = sp.symbols("c e u v lam left", positive=True)
    larger = left * (-u) + (1 - left) * c
    smaller = left * v + (1 - left) * e
    (decay,) = sp.solve(sp.Eq(larger, smaller), left)
    return -sp.log(sp.simplify(decay)) / lam


@cache
def removal(removed: tuple[int, ...]) -> dict[str, Any]:
    """Return the effect of removing weights on least squares with three weights, by elimination (C3, D12).

    Parameters
    ----------
    removed : tuple of int
        Which of 0, 1, 2 to remove; one or two of them.

    Returns
    -------
    dict
        ``increase``: increase of the residual sum of squares, b'K^-1 b minus the same on the remaining weights;
        ``saliency``: w_R' [(K^-1)_RR]^-1 w_R, which should be equal to it; ``weights``, ``downdated``: the remaining
        weights, by solving again and by downdating w = K^-1 b; ``inverse``, ``downdated_inverse``: the same for the
        inverse of K. Symbols: ``k00`` to ``k22`` (upper triangle of K = X'X) and ``b0``, ``b1``, ``b2`` (X'y).
    """
    sp = need("sympy")

    K = sp.Matrix(3, 3, lambda i, j: sp.Symbol(f"k{min(i, j)}{max(i, j)}", real=True))
    b = sp.Matrix([sp.Symbol(f"b{i}", real=True) for i in range(3)])
    gone, stay = list(removed), [i for i in range(3) if i not in removed]
    small = K.extract(stay, stay).adjugate() / K.extract(stay, stay).det()
    whole = K.adjugate() / K.det()
    w, weights = whole * b, small * b.extract(stay, [0])
    corner = whole.extract(gone, gone)
    back = corner.adjugate() / corner.det()
    return {
        "increase": (b.T * w)[0] - (b.extract(stay, [0]).T * weights)[0],
        "saliency": (w.extract(gone, [0]).T * back * w.extract(gone, [0]))[0],
        "weights": weights,
        "downdated": w.extract(stay, [0]) - whole.extract(stay, gone) * back * w.extract(gone, [0]),
        "inverse": small,
        "downdated_inverse": whole.extract(stay, stay) - whole.extract(stay, gone) * back * whole.extract(gone, stay),
    }


@cache
def equicorrelated_rows() -> dict[str, Any]:
    """Return weights and kappa for equal correlations, from linear equations for the inverse (D4, D8).

    Returns
    -------
    dict
        ``weight``: w_j of ``c`` (its own c_j), ``total`` (their sum), ``m`` and ``rho``; ``amplification``: the sum
        over the d - m pruned columns of the coefficient of one kept column, of ``d``, ``m``, ``rho``.

    Notes
    -----
    The inverse of (1 - rho) I + rho 11' is sought as alpha I + beta 11'; 11' 11' = m 11' gives two equations.
    """
    sp = need("sympy")

    alpha, beta, rho, m, d, c, total = sp.symbols("alpha beta rho m d c total", real=True)
    solved = sp.solve(
        [alpha * (1 - rho) - 1, alpha * rho + beta * (1 - rho) + beta * rho * m], [alpha, beta], dict=True
    )[0]
    one, both = solved[alpha], solved[beta]
    # a pruned column has scalar product rho with every kept one: its coefficients are those of c = rho (1, ..., 1)
    coefficient = sp.simplify(one * rho + both * m * rho)
    return {"weight": one * c + both * total, "amplification": (d - m) * coefficient}


@cache
def three_column_variances() -> Any:
    """Return the diagonal of the inverse of a correlation matrix of three columns, times its determinant (E7).

    Returns
    -------
    tuple of sympy.Expr
        Of the correlations ``a`` (columns 1, 2), ``b`` (1, 3), ``c`` (2, 3): equal only if the squares are.
    """
    sp = need("sympy")

    a, b, c = sp.symbols("a b c", real=True)
    gram = sp.Matrix([[1, a, b], [a, 1, c], [b, c, 1]])
    return tuple(sp.factor(sp.simplify(one * gram.det())) for one in gram.inv().diagonal())
