"""Imports point down, and a package is light to import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDER = ["planted", "recovery", "linear_lottery", "paper_repro"]
HEAVY = {"cvxpy", "sympy", "flint", "hypothesis", "dask", "distributed", "cupy", "cupyx", "sklearn", "pooch"}
MAY_DRAW_WITH = {"figures", "matplotlib", "mpl_toolkits", "numpy"} | set(sys.stdlib_module_names)
FILES = sorted(path for package in [*ORDER, "figures"] for path in (ROOT / package).rglob("*.py"))


def imported(tree, package):
    """Yield (node, top-level package, whether it is outside all functions) of every import."""
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [package if node.level else node.module]
        for name in names:
            yield node, name.partition(".")[0], id(node) not in inside


def complaints(source, package):
    """Return what is wrong with the imports of a module of `package`."""
    found = []
    for node, top, outside in imported(ast.parse(source), package):
        if package in ORDER and top in ORDER and ORDER.index(top) > ORDER.index(package):
            found.append(f"line {node.lineno}: {package} imports {top}, which is above it")
        if top == "figures" and package not in ("figures", "paper_repro"):
            found.append(f"line {node.lineno}: {package} imports figures")
        listing = isinstance(node, ast.ImportFrom) and node.module in ("planted.base.doors", "planted.base.extras")
        if package == "figures" and top not in MAY_DRAW_WITH and not listing:
            found.append(f"line {node.lineno}: figures imports {top}, and may only draw")
        if outside and top in HEAVY:
            found.append(f"line {node.lineno}: {top} is imported at the top of a module")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    assert complaints(path.read_text(), path.relative_to(ROOT).parts[0]) == []


def test_there_is_something_to_check():
    assert {path.relative_to(ROOT).parts[0] for path in FILES} >= {"planted", "recovery"}


@pytest.mark.parametrize(
    ("source", "package", "n_complaints"),
    [
        ("import recovery", "planted", 1),
        ("from recovery.operators import normalise", "planted", 1),
        ("def f():\n    import paper_repro.cli", "recovery", 1),
        ("import planted\nfrom . import operators", "recovery", 0),
        ("import planted, recovery, linear_lottery, figures", "paper_repro", 0),
        ("import scipy", "figures", 1),
        ("from planted.base import arrays", "figures", 1),
        ("from planted.base.doors import door", "figures", 0),
        ("import matplotlib.pyplot as plt\nimport json", "figures", 0),
        ("import cvxpy", "recovery", 1),
        ("def f():\n    import cvxpy", "recovery", 0),
        ("class A:\n    import cupy", "planted", 1),
        ("import figures", "recovery", 1),
    ],
)
def test_the_check_sees_what_it_should(source, package, n_complaints):
    assert len(complaints(source, package)) == n_complaints


def test_only_arrays_names_cupy():
    naming = [path for path in FILES if "import cupy" in path.read_text() or 'import_module("cupy' in path.read_text()]
    assert [path.name for path in naming] == ["arrays.py"]


def test_planted_loads_nothing_heavy():
    script = "import sys, planted; print(sorted({name.partition('.')[0] for name in sys.modules}))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(ast.literal_eval(found.stdout))
    assert "planted" in loaded
    assert not loaded & (HEAVY | {"scipy", "matplotlib", "recovery"})


def test_guarantees_are_there_when_asked_for_and_not_before():
    script = (
        "import sys, recovery, linear_lottery\n"
        "early = [name for name in sys.modules if name.endswith(('.guarantees', '.testing')) and 'numpy' not in name]\n"
        "counts = [len(package.guarantees.catalogue()) for package in (recovery, linear_lottery)]\n"
        "print([early, counts, recovery.testing.assert_guarantee.__name__])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    early, counts, name = ast.literal_eval(found.stdout)
    assert early == []
    assert min(counts) > 0
    assert name == "assert_guarantee"


def test_public_names_do_not_hide_modules():
    import planted

    modules = {path.stem for path in (ROOT / "planted").rglob("*.py")}
    for name in planted.__all__:
        thing = getattr(planted, name)
        assert (name in modules) == (type(thing).__name__ == "module"), name
