"""What figures 4 and 5 and their companions show: grids of PSNR, the represented images, and the paper's claims."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

import planted
from paper_repro import verdicts
from paper_repro.claims import Claim, against, slopes_per_decade
from paper_repro.experiments import inr
from paper_repro.experiments.common import EXACT_DB
from paper_repro.experiments.grids import (
    DEPTH_NAMES,
    LABELS,
    METHODS,
    SPREAD_NOTE,
    compared,
    deviations_of,
    extras_table,
    medians_of,
    panel_row,
    statistics,
    trials,
    values_table,
)
from paper_repro.results import rows_of
from paper_repro.store import Record
from paper_repro.verdicts import Measured, Trials

__all__ = ["above_claims", "data_in_words", "data_of", "flat_claims", "spreads_of", "summary_of"]

COLOURS_DB = (0.0, 50.0)
"""The paper's range of colours, in dB."""
SPREAD_DB = (0.0, 10.0)
FLAT_DB, FALL_DB = 2.0, -2.0
"""dB a decade of the width: flat where the median |slope| is below the first, falling where the median is below the
second."""
TIE_DB = 1.0
"""Fits of two methods that are this close are level."""
PAPER_FEATURES = 1500
OWN_SIZE = "the paper's image and size"
IMAGES = {
    "mnist": "MNIST, one test image",
    "cifar10": "CIFAR-10, one test image",
    "cifar10-jpeg": "CIFAR-10 sample (JPEG), one test image",
    "photo-grey": "stand-in: a grey crop of a photograph",
    "photo-colour": "stand-in: a colour crop of a photograph",
}
"""Source of an image -> what it is, in a few words."""
EXTRAS = {"psnr_db": "PSNR (dB, median)", "clipped": "outputs outside [0, 1] (share)"}

Values = Callable[[int, str], Trials]
"""(depth, method) -> (m, s) -> seed -> PSNR in dB."""


def summary_of(
    preset: inr.INRPreset,
    seed: int,
    records: Sequence[Record],
    claims: Callable[[Values, Sequence[int], str], list[Claim]],
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
    medians = {
        (depth, method): medians_of(statistics(records, "psnr_db", depth, method))
        for depth in depths
        for method in METHODS
    }
    rows = [
        _row(preset, grid, DEPTH_NAMES[grid.depth], "median PSNR (dB)", COLOURS_DB, "both", medians)
        for grid in preset.grids
    ]
    made = claims(lambda depth, method: trials(records, "psnr_db", depth, method), depths, data_in_words(preset, data))
    return {
        **_head(preset, seed, data),
        "rows": rows,
        "images": [_images(preset, depth, seed, data, records) for depth in depths],
        "table": values_table(rows),
        "tables": [
            extras_table(records, depths, EXTRAS, above=(COLOURS_DB[1], f"fits above {COLOURS_DB[1]:g} dB (share)"))
        ],
        "claims": [claim.as_dict() for claim in made],
    }


def spreads_of(preset: inr.INRPreset, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return the summary of a companion: for each depth the standard deviations over the seeds, above the medians."""
    data = str(records[0].cell.settings["data"])
    rows = []
    for grid in preset.grids:
        values = {(grid.depth, method): statistics(records, "psnr_db", grid.depth, method) for method in METHODS}
        name = DEPTH_NAMES[grid.depth]
        spread = {key: deviations_of(found) for key, found in values.items()}
        medians = {key: medians_of(found) for key, found in values.items()}
        rows.append(_row(preset, grid, name, "std of PSNR (dB)", SPREAD_DB, "max", spread, digits=1))
        rows.append(_row(preset, grid, name, "median PSNR (dB)", COLOURS_DB, "both", medians))
    head = _head(preset, seed, data)
    return {**head, "rows": rows, "notes": [*head["notes"], SPREAD_NOTE], "table": values_table(rows)}


def flat_claims(values: Values, depths: Sequence[int], data: str) -> list[Claim]:
    """Return the claim of figure 4, for each depth and for all slopes together."""
    found = []
    for chosen in _parts(depths):
        slopes = {method: slopes_per_decade(_together(values, chosen, method)) for method in METHODS}
        # the paper's colours end at 50 dB: what lies above looks flat there
        seen = {method: slopes_per_decade(_as_coloured(_together(values, chosen, method))) for method in METHODS}
        texts = {method: _slopes_text(method, slopes[method], seen[method]) for method in METHODS}
        paper, fair = (_flat_and_falling(slopes["released"], slopes[rival]) for rival in ("imp-paper", "imp-fair"))
        found.append(
            Claim(
                _name("Figure 4", chosen),
                "The PSNR of IHT is nearly flat in m, that of IMP falls as m grows.",
                "for each s and seed the least-squares slope of the PSNR in log10 m; of these, the share of IHT's "
                f"with an absolute value below {FLAT_DB:g} dB a decade, and the share of IMP's below {FALL_DB:g} dB a "
                f"decade, are both more than half, which is a statement on medians (PSNR above {EXACT_DB:g} dB counts "
                "as that)",
                verdicts.all_of(*paper),
                "; ".join(texts[method] for method in ("released", "repaired", "imp-paper")),
                verdicts.all_of(*fair),
                texts["imp-fair"],
                data,
                _parts_text(paper),
                _parts_text(fair),
            )
        )
    return found


def above_claims(values: Values, depths: Sequence[int], data: str) -> list[Claim]:
    """Return the claim of figure 5, for each depth and for all cells together."""
    return [
        against(
            _name("Figure 5", chosen),
            "The PSNR of IHT is above that of IMP.",
            "of the pairs of fits of a cell m, s and a seed, the share in which the PSNR of IHT as released is above "
            f"that of IMP is more than half; pairs within {TIE_DB:g} dB count half",
            functools.partial(_together, values, chosen),
            data=data,
            tie=TIE_DB,
        )
        for chosen in _parts(depths)
    ]


def _together(values: Values, depths: Sequence[int], method: str) -> dict[tuple[int, int, int], dict[int, float]]:
    found = {(depth, *key): seeds for depth in depths for key, seeds in values(depth, method).items()}
    return compared(found)


def _parts_text(parts: Sequence[Measured]) -> str:
    named = [(name, part) for name, part in zip(("IHT flat:", "IMP falls:"), parts, strict=True) if part.cells]
    return "; ".join(f"{name} {part.interval()}" for name, part in named)


def _parts(depths: Sequence[int]) -> list[tuple[int, ...]]:
    single: list[tuple[int, ...]] = [(depth,) for depth in depths]
    return [*single, tuple(depths)] if len(depths) > 1 else single


def _name(figure: str, depths: Sequence[int]) -> str:
    return f"{figure}, {DEPTH_NAMES[depths[0]]}" if len(depths) == 1 else f"{figure}, both depths"


def _flat_and_falling(ours: Trials, theirs: Trials) -> tuple[Measured, Measured]:
    """Return the shares of slopes that are flat, and that fall."""
    _, _, (flat,) = verdicts.paired(ours)
    _, _, (falling,) = verdicts.paired(theirs)
    return (
        verdicts.share(verdicts.scores(np.full_like(flat, FLAT_DB), np.abs(flat))),
        verdicts.share(verdicts.scores(np.full_like(falling, FALL_DB), falling)),
    )


def _as_coloured(values: Trials) -> dict[Any, dict[int, float]]:
    low, high = COLOURS_DB
    return {key: {seed: min(max(value, low), high) for seed, value in seeds.items()} for key, seeds in values.items()}


def _slopes_text(method: str, slopes: Trials, seen: Trials) -> str:
    if not slopes:
        return f"{LABELS[method]}: not measured"
    every, cut = ([slope for seeds in part.values() for slope in seeds.values()] for part in (slopes, seen))
    size = median(map(abs, every))
    return (
        f"{LABELS[method]}: median slope {median(every):+.1f}, median |slope| {size:.1f} dB a decade "
        f"(PSNR cut to {COLOURS_DB[0]:g} to {COLOURS_DB[1]:g} dB: {median(cut):+.1f} and {median(map(abs, cut)):.1f})"
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


def data_of(kind: str, preset: inr.INRPreset) -> str:
    """Return which image a run of a preset uses on this machine, and of what size; `kind` is "grey" or "colour"."""
    return data_in_words(preset, planted.inr_source(kind))


def data_in_words(preset: inr.INRPreset, data: str) -> str:
    """Return which image the cells use, and of what size.

    Parameters
    ----------
    preset : INRPreset
        The preset.
    data : str
        Where the image comes from.

    Returns
    -------
    str
        A few words; a stand-in is called one.
    """
    whole = math.prod(inr.SHAPES[inr.kind_of(data)])
    seeds = f"{preset.seeds} seed{'s' if preset.seeds > 1 else ''}"
    own = planted.INR_SOURCES[inr.kind_of(data)][0]
    same = data == own and (preset.block, preset.n_features) == (1, PAPER_FEATURES)
    sizes = "{:,} samples, {:,} features".format
    asked = f"the paper: {IMAGES[own]}, {sizes(whole, PAPER_FEATURES)}"
    used = sizes(whole // preset.block**2, preset.n_features)
    return f"{IMAGES[data]}, {used}, {seeds} ({OWN_SIZE if same else asked})"


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
            f"Data: {image.name}. PSNR with the peak 1, in dB, over the pixels that were fitted; median over the "
            "seeds. The budget s counts hidden weights (output weights are +-1), but for IMP "
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
