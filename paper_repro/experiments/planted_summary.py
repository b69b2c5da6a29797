"""What Figures 1 and 2 and their companions 6 and 7 show of the cells of planted networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from paper_repro.claims import Claim, against
from paper_repro.experiments.common import PSNR_CAP_DB
from paper_repro.experiments.grids import (
    DEPTH_NAMES,
    METHODS,
    SPREAD_NOTE,
    deviations_of,
    extras_table,
    means_of,
    panel_row,
    statistics,
    values_table,
)
from paper_repro.experiments.planted_grids import PlantedPreset, possible
from paper_repro.store import Record

__all__ = ["COLOUR_RANGE_DB", "Points", "claims_by_depth", "means_by_depth", "summarise_companion", "summarise_figure"]

COLOUR_RANGE_DB = (-20.0, 50.0)
"""The paper's."""
DEVIATION_RANGE_DB = (0.0, 30.0)

TIE_DB = 1.0
"""Cells in which two methods are this close are counted besides; the verdicts do not depend on it."""

EXTRAS = {
    "test_psnr_db": "test PSNR (dB)",
    "exact": "exact recovery (share)",
    "support_recall": "support recall",
    "nonzeros": "non-zeros found",
    "n_iter": "steps",
}

Points = dict[str, dict[tuple[int, int], float]]


def summarise_figure(
    size: PlantedPreset,
    seed: int,
    records: Sequence[Record],
    claims: Callable[[dict[int, Points]], Sequence[Claim]],
) -> dict[str, Any]:
    """Return the summary of Figure 1 or 2: mean PSNR of both depths, and how often the planted network was found.

    Parameters
    ----------
    size : PlantedPreset
        The preset.
    seed : int
        First seed.
    records : sequence of Record
        Finished cells.
    claims : callable
        ``claims(depth -> method -> (m, s) -> mean PSNR)``: the paper's claims of this figure.

    Returns
    -------
    dict
        As :mod:`paper_repro.experiments.grids` says.
    """
    means = means_by_depth(size, records)
    rows = [
        _row(size, records, grid.depth, means[grid.depth], "mean PSNR (dB)", COLOUR_RANGE_DB) for grid in size.grids
    ]
    exact = {
        method: {key: 100 * share for key, share in means_of(statistics(records, "exact", 1, method)).items()}
        for method in METHODS
    }
    rows.append(_row(size, records, 1, exact, "exact recovery\n(% of the seeds)", (0.0, 100.0), extend="neither"))
    return {
        **_frame(size, seed, rows),
        "tables": [extras_table(records, [grid.depth for grid in size.grids], EXTRAS)],
        "claims": [claim.as_dict() for claim in claims(means)],
    }


def summarise_companion(size: PlantedPreset, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return the summary of Figure 6 or 7: for each depth the standard deviation over the seeds above the mean."""
    means, rows = means_by_depth(size, records), []
    for grid in size.grids:
        spread = {method: deviations_of(statistics(records, "psnr_db", grid.depth, method)) for method in METHODS}
        rows.append(
            _row(
                size, records, grid.depth, spread, "standard deviation\nof PSNR (dB)", DEVIATION_RANGE_DB, extend="max"
            )
        )
        rows.append(_row(size, records, grid.depth, means[grid.depth], "mean PSNR (dB)", COLOUR_RANGE_DB))
    summary = _frame(size, seed, rows)
    summary["notes"].append(SPREAD_NOTE)
    return summary


def claims_by_depth(
    figure: str, claim: str, rule: str, means: Mapping[int, Points], margin: float = 0.0
) -> list[Claim]:
    """Return a claim about IHT and IMP for each depth, and for all cells of both together.

    Parameters
    ----------
    figure, claim, rule : str
        As in :class:`paper_repro.claims.Claim`.
    means : mapping
        depth -> method -> (m, s) -> mean.
    margin : float, default 0
        As in :func:`paper_repro.claims.compare`, in dB.

    Returns
    -------
    list of Claim
        The one about both depths is the last.
    """

    def together(method: str) -> dict[tuple[int, ...], float]:
        return {(depth, *key): value for depth, points in means.items() for key, value in points[method].items()}

    found = [
        against(
            figure, f"{DEPTH_NAMES[depth].capitalize()}: {claim}", rule, points.__getitem__, margin=margin, tie=TIE_DB
        )
        for depth, points in means.items()
    ]
    return [*found, against(figure, f"Both depths: {claim}", rule, together, margin=margin, tie=TIE_DB)]


def means_by_depth(size: PlantedPreset, records: Sequence[Record]) -> dict[int, Points]:
    """Return depth -> method -> (m, s) -> mean PSNR over the seeds, in dB."""
    return {
        grid.depth: {method: means_of(statistics(records, "psnr_db", grid.depth, method)) for method in METHODS}
        for grid in size.grids
    }


def _row(
    size: PlantedPreset,
    records: Sequence[Record],
    depth: int,
    points: Points,
    unit: str,
    limits: tuple[float, float],
    *,
    extend: str = "both",
    digits: int = 0,
) -> dict[str, Any]:
    (grid,) = [grid for grid in size.grids if grid.depth == depth]
    silent = _silent(records, depth)

    def drawn(m: int, s: int) -> bool:
        return possible(size, depth, m, s) and (m, s) not in silent

    return panel_row(DEPTH_NAMES[depth], unit, limits, grid, points, drawn, extend=extend, digits=digits)


def _silent(records: Sequence[Record], depth: int) -> set[tuple[int, int]]:
    """Return the grid points at which the labels of all planted networks are 0."""
    found: dict[tuple[int, int], bool] = {}
    for record in records:
        settings = record.cell.settings
        if settings["depth"] == depth:
            key = (settings["m"], settings["s"])
            found[key] = found.get(key, True) and record.metrics["status"] == "ZERO_DATA"
    return {key for key, silent in found.items() if silent}


def _frame(size: PlantedPreset, seed: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    batches = f" on batches of {size.batch_size:,}" if size.batch_size else ""
    outputs = f", {size.n_outputs} outputs" if size.n_outputs > 1 else ""
    steps = f"{size.epochs} epochs{batches}" if size.batch_size else f"{size.epochs} steps on all samples"
    updates = "" if size.imp_updates is None else f", fair IMP {size.imp_updates:,} updates a round"
    seeds = f"seed{'s' if size.seeds > 1 else ''} " + ", ".join(str(seed + trial) for trial in range(size.seeds))
    return {
        "subtitle": f"n = {size.n:,} samples, d = {size.d} Gaussian inputs{outputs}, {seeds}\n"
        f"{steps}{updates}; grey: no such network, or labels all 0",
        "rows": rows,
        "table": values_table(rows),
        "notes": [
            f"PSNR in dB on the samples that were fitted; in means an exact fit counts as {PSNR_CAP_DB:.0f} dB, "
            f"a diverged one as at least -{PSNR_CAP_DB:.0f} dB. "
            "Planted networks whose labels are all 0 are left out."
        ],
    }
