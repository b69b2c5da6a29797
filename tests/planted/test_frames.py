"""Data frames: column names are kept, and HTML tables are plain and escaped."""

import numpy as np
import pytest

from planted.base import frames, markup, plots

pd = pytest.importorskip("pandas")


class Interchange:
    """A frame that speaks the interchange protocol and has no `columns`."""

    def __dataframe__(self):
        return self

    def column_names(self):
        return iter(["a", "b"])


class Polars:
    """A frame whose columns are a list of text."""

    columns = ["x", "y"]  # noqa: RUF012


class Operator:
    """Something whose columns are a method."""

    def columns(self, support):
        """Return columns."""


def test_the_names_of_a_frame():
    assert frames.names_of(pd.DataFrame(np.eye(2), columns=["age", "bmi"])) == ("age", "bmi")
    assert frames.names_of(pd.DataFrame(np.eye(2), columns=[3, 7])) == ("3", "7")
    assert frames.names_of(pd.DataFrame(np.eye(2), columns=[("a", 1), ("a", 2)])) == ("a/1", "a/2")
    assert frames.names_of(pd.DataFrame(np.eye(2))) is None
    assert frames.names_of(Polars()) == ("x", "y")
    assert frames.names_of(Interchange()) == ("a", "b")
    for other in (np.eye(2), [[1.0]], Operator(), "text", None, pd.Series([1.0], name="y")):
        assert frames.names_of(other) is None


def test_names_are_checked_and_looked_up():
    assert frames.check_names(["a", np.str_("b")], 2) == ("a", "b")
    assert frames.check_names(None, 2) is None
    with pytest.raises(ValueError, match=r"names has 1 name\(s\); expected 2"):
        frames.check_names(["a"], 2)
    for wrong in ("ab", 3, [1, 2]):
        with pytest.raises(TypeError, match="names="):
            frames.check_names(wrong, 2)
    assert frames.labels(("a", "b", "c"), np.array([2, 0])) == ["c", "a"]
    assert frames.labels(None, np.array([2, 0])) == [2, 0]


def test_tables_are_escaped_have_no_colours_and_say_what_they_leave_out():
    page = markup.card("<T>", [("<n>", "<v>")], markup.table(["<h>"], [["<i>"], [1.23456789], [True]], most=2))
    for part in ("&lt;T&gt;", "&lt;n&gt;", "&lt;v&gt;", "&lt;h&gt;", "&lt;i&gt;", "<td>1.235</td>", "and 1 more row<"):
        assert part in page
    for part in ("<T>", "<i>", "color", "background", "<script", "<style"):
        assert part not in page
    assert page.count("<div") == page.count("</div>") == 2
    assert markup.number(float("nan")) == "-"
    assert markup.number(7) == "7"
    assert "<th>" not in markup.table([], [["a"]])


def test_axes_in_axes_out():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    ax = figure.add_subplot()
    assert plots.axes_of(ax, "test") is ax
    with pytest.raises(TypeError, match="expected matplotlib axes"):
        plots.axes_of(figure, "test")
