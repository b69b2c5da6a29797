"""Proofs of the numbers that guarantees ask for: a solver proposes, rigorous arithmetic disposes."""

from recovery.certificates.certificate import Certificate
from recovery.certificates.cholesky import (
    largest_eigenvalue_bound,
    proves_positive_definite,
    smallest_eigenvalue_bound,
)
from recovery.certificates.dual import dual_bound
from recovery.certificates.enumerated import enumeration_bound
from recovery.certificates.semidefinite import is_positive_semidefinite
from recovery.certificates.witness import witness_bound

__all__ = [
    "Certificate",
    "dual_bound",
    "enumeration_bound",
    "is_positive_semidefinite",
    "largest_eigenvalue_bound",
    "proves_positive_definite",
    "smallest_eigenvalue_bound",
    "witness_bound",
]
