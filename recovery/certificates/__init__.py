"""Proofs of the quantities that guarantees need: a solver proposes a bound, and rigorous arithmetic proves it."""

from planted.base.doors import listing
from recovery.certificates.certificate import Certificate
from recovery.certificates.cholesky import largest_eigenvalue_bound, proves_positive_definite, smallest_eigenvalue_bound
from recovery.certificates.dual import dual_bound, dual_vector_certificate
from recovery.certificates.eigenvalues import enumeration_bound, witness_bound
from recovery.certificates.isometry import isometry_certificate
from recovery.certificates.network import NetworkDistance, network_certificate, network_distance
from recovery.certificates.null_space import null_space_certificate, null_space_witness
from recovery.certificates.semidefinite import is_positive_semidefinite

__all__ = [
    "Certificate",
    "NetworkDistance",
    "dual_bound",
    "dual_vector_certificate",
    "enumeration_bound",
    "is_positive_semidefinite",
    "isometry_certificate",
    "largest_eigenvalue_bound",
    "network_certificate",
    "network_distance",
    "null_space_certificate",
    "null_space_witness",
    "proves_positive_definite",
    "smallest_eigenvalue_bound",
    "witness_bound",
]
__dir__ = listing(__all__)
