"""Made-up results, which all tests of drawings take."""

import fabricated
import pytest

import paper_repro


@pytest.fixture
def results(tmp_path):
    """A function that returns made-up results of a figure."""

    def make(name, preset="smoke", leave_out=0):
        fabricated.fill(tmp_path, name, preset, leave_out)
        return paper_repro.load(name, preset, tmp_path)

    return make
