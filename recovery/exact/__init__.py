"""Arithmetic that proves: rational numbers, rounding in a known direction, intervals with certified ends."""
