"""Which guarantees hold for a matrix at hand, up to which sparsity, and what would help."""

from recovery.diagnosis.assess import diagnose
from recovery.diagnosis.report import Diagnosis, Effect, Finding

__all__ = ["Diagnosis", "Effect", "Finding", "diagnose"]
