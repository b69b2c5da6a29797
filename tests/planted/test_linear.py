"""linear_model and the designs: each design has the law of its name."""

import pickle

import numpy as np
import pytest

import planted
from planted import designs


@pytest.mark.parametrize("name", designs.BY_NAME)
def test_every_design_makes_a_model(name):
    X, y, w = planted.linear_model(30, 12, 3, design=name, amplitude=2.0, rng=1)
    assert (X.shape, y.shape, w.shape) == ((30, 12), (30,), (12,))
    assert np.count_nonzero(w) == 3
    assert set(w) == {0.0, 2.0}
    np.testing.assert_allclose(y, X @ w, rtol=1e-12)
    again = planted.linear_model(30, 12, 3, design=designs.BY_NAME[name], amplitude=2.0, rng=1)
    for one, two in zip((X, y, w), again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert designs.BY_NAME[name].name == name


def covariance(design, d=12, n=40_000):
    X = design(n, d, 0, np.arange(3))
    return X.T @ X / n


@pytest.mark.parametrize(
    ("design", "expected"),
    [
        (designs.gaussian(), lambda i, j: i == j),
        (designs.toeplitz(rho=0.7), lambda i, j: 0.7 ** abs(i - j)),
        (designs.toeplitz(rho=-0.4), lambda i, j: (-0.4) ** abs(i - j)),
        (designs.equicorrelated(rho=0.6), lambda i, j: 1.0 if i == j else 0.6),
        (designs.block(rho=0.8, size=5), lambda i, j: 1.0 if i == j else 0.8 * (i // 5 == j // 5)),
        (designs.heavy_tailed(df=6.0), lambda i, j: i == j),
    ],
    ids=["gaussian", "toeplitz-positive", "toeplitz-negative", "equicorrelated", "block", "heavy-tailed"],
)
def test_covariances(design, expected):
    target = np.array([[float(expected(i, j)) for j in range(12)] for i in range(12)])
    # entries of a sample covariance have standard error at most sqrt(5 / n) = .011 here (kurtosis 6 at df = 6)
    np.testing.assert_allclose(covariance(design), target, rtol=0, atol=0.055)


def test_orthogonal():
    X = designs.orthogonal()(20, 12, 0)
    np.testing.assert_allclose(X.T @ X, 20 * np.eye(12), rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="n >= d"):
        designs.orthogonal()(11, 12, 0)


@pytest.mark.parametrize("n", [30, 12, 8])
def test_ill_conditioned(n):
    values = np.linalg.svd(designs.ill_conditioned(cond=1e6)(n, 12, 0), compute_uv=False)
    assert values[0] / values[-1] == pytest.approx(1e6, rel=1e-6)
    np.testing.assert_allclose(np.diff(np.log(values)), -np.log(1e6) / (min(n, 12) - 1), rtol=1e-6)
    assert (values**2).sum() == pytest.approx(12 * n)


def test_duplicated():
    X = designs.duplicated(count=3)(40, 12, 0)
    equal = (X[:, :, None] == X[:, None, :]).all(axis=0)
    assert equal.sum() == 12 + 2 * 3
    assert np.linalg.matrix_rank(X) == 9
    with pytest.raises(ValueError, match="d >= 14"):
        designs.duplicated(count=7)(40, 12, 0)


def test_heavy_tails_are_heavy():
    X = designs.heavy_tailed(df=3.0)(40_000, 5, 0)
    assert np.abs(X).max() > 10  # a Gaussian's largest of 2e5 is below 6
    assert np.abs(designs.gaussian()(40_000, 5, 0)).max() < 6


def test_unequal_norms():
    norms = np.sort(np.linalg.norm(designs.unequal_norms(ratio=1e3)(5000, 7, 0), axis=0)) / np.sqrt(5000)
    np.testing.assert_allclose(norms, np.geomspace(1e-3, 1, 7), rtol=0.05)


def test_decoy_misleads_lasso_and_omp_but_not_least_squares():
    n, k = 4000, 3
    X, y, w = planted.linear_model(n, 20, k, design="decoy", noise=0.3, rng=0)
    support, null = np.flatnonzero(w), np.flatnonzero(w == 0)
    weights = np.linalg.lstsq(X[:, support], X[:, null], rcond=None)[0].sum(axis=0)
    decoy = int(np.argmax(weights))
    assert weights[decoy] == pytest.approx(0.9 * np.sqrt(k), abs=0.06)  # irrepresentable value 1.56
    assert np.all(np.abs(np.delete(weights, decoy)) < 0.15)
    assert np.argmax(np.abs(X.T @ y)) == null[decoy]  # the first pick of OMP
    fitted = np.linalg.lstsq(X, y, rcond=None)[0]
    np.testing.assert_array_equal(np.sort(np.argsort(np.abs(fitted))[-k:]), support)
    assert np.mean(X[:, null[decoy]] ** 2) == pytest.approx(1.0, abs=0.1)


def test_noise_amplitude_and_signs():
    base = planted.linear_model(5000, 8, 3, rng=2)
    noisy = planted.linear_model(5000, 8, 3, noise=0.5, rng=2)
    np.testing.assert_array_equal(base[0], noisy[0])
    np.testing.assert_array_equal(base[2], noisy[2])
    assert np.std(noisy[1] - base[1]) == pytest.approx(0.5, rel=0.05)
    mixed = np.concatenate([planted.linear_model(2, 40, 20, signs="random", rng=seed)[2] for seed in range(20)])
    assert set(mixed) == {-1.0, 0.0, 1.0}
    assert abs(mixed.sum()) < 5 * np.sqrt(400)
    assert planted.linear_model(5, 8, 3, dtype="float32", rng=2)[0].dtype == np.float32


def test_designs_are_values():
    assert designs.toeplitz() == designs.toeplitz(rho=0.5)
    assert designs.toeplitz() != designs.toeplitz(rho=0.6)
    assert len({designs.block(), designs.block(size=5), designs.block(size=6)}) == 2
    assert str(designs.block(rho=0.25, size=4)) == "block(rho=0.25, size=4)"
    assert str(designs.gaussian()) == "gaussian"
    copy = pickle.loads(pickle.dumps(designs.toeplitz(rho=0.9)))
    np.testing.assert_array_equal(copy(4, 3, 0), designs.toeplitz(rho=0.9)(4, 3, 0))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: planted.linear_model(5, 4, 5), ValueError, "sparsity=5"),
        (lambda: planted.linear_model(5, 4, 2, design="wishart"), ValueError, "design='wishart'"),
        (lambda: planted.linear_model(5, 4, 2, design=None), TypeError, "design=None"),
        (lambda: planted.linear_model(5, 4, 2, noise=-1.0), ValueError, "noise=-1"),
        (lambda: planted.linear_model(5, 4, 2, amplitude=np.nan), ValueError, "amplitude=nan"),
        (lambda: planted.linear_model(5, 4, 2, signs="mixed"), ValueError, "signs='mixed'"),
        (lambda: planted.linear_model(5, 4, 2, dtype="int64"), ValueError, "dtype='int64'"),
        (lambda: planted.linear_model(5, 4, 4, design="decoy"), ValueError, "1 <= k < d"),
        (lambda: planted.linear_model(5, 4, 0, design="decoy"), ValueError, "1 <= k < d"),
        (lambda: designs.toeplitz(rho=1.5), ValueError, "rho=1.5"),
        (lambda: designs.equicorrelated(rho=-0.1), ValueError, "rho=-0.1"),
        (lambda: designs.heavy_tailed(df=2.0), ValueError, "infinite variance"),
        (lambda: designs.ill_conditioned(cond=0.5), ValueError, "cond=0.5"),
    ],
)
def test_bad_arguments_get_a_sentence(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    ("drawn", "fields", "printed"),
    [
        (planted.linear_model(5, 4, 2, rng=0), "X y w", "LinearModel(X=float64[5, 4], y=float64[5], w=float64[4])"),
        (
            planted.gated_model(5, 2, 2, 1, rng=0),
            "X y H w",
            "GatedModel(X=float64[5, 2], y=float64[5], H=float64[2, 2], w=float64[4])",
        ),
        (planted.release_instance(2, 3, 0, n=6, d=4), "X y network", "ReleaseInstance(X=float64[6, 4], y=float64[6], "),
    ],
)
def test_generators_return_named_tuples_with_y_second(drawn, fields, printed):
    assert drawn._fields == tuple(fields.split())
    assert drawn[1] is drawn.y
    assert drawn.y.shape == (len(drawn.X),)
    assert repr(drawn).startswith(printed)
