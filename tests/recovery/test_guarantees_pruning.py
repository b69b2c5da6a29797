"""Guarantees about BINGO, NEq and ticket transfer: on their instances, on odd ones, and against what is false."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from theory import CITED, SECTIONS

from recovery import Instance
from recovery.guarantees import attack, contradicts, draw
from recovery.guarantees import controls as all_controls
from recovery.guarantees.pruning import bingo, catalogue, equilibrium, savings, transfer
from recovery.pruning.bingo import Bingo
from recovery.pruning.closed_forms import bingo as bingo_forms
from recovery.pruning.closed_forms import equilibrium as neq
from recovery.pruning.closed_forms import transfer as transfer_forms
from recovery.pruning.equilibrium import next_velocity

ROOT = Path(__file__).parents[2]
CATALOGUE = catalogue()
NAMES = [one.name for one in CATALOGUE]
KNOWN = dict(zip(NAMES, CATALOGUE, strict=True))
CONTROLS = {
    one.name: (one, budget) for family in (bingo, equilibrium, savings, transfer) for one, budget in family.controls()
}
WITH_BOUNDARY = {"neq-arc-cosine", "neq-false-freeze", "transfer-crossover"}
SETTINGS = {
    **{"size": 2, "probes": 6, "probe_seed": 1, "eps": 1e-3, "mu": 0.5, "rate": 0.1, "epoch": 2, "layer": 1},
    **{"init_seed": 3, "hidden": 4, "hidden_layers": 1, "outputs": 2, "kept": 2},
}
each = pytest.mark.parametrize("guarantee", CATALOGUE, ids=NAMES)


def test_names_and_texts():
    assert len(set(NAMES)) == len(NAMES) == 14
    for guarantee in CATALOGUE:
        assert re.fullmatch(r"(bingo|neq|transfer)-[a-z-]+", guarantee.name)
        assert re.fullmatch(r"derived here, about .* \(arXiv:\d{4}\.\d{5}\)", guarantee.source)
        section, test = re.fullmatch(CITED + r', "(.*)"; (tests/\S+)', guarantee.evidence).groups()
        assert section in SECTIONS, section
        assert (ROOT / test).is_file()
    assert set(CONTROLS) <= {one.name for one, _ in all_controls.controls()}


@each
def test_on_its_own_instances(guarantee):
    table = [guarantee.judge(draw(guarantee, seed)) for seed in range(24)]
    held = [one for one in table if one.check.status == "holds"]
    assert len(held) >= 14
    assert not any(one.violated for one in table)
    assert sum("unknown" in (one.check.status, one.conclusion.status) for one in table) <= 1
    boundary = any(math.isfinite(one.check.margin) for one in table)
    assert boundary == (guarantee.name in WITH_BOUNDARY)
    if boundary:
        assert sum(one.check.margin <= 0.05 for one in held) >= 3


@pytest.mark.slow
@each
def test_on_many_instances(guarantee):
    table = [guarantee.judge(draw(guarantee, seed)) for seed in range(1000, 2000)]
    assert sum(one.check.status == "holds" for one in table) >= 600
    assert not any(one.violated for one in table)


@each
def test_what_is_not_known_is_unknown(guarantee):
    instance = draw(guarantee, 0)
    for name in guarantee.needs:
        if name == "y":
            continue
        options = {key: value for key, value in instance.options.items() if key != name}
        bare = instance.replace(options=options) if name in instance.options else instance.replace(**{name: None})
        assert guarantee.check(bare).status == guarantee.conclusion(bare).status == "unknown"
        assert name in guarantee.check(bare).reason


ODD = {
    "x = 0": (np.eye(3), np.zeros(3), np.array([0.1, -0.2, 0.3]), np.ones(3)),
    "x = 0, no noise": (np.eye(3), np.zeros(3), np.zeros(3), np.ones(3)),
    "x0 = 0": (np.diag([1.0, 2.0, 3.0]), np.array([1.0, -1.0, 2.0]), np.array([0.1, -0.2, 0.3]), np.zeros(3)),
    "x0 = x": (np.diag([1.0, 2.0, 3.0]), np.array([1.0, -1.0, 2.0]), np.array([0.1, -0.2, 0.3]), [1.0, -1.0, 2.0]),
    "x0 = -x": (np.diag([1.0, 2.0, 3.0]), np.array([1.0, -1.0, 2.0]), np.array([0.1, -0.2, 0.3]), [-1.0, 1.0, -2.0]),
    "one weight that changes its sign": (np.array([[0.0]]), np.array([1.0]), np.array([0.0]), [-0.08]),
    "one weight": (np.array([[2.0]]), np.array([1.0]), np.array([0.1]), np.ones(1)),
    "X = 0": (np.zeros((3, 2)), np.array([1.0, 0.0]), np.zeros(3), np.ones(2)),
    "a column is 0": (np.diag([1.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0]), np.array([0.1, -0.2, 0.3]), np.ones(3)),
    "equal columns": (np.ones((4, 3)), np.array([1.0, 1.0, 0.0]), np.array([0.1, -0.2, 0.3, 0.4]), np.arange(3.0)),
    "huge": (1e150 * np.eye(3), np.array([1e150, 0.0, 0.0]), np.zeros(3), np.array([1e150, 1e140, 1.0])),
    "tiny": (1e-150 * np.eye(3), np.array([1e-150, 0.0, 0.0]), np.zeros(3), np.array([1e-150, 1e-140, 0.0])),
    "wide apart": (np.diag([1e9, 1.0, 1e-9]), np.array([1.0, 1.0, 1e9]), np.array([1e-9, 1.0, 1e9]), np.ones(3)),
}


@pytest.mark.parametrize("name", ODD)
@each
def test_odd_instances_have_verdicts_that_do_not_contradict(guarantee, name):
    A, x, noise, x0 = ODD[name]
    for mu in (0.0, 0.5):
        instance = Instance.planted(A, x, noise, x0=np.asarray(x0), options={**SETTINGS, "mu": mu})
        assert not guarantee.judge(instance).violated


@pytest.mark.parametrize(
    "change", [{"mu": 1.0}, {"mu": -0.5}, {"mu": "half"}, {"eps": 0.0}, {"rate": -1.0}, {"hidden": 0}]
)
def test_settings_out_of_bounds_meet_no_hypotheses(change):
    (name,) = change
    for guarantee in CATALOGUE:
        if name in guarantee.needs and not (guarantee.name == "neq-arc-cosine" and name == "eps"):
            assert guarantee.check(draw(guarantee, 1).with_options(**change)).status in ("fails", "unknown")


@each
def test_units_do_not_matter(guarantee):
    for seed in range(4):
        instance = draw(guarantee, seed)
        scaled = instance.replace(
            **{
                name: 1024.0 * getattr(instance, name)
                for name in ("y", "x", "noise", "x0")
                if getattr(instance, name) is not None
            }
        )
        assert guarantee.check(instance).status == guarantee.check(scaled).status
        assert guarantee.conclusion(instance).status == guarantee.conclusion(scaled).status


@pytest.mark.parametrize("name", CONTROLS)
def test_what_is_false_is_broken(name):
    guarantee, budget = CONTROLS[name]
    found = attack(guarantee, evaluations=budget, rng=1)
    assert found.status == "broken"
    assert contradicts(guarantee, found.instance)


def off_by(function, factor):
    return lambda *arguments, **options: factor * function(*arguments, **options)


WRONG = {
    "bingo-printed-reverses": (Bingo, "first", 0.25),
    "bingo-average-variance": (bingo_forms, "score_variance", off_by(bingo_forms.score_variance, 1 + 1e-6)),
    "bingo-coalition": (bingo_forms, "expected_change", off_by(bingo_forms.expected_change, 1 + 1e-6)),
    "neq-arc-cosine": (neq, "angle_of_dissimilarity", off_by(neq.angle_of_dissimilarity, 0.99)),
    "neq-filters": (neq, "expanded_velocities", off_by(neq.expanded_velocities, 1 + 1e-6)),
    "neq-absorption": (equilibrium, "next_velocity", lambda change, last, v, mu, rule: change - (mu + 0.8) * v),
    "neq-absorption-released": (
        equilibrium,
        "next_velocity",
        lambda change, last, v, mu, rule: (mu + 1.0) * v - last + change,
    ),
    "neq-false-freeze": (neq, "dissimilarity", off_by(neq.dissimilarity, 1.01)),
    "neq-executed-savings": (neq, "executed_savings", neq.counted_savings),
    "transfer-limit": (transfer_forms, "training_limit", off_by(transfer_forms.training_limit, 1 + 1e-5)),
    "transfer-error-split": (
        transfer_forms,
        "error_split",
        lambda X, start, truth, mask, noise: transfer_forms.ErrorSplit(0.0, 0.0, float(truth @ truth)),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_formulas_and_methods_are_noticed(name, monkeypatch):
    module, function, wrong = WRONG[name]
    monkeypatch.setattr(module, function, wrong)
    assert any(KNOWN[name].judge(draw(KNOWN[name], seed)).violated for seed in range(40))


def longest_streak_that_thaws(rule, mu, eps, moved, epochs=200, seed=0):
    """Simulate phi alone: anything while trained, and 1 + `moved` (an array of differences) while frozen."""
    rng = np.random.default_rng(seed)
    before, last, v, streak, longest = 1.0, 0.0, 0.0, 0, 0
    for t in range(epochs):
        phi = 1.0 - moved[t] if streak else 1.0 - eps * 10.0 ** rng.uniform(-2, 2)
        change = phi - before
        v = next_velocity(change, last, v, mu, rule)
        before, last = phi, change
        if abs(v) < eps:
            streak += 1
        else:
            longest, streak = max(longest, streak), 0
    return longest


@pytest.mark.parametrize("mu", [0.0, 0.3, 0.5, 0.95])
def test_similarities_of_1_while_frozen_absorb_and_moving_ones_do_not(mu):
    still = np.zeros(200)
    moving = 0.01 * np.random.default_rng(9).random(200)
    for rule in neq.FILTERS:
        after = neq.ABSORBED_AFTER[rule]
        seen = [longest_streak_that_thaws(rule, mu, 1e-3, still, seed=seed) for seed in range(60)]
        assert max(seen) < after
        if rule == "paper":  # and one epoch is not enough
            assert max(seen) == after - 1
        # a deeper layer: phi moves although the unit is frozen
        assert max(longest_streak_that_thaws(rule, mu, 5e-3, moving, seed=seed) for seed in range(60)) >= after


def test_two_epochs_are_not_enough_for_the_released_rule():
    seen = [longest_streak_that_thaws("released", 0.5, 1e-3, np.zeros(200), seed=seed) for seed in range(200)]
    assert max(seen) == 2


def test_the_example_of_the_page():
    instance = draw(KNOWN["bingo-coalition"], 0)
    assert KNOWN["bingo-coalition"].conclusion(instance).status == "holds"
