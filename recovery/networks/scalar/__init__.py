"""Networks with one output and one hidden layer, fitted through their gates."""
