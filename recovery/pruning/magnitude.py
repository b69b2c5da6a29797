"""``recovery.imp``: iterative magnitude pruning of ReLU networks, as the paper's baseline and as a fair one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal, TypedDict, Unpack, overload

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_choice, check_integer, check_same_rows
from planted.base.frames import Names, names_of
from planted.base.progress import Progress, bar, check_progress
from recovery.mlp.losses import LOSSES, class_targets
from recovery.mlp.passes import Shapes
from recovery.mlp.record import FitSettings, FitState, Loss, NetworkFit, check_widths, problems
from recovery.pruning.recipes import Recipe, resolve
from recovery.pruning.rounds import Pass
from recovery.solvers.base import Recorder

__all__ = ["ImpOptions", "imp", "imp_many"]

Start = Literal["small", "pytorch"] | Callable[[Shapes, np.random.Generator], np.ndarray]


class ImpOptions(TypedDict, total=False):
    """Optional arguments of :func:`recovery.imp`, except the source of random numbers."""

    recipe: Literal["fair", "paper"] | Recipe
    loss: Loss
    max_iter: int | None
    batch_size: int | None
    learning_rate: float | None
    prune_share: float | None
    rewind: float | None
    fine_tune: int | None
    initialisation: Start | None
    count: Literal["hidden", "all"] | None
    time_limit: float | None
    callback: Callable[[FitState], Any] | None
    progress: Progress


@overload
def imp(
    X: Any,
    y: Any,
    *,
    n_neurons: int | Sequence[int],
    sparsity: int,
    rng: Any = None,
    **options: Unpack[ImpOptions],
) -> NetworkFit: ...


@overload
def imp(
    X: Any,
    y: Any,
    *,
    n_neurons: int | Sequence[int],
    sparsity: Sequence[int],
    rng: Any = None,
    **options: Unpack[ImpOptions],
) -> list[NetworkFit]: ...


def imp(
    X: Any,
    y: Any,
    *,
    n_neurons: int | Sequence[int],
    sparsity: int | Sequence[int],
    recipe: Literal["fair", "paper"] | Recipe = "fair",
    loss: Loss = "squared",
    max_iter: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    prune_share: float | None = None,
    rewind: float | None = None,
    fine_tune: int | None = None,
    initialisation: Start | None = None,
    count: Literal["hidden", "all"] | None = None,
    time_limit: float | None = None,
    rng: Any = None,
    callback: Callable[[FitState], Any] | None = None,
    progress: Progress = False,
) -> NetworkFit | list[NetworkFit]:
    """Fit a sparse ReLU network by iterative magnitude pruning: train, prune, rewind, again.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs. The computation is in float32 if X and y are both float32, else in float64.
    y : array, shape (n,) or (n, k)
        Targets, on the device of X. For ``loss="cross_entropy"`` class numbers of shape (n,), or rows of probabilities.
    n_neurons : int or sequence of int
        Widths of the hidden layers; an int is one layer.
    sparsity : int or sequence of int
        s >= 0, the number of weights to keep; a sequence is handled in a single pass. It may exceed the number of
        weights.
    recipe : {"fair", "paper"}, or Recipe, default "fair"
        Source of the defaults of all arguments below. ``"paper"`` is the paper's baseline, see Notes; you can pass your
        own :class:`recovery.pruning.Recipe`, for instance ``dataclasses.replace(FAIR, ...)``.
    loss : {"squared", "cross_entropy"}, default "squared"
        What training minimises.
    max_iter : int, optional
        Adam updates per round.
    batch_size : int, optional
        Rows per update; n or more means all.
    learning_rate : float, optional
        Of Adam.
    prune_share : float, optional
        Fraction of the remaining weights that is pruned per round, below 1; 0 prunes once, from the dense network.
    rewind : float, optional
        Fraction of the first round after which weights are stored for rewinding; 0 rewinds to the initialisation.
    fine_tune : int, optional
        Updates after the last pruning, with the mask.
    initialisation : {"small", "pytorch"} or callable, optional
        Initial weights, see :func:`recovery.pruning.recipes.initial_weights`.
    count : {"hidden", "all"}, optional
        Which weights are pruned and counted: those of the hidden layers, or of the output layer too. ``.sparsity`` of
        the networks counts as the fair recipe does: hidden weights for one output, all for several.
    time_limit : float, optional
        Seconds; when they are exceeded, the current networks are pruned to the sparsities immediately.
    rng : int, numpy.random.Generator or None
        Source of the initialisation and of the order of the rows.
    callback : callable, optional
        Called with a :class:`recovery.networks.FitState` after each round's training (``start`` is the
        round, from 0; the loss is on all rows); returning True stops as `time_limit` does.
    progress : bool or callable, default False
        True shows a progress bar (needs tqdm); a function is called as ``progress(done, total)`` after each round's
        training.

    Returns
    -------
    NetworkFit or list of NetworkFit
        One per entry of `sparsity`, in the same order. Disconnected neurons are removed. ``history`` has one entry per
        round: ``objective`` (after training: 1/2 |r|^2 over all rows and outputs, or for cross-entropy its sum over the
        rows, as in :func:`recovery.fit_network`), ``psnr_db`` (trained), ``nonzeros`` and ``pruned_psnr_db`` (right
        after pruning), and ``fine_tuned_psnr_db``, with a single entry.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, NaN or infinite, of the wrong kind or shape, or on another device.

    Notes
    -----
    ``"paper"``: PyTorch's default linear initialisation (the same distribution, not the same numbers), no biases, a
    fresh Adam with rate 1e-3 in each round, `max_iter` updates on all rows (15, the epochs of the paper's Figure 1);
    then 10 % of the remaining weights are pruned by magnitude over all layers including the output layer, and the
    others are rewound to the initialisation. The result for s is the network of the first round with at most s
    non-zeros, right after pruning, without training; at least one round is pruned even if the dense network fits. These
    are the settings of the authors' released code. Here each round prunes at least one weight, so that the pass ends.

    ``"fair"``: inputs and targets are scaled to unit size, training starts from small weights, on batches, with a
    decreasing rate; weights are rewound to an early point of the first round; rounds hit each s exactly, and a copy is
    fine-tuned there. With one output only hidden weights are pruned and counted, as in :func:`recovery.fit_network`:
    those of the last hidden layer are ranked by |u_ij v_j|, and v_j is absorbed, so that output weights are +-1. With
    several outputs all layers count. The defaults were chosen by the experiments in ``docs/appendix/networks.md``.

    An update does not synchronise with a GPU; a round does a fixed number of times.

    Examples
    --------
    >>> import planted, recovery
    >>> X = planted.gaussian_inputs(1000, 10, rng=0)
    >>> truth = planted.sparse_network(10, 3, 9, rng=1)
    >>> small, large = recovery.imp(X, truth(X), n_neurons=3, sparsity=[9, 20], rng=2)
    >>> small.network.sparsity, large.network.sparsity
    (9, 20)
    """
    names = names_of(X)
    fits = _passes(
        check_array(X, "X", ndim=2),
        [y],
        [sparsity],
        [rng],
        n_neurons,
        recipe=recipe,
        loss=loss,
        max_iter=max_iter,
        batch_size=batch_size,
        learning_rate=learning_rate,
        prune_share=prune_share,
        rewind=rewind,
        fine_tune=fine_tune,
        initialisation=initialisation,
        count=count,
        time_limit=time_limit,
        callback=callback,
        progress=progress,
    )
    return _named(fits, names)[0]


@overload
def imp_many(
    X: Any,
    Y: Any,
    *,
    n_neurons: int | Sequence[int],
    sparsity: int | Sequence[int],
    rngs: Sequence[Any] | None = None,
    **options: Unpack[ImpOptions],
) -> list[NetworkFit]: ...


@overload
def imp_many(
    X: Any,
    Y: Any,
    *,
    n_neurons: int | Sequence[int],
    sparsity: Sequence[Sequence[int]],
    rngs: Sequence[Any] | None = None,
    **options: Unpack[ImpOptions],
) -> list[list[NetworkFit]]: ...


def imp_many(
    X: Any,
    Y: Any,
    *,
    n_neurons: int | Sequence[int],
    sparsity: Any,
    rngs: Sequence[Any] | None = None,
    **options: Unpack[ImpOptions],
) -> Any:
    """Prune several networks of equal shape, each as :func:`recovery.imp` does.

    Parameters
    ----------
    X : array, shape (n, d) or (B, n, d)
        Inputs that all problems share, or inputs of each.
    Y : array, shape (B, n) or (B, n, k), or sequence of B arrays
        Targets, one entry per problem, of equal shapes.
    n_neurons, **options
        As in :func:`recovery.imp`, the same for all problems; `time_limit` applies to all of them together.
    sparsity : int, or sequence of B integers or of B sequences of integers
        Sparsities requested for all problems, or for each.
    rngs : sequence of B, optional
        `rng` of each problem.

    Returns
    -------
    list
        For each problem the result of :func:`recovery.imp`, up to the rounding of products: a NetworkFit for an integer
        sparsity, a list of them for a sequence.

    Raises
    ------
    TypeError, ValueError
        As :func:`recovery.imp`, and if the lengths or shapes differ.

    See Also
    --------
    recovery.fit_many : the same for :func:`recovery.fit_network`.

    Notes
    -----
    Problems with the same inputs are trained simultaneously, with shared products; those with separate inputs, one
    after the other. `callback` is called for one problem after the other, and stops all of them.
    """
    inputs, targets, wanted, draws = problems(X, Y, sparsity, rngs)
    if all(x is inputs[0] for x in inputs):
        return _named(_passes(inputs[0], targets, wanted, draws, n_neurons, **options), names_of(X))
    found: list[Any] = []
    progress = options.pop("progress", False)
    with bar(progress, len(targets), user="imp_many", unit="problem") as shown:
        asked = Recorder(None, options.get("time_limit"), options.get("callback"))
        for x, y, values, rng in zip(inputs, targets, wanted, draws, strict=True):
            found += _passes(x, [y], [values], [rng], n_neurons, asked=asked, **options)
            shown.step()
    return found


def _named(fits: list[Any], names: Names) -> list[Any]:
    """Return fits, and lists of them, with the names of the inputs."""
    if names is None:
        return fits
    return [_named(one, names) if isinstance(one, list) else replace(one, names=names) for one in fits]


@np.errstate(over="ignore", invalid="ignore")
def _passes(
    X: Any,
    Y: Sequence[Any],
    sparsity: Sequence[Any],
    rngs: Sequence[Any],
    n_neurons: Any,
    *,
    recipe: str | Recipe = "fair",
    loss: Loss = "squared",
    time_limit: float | None = None,
    callback: Callable[[FitState], Any] | None = None,
    progress: Progress = False,
    asked: Recorder | None = None,
    **options: Any,
) -> list[Any]:
    """Prune networks for shared inputs; return a fit for each integer, and a list of fits for each sequence."""
    check_progress(progress)
    check_choice(loss, "loss", LOSSES)
    targets = _targets(X, Y, loss)
    wanted = [_sparsities(value) for value in sparsity]
    chosen = resolve(recipe, targets[0].ndim == 1, **options)
    settings = FitSettings(
        check_widths(n_neurons),
        max(map(max, wanted)),
        loss,
        max_iter=chosen.max_iter,
        batch_size=chosen.batch_size,
        time_limit=time_limit,
        callback=callback,
    )
    whole = Pass(X, targets, wanted, chosen, settings, [arrays.generator(rng) for rng in rngs])
    with bar(progress, None if progress is False else whole.expected(), user="imp", unit="round") as shown:
        watched = shown.watching(settings.callback, lambda state: f"{state.nonzeros} weights, {state.psnr_db:.1f} dB")
        fits = whole.run(asked or Recorder(None, settings.time_limit, watched))
    return [row[0] if _single(value) else row for row, value in zip(fits, sparsity, strict=True)]


def _single(sparsity: Any) -> bool:
    return isinstance(sparsity, (int, np.integer))


def _targets(X: Any, Y: Sequence[Any], loss: str) -> list[Any]:
    """Return the targets of all problems in one dtype, checked."""
    name = "y" if len(Y) == 1 else "Y[{}]"
    checked = [check_array(y, name.format(i), ndim=(1, 2)) for i, y in enumerate(Y)]
    for i, y in enumerate(checked):
        check_same_rows(X, "X", y, name.format(i))
        arrays.namespace(X, y)
    kinds = [X.dtype] if loss == "cross_entropy" else [X.dtype, *(y.dtype for y in checked)]
    dtype = np.result_type(*kinds)
    found = [class_targets(y, loss, dtype) for y in checked]
    if loss == "cross_entropy":  # a class may be missing in some problems
        classes = max(int(y.shape[1]) for y in found)
        found = [
            class_targets(y, loss, dtype, classes) if y.ndim == 1 else kept
            for y, kept in zip(checked, found, strict=True)
        ]
    for i, y in enumerate(found):
        if tuple(y.shape) != tuple(found[0].shape):
            raise ValueError(
                f"Y[{i}] has shape {tuple(y.shape)}; expected {tuple(found[0].shape)}, as the other targets"
            )
    return found


def _sparsities(values: Any) -> list[int]:
    if _single(values):
        values = [values]
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__") or getattr(values, "shape", None) == ():
        raise TypeError(f"sparsity={values!r} is invalid; expected an integer, or a sequence of integers")
    if len(values) == 0:
        raise ValueError("sparsity is empty; expected at least one integer")
    return [check_integer(value, "sparsity", minimum=0) for value in values]
