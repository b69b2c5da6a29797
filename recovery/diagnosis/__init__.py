"""Diagnosis: which guarantees hold for a matrix, up to which sparsity, which changes help, what data determine."""

from planted.base.doors import listing
from recovery.diagnosis.assess import diagnose
from recovery.diagnosis.identifiability import Identifiability, identifiability
from recovery.diagnosis.report import Diagnosis, Effect, Finding
from recovery.diagnosis.uniform import Condition

__all__ = ["Condition", "Diagnosis", "Effect", "Finding", "Identifiability", "diagnose", "identifiability"]
__dir__ = listing(__all__)
