"""What the sixth and the seventh tries put together, dealt once more; adapters, and scripts that have grown.

Each was executed once and compared before anything was changed for it (docs/evidence/commands.md).
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from tests.tools.conformance.commands import seventh_tries, sixth_tries
from tests.tools.conformance.commands.second_tries import FACTORY_3, FACTORY_4, FACTORY_5, NEW, OLD, Try, config
from tests.tools.conformance.commands.third_tries import SFT, axolotl, factory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KIND = "eighth tries"
COUNTS = {
    "own": 25,
    "trainer": 30,
    "trl": 25,
    "factory": 25,
    "axolotl": 15,
    "loop": 20,
    "parser": 20,
    "sft": 20,
    "stage": 20,
    "method": 20,
    "adapters": 45,
    "grown": 55,
}
# Executed, and not recorded: what ends these is in none of their files.
LEFT_OUT: Mapping[str, str] = {
    "axolotl-12": "no row of the data set is as short as its sequences",
    "parser-10": "tf32, for which transformers asks the GPU itself",
    "parser-09": "weights that FSDP1 finds on two devices, which a GPU alone shows",
    "sft-09": "two GPUs in one process, which GPUs alone show: docs/evidence/tries-h200.jsonl",
    "stage-10": "mergekit, which that release of TRL imports beside transformers 5",
    "stage-13": "two machines of which the second one never comes",
    "trainer-24": "a run that does not come to an end on a CPU",
    "asked-axolotl-qlora-load_in_4bit": "kernels of four bits that there are for a GPU alone",
    "asked-after-12-38": "what is set is no argument: the run ends before it is seen what comes of it",
}
_PRECISION = "TrainingArguments.mixed_precision, which is no argument, set once they are made"
_OPEN: Mapping[str, str] = {
    **dict.fromkeys(
        ("grown-00", "grown-07", "grown-19", "grown-21", "grown-51"),
        "arguments that are made in a try, and in another way where that fails",
    ),
    **dict.fromkeys(("grown-05", "grown-30", "grown-31", "grown-36", "grown-38"), "what the shell has in BF16"),
    **dict.fromkeys(
        ("trainer-06", "trainer-08", "trainer-18"),
        "a file behind -m: Python runs it while it looks for a module of that name",
    ),
    **dict.fromkeys(("asked-after-12-10", "asked-after-12-10-old", "asked-after-12-38-old"), _PRECISION),
    **dict.fromkeys(
        (f"asked-after-13-{way}{at}" for way in (10, 38) for at in ("", "-old")),
        "what is set under a condition once the arguments are made",
    ),
}


def everything() -> Iterator[tuple[str, Try]]:
    """The names of the cases, and what makes them, but those that are not recorded."""
    return ((name, one) for name, one in dealt() if name not in LEFT_OUT)


def dealt() -> Iterator[tuple[str, Try]]:
    """All of them: the same for the same number."""
    yield from sixth_tries.by_chance("eighth", {"": COUNTS}, MAKERS)
    yield from _asked()


def undecided(name: str) -> str | None:
    """Why a case has to be left open; None where it is decided."""
    return _OPEN.get(name)


_RECIPES = (
    {"backend": "TE", "fp8_format": "HYBRID"},
    {"backend": "AO", "enable_fsdp_float8_all_gather": False},
    {"backend": "AO"},
)


def _accelerate(chance: Random) -> dict[str, Any]:
    return config(mixed_precision=chance.choice(("fp8", "fp8", "fp8", "bf16")), fp8_config=chance.choice(_RECIPES))


# --- adapters ------------------------------------------------------------------------------------------------------

_TARGETS: tuple[Any, ...] = (
    *("all-linear", "q_proj,v_proj", "q_proj v_proj", "q_proj", ".*proj", ".*(q|v)_proj", "q-proj", "lm_head", "model"),
    *(["q_proj", "v_proj"], ["q_proj"], ["all-linear"], ["q_proj,v_proj"], ["nothing_proj"], ["q_proj", "nothing"]),
    *(["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], [], None, ["lm_head"], ["down"]),
)
_OF_PEFT: tuple[dict[str, Any], ...] = (
    *({"lora_r": 8}, {"lora_r": 16}, {"lora_r": 12}, {"lora_alpha": 32}, {"lora_dropout": 0.05}, {"lora_r": 0}),
    *({"lora_task_type": "CAUSAL_LM"}, {"lora_task_type": "SEQ_CLS"}, {"lora_task_type": "causal_lm"}),
    *({"lora_modules_to_save": ["lm_head"]}, {"lora_modules_to_save": ["embed_tokens"]}, {"use_rslora": True}),
    *({"use_dora": True}, {"bf16": False}, {"bf16": False}, {"gradient_checkpointing": False}, {"dtype": "bfloat16"}),
    *({"max_length": 32}, {"packing": True}, {"per_device_train_batch_size": 3}, {"bf16": ...}),
)
_OF_FACTORY: tuple[dict[str, Any], ...] = (
    *({"lora_target": "all"}, {"lora_target": "q_proj,v_proj"}, {"lora_target": "q_proj"}, {"lora_target": "nothing"}),
    *({"lora_rank": 8}, {"lora_rank": 16}, {"lora_alpha": 32}, {"use_dora": True}, {"use_rslora": True}),
    *({"additional_target": "lm_head"}, {"lora_target": ["q_proj", "v_proj"]}, {"loraplus_lr_ratio": 16.0}),
    *({"bf16": False}, {"pure_bf16": True, "bf16": ...}, {"fp8": True}, {"disable_gradient_checkpointing": True}),
    *({"finetuning_type": "oft"}, {"pissa_init": True}, {"create_new_adapter": True}, {"upcast_lmhead_output": True}),
)
_OF_AXOLOTL: tuple[dict[str, Any], ...] = (
    *({"lora_target_linear": True}, {"lora_target_modules": ["q_proj", "v_proj"]}, {"lora_target_modules": "q_proj"}),
    *({"lora_target_modules": ["nothing"]}, {"lora_r": 16}, {"lora_alpha": 32}, {"peft_use_dora": True}),
    *({"lora_modules_to_save": ["lm_head"]}, {"fp8": True}, {"bf16": False}, {"gradient_checkpointing": True}),
    *({"lora_mlp_kernel": False}, {"lora_dropout": 0.05}, {"sequence_len": 33}, {"merge_lora": False}),
)


def _picked(chance: Random, parts: tuple[dict[str, Any], ...], most: int) -> dict[str, Any]:
    return {key: value for part in chance.sample(parts, chance.randint(1, most)) for key, value in part.items()}


def _flag(name: str, value: Any) -> str:
    text = " ".join(value) if isinstance(value, list) else str(value)
    return f"--{name} '{text}'" if any(one in text for one in "*()|") else f"--{name} {text}"


def _adapters(chance: Random) -> Try:
    how = chance.choice(("trl", "trl", "trl", "flags", "flags", "factory", "factory", "axolotl"))
    if how == "factory":
        release = chance.choice((FACTORY_3, FACTORY_4, FACTORY_5))
        start = chance.choice(
            (
                "llamafactory-cli train lf.yaml",
                "accelerate launch --config_file a.yaml -m llamafactory.launcher lf.yaml",
            )
        )
        made = factory(release, start, **{"finetuning_type": "lora", **_picked(chance, _OF_FACTORY, 3)})
        return made._replace(files={**made.files, "a.yaml": _accelerate(chance)})
    if how == "axolotl":
        made = axolotl("axolotl train ax.yaml", **{"adapter": "lora", "lora_r": 8, **_picked(chance, _OF_AXOLOTL, 3)})
        return made._replace(files={**made.files, "a.yaml": _accelerate(chance)})
    keys = {**SFT, "use_peft": True, **_picked(chance, _OF_PEFT, 3)}
    if chance.random() < 0.8:
        keys["lora_target_modules"] = chance.choice(_TARGETS)
    keys = {key: value for key, value in keys.items() if value is not ...}
    files: dict[str, Any] = {"a.yaml": _accelerate(chance)}
    if how == "flags":
        flags = " ".join(_flag(name, value) for name, value in keys.items() if value not in (None, []))
        command = f"trl sft {flags}"
    else:
        files["r.yaml"] = keys
        command = "trl sft --config r.yaml"
    return Try(f"{command} --accelerate_config a.yaml", files, chance.choice((NEW, OLD)))


# --- scripts that have grown ---------------------------------------------------------------------------------------

_GROWN = """import argparse
import json
import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
import transformers
import yaml
from peft import LoraConfig, TaskType, get_peft_model
from transformers import AutoModelForCausalLM, DataCollatorWithPadding, Trainer, TrainerCallback, TrainingArguments

{top}

class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 16

    def __getitem__(self, index):
        ids = torch.arange(4, 20)
        return {{"input_ids": ids, "labels": ids}}


class Told(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        return control


class OwnTrainer(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        outputs = model(**inputs)
        return (outputs.loss, outputs) if return_outputs else outputs.loss


def build_model(name, dtype=None):
{built}

def build_args():
{arguments}

def main():
    args = build_args()
    model = build_model("model")
{between}    trainer = {trainer}(model=model, args=args, train_dataset=Rows(){more})
{last}

{started}
"""
_TOP = (
    *("", "", "", "PRECISION = 'bf16'\n", "USE_BF16 = True\n", "torch.backends.cuda.matmul.allow_tf32 = True\n"),
    "os.environ['WANDB_DISABLED'] = 'true'\n",
    "os.environ['ACCELERATE_MIXED_PRECISION'] = 'fp8'\n",
    "os.environ.setdefault('ACCELERATE_FP8_BACKEND', 'TE')\n",
    "transformers.set_seed(3)\n",
)
_BUILT = (
    *("return AutoModelForCausalLM.from_pretrained(name)",) * 3,
    "model = AutoModelForCausalLM.from_pretrained(name)\nmodel.config.use_cache = False\nreturn model",
    "return AutoModelForCausalLM.from_pretrained(name, torch_dtype=dtype or torch.float32)",
    "model = AutoModelForCausalLM.from_pretrained(name)\nconfig = LoraConfig(r=16, target_modules='all-linear', task_type=TaskType.CAUSAL_LM)\nreturn get_peft_model(model, config)",
    "model = AutoModelForCausalLM.from_pretrained(name, torch_dtype=torch.bfloat16)\nif True:\n    model.gradient_checkpointing_enable()\nreturn model",
    "kwargs = {'torch_dtype': 'auto'}\nreturn AutoModelForCausalLM.from_pretrained(name, **kwargs)",
)
_BASE = "output_dir='out', max_steps=1, report_to='none', save_strategy='no', per_device_train_batch_size=4"
_BUILT_ARGUMENTS = (
    f"return TrainingArguments({_BASE})",
    f"return TrainingArguments({_BASE}, bf16=True)",
    f"return TrainingArguments({_BASE}, bf16=False)",
    f"return TrainingArguments({_BASE}, bf16=torch.cuda.is_bf16_supported())",
    f"return TrainingArguments({_BASE}, bf16=os.environ.get('BF16') == '1')",
    f"options = dict({_BASE})\nreturn TrainingArguments(**options)",
    f"options = dict({_BASE})\noptions['bf16'] = True\nreturn TrainingArguments(**options)",
    f"options = dict({_BASE}, bf16=True)\noptions.pop('bf16')\nreturn TrainingArguments(**options)",
    f"options = dict({_BASE})\noptions.update(bf16=True, gradient_checkpointing=True)\nreturn TrainingArguments(**options)",
    "return TrainingArguments(**json.loads(Path('args.json').read_text()))",
    "with open('args.json') as file:\n    options = json.load(file)\nreturn TrainingArguments(**options)",
    "with open('args.yaml') as file:\n    options = yaml.safe_load(file)\nreturn TrainingArguments(**options)",
    f"args = TrainingArguments({_BASE})\nargs.bf16 = True\nreturn args",
    f"args = TrainingArguments({_BASE}, bf16=True)\nargs.bf16 = False\nreturn args",
    f"args = TrainingArguments({_BASE})\nargs.gradient_checkpointing = True\nreturn args",
    f"args = TrainingArguments({_BASE}).set_dataloader(train_batch_size=4)\nreturn args",
    f"parser = argparse.ArgumentParser()\nparser.add_argument('--bf16', action='store_true')\ngiven = parser.parse_args()\nreturn TrainingArguments({_BASE}, bf16=given.bf16)",
    f"parser = argparse.ArgumentParser()\nparser.add_argument('--no-bf16', dest='bf16', action='store_false')\ngiven = parser.parse_args()\nreturn TrainingArguments({_BASE}, bf16=given.bf16)",
    f"parser = argparse.ArgumentParser()\nparser.add_argument('--precision', default='fp8')\ngiven, _ = parser.parse_known_args()\nreturn TrainingArguments({_BASE}, bf16=given.precision == 'bf16', fp16=given.precision == 'fp16')",
    "make = partial(TrainingArguments, output_dir='out', max_steps=1, report_to='none', save_strategy='no')\nreturn make(per_device_train_batch_size=4, bf16=True)",
    f"return TrainingArguments(\n    {_BASE},\n    bf16=True if 'BF16' in os.environ else False,\n)",
    f"return TrainingArguments({_BASE}, gradient_checkpointing=True, gradient_checkpointing_kwargs=dict(use_reentrant=False))",
    f"try:\n    return TrainingArguments({_BASE}, bf16=False)\nexcept ValueError:\n    return TrainingArguments({_BASE}, bf16=True)",
    f"@dataclass\nclass Options:\n    bf16: bool = False\n    rate: float = field(default=1e-3)\noptions = Options()\nreturn TrainingArguments({_BASE}, bf16=options.bf16, learning_rate=options.rate)",
)
_BETWEEN = (
    *(
        "",
        "",
        "",
        "",
        "model.train()\n",
        "model.print_trainable_parameters() if hasattr(model, 'peft_config') else None\n",
    ),
    "model.gradient_checkpointing_enable()\n",
    "model = torch.compile(model, backend='eager')\n",
    "model.to(torch.bfloat16)\n",
    "model = model.bfloat16()\n",
    "model.half()\n",
    "for name, parameter in model.named_parameters():\n    parameter.requires_grad = 'lm_head' in name\n",
    "model.enable_input_require_grads()\n",
)
_MORE = ("", "", "", ", callbacks=[Told()]", ", data_collator=None", ", eval_dataset=Rows()", ", compute_metrics=None")
_LAST = (
    *("trainer.train()",) * 5,
    "trainer.train(resume_from_checkpoint=None)\ntrainer.save_state()",
    "result = trainer.train()\nprint(result.metrics)",
    "if args.do_train or True:\n    trainer.train()",
    "trainer.evaluate(Rows())\ntrainer.train()",
    "for _ in range(1):\n    trainer.train()",
)
_STARTED = ("if __name__ == '__main__':\n    main()",) * 5 + (
    "main()",
    "if __name__ == '__main__':\n    import sys\n    sys.exit(main())",
)


def body_of(text: str) -> str:
    """Statements as the body of a function."""
    return "".join(f"    {line}\n" for line in text.splitlines())


def _grown(chance: Random) -> Try:
    arguments = chance.choice(_BUILT_ARGUMENTS)
    text = _GROWN.format(
        top=chance.choice(_TOP),
        built=body_of(chance.choice(_BUILT)),
        arguments=body_of(arguments),
        between=body_of(chance.choice(_BETWEEN)),
        trainer=chance.choice(("Trainer", "Trainer", "Trainer", "OwnTrainer", "transformers.Trainer")),
        more=chance.choice(_MORE),
        last=body_of(chance.choice(_LAST)),
        started=chance.choice(_STARTED),
    )
    given = ""
    if "'--bf16'" in arguments:
        given = chance.choice(("", " --bf16"))
    elif "'--no-bf16'" in arguments:
        given = chance.choice(("", " --no-bf16"))
    elif "'--precision'" in arguments:
        given = chance.choice(("", " --precision bf16", " --precision=fp8 --other 3"))
    options = {"output_dir": "out", "max_steps": 1, "report_to": "none", "save_strategy": "no"}
    options |= {"per_device_train_batch_size": 4, **chance.choice(({}, {"bf16": True}, {"bf16": False}))}
    files = {"a.yaml": _accelerate(chance), "train.py": text, "args.json": options, "args.yaml": options}
    start = chance.choice(
        (
            *("accelerate launch --config_file a.yaml train.py",) * 6,
            *(
                "python train.py",
                "accelerate launch --mixed_precision fp8 train.py",
                "torchrun --nproc_per_node=1 train.py",
            ),
            *(
                "BF16=1 accelerate launch --config_file a.yaml train.py",
                "python -m accelerate.commands.launch train.py",
            ),
        )
    )
    return Try(start + given, files, chance.choice((NEW, NEW, OLD)))


# --- packages of optimizers, which no stack has; layers for adapters ------------------------------------------------

_OPTIMIZERS = (
    *("galore_adamw", "galore_adafactor_layerwise", "apollo_adamw", "lomo", "grokadamw", "schedule_free_adamw"),
    *("stable_adamw", "adamw_anyprecision", "adamw_apex_fused", "adamw_torch_4bit", "adamw_8bit"),
)
_SWITCHES = ("use_galore", "use_apollo", "use_badam", "use_adam_mini")
_FOR_ADAPTERS: tuple[Any, ...] = (
    "q_proj,v_proj",
    "q_proj v_proj",
    "q-proj",
    "2",
    "model",
    "lm_head",
    ["q_proj,v_proj"],
)


_AFTERWARD = (
    *("args.bf16 = True", "args.bf16 = False", "args.fp16 = True", "args.gradient_checkpointing = True"),
    *("args.per_device_train_batch_size = 3", "args.gradient_checkpointing = False", "args.torch_compile = True"),
    "args.gradient_checkpointing_kwargs = {'use_reentrant': False}",
    "setattr(args, 'gradient_checkpointing', True)",
    "args.optim = 'adamw_8bit'",
    "args = dataclasses.replace(args, gradient_checkpointing=True)",
    "args = dataclasses.replace(args, bf16=True)",
    "args.mixed_precision = 'fp8'",
    "if args.local_rank == 99:\n    args.gradient_checkpointing = True",
)
_ARGUED = """import dataclasses

import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 16

    def __getitem__(self, index):
        ids = torch.arange(4, 20)
        return {{"input_ids": ids, "labels": ids}}


args = TrainingArguments(
    output_dir="out", max_steps=1, report_to="none", save_strategy="no", per_device_train_batch_size=4, {keywords}
)
{after}
Trainer(model=AutoModelForCausalLM.from_pretrained("model"), args=args, train_dataset=Rows()).train()
"""

# Keys of one command of TRL, given to another.
_OF_OTHERS = (
    *(("sft", "beta", 0.1), ("sft", "num_generations", 4), ("sft", "shuffle_dataset", True), ("dpo", "packing", True)),
    *(("reward", "loss_type", "nll"), ("dpo", "padding_free", True), ("sft", "vllm_mode", "server")),
)
_MORE_KEYS: tuple[tuple[str, Any], ...] = (
    ("accelerator_config", {"mixed_precision": "fp8"}),
    ("gradient_accumulation_steps", 0),
    ("use_cpu", True),
)
_REFUSED: tuple[dict[str, Any], ...] = (
    {"use_dora": True},
    {"finetuning_type": "lora", "use_llama_pro": True, "lora_target": "nothing_proj"},
    {"use_llama_pro": True},
    {"stage": "dpo", "dataset": "dpo", "pref_loss": "orpo", "dpo_label_smoothing": 0.1},
    {"finetuning_type": "lora", "pissa_init": True, "stage": "kto", "dataset": "kto"},
    {"eval_strategy": "steps", "eval_steps": 1},
    {"do_eval": True},
    {"do_predict": True},
    {"neat_packing": True},
    {"val_size": 0.5, "eval_dataset": "sft"},
    {"streaming": True, "max_samples": 8},
    {"mask_history": True, "train_on_prompt": True},
    {"quantization_bit": 4},
    {"quantization_bit": 8, "finetuning_type": "lora"},
    {"adapter_name_or_path": "adapters"},
    {"stage": "rm", "dataset": "rm", "load_best_model_at_end": True},
    {"finetuning_type": "lora", "lora_target": "q_proj, nothing_proj", "lora_rank": 0},
)


def _asked() -> Iterator[tuple[str, Try]]:
    """What the others raised: each is answered by both stacks."""
    for stack, at in ((NEW, ""), (OLD, "-old")):
        for name in _OPTIMIZERS:
            files = {"a.yaml": config(), "r.yaml": {**SFT, "bf16": False, "optim": name}}
            yield f"asked-optim-{name}{at}", Try("trl sft --config r.yaml --accelerate_config a.yaml", files, stack)
        for number, targets in enumerate(_FOR_ADAPTERS):
            keys = {**SFT, "bf16": False, "use_peft": True, "lora_r": 16, "lora_target_modules": targets}
            files = {"a.yaml": config(fp8_config={"backend": "AO"}), "r.yaml": keys}
            yield f"asked-targets-{number}{at}", Try("trl sft --config r.yaml --accelerate_config a.yaml", files, stack)
        for name in ("load_in_4bit", "load_in_8bit"):
            files = {"a.yaml": config(mixed_precision="bf16"), "r.yaml": {**SFT, "use_peft": True, name: True}}
            yield f"asked-bits-{name}{at}", Try("trl sft --config r.yaml --accelerate_config a.yaml", files, stack)
        for method, key, value in _OF_OTHERS:
            data = {"sft": "data/sft", "dpo": "data/dpo", "reward": "data/reward"}[method]
            keys = {**SFT, "dataset_name": data, key: value}
            command = f"trl {method} --config r.yaml --accelerate_config a.yaml"
            yield f"asked-other-{method}-{key}{at}", Try(command, {"a.yaml": config(), "r.yaml": keys}, stack)
            plain = {**SFT, "dataset_name": data}
            command = f"{command} --{key} {value}"
            yield f"asked-other-{method}-{key}-flag{at}", Try(command, {"a.yaml": config(), "r.yaml": plain}, stack)
        for key, value in _MORE_KEYS:
            command = "trl sft --config r.yaml --accelerate_config a.yaml"
            yield f"asked-key-trl-{key}{at}", Try(command, {"a.yaml": config(), "r.yaml": {**SFT, key: value}}, stack)
            text = _ARGUED.format(keywords=f"{key}={value!r}", after="")
            files = {"a.yaml": config(), "train.py": text}
            yield f"asked-key-hf-{key}{at}", Try("accelerate launch --config_file a.yaml train.py", files, stack)
        for number, after in enumerate(_AFTERWARD):
            for keywords in ("bf16=False", "bf16=True, gradient_checkpointing=True"):
                text = _ARGUED.format(keywords=keywords, after=after)
                name = f"asked-after-{number}-{len(keywords)}{at}"
                files = {"a.yaml": config(fp8_config={"backend": "TE"}), "train.py": text}
                yield name, Try("accelerate launch --config_file a.yaml train.py", files, stack)
        for bits in (0, -1):
            keys = {**SFT, "use_peft": True, "lora_r": bits, "lora_target_modules": ["k_proj", "nothing"]}
            files = {"a.yaml": config(mixed_precision="bf16"), "r.yaml": keys}
            yield f"asked-rank-{bits}{at}", Try("trl sft --config r.yaml --accelerate_config a.yaml", files, stack)
    yield from _of_axolotl()
    yield from _of_factory()


def _of_axolotl() -> Iterator[tuple[str, Try]]:
    """The packages of quantized base models, and a rank of nothing."""
    for name, more in (("qlora", {"load_in_4bit": True}), ("lora", {"load_in_8bit": True}), ("lora", {"lora_r": 0})):
        keys = {"adapter": name, "lora_r": 8, "lora_alpha": 16, "lora_target_linear": True, **more}
        yield f"asked-axolotl-{'-'.join((name, *more))}", axolotl(**keys)


def _of_factory() -> Iterator[tuple[str, Try]]:
    """What LLaMA-Factory refuses together, and packages that it asks for."""
    for release, at in ((FACTORY_3, "3"), (FACTORY_4, "4"), (FACTORY_5, "5")):
        for name in _SWITCHES:
            yield f"asked-{name}-{at}", factory(release, **{name: True})
        for key, value in _MORE_KEYS:
            yield f"asked-key-lf-{key}-{at}", factory(release, **{key: value})
        yield f"asked-both-{at}", factory(release, use_badam=True, stage="pt", dataset="pt", neat_packing=True)
        for number, keys in enumerate(_REFUSED):
            yield f"asked-refused-{number}-{at}", factory(release, **keys)


MAKERS = {**sixth_tries.MAKERS, **seventh_tries.MAKERS, "adapters": _adapters, "grown": _grown}
