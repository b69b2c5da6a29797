"""Estimators with the interface of scikit-learn, above the solvers and the fits of networks."""
