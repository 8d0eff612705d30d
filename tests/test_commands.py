"""Every block of commands in README, docs and the folders' own pages, executed as it stands; what a page shows as output is compared.

What stands behind the language of a fence says what a block needs: a block of `sh` runs here, in a folder that has the
files that the pages speak of. `sh gpu`, `sh network` and the others of NEEDS are not run here, and are counted.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from fp8check.cli import config
from tests.support.paths import DOCS, EXAMPLE, ROOT
from tests.support.service import served

# What a block may need that is not here, and how many of them there are on all pages together.
NEEDS = {
    "gpu": 5,
    "network": 8,
    "matplotlib": 1,
    "docker": 1,  # make image does the same without an engine
    "cluster": 1,  # tests/shipping validate the manifests
    "root": 1,
    "database": 2,  # tests/service/test_upgrade.py does the same
    "ci": 1,  # .ci/run does it by itself
    "server": 1,  # it goes on until somebody ends it; tests/service start it
}
HERE = ("", "service", "plugin")
# Pages whose blocks were made by running them (make docs), and evidence, which is no page of commands.
MADE = ("rules/", "evidence/", "compatibility.md", "measured.md", "coverage.md", "beyond-the-first-step.md")
LANGUAGES = {"sh", "text", "console", "yaml", "toml", "json", "python", "lua", "groovy", "diff"}


class Block(NamedTuple):
    """A fenced block: where it stands, its language, what stands behind that, and its text."""

    place: str
    language: str
    more: str
    text: str


def blocks() -> list[Block]:
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    pages = [ROOT / name for name in listed.stdout.split()]
    found = []
    for page in pages:
        name = page.relative_to(DOCS if page.is_relative_to(DOCS) else ROOT).as_posix()
        if name.startswith(MADE):
            continue
        text = page.read_text(encoding="utf-8")
        for one in re.finditer(r"^( *)```(\w*) ?([^\n`]*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
            line = text.count("\n", 0, one.start()) + 1
            found.append(Block(f"{name}:{line}", one[2], one[3], textwrap.dedent(one[4])))
        fences = len(re.findall(r"^\s*(?:```|~~~)", text, re.MULTILINE))
        assert fences == 2 * sum(one.place.startswith(f"{name}:") for one in found), f"{name}: a fence is not seen"
    return found


BLOCKS = blocks()
COMMANDS = [one for one in BLOCKS if one.language == "sh"]
FACTORY = {
    "train.yaml": "train.yaml",
    "cfg.yaml": "train.yaml",
    "a.yaml": "train.yaml",
    "accel.yaml": "accelerate.yaml",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all files that the pages speak of."""
    for name, source in {**FACTORY, "facts.json": "facts.json", "node.json": "facts.json"}.items():
        shutil.copy(EXAMPLE / source, tmp_path / name)
    (tmp_path / "b.yaml").write_text((EXAMPLE / "train.yaml").read_text().replace("bf16: true", "bf16: false"))
    (tmp_path / "run").mkdir()
    for name in ("train.yaml", "accelerate.yaml"):
        shutil.copy(EXAMPLE / name, tmp_path / "run" / name)
    launch = "accelerate launch --config_file accel.yaml train.py"
    (tmp_path / "train.py").write_text("from accelerate import Accelerator\naccelerator = Accelerator()\n")
    (tmp_path / "train.sh").write_text(f"#!/bin/bash\n{launch} --bf16 True\n")
    (tmp_path / "job.sbatch").write_text(f"#!/bin/bash\n#SBATCH --gpus=2\nsrun {launch}\n")
    (tmp_path / "my-model").mkdir()
    shape = {"model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32}
    shape |= {"num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256}
    (tmp_path / "my-model" / "config.json").write_text(json.dumps(shape))
    return tmp_path


def executed(command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The line in a shell of its own, which finds the command of this environment and no file of its user."""
    tools = Path(sys.executable).parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FP8CHECK", "ACCELERATE"))}
    environment |= {"PATH": f"{tools}:{environment['PATH']}", "HOME": str(folder / "home"), "COLUMNS": "120"}
    environment |= variables
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def lines_of(text: str) -> list[str]:
    """The commands of a block, those that go on over a line in one."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def understood(line: str, folder: Path, **variables: str) -> str:
    """What the line prints; it has to be understood, and to end as it should: findings are an answer, too."""
    ran = executed(line, folder, **variables)
    answers = (0, 1, 3) if "fp8check" in line or "check-jsonschema" in line else (0,)
    assert ran.returncode in answers, f"{line}: exit code {ran.returncode}\n{ran.stderr}"
    assert "Traceback" not in ran.stderr
    return ran.stdout


@pytest.mark.parametrize("block", [one for one in COMMANDS if one.more == ""], ids=lambda one: one.place)
def test_a_block_does_what_it_says(block: Block, folder: Path) -> None:
    if "configuration" in block.place or "--facts facts.json --format text" in block.text:
        shutil.copy(folder / "facts.json", folder / "node.json")
        run = '[[run]]\nfiles = ["train.yaml", "accel.yaml"]\nfacts = "node.json"\n'
        (folder / "fp8check.toml").write_text(run)
    printed = [understood(line, folder) for line in lines_of(block.text)]
    assert any(printed) or ">" in block.text
    after = BLOCKS[BLOCKS.index(block) + 1 :][:1]
    if after and after[0].more == "output":
        assert after[0].text == "".join(printed), f"{after[0].place} is not what {block.place} prints"


@pytest.mark.parametrize("block", [one for one in COMMANDS if one.more == "service"], ids=lambda one: one.place)
def test_a_block_that_asks_a_service(block: Block, folder: Path) -> None:
    with served(folder) as one:
        for line in lines_of(block.text):
            assert "http://127.0.0.1:8000/" in line
            assert json.loads(understood(line.replace("http://127.0.0.1:8000/", one.url), folder))


@pytest.mark.parametrize("block", [one for one in COMMANDS if one.more == "plugin"], ids=lambda one: one.place)
def test_a_block_with_the_plug_in(block: Block, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its first line installs it: here its package and its entry points are on the path."""
    site = tmp_path_factory.mktemp("site")  # what lies in the current folder is not installed
    shutil.copytree(ROOT / "examples" / "plugin" / "acme_fp8_rules", site / "acme_fp8_rules")
    described = (ROOT / "examples" / "plugin" / "pyproject.toml").read_text(encoding="utf-8")
    groups = config.toml(described.encode(), "pyproject.toml")["project"]["entry-points"]  # type: ignore[index]
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in names.items())
        for group, names in groups.items()
    )
    about = site / "acme_fp8_rules-1.0.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-fp8-rules\nVersion: 1.0.0\n")
    (about / "entry_points.txt").write_text(points)
    (folder / "tune.yaml").write_text("checkpoint: Qwen/Qwen2.5-7B\ncontext: 65536\n")
    install, *lines = lines_of(block.text)
    assert install == "pip install ./examples/plugin"
    assert all("ACME" in understood(line, folder, PYTHONPATH=str(site)) for line in lines[:2])
    assert understood(lines[2], folder, PYTHONPATH=str(site))


def test_what_the_hook_is_shown_to_say_is_what_it_says(folder: Path) -> None:
    """pre-commit prints its own lines first; `make hook-test` runs it."""
    (shown,) = [one for one in BLOCKS if one.language == "text" and "- hook id: fp8check" in one.text]
    (folder / "train.yaml").write_text(
        "model_name_or_path: Qwen/Qwen2.5-7B\noutput_dir: o\n" + "\n" * 10 + "bf16: true\n"
    )
    ran = executed("fp8check --hook train.yaml accel.yaml", folder, COLUMNS="")
    _, _, said = shown.text.partition("\n\n")
    printed = [one for one in ran.stdout.splitlines() if one in said.splitlines()]
    assert printed == [one for one in said.splitlines() if one != "..."]


def test_every_block_says_what_it_is() -> None:
    assert [one.place for one in BLOCKS if one.language not in LANGUAGES] == []
    behind = {"sh": {*HERE, *NEEDS}, "text": {"", "output"}, "python": {"", "notation"}}
    assert [one.place for one in BLOCKS if one.more not in behind.get(one.language, {""})] == []
    starts = re.compile(r"^(\$ )?(fp8check|pip|make|curl|accelerate|torchrun) ", re.MULTILINE)
    assert [one.place for one in BLOCKS if one.language == "text" and starts.search(one.text) and one.more == ""] == []


def test_what_is_not_executed_here_is_counted() -> None:
    counted = {need: sum(one.more == need for one in COMMANDS) for need in NEEDS}
    assert counted == NEEDS
    assert sum(one.more in HERE for one in COMMANDS) >= 20


def test_the_two_commands_are_steps_of_ci() -> None:
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (block,) = [one for one in COMMANDS if one.more == "ci"]
    for line in lines_of(block.text):
        assert f"step {line.partition('#')[0].strip()}\n" in steps


@pytest.mark.parametrize(
    "block", [one for one in BLOCKS if one.language in ("yaml", "toml", "json")], ids=lambda one: one.place
)
def test_a_file_that_is_shown_can_be_read(block: Block) -> None:
    if block.language == "yaml":
        assert [*yaml.safe_load_all(block.text)]
    elif block.language == "json":
        assert json.loads(block.text)
    else:
        assert config.toml(block.text.encode(), block.place)
