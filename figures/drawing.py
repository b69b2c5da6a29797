"""The two public steps: results to a Figure, and a Figure to the bytes of its files."""

from __future__ import annotations

import importlib
import io
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from figures.style import style

__all__ = ["draw", "names", "render"]

_MODULES = {
    "fig1": "figures.fig1",
    "fig2": "figures.fig2",
    "fig6": "figures.fig6",
    "fig7": "figures.fig7",
    "fig3-binary": "figures.fig3_binary",
    "fig3-digits": "figures.fig3_digits",
    "fig8-binary": "figures.fig8_binary",
    "fig8-digits": "figures.fig8_digits",
    "fig4": "figures.fig4",
    "fig5": "figures.fig5",
    "fig9": "figures.fig9",
    "fig10": "figures.fig10",
    "table1": "figures.table1",
    "table2": "figures.table2",
    "imp-phase": "figures.imp_phase",
    "imp-decoy": "figures.imp_decoy",
    "imp-init": "figures.imp_init",
    "imp-risk": "figures.imp_risk",
    "imp-controls": "figures.imp_controls",
    "imp-margin": "figures.imp_margin",
    "imp-order": "figures.imp_order",
    "phase": "figures.phase",
    "conditions": "figures.conditions",
    "rsc": "figures.rsc",
    "centred": "figures.centred",
    "gram": "figures.gram",
}


def names() -> list[str]:
    """Return the names of the figures that can be drawn."""
    return sorted(_MODULES)


def draw(name: str, results: Any, axes: Sequence[Any] | None = None) -> Figure:
    """Draw a figure.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    results : paper_repro.Results
        What ``paper_repro.load`` returned for that name.
    axes : sequence of matplotlib.axes.Axes, optional
        Where to draw, one a panel; by default a new figure with a title is made.

    Returns
    -------
    matplotlib.figure.Figure
        The new figure, or the one that `axes` belong to.

    Raises
    ------
    ValueError
        If there is no such figure, the results are those of another one, or there are too few axes.
    """
    if name not in _MODULES:
        raise ValueError(f"name={name!r} is not a figure that can be drawn; expected one of {', '.join(names())}")
    meta = results.meta
    if meta["experiment"] != name:
        raise ValueError(f"results are those of {meta['experiment']!r}; expected those of {name!r}")
    if not meta["summary"]:
        raise ValueError(f"results of {name!r} hold no finished cell; compute some with `paper-repro run {name}`")
    module = importlib.import_module(_MODULES[name])
    count: int = module.panels(meta["summary"])
    with style():
        own = axes is None
        if axes is None:
            figure = Figure(figsize=module.size(meta["summary"]), layout="constrained")
            figure.suptitle(meta["title"] + "\n" + meta["summary"]["subtitle"])
            axes = module.layout(figure, count)
        elif len(axes) < count:
            raise ValueError(f"axes has {len(axes)} element(s); expected at least {count}, one a panel")
        module.draw(list(axes)[:count], meta["summary"], own)
        drawn: Figure = axes[0].figure
    return drawn


def render(figure: Figure) -> dict[str, bytes]:
    """Return the bytes of a figure's files; the same figure gives the same bytes every time.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What :func:`draw` returned.

    Returns
    -------
    dict
        ``"png"`` and ``"svg"``. Neither holds a date, and the names of elements inside the SVG are
        hashed with a fixed salt.
    """
    contents = {}
    metadata = {"png": {"Software": "sparse-recovery-lab"}, "svg": {"Date": None, "Creator": "sparse-recovery-lab"}}
    with style():
        for kind, values in metadata.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, metadata=values)
            contents[kind] = buffer.getvalue()
    return contents
