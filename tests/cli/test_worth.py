"""`fp8check worth` as people run it."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING

import pytest

from fp8check.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = {
    "model_type": "llama",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 2,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
}
KEYS = {"tokens", "bf16_ms", "fp8_ms", "speedup", "low", "high", "bf16_gib", "fp8_gib", "bound"}


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return str(tmp_path)


def worth(*words: str) -> int:
    """The exit code of the command."""
    return main(["worth", *words])


def points(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    assert worth(*[*words, "--format", "json"]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)["points"]
    return found


@pytest.mark.parametrize("scope", ["layers", "model"])
def test_json_follows_the_contract(model: str, scope: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = points(capsys, model, "--gpu", "H200", "--backend", "TE", "--tokens", "512,16384", "--scope", scope)
    assert [set(point) for point in found] == [KEYS, KEYS]
    assert [point["tokens"] for point in found] == [512, 16384]
    assert found[0]["bound"] == ("launch" if scope == "layers" else "gemm")
    assert found[1]["bound"] == "gemm"
    assert found[0]["speedup"] < found[1]["speedup"]  # type: ignore[operator]
    assert found[1]["speedup"] > 1  # type: ignore[operator]


def test_a_config_file_is_as_good_as_its_folder(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert points(capsys, f"{model}/config.json", "--tokens", "2048") == points(capsys, model, "--tokens", "2048")


def test_a_name_of_the_table_needs_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert worth(*["Qwen/Qwen2.5-7B", "--tokens", "8192"]) == 0
    text = capsys.readouterr().out
    assert "Qwen/Qwen2.5-7B on H200 (measured and fitted), TE, eager" in text
    assert "8,192" in text


def test_modeled_gpus_say_so(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    for gpu in ("H100", "B200", "RTX 4090", "L40S"):
        assert worth(*[model, "--gpu", gpu, "--tokens", "8192"]) == 0
        assert "modeled from its datasheet, not measured" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["RTX 4090", "rtx4090", "NVIDIA GeForce RTX 4090", "RTX_4090"])
def test_a_gpu_by_any_of_its_names(model: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert worth(*[model, "--gpu", name, "--tokens", "2048"]) == 0
    assert "on RTX 4090 (modeled" in capsys.readouterr().out


def test_a_gpu_without_fp8_has_no_speed_up(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    (point,) = points(capsys, model, "--gpu", "A100", "--tokens", "8192")
    assert point["fp8_ms"] is None
    assert point["speedup"] is None
    assert worth(*[model, "--gpu", "A100"]) == 0
    assert "A100 has no FP8" in capsys.readouterr().out


def test_torchao_pays_only_when_compiled(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    (eager,) = points(capsys, model, "--backend", "ao", "--tokens", "16384")
    (compiled,) = points(capsys, model, "--backend", "AO", "--compile", "--tokens", "16384")
    assert eager["speedup"] < 1 < compiled["speedup"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody/has-this"], "not in the table of known models"),
        (["Qwen/Qwen2.5-7B", "--gpu", "Voodoo2"], "no GPU is called Voodoo2; there are H200"),
        (["Qwen/Qwen2.5-7B", "--tokens", "many"], "takes numbers"),
        (["Qwen/Qwen2.5-7B", "--tokens", "0"], "numbers from 1"),
        (["Qwen/Qwen2.5-7B", "--tokens", ""], "numbers from 1"),
        (["Qwen/Qwen2.5-7B", "--compile"], "backend AO only"),
        (["Qwen/Qwen2.5-7B", "--format", "png"], "needs --out"),
        (["mistralai/Mixtral-8x7B-v0.1"], "not modeled"),
        (["Qwen/Qwen2.5-7B", "--out", "/nowhere/at/all"], "/nowhere/at/all"),
    ],
)
def test_what_cannot_be_answered_is_said(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert worth(*words) == 2
    assert said in capsys.readouterr().err


def test_usage_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert worth(*[]) == 2
    assert worth(*["--help"]) == 0
    assert "--scope" in capsys.readouterr().out


def test_picture(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "worth.png"
    code = worth(*[model, "--format", "png", "--out", str(out)])
    if importlib.util.find_spec("matplotlib") is None:
        assert code == 2
        assert "pip install matplotlib" in capsys.readouterr().err
        return
    assert code == 0
    assert out.read_bytes().startswith(b"\x89PNG")


def test_text_goes_to_a_file(model: str, tmp_path: Path) -> None:
    out = tmp_path / "worth.txt"
    assert worth(*[model, "--out", str(out)]) == 0
    assert "speed-up" in out.read_text()


TRAINING = """\
model_name_or_path: .
stage: sft
do_train: true
finetuning_type: full
dataset: random
template: alpaca
cutoff_len: 2048
per_device_train_batch_size: 4
output_dir: out
disable_gradient_checkpointing: true
"""


def files(folder: str, precision: str) -> list[str]:
    made = {"train.yaml": TRAINING.replace("model_name_or_path: .", f"model_name_or_path: {folder}")}
    made["accelerate.yaml"] = f"distributed_type: 'NO'\nmixed_precision: {precision}\n"
    made["accelerate.yaml"] += "fp8_config: {backend: TE}\n" if precision == "fp8" else ""
    for name, text in made.items():
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    return [f"{folder}/{name}" for name in made]


def test_the_whole_step_of_a_run(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = [*files(model, "fp8"), "--no-environment"]
    assert worth(*names, "--gpu", "H100") == 0
    text = capsys.readouterr().out
    assert "the whole step of this run\n" in text
    own = next(line for line in text.splitlines() if line.endswith("as it is"))
    assert own.startswith("   8,192")
    assert "fp8check env --launch-cost" in text
    assert worth(*names, "--format", "json", "--tokens", "2048") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["scope"], told["own_tokens"]) == ("step", 8192)
    assert [point["tokens"] for point in told["points"]] == [2048, 8192]
    layers = points(capsys, model, "--tokens", "8192")[0]
    assert 1 < told["points"][1]["speedup"] < layers["speedup"]  # type: ignore[operator]


def test_of_a_run_in_bf16_it_says_what_fp8_would_make_of_it(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert worth(*files(model, "bf16"), "--no-environment", "--backend", "ao", "--compile") == 0
    assert "does not train in FP8 as it is: what AO would make of it" in capsys.readouterr().out
