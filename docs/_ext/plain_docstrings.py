"""Sphinx extension that reads docstrings as plain text: |x| is an absolute value and coef_ a name, not a reference."""

from docutils import nodes
from docutils.parsers.rst.states import Inliner
from sphinx import addnodes


def modulus(inliner, match, lineno):
    """Keep a vertical bar as text."""
    end = match.end("start")
    return match.string[:end], [], match.string[end:], []


def name(inliner, match, lineno, **options):
    """Keep a name that ends with an underscore as text."""
    end = match.end("whole")
    return match.string[:end], [], match.string[end:], []


def backticks(role, rawtext, text, lineno, inliner, options=None, content=()):
    """Return a node for text in single backticks: code, with a link if the text is a public name."""
    shown = nodes.literal(rawtext, text)
    reference = addnodes.pending_xref(
        rawtext, shown, refdomain="", reftype="backticks", reftarget=text, refexplicit=False
    )
    reference["refdoc"] = inliner.document.settings.env.docname
    return [reference], []


def setup(app):
    """Register with Sphinx and docutils."""
    app.add_role("backticks", backticks)
    Inliner.dispatch = {**Inliner.dispatch, "|": modulus, "_": name, "__": name}
    return {"parallel_read_safe": True, "parallel_write_safe": True}
