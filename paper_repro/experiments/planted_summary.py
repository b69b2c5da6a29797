"""What Figures 1 and 2 and their companions 6 and 7 show of the cells of planted networks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from paper_repro.claims import Claim, against
from paper_repro.experiments.common import EXACT_DB, PSNR_CAP_DB
from paper_repro.experiments.grids import (
    DEPTH_NAMES,
    METHODS,
    SPREAD_NOTE,
    compared,
    deviations_of,
    extras_table,
    medians_of,
    panel_row,
    shares_above,
    statistics,
    trials,
    values_table,
)
from paper_repro.experiments.planted_grids import PlantedPreset, possible
from paper_repro.store import Record

__all__ = [
    "COLOUR_RANGE_DB",
    "TIE_DB",
    "Depths",
    "claims_by_depth",
    "data_in_words",
    "summarise_companion",
    "summarise_figure",
    "trials_by_depth",
]

COLOUR_RANGE_DB = (-20.0, 50.0)
"""The paper's."""
DEVIATION_RANGE_DB = (0.0, 30.0)

TIE_DB = 1.0
"""Fits of two methods that are this close are level."""
PAPER = (50_000, 100)
"""The paper's n and d."""
MATCH_NOTE = (
    "Same function: the kink form, which is what a network's function determines, is the planted one's to 1e-6. Same "
    "network: its lines and supports are, too; weights that the budget allows and the data do not need make the "
    "difference. Neither is known for two hidden layers, where a fit can be exact."
)

EXTRAS = {
    "psnr_db": "PSNR (dB, median)",
    "test_psnr_db": "test PSNR (dB, median)",
    "same_function": "same function (share)",
    "exact": "same network (share)",
    "support_recall": "support recall",
    "nonzeros": "non-zeros found",
    "n_iter": "steps",
}

Depths = dict[int, dict[str, dict[tuple[int, int], dict[int, float]]]]
"""Depth -> method -> (m, s) -> seed -> PSNR in dB."""
Points = dict[str, dict[tuple[int, int], float]]


def data_in_words(size: PlantedPreset) -> str:
    """Return which data a preset uses, and of what size."""
    outputs = f", {size.n_outputs} outputs" if size.n_outputs > 1 else ""
    paper = "the paper's size" if (size.n, size.d) == PAPER else "the paper: n = {:,}, d = {}".format(*PAPER)
    seeds = f"{size.seeds} seed{'s' if size.seeds > 1 else ''}"
    return f"planted networks, n = {size.n:,}, d = {size.d}{outputs}, {seeds} ({paper})"


def summarise_figure(
    size: PlantedPreset,
    seed: int,
    records: Sequence[Record],
    claims: Callable[[Depths, str], Sequence[Claim]],
) -> dict[str, Any]:
    """Return the summary of Figure 1 or 2: median PSNR of both depths, and how often the planted network was found.

    Parameters
    ----------
    size : PlantedPreset
        The preset.
    seed : int
        First seed.
    records : sequence of Record
        Finished cells.
    claims : callable
        ``claims(trials by depth, data) -> list``: the paper's claims of this figure.

    Returns
    -------
    dict
        As :mod:`paper_repro.experiments.grids` says.
    """
    rows = []
    for grid in size.grids:
        rows.append(_medians(size, records, grid.depth))
        if grid.depth == 1:
            for name, unit in (
                ("same_function", "same function\n(% of the seeds)"),
                ("exact", "same network\n(% of the seeds)"),
            ):
                points = {method: shares_above(statistics(records, name, 1, method), 0.5) for method in METHODS}
                rows.append(_row(size, records, 1, points, unit, (0.0, 100.0), extend="neither"))
        else:  # no kink form is known there, so only the fit can be exact
            rows.append(_exact_fits(size, records, grid.depth))
    depths = [grid.depth for grid in size.grids]
    summary = _frame(size, seed, rows)
    summary["notes"].append(MATCH_NOTE)
    return {
        **summary,
        "tables": [
            extras_table(records, depths, EXTRAS, above=(EXACT_DB, f"exact fits (share above {EXACT_DB:g} dB)"))
        ],
        "claims": [claim.as_dict() for claim in claims(trials_by_depth(size, records), data_in_words(size))],
    }


def summarise_companion(size: PlantedPreset, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return the summary of Figure 6 or 7: for each depth standard deviations over the seeds, medians, exact fits."""
    rows = []
    for grid in size.grids:
        spread = {method: deviations_of(statistics(records, "psnr_db", grid.depth, method)) for method in METHODS}
        rows.append(
            _row(
                size, records, grid.depth, spread, "standard deviation\nof PSNR (dB)", DEVIATION_RANGE_DB, extend="max"
            )
        )
        rows.append(_medians(size, records, grid.depth))
        rows.append(_exact_fits(size, records, grid.depth))
    summary = _frame(size, seed, rows)
    summary["notes"].append(SPREAD_NOTE)
    return summary


def claims_by_depth(figure: str, claim: str, rule: str, trials: Depths, data: str, margin: float = 0.0) -> list[Claim]:
    """Return a claim about IHT and IMP for each depth, and for all cells of both together.

    Parameters
    ----------
    figure, claim, rule, data : str
        As in :class:`paper_repro.claims.Claim`.
    trials : dict
        depth -> method -> (m, s) -> seed -> PSNR in dB.
    margin : float, default 0
        As in :func:`paper_repro.claims.compare`, in dB.

    Returns
    -------
    list of Claim
        The one about both depths is the last.
    """

    def together(depths: Sequence[int], method: str) -> dict[tuple[int, ...], dict[int, float]]:
        return compared({(depth, *key): seeds for depth in depths for key, seeds in trials[depth][method].items()})

    parts = [(DEPTH_NAMES[depth].capitalize(), [depth]) for depth in trials]
    return [
        against(
            figure, f"{name}: {claim}", rule, functools.partial(together, depths), data=data, margin=margin, tie=TIE_DB
        )
        for name, depths in [*parts, ("Both depths", list(trials))]
    ]


def trials_by_depth(size: PlantedPreset, records: Sequence[Record]) -> Depths:
    """Return depth -> method -> (m, s) -> seed -> PSNR in dB."""
    return {
        grid.depth: {method: trials(records, "psnr_db", grid.depth, method) for method in METHODS}
        for grid in size.grids
    }


def _medians(size: PlantedPreset, records: Sequence[Record], depth: int) -> dict[str, Any]:
    points = {method: medians_of(statistics(records, "psnr_db", depth, method)) for method in METHODS}
    return _row(size, records, depth, points, "median PSNR (dB)", COLOUR_RANGE_DB)


def _exact_fits(size: PlantedPreset, records: Sequence[Record], depth: int) -> dict[str, Any]:
    points = {method: shares_above(statistics(records, "psnr_db", depth, method), EXACT_DB) for method in METHODS}
    unit = f"exact fits, > {EXACT_DB:g} dB\n(% of the seeds)"
    return _row(size, records, depth, points, unit, (0.0, 100.0), extend="neither")


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
            f"PSNR in dB on the samples that were fitted, between -{PSNR_CAP_DB:.0f} (a diverged fit) and "
            f"{PSNR_CAP_DB:.0f} dB, median over the seeds. Above {EXACT_DB:.0f} dB a fit is exact: down to the "
            "rounding of the labels. The paper shows means; means of fits some of which are exact say little, and "
            "depend on the last bits of the processor's arithmetic. Planted networks whose labels are all 0 are left "
            "out."
        ],
    }
