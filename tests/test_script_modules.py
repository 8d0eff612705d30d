"""The modules beside a script that it imports: read where they lie, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.checking.modules import with_modules
from fp8check.rules.checking.runs import assemble
from fp8check.rules.facts import Facts
from fp8check.rules.reading.source import load
from fp8check.rules.settings.script_syntax import MAX_CHARACTERS, parse
from fp8check.rules.settings.values import SettingLater
from fp8check.rules.trainers.commands import parse as parse_launch
from fp8check.rules.trainers.detect import read

if TYPE_CHECKING:
    from pathlib import Path

    from fp8check.rules.checking.modules import Imported

CONVERTS = "import torchao.float8 as f\nf.convert_to_float8_training(m)\n"
MADE = "from accelerate import Accelerator\na = Accelerator()\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def imported(script: str, name: str = "train.py") -> Imported:
    source = parse(load(name, script.encode()))
    assert source is not None
    return with_modules(source)


@pytest.mark.parametrize(
    ("module", "script", "name"),
    [
        ("m.py", "import m", "train.py"),
        ("m.py", "from m import *", "train.py"),
        ("m/__init__.py", "import m.n as o", "train.py"),
        ("m/n.py", "from m import n", "train.py"),
        ("m/n.py", "from m.n import x", "train.py"),
        ("src/m.py", "from . import m", "src/train.py"),
        ("src/m.py", "from .m import x", "src/train.py"),
        ("src/m.py", "import m", "src/train.py"),
        ("m.py", "from .. import m", "src/train.py"),
    ],
)
def test_where_a_module_is_looked_for(folder: Path, module: str, script: str, name: str) -> None:
    (folder / module).parent.mkdir(exist_ok=True)
    (folder / module).write_text(CONVERTS)
    made = imported(script, name)
    assert [one.span.file for one in made.script.own] == [module]
    assert [document.path for document in made.documents] == [module]


@pytest.mark.parametrize("script", ["import other", "import transformers", "import llamafactory", "from . import *"])
def test_what_is_passed_over(folder: Path, script: str) -> None:
    (folder / "transformers.py").write_text(CONVERTS)
    (folder / "llamafactory.py").write_text(CONVERTS)
    made = imported(f"{script}\n{MADE}")
    assert (made.script.own, made.documents, made.unread) == ((), (), ())


def test_modules_that_import_each_other(folder: Path) -> None:
    (folder / "m.py").write_text("import n\nimport train")
    (folder / "n.py").write_text(f"import m\n{CONVERTS}")
    made = imported(f"import m\nmodel.to_fp8()\n{MADE}")
    assert [(one.span.file, one.sure) for one in made.script.own] == [("n.py", True), ("train.py", False)]


@pytest.mark.parametrize(
    ("module", "script", "unknown"),
    [
        (MADE, "", ""),
        (
            f"def f():\n    {MADE.splitlines()[1]}\n",
            "",
            "m.py:2 makes Accelerator, in a module that the script imports",
        ),
        ("def f(a=None):\n    if a is None:\n        a = Accelerator()\n", MADE, ""),
        (
            "def f(a=None):\n    if b is None:\n        a = Accelerator()\n",
            MADE,
            "m.py:3 makes Accelerator, in a module that the script imports",
        ),
        (MADE, MADE, "m.py:2 makes Accelerator, in a module that the script imports"),
        ("p = HfArgumentParser()", "", "m.py:1 makes HfArgumentParser, in a module that the script imports"),
        ("p = HfArgumentParser()", MADE, ""),
        (MADE, "Accelerator(mixed_precision=x)", "train.py passes mixed_precision=x to Accelerator"),
    ],
)
def test_a_module_that_makes_the_accelerator(folder: Path, module: str, script: str, unknown: str) -> None:
    (folder / "m.py").write_text(module)
    assert imported(f"import m\n{script}").script.unknown == unknown


def test_a_module_that_sets_a_variable(folder: Path) -> None:
    (folder / "m.py").write_text("import os\nos.environ['ACCELERATE_MIXED_PRECISION'] = 'fp8'\n")
    script = imported(f"import m\n{MADE}").script
    assert isinstance(script.environment["ACCELERATE_MIXED_PRECISION"], SettingLater)


def test_a_module_that_cannot_be_read(folder: Path) -> None:
    (folder / "m.py").mkdir()
    (folder / "n.py").write_text("def (")
    (folder / "o.py").write_text("#" * (MAX_CHARACTERS + 1))
    unread = imported("import m\nimport n\nimport o").unread
    assert [(one.path, one.why) for one in unread] == [
        ("m.py", "a folder, not a regular file"),
        ("n.py", "it is no Python that can be parsed here"),
        ("o.py", "it has more than 524,288 characters"),
    ]


def test_too_many_modules(folder: Path) -> None:
    for number in range(102):
        (folder / f"m{number}.py").write_text(f"import m{number + 1}")
    (unread,) = imported("import m0").unread
    assert unread.why == "the script imports more than 100 modules beside it"


def test_too_large_modules(folder: Path) -> None:
    for number in range(9):
        (folder / f"m{number}.py").write_text(f"import m{number + 1}\n# {'x' * 250_000}\n")
    (unread,) = imported("import m0").unread
    assert unread.why == "the script imports more than 2,000,000 characters of modules beside it"


def test_modules_that_a_module_imports_in_its_blocks(folder: Path) -> None:
    """Of a module that has no word of what is looked for, the imports are found all the same."""
    (folder / "a.py").write_text("def f():\n    try:\n        import b\n    except E:\n        from .c import x\n")
    (folder / "b.py").write_text(
        "match x:\n    case 1:\n        if y:\n            from . import d\n        import e\n"
    )
    for name in "cde":
        (folder / f"{name}.py").write_text(CONVERTS)
    assert sorted(document.path for document in imported("import a").documents) == ["c.py", "d.py", "e.py"]


@pytest.mark.parametrize("follow", [True, False])
def test_a_trainers_script_with_modules(folder: Path, follow: bool) -> None:
    (folder / "m.py").write_text(CONVERTS)
    (folder / "train.py").write_text("import m\nTrainer().train()\n")
    training = read("train.yaml", b"model_name_or_path: gpt2\nbf16: true\noutput_dir: out\n")
    (one,) = assemble([training], Facts(), launch=parse_launch("python train.py"), follow=follow)
    assert [own.span.file for own in one.run.script.own] == ["m.py"] * follow
    assert one.documents[1 + follow :] == () if not follow else one.documents[-1].path == "m.py"


HELP = """from accelerate import Accelerator
from accelerate.utils import TERecipeKwargs

PRECISION = "fp8"


def make(precision):
    if precision == "fp8":
        return Accelerator(mixed_precision=precision, kwargs_handlers=[TERecipeKwargs()])
    return Accelerator(mixed_precision=precision)
"""


@pytest.mark.parametrize(
    ("script", "precision", "handler"),
    [
        ("from m import PRECISION, make\nmake(PRECISION)\n", "fp8", "TERecipeKwargs"),
        ("from m import make\nmake('bf16')\n", "bf16", None),
        ("from m import make\n\ndef main():\n    return make('fp8')\n\nmain()\n", "fp8", "TERecipeKwargs"),
        ("from o import again\nagain()\n", "fp8", "TERecipeKwargs"),
        # Where it is not sure which one is made, or what is set before, it is left open.
        ("from m import make\nmake('bf16')\nmake('fp8')\n", None, None),
        ("from m import make\nif x():\n    make('fp8')\n", None, None),
        ("from m import make\nimport os\nos.environ['ACCELERATE_FP8_BACKEND'] = 'AO'\nmake('bf16')\n", None, None),
        ("import m\nm.make('bf16')\n", "bf16", None),
        ("from m import make\nmake(x)\n", None, None),
    ],
)
def test_an_accelerator_that_a_module_makes(
    script: str, precision: str | None, handler: str | None, folder: Path
) -> None:
    """Executed: second-two-files, second-package."""
    (folder / "m.py").write_text(HELP)
    (folder / "o.py").write_text("from m import make\n\n\ndef again():\n    return make('fp8')\n")
    made = imported(script).script
    assert (made.unknown == "") is (precision is not None), made.unknown
    assert (None if made.mixed_precision is None else made.mixed_precision.value) == precision
    assert made.handler == handler


ENGINE = """from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

import conf


def arguments(**more):
    return TrainingArguments("out", **more)


def run():
    model = AutoModelForCausalLM.from_pretrained("m")
    Trainer(model=model, args=arguments(bf16=conf.PRECISION == "bf16")).train()
"""


@pytest.mark.parametrize("precision", ["bf16", "fp8"])
def test_arguments_that_a_module_makes(folder: Path, precision: str) -> None:
    """Executed: ninth-modules-*."""
    (folder / "conf.py").write_text(f"PRECISION = {precision!r}\n")
    (folder / "engine.py").write_text(ENGINE)
    made = imported("import engine\nengine.run()\n")
    (call,) = [one for source in made.sources for one in source.named("TrainingArguments")]
    assert call.keywords["bf16"].value is (precision == "bf16")
    assert call.span.file == "engine.py"


def test_a_word_that_a_module_hands_to_nothing_else(folder: Path) -> None:
    """A default of a variable is no FP8 by other means; handed to something that nobody knows it may be."""
    (folder / "conf.py").write_text("import os\nP = os.environ.get('P', 'fp8')\n")
    assert imported("from conf import P\n").script.own == ()
    (folder / "conf.py").write_text("import other\nP = other.turn('fp8')\n")
    assert imported("from conf import P\n").script.own != ()


def test_layers_that_a_module_computes_again(folder: Path) -> None:
    """Executed: ninth-project-*: the module has no Accelerator and no arguments, and was not looked into."""
    text = "def build(name):\n    model = M.from_pretrained(name)\n    model.gradient_checkpointing_enable()\n"
    (folder / "models.py").write_text(f"from transformers import M\n\n\n{text}    return model\n")
    (source,) = imported("from models import build\n").sources
    assert source.named("gradient_checkpointing_enable")


def test_an_accelerator_of_options_that_a_module_reads(folder: Path) -> None:
    text = "import argparse\n\n\ndef options():\n    parser = argparse.ArgumentParser()\n"
    text += "    parser.add_argument('--mp', default='fp8')\n    return parser.parse_args()\n"
    (folder / "options.py").write_text(text)
    script = "from accelerate import Accelerator\nfrom options import options\nargs = options()\n"
    made = imported(f"{script}Accelerator(mixed_precision=args.mp)\n").script
    assert made.mixed_precision is not None
    assert made.mixed_precision.value == "fp8"
