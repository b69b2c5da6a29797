"""``recovery.fit_network``: fit a sparse ReLU network, exactly if the data allow it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_choice, check_integer, check_same_rows
from planted.base.frames import names_of
from planted.base.progress import Progress, bar, check_progress
from recovery.certificates.network import network_certificate
from recovery.mlp.losses import LOSSES, class_targets, psnr, softmax
from recovery.mlp.record import (
    FitMethod,
    FitSettings,
    FitState,
    Loss,
    NetworkFit,
    Record,
    check_widths,
    empty_network,
)
from recovery.networks.methods import Method, method_of
from recovery.solvers.base import Status

__all__ = ["fit_network"]

EXACT_ONLY = ("l1", "group_l1")
"""Solvers with equality constraints."""
SYNCS_PER_STEP = {"robust": 8, "paper": 8}
"""Largest number of GPU synchronisations in a step on all rows, without ties; usually 4 or 5."""
SYNCS_PER_CUT = 20
"""The same for a step of the robust method that cuts back to the final size."""


def fit_network(
    X: Any,
    y: Any,
    *,
    n_neurons: int | Sequence[int] | Literal["auto"],
    sparsity: int | Literal["auto"],
    method: Method | FitMethod = "auto",
    loss: Loss = "squared",
    solver: str | None = None,
    max_iter: int = 100,
    gate_update: int | None = 1,
    batch_size: int | None = None,
    restarts: int = 10,
    time_limit: float | None = None,
    tol: float = 1e-6,
    rng: Any = None,
    callback: Callable[[FitState], Any] | None = None,
    certify: bool = False,
    progress: Progress = False,
) -> NetworkFit:
    """Fit y = sum_j v_j relu(x . u_j) with few neurons and few non-zero weights.

    Parameters
    ----------
    X : array or data frame, shape (n, d)
        Inputs. The computation is in float32 if X and y are both float32 (the PSNR is then limited to about 120 dB),
        else in float64.
    y : array, shape (n,) or (n, k)
        Targets, on the device of X. (n,) gives a network with one output and output weights +-1; (n, k), also with
        k = 1, one whose output weights are fitted. For cross-entropy: class numbers 0, 1, ... of
        shape (n,), or rows of probabilities of shape (n, k).
    n_neurons : int, sequence of int or "auto"
        m >= 1, the largest number of hidden neurons of the result; a sequence of L widths for L hidden layers. With
        "auto", exact recovery determines it, for y of shape (n,).
    sparsity : int or "auto"
        s, the largest number of non-zero weights of the result, from 0 to the number of weights. For one output these
        are the weights of the hidden layers; for targets (n, k) and for cross-entropy, those of all layers including
        the output layer. With "auto", exact recovery determines it, for y of shape (n,).
    method : {"auto", "exact", "robust", "paper"} or FitMethod, default "auto"
        ``"exact"`` is exact recovery (:func:`recovery.networks.fit_exact`): one hidden layer, squared loss, all rows.
        It finds planted networks to the last digit. ``"robust"`` alternates between sparse least squares and gate
        updates; it supports all losses, any depth and batches. ``"auto"`` uses exact recovery where it applies, and the
        robust method where it does not apply or does not succeed. ``"paper"`` is the paper's method, flaws included:
        positive output weights only, and a neuron that loses all its weights never recovers. An instance of your own
        class can be passed too: see :class:`recovery.networks.FitMethod`.
    loss : {"squared", "cross_entropy"}, default "squared"
        The loss to minimise. ``psnr_db`` is then that of softmax(outputs) against the rows of targets.
    solver : str, optional
        A name from :func:`recovery.list_solvers`: run on the gated operator from the last iterate, in place of the
        robust method's own step. Only without batches, for one output and one hidden layer, and not ``"l1"`` or
        ``"group_l1"``, which need gates for which an exact fit exists.
    max_iter : int, default 100
        Total number of steps, over all starts and batches. A robust fit on batches ends with at most three extra steps
        on all rows. With several hidden layers, each layer makes this many steps, and so does the robust method's joint
        phase. For exact recovery, the number of rounds of tests on all rows.
    gate_update : int or None, default 1
        The gates are set to the weights after every `gate_update`-th step; None keeps the initial random gates. The
        robust method for several outputs, and its joint phase, update them in every step.
    batch_size : int, optional
        Number of rows per step; all rows by default.
    restarts : int, default 10
        Largest number of additional random starts of the robust method. A new start is made if steps are left, the last
        start has stalled, the fit is not exact, and no two starts have ended in the same network with a residual that
        looks like noise. The start with the smallest residual wins. For several outputs a single start uses all steps.
        Exact recovery makes at most two additional starts.
    time_limit : float, optional
        Seconds, checked after each step.
    tol : float, default 1e-6
        The robust method makes no further start after a fit with |r| <= tol |y|. Exact recovery always aims at rounding
        error.
    rng : int, numpy.random.Generator or None
        Source of the random generators and of the order of the rows.
    callback : callable, optional
        Called with a :class:`recovery.networks.FitState` after each step; returning True stops the fit. The robust
        method then (and after `time_limit`) makes one more step, to cut back to the requested size.
    certify : bool, default False
        Try to prove that no other network nearby fits the data. ``certificate`` of the result is that proof
        (:func:`recovery.certificates.network_certificate`), or None if there is none, and the message says why. For one
        hidden layer and y of shape (n,).
    progress : bool or callable, default False
        True shows a progress bar (needs tqdm); a function is called as ``progress(done, total)`` whenever `callback`
        would be, `done` being the number of such calls. `total` is `max_iter` for ``"robust"`` and ``"paper"`` with one
        hidden layer, and None where the number of steps is not known. The last call has ``done == total``.

    Returns
    -------
    NetworkFit
        ``network, psnr_db, n_iter, status, success, message, support, kink_form, certificate, history``, and ``names``
        and ``support_names``, the names of the inputs where X is a data frame with names.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, NaN or infinite, of the wrong type or shape, or on another device; or if a
        user's own method does not return a network of the requested size.

    Notes
    -----
    With fixed gates D_j = diag(1{X h_j >= 0}) the model is linear, y = sum_j D_j X w_j with w_j = u_j v_j,
    and sparse recovery applies; the gates are then moved to where the weights point, h_j = u_j, and the two steps
    alternate. ``"robust"`` keeps 2 m neurons of both output signs and up to 3 s weights during the search, uses least
    squares on the support as its step (a Gauss-Newton step once the gates follow the weights), redraws the generator of
    every neuron that has lost its weights, and cuts back to m neurons and s weights at the end of each start. With at
    least 50 steps on all rows it first tests whether few neurons fit better than 2 m, as they do on coherent inputs. A
    search step on all rows, or a step of the paper's method, synchronises with a GPU at most 8 times; a step that cuts
    back, at most 20 times. Derived here; its success rates are given in ``docs/appendix/networks.md``.

    Noisy data have no exact fit. The robust method then ends with ``NO_GAIN`` if a further search (from another start,
    from the best network with new neurons, or by exchanging weights) found nothing better and the residual depends on
    the inputs no more than noise would (see :mod:`recovery.networks.gain` for the rule); otherwise with ``STALLED`` or
    ``STEP_LIMIT``. The paper's method has no such rule and always makes its `max_iter` steps.

    For several outputs, f(x) = W2' relu(W1' x), weights are not fused, and one budget covers W1 and W2. ``"paper"``
    makes the fixed steps of the authors' released code and selects weights by a Count Sketch of all updates
    (:mod:`recovery.networks.joint.paper` lists what it reproduces and what it does not). ``"robust"`` searches from a
    dense network: an Adam step, then selection of exactly the top s_t weights by their contribution to the outputs,
    with s_t falling to s; then Levenberg-Marquardt on the support and exchanges of weights, on all rows. It is
    equivariant under reordering of the outputs, and under scaling of X and y, which are first divided by their root
    mean squares. Scaling by powers of two changes no bit; other factors change the rounding, which a long search
    amplifies.

    For several hidden layers, ``"paper"`` fits one layer after the other with s // L weights each, on the features of
    the previous layers; with several outputs the temporary output layers and their weights are discarded. ``"robust"``
    does the same, then fits all layers jointly under one budget, once from these layers and once from a dense start,
    and returns the best network found.

    Examples
    --------
    >>> import planted, recovery
    >>> X = planted.gaussian_inputs(2000, 10, rng=0)
    >>> truth = planted.sparse_network(10, 3, 9, signs="mixed", rng=1)
    >>> fit = recovery.fit_network(X, truth(X), n_neurons=3, sparsity=9, rng=2)
    >>> planted.match_networks(fit.network, truth, atol=1e-10).exact
    True
    """
    check_progress(progress)
    names = names_of(X)
    X = check_array(X, "X", ndim=2)
    check_choice(loss, "loss", LOSSES)
    classes = loss == "cross_entropy"
    y = class_targets(y, loss, X.dtype) if classes else check_array(y, "y", ndim=(1, 2))
    check_same_rows(X, "X", y, "y")
    xp = arrays.namespace(X, y)
    dtype = np.result_type(X.dtype, y.dtype)
    # in a fixed memory order, so that no bit of any product depends on the caller's memory order
    X, y = X.astype(dtype, order="C"), y.astype(dtype, order="C")
    if not isinstance(certify, bool):
        raise TypeError(f"certify={certify!r} is of type {type(certify).__name__}; expected a bool")
    chosen = method_of(method)
    open_sizes = _open_sizes(chosen, method, n_neurons, sparsity, y)
    widths, most = _bounds(n_neurons, sparsity, open_sizes, X)
    settings = FitSettings(
        widths,
        most,
        loss,
        solver,
        max_iter,
        gate_update,
        batch_size,
        restarts,
        time_limit,
        tol,
        callback,
        open_sizes,
    )
    capacity = settings.capacity(int(X.shape[1]), int(y.shape[1]) if y.ndim == 2 else None)
    check_integer(most, "sparsity", minimum=0, maximum=capacity)
    _check_solver(chosen, method, settings, y)
    draw = arrays.generator(rng)
    if settings.sparsity == 0 or not bool((y != 0).any()):
        status = Status.ZERO_SPARSITY if settings.sparsity == 0 else Status.ZERO_DATA
        zero = softmax(xp.zeros_like(y)) if classes else xp.zeros_like(y)
        network = empty_network(X, y, len(settings.widths))
        return NetworkFit(network, psnr(zero, y), 0, status, status.value, Record.no_history(), names=names)
    expected = max_iter if method in ("robust", "paper") and len(settings.widths) == 1 else None
    with bar(progress, expected, user="fit_network") as shown:
        watched = shown.watching(callback, lambda state: f"{state.psnr_db:.1f} dB, {state.nonzeros} weights")
        fit = chosen.run(X, y, replace(settings, callback=watched) if shown.on else settings, draw)
    if certify:
        fit = _certified(fit, X, y)
    return fit if names is None else replace(fit, names=names)


def _open_sizes(chosen: FitMethod, method: Any, n_neurons: Any, sparsity: Any, y: Any) -> tuple[str, ...]:
    """Return which sizes are "auto"; raise an error if the method cannot determine them."""
    sizes = (("n_neurons", n_neurons), ("sparsity", sparsity))
    found = tuple(name for name, size in sizes if isinstance(size, str) and size == "auto")
    if found and not (chosen.finds_sizes and y.ndim == 1):
        raise ValueError(
            f"{found[0]}='auto' was given with method={method!r} and y of shape {tuple(y.shape)}; expected an integer, "
            "or method='exact' and y of shape (n,)"
        )
    return found


def _bounds(n_neurons: Any, sparsity: Any, open_sizes: tuple[str, ...], X: Any) -> tuple[tuple[int, ...], Any]:
    """Return widths and sparsity; "auto" is replaced by an upper bound: all weights, and one neuron per weight."""
    n, d = int(X.shape[0]), int(X.shape[1])
    widths: tuple[int, ...]
    if "n_neurons" in open_sizes:
        # at most the number of samples if the sparsity is "auto" too
        widths = (n if "sparsity" in open_sizes else max(1, check_integer(sparsity, "sparsity", minimum=0)),)
    else:
        widths = check_widths(n_neurons)
    return widths, d * widths[0] if "sparsity" in open_sizes else sparsity


def _certified(fit: NetworkFit, X: Any, y: Any) -> NetworkFit:
    """Return the fit with its certificate, or with the reason why there is none."""
    if y.ndim != 1 or fit.network.depth > 1:
        reason = f"expected y of shape (n,) and one hidden layer, not {tuple(y.shape)} and {fit.network.depth}"
    else:
        try:
            return replace(fit, certificate=network_certificate(X, y, fit.kink_form))
        except ValueError as error:  # NotCertified, or numbers that are out of range
            reason = str(error)
    return replace(fit, message=f"{fit.message}; no certificate: {reason}")


def _check_solver(chosen: FitMethod, method: Any, settings: FitSettings, y: Any) -> None:
    solver, batch_size = settings.solver, settings.batch_size
    if solver is None:
        return
    from recovery.solvers.solve import solver_class

    solver_class(solver)
    if solver in EXACT_ONLY:
        raise ValueError(
            f"solver={solver!r} asks for A z = y, which no z satisfies while the gates are wrong; expected one of the "
            "solvers that minimise |A z - y|, such as 'htp'"
        )
    if not chosen.takes_solver or batch_size is not None:
        raise ValueError(
            f"solver={solver!r} was given with method={method!r} and batch_size={batch_size}; "
            "expected solver=None except for method='robust' on all rows"
        )
    if len(settings.widths) > 1 or y.ndim == 2:
        raise ValueError(
            f"solver={solver!r} was given for several outputs or hidden layers, where no linear problem is solved; "
            "expected solver=None"
        )
