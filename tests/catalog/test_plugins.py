"""Rules from other packages, and what becomes of rules that fail."""

from __future__ import annotations

import importlib.util
import json
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from fp8check.rules.catalog import RULES
from fp8check.rules.checking.examining import examine
from fp8check.rules.engine import plugins, rule
from fp8check.rules.engine.definition import WARNING, Found
from fp8check.rules.engine.running import is_input
from fp8check.rules.settings.values import Undecided
from tests.support.runs import assembled_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.engine.definition import Rule
    from fp8check.rules.outcome import Outcome

EXAMPLE = Path(__file__).parents[2] / "examples/plugin/acme_fp8_rules/__init__.py"
CASE = {"training": "output_dir: /tmp/out\n", "accelerate": 'distributed_type: "NO"\nmixed_precision: bf16\n'}


class EntryPoint:
    name = "acme"

    def __init__(self, loaded: object) -> None:
        self._loaded = loaded

    def load(self) -> object:
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


class TrainerPoint(EntryPoint):
    name = "acmetune"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Say what the entry point `acme` loads."""

    def install(loaded: object) -> plugins.Plugin:
        def entry_points(*, group: str, name: str | None = None) -> list[EntryPoint]:
            if group == "fp8check.trainers":
                return [TrainerPoint(loaded)]
            assert group == "fp8check.rules"
            return [EntryPoint(loaded)] if name in (None, "acme") else []

        monkeypatch.setattr(metadata, "entry_points", entry_points)
        return plugins.load("acme", RULES)

    return install


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("acme_fp8_rules", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_plug_in(installed: Any) -> None:
    plugin = installed(example())
    assert plugin.crash is None
    assert [one.id for one in plugin.rules] == ["ACME101", "ACME102", "ACME103"]
    one = assembled_of(CASE)
    report = examine(one.run, one.documents, (*RULES, *plugin.rules))
    assert [(one.rule, str(one.span)) for one in report.findings] == [("ACME101", "train.yaml:1:1")]


def test_its_rules_are_undecided_like_ours(installed: Any) -> None:
    one = assembled_of({**CASE, "accelerate": CASE["accelerate"].replace("bf16", "fp8"), "stack": "unknown"})
    report = examine(one.run, one.documents, installed(example()).rules)
    assert [one.rule for one in report.undecided] == ["ACME102"]


def test_a_suppression_may_name_its_rules(installed: Any) -> None:
    case = {**CASE, "training": "output_dir: /tmp/out  # fp8check: ignore[ACME101] a test\n"}
    one = assembled_of(case)
    report = examine(one.run, one.documents, (*RULES, *installed(example()).rules))
    assert (report.findings, len(report.suppressed)) == ((), 1)


def made(id_: str = "ACME1", name: str = "acme", severity: str = WARNING) -> Any:
    @rule(id_, name, severity, "https://example.com")
    def check(outcome: Outcome) -> Iterator[Found]:
        """Never found."""
        del outcome
        return iter(())

    return check


def asks_for_what_is_not_there() -> Any:
    @rule("ACME109", "acme-weather", WARNING, "https://example.com")
    def check(weather: object) -> Iterator[Found]:
        """Never found."""
        del weather
        return iter(())

    return check


@pytest.mark.parametrize(
    ("loaded", "error"),
    [
        (RuntimeError("its import fails"), "RuntimeError: its import fails"),
        ([], "no function made by"),
        (ModuleType("empty"), "no function made by"),
        ([made("FP101")], "is no id for a plug-in's rule"),
        ([made("ACME1")], "is no id for a plug-in's rule"),
        ([made("ACME101", severity="fatal")], "is no severity"),
        ([made("ACME101", name="precision-flag-cancels-fp8")], "is taken"),
        ([made("ACME101"), made("ACME101", "other")], "is taken"),
        ([asks_for_what_is_not_there()], "no input of a rule is called weather"),
    ],
)
def test_what_cannot_be_loaded_is_a_crash(installed: Any, loaded: object, error: str) -> None:
    plugin = installed(loaded)
    assert plugin.rules == ()
    assert plugin.crash is not None
    assert plugin.crash.rule == "plug-in acme"
    assert error in plugin.crash.error


def test_one_that_is_not_installed_is_a_crash() -> None:
    plugin = plugins.load("no-such-plug-in", RULES)
    assert plugin.crash is not None
    assert "no installed package has the entry point" in plugin.crash.error


def test_a_finding_names_what_is_not_its_message() -> None:
    with pytest.raises(TypeError):
        Found("message", None, "label")  # type: ignore[misc]


@rule("ACME501", "acme-crashes", WARNING, "https://example.com")
def crashing(outcome: Outcome) -> Iterator[Found]:
    """Raises, after it found something."""
    yield Found("found before the crash")
    raise KeyError(outcome.starts)


@rule("ACME502", "acme-no-found", WARNING, "https://example.com")
def yields_nonsense(outcome: Outcome) -> Iterator[Found]:
    """Yields what is no Found."""
    del outcome
    yield "nonsense"  # type: ignore[misc]


@rule("ACME503", "acme-no-such-facts", WARNING, "https://example.com")
def lacks_nonsense(outcome: Outcome) -> Iterator[Found]:
    """Names facts that nothing gets: nobody could be told what to do."""
    del outcome
    raise Undecided("how many", "pakages")
    yield


@pytest.mark.parametrize("function", [crashing, yields_nonsense, lacks_nonsense])
def test_a_rule_that_fails_is_an_error_and_never_a_pass(function: Any) -> None:
    one = assembled_of(CASE)
    report = examine(one.run, one.documents, (*RULES, function.rule))
    assert report.verdict == "fail"
    (finding,) = [one for one in report.findings if one.rule == "FP999"]
    assert function.rule.id in finding.message
    assert [one.rule for one in report.crashes] == [function.rule.id]
    assert "Traceback" in report.crashes[0].traceback


def test_a_plug_in_that_fails_ends_the_command_with_4(
    installed: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from fp8check.cli.main import main

    installed(RuntimeError("its import fails"))
    (tmp_path / "train.yaml").write_text(CASE["training"])
    arguments = [str(tmp_path / "train.yaml"), "--trainer", "transformers", "--no-environment", "--no-config"]
    assert main([*arguments, "--plugin", "acme", "--format", "json"]) == 4
    printed = capfd.readouterr()
    report = json.loads(printed.out)
    assert [one["rule"] for one in report["findings"]] == ["FP999"]
    assert report["internal_errors"][0]["rule"] == "plug-in acme"
    assert "please report it" in printed.err
    assert main([*arguments, "--plugin", "acme", "--format", "json", "--ignore", "FP9", "--select", "FP1"]) == 4
    report = json.loads(capfd.readouterr().out)
    assert (report["verdict"], [one["rule"] for one in report["findings"]]) == ("fail", ["FP999"])
    assert main(["rules", "--plugin", "acme"]) == 4
    assert main(["rule", "FP101", "--plugin", "acme"]) == 4


@pytest.mark.parametrize("words", [["a.yaml"], ["rules"], ["rule", "FP101"]])
def test_a_plug_in_that_is_not_there_is_a_usage_error(
    words: list[str], capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fp8check.cli.main import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text("mixed_precision: bf16\n")
    assert main([*words, "--plugin", "no-such-plug-in"]) == 2
    assert "no installed package has the plug-in no-such-plug-in" in capfd.readouterr().err


@pytest.mark.parametrize("one", RULES, ids=lambda one: one.id)
def test_our_rules_ask_for_inputs_that_there_are(one: Rule) -> None:
    assert [name for name in one.needs if not is_input(name)] == []
