"""Entries of the limit of A'A / n over the angle between two gates, and which quantities converge with n."""

from __future__ import annotations

from typing import Any

import numpy as np

from figures.style import COLOURS, WIDTH

__all__ = ["draw", "layout", "panels", "size"]

_ENTRIES = {
    "h, h": (COLOURS["blue"], "o", r"along one generator, $h^\top\! B h$"),
    "h, g": (COLOURS["orange"], "s", r"between the two, $h^\top\! B g$"),
    "outside": (COLOURS["green"], "^", "outside their plane"),
}
_DESIGNS = {"relu": (COLOURS["blue"], "ReLU"), "gaussian": (COLOURS["grey"], "Gaussian")}
_LIMIT = {"linestyle": (0, (4, 2)), "linewidth": 0.9}


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels."""
    return 4


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 5.4


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes, two by two."""
    return list(figure.subplots(2, 2).ravel())


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw entries over the angle, isometry constants, one condition number, and distances from the limit."""
    _entries(axes[0], summary)
    _constants(axes[1], summary)
    _condition(axes[2], summary)
    _distance(axes[3], summary)
    for panel in axes[1:]:
        panel.set_xscale("log")
        panel.set_xlabel("rows n")


def _entries(panel: Any, summary: dict[str, Any]) -> None:
    for name, (colour, marker, label) in _ENTRIES.items():
        panel.plot(summary["angles"], summary["curves"][name], color=colour, zorder=1)
        places = [point["theta"] for point in summary["points"]]
        found = np.array([point[name] for point in summary["points"]]).reshape(-1, 2)
        panel.errorbar(places, found[:, 0], 2 * found[:, 1], fmt=marker, color=colour, label=label, **_look(colour))
    panel.set_xticks([0, np.pi / 4, np.pi / 2, 3 * np.pi / 4, np.pi], ["0", "π/4", "π/2", "3π/4", "π"])
    panel.set_xlabel("angle of the generators h and g")
    panel.set_ylabel("entry of the block B")
    panel.set_title("One block of the limit: formula, samples ± 2 s.e.")
    panel.legend(title=r"$B = \mathrm{E}[1\{h\cdot x\geq 0\}\,1\{g\cdot x\geq 0\}\,x x^\top]$", title_fontsize=7)


def _constants(panel: Any, summary: dict[str, Any]) -> None:
    for design, (colour, word) in _DESIGNS.items():
        for name, marker, full, label in (
            ("delta_3", "o", "full", r"$\delta_3$"),
            ("delta_2", "s", "none", r"$\delta_2$ = coherence"),
        ):
            _points(panel, summary, design, name, f"{word}: {label}", colour=colour, marker=marker, full=full)
            if design == "relu":
                panel.axhline(summary["limits"][name], color=colour, zorder=0, **_LIMIT)
    panel.axhline(summary["iht_limit"], color="black", linewidth=0.9, linestyle=":", zorder=0)
    panel.annotate(
        r"$1/\sqrt{3}$: bound on $\delta_{3s}$ for IHT and HTP",
        (1, summary["iht_limit"]),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=6.5,
    )
    hits, trials = summary["recovered"]["relu"]
    panel.annotate(
        f"ReLU: HTP still finds {hits} of {trials}\nplanted vectors with {summary['planted']} non-zeros",
        (1, summary["iht_limit"]),
        xycoords=("axes fraction", "data"),
        xytext=(0, -4),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=6.5,
        color=_DESIGNS["relu"][0],
    )
    panel.set_ylim(0, 1.28)
    panel.set_yticks(np.arange(0, 1.01, 0.2))
    panel.set_ylabel("isometry constant, best scaling")
    panel.set_title("Isometry constants stay large (dashed: limit)")
    panel.legend(loc="upper right", ncols=2, fontsize=6.5, columnspacing=1.0, handlelength=1.6)


def _condition(panel: Any, summary: dict[str, Any]) -> None:
    for design, (colour, word) in _DESIGNS.items():
        _points(panel, summary, design, "condition", word, colour=colour)
    for limit, colour in ((summary["limits"]["condition"], COLOURS["blue"]), (1.0, COLOURS["grey"])):
        panel.axhline(limit, color=colour, zorder=0, **_LIMIT)
    panel.set_ylabel(r"condition number of $A_S^\top A_S$")
    panel.set_title(f"A support of {summary['support']} columns converges (dashed: limit)")
    panel.set_ylim(bottom=0)
    panel.legend()


def _distance(panel: Any, summary: dict[str, Any]) -> None:
    first: dict[str, Any] = {}
    for design, (colour, word) in _DESIGNS.items():
        limit = "population Gram matrix" if design == "relu" else "identity"
        _points(panel, summary, design, "distance", f"{word}, from the {limit}", colour=colour)
        first = first or next(({"n": n, "at": v["distance"][1]} for n, v in _there(summary, design)), {})
    if first:
        rows = np.array([summary["rows"][0], summary["rows"][-1]], dtype=float)
        panel.plot(rows, 0.55 * first["at"] * np.sqrt(first["n"] / rows), color="black", linewidth=0.8, linestyle=":")
        middle = float(np.sqrt(rows[0] * rows[1]))
        panel.annotate(
            r"$\propto n^{-1/2}$",
            (middle, 0.55 * first["at"] * np.sqrt(first["n"] / middle)),
            xytext=(-3, -3),
            textcoords="offset points",
            ha="right",
            va="top",
        )
    panel.set_yscale("log")
    low, high = panel.get_ylim()
    high *= 2  # room for the legend
    panel.set_ylim(low, high)
    ticks = [tick for tick in (0.003, 0.01, 0.03, 0.1, 0.3, 1.0) if low <= tick <= high]
    panel.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.set_yticks([], minor=True)
    panel.set_ylabel(r"largest entry of $|A^\top\! A - \mathrm{limit}|$")
    panel.set_title("The Gram matrix converges, but not to I")
    panel.legend(loc="upper right")


def _points(
    panel: Any,
    summary: dict[str, Any],
    design: str,
    name: str,
    label: str,
    *,
    colour: str,
    marker: str = "o",
    full: str = "full",
) -> None:
    """Draw medians with bars from the 10 % to the 90 % quantile."""
    there = _there(summary, design)
    rows = [n for n, _ in there]
    spread = np.array([values[name] for _, values in there]).reshape(-1, 3)
    reach = np.abs(spread[:, [0, 2]] - spread[:, [1]]).T
    panel.errorbar(
        rows, spread[:, 1], reach, fmt=marker + "-", color=colour, label=label, fillstyle=full, **_look(colour)
    )


def _there(summary: dict[str, Any], design: str) -> list[tuple[int, Any]]:
    """Return the numbers of rows that were computed, with their quantiles."""
    return [(n, values) for n, values in zip(summary["rows"], summary["series"][design], strict=True) if values]


def _look(colour: str) -> dict[str, Any]:
    return {"markersize": 3.5, "linewidth": 1.0, "elinewidth": 0.8, "capsize": 1.5, "ecolor": colour, "zorder": 2}
