"""``recovery.diagnose``: which guarantees hold for a sensing matrix, up to which sparsity, and what would help."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_integer, check_number
from planted.base.exactness import check_exact, refuse_rounded
from planted.base.frames import labels, names_of
from planted.base.progress import Bar, Progress, bar, check_progress
from recovery.conditions import Interval, complementary_pairs, equal_gates, gate_coverage, gate_spread, gated_rank
from recovery.conditions.coverage import energy_coverage
from recovery.diagnosis.improvements import changes, parallel
from recovery.diagnosis.report import Diagnosis, Effect, Finding
from recovery.diagnosis.uniform import CONDITIONS, MOST, Condition, Numbers, largest
from recovery.exact.intervals import written
from recovery.guarantees import Guarantee, Verdict, catalogue
from recovery.guarantees.engine.instance import UNITS, Instance, NoiseLaw
from recovery.operators.base import Operator
from recovery.operators.dense import as_operator, is_operator
from recovery.operators.gated import GatedOperator
from recovery.solvers.solve import solve

__all__ = ["Diagnosis", "Effect", "Finding", "diagnose"]

LIMIT = 200_000
PROGRAMS = 120
TINY = 1e-140
"""Smallest largest entry of a column: beyond this and its inverse, squares could under- or overflow."""
FAR = 400
"""Exponent of y beyond which y and x are divided by a power of two."""
NAMED = 10
"""Largest number of columns named in a sentence."""
NOISE_FREE = 1e-10
"""y counts as A x without noise if it differs from it by less than this fraction of its norm."""
_SLOW = {"l1-null-space", "unique-spark", "unique-coherence"}


def diagnose(
    A: Any,
    y: Any = None,
    *,
    sparsity: int | None = None,
    x: Any = None,
    generators: Any = None,
    lam: float | None = None,
    law: NoiseLaw | None = None,
    options: Mapping[str, Any] | None = None,
    guarantees: Sequence[Guarantee] | None = None,
    conditions: Sequence[Condition] = (),
    limit: int = LIMIT,
    programs: int = PROGRAMS,
    improve: bool = True,
    progress: Progress = False,
) -> Diagnosis:
    """Report which guarantees hold for a sensing matrix, which fail, which are undecided, and what would help.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The matrix; a :class:`GatedOperator` for one made of inputs and gates. It is formed on the CPU.
    y : array, shape (n,), optional
        Data. With `sparsity` and without `x`, a vector that explains them is searched for.
    sparsity : int, optional
        s; by default the number of non-zeros of `x`; without `x`, s = 1, 2, ... are tried.
    x : array, shape (N,), optional
        The planted vector: guarantees about one vector, its support and signs are then evaluated too.
    generators : array, shape (d, p), optional
        Generators of the gates, to predict the effect of many more rows.
    lam : float, optional
        The penalty of the Lasso |y - A w|^2 / (2 n) + lam |w|_1, for guarantees about the Lasso.
    law : NoiseLaw, optional
        The law of the noise, for guarantees that hold with a probability: ``recovery.NoiseLaw("gaussian", sigma)``.
    options : mapping, optional
        Further inputs of guarantees, by the names in their `needs`, such as ``{"tau": 0.5}``.
    guarantees : sequence of Guarantee, optional
        Guarantees evaluated for the planted vector; the catalogue of :mod:`recovery.guarantees` by default.
    conditions : sequence of Condition, optional
        More conditions on A alone, each a :class:`recovery.diagnosis.Condition`, or an object with its attributes.
        They are evaluated in addition to those of this package, but not for changes of A.
    limit : int, default 200,000
        Largest number of supports to enumerate; beyond it, bounds may decide, or the result is unknown.
    programs : int, default 120
        Largest number of columns for which linear programs for null space and spark are solved.
    improve : bool, default True
        Whether to measure the effect of changes of A.
    progress : bool or callable, default False
        True shows a progress bar (needs tqdm); a function is called as ``progress(done, total)`` after each condition,
        guarantee and change. `total` is an initial count without the changes; the last call has ``done == total``.

    Returns
    -------
    Diagnosis
        The report; ``print`` shows it. Numbers are floating-point estimates unless marked as proved.

    Raises
    ------
    TypeError, ValueError
        If an argument is not an array of finite numbers that float64 represents exactly, shapes do not fit, or A is
        zero or has columns whose largest entry is non-zero and below 1e-140, or above 1e140.

    Notes
    -----
    For every x with s non-zeros: the conditions depend on A alone, without noise. Each is tried for s = 1, 2, ..., at
    most 12, until it fails. For the planted vector: hypotheses of the catalogue, with noise y - A x; differences within
    1e-10 of |A x| are attributed to rounding, not noise. Changes of A are carried out and the conditions evaluated
    again; only the effect of many more rows is predicted, from the population Gram matrix of the generators.
    """
    given = _options(lam, law, options)
    check_progress(progress)
    operator = _given(A)
    n, size = (int(one) for one in operator.shape)
    limit, programs = check_integer(limit, "limit", minimum=0), check_integer(programs, "programs", minimum=0)
    if sparsity is not None:
        sparsity = check_integer(sparsity, "sparsity", minimum=1, maximum=size)
    if y is not None:
        y = arrays.to_numpy(check_exact(y, "y", ndim=1, shape=(n,))).astype(np.float64)
    if x is not None:
        x = arrays.to_numpy(check_exact(x, "x", ndim=1, shape=(size,))).astype(np.float64)
    if y is not None and np.any(y):
        far = int(np.frexp(np.abs(y).max())[1])
        if abs(far) > FAR:  # squares would under- or overflow; verdicts do not depend on the unit of y and x
            y = np.ldexp(y, -far)
            law = None if law is None else NoiseLaw(law.name, math.ldexp(law.sigma, -far))
            given = {name: value * 2.0 ** (-far * UNITS.get(name, (0, 0))[1]) for name, value in given.items()}
            if x is not None:
                with np.errstate(over="ignore"):
                    x = check_array(np.ldexp(x, -far), f"x over max |y|, which is near 2^{far},", ndim=1)
    gated = operator if isinstance(operator, GatedOperator) else None
    if generators is not None:
        if gated is None:
            raise ValueError("generators were given, but A has no gates; expected a GatedOperator")
        p = size // gated.n_features
        generators = arrays.to_numpy(check_exact(generators, "generators", ndim=2, shape=(gated.n_features, p)))
    instance = Instance(operator, np.zeros(n) if y is None else y, 0)
    matrix = instance.matrix
    if not np.any(matrix):
        raise ValueError(f"A of shape {(n, size)} has only zeros; expected non-zero columns")
    reach = np.abs(matrix).max(axis=0)
    extreme = np.flatnonzero((reach > 0.0) & ((reach < TINY) | (reach > 1.0 / TINY)))
    if len(extreme):
        raise ValueError(
            f"the largest |entry| of column {extreme[0]} of A is {reach[extreme[0]]:.3g}; expected 0, or a value from "
            f"{TINY:g} to {1.0 / TINY:g}, so that squares neither under- nor overflow"
        )
    norms = np.linalg.norm(matrix, axis=0)
    if x is not None and sparsity is None:
        sparsity = int(np.count_nonzero(x)) or None
    report = Diagnosis((n, size), sparsity, names=names_of(A))
    zeros = int(np.sum(norms == 0.0))
    columns = matrix[:, norms > 0.0]
    if zeros:
        report.notes.append(
            f"{zeros} of {size} columns are 0{_listed(report, np.flatnonzero(norms == 0.0))}: no data can determine x "
            f"there. Everything below is about the other {size - zeros} columns."
        )
    numbers = Numbers(columns, limit, programs)
    if numbers.independent:
        others = "" if not zeros else f" except for those {zeros}"
        report.notes.append(
            f"A has full column rank{others}: every x is determined by y = A x, whatever its sparsity, and least "
            "squares finds it. Without noise no condition is needed; those below say when sparse methods find it too."
        )
    looked_at = (*CONDITIONS, *conditions)
    with bar(progress, len(looked_at), user="diagnose", unit="check") as shown:
        _describe(report, numbers, instance)
        _uniform(report, numbers, shown.over(looked_at))
        truth = _truth(report, instance, y, x, columns.shape[1] < size)
        if truth is not None:
            truth = truth.replace(law=law, options=given)
            asked = catalogue() if guarantees is None else guarantees
            shown.expect(len(looked_at) + len(asked))
            _planted(report, truth, shown.over(asked), programs)
        if improve:
            _improve(report, numbers, instance, generators, shown=shown)
    return report


def _options(lam: Any, law: Any, options: Any) -> dict[str, Any]:
    """Return the options of an instance, checked."""
    if law is not None and not isinstance(law, NoiseLaw):
        raise TypeError(f"law={law!r} is of type {type(law).__name__}; expected a recovery.NoiseLaw or None")
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"options={options!r} is of type {type(options).__name__}; expected a mapping or None")
    given = dict(options or {})
    if lam is not None:
        if "lam" in given:
            raise ValueError(f"lam={lam!r} was given, and options contains 'lam' too; expected only one of them")
        given["lam"] = check_number(lam, "lam", minimum=0.0)
    return given


def _given(A: Any) -> Operator:
    """Return A as an operator with exactly the caller's numbers; raise an error if any was, or would be, rounded."""
    operator = as_operator(A if is_operator(A) else check_exact(A, "A", ndim=2))
    refuse_rounded(operator)
    return operator


def _describe(report: Diagnosis, numbers: Numbers, instance: Instance) -> None:
    """Add facts about A."""
    s = report.sparsity or 1
    add = report.numbers.append
    add(("rank", f"{np.linalg.matrix_rank(numbers.matrix)} of {numbers.size} columns, {report.shape[0]} rows"))
    add(("coherence mu", f"{numbers.coherence:.6g}"))
    add((f"Babel function mu_1({s})", f"{numbers.similarity(s):.6g}"))
    for order in dict.fromkeys((2 * s, 3 * s)):
        found = numbers.eigenvalues(order)
        kappa, delta = found.kappa, found.scaled_restricted_isometry
        exact = " (bounds; not enumerated)" if found.message.startswith("not") else ""
        add((f"kappa_{order}", _range(kappa.lower, kappa.upper) + exact))
        add((f"delta_{order}, best scale", _range(delta.lower, delta.upper) + exact))
    spark, share = numbers.spark, numbers.share(1)
    if spark is not None:
        add(("spark" + _proved(spark), _ends(spark)))
    if share is not None:
        add(("alpha_1 of the null space" + _proved(share), _ends(share)))
    repeated = parallel(numbers.matrix)
    there = np.flatnonzero(instance.matrix.any(axis=0))  # all but the zero columns
    listed = f"{len(repeated)}{_listed(report, there[repeated])}" if len(repeated) else "none"
    add(("columns parallel to an earlier column", listed))
    if instance.gated is None:
        return
    X, gates = instance.gated
    spread = gate_spread(gates)
    energy = np.asarray(arrays.to_numpy(energy_coverage(instance.A)))
    add(("gates p, features d", f"{gates.shape[1]}, {X.shape[1]}"))
    add(("coverage tr(D_j) / n", f"{spread.coverage:.3g} to {float(np.max(gate_coverage(gates))):.3g}"))
    add(("smallest energy coverage", f"{float(np.nanmin(energy)):.3g}"))
    add(("smallest separation of gates", f"{spread.separation:.3g} of the rows"))
    equal, pairs = equal_gates(gates), complementary_pairs(gates)
    near = [one for one in complementary_pairs(gates, max(1, len(X) // 20)) if one.both + one.neither]
    add(("equal gates", "; ".join(map(str, equal)) or "none"))
    add(("complementary pairs", ", ".join(f"({one.first}, {one.second})" for one in pairs) or "none"))
    if near:
        shown = ", ".join(f"({one.first}, {one.second}) except on {one.both + one.neither} rows" for one in near[:5])
        add(("nearly complementary", shown))
    rank = gated_rank(instance.A)
    add(("rank lost within single features", f"{rank.lost_within_features} of {rank.shape[1]} columns"))


def _listed(report: Diagnosis, places: Any) -> str:
    """Return the names of some columns in brackets; nothing where columns have no names."""
    found = [] if report.names is None else labels(report.names, places)
    if not found:
        return ""
    return f" ({', '.join(found[:NAMED])}{', ...' if len(found) > NAMED else ''})"


def _proved(value: Interval) -> str:
    return ", proved" if value.lower_certified and value.upper_certified else ""


def _ends(value: Interval) -> str:
    """Return both ends as text, rounded outward if they are proved."""
    if not _proved(value):
        return _range(value.lower, value.upper)
    low, high = written(value.lower, False), written(value.upper, True)
    return low if low == high else f"{low} to {high}"


def _range(low: float, high: float) -> str:
    close = high - low <= 1e-6 * max(abs(high), 1e-300) if math.isfinite(high) else low == high
    return f"{high:.6g}" if close else f"{low:.6g} to {high:.6g}"


def _uniform(report: Diagnosis, numbers: Numbers, conditions: Iterable[Condition]) -> None:
    """Add the guarantees for every x with s non-zeros."""
    most = max(1, min(MOST, numbers.size - 1))
    for condition in conditions:
        covers = largest(condition, numbers, most)
        verdict = condition.rule(numbers, min(report.sparsity or 1, numbers.size))
        report.uniform.append(Finding(condition.names, condition.method, condition.text, verdict, covers))


def _truth(report: Diagnosis, instance: Instance, y: Any, x: Any, zeros: bool) -> Instance | None:
    """Return the instance with a known or found vector, or None and a note that explains why there is none."""
    if x is None and y is not None and report.sparsity is not None:
        closest = (math.inf, "")
        for name in ("auto", "omp", "iht"):
            found = solve(instance.matrix, y, report.sparsity, name)
            left_over = float(np.linalg.norm(y - instance.matrix @ found.x)) / (float(np.linalg.norm(y)) or 1.0)
            solver = found.message.rpartition("found by ")[2].partition(";")[0] if name == "auto" else name
            closest = min(closest, (left_over, solver))
            if left_over <= NOISE_FREE:
                x = arrays.to_numpy(found.x)
                only = report.uniform[0].verdict.status == "holds" and not zeros
                meaning = "no other one does" if only else "others may do so too"
                report.notes.append(
                    f"x was not given; {solver} found one with {np.count_nonzero(x)} "
                    f"non-zeros{_listed(report, np.flatnonzero(x))} that explains y to a relative error of "
                    f"{left_over:.1g}, and {meaning}. Statements about the planted vector refer to this one."
                )
                break
        else:
            report.notes.append(
                f"x was not given, and no vector with {report.sparsity} non-zeros was found that explains y: the "
                f"closest leaves a residual of {closest[0]:.2g} |y| ({closest[1]}). There is noise or rounding "
                "error, or the methods failed. Guarantees about a single vector are not listed."
            )
    if x is None:
        if y is None or report.sparsity is None:
            report.notes.append(
                "Guarantees about a single vector (its support, signs, sizes and noise) need x, or y and the sparsity."
            )
        return None
    if not np.any(x):
        report.notes.append("x = 0, so every guarantee about it holds trivially.")
        return None
    s = max(int(np.count_nonzero(x)), report.sparsity or 0)
    there = instance.matrix @ x
    noise = np.zeros(len(there)) if y is None else y - there
    if float(np.linalg.norm(noise)) <= NOISE_FREE * float(np.linalg.norm(there)):
        return Instance.planted(instance.A, x, sparsity=s)
    report.notes.append(
        f"y differs from A x by {np.linalg.norm(noise) / np.linalg.norm(there):.3g} |A x|; this is taken as noise."
    )
    return Instance.planted(instance.A, x, noise, sparsity=s)


def _planted(report: Diagnosis, truth: Instance, guarantees: Iterable[Guarantee], programs: int) -> None:
    """Add the verdicts of the catalogue's guarantees about one vector."""
    for guarantee in guarantees:
        if truth.shape[1] > programs and guarantee.name in _SLOW:
            verdict = Verdict.unknown(f"{truth.shape[1]} columns exceed the limit of {programs} for linear programs")
        else:
            try:
                with np.errstate(all="ignore"):
                    verdict = guarantee.check(truth)
            except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
                verdict = Verdict.unknown(f"its code raised an error: {error}")
        report.planted.append(Finding((guarantee.name,), "", guarantee.statement, verdict))


def _improve(report: Diagnosis, numbers: Numbers, instance: Instance, generators: Any, *, shown: Bar) -> None:
    """Measure the effect of changes of A."""
    report.effects.append(_effect("as it is", "", True, numbers))
    for change in shown.over(changes(instance.matrix, instance.gated, generators, report.names)):
        if change.matrix.shape[1] < 2:
            continue
        changed = Numbers(change.matrix, numbers.limit, numbers.programs)
        report.effects.append(_effect(change.name, change.note, change.measured, changed))


def _effect(name: str, note: str, measured: bool, numbers: Numbers) -> Effect:
    most = max(1, min(MOST, numbers.size - 1))
    covers = tuple(largest(one, numbers, most) for one in CONDITIONS if one.names != ("unique-spark",))
    share = numbers.share(1)
    kappa = numbers.eigenvalues(2).kappa.upper
    return Effect(name, note, measured, covers, numbers.coherence, kappa, math.nan if share is None else share.upper)
