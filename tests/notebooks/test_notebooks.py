"""The notebooks run from top to bottom, and are committed with the small outputs of the code that is in them."""

import copy
import re

import nbformat
import pytest

from benchmarks import notebooks
from benchmarks.notebooks import NOTEBOOKS, code_cells, executed

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
FAST = {"01_plant_and_recover"}
"""The others take 8 s and more: they are run in the slow tier."""


def test_there_are_notebooks():
    assert {path.stem for path in NOTEBOOKS} >= {
        "01_plant_and_recover",
        "02_tickets_in_a_real_table",
        "03_which_guarantee_holds",
        "04_six_ways_to_prune",
        "05_a_sparse_network_for_a_table",
    }


MACHINE = re.compile(
    r"(?<![A-Za-z0-9_.<~-])/(?:[a-z]+/)*(?:[a-z]+|python3\.\d+)/|[A-Z]:\\\\|site-packages|ipykernel_|object at 0x"
)
"""What an output has of the machine that made it: folders, processes and addresses."""


@each_notebook
def test_it_is_committed_with_the_outputs_of_its_code(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert 10 <= len(notebook.cells) <= 15
    assert set(notebook.metadata) == {"kernelspec", "language_info", "sources_sha256"}
    assert notebooks.is_current(notebook), f"python -m benchmarks.notebooks --write {path.stem}"
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell.metadata == {} for cell in notebook.cells)
    assert path.stat().st_size <= notebooks.LARGEST
    outputs = [output for cell in cells for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert sum(output.output_type == "stream" for output in outputs) >= 3


@each_notebook
def test_its_outputs_say_nothing_of_a_machine(path):
    for cell in code_cells(nbformat.read(path, as_version=4)):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text
            texts = [output.text] if output.output_type == "stream" else []
            texts += [text for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
            assert [found.group() for text in texts if (found := MACHINE.search(text))] == []


def test_what_names_a_machine_is_seen():
    for text in (
        "in " + "/".join(["", "home", "me", "x"]),
        "/usr/lib/python3.11/site.py:3",
        "/tmp/ipykernel_3/1.py",
        "<A object at 0x7f>",
        "/var/tmp/",
    ):
        assert MACHINE.search(text), text
    for text in ("1/2", "a / b", "https://example.org/a/", "w/o", "</td>", "<br/>", "10 ms/round"):
        assert not MACHINE.search(text), text


def test_a_change_of_the_code_makes_it_out_of_date():
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    other = copy.deepcopy(notebook)
    other.cells[0].source += " More prose."
    assert notebooks.is_current(other)
    code_cells(other)[0].source += "\nprint(1)"
    assert not notebooks.is_current(other)
    del other.metadata["sources_sha256"]
    assert not notebooks.is_current(other)


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem, marks=[] if path.stem in FAST else pytest.mark.slow) for path in NOTEBOOKS],
)
def test_it_runs_and_says_what_is_committed(path):
    notebook = executed(path)
    assert notebooks.words(notebook) == notebooks.words(nbformat.read(path, as_version=4))
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
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
        assert "n = 200: found by auto, htp, subspace-pursuit, cosamp, niht, omp, l1, group_l1\n" in text  # not IHT
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
    if path.stem == "05_a_sparse_network_for_a_table":
        (right,) = re.findall(r"accuracy on the test data: ([\d.]+) %", text)
        (always,) = re.findall(r"would be right on ([\d.]+) %", text)
        assert float(right) > 90 > float(always)
        assert "the same on all test data: True" in text
        tables = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
        rows = re.findall(
            r"<th>([a-z1, ]+)</th>\s*<td>([\d.]+)</td>\s*<td>[\d.]+</td>\s*<td>([\d.]+)</td>\s*<td>([\d.]+)</td>",
            tables[-1],
        )
        of = {name: (float(right), float(inputs), float(held)) for name, right, inputs, held in rows}
        assert list(of) == ["sparse network", "logistic, l1", "logistic", "dense network", "random forest"]
        sparse = of["sparse network"]
        assert abs(sparse[0] - of["random forest"][0]) < 2  # what its prose says
        assert 0 < of["dense network"][0] - sparse[0] < 3
        assert 0 < of["logistic, l1"][0] - sparse[0] < 3
        assert sparse[1] <= 12
        assert of["logistic, l1"][2] < sparse[2] < 30 < of["dense network"][2] < of["random forest"][2]
