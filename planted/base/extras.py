"""Optional packages: each is installed by an extra, and imported only where it is used."""

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
"""Import name of each optional package -> the extra that installs it."""
_NAMES = {
    "flint": "python-flint",
    "sklearn": "scikit-learn",
    "mpl_toolkits": "matplotlib",
    "dask": "Dask",
    "distributed": "Dask",
    "cupy": "CuPy",
}
"""Names of packages that differ from their import names."""


class MissingExtra(ModuleNotFoundError):
    """An optional package is not installed; the message says which one, and how to install it."""


def sentence(package: str, user: str = "this") -> str:
    """Return the message for a missing package.

    Parameters
    ----------
    package : str
        A key of :data:`EXTRA_OF`.
    user : str, default "this"
        What needs it.

    Returns
    -------
    str
        A message that names the package and the command that installs it.
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
        What needs it, for the message.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    MissingExtra
        If the package is not installed. The message names the extra that installs it.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise  # the package is installed, but one of its own dependencies is not
        raise MissingExtra(sentence(package, user), name=package) from error
