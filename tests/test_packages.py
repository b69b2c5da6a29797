"""Features of this package beside others: ours has all of them, and the page shows what was measured."""

import json
import re

import pytest

from benchmarks import packages, tables

pytest.importorskip("sklearn")
pytest.importorskip("pandas")
PAGE = (tables.ROOT / "docs" / "choose" / "packages.md").read_text()
KEPT = json.loads(packages.KEPT.read_text())
OURS = packages.PACKAGES[0]


@pytest.mark.parametrize("feature", packages.FEATURES)
def test_this_package_has_the_feature(feature):
    getattr(OURS, feature)()  # raises if it is missing


@pytest.mark.parametrize("feature", packages.FEATURES)
def test_a_feature_that_breaks_is_noticed(feature, monkeypatch):
    """Without fitting, solving, displaying or pruning no probe may pass: none answers yes by itself."""
    import recovery

    def broken(*arguments, **options):
        raise ValueError("broken")

    monkeypatch.setattr(recovery.SparseRegressor, "fit", broken)
    monkeypatch.setattr(recovery, "solve", broken)
    assert packages.answer(getattr(OURS, feature)) == ("no", "ValueError: broken")


def test_what_was_kept_is_complete():
    names = [one.name for one in packages.PACKAGES]
    assert list(KEPT["answers"]) == list(KEPT["versions"]) == names
    assert all(list(by_feature) == list(packages.FEATURES) for by_feature in KEPT["answers"].values())
    answers = {said for by_feature in KEPT["answers"].values() for said, _ in by_feature.values()}
    assert answers <= {"yes", "no", "not applicable"}
    assert {said for said, _ in KEPT["answers"][OURS.name].values()} == {"yes"}
    assert all(text for by_feature in KEPT["answers"].values() for said, text in by_feature.values() if said != "yes")


def test_no_table_of_the_page_has_a_no_in_our_column():
    found = 0
    for head, body in re.findall(r"(?m)^(\|.*\| this package \|.*\|)\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE):
        place = [cell.strip() for cell in head.split("|")].index("this package")
        for line in body.splitlines():
            cell = line.split("|")[place].strip()
            assert not re.match(r"no\b|not |none|-|$", cell), line
            found += 1
    assert found >= len(packages.FEATURES) + 7


def test_parts_are_described_under_the_names_they_are_passed_by():
    part = PAGE[PAGE.index("## Parts of your own") : PAGE.index("## Measured speed")]
    for name in ("solver", "operator", "method for networks", "pruning criterion", "condition", "guarantee"):
        assert re.search(rf"(?m)^\| {name}.*\]\(\.\./.*\) \|$", part), name


def test_a_missing_package_is_said_and_nothing_is_kept(tmp_path, monkeypatch, capsys):
    class Nowhere(packages.ScikitLearn):
        name, module = "nowhere", "a_module_that_is_not_there"

    monkeypatch.setattr(packages, "PACKAGES", (Nowhere(),))
    monkeypatch.setattr(packages, "KEPT", tmp_path / "kept.json")
    packages.main([])
    out = capsys.readouterr().out
    assert out.count("| not installed |") == len(packages.FEATURES)
    with pytest.raises(SystemExit, match="nowhere"):
        packages.keep({"nowhere": packages.tried(Nowhere())}, tmp_path / "kept.json")
    assert not (tmp_path / "kept.json").exists()


def test_answers_have_their_reasons():
    def not_here():
        raise packages.NotApplicable("no frames")

    def wrong():
        packages.close([1.0, 2.0], [1.0, 2.5], "coefficients differ")

    def failing():
        raise TypeError("first line\nsecond line")

    assert packages.answer(lambda: None) == ("yes", "")
    assert packages.answer(lambda: "by solve") == ("yes", "by solve")
    assert packages.answer(not_here) == ("not applicable", "no frames")
    assert packages.answer(wrong) == ("no", "coefficients differ by 5.0e-01")
    assert packages.answer(failing) == ("no", "TypeError: first line")


def test_a_way_to_save_that_appears_asks_for_a_probe():
    class Later:
        def save_model(self):
            pass

    with pytest.raises(packages.Missing):
        packages.without_saving(object())
    with pytest.raises(RuntimeError, match="save_model"):
        packages.without_saving(Later())


def test_scikit_learn_is_tried_too():
    answers = {feature: said for feature, (said, _) in packages.tried(packages.PACKAGES[1]).items()}
    assert answers["sparse"] == answers["weights"] == answers["pipeline"] == "yes"
    assert answers["operator"] == answers["save"] == "no"
