"""The command line: what it prints, what it returns, and that a second run has nothing to do."""

import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import fabricated
import pytest
import toy_experiment

from paper_repro import cli, experiment, load, machine, results, sweep, verdicts, workers
from paper_repro.store import StoreError
from recovery import pruning

ROOT = Path(__file__).parents[2]


@pytest.fixture
def toy(monkeypatch):
    """Make the toy experiment known for the time of a test."""
    monkeypatch.setattr(experiment, "_registered", {})
    experiment.register(toy_experiment.EXPERIMENT)


@pytest.fixture
def command(capsys, tmp_path):
    """A function that runs a command on a folder of its own and returns (exit code, output, errors)."""

    def run(*arguments):
        code = cli.main([*arguments, "--results", str(tmp_path / "r")])
        return code, *capsys.readouterr()

    return run


def test_run_computes_draws_and_the_second_time_does_neither(toy, command, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "log"))
    options = ("run", "toy", "--preset", "smoke", "--jobs", "1", "--device", "cpu")
    code, output, errors = command(*options)
    assert code == 0
    assert "toy: 4 cells computed, 0 reused, drawn" in output
    assert "100%" in errors
    *printed, following = [Path(line.strip()) for line in output.splitlines()[1:]]
    assert str(following) == f"next: paper-repro show toy --preset smoke --results {tmp_path / 'r'}"
    assert [path.name for path in printed] == ["toy-smoke.md", "toy-smoke.csv", "toy-smoke.json"]
    stamps = [path.stat().st_mtime_ns for path in printed]
    code, output, _ = command(*options)
    assert code == 0
    assert "toy: 0 cells computed, 4 reused, up to date" in output
    assert [path.stat().st_mtime_ns for path in printed] == stamps
    assert len((tmp_path / "log").read_text().splitlines()) == 4


def test_another_seed_is_another_set_of_cells_and_files(toy, command, tmp_path):
    for seed in ("0", "5"):
        assert command("run", "toy", "--preset", "smoke", "--jobs", "1", "--device", "cpu", "--seed", seed)[0] == 0
    assert {path.name for path in (tmp_path / "r").glob("*.csv")} == {"toy-smoke.csv", "toy-smoke-seed5.csv"}
    assert len(list((tmp_path / "r" / "store" / "toy").glob("*.json"))) == 8


def test_failing_cells_give_exit_code_1_a_summary_and_a_figure_of_the_rest(toy, command):
    code, output, errors = command("run", "toy", "--preset", "paper", "--jobs", "1", "--device", "cpu")
    assert code == 1
    assert "4 cells computed" in output
    assert "a cell failed: ValueError: this cell always fails" in errors
    assert "2 cells failed; the same command tries them again" in errors
    code, output, _ = command("show", "toy", "--preset", "paper")
    assert code == 0
    assert "2 of 4 results" in output
    assert "failed: ValueError" in output


def test_show_prints_the_table_and_the_paths(command, tmp_path):
    fabricated.fill(tmp_path / "r", "fig1", "smoke")
    code, output, _ = command("show", "fig1", "--preset", "smoke")
    assert code == 0
    assert "36 of 36 results" in output  # a cell is a pair (m, s) in the verdicts below
    assert re.search(r"\| IHT as in the paper +\| 5 ", output)
    assert "not drawn yet" in output
    assert command("run", "fig1", "--preset", "smoke", "--device", "cpu")[0] == 0  # draws, computes nothing
    assert str(tmp_path / "r" / "fig1-smoke.png") in command("show", "fig1", "--preset", "smoke")[1]


def test_show_and_the_files_say_what_each_method_is(command, tmp_path):
    fabricated.fill(tmp_path / "r", "fig1", "smoke")
    for arguments in ((), ("--claims",)):
        output = command("show", "fig1", "--preset", "smoke", *arguments)[1]
        told = output.partition("## Methods\n")[2].partition("\n## ")[0]
        assert "- IMP as in the paper: " in told
        assert "within 0.5 dB of the zero network" in told
        assert "- IMP, fair: our version of IMP, meant to train the network: 30 updates per round" in told
        assert "\n- For comparison, without a verdict, IHT, robust: above in " in output
        assert output.index("## Claims") < output.index("## Methods") < output.index("## How the claims were judged")
    assert command("run", "fig1", "--preset", "smoke", "--device", "cpu")[0] == 0
    assert "- IHT, robust: our version of IHT" in (tmp_path / "r" / "fig1-smoke.md").read_text()
    assert command("report", "--preset", "smoke")[0] == 0
    page = (tmp_path / "r" / "report-smoke.html").read_text()
    assert "IMP, fair: our version of IMP" in page
    assert "a fair IMP makes enough updates to train the network" in page


def test_run_ends_with_the_verdicts_of_a_figure_and_the_next_command(command, tmp_path):
    for figure in ("fig1", "fig6"):
        fabricated.fill(tmp_path / "r", figure, "smoke")
    output = command("run", "fig1", "--preset", "smoke", "--device", "cpu", "--seed", "0")[1]
    claims, following = output.splitlines()[-2:]
    number = r"\d (held|not held|too close to call|not measured)(, \d [a-z ]+)*"
    assert re.fullmatch(f"claims: {number}; against a fair IMP: {number}", claims)
    assert following == f"next: paper-repro show fig1 --preset smoke --results {tmp_path / 'r'}"
    output = command("run", "fig1", "fig6", "--preset", "smoke", "--device", "cpu", "--jobs", "1")[1]
    assert output.splitlines()[-1] == f"next: paper-repro report --preset smoke --results {tmp_path / 'r'}"
    assert "claims: " not in output
    assert command("run", "fig1", "--preset", "smoke", "--shard", "1/2")[1].count("next:") == 0


def test_show_begins_with_one_line_for_each_claim_that_has_both_verdicts(command, tmp_path):
    fabricated.fill(tmp_path / "r", "fig1", "smoke")
    output = command("show", "fig1", "--preset", "smoke")[1]
    _, heading, lines, *_ = output.split("\n\n")
    assert heading == "## Claims"
    kinds = "|".join(verdicts.VERDICTS)
    for line, depth in zip(lines.splitlines(), ("One hidden layer", "Two hidden layers", "Both depths"), strict=True):
        assert re.fullmatch(
            rf"- Figure 1: {depth}: IHT is above IMP for most \(m, s\): ({kinds}); against a fair IMP: ({kinds})", line
        )
    headings = [line for line in output.splitlines() if line.startswith("## ")]
    assert headings[:4] == ["## Claims", "## Methods", "## How the claims were judged", "## Table"]
    assert output.count("- Rule: ") == 1  # common to all three
    code, short, _ = command("show", "fig1", "--preset", "smoke", "--claims")
    assert code == 0
    assert [line for line in short.splitlines() if line.startswith("## ")] == headings[:3]
    assert "|--" not in short


def test_claims_of_a_figure_without_any_are_none(command, tmp_path):
    fabricated.fill(tmp_path / "r", "fig6", "smoke")
    code, output, _ = command("show", "fig6", "--preset", "smoke", "--claims")
    assert (code, "no claim of a paper is about this figure" in output) == (0, True)


def test_list_has_one_line_for_each_figure_and_the_share_of_its_cells(command, tmp_path):
    fabricated.fill(tmp_path / "r", "fig1", "smoke", leave_out=5)
    fabricated.fill(tmp_path / "r", "fig2", "smoke")
    code, output, errors = command("list")
    assert (code, errors) == (0, "")
    lines = output.splitlines()
    assert len(lines) == len(experiment.names()) + 3
    assert lines[0].split() == ["figure", "smoke", "quick", "cpu", "paper", "title"]
    assert [line.split()[0] for line in lines[1:-2]] == experiment.names()
    shares = {line.split()[0]: line.split()[1:5] for line in lines[1:-2]}
    assert shares["fig1"] == ["86%", "-", "-", "-"]
    assert shares["fig2"][0] == "100%"


@pytest.mark.parametrize(("columns", "whole"), [("80", False), ("300", True)])
def test_a_list_on_a_terminal_fits_its_width(command, monkeypatch, columns, whole):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    lines = command("list")[1].splitlines()
    longest = max(map(len, lines[:-2]))
    assert longest <= int(columns)
    assert (max(len(experiment.get(name).title) for name in experiment.names()) + 20 < longest) == whole
    assert any(line.endswith("...") for line in lines[1:-2]) != whole


def test_list_is_filtered_by_names_and_titles_and_one_figure_is_shown_whole(command, tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSE_RECOVERY_DATA", str(tmp_path / "data"))
    fabricated.fill(tmp_path / "r", "fig1", "smoke", leave_out=5)

    def names(*words):
        return [line.split()[0] for line in command("list", *words)[1].splitlines()[1:-2]]

    assert names("fig") == [name for name in experiment.names() if "fig" in name]
    assert names("FIG3", "table") == ["fig3-binary", "fig3-digits", "table1", "table2"]
    assert names("restricted", "gram") == ["rsc", "gram"]
    output = command("list", "fig1")[1]  # and not fig10
    assert output.startswith("fig1: Planted ReLU networks, scalar output: PSNR of the fit\n  smoke     36 cells, 31 of")
    assert "; planted networks, n = 5,000, d = 50, 3 seeds (the paper: n = 50,000, d = 100)\n" in output
    assert "; stand-in: scikit-learn digits, 8 x 8 pixels, " in command("list", "fig3-digits")[1]
    assert "; 10 planted networks, n=50,000, d=100, m=10, s=500 (the paper's size)\n" in command("list", "table1")[1]
    code, output, errors = command("list", "fig", "table3")
    assert (code, output) == (2, "")
    assert "no figure has 'table3' in its name or title; did you mean table2? `paper-repro list` shows" in errors


def test_a_list_as_json_has_everything(command, tmp_path):
    fabricated.fill(tmp_path / "r", "fig1", "smoke", leave_out=5)
    found = json.loads(command("list", "--json")[1])
    assert [one["name"] for one in found] == experiment.names()
    first = found[0]
    assert first["title"] == experiment.get("fig1").title
    assert list(first["presets"]) == list(experiment.get("fig1").presets)
    data = experiment.get("fig1").data("smoke")
    assert first["presets"]["smoke"] == {"cells": 36, "computed": 31, "data": data}
    assert [one["name"] for one in json.loads(command("list", "--json", "fig1")[1])] == ["fig1"]


def test_the_folder_may_stand_before_or_after_the_command(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fabricated.fill(tmp_path / "r", "fig1", "smoke")
    show = ["show", "fig1", "--preset", "smoke"]
    outputs = []
    for arguments in (
        ["--results", "r", *show],
        [*show, "--results", "r"],
        ["--results", "nothere", *show, "--results", "r"],
    ):
        assert cli.main(arguments) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] == outputs[2]
    assert cli.main(show) == 1  # the default folder
    assert f"in {tmp_path / 'results'}; `paper-repro run fig1 --preset smoke` computes them" in capsys.readouterr().err
    assert cli.main(["--results", "nothere", "methods", "snip"]) == 0  # a command that needs none


def test_show_names_the_command_that_draws(command, capsys, tmp_path):
    fabricated.fill(tmp_path / "r", "fig1", "smoke")
    words = f"paper-repro run fig1 --preset smoke --results {tmp_path / 'r'}"
    assert f"not drawn yet: `{words}` draws it" in command("show", "fig1", "--preset", "smoke")[1]
    spaced = tmp_path / "a folder"
    store = results.store_of(spaced)
    for record in fabricated.records("table1", "smoke"):
        settings = {**record.cell.settings, "seed": record.cell.settings["seed"] + 5}
        store.write(dataclasses.replace(record, cell=dataclasses.replace(record.cell, settings=settings)))
    assert cli.main(["show", "table1", "--preset", "smoke", "--seed", "5", "--results", str(spaced)]) == 0
    output = capsys.readouterr().out
    words = re.search("`paper-repro (run .*)` draws it", output).group(1)
    assert shlex.split(words) == ["run", "table1", "--preset", "smoke", "--results", str(spaced), "--seed", "5"]
    assert cli.main([*shlex.split(words), "--device", "cpu"]) == 0
    assert "table1: 0 cells computed" in capsys.readouterr().out


def test_a_report_of_a_folder_that_is_not_there_is_an_error(command, tmp_path):
    code, output, errors = command("report", "--preset", "smoke")
    assert (code, output) == (1, "")
    words = f"paper-repro run --preset smoke --results {tmp_path / 'r'}"
    assert errors == f"paper-repro: there is no results folder {tmp_path / 'r'}; `{words}` creates it\n"
    assert not (tmp_path / "r").exists()


def test_methods_prints_the_space(capsys):
    assert cli.main(["methods"]) == 0
    assert capsys.readouterr().out == f"{pruning.describe()}\n"
    assert cli.main(["methods", "snip", "imp-late", "--markdown"]) == 0
    output = capsys.readouterr().out
    assert [line.split(" | ")[0] for line in output.splitlines()] == ["| method", "| ---", "| snip", "| imp-late"]
    assert "| 10 % |" in output
    assert cli.main(["methods", "snap"]) == 2
    complaint = capsys.readouterr().err
    assert complaint.startswith("paper-repro: there is no method 'snap'; expected one of random, magnitude, ")


def test_doctor_says_what_there_is_and_where_data_is_looked_for(command, tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSE_RECOVERY_DATA", str(tmp_path / "data"))
    code, output, _ = command("doctor")
    assert code == 0
    for word in ("numpy", "scipy", "matplotlib", "thread", "GPU", "results", str(tmp_path / "data")):
        assert word in output
    assert "mnist    not usable: MNIST needs train-images-idx3-ubyte" in output
    assert "digits   Dataset('scikit-learn digits'" in output
    assert f"{machine.cores()} cores usable" in output


def test_doctor_names_the_kernels_of_every_blas_library(command, monkeypatch):
    from threadpoolctl import threadpool_info

    def architecture(path, one):
        return {"filepath": path, "user_api": "blas", "internal_api": "openblas", "version": "0.3.30", **one}

    found = [
        architecture("a/libscipy_openblas.so", {"architecture": "Haswell", "num_threads": 1}),
        architecture("b/libscipy_openblas64_.so", {"architecture": "SkylakeX", "num_threads": 2}),
        {"filepath": "c/libblas.so", "user_api": "blas", "internal_api": "blis", "version": None, "num_threads": 4},
        {"filepath": "d/libgomp.so", "user_api": "openmp", "internal_api": "openmp", "num_threads": 2},
    ]
    with monkeypatch.context() as patch:
        patch.setattr("threadpoolctl.threadpool_info", lambda: found)
        patch.setenv("OPENBLAS_CORETYPE", "Zen")
        output = command("doctor")[1]
    assert "  libscipy_openblas.so: openblas 0.3.30, Haswell kernels, 1 thread\n" in output
    assert "  libscipy_openblas64_.so: openblas 0.3.30, SkylakeX kernels, 2 threads\n" in output
    assert "  libblas.so: blis (version unknown), unknown kernels, 4 threads\n" in output
    assert "libgomp" not in output
    assert "OPENBLAS_CORETYPE=Zen is set" in output
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    output = command("doctor")[1]
    assert "CORETYPE" not in output
    for one in threadpool_info():
        if one["user_api"] == "blas":
            assert Path(one["filepath"]).name in output
            assert f"{one.get('architecture') or 'unknown'} kernels" in output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "fig11"], "there is no figure 'fig11'; did you mean fig10? `paper-repro list` shows all names\n"),
        (["run", "figl"], "there is no figure 'figl'; did you mean fig1? `paper-repro list` shows all names\n"),
        (["run", "FIG1O"], "there is no figure 'FIG1O'; did you mean fig10? "),
        (["run", "exac"], "there is no figure 'exac'; did you mean exact? "),
        (
            ["run", "fig3"],
            "there is no figure 'fig3'; did you mean fig3-binary or fig3-digits? `paper-repro list` shows",
        ),
        (["show", "nothing"], "there is no figure 'nothing'; `paper-repro list` shows all names\n"),
    ],
)
def test_wrong_names_are_sentences(command, arguments, sentence):
    code, _, errors = command(*arguments)
    assert code == 2
    assert sentence in errors


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--preset", "huge"], "'huge' is not a preset; expected one of smoke, quick, cpu, paper"),
        (
            ["show", "fig1", "--preset", "papr"],
            "'papr' is not a preset; did you mean paper? expected one of smoke, quick,",
        ),
        (["run", "--jobs", "0"], "'0' is not understood; expected an integer of at least 1"),
        (["run", "--seed", "-1"], "'-1' is not understood; expected an integer of at least 0"),
        (["run", "--device", "tpu"], "invalid choice: 'tpu'"),
        (["run", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["dance"], "there is no command 'dance'; expected one of list"),
    ],
)
def test_wrong_options_are_refused_as_argparse_does(capsys, arguments, sentence):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["shwo", "fig1"], "there is no command 'shwo'; did you mean show? expected one of list, run, merge, "),
        (["--results", "x", "nothing"], "there is no command 'nothing'; expected one of list, "),
        (["--preset", "quick", "list"], "--preset stands behind the command, as in `paper-repro COMMAND --preset ...`"),
    ],
)
def test_a_wrong_command_is_answered_with_the_right_one(capsys, arguments, sentence):
    with pytest.raises(SystemExit, match=r"^2$"):
        cli.main(arguments)
    assert sentence in capsys.readouterr().err


def test_the_help_of_a_command_says_what_it_does(capsys):
    with pytest.raises(SystemExit, match=r"^0$"):
        cli.main(["merge", "--help"])
    assert "\nAdd the results of other folders to that of --results.\n" in capsys.readouterr().out


def test_without_a_command_the_commands_are_printed_and_the_code_is_2(capsys):
    assert cli.main([]) == 2
    said = capsys.readouterr().err
    assert all(f"\n    {name} " in said for name in cli._COMMANDS)


def test_a_folder_that_is_not_there_is_said_by_list(command, tmp_path):
    code, output, errors = command("list")
    assert code == 0
    assert output.startswith("figure")
    assert errors == f"paper-repro: there is no results folder {tmp_path / 'r'}, so nothing is computed yet\n"


def test_show_of_what_is_not_computed_tells_the_command_and_its_extent(command):
    code, _, errors = command("show", "fig1", "--preset", "paper")
    assert code == 1
    assert "paper-repro run fig1 --preset paper" in errors
    cells = len(experiment.get("fig1").cells("paper", 0))
    assert f": {cells:,} cells on planted networks, n = 50,000, d = 100, 3 seeds (the paper's size); takes " in errors


def test_the_durations_of_presets_are_those_of_the_pages(capsys):
    with pytest.raises(SystemExit):
        cli.main(["run", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    pages = [Path(__file__).parents[2] / "docs" / page for page in ("start/paper.md", "tutorials/your_size.md")]
    for preset, takes in experiment.TAKES.items():
        assert f"{preset}: {takes}" in said
    for page in pages:
        text = " ".join(page.read_text().split())
        assert all(experiment.TAKES[preset] in text for preset in ("quick", "cpu"))


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["show", "--help"]])
def test_help_ends_well(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 0
    assert "paper-repro" in capsys.readouterr().out


def test_no_results_and_an_unusable_folder_are_sentences(toy, command, tmp_path):
    code, _, errors = command("show", "toy", "--preset", "smoke")
    assert code == 1
    assert "`paper-repro run toy --preset smoke --results" in errors
    spaced = tmp_path / "a folder"
    with pytest.raises(FileNotFoundError, match=f"smoke and seed 5 in .*smoke --results '{spaced}' --seed 5`"):
        load("toy", "smoke", spaced, seed=5)
    (tmp_path / "r").write_text("in the way")
    assert f"{tmp_path / 'r'} (NOT usable: {tmp_path / 'r'} is not a folder)" in command("doctor")[1]
    code, _, errors = command("run", "toy", "--preset", "smoke", "--device", "cpu")
    assert code == 1
    assert "cannot make the folder" in errors
    assert "Traceback" not in errors


def test_a_gpu_that_is_not_there_is_a_sentence(toy, command, monkeypatch):
    monkeypatch.setattr(cli.arrays, "gpu_status", lambda: (False, "CuPy is not installed"))
    code, _, errors = command("run", "toy", "--preset", "smoke", "--device", "gpu")
    assert code == 1
    assert "--device gpu was requested, but CuPy is not installed" in errors


def test_an_interrupt_gives_130(toy, command, monkeypatch):
    def interrupted(*args, **options):
        raise sweep.Interrupted("interrupted: 1 of 4 cells are in the store")

    monkeypatch.setattr(cli.sweep, "run", interrupted)
    code, _, errors = command("run", "toy", "--preset", "smoke", "--device", "cpu")
    assert code == 130
    assert "interrupted: 1 of 4" in errors
    monkeypatch.setattr(cli.sweep, "run", lambda *args, **options: (_ for _ in ()).throw(KeyboardInterrupt))
    assert command("run", "toy", "--preset", "smoke", "--device", "cpu")[0] == 130


def test_what_is_counted_stands_on_a_line_of_its_own_also_when_drawing_is_cut_off(toy, command, monkeypatch):
    monkeypatch.setattr(cli.render, "render", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    code, output, _ = command("run", "toy", "--preset", "smoke", "--device", "cpu")
    assert code == 130
    assert output.endswith("4 cells computed, 0 reused; nothing drawn\n")


def second_toy(monkeypatch):
    other = dataclasses.replace(toy_experiment.EXPERIMENT, name="toy-again", cells_of="toy")
    monkeypatch.setattr(toy_experiment, "EXPERIMENTS", (*toy_experiment.EXPERIMENTS, other))
    experiment.register(other)


class Aside:
    """A stand-in for the process that draws: it draws when it is asked for the answer."""

    made = ()

    def __init__(self):
        type(self).made = (*type(self).made, self)
        self.started, self.closed = [], False

    def start(self, function, task):
        self.started.append(task[1])
        self.call = function, task

    def result(self):
        function, task = self.call
        return function(task)

    def close(self):
        self.closed = True


BOTH = ("run", "toy", "toy-again", "--preset", "smoke", "--jobs", "2", "--device", "cpu")


def test_several_figures_are_drawn_aside_in_their_order(toy, command, monkeypatch):
    second_toy(monkeypatch)
    monkeypatch.setattr(Aside, "made", ())
    monkeypatch.setattr(cli.workers, "Aside", Aside)
    code, output, _ = command(*BOTH)
    assert code == 0
    lines = output.splitlines()
    assert [line.split(",")[0] for line in lines if line.startswith("toy")] == [
        "toy: 4 cells computed",
        "toy-again: 0 cells computed",
    ]
    assert [Path(line.strip()).name for line in lines[1:4]] == ["toy-smoke.md", "toy-smoke.csv", "toy-smoke.json"]
    (aside,) = Aside.made
    assert aside.started == ["toy", "toy-again"]
    assert aside.closed
    assert "up to date" in command(*BOTH[:1], *BOTH[2:])[1]  # one figure: drawn by this process
    assert len(Aside.made) == 1


def test_errors_while_drawing_aside_are_those_of_drawing(toy, command, monkeypatch):
    second_toy(monkeypatch)
    monkeypatch.setattr(Aside, "made", ())
    monkeypatch.setattr(cli.workers, "Aside", Aside)
    for error in (StoreError("the disk is full"), workers.Died("it died")):
        monkeypatch.setattr(cli.render, "render", lambda *args, error=error: (_ for _ in ()).throw(error))
        code, output, errors = command(*BOTH)
        assert code == 1
        assert output.splitlines()[-1].endswith("; nothing drawn")
        assert output.startswith("toy: ")
        assert str(error) in errors
        assert Aside.made[-1].closed
    monkeypatch.setattr(Aside, "result", lambda aside: (_ for _ in ()).throw(KeyboardInterrupt))
    code, output, _ = command(*BOTH)
    assert code == 130
    assert output == "toy: 0 cells computed, 4 reused; nothing drawn\n"
    assert Aside.made[-1].closed


def test_python_dash_m_is_the_command_and_starts_without_the_heavy_packages():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "paper_repro", "list"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0
    assert "\nfig1 " in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert imported & {"numpy"}
    assert not imported & {"matplotlib", "cvxpy", "sympy", "flint", "hypothesis", "sklearn", "pandas", "cupy"}


@pytest.mark.parametrize(
    ("target", "code", "sentence"),
    [
        ("> /dev/full", 1, "paper-repro: cannot write the output: No space left on device\n"),
        (">&-", 0, ""),
        ("| true", 0, ""),
    ],
)
@pytest.mark.parametrize("arguments", ["methods snip", "list"])
def test_output_that_cannot_be_written_is_no_traceback(tmp_path, arguments, target, code, sentence):
    line = f"set -o pipefail; {sys.executable} -m paper_repro {arguments} {target}"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (code, sentence)
