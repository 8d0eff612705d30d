"""What a script hands to Accelerator without writing it out, and what is written out in other words."""

from __future__ import annotations

import pytest

from fp8check.rules.settings.script import Script, Unevaluated
from fp8check.rules.settings.values import SettingLater
from tests.settings.test_script import read

UNKNOWN = {
    "conditional": "k = []\nif x:\n    k = [AORecipeKwargs()]\na = Accelerator(kwargs_handlers=k)",
    "appended": "k = []\nk.append(AORecipeKwargs())\na = Accelerator(kwargs_handlers=k)",
    "filled": "k = []\nfill(k)\na = Accelerator(kwargs_handlers=k)",
    "added": "k = []\nk += more\na = Accelerator(kwargs_handlers=k)",
    "an item set": "k = [1]\nk[0] = more\na = Accelerator(kwargs_handlers=k)",
    "another name": "k = []\nj = k\na = Accelerator(kwargs_handlers=k)",
    "two names": "j = k = []\na = Accelerator(kwargs_handlers=k)",
    "a sum": "a = Accelerator(kwargs_handlers=[] + more)",
    "a long sum": f"a = Accelerator(kwargs_handlers={' + '.join(['[]'] * 20)})",
    "a product": "a = Accelerator(kwargs_handlers=[x] * 2)",
    "a text": "a = Accelerator(kwargs_handlers='x')",
    "a chain": "".join(f"k{i} = k{i + 1}\n" for i in range(20)) + "k20 = []\na = Accelerator(kwargs_handlers=k0)",
    "a name": "a = Accelerator(kwargs_handlers=k)",
    "starred": "a = Accelerator(kwargs_handlers=[*more])",
    "spread": "a = Accelerator(**options)",
    "spread mapping": "o = {k: 1}\na = Accelerator(**o)",
    "spread of a spread": "o = dict(more)\na = Accelerator(**o)",
    "spread later": "o = dict(kwargs_handlers=k)\na = Accelerator(**o)",
    "spread changed": "o = {}\no.update(x=1)\na = Accelerator(**o)",
    "positions": "a = Accelerator(*more)",
    "position": "a = Accelerator(True, False, x)",
    "a plug-in": "a = Accelerator(fsdp_plugin=plugin)",
    "a partial": "import functools\nmake = functools.partial(Accelerator, cpu=True)\na = make()",
    "a subclass": "class A(Accelerator):\n    pass\na = A()",
    "a factory": "make(Accelerator)",
    "its state": "AcceleratorState(mixed_precision=x)\na = Accelerator()",
    "its precision": "a = Accelerator()\na.state._mixed_precision = x",
}


@pytest.mark.parametrize("text", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_not_written_out(text: str) -> None:
    script = Script.of(read(text))
    assert script.unknown.startswith("train.py")
    assert script.perhaps == script.unknown
    assert script.handler is None


def test_both_ways_are_named() -> None:
    text = "k = [AORecipeKwargs()] if x else [TERecipeKwargs()]\na = Accelerator(kwargs_handlers=k)"
    assert "with AORecipeKwargs or TERecipeKwargs among them" in Script.of(read(text)).unknown
    assert "with a recipe handler among them" in Script.of(read("Accelerator(kwargs_handlers=k)")).unknown


KNOWN = {
    "none": ("a = Accelerator(kwargs_handlers=None)", None),
    "other handlers": (
        "a = Accelerator(kwargs_handlers=[DistributedDataParallelKwargs(), InitProcessGroupKwargs()])",
        None,
    ),
    "one is enough": ("a = Accelerator(kwargs_handlers=[other, TERecipeKwargs()])", "TERecipeKwargs"),
    "looked at": ("k = [TERecipeKwargs()]\nprint(len(k))\na = Accelerator(kwargs_handlers=k)", "TERecipeKwargs"),
    "a sum": ("a = Accelerator(kwargs_handlers=[] + [TERecipeKwargs()])", "TERecipeKwargs"),
    "inner list": ("a = Accelerator(kwargs_handlers=(*[TERecipeKwargs()],))", "TERecipeKwargs"),
    "spread": ("o = {'kwargs_handlers': [TERecipeKwargs()]}\na = Accelerator(**o)", "TERecipeKwargs"),
    "spread call": ("a = Accelerator(**dict(kwargs_handlers=[TERecipeKwargs()]))", "TERecipeKwargs"),
    "annotated": (
        "def f(a: Accelerator) -> Accelerator:\n    return isinstance(a, Accelerator)\nA = Accelerator\na = A()",
        None,
    ),
}


@pytest.mark.parametrize(("text", "handler"), KNOWN.values(), ids=KNOWN)
def test_what_is_written_out(text: str, handler: str | None) -> None:
    script = Script.of(read(text))
    assert (script.unknown, script.perhaps, script.handler) == ("", "", handler)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("P = 'fp8'\na = Accelerator(mixed_precision=P)", "fp8"),
        ("a = Accelerator(True, False, 'fp8')", "fp8"),
        ("from accelerate import Accelerator as A\na = A(mixed_precision='fp8')", "fp8"),
        ("import accelerate as hf\na = hf.Accelerator(**{'mixed_precision': 'fp8'})", "fp8"),
    ],
)
def test_a_precision_in_other_words(text: str, value: str) -> None:
    setting = Script.of(read(text)).mixed_precision
    assert setting is not None
    assert setting.value == value


@pytest.mark.parametrize(
    ("made", "arguments"),
    [
        ("AORecipeKwargs(config=Float8LinearConfig(pad_inner_dim=True))", {"config": {"pad_inner_dim": True}}),
        ("AORecipeKwargs(config=Float8LinearConfig())", {"config": {}}),
        ("AORecipeKwargs(config=Float8LinearConfig.from_recipe_name('rowwise'))", {"config": {"recipe": "rowwise"}}),
        ("AORecipeKwargs(config=c)", {"config": Unevaluated("c")}),
        ("AORecipeKwargs(config=make())", {"config": Unevaluated("make()")}),
        ("AORecipeKwargs(config=Float8LinearConfig(x))", {"config": Unevaluated("Float8LinearConfig(x)")}),
        ("AORecipeKwargs(config=Float8LinearConfig(x, y))", {"config": Unevaluated("Float8LinearConfig(x, y)")}),
        ("AORecipeKwargs(config=Float8LinearConfig(a=b))", {"config": Unevaluated("Float8LinearConfig(a=b)")}),
        ("AORecipeKwargs(config=C.from_recipe_name(r))", {"config": Unevaluated("C.from_recipe_name(r)")}),
        ("AORecipeKwargs(config=None)", {"config": None}),
        ("TERecipeKwargs(margin=m, interval=i)", {"margin": Unevaluated("m")}),
        ("TERecipeKwargs(x)", {"*": Unevaluated("x")}),
        ("TERecipeKwargs(*x)", {"*": Unevaluated("*")}),
        ("TERecipeKwargs(**x)", {"**": Unevaluated("x")}),
        ("TERecipeKwargs(**{'margin': 2})", {"margin": 2}),
    ],
)
def test_the_arguments_of_a_handler(made: str, arguments: dict[str, object]) -> None:
    assert Script.of(read(f"Accelerator(kwargs_handlers=[{made}])")).handler_arguments == arguments


VARIABLES = {
    "later": ("import os\nos.environ['ACCELERATE_X'] = y\nAccelerator()", True),
    "known": ("import os\nos.environ['ACCELERATE_X'] = 'y'\nAccelerator()", False),
    "by another name": ("from os import environ as e\ne['ACCELERATE_X'] = y\nAccelerator()", True),
    "perhaps": ("import os\nif z:\n    os.environ['ACCELERATE_X'] = 'y'\nAccelerator()", True),
    "added": ("import os\nos.environ |= {'ACCELERATE_X': y}\nAccelerator()", True),
    "updated": ("import os\nos.environ.update({'ACCELERATE_X': y}, A=1)\nAccelerator()", True),
    "by keyword": ("import os\nos.environ.update(ACCELERATE_X='y')\nAccelerator()", False),
    "by default": ("import os\nos.environ.setdefault('ACCELERATE_X', 'y')\nAccelerator()", True),
}


def test_what_putenv_sets_is_not_seen() -> None:
    assert Script.of(read("import os\nos.putenv('ACCELERATE_X', 'y')\nAccelerator()")).environment == {}


@pytest.mark.parametrize(("text", "later"), VARIABLES.values(), ids=VARIABLES)
def test_variables_that_a_script_sets(text: str, later: bool) -> None:
    script = Script.of(read(text))
    assert isinstance(script.environment["ACCELERATE_X"], SettingLater) is later
    assert bool(script.perhaps) is later


def test_variables_that_decide_nothing() -> None:
    assert (
        Script.of(
            read("import os\nos.environ['A'] = y\nos.environ.pop('B')\nos.environ.update(c)\nAccelerator()")
        ).environment
        == {}
    )


def test_of_a_script_beside_a_trainer_only_its_own_fp8_and_variables_count() -> None:
    source = read("import os\nos.environ['ACCELERATE_X'] = 'y'\nmodel.to_fp8()\nTrainer()\n")
    script = Script.beside_trainer(Script.of(source), source)
    assert [one.what for one in script.own] == ["model.to_fp8"]
    assert isinstance(script.environment["ACCELERATE_X"], SettingLater)
    assert script.source is None


def test_what_is_too_large_is_not_parsed() -> None:
    from fp8check.rules.reading.source import decode
    from fp8check.rules.settings.script_syntax import MAX_CHARACTERS, parse

    assert parse(decode("train.py", b"#" * (MAX_CHARACTERS + 1))) is None
