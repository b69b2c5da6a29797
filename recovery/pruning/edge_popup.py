"""Edge-popup: training of a mask while the weights keep their initial values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from planted.base import arrays
from planted.base.checks import check_choice
from recovery.mlp.masks import Masks
from recovery.mlp.training import Adam, Orders
from recovery.pruning.method import Method
from recovery.pruning.scopes import Ratio, Scope, largest, layer_counts, select
from recovery.pruning.training import Sgd, Training
from recovery.pruning.view import View

__all__ = ["EdgePopup", "edge_popup"]


@dataclass(frozen=True)
class EdgePopup:
    """A criterion that trains a score for each weight; the weights themselves do not change.

    Parameters
    ----------
    training : Training
        How scores are trained: batches, optimiser, learning rate and its schedule, decay of the scores.
    scope, ratio, layers
        Where scores compete during their training; must be the same as in the :class:`~recovery.pruning.Method`, which
        :func:`edge_popup` ensures.

    Raises
    ------
    TypeError, ValueError
        If an argument is unknown.

    Notes
    -----
    In each update the network uses the mask m that keeps the largest scores, as many as the view requests. With g the
    gradient of the loss with respect to the weights m w (all of them, including masked ones), the gradient with respect
    to the score s_ij is taken as g_ij w_ij: the selection is treated as the identity ("straight-through"). Scores are
    initialised uniformly between -1 / sqrt(a) and 1 / sqrt(a) for a layer with a inputs, and compete with their signs;
    ties go to the smaller index. Biases do not change.

    A step costs a forward and a backward pass, and a selection in O(p).

    References
    ----------
    .. [1] V. Ramanujan et al., "What's Hidden in a Randomly Weighted Neural Network?", CVPR 2020 (from memory of the
       literature; tests/recovery/test_pruning_edge_popup.py compares with a plain loop).
    """

    training: Training = field(
        default_factory=lambda: Training(n_iter=1000, batch_size=128, learning_rate=0.1, optimiser="sgd")
    )
    scope: Scope = "layer"
    ratio: Ratio = "equal"
    layers: Literal["all", "hidden"] | tuple[int, ...] = "all"

    def __post_init__(self) -> None:
        if not isinstance(self.training, Training):
            raise TypeError(f"training={self.training!r}; expected a Training, whose steps the scores make")
        check_choice(self.scope, "scope", ("global", "layer", "unit"))

    def __call__(self, view: View) -> list[Any]:
        """Return the trained scores, one array for each layer."""
        training, frame, xp, data = self.training, view.frame, view.xp, view.data
        places = Method("edge-popup", self, layers=self.layers).pruned(len(view.layers))
        subset = Masks([view.masks.layers[i] for i in places])
        count = min(view.count, subset.count)
        kept = count + view.masks.count - subset.count
        vector = frame.flat(view.model)
        effective, scores, slope = vector.copy(), xp.zeros_like(vector), xp.zeros_like(vector)
        shapes = frame.plain.layers
        for layer, (a, b) in zip(frame.layers(scores), shapes, strict=True):
            layer[...] = xp.asarray((2.0 * view.rng.random((a, b)) - 1.0) / a**0.5)
        passes = frame.passes(vector, mean_outputs=training.mean_outputs)
        X, n, total = frame.inputs(data.X), data.n_samples, training.total(data.n_samples)
        size = n if training.batch_size is None else min(training.batch_size, n)
        orders = Orders([view.rng], n, size)
        optimiser: Any = Adam(scores) if training.optimiser == "adam" else Sgd(scores, training.momentum)
        weights, shown = frame.layers(vector), frame.layers(effective)
        ranks, slopes = frame.layers(scores), frame.layers(slope)
        for step in range(total):
            masks = self._masks([ranks[i] for i in places], subset, count)
            for i, mask in zip(places, masks, strict=True):
                shown[i][...] = weights[i] * mask
            inputs, wanted = X, data.y
            if size < n:
                rows = orders.next(xp)[0]
                inputs, wanted = X[rows], data.y[rows]
            _, gradient = passes.gradient(effective, inputs, wanted)
            view.cost.add(frame.plain, int(inputs.shape[0]), kept=kept, backward=True)
            found = frame.layers(gradient)
            for i in places:
                slopes[i][...] = found[i] * weights[i]
            if training.weight_decay:
                slope += training.weight_decay * scores
            optimiser.step(scores, slope, training.rate(step, total))
        return [layer.copy() for layer in ranks]

    def _masks(self, scores: Sequence[Any], subset: Masks, count: int) -> list[Any]:
        """Return the current mask: that of `select`, but without sorting if all weights compete."""
        if self.scope == "unit" or any(not bool(mask.all()) for mask in subset.layers):
            return list(select(scores, subset, count, self.scope, self.ratio).layers)
        shapes = tuple((int(a), int(b)) for a, b in subset.shapes)
        sizes = [a * b for a, b in shapes]
        if self.scope == "layer":
            counts = layer_counts(shapes, count, self.ratio, sizes)
            return [largest(layer.ravel(), c).reshape(layer.shape) for layer, c in zip(scores, counts, strict=True)]
        xp = arrays.namespace(*scores)
        flat = largest(xp.concatenate([layer.ravel() for layer in scores]), count)
        found, at = [], 0
        for shape, size in zip(shapes, sizes, strict=True):
            found.append(flat[at : at + size].reshape(shape))
            at += size
        return found


def edge_popup(
    training: Training | None = None,
    *,
    scope: Scope = "layer",
    ratio: Ratio = "equal",
    layers: Literal["all", "hidden"] | tuple[int, ...] = "all",
) -> Method:
    """Return edge-popup as a method: the mask is trained, and the weights keep their initial values.

    Parameters
    ----------
    training : Training, optional
        Training of the scores; by default that of :class:`EdgePopup`.
    scope, ratio, layers
        As those of a :class:`~recovery.pruning.Method`.

    Returns
    -------
    Method
        Without retraining.
    """
    options: dict[str, Any] = {"scope": scope, "ratio": ratio, "layers": layers}
    criterion = EdgePopup(**options) if training is None else EdgePopup(training, **options)
    return Method("edge-popup", criterion, source="start", rewind="start", retraining=None, **options)
