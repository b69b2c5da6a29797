"""The command that verifies certificates again: what it prints and returns, without NumPy too."""

import itertools
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from paper_repro import arguments, cli
from recovery.certificates import Certificate, checker, null_space_certificate
from recovery.conditions import null_space_multipliers

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "docs" / "certificates").glob("*.json"))


@pytest.fixture
def certificate(tmp_path):
    """A valid file and one whose claim is false."""
    A = np.array([[2.0, 0.0, 1.0, 1.0], [0.0, 2.0, 1.0, -1.0]])
    made = null_space_certificate(A, 1, null_space_multipliers(A, 1))
    made.save(tmp_path / "good.json")
    content = json.loads((tmp_path / "good.json").read_text())
    content["claim"]["bound"] = "1/4"
    (tmp_path / "bad.json").write_text(json.dumps(content))
    return tmp_path


def test_a_valid_certificate_prints_what_it_proves(certificate, capsys):
    assert cli.main(["check", str(certificate / "good.json")]) == 0
    output, errors = capsys.readouterr()
    assert output.splitlines()[0].endswith("good.json: verified")
    assert "every z with A z = 0" in output
    assert "2 x 4 matrix A" in output
    assert errors == ""


def test_one_that_is_not_valid_fails_and_the_others_are_still_checked(certificate, capsys):
    assert cli.main(["check", str(certificate / "bad.json"), str(certificate / "good.json")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "bad.json: NOT verified: 1 entries of column" in lines[0]
    assert lines[1].endswith("good.json: verified")


@pytest.mark.parametrize("name", ["nothing-here.json", ""])
def test_a_file_that_cannot_be_read_is_a_sentence(certificate, capsys, name):
    assert cli.main(["check", str(certificate / name), str(certificate / "good.json")]) == 1
    output, errors = capsys.readouterr()
    assert "cannot be read" in errors
    assert "expected a certificate file" in errors
    assert "good.json: verified" in output


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"[]", b"{" * 100_000, b'{"format": 1e999999}', b"1" * 50_000]
)
def test_files_of_something_else_are_not_verified(tmp_path, capsys, content):
    (tmp_path / "file.json").write_bytes(content)
    assert cli.main(["check", str(tmp_path / "file.json")]) == 1
    assert "NOT verified: " in capsys.readouterr().out


def test_the_examples_of_the_documents_are_valid(capsys):
    assert len(EXAMPLES) >= 3
    assert cli.main(["check", *map(str, EXAMPLES)]) == 0
    said = capsys.readouterr().out
    assert "l1 minimisation recovers every x with at most 3 non-zeros" in said
    assert "delta_scaled of order 4 is > 9/10" in said
    matrices = {json.dumps(json.loads(path.read_text())["data"]["A"]) for path in EXAMPLES}
    assert len(matrices) == 1  # all about one matrix


def test_the_matrix_of_the_examples_is_that_of_five_gates_on_eight_inputs():
    rows = json.loads(EXAMPLES[0].read_text())["data"]["A"]
    blocks = np.array([[float(Fraction(one)) for one in row] for row in rows]).reshape(30, 5, 8).transpose(1, 0, 2)
    gates = blocks.any(axis=2)
    assert len({gate.tobytes() for gate in gates}) == 5
    np.testing.assert_allclose(np.linalg.norm(blocks, axis=1), 1.0, atol=0.06)
    for one, other in itertools.combinations(range(5), 2):
        both = gates[one] & gates[other]
        first, second = blocks[one][both], blocks[other][both]
        np.testing.assert_allclose(first * np.abs(second).sum(axis=0), second * np.abs(first).sum(axis=0), rtol=1e-12)


def test_the_checker_runs_alone(certificate):
    # -I and -S: no site packages, so neither NumPy nor anything of this project can be imported
    checker = ROOT / "recovery" / "certificates" / "checker.py"
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(checker), str(certificate / "good.json"), str(certificate / "bad.json")],
        capture_output=True,
        text=True,
        check=False,
        cwd=certificate,
    )
    lines = done.stdout.splitlines()
    assert "good.json: verified: " in lines[0]
    assert "bad.json: NOT verified: " in lines[1]


def test_what_a_check_may_take_is_an_option(tmp_path, capsys):
    made = Certificate("largest-eigenvalue", {"s": 2, "bound": "2"}, {"A": [["1"] * 200]}, {"method": "enumeration"})
    made.save(tmp_path / "file.json")
    assert cli.main(["check", "--seconds", "0.001", str(tmp_path / "file.json")]) == 1
    assert "NOT verified: the arithmetic would take too long: about" in capsys.readouterr().out
    assert cli.main(["check", "--gigabytes", "0.0001", str(tmp_path / "file.json")]) == 1
    assert cli.main(["check", "--seconds", "60", "--gigabytes", "1", str(tmp_path / "file.json")]) == 0
    with pytest.raises(SystemExit):
        cli.main(["check", "--gigabytes", "much", str(tmp_path / "file.json")])
    assert "'much' is not understood; expected gigabytes" in capsys.readouterr().err


def test_the_defaults_are_those_of_the_checker():
    options = arguments.parser().parse_args(["check", "file.json"])
    assert (options.seconds, options.gigabytes) == (checker.SECONDS, checker.GIGABYTES)
