"""BINGO and IMP at an accuracy floor: the number of weights that can be pruned, and the cost.

BINGO's paper prunes one network for MNIST, dense at 97 %, until its accuracy falls to 90 %: 71 % of the weights in 17
minutes, against 85 % in 122 minutes by IMP. Here cost is measured in multiply-adds, which do not depend on the machine,
in units of one training of the dense network. As in the paper, one-shot methods do not retrain: weights are pruned by
their scores, 1 % of all weights at a time. IMP is run properly: each round prunes a fifth of the remaining weights,
rewinds to the start, and retrains. As in the paper's release, the accuracy that stops the pruning is that on the test
images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from paper_repro import verdicts
from paper_repro.claims import Claim
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.pr_accuracy import LABELS
from paper_repro.experiments.pr_images import PIXELS, band, images, named, source
from paper_repro.store import Record
from paper_repro.verdicts import Measured, Trials
from planted.base import arrays
from recovery import pruning
from recovery.pruning.bingo import bingo
from recovery.pruning.floor import prune_to_floor

__all__ = ["EXPERIMENTS", "METHODS", "PUBLISHED", "FloorCell", "FloorPreset", "at_floor"]

BINGOS = ("bingo-printed", "bingo-corrected", "bingo-release", "bingo-running-mean", "bingo-running-mean-layer")
METHODS = ("random", *BINGOS, "magnitude", "imp")
PUBLISHED = {"bingo": (0.71, 17.0), "imp": (0.85, 122.0)}
"""Share of the weights that the paper prunes, and its minutes."""
STEP = 0.01
LAYER = "-layer"
NAMES = {
    **LABELS,
    "bingo-running-mean-layer": "BINGO, running mean, each layer",
    "magnitude": "magnitude, one shot",
    "imp": "IMP",
}


@dataclass(frozen=True)
class FloorCell:
    """One method and seed; `data` is a source of images."""

    data: str
    method: str
    seed: int
    n: int
    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    floor: float
    dtype: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))  # JSON knows lists only

    @property
    def training(self) -> pruning.Training:
        """Adam at a constant rate, as in the release."""
        return pruning.Training(epochs=self.epochs, batch_size=self.batch_size, learning_rate=self.learning_rate)


@dataclass(frozen=True)
class FloorPreset:
    """Seeds, images, hidden layers, epochs, batch size, rate and floor; whether MNIST is wanted."""

    seeds: int
    n: int
    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    floor: float
    large: bool = False


QUICK = FloorPreset(6, 1437, (64, 32), 20, 50, 3e-3, 0.9)
PRESETS = {
    "smoke": FloorPreset(2, 300, (24, 16), 12, 20, 5e-3, 0.5),
    "quick": QUICK,
    "cpu": FloorPreset(6, 20_000, (128, 64), 10, 64, 1e-3, 0.9, large=True),
    "paper": FloorPreset(10, 60_000, (128, 64), 10, 64, 1e-3, 0.9, large=True),
}


def size_of(preset: str) -> tuple[FloorPreset, str]:
    """Return sizes and source of images: if MNIST is not found, digits at the size of quick are used instead."""
    size = PRESETS[preset]
    data = source(size.large)
    return (QUICK if data == "digits" else size), data


def cells(preset: str, seed: int) -> list[FloorCell]:
    """Return the cells, one per method and seed."""
    size, data = size_of(preset)
    rest = (size.n, size.hidden, size.epochs, size.batch_size, size.learning_rate, size.floor)
    return [FloorCell(data, method, trial, *rest) for trial in range(seed, seed + size.seeds) for method in METHODS]


def cost(cell: FloorCell) -> float:
    """Return what a cell costs: rows times weights, for IMP so often as there are rounds, for BINGO with its probes."""
    weights = sum(a * b for a, b in pairwise((PIXELS[cell.data], *cell.hidden, 10)))
    times = {"imp": 12.0, "random": 1.0, "magnitude": 1.0}.get(cell.method, 3.0)
    return float(cell.epochs * cell.n) * (weights + 50_000) * times


def method_of(cell: FloorCell) -> pruning.Method:
    """Return the method of a cell; those that prune once leave the weights as they are."""
    if cell.method.startswith("bingo-"):
        variant: Any = cell.method.removeprefix("bingo-").removesuffix(LAYER)
        method = bingo(variant, cell.training)
        return method.replace(scope="layer") if cell.method.endswith(LAYER) else method
    if cell.method == "imp":
        return pruning.catalogue(cell.training)["imp"]
    return pruning.Method(cell.method, cell.method, training=cell.training, retraining=None)


def at_floor(left: Sequence[int], accuracies: Sequence[float], floor: float) -> int:
    """Return how many weights are left at the last level before the accuracy first falls below the floor.

    Parameters
    ----------
    left : sequence of int
        Weights left at each level, the dense network first.
    accuracies : sequence of float
        One per level; the first one reaches the floor.
    floor : float
        The least accuracy.

    Returns
    -------
    int
        Weights.
    """
    kept = left[0]
    for count, accuracy in zip(left, accuracies, strict=True):
        if accuracy < floor:
            break
        kept = count
    return kept


def compute(cell: FloorCell, device: str) -> Outcome:
    """Prune until the accuracy falls to the floor.

    Parameters
    ----------
    cell : FloorCell
        The settings.
    device : {"cpu", "gpu"}
        Where it runs.

    Returns
    -------
    metrics : dict
        ``pruned``, the share of the weights that are gone at the floor; ``dense``, the accuracy before; and what
        training and scores took: ``cost``, multiply-adds in units of one training of the dense network, and
        ``forward`` and ``backward``, passes of rows in units of the rows of one training.
    arrays : dict
        ``left`` and ``accuracy`` at each level. One-shot methods go on below the floor, to no weights at all.
    """
    X, y, X_test, y_test = (arrays.asarray(part, device) for part in images(cell.data, cell.n, cell.seed, cell.dtype))
    start = pruning.Model.draw(
        (PIXELS[cell.data], *cell.hidden, 10),
        bias=True,
        loss="cross_entropy",
        rng=stream("pr-floor", "start", cell.data, cell.seed),
        dtype=cell.dtype,
        device=device,
    )
    found = prune_to_floor(
        start,
        pruning.Data(X, y, X_test, y_test),
        method_of(cell),
        floor=cell.floor if cell.method == "imp" else 0.0,
        step=STEP,
        rng=stream("pr-floor", "training", cell.data, cell.seed),
    )
    left, accuracy = (np.array(part) for part in zip(*found.path, strict=True))
    if accuracy[0] < cell.floor:
        raise ValueError(f"the dense network has an accuracy of {accuracy[0]:.3f}, below the floor of {cell.floor}")
    # all rows in each epoch: a last batch that is not full is joined to the one before
    rows = round(cell.training.total(cell.n) * cell.n / max(1, cell.n // min(cell.batch_size, cell.n)))
    one = pruning.Cost()
    one.add(start.shapes, rows, backward=True)
    spent, looks = found.cost, found.evaluation
    return {
        "pruned": 1.0 - at_floor(left.tolist(), accuracy.tolist(), cell.floor) / found.total,
        "dense": float(accuracy[0]),
        "cost": (spent.executed - looks.executed) / one.executed,
        "forward": (spent.forward - looks.forward) / rows,
        "backward": spent.backward / rows,
    }, {"left": left, "accuracy": accuracy}


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return accuracies over the pruned fraction, fractions and costs at the floor, and claims."""
    size, data = size_of(preset)
    data = str(records[0].cell.settings["data"]) if records else data
    own = {name: [one for one in records if one.cell.settings["method"] == name] for name in METHODS}
    shown = {name: _method(name, found) for name, found in own.items() if found}
    words = named(data, size.n, size.seeds)
    network = "-".join(map(str, (PIXELS[data], *size.hidden, 10)))
    claims = _claims(own, words)
    return {
        "subtitle": f"{words}\n{network}, {size.epochs} epochs; the accuracy is that on the test images; "
        "mean and 95 % band",
        "floor": size.floor,
        "methods": shown,
        "dense": band([one.metrics["dense"] for one in own["magnitude"]]),
        "published": {name: share for name, (share, _) in PUBLISHED.items()},
        "claims": [claim.as_dict() for claim in claims],
        "table": {
            "columns": [
                "method",
                "seeds",
                f"pruned at {100 * size.floor:g} % (%)",
                "cost (dense trainings)",
                "rows forward (of one training)",
                "rows backward",
                "the paper: pruned (%)",
                "minutes",
            ],
            "rows": [
                [
                    NAMES[name],
                    len(own[name]),
                    _text([100 * one.metrics["pruned"] for one in own[name]], 1),
                    *(_text([one.metrics[kind] for one in own[name]], 2) for kind in ("cost", "forward", "backward")),
                    *_published(name),
                ]
                for name in shown
            ],
        },
        "notes": [
            "Cost: multiply-adds of all training and scoring, without evaluations of the accuracy, in units of one "
            "training of the dense network. Rows are in units of those of one training.",
            "BINGO probes 1 % of each layer after each update (as released: in one sweep after training), as in the "
            "release; the printed formula orders the weights in reverse. A probe of the output layer resets "
            "few weights and changes little, so that a mean over all probes lets that layer go first; in the last "
            "variant each layer loses the same share.",
            f"The levels of IMP are its rounds; those of the other methods are steps of {100 * STEP:g} % of the "
            "weights.",
        ],
    }


def _published(name: str) -> list[Any]:
    key = "imp" if name == "imp" else "bingo" if name == "bingo-printed" else None
    return [None, None] if key is None else [100 * PUBLISHED[key][0], PUBLISHED[key][1]]


def _method(name: str, records: Sequence[Record]) -> dict[str, Any]:
    """Return means over the seeds at the levels that all of them have."""
    levels = min(len(one.arrays["left"]) for one in records)
    total = int(records[0].arrays["left"][0])
    bands = [band([float(one.arrays["accuracy"][level]) for one in records]) for level in range(levels)]
    return {
        "label": NAMES[name],
        "gone": [1.0 - int(count) / total for count in records[0].arrays["left"][:levels]],
        **{end: [one[end] for one in bands] for end in ("mean", "low", "high")},
        "pruned": band([one.metrics["pruned"] for one in records]),
        "cost": band([one.metrics["cost"] for one in records]),
        "points": [[one.metrics["cost"], one.metrics["pruned"]] for one in records],
    }


def _text(values: Sequence[float], digits: int) -> str:
    found = band(values)
    text = f"{found['mean']:.{digits}f}"
    return text if found["low"] is None else f"{text} [{found['low']:.{digits}f}, {found['high']:.{digits}f}]"


def _claims(own: Mapping[str, Sequence[Record]], words: str) -> list[Claim]:
    def values(name: str, kind: str) -> Trials:
        return {"floor": {one.cell.settings["seed"]: one.metrics[kind] for one in own[name]}}

    def above(first: Trials, second: Trials, factor: float = 1.0) -> tuple[Measured, str]:
        _, _, (ours, theirs) = verdicts.paired(first, second)
        measured = verdicts.least_share(verdicts.scores(ours, factor * theirs)) if ours.size else NOTHING
        text = f"means {np.nanmean(ours):.3f} and {np.nanmean(theirs):.3f}" if ours.size else ""
        return measured, text

    pruned = {name: values(name, "pruned") for name in METHODS}
    spent = {name: values(name, "cost") for name in METHODS}
    ratio = PUBLISHED["bingo"][1] / PUBLISHED["imp"][1]
    found = []
    for claim, rule, (measured, text) in (
        (
            "IMP prunes more than BINGO as printed (85 % against 71 %).",
            "the share of seeds in which IMP prunes more at the floor is more than half",
            above(pruned["imp"], pruned["bingo-printed"]),
        ),
        (
            "IMP prunes more than BINGO with a running mean.",
            "the share of seeds in which IMP prunes more at the floor is more than half",
            above(pruned["imp"], pruned["bingo-running-mean"]),
        ),
        (
            "BINGO costs at most 17 / 122 of what IMP does.",
            "the share of seeds in which BINGO as printed makes fewer than 17 / 122 of IMP's multiply-adds, counted "
            "until its accuracy is below the floor, is more than half",
            above(spent["imp"], spent["bingo-printed"], 1 / ratio),
        ),
        (
            "BINGO's score as printed identifies dispensable weights: it prunes more than random order.",
            "the share of seeds in which it does is more than half",
            above(pruned["bingo-printed"], pruned["random"]),
        ),
        (
            "BINGO's score with the sign corrected prunes more than random order.",
            "the share of seeds in which it does is more than half",
            above(pruned["bingo-corrected"], pruned["random"]),
        ),
        (
            "BINGO with a running mean, each layer for itself, prunes more than random order.",
            "the share of seeds in which it does is more than half",
            above(pruned["bingo-running-mean-layer"], pruned["random"]),
        ),
        (
            "BINGO with a running mean, each layer for itself, prunes more than one-shot magnitude does.",
            "the share of seeds in which it does is more than half",
            above(pruned["bingo-running-mean-layer"], pruned["magnitude"]),
        ),
    ):
        found.append(
            Claim(
                "BINGO, at a floor",
                claim,
                rule,
                measured.verdict,
                text,
                data=words,
                interval=measured.interval(),
                basis=verdicts.BASIS_SEEDS,
            )
        )
    return found


NOTHING = verdicts.bootstrap(lambda cells, seeds: np.full(len(cells), np.nan), 0, 0, limit=0.5)


def data_of(preset: str) -> str:
    """Return which data a run uses, and of what size."""
    size, data = size_of(preset)
    return named(data, size.n, size.seeds)


EXPERIMENTS = (
    Experiment(
        name="pr-floor",
        version=1,
        title="BINGO and IMP: weights pruned until the accuracy falls to a floor, and the cost",
        module=__name__,
        settings=FloorCell,
        presets=PRESETS,
        cells=cells,
        cost=cost,
        compute=compute,
        summarise=summarise,
        data=data_of,
        layout="figures.pr_floor",
        shows="weights pruned by BINGO, one-shot magnitude pruning and IMP at a required accuracy, and their cost",
        place=382,
    ),
)
