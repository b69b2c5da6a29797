"""Common parts of the figures on pruning planted models: instances, rank AUC, observation of training, bands."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import planted
from paper_repro import verdicts
from paper_repro.claims import Claim
from paper_repro.experiments.intervals import mean_interval
from paper_repro.verdicts import Measured
from planted.base import arrays
from recovery import pruning
from recovery.mlp.masks import Masks

__all__ = [
    "KINDS",
    "SHORT",
    "SOURCE",
    "Instance",
    "Watched",
    "auc",
    "band",
    "bands",
    "interval_text",
    "linear_instance",
    "network_instance",
    "sided",
    "view_of",
]

SOURCE = "Planted models of this project; no figure of the papers is copied."
KINDS = {"linear": "linear model", "relu": "two-layer ReLU network"}
SHORT = {"linear": "linear", "relu": "ReLU"}


@dataclass(frozen=True)
class Instance:
    """A planted model, its data, and the initial model.

    Parameters
    ----------
    data, test : recovery.pruning.Data
        Training samples, and fresh ones without noise.
    start : recovery.pruning.Model
        The initialisation.
    relevant : numpy.ndarray of bool, shape (a, b)
        Which weights of the first layer matter: the planted support, or all weights of the relevant inputs.
    """

    data: pruning.Data
    test: pruning.Data
    start: pruning.Model
    relevant: np.ndarray

    @property
    def sparsity(self) -> int:
        """Number of weights that matter, in the first layer."""
        return int(self.relevant.sum())

    def auc(self, scores: Sequence[Any]) -> float:
        """Return the AUC of one array a layer for the weights that matter; the first layer alone counts."""
        return auc(arrays.to_numpy(scores[0]), self.relevant)

    def error(self, model: pruning.Model) -> float:
        """Return the mean squared error on fresh samples, divided by their variance."""
        wanted = arrays.to_numpy(self.test.y)
        return float(((arrays.to_numpy(model(self.test.X)) - wanted) ** 2).mean() / wanted.var())


def linear_instance(
    n: int, d: int, s: int, *, scale: float, noise: float = 0.0, n_test: int = 1000, rng: np.random.Generator
) -> Instance:
    """Draw y = X w with weights +-1, and a start of normal weights.

    Parameters
    ----------
    n, d, s : int
        Samples, weights, weights that are not zero.
    scale : float
        Standard deviation of the start.
    noise : float, default 0
        Standard deviation of the noise in y.
    n_test : int
        Fresh samples.
    rng : numpy.random.Generator
        Source of all of it.

    Returns
    -------
    Instance
        With the planted support.
    """
    first, second, third = rng.spawn(3)
    X, y, w = planted.linear_model(n, d, s, signs="random", noise=noise, rng=first)
    fresh = planted.gaussian_inputs(n_test, d, rng=second)
    start = pruning.Model([scale * third.standard_normal(d)])
    return Instance(pruning.Data(X, y), pruning.Data(fresh, fresh @ w), start, (w != 0)[:, None])


def network_instance(
    n: int,
    d: int,
    s: int,
    width: int,
    *,
    scale: float,
    n_neurons: int = 5,
    noise: float = 0.0,
    n_test: int = 1000,
    rng: np.random.Generator,
) -> Instance:
    """Draw a planted ReLU network on few of the inputs, and a wider one to train.

    Parameters
    ----------
    n, d, s : int
        Samples, inputs, and inputs that matter.
    width : int
        Hidden units of the network that is trained.
    scale : float
        The start is normal with this times 1 / sqrt(inputs of the layer).
    n_neurons : int, default 5
        Hidden units of the planted network: dense in the inputs that matter, outputs +-1 / sqrt(n_neurons).
    noise : float, default 0
        Standard deviation of the noise in y.
    n_test : int
        Fresh samples.
    rng : numpy.random.Generator
        Source of all of it.

    Returns
    -------
    Instance
        The weights of inputs that matter are `relevant`.
    """
    first, second = rng.spawn(2)
    pair = planted.task_pair(
        d, s, 0.0, n_source=1, n_target=n, n_test=n_test, n_neurons=n_neurons, noise=noise, rng=first
    )
    layers = [second.standard_normal(shape) * (scale / math.sqrt(shape[0])) for shape in ((d, width), (width, 1))]
    relevant = np.zeros((d, width), dtype=bool)
    relevant[pair.target_inputs] = True
    return Instance(
        pruning.Data(pair.X_target, pair.y_target),
        pruning.Data(pair.X_test, pair.y_test),
        pruning.Model([layers[0], layers[1][:, 0]]),
        relevant,
    )


def auc(scores: np.ndarray, relevant: np.ndarray) -> float:
    """Return the probability that a weight that matters has the higher score than one that does not; ties count half.

    Parameters
    ----------
    scores : numpy.ndarray
        Any shape, without NaN.
    relevant : numpy.ndarray of bool
        Of the same shape.

    Returns
    -------
    float
        1/2 for scores that know nothing; NaN if all weights or none matter.
    """
    from scipy.stats import rankdata

    flat, truth = np.asarray(scores, dtype=float).ravel(), np.asarray(relevant).ravel()
    inside = int(truth.sum())
    outside = truth.size - inside
    if not inside or not outside:
        return math.nan
    return float((rankdata(flat)[truth].sum() - inside * (inside + 1) / 2) / (inside * outside))


def view_of(instance: Instance, model: pruning.Model, rng: np.random.Generator) -> pruning.View:
    """Return what a criterion sees of a model on the path from the start of an instance."""
    masks = Masks.full(model.matrices)
    data = instance.data.fit_to(model)
    return pruning.View(model, instance.start, masks, data, rng=rng, cost=pruning.Cost(), count=instance.sparsity)


@dataclass(frozen=True)
class Watched(pruning.Trains):
    """A training that somebody looks at.

    Parameters
    ----------
    training : Trains
        What trains.
    look : callable
        Called with each :class:`~recovery.pruning.Step`, after all other observers.
    """

    training: pruning.Trains
    look: Callable[[pruning.Step], None]

    def total(self, n_samples: int) -> int:
        """Return how many updates a whole training has."""
        return self.training.total(n_samples)

    def train(self, task: pruning.Task) -> pruning.Trained:
        """Train, and show every step."""
        task.observers = [*task.observers, _Look(self.look)]
        return self.training.train(task)


@dataclass(frozen=True)
class _Look:
    look: Callable[[pruning.Step], None]

    def step(self, step: pruning.Step) -> None:
        self.look(step)


def band(values: Sequence[float]) -> dict[str, float | None]:
    """Return the mean over seeds, and the ends of its 95 % interval (Student's t); None if there are no values."""
    known = [float(value) for value in values if math.isfinite(value)]
    ends = mean_interval(known)
    middle = math.fsum(known) / len(known) if known else None
    return {"mean": middle, "low": ends[0] if ends else None, "high": ends[1] if ends else None}


def bands(rows: Sequence[Sequence[float]]) -> dict[str, list[float | None]]:
    """Return the bands of several places, one row a seed: ``mean``, ``low``, ``high``, each a list."""
    found = [band(column) for column in zip(*rows, strict=True)]
    return {name: [one[name] for one in found] for name in ("mean", "low", "high")}


def interval_text(one: Mapping[str, float | None], digits: int = 2) -> str:
    """Return a mean with its interval, as tables show it."""
    if one["mean"] is None:
        return "-"
    text = f"{one['mean']:.{digits}f}"
    return text if one["low"] is None else f"{text} [{one['low']:.{digits}f}, {one['high']:.{digits}f}]"


def sided(
    figure: str,
    claim: str,
    rule: str,
    pairs: Iterable[tuple[str, verdicts.Trials, verdicts.Trials | float]],
    data: str,
    *,
    margin: float = 0.0,
    tie: float = 0.0,
) -> Claim:
    """Return a claim "the first is above the second" for each of a few settings, all of which must hold.

    Parameters
    ----------
    figure, claim, rule, data : str
        As in :class:`~paper_repro.claims.Claim`.
    pairs : iterable of (str, mapping, mapping or float)
        For each setting its name, and values seed by seed of what is to be above, and of what it is to be above.
    margin, tie : float
        As in :func:`paper_repro.verdicts.scores`.

    Returns
    -------
    Claim
        For each setting: the share of seeds in which the first is above, against one half; seeds are drawn anew.
    """
    parts: list[tuple[str, Measured]] = []
    texts: list[str] = []
    for name, first, second in pairs:
        rival = (
            second if isinstance(second, Mapping) else {c: dict.fromkeys(seeds, second) for c, seeds in first.items()}
        )
        cells, _, (ours, theirs) = verdicts.paired(first, rival)
        if not cells:
            parts.append((name, verdicts.bootstrap(_nothing, 0, 0, limit=0.5)))
            continue
        parts.append((name, verdicts.least_share(verdicts.scores(ours, theirs, margin, tie))))
        known = ~np.isnan(ours)
        texts.append(f"{name}: {np.mean(ours[known]):.3g} against {np.mean(theirs[known]):.3g}")
    return Claim(
        figure,
        claim,
        rule,
        verdicts.all_of(*(part for _, part in parts)),
        "; ".join(texts),
        data=data,
        interval="; ".join(f"{name}: {part.interval()}" for name, part in parts if part.cells),
        basis=verdicts.BASIS_SEEDS,
    )


def _nothing(cells: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    return np.full(len(cells), np.nan)
