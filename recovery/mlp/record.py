"""What a network fit returns, and the record that is kept while it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.values import by_value
from planted.networks import ReLUNetwork
from recovery.mlp.losses import psnr_of
from recovery.solvers.base import Status

__all__ = ["FitState", "NetworkFit", "Record", "empty_network", "sentence"]


@by_value
@dataclass(frozen=True, eq=False, repr=False)
class NetworkFit:
    """The answer of :func:`recovery.fit_network`.

    Parameters
    ----------
    network : planted.ReLUNetwork
        At most ``n_neurons`` hidden neurons and ``sparsity`` non-zero hidden weights, output weights +-1; for several
        outputs, at most ``sparsity`` non-zero weights in all layers.
    psnr_db : float
        PSNR of this very network on all of the data, in dB; for cross-entropy, of softmax(outputs).
    n_iter : int
        Steps that were made, over all starts.
    status : Status
        How the fit ended.
    message : str
        The status' sentence, with what else is worth knowing.
    history : dict of list
        One entry a step: ``psnr_db`` and ``objective`` (1/2 |r|^2) of the iterate after the step, which
        during the search of ``method="repaired"`` may be larger than the answer is allowed to be (for cross-entropy
        the objective is its sum over the samples);
        ``support_change`` (weights that entered or, if more, left), ``gate_change`` (gate bits of neurons that carry
        weight that flipped; 0 with several outputs on batches, where it is not counted), ``active``, their sum (0 means
        that the active columns are what they were a step ago), ``nonzeros``, ``neurons`` (that carry weight), and
        ``start`` (0, 1, ...).
    """

    network: ReLUNetwork
    psnr_db: float
    n_iter: int
    status: Status
    message: str
    history: dict[str, list[float]] = field(repr=False, default_factory=dict)

    @property
    def success(self) -> bool:
        """Whether a stop rule held, as opposed to a limit or a failure; see :attr:`recovery.Status.success`."""
        return self.status.success

    @property
    def support(self) -> Any:
        """Where the network's counted weights are not 0: :attr:`planted.ReLUNetwork.support`."""
        return self.network.support

    def __repr__(self) -> str:
        return (
            f"NetworkFit({self.network!r}, psnr_db={self.psnr_db:.4g}, n_iter={self.n_iter}, "
            f"success={self.success}, message={self.message!r})"
        )


@by_value
@dataclass(frozen=True)
class FitState:
    """What a callback of :func:`recovery.fit_network` sees after each step.

    Parameters
    ----------
    n_iter : int
        Steps made so far, over all starts.
    start : int
        Number of the start, from 0.
    psnr_db : float
        PSNR of the iterate on the data of this step (the batch, if there are batches), in dB.
    objective : float
        1/2 |r|^2 on the same data.
    nonzeros, neurons : int
        Size of the iterate.
    """

    n_iter: int
    start: int
    psnr_db: float
    objective: float
    nonzeros: int
    neurons: int


def sentence(status: Status, n_iter: int, note: str = "") -> str:
    """Return the status' sentence; with the argument `n_iter` where the fit ended with its steps, and a note."""
    limit = f" (n_iter={n_iter})" if status is Status.STEP_LIMIT else ""
    return status.value + limit + (f"; {note}" if note else "")


class Record:
    """Counts steps, keeps the history, and says when to stop.

    Parameters
    ----------
    n_iter : int
        Steps that may be made in all.
    time_limit : float or None
        Seconds that may pass in all.
    callback : callable or None
        Called with a :class:`FitState` after each step; True stops the fit.
    unit : float, default 1
        What the targets were divided by: objectives are put on record in the caller's units.
    """

    KEYS = ("psnr_db", "objective", "support_change", "gate_change", "active", "nonzeros", "neurons", "start")

    def __init__(
        self,
        n_iter: int,
        time_limit: float | None,
        callback: Callable[[FitState], Any] | None,
        unit: float = 1.0,
    ) -> None:
        self.unit = unit
        self.limit, self.time_limit, self.callback = n_iter, time_limit, callback
        self.history: dict[str, list[float]] = {key: [] for key in self.KEYS}
        self.start, self.begun = 0, 0
        self.stop: Status | None = None
        self._began = time.perf_counter()

    @property
    def n_iter(self) -> int:
        """Number of steps on record."""
        return len(self.history["objective"])

    @property
    def made(self) -> int:
        """Number of steps of the present phase, such as a hidden layer."""
        return self.n_iter - self.begun

    def begin(self, steps: int) -> None:
        """Begin a phase of so many steps."""
        self.begun = self.n_iter
        self.limit = self.n_iter + steps

    @property
    def left(self) -> int:
        """Number of steps that may still be made; 0 after a stop, and after a step beyond the limit."""
        return 0 if self.stop is not None else max(0, self.limit - self.n_iter)

    def add(
        self,
        residual: Any,
        peak: float,
        support_change: Any,
        gate_change: Any,
        nonzeros: Any,
        neurons: Any,
        objective: Any = None,
    ) -> float:
        """Put a step on record (one synchronisation) and return its objective, in units of the data given.

        The objective is 1/2 |r|^2 unless one is given, which is then not scaled back by the unit of the targets.
        """
        xp = arrays.namespace(residual)
        numbers = xp.stack(
            [
                (residual * residual).sum().astype("float64"),
                xp.asarray(support_change).astype("float64"),
                xp.asarray(gate_change).astype("float64"),
                xp.asarray(neurons).astype("float64"),
                xp.asarray(nonzeros).astype("float64"),
                xp.asarray(0 if objective is None else objective).astype("float64"),
            ]
        )
        square, support, gates, live, size, given = arrays.to_numpy(numbers).tolist()
        count = int(residual.size)
        return self.put(square, count, peak, support, gates, size, live, given if objective is not None else None)

    def put(
        self,
        square: float,
        count: int,
        peak: float,
        support: float,
        gates: float,
        size: float,
        live: float,
        given: float | None = None,
    ) -> float:
        """Put a step on record whose numbers are on the host already: |r|^2 over `count` residuals, and so on."""
        mean = square / count
        ratio = psnr_of(mean, peak) if math.isfinite(mean) else -math.inf
        shown = given if given is not None else 0.5 * square * self.unit * self.unit
        row = (ratio, shown, support, gates, support + gates, size, live, float(self.start))
        for key, value in zip(self.KEYS, row, strict=True):
            self.history[key].append(value)
        if self.callback is not None and self.stop is None:
            state = FitState(self.n_iter, self.start, ratio, shown, int(size), int(live))
            if self.callback(state) is True:
                self.stop = Status.STOPPED
        if self.time_limit is not None and time.perf_counter() - self._began > self.time_limit:
            self.stop = self.stop or Status.TIME_LIMIT
        return 0.5 * square if given is None else given


def empty_network(X: Any, y: Any, depth: int) -> ReLUNetwork:
    """Return the zero network without neurons, with the inputs and outputs of the data."""
    xp, dtype = arrays.namespace(X), np.result_type(X.dtype, y.dtype)
    last: tuple[int, ...] = (0,) if y.ndim == 1 else (0, int(y.shape[1]))
    shapes = [(int(X.shape[1]), 0), *[(0, 0)] * (depth - 1), last]
    return ReLUNetwork([xp.zeros(shape, dtype=dtype) for shape in shapes])
