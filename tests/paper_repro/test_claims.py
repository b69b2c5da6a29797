"""Claims: what is counted, and when one holds."""

import math

import pytest

from paper_repro import claims, verdicts

LOW = {(1, 1): {0: 1.0}, (1, 2): {0: 2.0}, (2, 1): {0: 3.0}}
HIGH = {(1, 1): {0: 4.0}, (1, 2): {0: 1.0}, (2, 1): {0: 9.0}, (5, 5): {0: -50.0}}


def grid(value, cells=9, seeds=3):
    """Return trials on a grid, with ``value(cell, seed)``."""
    return {(cell, 1): {seed: value(cell, seed) for seed in range(seeds)} for cell in range(cells)}


def test_only_trials_that_both_have_are_compared():
    found = claims.compare(HIGH, {**LOW, (1, 1): {0: 1.0, 7: 99.0}})
    assert (found.trials, found.above, found.median_difference) == (3, 2, 3.0)
    assert found.text().startswith(
        "above in 2 of 3 pairs of fits at 3 pairs (m, s), tied within 0 dB in 0, below in 1; "
    )
    assert found.text().endswith("median difference +3.0 dB")
    assert claims.compare(LOW, HIGH).median_difference == -3.0


def test_a_margin_is_allowed_for_and_named():
    assert claims.compare(HIGH, LOW, margin=2.9).above == 2
    assert claims.compare(HIGH, LOW, margin=3.0).share.value == 0.5  # 4 is level with 1 + 3
    assert claims.compare(HIGH, LOW, margin=-1.1).above == 3
    text = claims.compare(HIGH, LOW, margin=-3.0, tie=3.0).text("dB", 2)
    assert text.startswith(
        "difference above -3 dB in 2 of 3 pairs of fits at 3 pairs (m, s), tied within 3 dB of that in 1, below in 0; "
    )
    assert text.endswith("median difference +3.00 dB")
    assert (
        "difference above +3 dB in 1 of 3 pairs of fits at 3 pairs (m, s), tied within 0 dB of that in 1, below in 1;"
        in claims.compare(HIGH, LOW, margin=3.0).text()
    )


def test_level_fits_count_half():
    first = {(1, 1): {0: 1.0}, (1, 2): {0: 2.0}, (1, 3): {0: 9.0}}
    found = claims.compare(first, {(1, 1): {0: 0.5}, (1, 2): {0: 3.0}, (1, 3): {0: 2.0}}, tie=1.0)
    assert (found.above, found.level, found.share.value) == (1, 2, pytest.approx(2 / 3))
    assert "above in 1 of 3 pairs of fits at 3 pairs (m, s), tied within 1 dB in 2, below in 0; " in found.text()
    text = found.text(unit="", digits=3)
    assert ", tied within 1 in 2, below in 0;" in text
    assert text.endswith("median difference +0.500")


def test_ties_of_two_exact_fits_are_counted_apart():
    first = {(1, 1): {0: 150.0, 1: 150.0, 2: 150.0}, (1, 2): {0: 149.5, 1: 20.0, 2: 10.0}}
    second = {(1, 1): {0: 150.0, 1: 150.0, 2: 30.0}, (1, 2): {0: 150.0, 1: 20.5, 2: 30.0}}
    found = claims.compare(first, second, tie=1.0, exact=150.0)
    assert (found.above, found.level, found.exact) == (1, 4, 2)
    assert ", tied within 1 dB in 4 (both exact in 2), below in 1; " in found.text()
    assert claims.compare(first, second, tie=1.0).exact is None


def test_infinities_are_equal_to_each_other():
    found = claims.compare({(1, 1): {0: math.inf}, (1, 2): {0: math.inf}}, {(1, 1): {0: math.inf}, (1, 2): {0: 3.0}})
    assert (found.trials, found.above, found.level) == (2, 1, 1)
    assert found.median_difference == math.inf


def test_nothing_in_common_is_said():
    found = claims.compare({(1, 1): {0: 1.0}}, {(2, 2): {0: 1.0}})
    assert found.text() == "no pair of fits to compare"
    assert math.isnan(found.median_difference)


def test_a_difference_that_is_rounded_to_0_has_no_sign():
    for value in (-0.01, 0.0, 0.01):
        found = claims.compare({1: {0: value}}, {1: {0: 0.0}}, tie=1.0)
        assert found.text().endswith("median difference 0.0 dB")


def test_slopes_are_per_ten_times_the_width_for_each_seed():
    line = {(m, s): {seed: s + (7 + seed) * math.log10(m) for seed in (0, 1)} for m in (1, 10, 50) for s in (5, 20)}
    found = claims.slopes_per_decade({**line, (1, 9): {0: 3.0}, (2, 9): {0: 4.0}, (1000, 5): {0: math.inf}})
    slopes = {0: pytest.approx(7), 1: pytest.approx(8)}
    assert found == {5: slopes, 20: slopes}  # two widths give no slope, infinities do not count
    assert claims.slopes_per_decade({(2, *key): value for key, value in line.items()}) == {
        (2, 5): slopes,
        (2, 20): slopes,
    }


def judged(values, **options):
    return claims.against("Figure 0", "IHT is above IMP.", "the rule", values.__getitem__, data="these", **options)


def test_a_verdict_is_on_the_released_method_and_both_are_reported():
    values = {
        "paper": grid(lambda cell, seed: 10.0),
        "robust": grid(lambda cell, seed: 30.0),
        "imp-paper": grid(lambda cell, seed: 0.0),
        "imp-fair": grid(lambda cell, seed: 20.0),
    }
    found = judged(values)
    assert (found.verdict, found.fair) == (claims.HELD, claims.NOT_HELD)
    assert (
        found.measured
        == "IHT as in the paper: above in 27 of 27 pairs of fits at 9 pairs (m, s), tied within 0 dB in 0, "
        "below in 0; median difference +10.0 dB"
    )
    assert found.other.startswith("IHT, robust: above in 27 of 27")
    assert found.fair_other.startswith("IHT, robust: above in 27 of 27")
    assert found.fair_other.endswith("; share 1.00 [1.00, 1.00]")  # no limit, as it is not judged
    assert "IHT as in the paper: above in 0 of 27" in found.fair_measured
    assert (found.interval, found.fair_interval) == (
        "share 1.00 [1.00, 1.00], limit 0.50",
        "share 0.00 [0.00, 0.00], limit 0.50",
    )
    assert found.as_dict()["rule"] == "the rule"
    assert (found.data, found.basis) == ("these", verdicts.BASIS)
    missing = judged({**values, "imp-paper": {}})
    assert (missing.verdict, missing.fair) == (claims.NOT_MEASURED, claims.NOT_HELD)
    assert "no pair of fits to compare" in missing.measured
    assert missing.interval == ""
    assert judged(values, margin=-11.0).fair == claims.HELD


def test_half_of_the_cells_is_too_close_to_call():
    values = {
        "paper": grid(lambda cell, seed: 10.0 if cell < 5 else -10.0),
        "robust": {},
        "imp-paper": grid(lambda cell, seed: 0.0),
        "imp-fair": {},
    }
    found = judged(values)
    assert (found.verdict, found.fair) == (claims.TOO_CLOSE, claims.NOT_MEASURED)


def test_further_conditions_must_hold_too():
    values = dict.fromkeys(("paper", "robust"), grid(lambda cell, seed: 1.0))
    values |= dict.fromkeys(("imp-paper", "imp-fair"), grid(lambda cell, seed: 0.0))

    def never(first, second):
        return verdicts.Measured(-1.0, -2.0, -0.5, 0.0, 9, 3), "never"

    found = judged(values, beside={"worst": never})
    assert found.verdict == claims.NOT_HELD
    assert found.measured.count("never") == found.other.count("never") == 1
    assert found.interval.endswith("; worst -1.00 [-2.00, -0.50], limit 0.00")
