"""The page in a real browser: pasted, found in the right lines, shared, without script; screenshots."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fp8check.service.tokens import make
from tests.support.chromium import Chromium, found
from tests.support.example import ACCELERATE, EXAMPLE, FACTS, TRAINING
from tests.support.service import Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(found() is None, reason="no Chromium here")

# `make page-test` sets this, and renews the pictures of the docs.
IMAGES = Path(os.environ["TEST_IMAGES"]) if "TEST_IMAGES" in os.environ else None


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("page")) as one:
        yield one


@pytest.fixture
def browser() -> Iterator[Chromium]:
    with Chromium() as one:
        yield one
        assert one.complaints() == []


def picture(browser: Chromium, name: str, **named: Any) -> None:
    if IMAGES is not None:
        browser.screenshot(IMAGES / f"{name}.png", **named)


def paste(browser: Chromium, field: str, text: str) -> None:
    browser.evaluate(f"document.getElementById('{field}').focus()")
    browser.type(text)


def marked(browser: Chromium) -> dict[str, str]:
    """The marked pieces of the source, by the line that they stand in."""
    script = "Object.fromEntries([...document.querySelectorAll('.source mark')].map(e => [e.closest('li').id, e.textContent]))"
    result: dict[str, str] = browser.evaluate(script)
    return result


def test_pasted_files_show_their_findings_in_the_right_lines(service: Served, browser: Chromium) -> None:
    browser.open(service.url)
    picture(browser, "form-light", height=1000)
    browser.evaluate("document.querySelector('details').open = true")
    picture(browser, "form-phone", width=420, height=2150)
    paste(browser, "training", TRAINING)
    paste(browser, "accelerate", ACCELERATE)
    browser.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    paste(browser, "facts", json.dumps(FACTS))
    browser.evaluate("document.querySelector('#check button').click()")
    browser.wait("location.pathname.startsWith('/checks/') && document.readyState === 'complete'")
    pieces = marked(browser)
    lines = TRAINING.splitlines()
    for wanted in ("bf16: true", "fp8: true", "fp8_backend: te", "per_device_train_batch_size: 1"):
        assert pieces[f"line-0-0-{lines.index(wanted) + 1}"] == wanted
    accelerate = ACCELERATE.splitlines()
    assert pieces[f"line-0-1-{accelerate.index('mixed_precision: fp8') + 1}"] == "mixed_precision: fp8"
    below = browser.evaluate(f"document.getElementById('line-0-0-{lines.index('bf16: true') + 1}').innerText")
    assert "FP101 error bf16: true cancels FP8" in below
    assert "Help: write bf16: false" in below
    assert browser.evaluate("document.querySelector('.badge').innerText").lower() == "fail"
    assert "bf16, with TE layers in FP8" in browser.evaluate("document.querySelector('.run > .summary').innerText")
    assert browser.evaluate("document.querySelectorAll('.chain tbody tr').length") > 10
    browser.send("Emulation.setDeviceMetricsOverride", width=1400, height=900, deviceScaleFactor=1, mobile=False)
    tops = browser.evaluate(
        "[...document.querySelectorAll('.files figure.file')].map(e => e.getBoundingClientRect().top)"
    )
    assert tops[0] == tops[1], "the files are side by side"
    picture(browser, "report-light", width=1400, height=1250)
    picture(browser, "report-dark", width=1400, height=1250, scheme="dark")
    picture(browser, "report-phone", width=420, height=1250)
    assert {url.partition("/checks")[0] for url in browser.requested()} <= {
        service.url.rstrip("/"),
        service.url,
        f"{service.url}style.css",
        f"{service.url}page.js",
        "about:blank",
        "data:,",
    }


def test_the_share_link_opens_the_report_without_a_token(tmp_path: Path, browser: Chromium) -> None:
    secret, token = make("ci", ("check",), 1)
    (tmp_path / "tokens").write_text(token.line())
    with served(tmp_path, FP8CHECK_TOKENS_FILE=str(tmp_path / "tokens")) as one:
        basic = base64.b64encode(f"x:{secret}".encode()).decode()
        browser.send("Network.setExtraHTTPHeaders", headers={"Authorization": f"Basic {basic}"})
        browser.open(one.url)
        paste(browser, "training", TRAINING)
        browser.enter(ctrl=True)
        browser.wait("location.pathname.startsWith('/checks/') && document.readyState === 'complete'")
        link = browser.evaluate("document.getElementById('link').value")
        assert link.startswith(one.url)
        browser.send("Network.setExtraHTTPHeaders", headers={})
        browser.send("Network.clearBrowserCookies")
        browser.open("about:blank#")
        browser.open(link)
        browser.wait("document.readyState === 'complete' && document.querySelector('.verdict') !== null")
        assert one.get(link.partition("?")[0].removeprefix(one.url.rstrip("/"))).status_code == 401


def test_it_works_without_script_for_reading_and_checking(service: Served, browser: Chromium) -> None:
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(service.url)
    browser.evaluate("document.querySelector('.try button').click()")
    browser.wait("location.search.startsWith('?example') && document.readyState === 'complete'")
    browser.evaluate("document.querySelector('#check button').click()")
    browser.wait("location.pathname.startsWith('/checks/') && document.readyState === 'complete'")
    assert browser.evaluate("document.querySelectorAll('.note').length") > 0
    assert browser.evaluate("document.querySelector('[data-copy]').hidden") is True


def test_a_file_that_cannot_be_read_is_said_and_what_was_typed_stays(service: Served, browser: Chromium) -> None:
    browser.open(service.url)
    paste(browser, "training", "bf16: true\n\tfp8: true\n")
    browser.evaluate("document.querySelector('#check button').click()")
    browser.wait("document.querySelector('[role=alert]') !== null && document.readyState === 'complete'")
    said = browser.evaluate("document.querySelector('[role=alert]').innerText")
    assert "train.yaml:2:1" in said
    assert "replace the tab" in said
    assert browser.evaluate("document.getElementById('training').value") == "bf16: true\n\tfp8: true\n"
    assert browser.evaluate("document.activeElement.id") == "problem"
    picture(browser, "form-problem", height=1100)
    browser.events = [event for event in browser.events if event.get("method") != "Log.entryAdded"]  # of the 422 itself


def test_names_roles_and_contrast(service: Served, browser: Chromium) -> None:
    """What a screen reader is told, and whether the colors can be read: WCAG's 4.5 to 1, light and dark."""
    import httpx2 as httpx

    with (EXAMPLE / "train.yaml").open("rb") as training, (EXAMPLE / "accelerate.yaml").open("rb") as accelerate:
        stored = httpx.post(f"{service.url}check", files={"training": training, "accelerate": accelerate})
    for path in ("", stored.headers["content-location"].lstrip("/"), "checks", "problems/token"):
        browser.open(service.url + path)
        nodes = browser.send("Accessibility.getFullAXTree")["nodes"]
        for node in nodes:
            role = node.get("role", {}).get("value")
            if role in ("textbox", "button", "link", "figure", "region", "navigation", "heading") and not node.get(
                "ignored"
            ):
                assert node.get("name", {}).get("value"), (path, role, node)
        roles = [node.get("role", {}).get("value") for node in nodes]
        assert roles.count("main") == 1
        assert browser.evaluate("document.documentElement.lang") == "en"
        assert browser.evaluate("document.querySelectorAll('h1').length") == 1
        for scheme in ("light", "dark"):
            browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            faint = browser.evaluate(CONTRAST)
            assert faint == [], (path, scheme)


def test_checks_are_listed_and_compared(service: Served, browser: Chromium) -> None:
    import httpx2 as httpx

    for training in (TRAINING, TRAINING.replace("bf16: true", "bf16: false")):
        body = {"training": training, "accelerate": ACCELERATE, "facts": FACTS}
        httpx.post(f"{service.url}check", json=body, timeout=60).raise_for_status()
    browser.open(f"{service.url}checks")
    picture(browser, "checks-phone", width=420, height=600)
    for _ in range(40):  # by keyboard: the first two of the list
        browser.tab()
        if browser.evaluate("document.activeElement.type === 'checkbox' && !document.activeElement.checked"):
            browser.key(" ", text=" ", code=32)
        if browser.evaluate("document.querySelectorAll(':checked').length") == 2:
            break
    while browser.tab() != "Compare":
        assert browser.evaluate("document.activeElement !== document.body")
    browser.enter()
    browser.wait("location.pathname === '/compare' && document.readyState === 'complete'")
    text = browser.evaluate("document.querySelector('main').innerText")
    assert "bf16: true cancels FP8" in text
    assert browser.evaluate("document.querySelector('.change del').innerText") != ""
    picture(browser, "compared-dark", width=1100, height=1250, scheme="dark")


CONTRAST = """
(() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const color = parse(getComputedStyle(element).backgroundColor);
      if (color.length === 3 || color[3] > 0.99) return color;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!text || !element.getClientRects().length || element.closest(".skip")) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faint.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)} ${element.textContent.slice(0, 30)}`);
  }
  return faint;
})()
"""
