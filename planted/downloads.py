"""Downloads of the public data sets, with verified checksums, at the caller's request only."""

from __future__ import annotations

import tarfile
from pathlib import Path
from urllib.parse import urlsplit

from planted.base.extras import need
from planted.base.files import write_whole

__all__ = [
    "CIFAR10_FILES",
    "CIFAR10_IMAGES",
    "CIFAR10_MD5",
    "CIFAR10_URL",
    "MNIST_MD5",
    "MNIST_URL",
    "fetch_cifar10",
    "fetch_mnist",
    "write_whole",
]

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST_MD5 = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
"""MD5 of the gzipped files, as published by the data set's authors."""
CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
CIFAR10_FILES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
CIFAR10_IMAGES = 10_000
"""Number of records in each file."""


def fetch_mnist(folder: Path) -> None:
    """Download those of MNIST's four files that are missing.

    Parameters
    ----------
    folder : Path
        Destination; created if it does not exist.

    Raises
    ------
    RuntimeError
        If a file cannot be fetched or its checksum is wrong.
    """
    for name, md5 in MNIST_MD5.items():
        if not (folder / f"{name}.gz").is_file() and not (folder / name).is_file():
            _retrieve(f"{MNIST_URL}{name}.gz", md5, folder, f"{name}.gz")


def fetch_cifar10(folder: Path) -> None:
    """Download and unpack CIFAR-10's binary version if any of its files is missing.

    Parameters
    ----------
    folder : Path
        Destination; created if it does not exist.

    Raises
    ------
    RuntimeError
        If the archive cannot be fetched or its checksum is wrong.
    """
    missing = [
        name for name in CIFAR10_FILES if not (folder / name).is_file() and not (folder / f"{name}.gz").is_file()
    ]
    if not missing:
        return
    archive = _retrieve(CIFAR10_URL, CIFAR10_MD5, folder, "cifar-10-binary.tar.gz")
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            stream = tar.extractfile(member) if name in missing else None
            if stream is not None:
                # extracted one by one under our own names, since an archive's paths must not be trusted
                write_whole(folder / name, stream.read())
    archive.unlink()


def _retrieve(url: str, md5: str, folder: Path, name: str) -> Path:
    pooch = need("pooch")

    try:
        return Path(pooch.retrieve(url, known_hash=f"md5:{md5}", fname=name, path=folder))
    except Exception as error:  # requests and the operating system raise many kinds
        raise RuntimeError(
            f"{name} could not be downloaded from {url} ({_reason(url, error)}); "
            f"get it on another machine and put it in {folder}"
        ) from error


def _reason(url: str, error: Exception) -> str:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    host = urlsplit(url).hostname
    if "Timeout" in kinds:
        return f"{host} does not answer"
    if "ConnectionError" in kinds:  # the message of requests is a page long
        return f"there is no connection to {host}: no network, a proxy or a firewall between, or the host is down"
    return f"{type(error).__name__}: {error}"
