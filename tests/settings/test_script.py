"""Training scripts, read by their syntax tree."""

from __future__ import annotations

import pytest

from fp8check.rules.reading.source import decode
from fp8check.rules.settings.script import Script, ScriptSource, Unevaluated
from fp8check.rules.settings.script_syntax import parse


def read(text: str) -> ScriptSource:
    source = parse(decode("train.py", text.encode()))
    assert source is not None
    return source


def test_what_an_accelerator_is_made_with() -> None:
    source = read("import accelerate\nä = 1; a = accelerate.Accelerator(mixed_precision='fp8', cpu=x)\n")
    made = source.accelerator
    assert made is not None
    assert source.text[made.span.start : made.span.end] == "accelerate.Accelerator"
    assert made.keywords["mixed_precision"].value == "fp8"
    assert made.keywords["cpu"].value == Unevaluated("x")
    origin = made.keywords["mixed_precision"].origin
    assert origin.span is not None
    assert origin.key_span is not None
    assert source.text[origin.key_span.start : origin.span.end] == "mixed_precision='fp8'"


@pytest.mark.parametrize(
    "text",
    [
        "Accelerator(kwargs_handlers=[TERecipeKwargs(margin=2, interval=n)])",
        "h = TERecipeKwargs(margin=2, interval=n)\nAccelerator(kwargs_handlers=[other, h])",
        "k = [TERecipeKwargs(margin=2, interval=n)]\ndef main():\n    Accelerator(kwargs_handlers=k)",
    ],
)
def test_the_handler_that_is_passed(text: str) -> None:
    script = Script.of(read(text))
    assert (script.handler, script.handler_arguments) == ("TERecipeKwargs", {"margin": 2})


@pytest.mark.parametrize(
    "text",
    [
        "TERecipeKwargs()\nAccelerator()",
        "h = TERecipeKwargs()\nh = None\nAccelerator(kwargs_handlers=[h])",
        "Accelerator(kwargs_handlers=handlers())",
        "Accelerator(kwargs_handlers=[TERecipeKwargs()])\nAccelerator()",
    ],
)
def test_handlers_that_are_not_passed(text: str) -> None:
    assert Script.of(read(text)).handler is None


DECIDE = "its bf16 and fp16 decide, not the Accelerate file"


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("Accelerator()", ""),
        ("Accelerator(mixed_precision=None)", ""),
        ("print()", ""),
        ("Accelerator(mixed_precision=args.mp)", "train.py passes mixed_precision=args.mp to Accelerator"),
        ("Accelerator()\nAccelerator()", ""),
        (
            "Accelerator()\nAccelerator(mixed_precision='fp8')",
            "train.py makes more than one Accelerator, in lines 1, 2",
        ),
        ("k = {'a': 1}\nk['log_with'] = x\nAccelerator(**k)", ""),
        ("k = dict(a=1)\nif x:\n    k['b'] = x\nAccelerator(**k)", ""),
        (
            "k = {}\nk['mixed_precision'] = x\nAccelerator(**k)",
            "train.py passes mixed_precision=k['mixed_precision'] to Accelerator",
        ),
        (
            "k = {}\nk['kwargs_handlers'] = x\nAccelerator(**k)",
            "train.py passes kwargs_handlers=k['kwargs_handlers'] to Accelerator",
        ),
        (
            "k = {}\nk['fsdp_plugin'] = x\nAccelerator(**k)",
            "train.py passes fsdp_plugin to Accelerator: it decides how the run is distributed",
        ),
        ("k = {}\nk[name] = x\nAccelerator(**k)", "train.py passes **k to Accelerator"),
        ("k = {}\nk['a'] = x\nfill(k)\nAccelerator(**k)", "train.py passes **k to Accelerator"),
        ("k = make()\nk['a'] = x\nAccelerator(**k)", "train.py passes **k to Accelerator"),
        ("k = {**other}\nk['a'] = x\nAccelerator(**k)", "train.py passes **k to Accelerator"),
        ("Accelerator(**options)", "train.py passes **options to Accelerator"),
        (
            "TrainingArguments('out', bf16=True)",
            "train.py makes its own TrainingArguments, with bf16=True: its bf16 and fp16 decide, not the Accelerate file",
        ),
        (
            "SFTConfig(fp16=half, bf16=False)",
            f"train.py makes its own SFTConfig, with bf16=False and fp16=half: {DECIDE}",
        ),
        (
            "parser = HfArgumentParser((ModelArguments, TrainingArguments))",
            f"train.py reads its arguments by HfArgumentParser: {DECIDE}",
        ),
        ("DPOConfig('out', bf16=True)", f"train.py makes its own DPOConfig, with bf16=True: {DECIDE}"),
        (
            "SFTConfig('out')",
            "train.py makes its own SFTConfig: its bf16 and fp16 decide, not the Accelerate file",
        ),
    ],
)
def test_what_cannot_be_told(text: str, unknown: str) -> None:
    script = Script.of(read(text))
    assert script.unknown == unknown
    assert script.mixed_precision is None


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("os.environ['A'] = 'b'\nAccelerator()", True),
        ("Accelerator()\nos.environ['A'] = 'b'", False),
        ("if x:\n    Accelerator()\nos.environ['A'] = 'b'", False),
        ("def main():\n    Accelerator()\nos.environ['A'] = 'b'\nmain()", None),
        ("os.environ['A'] = 'b'\ndef main():\n    Accelerator()", True),
        ("def main():\n    Accelerator()\n    os.environ['A'] = 'b'", False),
        ("if x:\n    os.environ['A'] = 'b'\nAccelerator()", None),
        ("try:\n    pass\nexcept E:\n    os.environ['A'] = 'b'\nelse:\n    Accelerator()", None),
    ],
)
def test_order(text: str, before: bool | None) -> None:
    source = read(text)
    (assigned,) = source.assigned
    (call,) = source.named("Accelerator")
    assert source.before(assigned, call) is before
    assert Script.of(source).environment.keys() == ({"A"} if before else set())


def test_what_is_not_taken_for_a_variable() -> None:
    assert read("os.environ[name] = 'b'\nother['A'] = 'b'\na = b = c\nos.environ[1] = 2").assigned == ()


@pytest.mark.parametrize(
    ("text", "together"),
    [
        ("a.prepare(model, optimizer)", True),
        ("a.prepare(model)", False),
        ("a.prepare(*things)", True),
        ("a.prepare(optimizer)\na.prepare(self.model, loader)", False),
        ("a.prepare(loader)", True),
    ],
)
def test_what_is_prepared_together(text: str, together: bool) -> None:
    assert Script.of(read(f"Accelerator()\n{text}")).prepares_together is together


@pytest.mark.parametrize("text", ["def", "\0", "(" * 5000 + ")" * 5000])
def test_what_is_no_python(text: str) -> None:
    assert parse(decode("train.py", text.encode())) is None


def test_escapes_of_the_script_raise_no_warning() -> None:
    assert parse(decode("train.py", b"x = '\\d'\n")) is not None
