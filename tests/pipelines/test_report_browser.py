"""A report as a real browser shows it: on a phone and a desk, light and dark, with no network."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, NoBrowserError, browsing
from report_desk import ReportDesk, rich_lines

CHARTS = """
[...document.querySelectorAll("figure")].map(figure => {
  const shown = [...figure.querySelectorAll("svg")].filter(svg => svg.checkVisibility());
  const marks = [...(shown[0]?.querySelectorAll("path[fill], path[stroke], text") ?? [])];
  const boxes = shown.map(svg => svg.getBoundingClientRect());
  return {shown: shown.length, width: boxes[0]?.width, height: boxes[0]?.height,
          marks: marks.length, words: figure.querySelector("[role=img]").ariaDescription};
})
"""
# the contrast of each text with what is behind it, as WCAG 2 has it
CONTRASTS = """
(() => {
  const numbers = color => color.match(/[0-9.]+/g).map(Number);
  const light = color => {
    const [r, g, b] = numbers(color).slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if ((numbers(color)[3] ?? 1) === 1) return color;
    }
    return getComputedStyle(document.documentElement).backgroundColor;
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility() || element.tagName === "title") continue;
    const style = getComputedStyle(element);
    const ink = element.namespaceURI.endsWith("svg") ? style.fill : style.color;
    const [a, b] = [light(ink), light(behind(element))].sort((x, y) => y - x);
    found.push({ratio: (a + 0.05) / (b + 0.05), text: element.textContent.slice(0, 40)});
  }
  return found;
})()
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with browsing() as running:
            yield running
    except NoBrowserError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    desk = ReportDesk(tmp_path_factory.mktemp("page"))
    desk.run(rich_lines(33), "--as-streamed")
    desk.report()
    return desk.page


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    desk = ReportDesk(tmp_path_factory.mktemp("bare"))
    desk.run([])
    desk.report()
    return desk.page


WIDTHS = pytest.mark.parametrize("width", [320, 375, 800, 1280])
SCHEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


@WIDTHS
def test_it_loads_without_an_error_or_a_request_and_fits(
    browser: Browser, page: Path, width: int
) -> None:
    browser.open(page, width)
    assert browser.troubles() == []
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.evaluate("document.title") == "Usage and cost of out"
    assert browser.evaluate("document.images.length + document.scripts.length") == 0


@WIDTHS
def test_each_chart_is_drawn_once_and_has_a_size(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width)
    charts: list[dict[str, Any]] = browser.evaluate(CHARTS)
    assert len(charts) > 12
    for chart in charts:
        assert chart["shown"] == 1
        assert min(chart["width"], chart["height"]) > 40
        assert chart["width"] <= width
        assert chart["marks"] > 3
        assert chart["words"]


@SCHEMES
def test_every_text_can_be_read(browser: Browser, page: Path, *, dark: bool) -> None:
    browser.open(page, 1280, dark=dark)
    background = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(14, 17, 22)" if dark else "rgb(246, 247, 249)")
    texts = browser.evaluate(CONTRASTS)
    assert len(texts) > 200
    assert [text for text in texts if text["ratio"] < 4.5] == []


@SCHEMES
def test_bars_stand_out_from_the_page(browser: Browser, page: Path, *, dark: bool) -> None:
    browser.open(page, 1280, dark=dark)
    fill = browser.evaluate(
        """getComputedStyle(document.querySelector('figure svg [fill="var(--accent)"]')).fill"""
    )
    assert fill == ("rgb(90, 162, 245)" if dark else "rgb(11, 99, 196)")


def test_a_wide_table_scrolls_in_its_box_on_a_phone(browser: Browser, page: Path) -> None:
    browser.open(page, 375)
    boxes = browser.evaluate(
        "[...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth)"
        ".map(box => [box.clientWidth, getComputedStyle(box).overflowX, box.tabIndex])"
    )
    assert boxes
    assert all(width < 375 and over == "auto" and tab == 0 for width, over, tab in boxes)


def test_headings_captions_and_labels_name_what_is_there(browser: Browser, page: Path) -> None:
    browser.open(page, 1280)
    levels = browser.evaluate("[...document.querySelectorAll('h1,h2')].map(h => h.tagName)")
    assert levels[0] == "H1"
    assert set(levels[1:]) == {"H2"}
    assert browser.evaluate("[...document.querySelectorAll('table')].every(t => t.caption)")
    assert browser.evaluate(
        "[...document.querySelectorAll('[role=img]')].every(i =>"
        " document.getElementById(i.getAttribute('aria-labelledby')).textContent)"
    )


@WIDTHS
def test_an_empty_output_is_a_page_too(browser: Browser, bare: Path, width: int) -> None:
    browser.open(bare, width)
    assert browser.troubles() == []
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert "No run has metered anything yet" in browser.evaluate("document.body.innerText")
