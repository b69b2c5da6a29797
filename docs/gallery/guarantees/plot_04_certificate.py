"""
A certificate of the null-space constant
========================================

The null-space constant is the largest share of the l1 norm that s entries of a null vector can have. Below one half, l1
minimisation recovers every s-sparse vector. A saved proof of the bound is checked in exact arithmetic.
"""

import matplotlib.pyplot as plt
import numpy as np

import recovery
from recovery import conditions

figure, panel = plt.subplots()
for n, style in ((12, "s-"), (16, "o-")):
    A = np.random.default_rng(1).standard_normal((n, 20))
    upper = [conditions.null_space_constant(A, s).upper for s in (1, 2, 3, 4)]
    panel.plot((1, 2, 3, 4), upper, style, label=f"{n} x 20, upper bound")
multipliers = conditions.null_space_multipliers(A, 2)
certificate = recovery.certificates.null_space_certificate(A, 2, multipliers)
print("checked in exact arithmetic:", certificate.check().valid)
panel.axhline(0.5, color="black", linestyle=":", label="below: l1 recovers all s-sparse x")
panel.set(xlabel="sparsity s", ylabel="null-space constant", xticks=(1, 2, 3, 4), title="Two Gaussian matrices")
panel.legend()
