"""No certified bound crosses the exact value; and a campaign that would notice if one did."""

from fractions import Fraction

import exact_oracle
import numpy as np
import pytest

from benchmarks import no_false_certificate as campaign
from recovery.certificates import Certificate, checker, cholesky, dual, null_space, tight
from recovery.certificates import cholesky as gram
from recovery.certificates.certificate import exact, exact_matrix
from recovery.certificates.cholesky import GramEnclosure


def judge(outcomes):
    """The bars: nothing crossed, 99 % received, everything checked again valid, everything moved refused."""
    crossed = [one for one in outcomes if one.crossed]
    assert not crossed, crossed[:5]
    assert campaign.received(outcomes) >= 0.99
    checked = [one for one in outcomes if one.checked is not None]
    assert all(one.checked for one in checked)
    assert all(one.tampered_refused for one in checked)
    print(campaign.summary(outcomes))
    return checked


def test_no_false_certificate_among_three_hundred():
    outcomes = list(campaign.campaign(300))
    assert len(judge(outcomes)) >= 10
    assert len({one.family for one in outcomes}) >= len(campaign.FAMILIES)


@pytest.mark.slow
def test_no_false_certificate_among_two_thousand():
    outcomes = list(campaign.campaign(2000))
    checked = judge(outcomes)
    assert len(checked) >= 70
    assert len({one.family for one in outcomes}) >= len(campaign.FAMILIES)
    # never certifying much is no pass: where U was sought, bounds are near the truth
    sought = [one for one in outcomes if one.prover != "any symmetric" and not one.refused]
    for family in ("gaussian", "relu", "integers", "duplicated", "nearly dependent"):
        assert np.median([one.slack for one in sought if one.family == family]) <= 0.02
    for family in ("equicorrelated integers", "duplicated integers"):
        assert np.median([one.slack for one in sought if one.family == family]) == 0.0
    enumerated = [one for one in sought if one.prover == "enumeration" and one.family not in campaign.DEGENERATE]
    assert np.quantile([one.slack for one in enumerated], 0.99) <= 1e-11


@pytest.mark.slow
def test_no_false_certificate_among_twenty_thousand():
    outcomes = list(campaign.campaign(20_000, seed=1, solvers=600, null_space=600))
    checked = judge(outcomes)
    assert len(checked) >= 700
    assert sum(one.prover == "cvxpy" and not one.refused for one in outcomes) >= 1000
    assert sum(one.side == "alpha" for one in outcomes) >= 500


def test_the_independent_checker_agrees_with_the_oracle():
    accepted = refused = 0
    for number in range(152):
        rng = np.random.default_rng([5, number])
        A = np.asarray(list(campaign.FAMILIES.values())[number % 19](rng), dtype=np.float64)[:, :7]
        s = int(rng.integers(1, min(3, A.shape[1]) + 1))
        blocks = exact_oracle.Blocks(A, s)
        low, high, scale = blocks.values()
        for side, value in (("largest", high), ("smallest", low)):
            # at the extreme value, a hair away, or anywhere: no rounding of a prover keeps a distance here
            near = Fraction(round(value)) if rng.uniform() < 0.3 else Fraction(value)
            t = near * scale * (1 + Fraction(float(rng.choice([0.0, 1.0, -1.0]) * 10.0 ** rng.uniform(-18, 0))))
            claim, data = {"s": s, "bound": exact(t)}, {"A": exact_matrix(A)}
            by_enumeration = Certificate(f"{side}-eigenvalue", claim, data, {"method": "enumeration"}).check().valid
            assert by_enumeration == (blocks.crossed(side, t) is None)
            U = exact_matrix(campaign.any_symmetric(A, rng))
            by_dual = Certificate(f"{side}-eigenvalue", claim, data, {"method": "dual", "U": U}).check().valid
            assert by_enumeration or not by_dual
            accepted, refused = accepted + by_enumeration, refused + (not by_enumeration)
    assert min(accepted, refused) > 50


def broken_spread(monkeypatch):
    """The bound without s max|U|."""
    monkeypatch.setattr(dual, "_with_spread", lambda tau, U, s, side: dual.Fraction(tau))


def broken_rounding(monkeypatch):
    """No bound of rounding errors at all: a float factorisation is believed."""
    whole = gram.enclose_gram

    def believed(A):
        found = whole(A)
        return GramEnclosure(found.middle, 0.0 * found.radius, found.exponents)

    monkeypatch.setattr(dual, "enclose_gram", believed)
    monkeypatch.setattr(cholesky, "_lowered", lambda M, norm: np.array(M))


def broken_factorisation(monkeypatch):
    """A factorisation that looks at the diagonal alone."""
    monkeypatch.setattr(
        cholesky, "_succeeds", lambda work: (work[np.arange(len(work)), np.arange(len(work))] > 0).all(0)
    )


def broken_exactness(monkeypatch):
    """Exact arithmetic that calls everything semidefinite."""
    monkeypatch.setattr(tight, "is_positive_semidefinite", lambda M: True)


def broken_order(monkeypatch):
    """The bound of alpha_1 in place of that of alpha_s."""
    whole = null_space.proved_bound
    monkeypatch.setattr(null_space, "proved_bound", lambda A, Y, s: whole(A, Y, 1))


BROKEN = (broken_spread, broken_rounding, broken_factorisation, broken_exactness, broken_order)


@pytest.mark.parametrize("breaking", BROKEN, ids=lambda breaking: breaking.__name__)
def test_the_campaign_notices_what_is_broken(breaking, monkeypatch):
    breaking(monkeypatch)
    about_null_spaces = breaking is broken_order
    outcomes = campaign.campaign(190, solvers=0, null_space=190 if about_null_spaces else 0)
    assert any(one.crossed for one in outcomes)  # stops at the first


BESIDES = {"beyond": 60, "range": 60, "forged": 250}


@pytest.mark.slow
@pytest.mark.parametrize("kind", BESIDES)
def test_no_false_certificate_at_the_ends_of_what_numbers_can_be(kind):
    outcomes = list(campaign.piece(0, kind, 0, BESIDES[kind]))
    assert [one for one in outcomes if one.crossed] == []
    # refusing everything is no pass
    assert sum(not one.refused for one in outcomes) >= 0.1 * len(outcomes)
    assert len({one.family for one in outcomes}) >= {"beyond": 8, "range": 5, "forged": 1}[kind]


def rounded_lists(monkeypatch):
    """A gate that makes arrays before it looks at the numbers."""
    from recovery.operators import columns

    monkeypatch.setattr(
        columns,
        "check_exact",
        lambda A, name, **expected: columns.check_array(np.asarray(A, dtype=float), name, **expected),
    )


def forgetful_operators(monkeypatch):
    """Operators that round and do not say so."""
    from recovery.operators import columns

    monkeypatch.setattr(columns, "refuse_rounded", lambda A, proves=True: None)


def shown_to_nearest(monkeypatch):
    """A checker that prints numbers to nearest."""
    monkeypatch.setattr(checker, "_show", lambda value, up: f"{float(value):.4g}")


@pytest.mark.parametrize("breaking", [rounded_lists, forgetful_operators, shown_to_nearest])
def test_the_campaign_notices_a_gate_that_is_open(breaking, monkeypatch):
    breaking(monkeypatch)
    kind = "forged" if breaking is shown_to_nearest else "beyond"
    assert any(one.crossed for one in campaign.piece(0, kind, 0, 250))  # stops at the first


@pytest.mark.slow
def test_an_interrupted_campaign_goes_on_and_ends_as_one_that_was_not(tmp_path, capsys):
    wanted = campaign.pieces(30, 0, 4, 2, 2, 5)
    assert [stop - start for _, start, stop in wanted] == [26, 4, 2, 2, 5]
    whole = [one for part in wanted for one in campaign.piece(3, *part)]
    store = tmp_path / "pieces.jsonl"
    campaign.in_parallel(wanted[2:], 3, 1, store)
    store.write_text(store.read_text() + '[[3, "matrices", 0, 26], [{"fam')  # cut off
    assert repr(campaign.in_parallel(wanted, 3, 2, store)) == repr(whole)
    assert repr(campaign.in_parallel(wanted, 3, 1, store)) == repr(whole)
    assert capsys.readouterr().out.splitlines()[-1] == "5 of 5 pieces are stored"
