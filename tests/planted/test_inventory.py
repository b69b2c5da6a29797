"""The data sets: which files exist, whether they are intact, and downloads of those that are not."""

import dataclasses
import gzip
import hashlib
import io
import os
import socket
import tarfile

import fileserver
import imagefiles
import pytest

from planted import datasets, downloads, inventory


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Small data sets in the place of the published ones, on a server of this machine; returns the server's folder."""
    source = tmp_path / "published"
    imagefiles.write_mnist(source)
    imagefiles.write_cifar(source)
    monkeypatch.setattr(downloads, "CIFAR10_IMAGES", 4)
    folder = source / "mnist"
    sha = {name: hashlib.sha256(gzip.decompress((folder / f"{name}.gz").read_bytes())).hexdigest() for name in names()}
    md5 = {name: hashlib.md5((folder / f"{name}.gz").read_bytes()).hexdigest() for name in names()}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in downloads.CIFAR10_FILES:
            tar.add(source / "cifar10" / name, f"cifar-10-batches-bin/{name}")
    (source / "cifar.tar.gz").write_bytes(packed.getvalue())
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with fileserver.serving(source) as address:
        monkeypatch.setattr(downloads, "MNIST_URL", f"{address}mnist/")
        monkeypatch.setattr(downloads, "MNIST_MD5", md5)
        monkeypatch.setattr(downloads, "CIFAR10_URL", f"{address}cifar.tar.gz")
        monkeypatch.setattr(downloads, "CIFAR10_MD5", hashlib.md5(packed.getvalue()).hexdigest())
        one = dataclasses.replace(inventory.DATA_SETS["mnist"], content=sha)
        monkeypatch.setitem(inventory.DATA_SETS, "mnist", one)
        yield source


def names():
    return list(imagefiles.MNIST_NAMES.values())


def states(name, root):
    return {one.name.removesuffix(".gz"): one.state for one in inventory.check(name, root)}


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_what_is_missing_is_fetched_checked_and_found_intact(small, tmp_path, name):
    root = tmp_path / "data"
    files = list(inventory.DATA_SETS[name].content)
    assert states(name, root) == dict.fromkeys(files, "missing")
    assert inventory.missing(name, root) == files
    assert inventory.download(name, root) == files
    assert inventory.missing(name, root) == []
    assert states(name, root) == dict.fromkeys(files, "intact")
    assert len(getattr(datasets, name)(root).y_test) == (20 if name == "mnist" else 4)
    listed = (root / inventory.SUMS).read_text().splitlines()
    assert [line.split()[1].removesuffix(".gz") for line in listed] == [f"{name}/{file}" for file in files]
    assert inventory.download(name, root) == []  # nothing is asked for any more


def test_one_missing_file_is_fetched_and_the_others_are_left_alone(small, tmp_path):
    root = tmp_path / "data"
    for name in ("mnist", "cifar10"):
        inventory.download(name, root)
    sums = (root / inventory.SUMS).read_text()
    own = root / "mnist" / "t10k-labels-idx1-ubyte.gz"
    own.write_bytes(gzip.compress(gzip.decompress(own.read_bytes()), 1))  # packed in another way: the content counts
    (root / "mnist" / "train-labels-idx1-ubyte.gz").unlink()
    (root / "cifar10" / "test_batch.bin").unlink()
    assert inventory.download("mnist", root) == ["train-labels-idx1-ubyte"]
    assert inventory.download("cifar10", root) == ["test_batch.bin"]
    assert set(states("mnist", root).values()) == set(states("cifar10", root).values()) == {"intact"}
    assert (root / inventory.SUMS).read_text() == sums


@pytest.mark.parametrize("damage", [lambda raw: raw[:-30], lambda raw: gzip.compress(b"x" + gzip.decompress(raw))[:-1]])
def test_a_damaged_file_is_named_and_left_alone(small, tmp_path, damage):
    root = tmp_path / "data"
    inventory.download("mnist", root)
    path = root / "mnist" / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    found = states("mnist", root)
    assert found.pop("t10k-images-idx3-ubyte") == "damaged"
    assert set(found.values()) == {"intact"}
    assert inventory.download("mnist", root) == []


def test_another_content_is_damage_also_where_it_can_be_read(small, tmp_path):
    root = tmp_path / "data"
    inventory.download("mnist", root)
    inventory.download("cifar10", root)
    imagefiles.write_mnist(tmp_path / "other", seed=1)
    for path in (tmp_path / "other" / "mnist").iterdir():
        path.replace(root / "mnist" / path.name)
    found = states("mnist", root)
    assert found["train-images-idx3-ubyte"] == found["t10k-images-idx3-ubyte"] == "damaged"  # the labels are the same
    raw = bytearray((root / "cifar10" / "data_batch_2.bin").read_bytes())
    raw[5] ^= 1
    (root / "cifar10" / "data_batch_2.bin").write_bytes(raw)
    assert states("cifar10", root)["data_batch_2.bin"] == "damaged"
    assert "that SHA256SUMS lists" in inventory.check("cifar10", root)[1].reason


def test_files_that_nothing_is_known_of_are_read(small, tmp_path):
    imagefiles.write_cifar(tmp_path / "data")
    assert set(states("cifar10", tmp_path / "data").values()) == {"readable"}
    batch = tmp_path / "data" / "cifar10" / "data_batch_1.bin"
    batch.write_bytes(batch.read_bytes()[:-3073])  # an image less
    (tmp_path / "data" / "cifar10" / "test_batch.bin").write_bytes(b"\xff" * 3073 * 4)  # no such label
    found = inventory.check("cifar10", tmp_path / "data")
    assert [one.state for one in found] == ["damaged", *["readable"] * 4, "damaged"]
    assert "holds 3 images; expected 4" in found[0].reason


def test_what_comes_down_wrong_is_not_kept(small, tmp_path, monkeypatch):
    monkeypatch.setitem(downloads.MNIST_MD5, "train-labels-idx1-ubyte", "0" * 32)
    with pytest.raises(RuntimeError, match=r"train-labels-idx1-ubyte\.gz could not be downloaded .* does not match"):
        inventory.download("mnist", tmp_path / "data")
    assert states("mnist", tmp_path / "data")["train-labels-idx1-ubyte"] == "missing"
    assert states("mnist", tmp_path / "data")["train-images-idx3-ubyte"] == "intact"


def test_no_network_is_said_in_a_sentence(tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]  # nobody listens there
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(downloads, "MNIST_URL", f"http://127.0.0.1:{port}/")
    with pytest.raises(RuntimeError, match=r"there is no connection to 127\.0\.0\.1: no network") as caught:
        inventory.download("mnist", tmp_path)
    assert len(str(caught.value)) < 400
    assert f"put it in {tmp_path / 'mnist'}" in str(caught.value)


def test_a_server_that_has_no_such_file_is_said(small, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "MNIST_URL", downloads.MNIST_URL + "elsewhere/")
    with pytest.raises(RuntimeError, match=r"could not be downloaded .*404"):
        inventory.download("mnist", tmp_path / "data")


@pytest.mark.skipif(os.name == "nt", reason="a file in the place of a folder is another error there")
def test_a_folder_that_cannot_be_written_is_said(small, tmp_path):
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(RuntimeError, match="data"):
        inventory.download("cifar10", tmp_path / "data")


def test_unknown_names_get_a_sentence(tmp_path):
    for function in (inventory.check, inventory.missing, inventory.download):
        with pytest.raises(ValueError, match="name='imagenet'"):
            function("imagenet", tmp_path)


def test_real_files_are_what_was_published():
    if "SPARSE_RECOVERY_DATA" not in os.environ or inventory.missing("mnist"):
        pytest.skip("SPARSE_RECOVERY_DATA names no folder with MNIST in it")
    assert {one.state for one in inventory.check("mnist")} == {"intact"}
