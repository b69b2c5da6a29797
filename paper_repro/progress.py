"""Progress bars of the command line: for a sweep, with a forecast of the remaining time, and for a number of steps."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from typing import IO, Any

from paper_repro.forecast import Forecast, Task
from paper_repro.plan import Job
from planted.base.extras import need

__all__ = ["Progress", "Steps", "bar_width", "kind"]

TERMINAL_S, FILE_S = 0.2, 5.0
"""Seconds between updates of the bar when a cell finishes; on a terminal also when none does."""
QUIET_S = 60.0
"""Seconds between updates in a file while no cell finishes."""


class Progress:
    """A progress bar with messages; without a stream nothing is printed.

    Parameters
    ----------
    name : str
        What is computed.
    stream : text stream, optional
        Stream to write to.
    clock : callable, optional
        Returns the time in seconds.
    cells : int, default 0
        Number of cells, where it is known before they are planned.

    Notes
    -----
    The bar shows the share of the cells that are finished, so it never moves backwards; the forecast is beside it.
    """

    def __init__(
        self, name: str, stream: IO[str] | None, clock: Callable[[], float] = time.monotonic, cells: int = 0
    ) -> None:
        self.name, self.stream, self.clock = name, stream, clock
        self.cells, self.finished = cells, 0
        self.forecast = Forecast([])
        self._begun = self._shown = clock()
        self._costs_s = 0.0
        self._often = TERMINAL_S if stream is not None and stream.isatty() else FILE_S
        self._bar: Any = None

    def __enter__(self) -> Progress:
        if self.stream is not None:
            tqdm = need("tqdm", "the progress bar").tqdm
            self._bar = tqdm(total=1.0, desc=self.name, file=self.stream, bar_format=self._format(None))
        return self

    def __exit__(self, *unused: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def plan(self, batches: Sequence[Sequence[Job]]) -> None:
        """Set the planned batches, in starting order, identified by their first cells."""
        self.cells = sum(map(len, batches))
        self.forecast = Forecast([Task(one[0].cell.key, kind(one[0]), sum(job.cost for job in one)) for one in batches])

    def say(self, sentence: str) -> None:
        """Print a message above the bar."""
        if self._bar is not None:
            self._bar.write(f"{self.name}: {sentence}", file=self.stream)

    def start(self, key: str) -> None:
        """Record the start of a batch."""
        self.forecast.start(key, self.clock())

    def finish(self, key: str, cells: int, workers: int, seconds: float | None) -> None:
        """Record the end of a batch, its duration, and how many batches can now run at once."""
        self.forecast.finish(key, seconds)
        self.finished += cells
        self._show(workers, self._often, always=self.finished == self.cells)

    def wait(self, workers: int) -> None:
        """Update the bar while no batch ends."""
        self._show(workers, TERMINAL_S if self._often == TERMINAL_S else QUIET_S)

    def _show(self, workers: int, interval: float, always: bool = False) -> None:
        now = self.clock()
        # a forecast for ten thousand cells takes some hundredths of a second; spend at most 2 % of the time on it
        if self._bar is None or (now - self._shown < max(interval, 50 * self._costs_s) and not always):
            return
        left = self.forecast.left(now, workers)
        self._shown = self.clock()
        self._costs_s = self._shown - now
        self._bar.n = self.finished / max(self.cells, 1)
        self._bar.bar_format = self._format(left, now - self._begun)
        self._bar.refresh()

    def _format(self, left: float | None, gone: float = 0.0) -> str:
        tqdm = need("tqdm").tqdm
        times = f"{tqdm.format_interval(gone)} elapsed, {'?' if left is None else tqdm.format_interval(left)} left"
        return (
            f"{{desc}}: {{percentage:3.0f}}%|{{bar:{bar_width()}}}| " + f"{times}, {self.finished}/{self.cells} cells"
        )


class Steps:
    """A progress bar for a known number of steps on a terminal, and one line per finished step on any stream.

    Parameters
    ----------
    name : str
        Name of the task.
    stream : text stream, optional
        Stream to write to; without one nothing is shown.
    total : int
        Number of steps.
    clock : callable, optional
        Returns the time in seconds.

    Attributes
    ----------
    drawn : bool
        Whether there is a bar: `stream` is a terminal.
    """

    def __init__(
        self, name: str, stream: IO[str] | None, total: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name, self.stream, self.total, self.clock = name, stream, total, clock
        self.drawn = stream is not None and stream.isatty()
        self._done, self._shown = 0, -TERMINAL_S
        self._bar: Any = None

    def __enter__(self) -> Steps:
        if self.drawn:
            self._bar = need("tqdm", "the progress bar").tqdm(
                total=self.total,
                desc=self.name,
                file=self.stream,
                leave=False,
                bar_format=f"{{desc}}: {{percentage:3.0f}}%|{{bar:{bar_width()}}}| {{elapsed}} elapsed{{postfix}}",
            )
        return self

    def __exit__(self, *unused: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def within(self, name: str, share: float) -> None:
        """Show the fraction, from 0 to 1, of the current step."""
        now = self.clock()
        if self._bar is not None and now - self._shown >= TERMINAL_S:
            self._shown = now
            self._bar.n = self._done + share
            self._bar.set_postfix_str(f"{self._done} of {self.total} done, now {name}")

    def finish(self, sentence: str) -> None:
        """Count a step, and print its message above the bar."""
        self._done += 1
        if self._bar is not None:
            self._bar.write(sentence, file=self.stream)
            self._bar.n = self._done
            self._bar.set_postfix_str(f"{self._done} of {self.total} done")
        elif self.stream is not None:
            print(sentence, file=self.stream, flush=True)


def bar_width() -> int:
    """Return the width of a bar in characters: a narrow terminal needs its room for the numbers beside it."""
    return min(30, max(4, shutil.get_terminal_size((120, 24)).columns - 62))


def kind(job: Job) -> tuple[Any, ...]:
    """Return the non-numeric part of a cell's settings, such as its method."""
    return tuple((name, value) for name, value in sorted(job.cell.settings.items()) if isinstance(value, (str, bool)))
