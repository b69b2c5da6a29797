"""
The kinks of a ReLU network
===========================

Data determine where a ReLU network bends, and by how much. They do not determine its neurons: different lists of
neurons can represent the same function.
"""

import matplotlib.pyplot as plt
import numpy as np

import planted

U = np.array([[1.0, 1.0], [1.0, -0.5], [-1.0, 0.8]])  # one row per neuron: slope and offset
network = planted.ReLUNetwork([U.T, np.array([[1.0], [-1.5], [1.0]])])
t = np.linspace(-3, 3, 601)
X = np.column_stack([t, np.ones_like(t)])  # the second input is constant
form = network.kink_form()

figure, panel = plt.subplots()
panel.plot(t, network(X), color="black", label="the network")
for direction in form.directions.T:
    place = -direction[1] / direction[0]
    panel.axvline(place, color="tab:red", linestyle=":")
    panel.plot(place, network(np.array([[place, 1.0]])), "o", color="tab:red")
panel.plot(t, X @ form.linear, "--", color="0.6", label="its linear part")
panel.set(xlabel="input", ylabel="output", title=f"The function bends at {form.n_lines} points")
panel.legend()
