"""Check a certificate from its file alone, by exact arithmetic with integers and fractions.

It uses the standard library only and nothing of what makes certificates, so that a sceptic need read this file alone:
``python -I recovery/certificates/checker.py FILE`` runs without NumPy. Why each rule proves its claim is in
docs/certificates.md. Whatever is malformed, or would take hours, proves nothing.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import comb, lcm
from typing import Any

__all__ = ["Report", "check_file", "check_text"]

LONGEST_TEXT, LONGEST_NUMBER = 100_000_000, 4000  # characters
MOST_BITS, MOST_WORK = 2**18, 10**15  # of a number; steps times squared bits, about 10 minutes
NUMBER = re.compile(r"-?[0-9]+(/[0-9]*[1-9][0-9]*)?")
Matrix = list[list[Fraction]]
HALF = Fraction(1, 2)


class Refused(Exception):
    """Why a certificate is not valid."""


@dataclass(frozen=True)
class Report:
    """Whether a certificate is valid, its kind, the statement that it proves, and the reason if it proves none."""

    valid: bool
    kind: str
    statement: str
    reason: str


def check_file(path: str | os.PathLike[str]) -> Report:
    """Check the certificate in a file; a file that cannot be read raises OSError."""
    with open(path, "rb") as file:
        content = file.read(LONGEST_TEXT + 1)
    return check_text(content.decode("utf-8", errors="replace"))


def check_text(text: str) -> Report:
    """Check a certificate given as JSON text."""
    kind = "unknown"
    try:
        _need(
            isinstance(text, str) and len(text) <= LONGEST_TEXT, f"it is no text of at most {LONGEST_TEXT} characters"
        )
        content = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant)
        _keys(content, "the certificate", ("format", "version", "kind", "claim", "data", "proof"), ("made_by",))
        _need(content["format"] == "recovery-certificate", "format is not 'recovery-certificate'")
        _need(type(content["version"]) is int and content["version"] == 1, "version is not 1")
        _need(isinstance(content["kind"], str) and content["kind"] in RULES, f"kind is none of {', '.join(RULES)}")
        kind = content["kind"]
        parts = [content[part] for part in ("claim", "data", "proof")]
        _need(all(isinstance(part, dict) for part in parts), "claim, data and proof are not all objects")
        statement = RULES[kind](kind, *parts)
    except Refused as error:
        return Report(False, kind, "", str(error))
    except Exception as error:  # no JSON, integers of thousands of digits, nesting without end: nothing is proved
        return Report(False, kind, "", f"it cannot be read: {type(error).__name__}: {error}"[:300])
    return Report(True, kind, statement, "every step was checked in exact arithmetic")


# ---- the claims, and what proves them ---------------------------------------------------------------------------


def _eigenvalue(kind: str, claim: dict, data: dict, proof: dict) -> str:
    """Check that x'G x <= (or >=) bound x'x for all x with at most s non-zeros, or (witness) that some x reaches it."""
    _keys(claim, "claim", ("s", "bound"))
    G, s, bound = _gram(data), claim["s"], _number(claim["bound"])
    largest, witness = kind.startswith("largest"), kind.endswith("witness")
    _check_bound(G, s, bound, proof, largest, witness)
    square, relation = "|A x|^2" if "A" in data else "x'G x", "<=" if largest != witness else ">="
    who = "some x other than 0" if witness else "every x"
    return f"{who} with at most {s} non-zeros has {square} {relation} {_show(bound)} |x|^2, for {_name(data)}"


def _isometry(kind: str, claim: dict, data: dict, proof: dict) -> str:
    """Check on which side of a threshold a number made of the extreme eigenvalues is, from a bound of each."""
    _keys(claim, "claim", ("s", "quantity", "relation", "threshold", "power"))
    _keys(data, "data", ("A",))
    quantity, relation, power, s = claim["quantity"], claim["relation"], claim["power"], claim["s"]
    _need(quantity in ("kappa", "delta_scaled", "delta_raw"), "quantity is not known")
    _need(relation in ("<", "<=", ">", ">="), "relation is not known")
    _need(type(power) is int and power in (1, 2), "power is neither 1 nor 2")
    threshold, below, G = _number(claim["threshold"]), "<" in relation, _gram(data)
    bounds = {}
    for side in ("largest", "smallest"):
        part = proof.get(side, {})
        _need(isinstance(part, dict), f"the part {side!r} of the proof is no object")
        bounds[side] = _number(part.get("bound"))
        _check_bound(G, s, bounds[side], part, side == "largest", not below)
    high, low = bounds["largest"], bounds["smallest"]
    if quantity == "delta_raw":
        value = max(1 - low, high - 1)
    else:  # these grow with the largest and fall with the smallest eigenvalue, where both are above 0
        _need(low > 0 if below else high > 0, "the bounds do not keep an eigenvalue from 0")
        if quantity == "delta_scaled":
            value = (high - low) / (high + low)
        else:  # dependent columns: larger than any threshold
            value = high / low if low > 0 else abs(threshold) + 1
    value = max(value, Fraction(0)) ** power
    beyond = {"<": value < threshold, "<=": value <= threshold, ">": value > threshold, ">=": value >= threshold}
    _need(beyond[relation], f"the two bounds give {_show(value)}, which is not {relation} the threshold")
    return f"{quantity}{'^2' * (power - 1)} of order {s} is {relation} {_show(threshold)}, for {_name(data)}"


def _check_bound(G: Matrix, s: Any, bound: Fraction, proof: dict, largest: bool, witness: bool) -> None:
    """Check a bound of an extreme eigenvalue; `witness`: that a vector reaches it, else that none goes beyond."""
    method, sign, size = proof.get("method"), 1 if largest else -1, len(G)
    _need(type(s) is int and 1 <= s <= size, f"s is no integer from 1 to {size}")
    _need(method in (("witness",) if witness else ("dual", "enumeration")), "the method of proof does not fit")
    if method == "witness":
        support = _indices(proof.get("support"), size)
        x = _vector(proof.get("vector"), len(support))
        _need(len(support) <= s and any(x), "the witness is 0 or has more than s entries")
        value = sum(G[i][j] * x[a] * x[b] for a, i in enumerate(support) for b, j in enumerate(support))
        _need(sign * (value - bound * sum(one * one for one in x)) >= 0, "the witness does not reach the bound")
        return
    if method == "dual":  # x'G x = x'(G + U) x - x'U x, and |x'U x| <= s max|U| x'x
        U = _matrix(proof.get("U"), size, size)
        _need(U == _transposed(U), "U is not symmetric")
        bound -= sign * s * max(abs(u) for row in U for u in row)
        G = [[g + u for g, u in zip(*rows, strict=True)] for rows in zip(G, U, strict=True)]
    else:  # blocks of s columns have the extremes of all smaller ones
        size = s
    M = _integers([[sign * ((bound if i == j else 0) - g) for j, g in enumerate(row)] for i, row in enumerate(G)])[0]
    _afford(comb(len(G), size) * size**3, size * _bits(M))
    for chosen in combinations(range(len(G)), size):
        positive = _semidefinite([[M[i][j] for j in chosen] for i in chosen])
        _need(positive, f"the bound does not follow by {method}: a matrix has a negative eigenvalue")


def _null_space(kind: str, claim: dict, data: dict, proof: dict) -> str:
    """Check a bound of alpha_s, the largest share of |z|_1 that s entries of a z with A z = 0 hold, or an example."""
    _keys(claim, "claim", ("s", "bound"))
    _keys(data, "data", ("A",))
    A, s, bound = _matrix(data["A"]), claim["s"], _number(claim["bound"])
    n, N = len(A), len(A[0])
    _need(type(s) is int and 1 <= s <= N, f"s is no integer from 1 to {N}")
    if kind == "null-space-witness":
        z = _vector(proof.get("vector"), N)
        _need(any(z) and not any(_products([z], A)[0]), "the vector is 0, or A times the vector is not")
        sizes = sorted(map(abs, z), reverse=True)
        _need(sum(sizes[:s]) >= bound * sum(sizes), "the witness does not reach the bound")
        so = f"; so least l1 norm fails for some x with at most {s} non-zeros" if bound >= HALF else ""
        some = f"some z other than 0 with A z = 0 has {_show(bound)} or more of |z|_1 on {s} entries"
        return f"{some}{so}, for {_name(data)}"
    _need(proof.get("method") == "juditsky-nemirovski", "the method of proof is not known")
    products = _products(_transposed(A), _transposed(_matrix(proof.get("Y"), n, N)))
    for j, column in enumerate(products):  # z = (I - Y'A) z: s entries of z hold at most those of a column
        sizes = sorted((abs((i == j) - one) for i, one in enumerate(column)), reverse=True)
        _need(sum(sizes[:s]) <= bound, f"{s} entries of column {j} of I - Y'A add up to more than the bound")
    so = f"; so least l1 norm recovers every x with at most {s} non-zeros" if bound < HALF else ""
    return f"every z with A z = 0 has at most {_show(bound)} of |z|_1 on any {s} entries{so}, for {_name(data)}"


def _l1_dual(kind: str, claim: dict, data: dict, proof: dict) -> str:
    """Check A_S'q = signs, |a_j'q| < 1 off S, and independent columns on S."""
    _keys(claim, "claim", ("support", "signs"))
    _keys(data, "data", ("A",))
    A, signs = _matrix(data["A"]), claim["signs"]
    support = _indices(claim["support"], len(A[0]))
    right = isinstance(signs, list) and all(type(one) is int and one in (1, -1) for one in signs)
    _need(right and len(signs) == len(support), "signs are not 1 or -1 for each index of the support")
    wanted = dict(zip(support, signs, strict=True))
    for j, value in enumerate(_products([_vector(proof.get("q"), len(A))], _transposed(A))[0]):
        right = value == wanted[j] if j in wanted else abs(value) < 1
        _need(right, f"a_{j}'q is not {'the sign of entry' if j in wanted else 'between -1 and 1, for index'} {j}")
    if support:
        columns = [[row[i] for row in A] for i in support]
        gram = _integers(_products(columns, columns))[0]
        _afford(len(gram) ** 3, len(gram) * _bits(gram))
        _need(_semidefinite(gram, strictly=True), "the columns of the support are dependent")
    places = ", ".join(f"{'+' if wanted[i] > 0 else '-'}{i}" for i in sorted(wanted))
    return f"every x with the signed support [{places}] is the only minimiser of |x|_1 given A x, for {_name(data)}"


# ---- exact arithmetic -------------------------------------------------------------------------------------------


def _semidefinite(M: list[list[int]], strictly: bool = False) -> bool:
    """Say if all pivots of a symmetric matrix, overwritten by Bareiss' elimination, are >= 0 (strictly: > 0)."""
    last = 1
    for k, row in enumerate(M):
        pivot = row[k]
        if pivot < 0 or (pivot == 0 and (strictly or any(row[k + 1 :]))):
            return False  # with a pivot 0 and another entry in its row, x'M x takes both signs
        if pivot == 0:
            continue
        for i in range(k + 1, len(M)):
            factor, target = row[i], M[i]
            for j in range(i, len(M)):
                target[j] = (pivot * target[j] - factor * row[j]) // last  # without remainder
        last = pivot
    return True


def _integers(M: Matrix) -> tuple[list[list[int]], int]:
    """Return M times its common denominator, and that."""
    common = 1
    for denominator in {one.denominator for row in M for one in row}:
        common = lcm(common, denominator)
        _afford(1, common.bit_length())
    return [[one.numerator * (common // one.denominator) for one in row] for row in M], common


def _products(left: Matrix, right: Matrix) -> Matrix:
    """Return the inner products of the rows of `left` with the rows of `right`."""
    (a, scale), (b, other) = _integers(left), _integers(right)
    _afford(len(a) * len(b) * len(a[0]), max(_bits(a), _bits(b)))
    return [[Fraction(sum(map(int.__mul__, x, y)), scale * other) for y in b] for x in a]


def _transposed(M: Matrix) -> Matrix:
    return [list(column) for column in zip(*M, strict=True)]


def _bits(M: list[list[int]]) -> int:
    return max(abs(one).bit_length() for row in M for one in row)


def _afford(steps: int, bits: int) -> None:
    _need(bits <= MOST_BITS and steps * max(bits, 1000) ** 2 <= MOST_WORK, "the arithmetic would take too long")


def _gram(data: dict) -> Matrix:
    """Return A'A of the data, or the symmetric G given in its place."""
    _keys(data, "data", ("G",) if "G" in data else ("A",))
    if "A" in data:
        columns = _transposed(_matrix(data["A"]))
        return _products(columns, columns)
    G = _matrix(data["G"])
    _need(G == _transposed(G), "G is not symmetric")
    return G


# ---- reading ----------------------------------------------------------------------------------------------------


def _need(fact: Any, sentence: str) -> None:
    if not fact:
        raise Refused(sentence)


def _once(pairs: list[tuple[str, Any]]) -> dict:
    _need(len(dict(pairs)) == len(pairs), "a key occurs twice in one object")
    return dict(pairs)


def _refuse_constant(name: str) -> None:
    raise Refused(f"{name} is no number")


def _keys(part: Any, name: str, wanted: tuple, optional: tuple = ()) -> None:
    fits = isinstance(part, dict) and set(wanted) <= set(part) <= {*wanted, *optional}
    _need(fits, f"{name} is no object with exactly the keys {', '.join(wanted)}")


def _number(text: Any) -> Fraction:
    fits = isinstance(text, str) and len(text) <= LONGEST_NUMBER and NUMBER.fullmatch(text)
    _need(fits, f"a number is missing or no string 'p' or 'p/q' of at most {LONGEST_NUMBER} characters")
    return Fraction(text)


def _vector(part: Any, length: int) -> list[Fraction]:
    _need(isinstance(part, list) and len(part) == length, f"a vector or row is no list of {length} numbers")
    return [_number(one) for one in part]


def _matrix(part: Any, rows: int | None = None, columns: int | None = None) -> Matrix:
    fits = isinstance(part, list) and part and isinstance(part[0], list) and part[0]
    _need(fits and rows in (None, len(part)), "a matrix is no list of as many rows as expected")
    return [_vector(row, columns or len(part[0])) for row in part]


def _indices(part: Any, N: int) -> list[int]:
    fits = isinstance(part, list) and all(type(one) is int and 0 <= one < N for one in part)
    _need(fits and len(set(part)) == len(part), f"a support is no list of distinct integers from 0 to {N - 1}")
    return part


def _name(data: dict) -> str:
    name = "A" if "A" in data else "G"
    return f"the {len(data[name])} x {len(data[name][0])} matrix {name} of the file"


def _show(value: Fraction) -> str:
    if max(abs(value.numerator), value.denominator) < 10**12:
        return str(value)
    return f"{float(value):.12g}... (in full in the file)" if abs(value) < 10**300 else "a huge number"


RULES = {
    "largest-eigenvalue": _eigenvalue,
    "smallest-eigenvalue": _eigenvalue,
    "largest-eigenvalue-witness": _eigenvalue,
    "smallest-eigenvalue-witness": _eigenvalue,
    "isometry": _isometry,
    "null-space": _null_space,
    "null-space-witness": _null_space,
    "l1-dual": _l1_dual,
}

if __name__ == "__main__":
    for name in sys.argv[1:]:
        found = check_file(name)
        print(f"{name}: {'verified: ' + found.statement if found.valid else 'NOT verified: ' + found.reason}")
