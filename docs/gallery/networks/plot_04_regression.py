"""
A sparse network for real data
==============================

A network with few weights predicts the progression of diabetes. The picture shows R² on training and held-out rows
against the number of weights.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import recovery

X, y = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
sizes = (2, 4, 6, 9, 12, 16)
scores = {"training rows": [], "held-out rows": []}
for sparsity in sizes:
    model = recovery.SparseReLURegressor(n_neurons=3, sparsity=sparsity, method="robust", max_iter=40)
    model.fit(X_train, y_train)
    scores["training rows"].append(model.score(X_train, y_train))
    scores["held-out rows"].append(model.score(X_test, y_test))

figure, panel = plt.subplots()
for name, values in scores.items():
    panel.plot(sizes, values, "o-", label=name)
panel.set(xlabel="non-zero weights", ylabel="R²", title="Diabetes data, three hidden neurons")
panel.legend()
