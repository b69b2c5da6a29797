"""Made-up outcomes of the experiments on pruning in linear models: smooth curves, drawn without any pruning."""

import numpy as np

from paper_repro.experiments import imp_decoy, imp_init, imp_phase, imp_risk


def _counts(settings, rates):
    trials = settings["trials"]
    draw = np.random.default_rng([settings["seed"], trials])
    return {"trials": trials, **{name: int(draw.binomial(trials, rate)) for name, rate in rates.items()}}


def phase(settings):
    signal = settings["amplitude"] ** 2 * settings["n"] / 20
    rates = {name: 1 - np.exp(-signal / (1 + place)) for place, name in enumerate(imp_phase.METHODS)}
    return _counts(settings, rates), {}


def decoy(settings):
    c = settings["correlation"]
    rates = {name: 1 - c * place / 6 for place, name in enumerate(imp_decoy.METHODS)}
    counts = _counts(settings, rates)
    return {**counts, "above": counts, "irrepresentable": [1.6 * c, 0.1 + 1.7 * c, 0.2 + 1.8 * c]}, {}


def init(settings):
    rates = {name: np.exp(-settings["alpha"] * (2 + 8 * place)) for place, name in enumerate(imp_init.METHODS)}
    metrics = _counts(settings, rates)
    for name in imp_init.METHODS:
        share = np.linspace(0, settings["trials"], settings["k"] + 2).round().astype(int)
        metrics[f"{name} common"] = np.diff(share).tolist()
    return metrics, {}


def risk(settings):
    d, trials = settings["d"], settings["trials"]
    sizes = imp_risk.fixed_sizes(settings["n"], d, settings["k"])
    draw = np.random.default_rng([settings["seed"], d])
    spread = np.exp(draw.normal(size=(trials, 1)) / 2)
    arrays = {
        "imp": spread * np.linspace(1.0, 0.1, d),
        "truncated": spread * np.linspace(1.1, 0.2, d),
        "fixed": spread * np.linspace(0.1, 1.0, len(sizes)),
        "recovered": np.ones(trials, dtype=bool),
        "fixed_sizes": np.array(sizes),
    }
    return {"trials": trials, "recovered": trials}, arrays


OUTCOMES = {"imp-phase": phase, "imp-decoy": decoy, "imp-init": init, "imp-risk": risk}
