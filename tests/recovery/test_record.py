"""The record that all iterative methods keep."""

from recovery.solvers.base import Clock, Recorder, Status


class Pairs(Recorder):
    """A record of two columns."""

    KEYS = ("objective", "size")


def test_rows_are_counted_and_new_names_begin_a_list() -> None:
    record = Pairs(limit=3)
    assert (record.n_iter, record.left, record.history) == (0, 3, {"objective": [], "size": []})
    record.append(objective=2, size=1, refused=4)
    assert record.history == {"objective": [2.0], "size": [1.0], "refused": [4.0]}
    assert (record.n_iter, record.left) == (1, 2)


def test_the_state_is_made_only_if_somebody_looks_at_it() -> None:
    def refuse() -> None:
        raise AssertionError("nobody asked for a state")

    assert Pairs().ask(refuse) is None


def test_only_true_stops_and_a_stopped_record_asks_no_more() -> None:
    seen = []
    record = Pairs(limit=9, callback=lambda state: seen.append(state) or (1 if state == "first" else True))
    assert record.ask(lambda: "first") is None  # 1 is not True
    assert record.ask(lambda: "second") is Status.STOPPED
    assert record.ask(lambda: "third") is Status.STOPPED
    assert seen == ["first", "second"]
    assert record.left == 0


def test_the_first_reason_to_stop_stays() -> None:
    record = Pairs(time_limit=-1.0, callback=lambda state: True)
    assert record.ask(lambda: None) is Status.STOPPED
    assert record.ask(lambda: None) is Status.STOPPED


def test_records_share_a_clock() -> None:
    clock = Clock(-1.0)
    one, two = Pairs(time_limit=clock), Pairs(time_limit=clock)
    assert one.clock is two.clock
    assert one.ask(lambda: None) is Status.TIME_LIMIT
    assert (one.left, two.left > 0) == (0, True)
    assert two.ask(lambda: None) is Status.TIME_LIMIT
