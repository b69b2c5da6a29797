"""``recovery.pruning.prune``: train, score, prune, rewind and retrain as specified by a method."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from planted.base import arrays
from planted.base.checks import check_integer, check_number
from planted.base.progress import Bar, Progress, bar, check_progress
from recovery.mlp.masks import Masks, live_neurons
from recovery.pruning import criteria, scopes
from recovery.pruning.catalogue import named
from recovery.pruning.checkpoint import Checkpoint
from recovery.pruning.cost import Cost
from recovery.pruning.data import Data, data_sets
from recovery.pruning.method import Method
from recovery.pruning.model import Model, as_model
from recovery.pruning.result import PruningResult, PruningRound, PruningState
from recovery.pruning.schedules import counts_of
from recovery.pruning.training import Task, Trained, Trains
from recovery.pruning.view import View
from recovery.solvers.base import Clock, Status

__all__ = ["prune", "score"]


def prune(
    model: Any,
    data: Any,
    method: Method | str,
    *,
    sparsity: float | None,
    rng: Any = None,
    callback: Callable[[PruningState], Any] | None = None,
    time_limit: float | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress = False,
) -> PruningResult:
    """Prune a network or a linear model.

    Parameters
    ----------
    model : Model, planted.ReLUNetwork, or array of shape (d,) or (d, k)
        The initial weights. An array is a linear model.
    data : Data, (X, y), or dict of these; None for methods that need no data
        The training data. A dict has a data set for each name in the method's field `data`.
    method : Method or str
        The pruning method; a name is looked up in :func:`recovery.pruning.catalogue`.
    sparsity : int, float or None
        Number of weights to keep in the layers that the method prunes; may be 0. A float in (0, 1) is the fraction to
        keep. None for methods that suppress updates and prune nothing.
    rng : int, numpy.random.Generator or None
        Source of all randomness.
    callback : callable, optional
        Called with a :class:`PruningState` after each round and after the retraining; returning True stops.
    time_limit : float, optional
        Seconds; when they are exceeded, training ends, and the current model is pruned to the sparsity and returned.
    checkpoint : path, optional
        File to which the state of the run is written after each round. If it exists, the run resumes from it, with
        bitwise the same result as without the interruption; model, data, method and sparsity must be the same.
    progress : bool or callable, default False
        True shows a progress bar (needs tqdm); a function is called as ``progress(done, total)`` after each update of a
        training and each round. `total` is an estimate; the last call has ``done == total``.

    Returns
    -------
    PruningResult
        Masks and the pruned model, on the device of `model`.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong type or out of range, data do not match the model or are missing, or the
        checkpoint belongs to another run.

    Warns
    -----
    RuntimeWarning
        If a layer has no weights left, or no path of kept weights leads from an input to an output; the message says so
        too.

    Notes
    -----
    With the path w(0), ..., w(K) of the dense training: m = f1(w(k1); D1), w' = m f2(w(k2); D2), w* = f3(w'; D3). In
    rounds, the training under a mask replaces the dense one. Among equal scores the weight with the smaller index is
    kept.
    """
    check_progress(progress)
    run = _Run(
        model,
        data,
        method,
        sparsity,
        rng=rng,
        callback=callback,
        time_limit=time_limit,
        checkpoint=checkpoint,
    )
    with bar(progress, None if progress is False else run.expected(), user="prune") as run.shown:
        return run.result()


def score(model: Any, data: Any, criterion: Any, *, sparsity: float | None = None, rng: Any = None) -> list[Any]:
    """Return the scores of a criterion at the current weights of a model.

    Parameters
    ----------
    model : Model, planted.ReLUNetwork, or array of shape (d,) or (d, k)
        The weights; those that are zero count as kept.
    data : Data, (X, y) or None
        For criteria that need data.
    criterion : str or callable
        A name, or a function of a view.
    sparsity : int or float, optional
        Number of weights to keep, for criteria that depend on it; all weights by default.
    rng : int, numpy.random.Generator or None
        For criteria that draw.

    Returns
    -------
    list of array
        One array per layer, of shape (a, b); larger scores are kept.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong type, the criterion needs data that are missing, or it observes a whole training.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.eye(3)
    >>> score(np.array([1.0, -2.0, 0.5]), (X, np.zeros(3)), "magnitude")[0][:, 0]
    array([1. , 2. , 0.5])
    """
    model = as_model(model)
    rule = criteria.resolve(criterion)
    if hasattr(rule, "begin"):
        raise ValueError(
            f"criterion={criterion!r} observes a whole training; expected one that scores a single point, or use prune"
        )
    one = None if data is None else data_sets(data, ("data",))[0].fit_to(model)
    masks = Masks.full(model.matrices)
    count = masks.count if sparsity is None else _count(sparsity, masks.count)
    view = View(model, model, masks, one, rng=arrays.generator(rng), cost=Cost(), count=count)
    return scopes.fits(rule(view), masks.shapes, f"criterion {_name(rule)}")


def _name(rule: Any) -> str:
    return str(getattr(rule, "__name__", type(rule).__name__))


def _count(sparsity: Any, total: int) -> int:
    """Return a sparsity, given as an integer or a fraction, as the number of weights to keep."""
    if isinstance(sparsity, float) and not sparsity.is_integer():
        return round(check_number(sparsity, "sparsity", minimum=0.0, maximum=1.0) * total)
    if isinstance(sparsity, float):
        sparsity = total if sparsity == 1.0 else int(sparsity)
    return check_integer(sparsity, "sparsity", minimum=0, maximum=total)


class _Until:
    """An observer that sees the first updates only."""

    def __init__(self, observer: Any, last: int) -> None:
        self.observer, self.last = observer, last

    def step(self, step: Any) -> None:
        """Pass an update on."""
        if step.n_iter <= self.last:
            self.observer.step(step)


class _Run:
    """One call of :func:`prune`."""

    def __init__(
        self,
        model: Any,
        data: Any,
        method: Any,
        sparsity: Any,
        *,
        rng: Any,
        callback: Any,
        time_limit: float | None,
        checkpoint: Any,
    ) -> None:
        method = named(method)
        self.method, self.start = method, as_model(model)
        self.rule = criteria.resolve(method.criterion)
        watches = hasattr(self.rule, "begin")
        if method.source == "path" and not watches:
            raise ValueError(
                f"source='path', but criterion {_name(self.rule)} scores a single point; expected begin(...)"
            )
        if method.source == "start" and watches:
            raise ValueError(
                f"source='start', but criterion {_name(self.rule)} observes a training; expected source='path'"
            )
        if callback is not None and not callable(callback):
            raise TypeError(f"callback={callback!r} cannot be called; expected a function of one state")
        self.callback = callback
        if time_limit is not None:
            check_number(time_limit, "time_limit", minimum=0.0)
        self.clock = Clock(time_limit)
        self.data = self._data(data)
        self.places = method.pruned(len(self.start.layers))
        self.masks = Masks.full(self.start.matrices)
        sizes = [a * b for a, b in self.start.shapes.layers]
        self.total = sum(sizes[i] for i in self.places)
        self.held = self.masks.count - self.total  # weights of layers that are not pruned
        self.count = self.total if sparsity is None else _count(sparsity, self.total)
        self.rng, self.cost = arrays.generator(rng), Cost()
        self.path: list[PruningRound] = []
        self.scores = [layer * 0 for layer in self.start.matrices]
        self.stop: Status | None = None
        self.notes: list[str] = []
        self.n_iter = 0
        self.kept: Model | None = None  # the model of the dense training to which rounds rewind
        self.dense: Model | None = None
        self.has_weights = False  # whether a separate training produced them
        if checkpoint is not None and rng is None:
            raise ValueError("checkpoint needs rng, an integer or a generator: a run without a seed cannot be resumed")
        self.checkpoint = Checkpoint(checkpoint, self) if checkpoint is not None else None
        self.shown = Bar()

    def _data(self, data: Any) -> tuple[Data | None, ...]:
        if data is None:
            if self.method.source != "start" or self.method.after is not None:
                raise ValueError(f"data=None, but method {self.method.name!r} trains; expected Data or a pair (X, y)")
            return (None, None, None)
        chosen = data_sets(data, self.method.data)
        fitted = {id(one): one.fit_to(self.start, name) for one, name in zip(chosen, self.method.data, strict=True)}
        return tuple(fitted[id(one)] for one in chosen)

    def result(self) -> PruningResult:
        """Prune, retrain, and return the result."""
        method, first = self.method, 0
        counts = self._counts()
        current = self.start
        if self.checkpoint is not None:
            first, current = self.checkpoint.load(current)
        for number in range(first, len(counts)):
            current = self._round(number, counts[number], current, last=number == len(counts) - 1)
            self.shown.step(note=f"{self.masks.count - self.held} weights")
            if self.checkpoint is not None:
                self.checkpoint.save(number + 1, current)
            if self._ask(current) and number < len(counts) - 1:
                # prune the current model immediately, without further training
                current = self._cut(self.count, current, self.path[-1].model or current, None, last=True)
                break
        self._inspect(current)
        after, details = method.after, None
        if after is not None and self.stop is None and self.masks.count:
            data = self.data[2]
            assert data is not None
            # a separate training starts at its own beginning
            at = self._first_update(method.rewind, data.n_samples) if method.retraining == "same" else 0
            dynamics = None
            if isinstance(method.dynamics, Trains):  # dynamics that suppress updates do their own training
                after = method.dynamics
            elif method.dynamics is not None:
                dynamics = method.dynamics.begin(self.masks, self.count + self.held, self.rng)
                dynamics.places = self.places
            trained = self._train(after, current, data, first=at, dynamics=dynamics)
            current, self.masks, details = trained.model, trained.masks, dynamics or trained.details
            if dynamics is not None and self.masks.count > self.count + self.held:
                self.notes.append(f"the dynamics ended with {self.masks.count - self.held} weights, not {self.count}")
            self._ask(current)
        status = self.stop or Status.PRUNED
        message = "; ".join(
            [f"{status.value}; {self.masks.count - self.held} of {self.total} weights are left", *self.notes]
        )
        return PruningResult(
            self.masks, current, self.scores, tuple(self.path), self.cost, status, message, self.n_iter, details
        )

    def expected(self) -> int:
        """Return about how many updates and rounds there are."""
        method, data, rounds = self.method, self.data[0], len(self._counts())
        updates = 0
        if method.source != "start" and data is not None:
            total = method.training.total(data.n_samples)
            whole = math.floor(method.source * total) if isinstance(method.source, (int, float)) else total
            rewind = method.rewind if method.between is None else method.between
            updates = whole + (rounds - 1) * max(0, whole - self._first_update(rewind, data.n_samples))
        if method.after is not None and self.data[2] is not None and self.count:
            samples = self.data[2].n_samples
            at = self._first_update(method.rewind, samples) if method.retraining == "same" else 0
            updates += max(0, method.after.total(samples) - at)
        return updates + rounds

    def _counts(self) -> list[int]:
        """Return how many weights each round keeps; dynamics may start with more."""
        wanted = self.count
        if self.method.dynamics is not None and not isinstance(self.method.dynamics, Trains):
            wanted = self.method.dynamics.first_count(self.total, self.count)
        return counts_of(self.method.schedule, self.total, wanted)

    def _round(self, number: int, count: int, current: Model, *, last: bool) -> Model:
        """Train, score and prune; return the weights of the next training."""
        method, trained, observer = self.method, None, None
        if method.source != "start":
            data = self.data[0]
            assert data is not None
            total = method.training.total(data.n_samples)
            at, keep, until = 0, [], total
            if isinstance(method.source, (int, float)):
                until = math.floor(method.source * total)
            if hasattr(self.rule, "begin"):
                observer = self.rule.begin(current, data, self.rng, self.cost)
            rewind = method.rewind if method.between is None else method.between
            if number:
                at = self._first_update(rewind, data.n_samples)
            else:
                keep = [math.floor(p * total) for p in (method.rewind, method.between) if isinstance(p, (int, float))]
            last_needed = total if "dense" in (method.rewind, method.between) and not number else max([until, *keep])
            if last_needed > until:  # the point that is scored comes before the one to rewind to
                watcher = None if observer is None else _Until(observer, until)
                trained = self._train(
                    method.training, current, data, keep=[until, *keep], until=last_needed, observer=watcher
                )
                scored = trained.kept.get(until, trained.model)
            else:
                trained = self._train(
                    method.training, current, data, first=at, keep=keep, until=until, observer=observer
                )
                scored = trained.model
            if number == 0 and not self.has_weights:
                self.dense = trained.model
                if keep:
                    self.kept = trained.kept.get(keep[0], trained.model)
        point = current if trained is None else scored
        found = self._cut(count, current, point, observer, last=last)
        self.path.append(
            PruningRound(
                self.masks,
                None if trained is None else point,
                0 if trained is None else trained.n_iter,
                math.nan if trained is None else trained.loss,
            )
        )
        return found

    def _cut(self, count: int, current: Model, point: Model, observer: Any, *, last: bool) -> Model:
        """Score and prune; return the weights under the new masks."""
        method = self.method
        observed = None if observer is None else observer.scores()
        view = View(
            point,
            self.start,
            self.masks,
            self.data[0],
            rng=self.rng,
            cost=self.cost,
            count=count,
            observed=observed,
        )
        if observed is None and hasattr(self.rule, "begin"):  # stopped early: keep the last scores
            scores = self.scores
        else:
            scores = list(observed) if observed is not None else self.rule(view)
        scores = scopes.fits(scores, self.masks.shapes, f"criterion {_name(self.rule)}")
        chosen = [scores[i] for i in self.places]
        subset = Masks([self.masks.layers[i] for i in self.places])
        kept = scopes.select(chosen, subset, min(count, subset.count), method.scope, method.ratio)
        layers = list(self.masks.layers)
        for i, mask in zip(self.places, kept.layers, strict=True):
            layers[i] = mask
            self.scores[i] = scores[i]
        self.masks = Masks(layers)
        rewind = method.rewind if last or method.between is None else method.between
        base = self._rewound(rewind, point)
        weights = list(base.matrices)
        if method.weight_map is not None:
            weights = list(method.weight_map(weights, self.masks, view))
        weights = self.masks.apply(weights)
        if base.scalar:
            weights[-1] = weights[-1][:, 0]
        return base.replace(layers=weights)

    def _rewound(self, rewind: Any, point: Model) -> Model:
        """Return the weights to which the masks are applied."""
        if rewind == "end":
            return point
        if rewind == "start":
            return self.start
        if rewind == "random":
            xp, layers = arrays.namespace(*self.start.layers), []
            for layer in self.start.layers:  # the distribution of the start, with the weights permuted
                order = xp.asarray(self.rng.permutation(int(layer.size)))
                layers.append(layer.ravel()[order].reshape(layer.shape))
            return self.start.replace(layers=layers)
        if not self.has_weights and (self.data[1] is not self.data[0] or self.method.source == "start"):
            self._train_for_weights()
        if rewind == "dense":
            return self.dense or point
        return self.kept or point

    def _train_for_weights(self) -> None:
        """Train for the weights' path, if no training has produced it yet."""
        data, training = self.data[1], self.method.training
        assert data is not None
        keep = (
            [math.floor(float(self.method.rewind) * training.total(data.n_samples))]
            if not isinstance(self.method.rewind, str)
            else []
        )
        full = Task(
            self.start, Masks.full(self.start.matrices), data, self.rng, self.cost, keep_at=keep, stop=self._over
        )
        trained = training.train(full)
        self.n_iter += trained.n_iter
        self.dense, self.has_weights = trained.model, True
        self.kept = trained.kept.get(keep[0], trained.model) if keep else None

    def _train(
        self,
        training: Any,
        model: Model,
        data: Data,
        *,
        first: int = 0,
        keep: Sequence[int] = (),
        until: int | None = None,
        observer: Any = None,
        dynamics: Any = None,
    ) -> Trained:
        observers = [] if observer is None else [observer]
        task = Task(
            model,
            self.masks,
            data,
            self.rng,
            self.cost,
            observers=observers,
            first=first,
            keep_at=keep,
            until=until,
            dynamics=dynamics,
            stop=self._updated if self.shown.on else self._over,
        )
        trained: Trained = training.train(task)
        self.n_iter += trained.n_iter
        if trained.diverged and self.stop is None:
            self.stop = Status.DIVERGED
        return trained

    def _first_update(self, rewind: Any, n_samples: int) -> int:
        """Return how many updates count as already made when training starts from rewound weights."""
        if isinstance(rewind, str):
            return 0
        return math.floor(rewind * self.method.training.total(n_samples))

    def _updated(self) -> bool:
        """Move the bar by an update; return whether the training has to end."""
        self.shown.step()
        return self._over()

    def _over(self) -> bool:
        if self.clock.over and self.stop is None:
            self.stop = Status.TIME_LIMIT
        return self.stop is not None

    def _ask(self, model: Model) -> bool:
        """Pass the state to the callback; return whether the run has to end."""
        if self.callback is not None and self.stop is None:
            loss = self.path[-1].loss if self.path else math.nan
            left = self.masks.count - self.held
            if self.callback(PruningState(len(self.path), left, self.n_iter, loss, self.masks, model)) is True:
                self.stop = Status.STOPPED
        return self._over()

    def _inspect(self, model: Model) -> None:
        """Warn about problems of the masks: layers without weights, or no path from inputs to outputs."""
        if self.masks.count == self.held == 0:
            return
        host = [arrays.to_numpy(mask) for mask in self.masks.layers]
        empty = [i for i, mask in enumerate(host) if not mask.any()]
        if empty:
            note = (
                f"layer {empty[0]} of {len(host)} has no weights left, so the outputs do not depend on the inputs; "
                "keep more weights, or choose scope='layer'"
            )
        elif not live_neurons(host)[-1].any():
            note = "no path of kept weights leads from an input to an output, so no gradient passes the masks"
        else:
            return
        self.notes.append(note)
        warnings.warn(f"{self.method.name}: {note}", RuntimeWarning, stacklevel=4)
