"""Numbers about an operator that recovery guarantees ask for."""
