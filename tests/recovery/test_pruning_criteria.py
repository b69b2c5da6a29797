"""Criteria and weight maps: what their formulas promise, at extreme scales, and what they refuse."""

import numpy as np
import pytest

from recovery import pruning
from recovery.mlp.masks import Masks
from recovery.pruning import Method, Model, Training, prune, score
from tests.oracles import direct_pruning as oracle

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((60, 6)), RNG.standard_normal((60, 2))
FREE = {"source": "start", "retraining": None}


def regression(d=6, seed=0):
    """Data, and the weights that minimise the loss."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((60, d)) @ (np.eye(d) + 0.3 * rng.standard_normal((d, d)))
    y = A @ rng.standard_normal(d) + 0.1 * rng.standard_normal(60)
    return A, y, np.linalg.lstsq(A, y, rcond=None)[0]


def risk(A, y, w):
    return ((A @ w - y) ** 2).sum() / (2 * len(y))


class TestFirstOrder:
    def test_snip_and_taylor_are_the_change_of_the_loss_to_first_order(self):
        model = Model.draw((6, 5, 2), bias=True, rng=0)
        W, b = [np.array(w) for w in model.layers], [np.array(v) for v in model.biases]
        exact, h = oracle.loss(W, b, X, Y, "squared"), 1e-6
        for i, layer in enumerate(score(model, (X, Y), "snip")):
            for place in np.ndindex(*layer.shape):
                shrunk = [w.copy() for w in W]
                shrunk[i][place] *= 1 - h
                slope = (exact - oracle.loss(shrunk, b, X, Y, "squared")) / h
                assert layer[place] == pytest.approx(abs(slope), abs=1e-5)
        for snip, taylor in zip(score(model, (X, Y), "snip"), score(model, (X, Y), "taylor"), strict=True):
            assert taylor == pytest.approx(snip**2, rel=1e-12)

    def test_grasp_drops_first_what_raises_the_gradient_flow_when_it_goes(self):
        """The score is minus half the derivative of |g|^2 along the removal of a weight."""
        A, y, w = regression()
        w = w + 0.5
        H = A.T @ A / 60

        def flow(v):
            g = A.T @ (A @ v - y) / 60
            return g @ g

        found = score(w, (A, y), "grasp")[0][:, 0]
        h = 1e-6
        for j in range(6):
            v = w.copy()
            v[j] *= 1 - h
            assert found[j] == pytest.approx(-(flow(v) - flow(w)) / (2 * h), rel=1e-4, abs=1e-5)
        assert found == pytest.approx(w * (H @ (A.T @ (A @ w - y) / 60)), rel=1e-10)
        kept = prune(w, (A, y), Method("m", "grasp", rewind="start", **FREE), sparsity=5).masks.layers[0][:, 0]
        assert np.flatnonzero(~kept).tolist() == [int(np.argmin(found))]

    def test_some_rows(self):
        model = Model.draw((6, 5, 2), rng=0)
        for rule in (pruning.Snip, pruning.Grasp, pruning.Taylor):
            some, again = (score(model, (X, Y), rule(rows=9), rng=3) for _ in range(2))
            rows = np.sort(np.random.default_rng(3).permutation(60)[:9])
            expected = score(model, (X[rows], Y[rows]), rule())
            for a, b, c in zip(some, again, expected, strict=True):
                assert np.array_equal(a, b)
                assert np.array_equal(a, c)
            with pytest.raises(ValueError, match="rows"):
                rule(rows=0)

    def test_movement_is_positive_for_weights_that_grow(self):
        A, y, w = regression()
        start = 0.1 * w  # gradient steps take all weights outwards
        method = Method(
            "m", "movement", source="path", training=Training(n_iter=30, learning_rate=1e-2), retraining=None
        )
        outwards = prune(start, (A, y), method, sparsity=3).scores[0]
        inwards = prune(2 * w, (A, y), method, sparsity=3).scores[0]
        assert outwards.sum() > 0 > inwards.sum()
        magnitudes = prune(2 * w, (A, y), method.replace(criterion=pruning.Accumulated(absolute=True)), sparsity=3)
        assert np.array_equal(magnitudes.scores[0], np.abs(inwards))


class TestSecondOrder:
    def test_obd_and_obs_are_what_removal_costs_at_the_minimum(self):
        """Exactly so for a linear model: alone, and with all others moved to their best."""
        A, y, w = regression()
        alone, adapted = score(w, (A, y), "obd")[0][:, 0], score(w, (A, y), "obs")[0][:, 0]
        for j in range(6):
            v = w.copy()
            v[j] = 0
            assert alone[j] == pytest.approx(risk(A, y, v) - risk(A, y, w), rel=1e-9)
            others = np.delete(np.arange(6), j)
            best = np.linalg.lstsq(A[:, others], y, rcond=None)[1][0] / 120
            assert adapted[j] == pytest.approx(best - risk(A, y, w), rel=1e-8)
        assert (adapted <= alone * (1 + 1e-12)).all()

    @pytest.mark.parametrize("count", [1, 3, 5])
    def test_compensation_is_least_squares_on_what_stays(self, count, backend):
        A, y, w = regression()
        method = Method("m", pruning.Obs(), rewind="start", weight_map=pruning.Compensation(), **FREE)
        result = prune(backend.put(w), (backend.put(A), backend.put(y)), method, sparsity=count)
        found, mask = backend.get(result.model.layers[0]), backend.get(result.masks.layers[0])[:, 0]
        assert found[mask] == pytest.approx(np.linalg.lstsq(A[:, mask], y, rcond=None)[0], abs=1e-10)
        assert not found[~mask].any()

    def test_in_rounds_pruned_weights_are_out_of_the_quadratic(self):
        A, y, w = regression(8)
        method = Method(
            "m", pruning.Obs(), schedule=lambda p, s: list(range(p - 1, s - 1, -1)), rewind="end",
            weight_map=pruning.Compensation(), **FREE,
        )  # fmt: skip
        result = prune(w, (A, y), method, sparsity=3)
        mask, left = np.ones(8, dtype=bool), w
        for _ in range(5):  # backward elimination, by plain least squares
            costs = np.full(8, np.inf)
            for j in np.flatnonzero(mask):
                rest = mask.copy()
                rest[j] = False
                costs[j] = np.linalg.lstsq(A[:, rest], y, rcond=None)[1][0]
            mask[np.argmin(costs)] = False
        left = np.linalg.lstsq(A[:, mask], y, rcond=None)[0]
        assert result.masks.layers[0][:, 0].tolist() == mask.tolist()
        assert result.model.layers[0][mask] == pytest.approx(left, abs=1e-9)

    def test_a_network_of_few_weights_is_one_quadratic_and_of_many_one_for_each_layer(self):
        model = Model.draw((6, 5, 4, 2), bias=True, rng=1)
        joint, inputs = (score(model, (X, Y), pruning.Obs(kind)) for kind in ("auto", "inputs"))
        assert not np.allclose(joint[0], inputs[0])
        small = score(model, (X, Y), pruning.Obs(limit=57))
        assert all(np.array_equal(a, b) for a, b in zip(small, inputs, strict=True))  # 58 weights
        values = oracle.outputs([np.array(w) for w in model.layers], [np.array(b) for b in model.biases], X)
        for W, A, layer in zip(model.layers, values, inputs, strict=False):
            M = A.T @ A / 60
            values_, vectors = np.linalg.eigh(M)
            inverse = (vectors / np.maximum(values_, 1e-6 * values_.max())) @ vectors.T
            assert layer == pytest.approx(W**2 / (2 * np.diag(inverse)[:, None]), rel=1e-6)
        with pytest.raises(ValueError, match="curvature='hessian' for 58 weights; expected at most limit=57"):
            score(model, (X, Y), pruning.Obs("hessian", limit=57))

    @pytest.mark.parametrize("kind", ["hessian", "inputs"])
    def test_compensation_of_a_network_lowers_the_quadratic_model(self, kind):
        model = Model.draw((6, 5, 2), rng=1)
        train = Method("t", "magnitude", training=Training(n_iter=400, learning_rate=1e-2), retraining=None)
        model = prune(model, (X, Y), train, sparsity=40).model
        rule = pruning.Obs(kind)
        plain = Method("m", rule, rewind="start", **FREE)
        cut = prune(model, (X, Y), plain, sparsity=34)
        repaired = prune(model, (X, Y), plain.replace(weight_map=pruning.Compensation(rule)), sparsity=34)
        assert repaired.masks == cut.masks
        assert oracle.loss(list(repaired.model.layers), None, X, Y, "squared") < oracle.loss(
            list(cut.model.layers), None, X, Y, "squared"
        )

    def test_without_damping_a_network_s_null_directions_decide(self):
        """Incoming weights times c, outgoing ones divided by c: all weights of a neuron get the same score then."""
        model = Model.draw((6, 1, 1), rng=3)
        train = Method(
            "t", "magnitude", training=Training(n_iter=3000, learning_rate=1e-2, schedule="cosine"), retraining=None
        )
        A = regression()[0]
        data = (A, np.maximum(A @ np.arange(1.0, 7.0), 0))
        model = prune(model, data, train, sparsity=None).model
        scores = np.concatenate([layer.ravel() for layer in score(model, data, pruning.Obs(damping=1e-9))])
        damped = np.concatenate([layer.ravel() for layer in score(model, data, pruning.Obs())])
        assert scores.max() / scores.min() < 1.1
        assert damped.max() / damped.min() > 2

    def test_inputs_that_are_always_zero_go_first(self):
        A = X.copy()
        A[:, 2] = 0
        for name in ("obs", "obd"):
            scores = score(np.ones(6), (A, Y[:, 0]), name)[0][:, 0]
            assert np.argmin(scores) == 2

    def test_options_out_of_range(self):
        for options in ({"curvature": "fisher"}, {"damping": 0.0}, {"damping": 2.0}, {"limit": 0}):
            with pytest.raises(ValueError, match=next(iter(options))):
                pruning.Obs(**options)


class TestSynFlow:
    def test_layers_have_equal_sums(self):
        """What flows into a layer flows out of it: the sum of a layer's scores is R for every layer."""
        scores = score(Model.draw((6, 9, 4, 3), bias=True, rng=0), None, "synflow")
        sums = [layer.sum() for layer in scores]
        assert sums == pytest.approx([sums[0]] * 3, rel=1e-13)

    @pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e30, 1e200])
    def test_deep_networks_neither_overflow_nor_underflow(self, scale, backend):
        rng = np.random.default_rng(0)
        layers = [rng.standard_normal((5, 5)) for _ in range(60)]
        plain = score(Model([backend.put(w) for w in layers]), None, "synflow")
        scaled = score(Model([backend.put(scale * w) for w in layers]), None, "synflow")
        for a, b in zip(plain, scaled, strict=True):
            a, b = backend.get(a), backend.get(b)
            assert np.isfinite(b).all()
            assert b.min() > 0
            assert (np.argsort(a, axis=None) == np.argsort(b, axis=None)).all()
        total = backend.get(plain[0]).sum()
        assert [backend.get(layer).sum() for layer in plain] == pytest.approx([total] * 60, rel=1e-12)

    def test_a_layer_that_is_all_zero(self):
        layers = [np.ones((2, 3)), np.zeros((3, 2)), np.ones((2, 1))]
        assert all(not layer.any() for layer in score(Model(layers), None, "synflow"))

    def test_in_rounds_no_layer_is_emptied(self):
        """Down to one path; one round would empty a layer."""
        model = Model.draw((30, 20, 20, 3), rng=0)
        method = pruning.catalogue()["synflow"].replace(retraining=None)
        result = prune(model, None, method, sparsity=6)
        assert all(mask.any() for mask in result.masks.layers)
        assert len(result.path) > 50
        with pytest.warns(RuntimeWarning, match="has no weights left"):
            prune(model, None, method.replace(schedule=pruning.OneShot()), sparsity=6)


class TestWeightMaps:
    MODEL = Model.draw((6, 5, 2), bias=True, rng=0)

    def run(self, weight_map, **fields):
        method = Method("m", "magnitude", weight_map=weight_map, **{"rewind": "start", **FREE, **fields})
        return prune(self.MODEL, (X, Y), method, sparsity=12, rng=1)

    def test_identity_is_no_map(self):
        assert self.run(pruning.identity).model == self.run(None).model

    def test_signs_stay_and_magnitudes_do_not(self):
        result = self.run(pruning.sign_constant)
        for new, old, mask in zip(result.model.layers, self.MODEL.layers, result.masks.layers, strict=True):
            size = np.sqrt((old**2).mean())
            assert new == pytest.approx(mask * np.sign(old) * size, abs=1e-15)

    def test_new_weights_have_the_spread_of_the_start(self):
        big = Model.draw((200, 100, 2), rng=0)
        method = Method("m", "magnitude", rewind="start", weight_map=pruning.reinitialise, **FREE)
        one, two, other = (prune(big, None, method, sparsity=None, rng=seed) for seed in (0, 0, 1))
        assert one.model == two.model != other.model
        for new, old in zip(one.model.layers, big.layers, strict=True):
            assert new.std() == pytest.approx(np.sqrt((old**2).mean()), rel=0.15)
            assert abs(np.corrcoef(new.ravel(), old.ravel())[0, 1]) < 0.2

    def test_a_map_of_one_s_own(self):
        def halves(layers, masks, view):
            assert isinstance(masks, Masks)
            assert view.count == 12
            return [0.5 * layer for layer in layers]

        result = self.run(halves)
        for new, old, mask in zip(result.model.layers, self.MODEL.layers, result.masks.layers, strict=True):
            assert np.array_equal(new, 0.5 * mask * old)


class TestOneOwn:
    def test_a_criterion_sees_what_it_asks_for(self):
        seen = {}

        def mine(view):
            seen.update(
                weights=view.layers,
                start=view.initial,
                left=view.masks.count,
                keep=view.count,
                rows=view.data.n_samples,
            )
            return [view.xp.abs(w * g) for w, g in zip(view.layers, view.gradient(), strict=True)]

        model = Model.draw((6, 5, 2), rng=0)
        base = Method("mine", mine, source="start", rewind="start", retraining=None)
        mine_found = prune(model, (X, Y), base, sparsity=12)
        assert mine_found.masks == prune(model, (X, Y), base.replace(criterion="snip"), sparsity=12).masks
        assert (seen["left"], seen["keep"], seen["rows"]) == (40, 12, 60)
        assert seen["start"] == model
        assert mine_found.cost.backward == 60

    def test_a_ratio_and_a_schedule_of_one_s_own(self):
        model = Model.draw((6, 5, 2), rng=0)
        method = Method(
            "mine", "magnitude", scope="layer", ratio=lambda shapes, count: [count - 2, 2],
            schedule=lambda total, sparsity: [total // 2, sparsity], rewind="start", **FREE,
        )  # fmt: skip
        result = prune(model, None, method, sparsity=12)
        assert [int(mask.sum()) for mask in result.masks.layers] == [10, 2]
        assert [one.masks.count for one in result.path] == [20, 12]
