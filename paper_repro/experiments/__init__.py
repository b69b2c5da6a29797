"""Experiments, one module a figure or table; each has an object ``EXPERIMENT``."""
