"""`fp8check init`: the first files of a run that trains in FP8, and the command that starts it."""

from __future__ import annotations

import os

from fp8check.cli import options as groups
from fp8check.cli.options import Parser, UsageError
from fp8check.cli.output import formats_of, style_of, write_text
from fp8check.cli.progress import LOOKING, Progress
from fp8check.cli.requests import RunOptions, facts_of
from fp8check.cli.streams import pass_by
from fp8check.rules.checking.exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.cli.options import Options
    from fp8check.rules.facts import Facts
    from fp8check.rules.reading import Document
    from fp8check.rules.starting.choosing import Choice

ABOUT = """\
Write the first files of a run that trains in FP8: the Accelerate file, the training file, and the command that
starts it. Every way to run it was checked first; what cannot work is refused, with the reason."""
SECONDS = 20.0  # of CPU, after which nothing more is tried


def parser() -> Parser:
    """The options of the command."""
    from fp8check.rules.starting.choosing import BACKENDS, SPREADS
    from fp8check.rules.starting.drafts import DRAFTS

    made = Parser("fp8check init", ABOUT, groups=(groups.machine, groups.text_or_json, groups.color))
    made.add_argument("--trainer", choices=(*DRAFTS,), help="which trainer to use; detected with --from")
    made.add_argument("--model", metavar="NAME", help="a name on the Hugging Face hub, or a folder")
    made.add_argument(
        "--from", dest="source", metavar="FILE", help="start from this training file, and keep it as it is"
    )
    made.add_argument(
        "-o", "--out", metavar="DIR", required=True, help="folder for the new files; nothing is overwritten"
    )
    made.add_argument(
        "--processes", metavar="N", type=int, help="number of processes, one per GPU (default: every known GPU)"
    )
    made.add_argument("--strategy", choices=("auto", *SPREADS), default="auto")
    made.add_argument("--backend", choices=("auto", *BACKENDS), default="auto")
    made.add_argument("--finetuning", choices=("full", "lora"), default="full")
    made.add_argument("--tokens", metavar="N", type=int, help="tokens in a micro-batch (default: as many as fit)")
    made.add_argument(
        "--explain", action="store_true", help="also list the other ways, and why each was or was not possible"
    )
    return made


def init(argv: list[str]) -> int:
    """Write the first files of a run, and say what starts it and what happens then."""
    options = parser().parse_args(argv)
    formats = formats_of(options, ("text", "json"))
    choice = _choice(options)
    pass_by("")
    written = _write(choice, options) if choice.best is not None else []
    from fp8check.rules.report.plan import as_json
    from fp8check.rules.starting.text import as_text

    for name, target in formats:
        style = style_of(options, target)
        is_json = name == "json"
        text = as_json(choice.planned) if is_json else as_text(choice, written, style, explain=options.explain)
        write_text(text, target, "json" if is_json else "text")
    return ExitCode.OK if choice.best is not None else ExitCode.FINDINGS


def _choice(options: Options) -> Choice:
    facts = _facts(options)
    from fp8check.rules.checking.planning import after
    from fp8check.rules.starting.choosing import Wish, choose, choose_from

    chosen = {
        "processes": options.processes,
        "strategy": options.strategy,
        "backend": options.backend,
        "lora": options.finetuning == "lora",
        "tokens": options.tokens,
    }
    spent = Progress(options).watching(after(SECONDS), LOOKING)
    if options.source is None:
        if options.trainer is None or options.model is None:
            raise UsageError("init needs --trainer and --model, or --from with a training file")
        wish = Wish(options.trainer, options.model, facts, config=_config(options.model), **chosen)
        return choose(wish, options.out, spent)
    training = _source(options)
    trainer = options.trainer or training.dialect or ("script" if training.kind == "script" else None)
    if trainer is None:
        raise UsageError(f"{options.source}: it is not known who reads it: name it with --trainer")
    return choose_from(Wish(trainer, "", facts, **chosen), training, options.out, spent)


def _config(model: str) -> Document | None:
    """The config.json of a model's folder that the command line names; None where there is no such folder."""
    from fp8check.rules.reading.files import read_if_there
    from fp8check.rules.reading.kind import Kind
    from fp8check.rules.reading.limits import MAX_BYTES
    from fp8check.rules.trainers import detect

    path = os.path.join(model, "config.json")
    data = read_if_there(path, MAX_BYTES)
    return None if data is None else detect.read(path, data).as_kind(Kind("model"))


def _facts(options: Options) -> Facts:
    """The machine that will train; nothing is known of it where this one has no GPU and no other is named."""
    from fp8check.rules.facts import Facts

    given = {name: value for name, value in vars(options).items() if name in RunOptions.fields}
    facts = facts_of(RunOptions(**given, files=[]))
    return facts if facts.gpus or options.facts or options.python else Facts(variables=facts.variables)


def _source(options: Options) -> Document:
    """The training file that is kept, as one of the new folder.

    Raises:
        UsageError: it is none, or the options say what it says itself.
    """
    from fp8check.rules.reading.files import read as bytes_of
    from fp8check.rules.reading.limits import MAX_BYTES
    from fp8check.rules.trainers import detect

    if options.model is not None or options.tokens is not None or options.finetuning != "full":
        raise UsageError("--from keeps the file: --model, --tokens and --finetuning are what it says itself")
    path = os.path.join(options.out, os.path.basename(options.source))
    document = detect.read(path, bytes_of(options.source, MAX_BYTES), trainer=options.trainer)
    if document.kind not in ("training", "script"):
        raise UsageError(f"{options.source}: this is no training file")
    return document


def _write(choice: Choice, options: Options) -> list[str]:
    """Write the files, all or none, and none over another.

    Raises:
        UsageError: one is there already.
        Unwritable: one cannot be written; none was.
    """
    from fp8check.cli.putting import put_new

    documents: Sequence[Document] = choice.best.plan.documents if choice.best is not None and choice.best.plan else ()
    there = [document.path for document in documents if os.path.lexists(document.path)]
    if there:
        raise UsageError(f"{', '.join(there)}: there already, and never replaced: choose another --out")
    os.makedirs(options.out, exist_ok=True)
    put_new(documents)
    return [document.path for document in documents]
