"""What the commands of a shell script get: words, variables, folders; and where nobody knows, why."""

from __future__ import annotations

import pytest

from fp8check.rules.reading.read import read
from fp8check.rules.reading.shell import ShellScript
from fp8check.rules.settings.shell import Line, lines

PROGRAMS = frozenset(("run", "torchrun"))


def found(text: str, path: str = "jobs/run.sh", **environment: str) -> list[Line]:
    document = read(path, text.encode())
    assert isinstance(document, ShellScript)
    return list(lines(document, PROGRAMS, lambda name: not name.startswith("_"), environment))


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
        ("run ~/x {a,b} *.py \\$A", ["run ~/x {a,b} *.py $A"]),
        # What may change it
        ("if x; then A=1; fi; run $A", ["run ${A}?"]),
        ("A=0; if x; then A=1; run $A; else run $A; fi; run $A", ["run 1", "run 0", "run ${A}?"]),
        ("A=0; case x in a) A=1;; b) run $A;; esac; run $A", ["run 0", "run ${A}?"]),
        ("A=0; x || A=1; run $A; y && A=2; run $A", ["run ${A}?", "run 2"]),
        ("A=0; [ -f x ] && A=1\nrun $A", ["run ${A}?"]),
        ('[ -z "$A" ] && A=1; run $A', ["run 1"]),
        ('if [[ -z "$A" ]]; then A=1; fi; run $A', ["run 1"]),
        ('A=0; if [[ -z "$A" ]]; then A=1; fi; run $A', ["run ${A}?"]),
        ('if [[ -z "$A" ]]; then A=1; else B=2; fi; run $A', ["run ${A}?"]),
        ('if [[ -z "$A" ]]; then A=(1); fi; run $A', ["run ${A}?"]),
        ("if { a; }; then A=1; fi; run $A", ["run ${A}?"]),
        ("A=0; while x; do run $A; A=1; run $A; done; run $A", ["run ${A}?", "run 1", "run ${A}?"]),
        ("for i in 1 2; do run $i; done; run $i", ["run ${i}?", "run ${i}?"]),
        ("for i in 7; do run $i; done", ["run 7"]),
        ("for i in $@; do run $i; done; for ((j=0;j<2;j++)); do run $j; done", ["run ${i}?", "run ${j}?"]),
        ("A=0; (A=1; run $A); run $A", ["run 1", "run 0"]),
        ("A=0; A=1 | x; run $A; export A=2 | x; run $A", ["run 0", "run 0"]),
        ("{ A=1; }; run $A", ["run 1"]),
        ("A=1; unset A; run x$A ${A:-2}", ["run x${A}? 2"]),
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
