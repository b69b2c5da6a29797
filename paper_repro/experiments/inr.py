"""Figures 4, 5, 9 and 10: how well sparse networks of Fourier features represent an image, over width m and sparsity s.

Implicit neural representations: a network's inputs are the coordinates of a pixel, and its output is the pixel's value.
Figure 4 has a grey image of 784 pixels, Figure 5 a colour image of 3,072 samples; Figures 9 and 10 show the spread over
the seeds.


As in the paper's release the inputs are Fourier features of the integer row and column (and colour plane) of a pixel,
the frequencies are redrawn for each seed, all pixels are one batch, and the PSNR takes 1, the largest value that a
pixel can have, as its peak. All methods of a seed see the same features.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

import planted
from paper_repro import verdicts
from paper_repro.claims import Claim, against, slopes_per_decade
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import EXACT_DB, stream
from paper_repro.experiments.grids import (
    DEPTH_NAMES,
    LABELS,
    METHODS,
    SPREAD_NOTE,
    Grid,
    compared,
    deviations_of,
    extras_table,
    fits,
    meanings,
    medians_of,
    panel_row,
    statistics,
    trials,
    values_table,
)
from paper_repro.results import rows_of
from paper_repro.store import Record
from paper_repro.verdicts import Measured, Trials
from planted.base import arrays
from recovery.mlp.losses import psnr_of

__all__ = [
    "EXPERIMENTS",
    "FIG4",
    "FIG5",
    "FIG9",
    "FIG10",
    "SIGMAS",
    "INRCell",
    "INRPreset",
    "above_claims",
    "cells_of",
    "compute",
    "cost",
    "data_in_words",
    "data_of",
    "flat_claims",
    "possible",
    "spreads_of",
    "summary_of",
]


SIGMAS = {"grey": (2.0, 2.0), "colour": (5.0, 5.0, 0.05)}
"""Standard deviation of the frequencies along rows, columns and colour planes, in the paper's release."""
SHAPES = {"grey": (28, 28), "colour": (32, 32, 3)}
PEAK, HALF_STEP = 1.0, 0.5 / 255
"""Largest value of a pixel, and half of the step between two values of a file."""
DTYPES = {"paper": "float64", "robust": "float64", "imp-paper": "float32", "imp-fair": "float32"}
"""As in the release: IHT on CuPy's float64, pruning in PyTorch's float32."""


@dataclass(frozen=True)
class INRCell:
    """Fits of one image: one of IHT, or those of one pass of pruning, a fit for each number in `s`."""

    m: int
    s: tuple[int, ...]
    seed: int
    method: str
    depth: int
    data: str
    block: int
    n_features: int
    n_iter: int
    imp_updates: int | None
    imp_fine_tune: int | None
    dtype: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "s", tuple(self.s))  # a list where it comes from JSON


@dataclass(frozen=True)
class INRPreset:
    """Grids, the network (m, s) whose images are shown, and the size of the problem.

    A smaller problem averages squares of `block` x `block` pixels and takes fewer features in the same proportion: what
    matters is whether there are more features than samples, as in figure 4, or fewer, as in figure 5.
    """

    grids: tuple[Grid, ...]
    seeds: int
    shown: tuple[int, int]
    block: int = 1
    n_features: int = 1500
    n_iter: int = 100
    imp_updates: int | None = None
    imp_fine_tune: int | None = None


def possible(n_features: int, depth: int, m: int, s: int) -> bool:
    """Return whether a network of this size has `s` hidden weights."""
    return s <= n_features * m + (depth - 1) * m * m


def cells_of(preset: INRPreset, data: str, seed: int) -> list[INRCell]:
    """Return the cells of a preset; a pass of pruning serves all sparsities of a width."""
    made = []
    for grid in preset.grids:
        for method in METHODS:
            for m in grid.m:
                able = tuple(s for s in grid.s if possible(preset.n_features, grid.depth, m, s))
                groups = [able] if method.startswith("imp-") else [(s,) for s in able]
                made += [
                    INRCell(
                        m,
                        group,
                        seed + trial,
                        method,
                        grid.depth,
                        data,
                        preset.block,
                        preset.n_features,
                        preset.n_iter,
                        *((preset.imp_updates, preset.imp_fine_tune) if method == "imp-fair" else (None, None)),
                        DTYPES[method],
                    )
                    for group in groups
                    if group
                    for trial in range(preset.seeds)
                ]
    return made


def cost(cell: INRCell) -> float:
    """Return what a cell costs: products of all rows with all weights, forwards and backwards."""
    n = math.prod(SHAPES[kind_of(cell.data)]) / cell.block**2
    weights = cell.m * (cell.n_features + (cell.depth - 1) * cell.m)
    if cell.method.startswith("imp-"):
        rounds = 1 + math.log(max(weights / min(cell.s), 1.0)) / math.log(1 / 0.9)
        return 3.0 * rounds * max(cell.n_iter, cell.imp_updates or 0) * n * weights
    if cell.method == "robust":  # least squares on up to three times s columns, and a joint phase for two layers
        columns = max(cell.s[0], min(3 * cell.s[0], n / 2))
        return cell.n_iter * cell.depth * n * (4.0 * weights + columns**2 / 4)
    return cell.n_iter * n * (2.0 * weights + 20.0 * cell.s[0])


def kind_of(data: str) -> str:
    """Return "grey" or "colour" for a source of images."""
    return next(kind for kind, sources in planted.INR_SOURCES.items() if data in sources)


@functools.lru_cache(maxsize=4)
def image_of(data: str, block: int) -> planted.INRImage:
    """Return the image that is to be represented, each square of `block` x `block` pixels averaged."""
    whole = planted.inr_image(data)
    rows, columns, *planes = whole.pixels.shape
    squares = whole.pixels.reshape(rows // block, block, columns // block, block, *planes)
    return planted.INRImage(whole.name, squares.mean(axis=(1, 3)))


@functools.lru_cache(maxsize=2)
def _problem(data: str, block: int, n_features: int, seed: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    frequencies = planted.release_frequencies(n_features // 2, SIGMAS[kind_of(data)], seed)
    pixels = image_of(data, block).pixels
    X = planted.fourier_features(pixels.shape, frequencies=frequencies)
    return X.astype(dtype), pixels.ravel().astype(dtype)


def compute(name: str) -> Callable[[INRCell, str], Outcome]:
    """Return the function that computes a cell of a figure.

    Parameters
    ----------
    name : str
        Of the figure; part of the key of the random numbers.

    Returns
    -------
    callable
        ``(cell, device) -> (metrics, arrays)``. For each sparsity ``psnr_db``, ``clipped`` (share of the outputs
        outside of [0, 1] by more than rounding to a pixel's value explains), ``nonzeros`` (that the budget counts),
        ``n_iter`` and ``status``; the outputs themselves, float32 and unclipped, are the array ``outputs``, shape
        (fits, pixels).
    """

    def computed(cell: INRCell, device: str) -> Outcome:
        X, y = (
            arrays.asarray(part, device)
            for part in _problem(cell.data, cell.block, cell.n_features, cell.seed, cell.dtype)
        )
        found = fits(
            cell.method,
            X,
            y,
            m=cell.m,
            depth=cell.depth,
            sparsities=cell.s,
            n_iter=cell.n_iter,
            imp_updates=cell.imp_updates,
            imp_fine_tune=cell.imp_fine_tune,
            rng=lambda: stream(name, "fit", cell.m, cell.depth, cell.seed),
        )
        rows, outputs = [], []
        for s, fit in zip(cell.s, found, strict=True):
            output = arrays.to_numpy(fit.network(X)).astype(np.float64)
            error = float(np.mean((output - arrays.to_numpy(y)) ** 2))
            rows.append(
                {
                    "s": s,
                    "psnr_db": psnr_of(error, PEAK),
                    "clipped": float(np.mean((output < -HALF_STEP) | (output > PEAK + HALF_STEP))),
                    "nonzeros": _nonzeros(cell, fit.network),
                    "n_iter": fit.n_iter,
                    "status": fit.status.name,
                }
            )
            outputs.append(output.astype(np.float32))
        return {"fits": rows}, {"outputs": np.array(outputs)}

    return computed


def _nonzeros(cell: INRCell, network: Any) -> int:
    """Count the weights of the budget: output weights are +-1 and free, except for the paper's pruning."""
    layers = network.layers if cell.method == "imp-paper" else network.layers[:-1]
    return sum(int(np.count_nonzero(arrays.to_numpy(layer))) for layer in layers)


COLOURS_DB = (0.0, 50.0)
"""The paper's range of colours, in dB."""
SPREAD_DB = (0.0, 10.0)
FLAT_DB, FALL_DB = 2.0, -2.0
"""dB per decade of the width: flat where the median |slope| is below the first, falling where the median is below the
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
    preset: INRPreset,
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
        _row(preset, grid, medians, name=DEPTH_NAMES[grid.depth], unit="median PSNR (dB)", limits=COLOURS_DB)
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


def spreads_of(preset: INRPreset, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return the summary of a companion: for each depth the standard deviations over the seeds, above the medians."""
    data = str(records[0].cell.settings["data"])
    rows = []
    for grid in preset.grids:
        values = {(grid.depth, method): statistics(records, "psnr_db", grid.depth, method) for method in METHODS}
        name = DEPTH_NAMES[grid.depth]
        spread = {key: deviations_of(found) for key, found in values.items()}
        medians = {key: medians_of(found) for key, found in values.items()}
        rows.append(_row(preset, grid, spread, name=name, unit="std of PSNR (dB)", limits=SPREAD_DB, digits=1))
        rows.append(_row(preset, grid, medians, name=name, unit="median PSNR (dB)", limits=COLOURS_DB))
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
        paper, fair = (_flat_and_falling(slopes["paper"], slopes[rival]) for rival in ("imp-paper", "imp-fair"))
        found.append(
            Claim(
                _name("Figure 4", chosen),
                "The PSNR of IHT is nearly flat in m, that of IMP falls as m grows.",
                "for each s and seed the least-squares slope of the PSNR in log10 m; of these, the share of IHT's "
                f"with an absolute value below {FLAT_DB:g} dB per decade, and the share of IMP's below {FALL_DB:g} "
                "dB per decade, are both more than half, which is a statement about medians (a PSNR above "
                f"{EXACT_DB:g} dB counts as {EXACT_DB:g} dB)",
                verdicts.all_of(*paper),
                "; ".join(texts[method] for method in ("paper", "robust", "imp-paper")),
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
            "both methods fit the same data, for each (m, s) and seed. IHT as in the paper must have the higher PSNR "
            f"in more than half of these pairs of fits. A pair within {TIE_DB:g} dB counts half",
            functools.partial(_together, values, chosen),
            data=data,
            tie=TIE_DB,
            exact=EXACT_DB,
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
    """Return the fractions of slopes that are flat and that fall."""
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
        f"{LABELS[method]}: median slope {median(every):+.1f}, median |slope| {size:.1f} dB per decade "
        f"(PSNR cut to {COLOURS_DB[0]:g} to {COLOURS_DB[1]:g} dB: {median(cut):+.1f} and {median(map(abs, cut)):.1f})"
    )


def _row(
    preset: INRPreset,
    grid: Grid,
    points: Mapping[tuple[int, str], dict[tuple[int, int], float]],
    *,
    name: str,
    unit: str,
    limits: tuple[float, float],
    digits: int = 0,
) -> dict[str, Any]:
    return panel_row(
        name,
        unit,
        limits,
        grid,
        {method: points[grid.depth, method] for method in METHODS},
        lambda m, s: possible(preset.n_features, grid.depth, m, s),
        digits=digits,
    )


def data_of(kind: str, preset: INRPreset) -> str:
    """Return which image a run of a preset uses on this machine, and of what size; `kind` is "grey" or "colour"."""
    return data_in_words(preset, planted.inr_source(kind))


def data_in_words(preset: INRPreset, data: str) -> str:
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
    whole = math.prod(SHAPES[kind_of(data)])
    seeds = f"{preset.seeds} seed{'s' if preset.seeds > 1 else ''}"
    own = planted.INR_SOURCES[kind_of(data)][0]
    same = data == own and (preset.block, preset.n_features) == (1, PAPER_FEATURES)
    sizes = "{:,} samples, {:,} features".format
    asked = f"the paper: {IMAGES[own]}, {sizes(whole, PAPER_FEATURES)}"
    used = sizes(whole // preset.block**2, preset.n_features)
    return f"{IMAGES[data]}, {used}, {seeds} ({OWN_SIZE if same else asked})"


def _head(preset: INRPreset, seed: int, data: str) -> dict[str, Any]:
    image = image_of(data, preset.block)
    seeds = ", ".join(str(seed + trial) for trial in range(preset.seeds))
    samples, features = f"{image.pixels.size:,} samples", f"{preset.n_features:,} Fourier features"
    if preset.block > 1:
        samples = f"{preset.block} x {preset.block} pixels averaged: {samples}"
        samples, features = f"{samples} ({image.pixels.size * preset.block**2:,} in the paper)", f"{features} (1,500)"
    updates = "" if preset.imp_updates is None else f" ({preset.imp_updates:,} Adam updates per round of the fair IMP)"
    return {
        "subtitle": f"{image.name[0].upper()}{image.name[1:]}\n{samples}, {features}\n"
        f"{preset.n_iter} steps{updates}, seed{'s' if preset.seeds > 1 else ''} {seeds}",
        "data": data,
        "meanings": meanings(METHODS, steps=preset.n_iter, imp_updates=preset.imp_updates),
        "notes": [
            f"Data: {image.name}. PSNR with the peak 1, in dB, over the pixels that were fitted; median over the "
            "seeds. The budget s counts hidden weights (output weights are +-1), except for IMP "
            "as in the paper, which prunes and counts all weights. Below each image are the PSNR of the unclipped "
            "output and the share of outputs outside [0, 1], which are drawn at the nearer end."
        ],
    }


def _images(preset: INRPreset, depth: int, seed: int, data: str, records: Sequence[Record]) -> dict[str, Any]:
    m, s = preset.shown
    target = image_of(data, preset.block).pixels
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


def _both(m: tuple[int, ...], s: tuple[int, ...]) -> tuple[Grid, ...]:
    return Grid(1, m, s), Grid(2, m, s)


_GREY = {
    "smoke": INRPreset(
        _both((2, 5, 10), (10, 50)), 1, (10, 50), block=4, n_features=94, n_iter=20, imp_updates=40, imp_fine_tune=100
    ),
    # the paper's own image and features on a smaller grid: with fewer of either the slopes over m are other ones
    "quick": INRPreset(_both((2, 5, 10), (20, 100, 500)), 2, (10, 100), imp_updates=200, imp_fine_tune=500),
    "cpu": INRPreset(_both((2, 5, 10, 20, 50, 100, 200), (2, 10, 50, 200, 1000)), 3, (200, 200)),
    "paper": INRPreset(_both((2, 5, 10, 20, 50, 100, 200), (2, 5, 10, 20, 50, 100, 200, 500, 1000)), 3, (200, 200)),
}

_COLOUR = {
    "smoke": INRPreset(
        _both((1, 2, 5), (10, 50)), 1, (5, 50), block=4, n_features=94, n_iter=20, imp_updates=40, imp_fine_tune=100
    ),
    "quick": INRPreset(
        _both((2, 20), (20, 100, 500)),
        2,
        (20, 500),
        block=2,
        n_features=376,
        imp_updates=200,
        imp_fine_tune=500,
    ),
    "cpu": INRPreset(_both((1, 2, 5, 10, 20, 50, 100, 200), (5, 20, 100, 500, 2000)), 3, (200, 2000)),
    "paper": INRPreset(
        _both((1, 2, 5, 10, 20, 50, 100, 200), (5, 10, 20, 50, 100, 200, 500, 1000, 2000)), 3, (200, 2000)
    ),
}


def _figure(
    kind: str, presets: Mapping[str, INRPreset], claims: Callable[..., list[Claim]], **described: Any
) -> Experiment:
    return Experiment(
        **described,
        module=__name__,
        settings=INRCell,
        presets=presets,
        # for the best image that is there
        cells=lambda preset, seed: cells_of(presets[preset], planted.inr_source(kind), seed),
        cost=cost,
        compute=compute(described["name"]),
        summarise=lambda preset, seed, records: summary_of(presets[preset], seed, records, claims),
        data=lambda preset: data_of(kind, presets[preset]),
        layout="figures.inr",
    )


FIG4 = _figure(
    "grey",
    _GREY,
    flat_claims,
    name="fig4",
    version=2,
    title="A grey image as a sparse network of its coordinates: PSNR",
    origin="Figure 4 of arXiv:2509.20323",
    full_size="784 pixels, 1,500 features, m up to 200, s up to 1,000",
    shows="one grey image as a sparse network of its coordinates, and the reconstructed images",
    place=140,
)
FIG5 = _figure(
    "colour",
    _COLOUR,
    above_claims,
    name="fig5",
    version=3,
    title="A colour image as a sparse network of its coordinates: PSNR",
    origin="Figure 5 of arXiv:2509.20323",
    full_size="3,072 samples, 1,500 features, m up to 200, s up to 2,000",
    shows="one colour image as a sparse network of its coordinates",
    place=150,
)
FIG9 = FIG4.companion(
    "fig9",
    "A grey image as a sparse network of its coordinates: spread over the seeds",
    lambda preset, seed, records: spreads_of(_GREY[preset], seed, records),
    layout="figures.panels",
    origin="Figure 9 of arXiv:2509.20323",
    shows="standard deviations over the seeds of `fig4`, above its medians",
    place=240,
)
FIG10 = FIG5.companion(
    "fig10",
    "A colour image as a sparse network of its coordinates: spread over the seeds",
    lambda preset, seed, records: spreads_of(_COLOUR[preset], seed, records),
    layout="figures.panels",
    origin="Figure 10 of arXiv:2509.20323",
    shows="the same for `fig5`",
    place=250,
)
EXPERIMENTS = (FIG4, FIG5, FIG9, FIG10)
