"""The pages of docs/theory as one text, and how docstrings and guarantees cite them."""

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "theory"
PAGES = sorted(FOLDER.glob("*.md"))
TEXT = "\n".join(page.read_text() for page in PAGES)
SECTIONS = {line[3:] for line in TEXT.splitlines() if line.startswith("## ") and not line.startswith("## [")}
CITED = r"docs/theory"
"""What stands before the title of a section, in a docstring, a source or an evidence."""
