"""The text of a diagnosis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from recovery._uniform import CONDITIONS

if TYPE_CHECKING:
    from recovery.diagnosis import Diagnosis, Finding

__all__ = ["written"]

_ORDER = {"holds": 0, "unknown": 1, "fails": 2}


def written(found: Diagnosis) -> str:
    """Return a diagnosis as Markdown.

    Parameters
    ----------
    found : Diagnosis
        What was found.

    Returns
    -------
    str
        Sections: numbers, guarantees for every x, guarantees for the planted vector, changes, notes.
    """
    n, size = found.shape
    parts = [f"# Diagnosis of a {n} x {size} matrix" + (f", s = {found.sparsity}" if found.sparsity else "")]
    parts += [f"{note}" for note in found.notes]
    parts.append("## Numbers\n\n" + _table(["number", "value"], [list(row) for row in found.numbers]))
    at = f"s = {found.sparsity}" if found.sparsity else "s = 1"
    rows = [
        [", ".join(one.names), one.method, one.text, str(one.covers), *_verdict(one), one.verdict.reason]
        for one in found.uniform
    ]
    head = ["guarantees", "method", "asks for", "largest s", at, "margin", "numbers"]
    parts.append("## For every x with s non-zeros, without noise\n\n" + _table(head, rows))
    parts.append(_summary(found))
    if found.planted:
        rows = [
            [one.names[0], *_verdict(one), one.verdict.reason]
            for one in sorted(found.planted, key=lambda one: _ORDER[one.verdict.status])
        ]
        head = ["guarantee", "hypotheses", "margin", "why"]
        parts.append("## For the planted vector\n\n" + _table(head, rows))
    if found.effects:
        names = [one.names[0] for one in CONDITIONS if one.names != ("unique-spark",)]
        rows = [
            [
                one.name,
                "measured" if one.measured else "predicted",
                f"{one.coherence:.4g}",
                f"{one.kappa:.4g}",
                "-" if math.isnan(one.share) else f"{one.share:.4g}",
                str(one.best),
                ", ".join(f"{name} {s}" for name, s in zip(names, one.covers, strict=True) if s) or "none",
                one.note,
            ]
            for one in found.effects
        ]
        head = ["change", "how", "mu", "kappa_2", "alpha_1", "largest s", "by", "what it means"]
        parts.append("## What would help\n\n" + _table(head, rows) + f"\n\n{found.advice()}")
    return "\n\n".join(parts)


def _summary(found: Diagnosis) -> str:
    sentence = f"Some method provably finds every x with s <= {found.covers} non-zeros."
    if not found.covers:
        sentence = "No method is proved to find every x with even one non-zero; single vectors may well be found."
    return sentence


def _verdict(one: Finding) -> list[str]:
    margin = one.verdict.margin
    return [one.verdict.status, "-" if not math.isfinite(margin) else f"{margin:+.3g}"]


def _table(head: list[str], rows: list[list[str]]) -> str:
    texts = [[text.replace("|", "\\|") for text in row] for row in (head, *rows)]
    lines = ["| " + " | ".join(row) + " |" for row in texts]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])
