"""Sphinx extension that writes the API reference: one page for every public name of the packages.

A name is public if the ``__all__`` of a package lists it, or the ``__all__`` of a module listed there. An object that
several modules export is described once, under its shortest name; the pages of its other names link to it.
"""

import ast
import dataclasses
import importlib
import inspect
import itertools
import pkgutil
import re
import types
from functools import cache
from pathlib import Path

FOLDER = "generated/api"
PACKAGES = ("recovery", "linear_lottery", "planted", "figures", "paper_repro")


@dataclasses.dataclass(frozen=True)
class Name:
    """One public name: the module that exports it, its kind, and the name under which it is described."""

    module: str
    name: str
    kind: str
    described_as: str

    @property
    def full(self):
        """The qualified name, with its module."""
        return f"{self.module}.{self.name}"

    @property
    def page(self):
        """The path of its page."""
        return f"{FOLDER}/{self.full}"


def load(full):
    """Return the module or object with a qualified name; it may be an alias, such as ``planted.arrays``."""
    parts = full.split(".")
    value = importlib.import_module(parts[0])
    for number, part in enumerate(parts[1:], 2):
        try:
            value = getattr(value, part)
        except AttributeError:
            value = importlib.import_module(".".join(parts[:number]))
    return value


def public_modules(packages):
    """Return the names of all public modules: packages that have ``__all__``, and the modules listed there."""
    found = []

    def visit(name):
        module = load(name)
        if name in found or not getattr(module, "__all__", None):
            return
        found.append(name)
        for one in module.__all__:
            if isinstance(getattr(module, one), types.ModuleType):
                visit(f"{name}.{one}")

    for package in packages:
        visit(package)
        for _, name, is_package in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if is_package:
                visit(name)
    return sorted(found, key=lambda name: (packages.index(name.split(".")[0]), name))


def kind_of(value):
    """Return the kind of page that an object gets."""
    if isinstance(value, types.ModuleType):
        return "module"
    if isinstance(value, type):
        return "class"
    return "function" if callable(value) and inspect.isroutine(value) else "data"


@cache
def public_names(packages):
    """Return a `Name` for every name that the public modules of `packages` export."""
    listed = []
    for module in public_modules(list(packages)):
        offered = load(module)
        listed += [(module, name, getattr(offered, name)) for name in sorted(offered.__all__)]
    best = {}
    for module, name, value in listed:
        if kind_of(value) in ("class", "function"):
            mine = (module.count("."), module)
            if id(value) not in best or mine < best[id(value)][0]:
                best[id(value)] = (mine, f"{module}.{name}")
    return tuple(
        Name(module, name, kind_of(value), best.get(id(value), ((), f"{module}.{name}"))[1])
        for module, name, value in listed
        if kind_of(value) != "module"
    )


def summary_of(value):
    """Return the first sentence or paragraph of a docstring, on one line."""
    text = inspect.getdoc(value) or ""
    return re.sub(r":[a-z:]+:`~?([^`]*)`", r"``\1``", " ".join(text.split("\n\n")[0].split()))


def attribute_docs(module):
    """Return the docstrings of the constants of a module, by name, each as a list of lines."""
    body = ast.parse(Path(inspect.getsourcefile(load(module))).read_text()).body
    found = {}
    for one, below in itertools.pairwise(body):
        targets = one.targets if isinstance(one, ast.Assign) else [getattr(one, "target", None)]
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            found |= {
                target.id: inspect.cleandoc(below.value.value).splitlines()
                for target in targets
                if isinstance(target, ast.Name)
            }
    return found


def home_of(module, name):
    """Return the module that defines a name; `module` may only re-export it."""
    places = getattr(load(module), "_PLACES", {})
    for place, names in places.items():
        if name in names.split():
            return place
    for candidate in (module, *_imported_from(module, name)):
        if name in attribute_docs(candidate):
            return candidate
    return module


def _imported_from(module, name):
    tree = ast.parse(Path(inspect.getsourcefile(load(module))).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any((one.asname or one.name) == name for one in node.names):
            yield node.module


def ours(value):
    """Return whether a function or class is defined in this project."""
    return (getattr(value, "__module__", None) or "").split(".")[0] in PACKAGES


def members_of(value):
    """Return the names of the public methods and properties of a class that are defined in this project."""
    shown = []
    for owner in filter(ours, value.__mro__):
        for name, one in vars(owner).items():
            plain = getattr(one, "fget", None) or getattr(one, "func", None) or getattr(value, name)
            wanted = callable(plain) and not isinstance(plain, type) and ours(plain) and inspect.getdoc(plain)
            if wanted and not name.startswith("_") and name not in shown:
                shown.append(name)
    return shown


def title(text, line="="):
    """Return a heading."""
    return f"{text}\n{line * len(text)}\n\n"


def page_of(one):
    """Return the text of the page about one name."""
    value = load(one.full)
    head = title(one.full)
    if one.described_as != one.full:
        role = "class" if one.kind == "class" else "func"
        return f":orphan:\n\n{head}The same as :{role}:`{one.described_as}`.\n"
    if one.kind == "data":
        lines = attribute_docs(home_of(one.module, one.name)).get(one.name, [])
        shown = repr(value)
        text = f"{head}.. py:data:: {one.full}\n"
        if len(shown) < 200 and " at 0x" not in shown and "\n" not in shown:
            text += f"   :value: {shown}\n"
        return text + "\n" + "".join(f"   {line}\n" for line in lines) + "\n"
    text = f"{head}.. auto{one.kind}:: {one.full}\n"
    if one.kind == "class":
        members = members_of(value)
        if members:
            text += f"   :members: {', '.join(members)}\n"
        if not any(base is object or base.__name__.startswith("_") for base in value.__bases__):
            text += "   :show-inheritance:\n"
    examples = f"generated/backreferences/{one.full}.examples"
    text += f"\n.. include:: /{examples}\n" if one.kind != "data" else ""
    return text


def module_page(module, names, below):
    """Return the text of the page about one module: its names with their summaries, and the modules in it."""
    text = title(module) + f".. py:module:: {module}\n\n" + inspect.getdoc(load(module)) + "\n\n"
    for kind, heading in (("function", "Functions"), ("class", "Classes"), ("data", "Constants")):
        rows = [one for one in names if one.kind == kind]
        if rows:
            text += title(heading, "-") + ".. list-table::\n   :widths: 35 65\n   :class: names\n\n"
            for one in rows:
                value = load(one.full)
                about = summary_of(value) if kind != "data" else _about_data(one)
                text += f"   * - :doc:`{one.name} </{one.page}>`\n     - {about}\n"
            text += "\n"
    listed = [one.page for one in names if one.described_as == one.full]
    if below:
        text += title("Modules", "-") + ".. list-table::\n   :widths: 35 65\n   :class: names\n\n"
        for one in below:
            about = summary_of(load(one))
            text += f"   * - :doc:`{one} </{FOLDER}/{one}>`\n     - {about}\n"
        text += "\n"
    text += ".. toctree::\n   :hidden:\n\n"
    return text + "".join(f"   /{page}\n" for page in [*listed, *(f"{FOLDER}/{one}" for one in below)])


def _about_data(one):
    lines = attribute_docs(home_of(one.module, one.name)).get(one.name, [])
    return " ".join(" ".join(lines).split("  ")[0].split())


def parent(module, modules):
    """Return the nearest public module above one, or None."""
    above = module.rpartition(".")[0]
    while above and above not in modules:
        above = above.rpartition(".")[0]
    return above or None


def write(app):
    """Write the pages whose text has changed; leaving the others alone makes a second build quick."""
    names, modules = public_names(PACKAGES), public_modules(list(PACKAGES))
    texts = {}
    for module in modules:
        mine = [one for one in names if one.module == module]
        below = [other for other in modules if parent(other, modules) == module]
        texts[module] = module_page(module, mine, below)
        for one in mine:
            texts[one.full] = page_of(one)
            examples = Path(app.srcdir, "generated/backreferences", f"{one.full}.examples")
            examples.parent.mkdir(parents=True, exist_ok=True)
            if not examples.exists():  # no example in the gallery uses it
                examples.write_text("")
    folder = Path(app.srcdir, FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.rst"):
        if old.stem not in texts:
            old.unlink()
    for name, text in texts.items():
        place = folder / f"{name}.rst"
        if not place.exists() or place.read_text() != text:
            place.write_text(text)


def _lookup(text, homes):
    """Return the object that `text` means in docstrings of the modules `homes`, or None."""
    if not re.fullmatch(r"[A-Za-z_][\w.]*", text):
        return None
    for full in (*(f"{home}.{text}" for home in homes), text if text.split(".")[0] in PACKAGES else ""):
        try:
            return load(full)
        except (AttributeError, ImportError, ValueError):
            continue
    return None


def resolve(app, env, node, contnode):
    """Resolve a short name in a docstring: a link if the object has a page, otherwise the name as text.

    Text in single backticks need not be a public name, since it is often an argument. The target of a role such as
    ``:func:`` must exist.
    """
    from sphinx.util.nodes import make_refnode

    free = node["reftype"] == "backticks"
    if not free and node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    names = {one.full: one for one in public_names(PACKAGES)}
    stem = node.get("refdoc", "").removeprefix(f"{FOLDER}/")
    homes = [stem] if stem in public_modules(list(PACKAGES)) else []
    if stem in names:
        value = load(stem)
        homes = [one.__module__ for one in getattr(value, "__mro__", ()) if ours(one)]
        homes = homes or [value.__module__ if ours(value) else home_of(names[stem].module, names[stem].name)]
        if names[stem].kind == "class" and (hasattr(value, target) or target in getattr(value, "__annotations__", {})):
            return contnode
    found = _lookup(target, homes)
    if found is None:
        return contnode if free else None
    if kind_of(found) in ("class", "function") and ours(found):
        for one in names.values():
            if one.described_as == one.full and load(one.full) is found:
                return make_refnode(app.builder, node["refdoc"], one.page, one.full, contnode, one.full)
    return contnode


def right_anchors(app, pagename, templatename, context, doctree):
    """Change the links of source pages so that they lead to the name under which an object is described."""
    if pagename.startswith("_modules/"):

        def anchor(found):
            page, full, old = found.groups()
            _, name, member = f"{old}.".partition(f".{full.rpartition('.')[2]}.")
            return f'{page}#{full}{"." * bool(member)}{member.rstrip(".")}"' if name else found.group()

        context["body"] = re.sub(r"(generated/api/([\w.]+)\.html)#([\w.]+)\"", anchor, context["body"])


def setup(app):
    """Register with Sphinx."""
    app.connect("builder-inited", write, priority=900)  # after the gallery has listed which examples use which names
    app.connect("missing-reference", resolve)
    app.connect("html-page-context", right_anchors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
