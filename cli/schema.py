"""`fp8check schema`: the JSON Schemas of what is written and read here, for editors and for programs."""

from __future__ import annotations

from fp8check.cli.options import Parser, UsageError
from fp8check.cli.streams import say
from fp8check.rules.checking.exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from fp8check.rules.schemas.records import Schema

# Each with what it is the schema of.
SCHEMAS = {
    "report": "--format json",
    "plan": "fp8check plan --format json",
    "probe": "fp8check probe --json",
    "seen": "fp8check run --evidence",
    "facts": "facts.json: fp8check env --json",
    "node": "HOST.json: fp8check node --out DIR",
    "nodes": "fp8check nodes --format json",
    "config": "fp8check.toml",
    "accelerate": "an Accelerate file, with the keys of fp8_config that are really read",
}
ADDRESS = "https://fp8check.readthedocs.io/schemas/"


def schema_parser() -> Parser:
    """The options of `fp8check schema`."""
    parser = Parser("fp8check schema", "JSON Schemas (draft 7), for editors and programs; without a name, lists them.")
    parser.add_argument("name", nargs="?", metavar="NAME", help=", ".join(SCHEMAS))
    parser.add_argument(
        "--release", metavar="VERSION", help="the release of Accelerate that reads the file (default: the newest known)"
    )
    return parser


def schema(argv: list[str]) -> int:
    """Print one schema, or the list."""
    options = schema_parser().parse_args(argv)
    name, release = options.name, options.release
    if release is not None and name != "accelerate":
        raise UsageError(
            "--release goes with the schema of an Accelerate file: fp8check schema accelerate --release 1.11.0"
        )
    if name is None:
        say("".join(f"{one:<11} {about}\n" for one, about in SCHEMAS.items()))
        return ExitCode.OK
    if name not in SCHEMAS:
        raise UsageError(f"no schema is called {name}; there are {', '.join(SCHEMAS)}")
    import json

    say(json.dumps(schema_of(name, release), indent=2, ensure_ascii=False) + "\n", "json")
    return ExitCode.OK


def schema_of(name: str, release: str | None = None) -> Schema:
    """The schema of that name. That of the newest release has an address of its own, under which the site has it."""
    schema = _made(name, release)
    if release is not None:
        return schema
    draft, *rest = schema.items()
    return dict((draft, ("$id", f"{ADDRESS}{name}.json"), *rest))


def _made(name: str, release: str | None) -> Schema:
    if name == "accelerate":
        from fp8check.rules.schemas import accelerate

        return accelerate.schema(release)
    if name == "config":
        from fp8check.cli import config_schema

        return config_schema.schema()
    from fp8check.rules.schemas import nodes, reports

    makers: dict[str, Callable[[], Schema]] = {
        "report": reports.report,
        "plan": reports.plan,
        "probe": reports.probe,
        "seen": reports.seen,
        "facts": reports.facts,
        "node": nodes.node,
        "nodes": nodes.nodes,
    }
    return makers[name]()
