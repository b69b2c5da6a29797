"""The known data sets, which of their files are in the data folder, and whether those files are intact.

MNIST's files are compared with the SHA-256 of their published content, gzipped or not. Other files are compared with
the hashes in the data folder's ``SHA256SUMS``, in the format of the program ``sha256sum``; downloads add their files to
it. A file without a known hash is read through, which detects truncated files and wrong formats.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from planted import datasets, downloads
from planted.base.checks import check_choice
from planted.formats import read_bytes, read_cifar_binary

__all__ = ["DATA_SETS", "STANDS_FOR", "SUMS", "DataSet", "FileState", "check", "download", "missing"]

SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class DataSet:
    """A public data set.

    Parameters
    ----------
    name : str
        Short name, and the name of its subfolder in the data folder.
    title : str
        Description.
    content : mapping
        File names, without ``.gz``, and the SHA-256 of their content where one is published.
    megabytes : int
        Size of the download.
    url : str
        Address of the download.
    """

    name: str
    title: str
    content: Mapping[str, str | None]
    megabytes: int
    url: str


MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of the decompressed files."""

DATA_SETS = {
    "mnist": DataSet(
        "mnist", "MNIST: 60,000 + 10,000 grey images of 28 x 28, digits", MNIST_SHA256, 12, downloads.MNIST_URL
    ),
    "cifar10": DataSet(
        "cifar10",
        "CIFAR-10, binary version: 50,000 + 10,000 colour images of 32 x 32",
        dict.fromkeys(downloads.CIFAR10_FILES),
        170,
        downloads.CIFAR10_URL,
    ),
}
"""The data sets that can be downloaded, by name."""

STANDS_FOR = {
    "digits": ("mnist", "scikit-learn's digits (8 x 8)"),
    "photo-grey": ("mnist", "a grey crop of scikit-learn's photograph china.jpg"),
    "photo-colour": ("cifar10", "a colour crop of scikit-learn's photograph china.jpg"),
    "cifar10-jpeg": ("cifar10", f"the {datasets.JPEG_SAMPLE}"),
}
"""Source that figures use when a data set is missing -> that data set, and a description of the stand-in."""


@dataclass(frozen=True)
class FileState:
    """State of a data file on disk.

    Parameters
    ----------
    name : str
        Its name; without ``.gz`` if it is missing.
    state : {"intact", "readable", "damaged", "missing"}
        ``"readable"``: apparently complete, but there is no hash to compare it with.
    reason : str
        A short explanation of how this was determined.
    """

    name: str
    state: str
    reason: str


def check(name: str, root: str | Path | None = None) -> list[FileState]:
    """Look for the files of a data set and verify them.

    Parameters
    ----------
    name : str
        A key of :data:`DATA_SETS`.
    root : str or Path, optional
        Data folder, as in :func:`planted.datasets.mnist`.

    Returns
    -------
    list of FileState
        One entry per file.

    Raises
    ------
    ValueError
        If there is no such data set.
    """
    check_choice(name, "name", tuple(DATA_SETS))
    top = datasets.data_folder(root)
    sums = _read_sums(top / SUMS)
    return [_state(top, name, file, published, sums) for file, published in DATA_SETS[name].content.items()]


def missing(name: str, root: str | Path | None = None) -> list[str]:
    """Return the missing files of a data set, without reading the existing ones."""
    check_choice(name, "name", tuple(DATA_SETS))
    folder = datasets.data_folder(root) / name
    return [file for file in DATA_SETS[name].content if datasets.existing(folder, file) is None]


def download(name: str, root: str | Path | None = None) -> list[str]:
    """Download the missing files of a data set, verify them, and record their hashes in ``SHA256SUMS``.

    Parameters
    ----------
    name : str
        A key of :data:`DATA_SETS`.
    root : str or Path, optional
        Data folder, as in :func:`planted.datasets.mnist`; created if it does not exist.

    Returns
    -------
    list of str
        The files that were downloaded. Existing files are left alone, even damaged ones.

    Raises
    ------
    ValueError
        If there is no such data set.
    RuntimeError
        If a file cannot be downloaded or written, or its checksum is wrong; the message says what to do.
    """
    wanted = missing(name, root)
    if not wanted:
        return []
    top = datasets.data_folder(root)
    fetch = {"mnist": downloads.fetch_mnist, "cifar10": downloads.fetch_cifar10}[name]
    try:
        fetch(top / name)
        sums = _read_sums(top / SUMS)
        for file in wanted:
            path = datasets.existing(top / name, file)
            assert path is not None
            sums[f"{name}/{path.name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
        downloads.write_whole(top / SUMS, "".join(f"{digest}  {file}\n" for file, digest in sums.items()).encode())
    except OSError as error:
        raise RuntimeError(
            f"{name} cannot be written to {top} ({error.strerror or error}); make room, or name another data folder "
            f"with the environment variable {datasets.ENVIRONMENT}"
        ) from error
    return wanted


def _state(top: Path, name: str, file: str, published: str | None, sums: Mapping[str, str]) -> FileState:
    path = datasets.existing(top / name, file)
    if path is None:
        return FileState(file, "missing", "no such file")
    try:
        if published is not None:
            same = hashlib.sha256(read_bytes(path)).hexdigest() == published
            return _compared(path, same, "the published content")
        listed = sums.get(f"{name}/{path.name}")
        if listed is not None:
            return _compared(
                path, hashlib.sha256(path.read_bytes()).hexdigest() == listed, f"the file that {SUMS} lists"
            )
        images, _ = read_cifar_binary(path)
    except (OSError, ValueError) as error:
        return FileState(path.name, "damaged", str(error))
    if len(images) != downloads.CIFAR10_IMAGES:
        return FileState(path.name, "damaged", f"holds {len(images):,} images; expected {downloads.CIFAR10_IMAGES:,}")
    return FileState(path.name, "readable", f"complete, but {SUMS} does not list it, so there is no hash to compare")


def _compared(path: Path, same: bool, words: str) -> FileState:
    if same:
        return FileState(path.name, "intact", f"its SHA-256 is that of {words}")
    return FileState(path.name, "damaged", f"its SHA-256 is not that of {words}")


def _read_sums(path: Path) -> dict[str, str]:
    """Parse a file in the format of ``sha256sum`` into file -> SHA-256; lines that cannot be parsed are skipped."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = [line.split(None, 1) for line in lines]
    return {pair[1].lstrip("*").strip(): pair[0].lower() for pair in pairs if len(pair) == 2 and len(pair[0]) == 64}
