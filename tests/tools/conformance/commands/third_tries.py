"""What people give to the wrong place: keys that nobody reads, packages that are missing, loops of shell scripts.

Each was executed once and compared before anything was changed for it (docs/evidence/commands.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.tools.conformance.commands import first_tries, programs
from tests.tools.conformance.commands.second_tries import (
    AO,
    AXOLOTL,
    FACTORY_3,
    FACTORY_4,
    FACTORY_5,
    NEW,
    OLD,
    PLAIN,
    TE,
    Try,
    config,
    own,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KIND = "third tries"
SFT: dict[str, Any] = {
    "model_name_or_path": "model",
    "dataset_name": "data/sft",
    "output_dir": "out",
    "max_steps": 1,
    "report_to": "none",
    "save_strategy": "no",
    "per_device_train_batch_size": 4,
    "learning_rate": 1.0e-3,
    "bf16": True,
}
FLAGS = " ".join(f"--{name} {value}" for name, value in SFT.items())
# A script of one's own around TrlParser; {how} is what the parser is asked.
PARSED = """from datasets import load_dataset
from trl import ModelConfig, ScriptArguments, SFTConfig, SFTTrainer, TrlParser

if __name__ == "__main__":
    parser = TrlParser((ScriptArguments, SFTConfig, ModelConfig))
    script_args, training_args, model_args{rest} = parser.parse_args_and_config({how})
    trainer = SFTTrainer(
        model=model_args.model_name_or_path,
        args=training_args,
        train_dataset=load_dataset(script_args.dataset_name, split="train"),
    )
    trainer.train()
"""
HF_FILE = """import sys
from dataclasses import dataclass

import torch
from transformers import AutoModelForCausalLM, HfArgumentParser, Trainer, TrainingArguments


@dataclass
class ModelArguments:
    model_name_or_path: str = "model"


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        ids = torch.arange(4, 20)
        return {{"input_ids": ids, "labels": ids}}


def main():
    parser = HfArgumentParser((ModelArguments, TrainingArguments))
    if len(sys.argv) == 2 and sys.argv[1].endswith(("json", "yaml")):
        model_args, training_args = parser.{how}
    else:
        model_args, training_args = parser.parse_args_into_dataclasses()
    model = AutoModelForCausalLM.from_pretrained(model_args.model_name_or_path)
    trainer = Trainer(model=model, args=training_args, train_dataset=Rows())
    trainer.train()


if __name__ == "__main__":
    main()
"""
HF: dict[str, Any] = {
    "model_name_or_path": "model",
    "output_dir": "out",
    "max_steps": 1,
    "report_to": "none",
    "save_strategy": "no",
    "per_device_train_batch_size": 4,
    "learning_rate": 1.0e-3,
}


def without(file: dict[str, Any], *names: str) -> dict[str, Any]:
    """A file without some of its keys."""
    return {name: value for name, value in file.items() if name not in names}


def _files_of_parsers() -> Iterator[tuple[str, Try]]:
    te = {"te.yaml": TE, "ao.yaml": AO}
    for stack, at in ((NEW, ""), (OLD, "-old")):
        yield f"trl-no-config{at}", Try("trl sft recipe.yaml", {**te, "recipe.yaml": SFT}, stack)
        yield (
            f"trl-no-config-accelerate{at}",
            Try("trl sft recipe.yaml --accelerate_config te.yaml", {**te, "recipe.yaml": SFT}, stack),
        )
        flags = FLAGS.replace("data/sft", "data/dpo") if stack == OLD else ""
        yield (
            f"trl-no-config-dpo{at}",
            Try(
                f"trl dpo recipe.yaml {flags}".strip(),
                {**te, "recipe.yaml": {**SFT, "dataset_name": "data/dpo"}},
                stack,
            ),
        )
        yield f"trl-no-config-flags{at}", Try(f"trl sft recipe.yaml {FLAGS}", {**te, "recipe.yaml": SFT}, stack)
        yield (
            f"trl-no-config-behind{at}",
            Try(f"trl sft {FLAGS} recipe.yaml", {**te, "recipe.yaml": SFT}, stack),
        )
    yield (
        "trl-no-config-syntax",
        Try(
            "trl sft recipe.yaml",
            {**te, "recipe.yaml": "# Qwen\nmodel_name_or_path: Qwen/Qwen2.5-0.5B\nbf16: true\noutput_dir: out\n"},
        ),
    )
    yield (
        "trl-no-config-list",
        Try("trl sft recipe.yaml", {**te, "recipe.yaml": "bf16: True\nreport_to:\n  - none\noutput_dir: out\n"}),
    )
    yield "trl-config-equals", Try("trl sft --config=recipe.yaml", {**te, "recipe.yaml": SFT})
    launch = "accelerate launch --config_file te.yaml train.py"
    for name, keys in (
        ("fp8", {"fp8": True}),
        ("mixed", {"mixed_precision": "fp8"}),
        ("backend", {"fp8_backend": "te"}),
        ("length", {"max_seq_length": 32}),
        ("typo", {"per_device_batch_size": 4}),
        ("accelerate", {"accelerate_config": "te.yaml"}),
        ("gone", {"warmup_ratio": 0.1}),
        ("processes", {"num_processes": 1}),
        ("list", {"fp8_list": ["a", "b"]}),
    ):
        file = {**without(SFT, "bf16"), **keys}
        script = PARSED.format(how="", rest="")
        yield f"parser-{name}", Try(f"{launch} --config recipe.yaml", {**te, "train.py": script, "recipe.yaml": file})
        if name in ("fp8", "length"):
            files = {**te, "train.py": script, "recipe.yaml": {**file, "bf16": False}}
            yield f"parser-{name}-old", Try(f"{launch} --config recipe.yaml", files, OLD)
    loose = PARSED.format(how="fail_with_unknown_args=False", rest="")
    kept = PARSED.format(how="return_remaining_strings=True", rest=", _")
    file = {**without(SFT, "bf16"), "bf16": False, "fp8": True}
    yield "parser-loose", Try(f"{launch} --config recipe.yaml", {**te, "train.py": loose, "recipe.yaml": file})
    yield "parser-kept", Try(f"{launch} --config recipe.yaml", {**te, "train.py": kept, "recipe.yaml": file})
    yield "parser-kept-word", Try(f"{launch} recipe.yaml {FLAGS}", {**te, "train.py": kept, "recipe.yaml": file})
    strict = PARSED.format(how="", rest="")
    yield "parser-word", Try(f"{launch} recipe.yaml", {**te, "train.py": strict, "recipe.yaml": SFT})
    yield "parser-word-flags", Try(f"{launch} recipe.yaml {FLAGS}", {**te, "train.py": strict, "recipe.yaml": SFT})
    yield (
        "parser-loose-flag",
        Try(f"{launch} --config recipe.yaml --fp8 True", {**te, "train.py": loose, "recipe.yaml": SFT}),
    )
    for key, how, name in (
        ("yaml", "parse_yaml_file(sys.argv[1])", "hf.yaml"),
        ("json", "parse_json_file(sys.argv[1])", "hf.json"),
        ("loose", "parse_yaml_file(sys.argv[1], allow_extra_keys=True)", "hf.yaml"),
        ("abs", "parse_json_file(json_file=sys.argv[1])", "hf.json"),
    ):
        for what, keys in (
            ("fp8", {"fp8": True}),
            ("mixed", {"mixed_precision": "fp8"}),
            ("none", {}),
            ("typo", {"batchsize": 4}),
        ):
            files = {**te, "train.py": HF_FILE.format(how=how), name: {**HF, **keys}}
            yield f"hf-{key}-{what}", Try(f"{launch} {name}", files)
    files = {**te, "train.py": HF_FILE.format(how="parse_json_file(sys.argv[1])"), "hf.json": {**HF, "fp8": True}}
    yield "hf-json-fp8-old", Try(f"{launch} hf.json", files, OLD)
    # scripts that do not look for a file hand it to the parser itself, which takes no word
    yield "hf-word", Try(f"{launch} hf.yaml", {**te, "train.py": programs.FLAGS, "hf.yaml": HF})
    yield "hf-word-flags", Try(f"{launch} --output_dir out hf.yaml", {**te, "train.py": programs.FLAGS, "hf.yaml": HF})
    for stack, at in ((NEW, ""), (OLD, "-old")):
        module = "accelerate launch --config_file te.yaml -m trl.scripts.sft"
        if stack == OLD:
            yield f"trl-module-word{at}", Try(f"{module} recipe.yaml {FLAGS}", {**te, "recipe.yaml": SFT}, stack)
        yield f"trl-module-config{at}", Try(f"{module} --config recipe.yaml", {**te, "recipe.yaml": SFT}, stack)


def _lengths() -> Iterator[tuple[str, Try]]:
    """Keys that TRL's own configurations do not have, in its file and on its command."""
    te = {"te.yaml": TE, "ao.yaml": AO}
    for stack, at in ((NEW, ""), (OLD, "-old"), (AXOLOTL, "-1.9")):
        trl = "trl sft --config recipe.yaml"
        module = "accelerate launch --config_file ao.yaml -m trl.scripts.sft --config recipe.yaml"
        for name, keys in (
            ("length", {"max_seq_length": 32}),
            ("length-packing", {"max_seq_length": 32, "packing": True, "packing_strategy": "wrapped"}),
            ("length-both", {"max_seq_length": 32, "max_length": 64, "packing": True}),
            ("typo", {"per_device_batch_size": 2}),
            ("null", {"max_seq_length": None}),
        ):
            files = {**te, "recipe.yaml": {**SFT, "bf16": False, **keys}}
            yield f"trl-{name}{at}", Try(trl, files, stack)
            yield f"trl-{name}-ao{at}", Try(f"{trl} --accelerate_config ao.yaml", files, stack)
            yield f"trl-{name}-module{at}", Try(module, files, stack)
        files = {**te, "recipe.yaml": {**SFT, "bf16": False}}
        yield f"trl-length-flag{at}", Try(f"{trl} --max_seq_length 32", files, stack)
        yield f"trl-length-flag-module{at}", Try(f"{module} --max_seq_length 32", files, stack)
        yield f"trl-typo-flag{at}", Try(f"{trl} --per_device_batch_size 2", files, stack)
        dpo = {**te, "recipe.yaml": {**SFT, "dataset_name": "data/dpo", "bf16": False, "max_seq_length": 32}}
        yield f"trl-dpo-length{at}", Try("trl dpo --config recipe.yaml", dpo, stack)
        yield (
            f"trl-dpo-module-length{at}",
            Try("accelerate launch --config_file ao.yaml -m trl.scripts.dpo --config recipe.yaml", dpo, stack),
        )


def _missing_packages() -> Iterator[tuple[str, Try]]:
    te = {"te.yaml": TE, "ao.yaml": AO}
    for stack, at in ((NEW, ""), (OLD, "-old")):
        for name, keys in (
            ("fa2", {"attn_implementation": "flash_attention_2"}),
            ("fa3", {"attn_implementation": "flash_attention_3"}),
            ("eager", {"attn_implementation": "eager"}),
            ("sdpa", {"attn_implementation": "sdpa"}),
            ("wrong", {"attn_implementation": "flash"}),
            ("kernels", {"attn_implementation": "kernels-community/flash-attn2"}),
            ("liger", {"use_liger_kernel": True}),
        ):
            file = {**SFT, "bf16": False, **keys}
            yield (
                f"trl-{name}{at}",
                Try("trl sft --config recipe.yaml --accelerate_config te.yaml", {**te, "recipe.yaml": file}, stack),
            )
        yield (
            f"trl-dpo-liger{at}",
            Try(
                "trl dpo --config recipe.yaml",
                {**te, "recipe.yaml": {**SFT, "dataset_name": "data/dpo", "use_liger_kernel": True}},
                stack,
            ),
        )
        launch = "accelerate launch --config_file te.yaml train.py"
        hf = HF_FILE.format(how="parse_yaml_file(sys.argv[1])")
        yield (
            f"hf-liger{at}",
            Try(f"{launch} hf.yaml", {**te, "train.py": hf, "hf.yaml": {**HF, "use_liger_kernel": True}}, stack),
        )
        loaded = own("", "accelerator = Accelerator()").replace(
            'from_pretrained("model")', 'from_pretrained("model", attn_implementation="flash_attention_2")'
        )
        yield f"own-fa2{at}", Try(launch, {**te, "train.py": loaded}, stack)
        through = hf.replace(
            "from_pretrained(model_args.model_name_or_path)",
            'from_pretrained(\n        model_args.model_name_or_path, attn_implementation="flash_attention_2"\n    )',
        )
        yield f"hf-fa2{at}", Try(f"{launch} hf.yaml", {**te, "train.py": through, "hf.yaml": HF}, stack)
    for release, name in ((FACTORY_3, "0.9.3"), (FACTORY_4, "0.9.4"), (FACTORY_5, "0.9.5")):
        for what, keys in (
            ("fa2", {"flash_attn": "fa2"}),
            ("fa3", {"flash_attn": "fa3"}),
            ("disabled", {"flash_attn": "disabled"}),
            ("auto", {"flash_attn": "auto"}),
            ("wrong", {"flash_attn": "flash"}),
            ("liger", {"enable_liger_kernel": True}),
            ("liger-hf", {"use_liger_kernel": True}),
            ("unsloth", {"use_unsloth": True}),
            ("bad-optim", {"optim": "adamw_8bit"}),
        ):
            yield f"lf-{what}-{name}", factory(release, **keys)
    for what, keys in (
        ("fa2", {"attn_implementation": "flash_attention_2"}),
        ("flash", {"flash_attention": True, "attn_implementation": ...}),
        ("flash-off", {"flash_attention": False, "attn_implementation": ...}),
        ("sdp", {"sdp_attention": True, "attn_implementation": ...}),
        ("xformers", {"xformers_attention": True, "attn_implementation": ...}),
        ("sage", {"sage_attention": True, "attn_implementation": ...}),
        ("none", {"attn_implementation": ...}),
        ("liger", {"plugins": ["axolotl.integrations.liger.LigerPlugin"], "liger_rope": True}),
        ("liger-key", {"liger_rope": True}),
        ("optim-8bit", {"optimizer": "adamw_bnb_8bit"}),
    ):
        yield f"ax-{what}", axolotl(**keys)


def factory(release: str, command: str = "llamafactory-cli train lf.yaml", **changes: Any) -> Try:
    """A run of LLaMA-Factory."""
    base: dict[str, Any] = {
        "model_name_or_path": "model", "trust_remote_code": True, "stage": "sft", "do_train": True, "finetuning_type": "full",
        "dataset": "sft", "dataset_dir": "data", "template": "default", "cutoff_len": 32, "overwrite_cache": True,
        "preprocessing_num_workers": 1, "output_dir": "out", "logging_steps": 1, "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 1, "learning_rate": 1.0e-3, "max_steps": 1, "report_to": "none", "save_strategy": "no",
        "bf16": True,
    }  # fmt: skip
    file = {name: value for name, value in {**base, **changes}.items() if value is not ...}
    return Try(command, {"te.yaml": TE, "ao.yaml": AO, "lf.yaml": file}, release)


def axolotl(command: str = "axolotl train ax.yaml", **changes: Any) -> Try:
    """A run of axolotl."""
    base: dict[str, Any] = {
        "base_model": "model", "datasets": [{"path": "data/axolotl", "type": "alpaca"}], "sequence_len": 64,
        "micro_batch_size": 4, "gradient_accumulation_steps": 1, "max_steps": 1, "num_epochs": 1, "optimizer": "adamw_torch",
        "lr_scheduler": "constant", "learning_rate": 0.01, "output_dir": "out", "save_strategy": "no", "val_set_size": 0,
        "attn_implementation": "sdpa", "bf16": True,
    }  # fmt: skip
    file = {name: value for name, value in {**base, **changes}.items() if value is not ...}
    return Try(command, {"te.yaml": TE, "ao.yaml": AO, "ax.yaml": file}, AXOLOTL)


def _compiling() -> Iterator[tuple[str, Try]]:
    te = {"te.yaml": TE}
    plain = {"train.py": PLAIN}
    trainer = HF_FILE.format(how="parse_yaml_file(sys.argv[1])")
    for stack, at in ((NEW, ""), (OLD, "-old")):
        yield f"dynamo-flag{at}", Try("accelerate launch --dynamo_backend foo train.py", plain, stack)
        yield (
            f"dynamo-file{at}",
            Try(
                "accelerate launch --config_file a.yaml train.py",
                {**plain, "a.yaml": config(dynamo_backend="foo")},
                stack,
            ),
        )
        section = config(dynamo_config={"dynamo_backend": "foo"})
        yield (
            f"dynamo-section{at}",
            Try("accelerate launch --config_file a.yaml train.py", {**plain, "a.yaml": section}, stack),
        )
        short = config(dynamo_config={"backend": "FOO"})
        yield (
            f"dynamo-short{at}",
            Try("accelerate launch --config_file a.yaml train.py", {**plain, "a.yaml": short}, stack),
        )
        yield f"dynamo-variable{at}", Try("ACCELERATE_DYNAMO_BACKEND=foo python train.py", plain, stack)
        yield (
            f"dynamo-variable-launch{at}",
            Try(
                "ACCELERATE_DYNAMO_BACKEND=foo accelerate launch --config_file te.yaml train.py", {**te, **plain}, stack
            ),
        )
        yield (
            f"dynamo-trainer{at}",
            Try(
                "python train.py hf.yaml",
                {"train.py": trainer, "hf.yaml": {**HF, "torch_compile_backend": "foo"}},
                stack,
            ),
        )
        yield (
            f"dynamo-trainer-variable{at}",
            Try("ACCELERATE_DYNAMO_BACKEND=foo python train.py hf.yaml", {"train.py": trainer, "hf.yaml": HF}, stack),
        )
        yield (
            f"dynamo-keyword{at}",
            Try("python train.py", {"train.py": own("", 'accelerator = Accelerator(dynamo_backend="foo")')}, stack),
        )
        made = 'plugin = TorchDynamoPlugin(backend="inductr")\naccelerator = Accelerator(dynamo_plugin=plugin)'
        files = {"train.py": own("", made, "from accelerate.utils import TorchDynamoPlugin\n")}
        yield f"dynamo-plugin{at}", Try("python train.py", files, stack)
        yield f"dynamo-upper{at}", Try("accelerate launch --dynamo_backend NO train.py", plain, stack)
        yield f"dynamo-no{at}", Try("ACCELERATE_DYNAMO_BACKEND=no python train.py", plain, stack)
        yield f"dynamo-empty{at}", Try("ACCELERATE_DYNAMO_BACKEND= python train.py", plain, stack)
        yield f"dynamo-mode{at}", Try("accelerate launch --dynamo_mode fastest train.py", plain, stack)
        off = config(dynamo_config={"dynamo_backend": False})
        yield (
            f"dynamo-section-false{at}",
            Try("accelerate launch --config_file a.yaml train.py", {**plain, "a.yaml": off}, stack),
        )
        null = config(dynamo_backend=None)
        yield (
            f"dynamo-null{at}",
            Try("accelerate launch --config_file a.yaml train.py", {**plain, "a.yaml": null}, stack),
        )
        false = config(dynamo_backend=False)
        yield (
            f"dynamo-false{at}",
            Try("accelerate launch --config_file a.yaml train.py", {**plain, "a.yaml": false}, stack),
        )
    both = own("", 'accelerator = Accelerator(dynamo_backend="no", dynamo_plugin=TorchDynamoPlugin())',
               "from accelerate.utils import TorchDynamoPlugin\n")  # fmt: skip
    yield "dynamo-both", Try("python train.py", {"train.py": both})
    yield "lf-dynamo-0.9.4", factory(FACTORY_4, torch_compile_backend="foo")
    yield "ax-dynamo", axolotl(torch_compile=True, torch_compile_backend="foo")


def _deepspeed_of_factories() -> Iterator[tuple[str, Try]]:
    zero = {
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "bf16": {"enabled": "auto"},
        "zero_optimization": {"stage": 2},
    }
    for release, name in ((FACTORY_3, "0.9.3"), (FACTORY_4, "0.9.4"), (FACTORY_5, "0.9.5")):
        for what, command in (
            ("cli", "llamafactory-cli train lf.yaml"),
            ("forced", "FORCE_TORCHRUN=1 llamafactory-cli train lf.yaml"),
            ("torchrun", "torchrun --nproc_per_node 1 -m llamafactory.launcher lf.yaml"),
            ("launch", "accelerate launch --num_processes 1 -m llamafactory.launcher lf.yaml"),
            ("python", "python -m llamafactory.launcher lf.yaml"),
        ):
            one = factory(release, command, deepspeed="ds.json")
            yield f"lf-ds-{what}-{name}", one._replace(files={**one.files, "ds.json": zero})
        yield (
            f"lf-ds-absent-{name}",
            factory(release, "FORCE_TORCHRUN=1 llamafactory-cli train lf.yaml", deepspeed="no.json"),
        )
        yield f"lf-ds-absent-cli-{name}", factory(release, deepspeed="no.json")


SWITCHED = """#!/bin/bash
set -euo pipefail
CONFIG=te.yaml
EXTRA=()
while [[ $# -gt 0 ]]; do
  case "$1" in
    --config) CONFIG="$2"; shift 2 ;;
    --precision) EXTRA+=(--mixed_precision "$2"); shift 2 ;;
    *) EXTRA+=("$1"); shift ;;
  esac
done
accelerate launch --config_file "$CONFIG" "${EXTRA[@]}" train.py
"""


def _shells() -> Iterator[tuple[str, Try]]:
    """Shell scripts that are started with arguments, and loops in them."""
    files: dict[str, Any] = {
        "te.yaml": TE,
        "ao.yaml": AO,
        "bf16.yaml": config(mixed_precision="bf16"),
        "train.py": PLAIN,
    }
    launch = "accelerate launch --config_file"
    for name, command, body in (
        ("first", "bash run.sh ao.yaml", f"{launch} $1 train.py"),
        ("quoted", 'bash run.sh "ao.yaml"', f'{launch} "$1" train.py'),
        ("second", "bash run.sh 1 bf16.yaml", f"{launch} $2 --num_processes $1 train.py"),
        ("braces", "bash ./run.sh te.yaml", f"{launch} ${{1}} train.py"),
        ("default", "bash run.sh", f"{launch} ${{1:-ao.yaml}} train.py"),
        ("default-given", "bash run.sh bf16.yaml", f"{launch} ${{1:-ao.yaml}} train.py"),
        ("default-dash", "bash run.sh", f"{launch} ${{1-te.yaml}} train.py"),
        ("all", "bash run.sh --config_file te.yaml --num_processes 1", 'accelerate launch "$@" train.py'),
        ("all-bare", "bash run.sh --mixed_precision bf16", "accelerate launch $* train.py"),
        ("all-none", "bash run.sh", f'{launch} te.yaml "$@" train.py'),
        ("shift", "bash run.sh ao.yaml --num_processes 1", f'C=$1\nshift\n{launch} $C "$@" train.py'),
        ("shift-two", "bash run.sh x y te.yaml", f"shift 2\n{launch} $1 train.py"),
        ("slice", "bash run.sh te.yaml --num_processes 1", f'{launch} $1 "${{@:2}}" train.py'),
        ("count", "bash run.sh", f"if [ $# -lt 1 ]; then\n  set -- te.yaml\nfi\n{launch} $1 train.py"),
        (
            "count-given",
            "bash run.sh bf16.yaml",
            f"if [ $# -eq 0 ]; then\n  C=te.yaml\nelse\n  C=$1\nfi\n{launch} $C train.py",
        ),
        ("test", "bash run.sh ao", f'if [ "$1" = "ao" ]; then C=ao.yaml; else C=te.yaml; fi\n{launch} $C train.py'),
        (
            "test-other",
            "bash run.sh te",
            f'if [[ "$1" == "ao" ]]; then C=ao.yaml; else C=te.yaml; fi\n{launch} $C train.py',
        ),
        ("name", "bash run.sh ao", f"{launch} $1.yaml train.py"),
        ("variable", "CONFIG=ao.yaml bash run.sh", f"{launch} ${{CONFIG:-te.yaml}} train.py"),
        ("variable-unset", "bash run.sh", f"{launch} ${{CONFIG:-te.yaml}} train.py"),
        ("exported", "ACCELERATE_MIXED_PRECISION=fp8 bash run.sh", "python train.py"),
        ("flags", "bash -eux run.sh te.yaml", f"{launch} $1 train.py"),
        ("nohup", "nohup bash run.sh te.yaml", f"{launch} $1 train.py"),
        ("loop-lr", "bash run.sh", f"for lr in 1e-5 2e-5; do\n  LR=$lr {launch} te.yaml train.py\ndone"),
        ("loop-seed", "bash run.sh ao.yaml", f"for s in 1 2; do\n  SEED=$s {launch} $1 train.py\ndone"),
        ("loop-one", "bash run.sh", f"for c in ao.yaml; do\n  {launch} $c train.py\ndone"),
        ("loop-range", "bash run.sh", f"for i in $(seq 1 2); do\n  {launch} te.yaml train.py\ndone"),
        ("function", "bash run.sh ao.yaml", f'main() {{\n  {launch} "$1" train.py\n}}\nmain "$@"'),
    ):
        text = f"#!/bin/bash\nset -e\n{body}\n"
        yield f"shell-{name}", Try(command, {**files, "run.sh": text})
    yield "shell-switched-none", Try("bash run.sh", {**files, "run.sh": SWITCHED})
    trainer = {**files, "train.py": programs.FLAGS}
    text = '#!/bin/bash\nBF16=${1:-False}\naccelerate launch --config_file te.yaml train.py --output_dir out --max_steps 1 --report_to none --bf16 $BF16 "${@:2}"\n'
    yield "shell-bf16", Try("bash train.sh True", {**trainer, "train.sh": text})
    yield "shell-bf16-default", Try("bash train.sh", {**trainer, "train.sh": text})
    yield "shell-bf16-more", Try("bash train.sh False --gradient_checkpointing True", {**trainer, "train.sh": text})
    text = "#!/bin/bash\ntrl sft --config $1 --accelerate_config ${2:-ao.yaml}\n"
    recipe = {**files, "recipe.yaml": {**SFT, "bf16": False}}
    yield "shell-trl", Try("bash sft.sh recipe.yaml", {**recipe, "sft.sh": text})
    yield "shell-trl-two", Try("bash sft.sh recipe.yaml bf16.yaml", {**recipe, "sft.sh": text})
    yield "shell-trl-old", Try("bash sft.sh recipe.yaml te.yaml", {**recipe, "sft.sh": text}, OLD)
    one = factory(FACTORY_4, fp8=True)
    text = "#!/bin/bash\nllamafactory-cli train ${1:-lf.yaml} ${@:2}\n"
    yield "shell-lf", one._replace(command="bash train.sh lf.yaml bf16=true", files={**one.files, "train.sh": text})
    yield (
        "shell-lf-flag",
        one._replace(command="bash train.sh lf.yaml fp8=false", files={**one.files, "train.sh": text}),
    )


def _typed() -> Iterator[tuple[str, Try]]:
    """Flags as people type them."""
    files = {"te.yaml": TE, "ao.yaml": AO, "train.py": PLAIN}
    trainer = {**files, "train.py": programs.FLAGS}
    base = "--output_dir out --max_steps 1 --report_to none --per_device_train_batch_size 4"
    launch = f"accelerate launch --config_file te.yaml train.py {base}"
    for name, words in (
        ("bf16-alone", "--bf16"),
        ("no-bf16", "--no_bf16"),
        ("bf16-eq", "--bf16=false"),
        ("tf32-off", "--tf32 False"),
        ("eval", "--do_train True --eval_strategy no"),
        ("unknown", "--use_flash_attn True"),
    ):
        yield f"typed-hf-{name}", Try(f"{launch} {words}", trainer)
    yield "typed-launch-typo", Try("accelerate launch --config te.yaml train.py", files)
    yield "typed-launch-mp-eq", Try("accelerate launch --mixed-precision=fp8 train.py", files)
    yield "typed-python-launch", Try("python -m accelerate.commands.launch --config_file ao.yaml train.py", files)
    recipe = {**files, "r.yaml": SFT}
    yield "typed-trl-attn", Try("trl sft --config r.yaml --attn_implementation flash_attention_2", recipe)
    yield "typed-trl-liger-flag", Try("trl sft --config r.yaml --use_liger_kernel", recipe)


def _values() -> Iterator[tuple[str, Try]]:
    """Values that the training arguments do not take: on the command line, in files, in a script."""
    files = {"te.yaml": TE, "ao.yaml": AO, "train.py": programs.FLAGS}
    base = "--output_dir out --report_to none --per_device_train_batch_size 4"
    for name, words in (
        ("optim", "--max_steps 1 --optim adamw_8bits"),
        ("scheduler", "--max_steps 1 --lr_scheduler_type cosin"),
        ("save", "--max_steps 1 --save_strategy=never"),
        ("eval", "--max_steps 1 --eval_strategy sometimes"),
        ("steps", "--max_steps one"),
        ("rate", "--max_steps 1 --learning_rate fast"),
        ("whole", "--max_steps 1 --save_total_limit 4.2"),
        ("switch", "--max_steps 1 --bf16 maybe"),
        ("switch-1", "--max_steps 1 --bf16 1"),
        ("epochs", "--max_steps 1 --num_train_epochs 2.5"),
    ):
        yield f"value-hf-{name}", Try(f"accelerate launch --config_file te.yaml train.py {base} {words}", files)
    recipe = {"te.yaml": TE, "ao.yaml": AO}
    for name, entries in (
        ("save-no", {"save_strategy": False}),
        ("eval-no", {"eval_strategy": False}),
        ("optim", {"optim": "adamw_torch_fuse"}),
        ("scheduler", {"lr_scheduler_type": "Cosine"}),
    ):
        mine = {**recipe, "r.yaml": {**SFT, **entries}}
        yield f"value-trl-{name}", Try("trl sft --config r.yaml --accelerate_config ao.yaml", mine)
    for name, stack in (("lf4", FACTORY_4), ("lf5", FACTORY_5)):
        for what, entries in (
            ("save-no", {"save_strategy": False}),
            ("optim", {"optim": "adamw_torch_8bits"}),
            ("scheduler", {"lr_scheduler_type": "cosine_decay"}),
        ):
            yield f"value-{name}-{what}", factory(stack, **entries)
    for name, keywords in (("optim", "optim='adam'"), ("save", "save_strategy='never'"), ("good", "optim='sgd'")):
        script = first_tries.TRAINER.format(keywords=keywords)
        yield f"value-script-{name}", Try("python train.py", {**recipe, "train.py": script})


def everything() -> Iterator[tuple[str, Try]]:
    """All of them, each with what it is called."""
    kinds = (
        _files_of_parsers(),
        _lengths(),
        _missing_packages(),
        _compiling(),
        _deepspeed_of_factories(),
        _shells(),
        _typed(),
        _values(),
    )
    for made in kinds:
        yield from made


_OPEN: Mapping[str, str] = {}


def undecided(name: str) -> str | None:
    """Why a case has to be left open; None where it is decided."""
    return _OPEN.get(name)
