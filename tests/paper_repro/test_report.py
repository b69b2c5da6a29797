"""The report: the page shows everything in the store and nothing else, and lists missing results."""

import base64
import dataclasses
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote

import blank_figures
import fabricated
import pytest
import toy_experiment
from pages import Page

from paper_repro import claims, cli, experiment, render, report, verdicts
from paper_repro.results import store_of
from paper_repro.store import Record, StoreError

NAMES = ("imp-decoy", "phase", "rsc", "gram")
SENTENCE = 'ValueError: <script>alert("1")</script> & so on'


@pytest.fixture
def few(monkeypatch):
    """Four of the figures, drawn blank."""
    monkeypatch.setattr(experiment, "names", lambda: list(NAMES))
    return blank_figures.install(monkeypatch)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Made-up cells of three of them, written once."""
    folder = tmp_path_factory.mktemp("original")
    with pytest.MonkeyPatch.context() as patch:
        blank_figures.install(patch)
        for name in NAMES[:3]:
            fabricated.fill(folder, name, "smoke")
    return folder


@pytest.fixture
def filled(few, original, tmp_path):
    """A results folder of a test's own."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return tmp_path


def written(folder, **options):
    path, _ = report.write_report("smoke", folder, **options)
    return Page(path.read_text(encoding="utf-8"))


def sections(page):
    return {has["id"]: text for has, text in page.all("section", class_="figure")}


def with_claims(monkeypatch, name="rsc"):
    one = experiment.get(name)
    made = [
        claims.Claim(
            "Figure 3",
            "a < b",
            "what was counted",
            "held",
            "4 of 4 cells",
            "not held",
            "1 of 4 cells",
            data="digits of 8 x 8 (the paper: MNIST)",
            interval="share 1.00 [0.90, 1.00], limit 0.50",
        ),
        claims.Claim("Figure 3", "c", "and that", "not measured", "nothing", data="no data"),
        claims.Claim("Figure 3", "d", "and this", "too close to call", "2 of 4 cells", data="no data"),
    ]

    def summarise(*arguments):
        further = {"title": "More numbers", "columns": ["a"], "rows": [[1.0]]}
        return {
            **one.summarise(*arguments),
            "claims": [claim.as_dict() for claim in made],
            "tables": [further],
        }

    monkeypatch.setitem(experiment._registered, name, dataclasses.replace(one, summarise=summarise))


def test_every_registered_figure_has_a_section_with_its_picture_table_and_settings(tmp_path, monkeypatch):
    blank_figures.install(monkeypatch)
    for name in experiment.names():
        fabricated.fill(tmp_path, name, "smoke")
    page = written(tmp_path)
    found = sections(page)
    assert len(found) == len(experiment.names())
    for name, text in zip(experiment.names(), found.values(), strict=True):
        one = experiment.get(name)
        assert one.title in text
        assert "Settings of preset smoke" in text
        cells = {one.cell(settings).key for settings in one.cells("smoke", 0)}
        assert f"{len(cells)} of {len(cells)} computed" in text
    images = page.all("img")
    assert len(images) == len(experiment.layouts())
    for has, _ in images:
        assert has["src"].startswith("data:image/svg+xml,")  # nothing, until the script unpacks the picture
        assert gzip.decompress(base64.b64decode(has["data-packed"])) == blank_figures.pictures()["svg"]
        assert (int(has["width"]), int(has["height"])) == blank_figures.SIZE
        assert len(has["alt"]) > 40
    assert len(page.all("table")) >= 1 + len(found)


def test_links_lead_somewhere_and_nothing_comes_from_outside(filled, tmp_path, monkeypatch):
    elsewhere = tmp_path / "other folder" / "page.html"
    for output in (None, elsewhere):
        page = written(filled, output=output)
        folder = filled if output is None else elsewhere.parent
        named = [has["id"] for _, has, _ in page.elements if "id" in has]
        assert len(set(named)) == len(named)
        links = [has["href"] for has, _ in page.all("a")]
        assert {link[1:] for link in links if link.startswith("#")} <= set(named)
        files = [link for link in links if not link.startswith("#")]
        assert not [link for link in files if ":" in link]
        assert all((folder / unquote(link)).is_file() for link in files)
        cells = [(folder / unquote(link)).resolve() for link in files if "/store/" in f"/{link}"]
        assert sorted(cells) == sorted((filled / "store").glob("*/*.json"))
        assert not [has for _, has, _ in page.elements if any(key.startswith("on") for key in has)]
        assert not [has for _, has, _ in page.elements if "style" in has]
        assert not page.all("link")


def test_the_policy_lets_in_the_style_and_the_script_of_the_page_and_pictures_inside_it(filled):
    page = written(filled)
    (policy,) = (has["content"] for has, _ in page.all("meta", http_equiv="Content-Security-Policy"))
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for name in ("style", "script"):
        ((_, text),) = page.all(name)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules.pop(f"{name}-src") == f"'sha256-{digest}'"
    assert rules == {"default-src": "'none'", "img-src": "data: blob:", "base-uri": "'none'", "form-action": "'none'"}


def test_the_same_store_gives_the_same_bytes(few, tmp_path):
    pages = []
    for folder in (tmp_path / "a" / "results", tmp_path / "b" / "results"):
        fabricated.fill(folder, "rsc", "smoke")
        path, _ = report.write_report("smoke", folder)
        pages.append(path.read_bytes().replace(str(folder).encode(), b"results"))
        assert report.write_report("smoke", folder)[0].read_bytes() == path.read_bytes()
    assert pages[0] == pages[1]
    assert few == ["rsc", "rsc"]  # drawn once a folder


def test_claims_stand_at_the_top_and_beside_their_figure(filled, monkeypatch):
    with_claims(monkeypatch)
    page = written(filled)
    ((_, top),) = page.all("table", class_="sortable claims")
    assert "a < b" in top
    assert "share 1.00 [0.90, 1.00], limit 0.50" in top
    assert "digits of 8 x 8 (the paper: MNIST)" in top
    (header,) = (text for _, text in page.all("header"))
    assert (
        "1 held, 0 not held, 1 too close to call, 1 not measured. Against a fair IMP: 0 held, 1 not held, "
        "0 too close to call, 0 not measured, 2 without IMP" in header
    )
    assert "Judged: rsc on digits of 8 x 8 (the paper: MNIST); rsc on no data." in header
    assert verdicts.BASIS in header
    assert [has["class"] for has, text in page.all("span") if text == "too close to call"] == [
        "verdict too-close-to-call"
    ] * 2
    own = sections(page)["figure-rsc"]
    assert (
        "Compared as in the paper: 1 held, 1 too close to call, 1 not measured; against a fair IMP: 1 not held" in own
    )
    assert "More numbers" in own
    for text in (
        "Figure 3: a < b",
        "held share 1.00 [0.90, 1.00], limit 0.50. 4 of 4 cells",
        "not held 1 of 4 cells",
        "Rulewhat was counted",
        "Data and sizedigits of 8",
    ):
        assert text in own
    assert "Claims" not in sections(page)["figure-phase"]
    assert [has["class"] for has, text in page.all("span") if text == "not held"] == ["verdict not-held"] * 2


def test_failed_and_damaged_cells_are_listed_as_text_and_give_exit_code_1(filled, capsys):
    store = store_of(filled)
    cells = [record.cell for record in fabricated.records("rsc", "smoke")]
    store.write(Record(cells[0], "failed", SENTENCE))
    store.path(cells[1]).write_text("half")
    store.path(cells[2]).unlink()
    code = cli.main(["report", "--preset", "smoke", "--results", str(filled)])
    said = capsys.readouterr()
    assert (code, said.out) == (1, f"report: {filled / 'report-smoke.html'}\n")
    assert "2 cells failed; the report lists them" in said.err
    page = Page((filled / "report-smoke.html").read_text())
    own = sections(page)["figure-rsc"]
    assert SENTENCE in own
    assert "is damaged: it is not a JSON document" in own
    assert f"seed = {cells[0].settings['seed']}" in own
    assert "1 cell not computed yet: paper-repro run rsc --preset smoke --results" in own
    ((_, states),) = page.all("table", class_="sortable states")
    assert "2 failed, 1 missing" in states
    assert len(page.all("script")) == 1
    assert len(page.all("ul", class_="failures")) == 2


def test_what_is_not_computed_says_how_to_compute_it(filled):
    page = written(filled)
    assert "figure-gram" not in sections(page)
    ((_, last),) = page.all("section", id="not-computed")
    assert last.startswith("Not computed at preset smokegram: ")
    assert f" cells: paper-repro run gram --preset smoke --results {filled}" in last
    assert "Settings" not in last
    # one link in the contents, and no row in the table of states
    told = [text for has, text in page.all("span") if has.get("class") == "computed"]
    assert told == ["complete"] * 3
    assert "1 not computed" in [text for has, text in page.all("a", href="#not-computed")]
    ((_, states),) = page.all("table", class_="sortable states")
    assert "gram" not in states
    assert "docs/reproduction/index.md" in page.all("header")[0][1]
    assert "3 of 4 figures and tables have results" in page.all("header")[0][1]


def test_an_empty_folder_is_a_page_that_says_so(few, tmp_path, capsys):
    (tmp_path / "new").mkdir()
    assert cli.main(["report", "--preset", "quick", "--results", str(tmp_path / "new"), "--seed", "3"]) == 0
    path = tmp_path / "new" / "report-quick-seed3.html"
    assert capsys.readouterr().out == f"report: {path}\n"
    page = Page(path.read_text())
    header = page.all("header")[0][1]
    assert "Nothing is computed yet: there are no results of preset quick" in header
    assert f"paper-repro run --results {tmp_path / 'new'} --seed 3" in header
    assert (few, page.all("img")) == ([], [])


@pytest.mark.parametrize("kind", ["folder", "below a file"])
def test_a_page_that_cannot_be_written_is_a_sentence_before_any_work(filled, few, capsys, kind):
    (filled / "file").write_text("")
    output = filled if kind == "folder" else filled / "file" / "page.html"
    assert cli.main(["report", "--preset", "smoke", "--results", str(filled), "--output", str(output)]) == 1
    said = capsys.readouterr().err
    assert re.fullmatch(r"paper-repro: cannot write the report .*; name another file with --output\n", said)
    assert ("it is a folder" if kind == "folder" else f"{filled / 'file'} is not a folder") in said
    assert few == []


def test_a_disk_that_fills_up_at_the_last_moment_is_a_sentence_and_the_older_page_stays(filled, monkeypatch):
    path, _ = report.write_report("smoke", filled)
    before = path.read_bytes()

    def full(path, data):
        raise StoreError("cannot write it") from OSError(28, "No space left on device")

    monkeypatch.setattr("paper_repro.report.page.check_output", lambda path: None)
    monkeypatch.setattr("paper_repro.report.page.write_whole", full)
    with pytest.raises(StoreError, match=r"No space left on device; name another file with --output"):
        report.write_report("smoke", filled)
    assert path.read_bytes() == before


def test_a_results_folder_that_one_may_only_read_is_drawn_into_the_page_alone(filled, tmp_path, monkeypatch):
    def refused(*arguments):
        raise StoreError("read-only")

    monkeypatch.setattr(render, "render", refused)
    page = written(filled, output=tmp_path / "page.html")
    assert len(page.all("img")) == 3
    assert not list(filled.glob("*.png"))


def test_a_store_in_another_format_leaves_the_other_figures_readable(filled):
    store = store_of(filled)
    path = store.path(fabricated.records("rsc", "smoke")[0].cell)
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    page, found = None, report.write_report("smoke", filled)
    page = Page(found[0].read_text())
    assert found[1] == 1
    assert "is written in format 99 and this version reads format 1" in sections(page)["figure-rsc"]
    assert len(page.all("img")) == 2


def test_cells_of_several_machines_list_them_all(filled):
    store = store_of(filled)
    other = {"device": "gpu", "machine": {"processor": "another", "cores": 16}, "finished": "2026-01-02T03:04:05Z"}
    for record in fabricated.records("rsc", "smoke")[:5]:
        store.write(dataclasses.replace(record, run={**record.run, **other, "warnings": ["RuntimeWarning: <w>"]}))
    page = written(filled)
    header = page.all("header")[0][1]
    assert "Machine 1" in header
    assert "computed5 cells in 2.5 s of wall time, summed over the cells" in header
    assert "processoranother" in header
    own = sections(page)["figure-rsc"]
    assert "Machines1, 2" in own
    assert "Finished2026-01-02" in own
    assert "RuntimeWarning: <w>" in own
    assert "Machines1How" not in own


def test_a_companion_shares_its_cells_and_their_time_is_counted_once(few, tmp_path, monkeypatch):
    one = experiment.get("rsc")
    twin = one.companion("twin", "More of the same cells", one.summarise)
    monkeypatch.setitem(experiment._registered, "twin", twin)
    monkeypatch.setattr(experiment, "names", lambda: ["rsc", "twin"])
    records = fabricated.records("rsc", "smoke")
    fabricated.fill(tmp_path, "rsc", "smoke")
    page = written(tmp_path)
    assert f"{len(records)} cells, {len(records) * 0.5:.1f} s of wall time" in page.all("header")[0][1]
    assert "Shares its cells withrsc" in sections(page)["figure-twin"]
    assert "A companion of rsc, drawn from the same cells" in sections(page)["figure-twin"]


def test_an_experiment_of_ones_own_without_a_drawing_is_a_table(tmp_path, monkeypatch):
    monkeypatch.setitem(experiment._registered, "toy", toy_experiment.EXPERIMENT)
    monkeypatch.setattr(experiment, "names", lambda: ["toy"])
    own = toy_experiment.EXPERIMENT
    for settings in own.cells("smoke", 0):
        run = {"wall_s": 400.0}
        store_of(tmp_path).write(Record(own.cell(settings), "done", "", *own.compute(settings, "cpu"), run))
    page = written(tmp_path)
    assert "26 min 40 s of wall time, summed over the cells" in sections(page)["figure-toy"]
    assert page.all("img") == []
    cells = page.all("td", class_="number")
    assert [float(has["data-value"]) for has, _ in cells][-8::2] == [1.0, 2.0, 3.0, 4.0]


def test_the_default_name_depends_on_preset_and_seed(few):
    from paper_repro.report.page import report_path

    assert report_path("quick", Path("results")) == Path("results/report-quick.html")
    assert report_path("paper", Path("x"), 7) == Path("x/report-paper-seed7.html")


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
@pytest.mark.parametrize(
    ("ran", "reported", "calls", "code"),
    [(0, 0, 2, 0), (1, 1, 2, 2), (1, 0, 2, 2), (0, 1, 2, 2), (130, 0, 1, 2)],
)
def test_make_figures_ends_with_the_report_and_tells_of_failures(tmp_path, ran, reported, calls, code):
    log = tmp_path / "log"
    (tmp_path / "bin").mkdir()
    stub = tmp_path / "bin" / "paper-repro"
    stub.write_text(f'#!/bin/sh\necho "$*" >> "{log}"\ntest "$1" = run && exit {ran}\nexit {reported}\n')
    stub.chmod(0o755)
    (tmp_path / "ready").touch()
    root = Path(__file__).parents[2]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}  # this may run inside make
    command = ["make", "figures", f"VENV={tmp_path}"]
    done = subprocess.run(command, cwd=root, env=clean, capture_output=True, check=False)
    assert log.read_text().splitlines() == ["run --preset quick", "report --preset quick"][:calls]
    assert done.returncode == code
