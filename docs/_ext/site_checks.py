"""Check that the built site has no broken links and a page for every public name.

``python docs/_ext/site_checks.py docs/_build/html`` prints all errors; the exit code is 1 if there are any.
"""

import html
import os
import re
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page:
    """The links and the anchors of a page."""

    def __init__(self, text):
        self.links = {html.unescape(one) for one in re.findall(r'\s(?:href|src)="([^"]+)"', text)}
        self.anchors = {html.unescape(one) for one in re.findall(r'\s(?:id|name)="([^"]+)"', text)}


def broken_links(root):
    """Return a message for each broken link within the site, to a page, an anchor or another file."""
    files = {str(path) for path in root.rglob("*") if path.is_file()}
    pages = {
        one: Page(Path(one).read_text()) for one in sorted(files) if one.endswith(".html") and "_static" not in one
    }
    wrong = []
    for name, page in pages.items():
        path = Path(name)
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = os.path.normpath(path.parent / unquote(parts.path)) if parts.path else str(path)
            if target not in files:
                wrong.append(f"{path.relative_to(root)}: {link} does not exist")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                wrong.append(f"{path.relative_to(root)}: {link} has no such anchor")
    return wrong


def missing_pages(root, packages):
    """Return a message for each public name that has no page."""
    from public_names import public_modules, public_names

    wanted = [one.page for one in public_names(tuple(packages))]
    wanted += [f"generated/api/{one}" for one in public_modules(list(packages))]
    return [f"{page}.html is missing" for page in wanted if not (root / f"{page}.html").is_file()]


def main(arguments):
    """Check the site in a folder; return the exit code."""
    root = Path(arguments[0]).resolve()
    from public_names import PACKAGES

    wrong = [*broken_links(root), *missing_pages(root, PACKAGES)]
    print("\n".join(wrong) or f"no broken links in {sum(1 for _ in root.rglob('*.html'))} pages")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
