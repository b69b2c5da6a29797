"""Progress: the calls of a caller's function, the text of a bar, and silence by default."""

import io
import subprocess
import sys

import numpy as np
import pytest

from planted.base.extras import MissingExtra
from planted.base.progress import Bar, bar, check_progress


def told(total, work):
    calls = []
    with bar(lambda *call: calls.append(call), total, user="work") as shown:
        work(shown)
    return calls


def test_a_function_sees_each_step_and_the_end():
    assert told(3, lambda shown: [shown.step() for _ in range(3)]) == [(1, 3), (2, 3), (3, 3)]
    assert told(9, lambda shown: [shown.step() for _ in range(2)]) == [(1, 9), (2, 9), (2, 2)]
    assert told(None, lambda shown: [shown.step(2) for _ in range(2)]) == [(2, None), (4, None), (4, 4)]
    assert told(1, lambda shown: [shown.step() for _ in range(2)]) == [(1, 1), (2, 2)]
    assert told(5, lambda shown: None) == [(0, 0)]
    assert told(5, lambda shown: [shown.at(2), shown.at(1), shown.at(2), shown.at(5)]) == [(2, 5), (5, 5)]
    assert told(2, lambda shown: [shown.expect(4), shown.step()]) == [(1, 4), (1, 1)]


def test_items_count_when_the_next_is_asked_for():
    calls, seen = [], []
    with bar(lambda *call: calls.append(call), 2, user="work") as shown:
        for item in shown.over("ab"):
            seen.append((item, len(calls)))
    assert seen == [("a", 0), ("b", 1)]
    assert calls == [(1, 2), (2, 2)]


def test_an_inner_run_is_part_of_the_bar():
    def work(shown):
        shown.step()
        with shown.part(5) as progress, bar(progress, 9, user="inner") as inner:
            inner.step()
            inner.step(7)

    assert told(7, work) == [(1, 7), (2, 7), (6, 7), (6, 6)]


def test_an_error_leaves_the_last_word_out():
    calls = []

    def work():
        with bar(lambda *call: calls.append(call), 3, user="work") as shown:
            shown.step()
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert calls == [(1, 3)]


def test_callbacks_are_passed_on():
    states, calls = [], []
    with bar(lambda *call: calls.append(call), user="work") as shown:
        watched = shown.watching(lambda state: states.append(state) or state == 2)
        assert [watched(1), watched(2)] == [False, True]
        assert shown.watching(None)(3) is None
    assert states == [1, 2]
    assert calls == [(1, None), (2, None), (3, None), (3, 3)]


def test_nothing_is_said_by_default(capfd):
    with bar(False, 5, user="work") as shown:
        assert type(shown) is Bar
        assert not shown.on
        shown.step()
        shown.at(3, "note")
        shown.expect(9)
        callback = len
        assert shown.watching(callback) is callback
        assert shown.watching(None) is None
        items = [1, 2]
        assert shown.over(items) is items
        with shown.part(3) as inner:
            assert inner is False
    assert capfd.readouterr() == ("", "")


def test_true_draws_a_bar(monkeypatch):
    pytest.importorskip("tqdm")
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    with bar(True, 40, user="work", unit="round") as shown:
        shown.step(3, "12.5 dB")
    text = written.getvalue()
    assert "work: 100%" in text
    assert "3/3" in text
    assert "round/s" in text or "s/ round" in text
    assert "12.5 dB" in text


@pytest.mark.parametrize("wrong", [None, 1, "yes", np.True_, 0.0])
def test_other_things_are_refused(wrong):
    with pytest.raises(TypeError, match=r"progress=.* expected True, False, or a function of \(done, total\)"):
        check_progress(wrong)
    with pytest.raises(TypeError, match="progress="):
        bar(wrong, user="work")


def test_without_tqdm_there_is_a_sentence():
    code = (
        "import sys; sys.modules['tqdm'] = None; sys.modules['tqdm.auto'] = None\n"
        "import recovery, numpy as np\n"
        "print(recovery.solve(np.eye(3), np.ones(3), 1).n_iter)\n"
        "try:\n    recovery.solve(np.eye(3), np.ones(3), 1, progress=True)\n"
        "except ModuleNotFoundError as error:\n    print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert MissingExtra.__name__ in done.stdout
    assert "progress=True of solve needs tqdm, which is not installed: pip install" in done.stdout
