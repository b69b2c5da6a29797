"""Sphinx extension that runs the Python blocks of a page and inserts their output and pictures below them.

The pages stay plain Markdown, so that code hosts can show them and a test can run them. All blocks marked ``python`` on
a page share one namespace. As in a notebook, the value of a block's last line is shown. Outputs are stored under the
hash of the page's code and of this file, so that only pages whose code has changed are run again.
"""

import fnmatch
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OFF = re.compile(r"<!-- not run: (.+?) -->\n+$")
"""The comment just before a block that is shown but not run; it gives the reason."""

RUNNER = r"""
import ast, contextlib, io, json, os, sys, traceback
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
from gallery_style import STYLE

blocks, out = json.load(open(sys.argv[1])), sys.argv[2]
space, results = {"__name__": "__page__"}, []
for number, code in enumerate(blocks):
    matplotlib.rcParams.update(STYLE)
    printed, html, value = io.StringIO(), None, None
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, f"<block {number + 1}>", "exec"), space)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), f"<block {number + 1}>", "eval"), space)
    ours = type(value).__module__.split(".")[0] in ("matplotlib", "mpl_toolkits")
    arrays = isinstance(value, (list, tuple)) or type(value).__name__ == "ndarray"
    drawn = ours or (arrays and len(value) and "matplotlib" in str(type(next(iter(value)))))
    if value is not None and not drawn and not code.rstrip().endswith(";"):
        html = value._repr_html_() if hasattr(value, "_repr_html_") else None
        if html is None:
            print(repr(value), file=printed)
    pictures = []
    figures = [plt.figure(one) for one in plt.get_fignums()]
    if isinstance(value, matplotlib.figure.Figure) and value not in figures:
        figures.append(value)  # a figure that pyplot does not know
    for figure in figures:
        name = f"{os.path.basename(out)}-{number + 1}-{len(pictures) + 1}.png"
        figure.savefig(os.path.join(os.path.dirname(out), name), dpi=110)
        pictures.append(name)
    plt.close("all")
    results.append({"text": printed.getvalue(), "html": html, "pictures": pictures})
json.dump(results, open(out + ".json", "w"))
"""


def blocks_of(text):
    """Return the (start, end, code, reason) of the Python blocks of a page; the reason says why one is not run."""
    found = []
    for match in BLOCK.finditer(text):
        off = OFF.search(text[: match.start()])
        found.append((match.start(), match.end(), match.group(1), off.group(1) if off else None))
    return found


def run(codes, out, page):
    """Run blocks in a separate process, in an empty folder, and write their outputs to `out` + ``.json``."""
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder, "blocks.json")
        given.write_text(json.dumps(codes))
        work = Path(folder, "work")
        work.mkdir()
        environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MPLBACKEND="agg")
        paths = [str(Path(__file__).parent), str(Path(__file__).parents[2]), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(one for one in paths if one)
        done = subprocess.run(
            [sys.executable, "-W", "error::DeprecationWarning:__page__", "-c", RUNNER, given, out],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        from sphinx.errors import ExtensionError

        raise ExtensionError(f"{page}: its code failed\n{done.stderr}")


def shown(result, folder, number):
    """Return the Markdown that shows the printed output and the pictures of one block."""
    parts = []
    if result["text"].strip():
        fence = "`" * max(3, *(len(one) + 1 for one in re.findall(r"`+", result["text"])), 3)
        parts.append(f"{fence}{{code-block}} text\n:class: output\n\n{result['text'].rstrip()}\n{fence}")
    if result["html"]:
        parts.append(f'````{{raw}} html\n<div class="output">{result["html"]}</div>\n````')
    for place, name in enumerate(result["pictures"], 1):
        words = (
            f"Picture {place} drawn by the code above"
            if len(result["pictures"]) > 1
            else "Picture drawn by the code above"
        )
        parts.append(f"```{{image}} /{folder}/{name}\n:alt: {words}\n:class: drawn\n```")
    return "\n\n".join(parts)


def insert(app, docname, source):
    """Insert the outputs of a page's blocks below them; run the code first if no outputs are stored."""
    if not any(fnmatch.fnmatch(docname, pattern) for pattern in app.config.executed):
        return
    text = source[0]
    blocks = blocks_of(text)
    codes = [code for _, _, code, reason in blocks if reason is None]
    if not codes:
        return
    folder = "generated/executed"
    key = hashlib.sha256(json.dumps([codes, Path(__file__).read_text()]).encode()).hexdigest()[:12]
    stem = f"{docname.replace('/', '-')}-{key}"
    out = Path(app.srcdir, folder, stem)
    out.parent.mkdir(parents=True, exist_ok=True)
    if not out.with_name(stem + ".json").exists():
        for old in out.parent.glob(f"{docname.replace('/', '-')}-*"):
            old.unlink()
        run(codes, str(out), docname)
    results = json.loads(out.with_name(stem + ".json").read_text())
    done = iter(enumerate(results, 1))
    pieces, at = [], 0
    for _, end, _, reason in blocks:
        pieces.append(text[at:end])
        at = end
        if reason is None:
            number, result = next(done)
            pieces.append("\n\n" + shown(result, folder, number) + "\n")
    source[0] = "".join([*pieces, text[at:]])


def setup(app):
    """Register with Sphinx."""
    app.add_config_value("executed", [], "env", list)
    app.connect("source-read", insert)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
