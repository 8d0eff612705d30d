"""Launch commands, taken apart."""

from __future__ import annotations

import pytest

from fp8check.rules.settings.launch import LaunchError
from fp8check.rules.trainers.commands import of_words, parse

_REST = ("--config", "c.yaml", "--mixed_precision")


@pytest.mark.parametrize(
    ("command", "tool", "flags", "script", "arguments"),
    [
        ("accelerate", "accelerate", {}, None, ()),
        ("python", "python", {}, None, ()),
        (
            "accelerate launch --config_file a.yaml src/train.py cfg.yaml",
            "accelerate",
            {"config_file": "a.yaml"},
            "src/train.py",
            ("cfg.yaml",),
        ),
        (
            "accelerate launch --config-file=a.yaml -m pkg.train x",
            "accelerate",
            {"config_file": "a.yaml", "m": True},
            "pkg.train",
            ("x",),
        ),
        (
            "accelerate launch --cpu --mixed_precision fp8 t.py --cpu",
            "accelerate",
            {"cpu": True, "mixed_precision": "fp8"},
            "t.py",
            ("--cpu",),
        ),
        ("FOO=1 /usr/bin/python3.11 -u train.py cfg.yaml", "python", {}, "train.py", ("cfg.yaml",)),
        ("python -m pkg.train cfg.yaml", "python", {}, "pkg.train", ("cfg.yaml",)),
        ("python -m torch.distributed.run --nproc_per_node 2 t.py", "torchrun", {"nproc_per_node": "2"}, "t.py", ()),
        (
            "torchrun --standalone --nproc-per-node=8 t.py",
            "torchrun",
            {"standalone": True, "nproc_per_node": "8"},
            "t.py",
            (),
        ),
        ("llamafactory-cli train cfg.yaml", "python", {}, "llamafactory-cli", ("train", "cfg.yaml")),
        ("deepspeed t.py", "deepspeed", {}, "t.py", ()),
        (
            "trl sft --config c.yaml --accelerate_config fsdp2 --num_processes=2 --multi-gpu --debug x",
            "accelerate",
            {"config_file": "fsdp2", "num_processes": "2", "multi_gpu": True},
            "trl",
            (
                "sft",
                *[
                    "--config",
                    "c.yaml",
                    "--accelerate_config",
                    "fsdp2",
                    "--num_processes=2",
                    "--multi-gpu",
                    "--debug",
                    "x",
                ],
            ),
        ),
        ("trl sft --config c.yaml --mixed_precision", "accelerate", {"mixed_precision": ""}, "trl", ("sft", *_REST)),
        ("python -m accelerate.commands.launch --cpu t.py", "accelerate", {"cpu": True}, "t.py", ()),
        ("axolotl train c.yaml", "accelerate", {}, "axolotl", ("train", "c.yaml")),
        (
            "axolotl train c.yaml --num-processes 2 -- --config_file a.yaml --multi_gpu",
            "accelerate",
            {"config_file": "a.yaml", "multi_gpu": True, "num_processes": "2"},
            "axolotl",
            ("train", "c.yaml", "--num-processes", "2", "--", "--config_file", "a.yaml", "--multi_gpu"),
        ),
        (
            "axolotl train c.yaml --launcher torchrun -- --nproc_per_node 2 --standalone",
            "torchrun",
            {"nproc_per_node": "2", "standalone": True},
            "axolotl",
            ("train", "c.yaml", "--launcher", "torchrun", "--", "--nproc_per_node", "2", "--standalone"),
        ),
        (
            "axolotl train c.yaml --launcher=python",
            "python",
            {},
            "axolotl",
            ("train", "c.yaml", "--launcher=python"),
        ),
    ],
)
def test_parse(
    command: str, tool: str, flags: dict[str, object], script: str | None, arguments: tuple[str, ...]
) -> None:
    launch = parse(command)
    assert (launch.tool, launch.flags, launch.script, launch.arguments) == (tool, flags, script, arguments)
    assert launch.given


@pytest.mark.parametrize(
    "command",
    [
        "",
        "  ",
        "A=1",
        "accelerate launch 'x",
        "accelerate launch --config_file",
        "python " + 40_000 * "x",
    ],
    ids=lambda command: command[:20],
)
def test_what_cannot_be_understood(command: str) -> None:
    with pytest.raises(LaunchError):
        parse(command)


def test_a_launcher_by_another_name() -> None:
    launch = parse("python -m accelerate.commands.launch --config_file a.yaml t.py")
    assert (launch.tool, launch.config_file, launch.script) == ("accelerate", "a.yaml", "t.py")


@pytest.mark.parametrize(
    ("command", "through"),
    [
        ("trl sft", "trl"),
        ("axolotl train c.yaml", "axolotl"),
        ("accelerate launch trl sft", None),
        ("python t.py", None),
    ],
)
def test_who_starts_the_launcher(command: str, through: str | None) -> None:
    assert parse(command).through == through


def test_variables_before_the_command() -> None:
    assert parse("A=1 B='x y' accelerate launch t.py").variables == {"A": "1", "B": "x y"}
    assert parse("accelerate launch t.py A=1").variables == {}


def test_words_that_a_shell_made() -> None:
    launch = of_words(["accelerate", "launch", "a file.py", "--x", ""], {"A": "1"})
    assert (launch.script, launch.arguments, launch.variables) == ("a file.py", ("--x", ""), {"A": "1"})
    with pytest.raises(LaunchError, match="empty"):
        of_words([], {"A": "1"})


@pytest.mark.parametrize("behind", ["accelerate launch x.py", "/opt/bin/torchrun x.py", "python3 x.py"])
def test_a_script_that_starts_what_stands_behind_two_dashes(behind: str) -> None:
    launch = parse(f"python submit.py --cluster a --gpus 8 -- {behind} --bf16")
    assert launch.unknown.startswith("submit.py starts what stands behind --")
    words = ["python", "mason.py", "--gpus", "8", "--", "source", "env.sh", "&&", "uv", "run", *behind.split()]
    launch = of_words(words, {})
    assert launch.unknown == "this is open-instruct's launcher for Beaker, which is not checked: mason.py"
    assert parse("python train.py --a -- b.yaml").script == "train.py"
    assert parse("python train.py --").script == "train.py"
