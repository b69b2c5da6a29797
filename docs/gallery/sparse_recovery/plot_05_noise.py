"""
Estimation error under noise
============================

The picture compares the error of sparse recovery with those of least squares on all columns and on the true support.
"""

import matplotlib.pyplot as plt
import numpy as np

import planted
import recovery

levels = np.geomspace(0.01, 3, 9)
errors = {"least squares on all columns": [], "sparse recovery": [], "least squares on the true support": []}
for noise in levels:
    mean = np.zeros(3)
    for trial in range(8):
        X, y, w = planted.linear_model(200, 100, 5, noise=noise, signs="random", rng=trial)
        oracle = np.zeros(100)
        oracle[w != 0] = np.linalg.lstsq(X[:, w != 0], y, rcond=None)[0]
        estimates = (np.linalg.lstsq(X, y, rcond=None)[0], recovery.solve(X, y, sparsity=5).x, oracle)
        mean += [np.linalg.norm(one - w) / 8 for one in estimates]
    for values, value in zip(errors.values(), mean, strict=True):
        values.append(value)

figure, panel = plt.subplots()
for (name, values), style in zip(errors.items(), ("s-", "o-", "k--"), strict=True):
    panel.loglog(levels, values, style, label=name)
panel.set(
    xlabel="standard deviation of the noise", ylabel="error of the weights", title="5 of 100 weights, 200 samples"
)
panel.legend()
