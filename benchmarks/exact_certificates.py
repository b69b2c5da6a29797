"""Certificates that an exact fit is locally unique: the proved bounds, and the time to make and to check them.

Run from the repository root::

    python -m benchmarks.exact_certificates                               # (5, 20) and (20, 100), n = 5,000, d = 50
    python -m benchmarks.exact_certificates --cells 100x200 200x500 --seeds 100:103 --n 50000 --d 100
    python -m benchmarks.exact_certificates --cells 50x100 --labels float32 --fit       # of fits, not of the truth
    python -m benchmarks.exact_certificates --show FILE                   # the table of stored results

The instances are those of ``benchmarks.exact_recovery``. The certified network is the kink form of the planted network,
or with ``--fit`` the result of ``fit_exact``, which takes longer. Each certificate is saved with its data, and a
separate process checks the file with the standard library alone. Seconds are processor seconds, and megabytes the
peak memory of that process (Linux). Each result is written to ``--out`` at once, as one line of JSON; results that are
in the file are not computed again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from benchmarks.exact_recovery import ATOL, instance, keep, read
from benchmarks.machine import machine, table
from recovery.certificates import checker, network_certificate, network_distance
from recovery.certificates.network import NotCertified
from recovery.networks.exact import fit_exact

RUN = """
import importlib.util, json, re, sys, time
spec = importlib.util.spec_from_file_location("checker", sys.argv[1])
checker = importlib.util.module_from_spec(spec)
sys.modules["checker"] = checker
spec.loader.exec_module(checker)
begin = time.process_time()
found = checker.check_file(sys.argv[2])
took = time.process_time() - begin
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1e3
print(json.dumps([found.valid, found.reason, found.seconds, took, 1000 * found.gigabytes, peak]))
"""
CLAIMS = ("radius", "reach", "sigma_min", "residual", "error_bound")
KEY = ("m", "s", "signs", "n", "d", "labels", "seed")
OF = (*KEY, "fit")


def measure(cell: dict[str, Any]) -> dict[str, Any]:
    """Certify one instance and check the certificate from its file."""
    X, y, truth = instance(**{key: cell[key] for key in KEY}, outputs=1)
    row = {**cell, "exact": True, "certified": False, "reason": ""}
    form = truth.kink_form()
    if cell["fit"]:
        found = fit_exact(X, y, n_neurons=cell["m"], sparsity=cell["s"], rng=cell["seed"])
        if not found.success:
            return {**row, "exact": False, "reason": found.message}
        form = found.kink_form
    began = time.process_time()
    try:
        certificate = network_certificate(X, y, form, check=False)
    except NotCertified as error:
        return {**row, "reason": str(error)}
    row["made"] = time.process_time() - began
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fit.json"
        certificate.save(path, data=(X, y) if "sha256" in certificate.data else None)
        row["kilobytes"] = path.stat().st_size / 1000
        run = [sys.executable, "-I", "-c", RUN, checker.__file__, str(path)]
        answer = json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    names = ("certified", "reason", "expected", "checked", "expected megabytes", "megabytes")
    claims = {name: getattr(certificate, name) for name in CLAIMS}
    where = network_distance(certificate, truth)
    place = {"inside": where.inside, "same gates": where.same_gates, "distance": where.distance}
    return {**row, **dict(zip(names, answer, strict=True)), **claims, **place}


def show(rows: list[dict[str, Any]]) -> str:
    """Return the table of cells."""
    cells: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        cells.setdefault(tuple(row[key] for key in OF if key != "seed"), []).append(row)
    lines = []
    for (m, s, signs, n, d, labels, fit), found in cells.items():
        exact = [row for row in found if row["exact"]]
        done = [row for row in exact if row["certified"]]

        def middle(key: str, digits: str, done: list[dict[str, Any]] = done) -> str:
            return format(statistics.median(row[key] for row in done), digits) if done else ""

        lines.append(
            (
                f"({m}, {s})",
                signs,
                f"{n:,}",
                d,
                labels,
                "fit" if fit else "truth",
                f"{len(done)} of {len(exact)}",
                sum(not row["inside"] for row in done),
                middle("made", ".1f"),
                middle("checked", ".1f") + (f" ({max(row['checked'] for row in done):.1f})" if done else ""),
                middle("megabytes", ".0f"),
                middle("kilobytes", ".0f"),
                *(middle(key, ".0e") for key in ("radius", "reach", "sigma_min", "error_bound", "distance")),
            )
        )
    header = (
        "(m, s)",
        "signs",
        "n",
        "d",
        "labels",
        "network",
        "certified",
        "planted network beyond reach",
        "seconds to make",
        "seconds to check (maximum)",
        "MB to check",
        "kB of the file",
        "radius",
        "reach",
        "sigma",
        "error bound",
        "distance to planted",
    )
    return table(header, lines)


def main(arguments: list[str] | None = None) -> None:
    """Measure the missing instances and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", default=["5x20", "20x100"], metavar="MxS")
    parser.add_argument("--seeds", default="100:102", metavar="FROM:TO")
    parser.add_argument("--signs", nargs="+", default=["positive"], choices=("positive", "mixed"))
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--d", type=int, default=50)
    parser.add_argument("--labels", default="float64", choices=tuple(ATOL))
    parser.add_argument("--fit", action="store_true", help="certify fits instead of the planted networks")
    parser.add_argument("--out", type=Path, default=Path("exact_certificates.jsonl"))
    parser.add_argument("--show", type=Path, default=None, metavar="FILE", help="measure nothing")
    chosen = parser.parse_args(arguments)
    if chosen.show is not None:
        print(show(read(chosen.show)))
        return
    rows = read(chosen.out)
    done = {tuple(row[key] for key in OF) for row in rows}
    print(machine(), file=sys.stderr)
    for m, s in (tuple(int(part) for part in cell.split("x")) for cell in chosen.cells):
        for signs in chosen.signs:
            for seed in range(*(int(part) for part in chosen.seeds.split(":"))):
                values = (m, s, signs, chosen.n, chosen.d, chosen.labels, seed, chosen.fit)
                if values in done:
                    continue
                row = measure(dict(zip(OF, values, strict=True)))
                keep(row, rows, chosen.out)
    print(show(rows))


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
