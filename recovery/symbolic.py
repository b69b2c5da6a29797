"""The population Gram matrix of gates and what follows from it, derived in SymPy by integrals over wedges.

The numeric code (:mod:`recovery.population`) uses a closed form; here nothing is taken from it. In the plane of two
generators a standard normal x has polar coordinates (r, phi) with density r exp(-r^2 / 2) / (2 pi), and a gate is a
range of phi. Every function returns SymPy expressions whose symbols carry the names in its docstring. They exist for
the tests, which compare them with the numeric code, and for readers who want to see a formula come out. SymPy is
imported when a function is called. Results are cached: treat them as immutable.
"""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = [
    "angle",
    "arc_cosine",
    "block_limits",
    "block_spectrum",
    "gate_block",
    "separation",
    "swap_form",
    "wedge",
]


@cache
def gate_block() -> Any:
    """Return E[1{h.x >= 0} 1{g.x >= 0} x x'], integrated in polar coordinates.

    Returns
    -------
    sympy.Matrix, shape (3, 3)
        Of ``theta``, the angle of h and g in (0, pi). Coordinates: along h; at a right angle to it in the plane, on the
        side of g; and one outside the plane.
    """
    import sympy as sp

    theta = angle()
    return sp.ImmutableMatrix(wedge(theta - sp.pi / 2, sp.pi / 2))


@cache
def swap_form() -> Any:
    """Return ((pi - theta) I + sin(theta) M) / (2 pi), with M solved from M h = g, M g = h and 0 outside the plane.

    Returns
    -------
    sympy.Matrix, shape (3, 3)
        Of ``theta``, in the coordinates of :func:`gate_block`.
    """
    import sympy as sp

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
        ``sum``: that of h + g (unit generators); ``difference``: that of h - g; ``outside``: those of directions
        outside the plane. Each is a Rayleigh quotient of :func:`gate_block`, of ``theta``.
    """
    import sympy as sp

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
    """Return what becomes of a block when the generators become parallel or opposite.

    Returns
    -------
    dict
        ``parallel`` and ``opposite``: the limits of :func:`gate_block`, matrices of shape (3, 3). ``outside``, ``sum``,
        ``difference``: leading terms of the eigenvalues in ``phi`` = pi - theta, for phi to 0.
    """
    import sympy as sp

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
    """Return the expected share of rows on which two gates differ, as the integral over two wedges.

    Returns
    -------
    sympy.Expr
        Of ``theta``.
    """
    import sympy as sp

    theta, phi, mass = angle(), sp.Symbol("phi", real=True), _moment(1)
    # h is open and g closed at angles of -pi/2 to theta - pi/2, and the other way round opposite to that
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
    import sympy as sp

    theta, phi, radial = angle(), sp.Symbol("phi", real=True), _moment(2 * order + 1)
    product = sp.expand_trig(sp.cos(phi - theta)) * sp.cos(phi)
    angular = sp.integrate(sp.expand(product**order), (phi, theta - sp.pi / 2, sp.pi / 2))
    return sp.simplify(2 * radial * angular)


def angle() -> Any:
    """Return the symbol ``theta`` of the angle between two generators."""
    import sympy as sp

    return sp.Symbol("theta", positive=True)


def wedge(start: Any, end: Any) -> Any:
    """Return E[x x'] over the rows whose projection on the plane lies in a range of angles.

    Parameters
    ----------
    start, end : sympy.Expr
        Ends of the range, measured from h towards g.

    Returns
    -------
    sympy.Matrix, shape (3, 3)
        In the coordinates of :func:`gate_block`.
    """
    import sympy as sp
    from sympy.simplify.fu import TR8

    phi = sp.Symbol("phi", real=True)
    c, s = sp.cos(phi), sp.sin(phi)
    plane = sp.Matrix([[c * c, c * s, 0], [c * s, s * s, 0], [0, 0, 0]])
    # products of two cosines as sums: the integral is then that of single terms
    inside = plane.applyfunc(lambda entry: _moment(3) * sp.integrate(TR8(entry), (phi, start, end)))
    inside[2, 2] = _moment(1) * (end - start)  # the coordinate outside the plane is independent and has variance 1
    return inside.applyfunc(lambda entry: sp.expand(sp.expand_trig(entry)))


@cache
def _moment(power: int) -> Any:
    """Return the integral of r^power exp(-r^2 / 2) / (2 pi) over r > 0."""
    import sympy as sp

    r = sp.Symbol("r", positive=True)
    return sp.integrate(r**power * sp.exp(-(r**2) / 2) / (2 * sp.pi), (r, 0, sp.oo))
