"""What the commands of a shell script get: words, variables, folders; and where nobody knows, why."""

from __future__ import annotations

import pytest

from fp8check.rules.reading import Unreadable
from fp8check.rules.reading.read import read
from fp8check.rules.reading.shell import ShellScript
from fp8check.rules.settings.shell import MAX_CALLED, MAX_LINES, MAX_VARIABLES, lines
from fp8check.rules.settings.shell_lines import Line
from fp8check.rules.settings.shell_values import MAX_VALUE
from fp8check.rules.settings.values import Origin

PROGRAMS = frozenset(("run", "torchrun"))


def found(text: str, path: str = "jobs/run.sh", **environment: str) -> list[Line]:
    document = read(path, text.encode())
    assert isinstance(document, ShellScript)
    return list(lines(document, PROGRAMS, lambda name: not name.startswith("_"), environment))


def with_files(text: str, **files: str) -> list[str]:
    """The words of the lines of a script that may read these files, by their names without .sh."""
    script = read("jobs/run.sh", text.encode())
    assert isinstance(script, ShellScript)

    def load(name: str, folder: str) -> str | None:
        return files.get(f"{folder}/{name}".strip("/").removesuffix(".sh").replace("/", "_"))

    found_ones = lines(script, PROGRAMS, lambda name: not name.startswith("_"), {}, load)
    return [" ".join(word.text + ("?" if word.why else "") for word in line.words) for line in found_ones]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("source env.sh; run $A", ["run 1"]),
        (". env.sh x; run $A $1", ["run 1 ${1}?"]),
        ("source args.sh x 'y z'; run $A $1", ["run x ${1}?"]),
        ("source gone.sh; run $A", ["run ${A}?"]),
        ("source gone.sh; run ${A:-1}", ["run ${A:-1}?"]),
        ("cd sub; source env.sh; run $A", ["run 2"]),
        ("cd $X; source env.sh; run $A", ["run ${A}?"]),
        ("source $X; run ${A:-1}", ["run ${A:-1}?"]),
        ("source; source activate; run ${A:-1}", ["run 1"]),
        ("source functions.sh; f 3; run $B", ["run 3", "run 3"]),
        ("source broken.sh; run ${A:-1}", ["run ${A:-1}?"]),
        ("source starts.sh", ["run s"]),
        ("set -a; source env.sh; set +a; run $A", ["run 1"]),
        ("source itself.sh; run ${A:-1}", 8 * ["run i"] + ["run ${A:-1}?"]),
        ("cat > e.sh <<EOF\nrun w\nA=5\nEOF\nsource e.sh; run $A", ["run w", "run 5"]),
        (60 * "source env.sh\n" + "run $A ${B:-1}", ["run 1 ${B:-1}?"]),
        ("source large.sh; source large.sh; source large.sh; run ${B:-1}", ["run ${...}?"]),
    ],
)
def test_files_that_are_read_as_a_part_of_a_script(text: str, expected: list[str]) -> None:
    files = {
        "env": "A=1\n",
        "sub_env": "A=2\n",
        "args": "A=$1\n",
        "functions": "f() { B=$1; run $1; }\n",
        "broken": "A='\n",
        "starts": "run s\n",
        "itself": "run i\nsource itself.sh\n",
        "large": "A=" + 300_000 * "x" + "\n",
    }
    assert with_files(text, **files) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Tests
        ('if [ -n "$A" ]; then B=1; else B=2; fi; run $B', ["run 2"]),
        ("A=x; if [ $A ]; then B=1; fi; run $B", ["run 1"]),
        ('A=4; if [ "$A" -ge 4 ]; then B=1; else B=2; fi; run $B', ["run 1"]),
        ('A=x; if [ "$A" -ge 4 ]; then B=1; else B=2; fi; run $B', ["run ${B}?"]),
        ('A=x; if [ "$A" = x ]; then B=1; else B=2; fi; run $B', ["run 1"]),
        ('A=x; if [ "$A" != x ]; then B=1; else B=2; fi; run $B', ["run 2"]),
        ('A=x; if [ "$A" \\> x ]; then B=1; else B=2; fi; run $B', ["run ${B}?"]),
        ('if [ "$HOME" = x ]; then B=1; else B=2; fi; run $B', ["run ${B}?"]),
        ('if [ x = "$HOME" ]; then B=1; else B=2; fi; run $B', ["run ${B}?"]),
        ("if [ $HOME ]; then B=1; else B=2; fi; run $B", ["run ${B}?"]),
        ("if [ -z $HOME ]; then B=1; else B=2; fi; run $B", ["run ${B}?"]),
        ("if [ ! -z $HOME ]; then B=1; else B=2; fi; run $B", ["run ${B}?"]),
        ("if [ ! -z $A ]; then B=1; else B=2; fi; run $B", ["run 2"]),
        ("if [ -d /tmp ]; then B=1; else B=2; fi; run $B", ["run ${B}?"]),
        ("if [ a = b -o c = d ]; then B=1; else B=2; fi; run $B", ["run ${B}?"]),
        ("if [ a b c d e f g h i j k l m ]; then B=1; else B=2; fi; run $B", ["run ${B}?"]),
        ("if [ -z a; then B=1; else B=2; fi; run $B", ["run ${B}?"]),
        ("if test -z $A; then B=1; else B=2; fi; run $B", ["run 1"]),
        ("if true; then B=1; else B=2; fi; run $B", ["run 1"]),
        ("if ! true; then B=1; else B=2; fi; run $B", ["run 2"]),
        ("if ! ls; then B=1; else B=2; fi; run $B", ["run ${B}?"]),
        ("if true | ls; then B=1; else B=2; fi; run $B", ["run ${B}?"]),
        ("A=fp8x; if [[ $A == fp8* ]]; then B=1; else B=2; fi; run $B", ["run 1"]),
        ("A=fp8x; if [[ $A == 'fp8'* ]]; then B=1; else B=2; fi; run $B", ["run ${B}?"]),
        ("A=fp8x; if [[ $A == [!a]* ]]; then B=1; else B=2; fi; run $B", ["run ${B}?"]),
        ("A=fp8x; if [[ $A != bf* ]]; then B=1; else B=2; fi; run $B", ["run 1"]),
        ("A=fp8x; if [[ $A == $HOME* ]]; then B=1; else B=2; fi; run $B", ["run ${B}?"]),
        ("A=x; if [[ $A == (x|y) ]]; then B=1; else B=2; fi; run $B", ["run ${B}?"]),
        ("if [[ ]]; then B=1; else B=2; fi; run $B", ["run ${B}?"]),
        ("if [[ -n $A && $B == x ]]; then C=1; else C=2; fi; run $C", ["run ${C}?"]),
        ('if [ -n "$A" ] && [ $B = x ]; then C=1; else C=2; fi; run $C', ["run 2"]),
        ('if [ -z "$A" ] && [ -z "$B" ]; then C=1; else C=2; fi; run $C', ["run 1"]),
        ('if [ -z "$A" ] && [ -d x ]; then C=1; else C=2; fi; run $C', ["run ${C}?"]),
        ('if [ -z "$A" ] || [ -d x ]; then C=1; else C=2; fi; run $C', ["run 1"]),
        ('if [ -n "$A" ] || [ -n "$B" ]; then C=1; else C=2; fi; run $C', ["run 2"]),
        ("if [ -n $A ] || [ -n $B ] && x; then C=1; else C=2; fi; run $C", ["run ${C}?"]),
        ("if [ x ] && { y; }; then C=1; else C=2; fi; run $C", ["run ${C}?"]),
        ("if true; { y; }; then C=1; else C=2; fi; run $C", ["run ${C}?"]),
        ("if [ a ] && > x || [ b ]; then C=1; else C=2; fi; run $C", ["run ${C}?"]),
        ("A=a; if [[ $A == " + 101 * "*" + " ]]; then C=1; else C=2; fi; run $C", ["run ${C}?"]),
        ("coproc run a", ["run a"]),
        ("run a{x}{b,c}", ["run a{x}b a{x}c"]),
        ("if (x); then C=1; else C=2; fi; run $C", ["run ${C}?"]),
        ("if x; then A=1; elif y; then A=1; else A=1; fi; run $A", ["run 1"]),
        ("if x; then A=1; elif true; then A=1; else A=2; fi; run $A", ["run 1"]),
        ("A=1; if x; then A=1; fi; run $A", ["run 1"]),
        ("A=(1); if x; then A=(1); fi; run $A", ["run ${A}?"]),
        ("if x; then A=1; else B=1; fi; run $A", ["run ${A}?"]),
        ("if false; then A=1; fi; run $A", ["run ${A}?"]),
        ("A=0; true && A=1; run $A; false && A=2; run $A", ["run 1", "run 1"]),
        ("A=0; true || A=1; run $A; false || A=2; run $A", ["run 0", "run 2"]),
        ("A=0; false || x || A=2; run $A", ["run ${A}?"]),
        ("(x) || A=2; run ${A:-0}", ["run ${A:-0}?"]),
        ("A=b; case $A in a) B=1;; b) B=2;; *) B=3;; esac; run $B", ["run 2"]),
        ("A=x; case $A in a|b) B=1;; *) B=3;; esac; run $B", ["run 3"]),
        ("case $HOME in a) B=1;; *) B=1;; esac; run $B", ["run 1"]),
        ("A=a; case $A in a) B=1;& b) B=2;; *) B=3;; esac; run $B", ["run 1"]),
        ("case $HOME in a) B=1;;& b) B=2;; *) B=3;; esac; run $B", ["run ${B}?"]),
        ("case $HOME in $HOME) B=1;; *) B=3;; esac; run $B", ["run ${B}?"]),
        # Loops that never run
        ("A=0; while getopts a:b opt; do A=1; done; run $A", ["run 0"]),
        ("f() { A=0; while getopts a:b opt; do A=1; done; run $A; }; f x", ["run ${A}?"]),
        ("A=0; while [ $# -gt 0 ]; do A=$1; shift; done; run $A", ["run 0"]),
        (
            "A=''; while [ $# -gt 0 ]; do A=$2; shift; done; if [[ -z $B || -z \"$A\" ]]; then echo x; exit 1; fi; run c/$A.y",
            ["run c/${A}.y?"],
        ),
        (
            'A=; while [ $# -gt 0 ]; do A=$2; shift; done; if [ -z "$A" ]; then A=8; fi; false && exit; run $A',
            ["run 8"],
        ),
        ("A=; while [ $# -gt 0 ]; do A=$2; shift; done; run x$A", ["run x"]),
        ("A=0; until [ $# = 0 ]; do A=$1; shift; done; run $A", ["run 0"]),
        ('A=0; for x in "$@"; do A=1; done; run $A', ["run 0"]),
        ("A=0; for x; do A=1; done; run $A", ["run 0"]),
        ("A=0; for x in; do A=1; done; run $A", ["run 0"]),
        ("f() { A=0; for x; do A=1; done; run $A; }; f y", ["run ${A}?"]),
        ("A=0; while (x); do A=1; done; run $A", ["run ${A}?"]),
        # Arguments
        ('set -- a \'b c\'; run $1 "$2" $#; shift; run "$@"', ["run a b c 2", "run b c"]),
        ("set -- a $X; run $1 $#", ["run ${1}? ${#}?"]),
        ("if x; then set -- a; fi; run $1", ["run ${1}?"]),
        ("f() { run $# ${2:-two}; }; f; f a $X", ["run 0 two", "run ${#}? ${2:-two}?"]),
        # Variables of functions
        ("A=1; f() { local A=2; declare B=3; run $A $B; }; f; run $A ${B:-4}", ["run 2 3", "run 1 4"]),
        ("f() { declare -g A=2; }; f; run $A", ["run 2"]),
        ("f() { local -a A=(2); run ${A[0]}; }; f; run ${A:-4}", ["run 2", "run 4"]),
        # Numbers
        ("((A = 2 + 3)); let B=A*2; let 'C = 7'; run $A $B $C", ["run 5 10 7"]),
        ("A=1; ((A == 2)); run $A; ((A++)); run $A; let A+=1", ["run 1", "run ${A}?"]),
        # printf, aliases, braces, IFS
        ("printf -v A 'x'; printf -v B %s y; printf -v C %d 4; printf z; run $A $B $C", ["run x y ${C}?"]),
        ("alias r='run --x'; r y; 'r' z; alias", ["run --x y"]),
        ("run a{b,c}d {1..3} {3..2} {x} a{1..2}{,z}", ["run abd acd 1 2 3 3 2 {x} a1 a1z a2 a2z"]),
        ("run {1..200} x{a,$B} {a,{b,c}} {01..3}", ["run {1..200}? x{a,$B}? {a,{b,c}}? {01..3}?"]),
        ("run {a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b} '{a,b}'", ["run {a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}? {a,b}"]),
        ('A=a:b; IFS=:; run $A "$A" x', ["run ${A}? a:b x"]),
        ("A=a; IFS=$X; run $A", ["run a"]),
        ("run --x={number of gpus} {your path}", ["run --x={number of gpus} {your path}"]),
        ("A=(x $X y); run ${A[0]} ${A[2]} ${#A[@]}", ["run x ${A[2]}? ${#A[@]}?".replace("${A[2]}", "${...[2]}")]),
        ("A=$(pwd); run $A ${A%/*} ${PWD##*/}", ["run . ${A%/*}? ${PWD##*/}?"]),
        # Scripts within scripts
        ("bash <<EOF\nrun a\nEOF", ["run a"]),
        ("bash -s x <<'EOF'\nrun $1\nEOF", []),
        ("srun -n 2 bash <<EOF\nrun a\nEOF", ["srun -n 2 run a"]),
        ("cat <<EOF | bash\nrun a\nEOF", ["run a"]),
        ("cat <<< 'run a' | bash; bash <<< 'run b'; echo run c | sh; ls | bash", ["run a", "run b", "run c"]),
        ("A=1; export B=2; bash <<'EOF'\nrun x$A $B\nEOF", ["run x 2"]),
        ("A=1; bash <<EOF\nrun $A $X '$X'\nEOF", ["run 1 ${X}? ${X}?"]),
        ('A=$X; C=1; bash <<EOF\nrun $A \\$C "q"\nEOF', ["run ${A}? ${C}? q"]),
        ("ssh host <<EOF\nrun a\nEOF", ["ssh host run a"]),
        ("sbatch <<EOF\n#!/bin/bash\n#SBATCH --nodes=2\nrun $X \\$SLURM_NNODES\nEOF", ["run ${X}? 2"]),
        ("cat > job.sh <<EOF\nrun a\nEOF\nsbatch --x job.sh", ["run a"]),
        (
            "cat > job.sh <<'EOF'\nrun $1\nEOF\nchmod +x job.sh; bash ./job.sh b; srun ./job.sh c",
            ["run b", "srun run c"],
        ),
        ("cat <<EOF > job.sh\nrun a\nEOF", ["run a"]),
        ("echo 'run a' > job.sh; echo run > $X; tee job2.sh <<EOF\nrun b\nEOF\nbash job2.sh", ["run a", "run"]),
        ("cat a > run; cat > x <<EOF\nls\nEOF\nls 2> run", []),
        ("cat > j <<EOF\n" + 30 * f"run {1_000 * 'a'}\n" + "EOF\n" + 60 * "bash j\n", None),
        ('eval A=1; run $A; eval "$X"; run ${B:-2}; eval "$(conda hook)"', ["run 1", "run ${B:-2}?"]),
        ('eval "$(conda shell.bash hook)"; run ${B:-2}', ["run 2"]),
        ("x | read A; run ${A:-1}", ["run ${A:-1}?"]),
        ("run ${A:=1} | tee x; run ${A:-2}", ["run 1", "run 2"]),
        ("cat <<EOF\n${A:=1}\nEOF\nrun ${A:-2}", ["run 2"]),
        (1_100 * "A=1\n" + "".join(f"B{n}=1\n" for n in range(1_100)) + "bash -c 'run $A'", ["run 1"]),
    ],
)
def test_what_bash_makes_of_it(text: str, expected: list[str] | None) -> None:
    """Each is what bash 5.2 does, or not known: tests/tools/bash_cases.py makes more of them."""
    if expected is None:
        assert 300 < len(words(text)) < 1_000  # nobody starts so much of one text
    else:
        assert words(text) == expected


def words(text: str, path: str = "jobs/run.sh", **environment: str) -> list[str]:
    """The words of the lines, each line in one text; what is not known is followed by `?`."""
    return [
        " ".join(word.text + ("?" if word.why else "") for word in line.words)
        for line in found(text, path, **environment)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Values
        ("A=1; run $A ${A} \"$A\" '$A' x$A.y", ["run 1 1 1 $A x1.y"]),
        ("A='1 2'; run $A \"$A\" x$A", ["run 1 2 1 2 x1 2"]),
        ('A=; run $A x"$A" ""', ["run x "]),
        ("A=1; A+=2; B+=3; run $A $B", ["run 12 ${B}?"]),
        (
            'A=(1 \'2 3\'); A+=(4); run ${A[@]} "${A[@]}" ${A[1]} $A ${#A[@]} "x${A[*]}y"',
            ["run 1 2 3 4 1 2 3 4 2 3 1 3 x1 2 3 4y"],
        ),
        ("A=(1); A[0]=2; A+=3; run $A", ["run ${A}3?"]),
        ("A=(1 2); run ${A[7]} ${A[$i]} ${#A} ${!A}", ["run ${...[$i]}? ${#A}? ${!A}?"]),
        ("A=1; A+=(2); run ${A[@]}", ["run 2"]),
        ("A=x; run ${A:-1} ${B:-2} ${C-3} ${D:=4} $D ${E:+5} ${A:+6}", ["run x 2 3 4 4 6"]),
        ("A=; run ${A:-1} ${A-2} ${A:?no} ${B?no} x${A:+1}", ["run 1 ${A:?no}? ${B?no}? x"]),
        ('A=v; run ${A:?no} ${B:-"x y"} "${B:-"z"}" ${B:-$A w}', ["run v x y z v w"]),
        (": ${A:=5}; run $A", ["run 5"]),
        (
            "A=a/b.c.d; run ${A##*/} ${A#*/} ${A%.*} ${A%%.*} ${A%d} ${A#a/} ${A^^} ${A%x*}",
            ["run b.c.d b.c.d a/b.c a/b a/b.c. b.c.d A/B.C.D a/b.c.d"],
        ),
        (
            "A=a.b.B; run ${A/b/x} ${A//./-} ${A,,} ${A/[ab]/x} ${A:1:2} ${A%%[.]*} ${A/} ${A##x*y}",
            ["run a.x.B a-b-B a.b.b ${A/[ab]/x}? ${A:1:2}? ${A%%[.]*}? ${A/}? ${A##x*y}?"],
        ),
        ("run $(( 2*3 )) $((7 - 4 / 2)) $(( (1+2) * 3 % 4))", ["run 6 5 1"]),
        ("A=4; B=2; run $((A * $B)) $((${A}*2))", ["run 8 8"]),
        (
            "run $((A*2)) $((1/0)) $((1 2)) $((-1)) $((a<<2)) $(()) $((1+)) $((1%0)) $((2)1))",
            ["run $((A*2))? $((1/0))? $((1 2))? $((-1))? $((a<<2))? $(())? $((1+))? $((1%0))? $((2)1)?"],
        ),
        (
            "A=x; run $((A+1)) $((" + "1+" * 150 + "1))",
            [
                "run $((A+1))? $((1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1))?"
            ],
        ),
        ("run $(which torchrun) `command -v python3` $(type -p x)", ["run torchrun python3 x"]),
        ("run $(date) `hostname -s` x$(a  b)", ["run $(date)? $(hostname -s)? x$(a b)?"]),
        ("run $(pwd) $PWD; cd x; run $(pwd) $PWD", ["run . .", "run $(pwd)? ${PWD}?"]),
        (
            'run $(dirname "$0") $(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) $0 ${0%/*}',
            ["run jobs jobs/.. jobs/run.sh jobs"],
        ),
        (
            'run $1 ${2:-x} $@ "$*" $# $? ${A} $SLURM_PROCID',
            ["run ${1}? x ${@}? ${*}? ${#}? ${?}? ${A}? ${SLURM_PROCID}?"],
        ),
        ('A=$1; B="--x $A --y"; run $B "$B"', ["run --x ${A}? --y --x ${A} --y?"]),
        ("A=$(date); run $A", ["run ${A}?"]),
        ("run ~/x {a,b} *.py \\$A", ["run ~/x a b *.py $A"]),
        # What may change it
        ("if x; then A=1; fi; run $A", ["run ${A}?"]),
        ("A=0; if x; then A=1; run $A; else run $A; fi; run $A", ["run 1", "run 0", "run ${A}?"]),
        ("A=0; case x in a) A=1;; b) run $A;; esac; run $A", ["run 0", "run 0"]),
        ("A=0; case $HOME in a) A=1;; b) run $A;; esac; run $A", ["run 0", "run ${A}?"]),
        ("A=0; x || A=1; run $A; y && A=2; run $A", ["run ${A}?", "run 2"]),
        ("A=0; [ -f x ] && A=1\nrun $A", ["run ${A}?"]),
        ('[ -z "$A" ] && A=1; run $A', ["run 1"]),
        ('if [[ -z "$A" ]]; then A=1; fi; run $A', ["run 1"]),
        ('A=0; if [[ -z "$A" ]]; then A=1; fi; run $A', ["run 0"]),
        ('if [[ -z "$A" ]]; then A=1; else B=2; fi; run $A', ["run 1"]),
        ('if [[ -z "$A" ]]; then A=(1); fi; run $A', ["run 1"]),
        ("if { a; }; then A=1; fi; run $A", ["run ${A}?"]),
        ("A=0; while x; do run $A; A=1; run $A; done; run $A", ["run ${A}?", "run 1", "run ${A}?"]),
        ("for i in 1 2; do run $i; done; run $i", ["run ${i}?", "run ${i}?"]),
        ("for i in 7; do run $i; done", ["run 7"]),
        ("for i in $@; do run $i; done; for ((j=0;j<2;j++)); do run $j; done", ["run ${i}?", "run ${j}?"]),
        ("A=0; (A=1; run $A); run $A", ["run 1", "run 0"]),
        ("A=0; A=1 | x; run $A; export A=2 | x; run $A", ["run 0", "run 0"]),
        ("{ A=1; }; run $A", ["run 1"]),
        ("A=1; unset A; run x$A ${A:-2}", ["run x 2"]),
        ("A=1; ((A++)); ((B+1)); run $A", ["run ${A}?"]),
        ("read A B; mapfile -t C < x; run $A $C", ["run ${A}? ${C}?"]),
        ("B=2; read -r -d '' A <<EOF\n--x $B\nEOF\nrun $A", ["run --x 2"]),
        ("read -r -d '' A <<'EOF'\n--x $B\nEOF\nrun $A", ["run --x $B"]),
        ("read -r -d '' A <<EOF\n`x\nEOF\nrun $A", ["run ${A}?"]),
        ("read A <<EOF\nx\nEOF\nrun $A", ["run ${A}?"]),
        ("export A=1 B='2 3' C; declare -x D=4 E; local -r F=5; readonly G=6; run $A $B $D $F $G", ["run 1 2 3 4 5 6"]),
        ("declare -a A=(1 2) 3=x; A+=(3); export B=1 B+=2; run ${A[@]} $B", ["run 1 2 3 12"]),
        ("set -- a b; run $1 $2 $@; shift; run $1; shift 1; shift; run x$1", ["run a b a b", "run b", "run x"]),
        ("source env.sh; A=1; run $A ${B:-2} $C", ["run 1 ${B:-2}? ${C}?"]),
        ("source venv/bin/activate; . ~/.bashrc; run ${B:-2}", ["run 2"]),
        ('source env.sh; [ -z "$A" ] && A=1; run $A', ["run ${A}?"]),
        ("while x; do run ${A:-2}; A=1; done", ["run 2"]),
        ("shift; run; while x; do export B=$1 C; read D; unset E; declare F; done; run $B", ["run", "run ${B}?"]),
        ("run ${+} ${A@Q} ${} x", ["run ${+}? ${A@Q}? ${}? x"]),
        ('A=$1; run ${A%x} ${A:-y} "${B:-${C}}" ${A:+z}', ["run ${A%x}? ${A:-y}? ${C}? ${A:+z}?"]),
        ('run "${A:-it\'s}" b', ["run it's b"]),
        ('run "$A"""$B; A=; run "$A""" x$A""', ["run ${A}${B}?", "run  x"]),
        ("eval run; eval \"run 'a'\"; bash -c; bash -x; bash -xc 'run b'", ["run", "run a", "run b"]),
        ('eval "ls \'x\'"; run bash -x; A=1; C="run $A"; eval "$C"', ["run bash -x", "run 1"]),
        ("run ${A:-$'\\'}", ["run ${A:-$'\\'}?"]),
        ('A=(); run "${A[@]}" x${A[@]}', ["run x"]),
        # Functions
        ("f() { run $1 \"$@\"; }; f a 'b c'; f d", ["run a a b c", "run d d"]),
        ("f() { A=$1; }; f 1; run $A; f 2 | x; run $A", ["run 1", "run 1"]),
        ("f() { run $1; }", ["run ${1}?"]),
        ("f() { run 1; f; }; f", ["run 1"]),
        ("f() { A=$1; f; }; A=0; f 1; run $A", ["run ${A}?"]),
        ("function f { run; exit 1; }; f; run 2", ["run", "run 2"]),
        # Commands
        ("A=1 run $A; FOO=bar echo run; echo torchrun; pip install run2; grep run x", ["run ${A}?", "grep run x"]),
        ("exec run a; run b", ["run a"]),
        ("exec > log; command run a; builtin run b; exec", ["run a", "run b"]),
        ("if x; then exec run a; fi; run b", ["run a", "run b"]),
        ("run a; exit 0; run b", ["run a"]),
        ("x || exit 1; run b", ["run b"]),
        ("exit | cat; run b", ["run b"]),
        ("C='run --x'; $C y; eval $C z; eval \"$C\" w", ["run --x y", "run --x z", "run --x w"]),
        (
            'C="run \'a b\'"; eval $C; eval "A=1; run \\$A"; run $A; eval ls; eval \'run "\'',
            ["run a b", "run 1", "run 1", 'eval run "'],
        ),
        ('srun -n 2 bash -c "run a; x && run b" z', ["srun -n 2 run a", "srun -n 2 run b"]),
        (
            "bash -lc 'A=1; run $A'; run $A; bash -x -c 'run c'; bash run.sh; bash -c; sh -c 'ls'",
            ["run 1", "run ${A}?", "run c"],
        ),
        ("bash -c 'bash -c \"run a\"'; bash -c 'run \"'; sh --c run", ["run a", 'bash -c run "', "sh --c run"]),
        (
            "/usr/bin/python3.11 x; python a; pythonic; /opt/run b; x.run; (python)",
            ["/usr/bin/python3.11 x", "python a", "/opt/run b", "python"],
        ),
        ('$A; $(x) run; "$P" run', ["$(x)? run", "${P}? run"]),
        ("run | tee log; x | run; run &\nrun > log 2>&1", ["run", "run", "run", "run"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("export A=1 B=2; C=3; D=4 run; E=5 run", [{"A": "1", "B": "2", "D": "4"}, {"A": "1", "B": "2", "E": "5"}]),
        ("export A _B=2; A=1; run; export -n A; run", [{"A": "1"}, {}]),
        ("set -a; A=1; set +a; B=2; run", [{"A": "1"}]),
        ("set; set --; #SBATCH\nrun $A", [{}]),
        ("#SBATCH\n#SBATCH -N\nrun", [{}]),
        ("set -o allexport; A=1; B=(2); set +o allexport; C=3; run", [{"A": "1"}]),
        ("set -ex; set -eax -o pipefail; local A=1; run", [{"A": "1"}]),
        ("if x; then export A=1; fi; run", [{"A": "${A}"}]),
        ('export A=$(date); export B="$A-$1"; run', [{"A": "$(date)", "B": "${A}-${1}"}]),
        ("export A=$(date)$1; run", [{"A": "$(date)${1}"}]),
        ("A=(1) run", [{}]),
        ("CUDA=0; run", [{"CUDA": "0"}]),
    ],
)
def test_variables(text: str, expected: list[dict[str, str]]) -> None:
    environment = {"CUDA": "1"} if "CUDA" in text else {}
    said = [{name: place.text for name, place in line.variables.items()} for line in found(text, **environment)]
    assert said == expected


def test_a_variable_of_the_environment() -> None:
    assert words("run $A ${A:-2} ${B:-3}", A="1") == ["run 1 1 3"]
    assert words('[ -z "$A" ] && A=2\nrun $A', A="1") == ["run 1"]
    (line,) = found("unset A B; A=1; run", A="0")
    assert line.unset == ("B",)
    assert words("#!/bin/sh\nrun $0 $BASH_SOURCE $(dirname $0)", path="-") == [
        "run ${0}? ${BASH_SOURCE}? $(dirname $0)?"
    ]
    assert words("run $0 $BASH_SOURCE") == ["run jobs/run.sh jobs/run.sh"]


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("run", ""),
        ("cd a; cd b/../c; run", "a/c"),
        ("cd a; pushd b; run", "a/b"),
        ("cd a; popd; run", None),
        ("cd x;" + 64 * "pushd a;" + 64 * "popd;" + "run", "x"),
        ("cd x;" + 65 * "pushd a;" + 65 * "popd;" + "run", None),  # more than are kept
        (2_047 * "cd a;" + "run", "/".join(2_047 * "a")),
        (2_100 * "cd a;" + "run", None),  # longer than a path may be
        ("cd -; run", None),
        ("cd; run", None),
        ("cd ~/a; run", None),
        ("cd $A; run", None),
        ("cd $A; cd b; run", None),
        ("cd $A; cd /b; run", "/b"),
        ("cd -P -- a; run", "a"),
        ('cd "$(dirname "$0")"; run', "jobs"),
        ('cd "$(dirname "$0")/.."; run', ""),
        ('cd ""; run', ""),
        ("(cd a; x); run", ""),
        ("x && cd a && run", "a"),
        ("if x; then cd a; fi; run", None),
        ("while x; do run; cd a; done", None),
        ("cd a || exit 1; run", "a"),
        ("#SBATCH --chdir=/data\nrun", "/data"),
        ("#SBATCH -D /data\nrun", "/data"),
        ("cd a | x; run", ""),
    ],
)
def test_the_folder(text: str, folder: str | None) -> None:
    assert found(text)[0].folder == folder


@pytest.mark.parametrize(
    ("lines_", "expected"),
    [
        (
            ["--nodes=2", "--ntasks-per-node=4"],
            {"NNODES": 2, "JOB_NUM_NODES": 2, "NTASKS": 8, "NPROCS": 8, "NTASKS_PER_NODE": 4},
        ),
        (["-N 2", "-n 3 # why"], {"NNODES": 2, "JOB_NUM_NODES": 2, "NTASKS": 3, "NPROCS": 3}),
        (["--gres=gpu:4"], {"GPUS_ON_NODE": 4}),
        (["--gres nvme,gpu:h100:8"], {"GPUS_ON_NODE": 8}),
        (["--gres=gpu"], {"GPUS_ON_NODE": 1}),
        (["--gres=nvme:1"], {}),
        (["--gpus-per-node=h100:2 -c 8"], {"GPUS_ON_NODE": 2, "CPUS_PER_TASK": 8}),
        (["-G 2"], {"GPUS_ON_NODE": 2}),
        (["-N 2", "--gpus 16"], {"NNODES": 2, "JOB_NUM_NODES": 2}),
        (["--nodes=1-4", "--ntasks=$N"], {}),
    ],
)
def test_what_slurm_hands_to_the_script(lines_: list[str], expected: dict[str, int]) -> None:
    text = "#!/bin/bash\n" + "".join(f"#SBATCH {line}\n" for line in lines_) + "run $SLURM_NNODES\n"
    (line,) = found(text)
    assert {name: place.text for name, place in line.variables.items()} == {
        f"SLURM_{name}": str(number) for name, number in expected.items()
    }


def test_what_sbatch_exports() -> None:
    (line,) = found("#SBATCH --export=ALL,A=1,B=x=y,9=2\nrun $A\n")
    assert {name: place.text for name, place in line.variables.items()} == {"A": "1", "B": "x=y"}
    assert line.words[1].text == "1"


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("bash <<EOF\nls\nrun \\\\\n  a\nrun b\nEOF\n", ["3-4", "5-5"]),
        ("bash <<EOF\nls\nrun \\\n  a \\\n b\nrun b\nEOF\n", ["3-5", "6-6"]),
        ("bash <<'EOF'\nls\nrun \\\n  a\nrun b\nEOF\n", ["3-4", "5-5"]),
        ("cat > j <<EOF\nrun a\n\nrun b\nEOF\nbash j\n", ["2-2", "4-4"]),
        ("cat > j <<EOF\nrun a\nEOF\n", ["2-2"]),
        ("ls\nls\nls\ncat > j <<EOF\nrun a\nEOF\nbash <<EOF\nrun b\nEOF\n", ["8-8", "5-5"]),
        ("bash <<'A'\nls\ncat > j <<EOF\nrun a\nEOF\nA\nbash -c 'bash j; run b'\n", ["7-7", "7-7"]),
        ("A='x\ny'\nbash <<EOF\nls $A\nrun a\nEOF\n", ["3-3"]),
        ("bash -c 'bash <<EOF\nrun a\nEOF\n'", ["1-4"]),
        ("cat <<EOF | bash\nrun a\nEOF\n", ["1-1"]),
        ("sh<<\n\rrun a", ["3-3"]),
    ],
)
def test_lines_of_here_documents_have_their_places(text: str, places: list[str]) -> None:
    assert [f"{line.span.line}-{line.span.end_line}" for line in found(text)] == places


def test_words_have_their_places() -> None:
    text = (
        "ARGS=\"--a 1 \\\n  --b=2\"\nL=(--c\n  'x y')\nexport V=7\n"
        "run $ARGS \"${L[@]}\" --d=$1 \\\n   'e f'\neval run $ARGS\nbash -c 'run x'\n"
    )
    first, second, third = found(text)
    assert str(first.span) == "jobs/run.sh:6:1"
    assert first.span.end_line == 7
    assert [str(word.span).partition(":")[2] for word in first.words] == [
        *("6:1", "1:7", "1:11", "2:3", "3:4", "4:3", "6:21", "7:4"),
    ]
    assert str(first.variables["V"].span) == "jobs/run.sh:5:10"
    assert [str(word.span).partition(":")[2] for word in second.words] == ["8:6", "1:7", "1:11", "2:3"]
    assert [str(word.span).partition(":")[2] for word in third.words] == ["9:1", "9:1"]


@pytest.mark.parametrize(
    ("origin", "place"),
    [
        (Origin(flag="--mixed_precision fp8"), "--mixed-precision fp8"),
        (Origin(flag="--mixed_precision no"), "--mixed_precision no"),
        (Origin(flag="--mixed_precision other"), "--mixed_precision"),
        (Origin(flag="--use_fsdp"), "--use_fsdp"),
        (Origin(flag="train.py"), "train.py"),
        (Origin(flag="--b=2"), "--b=2"),
        (Origin(flag="--b 2"), "--b=2"),
        (Origin(flag="k=v"), "k=v"),
        (Origin(flag="--far x"), "--far \\\n  x"),
        (Origin(flag="--last"), "--last"),
        (Origin(flag="--absent"), None),
        (Origin(variable="A"), "1"),
        (Origin(variable="B"), None),
        (Origin(default="accelerate"), None),
    ],
)
def test_a_setting_finds_its_place(origin: Origin, place: str | None) -> None:
    text = "export A=1\nrun --mixed-precision fp8 --use_fsdp train.py --mixed_precision no --b=2 k=v --far \\\n  x --last\n"
    span = found(text)[0].place_of(origin)
    assert (None if span is None else text[span.start : span.end]) == place


def test_a_text_of_two_places_stands_where_it_is_used() -> None:
    (line,) = found("A='x y'\nA=$A$A\nB=$A\nexport A\nrun $B")
    assert [str(word.span).partition(":")[2] for word in line.words] == ["5:1", "1:4", "5:5", "1:6"]
    assert str(line.variables["A"].span) == "jobs/run.sh:5:1"


def test_a_value_that_is_set_elsewhere_is_its_own_place() -> None:
    (line,) = found("P=fp8\n" + "#" * 100 + "\nrun --p $P")
    assert str(line.place_of(Origin(flag="--p fp8"))) == "jobs/run.sh:1:3"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("run\n" * (MAX_LINES + 1), f"more than {MAX_LINES:,} commands"),
        ("".join(f"export A{n}=1\n" for n in range(MAX_VARIABLES + 1)) + "run", f"more than {MAX_VARIABLES} variables"),
    ],
)
def test_more_than_anybody_writes(text: str, why: str) -> None:
    with pytest.raises(Unreadable) as raised:
        found(text)
    assert why in raised.value.message


def test_values_do_not_grow_without_end() -> None:
    text = f"A={'x' * (MAX_VALUE // 2 + 1)}\nB=$A$A\nrun $B\n"
    assert words(text) == ["run ${B}?"]
    doubling = "A=12345678\n" + "A=$A$A\n" * 60 + "run $A\n"
    (line,) = words(doubling)
    assert line.startswith("run ${")
    assert len(line) < 2 * MAX_VALUE
    many = f"A={'x' * 30_000}\nrun " + "$A" * 200
    (line,) = words(many)
    assert line.endswith("${...}?")
    assert len(line) < 3_000_000
    nested = "${A:-" * 12 + "x" + "}" * 12
    assert words(f"run {nested}") == ["run ${...}?"]


def test_functions_that_call_each_other_end() -> None:
    calls = "".join(f"f{n}() {{ f{n + 1}; f{n + 1}; f{n + 1}; f{n + 1}; A={n}; }}\n" for n in range(8))
    text = f"{calls}f8() {{ run; }}\nf0\nrun $A\n"
    found_ = words(text)
    assert 1 < len(found_) <= MAX_LINES
    text = f"f() {{ {'x; ' * (MAX_CALLED + 1)} A=2; run; }}\nA=1\nf; f; run $A"
    assert words(text) == ["run", "run ${A}?"]


def test_scripts_in_scripts_end() -> None:
    text = "run x"
    for _ in range(12):
        text = "bash -c '" + text.replace("'", "'\\''") + "'"
        if len(text) > 20_000:
            break
    assert len(words(text)) == 1
    assert words("eval '" + "( " * 40 + "run'") == ["eval " + "( " * 40 + "run"]
