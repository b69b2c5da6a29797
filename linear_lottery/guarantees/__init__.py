"""What is known of iterative magnitude pruning in linear models, as guarantees that a program checks."""
