"""Iterative magnitude pruning in linear models: gradient flow in closed form."""

from linear_lottery.flow import gradient_flow

__all__ = ["gradient_flow"]
