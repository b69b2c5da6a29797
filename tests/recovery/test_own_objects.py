"""A solver, a guarantee and a condition written outside the project, passed as objects without registration."""

import inspect
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pytest

import recovery
from recovery import Status
from recovery.certificates import enumeration_bound
from recovery.diagnosis import Condition
from recovery.guarantees import Guarantee, Verdict, attack, exceeds, ledger, linear_instance
from recovery.operators.thresholding import select_top
from recovery.solvers.base import RecoveryResult, Run, Solver
from recovery.solvers.htp import HTP
from recovery.solvers.least_squares import least_squares
from recovery.solvers.solve import SolverName


@dataclass(frozen=True)
class OneStep(Solver):
    """The s columns that are most like y, and least squares on them."""

    power: float = 1.0

    def run(self, problem):
        A, run = problem.operator, Run(problem)
        likeness = abs(A.rmatvec(problem.y)) ** self.power
        support = select_top(likeness, problem.s)
        values, _, objective = least_squares(A, support, problem.y)
        status = run.record(objective, support, values, step=1.0, change=problem.s)
        return run.finish(status or Status.SUPPORT_COMPLETE, support, values)


def norms(instance):
    signal, noise = np.linalg.norm(instance.matrix @ instance.x), np.linalg.norm(instance.noise)
    return exceeds(signal, 2.0 * noise, "|A x| > 2 |noise|")


def wrong(instance):
    return exceeds(np.linalg.norm(instance.y), np.linalg.norm(instance.matrix @ instance.x), "|y| > |A x|")


def drawn(rng):
    return linear_instance(rng, n_range=(4, 8), d_range=(4, 8), k_range=(1, 2))


SHRINKS = Guarantee("noise-adds", "implication", "Noise only adds.", "nowhere", "none", norms, wrong, sampler=drawn)


def no_zero_rows(numbers, s):
    least = np.abs(numbers.matrix).max(axis=1).min()
    return Verdict.of(bool(least > 0.1 * s), f"each row has an entry above {0.1 * s:g}: the least largest is {least:g}")


ROWS = Condition(("no-zero-rows",), "none", "max_j |a_ij| > s / 10", no_zero_rows)


def lines(*objects):
    return sum(bool(line.strip()) for one in objects for line in inspect.getsource(one).splitlines())


def problem():
    A, x = np.random.default_rng(0).standard_normal((40, 60)), np.zeros(60)
    x[[3, 17]] = 2.0, -3.0
    return A, A @ x, x


def test_they_are_short():
    assert lines(OneStep) <= 15
    assert lines(norms, wrong, drawn) + 1 <= 15
    assert lines(no_zero_rows) + 1 <= 10


@pytest.mark.parametrize("unit", [1.0, 2.0**-300])
def test_a_solver_of_ones_own(unit):
    A, y, x = problem()
    found = recovery.solve(A, unit * y, 2, OneStep(power=2.0), callback=lambda state: False)
    np.testing.assert_allclose(found.x, unit * x, rtol=1e-12, atol=1e-12 * unit)
    assert found.success
    assert found.status.value in found.message
    assert found.support.tolist() == [3, 17]
    assert len(found.history["objective"]) == found.n_iter == 1


def test_a_solver_of_ours_as_an_object_is_the_one_of_that_name():
    A, y, _ = problem()
    by_name, passed = recovery.solve(A, y, 2, "htp", step=0.5), recovery.solve(A, y, 2, HTP(step=0.5))
    assert by_name == passed


@pytest.mark.parametrize(
    ("solver", "options", "sentence"),
    [
        (HTP(), {"step": 0.5}, r"step and a solver with options of its own were both given; expected HTP\(step=...\)"),
        (HTP, {}, r"is of type ABCMeta; expected a name, or a Solver, such as HTP\(\)"),
        (7, {}, "solver=7 is of type int; expected a name, or a Solver"),
    ],
)
def test_two_choices_or_none_are_a_sentence(solver, options, sentence):
    with pytest.raises(TypeError, match=sentence):
        recovery.solve(np.eye(3), np.ones(3), 1, solver, **options)


def test_a_guarantee_of_ones_own_is_attacked_and_counted():
    found = attack(SHRINKS, evaluations=300, rng=0)
    assert found.status == "broken"
    assert wrong(found.instance).status == "fails"
    table = ledger([SHRINKS], [found.instance])
    assert table.violations == table["noise-adds"].violations == 1
    assert "noise-adds" in table.markdown()


def test_a_guarantee_and_a_condition_of_ones_own_are_diagnosed():
    A, _, x = problem()
    small = A[:, :12]
    found = recovery.diagnose(small, guarantees=[SHRINKS], conditions=[ROWS], x=x[:12], improve=False)
    assert [one.names for one in found.planted] == [("noise-adds",)]
    own = found.uniform[-1]
    least = np.abs(small).max(axis=1).min()
    assert (own.names, own.covers) == (("no-zero-rows",), min(int(np.ceil(10 * least)) - 1, 11))
    assert "max_j \\|a_ij\\| > s / 10" in str(found)


def test_results_are_short_to_look_at():
    A, y, x = problem()
    instance = recovery.Instance(A, y, 2, x=x, noise=np.zeros(40), options={"design": "gaussian", "seed": 3})
    diagnosis = recovery.diagnose(A[:, :12], guarantees=[SHRINKS], x=x[:12], improve=False)
    assert repr(recovery.solve(A, y, 2)) == re.sub(
        "objective=[^,]*",
        f"objective={recovery.solve(A, y, 2).objective:.6g}",
        "RecoveryResult(2 of 60 entries, objective=0, n_iter=1, status=CONVERGED)",
    )
    shown = "Instance(40 x 60 array, y, x, noise, sparsity=2, options={'design': 'gaussian', 'seed': 3})"
    assert repr(instance) == shown
    assert repr(ledger([SHRINKS], [instance])) == "Ledger(1 guarantee, 1 judgement, 0 violations)"
    assert repr(diagnosis).startswith("Diagnosis(40 x 12, sparsity=1, covers=")
    certificate = enumeration_bound(np.eye(3), 2)
    for one in (diagnosis, certificate, norms(instance), SHRINKS.judge(instance), attack(SHRINKS, evaluations=50)):
        assert len(repr(one)) < 600, one


def test_tables_of_a_notebook_are_escaped():
    odd = Condition(("<b>&",), "none", "1 < 2 & 2 > 1", lambda numbers, s: Verdict.of(True, "<script>"))
    found = recovery.diagnose(np.eye(3), conditions=[odd], improve=False)._repr_html_()
    assert "<td>1 &lt; 2 &amp; 2 &gt; 1</td>" in found
    assert "&lt;script&gt;" in found
    assert "<script>" not in found
    assert found.count("<table>") == 2
    assert "<th>guarantee</th>" in ledger([SHRINKS], [])._repr_html_()


def test_a_result_without_a_vector_says_so():
    found = RecoveryResult(None, np.array([1]), 0.5, 3, Status.STEP_LIMIT, "", {}, np.array([2.0]))
    assert repr(found) == "RecoveryResult(1 entries, objective=0.5, n_iter=3, status=STEP_LIMIT)"
    assert not found.success


def test_the_checker_prints_any_file_name(tmp_path):
    path = tmp_path / "gl\udce9.json"
    enumeration_bound(np.eye(2), 1).save(path)
    done = subprocess.run(
        [sys.executable, "-m", "recovery.certificates.checker", str(path)], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"gl\\udce9.json: verified" in done.stdout


@pytest.mark.parametrize("name", [one for one in recovery.list_solvers() if "l1" not in one])
def test_the_objective_on_record_is_half_the_squared_residual(name):
    A, x = np.random.default_rng(2).standard_normal((30, 50)), np.zeros(50)
    x[[1, 8, 20]] = 1.0, -1.0, 0.5
    options = {"normalise": False}
    if name == "auto":  # always on columns of unit norm
        A, options = A / np.linalg.norm(A, axis=0), {}
    y = A @ x + 0.1 * np.random.default_rng(3).standard_normal(30)
    seen = []
    found = recovery.solve(A, y, 3, name, **options, max_iter=20, callback=seen.append)
    for state, on_record in zip(seen, found.history["objective"], strict=True):
        residual = y - A[:, state.support] @ state.values
        assert state.objective == on_record == pytest.approx(0.5 * residual @ residual, rel=1e-12)


def test_the_names_of_the_solvers_are_the_choices():
    assert get_args(SolverName) == tuple(recovery.list_solvers())
    with pytest.raises(ValueError, match="solver='hpt' is not known; expected one of aiht"):
        recovery.solve(np.eye(3), np.ones(3), 1, "hpt")
