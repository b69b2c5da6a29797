"""Failures on real machines, at the real command line: each gives a message, and no finished result is lost."""

import json
import os
import subprocess

import pytest
import toy_experiment as toy
from toy_runs import COMMAND, ENVIRONMENT, contents, stored

from paper_repro import cli, experiment
from paper_repro.evaluate import evaluate
from paper_repro.store import FORMAT, Store
from planted import downloads


@pytest.fixture
def command(capsys, monkeypatch):
    """A function that runs the command, with `before` in a process of its own; it returns (code, output, errors)."""
    monkeypatch.setattr(experiment, "_registered", {})
    experiment.register(toy.EXPERIMENT)

    def run(folder, *options, figure="toy", preset="smoke", verb="run", before=None, **environment):
        words = [verb, figure, "--results", str(folder), "--preset", preset, *options]
        words += ["--device", "cpu", "--jobs", "1"] if verb == "run" else []
        if before is None:
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            found = cli.main(words), *capsys.readouterr()
        else:
            found = in_a_process(words, before)
        assert "Traceback" not in found[2]
        return found

    return run


def in_a_process(words, before):
    done = subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, timeout=600, env=ENVIRONMENT, preexec_fn=before
    )
    return done.returncode, done.stdout, done.stderr


def filled(folder):
    for cell in toy.cells("smoke", 0):
        for record in evaluate(toy.EXPERIMENT, [cell], "cpu"):
            Store(folder / "store").write(record)
    return contents(folder)


def files(folder, ending):
    return sorted((folder / "store" / "toy").glob(f"*.{ending}"))


def small_files(limit):
    """Return a function for the child that limits its files: the nearest to a full disk that needs no rights."""
    resource = pytest.importorskip("resource")
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def test_a_disk_without_room_stops_the_sweep_and_room_lets_it_go_on(command, tmp_path):
    folder = tmp_path / "r"
    code, _, errors = command(folder, before=small_files(300))  # an npz file fits, a cell's JSON file does not
    assert code == 1
    assert "paper-repro: cannot write" in errors
    assert "what is already there is kept. Make room or choose another folder with --results" in errors
    assert stored(folder) == 0
    assert list(folder.rglob("*.tmp")) == []
    code, output, _ = command(folder)
    assert code == 0
    assert "4 cells computed, 0 reused" in output
    assert contents(folder) == filled(tmp_path / "straight")


def test_a_disk_that_is_full_when_figures_are_drawn_keeps_the_cells(command, tmp_path):
    filled(tmp_path / "r")
    code, _, errors = command(tmp_path / "r", before=small_files(100))
    assert code == 1
    assert "cannot write" in errors
    code, output, _ = command(tmp_path / "r")
    assert code == 0
    assert "0 cells computed, 4 reused, drawn" in output


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder in which nobody can write")
def test_a_folder_that_cannot_be_written_to_is_found_out_before_any_work(command, tmp_path):
    code, _, errors = command("/proc/self/results", TOY_LOG=str(tmp_path / "log"))
    assert code == 1
    assert "paper-repro: cannot make the folder /proc/self/results/store/toy" in errors
    assert not (tmp_path / "log").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_found_out_before_any_work(command, tmp_path):
    (tmp_path / "store" / "toy").mkdir(parents=True)
    (tmp_path / "store" / "toy").chmod(0o500)
    code, _, errors = command(tmp_path, TOY_LOG=str(tmp_path / "log"))
    (tmp_path / "store" / "toy").chmod(0o700)
    assert code == 1
    assert "Permission denied" in errors
    assert not (tmp_path / "log").exists()


def test_a_store_of_another_format_is_left_alone(command, tmp_path):
    filled(tmp_path)
    path = files(tmp_path, "json")[0]
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": FORMAT + 1}))
    before = path.read_bytes()
    for verb in ("run", "show"):
        code, _, errors = command(tmp_path, verb=verb)
        assert code == 1
        assert (
            f"{path} is written in format {FORMAT + 1} and this version reads format {FORMAT}; use the version"
            in errors
        )
    assert path.read_bytes() == before


def truncate(path):
    path.write_bytes(path.read_bytes()[:-40])


def flip(path):
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2] + bytes([raw[len(raw) // 2] ^ 1]) + raw[len(raw) // 2 + 1 :])


def remove(path):
    path.unlink()


@pytest.mark.parametrize(
    ("ending", "damage", "sentence"),
    [
        ("json", truncate, "is damaged: it is not a JSON document"),
        ("json", flip, "is damaged"),
        ("npz", flip, "is damaged: it is not the file that was written with its cell"),
        ("npz", remove, "is missing"),
    ],
    ids=lambda value: getattr(value, "__name__", value if isinstance(value, str) and len(value) < 5 else ""),
)
def test_a_corrupt_cell_is_said_and_computed_again(command, tmp_path, ending, damage, sentence):
    before = filled(tmp_path)
    damage(files(tmp_path, ending)[1])
    code, output, errors = command(tmp_path)
    assert code == 0
    assert "1 cells computed, 3 reused" in output
    assert f"toy: computed again, because {files(tmp_path, ending)[1]} {sentence}" in errors
    assert contents(tmp_path) == before


def test_a_cell_that_runs_out_of_memory_is_a_failure_that_says_what_to_do(command, tmp_path):
    code, output, errors = command(tmp_path, preset="paper", TOY_DIE="memory")
    assert code == 1
    assert "a cell failed: out of memory on the cpu, twice, the second time after freeing all possible memory" in errors
    assert "Fewer processes (--jobs) leave more memory for each" in errors
    assert "4 cells computed" in output
    assert sorted(record.status for record in Store(tmp_path / "store").records()) == [
        "done",
        "done",
        "failed",
        "failed",
    ]


def test_batches_at_the_command_line_fill_the_same_store_and_say_when_they_are_halved(command, tmp_path):
    before = filled(tmp_path / "straight")
    code, _, errors = command(tmp_path / "r", "--batch", "4", TOY_ROOM="2")
    assert code == 0, errors
    assert contents(tmp_path / "r") == before
    document = json.loads((tmp_path / "r" / "toy-smoke.json").read_text())
    assert "a batch of 4 cells ran out of memory on the cpu and was halved" in document["warnings"]


@pytest.mark.slow
def test_data_that_is_missing_has_a_stand_in_and_every_file_says_so(command, tmp_path):
    data = tmp_path / "data"
    code, _, errors = command(tmp_path, figure="fig3-binary", SPARSE_RECOVERY_DATA=str(data))
    assert code == 0, errors
    text = (tmp_path / "fig3-binary-smoke.md").read_text()
    assert "scikit-learn digits (MNIST was not found)" in text
    assert "`paper-repro doctor` says where MNIST is looked for" in text


@pytest.mark.slow
def test_data_that_is_damaged_is_not_replaced_by_the_stand_in(command, tmp_path):
    (tmp_path / "data" / "mnist").mkdir(parents=True)
    for name in downloads.MNIST_MD5:
        (tmp_path / "data" / "mnist" / name).write_bytes(b"half of a download")
    code, output, errors = command(tmp_path, figure="fig3-binary", SPARSE_RECOVERY_DATA=str(tmp_path / "data"))
    assert code == 1
    assert "nothing to draw" in output
    assert "a cell failed: ValueError: " in errors
    assert "ubyte" in errors


def test_options_that_exclude_each_other(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["run", "--dask", "tcp://h:1", "--jobs", "2"])
    assert caught.value.code == 2
    assert "argument --jobs: not allowed with argument --dask" in capsys.readouterr().err
