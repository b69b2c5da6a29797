"""Sparse transfer: what comes from the source, what from the target, and where training on the target ends."""

import dataclasses

import numpy as np
import pytest

import planted
from recovery import pruning
from recovery.mlp.masks import Masks
from recovery.pruning import Cost, Data, Method, Model, OneShot, Rounds, Ticket, Training, find_ticket, prune
from recovery.pruning.training import Task
from recovery.pruning.transfer import FrozenFeatures, ticket_transfer

STEPS = Training(n_iter=600, learning_rate=0.2, optimiser="sgd")
"""Gradient descent to the end. With momentum m all directions whose curvature is above (1 - sqrt(m))^2 / rate shrink by
sqrt(m) a step. That is .013 here, the smallest curvature (sqrt(|m| / n) - 1)^2 is about .1, and .9^300 is 2e-14."""


def linear(overlap, n_target=20, seed=0, shared="weights", noise=0.0):
    """A ticket of 40 of 200 weights, 20 of them relevant, and a target task."""
    pair = planted.task_pair(
        200, 20, overlap, n_source=180, n_target=n_target, n_test=400, shared=shared, noise=noise, rng=seed
    )
    start = Model.draw((200, 1), initialisation=0.05, scalar=True, rng=1000 + seed)
    steps = Training(n_iter=300, learning_rate=0.2, optimiser="sgd")
    ticket = find_ticket(start, (pair.X_source, pair.y_source), sparsity=40, schedule=OneShot(), training=steps)
    return pair, ticket, Data(pair.X_target, pair.y_target, pair.X_test, pair.y_test)


def two_layers(rng=0, bias=False, loss="squared", outputs=3, widths=(6, 8)):
    generator = np.random.default_rng(rng)
    X = generator.standard_normal((90, 6))
    y = np.stack([np.abs(X[:, i]) for i in range(outputs)], axis=1)
    y = y.argmax(axis=1) if loss == "cross_entropy" else y
    model = Model.draw((*widths, outputs), bias=bias, loss=loss, rng=rng)
    return model, Data(X[:60], y[:60], X[60:], y[60:])


@pytest.mark.parametrize("start", ["source", "initial", "random"])
@pytest.mark.parametrize(("n_target", "noise"), [(12, 0.0), (20, 0.3), (90, 0.3)])
def test_descent_ends_at_the_start_plus_the_shortest_correction(start, n_target, noise):
    _, ticket, target = linear(0.5, n_target, noise=noise)
    found = ticket.transfer(target, start=start, training=STEPS, rng=3)
    order = np.random.default_rng(3).permutation(200)
    begin = {
        "source": ticket.trained.layers[0],
        "initial": ticket.initial.layers[0],
        "random": ticket.initial.layers[0][order],
    }[start]
    mask = ticket.masks.layers[0][:, 0]
    X = target.X * mask
    limit = mask * begin + np.linalg.pinv(X) @ (target.y - X @ begin)
    np.testing.assert_allclose(found.model.layers[0], limit, rtol=0, atol=1e-6)
    assert not found.model.layers[0][~mask].any()
    assert found.n_iter == 600
    error = ((target.X_validation @ limit - target.y_validation) ** 2).sum()
    spread = ((target.y_validation - target.y_validation.mean()) ** 2).sum()
    assert found.error == pytest.approx(error / spread, rel=1e-4)
    assert np.isnan(found.accuracy)


def test_with_more_samples_than_weights_the_start_does_not_matter():
    _, ticket, target = linear(0.5, 90)
    ends = [
        ticket.transfer(target, start=start, training=STEPS).model.layers[0]
        for start in ("source", "initial", "random")
    ]
    assert np.abs(ticket.trained.layers[0] - ticket.initial.layers[0]).max() > 0.5
    for end in ends[1:]:
        np.testing.assert_allclose(end, ends[0], rtol=0, atol=1e-6)


def ratios(overlap, start, seeds=6):
    """Mean error of a random mask over that of the ticket."""
    found = []
    for seed in range(seeds):
        pair, ticket, target = linear(overlap, seed=seed)
        ends = [
            ticket.transfer(target, start=start, mask=mask, training=STEPS, rng=seed).model.layers[0]
            for mask in ("ticket", "random")
        ]
        found.append([((end - pair.target) ** 2).sum() for end in ends])
    ticket, control = np.mean(found, axis=0)
    return control / ticket


def test_tickets_help_with_few_samples_if_the_support_is_shared():
    assert ratios(1.0, "source") > 10


def test_tickets_do_not_help_if_the_supports_are_disjoint():
    # the ratio's standard error over 6 seeds is .1; 200 seeds: benchmarks/transfer.py
    assert 0.7 < ratios(0.0, "initial") < 1.3


def test_the_mask_holds_the_support_and_comes_from_the_source_alone():
    pair, ticket, target = linear(0.0)
    kept = np.flatnonzero(ticket.masks.layers[0])
    assert len(kept) == 40
    assert np.isin(pair.source_inputs, kept).mean() >= 0.9
    # whatever the target is, the same mask
    method = ticket_transfer(schedule=OneShot(), layers="all", training=STEPS)
    source = (pair.X_source, pair.y_source)
    masks = [
        prune(ticket.initial, {"source": source, "target": data}, method, sparsity=40, rng=0).masks
        for data in (target, (-target.X[:15], target.y[:15] + 1))
    ]
    assert masks[0] == masks[1]


@pytest.mark.parametrize("start", ["source", "initial"])
@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
@pytest.mark.parametrize("features", ["trained", "frozen"])
@pytest.mark.parametrize("schedule", [OneShot(), Rounds(0.3)])
def test_the_method_of_the_space_does_the_same(start, loss, features, schedule):
    model, source = two_layers(bias=True, loss=loss)
    _, target = two_layers(5, loss=loss)
    steps, more = Training(n_iter=40, learning_rate=0.02), Training(n_iter=30, learning_rate=0.01)
    ticket = find_ticket(model, source, sparsity=0.4, schedule=schedule, training=steps, rng=1)
    one = ticket.transfer(target, start=start, features=features, training=more, rng=1)
    method = ticket_transfer(start, features=features, schedule=schedule, training=steps, retraining=more)
    other = prune(model, {"source": source, "target": target}, method, sparsity=0.4, rng=1)
    assert one.masks == other.masks == ticket.masks
    assert one.model == other.model
    total = ticket.cost + one.cost
    assert (total.forward, total.backward, total.executed) == (
        other.cost.forward,
        other.cost.backward,
        other.cost.executed,
    )
    assert ticket.path[-1] == ticket.masks
    assert len(ticket.path) == (1 if schedule == OneShot() else 3)  # 48 -> 34 -> 24 -> 19


def test_iterative_masks_go_on_from_the_pruned_weights():
    """Each round prunes what the round before left and trained; the mask is put on the unpruned weights."""
    model, source = two_layers(widths=(6, 10))
    steps = Training(n_iter=25, learning_rate=0.02)
    ticket = find_ticket(model, source, sparsity=30, schedule=Rounds(0.3), training=steps)
    layers, count, mask = list(model.layers), 60, np.ones((6, 10), dtype=bool)
    dense = None
    while count > 30:
        count = max(30, count - round(0.3 * count))
        task = Task(model.replace(layers=layers), Masks([mask, np.ones((10, 3))]), source, None, Cost())
        trained = steps.train(task).model
        dense = dense or trained
        order = np.argsort(-np.abs(trained.layers[0] * mask).ravel(), kind="stable")
        mask = np.zeros(60, dtype=bool)
        mask[order[:count]] = True
        mask = mask.reshape(6, 10)
        layers = [trained.layers[0] * mask, trained.layers[1]]
    np.testing.assert_array_equal(ticket.masks.layers[0], mask)
    assert ticket.masks.layers[1].all()
    assert ticket.trained == dense
    assert np.count_nonzero(ticket.trained.layers[0]) == 60


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("head", [None, (), (4,)])
def test_frozen_features_are_frozen(head, bias):
    model, source = two_layers(bias=bias, widths=(6, 8, 7))
    ticket = find_ticket(model, source, sparsity=0.5, training=Training(n_iter=30))
    before = source.X.copy()
    found = ticket.transfer(source, features="frozen", head=head, training=Training(n_iter=50), rng=2)
    for i in range(2):
        wanted = np.where(ticket.masks.layers[i], ticket.trained.layers[i], 0.0)
        np.testing.assert_array_equal(found.model.layers[i], wanted)
        if bias:
            np.testing.assert_array_equal(found.model.biases[i], ticket.trained.biases[i])
    if head is None:
        assert np.any(found.model.layers[2] != ticket.trained.layers[2])
    assert found.model.widths == (6, 8, 7, *(head or ()), 3)
    assert len(found.masks.layers) == len(found.model.layers)
    np.testing.assert_array_equal(source.X, before)
    free = ticket.transfer(source, head=head, training=Training(n_iter=50), rng=2)
    assert np.any(free.model.layers[0] != found.model.layers[0])
    assert not free.model.layers[0][~ticket.masks.layers[0]].any()
    assert found.cost.executed < 0.5 * free.cost.executed


def test_frozen_features_equal_updates_that_leave_the_lower_layers_out():
    """The same updates as descent on all layers whose lower gradients are thrown away, written out for two layers."""
    model, data = two_layers()
    masks = Masks([np.arange(48).reshape(6, 8) % 2 == 0, np.arange(24).reshape(8, 3) % 5 != 0])
    start = model.replace(layers=masks.apply(model.layers))
    steps = Training(n_iter=7, learning_rate=0.1, optimiser="sgd", momentum=0.0)
    cost = Cost()
    found = FrozenFeatures(steps).train(Task(start, masks, data, np.random.default_rng(0), cost, keep_at=(0, 3)))
    hidden = np.maximum(data.X @ start.layers[0], 0)
    W = start.layers[1].copy()
    for step in range(7):
        if step == 3:
            np.testing.assert_allclose(found.kept[3].layers[1], W, rtol=1e-12, atol=1e-14)
        W -= 0.1 * hidden.T @ (hidden @ W - data.y) / 60 * masks.layers[1]
    np.testing.assert_allclose(found.model.layers[1], W, rtol=1e-12, atol=1e-14)
    assert found.kept[0] == start
    assert found.masks == masks
    assert (found.n_iter, found.diverged) == (7, False)
    assert (cost.forward, cost.backward) == (60 + 7 * 60, 7 * 60)
    assert cost.executed == 60 * 48 + 7 * 60 * (24 + 24)


@pytest.mark.parametrize("bias", [False, True])
def test_standardised_features_change_the_path_and_not_the_network(bias):
    """Descent on features in new units, written out; without updates the network is the one it was."""
    model, data = two_layers(bias=bias)
    shifted = [layer.copy() for layer in model.layers]
    shifted[0][:, 3] = 0  # a feature that is constant; 60 times 1 / 10 have a mean that is not quite 1 / 10
    model = model.replace(layers=shifted, biases=[np.full(8, 0.1), model.biases[1]] if bias else None)
    full = Masks.full(model.layers)

    def end(n_iter):
        steps = Training(n_iter=n_iter, learning_rate=0.1, optimiser="sgd", momentum=0.0)
        task = Task(model, full, data, np.random.default_rng(0), Cost(), keep_at=(0,))
        return FrozenFeatures(steps, standardise=True).train(task)

    for found in (end(0).model, end(3).kept[0]):
        np.testing.assert_allclose(found(data.X), model(data.X), rtol=1e-12, atol=1e-12)
    hidden = np.maximum(data.X @ model.layers[0] + (model.biases[0] if bias else 0), 0)
    centre = hidden.mean(axis=0) if bias else np.zeros(8)
    spread = hidden.std(axis=0)
    spread[3] = 1.0
    Z = (hidden - centre) / spread
    W, b = model.layers[1] * spread[:, None], (model.biases[1] if bias else 0) + centre @ model.layers[1]
    for _ in range(40):
        error = (Z @ W + (b if bias else 0) - data.y) / 60
        W, b = W - 0.1 * Z.T @ error, b - 0.1 * error.sum(axis=0)
    found = end(40).model
    np.testing.assert_allclose(found(data.X), Z @ W + (b if bias else 0), rtol=1e-9, atol=1e-11)
    np.testing.assert_array_equal(found.layers[0], model.layers[0])


def test_random_masks_keep_as_many_weights_in_each_layer():
    model, source = two_layers(widths=(6, 8, 7))
    ticket = find_ticket(model, source, sparsity=0.4, training=Training(n_iter=20))
    steps = Training(n_iter=5)
    one, other = (ticket.transfer(source, mask="random", training=steps, rng=seed).masks for seed in (1, 2))
    counts = [int(layer.sum()) for layer in ticket.masks.layers]
    assert [int(layer.sum()) for layer in one.layers] == counts
    assert one not in (other, ticket.masks)
    method = ticket_transfer("initial", "random", schedule=OneShot(), training=Training(n_iter=20))
    shot = find_ticket(model, source, sparsity=0.4, schedule=OneShot(), training=Training(n_iter=20))
    found = prune(model, {"source": source, "target": source}, method, sparsity=0.4, rng=1).masks
    assert [int(layer.sum()) for layer in found.layers] == [int(layer.sum()) for layer in shot.masks.layers]
    assert found != shot.masks


def test_starts_are_what_they_say():
    model, source = two_layers(bias=True)
    ticket = find_ticket(model, source, sparsity=1.0, training=Training(n_iter=20))
    assert ticket.masks.count == model.n_weights
    still = Training(n_iter=0)
    assert ticket.transfer(source, start="source", training=still).model == ticket.trained
    assert ticket.transfer(source, start="initial", training=still).model == model
    drawn = ticket.transfer(source, start="random", training=still, rng=4).model
    for old, new in zip(model.layers, drawn.layers, strict=True):
        np.testing.assert_array_equal(np.sort(old.ravel()), np.sort(new.ravel()))
        assert np.any(old != new)
    own = Model.draw((6, 8, 3), bias=True, rng=9)
    assert ticket.transfer(source, start=own, training=still).model == own
    assert ticket.transfer(source, mask="all", training=still).model == ticket.trained


def test_arms_with_one_seed_share_head_and_batches():
    model, source = two_layers(loss="cross_entropy")
    ticket = find_ticket(model, source, sparsity=0.5, training=Training(n_iter=20), rng=0)
    still = Training(n_iter=0)
    ends = [
        ticket.transfer(source, start=start, mask=mask, head=(5,), training=still, rng=8).model
        for start in ("source", "random")
        for mask in ("ticket", "random", "all")
    ]
    for end in ends[1:]:
        np.testing.assert_array_equal(end.layers[1], ends[0].layers[1])
        np.testing.assert_array_equal(end.layers[2], ends[0].layers[2])


def test_targets_with_other_outputs_need_a_head():
    model, source = two_layers(loss="cross_entropy")
    ticket = find_ticket(model, source, sparsity=0.5, training=Training(n_iter=20), rng=0)
    target = Data(source.X, source.y + 2, source.X_validation, source.y_validation)
    with pytest.raises(ValueError, match="3"):
        ticket.transfer(target)
    found = ticket.transfer(target, head=(), training=Training(n_iter=20), rng=0)
    assert found.model.widths == (6, 8, 5)
    wrong = (found.model(target.X_validation).argmax(axis=1) != target.y_validation).mean()
    assert found.error == wrong
    assert found.accuracy == 1 - wrong
    assert np.isnan(ticket.transfer((target.X, source.y), training=Training(n_iter=2)).error)
    regression, data = two_layers()
    squared = find_ticket(regression, data, sparsity=0.5, training=Training(n_iter=20))
    assert squared.transfer((data.X, data.y[:, 0]), head=(), training=Training(n_iter=2)).model.scalar


def test_accuracy_of_a_transfer_is_above_chance_and_training_lowers_the_error():
    model, source = two_layers(loss="cross_entropy", widths=(6, 16))
    ticket = find_ticket(model, source, sparsity=0.5, training=Training(n_iter=300, learning_rate=0.02), rng=0)
    found = ticket.transfer(source, training=Training(n_iter=300, learning_rate=0.02), rng=0)
    assert found.train_error < 0.1
    assert found.accuracy > 0.6


def test_other_arrays(backend):
    model, source = two_layers(loss="cross_entropy", bias=True)
    put = backend.put
    there = Model([put(layer) for layer in model.layers], [put(b) for b in model.biases], model.loss)
    data = Data(put(source.X), put(source.y), put(source.X_validation), put(source.y_validation))
    ticket = find_ticket(there, data, sparsity=0.5, training=Training(n_iter=10), rng=0)
    host = find_ticket(model, source, sparsity=0.5, training=Training(n_iter=10), rng=0)
    assert [backend.get(layer).tolist() for layer in ticket.masks.layers] == [m.tolist() for m in host.masks.layers]
    for options in ({}, {"start": "random", "mask": "random"}, {"features": "frozen", "head": (4,)}, {"units": True}):
        steps = Training(n_iter=10, batch_size=20)
        if options.pop("units", False):
            steps = FrozenFeatures(steps, standardise=True)
        one = ticket.transfer(data, training=steps, rng=1, **options)
        two = host.transfer(source, training=steps, rng=1, **options)
        for layer, wanted in zip(one.model.layers, two.model.layers, strict=True):
            np.testing.assert_allclose(backend.get(layer), wanted, rtol=1e-9, atol=1e-12)
        assert one.error == pytest.approx(two.error)


def test_float32_stays():
    model, source = two_layers(loss="cross_entropy")
    small = Model([layer.astype(np.float32) for layer in model.layers], None, model.loss)
    ticket = find_ticket(small, source, sparsity=0.5, training=Training(n_iter=5), rng=0)
    found = ticket.transfer(source, head=(3,), features="frozen", training=Training(n_iter=5), rng=0)
    assert {layer.dtype for layer in found.model.layers} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"start": "late"}, "start"),
        ({"start": 0.5}, "start"),
        ({"start": Model.draw((6, 9, 3), rng=0)}, "initial"),
        ({"mask": "none"}, "mask"),
        ({"features": "thawed"}, "features"),
        ({"head": (0,)}, r"head\[0\]"),
        ({"head": 5}, "head"),
        ({"training": 100}, "training"),
    ],
)
def test_bad_transfers(options, words):
    model, source = two_layers()
    ticket = Ticket(Masks.full(model.layers), model, model)
    with pytest.raises((ValueError, TypeError), match=words):
        ticket.transfer(source, **options)


def test_more_bad_input():
    model, source = two_layers()
    full = Masks.full(model.layers)
    other = Model.draw((6, 8, 3), bias=True, rng=0)
    for arguments, error, words in (
        ((full, model, Model.draw((6, 9, 3), rng=0)), ValueError, "trained has layers"),
        ((Masks.full([np.ones((6, 8))]), model, model), ValueError, "masks has layers"),
        ((model, model, model), TypeError, "masks"),
        ((full, model, other), ValueError, "biases"),
    ):
        with pytest.raises(error, match=words):
            Ticket(*arguments)
    linear_ticket = find_ticket(np.zeros((6, 3)), source, sparsity=5, training=Training(n_iter=5))
    for options in ({"features": "frozen"}, {"head": ()}):
        with pytest.raises(ValueError, match="linear"):
            linear_ticket.transfer(source, **options)
    with pytest.raises(ValueError, match="target: X has 5"):
        linear_ticket.transfer((source.X[:, :5], source.y))
    with pytest.raises(TypeError, match="training"):
        FrozenFeatures(10)
    with pytest.raises(ValueError, match="n_trained"):
        FrozenFeatures(Training(n_iter=1), 0)
    with pytest.raises(TypeError, match="standardise"):
        FrozenFeatures(Training(n_iter=1), standardise="yes")
    task = Task(model, full, source, np.random.default_rng(0), Cost())
    with pytest.raises(ValueError, match="expected fewer"):
        FrozenFeatures(Training(n_iter=1), 2).train(task)
    with pytest.raises(ValueError, match="all layers"):
        FrozenFeatures(Training(n_iter=1)).train(dataclasses.replace(task, observers=(object(),)))
    for options, words in (
        ({"start": "end"}, "start"),
        ({"start": 1.5}, "rewind"),
        ({"mask": "all"}, "mask"),
        ({"features": "half"}, "features"),
    ):
        with pytest.raises(ValueError, match=words):
            ticket_transfer(**options)


def test_late_rewinding_is_a_share_of_the_source_training():
    model, source = two_layers()
    steps = Training(n_iter=20)
    method = ticket_transfer(0.5, schedule=OneShot(), training=steps, retraining=Training(n_iter=0))
    found = prune(model, {"source": source, "target": source}, method, sparsity=1.0, rng=0)
    task = Task(model, Masks.full(model.layers), source, np.random.default_rng(0), Cost(), until=10)
    np.testing.assert_allclose(found.model.layers[0], steps.train(task).model.layers[0], rtol=1e-12)
    assert isinstance(method, Method)
    assert pruning.ticket_transfer is ticket_transfer
