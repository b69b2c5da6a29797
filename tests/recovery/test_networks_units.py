"""Powers of two between the units of a fit and those of the caller."""

import numpy as np
import pytest

from recovery.mlp.units import check_unit, scale_layers


def layers_of(backend, dtype=np.float64):
    draw = np.random.default_rng(0)
    return [backend.put(draw.standard_normal(shape).astype(dtype)) for shape in ((4, 3), (3, 2), (2, 2))]


@pytest.mark.parametrize("last", [0, 1, 2])
def test_layers_take_the_units_of_inputs_and_targets(backend, last):
    layers = layers_of(backend)
    found = scale_layers(layers, last, 7, -3)
    powers = [0, 0, 0]
    powers[0] -= 7
    powers[last] += -3
    for layer, new, power in zip(layers, found, powers, strict=True):
        np.testing.assert_array_equal(backend.get(new), np.ldexp(backend.get(layer), power))


@pytest.mark.parametrize(("dtype", "unit"), [(np.float32, -123), (np.float64, -1019)])
def test_what_would_leave_the_range_goes_to_the_other_layer(backend, dtype, unit):
    layers = layers_of(backend, dtype)
    layers[0] = layers[0] * dtype(1e4)
    found = [backend.get(layer) for layer in scale_layers(layers, 2, unit, 5)]
    assert all(np.isfinite(layer).all() and layer.dtype == dtype for layer in found)
    powers = [np.unique(np.log2(new / backend.get(old))) for new, old in zip(found, layers, strict=True)]
    assert [len(power) for power in powers] == [1, 1, 1]
    assert sum(int(power[0]) for power in powers) == 5 - unit


def test_units_without_an_inverse_are_refused():
    check_unit("X", -123, np.dtype(np.float32))
    with pytest.raises(ValueError, match=r"X is of size 2\^-124; expected a size whose inverse float32 can represent"):
        check_unit("X", -124, np.dtype(np.float32))
