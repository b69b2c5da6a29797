"""A figure from outside the project: one file with an experiment and its own layout, which no other file lists."""

from dataclasses import dataclass

import numpy as np

from paper_repro import Experiment


@dataclass(frozen=True)
class Cell:
    n: int
    seed: int
    dtype: str = "float64"


class Line:
    panels = staticmethod(lambda summary: 1)
    size = staticmethod(lambda summary: (4.0, 3.0))
    layout = staticmethod(lambda figure, count: [figure.add_subplot()])
    draw = staticmethod(lambda axes, summary, own: axes[0].loglog(summary["n"], summary["error"], "o-"))


def summarise(preset, seed, records):
    rows = [[record.cell.settings["n"], record.metrics["error"]] for record in records]
    columns = {"n": [row[0] for row in rows], "error": [row[1] for row in rows]}
    return {"subtitle": "Gaussian numbers", "table": {"columns": ["n", "error"], "rows": rows}, **columns}


FIGURE = Experiment(
    name="means", version=1, title="Error of a mean", module=__name__, settings=Cell, presets={"smoke": (10, 1000)},
    cells=lambda preset, seed: [Cell(n, seed) for n in (10, 1000)], cost=lambda cell: cell.n, summarise=summarise,
    compute=lambda cell, device: ({"error": abs(np.random.default_rng(cell.seed).normal(size=cell.n).mean())}, {}),
    layout=Line,
)  # fmt: skip
EXPERIMENTS = (FIGURE,)
