"""Random inputs, and Fourier features of pixel coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_integer, check_number

__all__ = ["fourier_features", "gaussian_inputs", "pixel_coordinates"]


def gaussian_inputs(n: int, d: int, *, rng: Any = None, dtype: Any = "float64", device: str = "cpu") -> Any:
    """Draw independent N(0, 1) inputs.

    Parameters
    ----------
    n, d : int
        Samples and inputs.
    rng : int, Generator or None
        Source of randomness.
    dtype : {"float64", "float32"}, default "float64"
        Type of the result; the draw is always made in float64 and then rounded.
    device : {"cpu", "gpu"}, default "cpu"
        Where the result lives; numbers are drawn on the CPU, so all devices see the same ones.

    Returns
    -------
    array, shape (n, d)
        The inputs.

    Raises
    ------
    TypeError, ValueError
        If a size, `dtype` or `device` is invalid.
    """
    n, d = check_integer(n, "n", minimum=1), check_integer(d, "d", minimum=1)
    check_placement(dtype, device)
    return arrays.asarray(arrays.generator(rng).standard_normal((n, d)), device, dtype)


def check_placement(dtype: Any, device: str) -> None:
    """Raise an error if the dtype or device for the results is not supported, before any work is done.

    Parameters
    ----------
    dtype : dtype
        float32 or float64.
    device : str
        "cpu", or "gpu" if one is available.

    Raises
    ------
    ValueError
        If `dtype` or `device` is not one of these.
    RuntimeError
        If there is no GPU.
    """
    if dtype is None or np.dtype(dtype) not in (np.dtype("float32"), np.dtype("float64")):
        raise ValueError(f"dtype={dtype!r} is not supported; expected 'float64' or 'float32'")
    arrays.namespace_of_device(device)


def pixel_coordinates(shape: Sequence[int]) -> np.ndarray:
    """Return the integer indices of an image's pixels.

    Parameters
    ----------
    shape : sequence of int
        Shape of the image: (rows, columns), or (colour planes, rows, columns).

    Returns
    -------
    numpy.ndarray, shape (n, len(shape))
        One row per pixel, in the order of ``image.ravel()``; float64.

    Raises
    ------
    TypeError, ValueError
        If `shape` is not a sequence of positive integers.
    """
    if isinstance(shape, (str, bytes)) or not isinstance(shape, Sequence) or len(shape) == 0:
        raise TypeError(f"shape={shape!r} is not understood; expected a sequence of positive integers")
    sizes = [check_integer(size, f"shape[{i}]", minimum=1) for i, size in enumerate(shape)]
    return np.indices(sizes).reshape(len(sizes), -1).T.astype(np.float64)


def fourier_features(
    coordinates: Any,
    n_features: int = 1500,
    sigma: float | Sequence[float] = 2.0,
    *,
    frequencies: Any = None,
    rng: Any = None,
) -> Any:
    """Return the inputs [sin 2 pi Bx, cos 2 pi Bx] of an implicit neural representation.

    Parameters
    ----------
    coordinates : array, shape (n, c), or tuple of int
        Points x; or the shape of an image, for its integer pixel indices (:func:`pixel_coordinates`).
    n_features : int, default 1500
        Number of features, even: half of them sines, half cosines.
    sigma : float or sequence of float, default 2
        Standard deviation of the frequencies, one for all axes or one per axis (the paper uses 2 for grey images; 5 for
        rows and columns and 0.05 for colour planes).
    frequencies : array, shape (n_features / 2, c), optional
        B itself, on the coordinates' device; then `n_features`, `sigma` and `rng` are not used.
    rng : int, Generator or None
        Source of the frequencies, N(0, sigma^2).

    Returns
    -------
    array, shape (n, n_features)
        On the device of `coordinates`, in their dtype.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    On integer coordinates only the frequency modulo 1 matters. With a sigma of 1 or more it is uniform on [0, 1) to
    within 3e-9, so sigma = 2 and sigma = 5 give the same distribution. The paper's experiments are of this kind.
    """
    points = pixel_coordinates(coordinates) if isinstance(coordinates, tuple) else coordinates
    points = check_array(points, "coordinates", ndim=2)
    axes = int(points.shape[1])
    if frequencies is None:
        n_features = check_integer(n_features, "n_features", minimum=2)
        if n_features % 2:
            raise ValueError(f"n_features={n_features} is odd; expected an even number, half sines and half cosines")
        sigmas = list(sigma) if isinstance(sigma, Sequence) else [sigma] * axes
        if len(sigmas) != axes:
            raise ValueError(f"sigma has {len(sigmas)} entries; expected one, or one for each of {axes} axes")
        scales = [check_number(item, "sigma", minimum=0.0) for item in sigmas]
        drawn = arrays.generator(rng).standard_normal((n_features // 2, axes)) * np.asarray(scales)
        B = arrays.from_numpy_like(drawn, points, dtype=points.dtype)
    else:
        B = check_array(frequencies, "frequencies", ndim=2, shape=(None, axes))
    xp = arrays.namespace(points, B)
    phase = (2.0 * math.pi) * (points @ B.T)
    return xp.concatenate([xp.sin(phase), xp.cos(phase)], axis=1)
