"""The page as a browser sees it: at phone and desktop width, light and dark, on paper."""

import base64
import io
import re

import pytest
from browser import Browser, chromium
from full_run import write_full_run

pytestmark = pytest.mark.real
WIDTHS = {"phone": 390, "tablet": 800, "small desktop": 1024, "desktop": 1280}

OVERFLOWING = """
[...document.querySelectorAll('body *')]
  .filter(e => e.offsetParent && !e.closest('.scroll, pre, .think, .skip, thead')
    && e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.tagName + '.' + e.className)
"""
SMALLEST_TEXT = """
Math.min(...[...document.querySelectorAll('svg.chart text')]
  .filter(t => t.getBoundingClientRect().width)
  .map(t => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a))
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = chromium()
    if not program:
        pytest.skip("no Chromium on this machine")
    with Browser(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def open_all(browser):
    browser.value("document.querySelectorAll('details').forEach(d => { d.open = true })")


@pytest.fixture(scope="module")
def pages(reported, tmp_path_factory):
    """The page of a run with the usual stages, and of one with everything there is."""
    top = tmp_path_factory.mktemp("full")
    write_full_run(top)
    return {"usual": reported.top / "report.html", "full": top / "report.html"}


@pytest.mark.parametrize("run", ["usual", "full"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_the_page_fits_and_nothing_complains(browser, pages, width, dark, run):
    image = pytest.importorskip("PIL.Image")
    browser.complaints.clear()
    browser.requests.clear()
    browser.open(pages[run], width=width, dark=dark)
    for opened in (False, True):
        if opened:
            open_all(browser)
        assert browser.value("document.documentElement.scrollWidth") <= width
        assert browser.value(OVERFLOWING) == []
    assert browser.value("document.title").startswith("lab: ")  # no hostile text took over
    assert browser.complaints == []
    assert [r for r in browser.requests if not r.startswith(("file:", "data:"))] == []
    shot = image.open(io.BytesIO(browser.screenshot())).convert("L")
    low, high = shot.getextrema()
    assert high - low > 150  # ink on paper, not a blank page
    assert (shot.getpixel((3, 3)) < 128) is dark
    assert browser.value(SMALLEST_TEXT) >= 11


@pytest.mark.parametrize("run", ["usual", "full"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_each_chart_is_drawn_once(browser, pages, width, run):
    browser.open(pages[run], width=width)
    open_all(browser)
    drawn = "[...document.querySelectorAll('figure')].map(f => [...f.querySelectorAll('svg')]"
    drawn += ".filter(s => s.getBoundingClientRect().height > 50).length)"
    counts = browser.value(drawn)
    assert counts and set(counts) == {1}


def test_it_prints(browser, reported):
    browser.open(reported.top / "report.html", width=1280)
    pdf = base64.b64decode(browser.ask("Page.printToPDF", printBackground=False)["data"])
    assert pdf.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) < 30
