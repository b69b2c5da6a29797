"""Closed forms of pruning in linear models, compared with Monte Carlo estimates and their standard errors.

Run from the repository root: ``python -m benchmarks.linear_numbers`` (a minute; ``--trials`` scales the sampling).
The formulas are derived in this project, for the phenomenon studied in Elesedy et al. 2020; see docs/theory.
"within" tells whether the Monte Carlo estimate is within three standard errors; by chance about one in 370 is not.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

import planted
from benchmarks.machine import machine, table
from linear_lottery import closed_forms, gradient_flow, imp


def compared(samples, predicted):
    """Return the cells of a prediction, of Monte Carlo with its standard error, and of their agreement."""
    samples = np.asarray(samples, dtype=float)
    mean, error = samples.mean(), samples.std(ddof=1) / math.sqrt(len(samples))
    # if all trials have the same outcome, take the error of a probability as if one trial had the other outcome
    error = max(error, 1 / len(samples)) if set(np.unique(samples)) <= {0.0, 1.0} else error
    return f"{predicted:.5f}", f"{mean:.5f} +- {error:.5f}", "yes" if abs(mean - predicted) <= 3 * error else "NO"


def orthonormal(trials, rng):
    """E1 at d = 100, k = 10: weights drawn from their law in many trials, and IMP on designs in a few."""
    d, k, rows = 100, 10, []
    for ratio in (2.5, 3.5, 4.5, 5.5):
        predicted, by_law = closed_forms.recovery_probability(d, k, ratio), []
        for _ in range(20):
            w = np.abs(rng.standard_normal((trials * 5, d)) + ratio * (np.arange(d) < k))
            by_law.append(w[:, :k].min(axis=1) > w[:, k:].max(axis=1))
        found = []
        for _ in range(max(trials // 4, 20)):
            X, y, w = planted.linear_model(d, d, k, design="orthogonal", amplitude=ratio, noise=math.sqrt(d), rng=rng)
            found.append(set(imp(X, y, k).support) == set(np.nonzero(w)[0]))
        law, run = compared(np.concatenate(by_law), predicted), compared(found, predicted)
        rows.append((ratio, law[0], *law[1:], *run[1:]))
    print(f"### E1: probability that IMP finds the support, X'X = n I, d = {d}, k = {k}\n")
    header = ("a / s", "quadrature", "Monte Carlo, weights drawn", "within", "Monte Carlo, `imp` one by one", "within")
    print(table(header, rows), "\n")
    rows = [
        (size, size // 10, *(f"{value:.2f}" for value in transition(size, size // 10))) for size in (100, 1000, 10**5)
    ]
    print(
        table(
            (
                "d",
                "k",
                "asymptotic transition of a / s",
                "probability 1/2 at a / s",
                "probability at the asymptotic transition",
            ),
            rows,
        )
    )


def transition(d, k):
    """Return the asymptotic and the exact transition of the recovery probability, and its value at the first."""
    asymptotic = closed_forms.asymptotic_transition(d, k)
    return asymptotic, closed_forms.transition_amplitude(d, k), closed_forms.recovery_probability(d, k, asymptotic)


def starts(trials, rng):
    """E6 at n = 100, d = 200, k = 5, sigma = .5: one-shot pruning from initial weights of growing scale."""
    n, d, k, sigma, sizes = 100, 200, 5, 0.5, (0.0, 0.05, 0.1, 0.15, 0.2)
    found = np.zeros((trials, len(sizes)))
    for trial in range(trials):
        X, y, w = planted.linear_model(n, d, k, noise=sigma, rng=rng)
        direction = rng.standard_normal(d)
        for place, alpha in enumerate(sizes):
            path = imp(X, y, k, w0=alpha * direction, schedule="one-shot")
            found[trial, place] = set(path.support) == set(np.nonzero(w)[0])
    w = (np.arange(d) < k).astype(float)
    rows = []
    for alpha, column in zip(sizes, found.T, strict=True):
        predicted = closed_forms.one_shot_recovery_approximation(n, w, sigma, alpha)
        cells = compared(column, predicted)
        rows.append((alpha, *cells[:2], f"{predicted - column.mean():+.3f}"))
    print(f"### E6: one-shot recovery over the initial scale, n = {n}, d = {d}, k = {k}, sigma = {sigma}\n")
    print("The weights are taken as independent Gaussians with their exact moments: an approximation.\n")
    print(table(("alpha", "approximation", "Monte Carlo", "off by"), rows))


def largest(trials, rng):
    """E4: keep the m largest of an orthonormal design, strong signals."""
    d, k, rows = 100, 10, []
    squares = np.sort(rng.standard_normal((trials * 20, d - k)) ** 2, axis=1)[:, ::-1]
    signals = np.sum(rng.standard_normal((trials * 20, k)) ** 2, axis=1)
    for m in (11, 12, 15, 20, 30, 50, 75, 100):
        exact = closed_forms.top_m_risk(d, k, m)
        off = closed_forms.top_m_risk_asymptotic(d, k, m) / exact - 1
        rows.append((m, *compared(signals + squares[:, : m - k].sum(axis=1), exact), f"{100 * off:.2f} %"))
    print(f"### E4: risk of the m largest weights, strong signals, s = 1, d = {d}, k = {k}\n")
    print(table(("m", "exact", "Monte Carlo", "within", "asymptotic form too large by"), rows))


def fixed_masks(trials, rng):
    """E5: Gaussian rows, fixed masks, more and fewer weights than samples."""
    rows = []
    for n, m, missing, alpha in (
        (60, 10, 0, 0.0),
        (60, 40, 0, 0.0),
        (60, 20, 2, 0.0),
        (40, 60, 0, 0.0),
        (40, 100, 0, 0.3),
        (40, 100, 2, 0.3),
    ):
        d, k, sigma, errors = m + missing, 10, 1.0, []
        w = (np.arange(d) >= d - k).astype(float)
        for _ in range(trials):
            X = rng.standard_normal((n, d))
            y = X @ w + sigma * rng.standard_normal(n)
            found = gradient_flow(X, y, alpha * rng.standard_normal(d), mask=np.arange(d) < m)
            errors.append(np.sum((found - w) ** 2))
        risk = closed_forms.fixed_mask_risk(n, m, sigma, signal=k - missing, alpha=alpha, missing=missing)
        rows.append((n, m, missing, alpha, *compared(errors, risk)))
    print("### E5: expected excess test error on a fixed mask, k = 10 signals of size 1, sigma = 1\n")
    print(table(("n", "m", "signals left out", "alpha", "closed form", "Monte Carlo", "within"), rows))


def amplification():
    """D8's kappa: autoregressive and equally correlated columns, d = 10, S the first three."""
    rows = []
    for rho in (0.2, 0.5, 0.8):
        lags = np.abs(np.subtract.outer(np.arange(10), np.arange(10)))
        for name, gram in (("rho^lag", rho**lags), ("equal", rho + (1 - rho) * np.eye(10))):
            X = np.linalg.cholesky(gram).T
            kappa, bound = (
                closed_forms.null_amplification(X, [0, 1, 2]),
                closed_forms.null_amplification_bound(X, [0, 1, 2]),
            )
            exact = f"{closed_forms.equicorrelated_amplification(10, 3, rho):.3f}" if name == "equal" else ""
            cheap = math.sqrt(7 * np.linalg.cond(gram))
            rows.append((name, rho, f"{kappa:.3f}", exact, f"{bound:.2f}", f"{cheap:.2f}"))
    print("### D8: kappa, d = 10, S the first three\n")
    header = ("correlations", "rho", "kappa, enumerated", "closed form", "bound", "sqrt((d - k) cond)")
    print(table(header, rows))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(options.seed)
    print(f"{machine()}; {options.trials} trials, seed {options.seed}\n")
    orthonormal(options.trials, rng)
    for part in (starts, largest, fixed_masks):
        print()
        part(options.trials, rng)
    print()
    amplification()


if __name__ == "__main__":
    main()
