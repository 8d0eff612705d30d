"""Shell scripts made at random, and what bash itself makes of them: python -m tests.tools.bash_cases NUMBER [FIRST].

Every launch of such a script has a number, as its first argument. Programs that are launched stand in the folder `bin`
and write down what they were given: their words, some variables, and the folder. Against that is held what fp8check reads
in the text (`rules/settings/shell.py`): a launch that bash starts has to be among the lines; what is said to be known of
it, its words, its variables, its folder, has to be what bash says.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fp8check.rules.reading.shell_syntax import read
from fp8check.rules.reading.source import Source
from fp8check.rules.settings.shell import lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fp8check.rules.settings.shell_lines import Line, Place

PROGRAMS = ("accelerate", "torchrun", "deepspeed", "python")
_FOLDERS = (".", "sub", "sub/deep")  # those that are there: a `cd` elsewhere fails
WATCHED = ("V0", "V1", "V2", "V3", "OUT")
_SECONDS = 10
_NOTHING = "\1none"
_WRITES = """#!/bin/sh
printf '%s\\0' "$PWD" "${V0-NONE}" "${V1-NONE}" "${V2-NONE}" "${V3-NONE}" "${OUT-NONE}" "$#" "${0##*/}" "$@" >> "$LOG"
""".replace("NONE", _NOTHING)


class Started(NamedTuple):
    """A program that bash started."""

    folder: str
    variables: dict[str, str | None]
    words: tuple[str, ...]

    @property
    def number(self) -> str:
        """Which launch of the script it is."""
        return self.words[1] if len(self.words) > 1 else ""


class Case(NamedTuple):
    """A script, and the files beside it by their names."""

    text: str
    files: dict[str, str]


class Verdict(NamedTuple):
    """What came of one script.

    Attributes:
        wrong: what fp8check says and bash does not, in words.
        started: how many launches bash started; `known` of them had no unknown word.
    """

    wrong: list[str]
    started: int
    known: int


# Made at random


class Maker:
    """Makes scripts of one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._launches = 0
        self._functions = 0
        self._files: dict[str, str] = {}
        self._depth = 0
        self._in_function = False

    def case(self) -> Case:
        """One script."""
        body = self._block(self._random.randint(4, 10))
        return Case("#!/bin/bash\n" + body + self._launch() + "\n", self._files)

    def _pick(self, of: Sequence[str]) -> str:
        return self._random.choice(of)

    def _name(self) -> str:
        return self._pick(("V0", "V1", "V2", "V3", "OUT"))

    def _array(self) -> str:
        return self._pick(("A0", "A1"))

    def _word(self) -> str:
        return self._pick(
            (
                "a",
                "b.yaml",
                "--lr",
                "1e-5",
                "'x y'",
                '"p q"',
                "x=1",
                "8",
                "conf/z3.json",
                "a\\ b",
                "''",
                "--bf16",
                "no",
                "~x",
            )
        )

    def _filled(self) -> str:
        """A word with something filled in."""
        name, array = self._name(), self._array()
        forms = (
            f"${name}", f'"${name}"', f"${{{name}}}", f'"${{{name}}}/out"', f"--x=${name}", f'"${{{name}:-d e}}"',
            f"${{{name}:-d}}", f"${{{name}-u}}", f"${{{name}:+set}}", f'"${{{array}[@]}}"', f"${{{array}[@]}}",
            f"${{{array}[0]}}", f'"${{{array}[1]}}"', f'"${{{array}[*]}}"', f"${{#{array}[@]}}", f"$(({self._sum()}))",
            f"${{{name}%.*}}", f'"${{{name}##*/}}"', f"${{{name}/a/b}}", f"${{{name}^^}}", f"${{{name},,}}",
            "$(echo e f)", '"$(echo g h)"', f'"$(echo ${name})"', f"pre${name}post", f'pre"${name}"$' + name,
            f"${{#{name}}}", f"${{{name}:0:2}}", "`echo i`", f"${{{name}//a/b}}", f"${{{name}#--}}", '"$@"', "$1", "$#", '"$*"',
            "${2:-two}", f"${{{array}[-1]}}", f"${{{array}[@]:1}}", f"${array}", "{a,b}c", "$'t\\tn'", f'"\\${name}"',
            f"'${name}'", f"${{{name}:=given}}", "*.none",
        )  # fmt: skip
        return self._pick(forms)

    def _sum(self) -> str:
        return self._pick(
            ("2 + 3", "N * 2", "N + 1", "7 / 2", "(1 + 2) * 3", "N % 3", "10 - 4", "$N * 8", "2 ** 3", "N > 2")
        )

    def _value(self) -> str:
        return self._pick((self._word(), self._filled(), self._filled())) if self._random.random() < 0.8 else ""

    def _launch(self, before: str = "") -> str:
        self._launches += 1
        words = [self._pick((self._word(), self._filled(), self._filled())) for _ in range(self._random.randint(0, 4))]
        command = f"{before}{self._pick(PROGRAMS)} {self._launches} {' '.join(words)}".rstrip()
        if ":=" in command:  # in a pipe it is set in a shell of its own
            return command
        return command + self._pick(
            (
                "",
                "",
                "",
                "",
                " > log.txt 2>&1",
                " 2>&1 | cat > /dev/null",
                " &\nwait",
                " # end",
                " \\\n  --last",
                " < /dev/null",
            )
        )

    def _test(self) -> str:
        name = self._name()
        forms = (
            f'[ -z "${name}" ]', f'[ -n "${name}" ]', f'[ "${name}" = a ]', f'[[ ${name} == a ]]', f'[[ -n ${name} ]]', f'[[ "${name}" != "a" ]]',
            "true", "false", "[ $N -gt 2 ]", "[[ $N -eq 4 ]]", "((N > 2))", '[ "$1" = go ]', "[ $# -gt 0 ]", f'[[ ${name} =~ ^a ]]', f"! [ -z ${name} ]",
            f'[ -n "${name}" -a $N = 4 ]', "test -d /tmp", "[ -f nowhere ]", f'[[ -z ${name} && $N == 4 ]]', f'[[ ${name} == a* ]]', f'[ x"${name}" = x"a" ]', f"[[ ! -z ${name} ]]",
        )  # fmt: skip
        return self._pick(forms)

    def _block(self, size: int) -> str:
        if self._depth > 2:
            return self._simple() + "\n"
        self._depth += 1
        text = "".join(self._statement() + "\n" for _ in range(size))
        self._depth -= 1
        return text

    def _statement(self) -> str:
        return self._random.choices((self._simple, self._launch, self._compound), (5, 3, 2))[0]()

    def _simple(self) -> str:
        name, array = self._name(), self._array()
        forms: tuple[Callable[[], str], ...] = (
            lambda: f"{name}={self._value()}",
            lambda: f"{name}={self._value()}",
            lambda: f"{name}={self._word()}",
            lambda: f"N={self._pick(('1', '4', '8'))}",
            lambda: f"N=$(({self._sum()}))",
            lambda: f"((N = {self._sum()}))",
            lambda: "((N++))",
            lambda: "let N=N+1",
            lambda: f"let 'N = {self._sum()}'",
            lambda: f"export {name}={self._value().replace('{', '')}",
            lambda: f"export {name}",
            lambda: f"{name}+={self._pick(('z', '.w', '$V1'))}",
            lambda: f"{array}=({self._value()} {self._value()})",
            lambda: f"{array}+=({self._value()})",
            lambda: f"{array}=()",
            lambda: f"{array}[1]={self._word()}",
            lambda: f"declare -x {name}={self._word()}",
            lambda: f"declare -a {array}=({self._word()} {self._word()})",
            lambda: f"readonly R{self._random.randint(0, 99)}={self._word()}",
            lambda: f"unset {name}",
            lambda: f": ${{{name}:=default}}",
            lambda: f"{self._test()} && {name}={self._word()}",
            lambda: f"{self._test()} || {name}={self._word()}",
            lambda: f"{self._test()} && {self._launch()}".split(" # ")[0],
            lambda: (
                f"cd {self._pick(('sub', '..', '.', 'sub/deep', '-', '$PWD', '/tmp', '$HOME'))} > /dev/null 2>&1 || true"
            ),
            lambda: "pushd sub > /dev/null 2>&1",
            lambda: "popd > /dev/null 2>&1",
            lambda: f"set -- {self._value()} {self._value()}",
            lambda: "shift 2> /dev/null",
            lambda: f"read -r {name} <<< " + self._pick(("word", '"two words"', "$N")),
            lambda: f"read -r -d '' {name} <<EOT\nline $N\nmore\nEOT",
            lambda: f"read {name} {self._name()} < /dev/null",
            lambda: f"eval {name}={self._word()}",
            lambda: f"{name}=$(pwd)",
            lambda: f"{name}=x {self._launch()}",
            lambda: f"env {name}=y {self._launch()}",
            lambda: f"{name}=$V1 V3={self._word()} {self._launch()}",
            lambda: f"printf -v {name} '%s' done",
            lambda: f"IFS=: {name}=a:b",
            lambda: "set -a" if self._depth == 1 else "set +a",  # in a loop it exports what the loop sets next
            lambda: f"mapfile -t {array} <<< one",
            lambda: (
                f"{name}=$({self._pick(('basename $V0', 'dirname a/b', 'seq 1', 'echo $V1 | cat', 'cat nowhere 2>/dev/null'))})"
            ),
            lambda: "trap 'true' EXIT",
            lambda: f"{name}={self._word()} {array}=(m n)",
            lambda: f"declare -i N={self._random.randint(1, 9)}",
            lambda: f"export {name}={self._word()} {self._name()}",
        )
        return self._random.choice(forms)()

    def _compound(self) -> str:
        forms: tuple[Callable[[], str], ...] = (
            self._if, self._if, self._case, self._for, self._for, self._while, self._function, self._subshell,
            self._bash_c, self._heredoc, self._sourced, self._getopts, self._arithmetic_for, self._group, self._until,
            self._piped_block, self._job,
        )  # fmt: skip
        return self._random.choice(forms)()

    def _if(self) -> str:
        text = f"if {self._test()}; then\n{self._block(self._random.randint(1, 2))}"
        if self._random.random() < 0.3:
            text += f"elif {self._test()}\nthen\n{self._block(1)}"
        if self._random.random() < 0.6:
            text += f"else\n{self._block(self._random.randint(1, 2))}"
        return text + "fi"

    def _case(self) -> str:
        of = self._pick((f"${self._name()}", "$N", '"$1"', "a"))
        return f"case {of} in\na|8) {self._block(1)};;\n[0-5]*) {self._block(1)};;\n*) {self._block(1)};;\nesac"

    def _for(self) -> str:
        name = self._pick(("V1", "V2", "i"))
        of = self._pick(("a b", "one", '"$@"', "$V0", '"${A0[@]}"', "1 2 3", "$(echo q r)", "{1..3}", '"x y"'))
        return f"for {name} in {of}; do\n{self._block(self._random.randint(1, 2))}done"

    def _while(self) -> str:
        return f"n=0\nwhile [ $n -lt {self._random.randint(0, 2)} ]; do\nn=$((n + 1))\n{self._block(1)}done"

    def _until(self) -> str:
        return f"n=0; until [ $n -ge {self._random.randint(0, 2)} ]; do n=$((n+1))\n{self._block(1)}done"

    def _arithmetic_for(self) -> str:
        return f"for ((i = 0; i < {self._random.randint(0, 2)}; i++)); do\n{self._block(1)}done"

    def _function(self) -> str:
        self._functions += 1
        name = f"f{self._functions}"
        local = f"  local {self._name()}={self._value()}\n" if self._random.random() < 0.5 else ""
        head = self._pick((f"{name}() {{", f"function {name} {{", f"function {name}() {{"))
        text = f"{head}\n{local}{self._block(self._random.randint(1, 2))}}}"
        for _ in range(self._random.randint(0, 2)):
            text += f"\n{name} {self._value()} {self._value()}"
        return text

    def _subshell(self) -> str:
        return f"(\n{self._block(self._random.randint(1, 2))})"

    def _group(self) -> str:
        return f"{{\n{self._block(self._random.randint(1, 2))}}}"

    def _piped_block(self) -> str:
        return f"echo x | while read V1; do\n{self._block(1)}done"

    def _bash_c(self) -> str:
        inner = self._launch().split(" # ")[0].replace("\\\n", "")
        if any(sign in inner for sign in "\"'`[@*"):
            return "bash -c 'python " + str(self._launches) + ' $V0 "$V1"\''
        return f'bash -c "{inner}"'

    def _heredoc(self) -> str:
        quoted = self._pick(("EOF", "'EOF'"))
        head = self._pick(("bash <<", "cat <<", "bash -s <<", "bash -x 2>/dev/null <<"))
        tail = " | bash" if head.startswith("cat") else ""
        return f"{head}{quoted}{tail}\n{self._inner()}\nEOF"

    def _job(self) -> str:
        """A script that is written, and then started."""
        name = f"job{self._random.randint(0, 99)}.sh"
        quoted = self._pick(("EOF", "'EOF'"))
        how = self._pick((f"bash {name}", f"bash ./{name} x", f"chmod +x {name} && bash ./{name}"))
        return f"cat > {name} <<{quoted}\n{self._inner()}\nEOF\n{how}"

    def _inner(self) -> str:
        return self._launch().replace(" &\nwait", "")

    def _sourced(self) -> str:
        name = f"env{len(self._files)}.sh"
        self._files[name] = self._block(self._random.randint(1, 3))
        return f"{self._pick(('source', '.'))} {self._pick(('', './'))}{name}"

    def _getopts(self) -> str:
        return self._pick(
            (
                "while getopts 'a:b' opt; do\ncase $opt in\na) V0=$OPTARG;;\nb) V1=b;;\nesac\ndone",
                'while [[ $# -gt 0 ]]; do\ncase "$1" in\n-a) V0="$2"; shift; shift;;\n*) V1=$1; shift;;\nesac\ndone',
                'while [ "$#" -ge 1 ]; do\nV2=$1\nshift\ndone',
                'for arg in "$@"; do\nV3=$arg\ndone',
                "if [ $# -ge 1 ]; then V1=$1; fi",
            )
        )


# What bash does


def started(case: Case, folder: Path) -> list[Started]:
    """What bash starts, in an empty folder."""
    root = _laid_out(case, folder)
    log = folder / "log"
    environment = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "LOG": str(log), "HOME": str(folder / "home")}
    _run(root, environment)
    text = log.read_text(errors="replace") if log.exists() else ""
    return list(_records(text.split("\0")[:-1], str(root)))


def _run(root: Path, environment: dict[str, str]) -> None:
    """Run the script in a session of its own: whatever it has started ends with it, and nothing runs for long."""
    command = ["bash", "-c", "ulimit -t 2 -u 500 -f 10000; exec bash run.sh"]
    nothing = subprocess.DEVNULL
    with subprocess.Popen(
        command, cwd=root, env=environment, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
    ) as started_one:
        try:
            started_one.wait(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started_one.pid, signal.SIGKILL)


def _laid_out(case: Case, folder: Path) -> Path:
    root = folder / "work"
    for path in (root / "sub/deep", folder / "bin", folder / "home"):
        path.mkdir(parents=True)
    for program in PROGRAMS:
        (folder / "bin" / program).write_text(_WRITES)
        (folder / "bin" / program).chmod(0o755)
    for name, text in (("run.sh", case.text), *case.files.items()):
        (root / name).write_text(text)
    return root


def _records(parts: Sequence[str], root: str) -> Iterator[Started]:
    at = 0
    while at < len(parts):
        folder, variables, count = parts[at], parts[at + 1 : at + 6], int(parts[at + 6])
        words = tuple(word.replace(root, ".") for word in parts[at + 7 : at + 8 + count])  # $PWD is read as "."
        at += 8 + count
        values = {
            name: None if value == _NOTHING else value.replace(root, ".")
            for name, value in zip(WATCHED, variables, strict=True)
        }
        yield Started(os.path.relpath(folder, root), values, words)


# What fp8check says


def read_lines(case: Case, folder: Path) -> list[Line]:
    """The lines that fp8check finds."""
    root = folder / "work"
    with contextlib.chdir(root):
        script = read(Source("run.sh", case.text))
        return list(lines(script, frozenset(PROGRAMS), lambda name: name in WATCHED, {}, _load))


def _load(name: str, folder: str) -> str | None:
    path = Path(folder, name)
    return path.read_text() if path.is_file() else None


def verdict(case: Case) -> Verdict:
    """What fp8check reads in a script, held against what bash starts."""
    folder = Path(tempfile.mkdtemp())
    try:
        real = started(case, folder)
        found = read_lines(case, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    wrong: list[str] = []
    known = 0
    for one in real:
        own = [line for line in found if _number(line) in (one.number, None)]
        matching = [line for line in own if _matches(line.words, one.words)]
        if not own and not any(f"{program} {one.number}" in case.text for program in PROGRAMS):
            continue  # in a file that is read in from a folder that is not known
        if not own:
            wrong.append(f"missed: {one.words}")
        elif not matching:
            wrong.append(f"words: bash starts {one.words}, read were {[_shown(line) for line in own][:3]}")
        elif all(faults := [list(_other_faults(line, one)) for line in matching]):
            wrong.append(f"{one.words}: {faults[0]}")
        known += any(not any(word.why for word in line.words) for line in matching)
    return Verdict(wrong, len(real), known)


def _number(line: Line) -> str | None:
    """The number of the launch that a line is; None where that is not known."""
    at = next((at for at, word in enumerate(line.words) if word.text in PROGRAMS), None)
    return None if at is None or at + 1 >= len(line.words) or line.words[at + 1].why else line.words[at + 1].text


def _shown(line: Line) -> list[str]:
    return [f"{word.text}{' ?' if word.why else ''}{'*' if word.may_be_many else ''}" for word in line.words]


def _matches(words: Sequence[Place], real: Sequence[str]) -> bool:
    """Whether the words of a line may be those that bash gave, behind wrappers."""
    return any(_fits(words[at:], real) for at in range(len(words)) if words[at].why or words[at].text == real[0])


def _fits(words: Sequence[Place], real: Sequence[str]) -> bool:
    """By a table: which beginnings of the one fit which of the other."""
    row = [True] + [False] * len(real)
    for word in words:
        before, row = row, [False] * (len(real) + 1)
        for at in range(len(real) + 1):
            if word.may_be_many:
                row[at] = before[at] or (at > 0 and row[at - 1])
            elif at > 0 and before[at - 1]:
                row[at] = bool(word.why) or word.text == real[at - 1]
    return row[-1]


def _other_faults(line: Line, one: Started) -> Iterator[str]:
    before = [word.text for word in line.words]
    for name, value in one.variables.items():
        place = line.variables.get(name)
        if any(word.startswith(f"{name}=") for word in before) or (place is not None and place.why):
            continue
        said = None if place is None else place.text
        if said != value:
            yield f"{name} is {value!r} for bash, {said!r} was read"
    if line.folder is not None:
        folder = line.folder or "."
        if folder in _FOLDERS and os.path.normpath(folder) != one.folder:
            yield f"the folder is {one.folder!r} for bash, {folder!r} was read"


def main(words: Sequence[str]) -> int:
    """Make so many scripts, and print those in which fp8check says something else than bash."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.bash_cases")
    parser.add_argument("number", type=int)
    parser.add_argument("first", type=int, nargs="?", default=0)
    parser.add_argument("--show", type=int, default=5, help="print so many scripts")
    options = parser.parse_args(words)
    totals: Counter[str] = Counter()
    for seed in range(options.first, options.first + options.number):
        case = Maker(seed).case()
        result = verdict(case)
        totals.update(started=result.started, known=result.known, wrong=len(result.wrong), scripts=1)
        totals["scripts with a fault"] += bool(result.wrong)
        if result.wrong and totals["scripts with a fault"] <= options.show:
            print(f"--- seed {seed}\n{case.text}")
            for name, text in case.files.items():
                print(f"--- {name}\n{text}")
            print("\n".join(result.wrong))
    print(dict(totals))
    return 1 if totals["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
