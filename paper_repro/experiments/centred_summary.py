"""What the runs of `centred` amount to: rates of both arms, and paired tests of their difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paper_repro.experiments.intervals import wilson
from paper_repro.experiments.lottery import SOURCE, rate_text
from paper_repro.store import Record

__all__ = ["LABELS", "paired_test", "summarise_arms"]

LABELS = {"niht": "NIHT", "htp-plain": "HTP, plain", "htp": "HTP, with escapes"}


def paired_test(gained: int, lost: int) -> float:
    """Return the two-sided p-value of McNemar's exact test.

    Parameters
    ----------
    gained, lost : int
        Instances that only the second arm solved, and instances that only the first one solved.

    Returns
    -------
    float
        Given that the arms differ on ``gained + lost`` instances, ``gained`` is Binomial(gained + lost, 1/2) where
        they are equally good; 1 if they never differ.

    References
    ----------
    McNemar 1947, in its exact form (``scipy.stats.binomtest``).
    """
    if gained + lost == 0:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost).pvalue)


def summarise_arms(
    sizes: Sequence[int],
    neurons: Sequence[int],
    d: int,
    signs: Sequence[str],
    solvers: Sequence[str],
    records: Sequence[Record],
) -> dict[str, Any]:
    """Return a panel for each solver and number of neurons, and the table.

    Parameters
    ----------
    sizes, neurons : sequence of int
        n and k.
    d : int
        Inputs.
    signs : sequence of str
        Kinds of output weights; the first is drawn with bands.
    solvers : sequence of str
        Names that the records use.
    records : sequence of Record
        Finished cells.

    Returns
    -------
    dict
        The experiment's summary.
    """
    pooled: dict[tuple[str, int, int], dict[str, np.ndarray]] = {}
    for kind in signs:
        for k in neurons:
            for n in sizes:
                parts = [
                    record.arrays
                    for record in records
                    if (record.cell.settings["signs"], record.cell.settings["k"], record.cell.settings["n"])
                    == (kind, k, n)
                ]
                if parts:
                    pooled[kind, k, n] = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    points = {(solver, *place): _point(outcomes, solver) for place, outcomes in pooled.items() for solver in solvers}
    panels = [
        {
            "solver": LABELS[solver],
            "k": k,
            "curves": {kind: _curves(points, solver, kind, k, sizes) for kind in signs},
        }
        for solver in solvers
        for k in neurons
    ]
    trials = {kind: sorted({point["trials"] for key, point in points.items() if key[1] == kind}) for kind in signs}
    listed = ", ".join(f"{_range(counts)} {kind}" for kind, counts in trials.items() if counts)
    other = {
        arm: sum(int(outcomes[f"{solver} {arm} other"].sum()) for outcomes in pooled.values() for solver in solvers)
        for arm in ("raw", "centred")
    }
    return {
        "subtitle": f"d = {d}, gates of e_a ± e_b ({d * d * (d - 1)} columns), k neurons, s = 2k; instances a point: "
        f"{listed}\nbands: 95 %; star: the arms differ, McNemar's exact test, p < 0.05 / {len(points)}",
        "n": list(sizes),
        "k": list(neurons),
        "solvers": [LABELS[solver] for solver in solvers],
        "panels": panels,
        "notes": [
            SOURCE + " Brackets and bands: Wilson's 95 % intervals. p: McNemar's exact test of the paired outcomes, "
            f"two-sided; {len(points)} tests, so a star stands for p < 0.05 / {len(points)}.",
            "Both arms seek 2 k weights on unit columns with the same step rules; the answer of the centred arm holds "
            "its fitted linear part, which has to vanish to the same tolerance.",
            f"Answers with other weights that fit all labels: raw {other['raw']}, centred (up to a linear function) "
            f"{other['centred']}. They count as failures.",
            *_pooled_notes(points, signs, solvers),
        ],
        "table": _table(points, pooled),
    }


def _point(outcomes: Mapping[str, np.ndarray], solver: str) -> dict[str, Any]:
    raw, centred = outcomes[f"{solver} raw"], outcomes[f"{solver} centred"]
    gained, lost = int((centred & ~raw).sum()), int((raw & ~centred).sum())
    return {
        "trials": len(raw),
        "raw": _rate(raw),
        "centred": _rate(centred),
        "gained": gained,
        "lost": lost,
        "p": paired_test(gained, lost),
    }


def _rate(outcomes: np.ndarray) -> dict[str, Any]:
    low, high = wilson(int(outcomes.sum()), len(outcomes)) or (None, None)
    return {"rate": float(outcomes.mean()), "low": low, "high": high}


def _curves(
    points: Mapping[tuple[str, str, int, int], dict[str, Any]], solver: str, kind: str, k: int, sizes: Sequence[int]
) -> dict[str, Any]:
    known = [(n, points[solver, kind, k, n]) for n in sizes if (solver, kind, k, n) in points]
    arms = {
        arm: {name: [point[arm][name] for _, point in known] for name in ("rate", "low", "high")}
        for arm in ("raw", "centred")
    }
    return {"n": [n for n, _ in known], **arms, "differs": [point["p"] < 0.05 / len(points) for _, point in known]}


def _pooled_notes(
    points: Mapping[tuple[str, str, int, int], dict[str, Any]], signs: Sequence[str], solvers: Sequence[str]
) -> list[str]:
    """Say how often each arm alone was right, over all points: the paired test stays valid when they are pooled."""
    notes = []
    for kind in signs:
        parts = []
        for solver in solvers:
            here = [point for key, point in points.items() if key[:2] == (solver, kind)]
            gained, lost = sum(point["gained"] for point in here), sum(point["lost"] for point in here)
            parts.append(f"{LABELS[solver]} {gained} against {lost} (p = {paired_test(gained, lost):.1e})")
        notes.append(f"Only centred right against only raw right, all points, {kind} outputs: {'; '.join(parts)}.")
    return notes


def _table(
    points: Mapping[tuple[str, str, int, int], dict[str, Any]],
    pooled: Mapping[tuple[str, int, int], Mapping[str, np.ndarray]],
) -> dict[str, Any]:
    columns = ["solver", "outputs", "k", "n", "trials", "raw", "centred", "only centred", "only raw", "p"]
    columns += ["beta/alpha, raw", "beta/alpha, centred"]
    rows = []
    for (solver, kind, k, n), point in points.items():
        ratios = [float(np.median(pooled[kind, k, n][f"ratio {arm}"])) for arm in ("raw", "centred")]
        row = [LABELS[solver], kind, k, n, point["trials"], rate_text(point["raw"]), rate_text(point["centred"])]
        rows.append([*row, point["gained"], point["lost"], f"{point['p']:.1e}", *ratios])
    return {"columns": columns, "rows": rows}


def _range(counts: Sequence[int]) -> str:
    return str(counts[0]) if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
