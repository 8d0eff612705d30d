"""Other ways to see and to be told: narrow windows, zoom, larger text, the user's own colors, less motion, live regions."""

from __future__ import annotations

import base64
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.addresses import UNFOLD, addresses
from tests.browser.test_page import CONTRAST, IMAGES
from tests.support.chromium import Chromium, found
from tests.support.service import Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(found() is None, reason="no Chromium here")

# Width and height in CSS pixels, and the pixels of the screen to one of them. A window of 1280 by 800 at 200 % and 400 %.
WINDOWS = {
    "phone": (390, 844, 3),
    "small phone": (320, 568, 2),
    "zoom 200 %": (640, 400, 2),
    "zoom 400 %": (320, 256, 4),
}

# What stands beyond the window's edge, or is cut off; tables, code and fields scroll by themselves.
LOST = """
[...document.querySelectorAll("main *, header *, footer *")].filter((e) => {
  if (!e.checkVisibility() || e.closest(".scroll, pre, textarea, select, option")) return false;
  const box = e.getBoundingClientRect(), style = getComputedStyle(e);
  const beyond = box.right > innerWidth + 1 || box.left < -1;
  const cut = style.overflow === "hidden" && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1);
  return beyond || cut;
}).map((e) => e.outerHTML.slice(0, 120))
"""
# The spacing that WCAG 1.4.12 asks a page to bear.
SPACED = """
for (const e of document.querySelectorAll("*")) {
  e.style.setProperty("line-height", "1.5", "important");
  e.style.setProperty("letter-spacing", "0.12em", "important");
  e.style.setProperty("word-spacing", "0.16em", "important");
  if (e.tagName === "P") e.style.setProperty("margin-bottom", "2em", "important");
}
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("ways")) as one:
        yield one


@pytest.fixture(scope="module")
def pages(service: Served) -> dict[str, str]:
    return addresses(service)


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as one:
        yield one


def media(browser: Chromium, **features: str) -> None:
    named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    browser.send("Emulation.setEmulatedMedia", features=named)


def window(browser: Chromium, width: int, height: int, scale: int = 1) -> None:
    browser.send(
        "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
    )


def picture(browser: Chromium, name: str) -> None:
    if IMAGES is not None:
        shot = browser.send("Page.captureScreenshot", format="png")
        IMAGES.mkdir(parents=True, exist_ok=True)
        (IMAGES / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))


@pytest.mark.parametrize("name", list(WINDOWS))
def test_nothing_is_lost_in_a_narrow_window(
    name: str, service: Served, pages: dict[str, str], browser: Chromium
) -> None:
    media(browser)
    window(browser, *WINDOWS[name])
    width = WINDOWS[name][0]
    for page, path in pages.items():
        browser.open(service.url + path)
        browser.evaluate(UNFOLD)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width, page
        assert browser.evaluate(LOST) == [], page


@pytest.mark.parametrize(
    "how", ["document.documentElement.style.fontSize = '200%'", SPACED], ids=["text 200 %", "spaced"]
)
def test_nothing_is_lost_with_larger_text(how: str, service: Served, pages: dict[str, str], browser: Chromium) -> None:
    media(browser)
    window(browser, 1280, 800)
    for page, path in pages.items():
        browser.open(service.url + path)
        browser.evaluate(UNFOLD)
        before = browser.evaluate("document.body.getBoundingClientRect().height")
        browser.evaluate(how)
        assert browser.evaluate("document.body.getBoundingClientRect().height") > before, "it grows with the text"
        assert browser.evaluate("document.documentElement.scrollWidth") <= 1280, page
        assert browser.evaluate(LOST) == [], page


def test_a_fleet_is_seen_at_once(service: Served, pages: dict[str, str], browser: Chromium) -> None:
    """What does not pass is in the first window, also on a phone; who passes is folded, and no badge is broken."""
    for name, width, height in (("nodes", 1280, 800), ("nodes-phone", 390, 844)):
        media(browser)
        window(browser, width, height)
        browser.open(service.url + pages["nodes"])
        words = browser.evaluate(
            "[...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().top < innerHeight)"
            ".map((e) => e.innerText).join(' ')"
        )
        assert "GPU 3: no FP8 kernel ran" in words
        assert "2 more did not report" in words
        picture(browser, name)
        assert browser.evaluate("document.querySelector('main details').open") is False
        browser.evaluate(UNFOLD)
        high = "e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).fontSize)"
        assert browser.evaluate(f"Math.max(...[...document.querySelectorAll('.badge')].map((e) => {high}))") < 2.5


EDGES = """
(() => {
  const edge = (e) => getComputedStyle(e).borderLeftColor;
  const plain = [...document.querySelectorAll(".source li:not([class])")].map(edge);
  const marked = [...document.querySelectorAll(".source li:is(.error, .warning, .info, .related, .gone, .new)")].map(edge);
  const badges = [...document.querySelectorAll(".badge")].map((e) => getComputedStyle(e).borderTopWidth);
  return { plain: [...new Set(plain)], marked: [...new Set(marked)], badges: [...new Set(badges)] };
})()
"""


def test_what_matters_is_seen_in_the_colors_of_the_user(
    service: Served, pages: dict[str, str], browser: Chromium
) -> None:
    window(browser, 1280, 1000)
    for scheme in ("light", "dark"):
        media(browser, forced_colors="active", prefers_color_scheme=scheme)
        for page, path in pages.items():
            browser.open(service.url + path)
            browser.evaluate(UNFOLD)
            assert browser.evaluate(CONTRAST) == [], (page, scheme)
            edges = browser.evaluate(EDGES)
            assert not {*edges["plain"]} & {*edges["marked"]}, (page, scheme)
            assert "0px" not in edges["badges"], (page, scheme)
    browser.open(service.url + pages["fails"])
    window(browser, 1280, 1250)
    picture(browser, "report-forced-colors")


def test_what_changed_is_not_told_by_color_alone(service: Served, pages: dict[str, str], browser: Chromium) -> None:
    media(browser)
    browser.open(service.url + pages["fails"])
    sign = (
        "(css) => [...new Set([...document.querySelectorAll(css)].map((e) => getComputedStyle(e, '::before').content))]"
    )
    for css, wanted in ((".panes li.gone", "\N{MINUS SIGN}"), (".panes li.new", "+")):
        shown = browser.evaluate(f"({sign})('{css}')")
        assert shown
        assert all(wanted in one for one in shown)
    assert browser.evaluate("document.querySelectorAll('.panes li.gone del').length") > 0
    assert browser.evaluate("document.querySelectorAll('.panes li.new ins').length") > 0


MOVING = """
[...document.querySelectorAll("*")].filter((e) => {
  const style = getComputedStyle(e);
  return style.animationName !== "none" || style.transitionDuration !== "0s" || style.scrollBehavior !== "auto";
}).length + document.getAnimations().length
"""


@pytest.mark.parametrize("wish", ["reduce", "no-preference"])
def test_nothing_moves(wish: str, service: Served, pages: dict[str, str], browser: Chromium) -> None:
    media(browser, prefers_reduced_motion=wish)
    for page, path in pages.items():
        browser.open(service.url + path)
        assert browser.evaluate(MOVING) == 0, page


# The border of a field or a quiet button against what stands around it: WCAG 1.4.11 asks for 3 to 1.
FAINT_EDGES = CONTRAST.replace(
    "const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());\n"
    '    if (!text || !element.getClientRects().length || element.closest(".skip")) continue;\n'
    "    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))]",
    'if (!element.matches("textarea, select, input:not([type=file], [type=checkbox]), button.quiet")) continue;\n'
    "    const [a, b] = [light(parse(getComputedStyle(element).borderTopColor)), light(behind(element.parentElement))]",
).replace("ratio < 4.5", "ratio < 3")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_field_is_seen(scheme: str, service: Served, browser: Chromium) -> None:
    assert FAINT_EDGES.count("borderTopColor") == 1
    media(browser, prefers_color_scheme=scheme)
    browser.open(service.url)
    browser.evaluate(UNFOLD)
    assert browser.evaluate(FAINT_EDGES) == []
    placeholders = browser.evaluate(
        "[...document.querySelectorAll('textarea')].map((e) => getComputedStyle(e, '::placeholder').opacity)"
    )
    assert {*placeholders} == {"1"}


def test_headings_go_down_one_at_a_time(service: Served, pages: dict[str, str], browser: Chromium) -> None:
    media(browser)
    for page, path in pages.items():
        browser.open(service.url + path)
        levels = browser.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((e) => +e.tagName[1])")
        assert levels[0] == 1, page
        assert all(then - now <= 1 for now, then in itertools.pairwise(levels)), (page, levels)


def test_what_has_happened_is_told_each_time(service: Served, pages: dict[str, str], browser: Chromium) -> None:
    """A live region stands there empty before; the same words twice are two changes."""
    browser.open(service.url + pages["fails"])
    regions: list[dict[str, Any]] = browser.evaluate(
        "[...document.querySelectorAll('[role=status]')].map((e) => ({ text: e.textContent, role: e.computedRole }))"
    )
    assert len(regions) > 3
    assert all(one == {"text": "", "role": "status"} for one in regions)
    browser.evaluate(
        "window.told = []; new MutationObserver(() => told.push(document.querySelector('.copy [role=status]').textContent))"
        ".observe(document.querySelector('.copy [role=status]'), { childList: true, characterData: true, subtree: true })"
    )
    for count in (1, 2):
        browser.evaluate("document.querySelector('.copy button').click()")
        browser.wait(f"told.filter((one) => one !== '').length === {count}")
    assert browser.evaluate("told.filter((one, at) => one !== '' && one === told[at - 1]).length") == 0
