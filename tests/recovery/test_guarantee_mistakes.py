"""Mistakes in a user's guarantee: each gives a message that names the guarantee and what was expected."""

import dataclasses
import math
import re

import numpy as np
import pytest

from recovery import Instance
from recovery.guarantees import Guarantee, Verdict, all_of, attack, draw, exceeds, ledger, linear_instance
from recovery.testing import assert_guarantee

ONE = Instance.planted(np.eye(2), np.array([1.0, 0.0]))


def sampler(rng):
    return linear_instance(rng, n_range=(4, 8), d_range=(3, 6), k_range=(1, 2))


def fine(instance):
    return exceeds(float(np.linalg.norm(instance.x)), 1e-300, "|x| > 0")


MINE = Guarantee("mine", "implication", "Something.", "me", "none", fine, fine, sampler=sampler)
PLACES = ["hypotheses", "outcome"]


def asked(guarantee, seed=3):
    """Every way of asking a guarantee."""
    yield lambda: guarantee.judge(draw(guarantee, seed, steered=False))
    yield lambda: assert_guarantee(guarantee, draw(guarantee, seed, steered=False))
    yield lambda: ledger([guarantee], [draw(guarantee, seed, steered=False)])
    yield lambda: attack(guarantee, evaluations=20, rng=seed)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (True, "returned True, of type bool.*Verdict.of\\(truth, reason\\) turns a bool into one, without a margin"),
        (np.bool_(False), "returned .*of type bool.*Verdict.of"),
        (None, "returned None.*is a return statement missing"),
        ("holds", "returned 'holds', of type str"),
        ((Verdict.of(True, ""),), "returned .*of type tuple"),
        (1.5, "returned 1.5, of type float"),
    ],
)
def test_what_is_no_verdict_is_refused_with_the_name(place, value, sentence):
    wrong = dataclasses.replace(MINE, **{place: lambda instance: value})
    for ask in asked(wrong):
        with pytest.raises(TypeError, match=f"the {place} of guarantee 'mine' {sentence}.*expected a .*Verdict"):
            ask()
    with pytest.raises(TypeError, match="instance of seed 3"):
        wrong.judge(draw(wrong, 3, steered=False))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", [KeyError, TypeError, ZeroDivisionError, ValueError])
def test_an_exception_names_the_guarantee_the_instance_and_the_seed(place, kind):
    def breaks(instance):
        raise kind("on purpose")

    wrong = dataclasses.replace(MINE, **{place: breaks})
    instance = draw(MINE, 5, steered=False)
    for ask in (lambda: wrong.judge(instance), lambda: ledger([wrong], [instance])):
        with pytest.raises(kind, match="on purpose") as caught:
            ask()
        (note,) = caught.value.__notes__
        assert note.startswith(f"raised by the {place} of guarantee 'mine' on Instance({instance.shape[0]} x ")
        assert "(instance of seed 5)" in note
        there = {}
        exec(note[note.index("import numpy") :], there)
        assert np.array_equal(there["instance"].matrix, instance.matrix)
        assert np.array_equal(there["instance"].y, instance.y)
    with pytest.raises(kind, match="on purpose") as caught:
        attack(wrong, evaluations=20, rng=7)
    assert re.search(r"in the attack on 'mine', at instance \d+; the seed 7 reproduces it", caught.value.__notes__[-1])


def test_a_large_instance_is_not_written_out():
    def breaks(instance):
        raise KeyError("lam")

    wrong = dataclasses.replace(MINE, hypotheses=breaks)
    with pytest.raises(KeyError) as caught:
        wrong.check(Instance.planted(np.ones((30, 30)), np.ones(30)))
    assert caught.value.__notes__ == [
        "raised by the hypotheses of guarantee 'mine' on Instance(30 x 30 array, y, x, noise, sparsity=30)"
    ]


@pytest.mark.parametrize(
    ("needs", "meant"),
    [
        (("x", "nosie"), "noise"),
        (("Y",), "y"),
        (("X", "noise"), "x"),
        (("nois",), "noise"),
        (("sparsty",), "sparsity"),
        (("option",), "options"),
    ],
)
def test_a_misspelt_field_is_refused_at_once(needs, meant):
    with pytest.raises(ValueError, match=f"not a field of an Instance; did you mean '{meant}'"):
        dataclasses.replace(MINE, needs=needs)


@pytest.mark.parametrize("name", ["lam", "tau", "t", "noise_bound", "flow_time", "x0_scale", "size"])
def test_names_of_options_are_not_taken_for_misspelt_fields(name):
    assert dataclasses.replace(MINE, needs=("x", name)).needs == ("x", name)


def test_an_option_that_the_sampler_does_not_draw_is_refused():
    wrong = dataclasses.replace(MINE, needs=("x", "bound"))
    for ask in (lambda: draw(wrong, 0), lambda: attack(wrong, evaluations=5, rng=0)):
        with pytest.raises(
            ValueError, match=r"'mine' has 'bound', which is neither a field .*\(their options: design\)"
        ):
            ask()
    assert wrong.check(ONE).reason == (
        "bound is not given for this instance; it is not a field, and the options are none"
    )
    assert (
        dataclasses.replace(wrong, sampler=lambda rng: sampler(rng).with_options(bound=1.0))
        .drawn(np.random.default_rng(0))
        .options["bound"]
        == 1.0
    )


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"hypotheses": Verdict.of(True, "")}, TypeError, "hypotheses=Verdict.*expected a function of an Instance"),
        ({"outcome": None}, TypeError, "outcome=None is of type NoneType; expected a function"),
        ({"sampler": ONE}, TypeError, "sampler=Instance.*expected a function of a numpy.random.Generator"),
        ({"needs": "noise"}, TypeError, "needs='noise' is not a tuple of strings"),
        ({"needs": ("x", 1)}, TypeError, "is not a tuple of strings"),
        ({"scales": "data"}, TypeError, "scales='data' is not a tuple of strings"),
        ({"scales": ("rows",)}, ValueError, "scales='rows' is not known"),
        ({"name": " "}, ValueError, "is empty; expected a short name"),
        ({"name": None}, TypeError, "name=None is not a string"),
        ({"statement": 3}, TypeError, "statement=3 is not a string"),
    ],
)
def test_parts_that_do_not_fit_are_refused_at_once(changes, error, sentence):
    with pytest.raises(error, match=sentence):
        dataclasses.replace(MINE, **changes)


@pytest.mark.parametrize("value", [None, [ONE], (ONE.A, ONE.y)])
def test_a_sampler_that_returns_no_instance_is_refused(value):
    wrong = dataclasses.replace(MINE, sampler=lambda rng: value)
    for ask in (lambda: draw(wrong, 0), lambda: attack(wrong, evaluations=5, rng=0)):
        with pytest.raises(TypeError, match=r"of guarantee 'mine' returned .*expected a recovery\.Instance"):
            ask()


def test_a_sampler_that_raises_is_named_with_the_seed():
    def breaks(rng):
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError) as caught:
        draw(dataclasses.replace(MINE, sampler=breaks), 11)
    assert caught.value.__notes__ == [
        "raised by the sampler of guarantee 'mine'",
        "while drawing the instance of seed 11",
    ]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Verdict("holds", None, "why"), "margin=None is of type NoneType; expected a number"),
        (lambda: Verdict("holds", "why", 1.0), "margin='why' is of type str"),
        (lambda: Verdict("holds", True, "why"), "margin=True is of type bool"),
        (lambda: Verdict("holds", 1.0, None), "reason=None is of type NoneType; expected a sentence"),
        (lambda: Verdict.of(None, "why"), "truth=None is of type NoneType; expected True or False"),
        (lambda: Verdict.of(np.array([True, False]), "why"), "truth=array.*expected True or False"),
        (lambda: all_of([Verdict.of(True, ""), True]), "verdicts has True, of type bool; expected only Verdicts"),
        (lambda: exceeds(None, 1.0, "why"), "left=None is of type NoneType; expected a number"),
        (lambda: exceeds(1.0, np.ones(2), "why"), "right=array.*expected a number"),
        (lambda: exceeds(1.0, "2", "why"), "right='2' is of type str; expected a number"),
    ],
)
def test_verdicts_of_wrong_parts_are_refused(make, sentence):
    with pytest.raises(TypeError, match=sentence):
        make()


def test_numbers_of_every_kind_are_margins():
    for margin in (1, 1.0, np.float32(0.5), np.int64(2), math.inf, math.nan):
        assert Verdict("holds", margin, "").status == "holds"


@pytest.mark.parametrize(("truth", "margin"), [(True, -0.3), (False, 0.3), (np.bool_(True), -math.inf)])
def test_a_margin_whose_sign_contradicts_the_truth_is_refused(truth, margin):
    with pytest.raises(ValueError, match=f"margin={margin!r} does not fit truth={bool(truth)}; expected at least 0"):
        Verdict.of(truth, "why", margin)


def test_margins_that_fit_are_kept():
    for truth, margin in ((True, 0.0), (True, 0.3), (False, 0.0), (False, -0.3)):
        assert Verdict.of(truth, "why", margin).margin == margin
    assert math.isnan(Verdict.of(True, "why", math.nan).margin)


def test_what_is_no_guarantee_may_be_a_users_own():
    with pytest.raises(
        TypeError, match="guarantee=3 is of type int; expected a Guarantee, from a catalogue or your own"
    ):
        attack(3)


@pytest.mark.parametrize("name", ["two\nlines", "tab\there", "a" * 101, "bell\a"])
def test_a_name_that_would_break_a_table_or_a_file_is_refused(name):
    with pytest.raises(ValueError, match=r"expected a short name, at most 100 printable characters"):
        dataclasses.replace(MINE, name=name)


def test_a_bar_in_a_name_does_not_break_the_table():
    found = ledger([dataclasses.replace(MINE, name="|x| > 0")], [ONE])
    head, _, row = found.markdown().splitlines()
    assert row.replace("\\|", "").count("|") == head.count("|")
    assert "| \\|x\\| > 0 |" in row
