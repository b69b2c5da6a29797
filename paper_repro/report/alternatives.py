"""Text alternatives for pictures: a description of what a figure shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from paper_repro.render import shown
from paper_repro.report.tables import leading_number

__all__ = ["alternative"]

COLUMNS = 8
"""Largest number of table columns whose ranges are described."""


def alternative(title: str, summary: Mapping[str, Any]) -> str:
    """Return the text alternative of a figure.

    Parameters
    ----------
    title : str
        The experiment's title.
    summary : dict
        What the experiment's ``summarise`` returned.

    Returns
    -------
    str
        Title, subtitle, methods, and the ranges of the plotted values; the numbers themselves are in the table.
    """
    parts = [title, *str(summary.get("subtitle", "")).replace(",\n", ", ").split("\n")]
    rows = [row for row in summary.get("rows", []) if isinstance(row, Mapping) and row.get("panels")]
    if rows:
        parts += [_panels(row) for row in rows]
    else:
        labels = summary.get("labels") or {}
        methods = [str(labels.get(name, name)) for name in summary.get("methods", [])]
        if methods:
            parts.append("Shown: " + "; ".join(methods))
        parts += _axes(summary) + _table(summary["table"])
    parts.append("The numbers are in the table below")
    return " ".join(part.strip().rstrip(".") + "." for part in parts if part.strip())


def _panels(row: Mapping[str, Any]) -> str:
    told = []
    for panel in row["panels"]:
        values = [value for line in panel["values"] for value in line]
        told.append(f"{panel['title']} {_range(values)}")
    first = row["panels"][0]
    return f"{row['name']}, {row['unit']}, {', '.join(_axes(first))}: {'; '.join(told)}"


def _axes(summary: Mapping[str, Any]) -> list[str]:
    axes = [("width m", summary.get("m")), ("sparsity s", summary.get("s"))]
    return [f"{name} {_range(values)}" for name, values in axes if isinstance(values, list) and values]


def _table(table: Mapping[str, Any]) -> list[str]:
    columns = {
        str(title): [leading_number(row[place]) for row in table["rows"]]
        for place, title in enumerate(table["columns"])
    }
    told = {title: values for title, values in columns.items() if any(value is not None for value in values)}
    if sum(leading_number(title) is not None for title in columns) > 1:  # a single quantity on a grid
        grid = [value for title, values in told.items() if leading_number(title) is not None for value in values]
        return [f"Values {_range(grid)}"]
    return ["Table: " + "; ".join(f"{title} {_range(values)}" for title, values in list(told.items())[:COLUMNS])]


def _range(values: Iterable[Any] | Sequence[Any]) -> str:
    known = [float(value) for value in values if isinstance(value, int | float) and math.isfinite(value)]
    if not known:
        return "not computed"
    low, high = min(known), max(known)
    return shown(low) if low == high else f"from {shown(low)} to {shown(high)}"
