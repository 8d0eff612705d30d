"""The schema of an Accelerate file says of it what the rules say: over every case that has one, and the real files."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fp8check.cli.schema import schema_of
from fp8check.rules.releases.accelerate_keys import CLUSTER_KEYS, FP8_KEYS, SAGEMAKER_KEYS, WIZARD_KEYS
from fp8check.rules.releases.versions import NEWEST
from fp8check.rules.report import build
from fp8check.rules.schemas.accelerate import ABOUT, ABOUT_TOP, UnknownRelease
from fp8check.rules.trainers.detect import read
from tests.support.cases import CASES
from tests.support.paths import CORPUS
from tests.support.runs import report_of
from tests.support.sampled import sampled
from tests.support.schemas import misfits, validator

if TYPE_CHECKING:
    from jsonschema import Draft7Validator

# What is wrong in the file alone, whatever stands beside it: where one of these speaks, the schema does.
OF_THE_FILE = {
    "FP201",
    "FP202",
    "FP203",
    "FP204",
    "FP208",
    "FP219",
    "FP220",
    "FP221",
    "FP222",
    "FP302",
    "FP329",
    "FP901",
    "FP910",
}
# Rules whose cases look at keys of the file: these are all tried, of the others two each.
ABOUT_KEYS = {*OF_THE_FILE, "FP205", "FP206", "FP207", "FP209", "FP211", "FP218", "FP225", "FP226", "FP304"}
# Where the schema speaks and no rule does: a flag goes before the file's, nobody reads the file, or nobody knows.
GOES_BEFORE = {
    ("FP201", "the run is not FP8"),
    ("FP201", "the flag wins: FP304 speaks"),
    ("FP204", "nobody reads the file"),
    ("FP208", "which backend is taken is not known"),
    ("FP208", "it ends for want of torchao"),
    ("FP220", "which backend is taken is not known"),
    ("FP222", "which backend is taken is not known"),
    *(
        ("FP219", f"which backend is taken is not known, with {key}")
        for key in ("margin", "interval", "amax_history_len")
    ),
    *(
        ("FP221", f"which backend is taken is not known, with {key}")
        for key in (
            "use_autocast_during_eval",
            "use_mxfp8_block_scaling",
            "pad_inner_dim",
            "enable_fsdp_float8_all_gather",
        )
    ),
    ("FP225", "nobody reads the file: FP301 speaks"),
    ("FP302", "a key of a file that this launcher does not read"),
    ("FP302", "which accelerate is not known"),
    ("FP329", "the flag wins"),
    ("FP901", "nobody reads the file yet"),
    ("FP901", "a job on Amazon SageMaker is not started here"),
    ("FP901", "Amazon SageMaker again"),
    ("FP901", "an unquoted NO with num_processes starts all the same"),
    ("FP901", "--num_processes on the command line helps as well"),
    ("FP910", "the flag wins"),
}
# 16.0 is a whole number to JSON Schema, and none to int().
NOT_SEEN = {("FP219", "a float")}


@cache
def of_release(release: str) -> Draft7Validator:
    return validator(schema_of("accelerate", release))


def checked(text: str, release: str) -> dict[str, str] | None:
    """What does not fit; None where the text is no one YAML document of a map with keys that are text."""
    try:
        data = yaml.safe_load(text)
        return misfits(of_release(release), json.loads(json.dumps(data))) if isinstance(data, dict) else None
    except (yaml.YAMLError, TypeError):
        return None


def cases() -> list[Any]:
    return [
        pytest.param(rule, case, id=f"{rule}-{case['name']}")
        for rule, file in CASES.items()
        for kind in ("found", "not found", "undecided")
        for at, case in enumerate(file[kind] if isinstance(file[kind], list) else ())
        if isinstance(case.get("accelerate"), str) and (rule in ABOUT_KEYS or at == 0)
    ]


@pytest.mark.parametrize(("rule", "case"), sampled(cases()))
def test_schema_and_rules_say_the_same(rule: str, case: dict[str, Any]) -> None:
    report = report_of(case)
    release = ".".join(str(part) for part in report.outcome.stack.version("accelerate"))
    try:
        wrong = checked(case["accelerate"], release)
    except UnknownRelease:
        assert report.outcome.stack.version("accelerate") < (0, 34)
        return
    if wrong is None:
        return
    findings = [
        one for one in build.full_report(report).findings if one.file == "accel.yaml" and one.pointer is not None
    ]
    spoken = {one.pointer for one in findings}
    silent = {one for one in wrong if one not in spoken and one.rpartition("/")[0] not in spoken}
    assert silent == set() or (rule, case["name"]) in GOES_BEFORE
    due = {(one.pointer, one.rule) for one in findings if one.rule in OF_THE_FILE and one.pointer not in wrong}
    below = {(pointer, rule) for pointer, rule in due if any(one.startswith(f"{pointer}/") for one in wrong)}
    assert due == below or (rule, case["name"]) in NOT_SEEN


# Real files in which something is wrong: Accelerate's own tests of that, its documentation's text for a list, and NO
# without quotes.
WRONG = {
    "accelerate/tests/test_configs/0_30_0_sagemaker.yaml": {"/distributed_type"},
    "accelerate/tests/test_configs/0_34_0_fp8.yaml": {"/fp8_config/override_linear_precision"},
    "accelerate/tests/test_configs/invalid_keys.yaml": {"/another_invalid_key", "/invalid_key"},
    "llamafactory-fp8-hopper/configs/accelerate_bf16.yaml": {"/distributed_type"},
    "llamafactory-fp8-hopper/configs/accelerate_fp8.yaml": {"/distributed_type"},
}


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not part of the project")
def test_the_real_files_are_valid_but_for_what_is_wrong_in_them() -> None:
    found = {}
    number = 0
    for path in sorted(one for one in CORPUS.rglob("*") if one.suffix in (".yaml", ".yml")):
        if read(str(path)).kind == "accelerate":
            number += 1
            wrong = checked(path.read_text(), NEWEST["accelerate"])
            assert wrong is not None, path
            if wrong:
                found[path.relative_to(CORPUS).as_posix()] = set(wrong)
    assert number >= 30
    assert found == WRONG


def test_every_key_that_is_read_has_its_line() -> None:
    assert {*ABOUT} == {*FP8_KEYS} - {"format"}
    assert {*ABOUT_TOP} <= CLUSTER_KEYS | SAGEMAKER_KEYS
    section = schema_of("accelerate")["properties"]["fp8_config"]["properties"]  # type: ignore[index]
    assert {*section} == {*FP8_KEYS, *WIZARD_KEYS}
    assert all(one["description"] for one in section.values())


@pytest.mark.parametrize(
    ("release", "there", "not_there"),
    [
        ("1.3.0", (), ("backend", "amax_history_len")),
        ("1.10.1", ("backend", "amax_history_len"), ("use_mxfp8_block_scaling", "pad_inner_dim")),
        ("1.11.0", ("use_mxfp8_block_scaling",), ("pad_inner_dim",)),
        ("1.15.0", ("use_mxfp8_block_scaling", "pad_inner_dim"), ()),
    ],
)
def test_a_release_has_the_keys_that_it_reads(release: str, there: tuple[str, ...], not_there: tuple[str, ...]) -> None:
    head = "distributed_type: 'NO'\nfp8_config:\n"
    values = {"backend": "TE", "amax_history_len": 16, "use_mxfp8_block_scaling": True, "pad_inner_dim": True}
    for key in there:
        assert checked(f"{head}  {key}: {json.dumps(values[key])}\n", release) == {}
    for key in not_there:
        assert list(checked(f"{head}  {key}: {json.dumps(values[key])}\n", release) or ()) == [f"/fp8_config/{key}"]
