"""Packages that only some functions need: each comes with an extra, and is imported where it is used."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["EXTRA_OF", "MissingExtra", "need", "sentence"]

EXTRA_OF = {
    "cvxpy": "certificates",
    "clarabel": "certificates",
    "flint": "certificates",
    "sympy": "symbolic",
    "matplotlib": "figures",
    "mpl_toolkits": "figures",
    "tqdm": "figures",
    "threadpoolctl": "figures",
    "sklearn": "data",
    "pooch": "data",
    "pandas": "data",
    "hypothesis": "testing",
    "dask": "cluster",
    "distributed": "cluster",
    "cupy": "gpu",
}
"""The extra that brings each package, by the name under which it is imported."""
_NAMES = {
    "flint": "python-flint",
    "sklearn": "scikit-learn",
    "mpl_toolkits": "matplotlib",
    "dask": "Dask",
    "distributed": "Dask",
    "cupy": "CuPy",
}
"""What a package is called where it is not called as it is imported."""


class MissingExtra(ModuleNotFoundError):
    """A package that an extra brings is not installed; the sentence says which, and how to install it."""


def sentence(package: str, user: str = "this") -> str:
    """Return what to say where a package is missing.

    Parameters
    ----------
    package : str
        A key of :data:`EXTRA_OF`.
    user : str, default "this"
        What needs it.

    Returns
    -------
    str
        Names the package and the command that installs it.
    """
    return (
        f"{user} needs {_NAMES.get(package, package)}, which is not installed: "
        f"pip install 'sparse-recovery-lab[{EXTRA_OF[package]}]'"
    )


def need(module: str, user: str = "this") -> Any:
    """Import a module of an optional package.

    Parameters
    ----------
    module : str
        Its full name, such as ``"sympy"`` or ``"sklearn.datasets"``.
    user : str, default "this"
        What needs it, for the sentence.

    Returns
    -------
    module
        What ``import`` would have given.

    Raises
    ------
    MissingExtra
        If the package is not installed. The sentence names the extra that brings it.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise  # the package is there, and something that it needs is not
        raise MissingExtra(sentence(package, user), name=package) from error
