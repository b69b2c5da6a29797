"""What counts as an array of real numbers, and what is refused with a sentence."""

import numpy as np
import pytest

from planted.base.checks import check_array


@pytest.mark.parametrize("scalar", [np.float64(1.5), np.float32(1.5), np.int64(2), np.bool_(True)])
def test_scalars_of_numpy_are_arrays_without_dimensions(scalar):
    found = check_array(scalar, "s", ndim=0)
    assert type(found) is np.ndarray
    assert found.shape == ()
    assert found == scalar
    assert found.dtype == (np.float32 if scalar.dtype == np.float32 else np.float64)
    with pytest.raises(ValueError, match=r"s has shape \(\); expected 1 dimension"):
        check_array(scalar, "s", ndim=1)
    with pytest.raises(ValueError, match=r"s has 1 element\(s\) that are NaN or infinite"):
        check_array(np.float64("nan"), "s", ndim=0)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_subclasses_become_plain_arrays():
    """With np.matrix the product * would be that of matrices."""
    values = np.arange(6.0).reshape(2, 3)
    found = check_array(np.matrix(values), "X", ndim=2)
    assert type(found) is np.ndarray
    assert np.array_equal(found * found, values * values)


def test_masked_arrays_are_refused():
    with pytest.raises(TypeError, match="X is a masked array"):
        check_array(np.ma.array(np.ones(3), mask=[True, False, False]), "X", ndim=1)


@pytest.mark.parametrize("dtype", ["float16", "longdouble", "int8", "bool"])
def test_other_numbers_become_float64(dtype):
    """Linear algebra knows neither half nor extended precision."""
    assert check_array(np.ones(3, dtype=dtype), "X", ndim=1).dtype == np.float64


def test_what_fits_is_handed_through():
    for value in (np.ones(3), np.ones(3, dtype=np.float32)):
        assert check_array(value, "X", ndim=1) is value


def test_a_shape_of_one_dimension_is_written_as_python_does():
    with pytest.raises(ValueError, match=r"x has shape \(3,\); expected \(8,\)"):
        check_array(np.ones(3), "x", ndim=1, shape=(8,))
