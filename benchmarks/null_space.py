"""ReLU operators of 30 x 40 for which l1 recovery is certified but no isometry theorem applies.

Run from the repository root: ``python -m benchmarks.null_space``. X is drawn and rounded to multiples of 1/64, and its
columns behind 5 gates are scaled by multiples of 1/64 to about unit norm, so that a short file represents the operator
exactly. ``--save FOLDER`` writes certificates for the draw with the smallest bound and checks them from these files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.machine import machine, seconds, table
from recovery import GatedOperator
from recovery.certificates import checker, isometry_certificate, null_space_certificate, null_space_witness
from recovery.certificates.null_space import proved_bound
from recovery.conditions import mutual_coherence, null_space_constant, null_space_multipliers, restricted_eigenvalues

FILES = ("relu-30x40-null-space", "relu-30x40-delta", "relu-30x40-alpha-2")


def operator(seed, n=30, d=8, p=5):
    """Return [D_1 X, ..., D_p X] times a diagonal matrix; all entries are binary fractions."""
    rng = np.random.default_rng(seed)
    X = np.rint(64 * rng.standard_normal((n, d))) / 64
    A = GatedOperator(X, X @ rng.standard_normal((d, p)) >= 0).columns(np.arange(d * p))
    return A * (np.rint(64 / np.linalg.norm(A, axis=0)) / 64)


def row(seed):
    """Return the results of one draw: bounds on alpha_3 by three sets of programs, and isometry constants."""
    A = operator(seed)
    single, decoupled = (proved_bound(A, null_space_multipliers(A, 1), s) for s in (1, 3))
    joint = proved_bound(A, null_space_multipliers(A, 3, "joint"), 3)
    deltas = [restricted_eigenvalues(A, s).scaled_restricted_isometry.lower for s in (2, 4)]
    return seed, 3 * single, decoupled, joint, mutual_coherence(A), *deltas


def show(seed, folder):
    """Print the results of one draw, with times, and write and check its certificates."""
    A = operator(seed)
    rows = []
    for s in (1, 2, 3):
        for method in ("decoupled", "joint", "exact") if s < 3 else ("decoupled", "joint"):
            spent, alpha = seconds(lambda s=s, method=method: null_space_constant(A, s, method))
            rows.append((s, method, f"{alpha.lower:.6f}", f"{alpha.upper:.6f}", f"{spent:.2f}"))
    print(f"\nDraw {seed}, proved bounds on alpha_s (l1 recovers all s-sparse x if and only if it is below 1/2):\n")
    print(table(("s", "method", "lower", "upper", "s"), rows))
    alpha = null_space_constant(A, 2, "exact")
    twice, delta = 2 * null_space_constant(A, 1).upper, restricted_eigenvalues(A, 4).scaled_restricted_isometry
    print(f"\nalpha_2 = {alpha.lower:.6f} exactly (to {alpha.width:.0e}, proved); 2 alpha_1 = {twice:.6f}")
    print(f"Optimally scaled delta_4, enumerated: {delta.lower:.6f}")
    about = {"command": f"python -m benchmarks.null_space --seed {seed}", "shape": "d=8, p=5, X in 1/64"}
    made = (
        null_space_certificate(A, 3, null_space_multipliers(A, 3, "joint"), bits=24, made_by=about),
        isometry_certificate(A, 4, "delta_scaled", ">", "9/10"),
        null_space_witness(A, 2, alpha.witness, made_by=about),
    )
    folder.mkdir(parents=True, exist_ok=True)
    print()
    for name, certificate in zip(FILES, made, strict=True):
        path = folder / f"{name}.json"
        certificate.save(path)
        spent, report = seconds(lambda path=path: checker.check_file(path))
        word = "verified" if report.valid else "NOT verified"
        print(f"{path.name} ({path.stat().st_size / 1e3:.0f} kB): {word} in {spent:.2f} s: {report.statement}")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--draws", type=int, default=16)
    parser.add_argument("--seed", type=int, help="show this draw instead of the best one")
    parser.add_argument("--save", type=Path, default=Path("results/certificates"), metavar="FOLDER")
    options = parser.parse_args(arguments)
    print(f"{machine()}\n")
    seed = options.seed
    if seed is None:
        rows = [row(one) for one in range(options.draws)]
        header = ("seed", "3 alpha_1 <=", "alpha_3 <=, decoupled", "alpha_3 <=, joint", "mu", "delta_2", "delta_4")
        print(table(header, [(one, *(f"{value:.3f}" for value in rest)) for one, *rest in rows]))
        for name, place in (("3 alpha_1", 1), ("decoupled programs", 2), ("the joint program", 3)):
            print(f"\ns = 3 is certified by {name} in {sum(one[place] < 0.5 for one in rows)} of {len(rows)} draws")
        seed = min(rows, key=lambda one: one[3])[0]
    show(seed, options.save)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
