"""Whole trainings with frozen units: absorption, false freezes, baselines at equal cost, resuming, and refusals."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from standin import count_syncs, device

from recovery.mlp.masks import Masks
from recovery.pruning import Cost, Data, Method, Model, Task, Training, prune
from recovery.pruning.closed_forms import equilibrium as closed_forms
from recovery.pruning.equilibrium import (
    Calibrated,
    EarlyStopping,
    Equilibrium,
    Freezing,
    NEq,
    RandomFreezing,
    Seen,
    booked_operations,
    counted_operations,
    similarities,
    thaws,
)

D, HIDDEN, TEACHER = 20, 30, 4
STEPS = Training(epochs=40, batch_size=50, learning_rate=0.05, optimiser="sgd", momentum=0.0, schedule="steps")
SHORT = Training(epochs=6, batch_size=20, learning_rate=0.05, optimiser="sgd", momentum=0.9, weight_decay=1e-3)


def teacher_data(seed, n=600, held=200):
    """Return the data of a teacher with few units."""
    rng = np.random.default_rng([seed, 1])
    W = rng.standard_normal((D, TEACHER)) / np.sqrt(D)
    X, V = rng.standard_normal((n, D)), rng.standard_normal((held, D))
    return Data(X, np.maximum(X @ W, 0).sum(axis=1), V, np.maximum(V @ W, 0).sum(axis=1))


def small(loss="squared", *, bias=True, rows=50, widths=(5, 7, 6, 3), seed=0):
    """Return a small model and data for it."""
    rng = np.random.default_rng([seed, 2])
    X, V = rng.standard_normal((rows, widths[0])), rng.standard_normal((30, widths[0]))
    if loss == "squared":
        y, held = rng.standard_normal((rows, widths[-1])), rng.standard_normal((30, widths[-1]))
    else:
        y, held = rng.integers(widths[-1], size=rows), rng.integers(widths[-1], size=30)
    return Model.draw(widths, bias=bias, loss=loss, rng=seed), Data(X, y, V, held)


def on(backend, model, data):
    """Return model and data on a backend."""
    biases = None if model.biases is None else [backend.put(b) for b in model.biases]
    put = [getattr(data, one.name) for one in dataclasses.fields(data)]
    return Model([backend.put(w) for w in model.layers], biases, model.loss), Data(*map(backend.put, put))


def same_bits(one, other):
    parts = [(*m.layers, *(m.biases or ())) for m in (one, other)]
    return all(np.array_equal(a, b) for a, b in zip(*parts, strict=True))


# -- what the statements say of whole trainings -----------------------------------------------------------------------


def test_in_the_first_layer_two_frozen_epochs_are_for_ever_and_three_by_the_released_filter():
    """phi of a unit that stands still is 1, so that |velocity| falls by mu in each epoch from there on."""
    once, twice = 0, 0
    for seed, eps in ((0, 1e-5), (1, 1e-4)):
        data, start = teacher_data(seed), Model.draw((D, HIDDEN, 1), scalar=True, rng=seed)
        paper = NEq(Equilibrium(eps), STEPS).run(start, data, rng=seed)
        released = NEq(Equilibrium(eps, filter="released"), STEPS).run(start, data, rng=seed)
        assert paper.thaws(0, after=2) == 0
        assert released.thaws(0, after=3) == 0
        once, twice = once + paper.thaws(0), twice + released.thaws(0, after=2)
        still = paper.frozen[0][1:]
        assert (paper.phi[0][1:][still] == 1.0).all()
        # the output layer is never frozen, and a two-layer network saves what its frozen units count
        assert not paper.frozen[1].any()
        assert paper.total.counted == paper.total.executed < paper.total.full
        assert paper.total.saved == paper.total.counted_saved > 0.3
    assert once > 0  # thaws after a single frozen epoch do happen
    assert twice > 0  # and the released filter needs the third


def test_in_a_deeper_layer_units_thaw_after_two_frozen_epochs():
    """What they read changes as long as the layer below learns; they count more than is saved."""
    late = 0
    for seed in range(2):
        start = Model.draw((D, HIDDEN, HIDDEN, 1), scalar=True, rng=seed)
        run = NEq(Equilibrium(1e-4), STEPS).run(start, teacher_data(seed), rng=seed)
        assert run.thaws(0, after=2) == 0
        late += run.thaws(1, after=2)
        assert run.total.counted_saved > run.total.saved > 0
    assert late > 0


def test_a_unit_that_turns_evenly_is_frozen_while_it_learns_and_thaws_again():
    """Its similarity is constant, so its velocity goes to 0: equilibrium is not the end of learning."""
    circle = np.arange(720) * 2 * np.pi / 720  # isotropic, so that phi is the same wherever a turn starts
    Z, angle, turned, rng = np.stack([np.cos(circle), np.sin(circle)], axis=1), circle[23], 0.0, None
    rule, frozen, phi, history, learned = Equilibrium(1e-3), np.zeros(1, dtype=bool), [], [], []
    for t in range(40):
        before = turned
        turned += 0.0 if frozen[0] else angle
        learned.append(not frozen[0])
        outputs = [np.maximum(Z @ [np.cos(a), np.sin(a)], 0)[:, None] for a in (before, turned)]
        phi.append(similarities(*outputs))
        history.append(frozen)
        change = np.diff(phi, axis=0, prepend=1.0)
        velocity = [change[0]]
        for one in change[1:]:
            velocity.append(one - 0.5 * velocity[-1])
        frozen = rule.frozen(
            Seen(t + 1, [np.array(phi)], [change], [np.array(velocity)], [frozen], (True,), np.ones(t + 1), rng)
        )[0]
    first = learned.index(False)
    assert (
        first == 6 == 1 + closed_forms.false_freeze_epoch(angle, 0.5, 1e-3)
    )  # 1 - phi = a^2 / 2 - a^3 / (3 pi) = 0.0193, and / 2^5 is the first below 1e-3
    assert learned[first + 1]  # and thaws at once, as its similarity jumps to 1
    assert thaws(np.array(history)) >= 3


@pytest.mark.parametrize("pinning", [False, True])
def test_pinned_units_never_thaw(pinning):
    data, start = teacher_data(1), Model.draw((D, HIDDEN, 1), scalar=True, rng=1)
    run = NEq(Equilibrium(1e-4, pinning=pinning), STEPS).run(start, data, rng=1)
    assert (run.thaws(0) == 0) is pinning


def test_frozen_units_do_not_move_and_thawed_ones_do(backend):
    model, data = small()
    seen = []
    widths, rng = model.widths[1:], np.random.default_rng(3)
    masks = [[rng.random(width) < 0.5 for width in widths] for _ in range(8)]

    class Given(Freezing):
        measures = False

        def frozen(self, seen):
            return masks[seen.n_epochs]

    for epochs in range(1, 7):
        training = dataclasses.replace(SHORT, epochs=epochs)
        run = NEq(Given(), training, freeze_outputs=True).run(*on(backend, model, data), rng=5)
        seen.append([backend.get(part) for part in (*run.model.layers, *run.model.biases)])
    for t in range(1, 6):
        for part, (now, before) in enumerate(zip(seen[t], seen[t - 1], strict=True)):
            held = masks[t][part % 3]
            assert np.array_equal(now[..., held], before[..., held])
            assert (now[..., ~held] != before[..., ~held]).any() or held.all()


# -- what it is compared with ----------------------------------------------------------------------------------------


def test_random_freezing_and_early_stopping_cost_the_same():
    data, start = teacher_data(2), Model.draw((D, HIDDEN, HIDDEN, 1), scalar=True, rng=2)
    run = NEq(Equilibrium(1e-4), STEPS).run(start, data, rng=2)
    random = NEq(RandomFreezing.like(run.frozen), STEPS).run(start, data, rng=2)
    assert random.total.executed == run.total.executed
    assert [m.sum(axis=1).tolist() for m in random.frozen] == [m.sum(axis=1).tolist() for m in run.frozen]
    assert not np.array_equal(random.frozen[0], run.frozen[0])
    assert random.phi == ()
    for compressed in (False, True):
        stopped = NEq(EarlyStopping(run.total.executed, compressed=compressed), STEPS).run(start, data, rng=2)
        one = stopped.total.full // sum(cost.rows // 50 for cost in stopped.costs)
        assert run.total.executed - one < stopped.total.executed <= run.total.executed
        assert (
            bool(stopped.rates[-1] == pytest.approx(0.0005)) is compressed
        )  # the schedule runs to its end, or is cut off
        assert "of 480 update(s)" in stopped.message
    everything = run.total.executed + run.total.forward
    longer = NEq(EarlyStopping(everything, counted="all"), STEPS).run(start, data, rng=2)
    assert longer.total.executed + longer.total.forward <= everything
    assert longer.total.rows > stopped.total.rows  # stopping saves forward passes, too


def test_nothing_frozen_is_the_training_of_all_methods():
    """Same rows, same updates: the weights agree to rounding, with masks too."""
    for loss, optimiser in (("squared", "sgd"), ("cross_entropy", "adam")):
        model, data = small(loss)
        training = dataclasses.replace(SHORT, optimiser=optimiser, learning_rate=0.01, mean_outputs=loss == "squared")
        masks = Masks([np.random.default_rng(4).random(w.shape) < 0.6 for w in model.layers])
        for kept in (Masks.full(model.layers), masks):
            begin = model.replace(layers=kept.apply(model.layers))
            cost = Cost(), Cost()
            tasks = [Task(begin, kept, data.fit_to(model), np.random.default_rng(6), one, keep_at=(4,)) for one in cost]
            one = training.train(tasks[0])
            other = NEq(EarlyStopping(10**12), training).train(tasks[1])
            assert one.n_iter == other.n_iter == 12
            for at in (one.model, other.model), (one.kept[4], other.kept[4]):
                for a, b in zip(*[(*m.layers, *m.biases) for m in at], strict=True):
                    np.testing.assert_allclose(a, b, rtol=0, atol=12 * 30 * 100 * np.finfo(float).eps)
            assert all((w[~m] == 0).all() for w, m in zip(other.model.layers, kept.layers, strict=True))
            assert cost[0].executed == cost[1].executed
            assert (cost[0].forward, cost[0].backward) == (cost[1].forward, cost[1].backward)


def test_costs_of_an_epoch_and_of_the_whole():
    model, data = small()
    run = NEq(Equilibrium(0.5), SHORT).run(model, data, rng=0)
    shapes = model.shapes.layers
    for t, cost in enumerate(run.costs):
        frozen = [int(layer[t].sum()) for layer in run.frozen]
        assert cost.counted == counted_operations(shapes, frozen, 50)
        assert cost.booked == booked_operations(shapes, frozen, 50)
        assert cost.booked_full == 100 * model.n_weights
        assert (cost.rows, cost.validation_rows, cost.forward) == (50, 30, 80 * model.n_weights)
    spent = run.cost
    assert (spent.forward, spent.backward) == (6 * 80, 6 * 50)
    assert spent.executed == run.total.forward + run.total.executed
    assert spent.booked == pytest.approx(6 * 50 * model.n_weights + run.total.booked)
    assert run.total.saved > 0
    assert f"{run.total.saved:.1%} of the backward pass saved" in run.message


def test_on_how_many_rows_similarities_are_measured():
    model, data = small(rows=150)
    plain = Data(data.X, data.y)
    for given, count, rows in ((data, None, 30), (data, 25, 25), (plain, None, 100), (plain, 140, 140)):
        run = NEq(Equilibrium(0.01), SHORT, n_validation=count).run(model, given, rng=0)
        assert run.costs[0].validation_rows == rows
        assert run.costs[0].forward == (150 + rows) * model.n_weights
    many = Data(np.repeat(data.X, 80, axis=0), np.repeat(data.y, 80, axis=0))
    run = NEq(Equilibrium(0.01), dataclasses.replace(SHORT, epochs=1)).run(model, many, rng=0)
    assert run.costs[0].validation_rows == 120  # 1 % of 12,000


def test_thaws_are_counted_by_the_length_of_the_stretch():
    one = np.array([0, 1, 0, 1, 1, 1, 0, 1, 1], dtype=bool)[:, None]
    frozen = np.concatenate([one, np.roll(one, 1, axis=0), ~one], axis=1)
    # stretches that end: 1 and 3; 1, 1 and 3; 1, 1 and 1
    assert [thaws(frozen, after) for after in (1, 2, 3, 4)] == [8, 2, 2, 0]
    assert [thaws(frozen[:, :1], after) for after in (1, 2, 3, 4)] == [2, 1, 1, 0]


# -- rules, thresholds, places ---------------------------------------------------------------------------------------


def test_warm_up_and_calibration():
    data, start = teacher_data(3), Model.draw((D, HIDDEN, 1), scalar=True, rng=3)
    run = NEq(Equilibrium(Calibrated(0.3), warm_up=4), STEPS).run(start, data, rng=3)
    assert not run.frozen[0][:4].any()
    eps = np.quantile(np.abs(run.velocity[0][1:4]), 0.3)
    rates = (run.rates / run.rates[0]) ** 2
    for t in range(3, run.n_epochs - 1):  # after each epoch, for the next
        assert np.array_equal(run.frozen[0][t + 1], np.abs(run.velocity[0][t]) < eps * rates[t])


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_both_backends_give_the_same_run(backend, loss, optimiser):
    model, data = small(loss)
    training = dataclasses.replace(SHORT, optimiser=optimiser, learning_rate=0.02)
    method = NEq(Equilibrium(0.01, filter="released"), training, n_validation=25, signal="preactivation")
    before = [layer.copy() for layer in model.layers]
    run = method.run(*on(backend, model, data), rng=7)
    plain = method.run(model, data, rng=7)
    for a, b in zip(run.model.layers, plain.model.layers, strict=True):
        assert np.array_equal(backend.get(a), b)
    assert all(np.array_equal(a, b) for a, b in zip(run.frozen, plain.frozen, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.layers, strict=True))
    assert run.frozen[0].any()
    assert run.message == plain.message


def test_updates_do_not_wait_for_a_device():
    """Synchronisations belong to epochs, not to updates."""
    model, data = on(SimpleNamespace(put=device), *small(rows=60))
    counts = []
    for optimiser in ("sgd", "adam"):
        for batch in (60, 20, 3):
            training = dataclasses.replace(SHORT, batch_size=batch, optimiser=optimiser, epochs=3, learning_rate=1e-3)
            with count_syncs() as found:
                NEq(Equilibrium(1e-9), training).run(model, data, rng=0)
            counts.append(sum(found.values()))
    assert len(set(counts)) == 1


def test_no_updates_at_all():
    model, data = small()
    run = NEq(training=dataclasses.replace(SHORT, epochs=0)).run(model, data, rng=0)
    assert run.model == model
    assert (run.n_epochs, run.total.saved, run.frozen[0].shape) == (0, 0.0, (0, 7))
    assert not run.frozen_share.any()


def test_float32_stays_float32():
    model, data = small()
    light = Model([w.astype("float32") for w in model.layers], [b.astype("float32") for b in model.biases])
    run = NEq(Equilibrium(0.01), dataclasses.replace(SHORT, optimiser="adam")).run(light, data, rng=0)
    assert all(part.dtype == np.float32 for part in (*run.model.layers, *run.model.biases))
    assert run.phi[0].dtype == np.float64


def test_a_linear_model_has_outputs_alone():
    X = np.random.default_rng(8).standard_normal((60, 4))
    y = X @ np.array([1.0, -2.0, 0.0, 0.5])
    run = NEq(training=SHORT).run(np.zeros(4), (X, y), rng=0)
    assert run.model.layers[0].shape == (4,)
    assert not run.frozen[0].any()
    frozen = NEq(Equilibrium(10.0), training=SHORT, freeze_outputs=True).run(np.zeros(4), (X, y), rng=0)
    assert frozen.frozen[0][1:].all()
    assert frozen.costs[-1].executed == 0


# -- as a part of a method -------------------------------------------------------------------------------------------


def test_a_method_may_hold_back_updates_and_prune_too():
    model, data = small()
    neq = NEq(Equilibrium(0.05), SHORT)
    method = Method("neq", source="start", criterion="magnitude", dynamics=neq, target="update", training=SHORT)
    whole = prune(model, data, method, sparsity=None, rng=0)
    assert same_bits(whole.model, neq.run(model, data, rng=np.random.default_rng(0)).model)
    assert whole.details.total.saved > 0
    assert whole.cost == whole.details.cost
    half = prune(model, data, method, sparsity=40, rng=0)
    assert half.model.sparsity == 40
    retrained = prune(model, data, method.replace(dynamics=None, target="weight", retraining=neq), sparsity=40, rng=0)
    assert same_bits(half.model, retrained.model)
    assert retrained.details.frozen[0].any()


# -- interruptions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize("rule", [Equilibrium(0.01), RandomFreezing(((0, 0, 0), (3, 2, 0))), EarlyStopping(150_000)])
def test_a_resumed_run_gives_the_same_bits(tmp_path, backend, rule, optimiser):
    model, data = on(backend, *small(rows=53))
    method = NEq(rule, dataclasses.replace(SHORT, optimiser=optimiser, learning_rate=0.02))
    whole = method.run(model, data, rng=3)
    path, calls = tmp_path / "state.npz", []

    def interrupt(state):
        calls.append(state.n_epochs)
        if state.n_epochs in (2, 3):
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            method.run(model, data, rng=3, callback=interrupt, checkpoint=path)
    again = method.run(model, data, rng=3, checkpoint=path, callback=interrupt)
    assert calls == [1, 2, 3, *range(4, whole.n_epochs + 1)]  # no epoch was made twice
    assert again == whole
    assert again.message == whole.message
    # a run that is over is read and not made again
    assert method.run(model, data, rng=3, checkpoint=path, callback=interrupt) == whole
    assert len(calls) == whole.n_epochs


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    model, data = small()
    path = tmp_path / "state.npz"
    NEq(training=SHORT).run(model, data, rng=3, checkpoint=path)
    for method, rng in ((NEq(Equilibrium(0.5), SHORT), 3), (NEq(training=SHORT), 4)):
        with pytest.raises(ValueError, match="belongs to another run"):
            method.run(model, data, rng=rng, checkpoint=path)
    for content in (b"", b"no npz file", path.read_bytes()[:200]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="cannot be read"):
            NEq(training=SHORT).run(model, data, rng=3, checkpoint=path)


def test_a_callback_stops():
    model, data = small()
    run = NEq(Equilibrium(0.01), SHORT).run(model, data, rng=0, callback=lambda state: state.n_epochs == 2)
    assert (run.n_epochs, run.finished) == (2, False)
    assert run.message.startswith("stopped after 2 epoch(s)")


def test_numbers_out_of_range_end_the_run_at_the_last_epoch():
    model, data = small()
    wild = dataclasses.replace(SHORT, schedule=lambda share: 1.0 if share < 0.5 else 1e200)
    run = NEq(training=wild).run(model, data, rng=0)
    assert (run.n_epochs, run.finished) == (3, False)
    assert "overflow in epoch 4" in run.message
    assert same_bits(run.model, NEq(training=wild).run(model, data, rng=0, callback=lambda s: s.n_epochs == 3).model)


# -- refusals --------------------------------------------------------------------------------------------------------


def test_one_validation_row_is_refused_or_warned_about():
    model, data = small()
    one = Data(data.X, data.y, data.X_validation[:1], data.y_validation[:1])
    with pytest.raises(ValueError, match="measured on 1 row; the cosine"):
        NEq(training=SHORT).run(model, one, rng=0)
    with pytest.raises(ValueError, match="expected at least 2 validation rows"):
        NEq(training=SHORT, n_validation=1).run(model, data, rng=0)
    with pytest.warns(RuntimeWarning, match="-1, 0 or 1 whatever it learns"):
        run = NEq(training=SHORT, one_sample="warn").run(model, one, rng=0)
    assert set(np.round(run.phi[0]).ravel()) <= {-1.0, 0.0, 1.0}
    np.testing.assert_allclose(run.phi[0], np.round(run.phi[0]), rtol=0, atol=1e-15)
    assert NEq(EarlyStopping(10**9), SHORT).run(model, one, rng=0).finished  # which measures nothing


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m, d: NEq(rule="paper"), TypeError, "rule='paper'"),
        (lambda m, d: NEq(training=5), TypeError, "training=5"),
        (lambda m, d: NEq(signal="output"), ValueError, "signal='output'"),
        (lambda m, d: NEq(similarity="mean"), ValueError, "similarity='mean'"),
        (lambda m, d: NEq(one_sample="allow"), ValueError, "one_sample='allow'"),
        (lambda m, d: NEq(n_validation=0), ValueError, "n_validation=0"),
        (lambda m, d: NEq(measure=False), ValueError, "Equilibrium needs similarities"),
        (lambda m, d: Equilibrium(-1.0), ValueError, "eps=-1.0"),
        (lambda m, d: Equilibrium(mu=1.0), ValueError, "mu=1.0 is not below 1"),
        (lambda m, d: Equilibrium(warm_up=0), ValueError, "warm_up=0"),
        (lambda m, d: Equilibrium(filter="new"), ValueError, "filter='new'"),
        (lambda m, d: RandomFreezing(()), ValueError, "counts is not a table"),
        (lambda m, d: RandomFreezing(((1, 2), (1,))), ValueError, "counts is not a table"),
        (lambda m, d: EarlyStopping(-1), ValueError, "budget=-1"),
        (lambda m, d: NEq(RandomFreezing(((1, 0),)), SHORT).run(m, d), ValueError, "expected 3, one per layer"),
        (lambda m, d: NEq(RandomFreezing(((9, 0, 0),)), SHORT).run(m, d), ValueError, "9 frozen units of a layer"),
        (
            lambda m, d: NEq(n_validation=31, training=SHORT).run(m, d),
            ValueError,
            "n_validation=31 is more than the 30",
        ),
        (lambda m, d: NEq(training=SHORT).run(m, (d.X[:, :4], d.y)), ValueError, "4 column"),
        (lambda m, d: NEq(training=SHORT).run(m, d, callback=3), TypeError, "callback=3"),
        (lambda m, d: NEq(training=SHORT).run("net", d), TypeError, "model is of type str"),
        (lambda m, d: thaws(np.ones((2, 2)), 0), ValueError, "after=0"),
    ],
)
def test_bad_input_is_a_sentence(call, error, words):
    with pytest.raises(error, match=words):
        call(*small())


def test_a_rule_of_ones_own_has_to_return_masks_of_the_layers():
    class Wrong(Freezing):
        measures = False

        def __init__(self, found):
            self.found = found

        def frozen(self, seen):
            return self.found

    model, data = small()
    for found, words in (([], "returned 0 mask"), ([np.zeros(2)] * 3, r"mask of shape \(2,\); expected \(7,\)")):
        with pytest.raises(ValueError, match=words):
            NEq(Wrong(found), SHORT).run(model, data)
