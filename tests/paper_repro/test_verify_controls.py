"""`paper-repro verify --controls`: false statements are broken, others are reported, and the exit code shows it."""

import re
from functools import partial

import pytest

from paper_repro import cli, controls


@pytest.fixture
def toys(monkeypatch):
    """Make the toy statements the only controls."""
    monkeypatch.setattr(controls, "try_controls", partial(controls.try_controls, source="toy_guarantees:control_list"))


def test_what_breaks_passes_and_is_written_down(toys, capsys, tmp_path):
    assert cli.main(["verify", "--controls", "false-toy", "--jobs", "1", "--results", str(tmp_path)]) == 0
    output, errors = capsys.readouterr()
    assert re.search(r"\| false-toy \| 20,000 (\| \d+ ){4}\| mu < limit", output)
    assert "1 false statements, broken in 4 of 4 attacks, " in output
    assert re.search(r"false-toy, seed 3: broken at \d+", errors)
    assert (tmp_path / "verify" / "controls.md").read_text() == output


def test_what_does_not_break_fails(toys, capsys, tmp_path):
    assert cli.main(["verify", "--controls", "true-toy", "--jobs", "1", "--results", str(tmp_path)]) == 1
    output = capsys.readouterr().out
    assert "| true-toy | 100 | survived in 100 | survived in 100 |" in output
    assert "broken in 0 of 4 attacks" in output


def test_options_of_the_budget_and_of_the_seed_are_honoured(toys, capsys, tmp_path):
    def table(*options):
        cli.main(["verify", "--controls", *options, "--jobs", "1", "--results", str(tmp_path)])
        return capsys.readouterr().out

    few = table("true-toy", "--evaluations", "7")
    assert "| true-toy | 7 | survived in 7 |" in few
    assert "not tried in 0" in table("true-toy", "--seconds", "0")
    first, shifted = table("false-toy"), table("false-toy", "--seed", "1")
    assert "| seed 1 | seed 2 | seed 3 | seed 4 |" in shifted
    counts = [re.search(r"20,000 ((\| \d+ ){4})", one).group(1).strip("| ").split(" | ") for one in (first, shifted)]
    assert counts[0][1:] == counts[1][:3]


def test_unknown_controls_are_sentences(toys, capsys, tmp_path):
    assert cli.main(["verify", "--controls", "false-toi", "--results", str(tmp_path)]) == 2
    assert "there is no control 'false-toi' (did you mean false-toy?); expected some of" in capsys.readouterr().err


NAMES = [guarantee.name for guarantee, _ in controls._listed(controls.SOURCE)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(controls.SEEDS))
@pytest.mark.parametrize("name", NAMES)
def test_every_control_breaks_on_every_seed_within_its_budget(name, seed):
    assert isinstance(controls._attack(controls._Task(controls.SOURCE, name, seed, None, None)), int)


def test_the_controls_of_the_package_have_unique_names_and_budgets():
    listed = controls._listed(controls.SOURCE)
    names = [guarantee.name for guarantee, _ in listed]
    assert len(names) == len(set(names)) >= 5
    assert all(isinstance(evaluations, int) and evaluations > 0 for _, evaluations in listed)
