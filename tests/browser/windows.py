"""Windows of a browser that a page is judged in: what it says, asks for and sticks out of, and what axe finds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

NARROW, ZOOMED, WIDE = 320, 640, 1280
"""A phone; a 1280 pixel window at 200 %; the same at 100 %."""
WINDOWS = {"light": (WIDE, ZOOMED, NARROW), "dark": (NARROW, ZOOMED, WIDE)}
"""A page is loaded once per colour scheme and seen in each width; axe, which takes seconds, judges the last one."""

OVERFLOW = """() => [...document.querySelectorAll('body *')]
  .filter(e => !e.closest("svg, .scroll, .skip, pre > *"))
  .filter(e => { const r = e.getBoundingClientRect(); return r.width && r.right > innerWidth + 0.5; })
  .map(e => e.tagName + ' ' + e.className)"""
"""Elements that stick out of the window; charts, tables and code may scroll inside their own focusable regions."""
WITHOUT_WHAT_IS_ALIKE = """() => {
  document.querySelectorAll('svg').forEach(
    svg => svg.replaceChildren(...[...svg.children].filter(e => ['title', 'desc'].includes(e.localName))));
  document.querySelectorAll('tbody').forEach(body => [...body.rows].slice(8).forEach(row => row.remove()));
}"""
"""Paths of pictures, whose contrast axe cannot know, and rows after the eighth: most elements of a report."""


@contextmanager
def judged(browser: Any, place: Path | str, scheme: str, *, asks_axe: bool = True) -> Iterator[Any]:
    """Open a page; when whoever asked has looked and unfolded it, judge it in every width.

    No console message, no request, no payload that ran, nothing that sticks out, no accessibility violation. axe takes
    most of the time: of a page in another language it sees nothing new.

    Args:
        browser: that opens it.
        place: a file; or the address of a service of ours, which the page may ask, and nobody else.
        scheme: "light" or "dark".
        asks_axe: whether axe looks at it.
    """
    from axe_playwright_python.sync_playwright import Axe

    widths = WINDOWS[scheme]
    context = browser.new_context(viewport={"width": widths[0], "height": 800}, color_scheme=scheme)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    address = place if isinstance(place, str) else place.as_uri()
    page.goto(address)
    title = page.title()
    assert title != "owned"
    yield page
    for width in widths:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(OVERFLOW) == [], width
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    if asks_axe:
        page.evaluate(WITHOUT_WHAT_IS_ALIKE)
        found = Axe().run(page, options={"resultTypes": ["violations"]})
        assert found.violations_count == 0, found.generate_report()
    if isinstance(place, str):
        assert [one for one in asked if urlsplit(one)[:2] != urlsplit(address)[:2]] == []
    else:
        assert asked == [address]
    assert said == []
    assert page.title() == title
    context.close()
