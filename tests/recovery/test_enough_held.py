"""Property tests of guarantees are not vacuous: data without noise on demand, and counts of hypotheses that held."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from recovery import Instance
from recovery.guarantees import Verdict, catalogue, linear_instance
from recovery.guarantees.controls import controls
from recovery.testing import assert_guarantee, enough_held, instances, instances_of

here = settings(
    max_examples=60, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
OMP = next(one for one in catalogue("linear") if one.name == "omp-coherence")
ONE = Instance.planted(np.eye(3), np.array([1.0, 2.0, 0.0]))


@pytest.mark.parametrize("seeded", [True, False])
def test_instances_without_noise_and_with_a_smallest_sparsity(seeded):
    seen = []

    @here
    @given(instances(noise="none", sparsity=(2, 3), columns=(3, 5), seeded=seeded))
    def collect(instance):
        assert instance.noise_free
        assert instance.law is None
        assert len(instance.support) >= (1 if instance.options["design"] != "written out" else 2)
        seen.append(len(instance.support))

    collect()
    assert sum(count >= 2 for count in seen) > 0.5 * len(seen)


def test_without_noise_the_rest_is_the_same():
    for seed in range(20):
        loud, quiet = (linear_instance(seed, noise=noise, start=True) for noise in ("any", "none"))
        assert quiet.noise_free
        assert quiet.law is None
        assert loud.options == quiet.options
        for name in ("matrix", "x", "x0"):
            np.testing.assert_array_equal(getattr(loud, name), getattr(quiet, name))


@pytest.mark.parametrize("make", [instances, linear_instance])
def test_an_unknown_kind_of_noise_is_refused(make):
    with pytest.raises(ValueError, match="noise='some'"):
        make(noise="some")


def test_a_test_that_tried_nothing_fails():
    @enough_held(OMP, 3)
    @here
    @given(instances(sparsity=(0, 0)))
    def vacuous(instance):
        assert_guarantee(OMP, instance)

    with pytest.raises(AssertionError, match=r"held on 0 of \d+ instances with x != 0 .*expected at least 3\. Draw"):
        vacuous()


def test_what_held_is_counted_and_a_contradiction_comes_first():
    with enough_held(OMP, 1, plural=1) as tally:
        assert assert_guarantee(OMP, ONE).check.status == "holds"
    assert (tally.instances, tally.held, tally.plural) == (1, 1, 1)
    with pytest.raises(AssertionError, match=r"1 with two non-zeros or more.*at least 1, 2 of them"):
        with enough_held(OMP, 1, plural=2):
            assert_guarantee(OMP, ONE)
    wrong = dataclasses.replace(OMP, outcome=lambda one: Verdict.of(False, "never"))
    with pytest.raises(AssertionError, match="is contradicted"):
        with enough_held(wrong, 5):
            assert_guarantee(wrong, ONE)
    # another guarantee is not counted, and nothing is after the context
    with enough_held(OMP, 0) as tally:
        assert_guarantee(dataclasses.replace(OMP, name="other"), ONE)
    assert_guarantee(OMP, ONE)
    assert tally.instances == 0


def test_events_are_told_to_hypothesis(monkeypatch):
    told = []
    monkeypatch.setattr("hypothesis.event", told.append)

    @here
    @given(instances(noise="none", sparsity=(0, 2)))
    def test(instance):
        assert_guarantee(OMP, instance)

    test()
    heads = {f"hypotheses of omp-coherence: {status}" for status in ("holds", "fails")}
    assert heads | {"conclusion of omp-coherence where they hold: holds"} <= set(told)
    told.clear()
    assert_guarantee(OMP, ONE)
    assert told == []


@pytest.mark.slow
def test_instances_of_its_sampler_break_a_false_bound():
    bold = next(one for one, _ in controls() if one.name == "false-omp-coherence")

    @settings(here, max_examples=300)
    @given(instances_of(bold))
    def test(instance):
        assert_guarantee(bold, instance)

    with pytest.raises(AssertionError, match=r"false-omp-coherence .*is contradicted"):
        test()
    with pytest.raises(ValueError, match="has no sampler"):
        instances_of(dataclasses.replace(OMP, sampler=None))
