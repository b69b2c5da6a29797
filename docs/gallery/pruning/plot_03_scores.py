"""
The scores of two pruning criteria
==================================

A criterion gives each weight a score, and the weights with the lowest scores are pruned. SNIP and magnitude rank the
weights of an untrained network differently.
"""

import matplotlib.pyplot as plt
import numpy as np

import planted
from recovery import pruning

digits = planted.datasets.digits()
data = pruning.Data(digits.x_train / 16, digits.y_train)
model = pruning.Model.draw((64, 20, 10), bias=True, loss="cross_entropy", rng=0)
size = np.concatenate([one.ravel() for one in pruning.score(model, data, "magnitude")])
snip = np.concatenate([one.ravel() for one in pruning.score(model, data, "snip")])

figure, panel = plt.subplots()
panel.loglog(size, np.maximum(snip, 1e-9), ".", markersize=3, alpha=0.6)
panel.set(xlabel="magnitude score", ylabel="SNIP score", title=f"{len(size):,} weights of an untrained network")
