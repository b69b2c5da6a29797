"""Ctrl-C and SIGTERM during a sweep: the first one ends it after the running cells, the second immediately."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

__all__ = ["Interrupted", "Signals"]


class Interrupted(Exception):
    """The user stopped the sweep; finished cells are in the store.

    Parameters
    ----------
    message : str
        The message.
    code : int, default 130
        Exit code of the process: 128 plus the number of the signal.
    """

    def __init__(self, message: str, code: int = 130) -> None:
        super().__init__(message)
        self.code = code


class Signals:
    """Counts the signals that arrive while it is entered.

    Only the main thread receives signals; in other threads nothing is counted. Ignored signals, such as Ctrl-C in
    background jobs of a shell script, stay ignored.
    """

    def __init__(self) -> None:
        self.count = 0
        self.last = signal.SIGINT
        self._before: dict[signal.Signals, Any] = {}

    @property
    def name(self) -> str:
        """Name of the last signal."""
        return "Ctrl-C" if self.last == signal.SIGINT else self.last.name

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *unused: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        self.last = signal.Signals(number)
