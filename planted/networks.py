"""The class of ReLU networks without biases, with their kink form and files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.blocks import in_smaller_blocks
from planted.base.checks import check_array
from planted.base.files import Stored
from planted.base.frames import check_names, data_frame, labels
from planted.base.markup import SHOWN, card, table
from planted.base.plots import axes_of, whole_numbers
from planted.base.values import by_value, frozen
from planted.kinks import KinkForm, kink_form_of

__all__ = ["ReLUNetwork", "forward"]

BLOCK_BYTES = 64 * 2**20
"""Target size, in bytes, of the hidden activations held in memory at a time."""
NAMED = 40
"""A plot names the inputs in use if there are at most this many."""


def forward(layers: Sequence[Any], X: Any, hidden: Callable[[int, Any, Any], Any] | None = None) -> Iterator[Any]:
    """Yield the activations of each hidden layer, and then the outputs.

    Parameters
    ----------
    layers : sequence of array
        Weights of at least one layer, shapes (..., d, m_1), ..., (..., m_L, k); the last one may be of shape (m_L,).
    X : array, shape (..., n, d)
        Inputs.
    hidden : callable, optional
        ``hidden(level, values, layer)`` returns relu(values @ layer) of hidden layer `level`, from 0; for callers that
        provide the memory. By default it is a new array.

    Yields
    ------
    array
        relu(X W_1), relu(relu(X W_1) W_2), ..., outputs. This function keeps no reference to earlier arrays.
    """
    values = X
    for level, layer in enumerate(layers[:-1]):
        values = _rectified(values, layer) if hidden is None else hidden(level, values, layer)
        yield values
    yield values @ layers[-1]


def _rectified(values: Any, layer: Any) -> Any:
    return arrays.namespace(values).maximum(values @ layer, 0)


@by_value
class ReLUNetwork(Stored):
    """A feed-forward ReLU network without biases, f(x) = V' relu(W_L' ... relu(W_1' x)).

    Parameters
    ----------
    layers : sequence of array
        ``[(d, m_1), (m_1, m_2), ..., (m_L, k)]``; if the last one has shape ``(m_L,)``, the output is a scalar. The
        arrays are copied; they stay float32 if all of them are, and otherwise become float64. A width of 0 gives the
        zero function.

    Attributes
    ----------
    layers : tuple of array
        The weights; NumPy arrays are read-only.

    Raises
    ------
    TypeError
        If `layers` is not a sequence of real arrays on one device.
    ValueError
        If there are fewer than two layers, the shapes do not chain, or a weight is not finite.

    Notes
    -----
    Networks are meant to be immutable: nothing here changes the weights. Two networks are equal (``==``) if their
    layers are: same device, dtype and shapes, equal weights. This is stricter than computing the same function
    (:func:`match_networks`). They can be pickled and copied.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        if arrays.is_array(layers) or not isinstance(layers, Sequence) or isinstance(layers, (str, bytes)):
            raise TypeError(f"layers is of type {type(layers).__name__}; expected a list of weight arrays")
        if len(layers) < 2:
            raise ValueError(f"layers has {len(layers)} array(s); expected at least two, (d, m) and (m,) or (m, k)")
        last = len(layers) - 1
        checked = [
            check_array(layer, f"layers[{i}]", ndim=(1, 2) if i == last else 2, allow_empty=True)
            for i, layer in enumerate(layers)
        ]
        for i in range(last):
            if checked[i].shape[1] != checked[i + 1].shape[0]:
                raise ValueError(
                    f"layers[{i + 1}] has shape {tuple(checked[i + 1].shape)}; expected {checked[i].shape[1]} row(s) "
                    f"to follow layers[{i}] of shape {tuple(checked[i].shape)}"
                )
        if checked[0].shape[0] == 0:
            raise ValueError(f"layers[0] has shape {tuple(checked[0].shape)}; expected at least one input")
        arrays.namespace(*checked)
        dtype = np.result_type(*(layer.dtype for layer in checked))
        self.layers = tuple(frozen(layer.astype(dtype, copy=False)) for layer in checked)

    def __call__(self, X: Any) -> Any:
        """Evaluate the network.

        Parameters
        ----------
        X : array, shape (n, d)
            Inputs, on the network's device.

        Returns
        -------
        array, shape (n,) or (n, k)
            Outputs. Rows are processed in blocks, so that at most :data:`BLOCK_BYTES` of hidden activations are held at
            a time.

        Raises
        ------
        TypeError
            If `X` lives on another device.
        ValueError
            If `X` is not a finite (n, d) matrix.

        Warns
        -----
        RuntimeWarning
            If the device ran out of memory and smaller blocks were used.
        """
        X = check_array(X, "X", ndim=2, shape=(None, self.n_inputs))
        arrays.namespace(X, *self.layers)
        widest = max(int(layer.shape[1]) for layer in self.layers[:-1])
        rows = max(1, BLOCK_BYTES // (8 * max(1, widest)))
        rows = min(rows, max(1, int(X.shape[0])))
        return in_smaller_blocks(lambda size: self._in_blocks(X, size), rows, f"the output of {self!r}")[0]

    def kink_form(self, angle_tol: float = 1e-9, drop_tol: float = 1e-12) -> KinkForm:
        """Return the kink form: what the function of a network with one hidden layer determines about its weights.

        Parameters
        ----------
        angle_tol : float, default 1e-9
            Neurons whose directions differ by at most this angle (radians, up to sign) are merged into one line.
        drop_tol : float, default 1e-12
            Lines whose strength is at most `drop_tol` times the largest |u_j| |v_j| are dropped.

        Returns
        -------
        KinkForm
            Lines, signed strengths and linear part, in float64, on the network's device.

        Raises
        ------
        ValueError
            If the network has more than one hidden layer or a tolerance is negative.

        Notes
        -----
        f(x) = sum_l strengths_l |directions_l . x| / 2 + linear' x with strengths_l = sum of
        |u_j| v_j over the neurons on line l and linear = (1/2) sum_j u_j v_j', from
        relu(z) = (|z| + z) / 2. Derived in ``docs/theory``, "The kink form".
        """
        if self.depth != 1:
            raise ValueError(f"the network has {self.depth} hidden layers; expected one, as the kink form needs")
        return kink_form_of(self.hidden, self.output, angle_tol=angle_tol, drop_tol=drop_tol)

    def to(self, device: str, dtype: Any = None) -> ReLUNetwork:
        """Return the network on a device.

        Parameters
        ----------
        device : {"cpu", "gpu"}
            Destination.
        dtype : dtype, optional
            float32 or float64; unchanged by default.

        Returns
        -------
        ReLUNetwork
            A copy.

        Raises
        ------
        ValueError
            If `device` is unknown.
        RuntimeError
            If ``"gpu"`` is requested and there is none.
        """
        return ReLUNetwork([arrays.asarray(layer, device, dtype) for layer in self.layers])

    @property
    def hidden(self) -> Any:
        """Weights of the first layer, shape (d, m); column j is the neuron u_j."""
        return self.layers[0]

    @property
    def output(self) -> Any:
        """Weights of the last layer, shape (m,) or (m, k)."""
        return self.layers[-1]

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.layers) - 1

    @property
    def n_inputs(self) -> int:
        """Number of inputs, d."""
        return int(self.layers[0].shape[0])

    @property
    def n_neurons(self) -> int:
        """Width of the first hidden layer, m."""
        return int(self.layers[0].shape[1])

    @property
    def n_outputs(self) -> int:
        """Number of outputs, k; 1 for a scalar output."""
        return 1 if self.output.ndim == 1 else int(self.output.shape[1])

    @property
    def counted(self) -> tuple[Any, ...]:
        """Layers whose weights count towards :attr:`sparsity`.

        All layers, except the output layer of a network with a scalar output, shape (m,): its weights are signs, or can
        be made signs without changing the function.
        """
        return self.layers[:-1] if self.output.ndim == 1 else self.layers

    @property
    def sparsity(self) -> int:
        """Number of non-zero weights of the :attr:`counted` layers, as `sparsity` of ``recovery.fit_network``."""
        return sum(int(self.namespace.count_nonzero(layer)) for layer in self.counted)

    @property
    def support(self) -> Any:
        """Positions of the non-zero counted weights: array of int64 of length :attr:`sparsity`, ascending.

        They refer to the vector that concatenates the :attr:`counted` layers, each in row-major order.
        """
        xp = self.namespace
        return xp.flatnonzero(xp.concatenate([layer.ravel() != 0 for layer in self.counted])).astype(xp.int64)

    @property
    def namespace(self) -> Any:
        """Array module of the weights: ``numpy``, ``cupy`` or a compatible one."""
        return arrays.namespace(self.layers[0])

    @property
    def dtype(self) -> np.dtype:
        """Type of the weights."""
        return np.dtype(self.layers[0].dtype)

    @property
    def device(self) -> str:
        """Where the weights live, ``"cpu"`` or ``"gpu"``."""
        return arrays.device_of(self.layers[0])

    def to_pandas(self, names: Sequence[str] | None = None) -> Any:
        """Return the non-zero weights as a table.

        Parameters
        ----------
        names : sequence of str, optional
            Names of the inputs; their numbers by default.

        Returns
        -------
        pandas.DataFrame
            One row per non-zero weight, layer by layer: ``layer`` (from 0), ``source`` (an input in the first layer,
            else the number of a neuron), ``target`` (the number of a neuron or, in the last layer, of an output) and
            ``weight``.

        Raises
        ------
        MissingExtra
            If pandas is not installed.
        TypeError, ValueError
            If `names` does not name every input.
        """
        given = check_names(names, self.n_inputs)
        columns: dict[str, list[Any]] = {"layer": [], "source": [], "target": [], "weight": []}
        for level, layer in enumerate(self.layers):
            sources, targets, weights = _non_zeros(layer)
            columns["layer"] += [level] * len(weights)
            columns["source"] += labels(given if level == 0 else None, sources)
            columns["target"] += targets.tolist()
            columns["weight"] += weights.tolist()
        return data_frame(columns, "to_pandas")

    def plot(self, ax: Any = None, *, names: Sequence[str] | None = None) -> Any:
        """Draw the weights of the first layer as a picture: one row per input, one column per neuron.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on; a new figure by default.
        names : sequence of str, optional
            Names of the inputs, for the axis; their numbers by default. Of many inputs only those with a weight are
            named, and none if these are more than 40.

        Returns
        -------
        matplotlib.axes.Axes
            The axes. Red weights are positive, blue ones negative, and zeros white. Below each neuron of a network with
            one hidden layer and one output stands its output weight.

        Raises
        ------
        MissingExtra
            If matplotlib is not installed.
        TypeError, ValueError
            If `names` does not name every input.
        """
        given = check_names(names, self.n_inputs)
        ax = axes_of(ax, "ReLUNetwork.plot")
        weights = arrays.to_numpy(self.hidden)
        top = float(np.abs(weights).max(initial=0.0)) or 1.0
        image = ax.imshow(weights, cmap="RdBu_r", vmin=-top, vmax=top, aspect="auto", interpolation="nearest")
        ax.figure.colorbar(image, ax=ax, label="weight")
        if given is not None:  # all names, or where they would overlap those of the inputs in use
            used = np.flatnonzero(np.any(weights != 0.0, axis=1))
            places = range(self.n_inputs) if self.n_inputs <= SHOWN else used.tolist()
            if len(places) <= NAMED:
                ax.set_yticks(places, [given[place] for place in places])
        ax.set_ylabel("input")
        ax.set_xlabel("neuron")
        whole_numbers(ax.xaxis)
        if self.depth == 1 and self.n_outputs == 1 and self.n_neurons <= SHOWN:
            signs = [f"{j}\n({value:+.3g})" for j, value in enumerate(arrays.to_numpy(self.output).ravel().tolist())]
            ax.set_xticks(range(self.n_neurons), signs)
            ax.set_xlabel("neuron (output weight)")
        return ax

    def _repr_html_(self) -> str:
        """Return the layers as a table for notebooks."""
        rows = [
            (f"{int(layer.shape[0])} x {1 if layer.ndim == 1 else int(layer.shape[1])}", _count(layer), int(layer.size))
            for layer in self.layers
        ]
        title = f"ReLUNetwork: {self.n_inputs} inputs, {self.depth} hidden layer(s), {self.n_outputs} output(s)"
        listed = [(level, *row) for level, row in enumerate(rows)]
        pairs = [("non-zero weights that count", self.sparsity), ("dtype, device", f"{self.dtype}, {self.device}")]
        return card(title, pairs, table(["layer", "shape", "non-zero", "of"], listed, most=SHOWN))

    def __repr__(self) -> str:
        widths = " -> ".join(str(int(layer.shape[0])) for layer in self.layers)
        kind = "hidden weights" if self.output.ndim == 1 else "weights"
        return (
            f"ReLUNetwork({widths} -> {self.n_outputs}, {self.sparsity} non-zero {kind}, {self.dtype}, {self.device})"
        )

    def _in_blocks(self, X: Any, rows: int) -> Any:
        parts = [self._forward(X[start : start + rows]) for start in range(0, int(X.shape[0]), rows)]
        return parts[0] if len(parts) == 1 else self.namespace.concatenate(parts)

    def _forward(self, rows: Any) -> Any:
        for values in forward(self.layers, rows):
            rows = values
        return rows

    def _parts(self) -> tuple[Any, ...]:
        return self.layers

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (list(self.layers),)

    def _state(self) -> dict[str, Any]:
        return {"layers": list(self.layers)}


def _count(layer: Any) -> int:
    return int(arrays.namespace(layer).count_nonzero(layer))


def _non_zeros(layer: Any) -> tuple[Any, Any, Any]:
    """Return rows, columns and values of the non-zero weights of a layer, on the CPU."""
    host = arrays.to_numpy(layer)
    host = host if host.ndim == 2 else host[:, None]
    rows, columns = np.nonzero(host)
    return rows, columns, host[rows, columns]
