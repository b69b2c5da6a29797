"""Error of ``recovery.networks.exact.fit_exact`` on noisy targets, compared with an oracle.

Run from the repository root::

    python -m benchmarks.exact_noise                                # (10, 50), n = 10,000, d = 50
    python -m benchmarks.exact_noise --cells 20x100 50x100 100x200 --n 50000 --d 100 --seeds 100:105
    python -m benchmarks.exact_noise --robust                       # also the robust method
    python -m benchmarks.exact_noise --show FILE                    # the table of stored results

At a signal-to-noise ratio of DB decibels, the standard deviation of the noise is that of the noise-free targets times
10^(-DB / 20). The error of a network is its root mean square distance from the planted one on 20,000 fresh rows. The
oracle knows the planted support and gates and solves least squares. Precision and recall are those of the supports of
the lines. Each fit is written to ``--out`` at once, as one line of JSON; fits that are in the file are not computed
again. Seconds are processor seconds of one thread.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import planted
import recovery
from benchmarks.exact_recovery import instance, keep, read
from benchmarks.machine import machine, table
from recovery.networks.exact import fit_exact

FRESH = 20_000
KEY = ("method", "m", "s", "signs", "n", "d", "db", "seed")


def noisy(cell: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
    """Return inputs, targets with noise, the planted network, and fresh inputs."""
    sizes = {key: cell[key] for key in ("m", "s", "signs", "n", "d", "seed")}
    X, clean, truth = instance(**sizes, labels="float64", outputs=1)
    draw = np.random.default_rng(5000 + cell["seed"])
    y = clean + clean.std() * 10 ** (-cell["db"] / 20) * draw.standard_normal(len(clean))
    return X, y, truth, draw.standard_normal((FRESH, cell["d"]))


def oracle(X: Any, y: Any, truth: Any) -> Any:
    """Return the network of the planted support and gates that fits y best."""
    neuron, coordinate = np.nonzero(truth.hidden.T)
    F = ((X @ truth.hidden > 0) * truth.output)[:, neuron] * X[:, coordinate]
    found = np.linalg.lstsq(F.T @ F, F.T @ y, rcond=1e-12)[0]

    def predict(fresh: Any) -> Any:
        """Return the outputs at fresh inputs, with the planted gates."""
        return (((fresh @ truth.hidden > 0) * truth.output)[:, neuron] * fresh[:, coordinate]) @ found

    return predict


def measure(cell: dict[str, Any], options: dict[str, Any], auto: tuple[str, ...] = ()) -> dict[str, Any]:
    """Fit one instance and return the row of results."""
    X, y, truth, fresh = noisy(cell)
    target = truth(fresh)

    def error(network: Callable[[Any], Any]) -> float:
        return float(np.sqrt(((network(fresh) - target) ** 2).mean()))

    known = error(oracle(X, y, truth))
    sizes: dict[str, Any] = {"n_neurons": cell["m"], "sparsity": cell["s"]}
    sizes |= dict.fromkeys(auto, "auto")
    began, wall = time.process_time(), time.perf_counter()
    fit: Any
    if cell["method"] == "robust":
        fit = recovery.fit_network(X, y, **sizes, method="robust", rng=cell["seed"])
    else:
        fit = fit_exact(X, y, **sizes, rng=cell["seed"], **options)
    spent, waited = time.process_time() - began, time.perf_counter() - wall
    match = planted.match_networks(fit.network, truth)
    return {
        **cell,
        "oracle": known,
        "error": error(fit.network),
        "ratio": error(fit.network) / known,
        "precision": match.support_precision,
        "recall": match.support_recall,
        "neurons": fit.network.n_neurons,
        "weights": fit.network.sparsity,
        "status": fit.status.name,
        "rounds": fit.n_iter,
        "seconds": spent,
        "wall": waited,
    }


def show(rows: list[dict[str, Any]]) -> str:
    """Return the table of cells."""
    cells: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        cells.setdefault(tuple(row[key] for key in KEY[:-1]), []).append(row)
    lines = []
    for (method, m, s, signs, n, d, db), found in sorted(cells.items(), key=lambda item: item[0][1:] + item[0][:1]):
        ratios = [row["ratio"] for row in found]
        statuses = sorted({row["status"] for row in found})
        lines.append(
            (
                f"({m}, {s})",
                f"{n:,}",
                d,
                signs,
                f"{db:g}",
                method,
                len(found),
                f"{min(ratios):.2f} / {statistics.median(ratios):.2f} / {max(ratios):.2f}",
                f"{min(row['precision'] for row in found):.3f}",
                f"{min(row['recall'] for row in found):.3f}",
                f"{max(row['neurons'] for row in found)}, {max(row['weights'] for row in found)}",
                f"{statistics.median(row['seconds'] for row in found):.1f}",
                " ".join(f"{name} {sum(row['status'] == name for row in found)}" for name in statuses),
            )
        )
    header = (
        "(m, s)",
        "n",
        "d",
        "signs",
        "dB",
        "method",
        "seeds",
        "error / oracle: min, median, max",
        "least precision",
        "least recall",
        "most neurons, weights",
        "seconds, median",
        "status",
    )
    return table(header, lines)


def main(arguments: list[str] | None = None) -> None:
    """Run the missing fits and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", default=["10x50"], metavar="MxS")
    parser.add_argument("--seeds", default="100:105", metavar="FROM:TO")
    parser.add_argument("--db", nargs="+", type=float, default=[10.0, 20.0, 40.0])
    parser.add_argument("--signs", nargs="+", default=["positive", "mixed"], choices=("positive", "mixed"))
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--d", type=int, default=50)
    parser.add_argument("--robust", action="store_true", help="also run the robust method")
    parser.add_argument(
        "--auto", nargs="*", default=[], choices=("n_neurons", "sparsity"), help="sizes to determine from the data"
    )
    parser.add_argument("--search-steps", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path("exact_noise.jsonl"))
    parser.add_argument("--show", type=Path, default=None, metavar="FILE", help="measure nothing")
    chosen = parser.parse_args(arguments)
    if chosen.show is not None:
        print(show(read(chosen.show)))
        return
    first, last = (int(part) for part in chosen.seeds.split(":"))
    options: dict[str, Any] = {} if chosen.search_steps is None else {"search_steps": chosen.search_steps}
    rows = read(chosen.out)
    done = {tuple(row[key] for key in KEY) for row in rows}
    print(machine(), file=sys.stderr)
    name = " ".join(["exact", *(f"auto {size}" for size in chosen.auto)])
    for cell in chosen.cells:
        m, s = (int(part) for part in cell.split("x"))
        for db in chosen.db:
            for signs in chosen.signs:
                for seed in range(first, last):
                    for method in (name, "robust") if chosen.robust else (name,):
                        values = (method, m, s, signs, chosen.n, chosen.d, db, seed)
                        if values in done:
                            continue
                        auto = () if method == "robust" else tuple(chosen.auto)
                        row = measure(dict(zip(KEY, values, strict=True)), options, auto)
                        keep(row, rows, chosen.out)
    print(show(rows))


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
