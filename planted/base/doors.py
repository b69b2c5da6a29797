"""What a package shows: its public names and nothing else, each imported when it is asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["door", "listing"]

ALWAYS = ("__all__", "__doc__", "__file__", "__name__", "__path__", "__version__")


def listing(package: str, public: Iterable[str]) -> Callable[[], list[str]]:
    """Return the ``__dir__`` of a package: the public names, and what every package has.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    public : iterable of str
        Its ``__all__``.

    Returns
    -------
    callable
        To be assigned to ``__dir__``.
    """
    shown = sorted({*public, *ALWAYS})
    return lambda: [name for name in shown if name in public or name in sys.modules[package].__dict__]


def door(
    package: str, places: Mapping[str, Iterable[str]], modules: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and the ``__dir__`` of a package that imports nothing by itself.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    places : mapping of str to iterable of str
        Full name of a module -> public names that it defines.
    modules : iterable of str, optional
        Public modules of the package, such as ``"designs"``.

    Returns
    -------
    getattr, dir : callable
        A name that was asked for once is kept in the package, so that the next look costs nothing.

    Notes
    -----
    Type checkers do not see through this. The package says the same to them under ``TYPE_CHECKING``, and hides
    ``__getattr__`` from them, so that a misspelt name is an error; tests/test_doors.py compares the two.
    """
    home = {name: place for place, names in places.items() for name in names}
    modules = tuple(modules)

    def find(name: str) -> Any:
        if name in modules:
            return importlib.import_module(f"{package}.{name}")  # which also keeps it
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(home[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return find, listing(package, (*home, *modules))
