"""Packages that expose only their public names, and import each on first use."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from planted.base.extras import need

__all__ = ["door", "listing"]

DISTRIBUTION = "sparse-recovery-lab"


def listing(public: Iterable[str]) -> Callable[[], list[str]]:
    """Return the ``__dir__`` of a package that imports its public names eagerly.

    Parameters
    ----------
    public : iterable of str
        Its ``__all__``.

    Returns
    -------
    callable
        The function to assign to ``__dir__``.
    """
    shown = sorted(public)
    return lambda: list(shown)


def door(
    package: str, places: Mapping[str, str], *, modules: str = "", needs: str = ""
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and the ``__dir__`` of a package that imports its names lazily.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    places : mapping of str to str
        Full name of a module -> public names that it defines, separated by spaces.
    modules : str, optional
        Its public modules, such as ``"datasets designs"``.
    needs : str, optional
        Optional packages without which none of the names can be imported.

    Returns
    -------
    getattr, dir : callable
        Once imported, a name is stored in the package, so later lookups are free. ``__version__`` is that of the
        installed distribution.

    Notes
    -----
    Type checkers cannot follow this. Packages therefore repeat the imports under ``TYPE_CHECKING`` and hide
    ``__getattr__`` from them, so that a misspelt name is an error; tests/test_doors.py compares the two.
    """
    home = {name: place for place, names in places.items() for name in names.split()}
    inside = frozenset(modules.split())

    def find(name: str) -> Any:
        if name in inside:
            return importlib.import_module(f"{package}.{name}")  # which also stores it in the package
        if name in home:
            for other in needs.split():
                need(other, package)
            place = importlib.import_module(home[name])
            value = getattr(place, name) if hasattr(place, name) else importlib.import_module(f"{home[name]}.{name}")
        elif name == "__version__":
            value = _version()
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, value)
        return value

    return find, listing((*home, *inside))


def _version() -> str:
    from importlib import metadata  # slow to import, so only when it is needed

    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0+unknown"  # a copy of the source that is not installed
