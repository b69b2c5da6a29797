"""What the paper says of Tables 1 and 2, and what the runs say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median

import numpy as np

from paper_repro.claims import Claim
from paper_repro.verdicts import BASIS_SEEDS, Measured, least_share, paired, scores

__all__ = ["PAPER_FIXED_DB", "convergence_claim", "median_step", "psnr_claims", "rank_correlation"]

PAPER_CONVERGED_DB = 160.0
"""The paper: above this PSNR with k < 5."""
PAPER_FIXED_DB = 19.88
"""The paper: PSNR with k = 100, gates that do not move within the run."""
NEAR_DB = 3.0
"""What counts as near it."""

Steps = Mapping[int, Mapping[int, int | None]]
"""k -> seed -> a run's convergence step, None where it was cut off."""


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


def rank_correlation(steps: Mapping[int, Sequence[int | None]]) -> float:
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


def convergence_claim(steps: Steps, limit: int, size: str, data: str) -> Claim:
    """Return the claim of Table 2: the convergence step grows with k.

    Parameters
    ----------
    steps : mapping
        k -> seed -> convergence step of the released method.
    limit : int
        Steps that were made.
    size, data : str
        The size of the planted networks, in words, and which data they are.

    Returns
    -------
    Claim
        Held if, for each two neighbouring k, the larger one takes longer on more than half of the networks.
    """
    medians = {k: median_step(list(steps[k].values())) for k in sorted(steps) if steps[k]}
    found = least_share(_later([(small, large) for small, large in pairwise(medians)], steps))
    listed = ", ".join(
        f"k={k}: {f'not within {limit} steps' if value is None else f'step {value:g}'}" for k, value in medians.items()
    )
    ranks = rank_correlation({k: list(runs.values()) for k, runs in steps.items()})
    every = [step for runs in steps.values() for step in runs.values()]
    cut = sum(step is None for step in every)
    text = f"medians at {size}: {listed}" if listed else "no run"
    if math.isfinite(ranks):
        kept = f"{len(every) - cut} of {len(every)} runs not cut off"
        text += f"; rank correlation of k and step {ranks:+.2f} over the {kept}"
    return Claim(
        "Table 2",
        "The step at which the set of active columns stops changing grows with k.",
        "IHT as released, float32 labels: for each two neighbouring k, the share of planted networks on which the "
        f"larger k takes longer is more than half; equal steps, and two runs that still change at step {limit}, count "
        "half",
        found.verdict,
        text,
        data=data,
        interval=_interval("smallest share", found),
        basis=BASIS_SEEDS,
    )


def psnr_claims(
    psnr: Mapping[int, Mapping[int, float]],
    steps: Steps,
    n_iter: int,
    limit: int,
    size: str,
    data: str,
    full_size: bool,
) -> list[Claim]:
    """Return the claims of Table 1.

    Parameters
    ----------
    psnr : mapping
        k -> seed -> PSNR in dB after `n_iter` steps of the released method.
    steps : mapping
        k -> seed -> convergence step of the longer runs.
    n_iter, limit : int
        Steps of the shorter and of the longer runs.
    size, data : str
        The size of the planted networks, in words, and which data they are.
    full_size : bool
        Whether it is the paper's; the claims in dB are judged only there.

    Returns
    -------
    list of Claim
        Three of them.
    """
    middle = {k: median(psnr[k].values()) for k in sorted(psnr) if psnr[k]}
    settled = {k: median_step(list(steps[k].values())) for k in sorted(steps) if steps[k]}
    shown = f"medians at {size} after {n_iter} steps: " + ", ".join(f"k={k} {v:.1f} dB" for k, v in middle.items())
    stands = {k: f"not within {limit} steps" if value is None else f"at step {value:g}" for k, value in settled.items()}
    often = {k: psnr[k] for k in middle if k < 5} if full_size else {}
    fixed = {100: psnr[100]} if full_size and 100 in middle else {}
    _, _, (reached,) = paired(often)
    _, _, (near,) = paired(
        {k: {seed: abs(v - PAPER_FIXED_DB) for seed, v in runs.items()} for k, runs in fixed.items()}
    )
    above = least_share(scores(reached, PAPER_CONVERGED_DB))
    later = least_share(_later([(k, 5) for k in settled if k < 5] if 5 in settled else [], steps))
    close = least_share(scores(np.full_like(near, NEAR_DB), near))
    common = {"data": data, "basis": BASIS_SEEDS}
    return [
        Claim(
            "Table 1",
            "With gates updated every k < 5 steps the fit converges to above 160 dB.",
            f"IHT as released, float32 labels: for each k < 5, the share of planted networks whose PSNR after {n_iter} "
            f"steps is above {PAPER_CONVERGED_DB:g} dB is more than half (judged at the paper's size)",
            above.verdict,
            shown,
            interval=_interval("smallest share", above),
            **common,
        ),
        Claim(
            "Table 1",
            "With k = 5 it converges later.",
            "IHT as released, float32 labels: for each k < 5, the share of planted networks on which the active "
            "columns stop changing later with k = 5 is more than half; equal steps, and two runs that were cut off, "
            "count half",
            later.verdict,
            shown + "; the columns stop changing: " + ", ".join(f"k={k} {text}" for k, text in stands.items()),
            interval=_interval("smallest share", later),
            **common,
        ),
        Claim(
            "Table 1",
            f"With k = 100, gates that do not move before the end, it stays at {PAPER_FIXED_DB} dB.",
            "IHT as released, float32 labels: the share of planted networks whose PSNR at k = 100 is within "
            f"{NEAR_DB:g} dB of {PAPER_FIXED_DB} dB is more than half (judged at the paper's size)",
            close.verdict,
            shown,
            interval=_interval("share", close),
            **common,
        ),
    ]


def _later(pairs: Sequence[tuple[int, int]], steps: Steps) -> np.ndarray:
    """Return the scores of "the second k takes longer than the first", one row a pair of k, one column a network."""
    beyond = {k: {seed: math.inf if step is None else float(step) for seed, step in steps[k].items()} for k in steps}
    seeds = sorted({seed for pair in pairs for k in pair for seed in steps[k]})
    rows = [[[beyond[k].get(seed, math.nan) for seed in seeds] for k in pair] for pair in pairs]
    values = np.array(rows, dtype=float).reshape(len(pairs), 2, len(seeds))
    return scores(values[:, 1], values[:, 0])


def _interval(name: str, found: Measured) -> str:
    return f"{name} {found.interval()}" if found.cells else ""
