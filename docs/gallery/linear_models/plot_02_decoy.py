"""
A design that misleads OMP and the Lasso
========================================

A decoy column is correlated with the sum of the planted columns. Pruning drops it; OMP and the Lasso select it first.
"""

import matplotlib.pyplot as plt
import numpy as np

import linear_lottery as ll
import planted

noises, trials = np.geomspace(0.05, 5, 7), 25
share = {"imp": [], "omp": [], "lasso": []}
for noise in noises:
    found = dict.fromkeys(share, 0)
    for trial in range(trials):
        X, y, w = planted.linear_model(60, 20, 3, design="decoy", noise=noise, rng=trial)
        truth = np.flatnonzero(w)
        found["imp"] += np.array_equal(ll.imp(X, y, 3).support, truth)
        for name in ("omp", "lasso"):
            found[name] += np.array_equal(ll.comparators.COMPARATORS[name](X, y, 3).support, truth)
    for name, count in found.items():
        share[name].append(count / trials)

figure, panel = plt.subplots()
for name, values in share.items():
    panel.semilogx(noises, values, "o-", label=name)
panel.set(
    xlabel="standard deviation of the noise", ylabel="share of supports found", title="60 samples, 3 of 20 weights"
)
panel.legend()
