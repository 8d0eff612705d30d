"""Every page of the service under axe-core: on a desktop and on a phone, light and dark, with all that folds open."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2 as httpx
import pytest

from tests.support.chromium import Chromium, found
from tests.support.example import ACCELERATE, FACTS, TRAINING
from tests.support.nodes import node
from tests.support.service import Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator

# `make page-test` installs axe-core and sets this: it is in nothing that is shipped.
AXE = Path(os.environ["TEST_AXE"]) if "TEST_AXE" in os.environ else None

pytestmark = [
    pytest.mark.skipif(found() is None, reason="no Chromium here"),
    pytest.mark.skipif(AXE is None, reason="no axe-core: make page-test has it"),
]

GOOD = TRAINING.replace("bf16: true", "bf16: false")
DEVICES = {"desktop": (1300, 950, False), "phone": (390, 844, True)}
OPENED = "for (const one of document.querySelectorAll('details')) one.open = true"
FAULTS = "axe.run(document).then((done) => done.violations.map((one) => [one.id, one.nodes.map((node) => node.html)]))"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("axe")) as one:
        yield one


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as one:
        yield one


@pytest.fixture(scope="module")
def checks(service: Served) -> list[str]:
    """Where two checks are: of the example, which fails, and of another of which nothing is known."""
    data = {"training": TRAINING, "accelerate": ACCELERATE, "facts": json.dumps(FACTS)}
    return [checked(service, data), checked(service, {"training": GOOD, "accelerate": ACCELERATE})]


def checked(service: Served, data: dict[str, str]) -> str:
    answer = httpx.post(service.url, data=data, timeout=60)
    assert answer.status_code == 303
    return answer.headers["location"].lstrip("/")


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
def test_axe_finds_nothing(service: Served, browser: Chromium, checks: list[str], device: str, scheme: str) -> None:
    shown_on(browser, device, scheme)
    ids = [one.partition("?")[0].removeprefix("checks/") for one in checks]
    odd = [node("n1"), node("n2"), node("n3", facts={"driver": "1"}), node("n4", verdict="fail", why=["it broke"])]
    for one in odd:
        assert service.post("/nodes/run-7", json=one).status_code == 200
    compared = f"compare?id={ids[0]}&id={ids[1]}"
    for path in ("", "?example=true", *checks, "checks", compared, "nodes/run-7?expect=5", "problems/token"):
        browser.open(service.url + path)
        browser.evaluate(OPENED)
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
