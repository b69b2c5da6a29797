"""Comparison of two networks in fractions: an oracle for match_networks that shares no code with it."""

from __future__ import annotations

import decimal
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

DIGITS = decimal.Context(prec=120, Emax=10**6, Emin=-(10**6))


@dataclass
class Kinks:
    """f(x) = sum over lines r of strength_r |r . x| / 2 + linear' x, in fractions; the first non-zero entry of r is 1.

    `lines` maps r to a list of strengths, one for each output; `linear` holds d lists of k fractions.
    """

    lines: dict[tuple[Fraction, ...], list[Fraction]]
    linear: list[list[Fraction]]


def kinks(hidden, output):
    """Return the kinks of a network; `output` has shape (m,) or (m, k)."""
    d, m = hidden.shape
    rows = output.reshape(m, -1)
    k = rows.shape[1]
    lines: dict[tuple[Fraction, ...], list[Fraction]] = {}
    linear = [[Fraction(0)] * k for _ in range(d)]
    for j in range(m):
        u = [Fraction(float(number)) for number in hidden[:, j]]
        v = [Fraction(float(number)) for number in rows[j]]
        first = next((entry for entry in u if entry), None)
        if first is None:
            continue
        strengths = lines.setdefault(tuple(entry / first for entry in u), [Fraction(0)] * k)
        for o in range(k):
            strengths[o] += abs(first) * v[o]
            for i in range(d):
                linear[i][o] += u[i] * v[o] / 2
    return Kinks({line: numbers for line, numbers in lines.items() if any(numbers)}, linear)


def equal(one, two):
    """Are the two functions equal, as functions of real numbers?"""
    return one.lines == two.lines and one.linear == two.linear


def value(form, x):
    """Evaluate at a point of fractions; a list of k fractions."""
    k = len(form.linear[0])
    out = [sum((row[o] * entry for row, entry in zip(form.linear, x, strict=True)), Fraction(0)) for o in range(k)]
    for line, strengths in form.lines.items():
        bend = abs(sum(one * two for one, two in zip(line, x, strict=True))) / 2
        for o in range(k):
            out[o] += strengths[o] * bend
    return out


def differs_at(one, two, points, tolerance, angle_tol):
    """Is |f(x) - f*(x)| > sqrt(p + 1) tolerance norm |x| at one of the points? Then no match to `tolerance` is true.

    Here p is the number of lines of both, the most that can be paired or alone, and norm is that of `two`.
    """
    with decimal.localcontext(DIGITS):
        norm = Fraction(_norm(two, clustered(two, angle_tol)))
    bound = (len(one.lines) + len(two.lines) + 1) * (Fraction(tolerance) * norm) ** 2
    for x in points:
        gap = sum((a - b) ** 2 for a, b in zip(value(one, x), value(two, x), strict=True))
        if gap > bound * sum(entry * entry for entry in x):
            return True
    return False


@dataclass
class Line:
    """One or several close lines in decimals: unit direction, strengths, and what calling them one line costs."""

    unit: list[Decimal]
    strengths: list[Decimal]
    slack: Decimal
    members: list[list[Decimal]]


def clustered(form, angle_tol):
    """Return lines in decimals; those linked by angles up to `angle_tol` are one, in the direction of the strongest."""
    with decimal.localcontext(DIGITS):
        singles = []
        for line, strengths in form.lines.items():
            r = [_decimal(entry) for entry in line]
            length = sum(entry * entry for entry in r).sqrt()
            unit = [entry / length for entry in r]
            singles.append(Line(unit, [_decimal(number) * length for number in strengths], Decimal(0), [unit]))
        group = list(range(len(singles)))
        for i, one in enumerate(singles):
            for j in range(i):
                if _chord(one.unit, singles[j].unit) <= Decimal(angle_tol) and group[i] != group[j]:
                    group = [group[i] if label == group[j] else label for label in group]
        out = []
        for label in sorted(set(group)):
            members = [line for line, own in zip(singles, group, strict=True) if own == label]
            head = max(members, key=lambda line: _size(line.strengths))
            slack = sum(
                (Decimal(2).sqrt() * _size(line.strengths) * _chord(line.unit, head.unit) for line in members),
                Decimal(0),
            )
            sums = [sum(numbers) for numbers in zip(*(line.strengths for line in members), strict=True)]
            out.append(Line(head.unit, sums, slack, [line.unit for line in members]))
        return out


def least_error(one, two, angle_tol):
    """Return the least error, relative to the norm of `two`, that a match may report; not positive where it may be 0.

    The best one-to-one pairs of lines by trying all of them, less what calling close lines one may hide.
    """
    with decimal.localcontext(DIGITS):
        left, right = clustered(one, angle_tol), clustered(two, angle_tol)
        linear = sum(
            (
                _decimal((a - b) ** 2)
                for r, s in zip(one.linear, two.linear, strict=True)
                for a, b in zip(r, s, strict=True)
            ),
            Decimal(0),
        )
        best = {0: linear}  # from the set of lines of `right` that are taken to the least cost so far
        for line in left:
            after: dict[int, Decimal] = {}
            for taken, cost in best.items():
                _keep(after, taken, cost + _size(line.strengths) ** 2)
                for j, other in enumerate(right):
                    if not taken >> j & 1:
                        _keep(after, taken | 1 << j, cost + _pair(line, other))
            best = after
        alone = [_size(line.strengths) ** 2 for line in right]
        least = min(
            cost + sum((size for j, size in enumerate(alone) if not taken >> j & 1), Decimal(0))
            for taken, cost in best.items()
        )
        hidden = sum((line.slack for line in left + right), Decimal(0))
        norm = _norm(two, right)
        gap = max(least, Decimal(0)).sqrt() - hidden
        if norm == 0:
            return Decimal("Infinity") if gap > 0 else gap
        return gap / norm


def supports(form, angle_tol, drop_tol):
    """Return the supports of the lines, sorted: entries and lines up to `drop_tol` of the largest are left out."""
    with decimal.localcontext(DIGITS):
        lines = clustered(form, angle_tol)
        linear = sum((_decimal(entry * entry) for row in form.linear for entry in row), Decimal(0)).sqrt()
        largest = max([linear, *(_size(line.strengths) for line in lines)])
        return sorted(
            tuple(i for i, entries in enumerate(zip(*line.members, strict=True)) if max(map(abs, entries)) > drop_tol)
            for line in lines
            if _size(line.strengths) > Decimal(drop_tol) * largest
        )


def _decimal(number):
    return Decimal(number.numerator) / Decimal(number.denominator)


def _norm(form, lines):
    squares = [_decimal(entry * entry) for row in form.linear for entry in row]
    return sum((_size(line.strengths) ** 2 for line in lines), sum(squares, Decimal(0))).sqrt()


def _size(numbers):
    return sum((number * number for number in numbers), Decimal(0)).sqrt()


def _chord(one, two):
    return min(
        _size([a - b for a, b in zip(one, two, strict=True)]), _size([a + b for a, b in zip(one, two, strict=True)])
    )


def _pair(one, two):
    cosine = sum(a * b for a, b in zip(one.unit, two.unit, strict=True))
    common = sum(a * b for a, b in zip(one.strengths, two.strengths, strict=True))
    return _size(one.strengths) ** 2 + _size(two.strengths) ** 2 - 2 * common * cosine * cosine


def _keep(costs, key, cost):
    if key not in costs or cost < costs[key]:
        costs[key] = cost
