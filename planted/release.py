"""The instances of the paper's planted experiments, drawn as the paper's released code draws them."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from planted.base.checks import check_choice, check_integer
from planted.base.values import tuple_of_arrays
from planted.inputs import check_placement
from planted.networks import ReLUNetwork

__all__ = ["ReleaseInstance", "release_frequencies", "release_instance"]


@tuple_of_arrays
class ReleaseInstance(NamedTuple):
    """Result of :func:`release_instance`.

    Attributes
    ----------
    X : numpy.ndarray, shape (n, d)
        Standard normal inputs.
    y : numpy.ndarray, shape (n,) or (n, n_outputs)
        Labels.
    network : ReLUNetwork
        The planted network, float64.
    """

    X: NDArray[np.floating]
    y: NDArray[np.floating]
    network: ReLUNetwork


def release_instance(
    m: int,
    sparsity: int,
    seed: int,
    *,
    n: int = 50_000,
    d: int = 100,
    n_outputs: int = 1,
    depth: int = 1,
    labels: Literal["float32", "float64"] = "float32",
    dtype: Any = "float64",
) -> ReleaseInstance:
    """Draw an instance of the paper's planted experiments: inputs, labels and the planted network.

    Parameters
    ----------
    m, sparsity : int
        Hidden width, and the number s of non-zero weights that are planted.
    seed : int
        Number of the trial; the paper uses 0, 1 and 2.
    n, d : int, default 50,000 and 100
        Samples and inputs.
    n_outputs : int, default 1
        With 1 the output is a sum of neurons; with more, a sparse output layer is planted too (10 in the paper).
    depth : int, default 1
        Number of hidden layers.
    labels : {"float32", "float64"}, default "float32"
        ``"float32"`` rounds the labels to float32 as the released code does, which limits every fit to about 160 dB;
        ``"float64"`` does not.
    dtype : {"float64", "float32"}, default "float64"
        Type in which `X` and `y` are stored. The values of `X` are float32 numbers in both.

    Returns
    -------
    ReleaseInstance
        The named tuple (X, y, network).

    Raises
    ------
    TypeError, ValueError
        If an argument is not an integer in its range or not one of the known choices.

    Notes
    -----
    The draws are made in this order. Weights, from the Mersenne Twister seeded with seed + 1: for each planted layer,
    min(r c, floor(s / L)) positions without replacement among the r c weights in row-major order, then equally many
    N(0, 1) values, rounded to float32. L is the number of planted layers: the hidden ones, and the output layer if
    there are several outputs (for a scalar output every output weight is +1). Inputs, from the same generator seeded
    afresh with seed + 2: n d values N(0, 1) in row-major order, rounded to float32. Labels are computed in float64. If
    L does not divide s, the remainder is lost, and a layer too small for its share is dense and the rest is lost: there
    may be fewer than s non-zeros.

    The draws equal the released ones bit for bit. The labels are the same sums, but matrix products of different BLAS
    libraries may differ in the last bit of float64; rounded to float32 they agree except for rare ties.

    References
    ----------
    .. [1] S. Fridovich-Keil, M. Pilanci, "A Recovery Guarantee for Sparse Neural Networks", arXiv:2509.20323; the order
       of the draws is that of the authors' public code (github.com/voilalab/MLP-IHT).
    """
    m, s = check_integer(m, "m", minimum=1), check_integer(sparsity, "sparsity", minimum=0)
    seed = check_integer(seed, "seed", minimum=0, maximum=2**32 - 3)
    n, d = check_integer(n, "n", minimum=1), check_integer(d, "d", minimum=1)
    n_outputs = check_integer(n_outputs, "n_outputs", minimum=1)
    depth = check_integer(depth, "depth", minimum=1)
    check_choice(labels, "labels", ("float32", "float64"))
    check_placement(dtype, "cpu")
    shapes = [(d, m)] + [(m, m)] * (depth - 1)
    if n_outputs > 1:
        shapes.append((m, n_outputs))
    # the released code uses NumPy's legacy generator: only it reproduces those bits
    weight_stream = np.random.RandomState(seed + 1)
    layers = [_planted_layer(shape, s // len(shapes), weight_stream) for shape in shapes]
    if n_outputs == 1:
        layers.append(np.ones(m))
    network = ReLUNetwork(layers)
    input_stream = np.random.RandomState(seed + 2)
    X = input_stream.normal(size=(n, d)).astype(np.float32).astype(np.float64)
    y = network(X)
    if labels == "float32":
        y = y.astype(np.float32)
    return ReleaseInstance(X.astype(dtype, copy=False), y.astype(dtype, copy=False), network)


def release_frequencies(n_frequencies: int, sigmas: tuple[float, ...], seed: int) -> np.ndarray:
    """Draw the Fourier frequencies of the paper's image experiments.

    Parameters
    ----------
    n_frequencies : int
        750 in the paper, which gives 1,500 features.
    sigmas : tuple of float
        Standard deviation along each axis: (2, 2) for a grey image; (5, 5, 0.05) for rows, columns and
        colour planes of a colour image.
    seed : int
        The trial.

    Returns
    -------
    numpy.ndarray, shape (n_frequencies, len(sigmas))
        Frequencies for :func:`planted.fourier_features`.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    From the Mersenne Twister seeded with `seed`: the first two axes together, in row-major order, then each further
    axis. The released code rounds the frequencies of colour images to float32, and so does this function.
    """
    count = check_integer(n_frequencies, "n_frequencies", minimum=1)
    seed = check_integer(seed, "seed", minimum=0, maximum=2**32 - 1)
    if len(sigmas) < 2:
        raise ValueError(f"sigmas={sigmas!r} has {len(sigmas)} entries; expected one for each axis, at least two")
    stream = np.random.RandomState(seed)
    parts = [stream.normal(size=(count, 2))]
    parts.extend(stream.normal(size=(count, 1)) for _ in sigmas[2:])
    frequencies = np.hstack(parts) * np.asarray(sigmas, dtype=np.float64)
    if len(sigmas) > 2:
        frequencies = frequencies.astype(np.float32).astype(np.float64)
    return frequencies


def _planted_layer(shape: tuple[int, int], share: int, stream: Any) -> np.ndarray:
    size = shape[0] * shape[1]
    count = min(size, share)
    places = stream.choice(size, size=count, replace=False)
    layer = np.zeros(size)
    layer[places] = stream.normal(size=count).astype(np.float32)
    return layer.reshape(shape)
