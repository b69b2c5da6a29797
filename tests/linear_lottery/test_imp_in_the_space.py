"""``linear_lottery.imp`` and ``recovery.pruning.prune`` with exact flow are one method: equal masks, bit for bit."""

import math

import numpy as np
import pytest

import linear_lottery
from linear_lottery import Flow, gradient_flow, imp_method
from planted.base import arrays
from recovery import pruning

SCHEDULES = ["one-by-one", "one-shot", 0.3, 0.07, 3, 50]


def problem(n, d, s=4, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    w = np.zeros(d)
    w[rng.permutation(d)[:s]] = rng.standard_normal(s)
    return X, X @ w + noise * rng.standard_normal(n), rng.standard_normal(d)


def both(X, y, w0, sparsity, schedule, flow_time):
    path = linear_lottery.imp(X, y, sparsity, w0=w0, schedule=schedule, flow_time=flow_time)
    method = imp_method(schedule, flow_time=flow_time)
    return path, pruning.prune(w0, (X, y), method, sparsity=sparsity)


@pytest.mark.parametrize("flow_time", [math.inf, 0.7])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("shape", [(60, 20), (15, 20)], ids=["tall", "wide"])
def test_the_masks_are_equal_bit_for_bit(shape, schedule, flow_time):
    for seed, sparsity in enumerate((0, 4, 4, 20)):
        X, y, w0 = problem(*shape, seed=seed)
        path, result = both(X, y, w0, sparsity, schedule, flow_time)
        masks = np.array([one.masks.layers[0][:, 0] for one in result.path])
        expected = path.masks if sparsity == 20 else path.masks[1:]
        assert masks.tolist() == expected.tolist()
        # the answer is trained under the last mask, as the path's last weights
        size = np.abs(path.weights[-1]).max() + np.abs(w0).max()
        assert result.model.layers[0] == pytest.approx(path.weights[-1], abs=1e-9 * (1 + size))


def test_on_another_backend(backend):
    X, y, w0 = problem(40, 10)
    path = linear_lottery.imp(backend.put(X), backend.put(y), 3, w0=backend.put(w0), schedule=2)
    data = (backend.put(X), backend.put(y))
    result = pruning.prune(backend.put(w0), data, imp_method(2), sparsity=3)
    assert backend.get(result.masks.layers[0][:, 0]).tolist() == backend.get(path.masks[-1]).tolist()


def test_dependent_columns_without_ties_at_the_boundary():
    """Rank 12 of 20 columns: the flow keeps what the data do not see, so that all magnitudes differ."""
    rng = np.random.default_rng(1)
    X = rng.integers(-3, 4, (40, 12)).astype(float)
    X = np.hstack([X, X[:, :8]])
    y, w0 = X @ rng.standard_normal(20), rng.standard_normal(20)
    for schedule in SCHEDULES:
        path, result = both(X, y, w0, 5, schedule, math.inf)
        assert [one.masks.layers[0][:, 0].tolist() for one in result.path] == path.masks[1:].tolist()


def test_equal_to_the_last_bit_the_larger_index_goes_in_both():
    """Orthogonal columns of entries +-1 and integer targets: the arithmetic is exact, so ties are."""
    X = np.array([[1.0]])
    for _ in range(3):
        X = np.block([[X, X], [X, -X]])
    w = np.array([2.0, -1.0, 1.0, 2.0, 1.0, -2.0, 0.0, 0.0])
    for flow_time in (math.inf, 0.0):
        start = np.zeros(8) if math.isinf(flow_time) else w
        for schedule in SCHEDULES:
            for sparsity in range(8):
                path = linear_lottery.imp(X, X @ w, sparsity, w0=start, schedule=schedule, flow_time=flow_time)
                exact = pruning.prune(
                    w, None, imp_method(schedule).replace(source="start", retraining=None), sparsity=sparsity
                )
                assert exact.masks.layers[0][:, 0].tolist() == path.masks[-1].tolist()


def test_zero_weights_and_duplicates_are_where_the_two_may_differ():
    """What is a tie but for rounding: imp decides by its tolerance, prune by the last bit; the sizes agree."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((30, 6))
    X = np.hstack([X, X[:, :2]])
    y = X @ np.array([3.0, 2.0, 0, 0, 0, 0, 0, 0])
    path, result = both(X, y, np.zeros(8), 4, "one-by-one", math.inf)
    assert [one.masks.count for one in result.path] == list(path.sizes[1:])
    # all that carry the signal stay in both: the duplicated columns share it
    kept = {0, 1}
    for found in (path.masks[-1], result.masks.layers[0][:, 0]):
        assert all(found[j] or found[j + 6] for j in kept)


class TestFlow:
    def test_several_outputs_and_biases_are_regressions_of_their_own(self, backend):
        rng = np.random.default_rng(3)
        X, Y = rng.standard_normal((50, 6)), rng.standard_normal((50, 3))
        model = pruning.Model([backend.put(rng.standard_normal((6, 3)))], [backend.put(np.zeros(3))])
        data = (backend.put(X), backend.put(Y))
        method = pruning.Method("m", "magnitude", training=Flow())
        result = pruning.prune(model, data, method, sparsity=9)
        mask, found = (backend.get(v) for v in (result.masks.layers[0], result.model.layers[0]))
        ones = np.column_stack([X, np.ones(50)])
        dense = np.linalg.lstsq(ones, Y, rcond=None)[0][:-1]
        cut = np.sort(np.abs(dense), axis=None)[-9]
        assert mask.tolist() == (np.abs(dense) >= cut).tolist()
        for k in range(3):
            rows = np.append(np.flatnonzero(mask[:, k]), 6)
            expected = np.linalg.lstsq(ones[:, rows], Y[:, k], rcond=None)[0]
            assert found[rows[:-1], k] == pytest.approx(expected[:-1], abs=1e-11)
            assert backend.get(result.model.biases[0])[k] == pytest.approx(expected[-1], abs=1e-11)

    def test_points_of_the_path_are_shares_of_the_time(self):
        X, y, w0 = problem(30, 8)
        method = pruning.Method("m", "magnitude", source=0.5, retraining=None, training=Flow(4.0, n_points=4))
        result = pruning.prune(w0, (X, y), method, sparsity=8)
        assert result.model.layers[0] == pytest.approx(gradient_flow(X, y, w0, 2.0), abs=1e-12)
        late = method.replace(source="end", rewind=0.25)
        assert pruning.prune(w0, (X, y), late, sparsity=8).model.layers[0] == pytest.approx(
            gradient_flow(X, y, w0, 1.0), abs=1e-12
        )
        seen = []

        class Watch:
            def begin(self, model, data, rng, cost):
                return self

            def step(self, step):
                seen.append((step.n_iter, step.weights[0][:, 0].copy(), step.gradient[0][:, 0].copy()))

            def scores(self):
                return [abs(seen[-1][1][:, None])]

        pruning.prune(w0, (X, y), method.replace(criterion=Watch(), source="path"), sparsity=8)
        assert [n for n, *_ in seen] == [1, 2, 3, 4]
        assert seen[1][1] == pytest.approx(gradient_flow(X, y, w0, 2.0), abs=1e-12)
        assert seen[1][2] == pytest.approx(X.T @ (X @ seen[0][1] - y) / 30, abs=1e-12)

    def test_what_it_cannot_train(self):
        X, y, _ = problem(10, 4)
        network = pruning.Model.draw((4, 3, 1), scalar=True, rng=0)
        method = pruning.Method("m", "magnitude", training=Flow())
        with pytest.raises(ValueError, match="Flow trains linear models with squared loss only; got Model"):
            pruning.prune(network, (X, y), method, sparsity=3)
        with pytest.raises(ValueError, match="n_points=2 with an infinite flow_time"):
            Flow(n_points=2)
        with pytest.raises(ValueError, match="flow_time"):
            Flow(-1.0)
        with pytest.raises(ValueError, match="schedule=0 is out of range"):
            imp_method(0)

    def test_the_cost_is_that_of_decompositions(self):
        X, y, w0 = problem(30, 8)
        result = pruning.prune(w0, (X, y), imp_method("one-shot"), sparsity=2)
        assert result.cost == pruning.Cost(0, 0, 30 * 8 * 8 + 30 * 2 * 2, 0.0)
        assert arrays.device_of(result.model.layers[0]) == "cpu"
