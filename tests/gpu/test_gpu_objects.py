"""Objects that hold CuPy arrays can be pickled, copied and compared."""

import copy
import pickle

import numpy as np
import pytest

import linear_lottery
import planted
import recovery
from recovery.networks import Masks

pytestmark = pytest.mark.gpu

RNG = np.random.default_rng(0)
X = RNG.standard_normal((24, 6))
Y = X @ np.array([3.0, 0.0, -2.0, 0.0, 0.0, 1.0])

MAKE = {
    "network": lambda put: planted.ReLUNetwork([put(X.T), put(X)]),
    "form": lambda put: planted.ReLUNetwork([put(X.T), put(X)]).kink_form(),
    "dense": lambda put: recovery.DenseOperator(put(X)),
    "gated": lambda put: recovery.GatedOperator.from_generators(put(X), put(X[:6].T)),
    "seeded": lambda put: recovery.GatedOperator.from_seed(put(X), 3, 7),
    "normalised": lambda put: recovery.normalise(put(X))[0],
    "result": lambda put: recovery.solve(put(X), put(Y), 3),
    "instance": lambda put: recovery.Instance(recovery.GatedOperator(put(X), put(X > 0)), put(Y), 2),
    "masks": lambda put: Masks([put(X > 0)]),
    "path": lambda put: linear_lottery.imp(put(X), put(Y), 3, w0=put(np.ones(6))),
}


@pytest.mark.parametrize("name", MAKE)
def test_copies_are_equal(gpu, name):
    one = MAKE[name](gpu.put)
    for other in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
        assert one == other
        assert hash(one) == hash(other)
    assert one != MAKE[name](np.asarray)
    if isinstance(one, recovery.Operator):
        r = gpu.put(Y)
        np.testing.assert_array_equal(gpu.get(one.rmatvec(r)), gpu.get(pickle.loads(pickle.dumps(one)).rmatvec(r)))
