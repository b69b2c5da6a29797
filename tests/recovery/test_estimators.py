"""The estimators: scikit-learn's checks, results against plain versions, pipelines, frames, sparse matrices."""

import copy
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Lasso, LinearRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

import linear_lottery
import recovery
from recovery.estimators import arguments
from recovery.estimators.inputs import CentredOperator, Prepared, distinct_rows, prepare
from recovery.estimators.networks import _loss, _Training, _Weights
from recovery.estimators.paths import (
    BLENDS,
    RIDGES,
    Candidates,
    Found,
    _Products,
    _thresholding,
    averaged,
    charged,
    ebic,
    lasso_penalties,
    models,
    supports,
)

pytestmark = pytest.mark.numeric
SELECTORS = (recovery.SparseRegressor, recovery.SparseRegressorCV, linear_lottery.IMPRegressor)
ALL = (*SELECTORS, recovery.SparseReLURegressor, recovery.SparseReLUClassifier)
SKIPS = {"check_array_api_input": "needs array-api-strict, and concerns only estimators that support array API"}
"""Checks that scikit-learn skips, with the reason; no check may fail."""


def planted_data(n=80, p=12, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    X = 10.0 ** rng.uniform(-1, 1, p) * rng.standard_normal((n, p)) + rng.standard_normal(p)
    coef = np.zeros(p)
    coef[[1, 4, 7]] = [2.0, -1.0, 3.0]
    coef /= X.std(axis=0)
    return X, X @ coef + 5.0 + noise * rng.standard_normal(n), coef


@pytest.mark.slow
@pytest.mark.parametrize("cls", ALL)
@pytest.mark.filterwarnings("ignore:No features were selected:UserWarning")  # SelectorMixin's, on targets of noise
@pytest.mark.filterwarnings("ignore:sparsity=None keeps all:UserWarning")  # networks, on tables of few rows
def test_scikit_learns_checks_pass(cls):
    found = check_estimator(cls(), on_fail=None, on_skip=None)
    assert len(found) > 50
    assert [one for one in found if one["status"] not in ("passed", "skipped")] == []
    assert {one["check_name"] for one in found if one["status"] == "skipped"} <= set(SKIPS)


@pytest.mark.parametrize("cls", SELECTORS)
def test_without_noise_the_planted_model_is_found(cls):
    X, y, coef = planted_data()
    model = cls().fit(X, y)
    assert model.support_.tolist() == [1, 4, 7]
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-10)
    assert model.intercept_ == pytest.approx(5.0, rel=1e-10)
    assert model.sparsity_ == model.path_.size == 3
    assert model.score(X, y) == pytest.approx(1.0)
    np.testing.assert_array_equal(model.transform(X), X[:, [1, 4, 7]])
    np.testing.assert_array_equal(model.path_.coefs[:, model.path_.best], model.coef_)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("sparse", [False, True])
def test_weights_and_ridge_are_those_of_scikit_learn_on_the_support(intercept, sparse):
    X, y, _ = planted_data(noise=1.0, seed=1)
    weights = np.random.default_rng(2).uniform(0.1, 3.0, len(y))
    given = sp.csr_array(X) if sparse else X
    for ridge in (0.0, 0.3):
        model = recovery.SparseRegressor(5, "htp", ridge=ridge, fit_intercept=intercept, standardize=False)
        model.fit(given, y, sample_weight=weights)
        S = model.support_
        # |A v - b|^2 with weights of sum 1, plus ridge |v|^2: scikit-learn's weights are not of sum 1
        plain = Ridge(alpha=ridge * weights.sum(), fit_intercept=intercept, solver="cholesky") if ridge else None
        plain = (plain or LinearRegression(fit_intercept=intercept)).fit(X[:, S], y, sample_weight=weights)
        np.testing.assert_allclose(model.coef_[S], plain.coef_, rtol=1e-9, atol=1e-10)
        assert model.intercept_ == pytest.approx(plain.intercept_, rel=1e-9, abs=1e-10)
        assert len(S) == 5


def test_standardising_makes_units_of_the_features_irrelevant():
    X, y, _ = planted_data(noise=0.5, seed=3)
    factor = 2.0 ** np.arange(-6, 6)
    one, other = (recovery.SparseRegressor().fit(A, y) for A in (X, X * factor))
    np.testing.assert_array_equal(one.support_, other.support_)
    np.testing.assert_allclose(one.coef_, other.coef_ * factor, rtol=1e-9)


@pytest.mark.slow
def test_the_ridge_helps_where_noise_is_large():
    rng = np.random.default_rng(0)
    differences = []
    for _ in range(6):
        X = rng.standard_normal((60, 30))
        coef = np.where(np.arange(30) < 10, 1.0, 0.0)
        y = X @ coef + 4.0 * rng.standard_normal(60)
        shrunken, plain = (recovery.SparseRegressorCV(ridges=r).fit(X, y) for r in (None, [0.0]))
        differences.append(((shrunken.coef_ - coef) ** 2).sum() - ((plain.coef_ - coef) ** 2).sum())
    assert np.mean(differences) < 0.0


def test_errors_of_the_path_are_those_of_cross_validation_by_hand():
    X, y, _ = planted_data(n=50, noise=1.0, seed=4)
    splits = [(np.arange(25), np.arange(25, 50)), (np.arange(25, 50), np.arange(25))]
    model = recovery.SparseRegressorCV(sizes=[2, 4], ridges=[0.1], solver="omp", cv=splits).fit(X, y)
    for column, size in enumerate((2, 4)):
        one = recovery.SparseRegressor(size, "omp", ridge=0.1)
        errors = [((one.fit(X[a], y[a]).predict(X[b]) - y[b]) ** 2).mean() for a, b in splits]
        assert model.path_.errors[column] == pytest.approx(np.mean(errors), rel=1e-9)
        assert model.path_.spread[column] == pytest.approx(np.std(errors, ddof=1) / np.sqrt(2), rel=1e-9)


def test_ebic_and_a_validation_set_choose_too():
    X, y, _ = planted_data(n=200, noise=0.3, seed=5)
    by_ebic = recovery.SparseRegressor(selection="ebic").fit(X, y)
    assert by_ebic.support_.tolist() == [1, 4, 7]
    size = by_ebic.path_.sizes.tolist().index(3)
    plain = LinearRegression().fit(X[:, [1, 4, 7]], y)
    square = ((plain.predict(X[:, [1, 4, 7]]) - y) ** 2).mean()
    expected = 200 * np.log(square) + 3 * np.log(200) + 2 * np.log(220)  # 220 supports of 3 in 12
    assert by_ebic.path_.errors[size] == pytest.approx(expected, rel=1e-9)
    X_v, y_v = X[:60], y[:60]
    by_set = recovery.SparseRegressor(selection="validation", average=False)
    by_set.fit(X[60:], y[60:], validation_set=(X_v, y_v))
    assert by_set.path_.errors.min() == pytest.approx(((by_set.predict(X_v) - y_v) ** 2).mean(), rel=1e-9)
    assert np.isnan(by_set.path_.spread).all()


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
def test_the_choice_by_ebic_does_not_depend_on_the_unit_of_the_targets(unit):
    X, y, _ = planted_data(n=200, noise=0.3, seed=5)
    model = recovery.SparseRegressor(selection="ebic").fit(X, unit * y)
    assert model.support_.tolist() == [1, 4, 7]
    # negative for small residuals: the smallest value still wins
    assert model.path_.errors[model.path_.best] == model.path_.errors.min()
    assert (model.path_.errors.min() < 0.0) == (unit < 1e3)


def test_ebic_does_not_interpolate_where_features_are_many():
    rng = np.random.default_rng(20)
    X = rng.standard_normal((100, 600))
    y = X[:, 5] - X[:, 50] + X[:, 500] + 0.5 * rng.standard_normal(100)
    assert recovery.SparseRegressor(selection="ebic").fit(X, y).support_.tolist() == [5, 50, 500]


def test_a_noise_level_chooses_the_smallest_model_that_reaches_it():
    X, y, _ = planted_data(n=200, noise=0.3, seed=21)
    model = recovery.SparseRegressor(selection="noise", noise_level=0.35).fit(X, y)
    assert model.support_.tolist() == [1, 4, 7]
    path = model.path_
    assert path.errors[path.best] <= 0.35**2 < path.errors[path.best - 1]
    assert path.errors[path.best] == pytest.approx(((model.predict(X) - y) ** 2).mean(), rel=1e-9)
    # a level that no model reaches: the closest one, with a warning
    with pytest.warns(UserWarning, match=r"noise_level=0\.01"):
        assert recovery.SparseRegressor(selection="noise", noise_level=0.01).fit(X, y).sparsity_ == 12


def test_the_average_is_that_of_its_formula():
    found = [Found(("a",), 1, np.array([0])), Found(("b",), 2, np.array([0, 2]))]
    models = [
        Candidates(found[0], np.array([[2.0, 1.0]]), (0.0, 1.0)),
        Candidates(found[1], np.array([[4.0], [8.0]]), (0.0,)),
    ]
    errors = [np.array([1.0, 1.5]), np.array([1.1])]
    weights = np.exp(-0.5 * 10 * np.array([0.0, 0.5, 0.1]))
    weights /= weights.sum()
    assert weights[2] == pytest.approx(0.359, abs=1e-3)
    A = np.array([[1.0, 0.0, 2.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    small, large = (Prepared(unit * A, np.zeros(3), np.zeros(4), np.ones(4), 0.0) for unit in (1e-2, 1.0))
    x = averaged(models, errors, small, 10.0)
    np.testing.assert_allclose(x, [weights @ [2.0, 1.0, 4.0], 0.0, 8.0 * weights[2], 0.0], rtol=1e-12)
    # feature 2 has less than a third of the weight
    errors[1] = np.array([1.2])
    weights = np.exp(-0.5 * 10 * np.array([0.0, 0.5, 0.2]))
    weights /= weights.sum()
    x = averaged(models, errors, small, 10.0)
    np.testing.assert_allclose(x, [weights @ [2.0, 1.0, 4.0], 0.0, 0.0, 0.0], rtol=1e-12)
    # where its part of the fit is large, that is projected on feature 0: column 2 is twice column 0 and more
    moved = averaged(models, errors, large, 10.0)
    np.testing.assert_allclose(moved - x, [2.0 * 8.0 * weights[2], 0.0, 0.0, 0.0], rtol=1e-12)


@pytest.mark.slow
def test_averaging_pays_where_noise_is_large():
    rng = np.random.default_rng(22)
    differences = []
    for _ in range(16):
        X = rng.standard_normal((50, 20))
        coef = np.where(np.arange(20) < 6, 1.0, 0.0)
        y = X @ coef + 3.0 * rng.standard_normal(50)
        average, one = (recovery.SparseRegressor(average=share).fit(X, y) for share in (True, False))
        assert average.sparsity_ == len(average.support_)
        assert one.path_.coefs[:, one.path_.best].tolist() == one.coef_.tolist()
        differences.append(((average.coef_ - coef) ** 2).sum() - ((one.coef_ - coef) ** 2).sum())
    assert np.mean(differences) < 0.0


def test_what_all_rows_find_and_those_of_a_fold_do_not_is_kept():
    for seed in range(2):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((60, 200))
        coef = np.zeros(200)
        coef[:13] = rng.choice([-1.0, 1.0], 13)  # within reach of 60 rows, and out of that of 40
        model = recovery.SparseRegressor(cv=3).fit(X, X @ coef + 0.05 * rng.standard_normal(60))
        assert ((model.coef_ - coef) ** 2).sum() < 0.05
        assert set(range(13)) <= set(model.support_)


def test_charged_errors_are_those_of_the_ebic():
    X, y, _ = planted_data(n=40, p=60, noise=1.0, seed=26)
    problem = prepare(X, y, np.ones(40), True, True)
    (one,) = models(problem, [Found(("a",), 3, np.array([1, 4, 7]))], (0.0, 0.1), ())
    expected = np.exp(ebic(problem, one, 40.0, 1.0) / 40.0)
    np.testing.assert_allclose(charged(problem, one, 40.0), expected, rtol=1e-10)
    (many,) = models(problem, [Found(("a",), 11, np.arange(11))], (0.0,), ())
    assert charged(problem, many, 40.0).tolist() == [np.inf]


@pytest.mark.parametrize("sparse", [False, True])
def test_the_lasso_of_the_path_is_that_of_scikit_learn(sparse):
    X, y, _ = planted_data(n=50, p=70, noise=1.0, seed=23)
    problem = prepare(sp.csr_array(X) if sparse else X, y, np.ones(50), True, True)
    penalties = lasso_penalties(problem, wide=True)
    found = [one for one in supports(problem, np.array([0, 20]), "auto", penalties) if one.family == "lasso"]
    assert found[0].size == 0
    assert found[-1].size <= 20 < 50
    for i in (3, 12, len(found) - 1):
        assert found[i].key == ("lasso", i)
        # |b - A x|^2 / 2 + penalty |x|_1, where scikit-learn divides squares by the rows, and weights have sum 1
        Z = (X - X.mean(axis=0)) / X.std(axis=0)
        plain = Lasso(alpha=penalties[i], tol=1e-12, max_iter=10**5).fit(Z, y)
        np.testing.assert_array_equal(np.flatnonzero(np.abs(plain.coef_) > 1e-7), found[i].support)
        np.testing.assert_allclose(plain.coef_[found[i].support], found[i].lasso, rtol=1e-6, atol=1e-7)
    blended, ridged = (models(problem, found, RIDGES, blends) for blends in (BLENDS, ()))
    assert blended[3].amounts == BLENDS
    assert ridged[3].amounts == RIDGES
    np.testing.assert_allclose(blended[3].values[:, 0], ridged[3].values[:, 0], rtol=1e-12)  # least squares


@pytest.mark.parametrize("union", [False, True])
def test_the_searches_along_a_path_find_what_solve_finds(union):
    X, y, _ = planted_data(n=60, p=100, seed=24)
    dense, operator = (prepare(kind(X), y, np.ones(60), True, True) for kind in (np.asarray, sp.csr_array))
    sizes = np.array([0, 1, 2, 3])
    for ridge in (0.0, 0.2):
        found, same = (_thresholding(_Products(one), sizes, ridge, union) for one in (dense, operator))
        assert [one.support.tolist() for one in found] == [one.support.tolist() for one in same]
        assert [len(one.support) for one in found] == [0, 1, 2, 3]
        assert found[-1].support.tolist() == [1, 4, 7]
    # a pair of equal features, and one that is constant
    X[:, 9], X[:, 10] = X[:, 1], 3.0
    products = _Products(prepare(X, y, np.ones(60), True, True))
    found = _thresholding(products, np.array([1, 5]), 0.0, union)
    assert [len(one.support) for one in found] == [1, 5]
    # the fit and its loss, from inner products alone
    A, b = prepare(X, y, np.ones(60), True, True).A, prepare(X, y, np.ones(60), True, True).b
    S = np.array([4, 7, 20])
    values, left, loss = products.fit(S, 0.3)
    expected = np.linalg.solve(A[:, S].T @ A[:, S] + 0.3 * np.eye(3), A[:, S].T @ b)
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    rest = b - A[:, S] @ expected
    np.testing.assert_allclose(left, A.T @ rest, atol=1e-13 * np.linalg.norm(b))
    assert loss == pytest.approx(rest @ rest + 0.3 * expected @ expected, rel=1e-12)


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_array, sp.coo_array])
def test_sparse_matrices_give_what_arrays_give_and_are_not_formed(kind, monkeypatch):
    rng = np.random.default_rng(6)
    X = np.where(rng.uniform(size=(60, 200)) < 0.3, rng.standard_normal((60, 200)), 0.0)
    y = X[:, 3] - 2.0 * X[:, 9] + 1.0 + 0.1 * rng.standard_normal(60)
    model = recovery.SparseRegressor(4, "htp", ridge=0.1)
    dense = copy.deepcopy(model).fit(X, y)
    with monkeypatch.context() as patch:
        for cls in (sp.csr_matrix, sp.csc_matrix, sp.csr_array, sp.csc_array):
            whole = cls.toarray

            def few(self, *args, whole=whole, **options):
                assert self.shape[1] < 100, "a sparse matrix was formed"
                return whole(self, *args, **options)

            patch.setattr(cls, "toarray", few)
        found = model.fit(kind(X), y)
        predictions = found.predict(kind(X))
    np.testing.assert_allclose(found.coef_, dense.coef_, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(predictions, dense.predict(X), rtol=1e-8)
    chosen, dense = (recovery.SparseRegressor(cv=2).fit(given, y) for given in (kind(X), X))
    np.testing.assert_allclose(chosen.coef_, dense.coef_, rtol=1e-6, atol=1e-9)


def test_the_centred_operator_is_the_matrix_it_stands_for():
    rng = np.random.default_rng(7)
    X = np.where(rng.uniform(size=(15, 9)) < 0.4, rng.standard_normal((15, 9)), 0.0)
    rows, mean, scale = rng.uniform(0.5, 1.5, 15), rng.standard_normal(9), rng.uniform(0.5, 2.0, 9)
    A = CentredOperator(sp.csr_array(X), rows, mean, scale)
    recovery.dottest(A, rng=0)
    np.testing.assert_allclose(A.columns(np.arange(9)), rows[:, None] * (X - mean) / scale, rtol=1e-13, atol=1e-13)
    assert pickle.loads(pickle.dumps(A)) == A


def test_prepared_triangles_have_the_least_squares_of_all_rows():
    X, y, _ = planted_data(n=90, noise=1.0)
    weights = np.random.default_rng(8).integers(0, 4, 90).astype(float)
    small = prepare(X, y, weights, True, True)
    assert small.A.shape == (12, 12)
    np.testing.assert_allclose(np.linalg.norm(small.A, axis=0), 1.0, rtol=1e-12)
    plain = LinearRegression().fit(X, y, sample_weight=weights)
    coef, intercept = small.raw(np.linalg.solve(small.A, small.b))
    np.testing.assert_allclose(coef, plain.coef_, rtol=1e-9)
    assert intercept == pytest.approx(plain.intercept_, rel=1e-9)
    loss = np.average((plain.predict(X) - y) ** 2, weights=weights)
    assert small.rest == pytest.approx(loss, rel=1e-9)
    assert distinct_rows(np.repeat(X, 3, axis=0), np.repeat(weights, 3)) == (weights > 0).sum()


def test_imp_regressor_is_imp_on_standardised_data():
    X, y, _ = planted_data(noise=1.0, seed=9)
    for flow_time in (np.inf, 2.0):
        model = linear_lottery.IMPRegressor(4, flow_time=flow_time).fit(X, y)
        Z = (X - X.mean(axis=0)) / X.std(axis=0)
        path = linear_lottery.imp(Z, y - y.mean(), 4, flow_time=flow_time)
        assert model.support_.tolist() == path.support.tolist()
        np.testing.assert_allclose(model.coef_, path.w / X.std(axis=0), rtol=1e-9, atol=1e-12)


def test_networks_with_biases_are_found_to_the_last_digits():
    rng = np.random.default_rng(10)
    X = 3.0 + 2.0 * rng.standard_normal((400, 6))
    y = np.maximum(X[:, 0] - X[:, 2] + 0.5, 0.0) - np.maximum(X[:, 1] - 4.0, 0.0) + 2.0
    model = recovery.SparseReLURegressor(n_neurons=2, sparsity=3).fit(X, y)
    assert model.support_.tolist() == [0, 1, 2]
    assert model.sparsity_ == 3
    np.testing.assert_allclose(model.predict(X), y, rtol=0, atol=1e-9)
    assert model.intercepts_[1][0] == pytest.approx(2.0, abs=1e-9)


def noisy_network_data(classes=False):
    """Return targets, or classes, that depend on three of 15 features, and rows that no fit sees."""
    rng = np.random.default_rng(12)
    X = rng.standard_normal((160, 15))
    y = 3.0 * np.maximum(X[:, 0] - X[:, 2], 0.0) + 2.0 * X[:, 5] + 14.0 + 1.5 * rng.standard_normal(160)
    y = (y > np.median(y)).astype(int) if classes else y
    return X[:80], y[:80], X[80:], y[80:]


@pytest.mark.slow
@pytest.mark.parametrize("cls", [recovery.SparseReLURegressor, recovery.SparseReLUClassifier])
def test_cross_validation_chooses_the_sparsity_of_a_network(cls):
    X, y, X_test, y_test = noisy_network_data(cls is recovery.SparseReLUClassifier)
    quick = {"n_neurons": 2, "max_iter": 20, "restarts": 0}
    if cls is recovery.SparseReLUClassifier:
        y, y_test = np.array(["low", "high"])[y], np.array(["low", "high"])[y_test]
    with pytest.warns(UserWarning, match=r"sparsity=None keeps all (30|34) weights, .* 20 rows, .* pass sparsity='cv'"):
        cls(**quick).fit(X[:20], y[:20])
    full = cls(sparsity=30, **quick).fit(X, y)
    assert full.cv_results_ is None
    told = []
    model = cls(sparsity="cv", cv=2, **quick).fit(X, y, progress=lambda *now: told.append(now))
    found = model.cv_results_
    assert found["sparsity"][0] == 0
    assert found["sparsity"][-1] in (30, 34)
    assert (np.diff(found["sparsity"]) > 0).all()
    assert found["errors"].shape == (len(found["sparsity"]), 2)
    assert told[-1] == (2 * len(found["sparsity"]) + 1,) * 2
    least = np.argmin(found["mean_error"])
    near = found["mean_error"] <= found["mean_error"][least] + found["standard_error"][least]
    size = int(found["sparsity"][near][0])
    assert model.sparsity_ <= size < 30
    # the network with all weights overfits the targets, and for the classes it is no better than far fewer weights
    margin = 0.1 if cls is recovery.SparseReLURegressor else -0.05
    assert model.score(X_test, y_test) > full.score(X_test, y_test) + margin
    assert {0, 2, 5} <= set(model.support_.tolist())
    # the errors are those of plain fits, and the model is the plain fit of the size chosen
    same = clone(model).set_params(sparsity=size).fit(X, y)
    np.testing.assert_array_equal(same.predict(X_test), model.predict(X_test))
    kind = KFold if cls is recovery.SparseReLURegressor else StratifiedKFold
    parts = list(kind(2, shuffle=True, random_state=0).split(X, y))
    train, test = parts[1]
    part = clone(same).fit(X[train], y[train])
    wrong = part.predict(X[test]) != y[test]
    error = wrong.mean() if y.dtype.kind == "U" else np.mean((y[test] - part.predict(X[test])) ** 2)
    assert found["errors"][list(found["sparsity"]).index(size), 1] == pytest.approx(error, rel=1e-9)
    again = cls(sparsity="cv", cv=parts, **quick).fit(X, y)  # splits that are given
    np.testing.assert_array_equal(again.cv_results_["errors"], found["errors"])


def test_a_planted_network_is_found_where_cross_validation_chooses_its_size(tmp_path):
    rng = np.random.default_rng(10)
    X = 3.0 + 2.0 * rng.standard_normal((200, 4))
    y = 2.0**300 * (np.maximum(X[:, 0] - X[:, 2] + 0.5, 0.0) + 2.0)
    model = recovery.SparseReLURegressor(n_neurons=1, sparsity="cv", cv=2, restarts=0).fit(X, y)
    assert model.sparsity_ == 2
    np.testing.assert_allclose(model.predict(X), y, rtol=1e-9)
    model.save(tmp_path / "model.json")
    loaded = recovery.SparseReLURegressor.load(tmp_path / "model.json")
    np.testing.assert_array_equal(loaded.cv_results_["errors"], model.cv_results_["errors"])
    errors = model.cv_results_["mean_error"]
    assert errors[0] == pytest.approx(np.var(y), rel=0.1)
    constant = recovery.SparseReLURegressor(sparsity="cv", cv=2).fit(X, np.full(200, 3.0))
    assert constant.sparsity_ == 0


def test_rare_classes_and_few_rows_do_not_stop_the_choice():
    rng = np.random.default_rng(13)
    X = rng.standard_normal((40, 3))
    quick = {"n_neurons": 2, "max_iter": 5, "restarts": 0, "cv": 3}
    y = np.where(X[:, 0] > 0.0, 2, 7)
    for rare in (1, 2):
        y[:rare] = 9
        model = recovery.SparseReLUClassifier(sparsity="cv", **quick).fit(X, y)
        assert model.classes_.tolist() == [2, 7, 9]
        assert np.isfinite(model.cv_results_["mean_error"]).all()
    few = recovery.SparseReLURegressor(sparsity="cv", **quick).fit(X[:3], X[:3, 0])
    assert few.cv_results_["errors"].shape[1] == 3
    with pytest.raises(ValueError, match=r"cv=1"):
        recovery.SparseReLURegressor(sparsity="cv", **{**quick, "cv": 1}).fit(X, X[:, 0])
    alone = [(np.arange(20), np.arange(20, 40))]
    with pytest.raises(ValueError, match="gives no split"):
        recovery.SparseReLUClassifier(sparsity="cv", **{**quick, "cv": alone}).fit(X, (np.arange(40) > 20) * 1)


@pytest.mark.parametrize("intercept", [True, False])
def test_networks_keep_within_their_sparsity_and_biases_are_not_counted(intercept):
    rng = np.random.default_rng(11)
    X = rng.standard_normal((150, 8)) + 1.0
    y = np.tanh(X[:, 0] * X[:, 1]) + 0.3 * rng.standard_normal(150)
    for s in (0, 1, 6) if intercept else (1, 6):
        quick = {"fit_intercept": intercept, "max_iter": 20, "restarts": 0}
        model = recovery.SparseReLURegressor(3, s, **quick).fit(X, y)
        assert (model.coefs_[0] != 0.0).sum() == model.sparsity_ <= s
        assert (model.coefs_[0].any(axis=0) & model.coefs_[1].any(axis=1)).sum() <= 3
        classes = recovery.SparseReLUClassifier(3, s, **quick).fit(X, y > 0.2)
        assert sum((layer != 0.0).sum() for layer in classes.coefs_) == classes.sparsity_ <= s
        if not intercept:
            assert not any(b.any() for b in (*model.intercepts_, *classes.intercepts_))
        if s == 0:
            np.testing.assert_allclose(model.predict(X), y.mean(), rtol=1e-12)
            shares = np.mean(y > 0.2)
            np.testing.assert_allclose(classes.predict_proba(X)[:, 1], shares, rtol=1e-9)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("kind", ["squared", "two classes", "three classes"])
def test_the_network_that_is_shown_is_the_one_that_predicts(intercept, kind):
    pandas = pytest.importorskip("pandas")
    Figure = pytest.importorskip("matplotlib.figure").Figure
    rng = np.random.default_rng(13)
    X = pandas.DataFrame(rng.standard_normal((120, 5)) * [1, 10, 0.1, 1, 1] + 1.0, columns=list("abcde"))
    y = np.abs(X["a"]) + X["b"] / 10.0 - 5.0 + 0.3 * rng.standard_normal(120)
    quick = {"fit_intercept": intercept, "max_iter": 20, "restarts": 0}
    if kind == "squared":
        model = recovery.SparseReLURegressor(3, 5, **quick).fit(X, y)
        expected = model.predict(X)
    else:
        labels = y > -3.5 if kind == "two classes" else np.digitize(y, [-4.0, -3.0])
        model = recovery.SparseReLUClassifier(3, 9, **quick).fit(X, labels)
        expected = model._outputs(X)
    inputs = np.column_stack([X, np.ones(len(X))]) if intercept else X.to_numpy()
    W, V = model.coefs_
    used = W.any(axis=0) & V.any(axis=1)
    assert model.network_.n_neurons == used.sum() + intercept
    np.testing.assert_allclose(model.network_(inputs), expected, rtol=1e-12, atol=1e-12)
    assert model.get_feature_names_out().tolist() == [X.columns[j] for j in model.support_]
    with pytest.raises(ValueError, match="input_features is not equal"):
        model.get_feature_names_out(list("vwxyz"))
    ax = model.plot(Figure().add_subplot())
    assert [one.get_text() for one in ax.get_yticklabels()] == model.get_feature_names_out().tolist()
    before = X.to_numpy() @ W + model.intercepts_[0]
    picture = np.asarray(ax.images[0].get_array())
    signs = V[used, 0] if kind == "squared" else 1.0
    effects = (W[:, used] * model.scale_[:, None] * signs)[model.support_]
    np.testing.assert_allclose(picture, effects, rtol=1e-12)
    np.testing.assert_array_equal(model.activity_[used], (before[:, used] > 0.0).mean(axis=0))
    active = [one.get_text().split("\n")[1] for one in ax.get_xticklabels()]
    assert active == [f"{share:.0%} active" for share in model.activity_[used]]
    table = model.to_pandas()
    columns = model.coefs_[1].shape[1]
    assert len(table) == sum(np.count_nonzero(W[:, j]) * np.count_nonzero(V[j]) for j in np.flatnonzero(used))
    outputs = ["y"] if columns == 1 else [str(one) for one in model.classes_]
    assert set(table["output"]) <= set(outputs)
    row = table.iloc[0]
    i, k = list(X.columns).index(row["feature"]), outputs.index(row["output"])
    assert row["weight"] == W[i, row["neuron"]]
    size = X.iloc[:, i].std(ddof=0) if intercept else np.sqrt((X.iloc[:, i] ** 2).mean())
    assert row["effect"] == pytest.approx(row["weight"] * size * V[row["neuron"], k], rel=1e-9)
    assert row["active"] == (before[:, row["neuron"]] > 0.0).mean()
    if kind == "squared":
        assert "the fit went on from this search" in model.fit_.message
        assert model.fit_.names == (*X.columns, *["constant"] * intercept)


def test_the_plot_of_a_network_shows_what_raises_the_prediction():
    Figure = pytest.importorskip("matplotlib.figure").Figure
    rng = np.random.default_rng(14)
    X = rng.standard_normal((200, 3)) * [1.0, 5.0, 1.0]
    y = 20.0 + 2.0 * X[:, 0] - 0.1 * X[:, 1] + 0.1 * rng.standard_normal(200)
    for seed in range(3):  # the output weight of a neuron may be of either sign
        model = recovery.SparseReLURegressor(1, 2, restarts=0, random_state=seed).fit(X, y)
        effects = model.to_pandas().set_index("feature")["effect"]
        assert effects["x0"] == pytest.approx(2.0, rel=0.1)
        assert effects["x1"] == pytest.approx(-0.5, rel=0.2)
        picture = np.asarray(model.plot(Figure().add_subplot()).images[0].get_array())
        assert picture[0] > 0.0 > picture[1]
        assert model.activity_.tolist() == [1.0]  # a linear model


def test_a_network_without_neurons_is_shown_as_a_constant():
    Figure = pytest.importorskip("matplotlib.figure").Figure
    X, y, _ = planted_data()
    model = recovery.SparseReLURegressor(2, 0).fit(X, y)
    np.testing.assert_allclose(model.network_(np.column_stack([X, np.ones(len(X))])), y.mean(), rtol=1e-12)
    assert "constant" in model.plot(Figure().add_subplot()).texts[0].get_text()
    assert model.get_feature_names_out().tolist() == []
    assert len(model.to_pandas()) == 0
    with pytest.raises(NotFittedError):
        recovery.SparseReLURegressor().plot()
    assert not hasattr(recovery.SparseReLUClassifier(), "network_")


def test_derivatives_of_the_losses_are_differences():
    rng = np.random.default_rng(12)
    outputs, labels = rng.standard_normal((7, 3)), rng.integers(0, 3, 7)
    step = rng.standard_normal((7, 3))
    for out, y, classes in ((outputs, labels, True), (outputs[:, :1], rng.standard_normal(7), False)):
        move = step[:, : out.shape[1]]
        numeric = (_loss(out + 1e-6 * move, y, classes)[0] - _loss(out - 1e-6 * move, y, classes)[0]) / 2e-6
        assert (_loss(out, y, classes)[1] * move).sum() == pytest.approx(numeric, rel=1e-6)


@pytest.mark.parametrize("cls", ALL)
def test_frames_pipelines_pickles_and_grids(cls):
    pandas = pytest.importorskip("pandas")
    X, y, _ = planted_data(n=60, p=8, noise=0.1)
    y = (y > np.median(y)).astype(int) if cls is recovery.SparseReLUClassifier else y
    frame = pandas.DataFrame(X, columns=[f"f{j}" for j in range(8)])
    quick = {"cv": 2} if cls in SELECTORS else {"sparsity": 6, "max_iter": 10, "restarts": 0}
    model = cls(**quick).fit(frame, y)
    assert model.feature_names_in_.tolist() == list(frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list(frame.columns[::-1])])
    for copied in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(copied.predict(frame), model.predict(frame))
    assert clone(model).get_params() == model.get_params()
    grid = {"fit_intercept": [True, False]}
    if cls is not recovery.SparseRegressorCV:
        grid["sparsity"] = [3, 5]
    names = {f"{cls.__name__.lower()}__{key}": values for key, values in grid.items()}
    search = GridSearchCV(make_pipeline(StandardScaler(), cls(**quick)), names, cv=2).fit(frame, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    if cls in SELECTORS:
        assert model.get_feature_names_out().tolist() == [f"f{j}" for j in model.support_]
        model.set_output(transform="pandas")
        assert list(model.transform(frame).columns) == [f"f{j}" for j in model.support_]


def drawn(ax):
    """Return the lines of a plot by the label in its legend."""
    return dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))


@pytest.mark.parametrize("cls", SELECTORS)
def test_plots_of_the_path(cls):
    Figure = pytest.importorskip("matplotlib.figure").Figure
    X, y, _ = planted_data(noise=0.5)
    single = {"average": False} if cls is not linear_lottery.IMPRegressor else {}
    model = cls(**single).fit(X, y)
    ax = Figure().add_subplot()
    assert model.plot_path(ax) is ax
    lines = drawn(ax)
    used = np.flatnonzero(model.path_.coefs.any(axis=1))
    expected = {f"x{j}" if j in model.support_ else f"x{j} (not in the model)" for j in used}
    assert set(lines) == {*expected, f"chosen size: {model.sparsity_}"}
    assert ax.get_xlabel() == "features in the model"
    errors = model.plot_path(Figure().add_subplot(), show="errors")
    assert errors.get_ylabel() == "mean squared error in cross-validation"
    assert set(drawn(errors)) == {"best single model of each size", f"chosen size: {model.sparsity_}"}
    fixed = cls(sizes=[3]) if cls is recovery.SparseRegressorCV else cls(3)
    with pytest.raises(ValueError, match=r"path_ is None.*plot\(\) draws the coefficients"):
        fixed.fit(X, y).plot_path()
    assert fixed.path_ is None


def test_the_plot_of_an_average_shows_the_model_that_predicts():
    Figure = pytest.importorskip("matplotlib.figure").Figure
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(22)
    X = pandas.DataFrame(rng.standard_normal((50, 12)), columns=[f"f{j}" for j in range(12)])
    y = X.to_numpy()[:, :6].sum(axis=1) + 3.0 * rng.standard_normal(50)
    model = recovery.SparseRegressor(cv=KFold(4)).fit(X, y)
    path, size = model.path_, model.sparsity_
    assert not np.array_equal(path.coefs[:, path.best], model.coef_)
    ax = model.plot_path(Figure().add_subplot())
    (diamonds,) = ax.collections
    each = model.coef_ * X.to_numpy().std(axis=0)
    np.testing.assert_allclose(model.scale_, X.to_numpy().std(axis=0), rtol=1e-12)
    each = model.coef_ * model.scale_
    np.testing.assert_array_equal(diamonds.get_offsets(), [(size, each[j]) for j in model.support_])
    lines = drawn(ax)
    assert {f"f{j}" for j in model.support_} < set(lines)
    used = path.coefs.any(axis=1)
    assert sum(name.startswith("f") for name in lines) == used.sum()
    assert used.sum() > size  # so that some are not in the model
    assert lines[f"best single model: {path.size}"].get_xdata()[0] == path.size
    assert "the average, which predicts" in lines
    errors = drawn(model.plot_path(Figure().add_subplot(), show="errors"))
    assert errors[f"size of the average, which predicts: {size}"].get_xdata()[0] == size


def test_a_plot_of_the_path_shows_the_sizes_around_the_model():
    plt = pytest.importorskip("matplotlib.pyplot")
    rng = np.random.default_rng(3)
    X = rng.standard_normal((200, 60)) * np.geomspace(0.01, 40.0, 60)
    y = X[:, 3] / 0.015 + 0.1 * rng.standard_normal(200)
    model = recovery.SparseRegressor(selection="ebic").fit(X, y)
    assert model.path_.sizes[-1] == 60
    for show in ("coefficients", "errors"):
        ax = model.plot_path(show=show)
        limit = max(10, 3 * max(model.sparsity_, model.path_.size))
        assert ax.get_xlim()[1] == pytest.approx(1.03 * limit)
        # the new figure makes room for the legend, beside the lines
        ax.figure.canvas.draw()
        assert ax.get_legend().get_window_extent().x0 >= ax.get_window_extent().x1
        plt.close(ax.figure)
        ax = model.plot_path(plt.figure().add_subplot(), show=show, largest=4)
        assert ax.get_xlim()[1] == pytest.approx(4.12)
        inside = model.path_.sizes <= 4
        if show == "errors":
            heights = model.path_.errors[inside]
            assert ax.get_ylim()[1] <= heights.max() + 0.06 * np.ptp(heights)
        plt.close(ax.figure)
    assert model.plot_path(plt.figure().add_subplot(), largest=100).get_xlim()[1] >= 60
    plt.close("all")
    with pytest.raises(ValueError, match="largest=0"):
        model.plot_path(largest=0)


@pytest.mark.parametrize("cls", SELECTORS)
@pytest.mark.parametrize("standardize", [True, False])
def test_the_table_of_a_model_compares_features_of_different_units(cls, standardize):
    pandas = pytest.importorskip("pandas")
    Figure = pytest.importorskip("matplotlib.figure").Figure
    X, y, _ = planted_data(noise=0.2)
    frame = pandas.DataFrame(np.column_stack([X, np.full(80, 7.0)]), columns=[*map("g{}".format, range(12)), "same"])
    weights = np.ones(80)
    weights[:20] = 3.0
    model = cls(standardize=standardize).fit(frame, y, sample_weight=weights)
    table = model.to_pandas()
    assert list(table.columns) == ["feature", "coefficient", "per_standard_deviation", "share"]
    assert set(table["feature"]) == set(model.get_feature_names_out())
    rows = np.repeat(X, weights.astype(int), axis=0)
    for _, (name, coefficient, each, share) in table.iterrows():
        j = int(name[1:])
        assert coefficient == model.coef_[j]
        assert each == pytest.approx(coefficient * rows[:, j].std(), rel=1e-9)
        assert 1.0 / 3.0 <= share <= 1.0
    assert (np.diff(table["per_standard_deviation"].abs()) <= 0.0).all()
    whole = model.to_pandas(all_features=True)
    assert len(whole) == 13
    same = whole.set_index("feature").loc["same"]
    assert same["coefficient"] == same["per_standard_deviation"] == 0.0
    assert (whole["share"] < 1.0 / 3.0).sum() == 13 - model.sparsity_
    ax = model.plot(Figure().add_subplot())
    assert [one.get_text() for one in ax.get_yticklabels()] == table["feature"].tolist()[::-1]
    assert [bar.get_width() for bar in ax.patches] == table["per_standard_deviation"].tolist()[::-1]
    constant = cls(0) if cls is not recovery.SparseRegressorCV else cls([0])
    constant.fit(X, y)
    assert len(constant.to_pandas()) == 0
    assert "constant" in constant.plot(Figure().add_subplot()).texts[0].get_text()


def test_a_path_is_shown_in_a_line():
    X, y, _ = planted_data(noise=0.5)
    model = recovery.SparseRegressor(average=False).fit(X, y)
    path = model.path_
    assert type(path) is recovery.SparsePath
    shown = repr(path)
    assert len(shown) < 200
    assert shown.startswith(f"SparsePath({len(path.sizes)} sizes from 0 to 12, 12 features; chosen: size {path.size}, ")
    assert f"error {path.errors[path.best]:.4g} +- {path.spread[path.best]:.2g}, found by {model.family_}" in shown
    assert "+-" not in repr(recovery.SparseRegressor(selection="ebic").fit(X, y).path_)


def test_the_share_of_a_feature_is_that_of_the_models_that_use_it():
    X, y, _ = planted_data(noise=2.0)
    model = recovery.SparseRegressorCV(sizes=range(9), ridges=[0.0], solver="omp").fit(X, y)
    path = model.path_
    weights = np.exp(-0.5 * len(X) * (path.errors / path.errors.min() - 1.0))
    np.testing.assert_allclose(model.inclusion_, (path.coefs != 0.0) @ weights / weights.sum(), rtol=1e-9, atol=1e-15)
    assert ((model.inclusion_ > 0.0) & (model.inclusion_ < 1.0 / 3.0)).any()
    assert set(np.flatnonzero(model.inclusion_ >= 1.0 / 3.0)) == set(model.support_)
    alone = recovery.SparseRegressor(3, ridge=0.0).fit(X, y)
    np.testing.assert_array_equal(alone.inclusion_, alone.coef_ != 0.0)


def test_a_plot_of_many_features_names_those_of_the_model_and_counts_the_others():
    Figure = pytest.importorskip("matplotlib.figure").Figure
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 60))
    y = X[:, :2] @ [2.0, 1.0] + 0.1 * rng.standard_normal(200)
    model = recovery.SparseRegressor(selection="ebic").fit(X, y)
    ax = model.plot_path(Figure().add_subplot())
    used = int(model.path_.coefs.any(axis=1).sum())
    assert set(drawn(ax)) == {"x0", "x1", f"{used - 2} features that are not in the model", "chosen size: 2"}
    assert len(ax.lines) == used + 1
    assert model.plot_path(Figure().add_subplot(), show="errors").get_ylabel() == "EBIC"
    # the largest model
    with pytest.warns(UserWarning, match="no model fits the data so closely"):
        dense = recovery.SparseRegressor(selection="noise", noise_level=0.0).fit(X[:, :25], y)
    assert len(dense.support_) == 25
    named = drawn(dense.plot_path(Figure().add_subplot()))
    assert [name for name in named if name.endswith("more")] == ["5 more"]


def test_a_new_figure_is_one_that_a_notebook_shows():
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    X, y, _ = planted_data()
    ax = recovery.SparseRegressor(selection="ebic").fit(X, y).plot_path()
    assert plt.gcf() is ax.figure
    plt.close(ax.figure)


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (recovery.SparseRegressor("all"), "sparsity='all'"),
        (recovery.SparseRegressor(99), r"sparsity=99 .*12"),
        (recovery.SparseRegressor(2, "nothing"), "solver='nothing' is not known"),
        (recovery.SparseRegressor(2, 7), "solver=7 is of type int"),
        (recovery.SparseRegressor(ridge=-1.0), "ridge=-1.0"),
        (recovery.SparseRegressor(ridge="auto"), "ridge='auto'"),
        (recovery.SparseRegressor(fit_intercept=1), "fit_intercept=1 is of type int"),
        (recovery.SparseRegressor(cv=1), "cv=1"),
        (recovery.SparseRegressor(selection="aic"), "selection='aic'"),
        (recovery.SparseRegressor(selection="validation"), "validation_set is None"),
        (recovery.SparseRegressor(selection="noise"), "noise_level=None"),
        (recovery.SparseRegressor(noise_level=0.1), "selection='cv' and noise_level=0.1"),
        (recovery.SparseRegressor(average=1), "average=1 is of type int"),
        (recovery.SparseRegressorCV(sizes=[]), r"sizes=\[\]"),
        (recovery.SparseRegressorCV(sizes=[3, -1]), r"sizes\[1\]=-1"),
        (recovery.SparseRegressorCV(ridges=[-0.5]), r"ridges\[0\]=-0.5"),
        (linear_lottery.IMPRegressor(schedule="slow"), "schedule='slow'"),
        (linear_lottery.IMPRegressor(flow_time=-1.0), "flow_time=-1.0"),
        (recovery.SparseReLURegressor(0), "n_neurons=0"),
        (recovery.SparseReLURegressor(2, 0, fit_intercept=False), "sparsity=0 without an intercept"),
        (recovery.SparseReLUClassifier(2, 1000), "sparsity=1000"),
    ],
)
def test_bad_parameters_are_refused_with_a_sentence(model, match):
    X, y, _ = planted_data()
    with pytest.raises((ValueError, TypeError), match=match):
        model.fit(X, y > 0.0 if isinstance(model, recovery.SparseReLUClassifier) else y)


WRITES_OUT = (
    linear_lottery.IMPRegressor(),
    recovery.SparseReLURegressor(2, 4, restarts=0, max_iter=20),
    recovery.SparseReLUClassifier(2, 6, restarts=0, max_iter=20),
)


def numbers(model):
    return [model.coef_, model.intercept_] if hasattr(model, "coef_") else [*model.coefs_, *model.intercepts_]


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_array, sp.coo_array])
@pytest.mark.parametrize("model", WRITES_OUT, ids=lambda model: type(model).__name__)
def test_models_that_need_all_numbers_write_a_sparse_matrix_out(model, kind):
    rng = np.random.default_rng(8)
    X = np.where(rng.uniform(size=(50, 6)) < 0.5, rng.integers(-3, 4, (50, 6)), 0)
    y = X[:, 1] - 2.0 * X[:, 4] + 0.1 * rng.standard_normal(50)
    y = y > 0.0 if isinstance(model, recovery.SparseReLUClassifier) else y
    given = kind(X)
    before = given.toarray()
    dense, found = clone(model).fit(X, y), clone(model).fit(given, y)
    for left, right in zip(numbers(found), numbers(dense), strict=True):
        np.testing.assert_array_equal(left, right)
    np.testing.assert_array_equal(given.toarray(), before)
    np.testing.assert_array_equal(found.support_, dense.support_)
    if hasattr(dense, "predict_proba"):
        np.testing.assert_allclose(found.predict_proba(given), dense.predict_proba(X), rtol=1e-12, atol=1e-15)
    else:  # sums of at most 6 products, in another order
        np.testing.assert_allclose(found.predict(given), dense.predict(X), rtol=0, atol=1e-13 * np.abs(y).max())
    assert get_tags(model).input_tags.sparse


@pytest.mark.parametrize("model", WRITES_OUT, ids=lambda model: type(model).__name__)
def test_a_sparse_matrix_that_is_too_large_to_write_out_is_a_sentence(model, monkeypatch):
    monkeypatch.setattr(arguments, "WRITTEN", 1000)
    few, many = sp.csr_array(np.eye(50, 20)), sp.csr_array(np.eye(50, 21))
    y = np.arange(50) % 2
    with pytest.raises(
        ValueError, match=rf"shape \(50, 21\), with 1,050 entries.*{type(model).__name__} .*at most 1,000"
    ):
        clone(model).fit(many, y)
    fitted = clone(model).fit(few, y)
    assert fitted.predict(sp.vstack([few] * 3, format="csr")).shape == (150,)  # a prediction writes nothing out


def test_weights_that_are_no_weights():
    X, y, _ = planted_data()
    with pytest.raises(ValueError, match="sample_weight has negative elements"):
        recovery.SparseRegressor(2).fit(X, y, sample_weight=-np.ones(len(y)))


@pytest.mark.slow
def test_examples_of_the_page_run(tmp_path, monkeypatch, capsys):
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)  # one of them writes a file
    page = Path(__file__).parents[2] / "docs" / "guide" / "estimators.md"
    table, digits, pipeline, saved = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    exec(table, {})
    names, score = capsys.readouterr().out.rsplit(maxsplit=1)
    assert "'bmi'" in names
    assert 0.3 < float(score) < 0.45
    assert (tmp_path / "path.png").stat().st_size > 1000
    exec(digits, {})
    weights, pixels, error = capsys.readouterr().out.split()
    assert int(weights) <= 400
    assert int(pixels) <= 64
    assert float(error) < 0.1
    exec(pipeline + saved, {})
    assert (tmp_path / "pipeline.joblib").stat().st_size > 1000


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("classes", [True, False])
def test_training_descends_and_keeps_zeros(classes, biases):
    rng = np.random.default_rng(25)
    Z = rng.standard_normal((120, 6))
    y = (Z[:, 0] > 0).astype(int) + (Z[:, 1] > 1) if classes else 3.0 * np.abs(Z[:, 0]) + 0.1 * Z[:, 1]
    training = _Training(Z, y, classes, biases, 0.01)
    W = np.where(rng.uniform(size=(6, 4)) < 0.6, rng.standard_normal((6, 4)), 0.0)
    V = rng.standard_normal((4, 3)) if classes else np.array([[1.0], [-1.0], [1.0], [-1.0]])
    start = _Weights(W, np.zeros(4), V, np.zeros(V.shape[1]))
    end, steps = training.polished(start, 100)
    assert 0 < steps <= 100
    assert training.loss(end) < training.loss(start)
    assert not end.W[W == 0.0].any()
    assert end.b.any() == end.c.any() == biases
    if not classes:
        np.testing.assert_array_equal(end.V, V)
        # the loss in its units: mean square over twice the variance, and the ridge on weights over the deviation
        expected = 0.5 * ((end(Z)[:, 0] - y) ** 2).mean() / y.var() + 0.005 * (end.W**2).sum() / y.var()
        assert training.loss(end) == pytest.approx(expected, rel=1e-12)
    network, _ = training.pruned(4, V.shape[1], 7, 30, np.random.default_rng(0))
    assert (network.W != 0.0).sum() + (int((network.V != 0.0).sum()) if classes else 0) <= 7


@pytest.mark.slow
def test_the_ridge_of_classifiers_helps_on_rows_that_were_not_seen():
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, random_state=1, stratify=y)
    models = [recovery.SparseReLUClassifier(20, 400, ridge=t).fit(X, y) for t in (0.0, 0.01)]
    # without it probabilities go to 0 and 1
    without, ridged = (log_loss(y_test, model.predict_proba(X_test)) for model in models)
    assert ridged < 0.7 * without
    assert models[1].score(X_test, y_test) > 0.95
