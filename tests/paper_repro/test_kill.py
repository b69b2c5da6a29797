"""A sweep that is killed or interrupted goes on where it stopped, and ends as if nothing had happened."""

import os
import random
import signal
import sys
import time
from pathlib import Path

import interrupts
import pytest
import toy_experiment as toy

from paper_repro import sweep
from paper_repro.store import Store, comparable

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, str(ROOT / "tests" / "support" / "toy_command.py")]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])}


def start(folder, *options):
    command = [*COMMAND, "run", "toy", "--results", str(folder), "--device", "cpu", "--jobs", "2", *options]
    return interrupts.popen(command, env={**ENVIRONMENT, "TOY_LOG": f"{folder}.log"})


def workers(folder):
    log = Path(f"{folder}.log")
    return {int(line.split()[2]) for line in log.read_text().splitlines()} if log.exists() else set()


def wait_until_gone(processes):
    end = time.monotonic() + 10
    while time.monotonic() < end and any(Path(f"/proc/{process}").exists() for process in processes):
        time.sleep(0.02)
    return [process for process in processes if Path(f"/proc/{process}").exists()]


def whole(folder):
    """Return the records of a store after checking that no file is left over and that each cell is there once."""
    names = [path.name for path in (folder / "store" / "toy").iterdir()]
    keys = {path.split(".")[0] for path in names}
    assert sorted(names) == sorted(f"{key}.{ending}" for key in keys for ending in ("json", "npz"))
    return {record.cell.key: comparable(record) for record in Store(folder / "store").records()}


def kill_and_resume(tmp_path, kills, seed):
    """Kill a sweep `kills` times at random moments; return its store and how often it was killed at work."""
    randomness = random.Random(seed)
    folder, cut = tmp_path / "killed", 0
    for _ in range(kills):
        before = len(list(folder.glob("store/toy/*.json")))
        process = start(folder, "--preset", "quick")
        # the moment is counted from the first new cell, or the sweep would be killed while Python starts
        while process.poll() is None and len(list(folder.glob("store/toy/*.json"))) == before:
            time.sleep(0.002)
        time.sleep(randomness.uniform(0.0, 0.05))
        process.kill()
        process.communicate()
        cut += process.returncode == -signal.SIGKILL
    assert wait_until_gone(workers(folder)) == []
    process = start(folder, "--preset", "quick")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return folder, cut


def check_against_uninterrupted(tmp_path, kills, seed):
    folder, cut = kill_and_resume(tmp_path, kills, seed)
    sweep.run(toy.EXPERIMENT, toy.cells("quick", 0), Store(tmp_path / "straight" / "store"), jobs=2)
    expected = whole(tmp_path / "straight")
    assert len(expected) == 40
    assert whole(folder) == expected
    return cut


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_three_kills(tmp_path):
    assert check_against_uninterrupted(tmp_path, 3, seed=0) == 3


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_ten_kills_at_random_moments(tmp_path):
    assert check_against_uninterrupted(tmp_path, 10, seed=1) >= 8


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent as a POSIX signal")
def test_ctrl_c_drops_what_runs_keeps_what_is_finished_and_says_how_to_go_on(tmp_path):
    folder = tmp_path / "r"
    process = start(folder, "--preset", "cpu")
    while process.poll() is None and not workers(folder):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted: 0 of 6 cells are in the store" in errors
    assert "Traceback" not in errors
    assert wait_until_gone(workers(folder)) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked up in /proc")
def test_workers_die_with_a_killed_parent_even_in_the_middle_of_a_long_cell(tmp_path):
    folder = tmp_path / "r"
    process = start(folder, "--preset", "cpu")
    while process.poll() is None and not workers(folder):
        time.sleep(0.01)
    process.kill()
    process.communicate()
    found = workers(folder)
    assert found
    assert wait_until_gone(found) == []
