"""What figures 4 and 5 and their companions show: grids of PSNR, the represented images, and the paper's claims."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from paper_repro.claims import Claim, against, slopes_per_decade, verdict
from paper_repro.experiments import inr
from paper_repro.experiments.grids import (
    DEPTH_NAMES,
    LABELS,
    METHODS,
    SPREAD_NOTE,
    deviations_of,
    extras_table,
    means_of,
    panel_row,
    statistics,
    values_table,
)
from paper_repro.results import rows_of
from paper_repro.store import Record

__all__ = ["above_claims", "flat_claims", "spreads_of", "summary_of"]

COLOURS_DB = (0.0, 50.0)
"""The paper's range of colours, in dB."""
SPREAD_DB = (0.0, 10.0)
FLAT_DB, FALL_DB = 2.0, -2.0
"""dB a decade of the width: flat where the median |slope| is at most the first, falling where the median is at most
the second."""

Values = Mapping[tuple[int, int], float]
Means = Callable[[int, str], Values]


def summary_of(
    preset: inr.INRPreset, seed: int, records: Sequence[Record], claims: Callable[[Means, Sequence[int]], list[Claim]]
) -> dict[str, Any]:
    """Return the summary of figure 4 or 5.

    Parameters
    ----------
    preset : INRPreset
        The grids.
    seed : int
        First seed.
    records : sequence of Record
        Finished cells.
    claims : callable
        :func:`flat_claims` or :func:`above_claims`.

    Returns
    -------
    dict
        ``rows`` of heat maps, ``images`` below them, ``table``, ``tables``, ``notes``, ``claims``, ``subtitle``.
    """
    data = str(records[0].cell.settings["data"])
    depths = [grid.depth for grid in preset.grids]
    means = {
        (depth, method): means_of(statistics(records, "psnr_db", depth, method))
        for depth in depths
        for method in METHODS
    }
    rows = [
        _row(preset, grid, DEPTH_NAMES[grid.depth], "mean PSNR (dB)", COLOURS_DB, "both", means)
        for grid in preset.grids
    ]
    return {
        **_head(preset, seed, data),
        "rows": rows,
        "images": [_images(preset, depth, seed, data, records) for depth in depths],
        "table": values_table(rows),
        "tables": [extras_table(records, depths, {"clipped": "outputs outside [0, 1] (share)"})],
        "claims": [claim.as_dict() for claim in claims(lambda depth, method: means[depth, method], depths)],
    }


def spreads_of(preset: inr.INRPreset, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return the summary of a companion: for each depth the standard deviations over the seeds, above the means."""
    data = str(records[0].cell.settings["data"])
    rows = []
    for grid in preset.grids:
        values = {(grid.depth, method): statistics(records, "psnr_db", grid.depth, method) for method in METHODS}
        name = DEPTH_NAMES[grid.depth]
        spread = {key: deviations_of(found) for key, found in values.items()}
        means = {key: means_of(found) for key, found in values.items()}
        rows.append(_row(preset, grid, name, "std of PSNR (dB)", SPREAD_DB, "max", spread, digits=1))
        rows.append(_row(preset, grid, name, "mean PSNR (dB)", COLOURS_DB, "both", means))
    head = _head(preset, seed, data)
    return {**head, "rows": rows, "notes": [*head["notes"], SPREAD_NOTE], "table": values_table(rows)}


def flat_claims(means: Means, depths: Sequence[int]) -> list[Claim]:
    """Return the claim of figure 4, for each depth and for all slopes together."""
    found = []
    for chosen in _parts(depths):
        slopes = {method: _slopes([means(depth, method) for depth in chosen]) for method in METHODS}
        # the paper's colours end at 50 dB: what lies above looks flat there
        seen = {method: _slopes([_as_coloured(means(depth, method)) for depth in chosen]) for method in METHODS}
        texts = {method: _slopes_text(method, slopes[method], seen[method]) for method in METHODS}
        found.append(
            Claim(
                _name("Figure 4", chosen),
                "The PSNR of IHT is nearly flat in m, that of IMP falls as m grows.",
                f"for each s the least-squares slope of the mean PSNR in log10 m; IHT is flat if the median of |slope| "
                f"over s is at most {FLAT_DB:g} dB a decade, IMP falls if its median slope is at most {FALL_DB:g} dB a "
                "decade; both must be so",
                verdict(_flat_and_falling(slopes["released"], slopes["imp-paper"])),
                "; ".join(texts[method] for method in ("released", "repaired", "imp-paper")),
                verdict(_flat_and_falling(slopes["released"], slopes["imp-fair"])),
                texts["imp-fair"],
            )
        )
    return found


def above_claims(means: Means, depths: Sequence[int]) -> list[Claim]:
    """Return the claim of figure 5, for each depth and for all cells together."""
    found = []
    for chosen in _parts(depths):
        # (m, s) of several depths must not fall on each other: a width is shifted by its depth
        def together(method: str, chosen: Sequence[int] = chosen) -> Values:
            return {
                (10_000 * depth + m, s): value for depth in chosen for (m, s), value in means(depth, method).items()
            }

        found.append(
            against(
                _name("Figure 5", chosen),
                "The PSNR of IHT is above that of IMP.",
                "the mean PSNR of IHT as released is higher in more than half of the cells (m, s)",
                together,
            )
        )
    return found


def _parts(depths: Sequence[int]) -> list[tuple[int, ...]]:
    single: list[tuple[int, ...]] = [(depth,) for depth in depths]
    return [*single, tuple(depths)] if len(depths) > 1 else single


def _name(figure: str, depths: Sequence[int]) -> str:
    return f"{figure}, {DEPTH_NAMES[depths[0]]}" if len(depths) == 1 else f"{figure}, both depths"


def _flat_and_falling(ours: list[float], theirs: list[float]) -> bool | None:
    if not ours or not theirs:
        return None
    return median(map(abs, ours)) <= FLAT_DB and median(theirs) <= FALL_DB


def _slopes(values: Sequence[Values]) -> list[float]:
    return [slope for means in values for slope in slopes_per_decade(means).values()]


def _as_coloured(means: Values) -> Values:
    low, high = COLOURS_DB
    return {key: min(max(value, low), high) for key, value in means.items()}


def _slopes_text(method: str, slopes: list[float], seen: list[float]) -> str:
    if not slopes:
        return f"{LABELS[method]}: not measured"
    size = median(map(abs, slopes))
    return (
        f"{LABELS[method]}: median slope {median(slopes):+.1f}, median |slope| {size:.1f} dB a decade "
        f"(PSNR cut to {COLOURS_DB[0]:g} to {COLOURS_DB[1]:g} dB: {median(seen):+.1f} and {median(map(abs, seen)):.1f})"
    )


def _row(
    preset: inr.INRPreset,
    grid: Any,
    name: str,
    unit: str,
    limits: tuple[float, float],
    extend: str,
    points: Mapping[tuple[int, str], dict[tuple[int, int], float]],
    digits: int = 0,
) -> dict[str, Any]:
    return panel_row(
        name,
        unit,
        limits,
        grid,
        {method: points[grid.depth, method] for method in METHODS},
        lambda m, s: inr.possible(preset.n_features, grid.depth, m, s),
        extend=extend,
        digits=digits,
    )


def _head(preset: inr.INRPreset, seed: int, data: str) -> dict[str, Any]:
    image = inr.image(data, preset.block)
    seeds = ", ".join(str(seed + trial) for trial in range(preset.seeds))
    samples, features = f"{image.pixels.size:,} samples", f"{preset.n_features:,} Fourier features"
    if preset.block > 1:
        samples = f"{preset.block} x {preset.block} pixels averaged: {samples}"
        samples, features = f"{samples} ({image.pixels.size * preset.block**2:,} in the paper)", f"{features} (1,500)"
    updates = "" if preset.imp_updates is None else f" ({preset.imp_updates:,} Adam updates a round of the fair IMP)"
    return {
        "subtitle": f"{image.name[0].upper()}{image.name[1:]}\n{samples}, {features}\n"
        f"{preset.n_iter} steps{updates}, seed{'s' if preset.seeds > 1 else ''} {seeds}",
        "data": data,
        "notes": [
            f"Data: {image.name}. PSNR with the peak 1, in dB, over the pixels that were fitted; a fit of more than "
            "350 dB counts as 350 in means. The budget s counts hidden weights (output weights are +-1), but for IMP "
            "as in the paper, which prunes and counts all weights. Under the images stand the PSNR of the unclipped "
            "output and the share of outputs outside of [0, 1], which are drawn at the nearer end."
        ],
    }


def _images(preset: inr.INRPreset, depth: int, seed: int, data: str, records: Sequence[Record]) -> dict[str, Any]:
    m, s = preset.shown
    target = inr.image(data, preset.block).pixels
    panels: list[dict[str, Any]] = [{"title": "image", "pixels": target.tolist(), "text": ""}]
    for method in METHODS:
        found = _output(records, method, depth, m, s, seed)
        panels.append(
            {
                "title": LABELS[method],
                "pixels": None if found is None else np.clip(found[0], 0.0, 1.0).reshape(target.shape).tolist(),
                "text": "not computed" if found is None else found[1],
            }
        )
    return {"name": f"{DEPTH_NAMES[depth]}\nm = {m}, s = {s}", "panels": panels}


def _output(
    records: Sequence[Record], method: str, depth: int, m: int, s: int, seed: int
) -> tuple[np.ndarray, str] | None:
    for record in records:
        settings = record.cell.settings
        key = (settings["method"], settings["depth"], settings["m"], settings["seed"])
        if key != (method, depth, m, seed) or s not in settings["s"]:
            continue
        place = list(settings["s"]).index(s)
        row = rows_of(record)[place]
        ratio = f"{row['psnr_db']:.1f} dB" if math.isfinite(row["psnr_db"]) else "exact"
        return np.asarray(record.arrays["outputs"][place]), f"{ratio}\n{100 * row['clipped']:.0f} % clipped"
    return None
