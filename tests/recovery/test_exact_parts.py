"""The parts of exact recovery: columns, steps, tests, births, wedges, repairs, and the way back to a network."""

from __future__ import annotations

import numpy as np
import pytest

import planted
from recovery.networks.centre import Centre
from recovery.networks.exact.away import births_away
from recovery.networks.exact.births import SPREAD_ENTRY, SPREAD_KINK, Quadratic, births
from recovery.networks.exact.entries import additions, drops
from recovery.networks.exact.local import Rule, _collapsed, merges, reduced_near, repair
from recovery.networks.exact.model import Inputs, Lines, angles, columns, predict
from recovery.networks.exact.neurons import Neurons, joined, oriented, outputs, polished
from recovery.networks.exact.newton import gram, levenberg, size, spread
from recovery.networks.exact.rounds import Data, finish, told_apart, unbent
from recovery.networks.exact.search import merged, search
from recovery.networks.exact.wedges import splits, widths

EPS = float(np.finfo(float).eps)


def model_of(network):
    """Return a network's kink form as parameters of the model."""
    form = network.kink_form()
    d = form.n_inputs
    model = Lines.none(d)
    many = np.array([len(support) > 1 for support in form.supports])
    directions = np.where(np.abs(form.directions.T) > 1e-12, form.directions.T, 0.0)
    axes = np.zeros(d)
    axes[np.abs(directions[~many]).argmax(axis=1)] = form.strengths[~many] / 2
    lines = model.with_lines(directions[many], form.strengths[many] / 2)
    return Lines(form.linear.copy(), axes, lines.weights, lines.signs, lines.support)


def planted_model(d=8, m=5, s=14, n=3000, seed=0):
    network = planted.sparse_network(d, m, s, signs="mixed", rng=seed)
    X = planted.gaussian_inputs(n, d, rng=100 + seed)
    return X, network(X), network, model_of(network)


def three_lines(n=4000, d=6):
    """Return inputs and a model with lines of two, three and two entries."""
    X = planted.gaussian_inputs(n, d, rng=3)
    directions = np.zeros((3, d))
    directions[0, :2], directions[1, 1:4], directions[2, 4:] = (1.0, -0.5), (0.7, 0.9, 0.4), (0.3, 0.8)
    model = Lines.none(d).with_lines(directions, np.array([1.0, -1.5, 0.8]))
    linear = np.linspace(-1, 1, d)
    return X, Lines(linear, np.array([0.5, 0, 0, -0.3, 0, 0.0]), model.weights, model.signs, model.support)


def value(model, X):
    """Return the model's function, written out."""
    kinks = np.abs(X @ model.weights.T) @ model.signs
    return X @ model.linear + np.abs(X) @ model.axes + kinks


def test_the_model_is_the_network(backend):
    X, y, _, model = planted_model()
    inputs = Inputs.of(backend.put(X), np.float64)
    found = backend.get(predict(inputs, model))
    # at most d + L + 2 sums of products, each of size at most max |y| or so
    bound = 40 * EPS * np.abs(X).max() * (np.abs(model.weights).sum() + np.abs(model.linear).sum() + 1)
    np.testing.assert_allclose(found, y, rtol=0, atol=bound)
    np.testing.assert_allclose(value(model, X), y, rtol=0, atol=bound)


def test_columns_are_the_derivatives(backend):
    X, model = three_lines(n=700)
    inputs = Inputs.of(backend.put(X), np.float64)
    blocks = [backend.get(F) for _, _, F in columns(inputs, model)]
    F = np.concatenate(blocks, axis=1)
    line, coordinate = model.places()
    assert F.shape == (2 * 6 + 7, 700)
    for k, (at, i) in enumerate(zip(line, coordinate, strict=True)):
        step = model.copy()
        step.weights[at, i] += 1e-7
        slope = (value(step, X) - value(model, X)) / 1e-7
        calm = np.abs(X @ model.weights[at]) > 1e-5  # away from the kink f is linear
        np.testing.assert_allclose(F[12 + k][calm], slope[calm], atol=1e-6)
    np.testing.assert_array_equal(F[:6], X.T)
    np.testing.assert_array_equal(F[6:12], np.abs(X).T)


def test_blocks_do_not_change_the_sums(monkeypatch, backend):
    X, model = three_lines(n=900)
    r = np.sin(np.arange(900.0))
    whole = gram(Inputs.of(backend.put(X), np.float64), model, backend.put(r))
    monkeypatch.setattr("recovery.networks.exact.model.BLOCK_BYTES", 1)  # 256 samples a block
    parts = gram(Inputs.of(backend.put(X), np.float64), model, backend.put(r))
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=900 * EPS * np.abs(one).max())


def test_inputs_without_a_bend_of_their_own_are_seen():
    X = planted.gaussian_inputs(300, 5, rng=0)
    X[:, 1] = np.abs(X[:, 1])  # |x| = x
    X[:, 3] = np.sign(X[:, 3])
    X[:, 4] = np.sign(X[:, 4])  # both |x| are 1
    inputs = Inputs.of(X, np.float64)
    assert inputs.straight.tolist() == [0, 1, 2, 3, 4]
    assert inputs.bent.tolist() == [0, 2, 3]


def test_a_step_through_zero_changes_the_sign():
    X, model = three_lines(n=50)
    inputs = Inputs.of(X, np.float64)
    step = np.zeros(12 + 7)
    step[12:14] = -3 * model.weights[0, :2]
    moved = model.moved(inputs, step)
    np.testing.assert_array_equal(moved.weights[0], 2 * model.weights[0])
    assert moved.signs[0] == -model.signs[0]
    np.testing.assert_array_equal(moved.weights[1:], model.weights[1:])


def test_levenberg_finds_the_weights_again(backend):
    X, y, _, model = planted_model()
    rng = np.random.default_rng(5)
    start = model.copy()
    start.weights *= 1 + 0.02 * rng.standard_normal(start.weights.shape)
    start.linear += 0.01
    inputs = Inputs.of(backend.put(X), np.float64)
    found, r, _ = levenberg(inputs, backend.put(y), start, 20, 1e-3, stop=0.0)
    assert size(r) < 1e-13 * size(y)
    np.testing.assert_allclose(found.weights, model.weights, atol=1e-11)
    assert (
        start.weights[0, model.support[0]][0] != found.weights[0, model.support[0]][0]
    )  # the start is not written into


def test_angles_are_exact_for_close_lines():
    d, gap = 4, 1e-9
    directions = np.array([[1.0, 0, 0, 0], [np.cos(gap), np.sin(gap), 0, 0], [0, 0.6, 0.8, 0]])
    support = np.ones((3, d), dtype=bool)
    model = Lines.none(d).with_lines(directions, np.array([1.0, 2.0, 1.0]), support)
    near = angles(model, np.arange(d))
    assert near[0, 1] == pytest.approx(gap, rel=1e-6)
    assert near[1, 3] == pytest.approx(gap, rel=1e-6)  # line 1 and the first axis
    assert near[2, 5] == pytest.approx(np.arccos(0.8), rel=1e-12)
    assert near[2, 4] == pytest.approx(np.arccos(0.6), rel=1e-12)
    assert np.isinf(np.diag(near[:, :3])).all()
    assert np.isinf(angles(model, np.arange(1, d))[1, 3])


def test_close_lines_become_one_and_lines_on_an_axis_a_bend():
    d = 5
    directions = np.zeros((4, d))
    directions[0, :2], directions[1, :2] = (1.0, 1.0), (-1.0, -1.001)
    directions[2, 2:4] = (1.0, 0.01)
    directions[3, 3:] = (0.5, 0.7)
    model = merged(Lines.none(d).with_lines(directions, np.array([1.0, 2.0, -1.0, 1.0])), 0.1)
    assert model.n_lines == 2
    assert model.axes[2] == pytest.approx(-np.hypot(1.0, 0.01))
    assert model.signs[0] == 1
    np.testing.assert_allclose(np.abs(model.weights[0, :2]), [3.0, 3.002])  # a line has no sign


def test_constants_of_the_tests_are_those_of_the_normal_law():
    z = planted.gaussian_inputs(200_000, 2, rng=0)
    design = np.stack([np.ones(len(z)), z[:, 0], z[:, 0] ** 2], axis=1)
    kink = np.abs(z[:, 0])
    left = kink - design @ np.linalg.lstsq(design, kink, rcond=None)[0]
    assert left.std() == pytest.approx(SPREAD_KINK, rel=0.02)
    entry = np.abs(z[:, 0])  # sign(z) x for x = z
    assert entry.std() == pytest.approx(SPREAD_ENTRY, rel=0.02)


def test_quadratics_are_projected_out(backend):
    X = planted.gaussian_inputs(3000, 5, rng=1)
    design = np.concatenate(
        [np.ones((3000, 1)), X, np.stack([X[:, i] * X[:, k] for i in range(5) for k in range(i, 5)], axis=1)], axis=1
    )
    y = np.abs(X[:, 0] + X[:, 1]) + X[:, 2] * X[:, 3]
    expected = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    quadratic = Quadratic(Inputs.of(backend.put(X), np.float64))
    found = backend.get(quadratic.project(backend.put(y), 60, tol=1e-12))
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert quadratic.matrix[2, 3] == pytest.approx(0.5, abs=0.05)
    again = backend.get(quadratic.project(backend.put(y), 0))  # from where the last call ended
    np.testing.assert_allclose(again, expected, atol=1e-9)


def test_a_missing_line_is_born_from_the_residual(backend):
    X, model = three_lines()
    inputs = Inputs.of(backend.put(X), np.float32)
    y = backend.put(value(model, X).astype(np.float32))
    without = model.select(np.array([True, False, True]))
    less, r, _ = levenberg(inputs, y, without, 4, 1e-3)
    directions, amplitudes = births(Quadratic(inputs), less, r)
    unit = model.units[1]
    # its two largest entries have a cosine of .944 with it: the third is left to the tests of entries
    assert np.abs(directions @ unit).max() > 0.93
    assert np.sign(amplitudes[np.abs(directions @ unit).argmax()]) == -1


def test_a_missing_entry_is_added_and_a_surplus_one_dropped(backend):
    X, model = three_lines()
    inputs = Inputs.of(backend.put(X), np.float64)
    y = backend.put(value(model, X) + 1e-3 * np.random.default_rng(0).standard_normal(len(X)))
    less = model.without(np.array([1]), np.array([3]))
    less, r, _ = levenberg(inputs, y, less, 5, 1e-3)
    line, coordinate, around = additions(inputs, less, r)
    assert (1, 3) in zip(line.tolist(), coordinate.tolist(), strict=True)
    kept, count = drops(inputs, less, around, size(r), all_at_once=True)
    assert count == 0
    assert kept is less
    more = model.copy()
    more.support[0, 4] = more.support[2, 0] = True
    more, r, _ = levenberg(inputs, y, more, 5, 1e-3)
    H, _ = gram(inputs, more, r)
    kept, count = drops(inputs, more, spread(inputs, H), size(r), all_at_once=True)
    assert count == 2
    np.testing.assert_array_equal(kept.support, model.support)


def test_the_spread_is_the_covariance_of_least_squares():
    X, model = three_lines(n=500)
    inputs = Inputs.of(X, np.float64)
    F = np.concatenate([F for _, _, F in columns(inputs, model)], axis=1)
    around = spread(inputs, gram(inputs, model, X[:, 0])[0])
    expected = np.linalg.inv(F @ F.T)
    np.testing.assert_allclose(around.inverse, expected, rtol=0, atol=1e-9 * np.abs(expected).max())
    np.testing.assert_allclose(around.of_lines(inputs, model)[model.support], np.diag(expected)[12:], rtol=1e-8)


def close_pair(gap, n=6000):
    """Return inputs, targets, the truth with two lines `gap` apart, and a fit with one line in their place."""
    d = 5
    X = planted.gaussian_inputs(n, d, rng=4)
    directions = np.zeros((2, d))
    directions[0, :2] = np.cos(0.7), np.sin(0.7)
    directions[1, :3] = np.cos(0.7), np.sin(0.7), gap
    truth = Lines.none(d).with_lines(directions, np.array([1.0, 0.8]))
    truth = Lines(np.full(d, 0.3), truth.axes, truth.weights, truth.signs, truth.support)
    one = truth.select(np.array([False, True]))
    one = Lines(one.linear, one.axes, one.weights * 1.8 / 0.8, one.signs, one.support)
    return X, value(truth, X), truth, one


@pytest.mark.parametrize("gap", [0.02, 0.2])
def test_the_wedge_test_sees_two_lines_and_the_repair_finds_them(backend, gap):
    X, y, _, one = close_pair(gap)
    inputs, target = Inputs.of(backend.put(X), np.float64), backend.put(y)
    one, r, _ = levenberg(inputs, target, one, 6, 1e-3)
    assert size(r) > 1e-4
    found = splits(inputs, backend.put(X.astype(np.float32)), one, r, widths(size(r)))
    assert found
    done = False
    for split in found:
        model, left, done = repair(inputs, one, r, split)
        if done:
            break
    assert done
    model, left, _ = levenberg(inputs, target, model, 30, 1e-6, stop=1e-6)
    assert size(left) < 1e-12
    assert model.n_lines == 2


def test_the_sums_of_the_wedge_test_are_those_of_its_definition():
    X, y, _, one = close_pair(0.1, n=400)
    r = y - value(one, X)
    from recovery.networks.exact.wedges import REACH, _sums

    unit, tau = one.units[0], 0.1
    along, own = _sums(X, one.units, r, [tau])
    near = np.abs(X @ unit) < REACH * tau
    for side, sign in enumerate((1, -1)):
        for i in range(5):
            v = unit + sign * tau * np.eye(5)[i]
            crossed = near & (np.sign(X @ v) != np.sign(X @ unit))
            phi = np.where(crossed, 2 * np.abs(X @ v), 0.0)
            assert along[0, 0, side, i] == pytest.approx(phi @ r, abs=1e-12)
            assert own[0, 0, side, i] == pytest.approx(phi @ phi, abs=1e-12)


def test_two_lines_in_place_of_one_are_merged(backend):
    X, model = three_lines()
    inputs = Inputs.of(backend.put(X), np.float64)
    noise = 1e-3 * np.random.default_rng(0).standard_normal(len(X))
    y = backend.put(value(model, X) + noise)
    half = model.select(np.array([0, 1, 2, 1]))
    half = half.copy()
    half.weights[1] *= 0.6
    half.weights[3] *= 0.4
    half.weights[3, 1] += 0.004
    half, r, _ = levenberg(inputs, y, half, 2, 1e-3)
    found, left, gone = merges(inputs, half, r, size(r))
    assert gone == 1
    assert found.n_lines == 3
    assert size(left) < 1.1 * np.sqrt((noise**2).mean())
    exact = backend.put(value(model, X))
    found, left, gone = reduced_near(inputs, exact, half, exact - predict(inputs, half), Rule(0.05, 1e-20, 25, 1e-7))
    assert gone == 3
    assert found.n_lines == 3


def test_the_search_finds_lines(backend):
    X, model = three_lines(n=2000)
    y = value(model, X)
    seen = []
    found = search(
        backend.put(X.astype(np.float32)),
        backend.put(y.astype(np.float32)),
        np.where(np.arange(12) % 2, 1.0, -1.0),
        1500,
        np.random.default_rng(0),
        lambda deviation, t: seen.append((deviation, t)),
    )
    assert [t for _, t in seen] == [500, 1000, 1500]
    assert seen[-1][0] < 0.2 * y.std()
    assert (np.abs(found.units @ model.units.T).max(axis=0) > 0.97).all()
    stopped = search(
        X.astype(np.float32), y.astype(np.float32), np.ones(4), 10**9, np.random.default_rng(0), lambda *_: True
    )
    assert stopped.linear.shape == (6,)


@pytest.mark.parametrize("signs", ["positive", "mixed"])
@pytest.mark.parametrize("seed", range(8))
def test_orientations_are_read_off_the_linear_part(signs, seed):
    network = planted.sparse_network(12, 9, 26, signs=signs, rng=seed)
    model = model_of(network)
    found = oriented(model, np.full(12, 1e-12), np.random.default_rng(0))
    count, weights = found.size
    assert count <= 9
    assert weights <= 26
    if signs == "positive":
        assert (found.signs == 1).all()
    again = planted.ReLUNetwork([found.weights.T, found.signs])
    assert planted.match_networks(again, network, atol=1e-13).exact


def test_axes_need_no_neuron_one_or_two():
    d = 4
    line = np.array([[0.0, 0.0, 0.8, 0.6]])
    model = Lines.none(d).with_lines(line, np.array([1.0]))
    linear = line[0] + np.array([0.5, 0.1, 0.0, 0.0])
    axes = np.array([-0.5, 0.7, 0.0, 0.0])
    found = oriented(
        Lines(linear, axes, model.weights, model.signs, model.support), np.full(d, 1e-12), np.random.default_rng(0)
    )
    # -.5 |x| + .5 x = -relu(-x); .7 |x| + .1 x = .8 relu(x) + .6 relu(-x)
    assert found.size == (4, 5)
    np.testing.assert_allclose(found.signs, [1, -1, 1, 1])
    expected = [[0, 0, 1.6, 1.2], [-1.0, 0, 0, 0], [0, 0.8, 0, 0], [0, -0.6, 0, 0]]
    np.testing.assert_allclose(found.weights, expected, atol=1e-15)


def test_a_network_is_polished(backend):
    X, y, network, model = planted_model()
    exact = oriented(model, np.full(8, 1e-12), np.random.default_rng(0))
    rough = Neurons(exact.weights * (1 + 1e-6), exact.signs)
    inputs = Inputs.of(backend.put(X), np.float64)
    assert size(backend.put(y) - outputs(inputs, rough)) > 1e-8
    better, r = polished(inputs, backend.put(y), rough)
    assert size(r) < 1e-14 * np.sqrt((y**2).mean()) * 8
    assert better.size == exact.size
    found = planted.ReLUNetwork([better.weights.T, better.signs])
    assert planted.match_networks(found, network, atol=1e-12).exact


def test_groups_of_parallel_lines_collapse_to_the_same_function():
    d = 6
    one, other, axis = np.array([1.0, 2, 0, 0, 0, 0]), np.array([0, 0, 3.0, -1, 0, 0]), np.eye(d)[5]
    directions = np.stack([0.5 * one, axis, -2 * other, one, 0.25 * other, -1.5 * one, 2 * axis])
    support = directions != 0
    support[[1, 6], 4] = True  # a zero entry
    amplitudes = np.array([1.0, -1, 1, 1, -1, -1, 1])
    model = Lines.none(d).with_lines(directions, amplitudes, support)
    groups = [(np.array([5, 3, 0]), -1), (np.array([6, 1]), 5), (np.array([2, 4]), -1)]
    X = planted.gaussian_inputs(50, d, rng=0)
    for plan, left in (((1, 1, 1), 2), ((2, 1, 1), 3), ((1, 2, 1), 3), ((2, 2, 2), 5)):
        found = _collapsed(model, groups, np.array(plan))
        assert found.n_lines == left
        np.testing.assert_allclose(value(found, X), value(model, X), rtol=0, atol=1e-13)
    assert model.n_lines == 7


def test_neurons_that_are_always_open_are_one():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 5))
    X[:, :2], X[:, 2] = np.abs(X[:, :2]), -np.abs(X[:, 2])
    weights = np.array(
        [[1.0, 0, -2, 0, 0], [0, 3.0, 0, 0, 0], [-1, 0, 2, 0, 0], [0.5, 0, 0, 0, 0], [1, -1, 0, 0, 0], [1, 0, 0, 1, 0]]
    )
    network = Neurons(weights, np.array([1.0, 1, 1, -1, 1, 1]))
    found = joined(network, np.array([1.0, 1, -1, 0, 0]))
    np.testing.assert_array_equal(found.weights, [weights[4], weights[5], [1, 3, -2, 0, 0], weights[3]])
    np.testing.assert_array_equal(found.signs, [1, 1, 1, -1])
    inputs = Inputs.of(X, np.float64)
    np.testing.assert_allclose(outputs(inputs, found), outputs(inputs, network), atol=1e-14)
    assert joined(network, np.zeros(5)).size == network.size


# inputs that are not around 0


def half_normal(n=2500, d=12, seed=0):
    X = np.abs(np.random.default_rng(seed).standard_normal((n, d)))
    w = np.zeros((3, d))
    w[0, :3], w[1, 2:5], w[2, 6:8] = (1.0, -0.8, 0.4), (-0.5, 0.9, 0.7), (1.2, -0.3)
    return X, Lines.none(d).with_lines(w, np.array([1.0, -0.8, 1.0]))


def test_centres_are_means_and_deviations_and_none_where_means_are_small(backend):
    X, _ = half_normal()
    centre = Centre.of(backend.put(X))
    np.testing.assert_allclose(centre.mean, X.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(centre.deviation, X.std(axis=0), rtol=1e-12)
    shifted = backend.get(centre.shifted(backend.put(X)))
    np.testing.assert_allclose(shifted[:, :-1], (X - X.mean(axis=0)) / X.std(axis=0), atol=1e-12)
    assert (shifted[:, -1] == 1).all()
    assert Centre.of(backend.put(planted.gaussian_inputs(100, 12, rng=0))) is None
    constant = Centre.of(backend.put(np.concatenate([X, np.full((len(X), 1), 3.0), np.zeros((len(X), 1))], axis=1)))
    assert (constant.deviation > 0).all()


def test_the_search_finds_lines_where_inputs_are_not_centred():
    X, model = half_normal()
    single = X.astype(np.float32)
    y = predict(Inputs.of(X, np.float32), model)
    signs = np.where(np.arange(8) % 2, 1.0, -1.0)
    found = search(single, y, signs, 2000, np.random.default_rng(0), lambda *_: False, centre=Centre.of(X))
    assert (np.abs(found.units @ model.units.T).max(axis=0) > 0.98).all()
    left = y - predict(Inputs.of(X, np.float32), found)
    linear = y - single @ np.linalg.lstsq(single, y, rcond=None)[0]
    assert size(left) < 0.3 * size(linear)


def test_a_line_that_bends_in_few_rows_is_born(backend):
    # 1.5 per cent of the rows are on one side of it
    n, d = 4000, 10
    X = np.abs(np.random.default_rng(1).standard_normal((n, d)))
    w = np.zeros((1, d))
    w[0, :4] = 1.0, 0.6, -0.8, 0.7
    z = X @ w[0]
    assert 20 < (z < 0).sum() < 400
    r = np.abs(z)
    r = r - X @ np.linalg.lstsq(X, r, rcond=None)[0]
    X32 = backend.put(X.astype(np.float32))
    rng = np.random.default_rng(0)
    directions, amplitudes = births_away(X32, Centre.of(X32), Lines.none(d), backend.put(r), rng)
    assert (np.abs(directions @ w[0]) / np.sqrt(w[0] @ w[0])).max() > 0.95
    assert (amplitudes > 0).all()
    # lines that are there are not born again
    own = Lines.none(d).with_lines(w, np.ones(1))
    again, _ = births_away(X32, Centre.of(X32), own, backend.put(r), rng)
    assert (np.abs(again @ own.units[0]) < 0.98).all()
    assert births_away(X32, Centre.of(X32), own, backend.put(0 * r), rng)[0].shape == (0, d)


def test_entries_are_asked_for_where_inputs_are_not_centred():
    X, model = half_normal(n=4000)
    less = model.without(np.array([0, 1]), np.array([2, 4]))
    inputs = Inputs.of(X, np.float64)
    y = predict(inputs, model)
    less, r, _ = levenberg(inputs, y, less, 20, 1e-3)
    line, coordinate, _ = additions(inputs, less, r)
    assert {(0, 2), (1, 4)} <= set(zip(line.tolist(), coordinate.tolist(), strict=True))


def inseparable(n=2000, d=5, tiny=2e-5):
    """Return inputs and a line so close to axis 0 that no sample is between them, and one further off."""
    X = planted.gaussian_inputs(n, d, rng=4)
    w = np.zeros((2, d))
    w[0, :2], w[1, 2:4] = (0.3, -tiny), (0.7, 0.6)
    model = Lines.none(d).with_lines(w, np.array([1.0, -1.0]))
    assert (np.sign(X @ w[0]) == np.sign(X[:, 0])).all()
    return X, model


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_bend_that_no_sample_separates_from_a_line_is_part_of_it(backend, side):
    X, model = inseparable()
    if side < 0:
        X = X.copy()
        X[:, 0] *= -1
        model = Lines(model.linear, model.axes, -model.weights, model.signs, model.support)
        model.weights[0, 1] *= -1
        model.weights[0, 0] *= -1
    inputs = Inputs.of(backend.put(X), np.float64)
    split = model.copy()
    split.weights[0, 0] += np.sign(split.weights[0, 0]) * 0.2
    split.axes[0] = -0.2
    same = predict(inputs, split)
    np.testing.assert_allclose(backend.get(same), backend.get(predict(inputs, model)), atol=1e-15)
    joined_on = unbent(inputs, split)
    assert not joined_on.axes.any()
    np.testing.assert_allclose(joined_on.weights, model.weights, atol=1e-15)
    found, r = finish(Data(backend.put(X), same), split)
    assert not found.axes.any()
    assert found.n_lines == 2
    assert size(r) < 1e-15
    # a bend that a sample separates from the line stays
    apart = model.copy()
    apart.axes[1] = 0.5
    assert unbent(inputs, apart).axes[1] == 0.5
    # and one that would turn the line past a sample does, too
    turned = model.copy()
    turned.axes[0] = -0.3 + 1e-9
    assert unbent(inputs, turned).axes[0] == turned.axes[0]


def test_bends_that_are_part_of_a_line_are_no_unknowns_unless_inputs_are_signs():
    X, model = inseparable()
    inputs = Inputs.of(X, np.float64)
    assert told_apart(inputs, model).bent.tolist() == [1, 2, 3, 4]
    bent = model.copy()
    bent.axes[0] = 0.1
    assert told_apart(inputs, bent).bent.tolist() == [0, 1, 2, 3, 4]
    signs = Inputs.of(np.random.default_rng(0).choice([-1.0, 1.0], (400, 4)), np.float64)
    line = Lines.none(4).with_lines(np.array([[1.0, 0.5, 0.0, 0.0]]), np.ones(1))
    assert told_apart(signs, line) is signs
