"""The value of a source task's ticket on a target task that shares part of its relevant inputs.

A mask is found by magnitude on the source. On few samples of the target the masked weights are trained from the weights
trained on the source (theta_S), from the initialisation (theta_0), or from random weights; baselines are a random mask,
and the dense model from theta_S. For linear models the limit of training is known in closed form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import linear_lottery
import planted
from paper_repro.claims import Claim
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.intervals import median_interval
from paper_repro.experiments.planted_pruning import KINDS, SHORT, SOURCE, band, interval_text, sided
from paper_repro.store import Record
from planted.base import arrays
from recovery import pruning
from recovery.pruning.closed_forms import transfer as closed

__all__ = ["EXPERIMENTS", "LABELS", "WAYS", "TransferCell", "TransferPreset"]

WAYS: dict[str, tuple[str, Literal["ticket", "random", "all"]]] = {
    "source": ("source", "ticket"),
    "initial": ("initial", "ticket"),
    "random": ("random", "ticket"),
    "random-mask": ("initial", "random"),
    "dense": ("source", "all"),
}
"""What is transferred: weights and mask."""
LABELS = {
    "source": "ticket, trained source weights θ_S",
    "initial": "ticket, initial weights θ_0",
    "random": "ticket, random weights",
    "random-mask": "random mask, θ_0",
    "dense": "dense, θ_S",
}
MARGIN = 1e-3
"""Errors that differ by less count as equal."""
SIZES = {"linear": 40, "relu": 160}
"""Weights that the ticket keeps."""

SOURCE_STEPS = pruning.Training(n_iter=400, learning_rate=0.1, optimiser="sgd")
TARGET_STEPS = pruning.Training(n_iter=300, learning_rate=0.1, optimiser="sgd")


@dataclass(frozen=True)
class TransferCell:
    """One pair of tasks for each overlap; all share the source task and its ticket."""

    kind: str
    seed: int
    overlaps: tuple[float, ...]
    targets: tuple[int, ...]
    dtype: str = "float64"

    def __post_init__(self) -> None:
        object.__setattr__(self, "overlaps", tuple(self.overlaps))
        object.__setattr__(self, "targets", tuple(self.targets))


@dataclass(frozen=True)
class TransferPreset:
    """Seeds and overlaps of both kinds; the numbers of target samples are always the same."""

    linear: int
    relu: int
    linear_overlaps: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
    relu_overlaps: tuple[float, ...] = (0.0, 1 / 3, 2 / 3, 1.0)


TARGETS = {"linear": (20, 60, 400), "relu": (50, 150, 500)}
PRESETS = {
    "smoke": TransferPreset(4, 2, (0.0, 1.0), (0.0, 1.0)),
    "quick": TransferPreset(100, 8),
    "cpu": TransferPreset(200, 40),
    "paper": TransferPreset(1000, 100),
}


def cells(preset: str, seed: int) -> list[TransferCell]:
    """Return the cells of a preset."""
    grid = PRESETS[preset]
    found = [TransferCell("linear", seed + i, grid.linear_overlaps, TARGETS["linear"]) for i in range(grid.linear)]
    return found + [TransferCell("relu", seed + i, grid.relu_overlaps, TARGETS["relu"]) for i in range(grid.relu)]


def cost(cell: TransferCell) -> float:
    """Return what a cell costs."""
    return len(cell.overlaps) * (0.02 if cell.kind == "linear" else 1.0)


def compute(cell: TransferCell, device: str) -> Outcome:
    """Find a ticket, and transfer it.

    Parameters
    ----------
    cell : TransferCell
        The settings.
    device : {"cpu", "gpu"}
        Everything runs on the CPU: the models are small.

    Returns
    -------
    metrics : dict
        In ``errors`` for each number of target samples, each overlap and each of :data:`WAYS` the error on the target:
        |w - w_T|^2 / |w_T|^2 for linear models, else on fresh samples, relative to the variance. In ``exact`` for
        linear models what the closed form expects, of the mask and the start at hand. In ``recall`` for each overlap
        the share of the target's relevant weights that the mask holds.
    arrays : dict
        Empty.
    """
    found: dict[str, Any] = {"errors": {}, "exact": {}, "recall": []}
    # the source task is the same for all overlaps and numbers of samples
    ticket = ticket_of(cell, pair_of(cell, cell.overlaps[0], cell.targets[0]))
    for overlap in cell.overlaps:
        for n in cell.targets:
            pair = pair_of(cell, overlap, n)
            held = () if cell.kind == "linear" else (pair.X_test, pair.y_test)
            target = pruning.Data(pair.X_target, pair.y_target, *held)
            errors, exact = transferred(cell, ticket, pair, target, n)
            found["errors"].setdefault(str(n), []).append(errors)
            found["exact"].setdefault(str(n), []).append(exact)
        kept = arrays.to_numpy(ticket.masks.layers[0])[pair.target_inputs]
        found["recall"].append(float(kept.mean()))
    return found, {}


def pair_of(cell: TransferCell, overlap: float, n: int) -> planted.TaskPair:
    """Return the tasks; the source does not depend on the overlap and on n, as it is drawn first."""
    rng = stream("pr-transfer", "pair", cell.kind, cell.seed)
    if cell.kind == "linear":
        return planted.task_pair(200, 20, overlap, n_source=180, n_target=n, rng=rng)
    return planted.task_pair(40, 6, overlap, n_source=1000, n_target=n, n_test=1000, n_neurons=5, rng=rng)


def ticket_of(cell: TransferCell, pair: planted.TaskPair) -> pruning.Ticket:
    """Return the mask of the source with the weights before and after training on it."""
    rng = stream("pr-transfer", "start", cell.kind, cell.seed)
    if cell.kind == "linear":
        start = pruning.Model([0.05 * rng.standard_normal(200)])
        # fewer samples than weights, so that the source does not determine its weights
        steps: dict[str, Any] = {
            "schedule": pruning.OneShot(),
            "training": linear_lottery.Flow(),
            "sparsity": SIZES["linear"],
        }
        return pruning.find_ticket(start, (pair.X_source, pair.y_source), rng=rng, **steps)
    layers = [rng.standard_normal(shape) * (0.1 / math.sqrt(shape[0])) for shape in ((40, 20), (20, 1))]
    start = pruning.Model([layers[0], layers[1][:, 0]])
    iterative: dict[str, Any] = {
        "schedule": pruning.Exponential(3),
        "training": SOURCE_STEPS,
        "sparsity": SIZES["relu"],
    }
    return pruning.find_ticket(start, (pair.X_source, pair.y_source), rng=rng, **iterative)


def transferred(
    cell: TransferCell, ticket: pruning.Ticket, pair: planted.TaskPair, target: pruning.Data, n: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Return for each way the error on the target, and for linear models what the closed form expects."""
    rng = stream("pr-transfer", "random", cell.kind, cell.seed)
    drawn = [
        rng.standard_normal(layer.shape) * arrays.to_numpy(layer).std()
        for layer in map(arrays.to_numpy, ticket.initial.layers)
    ]
    starts = {"source": ticket.trained, "initial": ticket.initial, "random": ticket.initial.replace(layers=drawn)}
    training: pruning.Trains = linear_lottery.Flow() if cell.kind == "linear" else TARGET_STEPS
    errors, exact = {}, {}
    for name, (start, mask) in WAYS.items():
        theta = starts[start]
        made = ticket.transfer(
            target,
            start=theta,
            mask=mask,
            training=training,
            rng=stream("pr-transfer", "mask", cell.kind, cell.seed),
        )
        if cell.kind == "relu":
            errors[name] = made.error
            continue
        truth = arrays.to_numpy(pair.target)
        energy, kept = float((truth**2).sum()), arrays.to_numpy(made.masks.layers[0])[:, 0]
        errors[name] = float(((arrays.to_numpy(made.model.layers[0]) - truth) ** 2).sum()) / energy
        away = float(((arrays.to_numpy(theta.layers[0]) - truth)[kept] ** 2).sum())
        outside = float((truth[~kept] ** 2).sum())
        exact[name] = closed.expected_error(n, int(kept.sum()), outside, away) / energy
    return errors, exact


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return the curves over the overlap, with what the closed form expects, the table and the claims."""
    rows: list[list[Any]] = []
    shown, seeds = [], []
    for kind, targets in TARGETS.items():
        own = [record for record in records if record.cell.settings["kind"] == kind]
        if own:
            seeds.append(len(own))
            shown += [_panel(kind, n, own, rows) for n in targets]
    columns = ["model", "n_T", "overlap", "what", "seeds", "error", "closed form", "relevant weights in the mask"]
    return {
        "subtitle": f"error relative to the target's variance; {' and '.join(map(str, seeds))} seeds; bands: 95 %",
        "labels": LABELS,
        "panels": shown,
        "notes": [
            SOURCE + " Linear: means with Student's 95 % intervals; ReLU: medians with intervals of order statistics.",
            "Linear: 20 of 200 weights +-1, Gaussian inputs, no noise; source of 180 samples; a one-shot mask of 40 "
            "weights by magnitude; exact gradient flow. Lines are closed forms (expected error over the target's "
            "inputs, for each given mask and start).",
            "ReLU: planted networks of 5 units on 6 of 40 inputs; 20 hidden units; source of 1,000 samples; a mask of "
            "20 % of the first layer in 3 rounds; gradient descent with momentum.",
            "Random weights are normal, as large as the initial ones. Errors below .001 are drawn at .001.",
            *_ratios(records),
        ],
        "table": {"columns": columns, "rows": rows},
        "claims": [claim.as_dict() for claim in claims(records)] if records else [],
    }


def _panel(kind: str, n: int, records: Sequence[Record], rows: list[list[Any]]) -> dict[str, Any]:
    overlaps = list(records[0].cell.settings["overlaps"])
    curves: dict[str, dict[str, list[float | None]]] = {}
    exact: dict[str, list[float]] = {}
    for name in WAYS:
        points = []
        for i, overlap in enumerate(overlaps):
            values = [record.metrics["errors"][str(n)][i][name] for record in records]
            point, form = band(values), None
            if kind == "relu":
                ends = median_interval(values)
                point = {
                    "mean": float(np.median(values)),
                    "low": ends[0] if ends else None,
                    "high": ends[1] if ends else None,
                }
            else:
                form = math.fsum(r.metrics["exact"][str(n)][i][name] for r in records) / len(records)
                exact.setdefault(name, []).append(form)
            points.append(point)
            kept = math.fsum(record.metrics["recall"][i] for record in records) / len(records)
            text = interval_text(point, 3)
            rows.append([KINDS[kind], n, round(overlap, 2), LABELS[name], len(values), text, form, round(kept, 2)])
        curves[name] = {key: [point[key] for point in points] for key in ("mean", "low", "high")}
    return {"kind": kind, "n": n, "size": SIZES[kind], "overlaps": overlaps, "curves": curves, "exact": exact}


def _ratios(records: Sequence[Record]) -> list[str]:
    """Return by what factor the error of a random mask exceeds that of the ticket, with few samples."""
    own = [record for record in records if record.cell.settings["kind"] == "linear"]
    if not own:
        return []
    n, overlaps = TARGETS["linear"][0], own[0].cell.settings["overlaps"]
    texts = []
    for overlap, name in ((1.0, "source"), (1.0, "initial"), (0.0, "initial")):
        i = list(overlaps).index(overlap)
        pair = [math.fsum(r.metrics["errors"][str(n)][i][way] for r in own) for way in ("random-mask", name)]
        texts.append(f"{pair[0] / pair[1]:.2f} ({LABELS[name]}, overlap {overlap:g})")
    return [f"Linear, n_T = {n}: mean error of a random mask, divided by that of the ticket: {', '.join(texts)}."]


def claims(records: Sequence[Record]) -> list[Claim]:
    """Return the paper's claims about tickets, for tasks that share all, or most, of their relevant inputs."""
    data = "planted pairs of tasks: linear models (n_T = 20, 60, 400) and two-layer ReLU networks (n_T = 50, 150, 500)"

    def at(name: str, kind: str, n: int, overlap: float) -> dict[str, dict[int, float]]:
        chosen = [r for r in records if r.cell.settings["kind"] == kind]
        found = {}
        for record in chosen:
            overlaps = np.array(record.cell.settings["overlaps"])
            place = int(np.argmin(np.abs(overlaps - overlap)))
            found[record.cell.settings["seed"]] = record.metrics["errors"][str(n)][place][name]
        return {f"{kind} {n}": found}

    every = [(kind, n) for kind, sizes in TARGETS.items() for n in sizes]
    few = [(kind, sizes[0]) for kind, sizes in TARGETS.items()]

    def compared(worse: str, better: str, settings: Any, overlap: float = 1.0) -> list[Any]:
        return [
            (f"{SHORT[kind]}, n_T = {n}", at(worse, kind, n, overlap), at(better, kind, n, overlap))
            for kind, n in settings
        ]

    each = "for each kind of model and each n_T, the share of seeds in which "
    found = [
        sided(
            "Ticket transfer, conjecture 2.1",
            "A ticket of the source with its trained weights does at least as well on the target as the dense "
            f"model {words}.",
            f"{each}its error is not above that of the dense model from θ_S by more than {MARGIN:g} is more than half",
            compared("dense", "source", every, overlap),
            data,
            margin=-MARGIN,
        )
        for overlap, words in ((1.0, "(equal tasks)"), (0.7, "(tasks that share 2/3 or 3/4 of their inputs)"))
    ]
    late = f"{each}the error from θ_0 is above that from θ_S by more than {MARGIN:g} is more than half"
    found += [
        sided(
            "Ticket transfer, late resetting",
            f"The mask on trained source weights is better than on the initial weights, {words}.",
            late,
            compared("initial", "source", settings),
            data,
            margin=MARGIN,
        )
        for settings, words in (
            (few, "with few samples of the target"),
            ([pair for pair in every if pair not in few], "with about as many samples as weights, or more"),
        )
    ]
    found.append(
        sided(
            "Ticket transfer, tables",
            "The mask on initial or random weights is never as good as the dense model from θ_S, for equal tasks.",
            f"{each}both errors are above that of the dense model by more than {MARGIN:g} is more than half",
            [*compared("initial", "dense", every), *compared("random", "dense", every)],
            data,
            margin=MARGIN,
        )
    )
    return found


EXPERIMENTS = (
    Experiment(
        name="pr-transfer",
        version=1,
        title="Our experiment: tickets of a source task on a target task, over the overlap of the tasks",
        module=__name__,
        settings=TransferCell,
        presets=PRESETS,
        cells=cells,
        cost=cost,
        compute=compute,
        summarise=summarise,
        data=lambda preset: "planted pairs of linear models and of two-layer ReLU networks",
        layout="figures.pr_transfer",
        shows="error of transferred tickets over the overlap of source and target inputs, with the closed form",
        place=520,
    ),
)
