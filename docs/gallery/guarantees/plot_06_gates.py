"""
Why the columns of a ReLU network stay correlated
=================================================

Any two neurons are active together on some inputs, so their columns stay correlated, however many samples there are.
"""

import matplotlib.pyplot as plt
import numpy as np

import planted
import recovery
from recovery import conditions
from recovery.conditions.population import coherence_floor

d, p = 8, 4
H = np.random.default_rng(0).standard_normal((d, p))
samples = (50, 100, 200, 400, 800, 1600, 3200, 6400)
gated, dense = [], []
for n in samples:
    X = planted.gaussian_inputs(n, d, rng=1)
    gated.append(conditions.mutual_coherence(recovery.GatedOperator.from_generators(X, H)))
    dense.append(conditions.mutual_coherence(planted.gaussian_inputs(n, d * p, rng=2)))

figure, panel = plt.subplots()
panel.semilogx(samples, gated, "o-", label="columns of a ReLU network with four gates")
panel.semilogx(samples, dense, "s-", label="Gaussian columns")
panel.axhline(coherence_floor(H), color="black", linestyle=":", label="floor: 1 - smallest angle / π")
panel.set(xlabel="samples", ylabel="coherence", title=f"{d * p} columns")
panel.legend()
