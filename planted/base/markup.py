"""Small HTML tables for notebooks, escaped, and without fixed colours, so that they suit dark themes too."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["SHOWN", "card", "count", "number", "paragraph", "table"]

SHOWN = 20
"""Largest number of rows of a table in a notebook."""


def number(value: Any, digits: int = 4) -> str:
    """Return a number as text: integers as they are, others with a few digits, NaN as a dash."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, float) and math.isnan(value):
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.{digits}g}"


def paragraph(text: str) -> str:
    """Return text as a paragraph, escaped."""
    return f"<p>{html.escape(text)}</p>"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, most: int | None = None) -> str:
    """Return an HTML table.

    Parameters
    ----------
    head : sequence of str
        Titles of the columns; none for a table without titles.
    rows : iterable of sequences
        Numbers and texts, which are escaped.
    most : int, optional
        Rows that are shown; a line says how many are left out. All by default.

    Returns
    -------
    str
        The table. If it is too wide, it scrolls.
    """
    listed = list(rows)
    shown = listed if most is None else listed[:most]
    lines = [(head, "th"), *((row, "td") for row in shown)] if head else [(row, "td") for row in shown]
    texts = ["".join(f"<{tag}>{html.escape(number(one))}</{tag}>" for one in row) for row, tag in lines]
    left = len(listed) - len(shown)
    more = f"\n<p>and {left} more row{'' if left == 1 else 's'}</p>" if left else ""
    inner = "\n".join(f"<tr>{text}</tr>" for text in texts)
    return f'<div style="overflow-x: auto"><table>\n{inner}\n</table></div>{more}'


def card(title: str, pairs: Iterable[tuple[str, Any]], *parts: str) -> str:
    """Return a title, a table of names and values, and further HTML below it.

    Parameters
    ----------
    title : str
        What it is.
    pairs : iterable of (str, value)
        Names and values, which are escaped.
    *parts : str
        HTML as it is, such as what :func:`table` returns.

    Returns
    -------
    str
        One element.
    """
    inner = "\n".join(
        f'<tr><th style="text-align: left">{html.escape(name)}</th>'
        f'<td style="text-align: left">{html.escape(number(value))}</td></tr>'
        for name, value in pairs
    )
    body = "\n".join([f"<table>\n{inner}\n</table>", *parts])
    return f"<div><strong>{html.escape(title)}</strong>\n{body}</div>"


def count(number: int, thing: str) -> str:
    """Return a number with its noun, such as ``1 instance`` or ``2 processes``."""
    return f"{number} {thing}" + ("" if number == 1 else "es" if thing.endswith("ss") else "s")
