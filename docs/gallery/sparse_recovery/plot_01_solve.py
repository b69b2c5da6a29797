"""
Recover a sparse vector
=======================

A 10-sparse vector of length 1,000 is recovered from 200 measurements, up to rounding.
"""

import matplotlib.pyplot as plt

import planted
import recovery

A, y, truth = planted.linear_model(200, 1000, 10, signs="random", rng=0)
result = recovery.solve(A, y, sparsity=10)
print(result.message)
print("largest error:", abs(result.x - truth).max())

figure, panel = plt.subplots()
panel.stem(truth.nonzero()[0], truth[truth != 0], basefmt=" ", label="planted")
panel.plot(result.support, result.x[result.support], "x", color="tab:red", markersize=9, label="recovered")
panel.axhline(0, color="0.5", linewidth=0.8)
panel.set(xlabel="column", ylabel="weight", xlim=(-5, 1005), title="10 of 1,000 weights, from 200 measurements")
panel.legend(ncols=2, loc="upper right", bbox_to_anchor=(1, 0.9))
