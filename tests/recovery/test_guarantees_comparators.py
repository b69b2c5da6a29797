"""What all guarantees of the comparators have in common: samplers, missing fields, odd instances, no violations."""

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest
from theory import CITED, SECTIONS

from recovery import Instance
from recovery.guarantees import attack, catalogue, draw, ledger
from recovery.guarantees.linear import hard_thresholding, lasso, omp, screening

ROOT = Path(__file__).parents[2]
MODULES = ("omp", "lasso", "hard_thresholding", "screening")
GUARANTEES = {
    one.name: one
    for one in catalogue("linear")
    if one.name.split("-")[0] in ("omp", "lasso", "iht", "htp", "screening")
}
ALL = pytest.mark.parametrize("name", GUARANTEES)


def test_the_catalogue_lists_every_family():
    assert len(GUARANTEES) == 14
    for one in GUARANTEES.values():
        assert "tests/recovery/test_guarantees_" in one.evidence
        assert one.sampler is not None


def test_what_they_refer_to_exists_and_no_theorem_is_numbered():
    for one in GUARANTEES.values():
        text = one.source + "; " + one.evidence
        named = re.findall(r"tests/\w+/\w+\.py", text)
        assert named, one.name
        assert all((ROOT / name).is_file() for name in named)
        sections = re.findall(CITED + r", section ([^;,]+)", text)
        assert set(sections) <= SECTIONS, sections
        assert sections or "from memory of the literature" in text or "immediate" in text
        assert not re.search(r"(?i)(theorem|lemma|proposition|corollary) \d", text + one.statement)


@ALL
def test_no_violation_and_enough_instances_of_every_kind(name):
    count = 80
    [tally] = ledger([GUARANTEES[name]], [draw(GUARANTEES[name], seed) for seed in range(count)])
    assert tally.violations == 0
    assert tally.held >= 0.45 * count  # 1,000 of 2,000, and so on
    assert tally.plural >= 0.5 * tally.held
    assert tally.near >= 0.05 * count
    assert len(tally.designs) >= 3
    assert tally.vacuous >= 1
    assert tally.unknown <= 0.03 * count
    assert tally.undecided <= 0.03 * tally.held


@ALL
def test_a_missing_field_is_unknown(name):
    guarantee = GUARANTEES[name]
    instance = next(
        one for one in map(lambda seed: draw(guarantee, seed), range(99)) if guarantee.check(one).status == "holds"
    )
    for field in guarantee.needs:
        if field in instance.options:
            lacking = instance.replace(options={})
        else:
            lacking = instance.replace(**{field: None, "y": instance.y})
        for verdict in (guarantee.check(lacking), guarantee.conclusion(lacking)):
            assert verdict.status == "unknown"
            assert field in verdict.reason


@ALL
def test_odd_instances_have_verdicts(name):
    guarantee = GUARANTEES[name]
    rng = np.random.default_rng(0)
    law = draw(guarantee, 0).law
    A = rng.standard_normal((6, 4))
    noise = 0.1 * rng.standard_normal(6)
    with_zero = A * [1.0, 0.0, 1.0, 1.0]
    twice = A[:, [0, 1, 0, 2]]
    x = np.array([1.0, -1.0, 0.0, 0.0])
    for matrix, planted, added in (
        (A, np.zeros(4), noise),
        (A, np.zeros(4), np.zeros(6)),
        (A, np.ones(4), np.zeros(6)),
        (with_zero, x, noise),
        (with_zero, np.roll(x, 2), np.zeros(6)),
        (twice, x, np.zeros(6)),
        (twice, np.roll(x, 1), noise),
        (A[:2], x, np.zeros(2)),
        (A[:, :1], np.array([2.0]), np.zeros(6)),
        (np.zeros((3, 2)), np.array([1.0, 0.0]), np.zeros(3)),
    ):
        for lam in (0.1, 1e3, -1.0):
            instance = Instance.planted(matrix, planted, added, law=law, options={"lam": lam})
            judgement = guarantee.judge(instance)
            assert guarantee.kind == "probability" or not judgement.violated, (matrix, planted, added, judgement)


@pytest.mark.slow
@ALL
def test_an_attack_finds_nothing(name):
    assert attack(GUARANTEES[name], evaluations=4_000, rng=1).status == "survived"


FALSE = {
    "omp-coherence": {"hypotheses": omp.coherence_rule(lambda k: 1.1 / (2 * k - 1) if k > 1 else 1.0)},
    "omp-exact-recovery": {"hypotheses": omp.coefficient_rule(1.05)},
    "omp-bounded-noise": {"hypotheses": omp.noise_rule(1.9, omp._norm)},
    "omp-restricted-isometry": {"hypotheses": omp.isometry_rule(lambda k: 1.05 / math.sqrt(k + 1))},
    "lasso-irrepresentable": {"hypotheses": lasso.irrepresentable_rule(1.02)},
    "lasso-gaussian-noise": {"hypotheses": lasso.gaussian_rule(lasso.DELTA, 0.4)},
    "lasso-restricted-eigenvalue": {"hypotheses": lasso.penalty_rule(0.5)},
    "iht-restricted-isometry": {
        "hypotheses": hard_thresholding.isometry_rule(0.7),
        "outcome": hard_thresholding.converges("iht", hard_thresholding.iht_rate(0.7)),
    },
    "htp-restricted-isometry": {
        "hypotheses": hard_thresholding.isometry_rule(0.7),
        "outcome": hard_thresholding.converges("htp", hard_thresholding.htp_rate(0.7), escapes=0),
    },
    "screening-noise": {"hypotheses": screening.separated_rule(1.9)},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FALSE)
def test_an_attack_breaks_what_is_a_little_too_weak(name):
    false = dataclasses.replace(GUARANTEES[name], **FALSE[name])
    found = attack(false, evaluations=20_000, rng=0).instance
    assert found is not None
    assert false.kind == "probability" or false.judge(found).violated
    assert false.kind == "probability" or not GUARANTEES[name].judge(found).violated
