"""The command ``paper-repro diagnose``: read a user's matrix, without unpickling, and report its guarantees."""

from __future__ import annotations

import os
import zipfile
from difflib import get_close_matches
from typing import Any

import numpy as np

import linear_lottery
import recovery
from planted.base.exactness import check_exact
from recovery import GatedOperator, Instance, NoiseLaw
from recovery.guarantees import Guarantee
from recovery.guarantees.engine.instance import LAWS

__all__ = ["BadFile", "read", "report"]

_ARRAYS = ("A", "X", "H", "generators", "gates", "y", "x")
_KNOWN = (*_ARRAYS, "s", "sparsity", "law", "sigma")


class BadFile(ValueError):
    """A file does not contain the required arrays; the message is for the user."""


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], list[str]]:
    """Read what :func:`recovery.diagnose` takes from an npz file.

    Parameters
    ----------
    path : path
        Holds ``A`` (n, N), or ``X`` (n, d) with ``gates`` (n, p) or generators ``H`` (d, p); perhaps ``y`` (n,), the
        planted ``x`` (N,), the sparsity ``s``, the name of the noise's ``law`` with its ``sigma``, and numbers that
        guarantees ask for, such as ``lam``. Also a file that :meth:`recovery.Instance.save` wrote.

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
        raise BadFile(f"{name} holds an array that is too large for the memory of this machine ({error})") from error
    except (ValueError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"{name} is not an npz file; expected one that numpy.savez wrote") from error
    if "about" in found:
        return _instance(path, name), []
    try:
        arguments = _arguments(found)
    except (TypeError, ValueError) as error:
        raise BadFile(f"{name}: {error}") from error
    return arguments, sorted(set(found) - _used(found))


def report(
    path: str | os.PathLike[str],
    *,
    sparsity: int | None = None,
    lam: float | None = None,
    law: NoiseLaw | None = None,
    improve: bool = True,
) -> str:
    """Diagnose the matrix in a file.

    Parameters
    ----------
    path : path
        See :func:`read`.
    sparsity : int, optional
        In place of the one in the file.
    lam : float, optional
        Penalty of the Lasso, in place of the one in the file.
    law : NoiseLaw, optional
        Of the noise, in place of the one in the file.
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
    if lam is not None:
        arguments["options"] = {**arguments.get("options", {}), "lam": lam}
    if law is not None:
        arguments["law"] = law
    listed = _listed()
    try:
        found = recovery.diagnose(**arguments, guarantees=listed, improve=improve)
    except (TypeError, ValueError) as error:
        raise BadFile(f"{os.fspath(path)}: {error}") from error
    if ignored:
        found.notes.insert(0, f"Not used: {', '.join(map(_hinted, ignored))}.")
    return found.table()


def _listed() -> list[Guarantee]:
    return [*recovery.guarantees.catalogue(), *linear_lottery.guarantees.catalogue()]


def _names_of_options() -> set[str]:
    """Return what guarantees ask for that is no array and no law, such as lam."""
    fields = {"A", "y", "x", "noise", "x0", "law", "sparsity"}
    return {name for guarantee in _listed() for name in guarantee.needs} - fields


def _hinted(name: str) -> str:
    """Return a name that is not used, with the known one that may have been meant."""
    known = [*_KNOWN, *sorted(_names_of_options())]
    if name in known:
        return name
    near = [one for one in known if one.lower() == name.lower()] or get_close_matches(name, known, n=1, cutoff=0.7)
    return f"{name} (did you mean {near[0]}?)" if near else name


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
    known = _names_of_options()
    options = {name: value for name, value in there.options.items() if name in known}
    arguments = {"A": there.A, "y": there.y, "x": there.x, "sparsity": there.sparsity or None}
    return arguments | {"law": there.law, "options": options}


def _used(found: dict[str, np.ndarray]) -> set[str]:
    """Return the names that :func:`_arguments` looks at: A before X, H before generators, sparsity before s."""
    choices = [("sparsity", "s"), ("y",), ("x",), *((name,) for name in _names_of_options() - {"generators"})]
    choices += [("law",), ("sigma",)] if "law" in found else []
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
    options = {
        name: _number(found[name], name) for name in sorted(_names_of_options() & set(found)) if name not in _ARRAYS
    }
    if options:
        arguments["options"] = options
    if "law" in found:
        name = found["law"]
        if name.shape != () or name.dtype.kind != "U":
            raise ValueError(f"law is {name!r}; expected the name of a law, one of {', '.join(LAWS)}")
        if "sigma" not in found:
            raise ValueError(f"law={str(name)!r} without sigma; expected the standard deviation of an entry, sigma")
        arguments["law"] = NoiseLaw(str(name), _number(found["sigma"], "sigma"))
    return arguments


def _number(value: np.ndarray, name: str) -> float | int:
    if value.shape != () or value.dtype.kind not in "iuf":
        raise ValueError(f"{name} is {value!r}; expected one number")
    number: float | int = value.item()
    return number
