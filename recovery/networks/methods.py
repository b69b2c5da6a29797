"""The methods of ``fit_network``: the paper's, the robust one, exact recovery, and the automatic choice."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from planted.base import arrays
from planted.base.checks import check_choice, check_integer
from planted.kinks import KinkForm
from planted.networks import ReLUNetwork
from recovery.mlp.record import FitMethod, FitSettings, FitState, Found, NetworkFit, Record, score_of
from recovery.mlp.training import Batches
from recovery.mlp.units import Units
from recovery.networks.exact.fitting import ExactFit, fit_exact
from recovery.networks.joint.layerwise import fit_paper_layers, fit_robust_layers
from recovery.networks.joint.paper import fit_paper_vector
from recovery.networks.joint.robust import fit_robust_vector
from recovery.networks.scalar.paper import fit_paper
from recovery.networks.scalar.robust import fit_robust
from recovery.solvers.base import Status

__all__ = ["METHODS", "AutoMethod", "ExactMethod", "Method", "PaperMethod", "RobustMethod", "method_of"]

Method = Literal["auto", "exact", "robust", "paper"]
EXACT_RESTARTS = 2
"""Exact recovery makes at most this many additional starts, however many are allowed."""

COHERENT = 100.0
"""``"auto"`` uses the robust method if the inputs' correlation matrix has a larger condition number than this: the
searches of exact recovery need inputs that vary in all directions, and networks are hardly ever planted in such
features."""
FORM_RANGE = 800
"""Largest exponent of the powers of two by which kink forms are rescaled."""


class PaperMethod(FitMethod):
    """The paper's method; it works in the caller's units because its steps are not scale equivariant."""

    def units(self, X: Any, y: Any, settings: FitSettings) -> Units:
        """Return the caller's units."""
        return Units()

    def fit(self, data: Batches, settings: FitSettings, record: Record, rng: np.random.Generator) -> Found:
        """Fit a network of any shape."""
        if len(settings.widths) > 1:
            return fit_paper_layers(data, settings, record, rng)
        if data.y.ndim == 2:
            return fit_paper_vector(data, settings, record, rng)
        return fit_paper(data, settings, record, rng)


class RobustMethod(FitMethod):
    """The robust method, which avoids both flaws of the paper's method; see :func:`recovery.fit_network`."""

    takes_solver = True

    def units(self, X: Any, y: Any, settings: FitSettings) -> Units:
        """Return powers of two for one output and one hidden layer, else the root mean squares."""
        if len(settings.widths) == 1 and y.ndim == 1:
            return super().units(X, y, settings)
        # Adam's steps have a fixed length, so inputs and targets get root mean square 1, and blank inputs no weights
        return Units.of(X, y, settings.loss, exact=False, blank=False)

    def fit(self, data: Batches, settings: FitSettings, record: Record, rng: np.random.Generator) -> Found:
        """Fit a network of any shape."""
        if len(settings.widths) > 1:
            return fit_robust_layers(data, settings, record, rng)
        if data.y.ndim == 2:
            return fit_robust_vector(data, settings, record, rng)
        return fit_robust(data, settings, record, rng)


@dataclass(frozen=True, eq=False)
class ExactFound:
    """Result of exact recovery: in its own units, the form in the caller's units, and the network if there is one."""

    fit: ExactFit
    form: KinkForm | None
    answer: NetworkFit | None


@dataclass(frozen=True)
class ExactMethod(FitMethod):
    """Exact recovery by :func:`recovery.networks.exact.fit_exact`: one hidden layer, squared loss, all rows.

    Parameters
    ----------
    search_steps : int, optional
        Steps of its search; chosen automatically by default.
    """

    finds_sizes = True
    search_steps: int | None = None

    def __post_init__(self) -> None:
        if self.search_steps is not None:
            check_integer(self.search_steps, "search_steps", minimum=1)

    def refusal(self, settings: FitSettings) -> str:
        """Return the settings that exact recovery does not support, or ""."""
        if settings.loss != "squared":
            return f"loss={settings.loss!r}"
        if len(settings.widths) > 1:
            return f"n_neurons={list(settings.widths)}"
        for name, usual in (("solver", None), ("batch_size", None), ("gate_update", 1)):
            if getattr(settings, name) != usual:
                return f"{name}={getattr(settings, name)!r}"
        return ""

    def found(self, X: Any, y: Any, settings: FitSettings, rng: np.random.Generator) -> ExactFound:
        """Run :func:`recovery.networks.exact.fit_exact` on data scaled to about 1; reject unsupported settings."""
        refused = self.refusal(settings)
        if refused:
            raise ValueError(
                f"{refused} was given with method='exact', which fits one hidden layer by the squared loss, on all "
                "rows, with gates that move; expected the default, or method='robust'"
            )
        units, last = Units.of(X, y, settings.loss), 1 if y.ndim == 2 else 0
        units.check(last, X.dtype)
        near_X, near_y = units.divide(X, y)
        square = units.targets.number * units.targets.number
        callback = settings.callback
        if callback is not None and square != 1.0:
            callback = _in_units(callback, square)
        options: dict[str, Any] = {} if self.search_steps is None else {"search_steps": self.search_steps}
        fit = fit_exact(
            near_X,
            near_y,
            n_neurons="auto" if "n_neurons" in settings.open_sizes else settings.widths[0],
            sparsity="auto" if "sparsity" in settings.open_sizes else settings.sparsity,
            restarts=min(settings.restarts, EXACT_RESTARTS),
            max_rounds=settings.max_iter,
            time_limit=settings.time_limit,
            rng=rng,
            callback=callback,
            **options,
        )
        history = {**fit.history, "objective": [square * value for value in fit.history["objective"]]}
        ratio = units.targets.exponent - units.inputs.exponent
        form = _scaled(fit.kink_form, ratio)
        if fit.network is None:
            return ExactFound(fit, form, None)
        dtype = np.result_type(X.dtype, y.dtype)
        with np.errstate(over="ignore"):
            layers = [layer.astype(dtype, copy=False) for layer in fit.network.layers]
        layers, held = units.restore(layers, last, near_X, near_y, int(X.shape[1]))
        network, status, message = ReLUNetwork(layers), fit.status, fit.message
        if not held:
            status, message = Status.OUT_OF_RANGE, f"{Status.OUT_OF_RANGE.value}; before that: {message}"
        score = score_of(network, X, y, settings.loss)
        return ExactFound(fit, form, NetworkFit(network, score, fit.n_iter, status, message, history, form))

    def run(self, X: Any, y: Any, settings: FitSettings, rng: np.random.Generator) -> NetworkFit:
        """Return the exact fit; if it has no network within m and s, use the network of the robust method."""
        began = time.monotonic()
        found = self.found(X, y, settings, rng)
        if found.answer is not None:
            return found.answer
        other = _robust(X, y, settings, rng, began)
        message = f"{found.fit.message}; the network is that of method='robust'"
        return replace(other, status=found.fit.status, message=message, form=found.form)

    def fit(self, data: Batches, settings: FitSettings, record: Record, rng: np.random.Generator) -> Found:
        """Fit a network to data scaled to about 1; the full result comes from :meth:`run`."""
        fit = self.run(data.X, data.y, settings, rng)
        return fit.network, fit.status, fit.message


@dataclass(frozen=True)
class AutoMethod(ExactMethod):
    """Exact recovery where it applies, and the robust method where it does not apply or does not succeed."""

    takes_solver = True

    def run(self, X: Any, y: Any, settings: FitSettings, rng: np.random.Generator) -> NetworkFit:
        """Return the exact fit if it succeeded or was stopped, else the better of it and the robust fit."""
        began = time.monotonic()
        if settings.open_sizes:  # the robust method cannot determine sizes
            return super().run(X, y, settings, rng)
        if self.refusal(settings) or not _spread(X, y, settings):
            return RobustMethod().run(X, y, settings, rng)
        found = self.found(X, y, settings, rng)
        exact = found.answer
        if exact is not None and (exact.success or exact.status in (Status.TIME_LIMIT, Status.STOPPED)):
            return exact
        other = _robust(X, y, settings, rng, began)
        if exact is not None and exact.psnr_db >= other.psnr_db:
            return replace(exact, message=f"{exact.message}; the robust method came to {other.psnr_db:.1f} dB")
        short = found.fit.status.value.partition(":")[0]
        note = f"by the robust method, as exact recovery {short} at {found.fit.psnr_db:.1f} dB"
        return replace(other, message=f"{other.message}; {note}")


METHODS: dict[str, FitMethod] = {
    "auto": AutoMethod(),
    "exact": ExactMethod(),
    "robust": RobustMethod(),
    "paper": PaperMethod(),
}


def method_of(method: Any) -> FitMethod:
    """Return the method with this name, or the object itself if it is a method."""
    if isinstance(method, FitMethod):
        return method
    if isinstance(method, type) and issubclass(method, FitMethod):
        raise TypeError(f"method={method.__name__} is a class; expected an object, {method.__name__}(...)")
    if not isinstance(method, str):
        raise TypeError(
            f"method={method!r} is of type {type(method).__name__}; expected {', '.join(map(repr, METHODS))} or an "
            "object of a subclass of recovery.networks.FitMethod"
        )
    return METHODS[check_choice(method, "method", tuple(METHODS))]


def _in_units(callback: Callable[[FitState], Any], square: float) -> Callable[[FitState], Any]:
    """Return a callback that is given objectives in the caller's units."""
    return lambda state: callback(replace(state, objective=square * state.objective))


def _scaled(form: KinkForm, exponent: int) -> KinkForm | None:
    """Return a kink form times a power of two; None if its numbers would exceed the range of a kink form."""
    if abs(exponent) > FORM_RANGE:
        return None
    factor = math.ldexp(1.0, exponent)
    return replace(form, strengths=factor * form.strengths, linear=factor * form.linear, slack=factor * form.slack)


def _spread(X: Any, y: Any, settings: FitSettings) -> bool:
    """Return whether inputs vary in all directions, and samples outnumber exact recovery's unknowns two to one."""
    xp = arrays.namespace(X)
    tops = xp.abs(X).max(axis=0)
    lit = xp.flatnonzero(tops)
    n, d = int(X.shape[0]), int(lit.shape[0])
    unknowns = 2 * d + settings.sparsity
    if n <= 2 * unknowns:
        return False
    # 16 rows per unknown are enough
    rows = X[:: max(1, n // (16 * unknowns))][:, lit] / tops[lit]
    centred = rows.astype(np.float64) - rows.mean(axis=0)
    size = xp.sqrt((centred * centred).sum(axis=0))
    if not bool((size > 0).all()):
        return False
    centred = centred / size
    values = np.linalg.eigvalsh(arrays.to_numpy(centred.T @ centred))
    return bool(values[-1] <= COHERENT * values[0])


def _robust(X: Any, y: Any, settings: FitSettings, rng: np.random.Generator, began: float) -> NetworkFit:
    """Return the fit of the robust method within the remaining time."""
    if settings.time_limit is not None:
        settings = replace(settings, time_limit=max(0.0, settings.time_limit - (time.monotonic() - began)))
    return RobustMethod().run(X, y, settings, rng)
