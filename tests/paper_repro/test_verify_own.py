"""`paper-repro verify module:object`: a user's own guarantee, and messages for objects that are none."""

import itertools
import re
import sys
from pathlib import Path

import pytest

from paper_repro import cli, progress, trials, verify
from recovery.guarantees import attack

MINE = '''
import numpy as np
from recovery.guarantees import Guarantee, Verdict, exceeds, linear_instance


def hypotheses(instance):
    signal, noise = np.linalg.norm(instance.matrix @ instance.x), np.linalg.norm(instance.noise)
    return exceeds(float(signal), 2.0 * float(noise), "signal against noise")


def outcome(instance):
    """True of the factor 2, since |y| >= |A x| - |noise|."""
    y, signal = np.linalg.norm(instance.y), np.linalg.norm(instance.matrix @ instance.x)
    return exceeds({factor} * float(y), float(signal), "{factor} |y| against the signal")


def sampler(rng):
    return linear_instance(rng, designs=("gaussian",), n_range=(4, 8), d_range=(3, 6), k_range=(1, 1))


statement = "|A x| > 2 |noise| => 2 |y| > |A x|."
TRUE = Guarantee("half-left", "implication", statement, "me", "mine", hypotheses, outcome, sampler=sampler)
LIST = [TRUE]
TWICE = [TRUE, TRUE]
EMPTY = []
NUMBER = 3
TEXT = "TRUE"
NO_SAMPLER = Guarantee("bare", "implication", "", "", "", hypotheses, outcome)
TAKEN = Guarantee("omp-coherence", "implication", "", "", "", hypotheses, outcome, sampler=sampler)
BOOL = Guarantee("bool", "implication", "", "", "", hypotheses, lambda instance: True, sampler=sampler)


def seldom(instance):
    if instance.shape[0] != 7 or not np.any(instance.noise):
        return Verdict.of(False, "not seven rows")
    return Verdict.of(True, "seven rows", 0.5)


SELDOM = Guarantee("seldom", "implication", "", "", "", seldom, lambda one: Verdict.of(True, "yes"), sampler=sampler)
NEVER = Guarantee(
    "never", "implication", "", "", "", lambda one: Verdict.of(False, "no", -0.5), outcome, sampler=sampler
)


class BREAKS:
    def __call__(self, instance):
        raise KeyError("lam")


RAISES = Guarantee("raises", "implication", "", "", "", BREAKS(), outcome, sampler=sampler)


def listing():
    return (one for one in LIST)


def single():
    return TRUE


def broken():
    return 1 // 0


def takes(argument):
    return LIST


class Space:
    TRUE = TRUE
'''
QUICK = ("--held", "30", "--evaluations", "100", "--jobs", "1")


@pytest.fixture
def command(capsys, tmp_path, monkeypatch):
    """A function that runs `verify` where mine.py (true) and wrong.py (false) lie, which no path names."""
    (tmp_path / "mine.py").write_text(MINE.replace("{factor}", "2.0"))
    (tmp_path / "wrong.py").write_text(MINE.replace("{factor}", "1.0"))
    (tmp_path / "bad.py").write_text("import numpy\n\nnumpy.nothing\n")
    (tmp_path / "needs.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)

    def run(*arguments):
        path = list(sys.path)
        code = cli.main(["verify", *arguments, "--results", str(tmp_path / "r")])
        assert sys.path == path
        return code, *capsys.readouterr()

    yield run
    for name in set(sys.modules) - before:
        if name in ("mine", "wrong", "bad", "needs"):
            del sys.modules[name]


@pytest.mark.parametrize("name", ["mine:TRUE", "mine:LIST", "mine:listing", "mine:single", "mine:Space.TRUE"])
def test_an_object_a_list_and_a_function_are_tried(command, name, tmp_path):
    code, output, errors = command(name, *QUICK)
    assert code == 0, output
    assert re.search(r"\| half-left +\| implication ", output)
    assert "1 guarantee, " in output
    assert "half-left: " in errors
    stem = re.sub(r"\W", "-", name) if "." not in name else "mine-Space.TRUE"
    assert (tmp_path / "r" / "verify" / f"{stem}.md").exists()


@pytest.mark.slow  # two processes that import all catalogues
def test_one_of_the_catalogue_may_stand_beside_it(command):
    code, output, _ = command("mine:TRUE", "threshold-estimate", "--held", "9", "--evaluations", "0", "--jobs", "2")
    assert "2 guarantees, " in output
    assert code == 0, output


@pytest.mark.parametrize("name", ["wrong:TRUE", "wrong:listing", "wrong:single", "wrong:Space.TRUE"])
def test_a_false_one_is_broken_made_small_and_printed_as_code_that_runs(command, capsys, name, monkeypatch, tmp_path):
    code, output, _ = command(name, *QUICK)
    assert code == 1
    assert "half-left is VIOLATED by an instance that " in output
    last = "print(contradicts(guarantee, instance, 0))\n"
    there = {}
    monkeypatch.syspath_prepend(str(tmp_path))
    exec(output[output.index("import numpy") : output.index(last) + len(last)], there)
    assert capsys.readouterr().out.endswith("True\n")
    assert there["instance"].shape == (1, 1)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nope:TRUE", "there is no module 'nope', neither in "),
        ("mine:TRU", "there is no object in mine: 'TRU' (did you mean TRUE?); guarantees there: TRUE, "),
        ("mine:Space.NONE", "mine:Space.NONE raised AttributeError"),
        ("mine:", "'mine:' is not understood; expected module:object, such as mine:BOUND"),
        (":TRUE", "':TRUE' is not understood"),
        ("mine:NUMBER", "mine:NUMBER gives an object of type int; expected a Guarantee, a list of them, or a function"),
        ("mine:TEXT", "mine:TEXT gives an object of type str"),
        ("mine:EMPTY", "mine:EMPTY gives nothing; expected a Guarantee"),
        ("mine:broken", "mine:broken raised ZeroDivisionError: "),
        ("mine:takes", "mine:takes raised TypeError: takes() missing 1 required positional argument"),
        ("mine:NO_SAMPLER", "guarantee 'bare' of mine:NO_SAMPLER has no sampler; expected sampler="),
        ("mine:TWICE", "mine:TWICE has two guarantees 'half-left'; expected different names"),
        ("bad:TRUE", "importing bad failed: AttributeError: "),
        (
            "mine.py:TRUE",
            "'mine.py' is no name of a module; did you mean mine:TRUE, in the folder of mine.py?",
        ),
        ("./mine:TRUE", "'./mine' is no name of a module; did you mean mine:TRUE"),
        ("a b:TRUE", "'a b' is no name of a module; expected module:object"),
        ("needs:TRUE", "importing needs failed: ModuleNotFoundError: No module named 'a_package_that_is_not_there'"),
    ],
)
def test_what_is_no_guarantee_is_a_sentence(command, name, sentence):
    code, output, errors = command(name)
    assert (code, output) == (2, "")
    assert errors.startswith(f"paper-repro: {sentence}")


def test_a_name_of_the_catalogue_is_taken_only_if_both_are_asked_for(command):
    code, _, errors = command("mine:TAKEN", "omp-coherence")
    assert code == 2
    assert "mine:TAKEN has a guarantee 'omp-coherence', as the catalogue has; expected another name" in errors
    code, _, errors = command("mine:TRUE", "wrong:TRUE")
    assert code == 2
    assert "mine:TRUE and wrong:TRUE both have 'half-left'" in errors


def test_mistakes_inside_are_printed_with_seed_and_place(command, tmp_path):
    code, output, _ = command("mine:BOOL", *QUICK)
    assert code == 4
    assert "bool stopped: TypeError at seed 0: the outcome of guarantee 'bool' returned True, of type bool" in output
    code, output, errors = command("mine:RAISES", *QUICK)
    assert code == 4
    assert f"raises stopped: KeyError at seed 0: 'lam' ({tmp_path / 'mine.py'}:" in output
    assert "raised by the hypotheses of guarantee 'raises' on Instance(" in output
    assert "instance = Instance.planted(" in output
    assert output.startswith("No instance was judged.\n\nraises stopped")  # no row of zeros
    assert output.endswith(" s\n")
    assert "0 quotas missed, 1 stopped by an error, " in output
    assert "raises: stopped by an error after 0 instances, " in errors


def test_drawing_goes_on_until_the_hypotheses_of_an_own_one_held(command):
    code, output, _ = command("mine:SELDOM", *QUICK)
    assert code == 0, output
    assert int(re.search(r"1 guarantee, (\d+) instances", output).group(1)) > 150
    code, output, _ = command("mine:NEVER", *QUICK)
    assert code == 3
    assert re.search(r"held on 0 instances with x != 0; 30 are required; \d+ were drawn\. Ask for fewer", output)
    assert "of the boundary, " not in output


def test_a_dot_in_place_of_the_colon_is_pointed_out(command):
    code, _, errors = command("mine.TRUE")
    assert code == 2
    assert "there is no guarantee 'mine.TRUE' (did you mean mine:TRUE?)" in errors


def test_the_quotas_of_the_catalogue_on_designs_and_non_zeros_are_not_asked_for(command):
    output = command("mine:TRUE", *QUICK)[1]
    assert "missed" not in output.replace("0 quotas missed", "")


class Terminal:
    """A stream that says that it is a terminal."""

    def __init__(self):
        self.written = []

    def write(self, text):
        self.written.append(text)

    def flush(self):
        pass

    def isatty(self):
        return True


def test_a_terminal_sees_a_bar_that_moves_within_one_guarantee(command, tmp_path, monkeypatch):
    now = itertools.count()
    monkeypatch.setattr(progress.Steps.__init__, "__defaults__", (lambda: float(next(now)),))
    monkeypatch.syspath_prepend(str(tmp_path))
    stream = Terminal()
    report = verify.verify(["mine:TRUE"], held=30, evaluations=100, jobs=1, folder=tmp_path / "t", progress=stream)
    plain = verify.verify(["mine:TRUE"], held=30, evaluations=100, jobs=1, folder=tmp_path / "t")
    assert report.table() == plain.table()  # the bar changes nothing
    shown = "".join(stream.written)
    shares = [int(one) for one in re.findall(r"verify: +(\d+)%\|", shown)]
    assert len(set(shares)) > 5
    assert shares == sorted(shares)
    assert "now half-left" in shown
    assert re.search(r"half-left: hypotheses held on \d+ of \d+, 0 violations", shown)


def test_trials_are_found_again_by_their_place(command, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (one,) = trials.own_guarantees("mine:TRUE")
    assert one.name == "half-left"
    assert trials.guarantees_of("mine:listing") == [one]


NAMES = """
import dataclasses
from mine import RAISES, TRUE
from wrong import TRUE as FALSE

SLASH = dataclasses.replace(FALSE, name="../up/here")


def leave(instance):
    raise SystemExit(3)


LEAVES = dataclasses.replace(TRUE, name="leaves", outcome=leave)
"""


def test_the_file_of_a_counter_example_lies_in_its_folder_whatever_the_name(command, tmp_path):
    (tmp_path / "bad.py").write_text(NAMES)
    code, output, _ = command("bad:SLASH", *QUICK)
    assert code == 1
    assert "../up/here is VIOLATED by an instance that " in output
    files = [path.relative_to(tmp_path / "r" / "verify").as_posix() for path in (tmp_path / "r").rglob("*.npz")]
    assert files
    assert all(re.fullmatch(r"bad-SLASH-[-.]*up-here-[0-9a-f]{9}-\w+\.npz", name) for name in files)


def test_leaving_python_inside_is_an_error_and_no_verdict(command, tmp_path):
    (tmp_path / "bad.py").write_text(NAMES)
    code, output, _ = command("bad:LEAVES", *QUICK)
    assert code == 4
    assert "leaves stopped: SystemExit at seed 0: 3 (" in output
    assert "raised by the outcome of guarantee 'leaves'" in output
    (tmp_path / "needs.py").write_text("raise SystemExit(1)\n")
    code, output, errors = command("needs:TRUE", *QUICK)
    assert (code, output) == (2, "")
    assert "importing needs failed: SystemExit: 1 (" in errors


def test_files_of_two_modules_and_two_seeds_are_kept_apart_and_the_attack_can_be_repeated(command, tmp_path):
    with trials.importable():
        (broken,) = trials.own_guarantees("wrong:TRUE")
    for seed in ("0", "7"):
        code, output, _ = command("wrong:TRUE", "--held", "1", "--evaluations", "300", "--seed", seed, "--jobs", "1")
        assert code == 1
        rng = int(re.search(r"^attack\(guarantee, evaluations=300, rng=(\d+)\) finds it again", output, re.M).group(1))
        assert attack(broken, evaluations=300, rng=rng).status == "broken"
    names = {path.name for path in (tmp_path / "r" / "verify").glob("*attack*.npz")}
    assert names == {"wrong-TRUE-half-left-attack.npz", "wrong-TRUE-half-left-attack-seed7.npz"}


TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorials" / "own_guarantee.md"
ONE_STEP = """

def one_step(instance):
    correlation = np.abs(instance.matrix.T @ instance.y) / np.linalg.norm(instance.matrix, axis=0)
    inside = instance.x != 0.0
    return exceeds(correlation[inside].min(), correlation[~inside].max(initial=0.0), "smallest in, largest out")


def random_columns(rng):
    n, size, k = int(rng.integers(2, 7)), int(rng.integers(2, 7)), int(rng.integers(1, 4))
    x = np.zeros(size)
    x[rng.permutation(size)[: min(k, size - 1)]] = rng.standard_normal(min(k, size - 1))
    return Instance.planted(rng.standard_normal((n, size)), x)


import dataclasses

STEP = dataclasses.replace(TRUE, name="one-step", outcome=one_step, sampler=random_columns)
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["0", "1", "2", "3"])
@pytest.mark.parametrize(("name", "expected"), [("FALSE", 1), ("TRUE", 0), ("STEP", 1)])
def test_the_commands_of_the_tutorial_have_the_exit_codes_it_states(command, tmp_path, name, expected, seed):
    page = TUTORIAL.read_text()
    assert f"paper-repro verify mine:{name} " in page or name == "STEP"
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```$", page)
    until = next(i for i, block in enumerate(blocks) if "import attack" in block)
    (tmp_path / "mine.py").write_text("\n".join(blocks[:until]) + ONE_STEP)
    code, output, _ = command(f"mine:{name}", "--seed", seed, "--jobs", "1")
    assert code == expected, output
