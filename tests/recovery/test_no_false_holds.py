"""No false ``holds``, false alarm or traceback on numerically difficult instances."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest

from recovery import GatedOperator, Instance, NoiseLaw
from recovery.guarantees import Bounded, catalogue, draw
from recovery.guarantees.engine import base
from recovery.guarantees.engine.instance import in_range
from recovery.guarantees.linear import uniqueness

KNOWN = {guarantee.name: guarantee for guarantee in catalogue()}
SLOW = {name for name in KNOWN if name.startswith(("nic-", "theorem1", "iht-jain", "gaussian-spread"))}
QUICK = sorted(set(KNOWN) - SLOW)


@pytest.mark.parametrize("name", ["omp-bounded-noise", "omp-gaussian-noise", "lasso-gaussian-noise", "screening-noise"])
def test_a_duplicated_column_without_noise_is_not_told_apart(name):
    rng = np.random.default_rng(0)
    for _ in range(40):
        A = rng.standard_normal((12, 5))
        A[:, 4] = A[:, 1] * rng.choice([1.0, -1.0, 3.0])
        x = np.zeros(5)
        x[1] = rng.standard_normal()
        if name.startswith("lasso"):
            A[:, 4] = np.sign(A[0, 4] * A[0, 1]) * A[:, 1]
        if name.startswith("screening"):
            A[:, 4] = A[:, 1]
        law = NoiseLaw("gaussian", 0.0)
        instance = Instance.planted(A, x, law=law, options={"lam": 1e-3 * abs(x[1])})
        assert KNOWN[name].check(instance).status != "holds"


def test_an_entry_below_the_rounding_of_the_data_is_not_told_from_none():
    rng = np.random.default_rng(1)
    A = np.linalg.qr(rng.standard_normal((6, 4)))[0]
    instance = Instance.planted(A, np.array([0.7, 0.3, 1e-20, 0.0]))
    for name in ("omp-bounded-noise", "screening-noise", "residual-certificate"):
        assert KNOWN[name].check(instance).status != "holds", name
    for guarantee in (KNOWN[name] for name in QUICK if "lam" not in KNOWN[name].needs):
        assert not guarantee.judge(instance).violated, guarantee.name


def test_an_equivalence_without_noise_says_nothing_about_noise():
    instance = Instance.planted(np.eye(3), np.array([1.0, 0.0, 0.0]), np.full(3, 0.1))
    for name in ("l1-dual-certificate", "screening-faithfulness"):
        assert KNOWN[name].check(instance).status == "unknown"


def test_small_weights_are_no_second_solution():
    instance = Instance.planted(np.eye(4), np.array([1.0, 1e-14, 0.0, 0.0]))
    judgement = KNOWN["unique-spark"].judge(instance)
    assert judgement.check.status == "holds"
    assert judgement.conclusion.status == "unknown"
    assert KNOWN["unique-spark"].check(Instance.planted(np.array([[1.0, 1.0], [0.0, 1e-17]]), [1.0, 0.0])).status == (
        "unknown"
    )
    twins = Instance.planted(np.eye(4)[:, [0, 1, 1, 2]], np.array([1.0, 1.0, 0.0, 0.0]))
    assert KNOWN["unique-spark"].judge(twins).check.status == "fails"
    assert KNOWN["unique-spark"].judge(twins).conclusion.status == "fails"


@pytest.mark.parametrize("short", [1e-200, 1e-300])
def test_a_short_column_beside_a_long_one_is_not_dependent(short):
    # the square of its norm is 0, so that it was taken for a multiple of the other one
    A = np.random.default_rng(0).standard_normal((6, 4))
    A[:, 0], A[0, 0], A[0, 1] = 0.0, short, 0.0
    verdict = uniqueness.only_sparse(Instance.planted(A, np.array([1.0, 1.0, 0.0, 0.0])))
    assert verdict.status == "unknown"  # the second column alone explains y, up to rounding


def test_long_and_short_columns_have_no_clear_null_space():
    A = np.array([[1e138, 1e-3, 0.0], [0.0, 1e-3, 1e-3]])
    judgement = KNOWN["l1-irrepresentable"].judge(Instance.planted(A, np.array([1.0, 0.0, 0.0])))
    assert not judgement.violated
    assert judgement.conclusion.status == "unknown"


def test_a_start_at_the_truth_has_no_step():
    rng = np.random.default_rng(2)
    for seed in range(20):
        instance = draw(KNOWN["niht-condition-number"], seed)
        for x0 in (instance.x, instance.x * (1.0 + 1e-15 * rng.standard_normal(len(instance.x)))):
            assert not KNOWN["niht-condition-number"].judge(instance.replace(x0=x0)).violated


@pytest.mark.parametrize("name", ["unfuse-binary", "unfuse-signs", "unfused-outputs", "unfuse-least-squares"])
@pytest.mark.parametrize("tiny", [1e-320, 1e-310, 1e-200, 1e200])
def test_networks_far_from_one(name, tiny):
    guarantee = KNOWN[name]
    for seed in range(12):
        instance = draw(guarantee, seed)
        X, gates = instance.gated
        for A, x in ((GatedOperator(X * tiny, gates), instance.x), (instance.A, instance.x * tiny)):
            with np.errstate(all="ignore"):
                judged = guarantee.judge(Instance.planted(A, x))
            assert not judged.violated, (seed, judged)


@pytest.mark.parametrize("name", [name for name in QUICK if name.startswith("lasso")])
@pytest.mark.parametrize("scale", [1e120, 1e150, 1e-150])
def test_the_lasso_of_long_columns(name, scale):
    guarantee = KNOWN[name]
    for seed in range(6):
        instance = draw(guarantee, seed)
        long = Instance.planted(
            instance.matrix * scale, instance.x, instance.noise * scale, law=instance.law,
            options={**instance.options, "lam": instance.options["lam"] * scale},
        )  # fmt: skip
        assert not guarantee.judge(long).violated
        columns = instance.matrix * np.where(np.arange(instance.shape[1]) % 2, scale, 1.0)
        assert not guarantee.judge(Instance.planted(columns, instance.x, instance.noise, options=instance.options,
                                                    law=instance.law)).violated  # fmt: skip


def scaled(instance, a, b):
    """The same problem with A times 2^a and the data times 2^b."""
    options = dict(instance.options)
    for name, power in (("lam", a + b), ("tau", b - a), ("t", -2 * a), ("step", -2 * a), ("ridge", 2 * a)):
        if options.get(name) is not None:
            options[name] = math.ldexp(options[name], power)
    A = np.ldexp(instance.matrix, a)
    if instance.gated is not None:
        A = GatedOperator(np.ldexp(instance.gated[0], a), instance.gated[1])
    known = {name: getattr(instance, name) for name in ("x", "x0")}
    known = {name: None if value is None else np.ldexp(value, b - a) for name, value in known.items()}
    law = None if instance.law is None else NoiseLaw(instance.law.name, math.ldexp(instance.law.sigma, b))
    return Instance(
        A, np.ldexp(instance.y, b), instance.sparsity, noise=np.ldexp(instance.noise, b), law=law, options=options,
        **known,
    )  # fmt: skip


@pytest.mark.parametrize("name", QUICK)
def test_units_do_not_matter(name):
    guarantee = KNOWN[name]
    assert "data" in guarantee.scales
    powers = [(0, 450), (0, -450)]
    if "matrix" in guarantee.scales or "columns" in guarantee.scales:
        powers += [(450, 0), (-450, 450), (300, 200)]
    for seed in range(2):
        instance = draw(guarantee, seed)
        here = guarantee.judge(instance)
        for a, b in powers:
            there = guarantee.judge(scaled(instance, a, b))
            for one, other in ((here.check, there.check), (here.conclusion, there.conclusion)):
                assert (one.status, one.margin) == pytest.approx((other.status, other.margin), nan_ok=True), (a, b)


@pytest.mark.parametrize("name", QUICK)
def test_no_comparison_without_errors(name, monkeypatch):
    def unstated(*arguments):
        raise AssertionError(f"a comparison of floats without errors: {arguments}")

    monkeypatch.setattr(base, "_unstated", unstated)
    for seed in range(3):
        KNOWN[name].judge(draw(KNOWN[name], seed))


@pytest.mark.parametrize("name", QUICK)
def test_odd_instances_neither_violate_nor_raise(name):
    guarantee = KNOWN[name]
    for seed in range(2):
        instance = draw(guarantee, seed)
        nothing = np.zeros(instance.shape[1])
        quiet = np.zeros(instance.shape[0])
        for changes in (
            {"x": nothing, "noise": quiet},
            {"x": nothing},
            {"noise": quiet},
            {"x": nothing, "sparsity": 0},
            {"x": nothing + 1.0, "sparsity": instance.shape[1]},
            {"x": np.where(instance.x != 0.0, 1.0, 0.0), "noise": quiet},
            {"A": instance.A if instance.gated is not None else np.rint(3.0 * instance.matrix)},
            {"A": instance.A if instance.gated is not None else np.zeros(instance.shape)},
        ):
            found = guarantee.judge(instance.replace(**changes))
            assert guarantee.delta is not None or not found.violated, (seed, changes, found)


def test_a_support_of_everything_still_has_to_be_independent():
    A = np.eye(3)[:, [0, 1, 1]]
    instance = Instance.planted(A, np.array([1.0, 2.0, 3.0]))
    for name in ("omp-exact-recovery", "l1-exact-recovery", "l1-irrepresentable"):
        assert KNOWN[name].check(instance).status != "holds"


def test_gated_columns_far_from_one_are_brought_near_it():
    rng = np.random.default_rng(6)
    X, gates = 1e300 * rng.standard_normal((12, 2)), rng.random((12, 3)) < 0.6
    for name in ("unique-spark", "omp-exact-recovery", "l1-coherence", "nic-k"):
        instance = Instance.planted(GatedOperator(X, gates), np.array([1e-300, 2e-300, 0.0, 0.0, 0.0, 0.0]))
        ready = in_range(instance, KNOWN[name].scales)
        assert 0.5 < np.abs(ready.matrix).max() <= 2.0
        assert not KNOWN[name].judge(instance).violated


def test_numbers_that_no_units_hold_are_unknown():
    A = np.array([[1e300, 0.0, 1.0], [0.0, 1e-300, 1.0]])
    instance = Instance.planted(A, np.array([0.0, 1e-10, 0.0]))
    for name in ("screening-noise", "l1-irrepresentable", "cosamp-restricted-isometry"):
        found = KNOWN[name].judge(instance)
        assert not found.violated
        assert found.check.status != "holds" or found.conclusion.status != "fails"
    assert isinstance(KNOWN["omp-coherence"].check(instance).margin, float)


def test_the_package_exports_what_a_guarantee_needs():
    module = importlib.import_module("recovery.guarantees")
    assert {"Bounded", "constant", "exceeds", "vanishes"} <= set(module.__all__)
    assert Bounded(1.0, 0.0).lower == 1.0
