"""Recipes for iterative magnitude pruning: the paper's exact settings, and fair ones; initial weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from planted.base.checks import check_choice, check_integer, check_number
from recovery.mlp.passes import Shapes

__all__ = ["FAIR", "PAPER", "RECIPES", "Recipe", "initial_weights", "resolve"]


@dataclass(frozen=True)
class Recipe:
    """All settings of a pass of iterative magnitude pruning, apart from the data.

    Parameters
    ----------
    name : str
        Name of the recipe, used only for display.
    max_iter : int
        Adam updates per round.
    batch_size : int or None
        Rows per update; None means all.
    learning_rate : float
        Learning rate of the first update of a round.
    prune_share : float
        Fraction of the remaining weights pruned per round; 0 prunes once, directly to the sparsity.
    rewind : float
        Fraction of the first round after which the weights are stored for rewinding; 0 is the initialisation.
    fine_tune : int
        Updates after the last pruning.
    initialisation : {"pytorch", "small"}, or callable
        See :func:`initial_weights`; or a function of (shapes, rng) that returns such a vector.
    count : {"all", "hidden"}
        Which weights are pruned and counted: those of all layers, or of all but the output layer.
    count_several : {"all", "hidden"}
        The same for networks with several outputs.
    absorbs : bool
        With one output, if hidden weights count: output weights are multiplied into the hidden ones, for the ranking
        and in the result, whose output weights are +-1.
    decay, fine_decay : float
        Ratio of the final to the initial learning rate, in a round and in the fine-tuning.
    scaled : bool
        Whether inputs and targets are first scaled to about 1.
    lands : bool
        Whether a round prunes fewer weights if that hits a requested sparsity exactly.
    mean_outputs : bool
        Whether the squared loss is the mean of all n k squares, as in PyTorch, rather than 1 / (2 n) times their sum.
    """

    name: str
    max_iter: int
    batch_size: int | None
    learning_rate: float
    prune_share: float
    rewind: float
    fine_tune: int
    initialisation: Literal["pytorch", "small"] | Callable[[Shapes, np.random.Generator], np.ndarray]
    count: Literal["all", "hidden"]
    count_several: Literal["all", "hidden"]
    absorbs: bool
    decay: float
    fine_decay: float
    scaled: bool
    lands: bool
    mean_outputs: bool

    @property
    def rewind_step(self) -> int:
        """Number of updates in the first round after which the weights are stored."""
        return math.floor(self.rewind * self.max_iter)

    def rate(self, step: int, total: int, *, fine: bool = False) -> float:
        """Return the learning rate of update `step` (from 0) of `total`: it decreases geometrically."""
        decay = self.fine_decay if fine else self.decay
        return self.learning_rate * decay ** (step / max(1, total - 1))


PAPER = Recipe(
    name="paper",
    max_iter=15,
    batch_size=None,
    learning_rate=1e-3,
    prune_share=0.1,
    rewind=0.0,
    fine_tune=0,
    initialisation="pytorch",
    count="all",
    count_several="all",
    absorbs=False,
    decay=1.0,
    fine_decay=1.0,
    scaled=False,
    lands=False,
    mean_outputs=True,
)
FAIR = Recipe(
    name="fair",
    max_iter=2000,
    batch_size=256,
    learning_rate=1e-2,
    prune_share=0.3,
    rewind=0.2,
    fine_tune=2000,
    initialisation="small",
    count="hidden",
    count_several="all",
    absorbs=True,
    decay=1.0,
    fine_decay=1e-3,
    scaled=True,
    lands=True,
    mean_outputs=False,
)
RECIPES = {"paper": PAPER, "fair": FAIR}
HIDDEN_START, OUTPUT_START = 0.5, 0.0
"""Small initialisation: standard deviation of a neuron's pre-activation for unit-variance inputs, and of an output
weight."""


def resolve(recipe: str | Recipe, scalar: bool, **given: Any) -> Recipe:
    """Return a recipe with its defaults replaced by the given values.

    Parameters
    ----------
    recipe : {"fair", "paper"}, or Recipe
        The recipe.
    scalar : bool
        Whether the networks have one output; `count_several` becomes `count` otherwise.
    **given : object
        Fields of :class:`Recipe` by name; None keeps the default.

    Returns
    -------
    Recipe
        Checked.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range.
    """
    if not isinstance(recipe, Recipe):
        recipe = RECIPES[check_choice(recipe, "recipe", tuple(RECIPES))]
    for option in given:
        check_choice(option, "option", tuple(field.name for field in fields(Recipe)))
    if not scalar:
        recipe = replace(recipe, count=recipe.count_several)
    recipe = replace(recipe, **{key: value for key, value in given.items() if value is not None})
    check_integer(recipe.max_iter, "max_iter", minimum=1)
    if recipe.batch_size is not None:
        check_integer(recipe.batch_size, "batch_size", minimum=1)
    if check_number(recipe.learning_rate, "learning_rate", minimum=0.0) == 0:
        raise ValueError("learning_rate=0.0; expected a positive number")
    share = check_number(recipe.prune_share, "prune_share", minimum=0.0)
    if share >= 1:
        raise ValueError(f"prune_share={share} would leave nothing; expected a fraction from 0 to below 1")
    check_number(recipe.rewind, "rewind", minimum=0.0, maximum=1.0)
    check_integer(recipe.fine_tune, "fine_tune", minimum=0)
    if not callable(recipe.initialisation):
        check_choice(recipe.initialisation, "initialisation", ("pytorch", "small"))
    check_choice(recipe.count, "count", ("all", "hidden"))
    check_number(recipe.decay, "decay", minimum=0.0)
    check_number(recipe.fine_decay, "fine_decay", minimum=0.0)
    return recipe


def initial_weights(
    shapes: Shapes,
    kind: Literal["pytorch", "small"] | Callable[[Shapes, np.random.Generator], np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw the initial weights for training.

    Parameters
    ----------
    shapes : Shapes
        The layers.
    kind : {"pytorch", "small"}, or callable
        ``"pytorch"``: uniform on +-1 / sqrt(fan_in), the default of PyTorch's linear layers (the same distribution, not
        the same numbers). ``"small"``: normal, of standard deviation :data:`HIDDEN_START` / sqrt(fan_in) in the hidden
        layers, and zero in the output layer, whose first update then gives each neuron the sign that lowers the loss. A
        function of (shapes, rng) is called, and the vector that it returns is checked.
    rng : numpy.random.Generator
        Layers are drawn in order.

    Returns
    -------
    numpy.ndarray, shape (shapes.size,)
        In float64.
    """
    if callable(kind):
        drawn = np.asarray(kind(shapes, rng), dtype=np.float64)
        if drawn.shape != (shapes.size,) or not np.isfinite(drawn).all():
            raise ValueError(
                f"initialisation returned an array of shape {drawn.shape}; expected {shapes.size} finite weights "
                "for all layers together"
            )
        return drawn
    parts = []
    for i, (fan_in, width) in enumerate(shapes.layers):
        if kind == "pytorch":
            bound = 1.0 / math.sqrt(fan_in)
            part = rng.uniform(-bound, bound, (fan_in, width))
        else:
            part = rng.standard_normal((fan_in, width))
            part *= (OUTPUT_START if i == len(shapes.layers) - 1 else HIDDEN_START) / math.sqrt(fan_in)
        parts.append(part.ravel())
    return np.concatenate(parts)
