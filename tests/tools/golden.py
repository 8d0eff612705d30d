"""Reports of a commit, kept, and held against those of today: what changed must stand on a list, with its reason.

python -m tests.tools.golden            what differs, and by which reason
python -m tests.tools.golden record     keep what this tree says; the list of differences begins anew

tests/golden/reports.jsonl.xz has one line an input: {"id", "files", "words", "code", "out", "err"}. Inputs with "corpus"
are files of ../shared/corpus: of those only a digest of what is said is kept. tests/golden/differences.yaml has the
differences: what is rewritten in the old output, by a regular expression, to get the new one; and the additions: keys
that JSON has now and did not have, which are taken out of the new output.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import lzma
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from difflib import unified_diff
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml

from fp8check.cli.main import main as command
from tests.support.paths import CORPUS, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

KEPT = ROOT / "tests" / "golden" / "reports.jsonl.xz"
LISTED = ROOT / "tests" / "golden" / "differences.yaml"


class Said(NamedTuple):
    """What the command says of an input."""

    code: int
    out: str
    err: str


class Difference(NamedTuple):
    """A difference that was meant.

    Attributes:
        old: what stood there, a regular expression; it may span lines.
        new: what stands there now.
        of: a regular expression for the ids of the inputs that it is about.
        code: the exit code now, where it is another.
    """

    old: str
    new: str
    reason: str
    of: str = ""
    code: int | None = None


def kept() -> list[dict[str, object]]:
    """The inputs, with what was said of them."""
    with lzma.open(KEPT, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def differences() -> list[Difference]:
    """The list of what was meant to change."""
    return [Difference(**one) for one in yaml.safe_load(LISTED.read_text(encoding="utf-8"))["differences"] or ()]


def additions() -> list[str]:
    """Where JSON has more than it had: keys from the top, or, without a slash at the front, the last ones of a path."""
    return [str(one["path"]) for one in yaml.safe_load(LISTED.read_text(encoding="utf-8")).get("additions") or ()]


def without(text: str, added: Sequence[str]) -> str:
    """JSON of the command without additions; any other text as it is."""
    try:
        data = json.loads(text)
    except ValueError:
        return text
    if not isinstance(data, dict | list):
        return text
    return json.dumps(_without(data, "", added), indent=2, ensure_ascii=text.isascii()) + "\n"


def _without(data: object, path: str, added: Sequence[str]) -> object:
    if isinstance(data, list):
        return [_without(one, path, added) for one in data]
    if not isinstance(data, dict):
        return data
    paths = {key: f"{path}/{key}" for key in data}
    return {
        key: _without(value, paths[key], added)
        for key, value in data.items()
        if not any(paths[key] == one if one.startswith("/") else paths[key].endswith(f"/{one}") for one in added)
    }


def run(words: Sequence[str]) -> Said:
    """The command, in this process."""
    out, err = (TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = command(list(words))
    out.seek(0)
    err.seek(0)
    return Said(code, out.read(), err.read())


def say(inputs: Iterable[dict[str, object]], folder: Path, *, added: Sequence[str] | None = None) -> Iterator[Said]:
    """What this tree says of each input, without what is `added`; `folder` is where their files are put."""
    home, last = Path.cwd(), None
    added = additions() if added is None else added
    try:
        for one in inputs:
            if one.get("corpus"):
                os.chdir(CORPUS)
                yield _digested(_said(one, added))
                last = None
                continue
            changes_files = one["words"][:1] == ["fix"]  # type: ignore[index]
            if one["files"] != last:
                os.chdir(home)
                _put(one["files"], folder)  # type: ignore[arg-type]
            os.chdir(folder)
            last = None if changes_files else one["files"]
            yield _said(one, added)
    finally:
        os.chdir(home)


def _said(one: dict[str, object], added: Sequence[str]) -> Said:
    said = run(one["words"])  # type: ignore[arg-type]
    return said._replace(out=without(said.out, added)) if added else said


def _put(files: dict[str, str], folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))


def _digested(said: Said) -> Said:
    """Only whether it is the same: real configuration files are not ours to keep."""
    try:
        report = json.loads(said.out)
    except ValueError:
        return Said(said.code, hashlib.sha256(said.out.encode()).hexdigest() if said.out else "", bool(said.err) * "x")
    found = [(one["rule"], one["line"], one["column"]) for one in report["findings"]]
    parts = (report["verdict"], found, [one["rule"] for one in report["undecided"]], report["outcome"]["trace"])
    return Said(said.code, hashlib.sha256(json.dumps(parts).encode()).hexdigest(), "")


def expected(one: dict[str, object], listed: Sequence[Difference], used: Counter[int]) -> Said:
    """What was said of an input, with the differences that are listed; counts which of them did something."""
    code, out, err = int(str(one["code"])), str(one["out"]), str(one["err"])
    for number, difference in enumerate(listed):
        if difference.of and not re.search(difference.of, str(one["id"])):
            continue
        new_out, in_out = re.subn(difference.old, difference.new, out, flags=re.M)
        new_err, in_err = re.subn(difference.old, difference.new, err, flags=re.M)
        if in_out or in_err:
            used[number] += 1
            out, err = new_out, new_err
            code = code if difference.code is None else difference.code
    return Said(code, out, err)


def shown(before: Said, now: Said) -> str:
    """How the two differ, shortly."""
    lines = [f"exit code {before.code} -> {now.code}"] if before.code != now.code else []
    for old, new in ((before.out, now.out), (before.err, now.err)):
        lines += [
            line for line in unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="") if line[2:3] != "-"
        ]
    return "\n".join(lines[:30])


def main(words: Sequence[str]) -> int:
    """Print what differs; 1 where something does that is not listed."""
    inputs = kept()
    with tempfile.TemporaryDirectory() as folder:
        if words == ["record"]:
            return _record(inputs, Path(folder))
        listed, used, wrong = differences(), Counter[int](), 0
        for one, now in zip(inputs, say(inputs, Path(folder) / "run"), strict=True):
            before = expected(one, listed, used)
            if before != now:
                wrong += 1
                print(f"{one['id']}\n{shown(before, now)}")
    for number, difference in enumerate(listed):
        print(f"{used[number]:>6}  {difference.reason}")
    print(f"{len(inputs)} reports, {wrong} differ in what is not listed")
    return 1 if wrong or len(used) < len(listed) else 0


def _record(inputs: Sequence[dict[str, object]], folder: Path) -> int:
    lines = [
        json.dumps({**one, **now._asdict()}, ensure_ascii=False)
        for one, now in zip(inputs, say(inputs, folder / "run", added=()), strict=True)
    ]
    with lzma.open(KEPT, "wt", encoding="utf-8", preset=9 | lzma.PRESET_EXTREME) as stream:
        stream.write("\n".join(lines) + "\n")
    LISTED.write_text("differences: []\nadditions: []\n", encoding="utf-8")
    print(f"{len(lines)} reports kept")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
