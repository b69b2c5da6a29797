"""
Plant a network and recover it
==============================

A planted network with three hidden neurons and nine weights is recovered exactly from 400 samples. The pictures show
its lines, which are the directions of its neurons.
"""

import matplotlib.pyplot as plt
import numpy as np

import planted
import recovery

X = planted.gaussian_inputs(400, 10, rng=0)
truth = planted.sparse_network(10, 3, 9, signs="mixed", rng=1)
fit = recovery.fit_network(X, truth(X), n_neurons=3, sparsity=9, rng=2)
print("the same network:", planted.match_networks(fit.network, truth).exact)

planted_form, found = truth.kink_form(), fit.network.kink_form()
same = np.abs(found.directions.T @ planted_form.directions).argmax(axis=1)  # order and sign of lines are arbitrary
figure, panels = plt.subplots(1, 2, sharey=True)
for panel, lines, title in (
    (panels[0], planted_form.directions.T[same], "planted"),
    (panels[1], found.directions.T, "found"),
):
    lines = lines * np.sign(lines[np.arange(len(lines)), np.abs(lines).argmax(axis=1)])[:, None]
    image = panel.imshow(lines, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
    panel.set(xlabel="input", yticks=range(len(lines)), title=title)
    panel.grid(False)
panels[0].set_ylabel("line")
figure.colorbar(image, ax=panels, label="entry of the direction")
