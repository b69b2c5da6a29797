"""Common parts of the paper's five figures: four methods on grids of width and sparsity, for one and two hidden layers.

Besides ``table`` and ``notes``, such a summary has:

- ``rows``: rows of panels for :mod:`figures.panels`, each ``{"name", "unit", "limits", "digits", "panels"}``
  with one panel per method: ``{"title", "m", "s", "possible", "values", "few"}`` (values[i][j] for m[i], s[j],
  or None; few[i][j] is "1 of 3" where only one of three seeds counts, else None);
- ``tables``: further tables, each ``{"title", "columns", "rows"}``;
- ``meanings``: what each method does, a line each;
- ``claims``: see :mod:`paper_repro.claims`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, median_low
from typing import Any, cast

import recovery
from paper_repro import render
from paper_repro.experiments.common import DIVERGED_DB, EXACT_DB, capped, exact_fit
from paper_repro.results import rows_of
from paper_repro.store import Record
from recovery import networks
from recovery.pruning.recipes import FAIR

__all__ = [
    "DEPTH_NAMES",
    "LABELS",
    "MEANINGS",
    "METHODS",
    "SPREAD_NOTE",
    "WITH_EXACT",
    "Grid",
    "compared",
    "deviations_of",
    "extras_table",
    "fits",
    "meanings",
    "means_of",
    "medians_of",
    "panel_row",
    "shares_above",
    "statistics",
    "trials",
    "values_table",
]

METHODS = ("paper", "robust", "imp-paper", "imp-fair")
WITH_EXACT = (*METHODS, "exact")
"""Exact recovery is for planted networks with one hidden layer."""
LABELS = {
    "paper": "IHT as in the paper",
    "robust": "IHT, robust",
    "imp-paper": "IMP as in the paper",
    "imp-fair": "IMP, fair",
    "exact": "exact recovery",
}
MEANINGS = {
    "paper": "iterative hard thresholding (IHT) as in the authors' released code, {steps} steps for each hidden layer",
    "robust": "our version of IHT: damped steps, output weights of either sign, and a search with "
    "more neurons and weights than the result may have",
    "imp-paper": "iterative magnitude pruning (IMP) as in the authors' released code. It trains a dense network, "
    "prunes a tenth of the weights, rewinds the others to their initial values, and repeats this; the network of the "
    "first round with at most s weights is the result, right after pruning. It makes only as many updates per round as "
    "IHT makes steps: {steps}",
    "imp-fair": "our version of IMP, meant to train the network: {updates} updates per round on batches, rewinding to "
    "an early point of the first round, and fine-tuning after the last pruning",
    "exact": "our method for one hidden layer: finds the lines along which the network bends, and adds, splits and "
    "removes lines by statistical tests until only rounding error is left",
}
"""What each method does, a line for readers; see :func:`meanings`."""
DEPTH_NAMES = {1: "one hidden layer", 2: "two hidden layers"}

SPREAD_NOTE = "Standard deviations are over the seeds, with their number as divisor; a cell with one seed has none (×)."
"""Note of the companions, figures 6 to 10, on their upper rows."""

Row = dict[str, Any]


def meanings(methods: Sequence[str], *, steps: int, imp_updates: int | None = None, remark: str = "") -> list[str]:
    """Return what each method of a figure does, in a line each.

    Parameters
    ----------
    methods : sequence of str
        Of :data:`WITH_EXACT`.
    steps : int
        Steps of IHT for each hidden layer, and updates per round of IMP as in the paper.
    imp_updates : int, optional
        Updates per round of the fair IMP; the default of its recipe if None.
    remark : str, optional
        A sentence about the training of IMP as in the paper.

    Returns
    -------
    list of str
        For ``summary["meanings"]``.
    """
    updates = FAIR.max_iter if imp_updates is None else imp_updates
    told = {method: MEANINGS[method].format(steps=f"{steps:,}", updates=f"{updates:,}") for method in methods}
    if remark and "imp-paper" in told:
        told["imp-paper"] += f". {remark.rstrip('.')}"
    return [f"{LABELS[method]}: {text}." for method, text in told.items()]


@dataclass(frozen=True)
class Grid:
    """Widths and sparsities of the panels of one depth.

    Parameters
    ----------
    depth : int
        Number of hidden layers.
    m, s : tuple of int
        Widths (of every hidden layer) and sparsities.
    """

    depth: int
    m: tuple[int, ...]
    s: tuple[int, ...]


def fits(
    method: str,
    X: Any,
    y: Any,
    *,
    m: int,
    depth: int,
    sparsities: Sequence[int],
    n_iter: int,
    imp_updates: int | None = None,
    imp_fine_tune: int | None = None,
    imp_batch_size: int | None = None,
    loss: str = "squared",
    batch_size: int | None = None,
    rng: Callable[[], Any],
) -> list[Any]:
    """Fit by one of :data:`WITH_EXACT`, once for each sparsity; a pass of IMP serves all of them.

    Parameters
    ----------
    method : str
        One of :data:`WITH_EXACT`.
    X, y : array
        Data, on one device.
    m, depth : int
        Width and number of hidden layers.
    sparsities : sequence of int
        What is asked for.
    n_iter : int
        Steps of IHT (for each layer), and updates a round of IMP as in the paper.
    imp_updates : int, optional
        Updates a round of the fair IMP; its recipe's default where None.
    imp_fine_tune : int, optional
        Updates of the fair IMP after the last pruning, for each sparsity; its recipe's default where None.
    imp_batch_size : int, optional
        Rows of a batch of the fair IMP; its recipe's default where None.
    loss, batch_size
        As in :func:`recovery.fit_network`.
    rng : callable
        Returns a fresh generator of the cell's random numbers, the same each time.

    Returns
    -------
    list of recovery.NetworkFit
        One per sparsity, in their order; those of exact recovery have a `kink_form`, and a `network` or None.
    """
    if method == "exact":
        return [exact_fit(X, y, m=m, s=s, rng=rng()) for s in sparsities]
    widths = m if depth == 1 else [m] * depth
    if method.startswith("imp-"):
        recipe: Any = method.removeprefix("imp-")
        paper = recipe == "paper"
        return recovery.imp(
            X,
            y,
            n_neurons=widths,
            sparsity=list(sparsities),
            recipe=recipe,
            loss=cast(networks.Loss, loss),
            max_iter=n_iter if paper else imp_updates,
            fine_tune=None if paper else imp_fine_tune,
            batch_size=batch_size if paper else imp_batch_size,
            rng=rng(),
        )
    return [
        recovery.fit_network(
            X,
            y,
            n_neurons=widths,
            sparsity=s,
            method=cast(networks.Method, method),
            loss=cast(networks.Loss, loss),
            max_iter=n_iter,
            batch_size=batch_size,
            rng=rng(),
        )
        for s in sparsities
    ]


def trials(records: Iterable[Record], value: str, depth: int, method: str) -> dict[tuple[int, int], dict[int, float]]:
    """Return the value of each seed for each (m, s); a PSNR is capped so that means exist.

    Parameters
    ----------
    records : iterable of Record
        Cells with settings ``m``, ``s``, ``depth`` and ``method``; cells of several sparsities have
        ``metrics["fits"]`` (see :func:`paper_repro.results.rows_of`).
    value : str
        Name of the metric, such as ``"psnr_db"``; rows without it (or with None) are left out.
    depth, method
        Which panel.

    Returns
    -------
    dict
        (m, s) -> seed -> value.
    """
    found: dict[tuple[int, int], dict[int, float]] = {}
    for record in records:
        if record.cell.settings["method"] != method or record.cell.settings.get("depth", 1) != depth:
            continue
        for row in rows_of(record):
            if row.get(value) is not None:
                found.setdefault((row["m"], row["s"]), {})[row["seed"]] = _counted(value, row[value])
    return found


def statistics(records: Iterable[Record], value: str, depth: int, method: str) -> dict[tuple[int, int], list[float]]:
    """Return the values of :func:`trials` over the seeds, (m, s) -> list."""
    return {key: list(seeds.values()) for key, seeds in trials(records, value, depth, method).items()}


def compared(values: Mapping[Any, Mapping[int, float]]) -> dict[Any, dict[int, float]]:
    """Return PSNR as methods are compared by it: two exact fits are level, whatever rounding makes of them."""
    return {key: {seed: min(value, EXACT_DB) for seed, value in seeds.items()} for key, seeds in values.items()}


def _counted(name: str, value: Any) -> float:
    """Return a metric as used in means: a PSNR is capped."""
    return capped(float(value)) if "psnr" in name else float(value)


def means_of(values: dict[tuple[int, int], list[float]]) -> dict[tuple[int, int], float]:
    """Return the mean of each grid point."""
    return {key: math.fsum(numbers) / len(numbers) for key, numbers in values.items()}


def medians_of(values: dict[tuple[int, int], list[float]]) -> dict[tuple[int, int], float]:
    """Return the median PSNR of each grid point, which one exact fit among others does not move far.

    It is -inf where one of the two middle fits diverged: their mean would be a number that stands for nothing.
    """
    return {key: _median(numbers) for key, numbers in values.items()}


def _median(numbers: Sequence[float]) -> float:
    return -math.inf if median_low(numbers) < DIVERGED_DB else float(median(numbers))


def shares_above(values: dict[tuple[int, int], list[float]], level: float) -> dict[tuple[int, int], float]:
    """Return the percentage of values above a level, for each grid point."""
    return {key: 100 * sum(number > level for number in numbers) / len(numbers) for key, numbers in values.items()}


def deviations_of(values: dict[tuple[int, int], list[float]]) -> dict[tuple[int, int], float]:
    """Return the standard deviation over the seeds (divided by their number) of each grid point with two or more.

    It is infinite where a fit diverged, in PSNR: below :data:`paper_repro.experiments.common.DIVERGED_DB`.
    """
    found = {}
    for key, numbers in values.items():
        if len(numbers) < 2:
            continue
        if min(numbers) < DIVERGED_DB:
            found[key] = math.inf
            continue
        mean = math.fsum(numbers) / len(numbers)
        found[key] = math.sqrt(math.fsum((number - mean) ** 2 for number in numbers) / len(numbers))
    return found


def panel_row(
    name: str,
    unit: str,
    limits: tuple[float, float],
    grid: Grid,
    points: dict[str, dict[tuple[int, int], float]],
    possible: Callable[[int, int], bool],
    *,
    digits: int = 0,
    labels: dict[str, str] = LABELS,
    counts: Mapping[str, Mapping[tuple[int, int], int]] | None = None,
    seeds: int = 0,
) -> dict[str, Any]:
    """Return a row of panels, one per method.

    Parameters
    ----------
    name : str
        Of the row, such as ``"one hidden layer"``.
    unit : str
        Text of the colour bar, such as ``"median PSNR (dB)"``.
    limits : (float, float)
        Ends of the colours.
    grid : Grid
        Rows and columns of each panel.
    points : dict
        method -> (m, s) -> value.
    possible : callable
        ``possible(m, s)``: False where no such network exists (drawn in grey).
    digits : int
        Digits after the point in the cells.
    labels : dict
        Titles of the methods.
    counts : dict, optional
        method -> (m, s) -> number of seeds behind the value; where there are fewer than `seeds`, the panel says so.
    seeds : int, default 0
        Number of seeds of a complete cell.

    Returns
    -------
    dict
        What :mod:`figures.panels` draws.
    """
    panels = [
        {
            "title": labels[method],
            "method": method,
            "m": list(grid.m),
            "s": list(grid.s),
            "possible": [[possible(m, s) for s in grid.s] for m in grid.m],
            "values": [[values.get((m, s)) for s in grid.s] for m in grid.m],
            "few": [[_few((counts or {}).get(method, {}).get((m, s)), seeds) for s in grid.s] for m in grid.m],
        }
        for method, values in points.items()
    ]
    return {
        "name": name,
        "unit": unit,
        "limits": list(limits),
        "digits": digits,
        "panels": panels,
    }


def _few(count: int | None, seeds: int) -> str | None:
    """Return "1 of 3" where only some of the seeds count; None where all do, or where it is not known."""
    return f"{count} of {seeds}" if count is not None and 0 < count < seeds else None


def values_table(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the numbers of rows of panels as one table; all panels must have the same sparsities or are padded.

    Parameters
    ----------
    rows : sequence of dict
        As :func:`panel_row` returns them.

    Returns
    -------
    dict
        ``columns`` and ``rows``; a value to which only some of the seeds contribute is the text "100 (1 of 3)".
    """
    sparsities = sorted({s for row in rows for panel in row["panels"] for s in panel["s"]})
    lines: list[list[Any]] = []
    for row in rows:
        for panel in row["panels"]:
            whole = [[None] * len(panel["s"]) for _ in panel["m"]]
            for m, values, few in zip(panel["m"], panel["values"], panel.get("few", whole), strict=True):
                told = [
                    value if value is None or count is None else f"{render.shown(value)} ({count})"
                    for value, count in zip(values, few, strict=True)
                ]
                known = dict(zip(panel["s"], told, strict=True))
                shown = " ".join(row["unit"].split())  # a long unit has a line break for the colour bar
                lines.append([row["name"], shown, panel["title"], m, *(known.get(s) for s in sparsities)])
    return {"columns": ["panels", "shown", "method", "m \\ s", *(str(s) for s in sparsities)], "rows": lines}


def extras_table(
    records: Sequence[Record],
    depths: Sequence[int],
    extras: dict[str, str],
    methods: Sequence[str] = METHODS,
    above: tuple[float, str] | None = None,
) -> dict[str, Any]:
    """Return what the paper does not show: medians of PSNR and means of the rest over all fits of a method and depth.

    Parameters
    ----------
    records : sequence of Record
        Finished cells.
    depths : sequence of int
        Numbers of hidden layers.
    extras : dict
        metric -> heading, such as ``{"test_psnr_db": "test PSNR (dB, median)", "nonzeros": "non-zeros found"}``.
    methods : sequence of str
        Methods, in order.
    above : (float, str), optional
        A PSNR in dB, and the heading of a column with the share of the fits above it.

    Returns
    -------
    dict
        ``title``, ``columns`` and ``rows``; seconds are processor-bound wall seconds a fit, memory is the largest
        peak of a worker process in MiB.
    """
    lines: list[list[Any]] = []
    for depth in depths:
        for method in methods:
            own = [
                record
                for record in records
                if record.cell.settings["method"] == method and record.cell.settings.get("depth", 1) == depth
            ]
            if not own:
                continue
            # nothing can be fitted to labels that are all 0
            own = [record for record in own if record.metrics.get("status") != "ZERO_DATA"]
            rows = [row for record in own for row in rows_of(record) if row.get("status") != "ZERO_DATA"]
            line: list[Any] = [DEPTH_NAMES[depth], LABELS[method], len(rows)]
            if above is not None:
                scored = [float(row["psnr_db"] > above[0]) for row in rows if row.get("psnr_db") is not None]
                line.append(math.fsum(scored) / len(scored) if scored else None)
            for name in extras:
                known = [_counted(name, row[name]) for row in rows if row.get(name) is not None]
                middle = median if "psnr" in name else _mean
                line.append(float(middle(known)) if known else None)
            seconds = [float(record.run["wall_s"]) for record in own if record.run.get("wall_s") is not None]
            peaks = [float(record.run["peak_bytes"]) for record in own if record.run.get("peak_bytes")]
            line += [
                math.fsum(seconds) / len(rows) if seconds and rows else None,
                max(peaks) / 2**20 if peaks else None,
            ]
            lines.append(line)
    shares = [] if above is None else [above[1]]
    columns = ["network", "method", "fits", *shares, *extras.values(), "wall time (s per fit)", "peak memory (MiB)"]
    title = "Beyond the paper: all fits of each method; medians of the PSNR, means of the other numbers"
    return {"title": title, "columns": columns, "rows": lines}


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
