"""``fit_exact`` with noise: a network within m and s, close to the oracle, with a status that says so."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

import planted
from planted.base import arrays
from recovery import Status
from recovery.networks.exact import fit_exact
from recovery.networks.exact.annealed import _cost, anneal, annealed
from recovery.networks.exact.births import Quadratic
from recovery.networks.exact.budget import Budget
from recovery.networks.exact.exchange import Exchange, scored
from recovery.networks.exact.model import Inputs, Lines
from recovery.networks.exact.network import Network, at, columns, covariance, gram, on_half_axes, polish, predict
from recovery.networks.exact.noise import HIDDEN, Quiet, _spread_out, one_side, quadratic_share
from recovery.networks.exact.sizes import check_sizes
from recovery.networks.gain import noise_like

EPS = float(np.finfo(float).eps)


def problem(n=4000, d=12, m=4, s=14, signs="mixed", db=20.0, seed=0):
    X = planted.gaussian_inputs(n, d, rng=100 + seed)
    truth = planted.sparse_network(d, m, s, signs=signs, rng=seed)
    clean = truth(X)
    deviation = clean.std() * 10 ** (-db / 20)
    return X, clean + deviation * np.random.default_rng(seed).standard_normal(n), truth, deviation


def fit(X, y, m=4, s=14, **options):
    found = fit_exact(X, y, n_neurons=m, sparsity=s, **{"search_steps": 1500, "rng": 0, **options})
    assert {len(column) for column in found.history.values()} == {found.n_iter}
    assert m == "auto" or found.network.n_neurons <= m
    assert s == "auto" or found.network.sparsity <= s
    return found


def oracle(X, y, truth):
    """Return the least-squares fit on the planted support and gates."""
    neuron, coordinate = np.nonzero(truth.hidden.T)

    def features(A):
        return ((A @ truth.hidden > 0) * truth.output)[:, neuron] * A[:, coordinate]

    found = np.linalg.lstsq(features(X), y, rcond=None)[0]
    return lambda A: features(A) @ found


def ratio(found, X, y, truth):
    """Return the error of a fit over the oracle's, on fresh inputs."""
    fresh = np.random.default_rng(9).standard_normal((5000, X.shape[1]))
    target = truth(fresh)
    errors = [np.sqrt(((f(fresh) - target) ** 2).mean()) for f in (found.network, oracle(X, y, truth))]
    return errors[0] / errors[1]


# whole fits


@pytest.mark.parametrize(
    ("backend", "signs", "db"),
    [*product(["numpy"], ["positive", "mixed"], [20.0, 40.0]), ("standin", "mixed", 20.0)],
    indirect=["backend"],
)
def test_the_error_is_the_oracles(backend, signs, db):
    X, y, truth, deviation = problem(signs=signs, db=db)
    found = fit(backend.put(X), backend.put(y))
    assert found.status is Status.NO_GAIN
    assert found.success
    assert "like noise" in found.message
    hidden, output = backend.get(found.network.hidden), backend.get(found.network.output)
    network = planted.ReLUNetwork([hidden, output])
    match = planted.match_networks(network, truth)
    assert match.support_precision == 1
    assert match.support_recall >= 0.9
    residual = y - network(X)
    # 14 weights take 14 degrees of freedom, and the deviation of n normal numbers has a spread of 1 / sqrt(2 n)
    assert abs(residual.std() / deviation - 1) < 14 / len(y) + 5 / math.sqrt(2 * len(y))
    assert found.relative_residual == pytest.approx(np.sqrt((residual**2).mean() / (y**2).mean()), rel=1e-9)
    if signs == "positive":
        assert (output == 1).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_supports_are_those_of_the_planted_network(seed):
    X, y, truth, _ = problem(seed=seed, db=30.0)
    found = fit(X, y)
    match = planted.match_networks(found.network, truth)
    assert match.support_precision == 1
    assert match.support_recall >= 0.92  # one weight of 14 may be too small to see
    assert ratio(found, X, y, truth) < 1.4  # the oracle's error is sqrt(14) weights' worth, one more is 4 %


def test_all_negative_networks():
    X, y, truth, _ = problem(signs="positive")
    found, other = fit(X, -y), fit(X, y)
    assert (arrays.to_numpy(found.network.output) == -1).all()
    assert found.status is Status.NO_GAIN
    match = planted.match_networks(found.network, planted.ReLUNetwork([truth.hidden, -truth.output]))
    assert match.support_precision == 1
    assert abs(found.relative_residual - other.relative_residual) < 1e-3


@pytest.mark.parametrize("signs", ["positive", "mixed"])
@pytest.mark.parametrize("seed", range(6))
def test_noise_is_never_called_exact(signs, seed):
    rng = np.random.default_rng(seed)
    n, d, m = int(rng.integers(30, 1200)), int(rng.integers(2, 9)), int(rng.integers(2, 5))
    s = int(rng.integers(1, d * m + 1))
    X, y, *_ = problem(n, d, m, s, signs, db=float(rng.uniform(0, 80)), seed=seed)
    found = fit(X, y, m, s, search_steps=300, restarts=0, max_rounds=15)
    assert found.status is not Status.EXACT
    assert found.relative_residual > 1e-6
    form = found.network.kink_form()
    np.testing.assert_array_equal(found.kink_form.strengths, form.strengths)


@pytest.mark.parametrize(
    ("backend", "seed"), [*(("numpy", seed) for seed in range(3)), ("standin", 0)], indirect=["backend"]
)
def test_noise_alone_gives_a_tiny_network(backend, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((2000, 8)), rng.standard_normal(2000)
    found = fit(backend.put(X), backend.put(y), 4, 16, restarts=0)
    assert found.status is Status.NO_GAIN
    # of 16 half axes and some 10^4 pairs and angles hardly one comes to a t that a weight costs
    assert found.network.sparsity <= 3
    assert found.relative_residual > 0.98


@pytest.mark.parametrize(("a", "b"), [(40, 0), (0, -70), (-300, 500)])
def test_powers_of_two_change_nothing(a, b):
    X, y, *_ = problem(n=1500)
    plain, moved = fit(X, y), fit(np.ldexp(X, a), np.ldexp(y, b))
    np.testing.assert_array_equal(np.ldexp(moved.network.hidden, a - b), plain.network.hidden)
    assert (moved.status, moved.relative_residual, moved.n_iter) == (
        plain.status,
        plain.relative_residual,
        plain.n_iter,
    )


def test_the_same_seed_gives_the_same_bits():
    X, y, *_ = problem(n=1500)
    assert fit(X, y, rng=3) == fit(np.asfortranarray(X), y, rng=3)


@pytest.mark.parametrize(("m", "s"), [(4, 6), (2, 14), (1, 1)])
def test_sizes_too_small_hold_and_are_no_success(m, s):
    X, y, *_ = problem(db=30.0)
    found = fit(X, y, m, s)
    assert found.status is Status.AT_REST
    assert not found.success
    assert "the tests would keep" in found.message


def test_the_best_weights_stay_when_sizes_are_too_small():
    X, y, truth, _ = problem(db=40.0, signs="positive")
    found = fit(X, y, 4, 10)
    # dropping four of the weights costs no more than dropping the four smallest of the planted ones
    hidden = truth.hidden.copy()
    order = np.argsort(np.abs(hidden[hidden != 0]))
    neuron, coordinate = (place[order[:4]] for place in np.nonzero(hidden))
    hidden[neuron, coordinate] = 0.0
    less = planted.ReLUNetwork([hidden, truth.output])
    best = oracle(X, y, less)(X)
    assert ((y - found.network(X)) ** 2).sum() <= 1.2 * ((y - best) ** 2).sum()


@pytest.mark.parametrize("sizes", [("auto", "auto"), (4, "auto"), ("auto", 14)])
@pytest.mark.parametrize("db", [30.0, math.inf])
def test_sizes_left_open_are_those_of_the_planted_network(sizes, db):
    X, y, truth, _ = problem(db=db, n=3000)
    found = fit(X, y, *sizes)
    assert found.status is (Status.EXACT if math.isinf(db) else Status.NO_GAIN)
    match = planted.match_networks(found.network, truth, atol=1e-10)
    assert match.support_precision == 1
    if math.isinf(db):
        assert match.exact
        assert (found.network.n_neurons, found.network.sparsity) == (truth.n_neurons, truth.sparsity)
    else:
        assert truth.sparsity - 1 <= found.network.sparsity <= truth.sparsity


@pytest.mark.parametrize(
    ("sizes", "error", "words"),
    [
        (("auto", -1), ValueError, "sparsity=-1"),
        ((0, "auto"), ValueError, "n_neurons=0"),
        (("many", 3), TypeError, "n_neurons='many'"),
        ((3, "all"), TypeError, "sparsity='all'"),
        ((3, 61), ValueError, "sparsity=61.*60"),
    ],
)
def test_sizes_that_are_none_are_refused(sizes, error, words):
    with pytest.raises(error, match=words):
        check_sizes(*sizes, 20)


def test_searches_are_made_again_when_the_guess_was_far_off():
    sizes = check_sizes("auto", "auto", 10)
    assert sizes.most[0] == sizes.most[1] > 10**9
    model = Lines.none(10).with_lines(np.ones((30, 10)), np.ones(30))
    other = sizes.again(model)
    assert (other.neurons, other.weights) == (80, 300)
    assert check_sizes(60, 300, 10).again(model) is None
    assert check_sizes("auto", 0, 10).most == (0, 0)


def test_limits_end_the_fit():
    X, y, *_ = problem()
    states = []
    found = fit(X, y, callback=states.append)
    rounds = [k for k, state in enumerate(states) if state.n_iter == found.n_iter]
    found = fit(X, y, callback=lambda state: state.n_iter == found.n_iter - 1)
    assert rounds
    assert found.status is Status.STOPPED
    assert found.network.n_neurons > 0


def test_heavy_tails_are_noise_too():
    X, y, truth, _ = problem(db=300.0, n=6000)
    y = y + 0.05 * y.std() * np.random.default_rng(1).standard_t(3, len(y))
    found = fit(X, y)
    assert found.status is Status.NO_GAIN
    assert planted.match_networks(found.network, truth).support_precision == 1


@pytest.mark.slow
@pytest.mark.parametrize("signs", ["positive", "mixed"])
@pytest.mark.parametrize(("db", "most"), [(10.0, 1.6), (20.0, 1.2), (40.0, 1.15)])
def test_the_smallest_cell_of_the_paper(signs, db, most):
    X = planted.gaussian_inputs(10_000, 50, rng=1000)
    truth = planted.sparse_network(50, 10, 50, signs=signs, rng=0)
    clean = truth(X)
    y = clean + clean.std() * 10 ** (-db / 20) * np.random.default_rng(0).standard_normal(len(clean))
    found = fit(X, y, 10, 50, search_steps=4000)
    assert found.status is Status.NO_GAIN
    assert planted.match_networks(found.network, truth).support_precision >= 0.95
    assert ratio(found, X, y, truth) <= most


# parts


def some_network(d=6):
    weights = np.zeros((4, d))
    weights[0, :2], weights[1, 1:4], weights[2, 4:], weights[3, 0] = (1.0, -0.5), (0.7, 0.9, 0.4), (0.3, 0.8), -1.2
    return Network.of(weights, np.array([1.0, -1.0, 1.0, -1.0]))


def value(network, X):
    return np.maximum(X @ network.weights.T, 0) @ network.signs


def test_values_columns_and_gram(backend):
    X = planted.gaussian_inputs(1000, 6, rng=0)
    network, inputs = some_network(), Inputs.of(backend.put(X), np.float64)
    out = value(network, X)
    np.testing.assert_allclose(backend.get(predict(inputs, network)), out, atol=64 * EPS * np.abs(out).max())
    neuron, coordinate = network.places()
    F = ((X @ network.weights.T > 0) * network.signs)[:, neuron].T * X.T[coordinate]
    parts = [backend.get(part) for _, _, part in columns(inputs, network)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), F)
    np.testing.assert_allclose(F.T @ network.weights[neuron, coordinate], out, atol=64 * EPS * np.abs(out).max())
    H, g = gram(inputs, network, backend.put(out))
    np.testing.assert_allclose(H, F @ F.T, atol=1000 * EPS * 1000)
    np.testing.assert_allclose(g, F @ out, atol=1000 * EPS * 1000 * np.abs(out).max())


def test_half_axes_are_joined():
    weights = np.array([[2.0, 0], [0.5, 0], [-1, 0], [0, 3], [1, 1], [0, 0]])
    network = Network(weights, np.array([1.0, -1, 1, 1, 1, 1]), weights != 0)
    joined = network.tidy()
    X = np.random.default_rng(0).standard_normal((50, 2))
    np.testing.assert_allclose(value(joined, X), value(network, X), atol=8 * EPS * 10)
    assert joined.n_neurons == 4
    assert joined.n_weights == 5
    # amounts that cancel leave nothing
    assert (
        Network(np.array([[1.0, 0], [1.0, 0]]), np.array([1.0, -1.0]), np.eye(2, dtype=bool)[[0, 0]]).tidy().n_neurons
        == 0
    )
    assert on_half_axes(np.array([0.0, -2.0, 0.0, 0.0])).weights.tolist() == [[-2.0, 0.0]]


def test_steps_reach_the_planted_weights(backend):
    X = planted.gaussian_inputs(2000, 6, rng=1)
    network, inputs = some_network(), Inputs.of(backend.put(X), np.float64)
    y = backend.put(value(network, X))
    start = network.moved(0.05 * np.random.default_rng(0).standard_normal(network.n_weights))
    found = polish(inputs, y, start, 20, 1e-4, 0.0)
    np.testing.assert_allclose(found.network.weights, network.weights, atol=1e-13)
    assert at(inputs, y, found.network).square == found.square
    assert polish(inputs, y, Network.of(np.zeros((0, 6)), np.zeros(0)), 3).square == pytest.approx(float((y * y).sum()))


def test_the_covariance_is_that_of_the_weights():
    """200 fits of the same network with other noise: deviations are known to 1 / sqrt(400)."""
    X = planted.gaussian_inputs(500, 6, rng=1)
    network, inputs = some_network(), Inputs.of(X, np.float64)
    rng, found = np.random.default_rng(0), []
    for _ in range(200):
        y = value(network, X) + 0.01 * rng.standard_normal(500)
        found.append(polish(inputs, y, network, 3, 1e-9).network.weights[network.places()])
    expected = 0.01 * np.sqrt(np.diag(covariance(inputs, network, np.zeros(500)).inverse))
    assert np.abs(np.std(found, axis=0) / expected - 1).max() < 5 / math.sqrt(400)


def test_exchanges_are_scored_as_they_turn_out(backend):
    X = planted.gaussian_inputs(3000, 6, rng=2)
    truth, inputs = some_network(), Inputs.of(backend.put(X), np.float64)
    y = value(truth, X) + 0.1 * np.random.default_rng(0).standard_normal(3000)
    # neuron 2 as two close ones
    extra = Network.of(np.array([[0, 0, 0, 0, 0.12, 0.45], [0, 0, 0, 0, 0.18, 0.35]]), np.ones(2))
    network = truth.select(np.array([0, 1, 3])).joined(extra)
    now = polish(inputs, backend.put(y), network, 5)
    merge = Exchange((3, 4), Network.of(now.network.weights[3:].sum(axis=0)[None], np.ones(1)))
    turn = Exchange((0,), Network.of(-now.network.weights[:1], np.ones(1)))
    removal = Exchange((2,), truth.select(np.zeros(0, dtype=int)))
    exchanges = [merge, turn, removal]
    assert [one.weights(now.network) for one in exchanges] == [-2, 0, -1]
    predicted = scored(inputs, now, exchanges)
    for one, (square, after) in zip(exchanges, predicted, strict=True):
        made = at(inputs, backend.put(y), one.made(now.network))
        reached = polish(inputs, backend.put(y), after, 10)
        # a damped linear step comes between the start and the end
        assert 0.99 * reached.square <= square <= made.square
    # the merge costs no more than two weights' worth of noise; turn and removal cost much
    assert predicted[0][0] < now.square * (1 + 20 / 3000)
    assert min(predicted[1][0], predicted[2][0]) > 1.5 * now.square


def plain_cost(model, e, tau, one_sign):
    total = 0.0
    for a, left, variance in zip(model.axes, e, tau, strict=True):
        options = [(a * a + left * left) / variance, 16 + (abs(a) - abs(left)) ** 2 / variance, 32.0]
        if one_sign:
            if a < 0:
                options[1] = 16 + options[0]
            options[2] += min(a + left, a - left, 0.0) ** 2 / variance
        total += min(options)
    return total


@pytest.mark.parametrize("one_sign", [False, True])
def test_annealing_finds_the_smallest_cost(one_sign):
    rng = np.random.default_rng(3)
    network = planted.sparse_network(8, 6, 16, signs="positive" if one_sign else "mixed", rng=3)
    hidden, output = network.hidden, network.output
    many = (hidden != 0).sum(axis=0) > 1
    axes = (np.abs(hidden[:, ~many]) * output[~many]).sum(axis=1) / 2
    lines = hidden[:, many].T / 2
    linear = hidden @ output / 2 + 0.01 * rng.standard_normal(8)
    model = Lines(linear, axes, lines, output[many], lines != 0)
    tau = np.full(8, 2e-4)
    share = model.signs[:, None] * model.weights
    choices = 1.0 - 2.0 * ((np.arange(2**model.n_lines)[:, None] >> np.arange(model.n_lines)) & 1)
    costs = [plain_cost(model, linear - choice @ share, tau, one_sign) for choice in choices]
    found = anneal(model, tau, one_sign, np.random.default_rng(0))
    assert plain_cost(model, linear - found @ share, tau, one_sign) == pytest.approx(min(costs))
    np.testing.assert_allclose(
        [_cost(axes, linear - choice @ share, tau, one_sign, False).sum() for choice in choices], costs
    )
    # the network is the planted one, to the noise
    X = rng.standard_normal((1000, 8))
    made = annealed(model, tau, one_sign, np.random.default_rng(0))
    assert np.abs(value(made, X) - network(X)).max() < 0.5
    assert made.n_neurons <= network.n_neurons


def budget(X, y, **options):
    inputs = Inputs.of(X, np.float64)
    quadratic = Quadratic(Inputs.of(X, np.float32))
    return Budget(inputs, y, quadratic, False, np.random.default_rng(0), lambda *_: False, lambda: False, **options)


def test_the_budget_loop_comes_home():
    """From a network with a surplus neuron, a split one, a missing and a surplus weight."""
    X = planted.gaussian_inputs(4000, 6, rng=2)
    truth = some_network()
    y = value(truth, X) + 0.05 * np.random.default_rng(0).standard_normal(4000)
    weights = truth.weights.copy()
    weights[1, 2], weights[0, 5] = 0.0, 0.02
    start = Network.of(weights, truth.signs)
    split = Network.of(np.array([[0, 0, 0, 0, 0.12, 0.45], [0, 0, 0.1, 0, 0, 0.0]]), np.array([1.0, 1.0]))
    search = budget(X, y)
    found, rested = search.improved(search.polish(start.joined(split), 5))
    assert rested
    assert found.network.n_neurons == 4
    order = np.lexsort(np.round(found.network.weights, 1).T)
    planted_order = np.lexsort(truth.weights.T)
    np.testing.assert_array_equal(found.network.support[order], truth.support[planted_order])
    cut = search.cut(found, 3, 5)
    assert (cut.network.n_neurons, cut.network.n_weights) <= (3, 5)
    assert search.cut(found, 1, 1).network.n_weights == 1


def test_a_price_is_where_the_odds_are_even():
    """Posterior odds of a weight of t^2 = price, by the densities themselves."""
    X = planted.gaussian_inputs(4000, 6, rng=2)
    y = value(some_network(), X) + 0.05 * np.random.default_rng(0).standard_normal(4000)
    search = budget(X, y)
    now = search.polish(some_network(), 3)
    search._measure(now)
    information = np.array([2000.0, 20.0])
    prices = search._prices(information)
    present = now.network.n_weights / 24
    T = (now.network.weights**2).sum() / now.network.n_weights * information / search.variance
    assert (T > 40).all()
    t2 = prices / (1 - 1 / (1 + T))  # the terms of order t^2 / T put back
    odds = present / (1 - present) * np.exp(0.5 * t2 * (1 - 1 / (1 + T))) / np.sqrt(1 + T)
    np.testing.assert_allclose(odds, 1.0, rtol=1e-12)


def test_a_residual_with_structure_is_not_quiet():
    X, _, truth, deviation = problem(n=5000, d=10)
    noise = deviation * np.random.default_rng(5).standard_normal(5000)
    X32 = X.astype(np.float32)
    none = Lines.none(10)
    assert Quiet(X32, 0.0).noise(none, noise.astype(np.float32))
    missing = np.maximum(X @ truth.hidden[:, 0], 0).astype(np.float32)
    assert not Quiet(X32, 0.0).noise(none, missing - missing.mean())
    assert quadratic_share(X32, noise.astype(np.float32)) < 0.02
    products = (X[:, 0] * X[:, 1]).astype(np.float32)
    assert 0.4 < quadratic_share(X32, products) < 1.2
    assert math.isinf(quadratic_share(X32[:60], noise[:60].astype(np.float32)))
    # in a few rows: what is left of two close lines taken for one
    wedge = np.where(np.abs(X[:, 0]) < 0.004, 1.0, 0.0).astype(np.float32) * noise.astype(np.float32)
    assert not Quiet(X32, 0.0).noise(none, wedge)


def test_rounds_go_on_while_they_gain():
    X32 = planted.gaussian_inputs(5000, 10, rng=0).astype(np.float32)
    noise = np.random.default_rng(1).standard_normal(5000).astype(np.float32)
    falling = Quiet(X32, 0.0)
    assert not any(falling(Lines.none(10), np.float32(0.9**k) * noise) for k in range(8))
    flat = Quiet(X32, 0.0)
    assert [flat(Lines.none(10), noise) for _ in range(4)] == [False, False, False, True]
    assert not any(rounding(Lines.none(10), noise) for rounding in [Quiet(X32, 2.0)] for _ in range(6))


def test_slack_lets_noise_pass_that_nothing_was_fitted_to():
    rng, passed = np.random.default_rng(0), np.zeros(2)
    for _ in range(40):
        X, r = rng.standard_normal((1000, 20)), rng.standard_normal(1000)
        passed += [noise_like(X, r, np.zeros((20, 0)), 0, slack) for slack in (0.0, 3.0)]
    assert 8 <= passed[0] <= 32  # half of the time
    assert passed[1] >= 38
    X = rng.standard_normal((1000, 20))
    assert not noise_like(X, X[:, 0] + rng.standard_normal(1000), np.zeros((20, 0)), 0, 3.0)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_sign_of_all_lines_is_seen_through_noise(side):
    X, y, *_ = problem(n=4000, d=30, m=6, s=20, signs="positive", db=10.0)
    quadratic = Quadratic(Inputs.of(X, np.float32))
    left = quadratic.project((side * y).astype(np.float32), 15)
    values = np.linalg.eigvalsh(quadratic.matrix)
    assert abs(values.sum()) < 0.97 * np.abs(values).sum()  # noise has eigenvalues of both signs
    assert one_side(quadratic, left) == side
    X, y, *_ = problem(n=4000, d=30, m=6, s=20, signs="mixed", db=10.0)
    quadratic = Quadratic(Inputs.of(X, np.float32))
    assert one_side(quadratic, quadratic.project(y.astype(np.float32), 15)) == 0


def away(kind, n, d, seed=0):
    """Draw inputs that are not around 0."""
    rng = np.random.default_rng(seed)
    if kind == "half-normal":
        return np.abs(rng.standard_normal((n, d)))
    if kind == "unit interval":
        return rng.uniform(0.0, 1.0, (n, d))
    if kind == "shifted":
        return rng.standard_normal((n, d)) + 2.0
    common = rng.exponential(1.0, (n, 1))  # like pixels: never negative, mostly small, correlated
    return (common + rng.exponential(1.0, (n, d))) * (rng.random((n, d)) < 0.5)


@pytest.mark.parametrize("kind", ["half-normal", "unit interval", "shifted", "pixels"])
def test_structure_is_no_noise_where_inputs_are_not_centred(backend, kind):
    n, d = 6000, 20
    X = away(kind, n, d).astype(np.float32)
    truth = planted.sparse_network(d, 8, 32, signs="mixed", rng=1)
    y = truth(X.astype(np.float64))
    rng = np.random.default_rng(2)
    # what the best linear fit leaves: of the network all that bends, of noise all
    structure, noise = (
        part - X @ np.linalg.lstsq(X, part, rcond=None)[0] for part in (y, rng.standard_normal(n).astype(np.float32))
    )
    none = Lines.none(d)
    structure, noise = (backend.put(part.astype(np.float32)) for part in (structure, noise))
    X = backend.put(X)
    assert not Quiet(X, 0.0).noise(none, structure)
    assert quadratic_share(X, structure) > HIDDEN
    assert Quiet(X, 0.0).noise(none, noise)
    assert abs(quadratic_share(X, noise)) < HIDDEN


def test_gates_tell_structure_where_inputs_are_not_centred():
    n, d = 4000, 10
    X = away("half-normal", n, d)
    w = np.zeros(d)
    w[:3] = 1.0, -1.0, 0.5
    bent = np.abs(X @ w)
    passed = np.zeros(2, dtype=int)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal(n)
        for k, r in enumerate((noise, 0.6 * bent + noise)):
            left = r - X @ np.linalg.lstsq(X, r, rcond=None)[0]
            passed[k] += noise_like(X, left, w[:, None], 0, 3.0)
    assert passed[0] == 20
    assert passed[1] == 0


def test_a_residual_in_a_few_rows_is_never_called_noise():
    # two lines that bend in about 1 per cent of the rows: the fit stops, and what is left depends on no tested column
    d, n = 20, 3000
    X = away("half-normal", n, d, 0)
    truth = planted.sparse_network(d, 6, 24, signs="mixed", rng=0)
    found = fit(X, truth(X), 6, 24, search_steps=500, restarts=0, max_rounds=6)
    assert found.status is not Status.NO_GAIN
    residual = np.random.default_rng(0).standard_normal(n)
    assert _spread_out(residual)
    assert _spread_out(np.random.default_rng(0).standard_t(3, n))
    assert not _spread_out(np.where(np.arange(n) < 25, 20.0, 0.1) * residual)
    assert found.status is not Status.EXACT or planted.match_networks(found.kink_form, truth, atol=1e-8).exact
