"""Sweeps on a Dask cluster: the same store as on one machine, whatever becomes of the workers."""

import importlib
import os
import signal
import sys
import threading

import pytest
import toy_experiment as toy
from toy_runs import contents, gone, start, stored, wait_for, whole, workers

from paper_repro import cli, cluster, experiment, machine, sweep
from paper_repro.store import Store, comparable, from_files
from paper_repro.workers import task_of

pytest.importorskip("distributed", reason="Dask is not installed (extra 'cluster')")


@pytest.fixture
def dask(tmp_path):
    """A function that starts a scheduler and workers; they are killed after the test."""
    import dask_cluster

    started = []

    def launch(**options):
        folder = tmp_path / "dask"
        folder.mkdir()
        started.append(dask_cluster.LocalCluster(folder, TOY_LOG=str(tmp_path / "r.log"), **options))
        return started[0]

    yield launch
    for one in started:
        one.close()


def straight(folder, preset):
    """Return the store of a serial run on this machine, as far as it can be compared."""
    sweep.run(toy.EXPERIMENT, toy.cells(preset, 0), Store(folder / "store"), jobs=1)
    return contents(folder)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_a_worker_that_is_killed_in_mid_sweep_changes_nothing(dask, tmp_path):
    local, folder = dask(), tmp_path / "r"
    # a quarter of a second for a cell: the slower of two workers starts before the other has computed them all
    process = start(folder, "--preset", "quick", "--dask", local.address, TOY_SECONDS="0.25")
    assert wait_for(lambda: (stored(folder) >= 3 and len(workers(folder)) == 2) or process.poll() is not None)
    local.workers[0].kill()
    seen = stored(folder)
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors + local.log()
    assert 3 <= seen < 40
    assert "toy: 40 cells computed, 0 reused" in output
    assert "Warning" not in errors
    assert whole(folder) == straight(tmp_path / "straight", "quick")
    assert len(workers(folder)) == 2  # both had a part, and the computing process of the dead one ended with it
    runs = [record.run for record in Store(folder / "store").records()]
    assert all(run["peak_bytes"] > 0 and run["device"] == "cpu" for run in runs)


@pytest.mark.slow
def test_a_cell_that_kills_its_workers_is_recorded_and_the_rest_goes_on(dask, tmp_path):
    local = dask(nanny=True, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="1")
    folder = tmp_path / "r"
    process = start(folder, "--preset", "paper", "--dask", local.address, TOY_DIE="kill-parent")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1, errors + local.log()
    assert "a cell failed: 2 workers were lost while they computed it (killed, or out of memory?)" in errors
    assert "a cell failed: ValueError: this cell always fails (toy_experiment.py" in errors
    assert sorted(record.status for record in Store(folder / "store").records()) == ["done", "done", "failed", "failed"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are sent as on POSIX systems")
def test_ctrl_c_finishes_the_running_cells_and_again_drops_them_on_the_workers_too(dask, tmp_path):
    local = dask()
    folder = tmp_path / "r"
    process = start(folder, "--preset", "cpu", "--dask", local.address)
    assert wait_for(lambda: len(workers(folder)) == 2)
    process.send_signal(signal.SIGINT)
    wait_for(lambda: False, 1.0)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "finishing 2 running cells" in errors
    assert "interrupted: 0 of 6 cells" in errors
    assert "Traceback" not in errors
    assert gone(workers(folder))
    assert all(worker.poll() is None for worker in local.workers)


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_a_sentence(dask, tmp_path):
    local, folder = dask(), tmp_path / "r"
    process = start(folder, "--preset", "cpu", "--dask", local.address)
    assert wait_for(lambda: workers(folder))
    local.scheduler.kill()
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 1
    assert (
        f"the connection to the Dask scheduler at {local.address} was lost; finished cells are in the store" in errors
    )
    assert "Traceback" not in errors


def command(tmp_path, capsys, *options):
    code = cli.main(["run", "toy", "--preset", "smoke", "--results", str(tmp_path / "r"), *options])
    return code, capsys.readouterr().err


@pytest.fixture
def registered(monkeypatch):
    """Make the toy experiment known for the time of a test."""
    monkeypatch.setattr(experiment, "_registered", {})
    experiment.register(toy.EXPERIMENT)


def test_an_address_at_which_nothing_answers_is_a_sentence(registered, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_S", 0.2)
    code, errors = command(tmp_path, capsys, "--dask", "tcp://127.0.0.1:9")
    assert code == 1
    assert "no Dask scheduler answers at tcp://127.0.0.1:9 (" in errors
    assert "start one with `dask scheduler`" in errors


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:8786", "tcp://127.0.0.1", "http://127.0.0.1:8786"])
def test_what_is_no_address_is_a_sentence_before_dask_is_asked(registered, tmp_path, capsys, monkeypatch, address):
    monkeypatch.setattr("distributed.Client", None)  # one that cannot read its address hangs when it is thrown away
    code, errors = command(tmp_path, capsys, "--dask", address)
    assert code == 1
    assert f"--dask {address} is not an address (ValueError: " in errors
    assert "expected one such as tcp://127.0.0.1:8786" in errors


def test_dask_that_is_not_installed_is_a_sentence(registered, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, errors = command(tmp_path, capsys, "--dask", "tcp://127.0.0.1:9")
    assert code == 1
    assert "--dask needs Dask, which is not installed: pip install 'sparse-recovery-lab[cluster]'" in errors


class FakeClient:
    """A client whose workers say what a test wants them to."""

    def __init__(self, *descriptions):
        self.descriptions = descriptions

    def wait_for_workers(self, count, timeout):
        if not self.descriptions:
            raise TimeoutError

    def run(self, function, device, on_error):
        return {f"tcp://worker:{index}": one for index, one in enumerate(self.descriptions)}


def check(*descriptions):
    place = cluster.Cluster(toy.EXPERIMENT, Store("unused"), "cpu", "tcp://here:1", print)
    place._client = FakeClient(*descriptions)
    place._check_workers()


def test_workers_that_would_not_give_the_same_results_are_refused():
    same = cluster.describe("cpu")
    check(same, same)
    older = {**same, "fingerprint": {**same["fingerprint"], "numpy": "1.0", "python": "3.9"}}
    with pytest.raises(
        cluster.ClusterError, match=r"worker:1 has other versions: python 3.9 there and 3\.\d+ here, numpy"
    ):
        check(same, older)
    with pytest.raises(
        cluster.ClusterError, match=r"worker:0 cannot use this package \(ModuleNotFoundError: No module"
    ):
        check(ModuleNotFoundError("No module named 'paper_repro'"))
    with pytest.raises(cluster.ClusterError, match=r"--device gpu .*worker:0 has none: CuPy is not installed"):
        check({**same, "missing": "CuPy is not installed"})
    with pytest.raises(cluster.ClusterError, match=r"has no worker; start some with `dask worker tcp://here:1`"):
        check()


def test_workers_that_come_and_go_change_how_much_is_handed_out(monkeypatch):
    said = []
    place = cluster.Cluster(toy.EXPERIMENT, Store("unused"), "cpu", "tcp://here:1", said.append)
    clock, threads = [10.0], [{"a": 2, "b": 1}, {}, {}, {"c": 4}]
    monkeypatch.setattr(cluster.time, "monotonic", lambda: clock[0])
    place._client = FakeClient()
    place._client.nthreads = lambda: threads.pop(0)
    counts = []
    for _ in range(4):
        counts += [place.slots(), place.slots()]  # asked again after a second only
        clock[0] += 2.0
    assert counts == [3, 3, 0, 0, 0, 0, 4, 4]
    assert said == ["no worker is left at tcp://here:1; waiting for new ones"]
    with pytest.raises(cluster.ClusterError, match="the connection to the Dask scheduler at tcp://here:1 was lost"):
        place.slots()


def test_a_changed_source_file_changes_the_fingerprint(tmp_path, monkeypatch):
    before = machine.fingerprint()
    assert before == machine.fingerprint()
    (tmp_path / "linear_lottery").mkdir()
    (tmp_path / "linear_lottery" / "__init__.py").write_text("")
    found = importlib.util.spec_from_file_location("linear_lottery", tmp_path / "linear_lottery" / "__init__.py")
    real = importlib.util.find_spec
    monkeypatch.setattr(
        machine.importlib.util, "find_spec", lambda name: found if name == "linear_lottery" else real(name)
    )
    assert cluster.differences(before, machine.fingerprint()).startswith("source files ")


@pytest.fixture
def idle(monkeypatch):
    """Processes of their own for a test that plays the Dask worker; they are closed after it."""
    waiting = []
    monkeypatch.setattr(cluster, "_idle", waiting)
    yield waiting
    for _, child in waiting:
        child.close()


def asked(cells):
    named = [toy.EXPERIMENT.cell(one) for one in cells]
    return task_of(toy.EXPERIMENT, named, "cpu"), [(cell.experiment, cell.version) for cell in named]


def test_a_worker_returns_the_files_of_the_cells_and_keeps_its_process(idle, tmp_path):
    for cells in (toy.cells("smoke", 0)[:2], [toy.ToyCell(4, 0, fault="raise"), toy.ToyCell(5, 0, fault="die")]):
        answers = cluster.compute(*asked(cells), "one", machine.fingerprint())
        for cell, (reply, raw, packed) in zip(cells, answers, strict=True):
            record = from_files(raw, packed, tmp_path / "x.json")
            assert record.cell == toy.EXPERIMENT.cell(cell)
            assert record.status == reply["status"] == ("failed" if cell.fault else "done")
            assert record.message == reply["message"]
        assert len(idle) == 1
    direct = toy.compute(toy.cells("smoke", 0)[0], "cpu")[1]["values"]
    first = cluster.compute(*asked(toy.cells("smoke", 0)[:1]), "two", machine.fingerprint())[0]
    assert from_files(*first[1:], tmp_path / "x.json").arrays["values"].tobytes() == direct.tobytes()
    assert cluster._busy == {}


def test_a_late_worker_of_another_version_computes_nothing(idle):
    cells = toy.cells("smoke", 0)[:1]
    ((reply, raw, packed),) = cluster.compute(*asked(cells), "one", {**machine.fingerprint(), "numpy": "9.9"})
    assert reply["status"] == "store"
    assert "a worker of the cluster has other versions: numpy" in reply["message"]
    assert (raw, packed, idle) == (None, None, [])


def test_a_process_that_has_imported_changed_files_is_replaced(idle, monkeypatch):
    task, heads = asked(toy.cells("smoke", 0)[:1])
    cluster.compute(task, heads, "one", machine.fingerprint())
    old = idle[0][1]
    newer = {**machine.fingerprint(), "source files": "other"}
    monkeypatch.setattr(machine, "fingerprint", lambda: newer)
    cluster.compute(task, heads, "one", newer)
    assert [child is old for _, child in idle] == [False]
    assert not old.usable


def test_a_sweep_that_is_dropped_ends_its_processes(idle, tmp_path, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setenv("TOY_LOG", str(log))
    answers = []
    task, heads = asked([toy.ToyCell(1, 0, seconds=300.0)])
    thread = threading.Thread(target=lambda: answers.extend(cluster.compute(task, heads, "one", machine.fingerprint())))
    thread.start()
    assert wait_for(log.exists)
    cluster.drop("another")
    assert thread.is_alive()
    cluster.drop("one")
    thread.join(timeout=200)
    assert answers[0][0]["status"] == "failed"
    assert (idle, cluster._busy) == ([], {})


def test_records_that_are_sent_are_checked_before_they_are_kept(tmp_path):
    source, target = Store(tmp_path / "a"), Store(tmp_path / "b")
    sweep.run(toy.EXPERIMENT, toy.cells("smoke", 0)[:1], source, jobs=1)
    (path,) = (tmp_path / "a" / "toy").glob("*.json")
    raw, packed = path.read_bytes(), path.with_suffix(".npz").read_bytes()
    with pytest.raises(Exception, match="damaged"):
        target.put(raw, packed[:-1])
    assert list(target.records()) == []
    target.put(raw, packed)
    assert [comparable(one) for one in target.records()] == [comparable(one) for one in source.records()]
    for ending in ("json", "npz"):
        one, other = (next((tmp_path / name / "toy").glob(f"*.{ending}")).read_bytes() for name in "ab")
        assert one == other
