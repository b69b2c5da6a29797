"""Hypothesis strategies and assertions for property tests of solvers, operators and guarantees, ours and users' own.

The strategies need hypothesis, which is imported when a strategy is created. The solvers and guarantees are imported
then, too: an import inside the first example of a test would count towards the deadline of Hypothesis.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted import gated_model
from planted.base.checks import check_choice, check_integer
from planted.base.extras import need
from planted.base.values import by_value
from recovery.diagnosis import diagnose
from recovery.guarantees import Guarantee, Judgement, Tally, as_code, catalogue, draw, linear_instance
from recovery.guarantees.engine.base import check_guarantee
from recovery.guarantees.engine.instance import Instance
from recovery.operators.base import Operator
from recovery.operators.dense import DenseOperator
from recovery.operators.gated import GatedOperator
from recovery.solvers.solve import list_solvers, solve

__all__ = [
    "SparseProblem",
    "assert_guarantee",
    "draw_problem",
    "enough_held",
    "gated_instances",
    "instances",
    "instances_of",
    "operators",
    "sparse_problems",
]


@functools.cache
def _use_once() -> None:
    """Import and use once what tests use: the 0.3 to 1.3 s that this takes would exceed the deadline of an example."""
    list_solvers()
    catalogue()
    A = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])
    for solver in ("auto", "l1"):
        solve(A, A[:, 0], 1, solver)
    GatedOperator(A, np.ones((2, 1), dtype=bool)).columns(np.arange(3))
    diagnose(A, A[:, 0], sparsity=1, guarantees=[], improve=False)


@by_value
@dataclass(frozen=True)
class SparseProblem:
    """A planted problem y = A x, without noise, on NumPy arrays.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        Gaussian, or the columns of a gated operator.
    y : numpy.ndarray, shape (n,)
        Data.
    x : numpy.ndarray, shape (N,)
        The planted vector, with `s` non-zeros of magnitude 1 to 2.
    s : int
        Sparsity.
    seed : int
        Seed of the draw.
    """

    A: np.ndarray
    y: np.ndarray
    x: np.ndarray
    s: int
    seed: int


def draw_problem(n: int, size: int, sparsity: int, seed: int, *, gated: bool = False) -> SparseProblem:
    """Draw a planted problem.

    Parameters
    ----------
    n, size, sparsity : int
        Shape of A and number of non-zeros; with `gated` the size is rounded down to a multiple of 5 inputs.
    seed : int
        Seed of everything.
    gated : bool, default False
        Columns of a gated operator instead of Gaussian ones.

    Returns
    -------
    SparseProblem
        Tie-free with probability 1, unless a gate lets fewer than two rows through.
    """
    rng = np.random.default_rng(seed)
    if gated:
        d = min(5, size)
        X, _, H, _ = gated_model(n, d, max(1, size // d), 0, rng=rng)
        A = GatedOperator.from_generators(X, H)
        matrix = np.ascontiguousarray(A.columns(np.arange(A.shape[1])))
    else:
        matrix = rng.standard_normal((n, size)) / np.sqrt(n)
    x = np.zeros(matrix.shape[1])
    support = rng.choice(matrix.shape[1], size=sparsity, replace=False)
    x[support] = rng.choice([-1.0, 1.0], size=sparsity) * (1.0 + rng.random(sparsity))
    return SparseProblem(matrix, matrix @ x, x, sparsity, seed)


def sparse_problems(
    *, rows: tuple[int, int] = (20, 40), columns: tuple[int, int] = (5, 50), sparsity: tuple[int, int] = (1, 4)
) -> Any:
    """Return a strategy of :class:`SparseProblem`, Gaussian and gated, of all aspect ratios.

    Parameters
    ----------
    rows, columns, sparsity : tuple of int
        Inclusive ranges; the sparsity never exceeds the number of columns.

    Returns
    -------
    hypothesis strategy
        Shrinks towards small sizes and seed 0.
    """
    st = need("hypothesis.strategies")
    _use_once()

    @st.composite
    def build(draw: Any) -> SparseProblem:
        size = draw(st.integers(*columns))
        gated = draw(st.booleans())
        width = size if not gated else max(1, size // min(5, size)) * min(5, size)
        s = draw(st.integers(sparsity[0], min(sparsity[1], width)))
        return draw_problem(draw(st.integers(*rows)), size, s, draw(st.integers(0, 2**31 - 1)), gated=gated)

    return build()


def operators(*, rows: tuple[int, int] = (1, 12), dtype: Any = "float64") -> Any:
    """Return a strategy of operators on NumPy arrays: dense, gated, gated with re-made gates, scaled.

    Parameters
    ----------
    rows : tuple of int
        Inclusive range of the number of rows.
    dtype : dtype, default float64
        Type of the columns.

    Returns
    -------
    hypothesis strategy
        Among them operators with zero columns, equal columns, one row and one column.
    """
    st = need("hypothesis.strategies")
    _use_once()

    from recovery.operators.dense import ScaledOperator

    @st.composite
    def build(draw: Any) -> Operator:
        rng = np.random.default_rng(draw(st.integers(0, 2**31 - 1)))
        n, d, p = draw(st.integers(*rows)), draw(st.integers(1, 5)), draw(st.integers(1, 6))
        kind = draw(st.sampled_from(["dense", "stored", "re-made", "seeded", "scaled"]))
        # rounded to halves: equal entries, zeros and activations that are exactly 0 do occur
        X = (np.round(2 * rng.standard_normal((n, d))) / 2).astype(dtype)
        H = np.round(rng.standard_normal((d, p))).astype(dtype)
        strict = draw(st.booleans())
        if kind == "dense":
            return DenseOperator(X)
        if kind == "seeded":
            return GatedOperator.from_seed(X, p, draw(st.integers(0, 1000)), strict)
        gated = GatedOperator.from_generators(X, H, strict, store=kind != "re-made")
        if kind == "scaled":
            return ScaledOperator(gated, rng.standard_normal(d * p).astype(dtype))
        return gated

    return build()


def instances(
    *,
    rows: tuple[int, int] = (1, 8),
    columns: tuple[int, int] = (1, 6),
    sparsity: tuple[int, int] = (0, 3),
    tall: bool = True,
    start: bool = False,
    seeded: bool = True,
    noise: str = "any",
) -> Any:
    """Return a strategy of small sparse linear models y = A x + noise.

    Parameters
    ----------
    rows, columns, sparsity : tuple of int
        Inclusive ranges; the sparsity never exceeds the number of columns. Most theorems say nothing about x = 0, and
        some say something new only for two or more non-zeros: ``sparsity=(2, 3)`` leaves out the rest.
    tall : bool, default True
        At least as many rows as columns.
    start : bool, default False
        With x0.
    seeded : bool, default True
        Also instances that are drawn from a seed; they are harder, and do not shrink.
    noise : {"any", "none"}, default "any"
        "none" for theorems about data without noise, which do not apply to nearly all other instances.

    Returns
    -------
    hypothesis strategy
        Of :class:`recovery.Instance`. Half of them are written out entry by entry, in halves from -2 to 2 (ties,
        zero columns and zero noise do occur): these shrink towards few rows and columns, zeros and ones. The
        other half are seeds of :func:`recovery.guarantees.linear_instance`, of all designs and laws.
    """
    check_choice(noise, "noise", ("any", "none"))
    st = need("hypothesis.strategies")
    _use_once()

    halves = st.integers(-4, 4).map(lambda value: value / 2)

    @st.composite
    def build(draw: Any) -> Instance:
        if seeded and draw(st.booleans()):
            k_range = (max(1, sparsity[0]), max(1, sparsity[1]))
            rng = np.random.default_rng(draw(st.integers(0, 2**31 - 1)))
            return linear_instance(
                rng, n_range=rows, d_range=columns, k_range=k_range, tall=tall, start=start, noise=noise
            )
        d = draw(st.integers(*columns))
        least, most = (max(rows[0], d), max(rows[1], d)) if tall else rows
        # a row and its noise are drawn together, so that shrinking can take out both
        width = d if noise == "none" else d + 1
        drawn = np.array(draw(st.lists(st.tuples(*[halves] * width), min_size=least, max_size=most)))
        added = None if noise == "none" else drawn[:, d] * draw(st.sampled_from([0.0, 0.01, 0.1, 1.0]))
        k = draw(st.integers(min(sparsity[0], d), min(sparsity[1], d)))
        x = np.zeros(d)
        places = draw(st.permutations(range(d)))[:k]
        x[places] = draw(st.lists(halves.filter(bool), min_size=k, max_size=k))
        x0 = np.array(draw(st.lists(halves, min_size=d, max_size=d))) if start else None
        return Instance.planted(drawn[:, :d], x, added, x0=x0, options={"design": "written out"})

    return build()


def gated_instances(
    *,
    rows: tuple[int, int] = (1, 10),
    inputs: tuple[int, int] = (1, 3),
    gates: tuple[int, int] = (1, 4),
    sparsity: tuple[int, int] = (0, 3),
    start: bool = False,
) -> Any:
    """Return a strategy of small gated models y = sum_j D_j X w_j without noise.

    Parameters
    ----------
    rows, inputs, gates, sparsity : tuple of int
        Inclusive ranges of n, d, p and the non-zeros of w; the sparsity never exceeds d p.
    start : bool, default False
        With x0.

    Returns
    -------
    hypothesis strategy
        Of :class:`recovery.Instance` whose A is a :class:`recovery.GatedOperator`. Entries of X and w are halves from
        -2 to 2, so that blank rows and inputs, equal and complementary gates, all of them open or shut, and rows on
        the boundary of a gate do occur. Three in four have the gates 1{X h >= 0} of integer generators, the others any
        0 and 1. Shrinks towards few rows, inputs and gates, zeros and ones.
    """
    st = need("hypothesis.strategies")
    _use_once()

    halves = st.integers(-4, 4).map(lambda value: value / 2)

    @st.composite
    def build(draw: Any) -> Instance:
        d, p = draw(st.integers(*inputs)), draw(st.integers(*gates))
        X = np.array(draw(st.lists(st.tuples(*[halves] * d), min_size=rows[0], max_size=rows[1])))
        if draw(st.sampled_from([True, True, True, False])):
            H = np.array(draw(st.lists(st.tuples(*[st.integers(-2, 2)] * d), min_size=p, max_size=p)))
            mask = X @ H.T >= 0
        else:
            count = len(X) * p
            mask = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count))).reshape(len(X), p)
        k = draw(st.integers(min(sparsity[0], d * p), min(sparsity[1], d * p)))
        x = np.zeros(d * p)
        places = draw(st.permutations(range(d * p)))[:k]
        x[places] = draw(st.lists(halves.filter(bool), min_size=k, max_size=k))
        x0 = np.array(draw(st.lists(halves, min_size=d * p, max_size=d * p))) if start else None
        return Instance.planted(GatedOperator(X, mask), x, x0=x0, options={"design": "gates written out"})

    return build()


def instances_of(guarantee: Guarantee) -> Any:
    """Return a strategy of the instances that the sampler of a guarantee draws.

    Parameters
    ----------
    guarantee : Guarantee
        A guarantee with a sampler.

    Returns
    -------
    hypothesis strategy
        Of :class:`recovery.Instance`: :func:`recovery.guarantees.draw` of seeds, so that the hypotheses of most just
        hold or just fail. They do not shrink; :func:`recovery.guarantees.shrink` makes a counter-example small.

    Raises
    ------
    ValueError
        If the guarantee has no sampler.
    """
    if check_guarantee(guarantee).sampler is None:
        raise ValueError(f"guarantee={guarantee.name!r} has no sampler; expected a guarantee that can draw instances")
    st = need("hypothesis.strategies")
    _use_once()
    return st.integers(0, 2**31 - 1).map(_Drawn(guarantee))


class _Drawn:
    """The function from a seed to an instance of a guarantee; Hypothesis prints its representation."""

    def __init__(self, guarantee: Guarantee) -> None:
        self.guarantee = guarantee

    def __call__(self, seed: int) -> Instance:
        return draw(self.guarantee, seed)

    def __repr__(self) -> str:
        return f"draws of {self.guarantee.name!r}"


_COUNTING: ContextVar[tuple[Tally, ...]] = ContextVar("_COUNTING", default=())


@contextmanager
def enough_held(guarantee: Guarantee, least: int, *, plural: int = 0) -> Iterator[Tally]:
    """Fail unless the hypotheses of a guarantee held often enough within the context.

    Parameters
    ----------
    guarantee : Guarantee
        The guarantee that :func:`assert_guarantee` is asked about within the context.
    least : int
        Number of instances with x != 0 on which its hypotheses must hold.
    plural : int, default 0
        Number of those that must have two non-zeros or more.

    Yields
    ------
    Tally
        The counts so far.

    Raises
    ------
    AssertionError
        At the end, if fewer held: the test would have passed for a false statement.

    Examples
    --------
    As a decorator it stands above ``given``; as a context it encloses a call of the whole test:

    >>> import numpy as np
    >>> from recovery import Instance
    >>> from recovery.guarantees import catalogue
    >>> from recovery.testing import assert_guarantee, enough_held
    >>> omp = next(one for one in catalogue() if one.name == "omp-coherence")
    >>> with enough_held(omp, 1) as tally:
    ...     judgement = assert_guarantee(omp, Instance.planted(np.eye(2), np.array([1.0, 0.0])))
    >>> tally.held
    1
    """
    least = check_integer(least, "least", minimum=0)
    plural = check_integer(plural, "plural", minimum=0)
    tally = Tally(check_guarantee(guarantee))
    token = _COUNTING.set((*_COUNTING.get(), tally))
    try:
        yield tally
    finally:
        _COUNTING.reset(token)
    if tally.held < least or tally.plural < plural:
        also = f", {plural} of them with two non-zeros or more" if plural else ""
        raise AssertionError(
            f"the hypotheses of {guarantee.name} held on {tally.held} of {tally.instances} instances with x != 0 "
            f"({tally.plural} with two non-zeros or more); expected at least {least}{also}. Draw other instances, "
            "for example with instances(noise='none', sparsity=(2, 3)) or instances_of(guarantee)"
        )


def _tell_hypothesis(guarantee: Guarantee, instance: Instance, judgement: Judgement) -> None:
    """Show the verdicts in the statistics of a running Hypothesis test."""
    hypothesis = sys.modules.get("hypothesis")
    if hypothesis is None or not hypothesis.currently_in_test_context():
        return
    check, conclusion = judgement.check, judgement.conclusion
    assert conclusion is not None
    trivial = instance.x is not None and not np.any(instance.x)
    held = check.status == "holds"
    of = f" of {guarantee.name}"
    hypothesis.event(f"hypotheses{of}: {check.status}{' (x = 0)' if held and trivial else ''}")
    if held and not trivial:
        hypothesis.event(f"conclusion{of} where they hold: {conclusion.status}")


def assert_guarantee(guarantee: Guarantee, instance: Instance) -> Judgement:
    """Fail if an instance contradicts a guarantee.

    A test also passes where the hypotheses fail. In a Hypothesis test the verdicts are events, which ``pytest
    --hypothesis-show-statistics`` counts; :func:`enough_held` demands that the hypotheses hold often enough.

    Parameters
    ----------
    guarantee : Guarantee
        An implication or an equivalence. One draw cannot contradict a probability: it is judged, and never fails.
    instance : Instance
        The problem.

    Returns
    -------
    Judgement
        The verdicts on hypotheses and conclusion.

    Raises
    ------
    AssertionError
        With both reasons, and code that recreates the instance.
    """
    counting = [tally for tally in _COUNTING.get() if tally.guarantee == check_guarantee(guarantee)]
    judgements = [tally.add(instance) for tally in counting]
    judgement = judgements[0] if judgements else check_guarantee(guarantee).judge(instance)
    _tell_hypothesis(guarantee, instance, judgement)
    if judgement.violated and guarantee.delta is None:
        check, conclusion = judgement.check, judgement.conclusion
        assert conclusion is not None
        raise AssertionError(
            f"{guarantee.name} ({guarantee.kind}) is contradicted: {guarantee.statement}\n"
            f"hypotheses: {check.status} ({check.reason})\n"
            f"conclusion: {conclusion.status} ({conclusion.reason})\n{as_code(instance)}"
        )
    return judgement
