"""Ground truth: sparse networks, linear models, inputs and data, and how far an answer is from them."""
