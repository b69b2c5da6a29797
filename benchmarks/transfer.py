"""Sparse transfer by winning tickets (arXiv:1905.07785): what a mask carries to another task, and what weights do.

Run from the repository root::

    python -m benchmarks.transfer                          # all planted tasks and digits, few seeds: under a minute
    python -m benchmarks.transfer linear --seeds 200       # linear models beside the closed form
    python -m benchmarks.transfer networks --seeds 10      # two-layer ReLU networks
    python -m benchmarks.transfer digits --seeds 20        # digits 0-4 to 5-9, and with permuted pixels
    python -m benchmarks.transfer mnist --seeds 5          # the same for MNIST, which has to be there
    python -m benchmarks.transfer cifar --seeds 3          # CIFAR-10, or the sample of it, in grey to MNIST

Masks come from the source by magnitude, a fifth of the hidden weights a round, or in one shot, and are put on the
weights that the dense source training ended with ("source"), on those before it ("initial"), or on random ones. Numbers
are means over seeds with 95 % intervals. Linear and ReLU tasks: squared error over the variance of the target. Images:
accuracy on the target's test images, in %.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import planted
from benchmarks.machine import table
from paper_repro.experiments.intervals import mean_interval
from planted import datasets
from planted.base import arrays
from recovery import pruning
from recovery.mlp.masks import Masks
from recovery.pruning import Data, Model, OneShot, Ticket, Trained, Training, Trains
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
    """Gradient descent to its end, for linear models: the closed form in place of the steps."""

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
    return f"{(low + high) / 2:.{digits}g} ± {(high - low) / 2:.1g}"


def linear(seeds: int, draws: int, sizes: tuple[int, ...] = (20, 36, 60, 400)) -> None:
    """Print errors of linear models beside the closed form, and the ratios of random mask to ticket."""
    p, s, kept, n_source, names = 200, 20, 40, 180, tuple(ARMS)
    seen: dict[Any, list[float]] = {}
    told: dict[Any, list[float]] = {}
    for seed in range(seeds):
        start = Model.draw((p, 1), initialisation=0.05, scalar=True, rng=stream(seed, 1))
        ticket = None
        for overlap in OVERLAPS:
            pair = planted.task_pair(p, s, overlap, n_source=n_source, n_target=1, rng=stream(seed, 0))
            if ticket is None:  # the source is the same at all overlaps
                source = (pair.X_source, pair.y_source)
                ticket = pruning.find_ticket(start, source, sparsity=kept, schedule=OneShot(), training=Limit())
            for name in names:
                told_here = terms(ticket, name, pair.target, stream(seed, 3))
                for n in sizes:
                    told.setdefault((overlap, n, name), []).append(expected_error(n, *told_here) / s)
                    for draw in range(draws):
                        X = stream(seed, 2, n, draw).standard_normal((n, p))
                        found = ticket.transfer(
                            (X, X @ pair.target), **ARMS[name], training=Limit(), rng=stream(seed, 3)
                        )
                        error = float(((found.model.layers[0] - pair.target) ** 2).sum()) / s
                        seen.setdefault((overlap, n, name), []).append(error)
    rows = []
    for overlap in OVERLAPS:
        for n in sizes:
            rows.append([overlap, n])
            for name in names:
                mine = np.reshape(seen[overlap, n, name], (seeds, draws)).mean(axis=1)
                rows[-1].append(f"{shown(mine)} ({np.mean(told[overlap, n, name]):.3g})")
    print(
        f"p={p}, s={s}, |m|={kept}, n_source={n_source}, no noise; mean (closed form), {seeds} seeds, {draws} draw(s)\n"
    )
    print(table(["overlap", "n_target", *names], rows), "\n")
    checks = []
    for n in sizes:
        keys = [key for key in seen if key[1] == n and "dense" not in key[2] and np.mean(told[key]) > 1e-9]
        off = [abs(np.mean(seen[key]) / np.mean(told[key]) - 1) for key in keys]
        middle = [np.median(np.reshape(seen[key], (seeds, draws)) / np.array(told[key])[:, None]) for key in keys]
        checks.append([n, f"{100 * max(off):.1f} %", f"{min(middle):.2f} to {max(middle):.2f}"])
    print(table(["n_target", "largest deviation of a mean", "medians of error / closed form"], checks), "\n")
    rows = []
    for n in sizes:
        for overlap in OVERLAPS:
            control = np.mean(seen[overlap, n, "random mask, initial"])
            rows.append(
                [n, overlap]
                + [
                    f"{control / max(np.mean(seen[overlap, n, f'ticket, {start}']), 1e-30):.3g}"
                    for start in ("source", "initial")
                ]
            )
    print(table(["n_target", "overlap", "random mask / ticket, source", "random mask / ticket, initial"], rows), "\n")


def terms(ticket: Ticket, name: str, truth: Any, rng: np.random.Generator) -> tuple[int, float, float]:
    """Return |m|, the truth's energy outside the mask, and its squared distance to the start inside."""
    empty = (np.zeros((1, len(truth))), np.zeros(1))
    begun = ticket.transfer(empty, **ARMS[name], training=Training(n_iter=0), rng=rng)
    mask, away = begun.masks.layers[0][:, 0], truth - begun.model.layers[0]
    return int(mask.sum()), float((truth[~mask] ** 2).sum()), float((away[mask] ** 2).sum())


def networks(seeds: int, overlaps: tuple[float, ...] = (0.0, 0.5, 1.0)) -> None:
    """Print errors of two-layer ReLU networks against overlap."""
    d, relevant, hidden, n_target = 40, 6, 20, 150
    steps = Training(n_iter=1500, learning_rate=1e-2, schedule="cosine")
    names, seen = tuple(ARMS), {}
    for shared in ("weights", "inputs"):
        for seed in range(seeds):
            ticket = None
            for overlap in overlaps:
                pair = planted.task_pair(
                    d,
                    relevant,
                    overlap,
                    n_source=1500,
                    n_target=n_target,
                    n_test=2000,
                    n_neurons=5,
                    shared=shared,
                    rng=seed,
                )
                if ticket is None:
                    start = Model.draw((d, hidden, 1), initialisation=0.1 / d**0.5, scalar=True, rng=stream(seed, 1))
                    ticket = pruning.find_ticket(
                        start,
                        (pair.X_source, pair.y_source),
                        sparsity=0.15,  # the base rate of the relevant inputs
                        schedule=pruning.Rounds(0.4),
                        training=steps,
                        rng=seed,
                    )
                target = Data(pair.X_target, pair.y_target, pair.X_test, pair.y_test)
                for name in names:
                    found = ticket.transfer(target, **ARMS[name], training=steps, rng=seed)
                    seen.setdefault((shared, overlap, name), []).append(found.error)
            kept = arrays.to_numpy(ticket.masks.layers[0])
            right = np.zeros(d, dtype=bool)
            right[pair.source_inputs] = True
            seen.setdefault((shared, "right"), []).append(kept[right].sum() / kept.sum())
    print(
        f"d={d}, {relevant} relevant inputs, {hidden} hidden units, 15 % of the hidden weights, n_target={n_target}\n"
    )
    rows = [
        [shared, overlap, *(shown(seen[shared, overlap, name], 2) for name in names)]
        for shared in ("weights", "inputs")
        for overlap in overlaps
    ]
    print(table(["shared", "overlap", *names], rows), "\n")
    print(
        f"Share of kept first-layer weights at relevant inputs: {shown(seen['weights', 'right'], 2)}; by chance 0.15.\n"
    )


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
    """Return the ticket that keeps a share of the hidden weights, off the path or by magnitude of the dense weights."""
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
    """Return a schedule: a fifth in each round, with stops at the levels."""

    def counts(total: int, sparsity: int) -> list[int]:
        found = [total]
        for level in sorted(levels, reverse=True):
            wanted = round(level * total)
            while (then := round(0.8 * found[-1])) > wanted:
                found.append(then)
            found.append(wanted)
        return found[1:]

    return counts


HEADS: dict[str, dict[str, Any]] = {
    "all trained": {"head": ()},
    "frozen, linear head": {"head": (), "features": "frozen"},
    "frozen, two-layer head": {"head": (50,), "features": "frozen"},
}


def images(task: Images, seeds: int) -> None:
    """Print accuracies against sparsity for the ways to transfer."""
    seen: dict[Any, list[float]] = {}
    first = next(iter(task.pairs.values()))
    outputs = len(first[0].classes)
    for seed in range(seeds):
        start = Model.draw(
            (*task.widths, outputs), bias=True, loss="cross_entropy", rng=stream(seed, 1), dtype=task.dtype
        )
        source = Data(first[0].x_train, first[0].y_train)
        ticket = pruning.find_ticket(
            start, source, sparsity=min(task.levels), schedule=stops(task.levels), training=task.source_steps, rng=seed
        )
        right = ticket.trained(first[0].x_test).argmax(axis=1) == first[0].y_test
        seen.setdefault("source", []).append(100 * float(right.mean()))
        for kind, (_, goal) in task.pairs.items():
            for count in task.counts:
                target = few(goal, count, stream(seed, 2))
                for way, options in HEADS.items():
                    for origin in ("source", "initial"):
                        found = ticket.transfer(
                            target, start=origin, mask="all", **options, training=task.target_steps, rng=seed
                        )
                        seen.setdefault((kind, count, way, 1.0, f"dense, {origin}"), []).append(100 * found.accuracy)
                    for level in task.levels:
                        tickets = {"ticket": at_level(ticket, level, False), "one-shot": at_level(ticket, level, True)}
                        arms = [("ticket", origin, "ticket") for origin in ("source", "initial", "random")]
                        arms += [("one-shot", origin, "ticket") for origin in ("source", "initial")]
                        arms += [("ticket", "source", "random"), ("ticket", "initial", "random")]
                        for which, origin, mask in arms:
                            found = tickets[which].transfer(
                                target, start=origin, mask=mask, **options, training=task.target_steps, rng=seed
                            )
                            name = f"{'random mask' if mask == 'random' else which}, {origin}"
                            seen.setdefault((kind, count, way, level, name), []).append(100 * found.accuracy)
                for name, widths in (("linear in pixels", ()), ("two-layer net, 50 units", (50,))):
                    plain = Model.draw(
                        (task.widths[0], *widths, len(goal.classes)),
                        bias=True, loss="cross_entropy", rng=stream(seed, 3), dtype=task.dtype,
                    )  # fmt: skip
                    found = Ticket(Masks.full(plain.layers), plain, plain).transfer(
                        target, training=task.target_steps, rng=seed
                    )
                    seen.setdefault((kind, count, name), []).append(100 * found.accuracy)
    hidden = "-".join(map(str, task.widths))
    print(f"{task.name}, {hidden}-{outputs}: accuracy on the source {shown(seen['source'])} %; {seeds} seed(s)\n")
    arms = (
        "ticket, source", "ticket, initial", "ticket, random", "one-shot, source", "one-shot, initial",
        "random mask, source", "random mask, initial",
    )  # fmt: skip
    for kind in task.pairs:
        for count in task.counts:
            dense = "; ".join(
                f"{way}: {' / '.join(shown(seen[kind, count, way, 1.0, f'dense, {o}']) for o in ('source', 'initial'))}"
                for way in HEADS
            )
            plain = ", ".join(
                f"{name} {shown(seen[kind, count, name])}" for name in ("linear in pixels", "two-layer net, 50 units")
            )
            print(
                f"**{kind}, {count} target images.** Dense network from source / initial: {dense}. "
                f"No transfer: {plain}.\n"
            )
            rows = [
                [way, f"{100 * level:g} %", *(shown(seen[kind, count, way, level, arm]) for arm in arms)]
                for way in HEADS
                for level in task.levels
            ]
            print(table(["trained", "left", *arms], rows), "\n")


def digits() -> Images:
    """Return the digits, 0-4 to 5-9."""
    data = datasets.digits()
    return Images(
        "scikit-learn digits 0-4 to 5-9",
        {"as it is": datasets.class_tasks(data), "pixels permuted": datasets.class_tasks(data, permute=True, rng=0)},
        (64, 100, 50),
        (20, 700),
        (0.5, 0.2, 0.05, 0.02),
        Training(n_iter=300, learning_rate=3e-3, batch_size=64),
        Training(n_iter=300, learning_rate=3e-3, batch_size=64),
    )


def mnist() -> Images:
    """Return MNIST, 0-4 to 5-9."""
    data = datasets.mnist()
    return Images(
        "MNIST 0-4 to 5-9",
        {
            "as it is": datasets.class_tasks(data, dtype="float32"),
            "pixels permuted": datasets.class_tasks(data, permute=True, rng=0, dtype="float32"),
        },
        (784, 100, 50),
        (50, 1000),
        (0.5, 0.2, 0.05, 0.02),
        Training(n_iter=600, learning_rate=2e-3, batch_size=100),
        Training(n_iter=300, learning_rate=2e-3, batch_size=100),
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
    steps = Training(n_iter=600, learning_rate=1e-3, batch_size=100)
    return Images(
        f"{data.name} in grey to MNIST", {"as it is": (source, goal)}, (784, 100, 50), (50, 1000), (0.5, 0.2, 0.05),
        steps, Training(n_iter=300, learning_rate=2e-3, batch_size=100), "float32",
    )  # fmt: skip


IMAGES = {"digits": digits, "mnist": mnist, "cifar": cifar}
DEFAULT = {"linear": 20, "networks": 1, "digits": 2}


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=["linear", "networks", *IMAGES, []])
    parser.add_argument("--seeds", type=int, help="by default few")
    parser.add_argument("--draws", type=int, default=1, help="draws of a linear target task for each seed")
    options = parser.parse_args(arguments)
    with threadpool_limits(1):
        for what in options.what or DEFAULT:
            seeds, begin = options.seeds or DEFAULT.get(what, 1), time.process_time()
            print(f"### {what}\n")
            if what == "linear":
                linear(seeds, options.draws)
            elif what == "networks":
                networks(seeds)
            else:
                images(IMAGES[what](), seeds)
            print(f"{time.process_time() - begin:.0f} s of a processor.\n", flush=True)


if __name__ == "__main__":
    main()
