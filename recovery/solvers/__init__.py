"""The solvers behind :func:`recovery.solve`, one a file; each is a frozen dataclass whose fields are its options."""

from __future__ import annotations
