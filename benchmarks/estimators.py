"""The estimators beside those of scikit-learn: on real data, and on the best-subset benchmark.

Run from the repository root::

    python -m benchmarks.estimators data                        # diabetes, breast cancer, digits; about two minutes
    python -m benchmarks.estimators subset --settings high-5 --snr 1.22 6 --seeds 5
    python -m benchmarks.estimators subset --out subset.jsonl   # everything; what the file holds is not run again

``data`` fits each model in a pipeline with a grid search on three quarters of the rows and prints scores on the rest.
``subset`` is the benchmark of Hastie, Tibshirani and Tibshirani (2020): rows N(0, Sigma) with correlation rho^|i - j|,
five or ten coefficients, noise of a given signal-to-noise ratio. All methods are fitted with an intercept, and choose
by five-fold cross-validation on the same rows, or with ``--tuning validation`` on as many more. Printed are relative
test errors, (w - b)' Sigma (w - b) / sigma^2 + 1, the F-score of the support, and differences to ours in pairs.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import linear_lottery
import recovery
from benchmarks.machine import table
from planted.base.arrays import seed_sequence

SETTINGS = {"low": (100, 10, 5), "medium": (500, 100, 5), "high-5": (50, 1000, 5), "high-10": (100, 1000, 10)}
SNRS = (0.09, 0.42, 1.22, 2.07, 6.0)
RHOS = (0.0, 0.35, 0.7)
BETAS = (1, 2, 3, 5)
FOLDS = 5
OURS = "SparseRegressor"
BLENDS = np.linspace(0.0, 1.0, 10)


def coefficients(kind, p, s):
    """Return the coefficients of one of the types of the benchmark."""
    b = np.zeros(p)
    if kind == 1:
        b[np.linspace(0, p - 1, s).round().astype(int)] = 1.0
    elif kind == 2:
        b[:s] = 1.0
    elif kind == 3:
        b[:s] = np.linspace(10.0, 0.5, s)
    else:
        b[:s] = 1.0
        b[s:] = 0.5 ** np.arange(1, p - s + 1)
    return b


def draw(setting, snr, rho, kind, seed):
    """Return features and targets, twice, and coefficients, covariance and noise."""
    n, p, s = SETTINGS[setting]
    text = f"best subset {setting} {snr} {rho} {kind} {seed}"
    rng = np.random.default_rng(seed_sequence(text))
    b = coefficients(kind, p, s)
    covariance = rho ** np.abs(np.subtract.outer(np.arange(p), np.arange(p))).astype(float)
    sigma = np.sqrt(b @ covariance @ b / snr)
    parts = []
    for _ in range(2):
        Z = rng.standard_normal((n, p))
        X = Z.copy()
        for j in range(1, p):
            X[:, j] = rho * X[:, j - 1] + np.sqrt(1.0 - rho**2) * Z[:, j]
        parts.append((X, X @ b + sigma * rng.standard_normal(n)))
    return *parts, b, covariance, sigma


def lars(X, y):
    """Return the Lasso's path of standardised data in the units of the features."""
    from sklearn.linear_model import lars_path

    mean, scale = X.mean(axis=0), X.std(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the path may end early, as it should
        alphas, _, path = lars_path((X - mean) / scale / np.sqrt(len(y)), (y - y.mean()) / np.sqrt(len(y)))
    # near interpolation its steps are rounding
    rank = min(len(y) - 1, X.shape[1])
    wrong = np.flatnonzero(
        (np.diff(alphas, prepend=np.inf) >= 0.0) | ((path != 0).sum(axis=0) > min(rank, 0.9 * len(y)))
    )
    end = int(wrong[0]) if len(wrong) else len(alphas)
    return alphas[:end] * len(y), path[:, :end] / scale[:, None]


def lasso_models(X, y, alphas, blends):
    """Return {(alpha, blend): (coefficients, intercept)} of the relaxed Lasso, the Lasso itself being blend 1."""
    mean = X.mean(axis=0)
    knots, path = lars(X, y)
    found = []
    for alpha in alphas:
        lasso = np.array([np.interp(-alpha, -knots, row) if row.any() else 0.0 for row in path])
        S = np.flatnonzero(lasso)
        refit = np.zeros(len(lasso))
        if len(S) and len(S) < len(y):
            refit[S] = np.linalg.lstsq(X[:, S] - mean[S], y - y.mean(), rcond=None)[0]
        else:
            refit = lasso
        found += [blend * lasso + (1.0 - blend) * refit for blend in blends]
    coefs = np.array(found).T
    return coefs, y.mean() - mean @ coefs


def tuned_lasso(blends):
    """Return a function of the data that fits the (relaxed) Lasso, tuned on the same splits as ours."""

    def fit(train, other):
        from sklearn.model_selection import KFold

        X, y = train
        knots, _ = lars(X, y)
        alphas = knots[0] * np.geomspace(1.0, 1e-3 if len(y) > X.shape[1] else 0.02, 50)
        coefs, intercepts = lasso_models(X, y, alphas, blends)
        if other is not None:
            errors = ((other[1][:, None] - other[0] @ coefs - intercepts) ** 2).mean(axis=0)
        else:
            errors = np.zeros(coefs.shape[1])
            for a, b in KFold(FOLDS).split(X):
                part, offset = lasso_models(X[a], y[a], alphas, blends)
                errors += ((y[b][:, None] - X[b] @ part - offset) ** 2).sum(axis=0)
        return coefs[:, int(np.argmin(errors))]

    return fit


def ours(**options):
    """Return a function of the data that fits our estimator."""

    def fit(train, other):
        if other is None:
            return recovery.SparseRegressor(**options).fit(*train).coef_
        return recovery.SparseRegressor(selection="validation", **options).fit(*train, validation_set=other).coef_

    return fit


METHODS = {
    OURS: ours(),
    "htp, ridge 0": ours(solver="htp", ridge=0.0),
    "htp, ridge": ours(solver="htp"),
    "lasso": tuned_lasso((1.0,)),
    "relaxed lasso": tuned_lasso(BLENDS),
}


def instance(setting, snr, rho, kind, seed, tuning, methods):
    """Return one row of the benchmark: {method: (relative test error, F-score, seconds)}."""
    train, other, b, covariance, sigma = draw(setting, snr, rho, kind, seed)
    row = {}
    for name in methods:
        begin = time.process_time()
        w = METHODS[name](train, None if tuning == "cv" else other)
        seconds = time.process_time() - begin
        error = 1.0 + float((w - b) @ covariance @ (w - b)) / sigma**2
        hits = int(((w != 0) & (b != 0)).sum())
        row[name] = (error, 2.0 * hits / max(1, int((w != 0).sum() + (b != 0).sum())), seconds)
    return row


def mean(values):
    """Return mean and standard error as text."""
    values = np.asarray(values)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{values.mean():.3f} +- {error:.3f}"


def subset(options):
    keys = [
        (setting, snr, rho, kind, seed)
        for setting in options.settings
        for snr in options.snr
        for rho in options.rho
        for kind in options.beta
        for seed in range(options.seeds)
    ]
    done = {}
    if options.out and Path(options.out).exists():
        for line in Path(options.out).read_text().splitlines():
            one = json.loads(line)
            if one["tuning"] == options.tuning and set(options.methods) <= set(one["row"]):
                done[tuple(one["key"])] = one["row"]
    for key in keys:
        if key in done:
            continue
        done[key] = instance(*key, options.tuning, options.methods)
        if options.out:
            with Path(options.out).open("a") as file:
                file.write(json.dumps({"key": key, "tuning": options.tuning, "row": done[key]}) + "\n")
    cells = defaultdict(list)
    for key in keys:
        cells[key[:2]].append(done[key])
        cells["all", ""].append(done[key])
    rows = []
    for (setting, snr), found in cells.items():
        for name in options.methods:
            errors = np.array([row[name][0] for row in found])
            rows.append(
                [
                    f"{setting} {snr}",
                    name,
                    mean(errors),
                    mean(errors - [row[OURS][0] for row in found]) if name != OURS and OURS in options.methods else "",
                    f"{np.mean([row[name][1] for row in found]):.2f}",
                    f"{np.median([row[name][2] for row in found]):.2f}",
                ]
            )
    print(table(["cell", "method", "relative test error", f"minus {OURS}", "F-score", "seconds"], rows))


def searches(name):
    """Return {label: (pipeline, grid)} for one data set, and whether it is one of classes."""
    from sklearn.linear_model import Lasso, LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def entry(model, **grid):
        step = type(model).__name__.lower()
        return make_pipeline(StandardScaler(), model), {f"{step}__{key}": values for key, values in grid.items()}

    if name == "diabetes":
        found = {
            "SparseRegressor()": entry(recovery.SparseRegressor()),
            "SparseRegressor(int)": entry(recovery.SparseRegressor(), sparsity=[2, 4, 6, 8]),
            "SparseRegressorCV": entry(recovery.SparseRegressorCV(), ridges=[[0.0], [0.1], [1.0]]),
            "IMPRegressor": entry(linear_lottery.IMPRegressor(), schedule=["one-by-one", 0.3]),
            "SparseReLURegressor": entry(recovery.SparseReLURegressor(), n_neurons=[1, 2, 4], sparsity=[4, 8]),
            "Lasso": entry(Lasso(), alpha=np.geomspace(0.01, 30.0, 20)),
        }
        if importlib.util.find_spec("abess"):
            from abess import LinearRegression

            found["abess"] = entry(LinearRegression(), support_size=[2, 4, 6, 8])
        return found
    sizes = [10, 30] if name == "breast_cancer" else [200, 400]
    found = {
        "SparseReLUClassifier": entry(
            recovery.SparseReLUClassifier(), n_neurons=[5] if name == "breast_cancer" else [20], sparsity=sizes
        ),
        "LogisticRegression(l1)": entry(
            LogisticRegression(l1_ratio=1.0, solver="saga", max_iter=300, tol=1e-3), C=[0.01, 0.1, 1.0]
        ),
    }
    if importlib.util.find_spec("abess"):
        from abess import LogisticRegression as Logistic
        from abess import MultinomialRegression

        found["abess"] = entry(Logistic() if name == "breast_cancer" else MultinomialRegression(), support_size=[5, 20])
    return found


def used(model):
    """Return how many weights of a fitted model are not 0."""
    if hasattr(model, "sparsity_"):
        return int(model.sparsity_)
    return int(np.count_nonzero(model.coef_))


def data(options):
    from sklearn import datasets
    from sklearn.model_selection import GridSearchCV, train_test_split

    rows = []
    for name in ("diabetes", "breast_cancer", "digits"):
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        X, X_test, y, y_test = train_test_split(X, y, random_state=0, stratify=None if name == "diabetes" else y)
        for label, (pipeline, grid) in searches(name).items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # LogisticRegression's, of steps
                search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
            best = search.best_params_
            chosen = ", ".join(f"{key.partition('__')[2]}={value}" for key, value in best.items())
            rows.append(
                [
                    name,
                    label,
                    chosen or "defaults",
                    used(search.best_estimator_[-1]),
                    f"{search.score(X_test, y_test):.3f}",
                    f"{search.refit_time_:.2f}",
                ]
            )
    if not importlib.util.find_spec("abess"):
        print("abess is left out: it is not installed\n")
    print(table(["data", "model", "chosen", "weights", "score on the rest", "seconds a fit"], rows))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("data", help="diabetes, breast cancer and digits, with grid searches")
    best = commands.add_parser("subset", help="the best-subset benchmark")
    best.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    best.add_argument("--snr", nargs="+", type=float, default=list(SNRS))
    best.add_argument("--rho", nargs="+", type=float, default=list(RHOS))
    best.add_argument("--beta", nargs="+", type=int, choices=BETAS, default=list(BETAS))
    best.add_argument("--seeds", type=int, default=20)
    best.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    best.add_argument("--tuning", choices=("cv", "validation"), default="cv")
    best.add_argument("--out", help="file of finished instances, one a line; a run goes on where it was left")
    options = parser.parse_args(arguments)
    with threadpool_limits(1):
        {"data": data, "subset": subset}[options.command](options)


if __name__ == "__main__":
    main()
