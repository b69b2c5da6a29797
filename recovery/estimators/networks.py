"""``SparseReLURegressor`` and ``SparseReLUClassifier``: sparse ReLU networks as estimators of scikit-learn."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, Literal

import numpy as np

from planted.base import arrays
from planted.base.checks import check_integer, check_number
from planted.base.extras import need
from planted.base.frames import data_frame
from planted.base.progress import Bar, Progress, bar, check_progress
from planted.networks import ReLUNetwork
from recovery.estimators.arguments import checked_data, checked_size, written_out
from recovery.estimators.inputs import CONSTANT, centre, columns_over, far_exponent, far_exponents
from recovery.estimators.linear import CLOSE, best_of
from recovery.estimators.selector import SparseSelector
from recovery.estimators.shown import draw_weights, names_of_features
from recovery.estimators.stored import StoredEstimator
from recovery.mlp.losses import softmax
from recovery.mlp.record import FitMethod, Loss, NetworkFit
from recovery.networks.fitting import fit_network
from recovery.networks.methods import Method
from recovery.operators.arithmetic import shifted

__all__ = ["SparseReLUClassifier", "SparseReLURegressor"]

_USER = "an estimator"
BaseEstimator: Any = need("sklearn.base", _USER).BaseEstimator
ClassifierMixin: Any = need("sklearn.base", _USER).ClassifierMixin
clone: Any = need("sklearn.base", _USER).clone
check_cv: Any = need("sklearn.model_selection", _USER).check_cv
KFold: Any = need("sklearn.model_selection", _USER).KFold
StratifiedKFold: Any = need("sklearn.model_selection", _USER).StratifiedKFold
RegressorMixin: Any = need("sklearn.base", _USER).RegressorMixin
LabelEncoder: Any = need("sklearn.preprocessing", _USER).LabelEncoder
check_classification_targets: Any = need("sklearn.utils.multiclass", _USER).check_classification_targets
validation: Any = need("sklearn.utils.validation", _USER)

ROUNDS = 6
"""Number of cuts of a network that is trained with all its weights; each keeps the same fraction of the weights."""

SIZES = 10
"""Number of sizes that cross-validation compares, besides 0."""


@dataclass
class _Weights:
    """relu(X W + b) V + c, with V of shape (m, k)."""

    W: np.ndarray
    b: np.ndarray
    V: np.ndarray
    c: np.ndarray

    def __call__(self, X: Any) -> np.ndarray:
        return np.maximum(X @ self.W + self.b, 0.0) @ self.V + self.c


class _ReLUNetwork(StoredEstimator, SparseSelector, BaseEstimator):
    """Common fit of both estimators."""

    n_neurons: int
    sparsity: int | Literal["cv"] | None
    method: Method | FitMethod
    cv: Any
    fit_intercept: bool
    fit_: NetworkFit | None
    standardize: bool
    ridge: float
    max_iter: int
    restarts: int
    random_state: Any

    def _fit(self, X: np.ndarray, y: np.ndarray, loss: Loss, progress: Progress) -> None:
        """Fit the network to float64 features and targets (n,), and store it in units of the features."""
        check_progress(progress)
        m = check_integer(self.n_neurons, "n_neurons", minimum=1)
        for name in ("fit_intercept", "standardize"):
            value = getattr(self, name)
            if not isinstance(value, (bool, np.bool_)):
                raise TypeError(f"{name}={value!r} is of type {type(value).__name__}; expected a bool")
        check_integer(self.max_iter, "max_iter", minimum=1)
        check_integer(self.restarts, "restarts", minimum=0)
        check_number(self.ridge, "ridge", minimum=0.0)
        d = X.shape[1]
        classes = loss == "cross_entropy"
        k = int(y.max()) + 1 if classes else 1
        capacity = m * (d + k) if classes else m * d
        weights = f"{m} neuron(s) with {d} feature(s)" + (f" and {k} classes" if classes else "")
        why = f"{weights} have {capacity} weight(s)"
        chosen = isinstance(self.sparsity, str) and self.sparsity == "cv"
        s = capacity
        if not chosen and self.sparsity is not None:
            s = checked_size(self.sparsity, capacity, why, "'cv', None")
        elif not chosen and capacity > len(X):
            warnings.warn(
                f"sparsity=None keeps all {capacity} weights, which are more than the {len(X)} rows, so the network is "
                "likely to overfit; pass sparsity='cv' to choose their number by cross-validation, or a number",
                UserWarning,
                stacklevel=3,
            )
        if s == 0 and not self.fit_intercept:
            raise ValueError(
                "sparsity=0 without an intercept gives an empty model; expected at least 1, or fit_intercept=True"
            )
        unit = 0 if classes else far_exponent(y)
        y = y if classes else shifted(y, -unit)
        self.cv_results_: dict[str, Any] | None = None
        splits = self._splits(X, y, classes) if chosen else []
        sizes = _sizes(min(capacity, len(X)), self.fit_intercept)
        with bar(progress, len(sizes) * len(splits) + 1, user="an estimator") as shown:
            if chosen:
                s = self._select(X, y, k if classes else 0, sizes, splits, unit=unit, shown=shown)
            self._fit_size(X, y, loss, m, k, s, unit=unit)
            shown.step()

    def _fit_size(self, X: np.ndarray, y: np.ndarray, loss: Loss, m: int, k: int, s: int, *, unit: int) -> None:
        """Fit a network with s weights to targets that were divided by 2^unit, and store it."""
        classes, d = loss == "cross_entropy", X.shape[1]
        exponents = far_exponents(X) if self.standardize else np.zeros(d, dtype=np.int64)
        X = np.ascontiguousarray(columns_over(X, exponents))  # so that the order in memory changes no bit of the result
        Z, mean, scale = X, np.zeros(d), np.ones(d)
        if self.standardize:
            if self.fit_intercept:
                Z, mean = centre(X, np.full(len(X), 1.0 / len(X)))
            scale = np.sqrt((Z * Z).mean(axis=0))
            scale = np.where(scale > CONSTANT * np.sqrt((X * X).mean(axis=0)), scale, np.inf)
            Z = Z / scale
        network = self._best(Z, y, loss, m, k, s)
        W = network.W / scale[:, None]
        b = network.b - mean @ W
        mean, scale = np.ldexp(mean, exponents), np.ldexp(scale, exponents)
        self.mean_, self.scale_ = mean, np.where(np.isinf(scale), 1.0, scale)
        # with one output the hidden weights carry the unit of the targets
        self.coefs_ = (np.ldexp(W, unit - exponents[:, None]), network.V)
        self.intercepts_ = (shifted(b, unit), shifted(network.c, unit))
        W = self.coefs_[0]
        self.activity_ = ((Z @ network.W + network.b > 0.0) & W.any(axis=0)).mean(axis=0)
        self.sparsity_ = int((W != 0.0).sum()) + (int((network.V != 0.0).sum()) if classes else 0)
        self.support_ = np.flatnonzero(W.any(axis=1))
        if self.fit_ is not None:
            names = (*names_of_features(self), *(["constant"] if self.fit_intercept else []))
            features = ", on standardised features" if self.standardize else ""
            note = f"the fit went on from this search{features}, and ended with network_; the search: "
            self.fit_ = replace(self.fit_, names=names, message=note + self.fit_.message)

    def _splits(self, X: np.ndarray, y: np.ndarray, classes: bool) -> list[tuple[Any, Any]]:
        """Return the (train, test) rows of cross-validation; a number of folds is limited to that of the rows.

        Folds of classes have nearly the same shares of each; splits whose training rows are all of one class are left
        out. Folds are shuffled in a fixed way, since rows are often in some order.
        """
        cv = self.cv
        if isinstance(cv, Integral) and not isinstance(cv, bool):
            folds = check_integer(cv, "cv", minimum=2)
            rows = int(np.bincount(y).min()) if classes else len(y)
            stratified = classes and rows > 1
            folds = min(folds, rows if stratified else len(y))
            cv = (StratifiedKFold if stratified else KFold)(folds, shuffle=True, random_state=0)
        found = list(check_cv(cv).split(X, y))
        if classes:
            found = [(train, test) for train, test in found if len(np.unique(y[train])) > 1]
        if not found:
            raise ValueError(f"cv={self.cv!r} gives no split; expected a number of folds of at least 2, or splits")
        return found

    def _select(
        self, X: np.ndarray, y: np.ndarray, k: int, sizes: np.ndarray, splits: list[Any], *, unit: int, shown: Bar
    ) -> int:
        """Return the size with the smallest mean error over the splits, and store the errors; k is 0 for targets."""
        errors = np.empty((len(sizes), len(splits)))
        for j, (train, test) in enumerate(splits):
            # rows of classes that the training rows do not have are left out
            test = test[np.isin(y[test], y[train])] if k else test
            # and a network for fewer classes has fewer weights
            most = self.n_neurons * (X.shape[1] + len(np.unique(y[train])) if k else X.shape[1])
            for i, size in enumerate(sizes):
                model = clone(self).set_params(sparsity=min(int(size), most)).fit(X[train], y[train])
                errors[i, j] = model._error(X[test], y[test])
                shown.step()
        shares = np.array([float(len(test)) for _, test in splits])
        means = errors @ (shares / shares.sum())
        spread = errors.std(axis=1, ddof=1) / np.sqrt(len(splits)) if len(splits) > 1 else np.full(len(sizes), np.nan)
        floor = 0.0 if k else CLOSE**2 * float(((y - y.mean()) ** 2).mean())
        best = best_of(means, floor)
        if len(splits) > 1:  # the one-standard-error rule
            best = int(np.flatnonzero(means <= means[best] + spread[best])[0])
        self.cv_results_ = {
            "sparsity": sizes,
            "errors": shifted(errors, 2 * unit),
            "mean_error": shifted(means, 2 * unit),
            "standard_error": shifted(spread, 2 * unit),
        }
        return int(sizes[best])

    @property
    def network_(self) -> ReLUNetwork:
        """The network that predicts, in units of the original features, without the neurons that are not used.

        Networks have no biases, so with ``fit_intercept`` its last input is the constant 1, and its last neuron, which
        depends on nothing else, gives the biases of the outputs: ``network_(np.column_stack([X, np.ones(len(X))]))``.
        """
        validation.check_is_fitted(self)
        W, V, used = self._used()
        if not self.fit_intercept:
            return ReLUNetwork([W, self._outer(V)])
        hidden = np.vstack([W, self.intercepts_[0][used]])
        constant = np.zeros((len(hidden), 1))
        # with one output, whose weights are signs, the bias is the weight of the hidden layer
        c = self.intercepts_[1]
        constant[-1] = abs(c[0]) if len(c) == 1 else 1.0
        last = np.where(c < 0.0, -1.0, 1.0) if len(c) == 1 else c
        return ReLUNetwork([np.hstack([hidden, constant]), self._outer(np.vstack([V, last]))])

    def _used(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the weights of the neurons that are used, and their numbers."""
        W, V = self.coefs_
        used = np.flatnonzero(W.any(axis=0) & V.any(axis=1))
        return W[:, used], V[used], used

    def _outer(self, V: np.ndarray) -> np.ndarray:
        """Return output weights as a network has them: a vector for one output."""
        return V[:, 0] if V.shape[1] == 1 else V

    def to_pandas(self) -> Any:
        """Return the weights of the hidden layer as a table, with effects that can be compared.

        Returns
        -------
        pandas.DataFrame
            One row per non-zero weight of a neuron in use: ``neuron``, its column in ``coefs_[0]``; ``feature``, its
            name; ``weight``, in units of the feature; ``output``, the name of the output (``"y"``, or a class);
            ``effect``, weight times ``scale_`` times output weight, which is the change of the output if the feature
            grows by ``scale_``, usually its standard deviation, while the neuron is active; and ``active``, the share
            of the rows of the fit on which it is active. Neurons are in their order, and the effects of each in
            descending order of size. For several classes a weight has a row for each output that its neuron affects.

        Raises
        ------
        MissingExtra
            If pandas is not installed.
        """
        validation.check_is_fitted(self)
        (W, V), names = self.coefs_, names_of_features(self)
        outputs = [str(one) for one in self.classes_] if hasattr(self, "classes_") else ["y"]
        rows = [
            (int(j), names[i], W[i, j], outputs[k], W[i, j] * self.scale_[i] * V[j, k], self.activity_[j])
            for j in self._used()[2]
            for k in np.flatnonzero(V[j])
            for i in np.flatnonzero(W[:, j])
        ]
        rows.sort(key=lambda row: (row[0], -abs(row[4])))
        columns = ("neuron", "feature", "weight", "output", "effect", "active")
        content = zip(*rows, strict=True) if rows else [()] * len(columns)
        return data_frame(dict(zip(columns, map(list, content), strict=True)), "to_pandas")

    def plot(self, ax: Any = None) -> Any:
        """Draw the weights of the network that predicts: a row per feature in use, a column per neuron in use.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on; by default those of a new figure, which a notebook shows.

        Returns
        -------
        matplotlib.axes.Axes
            The axes. For one output the colours are effects on the prediction: red if it grows with the feature where
            the neuron is active, blue if it falls (weights times output weights, ``coefs_[0] * coefs_[1].T``). For
            classes they are ``coefs_[0]``, and the output weights are not drawn. With ``standardize`` features are in
            units of their standard deviations, so that colours can be compared. Biases are not drawn. Below each neuron
            stands the share of the rows of the fit on which it is active: one that is always active is linear. Names
            need room beside the axes, which a figure of ``plt.subplots(layout="constrained")`` makes.

        Raises
        ------
        MissingExtra
            If matplotlib is not installed.
        """
        validation.check_is_fitted(self)
        W, V, used = self._used()
        names = [names_of_features(self)[j] for j in self.support_]
        single = V.shape[1] == 1
        weights = (W * self.scale_[:, None] * (V.T if single else 1.0))[self.support_]
        title = "effect on the prediction where the neuron is active" if single else "weights"
        if self.standardize:
            title += "\n(per standard deviation of the feature)"
        network = ReLUNetwork([weights if len(names) else np.zeros((1, 0)), np.ones(len(used))])
        labels = [f"{j}\n{share:.0%} active" for j, share in zip(used, self.activity_[used], strict=True)]
        return draw_weights(ax, network, names, title, labels)

    def _best(self, Z: np.ndarray, y: np.ndarray, loss: Loss, m: int, k: int, s: int) -> _Weights:
        """Return the network found with the smallest loss, including the ridge."""
        classes, biases = loss == "cross_entropy", self.fit_intercept
        training = _Training(Z, y, classes, biases, self.ridge)
        automatic = isinstance(self.method, str) and self.method == "auto"
        rng = _generator(self.random_state)
        start = _constant(y, k, classes) if biases else np.zeros(k)
        nothing = _Weights(np.zeros((Z.shape[1], m)), np.zeros(m), np.zeros((m, k)), start)
        self.fit_, self.n_iter_ = None, 1
        rest = y if classes else y - start
        if s == 0 or not Z.any() or np.linalg.norm(rest) <= (0.0 if classes else CONSTANT * np.linalg.norm(y)):
            return nothing
        found, steps = [], 0
        if not (classes and automatic):
            whole, self.fit_ = self._search(Z, y, loss, m, s, rng)
            network = _cut(_fewer_neurons(whole, Z, m), Z, s, classes)
            steps = self.fit_.n_iter
            if not classes and biases and training.exact(whole) and not training.exact(network):
                # an exact fit that used what is meant for the biases: look for one that does without
                for neurons in (m, m + 1):
                    other, fit = self._search(Z, y, loss, m, s, rng, spare=(neurons - m, 0))
                    other, steps = _cut(_fewer_neurons(other, Z, m), Z, s, classes), steps + fit.n_iter
                    if training.exact(other):
                        network, self.fit_ = other, fit
                        break
            if not classes and training.exact(network):  # a further step could only lose digits
                self.n_iter_ = max(1, steps)
                return network
            network, taken = training.polished(network, 2 * self.max_iter)
            found, steps = [network], steps + taken
        if automatic:
            for _ in range(self.restarts + 1):
                network, taken = training.pruned(m, k, s, self.max_iter, rng)
                found, steps = [*found, network], steps + taken
        self.n_iter_ = max(1, steps)
        return min(found, key=training.loss)

    def _search(
        self,
        Z: np.ndarray,
        y: np.ndarray,
        loss: Loss,
        m: int,
        s: int,
        rng: Any,
        *,
        spare: tuple[int, int] | None = None,
    ) -> tuple[_Weights, Any]:
        """Return the network of ``fit_network`` with its constant part separated, and the result of ``fit_network``.

        `spare` holds how many neurons and weights there are besides `m` and `s`; by default enough for all biases.
        """
        n, d = Z.shape
        classes = loss == "cross_entropy"
        k = int(y.max()) + 1 if classes else 1
        inputs, budget, width = Z, s, m
        if self.fit_intercept:
            inputs = np.column_stack([Z, np.ones(n)])
            # a bias for each neuron; with one output, one more neuron whose only weight is the bias: the constant
            width = m if classes else m + 1
            budget = s + width
            if spare is not None:
                width, budget = m + spare[0], s + spare[1]
        # a network with one output is fused: its hidden weights carry the unit
        unit = 1.0 if classes else float(np.sqrt((y * y).mean())) or 1.0
        fit = fit_network(
            inputs,
            y if classes else y / unit,
            n_neurons=width,
            sparsity=budget,
            method=self.method,
            loss=loss,
            max_iter=self.max_iter,
            restarts=self.restarts,
            rng=rng,
        )
        layers = [np.asarray(layer, dtype=np.float64) for layer in fit.network.layers]
        W, V = layers[0] * unit, layers[1].reshape(layers[1].shape[0], k)
        b, c = np.zeros(W.shape[1]), np.zeros(k)
        if self.fit_intercept:
            W, b = W[:d], W[d]
            still = ~np.asarray(W.any(axis=0))
            c = np.maximum(b[still], 0.0) @ V[still]
            W, b, V = W[:, ~still], b[~still], V[~still]
        return _Weights(W, b, V, c), fit


def _sizes(most: int, intercept: bool) -> np.ndarray:
    """Return the numbers of weights that are compared: a geometric grid, and 0 if there is an intercept."""
    sizes = np.unique(np.round(np.geomspace(1, most, SIZES)).astype(np.int64))
    return np.concatenate([[0], sizes]) if intercept else sizes


def _constant(y: np.ndarray, k: int, classes: bool) -> np.ndarray:
    """Return the best constant outputs: the mean, or the logarithms of the class frequencies."""
    if not classes:
        return np.array([y.mean()])
    shares = np.log(np.bincount(y, minlength=k) / len(y))
    return shares - shares.mean()


def _generator(random_state: Any) -> np.random.Generator:
    """Return a generator for any of scikit-learn's random states."""
    if isinstance(random_state, np.random.RandomState):
        random_state = int(random_state.randint(2**31 - 1))
    try:
        return arrays.generator(random_state)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"random_state={random_state!r} is not understood; expected an int of at least 0, a RandomState, a "
            "Generator or None"
        ) from error


def _fewer_neurons(network: _Weights, Z: np.ndarray, m: int) -> _Weights:
    """Return the network cut to the m neurons that affect the outputs most, by their standard deviations."""
    if network.W.shape[1] <= m:
        return network
    hidden = np.maximum(Z @ network.W + network.b, 0.0)
    keep = np.sort(np.argsort(-hidden.std(axis=0) * np.sqrt((network.V**2).sum(axis=1)), kind="stable")[:m])
    c = network.c + np.delete(hidden.mean(axis=0), keep) @ np.delete(network.V, keep, axis=0)
    return _Weights(network.W[:, keep], network.b[keep], network.V[keep], c)


def _cut(network: _Weights, Z: np.ndarray, s: int, classes: bool) -> _Weights:
    """Return the network cut to the s weights that affect the outputs most, biases not counted.

    The root mean square effect of a weight w_ij on the outputs is about |w_ij| |z_i| |v_j|, and that of an output
    weight |v_jk| |relu_j|.
    """
    size = np.sqrt((Z * Z).mean(axis=0))
    shares = [np.abs(network.W) * size[:, None] * np.sqrt((network.V**2).sum(axis=1))]
    if classes:
        hidden = np.maximum(Z @ network.W + network.b, 0.0)
        shares.append(np.abs(network.V) * np.sqrt((hidden * hidden).mean(axis=0))[:, None])
    flat = np.concatenate([share.ravel() for share in shares])
    weights = np.concatenate([network.W.ravel(), *([network.V.ravel()] if classes else [])])
    if int((weights != 0.0).sum()) <= s:
        return network
    flat = np.where(weights != 0.0, flat, -1.0)
    keep = np.zeros(len(flat), dtype=bool)
    keep[np.argsort(-flat, kind="stable")[:s]] = True
    W = np.where(keep[: network.W.size].reshape(network.W.shape), network.W, 0.0)
    V = np.where(keep[network.W.size :].reshape(network.V.shape), network.V, 0.0) if classes else network.V
    # a neuron without inputs is constant and is added to the output bias
    still = ~np.asarray(W.any(axis=0))
    c = network.c + np.maximum(network.b[still], 0.0) @ V[still]
    V = np.where(still[:, None], 0.0, V)
    return _Weights(W, np.where(still, 0.0, network.b), V, c)


def _loss(outputs: np.ndarray, y: np.ndarray, classes: bool) -> tuple[float, np.ndarray]:
    """Return the mean loss and its derivative with respect to the outputs."""
    n = len(y)
    if not classes:
        residual = outputs[:, 0] - y
        return 0.5 * float(residual @ residual) / n, residual[:, None] / n
    top = outputs.max(axis=1, keepdims=True)
    logs = outputs - top - np.log(np.exp(outputs - top).sum(axis=1, keepdims=True))
    gradient = np.exp(logs)
    gradient[np.arange(n), y] -= 1.0
    return -float(logs[np.arange(n), y].mean()), gradient / n


class _Training:
    """Minimises the mean loss + ridge |weights|^2 / 2 on given positions, by a quasi-Newton method.

    For one output the targets are divided by their standard deviation, and the output weights, +-1, are fixed.
    """

    def __init__(self, Z: np.ndarray, y: np.ndarray, classes: bool, biases: bool, ridge: float) -> None:
        self.Z, self.classes, self.biases, self.ridge = Z, classes, biases, ridge
        self.unit = 1.0 if classes else float(np.sqrt(((y - y.mean()) ** 2).mean())) or 1.0
        self.y = y if classes else y / self.unit

    def _scaled(self, network: _Weights, factor: float) -> _Weights:
        """Return the network whose outputs are `factor` times as large, for one output."""
        if self.classes:
            return network
        return _Weights(network.W * factor, network.b * factor, network.V, network.c * factor)

    def _value(self, now: _Weights) -> tuple[float, tuple[np.ndarray, ...]]:
        """Return the loss, with the ridge, and its derivatives with respect to all four parts."""
        before = self.Z @ now.W + now.b
        hidden = np.maximum(before, 0.0)
        loss, outer = _loss(hidden @ now.V + now.c, self.y, self.classes)
        inner = (outer @ now.V.T) * (before > 0.0)
        squares = float((now.W**2).sum()) + (float((now.V**2).sum()) if self.classes else 0.0)
        parts = (
            self.Z.T @ inner + self.ridge * now.W,
            inner.sum(axis=0),
            hidden.T @ outer + self.ridge * now.V,
            outer.sum(axis=0),
        )
        return loss + 0.5 * self.ridge * squares, parts

    def loss(self, network: _Weights) -> float:
        """Return the loss of a network in the units of the targets, with the ridge."""
        return self._value(self._scaled(network, 1.0 / self.unit))[0]

    def exact(self, network: _Weights) -> bool:
        """Return whether the outputs equal the targets up to rounding."""
        return _loss(self._scaled(network, 1.0 / self.unit)(self.Z), self.y, self.classes)[0] <= 1e-20

    def polished(self, network: _Weights, steps: int) -> tuple[_Weights, int]:
        """Minimise the loss over the non-zero weights and the biases; return the network and the number of steps."""
        from scipy.optimize import minimize

        first = self._scaled(network, 1.0 / self.unit)
        live = np.asarray(first.W.any(axis=0))
        masks = [
            first.W != 0.0,
            live & self.biases,
            (first.V != 0.0) & live[:, None] & self.classes,
            np.full(first.c.shape, self.biases),
        ]
        ends = np.cumsum([int(mask.sum()) for mask in masks])
        parts = [first.W, first.b, first.V, first.c]
        if self.classes:
            parts[2] = np.where(masks[2], first.V, 0.0)

        def unpack(theta: np.ndarray) -> _Weights:
            new = [part.copy() for part in parts]
            for part, mask, values in zip(new, masks, np.split(theta, ends[:-1]), strict=True):
                part[mask] = values
            return _Weights(*new)

        def value(theta: np.ndarray) -> tuple[float, np.ndarray]:
            loss, slopes = self._value(unpack(theta))
            return loss, np.concatenate([slope[mask] for slope, mask in zip(slopes, masks, strict=True)])

        theta = np.concatenate([part[mask] for part, mask in zip(parts, masks, strict=True)])
        if not len(theta):
            return network, 0
        found = minimize(value, theta, jac=True, method="L-BFGS-B", options={"maxiter": steps})
        if not found.fun < value(theta)[0]:
            return network, int(found.nit)
        return self._scaled(unpack(found.x), self.unit), int(found.nit)

    def pruned(self, m: int, k: int, s: int, steps: int, rng: Any) -> tuple[_Weights, int]:
        """Train a network with all its weights, then cut it to s weights in rounds; return it and the steps."""
        d = self.Z.shape[1]
        V = rng.standard_normal((m, k)) / np.sqrt(m) if self.classes else rng.choice([-1.0, 1.0], size=(m, 1))
        W = rng.standard_normal((d, m)) / np.sqrt(d * (1 if self.classes else m))
        network = self._scaled(_Weights(W, np.zeros(m), V, np.zeros(k)), self.unit)
        network, total = self.polished(network, max(1, 2 * steps // 5))
        full = d * m + (m * k if self.classes else 0)
        for i in range(1, ROUNDS + 1):
            size = max(s, round(full * (s / full) ** (i / ROUNDS)))
            network = _cut(network, self.Z, size, self.classes)
            network, taken = self.polished(network, 2 * steps if i == ROUNDS else max(1, 2 * steps // 5))
            total += taken
            if s == full:
                break
        return network, total


class SparseReLURegressor(RegressorMixin, _ReLUNetwork):
    """Regression by a ReLU network with few neurons and few weights, y = sum_j +-relu(x . w_j + b_j) + c.

    Parameters
    ----------
    n_neurons : int, default 5
        Largest number of hidden neurons.
    sparsity : "cv", int or None, default None
        Largest number of non-zero weights of the hidden layer, biases not counted. "cv" chooses it by cross-validation,
        which takes about fifty fits. None keeps all weights, and warns if they are more than the rows, because such a
        network is likely to overfit.
    method : str or FitMethod, default "auto"
        How supports are found. "auto" keeps the network of :func:`recovery.fit_network` if it fits exactly. Otherwise
        it is compared with networks that are trained with all their weights and cut in rounds, and the one with the
        smallest loss, including the ridge, is kept. Other methods are those of ``fit_network``.
    fit_intercept : bool, default True
        A bias for every neuron and for the output.
    standardize : bool, default True
        Centre the features (with an intercept) and divide them by their standard deviations during the fit.
        ``coefs_``, ``intercepts_`` and ``network_`` take the original features.
    ridge : float, default 0.01
        Penalty during the fit: `ridge` times half of the squared weights for standardised features and targets.
    max_iter, restarts : int
        As in :func:`recovery.fit_network`. Networks that are cut in rounds take two fifths of `max_iter` quasi-Newton
        steps per round and at most twice `max_iter` at the end, from ``restarts + 1`` random starts.
    cv : int, splitter or iterable of splits, default 5
        Cross-validation for ``sparsity="cv"``, as in scikit-learn. For a number of folds the rows are shuffled in a
        fixed way; folds of classes are stratified.
    random_state : int, RandomState or None, default 0
        Source of the random numbers.

    Attributes
    ----------
    coefs_ : tuple of array, shapes (n_features_in_, m) and (m, 1)
        Hidden weights, and output weights of +-1 (0 for unused neurons).
    intercepts_ : tuple of array, shapes (m,) and (1,)
        Biases of the neurons and of the output.
    support_ : array of int64
        The features used by at least one neuron.
    sparsity_ : int
        Number of non-zero weights.
    network_ : planted.ReLUNetwork
        The network that predicts, for the original features; with biases, for a constant 1 as the last input.
    activity_ : array, shape (m,)
        Share of the rows of the fit on which a neuron is active; one that is active on all of them is linear there.
    mean_, scale_ : array, shape (n_features_in_,)
        What was subtracted from the features during the fit, and what they were divided by.
    fit_ : recovery.NetworkFit or None
        The result of the search by ``fit_network``, for standardised features with the constant as the last one, before
        biases were separated and weights cut. Its network is not the one that predicts, and may have been discarded.
    cv_results_ : dict or None
        What ``sparsity="cv"`` compared, else None: ``sparsity``, the sizes, shape (k,); ``errors``, shape (k, splits);
        ``mean_error``, over all rows of the splits, and ``standard_error``, shape (k,).
    n_features_in_, feature_names_in_, n_iter_
        As usual in scikit-learn.

    Notes
    -----
    With ``sparsity="cv"`` the sizes compared are 0 and ten numbers from 1 to the number of rows (or of weights, if
    smaller), in geometric progression. A network of each size is fitted to the training rows of each split, and its
    mean squared error e is measured on the other rows. The smallest size is taken whose mean of e is within one
    standard error of the smallest mean, and a network of that size is fitted to all rows: of sizes that the data
    cannot tell apart, the larger ones are more likely to overfit.

    Biases: a constant column is appended to the standardised features, and ``fit_network`` is called with ``n_neurons +
    1`` neurons and ``sparsity + n_neurons + 1`` weights: one bias per neuron, and one constant neuron. Neurons whose
    only weight is the bias are summed into the output bias. If more than `sparsity` other weights, or more than
    `n_neurons` neurons, are left, those that affect the outputs least are removed, and weights and biases are refitted
    on their support by a quasi-Newton method. A network that fits exactly is left unchanged, so that planted networks
    are recovered to the last digits; if it only does so before the removal, the search is repeated without the
    additional weights. Six cuts lead from all weights to `sparsity`, each keeping the same fraction of
    the weights; those that affect the outputs least are removed.

    A sparse matrix is converted to a dense one for the fit, but not for predictions. ``transform`` keeps the features
    in ``support_``, so that the estimator can select features in a pipeline.

    Examples
    --------
    >>> import numpy as np, recovery
    >>> X = np.random.default_rng(0).standard_normal((400, 6))
    >>> y = np.maximum(X[:, 0] - X[:, 2] + 0.5, 0.0) - np.maximum(X[:, 1], 0.0) + 2.0
    >>> model = recovery.SparseReLURegressor(n_neurons=2, sparsity=3).fit(X, y)
    >>> model.support_.tolist(), round(model.score(X, y), 6)
    ([0, 1, 2], 1.0)
    """

    def __init__(
        self,
        n_neurons: int = 5,
        sparsity: int | Literal["cv"] | None = None,
        method: Method | FitMethod = "auto",
        *,
        fit_intercept: bool = True,
        standardize: bool = True,
        ridge: float = 0.01,
        max_iter: int = 100,
        restarts: int = 3,
        cv: Any = 5,
        random_state: Any = 0,
    ) -> None:
        self.n_neurons = n_neurons
        self.sparsity = sparsity
        self.method = method
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.ridge = ridge
        self.max_iter = max_iter
        self.restarts = restarts
        self.cv = cv
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, progress: Progress = False) -> SparseReLURegressor:
        """Fit the network.

        Parameters
        ----------
        X : array, data frame or scipy sparse matrix, shape (n, d)
            Features. A sparse matrix is written out for the fit, which is refused beyond 2e7 entries, zeros included.
        y : array, shape (n,)
            Targets.
        progress : bool or callable, default False
            True shows a progress bar (needs tqdm); a function is called as ``progress(done, total)`` after each fit:
            one per size and split with ``sparsity="cv"``, and the last one.

        Returns
        -------
        self
            The fitted estimator.
        """
        X, y = checked_data(self, X, y, accept_sparse="csr", dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        self._fit(written_out(X, type(self).__name__), y, "squared", progress)
        return self

    def _error(self, X: Any, y: Any) -> float:
        """Return the mean squared error on rows."""
        return float(((y - self.predict(X)) ** 2).mean())

    def predict(self, X: Any) -> Any:
        """Return the outputs of the network, shape (n,)."""
        validation.check_is_fitted(self)
        X = checked_data(self, X, accept_sparse=["csr", "csc"], dtype=np.float64, reset=False)
        return _Weights(self.coefs_[0], self.intercepts_[0], self.coefs_[1], self.intercepts_[1])(X)[:, 0]


class SparseReLUClassifier(ClassifierMixin, _ReLUNetwork):
    """Classification by a ReLU network with few neurons and few weights, softmax(relu(X W + b) V + c).

    Parameters
    ----------
    n_neurons : int, default 10
        Largest number of hidden neurons.
    sparsity : "cv", int or None, default None
        Largest number of non-zero weights of both layers, biases not counted. "cv" chooses it by cross-validation,
        which takes about fifty fits. None keeps all weights, and warns if they are more than the rows, because such a
        network is likely to overfit.
    method : str or FitMethod, default "auto"
        How supports are found. "auto" trains networks with all their weights, cuts them in rounds, and keeps the one
        with the smallest loss, including the ridge. Other methods are those of :func:`recovery.fit_network`.
    fit_intercept : bool, default True
        A bias for every neuron and for every class.
    standardize : bool, default True
        Centre the features (with an intercept) and divide them by their standard deviations during the fit.
        ``coefs_``, ``intercepts_`` and ``network_`` take the original features.
    ridge : float, default 0.01
        Penalty during the fit: `ridge` times half of the squared weights of both layers for standardised features.
        Without it, separable classes have no optimal weights, and the result depends on when the fit stops.
    max_iter, restarts : int
        Two fifths of `max_iter` quasi-Newton steps are taken after each cut, and at most twice `max_iter` after the
        last, from ``restarts + 1`` random starts. Methods of ``fit_network`` use them as described there.
    cv : int, splitter or iterable of splits, default 5
        Cross-validation for ``sparsity="cv"``, as in scikit-learn. For a number of folds the rows are shuffled in a
        fixed way; folds of classes are stratified.
    random_state : int, RandomState or None, default 0
        Source of the random numbers.

    Attributes
    ----------
    classes_ : array, shape (k,)
        The classes, ascending.
    coefs_, intercepts_ : tuple of array
        W (n_features_in_, m) and V (m, k); b (m,) and c (k,).
    support_ : array of int64
        The features used by at least one neuron.
    sparsity_ : int
        Number of non-zero weights.
    network_ : planted.ReLUNetwork
        The network that predicts, for the original features; with biases, for a constant 1 as the last input.
    activity_ : array, shape (m,)
        Share of the rows of the fit on which a neuron is active; one that is active on all of them is linear there.
    mean_, scale_ : array, shape (n_features_in_,)
        What was subtracted from the features during the fit, and what they were divided by.
    fit_ : recovery.NetworkFit or None
        The result of the search by ``fit_network``, for standardised features with the constant as the last one, before
        biases were separated and weights cut: its network is not the one that predicts. None for "auto".
    cv_results_ : dict or None
        What ``sparsity="cv"`` compared, else None: ``sparsity``, the sizes, shape (k,); ``errors``, shape (k, splits);
        ``mean_error``, over all rows of the splits, and ``standard_error``, shape (k,).
    n_features_in_, feature_names_in_, n_iter_
        As usual in scikit-learn.

    Notes
    -----
    With ``sparsity="cv"`` the sizes compared are 0 and ten numbers from 1 to the number of rows (or of weights, if
    smaller), in geometric progression. A network of each size is fitted to the training rows of each split, and its
    share e of wrong classes is measured on the other rows. The smallest size is taken whose mean of e is within one
    standard error of the smallest mean, and a network of that size is fitted to all rows: of sizes that the data
    cannot tell apart, the larger ones are more likely to overfit.

    A network is trained with all its weights, then cut six times, each time keeping the same fraction of the weights,
    and trained again after each cut. The weights that affect the outputs least are removed, as measured by |w_ij| times
    the root mean square of the feature and the norm of the neuron's output weights, or |v_jk| times the root mean
    square of the neuron.

    With a method of ``fit_network`` a constant column is appended to the standardised features, and the method is
    called with ``sparsity + n_neurons`` weights, one bias per neuron. If more than `sparsity` other weights are left,
    those that affect the outputs least are removed. Then weights and biases are fitted on their support.

    A sparse matrix is converted to a dense one for the fit, but not for predictions. ``transform`` keeps the features
    in ``support_``, so that the estimator can select features in a pipeline.

    Examples
    --------
    >>> import numpy as np, recovery
    >>> X = np.random.default_rng(0).standard_normal((300, 4))
    >>> model = recovery.SparseReLUClassifier(n_neurons=4, sparsity=16).fit(X, np.abs(X[:, 1]) > 0.7)
    >>> bool(model.score(X, np.abs(X[:, 1]) > 0.7) > 0.95)
    True
    """

    def __init__(
        self,
        n_neurons: int = 10,
        sparsity: int | Literal["cv"] | None = None,
        method: Method | FitMethod = "auto",
        *,
        fit_intercept: bool = True,
        standardize: bool = True,
        ridge: float = 0.01,
        max_iter: int = 100,
        restarts: int = 3,
        cv: Any = 5,
        random_state: Any = 0,
    ) -> None:
        self.n_neurons = n_neurons
        self.sparsity = sparsity
        self.method = method
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.ridge = ridge
        self.max_iter = max_iter
        self.restarts = restarts
        self.cv = cv
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, progress: Progress = False) -> SparseReLUClassifier:
        """Fit the network.

        Parameters
        ----------
        X : array, data frame or scipy sparse matrix, shape (n, d)
            Features. A sparse matrix is written out for the fit, which is refused beyond 2e7 entries, zeros included.
        y : array, shape (n,)
            Classes, of any type that can be sorted.
        progress : bool or callable, default False
            As in :meth:`SparseReLURegressor.fit`.

        Returns
        -------
        self
            The fitted estimator.
        """
        X, y = checked_data(self, X, y, accept_sparse="csr", dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        encoder = LabelEncoder().fit(y)
        self.classes_ = encoder.classes_
        if len(self.classes_) < 2:
            raise ValueError("y holds one class; expected at least two classes")
        self._fit(written_out(X, type(self).__name__), encoder.transform(y), "cross_entropy", progress)
        return self

    def _error(self, X: Any, y: Any) -> float:
        """Return the share of rows whose class is not the predicted one."""
        return float((self.predict(X) != y).mean()) if len(y) else 0.0

    def _outputs(self, X: Any) -> Any:
        validation.check_is_fitted(self)
        X = checked_data(self, X, accept_sparse=["csr", "csc"], dtype=np.float64, reset=False)
        return _Weights(self.coefs_[0], self.intercepts_[0], self.coefs_[1], self.intercepts_[1])(X)

    def decision_function(self, X: Any) -> Any:
        """Return the outputs of the network, shape (n, k); for two classes their difference, shape (n,)."""
        outputs = self._outputs(X)
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs

    def predict_proba(self, X: Any) -> Any:
        """Return the probabilities of the classes, shape (n, k)."""
        return softmax(self._outputs(X))

    def predict(self, X: Any) -> Any:
        """Return the most likely classes, shape (n,)."""
        best = self._outputs(X).argmax(axis=1)
        return self.classes_[best]
