"""The estimators compared with those of scikit-learn, on real data and on the best-subset benchmark.

Run from the repository root::

    python -m benchmarks.estimators data                        # diabetes, breast cancer, digits; about two minutes
    python -m benchmarks.estimators subset --settings high-5 --snr 1.22 6 --seeds 5
    python -m benchmarks.estimators subset --out subset.jsonl   # all; instances that are in the file are skipped
    python -m benchmarks.estimators subset --sample 12 --first-seed 1000   # 12 instances of each setting and SNR

``data`` fits each model in a pipeline with a grid search on three quarters of the rows and scores it on the rest. It
prints mean scores over ``--splits``, the parameters chosen in the first split, the mean number of non-zero weights, and
the processor time of the longest fit.

``subset`` is the benchmark of Hastie, Tibshirani and Tibshirani (2020): rows N(0, Sigma) with correlation rho^|i - j|,
five or ten coefficients, noise of a given signal-to-noise ratio. All methods are fitted with an intercept. They are
tuned by five-fold cross-validation on the same rows, or with ``--tuning validation`` on as many additional rows. It
prints relative test errors, (w - b)' Sigma (w - b) / sigma^2 + 1, the F-score of the support, and paired differences to
our estimator.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
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
SETS = ("diabetes", "breast_cancer", "digits")
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
    """Return features and targets for training and validation, and coefficients, covariance and noise."""
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


def standardised(X, y):
    """Return standardised features, centred targets, and a function that converts coefficients back."""
    mean, scale = X.mean(axis=0), X.std(axis=0)
    return (X - mean) / scale, y - y.mean(), scale, mean


def tuned(path, penalties):
    """Return a function of the data that fits the models of a path, tuned on the same splits as our estimator.

    ``path(Z, y, alphas)`` returns the coefficients (p, k) for standardised data, ``penalties(Z, y)`` the penalties.
    """

    def models(X, y, alphas):
        Z, centred, scale, mean = standardised(X, y)
        coefs = path(Z, centred, alphas) / scale[:, None]
        return coefs, y.mean() - mean @ coefs

    def fit(train, other):
        from sklearn.model_selection import KFold

        X, y = train
        alphas = penalties(*standardised(X, y)[:2])
        coefs, intercepts = models(X, y, alphas)
        if other is not None:
            errors = ((other[1][:, None] - other[0] @ coefs - intercepts) ** 2).mean(axis=0)
        else:
            errors = np.zeros(coefs.shape[1])
            for a, b in KFold(FOLDS).split(X):
                part, offset = models(X[a], y[a], alphas)
                errors += ((y[b][:, None] - X[b] @ part - offset) ** 2).sum(axis=0)
        return coefs[:, int(np.argmin(errors))]

    return fit


def falling(last):
    """Return a function of the data that returns 50 penalties, down to a share of the first, `last` if p is large."""

    def penalties(Z, y):
        first = np.abs(Z.T @ y).max() / len(y)
        return first * np.geomspace(1.0, last if Z.shape[1] > len(y) else 1e-3, 50)

    return penalties


def relaxed_lasso(blends):
    """Return the path of the relaxed Lasso; a blend of 1 is the Lasso."""

    def path(Z, y, alphas):
        from sklearn.linear_model import lars_path

        n = len(y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the path may end early, as it should
            knots, _, coefs = lars_path(Z / np.sqrt(n), y / np.sqrt(n), alpha_min=0.999 * alphas[-1] / n)
        # near interpolation its steps are rounding
        counts = (coefs != 0).sum(axis=0)
        wrong = (np.diff(knots, prepend=np.inf) >= 0.0) | (counts > min(n - 1, Z.shape[1], 0.9 * n))
        end = int(np.flatnonzero(wrong)[0]) if wrong.any() else len(knots)
        knots, coefs = knots[:end] * n, coefs[:, :end]  # scikit-learn divides them by n once more
        found, before, refit = [], None, None
        for alpha in np.clip(alphas, knots[-1], knots[0]):
            i = max(1, int(np.searchsorted(-knots, -alpha)))
            share = (knots[i - 1] - alpha) / (knots[i - 1] - knots[i])
            lasso = (1.0 - share) * coefs[:, i - 1] + share * coefs[:, i]
            S = np.flatnonzero(lasso)
            if before is None or not np.array_equal(S, before):
                before, refit = S, np.zeros(len(lasso))
                refit[S] = np.linalg.lstsq(Z[:, S], y, rcond=None)[0]
            found += [blend * lasso + (1.0 - blend) * refit for blend in blends]
        return np.array(found).T

    return path


def concave(name, gamma):
    """Return the path of MCP or SCAD by skglm, with warm starts from the largest penalty down."""

    def path(Z, y, alphas):
        from skglm import datafits, penalties
        from skglm.solvers import AndersonCD
        from skglm.utils.jit_compilation import compiled_clone

        solver = AndersonCD(fit_intercept=False, tol=1e-3)  # tighter ones cost more, and give the same errors
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a penalty that is not reached to the tolerance
            penalty = compiled_clone(getattr(penalties, name)(1.0, gamma))
            return solver.path(np.asfortranarray(Z), y, compiled_clone(datafits.Quadratic()), penalty, alphas)[1]

    return path


def abess(train, other):
    """Return the coefficients of abess, whose size is tuned on the same splits as that of our estimator."""
    from abess import LinearRegression
    from sklearn.model_selection import KFold

    X, y = train
    sizes = range(min(X.shape[1], len(y) // 4) + 1)
    if other is None:
        folds = np.zeros(len(y), dtype=int)
        for i, (_, b) in enumerate(KFold(FOLDS).split(X)):
            folds[b] = i + 1
        return LinearRegression(support_size=sizes, cv=FOLDS, thread=1).fit(X, y, cv_fold_id=folds).coef_
    found = [LinearRegression(support_size=[k], thread=1).fit(X, y) for k in sizes]
    errors = [((other[1] - one.predict(other[0])) ** 2).mean() for one in found]
    return found[int(np.argmin(errors))].coef_


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
    "one model": ours(average=False),
    "lasso": tuned(relaxed_lasso((1.0,)), falling(0.02)),
    "relaxed lasso": tuned(relaxed_lasso(BLENDS), falling(0.02)),
    "MCP (skglm)": tuned(concave("MCPenalty", 3.0), falling(0.05)),
    "SCAD (skglm)": tuned(concave("SCAD", 3.7), falling(0.05)),
    "abess": abess,
}
PACKAGES = {"MCP (skglm)": "skglm", "SCAD (skglm)": "skglm", "abess": "abess"}
DEFAULT = [name for name in METHODS if name not in ("htp, ridge 0", "htp, ridge", "one model")]


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


def instances(options):
    """Return the instances in the order of the run, which goes through all cells once per seed."""
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    rest = list(itertools.product(options.rho, options.beta, seeds))
    rng = np.random.default_rng(seed_sequence(f"sample {options.first_seed}"))
    keys = []
    for setting, snr in itertools.product(options.settings, options.snr):
        order = rng.permutation(len(rest))[: options.sample]
        keys.append([(setting, snr, *rest[i]) for i in (order if options.sample else range(len(rest)))])
    return [key for row in zip(*keys, strict=True) for key in row]


def subset(options):
    methods = []
    for name in options.methods:
        if name in PACKAGES and not importlib.util.find_spec(PACKAGES[name]):
            print(f"{name} is skipped: {PACKAGES[name]} is not installed")
        else:
            methods.append(name)
    keys = instances(options)
    done = defaultdict(dict)
    if options.out and Path(options.out).exists():
        for line in Path(options.out).read_text().splitlines():
            one = json.loads(line)
            if one["tuning"] == options.tuning:
                done[tuple(one["key"])].update(one["row"])
    for key in keys if not options.show else ():
        missing = [name for name in methods if name not in done[key]]
        if not missing:
            continue
        row = instance(*key, options.tuning, missing)
        done[key].update(row)
        if options.out:
            with Path(options.out).open("a") as file:
                file.write(json.dumps({"key": key, "tuning": options.tuning, "row": row}) + "\n")
    keys = [key for key in keys if set(methods) <= set(done[key])]
    print(f"{len(keys)} instances\n")
    cells = defaultdict(list)
    for key in keys:
        cells[key[:2]].append(done[key])
        cells["all", ""].append(done[key])
    if not keys:
        return
    rows = []
    for (setting, snr), found in cells.items():
        for name in methods:
            errors = np.array([row[name][0] for row in found])
            rows.append(
                [
                    f"{setting} {snr}",
                    name,
                    mean(errors),
                    mean(errors - [row[OURS][0] for row in found]) if name != OURS and OURS in methods else "",
                    f"{np.mean([row[name][1] for row in found]):.2f}",
                    f"{np.median([row[name][2] for row in found]):.2f}",
                ]
            )
    print(table(["cell", "method", "relative test error", f"minus {OURS}", "F-score", "seconds"], rows))


def searches(name):
    """Return {label: (pipeline, grid)} for one data set, and whether it is a classification problem."""
    from sklearn.feature_selection import VarianceThreshold
    from sklearn.linear_model import Lasso, LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def entry(model, **grid):
        step = type(model).__name__.lower()
        # abess takes no constant feature
        return make_pipeline(VarianceThreshold(), StandardScaler(), model), {
            f"{step}__{key}": values for key, values in grid.items()
        }

    if name == "diabetes":
        found = {
            "SparseRegressor()": entry(recovery.SparseRegressor()),
            "SparseRegressor(int)": entry(recovery.SparseRegressor(), sparsity=[2, 4, 6, 8]),
            "SparseRegressorCV": entry(recovery.SparseRegressorCV(), ridges=[[0.0], [0.1], [1.0]]),
            "IMPRegressor": entry(linear_lottery.IMPRegressor(), schedule=["one-by-one", 0.3]),
            "SparseReLURegressor": entry(
                recovery.SparseReLURegressor(), n_neurons=[1, 2, 4], sparsity=[4, 8], ridge=[0.01, 0.1]
            ),
            "Lasso": entry(Lasso(), alpha=np.geomspace(0.01, 30.0, 20)),
        }
        if importlib.util.find_spec("abess"):
            from abess import LinearRegression

            found["abess"] = entry(LinearRegression(), support_size=[2, 4, 6, 8])
        return found
    sizes = [10, 20, 30] if name == "breast_cancer" else [200, 400]
    found = {
        "SparseReLUClassifier": entry(
            recovery.SparseReLUClassifier(),
            n_neurons=[5] if name == "breast_cancer" else [20],
            sparsity=sizes,
            ridge=[0.003, 0.01],
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
    """Return the number of non-zero weights of a fitted model."""
    if hasattr(model, "sparsity_"):
        return int(model.sparsity_)
    return int(np.count_nonzero(model.coef_))


def data(options):
    from sklearn import datasets
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, train_test_split

    found = defaultdict(list)
    for name, split in itertools.product(options.sets, range(options.splits)):
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        X, X_test, y, y_test = train_test_split(X, y, random_state=split, stratify=None if name == "diabetes" else y)
        for label, (pipeline, grid) in searches(name).items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # LogisticRegression's, of steps
                search = GridSearchCV(pipeline, grid, cv=3, refit=False).fit(X, y)
                best = search.best_params_
                model = clone(pipeline).set_params(**best)
                begin = time.process_time()
                model.fit(X, y)
                seconds = time.process_time() - begin
            chosen = ", ".join(f"{key.partition('__')[2]}={value}" for key, value in best.items())
            found[name, label].append((chosen or "defaults", used(model[-1]), model.score(X_test, y_test), seconds))
    rows = []
    for (name, label), each in found.items():
        chosen, weights, scores, seconds = zip(*each, strict=True)
        score = mean(scores) if len(scores) > 1 else f"{scores[0]:.3f}"
        rows.append([name, label, chosen[0], f"{np.mean(weights):.0f}", score, f"{max(seconds):.2f}"])
    if not importlib.util.find_spec("abess"):
        print("abess is skipped: it is not installed\n")
    print(table(["data", "model", "chosen", "weights", "test score", "seconds"], rows))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    real = commands.add_parser("data", help="diabetes, breast cancer and digits, with grid searches")
    real.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    real.add_argument("--splits", type=int, default=1, help="number of training and test splits, 3 : 1")
    best = commands.add_parser("subset", help="the best-subset benchmark")
    best.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    best.add_argument("--snr", nargs="+", type=float, default=list(SNRS))
    best.add_argument("--rho", nargs="+", type=float, default=list(RHOS))
    best.add_argument("--beta", nargs="+", type=int, choices=BETAS, default=list(BETAS))
    best.add_argument("--seeds", type=int, default=20)
    best.add_argument("--first-seed", type=int, default=0)
    best.add_argument("--sample", type=int, help="instances of each setting and SNR, drawn from all (default all)")
    best.add_argument("--show", action="store_true", help="print the table of the results in this file; run nothing")
    best.add_argument("--methods", nargs="+", choices=METHODS, default=DEFAULT)
    best.add_argument("--tuning", choices=("cv", "validation"), default="cv")
    best.add_argument("--out", help="file of finished instances, one per line; a run that was stopped continues there")
    options = parser.parse_args(arguments)
    with threadpool_limits(1):
        {"data": data, "subset": subset}[options.command](options)


if __name__ == "__main__":
    main()
