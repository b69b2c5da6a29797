"""Made-up outcomes of the implicit neural representations: a PSNR that falls with the width, and noisy images."""

import numpy as np

from paper_repro.experiments import inr


def representation(settings):
    target = inr.image_of(settings["data"], settings["block"]).pixels.ravel()
    draw = np.random.default_rng([settings["seed"], settings["m"], settings["depth"], len(settings["method"])])
    falls = 6.0 if settings["method"].startswith("imp-") else 1.0
    rows, outputs = [], []
    for s in settings["s"]:
        psnr = 30.0 + 5.0 * np.log10(s) - falls * np.log10(settings["m"]) + draw.normal()
        outputs.append((target + 10 ** (-psnr / 20) * draw.standard_normal(target.size)).astype(np.float32))
        clipped = float(np.mean((outputs[-1] < 0) | (outputs[-1] > 1)))
        rows.append({"s": s, "psnr_db": psnr, "clipped": clipped, "nonzeros": s, "n_iter": 5, "status": "STEP_LIMIT"})
    return {"fits": rows}, {"outputs": np.array(outputs)}


OUTCOMES = {"fig4": representation, "fig5": representation, "fig9": representation, "fig10": representation}
