"""Made-up outcomes of the cells of Figure 3: methods of different accuracy, larger with more weights."""

import numpy as np

QUALITY = {"paper": 0.95, "robust": 0.96, "imp-paper": 0.7, "imp-fair": 0.955}
LINEAR = {"least-squares": 0.93, "least-squares-signs": 0.95, "logistic": 0.97}


def mnist(settings):
    if settings["method"] in LINEAR:
        score = LINEAR[settings["method"]]
        return {"accuracy": score, "train_accuracy": score}, {"weights": np.arange(3.0)}
    draw = np.random.default_rng([settings["seed"], settings["m"], settings["depth"], len(settings["method"])])
    fits = []
    for s in settings["s"]:
        score = QUALITY[settings["method"]] + float(draw.uniform(0.0, 0.02)) - 0.2 / s
        fits.append(
            {
                "s": s,
                "accuracy": score,
                "train_accuracy": min(1.0, score + 0.01),
                "nonzeros": s + 1,
                "hidden_nonzeros": s,
                "n_iter": 150,
                "status": "STEP_LIMIT",
            }
        )
    return {"fits": fits}, {"a": np.arange(3.0)}


OUTCOMES = dict.fromkeys(("fig3-binary", "fig3-digits", "fig8-binary", "fig8-digits"), mnist)
