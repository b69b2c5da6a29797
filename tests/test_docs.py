"""The documentation site: its code runs, every public name has a page, and every example of the gallery is short."""

import importlib
import importlib.util
import re
import sys
from pathlib import Path

import pytest
from theory import SECTIONS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FOLDERS = ("start", "tutorials", "guide", "choose", "reproduction")
SLOW = {
    "choose/guarantee.md",
    "choose/method.md",
    "guide/estimators.md",
    "guide/networks.md",
    "guide/pruning.md",
    "tutorials/from_csv.md",
    "tutorials/plant_and_recover.md",
    "tutorials/property_tests.md",
    "tutorials/six_ways_to_prune.md",
    "tutorials/which_guarantee.md",
    "tutorials/your_size.md",
}
"""Pages whose code takes more than three seconds."""


def extension(name):
    """Return a module of the site's own."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


executed_pages = extension("executed_pages")
public_names = extension("public_names")
site_checks = extension("site_checks")


def pages():
    """Return the pages with code, by their names in docs/."""
    found = [DOCS / "index.md", *(path for folder in FOLDERS for path in (DOCS / folder).glob("*.md"))]
    return sorted(str(path.relative_to(DOCS)) for path in found if "```python" in path.read_text())


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in pages()]
)
def test_the_code_of_a_page_runs(name, tmp_path, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setenv("MPLBACKEND", "agg")
    pyplot.switch_backend("agg")
    monkeypatch.chdir(tmp_path)
    text = (DOCS / name).read_text()
    space = {"__name__": "__page__"}
    try:
        for start, _, code, reason in executed_pages.blocks_of(text):
            if reason is None:
                line = text[:start].count("\n") + 1
                exec(compile("\n" * line + code, f"docs/{name}", "exec"), space)  # so that errors name the page's line
    finally:
        pyplot.close("all")


def test_every_slow_page_is_there():
    assert set(pages()) >= SLOW
    assert {"index.md", "start/index.md", "guide/networks.md", "choose/solver.md"} <= set(pages())


def test_code_is_marked_so_that_it_runs():
    for path in DOCS.rglob("*.md"):
        if "generated" in path.parts or "_build" in path.parts:
            continue
        text = path.read_text()
        fences = re.findall(r"(?m)^\s*```+\s*\{?([a-zA-Z-]*)", text)
        assert not {"py", "python3", "code-block", "code-cell", "ipython"} & set(fences), path
        assert fences.count("python") == len(executed_pages.BLOCK.findall(text)), path


def test_a_block_is_left_out_only_with_a_reason():
    text = "a\n\n<!-- not run: needs a cluster -->\n```python\n1 / 0\n```\n\n<!-- not run: -->\n\n```python\n2\n```\n"
    assert [reason for *_, reason in executed_pages.blocks_of(text)] == ["needs a cluster", None]
    left_out = [
        (path.name, reason)
        for path in DOCS.rglob("*.md")
        for *_, reason in executed_pages.blocks_of(path.read_text())
        if reason is not None
    ]
    assert all(len(reason.split()) >= 3 for _, reason in left_out), left_out


def listed(package):
    """Return the public names of a package and of the packages in it, by walking through the folders."""
    for init in sorted((ROOT / package).rglob("__init__.py")):
        name = ".".join(init.parent.relative_to(ROOT).parts)
        module = importlib.import_module(name)
        for one in getattr(module, "__all__", ()):
            yield name, one, getattr(module, one)


@pytest.mark.parametrize("package", public_names.PACKAGES)
def test_every_public_name_has_a_page(package):
    modules = set(public_names.public_modules(list(public_names.PACKAGES)))
    described = {one.full: one for one in public_names.public_names(public_names.PACKAGES)}
    found = 0
    for module, name, value in listed(package):
        full = f"{module}.{name}"
        if isinstance(value, type(sys)):
            assert full in modules, full
            continue
        found += 1
        one = described[full]
        assert one.described_as in described, full
        text = public_names.module_page(module, [one], [])
        assert f"</{one.page}>" in text
    assert found >= 4


def test_modules_that_packages_name_have_their_names_described():
    described = {one.full for one in public_names.public_names(public_names.PACKAGES)}
    assert {"recovery.testing.assert_guarantee", "planted.designs.toeplitz", "planted.arrays.namespace"} <= described
    assert {"linear_lottery.comparators.omp", "recovery.pruning.equilibrium.NEq"} <= described


def test_a_name_that_several_modules_offer_is_described_once():
    import recovery

    names = {one.full: one for one in public_names.public_names(public_names.PACKAGES)}
    assert names["recovery.networks.fit_network"].described_as == "recovery.fit_network"
    assert names["recovery.fit_network"].described_as == "recovery.fit_network"
    assert names["linear_lottery.imp"].described_as == "linear_lottery.imp"
    assert "predict" in public_names.members_of(recovery.SparseRegressor)
    assert "set_score_request" not in public_names.members_of(recovery.SparseRegressor)


EXAMPLES = sorted((DOCS / "gallery").rglob("plot_*.py"))


def test_there_are_enough_examples():
    assert len(EXAMPLES) >= 20
    assert len({path.parent.name for path in EXAMPLES}) == 5
    assert len({path.name for path in EXAMPLES}) > 20


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_example_is_short_and_has_one_picture(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 40
    assert len(re.findall(r"plt\.subplots\(|\.plot\(\)$", text, re.MULTILINE)) >= 1
    assert len(re.findall(r"plt\.(?:subplots|figure)\(", text)) <= 1
    title, line = text.splitlines()[1:3]
    assert set(line) == {"="}
    assert len(title) == len(line)


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_example_runs(path, tmp_path, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    monkeypatch.chdir(tmp_path)
    try:
        exec(compile(path.read_text(), str(path), "exec"), {"__name__": "__example__"})
        assert len(pyplot.get_fignums()) == 1
    finally:
        pyplot.close("all")


def test_broken_links_are_found(tmp_path):
    (tmp_path / "a.html").write_text('<h1 id="top">a</h1><a href="b.html#in"></a><a href="https://example.org">x</a>')
    (tmp_path / "b.html").write_text('<p id="in"><img src="no.png"><a href="a.html#out"></a><a href="c.html"></a></p>')
    assert site_checks.broken_links(tmp_path) == [
        "b.html: a.html#out has no such anchor",
        "b.html: c.html does not exist",
        "b.html: no.png does not exist",
    ]


def test_a_missing_page_is_found(tmp_path):
    missing = site_checks.missing_pages(tmp_path, public_names.PACKAGES)
    assert "generated/api/recovery.solve.html is missing" in missing
    assert "generated/api/recovery.guarantees.html is missing" in missing


def test_what_code_prints_stands_below_it(tmp_path):
    pytest.importorskip("matplotlib")
    out = tmp_path / "page"
    blocks = ["x = 2\nprint('a')", "x + 1", "import matplotlib.pyplot as plt\nplt.plot([1, x])", "x = 3;"]
    executed_pages.run(blocks, str(out), "page")
    import json

    results = json.loads((tmp_path / "page.json").read_text())
    assert [one["text"] for one in results] == ["a\n", "3\n", "", ""]
    assert [len(one["pictures"]) for one in results] == [0, 0, 1, 0]
    assert (tmp_path / results[2]["pictures"][0]).is_file()
    shown = executed_pages.shown({"text": "```", "html": None, "pictures": []}, "generated", 1)
    assert shown.startswith("````{code-block} text")


def test_every_section_of_the_theory_that_the_code_cites_exists():
    cited = set()
    for package in ("planted", "recovery", "linear_lottery", "figures", "paper_repro", "benchmarks"):
        for path in (ROOT / package).rglob("*.py"):
            text = re.sub(r'"\s*\n\s*f?"', "", path.read_text())  # parts of a string on several lines
            flat = re.sub(r"\s*\n\s*", " ", text)
            found = re.findall(r'docs/theory(?:``)?,(?: section)? "([^"{]+)"', flat)
            found += re.findall(r"docs/theory(?:``)?, section ([A-Z][^\";,.)]+)", flat)
            cited |= {(str(path.relative_to(ROOT)), " ".join(title.split())) for title in found}
    assert len(cited) > 70
    assert not {(path, title) for path, title in cited if title not in SECTIONS}


def test_the_lock_of_the_site_agrees_with_the_first():
    def pins(name):
        text = (ROOT / name).read_text()
        assert not re.search(r"https?://|--(?:extra-)?index-url|--find-links|file:", text)
        entries = re.split(r"(?m)^(?=[A-Za-z0-9])", text)
        assert all("==" in one and "--hash=sha256:" in one for one in entries if one.strip())
        return set(re.findall(r"(?m)^([A-Za-z0-9._-]+)==(\S+)", text))

    first, docs = pins("requirements.lock"), pins("requirements-docs.lock")
    names = {name for name, _ in first}
    assert {name for name, _ in docs} >= {"sphinx", "numpydoc", "sphinx-gallery", "myst-parser", "pydata-sphinx-theme"}
    assert {one for one in docs if one[0] in names} <= first
