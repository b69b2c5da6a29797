"""A paper's claims beside what was measured: held, not held, or not measured; and whether they survive a fair IMP."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

__all__ = [
    "HELD",
    "NOT_HELD",
    "NOT_MEASURED",
    "NO_RIVAL",
    "Claim",
    "Comparison",
    "against",
    "compare",
    "most",
    "slopes_per_decade",
    "verdict",
]

HELD, NOT_HELD, NOT_MEASURED = "held", "not held", "not measured"
NO_RIVAL = "does not apply"
"""What a claim that IMP has no part in says of a fair IMP."""

Means = Mapping[Any, float]
"""(m, s), or (depth, m, s), -> mean."""


@dataclass(frozen=True)
class Claim:
    """One qualitative claim of a paper, and what this run says of it.

    Parameters
    ----------
    figure : str
        The paper's figure or table, such as ``"Figure 1"``.
    claim : str
        The claim, in our words.
    rule : str
        What was counted, so that "held" has one meaning; fixed before the numbers were seen.
    verdict : {"held", "not held", "not measured"}
        The claim as the paper tests it.
    measured : str
        The numbers behind it.
    fair : {"held", "not held", "not measured", "does not apply"}, optional
        The same against IMP that is given enough updates.
    fair_measured : str, optional
        The numbers behind that.
    """

    figure: str
    claim: str
    rule: str
    verdict: str
    measured: str
    fair: str = NO_RIVAL
    fair_measured: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the fields, for a summary (``summary["claims"]``)."""
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """Two methods on the grid points that both have.

    Parameters
    ----------
    cells : int
        Number of common grid points.
    above : int
        Points where the first method is above the second by more than the margin.
    median_difference : float
        Median of first minus second; NaN without points.
    margin : float, default 0
        What was allowed for.
    level : int, optional
        Points where the two are within `tie` of each other; None where no `tie` was given.
    tie : float, default 0
        What counts as level.
    """

    cells: int
    above: int
    median_difference: float
    margin: float = 0.0
    level: int | None = None
    tie: float = 0.0

    def text(self, unit: str = "dB", digits: int = 1) -> str:
        """Return the numbers as a phrase."""
        if not self.cells:
            return "no common cells"
        middle = f"{self.median_difference:+.{digits}f} {unit}"
        allowed = "" if not self.margin else f" by {self.margin:g} {unit}"
        if self.margin < 0:
            allowed = f", or less than {-self.margin:g} {unit} below,"
        level = "" if self.level is None else f" (within {self.tie:g} {unit} of each other in {self.level})"
        return f"above{allowed} in {self.above} of {self.cells} cells{level}, median difference {middle}"


def compare(first: Means, second: Means, margin: float = 0.0, tie: float | None = None) -> Comparison:
    """Compare two methods on the grid points that both have.

    Parameters
    ----------
    first, second : mapping of (m, s) to float
        Means over the seeds; infinities count as equal to each other.
    margin : float, default 0
        The first counts as above where first > second + margin; negative for "not worse by more than".
    tie : float, optional
        Points that are at most this far apart are counted besides, as level.

    Returns
    -------
    Comparison
        Counts and the median difference.
    """
    pairs = [(first[key], second[key]) for key in first if key in second]
    differences = [0.0 if a == b else a - b for a, b in pairs]
    above = sum(difference > margin for difference in differences)
    middle = median(differences) if differences else math.nan
    level = None if tie is None else sum(abs(difference) <= tie for difference in differences)
    return Comparison(len(pairs), above, middle, margin, level, tie or 0.0)


def slopes_per_decade(means: Means) -> dict[int, float]:
    """Return for each sparsity the least-squares slope of the mean in log10 of the width.

    Parameters
    ----------
    means : mapping of (m, s) to float
        Finite means.

    Returns
    -------
    dict
        s -> change for ten times the width; only where there are at least three widths.
    """
    found: dict[int, float] = {}
    for s in sorted({s for _, s in means}):
        points = sorted((m, value) for (m, other), value in means.items() if other == s and math.isfinite(value))
        if len(points) >= 3:
            x, y = np.log10([m for m, _ in points]), np.array([value for _, value in points])
            found[s] = float(np.polyfit(x, y, 1)[0])
    return found


def verdict(condition: bool | None) -> str:
    """Return the word for True, False, or None (nothing to judge by)."""
    return NOT_MEASURED if condition is None else HELD if condition else NOT_HELD


def most(comparison: Comparison) -> bool | None:
    """Return whether the first method is above in more than half of the cells; None without cells."""
    return None if not comparison.cells else comparison.above > comparison.cells / 2


def against(
    figure: str,
    claim: str,
    rule: str,
    means: Callable[[str], Means],
    *,
    judge: Callable[[Comparison], bool | None] = most,
    margin: float = 0.0,
    tie: float | None = None,
    unit: str = "dB",
    digits: int = 1,
    ours: Sequence[str] = ("released", "repaired"),
) -> Claim:
    """Return the claim "IHT is above IMP", judged as the paper does and against a fair IMP.

    Parameters
    ----------
    figure, claim, rule : str
        As in :class:`Claim`.
    means : callable
        ``means(method) -> mapping of (m, s) to mean``; empty where nothing was computed.
    judge : callable
        Comparison -> True, False or None.
    margin, tie, unit, digits
        As in :func:`compare` and :meth:`Comparison.text`.
    ours : sequence of str
        The paper's method first, then the repaired one, which is reported beside it.

    Returns
    -------
    Claim
        The verdict is on the released method; the repaired one is in the text.
    """
    texts: dict[str, list[str]] = {"imp-paper": [], "imp-fair": []}
    verdicts: dict[str, bool | None] = {}
    for rival, phrases in texts.items():
        for method in ours:
            found = compare(means(method), means(rival), margin, tie)
            if method == ours[0]:
                verdicts[rival] = judge(found)
            phrases.append(
                f"{'IHT as released' if method == 'released' else 'IHT, repaired'}: {found.text(unit, digits)}"
            )
    return Claim(
        figure,
        claim,
        rule,
        verdict(verdicts["imp-paper"]),
        "; ".join(texts["imp-paper"]),
        verdict(verdicts["imp-fair"]),
        "; ".join(texts["imp-fair"]),
    )
