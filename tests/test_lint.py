"""What ruff and mypy do not see: words that would be matched where a name can be checked."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fp8check.rules.releases import accelerate_enums
from fp8check.rules.releases.accelerate_keys import CLUSTER_KEYS, FP8_KEYS, SAGEMAKER_KEYS
from fp8check.rules.settings.launch import LAUNCHER_FLAGS
from fp8check.rules.trainers.detect import DEEPSPEED
from fp8check.rules.trainers.registry import NAMES, TRAINERS
from tests.tools.version_bounds import BEHAVIORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Lint = Callable[[ast.AST], Iterator[ast.AST]]

ROOT = Path(__file__).parent.parent
# `script` is also a kind of file, and `transformers` a package whose release matters.
TRAINER_WORDS = {*NAMES} - {"script", "transformers"}
_SECTIONS = ("fsdp_", "fp8_", "deepspeed_", "dynamo_", "megatron_lm_", "parallelism_config_", "zero")
KEYS = {
    *(CLUSTER_KEYS | SAGEMAKER_KEYS | FP8_KEYS.keys() | DEEPSPEED),
    *(key for key in LAUNCHER_FLAGS if key.startswith(_SECTIONS)),
    *(key for trainer in TRAINERS for key in trainer.known),
}
# Not rules/reading, which builds its trees node by node, and rules/engine, whose decorator marks functions as rules.
FROZEN = (
    *("edits", "settings", "facts", "models", "releases", "trainers", "outcome", "seen"),
    *("catalog", "suppression", "moves", "repair", "report", "checking"),
)
BELOW_TRAINERS = (
    *(f"rules/{room}" for room in ("outcome", "seen", "engine", "suppression", "repair", "report", "checking")),
    *("cli", "probe", "service"),
)
CODE = ("rules", "cli", "probe", "service")


def bare_behaviors(tree: ast.AST) -> Iterator[ast.AST]:
    """Calls of Stack.does with anything but a name of rules/releases/behaviors.py, or another object's attribute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "does":
            names = [ast.unparse(argument) for argument in node.args if isinstance(argument, ast.Attribute)]
            if (
                len(names) != 1
                or len(node.args) != 1
                or node.keywords
                or (names[0][0].isupper() and names[0] not in BEHAVIORS)
            ):
                yield node


def matched_messages(tree: ast.AST) -> Iterator[ast.AST]:
    """Uses of a message that are no showing: it stands in an f-string or in a finding, and nowhere else."""
    shown = {
        id(part)
        for node in ast.walk(tree)
        for part in (
            [node.value]
            if isinstance(node, ast.FormattedValue)
            else [*node.args, *(one.value for one in node.keywords)]
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Found", "Related")
            else []
        )
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "message" and id(node) not in shown:
            yield node


def deleted_parameters(tree: ast.AST) -> Iterator[ast.AST]:
    """Parameters that are there only to be thrown away: `requires` of the decorator says what a rule depends on."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            names = {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}
            for node in ast.walk(function):
                if isinstance(node, ast.Delete) and names & {ast.unparse(target) for target in node.targets}:
                    yield node


ENUMERATED = ("backend_name", "distributed_type", "fp8_layers", "code", "verdict", "severity")


def unchecked_members(tree: ast.AST) -> Iterator[ast.AST]:
    """Enumerated values looked for in a list of bare strings, whose spelling mypy does not compare."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute) and node.left.attr in ENUMERATED:
            for operator, other in zip(node.ops, node.comparators, strict=True):
                if isinstance(operator, (ast.In, ast.NotIn)) and isinstance(other, (ast.Tuple, ast.List, ast.Set)):
                    yield node


READS = ("get", "value", "on", "section", "switched_on", "setting_for", "fsdp_setting")
# Where the same words are no keys of a file: recipes and handlers of the real stack, what a probe is told, a request.
OTHERS = {"recipe", "handler", "held", "given", "arguments", "spec", "query_params"}
CONFIGURATION = {"training", "top", "accelerate", "deepspeed", "config", "fp8", "fsdp"}


def _is_key(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in KEYS


def _names(node: ast.expr) -> set[str]:
    """The names in an expression: of `(run.deepspeed or x).top` run, deepspeed, x and top."""
    parts = [part for part in ast.walk(node) if isinstance(part, (ast.Name, ast.Attribute))]
    return {part.id if isinstance(part, ast.Name) else part.attr for part in parts}


def asked_who_the_trainer_is(tree: ast.AST) -> Iterator[ast.AST]:
    """Comparisons with a trainer's name or class, or a literal that is one: its capabilities are to be asked."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            literals = {part.value for side in sides for part in ast.walk(side) if isinstance(part, ast.Constant)}
            own = {side.attr for side in sides if isinstance(side, ast.Attribute) and "training" in _names(side.value)}
            if literals & TRAINER_WORDS or own & {"name", "trainer", "title"}:
                yield node
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass", "type"):
            if "training" in _names(node.args[0]):
                yield node
        elif isinstance(node, ast.Match) and "training" in _names(node.subject):
            yield node


def configuration_keys(tree: ast.AST) -> Iterator[ast.AST]:
    """Keys of a configuration file that are read by their names.

    That is: `.get`, `.value`, `.on`, `.section` and their kin with a literal key of any file that fp8check knows;
    `"bf16" in training.top`; `training.top["bf16"]`.
    """
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in READS
            and node.args
        ):
            found = _is_key(node.args[0]) and not _names(node.func.value) & OTHERS
        elif isinstance(node, ast.Subscript):
            found = _is_key(node.slice) and bool(_names(node.value) & CONFIGURATION)
        elif isinstance(node, ast.Compare):
            found = _is_key(node.left) and any(_names(side) & CONFIGURATION for side in node.comparators)
        else:
            continue
        if found:
            yield node


def changed_from_outside(tree: ast.AST) -> Iterator[ast.AST]:
    """Attributes that are set on anything but self: data is built when all is known, and then stays as it is."""
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, (ast.Assign, ast.Delete)) else []
        targets = [node.target] if isinstance(node, (ast.AugAssign, ast.AnnAssign)) else targets
        for target in (part for one in targets for part in ast.walk(one)):
            own = isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"
            if isinstance(target, ast.Attribute) and isinstance(target.ctx, (ast.Store, ast.Del)) and not own:
                yield node
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("setattr", "delattr"):
            yield node


STREAMS = ("sys.stdout.write", "sys.stderr.write", "sys.stdout.buffer.write", "sys.stderr.buffer.write", "print")


STREAMING = Path("cli/streams.py")


OPENS = r"open|(io|os)\.open|os\.path\.(isfile|exists)|.*\.(read_text|read_bytes|is_file|exists)"


def files_opened(tree: ast.AST) -> Iterator[ast.AST]:
    """Files that are opened, or looked for, without rules/reading/files.py. What is beside the module itself is ours."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or re.fullmatch(OPENS, ast.unparse(node.func)) is None:
            continue
        if not any("__file__" in ast.unparse(argument) for argument in node.args):
            yield node


def bare_writes(tree: ast.AST) -> Iterator[ast.AST]:
    """Writes to a standard stream that no function of cli/streams.py makes safe to show."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in STREAMS:
            yield node


STARTING = ("subprocess", "multiprocessing", "pty", "pexpect")
STARTS = r"os\.(system|popen|exec\w+|spawn\w+|posix_spawnp?|fork\w*)|asyncio\.create_subprocess_\w+|\w+\.subprocess_\w+"


def started_programs(tree: ast.AST) -> Iterator[ast.AST]:
    """Another program that is started."""
    for node in ast.walk(tree):
        imported = [node.module] if isinstance(node, ast.ImportFrom) else []
        imported += [one.name for one in node.names] if isinstance(node, ast.Import) else []
        called = isinstance(node, ast.Call) and re.fullmatch(STARTS, ast.unparse(node.func))
        if called or any(str(name).partition(".")[0] in STARTING for name in imported):
            yield node


WRITERS = ("os.open", "os.replace", "os.rename", "os.truncate", "shutil.copyfile", "shutil.move", "tempfile.mkstemp")
READING = ("os.O_RDONLY", "os.O_NONBLOCK", "os.O_NOCTTY", "os.O_CLOEXEC", "os.O_BINARY", "os.devnull")


def files_written(tree: ast.AST) -> Iterator[ast.AST]:
    """Files that are opened to write, or put in a place: rules/writing does that whole or not at all."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        mode = [*node.args[1:2], *(one.value for one in node.keywords if one.arg == "mode")]
        if (
            (
                called == "open"
                and any(not isinstance(one, ast.Constant) or {*"wax+"} & {*str(one.value)} for one in mode)
            )
            or (called in WRITERS and not any(word in ast.unparse(node) for word in READING))
            or called.endswith((".write_text", ".write_bytes"))
        ):
            yield node


# Where what a lint looks for is at home.
ALLOWED = {
    (STREAMING, bare_writes),
    (STREAMING, files_written),
    (Path("rules/child/run.py"), started_programs),
    (Path("rules/child/supervisor.py"), started_programs),
    (Path("rules/child/foreground.py"), started_programs),  # the user's own command, as a shell would start it
    (Path("service/child.py"), started_programs),  # with asyncio, under the same supervisor
    (STREAMING, files_opened),
    *((path.relative_to(ROOT), files_opened) for path in (ROOT / "rules" / "writing").glob("*.py")),
    (Path("rules/reading/files.py"), files_opened),
    *((Path(f"rules/child/{name}.py"), files_opened) for name in ("environment", "supervisor", "foreground")),  # /proc
    *((Path(f"rules/facts/{name}.py"), files_opened) for name in ("gpus", "packages")),  # nothing is opened there
}

# Each with the folders that it looks at, and lines that it has to find.
LINTS: dict[str, tuple[Lint, tuple[str, ...], tuple[str, ...]]] = {
    "a behavior is a name of rules/releases/behaviors.py": (
        bare_behaviors,
        CODE,
        ('stack.does("accelerate", "fsdp2 exists")', 'stack.does("fsdp2 exists")', "stack.does(Accelerate.FSDP_2)"),
    ),
    "no rule compares or cuts a message: it has a code": (
        matched_messages,
        ("rules/catalog",),
        (
            'if error.message.startswith("Passing in "): pass',
            'if error is None or "together" not in error.message: pass',
            'name = error.message.rpartition("--")[2]',
            "text = error.message",
            're.search("--", outcome.error.message)',
            "Found(error.message[:20])",
        ),
    ),
    "nothing but a trainer knows its name: its capabilities are asked, and a rule about it has an input of its name": (
        asked_who_the_trainer_is,
        (*BELOW_TRAINERS, "rules/catalog"),
        (
            'if training.trainer == "llamafactory": pass',
            'own = run.training.name in ("trl", "axolotl")',
            "if training.name != Trl.name: pass",
            'if launch.through == "trl": pass',
            "if isinstance(run.training, Axolotl): pass",
            "if type(training) is Axolotl: pass",
        ),
    ),
    "a configuration key stands in settings, trainers and catalog only": (
        configuration_keys,
        BELOW_TRAINERS,
        (
            'bf16 = training.get("bf16")',
            'if run.training.on("torch_compile"): pass',
            'x = config.top.section("dynamo_config").get(name)',
            'if "num_processes" not in config.top: pass',
            'run.deepspeed.section("bf16")',
            'config.fsdp["fsdp_version"]',
            'written = section.value("finetuning_type")',
        ),
    ),
    "data never changes once it is made": (
        changed_from_outside,
        (*(f"rules/{room}" for room in FROZEN),),
        (
            "run.script = Script.of(source)",
            "state.handler = state.recipe = None",
            "state.handler, state.counted = name, True",
            "facts.notes += [note]",
            "launch.variables: dict[str, str] = {}",
            'setattr(facts, "gpus", [])',
            "del run.model",
        ),
    ),
    "a file that somebody names is read by rules/reading/files.py": (
        files_opened,
        ("rules", "cli"),
        (
            "with open(path) as stream: pass",
            "descriptor = os.open(path, os.O_RDONLY)",
            "text = Path(path).read_text()",
            "found = read(path) if os.path.isfile(path) else None",
        ),
    ),
    "what a command writes goes through cli/streams.py": (
        bare_writes,
        ("cli", "rules"),
        ("sys.stdout.write(text)", 'sys.stderr.write(f"fp8check: {problem}")', "print(text)"),
    ),
    "other programs are started in rules/child/ alone": (
        started_programs,
        CODE,
        (
            "import subprocess",
            "from subprocess import run",
            "os.system(command)",
            "os.execv(path, words)",
            "asyncio.create_subprocess_exec(*words)",
            "import multiprocessing",
        ),
    ),
    "files are written by rules/writing, and by nothing else": (
        files_written,
        (*(f"rules/{room}" for room in (*FROZEN, "engine")), "cli"),
        (
            'stream = open(path, "w", encoding="utf-8")',
            'with open(path, mode="r+b") as stream: pass',
            "open(path, how)",
            "descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)",
            "os.replace(beside, path)",
            "Path(target).write_text(text)",
        ),
    ),
    "a rule says with `requires` what it depends on and does not look at": (
        deleted_parameters,
        ("rules/catalog", "examples"),
        ("def check(outcome, packages):\n    del packages  # without them the release is not known",),
    ),
    "what mypy knows the names of is compared with ==, or with a constant that says so": (
        unchecked_members,
        CODE,
        ('if outcome.backend_name in ("TE", "TORCHAO"): pass', 'if outcome.distributed_type not in ("NO", None): pass'),
    ),
}


def _files(folders: tuple[str, ...]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("name", LINTS)
def test_lint(name: str) -> None:
    find, folders, _ = LINTS[name]
    found = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}: {ast.unparse(node)}"
        for path in _files(folders)
        if (path.relative_to(ROOT), find) not in ALLOWED
        for node in find(ast.parse(path.read_text("utf-8")))
    ]
    assert found == []


def _literal(file: str, name: str) -> list[object]:
    """The words of a Literal, from the file that defines it: at run time it does not exist."""
    (value,) = [
        node.value
        for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8")))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]
    return [node.value for node in ast.walk(value) if isinstance(node, ast.Constant)]


def test_the_enumerations_are_whole() -> None:
    file = "rules/releases/accelerate_enums.py"
    assert list(accelerate_enums.BACKENDS) == _literal(file, "Backend")
    assert list(accelerate_enums.DISTRIBUTED_TYPES) == _literal(file, "DistributedType")


def test_every_error_code_is_raised() -> None:
    codes = _literal("rules/releases/errors.py", "ErrorCode")
    raised = {
        node.args[0].value
        for path in _files(("rules",))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "PredictedError"
        if isinstance(node.args[0], ast.Constant)
    }
    # refused_values.py collects what it raises: the fourth field of a Refusal, or its default.
    refused = ast.parse((ROOT / "rules/trainers/refused_values.py").read_text("utf-8"))
    raised |= {
        node.args[3].value if len(node.args) > 3 and isinstance(node.args[3], ast.Constant) else "value-refused"
        for node in ast.walk(refused)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Refusal"
    }
    assert len(codes) == len(set(codes))
    assert set(codes) == raised


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, (_, _, lines) in LINTS.items() for line in lines])
def test_a_violation_is_found(name: str, line: str) -> None:
    assert list(LINTS[name][0](ast.parse(line)))
