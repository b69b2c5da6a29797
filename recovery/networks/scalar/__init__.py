"""Networks with one output and one hidden layer, fitted by alternating between gates and weights."""
