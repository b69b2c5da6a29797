"""
Pruning with an unknown number of weights
=========================================

The picture shows the number of weights kept by threshold pruning against the threshold. The plateau is at the number of
planted weights.
"""

import matplotlib.pyplot as plt
import numpy as np

import linear_lottery as ll
import planted

X, y, w = planted.linear_model(80, 30, 4, noise=1.0, amplitude=1.0, rng=3)
taus = np.geomspace(0.005, 3, 60)
kept = [len(ll.threshold_prune(X, y, tau=tau).support) for tau in taus]

figure, panel = plt.subplots()
panel.step(taus, kept, where="mid", label="kept by threshold pruning")
panel.axhline(4, color="black", linestyle=":", label="planted")
panel.set(xscale="log", xlabel="threshold", ylabel="weights kept", title="4 of 30 weights, 80 samples")
panel.legend()
