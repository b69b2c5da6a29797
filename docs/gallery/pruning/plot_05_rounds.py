"""
Iterative magnitude pruning, round by round
===========================================

Each round trains the network, prunes the smallest weights, and rewinds the others. The picture shows the training loss
of each round against the number of weights left.
"""

import matplotlib.pyplot as plt

import planted
from recovery import pruning

digits = planted.datasets.digits()
data = pruning.Data(digits.x_train.astype("float32") / 16, digits.y_train)
start = pruning.Model.draw((64, 20, 10), bias=True, loss="cross_entropy", rng=0, dtype="float32")
methods = pruning.catalogue(pruning.Training(epochs=4, batch_size=50, learning_rate=1e-2))
result = pruning.prune(start, data, methods["imp"], sparsity=0.05, rng=0)
sizes = [sum(int(layer.sum()) for layer in one.masks.layers) for one in result.path]

figure, panel = plt.subplots()
panel.plot(sizes, [one.loss for one in result.path], "o-")
panel.set(xscale="log", xlabel="weights left", ylabel="loss on the training rows", title=f"{len(sizes)} rounds")
panel.invert_xaxis()
