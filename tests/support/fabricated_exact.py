"""Made-up outcomes of the cells of exact recovery: better methods are exact more often, some lines are too close."""

import math

import numpy as np

SHARE = {"paper": 0.1, "robust": 0.6, "exact": 0.95}
ERROR = {"paper": 20.0, "robust": 2.0, "exact": 1.05}


def exact(settings):
    draw = np.random.default_rng([settings["seed"], settings["m"], settings["s"], len(settings["method"])])
    method, part = settings["method"], settings["part"]
    if method == "data":
        if part == "samples":
            return {"determined": [settings["n"] >= 200] * settings["trials"]}, {}
        angle = 10 ** float(draw.uniform(-4, 0)) if settings["s"] > 1 else math.inf
        return {
            "determined": angle > 3e-4,
            "lines": settings["m"],
            "unknowns": 2 * settings["d"] + settings["s"],
            "apart": settings["m"] - 2 * (angle <= 3e-4),
            "angle": angle,
            "between": 0 if angle <= 3e-4 else int(settings["n"] * min(angle, 1) / 3) + 2,
            "shared": 2 if settings["s"] > 1 else 0,
            "sigma_min": angle,
            "condition": 10 / angle if angle > 3e-4 else math.inf,
            "digits": float(14 + math.log10(angle)) if angle < math.inf else 15.0,
        }, {"digits": np.ones(2), "angles": np.ones(2)}
    if part == "samples":
        found = settings["n"] > {"paper": math.inf, "robust": 500, "exact": 150}[method]
        tried = settings["trials"] if found else 2
        return {"exact": [found] * tried, "claimed": [found and method == "exact"] * tried}, {"errors": np.zeros(tried)}
    found = bool(draw.uniform() < SHARE[method])
    metrics = {
        "psnr_db": 330.0 if found else float(draw.uniform(10, 60)),
        "n_iter": 5,
        "status": "EXACT" if found and method == "exact" else "STEP_LIMIT",
        "claimed": found and method == "exact" and part == "grid",
        "nonzeros": settings["s"],
    }
    if part == "noise":
        oracle = 10 ** (-settings["snr_db"] / 20) / 10
        return {**metrics, "exact": False, "error": ERROR[method] * oracle, "oracle_error": oracle}, {}
    return {**metrics, "weight_error": 1e-14 if found else 0.1, "same_function": found, "exact": found}, {}


OUTCOMES = dict.fromkeys(("exact", "exact-limits"), exact)
