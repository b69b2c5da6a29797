"""
Recovery probability in closed form
===================================

On an orthonormal design, the probability that pruning finds the support has a closed form. Simulations agree with it.
"""

import matplotlib.pyplot as plt
import numpy as np

import linear_lottery as ll

d, k, trials = 20, 3, 100
amplitudes = np.linspace(0.5, 6, 9)
rng = np.random.default_rng(0)
counted = []
for amplitude in amplitudes:
    w = np.zeros(d)
    w[:k] = amplitude
    found = 0
    for _ in range(trials):
        path = ll.imp(np.eye(d), w + rng.standard_normal(d), k)
        found += np.array_equal(path.support, range(k))
    counted.append(found / trials)

figure, panel = plt.subplots()
panel.plot(amplitudes, ll.closed_forms.recovery_probability(d, k, amplitudes), label="closed form")
panel.plot(amplitudes, counted, "o", label=f"share of {trials} draws")
panel.set(xlabel="planted weight, in standard deviations of the noise", ylabel="probability", title="3 of 20 weights")
panel.legend()
