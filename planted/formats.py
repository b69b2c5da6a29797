"""Readers of the file formats of MNIST (IDX) and CIFAR-10 (binary version), gzipped or not."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

__all__ = ["read_bytes", "read_cifar_binary", "read_idx"]

GZIP_MAGIC = b"\x1f\x8b"
CIFAR_PIXELS = 3 * 32 * 32


def read_bytes(path: str | Path) -> bytes:
    """Return a file's content, decompressed if it is gzipped (judged by its first bytes, not by its name).

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    bytes
        The content.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is gzipped and is truncated or corrupt.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    raw = path.read_bytes()
    if raw[:2] != GZIP_MAGIC:
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path} is a gzip file that is truncated or corrupt ({error}); put an intact copy in its place"
        ) from error


def read_idx(path: str | Path, ndim: int) -> np.ndarray:
    """Read an IDX file of unsigned bytes.

    Parameters
    ----------
    path : str or Path
        The file, gzipped or not.
    ndim : int
        Number of dimensions expected: 3 for images, 1 for labels.

    Returns
    -------
    numpy.ndarray of uint8
        The values, in the shape given in the file's header.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the magic number, the number of dimensions or the size is not as expected.

    Notes
    -----
    Two zero bytes, the type (8 for unsigned bytes), the number of dimensions, each dimension as a big-endian
    32-bit integer, then the values in row-major order.

    References
    ----------
    .. [1] Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats".
    """
    content = read_bytes(path)
    kind = {1: "labels", 3: "images"}.get(ndim, f"{ndim} dimensions")
    advice = f"put the original IDX file of {kind} in its place"
    if len(content) < 4:
        raise ValueError(f"{path} holds {len(content)} byte(s), too few for an IDX file; {advice}")
    magic = bytes([0, 0, 8, ndim])
    if content[:4] != magic:
        raise ValueError(
            f"{path} begins with the bytes {content[:4].hex(' ')}; expected {magic.hex(' ')}, an IDX file of {kind}; "
            f"{advice}"
        )
    start = 4 + 4 * ndim
    if len(content) < start:
        raise ValueError(f"{path} ends within its header, after {len(content)} of {start} bytes; {advice}")
    shape = tuple(int(size) for size in np.frombuffer(content, dtype=">u4", count=ndim, offset=4))
    expected = math.prod(shape)
    if len(content) - start != expected:
        word = "truncated" if len(content) - start < expected else "too long"
        raise ValueError(
            f"{path} is {word}: its header announces shape {shape}, {expected} bytes, and {len(content) - start} "
            f"follow; {advice}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def read_cifar_binary(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a file of CIFAR-10's binary version.

    Parameters
    ----------
    path : str or Path
        The file, gzipped or not.

    Returns
    -------
    images : numpy.ndarray of uint8, shape (n, 3072)
        Red plane, green plane, blue plane, each 32 x 32 in row-major order.
    labels : numpy.ndarray of uint8, shape (n,)
        0 to 9.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the size is not a multiple of a record's, or a label is above 9.

    Notes
    -----
    A record is a label byte and 3,072 pixel bytes; there is no header, so labels above 9 are the only sign that the
    file is of another format.

    References
    ----------
    .. [1] A. Krizhevsky, "The CIFAR-10 dataset", section "Binary version".
    """
    content = read_bytes(path)
    record = 1 + CIFAR_PIXELS
    advice = "put an intact file of CIFAR-10's binary version in its place"
    if len(content) == 0 or len(content) % record:
        raise ValueError(
            f"{path} holds {len(content)} bytes; expected a multiple of {record} (a label and 3,072 pixels a record): "
            f"it is truncated or of another kind; {advice}"
        )
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, record)
    labels = records[:, 0]
    if labels.max() > 9:
        row = int(np.argmax(labels > 9))
        raise ValueError(f"{path} has label {labels[row]} in record {row}; expected 0 to 9; {advice}")
    return records[:, 1:], labels
