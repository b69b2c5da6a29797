"""Output streams that can print any character, even those missing from their encoding."""

from __future__ import annotations

import codecs
import contextlib
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any

__all__ = ["ERRORS", "printable", "spelled_out"]

ERRORS = "paper-repro-spelled-out"
"""Name of the error handler, as :func:`codecs.lookup_error` knows it."""

_SIGNS = {
    "−": "-",
    "–": "-",
    "—": "-",
    "‐": "-",
    "×": "x",
    "±": "+-",
    "·": "*",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
    "→": "->",
    "←": "<-",
    "∞": "inf",
    "√": "sqrt ",
    "∈": "in",
    "∑": "sum",
    "‖": "||",
    "⟨": "<",
    "⟩": ">",
    "…": "...",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "•": "*",
    "°": " degrees",
}
_GREEK = "GREEK SMALL LETTER ", "GREEK CAPITAL LETTER "


def spelled_out(text: str) -> str:
    """Return text in ASCII: symbols by common replacements, Greek letters by name, other characters by number.

    Parameters
    ----------
    text : str
        Anything.

    Returns
    -------
    str
        For example ``"delta_2s >= 1/sqrt 3"`` for "δ₂ₛ ≥ 1/√3".
    """
    parts, before = [], ""
    for sign in text:
        mark, letters = _raised_or_lowered(sign)
        parts.append(letters if mark and mark == before else mark + letters)
        before = mark
    return "".join(parts)


def _raised_or_lowered(sign: str) -> tuple[str, str]:
    """Return "^", "_" or nothing, and the character in normal position."""
    kind, _, codes = unicodedata.decomposition(sign).rpartition("> ")
    mark = {"<super": "^", "<sub": "_"}.get(kind, "")
    return (mark, "".join(_one(chr(int(code, 16))) for code in codes.split())) if mark else ("", _one(sign))


def _one(sign: str) -> str:
    if sign.isascii():
        return sign
    if sign in _SIGNS:
        return _SIGNS[sign]
    name = unicodedata.name(sign, "")
    for start in _GREEK:
        word = name.removeprefix(start)
        if word != name and word.isalpha():  # not for "ALPHA WITH TONOS"
            return word.lower() if start == _GREEK[0] else word.capitalize()
    return sign.encode("ascii", "backslashreplace").decode()


def _handle(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end]
    if all("\udc80" <= sign <= "\udcff" for sign in wrong):  # bytes of a file name that is not valid text
        return wrong.encode("ascii", "surrogateescape"), error.end
    return spelled_out(wrong), error.end


codecs.register_error(ERRORS, _handle)


@contextlib.contextmanager
def printable() -> Iterator[None]:
    """Within this context, standard output and standard error accept any text, whatever their encoding.

    Notes
    -----
    Characters missing from the encoding are spelled out, see :func:`spelled_out`; all others are printed unchanged. A
    stream that cannot be reconfigured, such as that of a notebook, is left alone.
    """
    before: list[tuple[Any, str]] = []
    for stream in (sys.stdout, sys.stderr):
        errors = getattr(stream, "errors", None)
        if errors is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=ERRORS)
            before.append((stream, errors))
    try:
        yield
    finally:
        for stream, errors in before:
            with contextlib.suppress(ValueError, OSError):  # the stream may have been closed, such as a pipe
                stream.reconfigure(errors=errors)
