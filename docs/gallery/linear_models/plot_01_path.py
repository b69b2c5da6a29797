"""
The path of iterative magnitude pruning
=======================================

The picture shows the weights of a linear model of scikit-learn's diabetes data, while pruning drops one column after
another.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes

import linear_lottery as ll

X, y = load_diabetes(return_X_y=True, as_frame=True)
path = ll.imp(X * len(X) ** 0.5, y - y.mean(), sparsity=0)

figure, panel = plt.subplots()
for j, name in enumerate(X.columns):
    panel.plot(range(10, -1, -1), path.weights[:, j], ".-", label=name)
panel.set(xlabel="columns left", ylabel="weight", xlim=(10, 0), title="Diabetes data")
figure.legend(loc="outside right upper")
