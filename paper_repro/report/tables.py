"""Tables of the report: numbers carry their full value, so the page's script can sort them numerically."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from paper_repro.render import shown
from paper_repro.report.markup import Markup, element, join

__all__ = ["leading_number", "settings", "table"]

MEDIUM, LONG = 12, 32
"""Text length beyond which a column is made wider."""

_NUMBER = re.compile(
    r"(?P<number>[-−+]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?)(?=$|[\s%±(\[])"
)


def table(columns: Sequence[Any], rows: Sequence[Sequence[Any]], label: str, classes: str = "") -> Markup:
    """Return a table in a separate box, which scrolls if the table is wider than the page.

    Parameters
    ----------
    columns : sequence
        Headings; the page's script turns each into a button that sorts.
    rows : sequence of sequences
        Numbers, strings, markup, or None for missing values.
    label : str
        Description of the table for screen readers.
    classes : str, optional
        Additional classes of the table.

    Returns
    -------
    Markup
        The box with the table.
    """
    columns_of = [[row[place] for row in rows] for place in range(len(columns))]
    kinds = ["number" if _is_numeric(values) else _width(values) for values in columns_of]
    head = element(
        "tr",
        *(element("th", title, scope="col", class_=kind) for title, kind in zip(columns, kinds, strict=True)),
    )
    body = [element("tr", *(_cell(value, kind) for value, kind in zip(row, kinds, strict=True))) for row in rows]
    whole = element(
        "table",
        element("thead", head),
        element("tbody", *body),
        class_=f"sortable {classes}".strip(),
        aria_label=label,
    )
    return element("div", whole, class_="scroll", tabindex=0, role="region", aria_label=label)


def settings(values: Mapping[str, Any]) -> Markup:
    """Return names and values as a definition list."""
    return element("dl", *(join((element("dt", name), element("dd", _flat(value)))) for name, value in values.items()))


def leading_number(value: Any) -> float | None:
    """Return a cell's numeric value, or the number that its text begins with, as in ``"0.95 [0.91, 0.98]"``.

    Parameters
    ----------
    value : object
        Content of a cell.

    Returns
    -------
    float or None
        None if there is no number.
    """
    if isinstance(value, Markup | bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    found = _NUMBER.match(str(value))
    return float(found["number"].replace(",", "").replace("−", "-")) if found else None


def _is_numeric(values: Sequence[Any]) -> bool:
    there = [value for value in values if not _is_missing(value)]
    return bool(there) and all(leading_number(value) is not None for value in there)


def _width(values: Sequence[Any]) -> str | None:
    texts = [value for value in values if isinstance(value, str) and not isinstance(value, Markup)]
    longest = max(map(len, texts), default=0)
    return "long" if longest > LONG else "medium" if longest > MEDIUM else None


def _is_missing(value: Any) -> bool:
    return value is None or value in ("", "-")


def _cell(value: Any, kind: str | None) -> Markup:
    if isinstance(value, Markup):
        return element("td", value)
    number = leading_number(value) if kind == "number" and not _is_missing(value) else None
    if number is None or math.isnan(number):
        return element("td", shown(value), class_=kind, data_missing=_is_missing(value) or number is not None)
    return element("td", shown(value), class_=kind, data_value=repr(number).replace("inf", "Infinity"))


def _flat(value: Any) -> str:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_flat(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        simple = all(isinstance(item, str | int | float) for item in value)
        return ", ".join(_flat(item) if simple else f"({_flat(item)})" for item in value) or "none"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else shown(value)
