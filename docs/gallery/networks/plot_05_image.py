"""
An image as a sparse network
============================

A network with few non-zero weights maps the coordinates of a pixel to its grey value, so it represents the image.
"""

import matplotlib.pyplot as plt
import numpy as np

import planted
import recovery

picture = planted.datasets.digits().x_train[17].reshape(8, 8) / 16
picture = np.kron(picture, np.ones((3, 3)))
rows, columns = np.mgrid[0:24, 0:24] / 24
X = planted.fourier_features(np.column_stack([rows.ravel(), columns.ravel()]), 40, sigma=2.0, rng=0)
y = picture.ravel()

figure, panels = plt.subplots(1, 4, figsize=(8, 2.4))
panels[0].imshow(picture, cmap="gray_r")
panels[0].set_title("image")
for panel, sparsity in zip(panels[1:], (20, 80, 240), strict=True):
    fit = recovery.fit_network(X, y, n_neurons=6, sparsity=sparsity, method="robust", max_iter=20, rng=0)
    panel.imshow(fit.network(X).reshape(24, 24), cmap="gray_r", vmin=0, vmax=1)
    panel.set_title(f"{sparsity} weights\n{fit.psnr_db:.0f} dB")
for panel in panels:
    panel.set(xticks=[], yticks=[])
    panel.grid(False)
