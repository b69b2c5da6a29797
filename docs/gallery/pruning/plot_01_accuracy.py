"""
Accuracy against sparsity
=========================

The picture shows the test accuracy of a digit classifier, pruned in three ways, against the share of weights kept.
"""

import matplotlib.pyplot as plt
import numpy as np

import planted
from recovery import pruning

digits = planted.datasets.digits()
data = pruning.Data(digits.x_train.astype("float32") / 16, digits.y_train)
start = pruning.Model.draw((64, 20, 10), bias=True, loss="cross_entropy", rng=0, dtype="float32")
methods = pruning.catalogue(pruning.Training(epochs=5, batch_size=50, learning_rate=1e-2))
shares = (0.02, 0.05, 0.1, 0.3)

figure, panel = plt.subplots()
for name in ("random", "snip", "magnitude"):
    right = []
    for share in shares:
        result = pruning.prune(start, data, methods[name], sparsity=share, rng=0)
        right.append(np.mean(result.model(digits.x_test.astype("float32") / 16).argmax(axis=1) == digits.y_test))
    panel.plot([100 * one for one in shares], [100 * one for one in right], "o-", label=name)
panel.set(xscale="log", xlabel="weights kept", ylabel="test accuracy (%)", title="Digits, 20 hidden units")
panel.set_xticks([100 * one for one in shares], [f"{one:.0%}" for one in shares])
panel.minorticks_off()
panel.legend()
