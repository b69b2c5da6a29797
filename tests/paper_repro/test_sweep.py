"""Sweeps: every cell is computed once, failures are reported, damaged cells are computed again."""

import dataclasses
import io
import re

import pytest
import toy_experiment as toy

from paper_repro import sweep
from paper_repro.store import Cell, Record, Store, StoreError, comparable


def contents(store):
    return {record.cell.key: comparable(record) for record in store.records()}


@pytest.fixture
def log(tmp_path, monkeypatch):
    """A function that returns what the cells logged: one (size, BLAS threads, process) a computation."""
    path = tmp_path / "log"
    monkeypatch.setenv("TOY_LOG", str(path))
    return lambda: [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def test_one_process_and_two_give_the_same_store_and_the_second_run_computes_nothing(tmp_path, log):
    cells = toy.cells("smoke", 0)
    stores = [Store(tmp_path / str(jobs)) for jobs in (1, 2)]
    for jobs, store in zip((1, 2), stores, strict=True):
        outcome = sweep.run(toy.EXPERIMENT, cells, store, jobs=jobs)
        assert (outcome.total, outcome.computed, outcome.reused, outcome.failed) == (4, 4, 0, [])
    assert contents(stores[0]) == contents(stores[1])
    assert len(contents(stores[0])) == 4
    assert len(log()) == 8
    assert {threads for _, threads, _ in log()} == {"1"}
    again = sweep.run(toy.EXPERIMENT, cells, stores[0], jobs=2)
    assert (again.computed, again.reused) == (0, 4)
    assert len(log()) == 8


def test_long_cells_start_first_and_equal_cells_are_computed_once(tmp_path, log):
    cells = toy.cells("smoke", 0)
    outcome = sweep.run(toy.EXPERIMENT, [*cells, *cells], Store(tmp_path / "s"), jobs=1)
    assert outcome.total == 4
    assert [int(size) for size, _, _ in log()] == [4, 3, 2, 1]


def test_a_cell_that_raises_and_a_worker_that_dies_are_recorded_and_the_rest_goes_on(tmp_path):
    store = Store(tmp_path)
    outcome = sweep.run(toy.EXPERIMENT, toy.cells("paper", 0), store, jobs=1)
    messages = {settings["fault"]: message for settings, message in outcome.failed}
    assert messages["raise"].startswith("ValueError: this cell always fails (toy_experiment.py, line ")
    assert "died with exit code 7" in messages["die"]
    assert sorted(record.status for record in store.records()) == ["done", "done", "failed", "failed"]
    again = sweep.run(toy.EXPERIMENT, toy.cells("paper", 0), store, jobs=1)
    assert (again.reused, again.computed, len(again.failed)) == (2, 2, 2)


def test_a_damaged_cell_is_computed_again_and_said_so(tmp_path):
    store, cells = Store(tmp_path), toy.cells("smoke", 0)
    sweep.run(toy.EXPERIMENT, cells, store, jobs=1)
    before = contents(store)
    paths = [store.path(toy.EXPERIMENT.cell(cell)) for cell in cells]
    paths[0].write_bytes(paths[0].read_bytes()[:50])
    paths[1].with_suffix(".npz").unlink()
    outcome = sweep.run(toy.EXPERIMENT, cells, store, jobs=1)
    assert (outcome.computed, outcome.reused, len(outcome.damaged)) == (2, 2, 2)
    assert contents(store) == before


def test_other_versions_are_left_alone(tmp_path):
    store, cells = Store(tmp_path), toy.cells("smoke", 0)
    older = Record(Cell("toy", 0, toy.EXPERIMENT.cell(cells[0]).settings), "done", metrics={"total": 99.0})
    store.write(older)
    assert sweep.run(toy.EXPERIMENT, cells, store, jobs=1).computed == 4
    assert len(contents(store)) == 5
    assert comparable(store.read(older.cell)) == comparable(older)


def test_source_files_that_change_in_mid_run_stop_the_sweep(tmp_path, log):
    store = Store(tmp_path)
    before = dataclasses.replace(toy.EXPERIMENT, version=0)  # the worker process imports version 1
    with pytest.raises(StoreError, match="the source files of toy_experiment were changed while it was computed"):
        sweep.run(before, toy.cells("smoke", 0), store, jobs=1)
    assert log() == []
    assert contents(store) == {}


def test_a_folder_that_cannot_be_used_stops_the_sweep_with_a_sentence(tmp_path, log):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot make the folder"):
        sweep.run(toy.EXPERIMENT, toy.cells("smoke", 0), Store(tmp_path / "file"), jobs=1)
    assert log() == []


def test_a_store_that_vanishes_under_the_workers_stops_the_sweep_with_a_sentence(tmp_path, monkeypatch):
    store = Store(tmp_path / "s")
    checked = store.check_writable

    def check_then_block(experiment):
        checked(experiment)
        (tmp_path / "s" / "toy").rmdir()
        (tmp_path / "s" / "toy").write_text("in the way")

    monkeypatch.setattr(store, "check_writable", check_then_block)
    with pytest.raises(StoreError, match=r"cannot (make|write)"):
        sweep.run(toy.EXPERIMENT, toy.cells("smoke", 0), store, jobs=2)


def test_progress_counts_cells_and_shows_the_time_left(tmp_path):
    stream = io.StringIO()
    sweep.run(toy.EXPERIMENT, toy.cells("smoke", 0), Store(tmp_path), jobs=1, progress=stream)
    assert "100%" in stream.getvalue()
    assert "4/4 cells" in stream.getvalue()
    assert "left" in stream.getvalue()
    assert "toy: 4 cells to compute, 0 in the store\n" in stream.getvalue()
    assert "0/0 cells" not in stream.getvalue()
    parts = re.findall(r" (\d+)%\|[^|]*\|[^|]* (\d)/4 cells", stream.getvalue())
    assert [int(percent) for percent, _ in parts] == [25 * int(cells) for _, cells in parts]
    assert parts == sorted(parts, key=lambda part: int(part[1]))


def test_the_times_of_the_store_tell_how_long_the_rest_takes(tmp_path):
    first, stream = io.StringIO(), io.StringIO()
    settings, store = toy.cells("smoke", 0), Store(tmp_path)
    sweep.run(toy.EXPERIMENT, settings[:2], store, jobs=1, progress=first, expected="a while")
    assert "toy: 2 cells to compute, 0 in the store; takes a while\n" in first.getvalue()
    sweep.run(toy.EXPERIMENT, settings, store, jobs=1, progress=stream, expected="a while")
    assert "toy: 2 cells to compute, 2 in the store; takes about 1 s on 1 process\n" in stream.getvalue()


@pytest.mark.parametrize(("options", "sentence"), [({"jobs": 0}, "jobs=0"), ({"device": "tpu"}, "device='tpu'")])
def test_wrong_arguments_are_refused_before_any_work(tmp_path, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        sweep.run(toy.EXPERIMENT, toy.cells("smoke", 0), Store(tmp_path / "s"), **options)
    assert not (tmp_path / "s").exists()
