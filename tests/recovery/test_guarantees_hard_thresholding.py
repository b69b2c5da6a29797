"""Guarantees of IHT and HTP: against plain loops, at the fixed points of two atoms, and their frames."""

import dataclasses
import math
from itertools import combinations

import numpy as np
import pytest

from recovery import Instance
from recovery.guarantees import draw
from recovery.guarantees.linear import frames, hard_thresholding, iterative

KNOWN = {one.name.split("-")[0]: one for one in hard_thresholding.guarantees()}
BOTH = pytest.mark.parametrize("method", ["iht", "htp"])


def delta(A, s):
    """Isometry constant of the columns as they are, by plain loops."""
    size = A.shape[1]
    worst = 0.0
    for chosen in combinations(range(size), min(s, size)):
        spectrum = np.linalg.eigvalsh(A[:, chosen].T @ A[:, chosen])
        worst = max(worst, 1 - spectrum[0], spectrum[-1] - 1)
    return worst


def textbook(method, A, y, s, x0, steps):
    """The errors' iterates: x <- H_s(x + A'(y - A x)), and for HTP least squares on that support."""
    x = np.array(x0)
    for _ in range(steps):
        u = x + A.T @ (y - A @ x)
        top = np.argsort(-np.abs(u), kind="stable")[:s]
        x = np.zeros(len(u))
        x[top] = u[top] if method == "iht" else np.linalg.lstsq(A[:, top], y)[0]
        yield x


@BOTH
def test_the_rate_is_that_of_a_plain_loop(method):
    held = plural = finite = 0
    for seed in range(80):
        instance = draw(KNOWN[method], seed)
        A, s, x = instance.matrix, instance.sparsity, instance.x
        constant = delta(A, 3 * s)
        verdict = KNOWN[method].check(instance)
        assert verdict.margin == pytest.approx(1 / math.sqrt(3) / constant - 1, abs=1e-9)
        if verdict.status != "holds":
            continue
        rate = math.sqrt(3) * constant if method == "iht" else math.sqrt(2) * constant / math.sqrt(1 - constant**2)
        start = np.zeros(len(x)) if instance.x0 is None else instance.x0
        bound = np.linalg.norm(start - x)
        size = np.linalg.norm(x)
        for point in textbook(method, A, instance.y, s, start, 25):
            bound *= rate
            error = np.linalg.norm(point - x)
            assert error <= bound * (1 + 1e-9) + 1e-12 * size
            if method == "htp" and bound < np.min(np.abs(x[x != 0])):
                assert error <= 1e-10 * size
                finite += 1
        held += 1
        plural += s >= 2
    assert held >= 50
    assert plural >= held / 2
    assert finite > 250 or method == "iht"


def two_atoms(d, start):
    A = np.linalg.cholesky(np.array([[1.0, d], [d, 1.0]])).T
    return Instance.planted(A, np.array([1.0, 0.0]), x0=np.array([0.0, start]))


@BOTH
def test_a_wrong_fixed_point_beyond_the_golden_ratio(method):
    golden = (math.sqrt(5) - 1) / 2
    known = KNOWN[method]
    rate = {"iht": hard_thresholding.iht_rate, "htp": hard_thresholding.htp_rate}[method]
    more = {} if method == "iht" else {"escapes": 0}
    # the theorem with .7 for 1 / sqrt(3)
    loose = dataclasses.replace(
        known,
        hypotheses=hard_thresholding.isometry_rule(0.7),
        outcome=hard_thresholding.converges(method, rate(0.7), **more),
    )
    stuck, free, inside = (
        two_atoms(golden + 0.01, golden + 0.01),
        two_atoms(golden - 0.01, golden - 0.01),
        two_atoms(0.57, 0.57),
    )
    assert loose.judge(stuck).violated
    assert not loose.judge(free).violated
    assert known.check(stuck).status == "fails"
    assert known.conclusion(stuck).status == "fails"
    assert known.check(free).status == "fails"
    assert known.conclusion(free).status == "holds"
    assert known.judge(inside).check.status == "holds"
    assert known.judge(inside).conclusion.status == "holds"


@BOTH
def test_what_the_statement_does_not_cover(method):
    instance = two_atoms(0.3, 0.0)
    known = KNOWN[method]
    assert known.check(instance).status == "holds"
    assert known.check(instance.replace(noise=np.full(2, 1e-9))).status == "fails"
    assert known.check(instance.replace(x0=np.ones(2))).status == "fails"
    assert known.check(instance.replace(sparsity=2, x0=np.ones(2))).status == "holds"
    assert known.check(instance.replace(A=3.0 * instance.matrix)).status == "fails"  # unit steps know the scale
    assert known.check(instance.replace(x=np.ones(2))).status == "fails"


def test_cycles_of_unit_steps_fail():
    # sizes of A at which unit steps jump: delta is far above the limit
    failed = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        x = np.zeros(10)
        x[:3] = 1.0
        instance = Instance.planted(1.5 * np.linalg.qr(rng.standard_normal((10, 6)))[0].T, x)
        verdict = KNOWN["htp"].conclusion(instance)
        ends = list(textbook("htp", instance.matrix, instance.y, 3, np.zeros(10), 200))[-1]
        assert verdict.status == ("holds" if np.linalg.norm(ends - x) < 1e-9 else "fails")
        failed += verdict.status == "fails"
    assert 0 < failed < 30


def test_too_many_supports_are_unknown(monkeypatch):
    monkeypatch.setattr(iterative, "LIMIT", 3)
    rng = np.random.default_rng(1)
    A = np.linalg.qr(rng.standard_normal((12, 9)))[0] @ (np.eye(9) + 0.09 * rng.standard_normal((9, 9)))
    x = np.zeros(9)
    x[:2] = 1.0
    for known in KNOWN.values():
        verdict = known.check(Instance.planted(A, x))
        assert verdict.status == "unknown"
        assert "not decided, the limit is" in verdict.reason


def test_frames_have_what_was_asked_for():
    rng = np.random.default_rng(0)
    names, wide = set(), 0
    for _ in range(150):
        k, size = frames.sizes(rng)
        name, E = frames.pattern(rng, size, unit=bool(rng.random() < 0.5))
        names.add(name.removesuffix("_unequal"))
        off = np.abs(E - np.diag(np.diag(E)))
        assert np.array_equal(E, E.T)
        assert off.max() == pytest.approx(1.0)
        assert name.endswith("_unequal") or not np.any(np.diag(E))
        t = min(frames.largest_step(E), 0.5)
        gram = np.eye(size) + t * E
        A = frames.columns(rng, gram)
        np.testing.assert_allclose(A.T @ A, gram, atol=1e-9)
        assert np.count_nonzero(frames.plant(rng, gram, k)) == k
        found = iterative.isometric_columns(rng, size, k + 1, 0.4)
        if found is not None:
            assert delta(found[1], k + 1) == pytest.approx(0.4, abs=1e-9)
            wide += found[1].shape[0] < size
    assert len(names) == 6
    assert wide > 5
    assert frames.columns(rng, np.diag([1.0, -0.1])) is None
    assert frames.crossing(lambda t: t**3, 0.125, 3.0) == pytest.approx(0.5)
    assert frames.crossing(lambda t: math.nan if t > 0.25 else t, 0.5, 2.0) == pytest.approx(0.25)
    assert frames.crossing(lambda t: t, 5.0, 2.0) == 2.0


def test_margins_are_drawn_on_both_sides_of_the_boundary():
    rng = np.random.default_rng(0)
    margins = np.array([frames.aim(rng) for _ in range(2000)])
    assert 0.15 < np.mean(margins < 0) < 0.25
    assert 0.25 < np.mean((margins > 0) & (margins <= 0.05)) < 0.35
    assert margins.min() >= -0.3
    assert margins.max() <= 3.0
