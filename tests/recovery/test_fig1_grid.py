"""The benchmark of Figure 1's grid, at a size that takes a second, and its comparison of devices on the stand-in."""

from __future__ import annotations

import dataclasses

import pytest
import standin

from benchmarks import fig1_grid
from paper_repro import experiment
from paper_repro.experiments.grids import METHODS, WITH_EXACT
from paper_repro.experiments.planted_networks import FIG1


def test_the_named_grid_has_the_same_psnr_as_the_loop(capsys):
    sums = fig1_grid.grid((1, 5), (1, 4), seeds=2, n=150, d=6, n_iter=3, repeats=1)
    assert {key: len(pairs) for key, pairs in sums.items()} == {1: 2, 5: 2, "total": 4}
    lines = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    cells = [line for line in lines if len(line) == 8][2:]
    assert [(int(line[0]), int(line[1])) for line in cells] == [(1, 1), (1, 4), (5, 1), (5, 4)]
    assert all(float(line[7]) == pytest.approx(0.0, abs=0.01) for line in cells)


def test_the_comparison_of_devices_runs_on_the_stand_in(capsys):
    assert fig1_grid.gpu_grid(standin.device, (1, 6), (1, 5, 9), n=160, d=8, n_iter=4, problems=5)
    out = capsys.readouterr().out
    assert "False" not in out
    assert "| m | cells a second alone | 5 together | times as many | equal supports |" in out


def test_a_power_law_corrects_estimates_and_never_grows_faster_than_they_do():
    law = fig1_grid.power_law([0.1, 1.0, 100.0], [2.0 * e**0.5 for e in (0.1, 1.0, 100.0)])
    assert law(16.0) == pytest.approx(8.0)
    assert fig1_grid.power_law([1.0, 2.0], [1.0, 16.0])(8.0) == pytest.approx(8.0 * 4.0 / 2**0.5)  # slope 1
    assert fig1_grid.power_law([2.0], [6.0])(10.0) == pytest.approx(30.0)


def test_blocks_of_a_step_of_the_loop():
    assert fig1_grid._blocks(1, 7) == pytest.approx(3.0)
    assert fig1_grid._blocks(1000, 1) == pytest.approx(1002.0)
    assert fig1_grid._blocks(10, 10_000) == pytest.approx(30.0)


def test_the_paper_row_is_the_released_method_at_the_papers_size():
    _, cells = fig1_grid.paper_cells([1])
    assert {(cell.method, cell.depth, cell.n, cell.d, cell.n_iter) for cell in cells} == {("paper", 1, 50_000, 100, 15)}
    assert len(cells) == 3 * sum(s <= 100 * m for m in {cell.m for cell in cells} for s in {cell.s for cell in cells})


def test_a_sample_covers_every_method(monkeypatch, capsys):
    preset = FIG1.presets["smoke"]
    small = dataclasses.replace(FIG1, presets={"paper": preset}, cells=lambda _, seed: FIG1.cells("smoke", seed))
    monkeypatch.setattr(experiment, "get", lambda name: small)
    monkeypatch.setattr(fig1_grid, "WHOLE_S", 0.0)  # the fair IMP is extrapolated
    totals = fig1_grid.sample_paper(WITH_EXACT, (1, 2), [(5, 20)], budget=1.0)
    assert set(totals) == {(method, 1) for method in WITH_EXACT} | {(method, 2) for method in METHODS}
    assert {count for count, _ in totals.values()} == {4}  # two widths, two sparsities, one seed
    assert all(spent > 0 for _, spent in totals.values())
    assert capsys.readouterr().out.count("(5, 20)") == 2 * len(totals)  # where memory was largest, and the widest


def test_the_time_of_a_fair_imp_is_linear_in_its_updates():
    first, second = fig1_grid.FEW_UPDATES
    assert fig1_grid.extrapolated(2.0 + 0.1 * first, 2.0 + 0.1 * second, 1_000) == pytest.approx(102.0)
    assert fig1_grid.extrapolated(5.0, 4.0, 1_000) == 5.0
