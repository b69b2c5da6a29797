"""Every function that proves something, with every kind of number: numbers that float64 would round are refused."""

import copy
import inspect
import pickle
from decimal import Decimal
from fractions import Fraction

import exact_oracle
import numpy as np
import pytest

import recovery
from paper_repro import diagnose as command
from planted.base.exactness import InexactNumber
from recovery import DenseOperator, GatedOperator, Instance, certificates, conditions
from recovery.certificates.certificate import exact, exact_matrix
from recovery.exact.intervals import written
from recovery.operators.dense import ScaledOperator

pd = pytest.importorskip("pandas")
BIG = 2**53 + 1
LONG = np.longdouble(2**53) + 1

ZEROS = np.zeros((2, 2))
DOORS = {
    "dual_bound": lambda A: certificates.dual_bound(A, 1, solver=None).claim["bound"],
    "dual_vector_certificate": lambda A: certificates.dual_vector_certificate(A, [0], [1], [0.25, 0.25]),
    "enumeration_bound": lambda A: certificates.enumeration_bound(A, 2, "smallest").claim["bound"],
    "isometry_certificate": lambda A: certificates.isometry_certificate(A, 1, "kappa", "<=", 10).claim,
    "null_space_certificate": lambda A: certificates.null_space_certificate(A, 1, ZEROS).claim,
    "null_space_witness": lambda A: certificates.null_space_witness(A, 1, np.ones(2)),
    "witness_bound": lambda A: certificates.witness_bound(A, 1).claim["bound"],
    "babel_function": lambda A: conditions.babel_function(A, 1),
    "dual_certificate": lambda A: conditions.dual_certificate(A, [0], [1]).unique,
    "exact_recovery_coefficient": lambda A: conditions.exact_recovery_coefficient(A, [0]),
    "irrepresentability": lambda A: conditions.irrepresentability(A, [0], [1]),
    "mutual_coherence": conditions.mutual_coherence,
    "null_space_constant": lambda A: ends(conditions.null_space_constant(A, 1)),
    "null_space_constant, joint": lambda A: ends(conditions.null_space_constant(A, 2, "joint")),
    "null_space_constant, exact": lambda A: ends(conditions.null_space_constant(A, 2, "exact")),
    "null_space_multipliers": lambda A: conditions.null_space_multipliers(A, 1).tolist(),
    "primal_dual_witness": lambda A: conditions.primal_dual_witness(A, np.ones(2), 0.1, [0], [1]).primal_margin,
    "restricted_eigenvalue": lambda A: ends(conditions.restricted_eigenvalue(A, [0])),
    "restricted_eigenvalues": lambda A: ends(conditions.restricted_eigenvalues(A, 2).smallest),
    "restricted_eigenvalues, proved": lambda A: ends(conditions.restricted_eigenvalues(A, 1, certify=True).largest),
    "restricted_eigenvalues, dual": lambda A: ends(conditions.restricted_eigenvalues(A, 2, "dual").largest),
    "restricted_eigenvalues, search": lambda A: ends(
        conditions.restricted_eigenvalues(A, 1, "search", certify=True).largest
    ),
    "restricted_eigenvalues, coherence": lambda A: ends(conditions.restricted_eigenvalues(A, 1, "coherence").largest),
    "spark_bounds": lambda A: ends(conditions.spark_bounds(A)),
    "worst_exact_recovery_coefficient": lambda A: ends(conditions.worst_exact_recovery_coefficient(A, 1)),
    "diagnose": lambda A: recovery.diagnose(A, sparsity=1, improve=False).table(),
    "Instance": lambda A: Instance(A, np.zeros(2), 0).matrix.tolist(),
}
MATRICES = {  # of a symmetric matrix itself
    "largest_eigenvalue_bound": certificates.largest_eigenvalue_bound,
    "proves_positive_definite": certificates.proves_positive_definite,
    "smallest_eigenvalue_bound": certificates.smallest_eigenvalue_bound,
}
EXACT = {"enumerate_patterns", "is_positive_semidefinite"}
"""Work in integers of any size."""
NOTHING_TO_ROUND = {
    *("Certificate", "DualVector", "GatePair", "GateSpread", "Interval", "NeuralIsometry", "Patterns"),
    *("PrimalDualWitness", "RankReport", "ReducedGates", "RestrictedEigenvalues", "Theorem1Report"),  # results
    *("NetworkDistance", "network_distance"),  # of a certificate that is there
    *("complementary_pairs", "dependent_gates", "equal_gates", "gate_coverage", "gate_separation", "gate_spread"),
    *("one_per_pair", "cover_count", "pattern_bound"),  # bits and integers
    *("expected_separation", "probable_spread"),  # float formulas of generators
}
DATA = {"network_certificate"}
"""Take no matrix but data; tests/recovery/test_certificate_network.py hands numbers over that float64 would round."""
GATED = {"energy_coverage", "gated_rank", "neural_isometry", "theorem1_report"}


def ends(interval):
    return interval.lower, interval.upper, interval.lower_certified, interval.upper_certified


def frame(rows, **types):
    return pd.DataFrame({"a": [row[0] for row in rows], "b": [row[1] for row in rows]}).astype(types)


def kinds(rows):
    """The same numbers in every kind of object that may hold them."""
    made = {
        "list": rows,
        "tuple": tuple(map(tuple, rows)),
        "list with a float": [[rows[0][0], float(rows[0][1])], rows[1]],
        "list of arrays": [np.array(rows[0]), np.array(rows[1], dtype=float)],
        "list of numpy integers": [[np.int64(one) for one in row] for row in rows],
        "list of Fractions": [[Fraction(one) for one in row] for row in rows],
        "list of Decimals": [[Decimal(one) for one in row] for row in rows],
        "objects": np.array(rows, dtype=object),
        "int64": np.array(rows),
        "uint64": np.array(rows, dtype=np.uint64),
        "frame": frame(rows),
        "frame of two types": frame(rows, b="float64"),
        "nullable frame": frame(rows, a="Int64", b="Float64"),
        "DenseOperator": DenseOperator(np.array(rows)),
        "DenseOperator of a list": DenseOperator([[rows[0][0], float(rows[0][1])], rows[1]]),
        "GatedOperator": GatedOperator(np.array(rows), np.ones((2, 1), dtype=bool)),
        "GatedOperator of a frame": GatedOperator(frame(rows), np.ones((2, 1), dtype=bool)),
        "pickled": pickle.loads(pickle.dumps(DenseOperator(np.array(rows)))),
        "copied": copy.deepcopy(GatedOperator(np.array(rows), np.ones((2, 1), dtype=bool))),
        "scaled": ScaledOperator(DenseOperator(np.array(rows)), np.ones(2)),
    }
    if np.finfo(np.longdouble).nmant > 52:
        made["long double"] = np.array([[np.longdouble(one) for one in row] for row in rows])
    return made


ROUNDED, HELD = kinds([[BIG, 1], [1, 2]]), kinds([[3, 1], [1, 2]])
PLAIN = np.array([[3.0, 1.0], [1.0, 2.0]])


@pytest.mark.parametrize("kind", ROUNDED)
@pytest.mark.parametrize("door", DOORS)
def test_no_door_lets_a_rounded_number_in(door, kind):
    with pytest.raises(ValueError, match=rf"[AX] holds \D*{BIG}.* that float64 would round to"):
        DOORS[door](ROUNDED[kind])


@pytest.mark.parametrize("door", DOORS)
def test_what_float64_holds_passes_unchanged(door):
    expected = DOORS[door](PLAIN)
    for kind, A in HELD.items():
        assert repr(DOORS[door](A)) == repr(expected) or "gates" in str(DOORS[door](A)), kind


@pytest.mark.parametrize(
    "kind", [kind for kind in ROUNDED if "perator" not in kind and kind not in ("scaled", "pickled", "copied")]
)
@pytest.mark.parametrize("door", MATRICES)
def test_matrices_that_are_proved_about_are_the_callers_own(door, kind):
    with pytest.raises(ValueError, match=r"M holds .* that float64 would round to"):
        MATRICES[door](ROUNDED[kind])
    with pytest.raises(ValueError, match=r"radius holds .* that float64 would round to"):
        MATRICES[door](PLAIN, Fraction(1, 3))
    assert MATRICES[door](HELD[kind]) == MATRICES[door](PLAIN)


def test_every_public_function_is_listed():
    names = {*certificates.__all__, *conditions.__all__}
    listed = {name.partition(",")[0] for name in DOORS} | set(MATRICES) | EXACT | NOTHING_TO_ROUND | GATED | DATA
    assert names - listed == set()
    for name in names - NOTHING_TO_ROUND:
        module = certificates if name in certificates.__all__ else conditions
        assert next(iter(inspect.signature(getattr(module, name)).parameters)) in ("A", "X", "M"), name


def test_gated_conditions_refuse_rounded_inputs():
    A = GatedOperator(np.array([[BIG, 1], [1, 2]]), np.eye(2, dtype=bool))
    for look in (conditions.energy_coverage, conditions.gated_rank, lambda A: conditions.theorem1_report(A, 1)):
        with pytest.raises(ValueError, match=f"X holds {BIG}"):
            look(A)
    for other in (A.regate(np.eye(2)), A.subset(np.array([0])), A.follow(np.eye(2))[0]):
        assert other.inexact == A.inexact
    assert GatedOperator.from_seed([[BIG, 0.5]], 2, 0).inexact == GatedOperator.from_seed([[BIG, 0.5]], 3, 1).inexact
    with pytest.raises(ValueError, match=f"X holds {BIG}"):
        conditions.neural_isometry([[BIG, 0.5], [1, 2]], np.eye(2, dtype=bool), np.eye(2))


def test_integers_of_any_size_where_the_arithmetic_is_of_integers():
    # two columns whose determinant is 1: floats call them dependent
    assert certificates.is_positive_semidefinite([[BIG, 2**53], [2**53, 2**53 - 1]], strict=True) is False
    assert certificates.is_positive_semidefinite([[2**53 + 2, BIG], [BIG, 2**53]], strict=True) is False
    assert certificates.is_positive_semidefinite([[2**53 + 2, BIG], [BIG, 2**53 + 1]], strict=True)
    assert exact_matrix(frame([[BIG, 1], [1, 2]])) == [[str(BIG), "1"], ["1", "2"]]
    assert exact(Fraction(1, 3)) == "1/3"
    with pytest.raises(TypeError, match="masked"):
        exact_matrix(np.ma.array([1.0, 2.0], mask=[0, 1]))


@pytest.mark.parametrize("kind", ["list", "objects", "int64", "frame", "frame of two types", "list of Fractions"])
def test_patterns_of_integers_beyond_floats(kind):
    rows = [[BIG, -(2**53)], [-1, 1]]
    if kind == "frame of two types":
        rows = [[BIG, -(2**53)], [-1, 1.0]]
        X = frame(rows, b="float64")
    elif kind == "int64":
        X = np.array(rows)
    else:
        X = {"list": rows, "objects": np.array(rows, dtype=object), "frame": frame(rows)}.get(
            kind, [[Fraction(one, 3) for one in row] for row in rows]
        )
    found = {tuple(one) for one in conditions.enumerate_patterns(X, 2).gates.T.tolist()}
    assert found == exact_oracle.plane_patterns(rows) == {(a, b) for a in (False, True) for b in (False, True)}


def test_operators_solve_what_they_do_not_prove():
    found = recovery.solve(DenseOperator(np.array([[BIG, 1], [1, 2]])), np.array([1.0, 0.0]), 1)
    assert np.isfinite(found.x).all()


def test_scaled_operators_are_proved_about_only_where_products_are_exact():
    base = DenseOperator(np.array([[0.1, 0.3], [0.7, 1.0]]))
    halves = ScaledOperator(base, np.array([0.5, -4.0]))
    assert conditions.spark_bounds(halves).lower == np.inf
    assert halves.inexact is None
    for factor in ([0.3, 1.0], [2.0**-1074, 1.0]):  # products that are rounded, or lose digits at the end of the range
        with pytest.raises(ValueError, match="ScaledOperator whose products are rounded"):
            conditions.spark_bounds(ScaledOperator(base, np.array(factor)))
    written = ScaledOperator(base, np.array([0.3, 1.0])).columns(np.arange(2))
    assert conditions.spark_bounds(written).lower_certified
    assert Instance(ScaledOperator(base, np.array([0.3, 1.0])), np.zeros(2), 0).matrix.shape == (2, 2)


def test_spark_of_a_frame_whose_columns_floats_call_equal():
    rows = [[BIG, 2**53], [1, 1]]
    with pytest.raises(ValueError, match=f"A holds {BIG}"):
        conditions.spark_bounds(pd.DataFrame(rows))
    assert conditions.spark_bounds(pd.DataFrame([[2**53, 2**53], [1, 1]])).upper == 2.0


@pytest.mark.parametrize("name", ["A", "X"])
def test_a_file_with_integers_that_floats_do_not_hold_is_refused(tmp_path, name):
    path = tmp_path / "own.npz"
    np.savez(path, **{name: np.array([[BIG, 2**53], [1, 1]])})
    with pytest.raises(command.BadFile, match=f"own.npz: {name} holds {BIG} at index"):
        command.report(path)
    np.savez(path, A=np.array([[3, 1], [1, 2]]), y=np.array([BIG, 0]))
    with pytest.raises(command.BadFile, match=f"y holds {BIG} at index 0"):
        command.report(path)


def test_float32_is_proved_about_as_it_is():
    A = np.array([[0.1, 0.2], [0.3, 0.5]], dtype=np.float32)
    for given in (A, DenseOperator(A), GatedOperator(A, np.ones((2, 1), dtype=bool))):
        made = certificates.dual_bound(given, 2, solver=None)
        assert made.data["A"] == exact_matrix(A.astype(np.float64))


def test_ends_that_no_float_holds_are_rounded_outward():
    third = Fraction(1, 3)
    for low, high in ((third, 2 * third), (-third, third), (BIG, BIG), (Decimal("0.1"), Decimal("0.2"))):
        found = conditions.Interval(low, high, True, True)
        assert type(found.lower) is type(found.upper) is float
        assert Fraction(found.lower) <= low <= high <= Fraction(found.upper)
        assert Fraction(found.width) >= Fraction(high) - Fraction(low)
    assert conditions.Interval(10**400, 10**401).upper == np.inf
    assert conditions.Interval(np.int64(3), np.float32(4)).upper == 4.0
    if np.finfo(np.longdouble).nmant > 52:
        assert conditions.Interval(LONG, LONG).lower == 2.0**53 < conditions.Interval(LONG, LONG).upper
    with pytest.raises(TypeError, match="upper_certified='yes'; expected a bool"):
        conditions.Interval(0.0, 1.0, True, "yes")
    for bad in ("1", None, [1.0], 1j):
        with pytest.raises(TypeError, match="lower"):
            conditions.Interval(bad, 2.0)


VALUES = [0.1, 0.3, 1 / 3, 2 / 3, 1e23, 5e-324, 1.7976931348623157e308, 4.35, 1e-5, 123456789.123, 2.0**60, 7.0]


@pytest.mark.parametrize("value", [*VALUES, *(-one for one in VALUES)])
def test_what_is_written_is_not_past_what_is_proved(value):
    text = repr(conditions.Interval(value, value, True, True))
    low, high = (part.split("=")[1] for part in text[len("Interval(") : -1].split(", ")[:2])
    assert Fraction(low) <= Fraction(value) <= Fraction(high)
    assert float(low) == float(high) == value
    for digits in (1, 3, 6, 12):
        low, high = (written(value, up, digits) for up in (False, True))
        assert Fraction(low) <= Fraction(value) <= Fraction(high)
        assert Fraction(high) - Fraction(low) <= abs(Fraction(value)) * Fraction(10) ** (1 - digits)


def test_what_is_written_of_round_numbers_is_short():
    assert [written(one, True) for one in (2.0, 0.0, np.inf, 1e20, 0.5)] == ["2", "0", "inf", "1e+20", "0.5"]
    assert repr(conditions.Interval(0.1, 0.1)).startswith("Interval(lower=0.1, upper=0.10000000000000001, ")
    assert (written(1 / 3, False), written(1 / 3, True)) == ("0.333333", "0.333334")


def test_a_diagnosis_prints_proved_numbers_outward():
    A = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.3]])
    numbers = dict(recovery.diagnose(A, sparsity=1, improve=False).numbers)
    exact = Fraction(1) / (1 + Fraction(0.5) + Fraction(0.3))  # of the null vector (-.5, -.3, 1)
    low, high = map(Fraction, numbers["alpha_1 of the null space, proved"].split(" to "))
    assert low <= exact <= high
    assert numbers["spark, proved"] == "3"


def test_what_is_proved_of_clear_rows_is_not_called_proved_of_the_matrix():
    A = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 2.0 + 2.0**-48]])  # dependent but for rounding
    assert conditions.null_space_constant(A, 1).upper == 0.0  # independent, exactly
    numbers = dict(recovery.diagnose(A, sparsity=1, improve=False).numbers)
    assert numbers["alpha_1 of the null space"].startswith("0.33333")  # of the rows that are clear
    exact = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    assert "alpha_1 of the null space, proved" in dict(recovery.diagnose(exact, sparsity=1, improve=False).numbers)


def test_what_proves_nothing_takes_columns_of_unit_norm():
    rng = np.random.default_rng(0)
    A = recovery.GatedOperator.from_generators(rng.standard_normal((60, 3)), rng.standard_normal((3, 4)))
    unit, _ = recovery.normalise(A)
    columns = unit.columns(np.arange(12))
    for method in ("enumerate", "coherence", "search"):
        found = conditions.restricted_eigenvalues(unit, 2, method)
        assert found == conditions.restricted_eigenvalues(columns, 2, method)
        assert not found.largest.upper_certified
    assert conditions.mutual_coherence(unit) == conditions.mutual_coherence(columns)
    with pytest.raises(InexactNumber, match="ScaledOperator"):
        conditions.restricted_eigenvalues(unit, 2, certify=True)
    with pytest.raises(InexactNumber, match="ScaledOperator"):
        conditions.null_space_constant(unit, 2)
