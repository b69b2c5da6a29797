"""The core of recovery.pruning: models, data, derivatives, schedules, scopes, rewinding, interruption, errors."""

import dataclasses
import functools
import math
import pickle
import warnings
from itertools import pairwise

import numpy as np
import pytest

import planted
import recovery
from planted.base import arrays
from recovery import pruning
from recovery.mlp.losses import class_targets
from recovery.mlp.masks import Masks, live_neurons
from recovery.mlp.record import FitSettings
from recovery.mlp.units import Unit
from recovery.pruning import Data, Exponential, Method, Model, OneShot, Rounds, Training, prune, score
from recovery.pruning import scopes as scopes_module
from recovery.pruning.magnitude import _targets
from recovery.pruning.rounds import Pass
from recovery.pruning.schedules import counts_of
from recovery.pruning.scopes import layer_counts, select
from recovery.pruning.view import View
from recovery.solvers.base import Recorder, Status
from tests.oracles import direct_pruning as oracle

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((40, 5)), RNG.standard_normal((40, 3))
CLASSES = RNG.integers(0, 3, 40)
SHORT = Training(n_iter=5, learning_rate=1e-2)


def network(bias=True, loss="squared", widths=(5, 4, 3), **options):
    return Model.draw(widths, bias=bias, loss=loss, rng=1, **options)


def targets(loss):
    return Y if loss == "squared" else CLASSES


def view_of(model, X=X, y=None, backend=None):
    y = targets(model.loss) if y is None else y
    if backend is not None:
        X, y = backend.put(X), backend.put(y)
        model = Model(
            [backend.put(w) for w in model.layers],
            None if model.biases is None else [backend.put(b) for b in model.biases],
            model.loss,
        )
    data = Data(X, y).fit_to(model)
    masks = Masks.full(model.matrices)
    return View(model, model, masks, data, rng=np.random.default_rng(2), cost=pruning.Cost(), count=masks.count)


class TestModel:
    def test_outputs_are_those_of_a_plain_network(self, backend):
        for bias in (False, True):
            for widths in ((5, 4, 6, 3), (5, 3)):
                model = network(bias, widths=widths)
                put = Model(
                    [backend.put(w) for w in model.layers],
                    [backend.put(b) for b in model.biases] if bias else None,
                )
                expected = oracle.outputs(list(model.layers), model.biases, X)[-1]
                assert backend.get(put(backend.put(X))) == pytest.approx(expected, abs=1e-14)

    def test_the_same_weights_with_and_without_biases_and_a_scalar_output(self):
        plain, biased = network(False), network(True)
        assert all(np.array_equal(a, b) for a, b in zip(plain.layers, biased.layers, strict=True))
        scalar = Model.draw((5, 4, 1), bias=True, rng=1, scalar=True)
        assert scalar.layers[-1].shape == (4,)
        assert scalar.matrices[-1].shape == (4, 1)
        assert scalar(X).shape == (40,)
        assert scalar(X) == pytest.approx(Model.draw((5, 4, 1), bias=True, rng=1)(X)[:, 0], abs=1e-15)
        assert scalar.n_weights == 24

    def test_a_model_is_a_value(self):
        model = network()
        assert model == pickle.loads(pickle.dumps(model))
        assert model != model.replace(layers=[2 * w for w in model.layers])
        assert model != network(loss="cross_entropy")
        with pytest.raises(ValueError, match="read-only"):
            model.layers[0][0, 0] = 1

    def test_forms_that_count_as_models(self):
        net = planted.sparse_network(5, 3, 7, rng=0)
        kept = prune(net, None, Method("m", "magnitude", source="start", retraining=None), sparsity=4)
        assert kept.model.network().layers[0].shape == (5, 3)
        linear = prune(np.arange(4.0), None, Method("m", "magnitude", source="start", retraining=None), sparsity=2)
        assert linear.model.layers[0].tolist() == [0, 0, 2, 3]
        several = prune(np.ones((4, 2)), None, Method("m", "magnitude", source="start", retraining=None), sparsity=3)
        assert several.model.layers[0].tolist() == [[1, 1], [1, 0], [0, 0], [0, 0]]

    @pytest.mark.parametrize(
        ("make", "error", "words"),
        [
            (lambda: Model([]), ValueError, "layers is empty"),
            (lambda: Model(np.ones((2, 2))), TypeError, "expected a list of weight arrays"),
            (lambda: Model([np.ones((2, 3)), np.ones((2, 1))]), ValueError, r"expected 3 row\(s\)"),
            (lambda: Model([np.ones((2, 3))], [np.ones(2)]), ValueError, r"biases\[0\]"),
            (lambda: Model([np.ones((2, 3))], []), ValueError, r"expected 1, one for each layer"),
            (lambda: Model([np.full((2, 3), np.nan)]), ValueError, r"layers\[0\]"),
            (lambda: Model([np.ones(2)], loss="cross_entropy"), ValueError, "for a scalar output"),
            (lambda: Model([np.ones((2, 2))], loss="hinge"), ValueError, "loss='hinge'"),
            (lambda: Model.draw((3,)), ValueError, "expected inputs, hidden widths and outputs"),
            (lambda: Model.draw((3, 2), scalar=True), ValueError, "scalar=True with 2 outputs"),
            (lambda: network()(np.ones((2, 4))), ValueError, "X"),
            (lambda: prune("model", None, "random", sparsity=1), TypeError, "model is of type str"),
        ],
    )
    def test_what_is_no_model(self, make, error, words):
        with pytest.raises(error, match=words):
            make()


class TestDerivatives:
    """Gradients, Hessian products and diagonals against central differences of a plain network's loss."""

    SHAPES = ((5, 4, 6, 3), (5, 4, 3), (5, 3))

    @staticmethod
    def parts(model):
        W = [np.array(w) for w in model.layers]
        b = None if model.biases is None else [np.array(v) for v in model.biases]
        wanted = Y if model.loss == "squared" else np.eye(3)[CLASSES]
        return W, b, X, wanted, model.loss

    @pytest.mark.parametrize("widths", SHAPES, ids=str)
    @pytest.mark.parametrize("bias", [False, True])
    @pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
    def test_against_differences(self, loss, bias, widths, backend):
        model = network(bias, loss, widths)
        view = view_of(model, backend=backend)
        found = [backend.get(g) for g in view.gradient()]
        W, b, inputs, wanted, kind = self.parts(model)
        h = 1e-6
        for i, g in enumerate(found):
            assert g.shape == W[i].shape
            for place in np.ndindex(*g.shape):
                ahead, behind = ([w.copy() for w in W] for _ in range(2))
                ahead[i][place] += h
                behind[i][place] -= h
                ends = [oracle.loss(V, b, inputs, wanted, kind) for V in (ahead, behind)]
                assert g[place] == pytest.approx((ends[0] - ends[1]) / (2 * h), abs=1e-8)
        rng = np.random.default_rng(4)
        V = [rng.standard_normal(w.shape) for w in W]
        product = [backend.get(p) for p in view.hessian_product([backend.put(v) for v in V])]
        expected = oracle.hessian_product(W, b, inputs, wanted, kind, V)
        for p, q in zip(product, expected, strict=True):
            assert p == pytest.approx(q, abs=1e-8)
        H = np.diag(oracle.hessian(W, b, inputs, wanted, kind))
        diagonal = np.concatenate([backend.get(d).ravel() for d in view.hessian_diagonal()])
        assert diagonal == pytest.approx(H, abs=1e-8)
        assert (diagonal >= -1e-15).all()

    def test_a_linear_model_is_its_gram_matrix(self):
        w = np.array([1.0, -2.0, 0.5, 3.0, 0.0])
        view = view_of(Model([w]), y=Y[:, 0])
        G = X.T @ X / 40
        assert view.gradient()[0][:, 0] == pytest.approx(X.T @ (X @ w - Y[:, 0]) / 40, abs=1e-14)
        assert view.hessian_product([w[:, None]])[0][:, 0] == pytest.approx(G @ w, abs=1e-13)
        assert view.hessian_diagonal()[0][:, 0] == pytest.approx(np.diag(G), abs=1e-14)

    def test_gradients_are_those_of_pruned_weights_too(self):
        model = network()
        layers = [np.array(w) for w in model.layers]
        layers[1][0] = 0
        view = view_of(model.replace(layers=layers))
        assert np.abs(view.gradient()[1][0]).min() > 0

    def test_float32_stays_float32(self):
        model = network(dtype="float32")
        view = view_of(model, X.astype(np.float32), Y.astype(np.float32))
        for part in (*view.gradient(), *view.hessian_product(view.gradient()), *view.hessian_diagonal()):
            assert part.dtype == np.float32

    def test_rows_are_drawn_without_replacement(self):
        view = view_of(network())
        some = view.rows(7)
        assert some.data.n_samples == 7
        assert len({tuple(row) for row in some.data.X}) == 7
        assert view.rows(None) is view
        assert view.rows(40) is view
        with pytest.raises(ValueError, match="rows"):
            view.rows(0)

    def test_counted_passes(self):
        view = view_of(network(False))
        size, first = 32, 20
        view.gradient()
        assert dataclasses.astuple(view.cost) == (40, 40, 40 * (3 * size - first), 40 * 3 * size)
        view.hessian_product(view.gradient())  # itself a gradient and its derivative
        assert view.cost.forward == 40 * 4
        view.hessian_diagonal()
        assert view.cost.forward == 40 * 7


class TestSchedules:
    def test_counts(self):
        assert counts_of(OneShot(), 50, 10) == [10]
        assert counts_of(Rounds(0.5), 16, 3) == [8, 4, 3]
        assert counts_of(Rounds(0.5, lands=False), 16, 3) == [8, 4, 2]
        assert counts_of(Rounds(0.2), 10, 10) == [10]
        assert counts_of(Exponential(3), 1000, 1) == [100, 10, 1]
        assert counts_of(Exponential(100), 5, 5) == [5]
        assert counts_of(lambda total, s: [total, total - 1, total - 1, s], 9, 2) == [9, 8, 2]

    @pytest.mark.parametrize("rule", [OneShot(), Rounds(0.2), Rounds(0.9), Exponential(7), Exponential(100)])
    def test_counts_fall_to_the_sparsity(self, rule):
        for total in (1, 2, 17, 300):
            for sparsity in range(0, total + 1, max(1, total // 7)):
                counts = counts_of(rule, total, sparsity)
                assert counts[-1] == sparsity
                assert all(a > b for a, b in pairwise(counts))
                assert counts[0] <= total

    @pytest.mark.parametrize(
        ("schedule", "words"),
        [
            (lambda t, s: [], "ends with None weights"),
            (lambda t, s: [5], "ends with 5 weights; expected at most sparsity=3"),
            (lambda t, s: [4, 6, 3], "count 1 is 6, after 4"),
            (lambda t, s: [12, 3], "count 0"),
        ],
    )
    def test_functions_that_are_no_schedule(self, schedule, words):
        with pytest.raises(ValueError, match=words):
            counts_of(schedule, 10, 3)

    def test_options_out_of_range(self):
        for share in (0.0, 1.0, -0.1, 2.0):
            with pytest.raises(ValueError, match="share="):
                Rounds(share)
        with pytest.raises(ValueError, match="n_rounds"):
            Exponential(0)
        with pytest.raises(TypeError, match="schedule=3 cannot be called"):
            Method("m", "magnitude", schedule=3)


class TestScopes:
    SHAPES = ((6, 4), (4, 10), (10, 2))

    @pytest.mark.parametrize("ratio", ["equal", "erdos-renyi", lambda shapes, count: [1, 2, 3]])
    def test_counts_of_layers_sum_and_fit(self, ratio):
        rng = np.random.default_rng(0)
        sizes = [a * b for a, b in self.SHAPES]
        for _ in range(200):
            room = [int(rng.integers(0, size + 1)) for size in sizes]
            count = int(rng.integers(0, sum(room) + 1))
            found = layer_counts(self.SHAPES, count, ratio, room)
            assert sum(found) == count
            assert all(0 <= f <= r for f, r in zip(found, room, strict=True))

    def test_erdos_renyi_densities(self):
        """Densities proportional to (a + b) / (a b), so counts to a + b, as long as none exceeds 1."""
        assert layer_counts(((100, 50), (50, 100), (100, 100)), 100, "erdos-renyi", [5000, 5000, 10000]) == [30, 30, 40]
        assert layer_counts(((2, 2), (100, 100)), 500, "erdos-renyi", [4, 10_000]) == [4, 496]

    def test_equal_shares_round_to_the_largest_fractions(self):
        assert layer_counts(((3, 1), (3, 1), (4, 1)), 5, "equal", [3, 3, 4]) == [2, 1, 2]

    def test_scopes_against_plain_sorting(self, backend):
        rng = np.random.default_rng(1)
        host = [rng.integers(0, 6, shape).astype(float) - 2 for shape in self.SHAPES]  # many ties, and signs
        there = [rng.random(shape) < 0.8 for shape in self.SHAPES]
        scores, masks = [backend.put(s) for s in host], Masks([backend.put(m) for m in there])
        for count in (0, 1, 17, masks.count):
            found = select(scores, masks, count)
            assert [backend.get(m).tolist() for m in found.layers] == [
                m.tolist() for m in oracle.keep(host, there, count)
            ]
            for scope in ("layer", "unit"):
                found = [backend.get(m) for m in select(scores, masks, count, scope).layers]
                counts = layer_counts(self.SHAPES, count, "equal", [int(m.sum()) for m in there])
                for layer, mask, before, keep in zip(host, found, there, counts, strict=True):
                    if scope == "layer":
                        assert mask.tolist() == oracle.keep([layer], [before], keep)[0].tolist()
                        continue
                    assert mask.sum() == keep
                    for j in range(layer.shape[1]):
                        column = oracle.keep([layer[:, j]], [before[:, j]], int(mask[:, j].sum()))[0]
                        assert mask[:, j].tolist() == column.tolist()
                    room = before.sum(axis=0)
                    free = mask.sum(axis=0)[mask.sum(axis=0) < room]
                    assert free.size == 0 or free.max() - free.min() <= 1

    def test_what_cannot_be_selected(self):
        masks = Masks([np.ones((2, 2))])
        with pytest.raises(ValueError, match="is NaN; expected numbers"):
            select([np.array([[1.0, np.nan], [0, 0]])], masks, 2)
        pruned = Masks([np.array([[1, 0], [1, 1]])])
        assert select([np.array([[1.0, np.nan], [0, 0]])], pruned, 1).count == 1  # of a weight that is gone already
        with pytest.raises(ValueError, match="scope='row' is not known"):
            select([np.ones((2, 2))], masks, 2, "row")
        with pytest.raises(ValueError, match="ratio='all' is not known"):
            select([np.ones((2, 2))], masks, 2, "layer", "all")
        with pytest.raises(ValueError, match="ratio returned"):
            layer_counts(((2, 2),), 2, lambda shapes, count: [-1], [4])
        with pytest.raises(ValueError, match="count"):
            select([np.ones((2, 2))], masks, 5)
        assert scopes_module.fits([np.ones((2, 2))], masks.shapes, "x")


class TestImp:
    """What recovery.imp does is a point of the space: equal masks, bit for bit."""

    @staticmethod
    def masks_of_imp(X, y, recipe, sparsities, seed, widths=(6,), loss="squared"):
        """Return the masks after each round of a pass, from its insides: a NetworkFit leaves dead neurons out."""
        prepared = _targets(X, [y], loss)
        settings = FitSettings(widths, max(sparsities), loss, max_iter=recipe.max_iter, batch_size=recipe.batch_size)
        whole = Pass(X, prepared, [sorted(sparsities)], recipe, settings, [np.random.default_rng(seed)])
        found, prune_once = [], Pass._prune

        def watched(self, run, number):
            cuts = prune_once(self, run, number)
            found.append(run.masks)
            return cuts

        try:
            Pass._prune = watched
            fits = whole.run(Recorder(None, None, None))[0]
        finally:
            Pass._prune = prune_once
        return found, fits

    @staticmethod
    def started(X, y, widths, seed, scalar, loss="squared", initialisation="pytorch"):
        """Return the start of imp, and the generator as it stands when the first batch is drawn."""
        rng = np.random.default_rng(seed)
        outputs = 1 if scalar else y.shape[1]
        model = Model.draw(
            (X.shape[1], *widths, outputs), scalar=scalar, loss=loss, initialisation=initialisation, rng=rng
        )
        rng.integers(2**63)
        return model, rng

    @pytest.mark.parametrize("batch_size", [None, 32])
    @pytest.mark.parametrize("widths", [(6,), (6, 4)])
    @pytest.mark.parametrize("outputs", [1, 2])
    def test_the_paper_s_recipe(self, outputs, widths, batch_size):
        inputs = planted.gaussian_inputs(200, 8, rng=0)
        wanted = planted.sparse_network(8, 3, 9, rng=1)(inputs)
        y = wanted if outputs == 1 else np.column_stack([wanted, -wanted])
        recipe = dataclasses.replace(pruning.PAPER, batch_size=batch_size, prune_share=0.2)
        model, rng = self.started(inputs, y, widths, 3, outputs == 1)
        method = pruning.as_method(recipe, scalar=outputs == 1)
        sparsity = 12 if len(widths) == 1 else 40
        result = prune(model, (inputs, y), method, sparsity=sparsity, rng=rng)
        masks, _ = self.masks_of_imp(inputs, y, recipe, [sparsity], 3, widths)
        assert [one.masks for one in result.path] == masks
        # and recovery.imp, asked in public, has these weights: dead neurons are left out
        fit = recovery.imp(inputs, y, n_neurons=widths, sparsity=sparsity, recipe=recipe, rng=3)
        layers = [m * w for m, w in zip(result.masks.layers, result.path[-1].model.matrices, strict=True)]
        alive = live_neurons(list(result.masks.layers))
        for i, keep in enumerate(alive[1:-1]):
            layers[i], layers[i + 1] = layers[i][:, keep], layers[i + 1][keep]
        for layer, other in zip(layers, fit.network.layers, strict=True):
            assert ((layer != 0) == (other.reshape(layer.shape) != 0)).all()
            assert layer == pytest.approx(other.reshape(layer.shape), abs=1e-12)

    def test_the_fair_recipe_of_several_outputs(self):
        """On data of unit size, which the recipe scales to: the masks of all rounds, and those it fine-tunes."""
        inputs = planted.gaussian_inputs(200, 8, rng=0)
        wanted = planted.sparse_network(8, 3, 9, rng=1)(inputs)
        y = np.column_stack([wanted, 0.5 * wanted**2])
        recipe = dataclasses.replace(pruning.FAIR, max_iter=40, fine_tune=10, batch_size=32)
        unit_X, unit_y = Unit.of(inputs), Unit.of(y, exact=False)
        model, rng = self.started(inputs, y, (6,), 3, False, initialisation="small")
        method = pruning.as_method(recipe)
        result = prune(model, (unit_X.divide(inputs), unit_y.divide(y)), method, sparsity=15, rng=rng)
        resolved = dataclasses.replace(recipe, count="all")
        masks, _ = self.masks_of_imp(inputs, y, resolved, [15], 3)
        assert [one.masks for one in result.path] == masks
        assert result.sparsity == 15
        assert method.rewind == "end"
        assert method.between == 0.2

    def test_classes(self):
        inputs = planted.gaussian_inputs(100, 6, rng=0)
        classes = (inputs @ np.arange(6.0) > 0).astype(int)
        recipe = dataclasses.replace(pruning.PAPER, prune_share=0.3, rewind=0.4)
        y = class_targets(classes, "cross_entropy", np.dtype(float))
        y = np.eye(2)[classes] if y.ndim == 1 else y
        model, rng = self.started(inputs, y, (5,), 4, False, "cross_entropy")
        result = prune(model, (inputs, classes), pruning.as_method(recipe), sparsity=10, rng=rng)
        masks, _ = self.masks_of_imp(inputs, classes, recipe, [10], 4, (5,), "cross_entropy")
        assert [one.masks for one in result.path] == masks

    def test_a_recipe_with_another_parameterisation_is_refused(self):
        with pytest.raises(ValueError, match="recipe 'fair' absorbs output weights"):
            pruning.as_method(pruning.FAIR, scalar=True)
        assert pruning.as_method(dataclasses.replace(pruning.PAPER, prune_share=0.0)).schedule == OneShot()


class TestPoints:
    """Where masks are found and what they are put on."""

    MODEL = network(False, widths=(5, 6, 3))

    def path(self, n):
        """The weights after n updates of 10, by a plain loop."""
        W = [np.array(w) for w in self.MODEL.layers]
        return oracle.train(W, None, X, Y, "squared", oracle.full(W), 10, 1e-2, until=n, cosine=False)[0]

    def run(self, **fields):
        method = Method("m", "magnitude", training=Training(n_iter=10, learning_rate=1e-2), retraining=None)
        return prune(self.MODEL, (X, Y), method.replace(**fields), sparsity=20, rng=0)

    @pytest.mark.parametrize(("source", "at"), [("start", 0), ("end", 10), (0.3, 3), (0.0, 0), (1.0, 10)])
    def test_where_the_criterion_looks(self, source, at):
        result = self.run(source=source)
        expected = self.path(at)
        masks = oracle.keep([np.abs(w) for w in expected], oracle.full(expected), 20)
        assert [m.tolist() for m in result.masks.layers] == [m.tolist() for m in masks]
        for layer, mask, w in zip(result.model.layers, masks, expected, strict=True):
            assert layer == pytest.approx(mask * w, abs=1e-13)

    @pytest.mark.parametrize("source", ["start", "end", 0.3])
    @pytest.mark.parametrize(("rewind", "at"), [("start", 0), ("dense", 10), (0.5, 5), (0.0, 0), (0.1, 1)], ids=str)
    def test_what_the_mask_is_put_on(self, source, rewind, at):
        result, expected = self.run(source=source, rewind=rewind), self.path(at)
        for layer, mask, w in zip(result.model.layers, result.masks.layers, expected, strict=True):
            assert layer == pytest.approx(mask * w, abs=1e-13)

    def test_random_weights_are_the_start_s_in_another_order(self):
        base = Method("m", "magnitude", source="start", rewind="random", retraining=None)
        result = prune(self.MODEL, None, base, sparsity=48, rng=0)
        for new, old in zip(result.model.layers, self.MODEL.layers, strict=True):
            assert sorted(new.ravel()) == sorted(old.ravel())
            assert not np.array_equal(new, old)

    def test_retraining_goes_on_where_the_weights_were_taken(self):
        """Rewound to a half: the second half of the training, with its learning rates, under the mask."""
        training = Training(n_iter=10, learning_rate=1e-2, schedule="cosine")
        method = Method("m", "magnitude", rewind=0.5, training=training)
        result = prune(self.MODEL, (X, Y), method, sparsity=20, rng=0)
        W = [np.array(w) for w in self.MODEL.layers]
        full = oracle.full(W)
        half = oracle.train(W, None, X, Y, "squared", full, 10, 1e-2, until=5)[0]
        end = oracle.train(W, None, X, Y, "squared", full, 10, 1e-2)[0]
        masks = oracle.keep([np.abs(w) for w in end], full, 20)
        expected = oracle.train(half, None, X, Y, "squared", masks, 10, 1e-2, first=5)[0]
        for layer, w in zip(result.model.layers, expected, strict=True):
            assert layer == pytest.approx(w, abs=1e-12)
        assert result.n_iter == 15
        other = prune(self.MODEL, (X, Y), method.replace(retraining=Training(n_iter=10)), sparsity=20, rng=0)
        assert other.n_iter == 20  # a training of its own starts at its own beginning

    def test_between_the_rounds_another_point(self):
        method = Method(
            "m", "magnitude", schedule=Rounds(0.5), rewind="dense", between="end", training=SHORT, retraining=None
        )
        result = prune(self.MODEL, (X, Y), method, sparsity=12, rng=0)
        dense = result.path[0].model
        for layer, mask, w in zip(result.model.layers, result.masks.layers, dense.layers, strict=True):
            assert np.array_equal(layer, mask * w)
        with pytest.raises(ValueError, match=r"rewind=0\.1 and between=0\.2; expected the same fraction"):
            method.replace(rewind=0.1, between=0.2)

    def test_layers_that_are_not_pruned(self):
        result = self.run(layers="hidden", source="start")
        assert result.masks.layers[1].all()
        assert result.masks.layers[0].sum() == 20
        assert "20 of 30 weights are left" in result.message
        with pytest.raises(ValueError, match="sparsity=20 is out of range; expected a value between 0 and 18"):
            self.run(layers=(1,), source="start")


class TestDataSets:
    def test_three_steps_have_data_of_their_own(self):
        rng = np.random.default_rng(5)
        sets = {name: (rng.standard_normal((30, 5)), rng.standard_normal((30, 3))) for name in "abc"}
        model = network(False, widths=(5, 6, 3))
        training = Training(n_iter=10, learning_rate=1e-2)
        method = Method("m", "magnitude", rewind="dense", training=training, data=("a", "b", "c"))
        result = prune(model, sets, method, sparsity=20, rng=0)
        W = [np.array(w) for w in model.layers]
        full = oracle.full(W)
        ends = {name: oracle.train(W, None, *sets[name], "squared", full, 10, 1e-2, cosine=False)[0] for name in "ab"}
        masks = oracle.keep([np.abs(w) for w in ends["a"]], full, 20)
        assert [m.tolist() for m in result.masks.layers] == [m.tolist() for m in masks]
        expected = oracle.train(ends["b"], None, *sets["c"], "squared", masks, 10, 1e-2, cosine=False)[0]
        for layer, w in zip(result.model.layers, expected, strict=True):
            assert layer == pytest.approx(w, abs=1e-12)
        assert result.n_iter == 30

    @pytest.mark.parametrize(
        ("data", "error", "words"),
        [
            ({"a": (X, Y)}, ValueError, r"data has the sets \['a'\]; expected also 'data'"),
            ([X, Y], TypeError, r"data is of type list; expected Data, a pair \(X, y\), or a dict"),
            ((X, Y[:-1]), ValueError, "y"),
            ((X[:, :4], Y), ValueError, r"data: X has 4 column\(s\); expected 5"),
            ((X, Y[:, :2]), ValueError, r"data: y has 2 column\(s\); expected 3"),
            ((np.full((3, 5), np.nan), np.ones((3, 3))), ValueError, "X"),
            ((X, Y, X, None), ValueError, "only X_validation was given"),
        ],
    )
    def test_data_that_do_not_fit(self, data, error, words):
        with pytest.raises(error, match=words):
            prune(network(), data, "snip", sparsity=5)

    def test_data_is_a_value_with_validation(self):
        data = Data(X, Y, X[:4], Y[:4])
        assert data == pickle.loads(pickle.dumps(data))
        assert data.fit_to(network()).y_validation.shape == (4, 3)
        classes = Data(X, CLASSES, X[:4], CLASSES[:4]).fit_to(network(loss="cross_entropy"))
        assert classes.y_validation.shape == (4, 3)


class TestMethods:
    def test_a_method_is_a_value(self):
        for method in pruning.catalogue().values():
            assert method == pickle.loads(pickle.dumps(method))
            assert method.replace(name="other") != method

    @pytest.mark.parametrize(
        ("fields", "error", "words"),
        [
            ({"source": "middle"}, ValueError, "source='middle'"),
            ({"source": 1.5}, ValueError, "source"),
            ({"rewind": -0.1}, ValueError, "rewind"),
            ({"scope": "row"}, ValueError, "scope='row'"),
            ({"ratio": "square"}, ValueError, "ratio='square'"),
            ({"weight_map": "identity"}, TypeError, "weight_map='identity' cannot be called"),
            ({"training": "adam"}, TypeError, "training='adam'; expected a Training"),
            ({"retraining": "other"}, TypeError, "retraining='other'"),
            ({"target": "bias"}, ValueError, "target='bias'"),
            ({"layers": "some"}, ValueError, "layers='some'"),
            ({"data": ("a", "b")}, ValueError, "expected three names"),
            ({"target": "update"}, ValueError, "target='update' without dynamics"),
            ({"dynamics": object(), "retraining": None}, ValueError, "dynamics was given with retraining=None"),
        ],
    )
    def test_fields_out_of_range(self, fields, error, words):
        with pytest.raises(error, match=words):
            pruning.catalogue()["magnitude"].replace(**fields)

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"source": "path"}, "source='path', but criterion magnitude scores a single point"),
            ({"criterion": "movement", "source": "start"}, "source='start', but criterion Accumulated observes"),
            ({"criterion": "best"}, "criterion='best'"),
            ({"layers": (7,)}, "layers"),
            ({"layers": ()}, r"layers=\(\) prunes nothing"),
            ({"criterion": lambda view: [np.ones((2, 2))]}, "returned scores of shapes"),
            ({"criterion": lambda view: [w * np.nan for w in view.layers]}, "is NaN; expected numbers"),
            ({"schedule": lambda total, sparsity: [total]}, "schedule ends with"),
        ],
    )
    def test_what_a_run_refuses(self, fields, words):
        with pytest.raises(ValueError, match=words):
            prune(network(), (X, Y), Method("m", "magnitude", training=SHORT).replace(**fields), sparsity=5)

    def test_scores_have_to_be_arrays(self):
        with pytest.raises(TypeError, match="returned scores of type list; expected arrays"):
            score(network(), None, lambda view: [w.tolist() for w in view.layers])
        with pytest.raises(TypeError, match="criterion=3"):
            score(network(), None, 3)
        with pytest.raises(ValueError, match="observes a whole training"):
            score(network(), (X, Y), "movement")

    def test_criteria_that_need_data(self):
        for name in ("snip", "grasp", "obd", "obs", "taylor"):
            with pytest.raises(ValueError, match="data=None, but the criterion needs data"):
                score(network(), None, name)
        with pytest.raises(ValueError, match="data=None, but method 'imp' trains"):
            prune(network(), None, "imp", sparsity=4)
        for name in ("magnitude", "random", "synflow"):
            score(network(), None, name, rng=0)

    def test_sparsities(self):
        free = Method("m", "magnitude", source="start", retraining=None)
        model = network()
        assert prune(model, None, free, sparsity=0.25).sparsity == 8
        assert prune(model, None, free, sparsity=1.0).sparsity == 32
        assert prune(model, None, free, sparsity=None).sparsity == 32
        assert prune(model, None, free, sparsity=8.0).sparsity == 8
        empty = prune(model, None, free, sparsity=0)
        assert empty.sparsity == 0
        assert empty.model.sparsity == 0
        for wrong in (33, -1, 1.5, math.nan):
            with pytest.raises(ValueError, match="sparsity"):
                prune(model, None, free, sparsity=wrong)
        with pytest.raises(TypeError, match="sparsity"):
            prune(model, None, free, sparsity="ten")


class TestFindings:
    """What is legal but worth a sentence: in the message and as a warning."""

    FREE = Method("m", "magnitude", source="start", retraining=None)

    def test_a_layer_without_weights(self):
        model = Model([np.full((3, 4), 5.0), np.ones((4, 2))])
        with pytest.warns(RuntimeWarning, match="m: layer 1 of 2 has no weights left, so the outputs do not depend"):
            result = prune(model, None, self.FREE, sparsity=6)
        assert "keep more weights, or choose scope='layer'" in result.message
        assert result.success
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            prune(model, None, self.FREE.replace(scope="layer"), sparsity=6)

    def test_no_path_from_an_input_to_an_output(self):
        model = Model([np.array([[5.0, 1.0]]), np.array([[1.0], [4.0]])])
        with pytest.warns(RuntimeWarning, match="no path of kept weights leads from an input to an output"):
            result = prune(model, None, self.FREE, sparsity=2)
        assert "no gradient passes the masks" in result.message


class TestInterruption:
    METHOD = Method(
        "m",
        "snip",
        source="end",
        schedule=Rounds(0.3),
        rewind=0.2,
        training=Training(n_iter=20, batch_size=16, learning_rate=1e-2),
    )
    MODEL = network(widths=(5, 8, 3))

    def run(self, **options):
        options = {"sparsity": 15, "rng": 5} | options
        return prune(self.MODEL, options.pop("data", (X, Y)), options.pop("method", self.METHOD), **options)

    @pytest.mark.parametrize("at", [1, 2, 4])
    @pytest.mark.parametrize(
        "method", [METHOD, METHOD.replace(criterion="movement", source="path"), METHOD.replace(rewind="random")]
    )
    def test_a_resumed_run_has_the_same_bits(self, method, at, tmp_path):
        class Interrupt(Exception):
            pass

        def callback(state):
            if state.n_rounds == at:
                raise Interrupt

        file = tmp_path / "run.npz"
        whole = self.run(method=method)
        with pytest.raises(Interrupt):
            self.run(method=method, checkpoint=file, callback=callback)
        resumed = self.run(method=method, checkpoint=file)
        assert resumed == whole
        assert resumed.cost == whole.cost
        assert [one.loss for one in resumed.path] == [one.loss for one in whole.path]
        assert self.run(method=method, checkpoint=file) == whole  # and again, from the last round

    def test_weights_of_data_of_their_own_are_resumed(self, tmp_path):
        rng = np.random.default_rng(6)
        data = {"a": (X, Y), "b": (rng.standard_normal((30, 5)), rng.standard_normal((30, 3)))}
        method = self.METHOD.replace(rewind="dense", between="dense", data=("a", "b", "a"))
        file = tmp_path / "run.npz"
        whole = self.run(method=method, data=data)

        def callback(state):
            if state.n_rounds == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.run(method=method, data=data, checkpoint=file, callback=callback)
        assert self.run(method=method, data=data, checkpoint=file) == whole

    @pytest.mark.parametrize(
        "change",
        [
            {"sparsity": 14},
            {"rng": 6},
            {"data": (X, Y + 1)},
            {"method": METHOD.replace(rewind=0.4)},
            {"method": METHOD.replace(criterion=pruning.Snip(rows=9))},
            {"method": METHOD.replace(schedule=functools.partial(lambda s, t, k: [k], 0.3))},
        ],
    )
    def test_a_checkpoint_of_another_run_is_refused(self, change, tmp_path):
        file = tmp_path / "run.npz"
        self.run(checkpoint=file)
        with pytest.raises(ValueError, match="belongs to another run"):
            self.run(checkpoint=file, **change)

    def test_functions_with_options_count_with_their_options(self, tmp_path):
        def halves(share, total, sparsity):
            return Rounds(share)(total, sparsity)

        method = self.METHOD.replace(schedule=functools.partial(halves, 0.5))
        self.run(method=method, checkpoint=tmp_path / "run.npz")
        with pytest.raises(ValueError, match="belongs to another run"):
            self.run(
                method=self.METHOD.replace(schedule=functools.partial(halves, 0.4)), checkpoint=tmp_path / "run.npz"
            )

    def test_a_file_that_is_no_checkpoint(self, tmp_path):
        file = tmp_path / "run.npz"
        file.write_bytes(b"nothing")
        with pytest.raises(ValueError, match="cannot be read"):
            self.run(checkpoint=file)
        with pytest.raises(ValueError, match="checkpoint needs rng"):
            self.run(checkpoint=tmp_path / "other.npz", rng=None)

    def test_a_file_that_was_cut_short(self, tmp_path):
        file = tmp_path / "run.npz"
        self.run(checkpoint=file)
        whole = file.read_bytes()
        for size in (len(whole) // 2, len(whole) - 1, 10):
            file.write_bytes(whole[:size])
            with pytest.raises(ValueError, match="cannot be read"):
                self.run(checkpoint=file)

    def test_a_callback_stops(self):
        states = []

        def callback(state):
            states.append(state)
            return state.n_rounds == 2

        result = self.run(callback=callback)
        assert result.status == Status.STOPPED
        assert result.sparsity == 15
        assert [state.n_rounds for state in states] == [1, 2]
        assert [state.count for state in states] == [45, 31]
        assert states[0].n_iter == 20
        assert len(result.path) == 2
        assert result.n_iter == 36
        with pytest.raises(TypeError, match="callback=3 cannot be called"):
            self.run(callback=3)

    def test_time_is_up_at_once(self):
        result = self.run(time_limit=0.0)
        assert result.status == Status.TIME_LIMIT
        assert result.sparsity == 15
        assert result.n_iter == 1

    def test_a_training_that_diverges(self):
        method = self.METHOD.replace(
            training=Training(n_iter=60, learning_rate=1e6, optimiser="sgd"), criterion="magnitude", rewind="end"
        )
        result = self.run(method=method)  # NumPy's warnings, which are errors here, stay inside
        assert result.status == Status.DIVERGED
        assert result.sparsity == 15
        assert all(np.isfinite(layer).all() for layer in result.model.layers)


class TestDynamics:
    """The hook: a rule that swaps one weight in every update."""

    class Swap:
        def __init__(self):
            self.seen = []

        def first_count(self, total, sparsity):
            return sparsity

        def begin(self, masks, sparsity, rng):
            return self

        dense_gradient = False

        def update(self, step, masks, rng):
            self.seen.append((step.n_iter, masks.count))
            if step.n_iter != 2:
                return None
            flat = masks.flat.copy()
            gone, fresh = np.flatnonzero(flat)[0], np.flatnonzero(~flat)[0]
            flat[gone], flat[fresh] = False, True
            size = masks.layers[0].size
            new = Masks([flat[:size].reshape(masks.shapes[0]), flat[size:].reshape(masks.shapes[1])])
            return new, new.apply(step.weights)

    def test_masks_change_on_the_way(self):
        rule = self.Swap()
        method = Method("m", "magnitude", source="start", rewind="start", training=SHORT, dynamics=rule)
        result = prune(network(), (X, Y), method, sparsity=24, rng=0)
        before = result.path[0].masks
        assert rule.seen == [(i, 24) for i in range(1, 6)]
        assert result.sparsity == 24
        assert (result.masks.flat != before.flat).sum() == 2
        assert result.details is rule
        for layer, mask in zip(result.model.layers, result.masks.layers, strict=True):
            assert not layer[~mask].any()
        fresh = result.masks.flat & ~before.flat
        assert np.concatenate([w.ravel() for w in result.model.layers])[fresh].all()  # trained since


class TestTraining:
    def test_masked_weights_stay_zero_and_biases_move(self, backend):
        model = network()
        put = Model([backend.put(w) for w in model.layers], [backend.put(b) for b in model.biases])
        for options in ({}, {"optimiser": "sgd", "weight_decay": 0.1}, {"batch_size": 8, "schedule": "steps"}):
            training = Training(n_iter=6, learning_rate=1e-2, **options)
            method = Method("m", "magnitude", source="start", rewind="start", training=training)
            result = prune(put, (backend.put(X), backend.put(Y)), method, sparsity=24, rng=0)
            for layer, mask in zip(result.model.layers, result.masks.layers, strict=True):
                assert not backend.get(layer)[~backend.get(mask)].any()
            assert all((backend.get(b) != a).all() for a, b in zip(model.biases, result.model.biases, strict=True))

    def test_rates_and_epochs(self):
        assert Training(epochs=3, batch_size=16).total(40) == 6
        assert Training(epochs=1).total(40) == 1
        cosine = Training(n_iter=4, learning_rate=2.0, schedule="cosine")
        assert [cosine.rate(i, 4) for i in range(5)] == pytest.approx([2, 1 + math.sqrt(0.5), 1, 1 - math.sqrt(0.5), 0])
        steps = Training(n_iter=8, learning_rate=1.0, schedule="steps")
        assert [steps.rate(i, 8) for i in range(8)] == [1] * 4 + [0.1] * 2 + [0.01] * 2
        assert Training(n_iter=1, learning_rate=3.0, schedule=lambda t: t).rate(1, 2) == 1.5

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"n_iter": 3, "epochs": 1},
            {"n_iter": -1},
            {"n_iter": 3, "batch_size": 0},
            {"n_iter": 3, "learning_rate": 0.0},
            {"n_iter": 3, "optimiser": "lbfgs"},
            {"n_iter": 3, "momentum": 1.0},
            {"n_iter": 3, "weight_decay": -1.0},
            {"n_iter": 3, "schedule": "linear"},
            {"epochs": math.nan},
        ],
        ids=str,
    )
    def test_options_out_of_range(self, options):
        with pytest.raises(ValueError, match="|".join([*options, "n_iter"])):
            Training(**options)

    def test_no_update(self):
        result = prune(network(), (X, Y), Method("m", "magnitude", training=Training(n_iter=0)), sparsity=12)
        assert result.n_iter == 0
        assert math.isnan(result.path[0].loss)
        assert arrays.device_of(result.model.layers[0]) == "cpu"
