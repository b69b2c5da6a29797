"""A sweep that is killed or interrupted goes on where it stopped, and ends as if nothing had happened."""

import random
import signal
import time
from pathlib import Path

import pytest
import toy_experiment as toy
from toy_runs import gone, start, stored, wait_for, whole, workers

from paper_repro import sweep
from paper_repro.store import Store


def kill_and_resume(tmp_path, kills, seed):
    """Kill a sweep `kills` times at random moments; return its store and how often it was killed at work."""
    randomness = random.Random(seed)
    folder, cut = tmp_path / "killed", 0
    for _ in range(kills):
        before = stored(folder)
        process = start(folder, "--preset", "quick", "--jobs", "2")
        # the moment is counted from the first new cell, or the sweep would be killed while Python starts
        while process.poll() is None and stored(folder) == before:
            time.sleep(0.002)
        time.sleep(randomness.uniform(0.0, 0.05))
        process.kill()
        process.communicate()
        cut += process.returncode == -signal.SIGKILL
    assert gone(workers(folder))
    process = start(folder, "--preset", "quick", "--jobs", "2")
    _, errors = process.communicate(timeout=600)
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


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked up in /proc")
def test_workers_die_with_a_killed_parent_even_in_the_middle_of_a_long_cell(tmp_path):
    folder = tmp_path / "r"
    process = start(folder, "--preset", "cpu", "--jobs", "2")
    assert wait_for(lambda: workers(folder))
    process.kill()
    process.communicate()
    found = workers(folder)
    assert found
    assert gone(found)
