"""``SparseRegressor`` and ``SparseRegressorCV``: sparse linear models as estimators of scikit-learn."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from planted.base.checks import check_choice, check_integer, check_number
from planted.base.extras import need
from planted.base.frames import data_frame
from recovery.estimators.arguments import checked_data, checked_ridge, checked_size
from recovery.estimators.inputs import Prepared, distinct_rows, far_exponent, prepare
from recovery.estimators.paths import (
    BLENDS,
    MOST,
    RIDGES,
    WITHIN,
    Candidates,
    Found,
    SparsePath,
    averaged,
    charged,
    default_sizes,
    ebic,
    included,
    lasso_penalties,
    mean_square,
    models,
    supports,
)
from recovery.estimators.selector import SparseSelector
from recovery.estimators.shown import draw_coefficients, draw_errors, draw_model, names_of_features
from recovery.estimators.stored import StoredEstimator
from recovery.operators.arithmetic import power, shifted
from recovery.solvers.base import Solver
from recovery.solvers.solve import SolverName, solve, solver_class

__all__ = ["LinearSelector", "SparseRegressor", "SparseRegressorCV", "best_of", "in_units", "splits_of"]

_USER = "an estimator"
BaseEstimator: Any = need("sklearn.base", _USER).BaseEstimator
RegressorMixin: Any = need("sklearn.base", _USER).RegressorMixin
validation: Any = need("sklearn.utils.validation", _USER)
check_cv: Any = need("sklearn.model_selection", _USER).check_cv
KFold: Any = need("sklearn.model_selection", _USER).KFold

Selection = Literal["cv", "ebic", "validation", "noise"]
CLOSE = 1e-9
"""Errors that differ by less than this, relative to the larger one, count as equal; the smaller model is then
chosen."""
REPEATS, ENTRIES = 4, 100_000
"""Number of repeated splits if `cv` is a number of folds: for data with this many entries, and in inverse proportion
for more."""


class LinearSelector(StoredEstimator, SparseSelector, RegressorMixin, BaseEstimator):
    """Common base of the linear estimators: predictions, the support as a feature selection, and the plot of the path.

    Attributes
    ----------
    coef_ : array, shape (n_features_in_,)
        Coefficients in units of the original features.
    intercept_ : float
        The intercept.
    support_ : array of int64
        The features with a non-zero coefficient, ascending.
    scale_ : array, shape (n_features_in_,)
        Standard deviations of the features (without an intercept their root mean squares), 0 for constants.
    inclusion_ : array, shape (n_features_in_,)
        Share of the averaging weight that models with the feature have; 1 and 0 if a single model predicts.
    path_ : SparsePath or None
        The best single model of every size; None if the size was given.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of str
        Names of the features, if they were passed as a data frame.
    """

    def _checked(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any, int]:
        """Return features, targets over a power of two, weights, and its exponent; store the names of the features."""
        X, y = checked_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=np.float64,
            y_numeric=True,
            ensure_min_samples=2,
        )
        if hasattr(X, "tocsr"):
            if not X.has_canonical_format or not X.data.all():
                X = X.copy()
                X.sum_duplicates()
                X.eliminate_zeros()
        weights = validation._check_sample_weight(sample_weight, X, dtype=np.float64)
        if (weights < 0.0).any() or not (weights > 0.0).any():
            raise ValueError("sample_weight has negative elements or none above 0; expected weights of at least 0")
        unit = far_exponent(y)
        return X, shifted(y, -unit), weights, unit

    def _keep(self, problem: Prepared, support: Any, values: Any, unit: int) -> None:
        """Store a model that was fitted to prepared data, whose targets were divided by 2^unit."""
        x = np.zeros(len(problem.mean))
        x[support] = values
        coef, intercept = problem.raw(x)
        self.coef_, self.intercept_ = shifted(coef, unit), power(float(intercept), unit)
        self.support_ = np.flatnonzero(self.coef_)
        self.sparsity_ = len(self.support_)
        self.scale_ = problem.spread()
        self.inclusion_ = (self.coef_ != 0.0) * 1.0

    def predict(self, X: Any) -> Any:
        """Return the predictions.

        Parameters
        ----------
        X : array, data frame or scipy sparse matrix, shape (n, n_features_in_)
            Features.

        Returns
        -------
        array, shape (n,)
            X coef_ + intercept_.
        """
        validation.check_is_fitted(self)
        X = checked_data(self, X, accept_sparse=["csr", "csc"], dtype=np.float64, reset=False)
        return X @ self.coef_ + self.intercept_

    def to_pandas(self, *, all_features: bool = False) -> Any:
        """Return the model as a table, with coefficients that can be compared.

        Parameters
        ----------
        all_features : bool, default False
            Include the features with coefficient 0.

        Returns
        -------
        pandas.DataFrame
            One row per feature: ``feature``, its name; ``coefficient``, in units of the feature;
            ``per_standard_deviation``, the change of the prediction if the feature grows by its standard deviation on
            the rows of the fit; and ``share``, the share of the averaging weight that models with the feature have.
            Rows are in descending order of the size of ``per_standard_deviation``, then of ``share``.

        Raises
        ------
        MissingExtra
            If pandas is not installed.
        """
        validation.check_is_fitted(self)
        each, names = self.coef_ * self.scale_, names_of_features(self)
        order = np.lexsort((-self.inclusion_, -np.abs(each)))
        if not all_features:
            order = order[self.coef_[order] != 0.0]
        content = {
            "feature": [names[j] for j in order],
            "coefficient": self.coef_[order],
            "per_standard_deviation": each[order],
            "share": self.inclusion_[order],
        }
        return data_frame(content, "to_pandas")

    def plot(self, ax: Any = None) -> Any:
        """Plot the coefficients per standard deviation of the features as bars, largest first.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on; by default those of a new figure, which a notebook shows.

        Returns
        -------
        matplotlib.axes.Axes
            The axes. Of many features only the 40 largest are drawn, and the title says so.

        Raises
        ------
        MissingExtra
            If matplotlib is not installed.
        """
        validation.check_is_fitted(self)
        return draw_model(ax, self.coef_ * self.scale_, names_of_features(self))

    def plot_path(
        self,
        ax: Any = None,
        *,
        show: Literal["coefficients", "errors"] = "coefficients",
        largest: int | None = None,
    ) -> Any:
        """Plot the best single model of every size, and the model that predicts.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on; by default those of a new figure, which a notebook shows. In a figure with a layout, such
            as that of ``plt.subplots(layout="constrained")``, the legend stands beside the axes.
        show : {"coefficients", "errors"}, default "coefficients"
            Coefficients per standard deviation of the features against the size, or what the choice of the size
            compared, with standard errors over the folds.
        largest : int, optional
            Largest size on the axis; by default three times the larger of the marked sizes, and at least 10.

        Returns
        -------
        matplotlib.axes.Axes
            The axes. A dashed line marks the size with the smallest error (for a noise level, the chosen size). If the
            model is an average, its coefficients are diamonds at its own size; it has no error of its own to draw.
            Features that are not in the model are grey.

        Raises
        ------
        MissingExtra
            If matplotlib is not installed.
        ValueError
            If no size was chosen, so that ``path_`` is None, or `show` is not known.
        """
        validation.check_is_fitted(self)
        check_choice(show, "show", ("coefficients", "errors"))
        path = self.path_
        if path is None:
            raise ValueError(
                "path_ is None: a model of one size has no path; expected an estimator that selects its size. plot() "
                "draws the coefficients"
            )
        if largest is not None:
            check_integer(largest, "largest", minimum=1)
        if show == "coefficients":
            return draw_coefficients(ax, path, self.coef_, self.scale_, names_of_features(self), largest)
        return draw_errors(ax, path, self.coef_, getattr(self, "selection", "cv"), largest)


def best_of(errors: Any, floor: float = -math.inf) -> int:
    """Return the index of the first smallest error, up to rounding; errors up to `floor` count as equal."""
    least = float(np.min(errors))
    if math.isinf(least):  # the EBIC of an exact fit to zeros
        return int(np.argmin(errors))
    return int(np.flatnonzero(errors <= max(least + CLOSE * abs(least), floor))[0])


def splits_of(cv: Any, X: Any, y: Any, weights: Any, repeats: int = 1) -> list[tuple[Any, Any]]:
    """Return the (train, test) rows of cross-validation, without splits in which either has no weight.

    An integer is limited to the number of rows, so that small data use leave-one-out. Splits into folds are repeated
    `repeats` times: first in the order of the rows, then with rows shuffled in a fixed way.
    """
    kinds = [cv]
    if isinstance(cv, Integral) and not isinstance(cv, bool):
        cv = min(check_integer(cv, "cv", minimum=2), len(y))
        # leave-one-out has only one split
        kinds = [cv, *(KFold(cv, shuffle=True, random_state=i) for i in range(repeats - 1 if cv < len(y) else 0))]
    splits = [split for kind in kinds for split in check_cv(kind).split(X, y)]
    found = [(train, test) for train, test in splits if weights[train].any() and weights[test].any()]
    if not found:
        raise ValueError(f"cv={cv!r} gives no split with weight on both sides; expected a number of folds, or splits")
    return found


class _SparseLinear(LinearSelector):
    """Common fit of :class:`SparseRegressor` and :class:`SparseRegressorCV`, which differ in their parameters."""

    solver: Any
    fit_intercept: bool
    standardize: bool
    cv: Any
    selection: Selection
    average: bool
    ebic_gamma: float
    noise_level: float | None

    def _sizes(self, most: int) -> Any:
        raise NotImplementedError

    def _ridges(self) -> tuple[float, ...]:
        raise NotImplementedError

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, validation_set: Any = None) -> Any:
        """Choose the size and the shrinkage, and fit the model.

        Parameters
        ----------
        X : array, data frame or scipy sparse matrix, shape (n, p)
            Features. A sparse matrix is converted to dense only for the Lasso, and only up to 2e7 entries.
        y : array, shape (n,)
            Targets.
        sample_weight : array, shape (n,), optional
            Weights of the squared errors; a row of weight 2 counts as two rows.
        validation_set : tuple (X, y), optional
            With ``selection="validation"``: the data on which the errors are measured.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._check_parameters(validation_set)
        X, y, weights, unit = self._checked(X, y, sample_weight)
        problem = prepare(X, y, weights, self.fit_intercept, self.standardize)
        rows = distinct_rows(X, weights)
        wide = X.shape[1] >= rows
        sizes, ridges = self._sizes(self._most(X.shape[1], rows)), self._ridges()
        self.path_: SparsePath | None = None
        if len(sizes) == 1 and len(ridges) == 1:
            (one,) = models(problem, self._one(problem, int(sizes[0])), ridges, ())
            self._keep(problem, one.found.support, one.values[:, 0], unit)
            self.ridge_, self.family_ = ridges[0], one.found.family
            return self
        on_rows = self.selection in ("ebic", "noise")
        if on_rows:
            ridges = ridges if len(ridges) == 1 else (0.0,)
        penalties = lasso_penalties(problem, wide)
        found = self._all(problem, sizes, ridges, penalties)
        keys = [one.found.key for one in found]
        shares, unseen = np.ones(1), float(rows)
        if self.selection == "ebic":
            total = float(weights.sum())
            each = [{key: ebic(problem, one, total, self.ebic_gamma) for key, one in zip(keys, found, strict=True)}]
        elif self.selection == "noise":
            each = [{key: mean_square(problem, one) for key, one in zip(keys, found, strict=True)}]
        elif self.selection == "validation":
            X_v, y_v = self._validation_rows(validation_set, unit)
            unseen = float(distinct_rows(X_v, np.ones(len(y_v))))
            each = [_errors(problem, found, X_v, y_v, np.ones(len(y_v)))]
        else:
            each, totals = [], []
            repeats = max(1, min(REPEATS, REPEATS * ENTRIES // (X.shape[0] * X.shape[1])))
            for train, test in splits_of(self.cv, X, y, weights, repeats):
                part = prepare(X[train], y[train], weights[train], self.fit_intercept, self.standardize)
                inner = self._all(part, sizes, ridges, penalties)
                each.append(_errors(part, inner, X[test], y[test], weights[test]))
                totals.append(weights[test].sum())
            shares = np.array(totals) / np.sum(totals)
        charges = (
            {one.found.key: charged(problem, one, rows) for one in found} if wide and self.selection == "cv" else {}
        )
        self._choose(problem, found, each, shares, charges, 0.0 if on_rows or not self.average else unseen, unit=unit)
        if len(sizes) == 1:
            self.path_ = None  # only the shrinkage was chosen
        elif unit:
            self.path_ = in_units(self.path_, unit, float(weights.sum()) if self.selection == "ebic" else None)
        return self

    def _validation_rows(self, validation_set: Any, unit: int) -> tuple[Any, Any]:
        """Return the features and the targets / 2^unit of the validation set; names have to be those of the fit."""
        try:
            X, y = validation_set
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"validation_set is of type {type(validation_set).__name__}, which is not a pair; expected (X, y)"
            ) from error
        try:
            X, y = checked_data(
                self, X, y, reset=False, accept_sparse="csr", dtype=np.float64, y_numeric=True, ensure_min_samples=1
            )
        except (TypeError, ValueError) as error:
            raise type(error)(f"validation_set: {error}") from error
        return X, shifted(y, -unit)

    def _most(self, p: int, rows: int) -> int:
        """Return the largest size worth computing."""
        if p < rows:
            return p
        if self.selection == "ebic" and rows > 2:
            # beyond this size, searches among many features fit the noise faster than the EBIC assumes
            return max(1, min(2 * rows // 5, int(rows / (math.log(p) * max(1.0, math.log(math.log(rows)))))))
        return max(1, 2 * rows // 5)  # half of the rows of a fold

    def _one(self, problem: Prepared, size: int) -> list[Found]:
        """Return the support of one size, found by the chosen solver."""
        # "auto" is the default of solve
        chosen = () if isinstance(self.solver, str) and self.solver == "auto" else (self.solver,)
        result = solve(problem.A, problem.b, size, *chosen)
        name = self.solver if isinstance(self.solver, str) else type(self.solver).__name__
        return [Found((name, size), size, np.sort(result.support))]

    def _all(self, problem: Prepared, sizes: Any, ridges: Any, penalties: Any) -> list[Candidates]:
        """Return the models of all sizes, or of the requested size."""
        if len(sizes) == 1:
            return models(problem, self._one(problem, int(sizes[0])), ridges, ())
        several = len(ridges) > 1
        found = supports(problem, sizes, self.solver, penalties, WITHIN if several else ridges)
        return models(problem, found, ridges, BLENDS if several else ())

    def _check_parameters(self, validation_set: Any) -> None:
        for name in ("fit_intercept", "standardize", "average"):
            value = getattr(self, name)
            if not isinstance(value, (bool, np.bool_)):
                raise TypeError(f"{name}={value!r} is of type {type(value).__name__}; expected a bool")
        if isinstance(self.solver, str):
            if self.solver != "auto":
                solver_class(self.solver)
        elif not isinstance(self.solver, Solver):
            raise TypeError(
                f"solver={self.solver!r} is of type {type(self.solver).__name__}; expected a name or a Solver"
            )
        check_choice(self.selection, "selection", ("cv", "ebic", "validation", "noise"))
        check_number(self.ebic_gamma, "ebic_gamma", minimum=0.0)
        if (validation_set is None) == (self.selection == "validation"):
            raise ValueError(
                f"selection={self.selection!r} and validation_set is {'None' if validation_set is None else 'given'}; "
                "expected a pair (X, y) with selection='validation', and None otherwise"
            )
        if (self.noise_level is None) == (self.selection == "noise"):
            raise ValueError(
                f"selection={self.selection!r} and noise_level={self.noise_level!r}; expected the standard deviation "
                "of the noise with selection='noise', and None otherwise"
            )
        if self.noise_level is not None:
            check_number(self.noise_level, "noise_level", minimum=0.0)

    def _choose(
        self,
        problem: Prepared,
        found: list[Candidates],
        each: Any,
        shares: Any,
        charges: Any,
        unseen: float,
        *,
        unit: int,
    ) -> None:
        """Store the best model of every size as the path, and the best of all, or the average by `unseen` rows.

        Targets were divided by 2^unit. The model gets its own units here, the path does not.
        """
        common = [one for one in found if all(one.found.key in errors for errors in each)]
        means = [
            sum(share * errors[one.found.key] for share, errors in zip(shares, each, strict=True)) for one in common
        ]
        if charges:
            means = [np.minimum(mean, charges[one.found.key]) for mean, one in zip(means, common, strict=True)]
        sizes = sorted({one.found.size for one in common})
        # relative to the squared targets, errors this small are rounding; the EBIC is a logarithm and has no such level
        floor = -math.inf if self.selection == "ebic" else CLOSE**2 * (float(problem.b @ problem.b) + problem.rest)
        best = []
        for size in sizes:
            options = [
                (i, j) for i, one in enumerate(common) if one.found.size == size for j in range(len(one.amounts))
            ]
            best.append(options[best_of(np.array([means[i][j] for i, j in options]), floor)])
        errors = np.array([means[i][j] for i, j in best])
        folds = len(each)
        spread = np.full(len(best), np.nan)
        if folds > 1:
            parts = np.array([[one[common[i].found.key][j] for i, j in best] for one in each])
            spread = parts.std(axis=0, ddof=1) / np.sqrt(folds)
        x = np.zeros((len(problem.mean), len(best)))
        for column, (i, j) in enumerate(best):
            x[common[i].found.support, column] = common[i].values[:, j]
        coefs, intercepts = problem.raw(x)
        chosen = best_of(errors, floor)
        if self.noise_level is not None:
            enough = np.flatnonzero(errors <= max(power(self.noise_level, -unit) ** 2, floor))
            if not len(enough):
                reached = power(math.sqrt(float(errors.min())), unit)
                warnings.warn(
                    f"noise_level={self.noise_level!r}: no model fits the data so closely; the smallest root mean "
                    f"square residual is {reached:.3g}, and the model with it is kept",
                    UserWarning,
                    stacklevel=3,
                )
            chosen = int(enough[0]) if len(enough) else chosen
        self.path_ = SparsePath(
            np.array(sizes),
            coefs,
            np.asarray(intercepts),
            errors,
            spread,
            chosen,
            tuple(common[i].found.family for i, _ in best),
            tuple(common[i].amounts[j] for i, j in best),
        )
        i, j = best[chosen]
        self.family_, self.ridge_ = common[i].found.family, common[i].amounts[j]
        if unseen and errors[chosen] > floor:
            x = averaged(common, means, problem, unseen)
            self._keep(problem, np.flatnonzero(x), x[x != 0.0], unit)
            self.inclusion_ = included(common, means, len(x), unseen)
        else:
            self._keep(problem, common[i].found.support, common[i].values[:, j], unit)


def in_units(path: Any, unit: int, rows: float | None = None) -> SparsePath:
    """Return a path for targets that were divided by 2^unit; `rows` is the factor of the logarithm in the EBIC."""
    errors = shifted(path.errors, 2 * unit) if rows is None else path.errors + 2.0 * unit * rows * math.log(2.0)
    return replace(
        path,
        coefs=shifted(path.coefs, unit),
        intercepts=shifted(path.intercepts, unit),
        errors=errors,
        spread=shifted(path.spread, 2 * unit),
    )


def _errors(problem: Prepared, found: list[Candidates], X: Any, y: Any, weights: Any) -> dict[tuple[Any, ...], Any]:
    """Return the weighted mean squared errors of models on other data, one for each amount of shrinkage."""
    weights = weights / weights.sum()
    X = X.tocsc() if hasattr(X, "tocsc") else X
    answer = {}
    for one in found:
        S = one.found.support
        coef = one.values / problem.scale[S, None]
        fitted = X[:, S] @ coef + (problem.offset - problem.mean[S] @ coef)
        answer[one.found.key] = weights @ (y[:, None] - fitted) ** 2
    return answer


class SparseRegressor(_SparseLinear):
    """Linear regression with few features; the support, its shrinkage and, by default, its size come from the data.

    Parameters
    ----------
    sparsity : "cv" or int, default "cv"
        Largest number of non-zero coefficients. "cv" chooses the size by `selection`: searches go through about 30
        sizes between 0 and 100 (or the number of features, or two fifths of the number of distinct rows, if smaller),
        and the Lasso adds the sizes of its solutions.
    solver : str or Solver, default "auto"
        A name from :func:`recovery.list_solvers`, or a solver with its options. Along a path "auto" uses supports from
        hard thresholding pursuit and subspace pursuit, with several ridges, and from the Lasso; for one size it is the
        default of ``recovery.solve``.
    ridge : "cv" or float, default "cv"
        Penalty on the squared coefficients of the support, in units of the squared norm of a standardised feature:
        1 halves the coefficient of a single feature, 0 is least squares. "cv" chooses it together with the size. On
        supports found by the Lasso, "cv" instead chooses a blend of the Lasso's coefficients and least squares (the
        relaxed Lasso). Along a path of "auto" the ridge is also used inside the searches.
    fit_intercept : bool, default True
        Centre features and targets; the intercept is neither counted nor shrunk.
    standardize : bool, default True
        Divide the features by their standard deviations during the fit; see ``coef_``.
    cv : int, splitter or iterable of splits, default 5
        Cross-validation, as in scikit-learn. If `cv` is a number of folds, the rows are split four times, in their
        order and shuffled; fewer times if X has more than 1e5 entries, and once from 4e5 on.
    selection : {"cv", "ebic", "validation", "noise"}, default "cv"
        How the size is selected: by cross-validation; by the extended Bayesian information criterion; on the data
        passed to ``fit`` as ``validation_set``; or by a noise level, which selects the smallest size whose root mean
        square residual is at most that (with a warning, the size with the smallest residual if there is none). The EBIC
        and the noise level measure errors on the rows of the fit, where a ridge never helps: with them ``ridge="cv"``
        means 0.
    average : bool, default True
        Average all models that were compared by cross-validation or on a validation set, weighted by their errors, and
        keep the features that have at least a third of the weight. False keeps the model with the smallest error.
    ebic_gamma : float, default 1.0
        Weight of the number of supports in the EBIC; 0 gives the BIC. Smaller values keep more features, and false ones
        among them if there are many more features than rows.
    noise_level : float, optional
        Standard deviation of the noise, for ``selection="noise"``.

    Attributes
    ----------
    coef_ : array, shape (n_features_in_,)
        Coefficients in units of the original features, whatever `standardize`; :meth:`to_pandas` also has them per
        standard deviation.
    intercept_ : float
        The intercept.
    support_ : array of int64
        The features with a non-zero coefficient, ascending.
    n_features_in_, feature_names_in_
        As usual in scikit-learn.
    sparsity_ : int
        Number of non-zero coefficients.
    scale_ : array, shape (n_features_in_,)
        Standard deviations of the features (without an intercept their root mean squares), 0 for constants.
    inclusion_ : array, shape (n_features_in_,)
        Share of the averaging weight that models with the feature have; 1 and 0 if a single model predicts.
    ridge_ : float
        The ridge of the best single model. If ``family_`` is "lasso" and `ridge` is "cv", it is instead the weight of
        the Lasso's coefficients in the relaxed Lasso: 1 for the Lasso, 0 for least squares.
    family_ : str
        What found the support of that model: the name of a solver, or "lasso".
    path_ : SparsePath or None
        The best single model of every size; None if `sparsity` is a number, so that there is nothing to choose from.

    Notes
    -----
    Minimises sum_i w_i (y_i - a - x_i . c)^2 / sum_i w_i + t sum_j (s_j c_j)^2 over the c on the support found, with
    s_j the standard deviation of feature j (without an intercept its root mean square, and 1 without `standardize`, so
    that the ridge then has the unit of the squared features). For dense data with more rows than features the solvers
    use the triangular factor of a QR decomposition instead of the rows. Errors of the folds are weighted by the weights
    of their rows. Ties go to the smaller model.

    Averaging: with errors e of the models, e0 the smallest, and n distinct rows, a model has the weight exp(-n (e - e0)
    / (2 e0)), and features with less than a third of the total weight get coefficient 0. With few rows many models
    predict almost equally well, and chance decides which has the smallest error: the average is closer to the truth
    than that model, and still fairly sparse. If features that are dropped matter to the fit, as of nearly equal ones,
    their part is projected on the features kept. If one model is clearly best, it has all the weight; models with
    errors at the level of rounding are not averaged.

    With at least as many features as rows, a support may be found on all rows and missed on the rows of a fold. Its
    error in cross-validation is then too large. So for such data there is a second error, the mean squared residual on
    all rows times exp(penalty / n) with the penalty of the EBIC (gamma = 1), and the smaller of the two counts.

    ``transform`` keeps the features of the support, so that the estimator can select features in a pipeline.

    Examples
    --------
    >>> import numpy as np, recovery
    >>> X = np.random.default_rng(0).standard_normal((100, 20))
    >>> model = recovery.SparseRegressor().fit(X, 1.0 + X[:, 3] - 2.0 * X[:, 8])
    >>> model.support_.tolist(), round(model.intercept_, 9)
    ([3, 8], 1.0)
    """

    def __init__(
        self,
        sparsity: int | Literal["cv"] = "cv",
        solver: SolverName | Solver | Literal["auto"] = "auto",
        *,
        ridge: float | Literal["cv"] = "cv",
        fit_intercept: bool = True,
        standardize: bool = True,
        cv: Any = 5,
        selection: Selection = "cv",
        average: bool = True,
        ebic_gamma: float = 1.0,
        noise_level: float | None = None,
    ) -> None:
        self.sparsity = sparsity
        self.solver = solver
        self.ridge = ridge
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.cv = cv
        self.selection = selection
        self.average = average
        self.ebic_gamma = ebic_gamma
        self.noise_level = noise_level

    def _sizes(self, most: int) -> Any:
        if isinstance(self.sparsity, str) and self.sparsity == "cv":
            return default_sizes(min(MOST, most))
        count = self.n_features_in_
        return np.array([checked_size(self.sparsity, count, f"X has {count} feature(s)", "'cv'")])

    def _ridges(self) -> tuple[float, ...]:
        if isinstance(self.ridge, str) and self.ridge == "cv":
            return RIDGES
        return (checked_ridge(self.ridge),)


class SparseRegressorCV(_SparseLinear):
    """:class:`SparseRegressor` with custom grids of sizes and ridges.

    Parameters
    ----------
    sizes : sequence of int, optional
        Sizes to choose from; by default those of :class:`SparseRegressor`.
    ridges : sequence of float, optional
        Ridges to choose from; by default 0, .01, .03, .1, .3, 1 and 3.
    solver, fit_intercept, standardize, cv, selection, average, ebic_gamma, noise_level
        As in :class:`SparseRegressor`.

    Attributes
    ----------
    coef_, intercept_, support_, sparsity_, scale_, inclusion_, ridge_, family_, path_
        As in :class:`SparseRegressor`.
    n_features_in_, feature_names_in_
        As in :class:`SparseRegressor`.

    Examples
    --------
    >>> import numpy as np, recovery
    >>> X = np.random.default_rng(0).standard_normal((100, 20))
    >>> model = recovery.SparseRegressorCV(sizes=[1, 2, 5], ridges=[0.0]).fit(X, X[:, 3] - 2.0 * X[:, 8])
    >>> model.sparsity_
    2
    """

    def __init__(
        self,
        sizes: Sequence[int] | None = None,
        ridges: Sequence[float] | None = None,
        *,
        solver: SolverName | Solver | Literal["auto"] = "auto",
        fit_intercept: bool = True,
        standardize: bool = True,
        cv: Any = 5,
        selection: Selection = "cv",
        average: bool = True,
        ebic_gamma: float = 1.0,
        noise_level: float | None = None,
    ) -> None:
        self.sizes = sizes
        self.ridges = ridges
        self.solver = solver
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.cv = cv
        self.selection = selection
        self.average = average
        self.ebic_gamma = ebic_gamma
        self.noise_level = noise_level

    def _sizes(self, most: int) -> Any:
        if self.sizes is None:
            return default_sizes(min(MOST, most))
        if isinstance(self.sizes, (str, Real)) or not len(self.sizes):
            raise ValueError(f"sizes={self.sizes!r}; expected a sequence of one or more integers")
        count = self.n_features_in_
        sizes = {
            checked_size(size, count, f"X has {count} feature(s)", name=f"sizes[{i}]")
            for i, size in enumerate(self.sizes)
        }
        return np.array(sorted(sizes))

    def _ridges(self) -> tuple[float, ...]:
        if self.ridges is None:
            return RIDGES
        if isinstance(self.ridges, (str, Real)) or not len(self.ridges):
            raise ValueError(f"ridges={self.ridges!r}; expected a sequence of one or more numbers")
        return tuple(sorted({check_number(t, f"ridges[{i}]", minimum=0.0) for i, t in enumerate(self.ridges)}))
