"""Imports have no cycles and point down, between modules, between packages and between folders of recovery."""

import ast

import pytest

from benchmarks import house

GRAPH = house.imports()
ORDER = (
    "planted",
    "recovery.exact",
    "recovery.symbolic",
    "recovery.operators",
    "recovery.certificates",
    "recovery.solvers",
    "recovery.mlp",
    "recovery.pruning",
    "recovery.networks",
    "recovery.conditions",
    "recovery.guarantees",
    "recovery.diagnosis",
    "recovery.estimators",
    "recovery",
    "linear_lottery",
    "figures",
    "paper_repro",
)
"""Every folder may import those that stand before it."""
MOST_FILES = {"recovery": 210, "paper_repro": 75, "figures": 35}


def test_no_modules_import_each_other():
    assert house.circles(GRAPH) == []


def test_folders_import_what_stands_below_them():
    found = house.folders(GRAPH)
    assert set(found) == set(ORDER)
    upward = [
        f"{name} imports {other}"
        for name, others in found.items()
        for other in others
        if ORDER.index(other) > ORDER.index(name)
    ]
    assert upward == []


@pytest.mark.parametrize("package", MOST_FILES)
def test_a_file_is_an_idea_and_not_a_length(package):
    count = sum(module == package or module.startswith(package + ".") for module in GRAPH)
    assert 10 < count <= MOST_FILES[package]


def made(tmp_path, **texts):
    """Write modules into a package `planted` and return its imports."""
    folder = tmp_path / "planted"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    return house.imports(tmp_path, ("planted",))


@pytest.mark.parametrize(
    "text",
    [
        "import planted.b",
        "from planted import b",
        "from planted.b import x",
        "from . import b",
        "from .b import x",
        "def f():\n    from planted import b",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from planted.b import X",
    ],
)
def test_a_circle_is_seen_wherever_the_import_stands(tmp_path, text):
    graph = made(tmp_path, a=text, b="from planted import c", c="import planted.a", d="import planted.a")
    assert house.circles(graph) == [["planted.a", "planted.b", "planted.c"]]


def test_floors_are_the_longest_chain(tmp_path):
    graph = made(tmp_path, a="", b="import planted.a", c="import planted.b\nimport planted.a", d="import planted.a")
    assert house.floors(graph, set(graph)) == 3
    assert house.circles(graph) == []


def test_the_picture_has_every_folder():
    texts = [text.get_text().replace("\n", ".") for text in house.draw(house.folders(GRAPH)).axes[0].texts]
    assert set(ORDER) <= set(texts)


def test_the_page_has_the_table_that_the_command_makes():
    text = (house.ROOT / "docs" / "house.md").read_text()
    assert f"{house.BEGIN}\n{house.rooms(GRAPH)}\n{house.END}" in text


def test_settings_travel_as_one_object():
    found = set()
    for module in GRAPH:
        path = house._path(module)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                names = [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
                if len([name for name in names if name not in ("self", "cls")]) > 6:
                    found.add(f"{path.relative_to(house.ROOT).as_posix()}:{node.name}")
    assert found == set()
