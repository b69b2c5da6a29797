"""Functions that call other libraries, in worker threads: the state of the host program does not change."""

import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import toy_guarantees as toy

import linear_lottery
import recovery
from planted import gated_model
from recovery.certificates import null_space
from recovery.guarantees import attack, catalogue, draw, shrink
from recovery.guarantees.linear import lasso

ROOT = Path(__file__).parents[2]
FALSE = toy.projection_bound(1.0)
WITNESS = next(one for one in catalogue("linear") if one.name == "lasso-primal-dual-witness")


def dense(seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((12, 20))
    return A, A[:, :2] @ [1.0, -2.0]


def l1(seed):
    return recovery.solve(*dense(seed), 2, solver="l1").support.size == 2


def l1_stopped_early(seed):
    return recovery.solve(*dense(seed), 2, solver="l1", max_iter=3).message


def group_l1(seed):
    X, y, H, _ = gated_model(12, 2, 4, 2, rng=seed)
    return recovery.solve(recovery.GatedOperator.from_generators(X, H), y, 2, solver="group_l1").support.size == 2


def proposal(seed):
    A, _ = dense(seed)
    return null_space.with_cvxpy((A.T @ A)[:5, :5], 2, "SCS", max_iters=2)


def path(seed):
    A, y = dense(seed)
    A[:, 5] = A[:, 0]  # scikit-learn warns of a degenerate regressor
    return linear_lottery.comparators.lasso_path(A, y)


def reference(seed):
    return lasso.lasso_solution(*dense(seed), 0.1)


def attacked(seed):
    return attack(WITNESS, evaluations=20, rng=seed)


def shrunk(seed):
    return shrink(FALSE, attack(FALSE, rng=0).instance, evaluations=30)


def judged(seed):
    return WITNESS.judge(draw(WITNESS, seed))


CALLS = [l1, l1_stopped_early, group_l1, proposal, path, reference, attacked, shrunk, judged]


@pytest.mark.parametrize("call", CALLS)
def test_one_call_gives_no_warning_and_leaves_the_filters(call):
    call(0)  # libraries that are imported add filters of their own
    before, errors = list(warnings.filters), np.geterr()
    call(1)
    assert warnings.filters == before
    assert np.geterr() == errors
    with pytest.raises(UserWarning):
        warnings.warn("heard", stacklevel=1)


def test_many_threads_leave_the_filters_and_no_call_warns():
    """Warnings are errors here, so that a call whose warning was not caught in its thread raises."""
    for call in CALLS:
        call(0)
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(CALLS[place % len(CALLS)], place) for place in range(6 * len(CALLS))]
        for one in running:
            one.result()
    assert warnings.filters == before


@pytest.mark.slow
def test_a_program_that_imports_everything_in_its_threads():
    """24 solves in 8 threads of a fresh process in which every warning is an error."""
    code = """
import warnings
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import recovery
def solved(seed):
    A = np.random.default_rng(seed).standard_normal((12, 20))
    return recovery.solve(A, A[:, :2] @ [1.0, -2.0], 2, solver="l1").support.size == 2
before = list(warnings.filters)
with ThreadPoolExecutor(8) as pool:
    assert all(pool.map(solved, range(24)))
after = warnings.filters  # SciPy and NumPy add some when they are imported
assert [one for one in after if one in before] == before, after
assert all(one in before or one[1] or one[2] is not Warning for one in after), after
try:
    warnings.warn("heard")
except UserWarning:
    print("heard")
"""
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **threads}, check=False)
    assert done.stdout == "heard\n", done.stderr
