"""The style of all figures: one style file, applied within a context, and colours suitable for the colour-blind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl

__all__ = ["COLOURS", "SOLVER_LOOK", "WIDTH", "style"]


WIDTH = 6.9
"""Width of a figure in inches: two columns of a paper."""

COLOURS = {
    "blue": "#0072b2",
    "orange": "#d55e00",
    "green": "#009e73",
    "purple": "#cc79a7",
    "yellow": "#e69f00",
    "grey": "#7f7f7f",
}
"""The palette of Okabe and Ito."""


_drawing = threading.RLock()


@contextmanager
def style() -> Iterator[None]:
    """Draw with the project's style regardless of the user's settings, which are restored afterwards.

    The settings are global to the process, so only one thread draws at a time.
    """
    with _drawing, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(
            mpl.rc_params_from_file(Path(__file__).with_name("paper.mplstyle"), use_default_template=False)
        )
        yield


SOLVER_LOOK: dict[str, tuple[str, str]] = {
    "iht": (COLOURS["orange"], "o"),
    "niht": (COLOURS["yellow"], "s"),
    "htp": (COLOURS["green"], "P"),
    "omp": (COLOURS["purple"], "v"),
    "l1": (COLOURS["blue"], "D"),
    "group-l1": ("black", "X"),
}
"""Colour and marker."""
