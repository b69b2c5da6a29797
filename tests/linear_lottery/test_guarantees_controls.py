"""What holds on every path: that the checks see what they should, and how sharp they are."""

import dataclasses

import numpy as np
import pytest

import linear_lottery
from linear_lottery import _imp
from linear_lottery.guarantees.controls import CONTROLS
from linear_lottery.guarantees.facts import facts
from recovery import Instance
from recovery.guarantees import draw, linear_instance

RESIDUAL, TRAINING, START, CONDITIONING, BARRIER, SPLIT = CONTROLS


def test_the_training_error_bound_is_attained():
    """Orthogonal columns of one norm, every weight at tau: each that goes costs sigma_max^2 tau^2."""
    X, tau = 2.0 * np.eye(5)[:, :4], 0.5
    w = np.array([tau, -tau * (1 - 1e-9), 3.0, tau * (1 - 1e-9)])
    instance = Instance(X, X @ w, 2, options={"tau": tau})
    verdict = TRAINING.conclusion(instance)
    assert verdict.status == "holds"
    assert verdict.margin == pytest.approx(0, abs=1e-8)


def test_growing_masks_are_noticed(monkeypatch):
    """A path that grows instead of shrinking has condition numbers that rise."""
    imp = linear_lottery.imp

    def backwards(*arguments, **options):
        path = imp(*arguments, **options)
        return dataclasses.replace(path, masks=path.masks[::-1], weights=path.weights[::-1], sizes=path.sizes[::-1])

    monkeypatch.setattr(_imp, "imp", backwards)
    assert sum(CONDITIONING.judge(draw(CONDITIONING, seed)).violated for seed in range(20)) >= 10


def test_another_loss_would_have_a_barrier(monkeypatch):
    """The check looks at the loss between two solutions: of a concave one it would see the barrier."""
    from linear_lottery.guarantees import controls

    plain = controls._rss
    monkeypatch.setattr(controls, "_rss", lambda known, w: -plain(known, w))
    assert sum(BARRIER.judge(draw(BARRIER, seed)).violated for seed in range(20)) >= 15


def test_the_start_matters_where_there_is_a_null_space():
    rng = np.random.default_rng(0)
    wide = linear_instance(rng, d_range=(6, 6), n_range=(3, 3), tall=False, start=True)
    assert START.check(wide).status == "fails"
    # the flow from the start, compared with the path from 0
    flow = linear_lottery.gradient_flow(wide.matrix, wide.y, wide.x0)
    assert np.abs(flow - linear_lottery.imp(wide.matrix, wide.y, 5).weights[0]).max() > 1e-3


@pytest.mark.parametrize("seed", range(5))
def test_how_small_the_slack_is(seed):
    """On a well-conditioned design a change of 1e-12 in a weight is seen."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((12, 5))
    instance = Instance.planted(X, [1.0, 0, -2.0, 0, 0], 0.1 * rng.standard_normal(12), x0=rng.standard_normal(5))
    known = facts(instance)
    assert known.weight_error(instance.x) < 1e-12
    assert known.rounding() < 3e-13


@pytest.mark.parametrize("cond", [1e2, 1e4, 1e6, 1e8])
def test_the_error_of_weights_covers_what_rounding_does(cond):
    """Refits and deflation differ from least squares in 60 digits by less, and by more than a thousandth of it."""
    import mpmath

    rng = np.random.default_rng(1)
    worst = 0.0
    for _ in range(3):
        left, right = np.linalg.qr(rng.standard_normal((9, 5)))[0], np.linalg.qr(rng.standard_normal((5, 5)))[0]
        X = left * np.geomspace(1.0, 1.0 / cond, 5) @ right
        y = X @ rng.standard_normal(5) + 1e-3 / cond * rng.standard_normal(9)
        path = linear_lottery.imp(X, y, 1)
        known = facts(Instance(X, y, 1))
        for mask, w in zip(path.masks, path.weights, strict=True):
            with mpmath.workdps(60):
                A, b = mpmath.matrix(X[:, mask].tolist()), mpmath.matrix(y.tolist())
                exact = np.array([float(one) for one in mpmath.lu_solve(A.T * A, A.T * b)])
            worst = max(worst, float(np.linalg.norm(w[mask] - exact)) / known.weight_error(w))
    assert 1e-4 < worst < 0.5


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("control", [RESIDUAL, BARRIER, SPLIT], ids=lambda one: one.name)
def test_squares_beyond_the_range_of_numbers_are_avoided_by_units_and_unknown_without(control):
    instance = draw(control, 3)
    beyond = instance.replace(A=1e160 * instance.matrix, noise=1e160 * instance.noise)
    assert control.conclusion(instance).status == "holds"
    assert control.conclusion(beyond).status == "holds"
    assert control.outcome(beyond).status == "unknown"  # without the choice of units
