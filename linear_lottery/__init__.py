"""Iterative magnitude pruning in linear models: gradient flow in closed form, pruning by magnitude and by threshold."""

from typing import Any

from linear_lottery._imp import imp, threshold_prune
from linear_lottery.flow import gradient_flow
from linear_lottery.path import PruningPath

__all__ = ["PruningPath", "closed_forms", "comparators", "gradient_flow", "guarantees", "imp", "threshold_prune"]


def __getattr__(name: str) -> Any:
    """Import these modules when asked for: they need more packages than the algorithms do."""
    if name in ("closed_forms", "comparators", "guarantees"):
        import importlib

        return importlib.import_module(f"linear_lottery.{name}")
    raise AttributeError(f"module 'linear_lottery' has no attribute {name!r}")
