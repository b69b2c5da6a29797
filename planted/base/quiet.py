"""Thread-safe suppression of warnings from other libraries."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["quiet"]

_ANYTHING, _NOTHING = re.compile(""), re.compile("(?!)")


class _Pattern(threading.local):
    """Stand-in for a filter's regular expression that matches every message in quiet threads, and none in others."""

    match: Any = staticmethod(_NOTHING.match)
    depth = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return re.compile, (_NOTHING.pattern,)  # filters may be pickled for other processes, where no thread is quiet


class _Filter:
    """The filter of one category, and the filter lists that contain it while any thread is quiet."""

    def __init__(self, category: type[Warning]) -> None:
        self.pattern = _Pattern()
        self.item: Any = ("ignore", self.pattern, category, None, 0)
        self.users = 0
        self.lists: list[list[Any]] = []

    def enter(self) -> None:
        self.users += 1
        current: Any = warnings.filters
        if not current or current[0] is not self.item:  # in front of all filters, including those added since
            current.insert(0, self.item)
            self.lists.append(current)

    def leave(self) -> None:
        self.users -= 1
        if self.users:
            return
        # a caller may have entered or left `catch_warnings` since, so the current list may be another one, or a copy
        for held in (*self.lists, warnings.filters):
            listed: Any = held
            while self.item in listed:
                listed.remove(self.item)
        self.lists.clear()


_lock = threading.Lock()
_filters: dict[type[Warning], _Filter] = {}


@contextmanager
def quiet(category: type[Warning] = Warning) -> Iterator[None]:
    """Ignore warnings of a category that are raised in this thread.

    Parameters
    ----------
    category : type of warning, default Warning
        The category; subclasses are included.

    Notes
    -----
    ``warnings.catch_warnings`` saves the filters of the whole process and restores them on exit. If two threads do so
    at the same time, the second may restore the state that the first had changed, so that the filter stays; and while
    it is active, it hides the warnings of all other threads. Here one filter is added while any thread is quiet, and
    removed by the last one. It matches only in quiet threads, and filters that a caller adds meanwhile are kept. This
    works because ``warnings`` calls the ``match`` method of whatever object stands in place of the pattern.
    """
    with _lock:
        one = _filters.setdefault(category, _Filter(category))
        one.enter()
    pattern = one.pattern
    pattern.depth += 1
    pattern.match = _ANYTHING.match
    try:
        yield
    finally:
        pattern.depth -= 1
        if not pattern.depth:
            del pattern.match
        with _lock:
            one.leave()
