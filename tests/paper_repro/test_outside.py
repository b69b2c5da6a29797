"""A figure written outside the package: passed as an object that no registry knows, computed, drawn, and reported."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import outside_figure
import pytest

import figures
import paper_repro
from paper_repro import cli, experiment
from paper_repro.evaluate import evaluate


def wanted(n):
    return abs(np.random.default_rng(0).normal(size=n).mean())


def test_it_costs_one_file_of_forty_lines():
    assert len(Path(outside_figure.__file__).read_text().splitlines()) <= 40


@pytest.mark.parametrize("found_by_workers", [True, False])
def test_it_is_computed_and_drawn(tmp_path, found_by_workers, capfd):
    figure = outside_figure.FIGURE
    if not found_by_workers:  # as in a notebook
        figure = dataclasses.replace(figure, module="__main__")
    results = paper_repro.run(figure, "smoke", tmp_path, jobs=1, device="cpu")
    assert figure.name not in experiment.names()
    assert [row["error"] for row in results.records] == [wanted(10), wanted(1000)]
    assert results.meta["failed"] == []
    assert (tmp_path / "means-smoke.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "means-smoke.json").read_text())["title"] == "Error of a mean"
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    again = paper_repro.run(figure, "smoke", tmp_path, jobs=1, device="cpu")  # nothing is left to do
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before
    assert again.records == results.records == paper_repro.load(figure, "smoke", tmp_path).records
    (line,) = figures.draw("means", results).axes[0].lines
    np.testing.assert_array_equal(line.get_ydata(), [wanted(10), wanted(1000)])
    assert "Traceback" not in capfd.readouterr().err


def test_the_command_line_takes_it_once_it_is_registered(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(experiment, "_registered", {})
    with pytest.raises(ValueError, match="there is no figure 'means'"):
        paper_repro.load("means", "smoke", tmp_path)
    paper_repro.register(outside_figure.FIGURE)
    assert experiment.names()[-1] == "means"
    assert "means" in figures.names()
    assert cli.main(["run", "means", "--preset", "smoke", "--results", str(tmp_path), "--jobs", "1"]) == 0
    assert "2 cells computed" in capsys.readouterr().out


def test_wrong_presets_and_devices_are_sentences(tmp_path):
    with pytest.raises(ValueError, match="preset='paper' is not known for means; expected one of smoke"):
        paper_repro.run(outside_figure.FIGURE, "paper", tmp_path)
    with pytest.raises(ValueError, match="device='tpu'"):
        paper_repro.run(outside_figure.FIGURE, "smoke", tmp_path, device="tpu")


def test_a_failing_cell_is_listed(tmp_path):
    def fail(cell, device):
        raise ValueError(f"n = {cell.n}")

    broken = dataclasses.replace(outside_figure.FIGURE, module="__main__", compute=fail)
    assert evaluate(broken, broken.cells("smoke", 0)[:1], "cpu")[0].status == "failed"
    results = paper_repro.run(broken, "smoke", tmp_path, device="cpu")
    assert [one["message"].split(" (")[0] for one in results.meta["failed"]] == [
        "ValueError: n = 10",
        "ValueError: n = 1000",
    ]
