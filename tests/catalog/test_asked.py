"""What a finding says knows whether FP8 was asked for: runs that ask for none are not told about it."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fp8check.rules.input_error import InputError
from tests.support.cases import CASES
from tests.support.runs import report_of
from tests.support.sampled import sampled

if TYPE_CHECKING:
    from fp8check.rules.suppression.examined import Examined

# Rules about a word of FP8 that stands there, or that a package says, whatever the run asks for.
ABOUT_A_WORD = {
    "FP105": "a value of the shell, which it repeats",
    "FP111": "likewise",
    "FP114": "a recipe handler of FP8 in the script",
    "FP214": "a key of FP8, and where it belongs",
    "FP215": "a section of FP8 in DeepSpeed's file",
    "FP302": "a key of FP8, and where it belongs",
    "FP303": "it repeats what a package says",
    "FP411": "a checkpoint that is stored in FP8",
    "FP418": "a checkpoint that is stored in FP8",
    "FP533": "a kind of attention that is called so",
    "FP536": "what to write in its place, for who asked for FP4",
    "FP319": "the words that a flag takes",
    "FP995": "what the command requires",
    "FP996": "likewise",
    "FP323": "an argument of a recipe handler of FP8",
}
FLAG = re.compile(r"--fp8_\w+[ =]\S+")


def without_fp8(case: dict[str, Any]) -> dict[str, Any] | None:
    """The same run in BF16, as somebody writes it who does not know of FP8; None where its script is about FP8."""
    made = copy.deepcopy(case)
    for part in ("accelerate", "training"):
        try:
            data = yaml.safe_load(str(made.get(part, "")))
        except yaml.YAMLError:
            return None
        if isinstance(data, dict):
            kept = {key: value for key, value in data.items() if "fp8" not in str(key).lower()}
            if str(kept.get("mixed_precision")).lower() == "fp8":
                kept["mixed_precision"] = "bf16"
            made[part] = yaml.safe_dump(kept)
    if "launch" in made:
        command = re.sub(r"--mixed_precision[ =]fp8", "--mixed_precision bf16", str(made["launch"]))
        made["launch"] = FLAG.sub("", command)
    if isinstance(made.get("variables"), dict):
        made["variables"] = {
            name: value for name, value in made["variables"].items() if "FP8" not in name and value != "fp8"
        }
    for name in ("probed", "seen"):
        made.pop(name, None)
    return None if "fp8" in str(made.get("script", "")).lower() else made


def told(examined: Examined) -> list[str]:
    """The rules whose words talk of FP8."""
    words = {
        one.rule: " ".join((one.message, one.label, one.help, *one.notes)).replace("fp8check", "")
        for one in examined.findings
    }
    return sorted(rule for rule, text in words.items() if "fp8" in text.lower())


@pytest.mark.parametrize("rule", sampled(CASES))
def test_who_asks_for_no_fp8_is_not_told_of_it(rule: str) -> None:
    for case in [*CASES[rule].get("found", ()), *CASES[rule].get("not found", ())]:
        plain = without_fp8(case)
        if plain is None:
            continue
        try:
            examined = report_of(plain)
        except InputError:
            continue
        if not examined.inputs.requested.concerns_fp8:
            assert set(told(examined)) <= set(ABOUT_A_WORD), plain


def test_there_are_such_runs() -> None:
    cases = [case for each in CASES.values() for case in each.get("found", ())]
    made = [plain for plain in map(without_fp8, cases) if plain is not None]
    assert len(made) > 500
    assert told(report_of({"accelerate": "distributed_type: 'NO'\nmixed_precision: bf16\nfp8_config: {backend: TE}\n"}))
