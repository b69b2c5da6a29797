"""Finding it again: operators, solvers, network fitting."""
