"""Every key that is read, with values that nobody expects there; values that are filled in later; any launch line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fp8check.rules.checking.examining import examine
from fp8check.rules.checking.runs import WrongFiles, assemble, parse_launch
from fp8check.rules.facts import Facts
from fp8check.rules.reading import Unreadable
from fp8check.rules.releases.accelerate_keys import FP8_KEYS, OPTIONS
from fp8check.rules.report import build
from fp8check.rules.report.schema import as_data
from fp8check.rules.settings.launch import INTEGERS, LAUNCHER_FLAGS, REALS, Launch
from fp8check.rules.settings.values import Section, Setting, SettingLater, Undecided, is_filled_in, taken, whole_number
from fp8check.rules.trainers.detect import ACCELERATE, read
from fp8check.rules.trainers.registry import TRAINERS, find
from tests.support.command import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fp8check.rules.suppression.examined import Examined

VALUES = (
    *("2024-01-01", "2024-01-01T00:00:00Z", "!!binary aGVsbG8=", "!!set {a, b}", "!!omap [a: 1]", "{}", "[]", "[1, 2]"),
    *("{a: 1}", "[[1], {b: 2}]", "{null: null}", "[null]", ".nan", ".inf", "-.inf", "-1", "0", "1.5", "true", "false"),
    *(
        "null",
        "''",
        "'\u00b2'",
        "'1_0'",
        "'\uff11'",
        "fp8",
        "auto",
        "1e400",
        "'a\\nb'",
        "123456789012345678901234567890",
    ),
    *("${X}", "'{{ x }}'", "<x>", "0x" + "f" * 3000),
)
BASE = {
    "llamafactory": {"model_name_or_path": "Qwen/Qwen2.5-7B", "stage": "sft", "finetuning_type": "full", "fp8": "true"},
    "transformers": {"model_name_or_path": "Qwen/Qwen2.5-7B", "per_device_train_batch_size": "8"},
    "trl": {"model_name_or_path": "Qwen/Qwen2.5-7B", "max_length": "128", "dataset_name": "x"},
    "axolotl": {"base_model": "Qwen/Qwen2.5-7B", "fp8": "true", "sequence_len": "128", "micro_batch_size": "2"},
}
TOP = {"distributed_type": "'NO'", "num_processes": "1", "mixed_precision": "fp8"}
SECTIONS = {
    "fp8_config": [*FP8_KEYS, *OPTIONS, "format", "interval"],
    "fsdp_config": ["fsdp_version", "fsdp_cpu_ram_efficient_loading", "fsdp_transformer_layer_cls_to_wrap"],
    "deepspeed_config": ["zero_stage", "deepspeed_config_file", "deepspeed_hostfile"],
    "dynamo_config": ["dynamo_backend"],
    "mpirun_config": ["mpirun_hostfile"],
}
KINDS = {"fsdp_config": "FSDP", "deepspeed_config": "DEEPSPEED"}
ACCELERATE_FILE = "distributed_type: 'NO'\nnum_processes: 1\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n"


def entries(of: dict[str, str], indent: str = "") -> str:
    return "".join(f"{indent}{name}: {value}\n" for name, value in of.items())


def judged(training: str | None, accelerate: str, trainer: str | None = None, launch: str | None = None) -> Examined:
    """The report of a run, made whole: nothing of it may raise, and no rule may crash."""
    documents = [read("accel.yaml", accelerate.encode())]
    if training is not None:
        documents.append(read("train.yaml", training.encode(), trainer=trainer))
    (one,) = assemble(documents, Facts(), trainer=trainer, follow=False, launch=parse_launch(launch))
    report = examine(one.run, one.documents)
    assert report.crashes == ()
    build.brief(report)
    json.dumps(as_data(build.full_report(report)))
    return report


def some(number: int) -> Iterator[str]:
    """A few of the values: others for each key, so that over all keys each is tried often."""
    return (VALUES[(number * 7 + step * 5) % len(VALUES)] for step in range(4))


@pytest.mark.parametrize("name", BASE)
def test_every_key_of_a_training_file(name: str) -> None:
    trainer = find(name)
    keys = {*trainer.known, *trainer.fp8_keys, "fsdp_config", "gradient_checkpointing_kwargs", "fp8_config", "dtype"}
    for number, key in enumerate(sorted(keys)):
        for value in some(number):
            text = entries({**BASE[name], key: value})
            try:
                judged(text, ACCELERATE_FILE, name)
            except (Unreadable, WrongFiles):
                continue


@pytest.mark.parametrize("key", sorted(ACCELERATE))
def test_every_key_of_an_accelerate_file(key: str) -> None:
    for value in VALUES:
        try:
            judged(None, entries({**TOP, key: value}))
        except (Unreadable, WrongFiles):
            continue


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_of_a_section(section: str) -> None:
    for key in SECTIONS[section]:
        for value in VALUES:
            top = {**TOP, "distributed_type": KINDS.get(section, "'NO'")}
            try:
                report = judged(None, f"{entries(top)}{section}:\n  {key}: {value}\n")
            except Unreadable:
                continue
            known = report.verdict != "pass" or section == "dynamo_config"
            assert known, (key, value)


@pytest.mark.parametrize("key", ["bf16", "fp16", "zero_optimization", "optimizer", "train_batch_size"])
def test_every_key_of_a_deepspeed_file(key: str) -> None:
    accelerate = read("accel.yaml", entries({**TOP, "distributed_type": "DEEPSPEED"}).encode())
    training = read("train.yaml", entries({**BASE["transformers"], "deepspeed": "ds.json"}).encode())
    for value in ("NaN", "[1]", "null", "1e999", '"\u00b2"', '{"enabled": [1]}', '{"enabled": "${X}"}', '"auto"'):
        pairs = {'"zero_allow_untested_optimizer"': "true", '"train_micro_batch_size_per_gpu"': "8", f'"{key}"': value}
        text = "{" + ", ".join(f"{name}: {one}" for name, one in pairs.items()) + "}"
        deepspeed = read("ds.json", text.encode())
        (one,) = assemble([training, accelerate, deepspeed], Facts(), follow=False)
        assert examine(one.run, one.documents).crashes == ()


WORDS = st.sampled_from(
    [
        *(
            "accelerate",
            "launch",
            "trl",
            "sft",
            "axolotl",
            "train",
            "torchrun",
            "deepspeed",
            "llamafactory-cli",
            "python",
        ),
        *(
            "-m",
            "-c",
            "--",
            "-",
            "--x",
            "--=",
            "=",
            "A=b",
            "'",
            '"',
            "\\",
            "\n",
            "''",
            "$X",
            "\ud800",
            "\0",
            "train.py",
        ),
        *("--launcher", "--launcher=python", "--num_processes", "\u00b2", "9" * 5000, "--config_file", "--multi_gpu"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS | st.text(max_size=5), max_size=8))
def test_any_launch_line_is_understood_or_refused(words: list[str]) -> None:
    try:
        judged(entries(BASE["trl"]), ACCELERATE_FILE, "trl", " ".join(words))
    except WrongFiles:
        return


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), (" 1 ", 1), ("+1", 1), ("-1", -1), ("1_0", 10), ("\u0661", 1), ("\uff11", 1)]
    + [(text, None) for text in ("", "\u00b2", "1.0", "one", "9" * 5000, "1__0", "0x1")],
)
def test_numbers_are_those_of_python(text: str, number: int | None) -> None:
    assert whole_number(text) == number
    assert Launch("accelerate", {"num_processes": text}).number("num_processes") == number


def test_flags_with_numbers_are_flags_of_the_launcher() -> None:
    assert INTEGERS | REALS < LAUNCHER_FLAGS
    report = judged(None, ACCELERATE_FILE, launch="accelerate launch --monitor_interval 1.5 --gradient_clipping x t.py")
    error = report.outcome.error
    assert error is not None
    assert error.message == "argument --gradient_clipping: invalid float value: 'x'"
    (found,) = [one for one in report.findings if one.rule == "FP319"]
    assert found.help == "what it takes: a number"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "${X}",
            "$X",
            "a/${X}/b",
            "$(X)",
            "{{ x }}",
            "{% if x %}",
            "#{x}",
            "<% x %>",
            "%(x)s",
            "%{x}",
            "<x y>",
            "%X%",
        ),
        *("@X@", "@@X@@", "{x}", "{x:d}", "__X__", " ??? ", "<<x>>", "${oc.env:X,1}"),
    ],
)
def test_what_is_filled_in_later(text: str) -> None:
    assert is_filled_in(text)
    setting = taken(text, Setting(1).origin)
    assert (setting.is_later, setting.shown) == (True, text)
    with pytest.raises(Undecided, match="filled in later"):
        str(setting.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fp8",
        "a$",
        "$1",
        "\\${X}",
        "100%",
        "a@b.c",
        "a_b",
        "__",
        "<",
        "a < b > c",
        "{}",
        "{",
        "what??",
        "50%off%",
        "$",
    ],
)
def test_what_is_no_placeholder(text: str) -> None:
    assert not is_filled_in(text)
    assert taken(text, Setting(1).origin) == Setting(text)


def test_a_section_that_is_filled_in_later() -> None:
    document = read("accel.yaml", b"distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: ${FP8}\n")
    section = Section(document.root)
    assert isinstance(section.get("fp8_config"), SettingLater)
    with pytest.raises(Undecided, match=r"accel.yaml:3: fp8_config: \$\{FP8\} is filled in later"):
        section.section("fp8_config")
    assert section.section("distributed_type").value("x") is None


@pytest.mark.parametrize(
    ("training", "accelerate", "launch", "file"),
    [
        ("deepspeed: ${DS}\n", "", None, "${DS}"),
        ("fsdp: true\nfsdp_config: ${F}\n", "", None, "${F}"),
        ("", "deepspeed_config:\n  deepspeed_config_file: <file>\n", None, "<file>"),
        ("", "deepspeed_config:\n  deepspeed_hostfile: '{{ hosts }}'\n", None, "{{ hosts }}"),
        ("", "", "accelerate launch --deepspeed_config_file $DS t.py", "$DS"),
        ("", "", "ACCELERATE_DEEPSPEED_CONFIG_FILE=$DS accelerate launch t.py", "$DS"),
        ("", "", "accelerate launch t.py --deepspeed ${D}.json", "${D}.json"),
    ],
)
def test_a_file_whose_name_is_filled_in_later_is_not_read(
    training: str, accelerate: str, launch: str | None, file: str
) -> None:
    text = entries(BASE["transformers"]) + training
    report = judged(text, ACCELERATE_FILE + accelerate, "transformers", launch)
    unread = {one.path: one.why for one in report.inputs.run.unread}
    assert unread[file] == "its name is filled in later"
    assert report.verdict != "pass"


def test_an_accelerate_file_whose_name_is_filled_in_later() -> None:
    training = read("train.yaml", entries(BASE["transformers"]).encode())
    launch = parse_launch("accelerate launch --config_file ${CONFIG} t.py")
    (one,) = assemble([training], Facts(), launch=launch, follow=False)
    assert ("${CONFIG}", "its name is filled in later") in {(file.path, file.why) for file in one.run.unread}


@pytest.mark.parametrize("section", ["deepspeed_config", "mpirun_config", "fp8_config", "fsdp_config", "dynamo_config"])
def test_sections_that_are_filled_in_later(section: str) -> None:
    kind = KINDS.get(section, "'NO'")
    report = judged(None, entries({**TOP, "distributed_type": kind, section: "${X}"}))
    assert report.verdict != "pass"


def test_a_value_that_decides_in_every_trainer() -> None:
    for trainer in TRAINERS:
        if trainer.name in BASE:
            for key in ("bf16", "fp16", *trainer.fp8_keys.keys() & {"fp8"}):
                report = judged(entries({**BASE[trainer.name], key: "${X}"}), entries(TOP), trainer.name)
                assert report.outcome.undecided is not None or report.outcome.error is not None, (trainer.name, key)
                assert report.verdict in ("undecided", "fail")


@pytest.mark.parametrize(("value", "asks"), [("true", True), (1, True), ("no", False), ("", False)])
def test_text_that_a_trainer_takes_for_true_asks_for_fp8(value: object, asks: bool) -> None:
    report = judged(entries({**BASE["llamafactory"], "fp8": value}), entries({**TOP, "mixed_precision": "bf16"}))
    assert bool(report.inputs.requested.fp8) is asks


def test_what_is_asked_for_may_be_filled_in_later() -> None:
    report = judged(None, entries({**TOP, "mixed_precision": "${MP}"}))
    assert report.inputs.requested.fp8 == ()
    assert report.inputs.requested.perhaps == "accel.yaml:3: mixed_precision: ${MP} is filled in later"
    assert build.full_report(report).summary.requested == f"not known: {report.inputs.requested.perhaps}"
    report = judged(None, ACCELERATE_FILE, launch="accelerate launch --mixed_precision $MP t.py")
    assert report.inputs.requested.perhaps.endswith("$MP is filled in later")
    backend = judged(None, ACCELERATE_FILE.replace("TE", "${B}"))
    assert build.full_report(backend).requested.backend == "${B}"


@pytest.mark.parametrize(
    "line", ["fp8_config: ${X}", "fp8_config:\n  backend: ${X}", "fp8_config:\n  fp8_format: ${X}"]
)
@pytest.mark.parametrize("rest", ["", "mixed_precision: fp8\n", "mixed_precision: fp6\n", "downcast_bf16: 'no'\n"])
def test_what_is_filled_in_later_is_no_fault_of_ours(line: str, rest: str, tmp_path: Path) -> None:
    (tmp_path / "accel.yaml").write_text(f"{rest}{line}\nunknown_key: 1\n")
    (tmp_path / "train.yaml").write_text("bf16: true\nmodel_name_or_path: a/b\nstage: sft\ntemplate: qwen\n")
    for words in ([], ["plan"], ["plan", "--goal", "bf16"], ["fix", "--diff"], ["fix", "--goal", "fp8", "--diff"]):
        done = run(*words, str(tmp_path / "train.yaml"), str(tmp_path / "accel.yaml"))
        assert done.returncode in (0, 1), done.stderr
