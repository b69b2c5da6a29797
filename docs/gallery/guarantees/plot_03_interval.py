"""
Proved bounds on a restricted eigenvalue
========================================

The picture shows the largest eigenvalue over all supports of s columns, computed by enumeration, and two upper bounds.
"""

import matplotlib.pyplot as plt
import numpy as np

from recovery import conditions

A = np.random.default_rng(0).standard_normal((30, 12)) / 30**0.5
sizes = range(1, 7)
exact = [conditions.restricted_eigenvalues(A, s).largest.upper for s in sizes]
dual = [conditions.restricted_eigenvalues(A, s, method="dual").largest for s in sizes]
coherence = [conditions.restricted_eigenvalues(A, s, method="coherence").largest.upper for s in sizes]
print("the dual bounds are proved:", all(one.upper_certified for one in dual))

figure, panel = plt.subplots()
panel.plot(sizes, exact, "ko-", label="enumerated")
panel.plot(sizes, [one.upper for one in dual], "s--", label="dual bound, proved")
panel.plot(sizes, coherence, "^:", label="bound from coherence")
panel.set(xlabel="sparsity s", ylabel="largest restricted eigenvalue", title="A Gaussian matrix, 30 x 12")
panel.legend()
