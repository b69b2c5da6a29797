"""SymPy derivation, by integrals over wedges, of the population Gram matrix of gates and its consequences.

The numeric code (:mod:`recovery.conditions.population`) uses a closed form; this module does not rely on it. In the
plane of two generators a standard normal x has polar coordinates (r, phi) with density r exp(-r^2 / 2) / (2 pi), and a
gate is a range of phi. Every function returns SymPy expressions in the symbols named in its docstring. They serve the
tests, which compare them with the numeric code, and readers who want to see a formula derived. SymPy is imported when a
function is called. Results are cached: treat them as immutable.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from planted.base.extras import need

__all__ = [
    "angle",
    "arc_cosine",
    "block_limits",
    "block_spectrum",
    "complement_pairs",
    "gate_block",
    "one_feature",
    "one_feature_equal_angles",
    "one_gate_a_pair",
    "separation",
    "swap_form",
    "two_gates",
    "wedge",
]


@cache
def gate_block() -> Any:
    """Return E[1{h.x >= 0} 1{g.x >= 0} x x'], integrated in polar coordinates.

    Returns
    -------
    sympy.Matrix, shape (3, 3)
        A function of ``theta``, the angle between h and g, in (0, pi). Coordinates: along h; perpendicular to h within
        the plane, towards g; and one outside the plane.
    """
    sp = need("sympy")

    theta = angle()
    return sp.ImmutableMatrix(wedge(theta - sp.pi / 2, sp.pi / 2))


@cache
def swap_form() -> Any:
    """Return ((pi - theta) I + sin(theta) M) / (2 pi), with M solved from M h = g, M g = h and 0 outside the plane.

    Returns
    -------
    sympy.Matrix, shape (3, 3)
        A function of ``theta``, in the coordinates of :func:`gate_block`.
    """
    sp = need("sympy")

    theta = angle()
    a, b, c = sp.symbols("a b c")
    M = sp.Matrix([[a, b, 0], [b, c, 0], [0, 0, 0]])
    h, g = sp.Matrix([1, 0, 0]), sp.Matrix([sp.cos(theta), sp.sin(theta), 0])
    (solved,) = sp.solve([*(M * h - g)[:2], (M * g - h)[1]], [a, b, c], dict=True)
    M = M.subs(solved)
    if (M * g - h).applyfunc(sp.simplify) != sp.zeros(3, 1):
        raise ArithmeticError("no symmetric M swaps h and g")
    form = (sp.pi - theta) * sp.eye(3) + sp.sin(theta) * M
    return sp.ImmutableMatrix((form / (2 * sp.pi)).applyfunc(sp.simplify))


@cache
def block_spectrum() -> Any:
    """Return the eigenvalues of a block.

    Returns
    -------
    dict
        Functions of ``theta``, each a Rayleigh quotient of :func:`gate_block`. ``sum``: the eigenvalue for h + g (unit
        generators); ``difference``: for h - g; ``outside``: for directions outside the plane.
    """
    sp = need("sympy")

    theta, block = angle(), gate_block()
    half = theta / 2
    directions = {
        "sum": sp.Matrix([sp.cos(half), sp.sin(half), 0]),
        "difference": sp.Matrix([sp.sin(half), -sp.cos(half), 0]),
        "outside": sp.Matrix([0, 0, 1]),
    }
    return {name: sp.simplify((v.T * block * v)[0]) for name, v in directions.items()}


@cache
def block_limits() -> Any:
    """Return the limits of a block as the generators become parallel or opposite.

    Returns
    -------
    dict
        ``parallel`` and ``opposite``: the limits of :func:`gate_block`, matrices of shape (3, 3). ``outside``, ``sum``,
        ``difference``: leading terms of the eigenvalues in ``phi`` = pi - theta, as phi tends to 0.
    """
    sp = need("sympy")

    theta, phi = angle(), sp.Symbol("phi", positive=True)
    block = gate_block()
    found = {
        "parallel": sp.ImmutableMatrix(block.applyfunc(lambda entry: sp.limit(entry, theta, 0))),
        "opposite": sp.ImmutableMatrix(block.applyfunc(lambda entry: sp.limit(entry, theta, sp.pi))),
    }
    for name, value in block_spectrum().items():
        found[name] = sp.series(value.subs(theta, sp.pi - phi), phi, 0, 5).removeO().as_leading_term(phi)
    return found


@cache
def separation() -> Any:
    """Return the expected fraction of rows on which two gates differ, as an integral over two wedges.

    Returns
    -------
    sympy.Expr
        Of ``theta``.
    """
    sp = need("sympy")

    theta, phi, mass = angle(), sp.Symbol("phi", real=True), _moment(1)
    # h is open and g closed at angles from -pi/2 to theta - pi/2, and vice versa in the opposite wedge
    only_h = sp.integrate(mass, (phi, -sp.pi / 2, theta - sp.pi / 2))
    only_g = sp.integrate(mass, (phi, sp.pi / 2, theta + sp.pi / 2))
    return sp.simplify(only_h + only_g)


@cache
def arc_cosine(order: int) -> Any:
    """Return the arc-cosine kernel of unit vectors, 2 E[1{h.x >= 0} 1{g.x >= 0} (h.x)^order (g.x)^order].

    Parameters
    ----------
    order : int
        0, 1, 2, ...

    Returns
    -------
    sympy.Expr
        Of ``theta``.
    """
    sp = need("sympy")

    theta, phi, radial = angle(), sp.Symbol("phi", real=True), _moment(2 * order + 1)
    product = sp.expand_trig(sp.cos(phi - theta)) * sp.cos(phi)
    angular = sp.integrate(sp.expand(product**order), (phi, theta - sp.pi / 2, sp.pi / 2))
    return sp.simplify(2 * radial * angular)


def angle() -> Any:
    """Return the symbol ``theta`` of the angle between two generators."""
    sp = need("sympy")

    return sp.Symbol("theta", positive=True)


def wedge(start: Any, end: Any) -> Any:
    """Return E[x x'] over the rows whose projection onto the plane lies in a range of angles.

    Parameters
    ----------
    start, end : sympy.Expr
        Ends of the range, measured from h towards g.

    Returns
    -------
    sympy.Matrix, shape (3, 3)
        In the coordinates of :func:`gate_block`.
    """
    sp = need("sympy")
    TR8 = need("sympy.simplify.fu").TR8

    phi = sp.Symbol("phi", real=True)
    c, s = sp.cos(phi), sp.sin(phi)
    plane = sp.Matrix([[c * c, c * s, 0], [c * s, s * s, 0], [0, 0, 0]])
    # write products of two cosines as sums, so that single terms are integrated
    inside = plane.applyfunc(lambda entry: _moment(3) * sp.integrate(TR8(entry), (phi, start, end)))
    inside[2, 2] = _moment(1) * (end - start)  # the coordinate outside the plane is independent and has variance 1
    return inside.applyfunc(lambda entry: sp.expand(sp.expand_trig(entry)))


@cache
def _moment(power: int) -> Any:
    """Return the integral of r^power exp(-r^2 / 2) / (2 pi) over r > 0."""
    sp = need("sympy")

    r = sp.Symbol("r", positive=True)
    return sp.integrate(r**power * sp.exp(-(r**2) / 2) / (2 * sp.pi), (r, 0, sp.oo))


@cache
def one_feature() -> Any:
    """Return the correlation of one feature behind two gates, for a feature direction in their plane.

    Returns
    -------
    dict
        ``entry``: e'B e with B the block of the two gates and e at the angle ``alpha`` from h, so that the two columns
        have the Gram matrix [[1/2, entry], [entry, 1/2]]; ``smallest``, ``largest``: its eigenvalues m_2 and L_2;
        ``mean``: the entry averaged over all directions of the plane.
    """
    sp = need("sympy")

    alpha = sp.Symbol("alpha", real=True)
    e = sp.Matrix([sp.cos(alpha), sp.sin(alpha), 0])
    entry = sp.simplify((e.T * gate_block() * e)[0])
    half = sp.Rational(1, 2)
    first, second = sp.Matrix([[half, entry], [entry, half]]).eigenvals(multiple=True)
    low, high = (first, second) if sp.simplify(first + entry - half) == 0 else (second, first)  # the entry is positive
    mean = sp.simplify(sp.integrate(sp.expand(entry), (alpha, 0, 2 * sp.pi)) / (2 * sp.pi))
    return {"entry": entry, "smallest": low, "largest": high, "mean": mean}


@cache
def one_feature_equal_angles(s: int) -> Any:
    """Return the eigenvalues for one feature behind s gates at equal angles, if the feature is outside their span.

    Parameters
    ----------
    s : int
        Number of gates, at least 2.

    Returns
    -------
    dict
        Maps each eigenvalue, a function of ``theta``, to its multiplicity. The two are m_s and L_s of such a family:
        for matrices with equal diagonal and equal positive off-diagonal entries the full matrix is extreme.
    """
    sp = need("sympy")

    entry = block_spectrum()["outside"]
    gram = sp.Matrix(s, s, lambda i, j: sp.Rational(1, 2) if i == j else entry)
    return {sp.simplify(value): count for value, count in gram.eigenvals().items()}


@cache
def two_gates() -> Any:
    """Return the Gram matrix of two gates and three features, and its eigenvalues.

    Returns
    -------
    dict
        ``gram``: [[I/2, B], [B, I/2]] with B the block of the two gates, shape (6, 6); ``eigenvalues``: the six of
        them, the smallest first and the largest last, for vectors (v, -v) and (v, v); ``residual``: the entries of
        G z - value z, which are 0. All of ``theta``.
    """
    sp = need("sympy")

    theta, block = angle(), gate_block()
    alone = wedge(-sp.pi / 2, sp.pi / 2)
    gram = sp.Matrix(sp.BlockMatrix([[alone, block], [block, alone]]).as_explicit())
    half = theta / 2
    vectors = [
        sp.Matrix([sp.cos(half), sp.sin(half), 0]),
        sp.Matrix([0, 0, 1]),
        sp.Matrix([sp.sin(half), -sp.cos(half), 0]),
    ]
    spectrum = block_spectrum()
    parts = [spectrum["sum"], spectrum["outside"], spectrum["difference"]]
    signed = [(-1, part, v) for part, v in zip(parts, vectors, strict=True)]
    signed += [(1, part, v) for part, v in zip(parts[::-1], vectors[::-1], strict=True)]
    values: list[Any] = []
    residual: list[Any] = []
    for sign, part, v in signed:
        values.append(sp.Rational(1, 2) + sign * part)
        z = sp.Matrix([*v, *(sign * v)])
        residual.extend(sp.expand(one.rewrite(sp.exp)) for one in gram * z - values[-1] * z)
    return {"gram": sp.ImmutableMatrix(gram), "eigenvalues": values, "residual": residual}


@cache
def complement_pairs() -> Any:
    """Return the Gram matrix of two complementary pairs of gates, h, -h, g, -g, and three features.

    Returns
    -------
    sympy.Matrix, shape (12, 12)
        Of ``theta``; each of the ten blocks is integrated over its own wedge. Its null space is spanned by
        (v, v, -v, -v).
    """
    sp = need("sympy")

    theta, right = angle(), sp.pi / 2
    none = sp.zeros(3, 3)
    alone = {  # each gate with itself: a half-plane around its generator
        name: wedge(middle - right, middle + right)
        for name, middle in {"h": 0, "-h": sp.pi, "g": theta, "-g": theta + sp.pi}.items()
    }
    blocks = {
        ("h", "-h"): none,
        ("g", "-g"): none,
        ("h", "g"): wedge(theta - right, right),
        ("h", "-g"): wedge(-right, theta - right),
        ("-h", "g"): wedge(right, theta + right),
        ("-h", "-g"): wedge(theta + right, 3 * right),
    }
    order = ("h", "-h", "g", "-g")
    rows = [
        [alone[j] if j == k else blocks.get((j, k), blocks.get((k, j))) for k in order] for j in order
    ]  # blocks are symmetric
    return sp.ImmutableMatrix(sp.BlockMatrix(rows).as_explicit())


@cache
def one_gate_a_pair() -> Any:
    """Return the determinant of the Gram matrix of the gates h and g and one ungated block, with three features.

    Returns
    -------
    sympy.Expr
        Of ``theta``: positive inside (0, pi), so one gate per pair plus an ungated block lose no rank.

    Notes
    -----
    The ungated block is eliminated. The remaining matrix, [[I/2, B], [B, I/2]] minus I/4 in all four blocks, has the
    eigenvalues b and 1/2 - b for each eigenvalue b of B, on sums and differences of the two gates.
    """
    sp = need("sympy")

    alone, whole = wedge(-sp.pi / 2, sp.pi / 2), wedge(0, 2 * sp.pi)
    taken = alone * whole.inv() * alone  # I / 4
    determinant = whole.det()
    for name, b in block_spectrum().items():
        corner = {"sum": 0, "difference": 1, "outside": 2}[name]
        own, other = alone[corner, corner] - taken[corner, corner], b - taken[corner, corner]
        determinant *= (own - other) * (own + other)
    return sp.factor(determinant)
