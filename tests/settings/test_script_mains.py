"""Command lines by fire, typer, click and tyro, and what parsers are given in their place."""

from __future__ import annotations

import pytest

from fp8check.rules.reading.source import load
from fp8check.rules.settings.script_syntax import parse

FIRE = "import fire\n\n\ndef main(bf16=False, name='x'):\n    pass\n\n\nfire.Fire(main)\n"
JOB = (
    "import fire\n\n\nclass Job:\n    def __init__(self, bf16=False, size=1):\n        pass\n\n"
    "    def train_it(self, name='x'):\n        pass\n\n    @property\n    def size(self, name=2):\n        return 1\n\n\nfire.Fire({})\n"
)
MAPPED = "import fire\n\n\ndef f(bf16=False):\n    pass\n\n\nfire.Fire({{'train': {}}})\n"
FIRES = "import fire\n\n\ndef f(bf16=False):\n    pass\n\n\ndef g(name='x'):\n    pass\n\n\nfire.Fire()\n"
CLICK = "import click\n\n\n@click.command()\n@click.option({})\ndef main(**options):\n    pass\n\n\nmain()\n"
TYPER = "import typer\n\n\ndef main({}):\n    pass\n\n\ntyper.run(main)\n"
TYRO = "import tyro\n\n\n@dataclass\nclass Args{}:\n    bf16: {}\n    name: str = 'x'\n\n\nargs = tyro.cli({})\n"
TYRO_MAIN = "import tyro\n\n\ndef main({}):\n    pass\n\n\ntyro.cli(main)\n"
ARGPARSE = "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument({})\nargs = parser.parse_args()\n"

# A script, the words behind it, an option, and what it is; "?" is not known, None that there is none.
CASES: dict[str, tuple[str, str, str, object]] = {
    "fire": (FIRE, "--bf16", "bf16", True),
    "fire by a letter": (FIRE, "-b", "bf16", True),
    "fire by no letter": (FIRE, "-z", "bf16", False),
    "fire off": (FIRE, "--nobf16", "bf16", False),
    "fire with a value": (FIRE, "--bf16 False", "bf16", False),
    "fire with text": (FIRE, "--bf16=false", "bf16", True),
    "fire with a name": (FIRE, "--name y", "name", "y"),
    "fire by place": (FIRE, "True y", "name", "y"),
    "fire behind its own": (FIRE, "-- --bf16", "bf16", False),
    "fire, a flag before another": (FIRE, "--bf16 --name y", "bf16", True),
    "fire without a function": (FIRES, "g --name y", "name", "y"),
    "fire without a word": (FIRES, "", "bf16", False),
    "fire with another word": (FIRES, "h --bf16", "bf16", False),
    "fire with a class": (JOB.format("Job"), "train_it --bf16 --size 2", "bf16", True),
    "fire with a class, its value": (JOB.format("Job"), "--bf16 False train_it y", "bf16", False),
    "fire with a class, off": (JOB.format("Job"), "train_it --nobf16", "bf16", False),
    "fire with a class, by a letter": (JOB.format("Job"), "-b train_it", "bf16", "train_it"),
    "fire with a class, its method": (JOB.format("Job"), "--name=y train-it --bf16", "name", "y"),
    "fire with a class, by place": (JOB.format("Job"), "train_it y --bf16", "name", "y"),
    "fire with a class, behind its own": (JOB.format("Job"), "train_it -- --bf16", "bf16", False),
    "fire with a class, without a word": (JOB.format("Job"), "--bf16", "bf16", True),
    "fire with an object": (JOB.format("Job()"), "train_it y", "name", "y"),
    "fire with an object of arguments": (JOB.format("Job(1)"), "train_it y", "name", None),
    "fire with a class of another": (
        JOB.replace("class Job", "class Job(Base)").format("Job"),
        "train_it y",
        "name",
        None,
    ),
    "fire with a mapping": (MAPPED.format("f"), "train --bf16", "bf16", True),
    "fire with a mapping of more": (MAPPED.format("print"), "train --bf16", "bf16", None),
    "fire with what it is not": (FIRE.replace("Fire(main)", "Fire(make())"), "--bf16", "bf16", None),
    "tyro": (TYRO.format("", "bool = True", "Args"), "--no-bf16", "bf16", False),
    "tyro, true or false or none": (TYRO.format("", "Optional[bool] = True", "Args"), "--bf16 False", "bf16", False),
    "tyro, set otherwise": (TYRO.format("", "bool = True", "Args, config=(a,)"), "--bf16 False", "bf16", False),
    "tyro with a function, or none": (TYRO_MAIN.format("bf16: bool | None = True"), "--bf16 False", "bf16", False),
    "click": (CLICK.format("'--bf16', is_flag=True"), "--bf16", "bf16", True),
    "click without": (CLICK.format("'--bf16', is_flag=True"), "", "bf16", False),
    "click on and off": (CLICK.format("'--bf16/--no-bf16', default=True"), "--no-bf16", "bf16", False),
    "click named": (CLICK.format("'--b', 'bf16', type=int"), "--b 1", "bf16", 1),
    "click number": (CLICK.format("'--bf16', default=3"), "", "bf16", 3),
    "click short": (CLICK.format("'-b', default='x'"), "-b y", "b", "y"),
    "click of several": (CLICK.format("'--bf16', multiple=True"), "", "bf16", None),
    "click of no text": (CLICK.format("name, is_flag=True"), "", "bf16", None),
    "typer": (TYPER.format("bf16: bool = False"), "--bf16", "bf16", True),
    "typer named": (TYPER.format("b: bool = typer.Option(False, '--bf16/--off')"), "--bf16", "b", True),
    "typer by keyword": (TYPER.format("b: str = typer.Option(default='x')"), "", "b", "x"),
    "typer with names alone": (TYPER.format("b: bool = typer.Option('--bf16')"), "--bf16", "b", True),
    "typer annotated": (TYPER.format("b: Annotated[bool, typer.Option('--bf16')] = False"), "--bf16", "b", True),
    "typer annotated alone": (TYPER.format("b: Annotated[bool] = False"), "--b", "b", True),
    "typer with hyphens": (TYPER.format("use_fp8: bool = False"), "--use-fp8", "use_fp8", True),
    "typer with a word": (TYPER.format("name: str"), "x", "name", "?"),
    "typer of a type": (TYPER.format("name: Path = 'x'"), "--name y", "name", "?"),
    "typer without a type": (TYPER.format("name='x', *, other: int = 1"), "--other 2", "other", 2),
    "words that count as yes": (ARGPARSE.format("'--x', type=lambda t: t.lower() in ('y', 'on')"), "--x ON", "x", True),
    "one word that counts": (ARGPARSE.format("'--x', type=lambda t: t.lower() == 'true'"), "--x no", "x", False),
    "another comparison": (ARGPARSE.format("'--x', type=lambda t: t.lower() != 'true'"), "--x no", "x", "?"),
    "not lowered": (ARGPARSE.format("'--x', type=lambda t: t in ('y',)"), "--x y", "x", "?"),
    "of a name": (ARGPARSE.format("'--x', type=lambda t: t.lower() in YES"), "--x y", "x", "?"),
    "fixed words": ("p = Parser()\nargs = p.parse_args(['--x', '1'])\np.add_argument('--x')\n", "--x 2", "x", "1"),
    "words that are not known": ("p = Parser()\nargs = p.parse_args([y])\np.add_argument('--x')\n", "--x 2", "x", "2"),
}


@pytest.mark.parametrize(("text", "words", "name", "expected"), CASES.values(), ids=CASES)
def test_options(text: str, words: str, name: str, expected: object) -> None:
    source = parse(load("train.py", text.encode()))
    assert source is not None
    assert source.command_line is not None
    option = source.command_line.values(words.split()).get(name)
    if expected is None:
        assert option is None
    elif expected == "?":
        assert option is not None
        assert option.is_later
    else:
        assert option is not None
        assert option.value == expected


REFUSED: dict[str, tuple[str, str, str]] = {
    "a word": (ARGPARSE.format("'--x', action='store_true'"), "--x True", "True"),
    "a flag": (ARGPARSE.format("'--x'"), "--x 1 --y", "--y"),
    "nothing": (ARGPARSE.format("'--x'"), "--x 1", ""),
    "with a sign": (ARGPARSE.format("'--x'"), "--x=1", ""),
    "help": (ARGPARSE.format("'--x'"), "--help y", ""),
    "a variable": (ARGPARSE.format("'--x'"), "$Y z", ""),
    "an option that is not known": (ARGPARSE.format("'--x', nargs='*'"), "--x 1 2", ""),
    "off": (TYPER.format("bf16: bool = False"), "--no-bf16", ""),
    "typer": (TYPER.format("bf16: bool = False"), "--bf16 True", "True"),
    "typer with a place": (TYPER.format("name: str, bf16: bool = False"), "x y", ""),
    "fire": (FIRE, "--y z", ""),
    "tyro": (TYRO.format("", "bool = False", "Args"), "--bf16 True", "True"),
    "tyro, no such flag": (TYRO.format("", "bool = False", "Args"), "--fp16 --bf16", "--fp16"),
    "tyro, true or false or none": (
        TYRO.format("", "Optional[bool] = field(default=False)", "Args"),
        "--bf16 True",
        "",
    ),
    "tyro, or none by a bar": (TYRO.format("", "'bool | None' = None", "Args"), "--bf16 True y", "y"),
    "tyro without a default": (TYRO.format("", "bool", "Args"), "--bf16 True", ""),
    "tyro, several words": (TYRO.format("", "list[str]", "Args"), "--bf16 a b", ""),
    "tyro, a class in it": (TYRO.format("", "Other = Other()", "Args"), "--bf16.x 1", ""),
    "tyro, a dataclass of the script in it": (
        "@dataclass\nclass Other:\n    x: int = 1\n\n\n" + TYRO.format("", "Other = Other()", "Args"),
        "--bf16.x 1 y",
        "y",
    ),
    "tyro, a dataclass in that": (
        "@dataclass\nclass Other:\n    x: Third = 1\n\n\n" + TYRO.format("", "Other = Other()", "Args"),
        "--bf16.x.z 1",
        "",
    ),
    "tyro, other names": (TYRO.format("", "Annotated[bool, arg(aliases=['-b'])] = False", "Args"), "-b", ""),
    "tyro, a base": (TYRO.format("(Base)", "bool = False", "Args"), "--x 1", ""),
    "tyro, set otherwise": (TYRO.format("", "bool = False", "Args, config=(a,)"), "--bf16 True", ""),
    "tyro with a function": (TYRO_MAIN.format("bf16: bool = False"), "--bf16 True", "True"),
    "tyro with a function, or none": (TYRO_MAIN.format("bf16: Optional[bool] = None"), "--bf16 True", ""),
    "tyro with a function, several words": (TYRO_MAIN.format("names: list[str] = []"), "--names a b", ""),
    "a place": (ARGPARSE.format("'x'"), "1 2", ""),
    "parents": (ARGPARSE.replace("Parser()", "Parser(parents=[p])").format("'--x'"), "y", ""),
    "in part": (ARGPARSE.replace("parse_args", "parse_known_args").format("'--x'"), "y", ""),
    "handed on": (ARGPARSE.format("'--x'") + "more(parser)\n", "y", ""),
    "fixed": (ARGPARSE.replace("parse_args()", "parse_args([])").format("'--x'"), "y", ""),
    "of an attribute": (ARGPARSE.replace("parser.parse", "self.parser.parse").format("'--x'"), "y", ""),
    "two parsers": (ARGPARSE.format("'--x'") + "other = argparse.ArgumentParser()\n", "y", ""),
}


@pytest.mark.parametrize(("text", "words", "refused"), REFUSED.values(), ids=REFUSED)
def test_words_that_a_parser_refuses(text: str, words: str, refused: str) -> None:
    source = parse(load("train.py", text.encode()))
    assert source is not None
    assert source.command_line is not None
    assert source.command_line.refused(words.split()) == refused
