"""Saved objects: every number is read back, and every other file raises a message."""

import io
import json
import math
from fractions import Fraction

import numpy as np
import pytest

import planted
from planted.base import files
from planted.base.files import Stored
from planted.base.values import same

RNG = np.random.default_rng(0)
NET = planted.sparse_network(6, 3, 7, signs="mixed", rng=1)
EXTREME = np.array([5e-324, -0.0, 1.7976931348623157e308, 0.1, 1 / 3, -(2.0**-1022), math.pi])
each_ending = pytest.mark.parametrize("ending", ["npz", "json"])


class Holder(Stored):
    """Something that holds anything."""

    def __init__(self, value):
        self.value = value

    def _state(self):
        return {"value": self.value}


files.storable(Holder)


@each_ending
@pytest.mark.parametrize(
    "value",
    [
        EXTREME,
        np.array([1e-45, 3.4e38, -0.0, 0.1], dtype=np.float32),
        np.array([np.nan, np.inf, -np.inf, 1.0]),
        np.array([2**63 - 1, -(2**63), 2**53 + 1]),
        np.array([True, False]),
        np.zeros((0, 3), dtype=np.float32),
        np.float32(0.1),
        np.float64(math.inf),
        np.array(["a", "<b>", "ü"]),
        np.array(["a", "bc"], dtype=object),
        np.asfortranarray(RNG.standard_normal((3, 4))),
        [1, 2.5, None, True, "text", (1, (2, [3])), {"a": math.nan, 3: (math.inf, -0.0)}],
        10**30,
        NET,
        planted.ReLUNetwork([layer.astype(np.float32) for layer in NET.layers]),
        planted.ReLUNetwork([RNG.standard_normal((4, 3)), RNG.standard_normal((3, 2)), RNG.standard_normal((2, 2))]),
        NET.kink_form(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_number_comes_back(tmp_path, ending, value):
    path = tmp_path / f"one.{ending}"
    Holder(value).save(path)
    found = Holder.load(path).value
    assert same(found, value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        assert found.tobytes() == value.tobytes()  # zeros keep their sign
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@each_ending
def test_a_network_is_itself_again_and_nothing_is_pickled(tmp_path, ending):
    path = tmp_path / f"net.{ending}"
    NET.save(str(path))
    found = planted.ReLUNetwork.load(path)
    assert found == NET
    assert found.dtype == NET.dtype
    with pytest.raises(ValueError, match="read-only"):
        found.hidden[...] = 0
    raw = path.read_bytes()
    assert b"cnumpy" not in raw
    assert b"__reduce" not in raw


def test_a_network_of_the_device_is_saved_as_one_of_the_cpu(backend, tmp_path):
    net = planted.ReLUNetwork([backend.put(layer) for layer in NET.layers])
    net.save(tmp_path / "net.npz")
    assert planted.ReLUNetwork.load(tmp_path / "net.npz") == NET


@each_ending
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9, 0.999])
def test_a_file_that_was_cut_short_is_refused(tmp_path, ending, keep):
    path = tmp_path / f"net.{ending}"
    NET.save(path)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(keep * len(raw) - 2)] if keep else b"")
    with pytest.raises(ValueError, match=r"net\.\w+ cannot be read as \w+ \(.*\); expected a ReLUNetwork"):
        planted.ReLUNetwork.load(path)


def test_a_byte_that_changed_is_noticed(tmp_path):
    path = tmp_path / "net.npz"
    NET.save(path)
    raw = bytearray(path.read_bytes())
    raw[raw.index(NET.hidden.tobytes()[:8]) + 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ValueError, match="cannot be read"):
        planted.ReLUNetwork.load(path)


def foreign():
    """Return what other programs write, by ending."""
    arrays, pickled = io.BytesIO(), io.BytesIO()
    np.savez(arrays, weights=np.ones(3))
    np.savez(pickled, about=np.array([{"a": 1}], dtype=object))
    return {
        "arrays.npz": arrays.getvalue(),
        "pickled.npz": pickled.getvalue(),
        "text.npz": b"hello",
        "list.json": b"[1, 2, 3]",
        "other.json": b'{"format": "other", "version": 1}',
        "number.json": b"3",
        "bytes.json": b"\xff\xfe\x00",
        "deep.json": b"[" * 100_000,
    }


@pytest.mark.parametrize("name", foreign())
def test_a_foreign_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(foreign()[name])
    with pytest.raises(ValueError, match=r"expected a ReLUNetwork that was saved"):
        planted.ReLUNetwork.load(tmp_path / name)


def test_a_file_of_another_kind_or_version_is_refused(tmp_path):
    path = tmp_path / "one.json"
    NET.kink_form().save(path)
    with pytest.raises(ValueError, match=r"one\.json holds a KinkForm; expected a ReLUNetwork"):
        planted.ReLUNetwork.load(path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "version": 99}))
    with pytest.raises(ValueError, match="has version 99 of the format; this release reads 1"):
        planted.KinkForm.load(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"object": ["Popen", {"args": "ls"}]}, "a part is a Popen, which is not known here"),
        ({"object": ["ReLUNetwork", {"layers": [{"array": 7}]}]}, "index out of range"),
        ({"object": ["ReLUNetwork", {"weights": []}]}, "weights"),
        ({"object": ["ReLUNetwork", {"layers": []}]}, "layers has 0 array"),
        ({"object": ["KinkForm", {}]}, "missing"),
        ({"spell": 1}, "unknown kind 'spell'"),
        ({"member": ["ReLUNetwork", "X"]}, "subscriptable"),
        ({"a": 1, "b": 2}, "too many"),
        (None, "NoneType"),
        ([], "list"),
    ],
)
def test_content_that_makes_no_object_is_refused(tmp_path, content, words):
    path = tmp_path / "one.json"
    NET.save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "content": content}))
    with pytest.raises(ValueError, match=rf"one\.json is damaged \(.*{words}.*\); expected a ReLUNetwork"):
        planted.ReLUNetwork.load(path)


def test_arguments_are_refused_with_a_sentence(tmp_path):
    for name in ("net.pkl", "net", "net.NPZ"):
        with pytest.raises(ValueError, match=r"expected \.npz or \.json"):
            NET.save(tmp_path / name)
        with pytest.raises(ValueError, match=r"expected \.npz or \.json"):
            planted.ReLUNetwork.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        planted.ReLUNetwork.load(tmp_path / "none.npz")
    for value in (len, Fraction(1, 2), np.array([None]), np.array([1j])):
        with pytest.raises(TypeError, match="cannot be saved"):
            Holder(value).save(tmp_path / "one.npz")
    assert list(tmp_path.iterdir()) == []


def test_an_error_names_the_file_and_not_the_one_it_is_written_to_first(tmp_path):
    network = planted.sparse_network(3, 2, 4, rng=0)
    for path in (tmp_path / "nodir" / "a.npz", tmp_path / "folder.json"):
        if path.suffix == ".json":
            path.mkdir()
        with pytest.raises(OSError, match=r"No such file|Is a directory") as caught:
            network.save(path)
        assert caught.value.filename == str(path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["folder.json"]
