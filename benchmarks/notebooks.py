"""Run the notebooks and store their outputs in them.

Run from the repository root: ``python -m benchmarks.notebooks [--write] [NAME ...]``. Without ``--write`` it lists the
notebooks whose outputs come from an older version of their code, and runs nothing. With it these notebooks, or the
named ones, are run in an empty folder and saved with their outputs and a fingerprint of the code. The tests in
``tests/notebooks`` compare the fingerprints; slow tests compare the outputs themselves.
"""

import argparse
import hashlib
import json
import os
import re
import tempfile
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LARGEST = 400_000
"""Largest size of a notebook in bytes."""
TIMEOUT_S = 900


def code_cells(notebook):
    """Return the code cells."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def fingerprint(notebook):
    """Return a hash of the code of all cells."""
    return hashlib.sha256(json.dumps([cell.source for cell in code_cells(notebook)]).encode()).hexdigest()


def is_current(notebook):
    """Return whether the outputs come from the present code."""
    return notebook.metadata.get("sources_sha256") == fingerprint(notebook)


def executed(path):
    """Run a notebook in an empty folder, without the user's settings, and return it with its outputs."""
    import nbclient

    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("sources_sha256", None)
    with tempfile.TemporaryDirectory() as folder:
        own = {name: folder for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
        environment = {**os.environ, **own, "PYTHONPATH": str(ROOT)}
        work = Path(folder) / "work"
        work.mkdir()
        client = nbclient.NotebookClient(
            notebook, timeout=TIMEOUT_S, kernel_name="python3", resources={"metadata": {"path": str(work)}}
        )
        client.execute(env=environment)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day
        merged = []
        for output in cell.get("outputs", []):
            if merged and output.output_type == "stream" == merged[-1].output_type and output.name == merged[-1].name:
                merged[-1].text += output.text
            else:
                merged.append(output)
        if cell.cell_type == "code":
            cell.outputs = merged
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata["sources_sha256"] = fingerprint(notebook)
    return notebook


def words(notebook):
    """Return the text outputs of the cells, one entry per cell, with # for every number."""
    found = []
    for cell in code_cells(notebook):
        parts = [output.text if output.output_type == "stream" else output.get("data", {}).get("text/html", "")
                 for output in cell.outputs]  # fmt: skip
        found.append(re.sub(r"\s+", " ", re.sub(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", "#", "\n".join(parts))))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "names", nargs="*", help="names of notebooks without .ipynb; by default those that are not current"
    )
    parser.add_argument("--write", action="store_true", help="run the notebooks and save them with their outputs")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {path.stem for path in NOTEBOOKS}
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: no such notebook; expected {', '.join(p.stem for p in NOTEBOOKS)}")
    for path in NOTEBOOKS:
        current = is_current(nbformat.read(path, as_version=4))
        if arguments.names and path.stem not in arguments.names:
            continue
        if not arguments.write or (current and not arguments.names):
            print(f"{path.stem}: {'current' if current else 'not current'}")
            continue
        nbformat.write(executed(path), path)
        print(f"{path.stem}: written, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
