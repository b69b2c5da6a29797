"""The two public steps: from results to a Figure, and from a Figure to the bytes of its files."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from planted.base.extras import need

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CELL", "draw", "names", "provide", "render"]

CELL = "cell"
"""Name in the SVG of what stands on a colour scale and is coloured for it: a dark variant changes both or neither."""

_sources: list[Callable[[], Mapping[str, Any]]] = []


def provide(layouts: Callable[[], Mapping[str, Any]]) -> None:
    """Register figures by name.

    Parameters
    ----------
    layouts : callable
        Returns a mapping from names to layouts, as :func:`draw` takes them. It is called when names are needed;
        ``paper_repro`` registers its own experiments on import.
    """
    _sources.append(layouts)


def names() -> list[str]:
    """Return the names of the figures that can be drawn, as registered by the imported packages."""
    return sorted(_provided())


def _provided() -> dict[str, Any]:
    return {name: layout for source in _sources for name, layout in source().items()}


def draw(name: str, results: Any, axes: Sequence[Any] | None = None, *, title: bool = True) -> Figure:
    """Draw a figure.

    Parameters
    ----------
    name : str
        One of :func:`names`, or that of another experiment whose results these are.
    results : paper_repro.Results
        What ``paper_repro.load`` returned for that name. ``meta["layout"]`` is what draws them: the import path of a
        module, or an object, with four functions. ``panels(summary) -> int`` says how many axes are needed;
        ``size(summary) -> (float, float)`` is the size of a figure of its own in inches, and
        ``layout(figure, count) -> list of axes`` divides it; ``draw(axes, summary, own)`` draws what is in
        ``meta["summary"]``, where `own` tells whether the figure is its own. If there is a fifth one,
        ``arrange(figure, summary) -> list of axes``, it divides the figure in place of ``layout``.
    axes : sequence of matplotlib.axes.Axes, optional
        Axes to draw into, one per panel; by default a new figure with a title is created.
    title : bool, default True
        Whether a new figure has a title, with its figure and paper, preset, content and sizes. A page that says so
        already leaves it out.

    Returns
    -------
    matplotlib.figure.Figure
        The new figure, or the one that `axes` belong to.

    Raises
    ------
    ValueError
        If there is no such figure, the results are those of another one, or there are too few axes.
    """
    Figure = need("matplotlib.figure", "figures.draw").Figure  # takes its time, and names of figures need none of it
    meta = results.meta
    layout = meta.get("layout") if meta["experiment"] == name else _provided().get(name)
    if layout is None:
        raise ValueError(f"name={name!r} is not a figure that can be drawn; expected one of {', '.join(names())}")
    if meta["experiment"] != name:
        raise ValueError(f"results are those of {meta['experiment']!r}; expected those of {name!r}")
    if not meta["summary"]:
        raise ValueError(f"results of {name!r} hold no finished cell; compute some with `paper-repro run {name}`")

    from figures.style import style

    module = importlib.import_module(layout) if isinstance(layout, str) else layout
    count: int = module.panels(meta["summary"])
    with style():
        own = axes is None
        if axes is None:
            figure = Figure(figsize=module.size(meta["summary"]), layout="constrained")
            if title:
                figure.suptitle(_title(meta), gid="title")  # by which a page that has headings of its own finds it
            arrange = getattr(module, "arrange", None)
            axes = module.layout(figure, count) if arrange is None else arrange(figure, meta["summary"])
        elif len(axes) < count:
            raise ValueError(f"axes has {len(axes)} element(s); expected at least {count}, one per panel")
        module.draw(list(axes)[:count], meta["summary"], own)
        drawn = axes[0].figure
    return drawn


def _title(meta: Mapping[str, Any]) -> str:
    """Return which figure it is, what it shows, its sizes, and beside them those of the paper."""
    first, *paper = meta.get("heading") or [None]
    lines = [first, meta["title"], meta["summary"]["subtitle"], *paper]
    return "\n".join(line for line in lines if line)


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
    need("matplotlib", "figures.render")
    from figures.style import style

    contents = {}
    metadata = {"png": {"Software": "sparse-recovery-lab"}, "svg": {"Date": None, "Creator": "sparse-recovery-lab"}}
    engine = figure.get_layout_engine()
    try:
        with style():
            for kind, values in metadata.items():
                buffer = io.BytesIO()
                figure.savefig(buffer, format=kind, metadata=values)
                contents[kind] = buffer.getvalue()
                figure.set_layout_engine("none")  # the first file has laid it out, which takes a fifth of the time
    finally:
        figure.set_layout_engine(engine)
    return contents
