"""Every page of the service under axe-core: on a desktop and on a phone, light and dark, with all that folds open."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.addresses import UNFOLD, addresses
from tests.support.chromium import Chromium, found
from tests.support.service import Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator

# `make page-test` installs axe-core and sets this: it is in nothing that is shipped.
AXE = Path(os.environ["TEST_AXE"]) if "TEST_AXE" in os.environ else None

pytestmark = [
    pytest.mark.skipif(found() is None, reason="no Chromium here"),
    pytest.mark.skipif(AXE is None, reason="no axe-core: make page-test has it"),
]

DEVICES = {"desktop": (1300, 950, False), "phone": (390, 844, True), "small-phone": (320, 568, True)}
FAULTS = "axe.run(document).then((done) => done.violations.map((one) => [one.id, one.nodes.map((node) => node.html)]))"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("axe")) as one:
        yield one


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as one:
        yield one


def faults(browser: Chromium) -> list[Any]:
    assert AXE is not None
    browser.evaluate(f"{AXE.read_text(encoding='utf-8')}; 0")
    result: list[Any] = browser.evaluate(FAULTS)
    return result


def shown_on(browser: Chromium, device: str, scheme: str) -> None:
    width, height, mobile = DEVICES[device]
    browser.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
    browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", list(DEVICES))
def test_axe_finds_nothing(service: Served, browser: Chromium, device: str, scheme: str) -> None:
    shown_on(browser, device, scheme)
    for path in addresses(service).values():
        browser.open(service.url + path)
        browser.evaluate(UNFOLD)
        assert faults(browser) == [], path
        width = DEVICES[device][0]
        assert browser.evaluate("document.documentElement.scrollWidth") <= width, f"{path} is wider than its window"


def test_axe_finds_nothing_where_a_file_is_refused(service: Served, browser: Chromium) -> None:
    shown_on(browser, "phone", "light")
    browser.open(service.url)
    browser.evaluate("document.getElementById('training').focus()")
    browser.type("bf16: true\n\tfp8: true\n")
    browser.evaluate("document.getElementById('check').requestSubmit()")
    browser.wait("document.querySelector('[role=alert]') !== null && document.readyState === 'complete'")
    assert faults(browser) == []


def test_axe_is_heard(service: Served, browser: Chromium) -> None:
    """A page that is at fault is found to be: an empty list says something."""
    browser.open(service.url)
    browser.evaluate("document.documentElement.removeAttribute('lang')")
    assert [rule for rule, _ in faults(browser)] == ["html-has-lang"]
