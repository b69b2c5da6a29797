"""Iterative magnitude pruning in linear models: gradient flow in closed form, pruning by magnitude and by threshold."""

from typing import Any

from linear_lottery._imp import imp
from linear_lottery._threshold import threshold_prune
from linear_lottery.flow import gradient_flow
from linear_lottery.path import PruningPath

__all__ = ["PruningPath", "closed_forms", "gradient_flow", "imp", "threshold_prune"]


def __getattr__(name: str) -> Any:
    """Import `closed_forms` when it is asked for: it needs SciPy, which algorithms do without."""
    if name == "closed_forms":
        import importlib

        return importlib.import_module("linear_lottery.closed_forms")
    raise AttributeError(f"module 'linear_lottery' has no attribute {name!r}")
