"""
Which pixels a pruned network uses
==================================

The picture shows how many first-layer weights of each pixel are kept by four pruning methods.
"""

import matplotlib.pyplot as plt

import planted
from recovery import pruning

digits = planted.datasets.digits()
data = pruning.Data(digits.x_train.astype("float32") / 16, digits.y_train)
start = pruning.Model.draw((64, 20, 10), bias=True, loss="cross_entropy", rng=0, dtype="float32")
methods = pruning.catalogue(pruning.Training(epochs=5, batch_size=50, learning_rate=1e-2))

figure, panels = plt.subplots(1, 4, figsize=(8, 2.6))
for panel, name in zip(panels, ("random", "snip", "synflow", "magnitude"), strict=True):
    kept = pruning.prune(start, data, methods[name], sparsity=0.1, rng=0).masks.layers[0].sum(axis=1)
    image = panel.imshow(kept.reshape(8, 8), vmin=0, vmax=12)
    panel.set(title=name, xticks=[], yticks=[])
    panel.grid(False)
figure.colorbar(image, ax=panels, label="weights kept")
