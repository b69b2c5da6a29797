"""Array namespaces, devices and random generators.

This is the only file of the project that imports CuPy. All other code gets the namespace of an array from
:func:`namespace` and uses that namespace's functions, so that the same code runs on NumPy arrays, on CuPy arrays and on
any other array type that offers ``__array_namespace__`` and NumPy's function names.
"""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import Any

import numpy as np

__all__ = [
    "EPS",
    "asarray",
    "device_of",
    "free_memory",
    "from_numpy_like",
    "generator",
    "gpu_available",
    "gpu_status",
    "is_array",
    "namespace",
    "namespace_of_device",
    "out_of_memory_errors",
    "pool_bytes",
    "seed_sequence",
    "to_numpy",
]

Array = Any
"""Type of an array argument: ``numpy.ndarray`` or ``cupy.ndarray`` (or a compatible type)."""

EPS = float(np.finfo(np.float64).eps)
"""The machine epsilon of float64, 2**-52: all tolerances are multiples of it, or of the epsilon of another dtype."""


def is_array(value: object) -> bool:
    """Return whether `value` is an array that :func:`namespace` supports.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    bool
        True for NumPy and CuPy arrays and for types with ``__array_namespace__``.
    """
    return isinstance(value, np.ndarray) or _is_cupy(value) or hasattr(type(value), "__array_namespace__")


def namespace(*values: Any) -> Any:
    """Return the module whose functions work on the given arrays.

    Parameters
    ----------
    *values : array or scalar
        At least one argument must be an array; scalars and None are ignored.

    Returns
    -------
    module
        ``numpy``, ``cupy``, or what the array's ``__array_namespace__`` returns.

    Raises
    ------
    TypeError
        If no argument is an array, or if arrays of different kinds are mixed.
    """
    found: Any = None
    first: Any = None
    for value in values:
        if not is_array(value) or isinstance(value, np.generic):
            continue
        xp = _namespace_of(value)
        if found is None:
            found, first = xp, value
        elif xp is not found:
            raise TypeError(
                f"arrays on different devices were mixed: {type(first).__module__}.{type(first).__name__} and "
                f"{type(value).__module__}.{type(value).__name__}; move them to one device first"
            )
    if found is None:
        kinds = ", ".join(type(value).__name__ for value in values) or "nothing"
        raise TypeError(f"expected a NumPy or CuPy array, got {kinds}")
    return found


def device_of(value: Any) -> str:
    """Return the device an array lives on.

    Parameters
    ----------
    value : array
        A NumPy or CuPy array.

    Returns
    -------
    str
        ``"gpu"`` for CuPy arrays, ``"cpu"`` for everything else.
    """
    return "gpu" if _is_cupy(value) else "cpu"


def namespace_of_device(device: str) -> ModuleType:
    """Return the array module of a device.

    Parameters
    ----------
    device : {"cpu", "gpu"}
        ``"gpu"`` needs CuPy and a device.

    Returns
    -------
    module
        ``numpy`` or ``cupy``.

    Raises
    ------
    ValueError
        If `device` is neither ``"cpu"`` nor ``"gpu"``.
    RuntimeError
        If ``"gpu"`` is requested and there is none; the message says what is missing.
    """
    if device == "cpu":
        return np
    if device == "gpu":
        available, sentence = gpu_status()
        if not available:
            raise RuntimeError(f"device='gpu' was asked for, but {sentence}")
        return importlib.import_module("cupy")
    raise ValueError(f"device={device!r} is not known; expected 'cpu' or 'gpu'")


def gpu_status() -> tuple[bool, str]:
    """Return whether a GPU can be used, with the reason if not.

    Returns
    -------
    available : bool
        True when CuPy can be imported and sees at least one device.
    sentence : str
        The device's name and memory, or what is missing.
    """
    if importlib.util.find_spec("cupy") is None:
        return False, "CuPy is not installed (extra 'gpu' for CUDA 13, 'gpu12' for CUDA 12)"
    try:
        cupy = importlib.import_module("cupy")
        count = int(cupy.cuda.runtime.getDeviceCount())
    except Exception as error:  # CuPy raises many kinds when the driver is missing
        return False, f"CuPy cannot use a device ({type(error).__name__}: {error})"
    if count == 0:
        return False, "CuPy sees no CUDA device"
    properties = cupy.cuda.runtime.getDeviceProperties(0)
    name = properties["name"]
    name = name.decode() if isinstance(name, bytes) else str(name)
    return True, f"{name}, {properties['totalGlobalMem'] / 2**30:.0f} GiB, CuPy {cupy.__version__}"


def gpu_available() -> bool:
    """Return True when :func:`gpu_status` reports a usable device.

    Returns
    -------
    bool
        Whether ``device="gpu"`` can be used.
    """
    return gpu_status()[0]


def to_numpy(value: Any) -> np.ndarray:
    """Copy an array to host memory (a NumPy array is returned unchanged).

    Parameters
    ----------
    value : array
        Any array or nested sequence.

    Returns
    -------
    numpy.ndarray
        The same values on the CPU.
    """
    if isinstance(value, np.ndarray) or not hasattr(value, "get") or not is_array(value):
        return np.asarray(value)
    return np.asarray(value.get())


def asarray(value: Any, device: str = "cpu", dtype: Any = None) -> Any:
    """Place values on the given device.

    Parameters
    ----------
    value : array or nested sequence
        Values to move.
    device : {"cpu", "gpu"}, default "cpu"
        Destination.
    dtype : dtype, optional
        Type of the result; the type of `value` by default.

    Returns
    -------
    array
        A NumPy or CuPy array.
    """
    if device == "cpu":
        return np.asarray(to_numpy(value), dtype=dtype)
    return namespace_of_device(device).asarray(value, dtype=dtype)


def from_numpy_like(value: np.ndarray, like: Any, dtype: Any = None) -> Any:
    """Move a NumPy array to the device of another array.

    Parameters
    ----------
    value : numpy.ndarray
        Values on the CPU.
    like : array
        An array on the target device.
    dtype : dtype, optional
        Type of the result; the type of `value` by default.

    Returns
    -------
    array
        An array of the kind of `like`.
    """
    return namespace(like).asarray(value, dtype=dtype)


def generator(rng: Any = None) -> np.random.Generator:
    """Turn `rng` into a ``numpy.random.Generator``.

    Random numbers are always drawn on the CPU and then moved, so that every device sees the
    same instance.

    Parameters
    ----------
    rng : int, numpy.random.SeedSequence, numpy.random.Generator or None
        None draws fresh entropy from the operating system.

    Returns
    -------
    numpy.random.Generator
        `rng` itself if it is already a generator.

    Raises
    ------
    TypeError
        If `rng` is of any other type.
    ValueError
        If `rng` is a negative integer.
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None or isinstance(rng, np.random.SeedSequence):
        return np.random.default_rng(rng)
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool):
        if rng < 0:
            raise ValueError(f"rng={rng} is negative; expected an int >= 0, a numpy.random.Generator or None")
        return np.random.default_rng(int(rng))
    raise TypeError(f"rng={rng!r} is not understood; expected an int >= 0, a numpy.random.Generator or None")


def seed_sequence(*key: int | str) -> np.random.SeedSequence:
    """Return the seed sequence of a key such as ``(experiment, role, size, trial)``.

    Strings enter as their UTF-8 bytes, so the result does not depend on Python's hash seed, on the platform or on the
    order in which cells are run.

    Parameters
    ----------
    *key : int or str
        The parts of the key; integers must be >= 0.

    Returns
    -------
    numpy.random.SeedSequence
        Equal keys give equal streams, different keys independent ones.
    """
    words: list[int] = []
    for part in key:
        if isinstance(part, str):
            data = part.encode()
            words.extend((0x5354, len(data), *data))
        else:
            number = int(part)
            if number < 0:
                raise ValueError(f"key part {part!r} is negative; expected integers >= 0 or strings")
            words.extend((0x494E, number))
    return np.random.SeedSequence(words)


def out_of_memory_errors() -> tuple[type[BaseException], ...]:
    """Return the exception types that mean "no memory left" on any device in use.

    Returns
    -------
    tuple of exception types
        ``MemoryError``, and CuPy's own type when CuPy is loaded.
    """
    import sys

    if "cupy" in sys.modules:
        cupy = sys.modules["cupy"]
        return MemoryError, cupy.cuda.memory.OutOfMemoryError
    return (MemoryError,)


def free_memory() -> None:
    """Release the GPU memory that CuPy's pools hold in reserve; does nothing if CuPy is not loaded."""
    import sys

    if "cupy" in sys.modules:
        cupy = sys.modules["cupy"]
        cupy.get_default_memory_pool().free_all_blocks()
        cupy.get_default_pinned_memory_pool().free_all_blocks()


def pool_bytes() -> int:
    """Return how much GPU memory CuPy's pool holds, in use or in reserve.

    Returns
    -------
    int
        Bytes; 0 if CuPy is not loaded. The pool never shrinks by itself, so this is the peak use since
        :func:`free_memory`.
    """
    import sys

    return int(sys.modules["cupy"].get_default_memory_pool().total_bytes()) if "cupy" in sys.modules else 0


def _is_cupy(value: object) -> bool:
    return type(value).__module__.partition(".")[0] == "cupy"


def _namespace_of(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return np
    if _is_cupy(value):
        return importlib.import_module("cupy")
    return value.__array_namespace__()
