"""How much memory a computation took at its peak."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from planted.base import arrays

__all__ = ["peak_bytes", "reset_peak"]

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def reset_peak() -> None:
    """Begin to look for the peak anew; what a GPU's memory pool keeps for later is handed back."""
    arrays.free_memory()
    try:
        _CLEAR.write_text("5")
    except OSError:  # not Linux, or not allowed
        pass


def peak_bytes(device: str) -> int | None:
    """Return the largest memory use since :func:`reset_peak`.

    Parameters
    ----------
    device : {"cpu", "gpu"}
        On the CPU resident memory of this process is meant, the interpreter and its packages included; on the GPU
        that of CuPy's pool.

    Returns
    -------
    int or None
        Bytes. Where the system cannot begin anew it is the largest use since the process began; None where it
        does not say.
    """
    if device == "gpu":
        return arrays.pool_bytes()
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    try:
        resource = importlib.import_module("resource")
    except ImportError:  # Windows
        return None
    largest = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return largest if sys.platform == "darwin" else 1024 * largest
