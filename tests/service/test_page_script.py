"""The page without a browser: what it holds, and what its script does with it, in node."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fp8check.service import checking
from fp8check.service.pages import STATIC
from fp8check.service.problems import Problem
from tests.report.test_plans import texts_of
from tests.service.test_plan import FILES
from tests.tools.fuzz.invariants import page

if TYPE_CHECKING:
    from starlette.testclient import TestClient

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def opened(client: TestClient, **files: str) -> str:
    """The page of a check, as the form leads to it."""
    answer = client.post("/", data=files, headers=FORM, follow_redirects=False)
    assert answer.status_code == 303
    shown = client.get(answer.headers["location"], headers={"Accept": "text/html"})
    assert shown.status_code == 200
    page(shown.text)
    return shown.text


def test_where_a_run_is_not_good_what_to_do_is_first(client: TestClient) -> None:
    text = opened(client, **FILES)
    order = ['class="verdict fail"', 'class="todo"', 'class="summary"', 'id="file-0-0"']
    assert [text.index(one) for one in order] == sorted(text.index(one) for one in order)
    found = texts_of(text)
    assert found.files == {
        "train.yaml": FILES["training"].replace("true", "false"),
        "accelerate.yaml": FILES["accelerate"].replace(": te", ": TE"),
    }
    assert found.commands == ["accelerate launch --config_file accelerate.yaml train.py train.yaml"]
    assert text.count("<h4>before</h4>") == text.count("<h4>after</h4>") == 2


def test_where_it_is_good_there_is_nothing_to_do(client: TestClient) -> None:
    good = {
        "training": FILES["training"].replace("true", "false"),
        "accelerate": FILES["accelerate"].replace(": te", ": TE"),
    }
    assert 'class="todo"' not in opened(client, **good)


def test_everything_is_reached_by_keyboard_and_has_a_name(client: TestClient) -> None:
    text = opened(client, **FILES)
    todo = text.partition('<section class="todo"')[2].partition("</section>")[0]
    blocks = re.findall(r"<pre [^>]*>", todo)
    assert blocks
    assert all('tabindex="0"' in one for one in blocks), "what scrolls takes the focus"
    assert len(re.findall("<figure[^>]* aria-labelledby", todo)) == todo.count("<figure")
    assert "onclick" not in text
    assert "style=" not in text


@pytest.mark.parametrize("slug", ["too-costly", "busy"])
def test_a_page_is_shown_where_no_plan_is_found_in_time(
    slug: str, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = client.app.state.service  # type: ignore[attr-defined]
    real = service._answer

    async def answer(check_request: object, *more: object) -> object:
        if check_request.options.plan:  # type: ignore[attr-defined]
            raise Problem(slug, "too slow")
        return await real(check_request, *more)

    monkeypatch.setattr(service, "_answer", answer)
    text = opened(client, **FILES)
    assert 'class="todo"' not in text
    assert "FP201" in text


def test_what_is_wrong_is_still_said(client: TestClient) -> None:
    answer = client.post("/", data={"training": "bf16: [1"}, headers=FORM)
    assert answer.status_code == 422
    assert "train.yaml" in answer.text


def test_no_credential_is_on_the_page(client: TestClient) -> None:
    files = {**FILES, "training": f"{FILES['training']}hub_token: some-secret-words\n"}
    text = opened(client, **files)
    assert "some-secret-words" not in text
    assert [*texts_of(text).files] == ["accelerate.yaml"], "a mask is in no file that can be saved"


# The style


def test_it_fits_a_phone() -> None:
    from fp8check.rules.report.html import style

    css = style()
    assert "repeat(auto-fit, minmax(min(100%, 22rem), 1fr))" in css, "before and after below each other"
    assert re.search(r"pre\.text \{[^}]*overflow-x: auto", css)
    assert "url(" not in css + (STATIC / "page.css").read_text()
    assert "@import" not in css


# The script, in node, with as much of a browser as it needs

BROWSER = """
const fs = require("fs"), vm = require("vm");
const given = JSON.parse(fs.readFileSync(0, "utf8"));
const told = { copied: [], saved: [], selected: 0, labels: [], said: [] };
class Element {
  constructor(tag) { this.tag = tag; this.children = []; this.listeners = {}; this.attributes = {}; this.dataset = {}; this.textContent = ""; this.style = {}; }
  setAttribute(name, value) { this.attributes[name] = value; }
  addEventListener(name, act) { this.listeners[name] = act; }
  append(...parts) { this.children.push(...parts.filter((one) => typeof one !== "string")); }
  before(row) { this.row = row; }
  closest() { return null; }
  click() { if (this.tag === "a") told.saved.push([this.download, this.href]); else return this.listeners.click(); }
  set innerHTML(_) { throw new Error("innerHTML"); }
}
const blocks = given.blocks.map(([text, name]) => {
  const made = new Element("pre");
  made.textContent = text;
  if (name) made.dataset.name = name;
  return made;
});
const blobs = {};
const context = {
  document: {
    querySelectorAll: (what) => (what === "pre.text:not(.seen)" ? blocks : []),
    querySelector: () => null,
    getElementById: () => null,
    createElement: (tag) => new Element(tag),
    createRange: () => ({ selectNodeContents: () => (told.selected += 1) }),
  },
  navigator: { clipboard: { writeText: async (text) => { if (given.refuses) throw new Error("no"); told.copied.push(text); } } },
  getSelection: () => ({ removeAllRanges() {}, addRange() {} }),
  URL: { createObjectURL: (blob) => { blobs["blob:1"] = blob.text; return "blob:1"; }, revokeObjectURL() {} },
  Blob: class { constructor(parts) { this.text = parts.join(""); } },
  setTimeout: (act, milliseconds) => (milliseconds < 1000 ? act() : 0),
  location: { href: "http://localhost/" },
};
vm.runInNewContext(fs.readFileSync(given.script, "utf8"), context);
(async () => {
  for (const block of blocks) {
    for (const one of block.row.children) {
      if (one.tag === "button") { told.labels.push(one.attributes["aria-label"]); await one.click(); }
      else told.said.push([one.attributes.role, one.textContent]);
    }
  }
  told.saved = told.saved.map(([name, at]) => [name, blobs[at]]);
  console.log(JSON.stringify(told));
})();
"""


def in_node(blocks: list[tuple[str, str | None]], *, refuses: bool = False) -> dict[str, object]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here")
    given = {"blocks": blocks, "refuses": refuses, "script": str(STATIC / "page.js")}
    done = subprocess.run([node, "-e", BROWSER], input=json.dumps(given), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


def test_commands_are_copied_and_files_are_saved() -> None:
    told = in_node([("accelerate launch a.py", None), ("bf16: false\n", "train.yaml")])
    assert told["labels"] == ["Copy accelerate launch a.py", "Copy train.yaml", "Download train.yaml"]
    assert told["copied"] == ["accelerate launch a.py", "bf16: false\n"]
    assert told["saved"] == [["train.yaml", "bf16: false\n"]]
    assert told["said"] == [["status", "Copied."], ["status", "Saved as train.yaml."]]


def test_where_the_clipboard_is_refused_the_text_is_selected() -> None:
    told = in_node([("accelerate launch a.py", None)], refuses=True)
    assert (told["copied"], told["selected"]) == ([], 1)
    assert told["said"] == [["status", "Press Ctrl+C to copy."]]


def test_the_script_makes_no_markup_and_asks_nobody() -> None:
    script = (STATIC / "page.js").read_text(encoding="utf-8")
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval",
        "fetch",
        "XMLHttpRequest",
        "import(",
    ):
        assert word not in script


def test_what_is_stored_without_a_plan_still_has_its_page(client: TestClient) -> None:
    answer = client.post("/check", json=FILES)
    text = client.get(answer.headers["content-location"], headers={"Accept": "text/html"}).text
    assert 'class="todo"' not in text
    assert "What to write instead" in text
    assert checking.loaded(answer.content)[0].plan is None
    assert isinstance(STATIC, Path)
