"""Trainers from other packages: examples/plugin brings one."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fp8check.cli.main import main
from fp8check.rules.catalog import RULES
from fp8check.rules.checking import check
from fp8check.rules.engine import plugins as rule_plugins
from fp8check.rules.facts import Facts
from fp8check.rules.outcome import predict
from fp8check.rules.settings.launch import Launch
from fp8check.rules.trainers import plugins, registry
from fp8check.rules.trainers.commands import parse
from fp8check.rules.trainers.detect import read
from fp8check.rules.trainers.run import Run
from fp8check.rules.trainers.training import Training

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXAMPLE = Path(__file__).parents[2] / "examples/plugin"
TRAINING = "checkpoint: Qwen/Qwen2.5-7B\ncontext: 65536\n"
ACCELERATE = "distributed_type: MULTI_GPU\nnum_processes: 2\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Installs a package whose entry point `acmetune` is the one given; without one, the example as it stands."""

    def put(place: str = "") -> None:
        groups = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"]
        if place:
            groups[plugins.GROUP] = {"acmetune": place}
        lines = [
            line for group, ones in groups.items() for line in (f"[{group}]", *(f"{n}={v}" for n, v in ones.items()))
        ]
        info = tmp_path / "site/acme_fp8_rules-1.0.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-fp8-rules\nVersion: 1.0.0\n")
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        monkeypatch.syspath_prepend(tmp_path / "site")
        monkeypatch.syspath_prepend(EXAMPLE)
        importlib.invalidate_caches()

    yield put
    for name in [name for name in sys.modules if name.startswith("acme_")]:
        del sys.modules[name]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "train.yaml").write_text(TRAINING)
    (tmp_path / "accel.yaml").write_text(ACCELERATE)
    return [str(tmp_path / "train.yaml"), str(tmp_path / "accel.yaml")]


def test_its_file_its_command_and_a_rule_about_it(install: Any, files: list[str]) -> None:
    install()
    checked = check(*files, trainer="acmetune", launch="acmetune train.yaml --rows 2", plugins=["acme"])
    (report,) = checked.reports
    assert [(one.path, one.dialect) for one in report.documents] == [(files[0], "acmetune"), (files[1], None)]
    run = report.inputs.run
    assert (run.training.name, run.training.model, run.launch.tool, run.launch.through) == (
        *("acmetune", "Qwen/Qwen2.5-7B"),
        *("accelerate", "acmetune"),
    )
    assert run.training.tokens is not None
    assert run.training.tokens.exact == 2 * 65536
    assert report.outcome.distributed_type == "MULTI_GPU"
    found = [(one.rule, str(one.span)) for one in report.findings if one.rule.startswith("ACME")]
    assert found == [("ACME103", f"{files[0]}:2:1")]


def test_the_rule_about_it_does_not_apply_to_others(install: Any, files: list[str]) -> None:
    install()
    (report,) = check(*files, trainer="transformers", plugins=["acme"]).reports
    assert report.crashes == ()
    assert not any(one.rule == "ACME103" for one in (*report.findings, *report.undecided))


def test_the_command_takes_its_name(install: Any, files: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    install()
    words = [*files, "--trainer", "acmetune", "--plugin", "acme", "--no-environment", "--no-config"]
    assert main([*words, "--format", "json"]) in (0, 1)
    report = json.loads(capfd.readouterr().out)
    assert "ACME103" in [one["rule"] for one in report["findings"]]
    assert report["files"][0]["dialect"] == "acmetune"


def test_nothing_of_it_is_loaded_unless_it_is_asked_for(install: Any, files: list[str]) -> None:
    install()
    assert plugins.installed() == ["acmetune"]
    assert (registry.is_trainer("acmetune"), registry.is_known("weather")) == (True, False)
    assert (read(files[0]).kind, read(files[0], trainer="trl").kind) == ("other", "other")
    assert main([files[0], "--no-environment", "--no-config"]) == 2
    assert not any(name.startswith("acme_") for name in sys.modules)
    assert read(files[0], trainer="acmetune").dialect == "acmetune"


def test_its_rules_may_ask_for_it_only_where_it_is_installed(install: Any) -> None:
    install()
    assert rule_plugins.load("acme", RULES).crash is None


def test_a_name_that_nobody_has(install: Any, files: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    install()
    with pytest.raises(
        registry.UnknownTrainer, match=r"no trainer is called weather; there are llamafactory, .*acmetune"
    ):
        check(*files, trainer="weather")
    assert main([*files, "--trainer", "weather", "--no-config"]) == 2
    assert "invalid choice: 'weather'" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("json:loads", "the entry point acmetune of the group fp8check.trainers is no subclass of Training"),
        ("json:JSONDecoder", "is no subclass of Training"),
        ("fp8check.rules.trainers.trl:Trl", "Trl is called 'trl': it has to be 'acmetune', and a new name"),
    ],
)
def test_what_is_no_trainer(install: Any, place: str, error: str) -> None:
    install(place)
    with pytest.raises(plugins.BadTrainer, match=error):
        registry.find("acmetune")


def test_a_name_that_is_taken(install: Any) -> None:
    install()
    with pytest.raises(plugins.BadTrainer, match="a new name"):
        plugins.load("acmetune", ["acmetune"])


def test_one_that_fails_ends_the_command_with_4(
    install: Any, files: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    install("acme_fp8_rules.gone:AcmeTune")
    assert main([*files, "--trainer", "acmetune", "--no-config"]) == 4
    assert "No module named 'acme_fp8_rules.gone'" in capfd.readouterr().err


class Bare(Training):
    name = "bare"
    programs = ("bare",)


def test_what_a_trainer_does_not_say_is_undecided() -> None:
    outcome = predict(Run(Launch("python"), Facts(), training=Bare()))
    assert (outcome.starts, outcome.trains_in_fp8) == (None, None)
    assert outcome.undecided is not None
    assert outcome.undecided.what == "what bare hands to Accelerator is not modeled"
    with pytest.raises(NotImplementedError, match="bare has programs, and does not say how they start a run"):
        parse("bare train.yaml", Bare)
