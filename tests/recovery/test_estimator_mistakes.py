"""Mistakes in a table: the error names the column and the row, and says what to do."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.model_selection import KFold

import linear_lottery
import recovery
from planted.base.frames import first_bad_cell

pandas = pytest.importorskip("pandas")
pytest.importorskip("sklearn")
ALL = (
    recovery.SparseRegressor,
    recovery.SparseRegressorCV,
    linear_lottery.IMPRegressor,
    recovery.SparseReLURegressor,
    recovery.SparseReLUClassifier,
)


def table():
    """Return a frame of 20 rows, with row numbers that do not start at 0, and a target of two values."""
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(rng.standard_normal((20, 4)), columns=["age", "sex", "bmi", "bp"], index=range(100, 120))
    return frame, pandas.Series((rng.uniform(size=20) > 0.5) * 1.0, index=frame.index)


@pytest.mark.parametrize("cls", ALL)
def test_text_in_a_column_is_named_with_advice(cls):
    X, y = table()
    X["sex"] = ["1.5"] * 7 + ["f"] + ["2"] * 12  # text that is a number is accepted
    with pytest.raises(ValueError, match=r"column 'sex' of X, row 7 \(index 107\) holds 'f', .*OneHotEncoder"):
        cls().fit(X, y)
    X.iloc[2, 0] = np.nan  # the gap is not what the conversion fails on
    with pytest.raises(ValueError, match="column 1 of X, row 7 holds 'f'"):
        cls().fit(X.to_numpy(), y)


@pytest.mark.parametrize("cls", ALL)
def test_missing_values_are_named_with_advice(cls):
    X, y = table()
    clean = X.copy()
    X.iloc[[5, 9], 2] = np.nan
    match = r"Input X contains NaN. In column 'bmi' of X, 2 value\(s\) are missing .*row 5 \(index 105\).*SimpleImputer"
    with pytest.raises(ValueError, match=match):
        cls().fit(X, y)
    known = clean.astype("Float64")
    known.iloc[3, 3] = pandas.NA
    with pytest.raises(ValueError, match=r"column 'bp' of X, 1 value\(s\) are missing"):
        cls().fit(known, y)
    quick = {"sparsity": 2, "max_iter": 1, "restarts": 0} if "max_iter" in cls().get_params() else {"cv": 2}
    model = cls(**quick).fit(clean, y)
    with pytest.raises(ValueError, match="column 'bmi' of X"):
        model.predict(X)
    clean.iloc[1, 0] = np.inf
    with pytest.raises(ValueError, match=r"infinity.*column 'age' of X, 1 value\(s\) are infinite"):
        cls().fit(clean, y)
    y.iloc[4] = np.nan
    advice = r"row 4 \(index 104\); leave out these rows of X and y, .*notna\(\)$"
    with pytest.raises(ValueError, match=r"Input y contains NaN. In y, 1 value\(s\) .* " + advice):
        cls().fit(table()[0], y)


def test_all_columns_of_text_are_named_and_one_that_identifies_rows_is_recognised():
    X, y = table()
    X["batch"] = list("ab") * 10
    X["sample"] = [f"s{i}" for i in range(20)]
    with pytest.raises(
        ValueError, match=r"'a', which is not a number \(2 columns with text: 'batch', 'sample'\); make"
    ):
        recovery.SparseRegressor().fit(X, y)
    del X["batch"]
    match = r"column 'sample' .* has 20 different values, so it seems to identify the rows: leave it out"
    with pytest.raises(ValueError, match=match):
        recovery.SparseRegressor().fit(X, y)
    X, y = table()
    X.iloc[3, 0] = X.iloc[5, 2] = X.iloc[6, 2] = np.nan
    with pytest.raises(ValueError, match=r"row 3 \(index 103\) \(2 columns with missing values: 'age', 'bmi'\); fill"):
        recovery.SparseRegressor().fit(X, y)
    with pytest.raises(ValueError, match=r"In y, row 2 .*'high', which is not a number; make numbers of it, or for cl"):
        recovery.SparseRegressor().fit(table()[0], [1.0, 2.0, "high", *range(17)])


@pytest.mark.parametrize("cls", ALL)
def test_a_parameter_that_cannot_be_saved_is_named_with_a_way_out(cls, tmp_path):
    X, y = table()
    quick = {"sparsity": 2, "max_iter": 1, "restarts": 0} if "max_iter" in cls().get_params() else {}
    model = cls(cv=KFold(3), **quick).fit(X, y)
    with pytest.raises(TypeError, match=r"^cv=KFold\(.* is of type KFold, .* call set_params\(cv=5\)"):
        model.save(tmp_path / "model.json")
    model.set_params(cv=5).save(tmp_path / "model.json")
    np.testing.assert_array_equal(cls.load(tmp_path / "model.json").predict(X), model.predict(X))


def test_cells_of_a_sparse_matrix_and_of_lists():
    X, y = table()
    X.iloc[5, 2] = np.nan
    with pytest.raises(ValueError, match=r"column 2 of X, .* row 5"):
        recovery.SparseRegressor().fit(sp.csr_array(X.to_numpy()), y)
    assert first_bad_cell([[1.0, 2.0], [3.0, None]]).row == 1
    assert first_bad_cell([[1, 2], [3, 4]]) is None
    assert first_bad_cell(sp.csr_array(np.eye(2))) is None
    cell = first_bad_cell(np.array([1.0, np.inf, np.nan, np.inf]))
    assert (cell.kind, cell.row, cell.column, cell.count) == ("infinite", 1, None, 2)
    dates = pandas.DataFrame({"day": pandas.to_datetime(["2020-01-01", "2020-01-02"])})
    assert (first_bad_cell(dates).kind, first_bad_cell(dates).column) == ("text", "day")


def test_errors_about_the_shape_stay_as_they_are():
    X, y = table()
    for cls in ALL:
        with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
            cls().fit(X, None)
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[20, 19\]$"):
        recovery.SparseRegressor().fit(X, y.iloc[:-1])


def test_solve_names_the_column_of_a_frame():
    X, y = table()
    text, missing = X.copy(), X.copy()
    text["sex"] = ["f", "m"] * 10
    missing.iloc[5, 2] = np.nan
    with pytest.raises(TypeError, match=r"A has dtype .*; expected real numbers; column 'sex' holds 'f' in row 0"):
        recovery.solve(text, y, 1)
    with pytest.raises(ValueError, match="column 'bmi' holds nan in row 5"):
        recovery.solve(missing, y, 1)
    with pytest.raises(ValueError, match="column 'bmi' holds nan in row 5"):
        recovery.fit_network(missing, y, n_neurons=1, sparsity=1)


@pytest.mark.parametrize(
    ("model", "error", "match"),
    [
        (recovery.SparseRegressor(5), ValueError, r"between 0 and 4: X has 4 feature\(s\)"),
        (linear_lottery.IMPRegressor(5), ValueError, r"between 0 and 4: X has 4 feature\(s\)"),
        (recovery.SparseRegressorCV([2, 5]), ValueError, r"sizes\[1\]=5 .*: X has 4 feature\(s\)"),
        (recovery.SparseReLURegressor(2, 9), ValueError, r"0 and 8: 2 neuron\(s\) with 4 feature\(s\) have 8 weight"),
        (recovery.SparseReLUClassifier(2, 13), ValueError, r"0 and 12: .* and 2 classes have 12 weight"),
        (recovery.SparseRegressor("auto"), ValueError, "expected 'cv' or an integer"),
        (linear_lottery.IMPRegressor("auto"), ValueError, "expected 'cv' or an integer"),
        (recovery.SparseReLURegressor(2, "auto"), ValueError, "expected 'cv', None or an integer between 0 and 8"),
        (recovery.SparseRegressor(2.5), TypeError, "expected 'cv' or an integer"),
        (recovery.SparseRegressor(ridge="auto"), ValueError, "expected 'cv' or a number"),
    ],
)
def test_a_limit_says_where_it_comes_from(model, error, match):
    with pytest.raises(error, match=match):
        model.fit(*table())
