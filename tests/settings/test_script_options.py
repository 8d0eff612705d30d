"""What a script hangs on its command line: defaults where they are literal, and the flags of the launch over them."""

from __future__ import annotations

import shlex

import pytest

from fp8check.rules.reading.source import load
from fp8check.rules.settings.script import Script, ScriptSource, Unevaluated, options_of
from fp8check.rules.settings.script_syntax import parse

HEAD = "import argparse\nfrom accelerate import Accelerator\np = argparse.ArgumentParser()\n"


def source(text: str) -> ScriptSource:
    made = parse(load("train.py", text.encode()))
    assert made is not None
    return made


def started(text: str, words: list[str]) -> ScriptSource:
    """The script with these words behind it."""
    made = source(text)
    return made.with_options(options_of([made], words))


def passed(text: str, words: str = "") -> object:
    """What reaches Accelerator(mixed_precision=...)."""
    made = started(text, shlex.split(words)).named("Accelerator")[0].keywords["mixed_precision"]
    return made.value.text if isinstance(made.value, Unevaluated) else made.value


def argued(argument: str, value: str = "a.mp", before: str = "", after: str = "") -> str:
    return f"{HEAD}p.add_argument({argument})\na = p.parse_args()\n{before}\nAccelerator(mixed_precision={value})\n{after}\n"


UNKNOWN = "a.mp"


@pytest.mark.parametrize(
    ("argument", "words", "flag"),
    [
        ("'--mp', choices=['no', 'bf16']", "--mp fp8", "--mp fp8"),
        ("'--mp', choices=('no', 'bf16')", "--x --mp=fp8", "--mp=fp8"),
        ("'-m', '--mp', choices=['no']", "-m fp8", "-m fp8"),
        ("'--mp', choices=['no', 'fp8']", "--mp fp8", None),
        ("'--mp', choices=['no']", "--mp '$MP'", None),
        ("'--mp', choices=['no']", "--mp --x", None),
        ("'--mp', choices=['no']", "--mp", None),
        ("'--mp', choices=['no']", "--other fp8", None),
        ("'--mp', choices=['no']", "fp8", None),
        ("'--mp', choices=['no', *more]", "--mp fp8", None),
        ("'--mp', choices=NAMES", "--mp fp8", None),
        ("'--mp', choices=[1, 2], type=int", "--mp 3", None),
        ("'--mp'", "--mp fp8", None),
    ],
)
def test_a_text_that_is_none_of_the_choices(argument: str, words: str, flag: str | None) -> None:
    line = source(argued(argument)).command_line
    assert line is not None
    wrong = line.wrong_word(shlex.split(words))
    assert (None if wrong is None else wrong.origin.flag) == flag
    assert wrong is None or "invalid choice: 'fp8' (choose from 'no'" in str(wrong.value)


@pytest.mark.parametrize(
    ("argument", "words", "said"),
    [
        ("'--n', type=int", "--n fp8", "invalid int value: 'fp8'"),
        ("'--n', type=int", "--n=1.0", "invalid int value: '1.0'"),
        ("'--n', type=int", "--n 1_0", ""),
        ("'--n', type=int", "--n -3", ""),
        ("'--n', type=int", "--n '$N'", ""),
        ("'--n', type=float", "--n fast", "invalid float value: 'fast'"),
        ("'--n', type=float", "--n 1e-5", ""),
        ("'--n', type=float", "--n nan", ""),
        ("'--n', type=int, nargs='+'", "--n fp8", ""),  # how many it takes is not known
        ("'--n', type=NUMBER", "--n fp8", ""),
        ("'--n'", "--n fp8", ""),
    ],
)
def test_a_word_that_is_no_number(argument: str, words: str, said: str) -> None:
    line = source(argued(argument)).command_line
    assert line is not None
    wrong = line.wrong_word(shlex.split(words))
    assert said in str(wrong.value) if wrong is not None and said else wrong is None and not said


@pytest.mark.parametrize(
    ("annotation", "refuses"),
    [
        ("int", True),
        ("float", True),
        ("int | None", True),
        ("Optional[float]", True),
        ("int | str", False),
        ("str", False),
    ],
)
def test_a_field_that_is_a_number(annotation: str, refuses: bool) -> None:
    text = f"""from dataclasses import dataclass
from transformers import HfArgumentParser, Trainer, TrainingArguments

@dataclass
class Own:
    rank: {annotation} = None

own, args = HfArgumentParser((Own, TrainingArguments)).parse_args_into_dataclasses()
"""
    line = source(text).command_line
    assert line is not None
    assert (line.wrong_word(["--rank", "many"]) is not None) == refuses


def test_choices_of_which_nothing_is_known() -> None:
    both = argued("'--mp', choices=['no']", before="p.add_argument('--mp', choices=['fp8'])")
    for text in (both, argued("'--mp', choices=['no']").replace("p.parse_args()", "p.parse_args(['--mp', 'no'])")):
        line = source(text).command_line
        assert line is not None
        assert line.wrong_word(["--mp", "fp8"]) is None


@pytest.mark.parametrize(
    ("argument", "words", "value"),
    [
        ("'--mp', default='bf16'", "", "bf16"),
        ("'--mp', default='bf16'", "--mp fp8", "fp8"),
        ("'--mp', default='bf16'", "--mp=fp8", "fp8"),
        ("'--mp', default='bf16', type=str", "--mp fp16 --other x", "fp16"),
        ("'--mp'", "", None),
        ("'--mp', default=find()", "", UNKNOWN),
        ("'--mp', default=find()", "--mp fp8", "fp8"),
        ("'--mp', default=b'x'", "", UNKNOWN),
        ("'-m', '--mp', default='no'", "-m fp8", "fp8"),
        ("'--mixed-precision', dest='mp'", "--mixed-precision fp8", "fp8"),
        ("'--mixed-precision', dest='mp'", "--mixed fp8", "fp8"),
        ("'--mp', default='bf16'", "--mp", UNKNOWN),
        ("'--mp', default='bf16'", "--mp '$MP'", UNKNOWN),
        ("'--mp', default='bf16'", "cfg.yaml '$@'", UNKNOWN),
        ("'--mp', default='bf16'", "'${@:2}' --mp fp8", "fp8"),
        ("'mp'", "fp8", "fp8"),
        ("'mp'", "", UNKNOWN),
        ("'mp'", "fp8 more", UNKNOWN),
        ("'mp'", "--unknown fp8", UNKNOWN),
        ("'mp'", "-- fp8", UNKNOWN),
        ("'mp', choices=['bf16', 'fp8']", "bf16", "bf16"),
        ("'mp', type=int", "3", 3),
        ("'mp', nargs='?', default='fp8'", "", "fp8"),
        ("'mp', nargs='?', default='fp8'", "bf16", UNKNOWN),
        ("'mp', nargs='+'", "fp8", UNKNOWN),
        ("'--mp', nargs='+'", "--mp fp8", UNKNOWN),
        ("'--mp', nargs='?', const=True, default=False", "--mp", True),
        ("'--mp', nargs='?', const='fp8', default='no'", "--mp", UNKNOWN),
        ("'--mp', action='store_true'", "", False),
        ("'--mp', action='store_true'", "--mp", True),
        ("'--mp', action='store_false'", "", True),
        ("'--mp', action='store_false'", "--mp", False),
        ("'--mp', action=argparse.BooleanOptionalAction, default=True", "--no-mp", False),
        ("'--mp', action=argparse.BooleanOptionalAction, default=True", "", True),
        ("'--mp', action='append'", "--mp fp8", UNKNOWN),
        ("'--mp', type=int, default=2", "--mp 3", 3),
        ("'--mp', type=int, default=2", "--mp three", UNKNOWN),
        ("'--mp', type=float, default=2.0", "--mp 1e-3", 1e-3),
        ("'--mp', type=float, default=2.0", "--mp x", UNKNOWN),
        ("'--mp', type=bool, default=False", "--mp False", True),
        ("'--mp', type=str2bool, default=False", "--mp yes", True),
        ("'--mp', type=tools.str2bool, default=True", "--mp off", False),
        ("'--mp', type=str2bool, default=True", "--mp perhaps", UNKNOWN),
        ("'--mp', type=str2bool, default=True", "--mp", True),
        ("'--mp', type=lambda x: x, default='no'", "--mp fp8", UNKNOWN),
        ("'--mp', type=lambda x: x, default='no'", "", "no"),
    ],
)
def test_an_argument_of_argparse(argument: str, words: str, value: object) -> None:
    assert passed(argued(argument), words) == value


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("a.yaml fp8 --rate 1", None),
        ("--rate 1 a.yaml fp8", None),
        ("a.yaml", "the following arguments are required: mp"),
        ("", "the following arguments are required: config"),
        ("'$@'", None),
    ],
)
def test_words_by_their_place(words: str, said: str | None) -> None:
    text = argued("'--rate', type=float", before="p.add_argument('config')\np.add_argument('mp')\n")
    line = source(text).command_line
    assert line is not None
    lacking = line.lacks(shlex.split(words))
    assert (None if lacking is None else lacking.value) == said
    if said is None and "$" not in words:
        found = {name: one.value for name, one in line.values(shlex.split(words)).items()}
        assert found == {"config": "a.yaml", "mp": "fp8", "rate": 1.0}


@pytest.mark.parametrize(
    ("definitions", "words", "value"),
    [
        ("p.add_argument('--mp', default='bf16')\np.add_argument('--mpx', default='no')", "--m fp8", "bf16"),
        ("p.add_argument('--mp', default='bf16')\nq.add_argument('--mp', default='fp8')", "", UNKNOWN),
        ("p.add_argument('--mp', default='bf16')\nq.add_argument('--mp', default='bf16')", "", "bf16"),
        ("p.add_argument('--mp', default='bf16')\np.set_defaults(mp='fp8')", "", "fp8"),
        ("p.add_argument('--mp', default='bf16')\np.set_defaults(**read())", "", UNKNOWN),
        ("p.add_argument('--mp', default='bf16')\np.add_argument(name, default=1)", "", "bf16"),
    ],
)
def test_what_is_defined_in_several_places(definitions: str, words: str, value: object) -> None:
    assert passed(f"{HEAD}{definitions}\na = p.parse_args()\nAccelerator(mixed_precision=a.mp)\n", words) == value


@pytest.mark.parametrize(
    ("value", "words", "comes_to"),
    [
        ("'fp8' if a.mp else 'bf16'", "", "bf16"),
        ("'fp8' if a.mp else 'bf16'", "--mp", "fp8"),
        ("'bf16' if not a.mp else 'fp8'", "--mp", "fp8"),
        ("a.mp and 'fp8'", "--mp", "fp8"),
        ("a.mp and 'fp8'", "", False),
        ("a.mp or 'no'", "", "no"),
        ("'no' if a.mp is False else 'fp8'", "", "no"),
        ("'no' if a.mp != False else 'fp8'", "", "fp8"),
        ("'no' if a.mp in (True, None) else 'fp8'", "", "fp8"),
        ("'no' if a.mp not in [True] else 'fp8'", "", "no"),
        ("'no' if 'x' in 'xy' and not a.mp else 'fp8'", "", "no"),
        ("'no' if 1 in a.mp else 'fp8'", "", "'no' if 1 in a.mp else 'fp8'"),
        ("getattr(a, 'mp', None)", "--mp", True),
        ("getattr(a, name)", "--mp", "getattr(a, name)"),
        ("getattr(find(), 'mp')", "--mp", "getattr(find(), 'mp')"),
        ("getattr(a, 'other')", "--mp", "getattr(a, 'other')"),
        ("find(a.mp)", "", "find(a.mp)"),
        ("a.mp + 1", "", "a.mp + 1"),
        ("b.mp", "", "b.mp"),
        ("a.other", "", "a.other"),
        ("a.mp < 1", "", "a.mp < 1"),
        ("a.mp and b'x'", "", "a.mp and b'x'"),
        ("-a.mp", "", "-a.mp"),
        ("held", "--mp", "fp8"),
        (" or ".join(["(a.mp and 1)"] * 3), "", False),
        ("not " * 13 + "a.mp", "", "not " * 13 + "a.mp"),
    ],
)
def test_what_an_expression_comes_to(value: str, words: str, comes_to: object) -> None:
    text = argued("'--mp', action='store_true'", value, before="held = 'fp8' if a.mp else 'no'")
    assert passed(text, words) == comes_to


@pytest.mark.parametrize(
    ("before", "after", "known"),
    [
        ("", "a.mp = 'no'", True),
        ("a.mp = 'no'", "", False),
        ("if x:\n    a.mp = 'no'", "", False),
        ("setattr(a, 'mp', 'no')", "", False),
        ("setattr(a, name, 'no')", "", False),
        ("setattr(a, 'other', 'no')", "", True),
        ("a.other = 1", "", True),
        ("a = merge(a)", "", False),
        ("a += 1", "", False),
        ("(b, *c) = 1, 2", "", True),
    ],
)
def test_an_option_that_the_script_changes_is_not_known(before: str, after: str, known: bool) -> None:
    """But where it is changed behind the call, in the same function: args.mixed_precision = accelerator.mixed_precision."""
    text = (
        f"{HEAD}p.add_argument('--mp', default='fp8')\ndef main():\n    a = p.parse_args()\n"
        + "".join(f"    {line}\n" for line in before.splitlines())
        + "    Accelerator(mixed_precision=a.mp)\n"
        + "".join(f"    {line}\n" for line in after.splitlines())
    )
    assert passed(text) == ("fp8" if known else UNKNOWN)


@pytest.mark.parametrize(
    "text",
    [
        "def main(args):\n    Accelerator(mixed_precision=args.mp)\nmain(parse())",
        "def parse():\n    return p.parse_args()\nargs = parse()\nAccelerator(mixed_precision=args.mp)",
        "args, rest = p.parse_known_args()\nAccelerator(mixed_precision=args.mp)",
        "[args, *rest] = p.parse_known_args()\nAccelerator(mixed_precision=args.mp)",
        "args = p.parse_known_args()[0]\nAccelerator(mixed_precision=args.mp)",
        "args: object = p.parse_args()\nAccelerator(mixed_precision=args.mp)",
        "def outer():\n    def parse(): return p.parse_args()\n    args = parse()\n    Accelerator(mixed_precision=args.mp)",
    ],
)
def test_where_the_options_are_held(text: str) -> None:
    assert passed(f"{HEAD}p.add_argument('--mp', default='fp8')\n{text}\n") == "fp8"


FIELDS = """from dataclasses import dataclass, field
from transformers import HfArgumentParser
@dataclass
class Args:
    "What there is."
    mp: str = "bf16"
    fp8: bool = False
    rank: int = field(default=8)
    lr: float = field(default_factory=find)
    one, two = 1, 2
    needed: Optional[bytes]
    self.odd: int = 1
class Other:
    mp: str = "no"
a = HfArgumentParser(Args).parse_args_into_dataclasses()[0]
Accelerator(mixed_precision=VALUE)
"""


@pytest.mark.parametrize(
    ("value", "words", "comes_to"),
    [
        ("a.mp", "", "bf16"),
        ("a.mp", "--mp fp8", "fp8"),
        ("a.fp8", "", False),
        ("a.fp8", "--fp8", True),
        ("a.fp8", "--fp8 no", False),
        ("a.fp8", "--fp8 --no_fp8", False),
        ("a.rank", "", 8),
        ("a.rank", "--rank 4", 4),
        ("a.lr", "", "a.lr"),
        ("a.lr", "--lr 0.5", 0.5),
        ("a.needed", "", "a.needed"),
        ("a.needed", "--needed x", "a.needed"),
    ],
)
def test_a_field_of_a_dataclass(value: str, words: str, comes_to: object) -> None:
    assert passed(FIELDS.replace("VALUE", value), words) == comes_to


def test_where_a_value_stands() -> None:
    text = argued("'--mp', default='bf16'")
    setting = Script.of(started(text, [])).mixed_precision
    assert setting is not None
    assert str(setting.origin.span) == "train.py:4:32"
    setting = Script.of(started(text, ["--mp", "fp8"])).mixed_precision
    assert setting is not None
    assert (setting.origin.describe(), [one.value for one in setting.overrode]) == ("command line --mp fp8", ["bf16"])
    setting = Script.of(started(argued("'--mp', default='bf16'", "a.mp or 'no'"), [])).mixed_precision
    assert setting is not None
    assert str(setting.origin.span) == "train.py:7:29"


@pytest.mark.parametrize(
    ("words", "perhaps"), [("", False), ("--fp8", True), ("--fp8 '$FP8'", True), ("--precision bf16", False)]
)
def test_an_option_that_is_off_turns_no_fp8_on(words: str, perhaps: bool) -> None:
    text = (
        f"{HEAD}p.add_argument('--fp8', action='store_true')\np.add_argument('--precision', default='no')\n"
        "a = p.parse_args()\nif a.fp8:\n    model = own(model)\nAccelerator()\n"
    )
    assert bool(started(text, shlex.split(words)).own) == perhaps
    assert started("x.fp8 = y.fp8\nAccelerator()", []).own


def test_the_recipe_hangs_on_the_command_line_too() -> None:
    text = (
        f"{HEAD}p.add_argument('--history', type=int, default=16)\na = p.parse_args()\n"
        "Accelerator(kwargs_handlers=[TERecipeKwargs(amax_history_len=a.history)])\n"
    )
    assert Script.of(started(text, ["--history", "32"])).handler_arguments == {"amax_history_len": 32}


@pytest.mark.parametrize(
    ("argument", "is_open"),
    [
        ('"--fp8", action="store_true"', True),
        ('"--use-fp8", action="store_true"', True),
        ('"--fp8", action="store_false"', False),
        ('"--compile", action="store_true"', False),
        ('"--mixed_precision", default="bf16", choices=["bf16", "fp8"]', False),
    ],
)
def test_a_switch_for_fp8_is_open_where_nobody_said_how_it_is_started(argument: str, is_open: bool) -> None:
    """A pass of a script that trains in FP8 by --fp8, and an FP118 of one: both took the switch for off."""
    made = source(argued(argument))
    (name,) = made.command_line.options if made.command_line is not None else ()
    assert options_of([made], None)[name].is_later is is_open
    assert options_of([made], [])[name].is_later is False
