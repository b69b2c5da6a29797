"""Merging of shards of a preset: nothing is lost, and no conflict is resolved silently."""

import json
import shutil

import pytest
import toy_experiment as toy
from toy_runs import contents

from paper_repro import cli, experiment, sweep
from paper_repro.merge import merge
from paper_repro.plan import in_batches, in_order
from paper_repro.store import FORMAT, Record, Store, StoreError

CELLS = toy.cells("quick", 0)[:6]


def record(cell, total=1.0, **changes):
    run = {"wall_s": 1.0, "device": "cpu", "versions": {"numpy": "2.1.0"}}
    return Record(toy.EXPERIMENT.cell(cell), "done", "", {"total": total}, {}, run | changes)


def failed(cell, message="ValueError: no"):
    return Record(toy.EXPERIMENT.cell(cell), "failed", message)


def folder(path, *records):
    for one in records:
        Store(path / "store").write(one)
    return path


def counts(merged):
    return merged.added, merged.replaced, merged.known, merged.complaints


def test_new_cells_are_added_byte_for_byte_and_a_second_merge_changes_nothing(tmp_path):
    sources = [tmp_path / "a", tmp_path / "b"]
    for index, source in enumerate(sources):
        sweep.run(toy.EXPERIMENT, toy.cells("smoke", 0)[2 * index :], Store(source / "store"), jobs=1)
    assert counts(merge(sources, tmp_path / "r")) == (4, 0, 2, [])
    assert contents(tmp_path / "r") == contents(sources[0])
    for path in (sources[0] / "store" / "toy").iterdir():
        assert (tmp_path / "r" / "store" / "toy" / path.name).read_bytes() == path.read_bytes()
    assert counts(merge(sources, tmp_path / "r")) == (0, 0, 6, [])
    assert contents(tmp_path / "r") == contents(sources[0])


def test_a_finished_cell_beats_a_failed_one_from_either_side(tmp_path):
    there = folder(tmp_path / "r", failed(CELLS[0]), record(CELLS[1]), failed(CELLS[2]))
    source = folder(tmp_path / "a", record(CELLS[0]), failed(CELLS[1]), failed(CELLS[2], "ValueError: other"))
    assert counts(merge([source], there)) == (0, 1, 2, [])
    found = {one.cell.key: one for one in Store(there / "store").records()}
    states = [(one.status, one.message) for one in (found[toy.EXPERIMENT.cell(cell).key] for cell in CELLS[:3])]
    assert states == [("done", ""), ("done", ""), ("failed", "ValueError: no")]


def test_finished_cells_that_differ_are_a_conflict_and_the_one_that_is_there_stays(tmp_path):
    there = folder(tmp_path / "r", record(CELLS[0], 1.0), record(CELLS[1]))
    source = folder(tmp_path / "a", record(CELLS[0], 2.0, device="gpu"), record(CELLS[1], wall_s=9.0))
    before = contents(there)
    merged = merge([source], there)
    (sentence,) = merged.complaints
    name = f"{toy.EXPERIMENT.cell(CELLS[0]).key}.json"
    assert sentence.startswith(f"conflict: {source / 'store' / 'toy' / name} and {there / 'store' / 'toy' / name}")
    assert "differ (device gpu and cpu); the second is kept" in sentence
    assert contents(there) == before


@pytest.mark.parametrize("ending", ["json", "npz"])
def test_damaged_files_are_skipped_with_a_sentence_and_robust_where_the_other_side_is_whole(tmp_path, ending):
    for name in ("a", "r"):
        sweep.run(toy.EXPERIMENT, toy.cells("smoke", 0), Store(tmp_path / name / "store"), jobs=1)
    paths = [next((tmp_path / name / "store" / "toy").glob(f"*.{ending}")) for name in ("a", "r")]
    whole = paths[0].read_bytes()
    paths[0].write_bytes(whole[:-3])
    merged = merge([tmp_path / "a"], tmp_path / "r")
    assert counts(merged)[:3] == (0, 0, 3)
    (sentence,) = merged.complaints
    assert sentence.startswith(f"skipped: {paths[0]} is damaged")
    paths[0].write_bytes(whole)
    paths[1].write_bytes(b"\x00")
    assert counts(merge([tmp_path / "a"], tmp_path / "r")) == (0, 1, 3, [])
    assert contents(tmp_path / "a") == contents(tmp_path / "r")


def test_another_format_a_folder_without_results_and_the_target_itself_are_refused(tmp_path):
    source = folder(tmp_path / "a", record(CELLS[0]))
    (path,) = source.rglob("*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": FORMAT + 1}))
    with pytest.raises(StoreError, match=f"format {FORMAT + 1} and this version reads format {FORMAT}"):
        merge([source], tmp_path / "r")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="empty holds no results; expected a folder that --results was given"):
        merge([tmp_path / "empty"], tmp_path / "r")
    with pytest.raises(StoreError, match="cannot be merged into itself"):
        merge([source], tmp_path / "a" / ".." / "a")
    assert not (tmp_path / "r").exists()


def test_a_cell_under_another_name_or_experiment_is_skipped(tmp_path):
    source = folder(tmp_path / "a", record(CELLS[0]))
    shutil.copytree(source / "store" / "toy", source / "store" / "other")
    assert [one.startswith("skipped:") for one in merge([source], tmp_path / "r").complaints] == [True]
    assert len(contents(tmp_path / "r")) == 1


def test_tables_of_verify_are_merged_and_one_that_found_something_is_not_lost(tmp_path):
    for name, verdicts in (("a", {"x": True, "y": False, "z": False}), ("r", {"y": True, "z": False})):
        (tmp_path / name / "verify").mkdir(parents=True)
        for stem, passed in verdicts.items():
            (tmp_path / name / "verify" / f"{stem}.json").write_text(json.dumps({"passed": passed, "from": name}))
            (tmp_path / name / "verify" / f"{stem}.md").write_text(name)
    (tmp_path / "a" / "verify" / "counter-example.npz").write_bytes(b"numbers")
    (tmp_path / "a" / "verify" / ".half.json.host.1.tmp").write_bytes(b"half")
    assert merge([tmp_path / "a"], tmp_path / "r").verify == 5
    found = {path.name: path.read_bytes() for path in (tmp_path / "r" / "verify").iterdir()}
    assert sorted(found) == [
        "counter-example.npz",
        *(f"{stem}.{ending}" for stem in "xyz" for ending in ("json", "md")),
    ]
    assert [found[f"{stem}.md"] for stem in "xyz"] == [b"a", b"a", b"r"]
    assert [json.loads(found[f"{stem}.json"])["from"] for stem in "xyz"] == ["a", "a", "r"]
    assert merge([tmp_path / "a"], tmp_path / "r").verify == 0


def test_shares_are_disjoint_complete_balanced_and_do_not_depend_on_the_order(tmp_path):
    cells = toy.cells("quick", 0)
    whole = [job.cell.key for job in in_order(toy.EXPERIMENT, [*cells, *cells])]
    assert len(whole) == 40
    shares = [in_order(toy.EXPERIMENT, cells, (index, 3)) for index in (1, 2, 3)]
    assert sorted(job.cell.key for share in shares for job in share) == sorted(whole)
    costs = [sum(job.cost for job in share) for share in shares]
    assert max(costs) - min(costs) <= max(job.cost for job in shares[0])
    assert in_order(toy.EXPERIMENT, cells[::-1], (2, 3)) == shares[1]


@pytest.mark.parametrize("shard", [(0, 2), (3, 2)])
def test_a_share_that_does_not_exist_is_refused(tmp_path, shard):
    with pytest.raises(ValueError, match=r"expected \(i, n\) with 1 <= i <= n"):
        sweep.run(toy.EXPERIMENT, CELLS, Store(tmp_path / "s"), shard=shard)
    assert not (tmp_path / "s").exists()


def test_batches_hold_cells_of_one_key_and_are_shared_out_over_the_places():
    cells = [toy.ToyCell(size, seed) for seed, count in ((0, 5), (1, 2)) for size in range(1, count + 1)]
    jobs = in_order(toy.EXPERIMENT, cells)

    def sizes(limit, places):
        return [[job.settings.size for job in batch] for batch in in_batches(toy.EXPERIMENT, jobs, limit, places)]

    assert sizes(16, 1) == [[5, 4, 3, 2, 1], [2, 1]]
    assert sizes(2, 1) == [[5, 4], [3, 2], [2, 1], [1]]
    assert sizes(16, 2) == [[5, 4, 3], [2, 1], [2], [1]]
    assert sizes(1, 1) == [[job.settings.size] for job in jobs]
    for batch in in_batches(toy.EXPERIMENT, jobs, 16, 1):
        assert len({job.settings.seed for job in batch}) == 1


def test_shards_and_merge_at_the_command_line_give_what_one_run_gives(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(experiment, "_registered", {})
    experiment.register(toy.EXPERIMENT)

    def command(*arguments, to):
        code = cli.main([*arguments, "--results", str(tmp_path / to)])
        return code, *capsys.readouterr()

    options = ("run", "toy", "--preset", "smoke", "--device", "cpu", "--jobs", "1")
    for index in (1, 2):
        code, output, _ = command(*options, "--shard", f"{index}/2", to=str(index))
        assert (code, output) == (0, f"toy: 2 cells computed, 0 reused; share {index} of 2, nothing drawn\n")
        assert [path.name for path in (tmp_path / str(index)).iterdir()] == ["store"]
    code, output, _ = command("merge", str(tmp_path / "1"), str(tmp_path / "2"), to="r")
    assert (code, output) == (0, f"{tmp_path / 'r'}: 4 cells added, 0 replaced, 0 already present\n")
    code, output, _ = command(*options, to="r")
    assert code == 0
    assert "toy: 0 cells computed, 4 reused, drawn" in output
    assert command(*options, to="straight")[0] == 0
    assert contents(tmp_path / "r") == contents(tmp_path / "straight")
    for name in ("1", "2"):
        for path in (tmp_path / name).rglob("*.npz"):
            path.unlink()
    code, _, errors = command("merge", str(tmp_path / "1"), str(tmp_path / "2"), to="r")
    assert code == 1
    assert errors.count("paper-repro: skipped: ") == 4
    code, _, errors = command("merge", str(tmp_path / "nothing"), to="r")
    assert code == 1
    assert "nothing holds no results" in errors


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "a/b", "1/0", "-1/2"])
def test_wrong_shares_are_refused_as_argparse_does(capsys, text):
    with pytest.raises(SystemExit) as caught:
        cli.main(["run", f"--shard={text}"])
    assert caught.value.code == 2
    assert f"'{text}' is not understood; expected a share such as 2/5" in capsys.readouterr().err
