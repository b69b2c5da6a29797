"""Made-up outcomes of the experiment on the population Gram matrix: the closed form with an offset, and curves in n."""

import numpy as np

from paper_repro.experiments.gram import DIRECTIONS, closed_form


def gram(settings):
    if settings["part"] == "entries":
        values = closed_form(settings["theta"])
        return {name: [value + 0.01, 0.01] for name, value in zip(DIRECTIONS, values, strict=True)}, {}
    trials, falls = settings["trials"], 1 / np.sqrt(settings["n"])
    spread = 1 + 0.1 * np.linspace(-1, 1, trials)
    level = falls if settings["design"] == "gaussian" else 0.7
    arrays = {
        "delta": np.stack([level * spread, 1.2 * level * spread], axis=1),
        "condition": (1 if settings["design"] == "gaussian" else 5) + 10 * falls * spread,
        "distance": 3 * falls * spread,
    }
    return {"trials": trials, "recovered": trials - (settings["design"] == "relu")}, arrays


OUTCOMES = {"gram": gram}
