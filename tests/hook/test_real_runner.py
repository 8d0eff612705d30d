"""The real pre-commit with the hooks of this checkout, from its own commit: `make hook-test`.

pre-commit clones the checkout and installs it into an environment of its own, once for all of these tests. What is not
committed is not tried.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.hook.test_runs import CANCELS, NO_BACKEND, ODD, PARTS, PROGRAM, SCRIPT
from tests.support.repository import ACCELERATE, CONFIGURATION, FACTS, ROOT, RUN, TRAIN, Repository

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [
    pytest.mark.real_runner,
    pytest.mark.skipif(
        "TEST_REAL_RUNNER" not in os.environ, reason="make hook-test installs this checkout's last commit"
    ),
]

HOOKS = """\
repos:
  - repo: {root}
    rev: {rev}
    hooks:
"""


class Committed(NamedTuple):
    """What came of a commit: its exit code, and what each hook printed, without the lines of pre-commit itself."""

    code: int
    text: str
    said: Mapping[str, str]


class Guarded(Repository):
    """A repository in which pre-commit is installed."""

    def __init__(self, folder: Path, home: Path, program: Path) -> None:
        configuration = home / "gitconfig"
        configuration.write_text("[safe]\n\tdirectory = *\n")  # the checkout may be somebody else's, as in a container
        places = {"PRE_COMMIT_HOME": str(home), "GIT_CONFIG_GLOBAL": str(configuration)}
        super().__init__(folder, {**places, "PRE_COMMIT_COLOR": "never"})
        self._program = program

    def install(self, *hooks: str) -> None:
        """Have these hooks looked at at each commit."""
        rev = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        text = HOOKS.format(root=ROOT, rev=rev.strip()) + "".join(f"      - {{{hook}}}\n" for hook in hooks)
        self.commit({".pre-commit-config.yaml": text})
        self.run("install", "--install-hooks")

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        """A command of pre-commit."""
        return subprocess.run(
            [self._program, *words], cwd=self.folder, env=self.environment, capture_output=True, check=check
        )

    def tried(self, files: Mapping[str, str | None] | None = None) -> Committed:
        """Try to commit these files."""
        self.write(files or {})
        return self.outcome(self.git("commit", "-m", "a change", check=False))

    def outcome(self, done: subprocess.CompletedProcess[bytes]) -> Committed:
        """What pre-commit said."""
        text = (done.stdout + done.stderr).decode("utf-8", "backslashreplace")
        said: dict[str, str] = {}
        name = ""
        for line in text.splitlines():
            words = line.split(".....")
            if len(words) > 1 and words[-1].endswith(("Passed", "Failed", "Skipped")):
                name = words[0].rstrip(".")
                said[name] = ""
            elif name and not line.startswith(("- hook id", "- exit code", "- files were", "- duration", "[main ")):
                said[name] += f"{line}\n"
        return Committed(done.returncode, text, {name: text.strip() for name, text in said.items()})


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pre-commit")


@pytest.fixture
def repository(tmp_path: Path, home: Path) -> Guarded:
    beside = Path(sys.executable).with_name("pre-commit")
    program = str(beside) if beside.exists() else shutil.which("pre-commit")
    assert program is not None, "pre-commit is not installed"
    made = Guarded(tmp_path / "repository", home, Path(program))
    made.install("id: fp8check")
    return made


def test_a_repository_with_declared_runs(repository: Guarded) -> None:
    """Each way in which a run may be broken by one file of it, by the name of what pre-commit passes on."""
    assert repository.tried(RUN).said == {"fp8check": ""}
    assert repository.tried({"README.md": "clean\n"}).said == {"fp8check": ""}
    changes: list[tuple[Mapping[str, str | None], str]] = [
        ({"train.yaml": CANCELS}, "train.yaml:13:1"),
        ({"accel.yaml": NO_BACKEND}, "accel.yaml:5:3"),
        ({"facts.json": FACTS.replace('"transformer_engine": "2.8.0"', '"transformer_engine": "2.9.0"')}, "FP612"),
        ({"fp8check.toml": 'require = ["speedup>=9"]\n' + CONFIGURATION}, "speedup>=9 is required"),
        ({"fp8check.toml": CONFIGURATION.replace('"facts.json"', '"other.json"')}, "other.json: no such file"),
        ({"train.yaml": None}, "[[run]] 1 names train.yaml, which this commit deletes or renames"),
        (
            {"accel.yaml": None, "new.yaml": ACCELERATE},
            "[[run]] 1 names accel.yaml, which this commit deletes or renames",
        ),
        ({"facts.json": None}, "[[run]] 1 names facts.json, which this commit deletes or renames"),
        ({"train.yaml": "bf16: [\n"}, "[[run]] 1: train.yaml"),
    ]
    for files, told in changes:
        done = repository.tried(files)
        assert done.code == 1, (files, done.text)
        assert told in done.said["fp8check"], (files, done.text)
        repository.git("reset", "-q", "--hard")
        repository.git("clean", "-qfd")
    repository.git("rm", "-q", "--cached", "facts.json")
    done = repository.outcome(repository.git("commit", "-m", "x", check=False))
    assert "names facts.json, which this commit deletes or renames" in done.said["fp8check"]


def test_what_is_staged_is_what_is_looked_at(repository: Guarded) -> None:
    """pre-commit puts what is not staged away: the files that lie there are those of the commit."""
    repository.commit(RUN)
    repository.write({"train.yaml": CANCELS})
    (repository.folder / "train.yaml").write_text(TRAIN)
    done = repository.outcome(repository.git("commit", "-m", "x", check=False))
    assert "FP101 error" in done.said["fp8check"]
    assert (repository.folder / "train.yaml").read_text() == TRAIN, "what was put away is there again"
    repository.git("reset", "-q", "--hard")
    repository.write({"train.yaml": TRAIN + "seed: 1\n"})
    (repository.folder / "train.yaml").write_text(CANCELS)
    assert repository.outcome(repository.git("commit", "-m", "x", check=False)).code == 0


def test_shell_scripts_and_files_that_they_name(repository: Guarded) -> None:
    """examples/ with scripts, DeepSpeed files and Accelerate files, as LLaMA-Factory has it."""
    training = "model_name_or_path: Qwen/Qwen2.5-7B\nstage: sft\noutput_dir: out\nbf16: true\ndeepspeed: examples/deepspeed/z3.json\n"
    deepspeed = (
        '{"zero_optimization": {"stage": 3}, "bf16": {"enabled": true}, "train_micro_batch_size_per_gpu": "auto"}\n'
    )
    files = {
        "examples/deepspeed/z3.json": deepspeed,
        "examples/train_full/sft.yaml": training,
        "examples/accelerate/fp8.yaml": ACCELERATE,
        "examples/fp8/train.sbatch": "#!/bin/bash\naccelerate launch --config_file examples/accelerate/fp8.yaml src/train.py\n",
        "examples/train_full/run.sh": "#!/bin/bash\nllamafactory-cli train examples/train_full/sft.yaml\n",
        "src/train.py": PROGRAM,
        "src/parts.py": PARTS,
    }
    done = repository.tried(files)
    assert done.said == {"fp8check": ""}, done.text
    for change, told in (
        ({"examples/deepspeed/z3.json": deepspeed.replace('"bf16"', '"fp16"')}, "examples/train_full/run.sh:2:1"),
        ({"examples/deepspeed/z3.json": None}, "run.sh:2 names examples/deepspeed/z3.json, which this commit deletes"),
        ({"examples/accelerate/fp8.yaml": NO_BACKEND}, "examples/fp8/train.sbatch:2:1"),
        ({"src/train.py": None}, "train.sbatch:2 names src/train.py, which this commit deletes or renames"),
    ):
        done = repository.tried(change)
        assert done.code == 1, (change, done.text)
        assert told in done.said["fp8check"], (change, done.text)
        repository.git("reset", "-q", "--hard")


def test_folders_of_pairs_and_no_configuration(repository: Guarded) -> None:
    pairs = {
        f"{name}/{file}": text for name in "ab" for file, text in (("train.yaml", TRAIN), ("accel.yaml", ACCELERATE))
    }
    assert repository.tried(pairs).said == {"fp8check": ""}
    done = repository.tried({"a/train.yaml": CANCELS})
    assert done.code == 1
    assert "a/train.yaml:13:1" in done.said["fp8check"]
    assert "b/" not in done.said["fp8check"]
    repository.git("reset", "-q", "--hard")
    others = {"docker-compose.yml": "services: {web: {image: nginx}}\n", "broken.yaml": "a: [1\n", "LICENSE": "x\n"}
    assert repository.tried(others).said == {"fp8check": ""}


def test_a_repository_of_several_projects(repository: Guarded) -> None:
    files = {f"teams/one/{name}": text for name, text in RUN.items()}
    assert repository.tried({**files, "teams/two/x.yaml": "a: 1\n"}).said == {"fp8check": ""}
    done = repository.tried({"teams/one/train.yaml": CANCELS})
    assert "teams/one/train.yaml:13:1" in done.said["fp8check"]
    done = repository.tried({"teams/one/train.yaml": None})
    assert (
        "names train.yaml, which this commit deletes or renames: change it there, too (in teams/one)"
        in done.said["fp8check"]
    )


def test_names_that_somebody_chose(repository: Guarded) -> None:
    repository.commit(RUN)
    names = [name for name in ODD if name.isprintable() or name.isascii() or "\u202e" in name]
    assert len(names) == len(ODD) - 1, "pre-commit itself ends at a name that is not UTF-8, and commits nothing"
    for name in names:
        (repository.folder / name).write_text(NO_BACKEND)
    repository.git("add", "-A")
    done = repository.outcome(repository.git("commit", "-m", "x", check=False))
    assert done.code == 1, done.text
    assert "fp8check" in done.said, done.text
    assert done.said["fp8check"].count("FP201 error") == len(names)
    assert not {"mark", "x.json", "out.yaml"} & {*os.listdir(repository.folder)}


def test_all_files_and_the_commits_between_two(repository: Guarded) -> None:
    repository.commit({**RUN, "train.yaml": CANCELS, "jobs/run.sh": SCRIPT, "jobs/accel.yaml": NO_BACKEND})
    done = repository.outcome(repository.run("run", "--all-files", check=False))
    assert done.code == 1
    assert "train.yaml:13:1" in done.said["fp8check"]
    assert "jobs/run.sh:3:1" in done.said["fp8check"]
    repository.commit({"accel.yaml": None})
    done = repository.outcome(repository.run("run", "--from-ref", "HEAD~1", "--to-ref", "HEAD", check=False))
    assert "names accel.yaml, which this commit deletes or renames" in done.said["fp8check"]


def test_the_hook_that_fixes(repository: Guarded) -> None:
    repository.install("id: fp8check-fix", "id: fp8check")
    assert repository.tried(RUN).said == {"fp8check fix": "", "fp8check": ""}
    done = repository.tried(
        {"accel.yaml": ACCELERATE.replace("backend: TE", "backend: te"), "train.yaml": TRAIN + "\n"}
    )
    assert done.code == 1
    assert "files were modified by this hook" in done.text
    assert done.said["fp8check fix"].startswith("accel.yaml:5: fixed FP201")
    assert repository.tried().said == {"fp8check fix": "", "fp8check": ""}
