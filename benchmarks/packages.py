"""Features of this package and of others, each tried out by a small probe.

Run from the repository root, with a Python in which the other packages are installed (extra ``peers``)::

    python -m benchmarks.packages                      # the table, and the reasons of the answers
    python -m benchmarks.packages --only skglm abess   # some packages
    python -m benchmarks.packages --keep               # the same, and keep the answers for docs/choose/packages.md

A probe uses a feature on 60 rows of 8 columns and checks the result. The answer is "yes" if the result is right, and
"no" if the package raises an error or the result is wrong; the error is the reason. It is "not applicable" if the
package has nothing that the feature could belong to, and "not installed" if the package is missing. Every package is
asked in the way that its documentation recommends: a feature that another class or an argument of it offers counts.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import pickle
import tempfile
import tomllib
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from benchmarks.machine import table

KEPT = Path(__file__).with_name("packages.json")
"""The answers on the page, see :func:`keep`."""

FEATURES = {
    "html": "HTML display in a notebook",
    "frame": "data frame as input",
    "names": "names of its columns kept",
    "order": "columns in another order refused",
    "set_output": "selected columns as a data frame (`set_output`)",
    "sparse": "SciPy sparse matrix as input",
    "operator": "linear operator as input, matrix never formed",
    "weights": "sample weights",
    "pipeline": "pipelines and grid search of scikit-learn",
    "pickling": "pickling",
    "save": "save and load without pickle",
    "own_solver": "solver of your own",
    "own_part": "penalty, criterion or other part of your own",
}
"""The probes, and their rows in the table."""

NAMES = list("abcdefgh")
SUPPORT = [1, 4]
RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 8))
Y = 2.0 * X[:, 1] - X[:, 4] + 0.1 * RNG.standard_normal(60)
WEIGHTS = 1 + np.arange(60) % 2
PENALTY = 0.1


class NotApplicable(Exception):
    """The package has nothing that the feature could belong to."""


class Missing(Exception):
    """The feature is not there, or its result is wrong."""


def expect(right, sentence):
    """Raise Missing with a sentence if a result is not right."""
    if not right:
        raise Missing(sentence)


def close(found, right, sentence):
    """Raise Missing if numbers differ by more than the tolerances of the solvers explain."""
    gap = float(np.abs(np.asarray(found) - np.asarray(right)).max())
    expect(gap <= 1e-6, f"{sentence} by {gap:.1e}")


def frame():
    """Return the features as a data frame."""
    import pandas as pd

    return pd.DataFrame(X, columns=NAMES)


def shown_as_html(thing):
    """Raise Missing unless a notebook would display an object as HTML."""
    bundle = getattr(thing, "_repr_mimebundle_", None)
    text = bundle().get("text/html") if bundle is not None else None
    text = text or getattr(thing, "_repr_html_", lambda: "")()
    expect(text and "<" in text, f"{type(thing).__name__} has no HTML display")


def without_saving(*things):
    """Raise Missing if no name of the objects looks like saving, else ask for a probe of that name."""
    words = ("save", "load", "dump", "to_json", "from_json", "serialize")
    public = {name for thing in things for name in dir(thing) if not name.startswith("_")}
    found = {name for name in public if any(word in name.lower() for word in words)}
    expect(found, "neither the package nor the model has a function that saves it")
    raise RuntimeError(f"there is {', '.join(sorted(found))}: the probe has to try it")


class Package:
    """The probes of a package whose models are estimators in the style of scikit-learn."""

    name = module = distribution = ""
    grid: dict = {}  # noqa: RUF012
    """A parameter of the model, and two values."""

    def model(self):
        """Return a model before its fit."""
        raise NotImplementedError

    def selector(self):
        """Return a model that transforms tables, and a remark."""
        from sklearn.feature_selection import SelectFromModel

        return SelectFromModel(self.model()), "by `SelectFromModel`"

    @property
    def version(self):
        """The installed version, or None."""
        if importlib.util.find_spec(self.module) is None:
            return None
        return importlib.metadata.version(self.distribution)

    def html(self):
        """Check that a notebook displays the model as HTML, before and after its fit."""
        model = self.model()
        shown_as_html(model)
        shown_as_html(model.fit(X, Y))

    def frame(self):
        """Check that a fit to a data frame is the fit to its numbers."""
        import pandas as pd

        close(self.model().fit(frame(), pd.Series(Y)).coef_, self.model().fit(X, Y).coef_, "coefficients differ")

    def names(self):
        """Check that the fitted model knows the names of the columns."""
        expect(list(self.model().fit(frame(), Y).feature_names_in_) == NAMES, "names are not those of the frame")

    def order(self):
        """Check that a prediction from the columns in another order is refused."""
        model = self.model().fit(frame(), Y)
        try:
            model.predict(frame()[NAMES[::-1]])
        except ValueError:
            return
        raise Missing("columns in another order are taken as they come")

    def set_output(self):
        """Check that the selected columns come as a data frame with their names."""
        selector, remark = self.selector()
        out = selector.set_output(transform="pandas").fit(frame(), Y).transform(frame())
        expect(list(out.columns) == [NAMES[j] for j in SUPPORT], "names are not those of the selected columns")
        return remark

    def sparse(self):
        """Check that fits to sparse matrices and sparse arrays are the fit to their numbers."""
        right = self.model().fit(X, Y).coef_
        for kind in (scipy.sparse.csr_matrix, scipy.sparse.csc_array):
            close(self.model().fit(kind(X), Y).coef_, right, f"coefficients from a {kind.__name__} differ")

    def operator(self):
        """Check that a fit to a linear operator is the fit to its matrix."""
        operator = scipy.sparse.linalg.aslinearoperator(X)
        close(self.model().fit(operator, Y).coef_, self.model().fit(X, Y).coef_, "coefficients differ")

    def weights(self):
        """Check that a row of weight 2 counts as two rows."""
        found = self.model().fit(X, Y, sample_weight=WEIGHTS.astype(float)).coef_
        right = self.model().fit(np.repeat(X, WEIGHTS, axis=0), np.repeat(Y, WEIGHTS)).coef_
        close(found, right, "coefficients differ from those with repeated rows")

    def pipeline(self):
        """Search for the parameter of the model in a grid, behind another step."""
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler

        steps = Pipeline([("scale", StandardScaler()), ("model", self.model())])
        grid = {f"model__{key}": values for key, values in self.grid.items()}
        found = GridSearchCV(steps, grid, cv=3, error_score="raise").fit(X, Y)
        expect(found.score(X, Y) > 0.9, "the model that was found does not fit")

    def pickling(self):
        """Check that a fitted model predicts the same after it was pickled."""
        model = self.model().fit(X, Y)
        again = pickle.loads(pickle.dumps(model))
        expect(np.array_equal(again.predict(X), model.predict(X)), "predictions differ")

    def save(self):
        """Look for a way to write a fitted model to a file and to read it again, without pickle."""
        without_saving(importlib.import_module(self.module), self.model())

    def own_solver(self):
        """Pass a solver that was written elsewhere."""
        type(self.model())(solver=object()).fit(X, Y)

    def own_part(self):
        """Pass a part that was written elsewhere."""
        raise NotImplementedError


class Ours(Package):
    """The probes of this package: ``SparseRegressor``, and ``solve`` with its results."""

    name, module, distribution = "this package", "recovery", "sparse-recovery-lab"
    grid = {"sparsity": [2, 3]}  # noqa: RUF012

    @property
    def version(self):
        """The version of this source tree, installed or not."""
        text = Path(__file__).parents[1].joinpath("pyproject.toml").read_text()
        return tomllib.loads(text)["project"]["version"]

    def model(self):
        """Return the estimator of a given size."""
        import recovery

        return recovery.SparseRegressor(2, ridge=0.0)

    def selector(self):
        """Return the model itself, which selects columns."""
        return self.model(), ""

    def html(self):
        """Check that a notebook displays estimators and results as HTML."""
        import recovery

        super().html()
        shown_as_html(recovery.solve(X, Y, 2))

    def names(self):
        """Check that estimators know the names of the columns, and results those of the support."""
        import recovery

        super().names()
        result = recovery.solve(frame(), Y, 2)
        expect(list(result.support_names) == [NAMES[j] for j in SUPPORT], "names are not those of the support")

    def sparse(self):
        """Pass sparse matrices and sparse arrays to both."""
        import recovery

        super().sparse()
        right = recovery.solve(X, Y, 2).x
        for kind in (scipy.sparse.csr_matrix, scipy.sparse.csc_array):
            close(recovery.solve(kind(X), Y, 2).x, right, f"x from a {kind.__name__} differs")

    def operator(self):
        """Pass a linear operator to ``solve``, which never asks for its matrix."""
        import recovery

        operator = scipy.sparse.linalg.LinearOperator(X.shape, matvec=X.dot, rmatvec=X.T.dot, dtype=X.dtype)
        close(recovery.solve(operator, Y, 2).x, recovery.solve(X, Y, 2).x, "x differs")
        return "by `solve`"

    def save(self):
        """Write estimators and results to npz and JSON, and read them again."""
        import recovery

        result, model = recovery.solve(frame(), Y, 2), self.model().fit(frame(), Y)
        with tempfile.TemporaryDirectory() as folder:
            for ending in ("npz", "json"):
                path = Path(folder) / f"kept.{ending}"
                model.save(path)
                again = type(model).load(path)
                expect(np.array_equal(again.predict(frame()), model.predict(frame())), "predictions differ")
                expect(list(again.feature_names_in_) == NAMES, "names are lost")
                result.save(path)
                expect(recovery.RecoveryResult.load(path) == result, "results differ")

    def own_solver(self):
        """Pass a solver that no registry knows to ``solve`` and to the estimator."""
        import recovery
        from recovery.solvers import Run, Solver, Status

        class Largest(Solver):
            """Least squares on the columns that are most like y."""

            def run(self, problem):
                A, run = problem.operator, Run(problem)
                support = np.sort(np.argsort(-np.abs(A.rmatvec(problem.y)))[: problem.s])
                values = np.linalg.lstsq(A.columns(support), problem.y, rcond=None)[0]
                return run.finish(Status.SUPPORT_COMPLETE, support, values)

        expect(recovery.solve(X, Y, 2, Largest()).support.tolist() == SUPPORT, "another support")
        model = recovery.SparseRegressor(2, Largest(), ridge=0.0).fit(X, Y)
        close(model.coef_, self.model().fit(X, Y).coef_, "coefficients differ")

    def own_part(self):
        """Pass an operator, a pruning criterion and a guarantee that were written elsewhere."""
        import recovery
        from recovery import pruning
        from recovery.guarantees import Guarantee, attack, exceeds, linear_instance

        class Products:
            """A matrix that is known by its products."""

            shape, dtype = X.shape, X.dtype

            def matvec(self, x):
                return X @ x

            def rmatvec(self, r):
                return X.T @ r

        close(recovery.solve(Products(), Y, 2).x, recovery.solve(X, Y, 2).x, "x differs")

        start = pruning.Model.draw((8, 3, 1), rng=0)
        scores = pruning.score(start, pruning.Data(X, Y), lambda view: [np.abs(w) for w in view.layers])
        expect([s.shape for s in scores] == [(8, 3), (3, 1)], "scores have other shapes")

        def nothing(instance):
            return exceeds(2.0, 1.0, "2 > 1")

        def wrong(instance):
            return exceeds(1.0, 2.0, "1 > 2")

        def drawn(rng):
            return linear_instance(rng, n_range=(4, 8), d_range=(4, 8), k_range=(1, 2))

        false = Guarantee("false", "implication", "2 > 1 => 1 > 2", "nowhere", "none", nothing, wrong, sampler=drawn)
        expect(attack(false, evaluations=20, rng=0).status == "broken", "a false guarantee survives")
        return "operator, pruning criterion, guarantee"


class ScikitLearn(Package):
    """scikit-learn: the Lasso."""

    name, module, distribution = "scikit-learn", "sklearn", "scikit-learn"
    grid = {"alpha": [0.1, 0.2]}  # noqa: RUF012

    def model(self):
        """Return the Lasso, solved to many digits."""
        from sklearn.linear_model import Lasso

        return Lasso(PENALTY, tol=1e-12)

    def own_part(self):
        """Put an estimator that was written elsewhere into a pipeline."""
        from sklearn.base import BaseEstimator, TransformerMixin
        from sklearn.pipeline import make_pipeline

        class Doubled(TransformerMixin, BaseEstimator):
            """A step that doubles the features."""

            def fit(self, X, y=None):
                return self

            def transform(self, X):
                return 2.0 * X

        found = make_pipeline(Doubled(), self.model()).fit(X, Y).predict(X)
        close(found, self.model().fit(2.0 * X, Y).predict(2.0 * X), "predictions differ")
        return "estimator"


class Skglm(Package):
    """skglm: its Lasso, and ``GeneralizedLinearEstimator`` where parts are passed."""

    name = module = distribution = "skglm"
    grid = {"alpha": [0.1, 0.2]}  # noqa: RUF012

    def model(self):
        """Return the Lasso, solved to many digits."""
        from skglm import Lasso

        return Lasso(PENALTY, tol=1e-12)

    def built(self, datafit=None, penalty=None, solver=None):
        """Return the same model of parts."""
        from skglm import GeneralizedLinearEstimator
        from skglm.datafits import Quadratic
        from skglm.penalties import L1
        from skglm.solvers import AndersonCD

        solver = solver or AndersonCD(tol=1e-12, fit_intercept=True)
        return GeneralizedLinearEstimator(datafit or Quadratic(), penalty or L1(PENALTY), solver)

    def weights(self):
        """Check that a row of weight 2 counts as two rows."""
        from skglm.datafits import WeightedQuadratic

        found = self.built(WeightedQuadratic(WEIGHTS.astype(float))).fit(X, Y).coef_
        right = self.built().fit(np.repeat(X, WEIGHTS, axis=0), np.repeat(Y, WEIGHTS)).coef_
        close(found, right, "coefficients differ from those with repeated rows")
        return "by the datafit `WeightedQuadratic`"

    def own_solver(self):
        """Pass a solver that was written elsewhere."""
        from skglm.solvers.base import BaseSolver

        class Descent(BaseSolver):
            """Proximal gradient, without an intercept."""

            _datafit_required_attr = ()
            _penalty_required_attr = ("prox_1d",)
            fit_intercept, warm_start = False, False

            def _solve(self, X, y, datafit, penalty, w_init, Xw_init):
                step, w = len(y) / np.linalg.norm(X, 2) ** 2, np.zeros(X.shape[1])
                for _ in range(500):
                    inner = w - step * (X.T @ (X @ w - y)) / len(y)
                    w = np.array([penalty.prox_1d(value, step, j) for j, value in enumerate(inner)])
                return w, np.zeros(1), 0.0

        right = type(self.model())(PENALTY, tol=1e-12, fit_intercept=False).fit(X, Y).coef_
        close(self.built(solver=Descent()).fit(X, Y).coef_, right, "coefficients differ")

    def own_part(self):
        """Pass a penalty that was written elsewhere."""
        from numba import float64
        from skglm.penalties.base import BasePenalty

        class Absolute(BasePenalty):
            """alpha |w|_1."""

            def __init__(self, alpha):
                self.alpha = alpha

            def get_spec(self):
                return (("alpha", float64),)

            def params_to_dict(self):
                return {"alpha": self.alpha}

            def value(self, w):
                return self.alpha * np.abs(w).sum()

            def prox_1d(self, value, stepsize, j):
                return np.sign(value) * max(abs(value) - self.alpha * stepsize, 0.0)

            def subdiff_distance(self, w, grad, ws):
                far = np.zeros(len(ws))
                for place, j in enumerate(ws):
                    if w[j] == 0.0:
                        far[place] = max(abs(grad[place]) - self.alpha, 0.0)
                    else:
                        far[place] = abs(grad[place] + self.alpha * np.sign(w[j]))
                return far

            def is_penalized(self, n_features):
                return np.ones(n_features, dtype=np.bool_)

            def generalized_support(self, w):
                return w != 0.0

        close(self.built(penalty=Absolute(PENALTY)).fit(X, Y).coef_, self.model().fit(X, Y).coef_, "they differ")
        return "penalty"


class Abess(Package):
    """abess: best subset selection in a linear model."""

    name = module = distribution = "abess"
    grid = {"support_size": [[2], [3]]}  # noqa: RUF012

    def model(self):
        """Return the estimator of a given size."""
        import abess

        return abess.LinearRegression(support_size=[2], thread=1)

    def own_part(self):
        """Say why there is nothing to try."""
        raise Missing("losses and algorithms are written in C++ and compiled with the package")


class Cvxpy(Package):
    """cvxpy: the Lasso as a program."""

    name = module = distribution = "cvxpy"

    def program(self, A=X, weights=None, penalty=None):
        """Return the program, and its variable."""
        import cvxpy

        x = cvxpy.Variable(8)
        rest = A @ x - Y
        loss = cvxpy.sum_squares(rest if weights is None else cvxpy.multiply(np.sqrt(weights), rest))
        return cvxpy.Problem(cvxpy.Minimize(loss + (penalty or cvxpy.norm1)(x))), x

    def solution(self, *arguments, **options):
        """Return the solution of the program."""
        import cvxpy

        program, x = self.program(*arguments, **options)
        program.solve(solver=cvxpy.CLARABEL)
        return x.value

    def html(self):
        """Check that a notebook displays a program as HTML."""
        shown_as_html(self.program()[0])

    def frame(self):
        """Check that the program of a data frame is that of its numbers."""
        import cvxpy

        close(self.solution(cvxpy.Constant(frame())), self.solution(), "x differs")

    def names(self):
        """Say why it is not applicable."""
        raise NotApplicable("a variable is a vector, whose entries have no names")

    order = names

    def set_output(self):
        """Say why it is not applicable."""
        raise NotApplicable("programs are not estimators")

    pipeline = set_output

    def sparse(self):
        """Check that the program of a sparse matrix is that of its numbers."""
        for kind in (scipy.sparse.csr_matrix, scipy.sparse.csc_array):
            close(self.solution(kind(X)), self.solution(), f"x from a {kind.__name__} differs")

    def operator(self):
        """Check that the program of a linear operator is that of its matrix."""
        import cvxpy

        close(self.solution(cvxpy.Constant(scipy.sparse.linalg.aslinearoperator(X))), self.solution(), "x differs")

    def weights(self):
        """Check that a row of weight 2 counts as two rows."""
        import cvxpy

        x = cvxpy.Variable(8)
        rest = np.repeat(X, WEIGHTS, axis=0) @ x - np.repeat(Y, WEIGHTS)
        cvxpy.Problem(cvxpy.Minimize(cvxpy.sum_squares(rest) + cvxpy.norm1(x))).solve(solver=cvxpy.CLARABEL)
        close(self.solution(weights=WEIGHTS), x.value, "x differs from that with repeated rows")
        return "written into the objective"

    def pickling(self):
        """Solve a program after it was pickled."""
        import cvxpy

        program = pickle.loads(pickle.dumps(self.program()[0]))
        program.solve(solver=cvxpy.CLARABEL)
        close(program.variables()[0].value, self.solution(), "x differs")

    def save(self):
        """Look for a way to write a program to a file and to read it again, without pickle."""
        import cvxpy

        without_saving(cvxpy, self.program()[0])

    def own_solver(self):
        """Pass a solver that was written elsewhere."""
        from cvxpy.reductions.solvers.conic_solvers.clarabel_conif import CLARABEL

        calls = []

        class Counted(CLARABEL):
            """A solver of another name, which is called."""

            def name(self):
                return "COUNTED"

            def solve_via_data(self, *arguments, **options):
                calls.append(self.name())
                return super().solve_via_data(*arguments, **options)

        program, x = self.program()
        program.solve(solver=Counted())
        expect(calls, "the solver was not called")
        close(x.value, self.solution(), "x differs")

    def own_part(self):
        """Pass a penalty that was composed elsewhere."""
        import cvxpy

        found = self.solution(penalty=lambda x: cvxpy.sum(cvxpy.maximum(x, -x)))
        close(found, self.solution(), "x differs")
        return "penalty"


PACKAGES = (Ours(), ScikitLearn(), Skglm(), Abess(), Cvxpy())


def tried(package):
    """Return {feature: (answer, remark or reason)} of a package."""
    if package.version is None:
        return dict.fromkeys(FEATURES, ("not installed", ""))
    return {feature: answer(getattr(package, feature)) for feature in FEATURES}


def answer(probe):
    """Return the answer of a probe, and the remark or the reason."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return "yes", probe() or ""
    except NotApplicable as error:
        return "not applicable", str(error)
    except Missing as error:
        return "no", str(error)
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        return "no", f"{type(error).__name__}: {' '.join(lines[0].split()).rstrip(':')}"


def keep(answers, path=KEPT):
    """Write answers, versions and the date, unless a package was missing."""
    missing = [package.name for package in PACKAGES if package.name not in answers or package.version is None]
    if missing:
        raise SystemExit(f"not kept: {', '.join(missing)} not tried or not installed")
    versions = {package.name: package.version for package in PACKAGES}
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    path.write_text(json.dumps({"date": date, "versions": versions, "answers": answers}, indent=1) + "\n")


def features(answers, versions):
    """Return header and rows: one row for each feature, one column for each package."""
    rows = [["version", *(versions[name] or "-" for name in answers)]]
    for feature, words in FEATURES.items():
        rows.append([words, *(answers[name][feature][0] for name in answers)])
    return ["feature", *answers], rows


def details(answers):
    """Return header and rows: how a feature is used, or why an answer is "no" or "not applicable"."""
    rows = [
        [name, FEATURES[feature], said, f"`{text}`" if "Error: " in text else text]
        for name, by_feature in answers.items()
        for feature, (said, text) in by_feature.items()
        if text
    ]
    return ["package", "feature", "answer", "how, or why not"], rows


def kept_features(path=KEPT):
    """Return the table of features that was kept."""
    kept = json.loads(path.read_text())
    (_, *names), rows = features(kept["answers"], kept["versions"])
    return [f"tried on {kept['date']}", *names], rows


def kept_details(path=KEPT):
    """Return the table of details that was kept."""
    return details(json.loads(path.read_text())["answers"])


def main(arguments=None):
    """Try the features and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[one.name for one in PACKAGES], help="try these packages only")
    parser.add_argument("--keep", action="store_true", help="keep the answers for the page")
    options = parser.parse_args(arguments)
    chosen = [one for one in PACKAGES if not options.only or one.name in options.only]
    answers = {one.name: tried(one) for one in chosen}
    print(table(*features(answers, {one.name: one.version for one in chosen})))
    print("\n" + table(*details(answers)))
    if options.keep:
        keep(answers)


if __name__ == "__main__":
    main()
