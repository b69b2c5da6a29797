"""Rigorous arithmetic: rational numbers, directed rounding, and intervals with certified bounds."""
