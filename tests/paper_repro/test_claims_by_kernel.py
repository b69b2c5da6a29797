"""The comparison of claims under two kernels: what it prints, what counts as a flip, and its exit code."""

from types import SimpleNamespace

import fabricated
import pytest

from benchmarks import claims_by_kernel
from paper_repro.verdicts import HELD, NOT_HELD, NOT_MEASURED, TOO_CLOSE


def results(verdict, fair="does not apply", psnr=(30.0,)):
    claim = {"figure": "Figure 1", "claim": "a > b", "data": "these", "verdict": verdict, "fair": fair}
    claim |= {"interval": f"share of {verdict}", "fair_interval": ""}
    rows = [{"key": str(place), "psnr_db": value} for place, value in enumerate(psnr)]
    return SimpleNamespace(meta={"summary": {"claims": [claim]}}, records=rows)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (HELD, HELD, (0, 0)),
        (HELD, NOT_HELD, (1, 0)),
        (NOT_HELD, HELD, (1, 0)),
        (HELD, TOO_CLOSE, (0, 1)),
        (TOO_CLOSE, NOT_MEASURED, (0, 1)),
    ],
)
def test_what_counts_as_a_flip(first, second, expected):
    found = list(claims_by_kernel.compare(results(first), results(second)))
    assert [one["verdicts"] for one in found] == [(first, second)]  # IMP has no part in it, so once
    assert found[0]["intervals"] == (f"share of {first}", f"share of {second}")
    assert claims_by_kernel.flips(found) == expected


def test_both_rivals_are_compared_and_what_was_never_measured_is_left_out():
    found = list(claims_by_kernel.compare(results(HELD, NOT_HELD), results(HELD, HELD)))
    assert [one["rival"] for one in found] == ["the paper's IMP, or none", "fair IMP"]
    assert claims_by_kernel.flips(found) == (1, 0)
    assert list(claims_by_kernel.compare(results(NOT_MEASURED), results(NOT_MEASURED))) == []


def test_fits_that_moved_are_counted():
    first, second = results(HELD, psnr=(164.0, 30.0, float("inf"), 7.0)), results(HELD, psnr=(21.0, 30.4, float("inf")))
    assert claims_by_kernel.moved(first, second) == (1, 3)
    assert claims_by_kernel.moved(results(HELD, psnr=(float("inf"),)), results(HELD, psnr=(160.0,))) == (1, 1)


def test_it_prints_a_table_and_exits_1_on_a_flip(tmp_path, capsys, monkeypatch):
    folders = [tmp_path / "haswell", tmp_path / "skylakex"]
    arguments = [*map(str, folders), "--preset", "smoke"]
    assert claims_by_kernel.main(arguments) == 1
    assert "no claims of preset smoke in both folders" in capsys.readouterr().err
    for folder in folders:
        fabricated.fill(folder, "fig1", "smoke")
    assert claims_by_kernel.main(arguments) == 0
    out = capsys.readouterr().out
    assert "haswell: verdict" in out
    assert "6 verdicts: 0 held in one and not held in the other, 0 differ otherwise" in out
    assert "Figure 1: planted networks, n = 500, d = 20, 1 seed (the paper: " in out
    monkeypatch.setattr(claims_by_kernel, "flips", lambda found: (1, 0))
    assert claims_by_kernel.main(arguments) == 1
