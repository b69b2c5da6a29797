"""Ablations in the survey's framework: when the mask is chosen, to which weights it is applied, and the retraining.

w* = f3(m f2(w(k2))), m = f1(w(k1)). The base is magnitude pruning after training: k1 = k2 = K, one shot, and
retraining. Each other row differs from it in one field of the method; the rows at the end concern pruning at
initialisation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from paper_repro.claims import Claim
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.planted_pruning import (
    KINDS,
    SHORT,
    SOURCE,
    Instance,
    band,
    interval_text,
    linear_instance,
    network_instance,
    sided,
)
from paper_repro.store import Record
from planted.base import arrays
from planted.base.quiet import quiet
from recovery import pruning
from recovery.pruning import moving

__all__ = ["EXPERIMENTS", "GROUPS", "AblationCell", "AblationPreset", "methods"]

UPDATES = {"linear": 200, "relu": 300}
TRAINING = {
    "linear": pruning.Training(n_iter=UPDATES["linear"], learning_rate=0.1, optimiser="sgd", momentum=0.0),
    "relu": pruning.Training(n_iter=UPDATES["relu"], learning_rate=0.1, optimiser="sgd", momentum=0.9),
}
ROUND = 0.2
"""Share of the weights that a round drops."""

GROUPS: dict[str, dict[str, str]] = {
    "": {"base": "magnitude after training"},
    "only k1": {
        "magnitude-start": "magnitude at the start",
        "magnitude-tenth": "magnitude after 10 %",
        "snip-start": "SNIP at the start",
        "snip-end": "SNIP at the end",
    },
    "only k2": {
        "rewind-start": "weights of the start",
        "rewind-tenth": "weights after 10 %",
        "rewind-random": "random weights",
    },
    "only f2": {"signs": "signs of the weights alone"},
    "only f3": {"no-retraining": "no training after pruning"},
    "only the scope": {"layer": "layer by layer", "unit": "unit by unit"},
    "only the schedule": {
        "rounds": "rounds of 20 %",
        "rounds-equal": "rounds, equal updates",
        "rounds-start": "rounds, from the start (IMP)",
        "gradual": "gradual",
    },
    "at the start": {
        "pai": "SNIP, k1 = k2 = 0",
        "pai-shuffled": "same, mask shuffled",
        "pai-random": "same, random weights",
        "random": "random mask",
    },
}
"""Groups of rows: key -> label."""
ROWS = {key: label for group in GROUPS.values() for key, label in group.items()}
ONE_LAYER = ("layer", "unit")
"""Rows that are redundant for one layer with one unit."""


@dataclass(frozen=True)
class AblationCell:
    """One planted model, pruned in all ways."""

    kind: str
    seed: int
    dtype: str = "float64"


@dataclass(frozen=True)
class AblationPreset:
    """How many seeds of each kind."""

    linear: int
    relu: int


PRESETS = {
    "smoke": AblationPreset(3, 2),
    "quick": AblationPreset(20, 10),
    "cpu": AblationPreset(60, 40),
    "paper": AblationPreset(200, 100),
}


def cells(preset: str, seed: int) -> list[AblationCell]:
    """Return the cells of a preset."""
    grid = PRESETS[preset]
    return [AblationCell(kind, seed + i) for kind in KINDS for i in range(getattr(grid, kind))]


def cost(cell: AblationCell) -> float:
    """Return what a cell costs."""
    return 1.0 if cell.kind == "linear" else 5.0


def shuffled_snip(view: pruning.View) -> list[Any]:
    """Return the scores of SNIP, in random order within each layer."""
    scores = pruning.Snip()(view)
    return [
        view.xp.asarray(view.rng.permutation(arrays.to_numpy(layer).ravel())).reshape(layer.shape) for layer in scores
    ]


def methods(kind: str, training: pruning.Trains, counts: Sequence[int]) -> dict[str, pruning.Method]:
    """Return the method of each row.

    Parameters
    ----------
    kind : {"linear", "relu"}
        Of the model.
    training : Trains
        Of all methods.
    counts : sequence of int
        What the rounds keep, for the training of rounds with as many updates in all as one cut has.

    Returns
    -------
    dict of str to Method
        By the keys of :data:`ROWS`.
    """
    base = pruning.catalogue(training)["magnitude"].replace(rewind="dense")
    snip = base.replace(criterion="snip", source="start", rewind="start")
    short = replace(TRAINING[kind], n_iter=max(1, 2 * UPDATES[kind] // (len(counts) + 1)))
    rounds = base.replace(schedule=pruning.Rounds(ROUND), rewind="end")
    found = {
        "base": base,
        "magnitude-start": base.replace(source="start"),
        "magnitude-tenth": base.replace(source=0.1),
        "snip-start": base.replace(criterion="snip", source="start"),
        "snip-end": base.replace(criterion="snip"),
        "rewind-start": base.replace(rewind="start"),
        "rewind-tenth": base.replace(rewind=0.1, retraining=TRAINING[kind]),
        "rewind-random": base.replace(rewind="random"),
        "signs": base.replace(weight_map=pruning.sign_constant),
        "no-retraining": base.replace(retraining=None),
        "layer": base.replace(scope="layer"),
        "unit": base.replace(scope="unit"),
        "rounds": rounds,
        "rounds-equal": rounds.replace(training=short),
        "rounds-start": rounds.replace(rewind="start"),
        "gradual": moving.gradual_magnitude(training, period=UPDATES[kind] // 20),
        "pai": snip,
        "pai-shuffled": snip.replace(criterion=shuffled_snip),
        "pai-random": snip.replace(rewind="random"),
        "random": snip.replace(criterion="random"),
    }
    return {key: found[key] for key in ROWS if kind != "linear" or key not in ONE_LAYER}


@dataclass(frozen=True)
class Dense(pruning.Trains):
    """A training that makes the dense path of one model once, and remembers it; all else is trained as usual.

    Parameters
    ----------
    training : Training
        On all rows, so that nothing is drawn and the path is always the same.
    start : Model
        Where the dense path starts.
    known : list
        The path, once it was made.
    """

    training: pruning.Training
    start: pruning.Model
    known: list[pruning.Trained]

    def total(self, n_samples: int) -> int:
        """Return how many updates a whole training has."""
        return self.training.total(n_samples)

    def train(self, task: pruning.Task) -> pruning.Trained:
        """Train, or remember."""
        total = self.total(task.data.n_samples)
        plain = task.model is self.start and task.masks.count == task.model.n_weights
        if not plain or task.observers or task.dynamics is not None or task.until not in (None, total) or task.first:
            return self.training.train(task)
        if not self.known:
            full = replace(task, keep_at=(0, math.floor(0.1 * total), total), stop=None)
            self.known.append(self.training.train(full))
        return self.known[0]


def instance_of(cell: AblationCell) -> tuple[Instance, int]:
    """Return the planted model of a cell, and how many weights are kept."""
    rng = stream("pr-ablations", cell.kind, cell.seed)
    if cell.kind == "linear":
        one = linear_instance(120, 200, 20, scale=0.2, noise=0.5, rng=rng)
        return one, one.sparsity
    one = network_instance(500, 32, 6, 16, scale=0.1, noise=0.1, rng=rng)
    return one, one.sparsity + 16


def compute(cell: AblationCell, device: str) -> Outcome:
    """Prune in all ways.

    Parameters
    ----------
    cell : AblationCell
        The settings.
    device : {"cpu", "gpu"}
        Everything runs on the CPU: the models are small.

    Returns
    -------
    metrics : dict
        For each row ``right``, the share of the kept weights of the first layer that matter, and ``error`` on fresh
        samples; ``updates`` of training in all.
    arrays : dict
        Empty.
    """
    one, count = instance_of(cell)
    counts = pruning.Rounds(ROUND)(one.start.n_weights, count)
    training = Dense(TRAINING[cell.kind], one.start, [])
    found: dict[str, dict[str, float]] = {"right": {}, "error": {}, "updates": {}}
    for key, method in methods(cell.kind, training, counts).items():
        with quiet(RuntimeWarning):  # masks without a path are what a row may be about
            made = pruning.prune(one.start, one.data, method, sparsity=count, rng=cell.seed)
        kept = arrays.to_numpy(made.masks.layers[0])
        found["right"][key] = float(one.relevant[kept].mean()) if kept.any() else 0.0
        found["error"][key] = one.error(made.model)
        found["updates"][key] = made.n_iter
    return found, {}


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return means with intervals of each row, the table and the claims."""
    models: list[dict[str, Any]] = []
    for kind in KINDS:
        own = [record for record in records if record.cell.settings["kind"] == kind]
        if own:
            models.append(
                {"kind": kind, "seeds": len(own), **{what: _points(own, what) for what in ("right", "error")}}
            )
    columns = ["model", "what is changed", "to", "seeds", "share that matters", "test error", "updates in all"]
    return {
        "subtitle": f"{' and '.join(str(one['seeds']) for one in models)} seeds; mean and 95 % interval; line: the "
        "base",
        "groups": [[name, list(rows.items())] for name, rows in GROUPS.items()],
        "models": models,
        "notes": [
            SOURCE + " Brackets: Student's 95 % intervals of the mean over the seeds.",
            "Linear: n = 120 samples, 20 of 200 weights +-1, noise .5, initialisation .2, gradient descent of 200 "
            "updates; 20 weights are kept. With one layer of one unit there is only one scope.",
            "ReLU: n = 500, a planted network of 5 units on 6 of 32 inputs, noise .1; 16 hidden units, "
            "initialisation .1 / sqrt(inputs), gradient descent with momentum, 300 updates; 112 of 528 weights are "
            "kept.",
            "k1: the update at which the mask is chosen; k2: the update whose weights it is put on; f2: how these "
            "are changed; f3: the training after pruning. Test error: relative to the variance. Share that matters: "
            "of the kept weights of the first layer those of the planted support (ReLU: of the relevant inputs).",
            "Equal updates: all rounds and the last training together make as many updates as the base.",
        ],
        "table": {"columns": columns, "rows": [row for one in models for row in _lines(one, records)]},
        "claims": [claim.as_dict() for claim in claims(records, models)] if records else [],
    }


def _points(records: Sequence[Record], what: str) -> dict[str, dict[str, float | None]]:
    keys = [key for key in ROWS if key in records[0].metrics[what]]
    return {key: band([record.metrics[what][key] for record in records]) for key in keys}


def _lines(one: dict[str, Any], records: Sequence[Record]) -> list[list[Any]]:
    updates = next(r.metrics["updates"] for r in records if r.cell.settings["kind"] == one["kind"])
    return [
        [
            KINDS[one["kind"]],
            name or "base",
            label,
            one["seeds"],
            interval_text(one["right"][key]),
            interval_text(one["error"][key], 3),
            updates[key],
        ]
        for name, rows in GROUPS.items()
        for key, label in rows.items()
        if key in one["right"]
    ]


MARGIN = 0.01
"""Test errors that differ by less are no different."""


def claims(records: Sequence[Record], models: Sequence[dict[str, Any]]) -> list[Claim]:
    """Return the survey's claims about its coordinates."""
    data = "planted " + " and ".join(f"{KINDS[one['kind']]}s ({one['seeds']} seeds)" for one in models)
    kinds = [one["kind"] for one in models]

    def of(what: str, key: str, kind: str) -> dict[str, dict[int, float]]:
        chosen = [r for r in records if r.cell.settings["kind"] == kind]
        return {kind: {r.cell.settings["seed"]: r.metrics[what][key] for r in chosen}}

    def pairs(what: str, high: str, low: str) -> list[Any]:
        return [(SHORT[kind], of(what, high, kind), of(what, low, kind)) for kind in kinds]

    each = "for each kind of model, the share of seeds in which "
    more, less = f"by more than {MARGIN:g} is more than half", f"by {MARGIN:g} or more is more than half"
    found = [
        sided(
            "Survey, k1",
            f"{name} after training finds more of the weights that matter than at the start.",
            f"{each}more of the kept weights matter with k1 = K than with k1 = 0, all else equal, is more than half",
            pairs("right", late, early),
            data,
        )
        for name, late, early in (("Magnitude", "base", "magnitude-start"), ("SNIP", "snip-end", "snip-start"))
    ]
    found.append(
        sided(
            "Survey, k2",
            "It pays to inherit trained weights: the same mask on the weights of the start ends with a larger error.",
            f"{each}the test error after training again is larger with k2 = 0 than with k2 = K {more}",
            pairs("error", "rewind-start", "base"),
            data,
            margin=MARGIN,
        )
    )
    found += [
        sided(
            "Survey, schedule",
            f"Pruning in rounds is better than one cut, at equal sparsity{words}: {KINDS[kind]}s.",
            f"the share of seeds in which the test error of one cut is above that of rounds {more}",
            [pair for pair in pairs("error", "base", key) if pair[0] == kind],
            data,
            margin=MARGIN,
        )
        for key, words in (("rounds", ""), ("rounds-equal", " and with equal numbers of updates"))
        for kind in kinds
    ]
    return [
        *found,
        sided(
            "Survey, companion paper",
            "Masks of pruning at initialisation may be shuffled within each layer without loss.",
            f"{each}shuffling the mask of SNIP does not raise the test error {less}",
            pairs("error", "pai", "pai-shuffled"),
            data,
            margin=-MARGIN,
        ),
        sided(
            "Survey, companion paper",
            "Masks of pruning at initialisation may be put on new random weights without loss.",
            f"{each}new weights under the mask of SNIP do not raise the test error {less}",
            pairs("error", "pai", "pai-random"),
            data,
            margin=-MARGIN,
        ),
    ]


EXPERIMENTS = (
    Experiment(
        name="pr-ablations",
        version=1,
        title="Our experiment: ablations in the survey's framework",
        module=__name__,
        settings=AblationCell,
        presets=PRESETS,
        cells=cells,
        cost=cost,
        compute=compute,
        summarise=summarise,
        data=lambda preset: "planted linear models and two-layer ReLU networks",
        layout="figures.pr_ablations",
        shows="ablations in the survey's framework, one change at a time: mask, weights, training, scope, schedule",
        place=530,
    ),
)
