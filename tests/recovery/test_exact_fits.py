"""``fit_exact``: planted networks are recovered to the last digit, and the status tells how the fit ended."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import planted
from planted.base import arrays
from recovery import Status
from recovery.networks import FitState
from recovery.networks.exact import ExactFit, fit_exact, fitting

EPS = float(np.finfo(float).eps)


def problem(n=1500, d=10, m=4, s=12, signs="mixed", seed=0):
    X = planted.gaussian_inputs(n, d, rng=100 + seed)
    truth = planted.sparse_network(d, m, s, signs=signs, rng=seed)
    return X, truth(X), truth


def fit(X, y, m=4, s=12, **options):
    options = {"search_steps": 2000, "rng": 0, **options}
    found = fit_exact(X, y, n_neurons=m, sparsity=s, **options)
    assert {len(column) for column in found.history.values()} == {found.n_iter}
    assert found.network.n_neurons <= m
    assert found.network.sparsity <= s
    assert set(np.abs(arrays.to_numpy(found.network.output))) <= {1.0}
    return found


def assert_exact(found, truth, atol=1e-12):
    assert found.status is Status.EXACT
    assert found.success
    assert "exact to rounding" in found.message
    assert found.relative_residual < 1e-14
    assert planted.match_networks(found.network, truth, atol=atol).exact
    assert planted.match_networks(found.kink_form, truth, atol=atol).exact


@pytest.mark.parametrize("signs", ["positive", "mixed"])
@pytest.mark.parametrize(
    ("backend", "seed"), [*(("numpy", seed) for seed in range(3)), ("standin", 0)], indirect=["backend"]
)
def test_small_networks_are_exact(backend, signs, seed):
    X, y, truth = problem(signs=signs, seed=seed)
    found = fit(backend.put(X), backend.put(y))
    assert isinstance(backend.get(found.network.hidden), np.ndarray)
    assert isinstance(backend.get(found.kink_form.directions), np.ndarray)
    assert_exact(found, truth)
    if signs == "positive":
        assert (backend.get(found.network.output) == 1).all()


def test_all_negative_networks_are_exact():
    X, y, truth = problem(signs="positive")
    found = fit(X, -y)
    assert (found.network.output == -1).all()
    assert_exact(found, planted.ReLUNetwork([truth.hidden, -truth.output]))


@pytest.mark.parametrize(("backend", "signs"), [("numpy", "positive"), ("standin", "mixed")], indirect=["backend"])
def test_labels_in_float32_are_exact_to_their_rounding(backend, signs):
    X, y, truth = problem(signs=signs)
    found = fit(backend.put(X), backend.put(y.astype(np.float32)))
    assert found.status is Status.EXACT
    assert "the rounding of float32 labels" in found.message
    # evenly spread in half a unit of the last place: 2^-24 |y| / sqrt(3) at most
    assert 1e-9 < found.relative_residual < 2.0**-24
    assert planted.match_networks(found.network, truth, atol=1e-6).exact
    assert planted.match_networks(found.kink_form, truth, atol=1e-6).exact


def test_noise_of_the_size_of_float32_is_not_exact_for_float64_labels():
    X, y, _ = problem()
    noisy = y * (1 + 1e-7 * np.random.default_rng(0).standard_normal(len(y)))
    found = fit(X, noisy, restarts=0)
    assert found.status is Status.NO_GAIN
    assert found.relative_residual > 1e-8


def test_rounds_that_are_used_up_say_so():
    X, y, _ = problem(d=20, m=20, s=160)
    found = fit(X, y, 20, 160, max_rounds=1, restarts=0, search_steps=1)
    assert found.status is Status.STEP_LIMIT
    assert found.relative_residual > 1e-3
    assert found.n_iter == 2  # one of lines, one of networks


@pytest.mark.slow
@pytest.mark.parametrize(("m", "s", "signs"), [(20, 100, "positive"), (20, 100, "mixed"), (50, 200, "positive")])
def test_quick_cells_are_exact(m, s, signs):
    X, y, truth = problem(5000, 50, m, s, signs, seed=7)
    assert_exact(fit(X, y, m, s, search_steps=12_000), truth, atol=1e-11)


def test_the_same_seed_gives_the_same_bits():
    X, y, _ = problem()
    first, second = fit(X, y, rng=3), fit(np.asfortranarray(X), y, rng=3)
    assert first == second
    assert first.kink_form.directions.tobytes() == second.kink_form.directions.tobytes()


@pytest.mark.parametrize(("a", "b"), [(0, 40), (60, 0), (-300, 500), (400, -200)])
def test_powers_of_two_change_nothing(a, b):
    X, y, _ = problem()
    plain, moved = fit(X, y), fit(np.ldexp(X, a), np.ldexp(y, b))
    np.testing.assert_array_equal(np.ldexp(moved.network.hidden, a - b), plain.network.hidden)
    np.testing.assert_array_equal(moved.network.output, plain.network.output)
    assert (moved.status, moved.relative_residual) == (plain.status, plain.relative_residual)
    assert moved.n_iter == plain.n_iter


def test_inputs_of_different_units_and_blank_ones():
    X, y, truth = problem()
    units = np.array([-60, 3, 0, 100, 5, 0, -7, 0, 0, 1])
    wide = np.zeros((len(X), 13))
    wide[:, [0, 1, 2, 4, 5, 6, 8, 9, 10, 11]] = np.ldexp(X, units)
    found = fit(wide, y)
    hidden = np.zeros((13, truth.n_neurons))
    hidden[[0, 1, 2, 4, 5, 6, 8, 9, 10, 11]] = np.ldexp(truth.hidden, -units[:, None])
    assert found.success
    assert (found.network.hidden[[3, 7, 12]] == 0).all()
    # in units where the inputs are alike
    small = found.network.hidden[[0, 1, 2, 4, 5, 6, 8, 9, 10, 11]]
    assert planted.match_networks(
        planted.ReLUNetwork([np.ldexp(small, units[:, None]), found.network.output]), truth, atol=1e-12
    ).exact


def test_arguments_are_not_written_into():
    X, y, _ = problem()
    before = X.copy(), y.copy()
    fit(X, y)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


def test_a_form_that_does_not_fit_says_so():
    X, y, truth = problem()
    found = fit(X, y, m=truth.kink_form().n_lines - 1, s=12)
    assert found.status is Status.AT_REST
    assert "does not fit into n_neurons=" in found.message
    assert planted.match_networks(found.kink_form, truth, atol=1e-12).exact
    assert 1e-3 < found.relative_residual < 0.2
    found = fit(X, y, s=truth.sparsity - 1)
    assert found.status is Status.AT_REST
    assert f"sparsity={truth.sparsity - 1}" in found.message
    # one weight is missing, and the others are near where they were
    assert planted.match_networks(found.network, truth).support_precision == 1


def test_noise_is_not_called_exact():
    X, y, _ = problem(n=400)
    noisy = y + 0.1 * np.random.default_rng(0).standard_normal(len(y))
    found = fit(X, noisy, search_steps=500, restarts=0)
    assert found.status in (Status.NO_GAIN, Status.AT_REST)
    assert "exact" not in found.message.partition(";")[0] or "not exact" in found.message
    assert 0 < found.relative_residual < 1
    residual = noisy - found.network(X)
    assert found.relative_residual == pytest.approx(np.sqrt((residual**2).mean() / (noisy**2).mean()), rel=1e-6)


def test_more_parameters_than_samples_are_not_determined():
    X, y, _ = problem(n=15, d=10)
    found = fit(X, y, search_steps=500, restarts=0)
    assert not found.success
    assert "do not determine" in found.message


def test_inputs_that_never_change_sign_leave_it_open():
    # with x_i >= 0 a bend on an axis is no bend: the linear part takes it
    X, y, truth = problem(d=6, m=3, s=8, n=3000)
    X = np.abs(X)
    y = truth(X)
    found = fit(X, y, m=6, s=36)
    assert found.relative_residual < 1e-12
    assert np.abs(found.kink_form(X) - y).max() < 1e-12 * np.abs(y).max()


def test_linear_functions_have_no_lines():
    X = planted.gaussian_inputs(500, 5, rng=0)
    w = np.array([1.0, -2.0, 0.0, 0.5, 0.0])
    found = fit(X, X @ w, m=6, s=6, search_steps=500)
    assert found.kink_form.n_lines == 0
    np.testing.assert_allclose(found.kink_form.linear, w, atol=1e-14)
    assert found.network.n_neurons == 6
    np.testing.assert_allclose(found.network(X), X @ w, atol=1e-13)


def test_limits_end_the_fit():
    X, y, _ = problem()
    found = fit(X, y, time_limit=0)
    assert found.status is Status.TIME_LIMIT
    assert found.n_iter == 0
    assert found.message.startswith(Status.TIME_LIMIT.value)
    states = []
    found = fit(X, y, search_steps=1500, callback=lambda state: bool(states.append(state)) or len(states) == 2)
    assert found.status is Status.STOPPED
    assert len(states) == 2
    assert all(isinstance(state, FitState) for state in states)
    assert found.relative_residual < 1


def test_the_callback_sees_the_rounds():
    X, y, _ = problem()
    states = []
    found = fit(X, y, callback=states.append)
    assert [state.n_iter for state in states[:4]] == [0, 0, 0, 0]  # 2,000 steps of the search
    assert [state.n_iter for state in states[4:]] == list(range(1, found.n_iter + 1))
    assert found.history["psnr_db"] == [state.psnr_db for state in states[4:]]
    assert states[-1].psnr_db > 280
    last = 0.5 * len(y) * (found.relative_residual**2) * (y**2).mean()
    assert found.history["objective"][-1] < 100 * last + 1e-25


def test_nothing_to_find():
    X, y, _ = problem(n=50)
    found = fit(X, y, s=0)
    assert found.status is Status.ZERO_SPARSITY
    assert found.network.n_neurons == 0
    assert found.relative_residual == 1
    found = fit(X, np.zeros(50))
    assert found.status is Status.ZERO_DATA
    assert found.relative_residual == 0
    assert found.kink_form.n_lines == 0


def test_float32_arrays_are_taken_as_the_numbers_they_are():
    X, _, truth = problem()
    X = X.astype(np.float32)
    found = fit(X, truth(X.astype(float)))
    assert_exact(found, truth)
    assert found.network.dtype == np.float64


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": None}, TypeError, "X=None is not an array"),
        ({"X": np.full((60, 3), np.nan)}, ValueError, "X has 180 element.* NaN or infinite"),
        ({"y": np.zeros((60, 2, 1))}, ValueError, r"y has shape \(60, 2, 1\); expected 1 or 2 dim"),
        ({"y": np.zeros(7)}, ValueError, "X has 60 rows and y has 7"),
        ({"n_neurons": 0}, ValueError, "n_neurons=0.*1"),
        ({"sparsity": 7}, ValueError, "sparsity=7.*6"),
        ({"sparsity": -1}, ValueError, "sparsity=-1.*0"),
        ({"search_steps": 0}, ValueError, "search_steps=0.*1"),
        ({"restarts": -1}, ValueError, "restarts=-1.*0"),
        ({"max_rounds": 0}, ValueError, "max_rounds=0.*1"),
        ({"time_limit": -1.0}, ValueError, "time_limit=-1.*0"),
        ({"rng": "x"}, TypeError, "rng='x'"),
        ({"callback": 3}, TypeError, "callback=3 cannot be called"),
    ],
)
def test_bad_arguments_are_refused(change, error, words):
    arguments = {"X": np.ones((60, 3)), "y": np.ones(60), "n_neurons": 2, "sparsity": 2, **change}
    with pytest.raises(error, match=words):
        fit_exact(arguments.pop("X"), arguments.pop("y"), **arguments)


def test_fits_are_values():
    X, y, _ = problem()
    found = fit(X, y)
    assert repr(found).startswith("ExactFit(EXACT, ")
    assert len(repr(found)) < 120
    assert found.supports == found.kink_form.supports
    assert pickle.loads(pickle.dumps(found)) == found
    assert copy.deepcopy(found) == found
    assert fit(X, 2 * y) != found
    assert isinstance(found, ExactFit)


def test_a_limit_holds_within_a_round(monkeypatch):
    # a round takes many blocks, and the limit is looked at before each of them
    X, y, _ = problem(n=12_000, d=20, m=6, s=30)
    now = [0.0]
    monkeypatch.setattr("recovery.solvers.base.time.perf_counter", lambda: now[0])
    blocks = []

    def watch(self, numbers, original=fitting._Progress.watch):
        if self.watching:
            now[0] += 1.0  # one second a block
        blocks.append((self.n_iter, self.stop, self.watching))
        original(self, numbers)

    monkeypatch.setattr(fitting._Progress, "watch", watch)
    whole = fit(X, y, m=6, s=30, search_steps=1500)
    assert whole.success
    inside = [row for row in blocks if row[2]]
    assert len(inside) > 10 * whole.n_iter
    limit = len(inside) // 3
    blocks.clear()
    now[0] = 0.0
    found = fit(X, y, m=6, s=30, search_steps=1500, time_limit=limit)
    assert found.status is Status.TIME_LIMIT
    inside = [row for row in blocks if row[2]]
    assert len(inside) == limit + 1  # not one block is begun after the limit within the rounds
    assert 0 < found.relative_residual < 0.5
    residual = y - (found.kink_form if found.network is None else found.network)(X)
    assert found.relative_residual == pytest.approx(np.sqrt((residual**2).mean() / (y**2).mean()), rel=1e-6)


def test_a_callback_is_asked_within_a_round(monkeypatch):
    X, y, _ = problem()
    monkeypatch.setattr(fitting, "PATROL", 100_000)
    states = []
    whole = fit(X, y, callback=states.append)
    assert whole.success
    within = [k for k in range(1, len(states)) if states[k].n_iter == states[k - 1].n_iter > 0]
    assert within  # the numbers of the last round, again
    assert states[within[0]] == states[within[0] - 1]
    seen = []
    found = fit(X, y, callback=lambda state: bool(seen.append(state)) or len(seen) == within[0] + 1)
    assert found.status is Status.STOPPED
    assert seen == states[: within[0] + 1]
    assert found.n_iter == seen[-1].n_iter


@pytest.mark.parametrize(("backend", "signs"), [("numpy", "positive"), ("standin", "mixed")], indirect=["backend"])
def test_a_fit_that_was_ended_can_be_continued(backend, signs):
    X, y, truth = problem(signs=signs)
    X, y = backend.put(X), backend.put(y)
    whole = fit(X, y)
    first = fit(X, y, restarts=0, callback=lambda state: state.n_iter == 1)
    assert first.status is Status.STOPPED
    assert first.relative_residual > 1e-6
    calls = []
    second = fit(X, y, start=first, callback=calls.append)
    assert_exact(second, truth)
    assert calls[0].n_iter == 1  # no search
    assert second.n_iter < whole.n_iter + first.n_iter + 5
    np.testing.assert_allclose(
        np.sort(np.abs(backend.get(second.network.hidden)).ravel()),
        np.sort(np.abs(backend.get(whole.network.hidden)).ravel()),
        atol=1e-12,
    )


@pytest.mark.parametrize("kind", ["network", "form", "rough"])
def test_a_fit_begins_where_it_is_told_to(kind):
    X, y, truth = problem()
    rough = planted.ReLUNetwork([truth.hidden * (1 + 1e-3 * np.cos(np.arange(4))), truth.output])
    start = {"network": truth, "form": truth.kink_form(), "rough": rough}[kind]
    # in other units, and with an input that is always zero
    units = np.array([0, 3, -7, 0, 100, 0, 0, -20, 0, 1])
    wide = np.concatenate([np.ldexp(X, units), np.zeros((len(X), 1))], axis=1)
    if kind == "form":
        begun = fit(X, y, start=start, restarts=0)
    else:
        scaled = np.concatenate([np.ldexp(start.hidden, 9 - units[:, None]), np.zeros((1, 4))])
        begun = fit(wide, np.ldexp(y, 9), start=planted.ReLUNetwork([scaled, start.output]), restarts=0)
    assert begun.success
    assert begun.n_iter <= 3
    hidden = begun.network.hidden if kind == "form" else np.ldexp(begun.network.hidden[:10], units[:, None] - 9)
    again = planted.ReLUNetwork([hidden, begun.network.output])
    assert planted.match_networks(again, truth, atol=1e-12).exact


def test_starts_are_checked():
    X, y, truth = problem(n=60)
    with pytest.raises(TypeError, match="start=3 is of type int; expected an ExactFit"):
        fit(X, y, start=3)
    with pytest.raises(ValueError, match="start is a function of 10 inputs with one output; X has shape"):
        fit(X[:, :6], y, start=truth)
    # a fit that was ended during the search has nothing to continue
    ended = fit(X, y, time_limit=0)
    calls = []
    fit(X, y, start=ended, search_steps=500, max_rounds=1, restarts=0, callback=calls.append)
    assert calls[0].n_iter == 0


@pytest.mark.slow
def test_surplus_lines_that_cancel_need_no_second_start():
    # a line .0017 from an axis: two groups of lines that share inputs reach a residual of rounding together
    truth = planted.sparse_network(50, 50, 200, signs="mixed", rng=102)
    X = planted.gaussian_inputs(5000, 50, rng=1102)
    found = fit(X, truth(X), 50, 200, search_steps=1000, rng=102, restarts=0)
    assert_exact(found, truth, atol=1e-10)


def test_later_searches_make_more_steps():
    X, y, _ = problem(n=200)
    seen = []
    noisy = y + np.random.default_rng(0).standard_normal(len(y))  # nothing is exact
    fit(X, noisy, search_steps=500, max_rounds=1, callback=lambda state: seen.append((state.start, state.n_iter)))
    searches = [sum(row == (start, n) for row in seen) for start, n in sorted(set(seen))]
    assert searches[0] == 1
    assert fitting._steps(fitting._Task(5, 20, None, 2, 80), 0) == 500
    assert [fitting._steps(fitting._Task(5, 300, None, 2, 80), start) for start in range(3)] == [3000, 6000, 8000]
    assert fitting._steps(fitting._Task(5, 300, 20_000, 2, 80), 2) == 20_000


@pytest.mark.parametrize("seed", range(2))
def test_half_normal_inputs_tell_the_kinks_that_they_see(seed):
    # a neuron with weights of one sign is linear there; the two others are as planted
    X = np.abs(np.random.default_rng(seed).standard_normal((600, 6)))
    hidden = np.zeros((6, 3))
    hidden[[0, 1], 0], hidden[[2, 3], 1], hidden[[4, 5], 2] = (1.3, 0.4), (-0.7, 0.9), (0.5, -1.1)
    truth = planted.ReLUNetwork([hidden, np.ones(3)])
    found = fit(X, truth(X), 3, 6)
    assert_exact(found, truth)
    assert sorted(found.supports) == [(0, 1), (2, 3), (4, 5)]


@pytest.mark.parametrize("seed", range(4))
def test_signs_as_inputs_do_not_determine_a_line_of_two_entries(seed):
    # |x + y / 2| = |x / 2 + y| there: both are 1 + x y / 2
    X = np.random.default_rng(seed).choice([-1.0, 1.0], (400, 4))
    y = np.abs(X[:, 0] + 0.5 * X[:, 1])
    found = fit(X, y, 2, 4, rng=seed)
    assert not found.success
    np.testing.assert_allclose(found.kink_form(X), y, atol=1e-12)  # the function on such inputs is found


def test_a_line_and_a_bend_that_no_sample_separates_are_one():
    # the search may find such a line as a line and a bend of other sizes: the same values, and one term too many
    X = planted.gaussian_inputs(2000, 5, rng=4)
    hidden = np.zeros((5, 2))
    hidden[:2, 0], hidden[2:4, 1] = (0.6, -4e-5), (1.4, 1.2)
    truth = planted.ReLUNetwork([hidden, np.array([1.0, -1.0])])
    form = truth.kink_form()
    line = int(np.abs(form.directions[0]).argmax())
    weights = form.directions * form.strengths
    weights[0, line] += 0.4
    norms = np.sqrt((weights**2).sum(axis=0))
    directions = np.concatenate([weights / norms, np.eye(5)[:, :1]], axis=1)
    signs = np.where(np.arange(2) == line, 1.0, -1.0)
    weights[:, 1 - line] *= -1
    directions[:, 1 - line] *= -1
    start = planted.KinkForm(directions, np.append(signs * norms, -0.4), form.linear)
    y = truth(X)
    np.testing.assert_allclose(start(X), y, atol=1e-14)
    found = fit(X, y, 2, 4, start=start, restarts=0)
    assert found.status is Status.EXACT
    assert sorted(found.supports) == [(0, 1), (2, 3)]
    assert_exact(found, truth)


@pytest.mark.parametrize("seed", [pytest.param(0, marks=pytest.mark.slow), 1, 2])
def test_lines_far_from_the_middle_of_half_normal_inputs_are_found(seed):
    # some bend in a few dozen of 3,000 rows
    X = np.abs(np.random.default_rng(seed).standard_normal((3000, 20)))
    truth = planted.sparse_network(20, 6, 24, signs="mixed", rng=seed)
    found = fit(X, truth(X), 6, 24, search_steps=None, rng=seed)
    assert found.status is Status.EXACT
    form = truth.kink_form()
    Z = X @ form.directions
    crossing = (Z > 0).any(axis=0) & (Z < 0).any(axis=0)
    assert found.kink_form.n_lines >= crossing.sum()
    both = np.abs(form.directions[:, crossing].T @ found.kink_form.directions)
    np.testing.assert_allclose(both.max(axis=1), 1.0, atol=1e-12)
