"""The robust method: a bank of neurons of both signs, least squares on the support, and redrawn generators."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base import arrays
from planted.networks import ReLUNetwork
from recovery.mlp.record import FitSettings, Found, Record
from recovery.mlp.training import Batches
from recovery.networks.gain import looks_like_noise
from recovery.networks.scalar.bank import Bank
from recovery.operators.arithmetic import column_means
from recovery.operators.gated import GatedOperator
from recovery.operators.thresholding import select_top
from recovery.solvers.base import Status
from recovery.solvers.least_squares import restricted_cgls

__all__ = ["DIRECT_COLUMNS", "fit_robust", "fit_support", "no_worse_than_zero", "positive_shares", "sign_counts"]


DIRECT_COLUMNS = 4000
"""Least squares on supports of more columns than this use CGLS on column blocks."""
SINGLE_DAMPING = 3e-5
"""From this damping on, the rounding error of a float32 Gram matrix is negligible, and float32 halves the time."""
CGLS_STEPS = 60
"""CGLS steps from the last iterate: an inexact step is enough while gates still move."""


def fit_support(A: GatedOperator, idx: Any, y: Any, start: Any, damping: float = 0.0, least: Any = None) -> Any:
    """Minimise |A_S v - y|^2 + damping * sum_k |a_k|^2 (v_k - start_k)^2 over v.

    Parameters
    ----------
    A : GatedOperator, shape (n, N)
        The operator.
    idx : array of int64, shape (k,)
        S.
    y : array, shape (n,)
        Data.
    start : array, shape (k,)
        Centre of the damping term, and starting point of CGLS.
    damping : float, default 0
        Relative to the squared column norms; keeps a step that sees few rows close to the last iterate.
    least : array, shape (k,), optional
        Lower bounds for the column norms used by the damping.

    Returns
    -------
    array, shape (k,)
        The minimiser; 0 on zero columns.

    Notes
    -----
    Normal equations with unit diagonal, a jitter of 1e3 machine epsilons against dependent columns, and
    two steps of iterative refinement with the true residual, which undo the loss of accuracy caused by the jitter and
    the squared condition number. The Gram matrix is summed over tiles of rows, so memory is O(k^2) and the columns are
    never stored together. For more than :data:`DIRECT_COLUMNS` columns, :data:`CGLS_STEPS` steps of CGLS are made
    instead; so few steps stay near `start` by themselves, and damping is omitted.
    """
    xp, dtype, k = A.xp, A.dtype, int(idx.shape[0])
    if k > DIRECT_COLUMNS:
        return restricted_cgls(A.support(idx), y, start, max_iter=CGLS_STEPS)[0]
    single = damping >= SINGLE_DAMPING and dtype == np.float64
    gram = A.gram(idx, np.float32 if single else None).astype(dtype)
    diagonal = xp.diag(gram)
    scale = xp.where(diagonal > 0, 1.0 / xp.sqrt(xp.where(diagonal > 0, diagonal, 1.0)), 0.0).astype(dtype)
    gram = gram * scale[:, None] * scale
    jitter = max(1e3 * float(np.finfo(dtype).eps), damping)
    extra: Any = jitter if least is None else jitter * xp.maximum(1.0, (least * scale) ** 2)
    # zero columns get a unit diagonal and a zero right-hand side, hence the value 0
    gram = gram + xp.diag(xp.where(diagonal > 0, extra, 1.0 + jitter).astype(dtype))
    full = xp.zeros(A.shape[1], dtype=dtype)
    values = start if damping else xp.zeros(k, dtype=dtype)
    for _ in range(1 if damping else 3):
        full[idx] = values
        residual = y - A.matvec(full)
        values = values + scale * xp.linalg.solve(gram, scale * A.rmatvec(residual)[idx])
    return xp.where(diagonal > 0, values, 0.0).astype(dtype)


def no_worse_than_zero(network: ReLUNetwork, batches: Batches, objective: float) -> ReLUNetwork:
    """Return the network, or t times it with t >= 0 if it fits badly and scaling lowers 1/2 |y - t f|^2.

    Parameters
    ----------
    network : ReLUNetwork
        The network f, of one output.
    batches : Batches
        The data of the fit; all rows are used.
    objective : float
        1/2 |y - f|^2 on all rows.

    Returns
    -------
    ReLUNetwork
        The same network, or one with its hidden weights multiplied by the best t; without neurons if t = 0.

    Notes
    -----
    If gates move after the last least-squares step, the fit can be worse than the zero network, t = 0; the best t rules
    that out.
    """
    if objective < 0.125 * float((batches.y * batches.y).sum()):
        return network
    fitted = network(batches.X)
    square, product = float((fitted * fitted).sum()), float((fitted * batches.y).sum())
    length = max(0.0, product / square) if square > 0 else 0.0
    residual = batches.y - length * fitted
    if 0.5 * float((residual * residual).sum()) >= objective:
        return network
    if length == 0.0:
        return ReLUNetwork([network.hidden[:, :0], network.output[:0]])
    return ReLUNetwork([network.hidden * length, network.output])


def sign_counts(X: Any, y: Any, rng: np.random.Generator) -> tuple[int, int]:
    """Estimate how many lines of positive and of negative strength a scalar target has.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs.
    y : array, shape (n,)
        Targets.
    rng : numpy.random.Generator
        Permutes the targets for the noise level.

    Returns
    -------
    positive, negative : int
        Numbers of eigenvalues above and below the range seen for permuted targets; (0, 0) if the inputs have no spread
        or no eigenvalue stands out.

    Notes
    -----
    For x ~ N(0, I) and f(x) = sum_l c_l |u_l . x| / 2 + b . x,
    E[f(x) (x x' - I)] = sum_l c_l u_l u_l' / sqrt(2 pi), so its eigenvalues have the signs of the strengths c_l,
    provided the lines are not too dependent (derived here, "Signature of a network" in ``docs/theory``). For
    other inputs, which are whitened first, it is a heuristic, used only to choose the signs of the neurons in the first
    start.
    """
    xp = arrays.namespace(X)
    n, d = int(X.shape[0]), int(X.shape[1])
    if n <= d:
        return 0, 0
    centred = X - column_means(X)
    spread, axes = xp.linalg.eigh(centred.T @ centred / n)
    keep = spread > 1e-10 * spread.max()
    scale = xp.where(keep, 1.0 / xp.sqrt(xp.where(keep, spread, 1.0)), 0.0)
    white = centred @ (axes * scale)
    target = y - y.mean()
    target = target - white @ (white.T @ target / n)

    def spectrum(values: Any) -> np.ndarray:
        return arrays.to_numpy(xp.linalg.eigvalsh((white.T * values) @ white / n))

    shuffled = target[xp.asarray(rng.permutation(n))]
    level = float(np.abs(spectrum(shuffled)).max())
    found = spectrum(target)
    return int((found > level).sum()), int((found < -level).sum())


def positive_shares(X: Any, y: Any, rng: np.random.Generator) -> list[float]:
    """Return the fractions of positive neurons in the bank to try, most likely first.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs.
    y : array, shape (n,)
        Targets.
    rng : numpy.random.Generator
        Permutes the targets for the noise level of :func:`sign_counts`.

    Returns
    -------
    list of float
        Fractions between 0 and 1: first the estimate from the signature, or 1/2 if it shows nothing.
    """
    positive, negative = sign_counts(X, y, rng)
    guess = 0.5
    if positive + negative:
        # with a margin of three tenths of the result's neurons on either side
        guess = (positive / (positive + negative) + 0.3) / 1.6
    return [guess, 0.5, 0.8, 0.2]


BANK = 2
"""Neurons in the search per neuron of the result."""
SURPLUS = 3.0
"""Weights in the search per weight of the result (at most a quarter of the way to all weights of the bank)."""
CONTRACTION = 10
"""Steps reserved for cutting back to the final size; half of all steps with batches, whose steps are noisy."""
PATIENCE, PATIENCE_SMALL, PATIENCE_NEAR = 15, 8, 3
"""Number of steps without progress after which the fit counts as stalled: in the search, at the final size, and for
either near an exact fit."""
ROUNDS = 3
"""A small iterate is regrown at most this often, and only while each time halves its squared residual."""
POLISH = 3
"""Largest number of steps on all rows at the end of a start on batches; they do not count as steps."""
PILOT, PILOT_SHARE = 5, 10
"""Steps of a trial with another width; it is made only if they are at most one in PILOT_SHARE of all steps."""
NARROWER = 0.5
"""The search continues with a single neuron if its trial leaves at most this fraction of the squared residual that all
neurons leave."""
NEAR, MERGE_BELOW = 1e-5, 1e-3
"""Relative residuals below which the search only polishes, and below which parallel neurons are merged."""
DAMPING, BATCH_DAMPING = 1e-2, 1e-1
"""Damping of least squares: on all rows, as a multiple of the relative residual; on a batch, as a fixed value."""


@dataclass(frozen=True)
class _Small:
    """A network of the requested size, and its 1/2 |r|^2 on all rows."""

    objective: float
    hidden: Any
    output: Any


def fit_robust(batches: Batches, settings: FitSettings, record: Record, rng: np.random.Generator) -> Found:
    """Fit sum_j v_j relu(x . u_j), v_j = +-1; see :func:`recovery.fit_network` for the arguments.

    Returns
    -------
    network, status, note
        The network of smallest residual over all starts.
    """
    search = _Search(batches, settings, record, rng)
    restarts, tol = settings.restarts, settings.tol
    shares = positive_shares(batches.X, batches.y, rng)
    best: _Small | None = None
    exact = rests = False
    for start in range(restarts + 1):
        record.start = start
        found = search.start(shares[start % len(shares)])
        again = best is not None and search.same(found, best)
        search.idle = search.idle or (best is not None and not search.gains(found, best))
        best = found if best is None or found.objective < best.objective else best
        exact = search.relative(best.objective) <= tol
        rests = again and looks_like_noise(batches.X, batches.y, ReLUNetwork([best.hidden, best.output]))
        if exact or rests or not record.left:
            break
    assert best is not None
    network = no_worse_than_zero(ReLUNetwork([best.hidden, best.output]), batches, best.objective)
    if exact:
        status = Status.CONVERGED
    elif record.stop is None and (rests or (search.idle and looks_like_noise(batches.X, batches.y, network))):
        status = Status.NO_GAIN
    else:
        status = record.stop or (Status.STALLED if record.left else Status.STEP_LIMIT)
    note = f"start {record.start + 1} of at most {restarts + 1}"
    return network, status, note


class _Search:
    """One fit: the data, the requested size, and the record of all its starts."""

    def __init__(self, batches: Batches, settings: FitSettings, record: Record, rng: np.random.Generator) -> None:
        (n_neurons,), gate_update = settings.widths, settings.gate_update
        self.batches, self.m, self.s, self.every = batches, n_neurons, settings.sparsity, gate_update
        self.record, self.rng, self.solver, self.tol = record, rng, settings.solver, settings.tol
        self.xp, self.d, self.dtype = batches.xp, batches.full.n_features, batches.full.dtype
        self.scale = float(self.xp.sqrt((batches.y * batches.y).sum()))
        self.base, self.y = batches.first()
        self.eps = 100 * float(np.finfo(self.dtype).eps)
        self.most = n_neurons
        self._set_width(n_neurons)
        # a trial on batches would compare losses on different rows
        enough = not batches.minibatch and PILOT_SHARE * PILOT <= record.left
        self.pilots = gate_update == 1 and n_neurons > 1 and enough
        self.settled = False
        self.idle = False  # whether the last search found nothing better than an earlier one
        # typical column norm of each input on a batch: an input that is mostly blank has a short column there, which
        # fits the few rows where it is not blank, and only damping in proportion to its usual norm keeps its weight
        # small
        share = int(self.y.shape[0]) / int(batches.X.shape[0])
        self.lengths: Any = self.xp.sqrt((batches.X * batches.X).sum(axis=0) * share) if batches.minibatch else None
        self.last = 0.5 * self.scale**2
        # while gates are fixed, weights can turn against their generators: then the sign follows the agreement
        self.moment = None if gate_update == 1 else batches.X.T @ batches.X

    def _set_width(self, n_neurons: int) -> None:
        """Search with `BANK * n_neurons` neurons, and cut back to as many as the result may have."""
        self.width, self.count = n_neurons, BANK * n_neurons
        self.m = min(self.count, self.most)
        room = self.s + max(0, self.count * self.d - self.s) // 4
        # at most half as many weights as rows: a search that interpolates learns nothing
        self.surplus = max(self.s, min(math.ceil(SURPLUS * self.s), room, int(self.y.shape[0]) // 2))

    def relative(self, objective: float) -> float:
        """Return |r| / |y| on all rows."""
        return math.sqrt(2 * objective) / self.scale

    def same(self, one: _Small, other: _Small) -> bool:
        """Return whether two starts ended in one network: f_1 and f_2 differ by less than one weight gains from noise.

        If the residual r is noise, an irrelevant weight explains |r|^2 / n of it on average. Starts are independent, so
        if two of them agree, the search is unlikely to find anything better.
        """
        first, second = (ReLUNetwork([small.hidden, small.output])(self.batches.X) for small in (one, other))
        gap = float(((first - second) ** 2).sum())
        return gap * int(first.shape[0]) <= 2.0 * min(one.objective, other.objective)

    def gains(self, found: _Small, best: _Small) -> bool:
        """Return whether one network fits better than another by more than one weight gains from noise, |r|^2 / n."""
        return found.objective < best.objective * (1.0 - 1.0 / int(self.batches.y.shape[0]))

    def start(self, positive_share: float) -> _Small:
        """Search, cut back, and regrow from the small network as long as that helps."""
        bank = self._choose_width(positive_share) if self.pilots else self._bank(positive_share)
        signs = arrays.to_numpy(bank.signs)
        best: _Small | None = None
        for _ in range(ROUNDS):
            self.settled = False
            self._search(bank)
            found = self._contract(bank)
            self.idle = self.idle or (best is not None and not self.gains(found, best))
            pays = best is None or found.objective < 0.5 * best.objective
            best = found if best is None or found.objective < best.objective else best
            if not pays or not self.record.left or self.relative(best.objective) <= self.tol:
                break
            if self.every is None or self.batches.minibatch:
                break
            bank = self._grow(best, signs)
        assert best is not None
        if self.width < self.most:  # the next start has more neurons
            self._set_width(min(2 * self.width, self.most))
        return self._polish(best) if self.batches.minibatch else best

    def _bank(self, positive_share: float) -> Bank:
        """Return a bank without weights."""
        self.last = 0.5 * self.scale**2
        positive = round(positive_share * self.count)
        if self.count > 2:
            positive = min(self.count - 1, max(1, positive))
        signs = np.where(np.arange(self.count) < positive, 1.0, -1.0)
        return Bank(self.base, self.y, self._draw(self.count), self.xp.asarray(signs, dtype=self.dtype))

    def _choose_width(self, positive_share: float) -> Bank:
        """Try all neurons, and one; if one fits much better, keep doubling the number while the fit improves."""
        self.pilots = False
        width = self.most
        bank, objective = self._pilot(width, positive_share)
        last, trial, bound = self.last, 1, NARROWER * objective
        while trial < self.most and self.record.left > PILOT and self.relative(objective) > self.tol:
            other, found = self._pilot(trial, positive_share)
            if not found < bound:
                break
            bank, width, bound, objective, last = other, trial, found, found, self.last
            trial *= 2
        self._set_width(width)
        self.last = last
        return bank

    def _pilot(self, width: int, positive_share: float) -> tuple[Bank, float]:
        """Return a bank after its first steps, and the smallest objective among them."""
        self._set_width(width)
        bank, best = self._bank(positive_share), math.inf
        for _ in range(PILOT):
            best = min(best, self._step(bank, min(self.surplus, bank.A.shape[1]), redraw=True))
            if not self.record.left or self.relative(best) < self.eps:
                break
        return bank, best

    def _polish(self, small: _Small) -> _Small:
        """After batches, make a few steps on all rows as long as they lower the residual."""
        if int(small.hidden.shape[1]) == 0:
            return small
        bank = Bank(
            self.batches.full, self.batches.y, small.hidden, small.output, (small.hidden * small.output).T.ravel()
        )
        bank.support = self.xp.flatnonzero(bank.weights)
        for _ in range(POLISH):
            self.last = small.objective
            bank.set_weights(*self._linear_step(bank, min(self.s, bank.A.shape[1]), on_batch=False))
            bank.move_gates(bank.generators)
            found = self._small(bank, math.inf)
            if not found.objective < small.objective:
                break
            small = found
        return small

    def _search(self, bank: Bank) -> None:
        """Make steps with the full bank until it fits, makes no more progress, or few steps are left."""
        left = self.record.left
        settling = left // 2 if self.batches.minibatch else min(CONTRACTION, max(1, left // 3))
        limit = left - settling
        best, gained = math.inf, 0
        for made in range(1, limit + 1):
            objective = self._step(bank, min(self.surplus, bank.A.shape[1]), redraw=True)
            if objective < 0.98 * best:
                best, gained = objective, made
            relative = self.relative(objective)
            if not self.record.left or relative < self.eps or self.settled:
                return
            patience = PATIENCE_NEAR if relative < NEAR else PATIENCE
            if not self.batches.minibatch and made - gained >= patience * (self.every or 1):
                return

    def _contract(self, bank: Bank) -> _Small:
        """Cut back to m neurons and s weights, at once near an exact fit, else in geometric steps; then settle."""
        rounds, width = max(1, min(6, self.record.left - 2)), bank.size
        self.settled = False  # it was a larger iterate that had settled
        if self.relative(self.last) < MERGE_BELOW and not self.batches.minibatch and self.every is not None:
            bank.merge(self.base, self.m, self.s)
            rounds = 1
        best: _Small | None = None
        step = since = 0
        while best is None or self.record.left:
            step += 1
            part = min(1.0, step / rounds)
            bank.keep_strongest(max(self.m, round(width ** (1 - part) * self.m**part)))
            size = round(self.surplus ** (1 - part) * self.s**part)
            objective = self._step(bank, min(size, bank.A.shape[1]), redraw=False)
            if part < 1:
                continue
            found = self._small(bank, objective)
            since = 0 if best is None or found.objective < 0.98 * best.objective else since + 1
            best = found if best is None or found.objective < best.objective else best
            relative = self.relative(best.objective)
            if relative < self.eps or self.settled:
                break
            patience = PATIENCE_NEAR if relative < NEAR else PATIENCE_SMALL
            if not self.batches.minibatch and since >= patience * (self.every or 1):
                break
        return best

    def _grow(self, small: _Small, signs: np.ndarray) -> Bank:
        """Return a full bank that contains a small network and new neurons."""
        xp, extra = self.xp, self.count - int(small.hidden.shape[1])
        fresh = xp.asarray(self.rng.permutation(signs)[:extra], dtype=self.dtype)
        weights = xp.zeros((self.count, self.d), dtype=self.dtype)
        weights[: self.count - extra] = (small.hidden * small.output).T
        generators = xp.concatenate([small.hidden, self._draw(extra)], axis=1)
        return Bank(self.base, self.y, generators, xp.concatenate([small.output, fresh]), weights.ravel())

    def _step(self, bank: Bank, size: int, *, redraw: bool) -> float:
        """Select `size` weights, fit them, move the gates when due, and record the step."""
        xp = self.xp
        if self.batches.minibatch and self.record.made:
            self.base, self.y = self.batches.next()
            bank.show(self.base, self.y)
        before, dropped = bank.support, bank.dropped
        bank.set_weights(*self._linear_step(bank, size, self.batches.minibatch))
        picked = bank.support
        # number of weights that entered or, if the support shrank, that left; including those removed with their
        # neurons
        stayed: Any = 0 if before is None else xp.isin(picked, before).sum()
        change = max(int(picked.shape[0]), dropped + (0 if before is None else int(before.shape[0]))) - stayed
        carries = (bank.rows != 0).any(axis=1).sum()
        if self.moment is not None:
            bank.orient(self.moment)
        if self.every is not None and (self.record.made + 1) % self.every == 0:
            flips: Any = bank.move_gates(self._draw(bank.size) if redraw else bank.generators)
            shown = bank.residual
        else:
            flips, bank.residual = 0, bank.y - bank.A.matvec(bank.weights)
            shown = bank.y - bank.A.regate(bank.hidden).matvec(bank.weights)
        self.last = self.record.add(
            shown,
            self.batches.peak,
            support_change=change,
            gate_change=flips,
            nonzeros=int(picked.shape[0]),
            neurons=carries,
        )
        return self.last

    def _linear_step(self, bank: Bank, size: int, on_batch: bool) -> tuple[Any, Any]:
        """Return `size` columns and their values for the current gates: one HTP step, or the result of a solver."""
        xp, A = self.xp, bank.A
        if self.solver is not None:
            from recovery.solvers.solve import solve, solver_class

            found = solve(A, bank.y, size, solver_class(self.solver)(), x0=bank.weights)
            self.settled = self.every is None
            return found.support, found.values
        norms = A.column_norms()
        safe = xp.where(norms > 0, norms, 1.0)
        move = A.rmatvec(bank.residual) / safe
        if bank.support is not None:
            # the step of NIHT on unit columns, |g_S|^2 / |A_S g_S|^2: coherent inputs (pixels) need a small one
            inside = xp.zeros(A.shape[1], dtype=self.dtype)
            inside[bank.support] = move[bank.support] / safe[bank.support]
            image, gradient = A.matvec(inside), move[bank.support]
            square, curvature = (gradient * gradient).sum(), (image * image).sum()
            # 0/0 if least squares on this support are already solved: then a unit step is as good as any
            solved = curvature <= float(np.finfo(self.dtype).tiny)
            move = move * xp.where(solved, 1.0, square / xp.where(solved, 1.0, curvature))
        picked = select_top(norms * bank.weights + move, size)
        if on_batch:
            least = self.lengths[picked % self.d]
            return picked, fit_support(A, picked, bank.y, bank.weights[picked], BATCH_DAMPING, least)
        # while gates are fixed, a support that recurs means a fixed point or a cycle: stay until they move
        key = arrays.to_numpy(picked).tobytes()
        if key in bank.seen:
            self.settled = self.every is None
            return bank.support, bank.weights[bank.support]
        bank.seen.add(key)
        damping = DAMPING * min(1.0, self.relative(self.last)) if self.every is not None else 0.0
        return picked, fit_support(A, picked, bank.y, bank.weights[picked], damping)

    def _small(self, bank: Bank, objective: float) -> _Small:
        keep = self.xp.flatnonzero((bank.rows != 0).any(axis=1))
        hidden, output = bank.hidden[:, keep], bank.signs[keep]
        if self.batches.minibatch:
            residual = self.batches.y - ReLUNetwork([hidden, output])(self.batches.X)
            objective = 0.5 * float((residual * residual).sum())
        return _Small(objective, hidden, output)

    def _draw(self, count: int) -> Any:
        return self.xp.asarray(self.rng.standard_normal((self.d, count)), dtype=self.dtype)
