"""A local search for an instance that contradicts a guarantee."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from planted.base import arrays
from planted.base.checks import check_integer, check_number
from planted.base.progress import Bar, Progress, bar, check_progress
from recovery.guarantees.engine.base import BadGuarantee, Guarantee, Verdict, check_guarantee, origin
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.engine.sampling import steer
from recovery.guarantees.engine.tally import CONFIDENCE, AtSparsity, AttackResult, afresh, contradicts, failing_draw
from recovery.operators.gated import GatedOperator

__all__ = [
    "CHANGES",
    "EVALUATIONS",
    "GATED_CHANGES",
    "Arrays",
    "Change",
    "Rng",
    "attack",
    "copy_entry",
    "follow",
    "move",
    "no_entry",
    "of_matrix",
    "perturb",
    "size",
    "step",
    "two",
]


Rng = np.random.Generator
Arrays = dict[str, np.ndarray]
Change = Callable[[Arrays, Rng], None]


def step(rng: Rng) -> float:
    """Draw the relative size of a change, log-uniform in 1e-3 to 1."""
    return float(10.0 ** rng.uniform(-3.0, 0.0))


def size(values: np.ndarray) -> float:
    """Return the root mean square, or 1 if all entries are 0."""
    return math.sqrt(float(np.mean(values * values))) or 1.0


def two(count: int, rng: Rng) -> tuple[int, int]:
    """Return two indices, different ones if possible."""
    first = int(rng.integers(count))
    return first, (first + 1 + int(rng.integers(max(count - 1, 1)))) % count


def perturb(name: str) -> Change:
    """Return the change that adds Gaussian numbers to all entries, or to one; zeros of x, and most of x0, are kept."""

    def change(parts: Arrays, rng: Rng) -> None:
        values = parts[name]
        # a sparse start mostly stays sparse
        sparse = name == "x" or (name == "x0" and rng.random() < 0.75)
        mask = values != 0.0 if sparse else np.ones(values.shape, dtype=bool)
        if rng.random() < 0.5:  # one entry alone
            places = np.flatnonzero(mask)
            if places.size == 0:
                return
            mask = np.zeros(values.shape, dtype=bool)
            mask.flat[int(places[int(rng.integers(places.size))])] = True
        values[mask] += step(rng) * size(values) * rng.standard_normal(int(mask.sum()))

    return change


def copy_entry(name: str) -> Change:
    """Return the change that makes an entry equal to another, or to its negative; zeros of x are kept."""

    def change(parts: Arrays, rng: Rng) -> None:
        flat = parts[name].reshape(-1)
        places = np.flatnonzero(flat) if name == "x" else np.arange(flat.size)
        if places.size:
            first, second = two(places.size, rng)
            flat[places[first]] = flat[places[second]] * (1.0 if rng.random() < 0.5 else -1.0)

    return change


def no_entry(name: str) -> Change:
    """Return the change that makes an entry 0."""

    def change(parts: Arrays, rng: Rng) -> None:
        flat = parts[name].reshape(-1)
        flat[int(rng.integers(flat.size))] = 0.0

    return change


def of_matrix(name: str) -> tuple[Change, ...]:
    """Return the changes of a matrix: of entries, of columns, and of pairs of rows."""

    def scale_column(parts: Arrays, rng: Rng) -> None:
        A = parts[name]
        A[:, int(rng.integers(A.shape[1]))] *= math.exp(step(rng) * rng.standard_normal())

    def lean_column(parts: Arrays, rng: Rng) -> None:
        A = parts[name]
        first, second = two(A.shape[1], rng)
        A[:, first] += step(rng) * (rng.choice([-1.0, 1.0]) * A[:, second] - A[:, first])

    def rotate_rows(parts: Arrays, rng: Rng) -> None:
        """Rotate two rows: the Gram matrix is kept, but the noise has another direction relative to the columns."""
        A = parts[name]
        first, second = two(A.shape[0], rng)
        if first != second:
            angle = math.pi * step(rng)
            c, s = math.cos(angle), math.sin(angle)
            A[[first, second]] = np.array([[c, -s], [s, c]]) @ A[[first, second]]

    def swap_columns(parts: Arrays, rng: Rng) -> None:
        A = parts[name]
        first, second = two(A.shape[1], rng)
        A[:, [first, second]] = A[:, [second, first]]

    entries = (perturb(name), perturb(name), copy_entry(name), no_entry(name))
    return (*entries, scale_column, lean_column, rotate_rows, swap_columns)


def _stretch(parts: Arrays, rng: Rng) -> None:
    """Move all eigenvalues of the Gram matrix away from or towards their mean, by a common factor."""
    A = parts["A"]
    spectrum, basis = np.linalg.eigh(A.T @ A)
    mean = float(spectrum.mean())
    moved = mean + math.exp(step(rng) * rng.standard_normal()) * (spectrum - mean)
    there = spectrum > 1e-12 * spectrum[-1]
    factors = np.sqrt(np.maximum(moved[there], 0.0) / spectrum[there])
    A[:] = (A @ basis[:, there] * factors) @ basis[:, there].T


def _stationary_start(parts: Arrays, rng: Rng) -> None:
    """Start from least squares on s columns, most of them outside the support of x, like a wrong fixed point."""
    A, x, x0 = parts["A"], parts["x"], parts["x0"]
    count = int(np.count_nonzero(x0)) or int(np.count_nonzero(x))
    order = np.argsort((x != 0.0) + 1.5 * rng.random(len(x)))
    chosen = order[:count]
    x0[:] = 0.0
    x0[chosen] = np.linalg.lstsq(A[:, chosen], A @ x)[0]


def _noise_along_column(parts: Arrays, rng: Rng) -> None:
    A, noise = parts["A"], parts["noise"]
    column = A[:, int(rng.integers(A.shape[1]))]
    noise += step(rng) * rng.standard_normal() * size(noise) / size(column) * column


def _noise_in_range(parts: Arrays, rng: Rng) -> None:
    """Move the noise towards the range of A: the rest does not affect least squares, only hypotheses on |noise|."""
    Q, _ = np.linalg.qr(parts["A"])
    parts["noise"] += step(rng) * (Q @ (Q.T @ parts["noise"]) - parts["noise"])


CHANGES: dict[str, tuple[Change, ...]] = {
    "A": (*of_matrix("A"), _stretch),
    "x": (perturb("x"), copy_entry("x")),
    "noise": (perturb("noise"), perturb("noise"), copy_entry("noise"), _noise_along_column, _noise_in_range),
    "x0": (perturb("x0"), copy_entry("x0"), no_entry("x0"), _stationary_start),
}


def _scale_row(parts: Arrays, rng: Rng) -> None:
    X = parts["X"]
    X[int(rng.integers(X.shape[0]))] *= math.exp(3.0 * step(rng) * rng.standard_normal())


def _blank_row(parts: Arrays, rng: Rng) -> None:
    """Set a sample to 0, or to 0 on the inputs of one neuron, whose activation is then exactly 0."""
    X, neurons = parts["X"], _neurons(parts)
    row, gate = int(rng.integers(X.shape[0])), int(rng.integers(neurons.shape[1]))
    X[row, neurons[:, gate] != 0.0 if rng.random() < 0.5 else slice(None)] = 0.0


def _flip_bits(parts: Arrays, rng: Rng) -> None:
    """Flip one bit, or each bit of a gate with small probability."""
    gates = parts["gates"]
    gate = int(rng.integers(gates.shape[1]))
    if rng.random() < 0.5:
        row = int(rng.integers(gates.shape[0]))
        gates[row, gate] = not gates[row, gate]
    else:
        gates[:, gate] ^= rng.random(gates.shape[0]) < step(rng)


def _copy_gate(parts: Arrays, rng: Rng) -> None:
    """Make a gate equal to another one or its complement."""
    gates = parts["gates"]
    first, second = two(gates.shape[1], rng)
    gates[:, first] = gates[:, second] ^ (rng.random() < 0.5)


def _swap_gates(parts: Arrays, rng: Rng) -> None:
    gates = parts["gates"]
    first, second = two(gates.shape[1], rng)
    gates[:, [first, second]] = gates[:, [second, first]]


def _open_gate(parts: Arrays, rng: Rng) -> None:
    parts["gates"][:, int(rng.integers(parts["gates"].shape[1]))] = True


def _random_generator(parts: Arrays, rng: Rng) -> None:
    """Replace a gate by that of a sparse or dense random generator."""
    X, gates = parts["X"], parts["gates"]
    h = rng.standard_normal(X.shape[1]) * (rng.random(X.shape[1]) < rng.choice([0.3, 1.0]))
    gates[:, int(rng.integers(gates.shape[1]))] = X @ h >= 0.0


def _near_generator(parts: Arrays, rng: Rng) -> None:
    """Replace a gate by that of a generator near plus or minus a planted neuron."""
    X, gates, neurons = parts["X"], parts["gates"], _neurons(parts)
    live = np.flatnonzero(neurons.any(axis=0))
    if live.size:
        u = neurons[:, int(rng.choice(live))]
        h = rng.choice([-1.0, 1.0]) * u + step(rng) * float(np.linalg.norm(u)) * rng.standard_normal(u.shape)
        gates[:, int(rng.integers(gates.shape[1]))] = X @ h >= 0.0


def _scale_neuron(parts: Arrays, rng: Rng) -> None:
    neurons = _neurons(parts)
    neurons[:, int(rng.integers(neurons.shape[1]))] *= rng.choice([-1.0, 1.0]) * math.exp(
        step(rng) * rng.standard_normal()
    )


def _level_neuron(parts: Arrays, rng: Rng) -> None:
    """Make the non-zero weights of a neuron equal, as with binary hidden weights."""
    neurons = _neurons(parts)
    u = neurons[:, int(rng.integers(neurons.shape[1]))]
    places = np.flatnonzero(u)
    if places.size:
        u[places] = u[places[0]]


def _neurons(parts: Arrays) -> np.ndarray:
    """Return x as a (d, p) view, with one planted neuron per column."""
    return parts["x"].reshape(parts["gates"].shape[1], -1).T


GATED_CHANGES: dict[str, tuple[Change, ...]] = {
    "X": (*of_matrix("X"), _scale_row, _blank_row),
    "gates": (
        *(_flip_bits, _flip_bits, _copy_gate, _swap_gates),
        *(_open_gate, _random_generator, _random_generator, _near_generator),
    ),
    **{name: CHANGES[name] for name in ("x", "noise", "x0")},
    "neurons": (_scale_neuron, _level_neuron),
}


def move(instance: Instance, rng: Rng, *, fixed_noise: bool = False, options: tuple[str, ...] = ()) -> Instance:
    """Return a changed copy of an instance with the same number of non-zeros.

    Parameters
    ----------
    instance : Instance
        With x and noise.
    rng : numpy.random.Generator
        Source of randomness.
    fixed_noise : bool, default False
        Keep the noise and its law; otherwise noise that changes loses its law. Zero noise stays 0.
    options : tuple of str
        Options that may be scaled, if they are floats.

    Returns
    -------
    Instance
        One to three changes: entries, columns and rows of A, entries of x, of the noise and of x0, all on
        scales from 1e-3 of an entry up to its size, and entries made equal to others. A gated operator stays gated: X,
        single bits, whole gates and planted neurons change. In half of the moves a gate that was the pattern of plus or
        minus its own planted neuron follows that neuron.
    """
    gated = instance.gated
    parts: Arrays = {"x": np.array(instance.x), "A": np.array(instance.matrix)}
    if gated is not None:
        parts.update(zip(("X", "gates"), (np.array(part) for part in gated), strict=True))
    if not fixed_noise and np.any(instance.noise):  # a noiseless statement stays noiseless
        parts["noise"] = np.array(instance.noise)
    if instance.x0 is not None:
        parts["x0"] = np.array(instance.x0)
    before = {name: np.array(value) for name, value in parts.items()}
    table = CHANGES if gated is None else GATED_CHANGES
    names = [name for name in table if name in parts or name == "neurons"]
    for _ in range(int(rng.integers(1, 4))):
        changes = table[names[int(rng.integers(len(names)))]]
        changes[int(rng.integers(len(changes)))](parts, rng)
    if gated is not None and rng.random() < 0.5:
        follow(parts, before)
    changed: dict[str, object] = {
        name: value for name, value in parts.items() if not np.array_equal(value, before[name])
    }
    if changed.keys() & {"X", "gates"}:
        changed = {name: value for name, value in changed.items() if name not in ("X", "gates")}
        changed["A"] = GatedOperator(parts["X"], parts["gates"])
    law = None if "noise" in changed else instance.law
    return instance.replace(**changed, law=law, options=_scaled(instance.options, options, rng))


def follow(parts: Arrays, before: Arrays) -> None:
    """Update each gate that was 1{X w_j >= 0} or 1{-X w_j >= 0} to the current X and w_j.

    Parameters
    ----------
    parts : dict of array
        X, x and gates; the gates are modified.
    before : dict of array
        The same arrays before the change.
    """
    p = parts["gates"].shape[1]
    old, new = (there["X"] @ there["x"].reshape(p, -1).T for there in (before, parts))
    live = parts["x"].reshape(p, -1).any(axis=1)
    for sign in (1.0, -1.0):
        own = live & ((sign * old >= 0.0) == before["gates"]).all(axis=0)
        parts["gates"][:, own] = sign * new[:, own] >= 0.0


def _scaled(options: Mapping[str, object], names: tuple[str, ...], rng: Rng) -> dict[str, object]:
    found = dict(options)
    for name in names:
        value = found.get(name)
        if isinstance(value, float) and math.isfinite(value) and rng.random() < 0.25:
            found[name] = value * math.exp(step(rng) * rng.standard_normal())
    return found


EVALUATIONS = 10_000
"""Default number of instances that an attack tries."""

_PATIENCE = 150
_PROGRESS = 1e-2  # a descent with less progress than this is abandoned, and the next one starts elsewhere
_PLAIN = 0.25  # share of the instances that are draws of the sampler, judged as they are
_FIRST = 25  # as many of them come first, unless each draw can be steered to where a descent starts
_FEW = 5  # draws for a descent, where they can be steered
_SHORT, _TURN = 50, 500  # instances of the turn of a descent: fewer where other sparsities had fewer tests
_POOL = 25  # starts kept for each number of non-zeros
_USES = 4  # descents from one start
_SHOWN = 6  # numbers of non-zeros in a message
_REDRAWS = 40
_REJECTED = (ValueError, ArithmeticError, np.linalg.LinAlgError)  # a change that does not give a valid instance


def attack(
    guarantee: Guarantee,
    *,
    evaluations: int = EVALUATIONS,
    seconds: float | None = None,
    rng: Any = None,
    confidence: float = CONFIDENCE,
    progress: Progress = False,
) -> AttackResult:
    """Search for an instance that contradicts a guarantee.

    Parameters
    ----------
    guarantee : Guarantee
        A guarantee with a sampler.
    evaluations : int, default 10,000
        Largest number of instances to try. One evaluation is one instance: its hypotheses are checked, at up to a dozen
        scales until they just hold, and then its conclusion. For a probability each draw of the noise counts as one,
        and an instance whose hypotheses hold costs 40.
    seconds : float, optional
        Time limit. With a limit the result depends on the machine and its load.
    rng : int, numpy.random.SeedSequence, Generator or None
        Source of randomness. The same seed and number of evaluations give the same result, whatever the load of the
        machine.
    confidence : float, default 1 - 1e-6
        Level at which a failure rate counts as too large, for a probability.
    progress : bool or callable, default False
        True shows a progress bar (needs tqdm); a function is called as ``progress(done, total)`` with the number of
        instances tried and `evaluations`. The last call has ``done == total``.

    Returns
    -------
    AttackResult
        The result. Its ``status`` says whether the guarantee was broken (``instance`` was judged again from scratch),
        survived, or was never tested, and its counts say how often it was tested.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or the guarantee has no sampler. An exception of the guarantee's own code ends the
        attack and is passed on. ValueError, ArithmeticError and LinAlgError are the exception, since a changed instance
        may be one that the code has to refuse: they are counted, and the message says how often they were raised,
        where, and on which instance first. If they are raised on every instance, the first of them is passed on.

    Notes
    -----
    A quarter of the instances are draws of the sampler, judged as they are. The others are descents. A descent starts
    from a drawn instance whose hypotheses just hold (scaled to a margin of 1e-6 to 0.05; if they cannot be steered, a
    draw on which they hold), and descends on the margin of the conclusion: a random change (``move`` of this module),
    noise or signal scaled back to the same margin, kept if the hypotheses hold and the conclusion is no further from
    failing. It ends after 150 changes that gain less than 1 %. An equivalence is attacked from both sides of its
    boundary. For a probability the search increases the fraction of failures over 40 draws of the noise, and confirms
    it on fresh draws, which are not counted.

    A statement may be tight and true for one sparsity, and false for another: the margin then falls for ever where
    there is nothing to find. So two in three turns go to the number of non-zeros at which the fewest conclusions were
    decided, among those with a descent that waits or a drawn instance to start from; half of the new ones of these also
    start at the shape at which the fewest were. In the third turn the descent starts at the instance nearest to
    failing, or the longest queue goes on. A drawn instance is the start of at most four descents. A turn is 500
    instances, and a descent that is not over then waits. It is interrupted after 50 where another number of non-zeros
    is behind: where the conclusions decided, twice and 150 more, are fewer.

    Changes keep the number of non-zeros. A number for which the sampler draws nothing that satisfies the hypotheses is
    therefore not searched: ``by_sparsity`` of the result shows it.

    A conclusion with an infinite margin, such as ``Verdict.of(truth, reason)`` gives it, does not say how near it is to
    failing. The search then walks at random, towards the boundary of the hypotheses, and the message says so.

    Examples
    --------
    >>> from recovery.guarantees import attack, catalogue
    >>> guarantee = next(one for one in catalogue("linear") if one.name == "omp-coherence")
    >>> print(attack(guarantee, evaluations=100, rng=0).status)
    survived
    """
    evaluations = check_integer(evaluations, "evaluations", minimum=0)
    seconds = None if seconds is None else check_number(seconds, "seconds", minimum=0.0)
    confidence = check_number(confidence, "confidence", minimum=0.0, maximum=1.0)
    check_progress(progress)
    check_guarantee(guarantee)
    if guarantee.sampler is None:
        raise ValueError(f"guarantee={guarantee.name!r} has no sampler; expected a guarantee that can draw instances")
    seed = None
    if rng is None:
        rng = int(np.random.default_rng().integers(2**63))
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool):
        seed = int(rng)
    search = _Search(guarantee, arrays.generator(rng), evaluations, seconds, confidence)
    # intermediate overflow is expected
    with np.errstate(all="ignore"), bar(progress, evaluations, user="attack", unit="instance") as search.shown:
        found = None
        try:
            while found is None and not search.over:
                found = search.proceed()
            search.shown.at(search.tried)
            return search.result(found, seed)
        except Exception as error:
            again = "" if seed is None else f"; the seed {seed} reproduces it"
            error.add_note(f"in the attack on {guarantee.name!r}, at instance {search.tried:,}{again}")
            raise


class _Descent:
    """Where a descent stands: its instance, how far from a contradiction, and how long without progress."""

    def __init__(self, target: float | None, cost: _Cost, here: Instance, seen: _Seen) -> None:
        self.target, self.cost = target, cost
        self.idle, self.spent, self.confirmed = 0, 0, math.inf
        self.take(here, seen)
        self.goal = self.next_goal()

    def take(self, here: Instance, seen: _Seen) -> None:
        self.here, self.best, self.side, self.seen = here, seen.value, seen.side, seen

    def next_goal(self) -> float:
        """Return the distance from a contradiction that counts as progress."""
        return self.best - _PROGRESS * abs(self.best) if math.isfinite(self.best) else self.best

    def accepts(self, seen: _Seen) -> bool:
        """Whether to go there: no further from a contradiction, or nearer to the boundary if nobody knows how far."""
        if seen.value == self.best == math.inf:
            return seen.side <= self.side
        return seen.value <= self.best


class _Start:
    """A drawn instance on the right side of the boundary, from which descents can start."""

    def __init__(self, way: _Descent) -> None:
        self.way, self.used = way, 0

    def order(self) -> tuple[int, float, float]:
        """Return the key of the next one: used least, then nearest to failing, then nearest to the boundary."""
        return self.used, self.way.best, self.way.side


class _Search:
    """Plain draws and descents, with counts of the instances tried.

    The descents that can be begun or continued are kept per number of non-zeros, so that each number gets its share of
    tests even if the sampler seldom draws an instance of it on which the hypotheses hold.
    """

    def __init__(
        self,
        guarantee: Guarantee,
        rng: np.random.Generator,
        evaluations: int,
        seconds: float | None,
        confidence: float,
    ) -> None:
        self.guarantee, self.rng, self.confidence = guarantee, rng, confidence
        self.limit, self.seconds = evaluations, seconds
        self.deadline = math.inf if seconds is None else time.monotonic() + seconds
        self.tried = self.plain = self.held = self.decided = self.errors = 0
        self.shown = Bar()
        self.each = 1 if guarantee.delta is None else _REDRAWS
        self.best = math.inf
        self.nearest: Instance | None = None
        self.error: Exception | None = None
        self.error_at = 0
        self.raised_on: Instance | None = None
        self.obstacle = self.silence = ""  # why the last instance, and the last whose hypotheses held, was not tested
        self.begun = 0
        self.starts: defaultdict[tuple[str, int], list[_Start]] = defaultdict(list)  # per side and number of non-zeros
        self.waiting: defaultdict[int, deque[_Descent]] = defaultdict(deque)
        self.turns: Counter[int] = Counter()
        self.asked: Counter[Any] = Counter()  # decided conclusions per number of non-zeros, and per that and the shape
        self.at: dict[int, AtSparsity] = {}

    @property
    def over(self) -> bool:
        """Whether the budget is exhausted."""
        if self.tried + self.each > self.limit:
            return True
        return self.seconds is not None and time.monotonic() >= self.deadline

    def proceed(self) -> Instance | None:
        """Judge a plain draw if it is time for one, and otherwise give a descent its turn."""
        if self._draws_next():
            return self._draw()
        way = self._next()
        if way is None:
            return None if self.over else self._draw()
        return self._follow(way)

    def _draws_next(self) -> bool:
        """Whether the next instance is a plain draw, so that these get their share."""
        return self.plain < max(_PLAIN * self.tried, _FIRST if self.guarantee.steer is None else 0)

    def _draw(self) -> Instance | None:
        """Judge an instance as the sampler draws it; keep it as a start unless it is a contradiction."""
        before = self.tried
        way = self._begin(None, self._cost(""))
        self.plain += self.tried - before
        if way is None:
            return None
        if way.best < 0.0:
            return self._confirmed(way)
        self._keep(way)
        return None

    def _cost(self, side: str) -> _Cost:
        return _Cost(self.guarantee, side, int(self.rng.integers(2**31)))

    def _begin(self, target: float | None, cost: _Cost) -> _Descent | None:
        """Draw an instance, steered to a target if there is one; None on the wrong side of the boundary."""
        made = self._evaluate(lambda: self.guarantee.drawn(self.rng), target, cost, drawn=True)
        return None if made is None or math.isnan(made[1].value) else _Descent(target, cost, *made)

    def _keep(self, way: _Descent) -> None:
        if way.here.x is None or way.here.noise is None:  # nothing to change
            return
        pool = self.starts[way.seen.on, _stratum(way.here)[0]]
        pool.append(_Start(way))
        if len(pool) > _POOL:
            del pool[0]

    def _next(self) -> _Descent | None:
        """Return the descent whose turn it is: one that begins, or one that waits; None if there is neither.

        Two in three times it is one at the number of non-zeros at which the fewest conclusions were decided; half of
        those that begin start at the shape at which the fewest were.
        """
        turn, self.begun = self.begun % 3, self.begun + 1
        two_sided = self.guarantee.kind == "equivalence" and self.rng.random() < 0.5
        side = "fails" if two_sided else "holds"
        if self.guarantee.steer is not None:
            for _ in range(_FEW if turn and self.guarantee.delta is None else 1):
                way = self._begin(self._target(side), self._cost(side))
                if way is not None and way.best < 0.0:
                    return way
                if way is not None:
                    self._keep(way)
                if self.over:
                    return None
        there = {k for (of, k), pool in self.starts.items() if pool and of == side}
        there |= {k for k, queue in self.waiting.items() if queue}
        if not there:
            return None
        if turn:
            there = {min(sorted(there), key=lambda k: self.asked[k])}
        starts = [one for k in sorted(there) for one in self.starts[side, k]]
        queues = [self.waiting[k] for k in sorted(there) if self.waiting[k]]
        which = min(there) if turn else -1
        self.turns[which] += 1
        cut_short = bool(turn) and any(queue[0].spent for queue in queues)
        if queues and (cut_short or not starts or self.turns[which] % 2 == 0):
            way = max(queues, key=len).popleft()
            if not way.spent:
                way.idle = 0
            return way
        if turn == 2:
            least = min(self.asked[_stratum(one.way.here)] for one in starts)
            starts = [one for one in starts if self.asked[_stratum(one.way.here)] == least]
        return self._open(min(starts, key=_Start.order), side)

    def _ahead(self, way: _Descent) -> bool:
        """Whether another number of non-zeros is far behind in tests, and can have one now."""
        k = _stratum(way.here)[0]
        others = {of for (_, of), pool in self.starts.items() if pool} | {of for of, q in self.waiting.items() if q}
        return any(2 * self.asked[of] + _PATIENCE * self.each < self.asked[k] for of in others)

    def _target(self, side: str) -> float:
        """Draw the margin of the hypotheses at which a descent stays."""
        size = 10.0 ** float(self.rng.uniform(-6.0, math.log10(0.05)))
        return -size if side == "fails" else size

    def _open(self, start: _Start, side: str) -> _Descent | None:
        """Return a descent from a start, which is steered first if it was drawn as it is."""
        way, start.used = start.way, start.used + 1
        if start.used == _USES:
            self.starts[side, _stratum(way.here)[0]].remove(start)
        if self.guarantee.steer is None or way.target is not None:
            return _Descent(way.target, way.cost, way.here, way.seen)
        target, cost = self._target(side), self._cost(side)
        made = self._evaluate(lambda: way.here, target, cost)
        return None if made is None or math.isnan(made[1].value) else _Descent(target, cost, *made)

    def _confirmed(self, way: _Descent) -> Instance | None:
        """Return the instance, or one with a noise that fails, if it contradicts the guarantee from scratch."""
        if contradicts(self.guarantee, way.here, self.rng, confidence=self.confidence):
            return failing_draw(self.guarantee, afresh(way.here), self.rng)
        way.confirmed = way.best
        return None

    def _follow(self, way: _Descent) -> Instance | None:
        """Descend until there is no more progress, or the turn of the descent is over; draws come in between."""
        guarantee, rng = self.guarantee, self.rng
        movable = way.here.x is not None and way.here.noise is not None
        began = way.spent
        while True:
            if way.best < min(0.0, way.confirmed):  # on every improvement, including the last one
                found = self._confirmed(way)
                if found is not None:
                    return found
            if self.over or way.idle >= _PATIENCE or not movable or math.isnan(way.best):
                return None
            if way.spent >= _TURN * self.each:
                way.spent = 0
                self.waiting[_stratum(way.here)[0]].append(way)
                return None
            if way.spent - began >= _SHORT * self.each and self._ahead(way):
                self.waiting[_stratum(way.here)[0]].appendleft(way)  # the next of its sparsity
                return None
            if self._draws_next():
                found = self._draw()
                if found is not None:
                    return found
                continue
            before = self.tried
            way.idle += 1
            made = self._evaluate(
                lambda: move(way.here, rng, fixed_noise=guarantee.delta is not None, options=guarantee.needs),
                way.target,
                way.cost,
            )
            way.spent += self.tried - before
            if made is not None and way.accepts(made[1]):
                way.take(*made)
                if way.best < way.goal:
                    way.idle, way.goal = 0, way.next_goal()

    def _evaluate(
        self, make: Callable[[], Instance], target: float | None, cost: _Cost, *, drawn: bool = False
    ) -> tuple[Instance, _Seen] | None:
        """Create an instance, move it to a target, if any, and return it with its cost; None if it is rejected."""
        self.shown.at(self.tried)
        self.tried += 1
        made: Instance | None = None
        try:
            made = make()
        except BadGuarantee:
            raise
        except _REJECTED as error:
            self.obstacle = f"no instance could be created ({type(error).__name__}: {error})"
            if drawn:  # the sampler itself raised; a change may lead out of what is an instance
                self._raised(error, None)
            return None
        try:
            if target is not None:
                made = steer(self.guarantee, made, target)
            seen = cost(made)
        except _REJECTED as error:
            self._raised(error, made)
            return None
        if seen.error is not None:
            self._raised(seen.error, made)
        self.tried += max(seen.held, 1) - 1
        self.held += seen.held
        self.decided += seen.decided
        self.obstacle = seen.obstacle or self.obstacle
        self.silence = seen.obstacle if seen.held else self.silence
        self._count(made, seen)
        if seen.value < self.best:
            self.best, self.nearest = seen.value, made
        return made, seen

    def _count(self, instance: Instance, seen: _Seen) -> None:
        """Count an instance at its number of non-zeros."""
        stratum = _stratum(instance)
        for part in (stratum[0], stratum):
            self.asked[part] += seen.decided
        before = self.at.get(stratum[0], AtSparsity())
        self.at[stratum[0]] = AtSparsity(
            before.n_evaluations + max(seen.held, 1),
            before.n_held + seen.held,
            before.n_decided + seen.decided,
            before.best_margin if math.isnan(seen.value) else min(before.best_margin, seen.value),
        )

    def _raised(self, error: Exception, instance: Instance | None) -> None:
        self.errors += 1
        if self.error is None:
            self.error, self.error_at, self.raised_on = error, self.tried, instance

    def result(self, found: Instance | None, seed: int | None) -> AttackResult:
        """Return the result of the search."""
        if self.error is not None and self.errors == self.tried:
            self.error.add_note(f"{self.guarantee.name} raised an error on each of the {self.tried} instances tried")
            raise self.error
        if found is not None:
            status = "broken"
        elif self.decided:
            status = "survived"
        elif not self.tried:
            status = "not tried"
        else:
            status = "undecided" if self.held else "never held"
        return AttackResult(
            self.guarantee.name,
            status,
            self.tried,
            self.held,
            self.decided,
            self.errors,
            self.best,
            self._sentence(status, seed),
            seed,
            found,
            self.nearest if status == "survived" else None,
            self.raised_on,
            dict(sorted(self.at.items())),
        )

    def _sentence(self, status: str, seed: int | None) -> str:
        name = self.guarantee.name
        instances = f"{self.tried:,} instance" + ("" if self.tried == 1 else "s")
        held = f"the hypotheses held on {self.held:,} of the {instances} tried"
        obstacle = f"; the last one: {self.silence if self.held else self.obstacle}"
        text = {
            "broken": f"{name} is broken: instance {self.tried:,} of at most {self.limit:,} contradicts it",
            "survived": f"{name} survived: {held} and the conclusion was decided on {self.decided:,}{self._how_near()}"
            + self._by_sparsity(),
            "undecided": f"{name} was not tested: {held}, but the conclusion was decided on none{obstacle}",
            "never held": f"{name} was not tested: its hypotheses held on none of the {instances} tried{obstacle}",
            "not tried": f"{name} was not tested: no instance was tried"
            + (f", because one takes {self.each} evaluations" if 0 < self.limit < self.each else ""),
        }[status]
        if self.errors:
            text += self._about_errors(seed)
        if status != "broken" and self.tried + self.each <= self.limit:
            text += f"; the time limit of {self.seconds:g} s ended the attack before {self.limit:,} evaluations"
        return text + ("" if seed is None else f" (seed {seed})")

    def _how_near(self) -> str:
        if self.nearest is None:
            return (
                ". Its margin was always infinite, so the search was random: return a finite margin, as "
                "exceeds(left, right, reason) does, to guide it"
            )
        n, size = self.nearest.shape
        k, _, _ = _stratum(self.nearest)
        return f"; the search came within {self.best:.3g} of a contradiction (nearest: k = {k}, {n} x {size})"

    def _by_sparsity(self) -> str:
        """Return how often the conclusion was decided at each number of non-zeros, and how nearly it failed."""
        if not self.at:
            return ""
        listed = [f"k = {k}: {one}" for k, one in sorted(self.at.items())]
        shown = listed if len(listed) <= _SHOWN else [*listed[: _SHOWN - 1], f"and up to k = {max(self.at)}"]
        return f". By number of non-zeros: {'; '.join(shown)}"

    def _about_errors(self, seed: int | None) -> str:
        """Return which exception the guarantee's code raised, where, and how to see it again."""
        error = self.error
        assert error is not None
        what, place = origin(error)
        again = "judge result.raised_on to reproduce it"
        if self.raised_on is None:
            again = "no instance was created"
            if seed is not None:
                again = f"an attack with evaluations={self.error_at} and rng={seed} reproduces it"
        return (
            f"; the {what or 'code'} of the guarantee raised an exception on {self.errors:,} of the instances, first "
            f"on number {self.error_at:,}{place and f' ({place})'}: {type(error).__name__}: {error}; {again}"
        )


def _stratum(instance: Instance) -> tuple[int, int, int]:
    """Return the number of non-zeros and the shape."""
    k = instance.sparsity if instance.x is None else int(np.count_nonzero(instance.x))
    return k, *instance.shape


class _Seen(NamedTuple):
    """Evaluation of a candidate: its cost, how often hypotheses held, how often a contradiction was possible."""

    value: float
    held: int
    decided: int
    obstacle: str = ""
    side: float = 0.0  # distance of the hypotheses from their boundary
    error: Exception | None = None  # of the outcome
    on: str = "holds"  # the side of the boundary from which the statement is attacked


class _Cost:
    """Distance of the conclusion from a contradiction: negative for a contradiction, NaN on the wrong side.

    Without a side each instance is judged on its own, unless a contradiction is impossible there.
    """

    def __init__(self, guarantee: Guarantee, side: str, seed: int) -> None:
        self.guarantee, self.side, self.seed = guarantee, side, seed

    def __call__(self, instance: Instance) -> _Seen:
        check = self.guarantee.check(instance)
        held = int(check.status == "holds")
        either = self.guarantee.kind == "equivalence" and check.status != "unknown"
        on = self.side or (check.status if either else "holds")
        if check.status != on:
            return _Seen(math.nan, held, 0, f"hypotheses: {check.status} ({check.reason})")
        if self.guarantee.delta is not None:
            return self._rate(instance, self.guarantee.delta)
        try:
            conclusion = self.guarantee.conclusion(instance)
        except BadGuarantee:
            raise
        except _REJECTED as error:
            return _Seen(math.nan, held, 0, f"the conclusion raised {type(error).__name__}: {error}", error=error)
        if conclusion.status == "unknown":
            return _Seen(math.nan, held, 0, f"conclusion: unknown ({conclusion.reason})")
        wrong = (conclusion.status == "fails") == (on == "holds")
        size = abs(conclusion.margin) if not math.isnan(conclusion.margin) else math.inf
        side = abs(check.margin) if not math.isnan(check.margin) else math.inf
        return _Seen(-max(size, 1e-300) if wrong else size, held, 1, side=side, on=on)

    def _rate(self, instance: Instance, delta: float) -> _Seen:
        """Return delta minus the fraction of failures; the mean margin breaks ties."""
        if instance.law is None:
            return _Seen(math.nan, 1, 0, "the law of the noise is not given for this instance")
        rng = arrays.generator(self.seed)  # all instances of a descent use the same random numbers
        failures, lean, decided = 0, 0.0, 0
        conclusion = Verdict.unknown("")
        for _ in range(_REDRAWS):
            conclusion = self.guarantee.conclusion(instance.redrawn(rng))
            decided += conclusion.status != "unknown"
            failures += conclusion.status == "fails"
            lean += 0.0 if math.isnan(conclusion.margin) else math.tanh(conclusion.margin)
        obstacle = "" if decided else f"conclusion: unknown ({conclusion.reason})"
        share = delta - failures / _REDRAWS
        value = share if share < 0.0 else share + 1e-3 * (1.0 + lean / _REDRAWS)
        return _Seen(value, _REDRAWS, decided, obstacle)
