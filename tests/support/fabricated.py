"""Records of experiments with made-up numbers, so that drawing can be tested without computing."""

from unittest import mock

import fabricated_conditions
import fabricated_controls
import fabricated_exact
import fabricated_gram
import fabricated_images
import fabricated_imp
import fabricated_inr
import fabricated_mnist
import fabricated_planted
import fabricated_pruned
import numpy as np

from paper_repro import experiment as experiments
from paper_repro.results import store_of
from paper_repro.store import Record

OUTCOMES = {
    **fabricated_imp.OUTCOMES,
    **fabricated_inr.OUTCOMES,
    **fabricated_controls.OUTCOMES,
    **fabricated_conditions.OUTCOMES,
    **fabricated_gram.OUTCOMES,
    **fabricated_mnist.OUTCOMES,
    **fabricated_planted.OUTCOMES,
    **fabricated_exact.OUTCOMES,
    **fabricated_pruned.OUTCOMES,
    **fabricated_images.OUTCOMES,
}
"""For experiments of other kinds than networks: settings of a cell -> its made-up (metrics, arrays)."""


def metrics(name, settings):
    draw = np.random.default_rng([settings["seed"], settings["m"], settings["s"], len(settings["method"])])
    values = {"psnr_db": float(draw.uniform(10, 60)), "exact": False, "weight_error": 0.5, "status": "STEP_LIMIT"}
    values.update(settled=int(draw.integers(5, 20)) if settings["k"] < 20 else None)
    values.update(same_function=settings["k"] < 5, exact=settings["k"] < 3)
    return values


def records(name, preset, seed=0):
    """Return one record a cell of a preset."""
    experiment = experiments.get(name)
    cells = map(experiment.cell, experiment.cells(preset, seed))
    run = {"wall_s": 0.5, "versions": {"numpy": "2"}, "machine": {"cores": 2}, "device": "cpu", "warnings": []}
    return [Record(cell, "done", "", *outcome(name, cell.settings), run) for cell in cells]


def outcome(name, settings):
    """Return made-up metrics and arrays of a cell."""
    if name in OUTCOMES:
        return OUTCOMES[name](settings)
    return metrics(name, settings), {"a": np.arange(3.0)}


def fill(folder, name, preset, leave_out=0):
    """Put the records of a preset into the store of a results folder, but for the first few; the disk is not synced."""
    store = store_of(folder)
    with mock.patch("os.fsync"):
        for record in records(name, preset)[leave_out:]:
            store.write(record)
    return experiments.get(name)
