"""Packages show only their public names, to users and type checkers, and work without the extras."""

import ast
import importlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from planted.base import extras

ROOT = Path(__file__).parents[1]
SUPPORT = Path(__file__).parent / "support"
TOP = ("planted", "recovery", "linear_lottery", "figures", "paper_repro")
WITH_ALL = (
    *TOP,
    "linear_lottery.closed_forms",
    "linear_lottery.guarantees",
    "paper_repro.report",
    "recovery.certificates",
    "recovery.conditions",
    "recovery.diagnosis",
    "recovery.guarantees",
    "recovery.guarantees.pruning",
    "recovery.networks",
    "recovery.networks.exact",
    "recovery.operators",
    "recovery.pruning",
    "recovery.pruning.equilibrium",
    "recovery.solvers",
    "recovery.symbolic",
)
SLOWEST_IMPORT_S = 0.3
OPTIONAL = sorted(set(extras.EXTRA_OF) - {"cupy"})


def run(code, **options):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", WITH_ALL)
def test_dir_shows_the_public_names_and_nothing_else(name):
    package = importlib.import_module(name)
    assert len(set(package.__all__)) == len(package.__all__)
    for _ in range(2):  # names that were asked for are kept, and do not bring others with them
        assert dir(package) == sorted(package.__all__)
        for public in package.__all__:
            assert getattr(package, public) is getattr(package, public)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = package.no_such_name


def test_every_package_with_public_names_is_checked():
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in TOP
        for path in (ROOT / top).rglob("__init__.py")
        if "__all__" in path.read_text()
    }
    assert found == set(WITH_ALL)


@pytest.mark.parametrize("name", TOP)
def test_public_modules_are_named_and_say_what_is_public_in_them(name):
    package = importlib.import_module(name)
    for public in package.__all__:
        value = getattr(package, public)
        if type(value).__name__ == "module":
            assert f"`{public}`" in package.__doc__, public
            assert value.__all__, public
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", package.__version__)


@pytest.mark.parametrize("name", [*TOP, "recovery.solvers"])
def test_type_checkers_see_what_users_see(name):
    package = importlib.import_module(name)
    (block,) = [
        node
        for node in ast.parse(Path(package.__file__).read_text()).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    seen = {}
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            seen |= {alias.name: node.module for alias in node.names}
    assert set(seen) == set(package.__all__)
    for public, place in seen.items():
        module = importlib.import_module(place)
        wanted = getattr(module, public, None) if place != name else importlib.import_module(f"{name}.{public}")
        assert getattr(package, public) is wanted


def test_importing_a_package_imports_nothing_of_weight():
    code = (
        "import sys, time; t = time.process_time(); import {}; print(time.process_time() - t, 'scipy' in sys.modules)"
    )
    for name in TOP:
        seconds, scipy = min(run(code.format(name)).split() for _ in range(3))
        assert float(seconds) < SLOWEST_IMPORT_S  # of the processor, so that a busy machine does not matter
        assert scipy == "False"


WITHOUT = f"""
import sys
for name in {OPTIONAL}:
    sys.modules[name] = None
"""


def test_all_packages_work_with_numpy_and_scipy_alone():
    assert run(WITHOUT + (SUPPORT / "numpy_and_scipy_alone.py").read_text()).endswith("all is well\n")


def test_a_package_that_is_there_but_broken_is_not_called_missing(tmp_path):
    (tmp_path / "sympy.py").write_text("import what_sympy_needs\n")
    code = (
        "from planted.base.extras import need\ntry:\n    need('sympy')\nexcept ModuleNotFoundError as e:\n    print(e)"
    )
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    assert run(code, env={**os.environ, "PYTHONPATH": path}) == "No module named 'what_sympy_needs'\n"


USER = (SUPPORT / "typed_user.py").read_text()


def complaints(checker, text, tmp_path):
    """Return the lines of a user's script about which a type checker complains, where it stands in an empty folder."""
    script = tmp_path / "typed_user.py"
    script.write_text(text)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["MYPYPATH"] = str(ROOT)
    command = [
        sys.executable,
        "-m",
        checker,
        *(["--strict", "--cache-dir", str(tmp_path)] if checker == "mypy" else []),
    ]
    done = subprocess.run([*command, str(script)], capture_output=True, text=True, cwd=tmp_path, env=environment)
    return [int(line) for line in re.findall(r"typed_user\.py:(\d+):.* error", done.stdout)], done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_types_reach_the_user(checker, tmp_path):
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    wrong = [number for number, line in enumerate(USER.splitlines(), 1) if "# wrong" in line]
    assert len(wrong) >= 3
    found, said = complaints(checker, USER, tmp_path)
    assert found == wrong, said
