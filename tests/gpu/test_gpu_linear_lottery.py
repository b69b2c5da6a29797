"""On the GPU: weights trained by gradient flow are those of the CPU to 1e-10 in float64."""

import math

import numpy as np
import pytest

from linear_lottery import gradient_flow

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("shape", [(300, 40), (40, 300)])
@pytest.mark.parametrize("t", [0.0, 1.5, math.inf])
@pytest.mark.parametrize("masked", [False, True])
def test_gradient_flow_agrees_with_the_cpu(gpu, shape, t, masked):
    rng = np.random.default_rng(0)
    X, y, w0 = rng.standard_normal(shape), rng.standard_normal(shape[0]), rng.standard_normal(shape[1])
    mask = rng.random(shape[1]) < 0.6 if masked else None
    here = gradient_flow(X, y, w0, t, mask)
    there = gradient_flow(gpu.put(X), gpu.put(y), gpu.put(w0), t, None if mask is None else gpu.put(mask))
    np.testing.assert_allclose(gpu.get(there), here, rtol=0, atol=1e-10)
    if masked:
        assert np.all(gpu.get(there)[~mask] == 0.0)


def test_arrays_of_two_devices_are_refused(gpu):
    with pytest.raises(TypeError, match="different devices"):
        gradient_flow(gpu.put(np.eye(3)), np.ones(3), np.ones(3))
