"""Search for false certificates: certified bounds of thousands of difficult small matrices, compared with exact values.

Run from the repository root: ``python -m benchmarks.no_false_certificate`` (2,000 instances, two minutes) or with
``--full`` (20,000), ``--jobs 2`` and ``--store FILE``, from which an interrupted run continues. An instance is a matrix
and a sparsity. Both of its restricted eigenvalues are bounded, by complete enumeration or with a dual matrix: a simple
one, that of the first-order method or of one of cvxpy's solvers, or an arbitrary symmetric matrix. Code in integers
that shares nothing with the certificates compares the bounds with the exact value. One certificate in 50 is written to
a file and checked independently; its bound is then moved past the true value, and the checker must reject it. Three
more families (integers beyond floats, numbers at 1e+-300, forged files) are in benchmarks/extreme_families.py. Bounds
of null-space constants are compared, in fractions, with all null vectors of minimal support.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import math
import statistics
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import extreme_families
from benchmarks.machine import machine, table
from recovery.certificates import (
    Certificate,
    dual_bound,
    enumeration_bound,
    null_space_certificate,
    null_space_witness,
    witness_bound,
)
from recovery.certificates.null_space import with_cvxpy
from recovery.conditions import (
    dual_certificate,
    null_space_constant,
    null_space_multipliers,
    restricted_eigenvalues,
    spark_bounds,
)
from tests.support import exact_oracle

SIDES = ("largest", "smallest")
BESIDES = ("beyond floats", "1e+-300", "forged files")
CHUNK = 250
"""Instances per piece, which take about ten seconds."""
KINDS = ("matrices", "solvers", "null space", "beyond", "range", "forged")
EVERY = 50
"""One certificate in this many is saved, loaded, checked and tampered with."""


@dataclasses.dataclass
class Outcome:
    """The outcome of one bound: `crossed` means false, `slack` is the distance from the exact value divided by L_s."""

    family: str
    side: str
    prover: str
    crossed: bool = False
    refused: str = ""
    slack: float = math.nan
    positive: bool | None = None  # a bound above 0 of a smallest eigenvalue that is above 1e-9 L_s
    checked: bool | None = None  # by the independent checker
    tampered_refused: bool | None = None


# ---- matrices ----------------------------------------------------------------------------------------------------


def _shape(rng):
    if rng.uniform() < 0.02:
        return int(rng.integers(8, 31)), int(rng.integers(13, 25))
    return int(rng.integers(1, 13)), int(rng.integers(2, 10))


def gaussian(rng):
    """Return Gaussian columns, sometimes float32."""
    A = rng.standard_normal(_shape(rng))
    return A.astype(np.float32) if rng.uniform() < 0.2 else A


def relu(rng):
    """Return gated columns, most of unit norm."""
    n, p = int(rng.integers(4, 40)), int(rng.integers(1, 5))
    d = int(rng.integers(1, (24 if rng.uniform() < 0.03 else 9) // p + 1))
    X, H = rng.standard_normal((n, d)), rng.standard_normal((d, p))
    A = np.concatenate([X * (X @ H[:, [j]] >= 0) for j in range(p)], axis=1)
    norms = np.linalg.norm(A, axis=0)
    return A / np.where(norms > 0, norms, 1.0) if rng.uniform() < 0.7 else A


def _scaled_columns(power):
    def family(rng):
        n, N = _shape(rng)
        A = rng.standard_normal((n, N)) * 10.0 ** rng.uniform(-power, power, N)
        return A if rng.uniform() < 0.7 else A * 10.0 ** rng.uniform(-power / 20, power / 20, (n, 1))

    return family


def scaled_entries(rng):
    """Return entries of all sizes."""
    n, N = _shape(rng)
    return rng.standard_normal((n, N)) * 10.0 ** rng.uniform(-100, 100, (n, N))


def duplicated(rng):
    """Return float columns that occur more than once, some negated or at another power of two."""
    n, N = _shape(rng)
    A = rng.standard_normal((n, max(1, N // 2)))
    return A[:, rng.integers(0, A.shape[1], N)] * rng.choice([1.0, -1.0, 4.0, 0.5, 3.0], N)


def nearly_dependent(rng):
    """Return columns that differ from combinations of others by 1e-15 to 1e-6, or by one unit in the last place."""
    n, N = _shape(rng)
    A = rng.standard_normal((n, N))
    for j in range(1, N):
        if rng.uniform() < 0.6:
            A[:, j] = A[:, :j] @ np.round(rng.uniform(-2, 2, j) * (rng.uniform(size=j) < 0.5))
            if rng.uniform() < 0.5:
                A[:, j] += 10.0 ** rng.uniform(-15, -6) * rng.standard_normal(n)
            else:
                A[0, j] = np.nextafter(A[0, j], 9.0)
    return A


def _hadamard(power):
    H = np.ones((1, 1))
    for _ in range(power):
        H = np.block([[H, H], [H, -H]])
    return H


def orthogonal(rng):
    """Return orthogonal columns of integers, of equal or different norms: bounds are tight."""
    H = _hadamard(int(rng.integers(0, 4))) if rng.uniform() < 0.6 else np.eye(int(rng.integers(1, 9)))
    A = H[:, rng.permutation(len(H))[: int(rng.integers(1, len(H) + 1))]]
    scale = rng.integers(1, 6, A.shape[1]) if rng.uniform() < 0.6 else int(rng.integers(1, 9))
    return A * scale * 2.0 ** int(rng.integers(-40, 41))


def duplicated_integers(rng):
    """Return integer columns that occur more than once."""
    n, N = _shape(rng)
    A = rng.integers(-3, 4, (n, max(1, N // 2)))
    return A[:, rng.integers(0, A.shape[1], N)] * rng.choice([1, -1, 2], N)


def equicorrelated(rng):
    """Return a I + b J stacked on orthogonal rows: equal norms, equal inner products, all integers."""
    N, a, b = int(rng.integers(2, 10)), int(rng.integers(-4, 5)), int(rng.integers(-3, 4))
    A = a * np.eye(N) + b * np.ones((N, N))
    return np.vstack([A, int(rng.integers(1, 4)) * np.ones((1, N))]) if rng.uniform() < 0.5 else A


def integers(rng):
    """Return small integers, sometimes with dtype int, sometimes up to 2**53."""
    top = int(rng.choice([2, 4, 100, 2**26, 2**53]))
    A = rng.integers(-top, top + 1, _shape(rng))
    return A if rng.uniform() < 0.5 else A.astype(float)


def hilbert(rng):
    """Return 1 / (i + j + c) or powers of points: very badly conditioned."""
    n, N = _shape(rng)
    if rng.uniform() < 0.5:
        return 1.0 / (np.arange(n)[:, None] + np.arange(N) + 1.0 + rng.integers(0, 3))
    return np.linspace(0.1, 1.0, n)[:, None] ** np.arange(N)


def cancelling(rng):
    """Return columns whose inner products cancel to their last digits."""
    n, N = _shape(rng)
    half = rng.standard_normal((n, N)) * 10.0 ** rng.uniform(0, 8, (n, 1))
    return np.vstack([half, half * rng.choice([1.0, -1.0], N), rng.standard_normal((1, N))])


def rank_one(rng):
    """Return an outer product, rounded or of integers."""
    n, N = _shape(rng)
    if rng.uniform() < 0.5:
        return np.outer(rng.integers(-3, 4, n), rng.integers(-3, 4, N)).astype(float)
    return np.outer(rng.standard_normal(n), rng.standard_normal(N))


def single_column(rng):
    """Return one column."""
    return rng.standard_normal((int(rng.integers(1, 8)), 1)) * 10.0 ** float(rng.uniform(-100, 100))


def single_row(rng):
    """Return one row."""
    A = rng.standard_normal((1, int(rng.integers(1, 9))))
    return A if rng.uniform() < 0.5 else np.round(3 * A)


def subnormal(rng):
    """Return subnormal numbers, or columns whose squares underflow; sometimes together with columns of order 1."""
    n, N = _shape(rng)
    A = rng.integers(-9, 10, (n, N)) * 5e-324 if rng.uniform() < 0.5 else rng.standard_normal((n, N)) * 1e-170
    if rng.uniform() < 0.4:
        A[:, : N // 2] = rng.standard_normal((n, N // 2))
    return A


def zeros(rng):
    """Return columns of zeros, negative ones too, among others."""
    A = rng.standard_normal(_shape(rng))
    A[:, rng.uniform(size=A.shape[1]) < 0.5] = -0.0
    return A


def near_overflow(rng):
    """Return columns whose inner products are close to the largest float."""
    n, N = _shape(rng)
    return rng.standard_normal((n, N)) * 10.0 ** rng.uniform(148, 153.3, N)


FAMILIES = {
    "gaussian": gaussian,
    "relu": relu,
    "columns 1e-8 to 1e8": _scaled_columns(8),
    "columns 1e-150 to 1e150": _scaled_columns(145),
    "entries 1e-100 to 1e100": scaled_entries,
    "duplicated": duplicated,
    "nearly dependent": nearly_dependent,
    "orthogonal integers": orthogonal,
    "duplicated integers": duplicated_integers,
    "equicorrelated integers": equicorrelated,
    "integers": integers,
    "hilbert": hilbert,
    "cancelling": cancelling,
    "rank one": rank_one,
    "single column": single_column,
    "single row": single_row,
    "subnormal": subnormal,
    "zero columns": zeros,
    "near overflow": near_overflow,
}
DEGENERATE = {"subnormal", "zero columns", "near overflow"}
"""Families with overflow, underflow or zero columns, for which a refusal is correct."""


# ---- proposals ---------------------------------------------------------------------------------------------------


def any_symmetric(A, rng):
    """Return an arbitrary symmetric matrix; every one is a valid proposal."""
    A = np.asarray(A, dtype=np.float64)
    N = A.shape[1]
    with np.errstate(all="ignore"):
        G = np.nan_to_num(A.T @ A, nan=0.0, posinf=1e280, neginf=-1e280)
    G = np.clip(np.triu(G) + np.triu(G, 1).T, -1e280, 1e280)
    scale = float(np.abs(G).max()) or 1.0
    noise = rng.standard_normal((N, N))
    noise = noise + noise.T
    kind = int(rng.integers(0, 9))
    if kind == 0:
        return noise * scale
    if kind == 1:  # sparse
        U = np.zeros((N, N))
        i, j = rng.integers(0, N, 2)
        U[i, j] = U[j, i] = rng.standard_normal() * scale
        return U
    if kind == 2:  # huge
        return noise * min(scale * 1e20, 1e285)
    if kind == 3:  # tiny, or subnormal
        return noise * (scale * 1e-18 if rng.uniform() < 0.5 else 1e-320)
    if kind == 4:  # the answer for equal inner products
        t = np.abs(G - np.diag(G.diagonal())).max()
        U = -np.clip(G, -t, t)
        np.fill_diagonal(U, -t if rng.uniform() < 0.5 else t)
        return U
    if kind == 5:
        return -G
    if kind == 6:
        return G * rng.choice([1.0, 0.5, -0.5])
    if kind == 7:
        return np.zeros((N, N))
    t = scale * rng.uniform(0, 0.5)
    return -np.clip(G, -t, t)


def prove(A, s, side, rng, solver=None):
    """Return the name of a random method of proof, and its certificate."""
    if solver is not None:
        # its own U, bit for bit, also where a simple one is better
        sign, A = (1.0 if side == "largest" else -1.0), np.asarray(A, dtype=np.float64)
        G = A.T @ A
        proposal = with_cvxpy(sign * (np.triu(G) + np.triu(G, 1).T), s, solver)
        name = "cvxpy" if math.isfinite(proposal.dual) else "cvxpy gave up"
        return name, dual_bound(A, s, side, sign * proposal.W)
    draw = rng.uniform()
    if draw < 0.3:
        return "simple", dual_bound(A, s, side, solver=None)
    if draw < 0.5:
        return "first-order", dual_bound(A, s, side, max_iter=int(rng.integers(10, 41)))
    if draw < 0.8:
        return "any symmetric", dual_bound(A, s, side, any_symmetric(A, rng))
    return "enumeration", enumeration_bound(A, s, side)


# ---- the campaign ------------------------------------------------------------------------------------------------


def eigenvalue_instance(family, A, s, rng, number, folder, solver=None):
    """Return the outcomes of both sides of one instance."""
    exact = np.asarray(A, dtype=np.float64)
    blocks = exact_oracle.Blocks(exact, s)
    low, high, scale = blocks.values()
    out = []
    for side, value in zip(SIDES, (high, low), strict=True):
        one = Outcome(family, side, "")
        out.append(one)
        try:
            one.prover, certificate = prove(A, s, side, rng, solver)
        except (ValueError, ArithmeticError) as error:
            one.refused = str(error)
            continue
        t = Fraction(certificate.claim["bound"])
        one.crossed = blocks.crossed(side, t) is not None
        if certificate.bound != t:  # the float on the safe side
            one.crossed |= blocks.crossed(side, Fraction(certificate.bound)) is not None
        one.slack = max(0.0, (1 if side == "largest" else -1) * (_float(t / scale) - value)) / (high or 1.0)
        if side == "smallest" and low > 1e-9 * high:
            one.positive = t > 0
        if number % 20 == 5:
            one.crossed |= _interval_crossed(blocks, A, s, side, rng)
        if number % EVERY == 0:
            shown = witness_bound(A, s, side)
            one.crossed |= not blocks.reached(side, Fraction(shown.claim["bound"]), shown.proof["support"])
            _through_a_file(one, certificate, shown, s, side, scale, folder)
    return out


def _interval_crossed(blocks, A, s, side, rng):
    """Return whether an end of a certified interval is on the wrong side."""
    options = ({"method": "dual"}, {"certify": True}, {"method": "search", "certify": True})[int(rng.integers(3))]
    try:
        found = getattr(restricted_eigenvalues(A, s, **options), side)
    except ValueError as error:
        if "underflow" not in str(error):
            raise
        return False  # a refusal, in a sentence
    assert found.lower_certified
    assert found.upper_certified
    bound, shown = (found.upper, found.lower) if side == "largest" else (found.lower, found.upper)
    if math.isfinite(bound) and blocks.crossed(side, Fraction(bound)) is not None:
        return True
    return not blocks.reached(side, Fraction(shown), found.witness.tolist())


def _through_a_file(one, certificate, shown, s, side, scale, folder):
    """Save, load and check; then move the bound past a value that a vector attains, by the slack or by very little."""
    path = Path(folder) / "certificate.json"
    certificate.save(path)
    again = Certificate.load(path)
    one.checked = again == certificate and again.check().valid and shown.check().valid
    sign = 1 if side == "largest" else -1
    t, reached = Fraction(certificate.claim["bound"]), Fraction(shown.claim["bound"])
    slack = max(sign * (t - reached), scale / 10**15)
    moved = dataclasses.replace(certificate, claim={"s": s, "bound": str(t - 2 * sign * slack)})
    report = moved.check()
    one.tampered_refused = not report.valid and "does not follow" in report.reason


def null_space_instance(rng, number, folder):
    """Return the outcome of the bounds on the null-space constants of one matrix."""
    n = int(rng.integers(1, 5))
    N = int(rng.integers(n, 8))
    name, A = _null_matrix(rng, n, max(N, 2))
    circuits = exact_oracle.minimal_null_vectors(A)
    exact = {s: exact_oracle.null_space_constant(circuits, s) for s in (1, 2)}
    one = Outcome(f"null space: {name}", "alpha", "")
    spark = spark_bounds(A)
    one.crossed |= not spark.lower <= min(map(len, circuits), default=math.inf) <= spark.upper
    support = np.sort(rng.choice(A.shape[1], int(rng.integers(1, 3)), replace=False))
    signs = rng.choice([-1, 1], support.size)
    unique = dual_certificate(A, support, signs).unique
    one.crossed |= unique is not None and unique != exact_oracle.recovers(circuits, support.tolist(), signs.tolist())
    slacks = []
    for s, alpha in exact.items():
        if s > A.shape[1]:
            continue
        method = str(rng.choice(["decoupled", "joint", "exact"]))
        try:
            found = null_space_constant(A, s, method)
        except ValueError:  # an interval whose certified ends contradict each other
            one.crossed = True
            break
        one.crossed |= not Fraction(found.lower) <= alpha <= Fraction(found.upper)
        slacks.append(found.upper - float(alpha))
        proposals = [null_space_multipliers(A, s), rng.standard_normal(A.shape) / np.abs(A).max()]
        for Y in proposals:
            certificate = null_space_certificate(A, s, Y)
            one.crossed |= Fraction(certificate.claim["bound"]) < alpha
            one.crossed |= certificate.bound < alpha
            shown = null_space_witness(A, s, rng.standard_normal(A.shape[1]))
            one.crossed |= shown is not None and not Fraction(shown.claim["bound"]) <= alpha
            if number % EVERY == 0 and one.tampered_refused is not False:
                path = Path(folder) / "certificate.json"
                certificate.save(path)
                one.checked = Certificate.load(path).check().valid and (shown is None or shown.check().valid)
                # below the very number that Y proves: alpha itself need not be reached by this Y
                low = Fraction(certificate.claim["bound"]) * Fraction(10**9 - 1, 10**9)
                low = min(low, alpha - (Fraction(certificate.claim["bound"]) - alpha), alpha - Fraction(1, 10**9))
                moved = dataclasses.replace(certificate, claim={"s": s, "bound": str(low)})
                one.tampered_refused = not moved.check().valid
    one.slack = statistics.mean(slacks) if slacks else math.nan
    return [one]


def _null_matrix(rng, n, N):
    """Return the name of a family of matrices with few rows, and a matrix of it."""
    A = rng.standard_normal((n, N))
    kind = int(rng.integers(0, 6))
    if kind == 0:
        return "gaussian", A
    if kind == 1:
        A = rng.integers(-3, 4, (n, N)).astype(float)
        return "integers", A if A.any() else np.ones((n, N))
    if kind == 2:
        return "duplicated", A[:, rng.integers(0, max(1, N // 2), N)]
    if kind == 3:
        return "columns 1e-4 to 1e4", A * 10.0 ** rng.uniform(-4, 4, N)
    if kind == 4:
        A[:, -1] = A[:, 0] + 10.0 ** rng.uniform(-15, -6) * rng.standard_normal(n)
        return "nearly dependent", A
    return "rows 1e-150 to 1e150", A * 10.0 ** rng.uniform(-150, 150, (n, 1))


def campaign(count, seed=0, *, solvers=8, null_space=12, beyond=0, range=0, forged=0):
    """Yield the outcomes of `count` instances, of which some are bounded by cvxpy's U and some are null spaces.

    Parameters
    ----------
    count : int
        Total number of instances of the families above.
    seed : int
        Seed of the random numbers; instance k is the same for every `count`.
    solvers, null_space : int
        Number of these with the U of CLARABEL or SCS, and number of these about null spaces.
    beyond, range, forged : int
        Numbers of additional instances: integers beyond floats, numbers at 1e+-300, and forged files
        (benchmarks.extreme_families).

    Yields
    ------
    Outcome
        Two per instance, but one per null space and per additional instance.
    """
    for kind, start, stop in pieces(count, solvers, null_space, beyond, range, forged):
        yield from piece(seed, kind, start, stop)


def pieces(count, solvers, null_space, beyond, range_, forged):
    """Return the kind of instances, and the numbers of the first and beyond the last, of parts of at most CHUNK."""
    sizes = {"matrices": count - solvers - null_space, "solvers": solvers, "null space": null_space}
    sizes |= {"beyond": beyond, "range": range_, "forged": forged}
    return [(kind, start, min(start + CHUNK, size)) for kind, size in sizes.items() for start in range(0, size, CHUNK)]


def piece(seed, kind, start, stop):
    """Yield the outcomes of some instances of a kind."""
    with tempfile.TemporaryDirectory() as folder, np.errstate(under="ignore"):
        for number in range(start, stop):
            rng = np.random.default_rng([seed, KINDS.index(kind), number])
            yield from instance(kind, rng, number, folder)


def instance(kind, rng, number, folder):
    """Return the outcomes of one instance."""
    if kind == "null space":
        return null_space_instance(rng, number, folder)
    if kind in extreme_families.FAMILIES:
        return [Outcome(**extreme_families.FAMILIES[kind](rng, number, folder))]
    if kind == "solvers":
        family = ("gaussian", "relu", "integers", "nearly dependent", "columns 1e-8 to 1e8")[number % 5]
        A = FAMILIES[family](rng)[:, :7]
        solver = "SCS" if number % 4 == 0 else "CLARABEL"
        return eigenvalue_instance(family, A, min(3, A.shape[1]), rng, number, folder, solver)
    family = list(FAMILIES)[number % len(FAMILIES)]
    A = FAMILIES[family](rng)
    N = A.shape[1]
    # in one case of five all columns at once, if there are few enough
    s = N if rng.uniform() < 0.2 and N <= 4 else int(rng.integers(1, min(4, N) + 1))
    return eigenvalue_instance(family, A, s, rng, number, folder)


def in_parallel(wanted, seed, jobs, store):
    """Return the outcomes of pieces: stored ones from the file, the others from worker processes, stored one by one.

    Parameters
    ----------
    wanted : list of tuple
        :func:`pieces`.
    seed, jobs : int
        Seed of the random numbers, and number of processes.
    store : pathlib.Path or None
        JSON file with one piece per line; a line that was cut off is computed again.
    """
    known = {}
    if store is not None and store.exists():
        text = store.read_text(encoding="utf-8")
        if text and not text.endswith("\n"):  # cut off
            store.write_text(f"{text}\n", encoding="utf-8")
        for line in text.splitlines():
            try:
                key, outcomes = json.loads(line)
            except ValueError:
                continue
            known[tuple(key)] = [Outcome(**one) for one in outcomes]
    missing = [one for one in wanted if (seed, *one) not in known]
    print(f"{len(wanted) - len(missing)} of {len(wanted)} pieces are stored", flush=True)
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        running = {pool.submit(_piece_alone, seed, *one): one for one in missing}
        for done in concurrent.futures.as_completed(running):
            key = (seed, *running[done])
            known[key] = done.result()
            if store is not None:
                line = json.dumps([key, [dataclasses.asdict(one) for one in known[key]]], default=_plain)
                with store.open("a", encoding="utf-8") as file:
                    file.write(f"{line}\n")
    return [outcome for one in wanted for outcome in known[seed, *one]]


def _piece_alone(seed, kind, start, stop):
    with threadpool_limits(1):
        return list(piece(seed, kind, start, stop))


def _plain(value):
    return value.item()  # of a NumPy number


def received(outcomes):
    """Return the share of bounds that were issued, over families of ordinary floats that are not degenerate."""
    asked = [one for one in outcomes if one.family not in DEGENERATE and one.side != "all"]
    return sum(not one.refused for one in asked) / len(asked)


def summary(outcomes):
    """Return a Markdown table: one row per family and side, or per method of proof."""
    rows = []
    for key in ("family", "prover"):
        for name in dict.fromkeys(getattr(one, key) for one in outcomes):
            for side in dict.fromkeys(one.side for one in outcomes):
                some = [one for one in outcomes if getattr(one, key) == name and one.side == side]
                given = [one for one in some if not one.refused]
                if not name or not given:
                    continue
                # a bound from any matrix at all says how far off that matrix is
                sought = [one for one in given if one.prover != "any symmetric" or key == "prover"]
                slacks = [one.slack for one in sought]
                slack, most = (f"{np.quantile(slacks, q, method='lower'):.1e}" if slacks else "" for q in (0.5, 0.9))
                positive = [one.positive for one in sought if one.positive is not None]
                rows.append(
                    (
                        name,
                        side,
                        len(some),
                        f"{100 * len(given) / len(some):.1f} %",
                        sum(one.crossed for one in some),
                        slack,
                        most,
                        f"{100 * sum(positive) / len(positive):.0f} %" if positive else "",
                        f"{sum(one.checked is True for one in some)} of {sum(one.checked is not None for one in some)}",
                    )
                )
    header = (
        "family or proof",
        "side",
        "bounds",
        "received",
        "false",
        "median slack",
        "90 %",
        "above 0 where m_s is",
        "checked again",
    )
    return table(header, rows)


def _float(value):
    try:
        return float(value)
    except OverflowError:
        return math.inf


def main(arguments=None):
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--full", action="store_true", help="20,000 matrices, 600 with cvxpy's U, and 2,000 of each additional family"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--store", type=Path, help="file from which an interrupted run continues")
    options = parser.parse_args(arguments)
    print(f"{machine()}\n")
    wall = time.perf_counter()
    sizes = {"count": 2_000, "solvers": 8, "null_space": 12, "beyond": 200, "range_": 200, "forged": 1_000}
    if options.full:
        sizes = {"count": 20_000, "solvers": 600, "null_space": 600, "beyond": 2_000, "range_": 2_000, "forged": 10_000}
    outcomes = in_parallel(pieces(**sizes), options.seed, options.jobs, options.store)
    print(summary(outcomes))
    checked = [one for one in outcomes if one.checked is not None]
    wrong = [one for one in outcomes if one.crossed]
    for one in wrong[:20]:
        print(f"FALSE: {one.family}, {one.side}, {one.prover}: {one.refused}")
    besides = [sum(one.side == "all" and one.family.startswith(name) for one in outcomes) for name in BESIDES]
    print(
        f"\n{sizes['count']:,} instances, {len(outcomes):,} outcomes, {len(wrong)} false; issued "
        f"{100 * received(outcomes):.2f} % of those of ordinary floats that are not degenerate.\nAdditional instances: "
        f"{', '.join(f'{count:,} of {name}' for name, count in zip(BESIDES, besides, strict=True))}.\n"
        f"Checked again from files: {sum(bool(one.checked) for one in checked)} of {len(checked)}; "
        f"moved past the true value and rejected: {sum(bool(one.tampered_refused) for one in checked)}.\n"
        f"{time.perf_counter() - wall:.0f} s."
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
