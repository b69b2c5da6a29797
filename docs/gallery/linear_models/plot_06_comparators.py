"""
Six methods of variable selection compared
==========================================

The picture shows the share of planted supports that each method finds on a design with correlated columns.
"""

import matplotlib.pyplot as plt
import numpy as np

import linear_lottery as ll
import planted

names = ("backward_elimination", "omp", "htp", "lasso", "marginal_screening")
methods = {name: getattr(ll.comparators, name) for name in names}
methods["imp"] = ll.imp
found = dict.fromkeys(methods, 0)
trials = 40
for trial in range(trials):
    design = planted.designs.toeplitz(0.8)
    X, y, w = planted.linear_model(50, 20, 4, design=design, noise=1.0, amplitude=1.0, rng=trial)
    for name, method in methods.items():
        found[name] += np.array_equal(method(X, y, 4).support, np.flatnonzero(w))

figure, panel = plt.subplots()
order = sorted(found, key=found.get)
panel.barh([name.replace("_", " ") for name in order], [found[name] / trials for name in order])
panel.set(xlabel="share of supports found", xlim=(0, 1), title="4 of 20 weights, correlated columns, with noise")
