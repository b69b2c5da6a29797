"""The table of slow tests: all tests listed exist, and its format."""

import ast
from pathlib import Path

import tiers

TESTS = Path(__file__).parent


def functions(path):
    return {node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if hasattr(node, "name")}


def test_every_name_is_that_of_a_test():
    by_file = {}
    for name in sorted(tiers.slow_tests() | set(tiers.KEPT)):
        path, _, test = name.partition("::")
        by_file.setdefault(path, set()).add(test.partition("[")[0])
    assert len(by_file) > 10
    for path, names in by_file.items():
        assert names <= functions(TESTS / path), f"{path} has no longer all of {sorted(names)}"


def test_what_is_kept_is_not_slow():
    assert not tiers.slow_tests() & set(tiers.KEPT)


def test_it_is_written_from_a_report(tmp_path, monkeypatch, capsys):
    cases = [("tests.a.test_b", "test_long[x-1]", 2.0, ""), ("tests.a.test_b", "test_kept", 3.0, "")]
    cases += [("tests.test_c", "test_short", 0.1, ""), ("tests.test_c", "test_skipped", 5.0, "<skipped/>")]
    lines = [
        f'<testcase classname="{file}" name="{name}" time="{t}">{inner}</testcase>' for file, name, t, inner in cases
    ]
    report = tmp_path / "times.xml"
    report.write_text("<testsuites><testsuite>" + "".join(lines) + "</testsuite></testsuites>")
    monkeypatch.setattr(tiers, "TABLE", tmp_path / "slow_tests.txt")
    monkeypatch.setattr(tiers, "KEPT", ("a/test_b.py::test_kept",))
    tiers.main(report, 1.0)
    assert tiers.slow_tests() == {"a/test_b.py::test_long[x-1]"}
    assert capsys.readouterr().out == "tiers: 1 of 3 tests are slow; they took 2 of 5 s\n"
