"""Direct versions of the pruning methods, one function each, in plain NumPy, without recovery.pruning.

A network is a list of weight matrices (a, b) and a list of biases (b,) or None. Scores are lists of matrices, masks
lists of bool matrices. Slow and short.
"""

import math
from functools import cached_property

import numpy as np


def outputs(W, b, X):
    """Return [X, activations of the hidden layers, outputs]."""
    values = [X]
    for i, layer in enumerate(W):
        z = values[-1] @ layer + (0 if b is None else b[i])
        values.append(np.maximum(z, 0) if i < len(W) - 1 else z)
    return values


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def loss(W, b, X, Y, kind):
    """Return the mean of |f - y|^2 / 2 over the rows, or of the cross-entropy."""
    z = outputs(W, b, X)[-1]
    if kind == "squared":
        return ((z - Y) ** 2).sum() / (2 * len(X))
    return -(Y * np.log(softmax(z))).sum() / len(X)


def gradient(W, b, X, Y, kind):
    """Return the gradient of the mean loss in the weights and in the biases."""
    values = outputs(W, b, X)
    error = (values[-1] - Y if kind == "squared" else softmax(values[-1]) - Y) / len(X)
    in_W, in_b = [None] * len(W), [None] * len(W)
    for i in reversed(range(len(W))):
        in_W[i], in_b[i] = values[i].T @ error, error.sum(axis=0)
        error = (error @ W[i].T) * (values[i] > 0)
    return in_W, in_b


def hessian_product(W, b, X, Y, kind, V, step=1e-5):
    """Return a central difference of the gradient along V: accurate to about 1e-10 between kinks."""
    ahead = gradient([w + step * v for w, v in zip(W, V, strict=True)], b, X, Y, kind)[0]
    behind = gradient([w - step * v for w, v in zip(W, V, strict=True)], b, X, Y, kind)[0]
    return [(p - q) / (2 * step) for p, q in zip(ahead, behind, strict=True)]


def hessian(W, b, X, Y, kind):
    """Return the Hessian in all weights, shape (N, N), of central differences."""
    sizes = [w.size for w in W]
    rows = []
    for j in range(sum(sizes)):
        e = np.zeros(sum(sizes))
        e[j] = 1
        V = [v.reshape(w.shape) for v, w in zip(np.split(e, np.cumsum(sizes)[:-1]), W, strict=True)]
        rows.append(np.concatenate([p.ravel() for p in hessian_product(W, b, X, Y, kind, V)]))
    H = np.array(rows)
    return (H + H.T) / 2


def train(
    W, b, X, Y, kind, masks, n_iter, rate=1e-3, first=0, until=None, seen=None, cosine=True, after=None, plain=False
):
    """Return weights and biases after updates first+1 to `until`, of n_iter, of Adam on all rows, under masks.

    `seen(number, weights before, gradient)` is called in each update, and `after(number, weights, biases, gradient)`
    when it is made: the masks that it returns take the place of the old ones. `plain` is gradient descent, which moves
    all weights, also masked ones.
    """
    W = [w * m for w, m in zip(W, masks, strict=True)]
    b = None if b is None else [c.copy() for c in b]
    parameters = W + ([] if b is None else b)  # the same arrays: changed in place
    means = [np.zeros_like(p) for p in parameters]
    squares = [np.zeros_like(p) for p in parameters]
    for number in range(first, n_iter if until is None else until):
        in_W, in_b = gradient(W, b, X, Y, kind)
        if seen is not None:
            seen(number + 1, [w.copy() for w in W], in_W)
        slopes = [g if plain else g * m for g, m in zip(in_W, masks, strict=True)] + ([] if b is None else in_b)
        factor = (1 + math.cos(math.pi * number / n_iter)) / 2 if cosine else 1
        t = number - first + 1
        for i, g in enumerate(slopes):
            if plain:
                parameters[i] -= rate * factor * g
                continue
            means[i] = 0.9 * means[i] + 0.1 * g
            squares[i] = 0.999 * squares[i] + 0.001 * g * g
            ratio = (means[i] / (1 - 0.9**t)) / (np.sqrt(squares[i] / (1 - 0.999**t)) + 1e-8)
            parameters[i] -= rate * factor * ratio
        new = None if after is None else after(number + 1, W, b, in_W)
        if new is not None:
            masks = new
            for i, m in enumerate(masks):
                for part in (parameters, means, squares):
                    part[i] *= m
    return W, b


def keep(scores, masks, count):
    """Return masks of the `count` weights with the highest scores; of equal ones the smaller index stays."""
    flat, there = (np.concatenate([np.asarray(v).ravel() for v in part]) for part in (scores, masks))
    order = sorted(np.flatnonzero(there), key=lambda j: (-flat[j], j))[:count]
    kept = np.zeros(len(flat), dtype=bool)
    kept[order] = True
    parts = np.split(kept, np.cumsum([m.size for m in masks])[:-1])
    return [part.reshape(m.shape) for part, m in zip(parts, masks, strict=True)]


def full(W):
    return [np.ones(w.shape, dtype=bool) for w in W]


class Direct:
    """Data and start of one problem, and the methods by name, each a function of (count, rng) that returns masks."""

    def __init__(self, W, b, X, Y, kind, n_iter=30, rate=1e-3):
        self.W, self.b, self.X, self.Y, self.kind, self.n_iter, self.rate = W, b, X, Y, kind, n_iter, rate
        self.n = sum(w.size for w in W)

    def trained(self, W=None, b=None, masks=None, **options):
        W, b = (self.W, self.b) if W is None else (W, b)
        masks = full(W) if masks is None else masks
        return train(W, b, self.X, self.Y, self.kind, masks, self.n_iter, self.rate, **options)

    def slopes(self, W, b):
        return gradient(W, b, self.X, self.Y, self.kind)[0]

    def random(self, count, rng):
        return keep([rng.random(w.shape) for w in self.W], full(self.W), count)

    def magnitude(self, count, rng):
        W, _ = self.trained()
        return keep([np.abs(w) for w in W], full(W), count)

    def taylor(self, count, rng):
        W, b = self.trained()
        return keep([(w * g) ** 2 for w, g in zip(W, self.slopes(W, b), strict=True)], full(W), count)

    @cached_property
    def minimum(self):
        """The trained weights and their Hessian."""
        W, b = self.trained()
        return W, hessian(W, b, self.X, self.Y, self.kind)

    def obd(self, count, rng):
        W, H = self.minimum
        H = np.diag(H)
        parts = np.split(H, np.cumsum([w.size for w in W])[:-1])
        return keep([h.reshape(w.shape) * w * w / 2 for h, w in zip(parts, W, strict=True)], full(W), count)

    def obs(self, count, rng):
        W, H = self.minimum
        values, vectors = np.linalg.eigh(H)
        least = 1e-6 if len(W) == 1 and self.kind == "squared" else 1e-2
        values = np.maximum(np.abs(values), least * np.abs(values).max())
        inverse = (vectors / values) @ vectors.T
        flat = np.concatenate([w.ravel() for w in W])
        parts = np.split(flat * flat / (2 * np.diag(inverse)), np.cumsum([w.size for w in W])[:-1])
        return keep([p.reshape(w.shape) for p, w in zip(parts, W, strict=True)], full(W), count)

    def distance(self, count, rng):
        W, _ = self.trained()
        return keep([np.abs(w - v) for w, v in zip(W, self.W, strict=True)], full(W), count)

    def movement(self, count, rng):
        sums = [np.zeros_like(w) for w in self.W]

        def seen(number, before, slopes):
            for total, w, g in zip(sums, before, slopes, strict=True):
                total -= w * g

        self.trained(seen=seen)
        return keep(sums, full(self.W), count)

    def snip(self, count, rng):
        g = self.slopes(self.W, self.b)
        return keep([np.abs(w * s) for w, s in zip(self.W, g, strict=True)], full(self.W), count)

    def grasp(self, count, rng):
        """Prune those with the largest -w H g."""
        g = self.slopes(self.W, self.b)
        Hg = hessian_product(self.W, self.b, self.X, self.Y, self.kind, g)
        order = [-w * h for w, h in zip(self.W, Hg, strict=True)]
        return keep([-s for s in order], full(self.W), count)

    def synflow(self, count, rng):
        """100 rounds; the flow through a weight is its magnitude times what reaches it times what leaves it."""
        masks = full(self.W)
        for r in range(1, 101):
            sizes = [np.abs(w) * m for w, m in zip(self.W, masks, strict=True)]
            scores = []
            for i, size in enumerate(sizes):
                into, out = np.ones(len(sizes[0])), np.ones(sizes[-1].shape[1])
                for layer in sizes[:i]:
                    into = into @ layer
                for layer in sizes[:i:-1]:
                    out = layer @ out
                scores.append(into[:, None] * size * out)
            left = count if r == 100 else max(count, round(self.n * (count / self.n) ** (r / 100)))
            masks = keep(scores, masks, left)
        return masks

    def _rounds(self, count, share, start, first=0):
        """Iterative magnitude pruning: train, drop a share of the weights, return to `start(W, b)`, repeat."""
        masks, left, W, b, at = full(self.W), self.n, self.W, self.b, 0
        while left > count:
            W, b = self.trained(W, b, masks, first=at)
            left = max(count, left - max(1, round(share * left)))
            masks = keep([np.abs(w) for w in W], masks, left)
            W, b = start(W, b)
            at = first
        return masks

    def imp(self, count, rng):
        return self._rounds(count, 0.2, lambda W, b: (self.W, self.b))

    def imp_late(self, count, rng):
        """Rewind to the weights after a tenth of the first training."""
        at = math.floor(0.1 * self.n_iter)
        early = self.trained(until=at)
        return self._rounds(count, 0.2, lambda W, b: early, first=at)

    def imp_lr(self, count, rng):
        return self._rounds(count, 0.2, lambda W, b: (W, b))

    ticket_transfer = imp_lr  # of the masks: what follows differs

    # masks that move
    def _graph(self, count, rng):
        """Random masks; layer (a, b) keeps a number proportional to a + b, no more than it has."""
        scores, sizes, wanted = [rng.random(w.shape) for w in self.W], [w.size for w in self.W], {}
        open_, left = dict(enumerate(sum(w.shape) for w in self.W)), count
        while True:
            shares = {i: left * part / sum(open_.values()) for i, part in open_.items()}
            full_ones = [i for i in shares if shares[i] >= sizes[i]]
            if not full_ones:
                break
            for i in full_ones:
                wanted[i], left = sizes[i], left - sizes[i]
                del open_[i]
        wanted |= {i: int(share) for i, share in shares.items()}
        for i in sorted(shares, key=lambda i: (int(shares[i]) - shares[i], i))[: count - sum(wanted.values())]:
            wanted[i] += 1
        return [keep([s], [np.ones(s.shape, dtype=bool)], wanted[i])[0] for i, s in enumerate(scores)]

    def _rewired(self, count, rng, share, stop, grow):
        masks = self._graph(count, rng)

        def after(number, W, b, slopes):
            nonlocal masks
            if number % self.period or number >= self.n_iter or number > stop * self.n_iter:
                return None
            found = []
            for w, g, m in zip(W, slopes, masks, strict=True):
                swapped = min(math.floor(share(number) * m.sum()), (~m).sum())
                if swapped:
                    stay = keep([np.abs(w)], [m], m.sum() - swapped)[0]
                    m = stay | keep([grow(g)], [~m], swapped)[0]
                found.append(m)
            masks = found
            return masks

        self.trained(masks=masks, after=after)
        return masks

    period = 7

    def set(self, count, rng):
        """Every so often 30 % of the weights of a layer, the smallest, are replaced by others at random places."""
        return self._rewired(count, rng, lambda number: 0.3, 1.0, lambda g: rng.random(g.shape))

    def rigl(self, count, rng):
        """As SET, but the share falls, and places with the largest gradient are chosen."""
        share = lambda number: 0.3 * (1 + math.cos(math.pi * number / (0.75 * self.n_iter))) / 2  # noqa: E731
        return self._rewired(count, rng, share, 0.75, np.abs)

    def iht(self, count, rng):
        """Gradient descent; after each step the largest weights stay."""
        masks = keep([np.abs(w) for w in self.W], full(self.W), count)

        def after(number, W, b, slopes):
            nonlocal masks
            masks = keep([np.abs(w) for w in W], full(W), count)
            return masks

        self.trained(masks=masks, after=after, plain=True)
        return masks

    def gradual(self, count, rng):
        """The number of weights falls from all along a cubic curve until 3/4 of the training."""
        masks = full(self.W)

        def after(number, W, b, slopes):
            nonlocal masks
            done = number / self.n_iter
            if number % self.period and done < 0.75:
                return None
            left = count + round((self.n - count) * (1 - min(1.0, done / 0.75)) ** 3)
            masks = keep([np.abs(w) for w in W], masks, left)
            return masks

        self.trained(masks=masks, after=after)
        return masks

    # probes
    def _probed(self, rng, first, learn, target="reset", sweep=False):
        """Scores S of all weights: each update resets one weight in a hundred of each layer and looks at the accuracy.

        `learn(S, before, after, number of probes)` returns new scores. Weights that no probe saw get `first(mean)`.
        """
        draws = np.random.default_rng(int(rng.integers(2**63)))
        scores, counts = [np.full(w.size, 0.5) for w in self.W], [np.zeros(w.size, dtype=int) for w in self.W]
        changes = []

        def accuracy(W, b):
            return int((outputs(W, b, self.X)[-1].argmax(axis=1) == self.Y.argmax(axis=1)).sum()) / len(self.X)

        def probe(W, b):
            before = accuracy(W, b)
            for i, w in enumerate(W):
                flat = np.sort(draws.choice(w.size, max(1, round(0.01 * w.size)), replace=False, shuffle=False))
                changed = [v.copy() for v in W]
                changed[i].ravel()[flat] = 0 if target == "zero" else self.W[i].ravel()[flat]
                after = accuracy(changed, b)
                counts[i][flat] += 1
                scores[i][flat] = learn(scores[i][flat], before, after, counts[i][flat])
                changes.append(abs(before - after) / before)

        if sweep:
            W, b = self.trained()
            draws.permutation(len(self.X))  # the order of the rows, of which one batch has all
            for part in scores:
                part[:] = 0.0
            probe(W, b)
        else:
            self.trained(after=lambda number, W, b, slopes: probe(W, b))
        mean = np.mean(changes)
        return [
            np.where(c > 0, s, first(mean)).reshape(w.shape) for s, c, w in zip(scores, counts, self.W, strict=True)
        ]

    def bingo_printed(self, count, rng):
        scores = self._probed(rng, lambda mean: 0.5, lambda S, A, B, n: (S + 1 - abs(A - B) / A) / 2)
        return keep(scores, full(self.W), count)

    def bingo_corrected(self, count, rng):
        scores = self._probed(rng, lambda mean: 0.5, lambda S, A, B, n: (S + abs(A - B) / A) / 2)
        return keep(scores, full(self.W), count)

    def bingo_release(self, count, rng):
        """Zeroed after training, absolute changes, each layer loses the same share."""
        scores = self._probed(rng, lambda mean: 0.0, lambda S, A, B, n: (S + abs(A - B)) / 2, "zero", sweep=True)
        return self._same_share(scores, count)

    def _same_share(self, scores, count):
        """Each layer loses the same share; fractions go to the largest ones, of equal ones to the first."""
        shares = [count * w.size / self.n for w in self.W]
        numbers = [int(share) for share in shares]
        for i in sorted(range(len(shares)), key=lambda i: (numbers[i] - shares[i], i))[: count - sum(numbers)]:
            numbers[i] += 1
        return [keep([s], [np.ones(s.shape, dtype=bool)], n)[0] for s, n in zip(scores, numbers, strict=True)]

    def bingo_running_mean(self, count, rng):
        """The mean is updated as S + (c - S) / n, so that equal means are equal to the last bit in both versions."""

        def learn(S, before, after, n):
            S = np.where(n == 1, 0.0, S)
            return S + (abs(before - after) / before - S) / n

        return keep(self._probed(rng, lambda mean: mean, learn), full(self.W), count)

    def supermask(self, count, rng):
        """Adam on scores: the slope of a score is its weight times the slope of the masked weight."""
        scores = [(2 * rng.random(w.shape) - 1) / np.sqrt(len(w)) for w in self.W]
        means, squares = ([np.zeros_like(w) for w in self.W] for _ in range(2))
        for number in range(self.n_iter):
            shown = [w * m for w, m in zip(self.W, self._same_share(scores, count), strict=True)]
            slopes = [g * w for g, w in zip(self.slopes(shown, self.b), self.W, strict=True)]
            factor = self.rate * (1 + math.cos(math.pi * number / self.n_iter)) / 2
            for i, g in enumerate(slopes):
                means[i] = 0.9 * means[i] + 0.1 * g
                squares[i] = 0.999 * squares[i] + 0.001 * g * g
                t = number + 1
                scores[i] -= factor * (means[i] / (1 - 0.9**t)) / (np.sqrt(squares[i] / (1 - 0.999**t)) + 1e-8)
        return self._same_share(scores, count)

    def neq(self, count, rng):
        """NEq prunes nothing: its masks hold back updates; where a sparsity is asked for, magnitudes decide first."""
        return keep([np.abs(w) for w in self.W], full(self.W), count)
