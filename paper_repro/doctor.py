"""The command ``paper-repro doctor``: versions, linear algebra libraries, GPU and data."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from paper_repro import data, machine
from planted import datasets
from planted.base import arrays
from planted.base.extras import MissingExtra

__all__ = ["report"]


def report(results: Path) -> str:
    """Return a text that describes what is installed on this machine, and what is missing.

    Parameters
    ----------
    results : path
        The results folder.

    Returns
    -------
    str
        Several lines.
    """
    found = machine.versions()
    missing = [name for name in machine.PACKAGES if name not in found]
    what = machine.description()
    lines = ["versions"]
    lines += [f"  {name:<20} {version}" for name, version in found.items()]
    if missing:
        lines.append(f"  not installed: {', '.join(missing)}")
    lines += ["machine", f"  {what['system']}", f"  {what['processor']}, {what['cores']} cores usable"]
    lines += ["linear algebra", *(f"  {line}" for line in _blas())]
    available, sentence = arrays.gpu_status()
    lines += ["GPU", f"  {sentence}" if available else f"  none: {sentence}"]
    lines += ["data", *(f"  {line}" for line in _data())]
    nearest = _nearest(results)
    state = "writable" if os.access(nearest, os.W_OK) else "NOT writable"
    if not nearest.is_dir():
        state = f"NOT usable: {nearest} is not a folder"
    lines += ["results", f"  {results.absolute()} ({state})"]
    lines += ["python", f"  {sys.executable}"]
    return "\n".join(lines)


def _blas() -> list[str]:
    try:
        found = machine.blas()
    except MissingExtra as error:
        return [str(error)]
    lines = [
        f"{one['library']}: {one['api']} {one['version'] or '(version unknown)'}, "
        f"{one['kernel'] or 'unknown'} kernels, {one['threads']} thread{'' if one['threads'] == 1 else 's'}"
        for one in found
    ]
    lines = lines or ["no library known to threadpoolctl, so its kernels and threads cannot be determined"]
    chosen = os.environ.get("OPENBLAS_CORETYPE")
    if chosen:
        lines.append(f"OPENBLAS_CORETYPE={chosen} is set; without it the processor decides which kernels are used")
    lines.append("sweeps run one process per core (--jobs), each with one thread")
    return lines


def _data() -> list[str]:
    """Return the data folder, and the result of reading each data set."""
    lines = [f"looked for in {data.folder_words()}", "`paper-repro data` says which figures need what, and fetches it"]
    for name in ("mnist", "cifar10", "digits"):
        try:
            found = getattr(datasets, name)()
        except (OSError, ValueError, ImportError) as error:
            lines.append(f"{name:<8} not usable: {error}")
        else:
            lines.append(f"{name:<8} {found!r}")
    return lines


def _nearest(path: Path) -> Path:
    """Return the folder itself or its nearest existing parent."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())
