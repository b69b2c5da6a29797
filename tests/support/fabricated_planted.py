"""Made-up outcomes of the cells of planted networks: methods of different quality, an exact fit for one neuron."""

import math

import numpy as np

QUALITY = {"paper": 30.0, "robust": 60.0, "imp-paper": 5.0, "imp-fair": 35.0, "exact": 160.0}


def planted(settings):
    m, s = settings["m"], settings["s"]
    draw = np.random.default_rng([settings["seed"], m, s, settings["depth"], len(settings["method"])])
    exact = m == 1 and settings["method"] == "robust"
    score = QUALITY[settings["method"]] - 4 * math.log10(m * s) + float(draw.normal())
    one_layer = settings["depth"] == 1
    metrics = {
        "psnr_db": math.inf if exact else score,
        "test_psnr_db": math.inf if exact else score - 1,
        "nonzeros": s,
        "planted_nonzeros": s,
        "n_iter": settings["n_iter"],
        "status": "STEP_LIMIT",
        "weight_error": 10 ** (-score / 20) if one_layer else None,
        "same_function": exact if one_layer else None,
        "exact": exact if one_layer else None,
        "support_recall": 0.5 if one_layer else None,
    }
    return metrics, {"a": np.arange(3.0)}


OUTCOMES = dict.fromkeys(("fig1", "fig2", "fig6", "fig7"), planted)
