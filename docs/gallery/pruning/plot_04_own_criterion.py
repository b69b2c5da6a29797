"""
A pruning criterion of your own
===============================

Any function of the network and the data can score the weights. Here the score is |weight| times the standard deviation
of its input.
"""

import matplotlib.pyplot as plt
import numpy as np

import planted
from recovery import pruning

digits = planted.datasets.digits()
data = pruning.Data(digits.x_train / 16, digits.y_train)
start = pruning.Model.draw((64, 20, 10), bias=True, loss="cross_entropy", rng=0)
method = pruning.catalogue(pruning.Training(epochs=4, batch_size=50, learning_rate=1e-2))["magnitude"]


def felt(view):
    """Return the scores, one array for each layer."""
    inputs, scores = view.data.X, []
    for layer, bias in zip(view.layers, view.model.biases, strict=True):
        scores.append(np.abs(layer) * inputs.std(axis=0)[:, None])
        inputs = np.maximum(inputs @ layer + bias, 0)
    return scores


figure, panels = plt.subplots(1, 2, figsize=(6, 2.8))
for panel, name, criterion in zip(panels, ("magnitude", "own criterion"), ("magnitude", felt), strict=True):
    result = pruning.prune(start, data, method.replace(criterion=criterion, scope="layer"), sparsity=0.1, rng=0)
    right = 100 * np.mean(result.model(digits.x_test / 16).argmax(axis=1) == digits.y_test)
    panel.imshow(result.masks.layers[0].sum(axis=1).reshape(8, 8), vmin=0)
    panel.set(title=f"{name}: {right:.0f} %", xticks=[], yticks=[])
    panel.grid(False)
