"""Scopes within which scores are compared (network, layer or unit), and the number of weights that each layer keeps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

from planted.base import arrays
from planted.base.checks import check_integer
from recovery.mlp.masks import Masks

__all__ = ["Ratio", "Scope", "fits", "largest", "layer_counts", "select"]

Scope: TypeAlias = Literal["global", "layer", "unit"]
Ratio: TypeAlias = Literal["equal", "erdos-renyi"] | Callable[[tuple[tuple[int, int], ...], int], Sequence[float]]
"""How weights are distributed among layers: a name, or a function of (shapes, count) that returns numbers of
weights."""


def layer_counts(shapes: Sequence[tuple[int, int]], count: int, ratio: Ratio, room: Sequence[int]) -> list[int]:
    """Distribute a number of weights among layers.

    Parameters
    ----------
    shapes : sequence of (int, int)
        Of the layers.
    count : int
        Total number of weights to keep.
    ratio : {"equal", "erdos-renyi"} or callable
        ``"equal"``: the same fraction of each layer. ``"erdos-renyi"``: the density of layer (a, b) is proportional to
        (a + b) / (a b), and at most 1 (Mocanu et al. 2018, from memory of the literature; the formula is tested as
        implemented here). A function of (shapes, count) returns the desired numbers, which need not be integers.
    room : sequence of int
        Number of available weights in each layer.

    Returns
    -------
    list of int
        They sum to `count`; none exceeds its room.

    Raises
    ------
    ValueError
        If `count` exceeds the available weights, or a function returns anything else.

    Notes
    -----
    A layer with fewer weights than its number keeps all of them, and the others share the rest in the same proportions.
    Numbers are rounded by largest remainder, with ties going to the first layer.
    """
    count = check_integer(count, "count", minimum=0, maximum=sum(room))
    sizes = [a * b for a, b in shapes]
    if callable(ratio):
        wanted = [float(value) for value in ratio(tuple(shapes), count)]
        if len(wanted) != len(sizes) or not all(math.isfinite(w) and w >= 0 for w in wanted):
            raise ValueError(f"ratio returned {wanted}; expected {len(sizes)} numbers of weights, none negative")
    elif ratio == "equal":
        wanted = [float(size) for size in sizes]
    elif ratio == "erdos-renyi":
        wanted = [float(a + b) for a, b in shapes]
    else:
        raise ValueError(f"ratio={ratio!r} is not known; expected 'equal', 'erdos-renyi', or a function")
    shares = [0.0] * len(sizes)
    open_, left = [i for i in range(len(sizes)) if wanted[i] > 0], float(count)
    while open_ and left > 0:
        unit = left / sum(wanted[i] for i in open_)
        full = [i for i in open_ if wanted[i] * unit >= room[i]]
        if not full:
            for i in open_:
                shares[i] = wanted[i] * unit
            break
        for i in full:
            shares[i] = float(room[i])
            left -= room[i]
        open_ = [i for i in open_ if i not in full]
    return _integers(shares, count, room)


def _integers(shares: Sequence[float], count: int, room: Sequence[int]) -> list[int]:
    """Round shares to integers that sum to `count`, largest remainders first, within the available weights."""
    found = [min(int(share), r) for share, r in zip(shares, room, strict=True)]
    order = sorted(range(len(found)), key=lambda i: (found[i] - shares[i], i))
    missing = count - sum(found)
    while missing > 0:
        before = missing
        for i in order:
            if missing and found[i] < room[i]:
                found[i] += 1
                missing -= 1
        if missing == before:
            break
    return found


def select(scores: Sequence[Any], masks: Masks, count: int, scope: Scope = "global", ratio: Ratio = "equal") -> Masks:
    """Return masks that keep the weights with the highest scores.

    Parameters
    ----------
    scores : sequence of array
        One array per layer, of its shape; larger scores are kept. Signs matter.
    masks : Masks
        The weights that are not pruned yet.
    count : int
        How many to keep.
    scope : {"global", "layer", "unit"}
        Whether weights compete across all layers, within each layer, or within each unit, among its incoming weights.
    ratio : {"equal", "erdos-renyi"} or callable
        How many weights each layer keeps, for the scopes ``"layer"`` and ``"unit"``; the units of a layer keep equal
        numbers, up to one more in the first units if the division leaves a remainder.

    Returns
    -------
    Masks
        Ties are broken by smaller indices, layer by layer in row-major order.

    Raises
    ------
    ValueError
        If the score of a weight that is not pruned yet is NaN, or `count` is out of range.
    """
    count = check_integer(count, "count", minimum=0, maximum=masks.count)
    if scope == "global":
        return _top(scores, masks, count)
    if scope not in ("layer", "unit"):
        raise ValueError(f"scope={scope!r} is not known; expected 'global', 'layer' or 'unit'")
    room = [int(mask.sum()) for mask in masks.layers]
    shapes = tuple((int(a), int(b)) for a, b in masks.shapes)
    counts = layer_counts(shapes, count, ratio, room)
    kept = []
    for layer, mask, keep in zip(scores, masks.layers, counts, strict=True):
        if scope == "layer":
            kept.append(_top([layer], Masks([mask]), keep).layers[0])
            continue
        offers = arrays.to_numpy(mask.sum(axis=0)).tolist()
        each = layer_counts([(1, 1)] * len(offers), keep, "equal", offers)
        columns = [
            _top([layer[:, j : j + 1]], Masks([mask[:, j : j + 1]]), each[j]).layers[0] for j in range(len(each))
        ]
        kept.append(arrays.namespace(layer).concatenate(columns, axis=1))
    return Masks(kept)


def _top(scores: Sequence[Any], masks: Masks, count: int) -> Masks:
    """Return masks of the weights with the highest signed scores, from their ranks."""
    xp = arrays.namespace(*scores)
    flat = xp.concatenate([layer.ravel() for layer in scores])
    places = xp.flatnonzero(masks.flat)
    values = flat[places]
    if bool(xp.isnan(values).any()):
        raise ValueError("a score of a weight that is not pruned yet is NaN; expected numbers")
    # stable sort: among equal scores the smaller index comes first
    order = xp.argsort(-values, kind="stable")[:count]
    kept = xp.zeros(flat.shape[0], dtype=bool)
    kept[places[order]] = True
    found, start = [], 0
    for a, b in masks.shapes:
        found.append(kept[start : start + a * b].reshape(a, b))
        start += a * b
    return Masks(found)


def largest(values: Any, count: int) -> Any:
    """Return which `count` values are the largest, in O(p), for inner loops.

    Parameters
    ----------
    values : array, shape (p,)
        Numbers without NaN. Signs matter.
    count : int
        How many, from 0 to p.

    Returns
    -------
    array of bool, shape (p,)
        Ties are broken by smaller indices. At most two synchronisations.
    """
    xp, size = arrays.namespace(values), int(values.shape[0])
    if count in (0, size):
        return xp.full(size, count == size, dtype=bool)
    threshold = -xp.partition(-values, count - 1)[count - 1]
    reached = values >= threshold
    if int(reached.sum()) == count:
        return reached
    above, equal = values > threshold, values == threshold
    return above | (equal & (xp.cumsum(equal) <= count - above.sum()))


def fits(scores: Any, shapes: Sequence[tuple[int, ...]], name: str) -> list[Any]:
    """Return a criterion's scores as a list of arrays, or raise an error if they are invalid."""
    layers = list(scores)
    strangers = {type(layer).__name__ for layer in layers if not arrays.is_array(layer)}
    if strangers:
        raise TypeError(f"{name} returned scores of type {', '.join(sorted(strangers))}; expected arrays")
    found = [tuple(layer.shape) for layer in layers]
    if found != [tuple(shape) for shape in shapes]:
        raise ValueError(
            f"{name} returned scores of shapes {found}; expected {[tuple(s) for s in shapes]}, as the layers"
        )
    return layers
