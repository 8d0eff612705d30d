"""`fp8check env`: what is known of the machine that trains."""

from __future__ import annotations

import sys

from fp8check.cli.options import Parser
from fp8check.cli.output import write_text
from fp8check.cli.streams import complain, say
from fp8check.rules import facts as facts_
from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.credentials import masked_shapes
from fp8check.rules.plain_text import plain, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.facts import Facts
    from fp8check.rules.plain_text import Syntax

NO_TRAINING = (
    "neither torch nor accelerate is installed here: nothing trains with these facts. Take them on the node that "
    "trains, in its environment, or name its interpreter with --python"
)


def parser() -> Parser:
    """The options of the command."""
    parser = Parser("fp8check env", "What is known about the machine that trains.")
    parser.add_argument("--json", action="store_true", help="print facts.json, for a check elsewhere with --facts")
    parser.add_argument("-o", "--output-file", metavar="FILE", help="output file, such as facts.json")
    parser.add_argument("--python", metavar="PATH", help="the Python interpreter that will train")
    parser.add_argument(
        "--import-check", action="store_true", help="actually import Transformer Engine, in a separate process"
    )
    parser.add_argument(
        "--launch-cost",
        action="store_true",
        help="measure on a GPU how fast this host launches kernels; narrows predictions of speed",
    )
    return parser


def env(argv: list[str]) -> int:
    """Print the facts of this machine, for people or as facts.json."""
    options = parser().parse_args(argv)
    facts = facts_.stamped(facts_.collect(options.python))
    if options.import_check:
        seen = facts_.import_check(options.python or sys.executable)
        facts = facts.with_import_check(seen.imports, seen.error)
    if options.launch_cost:
        from fp8check.probe.launching import launch_cost

        milliseconds, why = launch_cost(options.python or sys.executable)
        note = () if milliseconds is not None else (f"what launching costs was not measured: {why}",)
        facts = facts._replace(launch_ms=milliseconds, notes=(*facts.notes, *note))
    if options.json and facts.is_training_environment is False:
        complain(f"fp8check: {NO_TRAINING}\n")
    if options.output_file is not None:
        syntax: Syntax = "json" if options.json else "text"
        text = facts_.dump(facts) if options.json else _text(facts)
        write_text(plain(masked_shapes(text), syntax), options.output_file, syntax)
    elif options.json:
        say(facts_.dump(facts), "json")
    else:
        say(_text(facts), fold=True)
    return ExitCode.OK


def _text(facts: Facts) -> str:
    lines = [f"python     {facts.python or 'unknown'}"]
    packages = sorted((facts.packages or {}).items())
    lines.extend(f"package    {name.replace('_', ' ')} {version}" for name, version in packages if version is not None)
    if facts.is_training_environment is False:
        lines.append("package    neither torch nor accelerate: this is not a training environment (see --python)")
    gpus = facts.gpus
    if gpus is None:
        lines.append("gpu        unknown")
    elif not gpus:
        lines.append("gpu        none")
    lines.extend(
        f"gpu        {gpu.index}: {gpu.name}, compute capability {gpu.compute_capability}, {gpu.memory_mib} MiB"
        for gpu in gpus or ()
    )
    lines.append(f"driver     {facts.driver or 'unknown'}")
    for title, values in (("cuda", facts.cuda), ("library", facts.libraries), ("variable", facts.variables)):
        for name, value in sorted((values or {}).items()):
            lines.append(f"{title:<10} {name} {value}")
    lines.extend(f"{name:<10} {value}" for name, value in _more(facts))
    lines.extend(f"note       {note}" for note in facts.notes)
    return "\n".join(map(shown, lines)) + "\n"


def _more(facts: Facts) -> Iterator[tuple[str, str]]:
    """Facts of one word that have no line of their own above."""
    if facts.launch_ms is not None:
        yield "launch", f"{facts.launch_ms:g} ms a decoder layer, forward and backward"
    for name, value in facts.as_dict().items():
        if isinstance(value, str) and name not in ("python", "driver", "source", "path"):
            yield name, value
