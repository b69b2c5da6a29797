"""The bounds used for runs equal those of the statements, computed here from singular values of all subsets."""

import math
from itertools import combinations

import numpy as np
import pytest

from recovery.guarantees import Verdict, catalogue, draw
from recovery.guarantees.linear import descent, hard_thresholding, iterative, relaxed

HELD = Verdict.of(True, "as far as this test goes")
SPARSE = {one.name: one for family in ("linear", "sparse") for one in catalogue(family)}


def extremes(A, order):
    """alpha and beta of an order, by all subsets."""
    order = min(order, A.shape[1])
    values = [np.linalg.svd(A[:, list(T)], compute_uv=False) ** 2 for T in combinations(range(A.shape[1]), order)]
    return (0.0 if order > len(A) else min(v[-1] for v in values)), max(v[0] for v in values)


def delta_of(instance, times):
    low, high = extremes(instance.matrix, times * instance.sparsity)
    return (high - low) / (high + low)


def raw(instance):
    low, high = extremes(instance.matrix, 3 * instance.sparsity)
    return max(1 - low, high - 1)


def pursuit(delta):
    return math.sqrt(2 * delta**2 / (1 - delta**2))


def jain_tewari_kar(instance):
    low, high = extremes(instance.matrix, 2 * instance.options["relaxed"] + instance.sparsity)
    return 1 - 5 * low / (9 * high)


def keeps_more(instance):
    kept, s = instance.options["relaxed"], instance.sparsity
    low, high = extremes(instance.matrix, 2 * kept + s)
    return (math.sqrt(s / kept) + math.sqrt(s / kept + 4)) / 2 * (high / low - 1) / (high / low + 1)


def adaptive(instance):
    low, high = extremes(instance.matrix, 2 * instance.sparsity)
    return instance.options["kappa"] * high / low - 1


def fixed(instance):
    low, high = extremes(instance.matrix, 2 * instance.sparsity)
    return high / low - 1


def begun(instance):
    return instance.x0 is not None and np.any(instance.x0)


def four(instance):
    delta = delta_of(instance, 4)
    later = math.sqrt(1.5 * delta**2 * (1 + delta**2)) / (1 - delta**2)
    return [later * math.sqrt(4 / 3) if begun(instance) else later, later, later]


def three(instance):
    delta = delta_of(instance, 3)
    fits = math.sqrt(1 + delta**2) / (1 - delta**2)
    later = math.sqrt(2) * delta * fits
    return [(1 + math.sqrt(2) * delta) * fits if begun(instance) else later, later, later]


RATES = {
    "iht-restricted-isometry": (hard_thresholding, lambda i: math.sqrt(3) * raw(i)),
    "htp-restricted-isometry": (hard_thresholding, lambda i: pursuit(raw(i))),
    "iht-scaled-golden-ratio": (hard_thresholding, lambda i: delta_of(i, 3) * (math.sqrt(5) + 1) / 2),
    "iht-scaled-isometry": (hard_thresholding, lambda i: math.sqrt(3) * delta_of(i, 3)),
    "iht-scaled-isometry-half": (hard_thresholding, lambda i: 2 * delta_of(i, 3)),
    "htp-scaled-isometry": (hard_thresholding, lambda i: pursuit(delta_of(i, 3))),
    "iht-scaled-isometry-2s": (hard_thresholding, lambda i: delta_of(i, 2) * math.sqrt(3) * (math.sqrt(5) + 1) / 2),
    "htp-scaled-isometry-2s": (hard_thresholding, lambda i: math.sqrt(3) * pursuit(delta_of(i, 2))),
    "iht-condition-number": (descent, fixed),
    "niht-condition-number": (descent, adaptive),
    "iht-relaxed-sparsity": (relaxed, keeps_more),
    "cosamp-restricted-isometry": (iterative, four),
    "subspace-pursuit-restricted-isometry": (iterative, three),
}


@pytest.mark.parametrize("name", RATES)
def test_the_rate_is_the_stated_one(monkeypatch, name):
    module, rate = RATES[name]
    seen = []
    plain = module.held_to
    monkeypatch.setattr(
        module, "held_to", lambda values, bounds, *rest: seen.append(bounds) or plain(values, bounds, *rest)
    )
    looked = 0
    for seed in range(40):
        instance = draw(SPARSE[name], seed)
        if math.comb(instance.shape[1], min(4 * instance.sparsity, instance.shape[1])) > 1000:
            continue
        seen.clear()
        if SPARSE[name].check(instance).status != "holds" or SPARSE[name].conclusion(instance).status == "unknown":
            continue
        if instance.x0 is not None and np.allclose(instance.x0, instance.x, rtol=1e-14, atol=0.0):
            assert seen == []  # what a step does there is rounding
            continue
        (bounds,) = seen
        ratios = rate(instance)
        ratios = ratios if isinstance(ratios, list) else [ratios] * 3
        for t, ratio in enumerate(ratios):
            assert bounds[t + 1] == pytest.approx(bounds[t] * ratio, rel=1e-6, abs=1e-12 * bounds[0])
        looked += 1
        if looked == 8:
            break
    assert looked >= 4


def test_the_rate_of_jain_tewari_and_kar(monkeypatch):
    seen = []
    monkeypatch.setattr(relaxed, "held_to", lambda values, bounds, *rest: seen.append(bounds) or HELD)
    instance = draw(SPARSE["iht-relaxed-sparsity"], 1)
    SPARSE["iht-jain-tewari-kar"].conclusion(instance)
    (bounds,) = seen
    assert bounds[1] == pytest.approx(bounds[0] * jain_tewari_kar(instance), rel=1e-9)
