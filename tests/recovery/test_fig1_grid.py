"""The benchmark of Figure 1's grid, at a size that takes a second, and its comparison of devices on the stand-in."""

from __future__ import annotations

import numpy as np
import pytest
import standin

from benchmarks import fig1_grid


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


def test_interpolation_is_exact_for_powers_and_falls_back_to_the_nearest():
    points = {(m, s): 3.0 * m**0.5 * s**2 for m in (1, 10, 100) for s in (1, 10, 100)}
    found = fig1_grid.log_interpolation(points, [(5, 50), (20, 2), (100, 1000)])
    np.testing.assert_allclose(found, [3.0 * 5**0.5 * 2500, 3.0 * 20**0.5 * 4, points[100, 100]], rtol=1e-10)


def test_blocks_of_a_step_of_the_loop():
    assert fig1_grid._blocks(1, 7) == pytest.approx(3.0)
    assert fig1_grid._blocks(1000, 1) == pytest.approx(1002.0)
    assert fig1_grid._blocks(10, 10_000) == pytest.approx(30.0)


def test_the_paper_row_is_the_released_method_at_the_papers_size():
    _, cells = fig1_grid.paper_cells([1])
    assert {(cell.method, cell.depth, cell.n, cell.d, cell.n_iter) for cell in cells} == {("paper", 1, 50_000, 100, 15)}
    assert len(cells) == 3 * sum(s <= 100 * m for m in {cell.m for cell in cells} for s in {cell.s for cell in cells})
