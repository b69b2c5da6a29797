"""Sparse transfer by winning tickets (arXiv:1905.07785): the value of a mask, and of its weights, on another task.

Run from the repository root::

    python -m benchmarks.transfer                          # planted tasks and digits, few seeds: under a minute
    python -m benchmarks.transfer linear --seeds 200       # linear models, compared with the closed form
    python -m benchmarks.transfer networks --seeds 5       # two-layer ReLU networks
    python -m benchmarks.transfer digits --seeds 5         # digits 0-4 to 5-9, and with permuted pixels
    python -m benchmarks.transfer mnist --seeds 2          # the same for MNIST, which must be available
    python -m benchmarks.transfer cifar --seeds 1          # from CIFAR-10, or its sample, in grey, to MNIST

With ``--out rows.jsonl`` each seed is one line of a file, and seeds that are in the file are not computed again. After
``--limit`` seconds no further seed is started.

Masks are found on the source task by magnitude, with a fifth of the hidden weights pruned per round or all in one shot.
They are applied to the weights after the dense source training ("source"), to the weights before it ("initial"), or to
random weights. Numbers are means over seeds with 95 % intervals. For linear and ReLU tasks they are squared errors
divided by the variance of the target; for images they are accuracies on the target's test images, in %. Heads on frozen
features are trained on standardised features.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import planted
from benchmarks.machine import table
from paper_repro.experiments.intervals import mean_interval
from planted import datasets
from recovery import pruning
from recovery.mlp.masks import Masks
from recovery.pruning import Data, FrozenFeatures, Model, OneShot, Ticket, Trained, Training, Trains
from recovery.pruning.closed_forms.transfer import expected_error, training_limit

__all__ = ["main"]

ARMS: dict[str, dict[str, Any]] = {
    "ticket, source": {"start": "source"},
    "ticket, initial": {"start": "initial"},
    "ticket, random": {"start": "random"},
    "random mask, initial": {"start": "initial", "mask": "random"},
    "dense, source": {"start": "source", "mask": "all"},
    "dense, initial": {"start": "initial", "mask": "all"},
}
OVERLAPS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclasses.dataclass(frozen=True)
class Limit(Trains):
    """Gradient descent to convergence for linear models, by its closed form instead of steps."""

    def total(self, n_samples: int) -> int:
        """Return 1, as the limit is one step."""
        return 1

    def train(self, task: Any) -> Trained:
        """Return the limit."""
        mask = task.masks.layers[0][:, 0]
        found = np.zeros(len(mask))
        start = task.model.layers[0][mask]
        found[mask] = training_limit(np.ascontiguousarray(task.data.X[:, mask]), task.data.y[:, 0], start)
        return Trained(task.model.replace(layers=[found]), task.masks, 1, 0.0)


def stream(*numbers: int) -> np.random.Generator:
    """Return a new generator for a seed and a purpose."""
    return np.random.default_rng(numbers)


def shown(values: Any, digits: int = 3) -> str:
    """Return a mean with its interval."""
    if len(values) < 2:
        return f"{float(values[0]):.{digits}g}"
    low, high = mean_interval(values) or (0.0, 0.0)
    return f"{(low + high) / 2:.{digits}g} ± {(high - low) / 2:.2g}"


def percent(values: Any) -> str:
    """Return a mean in points with its interval."""
    interval = mean_interval(values)
    mean = sum(values) / len(values)
    return f"{mean:.1f}" if interval is None else f"{mean:.1f} ± {(interval[1] - interval[0]) / 2:.1f}"


P, RELEVANT, KEPT, N_SOURCE, N_TARGET, DRAWS = 200, 20, 40, 180, (20, 36, 60, 400), 3
"""Settings of the linear tasks; each seed has this many draws of the target's samples."""


def linear(seed: int) -> dict[str, float]:
    """Return the errors of linear models, and their expectations by the closed form."""
    found = {}
    start = Model.draw((P, 1), initialisation=0.05, scalar=True, rng=stream(seed, 1))
    ticket = None
    for overlap in OVERLAPS:
        pair = planted.task_pair(P, RELEVANT, overlap, n_source=N_SOURCE, n_target=1, rng=stream(seed, 0))
        if ticket is None:  # the source is the same at all overlaps
            source = (pair.X_source, pair.y_source)
            ticket = pruning.find_ticket(start, source, sparsity=KEPT, schedule=OneShot(), training=Limit())
        for name in ARMS:
            told = terms(ticket, name, pair.target, stream(seed, 3))
            for n in N_TARGET:
                found[f"{overlap}|{n}|{name}|form"] = expected_error(n, *told) / RELEVANT
                if "dense" in name and n >= P:
                    continue  # the error is 0 whatever the start
                for draw in range(DRAWS if n < 2 * KEPT else 1):
                    X = stream(seed, 2, n, draw).standard_normal((n, P))
                    end = ticket.transfer((X, X @ pair.target), **ARMS[name], training=Limit(), rng=stream(seed, 3))
                    error = float(((end.model.layers[0] - pair.target) ** 2).sum())
                    found[f"{overlap}|{n}|{name}|{draw}"] = error / RELEVANT
    return found


def terms(ticket: Ticket, name: str, truth: Any, rng: np.random.Generator) -> tuple[int, float, float]:
    """Return |m|, the truth's energy outside the mask, and its squared distance to the start inside."""
    empty = (np.zeros((1, len(truth))), np.zeros(1))
    begun = ticket.transfer(empty, **ARMS[name], training=Training(n_iter=0), rng=rng)
    mask, away = begun.masks.layers[0][:, 0], truth - begun.model.layers[0]
    return int(mask.sum()), float((truth[~mask] ** 2).sum()), float((away[mask] ** 2).sum())


def show_linear(rows: list[dict[str, float]]) -> None:
    """Print the errors with the closed form, and the ratios of random mask to ticket."""

    def seen(overlap: float, n: int, name: str) -> np.ndarray:
        """Return errors, one row per seed."""
        keys = [f"{overlap}|{n}|{name}|{draw}" for draw in range(DRAWS)]
        return np.array([[row[key] for key in keys if key in row] for row in rows])

    def told(overlap: float, n: int, name: str) -> np.ndarray:
        return np.array([row[f"{overlap}|{n}|{name}|form"] for row in rows])

    print(f"p={P}, s={RELEVANT}, |m|={KEPT}, n_source={N_SOURCE}, no noise; mean (closed form)\n")
    cells = [
        [
            overlap,
            n,
            *(
                f"{shown(seen(overlap, n, name).mean(axis=1))} ({told(overlap, n, name).mean():.3g})"
                if n < P or "dense" not in name
                else "0"
                for name in ARMS
            ),
        ]
        for overlap in OVERLAPS
        for n in N_TARGET
    ]
    print(table(["overlap", "n_target", *ARMS], cells), "\n")
    checks = []
    for n in N_TARGET:
        names = [name for name in ARMS if n < P or "dense" not in name]
        pairs = [(seen(overlap, n, name), told(overlap, n, name)) for overlap in OVERLAPS for name in names]
        pairs = [(errors, form) for errors, form in pairs if form.mean() > 1e-9]
        off = [abs(errors.mean() / form.mean() - 1) for errors, form in pairs]
        wide = [errors.mean(axis=1).std() / len(rows) ** 0.5 / form.mean() for errors, form in pairs]
        middle = [np.median(errors / form[:, None]) for errors, form in pairs]
        worst = int(np.argmax(off))
        checks.append(
            [n, f"{100 * off[worst]:.1f} %", f"{100 * wide[worst]:.1f} %", f"{min(middle):.2f} to {max(middle):.2f}"]
        )
    header = ["n_target", "largest deviation of a mean", "standard error of this mean", "medians of error / form"]
    print(table(header, checks), "\n")
    ratios = []
    for n in N_TARGET:
        for overlap in OVERLAPS:
            control = seen(overlap, n, "random mask, initial").mean()
            means = [seen(overlap, n, f"ticket, {start}").mean() for start in ("source", "initial")]
            ratios.append([n, overlap, *(f"{control / mean:.3g}" if mean > 1e-20 else "exact" for mean in means)])
    print(table(["n_target", "overlap", "random mask / ticket, source", "random mask / ticket, initial"], ratios), "\n")


INPUTS, RELU_RELEVANT, HIDDEN, FEW = 40, 6, 20, 150
RELU_OVERLAPS = (0.0, 0.5, 1.0)


def networks(seed: int) -> dict[str, float]:
    """Return errors of two-layer ReLU networks."""
    found: dict[str, float] = {}
    steps = Training(n_iter=1000, learning_rate=1e-2, schedule="cosine")
    ticket = None
    for shared in ("weights", "inputs"):
        for overlap in RELU_OVERLAPS:
            sizes = {"n_source": 1000, "n_target": FEW, "n_test": 2000, "n_neurons": 5}
            pair = planted.task_pair(INPUTS, RELU_RELEVANT, overlap, **sizes, shared=shared, rng=seed)
            if ticket is None:  # the source is the same in all pairs
                start = Model.draw(
                    (INPUTS, HIDDEN, 1), initialisation=0.1 / INPUTS**0.5, scalar=True, rng=stream(seed, 1)
                )
                ticket = pruning.find_ticket(
                    start,
                    (pair.X_source, pair.y_source),
                    sparsity=RELU_RELEVANT / INPUTS,
                    schedule=pruning.Rounds(0.4),
                    training=steps,
                    rng=seed,
                )
                kept = ticket.masks.layers[0]
                found["right"] = float(kept[pair.source_inputs].sum() / kept.sum())
            target = Data(pair.X_target, pair.y_target, pair.X_test, pair.y_test)
            for name in ARMS:
                end = ticket.transfer(target, **ARMS[name], training=steps, rng=seed)
                found[f"{shared}|{overlap}|{name}"] = end.error
    return found


def show_networks(rows: list[dict[str, float]]) -> None:
    """Print errors against overlap."""
    kept = f"{100 * RELU_RELEVANT / INPUTS:.0f} %"
    print(f"{INPUTS}-{HIDDEN}-1, {RELU_RELEVANT} relevant inputs, {kept} of the hidden weights, n_target={FEW}\n")
    cells = [
        [shared, overlap, *(shown([row[f"{shared}|{overlap}|{name}"] for row in rows], 2) for name in ARMS)]
        for shared in ("weights", "inputs")
        for overlap in RELU_OVERLAPS
    ]
    print(table(["shared", "overlap", *ARMS], cells), "\n")
    print(f"Share of kept weights at relevant inputs: {shown([row['right'] for row in rows], 2)}; by chance 0.15.\n")


@dataclasses.dataclass(frozen=True)
class Images:
    """A pair of image tasks and how networks are trained on them."""

    name: str
    pairs: dict[str, tuple[Any, Any]]
    widths: tuple[int, ...]
    counts: tuple[int, ...]
    levels: tuple[float, ...]
    source_steps: Training
    target_steps: Training
    dtype: str = "float64"


def few(data: Any, count: int, rng: np.random.Generator) -> Data:
    """Return `count` training images as data, with the test images for validation."""
    rows = rng.permutation(len(data.y_train))[:count]
    return Data(data.x_train[rows], data.y_train[rows], data.x_test, data.y_test)


def at_level(ticket: Ticket, level: float, one_shot: bool) -> Ticket:
    """Return the ticket that keeps a share of the hidden weights, from the path or by dense magnitude."""
    hidden = len(ticket.masks.layers) - 1
    total = sum(int(mask.size) for mask in ticket.masks.layers[:hidden])
    wanted = round(level * total)
    last = ticket.masks.layers[hidden:]
    if one_shot:
        full = Masks.full(ticket.trained.layers[:hidden])
        masks = full.prune([abs(layer) for layer in ticket.trained.layers[:hidden]], count=wanted)
        return dataclasses.replace(ticket, masks=Masks([*masks.layers, *last]))
    for masks in ticket.path:
        if sum(int(mask.sum()) for mask in masks.layers[:hidden]) == wanted:
            return dataclasses.replace(ticket, masks=masks)
    raise ValueError(f"level={level} is not on the path")


def stops(levels: tuple[float, ...]) -> Any:
    """Return a schedule that prunes a fifth in each round and includes the given levels."""

    def counts(total: int, sparsity: int) -> list[int]:
        found = [total]
        for level in sorted(levels, reverse=True):
            wanted = round(level * total)
            while (then := round(0.8 * found[-1])) > wanted:
                found.append(then)
            found.append(wanted)
        return found[1:]

    return counts


HEADS: dict[str, tuple[tuple[int, ...], bool]] = {
    # hidden widths of the new head, and whether the features are frozen
    "all trained": ((), False),
    "frozen, linear head": ((), True),
    "frozen, two-layer head": ((50,), True),
}


TRANSFERS = {
    "ticket, source": ("ticket", {"start": "source"}),
    "ticket, initial": ("ticket", {"start": "initial"}),
    "ticket, random": ("ticket", {"start": "random"}),
    "one-shot, source": ("one-shot", {"start": "source"}),
    "random mask, source": ("ticket", {"start": "source", "mask": "random"}),
    "random mask, initial": ("ticket", {"start": "initial", "mask": "random"}),
}
DIFFERENCES = {
    "weights of the source - initial": ("ticket, source", "ticket, initial"),
    "initial - random weights": ("ticket, initial", "ticket, random"),
    "ticket - random mask (source)": ("ticket, source", "random mask, source"),
    "ticket - random mask (initial)": ("ticket, initial", "random mask, initial"),
    "iterative - one-shot mask": ("ticket, source", "one-shot, source"),
}
PLAIN = {"linear in pixels": (), "two layers, 50 units": (50,)}


def images(task: Images, seed: int) -> dict[str, float]:
    """Return the accuracies of all kinds of transfer."""
    found: dict[str, float] = {}
    first = next(iter(task.pairs.values()))[0]
    start = Model.draw(
        (*task.widths, len(first.classes)), bias=True, loss="cross_entropy", rng=stream(seed, 1), dtype=task.dtype
    )
    source = Data(first.x_train, first.y_train)
    ticket = pruning.find_ticket(
        start, source, sparsity=min(task.levels), schedule=stops(task.levels), training=task.source_steps, rng=seed
    )
    found["source"] = 100 * float((ticket.trained(first.x_test).argmax(axis=1) == first.y_test).mean())
    for kind, (_, goal) in task.pairs.items():
        for count in task.counts:
            target, steps = few(goal, count, stream(seed, 2)), task.target_steps
            for way, (head, frozen) in HEADS.items():
                training = FrozenFeatures(steps, len(head) + 1, standardise=True) if frozen else steps
                options = {"head": head, "training": training, "rng": seed}
                for origin in ("source", "initial"):
                    end = ticket.transfer(target, start=origin, mask="all", **options)
                    found[f"{kind}|{count}|{way}|dense, {origin}"] = 100 * end.accuracy
                for level in task.levels:
                    tickets = {"ticket": at_level(ticket, level, False), "one-shot": at_level(ticket, level, True)}
                    for name, (which, arm) in TRANSFERS.items():
                        end = tickets[which].transfer(target, **arm, **options)
                        found[f"{kind}|{count}|{way}|{level}|{name}"] = 100 * end.accuracy
            for name, widths in PLAIN.items():
                new = Model.draw(
                    (task.widths[0], *widths, len(goal.classes)),
                    bias=True, loss="cross_entropy", rng=stream(seed, 3), dtype=task.dtype,
                )  # fmt: skip
                end = Ticket(Masks.full(new.layers), new, new).transfer(target, training=steps, rng=seed)
                found[f"{kind}|{count}|{name}"] = 100 * end.accuracy
    return found


def show_images(task: Images, rows: list[dict[str, float]]) -> None:
    """Print accuracies against sparsity."""

    def cell(*parts: object) -> str:
        key = "|".join(map(str, parts))
        return percent([row[key] for row in rows])

    print(f"{task.name}, hidden layers {task.widths[1:]}: accuracy on the source {cell('source')} %\n")
    for kind in task.pairs:
        for count in task.counts:
            plain = ", ".join(f"{name} {cell(kind, count, name)}" for name in PLAIN)
            print(f"**{kind}, {count} target images.** No transfer: {plain}.\n")
            cells = []
            for way in HEADS:
                dense = {name: cell(kind, count, way, f"dense, {name}") for name in ("source", "initial")}
                cells.append([way, "100 %", dense["source"], dense["initial"], "", "", "", ""])
                cells += [
                    [way, f"{100 * level:g} %", *(cell(kind, count, way, level, name) for name in TRANSFERS)]
                    for level in task.levels
                ]
            print(table(["target, weights trained", "weights left", *TRANSFERS], cells), "\n")
            if len(rows) > 1:
                cells = []
                for way in HEADS:
                    for level in task.levels:
                        start = f"{kind}|{count}|{way}|{level}|"
                        pairs = [
                            [row[start + one] - row[start + two] for row in rows] for one, two in DIFFERENCES.values()
                        ]
                        cells.append([way, f"{100 * level:g} %", *map(percent, pairs)])
                print("Differences, seed by seed:\n")
                print(table(["target, weights trained", "weights left", *DIFFERENCES], cells), "\n")


def digits() -> Images:
    """Return the digits, 0-4 to 5-9."""
    data = datasets.digits()
    return Images(
        "scikit-learn digits 0-4 to 5-9",
        {
            "original pixels": datasets.class_tasks(data),
            "permuted pixels": datasets.class_tasks(data, permute=True, rng=0),
        },
        (64, 100),
        (20, 700),
        (0.5, 0.2, 0.05, 0.02),
        Training(n_iter=200, learning_rate=3e-3, batch_size=64),
        Training(n_iter=200, learning_rate=3e-3, batch_size=64),
    )


def mnist() -> Images:
    """Return MNIST, 0-4 to 5-9."""
    data = datasets.mnist()
    return Images(
        "MNIST 0-4 to 5-9",
        {
            "original pixels": datasets.class_tasks(data, dtype="float32"),
            "permuted pixels": datasets.class_tasks(data, permute=True, rng=0, dtype="float32"),
        },
        (784, 100, 50),
        (100,),
        (0.5, 0.1, 0.02),
        Training(n_iter=300, learning_rate=2e-3, batch_size=100),
        Training(n_iter=200, learning_rate=3e-3, batch_size=100),
        "float32",
    )


def grey(data: datasets.Dataset) -> datasets.Dataset:
    """Return colour images of 32 x 32 in grey, cut to the middle 28 x 28."""
    parts = []
    for images_ in (data.x_train, data.x_test):
        planes = images_.reshape(-1, 3, 32, 32)[:, :, 2:30, 2:30].astype(np.float64)
        luminance = planes[:, 0] * 0.299 + planes[:, 1] * 0.587 + planes[:, 2] * 0.114  # the weights of ITU-R BT.601
        parts.append(luminance.reshape(len(images_), -1))
    return dataclasses.replace(data, x_train=parts[0], x_test=parts[1], image_shape=(28, 28))


def cifar() -> Images:
    """Return CIFAR-10 in grey to MNIST, ten classes each."""
    every, data = tuple(range(10)), datasets.cifar10()
    source, _ = datasets.class_tasks(grey(data), every, every, dtype="float32")
    goal, _ = datasets.class_tasks(datasets.mnist(), every, every, dtype="float32")
    steps = Training(n_iter=300, learning_rate=2e-3, batch_size=100)
    return Images(
        f"{data.name} in grey to MNIST", {"original pixels": (source, goal)}, (784, 100, 50), (100,), (0.5, 0.1, 0.02),
        steps, Training(n_iter=200, learning_rate=3e-3, batch_size=100), "float32",
    )  # fmt: skip


IMAGES = {"digits": digits, "mnist": mnist, "cifar": cifar}
DEFAULT = {"linear": 20, "networks": 1, "digits": 1}


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help="linear, networks, digits, mnist, cifar; by default the first three")
    parser.add_argument("--seeds", type=int, help="by default few")
    parser.add_argument("--out", type=Path, help="file of results, from which a run continues")
    parser.add_argument(
        "--limit", type=float, default=float("inf"), help="seconds after which no further seed is started"
    )
    options = parser.parse_args(arguments)
    begin = time.perf_counter()
    for what in options.what or DEFAULT:
        if what not in ("linear", "networks", *IMAGES):
            parser.error(f"{what!r} is not known; expected linear, networks, digits, mnist or cifar")
        task = IMAGES[what]() if what in IMAGES else None
        rows = {}
        if options.out is not None and options.out.exists():
            lines = [json.loads(line) for line in options.out.read_text().splitlines()]
            rows = {line["seed"]: line["found"] for line in lines if line["what"] == what}
        for seed in range(options.seeds or DEFAULT.get(what, 1)):
            if seed in rows or (rows and time.perf_counter() - begin > options.limit):
                continue
            with threadpool_limits(1):
                if task is not None:
                    rows[seed] = images(task, seed)
                else:
                    rows[seed] = linear(seed) if what == "linear" else networks(seed)
            if options.out is not None:
                with options.out.open("a") as file:
                    file.write(json.dumps({"what": what, "seed": seed, "found": rows[seed]}) + "\n")
        print(f"### {what}, {len(rows)} seed(s)\n")
        found = [rows[seed] for seed in sorted(rows)]
        if task is not None:
            show_images(task, found)
        else:
            (show_linear if what == "linear" else show_networks)(found)


if __name__ == "__main__":
    main()
