"""Check a certificate from its file alone, in exact integer arithmetic.

It uses only the standard library and none of the code that makes certificates, so a sceptic needs to read this file
only: ``python -I recovery/certificates/checker.py FILE`` runs without NumPy. Why each rule proves its claim is in
docs/appendix/certificates.md. A file that is malformed, or would take more time or memory than allowed, proves
nothing; the cost is estimated before the work begins.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from itertools import combinations
from math import ceil, comb, gcd, inf, isqrt, lcm, ldexp, lgamma
from typing import Any

__all__ = ["GIGABYTES", "SECONDS", "Report", "check_file", "check_text"]

SECONDS, GIGABYTES = 120.0, 2.0
"""Default limits of a check."""
LONGEST_TEXT, LONGEST_NUMBER = 200_000_000, 4000  # characters
NUMBER = re.compile(r"-?[0-9]+(/[0-9]*[1-9][0-9]*)?")
Integers = list[list[int]]


class Refused(Exception):
    """Raised with the reason why a certificate is not valid."""


@dataclass(frozen=True)
class Report:
    """Whether a certificate is valid, its kind, the statement that it proves, and the reason if it proves nothing.

    `seconds` and `gigabytes` are the estimated cost of the check, as far as it was planned.
    """

    valid: bool
    kind: str
    statement: str
    reason: str
    seconds: float = 0.0
    gigabytes: float = 0.0


def check_file(
    path: str | os.PathLike[str],
    seconds: float = SECONDS,
    gigabytes: float = GIGABYTES,
    data: str | os.PathLike[str] | None = None,
) -> Report:
    """Check the certificate in a file; raises OSError if the file cannot be read.

    Data not contained in it are read from the file `data`, or from the file next to it with the same name and the
    ending .npy.
    """
    with open(path, "rb") as file:
        content = file.read(LONGEST_TEXT + 1)
    beside = os.path.splitext(os.fspath(path))[0] + ".npy"
    return check_text(content.decode("utf-8", errors="replace"), seconds, gigabytes, data or beside)


def check_text(
    text: str,
    seconds: float = SECONDS,
    gigabytes: float = GIGABYTES,
    data: str | os.PathLike[str] | bytes | None = None,
) -> Report:
    """Check a certificate given as JSON text, provided the check is expected to stay within the limits.

    `data` is the .npy file, or the bytes, of numbers of which the certificate stores only the hash.
    """
    kind, budget = "unknown", Budget(seconds, gigabytes)
    valid, statement, reason = False, "", ""
    try:
        _need(
            isinstance(text, str) and len(text) <= LONGEST_TEXT,
            f"it is not a text of at most {LONGEST_TEXT} characters",
        )
        values = text.count('"') / 2 + text.count("[") + text.count("{")
        budget.plan(4e-7 * values + 2e-8 * len(text), 65 * values + 8 * text.count(",") + 2 * len(text))
        content = json.loads(
            text, object_pairs_hook=_once, parse_constant=_refuse, parse_int=_integer, parse_float=_float
        )
        _keys(content, "the certificate", ("format", "version", "kind", "claim", "data", "proof"), ("made_by",))
        _need(content["format"] == "recovery-certificate", "format is not 'recovery-certificate'")
        _need(type(content["version"]) is int and content["version"] == 1, "version is not 1")
        _need(isinstance(content["kind"], str) and content["kind"] in RULES, f"kind is none of {', '.join(RULES)}")
        kind = content["kind"]
        parts = [content[part] for part in ("claim", "data", "proof")]
        _need(all(isinstance(part, dict) for part in parts), "claim, data and proof are not all objects")
        source = (Source(data),) if kind == "network" else ()
        statement = RULES[kind](kind, *parts, budget, *source)
        valid, reason = True, "every step was checked in exact arithmetic"
    except Refused as error:
        reason = str(error)
    except Exception as error:  # not JSON, unlimited nesting and so on: nothing is proved
        reason = f"it cannot be read: {type(error).__name__}: {error}"[:300]
    return Report(valid, kind, statement, reason, budget.seconds, budget.bytes / 1e9)


# ---- the claims and their proofs -------------------------------------------------------------------------------


def _eigenvalue(kind: str, claim: dict, data: dict, proof: dict, budget: Budget) -> str:
    """Check that x'G x <= (or >=) bound x'x for all x with at most s non-zeros, or (witness) that some x attains it."""
    _keys(claim, "claim", ("s", "bound"))
    form, s, bound = Form(data, budget), claim["s"], _number(claim["bound"])
    largest, witness = kind.startswith("largest"), kind.endswith("witness")
    _planned_bound(form, s, bound, proof, largest, witness)()
    square, below = "|A x|^2" if "A" in data else "x'G x", largest != witness
    who, relation = "some x other than 0" if witness else "every x", "<=" if below else ">="
    return f"{who} with at most {s} non-zeros has {square} {relation} {_show(bound, below)} |x|^2, for {_name(data)}"


def _isometry(kind: str, claim: dict, data: dict, proof: dict, budget: Budget) -> str:
    """Check on which side of a threshold a function of the extreme eigenvalues lies, from a bound on each."""
    _keys(claim, "claim", ("s", "quantity", "relation", "threshold", "power"))
    _keys(data, "data", ("A",))
    quantity, relation, power, s = claim["quantity"], claim["relation"], claim["power"], claim["s"]
    _need(quantity in ("kappa", "delta_scaled", "delta_raw"), "the quantity is unknown")
    _need(relation in ("<", "<=", ">", ">="), "the relation is unknown")
    _need(type(power) is int and power in (1, 2), "power is neither 1 nor 2")
    threshold, below, form = _number(claim["threshold"]), "<" in relation, Form(data, budget)
    bounds, steps = {}, []
    for side in ("largest", "smallest"):
        part = proof.get(side, {})
        _need(isinstance(part, dict), f"the part {side!r} of the proof is not an object")
        bounds[side] = _number(part.get("bound"))
        steps.append(_planned_bound(form, s, bounds[side], part, side == "largest", not below))
    for step in steps:
        step()
    high, low = bounds["largest"], bounds["smallest"]
    if quantity == "delta_raw":
        value = max(1 - low, high - 1)
    else:  # these increase with the largest and decrease with the smallest eigenvalue if both are positive
        _need(low > 0 if below else high > 0, "the bounds do not exclude that an eigenvalue is 0")
        if quantity == "delta_scaled":
            value = (high - low) / (high + low)
        else:  # dependent columns: larger than any threshold
            value = high / low if low > 0 else abs(threshold) + 1
    value = max(value, Fraction(0)) ** power
    beyond = {"<": value < threshold, "<=": value <= threshold, ">": value > threshold, ">=": value >= threshold}
    _need(beyond[relation], f"the two bounds give {_show(value, below)}, which is not {relation} the threshold")
    return f"{quantity}{'^2' * (power - 1)} of order {s} is {relation} {_show(threshold, below)}, for {_name(data)}"


def _planned_bound(
    form: Form, s: Any, bound: Fraction, proof: dict, largest: bool, witness: bool
) -> Callable[[], None]:
    """Plan the check of a bound on an extreme eigenvalue (`witness`: that a vector attains it), and return the check.

    Everything is multiplied by positive numbers to make it integer: sign (bound I - G) by the common denominator.
    """
    method, sign, size, budget = proof.get("method"), 1 if largest else -1, form.size, form.budget
    _need(type(s) is int and 1 <= s <= size, f"s is not an integer from 1 to {size}")
    _need(method in (("witness",) if witness else ("dual", "enumeration")), "the method of proof does not apply")
    if method == "witness":
        support = _indices(proof.get("support"), size)
        x = _vector(proof.get("vector"), len(support), budget)[0]
        _need(len(support) <= s and any(x), "the witness is 0 or has more than s entries")
        budget.plan(*form.cost_of_value(len(support), _bits([x])))

        def reaches() -> None:
            value = bound.denominator * form.value(support, x)
            most = bound.numerator * form.denominator * sum(one * one for one in x)
            _need(sign * (value - most) >= 0, "the witness does not reach the bound")

        return reaches
    U, spread, block = [[0]], 1, s
    if method == "dual":  # x'G x = x'(G + U) x - x'U x, and |x'U x| <= s max|U| x'x
        U, spread = _matrix(proof.get("U"), budget, size, size)
        _need(U == _transposed(U), "U is not symmetric")
        bound -= sign * s * Fraction(max(abs(u) for row in U for u in row), spread)
        block = size
    common = lcm(bound.denominator, form.denominator, spread)
    shift, gram, other = (
        sign * bound.numerator * (common // bound.denominator),
        -sign * (common // form.denominator),
        -sign * (common // spread),
    )
    bits = 2 + max(
        shift.bit_length(), gram.bit_length() + form.bits, other.bit_length() + _bits(U) if method == "dual" else 0
    )
    count = _many(size, block)  # blocks of s columns have the extreme eigenvalues of all smaller ones
    pairs = size if block == 1 else size * (size + 1) // 2
    budget.plan(*form.cost_of_entries(pairs, bits))
    budget.plan(count * (_elimination(block, bits)[0] + 4e-6 + 4e-7 * block * block), _elimination(block, bits)[1])

    def holds() -> None:
        near = 1 if block == 1 else size
        M = [[gram * form.entry(i, j) for j in range(i, min(size, i + near))] for i in range(size)]
        for i, row in enumerate(M):
            row[0] += shift
            if method == "dual":
                row[:] = [one + other * u for one, u in zip(row, U[i][i:], strict=True)]
        _divide(M)
        for chosen in combinations(range(size), block):
            positive = _semidefinite([[M[i][j - i] for j in chosen[a:]] for a, i in enumerate(chosen)])
            _need(positive, f"the bound does not follow by {method}: a matrix has a negative eigenvalue")

    return holds


def _null_space(kind: str, claim: dict, data: dict, proof: dict, budget: Budget) -> str:
    """Check a bound on alpha_s, the largest fraction of |z|_1 on s entries of a z with A z = 0, or an example."""
    _keys(claim, "claim", ("s", "bound"))
    _keys(data, "data", ("A",))
    (A, scale), s, bound = _matrix(data["A"], budget), claim["s"], _number(claim["bound"])
    n, N = len(A), len(A[0])
    _need(type(s) is int and 1 <= s <= N, f"s is not an integer from 1 to {N}")
    if kind == "null-space-witness":
        z = _vector(proof.get("vector"), N, budget)[0]
        budget.plan(n * N * _multiplication(_bits(A), _bits([z])))
        zero = not any(sum(map(int.__mul__, row, z)) for row in A)
        _need(any(z) and zero, "the vector is 0, or A times the vector is not")
        sizes = sorted(map(abs, z), reverse=True)
        reached = sum(sizes[:s]) * bound.denominator >= bound.numerator * sum(sizes)
        _need(reached, "the witness does not reach the bound")
        so = f"; so l1 minimisation fails for some x with at most {s} non-zeros" if bound >= Fraction(1, 2) else ""
        some = f"some z other than 0 with A z = 0 has {_show(bound, False)} or more of |z|_1 on {s} entries"
        return f"{some}{so}, for {_name(data)}"
    _need(proof.get("method") == "juditsky-nemirovski", "the method of proof is unknown")
    Y, other = _matrix(proof.get("Y"), budget, n, N)
    bits = _bits(A) + _bits(Y) + n.bit_length() + bound.denominator.bit_length()
    budget.plan(N * N * (n * 1.5 * _multiplication(_bits(A), _bits(Y)) + 2e-6 + 1e-10 * bits), _room(bits) * N)
    unit, multipliers = scale * other, _transposed(Y)
    for j, column in enumerate(_transposed(A)):  # z = (I - Y'A) z bounds s entries of z by those of a column
        entries = [sum(map(int.__mul__, row, column)) - unit * (i == j) for i, row in enumerate(multipliers)]
        total = sum(sorted(map(abs, entries), reverse=True)[:s]) * bound.denominator
        _need(total <= bound.numerator * unit, f"{s} entries of column {j} of I - Y'A add up to more than the bound")
    so = f"; so l1 minimisation recovers every x with at most {s} non-zeros" if bound < Fraction(1, 2) else ""
    return f"every z with A z = 0 has at most {_show(bound, True)} of |z|_1 on any {s} entries{so}, for {_name(data)}"


def _l1_dual(kind: str, claim: dict, data: dict, proof: dict, budget: Budget) -> str:
    """Check A_S'q = signs, |a_j'q| < 1 off S, and independent columns on S."""
    _keys(claim, "claim", ("support", "signs"))
    _keys(data, "data", ("A",))
    (A, scale), signs = _matrix(data["A"], budget), claim["signs"]
    support = _indices(claim["support"], len(A[0]))
    right = isinstance(signs, list) and all(type(one) is int and one in (1, -1) for one in signs)
    _need(right and len(signs) == len(support), "signs are not 1 or -1 for each index of the support")
    wanted = dict(zip(support, signs, strict=True))
    q, other = _vector(proof.get("q"), len(A), budget)
    size, bits = len(support), 2 * _bits(A) + len(A).bit_length()
    budget.plan(len(A) * len(A[0]) * _multiplication(_bits(A), _bits([q])))
    budget.plan(len(A) * size * size * _multiplication(_bits(A), _bits(A)))
    budget.plan(*_elimination(size, bits))
    unit, columns = scale * other, _transposed(A)
    for j, column in enumerate(columns):
        value = sum(map(int.__mul__, column, q))
        right = value == wanted[j] * unit if j in wanted else abs(value) < unit
        _need(right, f"a_{j}'q is not {'the sign of entry' if j in wanted else 'between -1 and 1, for index'} {j}")
    chosen = [columns[i] for i in support]
    gram = [[sum(map(int.__mul__, one, two)) for two in chosen[a:]] for a, one in enumerate(chosen)]
    _divide(gram)
    _need(_semidefinite(gram, strictly=True), "the columns of the support are dependent")
    places = ", ".join(f"{'+' if wanted[i] > 0 else '-'}{i}" for i in sorted(wanted))
    return f"every x with the signed support [{places}] is the only minimiser of |x|_1 given A x, for {_name(data)}"


def _network(kind: str, claim: dict, data: dict, proof: dict, budget: Budget, source: Source) -> str:
    """Check gates, residual and smallest singular value of a network with one hidden layer: it is locally unique."""
    rows = Rows(claim, data, budget, source)
    net, sigma, residual = rows.network, _number(claim["sigma"]), _number(claim["residual"])
    _need(sigma > 0 and residual >= 0, "sigma is not above 0, or the residual is below 0")
    away = 2 * residual / sigma  # networks with no larger residual are no farther away
    _need(all(away <= line.reach for line in net.lines), "sigma times a reach is less than twice the residual")
    chosen: list[int] = _indices(proof.get("rows"), rows.count)
    bits: Any = proof.get("bits")
    _need(type(bits) is int and 1 <= bits <= 400, "bits is not an integer from 1 to 400")
    _need(len(chosen) >= net.size > 0, "there are no weights, or fewer rows than weights")
    _plan_network(rows, len(chosen), bits, budget)
    columns, squares = rows.visited(chosen, bits)
    _need(squares <= residual**2, "the residual is larger than claimed")
    # entries are rounded to multiples of 2^-bits, which changes the matrix by at most sqrt(its size) / 2^(bits + 1)
    goal = sigma + Fraction(isqrt(len(chosen) * net.size) + 1, 2 ** (bits + 1))
    _need(_least_square(_gram(columns), goal**2 * 4**bits), "sigma is not proved by these rows: it may be smaller")
    where = (
        f"the {rows.count} x {rows.inputs} matrix X and the targets y of the {'file' if rows.inside else 'data file'}"
    )
    lines, within = "it has no gates", ""
    if net.lines:
        radius, reach = min(line.radius for line in net.lines), min(line.reach for line in net.lines)
        lines = f"no gate changes on any row while each of its {len(net.lines)} lines moves by at most its radius, "
        lines, within = (
            f"{lines}{_show(radius, False)} or more",
            f" whose lines are within reach, {_show(reach, False)} or more,",
        )
    alone = all(away <= line.radius for line in net.lines)
    error = f"(eps + {_show(residual, True)}) / {_show(sigma, False)}"
    one = ", and exactly one of them has the least residual" if alone else ""
    return (
        f"{lines}; every network of its structure{within} and whose residual is at most eps, has its {net.size} "
        f"weights at most {error} from those of the file{one}; for {where}"
    )


def _plan_network(rows: Rows, chosen: int, bits: int, budget: Budget) -> None:
    """Plan the pass over all rows, the Gram matrix of the chosen rows and its elimination."""
    net, size = rows.network, rows.network.size
    entries, lines = sum(len(line.inputs) for line in net.lines), len(net.lines)
    product = _multiplication(rows.long, net.long)
    budget.plan(rows.count * (rows.inputs * (4e-7 + 2.4 * product) + entries * 1.6 * product + lines * 5e-7))
    budget.plan(0.0, 100.0 * BLOCK * (rows.inputs + 4) + 8.0 * rows.count * (rows.inputs + 1) + chosen * size * 52.0)
    width = (2 * (bits + 8) + 16) / 30  # internal digits of an entry of the Gram matrix
    budget.plan(chosen * size * (4e-7 + 2e-9 * size * width), chosen * size * width * 4)
    budget.plan(size**3 / 6 * _multiplication(bits + 24, bits + 24) + 1e-6 * size**2, 120.0 * size**2)


# ---- a network on its data ------------------------------------------------------------------------------------------


BLOCK, LARGE = 2048, 40
"""Number of rows in memory at a time; largest number of integer bits of an input in a data file."""


@dataclass(frozen=True)
class Line:
    """A unit sign * |w.x| or sign * max(w.x, 0) with integer weights.

    If the weights move by at most `radius`, its gate changes on no row; by at most `reach`, on none of the chosen rows.
    """

    relu: bool
    sign: int
    inputs: list[int]
    weights: list[int]
    radius: Fraction
    reach: Fraction


class Network:
    """f(x) = b.x + sum_i a_i |x_i| + lines, in integers: all weights times `scale`.

    Each input has a unit, a power of two, by which its weights are multiplied and x_i is divided.
    """

    def __init__(self, claim: dict, inputs: int, budget: Budget) -> None:
        _keys(claim, "claim", ("linear", "axes", "lines", "units", "sigma", "residual"))
        units = claim["units"]
        _need(isinstance(units, list) and len(units) == inputs, f"units are not a list of {inputs} numbers")
        self.powers = [_power(unit) for unit in units]
        parts = [claim["linear"], claim["axes"]]
        _need(isinstance(claim["lines"], list), "lines are not a list")
        for part in parts:
            _keys(part, "the linear part or the axes", ("inputs", "weights"))
        for line in claim["lines"]:
            _keys(line, "a line", ("gate", "sign", "inputs", "weights", "radius", "reach"))
            _need(line["gate"] in ("abs", "relu"), "a gate is neither 'abs' nor 'relu'")
            _need(type(line["sign"]) is int and line["sign"] in (1, -1), "a sign is neither 1 nor -1")
            parts.append(line)
        texts: list[list[Any]] = []
        for part in parts:
            places, weights = _indices(part["inputs"], inputs), part["weights"]
            fits = isinstance(weights, list) and len(weights) == len(places)
            _need(fits and (places or len(texts) <= 2), "a line has no weights, or not one for each of its inputs")
            texts.append(weights)
        numbers, self.scale = _vector([one for part in texts for one in part], sum(map(len, texts)), budget)
        low = min(0, *self.powers)
        self.scale <<= -low
        found, at = [], 0
        for part in parts:
            end = at + len(part["inputs"])
            found.append(
                [one << (self.powers[i] - low) for i, one in zip(part["inputs"], numbers[at:end], strict=True)]
            )
            at = end
        self.linear = dict(zip(parts[0]["inputs"], found[0], strict=True))
        self.axes = dict(zip(parts[1]["inputs"], found[1], strict=True))
        self.lines = [
            Line(part["gate"] == "relu", part["sign"], part["inputs"], weights, *bounds)
            for part, weights in zip(parts[2:], found[2:], strict=True)
            for bounds in [[_number(part[key]) for key in ("radius", "reach")]]
        ]
        _need(
            all(0 < line.radius <= line.reach for line in self.lines), "a radius is not positive or exceeds the reach"
        )
        self.size, self.long = at, _bits(found)


class Rows:
    """The rows of the data, read block by block, and the network's values on them, in integers."""

    def __init__(self, claim: dict, data: dict, budget: Budget, source: Source) -> None:
        self.inside, self.source, self.digest = "X" in data, source, ""
        if self.inside:
            _keys(data, "data", ("X", "y"))
            self.X, self.scale = _matrix(data["X"], budget)
            self.count, self.inputs = len(self.X), len(self.X[0])
            self.y, self.scale_y = _vector(data["y"], self.count, budget)
        else:
            _keys(data, "data", ("rows", "inputs", "sha256", "places", "places_y"))
            sizes = [data[key] for key in ("rows", "inputs", "places", "places_y")]
            _need(all(type(one) is int and 0 <= one < 10**9 for one in sizes), "the data have no valid size")
            self.count, self.inputs, self.places, self.places_y = sizes
            _need(self.count and self.inputs and max(sizes[2:]) <= 1100, "the data are empty, or have too many places")
            _need(isinstance(data["sha256"], str) and len(data["sha256"]) == 64, "sha256 is not a hash")
            self.digest, self.scale, self.scale_y = data["sha256"], 1 << self.places, 1 << self.places_y
        self.network = Network(claim, self.inputs, budget)
        high = max(0, *self.network.powers)
        self.long = self.places + LARGE if not self.inside else _bits(self.X) + high - min(self.network.powers)
        if self.inside and any(self.network.powers):
            budget.plan(3e-7 * self.count * self.inputs, self.count * self.inputs * _room(self.long))
            shifts = [high - power for power in self.network.powers]
            self.X = [[one << shift for one, shift in zip(row, shifts, strict=True)] for row in self.X]
            self.scale <<= high

    def blocks(self) -> Iterator[tuple[Integers, list[int]]]:
        """Yield the columns of a block of rows, and its targets, times `scale` and `scale_y`."""
        if self.inside:
            for start in range(0, self.count, BLOCK):
                part = slice(start, start + BLOCK)
                yield _transposed(self.X[part]), self.y[part]
            return
        width = self.inputs + 1
        content = self.source.content(self.count, width)
        same = sha256(content).hexdigest() == self.digest
        _need(same, "the data are not those that the certificate refers to: their SHA-256 differs")
        shifts = [*(self.places - power for power in self.network.powers), self.places_y]
        for start in range(0, self.count, BLOCK):
            floats = array("d", content[8 * width * start : 8 * width * min(start + BLOCK, self.count)])
            if sys.byteorder == "big":
                floats.byteswap()
            columns = []
            for i, shift in enumerate(shifts):
                scaled = [ldexp(one, shift) for one in floats[i::width]]
                whole = all(map(float.is_integer, scaled))  # False for infinity and NaN
                _need(whole, "a number of the data has more binary places than claimed")
                small = max(max(scaled), -min(scaled)) < ldexp(1.0, self.places + LARGE) or i == self.inputs
                _need(small, f"an input is larger than 2^{LARGE} of its units")
                columns.append(list(map(int, scaled)))
            yield columns[:-1], columns[-1]

    def visited(self, chosen: list[int], bits: int) -> tuple[Integers, Fraction]:
        """Check all gates; return the columns of the chosen rows in multiples of 2^-bits, and the squared residual."""
        net, picked, start, total = self.network, sorted(chosen), 0, 0
        columns: Integers = [[] for _ in range(net.size)]
        most, least = self.scale * net.scale, self.scale_y  # y most - f least is the residual times both factors
        for X, y in self.blocks():
            here = [k - start for k in picked[bisect_left(picked, start) : bisect_left(picked, start + len(y))]]
            near = {i: self._rounded(X[i], here, bits) for i in range(self.inputs)} if here else {}
            f, at = [0] * len(y), 0
            for i, weight in net.linear.items():
                if weight:
                    f = [one + weight * x for one, x in zip(f, X[i], strict=True)]
                columns[at].extend(near.get(i, ()))
                at += 1
            for i, weight in net.axes.items():
                if weight:
                    f = [one + weight * abs(x) for one, x in zip(f, X[i], strict=True)]
                columns[at].extend(map(abs, near.get(i, ())))
                at += 1
            for number, line in enumerate(net.lines):
                z = [line.weights[0] * x for x in X[line.inputs[0]]]
                for i, weight in zip(line.inputs[1:], line.weights[1:], strict=True):
                    z = [one + weight * x for one, x in zip(z, X[i], strict=True)]
                inputs, name = [X[i] for i in line.inputs], f"the gate of line {number} changes within its"
                self._strict(z, inputs, line.radius, range(len(y)), f"{name} radius on row(s)", start)
                self._strict(z, inputs, line.reach, here, f"{name} reach on the chosen row(s)", start)
                f = _added(f, z, line)
                gates = [_gate(z[k], line) for k in here]
                for i in line.inputs:
                    columns[at].extend([gate * x for gate, x in zip(gates, near.get(i, ()), strict=True)])
                    at += 1
            total += sum([(most * target - least * value) ** 2 for target, value in zip(y, f, strict=True)])
            start += len(y)
        return columns, Fraction(total, (most * least) ** 2)

    def _rounded(self, column: list[int], here: list[int], bits: int) -> list[int]:
        """Return some entries of a column as the nearest multiples of 2^-bits."""
        return [((column[k] << (bits + 1)) + self.scale) // (2 * self.scale) for k in here]

    def _strict(
        self, z: list[int], X: Integers, radius: Fraction, rows: Sequence[int], sentence: str, start: int
    ) -> None:
        """Raise an error for rows with |w.x| <= radius |x| on the line's inputs, except rows with x = 0 there."""
        above, below = radius.numerator * self.network.scale, radius.denominator
        tops = sum(max(max(column), -min(column)) ** 2 for column in X)
        limit = isqrt(above * above * tops) // below + 1
        bad = []
        for k in [k for k in rows if -limit <= z[k] <= limit]:
            square = sum(column[k] ** 2 for column in X)
            if square and (z[k] * below) ** 2 <= above * above * square:
                bad.append(start + k)
        if bad:
            listed = ", ".join(map(str, bad[:10])) + (", ..." if len(bad) > 10 else "")
            raise Refused(f"{sentence} {listed}")


def _added(f: list[int], z: list[int], line: Line) -> list[int]:
    if line.relu:
        z = [one if one > 0 else 0 for one in z]
    if line.sign > 0:
        return [one + (two if two > 0 else -two) for one, two in zip(f, z, strict=True)]
    return [one - (two if two > 0 else -two) for one, two in zip(f, z, strict=True)]


def _gate(z: int, line: Line) -> int:
    return line.sign * ((z > 0) - (0 if line.relu else z < 0))


def _gram(columns: Integers) -> Integers:
    """Return the lower triangle of A'A for integer columns, by packing rows into long integers that are added."""
    size, count, short = len(columns), len(columns[0]), _bits(columns)
    width = (2 * short + count.bit_length() + 9) // 8  # bytes per entry, including its sign
    ones = sum(1 << (8 * width * j) for j in range(size))
    shift, offset = 1 << short, 1 << (8 * width - 1)
    packed = [
        int.from_bytes(b"".join([(one + shift).to_bytes(width, "little") for one in row]), "little") - shift * ones
        for row in zip(*columns, strict=True)
    ]
    found = []
    for i, column in enumerate(columns):
        total = sum(map(int.__mul__, column, packed)) + offset * ones
        content = total.to_bytes(width * size, "little")
        ends = range(0, width * (i + 1), width)
        found.append([int.from_bytes(content[at : at + width], "little") - offset for at in ends])
    return found


def _least_square(G: Integers, goal: Fraction) -> bool:
    """Return whether x'G x >= goal x'x is proved for all x, from the lower triangle of a symmetric G.

    With tau slightly above goal, G - tau I = L L' + E, where L is an integer Cholesky factor and E collects the
    remainders of its divisions and roots. So no eigenvalue of G is below tau - |E|, and |E| is at most its largest row
    sum.
    """
    scale = 1 << (2 * SCALE)
    tau = ceil(goal * scale * Fraction(65, 64))
    rows: Integers = []
    sums = [0] * len(G)
    for i, entries in enumerate(G):
        row: list[int] = []
        for j, entry in enumerate(entries[:-1]):
            quotient, rest = divmod(entry * scale - sum(map(int.__mul__, row, rows[j])), rows[j][j])
            row.append(quotient)
            sums[i] += rest
            sums[j] += rest
        square = entries[-1] * scale - tau - sum([one * one for one in row])
        root = isqrt(max(square, 0))
        if root == 0:
            return False
        sums[i] += square - root * root
        row.append(root)
        rows.append(row)
    return tau - max(sums) >= goal * scale


SCALE = 16
"""Extra binary digits of a Cholesky factor, beyond those of the square root of the matrix."""


class Source:
    """Source of the numbers of which a certificate stores only the hash: a .npy file, or their bytes."""

    def __init__(self, data: str | os.PathLike[str] | bytes | None) -> None:
        self.data = data

    def content(self, rows: int, columns: int) -> bytes:
        """Return the bytes of the numbers, row by row."""
        content = self.data
        if isinstance(content, (str, os.PathLike)):
            name, shape = os.fspath(content), (rows, columns)
            try:
                with open(name, "rb") as file:
                    _need(_shape(file) == shape, f"its data file contains no {rows} x {columns} float64 array (.npy)")
                    content = file.read(8 * rows * columns + 1)
            except OSError as error:
                raise Refused(f"its data file {name} cannot be read ({error.strerror})") from error
        if content is None:
            raise Refused("it does not contain its data, and no data file was given")
        _need(len(content) == 8 * rows * columns, "the data have the wrong length")
        return content


def _shape(file: Any) -> tuple[int, int] | None:
    """Read the header of a .npy file; return the shape if it contains a row-major float64 matrix, else None."""
    start = file.read(8)
    length = int.from_bytes(file.read(2 if start[6:] == b"\x01\x00" else 4), "little")
    header = file.read(length).decode("latin-1") if length < 10_000 else ""
    found = re.fullmatch(NPY, header.strip()) if start[:6] == b"\x93NUMPY" else None
    return (int(found[1]), int(found[2])) if found else None


NPY = r"\{'descr': '<f8', 'fortran_order': False, 'shape': \(([0-9]{1,12}), ([0-9]{1,12})\), \}"


def _power(unit: Any) -> int:
    """Return the exponent of a power of two."""
    value = _number(unit)
    power = value.numerator.bit_length() - value.denominator.bit_length()
    _need(abs(power) <= 1100 and value == Fraction(2) ** power, "a unit is not a power of two")
    return power


# ---- exact arithmetic -------------------------------------------------------------------------------------------


class Form:
    """The quadratic form x'G x of the data, times `denominator`: G = A'A, or a symmetric G given directly."""

    def __init__(self, data: dict, budget: Budget) -> None:
        _keys(data, "data", ("G",) if "G" in data else ("A",))
        self.given, self.budget = "G" in data, budget
        rows, scale = _matrix(data["G" if self.given else "A"], budget)
        if self.given:
            _need(rows == _transposed(rows), "G is not symmetric")
        self.rows = rows if self.given else _transposed(rows)  # columns of A
        self.size, self.terms, self.denominator = len(self.rows), len(self.rows[0]), scale if self.given else scale**2
        self.short = _bits(rows)
        self.bits = self.short if self.given else 2 * self.short + self.terms.bit_length()

    def entry(self, i: int, j: int) -> int:
        return self.rows[i][j] if self.given else sum(map(int.__mul__, self.rows[i], self.rows[j]))

    def cost_of_entries(self, count: int, bits: int) -> tuple[float, float]:
        """Return the cost in seconds and bytes of reading entries that are then multiplied up to this many bits."""
        terms = 0 if self.given else self.terms
        each = terms * _multiplication(self.short, self.short) + _multiplication(bits // 2, bits // 2)
        return count * (each + 6e-7 + 5e-10 * bits), count * _room(bits)

    def value(self, support: list[int], x: list[int]) -> int:
        """Return x'G x for x on a support."""
        if self.given:
            return sum(self.rows[i][j] * x[a] * x[b] for a, i in enumerate(support) for b, j in enumerate(support))
        product = [0] * self.terms
        for i, one in zip(support, x, strict=True):
            product = [total + one * entry for total, entry in zip(product, self.rows[i], strict=True)]
        return sum(one * one for one in product)

    def cost_of_value(self, count: int, bits: int) -> tuple[float, float]:
        terms, long = count if self.given else self.terms, self.short + bits
        return terms * (count * 2 * _multiplication(self.short, bits) + _multiplication(long, long)), 0.0


def _semidefinite(M: Integers, strictly: bool = False) -> bool:
    """Return whether all pivots of a symmetric matrix are >= 0 (strictly: > 0), by Bareiss elimination.

    Row k holds the entries from column k on; it is overwritten.
    """
    last = 1
    for k, row in enumerate(M):
        pivot = row[0]
        if pivot < 0 or (pivot == 0 and (strictly or any(row))):
            return False  # with a zero pivot and a non-zero entry in its row, x'M x takes both signs
        if pivot == 0:
            continue
        for i in range(k + 1, len(M)):
            factor = row[i - k]
            rest = zip(M[i], row[i - k :], strict=True)
            M[i] = [(pivot * one - factor * two) // last for one, two in rest]  # divides without remainder
        last = pivot
    return True


def _divide(M: Integers) -> None:
    """Divide by the common divisor of all entries."""
    common = 0
    for row in M:
        common = gcd(common, *row)
        if common == 1:
            return
    if common:
        M[:] = [[one // common for one in row] for row in M]


def _transposed(M: Integers) -> Integers:
    return [list(column) for column in zip(*M, strict=True)]


def _bits(M: Integers) -> int:
    return max((max(max(row), -min(row)).bit_length() for row in M if row), default=0)


# ---- estimated cost ---------------------------------------------------------------------------------------------


class Budget:
    """Planned and allowed cost in seconds and bytes; estimates are for a CPU core of about 2020."""

    def __init__(self, seconds: float, gigabytes: float) -> None:
        self.most_seconds, self.most_bytes = seconds, 1e9 * gigabytes
        self.seconds = self.bytes = 0.0

    def plan(self, seconds: float, bytes: float = 0.0) -> None:
        """Add a step; raise an error before it begins if it would exceed the limits."""
        self.seconds, self.bytes = self.seconds + seconds, self.bytes + bytes
        fits = self.seconds <= self.most_seconds and self.bytes <= self.most_bytes
        _need(
            fits,
            f"the arithmetic would take too long: about {_amount(self.seconds)} s and {_amount(self.bytes / 1e9)} GB; "
            f"allowed are {_amount(self.most_seconds)} s and {_amount(self.most_bytes / 1e9)} GB",
        )


def _multiplication(one: int, two: int) -> float:
    """Return the seconds for multiplying two numbers of these bit lengths and adding the product to a sum."""
    short, long = sorted((one / 30 + 1, two / 30 + 1))
    products = short * long if short <= 70 else long / short * 4900 * (short / 70) ** 1.585  # Karatsuba's method
    return 1e-9 * (90 + 0.3 * long + 1.2 * products)


def _elimination(size: int, bits: int) -> tuple[float, float]:
    """Return the seconds and bytes of Bareiss elimination: at step k all numbers are minors of order k + 1."""
    if size > 20_000:
        return inf, inf
    seconds = room = 0.0
    for k in range(size):
        left, long = size - k - 1, (k + 1) * (bits + (k + 1).bit_length() / 2)
        entries = left * (left + 1) / 2
        quotient = 2e-9 * (long / 30 + 1) ** 2
        seconds += entries * (2 * _multiplication(int(long), int(long)) + quotient + 2e-7)
        room = max(room, (entries + left) * _room(long))
    return seconds, room


def _room(bits: float) -> float:
    """Return the size in bytes of a number in a list."""
    return 40 + bits / 7.5


def _many(size: int, block: int) -> float:
    """Return the number of blocks, or infinity if it is far too large to enumerate."""
    size_of = lgamma(size + 1) - lgamma(block + 1) - lgamma(size - block + 1)
    return float(comb(size, block)) if size_of < 60 else inf


def _amount(value: float) -> str:
    return f"{value:.3g}" if value < 1e15 else "far too many"


# ---- reading ----------------------------------------------------------------------------------------------------


def _need(fact: Any, sentence: str) -> None:
    if not fact:
        raise Refused(sentence)


def _once(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    _need(len(found) == len(pairs), "a key occurs twice in one object")
    return found


def _refuse(name: str) -> None:
    raise Refused(f"{name[:40]} is not a number")


def _integer(text: str) -> int:
    _need(len(text) <= 400, f"{text[:40]}... is an integer of {len(text)} digits")
    return int(text)


def _float(text: str) -> float:
    _need(len(text) <= 400, f"{text[:40]}... is a number of {len(text)} digits")
    return float(text)


def _keys(part: Any, name: str, wanted: tuple, optional: tuple = ()) -> None:
    fits = isinstance(part, dict) and set(wanted) <= set(part) <= {*wanted, *optional}
    _need(fits, f"{name} is not an object with exactly the keys {', '.join(wanted)}")


def _number(text: Any) -> Fraction:
    fits = isinstance(text, str) and len(text) <= LONGEST_NUMBER and NUMBER.fullmatch(text)
    _need(fits, f"a number is missing or not a string 'p' or 'p/q' of at most {LONGEST_NUMBER} characters")
    return Fraction(text)


def _vector(part: Any, length: int, budget: Budget) -> tuple[list[int], int]:
    """Return numbers as integers and their common denominator."""
    _need(isinstance(part, list) and len(part) == length, f"a vector or row is not a list of {length} numbers")
    (row,), common = _whole([part], budget)
    return row, common


def _matrix(part: Any, budget: Budget, rows: int | None = None, columns: int | None = None) -> tuple[Integers, int]:
    """Return a matrix of numbers as integers and their common denominator."""
    fits = isinstance(part, list) and part and isinstance(part[0], list) and part[0]
    _need(fits and rows in (None, len(part)), "a matrix is not a list with the expected number of rows")
    length = columns or len(part[0])
    for row in part:
        _need(isinstance(row, list) and len(row) == length, f"a vector or row is not a list of {length} numbers")
    return _whole(part, budget)


def _whole(part: list[list[Any]], budget: Budget) -> tuple[Integers, int]:
    """Return rows of strings as integers and their common denominator; fractions need not be in lowest terms."""
    count = sum(map(len, part))
    budget.plan(1.2e-6 * count)
    longest = 0
    for row in part:
        for text in row:
            fits = isinstance(text, str) and len(text) <= LONGEST_NUMBER and NUMBER.fullmatch(text)
            _need(fits, f"a number is missing or not a string 'p' or 'p/q' of at most {LONGEST_NUMBER} characters")
            longest = max(longest, len(text))
    budget.plan(count * (6e-7 + 3e-11 * longest**2), count * _room(3.4 * longest))
    pairs = [[text.partition("/")[::2] for text in row] for row in part]
    known = {text: int(text or 1) for text in {below for row in pairs for _, below in row}}
    odd = {below >> (_twos(below)) for below in known.values()}
    most = sum(one.bit_length() for one in odd if one > 1)
    budget.plan(5e-9 * len(odd) * (longest / 9 + 3) * (most / 30 + 1))
    common = lcm(*odd) << max((_twos(below) for below in known.values()), default=0)
    bits = common.bit_length()
    budget.plan(count * 2 * _multiplication(bits, int(3.4 * longest)), count * bits / 7.5 if bits > 60 else 0.0)
    times = {text: common // below for text, below in known.items()}
    return [[int(above) * times[below] for above, below in row] for row in pairs], common


def _twos(value: int) -> int:
    return (value & -value).bit_length() - 1


def _indices(part: Any, N: int) -> list[int]:
    fits = isinstance(part, list) and all(type(one) is int and 0 <= one < N for one in part)
    _need(fits and len(set(part)) == len(part), f"a support is not a list of distinct integers from 0 to {N - 1}")
    return part


# ---- writing ----------------------------------------------------------------------------------------------------


def _name(data: dict) -> str:
    name = "A" if "A" in data else "G"
    return f"the {len(data[name])} x {len(data[name][0])} matrix {name} of the file"


def _show(value: Fraction, up: bool) -> str:
    """Return a number as text, exact if short, else with 12 digits, rounded up or down so that it remains proved."""
    if max(abs(value.numerator), value.denominator) < 10**12:
        return str(value)
    above, below = abs(value.numerator), value.denominator
    exponent = (above.bit_length() - below.bit_length()) * 30103 // 100000  # power of ten, accurate to one or two
    digits = _scaled(above, below, 11 - exponent)
    while digits >= 10**12:
        exponent, digits = exponent + 1, _scaled(above, below, 10 - exponent)
    while digits < 10**11:
        exponent, digits = exponent - 1, _scaled(above, below, 12 - exponent)
    if up == (value > 0):
        digits = Fraction(ceil(digits))
        exponent, digits = (exponent + 1, digits / 10) if digits == 10**12 else (exponent, digits)
    text = str(int(digits)).rstrip("0")
    sign, way = "-" if value < 0 else "", "up" if up else "down"
    number = f"{sign}{text[0]}.{text[1:] or '0'}e{exponent:+}"
    if -5 <= exponent < 12:
        whole = str(int(digits)).rjust(12 - min(exponent, 0), "0")
        point = max(exponent, 0) + 1
        number = f"{sign}{whole[:point]}.{whole[point:].rstrip('0') or '0'}"
    return f"{number}... (rounded {way}; in full in the file)"


def _scaled(above: int, below: int, power: int) -> Fraction:
    """Return above / below times a power of ten."""
    return Fraction(above * 10**power, below) if power >= 0 else Fraction(above, below * 10**-power)


RULES: dict[str, Callable[..., str]] = {
    "largest-eigenvalue": _eigenvalue,
    "smallest-eigenvalue": _eigenvalue,
    "largest-eigenvalue-witness": _eigenvalue,
    "smallest-eigenvalue-witness": _eigenvalue,
    "isometry": _isometry,
    "null-space": _null_space,
    "null-space-witness": _null_space,
    "l1-dual": _l1_dual,
    "network": _network,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Check certificates by exact arithmetic.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="time limit per file in seconds (default: %(default)s)"
    )
    parser.add_argument("--gigabytes", type=float, default=GIGABYTES, help="memory limit (default: %(default)s)")
    parser.add_argument("--data", metavar="FILE", help="the data, if they are neither in the file nor next to it")
    options = parser.parse_args()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may contain any character
    code = 0
    for name in options.files:
        found = check_file(name, options.seconds, options.gigabytes, options.data)
        print(f"{name}: {'verified: ' + found.statement if found.valid else 'NOT verified: ' + found.reason}")
        code = code if found.valid else 1
    sys.exit(code)
