"""The figures on pruning with images: what their cells compute, against plain code, and what the summaries say."""

import dataclasses

import fabricated
import numpy as np
import pytest

from paper_repro import experiment as experiments
from paper_repro.experiments import pr_accuracy, pr_floor, pr_images, pr_neq
from paper_repro.experiments.common import stream
from paper_repro.store import Record
from planted import datasets
from planted.base.quiet import quiet
from recovery import pruning
from recovery.pruning.equilibrium import EarlyStopping, Equilibrium, NEq

SMALL = pr_accuracy.AccuracyCell("pooled-digits", "magnitude", 0, (0.5, 0.3), 200, (12, 8), 3, 50, 3e-3)
FLOOR = pr_floor.FloorCell("pooled-digits", "magnitude", 0, 300, (24, 16), 12, 20, 5e-3, 0.5)
NEQ = pr_neq.NeqCell("pooled-digits", "1e-3", 0, 200, (16, 12), 6, 50, 0.05, 5e-4)


def records_of(name, pairs):
    experiment = experiments.get(name)
    return [Record(experiment.cell(cell), "done", "", metrics, kept) for cell, metrics, kept in pairs]


def start_of(cell, name):
    widths = (64, *cell.hidden, 10)
    rng = stream(name, "start", cell.data, cell.seed)
    return pruning.Model.draw(widths, bias=True, loss="cross_entropy", rng=rng, dtype=cell.dtype)


# the images


def test_the_digits_are_split_anew_for_each_seed_and_no_image_is_in_both_parts():
    every = datasets.digits()
    whole = np.sort(np.concatenate([every.x_train, every.x_test]).astype(float).sum(axis=1))
    seen = []
    for seed in (0, 1):
        X, y, X_test, y_test = pr_images.images("pooled-digits", 1437, seed, "float64")
        assert (len(X), len(y), len(X_test), len(y_test)) == (1437, 1437, 360, 360)
        assert (X.min(), X.max()) == (0.0, 1.0)
        np.testing.assert_allclose(np.sort(np.concatenate([X, X_test]).sum(axis=1) * 16), whole)
        seen.append(X_test)
    assert not np.array_equal(*seen)
    few = pr_images.images("pooled-digits", 100, 0, "float64")
    np.testing.assert_array_equal(few[2], seen[0])  # fewer training images, and the same test
    np.testing.assert_array_equal(pr_images.images("digits", 100, 0, "float64")[0], few[0])


def test_the_larger_presets_take_mnist_or_say_that_digits_stand_in(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSE_RECOVERY_DATA", str(tmp_path))
    for module in (pr_accuracy, pr_floor):
        assert {cell.data for cell in module.cells("quick", 0)} == {"pooled-digits"}
        cells = module.cells("paper", 0)
        assert {(cell.data, cell.n) for cell in cells} == {("digits", 1437)}
        assert "MNIST was not found" in experiments.get(module.EXPERIMENTS[0].name).data("paper")
    assert {cell.data for cell in pr_neq.cells("paper", 0)} == {"planted", "digits"}
    (tmp_path / "mnist").mkdir()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (tmp_path / "mnist" / f"{name}-ubyte.gz").write_bytes(b"")
    for module in (pr_accuracy, pr_floor):
        assert {(cell.data, cell.n) for cell in module.cells("paper", 0)} == {("mnist", 60_000)}
        assert "MNIST, 60,000" in experiments.get(module.EXPERIMENTS[0].name).data("paper")


def test_a_band_is_a_mean_with_students_interval():
    found = pr_images.band([1.0, 2.0, 3.0])
    half = 4.302652729911275 / 3**0.5  # t quantile of 2 degrees of freedom, deviation 1
    assert found == {"mean": 2.0, "low": pytest.approx(2 - half), "high": pytest.approx(2 + half)}
    assert pr_images.band([5.0, float("nan")]) == {"mean": 5.0, "low": None, "high": None}
    assert pr_images.band([])["mean"] is None
    text = pr_images.difference_text({0.1: {0: 0.9, 1: 0.8}}, {0.1: {0: 0.7, 1: 0.6}}, (0.1, 0.2))
    assert text == "0.1: +20.00 [+20.00, +20.00] points"


# pr-accuracy


def test_every_method_of_the_catalogue_is_there():
    names = [name for family in pr_accuracy.FAMILIES.values() for name in family]
    assert set(names) | {pr_accuracy.DENSE} == set(pr_accuracy.LABELS)
    others = {"ticket-transfer", "neq"}  # which need two tasks, and prune nothing
    assert set(pruning.catalogue()) - others <= set(names)


@pytest.mark.parametrize("family", pr_accuracy.FAMILIES)
def test_every_method_prunes_to_the_number_asked_for(family):
    for name in pr_accuracy.FAMILIES[family]:
        cell = dataclasses.replace(SMALL, method=name, keep=(0.4, 0.2), hidden=(5, 4))
        metrics, kept = pr_accuracy.compute(cell, "cpu")
        total = 64 * 5 + 5 * 4 + 4 * 10
        assert [fit["keep"] for fit in metrics["fits"]] == [0.4, 0.2]
        for fit, layers in zip(metrics["fits"], kept["layers"], strict=True):
            assert sum(layers) == fit["weights"] == round(fit["keep"] * total), name
            assert 0 < fit["accuracy"] <= 1


def test_shares_that_have_a_run_in_common_are_what_runs_of_their_own_find():
    X, y, X_test, y_test = pr_images.images("pooled-digits", SMALL.n, 0, "float32")
    start, training = start_of(SMALL, "pr-accuracy"), SMALL.training
    metrics, _ = pr_accuracy.compute(SMALL, "cpu")
    dense = pruning.prune(
        start,
        (X, y),
        pruning.Method("dense", "magnitude", training=training, retraining=None),
        sparsity=start.n_weights,
        rng=stream("pr-accuracy", "first", "pooled-digits", 0),
    ).model
    for fit, keep in zip(metrics["fits"], SMALL.keep, strict=True):
        count = round(keep * start.n_weights)
        flat = np.concatenate([np.abs(layer).ravel() for layer in dense.layers])
        mask = np.zeros(flat.size)
        mask[np.argsort(-flat, kind="stable")[:count]] = 1
        layers, place = [], 0
        for layer in dense.layers:
            layers.append(layer * mask[place : place + layer.size].reshape(layer.shape).astype("float32"))
            place += layer.size
        once = pruning.Method("plain", lambda view: [np.abs(w) for w in view.layers], source="start", rewind="start")
        # of the masked weights, exactly the kept ones are not zero
        found = pruning.prune(
            dense.replace(layers=layers),
            (X, y),
            once.replace(training=training),
            sparsity=count,
            rng=stream("pr-accuracy", "second", "pooled-digits", 0),
        )
        assert fit["accuracy"] == pytest.approx((found.model(X_test).argmax(axis=1) == y_test).mean())


@pytest.mark.parametrize("name", ["movement", "bingo-corrected"])
def test_scores_of_the_path_are_those_of_a_whole_run(name):
    cell = dataclasses.replace(SMALL, method=name, keep=(0.7,))
    X, y, *_ = pr_images.images("pooled-digits", cell.n, 0, "float32")
    start = start_of(cell, "pr-accuracy")
    method = pr_accuracy.method_of(name, cell.training, cell.training.total(cell.n))
    with quiet(RuntimeWarning):  # a layer without weights, after so short a training
        whole = pruning.prune(
            start,
            (X, y),
            method.replace(retraining=None),
            sparsity=round(0.7 * start.n_weights),
            rng=stream("pr-accuracy", "first", "pooled-digits", 0),
        )
    _, kept = pr_accuracy.compute(cell, "cpu")
    np.testing.assert_array_equal(kept["layers"][0], [mask.sum() for mask in whole.masks.layers])


def test_rounds_land_on_every_share_and_their_networks_are_trained():
    landing = pr_accuracy._Landing((30, 10))
    assert landing(100, 10) == [80, 64, 51, 41, 33, 30, 24, 19, 15, 12, 10]
    assert pr_accuracy._Landing((100, 50))(100, 50)[-1] == 50
    cell = dataclasses.replace(SMALL, method="imp")
    metrics, _ = pr_accuracy.compute(cell, "cpu")
    X, y, X_test, y_test = pr_images.images("pooled-digits", cell.n, 0, "float32")
    start = start_of(cell, "pr-accuracy")
    method = pruning.catalogue(cell.training)["imp"]
    counts = [round(keep * start.n_weights) for keep in cell.keep]
    alone = pruning.prune(
        start,
        (X, y),
        method.replace(schedule=pr_accuracy._Landing((counts[0],))),
        sparsity=counts[0],
        rng=stream("pr-accuracy", "first", "pooled-digits", 0),
    )
    # a run that ends there has made the same rounds with the same rows
    wanted = (alone.model(X_test).argmax(axis=1) == y_test).mean()
    assert metrics["fits"][0]["accuracy"] == pytest.approx(wanted)


def test_the_ordering_is_judged_pair_by_pair():
    summary = pr_accuracy.summarise("quick", 0, fabricated.records("pr-accuracy", "quick"))
    claims = {claim["claim"]: claim for claim in summary["claims"]}
    assert claims["SNIP is more accurate than random."]["verdict"] == "held"
    assert claims["IMP (full rewinding) is more accurate than magnitude."]["verdict"] == "held"
    assert claims["BINGO (sign corrected) is more accurate than magnitude."]["verdict"] == "not held"
    assert "0.05: " in claims["magnitude is more accurate than SNIP."]["measured"]
    assert all("1,437 training and 360 test images, 5 seeds" in claim["data"] for claim in summary["claims"])
    pair = next(one for one in summary["pairs"] if (one["worse"], one["better"]) == ("random", "SNIP"))
    assert len(pair["mean"]) == len(summary["keep"])
    assert pair["low"][0] < pair["mean"][0] < pair["high"][0]
    rows = {row[1]: row[2:] for row in summary["table"]["rows"]}
    assert rows["dense"][0].startswith("9")
    assert len(rows) == len(pr_accuracy.LABELS)


def test_a_seed_that_is_missing_of_one_method_is_left_out_of_its_pairs():
    records = fabricated.records("pr-accuracy", "smoke")
    less = [one for one in records if not (one.cell.settings["method"] == "snip" and one.cell.settings["seed"] == 0)]
    pair = pr_accuracy.summarise("smoke", 0, less)["pairs"][0]
    assert pair["mean"][0] is not None
    assert pair["low"] == [None, None]


# pr-floor


def test_the_floor_is_the_last_level_before_the_first_that_falls_below():
    assert pr_floor.at_floor([100, 90, 80, 70], [0.97, 0.95, 0.89, 0.93], 0.9) == 90
    assert pr_floor.at_floor([100, 90, 80], [0.97, 0.95, 0.9], 0.9) == 80
    assert pr_floor.at_floor([100, 90], [0.97, 0.1], 0.9) == 100


def test_a_cell_of_magnitude_at_a_floor_is_plain_code():
    metrics, kept = pr_floor.compute(FLOOR, "cpu")
    X, y, X_test, y_test = pr_images.images("pooled-digits", FLOOR.n, 0, "float32")
    start = start_of(FLOOR, "pr-floor")
    dense = pruning.prune(
        start,
        (X, y),
        pruning.Method("dense", "magnitude", training=FLOOR.training, retraining=None),
        sparsity=start.n_weights,
        rng=stream("pr-floor", "training", "pooled-digits", 0),
    ).model
    flat = np.concatenate([np.abs(layer).ravel() for layer in dense.layers])
    order, total = np.argsort(-flat, kind="stable"), flat.size
    assert kept["left"].tolist() == [round(total * (1 - 0.01 * k)) for k in range(101)]
    for count, accuracy in list(zip(kept["left"], kept["accuracy"], strict=True))[::10]:
        mask, place, layers = np.zeros(total, bool), 0, []
        mask[order[:count]] = True
        for layer in dense.layers:
            layers.append(np.where(mask[place : place + layer.size].reshape(layer.shape), layer, 0))
            place += layer.size
        assert accuracy == pytest.approx((dense.replace(layers=layers)(X_test).argmax(axis=1) == y_test).mean())
    assert metrics["pruned"] == pytest.approx(
        1 - pr_floor.at_floor(kept["left"].tolist(), kept["accuracy"].tolist(), 0.5) / total
    )
    # one training, and nothing else
    assert (metrics["cost"], metrics["forward"], metrics["backward"]) == (1.0, 1.0, 1.0)


def test_what_bingo_and_imp_cost_in_trainings():
    metrics, _ = pr_floor.compute(dataclasses.replace(FLOOR, method="bingo-printed"), "cpu")
    # each update is followed by a pass and one more for each of the three layers
    assert metrics["forward"] == pytest.approx(5.0)
    assert metrics["backward"] == 1.0
    assert 1.5 < metrics["cost"] < 2.5  # layers below the probed one are not computed again
    metrics, kept = pr_floor.compute(dataclasses.replace(FLOOR, method="imp"), "cpu")
    assert metrics["cost"] == len(kept["left"])  # rounds: each trains once, the last one to an accuracy below the floor
    assert (kept["accuracy"][:-1] >= 0.5).all()


def test_a_dense_network_below_the_floor_is_a_sentence():
    with pytest.raises(ValueError, match="below"):
        pr_floor.compute(dataclasses.replace(FLOOR, epochs=1, learning_rate=1e-5, floor=0.9), "cpu")


def test_claims_at_the_floor():
    summary = pr_floor.summarise("quick", 0, fabricated.records("pr-floor", "quick"))
    claims = {claim["claim"]: claim["verdict"] for claim in summary["claims"]}
    assert claims["IMP prunes more than BINGO as printed (85 % against 71 %)."] == "held"
    assert claims["BINGO costs at most 17 / 122 of what IMP does."] == "not held"  # 2 of 12
    found = claims["BINGO with a running mean, each layer for itself, prunes more than one-shot magnitude does."]
    assert found == "not held"
    row = next(row for row in summary["table"]["rows"] if row[0] == "BINGO as printed")
    assert row[-2:] == [71.0, 17.0]
    assert summary["methods"]["imp"]["gone"][1] == pytest.approx(0.2)


# pr-neq


def test_a_cell_of_neq_is_what_the_trainings_say():
    metrics, kept = pr_neq.compute(NEQ, "cpu")
    model, (X, y, X_test, y_test) = pr_neq.problem(NEQ)

    def run(rule):
        return NEq(rule=rule, training=NEQ.training).run(
            model, (X, y), rng=stream("pr-neq", "batches", "pooled-digits", 0)
        )

    found = run(Equilibrium(eps=1e-3))
    assert metrics["neq"]["error"] == pytest.approx((found.model(X_test).argmax(axis=1) != y_test).mean())
    assert metrics["neq"]["saved"] == found.total.saved
    np.testing.assert_allclose(kept["frozen"], [mask.mean(axis=1) for mask in found.frozen[:2]])
    shapes = ((64, 16), (16, 12), (12, 10))
    whole = sum(2 * a * b for a, b in shapes) * found.n_epochs
    booked = sum(2 * a * b * (1 - mask.mean(axis=1)).sum() for (a, b), mask in zip(shapes, found.frozen, strict=True))
    assert metrics["neq"]["booked"] == pytest.approx(1 - booked / whole)
    early = run(EarlyStopping(found.total.executed))
    assert metrics["early"]["error"] == pytest.approx((early.model(X_test).argmax(axis=1) != y_test).mean())
    for rival in ("random", "early", "compressed"):  # equal budgets, to the last update
        assert metrics[rival]["saved"] >= metrics["neq"]["saved"] - 1e-12
        assert metrics[rival]["saved"] < metrics["neq"]["saved"] + 0.05
    assert metrics["random"]["saved"] == pytest.approx(metrics["neq"]["saved"])


def test_without_freezing_the_quantiles_are_those_of_all_units():
    cell = dataclasses.replace(NEQ, data="planted", rule=pr_neq.DENSE, hidden=(20,), dtype="float64", weight_decay=0.0)
    metrics, kept = pr_neq.compute(cell, "cpu")
    assert metrics["neq"]["saved"] == 0.0
    assert set(metrics) == {"neq"}
    assert not kept["frozen"].any()
    model, (X, y, *_) = pr_neq.problem(cell)
    rng = stream("pr-neq", "batches", "planted", 0)
    found = NEq(rule=Equilibrium(eps=0.0), training=cell.training).run(model, (X, y), rng=rng)
    np.testing.assert_allclose(kept["phi"][0, :, 2], np.median(1 - found.phi[0], axis=1), atol=1e-15)
    np.testing.assert_allclose(kept["velocity"][0, :, 4], np.quantile(abs(found.velocity[0]), 0.95, axis=1))


def test_rules_by_name():
    assert pr_neq.rule_of("1e-3, released").filter == "released"
    assert pr_neq.rule_of("1e-5").eps == 1e-5
    assert pr_neq.rule_of("calibrated 5 %").eps.quantile == 0.05
    assert pr_neq.rule_of("calibrated 5 %").warm_up == pr_neq.WARM_UP
    assert pr_neq.rule_of(pr_neq.DENSE).eps == 0.0


def test_claims_of_neq():
    summary = pr_neq.summarise("quick", 0, fabricated.records("pr-neq", "quick"))
    claims = {claim["claim"]: claim for claim in summary["claims"]}
    assert claims["With eps = 1e-3 performance is kept (planted network)."]["verdict"] == "not held"  # 1.8 times
    assert claims["NEq loses less than freezing as many random units does (planted network)."]["verdict"] == "held"
    one = claims["All multiply-adds counted as saved for frozen units are saved (1 hidden layer)."]
    two = claims["All multiply-adds counted as saved for frozen units are saved (2 hidden layers)."]
    assert (one["verdict"], two["verdict"]) == ("held", "not held")
    assert "1.00 points" in two["measured"]
    planted = summary["panels"][0]
    assert planted["scale"] == "log"
    assert planted["curves"]["neq"]["1e-3"]["mean"] == pytest.approx(1.8, abs=0.15)
    assert any("0.0 in hidden layer 1, 3.0 in hidden layer 2" in note for note in summary["notes"])


def test_the_companion_has_one_column_for_each_hidden_layer():
    summary = pr_neq.summarise_phi("quick", 0, fabricated.records("pr-neq", "quick"))
    assert [panel["title"].replace("\n", ", ") for panel in summary["panels"]] == [
        "planted network, 40 units",
        "digits, hidden layer 1, 100 units",
        "digits, hidden layer 2, 50 units",
    ]
    fan = np.array(summary["panels"][0]["fans"]["velocity"])
    assert fan.shape == (5, 60)
    assert (np.diff(fan, axis=0) > 0).all()


def test_missing_cells_leave_gaps():
    for name, module, part in (
        ("pr-neq", pr_neq, pr_neq.summarise),
        ("pr-neq", pr_neq, pr_neq.summarise_phi),
        ("pr-floor", pr_floor, pr_floor.summarise),
    ):
        records = fabricated.records(name, "smoke")
        for few in (records[: len(records) // 2], records[3:]):
            assert part("smoke", 0, few)["table"]["rows"] is not None, module
