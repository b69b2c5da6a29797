"""The backward pass of NEq: gradients and weights of a masked reference, and executed and counted operations."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.mlp.losses import loss_and_gradient
from recovery.mlp.training import Orders
from recovery.pruning.closed_forms import equilibrium as closed_forms
from recovery.pruning.equilibrium import (
    Freezing,
    backward_operations,
    booked_operations,
    counted_operations,
    similarities,
)
from recovery.pruning.equilibrium.arranged import Arranged
from recovery.pruning.equilibrium.fitting import Loop, Plan
from recovery.pruning.equilibrium.state import State
from recovery.pruning.equilibrium.updates import AdamSteps, SGDSteps
from tests.oracles import equilibrium as oracle

EPS = np.finfo(float).eps
WIDTHS = {"linear": (6, 3), "two layers": (6, 8, 3), "three layers": (6, 8, 7, 3), "four layers": (5, 9, 8, 7, 2)}


def network(widths, bias, rng):
    """Return layers and biases of ordinary size."""
    layers = [rng.standard_normal(pair) / np.sqrt(pair[0]) for pair in itertools.pairwise(widths)]
    return layers, [0.3 * rng.standard_normal(width) for width in widths[1:]] if bias else None


def targets(X, widths, loss, rng):
    if loss == "squared":
        return rng.standard_normal((len(X), widths[-1]))
    return np.eye(widths[-1])[rng.integers(widths[-1], size=len(X))]


def some_frozen(widths, share, rng):
    return [rng.random(width) < share for width in widths[1:]]


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("widths", WIDTHS.values(), ids=WIDTHS)
def test_gradients_of_learning_units_are_those_of_the_whole_network(backend, widths, bias, loss):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((20, widths[0]))
    Y, (layers, biases) = targets(X, widths, loss, rng), network(widths, bias, rng)
    wanted, shifts, _ = oracle.gradients(layers, biases, X, Y, loss)
    masks = [some_frozen(widths, share, rng) for share in (0.0, 0.3, 0.7)]
    masks.append([np.ones(width, dtype=bool) for width in widths[1:-1]] + [np.zeros(widths[-1], dtype=bool)])
    masks.append([np.ones(width, dtype=bool) for width in widths[1:]])
    for frozen in masks:
        put = [backend.put(layer) for layer in layers]
        net = Arranged(put, None if biases is None else [backend.put(b) for b in biases], [put], frozen)
        values = net.forward(backend.put(X))
        outward = loss_and_gradient(values[-1], net.targets(backend.put(Y)), loss).gradient
        found = net.backward(values, outward)
        for level, mask in enumerate(frozen):
            gradient, shift = found[level]
            if mask.all():
                assert gradient is None
                continue
            live = np.flatnonzero(~mask)
            rows = np.argsort(frozen[level - 1], kind="stable") if level else np.arange(widths[0])
            size = np.abs(wanted[level]).max() + np.abs(shifts[level]).max()
            np.testing.assert_allclose(
                backend.get(gradient), wanted[level][rows][:, live], rtol=0, atol=1e3 * EPS * size
            )
            if bias:
                np.testing.assert_allclose(backend.get(shift), shifts[level][live], rtol=0, atol=1e3 * EPS * size)
        assert net.executed == backward_operations([w.shape for w in layers], [int(m.sum()) for m in frozen], 20)
        restored, _, slots = net.restored()
        for layer, back, slot, mask in zip(layers, restored, slots[0], frozen, strict=True):
            assert np.array_equal(backend.get(back), layer)
            assert np.array_equal(
                backend.get(slot), np.where(mask, 0.0, layer)
            )  # nothing is remembered of frozen units


class Given(Freezing):
    """Freezes what it is told to."""

    measures = False

    def __init__(self, masks):
        self.masks = masks

    def frozen(self, seen):
        return self.masks[min(seen.n_epochs, len(self.masks) - 1)]


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize(
    "steps", [SGDSteps(0.0), SGDSteps(0.9, 1e-3), AdamSteps(1e-3)], ids=["sgd", "momentum", "adam"]
)
@pytest.mark.parametrize("widths", list(WIDTHS.values())[1:], ids=list(WIDTHS)[1:])
def test_training_gives_the_weights_of_the_masked_reference(backend, widths, steps, bias, loss):
    """Units freeze, thaw and freeze again; momenta start from zero, and decay stops too."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((40, widths[0]))
    Y, (layers, biases) = targets(X, widths, loss, rng), network(widths, bias, rng)
    epochs, adam = 5, isinstance(steps, AdamSteps)
    masks = [[np.zeros(w, dtype=bool) for w in widths[1:]], *(some_frozen(widths, 0.5, rng) for _ in range(epochs - 1))]
    rate = (lambda share: 0.01 if share < 0.5 else 0.004) if adam else (lambda share: 0.05 if share < 0.5 else 0.02)
    put = [backend.put(layer) for layer in layers]
    put_biases = None if biases is None else [backend.put(b) for b in biases]
    may = (True,) * (len(widths) - 1)
    plan = Plan(
        backend.put(X), backend.put(Y), None, loss, 1.0, steps, 9, 4 * epochs,
        lambda step, total: rate(step / total), Given(masks), may, similarities,
    )  # fmt: skip
    state = State(put, put_biases, steps.slots(put, put_biases), masks[0], np.random.default_rng(1), (2,))
    loop = Loop(plan, state)
    orders, batches = Orders([np.random.default_rng(1)], 40, 9), []
    while not loop.over:
        batches.append([(X[rows], Y[rows]) for rows in (orders.next(np)[0] for _ in range(4))])
        loop.epoch()
    rates = [rate(i / loop.last) for i in range(loop.last)]
    wanted = oracle.train(
        layers, biases, batches, masks, loss=loss, rate=rates, adam=adam, decay=steps.weight_decay,
        momentum=getattr(steps, "momentum", 0.0),
    )[-1]  # fmt: skip
    found = [backend.get(part) for part in (*state.layers, *(state.biases or []))]
    # each update adds a few eps of relative error to sums over at most 15 rows and 9 units; 20 updates with steps that
    # do not amplify them much (rate times curvature is below 1); Adam divides gradients by their own size
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=20 * 15 * 100 * EPS * np.abs(other).max())
    assert [cost.rows for cost in state.costs] == [40] * epochs  # batches of 9, 9, 9 and the last 13
    for mask, used in zip(masks, state.masks, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(mask, used, strict=True))


@st.composite
def frozen_networks(draw):
    widths = draw(st.lists(st.integers(1, 9), min_size=2, max_size=6))
    shapes = list(itertools.pairwise(widths))
    return shapes, [draw(st.integers(0, b)) for _, b in shapes], draw(st.integers(1, 5))


@given(frozen_networks())
def test_frozen_units_count_at_least_what_is_saved(case):
    """Executed minus counted is what frozen units above the lowest learning layer still need: n f_l b_(l+1)."""
    shapes, frozen, n = case
    none, widths = [0] * len(shapes), [shapes[0][0], *(b for _, b in shapes)]
    executed, counted = backward_operations(shapes, frozen, n), counted_operations(shapes, frozen, n)
    live = [b - f for (_, b), f in zip(shapes, frozen, strict=True)]
    lowest = next((level for level, count in enumerate(live) if count), len(shapes))
    owed = n * sum(frozen[level] * shapes[level + 1][1] for level in range(lowest + 1, len(shapes) - 1))
    assert executed - counted == owed
    whole = backward_operations(shapes, none, n)
    assert executed <= whole == counted_operations(shapes, none, n) == closed_forms.backward_work(n, widths)
    # the closed forms say the same, from what is saved
    assert whole - executed == closed_forms.executed_savings(n, widths, frozen)
    assert whole - counted == closed_forms.counted_savings(n, widths, frozen)
    booked = booked_operations(shapes, none, n) - booked_operations(shapes, frozen, n)
    assert booked == closed_forms.booked_savings(n, widths, frozen)


def test_two_layers_count_what_they_save_and_deeper_ones_too_much():
    two, three = [(30, 40), (40, 5)], [(50, 50), (50, 50), (50, 50)]
    for count in range(41):
        saved = backward_operations(two, [0, 0], 7) - backward_operations(two, [count, 0], 7)
        assert saved == 7 * count * (30 + 5)  # f (n d h + n h o)
        assert saved == counted_operations(two, [0, 0], 7) - counted_operations(two, [count, 0], 7)
    for promise in (counted_operations, booked_operations):
        # half of it is the gradient in the frozen units' outputs, which the first layer needs
        saved = backward_operations(three, [0, 0, 0], 1) - backward_operations(three, [0, 25, 0], 1)
        assert promise(three, [0, 0, 0], 1) - promise(three, [0, 25, 0], 1) == 2 * saved
    # frozen outputs save their weights' gradients alone, and a network that learns nowhere costs nothing
    assert backward_operations(two, [0, 0], 7) - backward_operations(two, [0, 2], 7) == 7 * 40 * 2
    assert backward_operations(two, [40, 5], 7) == 0
    # the paper's convention is twice the forward pass, and exact for two layers only if d = o
    assert booked_operations(two, [0, 0], 7) == 2 * 7 * (30 * 40 + 40 * 5)
