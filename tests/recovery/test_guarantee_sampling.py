"""Samplers: every design, the shares that are promised, reproducible draws, and steering to a margin."""

import math

import numpy as np
import pytest
import toy_guarantees as toy

from recovery import Instance
from recovery.guarantees import Guarantee, Verdict, draw, linear_instance, steer
from recovery.guarantees.engine.sampling import DESIGNS, TALL_DESIGNS

PROJECTION = toy.projection_bound(math.sqrt(2.0))


def drawn(count, **options):
    rng = np.random.default_rng(0)
    return [linear_instance(rng, **options) for _ in range(count)]


def test_the_shares_that_the_docstring_promises():
    found = drawn(600)
    assert {one.options["design"].partition("(")[0] for one in found} == set(TALL_DESIGNS)
    assert np.mean([one.sparsity >= 2 for one in found]) > 0.6
    assert 0.1 < np.mean([one.law is None for one in found]) < 0.3
    assert {one.law.name for one in found if one.law} == {"gaussian", "rademacher", "uniform", "laplace", "student"}
    assert all(one.shape[0] >= one.shape[1] > one.sparsity >= 1 for one in found)
    assert 0.2 < np.mean([one.shape[0] == one.shape[1] for one in found]) < 0.45
    assert np.mean([len(set(np.abs(one.x[one.support]))) > 1 for one in found if one.sparsity > 1]) > 0.5
    sizes = [np.abs(one.matrix).max() for one in found]
    assert min(sizes) < 1e-1
    assert max(sizes) > 1e4
    assert all(np.count_nonzero(one.x) == one.sparsity for one in found)


@pytest.mark.parametrize("design", TALL_DESIGNS)
def test_tall_designs_have_full_column_rank(design):
    for one in drawn(60, designs=(design,), wild=0.0):
        sigma = np.linalg.svd(one.matrix / np.linalg.norm(one.matrix, axis=0), compute_uv=False)
        assert sigma[-1] > 1e-9


def test_designs_that_do_not_fit_are_gaussian_and_any_shape_can_be_drawn():
    found = drawn(300, designs=DESIGNS, n_range=(1, 4), d_range=(1, 6), tall=False)
    assert any(one.shape[0] < one.shape[1] for one in found)
    assert not any(one.options["design"] == "orthogonal" and one.shape[0] < one.shape[1] for one in found)
    assert any(one.options["design"].startswith("duplicated") for one in found)


def test_aimed_noise_is_the_worst_of_its_size():
    rng = np.random.default_rng(1)
    for one in drawn(40, aimed=1.0, d_range=(3, 6), designs=("gaussian", "toeplitz"), wild=0.0):
        small = int(np.argmin(np.where(one.x != 0, np.abs(one.x), np.inf)))
        inverse, size = np.linalg.pinv(one.matrix), np.linalg.norm(one.noise)
        others = one.noise[:, None] + 0.3 * size * rng.standard_normal((one.noise.size, 50))
        others *= size / np.linalg.norm(others, axis=0)
        eta = inverse @ np.column_stack([one.noise, others])
        # how much the smallest weight and each zero weight approach each other
        closer = eta[one.x == 0.0] - np.sign(one.x[small]) * eta[small]
        assert np.any(np.all(closer[:, :1] >= closer[:, 1:], axis=1))


def test_a_start_is_drawn_when_asked_for():
    assert all(one.x0 is not None for one in drawn(5, start=True))
    assert all(one.x0 is None for one in drawn(5))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"d_range": (4, 2)}, r"d_range=\(4, 2\); expected two integers"),
        ({"k_range": (0, 2)}, r"k_range=\(0, 2\)"),
        ({"designs": ("round",)}, "designs has 'round'; expected names from gaussian"),
        ({"signs": ("negative",)}, "signs='negative' is not known"),
        ({"laws": ("cauchy",), "aimed": 0.0}, "name='cauchy' is not known"),
    ],
)
def test_wrong_options_are_sentences(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        linear_instance(np.random.default_rng(0), **options)


def test_a_draw_belongs_to_guarantee_and_seed_alone():
    one, two = draw(PROJECTION, 7), draw(PROJECTION, 7)
    np.testing.assert_array_equal(one.matrix, two.matrix)
    np.testing.assert_array_equal(one.y, two.y)
    assert one.options["seed"] == 7
    assert not np.array_equal(one.y, draw(PROJECTION, 8).y)
    other = draw(toy.projection_bound(math.sqrt(2.0), name="another-name"), 7)
    assert other.shape != one.shape or not np.array_equal(other.y, one.y)
    unsteered = draw(PROJECTION, 7, steered=False)
    np.testing.assert_array_equal(unsteered.matrix, one.matrix)
    with pytest.raises(ValueError, match="has no sampler"):
        draw(toy.projection_bound(1.0, sampler=None), 0)
    with pytest.raises(ValueError, match="seed=-1 is out of range"):
        draw(PROJECTION, -1)


def test_draws_lie_on_both_sides_and_near_the_boundary():
    margins = np.array([PROJECTION.check(draw(PROJECTION, seed)).margin for seed in range(400)])
    assert np.mean((margins > 0) & (margins <= 0.05)) > 0.15
    assert np.mean(margins > 0.05) > 0.35
    assert np.mean((margins < 0) & (margins > -0.31)) > 0.1


@pytest.mark.parametrize("target", [3.0, 0.05, 1e-6, -1e-4, -0.5])
@pytest.mark.parametrize("factor", ["noise", "signal"])
def test_steering_reaches_a_ratio_at_once(target, factor):
    counted = []

    def hypotheses(instance):
        counted.append(instance)
        return PROJECTION.hypotheses(instance)

    guarantee = Guarantee("c", "implication", "", "", "", hypotheses, toy.pruned_at_once, steer=factor)
    for instance in drawn(10):
        counted.clear()
        assert abs(guarantee.check(steer(guarantee, instance, target)).margin - target) <= 0.1 * abs(target)
        assert len(counted) <= 4


def steered_by(function, factor="noise"):
    """A guarantee whose margin is a function of the size of the noise."""

    def hypotheses(instance):
        value = function(abs(float(instance.noise[0])))
        return Verdict("unknown" if math.isnan(value) else "holds" if value > 0 else "fails", value, "")

    return Guarantee("s", "implication", "", "", "", hypotheses, toy.pruned_at_once, steer=factor)


BASE = Instance.planted(np.eye(1), np.ones(1), np.ones(1))


@pytest.mark.parametrize(
    "function",
    [
        lambda size: 0.3 / size**3 - 1.0,
        lambda size: math.exp(-size) / 0.01 - 1.0,
        lambda size: min(100.0, 7.0 / size) / (1.0 + size) - 1.0,
        lambda size: (5.0 if size < 2.0 else 10.0 / size) / (1.0 + 0.01 * size) - 1.0,
    ],
)
@pytest.mark.parametrize("target", [0.3, 0.01, -0.2])
def test_steering_finds_curved_and_kinked_margins(function, target):
    guarantee = steered_by(function)
    margin = guarantee.check(steer(guarantee, BASE, target)).margin
    assert abs(margin - target) <= 0.1 * abs(target)


@pytest.mark.parametrize(
    "function",
    [lambda size: -0.4, lambda size: math.nan, lambda size: math.inf, lambda size: -1.0, lambda size: 1e-3 / size],
)
def test_steering_leaves_what_it_cannot_move(function):
    counted = []

    def watched(size):
        counted.append(size)
        return function(size)

    assert steer(steered_by(watched), BASE, -0.2) is BASE
    assert len(counted) <= 12
    assert steer(steered_by(lambda size: 1.0 / size - 1.0, factor=None), BASE, 0.1) is BASE
    unknown = Instance(np.eye(1), np.ones(1), 1)
    assert steer(PROJECTION, unknown, 0.1) is unknown
    with pytest.raises(ValueError, match=r"target_margin=-1.0; expected a number above -1"):
        steer(PROJECTION, BASE, -1.0)
