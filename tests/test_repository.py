"""Statements of the repository about itself are true: commands, versions, names; nothing names one machine."""

import importlib
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from planted.base import extras

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TOP = ("planted", "recovery", "linear_lottery", "figures", "paper_repro")
HEAVY = ("cvxpy", "sympy", "flint", "sklearn", "hypothesis", "dask", "cupy", "matplotlib")
# written in pieces, so that this file does not find itself
BESIDE = "../" + "shared"
MACHINE = re.compile("(?<![A-Za-z0-9_.<~-])/(?:" + "work|root|home|Users)/")
ADDRESS = re.compile(r"https?://|--(?:extra-)?index-url|--find-links|file:")


def committed():
    """Return the text files that git knows, or all files of the source tree where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        folders = (*TOP, "tests", "docs", "notebooks", "benchmarks", ".ci")
        paths = [path for folder in folders for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
        paths += list(ROOT.glob("*.*"))
    return sorted(path for path in paths if path.is_file() and path.suffix not in (".png", ".svg", ".pyc"))


FILES = committed()


def targets():
    """Return the names of the Makefile's targets."""
    return set(re.findall(r"(?m)^([a-z][a-z-]*):", (ROOT / "Makefile").read_text()))


def test_the_list_of_files_is_not_empty():
    names = {str(path.relative_to(ROOT)) for path in FILES}
    assert {
        "README.md",
        "Makefile",
        "pyproject.toml",
        "requirements.lock",
        "planted/base/arrays.py",
        ".ci/run",
    } <= names


def test_nothing_names_a_folder_beside_the_checkout():
    naming = [str(path.relative_to(ROOT)) for path in FILES if BESIDE in path.read_text()]
    assert naming == [".ci/run"]


def test_nothing_names_a_folder_of_one_machine():
    assert MACHINE.search("x = '/" + "work/main'")
    assert [
        (str(path.relative_to(ROOT)), found.group()) for path in FILES if (found := MACHINE.search(path.read_text()))
    ] == []


def test_the_lock_is_hashed_and_names_no_index():
    lock = (ROOT / "requirements.lock").read_text()
    assert not ADDRESS.search(lock)
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", lock)
    pinned = {re.match(r"[A-Za-z0-9._-]+", entry).group().lower() for entry in entries if entry.strip()}
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries if entry.strip())
    options = PROJECT["project"]["optional-dependencies"]
    all_of_them = re.fullmatch(r"sparse-recovery-lab\[(.*)\]", options["all"][0]).group(1).split(",")
    assert set(options) == {*all_of_them, "all", "dev", "docs", "gpu", "gpu12", "peers"}
    wanted = [*PROJECT["project"]["dependencies"], *options["dev"], *PROJECT["build-system"]["requires"]]
    wanted += [one for name in all_of_them for one in options[name]]
    assert {re.match(r"[A-Za-z0-9._-]+", one).group().lower() for one in wanted} <= pinned
    assert not any("cupy" in name for name in pinned)


def test_a_missing_package_names_the_extra_that_brings_it():
    options = PROJECT["project"]["optional-dependencies"]
    names = {"flint": "python-flint", "sklearn": "scikit-learn", "mpl_toolkits": "matplotlib", "distributed": "dask"}
    for package, extra in extras.EXTRA_OF.items():
        brought = {re.match(r"[A-Za-z0-9_.-]+", one).group() for one in options[extra]}
        assert any(one.startswith(names.get(package, package)) for one in brought), package
    assert len(PROJECT["project"]["dependencies"]) == 2


def test_every_target_is_phony():
    text = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"(?m)^\.PHONY: (.*)$", text).group(1).split())
    assert phony == targets()
    assert {"figures", "test", "test-slow", "lint", "bench", "clean"} <= phony


def test_make_help_has_a_line_for_every_target():
    said = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = dict(line.removeprefix("make ").split(maxsplit=1) for line in said.stdout.splitlines())
    assert set(lines) == targets()


def can_be_run(module):
    """Say whether `python -m module` finds something: a file of ours, or what is installed."""
    ours = ROOT.joinpath(*module.split("."))
    if (ROOT / module.partition(".")[0]).is_dir():
        return ours.with_suffix(".py").is_file() or (ours / "__main__.py").is_file()
    return importlib.util.find_spec(module) is not None


def test_a_module_that_is_not_there_cannot_be_run():
    assert can_be_run("pytest")
    assert can_be_run("benchmarks")
    assert can_be_run("benchmarks.recovery_rates")
    assert not can_be_run("benchmarks.no_such_table")
    assert not can_be_run("no_such_program")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_the_commands_of_the_documents_exist(name):
    text = (ROOT / name).read_text()
    makes = set(re.findall(r"\bmake (?:PYTHON=\S+ )?([a-z][a-z-]+)(?=[`\s]*(?:$|[`#]))", text, re.MULTILINE))
    assert makes
    assert makes <= targets()
    modules = set(re.findall(r"python -m ([a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*)", text))
    assert [module for module in modules if not can_be_run(module)] == []
    for path in re.findall(r"`((?:planted|recovery|figures|paper_repro|tests|docs|notebooks)/[A-Za-z0-9_/.]+)`", text):
        if "NAME" not in path and not path.startswith("docs/_build"):
            assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / link).is_file(), link


PAGES = [path for path in FILES if path.suffix == ".md" and path.is_relative_to(ROOT / "docs")]


def anchors(path):
    """Return the anchors of the headings of a Markdown file, as code hosts and MyST make them."""
    text = re.sub(r"(?ms)^```.*?^```", "", path.read_text())
    titles = re.findall(r"(?m)^#+ (.*)$", text)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"\]\(.*?\)", "", title).lower()).replace(" ", "-") for title in titles}


def made_or_there(path):
    """Say whether a file is there, or whether `make docs` makes it from one that is."""
    *folders, name = Path(os.path.normpath(path)).relative_to(ROOT).parts
    if folders[:3] == ["docs", "generated", "api"]:
        module, _, one = name.removesuffix(".rst").rpartition(".")
        return name.removesuffix(".rst") in TOP or hasattr(importlib.import_module(module), one)
    if folders[:3] == ["docs", "generated", "gallery"]:
        place = ROOT.joinpath("docs", "gallery", *folders[3:])
        return name == "index.rst" or place.joinpath(name).with_suffix(".py").is_file()
    return path.is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT / "docs")))
def test_what_a_page_names_is_there(page):
    text = page.read_text()
    modules = set(re.findall(r"python -m ([a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*)", text))
    assert [module for module in modules if not can_be_run(module)] == []
    paths = re.findall(rf"`((?:{'|'.join(TOP)}|tests|docs|notebooks|benchmarks)/[A-Za-z0-9_/.]+?)(?:::\w+)?`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    links = re.findall(r"\]\((?!https?:)([^)\s#]*)(?:#([^)\s]+))?\)", text)
    assert [link for link, _ in links if link and not made_or_there(page.parent / link)] == []
    assert [
        link for link in links if link[1] and link[1] not in anchors((page.parent / link[0]) if link[0] else page)
    ] == []


def test_the_calls_of_the_command_line_are_understood():
    from paper_repro import arguments, experiment

    text = (ROOT / "README.md").read_text()
    calls = re.findall(r"(?m)^    \.venv/bin/paper-repro (.*?)(?: +#.*)?$", text)
    assert len(calls) >= 4
    for call in calls:
        options = arguments.parser().parse_args(call.split())
        named = [*getattr(options, "figures", []), *([options.figure] if hasattr(options, "figure") else [])]
        assert set(named) <= set(experiment.names())
    assert set(re.findall(r"(?m)^\| `([a-z0-9-]+)` \| [A-Za-z]", text)) >= set(experiment.names())


def test_the_examples_of_the_readme_run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # one of them writes a file
    network, pruning, theory, proof, tickets, space = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    names = {}
    exec(network, names)
    assert names["planted"].match_networks(names["fit"].network, names["truth"]).exact
    assert set(names["result"].support) == set(names["w"].nonzero()[0])
    exec(pruning, names)
    planted_support = names["w"].nonzero()[0].tolist()
    assert names["path"].support.tolist() == planted_support
    assert names["ll"].threshold_prune(names["X"], names["y"], tau=0.5).support.tolist() == planted_support
    assert names["omp"](names["X"], names["y"], 3).support.tolist() != planted_support
    exec(theory, names)
    said = capsys.readouterr().out
    assert "smallest-singular-value holds" in said
    assert "probable-one-shot unknown" in said  # no law of the noise was given
    exec(proof, names)
    assert names["found"].largest.upper_certified
    assert names["certificate"].check().valid
    assert (tmp_path / "largest.json").is_file()
    assert "omp-coherence" in capsys.readouterr().out
    exec(tickets, names)
    assert (names["small"].network.sparsity, names["large"].network.sparsity) == (9, 20)
    assert names["large"].psnr_db > 60
    exec(space, names)
    assert names["result"].sparsity == names["late"].sparsity == round(0.1 * names["start"].n_weights)


def test_the_readme_knows_every_solver():
    import recovery

    text = (ROOT / "README.md").read_text()
    assert [name for name in recovery.list_solvers() if f"`{name}`" not in text] == []


def test_the_version_is_said_once():
    version = PROJECT["project"]["version"]
    assert re.search(r"(?m)^version: (.*)$", (ROOT / "CITATION.cff").read_text()).group(1).strip('"') == version
    newest = re.search(r"(?m)^## (\S+)", (ROOT / "CHANGELOG.md").read_text()).group(1)
    assert newest in (version, "Unreleased")
    assert "BSD 3-Clause" in (ROOT / "LICENSE").read_text()


def test_every_folder_with_modules_is_packaged():
    there = {".".join(path.parent.relative_to(ROOT).parts) for top in TOP for path in (ROOT / top).rglob("*.py")}
    assert there == set(PROJECT["tool"]["setuptools"]["packages"])
    assert all((ROOT / top / "py.typed").is_file() for top in TOP)
    assert set(PROJECT["tool"]["mypy"]["files"]) == set(TOP)


def test_test_files_have_names_of_their_own():
    files = list((ROOT / "tests").rglob("*.py"))
    assert not [path for path in files if path.name == "__init__.py"]
    names = [path.name for path in files]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("top", TOP)
def test_public_names_can_be_imported_and_are_documented(top):
    package = importlib.import_module(top)
    assert package.__all__
    assert package.__doc__
    for name in package.__all__:
        assert getattr(package, name).__doc__, name


CONTRACT = {
    "planted": "ReLUNetwork sparse_network gaussian_inputs release_instance linear_model designs gated_model "
    "match_networks NetworkMatch KinkForm datasets fourier_features",
    "recovery": "DenseOperator GatedOperator normalise solve list_solvers RecoveryResult Status fit_network NetworkFit "
    "psnr",
    "linear_lottery": "gradient_flow",
    "paper_repro": "load Results",
    "figures": "draw",
}


@pytest.mark.parametrize("top", TOP)
def test_the_names_that_others_rely_on_are_public(top):
    assert set(CONTRACT[top].split()) <= set(importlib.import_module(top).__all__)


@pytest.mark.parametrize("top", ["planted", "recovery", "linear_lottery"])
def test_importing_is_light(top):
    code = f"import sys, time, {top}; print([name for name in {HEAVY} if name in sys.modules], time.process_time())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded, seconds = done.stdout.strip().rsplit(" ", 1)
    assert loaded == "[]"
    assert float(seconds) < 1.5  # of the processor, so that a busy machine does not matter


def test_the_ci_script_is_a_script_that_can_be_run():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


def test_the_document_on_guarantees_has_every_statement_as_the_code_has_it():
    import linear_lottery
    import recovery
    from benchmarks import tables
    from recovery.guarantees import pruning

    text = (ROOT / "docs/appendix/guarantees.md").read_text()
    rows = dict(re.findall(r"(?m)^\| `([a-z0-9-]+)` \| [^|]*\| (.*?) \| ", text))
    catalogue = [*linear_lottery.guarantees.catalogue(), *recovery.guarantees.catalogue(), *pruning.catalogue()]
    assert rows == {one.name: tables.escaped(one.statement) for one in catalogue}
    assert set(re.findall(r"(?m)^\| ([a-z0-9-]+) \| (?:implication|equivalence|probability)", text)) == set(rows)
