"""The map of the code: the imports between folders, as a table, as floors, and as a picture.

Run from the repository root: ``python -m benchmarks.house [--docs]``. With ``--docs`` it writes the table and the
picture of ``docs/house.md``; without, it prints the numbers of files, floors and lines. All imports count, also those
inside functions and under ``TYPE_CHECKING``. Names in strings do not count: the lists of solvers, guarantees and
experiments, whose modules are imported on first use.
"""

from __future__ import annotations

import argparse
import ast
from collections import defaultdict
from pathlib import Path

from benchmarks.machine import table

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- rooms -->", "<!-- end of rooms -->"
PACKAGES = ("planted", "recovery", "linear_lottery", "figures", "paper_repro")


def module_name(path, root=ROOT):
    """Return the dotted name of a source file."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(root=ROOT, packages=PACKAGES):
    """Return {module: set of modules of this project that it imports}, wherever the import is."""
    files = {module_name(path, root): path for name in packages for path in sorted((root / name).rglob("*.py"))}
    graph = {}
    for module, path in files.items():
        found = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
                    parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                    base = ".".join([*parents, *([base] if base else [])])
                for alias in node.names:
                    inner = f"{base}.{alias.name}"
                    found.add(inner if inner in files else base)
        graph[module] = (found & set(files)) - {module}
    return graph


def circles(graph):
    """Return the groups of modules that import each other: strongly connected components of two or more."""
    index, low, stack, on_stack, found = {}, {}, [], set(), []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on_stack.add(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on_stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = []
            while not group or group[-1] != node:
                group.append(stack.pop())
                on_stack.discard(group[-1])
            if len(group) > 1:
                found.append(sorted(group))

    for node in graph:
        if node not in index:
            visit(node)
    return sorted(found)


def floors(graph, within):
    """Return the number of modules in the longest chain of imports inside a set of modules without cycles."""
    heights = {}

    def height(node):
        if node not in heights:
            heights[node] = 1 + max((height(other) for other in graph[node] if other in within), default=0)
        return heights[node]

    return max((height(node) for node in within), default=0)


def folder_of(module, root=ROOT):
    """Return the folder of a module on the map: a folder of ``recovery``, or one of the other packages."""
    package, *rest = module.split(".")
    if package == "recovery" and rest and (root / package / rest[0]).is_dir():
        return f"{package}.{rest[0]}"
    return package


def folders(graph, root=ROOT):
    """Return {folder: set of folders that its modules import}."""
    found = defaultdict(set)
    for module, others in graph.items():
        home = folder_of(module, root)
        found[home] |= {folder_of(other, root) for other in others} - {home}
    return dict(found)


def levels(graph):
    """Return the floor of every folder: 0 for those that import no other folder."""
    found = {}

    def level(node):
        if node not in found:
            found[node] = 1 + max((level(other) for other in graph[node]), default=-1)
        return found[node]

    for node in graph:
        level(node)
    return found


def rooms(graph, root=ROOT):
    """Return the table of ``docs/house.md``: every folder, the first line of its docstring, and its imports."""
    at = folders(graph, root)
    floor = levels(at)
    rows = []
    for name in sorted(at, key=lambda one: (-floor[one], one)):
        text = ast.get_docstring(ast.parse(_path(name).read_text())).splitlines()[0]
        rows.append([f"`{name}`", text, ", ".join(f"`{other}`" for other in sorted(at[name])) or "none"])
    return table(["folder", "contents", "imports"], rows)


def write_docs(graph):
    """Write the table and the picture to ``docs/``."""
    page = ROOT / "docs" / "house.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{rooms(graph)}\n{END}{after}")
    draw(folders(graph)).savefig(ROOT / "docs" / "house.png", dpi=90, metadata={"Software": "sparse-recovery-lab"})


def draw(graph):
    """Return a figure of the folders, one row for each floor; arrows point to the imported folders."""
    from matplotlib.figure import Figure

    at = levels(graph)
    rows = defaultdict(list)
    for name in sorted(at, key=lambda one: (at[one], PACKAGES.index(one.partition(".")[0]), one)):
        rows[at[name]].append(name)
    colours = dict(zip(PACKAGES, ("#e8d9a8", "#a8c8e8", "#b8dcb0", "#e0b8c8", "#d0c4e4"), strict=True))
    widest = max(map(len, rows.values()))
    figure = Figure(figsize=(2.1 * widest, 0.95 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    place = {
        name: ((index + 0.5) * widest / len(row), floor)
        for floor, row in rows.items()
        for index, name in enumerate(row)
    }
    # omit an arrow that other arrows imply: a -> c if a -> b -> c
    reach = {}
    for name in sorted(at, key=at.get):
        reach[name] = set().union(*({other} | reach[other] for other in graph[name]), set())
    for name, others in graph.items():
        for other in others:
            if any(other in reach[between] for between in others if between != other):
                continue
            axes.annotate(
                "",
                xy=(place[other][0], place[other][1] + 0.2),
                xytext=(place[name][0], place[name][1] - 0.2),
                arrowprops={"arrowstyle": "->", "color": "0.55", "linewidth": 0.7},
            )
    for name, (x, y) in place.items():
        package, _, rest = name.partition(".")
        text = f"{package}\n{rest}" if rest else package
        box = {"boxstyle": "round,pad=0.35", "facecolor": colours[package], "edgecolor": "0.4", "linewidth": 0.6}
        axes.text(x, y, text, ha="center", va="center", fontsize=8, bbox=box)
    axes.set(xlim=(0, widest), ylim=(-0.6, len(rows) - 0.4))
    axes.axis("off")
    return figure


def main(arguments=None):
    """Print the tables, or write the table and the picture of the documentation."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.house", description=__doc__.splitlines()[0])
    parser.add_argument("--docs", action="store_true", help="write the table and the picture of docs/house.md")
    options = parser.parse_args(arguments)
    graph = imports()
    found = circles(graph)
    at = folders(graph)
    rows = []
    for name in sorted({*PACKAGES, *at}):
        inside = {module for module in graph if module == name or module.startswith(name + ".")}
        lines = sum(len(_path(module).read_text().splitlines()) for module in inside)
        chain = "-" if found else floors(graph, inside)
        rows.append([name, len(inside), chain, f"{lines:,}", ", ".join(sorted(at[name])) or "-"])
    print(table(["folder", "files", "floors", "lines", "imports"], rows))
    print(f"\n{len(found)} cycles of imports" + "".join(f"\n  {', '.join(group)}" for group in found))
    if options.docs and not found:
        write_docs(graph)
    return 1 if found else 0


def _path(module):
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


if __name__ == "__main__":
    raise SystemExit(main())
