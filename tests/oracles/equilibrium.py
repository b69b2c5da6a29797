"""A plain version of NEq: full textbook gradients, with frozen columns restored after every step."""

import numpy as np


def gradients(layers, biases, X, Y, loss):
    """Return the gradients of weights and biases, and the mean loss."""
    values, slopes = [X], []
    for level, layer in enumerate(layers):
        raw = values[-1] @ layer + (0.0 if biases is None else biases[level])
        hidden = level < len(layers) - 1
        values.append(np.where(raw > 0, raw, 0.0) if hidden else raw)
        slopes.append((raw > 0).astype(float))
    out, n = values[-1], len(X)
    if loss == "squared":
        delta, value = (out - Y) / n, 0.5 * ((out - Y) ** 2).sum() / n
    else:
        powers = np.exp(out - out.max(axis=1, keepdims=True))
        chances = powers / powers.sum(axis=1, keepdims=True)
        delta, value = (chances - Y) / n, -(Y * np.log(chances)).sum() / n
    found, shifts = [], []
    for level in reversed(range(len(layers))):
        found.append(values[level].T @ delta)
        shifts.append(delta.sum(axis=0))
        if level:
            delta = (delta @ layers[level].T) * slopes[level - 1]
    return found[::-1], shifts[::-1], value


def train(layers, biases, batches, frozen, *, loss, rate, momentum=0.0, decay=0.0, adam=False):
    """Train with the frozen units of each epoch given; return the parameters after each epoch.

    `batches` is a list of epochs, each a list of pairs (X, Y); `frozen` a list of epochs, each a list of masks of
    units; `rate` the list of learning rates of all updates. What is remembered of frozen units is zero.
    """
    layers = [layer.astype(float).copy() for layer in layers]
    biases = None if biases is None else [bias.astype(float).copy() for bias in biases]
    parts = [*layers, *(biases or [])]
    first, second = [np.zeros_like(p) for p in parts], [np.zeros_like(p) for p in parts]
    steps = [np.zeros(p.shape[-1]) for p in parts]
    kept, update = [], 0
    for epoch, masks in zip(batches, frozen, strict=True):
        masks = [*masks, *(masks if biases is not None else [])]
        for i, mask in enumerate(masks):
            first[i][..., mask] = 0
            second[i][..., mask] = 0
            steps[i][mask] = 0
        for X, Y in epoch:
            found, shifts, _ = gradients(layers, biases, X, Y, loss)
            slopes = [*found, *(shifts if biases is not None else [])]
            for i, (part, slope, mask) in enumerate(zip(parts, slopes, masks, strict=True)):
                slope = slope + decay * part
                if adam:
                    steps[i] = steps[i] + 1
                    first[i] = 0.9 * first[i] + 0.1 * slope
                    second[i] = 0.999 * second[i] + 0.001 * slope**2
                    mean, square = first[i] / (1 - 0.9 ** steps[i]), second[i] / (1 - 0.999 ** steps[i])
                    move = mean / (np.sqrt(square) + 1e-8)
                    steps[i][mask] = 0
                else:
                    first[i] = momentum * first[i] + slope
                    move = first[i]
                move[..., mask] = 0
                first[i][..., mask] = 0
                second[i][..., mask] = 0
                part -= rate[update] * move
            update += 1
        kept.append([p.copy() for p in parts])
    return kept
