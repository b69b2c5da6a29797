"""The report in a headless Chromium: it loads and sorts, and works by keyboard, on phones and in dark mode."""

import base64
import dataclasses
import gzip
import re
import urllib.request

import browser
import fabricated
import pytest
from blank_figures import install

from paper_repro import experiment, report
from paper_repro.report import sections
from paper_repro.results import store_of
from paper_repro.store import Record

REAL = ("rsc",)  # drawn by matplotlib; the others are blank, as their drawings have tests of their own
CLAIM = {
    "figure": "Figure 3",
    "claim": "IHT is above IMP for most (m, s)",
    "rule": "counted over the cells that both have",
    "verdict": "held",
    "measured": "above in 4 of 4 cells",
    "fair": "not held",
    "fair_measured": "above in 1 of 4 cells",
}
CONTROLS = "a[href], button, summary, [tabindex='0']"
VISIBLE = f'Array.from(document.querySelectorAll("{CONTROLS}")).filter((one) => one.checkVisibility())'


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report of every figure, in a window of 1280 by 900."""
    path = browser.find()
    if path is None:
        pytest.skip(f"no Chromium: none of {', '.join(browser.NAMES)} is there; on Debian, apt-get install chromium")
    folder = tmp_path_factory.mktemp("report")
    cell = fabricated.records("phase", "smoke")[0].cell
    with pytest.MonkeyPatch.context() as patch:
        install(patch, but=REAL)
        for name in experiment.names():
            fabricated.fill(folder, name, "smoke")
        store_of(folder).write(Record(cell, "failed", "ValueError: <script>document.title = 'taken'</script>"))
        one = experiment.get("rsc")
        told = dataclasses.replace(one, summarise=lambda *a: {**one.summarise(*a), "claims": [CLAIM]})
        patch.setitem(experiment._registered, "rsc", told)
        address = report.write_report("smoke", folder)[0].absolute().as_uri()
    with browser.Browser(path, tmp_path_factory.mktemp("profile")) as window:
        window.size(1280, 900)
        window.media()
        window.open(address)
        window.address = address
        yield window


def test_it_loads_without_a_complaint_and_asks_for_nothing_but_itself(page):
    page.size(1280, 900)
    page.open(page.address)
    assert page.complaints() == []
    asked = {address for address in page.addresses() if not address.startswith(("data:", "blob:"))}
    assert asked == {page.address}
    assert page.run("document.title") == "Sparse recovery lab: results of preset smoke"
    assert "taken" in page.run("document.querySelector('.failures').textContent")


def test_the_policy_stops_what_is_not_part_of_the_page(page):
    before = len(page.complaints())
    page.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.bad = 1'}))")
    page.run("document.querySelector('h1').setAttribute('onclick', 'window.bad = 1')")
    page.run("document.querySelector('h1').click()")
    page.run("document.body.append(Object.assign(new Image(), {src: 'picture.png', alt: ''}))")
    assert page.run("window.bad") is None
    assert len(page.complaints()) > before
    page.open(page.address)
    page.events.clear()


def test_every_picture_loads_and_has_a_text_in_its_place(page):
    page.size(1280, 900)
    page.open(page.address)
    assert page.run("document.querySelectorAll('img[data-packed]').length") > 10  # far below the window: later
    page.run("Array.from(document.images, (one) => unpack(one))")
    page.run(
        "new Promise((done) => { const look = () => Array.from(document.images).every((one) =>"
        " one.src.startsWith('blob:') && one.complete && one.naturalWidth > 0) ? done() : setTimeout(look, 20);"
        " look(); })"
    )
    images = page.run("Array.from(document.images, (one) => [one.complete, one.naturalWidth, one.alt, one.width])")
    assert len(images) >= 15
    for complete, natural, text, shown in images:
        assert complete
        assert min(natural, shown) > 300
        assert len(text) > 40


def test_pictures_are_unpacked_when_they_come_near_and_do_not_repeat_their_headings(page):
    page.size(1280, 900)
    page.open(page.address)
    last = "Array.from(document.images).at(-1)"
    assert page.run(f"{last}.dataset.packed.length") > 100
    page.run(
        f"new Promise((done) => {{ const one = {last}; one.onload = done;"
        " one.scrollIntoView({behavior: 'instant'}); })"
    )
    assert page.run(f"{last}.src.startsWith('blob:')")
    width, height = page.run("(({width, height}) => [width, height])(document.querySelector('#figure-rsc img'))")
    assert width / height > 6.9 / 4.0  # lower than with its title


def test_the_contents_stay_in_the_window_and_sections_fold(page):
    page.size(1280, 900)
    page.open(page.address)
    page.run("scrollTo({top: document.documentElement.scrollHeight / 2, behavior: 'instant'})")
    box = page.run(
        "(({top, left, width}) => [top, left, width])(document.querySelector('nav').getBoundingClientRect())"
    )
    assert box[0] == pytest.approx(0, abs=1)
    assert box[1] + box[2] < page.run("document.querySelector('main').getBoundingClientRect().left")
    before = page.run("document.documentElement.scrollHeight")
    page.click("document.querySelector('#figure-rsc > details > summary')")
    assert page.run("document.documentElement.scrollHeight") < before
    page.run("location.hash = '#figure-rsc'")
    page.run("new Promise((done) => setTimeout(done, 100))")
    assert page.run("document.querySelector('#figure-rsc > details').open")
    page.size(390, 844)
    page.open(page.address)
    assert not page.run("document.querySelector('nav details').open")
    page.run("scrollTo({top: 3000, behavior: 'instant'})")
    assert page.run("document.querySelector('nav').getBoundingClientRect().top") == pytest.approx(0, abs=1)
    assert page.run("Array.from(document.querySelectorAll('.hint')).every((one) => one.checkVisibility())")
    page.size(1280, 900)
    page.open(page.address)
    assert not page.run("Array.from(document.querySelectorAll('.hint')).some((one) => one.checkVisibility())")


def column(page, place):
    script = f"Array.from(document.querySelector('table.states').tBodies[0].rows, (row) => row.cells[{place}]"
    return page.run(script + ".textContent)")


def state(page, place):
    return page.run(f"document.querySelectorAll('table.states th')[{place}].getAttribute('aria-sort')")


def test_tables_sort_by_click_and_by_key_and_numbers_as_numbers(page):
    heads = page.run("Array.from(document.querySelectorAll('table.states th'), (one) => one.textContent)")
    wall = heads.index("Wall time (s)")
    as_loaded = column(page, wall)
    there = sorted((text for text in as_loaded if text != "-"), key=float)
    missing = [text for text in as_loaded if text == "-"]
    assert there != sorted(there)  # as text they would come in another order
    assert state(page, wall) == "none"
    page.run("document.querySelector('table.states').closest('details').open = true")
    button = f"document.querySelectorAll('table.states th button')[{wall}]"
    page.click(button)
    assert (state(page, wall), column(page, wall)) == ("ascending", there + missing)
    page.press("Space")
    assert (state(page, wall), column(page, wall)) == ("descending", there[::-1] + missing)
    page.run("document.querySelectorAll('table.states th button')[0].focus()")
    page.press("Enter")
    names = column(page, 0)
    assert (state(page, 0), state(page, wall)) == ("ascending", "none")
    assert names.index("Figure 1") < names.index("phase") < names.index("rsc")
    page.press("Enter")
    assert column(page, 0) == names[::-1]
    assert page.run("Array.from(document.querySelectorAll('th')).every((one) => one.firstChild.tagName === 'BUTTON')")


def test_every_control_is_reached_by_tab_in_order_with_a_visible_focus(page):
    page.open(page.address)
    page.run("document.querySelector('section.figure details').open = true")
    count = page.run(f"{VISIBLE}.map((one, place) => {{ one.dataset.place = place; return place; }}).length")
    assert count > 100
    page.run("window.reached = []")
    page.run(
        "document.addEventListener('focusin', (event) => { const style = getComputedStyle(event.target);"
        " reached.push([event.target.dataset.place, style.outlineStyle, parseFloat(style.outlineWidth) >= 2]); })"
    )
    for _ in range(count):
        page.press("Tab")
    assert page.run("reached") == [[str(place), "solid", True] for place in range(count)]
    assert page.run(f"{VISIBLE}.every((one) => one.textContent.trim() || one.getAttribute('aria-label'))")


def test_cells_unfold_by_key_and_links_lead_to_their_figure(page):
    page.run("document.querySelector('section.figure details:not([open]) summary').focus()")
    page.press("Enter")
    assert page.run("document.activeElement.parentElement.open")
    page.run("document.querySelector('nav a').focus()")
    page.press("Enter")
    assert page.run("location.hash === new URL(document.querySelector('nav a').href).hash")
    assert page.run("document.querySelector(location.hash).tagName") == "SECTION"


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_the_page_never_scrolls_sideways_but_wide_tables_do_in_their_box(page, width):
    page.size(width, 800)
    page.open(page.address)
    page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.run("document.documentElement.scrollWidth") == page.run("innerWidth") == width
    outside = page.run(
        "Array.from(document.body.querySelectorAll('*')).filter((one) => !one.closest('.scroll, .skip')"
        " && one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML)"
    )
    assert outside == []
    if width < 500:
        assert page.run(
            "Array.from(document.querySelectorAll('.scroll')).some((one) => one.scrollWidth > one.clientWidth)"
        )
        assert page.run("parseFloat(getComputedStyle(document.body).fontSize)") >= 16


def test_dark_mode_is_dark_figures_too_and_paper_is_white(page):
    page.size(1280, 900)
    look = (
        "['body', '.picture', 'p'].map((name) => document.querySelector(name)).map((one) =>"
        " [getComputedStyle(one).backgroundColor, getComputedStyle(one).color])"
    )
    page.media("light")
    light = page.run(look)
    page.media("dark")
    dark = page.run(look)
    page.media("dark", "print")
    paper = page.run(look)
    page.media()
    assert [brightness(one[0]) for one in (light[0], dark[0], paper[0])] == pytest.approx([255, 24, 255], abs=10)
    assert [brightness(one[1][0]) for one in (light, dark, paper)] == pytest.approx([255, 0, 255], abs=1)
    assert contrast(*light_pair(light)) > 7
    assert contrast(*light_pair(dark)) > 7


def test_the_claims_scroll_on_a_phone_and_their_words_stay_whole(page):
    page.media()
    page.size(390, 844)
    box = "document.querySelector('table.claims').closest('.scroll')"
    assert page.run(f"{box}.scrollWidth > {box}.clientWidth")
    assert page.run("document.querySelector('table.claims').closest('.scroll').nextElementSibling.checkVisibility()")
    heads = page.run("Array.from(document.querySelectorAll('table.claims th'), (one) => one.textContent)")
    assert heads == ["Figure", "Claim", "Compared as in the paper", "Against a fair IMP", "Data and size"]
    heights = page.run("Array.from(document.querySelectorAll('table.claims .verdict'), (one) => one.offsetHeight)")
    assert max(heights) < 30  # one line each
    page.size(1280, 900)


def test_a_link_leads_there_at_once_without_unpacking_what_lies_between(page):
    page.open(page.address)
    page.run("(location.hash = '#figure-pr-ablations', new Promise((then) => setTimeout(then, 300)))")
    top = page.run("document.getElementById('figure-pr-ablations').getBoundingClientRect().top")
    assert abs(top) < 900


def test_colour_scales_keep_their_colours_in_the_dark(page):
    whole = urllib.request.urlopen(page.address).read().decode()
    packed = re.search(r'id="figure-rsc".*?data-packed="([^"]+)"', whole, re.DOTALL)[1]
    drawing = gzip.decompress(base64.b64decode(packed))
    assert drawing.count(sections.DARK) == 1
    filters = re.search(rb"filter: ([^;]+);", sections.DARK)[1].decode()
    assert f"img {{ filter: {filters}; }}" in whole  # the same again, which undoes it


def light_pair(look):
    return look[0][0], look[2][1]


def channels(colour):
    return [int(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]


def brightness(colour):
    return sum(channels(colour)) / 3


def contrast(first, second):
    """Return the contrast ratio of two colours (WCAG 2, relative luminance)."""

    def luminance(colour):
        shares = [part / 255 for part in channels(colour)]
        linear = [share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)
