"""The ledger: what is counted, when a failure rate is too large, and the table."""

import math
from dataclasses import replace

import numpy as np
import pytest
import toy_guarantees as toy
from scipy.special import comb

from recovery import Instance, NoiseLaw
from recovery.guarantees import Guarantee, Tally, Verdict, draw, failure_rate_bound, ledger


def verdicts(check, conclusion, kind="implication", **more):
    """A guarantee that says what the options of an instance say."""

    def says(name):
        return lambda instance: Verdict(instance.options[name], instance.options[f"{name}_margin"], "")

    return Guarantee("says", kind, "", "", "", says(check), says(conclusion), **more)


def case(check, margin, conclusion, *, x=(1.0, 1.0), design="gaussian"):
    options = {"c": check, "c_margin": margin, "o": conclusion, "o_margin": 0.0, "design": design}
    return Instance.planted(np.eye(2), np.array(x), options=options)


CASES = [
    case("holds", 0.04, "holds"),
    case("holds", 0.05, "holds", x=(0.0, 1.0), design="toeplitz(rho=0.3)"),
    case("holds", 0.5, "unknown", design="toeplitz(rho=0.9)"),
    case("holds", 2.0, "fails"),
    case("holds", 0.01, "fails", x=(0.0, 0.0)),
    case("fails", -0.2, "holds", design="block"),
    case("fails", -0.1, "fails"),
    case("unknown", 1e-13, "fails"),
    case("unknown", math.nan, "holds"),
]


def test_what_is_counted():
    (tally,) = ledger([verdicts("c", "o")], CASES)
    assert (tally.instances, tally.held, tally.plural, tally.near, tally.trivial) == (9, 4, 3, 2, 1)
    assert (tally.concluded, tally.failed, tally.undecided) == (2, 1, 1)
    assert (tally.vacuous, tally.unknown, tally.vacuous_share) == (2, 2, pytest.approx(2 / 7))
    assert tally.designs == {"gaussian", "toeplitz"}
    assert (tally.tightest, tally.failed_up_to) == (-0.2, 2.0)
    assert tally.bounded
    # the instance with x = 0 contradicts as well as any other
    assert (tally.contradicted, tally.violations) == (2, 2)
    assert tally.examples == [CASES[3], CASES[4]]


def test_an_equivalence_is_contradicted_on_both_sides():
    (tally,) = ledger([verdicts("c", "o", "equivalence")], CASES)
    assert tally.violations == 3
    assert tally.examples == [CASES[3], CASES[4], CASES[5]]


def test_hypotheses_that_hold_although_they_are_proved_vacuous_are_violations():
    (tally,) = ledger([verdicts("c", "o", vacuous="proved in a dream")], CASES[:3])
    assert tally.violations == 3


def test_a_probability_is_violated_only_by_a_rate():
    few = [case("holds", 1.0, "fails")] * 2 + [case("holds", 1.0, "holds")] * 98
    many = [case("holds", 1.0, "fails")] * 40 + [case("holds", 1.0, "holds")] * 60
    rare = verdicts("c", "o", "probability", delta=0.1)
    assert ledger([rare], few).violations == 0
    assert ledger([rare], many).violations == 1
    assert ledger([rare], many)["says"].contradicted == 40
    assert ledger([verdicts("c", "o")], few).violations == 2


@pytest.mark.parametrize(("failures", "trials"), [(1, 1), (1, 20), (3, 20), (19, 20), (20, 20), (60, 400)])
@pytest.mark.parametrize("confidence", [0.95, 1 - 1e-6])
def test_the_bound_solves_the_binomial_sum(failures, trials, confidence):
    q = failure_rate_bound(failures, trials, confidence)
    tail = math.fsum(
        float(comb(trials, j, exact=True)) * q**j * (1 - q) ** (trials - j) for j in range(failures, trials + 1)
    )
    assert math.isclose(tail, 1 - confidence, rel_tol=1e-6)
    assert 0 < q <= failures / trials


def test_the_bound_of_nothing_and_wrong_counts():
    assert failure_rate_bound(0, 0) == failure_rate_bound(0, 1000) == 0.0
    with pytest.raises(ValueError, match="failures=3 is out of range"):
        failure_rate_bound(3, 2)
    with pytest.raises(ValueError, match="confidence=2"):
        failure_rate_bound(1, 2, 2)


def test_a_true_bound_passes_and_a_false_one_does_not():
    def instances(guarantee):
        return (draw(guarantee, seed) for seed in range(400))

    table = ledger([toy.tail_bound(0.1, 1.0), toy.tail_bound(0.1, 0.6)], instances)
    assert [tally.violations for tally in table] == [0, 1]
    assert table["tail-bound-0.6"].rate_bound > 0.1


def test_true_and_false_implications():
    def instances(guarantee):
        return (draw(guarantee, seed) for seed in range(300))

    table = ledger([toy.projection_bound(math.sqrt(2.0), name="true"), toy.projection_bound(1.0)], instances)
    assert table["true"].violations == 0
    assert table["true"].near >= 30
    assert len(table["true"].designs) >= 8
    assert -0.01 < table["true"].failed_up_to < 0.0  # sqrt 2 is tight: aimed noise fails just past it
    assert table["projection-bound-1"].violations > 10
    assert len(table["projection-bound-1"].examples) == 5


def test_rows_are_json_values_and_the_table_has_a_line_each():
    law = NoiseLaw("gaussian", 1.0)
    one = Instance.planted(np.eye(2), np.ones(2), law.draw(2, 0), law=law)
    exact = Guarantee(
        "exact", "implication", "", "", "", lambda i: Verdict.of(True, ""), lambda i: Verdict.of(True, "")
    )
    table = ledger([exact, toy.tail_bound(0.05, 1.0)], [one])
    record = table.records()[0]
    assert record["tightest"] is None
    assert record["designs"] == ["not named"]
    assert record["bounded"] is False
    lines = table.markdown().splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert "no boundary" in lines[2]
    assert "probability 1 - 0.05" in lines[3]
    assert str(table) == table.markdown()
    with pytest.raises(KeyError, match="there is no guarantee 'x' in this ledger; expected one of exact, tail"):
        table["x"]


def test_nothing_to_judge():
    (tally,) = ledger([verdicts("c", "o")], [])
    assert math.isnan(tally.vacuous_share)
    assert Tally(verdicts("c", "o")).record()["vacuous_share"] is None
    assert "-" in ledger([verdicts("c", "o")], []).markdown()


def test_a_ledger_may_attack_and_says_what_came_of_it():
    true, false = toy.coherence_bound(1 / 3, name="true"), toy.coherence_bound(0.5, name="false")
    alone = replace(true, name="alone", sampler=None)
    mute = replace(true, name="mute", outcome=lambda one: Verdict.unknown("mute"))
    vacuous = replace(true, name="vacuous", vacuous="shown")
    found = ledger([true, false, alone, mute, vacuous], [], evaluations=200)
    assert found["true"].attack.status == "survived"
    rows = {row.split("|")[1].strip(): row.split("|")[-2].strip() for row in found.markdown().splitlines()[2:]}
    counts = {name: found[name].attack for name in ("true", "false")}
    assert rows == {
        "true": f"survived {counts['true'].n_decided} of 200",
        "false": f"broken in {counts['false'].n_evaluations}",
        "alone": "-",
        "mute": "undecided in 200",
        "vacuous": "-",
    }
    assert (found["true"].violations, found["false"].violations, found.violations) == (0, 1, 1)
    assert ledger([true], [])["true"].attack is None
    with pytest.raises(ValueError, match="evaluations=-1"):
        ledger([true], [], evaluations=-1)
