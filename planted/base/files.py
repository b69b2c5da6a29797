"""Saving and loading of objects in npz and JSON, never pickle, so that later versions can read the files."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import math
import os
import zipfile
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from planted.base import arrays

__all__ = ["FORMAT", "VERSION", "Stored", "can_be_saved", "storable", "write_whole"]

FORMAT = "sparse-recovery-lab"
"""Format marker of the package's files."""
VERSION = 1
"""Version of the layout of the files; a reader refuses later ones."""
SUFFIXES = (".npz", ".json")

_KINDS: dict[str, type] = {}
"""Classes that may be read from a file, by name. Nothing else is ever made of what a file says."""
_Class = TypeVar("_Class", bound=type)
_Self = TypeVar("_Self", bound="Stored")
_DTYPES = {"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"}


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under another name first, so that a reader never sees half of it."""
    partial = path.with_name(path.name + ".part")
    try:
        with open(partial, "wb") as file:
            file.write(content)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from None  # not the name of the partial file


def storable(cls: _Class) -> _Class:
    """Let objects of a dataclass or an enum be part of an object that is saved.

    Parameters
    ----------
    cls : type
        A dataclass, whose fields are written by name; or an enum, whose members are.

    Returns
    -------
    type
        The same class.
    """
    known = _KINDS.get(cls.__name__, cls)
    # reloading a module creates its classes again
    assert known.__module__ == cls.__module__, f"two classes are called {cls.__name__}"
    _KINDS[cls.__name__] = cls
    return cls


class Stored:
    """A class whose objects can be saved to a file and loaded from it.

    A subclass is a dataclass, or has ``_state``, a dict of what it consists of, and the class method ``_of_state``.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__module__.partition(".")[0] in ("planted", "recovery", "linear_lottery"):
            _KINDS[cls.__name__] = cls

    def _state(self) -> dict[str, Any]:
        """Return what the object consists of, by name."""
        return _fields(self)

    @classmethod
    def _of_state(cls: type[_Self], state: dict[str, Any]) -> _Self:
        """Return the object that consists of these parts."""
        return cls(**state)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the object to a file that :meth:`load` reads without unpickling anything.

        Parameters
        ----------
        path : path
            File name. It ends in ``.npz``, which holds arrays as they are in memory, or in ``.json``, which is text.
            Both hold every number with all its digits. Arrays of a GPU are written as those of the CPU.

        Raises
        ------
        ValueError
            If the name has another ending.
        TypeError
            If a part cannot be written, such as a function.
        FileNotFoundError
            If the folder does not exist.
        """
        where = _named(path)
        text, held = _encoded(self)
        content = {"format": FORMAT, "version": VERSION, "kind": type(self).__name__, "content": text}
        if where.suffix == ".json":
            content["arrays"] = [_listed(one) for one in held]
            write_whole(where, (json.dumps(content, allow_nan=False) + "\n").encode())
            return
        packed = io.BytesIO()
        about = np.frombuffer(json.dumps(content, allow_nan=False).encode(), dtype=np.uint8)
        named: dict[str, Any] = {f"array_{i}": one for i, one in enumerate(held)}
        np.savez(packed, about=about, **named)
        write_whole(where, packed.getvalue())

    @classmethod
    def load(cls: type[_Self], path: str | os.PathLike[str]) -> _Self:
        """Read an object that :meth:`save` wrote.

        Parameters
        ----------
        path : path
            File name, ending in ``.npz`` or ``.json``.

        Returns
        -------
        object
            Equal to the one that was saved, in every number and dtype. Its arrays are on the CPU.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file holds something else, is damaged, or was written by a later version.
        """
        where = _named(path)
        raw = where.read_bytes()
        expected = f"expected a {cls.__name__} that was saved"
        try:
            content, held = _read_json(raw) if where.suffix == ".json" else _read_npz(raw)
        except (ValueError, TypeError, KeyError, OSError, EOFError, RecursionError, zipfile.BadZipFile) as error:
            raise ValueError(f"{os.fspath(path)} cannot be read as {where.suffix[1:]} ({error}); {expected}") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"{os.fspath(path)} was not written by this package; {expected}")
        if content.get("version") != VERSION:
            raise ValueError(
                f"{os.fspath(path)} has version {content.get('version')!r} of the format; this release reads {VERSION}"
            )
        if content.get("kind") != cls.__name__:
            raise ValueError(f"{os.fspath(path)} holds a {content.get('kind')}; {expected}")
        try:
            found = _decoded(content["content"], held)
            if type(found) is not cls:
                raise TypeError(f"its content is of type {type(found).__name__}")
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            raise ValueError(f"{os.fspath(path)} is damaged ({error}); {expected}") from error
        return found


def _named(path: str | os.PathLike[str]) -> Path:
    where = Path(path)
    if where.suffix not in SUFFIXES:
        raise ValueError(f"path={os.fspath(path)!r} ends in {where.suffix!r}; expected {' or '.join(SUFFIXES)}")
    return where


def _fields(value: Any) -> dict[str, Any]:
    return {item.name: getattr(value, item.name) for item in dataclasses.fields(value) if item.init}


def _encoded(value: Any) -> tuple[Any, list[np.ndarray]]:
    """Return a value as JSON, in which arrays are numbers of a list, and that list."""
    held: list[np.ndarray] = []

    def array(one: Any) -> int:
        host = arrays.to_numpy(one)
        if host.dtype.name not in _DTYPES and host.dtype.kind != "U":
            raise TypeError(f"an array of dtype {host.dtype} cannot be saved; expected numbers, bools or text")
        held.append(host)
        return len(held) - 1

    def put(one: Any) -> Any:
        if one is None or type(one) in (bool, int, str):
            return one
        if type(one) is float:
            return one if math.isfinite(one) else {"float": repr(one)}
        if isinstance(one, np.generic):
            return {"number": array(one)}
        if arrays.is_array(one) and one.dtype == object and all(type(item) is str for item in one.ravel()):
            return {"text": [one.ravel().tolist(), list(one.shape)]}
        if arrays.is_array(one):
            return {"array": array(one)}
        if type(one) is list:
            return [put(item) for item in one]
        if type(one) is tuple:
            return {"tuple": [put(item) for item in one]}
        if isinstance(one, Mapping):
            return {"dict": [[put(key), put(item)] for key, item in one.items()]}
        kind = type(one).__name__
        if _KINDS.get(kind) is type(one):
            if isinstance(one, Enum):
                return {"member": [kind, one.name]}
            state = one._state() if isinstance(one, Stored) else _fields(one)
            return {"object": [kind, {name: put(item) for name, item in state.items()}]}
        raise TypeError(
            f"{_short(one)} is of type {kind}, which cannot be saved; expected numbers, text, arrays and results "
            "of this package"
        )

    return put(value), held


def can_be_saved(value: Any) -> bool:
    """Return whether :meth:`Stored.save` can write a value."""
    try:
        _encoded(value)
    except TypeError:
        return False
    return True


def _short(value: Any) -> str:
    """Return what a value prints like, cut where that is long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _decoded(value: Any, held: list[np.ndarray]) -> Any:
    """Return the value that JSON and a list of arrays stand for."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [_decoded(one, held) for one in value]
    ((tag, inner),) = value.items()
    if tag == "float":
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[inner]
    if tag in ("array", "number"):
        return held[inner] if tag == "array" else held[inner][()]
    if tag == "text":
        return np.array(inner[0], dtype=object).reshape(inner[1])
    if tag == "tuple":
        return tuple(_decoded(one, held) for one in inner)
    if tag == "dict":
        return {_decoded(key, held): _decoded(one, held) for key, one in inner}
    if tag == "member":
        kind, name = inner
        return _KINDS[kind][name]  # type: ignore[index]
    if tag == "object":
        kind, parts = inner
        if kind not in _KINDS:
            raise ValueError(f"a part is a {kind}, which is not known here")
        state = {name: _decoded(one, held) for name, one in parts.items()}
        made = _KINDS[kind]
        return made._of_state(state) if issubclass(made, Stored) else made(**state)
    raise ValueError(f"a part is of the unknown kind {tag!r}")


def _listed(array: np.ndarray) -> dict[str, Any]:
    """Return an array as JSON; what is not finite becomes text."""
    flat = array.ravel().tolist()
    if array.dtype.kind == "f":
        flat = [one if math.isfinite(one) else repr(one) for one in flat]
    return {"dtype": array.dtype.str[1:] if array.dtype.kind == "U" else array.dtype.name,
            "shape": list(array.shape), "values": flat}  # fmt: skip


def _read_json(raw: bytes) -> tuple[Any, list[np.ndarray]]:
    content = json.loads(raw)
    held = []
    for one in content.get("arrays", []) if isinstance(content, dict) else []:
        if one["dtype"] not in _DTYPES and not one["dtype"].startswith("U"):
            raise ValueError(f"dtype {one['dtype']!r} is not known")
        values = one["values"]
        if one["dtype"].startswith("float"):
            values = [float(item) for item in values]
        held.append(np.array(values, dtype=one["dtype"]).reshape(one["shape"]))
    return content, held


def _read_npz(raw: bytes) -> tuple[Any, list[np.ndarray]]:
    if not zipfile.is_zipfile(io.BytesIO(raw)):
        raise ValueError("it is no npz file, or its end is missing")
    with np.load(io.BytesIO(raw), allow_pickle=False) as file:
        if "about" not in file.files:
            return None, []
        content = json.loads(file["about"].tobytes())
        held = [file[f"array_{i}"] for i in range(len(file.files) - 1)]
    return content, held
