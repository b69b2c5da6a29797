"""A look for each solver, the same in all figures on recovery."""

from __future__ import annotations

from figures.style import COLOURS

__all__ = ["LOOK"]

LOOK: dict[str, tuple[str, str]] = {
    "iht": (COLOURS["orange"], "o"),
    "niht": (COLOURS["yellow"], "s"),
    "htp": (COLOURS["green"], "P"),
    "omp": (COLOURS["purple"], "v"),
    "l1": (COLOURS["blue"], "D"),
    "group-l1": ("black", "X"),
}
"""Colour and marker."""
