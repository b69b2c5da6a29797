"""Guarantees about sparse linear models and any sensing matrix: methods, programs, uniqueness."""
