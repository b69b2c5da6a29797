"""A paper's claims next to our measurements, also against a fair IMP; the verdict rules are in ``verdicts``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from paper_repro import verdicts
from paper_repro.verdicts import HELD, NOT_HELD, NOT_MEASURED, TOO_CLOSE, Measured, Trials

__all__ = [
    "HELD",
    "NOT_HELD",
    "NOT_MEASURED",
    "NO_RIVAL",
    "RIVALS",
    "TOO_CLOSE",
    "Claim",
    "Comparison",
    "against",
    "compare",
    "slopes_per_decade",
]

NO_RIVAL = "does not apply"
"""Entry for the fair IMP in claims that do not involve IMP."""
RIVALS = (
    "The paper's magnitude pruning (IMP) makes only as many updates per round as IHT makes steps, and may be hardly "
    "trained; a fair IMP makes enough updates to train the network. A claim that is held against the first only says "
    "little about pruning."
)
"""Reading the two verdicts of a claim."""
OURS = {"paper": "IHT as in the paper", "robust": "IHT, robust"}


@dataclass(frozen=True)
class Claim:
    """One qualitative claim of a paper, and the verdict of this run.

    Parameters
    ----------
    figure : str
        The paper's figure or table, such as ``"Figure 1"``.
    claim : str
        The claim, in our own words.
    rule : str
        The precise criterion, so that "held" has a unique meaning; fixed before the results were seen.
    verdict : {"held", "not held", "too close to call", "not measured"}
        Verdict on the claim as the paper tests it.
    measured : str
        The numbers behind the verdict.
    fair : str, optional
        Verdict against IMP with enough updates: one of the same verdicts, or ``"does not apply"``.
    fair_measured : str, optional
        The numbers behind that.
    data : str
        The data and their size; the verdict refers to these only.
    interval, fair_interval : str, optional
        The measured quantity with its interval, and its limit: ``"0.93 [0.85, 1.00], limit 0.50"``.
    other, fair_other : str, optional
        The same numbers for the robust method, about which the paper claims nothing.
    basis : str
        How the interval determines the verdict, in one sentence.
    """

    figure: str
    claim: str
    rule: str
    verdict: str
    measured: str
    fair: str = NO_RIVAL
    fair_measured: str = ""
    data: str = ""
    interval: str = ""
    fair_interval: str = ""
    other: str = ""
    fair_other: str = ""
    basis: str = verdicts.BASIS

    def as_dict(self) -> dict[str, str]:
        """Return the fields, for a summary (``summary["claims"]``)."""
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """Comparison of two methods on their common trials (pairs of a cell and a seed).

    Parameters
    ----------
    trials : int
        Number of common trials.
    above : int
        Trials in which the first method is above the second, by more than the margin plus the tie tolerance.
    level : int
        Trials in which the two are level, that is, tied.
    exact : int or None
        Those of the level trials in which both are exact; None where exactness has no meaning.
    median_difference : float
        Median of first minus second; NaN without trials.
    share : Measured
        Share of the trials in which the first is above, counting level trials as half.
    margin, tie : float, default 0
        The margin, and the tolerance for level trials.
    """

    trials: int
    above: int
    level: int
    exact: int | None
    median_difference: float
    share: Measured
    margin: float = 0.0
    tie: float = 0.0

    def text(self, unit: str = "dB", digits: int = 1) -> str:
        """Return the numbers as a phrase."""
        if not self.trials:
            return "no pair of fits to compare"
        unit = f" {unit}" if unit else ""
        what = f"difference above {self.margin:+g}{unit}" if self.margin else "above"
        number = self.share.cells
        pairs = f"pairs of fits at {number} pair{'s' * (number != 1)} (m, s)"
        where = " of that" if self.margin else ""
        exact = f" (both exact in {self.exact})" if self.exact else ""
        level = f"tied within {self.tie:g}{unit}{where} in {self.level}{exact}"
        below = self.trials - self.above - self.level
        # no sign for what is rounded to 0
        middle = f"{self.median_difference:+.{digits}f}"
        middle = middle if float(middle) else middle[1:]
        return (
            f"{what} in {self.above} of {self.trials} {pairs}, {level}, below in {below}; "
            f"median difference {middle}{unit}"
        )


def compare(
    first: Trials, second: Trials, margin: float = 0.0, tie: float = 0.0, exact: float | None = None
) -> Comparison:
    """Compare two methods on their common trials.

    Parameters
    ----------
    first, second : mapping of cell to mapping of seed to float
        Values; equal infinities are level.
    margin : float, default 0
        The first counts as above if first > second + margin; negative for "not worse by more than".
    tie : float, default 0
        Trials within this distance of the margin are level, because rounding may decide them.
    exact : float, optional
        A value from which a fit counts as exact.

    Returns
    -------
    Comparison
        Counts, the share with its interval, and the median difference.
    """
    _, _, (ours, theirs) = verdicts.paired(first, second)
    score = verdicts.scores(ours, theirs, margin, tie)
    known = ~np.isnan(score)
    differences = [0.0 if a == b else float(a - b) for a, b in zip(ours[known], theirs[known], strict=True)]
    return Comparison(
        len(differences),
        int((score == 1.0).sum()),
        int((score == 0.5).sum()),
        None if exact is None else int(((score == 0.5) & (ours >= exact) & (theirs >= exact)).sum()),
        median(differences) if differences else math.nan,
        verdicts.share(score),
        margin,
        tie,
    )


def slopes_per_decade(values: Trials) -> dict[Any, dict[int, float]]:
    """Return, for each sparsity and seed, the least-squares slope in log10 of the width.

    Parameters
    ----------
    values : mapping of (m, s) or (depth, m, s) to mapping of seed to float
        Only finite values are used.

    Returns
    -------
    dict
        s, or (depth, s), -> seed -> change per factor of ten in width; only if there are at least three widths.
    """
    lines: dict[Any, dict[int, list[tuple[int, float]]]] = {}
    for (*rest, m, s), seeds in values.items():
        for seed, value in seeds.items():
            if math.isfinite(value):
                lines.setdefault((*rest, s) if rest else s, {}).setdefault(seed, []).append((m, value))
    found: dict[Any, dict[int, float]] = {}
    for key in sorted(lines):
        for seed, points in sorted(lines[key].items()):
            if len(points) >= 3:
                x, y = np.log10([m for m, _ in points]), np.array([value for _, value in points])
                found.setdefault(key, {})[seed] = float(np.polyfit(x, y, 1)[0])
    return found


def against(
    figure: str,
    claim: str,
    rule: str,
    trials: Callable[[str], Trials],
    *,
    data: str,
    margin: float = 0.0,
    tie: float = 0.0,
    unit: str = "dB",
    digits: int = 1,
    exact: float | None = None,
    beside: Mapping[str, Callable[[Trials, Trials], tuple[Measured, str]]] | None = None,
) -> Claim:
    """Return the claim "IHT is above IMP", judged as the paper does and against a fair IMP.

    Parameters
    ----------
    figure, claim, rule, data : str
        As in :class:`Claim`.
    trials : callable
        ``trials(method) -> cell -> seed -> value``; empty if nothing was computed.
    margin, tie, unit, digits, exact
        As in :func:`compare` and :meth:`Comparison.text`.
    beside : mapping of str to callable, optional
        Further conditions of the claim, all of which must hold: name -> the measurement for the two methods, and its
        numbers as a phrase.

    Returns
    -------
    Claim
        The verdict refers to the paper's method; the numbers of the robust one are in `other` and `fair_other`.
    """
    options: dict[str, Any] = {"margin": margin, "tie": tie, "unit": unit, "digits": digits, "exact": exact}
    sides = [_side(trials, rival, beside or {}, **options) for rival in ("imp-paper", "imp-fair")]
    (verdict, measured, interval, other), (fair, fair_measured, fair_interval, fair_other) = sides
    return Claim(
        figure,
        claim,
        rule,
        verdict,
        measured,
        fair,
        fair_measured,
        data,
        interval,
        fair_interval,
        other,
        fair_other,
    )


def _side(
    trials: Callable[[str], Trials],
    rival: str,
    beside: Mapping[str, Callable[[Trials, Trials], tuple[Measured, str]]],
    *,
    margin: float,
    tie: float,
    unit: str,
    digits: int,
    exact: float | None,
) -> tuple[str, str, str, str]:
    """Return verdict, numbers and intervals against one rival, and the numbers of the robust method."""
    verdict, interval, phrases = "", "", []
    for method in OURS:
        found = compare(trials(method), trials(rival), margin, tie, exact)
        further = {name: of(trials(method), trials(rival)) for name, of in beside.items()} if found.trials else {}
        if method == "paper":
            verdict = verdicts.all_of(found.share, *(part for part, _ in further.values()))
            named = {"share": found.share, **{name: part for name, (part, _) in further.items()}}
            interval = "; ".join(f"{name} {part.interval()}" for name, part in named.items()) if found.trials else ""
        told = [found.text(unit, digits), *(text for _, text in further.values())]
        if method != "paper" and found.trials:
            told.append(f"share {found.share.interval(limit=False)}")
        phrases.append(f"{OURS[method]}: {'; '.join(told)}")
    measured, other = phrases
    return verdict, measured, interval, other
