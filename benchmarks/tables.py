"""The tables of figures, solvers and guarantees in README and docs, made from the registries.

Run from the repository root: ``python -m benchmarks.tables`` lists the pages with tables that are out of date, and
``--write`` updates them. A table is between the lines ``<!-- table: NAME -->`` and ``<!-- end -->``. NAME is a key of
:data:`TABLES`; to add a table, add a function there that returns its header and rows.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

__all__ = ["TABLES", "main", "pages", "rewritten"]

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"<!-- table: ([a-z-]+) -->\n(.*?)<!-- end -->", re.DOTALL)


def figures():
    """Return one row per figure: its name, and its description."""
    from paper_repro import experiment as experiments

    every = map(experiments.get, experiments.names())
    return ["name", "shows"], [[f"`{one.name}`", one.shows or one.title] for one in every]


def solvers():
    """Return one row per solver: its name, what it does, and which methods of an operator it calls."""
    import recovery

    return ["solver", "what it does", "calls"], [
        [f"`{name}`", one.summary, ", ".join(f"`{method}`" for method in one.requires)]
        for name, one in recovery.list_solvers().items()
    ]


def solver_speed():
    """Return the medians written by ``python -m benchmarks.peers speed --keep``: one row per solver."""
    from benchmarks.peers import kept_table

    return kept_table()


def package_features():
    """Return what ``python -m benchmarks.packages --keep`` wrote: one row for each feature."""
    from benchmarks.packages import kept_features

    return kept_features()


def package_details():
    """Return the reasons that it wrote: one row for each answer that has one."""
    from benchmarks.packages import kept_details

    return kept_details()


def guarantees(source, *arguments):
    """Return a function that returns one row for each guarantee in a catalogue."""

    def table():
        from paper_repro.trials import guarantees_of

        listed = guarantees_of("/".join([source, *arguments]))
        return ["name", "kind", "statement", "source"], [
            [f"`{one.name}`", kind_of(one), one.statement, shortened(one.source)] for one in listed
        ]

    return table


def kind_of(guarantee):
    """Return the kind of a guarantee, with its probability."""
    return guarantee.kind if guarantee.delta is None else f"{guarantee.kind} 1 - {guarantee.delta:g}"


def shortened(source):
    """Return a source as the page abbreviates it, see "The statements" there."""
    source = source.replace(
        "condition derived in this project, for the phenomenon studied in Elesedy et al. 2020", "derived here"
    )
    return re.sub(r"from memory of the literature, verified numerically by [^;)]*", "memory", source)


TABLES = {
    "figures": figures,
    "solvers": solvers,
    "solver-speed": solver_speed,
    "package-features": package_features,
    "package-details": package_details,
    "guarantees-linear-lottery": guarantees("linear_lottery.guarantees:catalogue"),
    "guarantees-linear": guarantees("recovery.guarantees:catalogue", "linear"),
    "guarantees-sparse": guarantees("recovery.guarantees:catalogue", "sparse"),
    "guarantees-gated": guarantees("recovery.guarantees:catalogue", "gated"),
    "guarantees-pruning": guarantees("recovery.guarantees.pruning:catalogue"),
}
"""Name -> a function that returns the header and the rows."""


def pages():
    """Return the Markdown files that may hold tables."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def rewritten(text):
    """Return the text of a page with all tables updated; raise KeyError for a table that is not in `TABLES`."""
    return BLOCK.sub(lambda block: f"<!-- table: {block[1]} -->\n{markdown(*TABLES[block[1]]())}\n<!-- end -->", text)


def escaped(cell):
    """Return the text of a cell, with bars escaped, and underscores that would start italics."""
    return re.sub(r"(?<=[|)}\]'^])_", r"\\_", cell).replace("|", "\\|")


def markdown(header, rows):
    """Return a table as Markdown."""
    lines = ["| " + " | ".join(map(escaped, row)) + " |" for row in [header, *rows]]
    return "\n".join([lines[0], "|" + "---|" * len(header), *lines[1:]])


def main(arguments=None):
    """Compare the tables on the pages with the registries, or update them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="update the tables")
    options = parser.parse_args(arguments)
    stale = {page: new for page in pages() if (new := rewritten(old := page.read_text())) != old}
    for page, text in stale.items():
        if options.write:
            page.write_text(text)
        print(f"{page.relative_to(ROOT)}: {'updated' if options.write else 'out of date'}")
    return 0 if options.write or not stale else 1


if __name__ == "__main__":
    sys.exit(main())
