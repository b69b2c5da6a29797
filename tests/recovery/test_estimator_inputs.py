"""Estimators on awkward data: constants, large means, extreme units, nearly dependent columns, names, memory orders."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

import linear_lottery
import recovery
from recovery.estimators import paths
from recovery.estimators.inputs import CentredOperator, distinct_rows, prepare

pytestmark = pytest.mark.numeric


def data(n=60, p=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return X, 1.0 + 2.0 * X[:, 1] - X[:, 4], rng


def test_the_names_of_a_validation_set_are_compared_with_those_of_the_fit():
    pd = pytest.importorskip("pandas")
    X, y, _ = data()
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = recovery.SparseRegressor(selection="validation")
    model.fit(frame[:40], y[:40], validation_set=(frame[40:], y[40:]))
    assert model.get_feature_names_out().tolist() == ["b", "e"]
    with pytest.raises(ValueError, match=r"validation_set: The feature names should match"):
        model.fit(frame[:40], y[:40], validation_set=(frame[40:][list("fedcba")], y[40:]))
    with pytest.raises(ValueError, match="validation_set: X has 5 features"):
        model.fit(X[:40], y[:40], validation_set=(X[40:, :5], y[40:]))
    with pytest.raises(TypeError, match=r"validation_set is of type int, which is not a pair; expected \(X, y\)"):
        model.fit(X[:40], y[:40], validation_set=3)


@pytest.mark.parametrize(
    "model", [recovery.SparseRegressor(4), recovery.SparseRegressor(4, ridge=0.0), linear_lottery.IMPRegressor(4)]
)
def test_the_sparsity_of_a_model_is_the_number_of_its_coefficients(model):
    X, y, _ = data()
    X[:, 2:] = 3.0  # constant
    model.fit(X, y)
    assert model.sparsity_ == len(model.support_) == np.count_nonzero(model.coef_) == 2
    assert model.support_.tolist() == [0, 1]


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("sparsity", [2, "cv"])
def test_nearly_dependent_features_keep_their_digits(sparse, sparsity):
    _, _, rng = data()
    z = rng.standard_normal(80)
    gap = 1e-6
    X = np.column_stack([z, z + gap * rng.standard_normal(80)])
    y = 2.0 * X[:, 0] - X[:, 1] + 0.5
    model = recovery.SparseRegressor(sparsity, ridge=0.0).fit(sp.csr_array(X) if sparse else X, y)
    # least squares on columns with a condition number of 2 / gap: the Gram matrix has its square
    np.testing.assert_allclose(model.coef_, [2.0, -1.0], atol=100 * np.finfo(float).eps / gap)


@pytest.mark.parametrize("mean", [1e3, 1e6, 1e9, 1e12])
@pytest.mark.parametrize("sparse", [False, True])
def test_features_with_large_means_are_not_constant(mean, sparse):
    X, y, rng = data()
    X = X + mean
    weights = rng.uniform(0.5, 2.0, len(y))
    given = sp.csc_array(X) if sparse else X
    problem = prepare(given, y, weights, True, True)
    share = weights / weights.sum()
    # exact up to the rounding of the means, which are taken from the middle
    Z = X - mean
    Z = Z - share @ Z
    scale = np.sqrt(share @ (Z * Z))
    np.testing.assert_allclose(problem.scale, scale, rtol=1e-12)
    np.testing.assert_allclose(problem.mean, mean + share @ (X - mean), rtol=4 * np.finfo(float).eps)
    model = recovery.SparseRegressor().fit(given, y)
    assert set(model.support_.tolist()) >= {1, 4}
    assert model.score(X, y) > 1.0 - 1e-6 - (1e-16 * mean) ** 2 * 100


def test_norms_of_centred_sparse_columns_do_not_cancel():
    X, _, rng = data(n=40)
    X = X + 1e7
    X[5:, 2] = 0.0  # few stored entries
    X[:, 3] = 0.0
    X[0, 4] = 0.0
    weights = rng.uniform(0.1, 1.0, 40)
    weights[7] = 0.0
    weights /= weights.sum()
    mean = X.T @ weights
    operator = CentredOperator(sp.csc_array(X), np.sqrt(weights), mean, np.ones(6))
    expected = np.linalg.norm(np.sqrt(weights)[:, None] * (X - mean), axis=0)
    np.testing.assert_allclose(operator.column_norms(), expected, rtol=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6 - 0.1, 1e-300])
@pytest.mark.parametrize(
    "model",
    [
        recovery.SparseRegressor(),
        recovery.SparseRegressor(selection="ebic"),
        recovery.SparseRegressor(sparsity=2),
        linear_lottery.IMPRegressor(),
        recovery.SparseReLURegressor(2, 4),
    ],
)
def test_constant_targets_need_no_feature(model, value):
    X, _, _ = data(n=53)
    model.fit(X, np.full(53, value))
    assert model.support_.tolist() == []
    np.testing.assert_allclose(model.predict(X), value, rtol=1e-12)


@pytest.mark.parametrize("value", [0.1, 1e6 + 0.1])
@pytest.mark.parametrize("sparse", [False, True])
def test_constant_features_are_never_used(value, sparse):
    X, y, rng = data(n=53)
    X[:, 0] = value
    X[:, 3] = value * (1.0 + np.finfo(float).eps * rng.integers(-2, 3, 53))  # constant up to rounding
    y = y + rng.standard_normal(53)
    model = recovery.SparseRegressor(sparsity=6).fit(sp.csr_array(X) if sparse else X, y)
    assert model.support_.tolist() == [1, 2, 4, 5]


def test_rows_are_counted_by_their_numbers_and_not_by_how_they_are_stored():
    X = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [3.0, 0.0, 0.0]])
    stored = sp.csr_array(
        (np.array([1.0, 2.0, 2.0, 0.5, 0.5, 3.0, 0.0]), np.array([1, 2, 2, 1, 1, 0, 1]), np.array([0, 2, 5, 7])),
        shape=(3, 3),
    )
    np.testing.assert_array_equal(stored.toarray(), X)
    model = recovery.SparseRegressor()
    found, weights = model._checked(stored, np.array([1.0, 2.0, 3.0]), None)[0:3:2]
    assert distinct_rows(found, weights) == distinct_rows(X, weights) == 2
    assert distinct_rows(np.array([[0.0, 1.0], [-0.0, 1.0]]), np.ones(2)) == 1
    assert stored.nnz == 7  # the caller's matrix is left as it was


def test_a_noise_level_that_no_model_reaches_is_a_warning():
    X, y, rng = data()
    y = y + rng.standard_normal(60)
    with pytest.warns(UserWarning, match="noise_level=0.01: no model fits the data so closely"):
        model = recovery.SparseRegressor(selection="noise", noise_level=0.01).fit(X, y)
    assert model.sparsity_ == 6


@pytest.mark.parametrize("cls", [recovery.SparseReLURegressor, recovery.SparseReLUClassifier])
def test_networks_select_features_in_a_pipeline(cls):
    X, y, _ = data(n=200)
    target = (y > 1.0).astype(int)
    chooser = cls(2, 4, random_state=0)
    model = make_pipeline(chooser, LogisticRegression()).fit(X, target)
    support = model[0].support_
    assert 0 < len(support) <= 4
    np.testing.assert_array_equal(model[0].transform(X), X[:, support])
    np.testing.assert_array_equal(model[0].get_support(indices=True), support)
    assert model[:-1].get_feature_names_out().tolist() == [f"x{j}" for j in support]
    assert model[-1].coef_.shape == (1, len(support))


UNITS = [(1e-200, 1.0), (1e200, 1.0), (1.0, 1e-200), (1.0, 1e200), (1e-200, 1e-200), (1e200, 1e200)]


@pytest.mark.parametrize(("of_x", "of_y"), UNITS)
@pytest.mark.parametrize(
    "model",
    [
        recovery.SparseRegressor(cv=2),
        recovery.SparseRegressor(2, ridge=0.0),
        recovery.SparseRegressor(selection="ebic"),
        linear_lottery.IMPRegressor(),
        recovery.SparseReLURegressor(2, 4),
    ],
)
def test_units_whose_squares_are_out_of_range_change_nothing(model, of_x, of_y):
    X, y, rng = data()
    y = y + 0.1 * rng.standard_normal(60)
    of_x, of_y = 2.0 ** np.round(np.log2(of_x)), 2.0 ** np.round(np.log2(of_y))
    plain = model.fit(X, y)
    expected, support = plain.predict(X), plain.support_.tolist()
    path = getattr(plain, "path_", None)
    model.fit(X * of_x, y * of_y)
    assert model.support_.tolist() == support
    np.testing.assert_allclose(model.predict(X * of_x) / of_y, expected, rtol=1e-9)
    if path is not None:
        assert model.path_.sizes.tolist() == path.sizes.tolist()
        np.testing.assert_allclose(model.path_.coefs * of_x / of_y, path.coefs, rtol=1e-9, atol=1e-12)
        if getattr(model, "selection", "cv") == "ebic":
            np.testing.assert_allclose(model.path_.errors, path.errors + 120.0 * np.log(of_y), rtol=1e-9)


@pytest.mark.parametrize("of_x", [1e-200, 1e200])
def test_units_of_features_do_not_matter_for_sparse_matrices_and_classes(of_x):
    X, y, _ = data()
    of_x = 2.0 ** np.round(np.log2(of_x))
    plain = recovery.SparseRegressorCV(sizes=[1, 2, 4], cv=2).fit(sp.csr_array(X), y)
    model = recovery.SparseRegressorCV(sizes=[1, 2, 4], cv=2).fit(sp.csr_array(X * of_x), y)
    np.testing.assert_allclose(model.coef_ * of_x, plain.coef_, rtol=1e-9)
    classes = recovery.SparseReLUClassifier(2, 4).fit(X, y > 1.0).predict_proba(X)
    other = recovery.SparseReLUClassifier(2, 4).fit(X * of_x, y > 1.0).predict_proba(X * of_x)
    np.testing.assert_allclose(other, classes, rtol=1e-9)


@pytest.mark.parametrize("unit", [1.0, 2.0**600])
def test_a_noise_level_and_a_validation_set_have_the_unit_of_the_targets(unit):
    X, y, rng = data(n=200)
    y = y + 0.1 * rng.standard_normal(200)
    model = recovery.SparseRegressor(selection="noise", noise_level=0.12 * unit).fit(X, y * unit)
    assert model.support_.tolist() == [1, 4]
    model = recovery.SparseRegressor(selection="validation", average=False)
    model.fit(X[:100], y[:100] * unit, validation_set=(X[100:], y[100:] * unit))
    assert {1, 4} <= set(model.support_.tolist())
    np.testing.assert_allclose(model.coef_[[1, 4]] / unit, [2.0, -1.0], atol=0.1)


@pytest.mark.parametrize("cls", [recovery.SparseReLURegressor, recovery.SparseRegressor, linear_lottery.IMPRegressor])
def test_the_order_in_memory_changes_no_bit(cls):
    X, y, rng = data(n=60, p=8)
    y = y + 0.1 * rng.standard_normal(60)
    one, other = cls().fit(X, y), cls().fit(np.asfortranarray(X), y)
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


def test_targets_that_are_text_are_named():
    X, _, _ = data()
    for cls in (recovery.SparseRegressor, linear_lottery.IMPRegressor, recovery.SparseReLURegressor):
        with pytest.raises(ValueError, match="In y, row 0 holds 'low', which is not a number"):
            cls().fit(X, np.array(["low"] * 60))


@pytest.mark.parametrize("state", ["seed", -1, 1.5])
def test_a_bad_random_state_is_named(state):
    X, y, _ = data()
    with pytest.raises((TypeError, ValueError), match=f"random_state={state!r} is not understood"):
        recovery.SparseReLURegressor(2, random_state=state).fit(X, y)


def test_many_sparse_features_need_no_inner_products_with_all_of_them(monkeypatch):
    rng = np.random.default_rng(3)
    X = sp.random_array((80, 300), density=0.2, rng=rng, format="csc")
    y = X[:, [3, 40]] @ [3.0, -2.0] + 0.1 * rng.standard_normal(80)
    model = recovery.SparseRegressorCV(sizes=[1, 2, 4], cv=2)
    kept = model.fit(X, y).coef_
    monkeypatch.setattr(paths, "CACHED", 0)
    monkeypatch.setattr(paths._Products, "of", lambda self, S: pytest.fail("rows of inner products were formed"))
    np.testing.assert_allclose(model.fit(X, y).coef_, kept, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(("gap", "seed"), [(1e-6, 0), (1e-6, 2), (1e-5, 2)])
def test_an_average_keeps_the_fit_of_features_that_nearly_equal_others(gap, seed):
    """Models on twins have large coefficients that cancel; an average that drops one of two must not keep the other."""
    rng = np.random.default_rng(seed)
    X, new = rng.standard_normal((100, 10)), rng.standard_normal((1000, 10))
    coef = np.where(np.arange(10) < 2, 1.0, np.where(np.arange(10) == 2, -1.0, 0.0))
    y = X @ coef + rng.standard_normal(100)
    twins = [np.hstack([Z, Z + gap * rng.standard_normal(Z.shape)]) for Z in (X, new)]
    model, plain = recovery.SparseRegressor().fit(twins[0], y), LinearRegression().fit(twins[0], y)
    errors = [((one.predict(twins[1]) - new @ coef) ** 2).mean() for one in (model, plain)]
    assert errors[0] < errors[1]
    if gap == 1e-5:
        given = recovery.SparseRegressor().fit(sp.csr_array(twins[0]), y)
        assert ((given.predict(twins[1]) - new @ coef) ** 2).mean() < errors[1]


@pytest.mark.parametrize(("sizes", "seed"), [((3, 8), 0), ((3, 8), 3), ((5, None), 1)])
def test_a_network_that_may_be_larger_than_the_planted_one_still_fits_exactly(sizes, seed):
    X = np.random.default_rng(seed).standard_normal((300, 10))
    y = np.maximum(X[:, 0] - X[:, 1] + 0.5, 0.0) - np.maximum(X[:, 2], 0.0) + 2.0
    model = recovery.SparseReLURegressor(*sizes).fit(X, y)
    assert ((model.predict(X) - y) ** 2).mean() < 1e-20 * y.var()
    assert model.sparsity_ <= (sizes[1] or 50)
    assert model.coefs_[0].shape[1] <= sizes[0]
