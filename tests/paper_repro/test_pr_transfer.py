"""Transferred tickets: what a cell computes, against plain least squares, and what the summary says."""

import fabricated
import numpy as np
import pytest

from paper_repro.experiments import pr_transfer
from recovery import pruning

OVERLAPS = (0.0, 0.5, 1.0)


@pytest.fixture(scope="module")
def linear():
    cell = pr_transfer.TransferCell("linear", 4, OVERLAPS, (20, 60))
    return cell, pr_transfer.compute(cell, "cpu")[0]


def nearest(X, y, start, mask):
    return mask * start + np.linalg.pinv(X * mask) @ (y - X @ (mask * start))


def test_linear_tickets_are_what_least_squares_finds(linear):
    cell, metrics = linear
    for i, overlap in enumerate(OVERLAPS):
        for n in cell.targets:
            pair = pr_transfer.pair_of(cell, overlap, n)
            ticket = pr_transfer.ticket_of(cell, pair)
            start = np.array(ticket.initial.layers[0])
            everything = np.ones(200, dtype=bool)
            trained = nearest(pair.X_source, pair.y_source, start, everything)
            mask = np.zeros(200, dtype=bool)
            mask[np.argsort(-np.abs(trained))[:40]] = True
            plain = {
                "source": nearest(pair.X_target, pair.y_target, trained, mask),
                "initial": nearest(pair.X_target, pair.y_target, start, mask),
                "dense": nearest(pair.X_target, pair.y_target, trained, everything),
            }
            for name, w in plain.items():
                error = ((w - pair.target) ** 2).sum() / 20
                assert metrics["errors"][str(n)][i][name] == pytest.approx(error, rel=1e-6, abs=1e-12)
            assert metrics["recall"][i] == pytest.approx(mask[pair.target_inputs].mean())


def test_the_closed_form_is_that_of_the_mask_and_the_start(linear):
    cell, metrics = linear
    pair = pr_transfer.pair_of(cell, 0.5, 20)
    ticket = pr_transfer.ticket_of(cell, pair)
    mask = np.array(ticket.masks.layers[0])[:, 0]
    outside = (pair.target[~mask] ** 2).sum()
    away = ((np.array(ticket.trained.layers[0]) - pair.target)[mask] ** 2).sum()
    few = outside + (1 - 20 / 40) * away + outside * 20 / (40 - 20 - 1)
    assert metrics["exact"]["20"][1]["source"] == pytest.approx(few / 20)
    many = outside + outside * 40 / (60 - 40 - 1)
    for name in ("source", "initial", "random"):
        assert metrics["exact"]["60"][1][name] == pytest.approx(many / 20)


def test_with_more_samples_than_weights_the_start_does_not_matter(linear):
    _, metrics = linear
    for one in metrics["errors"]["60"]:
        assert one["initial"] == pytest.approx(one["source"], rel=1e-8, abs=1e-20)
        assert one["random"] == pytest.approx(one["source"], rel=1e-8, abs=1e-20)
    few = metrics["errors"]["20"][2]
    assert few["source"] < 0.2 < few["initial"]
    assert few["random-mask"] > 3 * few["initial"]


def test_all_pairs_of_a_cell_share_the_source_task():
    cell = pr_transfer.TransferCell("relu", 0, OVERLAPS, (50, 150))
    first = pr_transfer.pair_of(cell, 0.0, 50)
    for overlap, n in ((0.0, 150), (1.0, 50)):
        other = pr_transfer.pair_of(cell, overlap, n)
        np.testing.assert_array_equal(first.X_source, other.X_source)
        np.testing.assert_array_equal(first.y_source, other.y_source)
    assert other.n_shared == 6


def test_a_ticket_of_a_network_prunes_the_first_layer_in_rounds():
    cell = pr_transfer.TransferCell("relu", 0, (1.0,), (50,))
    pair = pr_transfer.pair_of(cell, 1.0, 50)
    ticket = pr_transfer.ticket_of(cell, pair)
    assert [int(layer.sum()) for layer in ticket.masks.layers] == [160, 20]
    assert len(ticket.path) == 3
    target = pruning.Data(pair.X_target, pair.y_target, pair.X_test, pair.y_test)
    errors, exact = pr_transfer.transferred(cell, ticket, pair, target, 50)
    assert set(errors) == set(pr_transfer.WAYS)
    assert exact == {}
    assert errors["source"] < errors["random-mask"]


def test_the_summary_has_means_medians_and_closed_forms():
    records = fabricated.records("pr-transfer", "quick")
    summary = pr_transfer.summarise("quick", 0, records)
    assert [(one["kind"], one["n"]) for one in summary["panels"]] == [
        (kind, n) for kind, sizes in pr_transfer.TARGETS.items() for n in sizes
    ]
    first, last = summary["panels"][0], summary["panels"][-1]
    own = [r.metrics["errors"] for r in records]
    assert first["curves"]["source"]["mean"][0] == pytest.approx(np.mean([one["20"][0]["source"] for one in own[:100]]))
    assert last["curves"]["dense"]["mean"][1] == pytest.approx(np.median([one["500"][1]["dense"] for one in own[100:]]))
    assert first["exact"]["source"][0] == pytest.approx(1.01)
    assert last["exact"] == {}
    assert any("4.00 (ticket, trained source weights θ_S, overlap 1)" in note for note in summary["notes"])
    assert len(summary["claims"]) == 5
    assert summary["claims"][0]["verdict"] == "held"  # made up: dense is five times as far off
    assert pr_transfer.summarise("quick", 0, records[:1])["panels"][0]["curves"]["source"]["low"][0] is None
