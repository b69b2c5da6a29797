"""How often the neural isometry conditions hold, and how often the convex programs recover in each case.

Run from the repository root::

    python -m benchmarks.neural_isometry                  # a few minutes
    python -m benchmarks.neural_isometry --held 60 --trials 20

For the first table, one to three neurons with their gates, or a linear part, are planted among random gates. A program
has recovered w if its solution is the planted w up to 1e-6 |w|. For the second table a linear part is planted, and
n / d grows, for standard normal X.
"""

from __future__ import annotations

import argparse

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.machine import machine, seconds, table
from recovery.conditions import neural_isometry
from recovery.networks import cone_program, group_program

EXACT = 1e-6
MARGIN = 1e-3
GATES = 8
ROWS = (
    ("NIC-L", 0, False),
    ("NIC-1", 1, False),
    ("NIC-k, k = 2", 2, False),
    ("NIC-k, k = 3", 3, False),
    ("NIC-1 normalised", 1, True),
    ("NIC-k normalised, k = 2", 2, True),
)


def draw(rng, count):
    """Return X, gates and w: `count` neurons with their gates, and random gates; for 0, a linear part."""
    d = int(rng.integers(2, 5))
    n = int(rng.integers(2 * d * count, 9 * d * count)) if count else int(rng.integers(d, 5 * d))
    X = rng.standard_normal((n, d)) if rng.random() < 0.5 else rng.standard_t(3.0, (n, d))
    W = rng.standard_normal((max(count, 1), d))
    H = rng.standard_normal((d, GATES))
    if not count:
        return X, X @ H >= 0, W[0]
    gates = X @ np.concatenate([W.T, H], axis=1) >= 0
    if len(np.unique(gates[:, :count], axis=1).T) < count:
        return None
    others = [j for j in range(count, gates.shape[1]) if not (gates[:, [j]] == gates[:, :j]).all(axis=0).any()]
    w = np.zeros((count + len(others), d))
    w[:count] = W * rng.choice([-1.0, 1.0], (count, 1))
    return X, gates[:, [*range(count), *others]], w


def recovered(found, w, linear):
    """Return whether a program's solution is the planted one."""
    if found.w is None:
        return False
    got, there = found.w, np.ravel(w)
    if linear:
        got, there = np.concatenate([found.linear, found.w]), np.concatenate([w, np.zeros_like(found.w)])
    return bool(np.linalg.norm(got - there) <= EXACT * np.linalg.norm(there))


def trial(rng, count, normalised):
    """Return the condition's margin, and whether the best dual vector has one and the programs recover, or None."""
    drawn = draw(rng, count)
    if drawn is None:
        return None
    X, gates, w = drawn
    linear = count == 0
    options = {"kind": "linear" if linear else "multiple", "normalised": normalised}
    shortest = neural_isometry(X, gates, w, **options)
    if shortest.dual is None:  # M has no full column rank
        return None
    best = neural_isometry(X, gates, w, dual="best", **options)
    there = w if linear else np.ravel(w)
    y = X @ w if linear else (X @ w.T * gates).sum(axis=1)
    group = recovered(group_program(X, gates, y, linear=linear, normalised=normalised, tol=1e-12), there, linear)
    cone = None if normalised else recovered(cone_program(X, gates, y, linear=linear, tol=1e-12), there, linear)
    return shortest.margin, best.margin > 1e-6, group, cone


def share(results, column):
    """Return the number of results for which a column is true, as text."""
    if not results or results[0][column] is None:
        return "-"
    return f"{sum(one[column] for one in results)} of {len(results)}"


def conditions(held, seed):
    """Print each row of the first table when it is complete, and return the number of violations."""
    violations = 0
    for row, (name, count, normalised) in enumerate(ROWS):
        rng = np.random.default_rng([seed, row])
        results = []
        while sum(one[0] >= MARGIN for one in results) < held:
            one = trial(rng, count, normalised)
            if one is not None:
                results.append(one)
        good = [one for one in results if one[0] >= MARGIN]
        bad = [one for one in results if one[0] < 0.0]
        violations += sum((not one[2]) + (one[3] is False) for one in good)
        cells = [share(part, column) for part in (good, bad) for column in (2, 3)]
        line = [name, len(results), len(good), *cells[:2], len(bad), *cells[2:], share(bad, 1)]
        print("| " + " | ".join(map(str, line)) + " |", flush=True)
    return violations


def threshold(trials, seed):
    """Return the rows of the second table: the shares of draws on which NIC-L holds, by n / d."""
    rows = []
    for d in (5, 10, 20):
        for ratio in (1.0, 1.5, 1.75, 2.0, 2.25, 2.5, 3.0, 4.0):
            n = round(ratio * d)
            held = best = hits = 0
            for number in range(trials):
                rng = np.random.default_rng([seed, d, n, number])
                X, w = rng.standard_normal((n, d)), rng.standard_normal(d)
                gates = X @ rng.standard_normal((d, max(2 * n, 50))) >= 0
                gates = gates[:, ~gates.all(axis=0)]
                held += neural_isometry(X, gates, w, kind="linear").holds is True
                if d <= 10:
                    best += neural_isometry(X, gates, w, kind="linear", dual="best").holds is True
                    hits += recovered(group_program(X, gates, X @ w, linear=True, tol=1e-12), w, True)
            shown = [f"{100 * number / trials:.0f} %" if d <= 10 else "-" for number in (best, hits)]
            rows.append([d, n, f"{n / d:.2f}", f"{100 * held / trials:.0f} %", *shown])
    return rows


def main(arguments=None):
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--held", type=int, default=500, help="number of instances on which a condition has to hold")
    parser.add_argument("--trials", type=int, default=50, help="number of instances per row of the second table")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    print(machine() + "\n")
    held = f"held (margin >= {MARGIN:g})"
    head = ["condition", "usable", held, "group", "cone", "failed", "group", "cone", "best dual holds"]
    print(table(head, []))
    spent, violations = seconds(lambda: conditions(options.held, options.seed))
    print(f"\n{violations} violations; {spent:.0f} s\n")
    spent, rows = seconds(lambda: threshold(options.trials, options.seed))
    print(table(["d", "n", "n / d", "NIC-L holds", "best dual holds", "group program recovers"], rows))
    print(f"\n{spent:.0f} s")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
