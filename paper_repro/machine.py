"""The circumstances of a computation: package versions and the machine."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from planted.base import arrays
from planted.base.extras import need

__all__ = ["PACKAGES", "blas", "cores", "description", "fingerprint", "peak_bytes", "reset_peak", "versions"]

PACKAGES = ("numpy", "scipy", "matplotlib", "scikit-learn", "cvxpy", "sympy", "python-flint", "cupy", "pandas")
"""Packages whose versions are recorded; CuPy is also searched under the names of its wheels."""

BLAS_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def cores() -> int:
    """Return the number of cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not available on every system
        return os.cpu_count() or 1


def blas() -> list[dict[str, Any]]:
    """Return what is known about each BLAS library that this process uses.

    Returns
    -------
    list of dict
        ``"library"`` (its file's name), ``"api"`` (``"openblas"``, ``"mkl"``, ``"blis"``, ...), ``"version"``,
        ``"kernel"`` (the processor family that its kernels are made for) and ``"threads"``, sorted by library. Unknown
        values are None. NumPy and SciPy are imported, since each may bring its own library.

    Notes
    -----
    OpenBLAS chooses its kernels by processor, unless the environment variable ``OPENBLAS_CORETYPE`` is set. Results
    differ between kernels in their last bits.
    """
    import numpy.linalg
    import scipy.linalg

    threadpool_info = need("threadpoolctl").threadpool_info

    assert numpy.linalg is not None
    assert scipy.linalg is not None
    found = [
        {
            "library": Path(one["filepath"]).name,
            "api": one["internal_api"],
            "version": one.get("version"),
            "kernel": one.get("architecture"),
            "threads": one.get("num_threads"),
        }
        for one in threadpool_info()
        if one["user_api"] == "blas"
    ]
    return sorted(found, key=lambda one: str(one["library"]))


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of Python, of this project and of the packages it computes with.

    Returns
    -------
    dict
        Packages that are not installed are omitted; nothing is imported.
    """
    found = {"python": platform.python_version()}
    for name in ("sparse-recovery-lab", *PACKAGES):
        candidates = (name, "cupy-cuda13x", "cupy-cuda12x") if name == "cupy" else (name,)
        for candidate in candidates:
            try:
                found[name] = metadata.version(candidate)
                break
            except metadata.PackageNotFoundError:
                continue
    return found


def fingerprint() -> dict[str, str]:
    """Return what two machines must have in common for their results to be equal.

    Returns
    -------
    dict
        Versions of Python (without the last part), NumPy, SciPy and this project, and as ``"source files"`` a hash
        of the project's files that compute, as they currently are on disk, since development versions share a version
        number.
    """
    found = versions()
    wanted = {name: found.get(name, "not installed") for name in ("sparse-recovery-lab", "numpy", "scipy")}
    digest = hashlib.sha256()
    for package in ("planted", "recovery", "linear_lottery", "paper_repro"):
        spec = importlib.util.find_spec(package)
        folder = Path(spec.origin).parent if spec is not None and spec.origin else Path()
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{package}/{path.relative_to(folder).as_posix()}".encode())
            digest.update(path.read_bytes())
    python = found["python"].rpartition(".")[0]
    return {"python": python, **wanted, "source files": digest.hexdigest()[:12]}


@functools.cache
def description() -> dict[str, str | int]:
    """Return the system, the processor and the number of cores.

    Returns
    -------
    dict
        Nothing that identifies the machine or its user.
    """
    return {"system": platform.platform(), "processor": _processor(), "cores": cores()}


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def reset_peak() -> None:
    """Reset the peak memory counter, and release the GPU memory held in reserve by the pool."""
    arrays.free_memory()
    try:
        _CLEAR.write_text("5")
    except OSError:  # not Linux, or not permitted
        pass


def peak_bytes(device: str) -> int | None:
    """Return the largest memory use since :func:`reset_peak`.

    Parameters
    ----------
    device : {"cpu", "gpu"}
        On the CPU, the resident memory of this process, including the interpreter and its packages; on the GPU, that of
        CuPy's pool.

    Returns
    -------
    int or None
        Bytes. If the system cannot reset the counter, the peak since the process began; None if it is not available.
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
