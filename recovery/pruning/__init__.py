"""Pruning of ReLU networks: iterative magnitude pruning, its recipes and its rounds."""
