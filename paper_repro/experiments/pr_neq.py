"""NEq: savings and costs of freezing units at equilibrium, compared with random freezing and early stopping.

Two problems: outputs of a planted ReLU network, learned by a network with one hidden layer, where counted and executed
savings are the same; and digits (MNIST at the larger sizes), with two hidden layers, where they are not. Each run of
NEq has two baselines with the same number of multiply-adds in the backward passes: one that freezes as many units of
each layer in each epoch, chosen at random, and one that freezes none and stops early. The companion shows the
similarities phi of all units, their changes and their velocities over the epochs of a training in which nothing is
frozen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from paper_repro import verdicts
from paper_repro.claims import Claim
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.pr_images import PIXELS, TITLES, band, error_of, images, level_of, named, source
from paper_repro.store import Record
from paper_repro.verdicts import Trials
from planted.base import arrays
from recovery.pruning import Model, Training
from recovery.pruning.equilibrium import (
    Calibrated,
    EarlyStopping,
    Equilibrium,
    Freezing,
    NEq,
    RandomFreezing,
    thaws,
)

__all__ = ["DENSE", "EXPERIMENTS", "QUANTILES", "RIVALS", "SETTINGS", "NeqCell", "NeqPreset", "compute", "rule_of"]

DENSE = "nothing frozen"
SETTINGS: dict[str, tuple[str, float, str]] = {
    "1e-6": ("eps", 1e-6, "paper"),
    "1e-5": ("eps", 1e-5, "paper"),
    "1e-4": ("eps", 1e-4, "paper"),
    "1e-3": ("eps", 1e-3, "paper"),
    "1e-2": ("eps", 1e-2, "paper"),
    "1e-3, released": ("eps", 1e-3, "released"),
    "calibrated 5 %": ("quantile", 0.05, "paper"),
    "calibrated 25 %": ("quantile", 0.25, "paper"),
}
"""Name of an eps -> whether it is a number or a quantile of the warm-up's velocities, its value, and the filter."""
PUBLISHED = "1e-3"
SWEEP = ("1e-6", "1e-5", "1e-4", "1e-3", "1e-2")
WARM_UP = 5
"""Epochs from which a calibrated eps is taken; the published method has one epoch of warm-up."""
RIVALS = {"neq": "NEq", "random": "random freezing", "early": "early stopping", "compressed": "shorter schedule"}
"""Settings compared at equal numbers of multiply-adds in the backward passes."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
WORSE = {"planted": 0.1, "images": 0.01}
"""How much worse counts as a loss of performance: 10 % of the error for the planted problem, one point of accuracy."""
TEACHER, INPUTS, HIDDEN, N_TEST = 5, 30, 40, 5_000


@dataclass(frozen=True)
class NeqCell:
    """One setting of eps on one problem: NEq and its rivals.

    `rule` is a key of :data:`SETTINGS`, or says that nothing is frozen; `data` is "planted" or a source of images;
    `hidden` are the widths of the hidden layers.
    """

    data: str
    rule: str
    seed: int
    n: int
    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    dtype: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))  # JSON knows lists only

    @property
    def training(self) -> Training:
        """SGD of momentum 0.9 and a learning rate that falls tenfold at 1/2 and 3/4."""
        return Training(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            optimiser="sgd",
            weight_decay=self.weight_decay,
            schedule="steps",
        )


@dataclass(frozen=True)
class NeqPreset:
    """Seeds; samples and epochs of the planted problem; images, hidden layers, epochs, batch size of the other one."""

    seeds: int
    planted: tuple[int, int]
    images: tuple[int, tuple[int, ...], int, int]
    rules: tuple[str, ...] = tuple(SETTINGS)
    large: bool = False


PRESETS = {
    "smoke": NeqPreset(2, (200, 12), (300, (24, 16), 8, 50), (SWEEP[1], PUBLISHED, "calibrated 25 %")),
    "quick": NeqPreset(6, (1000, 60), (1437, (100, 50), 40, 50)),
    "cpu": NeqPreset(10, (1000, 60), (20_000, (300, 100), 20, 100), large=True),
    "paper": NeqPreset(10, (1000, 60), (60_000, (300, 100), 40, 100), large=True),
}


def cells(preset: str, seed: int) -> list[NeqCell]:
    """Return the cells: each setting of eps, and a training without freezing, on both problems."""
    size = PRESETS[preset]
    data = source(size.large)
    n, hidden, epochs, batch = size.images
    if size.large and data == "digits":  # stands in for MNIST
        n, hidden, epochs, batch = PRESETS["quick"].images
    return [
        one
        for trial in range(seed, seed + size.seeds)
        for rule in (DENSE, *size.rules)
        for one in (
            NeqCell("planted", rule, trial, size.planted[0], (HIDDEN,), size.planted[1], 50, 0.05, 0.0, "float64"),
            NeqCell(data, rule, trial, n, hidden, epochs, batch, 0.05, 5e-4),
        )
    ]


def cost(cell: NeqCell) -> float:
    """Return what a cell costs: rows times weights, once or four times."""
    widths = (PIXELS.get(cell.data, INPUTS), *cell.hidden, 10)
    weights = sum(a * b for a, b in pairwise(widths))
    return float(cell.epochs * cell.n) * (weights + 50_000) * (1 if cell.rule == DENSE else 4)


def problem(cell: NeqCell) -> tuple[Model, tuple[np.ndarray, ...]]:
    """Return the model at its start, training inputs and targets, test inputs and targets."""
    start = stream("pr-neq", "start", cell.data, cell.seed)
    if cell.data != "planted":
        model = Model.draw(
            (PIXELS[cell.data], *cell.hidden, 10), bias=True, loss="cross_entropy", rng=start, dtype=cell.dtype
        )
        return model, images(cell.data, cell.n, cell.seed, cell.dtype)
    draw = stream("pr-neq", "planted", cell.seed)
    teacher = Model([draw.standard_normal((INPUTS, TEACHER)) / math.sqrt(INPUTS), draw.standard_normal(TEACHER)])
    X, X_test = (draw.standard_normal((count, INPUTS)).astype(cell.dtype) for count in (cell.n, N_TEST))
    y, y_test = (teacher(part).astype(cell.dtype) for part in (X, X_test))
    model = Model.draw((INPUTS, *cell.hidden, 1), scalar=True, rng=start, dtype=cell.dtype)
    return model, (X, y, X_test, y_test)


def rule_of(name: str) -> Equilibrium:
    """Return the rule of a setting; without freezing, a rule with eps = 0, which never freezes."""
    if name == DENSE:
        return Equilibrium(eps=0.0)
    kind, value, filter = SETTINGS[name]
    if kind == "quantile":
        return Equilibrium(eps=Calibrated(value), warm_up=WARM_UP)
    return Equilibrium(eps=value, filter="released" if filter == "released" else "paper")


def compute(cell: NeqCell, device: str) -> Outcome:
    """Train with NEq and with its rivals.

    Parameters
    ----------
    cell : NeqCell
        The settings.
    device : {"cpu", "gpu"}
        Where the training runs.

    Returns
    -------
    metrics : dict
        For each of :data:`RIVALS` the test error (relative squared error of the planted problem, share of wrong
        classes of the other) and ``saved``, the share of the backward passes' multiply-adds that was not executed.
        For NEq also ``counted`` and ``booked``, the shares by units and as the paper has it; ``thaws``, how often a
        unit of each hidden layer learned again after two frozen epochs; ``frozen``, the frozen share of hidden units.
        Without freezing only ``neq``.
    arrays : dict
        ``frozen``, shape (layers, epochs): the frozen share of each hidden layer; without freezing ``phi``, ``change``
        and ``velocity``, shape (layers, epochs, 5): quantiles of 1 - phi, |change| and |velocity| over the units.
    """
    model, parts = problem(cell)
    X, y, X_test, y_test = (arrays.asarray(part, device) for part in parts)
    model = model.replace(
        [arrays.asarray(layer, device) for layer in model.layers],
        None if model.biases is None else [arrays.asarray(bias, device) for bias in model.biases],
    )

    def error(trained: Model) -> float:
        if cell.data != "planted":
            return error_of(trained, X_test, y_test)
        return float(((trained(X_test) - y_test) ** 2).mean() / y_test.var())

    def run(rule: Freezing) -> Any:
        return NEq(rule=rule, training=cell.training).run(
            model, (X, y), rng=stream("pr-neq", "batches", cell.data, cell.seed)
        )

    found = run(rule_of(cell.rule))
    hidden = len(cell.hidden)
    kept = {"frozen": np.stack([mask.mean(axis=1) for mask in found.frozen[:hidden]])}
    metrics: dict[str, Any] = {"neq": {"error": error(found.model), "saved": found.total.saved}}
    if cell.rule == DENSE:
        for name, values in (("phi", [1.0 - phi for phi in found.phi]), ("change", found.change)):
            kept[name] = _quantiles(values[:hidden])
        kept["velocity"] = _quantiles(found.velocity[:hidden])
        return metrics, kept
    spent = found.total
    metrics["neq"] |= {
        "counted": spent.counted_saved,
        "booked": spent.booked_saved,
        "thaws": [thaws(mask, 2) for mask in found.frozen[:hidden]],
        "frozen": float(np.concatenate(found.frozen[:hidden], axis=1).mean()),
    }
    rules = {
        "random": RandomFreezing.like(found.frozen),
        "early": EarlyStopping(spent.executed),
        "compressed": EarlyStopping(spent.executed, compressed=True),
    }
    for name, rule in rules.items():
        rival = run(rule)
        # a run that stops early is measured against a whole training
        metrics[name] = {"error": error(rival.model), "saved": 1.0 - rival.total.executed / spent.full}
    return metrics, kept


def _quantiles(layers: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack([np.quantile(np.abs(layer), QUANTILES, axis=1).T for layer in layers])


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return errors against savings, savings by the ways of counting, and claims."""
    size = PRESETS[preset]
    shown, claims, rows, notes = [], [], [], []
    for data, own in _problems(records):
        errors = _errors(own)
        if not errors.get("neq"):
            continue
        settings = own[0].cell.settings
        shown.append(_panel(data, settings, size, own, errors))
        claims += _claims(data, size, errors, own)
        rows += _rows(data, size, own, errors)
        notes += _thaw_notes(data, own)
    return {
        "subtitle": "each rival makes as many multiply-adds in its backward passes as NEq does at that eps\n"
        f"means over {size.seeds} seeds with 95 % bands; each run compared with the unfrozen run of its seed",
        "published": PUBLISHED,
        "panels": shown,
        "claims": [claim.as_dict() for claim in claims],
        "table": {"columns": COLUMNS, "rows": rows},
        "notes": [
            "Executed: multiply-adds that the backward passes did not make, counted at the matrix products. Counted: "
            "those that belong to the frozen units, for gradients of their weights and of their outputs. Booked: as in "
            "the paper, each layer's frozen share of the weights, including gradients that are never computed.",
            f"Calibrated: eps is a quantile of the |velocity| of {WARM_UP} epochs of warm-up, times the square of the "
            "learning rate's decay since. Released: the filter of the released code in place of the paper's.",
            *notes,
        ],
    }


COLUMNS = ["problem", "eps", "seeds", "test error of NEq", "nothing frozen", "random freezing", "early stopping"]
COLUMNS += ["shorter schedule", "saved, executed", "saved, counted", "saved, booked", "frozen share"]
PROBLEMS = {"planted": "planted network", **TITLES}


def _problems(records: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.cell.settings["data"], []).append(record)
    return [(data, found[data]) for data in PROBLEMS if data in found]


def _errors(records: Sequence[Record]) -> dict[str, dict[str, dict[int, float]]]:
    """Return rival -> setting -> seed -> test error; the runs without freezing are the setting of that name."""
    found: dict[str, dict[str, dict[int, float]]] = {}
    for record in records:
        settings = record.cell.settings
        for rival in RIVALS:
            if rival in record.metrics:
                place = found.setdefault(rival, {}).setdefault(settings["rule"], {})
                place[settings["seed"]] = record.metrics[rival]["error"]
    return found


def _panel(
    data: str,
    settings: Mapping[str, Any],
    size: NeqPreset,
    records: Sequence[Record],
    errors: Mapping[str, Mapping[str, Mapping[int, float]]],
) -> dict[str, Any]:
    """Return the curves of a problem, each run beside the training of its seed in which nothing is frozen."""
    rules = [rule for rule in size.rules if errors["neq"].get(rule)]
    hidden, planted = "-".join(map(str, settings["hidden"])), data == "planted"
    dense = errors["neq"].get(DENSE, {})

    def against_dense(rival: str, rule: str) -> dict[str, float | None]:
        pairs = [(error, dense[seed]) for seed, error in errors.get(rival, {}).get(rule, {}).items() if seed in dense]
        if planted:  # the mean of logarithms is that of factors
            found = band([math.log(error / of) for error, of in pairs])
            return {name: None if value is None else math.exp(value) for name, value in found.items()}
        return band([100.0 * (error - of) for error, of in pairs])

    more = {
        kind: [band([100.0 * (one[kind] - one["saved"]) for one in _neq(records, rule)]) for rule in rules]
        for kind in ("counted", "booked")
    }
    return {
        "data": data,
        "title": f"planted network, {INPUTS}-{hidden}-1" if planted else f"{TITLES[data]}, {PIXELS[data]}-{hidden}-10",
        "ylabel": "test error relative to\nno freezing"
        if planted
        else "test error minus that of\nno freezing (points)",
        "scale": "log" if planted else "linear",
        "dense": band(dense.values())["mean"],
        "rules": rules,
        "sweep": [rule for rule in SWEEP if rule in rules],
        "calibrated": [rule for rule in rules if SETTINGS[rule][0] == "quantile"],
        "saved": {rule: band([one["saved"] for one in _neq(records, rule)])["mean"] for rule in rules},
        "curves": {
            rival: {"label": label, **{rule: against_dense(rival, rule) for rule in rules}}
            for rival, label in RIVALS.items()
        },
        "beside": more,
    }


def _neq(records: Sequence[Record], rule: str) -> list[dict[str, Any]]:
    return [record.metrics["neq"] for record in records if record.cell.settings["rule"] == rule]


def _words(data: str, records: Sequence[Record]) -> str:
    settings = records[0].cell.settings
    seeds = len({record.cell.settings["seed"] for record in records})
    if data == "planted":
        return (
            f"outputs of a planted network {INPUTS}-{TEACHER}-1 without noise, {settings['n']:,} samples, "
            f"{seeds} seed{'s' * (seeds != 1)}"
        )
    return named(data, settings["n"], seeds)


def _claims(
    data: str, size: NeqPreset, errors: Mapping[str, Mapping[str, Mapping[int, float]]], records: Sequence[Record]
) -> list[Claim]:
    words, planted = _words(data, records), data == "planted"
    ours: Trials = {rule: errors["neq"].get(rule, {}) for rule in size.rules}
    found = []
    dense: Trials = {PUBLISHED: errors["neq"].get(DENSE, {})}
    neq: Trials = {PUBLISHED: ours.get(PUBLISHED, {})}
    _, _, (theirs, own) = verdicts.paired(dense, neq)
    allowed = theirs * WORSE["planted"] if planted else np.full_like(theirs, WORSE["images"])
    measured = verdicts.least_share(verdicts.scores(theirs + allowed, own))
    much = f"{100 * WORSE['planted']:.0f} %" if planted else "one point of accuracy"
    found.append(
        Claim(
            "NEq, recommended eps",
            f"With eps = 1e-3 performance is kept ({PROBLEMS[data]}).",
            f"the share of seeds in which the test error exceeds that of training without freezing by less than "
            f"{much} is more than half",
            measured.verdict,
            f"test error {_mean(own)} with NEq, {_mean(theirs)} without freezing",
            data=words,
            interval=measured.interval(),
            basis=verdicts.BASIS_SEEDS,
        )
    )
    for rival, claim in (
        ("random", "NEq loses less than freezing as many random units does"),
        ("early", "NEq loses less than stopping early at an equal budget does"),
    ):
        other: Trials = {rule: errors.get(rival, {}).get(rule, {}) for rule in size.rules}
        _, _, (mine, its) = verdicts.paired(ours, other)
        tie = 0.0 if planted else level_of(data)
        measured = verdicts.share(verdicts.scores(its, mine, tie=tie))
        shown = [rule for rule in size.rules if rule in (*SWEEP, "calibrated 5 %")]
        gaps = [f"eps {rule}: {_mean_of(other, rule)} and {_mean_of(ours, rule)}" for rule in shown]
        found.append(
            Claim(
                "NEq, Table 2" if rival == "random" else "NEq, this project's question",
                f"{claim} ({PROBLEMS[data]}).",
                "over all pairs of runs with the same eps and seed, the share in which the rival's test error is "
                f"larger is more than half{'' if planted else f', pairs within {100 * tie:.1f} % counting half'}",
                measured.verdict,
                f"test errors of {RIVALS[rival]} and of NEq: " + "; ".join(gaps),
                data=words,
                interval=measured.interval(),
            )
        )
    saved = np.array([[one["saved"], one["counted"]] for rule in size.rules for one in _neq(records, rule)])
    layers = len(records[0].cell.settings["hidden"])
    equal = bool(len(saved)) and bool(np.allclose(saved[:, 0], saved[:, 1], atol=1e-9))
    larger = float((saved[:, 1] - saved[:, 0]).max()) if len(saved) else math.nan
    verdict = verdicts.NOT_MEASURED if not len(saved) else verdicts.HELD if equal else verdicts.NOT_HELD
    found.append(
        Claim(
            "NEq, operations",
            f"All multiply-adds counted as saved for frozen units are saved ({layers} hidden "
            f"layer{'s' * (layers > 1)}).",
            "in each run the multiply-adds that are counted for frozen units, and those that were not executed, agree "
            "to 1e-9 of the whole",
            verdict,
            f"the counted saving is larger by up to {100 * larger:.2f} points" if len(saved) else "",
            data=words,
            basis=verdicts.EXACT,
        )
    )
    return found


def _mean(values: np.ndarray) -> str:
    known = values[~np.isnan(values)]
    return f"{known.mean():.4f}" if known.size else "-"


def _mean_of(trials: Trials, rule: str) -> str:
    return _mean(np.array(list(trials.get(rule, {}).values()), dtype=float))


def _rows(
    data: str,
    size: NeqPreset,
    records: Sequence[Record],
    errors: Mapping[str, Mapping[str, Mapping[int, float]]],
) -> list[list[Any]]:
    rows = []
    dense = band(errors["neq"].get(DENSE, {}).values())["mean"]
    for rule in size.rules:
        seeds = errors["neq"].get(rule, {})
        if not seeds:
            continue
        means = [band(errors.get(rival, {}).get(rule, {}).values())["mean"] for rival in RIVALS]
        kinds = ("saved", "counted", "booked", "frozen")
        shares = [band([one[kind] for one in _neq(records, rule)])["mean"] for kind in kinds]
        rows.append([PROBLEMS[data], rule, len(seeds), means[0], dense, *means[1:], *shares])
    return rows


def _thaw_notes(data: str, records: Sequence[Record]) -> list[str]:
    counts = [one["thaws"] for one in _neq(records, PUBLISHED)]
    if not counts:
        return []
    layers = [f"{layer:.1f} in hidden layer {level}" for level, layer in enumerate(np.mean(counts, axis=0), start=1)]
    return [
        f"{PROBLEMS[data]}, eps = 1e-3: units per run that learned again after two or more frozen epochs: "
        f"{', '.join(layers)}. In the first layer there can be none (absorption)."
    ]


def summarise_phi(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return the quantiles of 1 - phi, its change and its velocity over the epochs, and the frozen shares."""
    shown, rows = [], []
    for data, own in _problems(records):
        dense = [record for record in own if record.cell.settings["rule"] == DENSE]
        if not dense:
            continue
        settings = dense[0].cell.settings
        for level, width in enumerate(settings["hidden"]):
            fans = {
                name: np.mean([record.arrays[name][level] for record in dense], axis=0)
                for name in ("phi", "change", "velocity")
            }
            frozen = {
                rule: np.mean(shares, axis=0).tolist()
                for rule in (PUBLISHED, "1e-5", "calibrated 5 %", "calibrated 25 %")
                if (shares := [r.arrays["frozen"][level] for r in own if r.cell.settings["rule"] == rule])
            }
            many = len(settings["hidden"]) > 1
            title = PROBLEMS[data].partition(" (")[0].removeprefix("scikit-learn ") + (
                f", hidden layer {level + 1}" if many else ""
            )
            shown.append(
                {
                    "title": f"{title}\n{width} units",
                    "epochs": settings["epochs"],
                    "fans": {name: values.T.tolist() for name, values in fans.items()},
                    "frozen": frozen,
                }
            )
            rows += _phi_rows(title, settings["epochs"], fans)
    seeds = PRESETS[preset].seeds
    return {
        "subtitle": "upper rows: nothing is frozen; medians over the units, quartiles, and 5 % to 95 %\n"
        f"lowest row: what NEq freezes; dotted: the learning rate falls tenfold; means of {seeds} "
        f"seed{'s' * (seeds != 1)}",
        "quantiles": list(QUANTILES),
        "eps": 1e-3,
        "decays": [0.5, 0.75],
        "panels": shown,
        "table": {"columns": PHI_COLUMNS, "rows": rows},
        "notes": [
            "phi: cosine of a unit's outputs on 100 training inputs with those of the epoch before; the velocity is "
            "the change minus half of the previous velocity (the paper's filter, mu = 1/2). Units that are silent, "
            "or do not move at all, are drawn at the lower end.",
            "A unit without bias that turns by the angle a in an epoch has 1 - phi = a^2 / 2 on isotropic inputs.",
        ],
    }


PHI_COLUMNS = ["layer", "epoch", "1 - phi, median", "|change|, median", "|velocity|, median"]
PHI_COLUMNS += ["|velocity|, 95 % of the units below", "share of quantiles below 1e-3"]


def _phi_rows(title: str, epochs: int, fans: Mapping[str, np.ndarray]) -> list[list[Any]]:
    rows = []
    for epoch in sorted({1, epochs // 4, epochs // 2, epochs // 2 + 1, 3 * epochs // 4, epochs} - {0}):
        speed = fans["velocity"][epoch - 1]
        rows.append(
            [
                title,
                epoch,
                float(fans["phi"][epoch - 1][2]),
                float(fans["change"][epoch - 1][2]),
                float(speed[2]),
                float(speed[4]),
                f"{int((speed < 1e-3).sum())}/{len(speed)}",
            ]
        )
    return rows


def data_of(preset: str) -> str:
    """Return which data a run uses."""
    size = PRESETS[preset]
    data = source(size.large)
    count = PRESETS["quick"].images[0] if data == "digits" else size.images[0]
    return f"a planted network; {named(data, count, size.seeds)}"


NEQ = Experiment(
    name="pr-neq",
    version=1,
    title="NEq: operations saved by freezing units at equilibrium, and the resulting error",
    module=__name__,
    settings=NeqCell,
    presets=PRESETS,
    cells=cells,
    cost=cost,
    compute=compute,
    summarise=summarise,
    data=data_of,
    layout="figures.pr_neq",
    shows="backward operations saved by NEq, executed and counted, against test error, compared with random freezing "
    ""
    "and early stopping at equal cost",
    place=384,
)
PHI = NEQ.companion(
    "pr-neq-phi",
    "NEq: similarity of units from epoch to epoch, its change and its velocity",
    summarise_phi,
    layout="figures.pr_neq_phi",
    shows="distributions of similarity, change and velocity over the epochs, and the share of frozen neurons",
    place=386,
)
EXPERIMENTS = (NEQ, PHI)
