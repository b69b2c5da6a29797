"""Every command prints on streams of any encoding: signs that an encoding lacks are spelled out."""

import dataclasses
import io
import os
import subprocess
import sys
from pathlib import Path

import fabricated
import numpy as np
import pytest
import toy_experiment

from paper_repro import cli, experiment, verify
from paper_repro.console import ERRORS, printable, spelled_out

ROOT = Path(__file__).parents[2]
CERTIFICATE = ROOT / "docs" / "certificates" / "relu-30x40-null-space.json"
ENCODINGS = ["cp1252", "iso-8859-1", "ascii", "utf-8"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text, 1e-3 < |x|", "plain text, 1e-3 < |x|"),
        ("δ₂ₛ < 1/√2, μ₁(s-1)", "delta_2s < 1/sqrt 2, mu_1(s-1)"),
        ("32 (β / α)² s / (d m) ≥ 1", "32 (beta / alpha)^2 s / (d m) >= 1"),
        ("|⟨x_j, y⟩| / ‖x_j‖²", "|<x_j, y>| / ||x_j||^2"),
        ("2 × 3 ± 1 − 0 ≤ ∞", "2 x 3 +- 1 - 0 <= inf"),
        ("Σ σ", "Sigma sigma"),
        ("x²³ and 水é", "x^23 and \\u6c34\\xe9"),
    ],
)
def test_signs_are_spelled_out(text, expected):
    assert spelled_out(text) == expected


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_an_encoding_has_is_printed_as_it_is(encoding):
    text = "±2 × δ₂ \udcff"
    expected = {
        "cp1252": "±2 × delta_2 ".encode("cp1252"),
        "iso-8859-1": "±2 × delta_2 ".encode("latin-1"),
        "ascii": b"+-2 x delta_2 ",
        "utf-8": "±2 × δ₂ ".encode(),
    }
    assert text.encode(encoding, ERRORS) == expected[encoding] + b"\xff"  # the byte of a file's name


def test_the_streams_are_as_before_afterwards(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", object())  # as of a notebook: it cannot be set up anew
    with printable():
        print("≥", flush=True)
    assert stream.buffer.getvalue().rstrip() == b">="
    with pytest.raises(UnicodeEncodeError):
        print("≥", flush=True)


@pytest.fixture
def streams(monkeypatch):
    """A function that runs a command on strict streams of an encoding, and returns (exit code, bytes printed)."""

    def run(encoding, *arguments):
        written = io.BytesIO()
        stream = io.TextIOWrapper(written, encoding=encoding, errors="strict", newline="\n", write_through=True)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            patch.setattr(sys, "stderr", stream)
            try:
                code = cli.main([str(argument) for argument in arguments])
            except SystemExit as stop:  # argparse, after --help
                code = stop.code
        stream.flush()
        return code, written.getvalue()

    return run


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """Each command with arguments, file names and titles that ASCII does not have, and with its exit code."""
    monkeypatch.setattr(experiment, "_registered", {})
    monkeypatch.setattr(verify, "GROUPS", {"toy": ("toy_guarantees:catalogue",)})
    experiment.register(dataclasses.replace(toy_experiment.EXPERIMENT, title="Σ ≥ 水"))
    folder = tmp_path / "δ₂ₛ ≥ é"
    fabricated.fill(folder, "conditions", "smoke")
    certificate, matrix = folder / "μ.json", folder / "μ.npz"
    certificate.write_bytes(CERTIFICATE.read_bytes())
    np.savez(matrix, A=np.eye(5)[:, :4] + 0.01, s=np.array(1))
    monkeypatch.setenv("SPARSE_RECOVERY_DATA", str(folder / "data"))
    where = ("--results", folder)
    return {
        "list": (0, *where),
        "run": (0, "toy", "--preset", "smoke", "--device", "cpu", "--jobs", "1", *where),
        "show": (0, "conditions", "--preset", "smoke", *where),
        "report": (0, "--preset", "smoke", *where),
        "merge": (0, folder, "--results", folder.with_name("ζ")),
        "verify": (
            *(0, "toy-projection", "--held", "9", "--instances", "9", "--evaluations", "20", "--jobs", "1"),
            *("--results", folder.with_name("η")),
        ),
        "check": (0, certificate),
        "diagnose": (0, matrix, "--no-changes"),
        "data": (0,),
        "methods": (0,),
        "doctor": (0, *where),
    }


@pytest.mark.parametrize(
    "encoding", ["cp1252", *(pytest.param(name, marks=pytest.mark.slow) for name in ("iso-8859-1", "ascii"))]
)
def test_every_command_prints_in_every_encoding(streams, calls, encoding):
    assert set(calls) == set(cli._COMMANDS)
    for name, (expected, *arguments) in calls.items():
        code, printed = streams(encoding, name, *arguments)
        assert code == expected, (name, printed)
        assert printed.decode(encoding), name
        code, printed = streams(encoding, name, "--help")
        assert code == 0
        assert b"usage: paper-repro" in printed
    code, printed = streams(encoding, "run", "水 ≥")
    assert code == 2
    assert "there is no figure '\\u6c34 >='".encode(encoding) in printed
    assert streams(encoding, "dance ≥")[0] == 2


@pytest.mark.parametrize("name", experiment.names())
def test_every_figure_is_shown_in_ascii(streams, name, tmp_path):
    fabricated.fill(tmp_path, name, "smoke")
    code, printed = streams("ascii", "show", name, "--preset", "smoke", "--results", tmp_path)
    assert code == 0
    assert printed.startswith(spelled_out(experiment.get(name).title).encode())


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_the_program_itself_prints_in_that_encoding(encoding, tmp_path):
    fabricated.fill(tmp_path, "conditions", "smoke")
    done = subprocess.run(
        [sys.executable, "-m", "paper_repro", "show", "conditions", "--preset", "smoke", "--results", tmp_path],
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "delta_2s" in done.stdout.decode(encoding)
