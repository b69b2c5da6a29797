"""On the GPU: the same support as on the CPU, values to 1e-10 in float64."""

from __future__ import annotations

import numpy as np
import pytest

import planted
import recovery
from recovery.operators.thresholding import StreamingTopS, top_s
from recovery.testing import draw_problem

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("solver", ["htp", "iht", "niht", "aiht", "cosamp", "omp"])
@pytest.mark.parametrize("problem", [draw_problem(120, 200, 5, 1), draw_problem(120, 100, 3, 3, gated=True)])
def test_solvers_agree_with_the_cpu(gpu, solver, problem):
    options = {"normalise": True, "max_iter": 200}
    here = recovery.solve(problem.A, problem.y, problem.s, solver=solver, **options)
    there = recovery.solve(gpu.put(problem.A), gpu.put(problem.y), problem.s, solver=solver, **options)
    np.testing.assert_array_equal(gpu.get(there.support), here.support)
    np.testing.assert_allclose(gpu.get(there.x), here.x, atol=1e-10)
    assert there.status is here.status


@pytest.mark.parametrize("store", [True, False])
def test_gated_operator_agrees_with_the_cpu(gpu, store):
    X, y, H, w = planted.gated_model(500, 20, 40, 8, rng=0)
    here = recovery.GatedOperator.from_generators(X, H, store=store)
    there = recovery.GatedOperator.from_generators(gpu.put(X), gpu.put(H), store=store)
    np.testing.assert_allclose(gpu.get(there.matvec(gpu.put(w))), here.matvec(w), atol=1e-10)
    np.testing.assert_allclose(gpu.get(there.rmatvec(gpu.put(y))), here.rmatvec(y), atol=1e-9)
    idx = np.flatnonzero(w)
    np.testing.assert_allclose(gpu.get(there.columns(gpu.put(idx))), here.columns(idx), atol=0)
    found = recovery.solve(there, gpu.put(y), 8)
    np.testing.assert_array_equal(gpu.get(found.support), idx)
    np.testing.assert_allclose(gpu.get(found.x), w, atol=1e-10)
    recovery.dottest(there, rng=0)


@pytest.mark.parametrize("size", [1000, 300_000])
@pytest.mark.parametrize("s", [1, 100, 900])
def test_selection_agrees_with_the_cpu(gpu, size, s):
    values = np.random.default_rng(0).integers(-50, 50, size).astype(float)  # many ties
    expected = top_s(values, s)
    np.testing.assert_array_equal(gpu.get(top_s(gpu.put(values), s)), expected)
    stream = StreamingTopS(s)
    for start in range(0, size, size // 3 + 1):
        stream.feed(start, gpu.put(values[start : start + size // 3 + 1]))
    np.testing.assert_array_equal(gpu.get(stream.result()[0]), expected)
    values[size // 2] = np.nan
    with pytest.raises(ValueError, match="values holds NaN"):
        top_s(gpu.put(values), s)


def test_streaming_agrees_with_the_cpu(gpu):
    X, y, _, _ = planted.gated_model(300, 20, 40, 8, rng=1)
    here = recovery.solve(recovery.GatedOperator.from_seed(X, 300, 0), y, 8, solver="aiht", stream=True, max_iter=10)
    operator = recovery.GatedOperator.from_seed(gpu.put(X), 300, 0)
    there = recovery.solve(operator, gpu.put(y), 8, solver="aiht", stream=True, max_iter=10)
    np.testing.assert_array_equal(gpu.get(there.support), here.support)
    np.testing.assert_allclose(gpu.get(there.values), here.values, atol=1e-10)


def test_same_bits_twice_on_the_device(gpu):
    problem = draw_problem(120, 200, 5, 1)
    A, y = gpu.put(problem.A), gpu.put(problem.y)
    first, second = (gpu.get(recovery.solve(A, y, 5).x).tobytes() for _ in range(2))
    assert first == second
