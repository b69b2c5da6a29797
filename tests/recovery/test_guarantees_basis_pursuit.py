"""Basis pursuit without noise: the program as a conclusion, the limits, gated samplers, and variants that are false."""

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest
from theory import CITED, SECTIONS

from recovery import GatedOperator, Instance, solve
from recovery.guarantees import attack, controls, draw, ledger
from recovery.guarantees.linear import basis_pursuit, l1_program, uniqueness
from recovery.guarantees.linear import l1_program as wide_samplers

ROOT = Path(__file__).parents[2]
KNOWN = {one.name: one for one in [*basis_pursuit.guarantees(), *uniqueness.guarantees()]}
ALL = pytest.mark.parametrize("name", KNOWN)


def null(*entries):
    """Return orthonormal rows with the null vector given."""
    return wide_samplers._complement(np.array(entries, dtype=float)[:, None])


def test_the_program_agrees_with_that_of_a_modelling_language():
    rng = np.random.default_rng(0)
    both = set()
    for _ in range(8):
        A, x = rng.standard_normal((5, 9)) * np.exp(rng.standard_normal(9)), np.zeros(9)
        x[:3] = rng.choice([-1.0, 1.0], 3)
        weights = np.linalg.norm(A, axis=0)
        found = l1_program.compare(A, x, weights)
        np.testing.assert_allclose(A @ found.z, A @ x, atol=1e-9)
        other = solve(A, A @ x, 5, "l1")  # at most n = 5 entries of a vertex are not 0
        np.testing.assert_allclose(found.z, other.x, atol=1e-6)
        both.add(found.distance < 1e-9)
    assert both == {True, False}


def test_the_two_programs_of_the_conclusion_agree():
    rng = np.random.default_rng(1)
    outcome, seen = l1_program.recovers(normalise=False), []
    for _ in range(60):
        A, x = rng.standard_normal((5, 9)), np.zeros(9)
        k = int(rng.integers(1, 4))
        x[:k] = rng.standard_normal(k)
        verdict = outcome(Instance.planted(A, x))
        rho = l1_program.descent(A, np.arange(k), np.sign(x[:k]))
        assert verdict.status == ("holds" if rho < 1 else "fails")
        assert (verdict.margin > 0) == (verdict.status == "holds")
        seen.append(verdict.status)
    assert min(seen.count(one) for one in ("holds", "fails")) > 5


def test_the_descent_of_one_null_vector_is_its_ratio():
    h = np.array([1.0, -2.0, 3.0, 0.5])
    rho = l1_program.descent(null(*h), np.array([0, 1]), np.array([-1.0, 1.0]))
    assert rho == pytest.approx(3.0 / 3.5)
    assert l1_program.descent(null(*h), np.array([0, 1]), np.array([1.0, 1.0])) == pytest.approx(1.0 / 3.5)
    assert l1_program.descent(np.eye(3), np.array([0]), np.array([1.0])) == 0.0
    twice = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert l1_program.descent(twice, np.array([0, 1]), np.array([1.0, -1.0])) == math.inf


def test_a_tie_is_unknown_and_its_neighbours_are_not():
    outcome = l1_program.recovers(normalise=False)
    for first, status in ((1.999, "holds"), (2.0, "unknown"), (2.001, "fails")):
        assert outcome(Instance.planted(null(first, 1, 1), [1.0, 0, 0])).status == status


def test_two_weights_of_columns_are_two_programs():
    # of two columns along the data the longer one is cheaper, unless columns count as of unit norm
    A = np.array([[1.0, 2.0, 0.0], [0.3, 0.0, 1.0]])
    instance = Instance.planted(A, [1.0, 0.0, 0.0])
    assert l1_program.recovers(normalise=True)(instance).status == "holds"
    assert l1_program.recovers(normalise=False)(instance).status == "fails"


def test_the_isometry_limit_cannot_be_raised_much():
    guarantee = KNOWN["l1-restricted-isometry"]
    past = Instance.planted(null(2.001, 1, 1), [1.0, 0.0, 0.0])
    assert guarantee.check(past).status == "fails"
    assert guarantee.check(past).margin == pytest.approx(math.sqrt(0.5) / (5 / 7) - 1, abs=1e-3)
    false = dataclasses.replace(guarantee, hypotheses=basis_pursuit.isometry_rule(0.716))
    assert false.judge(past).violated
    # a scale of A changes nothing
    again = past.replace(A=7.0 * past.matrix)
    assert guarantee.check(again).margin == pytest.approx(guarantee.check(past).margin, abs=1e-12)


def test_the_spark_limit_is_attained():
    rng = np.random.default_rng(0)
    for k in (1, 2, 3):
        tied, free = wide_samplers.twin(rng, k, 0), wide_samplers.twin(rng, k, 1)
        for name in ("unique-spark", "unique-coherence"):
            assert KNOWN[name].check(tied).status != "holds"
            assert KNOWN[name].conclusion(tied).status == "fails"
            assert KNOWN[name].conclusion(free).status == "holds"
        assert KNOWN["unique-spark"].check(free).status == "holds"
        # that k columns are always independent is not enough
        false = dataclasses.replace(KNOWN["unique-spark"], hypotheses=uniqueness.spark_rule(1))
        assert false.judge(tied).violated


def test_the_coherence_limit_is_attained_by_a_simplex():
    # 2 k corners in 2 k - 1 dimensions: coherence 1 / (2 k - 1), and k of them are as good as the others
    for k in (2, 3):
        corners = null(*np.ones(2 * k))
        x = np.r_[np.ones(k), np.zeros(k)]
        for name in ("l1-coherence", "l1-babel", "l1-exact-recovery", "unique-coherence"):
            verdict = KNOWN[name].check(Instance.planted(corners, x))
            assert verdict.status != "holds"
            assert verdict.margin == pytest.approx(0.0, abs=1e-9)
        assert KNOWN["unique-coherence"].conclusion(Instance.planted(corners, x)).status == "fails"
        more = null(*np.ones(2 * k + 1))
        inside = Instance.planted(more, np.r_[x, 0.0])
        assert KNOWN["l1-coherence"].judge(inside).conclusion.status == "holds"
        assert KNOWN["l1-coherence"].check(inside).margin == pytest.approx(2 * k / (2 * k - 1) - 1)


def test_other_signs_are_another_question():
    rule = basis_pursuit.irrepresentable_rule
    instance = Instance.planted(null(1, -1, 1.2, 0.5), [1.0, 1.0, 0, 0])
    assert rule()(instance).status == "holds"
    flipped = instance.replace(x=np.array([1.0, -1.0, 0, 0]))
    assert KNOWN["l1-irrepresentable"].judge(flipped).check.status == "fails"
    assert KNOWN["l1-irrepresentable"].judge(flipped).conclusion.status == "fails"


def test_noise_is_refused_and_a_missing_field_is_unknown():
    for guarantee in KNOWN.values():
        instance = draw(guarantee, 3)
        assert guarantee.check(instance.replace(noise=np.full(instance.shape[0], 1e-3))).status == "fails"
        for name in ("x", "noise"):
            lacking = instance.replace(**{name: None, "y": instance.y})
            assert guarantee.check(lacking).status == guarantee.conclusion(lacking).status == "unknown"


@ALL
def test_no_violation_and_enough_instances_of_every_kind(name):
    count = 24
    instances = [draw(KNOWN[name], seed) for seed in range(count)]
    [tally] = ledger([KNOWN[name]], instances)
    assert tally.violations == 0
    assert tally.held >= 0.5 * count
    assert tally.plural >= 0.5 * tally.held
    assert not tally.bounded or tally.near >= 1
    assert len({one.options["design"] for one in instances}) >= 3
    assert tally.unknown + tally.undecided <= 1
    assert 2 * sum(one.shape[0] < one.shape[1] for one in instances) > count / 2


def test_gated_designs_are_gated_and_their_gates_come_from_generators():
    rng = np.random.default_rng(0)
    path, _ = wide_samplers.FAMILIES["gated_blank_rows"](rng, 6, 2)
    operator = path(0.4)
    assert isinstance(operator, GatedOperator)
    instance = Instance.planted(operator, np.eye(operator.shape[1])[0])
    X, gates = instance.gated
    np.testing.assert_array_equal(gates, np.column_stack([X[:, -1] >= 0, -X[:, -1] >= 0]))
    assert 1 <= (X[:, -1] == 0).sum() <= 2  # rows that both switch on
    drawn = [draw(KNOWN["l1-exact-recovery"], seed) for seed in range(30)]
    assert sum(one.gated is not None for one in drawn) >= 5
    assert operator.shape[0] <= operator.shape[1]


@ALL
def test_odd_instances_have_verdicts(name):
    A = np.random.default_rng(0).standard_normal((6, 4))
    for matrix in (A, A * [1.0, 0.0, 1.0, 1.0], A[:, [0, 1, 0, 2]], A[:2], np.zeros((6, 4)), A[:, :1]):
        for x in (np.zeros(4), np.ones(4), np.array([1.0, -1.0, 0.0, 0.0]), np.array([0.0, 0.0, 2.0, 1e-9])):
            assert not KNOWN[name].judge(Instance.planted(matrix, x[: matrix.shape[1]])).violated


def test_what_they_refer_to_exists():
    for one in KNOWN.values():
        assert all((ROOT / path).is_file() for path in re.findall(r"tests/\w+/\w+\.py", one.source + one.evidence))
        assert set(re.findall(CITED + r", section ([^;,]+)", one.source)) <= SECTIONS


@pytest.mark.slow
@ALL
def test_an_attack_finds_nothing(name):
    assert attack(KNOWN[name], evaluations=1_000, rng=1).status == "survived"


CONTROLS = {guarantee.name: (guarantee, evaluations) for guarantee, evaluations in controls.controls()}


def test_controls_are_false_by_name_and_in_no_catalogue():
    from recovery.guarantees import catalogue

    assert all(name.startswith("false-") for name in CONTROLS)
    assert not set(CONTROLS) & {one.name for one in catalogue()}
    assert "false-omp-coherence" in CONTROLS


def test_a_control_breaks_in_the_fast_tier():
    guarantee, evaluations = CONTROLS["false-omp-exact-recovery"]
    found = attack(guarantee, evaluations=evaluations, rng=3).instance
    assert found is not None
    assert guarantee.judge(found).violated
