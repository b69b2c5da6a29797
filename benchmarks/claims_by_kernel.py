"""Verdicts on the papers' claims, compared between two kernels of the linear algebra library.

    OPENBLAS_CORETYPE=Haswell  paper-repro run --preset quick --results results-haswell
    OPENBLAS_CORETYPE=SkylakeX paper-repro run --preset quick --results results-skylakex
    python -m benchmarks.claims_by_kernel results-haswell results-skylakex

For every claim of every experiment that both folders have, it prints the verdict and the interval in each. If any
verdict is "held" in one and "not held" in the other, the exit code is 1. Verdicts that are decided in one folder and
too close to call in the other are also counted; near a limit they cannot be avoided. The number of fits whose PSNR
differs by more than 1 dB shows how much the kernels matter.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from paper_repro import experiment as experiments
from paper_repro.render import markdown
from paper_repro.results import Results, collect
from paper_repro.verdicts import HELD, NOT_HELD, NOT_MEASURED

SIDES = (("the paper's IMP, or none", "verdict", "interval"), ("fair IMP", "fair", "fair_interval"))
FAR_DB = 1.0


def compare(first: Results, second: Results) -> Iterator[dict[str, Any]]:
    """Yield one dict per verdict: the claim, the method compared, and verdict and interval on both sides."""
    others = {(one["figure"], one["claim"]): one for one in second.meta["summary"].get("claims", [])}
    for claim in first.meta["summary"].get("claims", []):
        other = others.get((claim["figure"], claim["claim"]))
        if other is None:
            continue
        for rival, verdict, interval in SIDES:
            pair = claim[verdict], other[verdict]
            if set(pair) <= {HELD, NOT_HELD, NOT_MEASURED, "too close to call"} and set(pair) != {NOT_MEASURED}:
                yield {
                    "figure": claim["figure"],
                    "claim": claim["claim"],
                    "data": claim["data"],
                    "rival": rival,
                    "verdicts": pair,
                    "intervals": (claim[interval], other[interval]),
                }


def flips(found: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """Return the numbers of verdicts that are held on one side and not held on the other, and that differ otherwise."""
    different = [set(one["verdicts"]) for one in found if len(set(one["verdicts"])) > 1]
    wrong = sum(pair == {HELD, NOT_HELD} for pair in different)
    return wrong, len(different) - wrong


def moved(first: Results, second: Results) -> tuple[int, int]:
    """Return the number of fits whose PSNRs differ by more than :data:`FAR_DB`, and that of the fits in both."""

    def scores(results: Results) -> dict[tuple[str, Any], float]:
        return {
            (row["key"], row.get("s")): float(row["psnr_db"])
            for row in results.records
            if row.get("psnr_db") is not None
        }

    ours, theirs = scores(first), scores(second)
    common = [(ours[key], theirs[key]) for key in ours if key in theirs]
    return sum(a != b and not abs(a - b) <= FAR_DB for a, b in common), len(common)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; return 1 if a verdict flips."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs=2, help="results folders, computed under two kernels")
    parser.add_argument("--names", nargs=2, default=None, help="names in the tables; by default those of the folders")
    parser.add_argument("--preset", default="quick", choices=experiments.PRESETS)
    options = parser.parse_args(arguments)
    names = options.names or [folder.name for folder in options.folders]
    found: list[dict[str, Any]] = []
    fits = []
    for name in experiments.names():
        experiment = experiments.get(name)
        if options.preset not in experiment.presets:
            continue
        sides = [collect(experiment, options.preset, folder, 0)[0] for folder in options.folders]
        if not all(side.records for side in sides):
            continue
        found += compare(*sides)
        far, both = moved(*sides)
        if both and experiment.cells_of is None:
            fits.append([name, both, far, f"{100 * far / both:.0f} %"])
    if not found:
        print(f"no claims of preset {options.preset} in both folders", file=sys.stderr)
        return 1
    columns = ["figure", "claim", "against", *(f"{name}: {what}" for name in names for what in ("verdict", "interval"))]
    rows = [
        [
            one["figure"],
            one["claim"],
            one["rival"],
            *(part for pair in zip(one["verdicts"], one["intervals"], strict=True) for part in pair),
        ]
        for one in found
    ]
    print(markdown({"columns": columns, "rows": rows}))
    print("\nData and size: " + "; ".join(dict.fromkeys(f"{one['figure']}: {one['data']}" for one in found)) + ".")
    if fits:
        table = {"columns": ["fits of", "in both", f"PSNR differs by > {FAR_DB:g} dB", "share"], "rows": fits}
        print("\n" + markdown(table))
    wrong, close = flips(found)
    print(f"\n{len(found)} verdicts: {wrong} held in one and not held in the other, {close} differ otherwise")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
