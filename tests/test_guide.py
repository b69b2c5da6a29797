"""The Python blocks and commands on the pages of the guide, of the choices, the reproduction and the appendix work."""

import csv
import re
import warnings
from pathlib import Path

import pytest
import theory

DOCS = Path(__file__).parents[1] / "docs"
FOLDERS = ("guide", "choose", "reproduction", "appendix", "theory")
ELSEWHERE = {
    "guide/pruning.md",
    "guide/estimators.md",
}  # tests/recovery/test_pruning_page.py and test_estimators.py run them
SLOW = {"appendix/exact_recovery.md"}
SAYS = {
    "guide/networks.md": ("exact to rounding", "True 0.0", "All lines are distinguished by the data"),
    "guide/linear_models.md": ("found by htp", "[10 12 15]", "0.657", "4.208"),
    "guide/conditions.md": ("True", "0.730"),
    "guide/guarantees.md": ("l1-null-space", "claim is broken", "instance = Instance.planted("),
    "guide/results.md": ("('bmi', 'glu')", "(1, 5) True", "objective", "weight", "coherence mu", "True\n"),
    "guide/certificates.md": ("True", "largest-eigenvalue"),
    "choose/guarantee.md": ("False\nTrue",),
    "choose/solver.md": ("auto True", "l1 True"),
    "choose/method.md": ("magnitude 0.8",),
}
"""What a page prints when it is read from the top, where its text says so."""


def blocks(name):
    """Return the Python blocks of a page."""
    return re.findall(r"(?ms)^```python\n(.*?)^```$", (DOCS / name).read_text())


def pages():
    """Return the names of the pages of the folders, each marked slow where it is."""
    names = sorted(str(path.relative_to(DOCS)) for folder in FOLDERS for path in (DOCS / folder).rglob("*.md"))
    return [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in names]


@pytest.mark.parametrize("name", pages())
def test_the_examples_of_a_page_run_from_the_top(name, tmp_path, monkeypatch, capsys):
    found = blocks(name)
    if name in ELSEWHERE or not found:
        assert name not in SAYS
        return
    monkeypatch.chdir(tmp_path)  # some of them write files
    space = {"__name__": "__page__"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number, block in enumerate(found):
            exec(compile(block, f"{name}, block {number + 1}", "exec"), space)
    said = capsys.readouterr().out
    assert [words for words in SAYS.get(name, ()) if words not in said] == []


@pytest.mark.parametrize("name", pages())
def test_the_commands_of_a_page_are_understood(name, capsys):
    from paper_repro import arguments, experiment

    for call in re.findall(r"(?m)^    paper-repro (.*?)(?: {2,}#.*)?$", (DOCS / name).read_text()):
        options = arguments.parser().parse_args(call.split())
        named = [*getattr(options, "figures", []), *([options.figure] if hasattr(options, "figure") else [])]
        assert set(named) <= set(experiment.names()), call
    assert capsys.readouterr().err == ""


def test_the_index_of_the_theory_lists_every_section():
    listed = re.findall(r"(?m)^- \[(.*?)\]\((\w+\.md)#", (theory.FOLDER / "index.md").read_text())
    stand = [
        (title, page.name)
        for page in theory.PAGES
        if page.name != "index.md"
        for title in re.findall(r"(?m)^## (.*)$", page.read_text())
    ]
    assert sorted(listed) == sorted(stand)
    assert {title for title, _ in listed} == theory.SECTIONS
    assert len(listed) == len(theory.SECTIONS)


def test_the_numbers_at_the_papers_size_are_those_of_the_pages():
    rows = list(csv.DictReader((DOCS / "reproduction" / "paper_size.csv").read_text().splitlines()))
    table = (DOCS / "figures_planted.md").read_text().partition("| m \\ s |")[2].split("\n\n")[0].splitlines()
    sizes = [cell.strip() for cell in table[0].strip("| ").split("|")]
    shown = {
        (line.split("|")[1].strip(), s): value.strip()
        for line in table[2:]
        for s, value in zip(sizes, line.split("|")[2:-1], strict=True)
        if value.strip() != "-"
    }
    iht = [row for row in rows if row["quantity"] == "mean PSNR"]
    assert {(row["m"], row["s"]): row["value"] for row in iht} == shown
    assert len(iht) == len(shown) == 94
    assert all(float(row["value"]) == float(row["value"]) and row["data"] and row["runs"] for row in rows)
    measured = (DOCS / "appendix" / "networks.md").read_text()
    assert all(row["value"] in measured for row in rows if row["figure"] == "table 1")
