"""docs/guide/pruning.md: its examples run, and its table is that of the catalogue."""

import re
from pathlib import Path

import numpy as np

from recovery import pruning

PAGE = (Path(__file__).parents[2] / "docs" / "guide" / "pruning.md").read_text()


def test_the_examples_run(capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    space = {}
    for block in blocks:
        exec(compile(block, "docs/guide/pruning.md", "exec"), space)
    assert "method " in capsys.readouterr().out
    assert space["accuracy"] > 0.8
    assert np.isfinite(space["scores"][0]).all()


def test_the_table_is_that_of_the_command():
    assert pruning.describe().markdown() in PAGE
