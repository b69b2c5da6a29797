"""Proofs of the numbers that guarantees ask for: a solver proposes, rigorous arithmetic disposes."""

from recovery.certificates.certificate import Certificate

__all__ = ["Certificate"]
