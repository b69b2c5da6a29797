"""Conditions beside solvers: verdicts against the guarantees, restricted bounds against enumeration, violations."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

import planted
from paper_repro import experiment as experiments
from paper_repro.experiments import conditions
from paper_repro.experiments.conditions import CONDITIONS, GUARANTEES, Spreads
from paper_repro.experiments.solvers import unit_norm
from paper_repro.store import Record
from recovery import GatedOperator, Instance
from recovery.conditions import neural_isometry, null_space_constant
from recovery.guarantees.linear import basis_pursuit, descent, omp, scaled_thresholding

NAMED = {
    "coherence": "l1-coherence",
    "babel": "l1-babel",
    "erc": "l1-exact-recovery",
    "irrepresentable": "l1-irrepresentable",
    "isometry-l1": "l1-restricted-isometry",
    "isometry-omp": "omp-restricted-isometry",
    "isometry-iht": "iht-scaled-golden-ratio",
    "isometry-htp": "htp-scaled-isometry",
    "grades": "iht-condition-number",
    "niht": "niht-condition-number",
}
"""The conditions whose guarantee takes a plain matrix."""


def guarantee(name):
    families = (basis_pursuit, omp, scaled_thresholding, descent)
    return next(one for family in families for one in family.guarantees() if one.name == name)


def columns(seed, n=40, size=8, mix=0.0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, size))
    return unit_norm(A + mix * A[:, :1])


def test_verdicts_are_those_of_the_guarantees():
    kinds = {name: set() for name in NAMED}
    for seed in range(8):
        A = columns(seed, n=(9, 12, 40, 300)[seed % 4], mix=0.3 * (seed // 4))
        multipliers = conditions.multipliers_of(A)
        rng = np.random.default_rng(seed)
        for s in (1, 2):
            w = np.zeros(8)
            w[rng.permutation(8)[:s]] = rng.choice([-1.0, 2.0], s)
            verdicts = conditions.judge(A, w, A, 4, Spreads(A), multipliers)
            assert set(verdicts) == set(CONDITIONS)
            for name, other in NAMED.items():
                holds = verdicts[name] is not False
                assert guarantee(other).check(Instance.planted(A, w)).status == ("holds" if holds else "fails"), (
                    name,
                    s,
                )
                kinds[name].add(holds)
    assert all(found == {True, False} for found in kinds.values()), kinds


@pytest.mark.parametrize("n", [6, 30, 400])
def test_restricted_ratios_are_those_of_all_supports(n):
    A = columns(7, n=n, size=9, mix=0.1)
    for order in (2, 4, 6):
        values = [np.linalg.eigvalsh(A[:, S].T @ A[:, S]) for S in itertools.combinations(range(9), min(order, 9))]
        low, high = min(one[0] for one in values), max(one[-1] for one in values)
        ratio = high / max(low, 1e-300)
        for limit in (1.2, 2.0, 4.0, 0.999 * ratio, 1.001 * ratio):
            shown = Spreads(A).below(order, limit)
            assert (shown is not False) == (ratio < limit and low > 1e-12), (order, limit)
            if shown is not False:
                assert shown[0] <= low * (1 + 1e-9)
                assert shown[1] >= high * (1 - 1e-9)
                assert shown[1] / shown[0] < limit


def test_what_is_out_of_reach_is_unknown_and_not_guessed(monkeypatch):
    A = columns(1, n=30, size=10)
    limit = 1.01 * np.divide(*Spreads(A).below(5, 1000.0)[::-1])  # above the ratio of the whole spectrum
    low, high = Spreads(A)._enumerate(5)
    limit = (high / low + limit) / 2  # between the two: only enumeration decides
    assert isinstance(Spreads(A).below(5, limit), tuple)
    monkeypatch.setattr(conditions, "ENUMERATED", 50)
    monkeypatch.setattr(conditions, "CHEAP", 50)
    assert Spreads(A).below(5, limit) is None
    assert Spreads(A).below(5, 1.1) is False  # pairs of columns refute it
    assert isinstance(Spreads(A).below(5, 1000.0), tuple)  # the whole spectrum shows it


@pytest.mark.parametrize("seed", range(4))
def test_the_group_value_is_that_of_neural_isometry(seed):
    X, _, H, w = planted.gated_model(60, 4, 5, 2, rng=seed)
    operator = GatedOperator.from_generators(X, H)
    A = operator.columns(np.arange(20))
    wanted = neural_isometry(X, operator.gates(), w).value
    assert conditions.group_value(A, w, 4) == pytest.approx(wanted, rel=1e-9)
    smaller = conditions.compress(A)
    assert smaller.shape == (20, 20)
    np.testing.assert_allclose(smaller.T @ smaller, A.T @ A, atol=1e-10)
    assert conditions.group_value(smaller, w, 4) == pytest.approx(wanted, rel=1e-9)


def test_dependent_blocks_have_no_group_value():
    A = columns(0, n=5, size=8)
    assert math.isinf(conditions.group_value(A, np.r_[1.0, np.zeros(6), 1.0], 4))


def test_equal_columns_are_no_case_for_the_null_space():
    A = columns(3, n=5, size=8)
    A[:, 3] = A[:, 6]
    multipliers = conditions.multipliers_of(A)
    w = np.r_[np.zeros(3), 1.0, np.zeros(4)]
    assert conditions.judge(A, w, A, 4, Spreads(A), multipliers)["null-space"] is False
    assert null_space_constant(A, 1).upper >= 0.5
    tall = unit_norm(np.concatenate([A, A[:4]]))  # more rows, and the two columns still equal
    assert conditions.multipliers_of(tall) is not None
    assert conditions.multipliers_of(columns(3, n=9)) is None


def test_the_null_space_verdict_is_that_of_the_proved_bound():
    held = []
    for seed in range(6):
        A = columns(seed, n=6)
        for s in (1, 2):
            w = np.r_[np.ones(s), np.zeros(8 - s)]
            shown = conditions.judge(A, w, A, 4, Spreads(A), conditions.multipliers_of(A))["null-space"]
            exact = null_space_constant(A, s)
            assert shown == (exact.upper < 0.5)
            assert not (shown and exact.lower >= 0.5)
            held.append(shown)
    assert 0 < sum(held) < 12


def test_weights_are_nested_and_the_same_for_both_operators():
    cells = [conditions.ConditionsCell(operator, 30, 2, 1) for operator in conditions.OPERATORS]
    (A, nested), (other, same) = (conditions.draw_problem(cell, 0) for cell in cells)
    assert [np.count_nonzero(w) for w in nested] == [1, 2, 3]
    for before, after in itertools.pairwise(nested):
        np.testing.assert_array_equal(after[before != 0], before[before != 0])
    np.testing.assert_array_equal(nested, same)
    assert A.shape == other.shape == (30, 24)


@pytest.mark.parametrize("operator", conditions.OPERATORS)
def test_a_cell_finds_no_violation(operator):
    cell = conditions.ConditionsCell(operator, 200, 1, 2, s_max=2, d=4, p=3)
    metrics, found = conditions.compute(cell, "cpu")
    assert metrics == {"trials": 2, "violations": 0}
    for name in CONDITIONS:
        assert found[name].shape == (2, 2)
        assert set(np.unique(found[name])) <= {-1, 0, 1}
    for solver, names in GUARANTEES.items():
        assert np.isfinite(found[f"solver {solver}"]).all()
        for name in names:  # prescribed runs belong to conditions that hold
            np.testing.assert_array_equal(np.isfinite(found[f"solver {solver} {name}"]), found[name] == 1)
    assert (found["isometry-iht"] == 1).all() == (operator == "gaussian")


def test_all_solvers_of_a_trial_are_given_the_same_labels(monkeypatch):
    seen = {}

    def look(method, A, w, width):
        seen.setdefault(np.count_nonzero(w), {})[method] = (A, A @ w)
        return 0.0

    monkeypatch.setattr(conditions, "relative_error", look)
    monkeypatch.setattr(conditions, "as_prescribed", lambda *given, **options: 0.0)
    conditions.compute(conditions.ConditionsCell("relu", 10, 0, 1, s_max=2, d=4, p=3), "cpu")
    for given in seen.values():
        assert set(given) == set(GUARANTEES)
        for method, (A, y) in given.items():
            np.testing.assert_allclose(y, given["htp"][1], rtol=1e-12, atol=1e-12)
            units = np.allclose(np.linalg.norm(A, axis=0), 1.0)
            assert units == (method != "group-l1")  # that program is about the columns as they are


def made(**changed):
    shape = (4, 3)
    found = {name: np.zeros(shape, dtype=np.int8) for name in CONDITIONS}
    found |= {f"solver {solver}": np.zeros(shape) for solver in GUARANTEES}
    found |= {f"solver {a} {b}": np.full(shape, np.nan) for a in GUARANTEES for b in GUARANTEES[a]}
    for name, values in changed.items():
        found[name.replace("__", " ").replace("_", "-")][:, 1] = values
    experiment = experiments.get("conditions")
    cell = conditions.ConditionsCell("relu", 48, 0, 4)
    return conditions.summarise("quick", 0, [Record(experiment.cell(cell), "done", "", {}, found)])


def test_shares_unknowns_and_what_never_holds():
    summary = made(isometry_htp=[1, -1, -1, 0], solver__htp=[0, 0, 1, 0], solver__htp__isometry_htp=[0, *[np.nan] * 3])
    panel = next(one for one in summary["panels"] if (one["operator"], one["s"], one["solver"]) == ("relu", 2, "htp"))
    assert panel["solved"]["rate"] == [0.75]
    curve = panel["curves"]["isometry-htp"]
    assert (curve["rate"], curve["possible"]) == ([0.25], [0.75])
    assert panel["never"] == []
    other = next(one for one in summary["panels"] if (one["s"], one["solver"]) == (2, "niht"))
    assert other["never"] == ["niht"]
    row = dict(zip(summary["table"]["columns"], summary["table"]["rows"][1], strict=True))
    assert (row["s"], row["n"], row["HTP"][:4]) == (2, 48, "0.75")
    assert row[CONDITIONS["isometry-htp"]].endswith("] +2?")
    assert summary["violations"] == 0
    assert "1 runs, 0 failures" in " ".join(summary["notes"])
    assert "1 of 4 for s = 2" in " ".join(summary["notes"])


def test_a_violation_is_said_first():
    summary = made(erc=[1, 1, 0, 0], solver__omp__erc=[0.0, 0.5, np.nan, np.nan])
    assert summary["violations"] == 1
    assert summary["notes"][0].startswith("VIOLATION: 1 runs failed")


def test_the_limits_are_those_of_the_statements():
    assert Fraction(2) / Fraction(conditions.NIHT_KAPPA).limit_denominator(100) == Fraction(40, 21)
    assert conditions.GOLDEN**2 + conditions.GOLDEN == pytest.approx(1)
    assert conditions.OPERATOR_LABELS.keys() == set(conditions.OPERATORS)
