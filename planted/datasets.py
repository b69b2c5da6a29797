"""MNIST and CIFAR-10 in their own file formats, and scikit-learn's digits.

Files are looked for in the folder given by the argument `root`, else by the environment variable
``SPARSE_RECOVERY_DATA``, else in ``sparse-recovery-lab`` in the user's cache. Nothing is downloaded unless
``download=True`` is passed.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from planted import downloads
from planted.base.extras import need
from planted.formats import read_cifar_binary, read_idx
from planted.images import Dataset, all_classes, binary_pair, class_tasks

__all__ = [
    "CIFAR10_CLASSES",
    "ENVIRONMENT",
    "Dataset",
    "all_classes",
    "binary_pair",
    "cifar10",
    "class_tasks",
    "data_folder",
    "digits",
    "mnist",
]

ENVIRONMENT = "SPARSE_RECOVERY_DATA"
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
JPEG_SAMPLE = "JPEG-compressed CIFAR-10 sample"


def data_folder(root: str | Path | None = None) -> Path:
    """Return the folder that is searched for data files.

    Parameters
    ----------
    root : str or Path, optional
        Overrides the environment variable ``SPARSE_RECOVERY_DATA`` and the user's cache.

    Returns
    -------
    Path
        The folder, which need not exist.
    """
    chosen = root if root is not None else os.environ.get(ENVIRONMENT)
    if chosen:
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "sparse-recovery-lab"


def mnist(root: str | Path | None = None, *, download: bool = False) -> Dataset:
    """Read MNIST from its four IDX files.

    Parameters
    ----------
    root : str or Path, optional
        Folder that contains ``mnist/train-images-idx3-ubyte.gz`` and its three companions, gzipped or not.
    download : bool, default False
        Download missing files and verify them.

    Returns
    -------
    Dataset
        60,000 + 10,000 images of 28 x 28, in the files' order.

    Raises
    ------
    FileNotFoundError
        If a file is missing; the message says which file to put where.
    ValueError
        If a file is truncated, corrupt or of the wrong format.
    RuntimeError
        If the download fails.

    References
    ----------
    .. [1] Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
    """
    folder = data_folder(root) / "mnist"
    if download:
        downloads.fetch_mnist(folder)
    paths = {name: find(folder, name, "MNIST", "planted.datasets.mnist") for name in downloads.MNIST_MD5}
    parts: dict[str, np.ndarray] = {}
    for split in ("train", "t10k"):
        image_path, label_path = paths[f"{split}-images-idx3-ubyte"], paths[f"{split}-labels-idx1-ubyte"]
        images, labels = read_idx(image_path, 3), read_idx(label_path, 1)
        if images.shape[1:] != (28, 28):
            raise ValueError(f"{image_path} holds images of {images.shape[1:]}; expected (28, 28)")
        if len(images) != len(labels):
            raise ValueError(f"{image_path} holds {len(images)} images and {label_path} {len(labels)} labels")
        if labels.max(initial=0) > 9:
            raise ValueError(f"{label_path} has label {labels.max()}; expected 0 to 9")
        role = "train" if split == "train" else "test"
        parts[f"x_{role}"], parts[f"y_{role}"] = images.reshape(len(images), -1), labels.astype(np.int64)
    return Dataset(
        "MNIST",
        parts["x_train"],
        parts["y_train"],
        parts["x_test"],
        parts["y_test"],
        image_shape=(28, 28),
        classes=tuple("0123456789"),
    )


def cifar10(root: str | Path | None = None, *, download: bool = False) -> Dataset:
    """Read CIFAR-10 from the files of its binary version.

    Parameters
    ----------
    root : str or Path, optional
        Folder that contains ``cifar10/data_batch_1.bin`` to ``data_batch_5.bin`` and ``test_batch.bin``, gzipped or
        not; or else ``cifar10-jpeg/`` with ``test_batch.bin`` and any of the data batches, a JPEG-compressed sample.
    download : bool, default False
        Download the files if they are missing, and verify them.

    Returns
    -------
    Dataset
        Each row holds the red, green and blue planes, 32 x 32 each. `name` distinguishes the two versions and must be
        shown in figures.

    Raises
    ------
    FileNotFoundError
        If a file is missing; the message says which file to put where.
    ValueError
        If a file is truncated, corrupt or of the wrong format.
    RuntimeError
        If the download fails.

    References
    ----------
    .. [1] A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """
    top = data_folder(root)
    folder, name = top / "cifar10", "CIFAR-10"
    if download:
        downloads.fetch_cifar10(folder)
    batches = [f"data_batch_{i}.bin" for i in range(1, 6)]
    sample = top / "cifar10-jpeg"
    if not folder.is_dir() and sample.is_dir():
        folder, name = sample, JPEG_SAMPLE
        batches = [batch for batch in batches if existing(folder, batch)] or batches[:1]
    found = [find(folder, batch, "CIFAR-10 (binary version)", "planted.datasets.cifar10") for batch in batches]
    train = [read_cifar_binary(path) for path in found]
    test = read_cifar_binary(find(folder, "test_batch.bin", "CIFAR-10 (binary version)", "planted.datasets.cifar10"))
    return Dataset(
        name,
        np.concatenate([images for images, _ in train]),
        np.concatenate([labels for _, labels in train]).astype(np.int64),
        np.array(test[0]),
        test[1].astype(np.int64),
        image_shape=(3, 32, 32),
        classes=CIFAR10_CLASSES,
    )


def digits() -> Dataset:
    """Return scikit-learn's digits, which need no file: 1,797 images of 8 x 8, pixels 0 to 16.

    Returns
    -------
    Dataset
        The first 1,437 images (80 %) for training, the last 360 for testing: there is no official split.

    References
    ----------
    .. [1] E. Alpaydin, C. Kaynak, "Optical recognition of handwritten digits", UCI repository, 1998.
    """
    load_digits = need("sklearn.datasets").load_digits

    images, labels = load_digits(return_X_y=True)
    x, y = images.astype(np.uint8), labels.astype(np.int64)
    cut = 1437
    classes = tuple("0123456789")
    return Dataset("scikit-learn digits", x[:cut], y[:cut], x[cut:], y[cut:], (8, 8), classes, pixel_max=16.0)


def existing(folder: Path, name: str) -> Path | None:
    """Return the data file if it exists, gzipped or not, else None."""
    for candidate in (folder / f"{name}.gz", folder / name):
        if candidate.is_file():
            return candidate
    return None


def find(folder: Path, name: str, what: str, function: str) -> Path:
    """Return a data file, gzipped or not; if it is missing, raise an error that says which file to put where.

    Parameters
    ----------
    folder : Path
        Folder to search.
    name : str
        Its name without ``.gz``.
    what, function : str
        For the message: what needs the file, and the function that downloads it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileNotFoundError
        If the file is missing.
    """
    path = existing(folder, name)
    if path is None:
        raise FileNotFoundError(
            f"{what} needs {name} or {name}.gz, and {folder} does not hold it; put it there, or name another data "
            f"folder with root= or the environment variable {ENVIRONMENT}, or call {function}(download=True), as "
            "`paper-repro data --download` does, where there is a network"
        )
    return path
