"""Pruning networks of several hidden layers: none of them may vanish because of how its weights are scaled."""

import numpy as np

import planted
import recovery


def test_a_fair_pass_keeps_weights_in_both_hidden_layers():
    """Output weights stay small in training; ranked with them as they are, the second layer goes in one round."""
    X = planted.fourier_features((14, 14), 60, 2.0, rng=0)
    y = np.exp(-((planted.pixel_coordinates((14, 14)) - 7) ** 2).sum(axis=1) / 8)
    for fit in recovery.imp(X, y, n_neurons=[8, 8], sparsity=[30, 100], max_iter=60, fine_tune=200, rng=0):
        first, second = (np.count_nonzero(layer) for layer in fit.network.layers[:2])
        assert first + second <= 100
        assert min(first, second) >= 5
        assert fit.psnr_db > 13  # the zero function is at 11.9 dB
