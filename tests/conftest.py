"""Fixtures that every test folder uses: array backends, data, and reasons for skipping."""

from __future__ import annotations

import os
from pathlib import Path

import kernels
import matplotlib as mpl
import numpy as np
import pytest
import standin
import tiers
from hypothesis import HealthCheck, settings

from planted.base import arrays

mpl.use("Agg")
# fast tests draw the same examples on every run; slow ones (HYPOTHESIS_PROFILE=slow) search for new examples
settings.register_profile(
    "fast", derandomize=True, max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("slow", max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


NUMERIC = ("linear_lottery", "planted", "properties", "recovery")
"""Folders whose tests are all marked `numeric`; elsewhere a test that needs the mark has it itself."""


def pytest_addoption(parser):
    group = parser.getgroup("BLAS")
    group.addoption("--blas-kernel", metavar="NAME", help="fail unless all BLAS libraries use these kernels")
    group.addoption("--blas-threads", metavar="N", type=int, help="fail unless all BLAS libraries use N threads")
    parser.addoption("--measure-times", action="store_true", help="run the tests of tests/slow_tests.txt as fast ones")


def pytest_configure(config):
    kernel, threads = config.getoption("--blas-kernel"), config.getoption("--blas-threads")
    if kernel is not None or threads is not None:  # in every process of the run
        complaint = kernels.complaint(kernels.libraries(), kernel, threads)
        if complaint:
            raise pytest.UsageError(complaint)


def pytest_report_header(config):
    return kernels.words(kernels.libraries())


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(config, items):
    here = Path(__file__).parent
    slow = set() if config.getoption("--measure-times") else tiers.slow_tests()
    for item in items:
        if tiers.name_of(item) in slow:
            item.add_marker(pytest.mark.slow)
        if item.path.is_relative_to(here) and item.path.relative_to(here).parts[0] in NUMERIC:
            item.add_marker(pytest.mark.numeric)


class Backend:
    """One array type: how to put values there and how to bring them back."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return self.name

    def put(self, values):
        """Return `values` as an array of this backend; NumPy arrays are made read-only."""
        if self.name == "numpy":
            array = np.array(values)
            array.flags.writeable = False
            return array
        if self.name == "standin":
            array = np.array(values)
            array.flags.writeable = False
            return standin.StandInArray(array)
        return arrays.asarray(values, "gpu")

    def get(self, values):
        """Return an array of this backend as a NumPy array, and refuse one of another kind."""
        if self.name == "numpy":
            assert isinstance(values, (np.ndarray, np.generic)), type(values)
        elif self.name == "standin":
            assert isinstance(values, standin.StandInArray), type(values)
        else:
            assert arrays.device_of(values) == "gpu", type(values)
        return arrays.to_numpy(values)


@pytest.fixture(params=["numpy", "standin"])
def backend(request):
    """Read-only NumPy arrays, and the strict stand-in for CuPy arrays."""
    return Backend(request.param)


@pytest.fixture
def gpu():
    """The CuPy backend; the test is skipped, with the reason, where there is no device."""
    available, sentence = arrays.gpu_status()
    if not available:
        pytest.skip(f"no GPU: {sentence}")
    return Backend("cupy")


@pytest.fixture
def results(tmp_path):
    """A function that returns made-up results of a figure."""
    import fabricated

    import paper_repro

    def make(name, preset="smoke", leave_out=0):
        fabricated.fill(tmp_path, name, preset, leave_out)
        return paper_repro.load(name, preset, tmp_path)

    return make
