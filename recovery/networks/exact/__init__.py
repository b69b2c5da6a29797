"""Exact recovery of scalar two-layer ReLU networks: search, tests on all rows, finish, and the way back."""
