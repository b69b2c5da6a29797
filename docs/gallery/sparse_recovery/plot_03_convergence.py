"""
Convergence of four solvers
===========================

The picture shows the objective after each step, from the ``history`` of the result.
"""

import matplotlib.pyplot as plt

import planted
import recovery

A, y, _ = planted.linear_model(250, 500, 20, signs="random", rng=1)
figure, panel = plt.subplots()
for solver in ("iht", "niht", "aiht", "htp"):
    result = recovery.solve(A, y, sparsity=20, solver=solver, max_iter=200)
    history = [max(one, 1e-28) for one in result.history["objective"]]
    panel.semilogy(history, ".-", label=f"{solver}: {result.n_iter} steps")
panel.set(xlabel="step", ylabel="objective |A x - y|² / 2", xlim=(0, 60), title="Steps of four solvers on one problem")
panel.legend()
