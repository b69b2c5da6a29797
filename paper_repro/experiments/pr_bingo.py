"""The information in BINGO's scores: their variance over the number of probes, and which weights they identify.

A probe resets a random subset of the weights, and the change of loss or accuracy is credited to all of them. The paper
averages with weights 1/2, 1/4, ..., which has an effective sample size of at most three probes; a running mean uses all
of them. Scores from resets reflect how far weights have moved, scores from zeroing how large they are; with large
initial weights the two differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paper_repro.claims import Claim
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.planted_pruning import (
    SOURCE,
    Instance,
    band,
    bands,
    interval_text,
    linear_instance,
    network_instance,
    sided,
    view_of,
)
from paper_repro.store import Record
from recovery import pruning
from recovery.mlp.masks import Masks
from recovery.pruning import criteria
from recovery.pruning.bingo import Bingo
from recovery.pruning.closed_forms import bingo as closed
from recovery.pruning.frame import Frame

__all__ = ["EXPERIMENTS", "LABELS", "MARKS", "SCORES", "BingoCell", "BingoPreset"]

LABELS = {
    "printed": "as printed (reset)",
    "corrected": "corrected (reset)",
    "running-mean": "running mean, reset",
    "running-mean-zero": "running mean, zero",
    "release": "release (zero)",
    "magnitude": "magnitude |w|",
    "distance": "distance |w - w(0)|",
}
SCORES = ("printed", "corrected", "running-mean", "running-mean-zero", "release")
"""The variants of BINGO."""
AVERAGES = ("printed", "running-mean")
"""The two averages whose variance is shown; the others have the same variance as the first."""
MARKS = (1, 2, 4, 8, 16, 32, 64)
"""After how many probes of a weight its score is written down."""

STEPS = pruning.Training(n_iter=200, batch_size=50, learning_rate=0.1, optimiser="sgd", momentum=0.0)
ADAM = pruning.Training(n_iter=300, batch_size=50, learning_rate=0.01)


@dataclass(frozen=True)
class BingoCell:
    """One planted model.

    Parameters
    ----------
    part : {"variance", "linear", "relu"}
        Variance of the scores of a trained linear model; AUC in a linear model; AUC in a classifier.
    scale : float
        Of the initialisation.
    probes : tuple of int
        How many probes follow an update; for ``"variance"`` how many runs there are.
    """

    part: str
    seed: int
    scale: float
    probes: tuple[int, ...]
    dtype: str = "float64"

    def __post_init__(self) -> None:
        object.__setattr__(self, "probes", tuple(self.probes))


@dataclass(frozen=True)
class BingoPreset:
    """Seeds of each part, scales of the linear model, and how many probes follow an update of the classifier."""

    variance: int
    runs: int
    linear: int
    scales: tuple[float, ...]
    relu: int
    probes: tuple[int, ...]


SCALES = (0.0, 0.1, 0.3, 0.5, 1.0, 2.0)
PRESETS = {
    "smoke": BingoPreset(2, 3, 2, (0.1, 1.0), 2, (1, 2)),
    "quick": BingoPreset(8, 12, 10, SCALES, 10, (1, 4, 16)),
    "cpu": BingoPreset(20, 40, 40, (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0), 40, (1, 4, 16, 64)),
    "paper": BingoPreset(60, 100, 100, (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0), 100, (1, 4, 16, 64)),
}


def cells(preset: str, seed: int) -> list[BingoCell]:
    """Return the cells of a preset."""
    grid = PRESETS[preset]
    found = [BingoCell("variance", seed + i, 0.5, (grid.runs,)) for i in range(grid.variance)]
    found += [BingoCell("linear", seed + i, scale, (4,)) for scale in grid.scales for i in range(grid.linear)]
    return found + [BingoCell("relu", seed + i, 1.0, grid.probes) for i in range(grid.relu)]


def cost(cell: BingoCell) -> float:
    """Return what a cell costs: the number of probes, about."""
    if cell.part == "variance":
        return 2.0 * cell.probes[0] * 10 * MARKS[-1]
    return len(SCORES) * 250.0 * (len(cell.probes) + sum(cell.probes))


def compute(cell: BingoCell, device: str) -> Outcome:
    """Probe.

    Parameters
    ----------
    cell : BingoCell
        The settings.
    device : {"cpu", "gpu"}
        Everything runs on the CPU: the models are small.

    Returns
    -------
    metrics : dict
        ``"variance"``: for each average its variance after each of :data:`MARKS`, divided by that of one probe, mean
        over the weights. Else in ``auc`` for each variant one AUC for each number of probes, and one for ``magnitude``
        and ``distance``; in ``probes`` how many a weight of the first layer had on the average.
    arrays : dict
        Empty.
    """
    if cell.part == "variance":
        return {"variance": variances(cell)}, {}
    one, training = instance_of(cell)
    found: dict[str, list[float]] = {name: [] for name in SCORES}
    probes = []
    for count in cell.probes:
        for name in SCORES:
            scores, made = probed(one, training, name, count, cell)
            found[name].append(one.auc(scores))
        probes.append(made)
    data, full = one.data.fit_to(one.start), Masks.full(one.start.matrices)
    rng = stream("pr-bingo", "order", cell.part, cell.seed)
    end = training.train(pruning.Task(one.start, full, data, rng, pruning.Cost())).model
    for name in ("magnitude", "distance"):
        found[name] = [one.auc(criteria.NAMED[name](view_of(one, end, rng)))]
    return {"auc": found, "probes": probes}, {}


def instance_of(cell: BingoCell) -> tuple[Instance, pruning.Training]:
    """Return the planted model of a cell, and its training; scales of one seed stretch the same start."""
    rng = stream("pr-bingo", cell.part, cell.seed)
    if cell.part == "variance":
        return linear_instance(200, 40, 8, scale=cell.scale, noise=0.5, rng=rng), STEPS
    if cell.part == "linear":
        return linear_instance(1000, 200, 20, scale=cell.scale, noise=0.5, rng=rng), STEPS
    return classes(network_instance(1000, 32, 6, 16, scale=cell.scale, rng=rng)), ADAM


def classes(one: Instance) -> Instance:
    """Return a planted network as a classifier of two classes: outputs below, and above, their median."""
    middle = float(np.median(one.data.y))
    hidden, output = one.start.layers
    # the second output starts as minus the first, so that the difference starts as twice the planted task's
    start = pruning.Model([hidden, np.stack([-output, output], axis=1)], None, "cross_entropy")
    data, test = (pruning.Data(part.X, (part.y > middle).astype(np.int64)) for part in (one.data, one.test))
    return Instance(data, test, start, one.relevant)


def rule_of(name: str, signal: str, probes: int, updates: int, batches: int) -> Bingo:
    """Return a variant; the release's sweep after training makes as many probes as the others during training."""
    options: dict[str, Any] = {
        "signal": signal,
        "subset": 0.05 if signal == "loss" else 0.02,
        "probes_per_update": probes,
    }
    if name == "release":
        options["probes_per_update"] = probes * updates // batches
        return Bingo("release", target="zero", when="after", **options)
    if name == "running-mean-zero":
        return Bingo("running-mean", target="zero", **options)
    return Bingo(name, target="reset", **options)  # type: ignore[arg-type]


def probed(
    one: Instance, training: pruning.Training, name: str, count: int, cell: BingoCell
) -> tuple[list[Any], float]:
    """Train with probes; return scores, and how many probes a weight of the first layer had on the average."""
    data, full = one.data.fit_to(one.start), Masks.full(one.start.matrices)
    rng = stream("pr-bingo", "order", cell.part, cell.seed)  # all variants see the same batches and subsets
    signal = "loss" if cell.part == "linear" else "accuracy"
    batches = data.n_samples // int(training.batch_size or 1)
    rule = rule_of(name, signal, count, training.total(data.n_samples), batches)
    observer = rule.begin(one.start, data, stream("pr-bingo", "subsets", cell.part, cell.seed), pruning.Cost())
    training.train(pruning.Task(one.start, full, data, rng, pruning.Cost(), [observer]))
    scores = observer.scores()
    return scores, float(np.mean(observer.probes[0]))


def variances(cell: BingoCell) -> dict[str, list[float]]:
    """Return variances over runs of the scores of fixed weights, divided by the variance of one probe."""
    one, training = instance_of(cell)
    data, full = one.data.fit_to(one.start), Masks.full(one.start.matrices)
    rng = stream("pr-bingo", "order", cell.part, cell.seed)
    end = training.train(pruning.Task(one.start, full, data, rng, pruning.Cost())).model
    frame = Frame(end)
    vector = frame.flat(end)
    step = pruning.Step(1, 1, frame, vector, gradient=vector, X=frame.inputs(data.X), y=data.y)
    runs: dict[str, np.ndarray] = {}
    for name in AVERAGES:
        rule = Bingo(name, "reset", "loss", 0.1)  # type: ignore[arg-type]
        streams = [stream("pr-bingo", "probes", cell.seed, run) for run in range(cell.probes[0])]
        runs[name] = np.stack([history(rule.begin(one.start, data, rng, pruning.Cost()), step) for rng in streams])
    counts = np.arange(1, MARKS[-1] + 1)[:, None]
    sums = counts * runs["running-mean"]
    changes = np.diff(sums, axis=1, prepend=0.0)  # what each probe saw
    single = changes.reshape(-1, changes.shape[-1]).var(axis=0, ddof=1)
    places = [mark - 1 for mark in MARKS]
    return {name: (found[:, places].var(axis=0, ddof=1) / single).mean(axis=1).tolist() for name, found in runs.items()}


def history(observer: Any, step: pruning.Step) -> np.ndarray:
    """Return the score of each weight after its first, second, ... probe, shape (probes, weights)."""
    last = MARKS[-1]
    found = np.full((last, observer.probes[0].size), np.nan)
    before = np.zeros(found.shape[1], dtype=int)
    while before.min() < last:
        observer.step(step)
        made = observer.probes[0].ravel().copy()
        now = np.flatnonzero((made > before) & (made <= last))
        found[made[now] - 1, now] = observer.scores()[0].ravel()[now]
        before = made
    return found


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return variances, AUCs over the scale of the start and over the probes, with the table and the claims."""
    parts = {part: [r for r in records if r.cell.settings["part"] == part] for part in ("variance", "linear", "relu")}
    seeds = {part: len({r.cell.settings["seed"] for r in own}) for part, own in parts.items()}
    rows: list[list[Any]] = []
    summary: dict[str, Any] = {
        "subtitle": f"planted models; seeds: {seeds['variance']}, {seeds['linear']}, {seeds['relu']}; bands: 95 %",
        "labels": LABELS,
        "marks": list(MARKS),
    }
    summary["variance"] = _variance(parts["variance"], rows)
    summary["linear"] = _linear(parts["linear"], rows)
    summary["relu"] = _relu(parts["relu"], rows)
    exact = f"{closed.score_variance(1.0):.4f}, {closed.effective_sample_size():.0f} probes"
    return {
        **summary,
        "notes": [
            SOURCE + " Bands and brackets: Student's 95 % intervals of the mean over the seeds.",
            f"Variance: a trained linear model, fixed; over runs, divided by that of one probe. Exact limit: {exact}.",
            "Linear: 20 of 200 weights +-1, n = 1,000, noise .5; loss as the signal; 40 probes per weight, each of 5 "
            "% of the weights. Zeroing estimates the magnitude of the trained weights, resetting their distance from "
            "the start.",
            "ReLU: two classes, by a planted network of 5 units on 6 of 32 inputs; 16 hidden units, cross-entropy, "
            "Adam, n = 1,000, accuracy of the batch as the signal; the first layer is ranked.",
            *_order(parts),
        ],
        "table": {"columns": ["panel", "place", "what", "seeds", "value"], "rows": rows},
        "claims": [claim.as_dict() for claim in claims(parts)] if records else [],
    }


def _variance(records: Sequence[Record], rows: list[list[Any]]) -> dict[str, Any] | None:
    if not records:
        return None
    curves = {name: bands([r.metrics["variance"][name] for r in records]) for name in AVERAGES}
    exact = {
        "printed": [closed.score_variance(1.0, mark) for mark in MARKS],
        "running-mean": [closed.running_mean_variance(1.0, mark) for mark in MARKS],
    }
    for name, curve in curves.items():
        for i, mark in enumerate(MARKS):
            one = {key: curve[key][i] for key in ("mean", "low", "high")}
            text = f"{interval_text(one, 3)}; exact {exact[name][i]:.3f}"
            rows.append(["variance / sigma^2", f"{mark} probes", LABELS[name], len(records), text])
    return {"curves": curves, "exact": exact}


def _linear(records: Sequence[Record], rows: list[list[Any]]) -> dict[str, Any] | None:
    scales = sorted({r.cell.settings["scale"] for r in records})
    if not scales:
        return None
    curves = {}
    for name in LABELS:
        runs = [[r.metrics["auc"][name][-1] for r in records if r.cell.settings["scale"] == scale] for scale in scales]
        found = [band(one) for one in runs]
        curves[name] = {key: [one[key] for one in found] for key in ("mean", "low", "high")}
        for scale, values, one in zip(scales, runs, found, strict=True):
            rows.append(["AUC, linear", f"initialisation {scale:g}", LABELS[name], len(values), interval_text(one)])
    return {"scales": scales, "curves": curves}


def _relu(records: Sequence[Record], rows: list[list[Any]]) -> dict[str, Any] | None:
    if not records:
        return None
    probes = [float(np.mean(column)) for column in zip(*(r.metrics["probes"] for r in records), strict=True)]
    curves = {name: bands([r.metrics["auc"][name] for r in records]) for name in SCORES}
    for name, curve in curves.items():
        for i, made in enumerate(probes):
            one = {key: curve[key][i] for key in ("mean", "low", "high")}
            rows.append(["AUC, ReLU", f"{made:.0f} probes", LABELS[name], len(records), interval_text(one)])
    lines = {name: band([r.metrics["auc"][name][0] for r in records]) for name in ("magnitude", "distance")}
    for name, one in lines.items():
        rows.append(["AUC, ReLU", "after training", LABELS[name], len(records), interval_text(one)])
    return {"probes": probes, "curves": curves, "lines": lines}


def _order(parts: dict[str, list[Record]]) -> list[str]:
    """Return how often the AUCs stand in the order printed < 1/2 < corrected < magnitude."""
    found = []
    for part, name in (("linear", "Linear, all scales"), ("relu", "ReLU, most probes")):
        aucs = [r.metrics["auc"] for r in parts[part]]
        held = sum(a["printed"][-1] < 0.5 < a["corrected"][-1] < a["magnitude"][0] for a in aucs)
        if aucs:
            found.append(f"{name}: AUC as printed < 1/2 < corrected < |w| in {held} of {len(aucs)} runs.")
    return found


def claims(parts: dict[str, list[Record]]) -> list[Claim]:
    """Return what the paper and its proposal say of the score."""
    data = "planted linear models (n = 1,000) and two-layer ReLU classifiers (n = 1,000)"
    small = min((r.cell.settings["scale"] for r in parts["linear"] if r.cell.settings["scale"] > 0), default=0.0)

    def at(name: str, part: str, scale: float | None = None) -> dict[str, dict[int, float]]:
        chosen = [r for r in parts[part] if scale is None or r.cell.settings["scale"] == scale]
        return {part: {r.cell.settings["seed"]: r.metrics["auc"][name][-1] for r in chosen}}

    scales = sorted({r.cell.settings["scale"] for r in parts["linear"] if r.cell.settings["scale"] > 0})
    settings: list[tuple[str, str, float | None]] = [(f"linear, initialisation {s:g}", "linear", s) for s in scales]
    settings.append(("ReLU", "relu", None))
    ratio = {
        "variance": {
            r.cell.settings["seed"]: r.metrics["variance"]["printed"][2] / r.metrics["variance"]["printed"][-1]
            for r in parts["variance"]
        }
    }
    return [
        sided(
            "BINGO, the score",
            "A high score, by the printed formula, marks a significant weight.",
            f"for the linear model (initialisation {small:g}) and for the ReLU classifier with most probes, the "
            "share of seeds in which the AUC of the printed score is above 1/2 is more than half",
            [(name, at("printed", part, scale), 0.5) for name, part, scale in settings if scale in (small, None)],
            data,
        ),
        sided(
            "BINGO, the score",
            "The score gathers information during the whole training: more probes make it more certain.",
            "the share of seeds in which the variance of the published average falls by half or more from "
            f"{MARKS[2]} to {MARKS[-1]} probes is more than half (that of a mean falls by a factor of "
            f"{MARKS[-1] // MARKS[2]})",
            [("factor", ratio, 2.0)],
            data,
        ),
        *(
            sided(
                "BINGO, project proposal",
                f"Resetting weights to their initial values tells more than setting them to zero: {words}.",
                f"{each}the AUC of the running mean is higher with resets than with zeros is more than half; ties "
                "count half",
                [
                    (name, at("running-mean", kind, scale), at("running-mean-zero", kind, scale))
                    for name, kind, scale in settings
                    if kind == part
                ],
                data,
            )
            for part, words, each in (
                ("linear", "linear models", "for each initialisation, the share of seeds in which "),
                ("relu", "ReLU classifiers", "with most probes, the share of seeds in which "),
            )
        ),
    ]


EXPERIMENTS = (
    Experiment(
        name="pr-bingo",
        version=1,
        title="Our experiment: the information in BINGO's scores, over probes and scale of the initial weights",
        module=__name__,
        settings=BingoCell,
        presets=PRESETS,
        cells=cells,
        cost=cost,
        compute=compute,
        summarise=summarise,
        data=lambda preset: "planted linear models and two-layer ReLU classifiers",
        layout="figures.pr_bingo",
        shows="variance of BINGO's scores over probes with exact curves, and which weights its variants identify",
        place=510,
    ),
)
