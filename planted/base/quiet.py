"""Calls of other libraries without their warnings, in any number of threads at once."""

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
    """What stands for the pattern of a filter: it matches every message in quiet threads, and none in others."""

    match: Any = staticmethod(_NOTHING.match)
    depth = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return re.compile, (_NOTHING.pattern,)  # filters may be pickled, for processes in which nothing is quiet


class _Filter:
    """The filter of one category, and the lists of filters that hold it while any thread is quiet."""

    def __init__(self, category: type[Warning]) -> None:
        self.pattern = _Pattern()
        self.item: Any = ("ignore", self.pattern, category, None, 0)
        self.users = 0
        self.lists: list[list[Any]] = []

    def enter(self) -> None:
        self.users += 1
        current: Any = warnings.filters
        if not current or current[0] is not self.item:  # in front, also of what was added since
            current.insert(0, self.item)
            self.lists.append(current)

    def leave(self) -> None:
        self.users -= 1
        if self.users:
            return
        # a caller's `catch_warnings` may have been entered or left since: then its list is another one, or a copy
        for held in (*self.lists, warnings.filters):
            listed: Any = held
            while self.item in listed:
                listed.remove(self.item)
        self.lists.clear()


_lock = threading.Lock()
_filters: dict[type[Warning], _Filter] = {}


@contextmanager
def quiet(category: type[Warning] = Warning) -> Iterator[None]:
    """Ignore warnings of a category that are given in this thread.

    Parameters
    ----------
    category : type of warning, default Warning
        It and what is derived from it.

    Notes
    -----
    ``warnings.catch_warnings`` keeps the filters of the whole process and puts them back when it is left. Where two
    threads do so at the same time, the second may put back what the first had changed, and then the filter stays; and
    while it is there, it hides the warnings of all other threads. Here one filter is added while any thread is quiet,
    and taken out by the last one. It matches in threads that are quiet, and in no others; filters that a caller adds
    meanwhile stay. This works since ``warnings`` calls ``match`` of whatever stands in the place of the pattern.
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
