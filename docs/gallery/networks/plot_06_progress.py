"""
Follow a fit
============

A callback is called after every step of a fit. Here it records the PSNR; it can also stop the fit.
"""

import matplotlib.pyplot as plt

import planted
import recovery

X = planted.gaussian_inputs(600, 12, rng=3)
truth = planted.sparse_network(12, 4, 16, signs="mixed", rng=3)
seen = []
recovery.fit_network(
    X,
    truth(X),
    n_neurons=4,
    sparsity=16,
    method="robust",
    rng=0,
    callback=lambda state: seen.append(state.psnr_db),
)

figure, panel = plt.subplots()
panel.plot(range(1, len(seen) + 1), [min(one, 320) for one in seen], ".-")
panel.set(xlabel="step", ylabel="PSNR (dB)", title="The robust method, step by step")
