"""Table 2 and the claims of tables 1 and 2."""

from __future__ import annotations

import math

import fabricated
import pytest

import figures
from paper_repro import experiment as experiments
from paper_repro.experiments import table1
from paper_repro.experiments.table1 import convergence_claim, median_step, psnr_claims, rank_correlation
from paper_repro.store import Record
from paper_repro.verdicts import BASIS_SEEDS, HELD, NOT_HELD, NOT_MEASURED, TOO_CLOSE


def test_it_shares_the_cells_of_table_1():
    one, two = experiments.get("table1"), experiments.get("table2")
    for preset in two.presets:
        assert [two.cell(cell) for cell in two.cells(preset, 0)] == [one.cell(cell) for cell in one.cells(preset, 0)]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [([3, 1, 2], 2.0), ([3, None, 2], 3.0), ([3, None, None], None), ([4, None], None), ([0], 0.0)],
)
def test_a_run_that_was_cut_off_is_later_than_every_step(steps, expected):
    assert median_step(steps) == expected


def test_median_and_rank_correlation_without_runs():
    assert math.isnan(median_step([]))
    assert math.isnan(rank_correlation({1: [3, 4], 2: [None, None]}))
    assert math.isnan(rank_correlation({1: [3], 2: [3]}))
    assert rank_correlation({1: [3, 4], 2: [5, 6], 5: [None]}) == pytest.approx(4 / math.sqrt(4 * 5))
    assert rank_correlation({1: [9], 2: [5], 5: [1]}) == pytest.approx(-1.0)


def by_seed(runs):
    """Return k -> seed -> step of lists of runs."""
    return {k: dict(enumerate(steps)) for k, steps in runs.items()}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ({1: [20, 30, 25] * 3, 2: [40, 41, 42] * 3, 100: [None, None, 90] * 3}, HELD),
        ({1: [20] * 9, 2: [20] * 9, 5: [21] * 9}, TOO_CLOSE),  # equal steps speak for neither
        ({1: [30] * 9, 2: [20] * 9, 5: [100] * 9}, NOT_HELD),
        ({1: [30] * 9, 2: [None] * 9, 5: [100] * 9}, NOT_HELD),
        ({1: [30] * 9, 2: [None] * 9, 5: [None] * 9}, TOO_CLOSE),
        ({1: [20] * 3, 2: [30] * 3}, TOO_CLOSE),  # three networks decide nothing
        ({1: [20] * 6, 2: [30] * 6}, HELD),
        ({1: [20, 30] * 5, 2: [30, 20] * 5}, TOO_CLOSE),
        ({1: [], 2: []}, NOT_MEASURED),
    ],
)
def test_the_claim_of_table_2(steps, expected):
    claim = convergence_claim(by_seed(steps), 200, "n=10", "which networks")
    assert claim.verdict == expected
    assert (claim.data, claim.basis) == ("which networks", BASIS_SEEDS)
    assert ("not within 200 steps" in claim.measured) == any(
        runs and sum(step is None for step in runs) * 2 > len(runs) for runs in steps.values()
    )


def test_the_claims_of_table_1_are_judged_in_db_at_the_papers_size_alone():
    psnr = by_seed({1: [161.0, 162.0] * 5, 2: [161.0, 170.0] * 5, 5: [36.0, 37.0] * 5, 100: [20.0, 19.0] * 5})
    steps = by_seed({1: [60, 70] * 5, 2: [80, 90] * 5, 5: [130, None] * 5, 100: [None, None] * 5})

    def found(psnr, steps, full_size=True):
        made = psnr_claims(psnr, steps, 100, 400, size="n=50,000", data="which networks", full_size=full_size)
        assert {claim.data for claim in made} == {"which networks"}
        return made

    assert [claim.verdict for claim in found(psnr, steps)] == [HELD, HELD, HELD]
    elsewhere = found(psnr, steps, False)
    assert [claim.verdict for claim in elsewhere] == [NOT_MEASURED, HELD, NOT_MEASURED]
    assert "k=5 36.5 dB" in elsewhere[0].measured
    assert elsewhere[0].interval == ""
    assert elsewhere[1].interval == "smallest share 1.00 [1.00, 1.00], limit 0.50"
    changed = {**psnr, **by_seed({2: [30.0] * 10, 100: [30.0] * 10})}
    assert [claim.verdict for claim in found(changed, {**steps, **by_seed({5: [75] * 10})})] == [NOT_HELD] * 3
    # a run that ends at 161 or at 30 dB by its last bits decides nothing
    assert found({**psnr, **by_seed({2: [161.0, 30.0] * 5})}, steps)[0].verdict == TOO_CLOSE
    three = [{k: dict(list(runs.items())[:3]) for k, runs in part.items()} for part in (psnr, steps)]
    assert [claim.verdict for claim in found(*three)] == [TOO_CLOSE] * 3
    assert [claim.verdict for claim in found({}, {})] == [NOT_MEASURED] * 3


def made_up(preset, settled):
    experiment = experiments.get("table2")
    return [
        Record(experiment.cell(cell), "done", "", {"settled": settled(cell)}) for cell in experiment.cells(preset, 0)
    ]


def test_the_table_shows_medians_ranges_and_what_was_cut_off():
    def settled(cell):
        if cell.method == "robust":
            return 7 + cell.seed
        return None if cell.k == 100 or (cell.k, cell.seed) == (5, 2) else 10 * cell.k + cell.seed

    summary = table1.TABLE2.summarise("quick", 0, made_up("quick", settled))
    rows = {tuple(row[:3]): row[3:] for row in summary["table"]["rows"]}
    assert rows["paper", "float32", 1] == [11.0, 10, 12, "3/3", "other size"]
    assert rows["paper", "float32", 5] == [51.0, 50, "not within 200", "2/3", "other size"]
    assert rows["paper", "float32", 100] == [
        "not within 200",
        "not within 200",
        "not within 200",
        "0/3",
        "other size",
    ]
    (claim,) = summary["claims"]
    assert (claim["verdict"], claim["interval"][:19]) == (TOO_CLOSE, "smallest share 0.83")  # seed 2 from k = 5 to 100
    assert "3 planted networks, n=4,000" in claim["data"]
    assert summary["medians"]["paper"]["float64"][-1] is None
    assert summary["paper"] == []
    assert table1.TABLE2.summarise("paper", 0, [])["paper"] == [{"k": 5, "step": 135}]
    assert table1.TABLE2.summarise("paper", 0, [])["claims"][0]["verdict"] == NOT_MEASURED


def test_the_drawing_has_a_point_a_run_and_hollow_ones_where_cut_off(results):
    found = results("table2", "quick")
    figure = figures.draw("table2", found)
    panel = figure.axes[0]
    assert panel.get_title() == "IHT as in the paper"
    hollow = [one for one in panel.collections if len(one.get_offsets()) and (one.get_facecolor()[0][:3] == 1).all()]
    counts = sum(len(one.get_offsets()) for one in panel.collections)
    assert counts == 2 * 3 * 3
    # the made-up runs are cut off for k >= 20
    assert sum(len(one.get_offsets()) for one in hollow) == 2 * 1 * 3
    assert "step at which the" in panel.get_ylabel()
    assert len(fabricated.records("table2", "smoke")) == len(table1.cells("smoke", 0))
