"""The checker: it verifies true claims, rejects false ones, and handles any content of a file."""

import ast
import copy
import dataclasses
import itertools
import json
import math
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from recovery.certificates import checker
from recovery.certificates.certificate import KINDS, Certificate, exact, exact_matrix

RNG = np.random.default_rng(5)
A = RNG.integers(-3, 4, (6, 5)).astype(float)
G = A.T @ A
SPECTRA = [np.linalg.eigvalsh(G[np.ix_(S, S)]) for S in itertools.combinations(range(5), 2)]
L2, M2 = max(one[-1] for one in SPECTRA), min(one[0] for one in SPECTRA)
WIDE = np.array([[2.0, 0.0, 1.0, 1.0], [0.0, 2.0, 1.0, -1.0]])  # null vectors (1, 1, -2, 0) and (1, -1, 0, -2)


def up(value):
    return str(Fraction(math.ceil(value * 1000), 1000))


def down(value):
    return str(Fraction(math.floor(value * 1000), 1000))


def extreme(end):
    """A support of two columns and an integer vector close to its extreme eigenvector, with its exact quotient."""
    pairs = list(itertools.combinations(range(5), 2))
    values = [np.linalg.eigh(G[np.ix_(S, S)]) for S in pairs]
    at = int(np.argmax([one[0][-1] if end else -one[0][0] for one in values]))
    x = [int(one) for one in np.rint(1000 * values[at][1][:, -1 if end else 0])]
    S = pairs[at]
    form = sum(int(G[S[a], S[b]]) * x[a] * x[b] for a in range(2) for b in range(2))
    return {"support": list(S), "vector": [str(one) for one in x]}, Fraction(form, sum(one * one for one in x))


def network():
    """A network of a linear part, a bend and a line that fits seven rows exactly."""
    X = np.random.default_rng(0).integers(-600, 600, (7, 2)) / 256
    w = np.array([0.75, -0.5])
    z = X @ w
    y = X @ [0.5, 0.25] - 1.5 * np.abs(X[:, 0]) - np.abs(z)
    F = np.column_stack([X, np.abs(X[:, :1]), -np.sign(z)[:, None] * X])
    radius = (np.abs(z) / np.linalg.norm(X, axis=1)).min()
    line = {"gate": "abs", "sign": -1, "inputs": [0, 1], "weights": exact_matrix(w), "radius": down(radius)}
    claim = {
        "linear": {"inputs": [0, 1], "weights": ["1/2", "1/4"]},
        "axes": {"inputs": [0], "weights": ["-3/2"]},
        "lines": [{**line, "reach": down(radius)}],
        "units": ["1", "1"],
        "sigma": down(0.98 * np.linalg.svd(F, compute_uv=False)[-1]),
        "residual": "0",
    }
    return "network", claim, {"X": exact_matrix(X), "y": exact_matrix(y)}, {"rows": list(range(7)), "bits": 24}


def valid():
    """A valid certificate of each kind and method, as dictionaries."""
    data = {"A": exact_matrix(A)}
    U = -np.clip(G - np.diag(np.diag(G)), -4.0, 4.0)
    spectrum = np.linalg.eigvalsh(G + U)
    top, low = extreme(1), extreme(0)
    dual = {"method": "dual", "U": exact_matrix(U)}
    upper, lower = up(spectrum[-1] + 8 + 1e-9), down(spectrum[0] - 8 - 1e-9)
    enumerated = {"method": "enumeration"}
    delta = Fraction(up(L2)) - Fraction(down(M2))
    delta /= Fraction(up(L2)) + Fraction(down(M2))
    Y = exact_matrix(np.array([[0.375, 0, 0.25, 0.25], [0, 0.375, 0.25, -0.25]]))
    made = {
        "largest, dual": ("largest-eigenvalue", {"s": 2, "bound": upper}, data, dual),
        "largest, enumerated": ("largest-eigenvalue", {"s": 2, "bound": up(L2)}, data, enumerated),
        "largest of G": ("largest-eigenvalue", {"s": 2, "bound": up(L2)}, {"G": exact_matrix(G)}, enumerated),
        "smallest, dual": ("smallest-eigenvalue", {"s": 2, "bound": lower}, data, dual),
        "smallest, enumerated": ("smallest-eigenvalue", {"s": 2, "bound": down(M2)}, data, enumerated),
        "largest, witness": (
            "largest-eigenvalue-witness",
            {"s": 2, "bound": exact(top[1])},
            data,
            {"method": "witness", **top[0]},
        ),
        "smallest, witness": (
            "smallest-eigenvalue-witness",
            {"s": 2, "bound": exact(low[1])},
            data,
            {"method": "witness", **low[0]},
        ),
        "isometry": (
            "isometry",
            {"s": 2, "quantity": "delta_scaled", "relation": "<=", "threshold": exact(delta**2), "power": 2},
            data,
            {"largest": {**enumerated, "bound": up(L2)}, "smallest": {**enumerated, "bound": down(M2)}},
        ),
        "isometry, refuted": (
            "isometry",
            {"s": 2, "quantity": "kappa", "relation": ">=", "threshold": exact(top[1] / low[1]), "power": 1},
            data,
            {
                "largest": {"method": "witness", "bound": exact(top[1]), **top[0]},
                "smallest": {"method": "witness", "bound": exact(low[1]), **low[0]},
            },
        ),
        "null space": (
            "null-space",
            {"s": 1, "bound": "1/2"},
            {"A": exact_matrix(WIDE)},
            {"method": "juditsky-nemirovski", "Y": Y},
        ),
        "null space, witness": (
            "null-space-witness",
            {"s": 1, "bound": "1/2"},
            {"A": exact_matrix(WIDE)},
            {"vector": ["1", "1", "-2", "0"]},
        ),
        "l1": (
            "l1-dual",
            {"support": [3, 2], "signs": [-1, 1]},
            {"A": exact_matrix(WIDE * [1, 1, 3, 3])},
            {"q": ["0", "1/3"]},
        ),
        "network": network(),
    }
    return {name: json.loads(Certificate(*parts).to_json()) for name, parts in made.items()}


VALID = valid()


def check(content):
    return checker.check_text(json.dumps(content))


def changed(name, path, value):
    """Return a valid certificate with one entry, at a path of keys, replaced."""
    content = copy.deepcopy(VALID[name])
    part = content
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value(part[path[-1]]) if callable(value) else value
    return content


@pytest.mark.parametrize("name", VALID)
def test_true_certificates_are_verified(name):
    report = check(VALID[name])
    assert report.valid, report.reason
    assert report.kind == VALID[name]["kind"]
    assert "matrix" in report.statement


def test_every_kind_is_known_and_tried():
    assert set(checker.RULES) == set(KINDS) == {one["kind"] for one in VALID.values()}


def shift(by):
    return lambda text: exact(Fraction(text) + Fraction(by))


# bounds moved past the truth by as little as an entry allows; other data or another proof for the same claim
FALSE = [
    ("largest, dual", ("claim", "bound"), down(L2)),
    ("largest, dual", ("claim", "s"), 3),
    ("largest, dual", ("proof", "U", 0, 0), shift(30)),
    ("largest, dual", ("data", "A", 0, 0), "50"),
    ("largest, enumerated", ("claim", "bound"), shift("-1/500")),
    ("largest, enumerated", ("claim", "s"), 3),
    ("largest, enumerated", ("data", "A", 1, 1), "9"),
    ("largest of G", ("data", "G", 2, 2), "100"),
    ("smallest, dual", ("claim", "bound"), up(M2)),
    ("smallest, dual", ("proof", "U", 1, 1), shift(-30)),
    ("smallest, enumerated", ("claim", "bound"), shift("1/500")),
    ("smallest, enumerated", ("data", "A"), [["1"] * 5] * 6),
    ("largest, witness", ("claim", "bound"), shift(Fraction(1, 10**30))),
    ("largest, witness", ("claim", "s"), 1),
    ("largest, witness", ("proof", "vector", 0), "0"),
    ("largest, witness", ("proof", "vector"), ["0", "0"]),
    ("largest, witness", ("data", "A"), [["0"] * 5] * 6),
    ("smallest, witness", ("claim", "bound"), shift(Fraction(-1, 10**30))),
    ("smallest, witness", ("proof", "support"), [0, 0]),
    ("isometry", ("claim", "threshold"), shift(Fraction(-1, 10**30))),
    ("isometry", ("claim", "relation"), "<"),
    ("isometry", ("claim", "relation"), ">"),
    ("isometry", ("claim", "power"), 1),
    ("isometry", ("claim", "quantity"), "delta_raw"),
    ("isometry", ("claim", "s"), 3),
    ("isometry", ("proof", "largest", "bound"), shift("-1/500")),
    ("isometry", ("proof", "smallest", "bound"), shift("1/500")),
    ("isometry", ("proof", "smallest", "bound"), "0"),
    ("isometry, refuted", ("claim", "threshold"), shift(Fraction(1, 10**30))),
    ("isometry, refuted", ("claim", "relation"), ">"),
    ("isometry, refuted", ("claim", "relation"), "<="),
    ("isometry, refuted", ("proof", "largest", "bound"), shift("1/1000")),
    ("isometry, refuted", ("proof", "largest", "bound"), "-1"),
    ("isometry, refuted", ("proof", "smallest", "vector", 0), "0"),
    ("null space", ("claim", "bound"), "499999999/1000000000"),
    ("null space", ("claim", "s"), 2),
    ("null space", ("proof", "Y", 0, 0), "0"),
    ("null space", ("data", "A", 0, 0), "1"),
    ("null space, witness", ("claim", "bound"), "500000001/1000000000"),
    ("null space, witness", ("proof", "vector", 0), "1000000001/1000000000"),
    ("null space, witness", ("proof", "vector"), ["0"] * 4),
    ("null space, witness", ("data", "A", 0, 2), "1000000001/1000000000"),
    ("l1", ("claim", "signs"), [1, 1]),
    ("l1", ("claim", "support"), [3]),
    ("l1", ("claim", "support"), [3, 1]),
    ("l1", ("proof", "q", 1), "333333333/1000000000"),
    ("l1", ("proof", "q", 0), "1/1000000000"),
    ("l1", ("data", "A", 1, 1), "3"),
    ("network", ("claim", "sigma"), shift("1/50")),
    ("network", ("claim", "sigma"), "0"),
    ("network", ("claim", "residual"), shift(Fraction(-1, 10**30))),
    ("network", ("claim", "residual"), shift(1)),  # true, but then the network of least residual may be anywhere
    ("network", ("claim", "residual"), shift(-1)),
    ("network", ("claim", "lines", 0, "radius"), shift("1/1000")),
    ("network", ("claim", "lines", 0, "radius"), "0"),
    ("network", ("claim", "lines", 0, "reach"), shift("1/1000")),
    ("network", ("claim", "lines", 0, "reach"), shift("-1/1000")),
    ("network", ("claim", "lines", 0, "weights", 0), shift(Fraction(1, 10**30))),
    ("network", ("claim", "lines", 0, "sign"), 1),
    ("network", ("claim", "lines", 0, "gate"), "relu"),
    ("network", ("claim", "lines", 0, "inputs"), [1, 0]),
    ("network", ("claim", "lines", 0, "inputs"), [0, 0]),
    ("network", ("claim", "lines"), lambda lines: lines * 2),
    ("network", ("claim", "axes", "weights", 0), shift(Fraction(1, 10**30))),
    ("network", ("claim", "linear", "weights", 0), shift(Fraction(1, 10**30))),
    ("network", ("claim", "units", 0), "1/4"),
    ("network", ("claim", "units", 0), "3"),
    ("network", ("data", "X", 2, 1), shift(Fraction(1, 10**30))),
    ("network", ("data", "X", 2), ["0", "0"]),
    ("network", ("data", "y", 4), shift(Fraction(1, 10**30))),
    ("network", ("proof", "bits"), 6),
    ("network", ("proof", "rows"), [0, 1, 2, 3]),
    ("network", ("proof", "rows"), [0, 1, 2, 3, 4, 4, 5]),
]


@pytest.mark.parametrize(("name", "path", "value"), FALSE)
def test_what_was_tampered_with_is_refused(name, path, value):
    content = changed(name, path, value)
    assert content != VALID[name]
    report = check(content)
    assert not report.valid
    assert report.reason
    assert report.statement == ""


def test_a_false_claim_passes_with_no_proof_whatever():
    # the truth lies between up(L2) - 1/1000 and up(L2): any U at all proves no more
    false = changed("largest, dual", ("claim", "bound"), down(L2))
    for scale in (0.0, 0.5, 1.0, 3.0):
        U = RNG.standard_normal((5, 5)) * scale
        false["proof"]["U"] = exact_matrix(U + U.T)
        assert not check(false).valid


def test_dependent_columns_on_the_support_are_refused():
    doubled = Certificate("l1-dual", {"support": [0, 1], "signs": [1, 1]}, {"A": [["1", "1", "0"]]}, {"q": ["1"]})
    assert doubled.check().reason == "the columns of the support are dependent"
    tight = Certificate("l1-dual", {"support": [0], "signs": [1]}, {"A": [["1", "1", "0"]]}, {"q": ["1"]})
    assert "between -1 and 1, for index 1" in tight.check().reason


def test_bounds_that_are_exactly_tight_are_verified():
    # singular pivots: equal columns have L_2 = 2 |a|^2 and m_2 = 0; the unit matrix has both 1
    for matrix, low, high in (([["3", "3"], ["4", "4"]], "0", "50"), ([["1", "0"], ["0", "1"]], "1", "1")):
        for kind, bound, past in (("largest", high, -1), ("smallest", low, 1)):
            for proof in ({"method": "enumeration"}, {"method": "dual", "U": [["0", "0"], ["0", "0"]]}):
                made = Certificate(f"{kind}-eigenvalue", {"s": 2, "bound": bound}, {"A": matrix}, proof)
                assert made.check().valid
                moved = exact(Fraction(bound) + past * Fraction(1, 10**60))
                made = Certificate(f"{kind}-eigenvalue", {"s": 2, "bound": moved}, {"A": matrix}, proof)
                assert not made.check().valid


def triangle(M):
    return [row[k:] for k, row in enumerate(M.tolist())]


def test_elimination_agrees_with_minors_on_small_integer_matrices():
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(600):
        B = rng.integers(-2, 3, (3, rng.integers(1, 5)))
        M = B @ B.T - rng.integers(0, 2) * np.diag(rng.integers(0, 3, 3))
        minors = [round(np.linalg.det(M[np.ix_(S, S)])) for k in (1, 2, 3) for S in itertools.combinations(range(3), k)]
        leading = [round(np.linalg.det(M[:k, :k])) for k in (1, 2, 3)]
        assert checker._semidefinite(triangle(M)) == (min(minors) >= 0)
        assert checker._semidefinite(triangle(M), strictly=True) == (min(leading) > 0)
        seen.add((min(minors) >= 0, min(leading) > 0))
    assert seen == {(True, True), (True, False), (False, False)}


HOSTILE = ["NaN", "inf", "1e5", "0x1", "1/0", "1/-2", " 1", "", "1_0", "٣", "9" * 5000, "1/" + "9" * 5000]
STRANGE = [*HOSTILE, None, True, 7, 1.5, [], {}, [["1"]], -7, 10**18]


@pytest.mark.parametrize("name", VALID)
def test_no_entry_may_be_something_strange(name):
    """Every entry of every part is replaced by what is no number, list or choice."""

    def paths(part, at=()):
        if isinstance(part, dict):
            for key in part:
                yield (*at, key)
                yield from paths(part[key], (*at, key))
        if isinstance(part, list) and part:
            yield (*at, 0)
            yield from paths(part[0], (*at, 0))

    tried = 0
    for path in paths({key: VALID[name][key] for key in ("format", "version", "kind", "claim", "data", "proof")}):
        for strange in STRANGE:
            report = check(changed(name, path, strange))
            assert not report.valid, (path, strange)
            tried += 1
    assert tried > 100


@pytest.mark.parametrize("name", VALID)
def test_nothing_may_be_missing_ragged_or_added(name):
    for part in ("claim", "data", "proof"):
        for key in VALID[name][part]:
            content = copy.deepcopy(VALID[name])
            del content[part][key]
            assert not check(content).valid
        content = copy.deepcopy(VALID[name])
        content[part]["more"] = "1"
        assert check(content).valid == (part == "proof")
    content = copy.deepcopy(VALID[name])
    next(iter(content["data"].values()))[-1].pop()
    assert not check(content).valid
    content = copy.deepcopy(VALID[name])
    del content["format"]
    assert not check(content).valid
    content = {**VALID[name], "approved": True}
    assert not check(content).valid


def test_matrices_of_proofs_have_the_right_shape():
    assert "U is not symmetric" in check(changed("largest, dual", ("proof", "U", 0, 1), "1/7")).reason
    assert not check(changed("largest of G", ("data", "G", 0, 1), "1/7")).valid
    assert not check(changed("largest, dual", ("proof", "U"), [["0"] * 4] * 4)).valid
    assert not check(changed("largest, dual", ("proof", "U", 2), ["0"] * 6)).valid
    assert not check(changed("null space", ("proof", "Y"), [["0"] * 4])).valid
    assert not check(changed("largest, dual", ("claim", "s"), 0)).valid
    assert not check(changed("largest, dual", ("claim", "s"), 6)).valid


EXTREME = {
    "exponent": '"bound": "1e999999999"',
    "number with an exponent": '"bound": 1e999999999',
    "digits": '"bound": "' + "9" * 100_000 + '"',
    "integer": '"bound": ' + "9" * 100_000,
    "s without end": '"bound": "1", "s": ' + "9" * 4000,
    "s as float": '"bound": "1", "s": 1e300',
    "infinity": '"bound": Infinity',
    "minus infinity": '"bound": -Infinity',
    "not a number": '"bound": NaN',
    "minus zero over zero": '"bound": "-0/0"',
    "hexadecimal": '"bound": "0x1p3"',
    "nested": '"bound": ' + "[" * 100_000,
    "nested and closed": '"bound": ' + "[" * 100_000 + "]" * 100_000,
    "twice": '"bound": "1", "bound": "2"',
}


@pytest.mark.parametrize("integers", [0, 4300])
@pytest.mark.parametrize("name", EXTREME)
def test_extreme_numbers_are_refused_with_a_sentence_and_at_once(name, integers):
    """Also where the host program has lifted Python's limit of digits."""
    text = '{"format": "recovery-certificate", "version": 1, "kind": "largest-eigenvalue", "claim": {"s": 1, %s}, '
    text = text % EXTREME[name] + '"data": {"A": [["1"]]}, "proof": {"method": "enumeration"}}'
    before, begin = sys.get_int_max_str_digits(), time.process_time()
    sys.set_int_max_str_digits(integers)
    try:
        report = checker.check_text(text)
    finally:
        sys.set_int_max_str_digits(before)
    assert time.process_time() - begin < 1.0
    assert not report.valid
    assert 10 < len(report.reason) <= 300


def test_numbers_need_not_be_in_lowest_terms():
    for bound, zero in (("2/2", "0/7"), ("-0/5", "0"), ("4/2", "-0")):
        value = Fraction(bound)
        matrix = [["6/6" if value == 1 else str(value), zero]]
        made = Certificate(
            "largest-eigenvalue", {"s": 1, "bound": str(value**2)}, {"A": matrix}, {"method": "enumeration"}
        )
        assert made.check().valid
        assert not dataclasses.replace(made, claim={"s": 1, "bound": str(value**2 - Fraction(1, 10**9))}).check().valid


def test_a_text_that_would_fill_the_memory_is_refused_unread():
    for text in ('["11",' * 1_000_000, "[[]," * 1_000_000):
        report = checker.check_text(text, gigabytes=0.05)
        assert report.reason.startswith("the arithmetic would take too long")


TEXTS = {
    "empty": "",
    "list": "[]",
    "number": "1",
    "nesting": "[" * 200_000,
    "digits": "9" * 100_000,
    "constant": '{"format": NaN}',
    "surrogates": '{"kind": "\\ud800"}',
    "twice": json.dumps(VALID["l1"]).replace('"claim":', '"claim": {"support": [], "signs": []}, "claim":'),
    "cut": json.dumps(VALID["l1"])[:-20],
}


@pytest.mark.parametrize("name", TEXTS)
def test_any_text_gets_an_answer(name):
    report = checker.check_text(TEXTS[name])
    assert not report.valid
    assert report.reason
    report.reason.encode("utf-8")


@pytest.mark.parametrize("name", VALID)
def test_a_character_more_less_or_other_never_raises(name):
    text, rng = json.dumps(VALID[name]), np.random.default_rng(0)
    proved = VALID[name]["claim"]
    for _ in range(60):
        at, letter = int(rng.integers(len(text))), '0123456789-/",[]{}:e'[rng.integers(20)]
        for other in (text[:at] + letter + text[at + 1 :], text[:at] + letter + text[at:], text[:at] + text[at + 1 :]):
            report = checker.check_text(other)
            if report.valid and json.loads(other)["claim"] == proved:
                assert report.statement == check(VALID[name]).statement


def enumerated(row, s, bound="1"):
    return Certificate("largest-eigenvalue", {"s": s, "bound": bound}, {"A": [row]}, {"method": "enumeration"})


def test_what_would_take_long_is_refused_at_once():
    primes = [p for p in range(10**6, 10**6 + 4000) if all(p % k for k in range(2, 1001))]
    row = [f"1/{p**600}" for p in primes[:200]]  # their common denominator has 2 million bits
    wide = Certificate("null-space-witness", {"s": 1, "bound": "0"}, {"A": [row]}, {"vector": row})
    sums = Certificate("null-space", {"s": 1, "bound": "1"}, {"A": [["1"] * 3000]}, nothing(3000))
    for made in (
        wide,
        enumerated(["1"] * 60, 30),
        enumerated(["1"] * 3000, 2),
        sums,
        enumerated(["1"] * 60_000, 30_000),
    ):
        begin = time.process_time()
        report = made.check(seconds=1.0)
        assert time.process_time() - begin < 1.0
        assert not report.valid
        assert report.reason.startswith("the arithmetic would take too long: about ")
        assert report.reason.endswith(" GB; allowed are 1 s and 2 GB")
        assert report.seconds > 1.0


def nothing(N):
    return {"method": "juditsky-nemirovski", "Y": [["0"] * N]}


def test_memory_is_bounded_too():
    made = enumerated(["1"] * 2000, 2, "2")
    assert "allowed are 1e+06 s and 0.05 GB" in made.check(seconds=1e6, gigabytes=0.05).reason
    report = enumerated(["1"] * 300, 2, "2").check()
    assert report.valid
    assert 0.0 < report.gigabytes < 0.1


@pytest.mark.parametrize(("N", "seconds"), [(3000, 1.0), (8000, 2.0)])
def test_one_row_and_one_column_at_a_time_is_quick(N, seconds):
    begin = time.process_time()
    report = enumerated(["1"] * N, 1).check(seconds=seconds)
    assert report.valid, report.reason
    assert time.process_time() - begin < 2 * seconds
    assert not enumerated(["1"] * (N - 1) + ["2"], 1).check().valid


def test_more_may_be_allowed():
    made = enumerated(["1"] * 300, 2, "2")
    assert not made.check(seconds=0.01).valid
    assert made.check(seconds=5.0).valid


NEAR = [  # (value, up, shown)
    (Fraction(10**12 + 1, 10**12), True, "1.00000000001"),
    (Fraction(10**12 + 1, 10**12), False, "1.0"),
    (Fraction(-(10**12) - 1, 10**12), True, "-1.0"),
    (Fraction(-(10**12) - 1, 10**12), False, "-1.00000000001"),
    (Fraction(-(10**400)), True, "-1.0e+400"),
    (Fraction(-(10**400) - 1), True, "-1.0e+400"),
    (Fraction(-(10**400) - 1), False, "-1.00000000001e+400"),
    (Fraction(10**400 - 1), True, "1.0e+400"),
    (Fraction(10**400 - 1), False, "9.99999999999e+399"),
    (Fraction(1, 10**400 + 1), True, "1.0e-400"),
    (Fraction(1, 10**400 + 1), False, "9.99999999999e-401"),
    (Fraction(0), True, "0"),
    (Fraction(-3, 7), False, "-3/7"),
    (Fraction(0.1), False, "0.1"),
    (Fraction(0.1), True, "0.100000000001"),
    (Fraction(123456789012345678), True, "1.23456789013e+17"),
    (Fraction(123456789012), False, "123456789012"),
    (Fraction(1234567890123, 10), True, "123456789013.0"),
    (Fraction(1, 10**12) + Fraction(1, 10**30), True, "1.00000000001e-12"),
    (Fraction(10**30 + 1, 10**33), True, "0.00100000000001"),
]


@pytest.mark.parametrize(("value", "up", "text"), NEAR)
def test_numbers_are_shown_on_the_safe_side(value, up, text):
    shown = checker._show(value, up)
    assert shown.split("...")[0] == text
    assert (Fraction(text) >= value) if up else (Fraction(text) <= value)
    assert ("rounded" in shown) == (Fraction(text) != value) or value == 10**400 * -1


def test_any_number_is_shown_on_the_safe_side():
    rng = np.random.default_rng(0)
    for _ in range(3000):
        value = Fraction(float(rng.standard_normal())) * Fraction(10) ** int(rng.integers(-600, 600))
        for up in (True, False):
            text = Fraction(checker._show(value, up).split("...")[0])
            assert (text >= value) if up else (text <= value)
            assert abs(text - value) <= abs(value) / 10**11


def test_the_statement_has_the_sign_and_the_side_of_what_was_proved():
    zero = {"A": [["0", "0"]]}
    low = Certificate("smallest-eigenvalue", {"s": 1, "bound": str(-(10**310) - 7)}, zero, {"method": "enumeration"})
    assert "|A x|^2 >= -1.00000000001e+310... (rounded down; in full in the file) |x|^2" in low.check().statement
    third = Fraction(1, 3) + Fraction(1, 10**40)
    above = Certificate("largest-eigenvalue", {"s": 1, "bound": str(third)}, zero, {"method": "enumeration"})
    assert "<= 0.333333333334..." in above.check().statement
    witness = {"method": "witness", "support": [0], "vector": ["1"]}
    unit = {"A": [["1"]]}
    shown = Certificate("largest-eigenvalue-witness", {"s": 1, "bound": str(1 - third)}, unit, witness)
    assert ">= 0.666666666666..." in shown.check().statement
    shown = Certificate("smallest-eigenvalue-witness", {"s": 1, "bound": str(1 + third)}, unit, witness)
    assert "<= 1.33333333334..." in shown.check().statement
    bound = changed("null space", ("claim", "bound"), str(Fraction(1, 2) + third / 10**6))
    assert "at most 0.500000333334..." in check(bound).statement
    bound = changed("null space, witness", ("claim", "bound"), str(Fraction(1, 2) - third / 10**6))
    assert "has 0.499999666666... (rounded down; in full in the file) or more" in check(bound).statement
    delta = Fraction(VALID["isometry"]["claim"]["threshold"]) + third / 10**20
    said = check(changed("isometry", ("claim", "threshold"), str(delta))).statement
    assert Fraction(said.split("<= ")[1].split("...")[0]) >= delta
    kappa = Fraction(VALID["isometry, refuted"]["claim"]["threshold"]) - third / 10**20
    said = check(changed("isometry, refuted", ("claim", "threshold"), str(kappa))).statement
    assert Fraction(said.split(">= ")[1].split("...")[0]) <= kappa


def test_it_imports_the_standard_library_alone_and_can_be_read_in_one_sitting():
    source = Path(checker.__file__).read_text()
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
    assert names <= sys.stdlib_module_names
    assert sum(bool(line.strip()) for line in source.splitlines()) <= 750


def test_it_runs_alone_and_its_exit_code_says_whether_all_were_verified(tmp_path):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(VALID["l1"]))
    enumerated(["1"] * 200, 2, "2").save(bad)
    run = [sys.executable, "-I", checker.__file__]
    for arguments, code, said in (
        ([good], 0, "good.json: verified: every x with"),
        ([good, bad, "--seconds", "0.01"], 1, "bad.json: NOT verified: the arithmetic would take too long"),
        ([bad], 0, "bad.json: verified"),
    ):
        done = subprocess.run([*run, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert said in done.stdout


def isometry(matrix, quantity, relation, threshold, high, low, s=2):
    claim = {"s": s, "quantity": quantity, "relation": relation, "threshold": threshold, "power": 1}
    return Certificate("isometry", claim, {"A": matrix}, {"largest": high, "smallest": low}).check().valid


def test_both_sides_of_an_isometry_count():
    enumerated = {"method": "enumeration"}
    for matrix, high, low in (([["2", "0"], ["0", "1"]], 4, 1), ([["1", "0"], ["0", "1/2"]], 1, Fraction(1, 4))):
        parts = [{**enumerated, "bound": str(bound)} for bound in (high, low)]
        raw = max(1 - low, high - 1)
        for quantity, value in (("delta_raw", raw), ("kappa", high / low), ("delta_scaled", Fraction(3, 5))):
            value = Fraction(value)
            assert isometry(matrix, quantity, "<=", str(value), *parts)
            assert not isometry(matrix, quantity, "<", str(value), *parts)
            assert not isometry(matrix, quantity, "<=", str(value - Fraction(1, 10**20)), *parts)


def test_trivial_bounds_of_an_eigenvalue_prove_nothing():
    unit = [["1", "0"], ["0", "1"]]
    high, low = ({"method": "enumeration", "bound": bound} for bound in ("1", "-1000"))
    for quantity in ("kappa", "delta_scaled"):
        assert not isometry(unit, quantity, "<", "1/10", high, low)
    # true bounds, and a quotient of two negative numbers
    high, low = ({"method": "witness", "support": [0], "vector": ["1"], "bound": bound} for bound in ("-1", "1"))
    assert not isometry(unit, "kappa", ">", "-2", high, low)
    high["bound"] = "-1/2"
    assert not isometry(unit, "delta_scaled", ">", "-4", high, low)


def test_dependent_columns_have_an_infinite_condition_number():
    equal = [["1", "1"], ["1", "1"]]
    high = {"method": "witness", "support": [0, 1], "vector": ["1", "1"], "bound": "4"}
    low = {"method": "witness", "support": [0, 1], "vector": ["1", "-1"], "bound": "0"}
    assert isometry(equal, "kappa", ">", "1000000", high, low)
    assert not isometry(equal, "kappa", "<", "1000000", high, low)
    assert isometry(equal, "delta_scaled", ">=", "1", high, low)
    assert not isometry(equal, "delta_scaled", ">", "1", high, low)


@pytest.mark.parametrize("sign", [2, 0, -1, True])
def test_signs_are_signs(sign):
    q = [str(int(sign))]
    made = Certificate("l1-dual", {"support": [0], "signs": [sign]}, {"A": [["1", "0"]]}, {"q": q})
    assert made.check().valid == (sign == -1)


def test_what_follows_for_l1_is_said_where_it_follows():
    said = {}
    for kind, bound in (("null-space", "1/2"), ("null-space", "3/4"), ("null-space-witness", "1/2")):
        name = "null space" if kind == "null-space" else "null space, witness"
        report = check(changed(name, ("claim", "bound"), bound))
        assert report.valid
        said[kind, bound] = "l1 minimisation" in report.statement
    assert said == {("null-space", "1/2"): False, ("null-space", "3/4"): False, ("null-space-witness", "1/2"): True}
    # of the null vector (1, 1, 1) each entry holds a third
    third = {"A": [["1", "-1", "0"], ["0", "1", "-1"]]}
    lower = Certificate("null-space-witness", {"s": 1, "bound": "1/3"}, third, {"vector": ["1", "1", "1"]})
    Y = [["2/3", "-1/3", "-1/3"], ["1/3", "1/3", "-2/3"]]
    upper = Certificate("null-space", {"s": 1, "bound": "1/3"}, third, {"method": "juditsky-nemirovski", "Y": Y})
    assert lower.check().valid
    assert "l1 minimisation" not in lower.check().statement
    assert "l1 minimisation recovers every x with at most 1 non-zeros" in upper.check().statement
