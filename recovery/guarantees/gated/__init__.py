"""Guarantees about the sensing matrices of ReLU networks."""
