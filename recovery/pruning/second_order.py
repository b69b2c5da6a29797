"""Optimal Brain Surgeon: the cost of removing a weight when all others are adjusted, and that adjustment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from planted.base import arrays
from planted.base.checks import check_choice, check_integer, check_number
from recovery.mlp.masks import Masks
from recovery.pruning.view import View

__all__ = ["Obs"]


@dataclass(frozen=True)
class Obs:
    """w_j^2 / (2 [H^-1]_jj): the second-order increase of the loss if w_j becomes 0 and all other weights adapt.

    Parameters
    ----------
    curvature : {"auto", "hessian", "inputs"}, default "auto"
        What H is. ``"hessian"``: the exact Hessian of the mean loss with respect to all weights. ``"inputs"``: for each
        layer the second moments of its inputs, A'A / n, as if each layer were a separate regression (layer-wise OBS);
        for a linear model with squared loss this is the Hessian. ``"auto"``: the Hessian for up to `limit` weights,
        else the inputs.
    damping : float, optional
        Eigenvalues of H are replaced by their magnitudes, and those below this fraction of the largest are raised to
        it; by default 1e-2 for the Hessian and 1e-6 for the inputs. See Notes.
    limit : int, default 1000
        Largest number of weights for which the Hessian is computed: it needs one Hessian product per weight, and cubic
        time for its eigenvalues.

    Notes
    -----
    A ReLU network's loss stays the same when a neuron's incoming weights are multiplied by a number and its outgoing
    ones divided by it, so at a minimum H has a null direction for each neuron, and elsewhere eigenvalues of both signs.
    Without damping the scores of all weights of a neuron would be equal, and the compensation would move along these
    directions far beyond the validity of the quadratic approximation. The value 1e-2 is from docs/appendix/pruning.md.
    With ``curvature="inputs"`` scores of different layers are in different units: use ``scope="layer"``.

    Already pruned weights stay 0, so H is restricted to the others. Biases are held fixed. :meth:`compensated` is the
    second half of the method: use it as a weight map via :class:`recovery.pruning.Compensation`. The original removes
    one weight at a time; here all weights Q of a round are removed at once, and the others move by the exact minimiser
    of the quadratic model, H_KK^-1 H_KQ w_Q, which for one weight is the paper's -w_q / [H^-1]_qq H^-1 e_q.

    References
    ----------
    B. Hassibi, D. Stork, "Second order derivatives for network pruning: Optimal Brain Surgeon" (NIPS 1992);
    X. Dong, S. Chen, S. Pan, "Learning to Prune Deep Neural Networks via Layer-wise Optimal Brain Surgeon" (NIPS 2017);
    from memory of the literature, the joint step derived here by minimising d'Hd / 2 over d with d_Q = -w_Q.
    """

    curvature: Literal["auto", "hessian", "inputs"] = "auto"
    damping: float | None = None
    limit: int = 1000

    def __post_init__(self) -> None:
        check_choice(self.curvature, "curvature", ("auto", "hessian", "inputs"))
        if self.damping is not None and check_number(self.damping, "damping", minimum=0.0, maximum=1.0) == 0:
            raise ValueError("damping=0 makes a singular H impossible to invert; expected a positive number")
        check_integer(self.limit, "limit", minimum=1)

    def __call__(self, view: View) -> list[Any]:
        """Return the scores."""
        xp, masks = view.xp, view.masks
        if self._joint(view):
            places, G = self._hessian(view)
            costs = xp.zeros(view.model.n_weights)
            costs[places] = 1 / xp.diagonal(xp.linalg.inv(G))
            gains = view.model.shapes.split(costs)
        else:
            gains = []
            for G, mask in zip(self._moments(view), masks.layers, strict=True):
                gain = xp.zeros(mask.shape)
                for columns, rows in _groups(mask):
                    if rows.shape[0]:
                        part = 1 / xp.diagonal(xp.linalg.inv(G[rows[:, None], rows]))
                        gain[rows[:, None], columns] = part[:, None]
                gains.append(gain)
        return [layer * layer * gain / 2 for layer, gain in zip(view.layers, gains, strict=True)]

    def compensated(self, layers: Sequence[Any], masks: Masks, view: View) -> list[Any]:
        """Return weights, zero outside new masks, that compensate to second order for the removed ones.

        Parameters
        ----------
        layers : sequence of array
            The weights before.
        masks : Masks
            The masks after pruning; no larger than those of the view.
        view : View
            What the criterion saw.

        Returns
        -------
        list of array
            New arrays.
        """
        xp, kept = view.xp, [layer.copy() for layer in masks.apply(layers)]
        if self._joint(view):
            places, G = self._hessian(view)
            flat = xp.concatenate([layer.ravel() for layer in layers])
            new = masks.flat
            moved = _moved(xp, G, flat[places].astype(G.dtype), new[places])
            found = xp.concatenate([layer.ravel() for layer in kept])
            found[places] += moved.astype(found.dtype)
            return list(masks.apply(view.model.shapes.split(found)))
        for G, layer, before, after, mask in zip(
            self._moments(view), kept, layers, masks.layers, view.masks.layers, strict=True
        ):
            for j in range(int(layer.shape[1])):
                rows = xp.flatnonzero(mask[:, j])
                if rows.shape[0]:
                    moved = _moved(xp, G[rows[:, None], rows], before[rows, j].astype(G.dtype), after[rows, j])
                    layer[rows, j] += moved.astype(layer.dtype)
        return kept

    def _joint(self, view: View) -> bool:
        """Return whether all weights share one quadratic, rather than each column of each layer having its own."""
        model = view.model
        if len(model.layers) == 1 and model.loss == "squared":  # the Hessian is the second moments of the inputs
            return False
        if self.curvature == "hessian" and model.n_weights > self.limit:
            raise ValueError(
                f"curvature='hessian' for {model.n_weights} weights; expected at most limit={self.limit}, or 'inputs'"
            )
        return self.curvature != "inputs" and model.n_weights <= self.limit

    def _hessian(self, view: View) -> tuple[Any, Any]:
        """Return the positions of the remaining weights, and their Hessian with its eigenvalues made positive."""
        key = ("hessian", self.damping)
        if key not in view.shared:
            places = view.xp.flatnonzero(view.masks.flat)
            view.shared[key] = (
                places,
                _positive(view.xp, hessian(view, places), 1e-2 if self.damping is None else self.damping),
            )
        return view.shared[key]

    def _moments(self, view: View) -> list[Any]:
        """Return the second moments of each layer's inputs, with positive eigenvalues."""
        key = ("inputs", self.damping)
        if key not in view.shared:
            n = view.data.n_samples
            moments = [values.T @ values / n for values in view.activations()]
            damping = 1e-6 if self.damping is None else self.damping
            view.shared[key] = [_positive(view.xp, moment, damping) for moment in moments]
        return view.shared[key]


def hessian(view: View, places: Any) -> Any:
    """Return the Hessian of the mean loss with respect to some weights, shape (m, m), in float64.

    Parameters
    ----------
    view : View
        The model and the data.
    places : array of int, shape (m,)
        Positions of the weights in the vector of all weights.

    Returns
    -------
    array, shape (m, m)
        Symmetric up to rounding.
    """
    xp, shapes = view.xp, view.model.shapes
    rows = []
    for place in arrays.to_numpy(places).tolist():
        direction = xp.zeros(shapes.size, dtype=view.model.dtype)
        direction[place] = 1
        product = view.hessian_product(shapes.split(direction))
        rows.append(xp.concatenate([part.ravel() for part in product])[places])
    return xp.stack(rows).astype("float64") if rows else xp.zeros((0, 0))


def _positive(xp: Any, H: Any, damping: float) -> Any:
    """Return a symmetric matrix with each eigenvalue replaced by its magnitude, and small ones raised."""
    if not H.shape[0]:
        return H.astype("float64")
    H = H.astype("float64")
    values, vectors = xp.linalg.eigh((H + H.T) / 2)
    values = xp.abs(values)
    top = values.max()
    values = xp.maximum(values, xp.where(top > 0, damping * top, 1.0))
    return (vectors * values) @ vectors.T


def _moved(xp: Any, G: Any, weights: Any, stays: Any) -> Any:
    """Return the change d of the weights that minimises d'Gd / 2 with d = -w for removed weights; zero for those."""
    here, gone = xp.flatnonzero(stays), xp.flatnonzero(~stays)
    move = xp.zeros_like(weights)
    if here.shape[0] and gone.shape[0]:
        move[here] = xp.linalg.solve(G[here[:, None], here], G[here[:, None], gone] @ weights[gone])
    return move


def _groups(mask: Any) -> list[tuple[Any, Any]]:
    """Group equal columns of a mask, and return each group with the rows that it keeps."""
    xp = arrays.namespace(mask)
    host = arrays.to_numpy(mask)
    groups: dict[bytes, list[int]] = {}
    for j in range(host.shape[1]):
        groups.setdefault(host[:, j].tobytes(), []).append(j)
    return [(xp.asarray(columns), xp.flatnonzero(mask[:, columns[0]])) for columns in groups.values()]
