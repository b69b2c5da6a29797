"""Masks of weights: what they refuse, and pruning by magnitude."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.mlp.masks import pruned_count
from recovery.networks import Masks


def layers(seed=0, shapes=((4, 3), (3, 2))):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


def flat(parts):
    return np.concatenate([np.ravel(part) for part in parts])


def test_masks_are_copies_that_cannot_be_written_to():
    source = np.ones((2, 2))
    masks = Masks([source])
    source[0, 0] = 0
    assert masks.count == 4
    with pytest.raises(ValueError, match="read-only"):
        masks.layers[0][0, 0] = False
    assert masks.shapes == ((2, 2),)
    assert repr(masks) == "Masks(2x2; 4 of 4 kept)"


@pytest.mark.parametrize(
    ("given_layers", "error", "words"),
    [
        ([], ValueError, "layers is empty"),
        ([np.full((2, 2), 0.5)], ValueError, r"layers\[0\] holds values other than 0 and 1"),
        ([np.ones((2, 2)), np.full((2, 2), np.nan)], ValueError, r"layers\[1\].*NaN"),
        ([np.ones(3)], ValueError, r"layers\[0\] has shape \(3,\); expected 2"),
        ([None], TypeError, r"layers\[0\]=None is not an array"),
    ],
)
def test_what_is_no_mask_is_refused(given_layers, error, words):
    with pytest.raises(error, match=words):
        Masks(given_layers)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({}, ValueError, "expected exactly one"),
        ({"count": 3, "share": 0.1}, ValueError, "count=3 and share=0.1"),
        ({"count": 19}, ValueError, "count=19.*between 0 and 18"),
        ({"count": -1}, ValueError, "count=-1"),
        ({"count": 2.0}, TypeError, "count=2.0"),
        ({"share": 1.5}, ValueError, "share=1.5"),
    ],
)
def test_pruning_refuses_bad_arguments(options, error, words):
    with pytest.raises(error, match=words):
        Masks.full(layers()).prune(layers(), **options)


def test_weights_of_other_shapes_and_nan_are_refused():
    masks = Masks.full(layers())
    with pytest.raises(ValueError, match="weights has 1 layer"):
        masks.apply(layers()[:1])
    with pytest.raises(ValueError, match=r"weights\[1\] has shape \(2, 3\); expected \(3, 2\)"):
        masks.prune([layers()[0], layers()[1].T], count=3)
    broken = layers()
    broken[0][1, 1] = np.nan
    with pytest.raises(ValueError, match="weights holds NaN"):
        masks.prune(broken, count=3)


@given(data=st.data())
def test_pruning_keeps_the_largest_exactly_as_many_and_only_kept_ones(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    # few different magnitudes: ties everywhere
    weights = [rng.integers(-3, 4, size=shape).astype(float) for shape in ((4, 3), (3, 2))]
    masks = Masks([rng.random((4, 3)) < 0.7, rng.random((3, 2)) < 0.7])
    count = data.draw(st.integers(0, masks.count))
    pruned = masks.prune(weights, count=count)
    before, after, magnitude = flat(masks.layers), flat(pruned.layers), np.abs(flat(weights))
    assert after.sum() == pruned.count == count
    assert not (after & ~before).any()  # nested
    kept, dropped = np.flatnonzero(after), np.flatnonzero(before & ~after)
    if kept.size and dropped.size:
        assert magnitude[kept].min() >= magnitude[dropped].max()
        boundary = magnitude[kept].min()
        tied_out = dropped[magnitude[dropped] == boundary]
        if tied_out.size:
            assert kept[magnitude[kept] == boundary].max() < tied_out.min()
    np.testing.assert_array_equal(masks.flat, before)  # unchanged


def test_apply_keeps_bits_and_leaves_exact_zeros(backend):
    weights = layers()
    masks = Masks([backend.put(np.array(weights[0] > 0)), backend.put(np.array(weights[1] > 0))])
    found = masks.apply([backend.put(part) for part in weights])
    for part, kept in zip(found, weights, strict=True):
        np.testing.assert_array_equal(backend.get(part), np.where(kept > 0, kept, 0.0))
    pruned = masks.prune([backend.put(part) for part in weights], count=2)
    best = np.sort(flat(weights))[-2:]
    assert backend.get(pruned.flat).sum() == 2
    assert set(flat([backend.get(part) for part in pruned.apply(found)])) - {0.0} == set(best)


def test_a_share_drops_as_many_as_pytorch_rounds_to_and_at_least_one():
    assert pruned_count(101_000, 0.1) == 90_900
    assert pruned_count(255, 0.1) == 229  # round(25.5) is 26
    assert pruned_count(25, 0.1) == 23  # round(2.5) is 2: half to even
    assert pruned_count(5, 0.1) == 4  # round(0.5) is 0, which would go on for ever
    assert pruned_count(1, 0.1) == pruned_count(0, 0.1) == 0
    assert Masks.full(layers()).prune(layers(), share=0.5).count == 9


def test_counts_are_those_of_pytorchs_global_pruning_as_long_as_it_prunes():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from torch.nn.utils import prune

    module = torch.nn.Linear(51, 5, bias=False)
    masks, weights = Masks.full([np.ones((51, 5))]), module.weight.detach().numpy().T.copy()
    for _ in range(36):
        prune.global_unstructured([(module, "weight")], prune.L1Unstructured, amount=0.1)
        masks = masks.prune([weights], share=0.1)
        np.testing.assert_array_equal(masks.layers[0], module.weight_mask.numpy().T == 1)
    assert masks.count == 5  # PyTorch stays here
