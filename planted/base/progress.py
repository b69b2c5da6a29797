"""Progress of long runs: a bar, a call of the caller's function, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

from planted.base.extras import need
from planted.base.quiet import quiet

__all__ = ["Bar", "Progress", "bar", "check_progress"]

_Item = TypeVar("_Item")
Progress: TypeAlias = bool | Callable[[int, int | None], Any]
"""Type of an argument `progress`: True for a bar, False for nothing, or a function of (done, total)."""


class Bar:
    """Receiver of the progress of a run; this base class ignores it.

    It is a context manager. Its methods cost next to nothing, so code need not check whether it is on.
    """

    on = False

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, kind: Any, *error: Any) -> None:
        if kind is None:
            self.finish()

    def step(self, count: int = 1, note: str = "") -> None:
        """Count finished steps; the note is shown next to the bar."""

    def at(self, done: int, note: str = "") -> None:
        """Set the number of finished steps; a smaller number than before is ignored."""

    def expect(self, total: int | None) -> None:
        """Change the expected number of steps; None if it is unknown."""

    @contextmanager
    def part(self, count: int) -> Iterator[Progress]:
        """Yield a `progress` argument for an inner run, which counts as the given number of steps once it has ended."""
        yield False

    def over(self, items: Iterable[_Item]) -> Iterable[_Item]:
        """Iterate over the items; each is counted as a step when the next one is requested."""
        return items

    def finish(self) -> None:
        """Mark the run as finished: the steps done are all steps."""

    def watching(
        self, callback: Callable[[Any], Any] | None, note: Callable[[Any], str] | None = None
    ) -> Callable[[Any], Any] | None:
        """Return a callback that advances the bar at each call, or the callback itself if the bar is off."""
        return callback


class _Function(Bar):
    """Progress that calls a function of the caller."""

    on = True

    def __init__(self, told: Callable[[int, int | None], Any], total: int | None) -> None:
        self.told, self.total, self.done = told, total, 0
        self._last: tuple[int, int | None] | None = None

    def step(self, count: int = 1, note: str = "") -> None:
        self.at(self.done + count, note)

    def at(self, done: int, note: str = "") -> None:
        if done > self.done:
            self.done = done
            if self.total is not None and done > self.total:
                self.total = done
            self._tell(note)

    def expect(self, total: int | None) -> None:
        self.total = None if total is None else max(total, self.done)

    @contextmanager
    def part(self, count: int) -> Iterator[Progress]:
        before = self.done
        yield lambda done, total: self.at(before + min(done, count))
        self.at(before + count)

    def over(self, items: Iterable[_Item]) -> Iterator[_Item]:
        for item in items:
            yield item
            self.step()

    def finish(self) -> None:
        self.total = self.done
        self._tell("")

    def _tell(self, note: str) -> None:
        now = (self.done, self.total)
        if now != self._last:
            self._last = now
            self.told(*now)

    def watching(
        self, callback: Callable[[Any], Any] | None, note: Callable[[Any], str] | None = None
    ) -> Callable[[Any], Any] | None:
        def seen(state: Any) -> Any:
            self.step(note="" if note is None else note(state))
            return None if callback is None else callback(state)

        return seen


class _Drawn(_Function):
    """Progress as a bar of tqdm, which is redrawn a few times a second at most."""

    def __init__(self, made: Any, total: int | None) -> None:
        super().__init__(lambda *_: None, total)
        self.made = made

    def __exit__(self, kind: Any, *error: Any) -> None:
        super().__exit__(kind, *error)
        self.made.close()

    def _tell(self, note: str) -> None:
        if self.made.total != self.total:
            self.made.total = self.total
        if note:
            self.made.set_postfix_str(note, refresh=False)
        self.made.update(self.done - self.made.n)

    def finish(self) -> None:
        super().finish()
        self.made.refresh()  # the final state, however recently the bar was drawn


_SILENT = Bar()


def check_progress(progress: Any) -> Progress:
    """Return an argument `progress`, or raise an error.

    Parameters
    ----------
    progress : bool or callable
        The argument.

    Returns
    -------
    bool or callable
        The argument.

    Raises
    ------
    TypeError
        If it is neither.
    """
    if isinstance(progress, bool) or callable(progress):
        return progress
    raise TypeError(
        f"progress={progress!r} is of type {type(progress).__name__}; expected True, False, or a function of "
        "(done, total)"
    )


def bar(progress: Any, total: int | None = None, *, user: str, unit: str = "step") -> Bar:
    """Return the receiver of the progress of a run.

    Parameters
    ----------
    progress : bool or callable
        False shows nothing. True shows a bar with ``tqdm.auto``. A function is called as ``progress(done, total)``
        whenever `done` has grown; `total` is None if it is unknown, and the last call of a run that ends without an
        error has ``done == total``.
    total : int, optional
        Expected number of steps. A run may end sooner.
    user : str
        Name of the running function, for the bar and for the message if tqdm is missing.
    unit : str, default "step"
        Name of a step.

    Returns
    -------
    Bar
        A context manager.

    Raises
    ------
    TypeError
        If `progress` is neither a bool nor callable.
    MissingExtra
        If a bar is requested and tqdm is not installed.
    """
    check_progress(progress)
    if progress is False:
        return _SILENT
    if progress is not True:
        return _Function(progress, total)
    with quiet():  # in a notebook without widgets, show a text bar without a warning
        tqdm = need("tqdm.auto", f"progress=True of {user}").tqdm
        return _Drawn(tqdm(total=total, desc=user, unit=f" {unit}", dynamic_ncols=True), total)
