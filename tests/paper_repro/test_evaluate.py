"""Computing cells in one process: batches, memory that runs out, and how much was used at the peak."""

import dataclasses
import sys
import types
import warnings

import numpy as np
import pytest
import toy_experiment as toy
from toy_runs import contents

from paper_repro import machine, sweep
from paper_repro.evaluate import evaluate
from paper_repro.experiment import Experiment
from paper_repro.store import Store, comparable

CELLS = toy.cells("quick", 0)[:6]


def changed(**changes):
    return dataclasses.replace(toy.EXPERIMENT, **changes)


def same(records, cells=CELLS):
    return [comparable(one) for one in records] == [
        comparable(record) for cell in cells for record in evaluate(toy.EXPERIMENT, [cell], "cpu")
    ]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setenv("TOY_SECONDS", "0")


def test_a_batch_gives_the_records_of_its_cells():
    records = evaluate(toy.EXPERIMENT, CELLS, "cpu")
    assert same(records)
    assert [one.run["batch"] for one in records] == [6] * 6
    assert len({one.run["wall_s"] for one in records}) == 1
    assert all(one.run["warnings"] == [] for one in records)
    assert "batch" not in evaluate(toy.EXPERIMENT, CELLS[:1], "cpu")[0].run


def test_a_batch_that_runs_out_of_memory_is_halved_until_it_fits(monkeypatch):
    monkeypatch.setenv("TOY_ROOM", "2")
    records = evaluate(toy.EXPERIMENT, CELLS, "cpu")
    assert same(records)
    assert [one.run.get("batch", 1) for one in records] == [2, 2, 1, 2, 2, 1]
    assert "a batch of 6 cells ran out of memory on the cpu and was halved" in records[0].run["warnings"]


def test_a_batch_that_raises_is_computed_one_at_a_time_and_the_failing_cell_is_found():
    cells = [*CELLS[:2], toy.ToyCell(4, 0, fault="raise")]
    records = evaluate(toy.EXPERIMENT, cells, "cpu")
    assert same(records, cells)
    assert [one.status for one in records] == ["done", "done", "failed"]
    (said,) = records[0].run["warnings"]
    assert said.startswith("a batch of 3 cells raised ValueError: this cell always fails (toy_experiment.py, line ")


def test_a_batch_with_too_few_results_is_not_believed():
    records = evaluate(changed(compute_many=lambda batch, device: []), CELLS[:2], "cpu")
    assert same(records, CELLS[:2])
    assert "RuntimeError: compute_many returned 0 results for 2 cells" in records[0].run["warnings"][0]


class StandInOutOfMemory(MemoryError):
    """Raised as CuPy raises its own kind, which is a MemoryError too."""


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_memory_that_runs_out_once_is_freed_and_the_cell_computed_again(monkeypatch, device):
    tries, freed = [], []
    monkeypatch.setattr(machine.arrays, "free_memory", lambda: freed.append(len(tries)))

    def compute(settings, where):
        tries.append(where)
        if len(tries) == 1:
            raise StandInOutOfMemory("Out of memory allocating 1,000 bytes")
        return {"total": 1.0}, {}

    (record,) = evaluate(changed(compute=compute), CELLS[:1], device)
    assert (record.status, record.metrics) == ("done", {"total": 1.0})
    assert record.run["warnings"] == [f"ran out of memory on the {device} once and was recomputed"]
    assert tries == [device, device]
    assert 1 in freed  # between the two


@pytest.mark.parametrize(("device", "advice"), [("cpu", "Fewer processes (--jobs)"), ("gpu", "--device cpu")])
def test_memory_that_runs_out_twice_is_a_failure_that_says_what_to_do(device, advice):
    tries = []

    def compute(settings, where):
        tries.append(where)
        raise StandInOutOfMemory("Out of memory allocating 1,000 bytes")

    (record,) = evaluate(changed(compute=compute), CELLS[:1], device)
    assert record.status == "failed"
    assert record.message.startswith(
        f"out of memory on the {device}, twice, the second time after freeing all possible memory"
    )
    assert "StandInOutOfMemory: Out of memory allocating 1,000 bytes" in record.message
    assert advice in record.message
    assert len(tries) == 2


def test_warnings_of_a_cell_are_recorded_and_go_no_further():
    def compute(settings, device):
        warnings.warn("beware", RuntimeWarning, stacklevel=1)
        return {"total": 1.0}, {}

    (record,) = evaluate(changed(compute=compute), CELLS[:1], "cpu")
    assert record.run["warnings"] == ["RuntimeWarning: beware"]


def test_the_peak_is_that_of_the_cell_and_not_of_an_earlier_one():
    def compute(settings, device):
        return {"total": float(np.ones(settings.size * 131_072).sum())}, {}

    sizes = [200, 1]  # MiB
    large, small = (
        evaluate(changed(compute=compute), [toy.ToyCell(size, 0)], "cpu")[0].run["peak_bytes"] for size in sizes
    )
    assert large > 200 * 2**20
    if machine._CLEAR.exists():
        assert large - small > 150 * 2**20


def test_the_peak_falls_back_to_the_largest_use_since_the_process_began(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_CLEAR", tmp_path / "no" / "clear")
    monkeypatch.setattr(machine, "_STATUS", tmp_path / "status")
    machine.reset_peak()
    pytest.importorskip("resource")
    assert machine.peak_bytes("cpu") > 2**24
    monkeypatch.setattr(machine.importlib, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    assert machine.peak_bytes("cpu") is None


class FakePool:
    def __init__(self, kept):
        self.kept = kept

    def free_all_blocks(self):
        self.kept = 0

    def total_bytes(self):
        return self.kept


def test_on_a_gpu_the_peak_is_that_of_the_memory_pool_which_is_emptied_before(monkeypatch):
    pool, pinned = FakePool(500), FakePool(7)
    cupy = types.ModuleType("cupy")
    cupy.get_default_memory_pool, cupy.get_default_pinned_memory_pool = lambda: pool, lambda: pinned
    cupy.cuda = types.SimpleNamespace(memory=types.SimpleNamespace(OutOfMemoryError=StandInOutOfMemory))
    monkeypatch.setitem(sys.modules, "cupy", cupy)

    def compute(settings, device):
        pool.kept += 1000
        return {"total": 1.0}, {}

    (record,) = evaluate(changed(compute=compute), CELLS[:1], "gpu")
    assert record.run["peak_bytes"] == 1000
    assert pinned.kept == 0


def test_a_sweep_in_batches_fills_the_same_store(tmp_path, monkeypatch):
    log = tmp_path / "log"
    for name, options in (("one", {}), ("batch", {"batch": 4, "jobs": 1})):
        sweep.run(toy.EXPERIMENT, CELLS, Store(tmp_path / name / "store"), **options)
        monkeypatch.setenv("TOY_LOG", str(log))
    assert contents(tmp_path / "one") == contents(tmp_path / "batch")
    batches = [line.split()[1] for line in log.read_text().splitlines() if line.startswith("batch")]
    assert batches == ["4", "2"]


def test_a_batch_that_kills_its_process_is_computed_one_at_a_time(tmp_path):
    cells = [*CELLS[:2], toy.ToyCell(5, 0, fault="die")]
    outcome = sweep.run(toy.EXPERIMENT, cells, Store(tmp_path), batch=3, jobs=1)
    assert (outcome.computed, [settings["fault"] for settings, _ in outcome.failed]) == (3, ["die"])
    assert sorted(record.status for record in Store(tmp_path).records()) == ["done", "done", "failed"]


def test_one_of_the_two_fields_is_refused():
    fields = {field.name: getattr(toy.EXPERIMENT, field.name) for field in dataclasses.fields(Experiment)}
    with pytest.raises(ValueError, match="'toy' has one of compute_many and batch_key; expected both or neither"):
        Experiment(**{**fields, "batch_key": None})
