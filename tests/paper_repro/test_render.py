"""From the store to files: written whole, redrawn only when something changed, the same bytes each time."""

import csv
import hashlib
import json
import sys

import fabricated
import pytest

import figures
from paper_repro import render, results, store


def draw(folder, name="fig1", preset="smoke"):
    experiment = render_experiment(name)
    found, records = results.collect(experiment, preset, folder, 0)
    return render.render(experiment, found, records, folder)


def render_experiment(name):
    return results.experiments.get(name)


def bytes_of(paths):
    return {path.name: path.read_bytes() for path in paths}


@pytest.mark.parametrize(
    "name",
    ["table1", pytest.param("fig1", marks=pytest.mark.slow), pytest.param("fig3-binary", marks=pytest.mark.slow)],
)
def test_two_stores_with_the_same_cells_give_the_same_files(tmp_path, name):
    drawn = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        fabricated.fill(folder, name, "smoke")
        files = draw(folder, name)
        assert files.drawn
        assert [path.suffix for path in files.paths] == [".png", ".svg", ".md", ".csv", ".json"]
        drawn.append(bytes_of(files.paths))
    assert drawn[0] == drawn[1]
    for path in files.paths:
        path.unlink()
    assert bytes_of(draw(folder, name).paths) == drawn[0]


def test_files_are_redrawn_only_when_something_changed(tmp_path, monkeypatch):
    fabricated.fill(tmp_path, "table1", "smoke")
    drawings = []
    monkeypatch.setattr(figures, "draw", lambda *args, real=figures.draw: drawings.append(args) or real(*args))
    files = draw(tmp_path, "table1")
    before = bytes_of(files.paths)
    assert not draw(tmp_path, "table1").drawn
    assert len(drawings) == 1
    files.paths[0].write_bytes(b"not a picture")  # somebody spoilt the PNG
    assert draw(tmp_path, "table1").drawn
    assert bytes_of(files.paths) == before
    files.paths[-1].write_text("{")  # or the JSON
    assert draw(tmp_path, "table1").drawn
    record = fabricated.records("table1", "smoke")[0]
    changed = store.Record(record.cell, "done", "", {**record.metrics, "psnr_db": -3.0}, record.arrays, record.run)
    results.store_of(tmp_path).write(changed)
    assert draw(tmp_path, "table1").drawn
    assert bytes_of(files.paths)["table1-smoke.png"] != before["table1-smoke.png"]
    assert len(drawings) == 4


def test_the_json_says_how_the_figure_came_about(tmp_path):
    fabricated.fill(tmp_path, "table1", "smoke")
    paths = draw(tmp_path, "table1").paths
    document = json.loads(paths[-1].read_text())
    assert document["seeds"] == [0]
    assert document["versions"] == [{"numpy": "2"}]
    assert document["devices"] == ["cpu"]
    assert document["cells"] == len(document["records"]) == 16
    assert document["wall_s"] == 8.0
    assert {"settings", "metrics", "wall_s", "key"} <= set(document["records"][0])
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths[:-1]} == document["files"]


def test_the_tables_agree_with_the_summary(tmp_path):
    fabricated.fill(tmp_path, "table1", "paper")
    paths = {path.suffix: path for path in draw(tmp_path, "table1", "paper").paths}
    table = results.load("table1", "paper", tmp_path).meta["summary"]["table"]
    rows = list(csv.reader(paths[".csv"].read_text().splitlines()))
    assert rows[0] == table["columns"]
    assert [[str(item) if item is not None else "" for item in row] for row in table["rows"]] == rows[1:]
    lines = [line for line in paths[".md"].read_text().splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(table["rows"])
    assert len({line.count("|") for line in lines}) == 1
    assert len({len(line) for line in lines}) == 1
    assert any("36.63" in line for line in lines)


def test_load_gives_records_arrays_and_a_data_frame(tmp_path):
    fabricated.fill(tmp_path, "fig1", "smoke", leave_out=2)
    found = results.load("fig1", "smoke", tmp_path)
    assert (len(found.records), found.meta["cells"]) == (34, 36)
    row = found.records[0]
    assert {"m", "s", "seed", "method", "psnr_db", "key", "wall_s"} <= set(row)
    assert found.arrays[row["key"]]["a"].tolist() == [0.0, 1.0, 2.0]
    frame = found.to_pandas()
    assert frame.shape[0] == 34
    assert frame["psnr_db"].tolist() == [one["psnr_db"] for one in found.records]


def test_pandas_missing_is_a_sentence(tmp_path, monkeypatch):
    fabricated.fill(tmp_path, "fig1", "smoke")
    found = results.load("fig1", "smoke", tmp_path)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_pandas needs pandas"):
        found.to_pandas()


@pytest.mark.parametrize(
    ("name", "preset", "error", "sentence"),
    [
        ("fig11", "quick", ValueError, r"no figure 'fig11'; did you mean fig10\? `paper-repro list` shows"),
        ("fig1", "huge", ValueError, "preset='huge' is not known for fig1; expected one of smoke, quick, cpu, paper"),
        ("fig1", "quick", FileNotFoundError, "paper-repro run fig1 --preset quick --results"),
    ],
)
def test_what_cannot_be_loaded_is_a_sentence(tmp_path, name, preset, error, sentence):
    with pytest.raises(error, match=sentence):
        results.load(name, preset, tmp_path)


def test_damaged_and_failed_cells_are_listed_and_the_rest_is_loaded(tmp_path):
    experiment = fabricated.fill(tmp_path, "fig1", "smoke")
    records = fabricated.records("fig1", "smoke")
    kept = results.store_of(tmp_path)
    kept.path(records[0].cell).write_text("half")
    kept.write(store.Record(records[1].cell, "failed", "ValueError: so it is"))
    found, _ = results.collect(experiment, "smoke", tmp_path, 0)
    assert len(found.records) == 34
    assert [bool(failure["message"]) for failure in found.meta["failed"]] == [True, True]
    assert "so it is" in found.meta["failed"][1]["message"]


def test_numbers_of_one_column_have_the_same_number_of_digits():
    assert [render.shown(value) for value in (8.1417, 8.302, 10.45, 166.777)] == ["8.14", "8.30", "10.45", "166.78"]
    assert [render.shown(value) for value in (0.5, 0.1234567, 3.0)] == ["0.5", "0.1235", "3"]


def test_tables_keep_small_numbers_and_bars():
    table = {"columns": ["|x|", "b"], "rows": [[1.5, -2e-15], [0.0, 3e-4], ["a|b", 1234567.8], [12.345, None]]}
    text = render.markdown(table)
    assert "-2.00e-15" in text
    assert "3.00e-04" in text
    assert "1.23e+06" in text
    assert "12.35" in text or "12.34" in text
    # a bar inside a cell would open a new column
    assert [line.replace("\\|", "").count("|") for line in text.splitlines()] == [3] * 6
