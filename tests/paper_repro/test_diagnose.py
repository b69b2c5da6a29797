"""`paper-repro diagnose`: the contents of a file that are allowed, and messages for others."""

import io
import zipfile

import numpy as np
import pytest

from paper_repro import cli, diagnose
from recovery import GatedOperator, Instance, NoiseLaw

RNG = np.random.default_rng(0)
A = np.eye(7)[:, :5] + 0.05 * RNG.standard_normal((7, 5))
X, H = RNG.standard_normal((12, 2)), RNG.standard_normal((2, 3))


@pytest.fixture
def command(capsys, tmp_path):
    """A function that stores arrays, runs the command on them, and returns (exit code, output, errors)."""

    def run(*options, **named):
        np.savez(tmp_path / "mine.npz", **named)
        code = cli.main(["diagnose", str(tmp_path / "mine.npz"), *options])
        return code, *capsys.readouterr()

    return run


def test_a_matrix_with_data(command):
    y = A @ np.array([0, 2.0, 0, 0, -1.0])
    code, output, errors = command(A=A, y=y, s=np.array(2), other=np.ones(3))
    assert (code, errors) == (0, "")
    assert "# Diagnosis of a 7 x 5 matrix, s = 2" in output
    assert "htp found one with 2 non-zeros" in output
    assert "| l1-irrepresentable | holds | " in output
    assert "smallest-singular-value" in output  # guarantees of pruning are looked at, too
    assert "## What would help" in output
    assert "Not used: other." in output


def test_inputs_with_gates_or_generators(command):
    first = command("--sparsity", "1", "--no-changes", X=X, H=H)
    second = command("--sparsity", "1", "--no-changes", X=X, gates=X @ H >= 0)
    assert first[0] == second[0] == 0
    assert first[1] == second[1]
    assert "| gates p, features d | 3, 2 |" in first[1]
    assert "## What would help" not in first[1]
    predicted = command(X=X, generators=H)[1]
    assert "| many more rows | predicted |" in predicted
    assert "| many more rows |" not in command(X=X, gates=X @ H >= 0)[1]


def test_a_saved_instance(command, capsys, tmp_path):
    path = tmp_path / "instance.npz"
    Instance.planted(GatedOperator.from_generators(X, H), np.eye(6)[1]).save(path)
    assert cli.main(["diagnose", str(path), "--no-changes"]) == 0
    output = capsys.readouterr().out
    assert "6 matrix, s = 1" in output
    assert "## For the planted vector" in output


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"B": A}, "holds B; expected A, or X with gates or generators H"),
        ({"A": np.where(A > 1, np.nan, A) * np.nan}, "A has 35 element(s) that are NaN or infinite"),
        ({"A": np.array([[1, "a"]], dtype=object)}, "A holds objects, which are not unpickled"),
        ({"A": np.array([["a", "b"]])}, "A has dtype <U1; expected real numbers"),
        ({"A": np.ones(3)}, "A has shape (3,); expected 2 dimension(s)"),
        ({"A": np.zeros((3, 2))}, "has only zeros"),
        ({"A": A, "y": np.ones(3)}, "y has shape (3,); expected (7,)"),
        ({"A": A, "x": np.ones(3)}, "x has shape (3,); expected (5,)"),
        ({"A": A, "s": np.array(9)}, "sparsity=9"),
        ({"A": A, "s": np.array(1.5)}, "s is array(1.5); expected one integer"),
        ({"X": X, "gates": np.ones((3, 2))}, "gates has shape (3, 2); expected (12, p)"),
        ({"X": X, "gates": 2 * np.ones((12, 2))}, "gates holds values other than 0 and 1"),
        ({"X": X, "H": np.ones((3, 2))}, "H has shape (3, 2); expected (2, any)"),
        ({"X": X, "H": H, "gates": np.ones((12, 2))}, "generators has shape (2, 3); expected (2, 2)"),
    ],
)
def test_bad_arrays_are_sentences(command, arrays, sentence):
    code, output, errors = command("--no-changes", **arrays)
    assert (code, output) == (1, "")
    assert errors.startswith("paper-repro: ")
    assert sentence in errors
    assert errors.count("\n") == 1


def test_files_that_are_none(capsys, tmp_path):
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04" + bytes(40))
    (tmp_path / "empty.npz").write_bytes(b"")
    np.save(tmp_path / "one.npy", A)
    np.savez(tmp_path / "about.npz", about=np.array("{"), A=A)
    for name, sentence in (
        ("missing.npz", "there is no file"),
        ("text.npz", "is not an npz file"),
        ("cut.npz", "is not an npz file"),
        ("empty.npz", "is not an npz file"),
        ("one.npy", "holds one array without a name"),
        ("about.npz", "about.npz: "),
        (".", "cannot be read"),
    ):
        assert cli.main(["diagnose", str(tmp_path / name)]) == 1
        errors = capsys.readouterr().err
        assert sentence in errors, name
        assert errors.count("\n") == 1


def test_a_wrong_sparsity_is_refused(capsys):
    with pytest.raises(SystemExit):
        cli.main(["diagnose", "x.npz", "--sparsity", "0"])
    assert "expected an integer of at least 1" in capsys.readouterr().err


def test_arguments_are_read_without_change(tmp_path):
    np.savez(tmp_path / "a.npz", A=A, sparsity=np.int64(2), junk=np.ones(2))
    arguments, ignored = diagnose.read(tmp_path / "a.npz")
    np.testing.assert_array_equal(arguments["A"], A)
    assert arguments["sparsity"] == 2
    assert ignored == ["junk"]


def test_what_is_not_used_is_said(command):
    output = command("--no-changes", A=A, X=X, gates=X @ H >= 0, s=np.array(1), sparsity=np.array(1))[1]
    assert "Not used: X, gates, s." in output
    assert "Not used: generators." in command("--no-changes", X=X, H=H, generators=H)[1]


def test_sentences_name_the_file_once(command, capsys):
    assert command("--no-changes", B=A)[2].count("mine.npz") == 1
    assert command("--no-changes", A=A, s=np.array(1.5))[2].count("mine.npz") == 1


def test_an_array_that_does_not_fit_into_memory_is_a_sentence(capsys, tmp_path):
    header = io.BytesIO()
    about = {"descr": "<f8", "fortran_order": False, "shape": (10**8, 10**8)}
    np.lib.format.write_array_header_1_0(header, about)
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("A.npy", header.getvalue() + bytes(80))
    assert cli.main(["diagnose", str(tmp_path / "huge.npz")]) == 1
    assert "too large" in capsys.readouterr().err


def test_misspelt_names_in_the_file_are_named_with_the_right_one(command):
    output = command("--no-changes", A=A, Y=A[:, 0], S=np.array(1), lambda_=np.array(0.1), other=np.ones(2))[1]
    assert "\n\nNot used: S (did you mean s?), Y (did you mean y?), lambda_, other.\n" in output
    assert output.index("Not used") < output.index("## Numbers")
    assert (
        "Not used: Lam (did you mean lam?), gate (did you mean gates?)."
        in command("--no-changes", X=X, H=H, gate=np.ones(2), Lam=np.array(1.0))[1]
    )


def test_full_column_rank_is_said_plainly(command):
    sentence = (
        "A has full column rank: every x is determined by y = A x, whatever its sparsity, and least squares finds it."
    )
    assert sentence in command("--no-changes", A=A)[1]
    assert "full column rank" not in command("--no-changes", A=A.T)[1]
    assert "full column rank" not in command("--no-changes", A=np.column_stack([A, A[:, 0]]))[1]
    said = command("--no-changes", A=np.column_stack([A, 0 * A[:, 0]]))[1]
    assert "A has full column rank except for those 1: " in said


def test_lam_and_law_come_from_the_file_or_the_command(command):
    x = np.array([0, 2.0, 0, 0, -1.0])
    known = {"A": A, "y": A @ x + 0.01 * np.cos(np.arange(7)), "x": x}

    def row(output, name):
        return next((line for line in output.splitlines() if line.startswith(f"| {name} |")), "")

    plain = command("--no-changes", **known)[1]
    assert "- unknown, lam is not given for this instance: lasso-primal-dual-witness, " in plain
    assert "- unknown, law is not given for this instance: " in plain
    law = {"law": np.array("gaussian"), "sigma": np.array(0.01)}
    filed = command("--no-changes", **known, lam=np.array(0.01), **law)[1]
    given = command("--no-changes", "--lam", "0.01", "--law", "gaussian:0.01", **known)[1]
    assert filed == given
    for name in ("lasso-primal-dual-witness", "lasso-gaussian-noise", "probable-gaussian"):
        assert not row(plain, name)
        assert row(given, name)
    other = command("--no-changes", "--lam", "0.02", **known, lam=np.array(0.01), **law)[1]
    assert row(other, "lasso-restricted-eigenvalue") != row(filed, "lasso-restricted-eigenvalue")
    assert row(command("--no-changes", **known, tau=np.array(0.5))[1], "threshold-estimate")


def test_what_is_not_decided_by_a_number_is_folded(command):
    x = np.array([0, 2.0, 0, 0, -1.0])
    output = command("--no-changes", A=A, y=A @ x + 0.01, x=x)[1]
    assert output.count("there is noise; the statement is about data without noise") == 0
    line = next(line for line in output.splitlines() if line.startswith("- fails, there is noise: "))
    assert "l1-coherence, " in line
    assert "| l1-coherence |" not in output
    assert "| omp-bounded-noise | holds |" in output


def test_a_saved_instance_brings_its_law_and_options(capsys, tmp_path):
    x = np.array([0, 2.0, 0, 0, -1.0])
    law = NoiseLaw("gaussian", 0.01)
    Instance.planted(A, x, law.draw(7, 0), law=law, options={"lam": 0.01, "design": "mine"}).save(tmp_path / "i.npz")
    assert cli.main(["diagnose", str(tmp_path / "i.npz"), "--no-changes"]) == 0
    output = capsys.readouterr().out
    assert "| lasso-gaussian-noise |" in output
    assert "Not used" not in output


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"law": np.array("gauss"), "sigma": np.array(1.0)}, "name='gauss' is not known"),
        ({"law": np.array("gaussian")}, "law='gaussian' without sigma"),
        ({"law": np.array(3)}, "law is array(3); expected the name of a law"),
        ({"law": np.array("gaussian"), "sigma": np.array(-1.0)}, "sigma=-1.0"),
        ({"lam": np.ones(2)}, "lam is array([1., 1.]); expected one number"),
    ],
)
def test_bad_laws_and_penalties_are_sentences(command, more, sentence):
    code, output, errors = command("--no-changes", A=A, **more)
    assert (code, output) == (1, "")
    assert sentence in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("law", ["gaussian", "gauss:1", "gaussian:-1", "gaussian:x", ":1"])
def test_a_law_on_the_command_line_that_is_none_is_refused(capsys, law):
    with pytest.raises(SystemExit):
        cli.main(["diagnose", "x.npz", "--law", law])
    assert "expected NAME:SIGMA such as gaussian:0.1, with NAME one of gaussian, " in capsys.readouterr().err
