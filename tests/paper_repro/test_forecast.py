"""The time that a sweep will still take: made-up sequences of cells whose estimated costs are wrong, played through."""

import heapq
import io
import math

import numpy as np
import pytest
import toy_experiment as toy

from paper_repro.forecast import Forecast, Task
from paper_repro.plan import in_order
from paper_repro.progress import Progress, bar_width

COSTS = [1000 * 0.965**index for index in range(200)]

# fmt: off
FIG4 = [
    ("imp-fair", 2895.31, 10.15), ("imp-fair", 2790.93, 5.44), ("imp-paper", 1447.66, 13.80),
    ("imp-paper", 1395.47, 16.11), ("imp-fair", 453.85, 2.80), ("imp-fair", 450.40, 2.44),
    ("imp-paper", 226.93, 5.66), ("imp-paper", 225.20, 6.31), ("imp-fair", 68.63, 1.35), ("imp-fair", 68.52, 1.24),
    ("robust", 58.41, 8.41), ("robust", 52.14, 7.31), ("robust", 48.75, 4.14), ("imp-paper", 34.32, 2.03),
    ("imp-paper", 34.26, 1.83), ("robust", 28.42, 3.00), ("robust", 25.28, 2.29), ("robust", 23.59, 1.86),
    ("robust", 19.27, 6.66), ("robust", 13.00, 7.77), ("paper", 12.94, 1.63), ("paper", 12.54, 1.69),
    ("paper", 12.31, 0.93), ("paper", 12.18, 0.69), ("paper", 11.92, 0.71), ("paper", 11.79, 0.56),
    ("robust", 11.68, 6.27), ("robust", 9.61, 4.62), ("robust", 9.60, 2.96), ("robust", 6.47, 2.10),
    ("robust", 5.84, 2.65), ("robust", 5.41, 5.49), ("robust", 4.77, 1.54), ("paper", 3.15, 1.13),
    ("paper", 3.14, 1.31), ("robust", 2.70, 2.10), ("paper", 2.52, 0.80), ("paper", 2.51, 0.75),
    ("paper", 2.40, 0.75), ("paper", 2.38, 0.65), ("robust", 2.03, 5.09), ("paper", 1.26, 0.84),
    ("paper", 1.25, 1.14), ("robust", 1.01, 1.73), ("paper", 0.63, 0.84), ("paper", 0.63, 0.77),
    ("paper", 0.50, 0.67), ("paper", 0.50, 0.65),
]
"""Cells of ``fig4 --preset quick``, one seed, in their order: method, estimated cost, seconds measured (one thread)."""
# fmt: on


def noise(scale, seed=0):
    return np.exp(scale * np.random.default_rng(seed).standard_normal(len(COSTS))).tolist()


def played(rows, workers=2, moments=100):
    """Return at equal intervals (share of the time, forecast, time that was left, forecast in proportion to cost)."""
    free, events = [0.0] * workers, []
    for index, (_, _, seconds) in enumerate(rows):
        begun = heapq.heappop(free)
        heapq.heappush(free, begun + seconds)
        events += [(begun, 1, index), (begun + seconds, 0, index)]
    end, total, done = max(free), sum(cost for _, cost, _ in rows), 0.0
    forecast = Forecast([Task(index, kind, cost) for index, (kind, cost, _) in enumerate(rows)])
    waiting, seen = sorted(events, reverse=True), []
    for step in range(1, moments):
        now = end * step / moments
        while waiting and waiting[-1][0] <= now:
            moment, begins, index = waiting.pop()
            if begins:
                forecast.start(index, moment)
            else:
                forecast.finish(index, rows[index][2])
                done += rows[index][1]
        proportional = (total - done) * now / done if done else None
        seen.append((step / moments, forecast.left(now, workers), end - now, proportional))
    return seen


def worst(seen, since):
    """Return the largest factor by which forecasts are too small and too large, from a share of the time to 95 %."""
    factors = [left / true for share, left, true, _ in seen if since <= share <= 0.95]
    return 1 / min(factors), max(factors)


def test_costs_in_proportion_to_times_are_forecast_from_the_first_cell_on():
    seen = played([("one", cost, 0.05 * cost) for cost in COSTS])
    first = next(share for share, left, _, _ in seen if left is not None)
    assert first < 0.1
    # all cells that run or wait are known; a running one may still take longer, which costs a few seconds
    small, large = worst(seen, first)
    assert max(small, large) < 1.05


@pytest.mark.parametrize("scale", [0.2, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_times_that_scatter_about_their_costs(scale, seed):
    rows = [("one", cost, 0.05 * cost * factor) for cost, factor in zip(COSTS, noise(scale, seed), strict=True)]
    assert max(worst(played(rows), 0.1)) < (2.0 if scale == 0.2 else 4.0)


@pytest.mark.parametrize("seed", range(5))
def test_a_time_that_every_cell_takes_however_small_it_is(seed):
    rows = [("one", cost, (2 + 0.01 * cost) * factor) for cost, factor in zip(COSTS, noise(0.2, seed), strict=True)]
    seen = played(rows)
    assert max(worst(seen, 0.1)) < 4.0
    late = [(left, true, proportional) for share, left, true, proportional in seen if 0.7 < share < 0.95]
    assert all(left > true / 3 for left, true, _ in late)
    assert all(proportional < true / 10 for _, true, proportional in late)  # "91 %, 4 s left" for two minutes


@pytest.mark.parametrize("seed", range(5))
def test_a_method_that_is_slower_than_its_estimate_says(seed):
    rows = []
    for index, (cost, factor) in enumerate(zip(COSTS, noise(0.2, seed), strict=True)):
        slow = index % 3 == 0
        rows.append(("slow", cost / 10, 0.05 * cost * factor) if slow else ("fast", cost, 0.01 * cost * factor))
    rows.sort(key=lambda row: -row[1])
    seen = played(rows)
    assert max(worst(seen, 0.45)) < 2.5
    assert min(proportional / true for share, _, true, proportional in seen if share >= 0.45) < 1 / 8


@pytest.mark.parametrize("seeds", [1, 2])
def test_figure_4_as_it_was_measured(seeds):
    seen = played([row for row in FIG4 for _ in range(seeds)])
    assert max(worst(seen, 0.45)) < 3.0
    late = [(left / true, proportional / true) for share, left, true, proportional in seen if 0.6 < share < 0.95]
    assert all(left > 0.5 for left, _ in late)
    assert all(proportional < 0.05 for _, proportional in late)


def test_a_running_cell_that_is_overdue_corrects_those_of_its_kind_that_wait():
    forecast = Forecast([Task("a", "fast", 100.0), *(Task(index, "slow", 1.0) for index in range(11))])
    forecast.start("a", 0.0)
    assert forecast.left(5.0, 1) is None
    forecast.finish("a", 10.0)
    forecast.start(0, 10.0)
    assert forecast.left(10.0, 1) == pytest.approx(11 * 0.1, rel=0.5)  # as the first kind
    overdue = [forecast.left(10.0 + elapsed, 1) for elapsed in (1.0, 10.0, 60.0)]
    assert all(left > 5 * elapsed for left, elapsed in zip(overdue, (1.0, 10.0, 60.0), strict=True))
    forecast.finish(0, 60.0)
    assert forecast.left(70.0, 1) == pytest.approx(10 * 60.0, rel=0.9)
    forecast.start(1, 70.0)
    forecast.finish(1, 60.0)
    assert forecast.left(130.0, 1) == pytest.approx(9 * 60.0, rel=0.5)


def test_a_last_cell_that_goes_on_and_on_never_has_a_moment_left():
    seen = played([*(("one", cost, 0.05 * cost) for cost in COSTS[:100]), ("one", COSTS[100], 600.0)])
    last = [(left, true, proportional) for share, left, true, proportional in seen if share > 0.65]
    assert all(proportional < 2.0 < true for _, true, proportional in last)
    assert all(left > 60.0 for left, _, _ in last)


def test_waiting_tasks_go_to_the_first_free_worker():
    known = [(Task(index, "one", 8.0), 8.0) for index in range(200)]
    tasks = [task for task, _ in known] + [Task(name, "one", 8.0) for name in "abc"]
    forecast = Forecast(tasks)
    for task, seconds in known:
        forecast.start(task.key, 0.0)
        forecast.finish(task.key, seconds)
    # one standard deviation of the prior is left after 1 / (1 - MEMORY) tasks, so 8 s become a little more
    one = forecast.left(0.0, 3)
    assert one == pytest.approx(8.0, rel=0.01)
    assert forecast.left(0.0, 2) == pytest.approx(2 * one)
    assert forecast.left(0.0, 1) == pytest.approx(3 * one)
    forecast.start("a", 0.0)
    assert forecast.left(4.0, 2) == pytest.approx(4.0 + 8.0, rel=0.01)  # b is done after 8 s, c then follows a
    assert forecast.left(4.0, 0) == pytest.approx(4.0 + 16.0, rel=0.01)  # no worker is left: at least the running one


def test_failed_cells_say_nothing_and_an_empty_list_takes_no_time():
    assert Forecast([]).left(0.0, 2) == 0.0
    forecast = Forecast([Task("a", "one", 1.0), Task("b", "one", 1.0)])
    forecast.start("a", 0.0)
    forecast.finish("a", None)
    assert forecast.left(3.0, 2) is None
    forecast.start("b", 3.0)
    forecast.finish("b", 0.0)  # clocks are not fine enough for everything
    assert forecast.left(4.0, 2) == 0.0


@pytest.mark.parametrize("costs", [[1e-9, 1e-9], [1e300, 1e-9], [5.0, 5.0]])
@pytest.mark.parametrize("seconds", [1e-9, 1e5])
def test_extreme_costs_and_times_stay_numbers(costs, seconds):
    forecast = Forecast([Task(index, "one", cost) for index, cost in enumerate([*costs, *costs])])
    forecast.start(0, 0.0)
    forecast.finish(0, seconds)
    forecast.start(1, 0.0)
    for now in (0.0, 1e-9, 1.0, 1e6):
        left = forecast.left(now, 2)
        assert math.isfinite(left)
        assert left >= 0.0


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "changes"), [(Terminal, 300), (io.StringIO, 1)])
def test_the_bar_goes_on_while_no_cell_is_finished(stream, changes):
    now = [0.0]
    jobs = in_order(toy.EXPERIMENT, toy.cells("smoke", 0))
    keys = [job.cell.key for job in jobs]
    written = stream()
    with Progress("toy", written, clock=lambda: now[0]) as progress:
        progress.plan([[job] for job in jobs])
        progress.start(keys[0])
        progress.finish(keys[0], 1, 1, 4.0)
        progress.start(keys[1])
        now[0] = 30.0
        progress.wait(1)
        before = written.getvalue()
        for _ in range(300):  # 75 seconds
            now[0] += 0.25
            progress.wait(1)
        states = written.getvalue().removeprefix(before).split("\r")[1:]
        progress.say("a sentence")
        for key in keys[1:]:
            if key != keys[1]:
                progress.start(key)
            progress.finish(key, 1, 1, 60.0)
    assert changes <= len(states) <= changes + 1
    assert all("1/4 cells" in state and "00:00 left" not in state for state in states)
    assert "toy: a sentence\n" in written.getvalue()
    last = written.getvalue().rstrip("\n").split("\r")[-1]
    assert last.startswith("toy: 100%")
    assert "00:00 left, 4/4 cells" in last


@pytest.mark.parametrize(("columns", "width"), [(60, 4), (80, 18), (120, 30)])
def test_a_bar_leaves_room_for_the_numbers_beside_it(monkeypatch, columns, width):
    monkeypatch.setenv("COLUMNS", str(columns))
    bar = Progress("gram", None, cells=1000)
    assert bar_width() == width
    shown = bar._format(3600.0, 60.0).format(desc="gram", percentage=0.0, bar="")
    assert len(shown) <= columns
    assert shown.endswith("1:00:00 left, 0/1000 cells")
