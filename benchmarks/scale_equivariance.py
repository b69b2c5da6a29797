"""Scale equivariance of every solver: results for (2^a A, 2^b y), over the whole range of the dtype.

Run from the repository root: ``python -m benchmarks.scale_equivariance`` (``--every 1`` tries every exponent).

The entries of A and y have few bits, so that scaling by powers of two is exact, from the smallest subnormal number to
the largest float. The scaled problems are (2^t A, 2^t y), (2^t A, y), (A, 2^t y) and (2^t A, 2^-t y), for all t for
which the dtype represents the data. Support, entries of x, number of steps, objective, history and status must be those
of (A, y), times the right power of two, bit for bit. If the dtype cannot represent x, the status must say so. The
second part multiplies A and y by random numbers of any size, on data that a sparse x fits; x must then agree up to
rounding.

Operators: a dense matrix; a gated one with stored gates; the same with gates recomputed from generators, streamed if
the solver can; and a foreign object with ``rmatvec``, ``columns`` and ``matvec`` only, whose norms are not known.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from threadpoolctl import threadpool_limits

import recovery
from benchmarks.machine import table
from recovery import Status

ROWS, COLUMNS, SPARSITY = 24, 32, 3
FEATURES = 4
OPERATORS = ("dense", "gated", "streamed", "foreign")
VARIANTS = {
    "htp": {},
    "iht": {},
    "niht": {},
    "aiht": {},
    "cosamp": {},
    "omp": {},
    "l1": {},
    "group_l1": {"groups": np.arange(COLUMNS) // FEATURES},
    "htp, raw": {"solver": "htp", "normalise": False, "step": 0.01},
    "iht, unit columns": {"solver": "iht", "normalise": True},
    "niht, unit columns": {"solver": "niht", "normalise": True},
    "aiht, unit columns": {"solver": "aiht", "normalise": True},
    "cosamp, raw": {"solver": "cosamp", "normalise": False},
    "omp, raw": {"solver": "omp", "normalise": False},
}
CONVEX = ("l1", "group_l1")


class Foreign:
    """Another library's operator: three products, and nothing else."""

    def __init__(self, A):
        self._A, self.shape = A, A.shape

    def columns(self, idx):
        """Return columns."""
        return self._A[:, idx]

    def rmatvec(self, r):
        """Return A' r."""
        return self._A.T @ r

    def matvec(self, x):
        """Return A x."""
        return self._A @ x


def problem(dtype, seed, noise=True):
    """Return X (n, d), H (d, p), A = [D_j X] and y, with few bits; without noise y is A times a sparse vector."""
    rng = np.random.default_rng(seed)
    X = np.clip(np.round(4 * rng.standard_normal((ROWS, FEATURES))), -15, 15).astype(dtype) / 4
    X[X == 0] = 0.25
    H = rng.standard_normal((FEATURES, COLUMNS // FEATURES)).astype(dtype)
    A = np.asarray(recovery.GatedOperator.from_generators(X, H).columns(np.arange(COLUMNS)))
    x = np.zeros(COLUMNS, dtype=dtype)
    x[rng.choice(COLUMNS, SPARSITY, replace=False)] = rng.choice([-2.0, -1.0, 1.0, 2.0], SPARSITY)
    y = A @ x
    if noise:
        y = y + np.round(4 * rng.standard_normal(ROWS)).astype(dtype) / 4
    return X, H, A, y, x


def operator(kind, X, H, A, a, dtype):
    """Return 2^a A as an operator of the given kind."""
    scaled = np.ldexp(X, a).astype(dtype)
    if kind == "gated":
        return recovery.GatedOperator.from_generators(scaled, H)
    if kind == "streamed":
        return recovery.GatedOperator.from_generators(scaled, H, store=False)
    matrix = np.ldexp(A, a).astype(dtype)
    return matrix if kind == "dense" else Foreign(matrix)


def options_of(name, kind, a):
    """Return the arguments of `solve`; a given step is in units of 1 / |A|^2, so it scales with A."""
    options = {"solver": name, "max_iter": 40} | VARIANTS[name]
    if "step" in options:
        options["step"] = math.ldexp(options["step"], -2 * a)
    if kind == "streamed" and options["solver"] in ("aiht", "iht") and not options.get("normalise"):
        options["stream"] = True
    return options


def fits(values, exponent, dtype):
    """Return whether 2^exponent times the values are exact, finite numbers of the dtype."""
    values = values.astype(dtype)
    with np.errstate(over="ignore"):
        moved = np.ldexp(values, exponent)
    return bool(np.isfinite(moved).all() and (np.ldexp(moved, -exponent) == values).all())


def exponents(dtype, every):
    """Return the powers of two to try, over the whole range of the dtype."""
    info = np.finfo(dtype)
    low, high = int(info.minexp) - int(info.nmant), int(info.maxexp)
    return [0, *range(low, high + 1, every), *range(high - 6, high + 1), *range(low, low + 6)]


def pairs(X, A, y, dtype, every):
    """Yield the pairs (a, b)."""
    for t in sorted(set(exponents(dtype, every))):
        for a, b in {(t, t), (t, 0), (0, t), (t, -t)}:
            if fits(A, a, dtype) and fits(X, a, dtype) and fits(y, b, dtype):
                yield a, b


def differences(name, plain, found, a, b):
    """Return the differences between the results for (A, y) and for (2^a A, 2^b y) that should not exist."""
    wrong = []
    with np.errstate(over="ignore", under="ignore"):
        expected = np.ldexp(plain.values, b - a)
        exact = bool((np.ldexp(expected, a - b) == plain.values).all())
    if found.n_iter != plain.n_iter:
        wrong.append(f"{found.n_iter} steps, not {plain.n_iter}")
    if not exact:
        # the dtype cannot represent x: the loss must be negligible compared with y, or be reported
        if found.status is not Status.OUT_OF_RANGE and not np.allclose(
            np.ldexp(found.values.astype(float), a - b).sum(), plain.values.astype(float).sum(), rtol=1e-5
        ):
            wrong.append(f"{found.status.name} though x left the range")
        return wrong
    if found.status is not plain.status:
        wrong.append(f"{found.status.name}, not {plain.status.name}")
    if found.support.tolist() != plain.support.tolist():
        return [*wrong, "another support"]
    if found.values.tobytes() != expected.tobytes():
        wrong.append("other bits of x")
    scale = 2 * b
    if [_power(v, scale) for v in plain.history["objective"]] != found.history["objective"]:
        wrong.append("another history of the objective")
    if _power(plain.objective, scale) != found.objective:
        wrong.append("another objective")
    return wrong


def _power(value, exponent):
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.inf


def by_powers(name, kind, dtype, every, seed=0):
    """Try all powers of two; return their number and the list of (a, b, error)."""
    X, H, A, y, _ = problem(dtype, seed)
    plain = recovery.solve(operator(kind, X, H, A, 0, dtype), y, SPARSITY, **options_of(name, kind, 0))
    count, wrong = 0, []
    for a, b in pairs(X, A, y, dtype, every):
        if "step" in VARIANTS[name] and abs(2 * a) > 990:
            continue  # the step itself would be no number
        data = np.ldexp(y, b).astype(dtype)
        found = recovery.solve(operator(kind, X, H, A, a, dtype), data, SPARSITY, **options_of(name, kind, a))
        count += 1
        wrong += [(a, b, what) for what in differences(name, plain, found, a, b)]
    return count, wrong


def by_factors(name, kind, dtype, draws, seed=0):
    """Try other factors on data that a sparse x fits; return their number and the list of errors."""
    X, H, A, y, _ = problem(dtype, seed, noise=False)
    rng, top = np.random.default_rng(seed), 0.8 * np.finfo(dtype).maxexp * math.log10(2)
    plain = recovery.solve(operator(kind, X, H, A, 0, dtype), y, SPARSITY, **options_of(name, kind, 0))
    tolerance = 1e-9 if dtype == "float64" else 1e-3
    count, wrong = 0, []
    for _ in range(draws):
        one = 10.0 ** rng.uniform(-top / 2, top / 2)
        other = 10.0 ** rng.uniform(-top / 2, top / 2)
        options = options_of(name, kind, 0)
        if "step" in options:
            options["step"] = options["step"] / one / one
        scaled = (X.astype(float) * one).astype(dtype), (A.astype(float) * one).astype(dtype)
        found = recovery.solve(
            operator(kind, scaled[0], H, scaled[1], 0, dtype),
            (y.astype(float) * other).astype(dtype),
            SPARSITY,
            **options,
        )
        count += 1
        ratio = np.zeros(COLUMNS)
        ratio[found.support] = found.values.astype(float) * (one / other)
        back = np.zeros(COLUMNS)
        back[plain.support] = plain.values
        if plain.status is Status.CONVERGED and np.abs(ratio - back).max() > tolerance * np.abs(back).max():
            wrong.append((one, other, f"x differs by {np.abs(ratio - back).max():.1e} ({found.status.name})"))
    return count, wrong


def main(arguments=None):
    """Try all scalings and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--every", type=int, default=0, help="step between exponents; 8 (float32) and 64 by default")
    parser.add_argument(
        "--factors", type=int, default=20, help="number of random factors in addition to the powers of two"
    )
    parser.add_argument("--solvers", nargs="*", default=list(VARIANTS))
    options = parser.parse_args(arguments)
    rows, bad = [], 0
    with threadpool_limits(1):
        for name in options.solvers:
            for dtype in ("float32", "float64"):
                for kind in OPERATORS:
                    every = options.every or {"float32": 8, "float64": 64}[dtype] * (4 if name in CONVEX else 1)
                    tried, wrong = by_powers(name, kind, dtype, every)
                    others, off = by_factors(name, kind, dtype, options.factors)
                    rows.append((name, dtype, kind, tried, len({w[:2] for w in wrong}), others, len(off)))
                    bad += len(wrong) + len(off)
                    for item in (wrong + off)[:3]:
                        print(f"{name}, {dtype}, {kind}: {item}")
    heads = ("solver", "dtype", "operator", "powers of two", "mismatches", "other factors", "mismatches")
    print(table(heads, rows))
    powers, factors = (sum(row[column] for row in rows) for column in (3, 5))
    print(f"\n{powers} pairs of powers of two, {factors} of other factors: {bad} mismatches.")
    return bad


if __name__ == "__main__":
    raise SystemExit(1 if main() else 0)
