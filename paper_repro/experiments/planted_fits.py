"""Fits of planted networks: one cell of Figures 1 and 2, or many of one shape at once on a GPU.

A cell is one fit. All methods of a grid point and seed see the same instance, the one of
:func:`planted.release_instance`, and are scored on it (the paper's measure) and on fresh inputs. The released code
draws so few weights into wide networks that some of them connect no input with an output; their labels are all 0,
nothing is fitted, and they count nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import planted
import recovery
from paper_repro.experiment import Outcome
from paper_repro.experiments.common import fit_arrays, stream
from paper_repro.experiments.grids import fits
from paper_repro.experiments.planted_grids import PlantedCell
from planted.base import arrays

__all__ = ["batch_key", "compute", "compute_many"]

SCORES = ("psnr_db", "test_psnr_db", "nonzeros", "n_iter", "weight_error", "same_function", "exact", "support_recall")


def compute(cell: PlantedCell, device: str) -> Outcome:
    """Plant, fit, and score a cell.

    Parameters
    ----------
    cell : PlantedCell
        The settings.
    device : {"cpu", "gpu"}
        Where the fit runs; the instance is drawn on the CPU.

    Returns
    -------
    metrics : dict
        ``psnr_db`` of the returned network on the samples it was fitted to (the paper's measure), ``test_psnr_db`` on
        as many fresh ones, ``nonzeros`` that were found and ``planted_nonzeros``, how the fit ended, and for one hidden
        layer how far the network is from the planted one: ``weight_error``, ``same_function`` and ``exact`` (the same
        network; see :class:`planted.NetworkMatch`), ``support_recall``. All but the count of planted weights is None
        where the labels are all 0.
    arrays : dict
        ``psnr_history_db`` a step, and the network that was found.
    """
    X, y, truth = _plant(cell)
    if not y.any():
        return _outcome(cell, truth, None, device)
    (fit,) = fits(
        cell.method,
        arrays.asarray(X, device),
        arrays.asarray(y, device),
        m=cell.m,
        depth=cell.depth,
        sparsities=[cell.s],
        n_iter=cell.n_iter,
        imp_updates=cell.imp_updates,
        batch_size=cell.batch_size,
        rng=lambda: _stream(cell),
    )
    return _outcome(cell, truth, fit, device)


def batch_key(cell: PlantedCell) -> Hashable:
    """Return what cells of one batch have in common: all but the sparsity, as they then share their inputs.

    Parameters
    ----------
    cell : PlantedCell
        The settings.

    Returns
    -------
    hashable
        The cell itself, so that it is alone, where no method fits several at once.
    """
    together = cell.method.startswith("imp-") or (cell.method, cell.depth, cell.n_outputs) == ("released", 1, 1)
    return replace(cell, s=0) if together else cell


def compute_many(cells: Sequence[PlantedCell], device: str) -> list[Outcome]:
    """Compute cells of one :func:`batch_key`.

    Parameters
    ----------
    cells : sequence of PlantedCell
        Cells that differ in their sparsity only.
    device : {"cpu", "gpu"}
        On a GPU all networks take their steps together, and differ from :func:`compute` by rounding, which training
        multiplies; on a CPU there is nothing to gain, and :func:`compute` is called for one after the other.

    Returns
    -------
    list of (metrics, arrays)
        In the order of the cells.
    """
    if device == "cpu" or len(cells) == 1 or batch_key(cells[0]) == cells[0]:
        return [compute(cell, device) for cell in cells]
    instances = [_plant(cell) for cell in cells]
    loud = [index for index, (_, y, _) in enumerate(instances) if y.any()]
    found: dict[int, Any] = {}
    if loud:
        X = arrays.asarray(instances[loud[0]][0], device)  # one seed, so all of them have these inputs
        Y = [arrays.asarray(instances[index][1], device) for index in loud]
        found = dict(zip(loud, _fit_together([cells[index] for index in loud], X, Y), strict=True))
    return [_outcome(cell, instances[index][2], found.get(index), device) for index, cell in enumerate(cells)]


def _fit_together(cells: Sequence[PlantedCell], X: Any, Y: Sequence[Any]) -> list[Any]:
    first, streams = cells[0], [_stream(cell) for cell in cells]
    if first.method == "released":
        from recovery import fit_many

        sizes = [cell.s for cell in cells]
        return fit_many(X, Y, n_neurons=first.m, sparsity=sizes, method="released", n_iter=first.n_iter, rngs=streams)
    from recovery import imp_many

    paper = first.method == "imp-paper"
    return imp_many(
        X,
        Y,
        n_neurons=first.m if first.depth == 1 else [first.m] * first.depth,
        sparsity=[cell.s for cell in cells],
        recipe="paper" if paper else "fair",
        n_iter=first.n_iter if paper else first.imp_updates,
        batch_size=first.batch_size,
        rngs=streams,
    )


def _plant(cell: PlantedCell) -> tuple[Any, Any, Any]:
    return planted.release_instance(
        cell.m,
        cell.s,
        cell.seed,
        n=cell.n,
        d=cell.d,
        n_outputs=cell.n_outputs,
        depth=cell.depth,
        dtype=cell.dtype,
    )


def _stream(cell: PlantedCell) -> np.random.Generator:
    return stream("planted", "fit", cell.n_outputs, cell.depth, cell.m, cell.s, cell.seed)


def _outcome(cell: PlantedCell, truth: Any, fit: Any, device: str) -> Outcome:
    """Return the scores of a fit; None where the planted network is silent and nothing was fitted."""
    drawn = _nonzeros(truth, cell.n_outputs)
    if fit is None:
        return {**dict.fromkeys(SCORES), "planted_nonzeros": drawn, "status": "ZERO_DATA"}, {}
    metrics = {
        "psnr_db": float(fit.psnr_db),
        "test_psnr_db": _test_psnr(cell, fit.network, truth, device),
        "nonzeros": _nonzeros(fit.network, cell.n_outputs),
        "planted_nonzeros": drawn,
        "n_iter": int(fit.n_iter),
        "status": fit.status.name,
        **_closeness(cell, fit, truth),
    }
    history = np.asarray(fit.history.get("psnr_db", []), dtype=float)
    return metrics, {"psnr_history_db": history, **fit_arrays(fit.network)}


def _test_psnr(cell: PlantedCell, found: Any, truth: Any, device: str) -> float | None:
    """Return the PSNR on as many fresh inputs, of labels rounded as the training labels are."""
    X = stream("planted", "test", cell.d, cell.seed).standard_normal((cell.n, cell.d)).astype(np.float32)
    X = X.astype(cell.dtype)
    y = truth(X).astype(np.float32).astype(cell.dtype)
    if not y.any():  # the planted network is 0 on all of them
        return None
    with np.errstate(over="ignore", invalid="ignore"):  # a diverged fit
        outputs = found(arrays.asarray(X, device))
        if not bool(found.namespace.isfinite(outputs).all()):
            return -math.inf
    return recovery.psnr(outputs, arrays.asarray(y, device))


def _closeness(cell: PlantedCell, fit: Any, truth: Any) -> dict[str, Any]:
    """Return how far the kink forms are from each other; nothing of that kind is known for deeper networks."""
    if cell.depth > 1:
        return dict.fromkeys(("weight_error", "same_function", "exact", "support_recall"))
    if fit.psnr_db == -math.inf:  # products of such weights leave the range of the numbers
        return {"weight_error": math.inf, "same_function": False, "exact": False, "support_recall": None}
    match = planted.match_networks(fit.network, truth)
    return {
        "weight_error": match.weight_error,
        "same_function": bool(match.same_function),
        "exact": bool(match.exact),
        "support_recall": match.support_recall,
    }


def _nonzeros(network: Any, n_outputs: int) -> int:
    """Return the non-zero weights of the layers that are planted; for one output its weights are not among them."""
    layers = network.layers if n_outputs > 1 else network.layers[:-1]
    return sum(int(network.namespace.count_nonzero(layer)) for layer in layers)
