"""How often ``recovery.networks.exact.fit_exact`` finds a planted network to the last digit, and how long that takes.

Run from the repository root::

    python -m benchmarks.exact_recovery                           # (20, 100) and (50, 200), n = 5,000, d = 50
    python -m benchmarks.exact_recovery --cells 50x100 100x200 --seeds 100:120 --n 50000 --d 100
    python -m benchmarks.exact_recovery --grid --seeds 0:3        # the one-layer grid of Figure 1: hours
    python -m benchmarks.exact_recovery --outputs 10 --n 50000 --d 100    # networks like those of Figure 2
    python -m benchmarks.exact_recovery --show FILE               # the table of what was measured

Positive signs: ``planted.release_instance``, whose networks and inputs are those of the paper. Mixed signs:
``planted.sparse_network`` on ``planted.gaussian_inputs``. One line of JSON a fit goes to ``--out`` as soon as it is
there; a fit that is in the file already is not made again. Exact means that the kink forms agree: the same lines and
supports, weights to 1e-9 (1e-6 for float32 labels). Seconds are processor seconds of one thread.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

import planted
from benchmarks.machine import machine, table
from recovery.networks.exact import fit_exact

STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
ATOL = {"float64": 1e-9, "float32": 1e-6}
KEY = ("m", "s", "signs", "n", "d", "labels", "outputs", "seed")


def instance(m: int, s: int, signs: str, n: int, d: int, labels: str, outputs: int, seed: int) -> tuple[Any, Any, Any]:
    """Return inputs, targets and the planted network."""
    if signs == "positive" or outputs > 1:
        return planted.release_instance(m, s, seed, n=n, d=d, n_outputs=outputs, labels=labels)
    X = planted.gaussian_inputs(n, d, rng=1000 + seed)
    truth = planted.sparse_network(d, m, s, signs="mixed", rng=seed)
    return X, truth(X).astype(labels).astype("float64"), truth


def measure(cell: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Fit one instance and return what came out."""
    X, y, truth = instance(**cell)
    began, wall = time.process_time(), time.perf_counter()
    fit = fit_exact(X, y, n_neurons=cell["m"], sparsity=cell["s"], rng=cell["seed"], **options)
    spent, waited = time.process_time() - began, time.perf_counter() - wall
    atol = ATOL[cell["labels"]]
    form = planted.match_networks(fit.kink_form, truth, atol=atol)
    network = None if fit.network is None else planted.match_networks(fit.network, truth, atol=atol)
    return {
        **cell,
        "exact": form.exact,
        "network": network is not None and network.exact,
        "error": form.weight_error if network is None else network.weight_error,
        "recall": form.support_recall,
        "lines": fit.kink_form.n_lines,
        "planted_lines": truth.kink_form().n_lines,
        "psnr_db": fit.psnr_db,
        "relative": fit.relative_residual,
        "status": fit.status.name,
        "success": fit.success,
        "rounds": fit.n_iter,
        "starts": 1 + int(max(fit.history["start"], default=0)),
        "seconds": spent,
        "wall": waited,
    }


def show(rows: list[dict[str, Any]]) -> str:
    """Return the table of cells."""
    cells: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        cells.setdefault(tuple(row[key] for key in KEY[:-1]), []).append(row)
    lines = []
    for (m, s, signs, n, d, labels, outputs), found in sorted(
        cells.items(), key=lambda item: str(item[0][2:]) + f"{item[0]}"
    ):
        spent = [row["seconds"] for row in found]
        failed = [str(row["seed"]) for row in found if not row["exact"]]
        false = sum(row["success"] and not row["exact"] for row in found)
        lines.append(
            (
                f"({m}, {s})",
                signs,
                f"{n:,}",
                d,
                labels,
                outputs,
                f"{sum(row['exact'] for row in found)} of {len(found)}",
                f"{sum(row['network'] for row in found)} of {len(found)}",
                f"{min(spent):.1f} / {statistics.median(spent):.1f} / {max(spent):.1f}",
                f"{max((row['error'] for row in found if row['exact']), default=float('nan')):.0e}",
                ", ".join(failed) or "none",
                false,
            )
        )
    header = (
        "(m, s)",
        "signs",
        "n",
        "d",
        "labels",
        "outputs",
        "kink form exact",
        "network exact",
        "seconds, min / median / max",
        "worst error",
        "seeds that failed",
        "false claims",
    )
    return table(header, lines)


def read(path: Path) -> list[dict[str, Any]]:
    """Return what a file holds; a last line that was cut off is left out."""
    rows = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            rows.append({"outputs": 1, **json.loads(line)})
        except json.JSONDecodeError:
            continue
    return rows


def grid(d: int) -> list[tuple[int, int]]:
    """Return the cells of Figure 1's one-layer grid in 1-2-5 steps."""
    return [(m, s) for m in STEPS for s in STEPS if s <= d * m]


def main(arguments: list[str] | None = None) -> None:
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", default=["20x100", "50x200"], metavar="MxS")
    parser.add_argument("--grid", action="store_true", help="all cells of Figure 1 with one hidden layer")
    parser.add_argument("--seeds", default="100:103", metavar="FROM:TO")
    parser.add_argument("--signs", nargs="+", default=["positive"], choices=("positive", "mixed"))
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--d", type=int, default=50)
    parser.add_argument("--labels", default="float64", choices=tuple(ATOL))
    parser.add_argument("--outputs", type=int, default=1, help="more than 1: a sparse output layer, signs as drawn")
    parser.add_argument("--time-limit", type=float, default=None)
    parser.add_argument("--search-steps", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path("exact_recovery.jsonl"))
    parser.add_argument("--show", type=Path, default=None, metavar="FILE", help="measure nothing")
    chosen = parser.parse_args(arguments)
    if chosen.show is not None:
        print(show(read(chosen.show)))
        return
    first, last = (int(part) for part in chosen.seeds.split(":"))
    cells = grid(chosen.d) if chosen.grid else [tuple(int(part) for part in cell.split("x")) for cell in chosen.cells]
    options: dict[str, Any] = {} if chosen.time_limit is None else {"time_limit": chosen.time_limit}
    if chosen.search_steps is not None:
        options["search_steps"] = chosen.search_steps
    rows = read(chosen.out)
    done = {tuple(row[key] for key in KEY) for row in rows}
    print(machine(), file=sys.stderr)
    for m, s in cells:
        for signs in chosen.signs:
            for seed in range(first, last):
                values = (m, s, signs, chosen.n, chosen.d, chosen.labels, chosen.outputs, seed)
                if values in done:
                    continue
                row = measure(dict(zip(KEY, values, strict=True)), options)
                rows.append(row)
                with chosen.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(json.dumps(row), file=sys.stderr, flush=True)
    print(show(rows))


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
