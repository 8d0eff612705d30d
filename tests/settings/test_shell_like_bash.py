"""What is read of shell scripts is what bash makes of them: scripts made at random, each run by bash itself.

`python -m tests.tools.bash_cases 2000` tries more of them.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

import pytest

from tests.tools.bash_cases import Case, Maker, verdict

_NUMBER = 120


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_scripts_are_read_as_bash_reads_them() -> None:
    verdicts = {seed: verdict(Maker(seed).case()) for seed in range(_NUMBER)}
    assert {seed: one.wrong for seed, one in verdicts.items() if one.wrong} == {}
    started = sum(one.started for one in verdicts.values())
    known = sum(one.known for one in verdicts.values())
    assert started > 3 * _NUMBER
    assert known > started // 3  # the others have a word that only a run tells


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("A=1\npython 1 $A", 1),
        ("python 1 $HOME", 0),
        ('if [ -z "$X" ]; then A=2; else A=3; fi\npython 1 $A', 1),
        ("while getopts 'a:' o; do V0=$OPTARG; done\nV0=${V0:-7}\npython 1 $V0", 1),
        ("cat > job.sh <<EOF\npython 1 a\nEOF\nbash job.sh", 1),
    ],
)
def test_what_is_known(text: str, known: int) -> None:
    result = verdict(Case(text, {}))
    assert (result.wrong, result.started, result.known) == ([], 1, known)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_a_script_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.tools.bash_cases._SECONDS", 0.5)
    case = Case("python 1\n(while :; do :; done) &\nwhile :; do :; done\n", {})
    assert verdict(case)[1:] == (1, 1)
    end = time.monotonic() + 5  # what was killed is gone once the kernel has taken it away
    while _left() and time.monotonic() < end:
        time.sleep(0.05)
    assert not _left()


def _left() -> list[Path]:
    """Processes of scripts whose folder was deleted."""
    scripts = [one for one in Path("/proc").glob("[0-9]*/cmdline") if "run.sh" in _text(one)]
    return [one for one in scripts if "deleted" in str(one.parent.joinpath("cwd").resolve())]


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_bytes().decode(errors="replace")
    return ""


def test_a_difference_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.tools.bash_cases.read_lines", lambda _case, _folder: [])
    assert verdict(Case("python 1", {})).wrong == ["missed: ('python', '1')"]
