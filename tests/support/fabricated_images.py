"""Made-up outcomes of the figures on pruning with images: the accuracy of better methods falls at higher sparsity."""

import numpy as np

STEEP = {"random": 0.1, "bingo-printed": 0.12, "snip": 0.05, "magnitude": 0.02, "imp": 0.01, "dense": 0.0}
SAVED = {"1e-6": 0.2, "1e-5": 0.4, "1e-4": 0.6, "1e-3": 0.8, "1e-2": 0.9}


def _draw(settings, *more):
    return np.random.default_rng([settings["seed"], *more])


def accuracy(settings):
    steep = STEEP.get(settings["method"], 0.04)
    draw = _draw(settings, len(settings["method"]))
    fits = []
    for keep in settings["keep"]:
        score = float(np.clip(0.97 - steep * (1 / keep - 1) + draw.uniform(-0.01, 0.01), 0.1, 1.0))
        fits.append({"keep": keep, "accuracy": score, "weights": round(1000 * keep), "executed": 10, "booked": 5.0})
    return {"fits": fits}, {"layers": np.ones((len(fits), 3), dtype=int)}


def floor(settings):
    draw = _draw(settings, len(settings["method"]))
    if settings["method"] == "imp":
        left = np.round(1000 * 0.8 ** np.arange(8)).astype(int)
    else:
        left = np.arange(1000, -1, -50)
    steep = {"imp": 0.05, "magnitude": 0.2}.get(settings["method"], 0.6)
    gone = 1 - left / 1000
    accuracy = 0.97 - steep * gone + draw.uniform(-0.01, 0.01)
    below = np.flatnonzero(accuracy < settings["floor"])
    pruned = gone[below[0] - 1] if below.size else gone[-1]
    cost = 12.0 if settings["method"] == "imp" else 2.0
    metrics = {"pruned": float(pruned), "dense": float(accuracy[0]), "cost": cost, "forward": cost, "backward": 1.0}
    return metrics, {"left": left, "accuracy": accuracy}


def neq(settings):
    layers, epochs = len(settings["hidden"]), settings["epochs"]
    draw = _draw(settings, len(settings["rule"]))
    dense = 0.02 * (1 + draw.uniform(0, 0.1))
    frozen = np.tile(np.linspace(0, 1, epochs), (layers, 1))
    if settings["rule"] == "nothing frozen":
        fan = 0.1 * 0.8 ** np.arange(epochs)[:, None] * np.array([0.1, 0.5, 1, 2, 10])
        fans = dict.fromkeys(("phi", "change", "velocity"), np.stack([fan] * layers))
        return {"neq": {"error": dense, "saved": 0.0}}, {"frozen": 0 * frozen, **fans}
    saved = SAVED.get(settings["rule"], 0.7) + draw.uniform(-0.02, 0.02)
    units = saved if layers == 1 else saved + 0.01
    metrics = {"neq": {"error": dense * (1 + saved), "saved": saved, "counted": units, "booked": saved - 0.01}}
    metrics["neq"] |= {"thaws": [0, 3][:layers], "frozen": saved}
    for name, factor in (("random", 1.5), ("early", 1.4), ("compressed", 2.0)):
        metrics[name] = {"error": dense * (1 + saved) * factor, "saved": saved}
    return metrics, {"frozen": frozen}


OUTCOMES = {"pr-accuracy": accuracy, "pr-floor": floor, "pr-neq": neq, "pr-neq-phi": neq}
