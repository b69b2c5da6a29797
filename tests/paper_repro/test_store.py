"""The store: files are written completely or not at all, contents are checked, and errors give messages."""

import errno
import json
import os

import numpy as np
import pytest

from paper_repro import files
from paper_repro import store as store_module
from paper_repro.encoding import decode, encode
from paper_repro.store import FORMAT, Cell, DamagedCell, Record, Store, StoreError, comparable

CELL = Cell("toy", 1, {"m": 3, "s": 5, "seed": 0, "dtype": "float64"})


def record(cell=CELL, **changes):
    content = {
        "metrics": {"psnr_db": float("inf"), "settled": None, "exact": True, "note": "é", "list": [1.5, float("nan")]},
        "arrays": {"values": np.arange(6.0).reshape(2, 3), "index": np.array([], dtype=np.int64)},
        "run": {"wall_s": 1.25, "device": "cpu"},
    }
    return Record(cell, "done", **{**content, **changes})


def same(left, right):
    return comparable(left) == comparable(right)


def test_what_is_written_is_read_back(tmp_path):
    store = Store(tmp_path / "a" / "b")
    assert store.read(CELL) is None
    path = store.write(record())
    found = store.read(CELL)
    assert same(found, record())
    assert found.metrics["psnr_db"] == float("inf")
    assert found.run == {"wall_s": 1.25, "device": "cpu"}
    assert found.arrays["index"].dtype == np.int64
    assert found.arrays["values"].shape == (2, 3)
    assert path.name == f"{CELL.key}.json"
    assert sorted(item.name for item in path.parent.iterdir()) == [f"{CELL.key}.json", f"{CELL.key}.npz"]


def test_the_json_is_strict(tmp_path):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    path = Store(tmp_path).write(record())
    assert json.loads(path.read_text(), parse_constant=refuse)["metrics"]["psnr_db"] == {"float": "inf"}


@pytest.mark.parametrize("value", [1, 1.5, -0.0, 1e-300, True, None, "x", [1, [2.0]], {"a": {"b": float("-inf")}}])
def test_encoding_is_undone(value):
    assert repr(decode(json.loads(json.dumps(encode(value), allow_nan=False)))) == repr(value)


def test_numpy_scalars_are_numbers_and_other_things_are_refused():
    assert encode({"a": np.float64(2.5), "b": np.bool_(True), "c": (1, 2)}) == {"a": 2.5, "b": True, "c": [1, 2]}
    with pytest.raises(TypeError, match="set"):
        encode({1, 2})


def test_the_key_depends_on_everything_that_defines_a_cell_and_on_nothing_else():
    reordered = Cell("toy", 1, dict(reversed(list(CELL.settings.items()))))
    assert reordered.key == CELL.key
    others = [
        Cell("toy2", 1, CELL.settings),
        Cell("toy", 2, CELL.settings),
        *(Cell("toy", 1, {**CELL.settings, name: "other"}) for name in CELL.settings),
    ]
    assert len({CELL.key, *(other.key for other in others)}) == 1 + len(others)
    assert len(CELL.key) == 32


def test_comparable_leaves_out_the_run_and_nothing_else():
    base = comparable(record())
    assert comparable(record(run={"wall_s": 99.0})) == base
    assert comparable(record(metrics={"psnr_db": 1.0})) != base
    assert comparable(record(message="x")) != base
    flipped = {"values": np.arange(6.0).reshape(3, 2), "index": np.array([], dtype=np.int64)}
    assert comparable(record(arrays=flipped)) != base
    assert comparable(record(arrays={**flipped, "values": np.arange(6).reshape(2, 3)})) != base


def test_the_same_record_gives_the_same_bytes(tmp_path):
    for name in "ab":
        Store(tmp_path / name).write(record())
    for ending in ("json", "npz"):
        first, second = (next((tmp_path / name / "toy").glob(f"*.{ending}")).read_bytes() for name in "ab")
        assert first == second


def damage(path, how):
    raw = path.read_bytes()
    if how == "cut":
        path.write_bytes(raw[: len(raw) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "bit":
        middle = len(raw) // 2
        path.write_bytes(raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :])
    else:
        path.unlink()


@pytest.mark.parametrize("ending", ["json", "npz"])
@pytest.mark.parametrize("how", ["cut", "empty", "bit", "gone"])
def test_damage_is_noticed_and_writing_again_repairs(tmp_path, ending, how):
    store = Store(tmp_path)
    path = store.write(record()).with_suffix(f".{ending}")
    damage(path, how)
    if (ending, how) == ("json", "gone"):
        assert store.read(CELL) is None
    else:
        with pytest.raises(DamagedCell, match=path.name):
            store.read(CELL)
    store.write(record())
    assert same(store.read(CELL), record())


@pytest.mark.parametrize("number", ["NaN", "1e999"])
def test_a_number_that_is_no_json_is_damage(tmp_path, number):
    store = Store(tmp_path)
    path = store.write(record(metrics={"psnr_db": 31.0}, arrays={}))
    path.write_text(path.read_text().replace("31.0", number))
    with pytest.raises(DamagedCell, match="checksum"):
        store.read(CELL)
    path.write_text("[" * 100_000)
    with pytest.raises(DamagedCell, match="not a JSON document"):
        store.read(CELL)


def test_an_edited_number_or_a_renamed_file_is_noticed(tmp_path):
    store = Store(tmp_path)
    path = store.write(record(metrics={"psnr_db": 31.0}, arrays={}))
    path.write_text(path.read_text().replace("31.0", "81.0"))
    with pytest.raises(DamagedCell, match="checksum"):
        store.read(CELL)
    store.write(record(arrays={}))
    other = Cell("toy", 1, {**CELL.settings, "seed": 1})
    path.rename(store.path(other))
    with pytest.raises(DamagedCell, match="named after"):
        store.read(other)


def test_another_format_is_reported_and_not_overwritten(tmp_path):
    store = Store(tmp_path)
    path = store.write(record(arrays={}))
    document = json.loads(path.read_text())
    document["format"] = FORMAT + 1
    path.write_text(json.dumps(document))
    with pytest.raises(StoreError, match=f"format {FORMAT + 1} .* reads format {FORMAT}") as caught:
        store.read(CELL)
    assert not isinstance(caught.value, DamagedCell)


def test_nothing_is_unpickled(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(TypeError, match="Python objects"):
        store.write(record(arrays={"values": np.array([{}], dtype=object)}))
    assert store.read(CELL) is None
    # a pickle smuggled in under a matching checksum is still refused
    path = store.write(record())
    np.savez(path.with_suffix(".npz"), values=np.array([{}], dtype=object))
    document = json.loads(path.read_text())
    del document["checksum"]
    document["arrays"] = store_module.hashlib.sha256(path.with_suffix(".npz").read_bytes()).hexdigest()
    document["checksum"] = store_module.checksum(document)
    path.write_text(json.dumps(document))
    with pytest.raises(DamagedCell, match="allow_pickle"):
        store.read(CELL)


def test_a_full_disk_is_a_sentence_and_keeps_what_is_there(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.write(record(metrics={"old": 1}))

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StoreError, match=r"cannot write .*: No space left on device.*--results"):
        store.write(record(metrics={"new": 1}, arrays={}))
    monkeypatch.undo()
    assert store.read(CELL).metrics == {"old": 1}
    assert not list(tmp_path.rglob("*.tmp"))


def test_ctrl_c_while_a_file_is_written_leaves_nothing_of_it(tmp_path, monkeypatch):
    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write_whole(tmp_path / "figure.png", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"cannot make the folder .*file.*--results"):
        Store(tmp_path / "file").write(record())
    assert Store(tmp_path / "file").read(CELL) is None


def test_files_left_by_killed_writers_are_swept_out_and_those_of_live_ones_kept(tmp_path):
    store = Store(tmp_path)
    store.prepare("toy")
    host = files.platform.node() or "host"
    dead, alive = (tmp_path / "toy" / f".x.json.{host}.{process}.tmp" for process in (2**22 + 1, os.getppid()))
    elsewhere = tmp_path / "toy" / ".x.json.another-host.1.tmp"
    for path in (dead, alive, elsewhere):
        path.write_text("half")
    store.check_writable("toy")
    assert [path.exists() for path in (dead, alive, elsewhere)] == [False, True, True]
    assert list(store.records("toy")) == []


def test_merging_two_stores_is_copying_files(tmp_path):
    cells = [Cell("toy", 1, {"seed": seed}) for seed in range(4)]
    for name, part in (("a", cells[:3]), ("b", cells[2:])):
        for cell in part:
            Store(tmp_path / name).write(record(cell))
    for path in (tmp_path / "b" / "toy").iterdir():
        (tmp_path / "a" / "toy" / path.name).write_bytes(path.read_bytes())
    merged = {found.cell.key: found for found in Store(tmp_path / "a").records()}
    assert set(merged) == {cell.key for cell in cells}
    assert all(same(merged[cell.key], record(cell)) for cell in cells)
