"""Represent a model, including biases, as one vector for passes that do not support biases."""

from __future__ import annotations

from typing import Any

from planted.base import arrays
from recovery.mlp.passes import Passes, Shapes
from recovery.pruning.data import Data
from recovery.pruning.model import Model

__all__ = ["Frame"]


class Frame:
    """Layout of a model's weights and biases in one vector.

    Parameters
    ----------
    model : Model
        The model; only its shapes, dtype, device and loss are stored, not its values.

    Attributes
    ----------
    shapes : Shapes
        Shapes of the vector's layers. With biases each layer has an additional row, for an input that is always 1, and
        each hidden layer an additional unit, which passes this 1 on.

    Notes
    -----
    The layer [[W, 0], [b', 1]] maps (x, 1) to (relu(W'x + b), 1). The column (0, ..., 0, 1) is neither trained nor
    pruned. So biases cost one row and one column, and all code for layers also works with biases.
    """

    def __init__(self, model: Model) -> None:
        self.xp = arrays.namespace(*model.layers)
        self.dtype, self.loss, self.scalar = model.dtype, model.loss, model.scalar
        self.plain = model.shapes
        self.biased = model.biases is not None
        last = len(self.plain.layers) - 1
        self.shapes = (
            Shapes(tuple((a + 1, b + (i < last)) for i, (a, b) in enumerate(self.plain.layers)))
            if self.biased
            else self.plain
        )

    def flat(self, model: Model) -> Any:
        """Return a new vector, shape (1, size), of a model's weights and biases."""
        xp = self.xp
        vector = xp.zeros((1, self.shapes.size), dtype=self.dtype)
        wide = [layer[0] for layer in self.shapes.split(vector)]
        for i, (place, layer) in enumerate(zip(wide, model.matrices, strict=True)):
            rows, columns = self.plain.layers[i]
            place[:rows, :columns] = layer
            if model.biases is not None:
                place[rows, :columns] = model.biases[i]
                place[rows, columns:] = 1
        return vector

    def model(self, vector: Any) -> Model:
        """Return the model whose weights and biases are in a vector of shape (1, size)."""
        layers = self.layers(vector)
        if self.scalar:
            layers[-1] = layers[-1][:, 0]
        return Model(layers, self.biases(vector), self.loss)

    def layers(self, vector: Any) -> list[Any]:
        """Return views, shapes (a, b), of the weights in a vector of shape (1, size)."""
        return [
            wide[0, :rows, :columns]
            for wide, (rows, columns) in zip(self.shapes.split(vector), self.plain.layers, strict=True)
        ]

    def biases(self, vector: Any) -> list[Any] | None:
        """Return views of the biases in a vector, or None."""
        if not self.biased:
            return None
        return [
            wide[0, rows, :columns]
            for wide, (rows, columns) in zip(self.shapes.split(vector), self.plain.layers, strict=True)
        ]

    def wide(self, layers: Any, biases: Any = None) -> list[Any]:
        """Return directions (arrays of the shapes of the weights) as layers of the vector's shapes, zero elsewhere."""
        if not self.biased:
            return list(layers)
        vector = self.xp.zeros((1, self.shapes.size), dtype=self.dtype)
        found = [layer[0] for layer in self.shapes.split(vector)]
        for i, (place, layer) in enumerate(zip(found, layers, strict=True)):
            rows, columns = self.plain.layers[i]
            place[:rows, :columns] = layer
            if biases is not None:
                place[rows, :columns] = biases[i]
        return found

    def narrow(self, layers: Any) -> list[Any]:
        """Return the parts of layers of the vector's shapes that belong to weights."""
        return [layer[:rows, :columns] for layer, (rows, columns) in zip(layers, self.plain.layers, strict=True)]

    def free(self, masks: Any = None, *, biases: bool = True) -> Any:
        """Return 1 where training may change the vector, shape (1, size), in the type of the weights.

        Parameters
        ----------
        masks : sequence of array of bool, optional
            Weights that may be trained; all by default.
        biases : bool, default True
            Whether biases are trained.
        """
        xp = self.xp
        vector = xp.zeros((1, self.shapes.size), dtype=self.dtype)
        for i, (wide, (rows, columns)) in enumerate(zip(self.shapes.split(vector), self.plain.layers, strict=True)):
            wide[0, :rows, :columns] = 1 if masks is None else masks[i]
            if self.biased and biases:
                wide[0, rows, :columns] = 1
        return vector

    def inputs(self, X: Any) -> Any:
        """Return the inputs, with a column of ones if there are biases."""
        if not self.biased:
            return X
        ones = self.xp.ones((int(X.shape[0]), 1), dtype=X.dtype)
        return self.xp.concatenate([X, ones], axis=1)

    def passes(self, vector: Any, *, mean_outputs: bool = False) -> Passes:
        """Return an object for passes through networks of this shape.

        Parameters
        ----------
        vector : array, shape (1, size)
            Weights like those of the passes.
        mean_outputs : bool, default False
            Use the gradient of the mean of all n k squares, like PyTorch's squared loss, instead of that of the mean
            over the samples of half the squared distance.
        """
        factor = 2.0 / self.plain.layers[-1][1] if mean_outputs and self.loss == "squared" else 1.0
        return Passes(self.shapes, vector, self.loss, factor)

    def gradient(self, model: Model, data: Data) -> tuple[Any, list[Any]]:
        """Return the mean loss, shape (), and its gradient with respect to the weights, one new array per layer."""
        vector = self.flat(model)
        value, gradient = self.passes(vector).gradient(vector, self.inputs(data.X), data.y)
        return value[0], [layer.copy() for layer in self.layers(gradient)]
