"""Table 2 and the claims of tables 1 and 2."""

from __future__ import annotations

import math

import fabricated
import pytest

import figures
from paper_repro import experiment as experiments
from paper_repro.claims import HELD, NOT_HELD, NOT_MEASURED
from paper_repro.experiments import table1, table2
from paper_repro.experiments.table1_claims import convergence_claim, median_step, psnr_claims, rank_correlation
from paper_repro.store import Record


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


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ({1: [20, 30, 25], 2: [40, 41, 42], 100: [None, None, 90]}, HELD),
        ({1: [20], 2: [20], 5: [21]}, HELD),
        ({1: [20], 2: [20]}, NOT_HELD),
        ({1: [30], 2: [20], 5: [100]}, NOT_HELD),
        ({1: [30], 2: [None], 5: [100]}, NOT_HELD),
        ({1: [30], 2: [None], 5: [None]}, NOT_MEASURED),
        ({1: [], 2: []}, NOT_MEASURED),
    ],
)
def test_the_claim_of_table_2(steps, expected):
    claim = convergence_claim(steps, 200, "n=10")
    assert claim.verdict == expected
    assert ("not within 200 steps" in claim.measured) == any(
        runs and sum(step is None for step in runs) * 2 > len(runs) for runs in steps.values()
    )


def test_the_claims_of_table_1_are_judged_in_db_at_the_papers_size_alone():
    psnr = {1: [161.0, 162.0], 2: [161.0, 170.0], 5: [36.0, 37.0], 100: [20.0, 19.0]}
    steps = {1: [60, 70], 2: [80, 90], 5: [130, None], 100: [None, None]}
    at_size = psnr_claims(psnr, steps, 100, 400, "n=50,000", True)
    assert [claim.verdict for claim in at_size] == [HELD, HELD, HELD]
    elsewhere = psnr_claims(psnr, steps, 100, 400, "n=4,000", False)
    assert [claim.verdict for claim in elsewhere] == [NOT_MEASURED, HELD, NOT_MEASURED]
    assert "k=5 36.5 dB" in elsewhere[0].measured
    worse = psnr_claims({**psnr, 2: [161.0, 30.0], 100: [30.0]}, {**steps, 5: [75, 75]}, 100, 400, "", True)
    assert [claim.verdict for claim in worse] == [NOT_HELD, NOT_HELD, NOT_HELD]
    cut = psnr_claims(psnr, {**steps, 1: [None, None], 5: [None]}, 100, 400, "", True)
    assert cut[1].verdict == NOT_MEASURED
    assert [claim.verdict for claim in psnr_claims({}, {}, 100, 400, "", True)] == [NOT_MEASURED] * 3


def made_up(preset, settled):
    experiment = experiments.get("table2")
    return [
        Record(experiment.cell(cell), "done", "", {"settled": settled(cell)}) for cell in experiment.cells(preset, 0)
    ]


def test_the_table_shows_medians_ranges_and_what_was_cut_off():
    def settled(cell):
        if cell.method == "repaired":
            return 7 + cell.seed
        return None if cell.k == 100 or (cell.k, cell.seed) == (5, 2) else 10 * cell.k + cell.seed

    summary = table2.summarise("quick", 0, made_up("quick", settled))
    rows = {tuple(row[:3]): row[3:] for row in summary["table"]["rows"]}
    assert rows["released", "float32", 2] == [21.0, 20, 22, "3/3", "other size"]
    assert rows["released", "float32", 5] == [51.0, 50, "not within 200", "2/3", "other size"]
    assert rows["released", "float32", 100] == [
        "not within 200",
        "not within 200",
        "not within 200",
        "0/3",
        "other size",
    ]
    assert summary["claims"][0]["verdict"] == HELD
    assert summary["medians"]["released"]["float64"][-1] is None
    assert summary["paper"] == []
    assert table2.summarise("paper", 0, [])["paper"] == [{"k": 5, "step": 135}]
    assert table2.summarise("paper", 0, [])["claims"][0]["verdict"] == NOT_MEASURED


def test_the_drawing_has_a_point_a_run_and_hollow_ones_where_cut_off(results):
    found = results("table2", "quick")
    figure = figures.draw("table2", found)
    panel = figure.axes[0]
    assert panel.get_title() == "IHT as released"
    hollow = [one for one in panel.collections if len(one.get_offsets()) and (one.get_facecolor()[0][:3] == 1).all()]
    counts = sum(len(one.get_offsets()) for one in panel.collections)
    assert counts == 2 * 5 * 3
    # the made-up runs are cut off for k >= 20
    assert sum(len(one.get_offsets()) for one in hollow) == 2 * 2 * 3
    assert "step at which the" in panel.get_ylabel()
    assert len(fabricated.records("table2", "smoke")) == len(table1.cells("smoke", 0))
