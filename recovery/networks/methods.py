"""The methods of ``fit_network``: the paper's, the robust one, exact recovery, and the choice between them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from planted.base import arrays
from planted.base.checks import check_choice, check_integer
from planted.networks import ReLUNetwork
from recovery.mlp.record import FitMethod, FitSettings, Found, NetworkFit, Record, score_of
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
"""Exact recovery makes no more further starts than this, however many are allowed."""


class PaperMethod(FitMethod):
    """The paper's method, which works in the caller's units: its steps are not scale equivariant."""

    def units(self, X: Any, y: Any, settings: FitSettings) -> Units:
        """Return the units of the caller."""
        return Units()

    def fit(self, data: Batches, settings: FitSettings, record: Record, rng: np.random.Generator) -> Found:
        """Fit a network of any shape."""
        if len(settings.widths) > 1:
            return fit_paper_layers(data, settings, record, rng)
        if data.y.ndim == 2:
            return fit_paper_vector(data, settings, record, rng)
        return fit_paper(data, settings, record, rng)


class RobustMethod(FitMethod):
    """The method that has neither of the paper's method's faults; see :func:`recovery.fit_network`."""

    takes_solver = True

    def units(self, X: Any, y: Any, settings: FitSettings) -> Units:
        """Return powers of two for one output and hidden layer, else the root mean squares."""
        if len(settings.widths) == 1 and y.ndim == 1:
            return super().units(X, y, settings)
        # Adam's steps are of one length: inputs and targets of root mean square 1, and no weights on blank inputs
        return Units.of(X, y, settings.loss, exact=False, blank=False)

    def fit(self, data: Batches, settings: FitSettings, record: Record, rng: np.random.Generator) -> Found:
        """Fit a network of any shape."""
        if len(settings.widths) > 1:
            return fit_robust_layers(data, settings, record, rng)
        if data.y.ndim == 2:
            return fit_robust_vector(data, settings, record, rng)
        return fit_robust(data, settings, record, rng)


class ExactMethod(FitMethod):
    """Exact recovery by :func:`recovery.networks.exact.fit_exact`: one hidden layer, squared loss, all rows.

    Parameters
    ----------
    search_steps : int, optional
        Steps of its search; by default it chooses them itself.
    """

    def __init__(self, search_steps: int | None = None) -> None:
        self.options: dict[str, Any] = {}
        if search_steps is not None:
            self.options["search_steps"] = check_integer(search_steps, "search_steps", minimum=1)

    def refusal(self, settings: FitSettings) -> str:
        """Return the setting that exact recovery has no use for, or ""."""
        if settings.loss != "squared":
            return f"loss={settings.loss!r}"
        if len(settings.widths) > 1:
            return f"n_neurons={list(settings.widths)}"
        for name, usual in (("solver", None), ("batch_size", None), ("gate_update", 1)):
            if getattr(settings, name) != usual:
                return f"{name}={getattr(settings, name)!r}"
        return ""

    def found(self, X: Any, y: Any, settings: FitSettings, rng: np.random.Generator) -> ExactFit:
        """Return the answer of :func:`recovery.networks.exact.fit_exact`, or refuse the settings."""
        refused = self.refusal(settings)
        if refused:
            raise ValueError(
                f"{refused} was given with method='exact', which fits one hidden layer by the squared loss, on all "
                "rows, with gates that move; expected the default, or method='robust'"
            )
        Units.of(X, y, settings.loss).check(1 if y.ndim == 2 else 0, X.dtype)
        return fit_exact(
            X,
            y,
            n_neurons=settings.widths[0],
            sparsity=settings.sparsity,
            restarts=min(settings.restarts, EXACT_RESTARTS),
            max_rounds=settings.max_iter,
            time_limit=settings.time_limit,
            rng=rng,
            callback=settings.callback,
            **self.options,
        )

    def run(self, X: Any, y: Any, settings: FitSettings, rng: np.random.Generator) -> NetworkFit:
        """Return the exact fit, and where it has no network within m and s, the robust method's beside it."""
        began = time.monotonic()
        found = self.found(X, y, settings, rng)
        if found.network is not None:
            return _answer(found, found.network, X, y)
        other = _robust(X, y, settings, rng, began)
        return replace(
            _answer(found, other.network, X, y), message=f"{found.message}; the network is that of method='robust'"
        )

    def fit(self, data: Batches, settings: FitSettings, record: Record, rng: np.random.Generator) -> Found:
        """Fit a network to data near 1; the whole answer is that of :meth:`run`."""
        fit = self.run(data.X, data.y, settings, rng)
        return fit.network, fit.status, fit.message


class AutoMethod(ExactMethod):
    """Exact recovery where it applies, and the robust method where it does not, or does not end well."""

    takes_solver = True

    def run(self, X: Any, y: Any, settings: FitSettings, rng: np.random.Generator) -> NetworkFit:
        """Return the exact fit if it ended well or was stopped, else the better of it and the robust one."""
        began = time.monotonic()
        if self.refusal(settings):
            return RobustMethod().run(X, y, settings, rng)
        found = self.found(X, y, settings, rng)
        exact = None if found.network is None else _answer(found, found.network, X, y)
        if exact is not None and (exact.success or exact.status in (Status.TIME_LIMIT, Status.STOPPED)):
            return exact
        other = _robust(X, y, settings, rng, began)
        if exact is not None and exact.psnr_db >= other.psnr_db:
            return replace(exact, message=f"{exact.message}; the robust method came to {other.psnr_db:.1f} dB")
        note = f"method='robust', as exact recovery {_ending(found)}"
        return replace(other, message=f"{other.message}; {note}")


METHODS: dict[str, FitMethod] = {
    "auto": AutoMethod(),
    "exact": ExactMethod(),
    "robust": RobustMethod(),
    "paper": PaperMethod(),
}


def method_of(method: Any) -> FitMethod:
    """Return the method of a name, or an object that is one."""
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


def _answer(found: ExactFit, network: ReLUNetwork, X: Any, y: Any) -> NetworkFit:
    """Return an exact fit as the answer of a network fit, with a network of the dtype of the data."""
    dtype = np.result_type(X.dtype, y.dtype)
    with np.errstate(over="ignore"):
        layers = [layer.astype(dtype, copy=False) for layer in network.layers]
    status, message = found.status, found.message
    # what left the range of a narrower dtype is infinite, or zero
    same = all(bool(((a != 0) == (b != 0)).all()) for a, b in zip(layers, network.layers, strict=True))
    if not same or not all(bool(arrays.namespace(layer).isfinite(layer).all()) for layer in layers):
        status, message = Status.OUT_OF_RANGE, f"{Status.OUT_OF_RANGE.value}; before that: {found.message}"
    network = ReLUNetwork(layers)
    score = score_of(network, X, y, "squared")
    return NetworkFit(network, score, found.n_iter, status, message, found.history, found.kink_form)


def _ending(found: ExactFit) -> str:
    """Return how an exact fit ended, as the rest of a sentence."""
    short = found.status.value.partition(":")[0]
    return f"ended there: {short}, with a relative residual of {found.relative_residual:.1e}"


def _robust(X: Any, y: Any, settings: FitSettings, rng: np.random.Generator, began: float) -> NetworkFit:
    """Return the fit of the robust method in what is left of the time."""
    if settings.time_limit is not None:
        settings = replace(settings, time_limit=max(0.0, settings.time_limit - (time.monotonic() - began)))
    return RobustMethod().run(X, y, settings, rng)
