"""
A guarantee and the actual success rate
=======================================

The coherence condition guarantees that OMP succeeds up to a small sparsity level. In practice OMP succeeds far beyond
it.
"""

import matplotlib.pyplot as plt
import numpy as np

import recovery
from recovery import conditions

A = recovery.normalise(np.random.default_rng(0).standard_normal((80, 100)))[0]
proved = (1 + 1 / conditions.mutual_coherence(A)) / 2
rng, trials, sizes = np.random.default_rng(1), 30, range(1, 31, 2)
found, exact = [], []
for k in sizes:
    counts = np.zeros(2)
    for _ in range(trials):
        x = np.zeros(100)
        support = np.sort(rng.choice(100, k, replace=False))
        x[support] = rng.choice([-1.0, 1.0], k)
        counts[0] += np.allclose(recovery.solve(A, A.matvec(x), k, solver="omp").x, x, atol=1e-6)
        counts[1] += conditions.exact_recovery_coefficient(A, support) < 1
    found.append(counts[0] / trials)
    exact.append(counts[1] / trials)

figure, panel = plt.subplots()
panel.plot(sizes, found, "o-", label="found by OMP")
panel.plot(sizes, exact, "s--", label="exact recovery condition holds")
panel.axvspan(0, proved, color="0.9", label="coherence condition holds")
panel.set(xlabel="non-zeros", ylabel="share of vectors", xlim=(0, 30), title="A Gaussian matrix, 80 x 100")
panel.legend()
