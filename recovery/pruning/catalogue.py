"""The catalogue of named pruning methods, each defined in one line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from planted.base.checks import check_choice
from recovery.pruning.bingo import VARIANTS, bingo
from recovery.pruning.criteria import Accumulated
from recovery.pruning.edge_popup import edge_popup
from recovery.pruning.equilibrium.neq import NEq
from recovery.pruning.method import Method, Rewind
from recovery.pruning.moving import gradual_magnitude, iht, rigl, sparse_evolution
from recovery.pruning.recipes import Recipe
from recovery.pruning.schedules import Exponential, OneShot, Rounds
from recovery.pruning.second_order import Obs
from recovery.pruning.training import Decay, Training, Trains
from recovery.pruning.weight_maps import Compensation

__all__ = ["as_method", "catalogue", "named"]

TRAINING = Training(n_iter=1000, schedule="cosine")
"""Default training of all named methods."""
_TRANSFER = ("source", "source", "target")


def catalogue(training: Trains | None = None) -> dict[str, Method]:
    """Return the named methods.

    Parameters
    ----------
    training : Trains, optional
        The training of all of them, before and after pruning; by default 1000 updates of Adam with a decreasing rate,
        except for BINGO, NEq, edge-popup and iterative hard thresholding, which have their own defaults. Edge-popup
        trains scores instead of weights; iterative hard thresholding always uses plain gradient steps, so it uses
        everything in a :class:`Training` except the optimiser.

    Returns
    -------
    dict of str to Method
        A new dict; use :meth:`Method.replace` to derive variants of a method.

    Examples
    --------
    >>> methods = catalogue()
    >>> methods["snip"].source, methods["magnitude"].source
    ('start', 'end')
    """
    steps = training if isinstance(training, Training) else None
    plain = None if steps is None else replace(steps, optimiser="sgd", momentum=0.0)
    frozen = NEq() if steps is None else NEq(training=steps)
    chosen = TRAINING if training is None else training
    methods = [
        Method("random", "random", source="start", rewind="start"),
        Method("magnitude", "magnitude"),
        Method("taylor", "taylor"),
        Method("obd", "obd"),
        Method("obs", Obs(), weight_map=Compensation()),
        Method("distance", "distance"),
        Method("movement", Accumulated(), source="path"),
        Method("snip", "snip", source="start", rewind="start"),
        Method("grasp", "grasp", source="start", rewind="start"),
        Method("synflow", "synflow", source="start", rewind="start", schedule=Exponential(100)),
        Method("imp", "magnitude", schedule=Rounds(0.2), rewind="start"),
        Method("imp-late", "magnitude", schedule=Rounds(0.2), rewind=0.1),
        Method("imp-lr", "magnitude", schedule=Rounds(0.2), rewind="end"),
        Method("ticket-transfer", "magnitude", schedule=Rounds(0.2), rewind="dense", between="end", data=_TRANSFER),
        sparse_evolution(),
        rigl(),
        gradual_magnitude(),
    ]
    own = [
        iht(plain),
        edge_popup(steps).replace(name="supermask", training=chosen),
        *(bingo(variant, training) for variant in VARIANTS),
        Method("neq", "magnitude", source="start", training=chosen, dynamics=frozen, target="update"),
    ]
    return {method.name: method for method in (*(method.replace(training=chosen) for method in methods), *own)}


def named(method: Any) -> Method:
    """Return the method with this name, or the method itself.

    Raises
    ------
    TypeError, ValueError
        If it is neither a method nor a name of the catalogue.
    """
    if isinstance(method, Method):
        return method
    if not isinstance(method, str):
        raise TypeError(f"method is of type {type(method).__name__}; expected a Method, or a name of the catalogue")
    methods = catalogue()
    return methods[check_choice(method, "method", tuple(methods))]


def as_method(recipe: Recipe, *, scalar: bool = False) -> Method:
    """Convert a recipe of :func:`recovery.imp` to a :class:`Method`.

    Parameters
    ----------
    recipe : Recipe
        Such as ``recovery.pruning.PAPER``.
    scalar : bool, default False
        Whether the networks have one output, which affects what is pruned; see :class:`Recipe`.

    Returns
    -------
    Method
        From the same start, :func:`recovery.pruning.prune` finds the same masks. Scaling the data (`recipe.scaled`) is
        left to the caller. The order of rows in the fine-tuning may differ, which does not affect the masks.

    Raises
    ------
    ValueError
        If the recipe multiplies output weights into the hidden ones (`recipe.absorbs`, with one output), which is a
        reparameterisation and not a criterion.

    Examples
    --------
    >>> from recovery.pruning import PAPER
    >>> as_method(PAPER, scalar=True).schedule
    Rounds(share=0.1, lands=False)
    """
    count = recipe.count if scalar else recipe.count_several
    if recipe.absorbs and scalar and count == "hidden":
        raise ValueError(f"recipe {recipe.name!r} absorbs output weights; expected one with absorbs=False")

    def training(n_iter: int, decay: float) -> Training:
        return Training(
            n_iter=n_iter,
            batch_size=recipe.batch_size,
            learning_rate=recipe.learning_rate,
            schedule="constant" if decay == 1 else Decay(decay, n_iter),
            mean_outputs=recipe.mean_outputs,
        )

    rewind: Rewind = recipe.rewind if recipe.rewind_step else "start"
    return Method(
        recipe.name,
        "magnitude",
        schedule=Rounds(recipe.prune_share, lands=recipe.lands) if recipe.prune_share else OneShot(),
        rewind="end" if recipe.fine_tune else rewind,
        between=rewind if recipe.fine_tune else None,
        training=training(recipe.max_iter, recipe.decay),
        retraining=training(recipe.fine_tune, recipe.fine_decay) if recipe.fine_tune else None,
        layers="all" if count == "all" else "hidden",
    )
