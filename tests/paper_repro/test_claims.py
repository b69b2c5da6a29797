"""Claims: what is counted, and when one holds."""

import math

import pytest

from paper_repro import claims

LOW = {(1, 1): 1.0, (1, 2): 2.0, (2, 1): 3.0}
HIGH = {(1, 1): 4.0, (1, 2): 1.0, (2, 1): 9.0, (5, 5): -50.0}


def test_only_points_that_both_have_are_compared():
    found = claims.compare(HIGH, LOW)
    assert (found.cells, found.above, found.median_difference) == (3, 2, 3.0)
    assert found.text() == "above in 2 of 3 cells, median difference +3.0 dB"
    assert claims.compare(LOW, HIGH).median_difference == -3.0


def test_a_margin_is_allowed_for_and_named():
    assert claims.compare(HIGH, LOW, margin=3.0).above == 1  # 4 is not above 1 + 3
    assert claims.compare(HIGH, LOW, margin=-1.0).above == 2  # 1 is not above 2 - 1
    assert claims.compare(HIGH, LOW, margin=-1.1).above == 3
    text = claims.compare(HIGH, LOW, margin=-3.0).text("dB", 2)
    assert text == "above, or less than 3 dB below, in 3 of 3 cells, median difference +3.00 dB"
    assert "above by 3 dB in 1 of 3" in claims.compare(HIGH, LOW, margin=3.0).text()


def test_ties_are_counted_besides_and_change_no_verdict():
    found = claims.compare({(1, 1): 1.0, (1, 2): 2.0, (1, 3): 9.0}, {(1, 1): 0.5, (1, 2): 3.0, (1, 3): 2.0}, tie=1.0)
    assert (found.above, found.level) == (2, 2)
    assert found.text() == "above in 2 of 3 cells (within 1 dB of each other in 2), median difference +0.5 dB"
    assert claims.compare(HIGH, LOW).level is None


def test_infinities_are_equal_to_each_other():
    found = claims.compare({(1, 1): math.inf, (1, 2): math.inf}, {(1, 1): math.inf, (1, 2): 3.0})
    assert (found.cells, found.above) == (2, 1)
    assert found.median_difference == math.inf


@pytest.mark.parametrize(("above", "cells", "expected"), [(0, 0, None), (2, 4, False), (3, 4, True), (1, 1, True)])
def test_most_is_more_than_half(above, cells, expected):
    assert claims.most(claims.Comparison(cells, above, 0.0)) is expected
    words = {None: claims.NOT_MEASURED, False: claims.NOT_HELD, True: claims.HELD}
    assert claims.verdict(expected) == words[expected]


def test_nothing_in_common_is_said():
    found = claims.compare({(1, 1): 1.0}, {(2, 2): 1.0})
    assert found.text() == "no common cells"
    assert math.isnan(found.median_difference)


def test_slopes_are_per_ten_times_the_width():
    line = {(m, s): s + 7 * math.log10(m) for m in (1, 10, 50, 200) for s in (5, 20)}
    found = claims.slopes_per_decade({**line, (1, 9): 3.0, (2, 9): 4.0, (1000, 5): math.inf})
    assert found == {5: pytest.approx(7), 20: pytest.approx(7)}  # two widths give no slope, infinities do not count


def test_a_verdict_is_on_the_released_method_and_both_are_reported():
    values = {
        "released": {(1, 1): 10.0, (1, 2): 10.0},
        "repaired": {(1, 1): 30.0, (1, 2): 30.0},
        "imp-paper": {(1, 1): 0.0, (1, 2): 0.0},
        "imp-fair": {(1, 1): 20.0, (1, 2): 20.0},
    }
    found = claims.against("Figure 0", "IHT is above IMP.", "more than half", values.__getitem__)
    assert (found.verdict, found.fair) == (claims.HELD, claims.NOT_HELD)
    assert "IHT as released: above in 2 of 2 cells, median difference +10.0 dB" in found.measured
    assert "IHT, repaired: above in 2 of 2 cells, median difference +10.0 dB" in found.fair_measured
    assert "IHT as released: above in 0 of 2 cells, median difference -10.0 dB" in found.fair_measured
    assert found.as_dict()["rule"] == "more than half"
    missing = claims.against("Figure 0", "c", "r", lambda method: {} if method == "imp-paper" else values[method])
    assert (missing.verdict, missing.fair) == (claims.NOT_MEASURED, claims.NOT_HELD)
    assert "no common cells" in missing.measured
    assert claims.against("Figure 0", "c", "r", values.__getitem__, margin=-11.0).fair == claims.HELD
