"""All guarantees about pruning: on their own instances, with fields missing, and on broken algorithms."""

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest
from theory import CITED, SECTIONS

import linear_lottery
import linear_lottery.guarantees
from linear_lottery import _imp
from linear_lottery.guarantees import catalogue
from recovery import Instance, NoiseLaw
from recovery.guarantees import draw, failure_rate_bound

ROOT = Path(__file__).parents[2]
CATALOGUE = catalogue()
NAMES = [guarantee.name for guarantee in CATALOGUE]
# their hypotheses hold or do not: there is no number that could be close to another
WITHOUT_BOUNDARY = {
    "noise-free",
    "error-after-success",
    "probable-prediction",
    "residual-accounting",
    "threshold-training-error",
    "start-irrelevant",
    "conditioning-improves",
    "no-barrier",
    "prediction-split",
}
N = 24


def judged(guarantee, seeds):
    instances = [draw(guarantee, seed) for seed in seeds]
    return [(instance, guarantee.judge(instance)) for instance in instances]


def test_names_and_texts():
    assert len(set(NAMES)) == len(NAMES) == 27
    for guarantee in CATALOGUE:
        assert "derived in this project, for the phenomenon studied in Elesedy et al. 2020" in guarantee.source
        section, test = re.fullmatch(CITED + r', "(.*)"; (tests/\S+)', guarantee.evidence).groups()
        assert section in SECTIONS, section
        assert (ROOT / test).is_file(), test
    assert WITHOUT_BOUNDARY <= set(NAMES)


@pytest.mark.parametrize("guarantee", CATALOGUE, ids=NAMES)
def test_on_its_own_instances(guarantee):
    table = judged(guarantee, range(N))
    held = [(instance, one) for instance, one in table if one.check.status == "holds"]
    assert len(held) >= 0.6 * N
    assert sum(instance.sparsity >= 2 for instance, _ in held) >= 0.55 * len(held)
    assert all(instance.x.any() for instance, _ in held)
    assert len({instance.options["design"].partition("(")[0] for instance, _ in held}) >= 3
    near = [one for _, one in held if one.check.margin <= 0.05]
    if guarantee.name in WITHOUT_BOUNDARY:
        assert guarantee.steer is None
        assert all(one.check.margin == math.inf for _, one in held)
    else:
        assert len(near) >= 0.1 * N
    violations = sum(one.violated for _, one in table)
    if guarantee.kind == "probability":
        assert failure_rate_bound(violations, len(held), 1 - 1e-6) <= guarantee.delta
    else:
        assert violations == 0
    undecided = sum("unknown" in (one.check.status, one.conclusion.status) for _, one in table)
    assert undecided <= 1


@pytest.mark.slow
@pytest.mark.parametrize("guarantee", CATALOGUE, ids=NAMES)
def test_on_many_instances(guarantee):
    table = judged(guarantee, range(1000, 4000))
    violations = sum(one.violated for _, one in table)
    held = sum(one.check.status == "holds" for _, one in table)
    assert held >= 1800
    if guarantee.kind == "probability":
        assert failure_rate_bound(violations, held, 1 - 1e-6) <= guarantee.delta
    else:
        assert violations == 0


@pytest.mark.parametrize("guarantee", CATALOGUE, ids=NAMES)
def test_what_is_not_known_is_unknown(guarantee):
    instance = draw(guarantee, 0)
    for name in guarantee.needs:
        if name == "y":
            continue  # an instance has data
        options = {key: value for key, value in instance.options.items() if key != name}
        bare = instance.replace(options=options) if name in instance.options else instance.replace(**{name: None})
        assert guarantee.check(bare).status == guarantee.conclusion(bare).status == "unknown"
        assert name in guarantee.check(bare).reason


@pytest.mark.parametrize("guarantee", CATALOGUE, ids=NAMES)
def test_more_columns_than_rows_is_never_an_error(guarantee):
    rng = np.random.default_rng(0)
    x = np.array([0.0, 2.0, 0.0, -3.0, 0.0])
    instance = Instance.planted(rng.standard_normal((3, 5)), x, 0.01 * rng.standard_normal(3), x0=np.ones(5))
    instance = instance.with_options(flow_time=3.0, tau=0.1)
    if "law" in guarantee.needs:
        instance = instance.replace(law=NoiseLaw("gaussian", 0.01))
    verdict = guarantee.check(instance)
    if guarantee.statement.startswith("For any"):
        assert verdict.status == "holds"
    elif guarantee.kind == "equivalence":
        assert verdict.status == "unknown"
    else:
        assert verdict.status == "fails"
    if verdict.status == "holds":
        assert guarantee.conclusion(instance).status == "holds"


ODD = {
    "x = 0": (np.eye(3), np.zeros(3), np.array([0.1, -0.2, 0.3])),
    "x = 0, no noise": (np.eye(3), np.zeros(3), np.zeros(3)),
    "no noise": (np.eye(3), np.array([1.0, -1.0, 0.0]), np.zeros(3)),
    "no zero": (np.diag([1.0, 2.0, 3.0]), np.array([1.0, -1.0, 2.0]), np.array([0.1, -0.2, 0.3])),
    "one weight": (np.array([[2.0]]), np.array([1.0]), np.array([0.1])),
    "one weight, 0": (np.array([[2.0]]), np.array([0.0]), np.array([0.1])),
    "X = 0": (np.zeros((3, 2)), np.array([1.0, 0.0]), np.zeros(3)),
    "a column is 0": (np.diag([1.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0]), np.array([0.1, -0.2, 0.3])),
    "equal columns": (np.ones((4, 3)), np.array([1.0, 1.0, 0.0]), np.array([0.1, -0.2, 0.3, 0.4])),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("guarantee", CATALOGUE, ids=NAMES)
def test_odd_instances_have_verdicts_that_do_not_contradict(guarantee, name):
    X, x, noise = ODD[name]
    law = NoiseLaw("gaussian", 0.2 if noise.any() else 0.0)
    instance = Instance.planted(X, x, noise, x0=np.ones(len(x)), law=law, options={"flow_time": 3.0, "tau": 0.1})
    judgement = guarantee.judge(instance)
    # one draw contradicts no probability, but without noise there is one draw only
    assert not judgement.violated or (guarantee.kind == "probability" and noise.any())


@pytest.mark.parametrize("value", [-1.0, "long"])
@pytest.mark.parametrize(
    "guarantee", [one for one in CATALOGUE if {"flow_time", "tau"} & set(one.needs)], ids=lambda one: one.name
)
def test_an_option_that_is_no_number_is_a_sentence(guarantee, value):
    [name] = {"flow_time", "tau"} & set(guarantee.needs)
    instance = draw(guarantee, 0).with_options(**{name: value})
    with pytest.raises((TypeError, ValueError), match=rf"options\['{name}'\]={value!r}"):
        guarantee.judge(instance)


@pytest.mark.parametrize("guarantee", CATALOGUE, ids=NAMES)
def test_the_largest_first_is_noticed(guarantee, monkeypatch):
    """An algorithm that prunes the wrong end breaks every guarantee about which weights stay."""
    imp, threshold_prune = linear_lottery.imp, linear_lottery.threshold_prune

    def reversed_imp(X, y, keep, *, schedule, **options):
        path = imp(X, y, keep, schedule=schedule, **options)
        order = np.argsort(-np.abs(path.weights[0]))
        masks = np.ones_like(path.masks)
        for r in range(1, len(masks)):
            masks[r, order[: len(order) - int(path.masks[r].sum())]] = False
        weights = [linear_lottery.gradient_flow(X, y, np.zeros(len(order)), mask=mask) for mask in masks]
        return dataclasses.replace(
            path,
            masks=masks,
            weights=np.array(weights),
            order=order[: len(order) - keep],
            support=np.sort(order[-keep:]),
        )

    def reversed_threshold(X, y, tau, *, max_rounds=None, w0=None):
        path = threshold_prune(X, y, tau, max_rounds=1, w0=w0)
        masks = np.array([path.masks[0], np.abs(path.weights[0]) <= tau])
        weights = np.array([path.weights[0], linear_lottery.gradient_flow(X, y, 0 * path.w, mask=masks[1])])
        return dataclasses.replace(path, masks=masks, weights=weights, sizes=(len(path.w), int(masks[1].sum())))

    monkeypatch.setattr(_imp, "imp", reversed_imp)
    monkeypatch.setattr(_imp, "threshold_prune", reversed_threshold)
    if guarantee.name == "backward-elimination":
        monkeypatch.setattr(
            "linear_lottery.guarantees.bounded_noise.backward_elimination",
            lambda X, y, k: reversed_imp(X, y, k, schedule="one-by-one"),
        )
    table = judged(guarantee, range(12))
    violations = sum(one.violated for _, one in table)
    if guarantee.name in WITHOUT_BOUNDARY - {"noise-free", "threshold-training-error", "probable-prediction"}:
        assert violations == 0  # these are true of every path, whichever weights it prunes
    else:
        assert violations >= 3


@pytest.mark.parametrize(
    "name", ["residual-accounting", "start-irrelevant", "prediction-split", "error-after-success", "no-barrier"]
)
def test_wrong_weights_are_noticed(name, monkeypatch):
    guarantee = CATALOGUE[NAMES.index(name)]
    imp = linear_lottery.imp

    def inexact(*arguments, **options):
        path = imp(*arguments, **options)
        if name == "error-after-success":
            return dataclasses.replace(path, weights=100 * path.weights)
        return dataclasses.replace(path, weights=path.weights * (1 + 1e-6 * np.arange(len(path.weights[0]))))

    monkeypatch.setattr(_imp, "imp", inexact)
    violations = sum(one.violated for _, one in judged(guarantee, range(30)))
    assert violations == 0 if name == "no-barrier" else violations >= 10


def test_verdicts_do_not_depend_on_units():
    for guarantee in CATALOGUE:
        if {"flow_time", "tau", "law"} & set(guarantee.needs):
            continue
        instance = draw(guarantee, 3)
        scaled = instance.replace(y=1024.0 * instance.y, x=1024.0 * instance.x, noise=1024.0 * instance.noise)
        if instance.x0 is not None:
            scaled = scaled.replace(x0=1024.0 * instance.x0)
        first, second = guarantee.check(instance), guarantee.check(scaled)
        assert (first.status, first.margin) == (second.status, pytest.approx(first.margin, rel=1e-9))
        assert guarantee.conclusion(instance).status == guarantee.conclusion(scaled).status


def test_public_names():
    assert linear_lottery.guarantees.__all__ == ["catalogue"]
