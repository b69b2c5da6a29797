"""Images for implicit neural representations: the two of the paper, and crops of a photograph as a substitute."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from planted import datasets, downloads
from planted.base.checks import check_choice
from planted.base.extras import need
from planted.base.values import by_value
from planted.formats import read_cifar_binary

__all__ = ["INR_SOURCES", "INRImage", "inr_image", "inr_source"]

INR_SOURCES = {"grey": ("mnist", "photo-grey"), "colour": ("cifar10", "cifar10-jpeg", "photo-colour")}
"""Kind of image -> possible sources, best first; the last one needs no file."""
ITEM = 1000
"""Index of the test image that the paper's released code uses."""
CORNER, GREY_SIZE, COLOUR_SIZE = (28, 190), 28, 32
"""Upper left pixel and side lengths of the crops of the photograph."""
LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the grey value (ITU-R BT.601)."""


@by_value
@dataclass(frozen=True, eq=False)
class INRImage:
    """An image for a network to represent.

    Attributes
    ----------
    name : str
        Which image it is; figures must show it.
    pixels : numpy.ndarray, shape (rows, columns) or (rows, columns, 3)
        float64 values between 0 and 1.
    """

    name: str
    pixels: np.ndarray

    def __repr__(self) -> str:
        return f"INRImage({self.name!r}, {self.pixels.shape})"


def inr_source(kind: str, root: str | Path | None = None) -> str:
    """Return the best available source of an image; files are looked for but not read.

    Parameters
    ----------
    kind : {"grey", "colour"}
        The image that the paper takes from MNIST, or the one from CIFAR-10.
    root : str or Path, optional
        Data folder, as in :func:`planted.datasets.mnist`.

    Returns
    -------
    str
        One of ``INR_SOURCES[kind]``, for :func:`inr_image`. A caller who uses it accepts the stand-in and must say so
        in the output.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    check_choice(kind, "kind", tuple(INR_SOURCES))
    folder = datasets.data_folder(root)

    def there(part: str, name: str) -> bool:
        return (folder / part / name).is_file() or (folder / part / f"{name}.gz").is_file()

    if kind == "grey":
        return "mnist" if all(there("mnist", name) for name in downloads.MNIST_MD5) else "photo-grey"
    found = [part for part in ("cifar10", "cifar10-jpeg") if there(part, "test_batch.bin")]
    return found[0] if found else "photo-colour"


def inr_image(source: str, root: str | Path | None = None) -> INRImage:
    """Return the image from the given source; no stand-in is used if it is missing.

    Parameters
    ----------
    source : {"mnist", "photo-grey", "cifar10", "cifar10-jpeg", "photo-colour"}
        Source of the image; see :func:`inr_source`.
    root : str or Path, optional
        Data folder, as in :func:`planted.datasets.mnist`.

    Returns
    -------
    INRImage
        28 x 28 grey values, or 32 x 32 x 3 colours.

    Raises
    ------
    FileNotFoundError
        If the files are missing; the message says which file to put where.
    ValueError
        If there is no such source, or the files contain too few images or are damaged.

    Notes
    -----
    ``"mnist"``: item 1000 as the paper's released code counts, with the test images sorted by class and 1,000 of each.
    This is the first test image of a one, when training and test images are pooled per class and the first 5,000 are
    for training (the released code reads the same images from another file, whose order may differ). ``"cifar10"``:
    item 1000 of the test images of airplanes and automobiles, in the file's order. ``"cifar10-jpeg"``: the first such
    image in the sample, which has fewer. ``"photo-..."``: crops of a photograph that scikit-learn ships, showing the
    top of a pagoda's roof.

    References
    ----------
    .. [1] S. Fridovich-Keil, M. Pilanci, "A Recovery Guarantee for Sparse Neural Networks", arXiv:2509.20323; the
       choice of images is taken from the authors' public code (github.com/voilalab/MLP-IHT).
    """
    check_choice(source, "source", sum(INR_SOURCES.values(), ()))
    if source == "mnist":
        pair = datasets.binary_pair(datasets.mnist(root), 0, 1)
        return INRImage(f"MNIST test image {ITEM:,} of the class-sorted ones (a 1)", pair.x_test[ITEM].reshape(28, 28))
    if source.startswith("cifar10"):
        return _cifar(source, datasets.data_folder(root) / source)
    return _photograph(source)


def _cifar(source: str, folder: Path) -> INRImage:
    path = datasets.find(folder, "test_batch.bin", "CIFAR-10 (binary version)", "planted.datasets.cifar10")
    images, labels = read_cifar_binary(path)
    chosen = np.flatnonzero(labels < 2)
    item = ITEM if source == "cifar10" else 0
    if len(chosen) <= item:
        raise ValueError(f"{path} holds {len(chosen)} airplanes and automobiles; expected more than {item}")
    what = datasets.CIFAR10_CLASSES[int(labels[chosen[item]])]
    name = (
        f"CIFAR-10 test image {ITEM:,} of airplanes and automobiles (an {what})"
        if source == "cifar10"
        else f"first airplane or automobile (an {what}) of the {datasets.JPEG_SAMPLE}'s test images"
    )
    return INRImage(name, images[chosen[item]].reshape(3, 32, 32).transpose(1, 2, 0) / 255.0)


def _photograph(source: str) -> INRImage:
    load_sample_image = need("sklearn.datasets").load_sample_image

    (top, left), grey = CORNER, source == "photo-grey"
    size = GREY_SIZE if grey else COLOUR_SIZE
    crop = load_sample_image("china.jpg")[top : top + size, left : left + size] / 255.0
    missing = "MNIST" if grey else "CIFAR-10"
    name = f"{size} x {size} {'grey' if grey else 'colour'} crop of scikit-learn's china.jpg ({missing} was not found)"
    return INRImage(name, crop @ np.asarray(LUMA) if grey else crop)
