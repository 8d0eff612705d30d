"""What leaves for a terminal: folded, painted, with links. None of it lets more out than the plain text does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.attacks.lines import attack
from tests.attacks.test_output import KINDS, LINE, MORE, accelerate, commands, hidden, quoted
from tests.support.command import run
from tests.support.widths import PAINT

OWN = re.compile(r"\x1b\[(?:0|1|2|32|1;31|1;33)m|\x1b\]8;;(?:https://fp8check\.readthedocs\.io/rules/FP[0-9]+)?\x1b\\")
EVIL = "\x1b]8;;https://evil.example/FP101\x1b\\FP101\x1b]8;;\x1b\\ \x1b]0;title\x07 \x9b31m \x1f\x1e\x1d\x1c"


def on_a_terminal(folder: Path, files: dict[str, str], *words: str, width: int = 30) -> str:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    painted = {"COLUMNS": str(width), "FORCE_COLOR": "1", "FORCE_HYPERLINK": "1"}
    done = run(*words, *files, "--no-environment", cwd=folder, **painted)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("command", [(), ("-v",), ("plan",), ("outcome",)], ids=" ".join)
@pytest.mark.parametrize("width", [1, 24, 30, 41])
def test_only_own_sequences_reach_it(command: tuple[str, ...], width: int, tmp_path: Path) -> None:
    out = on_a_terminal(tmp_path, {"accel.yaml": accelerate(quoted(EVIL))}, *command, width=width)
    assert hidden(OWN.sub("", out)) == set()
    assert "evil.example" not in "".join(PAINT.findall(out))


@pytest.mark.parametrize("width", range(24, 44))
def test_no_fold_makes_a_command_of_a_line(width: int, tmp_path: Path) -> None:
    text = " ".join(["::stop-commands::x", "##[add-mask]y", "##vso[task.z]"] * 4) + LINE
    out = on_a_terminal(tmp_path, {"accel.yaml": accelerate(quoted(text))}, width=width)
    assert commands(PAINT.sub("", out)) == []


@attack("S10")
@pytest.mark.parametrize("kind", sorted(KINDS | MORE))
def test_no_fold_lets_a_credential_through(kind: str, tmp_path: Path) -> None:
    secret = (KINDS | MORE)[kind]
    files = {"accel.yaml": accelerate(quoted(secret)) + f'  margn: "{secret}"  # {secret}\n'}
    for width, command in ((24, ()), (40, ("plan",)), (40, ("outcome",)), (400, ())):
        out = on_a_terminal(tmp_path, files, *command, width=width)
        assert secret not in re.sub(r"\\?\s+", "", PAINT.sub("", out))
        assert secret[-20:] not in re.sub(r"\\?\s+", "", PAINT.sub("", out))


def test_a_file_gets_none_of_it(tmp_path: Path) -> None:
    plain = run("rules", cwd=tmp_path).stdout
    forced = {"FORCE_COLOR": "1", "FORCE_HYPERLINK": "1", "COLUMNS": "40"}
    (tmp_path / "accel.yaml").write_text(accelerate("E4M4"))
    run("accel.yaml", "--no-environment", "-o", "a.txt", cwd=tmp_path)
    run("accel.yaml", "--no-environment", "-o", "b.txt", cwd=tmp_path, **forced)
    assert (tmp_path / "a.txt").read_text() == (tmp_path / "b.txt").read_text()
    assert "\x1b" not in plain
