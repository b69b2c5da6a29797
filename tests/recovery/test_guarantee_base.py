"""Verdicts, and how a guarantee puts two of them together."""

import functools
import math
import re

import numpy as np
import pytest

from recovery import Instance
from recovery.conditions import Interval
from recovery.guarantees import (
    Guarantee,
    Verdict,
    all_of,
    attack,
    catalogue,
    constant,
    draw,
    exceeds,
    ledger,
    linear_instance,
)
from recovery.testing import assert_guarantee, instances_of

ONE = Instance.planted(np.eye(2), np.array([1.0, 0.0]))


def guarantee(check, conclusion, kind="implication", **more):
    def says(status):
        return lambda instance: Verdict(status, 0.0, status)

    return Guarantee("toy", kind, "", "", "", says(check), says(conclusion), **more)


def test_a_verdict_is_neither_true_nor_false():
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(Verdict.of(True, ""))
    with pytest.raises(ValueError, match="status='perhaps' is not known"):
        Verdict("perhaps", 0.0, "")
    assert Verdict.of(True, "").margin == math.inf
    assert Verdict.of(False, "").margin == -math.inf
    assert Verdict.unknown("why").status == "unknown"


@pytest.mark.parametrize(
    ("left", "right", "status", "margin"),
    [
        (2.0, 1.0, "holds", 1.0),
        (1.0, 2.0, "fails", -0.5),
        (1.0, 1.0 + 1e-14, "unknown", pytest.approx(0.0, abs=1e-13)),
        (1.0, 1.0 - 1e-9, "holds", pytest.approx(1e-9, rel=1e-6)),
        (1, 0, "holds", math.inf),
        (0, 0, "fails", 0.0),
        (1.0, 0.0, "unknown", pytest.approx(math.nan, nan_ok=True)),
        (0.0, 1.0, "fails", -1.0),
        (1.0, math.inf, "fails", -1.0),
        (math.inf, 1.0, "holds", math.inf),
    ],
)
def test_exceeds_is_strict_relative_and_knows_rounding(left, right, status, margin):
    found = exceeds(left, right, "these")
    assert (found.status, found.margin) == (status, margin)
    assert found.reason.startswith("these: ")


def test_exceeds_does_not_guess():
    assert exceeds(math.nan, 1.0, "").status == exceeds(1.0, math.nan, "").status == "unknown"
    assert exceeds(math.inf, math.inf, "").status == "unknown"
    assert exceeds(3.0, 3.0, "", rounding=0.0).status == "fails"
    assert exceeds(1.0, 1.0 - 1e-9, "", rounding=1e-6).status == "unknown"


def test_all_of_takes_the_worst():
    good, better = Verdict("holds", 0.1, "a"), Verdict("holds", 2.0, "b")
    bad, worse, open_ = Verdict("fails", -0.2, "c"), Verdict("fails", -0.7, "d"), Verdict.unknown("e")
    assert all_of([better, good]) is good
    assert all_of([good, bad, open_, worse]) is worse
    assert all_of([good, open_]) is open_
    assert all_of([]).status == "holds"
    assert all_of(iter([good, better])) is good


@pytest.mark.parametrize("kind", ["implication", "equivalence", "probability"])
@pytest.mark.parametrize("check", ["holds", "fails", "unknown"])
@pytest.mark.parametrize("conclusion", ["holds", "fails", "unknown"])
def test_what_contradicts_a_guarantee(kind, check, conclusion):
    more = {"delta": 0.1} if kind == "probability" else {}
    found = guarantee(check, conclusion, kind, **more).judge(ONE)
    wrong = (check, conclusion) == ("holds", "fails")
    wrong |= kind == "equivalence" and (check, conclusion) == ("fails", "holds")
    assert found.violated == wrong


def test_a_missing_field_or_option_is_unknown():
    bare = Instance(np.eye(2), np.ones(2), 1)
    judged = guarantee("holds", "fails").judge(bare)
    assert judged.check.status == judged.conclusion.status == "unknown"
    assert judged.check.reason == "x is not given for this instance"
    assert not judged.violated
    timed = guarantee("holds", "holds", needs=("x", "t"))
    assert timed.check(ONE).reason == ("t is not given for this instance; it is not a field, and the options are none")
    assert timed.check(ONE.with_options(t=1.0)).status == "holds"
    # an option may be called what a method of the instance is called
    assert guarantee("holds", "holds", needs=("scaled",)).check(ONE).status == "unknown"
    assert guarantee("holds", "holds", needs=("law",)).check(ONE).status == "unknown"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"kind": "conjecture"}, "kind='conjecture' is not known"),
        ({"kind": "probability"}, "delta=None with kind='probability'"),
        ({"delta": 0.1}, "delta=0.1 with kind='implication'"),
        ({"kind": "probability", "delta": 1.5}, "delta=1.5 is out of range"),
        ({"steer": "both"}, "steer='both' is not known"),
    ],
)
def test_wrong_guarantees_are_sentences(more, sentence):
    with pytest.raises(ValueError, match=sentence):
        guarantee("holds", "holds", **more)


def test_the_families_make_up_the_catalogue_and_names_are_unique():
    names = [one.name for one in catalogue()]
    assert len(set(names)) == len(names)
    families = [[one.name for one in catalogue(family)] for family in ("linear", "sparse", "gated")]
    assert [name for family in families for name in family] == names
    assert all(families)
    with pytest.raises(ValueError, match="family='nonlinear' is not known"):
        catalogue("nonlinear")


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: guarantee("holds", "holds").check(np.eye(2)), TypeError, "instance is of type ndarray; expected a"),
        (lambda: guarantee("holds", "holds").conclusion(None), TypeError, "instance is of type NoneType; expected a"),
        (lambda: attack("bound"), TypeError, "guarantee='bound' is of type str; expected a Guarantee"),
        (lambda: draw("bound", 1), TypeError, "guarantee='bound' is of type str; expected a Guarantee"),
        (lambda: assert_guarantee("bound", ONE), TypeError, "guarantee='bound' is of type str; expected a Guarantee"),
        (lambda: ledger(["bound"], [ONE]), TypeError, "guarantees='bound' is of type str; expected a Guarantee"),
        (lambda: ledger(guarantee("holds", "holds"), [ONE]), TypeError, "guarantees is the single guarantee 'toy'"),
        (lambda: ledger([guarantee("holds", "holds")], [3]), TypeError, "instance is of type int; expected a"),
        (lambda: linear_instance(0, designs=()), ValueError, "designs=(); expected a non-empty sequence of names"),
        (lambda: linear_instance(0, laws="gaussian"), ValueError, "laws='gaussian'; expected a non-empty sequence"),
    ],
)
def test_wrong_arguments_are_sentences(call, error, sentence):
    with pytest.raises(error, match=re.escape(sentence)):
        call()


def test_a_model_may_be_drawn_from_a_seed():
    one, two = linear_instance(3), linear_instance(np.random.default_rng(3))
    np.testing.assert_array_equal(one.matrix, two.matrix)


@pytest.mark.parametrize(
    ("left", "right", "status", "margin"),
    [
        (1, Interval(0.25, 0.5), "holds", 1.0),
        (1.0, Interval(0.25, 0.5), "holds", pytest.approx(1.0)),
        (constant(1.0), Interval(0.25, 0.5), "holds", pytest.approx(1.0)),
        (Interval(3.0, 5.0), Interval(1.0, 2.0), "holds", 0.5),
        (Interval(3.0, math.inf), 2, "holds", 0.5),
        (1, Interval(2.0, 4.0), "fails", -0.5),
        (1, Interval(1.0, 1.0), "fails", 0.0),
        (1.0, Interval(1.0, 1.0), "unknown", None),  # a float may be off by its rounding error
        (1, Interval(2.0, math.inf), "fails", -0.5),
        (1, Interval(0.5, 2.0), "unknown", None),
        (math.nan, Interval(0.5, 2.0), "unknown", None),
        (1, Interval(-1.0, 0.0), "holds", math.inf),
    ],
)
def test_an_interval_is_compared_by_its_ends(left, right, status, margin):
    found = exceeds(left, right, "left exceeds right")
    assert found.status == status
    assert math.isnan(found.margin) if margin is None else found.margin == margin
    assert found.reason.startswith("left exceeds right: ")


def test_a_reason_shows_an_interval_with_six_digits():
    found = exceeds(1, Interval(1 / 3, 2 / 3), "1 exceeds delta")
    assert found.reason == "1 exceeds delta: 1 > [0.333333, 0.666667] holds"
    assert str(Interval(1 / 3, 2 / 3)) == "0.333333 to 0.666667 (not proved)"
    assert str(Interval(1, 2, True, True)) == "1 to 2 (proved)"
    assert str(Interval(0, math.inf, True)) == "0 to inf (lower bound proved)"


def test_a_guarantee_prints_the_names_of_its_functions_and_hypothesis_only_its_name():
    own = Guarantee("own", "implication", "s", "", "", len, functools.partial(abs, 1), sampler=max, steer=None)
    assert "hypotheses=len, outcome=abs, " in repr(own)
    assert "sampler=max, steer=None" in repr(own)
    pytest.importorskip("hypothesis")
    assert repr(instances_of(own)).endswith("draws of 'own')")
