"""``IMPRegressor``: iterative magnitude pruning of a linear model as a scikit-learn estimator."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from linear_lottery._imp import Schedule, how_many, imp
from linear_lottery.path import PruningPath
from planted.base.checks import check_number
from recovery.estimators.arguments import checked_size, written_out
from recovery.estimators.inputs import Prepared, prepare
from recovery.estimators.linear import CLOSE, LinearSelector, best_of, in_units, splits_of
from recovery.estimators.paths import SparsePath

__all__ = ["IMPRegressor"]


class IMPRegressor(LinearSelector):
    """Linear regression pruned by magnitude: train, prune, rewind, until few coefficients are left.

    Parameters
    ----------
    sparsity : "cv" or int, default "cv"
        How many coefficients survive. "cv" chooses among all sizes that the schedule visits.
    schedule : {"one-by-one", "one-shot"}, float or int, default "one-by-one"
        As in :func:`linear_lottery.imp`.
    flow_time : float, default inf
        Training time of each round, at least 0; ``inf`` trains to convergence.
    fit_intercept : bool, default True
        Centre both sides; the intercept is neither counted nor pruned.
    standardize : bool, default True
        Divide the features by their standard deviations during the fit, so that magnitudes can be compared.
    cv : int, splitter or iterable of splits, default 5
        Cross-validation, as in scikit-learn; used only for ``sparsity="cv"``.

    Attributes
    ----------
    coef_, intercept_, support_, scale_, inclusion_, n_features_in_, feature_names_in_
        The model, in units of the features as given.
    sparsity_ : int
        Number of non-zero coefficients: those that survived, without features that are constant.
    path_ : SparsePath or None
        The models of all sizes and their errors; None if the size was given.
    pruning_ : PruningPath
        What ``imp`` returned, for standardised features (and for rescaled targets, if they are beyond 2^+-256).

    Notes
    -----
    A round trains for the loss sum_i w_i r_i^2 / (2 sum_i w_i), w the weights of the rows. For more rows than features
    the rows are replaced by the triangle of their QR decomposition, whose flow is the same. The first round trains all
    weights, so that a sparse matrix is written out.

    Examples
    --------
    >>> import numpy as np, linear_lottery
    >>> X = np.random.default_rng(0).standard_normal((100, 20))
    >>> model = linear_lottery.IMPRegressor().fit(X, 1.0 + X[:, 3] - 2.0 * X[:, 8])
    >>> model.support_.tolist(), round(model.intercept_, 9)
    ([3, 8], 1.0)
    """

    def __init__(
        self,
        sparsity: int | Literal["cv"] = "cv",
        *,
        schedule: Schedule = "one-by-one",
        flow_time: float = math.inf,
        fit_intercept: bool = True,
        standardize: bool = True,
        cv: Any = 5,
    ) -> None:
        self.sparsity = sparsity
        self.schedule = schedule
        self.flow_time = flow_time
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.cv = cv

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> IMPRegressor:
        """Prune the model to the requested size, or to the size of smallest error.

        Parameters
        ----------
        X : array, data frame or scipy sparse matrix, shape (n, p)
            Features. A sparse matrix is written out for the fit, which is refused beyond 2e7 entries, zeros included.
        y : array, shape (n,)
            Targets.
        sample_weight : array, shape (n,), optional
            Weights of the squared errors; a row of weight 2 counts as two rows.

        Returns
        -------
        self
            The fitted estimator.
        """
        how_many(self.schedule)
        check_number(self.flow_time, "flow_time", minimum=0.0, finite=False)
        for name in ("fit_intercept", "standardize"):
            value = getattr(self, name)
            if not isinstance(value, (bool, np.bool_)):
                raise TypeError(f"{name}={value!r} is of type {type(value).__name__}; expected a bool")
        X, y, weights, unit = self._checked(X, y, sample_weight)
        X = written_out(X, type(self).__name__)
        by_data = isinstance(self.sparsity, str) and self.sparsity == "cv"
        count = X.shape[1]
        least = 0 if by_data else checked_size(self.sparsity, count, f"X has {count} feature(s)", "'cv'")
        problem = prepare(X, y, weights, self.fit_intercept, self.standardize)
        self.pruning_ = self._prune(problem, least)
        coefs, intercepts = problem.raw(self.pruning_.weights.T)
        best, self.path_ = self.pruning_.n_rounds, None
        if by_data:
            each, shares = [], []
            for train, test in splits_of(self.cv, X, y, weights):
                part = prepare(X[train], y[train], weights[train], self.fit_intercept, self.standardize)
                coef, intercept = part.raw(self._prune(part, least).weights.T)
                each.append(weights[test] @ (y[test, None] - X[test] @ coef - intercept) ** 2 / weights[test].sum())
                shares.append(weights[test].sum())
            errors = np.array(shares) @ np.array(each) / sum(shares)
            spread = (
                np.std(each, axis=0, ddof=1) / math.sqrt(len(each)) if len(each) > 1 else np.full(len(errors), np.nan)
            )
            # rounds go from large to small; of equal errors the smaller model is taken
            floor = CLOSE**2 * (float(problem.b @ problem.b) + problem.rest)
            back = best_of(errors[::-1], floor)
            best = len(errors) - 1 - back
            sizes = np.array(self.pruning_.sizes[::-1])
            names = ("imp",) * len(sizes)
            self.path_ = SparsePath(
                sizes, coefs[:, ::-1], intercepts[::-1], errors[::-1], spread[::-1], back, names, (0.0,) * len(sizes)
            )
            self.path_ = in_units(self.path_, unit)
        kept = self.pruning_.weights[best]
        self._keep(problem, np.arange(X.shape[1]), kept, unit)
        return self

    def _prune(self, problem: Prepared, least: int) -> PruningPath:
        """Return the path for prepared data times the root of the number of rows, by which the loss divides."""
        unit = math.sqrt(len(problem.b))
        return imp(unit * problem.A, unit * problem.b, least, schedule=self.schedule, flow_time=self.flow_time)
