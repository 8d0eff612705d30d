"""A backend of torch.distributed that the training arguments name, where one process runs and where several do.

What an H200 showed of a command that chance had dealt (ninth-parser-11): it was said to start, and ended. Each of these
was executed once (docs/evidence/commands.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.tools.conformance.commands.second_tries import NEW, OLD, Try, config
from tests.tools.conformance.commands.third_tries import FACTORY_4, FACTORY_5, SFT, factory

if TYPE_CHECKING:
    from collections.abc import Iterator

KIND = "tenth tries"
_TE = config(fp8_config={"backend": "TE"})
_TWO = config(
    fp8_config={"backend": "TE"},
    distributed_type="MULTI_GPU",
    num_processes=2,
    gpu_ids="all",
    enable_cpu_affinity=False,
)
_PAIR = ["9.0", "9.0"]
_TRAINER = """import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        ids = torch.arange(4, 20)
        return {{"input_ids": ids, "labels": ids}}


args = TrainingArguments(
    "out", max_steps=1, per_device_train_batch_size=4, report_to="none", save_strategy="no"{more}
)
Trainer(model=AutoModelForCausalLM.from_pretrained("model"), args=args, train_dataset=Rows()).train()
"""
_LAUNCHED = "accelerate launch --config_file a.yaml"


def everything() -> Iterator[tuple[str, Try]]:
    """The names of the cases, and what makes them."""
    for age, stack in (("new", NEW), ("old", OLD)):
        for name, more in (
            ("gloo", ', ddp_backend="gloo"'),
            ("none", ", ddp_backend=None"),
            ("empty", ', ddp_backend=""'),
            ("bf16", ', ddp_backend="gloo", bf16=True'),
            ("cpu", ', ddp_backend="gloo", use_cpu=True'),
            ("timeout", ", ddp_timeout=600"),
        ):
            files = {"train.py": _TRAINER.format(more=more), "a.yaml": _TE}
            yield f"one-{name}-{age}", Try(f"{_LAUNCHED} train.py", files, stack)
        files = {"train.py": _TRAINER.format(more=', ddp_backend="gloo"'), "a.yaml": _TE}
        yield f"python-{age}", Try("python train.py", files, stack, variables={"ACCELERATE_MIXED_PRECISION": "fp8"})
        yield f"torchrun-one-{age}", Try("torchrun --nproc_per_node 1 train.py", files, stack)
        yield f"torchrun-two-{age}", Try("torchrun --nproc_per_node 2 train.py", files, stack, _PAIR)
        yield f"two-{age}", Try(f"{_LAUNCHED} train.py", {**files, "a.yaml": _TWO}, stack, _PAIR)
        yield f"two-of-one-{age}", Try(f"{_LAUNCHED} --num_processes 1 train.py", {**files, "a.yaml": _TWO}, stack)
        sft = {"sft.yaml": {**SFT, "ddp_backend": "gloo"}, "a.yaml": _TE}
        yield f"trl-{age}", Try("trl sft --config sft.yaml --accelerate_config a.yaml", sft, stack)
        yield f"script-{age}", Try(f"{_LAUNCHED} -m trl.scripts.sft --config sft.yaml", sft, stack)
    for release, stack in (("4", FACTORY_4), ("5", FACTORY_5)):
        for name, command in (
            ("cli", "llamafactory-cli train lf.yaml"),
            ("forced", "FORCE_TORCHRUN=1 llamafactory-cli train lf.yaml"),
            ("launched", f"{_LAUNCHED} -m llamafactory.launcher lf.yaml"),
        ):
            one = factory(stack, command, ddp_backend="gloo")
            yield f"lf{release}-{name}", one._replace(files={**one.files, "a.yaml": _TE})


def undecided(name: str) -> str | None:  # noqa: ARG001  as those of the tries
    """Why nobody can tell: of none."""
    return None
