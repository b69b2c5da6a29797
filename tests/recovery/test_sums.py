"""Sums over many rows of float32 numbers."""

from __future__ import annotations

import numpy as np
import pytest

import recovery
from recovery.mlp.passes import column_scales, forward, gradients
from recovery.operators import arithmetic

ROWS = 2**21
EPS = float(np.finfo("float32").eps)
RUN = arithmetic.RUN_ROWS * EPS / 2  # of a sum of numbers of one sign, row after row in each run
RUN_OF_SQUARES = arithmetic.NORM_ROWS * EPS / 2


@pytest.fixture(scope="module")
def tall():
    """Entries of one size each column, the worst case: every addition rounds the same way."""
    return np.tile(np.array([0.1, 0.3], dtype="float32"), (ROWS, 1))


def relative(found, right):
    return float(np.abs(np.asarray(found, dtype=float) / right - 1).max())


@pytest.mark.parametrize("order", ["C", "F"])
def test_products_of_a_tall_matrix(tall, order):
    A, r = np.asarray(tall, order=order), np.full(ROWS, 0.1, dtype="float32")
    right = tall.astype(float).T @ r.astype(float)
    found = recovery.DenseOperator(A).rmatvec(r)
    assert found.dtype == np.float32
    assert relative(found, right) <= RUN + EPS
    assert relative(arithmetic.adjoint(A, r[:, None])[:, 0], right) <= RUN + EPS


class Foreign(recovery.operators.Operator):
    """Columns and nothing else."""

    def __init__(self, A):
        self.A, self.shape, self.dtype, self.xp = A, A.shape, A.dtype, np

    def columns(self, idx):
        return self.A[:, idx]


def test_norms_of_tall_columns(tall):
    right = np.sqrt((tall.astype(float) ** 2).sum(axis=0))
    for operator in (recovery.DenseOperator(tall), Foreign(tall)):
        norms = operator.norms_of_columns()
        assert norms.dtype == np.float32
        assert relative(norms, right) <= RUN_OF_SQUARES + EPS
        assert relative(operator.column_norms() if not isinstance(operator, Foreign) else norms, right) <= (
            RUN_OF_SQUARES + EPS
        )


def test_gated_products_are_summed_in_tiles(tall):
    """The tiles of the gated operators are runs of at most 8192 rows: n eps / 8192 comes on top for the tiles' sums."""
    A = recovery.GatedOperator(tall, np.ones((ROWS, 1)))
    r, right = np.full(ROWS, 0.1, dtype="float32"), tall.astype(float).T @ np.full(ROWS, np.float32(0.1), dtype=float)
    most = 8192 * EPS / 2 + ROWS / 8192 * EPS / 2
    assert relative(A.rmatvec(r), right) <= most
    assert relative(A.column_norms() ** 2, (tall.astype(float) ** 2).sum(axis=0)) <= most
    from recovery.operators.gated import GatedSupport

    assert relative(GatedSupport(A, np.arange(2)).adjoint(r), right) <= most


def test_losses_and_scales_of_networks_on_tall_data(tall):
    layers = [np.eye(2, dtype="float32"), np.ones((2, 1), dtype="float32")]
    values = forward(layers, tall)
    outward = np.full((ROWS, 1), 0.1, dtype="float32")
    right = tall.astype(float).T @ outward.astype(float)
    assert relative(gradients(layers, values, outward)[1], right) <= RUN + EPS
    scales = column_scales(layers, values)
    assert relative(scales[1][:, 0], np.sqrt((tall.astype(float) ** 2).mean(axis=0))) <= 4 * EPS


def test_objective_and_psnr_of_tall_data(tall):
    """NumPy's pairwise sums: runs of 128, then log2(n / 128) additions."""
    found = recovery.solve(tall[:, :1], tall[:, 1], 1, "iht", step=1e-9, max_iter=1)
    x, right = float(found.x[0]), None
    residual = tall[:, 1].astype(float) - tall[:, 0].astype(float) * x
    right = 0.5 * (residual**2).sum()
    assert found.objective == pytest.approx(right, rel=(128 + 14) * EPS / 2 + 8 * EPS)
    ratio = recovery.psnr(tall[:, 0], tall[:, 1])
    error = (float(tall[0, 0]) - float(tall[0, 1])) / float(tall[0, 1])
    assert ratio == pytest.approx(-20 * np.log10(abs(error)), abs=10 / np.log(10) * (128 + 14) * EPS)


def test_few_rows_keep_their_bits():
    rng = np.random.default_rng(0)
    A, r = (rng.standard_normal(shape).astype("float32") for shape in ((500, 20), 500))
    assert recovery.DenseOperator(A).rmatvec(r).tobytes() == (A.T @ r).tobytes()
    assert arithmetic.column_means(A).tobytes() == A.mean(axis=0).tobytes()


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e15])
def test_the_dot_test_has_no_unit(size):
    rng = np.random.default_rng(0)
    A = (size * rng.standard_normal((300, 20))).astype("float32")
    assert recovery.dottest(A, rng=0) < 1e4 * EPS
    assert recovery.dottest(recovery.GatedOperator(A, rng.random((300, 3)) > 0.5), rng=0) < 1e4 * EPS


def test_the_dot_test_finds_wrong_norms_of_any_size():
    class Wrong(recovery.DenseOperator):
        def column_norms(self):
            return 1.5 * super().column_norms()

    for size in (1e-12, 1.0, 1e12):
        with pytest.raises(AssertionError, match="column_norms and columns"):
            recovery.dottest(Wrong(size * np.eye(3)), rng=0)
