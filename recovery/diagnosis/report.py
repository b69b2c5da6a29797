"""The result of a diagnosis, and its report as text."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from planted.base.files import storable
from planted.base.frames import Names
from planted.base.markup import table as html_table
from planted.base.values import by_value
from recovery.diagnosis.shown import ShownDiagnosis
from recovery.diagnosis.uniform import CONDITIONS, MOST
from recovery.guarantees.engine.base import Verdict

__all__ = ["Diagnosis", "Effect", "Finding"]

_ORDER = {"holds": 0, "unknown": 1, "fails": 2}
_LISTED = [one.names[0] for one in CONDITIONS if one.names != ("unique-spark",)]


@storable
@by_value
@dataclass(frozen=True)
class Finding:
    """One condition on A alone, or one guarantee on the planted vector.

    Parameters
    ----------
    names : tuple of str
        Guarantees of the catalogue.
    method : str
        The method that then finds x; empty for a guarantee about the planted vector.
    text : str
        The condition.
    verdict : Verdict
        The verdict at the requested sparsity, otherwise at 1.
    covers : int or None
        Largest s for which it holds for every x with s non-zeros; None for a guarantee about the planted vector.
    """

    names: tuple[str, ...]
    method: str
    text: str
    verdict: Verdict
    covers: int | None = None


@storable
@by_value
@dataclass(frozen=True)
class Effect:
    """A change of A and its effect on the conditions.

    Parameters
    ----------
    name, note : str
        The change, and its cost.
    measured : bool
        Whether it was measured on the given data; otherwise it is predicted.
    covers : tuple of int
        Largest s of each condition in :data:`recovery.diagnosis.uniform.CONDITIONS`, except the spark.
    coherence, kappa, share : float
        mu, kappa_2 and the upper bound on alpha_1 (NaN if it was not computed).
    """

    name: str
    note: str
    measured: bool
    covers: tuple[int, ...]
    coherence: float
    kappa: float
    share: float

    @property
    def best(self) -> int:
        """Largest s for which some method is guaranteed."""
        return max(self.covers)


@by_value
@dataclass(repr=False)
class Diagnosis(ShownDiagnosis):
    """The result of :func:`diagnose`; ``str()`` gives the report.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of A.
    sparsity : int or None
        The requested sparsity.
    numbers : list of (str, str)
        Facts about A.
    uniform : list of Finding
        Guarantees for every x of a sparsity.
    planted : list of Finding
        Guarantees about the x that was given or found; empty if there is none.
    effects : list of Effect
        A unchanged, then each change.
    notes : list of str
        Remarks, as sentences.
    names : tuple of str or None
        Names of the columns, if A was given as a data frame.
    """

    shape: tuple[int, int]
    sparsity: int | None
    numbers: list[tuple[str, str]] = field(default_factory=list)
    uniform: list[Finding] = field(default_factory=list)
    planted: list[Finding] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    names: Names = None

    @property
    def covers(self) -> int:
        """Largest s for which some method provably finds every x with s non-zeros."""
        return max((one.covers or 0 for one in self.uniform if one.names != ("unique-spark",)), default=0)

    def advice(self) -> str:
        """Return the sentence on the cheapest change that helps."""
        if not self.effects:
            return "No change was tried."
        here, others = self.effects[0], [one for one in self.effects[1:] if one.measured]
        more = next((one for one in self.effects[1:] if not one.measured), None)
        tail = "" if more is None else f" The prediction for many more rows is s = {more.best}."
        for one in others:
            if one.best > here.best:
                raised = f"The cheapest change that raises the guaranteed sparsity, from s = {here.best} to {one.best}"
                return f"{raised}: {one.name} ({one.note})." + tail
        better = [one for one in others if _score(one) < 0.99 * _score(here)]
        if not better:
            wider = next((one for one in others if sum(one.covers) > sum(here.covers)), None)
            if wider is None:
                return "None of the tried changes helps." + tail
            pairs = zip(_LISTED, here.covers, wider.covers, strict=True)
            raised = ", ".join(f"{name} from {old} to {new}" for name, old, new in pairs if new > old)
            return (
                f"None of the changes raises s = {here.best}, but {wider.name} ({wider.note}) raises {raised}." + tail
            )
        best = min(better, key=_score)
        what = "alpha_1" if not math.isnan(here.share) else "the coherence"
        return (
            f"None of the changes raises s = {here.best}; {what} falls most, from {_score(here):.3g} to "
            f"{_score(best):.3g}, with this change: {best.name}." + tail
        )

    def table(self) -> str:
        """Return the report as Markdown."""
        return _written(self)

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        n, size = self.shape
        held = sum(one.verdict.status == "holds" for one in self.planted)
        planted = f", {held} of {len(self.planted)} guarantees for the planted vector" if self.planted else ""
        return (
            f"Diagnosis({n} x {size}, sparsity={self.sparsity}, covers={self.covers}{planted}; print it for the report)"
        )

    def _repr_html_(self) -> str:
        parts = [f"<h3>{html.escape(_title(self))}</h3>"]
        for title, paragraphs, table in _sections(self):
            parts += [f"<h4>{html.escape(title)}</h4>"] if title else []
            parts += [] if table is None else [html_table(*table)]
            parts += [f"<p>{html.escape(text)}</p>" for text in paragraphs]
        return "\n".join(parts)


def _score(effect: Effect) -> float:
    return effect.coherence if math.isnan(effect.share) else effect.share


_Table = tuple[list[str], list[list[str]]]


def _title(found: Diagnosis) -> str:
    n, size = found.shape
    return f"Diagnosis of a {n} x {size} matrix" + (f", s = {found.sparsity}" if found.sparsity else "")


def _sections(found: Diagnosis) -> Iterator[tuple[str, list[str], _Table | None]]:
    """Yield title, sentences and table: notes, numbers, guarantees for every x, for the planted vector, changes."""
    yield "", list(found.notes), None
    yield "Numbers", [], (["number", "value"], [list(row) for row in found.numbers])
    at = f"s = {found.sparsity}" if found.sparsity else "s = 1"
    rows = [
        [", ".join(one.names), one.method, one.text, str(one.covers), *_verdict(one), one.verdict.reason]
        for one in found.uniform
    ]
    head = ["guarantees", "method", "condition", "largest s", at, "margin", "reason"]
    yield "For every x with s non-zeros, without noise", [_summary(found)], (head, rows)
    if found.planted:
        folded = _folded(found.planted)
        apart = {name for names in folded.values() for name in names}
        rows = [
            [one.names[0], *_verdict(one), one.verdict.reason]
            for one in sorted(found.planted, key=lambda one: _ORDER[one.verdict.status])
            if one.names[0] not in apart
        ]
        lines = [f"- {reason}: {', '.join(names)}" for reason, names in folded.items()]
        more = [f"{len(apart)} guarantees, grouped by reason:", "\n".join(lines)] if lines else []
        yield "For the planted vector", more, (["guarantee", "hypotheses", "margin", "reason"], rows)
    if found.effects:
        rows = [
            [
                one.name,
                "measured" if one.measured else "predicted",
                f"{one.coherence:.4g}",
                f"{one.kappa:.4g}",
                "-" if math.isnan(one.share) else f"{one.share:.4g}",
                str(one.best),
                ", ".join(f"{name} {s}" for name, s in zip(_LISTED, one.covers, strict=True) if s) or "none",
                one.note,
            ]
            for one in found.effects
        ]
        head = ["change", "how", "mu", "kappa_2", "alpha_1", "largest s", "by method", "note"]
        yield "What would help", [found.advice()], (head, rows)


def _folded(planted: list[Finding]) -> dict[str, list[str]]:
    """Return guarantees grouped by reason: the unknown ones, and those failing without a number for a shared reason."""
    names: dict[str, list[str]] = {}
    for one in planted:
        if one.verdict.status == "unknown" or one.verdict.margin == -math.inf:
            reason = one.verdict.reason.partition(";")[0]
            status = "unknown, " if one.verdict.status == "unknown" else "fails, "
            names.setdefault(status + reason, []).append(one.names[0])
    return {reason: listed for reason, listed in names.items() if len(listed) > 1 or reason.startswith("unknown")}


def _written(found: Diagnosis) -> str:
    """Return the sections as Markdown."""
    parts = [f"# {_title(found)}"]
    for title, paragraphs, table in _sections(found):
        if table is not None:
            parts.append(f"## {title}\n\n" + _table(*table))
        parts += paragraphs
    return "\n\n".join(parts)


def _summary(found: Diagnosis) -> str:
    sentence = f"At least one method provably finds every x with at most {found.covers} non-zeros."
    if found.covers >= MOST:
        sentence = sentence[:-1] + "; larger numbers were not tried."
    if not found.covers:
        sentence = "No method is proved to find every x with one non-zero; many vectors may be found all the same."
    unique = next((one.covers or 0 for one in found.uniform if one.names == ("unique-spark",)), 0)
    if unique:
        sentence += (
            f" If x has at most {unique} non-zeros, any solution with at most {unique} that explains the data exactly "
            'is x, whichever solver found it (spark > 2 s): `solver="auto"` stops at the first such solution.'
        )
    return sentence


def _verdict(one: Finding) -> list[str]:
    margin = one.verdict.margin
    return [one.verdict.status, "-" if not math.isfinite(margin) else f"{margin:+.3g}"]


def _table(head: list[str], rows: list[list[str]]) -> str:
    texts = [[text.replace("|", "\\|") for text in row] for row in (head, *rows)]
    lines = ["| " + " | ".join(row) + " |" for row in texts]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])
