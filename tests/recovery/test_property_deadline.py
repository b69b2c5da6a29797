"""The strategies have imported what tests use, so that a first example keeps Hypothesis' default deadline."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BODIES = {
    "solve": "recovery.solve(instance.A, instance.y, max(1, instance.sparsity))",
    "basis pursuit": "recovery.solve(instance.A, instance.y, max(1, instance.sparsity), 'l1')",
    "coherence": "recovery.conditions.mutual_coherence(instance.matrix)",
    "null space": "recovery.conditions.null_space_constant(instance.matrix, 1)",
    "guarantees": "[assert_guarantee(one, instance) for one in recovery.guarantees.catalogue()]",
    "diagnose": "recovery.diagnose(instance.A, instance.y, improve=False)",
}
PROGRAM = """
import sys, numpy as np, recovery
from recovery import testing
from recovery.testing import assert_guarantee
strategy = getattr(testing, sys.argv[1])()
A = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])
instance = recovery.Instance.planted(A, [0.0, 0.0, 1.0])
before = set(sys.modules)
exec(sys.argv[2])
print(sorted(set(sys.modules) - before))
"""
TEST = """
import recovery
from hypothesis import given, settings
from recovery.testing import assert_guarantee, gated_instances

@settings(max_examples=20, derandomize=True)
@given(gated_instances())
def test_mine(instance):
    recovery.solve(instance.A, instance.y, max(1, instance.sparsity))
    assert recovery.conditions.mutual_coherence(instance.matrix + 3.0) <= 1.0 + 1e-12
"""


def program(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, **options)


OTHERS = ["instances", "sparse_problems", "operators"]


@pytest.mark.parametrize(
    "strategy", ["gated_instances", *(pytest.param(one, marks=pytest.mark.slow) for one in OTHERS)]
)
def test_a_first_example_imports_nothing(strategy):
    done = program("-c", PROGRAM, strategy, "\n".join(BODIES.values()))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "[]\n"


@pytest.mark.slow
def test_a_first_property_test_keeps_the_default_deadline(tmp_path):
    (tmp_path / "test_mine.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = program("-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "test_mine.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
