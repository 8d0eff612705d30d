"""A headless Chromium, spoken to over its DevTools protocol by pipe: no driver, no library, nothing downloaded."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--enable-blink-features=ComputedAccessibilityInfo",  # computedName and computedRole: what a screen reader is told
    "--remote-debugging-pipe",
]

# The keys that have a name: their code, and what they type.
KEYS = {
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    "Escape": (27, ""),
    " ": (32, " "),
    "End": (35, ""),
    "Home": (36, ""),
    "ArrowUp": (38, ""),
    "ArrowDown": (40, ""),
}


def found() -> str | None:
    """Where Chromium is; None where it is not."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Chromium:
    """One browser with one page."""

    def __init__(self) -> None:
        self.profile = tempfile.mkdtemp(prefix="fp8check-chromium-")
        self.number = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Chromium:
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        # Chromium reads commands from descriptor 3 and writes answers to 4.
        script = f'exec 3<&{theirs_in} 4>&{theirs_out}; exec "$0" "$@"'
        words = ["bash", "-c", script, str(found()), *FLAGS, f"--user-data-dir={self.profile}", "about:blank"]
        self.process = subprocess.Popen(
            words, pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.reading = os.fdopen(ours_in, "rb")
        self.writing = os.fdopen(ours_out, "wb", buffering=0)
        targets = self.send("Target.getTargets", browser=True)["targetInfos"]
        page = next(one["targetId"] for one in targets if one["type"] == "page")
        self.session = self.send("Target.attachToTarget", targetId=page, flatten=True, browser=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        with contextlib.suppress(OSError, EOFError):
            self.send("Browser.close", browser=True)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reading.close()
        self.writing.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def send(self, method: str, *, browser: bool = False, **parameters: object) -> dict[str, Any]:
        """Send a command, and return its result."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if not browser:
            message["sessionId"] = self.session
        self.writing.write(json.dumps(message).encode() + b"\0")
        while (answer := self.receive()).get("id") != message["id"]:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def receive(self) -> dict[str, Any]:
        """The next message."""
        text = bytearray()
        while (byte := self.reading.read(1)) != b"\0":
            if not byte:
                raise EOFError
            text += byte
        message: dict[str, Any] = json.loads(text)
        return message

    def open(self, url: str) -> None:
        """Go to an address, and wait until the page is there."""
        self.send("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page."""
        result = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(json.dumps(result["exceptionDetails"])[:500])
        return result["result"].get("value")

    def wait(self, condition: str, within_s: float = 15) -> None:
        """Wait until an expression is true; a page that changes meanwhile is asked again."""
        until = time.monotonic() + within_s
        while True:
            try:
                if self.evaluate(condition):
                    return
            except RuntimeError:
                pass
            if time.monotonic() > until:
                raise TimeoutError(condition)
            time.sleep(0.03)

    def press(self, name: str, *, shift: bool = False) -> None:
        """Press a key by its name, or by the character that it types."""
        code, text = KEYS.get(name, (ord(name[0].upper()), name))
        self.key(name, text=text, code=code, shift=shift)

    def key(self, name: str, *, text: str = "", code: int = 0, ctrl: bool = False, shift: bool = False) -> None:
        """Press a key."""
        modifiers = 2 * ctrl + 8 * shift
        named: dict[str, object] = {"key": name, "code": name, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **named)
        self.send("Input.dispatchKeyEvent", type="keyUp", **named)

    def tab(self) -> str:
        """Go to the next element with the Tab key; returns what has the focus then."""
        self.key("Tab", code=9)
        return str(self.evaluate("(e => e.id || e.name || e.textContent.trim() || e.tagName)(document.activeElement)"))

    def enter(self, *, ctrl: bool = False) -> None:
        """Press Enter."""
        self.key("Enter", text="\r", code=13, ctrl=ctrl)

    def type(self, text: str) -> None:
        """Insert a text where the focus is, as pasting does."""
        self.send("Input.insertText", text=text)

    def screenshot(
        self, path: Path, *, width: int = 1300, height: int = 950, scheme: str = "light", whole: bool = False
    ) -> None:
        """Write what a person sees."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self) -> list[str]:
        """What the browser complained about: errors of scripts, policies and loading."""
        self.evaluate("1")  # so that what came meanwhile has been read
        said = []
        for event in self.events:
            if event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                said.append(f"{event['params']['entry']['text']} {event['params']['entry'].get('url', '')}")
            if event.get("method") == "Runtime.exceptionThrown":
                said.append(json.dumps(event["params"])[:300])
        return said

    def requested(self) -> set[str]:
        """The addresses that the page asked for."""
        return {
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        }
