"""Iterative magnitude pruning: against a plain loop, over schedules, starts, times, ties, types and bad input."""

import inspect
import math
from fractions import Fraction

import numpy as np
import pytest
import standin
from scipy.linalg import expm

import linear_lottery
import recovery
from linear_lottery import PruningPath, gradient_flow, imp

SCHEDULES = ["one-by-one", 0.2, 0.5, 3, "one-shot"]


def tall(rng):
    return rng.standard_normal((40, 12))


def square(rng):
    return rng.standard_normal((12, 12))


def wide(rng):
    return rng.standard_normal((9, 25))


def dependent(rng):
    """Rank 6 of 8 exactly, without two equal columns: the last two are sums of others."""
    base = rng.integers(-4, 5, (30, 6)).astype(float)
    return np.column_stack([base, base[:, 0] + base[:, 1], base[:, 2] - 2 * base[:, 3]])


def unequal(rng):
    return rng.standard_normal((40, 12)) * 10.0 ** rng.uniform(-2, 2, 12)


DESIGNS = [tall, square, wide, dependent, unequal]


def problem(design, seed=0):
    rng = np.random.default_rng(seed)
    X = design(rng)
    return X, rng.standard_normal(X.shape[0]), rng.standard_normal(X.shape[1])


def rounds(schedule, m, keep):
    if schedule == "one-shot":
        return m - keep
    r = 1 if schedule == "one-by-one" else schedule if isinstance(schedule, int) else math.ceil(schedule * m)
    return min(r, m - keep)


def plain_loop(X, y, keep, w0, schedule, t):
    """The algorithm as it is told, with a pseudo-inverse and a matrix exponential in each round."""
    d = X.shape[1]
    kept, order, weights = list(range(d)), [], []
    while True:
        A, w = X[:, kept], np.zeros(d)
        limit = w0[kept] + np.linalg.pinv(A, rcond=1e-11) @ (y - A @ w0[kept])
        decay = 0 * np.eye(len(kept)) if t == math.inf else expm(-t * A.T @ A / len(y))
        # the null space does not move: there limit and start agree
        w[kept] = limit + decay @ (w0[kept] - limit)
        weights.append(w)
        if len(kept) == keep:
            return order, np.array(weights), kept
        for _ in range(rounds(schedule, len(kept), keep)):
            gone = min(kept, key=lambda j: abs(w[j]))
            kept.remove(gone)
            order.append(gone)


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.__name__)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("t", [math.inf, 0.7])
def test_it_is_the_plain_loop(design, schedule, t):
    for seed in range(3):
        X, y, w0 = problem(design, seed)
        if t < math.inf:
            X = X / np.abs(X).max()
        path = imp(X, y, 3, w0=w0, schedule=schedule, flow_time=t)
        order, weights, kept = plain_loop(X, y, 3, w0, schedule, t)
        assert path.order.tolist() == order
        assert path.support.tolist() == kept
        assert np.abs(path.weights - weights).max() <= 1e-11 * max(1, np.abs(weights).max())
        fast = t == math.inf and design in (tall, square, unequal)
        assert path.route == ("deflation" if fast else "refit")


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.__name__)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_what_a_path_promises(design, schedule):
    X, y, w0 = problem(design)
    d = X.shape[1]
    path = imp(X, y, 2, w0=w0, schedule=schedule)
    assert path.masks.shape == path.weights.shape == (path.n_rounds + 1, d)
    assert path.masks[0].all()
    assert np.array_equal(path.masks.sum(axis=1), path.sizes)
    assert not (path.masks[1:] & ~path.masks[:-1]).any()  # nested
    assert np.all(path.weights[~path.masks] == 0.0)
    assert np.array_equal(np.flatnonzero(path.mask), path.support)
    assert sorted([*path.order, *path.support]) == list(range(d))
    gone = 0
    for r, (before, after) in enumerate(zip(path.sizes, path.sizes[1:], strict=False)):
        these, gone = path.order[gone : gone + before - after], gone + before - after
        assert np.array_equal(np.sort(these), np.flatnonzero(path.masks[r] & ~path.masks[r + 1]))
        went = np.abs(path.weights[r][these])
        assert np.all(np.diff(went) >= 0)
        assert went.max() <= np.abs(path.weights[r][path.masks[r + 1]]).min()


def test_schedules_prune_as_many_as_they_say():
    X, y, _ = problem(tall)
    assert imp(X, y, 9).sizes == (12, 11, 10, 9)
    assert imp(X, y, 2, schedule=0.2).sizes == (12, 9, 7, 5, 4, 3, 2)
    assert imp(X, y, 2, schedule=4).sizes == (12, 8, 4, 2)
    assert imp(X, y, 2, schedule="one-shot").sizes == (12, 2)
    assert imp(X, y, 12).sizes == (12,)
    assert imp(X, y, 0, schedule=0.9).sizes == (12, 1, 0)
    # in floating point 0.07 * 100 exceeds 7, but 7 of 100 are meant
    assert imp(np.eye(100), np.arange(1.0, 101.0), 90, schedule=0.07).sizes == (100, 93, 90)
    # the float32 next to 0.2 exceeds it, and as float64 prints as 0.20000000298
    assert imp(np.eye(10), np.arange(10.0), 6, schedule=np.float32(0.2)).sizes == (10, 8, 6)
    assert imp(np.eye(6), np.arange(6.0), 0, schedule=Fraction(5, 6)).sizes == (6, 1, 0)


@pytest.mark.parametrize("t", [0.0, 1e-300])
def test_survivors_are_rewound_bit_for_bit(t):
    for design in (tall, wide):
        X, y, w0 = problem(design)
        path = imp(X, y, 2, w0=w0, flow_time=t)
        assert np.array_equal(path.weights, np.where(path.masks, w0, 0.0))
        assert np.array_equal(path.order, np.argsort(np.abs(w0))[:-2])
        assert np.array_equal(path.w0, w0)


def test_each_round_is_the_flow_from_the_rewound_start():
    X, y, w0 = problem(wide)
    path = imp(X, y, 4, w0=w0, schedule=0.3, flow_time=2.0)
    for mask, weights in zip(path.masks, path.weights, strict=True):
        assert np.array_equal(weights, gradient_flow(X, y, w0, 2.0, mask))


def test_the_start_matters_only_where_there_is_a_null_space():
    for design, matters in ((tall, False), (square, False), (wide, True)):
        X, y, w0 = problem(design)
        same = np.array_equal(imp(X, y, 4, w0=w0).order, imp(X, y, 4, w0=-3 * w0).order)
        assert same is not matters, design


def test_orthogonal_features_go_in_the_order_of_their_projections():
    rng = np.random.default_rng(5)
    X = np.linalg.qr(rng.standard_normal((20, 9)))[0] * 2.0
    y, w0 = rng.standard_normal(20), rng.standard_normal(9)
    wanted = np.argsort(np.abs(X.T @ y))[:7]
    for schedule in SCHEDULES:
        for t in (math.inf, 1e4):
            assert np.array_equal(imp(X, y, 2, w0=w0, schedule=schedule, flow_time=t).order, wanted)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_equal_weights_keep_the_smaller_index(schedule):
    rng = np.random.default_rng(1)
    assert imp(np.eye(8), np.ones(8), 2, schedule=schedule).order.tolist() == [7, 6, 5, 4, 3, 2]
    assert imp(rng.standard_normal((20, 8)), np.zeros(20), 2, schedule=schedule).order.tolist() == [7, 6, 5, 4, 3, 2]
    # all columns are one column, and all are constant: weights differ by rounding, and by less than is compared
    for column in (rng.standard_normal(20), np.full(20, 0.1)):
        for t in (math.inf, 0.3):
            same = np.repeat(column[:, None], 8, axis=1)
            path = imp(same, rng.standard_normal(20) + 1, 2, schedule=schedule, flow_time=t)
            assert path.order.tolist() == [7, 6, 5, 4, 3, 2]


def test_duplicates_among_others_go_with_the_larger_index_first():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        base = rng.standard_normal((30, 6))
        for X in (base[:, [0, 1, 2, 3, 4, 5, 2, 0, 2]], base[:5, [0, 1, 2, 3, 4, 5, 2, 0, 2]]):
            order = imp(X, rng.standard_normal(len(X)), 0).order.tolist()
            assert order.index(8) < order.index(6) < order.index(2)
            assert order.index(7) < order.index(0)


@pytest.mark.parametrize("t", [50.0, math.inf])
def test_duplicates_tie_also_where_a_large_start_cancels(t):
    """The part of the start in the row space goes away in training, but its rounding errors stay."""
    for size in (1.0, 1e8):
        for seed in range(12):
            rng = np.random.default_rng(seed)
            base = rng.standard_normal((30, 6))
            X, start = np.concatenate([base, base], axis=1), size * np.tile(rng.standard_normal(6), 2)
            order = imp(X, rng.standard_normal(30), 0, w0=start, flow_time=t).order.tolist()
            assert all(order.index(j + 6) < order.index(j) for j in range(6)), (size, seed)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_without_noise_nulls_tie_and_the_truth_survives(schedule):
    for design in (tall, square, unequal):
        for seed in range(5):
            X, _, w = problem(design, seed)
            w[[0, 2, 3, 4, 5, 6, 8, 9, 10]] = 0.0
            path = imp(X, X @ w, 3, schedule=schedule)
            assert path.support.tolist() == [1, 7, 11]
            assert path.order.tolist() == [10, 9, 8, 6, 5, 4, 3, 2, 0]


def test_nulls_tie_under_a_residual_that_is_much_larger_than_the_signal():
    """Rounding errors are those of y, not of its part in the range of X."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X, w = rng.standard_normal((60, 12)), np.where(np.isin(np.arange(12), [1, 4, 7]), 2.0, 0.0)
        residual = np.linalg.qr(X, mode="complete")[0][:, 12:] @ rng.standard_normal(48)
        for start in (None, np.ones(12)):
            for t in (math.inf, 1e6):  # by deflation and in refits
                path = imp(X, X @ w + 1e6 * residual, 3, w0=start, flow_time=t)
                assert path.order.tolist() == [11, 10, 9, 8, 6, 5, 3, 2, 0]


def test_nulls_tie_where_the_first_factor_comes_from_the_gram_matrix():
    """At condition 9 its rounding errors are larger than those of a QR, and so is the tolerance."""
    for seed in range(15):
        rng = np.random.default_rng(seed)
        X = rng.integers(-1, 2, (5000, 10)) + 2.3
        assert imp(X, X[:, 0] - 10.0 ** (seed % 3) * X[:, 1], 2).order.tolist() == [9, 8, 7, 6, 5, 4, 3, 2]


@pytest.mark.parametrize("design", [tall, wide])
@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_scales_do_not_matter_in_float32_either(design, scale):
    X, y, w0 = (value.astype(np.float32) for value in problem(design))
    wanted = imp(X, y, 0, w0=w0).order
    assert np.array_equal(imp(np.float32(scale) * X, y, 0, w0=w0 / np.float32(scale)).order, wanted)


@pytest.mark.parametrize("c", [1e-120, 1e-6, 1e120])
@pytest.mark.parametrize("design", [tall, wide])
def test_scales_do_not_matter(c, design):
    X, y, w0 = problem(design)
    for t in (math.inf, 2.0):
        plain = imp(X, y, 3, w0=w0, flow_time=t)
        for path, back in (
            (imp(c * X, c * y, 3, w0=w0, flow_time=t / c / c), 1.0),
            (imp(X, c * y, 3, w0=c * w0, flow_time=t), 1 / c),
        ):
            assert np.array_equal(path.order, plain.order)
            assert np.abs(path.weights * back - plain.weights).max() <= 1e-12


@pytest.mark.parametrize("design", [tall, wide, dependent])
@pytest.mark.parametrize("schedule", ["one-by-one", 0.3])
def test_every_backend_computes_the_same(backend, design, schedule):
    X, y, w0 = problem(design)
    plain = imp(X, y, 3, w0=w0, schedule=schedule)
    path = imp(backend.put(X), backend.put(y), 3, w0=backend.put(w0), schedule=schedule)
    for name in ("masks", "order", "support", "w0"):
        assert np.array_equal(backend.get(getattr(path, name)), getattr(plain, name)), name
    assert path.sizes == plain.sizes
    assert np.abs(backend.get(path.weights) - plain.weights).max() <= 1e-12
    assert np.abs(backend.get(path.losses(backend.put(X), backend.put(y))) - plain.losses(X, y)).max() <= 1e-12
    assert backend.get(path.order).dtype == backend.get(path.support).dtype == np.int64


def test_synchronisations_are_one_a_round():
    rng = np.random.default_rng(0)
    # refits ask once more, whether all columns are independent
    for shape, extra in (((300, 200), 60), ((20, 40), 48)):
        X, y = standin.device(rng.standard_normal(shape)), standin.device(rng.standard_normal(shape[0]))
        with standin.count_syncs() as found:
            path = imp(X, y, 0)
        assert path.n_rounds <= found.total() <= path.n_rounds + extra


def test_float32_is_kept_and_mixtures_are_float64():
    X, y, w0 = problem(tall)
    for design_t in (math.inf, 2.0):
        path = imp(*(value.astype(np.float32) for value in (X, y)), 4, w0=w0.astype(np.float32), flow_time=design_t)
        plain = imp(X, y, 4, w0=w0, flow_time=design_t)
        assert path.weights.dtype == np.float32
        assert np.array_equal(path.order, plain.order)
        assert np.abs(path.weights - plain.weights).max() <= 1e-5
    assert imp(X.astype(np.float32), y, 4).weights.dtype == np.float64
    assert imp(X.astype(np.float32), y.astype(np.float32), 4).route == "deflation"


def test_the_losses_are_those_of_the_weights_and_rise():
    X, y, _ = problem(tall)
    path = imp(X, y, 0)
    losses = path.losses(X, y)
    assert losses[-1] == pytest.approx(y @ y / (2 * len(y)), rel=1e-14)
    for weights, loss in zip(path.weights, losses, strict=True):
        assert loss == pytest.approx(np.sum((X @ weights - y) ** 2) / (2 * len(y)), rel=1e-12)
    assert np.all(np.diff(losses) >= -1e-14)


def test_a_path_finds_its_rounds_and_prints_no_arrays():
    X, y, _ = problem(tall)
    path = imp(X, y, 2, schedule=4)
    assert repr(path) == ("PruningPath(d=12, sparsity=2, n_rounds=3, route='deflation', dtype=float64, device='cpu')")
    assert [path.round_of(size) for size in (12, 8, 4, 2)] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="size=5 is not on this path; expected a size that it visits, such as 8 and 4"):
        path.round_of(5)
    with pytest.raises(ValueError, match="size=1 is not on this path"):
        path.round_of(1)
    assert np.array_equal(path.w, path.weights[-1])
    assert path.sparsity == 2


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": np.ones(3)}, ValueError, "X has shape"),
        ({"X": np.ones((40, 0))}, ValueError, "X is empty"),
        ({"X": np.full((40, 12), np.nan)}, ValueError, "X has 480 element"),
        ({"y": np.ones(4)}, ValueError, "y has 4"),
        ({"y": np.full(40, np.inf)}, ValueError, "y has 40 element"),
        ({"w0": np.ones(7)}, ValueError, "w0 has shape"),
        ({"sparsity": 13}, ValueError, "sparsity=13"),
        ({"sparsity": -1}, ValueError, "sparsity=-1"),
        ({"sparsity": 2.0}, TypeError, "sparsity=2.0"),
        ({"flow_time": -1.0}, ValueError, "flow_time=-1"),
        ({"flow_time": math.nan}, ValueError, "flow_time=nan"),
        ({"schedule": "20 %"}, ValueError, "schedule='20 %'"),
        ({"schedule": 0}, ValueError, "schedule=0"),
        ({"schedule": 1.0}, ValueError, "schedule=1.0"),
        ({"schedule": 0.0}, ValueError, "schedule=0.0"),
        ({"schedule": math.nan}, ValueError, "schedule=nan"),
        ({"schedule": True}, TypeError, "schedule=True"),
        ({"schedule": None}, TypeError, "schedule=None"),
    ],
)
def test_refusals_name_the_argument(change, error, words):
    X, y, w0 = problem(tall)
    arguments = {"X": X, "y": y, "sparsity": 3, "w0": w0, **change}
    with pytest.raises(error, match=words):
        imp(**arguments)


def test_public_names():
    assert {"PruningPath", "imp", "threshold_prune"} <= set(linear_lottery.__all__)
    assert linear_lottery.PruningPath is PruningPath


def test_a_path_says_how_it_ended_in_a_line_and_in_a_table():
    X, y, _ = problem(tall)
    path = imp(X, y, 3, schedule="one-shot")
    d = X.shape[1]
    assert path.success
    assert path.message == f"pruned to 3 of {d} weights in 1 round"
    assert (path.sparsity, path.n_rounds, path.n_iter) == (3, 1, 2)
    assert len(repr(path)) < 120
    page = path._repr_html_()
    assert page.partition("<th>round</th>")[2].count("<tr>") == 2
    assert f"<td>0</td><td>{d}</td><td>{', '.join(map(str, path.order.tolist()))}</td>" in page
    assert "<td>1</td><td>3</td><td></td>" in page
    long = imp(np.eye(50), np.arange(1.0, 51.0), 0)._repr_html_()
    assert "<td>19</td><td>31</td><td>19</td>" in long
    assert "and 31 more rounds" in long


def test_shared_arguments_stand_in_the_order_of_the_pruning_of_networks():
    linear = list(inspect.signature(imp).parameters)
    of_networks = list(inspect.signature(recovery.imp).parameters)
    shared = [name for name in linear if name in of_networks]
    assert shared[:3] == ["X", "y", "sparsity"]
    assert shared == [name for name in of_networks if name in linear]
