"""The pages worked with keys alone: nothing here clicks, sets a value or moves the focus but by pressing a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.browser.addresses import UNFOLD, addresses
from tests.support.chromium import Chromium, found
from tests.support.example import ACCELERATE, TRAINING
from tests.support.service import Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(found() is None, reason="no Chromium here")

# What can take the focus, in the order in which it is read.
STOPS = """
[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter((e) => !e.disabled && e.checkVisibility())
"""
# What has the focus, and whether a person sees that it has.
FOCUS = f"""
(() => {{
  const e = document.activeElement, box = e.getBoundingClientRect(), style = getComputedStyle(e);
  return {{
    at: {STOPS}.indexOf(e),
    name: e.computedName,
    role: e.computedRole,
    ring: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    inside: box.width > 0 && box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth,
  }};
}})()
"""
LOADED = "document.readyState === 'complete'"


class Focus(NamedTuple):
    """Where the focus is.

    Attributes:
        at: which of STOPS; -1 where it is none of them.
        ring: the pixels of its outline.
        inside: whether any of it is in the window.
    """

    at: int
    name: str
    role: str
    ring: float
    inside: bool


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("keys")) as one:
        yield one


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    with Chromium() as one:
        one.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path), browser=True)
        permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"]
        one.send("Browser.grantPermissions", permissions=permissions, browser=True)
        yield one
        assert one.complaints() == []


def focus(browser: Chromium) -> Focus:
    told: dict[str, Any] = browser.evaluate(FOCUS)
    return Focus(**told)


def reach(browser: Chromium, name: str, role: str = "", *, shift: bool = False) -> Focus:
    """Press Tab until that has the focus; it has to be seen on the way at every stop."""
    stops = browser.evaluate(f"{STOPS}.length")
    for _ in range(stops + 2):
        browser.press("Tab", shift=shift)
        here = focus(browser)
        if here.at >= 0:
            assert here.ring >= 2, f"{here} shows no focus"
            assert here.inside, f"{here} is out of sight"
            assert here.name, f"{here} has no name"
        if here.name.startswith(name) and here.role.startswith(role):
            return here
    raise AssertionError(f"{name!r} is not reached by Tab")


def clipboard(browser: Chromium) -> str:
    return str(browser.evaluate("navigator.clipboard.readText()"))


def goes(browser: Chromium, key: str, path: str) -> None:
    """Press a key that leads to another page."""
    browser.press(key)
    browser.wait(f"location.pathname.startsWith('{path}') && {LOADED}")


def checked(browser: Chromium, service: Served) -> None:
    """The report of the example."""
    browser.open(service.url)
    reach(browser, "Fill in an example", "button")
    browser.press("Enter")
    browser.wait(f"location.search.startsWith('?example') && {LOADED}")
    reach(browser, "Check", "button")
    goes(browser, "Enter", "/checks/")


def test_from_nothing_to_a_corrected_run(service: Served, browser: Chromium, tmp_path: Path) -> None:
    checked(browser, service)
    reach(browser, "Copy accelerate launch", "button")
    browser.press("Enter")
    browser.wait("[...document.querySelectorAll('[role=status]')].some((e) => e.textContent === 'Copied.')")
    assert clipboard(browser).startswith("accelerate launch --config_file accelerate.yaml")
    reach(browser, "Copy train.yaml", "button")
    browser.press(" ")
    browser.wait("navigator.clipboard.readText().then((text) => text.includes('bf16: false'))")
    reach(browser, "Download train.yaml", "button")
    browser.press(" ")
    browser.wait(
        "[...document.querySelectorAll('[role=status]')].some((e) => e.textContent === 'Saved as train.yaml.')"
    )
    saved = (tmp_path / "train.yaml").read_text(encoding="utf-8")
    assert saved == clipboard(browser), "what is saved is what is copied"
    assert saved.splitlines()[30] == "bf16: false"
    reach(browser, "Copy", "button", shift=True)
    reach(browser, "The whole file, as it is then")
    browser.press("Enter")
    assert browser.evaluate("document.activeElement.parentElement.open") is True
    inside = reach(browser, "train.yaml, as it is then", "group")
    assert browser.evaluate("document.activeElement.textContent") == saved
    assert reach(browser, "The whole file", shift=True).at == inside.at - 1
    browser.press(" ")
    assert browser.evaluate("document.activeElement.parentElement.open") is False
    reach(browser, "Link to this report", "textbox")
    reach(browser, "Copy", "button")
    browser.press("Enter")
    browser.wait("document.querySelector('[data-said]').textContent === 'Copied.'")
    assert clipboard(browser) == browser.evaluate("document.getElementById('link').value")


def test_what_is_missing_unfolds(service: Served, browser: Chromium) -> None:
    browser.open(service.url)
    reach(browser, "Training file", "textbox")
    browser.type(TRAINING.replace("bf16: true", "bf16: ${PRECISION}"))
    reach(browser, "Check", "button")
    goes(browser, "Enter", "/checks/")
    while browser.evaluate("document.activeElement.closest('.missing summary') === null"):
        reach(browser, "")
    browser.press("Enter")
    assert browser.evaluate("document.activeElement.parentElement.open") is True


def test_what_is_picked_is_what_is_checked(service: Served, browser: Chromium) -> None:
    browser.open(service.url)
    reach(browser, "Training file", "textbox")
    browser.type(TRAINING)
    reach(browser, "Accelerate file", "textbox")
    browser.type(ACCELERATE)
    reach(browser, "The machine, and how the run is started")
    browser.press(" ")
    reach(browser, "GPU", "combobox")
    for letter in "A100":
        browser.press(letter)
    assert browser.evaluate("document.activeElement.value") == "A100"
    reach(browser, "How many", "spinbutton")
    browser.press("ArrowUp")
    browser.press("ArrowUp")
    reach(browser, "Releases", "combobox")
    browser.press("End")
    last = browser.evaluate("document.activeElement.value")
    assert last == browser.evaluate("document.activeElement.options[document.activeElement.length - 1].value")
    reach(browser, "Started by", "combobox")
    browser.press("t")
    assert browser.evaluate("document.activeElement.value") == "torchrun"
    before = browser.evaluate(
        "[...new FormData(document.getElementById('check')).entries()].filter(([, v]) => v.length)"
    )
    browser.press("Escape")
    after = browser.evaluate(
        "[...new FormData(document.getElementById('check')).entries()].filter(([, v]) => v.length)"
    )
    assert after == before, "Escape takes nothing away"
    assert ["gpus", "2"] in after
    browser.key("Enter", text="\r", code=13, ctrl=True)
    browser.wait(f"location.pathname.startsWith('/checks/') && {LOADED}")
    text = browser.evaluate("document.querySelector('main').innerText")
    assert "A100" in text, "a GPU that has no FP8 is spoken of"


def test_two_checks_are_compared_and_read(service: Served, browser: Chromium) -> None:
    checked(browser, service)
    for text in (TRAINING, TRAINING.replace("bf16: true", "bf16: false")):
        browser.open(service.url)
        reach(browser, "Training file", "textbox")
        browser.type(text)
        reach(browser, "Accelerate file", "textbox")
        browser.type(ACCELERATE)
        browser.key("Enter", text="\r", code=13, ctrl=True)
        browser.wait(f"location.pathname.startsWith('/checks/') && {LOADED}")
    reach(browser, "Checked before", "link", shift=True)
    goes(browser, "Enter", "/checks")
    for _ in range(2):
        reach(browser, "Compare train.yaml", "checkbox")
        browser.press(" ")
    assert browser.evaluate("document.querySelectorAll(':checked').length") == 2
    reach(browser, "Compare", "button")
    goes(browser, "Enter", "/compare")
    reach(browser, "What they say", "region")
    reach(browser, "train.yaml, from line", "group")
    reach(browser, "train.yaml", "link")
    goes(browser, "Enter", "/checks/")


def test_the_focus_goes_where_one_reads_and_nothing_holds_it(service: Served, browser: Chromium) -> None:
    """Over every page, with all unfolded: each stop once, in the order of the page, seen, and the same way back."""
    for kind, path in addresses(service).items():
        browser.open(service.url + path)
        browser.evaluate(UNFOLD)
        count = browser.evaluate(f"{STOPS}.length")
        there = []
        for _ in range(count):
            browser.press("Tab")
            here = focus(browser)
            assert here.ring >= 2, (kind, here)
            assert here.inside, (kind, here)
            assert here.name, (kind, here)
            there.append(here.at)
            browser.press("Escape")
            assert focus(browser).at == here.at, f"Escape takes the focus from {here}"
        assert there == [*range(count)], kind
        back = []
        for _ in range(count - 1):
            browser.press("Tab", shift=True)
            back.append(focus(browser).at)
        assert back == [*range(count - 2, -1, -1)], kind


def test_the_first_stop_leads_to_the_content(service: Served, browser: Chromium) -> None:
    browser.open(service.url)
    first = reach(browser, "Skip to the content", "link")
    assert first.at == 0
    browser.press("Enter")
    assert browser.evaluate("document.activeElement.id") == "main"
    browser.press("Tab")
    assert focus(browser).name == "Fill in an example"


def test_a_refused_file_is_where_the_focus_goes(service: Served, browser: Chromium) -> None:
    browser.open(service.url)
    reach(browser, "Training file", "textbox")
    browser.type("bf16: true\n\tfp8: true\n")
    reach(browser, "Check", "button")
    browser.press("Enter")
    browser.wait(f"document.getElementById('problem') !== null && {LOADED}")
    assert browser.evaluate("document.activeElement.id") == "problem"
    assert browser.evaluate("document.title").startswith("A file cannot be read.")
    assert reach(browser, "Training file", "textbox")
    browser.events = [event for event in browser.events if event.get("method") != "Log.entryAdded"]  # of the 422 itself
