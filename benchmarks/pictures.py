"""Draw the pictures of the documentation and of the README from stored results: ``python -m benchmarks.pictures``.

``make figures`` computes the results. The README's lead picture has two columns of Figure 1 for one hidden layer, the
paper's method and exact recovery. Its upper row shows the share of seeds for which the planted network was recovered,
the lower row the PSNR of the fit.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import figures
import paper_repro
from figures import panels
from figures.style import style

DOCS = Path(__file__).parents[1] / "docs"
SUFFIX = ("fig1", "fig2", "fig4", "fig5", "fig6", "fig7", "fig9", "fig10", "exact", "exact-limits")
"""Figures whose file names contain the preset."""
PLAIN = ("fig3-binary", "fig3-digits", "centred", "conditions", "gram", "phase", "rsc")
PLAIN += ("imp-controls", "imp-decoy", "imp-init", "imp-margin", "imp-order", "imp-phase", "imp-risk")
PLAIN += ("pr-ablations", "pr-accuracy", "pr-auc", "pr-bingo", "pr-floor", "pr-neq", "pr-neq-phi", "pr-transfer")
SHOWN = ("paper", "exact")
"""Columns of the lead picture."""


def file_of(name: str, preset: str) -> str:
    """Return the name of a picture in the documentation."""
    return name.replace("-", "_") + (f"_{preset}" if name in SUFFIX else "") + ".png"


def lead(results: Any) -> Any:
    """Return the lead picture, from results of Figure 1."""
    from matplotlib.figure import Figure

    summary = results.meta["summary"]
    one_layer = [row for row in summary["rows"] if row["name"] == "one hidden layer"]
    chosen = [row for word in ("same network", "PSNR") for row in one_layer if word in row["unit"]]
    rows = [{**row, "panels": [panel for panel in row["panels"] if panel["method"] in SHOWN]} for row in chosen]
    shown = {**summary, "rows": rows}
    with style():
        _, height = panels.size(shown)
        figure = Figure(figsize=(5.4, height - 0.2), layout="constrained")
        sizes = summary["subtitle"].split("\n")[0]
        heading = f"Recovering a planted ReLU network: the grid of Figure 1, preset {results.meta['preset']}"
        figure.suptitle(f"{heading}\n{sizes}")
        panels.draw(panels.arrange(figure, shown), shown, True)
    return figure


def main(argv: list[str] | None = None) -> None:
    """Draw the figures that have results, and list those that have none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="figures; all by default, and the lead picture ('lead')")
    parser.add_argument("--results", default="results", help="the results folder")
    parser.add_argument("--preset", default="quick", help="which size")
    parser.add_argument("--output", type=Path, default=DOCS, help="folder for the pictures")
    options = parser.parse_args(argv)
    for name in options.names or [*SUFFIX, *PLAIN, "lead"]:
        source = "fig1" if name == "lead" else name
        try:
            found = paper_repro.load(source, preset=options.preset, results=options.results)
        except FileNotFoundError as error:
            print(error)
            continue
        missing = found.meta["cells"] - len(found.arrays)
        if missing:
            print(f"{name}: {missing} of {found.meta['cells']} cells are missing; not drawn")
            continue
        drawn = lead(found) if name == "lead" else figures.draw(name, found)
        path = options.output / ("lead.png" if name == "lead" else file_of(name, options.preset))
        path.write_bytes(figures.render(drawn)["png"])
        print(path)


if __name__ == "__main__":
    main()
