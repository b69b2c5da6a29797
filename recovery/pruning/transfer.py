"""Sparse transfer: a mask is found on a source task, and the masked weights are trained on a target task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from planted.base import arrays
from planted.base.checks import check_choice, check_integer
from planted.base.progress import Progress, bar, check_progress
from planted.base.values import by_value
from recovery.mlp.losses import class_targets
from recovery.mlp.masks import Masks
from recovery.pruning.cost import Cost
from recovery.pruning.data import Data, data_sets
from recovery.pruning.method import Method, Rewind
from recovery.pruning.model import Model, as_model
from recovery.pruning.pruning import prune
from recovery.pruning.schedules import Rounds, Schedule
from recovery.pruning.training import Task, Trained, Training, Trains
from recovery.pruning.view import View

__all__ = ["FrozenFeatures", "StartOfTransfer", "Ticket", "TransferResult", "find_ticket", "ticket_transfer"]

StartOfTransfer: TypeAlias = Literal["source", "initial", "random"]
"""Weights to which the mask is applied: those trained on the source, their initial values, or random ones."""
_REWIND: dict[str, Rewind] = {"source": "dense", "initial": "start", "random": "random"}


@dataclass(frozen=True)
class FrozenFeatures(Trains):
    """Training of the last layers only; their inputs, the features, are frozen.

    Parameters
    ----------
    training : Trains
        How the last layers are trained.
    n_trained : int, default 1
        Number of last layers that are trained, with their biases.
    standardise : bool, default False
        Train in units in which each feature has variance 1 over the samples and, if there are biases, mean 0. The
        result is a network of the same form; only the training path differs. This is needed if a mask leaves features
        small, because steps of a fixed size then hardly change their contribution.

    Raises
    ------
    TypeError, ValueError
        If `training` is no training, `n_trained` is not a positive integer, or `standardise` is not a bool.

    Notes
    -----
    The features of all samples are computed once. The last layers are then trained as a separate network, which is
    equivalent to excluding the other layers from every update but cheaper: the frozen layers cost only one forward
    pass. With features standardised to (a - mean) / s, the layer above them is trained as s W and b + W' mean, and is
    converted back afterwards. A feature that is constant over the samples, up to rounding, keeps its units.
    """

    training: Trains
    n_trained: int = 1
    standardise: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.training, Trains):
            raise TypeError(f"training={self.training!r}; expected a Training, or another object derived from Trains")
        check_integer(self.n_trained, "n_trained", minimum=1)
        if not isinstance(self.standardise, bool):
            raise TypeError(f"standardise={self.standardise!r}; expected True or False")

    def total(self, n_samples: int) -> int:
        """Return the number of updates of a full training on this many samples."""
        return self.training.total(n_samples)

    def train(self, task: Task) -> Trained:
        """Train the last layers of a model.

        Parameters
        ----------
        task : Task
            Start and data.

        Returns
        -------
        Trained
            Where it ended; weights and biases of the other layers are unchanged.

        Raises
        ------
        ValueError
            If the model has no layer below those that are trained, or if there are observers or dynamics, which would
            see only the last layers.
        """
        model, cut = task.model, len(task.model.layers) - self.n_trained
        if cut < 1:
            raise ValueError(
                f"n_trained={self.n_trained} for a model with {len(model.layers)} layer(s); expected fewer, so that "
                "there are features to freeze"
            )
        if task.observers or task.dynamics is not None:
            raise ValueError("features are frozen: a criterion of the path, or a dynamics, needs all layers trained")
        layers, biases = model.layers, model.biases
        body = Model(layers[:cut], None if biases is None else biases[:cut])
        X = arrays.namespace(*layers).maximum(body(task.data.X), 0)
        task.cost.add(body.shapes, task.data.n_samples, kept=Masks(task.masks.layers[:cut]).count)
        top = Model(layers[cut:], None if biases is None else biases[cut:], model.loss)
        units = _Units(X, centred=biases is not None) if self.standardise else None
        if units is not None:
            X, top = units.features(X), units.scaled(top)
        masks = Masks(task.masks.layers[cut:])
        head = Task(
            top,
            masks,
            Data(X, task.data.y),
            task.rng,
            task.cost,
            (),
            task.first,
            task.keep_at,
            task.until,
            None,
            task.stop,
        )
        found = self.training.train(head)

        def whole(top: Model) -> Model:
            top = top if units is None else units.unscaled(top)
            offsets = None if biases is None else (*biases[:cut], *(top.biases or ()))
            return Model((*layers[:cut], *top.layers), offsets, model.loss)

        return Trained(
            whole(found.model),
            task.masks,
            found.n_iter,
            found.loss,
            {n: whole(one) for n, one in found.kept.items()},
            found.diverged,
        )


class _Units:
    """Units in which features have variance 1 and, if they are centred, mean 0; and heads in these units."""

    def __init__(self, X: Any, centred: bool) -> None:
        xp = arrays.namespace(X)
        centre = X.mean(axis=0)
        spread = xp.sqrt(((X - centre) ** 2).mean(axis=0))
        rounding = int(X.shape[0]) * float(np.finfo(X.dtype).eps) * abs(centre)  # of the mean
        self.spread = xp.where(spread > rounding, spread, xp.ones_like(spread))
        self.centre = centre if centred else xp.zeros_like(centre)

    def features(self, X: Any) -> Any:
        return (X - self.centre) / self.spread

    def scaled(self, head: Model) -> Model:
        return self._changed(head, self.spread, self.centre)

    def unscaled(self, head: Model) -> Model:
        return self._changed(head, 1 / self.spread, -self.centre / self.spread)

    @staticmethod
    def _changed(head: Model, factors: Any, shift: Any) -> Model:
        first = head.layers[0]
        wide = factors if first.ndim == 1 else factors[:, None]
        biases = None if head.biases is None else (head.biases[0] + shift @ head.matrices[0], *head.biases[1:])
        return head.replace(layers=(first * wide, *head.layers[1:]), biases=biases)


@by_value
@dataclass(frozen=True, eq=False, repr=False)
class TransferResult:
    """A model trained on a target task.

    Parameters
    ----------
    masks : Masks
        Weights of the model that may be non-zero; all of them in a new head.
    model : Model
        The trained model.
    error : float
        Error on the target's validation data: for the cross-entropy the fraction of misclassified samples, for the
        squared loss the sum of squares of f(x) - y divided by that of y - mean(y). NaN without validation data.
    train_error : float
        The same on the target's training data.
    cost : Cost
        Cost of the training on the target.
    n_iter : int
        Updates that were made.
    diverged : bool
        Whether weights or loss overflowed.
    """

    masks: Masks
    model: Model
    error: float
    train_error: float
    cost: Cost
    n_iter: int
    diverged: bool = False

    @property
    def accuracy(self) -> float:
        """Fraction of correctly classified validation samples; NaN for the squared loss."""
        return 1.0 - self.error if self.model.loss == "cross_entropy" else math.nan

    def __repr__(self) -> str:
        return (
            f"TransferResult({self.masks.count} of {self.model.n_weights} weights, error={self.error:.4g}, "
            f"train_error={self.train_error:.4g}, n_iter={self.n_iter})"
        )


@by_value
@dataclass(frozen=True, eq=False, repr=False)
class Ticket:
    """A mask found on a source task, with the weights before and after its dense training.

    Parameters
    ----------
    masks : Masks
        The weights that are kept.
    initial : Model
        theta_0, where training on the source started.
    trained : Model
        theta_S, the dense model trained on the source.
    path : tuple of Masks
        The masks after each round.
    cost : Cost
        Cost of all training on the source.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong type, or shapes do not agree.

    Notes
    -----
    :func:`find_ticket` finds one by magnitude. Masks found by other methods can be transferred too: build the ticket
    from their results.
    """

    masks: Masks
    initial: Model
    trained: Model
    path: tuple[Masks, ...] = ()
    cost: Cost = field(default_factory=Cost)

    def __post_init__(self) -> None:
        for name, kind in (("masks", Masks), ("initial", Model), ("trained", Model)):
            if not isinstance(getattr(self, name), kind):
                raise TypeError(f"{name} is of type {type(getattr(self, name)).__name__}; expected {kind.__name__}")
        shapes = tuple(tuple(layer.shape) for layer in self.initial.matrices)
        for name, found in (
            ("masks", self.masks.shapes),
            ("trained", tuple(tuple(layer.shape) for layer in self.trained.matrices)),
        ):
            if found != shapes:
                raise ValueError(f"{name} has layers of shapes {found}; expected {shapes}, those of the initial model")
        if (self.initial.biases is None) != (self.trained.biases is None):
            raise ValueError("only one of initial and trained has biases; expected both, or none")

    def transfer(
        self,
        target: Any,
        *,
        start: StartOfTransfer | Model = "source",
        mask: Literal["ticket", "random", "all"] = "ticket",
        features: Literal["trained", "frozen"] = "trained",
        head: Sequence[int] | None = None,
        training: Trains | None = None,
        rng: Any = None,
        progress: Progress = False,
    ) -> TransferResult:
        """Train the masked weights on a target task.

        Parameters
        ----------
        target : Data or (X, y)
            The target task, with validation data if the error is needed. The mask does not depend on it.
        start : {"source", "initial", "random"} or Model, default "source"
            The weights to which the mask is applied: theta_S (``"source"``), which the paper calls late resetting;
            theta_0 (``"initial"``); theta_0 with the weights of each layer in random order and the same biases
            (``"random"``); or your own weights of the same shapes.
        mask : {"ticket", "random", "all"}, default "ticket"
            The ticket's mask; a random mask that keeps equally many weights in each layer; or no mask at all, as the
            dense reference.
        features : {"trained", "frozen"}, default "trained"
            Train all weights, or only those of the head: the last layer, or the new layers.
        head : sequence of int, optional
            Replace the last layer with new, dense ones of these hidden widths: ``()`` is a new linear head, ``(100,)``
            one with a hidden layer. None keeps the last layer; then the target must have as many outputs.
        training : Trains, optional
            By default 1,000 updates of Adam on all rows.
        rng : int, numpy.random.Generator or None
            Draws the random weights, the random mask, the head, and the order of rows, in this order, whether they are
            used or not, so transfers with the same seed and the same head share their common parts.
        progress : bool or callable, default False
            True shows a progress bar (needs tqdm); a function is called as ``progress(done, total)`` after each update.

        Returns
        -------
        TransferResult
            The trained model and its error.

        Raises
        ------
        TypeError, ValueError
            If an argument is out of range, data do not match, or frozen features or a new head are requested for a
            linear model.

        References
        ----------
        .. [1] R. Mehta, "Sparse transfer learning via winning lottery tickets", arXiv:1905.07785, 2019.
        """
        training = Training(n_iter=1000) if training is None else training
        if not isinstance(training, Trains):
            raise TypeError(f"training={training!r}; expected a Training, or another object derived from Trains")
        check_progress(progress)
        check_choice(mask, "mask", ("ticket", "random", "all"))
        check_choice(features, "features", ("trained", "frozen"))
        (data,) = data_sets(target, ("target",))
        generator = arrays.generator(rng)
        shuffled = _shuffled_model(self.initial, generator)
        random_masks = Masks([_shuffled(layer, generator) for layer in self.masks.layers])
        model = self._start(start, shuffled)
        masks = {"ticket": self.masks, "random": random_masks, "all": Masks.full(model.matrices)}[mask]
        if len(model.layers) == 1 and (features == "frozen" or head is not None):
            raise ValueError("the model is linear, without features; expected features='trained' and head=None")
        n_new = 1
        if head is not None:
            top = _head(model, data, head, generator)
            n_new = len(top.layers)
            offsets = None if model.biases is None else (*model.biases[:-1], *(top.biases or ()))
            model = Model((*model.layers[:-1], *top.layers), offsets, model.loss)
            masks = Masks([*masks.layers[:-1], *Masks.full(top.matrices).layers])
        fitted = data.fit_to(model, "target")
        if features == "frozen":
            training = FrozenFeatures(training, n_new)
        layers = masks.apply(model.matrices)
        if model.scalar:
            layers[-1] = layers[-1][:, 0]
        cost = Cost()
        expected = training.total(fitted.n_samples)
        with bar(progress, expected, user="transfer", unit="update") as shown:

            def stop() -> bool:
                shown.step()
                return False

            found = training.train(
                Task(model.replace(layers=layers), masks, fitted, generator, cost, stop=stop if shown.on else None)
            )
        held = math.nan
        if fitted.X_validation is not None:
            held = _error(found.model, fitted.X_validation, fitted.y_validation)
        here = _error(found.model, fitted.X, fitted.y)
        return TransferResult(found.masks, found.model, held, here, cost, found.n_iter, found.diverged)

    def _start(self, start: Any, shuffled: Model) -> Model:
        if isinstance(start, Model):
            Ticket(self.masks, start, self.trained)  # raises an error for other shapes
            return start
        if not isinstance(start, str):
            raise TypeError(f"start is of type {type(start).__name__}; expected a name or a Model")
        check_choice(start, "start", ("source", "initial", "random"))
        return {"source": self.trained, "initial": self.initial, "random": shuffled}[start]

    def __repr__(self) -> str:
        return f"Ticket({self.masks.count} of {self.initial.n_weights} weights, {len(self.path)} round(s))"


def find_ticket(
    model: Any,
    source: Any,
    *,
    sparsity: float,
    schedule: Schedule | None = None,
    between: Rewind = "end",
    layers: Literal["all", "hidden"] | tuple[int, ...] | None = None,
    training: Trains | None = None,
    rng: Any = None,
    progress: Progress = False,
) -> Ticket:
    """Find a mask on a source task, by magnitude after training.

    Parameters
    ----------
    model : Model, planted.ReLUNetwork, or array of shape (d,) or (d, k)
        The weights that training starts from.
    source : Data or (X, y)
        The source task.
    sparsity : int or float
        Number of weights of `layers` to keep, or the fraction of them.
    schedule : Schedule, default Rounds(0.2)
        The paper's iterative mask prunes a fifth per round; its one-shot mask is ``OneShot()``.
    between : {"end", "start", "random"} or float, default "end"
        The starting point of each round's training: "end" continues with the current weights, as the paper's code does;
        for the others see :class:`~recovery.pruning.Method`.
    layers : {"all", "hidden"} or tuple of int, optional
        Layers that are pruned. By default all but the last one, as in the paper; for a linear model, its only layer.
    training : Trains, optional
        The training on the source, of each round. By default 1,000 updates of Adam on all rows.
    rng : int, numpy.random.Generator or None
        For the order of rows.
    progress : bool or callable, default False
        As in :func:`recovery.pruning.prune`.

    Returns
    -------
    Ticket
        The mask, with the unpruned weights before and after training.

    Raises
    ------
    TypeError, ValueError
        As :func:`recovery.pruning.prune`.

    Warns
    -----
    RuntimeWarning
        If a layer has no weights left, or no path of kept weights leads from an input to an output.

    Notes
    -----
    theta_S is the end of the dense training. (The paper takes the iterate of the smallest loss on the source's
    validation data; its code ends each round when accuracy on the test data is close to that of the dense network.)

    References
    ----------
    .. [1] R. Mehta, "Sparse transfer learning via winning lottery tickets", arXiv:1905.07785, 2019.

    Examples
    --------
    >>> import planted
    >>> from recovery.pruning import Data, Model, Training
    >>> pair = planted.task_pair(20, 3, 1.0, n_source=100, n_target=10, n_test=50, rng=0)
    >>> steps = Training(n_iter=500, learning_rate=0.1, optimiser="sgd")
    >>> start = Model.draw((20, 1), initialisation=0.01, scalar=True, rng=1)
    >>> ticket = find_ticket(start, (pair.X_source, pair.y_source), sparsity=6, training=steps)
    >>> target = Data(pair.X_target, pair.y_target, pair.X_test, pair.y_test)
    >>> ticket.transfer(target, start="initial", training=steps).error < 1e-6
    True
    """
    model = as_model(model)
    training = Training(n_iter=1000) if training is None else training
    if layers is None:
        layers = "all" if len(model.layers) == 1 else "hidden"
    method = Method(
        "ticket",
        "magnitude",
        schedule=Rounds() if schedule is None else schedule,
        rewind="dense",
        between=between,
        training=training,
        retraining=None,
        layers=layers,
        data=("source", "source", "source"),
    )
    found = prune(model, data_sets(source, ("source",))[0], method, sparsity=sparsity, rng=rng, progress=progress)
    trained = found.path[0].model
    assert trained is not None  # the method's mask comes from the end of a training
    return Ticket(found.masks, model, trained, tuple(one.masks for one in found.path), found.cost)


def ticket_transfer(
    start: StartOfTransfer | float = "source",
    mask: Literal["ticket", "random"] = "ticket",
    *,
    features: Literal["trained", "frozen"] = "trained",
    schedule: Schedule | None = None,
    between: Rewind = "end",
    layers: Literal["all", "hidden"] | tuple[int, ...] = "hidden",
    training: Trains | None = None,
    retraining: Trains | None = None,
) -> Method:
    """Return transfer as a pruning method: mask and weights from the source, retraining on the target.

    Parameters
    ----------
    start : {"source", "initial", "random"} or float, default "source"
        The weights to which the mask is applied; a float is a fraction of the dense training on the source.
    mask : {"ticket", "random"}, default "ticket"
        By magnitude, or the same magnitudes in random order within each layer. With ``OneShot()`` each layer then keeps
        exactly as many weights as in the ticket, but not in rounds, because later rounds train under random masks.
    features : {"trained", "frozen"}, default "trained"
        Train all weights on the target, or only those of the last layer.
    schedule, between, layers, training
        As in :func:`find_ticket`, except that a linear model requires layers="all".
    retraining : Trains, optional
        The training on the target; by default as on the source.

    Returns
    -------
    Method
        For ``prune(model, {"source": ..., "target": ...}, method, sparsity=...)``.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Source and target must have equally many outputs. For new heads, and for many transfers of one mask, use
    :class:`Ticket`.

    References
    ----------
    .. [1] R. Mehta, "Sparse transfer learning via winning lottery tickets", arXiv:1905.07785, 2019.

    Examples
    --------
    >>> ticket_transfer("initial").data
    ('source', 'source', 'target')
    """
    if isinstance(start, str):
        check_choice(start, "start", tuple(_REWIND))
    check_choice(mask, "mask", ("ticket", "random"))
    check_choice(features, "features", ("trained", "frozen"))
    training = Training(n_iter=1000) if training is None else training
    retraining = training if retraining is None else retraining
    return Method(
        "ticket-transfer",
        "magnitude" if mask == "ticket" else shuffled_magnitudes,
        schedule=Rounds() if schedule is None else schedule,
        rewind=_REWIND[start] if isinstance(start, str) else start,
        between=between,
        training=training,
        retraining=FrozenFeatures(retraining) if features == "frozen" else retraining,
        layers=layers,
        data=("source", "source", "target"),
    )


def shuffled_magnitudes(view: View) -> list[Any]:
    """Return |w| of the kept weights, in random order within each layer."""
    found = []
    for layer, kept in zip(view.layers, view.masks.layers, strict=True):
        places = view.xp.flatnonzero(kept)
        values = view.xp.abs(layer).ravel()
        scores = view.xp.zeros_like(values)
        scores[places] = values[places[view.xp.asarray(view.rng.permutation(int(places.shape[0])))]]
        found.append(scores.reshape(layer.shape))
    return found


def _shuffled(layer: Any, rng: np.random.Generator) -> Any:
    xp = arrays.namespace(layer)
    order = xp.asarray(rng.permutation(math.prod(layer.shape)))
    return layer.ravel()[order].reshape(layer.shape)


def _shuffled_model(model: Model, rng: np.random.Generator) -> Model:
    return model.replace(layers=[_shuffled(layer, rng) for layer in model.layers])


def _head(model: Model, data: Data, hidden: Sequence[int], rng: np.random.Generator) -> Model:
    """Draw a new head for the features of a model, with as many outputs as the targets need."""
    if isinstance(hidden, (str, bytes)) or not isinstance(hidden, Sequence):
        raise TypeError(f"head={hidden!r} is of type {type(hidden).__name__}; expected a sequence of widths, or None")
    widths = [check_integer(width, f"head[{i}]", minimum=1) for i, width in enumerate(hidden)]
    scalar = False
    if data.y.ndim == 2:
        outputs = int(data.y.shape[1])
    elif model.loss == "squared":
        outputs, scalar = 1, True
    else:
        every = [data.y] if data.y_validation is None else [data.y, data.y_validation]
        outputs = max(2, *(int(class_targets(y, model.loss, model.dtype).shape[1]) for y in every))
    drawn = Model.draw(
        (int(model.matrices[-1].shape[0]), *widths, outputs),
        bias=model.biases is not None,
        loss=model.loss,
        scalar=scalar,
        rng=rng,
        dtype=model.dtype,
    )
    xp = arrays.namespace(*model.layers)
    offsets = None if drawn.biases is None else [xp.asarray(np.array(one)) for one in drawn.biases]
    return Model([xp.asarray(np.array(layer)) for layer in drawn.layers], offsets, model.loss)


def _error(model: Model, X: Any, y: Any) -> float:
    """Return the fraction of misclassified samples, or the squared error over the variance of the (n, k) targets."""
    outputs = model(X)
    outputs = outputs[:, None] if outputs.ndim == 1 else outputs
    xp = arrays.namespace(outputs)
    if model.loss == "cross_entropy":
        return float((outputs.argmax(axis=1) != y.argmax(axis=1)).mean())
    spread = float(xp.sum((y - y.mean(axis=0)) ** 2))
    missed = float(xp.sum((outputs - y) ** 2))
    return missed / spread if spread > 0 else (0.0 if missed == 0 else math.inf)
