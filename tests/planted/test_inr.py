"""The images of the implicit neural representations: which one is used, and messages for missing files."""

import os

import imagefiles
import numpy as np
import pytest

import planted
from planted import datasets, inr


def write_many(root, folder, n=1200):
    """Write a CIFAR-10 test file in which every third image is an airplane or an automobile."""
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (n, 3072), dtype=np.uint8), (np.arange(n) % 6).astype(np.uint8)
    (root / folder).mkdir(parents=True)
    (root / folder / "test_batch.bin").write_bytes(imagefiles.cifar_bytes(pixels, labels))
    return pixels, labels


def test_the_source_is_the_best_that_is_there(tmp_path):
    assert planted.inr_source("grey", tmp_path) == "photo-grey"
    assert planted.inr_source("colour", tmp_path) == "photo-colour"
    imagefiles.write_mnist(tmp_path)
    write_many(tmp_path, "cifar10-jpeg", 6)
    assert planted.inr_source("grey", tmp_path) == "mnist"
    assert planted.inr_source("colour", tmp_path) == "cifar10-jpeg"
    write_many(tmp_path, "cifar10", 6)
    assert planted.inr_source("colour", tmp_path) == "cifar10"
    (tmp_path / "mnist" / "train-labels-idx1-ubyte.gz").unlink()
    assert planted.inr_source("grey", tmp_path) == "photo-grey"


def test_the_grey_image_is_the_first_test_image_of_a_one(tmp_path, monkeypatch):
    written = imagefiles.write_mnist(tmp_path)  # 4 + 2 images a class
    whole = datasets.binary_pair
    monkeypatch.setattr(datasets, "binary_pair", lambda data, *pair: whole(data, *pair, n_train=4, n_test=2))
    monkeypatch.setattr(inr, "ITEM", 2)  # two zeros come before it
    image = planted.inr_image("mnist", tmp_path)
    np.testing.assert_array_equal(image.pixels, written["x_test"][written["y_test"] == 1][0] / 255)
    assert "MNIST test image 2 of the class-sorted ones" in image.name


def test_the_colour_image_counts_in_the_files_order(tmp_path):
    pixels, labels = write_many(tmp_path, "cifar10", 3600)
    image = planted.inr_image("cifar10", tmp_path)
    place = np.flatnonzero(labels < 2)[1000]
    planes = pixels[place].reshape(3, 32, 32) / 255
    for colour in range(3):
        np.testing.assert_array_equal(image.pixels[..., colour], planes[colour])
    assert image.name == "CIFAR-10 test image 1,000 of airplanes and automobiles (an airplane)"
    assert repr(image).endswith("(32, 32, 3))")


def test_the_sample_says_that_it_is_one_and_gives_its_first_image(tmp_path):
    pixels, _ = write_many(tmp_path, "cifar10-jpeg", 6)
    image = planted.inr_image("cifar10-jpeg", tmp_path)
    np.testing.assert_array_equal(image.pixels[0, :, 0], pixels[0][:32] / 255)
    assert "JPEG-compressed CIFAR-10 sample" in image.name


@pytest.mark.parametrize(("source", "shape"), [("photo-grey", (28, 28)), ("photo-colour", (32, 32, 3))])
def test_the_stand_in_has_structure_and_names_what_is_missing(source, shape):
    image = planted.inr_image(source)
    assert image.pixels.shape == shape
    assert image.pixels.dtype == np.float64
    assert 0 <= image.pixels.min() < 0.2
    assert 0.8 < image.pixels.max() <= 1
    assert 0.05 < image.pixels.var() < 0.2
    assert "was not found" in image.name
    assert "china.jpg" in image.name
    grey = planted.inr_image("photo-grey").pixels
    colour = planted.inr_image("photo-colour").pixels[:28, :28]
    assert np.all(grey <= colour.max(axis=2) + 1e-12)
    assert np.all(grey >= colour.min(axis=2) - 1e-12)


def test_what_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="source='lena'"):
        planted.inr_image("lena")
    with pytest.raises(ValueError, match="kind='sepia'"):
        planted.inr_source("sepia")
    with pytest.raises(FileNotFoundError, match=r"needs train-images-idx3-ubyte"):
        planted.inr_image("mnist", tmp_path)
    for source in ("cifar10", "cifar10-jpeg"):
        with pytest.raises(FileNotFoundError, match=r"needs test_batch\.bin"):
            planted.inr_image(source, tmp_path)
    write_many(tmp_path, "cifar10", 60)
    with pytest.raises(ValueError, match="holds 20 airplanes and automobiles; expected more than 1000"):
        planted.inr_image("cifar10", tmp_path)


def test_the_real_images():
    if "SPARSE_RECOVERY_DATA" not in os.environ:
        pytest.skip("SPARSE_RECOVERY_DATA is not set, so there are no real images to read")
    for kind, least in (("grey", 0.05), ("colour", 0.2)):
        source = planted.inr_source(kind)
        if source.startswith("photo"):
            pytest.skip(f"the data folder holds no image for {kind}")
        pixels = planted.inr_image(source).pixels
        assert pixels.min() >= 0
        assert pixels.max() <= 1
        assert least < pixels.mean() < 0.9
