"""Solvers that `recovery.solve` calls by name; each is a frozen dataclass whose fields are its options.

To add a solver, subclass :class:`Solver`.
"""

from typing import TYPE_CHECKING

from planted.base.doors import door

if TYPE_CHECKING:
    from recovery.solvers.aiht import AIHT
    from recovery.solvers.auto import Auto
    from recovery.solvers.base import Problem, RecoveryResult, Run, Solver, State, Status
    from recovery.solvers.cosamp import CoSaMP, SubspacePursuit
    from recovery.solvers.htp import HTP
    from recovery.solvers.iht import IHT, NIHT
    from recovery.solvers.l1 import L1, GroupL1
    from recovery.solvers.omp import OMP
    from recovery.solvers.solve import list_solvers

__all__ = [
    "AIHT",
    "HTP",
    "IHT",
    "L1",
    "NIHT",
    "OMP",
    "Auto",
    "CoSaMP",
    "GroupL1",
    "Problem",
    "RecoveryResult",
    "Run",
    "Solver",
    "State",
    "Status",
    "SubspacePursuit",
    "list_solvers",
]

_PLACES = {
    "recovery.solvers.aiht": "AIHT",
    "recovery.solvers.auto": "Auto",
    "recovery.solvers.base": "Problem RecoveryResult Run Solver State Status",
    "recovery.solvers.cosamp": "CoSaMP SubspacePursuit",
    "recovery.solvers.htp": "HTP",
    "recovery.solvers.iht": "IHT NIHT",
    "recovery.solvers.l1": "L1 GroupL1",
    "recovery.solvers.omp": "OMP",
    "recovery.solvers.solve": "list_solvers",
}
"""Modules that define the names above; they are imported on first access."""
if not TYPE_CHECKING:  # so that type checkers still report a misspelt name
    __getattr__, __dir__ = door(__name__, _PLACES)
