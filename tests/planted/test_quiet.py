"""Warnings of other libraries are ignored in one thread, and the filters of the process do not change."""

import copy
import pickle
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from planted.base.quiet import quiet


def test_a_warning_is_ignored_inside_and_an_error_outside():
    before = list(warnings.filters)
    with quiet():
        warnings.warn("not heard", stacklevel=1)
    with pytest.raises(UserWarning):
        warnings.warn("heard", stacklevel=1)
    assert warnings.filters == before


def test_only_the_category_is_ignored():
    with quiet(RuntimeWarning):
        warnings.warn("not heard", RuntimeWarning, stacklevel=1)
        with pytest.raises(UserWarning):
            warnings.warn("heard", UserWarning, stacklevel=1)


def test_it_ends_with_an_exception_and_may_be_nested():
    before = list(warnings.filters)
    with pytest.raises(KeyError), quiet():
        raise KeyError
    with quiet():
        with quiet():
            pass
        warnings.warn("not heard", stacklevel=1)
    assert warnings.filters == before
    with pytest.raises(UserWarning):
        warnings.warn("heard", stacklevel=1)


def test_other_threads_lose_no_warning():
    inside, done = threading.Event(), threading.Event()

    def hush():
        with quiet():
            inside.set()
            done.wait(10)

    thread = threading.Thread(target=hush)
    thread.start()
    inside.wait(10)
    try:
        with pytest.raises(UserWarning):
            warnings.warn("heard", stacklevel=1)
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("first_out", [0, 1])
def test_two_threads_that_overlap_in_any_order(first_out):
    """What `catch_warnings` gets wrong: 0 enters, 1 enters, 0 leaves, 1 leaves."""
    before = list(warnings.filters)
    entered, leave = [threading.Event() for _ in range(2)], [threading.Event() for _ in range(2)]

    def hush(place):
        with quiet():
            entered[place].set()
            leave[place].wait(10)

    threads = [threading.Thread(target=hush, args=(place,)) for place in range(2)]
    for place in range(2):
        threads[place].start()
        entered[place].wait(10)
    for place in (first_out, 1 - first_out):
        leave[place].set()
        threads[place].join()
    assert warnings.filters == before


def test_filters_that_are_added_meanwhile_stay():
    before = list(warnings.filters)
    with warnings.catch_warnings():
        with quiet():
            warnings.filterwarnings("ignore", message="added")
            with quiet():  # in front again
                warnings.warn("not heard", stacklevel=1)
        assert warnings.filters[0][:1] == ("ignore",)
        assert len(warnings.filters) == len(before) + 1
    assert warnings.filters == before


def test_a_context_of_the_caller_that_overlaps_leaves_nothing_behind():
    before = list(warnings.filters)
    entered, leave = threading.Event(), threading.Event()

    def hush():
        with quiet():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=hush)
    thread.start()
    entered.wait(10)
    with warnings.catch_warnings():  # a copy, with the filter in it
        leave.set()
        thread.join()
    assert warnings.filters == before
    thread, entered, leave = threading.Thread(target=hush), threading.Event(), threading.Event()
    with warnings.catch_warnings():
        thread.start()
        entered.wait(10)
    leave.set()
    thread.join()
    assert warnings.filters == before


def test_many_threads():
    before = list(warnings.filters)

    def hush(place):
        for _ in range(50):
            with quiet(UserWarning if place % 2 else RuntimeWarning):
                warnings.warn("not heard", UserWarning if place % 2 else RuntimeWarning, stacklevel=1)
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(hush, range(64)))
    assert warnings.filters == before


def test_nothing_else_changes_the_filters_of_the_process():
    """But for the process of its own in which a cell is computed, and whose warnings are collected."""
    root = Path(__file__).parents[2]
    found = set()
    for package in ("planted", "recovery", "linear_lottery", "figures", "paper_repro"):
        for path in (root / package).rglob("*.py"):
            text = path.read_text()
            if any(call + "(" in text for call in ("catch_warnings", "simplefilter", "filterwarnings", "seterr")):
                found.add(path.relative_to(root).as_posix())
    assert found == {"paper_repro/evaluate.py"}


def test_filters_can_be_copied_while_a_thread_is_quiet():
    with quiet():
        again = pickle.loads(pickle.dumps(warnings.filters[0]))
        assert again[1].match("anything") is None
        assert copy.deepcopy(warnings.filters)[0][0] == "ignore"
