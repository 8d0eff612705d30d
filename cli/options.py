"""The options of the command line, by group: each command takes the groups that it honors, and refuses all others."""

from __future__ import annotations

from fp8check.rules.checking.verdict import FAIL_ON
from fp8check.rules.input_error import InputError
from fp8check.rules.report.formats import FORMATS
from fp8check.rules.trainers import registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from typing import Any

    Group = Callable[["Parser"], None]

DESCRIPTION = """\
Finds out, before you spend GPU hours, whether a training run will really train in FP8 with the recipe you wrote.

check a run
  fp8check cfg.yaml accel.yaml           its files, in any order
  fp8check a.yaml b.yaml accel.yaml      several training files, each with the same Accelerate file
  fp8check -- accelerate launch ...      what this command would start: its files, flags and script
  fp8check job.sbatch train.sh           every line of a shell script that starts a training
  fp8check                               the runs listed in fp8check.toml or [tool.fp8check]

understand it
  fp8check outcome cfg.yaml accel.yaml   who decided what, in order
  fp8check explain cfg.yaml:31 accel.yaml    what becomes of one line
  fp8check rule FP101                    what a rule finds, why it hurts, what to write instead
  fp8check rules                         all rules

make it good
  fp8check plan cfg.yaml accel.yaml      everything to do so that it trains in FP8; changes nothing
  fp8check fix cfg.yaml accel.yaml       fix what is safe to fix; --diff only shows it
  fp8check init --trainer trl --model MODEL --out DIR    start from nothing: the files, and the command to run
  fp8check upgrade cfg.yaml accel.yaml --to "accelerate==1.16.0"    what other releases would change

see it on a GPU
  fp8check run -- accelerate launch ...  start it, watch its first steps from inside, say what really ran
  fp8check cfg.yaml accel.yaml --probe   check it, and run one real FP8 step here
  fp8check probe cfg.yaml accel.yaml     only that step, with everything that was seen
  fp8check node --out DIR FILE...        one node of a cluster: can it run this? --probe: one step on every GPU
  fp8check nodes DIR --expect 64         all nodes together: which differ, which are slow, which did not report

look it up
  fp8check worth MODEL --gpu H200 --tokens 2048,4096    step time in BF16 and FP8, by micro-batch size
  fp8check matrix                        what really trains in FP8, by trainer, backend and distribution
  fp8check env                           what is known about this machine; --json writes facts.json

serve others
  fp8check serve                         the HTTP service; fp8check --server URL uses one
  fp8check lsp                           a language server, for editors
  fp8check schema accelerate             a JSON Schema, for editors; without a name, the list of schemas
"""


# On one command line. argparse takes a time that grows with the square of their number.
MOST_OPTIONS = 1_000
# Of which there is a script that completes command lines (completion.py).
SHELLS = ("bash", "zsh", "tcsh", "fish")


class UsageError(InputError):
    """The command line cannot be understood."""


class Options:
    """The options of one command, by their names with underscores."""

    def __init__(self, **values: object) -> None:
        self.__dict__.update(values)

    def replaced(self, **values: object) -> Options:
        """The same options with other values for some."""
        return Options(**{**self.__dict__, **values})

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:  # as of argparse.Namespace: an option is what its parser makes of it
            """The value of an option."""


def _joined(words: Sequence[str]) -> str:
    """The command of which a shell has made these words."""
    from shlex import join

    return join(words)


class _Group:
    """Options that stand together in the help."""

    def __init__(self, title: str | None = None) -> None:
        self.title = title
        self.arguments: list[tuple[tuple[str, ...], dict[str, Any]]] = []

    def add_argument(self, *names: str, **how: Any) -> None:
        """One option, or a word with a name: as argparse has it."""
        self.arguments.append((names, how))


class Parser:
    """The options of a command, described as for argparse.

    argparse itself is loaded, and told, only where there is an option to parse or help to print: together that takes a
    tenth of the command's time, and nearly always only files are named.
    """

    def __init__(self, prog: str, description: str, *, groups: Sequence[Group] = ()) -> None:
        self.prog = prog
        self.description = description
        self.takes_files = False  # whether every word that is no option is a file; set by the group `files`
        self.takes_hook = False  # whether it can be a hook of pre-commit; set by the group `hook`
        self._groups = [_Group()]
        self._defaults: dict[str, object] = {}
        for group in groups:
            group(self)

    def add_argument(self, *names: str, **how: Any) -> None:
        """One option, or a word with a name: as argparse has it."""
        self._groups[0].add_argument(*names, **how)

    def add_argument_group(self, title: str) -> _Group:
        """Options that stand together in the help."""
        self._groups.append(_Group(title))
        return self._groups[-1]

    def set_defaults(self, **values: object) -> None:
        """Values of options that are not given, in the place of those that the options have."""
        self._defaults.update(values)

    def parse_args(self, argv: Sequence[str]) -> Options:
        """The options; they may stand between the files, up to a `--`: behind it stands the launch command.

        Raises:
            UsageError: one is not known here, or has a value that it does not take.
        """
        if self.takes_files and not any(word.startswith("-") and word != "-" for word in argv):
            return Options(**self._values(), files=list(argv))
        end = argv.index("--") if self.takes_files and "--" in argv else len(argv)
        if self.takes_hook and "--hook" in argv[:end]:
            return self._parse_hook(argv)
        if sum(word.startswith("-") for word in argv[:end]) > MOST_OPTIONS:
            raise UsageError(f"more than {MOST_OPTIONS:,} options on the command line")
        # A bare --probe must not take the file behind it for its value.
        words = ["--probe=gpu" if word == "--probe" else word for word in argv[:end]]
        parser = self.built()
        if not self.takes_files:
            return parser.parse_args(words, Options())
        options, rest = parser.parse_known_args(words, Options())
        unknown = [word for word in rest if word.startswith("-") and word != "-"]
        if unknown:
            parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        options.__dict__["files"] = rest
        if argv[end + 1 :]:
            if options.launch is not None:
                raise UsageError("--launch and a command behind -- both say how the run is started: leave one out")
            options.__dict__["launch"] = _joined(argv[end + 1 :])
        return options

    def _parse_hook(self, argv: Sequence[str]) -> Options:
        from fp8check.cli.hook import parted

        parser = self.built()
        valued = {name for action in parser._actions if action.nargs is None for name in action.option_strings}
        words, named = parted(argv, valued)
        options = parser.parse_args(words, Options())
        options.__dict__["files"] = named
        return options

    def _values(self) -> dict[str, object]:
        """What the options are where none is given."""
        values: dict[str, object] = {}
        for group in self._groups:
            for names, how in group.arguments:
                if how.get("action") != "version":
                    default = how.get("default", False if how.get("action") == "store_true" else None)
                    # A list is the command's own, as of argparse, which appends to a copy.
                    values.setdefault(how.get("dest") or _name_of(names), list(default) if default == [] else default)
        return {**values, **self._defaults}

    def built(self) -> argparse.ArgumentParser:
        """argparse's own parser of these options."""
        from fp8check.cli.parsing import ArgumentParser

        parser = ArgumentParser(self.prog, self.description, files=self.takes_files, raises=UsageError)
        for group in self._groups:
            into = parser if group.title is None else parser.add_argument_group(group.title)
            for names, how in group.arguments:
                into.add_argument(*names, **how)
        parser.set_defaults(**self._defaults)
        return parser


def _name_of(names: tuple[str, ...]) -> str:
    """As argparse calls an option: by its first long name."""
    return next((name for name in names if name.startswith("--")), names[0]).lstrip("-").replace("-", "_")


class _Trainers(tuple[str, ...]):
    """The names of the trainers. Those that installed packages bring count, and are looked for where one is named."""

    __slots__ = ()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and registry.is_known(name)


# The groups.


def files(parser: Parser) -> None:
    """The files of a run: every word that is no option."""
    parser.takes_files = True


def run(parser: Parser) -> None:
    """How the run is started, and by whom."""
    group = parser.add_argument_group("the run")
    group.add_argument(
        "--launch",
        metavar="COMMAND",
        help="how it is started: accelerate, python, torchrun, or the whole command, which can stand alone",
    )
    group.add_argument(
        "--trainer", choices=_Trainers(registry.NAMES), help="which trainer reads the training file (default: detected)"
    )


def machine(parser: Parser) -> None:
    """The machine that trains, wherever it is."""
    group = parser.add_argument_group("the machine")
    group.add_argument("--facts", metavar="FILE", action="once", help=_FACTS)
    _wherever(group)


def machines(parser: Parser) -> None:
    """The same, or several kinds of machines."""
    group = parser.add_argument_group("the machine")
    more = f"{_FACTS}; repeat it for several nodes: the run is checked once for each kind of node"
    group.add_argument("--facts", metavar="FILE", action="append", help=more)
    _wherever(group)


_FACTS = "facts.json of the node that will train (fp8check env --json)"


def _wherever(group: _Group) -> None:
    group.add_argument("--no-environment", action="store_true", help="do not look at this machine at all")
    _this_machine(group)


def this_machine(parser: Parser) -> None:
    """The machine that trains, which is this one."""
    _this_machine(parser.add_argument_group("the machine"))


def _this_machine(group: _Group) -> None:
    group.add_argument("--python", metavar="PATH", help="the Python interpreter that will train")
    group.add_argument(
        "--set-variable",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an environment variable of the training shell",
    )


def server(parser: Parser, about: str = "let a service check the files; FP8CHECK_TOKEN holds its token") -> None:
    """A service that does the work."""
    parser.add_argument("--server", metavar="URL", help=about)


def probe(parser: Parser) -> None:
    """A real step of the run."""
    group = parser.add_argument_group("the probe")
    group.add_argument(
        "--probe",
        choices=("gpu", "emulate"),
        metavar="WHERE",
        help="--probe also runs one real FP8 step here, on the GPU; --probe=emulate emulates it on the CPU",
    )
    group.add_argument("--no-probe", action="store_const", const=None, dest="probe", help="run no step (the default)")


def plan(parser: Parser) -> None:
    """What to do, in the report."""
    parser.add_argument(
        "--plan", action="store_true", help="include what to do about a failing run (fp8check plan), in every format"
    )


def goal(parser: Parser) -> None:
    """What a plan is to reach."""
    parser.add_argument(
        "--goal", choices=("fp8", "bf16"), help="the precision to reach (default: what the files ask for)"
    )


def formats(parser: Parser) -> None:
    """The formats of a report, and where it goes."""
    parser.add_argument(
        "--format",
        "--output-format",
        metavar="FORMAT[=FILE]",
        action="append",
        default=[],
        help=f"{', '.join(format_.name for format_ in FORMATS)}; may be repeated",
    )
    output_file(parser)


def text_or_json(parser: Parser) -> None:
    """Text or JSON."""
    parser.add_argument(
        "--format",
        "--output-format",
        metavar="FORMAT[=FILE]",
        action="append",
        default=[],
        help="text or json; may be repeated",
    )


def output_file(parser: Parser) -> None:
    """Where the output goes."""
    parser.add_argument(
        "-o", "--output-file", metavar="FILE", help="output file of the last --format that does not name one"
    )


def completion(parser: Parser) -> None:
    """Completion of the command line by a shell."""
    parser.add_argument(
        "--print-completion",
        choices=SHELLS,
        metavar="SHELL",
        help=f"print a completion script for {', '.join(SHELLS)}; needs shtab",
    )


def failing(parser: Parser) -> None:
    """From when on the exit code says no."""
    parser.add_argument(
        "--fail-on",
        choices=FAIL_ON,
        help="lowest severity that exits with 1 (default: error)",
    )


def requirements(parser: Parser) -> None:
    """What the outcome has to be."""
    parser.add_argument(
        "--require",
        metavar="REQUIREMENT",
        action="append",
        default=[],
        help="fail unless the outcome is known to meet this: speedup>=1.1, fp8_layers==all; may be repeated",
    )


def evidence(parser: Parser) -> None:
    """Whether the undecided fails too."""
    parser.add_argument("--require-evidence", action="store_true", help="exit with 3 if anything stays undecided")


def rules(parser: Parser) -> None:
    """Which rules look at the run."""
    group = parser.add_argument_group("the rules")
    group.add_argument(
        "--select", metavar="RULES", action="append", default=[], help="only these rules or groups: FP1,FP203"
    )
    group.add_argument("--ignore", metavar="RULES", action="append", default=[], help="skip these rules or groups")
    _plugin(group)


def config(parser: Parser) -> None:
    """The configuration: its runs, where no file is named, and what else of it the command honors."""
    parser.add_argument(
        "--config", metavar="FILE", help="the configuration (default: fp8check.toml or pyproject.toml in this folder)"
    )
    parser.add_argument("--no-config", action="store_true", help="read no configuration")
    parser.add_argument(
        "--trust-config",
        action="store_true",
        help="start the interpreter named in the configuration, and let its launch lines set variables of a probe",
    )


def plugin(parser: Parser) -> None:
    """Rules of other packages."""
    _plugin(parser)


def _plugin(group: Parser | _Group) -> None:
    group.add_argument(
        "--plugin",
        metavar="NAME",
        action="append",
        default=[],
        help="add rules of an installed package, by entry point",
    )


def baseline(parser: Parser) -> None:
    """What is known already."""
    parser.add_argument("--baseline", metavar="FILE", help="report only findings that are not in this file")
    parser.add_argument("--write-baseline", metavar="FILE", help="write the findings to this file, and exit with 0")


def quiet(parser: Parser) -> None:
    """Less text."""
    parser.add_argument("-q", "--quiet", action="store_true", help="print findings only")


def verbose(parser: Parser) -> None:
    """More text."""
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="also list what is undecided, and what would decide it"
    )


def color(parser: Parser) -> None:
    """Painted text."""
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto")


def hook(parser: Parser) -> None:
    """For pre-commit."""
    parser.takes_hook = True
    parser.add_argument(
        "--hook",
        action="store_true",
        help="for pre-commit: check the runs that these changed files belong to; silent if clean",
    )


def version(parser: Parser) -> None:
    """The release of fp8check."""
    from fp8check.rules.version import VERSION

    parser.add_argument("--version", action="version", version=f"fp8check {VERSION}")


def names(values: Sequence[str]) -> tuple[str, ...]:
    """Rule ids or groups from repeated, comma-separated options."""
    return tuple(name.strip().upper() for value in values for name in value.split(",") if name.strip())
