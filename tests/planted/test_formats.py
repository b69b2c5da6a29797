"""Readers of IDX and CIFAR-10 files: intact files byte by byte, and a message for every broken one."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagefiles import cifar_bytes, idx_bytes

from planted.formats import read_bytes, read_cifar_binary, read_idx

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 4, 5), dtype=np.uint8)
LABELS = np.array([3, 0, 9], dtype=np.uint8)


@pytest.fixture
def put(tmp_path):
    """Write bytes to a file, and return its path."""

    def write(content):
        path = tmp_path / "file"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_intact_files(put, pack):
    np.testing.assert_array_equal(read_idx(put(pack(idx_bytes(IMAGES))), 3), IMAGES)
    np.testing.assert_array_equal(read_idx(put(pack(idx_bytes(LABELS))), 1), LABELS)
    pixels = RNG.integers(0, 256, (3, 3072), dtype=np.uint8)
    images, labels = read_cifar_binary(put(pack(cifar_bytes(pixels, LABELS))))
    np.testing.assert_array_equal(images, pixels)
    np.testing.assert_array_equal(labels, LABELS)


@given(st.data())
def test_any_cut_of_an_idx_file_is_refused(tmp_path_factory, data):
    content = idx_bytes(IMAGES)
    cut = data.draw(st.integers(0, len(content) - 1))
    path = tmp_path_factory.mktemp("cut") / "images"
    path.write_bytes(content[:cut])
    with pytest.raises(ValueError, match="put the original IDX file of images in its place") as raised:
        read_idx(path, 3)
    assert str(path) in str(raised.value)


@given(st.data())
def test_any_cut_of_a_gzip_file_is_refused(tmp_path_factory, data):
    content = gzip.compress(idx_bytes(IMAGES))
    path = tmp_path_factory.mktemp("cut") / "images.gz"
    path.write_bytes(content[: data.draw(st.integers(2, len(content) - 1))])
    with pytest.raises(ValueError, match="truncated or corrupt"):
        read_bytes(path)


@given(st.integers(18, 60), st.integers(1, 255))
def test_a_flipped_byte_in_a_gzip_file_is_refused(tmp_path_factory, place, change):
    content = bytearray(gzip.compress(idx_bytes(IMAGES)))
    content[place] ^= change
    path = tmp_path_factory.mktemp("flip") / "images.gz"
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="truncated or corrupt"):
        read_bytes(path)


@pytest.mark.parametrize(
    ("content", "ndim", "words"),
    [
        (b"", 3, r"holds 0 byte\(s\), too few"),
        (idx_bytes(LABELS), 3, "begins with the bytes 00 00 08 01; expected 00 00 08 03, an IDX file of images"),
        (idx_bytes(IMAGES), 1, "begins with the bytes 00 00 08 03; expected 00 00 08 01, an IDX file of labels"),
        (b"<html>not found</html>", 3, "begins with the bytes 3c 68 74 6d"),
        (b"\x00\x00\x0d\x03" + idx_bytes(IMAGES)[4:], 3, "begins with the bytes 00 00 0d 03"),
        (idx_bytes(IMAGES)[:10], 3, "ends within its header, after 10 of 16 bytes"),
        (idx_bytes(IMAGES)[:-1], 3, r"is truncated: its header announces shape \(3, 4, 5\), 60 bytes, and 59 follow"),
        (idx_bytes(IMAGES) + b"x", 3, "is too long"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1), 3, "is truncated"),
    ],
)
def test_broken_idx_files_get_a_sentence(put, content, ndim, words):
    with pytest.raises(ValueError, match=words):
        read_idx(put(content), ndim)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds 0 bytes; expected a multiple of 3073"),
        (bytes(3072), "holds 3072 bytes"),
        (bytes(3073) + b"\x0b" + bytes(3072), "has label 11 in record 1; expected 0 to 9"),
    ],
)
def test_broken_cifar_files_get_a_sentence(put, content, words):
    with pytest.raises(ValueError, match=words):
        read_cifar_binary(put(content))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_bytes(tmp_path / "nothing")
