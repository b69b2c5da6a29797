"""The input check of proofs: exact numbers pass, others raise a message with argument, value and position."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from planted.base.exactness import InexactNumber, check_exact, exact_numbers, exactly, inexact

pd = pytest.importorskip("pandas")
BIG = 2**53 + 1
LONG = np.longdouble(1) + np.finfo(np.longdouble).eps
LONGER = LONG != np.float64(LONG)  # some platforms have no long double

ROUNDED = {
    "mixed list": [[BIG, 0.5]],
    "tuple": ((BIG,), (0.5,)),
    "list of arrays": [np.array([BIG]), np.array([0.5])],
    "list of numpy scalars": [[np.float32(0.1), np.int64(BIG)]],
    "int64": np.array([[BIG, 1]]),
    "negative": np.array([[-BIG, 1]]),
    "least": np.array([[-(2**63) + 1]]),
    "uint64": np.array([[2**64 - 1, 1]], dtype=np.uint64),
    "objects": np.array([[BIG, Fraction(1, 4)]], dtype=object),
    "integers of any size": [[2**70 + 1]],
    "beyond floats": [[10**400]],
    "third": [[Fraction(1, 3)]],
    "decimal": [[Decimal("0.1")]],
    "frame": pd.DataFrame([[BIG, 2**53], [1, 1]]),
    "frame of two types": pd.DataFrame({"a": [BIG, 1], "b": [0.5, 1.0]}),
    "frame with one name twice": pd.DataFrame([[BIG, 2]], columns=["a", "a"]),
    "nullable frame": pd.DataFrame({"a": pd.array([BIG, 1], dtype="Int64")}),
    "nullable frame of two types": pd.DataFrame({"a": pd.array([BIG], dtype="Int64"), "b": pd.array([0.5], "Float64")}),
    "series": pd.Series([BIG, 1]),
    "nullable series": pd.Series([BIG, 1], dtype="UInt64"),
    "extension array": pd.array([BIG, 1], dtype="Int64"),
}
if LONGER:
    ROUNDED |= {
        "long double": np.array([[1, LONG]]),
        "list of long doubles": [[1.0, LONG]],
        "long double beyond floats": np.array([np.longdouble("1e4000")]),
        "long double below floats": np.array([np.longdouble("1e-4000")]),
    }
NO_NUMBERS = {
    "complex": [[1j]],
    "complex array": np.array([[1 + 0j]]),
    "none": [[None, 1]],
    "text": [["1"]],
    "missing": pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": [1.0, 2.0]}),
    "ragged": [[1, 2], [3]],
    "deeper": [[1, 2], [3, [4]]],
    "masked": np.ma.array([1.0, 2.0], mask=[0, 1]),
    "masked row": [np.ma.array([1.0, 2.0], mask=[0, 1]), [3, 4]],
    "masked entry": [[np.ma.masked, 1.0]],
    "dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "dictionary": {"a": 1},
    "nothing": None,
    "string": "1 2",
}
KEPT = {
    "floats": ([[0.1, 5e-324]], [[0.1, 5e-324]]),
    "large powers of two": ([[2**60, Fraction(1, 4)]], [[2.0**60, 0.25]]),
    "objects": (np.array([[2**70, True]], dtype=object), [[2.0**70, 1.0]]),
    "bools": ([[True, False]], [[1.0, 0.0]]),
    "float16": (np.array([[0.1]], dtype=np.float16), [[float(np.float16(0.1))]]),
    "int8": (np.array([[-128]], dtype=np.int8), [[-128.0]]),
    "uint64": (np.array([[2**63, 2**53]], dtype=np.uint64), [[2.0**63, 2.0**53]]),
    "decimal": ([[Decimal("0.25")]], [[0.25]]),
    "long double": (np.array([[0.5]], dtype=np.longdouble), [[0.5]]),
    "frame": (pd.DataFrame({"a": [1, 2], "b": [0.5, 0.1], "c": [True, False]}), [[1, 0.5, 1], [2, 0.1, 0]]),
    "nullable frame": (pd.DataFrame({"a": pd.array([3], dtype="Int64"), "b": pd.array([0.1], "Float64")}), [[3, 0.1]]),
    "range": (range(3), [0.0, 1.0, 2.0]),
    "number": (7, 7.0),
}


@pytest.mark.parametrize("kind", ROUNDED)
def test_what_float64_would_round_is_refused(kind):
    with pytest.raises(InexactNumber, match=r"^here holds .+ that float64 would round to .+; expected numbers that"):
        exactly(ROUNDED[kind], "here")
    assert inexact(ROUNDED[kind], "here") is not None


def test_the_sentence_has_the_value_and_its_place():
    with pytest.raises(InexactNumber, match=r"A holds 9007199254740993 at index \(1, 0\), of type int64 that"):
        exactly(np.array([[1, 2], [BIG, 3]]), "A")
    with pytest.raises(InexactNumber, match=r"y holds 1/3 at index 2, of type Fraction"):
        exactly([1, 2, Fraction(1, 3)], "y")
    with pytest.raises(InexactNumber, match=r"A holds an integer of 1\d\d\d\d bits"):  # more digits than Python writes
        exactly([10**5000], "A")


@pytest.mark.parametrize("kind", NO_NUMBERS)
def test_what_is_no_real_number_is_refused(kind):
    for look in (exactly, exact_numbers):
        with pytest.raises(TypeError, match="here"):
            look(NO_NUMBERS[kind], "here")
    assert inexact(NO_NUMBERS[kind], "here") is None


@pytest.mark.parametrize("kind", KEPT)
def test_what_float64_holds_is_kept(kind):
    given, expected = KEPT[kind]
    found = exactly(given, "A")
    assert found.dtype == np.float64
    assert np.array_equal(found, np.array(expected, dtype=np.float64))
    assert inexact(given, "A") is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_of_floats_are_not_copied(backend, dtype):
    A = backend.put(np.ones((2, 3), dtype=dtype))
    assert exactly(A, "A") is A


def test_integers_on_a_device(backend):
    assert np.array_equal(backend.get(exactly(backend.put(np.array([[3, 2**53]])), "A")), [[3.0, 2.0**53]])
    with pytest.raises(InexactNumber, match=f"holds {BIG} at index \\(0, 1\\)"):
        exactly(backend.put(np.array([[3, BIG]])), "A")


def test_a_decimal_of_a_billion_places_costs_nothing():
    for value in (Decimal("1e999999999"), Decimal("-1e-999999999")):
        with pytest.raises(InexactNumber, match="a Decimal of at most 5000 places"):
            exactly([[value]], "A")


def test_numbers_stay_what_they_are_where_integers_are_asked_for():
    assert exact_numbers([[BIG, Fraction(1, 3)]], "X").tolist() == [[BIG, Fraction(1, 3)]]
    assert exact_numbers(pd.DataFrame({"a": [BIG], "b": [0.5]}), "X").tolist() == [[BIG, 0.5]]


def test_dimensions_and_nan_are_checked_after_the_numbers():
    with pytest.raises(ValueError, match=r"A has shape \(1,\); expected 2 dimension"):
        check_exact([1], "A", ndim=2)
    with pytest.raises(ValueError, match="A has 1 element"):
        check_exact([[float("nan")]], "A", ndim=2)
    with pytest.raises(ValueError, match="A has 1 element"):
        check_exact([[Decimal("NaN")]], "A", ndim=2)
