"""Leaving out neurons and inputs whose weights cannot matter, so that pruned networks cost less."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from planted import arrays
from recovery.networks.mlp import Shapes

__all__ = ["Compact", "live_neurons"]


def live_neurons(masks: list[np.ndarray]) -> list[np.ndarray]:
    """Tell which inputs, neurons and outputs lie on a path of kept weights from an input to an output.

    Parameters
    ----------
    masks : list of numpy.ndarray of bool, shape (..., a, b)
        Masks of the layers.

    Returns
    -------
    list of numpy.ndarray of bool, shape (..., width)
        One more than there are layers: the inputs, the hidden layers, the outputs.
    """
    reached: list[Any] = [np.ones(masks[0].shape[:-1], dtype=bool)]
    for mask in masks:
        reached.append((mask & reached[-1][..., :, None]).any(axis=-2))
    heard: list[Any] = [np.ones(reached[-1].shape, dtype=bool)]
    for mask in reversed(masks):
        heard.insert(0, (mask & heard[0][..., None, :]).any(axis=-1))
    return [forth & back for forth, back in zip(reached, heard, strict=True)]


class Compact:
    """The live parts of B networks of one shape, as B smaller networks of one shape.

    Parameters
    ----------
    shapes : Shapes
        Of the whole networks.
    masks : array of bool, shape (B, size)
        Which weights may be non-zero.

    Attributes
    ----------
    shapes : Shapes
        Of the smaller networks: the live inputs of any of them, and in each hidden layer as many neurons as
        the network with most live ones has (others are filled up with neurons that have no effect).
    mask : array, shape (B, shapes.size)
        The masks of the smaller networks.
    live : numpy.ndarray of bool, shape (B,)
        Whether a network has a path from an input to an output; it is the zero function otherwise.

    Notes
    -----
    A weight outside has no effect on the outputs, and no gradient, so that leaving it out changes sums
    of products by zeros only. Setting up costs one copy of the masks to the host.
    """

    def __init__(self, shapes: Shapes, masks: Any) -> None:
        self.xp, host = arrays.namespace(masks), arrays.to_numpy(masks)
        count = host.shape[0]
        alive = live_neurons(shapes.split(host))
        self.live: np.ndarray = np.asarray(alive[-1].any(axis=-1))
        inputs = np.flatnonzero(alive[0].any(axis=0))
        inputs = inputs if inputs.size else np.zeros(1, dtype=np.int64)
        self._all_inputs = inputs.size == shapes.layers[0][0]
        places = [np.broadcast_to(inputs, (count, inputs.size))]
        for layer in alive[1:-1]:
            width = max(1, int(layer.sum(axis=1).max()))
            # a stable sort: live neurons first, in their order
            places.append(np.sort(np.argsort(~layer, axis=1, kind="stable")[:, :width], axis=1))
        outputs = np.arange(shapes.layers[-1][1])
        places.append(np.broadcast_to(outputs, (count, outputs.size)))
        widths = [place.shape[1] for place in places]
        self.shapes = Shapes(tuple(pairwise(widths)))
        index = [
            (offset + rows[:, :, None] * width + columns[:, None, :]).reshape(count, -1)
            for offset, (_, width), rows, columns in zip(
                shapes.offsets, shapes.layers, places[:-1], places[1:], strict=False
            )
        ]
        flat = np.concatenate(index, axis=1) + shapes.size * np.arange(count)[:, None]
        self._index, self._inputs = self.xp.asarray(flat), self.xp.asarray(inputs)
        self.mask = self.gather(masks)

    def gather(self, flat: Any) -> Any:
        """Return the parts, shape (B, shapes.size), of vectors of shape (B, size)."""
        return flat.reshape(-1)[self._index]

    def scatter(self, parts: Any, flat: Any) -> Any:
        """Return copies of the vectors `flat` with the parts put in."""
        found = flat.copy().reshape(-1)
        found[self._index] = parts
        return found.reshape(flat.shape)

    def inputs_of(self, X: Any) -> Any:
        """Return the columns, shape (..., inputs), of inputs that are live."""
        return X if self._all_inputs else X[..., self._inputs]
