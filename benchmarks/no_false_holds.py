"""Search for a false ``holds``: all guarantees on tied, duplicated, noise-free, tall and scaled instances.

Run from the repository root: ``python -m benchmarks.no_false_holds [NAMES] [--instances 2000] [--jobs 2] [--seed 0]``.
An instance from the guarantee's own sampler, on which its hypotheses are not trivial, goes through one or two changes
that are difficult for floating-point arithmetic: equal or opposite entries of x or columns, weights far below the
rounding of y, no noise, columns that differ by a few n eps, rows repeated up to n = 100,000, everything times 1e+-150,
columns of very different sizes, subnormal numbers. Then hypotheses and conclusion are checked. A violation is a pair of
verdicts that contradicts the statement. A statement with a probability may fail at most as often as the Clopper-Pearson
bound for its delta allows, and never if the law has no noise. Small instances on which the hypotheses for OMP and
screening hold are checked again in fractions, and conditions on cosines and signs are recomputed in fractions, by code
that shares nothing with the floating-point side. The exit code is 1 if any error was found.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction

import numpy as np
from threadpoolctl import threadpool_limits

import linear_lottery.guarantees
import recovery.guarantees
from benchmarks.machine import machine, table
from recovery import GatedOperator, Instance, NoiseLaw
from recovery.guarantees import failure_rate_bound, pruning

CHUNK = 250
TALL = (1_000, 1_000, 1_000, 10_000, 100_000)
"""Rows of one tall instance in 33; the others have about 100."""


def rebuilt(instance, *, A=None, X=None, gates=None, x=None, noise=None, x0=None, sigma=None, options=None):
    """Return an instance with other parts; y and, for a law, its draw follow."""
    if X is not None or gates is not None:
        old_X, old_gates = instance.gated
        A = GatedOperator(old_X if X is None else X, old_gates if gates is None else gates)
    A = instance.A if A is None else A
    law = instance.law
    if law is not None and sigma is not None:
        law = NoiseLaw(law.name, sigma)
    x = instance.x if x is None else x
    noise = instance.noise if noise is None else noise
    x0 = instance.x0 if x0 is None else x0
    sparsity = max(min(instance.sparsity, A.shape[1]), int(np.count_nonzero(x)))
    known = {"x0": x0, "law": law, "options": instance.options if options is None else options}
    with np.errstate(all="ignore"):
        return Instance.planted(A, x, noise, sparsity, **known)


# ---- changes: (rng, instance) -> instance, or None if they do not apply ---------------------------------------------


def drawn(rng, instance):
    """Return the instance unchanged."""
    return instance


def noise_free(rng, instance):
    """Remove the noise."""
    return rebuilt(instance, noise=np.zeros(instance.shape[0]), sigma=0.0)


def tied(rng, instance):
    """Give all weights one size, or make all numbers small integers, so that correlations tie."""
    x = np.sign(instance.x) * float(np.max(np.abs(instance.x), initial=1.0))
    if instance.gated is None and rng.random() < 0.6:
        A = np.rint(2.0 * instance.matrix / max(float(np.abs(instance.matrix).max()), 1e-300))
        return rebuilt(instance, A=A, x=np.sign(x), noise=np.zeros(len(A)), sigma=0.0)
    return rebuilt(instance, x=x)


def duplicated(rng, instance):
    """Write one column, or its opposite, over another; for gates, one gate over another."""
    if instance.gated is not None:
        gates = np.array(instance.gated[1])
        gates[:, rng.integers(gates.shape[1])] = gates[:, rng.integers(gates.shape[1])]
        return rebuilt(instance, gates=gates)
    A = np.array(instance.matrix)
    A[:, rng.integers(A.shape[1])] = A[:, rng.integers(A.shape[1])] * rng.choice([1.0, -1.0, 2.0, 0.7])
    return rebuilt(instance, A=A)


def faint(rng, instance):
    """Make one weight as small as the rounding of the others, or smaller."""
    if not len(instance.support):
        return None
    x = np.array(instance.x)
    x[rng.choice(instance.support)] = float(np.abs(x).max()) * 10.0 ** -rng.uniform(7.0, 30.0)
    return rebuilt(instance, x=x)


def empty(rng, instance):
    """Set x to zero, make all its entries non-zero, or insert a zero column."""
    kind = int(rng.integers(3))
    if kind == 0:
        return rebuilt(instance, x=np.zeros(instance.shape[1]))
    if kind == 1 or instance.gated is not None:
        return rebuilt(instance, x=np.where(instance.x == 0.0, 1.0, instance.x))
    A = np.array(instance.matrix)
    A[:, rng.integers(A.shape[1])] = 0.0
    return rebuilt(instance, A=A)


def nearly(rng, instance):
    """Add zero rows, and change a column by a few n eps, which a tolerance that grows with n would ignore."""
    if instance.gated is not None:
        return None
    n = int(rng.choice([30, 300, 1_000]))
    A = np.vstack([instance.matrix, np.zeros((n, instance.shape[1]))])
    i, j, k = rng.integers(A.shape[1], size=3)
    A[:, i] = A[:, i] + rng.uniform(0.1, 4.0) * len(A) * 2.0**-52 * (A[:, j] - A[:, k])
    silent = not np.any(instance.noise)
    noise = np.zeros(len(A)) if silent else _drawn(instance, len(A), rng)
    return rebuilt(instance, A=A, noise=noise, sigma=0.0 if silent else None)


def tall(rng, instance):
    """Repeat the rows up to 100,000 of them, in units that keep the Gram matrix, up to rounding."""
    rows = instance.shape[0]
    if instance.options.get("inputs") is not None:
        return None
    usual = 120 if instance.gated is None else 60  # cone programs and enumerations grow with the rows
    times = max(2, int(TALL[rng.integers(len(TALL))] if rng.random() < 0.03 else usual) // rows)
    if instance.gated is not None:
        times = min(times, max(2, 1_000 // rows))
    times = min(times, 4_000_000 // max(rows * instance.shape[1], 1) + 2)
    unit = 1.0 / math.sqrt(times)
    noise = np.tile(instance.noise, times) * unit if instance.law is None else _drawn(instance, rows * times, rng)
    if instance.gated is not None:
        X, gates = instance.gated
        A = GatedOperator(np.tile(X, (times, 1)) * unit, np.tile(gates, (times, 1)))
        return rebuilt(instance, A=A, noise=noise)
    return rebuilt(instance, A=np.tile(instance.matrix, (times, 1)) * unit, noise=noise)


def scaled(rng, instance):
    """Multiply A, or the data, or both, by numbers up to 1e+-150."""
    return _scaled(rng, instance, rng.choice([1e150, 1e-150, 1.0, 10.0 ** rng.uniform(-150.0, 150.0)]))


def subnormal(rng, instance):
    """Multiply A, or the data, by 1e+-300, so that numbers become subnormal or nearly overflow."""
    return _scaled(rng, instance, rng.choice([1e300, 1e-300, 1e-310]))


def mixed(rng, instance):
    """Multiply columns (of X, for gates) by numbers of all sizes."""
    power = float(rng.choice([3.0, 20.0, 150.0]))
    if instance.gated is not None:
        X = instance.gated[0]
        return rebuilt(instance, X=X * 10.0 ** rng.uniform(-power, power, X.shape[1]))
    factors = 10.0 ** rng.uniform(-power, power, instance.shape[1])
    if rng.random() < 0.5:  # the same outputs
        return rebuilt(instance, A=instance.matrix * factors, x=instance.x / factors)
    return rebuilt(instance, A=instance.matrix * factors)


def _scaled(rng, instance, factor):
    which = int(rng.integers(3))
    a = factor if which != 1 else 1.0
    b = factor if which != 0 else 1.0
    options = dict(instance.options)
    with np.errstate(all="ignore"):
        if options.get("lam") is not None:
            options["lam"] = float(options["lam"]) * a * b
        if options.get("tau") is not None:
            options["tau"] = float(options["tau"]) * b / a
        for name in ("t", "flow_time", "step"):
            if options.get(name) is not None and options.get("inputs") is None:
                options[name] = float(options[name]) / a / a
        if options.get("ridge") is not None:
            options["ridge"] = float(options["ridge"]) * a * a
        units = [
            options[name] for name in ("lam", "tau", "t", "flow_time", "step", "ridge") if options.get(name) is not None
        ]
        if not all(math.isfinite(value) for value in units) or (0.0 in units and a * b != 1.0):
            return None
        x = instance.x * (b / a)
        x0 = None if instance.x0 is None else instance.x0 * (b / a)
        sigma = None if instance.law is None else instance.law.sigma * b
        known = {"x": x, "noise": instance.noise * b, "x0": x0, "sigma": sigma, "options": options}
        if instance.gated is not None:
            return rebuilt(instance, X=instance.gated[0] * a, **known)
        return rebuilt(instance, A=instance.matrix * a, **known)


def _drawn(instance, n, rng):
    if instance.law is not None:
        return instance.law.draw(n, rng)
    return np.resize(instance.noise, n)


CHANGES = (drawn, noise_free, tied, duplicated, faint, empty, nearly, tall, scaled, subnormal, mixed)
EXTREME = (scaled, subnormal, mixed)


def changed(rng, guarantee, number):
    """Draw an instance and change it; None if numbers overflow."""
    instance = guarantee.sampler(rng)
    first = CHANGES[number % len(CHANGES)]
    changes = [first]
    if rng.random() < 0.5:  # most trouble needs two things at once
        other = CHANGES[rng.integers(len(CHANGES))]
        changes = [other, first] if first in EXTREME else [first, other]
    for change in changes:
        try:
            with np.errstate(all="ignore"):
                found = change(rng, instance)
        except (ValueError, OverflowError):
            return None, first.__name__
        instance = instance if found is None else found
    return instance, first.__name__


# ---- exact oracles ---------------------------------------------------------------------------------------------------


def exact_parts(instance):
    """Return the columns, x and A x + noise as fractions."""
    columns = [[Fraction(float(v)) for v in column] for column in instance.matrix.T]
    x = [Fraction(float(v)) for v in instance.x]
    y = [Fraction(float(v)) for v in instance.noise]
    for column, weight in zip(columns, x, strict=True):
        if weight:
            y = [value + weight * entry for value, entry in zip(y, column, strict=True)]
    return columns, x, y


def dot(a, b):
    """Return the inner product of two lists."""
    return sum((p * q for p, q in zip(a, b, strict=True) if p and q), Fraction(0))


def solved(columns, right):
    """Return the weights of least squares, by the normal equations in fractions; None if they are singular."""
    k = len(columns)
    rows = [[dot(a, b) for b in columns] + [dot(a, right)] for a in columns]
    for i in range(k):
        pivot = next((r for r in range(i, k) if rows[r][i]), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for r in range(k):
            if r != i and rows[r][i]:
                rows[r] = [u - rows[r][i] * v for u, v in zip(rows[r], rows[i], strict=True)]
    return [row[-1] for row in rows]


def exact_omp(instance, *, unit):
    """Return whether OMP in exact arithmetic selects the support in k steps, strictly."""
    columns, x, y = exact_parts(instance)
    there = {j for j, weight in enumerate(x) if weight}
    norms = [dot(c, c) for c in columns]
    chosen, residual = [], y
    for _ in there:
        scores = {}
        for j, column in enumerate(columns):
            if j not in chosen:
                value = dot(column, residual) ** 2
                scores[j] = value if not unit else value / norms[j] if norms[j] else Fraction(0)
        best = max(scores, key=scores.__getitem__)
        others = max((value for j, value in scores.items() if j not in there), default=Fraction(-1))
        if best not in there or scores[best] <= others:
            return False
        chosen.append(best)
        weights = solved([columns[j] for j in chosen], y)
        if weights is None:
            return False
        residual = list(y)
        for j, weight in zip(chosen, weights, strict=True):
            residual = [value - weight * entry for value, entry in zip(residual, columns[j], strict=True)]
    return True


def exact_screening(instance):
    """Return whether the k largest |a_j'y| are the support, strictly, in exact arithmetic."""
    columns, x, y = exact_parts(instance)
    scores = [abs(dot(c, y)) for c in columns]
    inside = min((s for s, w in zip(scores, x, strict=True) if w), default=None)
    outside = max((s for s, w in zip(scores, x, strict=True) if not w), default=None)
    return inside is None or outside is None or inside > outside


def exact_coherence(instance):
    """Return whether mu < 1 / (2 k - 1), in exact arithmetic."""
    columns, x, _ = exact_parts(instance)
    factor = (2 * sum(1 for w in x if w) - 1) ** 2
    norms = [dot(c, c) for c in columns]
    if factor == 1 and not any(x):
        return True
    return all(
        factor * dot(columns[i], columns[j]) ** 2 < norms[i] * norms[j] for i in range(len(columns)) for j in range(i)
    )


def exact_irrepresentable(instance):
    """Return whether |sgn'A_S^+ a_j| < 1 outside S and A_S has full column rank, in exact arithmetic."""
    columns, x, _ = exact_parts(instance)
    inside = [j for j, w in enumerate(x) if w]
    for j, w in enumerate(x):
        if not w and inside:
            weights = solved([columns[i] for i in inside], columns[j])
            if weights is None:
                return False
            if abs(sum(c if x[i] > 0 else -c for i, c in zip(inside, weights, strict=True))) >= 1:
                return False
    return True


ORACLES = {
    "omp-coherence": (exact_coherence, lambda one: exact_omp(one, unit=True)),
    "omp-exact-recovery": (lambda one: exact_omp(one, unit=True),),
    "omp-bounded-noise": (exact_coherence, lambda one: exact_omp(one, unit=True)),
    "omp-babel": (lambda one: exact_omp(one, unit=True),),
    "omp-restricted-isometry": (lambda one: exact_omp(one, unit=False),),
    "l1-coherence": (exact_coherence,),
    "unique-coherence": (exact_coherence,),
    "l1-irrepresentable": (exact_irrepresentable,),
    "lasso-irrepresentable": (exact_irrepresentable,),
    "screening-faithfulness": (exact_screening,),
    "screening-noise": (exact_screening,),
}
"""Conditions that must be true in exact arithmetic if the hypotheses hold."""


# ---- the campaign ----------------------------------------------------------------------------------------------------


def guarantees():
    """Return the guarantees of all catalogues that can be sampled, by name."""
    listed = recovery.guarantees.catalogue() + linear_lottery.guarantees.catalogue() + pruning.catalogue()
    return {one.name: one for one in listed if one.sampler is not None}


def campaign(name, instances, seed):
    """Check one guarantee on a number of instances and return the counts."""
    guarantee = guarantees()[name]
    rng = np.random.default_rng([seed, sum(map(ord, name))])
    counts: Counter[str] = Counter()
    examples: list[str] = []
    begun, number = time.process_time(), 0
    with threadpool_limits(1):
        while counts["instances"] < instances and number < 20 * instances + 100:
            instance, change = changed(rng, guarantee, number + seed)
            number += 1
            if instance is None:
                counts["refused"] += 1
                continue
            counts["instances"] += 1
            try:
                check = guarantee.check(instance)
                asked = check.status == "holds" or guarantee.kind == "equivalence" or number % 8 == 0
                conclusion = guarantee.conclusion(instance) if asked else None
            except Exception as error:
                counts["raised"] += 1
                place = traceback.extract_tb(error.__traceback__)[-1]
                examples.append(f"{change}: {type(error).__name__}: {error} ({place.filename}:{place.lineno})")
                continue
            counts["hypotheses " + check.status] += 1
            held, there = check.status == "holds", "" if conclusion is None else conclusion.status
            if held:
                counts["then " + there] += 1
                exact = instance.shape[0] * instance.shape[1] <= 150 and counts["exact"] < instances / 4
                if name in ORACLES and exact:
                    counts["exact"] += 1
                    if not all(oracle(instance) for oracle in ORACLES[name]):
                        counts["false"] += 1
                        examples.append(f"{change}: false by exact arithmetic: {check.reason}")
            wrong = [("holds", "fails")] + [("fails", "holds")] * (guarantee.kind == "equivalence")
            if (check.status, there) in wrong:
                silent = guarantee.delta is None or (instance.law is not None and instance.law.sigma == 0.0)
                counts["violated" if silent else "draws"] += 1
                if silent:
                    examples.append(f"{change}: {check.status}: {check.reason}; {conclusion.reason}")
            if held and guarantee.vacuous and np.any(instance.x):
                counts["violated"] += 1
                examples.append(f"{change}: holds although it is proved vacuous")
    counts["seconds"] = time.process_time() - begun  # type: ignore[assignment]
    return name, counts, examples


def merged(parts):
    """Sum the counts of chunks, by guarantee."""
    found: dict[str, tuple[Counter[str], list[str]]] = {}
    for name, counts, examples in parts:
        total, listed = found.setdefault(name, (Counter(), []))
        total.update(counts)
        listed.extend(examples)
    return found


def row(name, counts):
    """Return one row of the table, and the number of errors found."""
    delta = guarantees()[name].delta
    draws = counts["draws"]
    rare = delta is None or failure_rate_bound(draws, max(counts["hypotheses holds"], draws)) <= delta
    wrong = counts["violated"] + (0 if rare else draws)
    cells = [name, counts["instances"], counts["hypotheses holds"], counts["then holds"], counts["then fails"]]
    cells += [counts["then unknown"], counts["hypotheses fails"], counts["hypotheses unknown"], wrong]
    cells += [f"{counts['false']}/{counts['exact']}", counts["raised"], f"{counts['seconds']:.0f}"]
    return cells, wrong + counts["false"] + counts["raised"]


HEADER = ("guarantee", "instances", "held", "then holds", "then fails", "then unknown", "fails", "unknown")
HEADER += ("violations", "false / exact", "raised", "CPU seconds")


def main(arguments=None):
    """Run the campaign and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="guarantees; all by default")
    parser.add_argument("--instances", type=int, default=2_000, help="instances for each guarantee (default 2,000)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--seed", type=int, default=0, help="seed (default 0)")
    options = parser.parse_args(arguments)
    known = guarantees()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"there is no guarantee {', '.join(unknown)}")
    names = options.names or list(known)
    chunks = [
        (name, min(CHUNK, options.instances - begun), options.seed * 1_000_003 + begun)
        for begun in range(0, options.instances, CHUNK)
        for name in names
    ]
    begun = time.perf_counter()
    if options.jobs > 1:
        with ProcessPoolExecutor(options.jobs) as pool:
            parts = list(pool.map(campaign, *zip(*chunks, strict=True)))
    else:
        parts = [campaign(*chunk) for chunk in chunks]
    found, rows, wrong = merged(parts), [], 0
    for name in names:
        cells, bad = row(name, found[name][0])
        rows.append(cells)
        wrong += bad
    print(machine())
    print(table(HEADER, rows))
    for name in names:
        for example in found[name][1][:3]:
            print(f"{name}: {example}")
    print(f"{len(names)} guarantees, {time.perf_counter() - begun:.0f} s, {wrong} errors found")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
