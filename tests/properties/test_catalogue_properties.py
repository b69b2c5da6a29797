"""Every guarantee of the catalogue on instances written out entry by entry: ties, blank rows, equal columns, gates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recovery import GatedOperator
from recovery.guarantees import catalogue
from recovery.testing import assert_guarantee, gated_instances, instances

IMPLICATIONS = {
    family: [one for one in catalogue(family) if one.delta is None] for family in ("linear", "sparse", "gated")
}
examples = pytest.mark.parametrize("examples", [60, pytest.param(2000, marks=pytest.mark.slow)])


@examples
@pytest.mark.parametrize("family", ["linear", "sparse"])
def test_no_dense_instance_contradicts(family, examples):
    @settings(max_examples=examples)
    @given(
        st.sampled_from(IMPLICATIONS[family]),
        instances(rows=(1, 6), columns=(1, 5), tall=False, start=True, seeded=False).map(
            lambda one: one.replace(noise=np.zeros(one.shape[0]))
        ),
    )
    def holds(guarantee, instance):
        assert_guarantee(guarantee, instance)

    holds()


@examples
@pytest.mark.parametrize("family", ["sparse", "gated"])
def test_no_gated_instance_contradicts(family, examples):
    @settings(max_examples=examples)
    @given(st.sampled_from(IMPLICATIONS[family]), gated_instances(rows=(1, 8)))
    def holds(guarantee, instance):
        assert_guarantee(guarantee, instance)

    holds()


@given(gated_instances(rows=(2, 4), inputs=(2, 3), gates=(1, 2), sparsity=(1, 2), start=True))
def test_the_strategy_of_gated_instances_keeps_its_ranges(instance):
    assert isinstance(instance.A, GatedOperator)
    X, gates = instance.gated
    assert 2 <= len(X) <= 4
    assert 2 <= X.shape[1] <= 3
    assert 1 <= gates.shape[1] <= 2
    assert 1 <= np.count_nonzero(instance.x) <= 2
    assert instance.noise_free
    assert instance.x0 is not None
