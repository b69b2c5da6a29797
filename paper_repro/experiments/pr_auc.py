"""How well, and when, each criterion identifies the relevant weights of planted models.

A dense model is trained once. During training every criterion ranks the weights of the first layer, and the AUC
measures how often a relevant weight is ranked above an irrelevant one. Path criteria, and methods with moving masks,
are evaluated after the same updates; the latter are ranked by |w|, which is 0 outside their masks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    Watched,
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
from recovery.pruning import criteria, moving
from recovery.pruning.bingo import Bingo
from recovery.pruning.edge_popup import EdgePopup

__all__ = ["EXPERIMENTS", "LABELS", "MOVING", "PATH", "POINT", "AucCell", "AucPreset"]

POINT = ("magnitude", "distance", "obd", "obs", "snip", "gradient", "grasp", "synflow", "random")
"""Criteria that see the model at one point."""
PATH = ("movement", "bingo-running-mean", "bingo-printed")
"""Criteria that see the whole path up to there."""
MOVING = ("iht", "rigl", "set", "gradual")
"""Methods whose masks change during training."""
LEARNED = "edge-popup"
"""Edge-popup: scores are trained, and the weights stay."""
ALL = (*POINT, *PATH, *MOVING, LEARNED)
OVER_N = ("magnitude", "obd", "snip", "grasp")
"""Criteria that are shown over the number of samples."""
LABELS = {
    "magnitude": "magnitude |w|",
    "distance": "distance |w - w(0)|",
    "obd": "OBD",
    "obs": "OBS",
    "snip": "SNIP |w g|",
    "gradient": "gradient |g|",
    "grasp": "GraSP w Hg",
    "synflow": "SynFlow",
    "random": "random",
    "movement": "movement, sum of -w g",
    "bingo-running-mean": "BINGO, running mean",
    "bingo-printed": "BINGO as printed",
    "iht": "IHT",
    "rigl": "RigL",
    "set": "SET",
    "gradual": "gradual magnitude",
    "edge-popup": "edge-popup (supermask)",
}

STEPS = {
    "linear": (0, 1, 2, 3, 5, 10, 20, 50, 100),
    "relu": (0, 1, 2, 5, 10, 20, 50, 100, 200, 400),
}
"""After how many updates the criteria look."""
UPDATES = {"linear": 100, "relu": 400}
TRAINING = {
    "linear": pruning.Training(n_iter=UPDATES["linear"], learning_rate=0.1, optimiser="sgd", momentum=0.0),
    "relu": pruning.Training(n_iter=UPDATES["relu"], learning_rate=0.1, optimiser="sgd", momentum=0.9),
}
"""Gradient descent on all rows; the network's with momentum."""
IHT_RATE = {"linear": 0.1, "relu": 0.5}
PROBES = {"linear": (0.05, 4), "relu": (0.02, 2)}
"""BINGO: the fraction of the weights that one probe resets, and the number of probes after each update."""


@dataclass(frozen=True)
class AucCell:
    """One planted model of a kind and number of samples; `whole`: on the whole path, not only at its ends."""

    kind: str
    n: int
    seed: int
    whole: bool
    dtype: str = "float64"


@dataclass(frozen=True)
class AucPreset:
    """For each kind the numbers of samples, and how many seeds of each; training is shown with the largest."""

    linear: tuple[int, ...]
    linear_seeds: int
    relu: tuple[int, ...]
    relu_seeds: int


PRESETS = {
    "smoke": AucPreset((60, 300), 2, (50, 100), 1),
    "quick": AucPreset((50, 200, 1000, 4000), 20, (30, 100, 1000), 8),
    "cpu": AucPreset((50, 70, 100, 140, 200, 280, 400, 1000, 4000), 60, (30, 50, 100, 200, 300, 500, 1000), 40),
    "paper": AucPreset(
        (50, 70, 100, 140, 200, 280, 400, 1000, 4000), 200, (30, 50, 100, 200, 300, 500, 1000, 3000), 100
    ),
}


def instance_of(cell: AucCell) -> Instance:
    """Return the planted model of a cell; those of a seed differ between numbers of samples."""
    rng = stream("pr-auc", cell.kind, cell.n, cell.seed)
    if cell.kind == "linear":
        return linear_instance(cell.n, 200, 20, scale=0.05, rng=rng)
    return network_instance(cell.n, 32, 6, 16, scale=0.1, rng=rng)


def gradient(view: pruning.View) -> list[Any]:
    """Return |g|, which RigL grows weights by."""
    return [view.xp.abs(part) for part in view.gradient()]


def criteria_of_points() -> dict[str, Callable[[pruning.View], list[Any]]]:
    """Return the criteria that see one point: those of the project by their names, and the gradient."""
    return {name: gradient if name == "gradient" else criteria.NAMED[name] for name in POINT}


def criteria_of_paths(kind: str) -> dict[str, Any]:
    """Return the criteria that see the whole path."""
    share, probes = PROBES[kind]
    options: dict[str, Any] = {"signal": "loss", "subset": share, "probes_per_update": probes}
    rules = {"bingo-running-mean": Bingo("running-mean", **options), "bingo-printed": Bingo("printed", **options)}
    return {"movement": criteria.NAMED["movement"], **rules}


def moving_methods(kind: str, training: pruning.Trains) -> dict[str, pruning.Method]:
    """Return the methods whose masks change, with their training."""
    period = UPDATES[kind] // 20
    methods = {
        "iht": moving.iht(training),
        "rigl": moving.rigl(training, period=period),
        "set": moving.sparse_evolution(training, period=period),
        "gradual": moving.gradual_magnitude(training, period=period),
    }
    return {name: method.replace(layers="all" if kind == "linear" else "hidden") for name, method in methods.items()}


def cells(preset: str, seed: int) -> list[AucCell]:
    """Return the cells of a preset."""
    grid = PRESETS[preset]
    return [
        AucCell(kind, n, seed + i, n == max(sizes))
        for kind, sizes, seeds in (("linear", grid.linear, grid.linear_seeds), ("relu", grid.relu, grid.relu_seeds))
        for n in sizes
        for i in range(seeds)
    ]


def cost(cell: AucCell) -> float:
    """Return the cost of a cell: passes of the training, of the probes, and of the methods whose masks change."""
    size, passes = (200, 100) if cell.kind == "linear" else (32 * 16, 400)
    return (12.0 if cell.whole else 1.0) * passes * size * (cell.n + 100)


def compute(cell: AucCell, device: str) -> Outcome:
    """Train once, and score on the way.

    Parameters
    ----------
    cell : AucCell
        The settings.
    device : {"cpu", "gpu"}
        Everything runs on the CPU: the models are small.

    Returns
    -------
    metrics : dict
        ``steps``, and in ``auc`` for each criterion its AUC after so many updates.
    arrays : dict
        Empty.
    """
    one, steps, training = instance_of(cell), STEPS[cell.kind], TRAINING[cell.kind]
    if not cell.whole:
        steps = (steps[0], steps[-1])
    rng = stream("pr-auc", "draws", cell.kind, cell.n, cell.seed)
    data, full, spent = one.data.fit_to(one.start), Masks.full(one.start.matrices), pruning.Cost()
    rules = criteria_of_paths(cell.kind) if cell.whole else {}
    observers = {name: rule.begin(one.start, data, rng, spent) for name, rule in rules.items()}
    found = {name: [one.auc(observer.scores())] for name, observer in observers.items()}

    def look(step: pruning.Step) -> None:
        if step.n_iter in steps:
            for name, observer in observers.items():
                found[name].append(one.auc(observer.scores()))

    task = pruning.Task(one.start, full, data, rng, spent, list(observers.values()), keep_at=steps)
    kept = Watched(training, look).train(task).kept
    for name, rule in criteria_of_points().items():
        found[name] = [one.auc(rule(view_of(one, kept[at], rng))) for at in steps]
    if cell.whole:
        for name in MOVING:
            found[name] = auc_of_moving(one, name, cell.kind, steps, cell.seed)
        found[LEARNED] = auc_of_learned(one, cell.kind, steps, cell.seed)
    return {"steps": list(steps), "auc": found}, {}


def auc_of_moving(one: Instance, name: str, kind: str, steps: Sequence[int], seed: int) -> list[float]:
    """Return the AUC of |w| along the training of a method whose masks change, given the true number of weights."""
    found = {0: one.auc([abs(layer) for layer in one.start.matrices])}

    def look(step: pruning.Step) -> None:
        if step.n_iter in steps:
            found[step.n_iter] = one.auc([abs(layer) for layer in step.weights])

    training = TRAINING[kind]
    if name == "iht":  # with momentum, steps would forget what they know of weights at zero
        training = replace(training, momentum=0.0, learning_rate=IHT_RATE[kind])
    method = moving_methods(kind, Watched(training, look))[name]
    pruning.prune(one.start, one.data, method, sparsity=one.sparsity, rng=seed)
    return [found[at] for at in steps]


def auc_of_learned(one: Instance, kind: str, steps: Sequence[int], seed: int) -> list[float]:
    """Return the AUC of edge-popup's scores after given numbers of updates, in a new run for each number."""
    found = []
    for at in steps:
        rule = EdgePopup(replace(TRAINING[kind], n_iter=at), layers="all" if kind == "linear" else "hidden")
        rng = stream("pr-auc", LEARNED, kind, seed)  # the same start of the scores for all numbers of updates
        found.append(one.auc(rule(view_of(one, one.start, rng))))
    return found


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return the curves of each kind of model, over training and over samples, with the table and the claims."""
    rows: list[dict[str, Any]] = []
    for kind in KINDS:
        row = _row(kind, [record for record in records if record.cell.settings["kind"] == kind])
        if row is not None:
            rows.append(row)
    columns = ["model", "n", "seeds", "criterion", "AUC at the start", "AUC after 1/10 of training", "AUC at the end"]
    return {
        "subtitle": "AUC: how often a weight that matters ranks above one that does not; "
        + " and ".join(f"{row['seeds']}" for row in rows)
        + " seeds; bands: 95 %",
        "rows": rows,
        "labels": LABELS,
        "notes": [
            SOURCE + " Bands and brackets: Student's 95 % intervals of the mean over the seeds.",
            "Linear: y = X w, X Gaussian, 20 of 200 weights +-1, no noise, initialisation .05, gradient descent.",
            "ReLU: 16 hidden units learn a planted network of 5 units on 6 of 32 inputs; normal initialisation of .1 / "
            "sqrt(inputs); gradient descent with momentum. The first layer is ranked; the weights of the 6 inputs "
            "matter.",
            "Methods whose masks move (IHT, RigL, SET, gradual) are told the true number of weights, and are ranked by "
            "|w|, which is 0 outside their masks: an AUC below 1 also counts weights that they do not keep.",
            "Edge-popup trains scores for the weights of the start, which stay as they are.",
        ],
        "table": {"columns": columns, "rows": [line for row in rows for line in _lines(row)]},
        "claims": [claim.as_dict() for claim in claims(records, rows)] if rows else [],
    }


def _row(kind: str, records: Sequence[Record]) -> dict[str, Any] | None:
    whole = [record for record in records if record.cell.settings["whole"]]
    if not whole:
        return None
    steps = whole[0].metrics["steps"]
    curves = {name: bands([record.metrics["auc"][name] for record in whole]) for name in ALL}
    there = sorted({record.cell.settings["n"] for record in records})
    over = {}
    for name in OVER_N:
        ends = [[r.metrics["auc"][name] for r in records if r.cell.settings["n"] == n] for n in there]
        over[name] = {
            place: {key: [band([one[at] for one in runs])[key] for runs in ends] for key in ("mean", "low", "high")}
            for place, at in (("start", 0), ("end", -1))
        }
    seeds = len({record.cell.settings["seed"] for record in whole})
    return {
        "kind": kind,
        "n": whole[0].cell.settings["n"],
        "seeds": seeds,
        "steps": steps,
        "curves": curves,
        "sizes": there,
        "over": over,
    }


def _lines(row: dict[str, Any]) -> list[list[Any]]:
    tenth = min(range(len(row["steps"])), key=lambda i: abs(row["steps"][i] - row["steps"][-1] / 10))
    lines = []
    for name, curve in row["curves"].items():
        points = [{key: curve[key][i] for key in ("mean", "low", "high")} for i in (0, tenth, -1)]
        lines.append([KINDS[row["kind"]], row["n"], row["seeds"], LABELS[name], *map(interval_text, points)])
    return lines


def claims(records: Sequence[Record], rows: Sequence[dict[str, Any]]) -> list[Claim]:
    """Return what the papers say of criteria, for both kinds of model."""
    data = "planted " + " and ".join(
        f"{KINDS[row['kind']]}s, n = {row['n']:,}, {row['seeds']} seed{'s' * (row['seeds'] != 1)}" for row in rows
    )
    kinds = [row["kind"] for row in rows]

    def at(name: str, kind: str, place: int) -> dict[str, dict[int, float]]:
        chosen = [r for r in records if r.cell.settings["whole"] and r.cell.settings["kind"] == kind]
        return {kind: {r.cell.settings["seed"]: r.metrics["auc"][name][place] for r in chosen}}

    early = ("snip", "grasp", "synflow")
    rule = (
        "for each kind of model, the share of seeds in which its AUC at the start is above that of random is more "
        "than half"
    )
    found = [
        sided(
            "Survey, section 2",
            "Pruning at initialisation stays below pruning after training.",
            "for each of SNIP, GraSP and SynFlow and each kind of model, the share of seeds in which the AUC of "
            "magnitude after training is above that of the criterion at the start is more than half",
            [
                (f"{LABELS[name].split()[0]}, {SHORT[kind]}", at("magnitude", kind, -1), at(name, kind, 0))
                for name in early
                for kind in kinds
            ],
            data,
        )
    ]
    found += [
        sided(
            "Survey, companion paper",
            f"{LABELS[name].split()[0]} at initialisation is better than random pruning.",
            rule,
            [(SHORT[kind], at(name, kind, 0), at("random", kind, 0)) for kind in kinds],
            data,
        )
        for name in early
    ]
    found.append(
        sided(
            "BINGO, section on the score",
            "A high score, by the printed formula, marks a significant weight.",
            "for each kind of model, the share of seeds in which its AUC after training is above 1/2 is more than half",
            [(SHORT[kind], at("bingo-printed", kind, -1), 0.5) for kind in kinds],
            data,
        )
    )
    return found


EXPERIMENTS = (
    Experiment(
        name="pr-auc",
        version=1,
        title="Our experiment: how well, and when, each pruning criterion identifies the planted weights",
        module=__name__,
        settings=AucCell,
        presets=PRESETS,
        cells=cells,
        cost=cost,
        compute=compute,
        summarise=summarise,
        data=lambda preset: "planted linear models and two-layer ReLU networks",
        layout="figures.pr_auc",
        shows="how well each pruning criterion identifies planted weights, over training and over samples",
        place=500,
    ),
)
