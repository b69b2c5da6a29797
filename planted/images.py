"""Labelled images, and the classification problems with two or all classes that are made from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_choice, check_integer
from planted.base.values import by_value

__all__ = ["Dataset", "all_classes", "binary_pair", "class_tasks"]


@by_value
@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with labels, split into training and test.

    Attributes
    ----------
    name : str
        Name that figures must show in their titles.
    x_train, x_test : numpy.ndarray, shape (n, pixels)
        Images, one per row: uint8 as in the files, or floats from :func:`binary_pair` and :func:`all_classes`.
    y_train, y_test : numpy.ndarray, shape (n,)
        Labels: class numbers (int64), or 0.0 and 1.0 from :func:`binary_pair`.
    image_shape : tuple of int
        Shape of one image: (rows, columns), or (colour planes, rows, columns).
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
    """Make a two-class problem, as the paper's released code does.

    Parameters
    ----------
    dataset : Dataset
        Source of the images.
    first, second : int
        Classes; they get the labels 0.0 and 1.0.
    n_train, n_test : int, default 5,000 and 1,000
        Images per class.
    pixels : {"unit", "raw"}, default "unit"
        Divide by the largest pixel value, or keep the files' values (the paper's experiments use raw values).

    Returns
    -------
    Dataset
        float64 images and labels; the images of `first` come before those of `second`.

    Raises
    ------
    TypeError, ValueError
        If a class does not exist or has fewer than n_train + n_test images.

    Notes
    -----
    Training and test images are pooled per class, in order; the first `n_train` are for training, the next `n_test` for
    testing. MNIST needs this because its test file has only 980 zeros. The released code reads the same images from
    another file, so their order may differ.
    """
    pair = [
        check_integer(value, name, minimum=0, maximum=len(dataset.classes) - 1)
        for value, name in ((first, "first"), (second, "second"))
    ]
    if pair[0] == pair[1]:
        raise ValueError(f"first={first} and second={second} are the same class; expected two different classes")
    n_train, n_test = check_integer(n_train, "n_train", minimum=1), check_integer(n_test, "n_test", minimum=0)
    check_choice(pixels, "pixels", ("unit", "raw"))
    scale = dataset.pixel_max if pixels == "unit" else 1.0
    x_train, x_test = _pooled(dataset, pair, n_train, n_test, scale, "float64")
    return Dataset(
        f"{dataset.name}, {dataset.classes[pair[0]]} against {dataset.classes[pair[1]]}",
        x_train,
        np.repeat([0.0, 1.0], n_train),
        x_test,
        np.repeat([0.0, 1.0], n_test),
        image_shape=dataset.image_shape,
        classes=(dataset.classes[pair[0]], dataset.classes[pair[1]]),
        pixel_max=dataset.pixel_max / scale,
    )


def all_classes(
    dataset: Dataset, *, n_train: int = 5000, n_test: int = 1000, pixels: str = "unit", dtype: str = "float64"
) -> Dataset:
    """Make a problem with all classes, using equally many images of each.

    Parameters
    ----------
    dataset : Dataset
        Source of the images.
    n_train, n_test : int, default 5,000 and 1,000
        Images per class.
    pixels : {"unit", "raw"}, default "unit"
        Divide by the largest pixel value, or keep the files' values.
    dtype : {"float64", "float32"}, default "float64"
        Type of the images.

    Returns
    -------
    Dataset
        Images sorted by class; labels are class numbers (int64).

    Raises
    ------
    TypeError, ValueError
        If a class has fewer than n_train + n_test images.

    Notes
    -----
    The images are pooled and split as in :func:`binary_pair`.
    """
    n_train, n_test = check_integer(n_train, "n_train", minimum=1), check_integer(n_test, "n_test", minimum=0)
    check_choice(pixels, "pixels", ("unit", "raw"))
    check_choice(dtype, "dtype", ("float64", "float32"))
    scale = dataset.pixel_max if pixels == "unit" else 1.0
    labels = list(range(len(dataset.classes)))
    x_train, x_test = _pooled(dataset, labels, n_train, n_test, scale, dtype)
    return Dataset(
        f"{dataset.name}, {len(labels)} classes",
        x_train,
        np.repeat(labels, n_train),
        x_test,
        np.repeat(labels, n_test),
        image_shape=dataset.image_shape,
        classes=dataset.classes,
        pixel_max=dataset.pixel_max / scale,
    )


def class_tasks(
    dataset: Dataset,
    source: Sequence[int] = (0, 1, 2, 3, 4),
    target: Sequence[int] = (5, 6, 7, 8, 9),
    *,
    permute: bool = False,
    rng: Any = None,
    dtype: str = "float64",
) -> tuple[Dataset, Dataset]:
    """Split one data set into two classification tasks, each on its own group of classes.

    Parameters
    ----------
    dataset : Dataset
        Source of the images.
    source, target : sequence of int, default 0 to 4 and 5 to 9
        Classes of each task; they get the labels 0, 1, ... in the order given.
    permute : bool, default False
        Whether to permute the pixels of the target's images, with the same permutation for all images. This is a
        control: for a dense network with exchangeable inputs the task is as hard as before, but what was learned about
        pixels on the source does not transfer.
    rng : int, numpy.random.Generator or None
        Source of the permutation; unused if `permute` is False.
    dtype : {"float64", "float32"}, default "float64"
        Type of the images.

    Returns
    -------
    source, target : Dataset
        Pixels divided by the largest possible value; training and test images as in `dataset`, in its order.

    Raises
    ------
    TypeError, ValueError
        If a class does not exist or appears twice in a task, or a task has fewer than two classes.

    Examples
    --------
    >>> from planted import datasets
    >>> source, target = class_tasks(datasets.digits())
    >>> source.classes, sorted(set(target.y_train.tolist()))
    (('0', '1', '2', '3', '4'), [0, 1, 2, 3, 4])
    """
    check_choice(dtype, "dtype", ("float64", "float32"))
    if not isinstance(permute, bool):
        raise TypeError(f"permute={permute!r} is of type {type(permute).__name__}; expected True or False")
    order = None
    if permute:
        order = arrays.generator(rng).permutation(int(dataset.x_train.shape[1]))
    return _task(dataset, source, "source", None, dtype), _task(dataset, target, "target", order, dtype)


def _task(dataset: Dataset, classes: Sequence[int], name: str, order: np.ndarray | None, dtype: str) -> Dataset:
    """Return the images of some classes, labelled 0, 1, ..., with their pixels permuted."""
    chosen = [
        check_integer(value, f"{name}[{i}]", minimum=0, maximum=len(dataset.classes) - 1)
        for i, value in enumerate(classes)
    ]
    if len(chosen) < 2 or len(set(chosen)) < len(chosen):
        raise ValueError(f"{name}={tuple(classes)!r}; expected at least two different classes")
    label = np.full(len(dataset.classes), -1)
    label[chosen] = np.arange(len(chosen))

    def chosen_of(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        new = label[labels]
        found = images[new >= 0] if order is None else images[new >= 0][:, order]
        return found.astype(dtype) / np.dtype(dtype).type(dataset.pixel_max), new[new >= 0].astype(np.int64)

    return Dataset(
        f"{dataset.name}, {' '.join(dataset.classes[value] for value in chosen)}"
        + ("" if order is None else ", pixels permuted"),
        *chosen_of(dataset.x_train, dataset.y_train),
        *chosen_of(dataset.x_test, dataset.y_test),
        image_shape=dataset.image_shape,
        classes=tuple(dataset.classes[value] for value in chosen),
        pixel_max=1.0,
    )


def _pooled(
    dataset: Dataset, labels: list[int], n_train: int, n_test: int, scale: float, dtype: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return training and test images divided by `scale`, sorted by class."""
    pixels = dataset.x_train.shape[1]
    train = np.empty((len(labels) * n_train, pixels), dtype=dtype)
    test = np.empty((len(labels) * n_test, pixels), dtype=dtype)
    for place, label in enumerate(labels):
        pooled = np.concatenate([dataset.x_train[dataset.y_train == label], dataset.x_test[dataset.y_test == label]])
        if len(pooled) < n_train + n_test:
            raise ValueError(
                f"{dataset.name} holds {len(pooled)} images of class {dataset.classes[label]!r}; "
                f"expected at least n_train + n_test = {n_train + n_test}"
            )
        train[place * n_train : (place + 1) * n_train] = pooled[:n_train] / scale
        test[place * n_test : (place + 1) * n_test] = pooled[n_train : n_train + n_test] / scale
    return train, test
