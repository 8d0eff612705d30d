"""Commands and scripts written by hand as different people write them, with the mistakes that they make.

Each was executed once and compared before anything was changed for it (docs/evidence/commands.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KIND = "second tries"
NEW, OLD, DEEPSPEED = "1.15-commands", "1.10-commands", "1.15-commands-deepspeed"
AXOLOTL, FACTORY_3, FACTORY_4, FACTORY_5 = "1.13-axolotl", "1.7-commands-lf0.9.3", "1.10-lf0.9.4", "1.11-lf5.2"
ONE, TWO = ["9.0"], ["9.0", "9.0"]


class Try(NamedTuple):
    """A case before it is one."""

    command: str
    files: Mapping[str, Any]
    stack: str = NEW
    gpus: list[str] = ONE
    variables: Mapping[str, str] = {}
    default_file: Any = None


# --- scripts of one's own ----------------------------------------------------------------------------------------

DATA = """
class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        ids = torch.arange(4, 20)
        return {"input_ids": ids, "labels": ids}

"""
IMPORTS = (
    "import os\n\nimport torch\nfrom accelerate import Accelerator\nfrom transformers import AutoModelForCausalLM\n"
)
# A loop with what people have in theirs: accumulation, clipping, a scheduler, a step that counts.
LOOP = """
loader = torch.utils.data.DataLoader(Rows(), batch_size=4, shuffle=True)
model = AutoModelForCausalLM.from_pretrained("model")
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)
model.train()
for epoch in range(1):
    for step, batch in enumerate(loader):
        with accelerator.accumulate(model):
            loss = model(**batch).loss
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
        if accelerator.is_main_process:
            print(epoch, step, loss.item())
accelerator.wait_for_everyone()
"""
PLAIN = f"{IMPORTS}{DATA}\naccelerator = Accelerator(gradient_accumulation_steps=2)\n{LOOP}"


def indented(text: str, by: int = 4) -> str:
    """A piece of a script as a function's body."""
    return "".join(f"{' ' * by}{line}\n" if line else "\n" for line in text.strip("\n").split("\n"))


def own(before: str, made: str, imports: str = "") -> str:
    """A script that makes its Accelerator at the top level."""
    return f"{IMPORTS}{imports}{DATA}\n{before}\n{made}\n{LOOP}"


def config(**changes: Any) -> dict[str, Any]:
    """An Accelerate file as `accelerate config` writes it."""
    file: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "debug": False,
        "distributed_type": "NO",
        "downcast_bf16": "no",
        "enable_cpu_affinity": False,
        "machine_rank": 0,
        "main_training_function": "main",
        "mixed_precision": "fp8",
        "num_machines": 1,
        "num_processes": 1,
        "rdzv_backend": "static",
        "same_network": True,
        "use_cpu": False,
    }
    return {name: value for name, value in {**file, **changes}.items() if value is not ...}


TE = config(fp8_config={"backend": "TE", "fp8_format": "HYBRID", "amax_history_len": 1024, "amax_compute_algo": "max",
                        "interval": 1, "margin": 0, "override_linear_precision": [False, False, False],
                        "use_autocast_during_eval": False})  # fmt: skip
AO = config(fp8_config={"backend": "AO", "enable_fsdp_float8_all_gather": True, "pad_inner_dim": True})
SHARDS = {
    "fsdp_version": 2,
    "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
    "fsdp_transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
    "fsdp_cpu_ram_efficient_loading": True,
    "fsdp_offload_params": False,
    "fsdp_reshard_after_forward": True,
    "fsdp_state_dict_type": "SHARDED_STATE_DICT",
    "fsdp_activation_checkpointing": False,
}

OMEGA = f"""import sys

import torch
from accelerate import Accelerator
from omegaconf import OmegaConf
from transformers import AutoModelForCausalLM
{DATA}
cfg = OmegaConf.load("config.yaml")
cfg = OmegaConf.merge(cfg, OmegaConf.from_cli(sys.argv[1:]))
accelerator = Accelerator(
    mixed_precision=cfg.trainer.mixed_precision,
    gradient_accumulation_steps=cfg.trainer.gradient_accumulation_steps,
)
{LOOP}"""
OMEGA_FILE = "trainer:\n  mixed_precision: {}\n  gradient_accumulation_steps: 2\nmodel: model\nlr: 1e-4\n"

HYDRA_LIKE = f'''"""Compose config.yaml, conf/precision/NAME.yaml and the command line's words."""
import argparse

import torch
import yaml
from accelerate import Accelerator
from accelerate.utils import AORecipeKwargs, TERecipeKwargs
from transformers import AutoModelForCausalLM
{DATA}

def load(path):
    with open(path) as f:
        return yaml.safe_load(f)


parser = argparse.ArgumentParser()
parser.add_argument("--config", type=str, default="config.yaml")
parser.add_argument("--precision", type=str)
args = parser.parse_args()
config = load(args.config)
if args.precision is not None:
    config["precision"] = args.precision
handlers = None
if config["precision"] == "fp8":
    recipe = config.get("recipe", {{}})
    handlers = [TERecipeKwargs(**recipe)] if config.get("backend", "te") == "te" else [AORecipeKwargs()]
accelerator = Accelerator(mixed_precision=config["precision"], kwargs_handlers=handlers)
{LOOP}'''

JSON_CONFIG = f"""import json
import sys
from types import SimpleNamespace

import torch
from accelerate import Accelerator
from transformers import AutoModelForCausalLM
{DATA}

def read_config(path):
    with open(path, "r", encoding="utf-8") as handle:
        return SimpleNamespace(**json.load(handle))


config = read_config(sys.argv[1] if len(sys.argv) > 1 else "config.json")
accelerator = Accelerator(mixed_precision=config.mixed_precision)
{LOOP}"""

DATACLASS = f"""from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import TERecipeKwargs, set_seed
from transformers import AutoModelForCausalLM
{DATA}

@dataclass
class Precision:
    mode: str = "bf16"
    fp8_format: str = "HYBRID"
    history: int = 16


@dataclass
class Config:
    seed: int = 1
    precision: Precision = field(default_factory=Precision)

    @classmethod
    def from_file(cls, path: str) -> Config:
        raw = json.loads(Path(path).read_text())
        return cls(seed=raw.get("seed", 1), precision=Precision(**raw.get("precision", {{}})))


def build_accelerator(cfg: Config) -> Accelerator:
    handlers = []
    if cfg.precision.mode == "fp8":
        handlers.append(TERecipeKwargs(fp8_format=cfg.precision.fp8_format, amax_history_len=cfg.precision.history))
    return Accelerator(mixed_precision=cfg.precision.mode, kwargs_handlers=handlers)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-c", "--config", required=True)
    args = parser.parse_args()
    cfg = Config.from_file(args.config)
    set_seed(cfg.seed)
    accelerator = build_accelerator(cfg)
{indented(LOOP)}

if __name__ == "__main__":
    main()
"""

FIRE_CLASS = f'''import fire
import torch
from accelerate import Accelerator
from accelerate.utils import TERecipeKwargs
from transformers import AutoModelForCausalLM
{DATA}

class Pipeline:
    """python train.py train --precision fp8"""

    def __init__(self, precision="bf16", seed=0):
        self.precision = precision
        self.seed = seed

    def train(self, accumulate: int = 1, history: int = 16):
        handlers = [TERecipeKwargs(amax_history_len=history)] if self.precision == "fp8" else None
        accelerator = Accelerator(
            mixed_precision=self.precision, gradient_accumulation_steps=accumulate, kwargs_handlers=handlers
        )
{indented(LOOP, 8)}
    def evaluate(self):
        print("nothing to evaluate")


if __name__ == "__main__":
    fire.Fire(Pipeline)
'''

CLICK_GROUP = f"""import click
import torch
from accelerate import Accelerator
from transformers import AutoModelForCausalLM
{DATA}

@click.group()
def cli():
    pass


@cli.command()
@click.option("--precision", "-p", type=click.Choice(["no", "fp16", "bf16", "fp8"]), default="bf16", show_default=True)
@click.option("--accumulate", type=int, default=1)
def train(precision, accumulate):
    accelerator = Accelerator(mixed_precision=precision, gradient_accumulation_steps=accumulate)
{indented(LOOP)}

@cli.command()
def export():
    print("exported")


if __name__ == "__main__":
    cli()
"""

CLICK_ENV = f"""import click
import torch
from accelerate import Accelerator
from transformers import AutoModelForCausalLM
{DATA}

@click.command()
@click.option("--precision", envvar="TRAIN_PRECISION", default="bf16")
def main(precision):
    accelerator = Accelerator(mixed_precision=precision)
{indented(LOOP)}

if __name__ == "__main__":
    main()
"""

TYRO_SUB = f"""from dataclasses import dataclass
from typing import Literal

import torch
import tyro
from accelerate import Accelerator
from accelerate.utils import AORecipeKwargs, TERecipeKwargs
from transformers import AutoModelForCausalLM
{DATA}

@dataclass(frozen=True)
class Recipe:
    backend: Literal["te", "ao"] = "te"
    history: int = 16


@dataclass(frozen=True)
class Args:
    mixed_precision: Literal["no", "bf16", "fp8"] = "bf16"
    recipe: Recipe = Recipe()


def main(args: Args):
    handler = TERecipeKwargs(amax_history_len=args.recipe.history) if args.recipe.backend == "te" else AORecipeKwargs()
    handlers = [handler] if args.mixed_precision == "fp8" else []
    accelerator = Accelerator(mixed_precision=args.mixed_precision, kwargs_handlers=handlers)
{indented(LOOP)}

if __name__ == "__main__":
    main(tyro.cli(Args))
"""

SUBPARSERS = f"""import argparse

import torch
from accelerate import Accelerator
from transformers import AutoModelForCausalLM
{DATA}

def train(args):
    accelerator = Accelerator(mixed_precision="fp8" if args.fp8 else None)
{indented(LOOP)}

def evaluate(args):
    print("evaluated")


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train")
    training.add_argument("--fp8", action=argparse.BooleanOptionalAction, default=False)
    training.set_defaults(func=train)
    evaluating = commands.add_parser("eval")
    evaluating.set_defaults(func=evaluate)
    args = parser.parse_args()
    args.func(args)


if __name__ == "__main__":
    main()
"""

ARG_DEFAULT_ENV = f"""import argparse
import os

import torch
from accelerate import Accelerator
from transformers import AutoModelForCausalLM
{DATA}

def parse_args():
    parser = argparse.ArgumentParser(description="Fine-tune a causal language model")
    parser.add_argument("--mixed_precision", type=str, default=os.environ.get("MIXED_PRECISION", "bf16"),
                        choices=["no", "fp16", "bf16", "fp8"])
    parser.add_argument("--gradient_accumulation_steps", type=int, default=1)
    parser.add_argument("--output_dir", type=str, default="out", required=False)
    args, unknown = parser.parse_known_args()
    return args


def main():
    args = parse_args()
    accelerator = Accelerator(
        gradient_accumulation_steps=args.gradient_accumulation_steps,
        mixed_precision=args.mixed_precision,
        project_dir=args.output_dir,
    )
{indented(LOOP)}

if __name__ == "__main__":
    main()
"""

CLASS_TRAINER = f"""import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import TERecipeKwargs
from transformers import AutoModelForCausalLM
{DATA}

class Finetuner:
    precision = "fp8"

    def __init__(self, **options):
        self.options = {{"history": 32, **options}}
        self.accelerator = self._make_accelerator()

    def _make_accelerator(self):
        kwargs = [DistributedDataParallelKwargs(find_unused_parameters=False)]
        kwargs.append(TERecipeKwargs(amax_history_len=self.options["history"], fp8_format="E4M3"))
        return Accelerator(mixed_precision=self.precision, kwargs_handlers=kwargs)

    def fit(self):
        accelerator = self.accelerator
{indented(LOOP, 8)}

if __name__ == "__main__":
    Finetuner(history=64).fit()
"""

NOTEBOOK = f"""import torch
from accelerate import Accelerator, notebook_launcher
from transformers import AutoModelForCausalLM
{DATA}

def training_function(mixed_precision="bf16"):
    accelerator = Accelerator(mixed_precision=mixed_precision)
{indented(LOOP)}

notebook_launcher(training_function, args=("fp8",), num_processes=1MORE)
"""

COMPILED = f"""import torch
from accelerate import Accelerator
from accelerate.utils import TorchDynamoPlugin
from transformers import AutoModelForCausalLM
{DATA}
dynamo_plugin = TorchDynamoPlugin(backend="BACKEND", mode="default", use_regional_compilation=False)
accelerator = Accelerator(mixed_precision="PRECISION", dynamo_plugin=dynamo_plugin)
{LOOP}"""

TWO_FILES_MAIN = f"""import torch
from transformers import AutoModelForCausalLM

from settings import PRECISION, make_accelerator
{DATA}
accelerator = make_accelerator(PRECISION)
{LOOP}"""
TWO_FILES_HELP = '''from accelerate import Accelerator
from accelerate.utils import TERecipeKwargs

PRECISION = "fp8"


def make_accelerator(precision):
    """Our standard Accelerator."""
    if precision == "fp8":
        return Accelerator(mixed_precision="fp8", kwargs_handlers=[TERecipeKwargs(fp8_format="HYBRID")])
    return Accelerator(mixed_precision=precision)
'''
PACKAGE_MAIN = """from mypackage.trainer import run

if __name__ == "__main__":
    run()
"""
PACKAGE_TRAINER = f"""import torch
from accelerate import Accelerator
from transformers import AutoModelForCausalLM
{DATA}

def run():
    accelerator = Accelerator(mixed_precision="fp8")
{indented(LOOP)}"""

_KW = "from accelerate.utils import AORecipeKwargs, FP8RecipeKwargs, TERecipeKwargs\n"
_ZERO2 = "zero_stage=2, gradient_accumulation_steps=1"
_FSDP = "from accelerate import FullyShardedDataParallelPlugin\n"


def _scripts() -> Iterator[tuple[str, Try]]:
    omega = {"train.py": OMEGA, "config.yaml": OMEGA_FILE.format("bf16")}
    yield "omega-file", Try("python train.py", omega)
    yield "omega-dotlist", Try("python train.py trainer.mixed_precision=fp8 lr=1e-3", omega)
    yield "omega-launched", Try("accelerate launch --mixed_precision fp8 train.py trainer.mixed_precision=null", omega)
    hydra = {"train.py": HYDRA_LIKE, "config.yaml": "precision: fp8\nbackend: te\nrecipe:\n  fp8_format: E4M3\n",
             "ao.yaml": "precision: fp8\nbackend: ao\n", "plain.yaml": "lr: 1.0e-4\n"}  # fmt: skip
    yield "yaml-default", Try("python train.py", hydra)
    yield "yaml-ao", Try("accelerate launch train.py --config ao.yaml", hydra)
    yield "yaml-override", Try("python train.py --config=ao.yaml --precision bf16", hydra)
    yield "yaml-key-missing", Try("python train.py --config plain.yaml", hydra)
    yield "yaml-precision-missing-set", Try("python train.py --config plain.yaml --precision fp8", hydra, OLD)
    typo = {**hydra, "config.yaml": "precision: fp8\nrecipe:\n  format: E4M3\n"}
    yield "yaml-recipe-typo", Try("python train.py", typo)
    told = {"train.py": JSON_CONFIG, "config.json": {"mixed_precision": "fp8", "lr": 1e-4},
            "bf16.json": {"mixed_precision": "bf16"}, "empty.json": {"lr": 1}}  # fmt: skip
    yield "json-default", Try("accelerate launch --config_file te.yaml train.py", {**told, "te.yaml": TE})
    yield "json-argument", Try("accelerate launch --config_file te.yaml train.py bf16.json", {**told, "te.yaml": TE})
    yield "json-missing-key", Try("python3 train.py empty.json", told)
    data = {"train.py": DATACLASS, "fp8.json": {"precision": {"mode": "fp8", "history": 128}}, "none.json": {}}
    yield "dataclass-nested", Try("python train.py --config fp8.json", data)
    yield "dataclass-short", Try("python train.py -c none.json", data)
    yield "dataclass-required", Try("python train.py", data)
    for key, words in {
        "init": "train --precision fp8",
        "equals": "--precision=fp8 train --accumulate=2 --history=8",
        "plain": "train",
        "dashes": "train --precision fp8 --history 4 --seed 3",
        "wrong-name": "training --precision fp8",
    }.items():
        yield f"fire-class-{key}", Try(f"python train.py {words}", {"train.py": FIRE_CLASS})
    for key, words in {"short": "train -p fp8", "plain": "train", "choice": "train --precision int8",
                       "no-command": "--precision fp8"}.items():  # fmt: skip
        yield f"click-group-{key}", Try(f"accelerate launch train.py {words}", {"train.py": CLICK_GROUP})
    click_env = {"train.py": CLICK_ENV}
    yield "click-envvar", Try("TRAIN_PRECISION=fp8 python train.py", click_env)
    yield "click-envvar-over", Try("TRAIN_PRECISION=fp8 python train.py --precision bf16", click_env)
    for key, words in {"te": "--mixed-precision fp8 --recipe.history 8", "ao": "--mixed-precision fp8 --recipe.backend ao",
                       "underscore": "--mixed_precision fp8", "plain": "", "choice": "--mixed-precision fp16"}.items():  # fmt: skip
        yield f"tyro-nested-{key}", Try(f"python train.py {words}".strip(), {"train.py": TYRO_SUB})
    for key, words in {
        "fp8": "train --fp8",
        "no": "train --no-fp8",
        "plain": "train",
        "none": "",
        "prefix": "train --fp",
    }.items():
        yield (
            f"subparsers-{key}",
            Try(f"accelerate launch --mixed_precision bf16 train.py {words}".strip(), {"train.py": SUBPARSERS}),
        )
    usual = {"train.py": ARG_DEFAULT_ENV}
    yield "argparse-environ", Try("MIXED_PRECISION=fp8 python train.py", usual)
    yield "argparse-environ-flag", Try("MIXED_PRECISION=fp8 python train.py --mixed_precision=bf16 --wandb", usual)
    yield "argparse-environ-choice", Try("MIXED_PRECISION=fp4 accelerate launch train.py", usual)
    yield "argparse-abbreviated", Try("python train.py --mixed fp8", usual)
    yield "class-trainer", Try("python train.py", {"train.py": CLASS_TRAINER})
    yield (
        "class-trainer-old",
        Try("accelerate launch --mixed_precision bf16 train.py", {"train.py": CLASS_TRAINER}, OLD),
    )
    yield "notebook-one", Try("python train.py", {"train.py": NOTEBOOK.replace("MORE", "")})
    yield "notebook-bf16", Try("python train.py", {"train.py": NOTEBOOK.replace("MORE", ', mixed_precision="bf16"')})
    yield "two-files", Try("python train.py", {"train.py": TWO_FILES_MAIN, "settings.py": TWO_FILES_HELP})
    package = {"train.py": PACKAGE_MAIN, "mypackage/__init__.py": "", "mypackage/trainer.py": PACKAGE_TRAINER}
    yield "package", Try("accelerate launch --config_file ao.yaml train.py", {**package, "ao.yaml": AO})
    yield "package-module", Try("python -m mypackage.cli", {**package, "mypackage/cli.py": PACKAGE_MAIN})
    for key, backend, precision in (("eager", "eager", "fp8"), ("no", "no", "fp8")):
        yield (
            f"dynamo-{key}",
            Try("python train.py", {"train.py": COMPILED.replace("BACKEND", backend).replace("PRECISION", precision)}),
        )


def _objects() -> Iterator[tuple[str, Try]]:  # noqa: PLR0915  a list
    """What goes into Accelerator(), and where variables come from."""
    made = "accelerator = Accelerator({})"

    def one(before: str, keywords: str, imports: str = _KW) -> dict[str, str]:
        return {"train.py": own(before, made.format(keywords), imports)}

    yield (
        "old-handler",
        Try(
            "python train.py",
            one("", "mixed_precision='fp8', kwargs_handlers=[FP8RecipeKwargs(backend='TE', fp8_format='E4M3')]"),
        ),
    )
    yield (
        "old-handler-bare",
        Try("python train.py", one("", "mixed_precision='fp8', kwargs_handlers=[FP8RecipeKwargs()]")),
    )
    yield (
        "old-handler-lower",
        Try("python train.py", one("", "mixed_precision='fp8', kwargs_handlers=[FP8RecipeKwargs(backend='te')]"), OLD),
    )
    yield (
        "old-handler-ao",
        Try("python train.py", one("", "mixed_precision='fp8', kwargs_handlers=[FP8RecipeKwargs(backend='ao')]")),
    )
    yield (
        "old-handler-msamp",
        Try(
            "python train.py",
            one("", "mixed_precision='fp8', kwargs_handlers=[FP8RecipeKwargs(backend='MSAMP', opt_level='O2')]"),
        ),
    )
    yield "handler-no-list", Try("python train.py", one("", "mixed_precision='fp8', kwargs_handlers=TERecipeKwargs()"))
    yield "handler-class", Try("python train.py", one("", "mixed_precision='fp8', kwargs_handlers=[TERecipeKwargs]"))
    yield (
        "handler-format-lower",
        Try("python train.py", one("", "mixed_precision='fp8', kwargs_handlers=[TERecipeKwargs(fp8_format='e4m3')]")),
    )
    yield (
        "handler-format-wrong",
        Try("python train.py", one("", "mixed_precision='fp8', kwargs_handlers=[TERecipeKwargs(fp8_format='E5M2')]")),
    )
    yield (
        "handler-keyword-wrong",
        Try("python train.py", one("", "mixed_precision='fp8', kwargs_handlers=[TERecipeKwargs(format='E4M3')]")),
    )
    yield "accelerator-fp8-keyword", Try("python train.py", one("", "fp8=True"))
    yield (
        "accelerator-recipe-keyword",
        Try("python train.py", one("", "mixed_precision='fp8', fp8_recipe_handler=TERecipeKwargs()")),
    )
    yield "accelerator-precision-type", Try("python train.py", one("", "mixed_precision='float8'"))
    yield (
        "accelerator-precision-enum",
        Try("python train.py", one("from accelerate.utils import PrecisionType", "mixed_precision=PrecisionType.FP8")),
    )
    yield "accelerator-positional", Try("python train.py", one("", "True, True, 'fp8'"))
    yield (
        "accelerator-split-batches",
        Try("python train.py", one("", "mixed_precision='fp8', split_batches=True, even_batches=False")),
    )
    both = one("", "mixed_precision='fp8', kwargs_handlers=[TERecipeKwargs(), AORecipeKwargs()]")
    yield "handlers-both-old", Try("python train.py", both, OLD)
    yield (
        "handler-over-file",
        Try(
            "accelerate launch --config_file te.yaml train.py",
            {**one("", "kwargs_handlers=[AORecipeKwargs()]"), "te.yaml": TE},
        ),
    )
    yield (
        "handler-over-file-old",
        Try(
            "accelerate launch --config_file te.yaml train.py",
            {**one("", "kwargs_handlers=[AORecipeKwargs()]"), "te.yaml": TE},
            OLD,
        ),
    )
    yield (
        "handler-without-fp8",
        Try(
            "accelerate launch --config_file bf16.yaml train.py",
            {**one("", "kwargs_handlers=[TERecipeKwargs()]"), "bf16.yaml": config(mixed_precision="bf16")},
        ),
    )
    ao_config = one(
        "from torchao.float8 import Float8LinearConfig",
        "mixed_precision='fp8', kwargs_handlers=[AORecipeKwargs(config=Float8LinearConfig.from_recipe_name('rowwise'))]",
    )
    yield "ao-rowwise", Try("python train.py", ao_config)
    yield (
        "ao-filter",
        Try(
            "python train.py",
            one(
                "def keep(module, name):\n    return 'mlp' in name\n",
                "mixed_precision='fp8', kwargs_handlers=[AORecipeKwargs(module_filter_func=keep)]",
            ),
        ),
    )
    yield (
        "accumulation-plugin",
        Try(
            "python train.py",
            one(
                "from accelerate.utils import GradientAccumulationPlugin",
                "mixed_precision='fp8', gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=2)",
            ),
        ),
    )
    yield (
        "accumulation-both",
        Try(
            "python train.py",
            one(
                "from accelerate.utils import GradientAccumulationPlugin",
                "mixed_precision='fp8', gradient_accumulation_steps=4, gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=2)",
            ),
        ),
    )
    yield (
        "device-placement",
        Try(
            "python train.py",
            one(
                "from accelerate.utils import DataLoaderConfiguration",
                "mixed_precision='fp8', dataloader_config=DataLoaderConfiguration(split_batches=True), device_placement=False",
            ),
        ),
    )
    yield "script-cpu", Try("accelerate launch --mixed_precision fp8 train.py", one("", "cpu=True"))
    yield (
        "variables-first",
        Try(
            "python train.py",
            {
                "train.py": "import os\n\nos.environ['ACCELERATE_MIXED_PRECISION'] = 'fp8'\nos.environ['ACCELERATE_FP8_BACKEND'] = 'AO'\n"
                + PLAIN
            },
        ),
    )
    yield (
        "variables-update",
        Try(
            "accelerate launch --mixed_precision bf16 train.py",
            {
                "train.py": own(
                    "os.environ.update({'ACCELERATE_MIXED_PRECISION': 'fp8', 'ACCELERATE_FP8_FORMAT': 'E4M3'})",
                    made.format(""),
                )
            },
        ),
    )
    yield (
        "variable-wrong-name",
        Try("python train.py", {"train.py": own("os.environ['MIXED_PRECISION'] = 'fp8'", made.format(""))}),
    )
    yield (
        "variable-getenv",
        Try(
            "PRECISION_MODE=fp8 python train.py",
            {"train.py": own("", made.format("mixed_precision=os.environ.get('PRECISION_MODE', 'bf16')"))},
        ),
    )
    yield (
        "variable-getenv-flag",
        Try(
            "USE_FP8=1 python train.py",
            {
                "train.py": own(
                    "use_fp8 = os.getenv('USE_FP8', '0') == '1'",
                    made.format("mixed_precision='fp8' if use_fp8 else 'bf16'"),
                )
            },
        ),
    )
    yield (
        "variable-getenv-int",
        Try(
            "USE_FP8=1 python train.py",
            {
                "train.py": own(
                    "use_fp8 = bool(int(os.environ.get('USE_FP8', 0)))",
                    made.format("mixed_precision='fp8' if use_fp8 else 'bf16'"),
                )
            },
        ),
    )
    yield (
        "variable-index",
        Try(
            "python train.py",
            {"train.py": own("", made.format("mixed_precision=os.environ['ACCELERATE_MIXED_PRECISION']"))},
        ),
    )
    yield (
        "variable-index-launched",
        Try(
            "accelerate launch --mixed_precision fp8 train.py",
            {"train.py": own("", made.format("mixed_precision=os.environ['ACCELERATE_MIXED_PRECISION']"))},
        ),
    )
    chosen = "precision = 'fp8' if torch.cuda.get_device_capability()[0] >= 9 else 'bf16'"
    yield (
        "capability-ampere",
        Try("python train.py", {"train.py": own(chosen, made.format("mixed_precision=precision"))}, gpus=["8.0"]),
    )
    caught = "try:\n    import transformer_engine\n    precision = 'fp8'\nexcept ImportError:\n    precision = 'bf16'\n"
    yield "try-import", Try("python train.py", {"train.py": own(caught, made.format("mixed_precision=precision"))})
    asks = "from accelerate.utils import is_fp8_available, is_transformer_engine_available\nprecision = 'fp8' if is_transformer_engine_available() else 'bf16'\n"
    yield "asks-available", Try("python train.py", {"train.py": own(asks, made.format("mixed_precision=precision"))})
    asks = "import importlib.util\n\nprecision = 'fp8' if importlib.util.find_spec('transformer_engine') else 'bf16'\n"
    yield "asks-find-spec", Try("python train.py", {"train.py": own(asks, made.format("mixed_precision=precision"))})
    f = "from accelerate import FullyShardedDataParallelPlugin\n"
    plugin = "FullyShardedDataParallelPlugin(fsdp_version=2, auto_wrap_policy='transformer_based_wrap', transformer_cls_names_to_wrap=['LlamaDecoderLayer'])"
    launched = "torchrun --standalone --nproc_per_node=2 train.py"
    yield (
        "fsdp-function",
        Try(
            launched,
            one(
                f"def get_plugin():\n    return {plugin}\n",
                "mixed_precision='fp8', fsdp_plugin=get_plugin(), kwargs_handlers=[AORecipeKwargs()]",
                _KW + f,
            ),
            gpus=TWO,
        ),
    )
    yield (
        "fsdp-default-wrap",
        Try(
            launched,
            one("", "mixed_precision='fp8', fsdp_plugin=FullyShardedDataParallelPlugin(fsdp_version=2)", _KW + f),
            gpus=TWO,
        ),
    )
    d = "from accelerate import DeepSpeedPlugin\n"
    for key, command in {
        "launched": "accelerate launch --use_deepspeed --zero_stage 3 --num_processes 1 --mixed_precision fp8 train.py",
        "own-launcher": "deepspeed --num_gpus 1 train.py",
        "torchrun": "torchrun --nproc_per_node 1 train.py",
    }.items():
        yield (
            f"deepspeed-{key}",
            Try(
                command,
                one(
                    "plugin = DeepSpeedPlugin(zero_stage=2, gradient_accumulation_steps=2, gradient_clipping=1.0)",
                    "mixed_precision='fp8', deepspeed_plugin=plugin",
                    _KW + d,
                ),
                DEEPSPEED,
            ),
        )
    yield (
        "compiled-model",
        Try(
            "python train.py",
            {
                "train.py": own(
                    "", made.format("mixed_precision='fp8', kwargs_handlers=[TERecipeKwargs()]"), _KW
                ).replace("model.train()\n", "model = torch.compile(model, backend='eager')\nmodel.train()\n")
            },
        ),
    )
    yield (
        "autocast-twice",
        Try(
            "python train.py",
            {
                "train.py": own("", made.format("mixed_precision='fp8'"), _KW).replace(
                    "            loss = model(**batch).loss\n",
                    "            with accelerator.autocast():\n                loss = model(**batch).loss\n",
                )
            },
        ),
    )
    yield (
        "half-model",
        Try(
            "python train.py",
            {
                "train.py": own("", made.format("mixed_precision='fp8'"), _KW).replace(
                    'from_pretrained("model")', 'from_pretrained("model", torch_dtype=torch.bfloat16)'
                )
            },
        ),
    )
    yield (
        "not-prepared",
        Try(
            "python train.py",
            {
                "train.py": own("", made.format("mixed_precision='fp8'"), _KW).replace(
                    "model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)",
                    "optimizer, loader, scheduler = accelerator.prepare(optimizer, loader, scheduler)",
                )
            },
        ),
    )
    yield (
        "prepared-model-alone",
        Try(
            "python train.py",
            {
                "train.py": own("", made.format("mixed_precision='fp8'"), _KW).replace(
                    "model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)",
                    "model = accelerator.prepare(model)\noptimizer, loader = accelerator.prepare(optimizer, loader)",
                )
            },
        ),
    )


# --- launch forms ------------------------------------------------------------------------------------------------


def _launched() -> Iterator[tuple[str, Try]]:  # noqa: PLR0915  a list
    files = {"train.py": PLAIN, "te.yaml": TE, "ao.yaml": AO, "bf16.yaml": config(mixed_precision="bf16"),
             "two.yaml": {**TE, "distributed_type": "MULTI_GPU", "num_processes": 2, "gpu_ids": "all"},
             "fsdp2.yaml": {**AO, "distributed_type": "FSDP", "num_processes": 2, "fsdp_config": SHARDS},
             "fsdp2-te.yaml": {**TE, "distributed_type": "FSDP", "num_processes": 2, "fsdp_config": SHARDS}}  # fmt: skip

    def go(command: str, **parts: Any) -> Try:
        return Try(command, files, **parts)

    yield "launch-flag-over", go("accelerate launch --config_file te.yaml --mixed_precision bf16 train.py")
    yield "launch-flag-over-backend", go("accelerate launch --config_file te.yaml --fp8_backend ao train.py")
    yield (
        "launch-flag-over-format",
        go("accelerate launch --config_file te.yaml --fp8_format E4M3 --fp8_amax_history_len 8 train.py"),
    )
    yield "launch-flag-behind-script", go("accelerate launch --config_file bf16.yaml train.py --mixed_precision fp8")
    yield "launch-no-file", go("accelerate launch --mixed_precision=fp8 --num_processes=1 train.py")
    yield "launch-dashes", go("accelerate launch --config-file te.yaml --num-processes 1 train.py")
    yield "launch-processes-over", go("accelerate launch --config_file te.yaml --num_processes 2 train.py", gpus=TWO)
    yield "launch-processes-down", go("accelerate launch --config_file two.yaml --num_processes 1 train.py", gpus=TWO)
    yield (
        "launch-multi-flag",
        go("accelerate launch --config_file te.yaml --multi_gpu --num_processes 2 train.py", gpus=TWO),
    )
    yield "launch-too-many", go("accelerate launch --config_file two.yaml train.py")
    yield "launch-fsdp2", go("accelerate launch --config_file fsdp2.yaml train.py", gpus=TWO)
    yield "launch-fsdp2-te", go("accelerate launch --config_file fsdp2-te.yaml train.py", gpus=TWO)
    yield "launch-fsdp2-te-old", go("accelerate launch --config_file fsdp2-te.yaml train.py", gpus=TWO, stack=OLD)
    yield (
        "launch-use-fsdp",
        go(
            "accelerate launch --use_fsdp --fsdp_version 2 --fsdp_auto_wrap_policy TRANSFORMER_BASED_WRAP --fsdp_transformer_layer_cls_to_wrap LlamaDecoderLayer --num_processes 2 --mixed_precision fp8 --fp8_backend ao train.py",
            gpus=TWO,
        ),
    )
    yield "launch-cpu", go("accelerate launch --cpu --mixed_precision fp8 train.py")
    yield (
        "launch-cpu-file",
        Try("accelerate launch --config_file cpu.yaml train.py", {**files, "cpu.yaml": {**TE, "use_cpu": True}}),
    )
    yield "launch-dynamo", go("accelerate launch --config_file te.yaml --dynamo_backend eager train.py")
    yield "launch-unknown", go("accelerate launch --config_file te.yaml --fp8 train.py")
    yield "launch-old-1.7", go("accelerate launch --config_file te.yaml train.py", stack=FACTORY_3)
    yield "launch-1.11", go("accelerate launch --config_file te.yaml --mixed_precision fp8 train.py", stack=FACTORY_5)
    yield "launch-1.13-ao", go("accelerate launch --config_file ao.yaml train.py", stack=AXOLOTL)
    yield "launch-1.7-ao", go("accelerate launch --mixed_precision fp8 --fp8_backend ao train.py", stack=FACTORY_3)
    yield "torchrun-fp8", go("ACCELERATE_MIXED_PRECISION=fp8 torchrun --nproc-per-node=gpu train.py", gpus=TWO)
    yield "torchrun-config-file", go("torchrun --nproc_per_node=1 train.py --config_file te.yaml")
    yield "torchrun-module-unknown", go("torchrun --mixed_precision fp8 train.py")
    yield (
        "deepspeed-no-plugin",
        go("deepspeed --num_gpus=1 train.py", variables={"ACCELERATE_MIXED_PRECISION": "fp8"}, stack=DEEPSPEED),
    )
    yield (
        "leftover-precision",
        go("accelerate launch --config_file bf16.yaml train.py", variables={"ACCELERATE_MIXED_PRECISION": "fp8"}),
    )
    yield (
        "leftover-python",
        go(
            "python train.py",
            variables={
                "ACCELERATE_MIXED_PRECISION": "fp8",
                "ACCELERATE_FP8_BACKEND": "TE",
                "ACCELERATE_FP8_FORMAT": "E4M3",
            },
        ),
    )
    yield (
        "leftover-fp8-old",
        go("python train.py", variables={"ACCELERATE_MIXED_PRECISION": "fp8", "FP8_BACKEND": "AO"}, stack=OLD),
    )
    yield (
        "leftover-backend",
        go("accelerate launch --mixed_precision fp8 train.py", variables={"ACCELERATE_FP8_BACKEND": "AO"}),
    )
    yield (
        "leftover-deepspeed",
        go(
            "accelerate launch --config_file te.yaml train.py",
            variables={"ACCELERATE_USE_DEEPSPEED": "true"},
            stack=DEEPSPEED,
        ),
    )
    yield (
        "leftover-fsdp",
        go("python train.py", variables={"ACCELERATE_USE_FSDP": "true", "ACCELERATE_MIXED_PRECISION": "fp8"}),
    )
    yield (
        "leftover-cpu",
        go("accelerate launch --config_file te.yaml train.py", variables={"ACCELERATE_USE_CPU": "true"}),
    )
    yield (
        "leftover-accumulation",
        go(
            "python train.py",
            variables={"ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4", "ACCELERATE_MIXED_PRECISION": "fp8"},
        ),
    )
    yield (
        "leftover-dynamo",
        go("python train.py", variables={"ACCELERATE_DYNAMO_BACKEND": "EAGER", "ACCELERATE_MIXED_PRECISION": "fp8"}),
    )
    yield "leftover-upper", go("python train.py", variables={"ACCELERATE_MIXED_PRECISION": "FP8"})
    yield "leftover-empty", go("python train.py", variables={"ACCELERATE_MIXED_PRECISION": ""})
    yield (
        "env-unset",
        go("env -u ACCELERATE_MIXED_PRECISION python train.py", variables={"ACCELERATE_MIXED_PRECISION": "fp8"}),
    )
    yield "env-clean", go('env -i PATH="$PATH" python train.py', variables={"ACCELERATE_MIXED_PRECISION": "fp8"})
    yield "default-file", Try("accelerate launch train.py", {"train.py": PLAIN}, default_file=TE)
    yield "default-file-python", Try("python train.py", {"train.py": PLAIN}, default_file=TE)
    yield (
        "default-file-flag",
        Try("accelerate launch --mixed_precision bf16 train.py", {"train.py": PLAIN}, default_file=TE),
    )
    job = "#!/bin/bash\n#SBATCH --job-name=ft\n#SBATCH --gres=gpu:1\n#SBATCH --ntasks=1\nset -euo pipefail\nCONFIG=${{1:-te.yaml}}\nexport ACCELERATE_MIXED_PRECISION={0}\n{1}\n"
    run = "accelerate launch \\\n    --config_file $CONFIG \\\n    --num_processes 1 \\\n    train.py"
    yield "script-default", Try("bash run.sh", {**files, "run.sh": job.format("bf16", run)})
    yield "script-argument", Try("bash run.sh ao.yaml", {**files, "run.sh": job.format("bf16", run)})
    yield (
        "script-python",
        Try("bash run.sh", {**files, "run.sh": job.format("fp8", 'srun() { "$@"; }\nsrun python train.py')}),
    )
    yield (
        "script-array",
        Try(
            "bash run.sh",
            {
                **files,
                "run.sh": '#!/usr/bin/env bash\nARGS=(\n  --config_file te.yaml\n  --fp8_format E4M3\n)\naccelerate launch "${ARGS[@]}" train.py\n',
            },
        ),
    )
    yield (
        "script-if",
        Try(
            "FP8=1 bash run.sh",
            {
                **files,
                "run.sh": '#!/bin/bash\nif [ "${FP8:-0}" = "1" ]; then\n  CFG=te.yaml\nelse\n  CFG=bf16.yaml\nfi\naccelerate launch --config_file "$CFG" train.py\n',
            },
        ),
    )
    yield (
        "script-case",
        Try(
            "bash run.sh ao",
            {
                **files,
                "run.sh": '#!/bin/bash\ncase "$1" in\n  te) cfg=te.yaml ;;\n  ao|torchao) cfg=ao.yaml ;;\n  *) cfg=bf16.yaml ;;\nesac\nexec accelerate launch --config_file "$cfg" train.py\n',
            },
        ),
    )
    yield (
        "script-function",
        Try(
            "bash run.sh",
            {
                **files,
                "run.sh": '#!/bin/bash\nlaunch() {\n  local precision=$1; shift\n  accelerate launch --mixed_precision "$precision" "$@"\n}\nlaunch fp8 train.py\n',
            },
        ),
    )
    yield (
        "script-source",
        Try(
            "bash run.sh",
            {
                **files,
                "env.sh": "export ACCELERATE_MIXED_PRECISION=fp8\nexport ACCELERATE_FP8_BACKEND=AO\n",
                "run.sh": "#!/bin/bash\nsource ./env.sh\npython train.py\n",
            },
        ),
    )
    yield (
        "script-cd",
        Try(
            "bash jobs/run.sh",
            {
                **files,
                "jobs/run.sh": '#!/bin/bash\ncd "$(dirname "$0")/.."\naccelerate launch --config_file te.yaml train.py\n',
            },
        ),
    )


# --- Trainer and TRL ---------------------------------------------------------------------------------------------

TRAINER = """import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
{data}
{before}
args = TrainingArguments(
    output_dir="out",
    max_steps=1,
    per_device_train_batch_size=4,
    report_to="none",
    save_strategy="no",
    {keywords}
)
trainer = Trainer(model=AutoModelForCausalLM.from_pretrained("model"{model}), args=args, train_dataset=Rows())
trainer.train()
"""
SFT = """from datasets import load_dataset
from trl import SFTConfig, SFTTrainer
{before}

def main():
    config = SFTConfig(
        output_dir="out",
        max_steps=1,
        per_device_train_batch_size=4,
        learning_rate=1e-3,
        report_to="none",
        save_strategy="no",
        {keywords}
    )
    trainer = SFTTrainer(model="model", args=config, train_dataset=load_dataset("data/sft", split="train"){more})
    trainer.train()


if __name__ == "__main__":
    main()
"""


def _trainers() -> Iterator[tuple[str, Try]]:
    def trainer(keywords: str, before: str = "", model: str = "") -> str:
        return TRAINER.format(data=DATA, before=before, keywords=keywords, model=model)

    te = {"te.yaml": TE, "ao.yaml": AO}
    launch = "accelerate launch --config_file te.yaml train.py"
    yield (
        "trainer-accelerator-config",
        Try(
            launch, {**te, "train.py": trainer('accelerator_config={"split_batches": True, "mixed_precision": "fp8"},')}
        ),
    )
    yield (
        "trainer-accelerator-config-file",
        Try(
            launch,
            {
                **te,
                "train.py": trainer('accelerator_config="acc.json",'),
                "acc.json": {"split_batches": False, "even_batches": True},
            },
        ),
    )
    yield (
        "trainer-own-accelerator",
        Try(
            "python train.py",
            {
                "train.py": trainer(
                    "bf16=False,",
                    'from accelerate import Accelerator\n\naccelerator = Accelerator(mixed_precision="fp8")',
                )
            },
        ),
    )
    yield (
        "trainer-own-accelerator-default",
        Try(
            "python train.py",
            {
                "train.py": trainer(
                    "", 'from accelerate import Accelerator\n\naccelerator = Accelerator(mixed_precision="fp8")'
                )
            },
        ),
    )
    yield (
        "trainer-environ",
        Try(
            "python train.py",
            {"train.py": trainer("", 'import os\n\nos.environ["ACCELERATE_MIXED_PRECISION"] = "fp8"')},
        ),
    )
    yield (
        "trainer-environ-behind",
        Try(
            "python train.py",
            {
                "train.py": trainer("").replace(
                    "trainer = Trainer(",
                    'import os\n\nos.environ["ACCELERATE_MIXED_PRECISION"] = "fp8"\ntrainer = Trainer(',
                )
            },
        ),
    )
    yield (
        "trainer-torch-dtype",
        Try(launch, {**te, "train.py": trainer("bf16=False,", model=', torch_dtype="bfloat16"')}, OLD),
    )
    yield "trainer-half-precision-backend", Try(launch, {**te, "train.py": trainer('half_precision_backend="fp8",')})
    yield (
        "trainer-half-precision-backend-old",
        Try(launch, {**te, "train.py": trainer('half_precision_backend="fp8",')}, OLD),
    )
    yield "trainer-fp16-full", Try(launch, {**te, "train.py": trainer("bf16_full_eval=True, fp16=False,")})
    yield "trainer-use-cpu", Try(launch, {**te, "train.py": trainer("use_cpu=True,")})
    yield (
        "trainer-fsdp",
        Try(
            "torchrun --nproc_per_node 2 train.py",
            {
                "train.py": trainer(
                    'fsdp="full_shard auto_wrap", fsdp_config={"fsdp_version": 2, "transformer_layer_cls_to_wrap": ["LlamaDecoderLayer"]}, bf16=True,'
                )
            },
            gpus=TWO,
        ),
    )
    yield (
        "trainer-fsdp-fp8",
        Try(
            "torchrun --nproc_per_node 2 train.py",
            {
                "train.py": trainer(
                    'fsdp="full_shard auto_wrap", fsdp_config={"version": 2, "transformer_layer_cls_to_wrap": ["LlamaDecoderLayer"]},'
                )
            },
            gpus=TWO,
            variables={"ACCELERATE_MIXED_PRECISION": "fp8", "ACCELERATE_FP8_BACKEND": "AO"},
        ),
    )
    yield (
        "trainer-compile",
        Try(launch, {**te, "train.py": trainer('torch_compile=True, torch_compile_backend="eager",')}),
    )
    yield (
        "trainer-deepspeed-dict",
        Try(
            "accelerate launch --mixed_precision fp8 --num_processes 1 train.py",
            {
                "train.py": trainer(
                    'deepspeed={"zero_optimization": {"stage": 2}, "train_micro_batch_size_per_gpu": "auto", "gradient_accumulation_steps": "auto"},'
                )
            },
            DEEPSPEED,
        ),
    )
    yield (
        "trainer-checkpointing",
        Try(
            launch,
            {
                **te,
                "train.py": trainer(
                    "gradient_checkpointing=True, gradient_checkpointing_kwargs={'use_reentrant': False},"
                ),
            },
        ),
    )
    yield (
        "trainer-args-changed",
        Try(
            launch,
            {
                **te,
                "train.py": trainer("bf16=True,").replace(
                    "trainer = Trainer(", "args.bf16 = False\ntrainer = Trainer("
                ),
            },
        ),
    )
    yield (
        "trainer-args-changed-old",
        Try(
            launch,
            {
                **te,
                "train.py": trainer("bf16=True,").replace(
                    "trainer = Trainer(", "args.bf16 = False\ntrainer = Trainer("
                ),
            },
            OLD,
        ),
    )
    yield "trainer-1.7", Try(launch, {**te, "train.py": trainer("bf16=True,")}, FACTORY_3)
    sft = SFT.format
    peft = ", peft_config=LoraConfig(r=8, target_modules='all-linear', task_type='CAUSAL_LM')"
    yield "sft-default-te", Try(launch, {**te, "train.py": sft(before="", keywords="", more="")})
    yield (
        "sft-bf16-off-ao",
        Try(
            "accelerate launch --config_file ao.yaml train.py",
            {**te, "train.py": sft(before="", keywords="bf16=False,", more="")},
        ),
    )
    yield (
        "sft-length",
        Try(launch, {**te, "train.py": sft(before="", keywords="bf16=False, max_seq_length=64,", more="")}),
    )
    yield (
        "sft-max-length",
        Try(
            launch,
            {**te, "train.py": sft(before="", keywords="bf16=False, max_length=16, packing=False,", more="")},
            OLD,
        ),
    )
    yield (
        "sft-lora",
        Try(launch, {**te, "train.py": sft(before="from peft import LoraConfig\n", keywords="bf16=False,", more=peft)}),
    )
    yield (
        "sft-lora-ao",
        Try(
            "accelerate launch --config_file ao.yaml train.py",
            {**te, "train.py": sft(before="from peft import LoraConfig\n", keywords="bf16=False,", more=peft)},
        ),
    )
    yield (
        "sft-dtype",
        Try(
            "accelerate launch --config_file ao.yaml train.py",
            {
                **te,
                "train.py": sft(before="", keywords='bf16=False, model_init_kwargs={"dtype": "bfloat16"},', more=""),
            },
        ),
    )
    parsed = """from trl import ModelConfig, ScriptArguments, SFTConfig, SFTTrainer, TrlParser, get_peft_config
from datasets import load_dataset

if __name__ == "__main__":
    parser = TrlParser((ScriptArguments, SFTConfig, ModelConfig))
    script_args, training_args, model_args = parser.parse_args_and_config()
    trainer = SFTTrainer(
        model=model_args.model_name_or_path,
        args=training_args,
        train_dataset=load_dataset(script_args.dataset_name, split="train"),
        peft_config=get_peft_config(model_args),
    )
    trainer.train()
"""
    recipe = {"model_name_or_path": "model", "dataset_name": "data/sft", "output_dir": "out", "max_steps": 1, "report_to": "none",
              "save_strategy": "no", "per_device_train_batch_size": 4, "learning_rate": 1e-3}  # fmt: skip
    for key, changes, words in (
        ("parser-bf16", {"bf16": True}, "--config recipe.yaml"),
        ("parser-off", {"bf16": False}, "--config recipe.yaml"),
        ("parser-over", {"bf16": True}, "--config recipe.yaml --bf16=false"),
        ("parser-no-flag", {"bf16": True}, "--config recipe.yaml --no_bf16"),
        ("parser-default", {}, "--config recipe.yaml"),
        ("parser-twice", {"bf16": True}, "--config recipe.yaml --fp16"),
    ):
        yield f"sft-{key}", Try(f"{launch} {words}", {**te, "train.py": parsed, "recipe.yaml": {**recipe, **changes}})
    for key, command, changes in (
        ("profile-path", "trl sft --config recipe.yaml --accelerate_config ./te.yaml", {"bf16": False}),
        ("profile-inline", "trl sft --config recipe.yaml --accelerate_config single_gpu --mixed_precision fp8", {}),
        (
            "profile-fsdp2-fp8",
            "trl sft --config recipe.yaml --accelerate_config fsdp2 --num_processes 1 --mixed_precision fp8",
            {"bf16": False},
        ),
        (
            "launch-module",
            "accelerate launch --config_file te.yaml -m trl.scripts.sft --config recipe.yaml",
            {"bf16": False},
        ),
        (
            "launch-module-bf16",
            "accelerate launch --config_file te.yaml -m trl.scripts.sft --config recipe.yaml --bf16 True",
            {"bf16": False},
        ),
        ("fp8-key", "trl sft --config recipe.yaml", {"fp8": True}),
        ("precision-fp8-quoted", "trl sft --config recipe.yaml --mixed_precision 'fp8'", {"bf16": "false"}),
        (
            "num-processes-key",
            "trl sft --config recipe.yaml",
            {"num_processes": 1, "mixed_precision": "fp8", "fp8_backend": "te", "bf16": False},
        ),
    ):
        yield f"trl-{key}", Try(command, {**te, "recipe.yaml": {**recipe, **changes}})
    dpo = {**recipe, "dataset_name": "data/dpo"}
    yield (
        "trl-dpo-te",
        Try("trl dpo --config dpo.yaml --accelerate_config te.yaml", {**te, "dpo.yaml": {**dpo, "bf16": False}}),
    )
    yield (
        "trl-dpo-ao-old",
        Try("trl dpo --config dpo.yaml --accelerate_config ao.yaml", {**te, "dpo.yaml": {**dpo, "bf16": False}}, OLD),
    )
    grpo = {**recipe, "dataset_name": "data/prompts", "reward_funcs": ["get_soft_overlong_punishment"], "num_generations": 8,
            "per_device_train_batch_size": 8, "max_completion_length": 11, "generation_kwargs": {"min_new_tokens": 11}}  # fmt: skip
    yield (
        "trl-grpo-ao",
        Try("trl grpo --config grpo.yaml --accelerate_config ao.yaml", {**te, "grpo.yaml": {**grpo, "bf16": False}}),
    )
    yield "trl-grpo-bf16", Try("trl grpo --config grpo.yaml --accelerate_config ao.yaml", {**te, "grpo.yaml": grpo})


# --- LLaMA-Factory and axolotl -----------------------------------------------------------------------------------


def _factories() -> Iterator[tuple[str, Try]]:
    base: dict[str, Any] = {
        "model_name_or_path": "model", "trust_remote_code": True, "stage": "sft", "do_train": True, "finetuning_type": "full",
        "dataset": "sft", "dataset_dir": "data", "template": "default", "cutoff_len": 32, "overwrite_cache": True,
        "preprocessing_num_workers": 1, "output_dir": "out", "logging_steps": 1, "overwrite_output_dir": True,
        "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1, "learning_rate": 1.0e-3, "max_steps": 1,
        "report_to": "none", "save_strategy": "no",
    }  # fmt: skip
    train = "llamafactory-cli train lf.yaml"
    rest = {"te.yaml": TE, "ao.yaml": AO}

    def lf(command: str, release: str, **changes: Any) -> Try:
        # overwrite_output_dir went with transformers 5
        file = {name: value for name, value in {**base, **changes}.items() if value is not ...}
        if release == FACTORY_5:
            file.pop("overwrite_output_dir", None)
        return Try(command, {**rest, "lf.yaml": file}, release)

    for release, name in ((FACTORY_3, "0.9.3"), (FACTORY_4, "0.9.4"), (FACTORY_5, "0.9.5")):
        yield f"lf-fp8-no-bf16-{name}", lf(train, release, fp8=True)
        yield f"lf-fp8-backend-upper-{name}", lf(train, release, fp8=True, fp8_backend="TE", bf16=True)
        yield f"lf-pure-fp8-{name}", lf(train, release, fp8=True, pure_bf16=True)
        yield f"lf-launch-{name}", lf("accelerate launch --config_file te.yaml src/train.py lf.yaml", release)
        yield (
            f"lf-lora-fp8-{name}",
            lf(train, release, fp8=True, bf16=True, finetuning_type="lora", lora_target="all", lora_rank=8),
        )
    yield "lf-overwrite-0.9.5", Try(train, {"lf.yaml": {**base, "bf16": True}}, FACTORY_5)
    yield (
        "lf-gather-0.9.4",
        lf(train, FACTORY_4, fp8=True, bf16=True, fp8_enable_fsdp_float8_all_gather=True, fp8_backend="torchao"),
    )
    yield "lf-mixed-key-0.9.4", lf(train, FACTORY_4, mixed_precision="fp8")
    yield (
        "lf-env-launch-0.9.4",
        lf("accelerate launch --config_file te.yaml $(which llamafactory-cli) train lf.yaml", FACTORY_4),
    )
    yield (
        "lf-overrides-0.9.4",
        lf("llamafactory-cli train lf.yaml bf16=true fp8=true fp8_backend=te per_device_train_batch_size=2", FACTORY_4),
    )
    yield "lf-overrides-dashes-0.9.4", lf("llamafactory-cli train lf.yaml --fp8 true", FACTORY_4, bf16=True)
    flags = " ".join(f"--{name} {value}" for name, value in base.items() if name != "overwrite_output_dir")
    yield "lf-all-flags-0.9.4", Try(f"llamafactory-cli train {flags} --fp8 --bf16", {}, FACTORY_4)
    yield "lf-all-flags-0.9.3", Try(f"llamafactory-cli train {flags} --fp8 --bf16", {}, FACTORY_3)
    yield "lf-quant-0.9.4", lf(train, FACTORY_4, fp8=True, bf16=True, finetuning_type="lora", quantization_bit=4)
    yield "lf-checkpointing-keys-0.9.4", lf(train, FACTORY_4, fp8=True, bf16=True, gradient_checkpointing=True)
    yield (
        "lf-freeze-0.9.5",
        lf(train, FACTORY_5, fp8=True, bf16=True, finetuning_type="freeze", freeze_trainable_layers=1),
    )
    yield "lf-fa2-0.9.4", lf(train, FACTORY_4, bf16=True, flash_attn="sdpa", use_cpu=True)

    ax: dict[str, Any] = {
        "base_model": "model", "datasets": [{"path": "data/axolotl", "type": "alpaca"}], "sequence_len": 64, "micro_batch_size": 4,
        "gradient_accumulation_steps": 1, "max_steps": 1, "num_epochs": 1, "optimizer": "adamw_torch", "lr_scheduler": "constant",
        "learning_rate": 0.01, "output_dir": "out", "save_strategy": "no", "val_set_size": 0, "attn_implementation": "sdpa",
    }  # fmt: skip

    def axolotl(command: str = "axolotl train ax.yaml", **changes: Any) -> Try:
        file = {name: value for name, value in {**ax, **changes}.items() if value is not ...}
        return Try(command, {**rest, "ax.yaml": file}, AXOLOTL)

    yield "ax-fp8-auto", axolotl(fp8=True, bf16="auto")
    yield "ax-fp8-alone", axolotl(fp8=True)
    yield "ax-fp8-gather", axolotl(fp8=True, bf16=True, fp8_enable_fsdp_float8_all_gather=True)
    yield "ax-fp8-compile", axolotl(fp8=True, bf16=True, torch_compile=False)
    yield "ax-bf16-quoted", axolotl(bf16="true", fp8="true")
    yield "ax-launcher", axolotl("axolotl train ax.yaml --launcher accelerate -- --config_file te.yaml", bf16=False)
    yield "ax-launch-module", axolotl("accelerate launch --config_file te.yaml -m axolotl.cli.train ax.yaml", bf16=True)
    yield (
        "ax-launch-module-ao",
        axolotl("accelerate launch --config_file ao.yaml -m axolotl.cli.train ax.yaml", bf16=True, fp8=True),
    )
    yield "ax-flag", axolotl("axolotl train ax.yaml --fp8", bf16=True)
    yield "ax-flag-value", axolotl("axolotl train ax.yaml --bf16=false --fp8=true", bf16=True)
    yield "ax-checkpointing", axolotl(fp8=True, bf16=True, gradient_checkpointing=True)
    yield "ax-packing", axolotl(fp8=True, bf16=True, sample_packing=True, pad_to_sequence_len=True)
    yield (
        "ax-8bit",
        axolotl(
            fp8=True, bf16=True, adapter="lora", load_in_8bit=True, lora_r=8, lora_alpha=16, lora_target_linear=True
        ),
    )
    yield "ax-load-8bit-full", axolotl(fp8=True, bf16=True, load_in_8bit=True)
    yield "ax-typo", axolotl(fp_8=True, bf16=True)
    yield "ax-mixed-precision", axolotl(mixed_precision="fp8", bf16=True)
    yield "ax-ampere", axolotl(fp8=True, bf16=True)._replace(gpus=["8.0"])
    yield "ax-two", axolotl(fp8=True, bf16=True)._replace(gpus=TWO)


# What is not told of some, and has to be left open.
_NO_KEY = "the script asks for a key that is not there: what Python raises of a script's own is not followed"
_HANDLERS = "handlers that Accelerator refuses: a class in the place of an object, or one that stands in no list"


def undecided(name: str) -> str | None:
    """Why a case has to be left open; None where it is decided."""
    return _OPEN.get(name)


_OPEN: Mapping[str, str] = {
    **dict.fromkeys(("json-missing-key", "yaml-key-missing", "variable-index"), _NO_KEY),
    **dict.fromkeys(("handler-class", "handler-no-list"), _HANDLERS),
    "ax-flag-value": "a value behind a switch of axolotl",
    "fire-class-wrong-name": "a word that names no method of the class that fire is given",
    "ao-rowwise": "a configuration of torchao that its own function makes of a recipe's name",
    "ax-8bit": "what Accelerate's FP8 makes of a base that is quantized",
    "lf-launch-0.9.4": "the script that the command names is not there: it may be where the run is started",
    "lf-launch-0.9.5": "the script that the command names is not there: it may be where the run is started",
    "lf-env-launch-0.9.4": "the program that the shell finds is not among the files",
    "torchrun-module-unknown": "a flag that is not torchrun's here",
    "trainer-environ-behind": "a variable that the script sets between its arguments and its Trainer",
}


def everything() -> Iterator[tuple[str, Try]]:
    """All of them, each with what it is called."""
    for made in (_scripts(), _objects(), _launched(), _trainers(), _factories()):
        yield from made
