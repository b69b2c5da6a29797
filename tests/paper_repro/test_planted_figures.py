"""Figures 1 and 2 and their companions: grids, one cell of each method and depth, summaries and claims."""

import dataclasses
import math

import fabricated
import numpy as np
import pytest

import planted
import recovery
from paper_repro import experiment as experiments
from paper_repro.encoding import encode
from paper_repro.experiments import common, planted_networks
from paper_repro.experiments.grids import METHODS, WITH_EXACT
from paper_repro.store import Record
from recovery.networks.exact import ExactFit

SIZES = {
    planted_networks.Fig1Cell: {"m": 3, "s": 12, "seed": 0, "n": 400, "d": 8, "n_outputs": 1, "n_iter": 10},
    planted_networks.Fig2Cell: {
        "m": 3,
        "s": 24,
        "seed": 0,
        "n": 400,
        "d": 8,
        "n_outputs": 4,
        "n_iter": 20,
        "batch_size": 200,
    },
}
SERIES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def cell_of(kind, method, depth, **changes):
    updates = {"imp_updates": 15, "batch_size": None} if method == "imp-fair" else {}
    return kind(**{**SIZES[kind], "method": method, "depth": depth, **updates, **changes})


@pytest.mark.parametrize(
    ("module", "outputs", "steps"), [(planted_networks.FIG1, 1, 15), (planted_networks.FIG2, 10, 1_000)]
)
def test_the_papers_grids(module, outputs, steps):
    cells = module.cells("paper", 0)
    assert {(cell.n, cell.d, cell.n_outputs, cell.n_iter) for cell in cells} == {(50_000, 100, outputs, steps)}
    for depth, widths, sparsities in ((1, SERIES, SERIES), (2, SERIES[1:], SERIES[3:])):
        size = {m: 100 * m + (depth - 1) * m * m + (10 * m if outputs > 1 else 0) for m in widths}
        wanted = {(m, s, seed) for m in widths for s in sparsities for seed in (0, 1, 2) if s <= size[m]}
        shown = planted_networks.methods_of(depth)
        assert shown == (WITH_EXACT if depth == 1 else METHODS)
        assert {cell.method for cell in cells if cell.depth == depth} == set(shown)
        for method in shown:
            own = [cell for cell in cells if (cell.method, cell.depth) == (method, depth)]
            assert {(cell.m, cell.s, cell.seed) for cell in own} == wanted
            batches = outputs > 1 and method not in ("imp-fair", "exact")
            assert {cell.batch_size for cell in own} == {5_000 if batches else None}
    row = module.summarise("paper", 0, [])["rows"][0]
    assert row["limits"] == [-20.0, 50.0]


def test_methods_share_their_instances_and_only_a_fair_imp_has_updates_of_its_own():
    cells = planted_networks.FIG1.cells("quick", 5)
    assert {cell.seed for cell in cells} == {5, 6, 7}
    common_part = [
        {dataclasses.replace(cell, method="", imp_updates=None) for cell in cells if cell.method == method}
        for method in METHODS
    ]
    assert all(part == common_part[0] for part in common_part)
    shallow = {dataclasses.replace(cell, method="") for cell in cells if cell.method == "exact"}
    assert shallow == {cell for cell in common_part[0] if cell.depth == 1}
    assert {cell.method for cell in cells if cell.imp_updates} == {"imp-fair"}


def test_wide_cells_of_pruning_start_first():
    cells = planted_networks.FIG1.cells("quick", 0)
    dear = max(cells, key=planted_networks.cost)
    assert (dear.method, dear.m) == ("imp-fair", 50)
    assert planted_networks.cost(dear) > 4 * planted_networks.cost(dataclasses.replace(dear, m=2))
    assert planted_networks.cost(dataclasses.replace(dear, method="paper")) < planted_networks.cost(dear)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", SIZES, ids=lambda kind: kind.__name__)
def test_a_cell(kind, method, depth):
    cell = cell_of(kind, method, depth)
    metrics, arrays = planted_networks.compute(cell, "cpu")
    again, arrays_again = planted_networks.compute(cell, "cpu")
    assert encode(metrics) == encode(again)
    assert all(np.array_equal(arrays[name], arrays_again[name]) for name in arrays)
    X, y, truth = planted.release_instance(cell.m, cell.s, 0, n=cell.n, d=cell.d, n_outputs=cell.n_outputs, depth=depth)
    found = stored_network(arrays, cell.d)
    assert 20 * np.log10(np.abs(y).max()) - 10 * np.log10(np.mean((found(X) - y) ** 2)) == pytest.approx(
        metrics["psnr_db"], abs=1e-6
    )
    if -50 < metrics["psnr_db"] < 120:  # else a fit has diverged, or is at the floor of the labels
        fresh = np.random.default_rng(3).standard_normal((20_000, cell.d))
        target = truth(fresh)
        score = 10 * np.log10(np.mean(target**2) / np.mean((found(fresh) - target) ** 2))
        shift = 10 * np.log10(np.abs(y).max() ** 2 / np.mean(y**2))  # from the mean square to the peak
        assert metrics["test_psnr_db"] == pytest.approx(score + shift, abs=3)  # the peak of 400 labels moves that much
    layers = found.layers if cell.n_outputs > 1 else found.layers[:-1]
    assert metrics["nonzeros"] == sum(np.count_nonzero(layer) for layer in layers) <= cell.s
    assert metrics["planted_nonzeros"] <= cell.s
    if depth == 1:
        match = planted.match_networks(found, truth)
        assert (match.exact, match.weight_error) == (metrics["exact"], pytest.approx(metrics["weight_error"]))
        assert match.same_function == metrics["same_function"]
        assert 0 <= metrics["support_recall"] <= 1
    else:
        assert metrics["exact"] is metrics["same_function"] is metrics["weight_error"] is None


@pytest.mark.parametrize("kind", SIZES, ids=lambda kind: kind.__name__)
def test_a_cell_of_exact_recovery(kind):
    cell = cell_of(kind, "exact", 1, batch_size=None)
    metrics, arrays = planted_networks.compute(cell, "cpu")
    again, arrays_again = planted_networks.compute(cell, "cpu")
    assert encode(metrics) == encode(again)
    assert all(np.array_equal(arrays[name], arrays_again[name]) for name in arrays)
    assert (metrics["status"], metrics["exact"], metrics["same_function"]) == ("EXACT", True, True)
    assert metrics["psnr_db"] > 140
    assert metrics["test_psnr_db"] > 140
    assert metrics["nonzeros"] <= metrics["planted_nonzeros"] == cell.s
    _, _, truth = planted.release_instance(cell.m, cell.s, 0, n=cell.n, d=cell.d, n_outputs=cell.n_outputs)
    assert planted.match_networks(stored_network(arrays, cell.d), truth).exact


def test_a_kink_form_without_a_network_is_scored_as_it_is(monkeypatch):
    """Exact recovery makes no network where the form does not fit into m and s."""
    _, _, truth = planted.release_instance(3, 12, 0, n=400, d=8)
    form = truth.kink_form()
    fit = ExactFit(None, form, 160.0, 1e-8, 4, recovery.Status.AT_REST, "")
    monkeypatch.setattr(planted_networks, "fits", lambda *args, **options: [fit])
    metrics, arrays = planted_networks.compute(cell_of(planted_networks.Fig1Cell, "exact", 1), "cpu")
    assert (metrics["nonzeros"], metrics["status"], metrics["exact"]) == (None, "AT_REST", True)
    assert metrics["test_psnr_db"] > 140
    assert np.array_equal(arrays["directions"], form.directions)
    encode(metrics)


@pytest.mark.parametrize("size", [1e100, 1e250])  # squares leave the range of the numbers, or outputs do
def test_a_fit_that_diverged_has_the_lowest_score_and_does_not_fail(monkeypatch, size):
    network = planted.ReLUNetwork([np.full((8, 3), size), np.full((3, 4), size)])
    fit = recovery.NetworkFit(network, -math.inf, 7, recovery.Status.DIVERGED, "")
    monkeypatch.setattr(planted_networks, "fits", lambda *args, **options: [fit])
    cell = cell_of(planted_networks.Fig2Cell, "paper", 1)
    metrics, _ = planted_networks.compute(cell, "cpu")
    assert metrics["psnr_db"] == metrics["test_psnr_db"] == -math.inf
    assert (metrics["status"], metrics["exact"]) == ("DIVERGED", False)
    record = Record(experiments.get("fig2").cell(cell), "done", "", metrics)
    assert metrics["same_function"] is False
    assert planted_networks.trials_by_depth(planted_networks.FIG2.presets["smoke"], [record])[1]["paper"] == {
        (3, 24): {0: -350.0}
    }


def stored_network(arrays, d):
    """Rebuild a network from what a cell stores."""
    depth = 1 + sum(name.startswith("hidden") and name.endswith("position") for name in arrays) - 1
    widths = [d, *(arrays["widths"] if depth > 1 else [len(arrays["output"])])]
    layers = []
    for number in range(1, depth + 1):
        name = "hidden" if number == 1 else f"hidden{number}"
        layer = np.zeros(widths[number - 1] * widths[number])
        layer[arrays[f"{name}_position"]] = arrays[f"{name}_value"]
        layers.append(layer.reshape(widths[number - 1], widths[number]))
    return planted.ReLUNetwork([*layers, arrays["output"]])


def test_the_planted_network_is_found_and_said_to_be():
    metrics, _ = planted_networks.compute(cell_of(planted_networks.Fig1Cell, "robust", 1, m=2, s=4, n_iter=15), "cpu")
    assert metrics["exact"]
    assert metrics["same_function"]
    assert metrics["support_recall"] == 1.0
    assert metrics["test_psnr_db"] > 140  # the floor of labels rounded to float32, on fresh inputs too


def test_a_network_without_output_is_not_fitted():
    # floor(1 / 2) weights a layer
    metrics, arrays = planted_networks.compute(cell_of(planted_networks.Fig2Cell, "paper", 1, s=1), "cpu")
    assert metrics["status"] == "ZERO_DATA"
    assert metrics["psnr_db"] is metrics["exact"] is metrics["nonzeros"] is None
    assert (metrics["planted_nonzeros"], arrays) == (0, {})
    encode(metrics)


def made_up(name, preset, change):
    """Return made-up records of a preset, with ``change(settings) -> metrics`` on top."""
    return [
        dataclasses.replace(record, metrics={**record.metrics, **change(record.cell.settings)})
        for record in fabricated.records(name, preset)
    ]


def test_medians_and_shares_of_exact_fits_are_over_seeds():
    def record(m, seed, value):
        cell = cell_of(planted_networks.Fig1Cell, "paper", 1, m=m, s=2, seed=seed, n=500, d=20)
        exact = value > 150
        metrics = {"psnr_db": value, "status": "STEP_LIMIT", "same_function": exact, "exact": exact and seed == 0}
        return Record(experiments.get("fig1").cell(cell), "done", "", metrics)

    records = [record(1, 0, 164.0), record(1, 1, 21.0), record(1, 2, 28.0), record(5, 0, math.inf), record(5, 1, -7.0)]
    summary = planted_networks.FIG1.summarise("smoke", 0, records)
    shown = {(row["name"], row["unit"]): row["panels"][0]["values"] for row in summary["rows"]}
    one = "one hidden layer"
    # the mean of m = 1, 71 dB, is that of no fit, and one fit that goes the other way moves it by 48 dB
    assert shown[one, "median PSNR (dB)"] == [[28.0, None], [171.5, None]]
    assert shown[one, "same function\n(% of the seeds)"] == [[pytest.approx(100 / 3), None], [50.0, None]]
    assert shown[one, "same network\n(% of the seeds)"] == [[pytest.approx(100 / 3), None], [50.0, None]]
    assert summary["rows"][0]["panels"][1]["values"] == [[None, None]] * 2
    assert "median over the seeds" in summary["notes"][0]
    assert "Same network" in summary["notes"][-1]
    extras = summary["tables"][0]
    row = dict(zip(extras["columns"], extras["rows"][0], strict=True))
    assert row["exact fits (share above 150 dB)"] == pytest.approx(2 / 5)
    assert row["PSNR (dB, median)"] == 28.0
    spread, medians, exact = (
        row["panels"][0]["values"] for row in planted_networks.FIG6.summarise("smoke", 0, records)["rows"][:3]
    )
    assert spread == [[pytest.approx(np.std([164.0, 21.0, 28.0])), None], [178.5, None]]
    assert medians == shown[one, "median PSNR (dB)"]
    assert exact == [[pytest.approx(100 / 3), None], [50.0, None]]


def test_the_two_names_of_a_match_are_shown_apart():
    """Weights that the budget allows and the data do not need: the same function, another network."""

    def change(settings):
        return {"same_function": True, "exact": False} if settings["depth"] == 1 else {}

    summary = planted_networks.FIG2.summarise("smoke", 0, made_up("fig2", "smoke", change))
    units = [" ".join(row["unit"].split()) for row in summary["rows"]]
    assert units == [
        "median PSNR (dB)",
        "same function (% of the seeds)",
        "same network (% of the seeds)",
        "median PSNR (dB)",
        "exact fits, > 150 dB (% of the seeds)",
    ]
    function, network = (
        [value for panel in row["panels"] for line in panel["values"] for value in line if value is not None]
        for row in summary["rows"][1:3]
    )
    assert set(function) == {100.0}
    assert set(network) == {0.0}


@pytest.mark.parametrize(("name", "of"), [("fig6", "fig1"), ("fig7", "fig2")])
def test_companions_show_deviations_above_medians_of_the_same_cells(name, of):
    one, other = experiments.get(name), experiments.get(of)
    assert [one.cell(cell).key for cell in one.cells("smoke", 0)] == [
        other.cell(cell).key for cell in other.cells("smoke", 0)
    ]
    records = fabricated.records(of, "quick")
    summary, figure = one.summarise("quick", 0, records), other.summarise("quick", 0, records)
    assert [row["name"] for row in summary["rows"]] == ["one hidden layer"] * 3 + ["two hidden layers"] * 3
    assert summary["rows"][1::3] == [row for row in figure["rows"] if row["unit"] == "median PSNR (dB)"]
    panel = summary["rows"][3]["panels"][0]
    (grid,) = [grid for grid in other.presets["quick"].grids if grid.depth == 2]
    values = [
        record.metrics["psnr_db"]
        for record in records
        if (record.cell.settings["m"], record.cell.settings["s"]) == (grid.m[1], grid.s[0])
        and (record.cell.settings["depth"], record.cell.settings["method"]) == (2, "paper")
    ]
    assert len(values) == other.presets["quick"].seeds
    assert panel["values"][1][0] == pytest.approx(np.std(values))
    assert "over the seeds" in summary["notes"][-1]


def test_silent_networks_are_grey_and_count_nowhere():
    def silence(settings):
        silent = settings["m"] == 5 and (settings["s"] == 20 or settings["method"] == "paper")
        return {"psnr_db": None, "exact": None, "status": "ZERO_DATA"} if silent else {}

    summary = planted_networks.FIG1.summarise("smoke", 0, made_up("fig1", "smoke", silence))
    panels = summary["rows"][0]["panels"]
    assert [panel["possible"] for panel in panels] == [[[True, True], [True, False]]] * 5
    assert panels[0]["values"][1] == [None, None]
    assert panels[1]["values"][1][0] is not None


def test_claims_are_judged_for_each_depth_and_together():
    levels = {("paper", 1): 30.0, ("paper", 2): 10.0, ("imp-fair", 1): 20.0, ("imp-fair", 2): 12.0}

    def change(settings):
        return {"psnr_db": levels.get((settings["method"], settings["depth"]), 15.0)}

    found = planted_networks.FIG1.summarise("quick", 0, made_up("fig1", "quick", change))["claims"]
    assert [claim["claim"].split(":")[0] for claim in found] == ["One hidden layer", "Two hidden layers", "Both depths"]
    # 18 of 26 cells are of one depth
    assert [claim["verdict"] for claim in found] == ["held", "not held", "held"]
    assert [claim["fair"] for claim in found] == ["held", "not held", "held"]
    assert "above in 54 of 78 pairs of fits at 26 pairs (m, s)" in found[2]["measured"]
    assert found[2]["interval"].startswith("share 0.69 [")
    assert {claim["data"] for claim in found} == {
        "planted networks, n = 5,000, d = 50, 3 seeds (the paper: n = 50,000, d = 100)"
    }
    assert "the paper's size" in experiments.get("fig1").data("paper")
    # 1.9 dB below counts as competitive, 5 dB below does not
    levels["paper", 2] = 10.1
    found = planted_networks.FIG2.summarise("quick", 0, made_up("fig2", "quick", change))["claims"]
    assert [claim["verdict"] for claim in found] == ["held", "not held", "too close to call"]
    assert [claim["fair"] for claim in found] == ["held", "held", "held"]
    assert all("3 dB" in claim["rule"] for claim in found)
    # one seed decides nothing
    found = planted_networks.FIG1.summarise("smoke", 0, made_up("fig1", "smoke", change))["claims"]
    assert {claim["verdict"] for claim in found} == {"too close to call"}


@pytest.mark.parametrize("rivals", [(155.0, 180.0), (180.0, 155.0), (164.0, 164.2)])
def test_two_exact_fits_are_level_whatever_rounding_makes_of_them(rivals):
    values = dict(zip(("paper", "imp-paper"), rivals, strict=True))

    def change(settings):
        return {"psnr_db": values.get(settings["method"], 20.0)}

    found = planted_networks.FIG1.summarise("quick", 0, made_up("fig1", "quick", change))["claims"]
    assert {(claim["verdict"], claim["fair"]) for claim in found} == {("too close to call", "held")}


def test_nothing_measured_is_said():
    records = [one for one in fabricated.records("fig1", "smoke") if one.cell.settings["method"] != "imp-fair"]
    assert {claim["fair"] for claim in planted_networks.FIG1.summarise("smoke", 0, records)["claims"]} == {
        "not measured"
    }


def test_the_subtitle_says_sizes_steps_and_updates():
    text = planted_networks.FIG2.summarise("quick", 1, fabricated.records("fig2", "quick"))["subtitle"]
    size = planted_networks.FIG2.presets["quick"]
    assert text.startswith(f"n = {size.n:,} samples, d = {size.d} Gaussian inputs, 10 outputs, seeds 1, 2\n")
    assert (
        f"{size.epochs} epochs on batches of {size.batch_size}, fair IMP {size.imp_updates} updates per round" in text
    )
    assert max(map(len, text.split("\n"))) < 105


def test_series_of_the_paper():
    assert common.series_125(1, 1000) == SERIES
    assert common.series_125(10, 200) == (10, 20, 50, 100, 200)
