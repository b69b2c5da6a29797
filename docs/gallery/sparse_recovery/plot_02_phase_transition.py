"""
Measurements needed by three solvers
====================================

The picture shows the share of sparse vectors that each solver recovers, against the number of measurements.
"""

import matplotlib.pyplot as plt
import numpy as np

import planted
import recovery

samples, trials = range(20, 101, 20), 6
figure, panel = plt.subplots()
for solver in ("htp", "omp", "iht"):
    share = []
    for n in samples:
        found = 0
        for trial in range(trials):
            A, y, truth = planted.linear_model(n, 200, 10, signs="random", rng=trial)
            result = recovery.solve(A, y, sparsity=10, solver=solver)
            found += np.allclose(result.x, truth, atol=1e-6)
        share.append(found / trials)
    panel.plot(samples, share, "o-", label=solver)
panel.set(xlabel="measurements n", ylabel="share recovered", title="10 non-zeros among 200 columns")
panel.legend()
