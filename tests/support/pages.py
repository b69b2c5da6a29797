"""Parse a page without a browser: its elements, with their attributes, text and nesting."""

from html.parser import HTMLParser

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """``elements`` lists (tag, attributes, text) in the order of the start tags; nesting is checked."""

    def __init__(self, text):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(text)
        self.close()
        assert not self._open, [one[0] for one in self._open]

    def handle_starttag(self, tag, attrs):
        one = [tag, dict(attrs), ""]
        self.elements.append(one)
        if tag not in VOID:
            self._open.append(one)

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop()[0] == tag, tag

    def handle_data(self, data):
        for one in self._open:
            one[2] += data

    def all(self, tag, **attributes):
        """Return the (attributes, text) of all elements with a tag and certain attributes."""
        wanted = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
        return [(has, text) for name, has, text in self.elements if name == tag and wanted.items() <= has.items()]
