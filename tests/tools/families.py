"""Families of inputs that grow by one number: what strangers can make large in a file, on a command line, in a request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ACCELERATE = (
    "compute_environment: LOCAL_MACHINE\ndistributed_type: 'NO'\nmixed_precision: fp8\nnum_processes: 1\n"
    "fp8_config:\n  backend: TE\n  fp8_format: HYBRID\n"
)
TRAINING = (
    "model_name_or_path: Qwen/Qwen2.5-7B\nstage: sft\ndo_train: true\nfinetuning_type: full\ncutoff_len: 2048\n"
    "output_dir: out\nper_device_train_batch_size: 1\nbf16: true\n"
)
AXOLOTL = "base_model: NousResearch/Llama-3.2-1B\nmicro_batch_size: 1\nsequence_len: 2048\nbf16: true\nfp8: true\n"
SCRIPT = "from accelerate import Accelerator\n"
UNSEEN = ("--no-environment",)
LAUNCH = ("--launch", "accelerate launch --config_file accel.yaml train.py")
SUPPRESSED = "# fp8check: ignore[FP101] known, and meant\n"
FACTS = {
    "schema": "fp8check/facts/1",
    "python": "3.11.7",
    "packages": {"torch": "2.8.0", "accelerate": "1.11.0", "transformers": "5.6.0", "transformer_engine": "2.9.0"},
    "variables": {},
    "gpus": [{"index": 0, "name": "NVIDIA H200", "compute_capability": "9.0", "memory_mib": 143771, "mig": False}],
}


class Request(NamedTuple):
    """What is asked of the service.

    Attributes:
        headers: by name in lower case; a name may come more than once.
    """

    body: bytes = b""
    headers: Sequence[tuple[str, str]] = (("content-type", "application/json"),)
    target: str = "/check"
    method: str = "POST"


class Case(NamedTuple):
    """The files of one size, and how the command is called.

    Attributes:
        given: the files that are named on the command line; None for all.
        options: of every command.
        line: the line of the first file that `explain` is asked about.
        only: the one command that is measured.
        checks_only: whether only `check` takes these options.
        request: what the service is asked instead of the command.
        variables: what is in the environment of the command.
        gone: files of a repository that were committed, and that this commit takes away; with `tracked`.
        tracked: whether the files are staged in a repository, in which the command runs.
    """

    files: Mapping[str, bytes]
    given: Sequence[str] | None = None
    options: Sequence[str] = UNSEEN
    line: int = 1
    only: str = ""
    checks_only: bool = False
    request: Request | None = None
    variables: Mapping[str, str] = {}
    gone: Sequence[str] = ()
    tracked: bool = False

    @property
    def files_given(self) -> Sequence[str]:
        return [*self.files] if self.given is None else self.given


class Family(NamedTuple):
    """Inputs that differ in one number.

    Attributes:
        size: the smallest that is measured; twice and four times as much are, too.
    """

    name: str
    size: int
    make: Callable[[int], Case]


def run(training: str = TRAINING, accelerate: str = ACCELERATE, options: Sequence[str] = UNSEEN) -> Case:
    """A training file and an Accelerate file."""
    return Case({"train.yaml": training.encode(), "accel.yaml": accelerate.encode()}, options=options)


# Two files of which a check has nothing to say.
QUIET = run("per_device_train_batch_size: 8\nbf16: true\n", "distributed_type: 'NO'\nmixed_precision: bf16\n")


def lines(count: int, line: str) -> str:
    """That many lines; {} is their number."""
    return "".join(line.replace("{}", str(number)) for number in range(count))


def words(count: int, word: str, by: str = ", ") -> str:
    """That many words; {} is their number."""
    return by.join(word.replace("{}", str(number)) for number in range(count))


def top(line: str, before: str = "") -> Callable[[int], Case]:
    """Lines at the top of the training file."""
    return lambda n: run(TRAINING + before + lines(n, line))


def text(make: Callable[[int], str]) -> Callable[[int], Case]:
    """A text behind the training file's own."""
    return lambda n: run(TRAINING + make(n))


def config(line: str) -> Callable[[int], Case]:
    """Lines at the top of the Accelerate file."""
    return lambda n: run(accelerate=ACCELERATE + lines(n, line))


def recipe(line: str) -> Callable[[int], Case]:
    """Lines under fp8_config, which is the last section of the Accelerate file."""
    return config("  " + line)


def whole_json(make: Callable[[int], object]) -> Callable[[int], Case]:
    """A training file in JSON, with one entry more."""
    base = {"model_name_or_path": "Qwen/Qwen2.5-7B", "stage": "sft", "cutoff_len": 2048, "output_dir": "out"}
    return lambda n: Case(
        {"train.json": json.dumps({**base, "x": make(n)}).encode(), "accel.yaml": ACCELERATE.encode()}
    )


def script(make: Callable[[int], str]) -> Callable[[int], Case]:
    """A script that the launch command starts."""
    return lambda n: Case(
        {"accel.yaml": ACCELERATE.encode(), "train.py": (SCRIPT + make(n)).encode()},
        ("accel.yaml",),
        (*UNSEEN, *LAUNCH),
    )


def with_modules(text: str, modules: Callable[[int], Mapping[str, str]]) -> Callable[[int], Case]:
    """A script that the launch command starts, and modules beside it."""

    def make(n: int) -> Case:
        case = script(lambda _: text)(n)
        files = {**case.files, **{f"{name}.py": module.encode() for name, module in modules(n).items()}}
        return case._replace(files={**files, "train.py": text.encode()})

    return make


def _in_a_row(n: int) -> Mapping[str, str]:
    """Modules that import each other, the last of which makes the Accelerator."""
    row = {f"m{one}": f"from m{one + 1} import make\nX = 'bf16'\n" + "y = [X]\n" * 50 for one in range(n)}
    return {**row, f"m{n}": "from accelerate import Accelerator\ndef make():\n    return Accelerator()\n"}


def _of_functions(n: int) -> Mapping[str, str]:
    """A module of functions that call each other, with the arguments of a Trainer at their end."""
    row = "".join(f"def f{one}(**more):\n    return f{one + 1}(**more)\n\n\n" for one in range(n))
    last = f"def f{n}(**more):\n    return TrainingArguments('out', **more)\n"
    return {"m": f"from transformers import Trainer, TrainingArguments\n\n\n{row}{last}"}


def script_of_files(n: int) -> Case:
    """A script that reads a file again and again."""
    reads = "".join(f"c{number} = yaml.safe_load(open('c.yaml'))\n" for number in range(n))
    case = script(lambda _: f"import yaml\n{reads}Accelerator(mixed_precision=c0['k0'])\n")(n)
    return case._replace(files={**case.files, "c.yaml": "".join(f"k{number}: v\n" for number in range(1_000)).encode()})


PARSER = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--mp')\na = p.parse_args()\n"
PARSED = "Accelerator(mixed_precision=a.mp)\n"


def deeper(n: int) -> str:
    """Expressions each of which has the one before several times."""
    return "".join(f"x{number + 1} = x{number} or x{number} or x{number}\n" for number in range(n))


def derived(n: int) -> str:
    """Classes each of which is derived from the one before."""
    return "".join(f"class A{number + 1}(A{number}): ...\n" for number in range(n))


def tries(n: int) -> str:
    """Calls that ninety `try` stand around, each of which makes one in its handler."""
    depth = 90
    opened = "".join(f"{level * ' '}try:\n" for level in range(depth))
    closed = "".join(f"{level * ' '}except TypeError:\n{level * ' '} f()\n" for level in reversed(range(depth)))
    return f"{opened}{depth * ' '}x = ({n * 'f(), '})\n{closed}Accelerator()\n"


def scripts(n: int) -> Case:
    """Scripts among the files, each of which is a run."""
    text = f"{SCRIPT}Accelerator(mixed_precision='fp8')\n".encode()
    return Case({"accel.yaml": ACCELERATE.encode(), **{f"train{number}.py": text for number in range(n)}})


def launch(make: Callable[[int], str]) -> Callable[[int], Case]:
    """A launch command."""
    return lambda n: run(options=(*UNSEEN, "--launch", make(n)))


PARSES = (
    "from trl import SFTConfig, SFTTrainer, TrlParser\np = TrlParser((SFTConfig,))\n"
    "(a,) = p.parse_args_and_config()\nSFTTrainer(args=a).train()\n"
)


def trl(command: str) -> Callable[[int], Case]:
    """A command that reads a file of keys that it does not know."""
    return lambda n: Case(
        {
            "train.yaml": ("model_name_or_path: a/b\n" + lines(n, "own_key_{}: 1\n")).encode(),
            "train.py": PARSES.encode(),
        },
        ("train.yaml",),
        (*UNSEEN, "--launch", command),
    )


STARTED = "accelerate launch --config_file accel.yaml train.py\n"


def shell(make: Callable[[int], str], started: str = STARTED) -> Callable[[int], Case]:
    """A shell script, with the files that its launch line names."""
    return lambda n: Case(
        {
            "run.sh": (make(n) + started).encode(),
            "accel.yaml": ACCELERATE.encode(),
            "train.py": (SCRIPT + "Accelerator()\n").encode(),
        },
        ("run.sh",),
    )


def started_again(n: int) -> Case:
    """A shell script that starts another one again and again, which is as long."""
    case = shell(lambda n: lines(n, "bash inner.sh {}\n"))(n)
    return case._replace(files={**case.files, "inner.sh": n * b"A=$1\n"})


def facts(make: Callable[[int], Mapping[str, object]]) -> Callable[[int], Case]:
    """A facts.json."""
    return lambda n: Case(
        {
            "train.yaml": TRAINING.encode(),
            "accel.yaml": ACCELERATE.encode(),
            "facts.json": json.dumps({**FACTS, **make(n)}).encode(),
        },
        ("train.yaml", "accel.yaml"),
        ("--facts", "facts.json"),
    )


def many(count: int, training: str = TRAINING) -> Case:
    """Many training files against one Accelerate file."""
    files = {f"runs/train{number}.yaml": training.encode() for number in range(count)}
    return Case({**files, "accel.yaml": ACCELERATE.encode()})


def toml(make: Callable[[int], str]) -> Callable[[int], Case]:
    """A configuration; the files stand on the command line."""
    return lambda n: Case(
        {
            "train.yaml": TRAINING.encode(),
            "accel.yaml": ACCELERATE.encode(),
            "own.toml": make(n).encode(),
        },
        ("train.yaml", "accel.yaml"),
        (*UNSEEN, "--config", "own.toml"),
    )


def configured(count: int) -> Case:
    """Runs that a configuration names."""
    files = {f"train{number}.yaml": TRAINING.encode() for number in range(count)}
    tables = lines(count, '[[run]]\nfiles = ["train{}.yaml", "accel.yaml"]\n')
    return Case(
        {**files, "accel.yaml": ACCELERATE.encode(), "own.toml": tables.encode()},
        (),
        (*UNSEEN, "--config", "own.toml"),
        only="check",
    )


def baseline(count: int) -> Case:
    """A baseline of findings that are gone."""
    entries = [
        {"fingerprint": f"{number:016x}", "rule": "FP101", "file": "train.yaml", "message": "gone"}
        for number in range(count)
    ]
    data = json.dumps({"schema": "fp8check/baseline/1", "findings": entries}).encode()
    case = run()
    return case._replace(
        files={**case.files, "known.json": data},
        given=("train.yaml", "accel.yaml"),
        options=(*UNSEEN, "--baseline", "known.json"),
        checks_only=True,
    )


def deepspeed(make: Callable[[int], object]) -> Callable[[int], Case]:
    """A DeepSpeed file, on the command line."""
    return lambda n: Case(
        {
            "train.yaml": TRAINING.encode(),
            "accel.yaml": ACCELERATE.replace("'NO'", "DEEPSPEED").encode(),
            "ds.json": json.dumps(make(n)).encode(),
        }
    )


def model(make: Callable[[int], Mapping[str, object]]) -> Callable[[int], Case]:
    """A model's config.json, on the command line."""
    base = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
    }
    return lambda n: Case(
        {
            "train.yaml": TRAINING.encode(),
            "accel.yaml": ACCELERATE.encode(),
            "config.json": json.dumps({**base, **make(n)}).encode(),
        }
    )


def nested(count: int, opening: str, closing: str, depth: int) -> str:
    """Chains of brackets."""
    return lines(count, "x{}: " + depth * opening + "1" + depth * closing + "\n")


def indented(count: int, depth: int) -> str:
    """Chains of block maps."""
    chain = "".join(f"{level * ' '}y{level}:\n" for level in range(1, depth))
    return lines(count, "x{}:\n" + chain + depth * " " + "z: 1\n")


def explained(make: Callable[[int], Case], line: int = 1) -> Callable[[int], Case]:
    """One line of the first file, explained."""

    def made(n: int) -> Case:
        case = make(n)
        first, *rest = case.files_given
        return case._replace(given=(f"{first}:{line}", *rest), only="explain")

    return made


def flow(entries: str) -> Case:
    """An Accelerate file whose recipe stands on one line, the sixth, and a training file."""
    case = run(accelerate=ACCELERATE.partition("fp8_config")[0] + f"fp8_config: {{backend: TE, {entries}}}\n")
    return case._replace(given=("accel.yaml", "train.yaml"))


def hidden(make: Callable[[int], str], accelerate: str = ACCELERATE) -> Callable[[int], Case]:
    """Errors, of which each may hide others."""
    return lambda n: run(accelerate=accelerate + make(n))._replace(only="check")


def markdown(make: Callable[[int], Case]) -> Callable[[int], Case]:
    """The same as a comment."""

    def made(n: int) -> Case:
        case = make(n)
        return case._replace(options=(*case.options, "--format", "markdown"), only="check")

    return made


def staged(make: Callable[[int], Mapping[str, str]], *handed: str, only: str = "--hook") -> Callable[[int], Case]:
    """Files of a commit, of which the hook is handed these, or all."""

    def made(n: int) -> Case:
        files = {name: text.encode() for name, text in make(n).items()}
        return Case(files, handed or None, (), only=only, tracked=True)

    return made


def configs(n: int) -> Mapping[str, str]:
    """Training files, and the Accelerate file nearest to them."""
    return {**{f"configs/train{number}.yaml": TRAINING for number in range(n)}, "accel.yaml": ACCELERATE}


def tables(n: int) -> str:
    """[[run]], each with a training file of its own."""
    return lines(n, '[[run]]\nfiles = ["configs/train{}.yaml", "accel.yaml"]\n')


def naming(n: int) -> Mapping[str, str]:
    """Accelerate files that name one DeepSpeed file, each with a training file beside it."""
    accelerate = (
        "distributed_type: DEEPSPEED\nmixed_precision: fp8\ndeepspeed_config: {deepspeed_config_file: ds.json}\n"
    )
    files = {"ds.json": '{"zero_optimization": {"stage": 2}}\n'}
    for number in range(n):
        files.update({f"c{number}/train.yaml": TRAINING, f"c{number}/accel.yaml": accelerate})
    return files


def modules(n: int) -> Mapping[str, str]:
    """Modules of which each imports the next, and a script that imports the first."""
    files = {f"m{number}.py": f"import m{number + 1}\n" for number in range(n)}
    return {**files, "train.py": SCRIPT + "import m0\nAccelerator()\n", "run.sh": STARTED, "accel.yaml": ACCELERATE}


def projects(n: int) -> Mapping[str, str]:
    """Folders with a configuration of their own."""
    files = {}
    for number in range(n):
        run_ = {"train.yaml": TRAINING, "accel.yaml": ACCELERATE, "fp8check.toml": DECLARED}
        files.update({f"p{number}/{name}": text for name, text in run_.items()})
    return files


DECLARED = '[[run]]\nfiles = ["train.yaml", "accel.yaml"]\n'


def in_ci(site: str, make: Callable[[int], Case]) -> Callable[[int], Case]:
    """The check of a job."""

    def made(n: int) -> Case:
        case = make(n)
        variables = {"FP8CHECK_CI_FILES": " ".join(case.files_given), **case.variables}
        return case._replace(given=(), options=(), only=f"ci {site} --out reports", variables=variables)

    return made


def event(make: Callable[[int], str]) -> Callable[[int], Case]:
    """The event that started a job of GitHub."""
    case = run()
    variables = {"GITHUB_EVENT_PATH": "event.json"}
    files = ("train.yaml", "accel.yaml")
    return in_ci(
        "github",
        lambda n: case._replace(files={**case.files, "event.json": make(n).encode()}, given=files, variables=variables),
    )


FAMILIES: tuple[Family, ...] = (
    # Values and how they are written
    Family("list, block", 2_900, text(lambda n: "dataset:\n" + lines(n, "- d{}\n"))),
    Family("list, on one line", 2_900, text(lambda n: f"dataset: [{words(n, 'd{}')}]\n")),
    Family("list of maps", 700, text(lambda n: "dataset:\n" + lines(n, "- a: {}\n  b: 2\n"))),
    Family("lists in lists", 30, text(lambda n: nested(n, "[", "]", 90))),
    Family("maps in maps, in brackets", 24, text(lambda n: nested(n, "{a: ", "}", 60))),
    Family("maps in maps, indented", 24, text(lambda n: indented(n, 60))),
    Family("dashes in dashes", 30, text(lambda n: lines(n, "x{}:\n" + 80 * "- " + "1\n"))),
    Family("keys", 1_450, top("key{}: {}\n")),
    Family("keys, in quotes", 2_400, top('"key{}": "{}"\n')),
    Family("keys, long", 60, top(4000 * "k" + "{}: 1\n")),
    Family("keys, of bool and int", 1_450, top("{}: true\n")),
    Family("keys, explicit", 550, top("? key{}\n: {}\n")),
    Family("keys, twice", 700, text(lambda n: lines(n, "key{}: 1\n") + lines(n, "key{}: 2\n"))),
    Family("keys, all the same", 1_450, top("key: {}\n")),
    Family("a long text", 200_000, text(lambda n: f"x: {n * 'y'}\n")),
    Family("a long text of words", 60_000, text(lambda n: f"x: {n * 'yy '}z\n")),
    Family("a long text, in quotes", 200_000, text(lambda n: f"x: '{n * 'y'}'\n")),
    Family("quotes in quotes", 100_000, text(lambda n: f"x: '{2 * n * chr(39)}'\n")),
    Family("escapes", 40_000, text(lambda n: 'x: "' + n * "\\u00e9" + '"\n')),
    Family("escapes, disputed", 20_000, text(lambda n: 'x: "' + n * "\\U0001F600" + '"\n')),
    Family("literal text", 15_000, text(lambda n: "x: |\n" + lines(n, "  line {}\n"))),
    Family("folded text", 15_000, text(lambda n: "x: >\n" + lines(n, "  line {}\n"))),
    Family("literal texts", 3_000, top("x{}: |\n  a\n  b\n")),
    Family("texts over lines", 15_000, text(lambda n: 'x: "\n' + lines(n, "  line {}\n") + '  "\n')),
    Family("plain texts over lines", 15_000, text(lambda n: "x:\n" + lines(n, "  line {}\n"))),
    Family("empty lines", 100_000, text(lambda n: n * "\n" + "x: 1\n")),
    Family("spaces at line ends", 3_000, text(lambda n: lines(n, "x{}: 1" + 60 * " " + "\n"))),
    Family("one line of spaces", 200_000, text(lambda n: "x: 1" + n * " " + "\n")),
    Family("tabs", 700, top("x{}: 1\t\n")),
    Family("carriage returns", 700, lambda n: run((TRAINING + lines(n, "x{}: 1\n")).replace("\n", "\r"))),
    Family(
        "carriage returns and line feeds", 1_450, lambda n: run((TRAINING + lines(n, "x{}: 1\n")).replace("\n", "\r\n"))
    ),
    Family("line separators", 700, top("x{}: a\u2028\n")),
    Family("unicode", 1_450, top("x{}: \u00e9\u4e2d\U0001f600\n")),
    Family("documents", 20_000, text(lambda n: n * "---\na: 1\n")),
    Family("directives", 20_000, lambda n: run(n * "%YAML 1.1\n" + "---\n" + TRAINING)),
    Family("tags", 550, top("x{}: !!str 1\n")),
    Family("tags, unknown", 550, top("x{}: !mine 1\n")),
    Family("sets", 550, text(lambda n: "x: !!set {" + words(n, "a{}") + "}\n")),
    Family("ordered maps", 500, text(lambda n: "x: !!omap\n" + lines(n, "- a{}: 1\n"))),
    Family("binary", 100_000, text(lambda n: f"x: !!binary {4 * n * 'A'}\n")),
    # Anchors
    Family("anchors", 1_450, top("x{}: &a{} 1\n")),
    Family("aliases of a value", 1_450, top("x{}: *a\n", "a: &a 1\n")),
    Family("aliases of a map", 350, top("x{}: *a\n", "a: &a {b: 1, c: 2, d: 3}\n")),
    Family("aliases of aliases", 700, text(lambda n: "x0: &a0 1\n" + lines(n, "y{}: {z: *a0}\n"))),
    Family("merge keys", 350, top("x{}:\n  <<: *a\n  e: 1\n", "a: &a {b: 1, c: 2, d: 3}\n")),
    Family(
        "a merged list of maps",
        500,
        text(lambda n: lines(n, "m{}: &m{} {k{}: 1}\n") + f"x:\n  <<: [{words(n, '*m{}')}]\n"),
    ),
    Family("a merged list of one map", 1_450, text(lambda n: f"m: &m {{k: 1}}\nx:\n  <<: [{words(n, '*m')}]\n")),
    Family("merged at the top", 700, text(lambda n: lines(n, "m{}: &m{} {k: {}}\n") + f"<<: [{words(n, '*m{}')}]\n")),
    Family("merge keys in a row", 700, text(lambda n: "m: &m {k: 1}\n" + n * "<<: *m\n")),
    # Numbers
    Family("sexagesimal", 60_000, text(lambda n: f"x: 1{n * ':59'}\n")),
    Family("sexagesimal, with a point", 60_000, text(lambda n: f"x: 1{n * ':59'}.5\n")),
    Family("sexagesimal numbers", 1_450, top("x{}: 1:30:15\n")),
    Family("a long number", 200_000, text(lambda n: f"x: 1{n * '0'}\n")),
    Family("a long hexadecimal number", 200_000, text(lambda n: f"x: 0x{n * 'f'}\n")),
    Family("a long octal number", 200_000, text(lambda n: f"x: 0{n * '7'}\n")),
    Family("a long binary number", 200_000, text(lambda n: f"x: 0b{n * '1'}\n")),
    Family("a long fraction", 200_000, text(lambda n: f"x: 0.{n * '1'}\n")),
    Family("a long exponent", 200_000, text(lambda n: f"x: 1.0e+{n * '1'}\n")),
    Family("underscores in a number", 200_000, text(lambda n: f"x: 1{n * '_'}\n")),
    Family("long hexadecimal numbers", 200, top("x{}: 0x" + 900 * "f" + "\n")),
    Family("timestamps", 700, top("x{}: 2001-12-14t21:59:43.10-05:00\n")),
    Family("a long timestamp", 200_000, lambda n: run(accelerate=f"{ACCELERATE}x: 2001-12-14t21:59:43.{n * '1'}\n")),
    Family("spaces in a timestamp", 200_000, lambda n: run(accelerate=f"{ACCELERATE}x: 2001-12-14{n * ' '}x\n")),
    Family("numbers in a float's form", 200_000, text(lambda n: f"x: {n * '1_'}x\n")),
    Family("references", 1_450, top("x{}: ${a.b}\n")),
    Family("references in one text", 50_000, text(lambda n: f"x: '{n * '${a}'}'\n")),
    Family("backslashes", 200_000, text(lambda n: f"x: '{n * chr(92)}${{a}}'\n")),
    Family("broken references", 1_450, top("x{}: ${\n")),
    # Comments and suppressions
    Family("comments", 30_000, text(lambda n: n * "# a comment\n")),
    Family("comments at line ends", 1_450, top("x{}: 1  # a comment\n")),
    Family("suppressions, unused", 450, text(lambda n: n * (SUPPRESSED + "x: 1\n"))),
    Family("suppressions, in a block", 450, text(lambda n: n * SUPPRESSED + "x: 1\n")),
    Family("suppressions at line ends", 450, top("x{}: 1 " + SUPPRESSED)),
    Family("suppressions, misspelt", 450, top("x{}: 1 # fp8check: ignroe[FP101] why\n")),
    Family("suppressions, without a reason", 450, top("x{}: 1 # fp8check: ignore[FP101]\n")),
    Family("suppressions, of no rule", 450, top("x{}: 1 # fp8check: ignore[FPx{}] why\n")),
    Family("suppressions, of almost a rule", 450, top("x{}: 1 # fp8check: ignore[fp8-{}config] why\n")),
    Family("suppressions, over", 450, top("x{}: 1 # fp8check: ignore[FP101] until=2020-01-01 why\n")),
    Family("suppressions, of no day", 450, top("x{}: 1 # fp8check: ignore[FP101] until=x why\n")),
    Family("suppressions, for the file", 450, text(lambda n: n * "# fp8check: ignore-file[FP101] why\n")),
    Family("suppressions, used", 450, recipe("x{}: 1 # fp8check: ignore[FP203] why\n")),
    Family(
        "one suppression of many rules", 2_900, text(lambda n: f"# fp8check: ignore[{words(n, 'FP101')}] why\nx: 1\n")
    ),
    Family("one suppression of no rules", 500, text(lambda n: f"# fp8check: ignore[{words(n, 'FPx{}')}] why\nx: 1\n")),
    Family("one suppression, long", 200_000, text(lambda n: f"# fp8check: ignore[FP101] {n * 'y'}\nx: 1\n")),
    Family("suppressions in texts", 450, top("x{}: 'a # fp8check: ignore[FP101] why'\n")),
    Family("suppressions in one text", 450, text(lambda n: "x: |\n" + n * "  # fp8check: ignore[FP101] why\n")),
    Family("suppressions on one line", 450, text(lambda n: "x: 1 " + n * "# fp8check: " + "\n")),
    Family("marks without a comment", 20_000, text(lambda n: f"x: '{n * 'fp8check: '}'\n")),
    # What rules speak of
    Family("unknown keys at the top", 1_450, config("unknown{}: {}\n")),
    Family("unknown keys at the top, near", 1_450, config("mixed_precisio{}: {}\n")),
    Family("unknown keys of fp8_config", 1_450, recipe("unknown{}: {}\n")),
    Family("unknown keys of fp8_config, near", 1_450, recipe("amax_history_le{}: {}\n")),
    Family(
        "unknown keys of fp8_config, on one line",
        1_450,
        lambda n: run(
            accelerate=ACCELERATE.partition("fp8_config")[0]
            + f"fp8_config: {{backend: TE, {words(n, 'unknown{}: 1')}}}\n"
        ),
    ),
    Family(
        "keys of fp8_config, in two spellings",
        550,
        lambda n: run(accelerate=ACCELERATE + lines(n, "  k{}: 1\n  fp8_k{}: 2\n")),
    ),
    Family("keys of fp8_config, twice", 700, lambda n: run(accelerate=ACCELERATE + lines(n, "  k: {}\n"))),
    Family(
        "keys of fsdp_config",
        1_450,
        config("fsdp_config:\n  a: 1\n")
        if False
        else lambda n: run(accelerate=ACCELERATE + "fsdp_config:\n" + lines(n, "  fsdp_k{}: {}\n")),
    ),
    Family(
        "keys of deepspeed_config",
        1_450,
        lambda n: run(
            accelerate=ACCELERATE.replace("'NO'", "DEEPSPEED") + "deepspeed_config:\n" + lines(n, "  k{}: {}\n")
        ),
    ),
    Family("keys that sound like FP8", 1_450, top("fp8_key{}: {}\n")),
    Family("keys that sound like FP8, near", 1_450, top("amax_history_len_fp8{}: {}\n")),
    Family("keys of axolotl's fp8_config", 1_450, lambda n: run(AXOLOTL + "fp8_config:\n" + lines(n, "  k{}: 1\n"))),
    Family("keys of DeepSpeed", 1_450, deepspeed(lambda n: {f"k{number}": number for number in range(n)})),
    Family(
        "keys of DeepSpeed that sound like FP8",
        1_450,
        deepspeed(lambda n: {f"fp8_k{number}": number for number in range(n)}),
    ),
    Family(
        "duplicate keys of DeepSpeed",
        1_450,
        lambda n: Case(
            {
                "train.yaml": TRAINING.encode(),
                "accel.yaml": ACCELERATE.replace("'NO'", "DEEPSPEED").encode(),
                "ds.json": ("{" + n * '"zero_optimization": {"stage": 2}, ' + '"bf16": {}}').encode(),
            }
        ),
    ),
    # JSON
    Family("JSON list", 2_900, whole_json(lambda n: list(range(n)))),
    Family("JSON map", 2_900, whole_json(lambda n: {f"k{number}": number for number in range(n)})),
    Family(
        "JSON lists in lists",
        100,
        lambda n: Case(
            {
                "train.json": (
                    '{"model_name_or_path": "a", "stage": "sft", "x": [' + words(n, 90 * "[" + 90 * "]") + "]}"
                ).encode(),
                "accel.yaml": ACCELERATE.encode(),
            }
        ),
    ),
    Family("JSON text", 200_000, whole_json(lambda n: n * "y")),
    Family("JSON escapes", 40_000, whole_json(lambda n: n * "\u00e9")),
    Family("JSON fractions", 2_900, whole_json(lambda n: [1.5] * n)),
    Family(
        "JSON long number",
        200_000,
        lambda n: Case(
            {
                "train.json": ('{"model_name_or_path": "a", "stage": "sft", "x": 1.' + n * "1" + "}").encode(),
                "accel.yaml": ACCELERATE.encode(),
            }
        ),
    ),
    Family(
        "JSON white space",
        200_000,
        lambda n: Case(
            {
                "train.json": ('{"model_name_or_path": "a", "stage": "sft", ' + n * " " + '"x": 1}').encode(),
                "accel.yaml": ACCELERATE.encode(),
            }
        ),
    ),
    Family(
        "JSON with tabs",
        2_500,
        lambda n: Case(
            {
                "train.json": json.dumps(
                    {"model_name_or_path": "a", "stage": "sft", "x": list(range(n))}, indent="\t"
                ).encode(),
                "accel.yaml": ACCELERATE.encode(),
            }
        ),
    ),
    Family(
        "JSON Accelerate file, unknown keys",
        2_500,
        lambda n: Case(
            {
                "accel.json": json.dumps(
                    {
                        "distributed_type": "NO",
                        "mixed_precision": "fp8",
                        "fp8_config": {"backend": "TE", **{f"u{number}": 1 for number in range(n)}},
                    }
                ).encode()
            }
        ),
    ),
    # Faults at the end of a file
    Family("a quote that is not closed", 2_900, text(lambda n: lines(n, "x{}: 1\n") + "z: 'a\n")),
    Family("a bracket that is not closed", 2_900, text(lambda n: "x: [" + words(n, "a{}"))),
    Family("a wrong indentation", 2_900, text(lambda n: lines(n, "x{}: 1\n") + "   z: 1\n")),
    Family(
        "a named file whose end is no YAML",
        20_000,
        lambda n: Case(
            {"run.sh": b"trl sft --config cfg.yaml\n", "cfg.yaml": f"x: {n * 'a '}\ny: [\n".encode()}, ("run.sh",)
        ),
    ),
    Family(
        "an array, written out again and again",
        500,
        shell(lambda n: f"a=({words(500, 'w{}', ' ')})\n" + n * 'x="${a[@]}"\n'),
    ),
    Family("files that a script changes first", 1_500, shell(lambda n: lines(n, "sed -i s/a/b/ f{}.yaml\n"))),
    Family(
        "files that a script writes between its launch lines",
        40,
        shell(lambda n: lines(n, "echo a > f{}.yaml\naccelerate launch --config_file f{}.yaml train.py\n")),
    ),
    Family("opening brackets", 100_000, text(lambda n: "x: " + n * "[")),
    Family("opening braces", 100_000, text(lambda n: "x: " + n * "{a: ")),
    Family("a control character", 2_900, text(lambda n: lines(n, "x{}: 1\n") + "z: \x01\n")),
    Family(
        "bytes that are no UTF-8",
        2_900,
        lambda n: Case({"train.yaml": (TRAINING + lines(n, "x{}: 1\n")).encode() + b"\xff"}),
    ),
    # The launch command
    Family(
        "words of a launch command",
        500,
        launch(lambda n: "accelerate launch --config_file accel.yaml train.py " + words(n, "w{}", " ")),
    ),
    Family(
        "flags of a launch command",
        500,
        launch(lambda n: "accelerate launch " + words(n, "--flag{}=1", " ") + " train.py"),
    ),
    Family(
        "flags of a launch command, near",
        500,
        launch(lambda n: "accelerate launch " + words(n, "--mixed_precisio{}=1", " ") + " train.py"),
    ),
    Family(
        "flags of a training script",
        500,
        launch(lambda n: "accelerate launch train.py train.yaml " + words(n, "--flag{} 1", " ")),
    ),
    Family(
        "variables of a launch command",
        500,
        launch(lambda n: words(n, "FP8_V{}=1", " ") + " accelerate launch train.py"),
    ),
    Family("wrappers of a launch command", 700, launch(lambda n: n * "nohup " + "python train.py")),
    Family("commands of a launch line", 700, launch(lambda n: n * "echo x; " + "python train.py")),
    Family("shells in shells", 700, launch(lambda n: f"bash -c 'bash -c \"{n * 'nice '}python train.py\"'")),
    Family("variables that env sets", 700, launch(lambda n: "env " + words(n, "FP8_V{}=1", " ") + " python train.py")),
    Family(
        "variables that env takes away", 700, launch(lambda n: "env " + words(n, "-u V{}", " ") + " python train.py")
    ),
    Family(
        "options of a container",
        700,
        launch(lambda n: "docker run " + words(n, "-e V{}=1", " ") + " x python train.py"),
    ),
    Family("letters of a wrapper", 3_000, launch(lambda n: f"docker run -{n * 'i'} image python train.py")),
    Family("launchers in launchers", 300, launch(lambda n: n * "torchrun --no_python " + "python train.py")),
    Family("begun flags of torchrun", 700, launch(lambda n: "torchrun " + n * "--nproc=1 " + "train.py")),
    Family("placeholders of a launch command", 700, launch(lambda n: "python train.py " + n * "<a b> ")),
    Family("flags that TRL's command does not know", 500, launch(lambda n: "trl sft " + words(n, "--z{} 1", " "))),
    Family("keys that TRL's command does not know", 1_000, trl("trl sft --config train.yaml")),
    Family("keys that a script's parser does not know", 1_000, trl("python train.py --config train.yaml")),
    Family("switches of python", 1_500, launch(lambda n: "python " + n * "-u " + "train.py")),
    Family("a long word of a launch command", 6_000, launch(lambda n: f"accelerate launch train.py {n * 'w'}")),
    Family("quotes of a launch command", 1_500, launch(lambda n: "accelerate launch train.py " + n * "'a' ")),
    # The machine
    Family(
        "packages",
        5_000,
        facts(lambda n: {"packages": {**FACTS["packages"], **{f"p{number}": "1.0" for number in range(n)}}}),
    ),  # type: ignore[dict-item]
    Family("GPUs", 1_000, facts(lambda n: {"gpus": [{**FACTS["gpus"][0], "index": number} for number in range(n)]})),  # type: ignore[index]
    Family("variables", 5_000, facts(lambda n: {"variables": {f"V{number}": "1" for number in range(n)}})),
    Family(
        "variables that sound like FP8",
        3_000,
        facts(lambda n: {"variables": {f"ACCELERATE_FP8_V{number}": "1" for number in range(n)}}),
    ),
    Family(
        "variables that sound like FP8, near",
        3_000,
        facts(lambda n: {"variables": {f"ACCELERATE_FP8_MARGI{number}": "1" for number in range(n)}}),
    ),
    Family(
        "a long version", 100_000, facts(lambda n: {"packages": {**FACTS["packages"], "accelerate": "1." + n * "1."}})
    ),  # type: ignore[dict-item]
    Family("a long variable", 100_000, facts(lambda n: {"variables": {"CUDA_VISIBLE_DEVICES": n * "0,"}})),
    Family(
        "a library with many files", 5_000, facts(lambda n: {"libraries": {f"l{number}": "1.0" for number in range(n)}})
    ),
    Family(
        "variables on the command line",
        240,
        lambda n: run(
            options=(*UNSEEN, *(word for number in range(n) for word in ("--set-variable", f"FP8_V{number}=1")))
        ),
    ),
    # Scripts
    Family("statements", 3_000, script(lambda n: lines(n, "x{} = {}\n") + "Accelerator()\n")),
    Family(
        "a mapping, given again and again",
        300,
        script(lambda n: f"k = dict({words(500, 'a{}=1')})\n" + n * "Accelerator(**k)\n"),
    ),
    Family("tries in tries", 5_000, script(tries)),
    Family("calls under conditions", 3_000, script(lambda n: lines(n, "if x{}:\n    Accelerator(cpu={})\n"))),
    Family(
        "imports of PEFT",
        4_000,
        script(lambda n: lines(n, "from peft import A{}\n") + "from transformers import Trainer\nTrainer().train()\n"),
    ),
    Family("Accelerators", 1_500, script(lambda n: n * "Accelerator(mixed_precision='fp8')\n")),
    Family(
        "calls of prepare",
        1_500,
        script(lambda n: "a = Accelerator(mixed_precision='fp8')\n" + n * "a.prepare(model, optimizer)\n"),
    ),
    Family(
        "arguments of prepare",
        3_000,
        script(lambda n: f"a = Accelerator(mixed_precision='fp8')\na.prepare({words(n, 'model{}')})\n"),
    ),
    Family(
        "variables of a script",
        1_500,
        script(lambda n: "import os\n" + lines(n, "os.environ['V{}'] = '1'\n") + "Accelerator()\n"),
    ),
    Family(
        "variables of a script, and Accelerators",
        800,
        script(lambda n: "import os\n" + lines(n, "os.environ['FP8_V{}'] = '1'\nAccelerator()\n")),
    ),
    Family("modules in a row, beside a script", 20, with_modules("from m0 import make\nmake()\n", _in_a_row)),
    Family(
        "values of a module beside a script",
        4_000,
        with_modules(
            "import m\nfrom accelerate import Accelerator\nAccelerator(mixed_precision=m.v1)\n",
            lambda n: {"m": lines(n, "v{} = 'bf16'\n")},
        ),
    ),
    Family(
        "attributes of modules beside a script",
        2_000,
        with_modules(
            "import m\nm.go()\n",
            lambda n: {
                "m": "import n\nfrom accelerate import Accelerator\ndef go():\n"
                + lines(n, "    n.x{}.y\n")
                + "    Accelerator(mixed_precision=n.v)\n",
                "n": "v = 'fp8'\n",
            },
        ),
    ),
    Family(
        "functions of a module beside a script, and arguments",
        400,
        with_modules("import m\nm.Trainer(args=m.f0(bf16=True)).train()\n", _of_functions),
    ),
    Family(
        "words without a flag",
        1_000,
        lambda n: script(
            lambda _: (
                "import argparse\np = argparse.ArgumentParser()\n"
                + lines(n, "p.add_argument('a{}')\n")
                + "a = p.parse_args()\nAccelerator(mixed_precision=a.a0)\n"
            )
        )(n)._replace(
            options=(
                *UNSEEN,
                "--launch",
                "accelerate launch --config_file accel.yaml train.py " + lines(n, "w{} ").strip(),
            )
        ),
    ),
    Family(
        "comprehensions of a script",
        1_000,
        script(
            lambda n: (
                lines(n, "a{} = {k: v for k, v in {'x': 'fp8'}.items() if k}\n")
                + "Accelerator(mixed_precision=a0['x'])\n"
            )
        ),
    ),
    Family("handlers", 1_500, script(lambda n: n * "h = TERecipeKwargs()\n" + "Accelerator(kwargs_handlers=[h])\n")),
    Family(
        "a list of handlers",
        3_000,
        script(lambda n: f"Accelerator(kwargs_handlers=[{words(n, 'TERecipeKwargs()')}])\n"),
    ),
    Family(
        "names of handlers",
        1_500,
        script(
            lambda n: (
                "h0 = TERecipeKwargs()\n"
                + "".join(f"h{number + 1} = h{number}\n" for number in range(n))
                + f"Accelerator(kwargs_handlers=[h{n}])\n"
            )
        ),
    ),
    Family(
        "a name bound many times",
        3_000,
        script(lambda n: n * "h = TERecipeKwargs()\n" + f"Accelerator(kwargs_handlers=[{words(n, 'h')}])\n"),
    ),
    Family("a long expression", 3_000, script(lambda n: f"x = [{words(n, '1')}]\nAccelerator()\n")),
    Family("a sum", 500, script(lambda n: f"x = {words(n, '1', '+')}\nAccelerator()\n")),
    Family("an argument with a sum", 500, script(lambda n: f"Accelerator(mixed_precision={words(n, 'a', '+')})\n")),
    Family("parentheses", 25, script(lambda n: f"x = {n * '('}1{n * ')'}\nAccelerator()\n")),
    Family(
        "blocks in blocks",
        12,
        script(lambda n: "".join(f"{level * ' '}if x:\n" for level in range(n)) + n * " " + "Accelerator()\n"),
    ),
    Family("chained attributes", 500, script(lambda n: f"x = a{n * '.b'}\nAccelerator()\n")),
    Family("elif in elif", 200, script(lambda n: "if a: pass\n" + n * "elif a: Accelerator()\n")),
    Family("functions", 1_500, script(lambda n: lines(n, "def f{}():\n    Accelerator()\n"))),
    Family("a long line of a script", 100_000, script(lambda n: f"x = '{n * 'y'}'\nAccelerator()\n")),
    Family("files that a script reads", 250, script_of_files),
    Family("comments of a script", 20_000, script(lambda n: n * "# a comment\n" + "Accelerator()\n")),
    Family(
        "options of a script",
        700,
        script(lambda n: PARSER + lines(n, "p.add_argument('--o{}', default={})\n") + PARSED),
    ),
    Family(
        "options of a script, and flags",
        700,
        lambda n: script(lambda m: PARSER + lines(m, "p.add_argument('--o{}', default=1)\n") + PARSED)(n)._replace(
            options=(*UNSEEN, *LAUNCH[:1], f"{LAUNCH[1]} {words(n, '--o{} 2', ' ')}")
        ),
    ),
    Family(
        "options that begin alike",
        700,
        lambda n: script(lambda m: PARSER + lines(m, "p.add_argument('--mixed{}', default=1)\n") + PARSED)(n)._replace(
            options=(*UNSEEN, *LAUNCH[:1], f"{LAUNCH[1]} {words(n, '--mi', ' ')}")
        ),
    ),
    Family("an option that is changed", 700, script(lambda n: PARSER + n * f"a.mp = 1\n{PARSED}")),
    Family("setattr", 700, script(lambda n: PARSER + n * f"setattr(a, k, 1)\n{PARSED}")),
    Family(
        "expressions of expressions",
        700,
        script(lambda n: f"{PARSER}x0 = a.mp\n" + deeper(n) + PARSED.replace("a.mp", f"x{min(n, 9)}")),
    ),
    Family(
        "a long alternative",
        700,
        script(lambda n: PARSER + f"Accelerator(mixed_precision={words(n, 'a.mp', ' or ')})\n"),
    ),
    Family(
        "fields of a dataclass",
        700,
        script(lambda n: "@dataclass\nclass A:\n" + lines(n, "    f{}: int = 1\n") + PARSED),
    ),
    Family("classes of arguments", 700, script(lambda n: lines(n, "class A{}(TrainingArguments): ...\n") + "A0()\n")),
    Family("classes derived in a row", 700, script(lambda n: "class A0(SFTConfig): ...\n" + derived(n) + "A0()\n")),
    Family(
        "classes that parsers are given",
        700,
        script(lambda n: f"C = ({words(n, 'A')},)\n" + n * "HfArgumentParser(C)\n" + "TrainingArguments\n"),
    ),
    Family(
        "arguments of a trainer",
        700,
        script(lambda n: f"from transformers import Trainer\nTrainingArguments({words(n, 'a{}=1')})\n"),
    ),
    Family(
        "places that make a trainer's arguments",
        700,
        script(lambda n: "from transformers import Trainer\n" + lines(n, "TrainingArguments(a{}=1)\n")),
    ),
    Family("trainers", 700, script(lambda n: lines(n, "from m{} import A{}Trainer\n") + "import transformers\n")),
    Family(
        "for types",
        12,
        script(lambda n: "".join(f"{level * ' '}if TYPE_CHECKING:\n" for level in range(n)) + n * " " + "x\n"),
    ),
    Family(
        "entries of a mapping", 700, script(lambda n: "k = {}\n" + lines(n, "k['a{}'] = 1\n") + "Accelerator(**k)\n")
    ),
    Family("fallbacks", 700, script(lambda n: n * "if a is None:\n    a = Accelerator()\n")),
    Family("several Accelerators", 700, script(lambda n: lines(n, "Accelerator(mixed_precision='{}')\n"))),
    Family("scripts", 60, scripts),
    Family("a docstring", 100_000, script(lambda n: f"'''{n * 'y '}'''\nAccelerator()\n")),
    # Shell scripts
    Family("launch lines", 40, shell(lambda n: (n - 1) * STARTED)),
    Family(
        "launch lines that share a flag",
        20,
        shell(lambda n: "A='--mixed_precision bf16'\n" + (n - 1) * STARTED.replace("train.py", "$A train.py")),
    ),
    Family(
        "words of a launch line that changes",
        100,
        shell(
            lambda n: (
                "accelerate launch --config_file accel.yaml --mixed_precision bf16 \\\n"
                + lines(n, "  w{} \\\n")
                + "  train.py\n"
            ),
            "",
        ),
    ),
    Family(
        "arguments of which one changes",
        700,
        script(lambda n: f"from transformers import Trainer\nTrainingArguments(bf16=True, {words(n, 'a{}=1')})\n"),
    ),
    Family(
        "calls within calls of which one changes",
        40,
        script(lambda n: f"Accelerator(mixed_precision='bf16', x={n * 'f(a=1, b='}1{n * ')'})\n"),
    ),
    Family("launch lines of other programs", 40, shell(lambda n: lines(n, "torchrun train{}.py --bf16 True\n"))),
    Family("lines of a shell script", 4_000, shell(lambda n: lines(n, "echo {}\n"))),
    Family("commands on one line", 4_000, shell(lambda n: lines(n, "echo {}; "))),
    Family("commands in a pipe", 4_000, shell(lambda n: words(n, "echo {}", " | ") + "\n")),
    Family("commands behind each other", 4_000, shell(lambda n: words(n, "echo {}", " || ") + "\n")),
    Family("words of a launch line", 8_000, shell(lambda n: STARTED[:-1] + n * " w" + "\n")),
    Family("flags of a launch line", 4_000, shell(lambda n: STARTED[:-1] + lines(n, " \\\n  --flag{} 1") + "\n")),
    Family("variables of a shell script", 6_000, shell(lambda n: lines(n, "A{}={}\n"))),
    Family("variables that grow", 3_000, shell(lambda n: "A=12345678\n" + n * "A=$A$A\n" + n * "B+=1\n" + "x $A\n")),
    Family("a variable that is written out", 4_000, shell(lambda n: f"A='{400 * 'y '}'\n" + n * "x $A\n")),
    Family("pieces of a word", 12_000, shell(lambda n: "A=1\nx " + n * "$A" + "\n")),
    Family("exported variables", 100, shell(lambda n: lines(n, "export NCCL_V{}={}\n") + 20 * STARTED)),
    Family("exported variables that do not count", 2_000, shell(lambda n: lines(n, "export V{}={}\n") + 20 * STARTED)),
    Family("credentials of a shell script", 1_500, shell(lambda n: lines(n, "MY_TOKEN{}=abcdefgh{}\n") + 20 * STARTED)),
    Family("items of an array", 8_000, shell(lambda n: f"A=({words(n, 'a{}', ' ')})\nx ${{A[@]}}\n")),
    Family("arrays that grow", 3_000, shell(lambda n: "A=()\n" + n * "A+=(x)\n" + "x ${A[@]}\n")),
    Family("conditions", 1_000, shell(lambda n: lines(n, "if [ -z $A{} ]; then A{}=1; else A{}=2; fi\n"))),
    Family("branches", 2_000, shell(lambda n: "if x; then A=1\n" + lines(n, "elif y; then A{}=1\n") + "fi\n")),
    Family("patterns", 2_000, shell(lambda n: "case $1 in\n" + lines(n, "a{}) A{}=1 ;;\n") + "esac\n")),
    Family("loops", 1_000, shell(lambda n: lines(n, "for i in a b; do A{}=$A{}; done\n"))),
    Family(
        "loops in loops",
        40,
        shell(lambda n: n * (30 * "for i in a b; do " + "A=$A; " + 30 * "done; " + "\n")),
    ),
    Family("shells of their own", 3_000, shell(lambda n: lines(n, "(A{}=1; cd x)\n"))),
    Family("functions of a shell script", 2_000, shell(lambda n: lines(n, "f{}() { A{}=$1; }\n"))),
    Family("calls of a function", 3_000, shell(lambda n: "f() { A=$1; }\n" + n * "f x\n")),
    Family("calls of long functions", 1_200, shell(lambda n: "f() {\n" + n * "A=$1\n" + "}\n" + n * "f x\n")),
    Family("scripts that are written", 1_000, shell(lambda n: lines(n, "cat > j{} <<EOF\ntorchrun x.py\nEOF\n"))),
    Family(
        "a script that is started often",
        1_000,
        shell(lambda n: "cat > j <<EOF\n" + n * "torchrun\n" + "EOF\n" + n * "bash j\n"),
    ),
    Family("a script that is started again and again", 3_000, started_again),
    Family(
        "branches of a loop over arguments",
        1_000,
        shell(
            lambda n: (
                f"set -- {words(60, '--a{} 1', ' ')}\nwhile [[ $# -gt 0 ]]; do case $1 in\n"
                + lines(n, "--a{}) A=$2; shift 2;;\n")
                + "*) shift;;\nesac\ndone\n"
            )
        ),
    ),
    Family("shells with variables", 700, shell(lambda n: lines(n, "A{}=1\n") + n * "bash -c 'torchrun'\n")),
    Family("braces", 4_000, shell(lambda n: "x " + n * "{a,b}" + "\n")),
    Family("braces with many parts", 20_000, shell(lambda n: "x {a,b}{" + n * "," + "}{" + n * "," + "}\n")),
    Family("braces that are never closed", 20_000, shell(lambda n: "x " + n * "{" + "\n")),
    Family("placeholders of many words", 20_000, shell(lambda n: "x {a" + n * " b" + "}\n")),
    Family("aliases", 1_500, shell(lambda n: "alias y='x " + n * "z " + "'\n" + n * "y\n")),
    Family("tests", 1_500, shell(lambda n: lines(n, "if [ $A{} = b ] && [ -z $B ]; then C{}=1; fi\n"))),
    Family("a long pattern", 4_000, shell(lambda n: "A=" + n * "a" + "\n[[ $A == " + n * "*a" + "b ]] && x\n")),
    Family("folders that are left", 4_000, shell(lambda n: n * "pushd a\n" + n * "popd\n")),
    Family("here-documents", 1_500, shell(lambda n: n * "x <<EOF\na $b 'c\nEOF\n")),
    Family("here-documents on one line", 4_000, shell(lambda n: "x" + n * " <<EOF" + "\n" + n * "EOF\n")),
    Family("a long here-document", 60_000, shell(lambda n: "read -r -d '' A <<EOF\n" + n * "yy\n" + "EOF\nx $A\n")),
    Family("quotes of a shell script", 12_000, shell(lambda n: "x " + n * "'a'\"b\"" + "\n")),
    Family("a long quote", 200_000, shell(lambda n: f"x '{n * 'y'}'\n")),
    Family("backslashes of a shell script", 12_000, shell(lambda n: "x " + n * "\\a" + "\n")),
    Family("lines that go on", 50_000, shell(lambda n: "x " + n * "\\\n" + "\n")),
    Family("brackets in brackets", 20, shell(lambda n: "x " + n * "$(" + n * ")" + "\n")),
    Family("brackets", 6_000, shell(lambda n: "x " + n * "$(y) " + "\n")),
    Family("defaults in defaults", 20, shell(lambda n: "x " + n * "${A:-" + "1" + n * "}" + "\n")),
    Family("a long default", 100_000, shell(lambda n: f"x ${{A:-{n * 'y'}}}\n")),
    Family("sums of a shell script", 3_000, shell(lambda n: n * "A=$((A + 1))\n")),
    Family("a long sum of a shell script", 100_000, shell(lambda n: f"A=$((1{n * '+1'}))\n")),
    Family("redirections", 12_000, shell(lambda n: "x" + n * " > y" + "\n")),
    Family("placeholders", 12_000, shell(lambda n: "x" + n * " <y>" + "\n")),
    Family("angles", 10_000, shell(lambda n: "x" + n * " <y" + "\n")),
    Family("comments of a shell script", 20_000, shell(lambda n: n * "# a comment\n")),
    Family("lines of Slurm", 10_000, shell(lambda n: lines(n, "#SBATCH --x{}=1\n"))),
    Family("commands that are read again", 1_000, shell(lambda n: n * "eval \"x 'torchrun'\"\n")),
    Family("commands for another shell", 2_000, shell(lambda n: n * "bash -c 'echo torchrun; A=1'\n")),
    Family("suppressions of a shell script", 450, shell(lambda n: n * (SUPPRESSED + "x\n"))),
    Family("suppressions of one command", 450, shell(lambda n: n * SUPPRESSED + "x " + n * "\\\n  y " + "\n")),
    Family("suppressions in the quotes of a shell script", 450, shell(lambda n: n * f"x '{SUPPRESSED}'\n")),
    Family("what is never closed", 60_000, shell(lambda n: "x '" + n * "y ", STARTED)),
    # Files, and what goes beside them
    Family("training files", 60, many),
    Family("training files with suppressions", 40, lambda n: many(n, TRAINING + 3 * (SUPPRESSED + "x: 1\n"))),
    Family("runs of the configuration", 60, configured),
    Family("entries of the baseline", 3_000, baseline),
    Family(
        "suppressions of the configuration",
        700,
        toml(lambda n: lines(n, '[[suppress]]\nrules = ["FP402"]\nfiles = ["configs/{}/*.yaml"]\nreason = "why"\n')),
    ),
    Family(
        "rules of a suppression of the configuration",
        5_000,
        toml(lambda n: f'[[suppress]]\nrules = [{words(n, chr(34) + "FP101" + chr(34))}]\nreason = "why"\n'),
    ),
    Family(
        "files of a suppression of the configuration",
        2_000,
        toml(
            lambda n: (
                f'[[suppress]]\nrules = ["FP101"]\nfiles = [{words(n, chr(34) + "a{}*b" + chr(34))}]\nreason = "why"\n'
            )
        ),
    ),
    Family(
        "stars of a pattern",
        20,
        toml(lambda n: f'[[suppress]]\nrules = ["FP101"]\nfiles = ["{n * "*a"}b"]\nreason = "why"\n'),
    ),
    Family(
        "rules that are selected",
        3_000,
        lambda n: run(options=(*UNSEEN, "--select", words(n, "FP101", ",")))._replace(checks_only=True),
    ),
    Family(
        "rules that are ignored",
        3_000,
        lambda n: run(options=(*UNSEEN, "--ignore", words(n, "FP101", ",")))._replace(checks_only=True),
    ),
    Family(
        "rules that are selected and unknown",
        3_000,
        lambda n: run(options=(*UNSEEN, "--select", words(n, "FPX{}", ",")))._replace(checks_only=True),
    ),
    Family(
        "packages of another stack",
        40,
        lambda n: run(options=(*UNSEEN, "--to", words(n, "p{}==1.{}", " ")))._replace(only="upgrade"),
    ),
    Family(
        "a release of another stack",
        3_000,
        lambda n: run(options=(*UNSEEN, "--to", f"accelerate=={n * '1.'}0"))._replace(only="upgrade"),
    ),
    Family(
        "runs with another stack",
        10,
        lambda n: many(n)._replace(options=(*UNSEEN, "--to", "accelerate==1.9.0"), only="upgrade"),
    ),
    Family(
        "requirements",
        20,
        lambda n: run(
            options=(*UNSEEN, *(word for number in range(n) for word in ("--require", f"memory<={number}")))
        )._replace(checks_only=True, only="check"),
    ),
    Family(
        "a requirement of a long name",
        3_000,
        lambda n: run(options=(*UNSEEN, "--require", f"{n * 'x'}==1"))._replace(checks_only=True, only="check"),
    ),
    Family(
        "requirements of the configuration",
        20,
        toml(lambda n: f"require = [{words(n, chr(34) + 'speedup>={}' + chr(34))}]\n"),
    ),
    Family(
        "formats",
        30,
        lambda n: run(options=(*UNSEEN, *(n * ("--format", "html"))))._replace(checks_only=True, only="check"),
    ),
    Family(
        "layers of a model", 5_000, model(lambda n: {"layer_types": n * ["full_attention"], "num_hidden_layers": n})
    ),
    Family(
        "labels of a model", 5_000, model(lambda n: {"id2label": {str(number): f"l{number}" for number in range(n)}})
    ),
    Family(
        "modules that a model leaves",
        5_000,
        model(
            lambda n: {
                "quantization_config": {
                    "quant_method": "bitsandbytes",
                    "llm_int8_skip_modules": [f"m{number}" for number in range(n)],
                }
            }
        ),
    ),
    Family("a model of many layers", 250_000_000, model(lambda n: {"num_hidden_layers": n, "num_experts": n})),
    # explain
    Family(
        "explained: a variable of many launch lines", 5, explained(shell(lambda n: "export NVTE_X=1\n" + n * STARTED))
    ),
    Family(
        "explained: a flag that launch lines share",
        5,
        explained(shell(lambda n: "A='--mixed_precision bf16'\n" + n * STARTED.replace("train.py", "$A train.py"))),
    ),
    Family(
        "explained: words of a launch line",
        1_000,
        explained(shell(lambda n: STARTED[:-1] + words(n, " --flag{} no", "") + "\n", ""), 1),
    ),
    Family("explained: entries on one line", 300, explained(lambda n: flow(words(n, "k{}: 1")), 5)),
    Family("explained: a list on one line", 700, explained(text(lambda n: f"x: [{words(n, 'true')}]\n"), 9)),
    Family(
        "explained: JSON on one line", 700, explained(whole_json(lambda n: {f"k{number}": "no" for number in range(n)}))
    ),
    Family(
        "explained: arguments on one line",
        300,
        explained(
            lambda n: Case(
                {
                    "train.py": (SCRIPT + f"Accelerator(mixed_precision='fp8', {words(n, 'a{}=1')})\n").encode(),
                    "accel.yaml": ACCELERATE.encode(),
                }
            ),
            2,
        ),
    ),
    Family("explained: a long text", 100_000, explained(text(lambda n: f"x: {n * 'y'}\n"), 9)),
    Family(
        "explained: a run with many errors",
        300,
        explained(lambda n: run(accelerate=ACCELERATE + lines(n, "  k{}: 1\n")), 6),
    ),
    # What stands behind errors
    Family("errors of a recipe", 300, hidden(lambda n: lines(n, "  k{}: 1\n"))),
    # below a section: a file of which most keys at the top are of nobody is no Accelerate file
    Family("errors of an Accelerate file", 300, hidden(lambda n: f"fsdp_config:\n{lines(n, '  k{}: 1' + chr(10))}")),
    Family(
        "errors of two files",
        300,
        lambda n: run(TRAINING + lines(n, "fp8_k{}: 1\n"), ACCELERATE + lines(n, "  k{}: 1\n"))._replace(only="check"),
    ),
    Family(
        "errors of a script",
        300,
        script(lambda n: f"Accelerator(mixed_precision='fp8', {words(n, 'a{}=1')})\n"),
    ),
    Family(
        "errors of a launch line",
        300,
        launch(lambda n: "accelerate launch --config_file accel.yaml " + words(n, "--nothing{} 1", " ") + " train.py"),
    ),
    Family(
        "errors of many runs",
        60,
        lambda n: many(n, TRAINING + "fp8_format: E5M2\nper_device_train_batch_size: 0\n")._replace(only="check"),
    ),
    # Markdown
    Family("markdown: findings", 700, markdown(recipe("k{}: 1\n"))),
    Family("markdown: runs", 60, markdown(many)),
    Family("markdown: backticks", 20_000, markdown(lambda n: run(accelerate=f"{ACCELERATE}  k: '{n * '`'}'\n"))),
    Family("markdown: long names", 200, markdown(recipe("'" + 100 * "@all #1 " + "{}': 1\n"))),
    Family(
        "markdown: plans",
        10,
        lambda n: many(n)._replace(options=(*UNSEEN, "--plan", "--format", "markdown"), only="check"),
    ),
    # The hook
    Family("hook: training files", 40, staged(configs)),
    Family("hook: the Accelerate file of many", 40, staged(configs, "accel.yaml")),
    Family(
        "hook: runs of a configuration", 60, staged(lambda n: {**configs(n), "fp8check.toml": tables(n)}, "accel.yaml")
    ),
    Family("hook: files that name one", 40, staged(naming, "ds.json")),
    Family(
        "hook: lines of a script",
        40,
        staged(
            lambda n: {"run.sh": n * STARTED, "accel.yaml": ACCELERATE, "train.py": SCRIPT + "Accelerator()\n"},
            "accel.yaml",
        ),
    ),
    Family(
        "hook: scripts",
        60,
        staged(
            lambda n: {
                **{f"run{number}.sh": STARTED for number in range(n)},
                "accel.yaml": ACCELERATE,
                "train.py": SCRIPT + "Accelerator()\n",
            },
            "accel.yaml",
        ),
    ),
    Family("hook: modules in a row", 60, staged(modules, "m3.py")),
    Family("hook: configurations", 30, staged(projects)),
    Family(
        "hook: other files",
        2_000,
        staged(lambda n: {**configs(1), **{f"d{number}/x.json": '{"train": 1}' for number in range(n)}}, "accel.yaml"),
    ),
    Family(
        "hook: names of one file",
        20_000,
        staged(lambda n: {**configs(1), "notes.yaml": n * "accel.yaml_ "}, "accel.yaml"),
    ),
    Family(
        "hook: folders in folders", 100, staged(lambda n: {**configs(1), f"{words(n, 'd', '/')}/train.yaml": TRAINING})
    ),
    Family(
        "hook: files that are gone",
        60,
        lambda n: staged(lambda _: {**configs(2), "fp8check.toml": tables(n)})(n)._replace(
            gone=tuple(f"configs/train{number}.yaml" for number in range(2, n))
        ),
    ),
    Family("hook fix: training files", 40, staged(configs, only="fix --hook")),
    # The job of CI
    Family("ci: runs of github", 40, in_ci("github", many)),
    Family("ci: runs of gitlab", 40, in_ci("gitlab", many)),
    Family("ci: findings", 350, in_ci("github", recipe("k{}: 1\n"))),
    Family("ci: a refusal", 100_000, in_ci("github", lambda n: run(accelerate=f"x: '{n * '`@'}'\n  y: 1\n"))),
    Family("ci: an event", 20_000, event(lambda n: json.dumps({"pull_request": {"number": 1, "x": list(range(n))}}))),
    Family("ci: an event, nested", 20_000, event(lambda n: n * "[" + n * "]")),
    Family(
        "ci: words",
        3_000,
        lambda n: in_ci("github", lambda _: run())(n)._replace(
            variables={
                "FP8CHECK_CI_FILES": "train.yaml accel.yaml",
                "FP8CHECK_CI_REQUIRE": words(n, "'memory<='\"{}\"", " "),
            }
        ),
    ),
)
