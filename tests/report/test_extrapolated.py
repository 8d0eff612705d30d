"""A report says once which predictions go beyond the releases that were executed, in every form that shows a summary."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fp8check.rules.outcome.extrapolated import in_words
from fp8check.rules.releases.versions import EXECUTED
from fp8check.rules.report import build, trace
from fp8check.rules.report.formats import find
from fp8check.rules.report.schema import as_data
from fp8check.rules.report.stored import from_data
from fp8check.rules.report.terminal import Style
from tests.support.reports import sources_of, text_of
from tests.support.runs import TODAY, report_of

if TYPE_CHECKING:
    from fp8check.rules.suppression.examined import Examined

ACCELERATE = "distributed_type: {distributed}\nmixed_precision: fp8\nfp8_config: {{backend: {backend}}}\n"
NEWER = {
    name: f"{int(release.partition('.')[0]) + 1}.0.0" for name, release in EXECUTED.items() if name != "llamafactory"
}
THE_STEP = "the step: compiling, checkpointing, sharding and memory"


def examined(
    packages: dict[str, str] | str, backend: str = "TE", distributed: str = "'NO'", **case: object
) -> Examined:
    config = ACCELERATE.format(backend=backend, distributed=distributed)
    return report_of({"accelerate": config, "stack": packages, **case})


def names(report: Examined) -> list[str]:
    return [one.package for one in build.full_report(report).outcome.extrapolated]


def test_a_stack_that_was_executed_says_nothing() -> None:
    report = build.full_report(examined({**TODAY, **EXECUTED}))
    assert report.outcome.extrapolated == ()
    assert report.summary.extrapolated is None
    assert "extrapolated" not in json.dumps(as_data(report))


def test_releases_that_are_not_known_are_assumed_and_not_extrapolated() -> None:
    assert names(examined("unknown")) == []


@pytest.mark.parametrize(
    ("training", "trainer"),
    [
        ("stage: sft\nfinetuning_type: ${oc.env:HOW}\n", "llamafactory"),
        ("model_name_or_path: model\nuse_peft: ${HOW}\n", "trl"),
    ],
)
def test_adapters_that_are_filled_in_later_may_be_there(training: str, trainer: str) -> None:
    """The report is made all the same: what rests on peft is said where it may."""
    report = examined({**TODAY, trainer: EXECUTED[trainer], "peft": NEWER["peft"]}, training=training, trainer=trainer)
    assert names(report) == ["peft"]


@pytest.mark.parametrize("release", ["2.13.1", "2.15.0+cu130", "3.0"])
def test_a_newer_torch_is_said_once(release: str) -> None:
    report = examined({**TODAY, "torch": release})
    text = text_of(report)
    words = f"extrapolated: {THE_STEP} with torch {release} ({EXECUTED['torch']} was executed)"
    assert text.count("extrapolated") == 1
    assert words in text
    data = as_data(build.full_report(report))
    assert data["outcome"]["extrapolated"] == [
        {"package": "torch", "release": release, "executed": EXECUTED["torch"], "predictions": THE_STEP}
    ]
    assert from_data(json.loads(json.dumps(data))) == build.full_report(report)


@pytest.mark.parametrize("release", ["2.13.0+cpu", "2.13", "2.11.0", "unreadable"])
def test_a_torch_that_is_not_newer_is_not(release: str) -> None:
    assert names(examined({**TODAY, "torch": release})) == []


def test_html_shows_the_line_and_the_trace_shows_what_rests_on_it() -> None:
    report = build.full_report(examined({**TODAY, "torch": "2.15.0"}))
    page = find("html").render([report], sources_of(examined(TODAY)))
    assert page.count(f"extrapolated: {THE_STEP} with torch 2.15.0") == 1
    shown = trace.render("fp8", report.outcome, Style(on=False))
    assert f"torch 2.15.0: extrapolated from {EXECUTED['torch']}: {THE_STEP}\n" in shown


@pytest.mark.parametrize(
    ("case", "packages"),
    [
        ({}, {"accelerate", "transformer_engine", "torch"}),
        ({"backend": "AO"}, {"accelerate", "torchao", "torch"}),
        ({"training": "output_dir: o\nbf16: false\n"}, {"accelerate", "transformers", "transformer_engine", "torch"}),
        (
            {"training": "model_name_or_path: a/b\noutput_dir: o\nuse_peft: true\n", "trainer": "trl"},
            {"accelerate", "transformers", "trl", "peft", "transformer_engine", "torch"},
        ),
        (
            {"training": "base_model: a/b\nfp8: true\n", "trainer": "axolotl"},
            {"accelerate", "transformers", "axolotl", "torchao", "torch"},
        ),
        (
            {"distributed": "DEEPSPEED\ndeepspeed_config: {zero_stage: 1}"},
            {"accelerate", "deepspeed", "transformer_engine", "torch"},
        ),
    ],
)
def test_only_packages_that_take_part_are_named(case: dict[str, str], packages: set[str]) -> None:
    assert set(names(examined({**TODAY, **NEWER}, **case))) == packages  # type: ignore[arg-type]


def test_several_stand_in_one_line() -> None:
    report = examined({**TODAY, "torch": "2.15.0", "accelerate": "1.16.0"})
    text = text_of(report)
    assert text.count("extrapolated: ") == 1
    assert "the launch, Accelerator() and prepare() with accelerate 1.16.0 (1.15.0 was executed); the step" in text
    assert in_words(()) == "extrapolated: "
