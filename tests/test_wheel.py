"""The wheel: built from the tree, it alone is enough to run the command, from an empty folder."""

import os
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
