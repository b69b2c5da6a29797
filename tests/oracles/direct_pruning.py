"""Direct versions of the pruning methods, one function each, in plain NumPy: nothing of recovery.pruning is used.

A network is a list of weight matrices (a, b) and a list of biases (b,) or None. Scores are lists of matrices, masks
lists of bool matrices. Slow and short.
"""

import math

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


def train(W, b, X, Y, kind, masks, n_iter, rate=1e-3, first=0, until=None, seen=None, cosine=True):
    """Return weights and biases after updates first+1 to `until`, of n_iter, of Adam on all rows, under masks.

    `seen(number, weights before, gradient)` is called in each update.
    """
    W = [w * m for w, m in zip(W, masks, strict=True)]
    b = None if b is None else [c.copy() for c in b]
    parameters = W + ([] if b is None else b)
    means = [np.zeros_like(p) for p in parameters]
    squares = [np.zeros_like(p) for p in parameters]
    for number in range(first, n_iter if until is None else until):
        in_W, in_b = gradient(W, b, X, Y, kind)
        if seen is not None:
            seen(number + 1, [w.copy() for w in W], in_W)
        slopes = [g * m for g, m in zip(in_W, masks, strict=True)] + ([] if b is None else in_b)
        factor = (1 + math.cos(math.pi * number / n_iter)) / 2 if cosine else 1
        t = number - first + 1
        for i, g in enumerate(slopes):
            means[i] = 0.9 * means[i] + 0.1 * g
            squares[i] = 0.999 * squares[i] + 0.001 * g * g
            ratio = (means[i] / (1 - 0.9**t)) / (np.sqrt(squares[i] / (1 - 0.999**t)) + 1e-8)
            parameters[i] -= rate * factor * ratio
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

    def obd(self, count, rng):
        W, b = self.trained()
        H = np.diag(hessian(W, b, self.X, self.Y, self.kind))
        parts = np.split(H, np.cumsum([w.size for w in W])[:-1])
        return keep([h.reshape(w.shape) * w * w / 2 for h, w in zip(parts, W, strict=True)], full(W), count)

    def obs(self, count, rng):
        W, b = self.trained()
        H = hessian(W, b, self.X, self.Y, self.kind)
        values, vectors = np.linalg.eigh(H)
        values = np.maximum(np.abs(values), 1e-6 * np.abs(values).max())
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
        """Iterative magnitude pruning: train, drop a share of what is left, go back to `start(W, b)`; and again."""
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
