"""Cases in which a script of the user's own decides: objects given to Accelerator, command lines, and modes."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NEW, OLD, DEEPSPEED = "1.15-commands", "1.10-commands", "1.15-commands-deepspeed"
ONE, TWO = ["9.0"], ["9.0", "9.0"]

HEAD = """\
import os

import torch
from accelerate import Accelerator
from transformers import AutoModelForCausalLM
"""
LOOP = """\
model = AutoModelForCausalLM.from_pretrained("model")
model.train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
model, optimizer = accelerator.prepare(model, optimizer)
ids = torch.randint(4, 80, (4, 16), device=accelerator.device)
loss = model(input_ids=ids, labels=ids).loss
accelerator.backward(loss)
optimizer.step()
optimizer.zero_grad()
"""


class Scripted(NamedTuple):
    """A case before it is one: the script, the words behind the launcher, how it is started, and on what."""

    script: str
    command: str = "python train.py"
    gpus: list[str] = ONE
    stack: str = NEW
    files: Mapping[str, Any] = {}
    variables: Mapping[str, str] = {}
    undecided: str | None = None


def own(setup: str, made: str = "accelerator = Accelerator(mixed_precision='fp8')", loop: str = LOOP) -> str:
    """A script that makes its Accelerator behind a setup."""
    return f"{HEAD}{setup}\n{made}\n{loop}"


# --- objects that a script gives to Accelerator ------------------------------------------------------------------

_U = "from accelerate.utils import"
_TWO_RANKS = "torchrun --nproc_per_node 2 train.py"
_TE = "[TERecipeKwargs(fp8_format='E4M3', amax_history_len=16)]"
_FSDP2 = (
    "FullyShardedDataParallelPlugin(fsdp_version=2, auto_wrap_policy='transformer_based_wrap', "
    "transformer_cls_names_to_wrap=['LlamaDecoderLayer'], cpu_ram_efficient_loading=False)"
)
_FSDP1 = (
    "FullyShardedDataParallelPlugin(auto_wrap_policy='transformer_based_wrap', "
    "transformer_cls_names_to_wrap=['LlamaDecoderLayer'], use_orig_params=True)"
)
_DS = "{'zero_optimization': {'stage': 2}, 'train_micro_batch_size_per_gpu': 4}"
_DS_BF16 = "{'zero_optimization': {'stage': 1}, 'train_micro_batch_size_per_gpu': 4, 'bf16': {'enabled': True}}"


def _objects() -> Iterator[tuple[str, Scripted]]:
    f, d, p = (
        f"{_U} FullyShardedDataParallelPlugin",
        f"{_U} DeepSpeedPlugin",
        "from accelerate import ParallelismConfig",
    )
    fp8 = "accelerator = Accelerator(mixed_precision='fp8', {})"
    yield "fsdp-one-process", Scripted(own(f, fp8.format(f"fsdp_plugin={_FSDP2}")))
    yield "fsdp2-two", Scripted(own(f, fp8.format(f"fsdp_plugin={_FSDP2}")), _TWO_RANKS, TWO)
    yield "fsdp2-variable", Scripted(own(f"{f}\nplugin = {_FSDP2}", fp8.format("fsdp_plugin=plugin")), _TWO_RANKS, TWO)
    yield (
        "fsdp1-two-te",
        Scripted(
            own(f"{f}, TERecipeKwargs", fp8.format(f"fsdp_plugin={_FSDP1}, kwargs_handlers={_TE}")), _TWO_RANKS, TWO
        ),
    )
    yield (
        "fsdp2-bf16",
        Scripted(own(f, f"accelerator = Accelerator(mixed_precision='bf16', fsdp_plugin={_FSDP2})"), _TWO_RANKS, TWO),
    )
    yield (
        "fsdp2-te",
        Scripted(
            own(f"{f}, TERecipeKwargs", fp8.format(f"fsdp_plugin={_FSDP2}, kwargs_handlers={_TE}")), _TWO_RANKS, TWO
        ),
    )
    ram = _FSDP2.replace("loading=False", "loading=True")
    yield "fsdp2-ram", Scripted(own(f, fp8.format(f"fsdp_plugin={ram}")), _TWO_RANKS, TWO)
    yield (
        "fsdp2-ram-te",
        Scripted(own(f"{f}, TERecipeKwargs", fp8.format(f"fsdp_plugin={ram}, kwargs_handlers={_TE}")), _TWO_RANKS, TWO),
    )
    yield "fsdp2-old", Scripted(own(f, fp8.format(f"fsdp_plugin={_FSDP2}")), _TWO_RANKS, TWO, OLD)
    yield (
        "fsdp2-launched",
        Scripted(
            own(f, f"accelerator = Accelerator(fsdp_plugin={_FSDP2})"),
            "accelerate launch --multi_gpu --num_processes 2 --mixed_precision fp8 --fp8_backend te train.py",
            TWO,
        ),
    )
    yield "fsdp-not-an-object", Scripted(own("", fp8.format("fsdp_plugin={'fsdp_version': 2}")))
    yield "fsdp-none", Scripted(own("", fp8.format("fsdp_plugin=None")))
    for key, config, stack in (("-mpi", _DS, DEEPSPEED), ("-mpi-bf16", _DS_BF16, DEEPSPEED), ("-absent", _DS, NEW)):
        yield (
            f"deepspeed{key}",
            Scripted(own(d, fp8.format(f"deepspeed_plugin=DeepSpeedPlugin(hf_ds_config={config})")), stack=stack),
        )
    yield (
        "deepspeed-stage",
        Scripted(own(d, fp8.format("deepspeed_plugin=DeepSpeedPlugin(zero_stage=2)")), stack=DEEPSPEED),
    )
    yield (
        "deepspeed-mpi-te",
        Scripted(
            own(
                f"{d}, TERecipeKwargs\nplugin = DeepSpeedPlugin(hf_ds_config={_DS})",
                fp8.format(f"deepspeed_plugin=plugin, kwargs_handlers={_TE}"),
            ),
            stack=DEEPSPEED,
        ),
    )
    yield (
        "deepspeed-mpi-dict",
        Scripted(
            own(
                f"{d}\nplugins = {{'first': DeepSpeedPlugin(hf_ds_config={_DS}), "
                f"'second': DeepSpeedPlugin(hf_ds_config={_DS_BF16})}}",
                "accelerator = Accelerator(mixed_precision='bf16', deepspeed_plugins=plugins)",
            ),
            stack=DEEPSPEED,
        ),
    )
    yield (
        "deepspeed-both",
        Scripted(
            own(
                f"{d}\none = DeepSpeedPlugin(hf_ds_config={_DS})",
                fp8.format("deepspeed_plugin=one, deepspeed_plugins={'a': one}"),
            ),
            stack=DEEPSPEED,
        ),
    )
    yield (
        "deepspeed-mpi-launched",
        Scripted(
            own(d, f"accelerator = Accelerator(deepspeed_plugin=DeepSpeedPlugin(hf_ds_config={_DS}))"),
            "accelerate launch --mixed_precision fp8 train.py",
            stack=DEEPSPEED,
        ),
    )
    yield "parallel-one", Scripted(own(p, fp8.format("parallelism_config=ParallelismConfig()")))
    yield "parallel-tp2", Scripted(own(p, fp8.format("parallelism_config=ParallelismConfig(tp_size=2)")))
    yield (
        "parallel-dp2",
        Scripted(own(p, fp8.format("parallelism_config=ParallelismConfig(dp_replicate_size=2)")), _TWO_RANKS, TWO),
    )
    yield (
        "parallel-shard2-fsdp2",
        Scripted(
            own(
                f"{p}\n{f}",
                fp8.format(f"parallelism_config=ParallelismConfig(dp_shard_size=2), fsdp_plugin={_FSDP2}"),
            ),
            _TWO_RANKS,
            TWO,
        ),
    )
    yield (
        "parallel-too-many",
        Scripted(own(p, fp8.format("parallelism_config=ParallelismConfig(dp_replicate_size=4)")), _TWO_RANKS, TWO),
    )
    yield (
        "parallel-cp-without-fsdp",
        Scripted(own(p, fp8.format("parallelism_config=ParallelismConfig(cp_size=2)")), _TWO_RANKS, TWO),
    )
    yield (
        "tp-plugin",
        Scripted(
            own(f"{_U} TorchTensorParallelPlugin", fp8.format("torch_tp_plugin=TorchTensorParallelPlugin(tp_size=2)"))
        ),
    )


# --- handlers, precision and variables, by the ways of Python ------------------------------------------------------

_ARGPARSE = """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--fp8", action="store_true")
parser.add_argument("--backend", default="te", choices=["te", "ao"])
parser.add_argument("--mixed_precision", default=None)
args = parser.parse_args()
"""
_KW = f"{_U} AORecipeKwargs, FP8RecipeKwargs, TERecipeKwargs"


def _ways() -> Iterator[tuple[str, Scripted]]:
    appended = (
        f"{_KW}\n{_ARGPARSE}handlers = []\nif args.fp8:\n    handlers.append(TERecipeKwargs(fp8_format='E4M3'))",
        "accelerator = Accelerator(mixed_precision='fp8' if args.fp8 else 'bf16', kwargs_handlers=handlers)",
    )
    for key, words in {"on": " --fp8", "off": ""}.items():
        yield f"appended-{key}", Scripted(own(*appended), f"python train.py{words}")
    chosen = (
        (
            f"{_KW}\n{_ARGPARSE}if args.backend == 'te':\n    handler = TERecipeKwargs(amax_history_len=32)\n"
            "elif args.backend == 'ao':\n    handler = AORecipeKwargs()"
        ),
        "accelerator = Accelerator(mixed_precision='fp8', kwargs_handlers=[handler])",
    )
    for key, words in {"te": "", "ao": " --backend ao"}.items():
        yield f"chosen-{key}", Scripted(own(*chosen), f"python train.py{words}")
    helper = (
        f"{_KW}\n\n\ndef make(precision='fp8'):\n    handlers = [FP8RecipeKwargs(backend='te')]\n"
        "    return Accelerator(mixed_precision=precision, kwargs_handlers=handlers)\n\n"
    )
    yield "helper", Scripted(own(helper, "accelerator = make()"))
    yield "helper-argument", Scripted(own(helper, "accelerator = make('fp8')"))
    yield "helper-wrong", Scripted(own(helper, "accelerator = make(precision='bf16')"))
    yield (
        "helper-returns-handlers",
        Scripted(
            own(
                f"{_KW}\n\n\ndef handlers(fp8):\n    if not fp8:\n        return None\n    return [AORecipeKwargs()]\n\n",
                "accelerator = Accelerator(mixed_precision='fp8', kwargs_handlers=handlers(True))",
            )
        ),
    )
    classy = (
        f"{_KW}\n\n\nclass Config:\n    precision = 'fp8'\n    handlers = {_TE}\n\n\nclass Job:\n    config = Config\n\n"
        "    def __init__(self):\n        self.accelerator = Accelerator(mixed_precision=self.config.precision, "
        "kwargs_handlers=self.config.handlers)\n\n"
    )
    yield "class-attribute", Scripted(own(classy, "accelerator = Job().accelerator"))
    yield (
        "class-attribute-direct",
        Scripted(
            own(
                f"{_KW}\n\n\nclass Config:\n    precision = 'fp8'\n    handlers = {_TE}\n\n",
                "accelerator = Accelerator(mixed_precision=Config.precision, kwargs_handlers=Config.handlers)",
            )
        ),
    )
    yield (
        "dataclass-config",
        Scripted(
            own(
                "from dataclasses import dataclass\n\n\n@dataclass\nclass Config:\n    precision: str = 'bf16'\n    history: int = 16\n\n\n"
                f"{_KW}\nconfig = Config(precision='fp8')",
                "accelerator = Accelerator(mixed_precision=config.precision, "
                "kwargs_handlers=[TERecipeKwargs(amax_history_len=config.history)])",
            )
        ),
    )
    yield (
        "dict-config",
        Scripted(
            own(
                f"{_KW}\nCONFIG = {{'precision': 'fp8', 'te': {{'fp8_format': 'E4M3', 'margin': 0}}}}",
                "accelerator = Accelerator(mixed_precision=CONFIG['precision'], "
                "kwargs_handlers=[TERecipeKwargs(**CONFIG['te'])])",
            )
        ),
    )
    yield (
        "spread",
        Scripted(
            own(
                f"{_KW}\noptions = dict(mixed_precision='fp8')\noptions['kwargs_handlers'] = [AORecipeKwargs()]",
                "accelerator = Accelerator(**options)",
            )
        ),
    )
    branches = (
        f"{_KW}\n{_ARGPARSE}",
        (
            "if args.fp8:\n    accelerator = Accelerator(mixed_precision='fp8', kwargs_handlers=[AORecipeKwargs()])\n"
            "else:\n    accelerator = Accelerator(mixed_precision=args.mixed_precision)"
        ),
    )
    for key, words in {"fp8": " --fp8", "bf16": " --mixed_precision bf16", "plain": ""}.items():
        yield f"two-accelerators-{key}", Scripted(own(*branches), f"python train.py{words}")
    yield (
        "two-accelerators-launched",
        Scripted(own(*branches), "accelerate launch --mixed_precision fp8 --fp8_backend te train.py"),
    )
    mapping = (
        f"{_ARGPARSE}PRECISIONS = {{'16': 'fp16', 'bf16': 'bf16', '8': 'fp8'}}",
        "accelerator = Accelerator(mixed_precision=PRECISIONS.get(args.mixed_precision, 'no'))",
    )
    for key in ("8", "bf16", "32"):
        yield f"mapping-{key}", Scripted(own(*mapping), f"python train.py --mixed_precision {key}")
    yield (
        "match",
        Scripted(
            own(
                f"{_ARGPARSE}match args.backend:\n    case 'te':\n        precision = 'fp8'\n    case _:\n        precision = 'bf16'",
                "accelerator = Accelerator(mixed_precision=precision)",
            )
        ),
    )
    yield (
        "two-handlers",
        Scripted(
            own(
                _KW,
                "accelerator = Accelerator(mixed_precision='fp8', kwargs_handlers=[AORecipeKwargs(), TERecipeKwargs()])",
            )
        ),
    )
    yield (
        "same-handler-twice",
        Scripted(
            own(
                _KW,
                "accelerator = Accelerator(mixed_precision='fp8', kwargs_handlers=[TERecipeKwargs(), TERecipeKwargs()])",
            )
        ),
    )
    yield "handler-alone", Scripted(own(_KW, f"accelerator = Accelerator(kwargs_handlers={_TE})"))
    yield "handler-upper", Scripted(own("", "accelerator = Accelerator(mixed_precision='FP8')"))
    yield (
        "main-function",
        Scripted(
            f"{HEAD}{_KW}\n\nPRECISION = 'fp8'\n\n\ndef main():\n    accelerator = Accelerator(mixed_precision=PRECISION)\n"
            + "".join(f"    {line}\n" for line in LOOP.splitlines())
            + "\n\nif __name__ == '__main__':\n    main()\n"
        ),
    )
    env = "ACCELERATE_MIXED_PRECISION"
    plain = "accelerator = Accelerator()"
    sets = {
        "environ": f"os.environ['{env}'] = 'fp8'",
        "setdefault": f"os.environ.setdefault('{env}', 'fp8')",
        "putenv": f"os.putenv('{env}', 'fp8')",
        "update": f"os.environ.update({{'{env}': 'fp8', 'ACCELERATE_FP8_BACKEND': 'TE'}})",
        "update-keywords": f"os.environ.update({env}='fp8', ACCELERATE_FP8_BACKEND='TE')",
        "or": f"os.environ |= {{'{env}': 'fp8'}}",
        "pop": f"os.environ.pop('{env}', None)",
        "del": f"os.environ['{env}'] = 'fp8'\ndel os.environ['{env}']",
        "name": f"NAME = '{env}'\nos.environ[NAME] = 'fp8'",
        "loop": f"for name, value in {{'{env}': 'fp8', 'ACCELERATE_FP8_BACKEND': 'AO'}}.items():\n    os.environ[name] = value",
        "function": f"def setup():\n    os.environ['{env}'] = 'fp8'\n    os.environ['ACCELERATE_FP8_FORMAT'] = 'E4M3'\n    os.environ['ACCELERATE_FP8_BACKEND'] = 'TE'\n\n\nsetup()",
        "condition": f"if '{env}' not in os.environ:\n    os.environ['{env}'] = 'fp8'",
        "backend": f"os.environ['{env}'] = 'fp8'\nos.environ['ACCELERATE_FP8_BACKEND'] = 'te'",
        "getenv": f"os.environ['{env}'] = os.getenv('PRECISION', 'fp8')",
        "dotenv": "from dotenv import load_dotenv\n\nload_dotenv()",
        "dotenv-over": "from dotenv import load_dotenv\n\nload_dotenv(override=True)",
    }
    dotenv = {".env": f"{env}=fp8\nACCELERATE_FP8_BACKEND=TE\n"}
    for key, setup in sets.items():
        files = dotenv if "dotenv" in key else {}
        yield f"env-{key}", Scripted(own(setup, plain), files=files)
        if key in ("environ", "setdefault", "putenv", "pop", "condition", "dotenv", "dotenv-over"):
            yield f"env-{key}-set", Scripted(own(setup, plain), f"{env}=bf16 python train.py", files=files)
    yield "env-late", Scripted(own("", f"accelerator = Accelerator()\nos.environ['{env}'] = 'fp8'"))
    yield (
        "env-launched",
        Scripted(
            own("os.environ['ACCELERATE_FP8_BACKEND'] = 'AO'", plain),
            "accelerate launch --mixed_precision fp8 --fp8_backend te train.py",
        ),
    )
    yield (
        "env-read",
        Scripted(
            own("", "accelerator = Accelerator(mixed_precision=os.environ.get('PRECISION', 'no'))"),
            "PRECISION=fp8 python train.py",
        ),
    )


# --- command lines ---------------------------------------------------------------------------------------------------

ROWS = """\
import sys

import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        ids = torch.arange(4, 20)
        return {"input_ids": ids, "labels": ids}


def train(args):
    model = AutoModelForCausalLM.from_pretrained("model")
    Trainer(model=model, args=args, train_dataset=Rows()).train()


"""
_MADE = (
    'TrainingArguments(output_dir="out", max_steps=1, per_device_train_batch_size=4, report_to="none", '
    'save_strategy="no", {})'
)
_FED = _MADE.format("bf16=bf16, fp16=fp16, gradient_checkpointing=checkpointing")
_ARGS = _MADE.format("bf16=args.bf16, fp16=args.fp16, gradient_checkpointing=args.checkpointing")
_SIGNED = "bf16: bool = False, fp16: bool = False, checkpointing: bool = False"
_MAINS: dict[str, str] = {
    "fire": f"import fire\n\n\ndef main({_SIGNED}):\n    train({_FED})\n\n\nif __name__ == '__main__':\n    fire.Fire(main)\n",
    "fire-plain": f"from fire import Fire\n\n\ndef main({_SIGNED}):\n    train({_FED})\n\n\nFire()\n",
    "fire-class": f"import fire\n\n\nclass Job:\n    def __init__(self, {_SIGNED}):\n        self.args = {_FED}\n\n"
    "    def run(self):\n        train(self.args)\n\n\nfire.Fire(Job)\n",
    "typer": f"import typer\n\n\ndef main({_SIGNED}):\n    train({_FED})\n\n\nif __name__ == '__main__':\n    typer.run(main)\n",
    "typer-app": "import typer\n\napp = typer.Typer()\n\n\n@app.command()\ndef main(bf16: bool = typer.Option(True), "
    "fp16: bool = False, checkpointing: bool = typer.Option(False, '--checkpointing/--no-checkpointing')):\n"
    f"    train({_FED})\n\n\nif __name__ == '__main__':\n    app()\n",
    "typer-annotated": "import typer\nfrom typing import Annotated\n\n\ndef main(bf16: Annotated[bool, typer.Option('--bf16')] = False, "
    "fp16: Annotated[bool, typer.Option()] = False, checkpointing: bool = False):\n"
    f"    train({_FED})\n\n\nif __name__ == '__main__':\n    typer.run(main)\n",
    "click": "import click\n\n\n@click.command()\n@click.option('--bf16', is_flag=True)\n"
    "@click.option('--fp16/--no-fp16', default=False)\n@click.option('--checkpointing', type=bool, default=False)\n"
    f"def main(bf16, fp16, checkpointing):\n    train({_FED})\n\n\nif __name__ == '__main__':\n    main()\n",
    "click-defaults": "import click\n\n\n@click.command()\n@click.option('--bf16/--no-bf16', default=True)\n"
    "@click.option('--fp16', default=False)\n@click.option('-c', '--checkpointing', is_flag=True, default=False)\n"
    f"def main(bf16, fp16, checkpointing):\n    train({_FED})\n\n\nif __name__ == '__main__':\n    main()\n",
    "argparse": "import argparse\n\nparser = argparse.ArgumentParser()\nparser.add_argument('--bf16', action='store_true')\n"
    "parser.add_argument('--fp16', action='store_true')\nparser.add_argument('--checkpointing', action='store_true')\n"
    f"args = parser.parse_args()\ntrain({_ARGS})\n",
    "argparse-types": "import argparse\n\n\ndef yes(text):\n    return text.lower() in ('yes', 'true', '1')\n\n\n"
    "def main():\n    parser = argparse.ArgumentParser()\n    parser.add_argument('--bf16', type=yes, default=True)\n"
    "    parser.add_argument('--fp16', type=bool, default=False)\n"
    "    parser.add_argument('--checkpointing', action=argparse.BooleanOptionalAction, default=False)\n"
    f"    args, _ = parser.parse_known_args()\n    train({_ARGS})\n\n\nmain()\n",
    "argparse-lambda": "import argparse\n\nparser = argparse.ArgumentParser()\n"
    "parser.add_argument('--bf16', type=lambda text: text.lower() == 'true', default=False)\n"
    "parser.add_argument('--fp16', type=int, default=0)\nparser.add_argument('--checkpointing', default=False, action='store_true')\n"
    f"parser.set_defaults(bf16=True)\nargs = parser.parse_args()\ntrain({_ARGS.replace('args.fp16', 'bool(args.fp16)')})\n",
    "argparse-changed": "import argparse\n\nparser = argparse.ArgumentParser()\nparser.add_argument('--bf16', action='store_true')\n"
    "parser.add_argument('--fp16', action='store_true')\nparser.add_argument('--checkpointing', action='store_true')\n"
    f"args = parser.parse_args()\nif not args.fp16:\n    args.bf16 = True\ntrain({_ARGS})\n",
    "argparse-vars": "import argparse\n\nparser = argparse.ArgumentParser()\nparser.add_argument('--bf16', action='store_true')\n"
    "parser.add_argument('--fp16', action='store_true')\nparser.add_argument('--gradient_checkpointing', '--checkpointing', action='store_true')\n"
    f"args = parser.parse_args()\ntrain({_MADE.format('**vars(args)')})\n",
    "tyro": "from dataclasses import dataclass\n\nimport tyro\n\n\n@dataclass\nclass Args:\n    bf16: bool = False\n"
    f"    fp16: bool = False\n    checkpointing: bool = False\n\n\nargs = tyro.cli(Args)\ntrain({_ARGS})\n",
    "tyro-function": f"import tyro\n\n\ndef main({_SIGNED}):\n    train({_FED})\n\n\nif __name__ == '__main__':\n    tyro.cli(main)\n",
    "sys-argv": f"bf16, fp16, checkpointing = '--bf16' in sys.argv, '--fp16' in sys.argv, '--checkpointing' in sys.argv\ntrain({_FED})\n",
}
_WORDS: dict[str, tuple[str, ...]] = {
    "fire": (
        "",
        "--bf16",
        "--bf16=True",
        "--bf16 False --fp16",
        "--nobf16",
        "True",
        "--checkpointing=1",
        "--bf16=true",
    ),
    "fire-plain": ("main --bf16", "main True --checkpointing"),
    "fire-class": ("run --bf16", "--bf16=False run"),
    "typer": ("", "--bf16", "--no-bf16 --fp16", "--checkpointing", "--bf16 True"),
    "typer-app": ("", "--no-bf16", "--fp16 --no-bf16"),
    "typer-annotated": ("--bf16", "--no-fp16"),
    "click": ("", "--bf16", "--fp16", "--checkpointing true"),
    "click-defaults": ("", "--no-bf16 --fp16 true", "-c"),
    "argparse": ("", "--bf16", "--bf", "--checkpointing --bf16", "--bf16 True"),
    "argparse-types": ("", "--bf16 no", "--bf16 no --fp16 False", "--checkpointing --unknown 3", "--no-checkpointing"),
    "argparse-lambda": ("", "--bf16 false", "--bf16 FALSE --fp16 1"),
    "argparse-changed": ("", "--fp16"),
    "argparse-vars": ("", "--bf16", "--checkpointing"),
    "tyro": ("", "--bf16", "--no-bf16", "--bf16 True", "--checkpointing"),
    "tyro-function": ("", "--bf16"),
    "sys-argv": ("", "--bf16"),
}
_PARSED = (
    "from dataclasses import dataclass, field\n\nfrom transformers import HfArgumentParser\n\n\n@dataclass\nclass ModelArguments:\n"
    "    model_name_or_path: str = field(default='model')\n\n\n"
)
_GIVEN: dict[str, Any] = {
    "output_dir": "out",
    "max_steps": 1,
    "per_device_train_batch_size": 4,
    "report_to": "none",
    "save_strategy": "no",
}
_FLAGS = "--output_dir out --max_steps 1 --per_device_train_batch_size 4 --report_to none --save_strategy no"
_DERIVED = "@dataclass\nclass Mine(TrainingArguments):\n    bf16: bool = True\n    optim: str = 'adamw_torch'\n\n\n"


def _hf() -> Iterator[tuple[str, Scripted]]:
    both = "parser = HfArgumentParser((ModelArguments, TrainingArguments))\n"
    yaml = f"{both}_, args = parser.parse_yaml_file(sys.argv[1])\ntrain(args)\n"
    json = f"{both}_, args = parser.parse_json_file(json_file=sys.argv[1])\ntrain(args)\n"
    usual = (
        f"import os\n\n{both}if len(sys.argv) == 2 and sys.argv[1].endswith('.json'):\n"
        "    _, args = parser.parse_json_file(json_file=os.path.abspath(sys.argv[1]))\n"
        "else:\n    _, args = parser.parse_args_into_dataclasses()\ntrain(args)\n"
    )
    fixed = (
        f"{both}_, args = parser.parse_args_into_dataclasses(args=['--output_dir', 'out', '--max_steps', '1', '--report_to', "
        "'none', '--save_strategy', 'no', '--per_device_train_batch_size', '4', '--bf16', 'True'])\ntrain(args)\n"
    )
    literal = f"{both}_, args = parser.parse_dict({_GIVEN | {'bf16': True}!r})\ntrain(args)\n"
    defaults = f"{both}parser.set_defaults(bf16=True)\n_, args = parser.parse_args_into_dataclasses()\ntrain(args)\n"
    later = f"{both}_, args = parser.parse_args_into_dataclasses()\nargs.bf16 = False\ntrain(args)\n"
    mine = f"{_DERIVED}parser = HfArgumentParser(Mine)\n(args,) = parser.parse_args_into_dataclasses()\ntrain(args)\n"
    for key, changes in {"bf16": {"bf16": True}, "plain": {}, "fp16": {"fp16": True}}.items():
        yield (
            f"hf-yaml-{key}",
            Scripted(ROWS + _PARSED + yaml, "python train.py run.yaml", files={"run.yaml": {**_GIVEN, **changes}}),
        )
        yield (
            f"hf-json-{key}",
            Scripted(ROWS + _PARSED + json, "python train.py run.json", files={"run.json": {**_GIVEN, **changes}}),
        )
        yield (
            f"hf-usual-json-{key}",
            Scripted(ROWS + _PARSED + usual, "python train.py run.json", files={"run.json": {**_GIVEN, **changes}}),
        )
    for words in ("", "--bf16", "--bf16 False"):
        tag = words.replace("--", "").replace(" ", "-") or "plain"
        yield f"hf-usual-{tag}", Scripted(ROWS + _PARSED + usual, f"python train.py {_FLAGS} {words}".strip())
        yield f"hf-defaults-{tag}", Scripted(ROWS + _PARSED + defaults, f"python train.py {_FLAGS} {words}".strip())
        yield f"hf-derived-{tag}", Scripted(ROWS + _PARSED + mine, f"python train.py {_FLAGS} {words}".strip())
    yield "hf-changed", Scripted(ROWS + _PARSED + later, f"python train.py {_FLAGS} --bf16 True")
    yield "hf-fixed", Scripted(ROWS + _PARSED + fixed, "python train.py")
    yield "hf-dict", Scripted(ROWS + _PARSED + literal, "ACCELERATE_MIXED_PRECISION=fp8 python train.py")
    yield (
        "hf-yaml-te",
        Scripted(
            ROWS + _PARSED + yaml,
            "accelerate launch --mixed_precision fp8 --fp8_backend te train.py run.yaml",
            files={"run.yaml": {**_GIVEN, "bf16": False}},
        ),
    )
    trl = (
        "from trl import SFTConfig, SFTTrainer, TrlParser\nfrom datasets import load_dataset\n\n"
        "parser = TrlParser(SFTConfig)\n{}(args,) = parser.{}\n"
        "SFTTrainer(model='model', args=args, train_dataset=load_dataset('data/sft', split='train')).train()\n"
    )
    run = {"run.yaml": {**_GIVEN, "bf16": False}}
    yield "trl-parser", Scripted(trl.format("", "parse_args_and_config()"), f"python train.py {_FLAGS}")
    yield (
        "trl-parser-off",
        Scripted(trl.format("", "parse_args_and_config()"), f"python train.py {_FLAGS} --bf16 false"),
    )
    yield (
        "trl-parser-config",
        Scripted(trl.format("", "parse_args_and_config()"), "python train.py --config run.yaml", files=run),
    )
    yield (
        "trl-parser-config-flag",
        Scripted(trl.format("", "parse_args_and_config()"), "python train.py --config run.yaml --bf16 true", files=run),
    )
    yield (
        "trl-parser-defaults",
        Scripted(
            trl.format("parser.set_defaults(bf16=False)\n", "parse_args_and_config()"), f"python train.py {_FLAGS}"
        ),
    )
    yield (
        "trl-parser-defaults-config",
        Scripted(
            trl.format("parser.set_defaults_with_config(bf16=False)\n", "parse_args_and_config()"),
            f"python train.py {_FLAGS}",
        ),
    )


_TEN = "accelerate launch --mixed_precision fp8 --fp8_backend te train.py"


def _mains() -> Iterator[tuple[str, Scripted]]:
    for name, main in _MAINS.items():
        for number, words in enumerate(_WORDS[name]):
            yield f"{name}-{number}", Scripted(ROWS + main, f"python train.py {words}".strip())
        words = _WORDS[name][1]
        yield f"{name}-launched", Scripted(ROWS + main, f"{_TEN} {words}".strip())
    yield from _hf()


# --- modes -----------------------------------------------------------------------------------------------------------


def _modes() -> Iterator[tuple[str, Scripted]]:
    te = f"{_U} TERecipeKwargs"
    made = f"accelerator = Accelerator(mixed_precision='fp8', kwargs_handlers={_TE})"
    ao = "accelerator = Accelerator(mixed_precision='fp8', kwargs_handlers=[AORecipeKwargs()])"
    no_train = LOOP.replace("model.train()\n", "")
    loops = {
        "no-train": no_train,
        "eval": LOOP.replace("model.train()", "model.eval()"),
        "eval-late": LOOP.replace("ids =", "model.eval()\nids ="),
        "train-late": no_train.replace("ids =", "model.train()\nids ="),
        "eval-then-train": no_train.replace("ids =", "model.eval()\nmodel.train()\nids ="),
        "train-false": LOOP.replace("model.train()", "model.train(False)"),
        "train-mode-true": LOOP.replace("model.train()", "model.train(mode=True)"),
        "no-grad": LOOP.replace("loss = model", "with torch.no_grad():\n    loss = model"),
        "inference-mode": LOOP.replace("loss = model", "with torch.inference_mode():\n    loss = model"),
        "no-grad-before": LOOP.replace("loss = model", "with torch.no_grad():\n    model(input_ids=ids)\nloss = model"),
        "chained": no_train.replace('from_pretrained("model")', 'from_pretrained("model").train()'),
        "from-config": no_train.replace(
            'AutoModelForCausalLM.from_pretrained("model")',
            'AutoModelForCausalLM.from_config(__import__("transformers").AutoConfig.from_pretrained("model"))',
        ),
        "function": no_train.replace("ids =", "def step_mode(m):\n    m.train()\n\n\nstep_mode(model)\nids ="),
    }
    for key, loop in loops.items():
        yield f"te-{key}", Scripted(own(te, made, loop))
        if key in ("no-train", "eval", "no-grad", "train-late"):
            yield f"ao-{key}", Scripted(own(f"{_U} AORecipeKwargs", ao, loop))
    asked = {
        "bf16-supported": "'bf16' if torch.cuda.is_bf16_supported() else 'fp16'",
        "capability": "'fp8' if torch.cuda.get_device_capability()[0] >= 9 else 'bf16'",
        "capability-pair": "'fp8' if torch.cuda.get_device_capability() >= (8, 9) else 'bf16'",
        "capability-device": "'fp8' if torch.cuda.get_device_capability(0) == (9, 0) else 'bf16'",
        "available": "'fp8' if torch.cuda.is_available() else 'no'",
        "count": "'fp8' if torch.cuda.device_count() > 1 else 'bf16'",
    }
    for key, expression in asked.items():
        for gpus in (["9.0"], ["8.0"], ["8.9"]) if "capability" in key else (["9.0"], ["8.0"]):
            script = own(f"precision = {expression}", "accelerator = Accelerator(mixed_precision=precision)")
            yield f"asks-{key}-{gpus[0]}", Scripted(script, gpus=gpus)
    tuple_ = own(
        "major, minor = torch.cuda.get_device_capability()\nfp8 = major * 10 + minor >= 89",
        "accelerator = Accelerator(mixed_precision='fp8' if fp8 else 'bf16')",
    )
    for gpu in ("9.0", "8.0"):
        yield f"asks-unpacked-{gpu}", Scripted(tuple_, gpus=[gpu])
        script = ROWS + f"train({_MADE.format('bf16=torch.cuda.is_bf16_supported()')})\n"
        yield f"asks-arguments-{gpu}", Scripted(script, gpus=[gpu])


# --- by chance -------------------------------------------------------------------------------------------------------

CHANCE = 80


def _dealt(chance: Random) -> Scripted:
    if chance.random() < 0.4:
        name = chance.choice([*_MAINS])
        command = chance.choice(
            ("python train.py", "python train.py", _TEN, "accelerate launch --mixed_precision bf16 train.py")
        )
        return Scripted(ROWS + _MAINS[name], f"{command} {chance.choice(_WORDS[name])}".strip())
    precision = chance.choice(
        (
            "'fp8'",
            "'fp8'",
            "args.mixed_precision or 'fp8'",
            "'fp8' if args.fp8 else None",
            "os.environ.get('PRECISION', 'fp8')",
            "'fp8' if torch.cuda.get_device_capability() >= (8, 9) else 'fp16'",
            "precision",
            "SETTINGS['precision']",
            "None",
        )
    )
    handler = chance.choice(
        (
            "TERecipeKwargs(fp8_format='E4M3')",
            "TERecipeKwargs(**SETTINGS['te'])",
            "AORecipeKwargs()",
            "FP8RecipeKwargs(backend='TE', amax_history_len=32)",
            "FP8RecipeKwargs(backend='ao')",
        )
    )
    how = chance.choice(("none", "list", "variable", "appended", "conditional", "function", "attribute", "ternary"))
    setup = {
        "none": "handlers = None",
        "list": f"handlers = [{handler}]",
        "variable": f"handler = {handler}\nhandlers = [handler]",
        "appended": f"handlers = []\nhandlers.append({handler})",
        "conditional": f"handlers = []\nif args.fp8:\n    handlers += [{handler}]",
        "function": f"def get_handlers(on=True):\n    return [{handler}] if on else []\n\n\nhandlers = get_handlers()",
        "attribute": f"class Recipe:\n    handlers = [{handler}]\n\n\nhandlers = Recipe.handlers",
        "ternary": f"handlers = [{handler}] if args.backend == 'te' else None",
    }[how]
    made = f"Accelerator(mixed_precision={precision}, kwargs_handlers=handlers)"
    made = chance.choice(
        (
            f"accelerator = {made}",
            f"def build():\n    return {made}\n\n\naccelerator = build()",
            f"options = dict(mixed_precision={precision}, kwargs_handlers=handlers)\naccelerator = Accelerator(**options)",
        )
    )
    before = chance.choice(
        (
            "",
            "",
            "os.environ['ACCELERATE_FP8_BACKEND'] = 'TE'",
            "os.environ.setdefault('ACCELERATE_MIXED_PRECISION', 'fp8')",
        )
    )
    loop = chance.choice((LOOP, LOOP, LOOP, LOOP.replace("model.train()\n", "")))
    settings = "SETTINGS = {'precision': 'fp8', 'te': {'amax_history_len': 64}}\nprecision = SETTINGS['precision']"
    script = own(f"{_KW}\n{_ARGPARSE}{settings}\n{before}\n{setup}", made, loop)
    words = chance.choice(("", "", "--fp8", "--fp8 --backend ao", "--mixed_precision bf16", "--backend=te --fp8"))
    start = chance.choice(
        (
            "python train.py",
            "python train.py",
            _TEN,
            "PRECISION=bf16 python train.py",
            "torchrun --nproc_per_node 1 train.py",
        )
    )
    why = None
    if "PRECISION" in precision and "PRECISION=" not in start:
        why = "what the shell has in PRECISION"
    gpus = chance.choice((["9.0"], ["9.0"], ["8.0"], ["8.9"]))
    return Scripted(script, f"{start} {words}".strip(), gpus, undecided=why)


def everything() -> Iterator[tuple[str, str, Scripted]]:
    """(id, class, case) of all."""
    groups = {"objects": _objects, "ways": _ways, "mains": _mains, "modes": _modes}
    for group, make in groups.items():
        for key, one in make():
            yield f"script-{group}-{key}", f"scripts: {group}", one
    for number in range(CHANCE):
        yield f"script-chance-{number:02}", "scripts by chance", _dealt(Random(f"scripts/{number}"))  # noqa: S311
