"""Start-up time is a feature: what reading imports, and what reading two files costs."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from fp8check.rules.trainers.detect import read

if TYPE_CHECKING:
    from pathlib import Path

SLOW = {"dataclasses", "inspect", "importlib.metadata", "pathlib", "subprocess", "urllib", "ctypes", "decimal"}
ACCELERATE = "".join(f"fsdp_{index}: true  # why\n" for index in range(30)) + "mixed_precision: fp8\nnum_processes: 8\n"
TRAINING = "".join(f"### part\nkey_{index}: value\n" for index in range(30)) + "stage: sft\nfinetuning_type: full\n"


def test_nothing_slow_is_imported() -> None:
    code = (
        "import sys, yaml; before = set(sys.modules)\n"
        "from fp8check.rules.reading import read\n"
        "read('f.yaml', b'bf16: true'); read('f.yaml', b'stage: sft\\nfinetuning_type: full')\n"
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "fp8check.rules.reading" in done.stdout.split()
    assert not SLOW & set(done.stdout.split())


def test_two_files_are_read_in_a_few_milliseconds() -> None:
    files = (ACCELERATE.encode(), TRAINING.encode())
    costs = []
    for _ in range(20):
        begin = time.process_time()
        for data in files:
            read("f.yaml", data)
        costs.append(time.process_time() - begin)
    assert min(costs) < 0.008  # 1 ms on a machine of its own


def _in_a_new_process(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_largest_pattern_of_pyyaml_is_compiled_when_it_is_asked_for() -> None:
    code = (
        "import re; own = re.compile\n"
        "from fp8check.rules.reading import read\n"
        "read('f.yaml', b'a: 1')\n"
        "import yaml\n"
        "later = yaml.reader.Reader.NON_PRINTABLE\n"
        "print(re.compile is own, type(later).__name__)\n"
        "print(yaml.load('a: \\u00e9', yaml.SafeLoader), later.search('a') is None, later.flags == own('x').flags)\n"
        "try: yaml.load('a: \\x01', yaml.SafeLoader)\n"
        "except yaml.reader.ReaderError as error: print(error.reason)\n"
    )
    assert _in_a_new_process(code) == [
        "True _Later",
        "{'a': '\u00e9'} True True",
        "special characters are not allowed",
    ]


def test_the_patterns_of_its_resolver_are_compiled_one_by_one() -> None:
    code = (
        "from fp8check.rules.reading import read\n"
        "root = read('f.yaml', b'a: no\\nb: 16\\nc: name\\nd: 1.0e-5').root\n"
        "import copy, yaml\n"
        "every = {id(one): (tag, one) for them in yaml.SafeLoader.yaml_implicit_resolvers.values() for tag, one in them}\n"
        "print(sorted(tag.rpartition(':')[2] for tag, one in every.values() if 'match' in vars(one)))\n"
        "print([root.get(key).value for key in 'abcd'])\n"
        "print(copy.copy(every[max(every)][1]).flags == every[max(every)][1].flags)\n"
        "print(yaml.safe_load('[yes, 0x1F, 1.5, 2001-01-01, ~]'))\n"
    )
    assert _in_a_new_process(code) == [
        "['float']",
        "[False, 16, 'name', 1e-05]",
        "True",
        "[True, 31, 1.5, datetime.date(2001, 1, 1), None]",
    ]


def test_a_pyyaml_that_is_there_already_keeps_its_own() -> None:
    code = (
        "import yaml\nfrom fp8check.rules.reading import read\nread('f.yaml', b'a: 1')\n"
        "print(type(yaml.reader.Reader.NON_PRINTABLE).__name__)\n"
    )
    assert _in_a_new_process(code) == ["Pattern"]


def test_what_is_binary_is_imported_when_it_is_asked_for() -> None:
    code = (
        "import sys\nfrom fp8check.rules.reading import read\nread('f.yaml', b'a: 1')\n"
        "print('base64' in sys.modules, 'binascii' in sys.modules)\n"
        "import base64, binascii, yaml\n"
        "print(base64.b64encode(b'a'), binascii.Error.__name__)\n"
        "print(yaml.safe_load('!!binary YQ=='), yaml.safe_dump({'a': b'a'}), end='')\n"
        "try: yaml.safe_load('!!binary a')\n"
        "except yaml.constructor.ConstructorError as error: print(error.problem.partition(':')[0])\n"
    )
    assert _in_a_new_process(code) == [
        "False False",
        "b'YQ==' Error",
        "b'a' a: !!binary |",
        "  YQ==",
        "failed to decode base64 data",
    ]


def test_a_library_that_is_asked_while_pyyaml_is_imported_is_there(tmp_path: Path) -> None:
    package = tmp_path / "yaml"
    package.mkdir()
    (package / "__init__.py").write_text("import base64\nwritten = base64.b64encode(b'a')\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from fp8check.rules.reading.pyyaml import yaml\nimport base64\nprint(yaml.written, base64.__name__)\n"
    )
    assert _in_a_new_process(code) == ["b'YQ==' base64"]
