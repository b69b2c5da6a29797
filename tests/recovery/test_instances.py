"""Instances: y follows from the rest, copies share nothing, files keep every bit, invalid parts are rejected."""

import copy
import pickle
import re
from fractions import Fraction

import numpy as np
import pytest

from planted import gated_model
from recovery import GatedOperator, Instance, NoiseLaw


@pytest.fixture
def instance():
    rng = np.random.default_rng(0)
    x = np.array([0.0, 1.5, 0.0, -2.0])
    law = NoiseLaw("gaussian", 0.1)
    options = {"tau": 0.5, "schedule": "one-shot", "design": "gaussian", "keep": None, "exact": True}
    return Instance.planted(
        rng.standard_normal((6, 4)), x, law.draw(6, rng), x0=rng.standard_normal(4), law=law, options=options
    )


def test_planted_is_a_x_plus_noise_on_every_backend(backend):
    rng = np.random.default_rng(1)
    A, x, noise = rng.standard_normal((5, 3)), np.array([1.0, 0.0, -2.0]), rng.standard_normal(5)
    made = Instance.planted(backend.put(A), backend.put(x), backend.put(noise))
    np.testing.assert_allclose(made.y, A @ x + noise, rtol=1e-14)
    assert made.sparsity == 2
    assert made.shape == (5, 3)
    assert isinstance(made.matrix, np.ndarray)
    np.testing.assert_array_equal(made.matrix, A)
    np.testing.assert_array_equal(made.support, [0, 2])
    assert not made.noise_free
    assert Instance.planted(backend.put(A), backend.put(x)).noise_free


def test_an_operator_is_written_out():
    X, y, H, w = gated_model(8, 3, 2, 2, rng=0)
    A = GatedOperator.from_generators(X, H)
    made = Instance(A, y, 2, x=w.ravel(), noise=np.zeros(8))
    np.testing.assert_allclose(made.matrix @ made.x, y, atol=1e-12)
    assert made.matrix.shape == A.shape


def test_replace_lets_y_follow_unless_it_is_given(instance):
    doubled = instance.replace(A=2.0 * instance.matrix)
    np.testing.assert_allclose(doubled.y, 2.0 * instance.matrix @ instance.x + instance.noise, rtol=1e-14)
    np.testing.assert_array_equal(instance.replace(sparsity=1).y, instance.y)
    fewer = instance.replace(x=None, y=np.zeros(6))
    np.testing.assert_array_equal(fewer.y, np.zeros(6))
    assert fewer.x is None
    assert instance.with_options(t=2.0).options == {**instance.options, "t": 2.0}
    assert "t" not in instance.options


def test_scaling_scales_the_law_too(instance):
    scaled = instance.scaled(signal=-2.0, noise=3.0)
    np.testing.assert_allclose(scaled.x, -2.0 * instance.x)
    np.testing.assert_allclose(scaled.noise, 3.0 * instance.noise)
    np.testing.assert_allclose(scaled.y, instance.matrix @ scaled.x + scaled.noise, rtol=1e-13)
    assert scaled.law == NoiseLaw("gaussian", 3.0 * 0.1)


def test_redrawn_noise_is_fresh_reproducible_and_of_the_law(instance):
    one, two = instance.redrawn(4), instance.redrawn(4)
    np.testing.assert_array_equal(one.noise, two.noise)
    np.testing.assert_array_equal(one.noise, instance.law.draw(6, 4))
    assert not np.array_equal(one.noise, instance.noise)
    np.testing.assert_allclose(one.y - instance.matrix @ instance.x, one.noise, atol=1e-14)


def test_save_and_load_bring_every_bit_back(instance, tmp_path):
    for number, one in enumerate((instance, Instance(instance.matrix, instance.y, 0), instance.replace(law=None))):
        path = tmp_path / f"{number}.npz"
        one.save(path)
        back = Instance.load(path)
        for name in ("y", "x", "noise", "x0"):
            np.testing.assert_array_equal(getattr(back, name), getattr(one, name))
        np.testing.assert_array_equal(back.matrix, one.matrix)
        assert (back.sparsity, back.law, dict(back.options)) == (one.sparsity, one.law, dict(one.options))


def test_options_of_numpy_are_saved_as_plain_numbers_and_others_refused(instance, tmp_path):
    instance.with_options(count=np.int64(3), tau=np.float64(0.1), exact=np.bool_(True)).save(tmp_path / "a.npz")
    back = Instance.load(tmp_path / "a.npz").options
    assert (back["count"], back["tau"], back["exact"]) == (3, 0.1, True)
    with pytest.raises(TypeError, match="an option is array"):
        instance.with_options(mask=np.ones(2)).save(tmp_path / "b.npz")


def test_load_refuses_another_file(tmp_path):
    np.savez(tmp_path / "other.npz", B=np.zeros(2))
    with pytest.raises(ValueError, match=r"other.npz holds B; expected a saved Instance"):
        Instance.load(tmp_path / "other.npz")
    np.save(tmp_path / "one.npy", np.zeros(2))
    for content in (b"", b"text", b"PK\x03\x04cut", (tmp_path / "one.npy").read_bytes()):
        (tmp_path / "other.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"other.npz is not an npz file; expected a saved Instance"):
            Instance.load(tmp_path / "other.npz")


def test_arguments_are_not_written_into_and_dtypes_become_float64(backend):
    A, x = backend.put(np.eye(3, dtype=np.float32)), backend.put(np.array([1, 0, 2]))
    made = Instance.planted(A, x)
    assert made.matrix.dtype == made.x.dtype == made.y.dtype == np.float64
    np.testing.assert_array_equal(backend.get(A), np.eye(3))


def test_an_instance_stays_what_it_was():
    A, x, noise, options = np.eye(3), np.array([1.0, 0.0, 2.0]), np.zeros(3), {"tau": 1.0}
    made = Instance.planted(A, x, noise, options=options)
    A[0, 0] = x[0] = noise[0] = 7.0
    options["tau"] = 2.0
    np.testing.assert_array_equal(made.matrix, np.eye(3))
    np.testing.assert_array_equal(made.y, [1.0, 0.0, 2.0])
    assert (made.x[0], made.noise[0], made.options) == (1.0, 0.0, {"tau": 1.0})
    for values in (made.A, made.matrix, made.y, made.x, made.noise):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 3.0


A = np.eye(3)
Y = np.array([1.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: Instance(A, np.zeros(2), 1), ValueError, "y has shape (2,); expected (3,)"),
        (lambda: Instance(A, None, 1), TypeError, "y=None is not an array"),
        (lambda: Instance(A, Y, 4), ValueError, "sparsity=4 is out of range"),
        (lambda: Instance(A, Y, 1.0), TypeError, "sparsity=1.0 is of type float"),
        (lambda: Instance(A, np.array([np.nan, 0, 0]), 1), ValueError, "y has 1 element(s) that are NaN"),
        (lambda: Instance(np.full((3, 3), np.inf), Y, 1), ValueError, "A has 9 element(s)"),
        (lambda: Instance(A, Y, 1, x=np.zeros(2)), ValueError, "x has shape (2,)"),
        (lambda: Instance(A, Y, 1, law="gaussian"), TypeError, "law='gaussian' is of type str; expected a NoiseLaw"),
        (lambda: Instance(A, Y, 1, x=Y, noise=Y), ValueError, "y differs from A x + noise by up to 1"),
        (lambda: Instance.planted(A, np.ones(2)), ValueError, "A has shape (3, 3), x has 2 entries"),
        (lambda: Instance(A, Y, 1, options=[1]), TypeError, "options=[1] is of type list; expected a mapping"),
        (lambda: Instance(A, Y, 1).support, ValueError, "x=None has no support"),
        (lambda: Instance(A, Y, 1).scaled(noise=2.0), ValueError, "x or noise is None"),
        (lambda: Instance.planted(A, Y).scaled(noise=-1.0), ValueError, "noise=-1.0 is out of range"),
        (lambda: Instance(A, Y, 1).redrawn(), ValueError, "law=None: no noise can be drawn"),
    ],
)
def test_wrong_parts_are_sentences(make, error, sentence):
    with pytest.raises(error, match=re.escape(sentence)):
        make()


def test_a_gated_instance_stays_gated_in_a_file_and_judged_afresh(tmp_path):
    from recovery import GatedOperator
    from recovery.guarantees.engine.tally import afresh

    rng = np.random.default_rng(0)
    X, gates = rng.standard_normal((5, 2)), rng.random((5, 3)) < 0.5
    x = np.array([0.0, 1.0, 0.0, 0.0, -2.0, 0.0])
    instance = Instance.planted(GatedOperator(X, gates), x)
    instance.save(tmp_path / "gated.npz")
    for other in (instance, Instance.load(tmp_path / "gated.npz"), afresh(instance)):
        assert isinstance(other.A, GatedOperator)
        assert other.gated is not None
        np.testing.assert_array_equal(other.gated[0], X)
        np.testing.assert_array_equal(other.gated[1], gates)
        np.testing.assert_array_equal(other.y, instance.y)
    assert Instance.planted(X, np.ones(2)).gated is None


HADAMARD = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2.0


def exact_difference(instance):
    """|y - A x - noise| in fractions."""
    rows = [[Fraction(float(a)) for a in row] for row in instance.matrix]
    x = [Fraction(float(v)) for v in instance.x]
    return [
        abs(Fraction(float(y)) - sum(a * b for a, b in zip(row, x, strict=True)) - Fraction(float(e)))
        for row, y, e in zip(rows, instance.y, instance.noise, strict=True)
    ]


def test_data_that_rounding_does_not_explain_are_refused():
    x = np.array([1.0, 1.0, 1e-10, 0.0])
    y = HADAMARD @ x
    for off in (0.4e-8 * HADAMARD[:, 3], np.array([0.0, 0.0, 0.0, 1e-14])):
        with pytest.raises(ValueError, match="y differs from A x \\+ noise"):
            Instance(HADAMARD, y + off, 3, x=x, noise=np.zeros(4))
    gates = np.array([[True], [True], [True], [False]])
    gated = GatedOperator(HADAMARD, gates)
    with pytest.raises(ValueError, match="y differs from A x \\+ noise"):
        Instance(gated, (HADAMARD * gates) @ x + 1e-14, 3, x=x, noise=np.zeros(4))


@pytest.mark.parametrize("scale", [1.0, 1e150, 1e-150, 1e-300])
@pytest.mark.parametrize("kind", ["dense", "gated", "integer"])
def test_the_misfit_bounds_what_rounding_left(kind, scale):
    rng = np.random.default_rng(3)
    for _ in range(20):
        x = rng.standard_normal(4) * 10.0 ** rng.uniform(-6, 6, 4)
        x[rng.integers(4)] = 0.0
        A, noise = rng.standard_normal((5, 4)), rng.standard_normal(5) * 10.0 ** rng.uniform(-20, 3)
        if kind == "gated":
            A = GatedOperator(scale * A[:, :2], rng.random((5, 2)) < 0.5)
        elif kind == "integer":
            A, x, noise = np.rint(9 * A), np.rint(x % 99), np.rint(9 * noise)
            scale = 1.0
        else:
            A = scale * A
        noise = noise if kind == "integer" else noise * min(scale, 1e150)
        made = Instance.planted(A, x, noise)
        # any order of summation is as good
        order = rng.permutation(4)
        other = made.matrix[:, order] @ made.x[order] + noise
        for one in (made, Instance(A, other, made.sparsity, x=x, noise=noise)):
            true = exact_difference(one)
            assert all(d <= Fraction(float(m)) for d, m in zip(true, one.misfit, strict=True))
            size = np.abs(one.matrix) @ np.abs(one.x) + np.abs(one.noise)
            assert np.all(one.misfit <= 1e-14 * size + 1e-320)
        if kind == "integer":
            assert not made.misfit.any()


def test_products_that_leave_the_range_on_their_way_are_compared_in_other_units():
    A, x = np.array([[1e200, 1e-200], [1e-150, 1.0]]), np.array([1e-200, 1e180])
    made = Instance.planted(A, x)
    assert np.all(np.isfinite(made.misfit))
    assert np.all(made.misfit <= 1e-14 * (np.abs(A) @ np.abs(x)))
    small = Instance.planted(np.full((2, 2), 1e-200), np.array([1e-200, 0.0]))
    assert not small.y.any()
    assert all(d <= Fraction(float(m)) for d, m in zip(exact_difference(small), small.misfit, strict=True))


def test_what_float32_rounded_is_noise():
    rng = np.random.default_rng(5)
    A, x = rng.standard_normal((6, 4)).astype(np.float32), np.array([1.0, 0.0, -3.0, 0.0], dtype=np.float32)
    y = A @ x
    assert y.dtype == np.float32
    made = Instance(A, y, 2, x=x, noise=np.zeros(6, dtype=np.float32))
    assert not made.noise_free
    np.testing.assert_allclose(made.noise, made.y - made.matrix @ made.x, rtol=0, atol=1e-14)
    assert np.all(made.misfit < 1e-14)
    assert all(d <= Fraction(float(m)) for d, m in zip(exact_difference(made), made.misfit, strict=True))
    # numbers that float32 holds exactly stay free of noise
    assert Instance(np.eye(4, dtype=np.float32), x, 2, x=x, noise=np.zeros(4)).noise_free
    with pytest.raises(ValueError, match="y differs from A x \\+ noise"):
        Instance(A, y * np.float32(1.0 + 1e-5), 2, x=x, noise=np.zeros(6))
    with pytest.raises(ValueError, match="y differs from A x \\+ noise"):
        Instance(A, y.astype(np.float64), 2, x=x, noise=np.zeros(6))


def test_a_misfit_needs_the_truth(instance):
    assert instance.misfit is not None
    assert instance.replace(x=None, y=instance.y).misfit is None
    assert instance.replace(noise=None, y=instance.y).misfit is None


def test_the_misfit_survives_copies(instance):
    for copied in (pickle.loads(pickle.dumps(instance)), copy.deepcopy(instance)):
        np.testing.assert_array_equal(copied.misfit, instance.misfit)
        assert not copied.misfit.flags.writeable


@pytest.mark.parametrize("name", ["y", "x", "noise", "x0"])
@pytest.mark.parametrize("value", [2**53 + 1, Fraction(1, 3), np.longdouble(1) + np.finfo(np.longdouble).eps])
def test_a_number_that_float64_would_round_is_refused_in_every_field(name, value):
    exact = 2**53 if isinstance(value, int) else 1
    fields = {"y": [exact, 0], "x": [exact, 0], "noise": [0, 0], "x0": [0, 0]}
    assert Instance(np.eye(2), sparsity=1, **fields).y[0] == exact
    # x and noise are not compared with y here, which would refuse them for another reason
    fields = {"y": [0, 0], name: np.array([value, 0]) if isinstance(value, np.longdouble) else [value, 0]}
    with pytest.raises(ValueError, match=rf"^{name} holds .*float64"):
        Instance(np.eye(2), sparsity=1, **fields)
    if name in ("x", "noise"):
        with pytest.raises(ValueError, match=rf"^{name} holds .*float64"):
            Instance.planted(np.eye(2), **({"x": [1, 0]} | {name: fields[name]}))


@pytest.mark.parametrize("size", [0.75, 1.0, 2.0**-600, 2.0**900])
def test_noise_alone_is_data_of_any_size(size):
    """0.75 has the binary exponent 0, which once was taken for "there is no number"."""
    noise = size * np.array([1.0, -0.75])
    made = Instance.planted(np.eye(2, 3), np.zeros(3), noise, 0)
    np.testing.assert_array_equal(made.y, noise)
    assert np.all(made.misfit <= 1e-15 * size)


@pytest.mark.parametrize("name", ["a", "a.json", "a.NPZ"])
def test_a_name_that_load_would_not_find_is_refused(instance, tmp_path, name):
    with pytest.raises(ValueError, match=r"expected \.npz"):
        instance.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        ("{}", "has no entry 'law'"),
        ("no JSON", "is damaged"),
        ("[1]", "is damaged"),
        ('{"law": ["gauss", 1.0], "sparsity": 1, "options": {}}', "is damaged .*'gauss' is not known"),
        ('{"law": null, "sparsity": 99, "options": {}}', "is damaged .*sparsity=99"),
    ],
)
def test_a_damaged_file_is_a_sentence_with_its_name(tmp_path, about, sentence):
    path = tmp_path / "a.npz"
    np.savez(path, about=np.array(about), A=np.eye(2), y=np.ones(2))
    with pytest.raises(ValueError, match=rf"a\.npz {sentence}.*expected a saved Instance"):
        Instance.load(path)
