"""``recovery.solve``: invalid arguments, messages, and properties of every solver."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from standin import count_syncs

import recovery
from recovery import Status
from recovery.solvers.solve import solver_class
from recovery.testing import draw_problem

NAMES = list(recovery.list_solvers())
CONVEX = ("l1", "group_l1")
FAST = [name for name in NAMES if name not in CONVEX]
UNIT = {name: {} if name == "auto" else {"normalise": True} for name in FAST}
RAW = {name: {} if name == "auto" else {"normalise": False} for name in FAST}
"""Options for columns of unit norm and as they are; auto always takes the former."""


def options_for(name, size):
    return {"groups": np.arange(size) // 2} if name == "group_l1" else {}


def test_list_solvers_says_what_each_requires():
    found = recovery.list_solvers()
    assert all(info.name == name for name, info in found.items())
    names = ["auto", "htp", "subspace-pursuit", "cosamp", "iht", "niht", "aiht", "omp", "l1", "group_l1"]
    assert list(found) == names
    assert found["htp"].requires == ("rmatvec", "columns")
    assert found["htp"].options == {"step": 1.0, "normalise": True, "escapes": 5, "ridge": 0.0, "path": False}
    assert str(found["iht"]).endswith("requires rmatvec, columns, matvec")


def test_import_is_light():
    heavy = ("cvxpy", "sympy", "flint", "hypothesis", "dask", "cupy", "sklearn", "matplotlib")
    code = f"import sys, recovery; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"sparsity": -1}, ValueError, r"sparsity=-1 is out of range; expected a value between 0 and 8"),
        ({"sparsity": 9}, ValueError, r"sparsity=9 is out of range; expected a value between 0 and 8"),
        ({"sparsity": 2.0}, TypeError, r"sparsity=2\.0 is of type float; expected an integer"),
        ({"solver": "magic"}, ValueError, r"solver='magic' is not known; expected one of aiht, auto, cosamp, .*"),
        (
            {"stride": 3},
            TypeError,
            r"solver 'auto' has no option 'stride'; it has max_tries, largest_matrix, ridge, stream",
        ),
        ({"solver": "htp", "stride": 3}, TypeError, r"'htp' has no option 'stride'; it has step, normalise, escapes"),
        ({"max_tries": 0}, ValueError, r"max_tries=0 is out of range"),
        ({"largest_matrix": -1}, ValueError, r"largest_matrix=-1 is out of range"),
        ({"solver": "l1", "crowd": -1.0}, ValueError, r"crowd=-1\.0"),
        ({"y": np.ones(5)}, ValueError, r"y has 5 entries and A has 6 rows; expected equally many"),
        ({"y": np.ones((6, 1))}, ValueError, r"y has shape \(6, 1\); expected 1 dimension"),
        ({"y": np.array([1, 2, np.nan, 4, 5, 6])}, ValueError, r"y has 1 element\(s\) that are NaN .* index \(2,\)"),
        ({"y": np.array([1, 2, np.inf, 4, 5, 6])}, ValueError, r"y has 1 element\(s\) that are NaN or infinite"),
        ({"A": np.full((6, 8), np.nan)}, ValueError, r"A has 48 element\(s\) that are NaN or infinite"),
        ({"A": np.ones(6)}, ValueError, r"A has shape \(6,\); expected 2 dimension"),
        ({"A": np.ones((0, 8))}, ValueError, r"A is empty"),
        ({"A": "matrix"}, TypeError, r"A='matrix' is not an array"),
        ({"x0": np.ones(7)}, ValueError, r"x0 has shape \(7,\); expected \(8,\)"),
        ({"x0": np.full(8, np.inf)}, ValueError, r"x0 has 8 element\(s\)"),
        ({"tol": -1.0}, ValueError, r"tol=-1\.0 is out of range"),
        ({"max_iter": 0}, ValueError, r"max_iter=0 is out of range"),
        ({"time_limit": -1}, ValueError, r"time_limit=-1\.0 is out of range"),
        ({"callback": 3}, TypeError, r"callback=3 cannot be called"),
        ({"solver": "htp", "step": 0.0}, ValueError, r"step=0\.0 is out of range"),
        ({"solver": "htp", "escapes": -1}, ValueError, r"escapes=-1 is out of range"),
        ({"solver": "niht", "kappa": 1.0}, ValueError, r"kappa=1\.0 and c=0\.01 give kappa \(1 - c\) <= 1"),
        ({"solver": "aiht", "stream": True, "normalise": True}, ValueError, r"stream=True and normalise=True"),
        ({"solver": "group_l1"}, ValueError, r"groups=None, but A \(DenseOperator\) has no gates"),
        ({"solver": "group_l1", "groups": [0, 1]}, ValueError, r"groups has shape \(2,\)"),
        ({"solver": "l1", "noise": -1.0}, ValueError, r"noise=-1\.0"),
        ({"solver": "l1", "backend": "SIMPLEX"}, ValueError, r"backend='SIMPLEX' is not known; expected .*CLARABEL"),
        ({"solver": "l1", "backend": None}, TypeError, r"backend=None is of type NoneType"),
        ({"solver": "group_l1", "backend": "homotopy"}, ValueError, r"backend='homotopy' is not known"),
        ({"solver": "htp", "normalise": "no"}, TypeError, r"normalise='no' is of type str; expected a bool"),
        ({"solver": "htp", "path": 1}, TypeError, r"path=1 is of type int; expected a bool"),
        ({"solver": "aiht", "normalise": 0}, TypeError, r"normalise=0 is of type int; expected a bool or None"),
        ({"solver": "l1", "normalise": None}, TypeError, r"normalise=None is of type NoneType; expected a bool"),
        ({"stream": "False"}, TypeError, r"stream='False' is of type str; expected a bool"),
    ],
)
def test_refusals_are_sentences(changes, error, sentence):
    arguments = {"A": np.eye(6, 8), "y": np.arange(6.0), "sparsity": 2} | changes
    with pytest.raises(error, match=sentence):
        recovery.solve(arguments.pop("A"), arguments.pop("y"), arguments.pop("sparsity"), **arguments)


def test_an_operator_without_a_required_method_is_refused_by_name():
    class Products:
        shape = (6, 8)

        def matvec(self, x):
            return x[:6]

    with pytest.raises(TypeError, match=r"A \(Products\) has no method 'rmatvec', which solver 'auto' requires"):
        recovery.solve(Products(), np.ones(6), 2)


def test_another_library_s_operator_with_the_methods_will_do():
    problem = draw_problem(30, 40, 3, 0)

    class Foreign:
        shape = problem.A.shape

        def columns(self, idx):
            return problem.A[:, idx]

        def rmatvec(self, r):
            return problem.A.T @ r

    np.testing.assert_allclose(recovery.solve(Foreign(), problem.y, 3).x, problem.x, atol=1e-12)
    with pytest.raises(TypeError, match="no method 'matvec', which solver 'iht' requires"):
        recovery.solve(Foreign(), problem.y, 3, solver="iht")


def test_mixed_devices_are_refused():
    import standin

    with pytest.raises(TypeError, match="A and y are on different devices"):
        recovery.solve(standin.device(np.eye(3)), np.ones(3), 1)
    with pytest.raises(TypeError, match="A and x0 are on different devices"):
        recovery.solve(np.eye(3), np.ones(3), 1, x0=standin.device(np.ones(3)))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_find(name):
    A = np.random.default_rng(0).standard_normal((6, 8))
    for y, s, status in ((np.ones(6), 0, Status.ZERO_SPARSITY), (np.zeros(6), 3, Status.ZERO_DATA)):
        result = recovery.solve(A, y, s, solver=name, **options_for(name, 8))
        assert result.status is status
        assert result.message == status.value
        assert not result.x.any()
        assert result.support.shape == (0,)
        assert result.objective == 0.5 * y @ y


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("problem", [draw_problem(40, 60, 3, 1), draw_problem(60, 50, 2, 3, gated=True)])
def test_every_solver_runs_on_every_array_type(backend, name, problem):
    A, y = backend.put(problem.A), backend.put(problem.y)
    result = recovery.solve(A, y, problem.s, solver=name, x0=backend.put(0 * problem.x), **UNIT[name])
    np.testing.assert_allclose(backend.get(result.x), problem.x, atol=1e-7)
    np.testing.assert_array_equal(backend.get(result.support), np.flatnonzero(problem.x))
    np.testing.assert_array_equal(backend.get(result.values), backend.get(result.x)[backend.get(result.support)])
    residual = problem.y - problem.A @ backend.get(result.x)
    rounding = 1e-15 * np.linalg.norm(problem.y) * (np.linalg.norm(residual) + 1e-14)
    assert result.objective == pytest.approx(0.5 * residual @ residual, abs=10 * rounding)
    assert result.status.success
    assert result.message.startswith(result.status.value)
    assert {"objective", "step", "support_change"} <= set(result.history)
    assert all(len(column) == result.n_iter for column in result.history.values())


@pytest.mark.parametrize("name", FAST)
def test_synchronisations_a_step_are_as_stated(name):
    import standin

    problem = draw_problem(40, 60, 3, 1)
    A, y = standin.device(problem.A), standin.device(problem.y)

    def count(steps):
        with count_syncs() as syncs:
            result = recovery.solve(A, y, 3, solver=name, max_iter=steps, tol=0.0)
        return result.n_iter, sum(syncs.values()) - sum(result.history.get("refused", [])) * 5

    short, base = count(1)
    long, total = count(3)
    assert long > short
    assert total - base <= solver_class(name).syncs_per_iteration * (long - short)


@pytest.mark.parametrize("name", FAST)
def test_callback_sees_each_step_and_can_stop(name):
    problem, seen = draw_problem(40, 60, 4, 3), []
    A = problem.A / np.linalg.norm(problem.A, axis=0)  # so that values are those of x

    def callback(state):
        residual = problem.y - A[:, state.support] @ state.values
        seen.append((state.n_iter, state.objective, 0.5 * residual @ residual))
        return state.n_iter == 2

    options = RAW[name] | ({"step": 0.1} if name == "htp" else {})
    result = recovery.solve(A, problem.y, 4, solver=name, callback=callback, **options)
    assert [item[0] for item in seen] == list(range(1, result.n_iter + 1))
    np.testing.assert_allclose([item[1] for item in seen], [item[2] for item in seen], rtol=1e-9, atol=1e-25)
    assert [item[1] for item in seen] == result.history["objective"]
    assert result.n_iter <= 2
    assert result.status in (Status.STOPPED, Status.CONVERGED)


@pytest.mark.parametrize("name", FAST)
def test_limits_are_kept_and_named(name):
    problem = draw_problem(30, 80, 6, 4)
    noisy = problem.y + np.random.default_rng(0).standard_normal(30)
    result = recovery.solve(problem.A, noisy, 6, solver=name, max_iter=1, tol=0.0)
    assert (result.n_iter, result.status) == (1, Status.STEP_LIMIT)
    result = recovery.solve(problem.A, noisy, 6, solver=name, time_limit=0.0, tol=0.0)
    assert (result.n_iter, result.status) == (1, Status.TIME_LIMIT)


@pytest.mark.parametrize("name", FAST)
def test_a_warm_start_at_the_answer_ends_at_once(name):
    problem = draw_problem(40, 60, 3, 5)
    cold = recovery.solve(problem.A, problem.y, 3, solver=name)
    warm = recovery.solve(problem.A, problem.y, 3, solver=name, x0=problem.x)
    np.testing.assert_allclose(warm.x, problem.x, atol=1e-10)
    assert warm.n_iter <= min(cold.n_iter, 1 if name != "omp" else 3)
    dense = problem.x + 1e-3  # a start that is not sparse counts with its s largest entries
    assert recovery.solve(problem.A, problem.y, 3, solver=name, x0=dense).status.success


@pytest.mark.parametrize("name", [name for name in FAST if name != "omp"])  # omp keeps its warm support
def test_a_far_warm_start_is_not_taken_for_divergence(name):
    problem = draw_problem(40, 60, 3, 5)
    result = recovery.solve(problem.A, problem.y, 3, solver=name, x0=1e9 * np.eye(60)[7], tol=1e-9)
    assert result.status is not Status.DIVERGED
    np.testing.assert_allclose(result.x, problem.x, atol=1e-4)


@pytest.mark.parametrize("name", FAST)
def test_float32_is_kept(name):
    problem = draw_problem(40, 60, 3, 6)
    result = recovery.solve(problem.A.astype("float32"), problem.y, 3, solver=name)
    assert result.x.dtype == np.float32
    np.testing.assert_allclose(result.x, problem.x, atol=1e-4)
    assert result.status.success


def test_data_frames_are_taken_and_sentences_about_other_containers_are_true():
    pd = pytest.importorskip("pandas")
    problem = draw_problem(40, 30, 3, 6)
    plain = recovery.solve(problem.A, problem.y, 3)
    frame, series = pd.DataFrame(problem.A), pd.Series(problem.y, index=range(100, 140))
    for A, y in ((frame, series), (frame, problem.y), (problem.A.tolist(), series), (problem.A, problem.y.tolist())):
        found = recovery.solve(A, y, 3)  # the columns of a frame lie in another memory order
        np.testing.assert_allclose(found.x, plain.x, rtol=1e-13)
        assert found.support.tolist() == plain.support.tolist()
    for A, sentence in (
        (frame.assign(name="a"), "A has dtype object; expected real numbers"),
        (problem.A + 0j, "A has dtype complex128; expected real numbers"),
        (np.ma.array(problem.A), "A is a masked array"),
    ):
        with pytest.raises(TypeError, match=sentence):
            recovery.solve(A, problem.y, 3)
    with pytest.raises(ValueError, match=r"y has shape \(40, 1\); expected 1 dimension"):
        recovery.solve(problem.A, pd.DataFrame(problem.y), 3)
    whole = np.rint(8 * problem.A).astype(int)
    other = recovery.solve(np.asfortranarray(whole), problem.y, 3)
    np.testing.assert_allclose(other.x, recovery.solve(whole.astype(float), problem.y, 3).x, rtol=1e-13)


def table_with_offsets(columns=8, noise=0.3):
    """Columns of different means and scales, and a target with a large mean that three of them determine."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((80, columns)) * np.geomspace(0.1, 30.0, columns) + np.geomspace(60.0, 1.0, columns)
    Z = (A - A.mean(axis=0)) / A.std(axis=0)
    return A, 14.0 + Z[:, 1] - Z[:, 3] + 0.7 * Z[:, 4] + noise * rng.standard_normal(80)


def test_a_poor_fit_of_data_with_an_offset_says_that_there_is_no_intercept(backend):
    A, y = table_with_offsets()
    poor = recovery.solve(backend.put(A), backend.put(y), 3)
    assert not poor.fits
    expected = f"y has mean {y.mean():.3g} and standard deviation {y.std():.3g}, and solve fits no intercept"
    assert expected in poor.message
    assert "recovery.SparseRegressor" in poor.message
    far = recovery.solve(backend.put(A), backend.put(2.0**40 * y), 3)
    assert f"y has mean {2.0**40 * y.mean():.3g} " in far.message
    centred = recovery.solve(backend.put(A - A.mean(axis=0)), backend.put(y - y.mean()), 3)
    assert not centred.fits
    assert sorted(backend.get(centred.support).tolist()) == [1, 3, 4]
    assert "intercept" not in centred.message


def test_a_fit_that_has_an_intercept_or_needs_none_is_left_in_peace():
    A, y = table_with_offsets()
    with_ones = np.column_stack([A, np.ones(80)])
    full = recovery.solve(with_ones, y, 9)
    assert 8 in full.support
    assert not full.fits
    assert "intercept" not in full.message
    # columns of ones and zeros for each of three groups express a constant too
    groups = np.eye(3)[np.arange(80) % 3]
    assert "intercept" not in recovery.solve(groups, y, 3).message
    # a good fit without an intercept
    w = np.array([1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    good = recovery.solve(A, A @ w * (1.0 + 1e-5 * np.cos(np.arange(80.0))), 2)
    assert not good.fits
    assert "intercept" not in good.message
    # the rows of an operator are samples of anything
    assert "intercept" not in recovery.solve(recovery.DenseOperator(A), y, 3).message


@pytest.mark.parametrize("backend_of_l1", ["homotopy", "CLARABEL"])
def test_a_result_that_does_not_fit_is_not_called_optimal(backend_of_l1):
    if backend_of_l1 != "homotopy":
        pytest.importorskip("cvxpy")
    rng = np.random.default_rng(1)
    A, y = rng.standard_normal((20, 40)), rng.standard_normal(20)
    result = recovery.solve(A, y, 3, "l1", backend=backend_of_l1)
    assert not result.fits
    assert result.success
    assert result.status is Status.REFITTED
    assert "optimal" not in result.message.partition(";")[0]
    assert f"|A x - y| is {result.relative_residual:.1e} |y|" in result.message
