"""Another program: its limits, how it ended, and that nothing of it is left, whatever ends it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fp8check.rules.child import run as run_
from fp8check.rules.child import supervised
from fp8check.rules.child.run import Ended, Running, run
from fp8check.rules.child.supervised import NotStarted
from tests.support.processes import gone, numbers_in

# A tree: a child, a process in a session of its own as torchrun's workers have, and one that left its parent.
TREE = """
cd "$1"
setsid sh -c 'echo $$ > session; exec sleep 600' &
(setsid sh -c 'setsid sleep 600 & echo $! > orphan' &)
sh -c 'trap "" TERM INT HUP; echo $$ > deaf; while :; do sleep 600; done' &
while [ ! -s session ] || [ ! -s orphan ] || [ ! -s deaf ]; do sleep 0.01; done
echo ready
"""


@pytest.mark.parametrize(
    ("script", "ended"),
    [
        ("echo out; echo err >&2", Ended("exit", 0, b"out\n", b"err\n")),
        ("exit 3", Ended("exit", 3, b"", b"")),
        ("kill -9 $$", Ended("signal", 9, b"", b"")),
        ("kill -TERM $$", Ended("signal", 15, b"", b"")),
        ("exec >&- 2>&-; sleep 0.1; exit 4", Ended("exit", 4, b"", b"")),  # silent before its end
        ("read line || echo nothing", Ended("exit", 0, b"nothing\n", b"")),
    ],
)
def test_how_it_ended(script: str, ended: Ended) -> None:
    assert run(["sh", "-c", script], limit_s=20) == ended


def test_time_is_limited() -> None:
    began = time.monotonic()
    assert run(["sleep", "60"], limit_s=0.2) == Ended("limit", 0, b"", b"", "gave no answer in 0.2 s")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("where", "name"), [("", "standard output"), (" >&2", "standard error")])
def test_output_is_limited(where: str, name: str) -> None:
    ended = run(["sh", "-c", f"yes{where}"], limit_s=60, longest=1000)
    assert (ended.how, ended.why) == ("limit", f"printed more than 1000 bytes on {name}")
    assert len(ended.output + ended.errors) == 1000


def test_output_up_to_the_limit_is_whole() -> None:
    assert run(["sh", "-c", "printf 12345678"], limit_s=20, longest=8).output == b"12345678"


@pytest.mark.parametrize("word", ["no-such-program", "/no/such/program", "", "bad\0name", "/etc/passwd", "./nothing"])
def test_what_cannot_be_started_says_why(word: str) -> None:
    with pytest.raises(NotStarted) as caught:
        run([word], limit_s=5)
    assert str(caught.value) in ("No such file or directory", "embedded null byte", "Permission denied")


def test_an_environment_that_cannot_be_handed_over_says_why() -> None:
    with pytest.raises(NotStarted, match="embedded null byte"):
        run(["true", "bad\0word"], limit_s=5)
    with pytest.raises(NotStarted, match=r"illegal environment variable name|embedded null"):
        run(["true"], limit_s=5, environ={"PATH": os.environ["PATH"], "A=B\0": "x"})


def test_another_system_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(NotStarted, match="Linux and macOS"):
        run(["true"], limit_s=5)


def test_it_stands_in_a_new_empty_folder_that_is_removed(tmp_path: Path) -> None:
    ended = run(["sh", "-c", "pwd; ls -A; touch left; mkdir behind"], limit_s=20, environ=_with(TMPDIR=str(tmp_path)))
    folder = Path(ended.output.decode().strip())
    assert folder.parent == tmp_path
    assert ended.output.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_a_place_for_a_folder_it_still_stands_elsewhere(tmp_path: Path) -> None:
    ended = run(["pwd"], limit_s=20, environ=_with(TMPDIR=str(tmp_path / "none")))
    assert ended.output.startswith((b"/tmp/fp8check-", b"/var/tmp/fp8check-"))


def test_a_relative_program_is_seen_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").write_text("#!/bin/sh\necho mine\n")
    (tmp_path / "own").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert run(["./own"], limit_s=20).output == b"mine\n"
    with pytest.raises(NotStarted):
        run(["own"], limit_s=20, environ=_with(PATH=f".::{tmp_path}"))


def test_descriptors_are_handed_over_and_no_others() -> None:
    reading, writing = os.pipe()
    leaked = os.dup(writing)
    code = f"import os; os.write({writing}, b'told'); print(*os.listdir('/proc/self/fd'))"
    try:
        with Running([sys.executable, "-I", "-c", code], keep=[writing]) as program:
            os.close(writing)
            printed: list[bytes] = []
            program.listen({program.output: lambda data: printed.append(data) or ""}, lambda: (20, ""))  # type: ignore[func-returns-value]
        assert os.read(reading, 100) == b"told"
        assert set(b"".join(printed).decode().split()) == {"0", "1", "2", "3", str(writing)}  # 3 is the listing's own
    finally:
        os.close(reading)
        os.close(leaked)


def test_it_reads_what_is_handed_over() -> None:
    with Running(["cat"], reads=True, one_output=True) as program:
        assert program.errors == -1
        got: list[bytes] = []
        program.listen({program.output: lambda data: got.append(data) or ""}, lambda: (20, "late"), b"x" * 500_000)  # type: ignore[func-returns-value]
    assert b"".join(got) == b"x" * 500_000
    assert program.ended() == ("exit", 0)


@pytest.mark.parametrize("script", ["true", "exec <&-; sleep 0.3"])
def test_one_that_does_not_read_is_no_error(script: str) -> None:
    with Running(["sh", "-c", script], reads=True) as program:
        assert program.listen({program.output: lambda _: ""}, lambda: (20, "late"), b"x" * 500_000) == ""
    assert program.ended() == ("exit", 0)


def test_nothing_may_be_handed_over() -> None:
    with Running(["cat"], reads=True) as program:
        assert program.listen({program.output: lambda _: ""}, lambda: (20, "late")) == ""
    assert program.ended() == ("exit", 0)


def test_one_that_hangs_without_reading_is_ended() -> None:
    left = iter([2.0, 2.0, 0.1, 0.0])
    with Running(["sleep", "600"], reads=True) as program:
        assert program.listen({}, lambda: (next(left), "late"), b"x" * 500_000) == "late"


def test_nothing_of_the_tree_is_left_when_it_ends(tmp_path: Path) -> None:
    assert run(["sh", "-c", TREE, "sh", str(tmp_path)], limit_s=20).output == b"ready\n"
    assert gone(numbers_in(tmp_path))


@pytest.mark.parametrize("ends", ["time", "output", "error"])
def test_nothing_of_the_tree_is_left_when_it_is_ended(ends: str, tmp_path: Path) -> None:
    script = TREE + ("yes" if ends == "output" else "sleep 600")
    if ends == "error":
        with contextlib.suppress(ZeroDivisionError), Running(["sh", "-c", script, "sh", str(tmp_path)]) as program:
            assert os.read(program.output, 10) == b"ready\n"
            raise ZeroDivisionError
    else:
        assert run(["sh", "-c", script, "sh", str(tmp_path)], limit_s=2, longest=10000).how == "limit"
    assert gone(numbers_in(tmp_path))


PARENT = """
import sys
from fp8check.rules.child.run import run
run(["sh", "-c", sys.argv[1] + "sleep 600", "sh", sys.argv[2]], limit_s=600)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL, signal.SIGQUIT])
def test_nothing_of_the_tree_is_left_when_a_signal_ends_the_parent(number: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, TREE, str(tmp_path)], stderr=subprocess.DEVNULL) as parent:
        tree = numbers_in(tmp_path)
        parent.send_signal(number)
    assert gone(tree)


def test_a_supervisor_that_is_told_to_end_ends_the_tree_and_one_that_is_killed_its_program(tmp_path: Path) -> None:
    for number, folder in ((signal.SIGTERM, tmp_path / "a"), (signal.SIGKILL, tmp_path / "b")):
        folder.mkdir()
        script = TREE if number == signal.SIGTERM else 'cd "$1"; echo $$ > session; echo 0 > orphan; echo 0 > deaf\n'
        with Running(["sh", "-c", script + "sleep 600", "sh", str(folder)]) as program:
            tree = numbers_in(folder)
            program._process.send_signal(number)
            assert program.listen({program.output: lambda _: ""}, lambda: (20, "late")) == ""
            assert gone([one for one in tree if one])
        assert program.ended() == ("lost", 0)


def test_a_supervisor_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_, "ENDING_S", 0.1)
    with Running(["sleep", "600"]) as program:
        os.kill(program._process.pid, signal.SIGSTOP)
    assert program.ended() == ("lost", 0)


def test_a_pipe_that_nobody_closes_does_not_hold_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a process that sits in the driver: it cannot be killed, and keeps the pipe."""
    monkeypatch.setattr(run_, "_LAST_WORDS_S", 0.1)
    reading, writing = os.pipe()
    with Running(["true"]) as program:
        program.output = reading
        assert program.listen({reading: lambda _: ""}, lambda: (20, "late")) == ""
    os.close(reading)
    os.close(writing)
    assert program.ended() == ("exit", 0)


def test_closed_standard_descriptors_are_no_trouble() -> None:
    code = (
        "import os, sys; [os.close(int(one)) for one in sys.argv[1:]]\n"
        "from fp8check.rules.child.run import run\n"
        "ended = run(['sh', '-c', 'echo out'], limit_s=20)\n"
        "sys.exit(0 if (ended.how, ended.code, ended.output) == ('exit', 0, b'out\\n') else 1)\n"
    )
    for closed in (["0"], ["0", "1"], ["0", "1", "2"], ["2"]):
        assert subprocess.run([sys.executable, "-c", code, *closed], check=False).returncode == 0


def test_what_a_supervisor_says_is_understood_or_lost() -> None:
    one = supervised.Supervised(["true"])
    assert one.ended() is None, "it has not been started"
    os.write(one.keep[1], b"nonsense")
    assert one.ended() == ("lost", 0)
    one.started()
    assert one.ended() == ("lost", 0)
    one.close()
    assert one.ended() == ("lost", 0)
    one.end()
    one.close()


def test_pipes_are_none_of_the_standard_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervised, "LOWEST", 100)
    assert run(["sh", "-c", "echo out"], limit_s=20).output == b"out\n"


def _with(**variables: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], **variables}
