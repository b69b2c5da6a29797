"""Made-up outcomes of the experiments on conditions and recovery: smooth curves, drawn without solving anything."""

import numpy as np

from paper_repro.experiments import centred, phase
from paper_repro.experiments.conditions import CONDITIONS, GUARANTEES


def rsc(settings):
    draw = np.random.default_rng([settings["seed"], settings["m"], settings["s"]])
    spectrum = np.sort(draw.uniform(1.0 / settings["s"], 3.0, size=settings["s"]))
    # the widest networks have a seed with two equal columns
    dependent = settings["m"] >= 5 and settings["seed"] % 2
    return {"alpha": 0.0 if dependent else float(spectrum[0]), "beta": float(spectrum[-1]), "s": settings["s"]}, {
        "spectrum": spectrum
    }


def both_arms(settings):
    trials = settings["trials"]
    draw = np.random.default_rng([settings["seed"], settings["n"], settings["k"], len(settings["signs"])])
    found = {}
    luck = draw.random(trials)
    for place, solver in enumerate(centred.SOLVERS):
        for arm, gain in zip(centred.ARMS, (0.0, 0.4), strict=True):
            found[f"{solver} {arm}"] = luck < (0.3 + gain + place / 10) / settings["k"]
            found[f"{solver} {arm} other"] = np.zeros(trials, dtype=bool)
    found |= {f"ratio {arm}": 1.0 + draw.random(trials) for arm in centred.ARMS}
    return {"trials": trials}, found


def transition(settings):
    draw = np.random.default_rng([settings["seed"], settings["n"], settings["s"], len(settings["operator"])])
    metrics, errors = {}, {}
    for place, method in enumerate(phase.METHODS):
        trials = settings["slow"] if method in phase.SLOW else settings["trials"]
        odds = (settings["n"] / (3 + place) / settings["s"]) ** 3
        found = draw.random(trials) < odds / (1 + odds)
        metrics |= {method: int(found.sum()), f"{method} trials": trials}
        errors[method] = np.where(found, 0.0, 1.0)
    return metrics, errors


def promises(settings):
    shape = (settings["trials"], settings["s_max"])
    draw = np.random.default_rng([settings["seed"], settings["n"], len(settings["operator"])])
    luck = draw.random(shape) * np.arange(1, settings["s_max"] + 1)
    found, gauss = {}, settings["operator"] == "gaussian"
    for place, name in enumerate(CONDITIONS):
        held = (luck < settings["n"] / (60 + 40 * place)) & (gauss or name in ("erc", "irrepresentable", "neural"))
        found[name] = np.where(held, 1, 0).astype(np.int8)
    found["isometry-htp"][0, -1] = -gauss  # out of reach
    for solver, names in GUARANTEES.items():
        found[f"solver {solver}"] = np.where(luck < settings["n"] / 20, 0.0, 1.0)
        found |= {f"solver {solver} {name}": np.where(found[name] == 1, 0.0, np.nan) for name in names}
    return {"trials": settings["trials"], "violations": 0}, found


OUTCOMES = {"phase": transition, "conditions": promises, "rsc": rsc, "centred": both_arms}
