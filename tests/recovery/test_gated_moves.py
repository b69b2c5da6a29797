"""Attacks on instances with gates: they stay gated, every part moves, and what is found becomes small."""

import numpy as np
import pytest

from recovery import GatedOperator, Instance, NoiseLaw
from recovery.guarantees import Guarantee, Verdict, as_code, attack, contradicts, exceeds, shrink
from recovery.guarantees.engine.attack import GATED_CHANGES, follow, move, of_matrix


def planted(rng, *, n=8, d=3, p=3, noise=0.0):
    """Two planted neurons with their own patterns, and one gate that carries nothing."""
    X = rng.standard_normal((n, d))
    H = rng.standard_normal((d, p))
    H[0, 0] = H[1, 1] = 0.0
    A = GatedOperator.from_generators(X, H)
    x = np.concatenate([H[:, 0], -2.0 * H[:, 1], np.zeros(d)])
    return Instance.planted(A, x, noise * rng.standard_normal(n), options={"design": "gaussian"})


def own(instance):
    """How many gates of neurons that are there are the pattern of their own neuron, up to its sign."""
    X, gates = instance.gated
    activation = X @ instance.x.reshape(gates.shape[1], -1).T
    fits = [((sign * activation >= 0) == gates).all(axis=0) for sign in (1, -1)]
    return int(((fits[0] | fits[1]) & instance.x.reshape(gates.shape[1], -1).any(axis=1)).sum())


def distinct_neurons():
    """Claim, falsely, that columns of two neurons with patterns of their own are never nearly parallel."""

    def hypotheses(instance):
        if instance.gated is None or instance.sparsity != 2 or own(instance) != 2:
            return Verdict.of(False, "there are no two neurons with their own gates")
        return Verdict.of(True, "there are two neurons with their own gates")

    def outcome(instance):
        columns = instance.matrix[:, instance.support]
        gram = columns.T @ columns
        return exceeds(0.9 * np.sqrt(gram[0, 0] * gram[1, 1]), abs(gram[0, 1]), "limit against inner product")

    def sampler(rng):
        X, h = rng.standard_normal((10, 4)), rng.standard_normal(2)
        H = np.zeros((4, 3))
        H[0, 0], H[1, 1], H[:, 2] = h[0], h[1], rng.standard_normal(4)
        x = np.concatenate([H[:, 0], H[:, 1], np.zeros(4)])
        return Instance.planted(GatedOperator.from_generators(X, H), x, options={"design": "gaussian"})

    args = ("toy", "toy", hypotheses, outcome)
    return Guarantee("distinct", "implication", "Two neurons => columns apart.", *args, sampler=sampler, steer=None)


def test_moves_keep_the_gates_gates_and_change_every_part():
    rng = np.random.default_rng(0)
    start = planted(rng, noise=0.1).replace(x0=rng.standard_normal(9))
    changed = dict.fromkeys(("X", "gates", "x", "noise", "x0"), 0)
    for _ in range(400):
        moved = move(start, rng)
        X, gates = moved.gated
        assert X.shape == (8, 3)
        assert gates.shape == (8, 3)
        assert gates.dtype == bool
        assert np.array_equal(moved.x != 0.0, start.x != 0.0)
        plain = (gates.T[:, None, :] * X.T).reshape(9, 8).T
        np.testing.assert_array_equal(moved.matrix, plain)
        now = {"X": X, "gates": gates, "x": moved.x, "noise": moved.noise, "x0": moved.x0}
        then = {**dict(zip(("X", "gates"), start.gated, strict=True)), "x": start.x, "noise": start.noise}
        for name, value in now.items():
            changed[name] += not np.array_equal(value, then.get(name, start.x0))
    assert min(changed.values()) > 60
    assert max(own(move(start, rng)) for _ in range(5)) == 2
    kept = [move(start, rng, fixed_noise=True) for _ in range(20)]
    assert all(np.array_equal(one.noise, start.noise) for one in kept)


@pytest.mark.parametrize("name", GATED_CHANGES)
def test_every_change_does_something_and_writes_into_its_own_part_only(name):
    rng = np.random.default_rng(1)
    start = planted(rng, noise=0.1)
    part = "x" if name == "neurons" else name
    for change in GATED_CHANGES[name]:
        moved = 0
        for _ in range(40):
            parts = {"A": np.array(start.matrix), "x": np.array(start.x), "noise": np.array(start.noise)}
            parts |= {"x0": np.ones(9), "X": np.array(start.gated[0]), "gates": np.array(start.gated[1])}
            before = {key: np.array(value) for key, value in parts.items()}
            change(parts, rng)
            different = {key for key in parts if not np.array_equal(parts[key], before[key])}
            assert different <= {part}
            moved += bool(different)
        assert moved > 5, change
    assert len(of_matrix("X")) == 8


def test_gates_that_follow_are_the_patterns_of_what_there_is_now():
    rng = np.random.default_rng(2)
    start = planted(rng)
    assert own(start) == 2
    before = {"X": start.gated[0], "gates": start.gated[1], "x": start.x}
    parts = {**before, "X": rng.standard_normal((8, 3)), "gates": np.array(start.gated[1])}
    follow(parts, before)
    assert own(start.replace(A=GatedOperator(parts["X"], parts["gates"]))) == 2
    np.testing.assert_array_equal(parts["gates"][:, 2], start.gated[1][:, 2])  # no neuron, so it stays
    assert not np.array_equal(parts["gates"], start.gated[1])


@pytest.mark.parametrize("seed", range(4))
def test_a_false_statement_about_gates_is_broken_and_becomes_small(seed):
    guarantee = distinct_neurons()
    found = attack(guarantee, rng=seed)
    assert found.status == "broken"
    small = shrink(guarantee, found.instance)
    assert contradicts(guarantee, small)
    X, gates = small.gated
    assert X.shape[0] <= 3
    assert X.shape[1] <= 2
    assert gates.shape[1] == 2  # the third one carries nothing
    there = {}
    exec(as_code(small), there)
    assert guarantee.judge(there["instance"]).violated


def test_code_with_gates_is_exact():
    rng = np.random.default_rng(3)
    law = NoiseLaw("gaussian", 0.1)
    start = planted(rng, noise=0.1).replace(x0=rng.standard_normal(9), law=law, options={"tau": 0.5})
    code = as_code(start)
    there = {}
    exec(code, there)
    back = there["instance"]
    assert isinstance(back.A, GatedOperator)
    for one, two in zip(back.gated, start.gated, strict=True):
        np.testing.assert_array_equal(one, two)
    for name in ("matrix", "y", "x", "noise", "x0"):
        np.testing.assert_array_equal(getattr(back, name), getattr(start, name))
    assert (back.law, dict(back.options)) == (law, {"tau": 0.5})


def test_a_statement_that_needs_no_gates_is_shown_without():
    def hypotheses(instance):
        return Verdict.of(bool(np.any(instance.x)), "x is not 0")

    def outcome(instance):
        return Verdict.of(float(np.abs(instance.y).max()) < 0.1, "y is small")

    name = ("small", "implication", "x != 0 => y is small.", "toy", "toy")
    guarantee = Guarantee(*name, hypotheses, outcome, steer=None)
    small = shrink(guarantee, planted(np.random.default_rng(4)))
    assert small.gated is None
    assert small.shape == (1, 1)
