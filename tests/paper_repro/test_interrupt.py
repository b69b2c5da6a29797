"""Ctrl-C and SIGTERM: the first finishes the running cells, the second drops them, and the sweep can go on."""

import os
import signal
import threading

import pytest
import toy_experiment as toy
from toy_runs import contents, gone, start, stored, wait_for, whole, workers

from paper_repro import sweep
from paper_repro.stopping import Signals
from paper_repro.store import Store

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are sent as on POSIX systems")


def read_until(stream, text):
    """Read from a pipe until a text was read; return everything read."""
    found = ""
    while text not in found:
        part = stream.read(1)
        assert part, f"{text!r} is not in {found!r}"
        found += part
    return found


def seconds_a_cell(seconds):
    return {"TOY_SECONDS": str(seconds)}


def test_the_first_ctrl_c_finishes_the_running_cells_and_leaves_a_store_that_can_be_resumed(tmp_path):
    folder = tmp_path / "r"
    process = start(folder, "--preset", "cpu", "--jobs", "2", **seconds_a_cell(1.0))
    assert wait_for(lambda: len(workers(folder)) == 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "toy: finishing 2 running cells; Ctrl-C again drops them" in errors
    assert "interrupted: 2 of 6 cells are in the store; the same command continues from there" in errors
    assert "Traceback" not in errors
    assert len(whole(folder)) == 2
    assert gone(workers(folder))
    process = start(folder, "--preset", "cpu", "--jobs", "2", **seconds_a_cell(0.0))
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert "toy: 4 cells computed, 2 reused" in output
    sweep.run(toy.EXPERIMENT, toy.cells("cpu", 0), Store(tmp_path / "straight" / "store"), jobs=2)
    assert whole(folder) == contents(tmp_path / "straight")


@pytest.fixture(autouse=True)
def quick_cells(monkeypatch):
    """Let the cells of 30 s take no time where a test computes them in this process."""
    monkeypatch.setenv("TOY_SECONDS", "0")


@pytest.mark.parametrize(("number", "name", "code"), [("SIGINT", "Ctrl-C", 130), ("SIGTERM", "SIGTERM", 143)])
def test_the_second_signal_drops_the_running_cells_at_once(tmp_path, number, name, code):
    folder = tmp_path / "r"
    process = start(folder, "--preset", "cpu", "--jobs", "2", **seconds_a_cell(300.0))
    assert wait_for(lambda: len(workers(folder)) == 2)
    process.send_signal(getattr(signal, number))
    read_until(process.stderr, f"finishing 2 running cells; {name} again drops them")
    assert process.poll() is None
    process.send_signal(getattr(signal, number))
    _, errors = process.communicate(timeout=200)
    assert process.returncode == code
    assert "interrupted: 0 of 6 cells are in the store" in errors
    assert "Traceback" not in errors
    assert stored(folder) == 0
    assert gone(workers(folder))


def test_signals_are_counted_while_it_is_asked_for_and_the_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with Signals() as signals:
        assert signals.count == 0
        signal.raise_signal(signal.SIGTERM)
        assert (signals.count, signals.name) == (1, "SIGTERM")
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with Signals() as signals:
            signal.raise_signal(signal.SIGTERM)
        assert signals.count == 0
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_sweep_in_another_thread_works_without_signals(tmp_path):
    found = []
    thread = threading.Thread(
        target=lambda: found.append(sweep.run(toy.EXPERIMENT, toy.cells("smoke", 0), Store(tmp_path), jobs=1))
    )
    thread.start()
    thread.join()
    assert found[0].computed == 4
