"""BINGO: the reversed order, every variant replayed plainly, its expectation over all subsets, and its variance."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

import planted
from benchmarks import bingo as bench
from recovery.pruning import Model, Training, prune, score
from recovery.pruning.bingo import Bingo, bingo
from recovery.pruning.closed_forms.bingo import expected_change
from recovery.pruning.cost import Cost
from recovery.pruning.data import Data
from recovery.pruning.frame import Frame
from recovery.pruning.training import Step

TRAINING = Training(n_iter=25, batch_size=40, learning_rate=3e-2)


def classes(n=160, d=6, k=3, seed=0):
    X = planted.gaussian_inputs(n, d, rng=seed)
    return X, np.argmax(planted.sparse_network(d, 4, 12, n_outputs=k, rng=seed + 1)(X), axis=1)


def problem(bias=False, loss="cross_entropy", seed=0):
    X, y = classes(seed=seed)
    if loss == "squared":
        y = np.eye(3)[y]
    return X, y, Model.draw((6, 8, 5, 3), bias=bias, loss=loss, rng=seed + 2)


class Recorded:
    """A criterion that keeps a copy of every step that another one sees."""

    def __init__(self, rule):
        self.rule, self.steps, self.probes = rule, [], None

    def begin(self, model, data, rng, cost):
        outer, self.model, self.data = self, model, data
        self.state = rng.bit_generator.state
        inner = self.rule.begin(model, data, rng, cost)

        class Observer:
            def step(self, step):
                outer.steps.append((step.model, step.inputs, step.y))
                inner.step(step)

            def scores(self):
                found = inner.scores()
                outer.probes = inner.probes
                return found

        return Observer()


def plain_signal(model, X, y, signal):
    """Return accuracy or loss, from the model's own outputs."""
    outputs = model(X[:, : model.widths[0]])
    if signal == "accuracy":
        return np.mean(np.argmax(outputs, axis=1) == np.argmax(y, axis=1))
    if model.loss == "squared":
        return 0.5 * np.mean(np.sum((outputs - y) ** 2, axis=1))
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    return -np.mean(np.sum(y * (shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))), axis=1))


def replayed(record):
    """Return BINGO's scores by plain means: whole models are copied, and changes are kept in lists."""
    rule, start = record.rule, record.model
    source = np.random.default_rng()
    source.bit_generator.state = record.state
    rng = np.random.default_rng(int(source.integers(2**63)))
    sizes = [layer.size for layer in start.layers]
    seen = [[[] for _ in range(size)] for size in sizes]
    everything, batches = [], record.steps
    if rule.when == "after":
        model, _, y = record.steps[-1]
        n, size = record.data.n_samples, len(y)
        order = rng.permutation(n)
        count = n // size
        parts = [np.sort(order[n * i // count : n * (i + 1) // count]) for i in range(count)]
        batches = [(model, record.data.X[part], record.data.y[part]) for part in parts]
    for model, X, y in batches:
        before = plain_signal(model, X, y, rule.signal)
        for _ in range(rule.probes_per_update):
            groups = []
            if rule.per_layer:
                for i, size in enumerate(sizes):
                    drawn = np.sort(rng.choice(size, max(1, round(rule.subset * size)), replace=False, shuffle=False))
                    groups.append([(i, j) for j in drawn])
            else:
                total = sum(sizes)
                drawn = np.sort(rng.choice(total, max(1, round(rule.subset * total)), replace=False, shuffle=False))
                places = [(i, j) for i, size in enumerate(sizes) for j in range(size)]
                groups.append([places[j] for j in drawn])
            for group in groups:
                layers = [layer.copy() for layer in model.layers]
                for i, j in group:
                    layers[i].flat[j] = 0.0 if rule.target == "zero" else start.layers[i].flat[j]
                after = plain_signal(model.replace(layers=layers), X, y, rule.signal)
                change = after - before if rule.signal == "loss" else before - after
                change = change if rule.signed else abs(change)
                if rule.variant != "release":
                    if before == 0:
                        continue
                    change /= before
                everything.append(change)
                for i, j in group:
                    seen[i][j].append(change)
    scores = []
    for layer, lists in zip(start.layers, seen, strict=True):
        values = []
        for changes in lists:
            if rule.variant == "running-mean":
                values.append(np.mean(changes) if changes else np.mean(everything))
                continue
            score = 0.0 if rule.variant == "release" else 0.5
            for change in changes:
                score = (score + (1 - change if rule.variant == "printed" else change)) / 2
            values.append(score)
        scores.append(np.reshape(values, layer.shape))
    counts = [np.array([len(one) for one in lists]) for lists in seen]
    return scores, [count.reshape(layer.shape) for count, layer in zip(counts, start.layers, strict=True)]


@pytest.mark.parametrize("variant", ["printed", "corrected", "release", "running-mean"])
@pytest.mark.parametrize("signal", ["accuracy", "loss"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"target": "zero", "per_layer": False},
        {"when": "after", "probes_per_update": 3, "signed": True},
    ],
    ids=["paper", "zero-global", "after"],
)
def test_scores_are_those_of_a_plain_replay(variant, signal, options):
    X, y, model = problem(bias=True)
    record = Recorded(Bingo(variant, signal=signal, subset=0.06, **options))
    method = bingo(variant, TRAINING).replace(criterion=record)
    result = prune(model, (X, y), method, sparsity=1.0, rng=4)
    expected, probes = replayed(record)
    for found, wanted, counts, seen in zip(result.scores, expected, probes, record.probes, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(counts, seen)
    assert sum(int((counts > 0).sum()) for counts in probes) > 30


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
@pytest.mark.parametrize("signal", ["accuracy", "loss"])
def test_the_printed_formula_reverses_the_order(bias, loss, signal):
    X, y, model = problem(bias, loss)
    runs = [
        prune(model, (X, y), bingo(variant, TRAINING, signal=signal, subset=0.1), sparsity=1.0, rng=7)
        for variant in ("printed", "corrected")
    ]
    assert runs[0].path[0].model == runs[1].path[0].model  # the training is the same
    for printed, corrected in zip(runs[0].scores, runs[1].scores, strict=True):
        assert np.ptp(corrected) > 0.05
        np.testing.assert_allclose(printed, 1 - corrected, rtol=0, atol=1e-12)


def test_a_weight_that_matters_is_pruned_first_by_the_printed_formula():
    """One weight carries the classes, the others nothing."""
    X = np.array([[1.0, 0.0], [-1.0, 0.0]] * 8)
    data = Data(X, np.array([0, 1] * 8)).fit_to(Model([np.zeros((2, 2))], None, "cross_entropy"))
    model = Model([np.array([[2.0, -2.0], [0.3, 0.1]])], None, "cross_entropy")
    start = Model([np.array([[-2.0, -2.0], [0.0, 0.0]])], None, "cross_entropy")
    scores = {}
    for variant in ("printed", "corrected"):
        observer = Bingo(variant, subset=1).begin(start, data, np.random.default_rng(0), Cost())
        for _ in range(60):
            observer.step(made(model, data.X, data.y))
        scores[variant] = observer.scores()[0]
    assert scores["printed"].argmin() == 0
    assert scores["corrected"].argmax() == 0


def made(model, X, y):
    """Return a step that ends with a model."""
    frame = Frame(model)
    vector = frame.flat(model)
    return Step(1, 1, frame, vector, gradient=vector, X=frame.inputs(X), y=y)


class Enumerating:
    """A generator that draws all subsets of a size, one after the other."""

    def __init__(self, size, count):
        self.subsets = iter(combinations(range(size), count))

    def choice(self, size, count, replace, shuffle):
        assert not replace
        return np.array(next(self.subsets))


@pytest.mark.parametrize("m", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("target", ["reset", "zero"])
def test_the_expectation_over_all_subsets_is_the_closed_form(m, target):
    """E[dL | j in T] = q sum a + q2/2 sum b + (1 - q) a_j + (q - q2) b_j for a loss that is quadratic in w."""
    rng, p = np.random.default_rng(m), 6
    X, y = rng.standard_normal((9, p)), rng.standard_normal((9, 1))
    w, start = rng.standard_normal((p, 1)), rng.standard_normal((p, 1))
    rule = Bingo("running-mean", target=target, signal="loss", subset=m, relative=False, signed=True)
    observer = rule.begin(Model([start]), Data(X, y), np.random.default_rng(0), Cost())
    observer.rng = Enumerating(p, m)
    total = len(list(combinations(range(p), m)))
    for _ in range(total):
        observer.step(made(Model([w]), X, y))
    assert observer.probes[0].sum() == total * m
    H, g = X.T @ X / 9, (X.T @ (X @ w - y) / 9)[:, 0]
    d = (start - w)[:, 0] if target == "reset" else -w[:, 0]
    a = g * d + np.diag(H) * d * d / 2
    b = d * (H @ d) - np.diag(H) * d * d
    q, q2 = (m - 1) / (p - 1), (m - 1) * (m - 2) / ((p - 1) * (p - 2))
    expected = q * a.sum() + q2 / 2 * b.sum() + (1 - q) * a + (q - q2) * b
    np.testing.assert_allclose(observer.scores()[0][:, 0], expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(expected_change(g, H, d, m), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("target", ["reset", "zero"])
def test_at_a_minimum_probes_of_one_weight_are_known_criteria(target):
    """Zeroing is OBD's saliency H_jj w_j^2 / 2, and resetting measures H_jj (w_j - w_j(0))^2 / 2."""
    rng, p = np.random.default_rng(3), 7
    X, y = rng.standard_normal((20, p)), rng.standard_normal((20, 1))
    w, start = np.linalg.lstsq(X, y, rcond=None)[0], rng.standard_normal((p, 1))
    rule = Bingo("running-mean", target=target, signal="loss", subset=1, relative=False)
    observer = rule.begin(Model([start]), Data(X, y), np.random.default_rng(0), Cost())
    observer.rng = Enumerating(p, 1)
    for _ in range(p):
        observer.step(made(Model([w]), X, y))
    curvature = np.mean(X * X, axis=0)[:, None]
    expected = curvature * (w - start) ** 2 / 2 if target == "reset" else score(Model([w]), (X, y), "obd")[0]
    np.testing.assert_allclose(observer.scores()[0], expected, rtol=1e-9)


def test_more_probes_make_the_running_mean_certain_and_the_published_average_not():
    repeats, rng = 200, np.random.default_rng(5)
    model, start = Model([np.ones((1, 1))]), Model([np.zeros((1, 1))])
    X = np.ones((1, 1))
    seen = made(model, X, X)
    # the loss rises from (1 - y)^2 / 2 to y^2 / 2, that is by y - 1/2
    for n_probes in (2, 8):
        for variant, expected in (("corrected", (1 - 4.0**-n_probes) / 3), ("running-mean", 1 / n_probes)):
            found = []
            for _ in range(repeats):
                rule = Bingo(variant, signal="loss", relative=False, signed=True)
                observer = rule.begin(start, Data(X, np.zeros((1, 1))), rng, Cost())
                for value in rng.standard_normal(n_probes):
                    seen.y = np.full((1, 1), 0.5 + value)
                    observer.step(seen)
                found.append(observer.scores()[0][0, 0])
            # the relative standard deviation of a variance of normal numbers is sqrt(2 / repeats) = .1
            assert abs(np.var(found) / expected - 1) < 4 * 0.1, (variant, n_probes)


def test_weights_that_no_probe_saw_keep_the_first_score_and_ties_go_to_the_smaller_index():
    X, y, model = problem()
    one = Training(n_iter=1, batch_size=40, learning_rate=3e-2)
    for variant, first in (("printed", 0.5), ("corrected", 0.5), ("release", 0.0)):
        method = bingo(variant, one, subset=1, when="training", target="reset").replace(scope="global")
        result = prune(model, (X, y), method, sparsity=95, rng=0)
        flat = np.concatenate([layer.ravel() for layer in result.scores])
        assert (flat != first).sum() <= 3
        order = sorted(range(flat.size), key=lambda i: (-flat[i], i))
        assert sorted(np.flatnonzero(result.masks.flat)) == sorted(order[:95])
    mean = prune(model, (X, y), bingo("running-mean", one, subset=1, signal="loss"), sparsity=1.0, rng=0)
    flat = np.concatenate([layer.ravel() for layer in mean.scores])
    values, counts = np.unique(flat, return_counts=True)
    assert counts.max() == flat.size - 3  # three layers, one weight each; all others share the mean
    np.testing.assert_allclose(values[counts.argmax()], values[counts == 1].mean(), rtol=1e-12)


def test_a_probe_of_a_batch_without_a_right_answer_is_not_counted():
    data = Data(np.ones((4, 2)), np.eye(2)[[1, 1, 1, 1]])
    model = Model([np.array([[1.0, 0.0], [1.0, 0.0]])])
    observer = Bingo("corrected", subset=1).begin(model, data, np.random.default_rng(0), Cost())
    observer.step(made(model, data.X, data.y))
    assert observer.skipped == 1
    assert (observer.scores()[0] == 0.5).all()
    counted = Bingo("release", subset=1, target="zero").begin(model, data, np.random.default_rng(0), Cost())
    counted.step(made(model, data.X, data.y))
    assert counted.skipped == 0
    assert counted.probes[0].sum() == 1


def test_the_release_zeroes_after_training_and_prunes_each_layer():
    method = bingo("release")
    assert (method.criterion.target, method.criterion.when, method.scope) == ("zero", "after", "layer")
    assert method.criterion.first == 0
    assert not method.criterion.divides
    X, y, model = problem()
    result = prune(model, (X, y), bingo("release", TRAINING, subset=0.1), sparsity=0.5, rng=0)
    assert [int(mask.sum()) for mask in result.masks.layers] == [24, 20, 8]  # of 48, 40, 15: 51.5 in all, rounded
    assert bingo("corrected").criterion.target == "reset"
    assert bingo("printed").retraining is None


def test_the_cost_counts_every_pass():
    X, y, model = problem()
    plain = prune(
        model, (X, y), bingo("corrected", TRAINING).replace(criterion="magnitude", source="end"), sparsity=1.0
    )
    sizes = [48, 40, 15]
    each = prune(model, (X, y), bingo("corrected", TRAINING, probes_per_update=2), sparsity=1.0).cost
    assert each.forward - plain.cost.forward == 25 * 40 * (1 + 2 * 3)
    assert each.executed - plain.cost.executed == 25 * 40 * (103 + 2 * (103 + 55 + 15))
    assert each.booked - plain.cost.booked == 25 * 40 * 103 * 7
    assert each.backward == plain.cost.backward
    after = prune(model, (X, y), bingo("release", TRAINING), sparsity=1.0).cost
    assert after.forward - plain.cost.forward == 160 * 4
    assert sum(sizes) == 103


def test_probing_leaves_the_training_alone():
    X, y, model = problem(bias=True)
    few = prune(model, (X, y), bingo("corrected", TRAINING), sparsity=1.0, rng=1)
    many = prune(
        model, (X, y), bingo("running-mean", TRAINING, probes_per_update=4, target="zero"), sparsity=1.0, rng=1
    )
    assert few.path[0].model == many.path[0].model


@pytest.mark.parametrize("variant", ["corrected", "release"])
def test_backends_agree(backend, variant):
    X, y, model = problem(bias=True)
    put = Model([backend.put(w) for w in model.layers], [backend.put(b) for b in model.biases], "cross_entropy")
    method = bingo(variant, TRAINING, subset=0.1)
    found = prune(put, (backend.put(X), backend.put(y)), method, sparsity=50, rng=3)
    plain = prune(model, (X, y), method, sparsity=50, rng=3)
    for layer, other in zip(found.scores, plain.scores, strict=True):
        np.testing.assert_allclose(backend.get(layer), other, rtol=0, atol=1e-12)
    assert [backend.get(mask).tolist() for mask in found.masks.layers] == [m.tolist() for m in plain.masks.layers]


def test_float32_models_are_probed_in_float32():
    X, y, model = problem()
    small = Model([layer.astype(np.float32) for layer in model.layers], None, "cross_entropy")
    result = prune(small, (X, y), bingo("corrected", TRAINING), sparsity=1.0, rng=3)
    assert result.model.dtype == np.float32


def test_a_run_that_was_interrupted_ends_as_the_other(tmp_path):
    X, y, model = problem()
    method = bingo("corrected", TRAINING).replace(schedule=lambda total, sparsity: [80, 60, sparsity], rewind="start")
    whole = prune(model, (X, y), method, sparsity=40, rng=2)
    path = tmp_path / "state.npz"

    class Cut(Exception):
        pass

    def cut(state):
        if state.n_rounds == 2:
            raise Cut

    with pytest.raises(Cut):
        prune(model, (X, y), method, sparsity=40, rng=2, checkpoint=path, callback=cut)
    again = prune(model, (X, y), method, sparsity=40, rng=2, checkpoint=path)
    assert again.masks == whole.masks
    assert all((a == b).all() for a, b in zip(again.scores, whole.scores, strict=True))
    assert again.cost == whole.cost


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "best"}, "variant='best'"),
        ({"target": "half"}, "target='half'"),
        ({"signal": "margin"}, "signal='margin'"),
        ({"when": "before"}, "when='before'"),
        ({"subset": 0.0}, r"subset=0\.0"),
        ({"subset": 1.5}, r"subset=1\.5"),
        ({"subset": 0}, "subset=0"),
        ({"probes_per_update": 0}, "probes_per_update=0"),
    ],
)
def test_bad_options_are_a_sentence(options, message):
    with pytest.raises(ValueError, match=message):
        Bingo(**options)


def test_accuracy_needs_classes_and_subsets_fit():
    X, y, model = problem()
    with pytest.raises(ValueError, match="not classes"):
        prune(Model.draw((6, 2), rng=0), (X, X[:, :2]), bingo(training=TRAINING), sparsity=4)
    with pytest.raises(ValueError, match="not classes"):
        prune(Model.draw((6, 1), rng=0), (X, X[:, 0]), bingo(training=TRAINING), sparsity=4)
    with pytest.raises(ValueError, match="subset=16"):
        prune(model, (X, y), bingo(training=TRAINING, subset=16), sparsity=4)
    prune(model, (X, y), bingo(training=TRAINING, subset=16, per_layer=False), sparsity=1.0)


def test_a_training_without_updates_leaves_the_first_scores():
    X, y, model = problem()
    none = replace(TRAINING, n_iter=0)
    assert all((layer == 0.5).all() for layer in prune(model, (X, y), bingo(training=none), sparsity=1.0).scores)
    swept = prune(model, (X, y), bingo("release", none, subset=1.0), sparsity=40)
    assert all((layer > 0).all() for layer in swept.scores)


@pytest.mark.slow
def test_scores_know_the_relevant_inputs_in_this_order():
    """Printed < 1/2 < corrected < magnitude, each difference larger than its 95 % interval over 10 seeds."""
    rules = bench.rules(1200)
    found = {
        label: np.array([bench.known(rules[label], seed)[0] for seed in range(10)])
        for label in ("printed", "corrected", "magnitude")
    }
    half = stats.t.ppf(0.975, 9) / np.sqrt(10)
    differences = (0.5 - found["printed"], found["corrected"] - 0.5, found["magnitude"] - found["corrected"])
    for values in differences:
        assert values.mean() > half * values.std(ddof=1)


@pytest.mark.slow
def test_resetting_ranks_by_the_distance_from_the_start_and_zeroing_by_size():
    """Off the support a weight moved from w(0) to 0, so that resetting it hurts where the start was large."""
    small = [bench.support_known(seed, 0.1, 500) for seed in range(3)]
    large = [bench.support_known(seed, 1.0, 500) for seed in range(5)]
    assert all(one["zero"] > 0.98 for one in (*small, *large))  # five probes a weight
    assert all(one["reset"] > 0.95 for one in small)
    assert abs(np.mean([one["reset"] for one in large]) - 0.63) < 0.1
    assert abs(np.mean([one["reset"] - one["distance"] for one in large])) < 0.08
