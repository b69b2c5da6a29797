"""Three families for benchmarks.no_false_certificate: integers beyond floats, numbers at 1e+-300, and forged files.

tests/support/exact_oracle.py judges each instance on the numbers that were drawn, as integers and Fractions, whatever
object was passed. A refusal with a message is correct. A bound on the wrong side is an error, and so is any other
outcome.
"""

from __future__ import annotations

import json
import re
import time
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np

from recovery import DenseOperator, GatedOperator
from recovery.certificates import (
    Certificate,
    checker,
    dual_bound,
    enumeration_bound,
    is_positive_semidefinite,
    isometry_certificate,
    null_space_certificate,
    null_space_witness,
    proves_positive_definite,
    witness_bound,
)
from recovery.conditions import (
    dual_certificate,
    enumerate_patterns,
    null_space_constant,
    null_space_multipliers,
    restricted_eigenvalues,
    spark_bounds,
)
from tests.support import exact_oracle

__all__ = ["FAMILIES", "beyond_floats", "ends_of_the_range", "forged"]

SIDES = ("largest", "smallest")
LONGEST = 10.0
"""Processor seconds within which the check of any file has to end; the checker is allowed 2."""


class Wrong(Exception):
    """A claim that is false."""


# ---- numbers -----------------------------------------------------------------------------------------------------


def _large_integers(rng):
    """Return rows of integers, small and beyond 2**53, and whether float64 represents them all exactly."""
    n, N = int(rng.integers(1, 4)), int(rng.integers(2, 5))
    held = rng.uniform() < 0.35
    top = int(rng.choice([53, 54, 60, 62]))
    rows = [[int(rng.integers(-4, 5)) for _ in range(N)] for _ in range(n)]
    for i in range(n):
        for j in range(N):
            if rng.uniform() < 0.5:
                rows[i][j] = int(rng.choice([1, -1])) * (
                    2**top + int(rng.integers(-2, 3)) * (2 ** (top - 52) if held else 1)
                )
    if rng.uniform() < 0.5:  # a column that is another one but for 1
        for i in range(n):
            rows[i][-1] = rows[i][0]
        rows[int(rng.integers(n))][-1] += 0 if held else int(rng.choice([1, -1]))
    if not any(map(any, rows)):
        rows[0][0] = 1
    return rows, all(int(float(one)) == one for row in rows for one in row)


def _as_given(rows, rng):
    """Return an object of a random type with the numbers, its name, and the rows that it represents."""
    import pandas as pd

    N = len(rows[0])
    kind = int(rng.integers(0, 12))
    with_half = [[*row, Fraction(1, 2)] for row in rows]
    floats = [[*row, 0.5] for row in rows]
    if kind == 0:
        return "list", [list(row) for row in rows], rows
    if kind == 1:
        return "list with floats", floats, with_half
    if kind == 2:
        return "int64", np.array(rows, dtype=np.int64), rows
    if kind == 3:
        whole = [[abs(one) for one in row] for row in rows]
        return "uint64", np.array(whole, dtype=np.uint64), whole
    if kind == 4:
        return "objects", np.array(rows, dtype=object), rows
    if kind == 5:
        return "frame", pd.DataFrame(np.array(rows, dtype=np.int64)), rows
    if kind == 6:
        frame = pd.DataFrame(np.array(rows, dtype=np.int64))
        frame[N] = 0.5
        return "frame of two types", frame, with_half
    if kind == 7:
        return "nullable frame", pd.DataFrame(np.array(rows, dtype=np.int64)).astype("Int64"), rows
    if kind == 8:
        return "DenseOperator", DenseOperator(np.array(rows, dtype=np.int64)), rows
    if kind == 9:
        return "DenseOperator of a list", DenseOperator(floats), with_half
    if kind == 10:
        gates = rng.uniform(size=(len(rows), 1)) < 0.8
        closed = [[one if gates[i, 0] else 0 for one in row] for i, row in enumerate(rows)]
        return "GatedOperator", GatedOperator(np.array(rows, dtype=np.int64), gates), closed
    thirds = [[Fraction(one, 3) for one in row] for row in rows]
    return "Fractions", thirds, thirds


def beyond_floats(rng, number, folder):
    """Judge everything that is certified about integers that float64 may not represent."""
    rows, _ = _large_integers(rng)
    name, given, truth = _as_given(rows, rng)
    held = all(Fraction(float(one)) == one for row in truth for one in row)
    return _judged(f"beyond floats: {name}", given, truth, rng, number, folder, must_refuse=not held)


def ends_of_the_range(rng, number, folder):
    """Judge everything that is certified about floats at 1e+-300, alone or together with others."""
    n, N = int(rng.integers(1, 4)), int(rng.integers(2, 5))
    A = rng.integers(-3, 4, (n, N)).astype(float) if rng.uniform() < 0.5 else rng.standard_normal((n, N))
    kind = int(rng.integers(0, 6))
    if rng.uniform() < 0.4:
        A[:, -1] = A[:, 0]  # dependent, perhaps at another scale
    power = rng.choice([-300.0, 300.0, -150.0, 150.0, -307.0, 307.0])
    names = ("all", "columns", "rows", "one entry", "subnormal", "minus zero")
    with np.errstate(over="ignore", under="ignore"):
        if kind == 0:
            A = A * 10.0**power
        elif kind == 1:
            A = A * 10.0 ** rng.choice([-300.0, 0.0, 150.0, 300.0], N)
        elif kind == 2:
            A = A * 10.0 ** rng.choice([-300.0, 0.0, 150.0, 300.0], (n, 1))
        elif kind == 3:
            A[int(rng.integers(n)), int(rng.integers(N))] = rng.choice([1e300, -1e300, 1e-300, 1.7e308, 5e-324])
        elif kind == 4:
            A = np.rint(A) * 5e-324
        else:
            A = np.where(rng.uniform(size=A.shape) < 0.4, -0.0, A) * 10.0**power
    if not np.isfinite(A).all():
        A = np.where(np.isfinite(A), A, 1.0)
    truth = [list(map(Fraction, row)) for row in A.tolist()]
    given = A.tolist() if rng.uniform() < 0.3 else DenseOperator(A) if rng.uniform() < 0.2 else A
    return _judged(f"1e+-300: {names[kind]}", given, truth, rng, number, folder)


# ---- certified claims, and the truth ------------------------------------------------------------------------------


def _judged(family, given, truth, rng, number, folder, must_refuse=False):
    """Return one outcome: the claims about `given`, compared with the truth about its numbers."""
    N = len(truth[0])
    s = int(rng.integers(1, min(3, N) + 1))
    blocks = exact_oracle.ExactBlocks(truth, s)
    vectors = exact_oracle.minimal_null_vectors(np.array(truth, dtype=object))
    alpha = exact_oracle.null_space_constant(vectors, s)
    claims = _claims(given, truth, s, rng, blocks, vectors, alpha, number, folder)
    refusals, answers, wrong = [], 0, []
    for name, claim in claims.items():
        try:
            claim()
            answers += 1
        except Wrong as error:
            wrong.append(f"{name}: {error}")
        except (ValueError, TypeError, ArithmeticError) as error:
            if "disjoint" in str(error):  # certified ends that contradict each other
                wrong.append(f"{name}: {error}")
            refusals.append(str(error))
    if must_refuse and answers > 2:  # patterns and semidefiniteness alone take numbers of any size
        wrong.append(f"{answers} results about numbers that float64 does not represent")
    return {
        "family": family,
        "side": "all",
        "prover": "",
        "crossed": bool(wrong),
        "refused": "; ".join(wrong) or ("; ".join(refusals[:1]) if not answers else ""),
    }


def _claims(given, truth, s, rng, blocks, vectors, alpha, number, folder):
    """Return functions by name; each raises Wrong if a certified claim is false."""
    size = len(truth[0])

    def bounded(make, side, reached=False):
        def claim():
            made = make()
            t, shown = Fraction(made.claim["bound"]), Fraction(made.bound)
            if reached:
                support = made.proof["support"]
                whole = exact_oracle.ExactBlocks(truth, len(support))
                _need(whole.reached(side, t, support) and whole.reached(side, shown, support), "not reached")
            else:
                _need(blocks.crossed(side, t) is None and blocks.crossed(side, shown) is None, "crossed")
            _need(made.data["A"] == [[str(one) for one in row] for row in truth], "the data are other numbers")
            if number % 10 == 0:
                path = Path(folder) / "extreme.json"
                made.save(path)
                _need(Certificate.load(path) == made and made.check().valid, "not verified again")

        return claim

    def eigenvalues(**options):
        def claim():
            found = restricted_eigenvalues(given, s, **options)
            _interval(found, blocks, s)

        return claim

    def spark():
        found = spark_bounds(given)
        least = min(map(len, vectors), default=float("inf"))
        _need(found.lower <= least <= found.upper, f"spark {least} is not in {found}")

    def share(method):
        def claim():
            found = null_space_constant(given, s, method)
            _need(Fraction(found.lower) <= alpha <= Fraction(found.upper), f"alpha {alpha} is not in {found}")

        return claim

    def multipliers():
        Y = rng.standard_normal((len(truth), size)) if rng.uniform() < 0.5 else null_space_multipliers(given, s)
        made = null_space_certificate(given, s, Y)
        _need(Fraction(made.claim["bound"]) >= alpha and Fraction(made.bound) >= alpha, "below alpha")
        shown = null_space_witness(given, s, rng.standard_normal(size))
        _need(shown is None or Fraction(shown.claim["bound"]) <= alpha, "above alpha")

    def unique():
        support = np.sort(rng.choice(size, int(rng.integers(1, min(2, size) + 1)), replace=False))
        signs = rng.choice([-1, 1], support.size)
        found = dual_certificate(given, support, signs).unique
        known = exact_oracle.recovers(vectors, support.tolist(), signs.tolist())
        _need(found is None or found == known, f"unique={found}")

    def patterns():
        if hasattr(given, "rmatvec") or size != 2 or not any(map(any, truth)):
            raise ValueError("not two columns")
        found = {tuple(one) for one in enumerate_patterns(given, 2).gates.T.tolist()}
        _need(found == exact_oracle.plane_patterns(truth), "other patterns")

    def definite():
        gram = [[sum(a * b for a, b in zip(x, y, strict=True)) for y in truth] for x in truth]
        low = exact_oracle.ExactBlocks([list(row) for row in zip(*truth, strict=True)], len(truth))
        lowered = [
            [one - (i == j) * Fraction(gram[0][0], 2) for j, one in enumerate(row)] for i, row in enumerate(gram)
        ]
        known = low.crossed("smallest", Fraction(gram[0][0], 2)) is None
        _need(is_positive_semidefinite(lowered) == known, "semidefinite")
        _need(not proves_positive_definite(lowered) or known, "definite")

    def isometry():
        made = isometry_certificate(given, s, "delta_scaled", "<", Fraction(int(rng.integers(1, 20)), 20))
        _need(made is None or made.check().valid, "the checker refuses it")

    out = {f"dual, {side}": bounded(lambda side=side: dual_bound(given, s, side, solver=None), side) for side in SIDES}
    for side in SIDES:
        out[f"enumeration, {side}"] = bounded(lambda side=side: enumeration_bound(given, s, side), side)
        out[f"witness, {side}"] = bounded(lambda side=side: witness_bound(given, s, side), side, reached=True)
    out["certify"] = eigenvalues(certify=True)
    out["plain"] = eigenvalues()
    if number % 4 == 0:
        out["dual intervals"] = eigenvalues(method="dual")
        out["search"] = eigenvalues(method="search", certify=True)
        out["isometry"] = isometry
    out |= {"spark": spark, "alpha": share(str(rng.choice(["decoupled", "joint", "exact"]))), "unique": unique}
    return out | {"multipliers": multipliers, "patterns": patterns, "definite": definite}


def _interval(found, blocks, s):
    """Judge all certified ends of intervals."""
    for side in SIDES:
        one = getattr(found, side)
        outer, inner = (one.upper, one.lower) if side == "largest" else (one.lower, one.upper)
        proved = (
            (one.upper_certified, one.lower_certified)
            if side == "largest"
            else (one.lower_certified, one.upper_certified)
        )
        if proved[0] and abs(outer) < float("inf"):
            _need(blocks.crossed(side, Fraction(outer)) is None, f"{side}: {one}")
        if proved[1]:
            _need(any(blocks.reached(side, Fraction(inner), list(at)) for at in blocks.supports), f"{side}: {one}")
    if s == 1:  # then everything is rational
        squares = [Fraction(blocks.inner(i, i), blocks.unit**2) for i in range(len(blocks.columns))]
        high, low = max(squares), min(squares)
        known = {"restricted_isometry": max(1 - low, high - 1)}
        if low > 0:
            known |= {"kappa": high / low, "scaled_restricted_isometry": (high - low) / (high + low)}
        for name, value in known.items():
            one = getattr(found, name)
            _need(not one.lower_certified or _at_most(one.lower, value), f"{name}: {one}")
            _need(
                not one.upper_certified or not one.upper < float("inf") or Fraction(one.upper) >= value,
                f"{name}: {one}",
            )


def _at_most(lower, value):
    return lower < float("inf") and Fraction(lower) <= value


def _need(fact, sentence):
    if not fact:
        raise Wrong(sentence)


# ---- forged files ------------------------------------------------------------------------------------------------

HUGE = (
    "1" + "0" * 300,
    "-1" + "0" * 300,
    "1/1" + "0" * 300,
    "-7/3" + "0" * 310,
    "9" * 4000,
    "-" + "9" * 3998,
    "1/" + "7" * 3000,
)
FORGED = (
    *HUGE, *HUGE, "0", "-0", "0/1", "6/2", "-1", "1e999999999", "1e300", "-1e-300", "NaN", "Infinity", "-Infinity",
    "0x1p1000", "", " 1", "1 ", "+1", "1/0", "0/0", "1/-3", "\uff11", "9" * 4001, "1" * 100_000, "1_000", "1.5", "--1",
)  # fmt: skip
STRANGE = (
    None,
    True,
    False,
    1.5,
    10**300,
    -1,
    0,
    2**63,
    [],
    {},
    [[]],
    [["1"]],
    "1",
    float("nan"),
    float("inf"),
    "dual",
)


def _valid(rng):
    """Return a valid certificate about a small integer matrix."""
    n, N = int(rng.integers(1, 4)), int(rng.integers(2, 5))
    A = rng.integers(-3, 4, (n, N)).astype(float)
    A[0, 0] = A[0, 0] or 1.0
    s, side, kind = int(rng.integers(1, min(N, 2) + 1)), SIDES[int(rng.integers(2))], int(rng.integers(0, 8))
    if kind == 0:
        return dual_bound(A, s, side, solver=None)
    if kind in (1, 2):
        return enumeration_bound(A, s, side)
    if kind == 3:
        return witness_bound(A, s, side)
    if kind == 4:
        return null_space_certificate(A, s, null_space_multipliers(A, s))
    if kind == 5:
        return null_space_witness(A, s, rng.standard_normal(N)) or witness_bound(A, s, side)
    if kind == 6:
        for relation, threshold in (("<", "9/10"), ("<=", "1"), (">", "1/10"), (">=", "0")):
            made = isometry_certificate(A, s, "delta_scaled", relation, threshold)
            if made is not None:
                return made
    found = dual_certificate(A, [0], [1])
    return found.certificate or enumeration_bound(A, s, side)


def _places(part, at=()):
    """Return the paths of all entries."""
    keys = part.keys() if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ()
    return [path for key in keys for path in [(*at, key), *_places(part[key], (*at, key))]]


def forged(rng, number, folder):
    """Forge a file with extreme numbers: every claim that is verified must be true, with numbers rounded safely."""
    made = _valid(rng)
    content = json.loads(made.to_json())
    del content["made_by"]
    for _ in range(int(rng.integers(1, 4))):
        places = _places(content)
        path = places[int(rng.integers(len(places)))]
        part = content
        for key in path[:-1]:
            part = part[key]
        draw = rng.uniform()
        here = part[path[-1]]
        if draw < 0.75 and isinstance(here, str):
            part[path[-1]] = str(rng.choice(HUGE)) if rng.uniform() < 0.6 else FORGED[int(rng.integers(len(FORGED)))]
        elif draw < 0.85 and isinstance(here, list):  # all of a row: consistent, but enormous
            part[path[-1]] = [_times(one, rng) for one in here]
        elif draw < 0.92 and isinstance(part, list):
            part.pop()
        else:
            part[path[-1]] = STRANGE[int(rng.integers(len(STRANGE)))]
        data = content.get("data")
        if draw > 0.97 and isinstance(data, dict) and isinstance(data.get("A"), list):
            data["A"] = data["A"] * 2  # more rows than the data had
    if rng.uniform() < 0.15:  # everything of the data and of the claim on another scale
        content = _rescaled(json.loads(made.to_json()), int(rng.choice([300, -300, 600])))
    text = json.dumps(content)
    draw = rng.uniform()
    if draw < 0.03:
        text = text.replace('"claim":', '"claim": {"s": 1, "bound": "0"}, "claim":', 1)
    elif draw < 0.05:
        text = "[" * 100_000 + text
    elif draw < 0.07:
        text = text.replace('"s": ', '"s": ' + "9" * int(rng.choice([30, 5000])), 1)
    elif draw < 0.09:
        text = text.replace('"bound": ', '"bound": 1e999999999, "more": ', 1)
    path = Path(folder) / "forged.json"
    path.write_text(text, encoding="utf-8")
    begin, wrong = time.process_time(), ""
    try:
        report = checker.check_file(path, seconds=2.0)
        wrong = "" if report.reason and (report.valid or not report.statement) else "no sentence"
        try:
            again = Certificate.load(path)
            "bound" in again.claim and again.bound  # noqa: B018
        except (ValueError, TypeError):
            pass
    except Exception as error:
        return _outcome(f"it raised {type(error).__name__}: {error}"[:200], "")
    if time.process_time() - begin > LONGEST:
        wrong = f"it took {time.process_time() - begin:.1f} s"
    if report.valid and not wrong:
        wrong = _false_claim(content) or _printed(report.statement, content)
    return _outcome(wrong, "" if report.valid else report.reason)


def _outcome(wrong, refused):
    return {"family": "forged files", "side": "all", "prover": "", "crossed": bool(wrong), "refused": wrong or refused}


def _times(value, rng):
    if isinstance(value, list):
        return [_times(one, rng) for one in value]
    return f"{value}{'0' * 200}" if isinstance(value, str) and value.lstrip("-").isdecimal() else value


def _rescaled(content, power):
    """Return the certificate of 10**(power / 2) A if its kind allows scaling; its claim stays true."""
    content.pop("made_by", None)
    root = Fraction(10) ** (power // 2)

    def times(value, factor):
        if isinstance(value, list):
            return [times(one, factor) for one in value]
        return str(Fraction(value) * factor)

    content["data"] = {key: times(value, root) for key, value in content["data"].items()}
    if "eigenvalue" in content["kind"]:
        content["claim"]["bound"] = times(content["claim"]["bound"], root**2)
        if "U" in content["proof"]:
            content["proof"]["U"] = times(content["proof"]["U"], root**2)
    for name, factor in (("Y", 1 / root), ("q", 1 / root)):
        if name in content["proof"]:
            content["proof"][name] = times(content["proof"][name], factor)
    return content


def _false_claim(content):
    """Return why the claim of a file is false; an empty text if it is true."""
    kind, claim, data = content["kind"], content["claim"], content["data"]
    rows = [list(map(Fraction, row)) for row in next(iter(data.values()))]
    if "G" in data:
        return "no file was made with G"
    if kind == "l1-dual":
        vectors = exact_oracle.minimal_null_vectors(np.array(rows, dtype=object))
        return "" if exact_oracle.recovers(vectors, claim["support"], claim["signs"]) else "not the only minimiser"
    s = claim["s"]
    if kind.startswith("null-space"):
        alpha = exact_oracle.null_space_constant(exact_oracle.minimal_null_vectors(np.array(rows, dtype=object)), s)
        bound = Fraction(claim["bound"])
        so = bound <= alpha if kind.endswith("witness") else alpha <= bound
        return "" if so else f"alpha is {float(alpha)}"
    blocks = exact_oracle.ExactBlocks(rows, s)
    if kind == "isometry":
        (low, _), (_, high) = blocks.near("smallest"), blocks.near("largest")
        (_, low_above), (high_below, _) = blocks.near("smallest"), blocks.near("largest")
        most = (high - low) / (high + low) if high else Fraction(0)
        least = max(Fraction(0), (high_below - low_above) / (high_below + low_above)) if high_below else Fraction(0)
        threshold = Fraction(claim["threshold"])
        if claim["quantity"] != "delta_scaled":
            return ""
        power = claim["power"]
        so = least**power <= threshold if "<" in claim["relation"] else most**power >= threshold
        return "" if so else "delta is on the other side"
    side, bound = kind.partition("-")[0], Fraction(claim["bound"])
    if kind.endswith("witness"):
        return "" if any(blocks.reached(side, bound, list(at)) for at in blocks.supports) else "no vector reaches it"
    return "" if blocks.crossed(side, bound) is None else "the bound is crossed"


def _printed(statement, content):
    """Return why a statement's number is on the wrong side of the claimed one; an empty text if it is not."""
    claim = content["claim"]
    if "bound" not in claim and "threshold" not in claim:
        return ""
    value = Fraction(claim.get("bound", claim.get("threshold")))
    before = {"i": r"is (<=|<|>=|>)", "n": r"has (at most|)"}.get(content["kind"][0], r"(<=|>=)")
    found = re.search(before + r" ?(-?[0-9][0-9./]*(?:e[+-]?[0-9]+)?)", statement)
    if found is None:
        return f"no number in {statement!r}"
    number = found[2].rstrip(".")  # of "0.333333333334... (rounded up; in full in the file)"
    shown = Fraction(Decimal(number)) if "/" not in number else Fraction(number)
    upper = found[1] in ("<=", "<", "at most")
    return "" if (shown >= value if upper else shown <= value) else f"{found[0]} is past {value}"


FAMILIES = {"beyond": beyond_floats, "range": ends_of_the_range, "forged": forged}
"""The families, by the name of their option."""
