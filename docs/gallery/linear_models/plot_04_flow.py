"""
Gradient flow in closed form
============================

The picture shows the weights of a linear model during training, from the same start with and without a mask.
"""

import matplotlib.pyplot as plt
import numpy as np

import linear_lottery as ll
import planted

X, y, w = planted.linear_model(40, 6, 2, design="toeplitz", noise=0.2, rng=4)
start = np.random.default_rng(0).standard_normal(6)
mask = w != 0
times = np.geomspace(1e-3, 1e2, 60)

figure, panels = plt.subplots(1, 2, sharey=True)
for panel, title, chosen in ((panels[0], "all six weights", None), (panels[1], "the two planted weights", mask)):
    paths = np.array([ll.gradient_flow(X, y, start, flow_time=t, mask=chosen) for t in times])
    panel.semilogx(times, paths)
    panel.set(xlabel="training time", title=title)
panels[0].set_ylabel("weight")
