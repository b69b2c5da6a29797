"""BINGO: score weights during training by the effect of resetting random subsets of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from planted.base import arrays
from planted.base.checks import check_choice, check_integer, check_number
from recovery.mlp.losses import loss_and_gradient
from recovery.pruning.cost import Cost
from recovery.pruning.data import Data
from recovery.pruning.frame import Frame
from recovery.pruning.method import Method
from recovery.pruning.model import Model
from recovery.pruning.training import Step, Training, Trains

__all__ = ["VARIANTS", "Bingo", "Probes", "Variant", "bingo"]

Variant: TypeAlias = Literal["printed", "corrected", "release", "running-mean"]
VARIANTS: tuple[Variant, ...] = ("printed", "corrected", "release", "running-mean")


@dataclass(frozen=True)
class Bingo:
    """A path criterion: reset a random subset of the weights, measure the change of the outputs, and restore them.

    Parameters
    ----------
    variant : {"printed", "corrected", "release", "running-mean"}, default "printed"
        How a probe with change c updates a weight's score S; see Notes.
    target : {"reset", "zero"}, default "reset"
        What a probe sets its weights to: their initial values, as in the paper, or zero, as in its released code.
    signal : {"accuracy", "loss"}, default "accuracy"
        The quantity whose change is measured: the fraction of correctly classified rows, or the mean loss.
    subset : float or int, default 0.01
        Weights per probe: a fraction (at least one weight), or a number.
    per_layer : bool, default True
        Whether each layer is probed separately, with this many of its weights; otherwise one probe draws from all
        layers.
    probes_per_update : int, default 1
        Probes after each update (for each layer, if `per_layer`), or after each batch of the sweep.
    when : {"training", "after"}, default "training"
        ``"training"``: after each update, on the batch of that update. ``"after"``: when training has ended, in one
        sweep over the data in batches of the training's size, with fixed weights.
    relative : bool, optional
        Whether the change is divided by the previous value. By default True, except for ``"release"``.
    signed : bool, default False
        Whether an improvement lowers the score. In the published method it counts like a deterioration of the same
        size.

    Raises
    ------
    TypeError, ValueError
        If an argument is unknown or out of range.

    Notes
    -----
    With A the accuracy (or the loss) before and after, d = |A_before - A_after| and c = d / A_before, a probe gives
    each of its weights:

    - ``"printed"``: S <- (S + 1 - c) / 2, starting at 1/2;
    - ``"corrected"``: S <- (S + c) / 2, starting at 1/2;
    - ``"release"``: S <- (S + d) / 2, starting at 0;
    - ``"running-mean"``: S = mean of c over all probes of the weight.

    **The printed formula orders the weights the wrong way round.** A weight whose reset changes nothing gets a score
    near 1, the most significant; one whose reset hurts gets a low score and is pruned first. Precisely, with the same
    draws the printed score is 1 minus the corrected one, so the order is reversed. It is provided because it is what
    the paper states; ``"corrected"`` only changes the sign.

    The halving is an exponential average with the weights 1/2, 1/4, ...: the effective number of probes is
    1 / sum 4^-k = 3, the last five have 97 % of the weight, and more training does not make the score more certain. The
    variance of the running mean falls as 1 / N.

    Points that the paper and its released code leave open are decided as follows. The initial score is 1/2, or 0 for
    ``"release"``. Probes with A_before = 0 are not counted, since the relative change is undefined. (An accuracy of 0
    cannot fall.) A weight that was never probed keeps the initial score; under the running mean it gets the mean of all
    probes, so that it ranks neither first nor last. A score may leave [0, 1], because an accuracy may more than double.
    The change is credited in full to each weight of the subset. Biases are never probed. Weights pruned in an earlier
    round are zero before and after a probe, and their scores are not used. If rounds train again, scores start afresh.

    Subsets are uniform without replacement, from a generator that is spawned from the run's, so variants with the same
    numbers of probes see the same draws. A probe is a forward pass of the batch; with `per_layer` the layers below are
    not recomputed. `Cost.forward` counts it as one pass, `Cost.executed` counts the operations actually computed.

    References
    ----------
    .. [1] A. Panangat, "BINGO: A Novel Pruning Mechanism to Reduce the Size of Neural Networks", arXiv:2505.09864.
    """

    variant: Variant = "printed"
    target: Literal["reset", "zero"] = "reset"
    signal: Literal["accuracy", "loss"] = "accuracy"
    subset: float = 0.01
    per_layer: bool = True
    probes_per_update: int = 1
    when: Literal["training", "after"] = "training"
    relative: bool | None = None
    signed: bool = False

    def __post_init__(self) -> None:
        check_choice(self.variant, "variant", VARIANTS)
        check_choice(self.target, "target", ("reset", "zero"))
        check_choice(self.signal, "signal", ("accuracy", "loss"))
        check_choice(self.when, "when", ("training", "after"))
        if isinstance(self.subset, float):
            if check_number(self.subset, "subset", minimum=0.0, maximum=1.0) == 0:
                raise ValueError("subset=0.0; expected a share above 0, or a number of weights")
        else:
            check_integer(self.subset, "subset", minimum=1)
        check_integer(self.probes_per_update, "probes_per_update", minimum=1)

    @property
    def first(self) -> float:
        """Score of a weight that was never probed."""
        return 0.0 if self.variant == "release" else 0.5

    @property
    def divides(self) -> bool:
        """Whether changes are divided by the previous value."""
        return self.variant != "release" if self.relative is None else self.relative

    def begin(self, model: Model, data: Data, rng: np.random.Generator, cost: Cost) -> Probes:
        """Return the observer of a training.

        Parameters
        ----------
        model : Model
            Where it starts.
        data : Data
            What it sees.
        rng : numpy.random.Generator
            One number is drawn from it.
        cost : Cost
            Passes are added to it.

        Returns
        -------
        Probes
            With ``step`` and ``scores``.

        Raises
        ------
        ValueError
            If the signal is the accuracy and the targets are not classes, or `subset` exceeds the weights.
        """
        if self.signal == "accuracy" and not _classes(model, data):
            raise ValueError(
                "signal='accuracy', but the targets are not classes; expected signal='loss', or rows with one 1 and "
                "zeros for at least two outputs"
            )
        sizes = [a * b for a, b in model.shapes.layers]
        pools = sizes if self.per_layer else [sum(sizes)]
        if not isinstance(self.subset, float) and self.subset > min(pools):
            raise ValueError(f"subset={self.subset}; expected at most {min(pools)}, the weights that it is drawn from")
        counts = [
            max(1, round(self.subset * size)) if isinstance(self.subset, float) else int(self.subset) for size in pools
        ]
        return Probes(self, model, data, counts, np.random.default_rng(int(rng.integers(2**63))), cost)


@dataclass
class _Tally:
    """Scores of one layer, and the number of probes of each weight; both flat, on the host."""

    score: np.ndarray
    probes: np.ndarray


@dataclass
class Probes:
    """The observer of one training.

    Parameters
    ----------
    rule : Bingo
        What to do.
    model : Model
        Where training starts.
    data : Data
        What it sees.
    counts : list of int
        Weights of a probe: of each layer, or of all.
    rng : numpy.random.Generator
        Draws subsets.
    cost : Cost
        Passes are added to it.
    """

    rule: Bingo
    model: Model
    data: Data
    counts: list[int]
    rng: np.random.Generator
    cost: Cost
    skipped: int = 0
    _tallies: list[_Tally] = field(default_factory=list)
    _total: float = 0.0
    _seen: int = 0
    _last: Step | None = None
    _swept: bool = False

    def __post_init__(self) -> None:
        self._frame = Frame(self.model)
        self._start = list(self.model.matrices)
        for a, b in self.model.shapes.layers:
            self._tallies.append(_Tally(np.full(a * b, self.rule.first), np.zeros(a * b, dtype=np.int64)))

    @property
    def probes(self) -> list[np.ndarray]:
        """Number of probes of each weight, one array per layer."""
        shapes = self.model.shapes.layers
        return [tally.probes.reshape(shape) for tally, shape in zip(self._tallies, shapes, strict=True)]

    def step(self, step: Step) -> None:
        """Probe after an update, or remember it for the sweep."""
        if self.rule.when == "after":
            self._last = step  # training updates its vector in place, so this refers to the final weights at the end
            return
        self._probe(self._wide(step.vector), step.inputs, step.y)

    def scores(self) -> list[Any]:
        """Return the scores, one array for each layer, on the device of the model."""
        if self.rule.when == "after" and not self._swept:
            self._sweep()
            self._swept = True
        found, xp = [], arrays.namespace(*self._start)
        mean = self._total / self._seen if self._seen else self.rule.first
        for tally, (a, b) in zip(self._tallies, self.model.shapes.layers, strict=True):
            score = tally.score
            if self.rule.variant == "running-mean":
                score = np.where(tally.probes > 0, score, mean)
            found.append(xp.asarray(score.reshape(a, b)))
        return found

    def _sweep(self) -> None:
        vector = self._frame.flat(self.model) if self._last is None else self._last.vector
        n = self.data.n_samples
        size = n if self._last is None else min(n, int(self._last.y.shape[0]))
        order, wide = self.rng.permutation(n), self._wide(vector)
        count, xp = max(1, n // size), arrays.namespace(*self._start)
        for i in range(count):
            rows = xp.asarray(np.sort(order[n * i // count : n * (i + 1) // count]))
            self._probe(wide, self._frame.inputs(self.data.X[rows]), self.data.y[rows])

    def _wide(self, vector: Any) -> list[Any]:
        return [layer[0] for layer in self._frame.shapes.split(vector)]

    def _probe(self, wide: list[Any], X: Any, y: Any) -> None:
        """Make the probes of one batch."""
        rule = self.rule
        values, before = self._pass(wide, [X], y)
        for _ in range(rule.probes_per_update):
            for number, count in enumerate(self.counts):
                if rule.per_layer:
                    size = self._tallies[number].score.size
                    drawn = {number: np.sort(self.rng.choice(size, count, replace=False, shuffle=False))}
                else:
                    drawn = self._spread(np.sort(self.rng.choice(self._frame.plain.size, count, False, shuffle=False)))
                lowest = min(drawn)
                changed = list(wide)
                for level, flat in drawn.items():
                    changed[level] = self._changed(wide[level], level, flat)
                _, after = self._pass(changed, values[: lowest + 1], y)
                self._learn(drawn, before, after)

    def _spread(self, flat: np.ndarray) -> dict[int, np.ndarray]:
        """Split indices over all weights into indices within each layer."""
        offsets = self._frame.plain.offsets
        bounds = np.searchsorted(flat, offsets)
        return {
            level: flat[bounds[level] : bounds[level + 1]] - offsets[level]
            for level in range(len(offsets) - 1)
            if bounds[level + 1] > bounds[level]
        }

    def _changed(self, wide: Any, level: int, flat: np.ndarray) -> Any:
        """Return a copy of one layer with some weights reset."""
        xp = arrays.namespace(wide)
        width = self._frame.plain.layers[level][1]
        rows, columns = xp.asarray(flat // width), xp.asarray(flat % width)
        found = wide.copy()
        found[rows, columns] = 0 if self.rule.target == "zero" else self._start[level][rows, columns]
        return found

    def _pass(self, layers: list[Any], values: list[Any], y: Any) -> tuple[list[Any], float]:
        """Continue from known activations; return all activations below the outputs, and the signal."""
        xp, values = arrays.namespace(y), list(values)
        plain, first, n = self._frame.plain, len(values) - 1, int(y.shape[0])
        for level in range(first, len(layers) - 1):
            values.append(xp.maximum(values[level] @ layers[level], 0))
        outputs = values[-1] @ layers[-1]
        self.cost.forward += n
        self.cost.executed += n * sum(a * b for a, b in plain.layers[first:])
        self.cost.booked += n * plain.size
        if self.rule.signal == "loss":
            return values, float(loss_and_gradient(outputs, y, self.model.loss).value)
        return values, int((outputs.argmax(axis=1) == y.argmax(axis=1)).sum()) / n

    def _learn(self, drawn: dict[int, np.ndarray], before: float, after: float) -> None:
        rule = self.rule
        worse = after - before if rule.signal == "loss" else before - after
        change = worse if rule.signed else abs(worse)
        if rule.divides:
            change = change / before if before else float("nan")
        if not np.isfinite(change):
            self.skipped += 1
            return
        for level, flat in drawn.items():
            tally = self._tallies[level]
            score, tally.probes[flat] = tally.score[flat], tally.probes[flat] + 1
            if rule.variant == "running-mean":
                score = np.where(tally.probes[flat] == 1, 0.0, score)
                tally.score[flat] = score + (change - score) / tally.probes[flat]
            else:
                tally.score[flat] = (score + (1 - change if rule.variant == "printed" else change)) / 2
        self._total += change
        self._seen += 1


def _classes(model: Model, data: Data) -> bool:
    """Return whether the targets are one-hot rows for at least two classes."""
    if model.loss == "cross_entropy":
        return True
    y = data.y
    if y.ndim != 2 or int(y.shape[1]) < 2:
        return False
    return bool(((y == 0) | (y == 1)).all()) and bool((y.sum(axis=1) == 1).all())


def bingo(
    variant: Variant = "printed",
    training: Trains | None = None,
    *,
    target: Literal["reset", "zero"] | None = None,
    signal: Literal["accuracy", "loss"] = "accuracy",
    when: Literal["training", "after"] | None = None,
    **options: Any,
) -> Method:
    """Return BINGO as a method: train, score along the way, prune once, and do not retrain.

    Parameters
    ----------
    variant : {"printed", "corrected", "release", "running-mean"}, default "printed"
        See :class:`Bingo`. The printed formula prunes the important weights first.
    training : Trains, optional
        By default that of the released code: Adam with rate 1e-3, batches of 64, 10 epochs.
    target, when : str, optional
        As those of :class:`Bingo`; by default as in the paper (``"reset"``, ``"training"``), and for ``"release"`` as
        in the released code (``"zero"``, ``"after"``).
    signal, **options
        As those of :class:`Bingo`.

    Returns
    -------
    Method
        Weights compete across all layers, as seems to be intended in the paper; for ``"release"`` within each layer,
        with the same fraction pruned in each.

    Notes
    -----
    With `per_layer`, a probe changes more weights in a large layer than in a small one, so scores of different layers
    are not comparable, and a small layer may be pruned away first. With ``.replace(scope="layer")`` weights compete
    only within their layers.
    """
    released = variant == "release"
    criterion = Bingo(
        variant,
        target=target or ("zero" if released else "reset"),
        signal=signal,
        when=when or ("after" if released else "training"),
        **options,
    )
    return Method(
        name=f"bingo-{variant}",
        criterion=criterion,
        source="path",
        scope="layer" if released else "global",
        training=training or Training(epochs=10, batch_size=64, learning_rate=1e-3),
        retraining=None,
    )
