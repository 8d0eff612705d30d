"""A script as it is started: what its text leaves open and following it tells."""

from __future__ import annotations

import pytest

from fp8check.rules.reading.source import load
from fp8check.rules.settings.script import Made, Script, ScriptSource, Unevaluated
from fp8check.rules.settings.script_known import Start, known
from fp8check.rules.settings.script_syntax import parse
from fp8check.rules.settings.values import SettingLater

PYTHON = Start((), {}, ("9.0",))
ARGS = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--fp8', action='store_true')\nargs = p.parse_args()\n"


def started(text: str, start: Start = PYTHON) -> ScriptSource:
    source = parse(load("train.py", text.encode()))
    assert source is not None
    return known(source, (), start)


HANDLERS: dict[str, tuple[str, str | None]] = {
    "appended": ("k = []\nk.append(AORecipeKwargs())\na = Accelerator(kwargs_handlers=k)", "AORecipeKwargs"),
    "of a function": (
        "def f():\n    return [TERecipeKwargs()]\na = Accelerator(kwargs_handlers=f())",
        "TERecipeKwargs",
    ),
    "none of a function": ("def f():\n    return None\na = Accelerator(kwargs_handlers=f())", None),
    "the first by Accelerate's order": (
        "k = []\nk.extend([TERecipeKwargs(), FP8RecipeKwargs()])\na = Accelerator(kwargs_handlers=k)",
        "FP8RecipeKwargs",
    ),
}


@pytest.mark.parametrize(("text", "name"), HANDLERS.values(), ids=HANDLERS)
def test_handlers(text: str, name: str | None) -> None:
    script = Script.of(started(text))
    assert script.unknown == ""
    assert script.handler == name


OPEN = {
    "unknown handlers": "a = Accelerator(kwargs_handlers=f())",
    "an unknown handler": "k = []\nk.append(f())\na = Accelerator(kwargs_handlers=k)",
    "made twice": "def f(k):\n    return Accelerator(kwargs_handlers=k)\nf([AORecipeKwargs()])\nf([])",
    "never made": "def f(k):\n    return Accelerator(kwargs_handlers=k)",
    "too long": "x = 1\n" * 21_000 + "a = Accelerator(kwargs_handlers=f())",
}


@pytest.mark.parametrize("text", OPEN.values(), ids=OPEN)
def test_handlers_that_are_not_known(text: str) -> None:
    assert "kwargs_handlers=" in Script.of(started(text)).unknown


def test_a_handler_with_an_argument_that_is_not_known() -> None:
    text = "k = []\nk.append(TERecipeKwargs(margin=f(), amax_history_len=x + 1, interval=1))\na = Accelerator(kwargs_handlers=k)"
    script = Script.of(started(text))
    assert script.handler_arguments == {"margin": Unevaluated("f()"), "amax_history_len": Unevaluated("x + 1")}


CONFIGS: dict[str, tuple[str, object]] = {
    "recipe": ("Float8LinearConfig.from_recipe_name('rowwise')", {"recipe": "rowwise"}),
    "options": ("Float8LinearConfig(pad_inner_dim=True)", {"pad_inner_dim": True}),
    "by place": ("Float8LinearConfig(1)", None),
    "an option that is not known": ("Float8LinearConfig(pad_inner_dim=f())", None),
    "something else": ("AORecipeKwargs()", None),
}


@pytest.mark.parametrize(("config", "expected"), CONFIGS.values(), ids=CONFIGS)
def test_the_configuration_of_a_handler(config: str, expected: object) -> None:
    text = f"from torchao.float8 import Float8LinearConfig\nk = []\nk.append(AORecipeKwargs(config={config}))\n"
    found = Script.of(started(f"{text}a = Accelerator(kwargs_handlers=k)")).handler_arguments["config"]
    assert found == expected if expected is not None else isinstance(found, Unevaluated)


def test_branches() -> None:
    text = f"{ARGS}if args.fp8:\n    a = Accelerator(mixed_precision='fp8')\nelse:\n    a = Accelerator()\n"
    assert Script.of(started(text)).mixed_precision is None
    on = Script.of(started(text, PYTHON._replace(words=("--fp8",))))
    assert on.mixed_precision is not None
    assert on.mixed_precision.value == "fp8"
    assert on.several == ()


def test_a_spread_and_places() -> None:
    text = "def f():\n    return {'mixed_precision': 'fp8'}\na = Accelerator(**f())\n"
    found = Script.of(started(text)).mixed_precision
    assert found is not None
    assert (found.value, found.origin.describe()) == ("fp8", "train.py:3")
    assert Script.of(started("x = [True]\na = Accelerator(*x)")).unknown == ""
    assert "**" in Script.of(started("a = Accelerator(**f())")).unknown


def test_values_that_are_deep_or_no_data() -> None:
    nested = "[" * 10 + "]" * 10
    for value in (nested, "{'a': [f()]}", "[f()]"):
        (call,) = started(f"def g():\n    return {value}\na = Accelerator(log_with=g())").named("Accelerator")
        assert isinstance(call.keywords["log_with"].value, Unevaluated)
    (call,) = started("def g():\n    return {'a': [1]}\na = Accelerator(log_with=g())").named("Accelerator")
    assert call.keywords["log_with"].value == {"a": [1]}


def test_a_keyword_of_a_spread_that_is_not_known() -> None:
    (call,) = started("def g():\n    return {'log_with': f()}\na = Accelerator(**g())").named("Accelerator")
    assert call.keywords["log_with"].value == Unevaluated("log_with")


VARIABLES = {
    "set": ("import os\nos.environ['ACCELERATE_X'] = 'a'\na = Accelerator()", "a"),
    "set in a loop": ("import os\nfor n in ['ACCELERATE_X']:\n    os.environ[n] = 'a'\na = Accelerator()", "a"),
    "taken away": ("import os\nos.environ.pop('ACCELERATE_X')\na = Accelerator()", None),
    "not known": ("import os\nos.environ['ACCELERATE_X'] = f()\na = Accelerator()", "?"),
    "before the arguments": ("import os\nos.environ['ACCELERATE_X'] = 'a'\nt = SFTConfig()", "a"),
    "behind the arguments": ("import os\nt = SFTConfig()\nos.environ['ACCELERATE_X'] = 'a'", "?"),
    "both": ("import os\nos.environ['ACCELERATE_X'] = 'a'\nt = SFTConfig()\nos.environ['ACCELERATE_X'] = 'b'", "?"),
}


@pytest.mark.parametrize(("text", "expected"), VARIABLES.values(), ids=VARIABLES)
def test_variables(text: str, expected: str | None) -> None:
    variables = started(text).variables
    assert variables is not None
    found = variables["ACCELERATE_X"]
    assert isinstance(found, SettingLater) if expected == "?" else found.value == expected


def test_variables_of_no_concern_that_are_not_known_are_left_out() -> None:
    assert started("import os\nos.environ['X'] = f()\na = Accelerator()").variables == {}
    assert started("import os\nif f():\n    os.environ['ACCELERATE_X'] = 'a'\n    a = Accelerator()").variables is None
    assert started("a = Accelerator(mixed_precision='fp8')").variables is None
    before = {"ACCELERATE_X": "a"}
    gone = Script.of(started("import os\nos.environ.pop('ACCELERATE_X')\na = Accelerator()"))
    from fp8check.rules.settings.values import Setting

    assert gone.over({name: Setting(value) for name, value in before.items()}) == {}


def test_words_that_go_nowhere_ask_for_nothing() -> None:
    text = f"{ARGS}x = {{'precision': 'fp8'}}\na = Accelerator(mixed_precision='bf16')\n"
    assert started(text).own == ()
    assert started(f"{text}f(x)\n").own != ()
    assert started(f"{ARGS}if args.fp8:\n    f('fp8')\na = Accelerator()\n").own == ()


def test_a_loop_in_evaluation_mode() -> None:
    text = "from transformers import AutoModel\nm = AutoModel.from_pretrained('a')\na = Accelerator()\n"
    found = started(f"{text}a.backward(m(x).loss)").evaluates
    assert found is not None
    assert found.origin.describe() == "train.py:4"
    assert started(f"{text}m.train()\na.backward(m(x).loss)").evaluates is None
    assert started(text).evaluates is None


PLUGINS: dict[str, tuple[str, object]] = {
    "a mapping": ("deepspeed_plugin=DeepSpeedPlugin({'a': 1})", {"a": 1}),
    "by keyword": ("deepspeed_plugin=DeepSpeedPlugin(hf_ds_config={'a': 1})", {"a": 1}),
    "a stage": ("deepspeed_plugin=DeepSpeedPlugin(zero_stage=3)", {"zero_optimization": {"stage": 3}}),
    "several": ("deepspeed_plugins={'a': DeepSpeedPlugin({'a': 1})}", {"a": 1}),
    "a file": ("deepspeed_plugin=DeepSpeedPlugin('ds.json')", None),
    "nothing": ("deepspeed_plugin=DeepSpeedPlugin()", None),
    "more": ("deepspeed_plugin=DeepSpeedPlugin(*x)", None),
    "none of several": ("deepspeed_plugins={}", None),
    "none": ("cpu=True", None),
}


@pytest.mark.parametrize(("keywords", "expected"), PLUGINS.values(), ids=PLUGINS)
def test_deepspeed(keywords: str, expected: object) -> None:
    assert Script.of(started(f"a = Accelerator({keywords})")).deepspeed == expected


def test_objects() -> None:
    script = Script.of(started("p = ParallelismConfig(tp_size=2)\na = Accelerator(parallelism_config=p)"))
    assert script.parallelism is not None
    assert script.parallelism.value == Made("ParallelismConfig", {"tp_size": 2}, (), True, 1, 4)
