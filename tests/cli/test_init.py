"""`fp8check init`: files that are good as they are written, or a reason; nothing that is there is replaced."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fp8check.cli.main import main
from fp8check.rules.starting.drafts import DRAFTS

if TYPE_CHECKING:
    from pathlib import Path

H200 = {"index": 0, "name": "NVIDIA H200", "compute_capability": "9.0", "memory_mib": 143771, "mig": False}
A100 = {"index": 0, "name": "NVIDIA A100-SXM4-80GB", "compute_capability": "8.0", "memory_mib": 81920, "mig": False}
MODEL = "Qwen/Qwen2.5-1.5B"


@pytest.fixture
def facts(tmp_path: Path) -> str:
    """A node with two H200."""
    return facts_of(tmp_path, [H200, {**H200, "index": 1}])


def facts_of(folder: Path, gpus: list[dict[str, object]]) -> str:
    """A facts.json with these GPUs and nothing else."""
    path = folder / "facts.json"
    path.write_text(json.dumps({"schema": "fp8check/facts/1", "gpus": gpus, "variables": {}}), "utf-8")
    return str(path)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("finetuning", ["full", "lora"])
@pytest.mark.parametrize("trainer", DRAFTS)
def test_what_is_written_passes_a_check(
    trainer: str, finetuning: str, processes: int, facts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new"
    words = ["--trainer", trainer, "--model", MODEL, "--finetuning", finetuning, "--processes", str(processes)]
    assert main(["init", *words, "--facts", facts, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    launch = next(line.split(None, 2)[2] for line in said.splitlines() if line.startswith("  start with"))
    files = sorted(str(one) for one in out.iterdir())
    assert all(one in said for one in files)
    assert main(["--launch", launch, "--facts", facts, "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] != "fail"
    assert report["outcome"]["starts"] is True
    assert report["outcome"]["fp8_enabled"] is True
    assert report["outcome"]["distributed_type"] == ("NO" if processes == 1 else "MULTI_GPU")
    assert not [one for one in report["findings"] if one["severity"] == "error"]


@pytest.mark.parametrize(("strategy", "kind"), [("ddp", "MULTI_GPU"), ("zero2", "DEEPSPEED")])
def test_a_strategy_that_is_asked_for(
    strategy: str, kind: str, facts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new"
    words = ["--trainer", "llamafactory", "--model", "Qwen/Qwen2.5-7B", "--finetuning", "lora"]
    words += ["--strategy", strategy, "--backend", "TE"]
    assert main(["init", *words, "--facts", facts, "--out", str(out), "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["schema"] == "fp8check/plan/1"
    assert report["reached"] is True
    (plan,) = report["plans"]
    assert plan["outcome"]["distributed_type"] == kind
    assert plan["outcome"]["backend"] == "TE"
    new = {one["file"]: one["after"] for one in plan["steps"] if one["kind"] == "file"}
    assert {str(one): one.read_text("utf-8") for one in out.iterdir()} == new


def test_deepspeed_is_told_the_steps_of_the_loop(facts: str, tmp_path: Path) -> None:
    out = tmp_path / "new"
    words = ["--trainer", "script", "--model", MODEL, "--strategy", "zero2", "--facts", facts, "--out", str(out)]
    assert main(["init", *words]) == 0
    assert "gradient_accumulation_steps: 8" in (out / "accelerate.yaml").read_text("utf-8")
    assert "Accelerator(gradient_accumulation_steps=8)" in (out / "train.py").read_text("utf-8")


def test_what_cannot_work_is_refused_with_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new"
    words = ["--trainer", "trl", "--model", MODEL, "--facts", facts_of(tmp_path, [A100]), "--out", str(out)]
    assert main(["init", *words]) == 1
    assert not out.exists()
    said = capsys.readouterr().out
    assert "nothing was written" in said
    assert "single, TE" in said
    assert "single, AO" in said
    assert "A100" in said or "8.0" in said or "8.9" in said
    assert main(["init", *words, "--format", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["reached"] is False
    assert report["why_not"]


def test_a_backend_that_is_asked_for_is_kept(facts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new"
    words = ["--trainer", "transformers", "--model", MODEL, "--facts", facts, "--out", str(out), "--backend", "TE"]
    assert main(["init", *words]) == 1
    assert not out.exists()
    assert "the tied lm_head will be untied" in capsys.readouterr().out


def test_nothing_is_replaced(facts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "accelerate.yaml").write_text("mine\n", "utf-8")
    words = ["init", "--trainer", "trl", "--model", MODEL, "--facts", facts, "--out", str(tmp_path)]
    assert main(words) == 2
    assert "never replaced" in capsys.readouterr().err
    assert (tmp_path / "accelerate.yaml").read_text("utf-8") == "mine\n"
    assert not (tmp_path / "train.yaml").exists()


def test_a_training_file_is_kept(facts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new"
    text = (
        "# mine\nmodel_name_or_path: Qwen/Qwen2.5-1.5B  # a model\nstage: sft\ndo_train: true\ntemplate: qwen\n"
        "dataset: mine\nfinetuning_type: full\ncutoff_len: 2048\nper_device_train_batch_size: 8\npacking: true\n"
        "output_dir: out\n\n# precision\nbf16: true\n"
    )
    source = tmp_path / "own.yaml"
    source.write_text(text, "utf-8")
    assert main(["init", "--from", str(source), "--facts", facts, "--processes", "1", "--out", str(out)]) == 0
    assert source.read_text("utf-8") == text
    written = (out / "own.yaml").read_text("utf-8")
    assert written.startswith("# mine\nmodel_name_or_path: Qwen/Qwen2.5-1.5B  # a model\nstage: sft\n")
    assert "# precision" in written
    said = capsys.readouterr().out
    assert "own.yaml" in said
    launch = next(line.split(None, 2)[2] for line in said.splitlines() if line.startswith("  start with"))
    assert main(["--launch", launch, "--facts", facts, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"]["fp8_enabled"] is True


def test_what_is_slower_than_bf16_is_not_chosen_for_its_fewer_changes(facts: str, tmp_path: Path) -> None:
    """Under checkpointing torchao takes one change, and Transformer Engine two: torchao in eager code is slower."""
    out, source = tmp_path / "new", tmp_path / "own.yaml"
    source.write_text("output_dir: out\nlearning_rate: 1.0e-5\nbf16: true\ngradient_checkpointing: true\n", "utf-8")
    words = ["--from", str(source), "--trainer", "transformers", "--facts", facts, "--processes", "1"]
    assert main(["init", *words, "--out", str(out)]) == 0
    assert "backend: TE\n" in (out / "accelerate.yaml").read_text("utf-8")
    assert "gradient_checkpointing: false\n" in (out / "own.yaml").read_text("utf-8")


def test_a_model_of_this_machine_is_read(facts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = tmp_path / "model", tmp_path / "new"
    model.mkdir()
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "vocab_size": 32000}
    config |= {"intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32}
    (model / "config.json").write_text(json.dumps(config), "utf-8")
    words = ["--trainer", "trl", "--model", str(model), "--facts", facts, "--processes", "1", "--out", str(out)]
    assert main(["init", *words]) == 0
    assert "6.7B shape" in capsys.readouterr().out
    assert sorted(one.name for one in out.iterdir()) == ["accelerate.yaml", "train.yaml"]
    assert [one.name for one in model.iterdir()] == ["config.json"]


def test_what_else_was_possible(facts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["init", "--trainer", "transformers", "--model", MODEL, "--facts", facts, "--processes", "1"]
    assert main([*words, "--out", str(tmp_path / "one")]) == 0
    assert "--explain tells of 1 other way" in capsys.readouterr().out
    assert main([*words, "--out", str(tmp_path / "two"), "--explain"]) == 0
    said = capsys.readouterr().out
    assert "single, TE        the tied lm_head will be untied" in said


def test_without_facts_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["init", "--trainer", "llamafactory", "--model", MODEL, "--no-environment", "--out", str(tmp_path / "one")]
    assert main(words) == 0
    assert "--facts" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--trainer and --model"),
        (["--trainer", "trl"], "--trainer and --model"),
        (["--trainer", "trl", "--model", "m", "--processes", "0"], "--processes"),
        (["--trainer", "trl", "--model", "m", "--tokens", "0"], "--tokens"),
        (["--trainer", "trl", "--model", "m", "--strategy", "ddp", "--processes", "1"], "several processes"),
        (["--trainer", "trl", "--model", "m", "--strategy", "single", "--processes", "2"], "one process alone"),
        (["--from", "none.yaml"], "none.yaml"),
        (["--from", "none.yaml", "--tokens", "1"], "--from keeps the file"),
        (["--from", "accel.yaml"], "no training file"),
    ],
)
def test_what_is_refused(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "accel.yaml").write_text("mixed_precision: fp8\ndistributed_type: 'NO'\n", "utf-8")
    assert main(["init", *words, "--no-environment", "--out", "new"]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_tokens_that_are_asked_for(facts: str, tmp_path: Path) -> None:
    out = tmp_path / "new"
    words = ["--trainer", "trl", "--model", MODEL, "--facts", facts, "--processes", "1", "--tokens", "3072"]
    assert main(["init", *words, "--out", str(out)]) == 0
    text = (out / "train.yaml").read_text("utf-8")
    assert "max_length: 1536\n" in text
    assert "per_device_train_batch_size: 2\n" in text


def test_a_byte_order_mark_is_kept(facts: str, tmp_path: Path) -> None:
    out, source = tmp_path / "new", tmp_path / "own.yaml"
    text = (
        f"model_name_or_path: {MODEL}\noutput_dir: out\nper_device_train_batch_size: 8\nmax_length: 2048\nbf16: true\n"
    )
    source.write_bytes(b"\xef\xbb\xbf" + text.encode())
    words = ["--from", str(source), "--trainer", "trl", "--facts", facts, "--processes", "1", "--out", str(out)]
    assert main(["init", *words]) == 0
    assert (out / "own.yaml").read_bytes().startswith(b"\xef\xbb\xbfmodel_name_or_path")


def test_the_way_that_is_taken_is_not_among_the_others(
    facts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--trainer", "llamafactory", "--model", "Qwen/Qwen2.5-7B", "--strategy", "zero2", "--backend", "TE"]
    assert main(["init", *words, "--facts", facts, "--out", str(tmp_path / "new"), "--explain"]) == 0
    said = capsys.readouterr().out
    assert "zero2: each GPU holds all weights" in said
    assert "zero2, TE" not in said


def test_that_the_memory_is_not_known_is_said(facts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--trainer", "script", "--model", MODEL, "--facts", facts, "--processes", "1"]
    assert main(["init", *words, "--out", str(tmp_path / "new")]) == 0
    assert "memory            not known, and so not whether it fits: open is " in capsys.readouterr().out


def test_facts_of_a_machine_that_does_not_train_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "facts.json"
    packages = dict.fromkeys(("torch", "accelerate", "transformer_engine", "torchao", "trl"))
    path.write_text(json.dumps({"schema": "fp8check/facts/1", "packages": packages, "gpus": [], "variables": {}}))
    words = ["--trainer", "trl", "--model", MODEL, "--facts", str(path), "--out", str(tmp_path / "new")]
    assert main(["init", *words]) == 0  # what is to be installed is part of the plan
    said = capsys.readouterr().out
    assert "pip install accelerate" in said
    assert (
        "  the facts         say that neither torch nor accelerate is installed: take them where the run trains,"
        in said
    )
    assert "in its environment: fp8check env --json > facts.json" in said


OLD = {
    **dict.fromkeys(("msamp", "deepspeed"), None),
    "torch": "2.8.0",
    "accelerate": "1.11.0",
    "transformers": "5.6.0",
    "trl": "1.16.0",
    "torchao": "0.14.1",
    "transformer_engine": None,
}


def test_an_old_accelerate_gets_no_key_that_it_does_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps({"schema": "fp8check/facts/1", "packages": OLD, "gpus": [H200], "variables": {}}))
    words = ["--trainer", "trl", "--model", "Qwen/Qwen2.5-7B", "--facts", str(path), "--out", str(tmp_path / "new")]
    assert main(["init", *words]) == 0
    assert "FP203" not in capsys.readouterr().out
    assert "all_gather" not in (tmp_path / "new" / "accelerate.yaml").read_text("utf-8")


SCRIPT = (
    "from trl import SFTTrainer, SFTConfig\nargs = SFTConfig(output_dir='out', bf16=True, max_length=2048)\n"
    "SFTTrainer(model='Qwen/Qwen2.5-7B', args=args).train()\n"
)


def test_a_script_that_is_kept_needs_no_trainer(facts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "sft.py", tmp_path / "new"
    source.write_text(SCRIPT)
    assert main(["init", "--from", str(source), "--facts", facts, "--processes", "1", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert f"accelerate launch --config_file {out}/accelerate.yaml {out}/sft.py" in said
    assert f"  changed           {out}/sft.py:2  bf16=True -> bf16=False" in said
    assert "bf16=False" in (out / "sft.py").read_text("utf-8")


def test_a_file_that_is_kept_has_the_backend_that_is_told(
    facts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "own.yaml", tmp_path / "new"
    source.write_text(
        "model_name_or_path: Qwen/Qwen2.5-7B\nstage: sft\ndo_train: true\ntemplate: qwen\ndataset: mine\n"
        "finetuning_type: full\ncutoff_len: 4096\nper_device_train_batch_size: 1\nbf16: true\noutput_dir: out\n"
    )
    assert main(["init", "--from", str(source), "--facts", facts, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    (why,) = [line for line in said.splitlines() if line.startswith("  why")]
    told = "AO" if "; AO" in why else "TE"
    text = (out / "accelerate.yaml").read_text("utf-8")
    assert f"backend: {told}" in text
    assert ("fp8_format" in text) == (told == "TE")
    assert "FP218" not in said


LARGE = ("--trainer", "trl", "--model", "Qwen/Qwen2.5-7B", "--processes", "1")


def test_a_model_that_fits_no_gpu_is_refused_for_that(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    h100 = {**H200, "name": "NVIDIA H100 80GB HBM3", "memory_mib": 81559}
    packages = {**OLD, "torchao": None}  # what else is missing is not the reason: it could be installed
    path = tmp_path / "facts.json"
    path.write_text(json.dumps({"schema": "fp8check/facts/1", "packages": packages, "gpus": [h100], "variables": {}}))
    words = ["init", *LARGE, "--facts", str(path), "--out", str(tmp_path / "new")]
    assert main(words) == 1
    said = capsys.readouterr().out
    assert "FP414: the run does not fit: it needs 127 GiB before the first batch" in said
    assert "what helps        adapters (--finetuning lora); or a node with 2 such GPUs" in said
    assert "(its own --facts, --processes 2)" in said
    assert main([*words, "--finetuning", "lora"]) == 0
    for number, code in ((1, 1), (2, 0)):  # what is told was tried
        gpus = [{**h100, "index": at} for at in range(number)]
        path.write_text(json.dumps({"schema": "fp8check/facts/1", "packages": packages, "gpus": gpus, "variables": {}}))
        more = [*words[:5], "--processes", str(number), "--facts", str(path), "--out", str(tmp_path / str(number))]
        assert main(more) == code


def test_where_nothing_helps_nothing_is_told_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = {**H200, "name": "NVIDIA GeForce RTX 4090", "compute_capability": "8.9", "memory_mib": 24564}
    path = tmp_path / "facts.json"
    path.write_text(json.dumps({"schema": "fp8check/facts/1", "packages": OLD, "gpus": [small], "variables": {}}))
    words = ["--trainer", "trl", "--model", "meta-llama/Llama-3.1-70B", "--facts", str(path)]
    assert main(["init", *words, "--out", str(tmp_path / "new")]) == 1
    said = capsys.readouterr().out
    assert "FP414" in said
    assert "what helps" not in said


def test_where_no_gpu_is_known_what_fits_the_largest_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packages = {**OLD, "accelerate": "1.15.0", "transformers": "5.23.0", "torchao": "0.18.0", "torch": "2.13.0"}
    path = tmp_path / "facts.json"
    path.write_text(json.dumps({"schema": "fp8check/facts/1", "packages": packages}))
    assert main(["init", *LARGE, "--facts", str(path), "--out", str(tmp_path / "new")]) == 0
    said = capsys.readouterr().out
    assert "  memory            at most 130 GiB a GPU; " in said
    assert "an H200 has 140" not in said
