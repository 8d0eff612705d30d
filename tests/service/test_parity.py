"""The command, the hook, the service and the Python API say the same of the same files, field by field.

Differences by design, and all of them:
- The service follows no name: what a file of the body names (a DeepSpeed file, a script of the launch, the machine's own
  Accelerate file, a model's folder) is read only where it is sent along. The inputs here name nothing that is not there.
- The hook looks at changed files: it knows nothing of the machine, passes over files that are no training or Accelerate
  file (a DeepSpeed file, a config.json, one that cannot be read), and has nothing to say where none is left.
- Without any file the command says how it is used, and the service that nothing was sent.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from fp8check.rules.checking import InputError, check
from fp8check.rules.facts import dump
from fp8check.rules.report.build import full_report
from fp8check.rules.report.schema import as_data
from tests.support.paths import CASES, CORPUS, EXAMPLE
from tests.support.reports import without_plan
from tests.support.runs import facts_of
from tests.tools.golden import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.testclient import TestClient

    Answer = tuple[int, object]

RULES = sorted(path.stem for path in CASES.glob("*.yaml"))
CONFIGURATIONS = (
    sorted(str(path.relative_to(CORPUS)) for path in CORPUS.rglob("*") if path.suffix in (".yaml", ".yml", ".json"))
    if CORPUS.exists()
    else []
)
USAGE = 2
# Cases whose command names a file that is not there: the command says so, and the service, which looks for none, cannot.
NAMES_MORE = ("a file that TRL's command is given without --config",)


class Input:
    """Files in the current folder, and how they are checked."""

    def __init__(self, names: list[str], *, facts: bool, **options: str) -> None:
        self.names = names
        self.facts = facts
        self.options = options

    def words(self) -> list[str]:
        """The command line."""
        machine = ["--facts", "facts.json"] if self.facts else ["--no-environment"]
        options = [word for name, value in self.options.items() for word in (f"--{name}", value)]
        return [*self.names, *machine, *options, "--no-config", "--format", "json"]


def by_command(one: Input) -> Answer:
    """Exit code, and the reports; what is wrong, where the files cannot be understood."""
    said = run(one.words())
    return said.code, _place(said.err) if said.code == USAGE else json.loads(said.out)


def _place(problem: str) -> str:
    """The file and place of what is wrong. The command knows more of why somebody gives such a file, and says it."""
    return problem.split(": ")[1]


def by_api(one: Input) -> Answer:
    """The same through Python."""
    options = {name: value for name, value in one.options.items() if name in ("launch", "trainer")}
    lists = {name: value.split(",") for name, value in one.options.items() if name in ("select", "ignore")}
    try:
        checked = check(*one.names, facts="facts.json" if one.facts else None, **options, **lists)  # type: ignore[arg-type]
    except InputError as problem:
        return USAGE, _place(f"fp8check: {problem}")
    reports = [as_data(full_report(one)) for one in checked.reports]
    return checked.exit_code(), json.loads(json.dumps(reports[0] if len(reports) == 1 else reports))


def by_service(one: Input, client: TestClient, folder: Path) -> Answer:
    """The same through HTTP."""
    files = [{"name": name, "text": (folder / name).read_text(encoding="utf-8")} for name in one.names]
    options: dict[str, object] = {"environment": False}
    for name, value in one.options.items():
        options[name] = value.split(",") if name in ("select", "ignore") else value
    body: dict[str, object] = {"files": files, "options": options}
    if one.facts:
        body["facts"] = (folder / "facts.json").read_text(encoding="utf-8")
    answer = client.post("/check", json=body)
    if answer.status_code == 422:
        return USAGE, _place(f"fp8check: {answer.json()['detail']}")
    assert answer.status_code == 200, answer.text
    return int(answer.headers["fp8check-exit-code"]), answer.json()


def compare(one: Input, client: TestClient, folder: Path) -> None:
    """Fails where two of them differ."""
    code, said = by_command(one)
    in_python = by_api(one)
    assert in_python == (code, said) or (not one.names and in_python[0] == code)
    status, answer = by_service(one, client, folder)
    assert status == code
    if code != USAGE:
        assert answer == said
    elif one.names:
        assert str(answer).replace("GET /rules lists", "fp8check rules lists") in str(said)


def compare_hook(one: Input) -> None:
    """The hook against the command that looks at no machine."""
    said = run(["--hook", "--no-config", "--format", "json", *one.names])
    code, expected = by_command(one)
    if code == USAGE:
        return  # the hook may pass over what the command refuses
    reports = json.loads(said.out)
    for report in reports if isinstance(reports, list) else (reports,):
        report.pop("run", None)  # which run it is, where nobody said so
    assert (said.code, reports) == (code, expected) or reports == [], one.names


def cases() -> Iterator[tuple[str, dict[str, object]]]:
    """The runs of all rules' cases, each with its rule."""
    for rule in RULES:
        content = yaml.safe_load((CASES / f"{rule}.yaml").read_text(encoding="utf-8"))
        for group in content.values():
            for case in group if isinstance(group, list) else ():
                yield rule, case


def put(case: dict[str, object], folder: Path) -> Input:
    """Write the files of a case, and say how to check them."""
    names = []
    for key, name in (("training", "train.yaml"), ("accelerate", "accel.yaml"), ("deepspeed", "ds.json")):
        if case.get(key) is not None:
            (folder / name).write_text(str(case[key]), encoding="utf-8")
            names.append(name)
    if isinstance(case.get("model"), dict):
        (folder / "config.json").write_text(json.dumps(case["model"]), encoding="utf-8")
        names.append("config.json")
    (folder / "facts.json").write_text(dump(facts_of(case)), encoding="utf-8")
    options = {name: str(case[name]) for name in ("launch", "trainer") if case.get(name) is not None}
    return Input(names, facts=True, **options)


@pytest.mark.parametrize("part", [pytest.param(part, marks=[pytest.mark.slow] * (part > 1)) for part in range(8)])
def test_cases(part: int, client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second case of every rule: about 850."""
    some = [case for number, (_, case) in enumerate(cases()) if number % 2 == 0]
    for number, case in enumerate(some):
        if number % 8 == part:
            folder = tmp_path / str(number)
            folder.mkdir()
            monkeypatch.chdir(folder)
            one = put(case, folder)
            if case["name"] in NAMES_MORE:
                continue
            if one.names or "host" not in case:  # the command may miss the default Accelerate file of another machine
                compare(one, client, folder)


@pytest.mark.skipif(not CONFIGURATIONS, reason="no corpus beside the repository")
@pytest.mark.parametrize("part", range(4))
def test_real_configuration_files(part: int, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CORPUS)
    for name in CONFIGURATIONS[part::4]:
        one = Input([name], facts=False)
        compare(one, client, CORPUS)
        compare_hook(one)


@pytest.mark.parametrize("option", [{"ignore": "FP9"}, {"ignore": "FP1,FP9"}, {"select": "FP9"}, {"select": "FP1"}])
def test_rules_are_chosen_alike(
    option: dict[str, str], client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also FP999, that a rule failed: it is never left out by naming others."""
    some = [case for number, (_, case) in enumerate(cases()) if number % 40 == 0]
    for number, case in enumerate(some):
        folder = tmp_path / str(number)  # what another case left would be read
        folder.mkdir()
        monkeypatch.chdir(folder)
        one = put(case, folder)
        one.options.update(option)
        if one.names or "host" not in case:  # see test_cases
            compare(one, client, folder)


def test_the_hook_on_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = [case for _, case in cases() if case.get("training") and case.get("accelerate")][::5]
    assert len(some) > 50
    for number, case in enumerate(some):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        one = put({key: case[key] for key in ("training", "accelerate")}, folder)
        compare_hook(Input(one.names, facts=False))


@pytest.mark.parametrize("option", [None, "verbose", "quiet"])
def test_the_text_is_what_the_command_prints(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, option: str | None
) -> None:
    monkeypatch.chdir(EXAMPLE)
    flags = [] if option is None else [f"--{option}"]
    out = run(["train.yaml", "accelerate.yaml", "--facts", "facts.json", *flags]).out
    files = [{"name": name, "text": Path(name).read_text()} for name in ("train.yaml", "accelerate.yaml")]
    body = {
        "files": files,
        "facts": Path("facts.json").read_text(),
        "options": {} if option is None else {option: True},
    }
    assert client.post("/check", json=body, headers={"Accept": "text/plain"}).text == without_plan(out)


def test_the_example(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLE)
    compare(Input(["train.yaml", "accelerate.yaml"], facts=True), client, EXAMPLE)
