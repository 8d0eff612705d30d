"""TRL's inputs beside the two files: the variables of `env:`, and the Accelerate files that it brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.catalog import RULES
from fp8check.rules.checking.examining import examine
from fp8check.rules.checking.named import accelerate_file, shipped
from fp8check.rules.checking.runs import assemble, parse_launch
from fp8check.rules.facts import Facts, Gpu
from fp8check.rules.outcome import predict
from fp8check.rules.reading.kind import Kind
from fp8check.rules.releases.stack import Stack
from fp8check.rules.releases.trl_profiles import PROFILES
from fp8check.rules.settings.launch import Launch
from fp8check.rules.trainers.detect import read
from fp8check.rules.trainers.trl import Trl

if TYPE_CHECKING:
    from pathlib import Path

    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.outcome import Outcome

PACKAGES = {
    "accelerate": "1.15.0",
    "transformers": "5.17.0",
    "transformer_engine": "2.9.0",
    "torch": "2.11.0",
    "torchao": "0.17.0",
    "trl": "1.16.0",
    "deepspeed": "0.19.8",
}
BEFORE = {**PACKAGES, "trl": "0.17.0"}
FILE = "model_name_or_path: a/b\ndataset_name: c/d\nbf16: false\n"


def made(text: str, launch: str, packages: dict[str, str] = PACKAGES, *, follow: bool = False) -> Assembled:
    gpus = [Gpu(index, "NVIDIA H200", "9.0", 143771, mig=False) for index in range(8)]
    facts = Facts(packages=dict(packages), variables={}, gpus=gpus)
    training = read("train.yaml", text.encode()).as_kind(Kind("training", "trl"))
    (one,) = assemble([training], facts, launch=parse_launch(launch), trainer="trl", follow=follow)
    return one


def outcome(text: str, launch: str) -> Outcome:
    return predict(made(text, launch).run)


def test_every_name_has_its_file() -> None:
    assert set(PROFILES) == set(Trl.shipped_configs)


@pytest.mark.parametrize(
    ("name", "kind", "processes"),
    [
        ("single_gpu", "NO", 1),
        ("multi_gpu", "MULTI_GPU", 8),
        ("fsdp1", "FSDP", 8),
        ("fsdp2", "FSDP", 8),
        ("zero1", "DEEPSPEED", 8),
        ("zero2", "DEEPSPEED", 8),
        ("zero3", "DEEPSPEED", 8),
    ],
)
def test_what_a_shipped_file_says(name: str, kind: str, processes: int) -> None:
    text = FILE.replace("bf16: false\n", "")
    for launch in (f"trl sft --config train.yaml --accelerate_config {name}", "trl sft --config train.yaml"):
        file = text if "accelerate_config" in launch else f"{text}accelerate_config: {name}\n"
        seen = outcome(file, launch)
        assert (seen.starts, seen.distributed_type) == (True, kind)
        assert seen.mixed_precision is not None
        assert seen.mixed_precision.value == "bf16"
        assert seen.effective.processes is not None
        assert seen.effective.processes.value == processes


def test_a_shipped_file_and_its_place_in_the_trace() -> None:
    seen = outcome(FILE, "trl sft --config train.yaml --accelerate_config fsdp2 --num_processes 4")
    assert seen.accelerator is not None
    assert seen.accelerator.fsdp_version == 2
    version = seen.environment["FSDP_VERSION"]
    assert (version.value, version.origin.code) == ("2", "trl's own fsdp2.yaml")
    processes = seen.effective.processes
    assert processes is not None
    assert (processes.value, processes.overrode[0].value) == (4, 8)


def test_deepspeed_and_the_trainer_do_not_agree_by_a_shipped_file() -> None:
    seen = outcome(FILE, "trl sft --config train.yaml --accelerate_config zero3")
    assert seen.error_of("deepspeed-bf16-mismatch") is not None


def test_the_shipped_file_goes_before_one_that_is_at_hand() -> None:
    facts = Facts(packages=dict(PACKAGES), variables={}, gpus=[])
    own = read("accel.yaml", b"distributed_type: 'NO'\nmixed_precision: fp8\n")
    launch = parse_launch("trl sft --accelerate_config multi_gpu")
    (one,) = assemble([own], facts, launch=launch, follow=False)
    assert one.run.config_read is not None
    assert one.run.config_read.top.value("distributed_type") == "MULTI_GPU"
    assert one.run.accelerate is not None
    assert one.run.accelerate.path == "accel.yaml"


def test_a_file_of_that_name_goes_before_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fsdp2").write_text("distributed_type: 'NO'\nmixed_precision: bf16\n")
    run = made(FILE, "trl sft --config train.yaml --accelerate_config fsdp2", follow=True).run
    assert (run.shipped, predict(run).distributed_type) == (None, "NO")
    (tmp_path / "zero3").mkdir()
    run = made(FILE, "trl sft --config train.yaml --accelerate_config zero3", follow=True).run
    # A folder is no file: the shipped one is read, and the Trainer refuses.
    assert predict(run).error_of("deepspeed-bf16-mismatch") is not None


def test_releases_before_0_18_bring_none() -> None:
    launch = Launch("accelerate", {"config_file": "fsdp2"}, "trl", ("sft",), through="trl")
    facts = Facts(packages=dict(BEFORE))
    named, _ = accelerate_file(launch, facts, follow=False)
    assert named.unread is not None
    assert named.unread.needs == "fsdp2: no such file, and trl 0.17.0 brings none of that name"
    assert shipped(launch, facts, follow=False) is None


def test_releases_before_0_18_refuse_flags_of_the_launcher() -> None:
    run = made(FILE, "trl sft --config train.yaml --accelerate_config fsdp2", BEFORE).run
    error = predict(run).error_of("command-refuses-flag")
    assert error is not None
    assert error.message == "trl: error: unrecognized arguments: --accelerate_config"
    assert predict(made(FILE, "trl sft --config train.yaml", BEFORE).run).starts


@pytest.mark.parametrize(
    ("more", "words", "code", "because"),
    [
        ("accelerate_config: single_gpu\n", "--accelerate_config fsdp2", "accelerate-config-twice", "train.yaml:4"),
        (
            "",
            "--accelerate_config fsdp2 --accelerate_config fsdp2",
            "accelerate-config-twice",
            "command line --accelerate_config",
        ),
        ("", "--accelerate_config=fsdp2", "accelerate-config-by-equals", "command line --accelerate_config=fsdp2"),
        ("accelerate_config:\n", "", "accelerate-config-null", "train.yaml:4"),
    ],
)
def test_an_accelerate_file_is_named_once_and_by_a_word_of_its_own(
    more: str, words: str, code: str, because: str
) -> None:
    error = outcome(f"{FILE}{more}", f"trl sft --config train.yaml {words}").error
    assert error is not None
    assert error.code == code
    (named,) = error.because
    assert named is not None
    assert named.origin.describe() == because


def test_its_earlier_commands_hand_no_flag_on_that_could_be_refused() -> None:
    text = f"{FILE}accelerate_config: single_gpu\n"
    command = "trl reward --config train.yaml --accelerate_config single_gpu"
    earlier = {**PACKAGES, "accelerate": "1.10.1", "transformers": "4.57.1", "trl": "0.24.0"}
    assert predict(made(text, command, earlier).run).starts
    assert predict(made(text, command).run).error_of("accelerate-config-twice") is not None


ENV = FILE + "env:\n  ACCELERATE_MIXED_PRECISION: fp8\n  ACCELERATE_FP8_BACKEND: TE\n  MY_NOTE: x\n"


def test_variables_of_the_file_are_set() -> None:
    seen = outcome(ENV, "python train.py --config train.yaml")
    assert seen.mixed_precision is not None
    assert (seen.mixed_precision.value, seen.backend_name) == ("fp8", "TE")
    assert seen.mixed_precision.origin.describe() == "train.yaml:5"
    assert "MY_NOTE" not in seen.environment


def test_variables_of_the_file_go_over_those_of_the_launcher() -> None:
    for launch in ("trl sft --config train.yaml", "accelerate launch --num_processes 1 train.py --config train.yaml"):
        seen = outcome(ENV, launch)
        precision = seen.environment["ACCELERATE_MIXED_PRECISION"]
        assert (precision.value, [one.value for one in precision.overrode][:1]) == ("fp8", ["no"])


def test_gpus_that_the_file_hides_from_the_command() -> None:
    text = FILE + "env: {CUDA_VISIBLE_DEVICES: '0,1'}\n"
    seen = outcome(text, "trl sft --config train.yaml")
    assert seen.effective.processes is not None
    assert seen.effective.processes.value == 2
    told = outcome(text, "accelerate launch train.py --config train.yaml")
    assert told.effective.processes is not None
    assert told.effective.processes.value == 8


def test_a_variable_that_is_filled_in_later() -> None:
    text = FILE + "env: {ACCELERATE_MIXED_PRECISION: '${PRECISION}', ACCELERATE_USE_X: 1}\n"
    one = made(text, "trl sft --config train.yaml")
    assert one.run.facts.variables == {"ACCELERATE_USE_X": "1"}
    assert str(predict(one.run).undecided) == (
        "train.yaml:4: ACCELERATE_MIXED_PRECISION: ${PRECISION} is filled in later"
    )


def test_a_secret_among_the_variables_is_in_no_trace() -> None:
    text = FILE + "env: {HF_HUB_TOKEN: hf_abcdefghijklmnopqrstuvwxyz, WANDB_API_KEY: 0123456789abcdef}\n"
    one = made(text, "trl sft --config train.yaml")
    seen = predict(one.run)
    shown = {name: setting.shown for name, setting in seen.settings()}
    assert "WANDB_API_KEY" not in shown
    assert "abcdefghijklmnop" not in str(shown)
    report = examine(one.run, one.documents, RULES)
    assert "abcdefghijklmnop" not in str([finding.message for finding in report.findings])


@pytest.mark.parametrize(
    ("release", "command", "precision"),
    [
        ("0.24.0", "trl sft", "fp8"),
        ("0.24.0", "trl dpo", "no"),
        ("0.28.0", "trl grpo", "no"),
        ("0.29.0", "trl grpo", "fp8"),
        ("1.16.0", "trl dpo", "fp8"),
    ],
)
def test_which_of_its_commands_hand_flags_on(release: str, command: str, precision: str) -> None:
    """Executed with 0.24.0 and 1.16.0: tests/conformance/commands.jsonl trl-dpo-te-file and others."""
    run = made(FILE, f"{command} --config train.yaml --mixed_precision fp8", {**PACKAGES, "trl": release}).run
    seen = predict(run).mixed_precision
    assert seen is not None
    assert seen.value == precision


@pytest.mark.parametrize(
    ("command", "release", "code"),
    [
        ("trl sft --config train.yaml --bf16", "1.16.0", "flag-without-value"),
        ("trl sft --config train.yaml --bf16 --output_dir x", "0.24.0", "flag-without-value"),
        ("trl sft --config train.yaml --bf16", "0.18.2", None),
        ("trl sft --config train.yaml --bf16=true", "1.16.0", None),
        ("trl sft --config train.yaml --fp16", "1.16.0", None),
        ("trl sft --config train.yaml --fp8 true", "1.16.0", "unknown-launcher-flag"),
        ("trl sft --config train.yaml --fp8_format E4M3", "1.16.0", None),
    ],
)
def test_what_its_command_refuses(command: str, release: str, code: str | None) -> None:
    error = predict(made(FILE, command, {**PACKAGES, "trl": release}).run).error
    assert (None if error is None else error.code) == code
    if error is not None:
        assert (error.stage, error.type) == ("launch", "SystemExit")


def test_a_key_of_its_file_that_nobody_reads_is_the_launcher_s() -> None:
    seen = outcome(f"{FILE}fp8: true\n", "trl sft --config train.yaml")
    assert seen.error_of("unknown-launcher-flag") is not None


@pytest.mark.parametrize(
    ("command", "since"),
    [
        ("sft", "0.18.0"),
        ("reward", "0.24.0"),
        ("dpo", "0.29.0"),
        ("grpo", "1.0.0"),
        ("rloo", "1.0.0"),
        ("kto", "1.9.0"),
    ],
)
def test_not_every_class_of_arguments_pads_from_the_first_on(command: str, since: str) -> None:
    releases = ["0.17.0", "0.18.0", "0.24.0", "0.28.0", "0.29.0", "1.0.0", "1.4.0", "1.9.0", "1.16.0"]
    for release in releases:
        run = made(FILE, f"trl {command}", {**PACKAGES, "trl": release}).run
        key = run.training.padding_key(Stack(run.facts), run.launch, run.script)
        assert (key is not None) is (releases.index(release) >= releases.index(since)), release


def test_help_where_kto_has_no_such_key() -> None:
    packages = {**PACKAGES, "trl": "1.4.0"}
    text = f"{FILE}gradient_checkpointing: false\nper_device_train_batch_size: 4\n"
    (accelerate,) = [read("accel.yaml", b"mixed_precision: fp8\ndistributed_type: 'NO'\nfp8_config: {backend: TE}\n")]
    training = read("train.yaml", text.encode()).as_kind(Kind("training", "trl"))
    facts = Facts(packages=packages, variables={}, gpus=[Gpu(0, "NVIDIA H200", "9.0", 143771, mig=False)])
    launch = parse_launch("trl kto --accelerate_config accel.yaml")
    (one,) = assemble([training, accelerate], facts, launch=launch, trainer="trl", follow=False)
    (found,) = [one for one in examine(one.run, one.documents, RULES).findings if one.rule == "FP406"]
    assert found.fix is None
    assert found.help == "a micro-batch that is a multiple of 16 always gives such a number"
