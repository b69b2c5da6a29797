"""Generate HTML from values: everything except markup is escaped, so no text of a result becomes part of the page."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

__all__ = ["Markup", "element", "join", "prose"]

VOID = frozenset({"br", "img", "meta"})
"""Elements without content, which have no closing tag."""


class Markup(str):
    """Text that is HTML; any other string is escaped before it enters the page."""

    __slots__ = ()


def element(name: str, *content: object, **attributes: object) -> Markup:
    """Return an element.

    Parameters
    ----------
    name : str
        Its tag.
    *content : object
        Its content: :class:`Markup` unchanged, everything else escaped; None is omitted.
    **attributes : object
        ``class_`` for ``class``, and ``_`` for ``-``; None and False are omitted, True gives an attribute without
        value.

    Returns
    -------
    Markup
        The element, with its closing tag if it has one.
    """
    start = f"<{name}"
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        start += f" {key.rstrip('_').replace('_', '-')}"
        start += "" if value is True else f'="{html.escape(str(value))}"'
    if name in VOID:
        return Markup(start + ">")
    return Markup(f"{start}>{join(content)}</{name}>")


def join(parts: Iterable[object], between: str = "") -> Markup:
    """Return the concatenated parts, escaped unless they are markup; None is omitted."""
    texts = (part if isinstance(part, Markup) else html.escape(str(part)) for part in parts if part is not None)
    return Markup(html.escape(between).join(texts))


def prose(text: str) -> Markup:
    """Return a note: escaped, with text in backticks as code and line breaks kept."""
    pieces = re.split(r"`([^`\n]+)`", text)
    return join(_code(piece) if place % 2 else _lines(piece) for place, piece in enumerate(pieces))


def _code(text: str) -> Markup:
    # a browser may break a line after any hyphen, and "--" with "preset" on the next line is no option any more
    words = [element("span", word, class_="option") if word.startswith("-") else word for word in text.split(" ")]
    return element("code", join(words, " "))


def _lines(text: str) -> Markup:
    return Markup("<br>".join(html.escape(line) for line in text.split("\n")))
