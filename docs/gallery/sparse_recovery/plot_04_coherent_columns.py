"""
Coherent columns mislead greedy solvers
=======================================

As the correlation of neighbouring columns grows, orthogonal matching pursuit fails earlier than the default solver.
"""

import matplotlib.pyplot as plt
import numpy as np

import planted
import recovery

rhos, trials = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95), 12
figure, panel = plt.subplots()
for solver, style in (("omp", "s-"), ("htp", "o-"), ("auto", "x:")):
    share = []
    for rho in rhos:
        design = planted.designs.toeplitz(rho)
        found = 0
        for trial in range(trials):
            A, y, truth = planted.linear_model(60, 100, 8, design=design, signs="random", rng=trial)
            found += np.allclose(recovery.solve(A, y, sparsity=8, solver=solver).x, truth, atol=1e-6)
        share.append(found / trials)
    panel.plot(rhos, share, style, label=solver)
panel.set(
    xlabel="correlation of neighbouring columns", ylabel="share recovered", title="60 measurements, 8 of 100 weights"
)
panel.legend()
