"""What the paper says of Tables 1 and 2, and what the runs say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median

import numpy as np

from paper_repro.claims import Claim, verdict

__all__ = ["PAPER_FIXED_DB", "convergence_claim", "median_step", "psnr_claims", "rank_correlation"]

PAPER_CONVERGED_DB = 160.0
"""The paper: above this PSNR with k < 5."""
PAPER_FIXED_DB = 19.88
"""The paper: PSNR with k = 100, gates that do not move within the run."""
NEAR_DB = 3.0
"""What counts as near it."""

Steps = Mapping[int, Sequence[int | None]]
"""k -> a run's convergence step, None where it was cut off."""


def median_step(steps: Sequence[int | None]) -> float | None:
    """Return the median convergence step of runs.

    Parameters
    ----------
    steps : sequence of int or None
        None is a run that was cut off while its active columns still changed; it counts as later than every step.

    Returns
    -------
    float or None
        NaN without runs, None where the median lies beyond the cut.
    """
    if not steps:
        return math.nan
    found = median([math.inf if step is None else float(step) for step in steps])
    return None if math.isinf(found) else found


def rank_correlation(steps: Steps) -> float:
    """Return Spearman's rank correlation of k and the convergence step, over the runs that were not cut off.

    Parameters
    ----------
    steps : mapping
        k -> convergence steps, None where cut off.

    Returns
    -------
    float
        Ties get their mean rank; NaN for fewer than two different k or steps.
    """
    pairs = [(k, step) for k, found in steps.items() for step in found if step is not None]
    if len({k for k, _ in pairs}) < 2 or len({step for _, step in pairs}) < 2:
        return math.nan
    from scipy.stats import rankdata

    first, second = (rankdata(values) for values in zip(*pairs, strict=True))
    return float(np.corrcoef(first, second)[0, 1])


def convergence_claim(steps: Steps, limit: int, size: str) -> Claim:
    """Return the claim of Table 2: the convergence step grows with k.

    Parameters
    ----------
    steps : mapping
        k -> convergence steps of the released method.
    limit : int
        Steps that were made.
    size : str
        The size of the planted networks, in words.

    Returns
    -------
    Claim
        Held if the medians never fall from one k to the next and are not all equal.
    """
    medians = {k: median_step(steps[k]) for k in sorted(steps) if steps[k]}
    numbers = [math.inf if value is None else value for value in medians.values()]
    judged = None
    if sum(math.isfinite(value) for value in numbers) >= 2:
        pairs = list(pairwise(numbers))
        judged = all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
    listed = ", ".join(
        f"k={k}: {f'not within {limit} steps' if value is None else f'step {value:g}'}" for k, value in medians.items()
    )
    ranks = rank_correlation(steps)
    cut = sum(step is None for found in steps.values() for step in found)
    total = sum(len(found) for found in steps.values())
    text = f"medians at {size}: {listed}" if listed else "no run"
    if math.isfinite(ranks):
        text += f"; rank correlation of k and step {ranks:+.2f} over the {total - cut} of {total} runs not cut off"
    return Claim(
        "Table 2",
        "The step at which the set of active columns stops changing grows with k.",
        "IHT as released, float32 labels: the median over planted networks never falls from one k to the next and "
        f"rises at least once; a run that still changes at step {limit} counts as later than every step, and at least "
        "two medians must lie before that",
        verdict(judged),
        text,
    )


def psnr_claims(
    psnr: Mapping[int, Sequence[float]], steps: Steps, n_iter: int, limit: int, size: str, full_size: bool
) -> list[Claim]:
    """Return the claims of Table 1.

    Parameters
    ----------
    psnr : mapping
        k -> PSNR in dB after `n_iter` steps of the released method, a number a planted network.
    steps : mapping
        k -> convergence steps of the longer runs.
    n_iter, limit : int
        Steps of the shorter and of the longer runs.
    size : str
        The size of the planted networks, in words.
    full_size : bool
        Whether it is the paper's; the claims in dB are judged only there.

    Returns
    -------
    list of Claim
        Three of them.
    """
    middle = {k: median(psnr[k]) for k in sorted(psnr) if psnr[k]}
    settled = {k: median_step(steps[k]) for k in sorted(steps) if steps[k]}
    often = [k for k in middle if k < 5]
    shown = f"medians at {size} after {n_iter} steps: " + ", ".join(f"k={k} {v:.1f} dB" for k, v in middle.items())
    before = [settled[k] for k in settled if k < 5]
    later = _after(settled[5], before) if 5 in settled and before else None
    stands = {k: f"not within {limit} steps" if value is None else f"at step {value:g}" for k, value in settled.items()}
    return [
        Claim(
            "Table 1",
            "With gates updated every k < 5 steps the fit converges to above 160 dB.",
            f"IHT as released, float32 labels: median PSNR after {n_iter} steps above {PAPER_CONVERGED_DB:g} dB for "
            "each k < 5 (judged at the paper's size)",
            verdict(all(middle[k] > PAPER_CONVERGED_DB for k in often) if full_size and often else None),
            shown,
        ),
        Claim(
            "Table 1",
            "With k = 5 it converges later.",
            "IHT as released, float32 labels: median step at which the active columns stop changing at k = 5 above "
            "that of each k < 5; a run that was cut off counts as later than every step",
            verdict(later),
            shown + "; the columns stop changing: " + ", ".join(f"k={k} {text}" for k, text in stands.items()),
        ),
        Claim(
            "Table 1",
            f"With k = 100, gates that do not move before the end, it stays at {PAPER_FIXED_DB} dB.",
            f"IHT as released, float32 labels: median PSNR at k = 100 within {NEAR_DB:g} dB of {PAPER_FIXED_DB} dB "
            "(judged at the paper's size)",
            verdict(abs(middle[100] - PAPER_FIXED_DB) <= NEAR_DB if full_size and 100 in middle else None),
            shown,
        ),
    ]


def _after(step: float | None, others: Sequence[float | None]) -> bool | None:
    """Return whether a median step lies after the others; None where all are beyond the cut."""
    if any(other is None for other in others):
        return None if step is None else False
    return step is None or all(step > other for other in others if other is not None)
