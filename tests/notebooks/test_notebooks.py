"""The notebooks run from top to bottom, and are committed without outputs."""

from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
FAST = {"01_plant_and_recover"}
"""The others take 8 s and more: they are run in the slow tier."""


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert {path.stem for path in NOTEBOOKS} >= {
        "01_plant_and_recover",
        "02_tickets_in_a_real_table",
        "03_which_guarantee_holds",
        "04_six_ways_to_prune",
    }


@each_notebook
def test_it_is_committed_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert 10 <= len(notebook.cells) <= 15
    for cell in code_cells(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


@pytest.fixture
def executed(tmp_path, monkeypatch):
    """Return a function that runs a notebook and gives it back with its outputs."""
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))  # nothing of the user's own settings
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def execute(path):
        import nbclient

        notebook = nbformat.read(path, as_version=4)
        client = nbclient.NotebookClient(
            notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
        )
        client.execute()
        return notebook

    return execute


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem, marks=[] if path.stem in FAST else pytest.mark.slow) for path in NOTEBOOKS],
)
def test_it_runs_and_draws(path, executed):
    outputs = [output for cell in code_cells(executed(path)) for output in cell.outputs]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    text = "".join(output.text for output in outputs if output.output_type == "stream")
    if path.stem == "01_plant_and_recover":  # what its prose says
        assert "htp     10 of 10" in text
        assert "robust: exact True" in text
        assert "paper: exact False" in text
    if path.stem == "02_tickets_in_a_real_table":
        assert "four survivors: bmi s1 s2 s5" in text
        assert "IMP drops                age s6 s3 s4 sex bp s2 s1 s5 bmi" in text
        assert "holds  start-irrelevant" in text
        assert "fails  order-coherence" in text
        assert "raw units of the columns sex bmi s4 s5" in text
        assert text.count(" bmi s1 s2 s5\n") >= 5  # neither start nor schedule matters
    if path.stem == "03_which_guarantee_holds":
        assert "3 of 64 pixels are blank" in text
        assert "delta_2 of the digits: 0.89 at n = 60, 0.87 at n = 1437" in text
        assert "limit for Gaussian inputs 0.73, floor 0.67" in text
        assert "pixel 12 behind gate 0, pixel 12 behind gate 1" in text
        held = [line.split()[0] for line in text.split("\n") if "n = 200: holds" in line]
        assert {"l1-dual-certificate", "residual-certificate", "nic-1", "nic-k"} <= set(held)
        silent = text[text.index("silent at n = 200:") : text.index("n = 60: found by")]
        named = {"iht-restricted-isometry", "htp-scaled-isometry", "iht-condition-number", "iht-trajectory"}
        assert named <= set(silent.replace(",", "").split())
        assert "n = 200: found by htp, cosamp, omp, l1, group_l1\n" in text  # neither IHT nor NIHT
        assert "between 0.223 and 0.263, proved" in text
    if path.stem == "04_six_ways_to_prune":
        lines = [line for line in text.split("\n") if "237 weights" in line]
        right = {line.split()[0]: float(line.split()[1]) for line in lines}
        assert list(right) == ["random", "snip", "synflow", "magnitude", "rigl", "imp"]
        assert right["random"] < min(right["snip"], right["synflow"]) < right["magnitude"]
        assert min(right["magnitude"], right["imp"]) > 85
        wasted = text[text.index("weights kept on the 16 pixels") :]
        dull = {line.split()[0]: float(line.split()[1]) for line in wasted.split("\n")[1:7]}
        assert max(dull["snip"], dull["magnitude"], dull["imp"]) < 10 < min(dull["random"], dull["synflow"])
        shares = [int(part.split()[0]) for part in text.split(" share ")[1:]]
        assert min(shares[:2]) > 20 > 10 > shares[2]
        own = [float(line.split()[3]) for line in text.split("\n") if "within layers:" in line]
        assert own[1] > own[0] + 3
