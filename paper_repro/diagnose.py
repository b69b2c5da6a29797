"""A user's own matrix, read from a file without unpickling anything, and what can be guaranteed for it."""

from __future__ import annotations

import os
import zipfile
from typing import Any

import numpy as np

import linear_lottery
import recovery
from planted.base.exactness import check_exact
from recovery import GatedOperator, Instance

__all__ = ["BadFile", "read", "report"]


class BadFile(ValueError):
    """A file does not hold what is asked for; the message is a sentence."""


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], list[str]]:
    """Read what :func:`recovery.diagnose` takes from an npz file.

    Parameters
    ----------
    path : path
        Holds ``A`` (n, N), or ``X`` (n, d) with ``gates`` (n, p) or generators ``H`` (d, p); perhaps ``y`` (n,), the
        planted ``x`` (N,), and the sparsity ``s``. Also a file that :meth:`recovery.Instance.save` wrote.

    Returns
    -------
    arguments : dict
        For :func:`recovery.diagnose`.
    ignored : list of str
        Names that were not used.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    BadFile
        If it is no npz file, holds objects, arrays are missing or do not fit, or float64 would round a number: what is
        proved is proved of the numbers of the file.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            stored = np.load(file, allow_pickle=False)
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise BadFile(f"{name} holds one array without a name; expected an npz file with A, or X and gates")
            found = {key: _array(stored, key, name) for key in stored.files}
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {name}") from None
    except OSError as error:
        raise BadFile(f"{name} cannot be read ({error.strerror or error}); expected an npz file") from error
    except MemoryError as error:
        raise BadFile(f"{name} holds an array that is too large for the memory here ({error})") from error
    except (ValueError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"{name} is no npz file; expected one as numpy.savez writes it") from error
    if "about" in found:
        return _instance(path, name), []
    try:
        arguments = _arguments(found)
    except (TypeError, ValueError) as error:
        raise BadFile(f"{name}: {error}") from error
    return arguments, sorted(set(found) - _used(found))


def report(path: str | os.PathLike[str], *, sparsity: int | None = None, improve: bool = True) -> str:
    """Diagnose the matrix in a file.

    Parameters
    ----------
    path : path
        See :func:`read`.
    sparsity : int, optional
        In place of the one in the file.
    improve : bool, default True
        Whether to measure what changes would bring.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    FileNotFoundError, BadFile
        As :func:`read`; also if the arrays do not fit each other.
    """
    arguments, ignored = read(path)
    if sparsity is not None:
        arguments["sparsity"] = sparsity
    listed = [*recovery.guarantees.catalogue(), *linear_lottery.guarantees.catalogue()]
    try:
        found = recovery.diagnose(**arguments, guarantees=listed, improve=improve)
    except (TypeError, ValueError) as error:
        raise BadFile(f"{os.fspath(path)}: {error}") from error
    if ignored:
        found.notes.append(f"Not used: {', '.join(ignored)}.")
    return found.table()


def _array(stored: Any, key: str, name: str) -> np.ndarray:
    try:
        return np.asarray(stored[key])
    except ValueError as error:
        raise BadFile(f"{name}: {key} holds objects, which are not unpickled; expected an array of numbers") from error


def _instance(path: str | os.PathLike[str], name: str) -> dict[str, Any]:
    try:
        there = Instance.load(path)
    except (TypeError, ValueError, KeyError) as error:
        raise BadFile(f"{name}: {error}") from error
    return {"A": there.A, "y": there.y, "x": there.x, "sparsity": there.sparsity or None}


def _used(found: dict[str, np.ndarray]) -> set[str]:
    """Return the names that :func:`_arguments` looks at: A before X, H before generators, sparsity before s."""
    choices = [("sparsity", "s"), ("y",), ("x",)]
    choices += [("A",)] if "A" in found else [("X",), ("H", "generators"), ("gates",)]
    return {next(name for name in names if name in found) for names in choices if any(n in found for n in names)}


def _arguments(found: dict[str, np.ndarray]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if "A" in found:
        arguments["A"] = check_exact(found["A"], "A", ndim=2)
    elif "X" in found:
        X = check_exact(found["X"], "X", ndim=2)
        H = found.get("H", found.get("generators"))
        if H is not None:
            H = check_exact(H, "H", ndim=2, shape=(int(X.shape[1]), None))
            arguments["generators"] = H
        if "gates" in found:
            arguments["A"] = GatedOperator(X, found["gates"])
        elif H is not None:
            arguments["A"] = GatedOperator.from_generators(X, H)
        else:
            arguments["A"] = X  # a linear model
    else:
        listed = ", ".join(found) or "nothing"
        raise ValueError(f"it holds {listed}; expected A, or X with gates or generators H")
    for key in ("y", "x"):
        if key in found:
            arguments[key] = check_exact(found[key], key, ndim=1)
    for key in ("s", "sparsity"):
        if key in found:
            value = found[key]
            if value.shape != () or value.dtype.kind not in "iu":
                raise ValueError(f"{key} is {value!r}; expected one integer")
            arguments["sparsity"] = int(value)
    return arguments
