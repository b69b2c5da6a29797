"""What both tasks of Figure 3 share: the images, a cell, and how a cell is computed.

As in the paper's release, the training and test images of MNIST are pooled per class, the first 5,000 of each
class train and the next 1,000 test.
Where MNIST is not found, the digits of scikit-learn (8 x 8 pixels) stand in, with smaller sizes, and the titles say so.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from paper_repro.experiment import Outcome
from paper_repro.experiments.common import fit_arrays, stream
from paper_repro.experiments.grids import METHODS, Grid, fits
from paper_repro.experiments.mnist_linear import LINEAR, fit_linear
from planted import datasets, downloads
from planted.base import arrays

__all__ = ["PIXELS", "MnistCell", "MnistPreset", "cells_of", "compute", "cost", "data_name", "images"]

PIXELS = {"mnist": 784, "digits": 64}
THRESHOLD = 0.5


@dataclass(frozen=True)
class MnistCell:
    """One pass: a network (or for IMP, the networks of all sparsities `s`), tested on `n_test` images of each class.

    `n_train`, `n_test` are images a class. `pixels` is "unit" (divided by their largest value) or "raw". The fair IMP
    makes `imp_updates` a round and `fine_tune` after the last one, on batches of the same size.
    """

    task: ClassVar[str]
    classes: ClassVar[tuple[int, ...]]
    scaling: ClassVar[str]
    """`pixels` of the networks; linear models always see unit pixels."""

    m: int
    depth: int
    s: tuple[int, ...]
    seed: int
    method: str
    data: str
    n_train: int
    n_test: int
    batch_size: int
    epochs: int
    pixels: str
    imp_updates: int | None = None
    fine_tune: int | None = None
    dtype: str = "float64"

    def __post_init__(self) -> None:
        object.__setattr__(self, "s", tuple(self.s))  # JSON knows lists only

    @property
    def batches(self) -> int:
        """Number of minibatches in an epoch."""
        return -(-len(self.classes) * self.n_train // self.batch_size)


@dataclass(frozen=True)
class MnistPreset:
    """Grids and sizes; `standin` are the images a class and the batch size for the digits of scikit-learn."""

    grids: tuple[Grid, ...]
    seeds: int
    n_train: int
    n_test: int
    batch_size: int
    epochs: int
    imp_updates: int
    fine_tune: int
    standin: tuple[int, int, int]
    dtype: str = "float64"

    def sizes(self, data: str) -> tuple[int, int, int]:
        """Return training and test images a class, and the batch size."""
        return (self.n_train, self.n_test, self.batch_size) if data == "mnist" else self.standin


def data_name() -> str:
    """Return "mnist" where its files are found, and "digits" elsewhere; the files are not read for that."""
    folder = datasets.data_folder() / "mnist"
    found = all((folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in downloads.MNIST_MD5)
    return "mnist" if found else "digits"


def possible(kind: type[MnistCell], data: str, depth: int, m: int, s: int) -> bool:
    """Return whether a network has `s` weights that count: the hidden ones, and with several outputs theirs, too."""
    outputs = 0 if len(kind.classes) == 2 else m * len(kind.classes)
    return s <= PIXELS[data] * m + (depth - 1) * m * m + outputs


def cells_of(
    kind: type[MnistCell], grid: MnistPreset, seed: int, further: Sequence[tuple[int, int]] = ()
) -> list[MnistCell]:
    """Return the cells of a preset: four methods on the grids, and the linear models.

    Parameters
    ----------
    kind : type
        Of the cells.
    grid : MnistPreset
        Grids and sizes.
    seed : int
        First seed.
    further : sequence of (m, s)
        Further networks of one hidden layer, by the released method.

    Returns
    -------
    list of MnistCell
        One a fit for IHT, one a pass over all sparsities for IMP.
    """
    data = data_name()
    sizes = (data, *grid.sizes(data), grid.epochs)
    made: list[MnistCell] = []
    for trial in range(seed, seed + grid.seeds):
        for part in grid.grids:
            for m in part.m:
                there = tuple(s for s in part.s if possible(kind, data, part.depth, m, s))
                for method in METHODS if there else ():
                    fair = method == "imp-fair"
                    made += [
                        kind(
                            m,
                            part.depth,
                            asked,
                            trial,
                            method,
                            *sizes,
                            kind.scaling,
                            imp_updates=grid.imp_updates if fair else None,
                            fine_tune=grid.fine_tune if fair else None,
                            dtype=grid.dtype,
                        )
                        for asked in ([there] if method.startswith("imp-") else [(s,) for s in there])
                    ]
        made += [kind(m, 1, (s,), trial, "released", *sizes, kind.scaling, dtype=grid.dtype) for m, s in further]
    made += [
        kind(0, 1, (PIXELS[data],), seed, method, *sizes, "unit", dtype=grid.dtype) for method in LINEAR[kind.task]
    ]
    return list(dict.fromkeys(made))


@functools.lru_cache(maxsize=1)
def images(data: str, classes: int, n_train: int, n_test: int, pixels: str, dtype: str) -> tuple[np.ndarray, ...]:
    """Return training images and labels, test images and labels, in `dtype`; the last answer is kept."""
    dataset = getattr(datasets, data)()
    if classes == 2:
        chosen = datasets.binary_pair(dataset, 0, 1, n_train=n_train, n_test=n_test, pixels=pixels)
    else:
        chosen = datasets.all_classes(dataset, n_train=n_train, n_test=n_test, pixels=pixels, dtype=dtype)
    return tuple(part.astype(dtype) for part in (chosen.x_train, chosen.y_train, chosen.x_test, chosen.y_test))


def compute(cell: MnistCell, device: str) -> Outcome:
    """Train and test a cell.

    Parameters
    ----------
    cell : MnistCell
        The settings.
    device : {"cpu", "gpu"}
        Where the fit runs.

    Returns
    -------
    metrics : dict
        ``fits``, for each sparsity a dict with ``accuracy`` on the test images, ``train_accuracy`` (shares between 0
        and 1), ``nonzeros`` (of all layers), ``hidden_nonzeros``, ``n_iter``, ``status``.
        For a linear model ``accuracy`` and ``train_accuracy``.
    arrays : dict
        For each sparsity what :func:`paper_repro.experiments.common.fit_arrays` returns, its names led by ``s{s}_``;
        or the ``weights`` of the linear model.
    """
    binary = len(cell.classes) == 2
    X, y, X_test, y_test = (
        arrays.asarray(part, device)
        for part in images(cell.data, len(cell.classes), cell.n_train, cell.n_test, cell.pixels, cell.dtype)
    )
    decide = _ones if binary else _largest
    if cell.method in LINEAR[cell.task]:
        predict, weights = fit_linear(cell.method, X, y, THRESHOLD if binary else None)
        return _shares(predict, decide, X, y, X_test, y_test), {"weights": weights}
    found = fits(
        cell.method,
        X,
        y,
        m=cell.m,
        depth=cell.depth,
        sparsities=cell.s,
        n_iter=cell.epochs * cell.batches,
        imp_updates=cell.imp_updates,
        imp_fine_tune=cell.fine_tune,
        imp_batch_size=cell.batch_size,
        loss="squared" if binary else "cross_entropy",
        batch_size=cell.batch_size,
        rng=lambda: stream(f"fig3-{cell.task}", "fit", cell.depth, cell.m, *cell.s, cell.seed),
    )
    rows: list[dict[str, Any]] = []
    kept: dict[str, np.ndarray] = {}
    for s, fit in zip(cell.s, found, strict=True):
        counts = [int(np.count_nonzero(arrays.to_numpy(layer))) for layer in fit.network.layers]
        rows.append(
            {
                "s": s,
                **_shares(fit.network, decide, X, y, X_test, y_test),
                "nonzeros": sum(counts),
                "hidden_nonzeros": sum(counts[:-1]),
                "n_iter": fit.n_iter,
                "status": fit.status.name,
            }
        )
        kept.update({f"s{s}_{name}": values for name, values in fit_arrays(fit.network).items()})
    return {"fits": rows}, kept


def cost(cell: MnistCell) -> float:
    """Return what a cell costs: products of minibatches with the first layer, and for IMP its many rounds."""
    if cell.method in LINEAR[cell.task]:
        return 1e3 * len(cell.classes) * cell.n_train * PIXELS[cell.data]
    d = PIXELS[cell.data]
    step = cell.batch_size * (d * (cell.m + 5.0) + (cell.depth - 1) * cell.m * cell.m + 20.0 * max(cell.s))
    steps = cell.epochs * cell.batches * cell.depth
    if cell.method.startswith("imp-"):
        rounds = np.log(max(2.0, d * cell.m / min(cell.s))) / 0.105
        return float(step * rounds * (cell.imp_updates or cell.epochs * cell.batches))
    return step * steps * (1.0 if cell.method == "released" else 2.0)


def _ones(outputs: Any) -> Any:
    return outputs > THRESHOLD


def _largest(outputs: Any) -> Any:
    return outputs.argmax(axis=1)


def _shares(
    predict: Callable[[Any], Any], decide: Callable[[Any], Any], X: Any, y: Any, X_test: Any, y_test: Any
) -> dict[str, float]:
    return {
        name: float((decide(predict(part)) == labels).mean())
        for name, part, labels in (("accuracy", X_test, y_test), ("train_accuracy", X, y))
    }
