"""What a followed script reads of files, and asks of packages."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

import pytest

from fp8check.rules.settings.script_following import Known
from fp8check.rules.settings.script_run import follow
from fp8check.rules.settings.script_values import UNKNOWN

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "c.yaml": "precision: fp8\nrecipe: {margin: 1}\nwhen: 2024-01-01\nlist: [1, 2]\nref: ${precision}\nlater: ???\n",
    "c.json": '{"precision": "fp8", "n": {"m": 1}}',
    "c.toml": '[train]\nprecision = "fp8"\n',
    "empty.yaml": "",
    "broken.json": "{",
    "broken.toml": "[",
    "broken.yaml": "a: [",
    "many.yaml": "a: [" + "1, " * 2_100 + "1]\n",
    "many.json": "[" + "1, " * 2_100 + "1]",
    "long.yaml": f"a: {'x' * 10_100}\n",
    "sub/d.yaml": "precision: bf16\n",
}
PACKAGES = {"torch": True, "transformer_engine": True, "deepspeed": False}


def value(
    setup: str, expression: str, words: tuple[str, ...] | None = ("a.b=1", "c=fp8"), *, reads: bool = True
) -> object:
    """What an expression comes to behind a setup."""
    known = Known({}, None, words, lambda _words: {}, reads=reads, packages=PACKAGES, path="sub/train.py")
    found = follow(ast.parse(f"{setup}\nA(v={expression})\n"), {"A": "Accelerator"}, known, ("ACCELERATE_",))
    assert found is not None
    return next(iter(found.seen.values()))[-1].made.keywords["v"]


@pytest.mark.parametrize("name", ["../c.json", "{}/c.json", "link.json", "sub/../../c.json", "folder/c.json", "a\0b"])
def test_nothing_outside_of_the_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (tmp_path / "c.json").write_text('{"key": "secret"}')
    (inside / "c.json").write_text('{"key": "known"}')
    (inside / "link.json").symlink_to(tmp_path / "c.json")
    (inside / "folder").symlink_to(tmp_path)
    monkeypatch.chdir(inside)
    setup = "import json\nc = json.load(open({!r}))"
    assert value(setup.format(name.format(tmp_path)), "c['key']") is UNKNOWN
    assert value(setup.format("sub/../c.json"), "c['key']") == "known"
    assert value(setup.format(str(inside / "c.json")), "c['key']") == "known"


def test_a_script_that_reads_on_and_on_costs_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "c.json").write_text('{"key": "' + "x" * 9_000 + '"}')
    monkeypatch.chdir(tmp_path)
    setup = "import json\n" + "c = json.load(open('c.json'))\n" * 30
    assert value("import json\nc = json.load(open('c.json'))", "len(c)") == 1
    assert value(setup, "len(c)") is UNKNOWN


def test_values_that_are_nested_deep_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "c.json").write_text("[" * 900 + "]" * 900)
    monkeypatch.chdir(tmp_path)
    assert value("import json\nc = json.load(open('c.json'))", "c") is UNKNOWN


OMEGA = "from omegaconf import OmegaConf"
VALUES: dict[str, tuple[str, str, object]] = {
    "yaml": ("import yaml\nwith open('c.yaml') as f:\n    c = yaml.safe_load(f)", "c['precision']", "fp8"),
    "yaml by loader": ("import yaml\nc = yaml.load(open('c.yaml', 'r'), Loader=yaml.FullLoader)", "c['list']", [1, 2]),
    "a date": ("import yaml\nc = yaml.safe_load(open('c.yaml'))", "c['when']", "?"),
    "yaml of text": ("import yaml\nc = yaml.safe_load('a: 1')", "c['a']", 1),
    "yaml of nothing": ("import yaml\nc = yaml.safe_load(x)", "c", "?"),
    "an empty file": ("import yaml\nc = yaml.safe_load(open('empty.yaml'))", "c", None),
    "no yaml": ("import yaml\nc = yaml.safe_load(open('broken.yaml'))", "c", "?"),
    "many values": ("import yaml\nc = yaml.safe_load(open('many.yaml'))", "c['a'][-1]", "?"),
    "a long file": ("import yaml\nc = yaml.safe_load(open('long.yaml'))", "c", "?"),
    "json": ("import json\nc = json.load(open('c.json'))", "c['n']['m']", 1),
    "json of text": ("import json\nc = json.loads(open('c.json').read())", "c['precision']", "fp8"),
    "no json": ("import json\nc = json.load(open('broken.json'))", "c", "?"),
    "much json": ("import json\nc = json.load(open('many.json'))", "c", "?"),
    "json of nothing": ("import json\nc = json.loads(x)", "c", "?"),
    "no toml": ("import tomllib\nc = tomllib.load(open('broken.toml', 'rb'))", "c", "?"),
    "absent": ("import json\nc = json.load(open('other.json'))", "c", "?"),
    "opened to write": ("import json\nf = open('c.json', 'w')\nc = json.load(open('c.json'))", "c", "?"),
    "opened by an unknown name": ("import json\nc = json.load(open(x))", "c", "?"),
    "another method of a file": ("f = open('c.json')", "f.readline()", "?"),
    "path": (
        "import json\nfrom pathlib import Path\nc = json.loads(Path('c.json').read_text())",
        "c['precision']",
        "fp8",
    ),
    "path in a folder": (
        "import yaml\nfrom pathlib import Path\nc = yaml.safe_load((Path(__file__).parent / 'd.yaml').open())",
        "c['precision']",
        "bf16",
    ),
    "path joined": ("from pathlib import Path\np = Path('a').joinpath('b').resolve()", "str(p)", "a/b"),
    "path of nothing": ("from pathlib import Path", "Path(x)", "?"),
    "path written": ("from pathlib import Path\np = Path('c.json')\np.write_text('')", "p.read_text()", "?"),
    "path asked": ("from pathlib import Path\np = Path('c.json')", "p.exists()", "?"),
    "os.path": ("import os", "os.path.join(os.path.dirname(os.path.abspath(__file__)), 'd.yaml')", "sub/d.yaml"),
    "os.path of nothing": ("import os", "os.path.join(x, 'd.yaml')", "?"),
    "folder of nothing": ("import os", "os.path.dirname(x)", "?"),
    "omega": (f"{OMEGA}\nc = OmegaConf.load('c.yaml')", "c.recipe.margin", 1),
    "omega of a file that is open": (f"{OMEGA}\nc = OmegaConf.load(open('c.yaml'))", "c.precision", "fp8"),
    "omega by item": (f"{OMEGA}\nc = OmegaConf.load('c.yaml')", "c['recipe'].get('x', 2)", 2),
    "a reference": (f"{OMEGA}\nc = OmegaConf.load('c.yaml')", "c.ref", "?"),
    "to be filled in": (f"{OMEGA}\nc = OmegaConf.load('c.yaml')", "c.later", "?"),
    "no such key": (f"{OMEGA}\nc = OmegaConf.load('c.yaml')", "c.other", "?"),
    "omega set": (f"{OMEGA}\nc = OmegaConf.load('c.yaml')\nc.precision = 'bf16'", "c.precision", "bf16"),
    "omega merged": (
        f"{OMEGA}\nc = OmegaConf.merge(OmegaConf.create({{'a': {{'b': 0, 'd': 2}}}}), OmegaConf.from_cli())",
        "[c.a.b, c.a.d, c.c]",
        [1, 2, "fp8"],
    ),
    "omega of text": (f"{OMEGA}\nc = OmegaConf.create('a: 1')", "c.a", 1),
    "omega of nothing": (f"{OMEGA}\nc = OmegaConf.merge(x, OmegaConf.create())", "c", "?"),
    "omega from words": (f"{OMEGA}\nc = OmegaConf.from_dotlist(['a.b=bf16', 'e='])", "[c.a.b, c.e]", ["bf16", ""]),
    "a word that sets nothing": (f"{OMEGA}\nc = OmegaConf.from_dotlist(['a'])", "c", "?"),
    "a word below a value": (f"{OMEGA}\nc = OmegaConf.from_dotlist(['a=1', 'a.b=1'])", "c", "?"),
    "words that are not known": (f"{OMEGA}\nc = OmegaConf.from_dotlist(x)", "c", "?"),
    "omega as plain": (
        f"{OMEGA}\nc = OmegaConf.to_container(OmegaConf.load('c.yaml'), resolve=True)",
        "[c['list'], c['recipe']]",
        [[1, 2], {"margin": 1}],
    ),
    "plain of nothing": (OMEGA, "OmegaConf.to_container()", "?"),
    "a structure": (
        f"{OMEGA}\nfrom dataclasses import dataclass\n@dataclass\nclass C:\n    a: int = 1\nc = OmegaConf.structured(C)",
        "c.a",
        1,
    ),
    "a made structure": (
        f"{OMEGA}\nfrom dataclasses import dataclass\n@dataclass\nclass C:\n    a: int = 1\nc = OmegaConf.structured(C(a=2))",
        "c.a",
        2,
    ),
    "easydict": ("from easydict import EasyDict\nc = EasyDict({'a': {'b': 1}})", "c.a.b", 1),
    "easydict of nothing": ("from easydict import EasyDict\nc = EasyDict(x)", "c", "?"),
    "namespace": ("from types import SimpleNamespace\nc = SimpleNamespace(**{'a': 1})", "c.a", 1),
    "namespace of nothing": ("from types import SimpleNamespace\nc = SimpleNamespace(x)", "c", "?"),
    "imported": ("try:\n    import torch\n    x = 1\nexcept ImportError:\n    x = 0", "x", 1),
    "not imported": (
        "try:\n    import deepspeed.ops\nexcept ImportError:\n    x = 0\nelse:\n    x = 1\nfinally:\n    y = 1",
        "x",
        0,
    ),
    "perhaps imported": ("try:\n    import other\n    x = 1\nexcept ImportError:\n    x = 0", "x", "?"),
    "imported, and more": ("try:\n    import torch\n    x = f()\nexcept Exception:\n    x = 0", "x", "?"),
    "a module of it": ("try:\n    from torch.x import y\n    x = 1\nexcept ImportError:\n    x = 0", "x", "?"),
    "a part of it": ("try:\n    from torch import nn\n    x = 1\nexcept ImportError:\n    x = 0", "x", 1),
    "the second is absent": (
        "try:\n    import torch\n    import deepspeed\n    x = 1\nexcept ImportError:\n    x = 0",
        "x",
        "?",
    ),
    "found": ("import importlib.util", "1 if importlib.util.find_spec('torch') else 0", 1),
    "not found": ("import importlib.util", "importlib.util.find_spec('deepspeed') is not None", False),
    "perhaps found": ("import importlib.util", "importlib.util.find_spec('other')", "?"),
    "asked": ("from accelerate.utils import is_transformer_engine_available as a", "a()", "?"),
    "asked by its name": (
        "from accelerate.utils import is_deepspeed_available",
        "is_deepspeed_available()",
        False,
    ),
    "asked of a module": ("import accelerate", "accelerate.utils.is_transformer_engine_available()", True),
}


@pytest.mark.parametrize("name", VALUES)
def test_what_it_comes_to(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    setup, expression, expected = VALUES[name]
    assert value(setup, expression) == (UNKNOWN if expected == "?" else expected)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11")
def test_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.toml").write_text(FILES["c.toml"], encoding="utf-8")
    assert value("import tomllib\nc = tomllib.load(open('c.toml', 'rb'))", "c['train']['precision']") == "fp8"


def test_where_files_may_not_be_read_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.json").write_text(FILES["c.json"], encoding="utf-8")
    assert value("import json\nc = json.load(open('c.json'))", "c", reads=False) is UNKNOWN


def test_words_that_nobody_told_are_not_known() -> None:
    assert value(OMEGA, "OmegaConf.from_cli()", words=None) is UNKNOWN
