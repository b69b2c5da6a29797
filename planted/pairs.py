"""Pairs of tasks, a source and a target, that share a given fraction of their relevant inputs."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np

from planted.base import arrays
from planted.base.checks import check_choice, check_integer, check_number
from planted.base.values import tuple_of_arrays
from planted.inputs import check_placement
from planted.networks import ReLUNetwork

__all__ = ["TaskPair", "task_pair"]


@tuple_of_arrays
class TaskPair(NamedTuple):
    """Result of :func:`task_pair`.

    Attributes
    ----------
    X_source, y_source : array, shape (n_source, d) and (n_source,)
        Samples of the source task.
    X_target, y_target : array, shape (n_target, d) and (n_target,)
        Samples of the target task.
    X_test, y_test : array, shape (n_test, d) and (n_test,)
        Held-out samples of the target task, without noise.
    source, target : array of shape (d,), or ReLUNetwork
        The true weights or networks.
    source_inputs, target_inputs : numpy.ndarray of int64
        The inputs that each truth depends on, ascending.
    """

    X_source: Any
    y_source: Any
    X_target: Any
    y_target: Any
    X_test: Any
    y_test: Any
    source: Any
    target: Any
    source_inputs: np.ndarray
    target_inputs: np.ndarray

    @property
    def n_shared(self) -> int:
        """Number of relevant inputs that both tasks have."""
        return len(np.intersect1d(self.source_inputs, self.target_inputs))


def task_pair(
    d: int,
    n_relevant: int,
    overlap: float,
    *,
    n_source: int,
    n_target: int,
    n_test: int = 0,
    n_neurons: int | None = None,
    shared: Literal["weights", "inputs"] = "weights",
    noise: float = 0.0,
    rng: Any = None,
    dtype: Any = "float64",
    device: Literal["cpu", "gpu"] = "cpu",
) -> TaskPair:
    """Draw a source task and a target task for experiments on transfer.

    Parameters
    ----------
    d : int
        Number of inputs; they are independent and N(0, 1).
    n_relevant : int
        Number s of inputs that each task depends on.
    overlap : float
        Fraction, from 0 to 1, of the s relevant inputs that the tasks share: round(overlap s) inputs are shared, the
        others are relevant to one task only.
    n_source, n_target, n_test : int
        Numbers of source samples, target samples and held-out target samples.
    n_neurons : int, optional
        Width m of a two-layer ReLU network with scalar output. By default the tasks are linear.
    shared : {"weights", "inputs"}, default "weights"
        What the tasks share at shared inputs: with ``"weights"`` also the weights, so that overlap 1 gives two
        identical tasks; with ``"inputs"`` only their relevance, while the target's weights are drawn independently.
    noise : float, default 0
        Standard deviation of the Gaussian noise in `y_source` and `y_target`.
    rng : int, Generator or None
        Source of randomness.
    dtype : {"float64", "float32"}, default "float64"
        Type of the arrays; they are drawn, and targets are computed, in float64.
    device : {"cpu", "gpu"}, default "cpu"
        Where the arrays and the true models live.

    Returns
    -------
    TaskPair
        Data and truths of the two tasks.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or 2 s - round(overlap s) exceeds d.

    Notes
    -----
    Linear tasks are y = X w with weights +-1. Networks are f(x) = v' relu(U' x), with v = +-1 / sqrt(m) and, at
    relevant inputs, dense rows of U from N(0, 1 / s); the other rows are zero. The source's relevant inputs are the
    first s of a random order of all inputs. The target takes the shared ones from the start of this list, and the
    others from the inputs that follow it. The random draws do not depend on `overlap`, `shared` and `noise`: pairs that
    differ only in these share them.

    Examples
    --------
    >>> pair = task_pair(50, 8, 0.25, n_source=100, n_target=20, rng=0)
    >>> pair.n_shared, len(pair.target_inputs)
    (2, 8)
    """
    d = check_integer(d, "d", minimum=1)
    s = check_integer(n_relevant, "n_relevant", minimum=1, maximum=d)
    overlap = check_number(overlap, "overlap", minimum=0.0, maximum=1.0)
    sizes = [
        check_integer(value, name, minimum=minimum)
        for value, name, minimum in ((n_source, "n_source", 1), (n_target, "n_target", 1), (n_test, "n_test", 0))
    ]
    m = None if n_neurons is None else check_integer(n_neurons, "n_neurons", minimum=1)
    check_choice(shared, "shared", ("weights", "inputs"))
    noise = check_number(noise, "noise", minimum=0.0)
    check_placement(dtype, device)
    common = round(overlap * s)
    if 2 * s - common > d:
        raise ValueError(
            f"n_relevant={s} and overlap={overlap} need {2 * s - common} inputs; expected d >= that, and d={d}"
        )
    rng = arrays.generator(rng)
    order = rng.permutation(d)
    places = (order[:s], np.concatenate([order[:common], order[s : 2 * s - common]]))
    rows, signs = _weights(s, m, rng), _signs(m, rng)
    new_rows, new_signs = _weights(s, m, rng), _signs(m, rng)
    if shared == "weights":
        new_rows[:common], new_signs = rows[:common], signs
    truths = [
        _truth(d, where, values, outputs)
        for where, values, outputs in zip(places, (rows, new_rows), (signs, new_signs), strict=True)
    ]
    inputs = [rng.standard_normal((n, d)) for n in sizes]
    answers = [_answers(truth, X) for truth, X in zip((truths[0], truths[1], truths[1]), inputs, strict=True)]
    for i in (0, 1):
        answers[i] = answers[i] + noise * rng.standard_normal(sizes[i])
    return TaskPair(
        *(arrays.asarray(part, device, dtype) for pair in zip(inputs, answers, strict=True) for part in pair),
        *(_placed(truth, device, dtype) for truth in truths),
        *(np.sort(where).astype(np.int64) for where in places),
    )


def _weights(s: int, m: int | None, rng: np.random.Generator) -> np.ndarray:
    """Return the weights of s relevant inputs: signs, or rows of a hidden layer."""
    return rng.choice([-1.0, 1.0], size=s) if m is None else rng.standard_normal((s, m)) / math.sqrt(s)


def _signs(m: int | None, rng: np.random.Generator) -> np.ndarray | None:
    return None if m is None else rng.choice([-1.0, 1.0], size=m) / math.sqrt(m)


def _truth(d: int, where: np.ndarray, values: np.ndarray, outputs: np.ndarray | None) -> Any:
    full = np.zeros((d, *values.shape[1:]))
    full[where] = values
    return full if outputs is None else ReLUNetwork([full, outputs])


def _answers(truth: Any, X: np.ndarray) -> np.ndarray:
    if not len(X):
        return np.zeros(0)
    found: np.ndarray = truth(X) if isinstance(truth, ReLUNetwork) else X @ truth
    return found


def _placed(truth: Any, device: str, dtype: Any) -> Any:
    return truth.to(device, dtype) if isinstance(truth, ReLUNetwork) else arrays.asarray(truth, device, dtype)
