"""The same result as the command line, field by field: over the example, the rules' own cases, and the corpus."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from fp8check.cli.main import main
from fp8check.rules.facts import dump
from tests.support.example import EXAMPLE
from tests.support.runs import facts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.testclient import TestClient

CASES = Path(__file__).parent.parent / "catalog" / "cases"
CORPUS = Path(__file__).parent.parent.parent.parent / "shared" / "corpus"
# CI compares each n-th case; all of them with TEST_ALL=1.
STEP = 1 if os.environ.get("TEST_ALL") else 5


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """What the command exits with and prints; run in this process, for speed."""
    capsys.readouterr()
    code = main(list(words))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def asked(client: TestClient, folder: Path, names: list[str], options: dict[str, object]) -> tuple[int, object]:
    """What the service answers for these files: as the exit code, and the report or the problem."""
    files = [
        {"name": name, "text": (folder / name).read_text(encoding="utf-8")} for name in names if name != "facts.json"
    ]
    body: dict[str, object] = {"files": files, "options": options}
    if "facts.json" in names:
        body["facts"] = (folder / "facts.json").read_text(encoding="utf-8")
    answer = client.post("/check", json=body)
    if answer.status_code == 422:
        return 2, answer.json()["detail"]
    assert answer.status_code == 200, answer.text
    return int(answer.headers["fp8check-exit-code"]), answer.json()


def cases_of(file: Path) -> Iterator[dict[str, object]]:
    """The runs of a rule's cases: found, not found, undecided."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    for group in content.values():
        if isinstance(group, list):
            yield from group


def compare(
    client: TestClient, capsys: pytest.CaptureFixture[str], folder: Path, names: list[str], **options: object
) -> None:
    """Fails where the two differ."""
    words = [name for name in names if name != "facts.json"]
    words += ["--facts", "facts.json"] if "facts.json" in names else ["--no-environment"]
    for name in ("launch", "trainer"):
        if name in options:
            words += [f"--{name}", str(options[name])]
    code, out, err = command(capsys, *words, "--format", "json")
    if "facts.json" not in names:
        options["environment"] = False
    status, answer = asked(client, folder, names, options)
    assert status == code, (answer, err)
    if code == 2:
        assert str(answer) in err or names in ([], ["facts.json"])  # without any file the two say it differently
    else:
        assert answer == json.loads(out)


def test_the_example(client: TestClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLE)
    compare(client, capsys, EXAMPLE, ["train.yaml", "accelerate.yaml", "facts.json"])


@pytest.mark.parametrize("option", [None, "verbose", "quiet"])
def test_the_text_is_what_the_command_prints(
    client: TestClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, option: str | None
) -> None:
    monkeypatch.chdir(EXAMPLE)
    flags = [] if option is None else [f"--{option}"]
    _, out, _ = command(capsys, "train.yaml", "accelerate.yaml", "--facts", "facts.json", *flags)
    files = [{"name": name, "text": Path(name).read_text()} for name in ("train.yaml", "accelerate.yaml")]
    body = {
        "files": files,
        "facts": Path("facts.json").read_text(),
        "options": {} if option is None else {option: True},
    }
    assert client.post("/check", json=body, headers={"Accept": "text/plain"}).text == out


@pytest.mark.parametrize("file", sorted(CASES.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_cases_of_the_rules(
    client: TestClient,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    file: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    for case in list(cases_of(file))[:: 1 if STEP == 1 else 2]:
        names = []
        for key, name in (("training", "train.yaml"), ("accelerate", "accel.yaml")):
            if case.get(key) is not None:
                (tmp_path / name).write_text(str(case[key]), encoding="utf-8")
                names.append(name)
        if isinstance(case.get("model"), dict):
            (tmp_path / "config.json").write_text(json.dumps(case["model"]), encoding="utf-8")
            names.append("config.json")
        (tmp_path / "facts.json").write_text(dump(facts_of(case)), encoding="utf-8")
        options = {name: case[name] for name in ("launch", "trainer") if case.get(name) is not None}
        compare(client, capsys, tmp_path, [*names, "facts.json"], **options)


@pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the repository")
def test_the_corpus(client: TestClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CORPUS)
    files = sorted(
        str(path.relative_to(CORPUS)) for path in CORPUS.rglob("*") if path.suffix in (".yaml", ".yml", ".json")
    )
    for name in files[::STEP]:
        compare(client, capsys, CORPUS, [name])
