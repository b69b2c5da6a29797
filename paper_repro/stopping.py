"""Ctrl-C and SIGTERM during a sweep: the first asks it to end after the running cells, the second to end now."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

__all__ = ["Interrupted", "Signals"]


class Interrupted(Exception):
    """The user stopped the sweep; what was finished is in the store.

    Parameters
    ----------
    message : str
        A sentence.
    code : int, default 130
        What the process should exit with: 128 and the number of the signal.
    """

    def __init__(self, message: str, code: int = 130) -> None:
        super().__init__(message)
        self.code = code


class Signals:
    """Counts the signals that arrive while it is entered.

    Only the main thread can hear signals; elsewhere nothing is ever counted. A signal that is ignored, as Ctrl-C is
    in the background jobs of a shell script, stays ignored.
    """

    def __init__(self) -> None:
        self.count = 0
        self.last = signal.SIGINT
        self._before: dict[signal.Signals, Any] = {}

    @property
    def name(self) -> str:
        """What the last signal is called."""
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
