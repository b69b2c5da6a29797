"""Estimators with the scikit-learn interface, built on the solvers and the network fits."""
