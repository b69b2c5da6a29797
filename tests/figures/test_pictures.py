"""The command that draws the pictures of the pages: the lead picture, names, and what is not computed."""

from benchmarks import pictures


def test_the_lead_picture_has_the_papers_method_beside_exact_recovery(results):
    figure = pictures.lead(results("fig1"))
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["IHT as in the paper", "exact recovery"]
    bars = [axes.get_ylabel() for axes in figure.axes if "%" in axes.get_ylabel() or "dB" in axes.get_ylabel()]
    assert bars == ["same network\n(% of the seeds)", "median PSNR (dB)"]
    assert "the grid of Figure 1, preset smoke" in figure.get_suptitle()


def test_names_of_files_say_the_preset_where_the_pages_do():
    assert pictures.file_of("fig1", "quick") == "fig1_quick.png"
    assert pictures.file_of("exact-limits", "quick") == "exact_limits_quick.png"
    assert pictures.file_of("pr-neq-phi", "quick") == "pr_neq_phi.png"
    there = {path.name for path in pictures.DOCS.glob("*.png")}
    assert {pictures.file_of(name, "quick") for name in (*pictures.SUFFIX, *pictures.PLAIN)} <= there


def test_what_is_not_computed_is_said_and_not_drawn(tmp_path, capsys):
    pictures.main(["rsc", "--results", str(tmp_path), "--output", str(tmp_path)])
    assert "`paper-repro run rsc --preset quick" in capsys.readouterr().out
    assert not list(tmp_path.glob("*.png"))
