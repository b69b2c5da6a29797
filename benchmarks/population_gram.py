"""The population Gram matrix of two gates: SymPy's formula compared with Monte Carlo, entry by entry at 20 angles.

Run from the repository root::

    python -m benchmarks.population_gram                  # 4,000,000 samples
    python -m benchmarks.population_gram --samples 400000 --seed 1

Each block has 6 different entries, so there are 120 comparisons. Deviations are in units of the standard error, which
is estimated from the same samples. By Bonferroni's correction, 120 comparisons together have the two-sided error rate
of one comparison at 4 standard errors if each deviation is below the corrected quantile that is printed. The limit used
is 4 itself, which is stricter. For a true formula, 120 comparisons exceed it with at most the probability that is
printed.
"""

from __future__ import annotations

import argparse

import numpy as np
import sympy as sp
from scipy.stats import norm as normal
from threadpoolctl import threadpool_limits

from benchmarks.machine import machine
from recovery.conditions.population import population_gram
from recovery.symbolic import gram

ANGLES = np.array([0.02, *np.linspace(0.1, np.pi - 0.1, 18), np.pi - 0.02])
ENTRIES = tuple(zip(*np.triu_indices(3), strict=True))
LIMIT = 4.0
BLOCK = 100_000


def frame(rng):
    """Return a random orthonormal basis of three dimensions, so that no entry is special."""
    Q, R = np.linalg.qr(rng.standard_normal((3, 3)))
    return Q * np.sign(np.diag(R))


def deviations(samples, seed, block=None):
    """Return deviations in standard errors, shape (20, 6), and the largest difference from NumPy's formula.

    `block` is SymPy's matrix as a function of theta, in the coordinates of two generators; by default the derived one.
    """
    rng = np.random.default_rng(seed)
    form = sp.lambdify(sp.Symbol("theta", positive=True), gram.gate_block() if block is None else block, "numpy")
    pairs = [(theta, frame(rng)) for theta in ANGLES]
    plane = [np.stack([Q[:, 0], np.cos(t) * Q[:, 0] + np.sin(t) * Q[:, 1]], axis=1) for t, Q in pairs]
    exact = np.array([Q @ form(t) @ Q.T for t, Q in pairs])
    numeric = np.array([population_gram(H)[:3, 3:] for H in plane])
    first, second = np.zeros((len(ANGLES), 6)), np.zeros((len(ANGLES), 6))
    for start in range(0, samples, BLOCK):
        x = rng.standard_normal((min(BLOCK, samples - start), 3))
        products = np.stack([x[:, i] * x[:, j] for i, j in ENTRIES], axis=1)
        squares = products**2
        gates = [((x @ H) >= 0).all(axis=1).astype(float) for H in plane]
        first += np.array(gates) @ products
        second += np.array(gates) @ squares
    mean = first / samples
    error = np.sqrt((second / samples - mean**2) / samples)
    wanted = np.array([[block[i, j] for i, j in ENTRIES] for block in exact])
    return (mean - wanted) / error, float(np.abs(exact - numeric).max())


def corrected():
    """Return the corrected quantile, and the probability that the largest of all deviations exceeds the limit."""
    single = 2 * normal.sf(LIMIT)
    count = len(ANGLES) * len(ENTRIES)
    return normal.isf(single / count / 2), count * single


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--samples", type=int, default=4_000_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    z, apart = deviations(options.samples, options.seed)
    quantile, chance = corrected()
    print(f"{machine()}; {options.samples} samples, seed {options.seed}\n")
    print("| angle (rad) | largest deviation (standard errors) |\n|---|---|")
    for theta, row in zip(ANGLES, z, strict=True):
        print(f"| {theta:.3f} | {np.abs(row).max():.2f} |")
    print(f"\nlargest of {z.size}: {np.abs(z).max():.2f}, limit {LIMIT:.0f} (exceeded with probability {chance:.4f})")
    print(f"corrected quantile: {quantile:.2f}; root mean square: {np.sqrt(np.mean(z**2)):.2f}")
    print(f"SymPy's and NumPy's formulas differ by {apart:.1e}")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
