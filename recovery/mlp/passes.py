"""Forward and backward passes of ReLU networks of any depth, for several networks of equal shape at once."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from planted import networks
from planted.base import arrays
from recovery.mlp.losses import loss_and_gradient, softmax
from recovery.operators.arithmetic import adjoint, column_means

__all__ = ["Passes", "Shapes", "column_scales", "curved", "derivative", "forward", "gradients", "join", "split"]


CPU_BLOCK_BYTES, GPU_BLOCK_BYTES = 2**20, 2**29
"""Hidden activations held in memory at a time, in bytes: about the size of a cache, or large enough for a GPU."""
LEAST_BLOCK_ROWS = 64
"""Smallest block size."""


@dataclass(frozen=True)
class Shapes:
    """Shapes of a network's layers, whose weights are stored in one vector.

    Parameters
    ----------
    layers : tuple of (int, int)
        ``(d, m_1), (m_1, m_2), ..., (m_L, k)``; a scalar output counts as k = 1.
    """

    layers: tuple[tuple[int, int], ...]

    @classmethod
    def of_widths(cls, n_inputs: int, widths: tuple[int, ...], n_outputs: int) -> Shapes:
        """Return the shapes of a network with hidden layers of these widths."""
        sizes = (n_inputs, *widths, n_outputs)
        return cls(tuple(pairwise(sizes)))

    @property
    def size(self) -> int:
        """Number of weights."""
        return sum(a * b for a, b in self.layers)

    @property
    def offsets(self) -> tuple[int, ...]:
        """Start of each layer in the vector, followed by the vector's length."""
        found = [0]
        for a, b in self.layers:
            found.append(found[-1] + a * b)
        return tuple(found)

    def split(self, flat: Any) -> list[Any]:
        """Return views of the layers, shape (..., a, b), of vectors of shape (..., size)."""
        lead = tuple(flat.shape[:-1])
        starts = self.offsets
        return [flat[..., starts[i] : starts[i + 1]].reshape(*lead, *shape) for i, shape in enumerate(self.layers)]


class Passes:
    """Outputs and gradients of B networks of equal shape, with reusable work space.

    Parameters
    ----------
    shapes : Shapes
        The layers.
    like : array, shape (B, size)
        Weights; the work space is made for their device, dtype and number B.
    loss : {"squared", "cross_entropy"}
        See :func:`recovery.mlp.losses.loss_and_gradient`.
    factor : float, default 1
        Factor applied to the gradient.
    block_rows : int, optional
        Rows processed at a time; by default as many as fit into :data:`CPU_BLOCK_BYTES`.
    limit : int, optional
        Bytes of activations at a time, in place of :data:`CPU_BLOCK_BYTES` or :data:`GPU_BLOCK_BYTES`.

    Attributes
    ----------
    limit : int
        As given; lowered if memory runs out.

    Notes
    -----
    f(x) = V' relu(W_L' ... relu(W_1' x)), no biases; the derivative of relu at 0 is 0. With shared inputs the first
    layers of all B networks are computed by one product with a (d, B m) matrix, and so are their gradients. Nothing
    here synchronises with a GPU. If memory runs out, the blocks of rows are halved, with a warning.
    """

    def __init__(
        self,
        shapes: Shapes,
        like: Any,
        loss: str = "squared",
        factor: float = 1.0,
        block_rows: int | None = None,
        limit: int | None = None,
    ) -> None:
        self.xp, self.shapes, self.loss, self.factor = arrays.namespace(like), shapes, loss, factor
        self.count, self.dtype = int(like.shape[0]), like.dtype
        self._gradient = self.xp.zeros_like(like)
        self._parts = shapes.split(self._gradient)
        widths = [b for _, b in shapes.layers[:-1]]
        self.limit = limit or (GPU_BLOCK_BYTES if arrays.device_of(like) == "gpu" else CPU_BLOCK_BYTES)
        self._per_row = max(1, self.count * sum(widths) * self.dtype.itemsize)
        self.block_rows = block_rows or max(LEAST_BLOCK_ROWS, self.limit // self._per_row)
        self._buffers: dict[tuple[str, int, int], Any] = {}

    def outputs(self, weights: Any, X: Any) -> Any:
        """Return the outputs of all networks.

        Parameters
        ----------
        weights : array, shape (B, size)
            One vector per network.
        X : array, shape (n, d) or (B, n, d)
            Inputs, shared or one set per network.

        Returns
        -------
        array, shape (B, n, k)
            A new array.
        """
        layers = self.shapes.split(weights)
        while True:
            try:
                parts = [self._forward(layers, X[..., rows, :])[-1] for rows in self._blocks(int(X.shape[-2]))]
                return parts[0] if len(parts) == 1 else self.xp.concatenate(parts, axis=1)
            except arrays.out_of_memory_errors():
                pass  # leaving the exception handler frees the memory of the failed attempt
            self._use_smaller_blocks(int(X.shape[-2]))

    def gradient(self, weights: Any, X: Any, targets: Any) -> tuple[Any, Any]:
        """Return the losses of all networks and their gradients.

        Parameters
        ----------
        weights : array, shape (B, size)
            One vector per network.
        X : array, shape (n, d) or (B, n, d)
            Inputs, shared or one set per network.
        targets : array, shape (n, k) or (B, n, k)
            Targets.

        Returns
        -------
        value : array, shape (B,)
            Mean loss over the rows.
        gradient : array, shape (B, size)
            `factor` times its gradient, in work space that the next call overwrites.
        """
        layers, n = self.shapes.split(weights), int(X.shape[-2])
        while True:
            try:
                total: Any = None
                for rows in self._blocks(n):
                    part = (rows.stop - rows.start) / n
                    value = self._accumulate(layers, X[..., rows, :], targets[..., rows, :], part, total is None)
                    total = value if total is None else total + value
                return total, self._gradient
            except arrays.out_of_memory_errors():
                total = None
            self._use_smaller_blocks(n)

    def _use_smaller_blocks(self, n: int) -> None:
        """Halve the blocks after memory ran out, with a warning; raise if they are already as small as possible."""
        used = min(self.block_rows, n)
        if used <= LEAST_BLOCK_ROWS:
            raise MemoryError(f"the activations of {used} rows of {self.count} network(s) do not fit into memory")
        self.block_rows = max(LEAST_BLOCK_ROWS, used // 2)
        self.limit = min(self.limit, self.block_rows * self._per_row)
        self._buffers.clear()
        arrays.free_memory()
        warnings.warn(
            f"the activations of {used} rows of {self.count} network(s) did not fit into memory; "
            f"continuing with blocks of {self.block_rows} rows",
            RuntimeWarning,
            stacklevel=3,
        )

    def _blocks(self, n: int) -> Iterator[slice]:
        count = max(1, math.ceil(n / self.block_rows))
        for i in range(count):
            yield slice(n * i // count, n * (i + 1) // count)

    def _buffer(self, name: str, rows: int, width: int) -> Any:
        """Return work space of shape (rows, B width), from a small cache."""
        key = (name, rows, width)
        if key not in self._buffers:
            if len(self._buffers) >= 4 * (2 * len(self.shapes.layers) + 1):  # sizes no longer in use
                self._buffers.clear()
            self._buffers[key] = self.xp.empty((rows, self.count * width), dtype=self.dtype)
        return self._buffers[key]

    def _stacked(self, buffer: Any, width: int) -> Any:
        """Return (rows, B width) work space as a view of shape (B, rows, width)."""
        return buffer.reshape(int(buffer.shape[0]), self.count, width).transpose(1, 0, 2)

    def _forward(self, layers: list[Any], X: Any) -> list[Any]:
        """Return the hidden activations of all layers and the outputs, each (B, rows, width)."""
        return list(networks.forward(layers, X, self._hidden))

    def _hidden(self, level: int, values: Any, layer: Any) -> Any:
        """Return the activations of a hidden layer of all networks, (B, rows, width), in work space."""
        xp, rows, width = self.xp, int(values.shape[-2]), int(layer.shape[-1])
        buffer = self._buffer(f"hidden {level}", rows, width)
        stacked = self._stacked(buffer, width)
        if values.ndim == 2:  # inputs shared by all networks: one product
            xp.matmul(values, layer.transpose(1, 0, 2).reshape(int(values.shape[1]), self.count * width), out=buffer)
        else:
            xp.matmul(values, layer, out=stacked)
        xp.maximum(buffer, 0, out=buffer)
        return stacked

    def _accumulate(self, layers: list[Any], X: Any, targets: Any, part: float, first: bool) -> Any:
        """Add a block's contribution to the gradient in the work space; return its contribution to the loss."""
        xp, rows = self.xp, int(X.shape[-2])
        *hidden, outputs = self._forward(layers, X)
        value, delta = loss_and_gradient(outputs, targets, self.loss)
        delta *= part * self.factor
        for i in range(len(layers) - 1, 0, -1):
            self._add(i, xp.matmul(hidden[i - 1].swapaxes(-1, -2), delta), first)
            width = int(layers[i].shape[-2])
            buffer = self._buffer("delta" if i == 1 else f"delta {i}", rows, width)
            back = self._stacked(buffer, width)
            if int(delta.shape[-1]) == 1:
                xp.multiply(delta, layers[i].swapaxes(-1, -2), out=back)
            else:
                xp.matmul(delta, layers[i].swapaxes(-1, -2), out=back)
            xp.multiply(back, hidden[i - 1] > 0, out=back)
            delta = back
        if X.ndim == 2 and len(layers) > 1:
            product = X.T @ buffer
            self._add(0, product.reshape(int(X.shape[1]), self.count, width).transpose(1, 0, 2), first)
        else:
            self._add(0, xp.matmul(X.swapaxes(-1, -2), delta), first)
        return value * part

    def _add(self, i: int, product: Any, first: bool) -> None:
        if first:
            self._parts[i][...] = product
        else:
            self._parts[i] += product


def split(vector: Any, shapes: Sequence[tuple[int, int]]) -> list[Any]:
    """Return the layers as views of the vector that concatenates them, each in row-major order."""
    layers, start = [], 0
    for rows, columns in shapes:
        layers.append(vector[start : start + rows * columns].reshape(rows, columns))
        start += rows * columns
    return layers


def join(layers: Sequence[Any]) -> Any:
    """Return the layers as one vector, the inverse of :func:`split`."""
    return arrays.namespace(*layers).concatenate([layer.ravel() for layer in layers])


def forward(layers: Sequence[Any], X: Any) -> list[Any]:
    """Return X, the activations of every hidden layer, and the outputs.

    Parameters
    ----------
    layers : sequence of array
        Weights, (d, m_1), ..., (m_L, k).
    X : array, shape (n, d)
        Inputs.

    Returns
    -------
    list of array
        [X, relu(X W_1), ..., outputs].
    """
    return [X, *networks.forward(layers, X)]


def gradients(layers: Sequence[Any], values: Sequence[Any], outward: Any) -> list[Any]:
    """Return the gradient with respect to every layer from the gradient with respect to the outputs.

    Parameters
    ----------
    layers : sequence of array
        Weights.
    values : sequence of array
        The result of :func:`forward`.
    outward : array, shape (n, k)
        Gradient of a function of the outputs.

    Returns
    -------
    list of array
        One array per layer, of its shape. The derivative of relu at 0 is taken as 0.
    """
    found = []
    for level in reversed(range(len(layers))):
        found.append(adjoint(values[level], outward))
        if level:
            outward = (outward @ layers[level].T) * (values[level] > 0)
    return found[::-1]


def derivative(layers: Sequence[Any], values: Sequence[Any], change: Sequence[Any]) -> Any:
    """Return the derivative of the outputs along a change of the weights, shape (n, k)."""
    moved: Any = None
    for level, (layer, step) in enumerate(zip(layers, change, strict=True)):
        fresh = values[level] @ step
        moved = fresh if moved is None else moved @ layer + fresh
        if level < len(layers) - 1:
            moved = moved * (values[level + 1] > 0)
    return moved


def curved(direction: Any, outputs: Any, loss: str) -> Any:
    """Return the Hessian of the mean loss with respect to the outputs, applied to a direction, shape (n, k)."""
    if loss == "squared":
        return direction / direction.shape[0]
    chances = softmax(outputs)
    return chances * (direction - (chances * direction).sum(axis=-1, keepdims=True)) / direction.shape[0]


def column_scales(layers: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """Return for each weight the size of its contribution to the outputs if the weight were 1.

    Parameters
    ----------
    layers : sequence of array
        Weights.
    values : sequence of array
        The result of :func:`forward`.

    Returns
    -------
    list of array
        One array per layer, of its shape: (root mean square of the weight's input activation) times (root mean square
        derivative of the outputs with respect to the unit that the weight feeds).

    Notes
    -----
    The slope of unit j of a hidden layer is estimated by b_j^2 = P(j open) sum_l W_jl^2 b_l^2, with b = 1 at the
    outputs: exact in mean square for the last hidden layer, and deeper down if units open independently. |w| times
    this does not change when a neuron's incoming weights are multiplied and its outgoing weights divided by the same
    number, or when inputs are rescaled; this makes weights of different layers comparable.
    """
    xp = arrays.namespace(values[0])
    slope = xp.ones(layers[-1].shape[1], dtype=values[0].dtype)
    found = []
    for level in reversed(range(len(layers))):
        activation = values[level]
        read = xp.sqrt(column_means(activation * activation))
        found.append(read[:, None] * slope)
        if level:
            open_share = (activation > 0).mean(axis=0).astype(slope.dtype)
            slope = xp.sqrt(open_share * ((layers[level] * slope) ** 2).sum(axis=1))
    return found[::-1]
