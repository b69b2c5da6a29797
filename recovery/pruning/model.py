"""Models for pruning: the weights, biases and loss of a network or linear model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_choice, check_integer, check_number
from planted.base.files import Stored
from planted.base.markup import SHOWN, card, table
from planted.base.values import by_value, frozen
from planted.networks import ReLUNetwork, forward
from recovery.mlp.losses import LOSSES
from recovery.mlp.passes import Shapes
from recovery.pruning.recipes import initial_weights

__all__ = ["Initialisation", "Model", "as_model"]

Initialisation: TypeAlias = Literal["pytorch", "small"] | float | Callable[[Shapes, np.random.Generator], np.ndarray]
"""Initialisation: a distribution's name, a standard deviation, or a function of shapes and generator."""


@by_value
class Model(Stored):
    """Weights of a ReLU network of any depth, or of a linear model: the starting point or the result of pruning.

    Parameters
    ----------
    layers : sequence of array
        ``[(d, m_1), (m_1, m_2), ..., (m_L, k)]``; if the last one has shape ``(m_L,)``, the output is a scalar. A
        single array is a linear model. The arrays are copied; they stay float32 if all of them are, and otherwise
        become float64.
    biases : sequence of array, optional
        ``[(m_1,), ..., (k,)]``, one per layer. They are trained but never pruned. By default the model has no biases.
    loss : {"squared", "cross_entropy"}, default "squared"
        What training minimises: the mean over the samples of |f(x) - y|^2 / 2, or of the cross-entropy of the
        softmax.

    Attributes
    ----------
    layers, biases : tuple of array
        As given; NumPy arrays are read-only. ``biases`` may be None.

    Raises
    ------
    TypeError, ValueError
        If an array does not contain real, finite numbers, shapes do not chain, or devices differ.

    Notes
    -----
    f(x) = W_L' relu(... relu(W_1' x + b_1)) + b_L. A model is an immutable value that can be pickled and copied; models
    with the same loss, weights and biases are equal.

    Examples
    --------
    >>> model = Model.draw((64, 32, 10), loss="cross_entropy", rng=0)
    >>> model.n_weights, model.widths
    (2368, (64, 32, 10))
    """

    def __init__(self, layers: Sequence[Any], biases: Sequence[Any] | None = None, loss: str = "squared") -> None:
        if arrays.is_array(layers) or not isinstance(layers, Sequence) or isinstance(layers, (str, bytes)):
            raise TypeError(f"layers is of type {type(layers).__name__}; expected a list of weight arrays")
        if not layers:
            raise ValueError("layers is empty; expected at least one array of weights")
        last = len(layers) - 1
        checked = [
            check_array(layer, f"layers[{i}]", ndim=(1, 2) if i == last else 2) for i, layer in enumerate(layers)
        ]
        for i in range(last):
            if checked[i].shape[1] != checked[i + 1].shape[0]:
                raise ValueError(
                    f"layers[{i + 1}] has shape {tuple(checked[i + 1].shape)}; expected {checked[i].shape[1]} row(s) "
                    f"to follow layers[{i}] of shape {tuple(checked[i].shape)}"
                )
        offsets = None
        if biases is not None:
            if len(biases) != len(checked):
                raise ValueError(f"biases has {len(biases)} array(s); expected {len(checked)}, one for each layer")
            widths = [int(layer.shape[1]) if layer.ndim == 2 else 1 for layer in checked]
            offsets = [check_array(b, f"biases[{i}]", ndim=1, shape=(widths[i],)) for i, b in enumerate(biases)]
        arrays.namespace(*checked, *(offsets or []))
        dtype = np.result_type(*(layer.dtype for layer in checked))
        self.layers = tuple(frozen(layer.astype(dtype, copy=False)) for layer in checked)
        self.biases = None if offsets is None else tuple(frozen(b.astype(dtype, copy=False)) for b in offsets)
        self.loss = check_choice(loss, "loss", LOSSES)
        if self.loss == "cross_entropy" and self.scalar:
            raise ValueError("loss='cross_entropy' for a scalar output; expected a last layer of shape (m, k), k >= 2")

    @classmethod
    def draw(
        cls,
        widths: Sequence[int],
        *,
        bias: bool = False,
        loss: str = "squared",
        initialisation: Initialisation = "pytorch",
        scalar: bool = False,
        rng: Any = None,
        dtype: Any = "float64",
        device: str = "cpu",
    ) -> Model:
        """Draw a random model to train.

        Parameters
        ----------
        widths : sequence of int
            ``(d, m_1, ..., m_L, k)``: inputs, hidden layers, outputs. Two numbers give a linear model.
        bias : bool, default False
            Whether the model has biases. ``"pytorch"`` draws them as PyTorch does; otherwise they start at zero.
        loss : {"squared", "cross_entropy"}
            What training minimises.
        initialisation : {"pytorch", "small"}, float or callable, default "pytorch"
            ``"pytorch"`` and ``"small"`` as in :func:`recovery.pruning.recipes.initial_weights`; a float is the
            standard deviation of normal weights; a function of (shapes, rng) returns all weights as one vector.
        scalar : bool, default False
            Make the last layer a vector (k = 1), for targets of shape (n,).
        rng : int, numpy.random.Generator or None
            Source of the weights. Biases are drawn after them, so the weights are the same with and without biases.
        dtype : {"float64", "float32"}
            dtype of the weights, which are drawn in float64.
        device : {"cpu", "gpu"}
            Where the weights live.

        Returns
        -------
        Model
            A new model.

        Raises
        ------
        TypeError, ValueError
            If an argument is out of range.
        """
        sizes = [check_integer(width, f"widths[{i}]", minimum=1) for i, width in enumerate(widths)]
        if len(sizes) < 2:
            raise ValueError(
                f"widths={widths!r} has {len(sizes)} number(s); expected inputs, hidden widths and outputs"
            )
        if scalar and sizes[-1] != 1:
            raise ValueError(f"scalar=True with {sizes[-1]} outputs; expected one output")
        shapes = Shapes.of_widths(sizes[0], tuple(sizes[1:-1]), sizes[-1])
        generator = arrays.generator(rng)
        if isinstance(initialisation, (int, float)):
            deviation = check_number(initialisation, "initialisation", minimum=0.0)
            flat = deviation * generator.standard_normal(shapes.size)
        else:
            flat = initial_weights(shapes, initialisation, generator)
        layers = [arrays.asarray(layer, device, dtype) for layer in shapes.split(flat)]
        biases = None
        if bias:
            bounds = [1.0 / math.sqrt(a) if initialisation == "pytorch" else 0.0 for a, _ in shapes.layers]
            biases = [
                arrays.asarray(generator.uniform(-bound, bound, b), device, dtype)
                for bound, (_, b) in zip(bounds, shapes.layers, strict=True)
            ]
        if scalar:
            layers[-1] = layers[-1][:, 0]
        return cls(layers, biases, loss)

    def replace(self, layers: Sequence[Any] | None = None, biases: Sequence[Any] | None = None) -> Model:
        """Return the model with other weights or biases."""
        return Model(
            self.layers if layers is None else layers, self.biases if biases is None else biases, loss=self.loss
        )

    def __call__(self, X: Any) -> Any:
        """Return the outputs, shape (n,) or (n, k), for inputs of shape (n, d)."""
        X = check_array(X, "X", ndim=2, shape=(None, self.widths[0]))
        xp = arrays.namespace(X, *self.layers)
        if self.biases is None:
            return list(forward(self.layers, X))[-1]
        values = X
        for layer, bias in zip(self.layers[:-1], self.biases[:-1], strict=True):
            values = xp.maximum(values @ layer + bias, 0)
        return values @ self.layers[-1] + (self.biases[-1][0] if self.scalar else self.biases[-1])

    @property
    def matrices(self) -> tuple[Any, ...]:
        """The layers as matrices (a, b): a scalar output has one column."""
        return tuple(layer if layer.ndim == 2 else layer[:, None] for layer in self.layers)

    @property
    def scalar(self) -> bool:
        """Whether the output is a scalar, and targets are of shape (n,)."""
        return bool(self.layers[-1].ndim == 1)

    @property
    def shapes(self) -> Shapes:
        """Shapes of the layers, with one column for a scalar output; biases are not included."""
        return Shapes(tuple((int(layer.shape[0]), int(layer.shape[1])) for layer in self.matrices))

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, hidden layers, outputs."""
        pairs = self.shapes.layers
        return (*(a for a, _ in pairs), pairs[-1][1])

    @property
    def n_weights(self) -> int:
        """Number of weights that may be pruned; biases do not count."""
        return self.shapes.size

    @property
    def sparsity(self) -> int:
        """Number of weights that are not zero; biases do not count."""
        return sum(int((layer != 0).sum()) for layer in self.layers)

    @property
    def dtype(self) -> Any:
        """Type of the weights."""
        return self.layers[0].dtype

    def network(self) -> ReLUNetwork:
        """Return the model as a :class:`planted.ReLUNetwork`, which has no biases and at least one hidden layer.

        Raises
        ------
        ValueError
            If there are biases, or the model is linear.
        """
        if self.biases is not None:
            raise ValueError("the model has biases; a ReLUNetwork has none")
        return ReLUNetwork(self.layers)

    def _repr_html_(self) -> str:
        """Return the layers as a table for notebooks."""
        rows = [
            (level, f"{a} x {b}", int((layer != 0).sum()))
            for level, ((a, b), layer) in enumerate(zip(self.shapes.layers, self.layers, strict=True))
        ]
        pairs = [("loss", self.loss), ("biases", "none" if self.biases is None else "yes"), ("dtype", str(self.dtype))]
        return card("Model", pairs, table(["layer", "shape", "non-zero"], rows, most=SHOWN))

    def __repr__(self) -> str:
        kind = "-".join(map(str, self.widths))
        return f"Model({kind}, bias={self.biases is not None}, loss={self.loss!r}, dtype={str(self.dtype)!r})"

    def _state(self) -> dict[str, Any]:
        biases = None if self.biases is None else list(self.biases)
        return {"layers": list(self.layers), "biases": biases, "loss": self.loss}

    def _parts(self) -> tuple[Any, ...]:
        return (self.loss, self.layers, self.biases)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (list(self.layers), None if self.biases is None else list(self.biases), self.loss)


def as_model(value: Any, loss: str | None = None) -> Model:
    """Convert weights in any supported form to a model.

    Parameters
    ----------
    value : Model, planted.ReLUNetwork, or array of shape (d,) or (d, k)
        An array contains the weights of a linear model.
    loss : {"squared", "cross_entropy"}, optional
        The loss; a model keeps its own by default, all others get the squared loss.

    Returns
    -------
    Model
        `value` itself if nothing has to change.

    Raises
    ------
    TypeError, ValueError
        If `value` is none of these.
    """
    if isinstance(value, Model):
        return value if loss in (None, value.loss) else Model(value.layers, value.biases, str(loss))
    if isinstance(value, ReLUNetwork):
        return Model(list(value.layers), None, loss or "squared")
    if isinstance(value, (str, bytes)) or not (arrays.is_array(value) or isinstance(value, Sequence)):
        raise TypeError(
            f"model is of type {type(value).__name__}; expected a Model, a ReLUNetwork, or an array with the weights "
            "of a linear model"
        )
    return Model([check_array(value, "model", ndim=(1, 2))], None, loss or "squared")
