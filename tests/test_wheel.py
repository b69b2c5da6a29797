"""The wheel: built from the tree, it alone is enough to run the command, from an empty folder."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = [
    name for name in ("planted", "recovery", "linear_lottery", "figures", "paper_repro") if (ROOT / name).is_dir()
]


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a copy of the tree, with the build tools that are installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source / name)
    code = "import sys, setuptools.build_meta as b; print(b.build_wheel(sys.argv[1]))"
    run(sys.executable, "-c", code, str(folder), cwd=source)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_module_and_style_and_nothing_else(wheel):
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".mplstyle", ".html") or path.name == "py.typed"
    }
    assert "figures/paper.mplstyle" in inside
    assert inside == wanted


def test_an_editable_install_is_a_path_that_type_checkers_follow(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    code = "import sys, setuptools.build_meta as b; b.build_editable(sys.argv[1])"
    run(sys.executable, "-c", code, str(tmp_path), cwd=source)
    (built,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        (path,) = [name for name in archive.namelist() if ".dist-info/" not in name]
        assert path.endswith(".pth")
        assert Path(archive.read(path).decode().strip()).samefile(source)


@pytest.mark.slow
def test_numpy_and_scipy_are_enough(wheel, tmp_path):
    environment = tmp_path / "env"
    venv.create(environment, with_pip=True)
    python = str(environment / ("Scripts" if os.name == "nt" else "bin") / "python")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    fetched = subprocess.run([*pip, str(wheel)], capture_output=True, text=True, timeout=600, env=clean)
    if fetched.returncode and "sparse-recovery-lab" not in fetched.stderr:
        pytest.skip(f"pip cannot reach NumPy and SciPy: {fetched.stderr.strip().splitlines()[-1]}")
    assert fetched.returncode == 0, fetched.stderr
    listed = run(python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check", env=clean).split()
    there = {line.partition("==")[0].lower() for line in listed if "==" in line}
    assert there - {"pip", "setuptools"} == {"numpy", "scipy", "sparse-recovery-lab"}
    support = ROOT / "tests" / "support"
    said = run(python, str(support / "numpy_and_scipy_alone.py"), cwd=tmp_path, env=clean)
    assert said.endswith("all is well\n")
    command = str(Path(python).parent / "paper-repro")
    version = run(command, "--version", cwd=tmp_path, env=clean)
    assert version.startswith("paper-repro ")
    assert "threadpoolctl, which is not installed" in run(command, "doctor", cwd=tmp_path, env=clean)
    refused = subprocess.run(
        [command, "run", "gram", "--preset", "smoke"], capture_output=True, text=True, cwd=tmp_path, env=clean
    )
    assert refused.returncode == 1
    assert "pip install 'sparse-recovery-lab[figures]'" in refused.stderr
    assert "Traceback" not in refused.stderr
    # and the types of the wheel reach a user
    script = (support / "typed_user.py").read_text()
    (tmp_path / "typed_user.py").write_text(script)
    mypy = [sys.executable, "-m", "mypy", "--python-executable", python, "--cache-dir", str(tmp_path), "typed_user.py"]
    found = subprocess.run(mypy, capture_output=True, text=True, cwd=tmp_path, env=clean).stdout
    wrong = [number for number, line in enumerate(script.splitlines(), 1) if "# wrong" in line]
    assert [int(number) for number in re.findall(r"typed_user\.py:(\d+): error", found)] == wrong, found


def test_doctor_runs_from_an_empty_folder_in_a_clean_environment(wheel, tmp_path):
    environment = tmp_path / "env"
    venv.create(environment, with_pip=False)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    site = Path(run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", "--target", str(site), str(wheel))
    # what the wheel depends on is taken from this environment, after the wheel's own packages
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    where = "import paper_repro, figures, planted, recovery; print(paper_repro.__file__)"
    assert run(str(python), "-c", where, cwd=empty, env=clean).startswith(str(site))
    output = run(str(python), str(site / "bin" / "paper-repro"), "doctor", cwd=empty, env=clean)
    assert str(empty / "results") in output
    assert "sparse-recovery-lab" in output
    assert not any(empty.iterdir())
