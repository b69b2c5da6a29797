"""The machine epsilon of float64 is written down once."""

import re
import sys
from pathlib import Path

import planted
from planted.base.arrays import EPS

ROOT = Path(planted.__file__).parent.parent


def test_epsilon_is_the_gap_behind_one() -> None:
    assert 1.0 + EPS > 1.0
    assert 1.0 + EPS / 2.0 == 1.0
    assert sys.float_info.epsilon == EPS


def test_epsilon_is_defined_once() -> None:
    places = [
        path.relative_to(ROOT).as_posix()
        for package in ("planted", "recovery", "linear_lottery")
        for path in sorted((ROOT / package).rglob("*.py"))
        if re.search(r"finfo\((np\.float64|float|FLOAT)\)\.eps|^EPS =", path.read_text(encoding="utf-8"), re.M)
    ]
    assert places == ["planted/base/arrays.py"]
