"""Which guarantees hold for a matrix at hand, up to which sparsity, and what would help."""

from planted.base.doors import listing
from recovery.diagnosis.assess import diagnose
from recovery.diagnosis.report import Diagnosis, Effect, Finding

__all__ = ["Diagnosis", "Effect", "Finding", "diagnose"]
__dir__ = listing(__all__)
