"""Labelled images, and the problems of two classes made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planted.checks import check_choice, check_integer

__all__ = ["Dataset", "binary_pair"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with labels, split into training and test.

    Attributes
    ----------
    name : str
        What a figure's title must call it.
    x_train, x_test : numpy.ndarray, shape (n, pixels)
        Images, one a row. uint8 as in the files; float64 from :func:`binary_pair`.
    y_train, y_test : numpy.ndarray, shape (n,)
        Labels: class numbers (int64), or 0.0 and 1.0 from :func:`binary_pair`.
    image_shape : tuple of int
        What to reshape a row to: (rows, columns), or (colour planes, rows, columns).
    classes : tuple of str
        Name of each class.
    pixel_max : float
        The largest value a pixel can take.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    image_shape: tuple[int, ...]
    classes: tuple[str, ...]
    pixel_max: float = 255.0

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {len(self.y_train)} + {len(self.y_test)} images of {self.image_shape})"


def binary_pair(
    dataset: Dataset,
    first: int = 0,
    second: int = 1,
    *,
    n_train: int = 5000,
    n_test: int = 1000,
    pixels: str = "unit",
) -> Dataset:
    """Make a problem of two classes, as the paper's released code does.

    Parameters
    ----------
    dataset : Dataset
        Where from.
    first, second : int
        Classes; they get the labels 0.0 and 1.0.
    n_train, n_test : int, default 5,000 and 1,000
        Images a class.
    pixels : {"unit", "raw"}, default "unit"
        Divide by the largest pixel value, or keep the files' values (the paper's experiments are on raw ones).

    Returns
    -------
    Dataset
        float64 images and labels; the images of `first` come before those of `second`.

    Raises
    ------
    TypeError, ValueError
        If a class is not there or holds fewer than n_train + n_test images.

    Notes
    -----
    Training and test images are pooled per class, in order; the first `n_train` train, the next `n_test` test.
    For MNIST that is needed: its test file holds 980 zeros. The release reads another file of the same images, so which
    images are first may differ.
    """
    pair = [
        check_integer(value, name, minimum=0, maximum=len(dataset.classes) - 1)
        for value, name in ((first, "first"), (second, "second"))
    ]
    if pair[0] == pair[1]:
        raise ValueError(f"first={first} and second={second} are one class; expected two")
    n_train, n_test = check_integer(n_train, "n_train", minimum=1), check_integer(n_test, "n_test", minimum=0)
    check_choice(pixels, "pixels", ("unit", "raw"))
    scale = dataset.pixel_max if pixels == "unit" else 1.0
    train, test = [], []
    for label in pair:
        pooled = np.concatenate([dataset.x_train[dataset.y_train == label], dataset.x_test[dataset.y_test == label]])
        if len(pooled) < n_train + n_test:
            raise ValueError(
                f"{dataset.name} holds {len(pooled)} images of class {dataset.classes[label]!r}; "
                f"expected at least n_train + n_test = {n_train + n_test}"
            )
        train.append(pooled[:n_train] / scale)
        test.append(pooled[n_train : n_train + n_test] / scale)
    return Dataset(
        f"{dataset.name}, {dataset.classes[pair[0]]} against {dataset.classes[pair[1]]}",
        np.concatenate(train),
        np.repeat([0.0, 1.0], n_train),
        np.concatenate(test),
        np.repeat([0.0, 1.0], n_test),
        image_shape=dataset.image_shape,
        classes=(dataset.classes[pair[0]], dataset.classes[pair[1]]),
        pixel_max=dataset.pixel_max / scale,
    )
