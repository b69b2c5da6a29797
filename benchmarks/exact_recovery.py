"""Success rates and times of ``recovery.networks.exact.fit_exact`` on planted networks.

Run from the repository root::

    python -m benchmarks.exact_recovery                           # (20, 100) and (50, 200), n = 5,000, d = 50
    python -m benchmarks.exact_recovery --cells 50x100 100x200 --seeds 100:120 --n 50000 --d 100
    python -m benchmarks.exact_recovery --grid --seeds 0:3        # the one-layer grid of Figure 1: hours
    python -m benchmarks.exact_recovery --outputs 10 --n 50000 --d 100    # networks like those of Figure 2
    python -m benchmarks.exact_recovery --inputs uniform ar1 rademacher half-normal pixels --n 10000 --d 100
    python -m benchmarks.exact_recovery --smallest-n 20x100 --d 50 --methods exact robust paper
    python -m benchmarks.exact_recovery --show FILE               # the table of stored results

Networks with positive signs come from ``planted.release_instance``, with the networks and inputs of the paper; those
with mixed signs from ``planted.sparse_network`` on ``planted.gaussian_inputs``. Each fit is written to ``--out`` at
once, as one line of JSON; fits that are in the file are not computed again. A fit is exact if the kink forms agree:
the same lines and supports, weights to 1e-9 (1e-6 for float32 labels). Seconds are processor seconds of one thread.

Other inputs: the data cannot distinguish a line with all samples on one side from the linear part, so it is moved
there in both forms before they are compared. With half-normal inputs these are the bends on the axes and the lines
whose entries have one sign. With inputs +-1 the data determine only the function, not the form: |x_i| = 1, and
|u x_i + v x_k| has two values, whose difference depends on the smaller of the two entries only. The column "function"
therefore counts the fits whose error on 2,000 fresh samples, relative to the targets, is below the same bound. Pixels
are 10 x 10 of each MNIST image, which must be available (``planted.datasets.mnist``).

``--smallest-n`` searches, for each method, for the smallest n of 250, 354, 500, ... at which 9 of 10 seeds are exact to
1e-6.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import planted
import recovery
from benchmarks.machine import machine, table
from planted import arrays
from recovery.networks.exact import fit_exact

STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
ATOL = {"float64": 1e-9, "float32": 1e-6}
KEY = ("m", "s", "signs", "n", "d", "labels", "outputs", "inputs", "seed")
INPUTS = ("gaussian", "uniform", "ar1", "rademacher", "half-normal", "pixels")
METHODS = ("exact", "robust", "paper")
FRESH = 2000


def drawn(kind: str, n: int, d: int, seed: int) -> np.ndarray:
    """Return n samples of d inputs of a kind."""
    rng = np.random.default_rng(1000 + seed)
    if kind == "gaussian":
        return np.asarray(planted.gaussian_inputs(n, d, rng=1000 + seed))
    if kind == "uniform":
        return rng.uniform(-1.0, 1.0, (n, d))
    if kind == "rademacher":
        return rng.choice([-1.0, 1.0], (n, d))
    if kind == "half-normal":
        return np.abs(rng.standard_normal((n, d)))
    if kind == "ar1":  # correlation .5^|i - k|
        X = rng.standard_normal((n, d))
        for i in range(1, d):
            X[:, i] = 0.5 * X[:, i - 1] + np.sqrt(0.75) * X[:, i]
        return X
    side = round(np.sqrt(d))
    if side * side != d or 28 // side < 1:
        raise SystemExit(f"d={d} with pixels; expected the square of a number up to 28")
    try:
        images = planted.datasets.mnist().x_train
    except FileNotFoundError as error:
        raise SystemExit(f"inputs of pixels need MNIST: {error}") from None
    step = max(1, 20 // side)
    first = (28 - step * side) // 2
    rows = rng.permutation(len(images))[:n]
    block = np.asarray(images).reshape(-1, 28, 28)[rows]
    block = block[:, first : first + step * side : step, first : first + step * side : step]
    return block.reshape(len(rows), d).astype(float) / max(1.0, float(block.max()))


def instance(
    m: int, s: int, signs: str, n: int, d: int, labels: str, seed: int, outputs: int = 1, inputs: str = "gaussian"
) -> tuple[Any, Any, Any]:
    """Return inputs, targets and the planted network."""
    if inputs == "gaussian" and (signs == "positive" or outputs > 1):
        return planted.release_instance(m, s, seed, n=n, d=d, n_outputs=outputs, labels=labels)
    X = drawn(inputs, n, d, seed)
    truth = planted.sparse_network(d, m, s, n_outputs=outputs, signs=signs, rng=seed)
    return X, truth(X).astype(labels).astype("float64"), truth


def seen(form: Any, X: Any) -> Any:
    """Return the form with all lines that have samples on one side only moved to its linear part."""
    Z = X @ form.directions
    both = (Z > 0).any(axis=0) & (Z < 0).any(axis=0)
    side = np.where((Z > 0).any(axis=0), 1.0, -1.0)
    moved = form.directions[:, ~both] * side[~both]
    strengths = form.strengths[~both]
    return planted.KinkForm(form.directions[:, both], form.strengths[both], form.linear + moved @ strengths / 2)


def matched(found: Any, truth: Any, X: Any, atol: float) -> Any:
    """Return the match of the kink forms of two functions, as far as X distinguishes them."""
    one, other = (part if isinstance(part, planted.KinkForm) else part.kink_form() for part in (found, truth))
    return planted.match_networks(seen(one, X), seen(other, X), atol=atol)


def measure(cell: dict[str, Any], options: dict[str, Any], device: str = "cpu") -> dict[str, Any]:
    """Fit one instance on a device and return the row of results."""
    X, y, truth = instance(**cell)
    here = arrays.asarray(X, device), arrays.asarray(y, device)
    began, wall = time.process_time(), time.perf_counter()
    fit = fit_exact(*here, n_neurons=cell["m"], sparsity=cell["s"], rng=cell["seed"], **options)
    spent, waited = time.process_time() - began, time.perf_counter() - wall
    atol = ATOL[cell["labels"]]
    parts = (fit.kink_form.directions, fit.kink_form.strengths, fit.kink_form.linear)
    found = planted.KinkForm(*(arrays.to_numpy(part) for part in parts), slack=fit.kink_form.slack)
    form = matched(found, truth, X, atol)
    network = None if fit.network is None else matched(fit.network.to("cpu"), truth, X, atol)
    fresh = drawn(cell["inputs"], FRESH, cell["d"], 10**6 + cell["seed"])
    expected = truth(fresh)
    off = float(np.linalg.norm(found(fresh) - expected) / np.linalg.norm(expected))
    return {
        **cell,
        "exact": form.exact,
        "network": network is not None and network.exact,
        "function": off <= atol,
        "error": form.weight_error if network is None else network.weight_error,
        "recall": form.support_recall,
        "lines": found.n_lines,
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


def recovered(method: str, cell: dict[str, Any], options: dict[str, Any]) -> bool:
    """Return whether a method finds the planted kink form to 1e-6."""
    X, y, truth = instance(**cell)
    fit = recovery.fit_network(
        X, y, n_neurons=cell["m"], sparsity=cell["s"], method=method, rng=cell["seed"], **options
    )
    return fit.network is not None and bool(matched(fit.network, truth, X, 1e-6).exact)


def smallest(method: str, cell: dict[str, Any], seeds: range, largest: int, options: dict[str, Any]) -> str:
    """Return the smallest n of the ladder at which at most a tenth of the seeds fail, as text."""
    n = 250
    for step in range(1, 100):
        if n > largest:
            break
        failed = 0
        for seed in seeds:
            failed += not recovered(method, {**cell, "n": n, "seed": seed}, options)
            if failed > len(seeds) // 10:
                break
        print(f"{method}, n={n}: {'enough' if failed <= len(seeds) // 10 else 'too few'}", file=sys.stderr, flush=True)
        if failed <= len(seeds) // 10:
            return f"{n:,}"
        n = round(250 * 2 ** (step / 2))
    return f"more than {largest:,}"


def show(rows: list[dict[str, Any]]) -> str:
    """Return the table of cells."""
    cells: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        cells.setdefault(tuple(row[key] for key in KEY[:-1]), []).append(row)
    lines = []
    for (m, s, signs, n, d, labels, outputs, inputs), found in sorted(
        cells.items(), key=lambda item: str(item[0][2:]) + f"{item[0]}"
    ):
        spent = [row["seconds"] for row in found]
        failed = [str(row["seed"]) for row in found if not row["exact"]]
        false = sum(row["status"] == "EXACT" and not row["exact"] for row in found)
        lines.append(
            (
                f"({m}, {s})",
                signs,
                f"{n:,}",
                d,
                labels,
                outputs,
                inputs,
                f"{sum(row['exact'] for row in found)} of {len(found)}",
                f"{sum(row['network'] for row in found)} of {len(found)}",
                f"{sum(row.get('function', row['exact']) for row in found)} of {len(found)}",
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
        "inputs",
        "kink form exact",
        "network exact",
        "function",
        "seconds, min / median / max",
        "worst error",
        "seeds that failed",
        "false claims",
    )
    return table(header, lines)


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file, without a last line that was cut off."""
    rows = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            rows.append({"outputs": 1, "inputs": "gaussian", **json.loads(line)})
        except json.JSONDecodeError:
            continue
    return rows


def keep(row: dict[str, Any], rows: list[dict[str, Any]], path: Path) -> None:
    """Append a row to the list and to the file, and print it."""
    rows.append(row)
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row), file=sys.stderr, flush=True)


def grid(d: int) -> list[tuple[int, int]]:
    """Return the cells of Figure 1's one-layer grid in 1-2-5 steps."""
    return [(m, s) for m in STEPS for s in STEPS if s <= d * m]


def main(arguments: list[str] | None = None) -> None:
    """Run the missing fits and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", default=["20x100", "50x200"], metavar="MxS")
    parser.add_argument("--grid", action="store_true", help="all cells of Figure 1 with one hidden layer")
    parser.add_argument("--seeds", default="100:103", metavar="FROM:TO")
    parser.add_argument("--signs", nargs="+", default=["positive"], choices=("positive", "mixed"))
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--d", type=int, default=50)
    parser.add_argument("--labels", default="float64", choices=tuple(ATOL))
    parser.add_argument("--outputs", type=int, default=1, help="more than 1: a sparse output layer, signs as drawn")
    parser.add_argument("--inputs", nargs="+", default=["gaussian"], choices=INPUTS)
    parser.add_argument("--smallest-n", nargs="+", default=None, metavar="MxS", help="search for the sample complexity")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS, help="for --smallest-n")
    parser.add_argument("--largest-n", type=int, default=50_000, help="for --smallest-n")
    parser.add_argument("--time-limit", type=float, default=None)
    parser.add_argument("--device", default="cpu", choices=("cpu", "gpu"), help="of the fits; seconds are the host's")
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
    common = {"d": chosen.d, "labels": chosen.labels, "outputs": chosen.outputs}
    print(machine(), file=sys.stderr)
    if chosen.smallest_n is not None:
        rows = []
        for cell, signs, inputs, method in product(chosen.smallest_n, chosen.signs, chosen.inputs, chosen.methods):
            m, s = (int(part) for part in cell.split("x"))
            settings = {"m": m, "s": s, "signs": signs, "inputs": inputs, **common}
            n = smallest(method, settings, range(first, last), chosen.largest_n, options)
            rows.append((f"({m}, {s})", signs, inputs, chosen.d, method, n))
        print(table(("(m, s)", "signs", "inputs", "d", "method", "smallest n"), rows))
        return
    rows = read(chosen.out)
    done = {tuple(row[key] for key in KEY) for row in rows}
    for (m, s), signs, inputs, seed in product(cells, chosen.signs, chosen.inputs, range(first, last)):
        settings = {"m": m, "s": s, "signs": signs, "n": chosen.n, "inputs": inputs, "seed": seed, **common}
        cell = {key: settings[key] for key in KEY}
        if tuple(cell.values()) in done:
            continue
        row = measure(cell, options, chosen.device)
        keep(row, rows, chosen.out)
    print(show(rows))


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
