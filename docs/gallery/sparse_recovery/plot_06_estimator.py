"""
Regression with an automatic choice of features
===============================================

``SparseRegressor`` chooses how many columns of the diabetes data to keep, here by the extended BIC.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes

import recovery

X, y = load_diabetes(return_X_y=True, as_frame=True)
model = recovery.SparseRegressor(selection="ebic").fit(X, y)
kept = X.columns[model.coef_ != 0]
print("kept:", ", ".join(kept))

figure, panel = plt.subplots()
colours = ["tab:blue" if one in set(kept) else "0.8" for one in X.columns]
panel.bar(X.columns, model.coef_, color=colours)
panel.axhline(0, color="0.5", linewidth=0.8)
panel.set(xlabel="measurement", ylabel="coefficient", title=f"{len(kept)} of {X.shape[1]} measurements kept")
