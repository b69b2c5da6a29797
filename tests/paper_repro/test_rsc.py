"""The planted columns' spectrum against columns written out, dependent columns, and what the summary makes of them."""

import math

import numpy as np
import pytest

import planted
from paper_repro import experiment as experiments
from paper_repro.experiments import rsc
from paper_repro.store import Record

REFERENCE = {(1, 50): 1.2, (2, 50): 3.2, (5, 50): 7.4, (10, 100): 12.9, (10, 500): 27.8, (100, 500): 3588.0}
"""beta / alpha of other code on the networks of seed 0, rounded: (m, s) -> ratio."""


def plain_ratio(X, hidden):
    columns = []
    for feature, neuron in zip(*np.nonzero(hidden), strict=True):
        column = X[:, feature] * (X @ hidden[:, neuron] > 0)
        columns.append(column / np.linalg.norm(column))
    values = np.linalg.svd(np.array(columns).T, compute_uv=False) ** 2
    return values[0] / values[-1]


def test_the_spectrum_is_that_of_the_columns_written_out(backend):
    X, _, network = planted.release_instance(4, 12, 3, n=300, d=8)
    spectrum = rsc.planted_spectrum(backend.put(X), network.hidden)
    assert spectrum.shape == (12,)
    assert np.all(np.diff(spectrum) >= 0)
    assert spectrum[-1] / spectrum[0] == pytest.approx(plain_ratio(X, network.hidden), rel=1e-9)
    assert spectrum.sum() == pytest.approx(12)  # unit columns


def test_a_neuron_without_weights_and_a_dense_one_are_fine():
    X = planted.gaussian_inputs(200, 3, rng=0)
    hidden = np.array([[1.0, 0.0, 0.5], [-1.0, 0.0, 0.0], [0.3, 0.0, -2.0]])
    assert rsc.planted_spectrum(X, hidden).shape == (5,)


@pytest.mark.parametrize(("weight", "dependent"), [(3.0, True), (-3.0, False)])
def test_two_neurons_with_the_same_single_weight_share_a_column(monkeypatch, weight, dependent):
    hidden = np.zeros((5, 3))
    hidden[2, 0], hidden[2, 1], hidden[[0, 4], 2] = 1.0, weight, 1.0  # -3: the other side of the same line
    X = planted.gaussian_inputs(400, 5, rng=0)
    network = planted.ReLUNetwork([hidden, np.ones(3)])
    monkeypatch.setattr(planted, "release_instance", lambda *sizes, **options: (X, network(X), network))
    metrics, arrays = rsc.compute(rsc.RscCell(3, 4, 0, n=400, d=5), "cpu")
    if dependent:
        assert metrics["alpha"] == 0.0
        assert abs(arrays["spectrum"][0]) < 1e-12
    else:
        assert metrics["alpha"] == arrays["spectrum"][0] > 0.1


@pytest.mark.parametrize("place", [(1, 50), (5, 50)])
def test_a_ratio_is_that_of_other_code(place):
    metrics, _ = rsc.compute(rsc.RscCell(*place, seed=0), "cpu")
    assert metrics["beta"] / metrics["alpha"] == pytest.approx(REFERENCE[place], rel=0.04)


@pytest.mark.slow
def test_the_other_ratios_are_those_of_other_code():
    for place, ratio in REFERENCE.items():
        metrics, _ = rsc.compute(rsc.RscCell(*place, seed=0), "cpu")
        assert metrics["beta"] / metrics["alpha"] == pytest.approx(ratio, rel=0.02), place


def test_every_preset_of_the_papers_size_holds_the_points_of_the_reference():
    for preset in ("quick", "cpu", "paper"):
        cells = rsc.cells(preset, 0)
        assert {(cell.m, cell.s) for cell in cells} >= set(REFERENCE)
        assert {(cell.n, cell.d) for cell in cells} == {(50_000, 100)}
        assert all(cell.s <= cell.m * cell.d for cell in cells)


def made(spectra):
    """One record a seed of the network m = 2, s = 20 with given (alpha, beta)."""
    experiment = experiments.get("rsc")
    cells = [rsc.RscCell(2, 20, seed) for seed in range(len(spectra))]
    return [
        Record(experiment.cell(cell), "done", "", {"alpha": alpha, "beta": beta, "s": 20})
        for cell, (alpha, beta) in zip(cells, spectra, strict=True)
    ]


def test_medians_ranges_and_what_is_asked_for():
    summary = rsc.summarise("quick", 0, made([(0.5, 1.0), (0.25, 1.5), (0.1, 2.0)]))
    curve = next(curve for curve in summary["curves"] if curve["m"] == 2)
    assert (curve["s"], curve["median"], curve["low"], curve["high"]) == ([20], [6.0], [2.0], [20.0])
    assert curve["asked"] == [32 * 36 * 20 / 200]
    assert summary["least"] == 32 * 4 * 20 / 200
    row = dict(zip(summary["table"]["columns"], summary["table"]["rows"][0], strict=True))
    assert row["32 (beta/alpha)^2 s: median"] == 32 * 36 * 20
    assert (row["d m"], row["dependent"]) == (200, 0)
    assert not any("earlier" in text for text in (*row, *summary, *summary["notes"]))  # only what was measured here


def test_dependent_columns_are_infinite_and_not_averaged_away():
    summary = rsc.summarise("quick", 0, made([(0.5, 1.0), (0.25, 1.5), (0.0, 2.0)]))
    curve = next(curve for curve in summary["curves"] if curve["m"] == 2)
    assert (curve["median"], curve["high"], curve["dependent"]) == ([6.0], [None], [1])
    summary = rsc.summarise("quick", 0, made([(0.5, 1.0), (0.0, 1.5), (0.0, 2.0)]))
    curve = next(curve for curve in summary["curves"] if curve["m"] == 2)
    assert (curve["median"], curve["asked"]) == ([None], [None])
    row = dict(zip(summary["table"]["columns"], summary["table"]["rows"][0], strict=True))
    assert math.isinf(row["beta/alpha: median"])
    assert row["dependent"] == 2
