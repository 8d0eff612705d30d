"""Versions and the table of bounds."""

from __future__ import annotations

import pytest

from fp8check.rules.facts import Facts
from fp8check.rules.releases.behaviors import Behavior
from fp8check.rules.releases.stack import Stack
from fp8check.rules.releases.versions import EARLIER, NEWEST, at_least, between, parse, parsed
from fp8check.rules.settings.values import Undecided
from tests.tools.version_bounds import BEHAVIORS

PACKAGES = {
    "Torch": "torch",
    "Peft": "peft",
    "Accelerate": "accelerate",
    "Transformers": "transformers",
    "LlamaFactory": "llamafactory",
    "TransformerEngine": "transformer_engine",
    "Trl": "trl",
    "Axolotl": "axolotl",
}


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.15.0", (1, 15, 0)),
        ("1.15.0.dev0", (1, 15, 0)),
        ("2.13.0+cpu", (2, 13, 0)),
        ("v0.9", (0, 9)),
        ("2.0rc1", (2, 0)),
    ],
)
def test_parse(text: str, version: tuple[int, ...]) -> None:
    assert parse(text) == version


def test_what_is_no_version() -> None:
    with pytest.raises(ValueError, match="is not a version"):
        parse("unknown")


def test_missing_numbers_are_zero() -> None:
    assert at_least((1, 9), 1, 9, 0)
    assert at_least((1, 9, 0), 1, 9)
    assert not at_least((1, 8, 1), 1, 9)
    assert between((1, 8, 1), (1, 8), (1, 9))
    assert not between((1, 9), (1, 8), (1, 9))


@pytest.mark.parametrize("name", BEHAVIORS)
def test_every_behavior_has_a_range_and_evidence(name: str) -> None:
    behavior = BEHAVIORS[name]
    assert behavior.package == PACKAGES[name.partition(".")[0]]
    assert behavior.since < behavior.until
    assert any(word in behavior.evidence for word in (".py", "METADATA", ".cu"))


def test_the_earlier_world_differs_and_is_complete() -> None:
    assert EARLIER.keys() == NEWEST.keys()
    assert EARLIER["transformers"].startswith("4.")


def test_a_version_that_cannot_be_read_is_not_known() -> None:
    assert parsed(None) is None
    assert parsed("unknown") is None
    assert parsed("1.15.0.dev0") == (1, 15, 0)


def test_nothing_is_assumed_of_a_package_that_only_a_plug_in_knows() -> None:
    assert Stack(Facts(packages={"acmetune": "1.2"})).version("acmetune") == (1, 2)
    with pytest.raises(Undecided, match="the release of acmetune"):
        Stack(Facts()).does(Behavior("acmetune", (1,), (2,), "its changelog"))
