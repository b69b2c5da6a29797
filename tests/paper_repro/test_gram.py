"""The population Gram figure: what a cell computes, against plain code, and what the summary says."""

import math

import fabricated
import numpy as np
import pytest

from paper_repro import experiment as experiments
from paper_repro.experiments import gram
from paper_repro.store import Record
from recovery import conditions
from recovery.conditions.population import population_gram

SIZE = {"theta": 0.0, "gates": 0, "d": 4, "p": 3, "s": 4, "k": 2}


def test_a_cell_of_entries_is_the_sample_mean():
    cell = gram.GramCell("entries", "relu", n=20_000, seed=3, trials=1, **{**SIZE, "theta": 1.2})
    metrics, arrays = gram.compute(cell, "cpu")
    assert arrays == {}
    wanted = gram.closed_form(1.2)
    c, s = math.cos(1.2), math.sin(1.2)
    assert wanted == pytest.approx(
        [
            (math.pi - 1.2 + s * c) / (2 * math.pi),
            (s + (math.pi - 1.2) * c) / (2 * math.pi),
            (math.pi - 1.2) / 2 / math.pi,
        ]
    )
    for name, value in zip(gram.DIRECTIONS, wanted, strict=True):
        mean, error = metrics[name]
        assert abs(mean - value) < 4 * error
        assert 1e-3 < error < 0.02


@pytest.mark.parametrize("design", gram.DESIGNS)
def test_a_cell_of_operators_is_what_the_conditions_say(design):
    cell = gram.GramCell("operator", design, n=300, seed=1, trials=2, **SIZE)
    metrics, arrays = gram.compute(cell, "cpu")
    H, support = gram.draw_gates(cell)
    assert len(set(support)) == 4
    for trial in range(2):
        A = gram.draw_operator(cell, trial)
        assert A.shape == (300, 12)
        columns = A.columns(np.arange(12))
        assert np.allclose(np.linalg.norm(columns, axis=0), 1)
        assert arrays["delta"][trial, 0] == pytest.approx(conditions.mutual_coherence(A))
        for place, s in enumerate((2, 3)):
            found = conditions.restricted_eigenvalues(A, s).scaled_restricted_isometry
            assert found.lower <= arrays["delta"][trial, place] <= found.upper
        part = columns[:, support]
        assert arrays["condition"][trial] == pytest.approx(np.linalg.cond(part) ** 2)
        limit = population_gram(H, unit=True) if design == "relu" else np.eye(12)
        assert arrays["distance"][trial] == pytest.approx(np.abs(columns.T @ columns - limit).max())
    assert metrics["trials"] == 2
    assert 0 <= metrics["recovered"] <= 2


def test_gates_and_support_are_shared_by_all_rows_and_trials_have_their_own_inputs():
    cells = [
        gram.GramCell("operator", "relu", n=n, seed=seed, trials=1, **SIZE) for n, seed in ((50, 0), (90, 0), (50, 5))
    ]
    drawn = [gram.draw_gates(cell) for cell in cells]
    assert all(np.array_equal(one, drawn[0][0]) for one, _ in drawn)
    first, _, other = (gram.draw_operator(cell, 0).columns(np.arange(12)) for cell in cells)
    assert not np.allclose(first, other)
    assert np.array_equal(first, gram.draw_operator(cells[0], 0).columns(np.arange(12)))


def test_relu_constants_stay_and_gaussian_ones_fall():
    rows, found = (200, 3200), {}
    for design in gram.DESIGNS:
        for n in rows:
            _, arrays = gram.compute(gram.GramCell("operator", design, n=n, seed=0, trials=4, **SIZE), "cpu")
            found[design, n] = np.median(arrays["delta"][:, 1]), np.median(arrays["distance"])
    H, support = gram.draw_gates(gram.GramCell("operator", "relu", n=200, seed=0, trials=4, **SIZE))
    limit = gram.constants(population_gram(H, unit=True), support)
    assert found["relu", 3200][0] == pytest.approx(limit[1], abs=0.03)
    assert found["relu", 3200][0] > 0.8 * found["relu", 200][0]
    for design in gram.DESIGNS:  # sixteen times the rows: a quarter of the distance
        assert found[design, 3200][1] / found[design, 200][1] == pytest.approx(1 / 4, rel=0.4)
    assert found["gaussian", 3200][0] < 0.4 * found["gaussian", 200][0]


def test_the_summary_holds_limits_counts_and_deviations():
    experiment = experiments.get("gram")
    records = fabricated.records("gram", "quick")
    summary = experiment.summarise("quick", 0, records)
    assert summary["limits"]["delta_2"] <= summary["limits"]["delta_3"] < 1
    assert summary["limits"]["condition"] > 1
    assert [point["theta"] for point in summary["points"]] == sorted(point["theta"] for point in summary["points"])
    assert len(summary["points"]) == 13
    assert any("largest deviation from the closed form is 1.0 standard errors" in note for note in summary["notes"])
    assert summary["recovered"] == {"relu": [95, 100], "gaussian": [100, 100]}
    assert any("HTP finds 95 of 100" in note for note in summary["notes"])
    assert len(summary["table"]["rows"]) == 2 * 5 + 2
    assert all(len(row) == len(summary["table"]["columns"]) for row in summary["table"]["rows"])
    middle = summary["series"]["relu"][0]["delta_2"]
    assert middle == pytest.approx([0.7 * (1 - 0.08), 0.7, 0.7 * (1 + 0.08)], rel=1e-3)


def test_a_summary_of_few_cells_has_gaps():
    experiment = experiments.get("gram")
    records = [r for r in fabricated.records("gram", "smoke") if isinstance(r, Record)][:5]
    summary = experiment.summarise("smoke", 0, records)
    assert summary["series"]["gaussian"] == [None, None]
    assert None in summary["series"]["relu"]
    assert summary["recovered"]["gaussian"] == [0, 0]
