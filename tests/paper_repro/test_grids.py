"""What the paper's five figures share: one call for four methods, means and spreads over seeds, rows and tables."""

import dataclasses
import math

import numpy as np
import pytest

import planted
import recovery
from paper_repro.experiments import grids
from paper_repro.store import Cell, Record


@dataclasses.dataclass(frozen=True)
class ToySettings:
    m: int
    s: int
    seed: int
    method: str = "paper"
    depth: int = 1


def record(m, s, seed, metrics, wall_s=2.0, peak=None, **settings):
    cell = Cell("toy", 1, dataclasses.asdict(ToySettings(m, s, seed, **settings)))
    return Record(cell, "done", "", metrics, {}, {"wall_s": wall_s, **({"peak_bytes": peak} if peak else {})})


@pytest.fixture(scope="module")
def data():
    X, y, _ = planted.release_instance(3, 12, 0, n=300, d=8)
    return X, y


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("method", grids.METHODS)
def test_each_method_serves_each_sparsity_with_fresh_equal_random_numbers(data, method, depth):
    asked = []

    def rng():
        asked.append(np.random.default_rng(5))
        return asked[-1]

    found = grids.fits(
        method, *data, m=3, depth=depth, sparsities=[4, 12], n_iter=5, imp_updates=20, batch_size=None, rng=rng
    )
    again = grids.fits(
        method, *data, m=3, depth=depth, sparsities=[4, 12], n_iter=5, imp_updates=20, batch_size=None, rng=rng
    )
    assert [fit.psnr_db for fit in found] == [fit.psnr_db for fit in again]
    assert len(asked) == (2 if method.startswith("imp") else 4)  # a pass of pruning serves both sparsities
    for fit, s in zip(found, (4, 12), strict=True):
        assert fit.network.depth == depth
        layers = fit.network.layers if method == "imp-paper" else fit.network.layers[:-1]
        assert sum(np.count_nonzero(layer) for layer in layers) <= s


def test_methods_are_those_of_the_package(data):
    common = {"m": 3, "depth": 1, "sparsities": [6], "n_iter": 4, "rng": lambda: np.random.default_rng(1)}
    for method, expected in {
        "paper": recovery.fit_network(
            *data, n_neurons=3, sparsity=6, method="paper", max_iter=4, rng=np.random.default_rng(1)
        ),
        "imp-paper": recovery.imp(
            *data, n_neurons=3, sparsity=6, recipe="paper", max_iter=4, rng=np.random.default_rng(1)
        ),
        "imp-fair": recovery.imp(*data, n_neurons=3, sparsity=6, max_iter=9, rng=np.random.default_rng(1)),
    }.items():
        (found,) = grids.fits(method, *data, imp_updates=9, **common)
        for one, other in zip(found.network.layers, expected.network.layers, strict=True):
            np.testing.assert_array_equal(one, other)


def test_statistics_are_over_seeds_of_one_panel_and_cap_infinite_psnr():
    records = [
        record(1, 2, 0, {"psnr_db": math.inf, "test_psnr_db": 3.0}),
        record(1, 2, 1, {"psnr_db": 150.0, "test_psnr_db": None}),
        record(5, 2, 0, {"psnr_db": -7.0}),
        record(1, 2, 0, {"psnr_db": 99.0}, depth=2),
        record(1, 2, 0, {"psnr_db": 98.0}, method="robust"),
        record(7, 0, 0, {"fits": [{"s": 3, "psnr_db": 1.0}, {"s": 4, "psnr_db": 2.0}]}),
    ]
    found = grids.statistics(records, "psnr_db", 1, "paper")
    assert found == {(1, 2): [350.0, 150.0], (5, 2): [-7.0], (7, 3): [1.0], (7, 4): [2.0]}
    assert grids.means_of(found)[1, 2] == 250.0
    assert grids.deviations_of(found) == {(1, 2): 100.0}  # one seed has no spread
    assert grids.statistics(records, "test_psnr_db", 1, "paper") == {(1, 2): [3.0]}
    assert grids.statistics(records, "psnr_db", 2, "paper") == {(1, 2): [99.0]}


def test_deviations_are_those_of_numpy():
    values = [3.0, 7.5, -2.0, 11.0]
    assert grids.deviations_of({(1, 1): values})[1, 1] == pytest.approx(np.std(values))


def test_a_row_of_panels_and_its_table():
    grid = grids.Grid(1, (1, 2), (3, 4, 5))
    points = {"paper": {(1, 3): 1.5, (2, 4): 2.5}, "imp-fair": {(2, 5): 9.0}}
    row = grids.panel_row("one hidden layer", "dB", (0.0, 1.0), grid, points, lambda m, s: s <= 4 * m, digits=2)
    first, second = row["panels"]
    assert (first["title"], second["title"]) == ("IHT as in the paper", "IMP, fair")
    assert first["values"] == [[1.5, None, None], [None, 2.5, None]]
    assert first["possible"] == [[True, True, False], [True, True, True]]
    assert (row["limits"], row["digits"]) == ([0.0, 1.0], 2)
    other = grids.panel_row("two", "dB", (0.0, 1.0), grids.Grid(2, (2,), (4, 9)), {"paper": {(2, 9): 8.0}}, max)
    other["unit"] = "standard deviation\nof PSNR (dB)"
    table = grids.values_table([row, other])
    assert table["columns"] == ["panels", "shown", "method", "m \\ s", "3", "4", "5", "9"]
    assert table["rows"][0] == ["one hidden layer", "dB", "IHT as in the paper", 1, 1.5, None, None, None]
    assert table["rows"][-1] == [
        "two",
        "standard deviation of PSNR (dB)",
        "IHT as in the paper",
        2,
        None,
        None,
        None,
        8.0,
    ]
    assert len(table["rows"]) == 5


def test_a_share_of_the_seeds_says_where_not_all_of_them_count():
    grid = grids.Grid(2, (2,), (4, 9, 12))
    points = {"paper": {(2, 4): 100.0, (2, 9): 50.0}}
    counts = {"paper": {(2, 4): 1, (2, 9): 3, (2, 12): 0}}
    row = grids.panel_row("two", "%", (0.0, 100.0), grid, points, lambda m, s: True, counts=counts, seeds=3)
    assert row["panels"][0]["few"] == [["1 of 3", None, None]]
    assert grids.values_table([row])["rows"][0][4:] == ["100 (1 of 3)", 50.0, None]


def test_fits_are_counted_as_their_shares_are_without_labels_that_are_all_0():
    scored = [record(1, 2, seed, {"psnr_db": value, "status": "CONVERGED"}) for seed, value in enumerate((164.0, 21.0))]
    silent = record(1, 2, 2, {"psnr_db": None, "status": "ZERO_DATA"}, wall_s=90.0)
    table = grids.extras_table([*scored, silent], (1,), {}, above=(150.0, "exact fits"))
    row = dict(zip(table["columns"], table["rows"][0], strict=True))
    assert (row["fits"], row["exact fits"], row["wall time (s per fit)"]) == (2, 0.5, 2.0)


def test_the_table_of_extras_has_medians_of_psnr_means_seconds_a_fit_and_the_largest_peak():
    passes = {"fits": [{"s": 1, "exact": True}, {"s": 2, "exact": False}], "test_psnr_db": math.inf}
    records = [
        record(1, 2, 0, {"exact": True, "test_psnr_db": 10.0, "n_iter": 1_000}, wall_s=1.0, peak=2**20),
        record(1, 2, 1, {"exact": False, "test_psnr_db": 20.0}, wall_s=4.0, peak=3 * 2**20),
        record(1, 0, 0, passes, wall_s=5.0, method="imp-fair"),
        record(1, 2, 0, {"exact": None}, depth=2),
    ]
    table = grids.extras_table(records, (1, 2), {"test_psnr_db": "test PSNR (dB)", "exact": "exact", "n_iter": "steps"})
    assert table["columns"][2:] == [
        "fits",
        "test PSNR (dB)",
        "exact",
        "steps",
        "wall time (s per fit)",
        "peak memory (MiB)",
    ]
    assert "medians of the PSNR" in table["title"]
    assert table["rows"] == [
        ["one hidden layer", "IHT as in the paper", 2, 15.0, 0.5, 1_000.0, 2.5, 3.0],
        ["one hidden layer", "IMP, fair", 2, 350.0, 0.5, None, 2.5, None],
        ["two hidden layers", "IHT as in the paper", 1, None, None, None, 2.0, None],
    ]


def test_psnr_is_told_by_its_median_and_by_the_share_of_exact_fits():
    records = [record(1, 2, seed, {"psnr_db": value}) for seed, value in enumerate((164.0, 21.0, 28.0))]
    extras = {"psnr_db": "PSNR (dB, median)"}
    table = grids.extras_table(
        [*records, record(1, 2, 9, {"psnr_db": None})], (1,), extras, above=(150.0, "exact fits")
    )
    row = dict(zip(table["columns"], table["rows"][0], strict=True))
    assert (row["PSNR (dB, median)"], row["exact fits"]) == (28.0, pytest.approx(1 / 3))
    values = grids.statistics(records, "psnr_db", 1, "paper")
    assert grids.medians_of(values) == {(1, 2): 28.0}
    assert grids.shares_above(values, 150.0) == {(1, 2): pytest.approx(100 / 3)}


def test_trials_keep_their_seeds_and_exact_fits_are_level():
    records = [record(1, 2, 7, {"psnr_db": math.inf}), record(1, 2, 3, {"psnr_db": 40.0})]
    found = grids.trials(records, "psnr_db", 1, "paper")
    assert found == {(1, 2): {7: 350.0, 3: 40.0}}
    assert grids.compared(found) == {(1, 2): {7: 150.0, 3: 40.0}}


def test_each_method_has_a_line_with_its_updates():
    lines = grids.meanings(grids.WITH_EXACT, steps=15, imp_updates=1_000, remark="Hardly trained.")
    assert [line.partition(":")[0] for line in lines] == [grids.LABELS[method] for method in grids.WITH_EXACT]
    assert "as IHT makes steps: 15. Hardly trained." in lines[2]
    assert "1,000 updates per round" in lines[3]
    assert all(line.endswith(".") and not line.endswith("..") and "{" not in line for line in lines)
    assert "2,000 updates per round" in grids.meanings(["imp-fair"], steps=15)[0]
