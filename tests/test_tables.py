"""The tables of figures, solvers and guarantees in README and docs are those of the registries."""

import re
import shutil

import pytest

from benchmarks import tables


@pytest.mark.parametrize("page", tables.pages(), ids=lambda page: page.name)
def test_a_page_has_its_tables_as_the_registries_have_them(page):
    text = page.read_text()
    assert tables.rewritten(text) == text
    assert text.count("<!-- table: ") == len(tables.BLOCK.findall(text))  # none is without an end


def test_every_table_is_on_one_page_and_that_of_speeds_on_one_or_more():
    found = [name for page in tables.pages() for name, _ in tables.BLOCK.findall(page.read_text())]
    assert set(found) == set(tables.TABLES)
    assert [name for name in sorted(found) if name != "solver-speed"] == sorted({*tables.TABLES} - {"solver-speed"})


def test_every_experiment_solver_and_guarantee_has_a_row():
    import linear_lottery
    import recovery
    from paper_repro import experiment
    from recovery.guarantees import pruning

    catalogue = [*linear_lottery.guarantees.catalogue(), *recovery.guarantees.catalogue(), *pruning.catalogue()]
    names = [*experiment.names(), *recovery.list_solvers(), *(one.name for one in catalogue)]
    measured = {"solver-speed", "package-features", "package-details"}
    made = [make for name, make in tables.TABLES.items() if name not in measured]
    rows = [row[0].strip("`") for make in made for row in make()[1]]
    assert sorted(rows) == sorted(names)


def test_a_table_that_is_out_of_date_is_said_and_put_right(tmp_path, monkeypatch, capsys):
    (tmp_path / "docs").mkdir()
    shutil.copy(tables.ROOT / "README.md", tmp_path)
    whole = (tmp_path / "README.md").read_text()
    stale = re.sub(r"(?m)^\| `fig2` .*\n", "", whole).replace("| `htp` | ", "| `htp` | the best, ")
    (tmp_path / "README.md").write_text(stale)
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    assert tables.main([]) == 1
    assert capsys.readouterr().out == "README.md: out of date\n"
    assert (tmp_path / "README.md").read_text() == stale
    assert tables.main(["--write"]) == 0
    assert (tmp_path / "README.md").read_text() == whole
    assert tables.main([]) == 0


def test_a_sign_that_divides_columns_is_kept():
    assert tables.markdown(["a"], [["|x|"]]) == "| a |\n|---|\n| \\|x\\| |"
    assert tables.escaped("|x|_1 + (G x)_S + `a_b`") == "\\|x\\|\\_1 + (G x)\\_S + `a_b`"
