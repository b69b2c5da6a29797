"""Accuracy against sparsity for the catalogue's pruning methods, on digits and on MNIST.

All methods of a seed start from the same weights, see the same images in the same order, and are trained as long as the
dense network, plus once more after pruning if they prune a trained one. Those that prune after training share the dense
training. Methods in rounds train fully in each round, drop a fifth of the remaining weights, and hit each number of
weights exactly; one run covers all of them. All BINGO variants are retrained here, like the other criteria, although
its paper does not retrain; for BINGO without retraining see ``pr-floor``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from paper_repro import verdicts
from paper_repro.claims import Claim
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.pr_images import (
    PIXELS,
    band,
    difference_text,
    error_of,
    images,
    level_of,
    named,
    source,
)
from paper_repro.store import Record
from paper_repro.verdicts import Trials
from planted.base import arrays
from planted.base.quiet import quiet
from recovery import pruning
from recovery.mlp.masks import Masks
from recovery.pruning import moving
from recovery.pruning.bingo import bingo
from recovery.pruning.edge_popup import edge_popup

__all__ = ["DENSE", "EXPERIMENTS", "FAMILIES", "LABELS", "REPORTED", "AccuracyCell", "AccuracyPreset", "method_of"]

DENSE = "dense"
FAMILIES: dict[str, tuple[str, ...]] = {
    "before training": ("random", "magnitude-start", "snip", "grasp", "synflow"),
    "after training": ("magnitude", "distance", "taylor", "obd", "obs", "movement"),
    "after training, BINGO": ("bingo-printed", "bingo-corrected", "bingo-release", "bingo-running-mean"),
    "in rounds": ("imp", "imp-late", "imp-lr"),
    "during training": ("set", "rigl", "gradual", "iht", "supermask"),
}
"""When weights are pruned -> the methods."""
LABELS = {
    DENSE: "dense",
    "random": "random",
    "magnitude-start": "magnitude at the start",
    "snip": "SNIP",
    "grasp": "GraSP",
    "synflow": "SynFlow",
    "magnitude": "magnitude",
    "distance": "distance from the start",
    "taylor": "Taylor",
    "obd": "OBD",
    "obs": "OBS",
    "movement": "movement",
    "bingo-printed": "BINGO as printed",
    "bingo-corrected": "BINGO, sign corrected",
    "bingo-release": "BINGO as released",
    "bingo-running-mean": "BINGO, running mean",
    "imp": "IMP, full rewinding",
    "imp-late": "IMP, late rewinding",
    "imp-lr": "IMP, rate rewinding",
    "set": "SET",
    "rigl": "RigL",
    "gradual": "gradual magnitude",
    "iht": "IHT",
    "supermask": "supermask",
}
SURVEY, BINGO = "Survey, paradigms", "BINGO, its score"
REPORTED = (
    *((SURVEY, "random", one) for one in ("snip", "grasp", "synflow")),
    *((SURVEY, one, "magnitude") for one in ("snip", "grasp", "synflow")),
    (SURVEY, "magnitude", "imp"),
    (BINGO, "random", "bingo-printed"),
    (BINGO, "random", "bingo-corrected"),
    (BINGO, "magnitude", "bingo-corrected"),
)
"""Whose statement, what is said to be worse, and what to be better. The survey is arXiv:2103.06460, with the papers it
compares; BINGO's paper says that its score finds the weights that matter."""


@dataclass(frozen=True)
class AccuracyCell:
    """One method and seed, at all fractions `keep` of the weights; `data` is a source of images."""

    data: str
    method: str
    seed: int
    keep: tuple[float, ...]
    n: int
    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    dtype: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "keep", tuple(self.keep))  # JSON knows lists only
        object.__setattr__(self, "hidden", tuple(self.hidden))

    @property
    def training(self) -> pruning.Training:
        """Adam, with a rate that falls to zero along a cosine."""
        return pruning.Training(
            epochs=self.epochs, batch_size=self.batch_size, learning_rate=self.learning_rate, schedule="cosine"
        )


@dataclass(frozen=True)
class AccuracyPreset:
    """Seeds, images, fractions kept, hidden layers, epochs, batch size and rate; whether MNIST is used."""

    seeds: int
    n: int
    keep: tuple[float, ...]
    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    shown: float
    large: bool = False


QUICK = AccuracyPreset(5, 1437, (0.3, 0.2, 0.1, 0.07, 0.05, 0.03), (64, 32), 20, 50, 3e-3, 0.05)
LARGE = (0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005)
PRESETS = {
    "smoke": AccuracyPreset(2, 300, (0.3, 0.1), (16, 12), 4, 50, 3e-3, 0.1),
    "quick": QUICK,
    "cpu": AccuracyPreset(3, 20_000, LARGE, (300, 100), 10, 100, 1.2e-3, 0.02, large=True),
    "paper": AccuracyPreset(5, 60_000, LARGE, (300, 100), 10, 256, 1.2e-3, 0.02, large=True),
}


def size_of(preset: str) -> tuple[AccuracyPreset, str]:
    """Return sizes and source of images: if MNIST is not found, digits at the size of quick are used instead."""
    size = PRESETS[preset]
    data = source(size.large)
    return (QUICK if data == "digits" else size), data


def cells(preset: str, seed: int) -> list[AccuracyCell]:
    """Return the cells, one per method and seed."""
    size, data = size_of(preset)
    rest = (size.n, size.hidden, size.epochs, size.batch_size, size.learning_rate)
    return [
        AccuracyCell(data, method, trial, (1.0,) if method == DENSE else size.keep, *rest)
        for trial in range(seed, seed + size.seeds)
        for method in (DENSE, *(name for family in FAMILIES.values() for name in family))
    ]


def cost(cell: AccuracyCell) -> float:
    """Return what a cell costs: trainings, times rows and weights."""
    widths = (PIXELS[cell.data], *cell.hidden, 10)
    weights = sum(a * b for a, b in pairwise(widths))
    trainings = math.log(min(cell.keep)) / math.log(0.8) + len(cell.keep) if cell.method.startswith("imp") else 0.0
    trainings = trainings or len(cell.keep) * (4.0 if cell.method.startswith(("bingo", "iht")) else 1.5)
    return float(cell.epochs * cell.n) * (weights + 50_000) * trainings


def method_of(name: str, training: pruning.Training, updates: int) -> pruning.Method:
    """Return a method as this experiment runs it.

    Parameters
    ----------
    name : str
        One of those in :data:`FAMILIES`.
    training : Training
        The training before and after pruning.
    updates : int
        How many updates it has: masks that move do so 25 times, or at each update if there are fewer.

    Returns
    -------
    Method
        Pruned models are trained again.
    """
    period = max(1, updates // 25)
    if name == "magnitude-start":
        start = pruning.catalogue(training)["magnitude"]
        return start.replace(name=name, source="start", rewind="start")
    if name.startswith("bingo-"):
        return bingo(name.removeprefix("bingo-"), training).replace(retraining="same")  # type: ignore[arg-type]
    moved: dict[str, Callable[[], pruning.Method]] = {
        "set": lambda: moving.sparse_evolution(training, period=period),
        "rigl": lambda: moving.rigl(training, period=period),
        "gradual": lambda: moving.gradual_magnitude(training, period=period),
        "iht": lambda: moving.iht(training),
        "supermask": lambda: edge_popup(training),
    }
    return moved[name]() if name in moved else pruning.catalogue(training)[name]


def compute(cell: AccuracyCell, device: str) -> Outcome:
    """Prune to each number of weights.

    Parameters
    ----------
    cell : AccuracyCell
        The settings.
    device : {"cpu", "gpu"}
        Where it runs.

    Returns
    -------
    metrics : dict
        ``fits``: for each share ``keep`` the ``accuracy`` on the test images, ``weights`` that masks keep, and
        multiply-adds ``executed`` and ``booked``, which for methods in rounds are those of all rounds of the run.
    arrays : dict
        ``layers``, shape (shares, layers): weights that are kept in each layer.
    """
    X, y, X_test, y_test = (arrays.asarray(part, device) for part in images(cell.data, cell.n, cell.seed, cell.dtype))
    start = pruning.Model.draw(
        (PIXELS[cell.data], *cell.hidden, 10),
        bias=True,
        loss="cross_entropy",
        rng=stream("pr-accuracy", "start", cell.data, cell.seed),
        dtype=cell.dtype,
        device=device,
    )
    data = pruning.Data(X, y)
    fits: list[dict[str, Any]] = []
    layers = []
    for keep, (model, masks, spent) in zip(cell.keep, _pruned(cell, start, data), strict=True):
        left = [int(mask.sum()) for mask in masks.layers]
        accuracy = 1.0 - error_of(model, X_test, y_test)
        fits.append({"keep": keep, "accuracy": accuracy, "weights": sum(left)})
        fits[-1] |= {"executed": spent.executed, "booked": spent.booked}
        layers.append(left)
    return {"fits": fits}, {"layers": np.array(layers)}


Pruned = tuple[pruning.Model, Masks, pruning.Cost]


def _pruned(cell: AccuracyCell, start: pruning.Model, data: pruning.Data) -> list[Pruned]:
    """Return the pruned model, its masks and its cost for each fraction."""
    training, total = cell.training, start.n_weights
    counts = [round(keep * total) for keep in cell.keep]

    def run(model: pruning.Model, method: pruning.Method, count: int, part: str) -> pruning.PruningResult:
        rng = stream("pr-accuracy", part, cell.data, cell.seed)
        # of a mask that no gradient passes, which at these sparsities is a result and shows in the accuracy
        with quiet(RuntimeWarning):
            return pruning.prune(model, data, method, sparsity=count, rng=rng)

    if cell.method == DENSE:
        found = run(start, pruning.Method(DENSE, "magnitude", training=training, retraining=None), total, "first")
        return [(found.model, found.masks, found.cost)]
    method = method_of(cell.method, training, training.total(data.n_samples))
    if cell.method.startswith("imp"):
        return _in_rounds(run(start, method.replace(schedule=_Landing(tuple(counts))), counts[-1], "first"), counts)
    if method.source == "start":
        results = [run(start, method, count, "first") for count in counts]
        return [(one.model, one.masks, one.cost) for one in results]
    # one dense training serves all shares: its end is scored there, or its path has been on the way
    dense = run(start, method.replace(retraining=None, weight_map=None), total, "first")
    changes: dict[str, Any] = {"source": "start", "rewind": "start"}
    if method.source == "path":
        changes["criterion"] = lambda view: dense.scores
    elif cell.method == "distance":
        changes["criterion"] = lambda view: _distances(view, start)
    results = [run(dense.model, method.replace(**changes), count, "second") for count in counts]
    return [(one.model, one.masks, dense.cost + one.cost) for one in results]


def _distances(view: pruning.View, start: pruning.Model) -> list[Any]:
    return [view.xp.abs(layer - first) for layer, first in zip(view.layers, start.matrices, strict=True)]


@dataclass(frozen=True)
class _Landing:
    """A schedule that drops a fifth of what is left each round, but stops at each of some counts."""

    counts: tuple[int, ...]

    def __call__(self, total: int, sparsity: int) -> list[int]:
        found, left = [], total
        for goal in self.counts:
            while left > goal:
                left = max(goal, left - round(0.2 * left))
                found.append(left)
        return found


def _in_rounds(found: pruning.PruningResult, counts: Sequence[int]) -> list[Pruned]:
    # the round after a count has trained the network of that count
    trained = {one.masks.count: (after.model, one.masks) for one, after in pairwise(found.path)}
    trained[counts[-1]] = (found.model, found.masks)
    models = [trained[count] for count in counts]
    return [(model, masks, found.cost) for model, masks in models if model is not None]


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return curves of each family, all methods at one fraction, differences of pairs, and claims."""
    size, data = size_of(preset)
    data = str(records[0].cell.settings["data"]) if records else data
    trials: dict[str, dict[float, dict[int, float]]] = {}
    for record in records:
        for fit in record.metrics["fits"]:
            places = trials.setdefault(record.cell.settings["method"], {})
            places.setdefault(fit["keep"], {})[record.cell.settings["seed"]] = fit["accuracy"]
    keep = list(size.keep)
    words = named(data, size.n, size.seeds)
    claims = [_claim(one, trials, keep, data, words) for one in REPORTED]
    network = "-".join(map(str, (PIXELS[data], *size.hidden, 10)))
    return {
        "subtitle": f"{words}\n{network}, {size.epochs} epochs, and as many after pruning (for BINGO too, "
        "unlike its paper); mean and 95 % band",
        "keep": keep,
        "shown": size.shown,
        "dense": band(trials.get(DENSE, {}).get(1.0, {}).values()),
        "families": [
            {
                "title": title,
                "curves": {
                    name: {"label": LABELS[name], **_curve(trials[name], keep)} for name in names if name in trials
                },
            }
            for title, names in FAMILIES.items()
        ],
        "references": {name: _curve(trials[name], keep) for name in ("random", "magnitude") if name in trials},
        "ranking": _ranking(trials, size.shown),
        "pairs": [
            {
                "worse": LABELS[worse],
                "better": LABELS[better],
                "verdict": claim.verdict,
                **_gaps(trials.get(worse, {}), trials.get(better, {}), keep),
            }
            for (paper, worse, better), claim in zip(REPORTED, claims, strict=True)
            if paper == SURVEY
        ],
        "claims": [claim.as_dict() for claim in claims],
        "table": _table(trials, keep),
        "notes": [
            "Test accuracy in %, mean [95 % interval] over the seeds, at shares of the weights that are kept.",
            "Number of trainings. Before training: one, under the mask. After training: the dense one and one more. In "
            "rounds: one for each fifth of the weights. During training: one. Supermask: edge-popup, which trains "
            "scores and leaves the weights as they were drawn; narrow networks have few good supermasks.",
        ],
    }


def _curve(places: Trials, keep: Sequence[float]) -> dict[str, list[float | None]]:
    bands = [band(places.get(share, {}).values()) for share in keep]
    return {end: [one[end] for one in bands] for end in ("mean", "low", "high")}


def _ranking(trials: dict[str, Any], shown: float) -> list[dict[str, Any]]:
    rows = []
    for family, names in FAMILIES.items():
        for name in names:
            found = band(trials.get(name, {}).get(shown, {}).values())
            if found["mean"] is not None:
                rows.append({"method": name, "label": LABELS[name], "family": family, **found})
    return rows


def _gaps(worse: Trials, better: Trials, keep: Sequence[float]) -> dict[str, list[float | None]]:
    cells, _, (low, high) = verdicts.paired(worse, better)
    bands = [
        band((100 * (high - low))[cells.index(share)].tolist() if share in cells else [])  # NaN: a seed is missing
        for share in keep
    ]
    return {end: [one[end] for one in bands] for end in ("mean", "low", "high")}


def _subject(name: str) -> str:
    """Return the label of a method as the subject of a sentence, its variant in brackets."""
    method, _, variant = LABELS[name].partition(", ")
    return f"{method} ({variant})" if variant else method


def _claim(pair: tuple[str, str, str], trials: dict[str, Any], keep: Sequence[float], data: str, words: str) -> Claim:
    paper, worse, better = pair
    ours: Trials = {share: trials.get(better, {}).get(share, {}) for share in keep}
    theirs: Trials = {share: trials.get(worse, {}).get(share, {}) for share in keep}
    _, _, (first, second) = verdicts.paired(ours, theirs)
    tie = level_of(data)
    measured = verdicts.share(verdicts.scores(first, second, tie=tie))
    return Claim(
        paper,
        f"{_subject(better)} is more accurate than {_subject(worse)}.",
        f"over all pairs of a seed and a share of weights kept, {max(keep):g} to {min(keep):g}, the share in which "
        f"this is so is more than half; pairs within {100 * tie:.1f} points count half",
        measured.verdict,
        "mean differences by share kept: " + difference_text(ours, theirs, keep),
        data=words,
        interval=measured.interval(),
    )


def _table(trials: dict[str, Any], keep: Sequence[float]) -> dict[str, Any]:
    rows: list[list[Any]] = []
    for family, names in {"": (DENSE,), **FAMILIES}.items():
        for name in names:
            if name not in trials:
                continue
            shares = [1.0] * len(keep) if name == DENSE else keep
            rows.append([family, LABELS[name], *(_interval(trials[name].get(share, {})) for share in shares)])
    return {"columns": ["pruned", "method", *(f"{100 * share:g} % kept" for share in keep)], "rows": rows}


def _interval(seeds: dict[int, float]) -> str | None:
    found = band([100 * value for value in seeds.values()])
    if found["mean"] is None:
        return None
    ends = "" if found["low"] is None else f" [{found['low']:.1f}, {found['high']:.1f}]"
    return f"{found['mean']:.1f}{ends}"


def data_of(preset: str) -> str:
    """Return which data a run uses, and of what size."""
    size, data = size_of(preset)
    return named(data, size.n, size.seeds)


EXPERIMENTS = (
    Experiment(
        name="pr-accuracy",
        version=1,
        title="Accuracy against sparsity for the catalogue's pruning methods",
        module=__name__,
        settings=AccuracyCell,
        presets=PRESETS,
        cells=cells,
        cost=cost,
        compute=compute,
        summarise=summarise,
        data=data_of,
        layout="figures.pr_accuracy",
        shows="accuracy against sparsity of all methods on digits (MNIST at larger sizes), and the ordering that the "
        "literature reports",
        place=380,
    ),
)
