"""Made-up outcomes of the experiments on pruning planted models: smooth curves, drawn without any training."""

import numpy as np

from paper_repro.experiments import pr_ablations, pr_auc, pr_bingo, pr_transfer


def _draw(settings):
    return np.random.default_rng([settings["seed"], len(str(settings))])


def auc(settings):
    steps, draw = pr_auc.STEPS[settings["kind"]], _draw(settings)
    names = pr_auc.ALL
    if not settings["whole"]:
        steps, names = (steps[0], steps[-1]), pr_auc.POINT
    found = {
        name: (0.5 + (0.4 - 0.05 * place) * np.linspace(0, 1, len(steps)) + 0.02 * draw.random(len(steps))).tolist()
        for place, name in enumerate(names)
    }
    return {"steps": list(steps), "auc": found}, {}


def bingo(settings):
    draw = _draw(settings)
    if settings["part"] == "variance":
        marks = np.array(pr_bingo.MARKS, dtype=float)
        spread = 1 + 0.1 * draw.random()
        return {"variance": {"printed": [spread / 3] * len(marks), "running-mean": (spread / marks).tolist()}}, {}
    count = len(settings["probes"])
    level = np.exp(-settings["scale"]) / 3 * np.linspace(0.5, 1, count) + 0.02 * draw.random()
    found = {
        "printed": (0.5 - level).tolist(),
        "corrected": (0.5 + level).tolist(),
        "running-mean": (0.52 + level).tolist(),
        "running-mean-zero": (0.62 + 0.1 * draw.random(count)).tolist(),
        "release": (0.6 + 0.1 * draw.random(count)).tolist(),
        "magnitude": [0.95],
        "distance": [0.55 + float(level[-1])],
    }
    return {"auc": found, "probes": [5.0 * one for one in settings["probes"]]}, {}


def transfer(settings):
    draw = _draw(settings)
    overlaps, exact = settings["overlaps"], settings["kind"] == "linear"
    found = {"errors": {}, "exact": {}, "recall": [0.1 + 0.9 * overlap for overlap in overlaps]}
    for n in settings["targets"]:
        mean = [
            {name: (1.01 - overlap) * (1 + place) * 20 / n for place, name in enumerate(pr_transfer.WAYS)}
            for overlap in overlaps
        ]
        spread = 0.8 + 0.4 * draw.random()
        found["errors"][str(n)] = [{name: spread * value for name, value in one.items()} for one in mean]
        found["exact"][str(n)] = mean if exact else [{} for _ in mean]
    return found, {}


def ablations(settings):
    draw = _draw(settings)
    keys = [key for key in pr_ablations.ROWS if settings["kind"] == "relu" or key not in pr_ablations.ONE_LAYER]
    right = {key: 0.9 - 0.04 * place + 0.02 * draw.random() for place, key in enumerate(keys)}
    error = {key: 0.02 * (1 + place) * (1 + 0.2 * draw.random()) for place, key in enumerate(keys)}
    return {"right": right, "error": error, "updates": dict.fromkeys(keys, 400)}, {}


OUTCOMES = {"pr-auc": auc, "pr-bingo": bingo, "pr-transfer": transfer, "pr-ablations": ablations}
