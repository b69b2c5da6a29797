"""
Which guarantees hold for a matrix
==================================

The picture shows, for a Gaussian matrix, the largest sparsity level up to which each theorem guarantees recovery of
every sparse vector.
"""

import matplotlib.pyplot as plt
import numpy as np

import recovery

A = np.random.default_rng(0).standard_normal((60, 20))
diagnosis = recovery.diagnose(A, improve=False)
print("some method provably finds every x with up to", diagnosis.covers, "non-zeros")
reach = {f"{one.names[0]}\n{one.text}": one.covers for one in diagnosis.uniform}

figure, panel = plt.subplots(figsize=(6.4, 5))
panel.barh(list(reach), list(reach.values()))
panel.tick_params(axis="y", labelsize=7)
panel.set(xlabel="largest sparsity level that is covered", title="A Gaussian matrix, 60 x 20")
