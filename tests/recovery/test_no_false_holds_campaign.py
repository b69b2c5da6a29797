"""The campaign against false ``holds``: its oracles on cases by hand, and that it finds what is wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks import no_false_holds as campaign
from recovery import Instance
from recovery.guarantees import Verdict

KNOWN = campaign.guarantees()
CORNER = np.array([[1.0, 0.6, 0.0], [0.0, 0.8, 1.0]])


def test_both_catalogues_are_on_trial():
    assert {"omp-coherence", "order-orthogonal", "unfuse-signs"} <= set(KNOWN)
    assert set(campaign.ORACLES) <= set(KNOWN)


def test_oracles_by_hand():
    one = Instance.planted(CORNER, np.array([1.0, 0.0, 0.0]))
    assert campaign.exact_omp(one, unit=True)
    assert campaign.exact_screening(one)
    assert campaign.exact_coherence(one)
    assert campaign.exact_irrepresentable(one)
    twins = Instance.planted(CORNER[:, [0, 1, 1]], np.array([0.0, 1.0, 0.0]))
    assert not campaign.exact_omp(twins, unit=True)
    assert not campaign.exact_screening(twins)
    assert not campaign.exact_coherence(twins)
    assert not campaign.exact_irrepresentable(twins)
    both = Instance.planted(CORNER, np.array([1.0, 0.0, 1.0]))
    assert not campaign.exact_omp(both, unit=True)  # (1.4 / 1) beats 1
    assert not campaign.exact_irrepresentable(both)  # |0.6 + 0.8| > 1
    # a faint weight is a weight, in exact arithmetic
    assert campaign.exact_omp(Instance.planted(np.eye(3), np.array([1.0, 1e-200, 0.0])), unit=False)


def test_every_change_gives_consistent_instances():
    rng = np.random.default_rng(0)
    for name in ("omp-bounded-noise", "lasso-gaussian-noise", "nic-1", "iht-trajectory"):
        for number in range(2 * len(campaign.CHANGES)):
            instance, change = campaign.changed(rng, KNOWN[name], number)
            assert change == campaign.CHANGES[number % len(campaign.CHANGES)].__name__
            if instance is not None:
                assert instance.misfit is not None
                assert np.all(np.isfinite(instance.matrix))


@pytest.mark.parametrize("name", ["screening-noise", "omp-coherence", "unfuse-signs"])
def test_nothing_is_found_in_what_is_right(name):
    _, counts, examples = campaign.campaign(name, 33, 0)
    cells, wrong = campaign.row(name, counts)
    assert wrong == 0, examples
    assert counts["instances"] == cells[1] == 33
    assert counts["hypotheses holds"] >= 5


def test_a_false_holds_is_found_in_floats_and_in_fractions(monkeypatch):
    def always(instance):
        return Verdict("holds", 1.0, "everything holds")

    wrong = {name: dataclasses.replace(KNOWN[name], hypotheses=always) for name in ("omp-coherence", "screening-noise")}
    monkeypatch.setattr(campaign, "guarantees", lambda: KNOWN | wrong)
    found = {name: campaign.campaign(name, 88, 0) for name in wrong}
    assert found["screening-noise"][1]["violated"] > 0
    for name, counts, examples in found.values():
        assert counts["false"] > 0  # ties, which are unknown in floats
        assert campaign.row(name, counts)[1] > 0
        assert examples


def test_an_exception_is_counted(monkeypatch):
    def broken(instance):
        raise ZeroDivisionError("by hand")

    wrong = dataclasses.replace(KNOWN["screening-noise"], hypotheses=broken)
    monkeypatch.setattr(campaign, "guarantees", lambda: KNOWN | {"screening-noise": wrong})
    _, counts, examples = campaign.campaign("screening-noise", 11, 0)
    assert counts["raised"] == 11
    assert "ZeroDivisionError: by hand" in examples[0]


def test_the_command_prints_one_line_for_each_guarantee(capsys):
    assert campaign.main(["screening-faithfulness", "unique-coherence", "--instances", "11"]) == 0
    out = capsys.readouterr().out
    assert out.count("| screening-faithfulness | 11 |") == out.count("| unique-coherence | 11 |") == 1
    with pytest.raises(SystemExit):
        campaign.main(["no-such-guarantee"])
