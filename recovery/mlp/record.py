"""Settings, results and records of network fits, and the base class for fitting methods."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_choice, check_integer, check_number, check_same_rows
from planted.base.frames import Names
from planted.base.values import by_value
from planted.kinks import KinkForm
from planted.networks import ReLUNetwork
from recovery.mlp.losses import LOSSES, psnr, psnr_of, softmax
from recovery.mlp.shown import ShownFit
from recovery.mlp.training import Batches
from recovery.mlp.units import Units
from recovery.solvers.base import Recorder, Status

__all__ = [
    "FitMethod",
    "FitSettings",
    "FitState",
    "Found",
    "Loss",
    "NetworkFit",
    "Record",
    "check_widths",
    "empty_network",
    "problems",
    "score_of",
    "sentence",
]

Loss: TypeAlias = Literal["squared", "cross_entropy"]
Found: TypeAlias = tuple[ReLUNetwork, Status, str]
"""Return value of a method: a network, the status of the fit, and a (possibly empty) note for the message."""


def check_widths(n_neurons: Any) -> tuple[int, ...]:
    """Return the hidden widths as a tuple, one per hidden layer, or raise an error.

    Parameters
    ----------
    n_neurons : int or sequence of int
        One width, or one per hidden layer.

    Returns
    -------
    tuple of int
        The widths.

    Raises
    ------
    TypeError, ValueError
        If there are none, or one is not an integer of at least 1.
    """
    if not isinstance(n_neurons, Sequence) or isinstance(n_neurons, (str, bytes)):
        return (check_integer(n_neurons, "n_neurons", minimum=1),)
    if len(n_neurons) == 0:
        raise ValueError(f"n_neurons={n_neurons!r} is empty; expected at least one width")
    return tuple(check_integer(width, f"n_neurons[{i}]", minimum=1) for i, width in enumerate(n_neurons))


@dataclass(frozen=True)
class FitSettings:
    """All settings of a fit apart from the data; validated on construction.

    Parameters
    ----------
    widths : int or sequence of int
        Largest number of hidden neurons of the result, in each hidden layer; stored as a tuple.
    sparsity : int
        Largest number of non-zero weights of the result.
    loss, solver, max_iter, gate_update, batch_size, restarts, time_limit, tol, callback
        As in :func:`recovery.fit_network`.
    open_sizes : tuple of str
        Those of ``"n_neurons"`` and ``"sparsity"`` that the method must determine; `widths` and `sparsity` are then
        upper bounds.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range or of the wrong type.
    """

    widths: tuple[int, ...]
    sparsity: int
    loss: Loss = "squared"
    solver: str | None = None
    max_iter: int = 100
    gate_update: int | None = 1
    batch_size: int | None = None
    restarts: int = 10
    time_limit: float | None = None
    tol: float = 1e-6
    callback: Callable[[FitState], Any] | None = field(default=None, repr=False)
    open_sizes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        put("widths", check_widths(self.widths))
        put("sparsity", check_integer(self.sparsity, "sparsity", minimum=0))
        check_choice(self.loss, "loss", LOSSES)
        put("max_iter", check_integer(self.max_iter, "max_iter", minimum=1))
        for name in ("gate_update", "batch_size"):
            if getattr(self, name) is not None:
                put(name, check_integer(getattr(self, name), name, minimum=1))
        put("restarts", check_integer(self.restarts, "restarts", minimum=0))
        if self.time_limit is not None:
            put("time_limit", check_number(self.time_limit, "time_limit", minimum=0.0))
        put("tol", check_number(self.tol, "tol", minimum=0.0))
        if self.callback is not None and not callable(self.callback):
            raise TypeError(f"callback={self.callback!r} cannot be called; expected a function of one state")

    def capacity(self, n_inputs: int, n_outputs: int | None) -> int:
        """Return how many weights count: all layers, except the output layer of a scalar network (`n_outputs` None)."""
        sizes = [n_inputs, *self.widths, *([] if n_outputs is None else [n_outputs])]
        return sum(rows * columns for rows, columns in pairwise(sizes))

    def of_layer(self, width: int, sparsity: int) -> FitSettings:
        """Return the same settings for a network with one hidden layer."""
        return replace(self, widths=(width,), sparsity=sparsity)


@by_value
@dataclass(frozen=True, eq=False, repr=False)
class NetworkFit(ShownFit):
    """Result of :func:`recovery.fit_network`.

    Parameters
    ----------
    network : planted.ReLUNetwork
        At most ``n_neurons`` hidden neurons, and at most the requested ``sparsity``: counting hidden weights for one
        output, whose output weights are +-1; weights of all layers for several outputs.
    psnr_db : float
        PSNR of this network on all of the data, in dB; for cross-entropy, that of softmax(outputs).
    n_iter : int
        Number of steps, over all starts.
    status : Status
        How the fit ended.
    message : str
        The status in words, with any remarks.
    history : dict of list
        One entry per step: ``psnr_db`` and ``objective`` of the iterate after the step, which during the search of
        ``method="robust"`` may exceed the size allowed for the result. The objective is the loss summed over the rows
        of the step, in the caller's units: 1/2 |r|^2, r the residuals of all outputs, or for cross-entropy -sum_i y_i .
        log softmax(f(x_i)); ``support_change`` (the number of weights that entered or that left, whichever is larger),
        ``gate_change`` (gate bits that flipped, over neurons with non-zero weights; 0 with several outputs on batches,
        where it is not counted), ``active``, their sum (0 means that the active columns are the same as in the previous
        step), ``nonzeros``, ``neurons`` (with non-zero weights), and ``start`` (0, 1, ...). ``method="exact"`` has one
        entry per round, without ``support_change``, ``gate_change`` and ``active``.
    form : planted.KinkForm or None
        The function that ``method="exact"`` found, which may say more than the network; see :attr:`kink_form`.
    certificate : recovery.certificates.Certificate or None
        The proof requested by ``certify=True``; None if there is none, and the message says why.
    names : tuple of str or None
        Names of the inputs, where X came as a data frame.
    """

    network: ReLUNetwork
    psnr_db: float
    n_iter: int
    status: Status
    message: str
    history: dict[str, list[float]] = field(repr=False, default_factory=dict)
    form: KinkForm | None = field(repr=False, default=None)
    certificate: Any = field(repr=False, default=None)
    names: Names = field(repr=False, default=None)

    @property
    def success(self) -> bool:
        """Whether a stopping rule was met, as opposed to a limit or a failure; see :attr:`recovery.Status.success`."""
        return self.status.success

    @property
    def support(self) -> Any:
        """Positions of the network's non-zero counted weights: :attr:`planted.ReLUNetwork.support`."""
        return self.network.support

    @property
    def kink_form(self) -> KinkForm:
        """The kink form of the function: as found by ``method="exact"``, else that of the network.

        The two differ if the form found exceeds the requested numbers of neurons and weights, and by the rounding of
        the network's dtype.

        Raises
        ------
        ValueError
            If the network has several hidden layers.
        """
        return self.network.kink_form() if self.form is None else self.form

    def __repr__(self) -> str:
        return (
            f"NetworkFit({self.network!r}, psnr_db={self.psnr_db:.4g}, n_iter={self.n_iter}, "
            f"success={self.success}, message={self.message!r})"
        )


@by_value
@dataclass(frozen=True)
class FitState:
    """Argument passed to a callback of :func:`recovery.fit_network` after each step.

    Parameters
    ----------
    n_iter : int
        Steps made so far, over all starts.
    start : int
        Number of the start, from 0.
    psnr_db : float
        PSNR of the iterate on the data of this step (the batch, if there are batches), in dB.
    objective : float
        The loss summed over the same rows: 1/2 |r|^2, or cross-entropy.
    nonzeros, neurons : int
        Size of the iterate.
    """

    n_iter: int
    start: int
    psnr_db: float
    objective: float
    nonzeros: int
    neurons: int


def problems(X: Any, Y: Any, sparsity: Any, rngs: Any) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Return the inputs, targets, sparsity and rng of each problem of a batch, in lists of equal lengths.

    Parameters
    ----------
    X : array, shape (n, d) or (B, n, d)
        Inputs that all problems share, or inputs of each.
    Y : array, shape (B, n) or (B, n, k), or sequence of B arrays
        Targets.
    sparsity : int or sequence of B
        The same for all problems, or one per problem.
    rngs : sequence of B, or None
        One per problem.

    Raises
    ------
    TypeError, ValueError
        If the numbers of problems or rows differ, or an argument is not an array or a sequence.
    """
    X = check_array(X, "X", ndim=(2, 3))
    if arrays.is_array(Y):
        targets = list(check_array(Y, "Y", ndim=(2, 3)))
    elif isinstance(Y, Sequence) and not isinstance(Y, (str, bytes)):
        targets = [check_array(y, f"Y[{b}]", ndim=(1, 2)) for b, y in enumerate(Y)]
    else:
        raise TypeError(f"Y is of type {type(Y).__name__}; expected an array (B, n) or (B, n, k), or a list of arrays")
    count = len(targets)
    if count == 0:
        raise ValueError("Y is empty; expected targets of at least one problem")
    if X.ndim == 3 and int(X.shape[0]) != count:
        raise ValueError(
            f"X has shape {tuple(X.shape)} for {count} problem(s); expected (n, d), or (B, n, d) with B={count}"
        )
    inputs = [X] * count if X.ndim == 2 else list(X)
    for b, (x, y) in enumerate(zip(inputs, targets, strict=True)):
        check_same_rows(x, "X", y, f"Y[{b}]")
    lists: list[list[Any]] = []
    for name, value, whole in (("sparsity", sparsity, (int, np.integer)), ("rngs", rngs, type(None))):
        if isinstance(value, whole):
            value = [value] * count
        elif isinstance(value, (str, bytes)) or not hasattr(value, "__len__"):
            raise TypeError(f"{name}={value!r} is not a sequence; expected one entry per problem")
        if len(value) != count:
            raise ValueError(f"{name} has {len(value)} entries; expected {count}, one per problem")
        lists.append(list(value))
    return inputs, targets, lists[0], lists[1]


def sentence(status: Status, max_iter: int, note: str = "") -> str:
    """Return the status in words, with the argument `max_iter` if the fit used up its steps, and with a note."""
    limit = f" (max_iter={max_iter})" if status is Status.STEP_LIMIT else ""
    return status.value + limit + (f"; {note}" if note else "")


class Record(Recorder):
    """The record of a network fit: extends the common recorder by phases, starts and the statistics of a step.

    Parameters
    ----------
    settings : FitSettings
        At most `max_iter` steps are made in total, within `time_limit`; `callback` is called after each.
    unit : float, default 1
        Unit by which the targets were divided; objectives are recorded in the caller's units.

    Attributes
    ----------
    history : dict of list
        As in :class:`NetworkFit`.
    n_iter, made, left : int
        Steps made in total, steps made in the current phase, and steps left.
    stop : Status or None
        The reason to end the fit before all steps are made.
    start : int
        Number of the current start, set by the method.
    """

    KEYS = ("psnr_db", "objective", "support_change", "gate_change", "active", "nonzeros", "neurons", "start")

    def __init__(self, settings: FitSettings, unit: float = 1.0) -> None:
        super().__init__(settings.max_iter, settings.time_limit, settings.callback)
        self.unit = unit
        self.start, self.begun = 0, 0

    @classmethod
    def no_history(cls) -> dict[str, list[float]]:
        """Return the history of a fit without steps."""
        return {key: [] for key in cls.KEYS}

    @property
    def made(self) -> int:
        """Number of steps made in the current phase, such as a hidden layer."""
        return self.n_iter - self.begun

    def begin(self, steps: int) -> None:
        """Begin a phase with this many steps."""
        self.begun = self.n_iter
        self.limit = self.n_iter + steps

    def add(
        self,
        residual: Any,
        peak: float,
        *,
        support_change: Any,
        gate_change: Any,
        nonzeros: Any,
        neurons: Any,
        objective: Any = None,
    ) -> float:
        """Record a step (one synchronisation) and return its objective, in units of the given data.

        Parameters
        ----------
        residual : array
            Targets minus outputs (of either sign), or minus probabilities.
        peak : float
            max |y|, for the PSNR.
        support_change, gate_change, nonzeros, neurons : int, or array of shape ()
            As in :class:`NetworkFit`.
        objective : array of shape (), optional
            The loss summed over the rows, if it is not 1/2 |residual|^2.
        """
        xp = arrays.namespace(residual)
        row = [(residual * residual).sum(), support_change, gate_change, nonzeros, neurons]
        row.append(0 if objective is None else objective)
        numbers = arrays.to_numpy(xp.stack([xp.asarray(value).astype("float64") for value in row])).tolist()
        step = dict(zip(("support_change", "gate_change", "nonzeros", "neurons"), numbers[1:5], strict=True))
        return self.put(
            numbers[0], int(residual.size), peak, objective=None if objective is None else numbers[5], **step
        )

    def put(
        self,
        square: float,
        count: int,
        peak: float,
        *,
        support_change: float,
        gate_change: float,
        nonzeros: float,
        neurons: float,
        objective: float | None = None,
    ) -> float:
        """Record a step whose values are already on the host: |r|^2 over `count` residuals, and so on."""
        mean = square / count
        ratio = psnr_of(mean, peak) if math.isfinite(mean) else -math.inf
        shown = objective if objective is not None else 0.5 * square * self.unit * self.unit
        self.append(
            psnr_db=ratio,
            objective=shown,
            support_change=support_change,
            gate_change=gate_change,
            active=support_change + gate_change,
            nonzeros=nonzeros,
            neurons=neurons,
            start=self.start,
        )
        self.ask(lambda: FitState(self.n_iter, self.start, ratio, shown, int(nonzeros), int(neurons)))
        return 0.5 * square if objective is None else objective


class FitMethod(ABC):
    """Base class of the methods that :func:`recovery.fit_network` accepts as `method`.

    A subclass only needs to define :meth:`fit`. ``fit_network`` checks the arguments, divides the data by their
    :meth:`units`, calls :meth:`fit`, converts the network back and evaluates it.

    Attributes
    ----------
    takes_solver : bool
        Whether it supports the argument `solver`; if False (the default), passing a solver is an error.
    finds_sizes : bool
        Whether it supports ``n_neurons="auto"`` and ``sparsity="auto"``; False by default.
    """

    takes_solver: ClassVar[bool] = False
    finds_sizes: ClassVar[bool] = False

    def units(self, X: Any, y: Any, settings: FitSettings) -> Units:
        """Return the units by which the data are divided: powers of two near their root mean squares, by default."""
        return Units.of(X, y, settings.loss)

    def run(self, X: Any, y: Any, settings: FitSettings, rng: np.random.Generator) -> NetworkFit:
        """Return the complete result: call :meth:`fit` in its :meth:`units`, convert the network back and evaluate it.

        Override this if the method works in the caller's units and returns more than a network.

        Parameters
        ----------
        X, y : array
            The caller's data, validated and of one dtype; y is not all zero.
        settings, rng
            As for :meth:`fit`.
        """
        units = self.units(X, y, settings)
        # the layer that absorbs the targets' unit: the output weights of a scalar network must stay signs
        last = len(settings.widths) if y.ndim == 2 else len(settings.widths) - 1
        units.check(last, X.dtype)
        data = Batches(*units.divide(X, y), settings.batch_size, rng)
        record = Record(settings, units.targets.number)
        network, status, note = _checked(self, self.fit(data, settings, record, rng), data, settings)
        layers, held = units.restore(network.layers, last, data.X, data.y, int(X.shape[1]))
        network = ReLUNetwork(layers)
        if not held:
            status, note = Status.OUT_OF_RANGE, f"before that: {sentence(status, settings.max_iter, note)}"
        message = sentence(status, settings.max_iter, note)
        return NetworkFit(
            network, score_of(network, X, y, settings.loss), record.n_iter, status, message, record.history
        )

    @abstractmethod
    def fit(self, data: Batches, settings: FitSettings, record: Record, rng: np.random.Generator) -> Found:
        """Fit a network.

        Parameters
        ----------
        data : Batches
            ``X`` (n, d) and ``y`` (n,) or (n, k), all rows, scaled to about 1; its ``rows()`` and ``next_rows()``
            return batches of `batch_size` rows.
        settings : FitSettings
            The settings of the fit.
        record : Record
            ``record.add(...)`` records a step, calls the callback and checks the time; ``record.left`` is the number of
            steps left.
        rng : numpy.random.Generator
            Source of all random numbers.

        Returns
        -------
        network : planted.ReLUNetwork
            At most ``settings.widths`` neurons and ``settings.sparsity`` weights; its output layer is of shape (m,) for
            targets (n,).
        status : recovery.Status
            How the fit ended.
        note : str
            A remark for the message, or "".
        """


def _checked(method: FitMethod, found: Any, data: Batches, settings: FitSettings) -> Found:
    """Return what a method has found; raise an error if it is not a valid result."""
    who = f"{type(method).__name__}.fit"
    if not (isinstance(found, tuple) and len(found) == 3 and isinstance(found[0], ReLUNetwork)):
        raise TypeError(f"{who} returned {type(found).__name__}; expected a tuple (ReLUNetwork, Status, str)")
    network, status, note = found
    if not isinstance(status, Status) or not isinstance(note, str):
        raise TypeError(f"{who} returned the status {status!r} and the note {note!r}; expected a Status and a str")
    ends = (int(data.X.shape[1]), *data.y.shape[1:])
    if (network.n_inputs, *network.output.shape[1:]) != ends:
        raise ValueError(
            f"{who} returned {network!r}; expected {ends[0]} inputs and output weights of shape "
            f"{('m', *ends[1:])}, as the data"
        )
    widths = tuple(int(layer.shape[1]) for layer in network.layers[:-1])
    if len(widths) != len(settings.widths) or any(a > b for a, b in zip(widths, settings.widths, strict=True)):
        raise ValueError(f"{who} returned hidden layers of {widths} neurons; expected at most {settings.widths}")
    if network.sparsity > settings.sparsity:
        raise ValueError(
            f"{who} returned a network of {network.sparsity} non-zero weights; expected at most {settings.sparsity}"
        )
    return network, status, note


@np.errstate(over="ignore", invalid="ignore")
def score_of(network: ReLUNetwork, X: Any, y: Any, loss: str) -> float:
    """Return the PSNR in dB; -inf if the outputs of a diverged fit overflow."""
    outputs = network(X)
    if not bool(arrays.namespace(outputs).isfinite(outputs).all()):
        return -math.inf
    return psnr(softmax(outputs) if loss == "cross_entropy" else outputs, y)


def empty_network(X: Any, y: Any, depth: int) -> ReLUNetwork:
    """Return the zero network without neurons, with the inputs and outputs of the data."""
    xp, dtype = arrays.namespace(X), np.result_type(X.dtype, y.dtype)
    last: tuple[int, ...] = (0,) if y.ndim == 1 else (0, int(y.shape[1]))
    shapes = [(int(X.shape[1]), 0), *[(0, 0)] * (depth - 1), last]
    return ReLUNetwork([xp.zeros(shape, dtype=dtype) for shape in shapes])
