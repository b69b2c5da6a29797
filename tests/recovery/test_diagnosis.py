"""The diagnosis: it agrees with the guarantees, changes are carried out as named, and refusals give messages."""

import itertools
import re
import subprocess
import sys

import numpy as np
import pytest

import recovery
from recovery import GatedOperator, Instance, NoiseLaw, diagnose
from recovery.conditions import mutual_coherence, restricted, restricted_eigenvalues
from recovery.diagnosis.improvements import changes, looks_normal, parallel
from recovery.diagnosis.uniform import CONDITIONS, Numbers, largest

KNOWN = {one.name: one for one in recovery.guarantees.catalogue()}
SMALL = {"limit": 500, "programs": 20}


def matrices():
    """Yield small matrices for which some conditions hold and some do not."""
    rng = np.random.default_rng(0)
    yield np.eye(9)[:, :6] + 0.03 * rng.standard_normal((9, 6))
    yield np.eye(7)[:, :6] + 0.15 * rng.standard_normal((7, 6))
    yield rng.standard_normal((5, 7))
    yield np.hstack([np.eye(4), np.ones((4, 1))]) * np.array([1.0, 2.0, 1.0, 0.3, 1.0])
    X, H = rng.standard_normal((9, 2)), np.array([[1.0, 0.2, -0.9, 1.0], [0.1, 1.0, 1.0, -1.0]])
    yield GatedOperator.from_generators(X, H).columns(np.arange(8))


@pytest.mark.parametrize("number", range(5))
def test_each_condition_is_the_hypothesis_of_its_guarantees(number):
    A = next(itertools.islice(matrices(), number, None))
    numbers, compared = Numbers(A, 50_000, 50), set()
    for condition, s in itertools.product(CONDITIONS, (1, 2)):
        verdict = condition.rule(numbers, s)
        for name in condition.names:
            x = np.zeros(A.shape[1])
            x[-s:] = 1.0
            # the recovery coefficient is that of one support; the worst over supports is the largest of them
            planted = [x] if "exact-recovery" not in name else [
                np.isin(np.arange(A.shape[1]), S).astype(float) for S in itertools.combinations(range(A.shape[1]), s)
            ]  # fmt: skip
            checks = [KNOWN[name].check(Instance.planted(A, one)) for one in planted]
            worst = min(checks, key=lambda one: one.margin)
            assert worst.status == verdict.status, (name, s, worst, verdict)
            if name != "unique-spark" and worst.margin not in (np.inf, -np.inf):
                assert verdict.margin == pytest.approx(worst.margin, rel=1e-4, abs=1e-6), name
            compared.add(verdict.status)
    assert ("fails" in compared) == (number > 0)


def test_what_it_covers_is_recovered():
    rng = np.random.default_rng(1)
    A = recovery.DenseOperator(np.linalg.qr(rng.standard_normal((5, 5)))[0][:4])  # one null vector
    found = recovery.diagnose(A, improve=False)
    assert found.covers >= 1
    for S in itertools.combinations(range(5), found.covers):
        x = np.zeros(5)
        x[list(S)] = rng.standard_normal(len(S))
        np.testing.assert_allclose(recovery.solve(A, A.matvec(x), len(S), "l1", normalise=False).x, x, atol=1e-5)


@pytest.fixture(scope="module")
def gated():
    """A ReLU operator with a pair of complementary gates, one that is twice there, and its generators."""
    rng = np.random.default_rng(3)
    X, H = rng.standard_normal((14, 3)), rng.standard_normal((3, 4))
    H[:, 2], H[:, 3] = -H[:, 0], H[:, 1]
    return GatedOperator.from_generators(X, H), H


def test_a_gated_operator_is_looked_at_as_such(gated):
    A, H = gated
    x = np.zeros(12)
    x[[0, 4]] = 1.0, -2.0
    found = recovery.diagnose(A, A.matvec(x), x=x, generators=H, **SMALL)
    text = str(found)
    values = dict(found.numbers)
    assert values["complementary pairs"] == "(0, 2)"
    assert values["equal gates"] == "[1, 3]"
    assert values["spark, proved"] == "2"
    assert found.sparsity == 2
    assert found.covers == 0
    names = [effect.name for effect in found.effects]
    assert names[0] == "as it is"
    assert "drop equal gates" in names
    assert "one gate per complementary pair and an ungated block" in names
    assert [effect.name for effect in found.effects if not effect.measured] == ["many more rows"]
    assert {one.verdict.status for one in found.planted} <= {"holds", "fails", "unknown"}
    by_name = {one.names[0]: one.verdict for one in found.planted}
    assert by_name["nic-1"].status == "fails"  # two gates are planted
    assert "no method is proved" in text.lower()
    assert found.advice() in text
    for heading in ("## Numbers", "## For every x", "## For the planted vector", "## What would help"):
        assert heading in text


def test_changes_are_what_they_say(gated):
    A, H = gated
    matrix = A.columns(np.arange(12))
    X, gates = Instance(A, np.zeros(14), 1).gated
    made = {one.name: one for one in changes(matrix, (X, gates), H)}
    assert np.allclose(np.linalg.norm(made["unit columns"].matrix, axis=0), 1.0)
    assert made["drop equal gates"].matrix.shape == (14, 9)
    both = made["one gate per complementary pair and an ungated block"].matrix
    assert both.shape == (14, 9)
    assert np.array_equal(both[:, -3:], X)
    assert np.linalg.matrix_rank(both) == np.linalg.matrix_rank(matrix) == 9  # same range, now without dependence
    rows = made["precondition the rows"].matrix
    spectrum = np.linalg.svd(rows, compute_uv=False)
    assert np.allclose(spectrum[:9], 1.0)
    assert np.abs(rows @ np.r_[np.zeros(3), 1, 0, 0, np.zeros(3), -1, 0, 0]).max() < 1e-12  # the null space stays
    white = made["whiten X"].matrix
    root = white[:, :3] + white[:, 6:9]  # X (X'X / n)^(-1/2): the symmetric root turns no feature into another
    assert np.allclose(root.T @ root / 14, np.eye(3))
    assert np.allclose(X.T @ root, root.T @ X)
    assert np.linalg.eigvalsh(X.T @ root).min() > 0
    assert np.abs(X.T @ made["remove the linear part"].matrix).max() < 1e-10
    limit = made["many more rows"]
    assert not limit.measured
    assert np.allclose(np.diag(limit.matrix.T @ limit.matrix), 0.5)


def test_an_effect_is_measured_on_the_changed_matrix(gated):
    A, _ = gated
    found = recovery.diagnose(A, **SMALL)
    matrices = {one.name: one.matrix for one in changes(A.columns(np.arange(12)), Instance(A, np.zeros(14), 1).gated)}
    for effect in found.effects[1:]:
        assert effect.coherence == pytest.approx(mutual_coherence(matrices[effect.name]))
        kappa = restricted_eigenvalues(matrices[effect.name], 2).kappa.upper
        assert effect.kappa == pytest.approx(kappa) or kappa > 1e10
    fixed = next(one for one in found.effects if one.name.startswith("one gate per"))
    assert fixed.best > found.effects[0].best == 0
    helpful = next(one for one in found.effects if one.best)
    assert f"from s = 0 to {helpful.best}: {helpful.name} (" in found.advice()
    # dependent columns stay dependent however the rows are mixed, although rounding hides it
    assert next(one for one in found.effects if one.name == "precondition the rows").best == 0


def test_a_vector_that_explains_the_data_is_found_and_named():
    A = next(matrices())
    y = A @ np.array([0, 0, 2.0, 0, 0, -1.0])
    found = recovery.diagnose(A, y, sparsity=2, improve=False)
    assert any("htp found one with 2 non-zeros that explains y" in note for note in found.notes)
    assert any("no other one does" in note for note in found.notes)
    assert found.planted
    noise = np.linalg.svd(A)[0][:, -1]  # orthogonal to all columns
    nothing = recovery.diagnose(A, y + noise, sparsity=2, improve=False)
    assert "no vector with 2 non-zeros was found that explains y" in nothing.notes[1]
    assert not nothing.planted
    given = recovery.diagnose(A, y + noise, x=np.array([0, 0, 2.0, 0, 0, -1.0]), improve=False)
    assert "noise" in given.notes[1]
    by_name = {one.names[0]: one.verdict.status for one in given.planted}
    assert by_name["l1-coherence"] == "fails"  # it is about data without noise
    assert by_name["omp-bounded-noise"] in ("holds", "fails")
    assert "need x" in recovery.diagnose(A, improve=False).notes[1]


def test_zero_columns_are_said_and_dropped():
    A = next(matrices()) * [1, 0, 1, 1, 1, 1.0]
    found = recovery.diagnose(A)
    assert "1 of 6 columns are 0" in found.notes[0]
    assert found.effects[1].name == "drop zero columns"


def test_parallel_columns_are_counted_and_dropped():
    A = next(matrices())
    A = np.column_stack([A, -3.0 * A[:, 0], A[:, 1] / 3.0, A[:, 2] + 1e-6])
    assert list(parallel(A)) == [6, 7]
    found = recovery.diagnose(A, **SMALL)
    assert dict(found.numbers)["columns parallel to an earlier column"] == "2"
    effect = next(one for one in found.effects if one.name == "drop parallel columns")
    assert effect.best > found.effects[0].best == 0


def test_independent_columns_need_no_programs():
    A = np.random.default_rng(0).standard_normal((12, 6))
    found = recovery.diagnose(A, programs=0, improve=False)
    by_name = {one.names[0]: one for one in found.uniform}
    assert by_name["l1-null-space"].covers == by_name["unique-spark"].covers == 5
    assert "spark" in dict(found.numbers)  # without the word that it is proved


def test_a_change_that_only_helps_other_methods_is_named():
    report = recovery.diagnose(np.random.default_rng(0).standard_normal((40, 20)))
    assert report.covers == 12
    assert "larger numbers were not tried" in report.table()
    assert report.uniform[0].verdict.reason == "all columns are independent, so the spark is infinite"
    advice = report.advice()
    assert advice.startswith("None of the changes raises s = 12, but precondition the rows (")
    assert "iht-condition-number from 0 to 12" in advice


def test_bounds_that_suffice_save_the_enumeration(monkeypatch):
    # orthonormal columns meet every condition for every s, and every size would have to be enumerated
    def refused(gram, s):
        raise AssertionError(f"{s} columns are enumerated")

    monkeypatch.setattr(restricted, "extreme_blocks", refused)
    numbers = Numbers(np.eye(30)[:, :20], 200_000, 120)
    for condition in CONDITIONS:
        assert largest(condition, numbers, 4) == 4


def test_beyond_the_limits_answers_are_unknown():
    A = np.random.default_rng(0).standard_normal((20, 30))
    found = recovery.diagnose(A, sparsity=3, limit=10, programs=0, improve=False)
    by_name = {one.names[0]: one.verdict for one in found.uniform}
    assert by_name["l1-null-space"].status == "unknown"
    assert "no linear programs are solved for" in by_name["l1-null-space"].reason
    assert by_name["unique-spark"].status == "unknown"
    assert "not enumerated" in str(found)


def test_labels_with_rounding_are_told_how_far_the_closest_vector_is():
    A = np.random.default_rng(3).standard_normal((20, 8))
    y = (A @ np.eye(8)[2]).astype(np.float32)
    note = next(note for note in recovery.diagnose(A, y, sparsity=1, improve=False).notes if "was found" in note)
    assert re.search(r"the closest leaves a residual of \d(\.\d)?e-08 \|y\| \(htp\)", note)


def test_which_l1_is_meant_is_said():
    # one column is so short that l1 on the columns as they are prefers the others; on unit columns it does not
    A = np.array([[1.0, 0.0, 0.1], [0.0, 1.0, 0.1]])
    found = {one.names[0]: one for one in recovery.diagnose(A, sparsity=1, improve=False).uniform}
    assert (found["l1-coherence"].verdict.status, found["l1-null-space"].verdict.status) == ("holds", "fails")
    assert "columns of unit norm" in found["l1-coherence"].method
    assert "as given" in found["l1-null-space"].method
    x = np.array([0.0, 0.0, 1.0])
    for normalise in (True, False):
        right = np.allclose(recovery.solve(A, A @ x, 1, solver="l1", normalise=normalise).x, x, atol=1e-6)
        assert right == normalise


def test_one_column_has_no_null_space():
    numbers = dict(recovery.diagnose(np.ones((3, 1))).numbers)
    assert next(value for name, value in numbers.items() if name.startswith("alpha_1")) == "0"


def test_normal_rows_are_told_from_others():
    rng = np.random.default_rng(0)
    assert "are compatible" in looks_normal(3.0 * rng.standard_normal((400, 6)))
    assert "fourth moments" in looks_normal(rng.choice([-1.0, 1.0], (400, 6)))
    assert "covariances" in looks_normal(rng.standard_normal((400, 6)) * [1, 1, 1, 1, 1, 3.0])
    assert "means" in looks_normal(np.abs(rng.standard_normal((400, 6))))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"A": np.zeros((3, 4))}, "has only zeros"),
        ({"A": np.full((3, 4), np.nan)}, "NaN or infinite"),
        ({"A": np.diag([1.0, 1e-200, 2.0])}, r"column 1 of A is 1e-200; expected 0, or a value from"),
        ({"A": np.diag([1.0, 2.0, 1e200])}, r"column 2 of A is 1e\+200; expected 0, or a value from"),
        ({"A": np.eye(3), "y": np.ones(4)}, r"y has shape \(4,\); expected \(3,\)"),
        ({"A": np.eye(3), "x": np.ones(2)}, r"x has shape \(2,\); expected \(3,\)"),
        ({"A": np.eye(3), "sparsity": 4}, "sparsity=4"),
        ({"A": np.eye(3), "generators": np.eye(3)}, "A has no gates"),
    ],
)
def test_refusals(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        recovery.diagnose(**arguments)


def test_other_arrays_are_taken_to_the_cpu(backend):
    A = backend.put(next(matrices()))
    assert recovery.diagnose(A, improve=False, sparsity=1).covers >= 1


def test_nothing_heavy_is_imported():
    code = (
        "import sys, recovery; [getattr(recovery, name) for name in recovery.__all__]; "
        "print([m for m in ('cvxpy', 'sympy', 'flint') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_penalty_law_and_options_reach_the_guarantees_in_any_unit():
    rng = np.random.default_rng(3)
    A = np.eye(12)[:, :8] + 0.05 * rng.standard_normal((12, 8))
    x = np.zeros(8)
    x[[1, 5]] = 2.0, -1.5
    noise = 0.01 * rng.standard_normal(12)
    found = []
    for unit in (1.0, 2.0**500, 2.0**-500):
        law = NoiseLaw("gaussian", 0.01 * unit)
        one = diagnose(
            A, (A @ x + noise) * unit, x=x * unit, lam=0.02 * unit, law=law, options={"relaxed": 4}, improve=False
        )
        found.append({item.names[0]: item.verdict for item in one.planted})
    for name in ("lasso-primal-dual-witness", "lasso-gaussian-noise", "lasso-restricted-eigenvalue"):
        assert found[0][name].status != "unknown"
        for other in found[1:]:
            assert other[name].status == found[0][name].status
            assert other[name].margin == pytest.approx(found[0][name].margin, rel=1e-9)
    assert "relaxed" not in found[0]["iht-relaxed-sparsity"].reason


def test_wrong_penalties_laws_and_options_are_refused():
    A = np.eye(3)
    with pytest.raises(TypeError, match="law='gaussian' is of type str; expected a recovery"):
        diagnose(A, law="gaussian")
    with pytest.raises(ValueError, match="lam=-1"):
        diagnose(A, lam=-1.0)
    with pytest.raises(TypeError, match="options=3 is of type int"):
        diagnose(A, options=3)
    with pytest.raises(ValueError, match="options contains 'lam' too"):
        diagnose(A, lam=1.0, options={"lam": 2.0})


def test_full_column_rank_and_unique_answers_are_said():
    square = diagnose(np.eye(3), improve=False)
    assert square.notes[0].startswith("A has full column rank: every x is determined by y = A x")
    wide = diagnose(np.random.default_rng(0).standard_normal((4, 6)), improve=False)
    assert not any("full column rank" in note for note in wide.notes)
    assert "any solution with at most 2 that explains the data exactly is x" in wide.table()
    assert "explains the data exactly" not in diagnose(np.ones((4, 6)), improve=False).table()
