"""Small families of gates whose population Gram matrix has its spectrum in closed form, derived in SymPy.

The blocks are integrals over wedges (:func:`recovery.symbolic.wedge`), each over its own; nothing is taken from the
numeric code. Symbols are named in the docstrings. SymPy is imported when a function is called. Results are cached:
treat them as immutable.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from recovery.symbolic import angle, block_spectrum, gate_block, wedge

__all__ = [
    "complement_pairs",
    "one_feature",
    "one_feature_equal_angles",
    "one_gate_a_pair",
    "two_gates",
]


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
    import sympy as sp

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
    """Return the eigenvalues of one feature behind s gates at equal angles, for a feature outside their span.

    Parameters
    ----------
    s : int
        Number of gates, at least 2.

    Returns
    -------
    dict
        Eigenvalue, of ``theta``, to multiplicity. The two are m_s and L_s of such a family: blocks with equal diagonal
        and equal positive entries beside it are extreme at full size.
    """
    import sympy as sp

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
    import sympy as sp

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
    import sympy as sp

    theta, right = angle(), sp.pi / 2
    none = sp.zeros(3, 3)
    alone = {  # each gate with itself: half a turn around its generator
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
        Of ``theta``: positive inside (0, pi), so that one gate a pair and an ungated block lose no rank.

    Notes
    -----
    The ungated block is eliminated. What is left, [[I/2, B], [B, I/2]] less 1/4 in all four places, has the eigenvalues
    b and 1/2 - b for each eigenvalue b of B, on differences and sums of the two gates.
    """
    import sympy as sp

    alone, whole = wedge(-sp.pi / 2, sp.pi / 2), wedge(0, 2 * sp.pi)
    taken = alone * whole.inv() * alone  # I / 4
    determinant = whole.det()
    for name, b in block_spectrum().items():
        corner = {"sum": 0, "difference": 1, "outside": 2}[name]
        own, other = alone[corner, corner] - taken[corner, corner], b - taken[corner, corner]
        determinant *= (own - other) * (own + other)
    return sp.factor(determinant)
