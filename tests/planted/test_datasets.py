"""Data sets: files that are found, messages if they are missing, downloads only on request."""

import gzip
import hashlib
import io
import os
import tarfile

import imagefiles
import numpy as np
import pytest

import planted
from planted import datasets, downloads


@pytest.fixture
def no_network(monkeypatch):
    """Make every download an error."""
    import pooch

    def refuse(url, **options):
        raise ConnectionError("no network")

    monkeypatch.setattr(pooch, "retrieve", refuse)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_mnist(tmp_path, no_network, pack):
    written = imagefiles.write_mnist(tmp_path, pack=pack)
    found = planted.datasets.mnist(tmp_path)
    assert found.name == "MNIST"
    assert found.image_shape == (28, 28)
    assert (found.x_train.dtype, found.y_train.dtype) == (np.uint8, np.int64)
    for key, values in written.items():
        np.testing.assert_array_equal(getattr(found, key), values.reshape(len(values), *(-1,) * (values.ndim > 1)))
    assert repr(found) == "Dataset('MNIST', 40 + 20 images of (28, 28))"


def test_folder_is_argument_then_environment_then_cache(tmp_path, monkeypatch, no_network):
    imagefiles.write_mnist(tmp_path / "here")
    monkeypatch.setenv("SPARSE_RECOVERY_DATA", str(tmp_path / "here"))
    assert len(datasets.mnist().y_train) == 40
    with pytest.raises(FileNotFoundError):
        datasets.mnist(tmp_path / "elsewhere")
    monkeypatch.delenv("SPARSE_RECOVERY_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert datasets.data_folder() == tmp_path / "cache" / "sparse-recovery-lab"
    with pytest.raises(FileNotFoundError):
        datasets.mnist()


@pytest.mark.parametrize("key", imagefiles.MNIST_NAMES)
def test_a_missing_mnist_file_is_named(tmp_path, no_network, key):
    imagefiles.write_mnist(tmp_path)
    name = imagefiles.MNIST_NAMES[key]
    (tmp_path / "mnist" / f"{name}.gz").unlink()
    with pytest.raises(FileNotFoundError, match="SPARSE_RECOVERY_DATA") as raised:
        datasets.mnist(tmp_path)
    assert f"needs {name} or {name}.gz, and {tmp_path / 'mnist'} does not hold it" in str(raised.value)
    with pytest.raises(RuntimeError, match=r"could not be downloaded from https://.*put it in"):
        datasets.mnist(tmp_path, download=True)


def test_mnist_files_that_do_not_fit_together(tmp_path):
    imagefiles.write_mnist(tmp_path)
    label_path = tmp_path / "mnist" / "train-labels-idx1-ubyte.gz"
    label_path.write_bytes(imagefiles.idx_bytes(np.zeros(39)))
    with pytest.raises(ValueError, match=r"holds 40 images and .* 39 labels"):
        datasets.mnist(tmp_path)
    label_path.write_bytes(imagefiles.idx_bytes(np.full(40, 10)))
    with pytest.raises(ValueError, match="has label 10; expected 0 to 9"):
        datasets.mnist(tmp_path)
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(imagefiles.idx_bytes(np.zeros((40, 28, 27))))
    with pytest.raises(ValueError, match=r"images of \(28, 27\)"):
        datasets.mnist(tmp_path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_cifar10(tmp_path, no_network, pack):
    written = imagefiles.write_cifar(tmp_path, pack=pack)
    found = datasets.cifar10(tmp_path)
    assert found.name == "CIFAR-10"
    assert found.image_shape == (3, 32, 32)
    expected = [written[f"data_batch_{i}.bin"] for i in range(1, 6)]
    np.testing.assert_array_equal(found.x_train, np.concatenate([pixels for pixels, _ in expected]))
    np.testing.assert_array_equal(found.y_train, np.concatenate([labels for _, labels in expected]))
    np.testing.assert_array_equal(found.x_test, written["test_batch.bin"][0])
    assert found.classes[1] == "automobile"


def test_a_part_of_cifar10_is_not_taken_for_the_whole(tmp_path, no_network):
    imagefiles.write_cifar(tmp_path, batches=4)
    with pytest.raises(FileNotFoundError, match=r"needs data_batch_5\.bin"):
        datasets.cifar10(tmp_path)
    with pytest.raises(RuntimeError, match="could not be downloaded"):
        datasets.cifar10(tmp_path, download=True)


def test_the_jpeg_sample_says_so(tmp_path, no_network):
    imagefiles.write_cifar(tmp_path, folder="cifar10-jpeg", batches=1, pack=gzip.compress)
    found = datasets.cifar10(tmp_path)
    assert found.name == "JPEG-compressed CIFAR-10 sample"
    assert len(found.y_train) == 4
    assert (
        "JPEG-compressed"
        in datasets.binary_pair(found, *np.unique(found.y_train)[:2].tolist(), n_train=1, n_test=0).name
    )
    imagefiles.write_cifar(tmp_path)
    assert datasets.cifar10(tmp_path).name == "CIFAR-10"


def test_downloads_are_checked_and_unpacked(tmp_path, monkeypatch):
    """A local stand-in for the archive goes through the real checksum."""
    import pooch

    written = imagefiles.write_cifar(tmp_path / "source")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in [*written, "data_batch_9.bin"]:
            content = (tmp_path / "source" / "cifar10" / name).read_bytes() if name in written else b"no"
            member = tarfile.TarInfo(f"../outside/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    asked = []

    def deliver(url, known_hash, fname, path):
        asked.append(url)
        path.mkdir(parents=True, exist_ok=True)
        (path / fname).write_bytes(packed.getvalue())
        if known_hash != "md5:" + hashlib.md5(packed.getvalue()).hexdigest():
            raise ValueError("hash does not match")
        return str(path / fname)

    monkeypatch.setattr(pooch, "retrieve", deliver)
    target = tmp_path / "target"
    with pytest.raises(RuntimeError, match="hash does not match"):
        datasets.cifar10(target, download=True)
    monkeypatch.setattr(downloads, "CIFAR10_MD5", hashlib.md5(packed.getvalue()).hexdigest())
    found = datasets.cifar10(target, download=True)
    np.testing.assert_array_equal(found.x_test, written["test_batch.bin"][0])
    assert sorted(path.name for path in (target / "cifar10").iterdir()) == sorted(written)
    assert not (tmp_path / "outside").exists()
    assert asked == [downloads.CIFAR10_URL] * 2
    datasets.cifar10(target, download=True)  # nothing is missing: nothing is asked for
    assert len(asked) == 2


def test_only_missing_mnist_files_are_downloaded(tmp_path, monkeypatch):
    import pooch

    imagefiles.write_mnist(tmp_path)
    missing = tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz"
    content = missing.read_bytes()
    missing.unlink()
    asked = []

    def deliver(url, known_hash, fname, path):
        asked.append((url, known_hash))
        (path / fname).write_bytes(content)
        return str(path / fname)

    monkeypatch.setattr(pooch, "retrieve", deliver)
    assert len(datasets.mnist(tmp_path, download=True).y_test) == 20
    assert asked == [
        (downloads.MNIST_URL + "t10k-labels-idx1-ubyte.gz", "md5:" + downloads.MNIST_MD5["t10k-labels-idx1-ubyte"])
    ]


def test_digits():
    found = datasets.digits()
    assert found.x_train.shape == (1437, 64)
    assert len(found.y_train) + len(found.y_test) == 1797
    assert found.x_train.max() == found.pixel_max == 16
    pair = datasets.binary_pair(found, n_train=120, n_test=50)
    assert pair.name == "scikit-learn digits, 0 against 1"
    assert pair.x_train.shape == (240, 64)
    assert pair.x_train.max() == 1.0


def test_binary_pair_pools_training_and_test_images(tmp_path):
    written = imagefiles.write_mnist(tmp_path)  # 4 + 2 images a class
    pair = datasets.binary_pair(datasets.mnist(tmp_path), 3, 1, n_train=5, n_test=1, pixels="raw")
    for position, digit in enumerate((3, 1)):
        pooled = np.concatenate(
            [written["x_train"][written["y_train"] == digit], written["x_test"][written["y_test"] == digit]]
        ).reshape(6, -1)
        np.testing.assert_array_equal(pair.x_train[5 * position : 5 * position + 5], pooled[:5])
        np.testing.assert_array_equal(pair.x_test[position : position + 1], pooled[5:])
    np.testing.assert_array_equal(pair.y_train, [0.0] * 5 + [1.0] * 5)
    np.testing.assert_array_equal(pair.y_test, [0.0, 1.0])
    assert pair.classes == ("3", "1")
    assert (pair.x_train.dtype, pair.pixel_max) == (np.float64, 255.0)
    unit = datasets.binary_pair(datasets.mnist(tmp_path), 3, 1, n_train=5, n_test=1)
    np.testing.assert_array_equal(unit.x_train, pair.x_train / 255)


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        ((0, 1), {}, "'0'; expected at least n_train \\+ n_test = 6000"),
        ((0, 0), {}, "are the same class"),
        ((0, 10), {}, "second=10"),
        ((0, 1), {"n_train": 0}, "n_train=0"),
        ((0, 1), {"pixels": "log"}, "pixels='log'"),
    ],
)
def test_bad_pairs_get_a_sentence(args, options, words):
    with pytest.raises(ValueError, match=words):
        datasets.binary_pair(datasets.digits(), *args, **options)


def test_all_classes_pools_training_and_test_images(tmp_path):
    written = imagefiles.write_mnist(tmp_path)  # 4 + 2 images a class
    found = datasets.all_classes(datasets.mnist(tmp_path), n_train=4, n_test=2, pixels="raw", dtype="float32")
    assert (found.x_train.dtype, found.name, found.pixel_max) == (np.float32, "MNIST, 10 classes", 255.0)
    np.testing.assert_array_equal(found.y_train, np.repeat(np.arange(10), 4))
    for digit in range(10):
        np.testing.assert_array_equal(
            found.x_train[found.y_train == digit], written["x_train"][written["y_train"] == digit].reshape(4, -1)
        )
        np.testing.assert_array_equal(
            found.x_test[found.y_test == digit], written["x_test"][written["y_test"] == digit].reshape(2, -1)
        )
    two = datasets.all_classes(datasets.digits(), n_train=140, n_test=34)
    pair = datasets.binary_pair(datasets.digits(), n_train=140, n_test=34)
    np.testing.assert_array_equal(two.x_train[:280], pair.x_train)
    np.testing.assert_array_equal(two.x_test[two.y_test < 2], pair.x_test)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "of class '0'; expected at least n_train \\+ n_test = 6000"),
        ({"n_train": 0}, "n_train=0"),
        ({"n_test": -1}, "n_test=-1"),
        ({"pixels": "log"}, "pixels='log'"),
        ({"dtype": "float16"}, "dtype='float16'"),
    ],
)
def test_bad_splits_of_all_classes_get_a_sentence(options, words):
    with pytest.raises(ValueError, match=words):
        datasets.all_classes(datasets.digits(), **options)


def test_real_mnist_holds_what_the_paper_used():
    if "SPARSE_RECOVERY_DATA" not in os.environ:
        pytest.skip("SPARSE_RECOVERY_DATA is not set, so there is no real MNIST to read")
    try:
        found = datasets.mnist()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert (len(found.y_train), len(found.y_test)) == (60_000, 10_000)
    assert np.count_nonzero(found.y_test == 0) == 980
    pair = datasets.binary_pair(found)
    assert (pair.x_train.shape, pair.x_test.shape) == ((10_000, 784), (2_000, 784))
    A = np.hstack([pair.x_train, np.ones((10_000, 1))])
    weights = np.linalg.lstsq(A.T @ A + 1e-6 * np.eye(785), A.T @ pair.y_train, rcond=None)[0]
    right = (pair.x_test @ weights[:-1] + weights[-1] > 0.5) == pair.y_test
    assert right.mean() > 0.98
