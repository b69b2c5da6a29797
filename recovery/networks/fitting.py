"""``recovery.fit_network``: fit a sparse ReLU network by sequential convex gates, or by IHT on all its weights."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_choice, check_integer, check_number, check_same_rows
from planted.networks import ReLUNetwork
from recovery.mlp.losses import LOSSES, class_targets, psnr, softmax
from recovery.mlp.record import FitState, NetworkFit, Record, empty_network, sentence
from recovery.mlp.training import Batches
from recovery.mlp.units import Units
from recovery.networks.joint.layerwise import fit_released_layers, fit_repaired_layers
from recovery.networks.joint.released import fit_released_vector
from recovery.networks.joint.repaired import fit_repaired_vector
from recovery.networks.scalar.released import fit_released
from recovery.networks.scalar.repaired import fit_repaired
from recovery.solvers.base import Status

__all__ = ["check_widths", "count_weights", "fit_network", "fit_several"]


def check_widths(n_neurons: Any) -> tuple[int, ...]:
    """Return the hidden widths as a tuple, one a hidden layer, or refuse them.

    Parameters
    ----------
    n_neurons : int or sequence of int
        One width, or one a hidden layer.

    Returns
    -------
    tuple of int
        The widths.

    Raises
    ------
    TypeError, ValueError
        If there is none, or one is not an integer of at least 1.
    """
    if not isinstance(n_neurons, Sequence) or isinstance(n_neurons, (str, bytes)):
        return (check_integer(n_neurons, "n_neurons", minimum=1),)
    if len(n_neurons) == 0:
        raise ValueError(f"n_neurons={n_neurons!r} is empty; expected at least one width")
    return tuple(check_integer(width, f"n_neurons[{i}]", minimum=1) for i, width in enumerate(n_neurons))


def count_weights(X: Any, y: Any, widths: Sequence[int]) -> int:
    """Return how many weights count: those of all layers, but not the output layer of a scalar network."""
    sizes = [int(X.shape[1]), *widths, *([int(y.shape[1])] if y.ndim == 2 else [])]
    return sum(rows * columns for rows, columns in itertools.pairwise(sizes))


def fit_several(
    X: Any,
    y: Any,
    widths: tuple[int, ...],
    sparsity: int,
    method: str,
    loss: str,
    n_iter: int,
    gate_update: int | None,
    batch_size: int | None,
    restarts: int,
    time_limit: float | None,
    tol: float,
    rng: np.random.Generator,
    callback: Callable[[FitState], Any] | None,
) -> NetworkFit:
    """Fit a network with several outputs or hidden layers; :func:`recovery.fit_network` has checked the arguments."""
    repaired = method == "repaired"
    # the repaired method's steps are of one length, so it works on inputs and targets of root mean square 1
    units = Units.of(X, y, loss, exact=False, blank=False) if repaired else Units()
    last = len(widths) if y.ndim == 2 else len(widths) - 1
    units.check(last if len(widths) > 1 or y.ndim == 2 else 0, X.dtype)
    small, target = units.divide(X, y)
    phases = len(widths) + (repaired and len(widths) > 1)
    record = Record(n_iter * phases, time_limit, callback, units.targets.number)
    batches = Batches(small, target, batch_size, rng)
    if len(widths) > 1:
        if repaired:
            network, status, note = fit_repaired_layers(
                batches, widths, sparsity, loss, gate_update, record, rng, n_iter, restarts=restarts, tol=tol
            )
        else:
            network, status, note = fit_released_layers(
                batches, widths, sparsity, loss, gate_update, record, rng, n_iter
            )
    elif repaired:
        network, status, note = fit_repaired_vector(batches, widths[0], sparsity, loss, record, rng, tol)
    else:
        network, status, note = fit_released_vector(batches, widths[0], sparsity, loss, gate_update, record, rng)
    layers, held = units.restore(network.layers, last, batches.X, batches.y, int(X.shape[1]))
    network = ReLUNetwork(layers)
    if not held:
        status, note = Status.OUT_OF_RANGE, f"before that: {sentence(status, n_iter, note)}"
    return NetworkFit(
        network,
        _score(network, X, y, loss),
        record.n_iter,
        status,
        sentence(status, n_iter, note),
        record.history,
    )


@np.errstate(over="ignore", invalid="ignore")
def _score(network: ReLUNetwork, X: Any, y: Any, loss: str) -> float:
    """Return the PSNR in dB; -inf where the outputs of a diverged fit leave the range of the numbers."""
    outputs = network(X)
    if not bool(arrays.namespace(outputs).isfinite(outputs).all()):
        return -math.inf
    return psnr(softmax(outputs) if loss == "cross_entropy" else outputs, y)


EXACT_ONLY = ("l1", "group_l1")
"""Solvers with equality constraints."""
SYNCS_PER_STEP = {"repaired": 8, "released": 8}
"""Most synchronisations with a GPU in a step on all rows, without ties; 4 and 5 as a rule."""
SYNCS_PER_CUT = 20
"""The same in a step of the repaired method that cuts back to the size of the answer."""


def fit_network(
    X: Any,
    y: Any,
    *,
    n_neurons: int | Sequence[int],
    sparsity: int,
    method: str = "repaired",
    loss: str = "squared",
    solver: str | None = None,
    n_iter: int = 100,
    gate_update: int | None = 1,
    batch_size: int | None = None,
    restarts: int = 10,
    time_limit: float | None = None,
    tol: float = 1e-6,
    rng: Any = None,
    callback: Callable[[FitState], Any] | None = None,
) -> NetworkFit:
    """Fit y = sum_j v_j relu(x . u_j) with few neurons and few non-zero weights.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs. The computation is in float32 if X and y are both float32 (the floor of the fit is
        then about 120 dB), else in float64.
    y : array, shape (n,) or (n, k)
        Targets, on the device of X. (n,) gives a network with one output and output weights +-1; (n, k), also with
        k = 1, one whose output weights are fitted. For cross-entropy: class numbers 0, 1, ... of
        shape (n,), or rows of probabilities of shape (n, k).
    n_neurons : int or sequence of int
        m >= 1, the largest number of hidden neurons of the answer; a sequence of L widths for L hidden layers.
    sparsity : int
        s, the largest number of non-zero weights of the answer, from 0 to all there are: of the hidden layers for
        one output, of all layers together, the output layer too, for targets (n, k) and for cross-entropy.
    method : {"repaired", "released"}, default "repaired"
        ``"released"`` is the paper's released method, faults included: positive output weights
        only, and a neuron that loses all its weights never comes back. ``"repaired"`` has neither
        fault, see Notes.
    loss : {"squared", "cross_entropy"}, default "squared"
        Which loss is made small. ``psnr_db`` is then that of softmax(outputs) against the rows of targets.
    solver : str, optional
        A name from :func:`recovery.list_solvers`: that solver is run on the gated operator, from the
        last iterate, in place of the repaired method's own step. ``"repaired"`` with all rows only; not
        ``"l1"`` and ``"group_l1"``, which need gates under which an exact fit exists. One output, one hidden layer.
    n_iter : int, default 100
        Number of steps in all, over all starts and batches. A repaired fit on batches ends with at most three
        steps on all rows, which are not counted. Several hidden layers: each layer makes so many, and so does the
        repaired method's joint phase.
    gate_update : int or None, default 1
        The gates follow the weights after every `gate_update`-th step; None keeps the first,
        random gates. The repaired method for several outputs, and its joint phase, always let them follow.
    batch_size : int, optional
        Rows a step sees; all of them by default.
    restarts : int, default 10
        Largest number of further random starts of the repaired method; a new start is made while steps
        are left, the last start has stalled, the fit is not exact, and no two starts have ended in one network with
        a residual that looks like noise. The start of smallest residual wins. For several outputs one start takes all
        steps.
    time_limit : float, optional
        Seconds, looked at after each step.
    tol : float, default 1e-6
        A fit with |r| <= tol |y| counts as exact: no further start is made.
    rng : int, numpy.random.Generator or None
        Source of the random generators and of the order of the rows.
    callback : callable, optional
        Called with a :class:`recovery.networks.FitState` after each step; returning True stops the fit. The
        repaired method then (and after `time_limit`) makes one more step, to cut back to the size asked for.

    Returns
    -------
    NetworkFit
        ``network, psnr_db, n_iter, status, message, history``.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, NaN or infinite, of the wrong kind or shape, or on another device.

    Notes
    -----
    With fixed gates D_j = diag(1{X h_j >= 0}) the model is linear, y = sum_j D_j X w_j with w_j = u_j v_j,
    and sparse recovery applies; the gates are then moved to where the weights point, h_j = u_j, and
    so on. ``"repaired"`` keeps 2 m neurons of either output sign and up to 3 s weights during the search, takes
    least squares on the support as its step (a Gauss-Newton step once the gates follow the weights),
    re-draws the generator of every neuron that lost its weights, and cuts back to m neurons and s weights
    at the end of each start. With 50 steps and more on all rows it first tries whether few neurons fit better than
    2 m, which they do on coherent inputs. A search step on all rows and a released step synchronise with a GPU at
    most 8 times, a step that cuts back 20 times. Derived here; its success rates stand in ``docs/networks.md``.

    Data with noise have no exact fit. Such a fit of the repaired method ends with ``NO_GAIN`` where a further search
    (from another start, from the best network and fresh neurons, or an exchange of weights) led to nothing better and
    the residual depends on the inputs no more than noise would (:mod:`recovery.networks.gain` has the rule); with
    ``STALLED`` or ``STEP_LIMIT`` otherwise. The released method has no such rule: it makes its `n_iter` steps.

    Several outputs, f(x) = W2' relu(W1' x): nothing is fused, and one budget covers W1 and W2. ``"released"`` makes the
    fixed steps of the authors' released code and selects by a Count Sketch of all updates
    (:mod:`recovery.networks.joint.released` lists what it keeps and what it does not). ``"repaired"`` searches from a
    dense network: Adam's step, then exactly the top s_t weights by their share of the outputs, s_t falling to s; then
    Levenberg-Marquardt on the support and exchanges of weights, on all rows. It is equivariant under
    reordering of the outputs, and under scaling of X and y, which are divided by their root mean squares first: powers
    of two change no bit; other factors change the rounding, which a long search amplifies.

    Several hidden layers: ``"released"`` fits one layer after the other with s // L weights each, on the features of
    the layers before; with several outputs the temporary output layers, and their weights, are lost.
    ``"repaired"`` does so too, then fits all layers together under one budget, also from a dense start, and returns
    the best of these.

    Examples
    --------
    >>> import planted, recovery
    >>> X = planted.gaussian_inputs(2000, 10, rng=0)
    >>> truth = planted.sparse_network(10, 3, 9, signs="mixed", rng=1)
    >>> fit = recovery.fit_network(X, truth(X), n_neurons=3, sparsity=9, rng=2)
    >>> planted.match_networks(fit.network, truth, atol=1e-10).exact
    True
    """
    X = check_array(X, "X", ndim=2)
    classes = loss == "cross_entropy"
    y = class_targets(y, loss, X.dtype) if classes else check_array(y, "y", ndim=(1, 2))
    check_choice(loss, "loss", LOSSES)
    check_same_rows(X, "X", y, "y")
    xp = arrays.namespace(X, y)
    dtype = np.result_type(X.dtype, y.dtype)
    # in one memory order, so that products, and with them every bit, do not depend on the caller's
    X, y = X.astype(dtype, order="C"), y.astype(dtype, order="C")
    widths = check_widths(n_neurons)
    sparsity = check_integer(sparsity, "sparsity", minimum=0, maximum=count_weights(X, y, widths))
    check_choice(method, "method", ("repaired", "released"))
    n_iter = check_integer(n_iter, "n_iter", minimum=1)
    if gate_update is not None:
        gate_update = check_integer(gate_update, "gate_update", minimum=1)
    if batch_size is not None:
        batch_size = check_integer(batch_size, "batch_size", minimum=1)
    restarts = check_integer(restarts, "restarts", minimum=0)
    if time_limit is not None:
        time_limit = check_number(time_limit, "time_limit", minimum=0.0)
    tol = check_number(tol, "tol", minimum=0.0)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback={callback!r} cannot be called; expected a function of one state")
    _check_solver(solver, method, batch_size, scalar=len(widths) == 1 and y.ndim == 1)
    draw = arrays.generator(rng)
    if sparsity == 0 or not bool((y != 0).any()):
        status = Status.ZERO_SPARSITY if sparsity == 0 else Status.ZERO_DATA
        zero = softmax(xp.zeros_like(y)) if classes else xp.zeros_like(y)
        history = Record(0, None, None).history
        return NetworkFit(empty_network(X, y, len(widths)), psnr(zero, y), 0, status, status.value, history)
    if len(widths) > 1 or y.ndim == 2:
        return fit_several(
            X,
            y,
            widths,
            sparsity,
            method,
            loss,
            n_iter,
            gate_update,
            batch_size,
            restarts,
            time_limit,
            tol,
            draw,
            callback,
        )
    n_neurons = widths[0]
    # powers of two are exact: the repaired method works on numbers near 1, whose squares stay in range
    units = Units.of(X, y, loss) if method == "repaired" else Units()
    units.check(0, dtype)
    small, target = units.divide(X, y)
    record = Record(n_iter, time_limit, callback, units.targets.number)
    batches = Batches(small, target, batch_size, draw)
    if method == "released":
        network, status, note = fit_released(batches, n_neurons, sparsity, gate_update, record, draw)
    else:
        network, status, note = fit_repaired(
            batches, n_neurons, sparsity, gate_update, record, draw, restarts=restarts, tol=tol, solver=solver
        )
    layers, held = units.restore(network.layers, 0, small, target, int(X.shape[1]))
    network = ReLUNetwork(layers)
    if not held:
        status, note = Status.OUT_OF_RANGE, f"before that: {sentence(status, n_iter, note)}"
    message = sentence(status, n_iter, note)
    return NetworkFit(network, psnr(network(X), y), record.n_iter, status, message, record.history)


def _check_solver(solver: str | None, method: str, batch_size: int | None, scalar: bool) -> None:
    if solver is None:
        return
    from recovery.solvers.solve import solver_class

    solver_class(solver)
    if solver in EXACT_ONLY:
        raise ValueError(
            f"solver={solver!r} asks for A z = y, which no z satisfies while the gates are wrong; expected one of the "
            "solvers that minimise |A z - y|, such as 'htp'"
        )
    if method != "repaired" or batch_size is not None:
        raise ValueError(
            f"solver={solver!r} was given with method={method!r} and batch_size={batch_size}; "
            "expected solver=None except for method='repaired' on all rows"
        )
    if not scalar:
        raise ValueError(
            f"solver={solver!r} was given for several outputs or hidden layers, where no linear problem is solved; "
            "expected solver=None"
        )
