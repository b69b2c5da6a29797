"""Random sparse networks to plant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from planted.base import arrays
from planted.base.checks import check_choice, check_integer
from planted.networks import ReLUNetwork

__all__ = ["sparse_network"]


def sparse_network(
    d: int,
    m: int,
    sparsity: int,
    *,
    n_outputs: int = 1,
    depth: int = 1,
    signs: Literal["positive", "mixed"] = "positive",
    values: Literal["normal", "binary"] = "normal",
    support: Literal["uniform", "per-neuron"] = "uniform",
    rng: Any = None,
) -> ReLUNetwork:
    """Draw a network with `sparsity` non-zero hidden weights.

    Parameters
    ----------
    d, m : int
        Number of inputs, and width of each hidden layer.
    sparsity : int
        Number s of non-zero hidden weights, over all hidden layers. With one output that is `.sparsity` of the result;
        with several, `.sparsity` counts the dense output layer too.
    n_outputs : int, default 1
        1 gives a scalar output, shape (n,).
    depth : int, default 1
        Number of hidden layers.
    signs : {"positive", "mixed"}, default "positive"
        Signs of the output weights. ``"mixed"`` has at least one of each sign, on neurons with non-zero weights if
        there are two such neurons.
    values : {"normal", "binary"}, default "normal"
        Non-zero hidden weights from N(0, 1), or all 1.
    support : {"uniform", "per-neuron"}, default "uniform"
        Positions uniform over all weights of a layer, as in the paper's planted experiments, or equally many in each
        neuron.
    rng : int, Generator or None
        Source of randomness.

    Returns
    -------
    ReLUNetwork
        float64, on the CPU.

    Raises
    ------
    TypeError, ValueError
        If a size is out of range: s exceeds the number of weights, ``"mixed"`` with m = 1, or ``"per-neuron"`` with a
        layer's share of s not divisible by m.

    Notes
    -----
    With several hidden layers s is split evenly among them; what a layer cannot hold goes to the others. A scalar
    output has weights +1 (or +-1). For vector outputs the output layer is dense: +-1 with binary values, else |N(0, 1)|
    with the requested signs; its weights are not counted in s. (The paper's vector-output experiments count the output
    layer in s and make it sparse too: see :func:`planted.release_instance`.)
    """
    d, m = check_integer(d, "d", minimum=1), check_integer(m, "m", minimum=1)
    depth = check_integer(depth, "depth", minimum=1)
    n_outputs = check_integer(n_outputs, "n_outputs", minimum=1)
    capacity = [d * m] + [m * m] * (depth - 1)
    s = check_integer(sparsity, "sparsity", minimum=0, maximum=sum(capacity))
    check_choice(signs, "signs", ("positive", "mixed"))
    check_choice(values, "values", ("normal", "binary"))
    check_choice(support, "support", ("uniform", "per-neuron"))
    if signs == "mixed" and m < 2:
        raise ValueError(f"signs='mixed' needs one neuron of each sign, and m={m}; expected m >= 2")
    shares = _even_shares(s, capacity)
    for i, share in enumerate(shares):
        if support == "per-neuron" and share % m:
            raise ValueError(
                f"sparsity={s} with support='per-neuron' gives hidden layer {i + 1} {share} weights for m={m} neurons; "
                f"expected a multiple of {m}"
            )
    rng = arrays.generator(rng)
    layers = [
        _sparse_layer(size // m, m, share, values, support, rng) for size, share in zip(capacity, shares, strict=True)
    ]
    layers.append(_output_layer(layers[-1], n_outputs, signs, values, rng))
    return ReLUNetwork(layers)


def _sparse_layer(rows: int, m: int, share: int, values: str, support: str, rng: np.random.Generator) -> np.ndarray:
    layer = np.zeros((rows, m))
    drawn = rng.standard_normal(share) if values == "normal" else np.ones(share)
    if support == "uniform":
        layer.reshape(-1)[rng.choice(rows * m, size=share, replace=False)] = drawn
    else:
        each = share // m
        places = rng.permuted(np.tile(np.arange(rows), (m, 1)), axis=1)[:, :each]
        layer[places.ravel(), np.repeat(np.arange(m), each)] = drawn
    return layer


def _output_layer(hidden: np.ndarray, n_outputs: int, signs: str, values: str, rng: np.random.Generator) -> np.ndarray:
    m = hidden.shape[1]
    size = (m, n_outputs)
    magnitude = np.ones(size) if n_outputs == 1 or values == "binary" else np.abs(rng.standard_normal(size))
    if signs == "mixed":
        sign = rng.choice([-1.0, 1.0], size=size)
        live = np.flatnonzero(np.any(hidden != 0, axis=0))
        candidates = live if live.size >= 2 else np.arange(m)
        for output in range(n_outputs):
            here = sign[candidates, output]
            if np.all(here == here[0]):
                sign[rng.choice(candidates), output] *= -1
        magnitude = magnitude * sign
    return magnitude[:, 0] if n_outputs == 1 else magnitude


def _even_shares(total: int, capacity: Sequence[int]) -> list[int]:
    shares = [0] * len(capacity)
    left = total
    # smallest layer first: what it cannot hold is shared by the larger ones
    for rank, i in enumerate(sorted(range(len(capacity)), key=lambda i: capacity[i])):
        shares[i] = min(capacity[i], left // (len(capacity) - rank))
        left -= shares[i]
    return shares
