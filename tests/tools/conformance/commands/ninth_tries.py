"""What the earlier tries put together, dealt once more; projects of several modules, and scripts with a file of their own.

Each was executed once and compared before anything was changed for it (docs/evidence/commands.md).
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from tests.tools.conformance.commands import eighth_tries, sixth_tries
from tests.tools.conformance.commands.second_tries import DATA, NEW, OLD, Try, config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KIND = "ninth tries"
COUNTS = {
    "own": 12,
    "trainer": 15,
    "trl": 15,
    "factory": 20,
    "axolotl": 10,
    "loop": 12,
    "parser": 12,
    "sft": 12,
    "stage": 15,
    "method": 12,
    "adapters": 15,
    "grown": 15,
    "modules": 40,
    "configured": 40,
    "project": 60,
}
AGAIN = {
    "modules": 30,
    "configured": 30,
    "project": 30,
    "shell": 40,
}  # dealt once more, when all of the above were as predicted
# Executed, and not recorded: what ends these is in none of their files.
LEFT_OUT: Mapping[str, str] = {
    "axolotl-06": "activations that are offloaded, which asks a GPU for its streams",
    "parser-11": "nccl, which there is for GPUs alone",
    **dict.fromkeys(
        ("again-shell-10", "again-shell-15", "again-shell-29"), "make starts it: no run is found, and that is said"
    ),
    "stage-07": "two processes of DeepSpeed that do not come to an end on a CPU",
}
_OPEN: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("configured-02", "configured-20", "configured-21", "configured-27", "configured-31", "configured-33"),
            *("configured-38", "again-configured-09", "again-configured-14", "again-configured-28"),
        ),
        "what the shell has in CONF, the name of a file",
    ),
    **dict.fromkeys(("modules-05", "modules-09", "modules-11"), "what a module asks the shell for, PRECISION"),
    "grown-10": "what the shell has in BF16",
    "loop-11": "what the shell has in MP",
    **dict.fromkeys(("again-shell-23", "again-shell-35"), "what a command prints: $(cat flags.txt)"),
    "again-shell-31": "a value that the shell fills in: a file that xargs names",
    "again-shell-32": "a file that the script itself writes",
    "grown-02": "arguments that are made in a try, and in another way where that fails",
    "trainer-13": "a file behind -m: Python runs it while it looks for a module of that name",
}


def everything() -> Iterator[tuple[str, Try]]:
    """The names of the cases, and what makes them, but those that are not recorded."""
    return ((name, one) for name, one in dealt() if name not in LEFT_OUT)


def dealt() -> Iterator[tuple[str, Try]]:
    """All of them: the same for the same number."""
    return sixth_tries.by_chance("ninth", {"": COUNTS, "again-": AGAIN}, MAKERS)


def undecided(name: str) -> str | None:
    """Why a case has to be left open; None where it is decided."""
    return _OPEN.get(name)


_RECIPES = (
    {"backend": "TE", "fp8_format": "HYBRID"},
    {"backend": "TE"},
    {"backend": "AO", "enable_fsdp_float8_all_gather": False},
    {"backend": "AO"},
)


def _accelerate(chance: Random) -> dict[str, Any]:
    return config(mixed_precision=chance.choice(("fp8", "fp8", "fp8", "bf16")), fp8_config=chance.choice(_RECIPES))


# --- a project of several modules ----------------------------------------------------------------------------------

_IN_CONFIG = (
    *("BF16 = True\n", "BF16 = False\n", "PRECISION = 'fp8'\n", "PRECISION = 'bf16'\n", "PRECISION = None\n"),
    "TRAINING = {'bf16': True, 'max_steps': 1}\n",
    "TRAINING = dict(bf16=False, gradient_checkpointing=True, max_steps=1)\n",
    "from dataclasses import dataclass\n\n\n@dataclass\nclass Settings:\n    precision: str = 'fp8'\n    bf16: bool = False\n    batch: int = 4\n",
    "class Settings:\n    precision = 'bf16'\n    bf16 = True\n    batch = 4\n",
    "import os\n\nPRECISION = os.environ.get('PRECISION', 'fp8')\nBF16 = PRECISION == 'bf16'\n",
)
# How a module of them asks another one for its precision, by what stands in the configuration.
_ASKED = {
    "BF16 =": ("from {m} import BF16", "BF16"),
    "PRECISION =": ("from {m} import PRECISION", "PRECISION"),
    "TRAINING =": ("import {m} as settings", "settings.TRAINING['bf16']"),
    "class Settings": ("from {m} import Settings", "Settings().{a}"),
}
_TRAINS = """import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

{asks}


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 16

    def __getitem__(self, index):
        ids = torch.arange(4, 20)
        return {{"input_ids": ids, "labels": ids}}


def get_args(output_dir="out", **more):
    return TrainingArguments(
        output_dir=output_dir, max_steps=1, report_to="none", save_strategy="no", per_device_train_batch_size=4, **more
    )


def run():
    args = get_args({keywords})
    Trainer(model=AutoModelForCausalLM.from_pretrained("model"), args=args, train_dataset=Rows()).train()
"""
_LOOPS = """import torch
from accelerate import Accelerator
from transformers import AutoModelForCausalLM

{asks}

{data}

def get_accelerator(**more):
    return Accelerator({keywords}**more)


def run():
    accelerator = get_accelerator({given})
    loader = torch.utils.data.DataLoader(Rows(), batch_size=4)
    model = AutoModelForCausalLM.from_pretrained("model")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    for batch in loader:
        accelerator.backward(model(**batch).loss)
        optimizer.step()
        optimizer.zero_grad()
"""


def _modules(chance: Random) -> Try:
    package = chance.choice(("", "", "pkg"))
    where = f"{package}/" if package else ""
    prefix = chance.choice(("pkg.", ".")) if package else ""
    settings = chance.choice(_IN_CONFIG)
    asks, value = next(pair for word, pair in _ASKED.items() if word in settings)
    module = f"{prefix}config"
    if asks.startswith("import ") and prefix == ".":
        asks = "from . import config as settings"
    asks = asks.format(m=module)
    is_bool = "BF16 =" in settings or "TRAINING" in settings
    trains = chance.random() < 0.6
    if trains:
        value = value.format(a="bf16")
        flag = value if is_bool or "Settings" in value else f"{value} == 'bf16'"
        keywords = chance.choice((f"bf16={flag}", f"bf16={flag}", "", f"bf16=bool({flag})", f"'out', bf16={flag}"))
        if "TRAINING" in settings and chance.random() < 0.5:
            keywords = ""
            text = _TRAINS.replace("max_steps=1, ", "").replace("**more\n", "**{{**settings.TRAINING, **more}}\n")
        else:
            text = _TRAINS
        engine = text.format(asks=asks, keywords=keywords)
    else:
        value = value.format(a="precision")
        word = f"'bf16' if {value} else 'no'" if is_bool else value
        first, given = chance.choice((("", f"mixed_precision={word}"), (f"mixed_precision={word}, ", ""), ("", "")))
        engine = _LOOPS.format(asks=asks, data=DATA, keywords=first, given=given)
    files: dict[str, Any] = {"a.yaml": _accelerate(chance), f"{where}config.py": settings, f"{where}engine.py": engine}
    calls = chance.choice(
        (
            f"from {prefix}engine import run",
            f"from {prefix}engine import run as train_all",
            f"import {'pkg.' if package else ''}engine as engine",
        )
    )
    called = "engine.run()" if calls.endswith("as engine") else "train_all()" if "train_all" in calls else "run()"
    main = chance.choice((f"{calls}\n\nif __name__ == '__main__':\n    {called}\n", f"{calls}\n\n{called}\n"))
    files[f"{where}train.py"] = main
    if package and chance.random() < 0.8:
        files[f"{where}__init__.py"] = ""
    started = "-m pkg.train" if package else "train.py"
    how = chance.choice(
        (
            *(f"accelerate launch --config_file a.yaml {started}",) * 5,
            *(f"python {started}", f"accelerate launch --mixed_precision fp8 --fp8_backend te {started}"),
            *(
                f"torchrun --nproc_per_node 1 {started}",
                f"PRECISION=bf16 accelerate launch --config_file a.yaml {started}",
            ),
        )
    )
    return Try(how, files, chance.choice((NEW, NEW, OLD)))


# --- a script that reads a file of its own -------------------------------------------------------------------------

_READS = (
    "import yaml\n\n\ndef load(path):\n    with open(path) as file:\n        return yaml.safe_load(file)\n",
    "import yaml\nfrom pathlib import Path\n\n\ndef load(path):\n    return yaml.safe_load(Path(path).read_text())\n",
    "import json\n\n\ndef load(path):\n    with open(path, encoding='utf-8') as file:\n        return json.load(file)\n",
    "import tomllib\n\n\ndef load(path):\n    with open(path, 'rb') as file:\n        return tomllib.load(file)\n",
    "from omegaconf import OmegaConf\n\n\ndef load(path):\n    return OmegaConf.load(path)\n",
    "from types import SimpleNamespace\n\nimport yaml\n\n\ndef load(path):\n    return yaml.load(open(path), Loader=yaml.SafeLoader)\n",
)
_NAMES = (
    *("cfg = load('conf.{e}')\n",) * 2,
    "CONFIG = 'conf.{e}'\ncfg = load(CONFIG)\n",
    "import argparse\n\nparser = argparse.ArgumentParser()\nparser.add_argument('--config', default='conf.{e}')\ngiven = parser.parse_args()\ncfg = load(given.config)\n",
    "import argparse\n\nparser = argparse.ArgumentParser()\nparser.add_argument('config')\ngiven = parser.parse_args()\ncfg = load(given.config)\n",
    "import os\n\ncfg = load(os.environ.get('CONF', 'conf.{e}'))\n",
    "import sys\n\ncfg = load(sys.argv[1] if len(sys.argv) > 1 else 'conf.{e}')\n",
)
_TAKES = (
    *("precision = cfg['train']['precision']\n",) * 2,
    "precision = cfg.get('train', {}).get('precision', 'no')\n",
    "train = cfg['train']\nprecision = train.get('precision')\n",
    "precision = cfg['train'].get('missing', 'bf16')\n",
    "train = dict(cfg['train'])\nprecision = train.pop('precision')\n",
    "precision = cfg['precision'] if 'precision' in cfg else cfg['train']['precision']\n",
)
_MADE = (
    *("accelerator = Accelerator(mixed_precision=precision)\n",) * 3,
    "accelerator = Accelerator(mixed_precision=precision if precision != 'fp8' else None)\n",
    "options = {'mixed_precision': precision}\naccelerator = Accelerator(**options)\n",
    "accelerator = Accelerator()\nassert accelerator.mixed_precision\n",
    "accelerator = Accelerator(mixed_precision='bf16' if cfg['train']['bf16'] else None)\n",
)
_ARGUED = (
    "args = TrainingArguments(**cfg['arguments'])\n",
    "args = TrainingArguments(output_dir='out', **{key: value for key, value in cfg['arguments'].items() if key != 'output_dir'})\n",
    "args = TrainingArguments(output_dir='out', max_steps=1, report_to='none', save_strategy='no', bf16=cfg['train']['bf16'])\n",
    "args = TrainingArguments(output_dir='out', max_steps=1, report_to='none', save_strategy='no', bf16=cfg['train']['precision'] == 'bf16')\n",
    "arguments = cfg['arguments']\narguments.update(per_device_train_batch_size=4)\nargs = TrainingArguments(**arguments)\n",
    "arguments = {'bf16': False, **cfg['arguments']}\nargs = TrainingArguments(**arguments)\n",
)
_OWN_LOOP = """
loader = torch.utils.data.DataLoader(Rows(), batch_size=4)
model = AutoModelForCausalLM.from_pretrained("model")
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
for batch in loader:
    accelerator.backward(model(**batch).loss)
    optimizer.step()
    optimizer.zero_grad()
"""
_OF_TRAINER = """
Trainer(model=AutoModelForCausalLM.from_pretrained("model"), args=args, train_dataset=Rows()).train()
"""


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)


def _as_toml(tables: Mapping[str, Any]) -> str:
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in table.items())
        for name, table in tables.items()
    )


def _configured(chance: Random) -> Try:
    reads, names = chance.choice(_READS), chance.choice(_NAMES)
    ending = "json" if "json" in reads else "toml" if "tomllib" in reads else "yaml"
    trains = chance.random() < 0.5
    arguments = {"output_dir": "out", "max_steps": 1, "report_to": "none", "save_strategy": "no"}
    arguments |= chance.choice(({}, {}, {"bf16": True}, {"bf16": False}, {"gradient_checkpointing": True}))
    conf: dict[str, Any] = {
        "train": {"precision": chance.choice(("fp8", "fp8", "bf16", "no")), "bf16": chance.choice((True, False))},
        "arguments": arguments,
    }
    kept: Any = _as_toml(conf) if ending == "toml" else conf
    head = "import torch\nfrom accelerate import Accelerator\nfrom transformers import AutoModelForCausalLM, Trainer, TrainingArguments\n"
    body = (
        f"{names.format(e=ending)}{chance.choice(_ARGUED) if trains else chance.choice(_TAKES) + chance.choice(_MADE)}"
    )
    body += _OF_TRAINER if trains else _OWN_LOOP
    if chance.random() < 0.4:
        body = f"def main():\n{eighth_tries.body_of(body)}\n\nif __name__ == '__main__':\n    main()\n"
    text = f"{head}{reads}\n{DATA}\n{body}"
    given = ""
    if "'--config'" in names:
        given = chance.choice(("", f" --config conf.{ending}"))
    elif "argument('config')" in names:
        given = f" conf.{ending}"
    elif "sys.argv" in names:
        given = chance.choice(("", f" conf.{ending}"))
    start = chance.choice(
        (
            *("accelerate launch --config_file a.yaml train.py",) * 5,
            *("python train.py", "accelerate launch --mixed_precision fp8 train.py"),
        )
    )
    files = {"a.yaml": _accelerate(chance), "train.py": text, f"conf.{ending}": kept}
    return Try(start + given, files, chance.choice((NEW, NEW, OLD)))


# --- a project whose options, model and loop are in modules of their own --------------------------------------------

_OPTIONS = """import argparse


def {name}(argv=None):
    parser = argparse.ArgumentParser(description="train")
    parser.add_argument("--mixed_precision", "--mp", default={default}{choices})
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--model", default="model")
{more}    return parser.parse_args({argv})
"""
_MODELS = (
    "def build(name):\n    return AutoModelForCausalLM.from_pretrained(name)\n",
    "def build(name):\n    model = AutoModelForCausalLM.from_pretrained(name)\n    model.train()\n    return model\n",
    "def build(name):\n    config = AutoConfig.from_pretrained(name)\n    return AutoModelForCausalLM.from_config(config)\n",
    "def build(name):\n    model = AutoModelForCausalLM.from_pretrained(name)\n    model.gradient_checkpointing_enable()\n    return model\n",
    "class Build:\n    def __call__(self, name):\n        return AutoModelForCausalLM.from_pretrained(name)\n\n\nbuild = Build()\n",
)
_LOOP_OF = """def train({given}):
    model.train()
    for batch in loader:
        loss = model(**batch).loss
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
"""
_ENGINES = (
    """class Engine:
    def __init__(self, args):
        self.args = args
        self.accelerator = Accelerator({keywords})

    def fit(self):
        model = build(self.args.model)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        loader = torch.utils.data.DataLoader(Rows(), batch_size=self.args.batch_size)
        model, optimizer, loader = self.accelerator.prepare(model, optimizer, loader)
        {mode}
        for batch in loader:
            loss = model(**batch).loss
            self.accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
""",
    """class Base:
    precision = None

    def __init__(self, args):
        self.args = args
        self.accelerator = self.make()

    def make(self):
        return Accelerator(mixed_precision=self.precision)


class Engine(Base):
    precision = {word}

    def fit(self):
        model = build(self.args.model)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        loader = torch.utils.data.DataLoader(Rows(), batch_size=4)
        model, optimizer, loader = self.accelerator.prepare(model, optimizer, loader)
        {mode}
        for batch in loader:
            self.accelerator.backward(model(**batch).loss)
            optimizer.step()
            optimizer.zero_grad()
""",
)
_OF_TRAINERS = """def make_arguments(args):
    return TrainingArguments(
        output_dir="out", max_steps=1, report_to="none", save_strategy="no",
        per_device_train_batch_size=args.batch_size, {keywords}
    )


class Engine:
    def __init__(self, args):
        self.args = args
        self.trainer = Trainer(model=build(args.model), args=make_arguments(args), train_dataset=Rows())

    def fit(self):
        self.trainer.train()
"""
_WORDS = (
    "",
    "",
    " --mp bf16",
    " --mixed_precision fp8",
    " --bf16",
    " --mixed_precision=no --batch-size 4",
    " --mixed bf16",
)


def _project(chance: Random) -> Try:
    package = chance.choice(("", "", "lib"))
    where, dot = (f"{package}/", f"{package}.") if package else ("", "")
    inner = "." if package and chance.random() < 0.5 else dot
    name = chance.choice(("parse_args", "get_args", "options", "get_parser_args"))
    options = _OPTIONS.format(
        name=name,
        default=chance.choice(("None", "None", "'fp8'", "'bf16'", "'no'")),
        choices=chance.choice(("", ', choices=["no", "fp16", "bf16", "fp8"]')),
        more=chance.choice(("", "", '    parser.add_argument("--local_rank", type=int, default=-1)\n')),
        argv=chance.choice(("", "", "argv")),
    )
    head = (
        "import torch\nfrom accelerate import Accelerator\nfrom transformers import AutoConfig, AutoModelForCausalLM\n"
    )
    mode = chance.choice(("model.train()", "model.train()", "pass", "torch.manual_seed(1)"))
    trains = chance.random() < 0.35
    files: dict[str, Any] = {"a.yaml": _accelerate(chance), f"{where}options.py": options}
    files[f"{where}models.py"] = (
        f"from transformers import AutoConfig, AutoModelForCausalLM\n\n\n{chance.choice(_MODELS)}"
    )
    if trains:
        keywords = chance.choice(("bf16=args.bf16", "bf16=args.bf16", "bf16=args.mixed_precision == 'bf16'", ""))
        engine = _OF_TRAINERS.format(keywords=keywords)
        head = "import torch\nfrom transformers import Trainer, TrainingArguments\n"
    else:
        keywords = chance.choice(
            (
                *("mixed_precision=args.mixed_precision", "mixed_precision=self.args.mixed_precision", ""),
                "mixed_precision='bf16' if args.bf16 else None",
                "mixed_precision=args.mixed_precision or 'bf16'",
            )
        )
        word = chance.choice(("None", "'fp8'", "'bf16'"))
        engine = chance.choice(_ENGINES).format(keywords=keywords, mode=mode, word=word)
    files[f"{where}engine.py"] = f"{head}\nfrom {inner}models import build\n{DATA}\n\n{engine}"
    shape = chance.choice(("main", "main", "top", "inline"))
    start = f"from {dot}engine import Engine\nfrom {dot}options import {name}\n"
    if shape == "main":
        main = f"{start}\n\ndef main():\n    args = {name}()\n    Engine(args).fit()\n\n\nif __name__ == '__main__':\n    main()\n"
    elif shape == "top":
        main = f"{start}\nargs = {name}()\nengine = Engine(args)\nengine.fit()\n"
    else:
        # The Accelerator and prepare() here, the loop in a module.
        files[f"{where}engine.py"] = _LOOP_OF.format(given="accelerator, model, optimizer, loader")
        word = chance.choice(("args.mixed_precision", "None", "'bf16' if args.bf16 else args.mixed_precision"))
        main = (
            f"import torch\nfrom accelerate import Accelerator\n\nfrom {dot}engine import train\n"
            f"from {dot}models import build\nfrom {dot}options import {name}\n{DATA}\n\n"
            f"def main():\n    args = {name}()\n    accelerator = Accelerator(mixed_precision={word})\n"
            "    model = build(args.model)\n    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)\n"
            "    loader = torch.utils.data.DataLoader(Rows(), batch_size=args.batch_size)\n"
            "    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)\n"
            "    train(accelerator, model, optimizer, loader)\n\n\nif __name__ == '__main__':\n    main()\n"
        )
    files["train.py"] = main
    if package and chance.random() < 0.8:
        files[f"{where}__init__.py"] = chance.choice(("", f"from .options import {name}\n"))
    how = chance.choice(
        (
            *("accelerate launch --config_file a.yaml train.py",) * 5,
            *("python train.py", "accelerate launch --mixed_precision fp8 --fp8_backend te train.py"),
            "torchrun --nproc_per_node 1 train.py",
        )
    )
    return Try(how + chance.choice(_WORDS), files, chance.choice((NEW, NEW, OLD)))


MAKERS = {
    **sixth_tries.MAKERS,
    **eighth_tries.MAKERS,
    "modules": _modules,
    "configured": _configured,
    "project": _project,
}
