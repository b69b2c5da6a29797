"""
Samples needed to recover a planted network
===========================================

The picture shows the median PSNR on 1,000 inputs against the number of samples, for the paper's method and for exact
recovery.
"""

import matplotlib.pyplot as plt
import numpy as np

import planted
import recovery

samples = (20, 30, 50, 100, 200)
figure, panel = plt.subplots()
for method, style in (("paper", "s-"), ("exact", "o-")):
    median = []
    for n in samples:
        psnr = []
        for seed in range(3):
            X = planted.gaussian_inputs(1000, 8, rng=seed)
            truth = planted.sparse_network(8, 2, 6, rng=seed)
            y = truth(X)
            fit = recovery.fit_network(X[:n], y[:n], n_neurons=2, sparsity=6, method=method, max_iter=15, rng=seed)
            psnr.append(recovery.psnr(fit.network(X), y))
        median.append(min(np.median(psnr), 320))
    panel.plot(samples, median, style, label=method)
panel.set(xscale="log", xlabel="samples", ylabel="median PSNR on 1,000 inputs (dB)", title="2 neurons, 6 of 16 weights")
panel.set_xticks(samples, samples)
panel.minorticks_off()
panel.legend()
