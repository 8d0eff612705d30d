"""Which runs a commit's files belong to: as pre-commit would call the hook, without its environments."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from fp8check.cli.main import main
from tests.hook.conftest import Said
from tests.support.command import COMMAND
from tests.support.repository import ACCELERATE, CONFIGURATION, FACTS, LAUNCH, RUN, TRAIN, Repository

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

CANCELS = TRAIN.replace("bf16: false", "bf16: true")
NO_BACKEND = ACCELERATE.replace("backend: TE", "backend: tee")
SCRIPT = '#!/bin/sh\ncd "$(dirname "$0")"\naccelerate launch --config_file accel.yaml train.py --lr 1e-5\n'
PROGRAM = """\
import torch
from accelerate import Accelerator
from parts import model

accelerator = Accelerator()
net = model()
optimizer = torch.optim.AdamW(net.parameters())
net, optimizer = accelerator.prepare(net, optimizer)
accelerator.backward(net(1))
"""
PARTS = "from transformers import AutoModelForCausalLM\n\n\ndef model():\n    return AutoModelForCausalLM.from_pretrained('x')\n"


def plain(capfd: pytest.CaptureFixture[str], *words: str) -> Said:
    code = main([*words])
    return Said(code, *capfd.readouterr())


def found(said: Said) -> list[str]:
    """The places of findings."""
    findings = (line.split() for line in said.out.splitlines() if line[:2] == "FP")
    return sorted(words[-1] for words in findings if words[1] != "info")


# A repository with [[run]]


def test_a_right_run_is_not_spoken_of(repository: Repository, hook: Callable[..., Said]) -> None:
    repository.write(RUN)
    assert hook() == (0, "", "")
    repository.commit({})
    repository.write({"README.md": "new\n"})
    assert repository.handed() == []
    assert hook() == (0, "", "")
    assert hook("--format", "concise") == (0, "", "")


ONE_CHANGE: dict[str, tuple[Mapping[str, str | None], str]] = {
    "bf16 in the training file": ({"train.yaml": CANCELS}, "FP101"),
    "the Accelerate file": ({"accel.yaml": NO_BACKEND}, "FP201"),
    "the facts": ({"facts.json": FACTS.replace('"2.8.0", "transformer_engine_cu12"', '"2.9.0", "x"')}, "FP612"),
    "the command in the configuration": (
        {"fp8check.toml": CONFIGURATION.replace("launch --config", "launch --cpu --config")},
        "FP",
    ),
    "a requirement": ({"fp8check.toml": 'require = ["speedup>=9"]\n' + CONFIGURATION}, "FP995"),
}


@pytest.mark.parametrize("change", ONE_CHANGE)
def test_one_change_fails_where_the_command_fails(
    change: str, repository: Repository, hook: Callable[..., Said], capfd: pytest.CaptureFixture[str]
) -> None:
    repository.commit(RUN)
    files, rule = ONE_CHANGE[change]
    repository.write(files)
    said, by_command = hook(), plain(capfd)
    assert said.code == by_command.code == 1
    assert rule in said.out
    assert found(said) == found(by_command)
    assert said.err == ""


@pytest.mark.parametrize("name", ["train.yaml", "accel.yaml", "facts.json"])
@pytest.mark.parametrize("how", ["deleted", "renamed", "no more of the repository"])
def test_a_file_of_a_run_goes(name: str, how: str, repository: Repository, hook: Callable[..., Said]) -> None:
    repository.commit(RUN)
    words = {"deleted": ["rm", "-q", name], "renamed": ["mv", name, f"new_{name}"]}.get(
        how, ["rm", "-q", "--cached", name]
    )
    repository.git(*words)
    said = hook()
    if how == "no more of the repository" and name == "facts.json":
        assert said == (
            1,
            "",
            f"fp8check: fp8check.toml, [[run]] 1 names {name}, which this commit deletes or renames: change it there, too\n",
        )
    else:
        assert said.code in (1, 2)
        assert "fp8check.toml, [[run]] 1" in said.err
        assert name in said.err


def test_a_run_that_has_no_changed_file_is_not_looked_at(repository: Repository, hook: Callable[..., Said]) -> None:
    other = CONFIGURATION.replace("train.yaml", "b/train.yaml").replace("accel.yaml", "b/accel.yaml")
    files = {**RUN, "b/train.yaml": CANCELS, "b/accel.yaml": ACCELERATE, "fp8check.toml": CONFIGURATION + other}
    repository.commit(files)
    repository.write({"train.yaml": TRAIN + "seed: 1\n"})
    assert hook() == (0, "", "")
    repository.write({"b/accel.yaml": ACCELERATE + "# new\n"})
    said = hook()
    assert said.code == 1
    assert "b/train.yaml:13:1" in said.out
    repository.git("reset", "-q", "--hard")
    repository.write({"facts.json": FACTS + "\n"})
    assert hook().code == 1, "both runs have these facts"


def test_a_run_that_was_broken_before_is_not_spoken_of(repository: Repository, hook: Callable[..., Said]) -> None:
    other = '[[run]]\nfiles = ["gone.yaml"]\n[[run]]\nfiles = ["odd.yaml", "accel.yaml"]\n'
    repository.commit({**RUN, "odd.yaml": "a: [1\n", "fp8check.toml": CONFIGURATION + other})
    repository.write({"train.yaml": TRAIN + "seed: 1\n"})
    assert hook() == (0, "", "")
    repository.write({"odd.yaml": "a: [2\n"})
    said = hook()
    assert said.code == 2
    assert said.err.startswith("fp8check: fp8check.toml, [[run]] 3: odd.yaml:")


def test_unreadable_files_of_a_declared_run_are_told(repository: Repository, hook: Callable[..., Said]) -> None:
    repository.commit(RUN)
    for text in ("bf16: [true\n", "bf16: true\nbf16: \x07\n", "x" * (2 << 20)):
        repository.write({"train.yaml": text})
        said = hook()
        assert said.code == 2, text[:20]
        assert said.err.startswith("fp8check: fp8check.toml, [[run]] 1: train.yaml")
        assert said.err.count("fp8check: ") == 1, "it is told once"
        assert said.out == ""
    (repository.folder / "train.yaml").unlink()
    (repository.folder / "train.yaml").symlink_to("nowhere")
    repository.git("add", "-A")
    said = hook()
    assert said.code == 2
    assert "a link to a file that does not exist" in said.err


@pytest.mark.parametrize("name", ["ds.json", "train.py", "parts.py", "model/config.json"])
def test_what_a_run_names_counts(name: str, repository: Repository, hook: Callable[..., Said]) -> None:
    training = "model_name_or_path: ./model\noutput_dir: out\nbf16: true\ndeepspeed: ds.json\n"
    model = (
        '{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 1}\n'
    )
    launch = "torchrun train.py t.yaml"
    repository.commit(
        {
            "t.yaml": training,
            "ds.json": '{"zero_optimization": {"stage": 2}, "bf16": {"enabled": true}}\n',
            "model/config.json": model,
            "train.py": PROGRAM,
            "parts.py": PARTS,
            "fp8check.toml": f'require = ["speedup>=100"]\n[[run]]\nfiles = ["t.yaml"]\nlaunch = "{launch}"\n',
        }
    )
    text = (repository.folder / name).read_text()
    repository.write({name: text + "\n"})
    said = hook()
    assert said.code == 1, said
    assert "speedup>=100" in said.out
    repository.git("reset", "-q", "--hard")
    repository.write({name: None})
    assert hook().code in (1, 2)


def test_exclude_keeps_no_declared_run_from_being_looked_at(repository: Repository, hook: Callable[..., Said]) -> None:
    repository.commit(RUN)
    repository.write({"train.yaml": CANCELS})
    assert hook(names=[]).code == 1


# Lines of shell scripts, and nearest files


def lines_of(repository: Repository, files: Mapping[str, str | None]) -> None:
    repository.commit(
        {"jobs/run.sh": SCRIPT, "jobs/accel.yaml": ACCELERATE, "jobs/train.py": PROGRAM, "jobs/parts.py": PARTS}
    )
    repository.write(files)


def test_a_line_that_names_a_changed_file(repository: Repository, hook: Callable[..., Said]) -> None:
    lines_of(repository, {"jobs/accel.yaml": NO_BACKEND})
    said = hook()
    assert said.code == 1
    assert said.out.startswith("jobs/run.sh:3:1  accelerate launch")
    assert "jobs/accel.yaml:5:3" in said.out


@pytest.mark.parametrize("name", ["jobs/accel.yaml", "jobs/train.py"])
def test_a_file_of_a_line_goes(name: str, repository: Repository, hook: Callable[..., Said]) -> None:
    lines_of(repository, {name: None})
    said = hook()
    assert said.code == 1
    assert f"jobs/run.sh:3 names {name}, which this commit deletes or renames" in said.err


def test_only_the_lines_that_have_it(repository: Repository, hook: Callable[..., Said]) -> None:
    script = "".join(f"accelerate launch --config_file a{number}.yaml train.py\n" for number in range(3))
    files = {f"a{number}.yaml": NO_BACKEND for number in range(3)}
    repository.commit({"run.sbatch": script, "train.py": PROGRAM, "parts.py": PARTS, **files})
    repository.write({"a1.yaml": NO_BACKEND + "# new\n"})
    said = hook()
    assert [line.split()[0] for line in said.out.splitlines() if line.startswith("run.")] == ["run.sbatch:2:1"]
    repository.git("reset", "-q", "--hard")
    for name in ("run.sbatch", "train.py", "parts.py"):
        repository.write({name: (repository.folder / name).read_text() + "\n"})
        said = hook()
        assert [line.split()[0] for line in said.out.splitlines() if line.startswith("run.")] == [
            f"run.sbatch:{number}:1" for number in (1, 2, 3)
        ], name
        repository.git("reset", "-q", "--hard")


def test_training_files_go_with_the_nearest_accelerate_file(repository: Repository, hook: Callable[..., Said]) -> None:
    repository.commit(
        {"a/train.yaml": CANCELS, "a/accel.yaml": ACCELERATE, "b/train.yaml": CANCELS, "c/train.yaml": TRAIN}
    )
    repository.commit({"b/one.yaml": ACCELERATE, "b/two.yaml": ACCELERATE})
    for name in ("a/accel.yaml", "a/train.yaml"):
        repository.write({name: (repository.folder / name).read_text() + "# new\n"})
        said = hook()
        assert (said.code, found(said)[0]) == (1, "a/train.yaml:13:1"), name
        assert said.out.startswith("a/train.yaml with a/accel.yaml, the Accelerate file nearest to it: [[run]] of")
        repository.git("reset", "-q", "--hard")
    repository.write({"b/train.yaml": CANCELS + "# new\n"})
    assert hook().code == 0, "which of two goes with it is not known"


def test_the_one_accelerate_file_of_a_repository(repository: Repository, hook: Callable[..., Said]) -> None:
    repository.commit({"configs/train.yaml": TRAIN, "accelerate/fp8.yaml": ACCELERATE})
    repository.write({"configs/train.yaml": CANCELS})
    said = hook()
    assert said.code == 1
    assert "accelerate/fp8.yaml:3" in said.out


def test_a_deepspeed_file_that_a_training_file_names(repository: Repository, hook: Callable[..., Said]) -> None:
    training = "model_name_or_path: Qwen/Qwen2.5-7B\noutput_dir: out\nbf16: true\ndeepspeed: ds/z3.json\n"
    good = '{"zero_optimization": {"stage": 3}, "bf16": {"enabled": true}}\n'
    repository.commit({"train.yaml": training, "ds/z3.json": good, "other.yaml": "a: 1\n"})
    repository.write({"ds/z3.json": good.replace("bf16", "fp16")})
    said = hook()
    assert said.code == 1, said
    assert "train.yaml" in said.out


def test_a_repository_without_runs(repository: Repository, hook: Callable[..., Said]) -> None:
    repository.write({"docker-compose.yml": "services: {web: {image: nginx}}\n", "broken.yaml": "a: [1, 2\n"})
    repository.write(
        {"package.json": "{}\n", "setup.py": "print(1)\n", "LICENSE": "MIT\n", "Makefile": "all:\n\techo\n"}
    )
    assert hook() == (0, "", "")


def test_a_line_that_starts_a_declared_run_is_that_run(repository: Repository, hook: Callable[..., Said]) -> None:
    """Nothing is said twice, and what its facts say holds for the line, too."""
    old = ACCELERATE.replace("backend: TE", "backend: AO").replace("  fp8_format: HYBRID\n", "")
    facts = FACTS.replace('"accelerate": "1.11.0"', '"accelerate": "1.6.0"')
    repository.commit({**RUN, "run.sh": f"{LAUNCH}\n"})
    repository.write({"train.yaml": CANCELS})
    said = hook()
    assert (said.code, said.out.count("FP101 error")) == (1, 1)
    assert "run.sh" not in said.out
    repository.git("reset", "-q", "--hard")
    repository.write({"run.sh": f"{LAUNCH} bf16=true\n"})
    with_flag = hook()
    assert with_flag.code == 1
    assert "run.sh:1" in with_flag.out
    assert "transformers 5.6.0" in with_flag.out
    repository.git("reset", "-q", "--hard")
    repository.write({"accel.yaml": old, "facts.json": facts})
    first = hook().out
    repository.git("commit", "-qm", "x")
    repository.write({"run.sh": f"{LAUNCH}  # new\n"})
    assert found(Said(0, first, "")) == found(hook())


# Projects within a repository


def test_a_configuration_in_a_folder_below(repository: Repository, hook: Callable[..., Said]) -> None:
    repository.commit({f"models/seven/{name}": text for name, text in RUN.items()})
    repository.write({"models/seven/train.yaml": CANCELS})
    said = hook()
    assert said.code == 1
    assert "models/seven/train.yaml:13:1" in said.out
    assert "models/seven/accel.yaml:3" in said.out
    assert said.out.startswith("models/seven/fp8check.toml, [[run]] 1\n\nFP")
    repository.write({"models/seven/train.yaml": None})
    said = hook()
    assert said.code == 2
    gone = "names train.yaml, which this commit deletes or renames: change it there, too (in models/seven)\n"
    assert said.err == f"fp8check: fp8check.toml, [[run]] 1 {gone}"


def test_a_configuration_counts_for_its_folder(repository: Repository, hook: Callable[..., Said]) -> None:
    ignoring = 'ignore = ["FP2", "FP3"]\n'
    repository.commit({"a/fp8check.toml": ignoring, "a/accel.yaml": NO_BACKEND, "b/accel.yaml": NO_BACKEND})
    repository.write({"a/accel.yaml": NO_BACKEND + "# new\n"})
    assert hook() == (0, "", "")
    repository.write({"b/accel.yaml": NO_BACKEND + "# new\n"})
    said = hook()
    assert said.code == 1
    assert found(said) == ["b/accel.yaml:5:3"]


def test_a_broken_configuration_counts_where_something_changed(
    repository: Repository, hook: Callable[..., Said]
) -> None:
    repository.commit({"a/fp8check.toml": "[[run]\n", "a/x.yaml": "a: 1\n", "b.yaml": "a: 1\n"})
    repository.write({"b.yaml": "a: 2\n"})
    assert hook() == (0, "", "")
    repository.write({"a/x.yaml": "a: 2\n"})
    said = hook()
    assert said.code == 2
    assert said.err.startswith("fp8check: in a: fp8check.toml: ")


def test_a_suppression_of_another_run_is_used(repository: Repository, hook: Callable[..., Said]) -> None:
    known = '[[suppress]]\nrules = ["FP101"]\nfiles = ["b.yaml"]\nreason = "known"\n'
    other = CONFIGURATION.replace("train.yaml", "b.yaml")
    repository.commit({**RUN, "b.yaml": CANCELS, "fp8check.toml": CONFIGURATION + other + known})
    repository.write({"train.yaml": TRAIN + "seed: 1\n"})
    assert hook("--fail-on", "warning") == (0, "", "")
    repository.write({"b.yaml": TRAIN})
    said = hook("--fail-on", "warning")
    assert said.code == 1
    assert "FP993" in said.out
    repository.git("reset", "-q", "--hard")
    repository.write({"c/accel.yaml": ACCELERATE})
    assert hook("--fail-on", "warning") == (0, "", ""), "whether a suppression is used, only the declared runs tell"


# Names


ODD = (
    *("-q.yaml", "--fail-on=never", "-", "--", "a b.yaml", "a\nb.yaml", "\u2603\U0001f680.yaml", "$(touch mark).yaml"),
    *(
        "`touch mark`.yaml",
        "'\";&|<>.yaml",
        "\u202egnp.yaml",
        "[x]*?.yaml",
        "\\.yaml",
        "a\x1b[31m.yaml",
        ":(glob)**.yaml",
    ),
    os.fsdecode(b"\xff\xfe.yaml"),
)


@pytest.mark.parametrize("name", ODD)
def test_odd_names(name: str, repository: Repository, hook: Callable[..., Said]) -> None:
    (repository.folder / name).write_text(NO_BACKEND)
    (repository.folder / "sub").mkdir()
    (repository.folder / "sub" / name).write_text(NO_BACKEND)
    repository.git("add", "-A")
    assert len(repository.handed()) == 2
    said = hook()
    assert said.code == 1, said
    assert said.out.count("FP201 error") == 2
    assert "\x1b" not in said.out + said.err
    assert "\u202e" not in said.out + said.err
    assert not (repository.folder / "mark").exists()
    repository.git("commit", "-qm", "x")
    repository.git("rm", "-qr", "sub")
    assert hook() == (0, "", "")


@pytest.mark.parametrize("name", [name for name in ODD if name not in ("-", "--") and "\x1b" not in name])
def test_a_declared_file_of_an_odd_name_goes(name: str, repository: Repository, hook: Callable[..., Said]) -> None:
    if not name.isprintable() or not name.isascii():
        pytest.skip("TOML has it escaped, and the report as well")
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    repository.commit({name: TRAIN, "accel.yaml": ACCELERATE})
    repository.commit({"fp8check.toml": f'[[run]]\nfiles = ["./{quoted}", "accel.yaml"]\n'})
    repository.git("rm", "-q", "--", f":(literal){name}")
    said = hook()
    assert said.code == 2
    assert name in said.err


# git


def test_the_first_commit_of_a_repository(repository: Repository, hook: Callable[..., Said]) -> None:
    repository.write({**RUN, "train.yaml": CANCELS})
    assert hook().code == 1


def test_the_commits_between_two(
    repository: Repository, hook: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit(RUN)
    repository.git("rm", "-q", "accel.yaml")
    repository.git("commit", "-qm", "x")
    assert hook(names=[]).code == 0
    monkeypatch.setenv("PRE_COMMIT_FROM_REF", "HEAD~1")
    monkeypatch.setenv("PRE_COMMIT_TO_REF", "HEAD")
    said = hook(names=[])
    assert said.code == 2
    assert "names accel.yaml, which this commit deletes or renames" in said.err


def test_all_files(repository: Repository, hook: Callable[..., Said]) -> None:
    repository.commit({**RUN, "train.yaml": CANCELS, "jobs/accel.yaml": NO_BACKEND})
    said = hook(names=["accel.yaml", "facts.json", "fp8check.toml", "jobs/accel.yaml", "train.yaml"])
    assert said.code == 1
    assert found(said)[:1] == ["jobs/accel.yaml:5:3"]
    assert said.out.count("FP101 error") == 1


def test_where_git_cannot_say_it_that_is_no_pass(repository: Repository, hook: Callable[..., Said]) -> None:
    repository.commit(RUN)
    (repository.folder / ".git" / "index").write_bytes(b"broken")
    said = hook(names=["train.yaml"])
    assert said.code == 2
    assert said.err.startswith("fp8check: git cannot say what this commit changes: ")


def test_without_a_repository_the_given_files_are_looked_at(
    tmp_path: Path, hook: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "accel.yaml").write_text(NO_BACKEND)
    (tmp_path / "train.yaml").write_text(TRAIN)
    assert found(hook(names=["train.yaml", "accel.yaml"])) == ["accel.yaml:5:3"]


def test_a_worktree_and_a_commit_of_some_files(repository: Repository) -> None:
    """git sets GIT_DIR and GIT_INDEX_FILE for its hooks, and the index may be another one than the repository's."""
    repository.commit(RUN)
    other = repository.folder.parent / "other"
    repository.git("worktree", "add", "-q", str(other))
    (other / "accel.yaml").unlink()
    hooks = repository.folder.parent / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text(f'#!/bin/sh\n"{COMMAND}" --hook 2>said\n')
    (hooks / "pre-commit").chmod(0o755)
    commit = ["-C", str(other), "-c", f"core.hooksPath={hooks}", "commit", "-qm", "x", "accel.yaml"]
    assert repository.git(*commit, check=False).returncode == 1
    assert "names accel.yaml, which this commit deletes or renames" in (other / "said").read_text()


# Options


def test_options_that_a_hook_does_not_have(repository: Repository, hook: Callable[..., Said]) -> None:
    repository.write(RUN)
    for words in (["--probe=emulate"], ["--write-baseline", "b.json"]):
        said = hook(*words)
        assert said.code == 2
        assert "hook" in said.err
    for words in (["--goal", "fp8"], ["--plan", "1"]):
        assert hook(*words, command=("fix",)).code == 2


def test_a_plan_and_a_format_for_programs(repository: Repository, hook: Callable[..., Said]) -> None:
    repository.commit(RUN)
    repository.write({"train.yaml": CANCELS})
    assert "what to do" in hook("--plan").out
    assert hook("--format", "sarif=out.sarif").code == 1
    assert '"FP101"' in (repository.folder / "out.sarif").read_text()
    assert hook("--format", "json").out.startswith("{")


def test_a_baseline_of_a_configuration(
    repository: Repository, hook: Callable[..., Said], capfd: pytest.CaptureFixture[str]
) -> None:
    repository.commit({**RUN, "train.yaml": CANCELS})
    plain(capfd, "--write-baseline", "known.json")
    repository.commit({"fp8check.toml": 'baseline = "known.json"\n' + CONFIGURATION})
    repository.write({"train.yaml": CANCELS + "seed: 1\n"})
    assert hook() == (0, "", "")


# The hook that fixes


def test_fixes_what_is_safe(repository: Repository, hook: Callable[..., Said]) -> None:
    repository.commit(RUN)
    repository.write(
        {"accel.yaml": ACCELERATE.replace("backend: TE", "backend: te"), "train.yaml": TRAIN + "seed: 1\n"}
    )
    said = hook(command=("fix",))
    assert said.code == 1, "the commit is looked at again"
    assert said.err.startswith("accel.yaml:5: fixed FP201 ")
    assert (repository.folder / "accel.yaml").read_text() == ACCELERATE
    repository.git("add", "-A")
    assert hook(command=("fix",)) == (0, "", "")


def test_says_what_it_does_not_fix(repository: Repository, hook: Callable[..., Said]) -> None:
    repository.commit(RUN)
    repository.write({"train.yaml": CANCELS})
    said = hook(command=("fix",))
    assert (said.code, said.err) == (
        1,
        "train.yaml:13: left FP101 bf16: true cancels FP8: its fix changes what the run does (--unsafe)\n",
    )
    assert hook("--unsafe", command=("fix",)).code == 1
    assert (repository.folder / "train.yaml").read_text() == TRAIN


def test_fixes_files_of_lines_and_of_folders_below(repository: Repository, hook: Callable[..., Said]) -> None:
    wrong = ACCELERATE.replace("backend: TE", "backend: te")
    lines_of(repository, {"jobs/accel.yaml": wrong, **{f"sub/{name}": text for name, text in RUN.items()}})
    repository.write({"sub/accel.yaml": wrong})
    said = hook(command=("fix",))
    assert said.code == 1
    assert "sub/accel.yaml:5: fixed" in said.err
    assert "jobs/accel.yaml:5: fixed" in said.err
    for name in ("sub/accel.yaml", "jobs/accel.yaml"):
        assert (repository.folder / name).read_text() == ACCELERATE


def test_two_runs_share_a_file_that_is_fixed(repository: Repository, hook: Callable[..., Said]) -> None:
    other = CONFIGURATION.replace("train.yaml", "b.yaml")
    repository.commit({**RUN, "b.yaml": TRAIN, "fp8check.toml": CONFIGURATION + other})
    repository.write({"accel.yaml": ACCELERATE.replace("backend: TE", "backend: te")})
    said = hook(command=("fix",))
    assert (said.code, said.err.count("fixed")) == (1, 1)
    assert LAUNCH in (repository.folder / "fp8check.toml").read_text()
