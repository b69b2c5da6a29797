"""The experiments: their cells, the paper's grids, and what one cell of each computes."""

import dataclasses
import json

import numpy as np
import pytest

from paper_repro import experiment as experiments
from paper_repro.experiment import PRESETS
from paper_repro.experiments import table1
from paper_repro.store import Record

NAMES = experiments.names()


@pytest.fixture(autouse=True)
def no_mnist(tmp_path, monkeypatch):
    """Look for data in an empty folder, so that the tests are the same on every machine."""
    monkeypatch.setenv("SPARSE_RECOVERY_DATA", str(tmp_path))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("preset", PRESETS)
def test_cells_are_distinct_frozen_and_storable(name, preset):
    experiment = experiments.get(name)
    assert experiment.name == name
    assert set(experiment.presets) == set(PRESETS)
    cells = experiment.cells(preset, 0)
    assert len({experiment.cell(cell).key for cell in cells}) == len(cells) > 4
    assert all(experiment.cost(cell) > 0 for cell in cells)
    with pytest.raises(dataclasses.FrozenInstanceError):
        cells[0].seed = 1
    settings = experiment.cell(cells[0]).settings
    assert experiment.settings(**json.loads(json.dumps(settings))) == cells[0]
    assert {"seed", "dtype"} <= set(settings)
    shifted = {cell.seed for cell in experiment.cells(preset, 7)}
    assert shifted == {seed + 7 for seed in {cell.seed for cell in cells}}


def test_table_1_at_the_papers_size():
    cells = table1.cells("paper", 0)
    assert {(cell.n, cell.d, cell.m, cell.s) for cell in cells} == {(50_000, 100, 10, 500)}
    assert {cell.k for cell in cells} == {1, 2, 4, 5, 10, 20, 100}
    assert {cell.n_iter for cell in cells} == {100, 400}
    assert {cell.labels for cell in cells} == {"float32", "float64"}
    assert len({cell.seed for cell in cells}) == 10


@pytest.mark.parametrize("labels", table1.LABEL_TYPES)
def test_a_cell_of_table_1(labels):
    cell = table1.Table1Cell(1, 0, labels, "robust", 60, m=2, s=6, n=500, d=6)
    metrics, arrays = table1.compute(cell, "cpu")
    assert metrics["exact"]
    assert (metrics["psnr_db"] < 180) is (labels == "float32")  # the floor is that of the labels
    assert metrics["psnr_db"] > 140
    assert 0 < metrics["settled"] <= metrics["steps"] <= 60
    assert len(arrays["changed_columns"]) == len(arrays["psnr_history_db"]) == metrics["steps"]


@pytest.mark.parametrize(
    ("changed", "start", "winner", "n_iter", "expected"),
    [
        ([9, 3, 1, 0, 0], [0] * 5, 0, 5, 3),
        ([9, 3, 1, 0, 2], [0] * 5, 0, 5, None),  # still moving when the steps ran out
        ([9, 3, 1, 0, 2], [0] * 5, 0, 8, 5),  # stopped by itself
        ([0, 0, 0], [0] * 3, 0, 3, 0),
        ([9, 0, 9, 3, 0], [0, 0, 1, 1, 1], 0, 5, 1),
        ([9, 0, 9, 3, 0], [0, 0, 1, 1, 1], 1, 5, 4),
        ([9, 0, 9, 3, 2], [0, 0, 1, 1, 1], 0, 5, 1),
    ],
)
def test_the_settling_step(changed, start, winner, n_iter, expected):
    assert table1.settling_step(np.array(changed), np.array(start), winner, n_iter) == expected


def test_the_table_of_table_1_counts_what_the_records_say():
    cells = table1.cells("smoke", 0)
    experiment = experiments.get("table1")
    records = [
        Record(
            experiment.cell(cell),
            "done",
            "",
            {
                "psnr_db": 160.0 / cell.k,
                "settled": None if cell.k > 1 else 12,
                "same_function": cell.k == 1,
                "exact": cell.method == "robust" and cell.k == 1,
            },
            {"psnr_history_db": np.array([3.0, 40.0, 156.0, 160.0]) / cell.k},
        )
        for cell in cells
    ]
    summary = table1.summarise("smoke", 0, records)
    table = summary["table"]
    rows = {tuple(row[:3]): dict(zip(table["columns"], row, strict=True)) for row in table["rows"]}
    assert len(rows) == 2 * 2 * 2
    row = rows["robust", "float64", 1]
    assert (row["PSNR at 20 (dB, median)"], row["settles at (median)"]) == (160.0, 12.0)
    assert (row["same function at 20"], row["same network at 20"]) == ("1/1", "1/1")
    # the same function, by weights that the planted network does not have
    other = rows["paper", "float64", 1]
    assert (other["same function at 40"], other["same network at 40"]) == ("1/1", "0/1")
    assert summary["exact"]["paper"][0] == "1/1"
    assert (row["at floor at 20"], row["first at floor (median)"]) == ("1/1", 3.0)
    row = rows["paper", "float32", 10]
    assert (row["PSNR at 20 (dB, median)"], row["same network at 40"], row["settled"]) == (16.0, "0/1", "0/1")
    assert (row["at floor at 20"], row["first at floor (median)"]) == ("0/1", None)
    assert any(
        "IHT as in the paper, float32 labels, k < 5: 1 of 1 runs are at the floor" in note for note in summary["notes"]
    )
    assert row["settles at (median)"] is None


def test_companions_come_after_the_figures_whose_cells_they_show():
    assert NAMES[:6] == ["fig1", "fig2", "fig3-binary", "fig3-digits", "fig4", "fig5"]
    for name in NAMES:
        host = experiments.get(name).cells_of
        assert host is None or NAMES.index(host) < NAMES.index(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_smoke_preset_runs_whole(name, tmp_path):
    from paper_repro import cli, load

    assert cli.main(["run", name, "--preset", "smoke", "--results", str(tmp_path), "--device", "cpu"]) == 0
    found = load(name, "smoke", tmp_path)
    assert len({record["key"] for record in found.records}) == found.meta["cells"]  # a cell may hold several fits
    assert (tmp_path / f"{name}-smoke.png").stat().st_size > 10_000
