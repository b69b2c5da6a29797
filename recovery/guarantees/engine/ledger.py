"""The ledger: a table of the verdicts of guarantees on many instances."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from planted.base.checks import check_integer
from planted.base.frames import data_frame
from planted.base.markup import count
from planted.base.markup import table as html_table
from planted.base.progress import Progress, bar
from planted.base.values import by_value
from recovery.guarantees.engine.attack import attack
from recovery.guarantees.engine.base import Guarantee, check_guarantee
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.engine.tally import CONFIDENCE, Tally

__all__ = ["COLUMNS", "Ledger", "cells", "html_table", "ledger", "markdown"]

COLUMNS = (
    "guarantee",
    "kind",
    "instances",
    "held",
    "k >= 2",
    "near",
    "designs",
    "concluded",
    "failed",
    "unknown",
    "violations",
    "not met",
    "tightest",
    "failed up to",
    "attack",
)
"""Columns of the table; `held` to `designs` count instances with x != 0 on which the hypotheses hold, `near` those
within 5 % of the boundary, `concluded` and `failed` their conclusions, `unknown` hypotheses (and conclusions among the
held) that were not decided, `attack` the result of an attack: after `survived`, the number of tried instances on which
the hypotheses held and the conclusion was decided. `not met` is the share of instances on which the hypotheses fail."""


@by_value
@dataclass(frozen=True, repr=False)
class Ledger:
    """Guarantees and the counts of their checks.

    Parameters
    ----------
    tallies : tuple of Tally
        One per guarantee, in the given order.
    """

    tallies: tuple[Tally, ...]

    def __iter__(self) -> Iterator[Tally]:
        return iter(self.tallies)

    def __getitem__(self, name: str) -> Tally:
        for tally in self.tallies:
            if tally.guarantee.name == name:
                return tally
        listed = ", ".join(tally.guarantee.name for tally in self.tallies)
        raise KeyError(f"there is no guarantee {name!r} in this ledger; expected one of {listed}")

    @property
    def violations(self) -> int:
        """Total number of violations, each in the sense of its guarantee's kind."""
        return sum(tally.violations for tally in self.tallies)

    def records(self) -> list[dict[str, Any]]:
        """Return one dict of JSON values per guarantee."""
        return [tally.record() for tally in self.tallies]

    def markdown(self) -> str:
        """Return the table as Markdown."""
        return markdown(self.records())

    def __str__(self) -> str:
        return self.markdown()

    def to_pandas(self) -> Any:
        """Return the records as a table.

        Returns
        -------
        pandas.DataFrame
            One row per guarantee, and the columns of :meth:`records`.

        Raises
        ------
        MissingExtra
            If pandas is not installed.
        """
        return data_frame(self.records(), "to_pandas")

    def __repr__(self) -> str:
        judged = sum(record["instances"] for record in self.records())
        counts = (len(self.tallies), "guarantee"), (judged, "judgement"), (self.violations, "violation")
        return f"Ledger({', '.join(count(*one) for one in counts)})"

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, [cells(record) for record in self.records()])


def ledger(
    guarantees: Iterable[Guarantee],
    instances: Iterable[Instance] | Callable[[Guarantee], Iterable[Instance]],
    *,
    confidence: float = CONFIDENCE,
    evaluations: int = 0,
    rng: int = 0,
    progress: Progress = False,
) -> Ledger:
    """Check guarantees on instances, count the results, and optionally attack the guarantees.

    Parameters
    ----------
    guarantees : iterable of Guarantee
        The guarantees.
    instances : iterable of Instance, or callable
        The same instances for all of them, or ``instances(guarantee)``.
    confidence : float, default 1 - 1e-6
        Level of the Clopper-Pearson bound for statements with a probability. Their instances must be independent and
        must not be chosen depending on the noise.
    evaluations : int, default 0
        Instances that an attack (:func:`recovery.guarantees.attack`) tries on each guarantee that has a sampler and is
        not proved vacuous; 0 for no attack.
    rng : int, default 0
        Seed of the attacks.
    progress : bool or callable, default False
        True shows a progress bar (needs tqdm); a function is called as ``progress(done, total)`` after each judgement
        and each instance of an attack. `total` is None until the end if `instances` is a function.

    Returns
    -------
    Ledger
        A table; :meth:`Ledger.records` gives its rows.

    Examples
    --------
    >>> from recovery.guarantees import draw, ledger
    >>> print(ledger(guarantees, lambda one: (draw(one, seed) for seed in range(1000))))  # doctest: +SKIP
    """
    if isinstance(guarantees, Guarantee):
        raise TypeError(f"guarantees is the single guarantee {guarantees.name!r}; expected a sequence of guarantees")
    evaluations = check_integer(evaluations, "evaluations", minimum=0)
    shared: Sequence[Instance] | None = None if callable(instances) else list(instances)
    listed = [check_guarantee(guarantee, "guarantees") for guarantee in guarantees]
    attacked = [evaluations > 0 and one.sampler is not None and not one.vacuous for one in listed]
    total = None if shared is None else len(listed) * len(shared) + evaluations * sum(attacked)
    tallies = []
    with bar(progress, total, user="ledger", unit="judgement") as shown:
        for guarantee, wanted in zip(listed, attacked, strict=True):
            tally = Tally(guarantee, confidence)
            for instance in instances(guarantee) if callable(instances) else shared or ():
                tally.add(instance)
                shown.step(note=guarantee.name)
            if wanted:
                with shown.part(evaluations) as told:
                    tally.attack = attack(
                        guarantee, evaluations=evaluations, rng=rng, confidence=confidence, progress=told
                    )
            tallies.append(tally)
    return Ledger(tuple(tallies))


def cells(record: dict[str, Any]) -> list[str]:
    """Return a record of :meth:`Ledger.records` as the texts of :data:`COLUMNS`."""
    kind = record["kind"]
    violations = str(record["violations"])
    if record["delta"] is not None:
        kind = f"{kind} 1 - {record['delta']:g}"
        violations += f" (rate >= {record['rate_bound']:.2g})"
    share = record["vacuous_share"]
    unknown = str(record["unknown"]) + (f" ({record['undecided']})" if record["undecided"] else "")
    counts = [str(record[name]) for name in ("instances", "held", "plural", "near")]
    if not record["bounded"]:
        counts[-1] = "no boundary"
    outcome = [str(len(record["designs"])), str(record["concluded"]), str(record["failed"]), unknown, violations]
    tail = ["-" if share is None else f"{100 * share:.0f} %", _margin(record["tightest"])]
    return [
        record["name"],
        kind,
        *counts,
        *outcome,
        *tail,
        _margin(record["failed_up_to"]),
        _attack(record.get("attack")),
    ]


def markdown(records: Sequence[dict[str, Any]]) -> str:
    """Return records as a Markdown table whose columns are aligned."""
    rows = [list(COLUMNS), *([text.replace("|", "\\|") for text in cells(record)] for record in records)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _attack(record: dict[str, Any] | None) -> str:
    if record is None:
        return "-"
    status, tried = record["status"], record["n_evaluations"]
    if status == "survived":
        return f"survived {record['n_decided']} of {tried}"
    return "not tried" if status == "not tried" else f"{status} in {tried}"


def _margin(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3g}"
