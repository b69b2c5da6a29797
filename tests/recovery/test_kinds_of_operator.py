"""Every kind of A for every function: sparse matrices and arrays, LinearOperators, frames, foreign operators."""

import pickle
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import recovery
from planted.base.exactness import InexactNumber
from recovery import certificates, conditions
from recovery.operators import columns as formed
from recovery.operators.base import RescaledOperator
from recovery.operators.dense import ScaledOperator
from recovery.operators.sparse import SparseOperator

ROWS, SIZE = 40, 60


def matrix():
    """A sparse Gaussian matrix whose columns are filled and have different lengths."""
    rng = np.random.default_rng(5)
    dense = rng.standard_normal((ROWS, SIZE)) * (rng.random((ROWS, SIZE)) < 0.3)
    dense[np.arange(SIZE) % ROWS, np.arange(SIZE)] = 1.0
    return dense * 2.0 ** rng.integers(-3, 4, SIZE)


def frame(library, dense):
    pytest.importorskip(library)
    if library == "polars":
        import polars

        return polars.DataFrame(dense, schema=[f"x{j}" for j in range(dense.shape[1])])
    import pandas

    return pandas.DataFrame(dense, columns=[f"x{j}" for j in range(dense.shape[1])])


def sparse_type():
    return pytest.importorskip("pandas").SparseDtype(float, 0.0)


def pylops(dense):
    return pytest.importorskip("pylops").MatrixMult(dense)


def own_products(dense):
    return LinearOperator(dense.shape, matvec=lambda x: dense @ x, rmatvec=lambda r: dense.T @ r, dtype=dense.dtype)


SPARSE = {
    "csr_array": sp.csr_array,
    "csc_array": sp.csc_array,
    "coo_array": sp.coo_array,
    "bsr_array": sp.bsr_array,
    "lil_array": sp.lil_array,
    "dok_array": sp.dok_array,
    "dia_array": lambda dense: sp.csr_array(dense).todia(),
    "csr_matrix": sp.csr_matrix,
    "csc_matrix": sp.csc_matrix,
    "sparse frame": lambda dense: frame("pandas", dense).astype(sparse_type()),
    "of a sparse matrix": lambda dense: aslinearoperator(sp.csr_array(dense)),
}
KINDS = {
    **SPARSE,
    "LinearOperator": own_products,
    "of a matrix": aslinearoperator,
    "pylops": pylops,
    "pandas": lambda dense: frame("pandas", dense),
    "pandas, nullable": lambda dense: frame("pandas", dense).astype("Float64"),
    "pandas, mixed": lambda dense: frame("pandas", dense).astype({"x3": "Float64"}),
    "polars": lambda dense: frame("polars", dense),
    "list": lambda dense: dense.tolist(),
}
SOLVERS = ("auto", "htp", "subspace-pursuit", "cosamp", "iht", "niht", "aiht", "omp", "l1")
NUMBERS = {
    "mutual_coherence": conditions.mutual_coherence,
    "babel_function": lambda A: conditions.babel_function(A, 2),
    "exact_recovery_coefficient": lambda A: conditions.exact_recovery_coefficient(A, [3, 40]),
    "irrepresentability": lambda A: conditions.irrepresentability(A, [3, 40], [1, -1]),
    "primal_dual_witness": lambda A: conditions.primal_dual_witness(A, np.ones(ROWS), 0.1, [3], [1]).dual_margin,
    "restricted_eigenvalues": lambda A: conditions.restricted_eigenvalues(A, 2).kappa.upper,
    "witness_bound": lambda A: float(Fraction(certificates.witness_bound(A, 2).claim["bound"])),
    "Instance": lambda A: recovery.Instance(A, np.zeros(ROWS), 0).matrix.sum(),
}


@pytest.fixture(params=KINDS)
def given(request):
    return KINDS[request.param](matrix())


def test_every_solver_takes_it(given):
    dense, x = matrix(), np.zeros(SIZE)
    x[[2, 31]] = 1.0, -2.0
    y = dense @ x
    for solver in SOLVERS:
        options = {"normalise": True} if solver == "iht" else {}
        found, same = (recovery.solve(A, y, 2, solver, **options) for A in (given, dense))
        assert found.status is same.status
        np.testing.assert_allclose(found.x, same.x, atol=1e-9)
    np.testing.assert_allclose(recovery.solve(given, y, 2, "l1", backend="CLARABEL").x, x, atol=1e-9)
    np.testing.assert_allclose(recovery.solve(given, y, 2, "group_l1", groups=np.arange(SIZE)).x, x, atol=1e-9)


def test_it_is_an_operator(given):
    operator, dense = recovery.as_operator(given), matrix()
    assert recovery.dottest(given) < 1e-13
    unit, scale = recovery.normalise(given)
    np.testing.assert_allclose(scale, np.linalg.norm(dense, axis=0), rtol=1e-15)
    idx = np.array([31, 2, 7])
    np.testing.assert_allclose(unit.columns(idx), dense[:, idx] / scale[idx], rtol=1e-15)
    np.testing.assert_allclose(operator.gram(idx), dense[:, idx].T @ dense[:, idx], atol=1e-12)


@pytest.mark.parametrize("name", NUMBERS)
def test_conditions_and_certificates_take_it(given, name):
    assert NUMBERS[name](given) == pytest.approx(NUMBERS[name](matrix()), rel=1e-12)


@pytest.mark.parametrize("kind", SPARSE)
def test_the_sparse_ones_stay_sparse(kind, monkeypatch):
    """No solver and no product asks for many columns at once: an array of half of them is refused here."""
    given, dense, x = SPARSE[kind](matrix()), matrix(), np.zeros(SIZE)
    assert type(recovery.as_operator(given)) is SparseOperator
    x[[2, 31]] = 1.0, -2.0
    plain = SparseOperator.columns

    def few(self, idx):
        assert len(idx) <= SIZE // 4
        return plain(self, idx)

    monkeypatch.setattr(SparseOperator, "columns", few)
    for solver in SOLVERS:
        recovery.solve(given, dense @ x, 2, solver)
        recovery.solve(2.0**40 * recovery.as_operator(given).A, dense @ x, 2, solver)
    recovery.solve(given, dense @ x, 2, "htp", ridge=0.1)
    recovery.dottest(given)


def test_too_large_to_be_written_out(monkeypatch):
    dense, products = matrix(), own_products(matrix())
    given = sp.csr_array(dense)
    expected = {name: number(dense) for name, number in NUMBERS.items()}
    x = np.zeros(SIZE)
    x[[2, 31]] = 1.0, -2.0
    monkeypatch.setattr(formed, "SUPPORT_BYTES", 8 * ROWS * SIZE // 2)
    monkeypatch.setattr("recovery.conditions.coherence.PRODUCTS", 500)  # so that there are several blocks
    monkeypatch.setattr(formed, "BLOCK_BYTES", 8 * 7 * 2)
    blockwise = {"exact_recovery_coefficient", "irrepresentability", "primal_dual_witness"}
    for name, number in NUMBERS.items():
        for A in (given, products):
            if name in blockwise or (A is given and name in {"mutual_coherence", "babel_function"}):
                assert number(A) == pytest.approx(expected[name], rel=1e-12)
            else:
                with pytest.raises(ValueError, match=r"needs all n N numbers at once: .* GiB"):
                    number(A)
    for s in (1, 5, SIZE - 1):
        assert conditions.babel_function(given, s) == pytest.approx(conditions.babel_function(dense, s), rel=1e-12)
    with pytest.raises(ValueError, match=r"\(40, 60\) is sparse, .* or A.toarray\(\) if there is the memory"):
        recovery.diagnose(given)
    np.testing.assert_allclose(recovery.solve(given, dense @ x, 2, "l1").x, x, atol=1e-12)
    with pytest.raises(ValueError, match="given by its products"):
        recovery.solve(products, dense @ x, 2, "l1")
    np.testing.assert_allclose(recovery.solve(products, dense @ x, 2).x, x, atol=1e-12)


def test_zero_columns_of_a_large_one_are_refused_where_norms_are_needed(monkeypatch):
    dense = matrix()
    dense[:, 7] = 0.0
    monkeypatch.setattr(formed, "SUPPORT_BYTES", 0)
    with pytest.raises(ValueError, match=r"1 zero column\(s\), the first at index 7"):
        conditions.mutual_coherence(sp.csr_array(dense))


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_types(dtype):
    dense = (matrix() != 0).astype(dtype)
    operator = recovery.as_operator(sp.csr_array(dense))
    assert operator.dtype == (np.float32 if dtype == "float32" else np.float64)
    assert operator.inexact is None
    x = np.zeros(SIZE)
    x[[2, 31]] = 1.0, -2.0
    found = recovery.solve(sp.csr_array(dense), dense @ x, 2)
    np.testing.assert_allclose(found.x, x, atol=1e-6)
    assert found.x.dtype == operator.dtype


@pytest.mark.parametrize("exponent", [-1000, -300, 0, 300, 900])
def test_norms_are_in_range(exponent):
    dense = np.zeros((30, 4))
    rng = np.random.default_rng(0)
    dense[:, 0], dense[:20, 1], dense[3, 2] = rng.standard_normal(30), 2.0**-500 * rng.standard_normal(20), 1.0
    given = sp.csc_array(dense)
    given.data = np.ldexp(given.data, exponent)
    operator = SparseOperator(given)
    expected = recovery.DenseOperator(given.toarray())
    assert operator.size_exponent() == expected.size_exponent()
    np.testing.assert_allclose(operator.norms_over(exponent), expected.norms_over(exponent), rtol=1e-13)
    assert operator.column_norms()[3] == 0.0


@pytest.mark.parametrize("ridge", [0.0, 0.5])
def test_dependent_columns_and_more_columns_than_rows(ridge):
    dense = matrix()
    dense[:, 5], dense[:, 6] = dense[:, 4], dense[:, 4] * (1 + 1e-9)
    y = np.random.default_rng(0).standard_normal(ROWS)
    from recovery.solvers.least_squares import ridge_fit

    for idx in (np.array([4, 5, 9]), np.array([4, 6, 9]), np.arange(SIZE)):
        found, residual, objective = ridge_fit(recovery.as_operator(sp.csr_array(dense)), idx, y, ridge)
        same, other, least = ridge_fit(recovery.as_operator(dense), idx, y, ridge)
        np.testing.assert_allclose(residual, other, atol=1e-9)
        assert objective == pytest.approx(least, abs=1e-10)
        if idx[1] == 5 or ridge:
            np.testing.assert_allclose(found, same, atol=1e-8)


def test_long_columns_of_float32_are_summed_in_float64():
    n = 2**17
    given = sp.csc_array(np.full((n, 1), 0.1, dtype=np.float32))
    operator = recovery.as_operator(given)
    total = n * float(np.float32(0.1))
    assert float(operator.rmatvec(np.ones(n, dtype=np.float32))[0]) == pytest.approx(total, rel=2e-7)
    assert float(operator.column_norms()[0]) == pytest.approx(np.sqrt(n) * float(np.float32(0.1)), rel=2e-7)


def test_what_is_proved_is_of_the_numbers_given():
    big = 2**53 + 1
    for given in (sp.csr_array([[big, 0], [0, 1]]), sp.coo_array(([0.1, 0.2], ([0, 0], [0, 0])), shape=(2, 2))):
        assert recovery.as_operator(given).inexact is not None
        with pytest.raises(InexactNumber):
            certificates.witness_bound(given, 1)
    twice = sp.csr_array((np.array([0.1, 0.2, 1.0]), np.array([0, 0, 1]), np.array([0, 2, 3])), shape=(2, 2))
    operator = recovery.as_operator(twice)
    assert "stores entries twice" in operator.inexact
    assert twice.nnz == 3  # and it is left alone
    assert operator.columns(np.arange(2))[0, 0] == 0.1 + 0.2
    exact = recovery.as_operator(sp.csr_array([[3.0, 0.0], [0.0, 1.0]]))
    halves, thirds = ScaledOperator(exact, np.array([0.5, 0.0])), ScaledOperator(exact, np.array([1 / 3, 1.0]))
    assert halves.inexact is None
    assert "rounded" in thirds.inexact
    tiny = ScaledOperator(recovery.as_operator(sp.csr_array([[0.75, 0.0], [0.0, 1.0]])), np.array([2.0**-1074, 1.0]))
    assert "rounded" in tiny.inexact


def test_one_sparse_operator_is_like_another():
    one, other = (recovery.as_operator(kind(matrix())) for kind in (sp.csr_array, sp.csc_matrix))
    assert one == other == pickle.loads(pickle.dumps(one))
    assert hash(one) == hash(other)
    assert one != recovery.as_operator(2.0 * sp.csr_array(matrix()))
    assert repr(one) == f"SparseOperator(shape=(40, 60), dtype=float64, {np.count_nonzero(matrix())} stored)"
    scaled = RescaledOperator(one, 3)
    np.testing.assert_array_equal(scaled.stored(np.array([1, 4])).toarray(), matrix()[:, [1, 4]] / 8)


def test_a_compressed_matrix_is_not_copied():
    given = sp.csc_array(matrix())
    assert np.shares_memory(recovery.as_operator(given).A.data, given.data)
    before = given.copy()
    recovery.solve(given, np.ones(ROWS), 3)
    assert (given != before).nnz == 0


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        (sp.csr_array([[1j, 0], [0, 1]]), TypeError, r"A \(csr_array\) has dtype complex128; expected real"),
        (sp.csr_array([[np.nan, 0], [0, 1]]), ValueError, "A.data holds NaN|A.data"),
        (sp.csr_array((0, 3)), ValueError, r"A \(csr_array\) is empty"),
        (sp.coo_array([1.0, 2.0]), ValueError, r"A \(coo_array\) has shape \(2,\); expected 2"),
    ],
)
def test_odd_ones_are_refused_with_a_sentence(given, error, sentence):
    with pytest.raises(error, match=sentence):
        recovery.solve(given, np.ones(2), 1)


def test_more_refusals():
    no_adjoint = LinearOperator((ROWS, SIZE), matvec=lambda x: matrix() @ x, dtype=np.float64)
    with pytest.raises(TypeError, match=r"knows no product with its transpose .* expected one whose 'rmatvec'"):
        recovery.solve(no_adjoint, np.ones(ROWS), 1)
    pandas = pytest.importorskip("pandas")
    filled = pandas.DataFrame({"a": pandas.arrays.SparseArray([1.0, 2.0], fill_value=1.0)})
    with pytest.raises(ValueError, match=r"A is a frame of sparse columns, but .*; expected fill values of 0"):
        recovery.solve(filled, np.ones(2), 1)
    missing = pandas.DataFrame({"a": pandas.array([1.0, None], dtype="Float64")})
    with pytest.raises((TypeError, ValueError), match="A "):
        recovery.solve(missing, np.ones(2), 1)
    text = pandas.DataFrame({"a": ["1", "2"]})
    with pytest.raises(TypeError, match=r"A has dtype|A cannot"):
        recovery.solve(text, np.ones(2), 1)
    other = type("csr_matrix", (), {"nnz": 3, "tocsc": lambda self: self, "shape": (2, 2)})()
    with pytest.raises(TypeError, match=r"A is a sparse csr_matrix of .*; expected one of scipy.sparse"):
        recovery.as_operator(other)
