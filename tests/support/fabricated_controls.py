"""Made-up outcomes of the experiments on controls, margin and order of pruning, with few trials per cell."""

import numpy as np

TRIALS = 8
POSITIONS = np.arange(1, 20) / 20


def controls(settings):
    d = settings["d"]
    rng = np.random.default_rng([settings["seed"], d, len(settings["case"])])
    rise = np.geomspace(1e-6, 0.5, d - 1) * rng.uniform(0.5, 2.0, size=(TRIALS, d - 1))
    cond = np.geomspace(10.0 ** rng.uniform(1, 5), 1.0, d) * np.ones((TRIALS, d))
    if settings["case"] == "wide":
        cond[:, : d // 2] = np.inf
    arrays = {
        "highest": -0.05 * rise,
        "lowest": -0.25 * rise,
        "rise": rise,
        "deviation": np.full(rise.shape, 1e-16),
        "cond": cond,
        "shape": np.stack([-POSITIONS * (1 - POSITIONS)] * 2),
    }
    return {"largest_excess": float(arrays["highest"].max()), "largest_growth": -0.1}, arrays


def margin(settings):
    rng = np.random.default_rng([settings["seed"], settings["d"], len(settings["case"]), len(settings["law"])])
    margins = np.exp(rng.uniform(np.log(0.05), np.log(4.0), size=TRIALS))
    exact = margins[:, None] * rng.uniform(0.5, 2.0, size=(TRIALS, 3)) > 0.7
    exact[margins > np.sqrt(2)] = True
    return {"exact": exact.mean(axis=0).tolist(), "violations": 0}, {"margin": margins, "exact": exact}


def order(settings):
    d = settings["d"]
    rng = np.random.default_rng([settings["seed"], settings["n"], d, len(settings["law"]), round(settings["ratio"])])
    if settings["task"] == "best-subset":
        agree = rng.random(TRIALS) < 1 / settings["ratio"]
        return {"trials": TRIALS, "agree": int(agree.sum())}, {"agree": agree}
    orders = np.array([rng.permutation(d) for _ in range(TRIALS)])
    arrays = {"imp": orders, "projection": orders[::-1], "coefficient": orders, "population": orders}
    if settings["task"] == "counter-example":
        noise = rng.standard_normal((2, TRIALS, d))
        arrays |= {"projections": np.array([2.1, 2.0, 0.4, 1.1]) + noise[0] / 9, "weights": 1.5 + noise[1] / 9}
    return {"trials": TRIALS}, arrays


OUTCOMES = {"imp-controls": controls, "imp-margin": margin, "imp-order": order}
