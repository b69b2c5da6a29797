"""Time of NEq's backward pass with and without frozen units, and the savings in executed and counted operations.

Run from the repository root::

    python -m benchmarks.neq_speed             # 1,000 units in each hidden layer, batches of 128; about a minute

*Backward* is the time of all gradients of one batch; *update* is a complete training step: forward pass, backward pass
and SGD with momentum on the trained units. Both are medians of runs in turns, with one BLAS thread, in processor time,
which other programs on the machine hardly affect. *Executed* is the share of the multiply-adds of the backward pass
that are skipped, *counted* the share that belongs to frozen units, *booked* the share as the paper counts it; see
``counted_operations`` and ``booked_operations`` in ``recovery.pruning.equilibrium``. Before the clock starts, the
gradients are compared with those of the whole network.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.machine import machine, medians, table
from recovery.mlp.losses import loss_and_gradient
from recovery.pruning import Model
from recovery.pruning.equilibrium import backward_operations, booked_operations, counted_operations
from recovery.pruning.equilibrium.arranged import Arranged
from recovery.pruning.equilibrium.updates import SGDSteps

GOAL = 1.5


def frozen_units(widths, shares, rng):
    """Return random masks of frozen units with these shares; the last layer is trained."""
    masks = []
    for width, share in zip(widths[1:], (*shares, 0.0), strict=True):
        mask = np.zeros(width, dtype=bool)
        mask[rng.permutation(width)[: round(share * width)]] = True
        masks.append(mask)
    return masks


def prepared(model, masks, X, y):
    """Return jobs for a backward pass and for a whole update, and the gradients."""
    steps = SGDSteps(0.9, 5e-4)
    network = Arranged(model.layers, None, steps.slots(model.layers, None), masks)
    values = network.forward(X)
    outward = loss_and_gradient(values[-1], y, "cross_entropy").gradient

    def update():
        steps.step(network, network.backward(network.forward(X), outward), 1e-9)

    return (lambda: network.backward(values, outward)), update, network.backward(values, outward)


def compare(widths, cases, batch, dtype, repeats):
    """Return the rows of the table for a network."""
    rng = np.random.default_rng(0)
    model = Model.draw(widths, loss="cross_entropy", rng=rng, dtype=dtype)
    X = rng.standard_normal((batch, widths[0])).astype(dtype)
    y = np.eye(widths[-1], dtype=dtype)[rng.integers(widths[-1], size=batch)]
    hidden = len(widths) - 2
    chosen = {"none": (0.0,) * hidden} | cases
    masks = {name: frozen_units(widths, shares, np.random.default_rng(1)) for name, shares in chosen.items()}
    backward, update, found = {}, {}, {}
    for name, frozen in masks.items():
        backward[name], update[name], found[name] = prepared(model, frozen, X, y)
    for name, frozen in masks.items():
        check(found["none"], found[name], frozen, name)
    backward_s, update_s = (medians(jobs, repeats, time.process_time) for jobs in (backward, update))
    shapes, whole = model.shapes.layers, backward_operations(model.shapes.layers, [0] * (hidden + 1), batch)
    rows = []
    for name, frozen in masks.items():
        counts = [int(mask.sum()) for mask in frozen]
        executed = 1 - backward_operations(shapes, counts, batch) / whole
        promised = [
            1 - count(shapes, counts, batch) / count(shapes, [0] * (hidden + 1), batch)
            for count in (counted_operations, booked_operations)
        ]
        rows.append(
            (
                "-".join(map(str, widths)),
                dtype,
                name,
                f"{1e3 * backward_s[name]:.2f}",
                f"{backward_s['none'] / backward_s[name]:.2f}",
                f"{1e3 * update_s[name]:.2f}",
                f"{update_s['none'] / update_s[name]:.2f}",
                f"{executed:.1%}",
                *(f"{one:.1%}" for one in promised),
            )
        )
    return rows, backward_s


def check(whole, found, frozen, name):
    """Compare the gradients of the trained units with those of the whole network."""
    for level, (pair, mask) in enumerate(zip(found, frozen, strict=True)):
        if pair[0] is None:
            continue
        order = np.argsort(frozen[level - 1], kind="stable") if level else np.arange(whole[0][0].shape[0])
        wanted = whole[level][0][order][:, ~mask]
        gap = np.abs(pair[0] - wanted).max() / np.abs(wanted).max()
        if not gap <= 1e4 * np.finfo(wanted.dtype).eps:
            raise AssertionError(f"layer {level} with {name} frozen differs by {gap:.1e}; expected the same gradients")


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--hidden", type=int, default=1000, help="units in each hidden layer")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--dtypes", nargs="*", default=["float64", "float32"])
    options = parser.parse_args(arguments)
    h, rows, goals = options.hidden, [], []
    begin = time.perf_counter()
    print(f"{machine()}, one BLAS thread, batches of {options.batch}\n")
    with threadpool_limits(1):
        for dtype in options.dtypes:
            two = {"25 %": (0.25,), "50 %": (0.5,), "75 %": (0.75,), "all": (1.0,)}
            three = {"50 % of both": (0.5, 0.5), "50 % of the second": (0.0, 0.5), "the first": (1.0, 0.0)}
            three |= {"the first, 50 % of the second": (1.0, 0.5)}
            for widths, cases in (((784, h, 10), two), ((784, h, h, 10), three)):
                more, taken = compare(widths, cases, options.batch, dtype, options.repeats)
                rows += more
                if "50 %" in taken:
                    goals.append(taken["none"] / taken["50 %"])
    header = ("network", "dtype", "frozen", "backward, ms", "times faster", "update, ms", "times faster")
    print(table((*header, "executed", "counted", "booked"), rows))
    print(
        f"\nHalf of {h} hidden units frozen: backward {' and '.join(f'{one:.2f}' for one in goals)} times faster, "
        f"goal {GOAL}: {'met' if min(goals) >= GOAL else 'not met'}. {time.perf_counter() - begin:.0f} s in all."
    )


if __name__ == "__main__":
    main()
