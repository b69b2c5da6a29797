"""Argument of criteria: a model at a point of its training, with the data, gradients and second derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_integer
from recovery.mlp.losses import loss_and_gradient, softmax
from recovery.mlp.masks import Masks
from recovery.mlp.passes import curved, forward
from recovery.pruning.cost import Cost
from recovery.pruning.data import Data
from recovery.pruning.frame import Frame
from recovery.pruning.model import Model

__all__ = ["View"]


class View:
    """A model at the point at which its weights are scored.

    Parameters
    ----------
    model : Model
        The model; pruned weights are zero.
    initial : Model
        Where training started.
    masks : Masks
        Weights that are not pruned yet.
    data : Data or None
        The data of the mask, with targets of shape (n, k).
    rng : numpy.random.Generator
        For criteria that draw.
    cost : Cost
        The cost of the criterion is added to it.
    count : int
        Number of weights that will be kept.
    observed : sequence of array, optional
        Scores of the path, for a criterion that observes it.

    Attributes
    ----------
    layers : tuple of array
        The weights as matrices (a, b).
    shared : dict
        Intermediate results shared by a criterion and the subsequent weight map, with any keys.
    """

    def __init__(
        self,
        model: Model,
        initial: Model,
        masks: Masks,
        data: Data | None,
        *,
        rng: np.random.Generator,
        cost: Cost,
        count: int,
        observed: Sequence[Any] | None = None,
    ) -> None:
        self.model, self.initial, self.masks, self._data = model, initial, masks, data
        self.rng, self.cost, self.count, self.observed = rng, cost, count, observed
        self.layers = model.matrices
        self.xp = arrays.namespace(*self.layers)
        self.shared: dict[Any, Any] = {}

    @property
    def data(self) -> Data:
        """The data of the mask; raises an error if there are none."""
        if self._data is None:
            raise ValueError("data=None, but the criterion needs data; expected Data or a pair (X, y)")
        return self._data

    @cached_property
    def frame(self) -> Frame:
        """Layout of the weights in a vector."""
        return Frame(self.model)

    def rows(self, count: int | None) -> View:
        """Return a view of the same model with only this many samples, drawn without replacement."""
        n = self.data.n_samples
        if count is None or check_integer(count, "rows", minimum=1) >= n:
            return self
        chosen = self.xp.asarray(np.sort(self.rng.permutation(n)[:count]))
        data = Data(self.data.X[chosen], self.data.y[chosen])
        return View(
            self.model,
            self.initial,
            self.masks,
            data,
            rng=self.rng,
            cost=self.cost,
            count=self.count,
            observed=self.observed,
        )

    def activations(self) -> list[Any]:
        """Return the inputs of each layer, shapes (n, a): the data, and the activations of each hidden layer."""
        frame, data = self.frame, self.data
        self.cost.add(frame.plain, data.n_samples, kept=self.masks.count)
        values = forward(self._wide(), frame.inputs(data.X))[:-1]
        return [value[:, :rows] for value, (rows, _) in zip(values, frame.plain.layers, strict=True)]

    def gradient(self) -> list[Any]:
        """Return the gradient of the mean loss for all weights, including pruned ones: one new array per layer."""
        self._count()
        return self.frame.gradient(self.model, self.data)[1]

    def hessian_product(self, direction: Sequence[Any]) -> list[Any]:
        """Return the Hessian of the mean loss with respect to the weights, applied to a direction.

        Parameters
        ----------
        direction : sequence of array
            One array for each layer, of its shape.

        Returns
        -------
        list of array
            One new array for each layer.

        Notes
        -----
        Exact if no pre-activation is 0; computed by differentiating the backward pass along the direction
        (Pearlmutter's R-operator; derived here). With gates g_l, activations a_l and errors e_l = dL/dz_l, and Ra, Re
        their derivatives along the direction V: Ra_l = g_l (Ra_{l-1} W_l + a_{l-1} V_l), Re_L = C Rz_L with C the
        Hessian of the loss with respect to the outputs, Re_{l-1} = g_{l-1} (Re_l W_l' + e_l V_l'), and the product in
        layer l is Ra_{l-1}' e_l + a_{l-1}' Re_l. Biases are held fixed.
        """
        self._count(backward=2)
        frame, data = self.frame, self.data
        layers, moves = self._wide(), frame.wide(direction)
        values = forward(layers, frame.inputs(data.X))
        moved: list[Any] = [None]  # the inputs do not change
        for level, (layer, move) in enumerate(zip(layers, moves, strict=True)):
            fresh = values[level] @ move
            if moved[level] is not None:
                fresh = fresh + moved[level] @ layer
            moved.append(fresh * (values[level + 1] > 0) if level < len(layers) - 1 else fresh)
        error = loss_and_gradient(values[-1], data.y, frame.loss).gradient
        bent = curved(moved[-1], values[-1], frame.loss)
        found: list[Any] = []
        for level in reversed(range(len(layers))):
            product = values[level].T @ bent
            if moved[level] is not None:
                product = product + moved[level].T @ error
            found.append(product)
            if level:
                gate = values[level] > 0
                bent = (bent @ layers[level].T + error @ moves[level].T) * gate
                error = (error @ layers[level].T) * gate
        return [part.copy() for part in frame.narrow(found[::-1])]

    def hessian_diagonal(self) -> list[Any]:
        """Return the diagonal of the Hessian of the mean loss: one new array per layer.

        Notes
        -----
        Exact if no pre-activation is 0: as functions of a single weight the outputs f are piecewise linear, so that d^2
        L / dw^2 = (1 / n) sum_i (df_i/dw)' C_i (df_i/dw), with C the Hessian of the loss with respect to the outputs:
        the identity for the squared loss, diag(p) - p p' for the cross-entropy with probabilities p. It takes one
        backward pass per output, and one more for the cross-entropy.
        """
        frame, data, xp = self.frame, self.data, self.xp
        layers = self._wide()
        values = forward(layers, frame.inputs(data.X))
        n, outputs = data.n_samples, int(values[-1].shape[1])
        chances = softmax(values[-1]) if frame.loss == "cross_entropy" else None
        self._count(backward=outputs + (chances is not None))
        seeds = []
        for k in range(outputs):
            seed = xp.zeros_like(values[-1])
            seed[:, k] = 1 if chances is None else xp.sqrt(chances[:, k])
            seeds.append((seed, 1.0))
        if chances is not None:
            seeds.append((chances, -1.0))
        squares = [value * value for value in values[:-1]]
        found = [xp.zeros_like(layer) for layer in layers]
        for slope, sign in seeds:
            for level in reversed(range(len(layers))):
                found[level] += sign * (squares[level].T @ (slope * slope))
                if level:
                    slope = (slope @ layers[level].T) * (values[level] > 0)
        return [part / n for part in frame.narrow(found)]

    def _wide(self) -> list[Any]:
        return [layer[0] for layer in self.frame.shapes.split(self.frame.flat(self.model))]

    def _count(self, backward: int = 1) -> None:
        for _ in range(backward):
            self.cost.add(self.frame.plain, self.data.n_samples, kept=self.masks.count, backward=True)
