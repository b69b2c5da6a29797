"""`paper-repro verify`: quotas, violations, exit codes, files, and that nothing depends on the number of processes."""

import dataclasses
import itertools
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import interrupts
import numpy as np
import pytest
import threadpoolctl
import toy_guarantees

from paper_repro import cli, trials, verify, workers
from recovery import Instance, NoiseLaw
from recovery.guarantees import Tally, Verdict, attack, contradicts

ROOT = Path(__file__).parents[2]
QUICK = ("--held", "40", "--instances", "60", "--evaluations", "200", "--jobs", "1")


@pytest.fixture
def toys(monkeypatch):
    """Make toy catalogues the only ones."""
    groups = {"toy": ("toy_guarantees:catalogue",), "bad": ("toy_guarantees:false_catalogue",)}
    monkeypatch.setattr(verify, "GROUPS", groups)


@pytest.fixture
def command(capsys, tmp_path):
    """A function that runs `verify` on a folder of its own and returns (exit code, output, errors)."""

    def run(*arguments):
        code = cli.main(["verify", *arguments, "--results", str(tmp_path / "r")])
        return code, *capsys.readouterr()

    return run


def test_true_guarantees_pass_and_leave_a_table(toys, command, tmp_path):
    code, output, errors = command("toy", *QUICK)
    assert code == 0
    assert "| toy-projection | implication " in output
    assert "2 guarantees, " in output
    assert " 0 violations, 0 quotas missed, " in output
    assert re.search(r"toy-tail: hypotheses held on \d+ of \d+, 0 violations", errors)
    stored = json.loads((tmp_path / "r" / "verify" / "toy.json").read_text())
    assert stored["passed"] is True
    assert stored["settings"]["held"] == 40
    assert (stored["settings"]["evaluations"], stored["settings"]["seconds"]) == (200, None)
    for record in stored["records"]:
        assert record["attack"]["status"] == "survived"
        assert 0 < record["attack"]["n_decided"] <= record["attack"]["n_evaluations"] <= 200
        shown = f"survived {record['attack']['n_decided']} of {record['attack']['n_evaluations']}"
        assert re.search(rf"\| {record['name']} .*\| {shown} +\|", output)
    assert [record["name"] for record in stored["records"]] == ["toy-projection", "toy-tail"]
    assert (tmp_path / "r" / "verify" / "toy.md").read_text() in output


def test_a_violation_prints_seed_and_code_that_reproduces_it(toys, command, tmp_path, capsys):
    code, output, _ = command("toy-false", *QUICK)
    assert code == 1
    head = re.search(
        r"toy-false is VIOLATED by an instance that seed (\d+) found; it was shrunk and saved as (\S+)", output
    )
    assert head
    assert "by an instance that the attack found" in output
    assert re.search(r"\| toy-false .*\| broken in \d+ +\|", output)
    assert "hypotheses: holds (signal: " in output
    guarantee = toy_guarantees.false_catalogue()[1]
    there = {}
    last = "print(contradicts(guarantee, instance, 0))\n"
    exec(output[output.index("import numpy") : output.index(last) + len(last)], there)
    assert guarantee.judge(there["instance"]).violated
    printed = capsys.readouterr().out
    assert "violated=True" in printed
    assert printed.endswith("True\n")
    saved = Instance.load(head.group(2))
    np.testing.assert_array_equal(saved.matrix, there["instance"].matrix)
    assert contradicts(guarantee, saved)
    stored = json.loads((tmp_path / "r" / "verify" / "toy-false.json").read_text())
    assert stored["passed"] is False
    assert stored["records"][0]["violations"] > 0


def test_the_same_seed_gives_the_same_table_in_any_number_of_processes(toys, tmp_path):
    def table(jobs, seed):
        options = {"held": 30, "instances": 100, "evaluations": 90, "jobs": jobs, "seed": seed}
        return verify.verify(["toy"], folder=tmp_path / f"{jobs}-{seed}", **options).table()

    assert table(1, 0) == table(2, 0)
    assert table(1, 3) != table(1, 0)
    assert (tmp_path / "1-3" / "verify" / "toy-seed3.md").exists()


def test_one_guarantee_draws_what_its_quotas_need_and_no_more(toys, command):
    code, output, _ = command("toy-tail", "--held", "40", "--evaluations", "0", "--jobs", "1")
    assert code == 0
    [drawn] = re.findall(r"1 guarantee, (\d+) instances", output)
    assert 40 <= int(drawn) < 80
    _, output, _ = command("toy-tail", "--held", "40", "--instances", "200", "--evaluations", "0", "--jobs", "1")
    assert "1 guarantee, 208 instances" in output  # the next multiple of 16


@pytest.mark.parametrize(("names", "count"), [(["toy-projection"], 1), (["toy", "bad"], 4)])
def test_seconds_limit_drawing_attack_and_shrinking_in_equal_shares(toys, command, monkeypatch, names, count):
    now = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: float(next(now)))
    options = ("--evaluations", "100000", "--jobs", "1")
    code, output, _ = command(*names, "--seconds", str(30 * count), "--held", "1000", *options)
    assert code == (3 if count == 1 else 1)  # one of the others is broken
    assert (
        "toy-projection missed a quota: --seconds ended the drawing after 29 instances, with a share of 30 s" in output
    )
    assert re.search(r"\| toy-projection .*\| not tried +\|", output)
    code, output, _ = command(*names, "--seconds", str(99 * count), "--held", "30", *options)
    assert "ended the drawing" not in output
    for tried in re.findall(r"survived \d+ of (\d+)", output):
        assert 0 < int(tried) < 70 * 40  # a look at the clock for each of the 40 draws of a probability


def test_seconds_end_the_fresh_draws_of_a_probability(monkeypatch):
    now = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: float(next(now)))
    guarantee = toy_guarantees.tail_bound(1e-3, 1.0)
    instance = toy_guarantees.plain(np.random.default_rng(0)).replace(law=NoiseLaw("gaussian", 1.0))
    asked = []
    slow = dataclasses.replace(
        guarantee,
        hypotheses=lambda one: Verdict.of(True, "always"),
        outcome=lambda one: asked.append(1) or Verdict.of(False, "never"),
        needs=("x",),
    )
    assert contradicts(slow, instance, 0)
    assert len(asked) == 4000
    asked.clear()
    assert not contradicts(slow, instance, 0, seconds=2.0)
    assert len(asked) <= 3 * 32


def test_an_attack_that_learns_nothing_is_a_missed_quota():
    tally = Tally(toy_guarantees.projection_bound(2.0))
    tally.held, tally.plural, tally.near, tally.designs = 100, 50, 10, {"a", "b", "c"}
    mute = dataclasses.replace(tally.guarantee, outcome=lambda one: Verdict.unknown("mute"))
    tally.attack = attack(mute, evaluations=20, rng=0)
    [sentence] = trials.missed(tally, 100)
    assert sentence.startswith("the attack tested nothing. projection-bound-2 was not tested: the hypotheses held")
    tally.attack = attack(tally.guarantee, evaluations=20, rng=0)
    assert trials.missed(tally, 100) == []


def test_quotas_that_are_missed_are_said_and_fail(monkeypatch, command):
    monkeypatch.setattr(verify, "GROUPS", {"poor": ("toy_guarantees:poor_catalogue",)})
    code, output, _ = command("--held", "30", "--instances", "30", "--evaluations", "0", "--jobs", "1")
    assert code == 4  # the guarantee that raises outweighs the missed quotas
    assert "one-design missed a quota: hypotheses held on these designs: identity; 3 are required" in output
    assert "never-holds missed a quota: hypotheses held on 0 instances with x != 0; 30 are required" in output
    assert (
        "never-holds missed a quota: hypotheses held on 0 instances within 5 % of the boundary; 3 are required"
        in output
    )
    assert "raises stopped: ZeroDivisionError at seed 0: on purpose" in output
    assert "0 violations" in output
    # it gives up early where nothing will come
    assert re.search(r"never-holds +\| implication +\| \d\d ", output)
    assert "declared-vacuous missed" not in output


def test_quotas_count_what_they_say():
    tally = Tally(toy_guarantees.projection_bound(2.0))
    tally.held, tally.plural, tally.near, tally.bounded = 100, 50, 10, True
    tally.designs = {"a", "b", "c"}
    assert trials.missed(tally, 100) == []
    assert len(trials.missed(tally, 101)) == 2  # one more, and a tenth of it near
    tally.plural = 49
    assert trials.missed(tally, 100) == [
        "only 49 of 100 instances on which the hypotheses held have two non-zeros or more"
    ]
    tally.plural, tally.near, tally.bounded = 50, 0, False
    assert trials.missed(tally, 100) == []
    tally.undecided = 1
    [sentence] = trials.missed(tally, 100)
    assert sentence == (
        "of 100 instances on which the hypotheses held, the conclusion was unknown on 1; it has to be decided on 100"
    )
    assert trials.missed(tally, 99) == []
    tally.instances, tally.unknown = 200, 10
    assert trials.missed(tally, 99) == []
    tally.unknown = 11
    assert trials.missed(tally, 99) == ["hypotheses were unknown on 11 of 200 instances; at most 1 in 20 may be"]


def test_two_non_zeros_that_are_drawn_but_hardly_ever_tested_are_a_missed_quota_of_an_own_guarantee():
    tally = Tally(toy_guarantees.projection_bound(2.0))
    tally.held, tally.instances, tally.several, tally.plural = 200, 400, 250, 19
    [sentence] = trials.missed(tally, 200, own=True)
    assert sentence.startswith(
        "two non-zeros or more were tested too seldom: 250 of 400 instances have them, but the hypotheses held on 19 "
        "of these; 20 are required"
    )
    tally.plural = 20
    assert trials.missed(tally, 200, own=True) == []
    tally.plural, tally.several = 0, 19  # a statement about one non-zero
    assert trials.missed(tally, 200, own=True) == []


OWN = """
import numpy as np
from recovery import Instance
from recovery.guarantees import Guarantee, exceeds

def draw(rng):
    x = np.zeros(4)
    x[: rng.integers(1, MOST)] = 1.0
    return Instance.planted(np.eye(4), x)

def few(instance):
    return exceeds(2, len(instance.support), "fewer than two")

def exact(instance):
    return exceeds(1, int(np.abs(instance.y - instance.x).max()), "error")

ONE = Guarantee("own-one", "implication", "k < 2 => y = x", "", "", few, exact, sampler=draw, steer=None)
"""


@pytest.mark.parametrize(("most", "expected"), [(2, 0), (4, 3)])
def test_an_own_guarantee_tested_with_one_non_zero_alone_does_not_pass(command, tmp_path, monkeypatch, most, expected):
    name = f"own_{most}"
    (tmp_path / f"{name}.py").write_text(OWN.replace("MOST", str(most)))
    monkeypatch.syspath_prepend(tmp_path)
    code, output, _ = command(f"{name}:ONE", "--held", "40", "--evaluations", "50", "--jobs", "1")
    assert code == expected
    assert ("own-one missed a quota: two non-zeros or more were tested too seldom: " in output) == (expected == 3)


def test_a_guarantee_that_never_decides_does_not_pass(monkeypatch, command):
    monkeypatch.setattr(verify, "GROUPS", {"poor": ("toy_guarantees:silent_catalogue",)})
    code, output, _ = command("--held", "30", "--instances", "30", "--evaluations", "0", "--jobs", "1")
    assert code == 3
    assert re.search(
        r"silent-outcome missed a quota: of (\d+) instances [a-z ]+, the conclusion was unknown on \1;", output
    )
    assert re.search(r"silent-predicate missed a quota: hypotheses were unknown on \d+ of \d+ instances", output)


def test_unknown_names_are_sentences_with_the_nearest(toys, command):
    code, _, errors = command("toy-projektion")
    assert code == 2
    assert "there is no guarantee 'toy-projektion' (did you mean toy-projection?)" in errors
    expected = (
        "expected a group (all, toy, bad), module:object for one of your own, or one of toy-projection, toy-tail, "
    )
    assert f"{expected}toy-true, toy-false" in errors


def test_names_may_be_groups_and_guarantees_and_none_is_all(toys):
    assert list(verify.chosen([])) == ["toy-projection", "toy-tail", "toy-true", "toy-false"]
    assert list(verify.chosen(["toy-false", "toy"])) == ["toy-projection", "toy-tail", "toy-false"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--held", "0"], "'0' is not understood; expected an integer of at least 1"),
        (["--seconds", "-1"], "'-1' is not understood; expected a number of seconds"),
        (["--seconds", "inf"], "'inf' is not understood; expected a number of seconds"),
        (["--seconds", "soon"], "'soon' is not understood"),
        (["--evaluations", "-1"], "'-1' is not understood; expected an integer of at least 0"),
        (["--evaluations", "1e3"], "'1e3' is not understood; expected an integer of at least 0"),
        (["--jobs", "0"], "'0' is not understood"),
    ],
)
def test_wrong_options_are_refused(capsys, arguments, sentence):
    with pytest.raises(SystemExit) as caught:
        cli.main(["verify", *arguments])
    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err


def test_an_interrupt_prints_what_is_done(toys, command, monkeypatch):
    def interrupted(function, tasks, jobs):
        yield tasks[0], function(tasks[0])
        raise KeyboardInterrupt

    monkeypatch.setattr(workers, "each", interrupted)
    code, output, _ = command(*QUICK)
    assert code == 130
    assert "interrupted before toy-tail, toy-true, toy-false" in output
    assert "1 guarantee, " in output


def test_an_unusable_folder_is_a_sentence(toys, command, tmp_path):
    (tmp_path / "r").write_text("in the way")
    code, _, errors = command("toy", *QUICK)
    assert code == 1
    assert "cannot make the folder" in errors
    assert "held of" not in errors  # said before any work


def square(task):
    """What a worker does in the tests below."""
    if task == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return task * task, os.environ.get("OPENBLAS_NUM_THREADS"), os.getpid()


def test_processes_survive_the_death_of_one_and_have_one_thread(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    found = dict(workers.each(square, [1, 13, 2, 3], 2))
    assert isinstance(found.pop(13), workers.Died)
    assert {task: result[0] for task, result in found.items()} == {1: 1, 2: 4, 3: 9}
    assert {result[1] for result in found.values()} == {"1"}
    assert os.getpid() not in {result[2] for result in found.values()}
    assert os.environ["OPENBLAS_NUM_THREADS"] == "2"
    here = dict(workers.each(square, [4, 5], 1))
    assert {result[2] for result in here.values()} == {os.getpid()}


def test_idle_processes_serve_the_next_run():
    def ids(tasks):
        return {
            result if isinstance(result, workers.Died) else result[2] for _, result in workers.each(square, tasks, 2)
        }

    def ended(process):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        return False

    with workers.reused():
        first = ids([1, 2, 3, 4])
        with workers.reused():
            assert ids([5, 6]) | ids([7, 8]) <= first
        assert not any(ended(one) for one in first)
        victim = min(first)
        os.kill(victim, signal.SIGKILL)  # while idle: the next run starts another one, and no task is lost
        while workers._waiting and all(child.alive() for child in workers._waiting):
            time.sleep(0.01)
        second = ids([1, 2, 3, 4, 5, 6])
        assert victim not in second
        assert all(isinstance(one, int) for one in second)
        early = workers.each(square, list(range(1, 9)), 2)
        next(early)
        early.close()  # what is busy now is killed, and not offered to the next run
        assert all(isinstance(one, int) for one in ids([1, 2, 3]))
    assert all(ended(one) for one in first | second)
    assert ids([1, 2]).isdisjoint(first | second)


def test_a_call_aside_returns_or_dies(capfd):
    aside = workers.Aside()
    try:
        for task, expected in ((3, 9), (13, None), (4, 16)):  # 13 kills its process, and the next call starts another
            aside.start(square, task)
            answer = aside.result()
            assert (None if isinstance(answer, workers.Died) else answer[0]) == expected
        aside.start(fail, 1)
        assert isinstance(aside.result(), workers.Died)
        aside.start(time.sleep, 600)
    finally:
        started = time.perf_counter()
        aside.close()  # also during a call
    assert time.perf_counter() - started < 60


def test_runs_that_overlap_leave_the_number_of_threads():
    with threadpoolctl.threadpool_limits(2):
        before = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
        first, second = (workers.each(square, [4, 5], 1) for _ in range(2))
        next(first)
        next(second)
        first.close()  # the order in which limits that nest cannot be put back
        assert {pool["num_threads"] for pool in threadpoolctl.threadpool_info()} == {1}
        second.close()
        assert [pool["num_threads"] for pool in threadpoolctl.threadpool_info()] == before


def test_threads_that_start_workers_leave_the_environment(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    seen, real = [], subprocess.Popen

    def start(command, *, env, **options):
        seen.append((env["OPENBLAS_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"]))
        time.sleep(0.05)  # so that the other thread has its turn
        return real(command, env=env, **options)

    monkeypatch.setattr(workers.subprocess, "Popen", start)
    with ThreadPoolExecutor(2) as pool:
        children = [workers.Child() for _ in range(2)]
        assert [one[0] for one in pool.map(lambda child: child.call(square, 3), children)] == [9, 9]
    for child in children:
        child.close()
    assert seen == [("1", "2"), ("1", "2")]
    assert os.environ["OPENBLAS_NUM_THREADS"] == "2"


def fail(task):
    """What a worker does in the test below."""
    raise ValueError(f"task {task}")


def test_a_task_that_raises_or_cannot_be_sent_hangs_nobody(capfd):
    found = dict(workers.each(fail, [1, 2], 2))
    assert {type(one) for one in found.values()} == {workers.Died}
    assert "ValueError: task 1" in capfd.readouterr().err
    with pytest.raises((AttributeError, pickle.PicklingError)):
        list(workers.each(lambda task: task, [1, 2], 2))


def test_a_guarantee_whose_process_died_is_a_failure(toys, command, monkeypatch):
    monkeypatch.setattr(
        workers, "each", lambda function, tasks, jobs: ((one, workers.Died("it died")) for one in tasks)
    )
    code, output, _ = command("toy", *QUICK)
    assert code == 4
    assert "toy-tail stopped: it died" in output


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_ends_all_processes(tmp_path):
    options = ["--held", "1", "--evaluations", "0", "--results", str(tmp_path)]
    done = interrupts.popen([sys.executable, "-m", "paper_repro", "verify", *options], cwd=ROOT)
    try:
        first = done.stderr.readline()
        done.send_signal(signal.SIGINT)
        output, _ = done.communicate(timeout=60)
    finally:
        done.kill()
    assert "hypotheses held on " in first
    assert done.returncode == 130
    assert "interrupted before" in output


def test_long_lists_of_names_do_not_share_a_file(tmp_path):
    for last in "ab":
        report = verify.Report({"names": ["x" * 90, last], "seed": 0})
        verify._store(report, tmp_path)
    stems = {path.stem for path in tmp_path.iterdir()}
    assert len(stems) == 2
    assert max(map(len, stems)) <= 80
