"""Products of a ReLU network of any depth: outputs, gradients, directional derivatives, sizes of its terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from planted import arrays
from recovery._sums import adjoint, column_means
from recovery.networks.losses import softmax

__all__ = ["column_scales", "curved", "derivative", "forward", "gradients", "join", "split"]


def split(vector: Any, shapes: Sequence[tuple[int, int]]) -> list[Any]:
    """Return the layers, as views, of the vector that holds them one after the other, each in row-major order."""
    layers, start = [], 0
    for rows, columns in shapes:
        layers.append(vector[start : start + rows * columns].reshape(rows, columns))
        start += rows * columns
    return layers


def join(layers: Sequence[Any]) -> Any:
    """Return layers as one vector, the inverse of :func:`split`."""
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
    xp = arrays.namespace(X)
    found = [X]
    for layer in layers[:-1]:
        found.append(xp.maximum(found[-1] @ layer, 0))
    found.append(found[-1] @ layers[-1])
    return found


def gradients(layers: Sequence[Any], values: Sequence[Any], outward: Any) -> list[Any]:
    """Return the gradient in every layer from the gradient in the outputs.

    Parameters
    ----------
    layers : sequence of array
        Weights.
    values : sequence of array
        What :func:`forward` returned.
    outward : array, shape (n, k)
        Gradient of a function of the outputs.

    Returns
    -------
    list of array
        Shapes of the layers. The derivative of relu at 0 is taken as 0.
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
    """Return the second derivative of the mean loss in the outputs, applied to a direction, shape (n, k)."""
    if loss == "squared":
        return direction / direction.shape[0]
    chances = softmax(outputs)
    return chances * (direction - (chances * direction).sum(axis=-1, keepdims=True)) / direction.shape[0]


def column_scales(layers: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """Return for each weight the size of its term's share of the outputs if the weight is 1.

    Parameters
    ----------
    layers : sequence of array
        Weights.
    values : sequence of array
        What :func:`forward` returned.

    Returns
    -------
    list of array
        Shapes of the layers: (root mean square of the activation it reads) times (root mean square slope of the
        outputs in the unit it writes to).

    Notes
    -----
    The slope of unit j of a hidden layer is estimated by b_j^2 = P(j open) sum_l W_jl^2 b_l^2, with b = 1 at the
    outputs: exact in mean square for the last hidden layer, and deeper down if units open independently. |w| times
    this does not change when a neuron's incoming weights are multiplied and its outgoing ones divided by the
    same number, nor with the units of the inputs; that makes weights of different layers comparable.
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
