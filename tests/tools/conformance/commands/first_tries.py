"""Commands as people first write them, of whom nobody told that FP8 is not asked for so.

Keywords that TrainingArguments do not have, a second file behind LLaMA-Factory's, switches in quotes, a variable in front
of the command, files that are no YAML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KIND = "first tries"
TRAINER = """import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        ids = torch.arange(4, 20)
        return {{"input_ids": ids, "labels": ids}}


args = TrainingArguments(output_dir="out", max_steps=1, per_device_train_batch_size=4, report_to="none", {keywords})
Trainer(model=AutoModelForCausalLM.from_pretrained("model"), args=args, train_dataset=Rows()).train()
"""
OF_TRL = """from datasets import load_dataset
from trl import {config}, {trainer}

args = {config}(output_dir="out", max_steps=1, per_device_train_batch_size=4, report_to="none", fp8=True)
{trainer}(model="model", args=args, train_dataset=load_dataset("data/{data}", split="train")).train()
"""
TE = (
    "compute_environment: LOCAL_MACHINE\ndistributed_type: 'NO'\nmixed_precision: fp8\nnum_machines: 1\n"
    "num_processes: 1\nfp8_config:\n  backend: TE\n"
)
KEYWORDS = {
    "fp8": "fp8=True",
    "precision": 'mixed_precision="fp8"',
    "no-bf16": "no_bf16=True",
    "backend": 'fp8_backend="te", bf16=True',
}

Made = tuple[str, str, str, dict[str, Any]]  # what a case is called, its stack, its command and files


def commands(
    factory: dict[str, Any], newest: str, old: str, factories: Mapping[str, str], axolotl: str
) -> Iterator[Made]:
    """All of them.

    Args:
        factory: a training file of LLaMA-Factory.
        newest, old, factories, axolotl: the stacks; those of LLaMA-Factory by its release.
    """
    launch = "accelerate launch --config_file te.yaml train.py"
    for stack, age in ((newest, "new"), (old, "old")):
        for name, keywords in KEYWORDS.items():
            files = {"train.py": TRAINER.format(keywords=keywords), "te.yaml": TE}
            yield f"tries-args-{name}-{age}", stack, launch, files
    plain = {"train.py": TRAINER.format(keywords="bf16=False")}
    yield "tries-accelerate-indented", newest, launch, {**plain, "te.yaml": f"{TE} mixed: x\n"}
    yield "tries-accelerate-tab", newest, launch, {**plain, "te.yaml": TE.replace("  backend", "\tbackend")}
    for config, trainer, data in (("SFTConfig", "SFTTrainer", "sft"), ("DPOConfig", "DPOTrainer", "dpo")):
        text = OF_TRL.format(config=config, trainer=trainer, data=data)
        yield f"tries-{config}-fp8", newest, "python train.py", {"train.py": text}
    indented = "model_name_or_path: model\ndataset_name: data/sft\noutput_dir: out\n  bf16: true\n"
    yield "tries-trl-indented", newest, "trl sft --config sft.yaml", {"sft.yaml": indented}
    for release, stack in factories.items():
        yield from _of_factory(release, stack, yaml.safe_dump(factory, sort_keys=False))
    text = "base_model: model\ndatasets: []\nbf16: true\n   fp8: true\n"
    yield "tries-axolotl-indented", axolotl, "axolotl train ax.yaml", {"ax.yaml": text}


def _of_factory(release: str, stack: str, text: str) -> Iterator[Made]:
    train = "llamafactory-cli train lf.yaml"
    tries = {
        "second-file": (f"{train} other.yaml", text, {"other.yaml": "fp8: true\n"}),
        "quoted": (train, f'{text}bf16: true\nfp8: "true"\n', {}),
        "quoted-false": (train, f'{text}bf16: true\nfp8: "false"\n', {}),
        "variable": (f"ACCELERATE_MIXED_PRECISION=fp8 {train}", f"{text}bf16: true\n", {}),
        "indented": (train, f"{text}bf16: true\n  fp8: true\n", {}),
        "tab": (train, f"{text}bf16: true\n\tfp8: true\n", {}),
    }
    for name, (command, file, more) in tries.items():
        yield f"tries-lf-{name}-{release}", stack, command, {"lf.yaml": file, **more}
