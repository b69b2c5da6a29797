"""A pass of iterative magnitude pruning: rounds of training and pruning, for several problems at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from planted.base import arrays
from planted.networks import ReLUNetwork
from recovery.mlp.losses import psnr, psnr_of, softmax
from recovery.mlp.masks import Masks, live_neurons, pruned_count
from recovery.mlp.passes import Shapes
from recovery.mlp.record import FitSettings, FitState, NetworkFit
from recovery.mlp.training import Job, Trainer
from recovery.mlp.units import Unit, Units
from recovery.pruning.recipes import Recipe, initial_weights
from recovery.solvers.base import Recorder, Status

__all__ = ["Pass"]


class _Run(Recorder):
    """The pass of one problem: its weights, masks and results so far, with one history entry per round."""

    KEYS = ("objective", "psnr_db", "nonzeros", "pruned_psnr_db")

    def __init__(self, problem: int, wanted: list[int], start: Any, masks: Masks, rng: np.random.Generator) -> None:
        super().__init__()
        self.problem, self.rng, self.masks = problem, rng, masks
        self.entropy = int(rng.integers(2**63))
        self.rewound = self.trained = start
        self.unserved = sorted(set(wanted) - {0}, reverse=True)
        self.updates = 0
        self.fits: dict[int, NetworkFit] = {}

    def take(self, count: int) -> list[int]:
        """Return, and remove, the requested sparsities that a network of `count` weights satisfies, largest first."""
        found = [s for s in self.unserved if s >= count]
        self.unserved = [s for s in self.unserved if s < count]
        return found


@dataclass
class _Cut:
    """A pruned network, and the requested sparsities that it satisfies."""

    run: _Run
    masks: Masks
    answers: list[int]
    job: Job
    n_iter: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)


class Pass:
    """All problems of one call."""

    def __init__(
        self,
        X: Any,
        targets: list[Any],
        wanted: list[list[int]],
        recipe: Recipe,
        settings: FitSettings,
        rngs: list[np.random.Generator],
    ) -> None:
        self.xp, self.targets, self.wanted, self.recipe = arrays.namespace(X), targets, wanted, recipe
        widths, loss = settings.widths, settings.loss
        self.loss = loss
        dtype, self.scalar = targets[0].dtype, targets[0].ndim == 1
        self.X = X.astype(dtype, order="C")  # so that no bit depends on the caller's memory order
        outputs = 1 if self.scalar else int(targets[0].shape[1])
        self.shapes = Shapes.of_widths(int(X.shape[1]), widths, outputs)
        counted = self.shapes.layers if recipe.count == "all" else self.shapes.layers[:-1]
        self.counted = len(counted)
        self.fused = recipe.absorbs and self.scalar and recipe.count == "hidden"
        self.peaks = [float(self.xp.abs(y).max()) for y in targets]
        self.scaled = len(widths) - 1 if self.fused else len(widths)  # the layer that absorbs the targets' unit
        self.units = [Units()] * len(targets)
        columns = self.xp.stack([y.reshape(int(y.shape[0]), outputs) for y in targets])
        inputs = self.X
        if recipe.scaled:
            unit_X = Unit.of(self.X)
            inputs = unit_X.divide(self.X)
            columns = columns.copy()
            for i in range(len(targets)):
                unit_y = Unit.of(columns[i], exact=False) if loss == "squared" else Unit()
                self.units[i] = Units(unit_X, unit_y)
                self.units[i].check(self.scaled, dtype)
                columns[i] = unit_y.divide(columns[i])
        self.columns = columns
        self.tops = [float(xp_max) for xp_max in arrays.to_numpy(self.xp.abs(columns).max(axis=(1, 2)))]
        factor = 2.0 / outputs if recipe.mean_outputs and loss == "squared" else 1.0
        self.trainer = Trainer(inputs, columns, self.shapes, loss, factor, recipe.batch_size)
        self.runs = []
        for i, (rng, values) in enumerate(zip(rngs, wanted, strict=True)):
            start = self.xp.asarray(initial_weights(self.shapes, recipe.initialisation, rng), dtype=dtype)
            masks = Masks.full(self.shapes.split(start)[: self.counted])
            self.runs.append(_Run(i, values, start, masks, rng))

    def expected(self) -> int:
        """Return how many rounds of training all problems have together, if none of them is stopped."""
        recipe, rounds = self.recipe, 0
        for run in self.runs:
            left, unserved = run.masks.count, list(run.unserved)
            number = 0
            while unserved and not (self.loss == "squared" and self.peaks[run.problem] == 0):
                number += 1
                if recipe.lands and number == 1:
                    unserved = [s for s in unserved if s < left]
                if recipe.prune_share == 0 or not unserved:
                    break
                goal = pruned_count(left, recipe.prune_share)
                left = max(goal, unserved[0]) if recipe.lands else goal
                unserved = [s for s in unserved if s < left]
            rounds += number
        return rounds

    def run(self, asked: Recorder) -> list[list[NetworkFit]]:
        """Return the fits of all problems, in the requested order.

        `asked` contains the callback and the clock. When they ask to stop, the current networks are pruned to the
        requested sparsities immediately.
        """
        self.asked = asked
        active = []
        for run in self.runs:
            if self.loss == "squared" and self.peaks[run.problem] == 0:
                run.fits = {s: self._zero(run, Status.ZERO_DATA) for s in run.unserved}
            elif run.unserved:
                active.append(run)
            if 0 in self.wanted[run.problem]:
                run.fits[0] = self._zero(run, Status.ZERO_SPARSITY)
        number = 0
        while active:
            self._train(active, number)
            self._keep_cuts([cut for run in active for cut in self._prune(run, number)])
            number += 1
            active = [run for run in active if run.unserved]
        return [[run.fits[s] for s in self.wanted[run.problem]] for run in self.runs]

    def _train(self, active: list[_Run], number: int) -> None:
        """Train one round of all runs, record it, and call the callback."""
        recipe, kept_at = self.recipe, self.recipe.rewind_step
        jobs = []
        for run in active:
            keep = self._keep(run.masks)
            start = self.xp.where(keep, run.rewound, self.xp.zeros((), dtype=run.rewound.dtype))
            jobs.append(Job(run.problem, start, keep, run.rng))
        steps = range(recipe.max_iter) if number == 0 else range(kept_at, recipe.max_iter)
        at = kept_at if number == 0 and kept_at else None
        self.trainer.train(jobs, steps, lambda step: recipe.rate(step, recipe.max_iter), self.asked.clock, at)
        values, ratios = self._measure(jobs)
        for run, job, value, ratio in zip(active, jobs, values, ratios, strict=True):
            run.updates += job.n_iter
            if math.isfinite(value):
                run.trained = job.weights
            else:  # this problem only; the others continue
                run.stop, run.trained = Status.DIVERGED, run.rewound
            if job.snapshot is not None and run.stop is None:
                run.rewound = job.snapshot
            objective = self._in_units(value, run.problem)
            run.append(objective=objective, psnr_db=ratio)
            neurons = int(run.masks.layers[0].any(axis=0).sum()) if self.asked.callback is not None else 0
            self.asked.ask(partial(FitState, run.updates, number, ratio, objective, run.masks.count, neurons))

    def _prune(self, run: _Run, number: int) -> list[_Cut]:
        """Prune a run; return its new network, and the networks for all sparsities reached on the way."""
        recipe, cuts = self.recipe, []
        if recipe.lands and number == 0:
            answered = run.take(run.masks.count)
            if answered:
                cuts.append(self._cut(run, run.masks, answered))
        layers = self._magnitudes(run)
        if self._stop(run) is not None or recipe.prune_share == 0:
            for s in run.take(0):
                cuts.append(self._cut(run, run.masks.prune(layers, count=min(s, run.masks.count)), [s]))
        elif run.unserved:
            goal = pruned_count(run.masks.count, recipe.prune_share)
            run.masks = run.masks.prune(layers, count=max(goal, run.unserved[0]) if recipe.lands else goal)
            cuts.append(self._cut(run, run.masks, run.take(run.masks.count)))
        return cuts

    def _keep_cuts(self, cuts: list[_Cut]) -> None:
        """Evaluate pruned networks, and fine-tune and store those that satisfy a requested sparsity."""
        recipe = self.recipe
        _, ratios = self._measure([cut.job for cut in cuts])
        for cut, ratio in zip(cuts, ratios, strict=True):
            history = cut.run.history
            if cut.masks is cut.run.masks or not cut.answers:
                cut.run.append(nonzeros=cut.masks.count, pruned_psnr_db=ratio)
                cut.history = {key: list(values) for key, values in history.items()}
            else:
                cut.history = {key: list(values) for key, values in history.items()}
                cut.history["nonzeros"].append(float(cut.masks.count))
                cut.history["pruned_psnr_db"].append(ratio)
            cut.history["fine_tuned_psnr_db"] = []
        cuts = [cut for cut in cuts if cut.answers]
        worth = [cut for cut in cuts if self._stop(cut.run) is None]
        if recipe.fine_tune and worth:
            tuned = []
            for cut in worth:
                # with its own row order, so that no result depends on what else was requested
                rng = np.random.default_rng([cut.run.entropy, cut.masks.count])
                tuned.append(Job(cut.job.problem, cut.job.weights, cut.job.keep, rng))
            steps = range(recipe.fine_tune)
            self.trainer.train(tuned, steps, lambda step: recipe.rate(step, len(steps), fine=True), self.asked.clock)
            before, _ = self._measure([cut.job for cut in worth])
            after, ratios = self._measure(tuned)
            for cut, job, old, new, ratio in zip(worth, tuned, before, after, ratios, strict=True):
                cut.n_iter = job.n_iter
                cut.history["fine_tuned_psnr_db"].append(ratio)
                if new < old:
                    cut.job = job
        for cut in cuts:
            fit = self._fit(cut)
            cut.run.fits.update(dict.fromkeys(cut.answers, fit))

    def _fit(self, cut: _Cut) -> NetworkFit:
        run, recipe = cut.run, self.recipe
        network, held = self._network(cut.job.weights, run.problem)
        status = self._stop(run) or Status.PRUNED
        status = status if held else Status.OUT_OF_RANGE
        total = sum(a * b for a, b in self.shapes.layers[: self.counted])
        message = (
            f"{status.value}; {cut.masks.count} of {total} weights are left after {len(cut.history['objective'])} "
            f"round(s) of {recipe.max_iter} updates"
        )
        ratio = self._psnr(network, run.problem)
        return NetworkFit(network, ratio, run.updates + cut.n_iter, status, message, cut.history)

    def _network(self, weights: Any, problem: int) -> tuple[ReLUNetwork, bool]:
        """Return a network in the caller's units without disconnected neurons, and whether it is in the dtype range."""
        xp, layers = self.xp, self.shapes.split(weights)
        if self.fused:
            layers[-2] = layers[-2] * xp.abs(layers[-1])[:, 0]
            layers[-1] = xp.sign(layers[-1])
        inputs, n_inputs = self.trainer.X, int(self.X.shape[1])
        layers, held = self.units[problem].restore(layers, self.scaled, inputs, self.columns[problem], n_inputs)
        alive = live_neurons([arrays.to_numpy(layer != 0) for layer in layers])
        for i, keep in enumerate(alive[1:-1]):
            places = xp.asarray(np.flatnonzero(keep))
            layers[i] = layers[i][:, places]
            layers[i + 1] = layers[i + 1][places]
        if self.scalar:
            layers[-1] = layers[-1][:, 0]
        return ReLUNetwork(layers), held

    def _magnitudes(self, run: _Run) -> list[Any]:
        """Return the magnitudes by which the counted layers' weights are ranked."""
        layers = self.shapes.split(run.trained)
        found = layers[: self.counted]
        if self.fused:
            output = layers[-1][:, 0]
            if self.counted > 1:
                # small output weights would rank this whole layer below the first one, and the first round would prune
                # it
                square = (output * output).mean()
                output = output / self.xp.sqrt(self.xp.where(square > 0, square, 1.0))
            found[-1] = found[-1] * output
        return found

    def _keep(self, masks: Masks) -> Any:
        rest = self.shapes.size - sum(a * b for a, b in masks.shapes)
        return self.xp.concatenate([masks.flat, self.xp.ones(rest, dtype=bool)]) if rest else masks.flat

    def _cut(self, run: _Run, masks: Masks, answers: list[int]) -> _Cut:
        keep = self._keep(masks)
        weights = self.xp.where(keep, run.trained, self.xp.zeros((), dtype=run.trained.dtype))
        return _Cut(run, masks, answers, Job(run.problem, weights, keep, run.rng))

    def _measure(self, jobs: list[Job]) -> tuple[list[float], list[float]]:
        """Return n times the mean losses, in the units of the training, and PSNRs (dB) on all rows."""
        xp, outputs = self.xp, self.trainer.outputs(jobs)
        values = self.trainer.losses(jobs, outputs).tolist()
        which = xp.asarray(np.array([job.problem for job in jobs]))
        shown = softmax(outputs) if self.loss == "cross_entropy" else outputs
        error = shown - self.columns[which]
        squares = arrays.to_numpy((error * error).mean(axis=(1, 2))).tolist()
        ratios = []
        for i, job in enumerate(jobs):
            ratios.append(psnr_of(squares[i], self.tops[job.problem]) if math.isfinite(squares[i]) else -math.inf)
        return values, ratios

    def _in_units(self, value: float, problem: int) -> float:
        """Return an objective in the caller's units, infinite if out of range."""
        unit = self.units[problem].targets.number
        return value * unit * unit  # ** would raise

    def _stop(self, run: _Run) -> Status | None:
        """Return why a run, or all runs, ended early."""
        return run.stop or self.asked.stop

    def _psnr(self, network: ReLUNetwork, problem: int) -> float:
        fitted = network(self.X)
        return psnr(softmax(fitted) if self.loss == "cross_entropy" else fitted, self.targets[problem])

    def _zero(self, run: _Run, status: Status) -> NetworkFit:
        widths = [self.shapes.layers[0][0], *[0] * (len(self.shapes.layers) - 1)]
        layers = [self.xp.zeros(pair, dtype=self.X.dtype) for pair in pairwise(widths)]
        last = (0,) if self.scalar else (0, self.shapes.layers[-1][1])
        network = ReLUNetwork([*layers, self.xp.zeros(last, dtype=self.X.dtype)])
        ratio = self._psnr(network, run.problem)
        return NetworkFit(network, ratio, 0, status, status.value, {key: [] for key in run.history})
