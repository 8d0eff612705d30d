"""From documents to runs: which file is what, what they name, and how the run is started."""

from __future__ import annotations

import os

from fp8check.rules import models
from fp8check.rules.input_error import InputError
from fp8check.rules.reading import Document, Unreadable
from fp8check.rules.reading.kind import Kind
from fp8check.rules.record import Record
from fp8check.rules.settings.accelerate import AccelerateConfig
from fp8check.rules.settings.deepspeed import DeepSpeedConfig
from fp8check.rules.settings.launch import Launch, LaunchError
from fp8check.rules.settings.script import Script
from fp8check.rules.settings.values import Section
from fp8check.rules.trainers import registry
from fp8check.rules.trainers.detect import read
from fp8check.rules.trainers.run import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.facts import Facts
    from fp8check.rules.trainers.training import Training


class WrongFiles(InputError):
    """Files that do not make up a run: two Accelerate files, or one that is neither kind."""


class ByKind(Record):
    """The documents by kind."""

    training: tuple[Document, ...]
    accelerate: tuple[Document, ...]
    deepspeed: tuple[Document, ...]
    model: tuple[Document, ...]
    other: tuple[Document, ...]


class Assembled(Record):
    """One run, and the documents that it is made of."""

    run: Run
    documents: tuple[Document, ...]


def sort(documents: Sequence[Document]) -> ByKind:
    """The documents by what they are; their order is kept."""
    by_kind: dict[str, list[Document]] = {kind: [] for kind in ByKind.fields}
    for document in documents:
        if document.kind == "script":
            continue  # read anew, by the launch command
        by_kind[document.kind if document.kind in by_kind else "other"].append(document)
    return ByKind(*(tuple(by_kind[kind]) for kind in ByKind.fields))


def assemble(
    documents: Sequence[Document],
    facts: Facts,
    *,
    launch: Launch | None = None,
    trainer: str | None = None,
    follow: bool = True,
    script: tuple[str, bytes] | None = None,
) -> list[Assembled]:
    """The runs that these documents describe: one for each training file, all with the one Accelerate file.

    Args:
        launch: how the runs are started; None: by accelerate where an Accelerate file is given, else by python.
        trainer: who reads the training file; None: told by its content.
        follow: whether to read files that these name (a DeepSpeed configuration, the model's config.json, the
            machine's default Accelerate file). Never where the documents come from strangers.
        script: the name and the text of the script that the runs start; None: the one that the launch names, where
            names are followed.

    Raises:
        WrongFiles: the documents do not make up runs.
        Unreadable: a file that one of them names cannot be read.
        UnknownTrainer: there is no such trainer.
    """
    by_kind = sort(documents)
    if trainer is not None:  # whoever says who reads the training file has said that it is one
        by_kind = ByKind(by_kind.training + by_kind.other, by_kind.accelerate, by_kind.deepspeed, by_kind.model, ())
    for strange in by_kind.other:
        raise WrongFiles(_strange(strange))
    if len(by_kind.accelerate) > 1:
        names = ", ".join(document.path for document in by_kind.accelerate)
        raise WrongFiles(f"more than one Accelerate file: {names}; a run has one")
    accelerate = by_kind.accelerate[0] if by_kind.accelerate else None
    default = False
    if launch is not None and launch.variables:
        facts = facts.with_variables(launch.variables)
    if launch is not None and by_kind.training:
        launch = registry.starter(launch).with_flags_of_file(launch, _section(by_kind.training[0]))
    if accelerate is None and follow and launch is not None and launch.tool == "accelerate":
        accelerate, default = _named_or_default(launch, facts)
    if launch is None:
        launch = Launch("accelerate" if accelerate is not None else "python", given=False)
    trainings: tuple[Document | None, ...] = by_kind.training or (None,)
    return [
        _one(training, accelerate, default, by_kind, facts, launch, trainer, follow, script) for training in trainings
    ]


def _strange(document: Document) -> str:
    if document.dialect is not None:
        tool = document.dialect
        return f"{document.path}:1:1: this is a file of {tool}, which fp8check does not know: it was not checked"
    return (
        f"{document.path}:1:1: this is neither a training file nor an Accelerate file: no key of either was found in it"
    )


def _one(
    training: Document | None,
    accelerate: Document | None,
    default: bool,
    by_kind: ByKind,
    facts: Facts,
    launch: Launch,
    trainer: str | None,
    follow: bool,
    given: tuple[str, bytes] | None,
) -> Assembled:
    adapter = _trainer(training, trainer)
    section = _section(training)
    if training is not None and launch.arguments:
        section = Section(section.node, over=adapter.over_the_file(launch.arguments))
    settings = adapter(section, training.path if training else None)
    config = _config(accelerate) if accelerate is not None else None
    deepspeed = by_kind.deepspeed[0] if by_kind.deepspeed else None
    if deepspeed is None and follow:
        deepspeed = _named_deepspeed(settings, config)
    # The Trainer builds its Accelerator itself: a script beside it says nothing.
    script, text = (None, None) if settings.is_huggingface else _script(launch, given, follow=follow)
    parts = (training, accelerate, deepspeed, text)
    run = Run(
        launch=launch,
        facts=facts,
        accelerate=config,
        accelerate_is_default=default,
        training=settings,
        deepspeed=DeepSpeedConfig(_section(deepspeed)) if deepspeed is not None else None,
        model=_model(settings, by_kind, facts, follow),
        script=script if script is not None else Script(),
    )
    return Assembled(run, tuple(part for part in parts if part is not None))


def _config(document: Document) -> AccelerateConfig:
    """The Accelerate file; `accelerate launch` trips over one that holds no mapping."""
    root = document.root
    if root is not None and root.kind == "map":
        return AccelerateConfig(Section(root), document.path)
    data = root.data() if root is not None else None
    return AccelerateConfig(Section(), document.path, malformed=type(data).__name__)


def _section(document: Document | None) -> Section:
    return Section(document.root) if document is not None else Section()


def _trainer(training: Document | None, name: str | None) -> type[Training]:
    if name is None:
        return registry.of_dialect(training.dialect if training is not None else None)
    return registry.find(name)


def _named_or_default(launch: Launch, facts: Facts) -> tuple[Document | None, bool]:
    """The file that --config_file names, or the machine's default_config.yaml (commands/config/config_args.py)."""
    if launch.config_file is not None:
        return _read_if_there(launch.config_file), False
    variables = facts.variables or {}
    cache = variables.get("HF_HOME") or os.path.join(variables.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    folder = os.path.expanduser(os.path.join(cache, "accelerate"))
    for name in ("default_config.yaml", "default_config.json"):
        document = _read_if_there(os.path.join(folder, name))
        if document is not None:
            return document, True
    return None, False


def _read_if_there(path: str) -> Document | None:
    return read(path) if os.path.isfile(path) else None


def _named_deepspeed(training: Training, config: AccelerateConfig | None) -> Document | None:
    """The DeepSpeed file that the training file or the Accelerate file names, beside it or below the current folder."""
    named = training.deepspeed
    places = [(named.value, training.path)] if named is not None else []
    if config is not None and config.deepspeed_file is not None:
        places.append((config.deepspeed_file.value, config.path))
    for value, path in places:
        if not isinstance(value, str):
            continue
        for folder in (os.path.dirname(path or ""), ""):
            document = _read_if_there(os.path.join(folder, value))
            if document is not None:
                return document
    return None


def _script(launch: Launch, given: tuple[str, bytes] | None, *, follow: bool) -> tuple[Script | None, Document | None]:
    """The script that was given, or that the launch names and is at hand, with its text; None if it does not parse."""
    if given is not None:
        return _parsed(*given)
    name = launch.script
    if not follow or name is None or not name.endswith(".py") or not os.path.isfile(name):
        return None, None
    return _parsed(name, None)


def _parsed(name: str, data: bytes | None) -> tuple[Script | None, Document | None]:
    from fp8check.rules.reading.source import load
    from fp8check.rules.settings.script_syntax import parse

    try:
        source = parse(load(name, data))
    except Unreadable:
        return None, None
    if source is None:
        return None, None
    # A report shows its lines.
    return Script.of(source), Document(name, source.text, "python", None, loader="python", kind=Kind("script"))


def _model(training: Training, by_kind: ByKind, facts: Facts, follow: bool) -> models.ModelShape | None:
    for document in by_kind.model:
        data = document.root.data() if document.root is not None else None
        if isinstance(data, dict):
            return models.from_config(data, training.model or document.path, "config.json")
    if training.model is None:
        return None
    if not follow:
        return models.listed(training.model)
    return models.find(training.model, base=os.path.dirname(training.path or "") or ".", environ=facts.variables or {})


def parse_launch(command: str | None, trainer: str | None = None) -> Launch | None:
    """The launch command as the user wrote it.

    Args:
        trainer: who is said to read the training file: its own commands are known as well.

    Raises:
        WrongFiles: it cannot be understood.
        UnknownTrainer: there is no such trainer.
    """
    if command is None:
        return None
    try:
        return registry.parse(command, None if trainer is None else registry.find(trainer))
    except LaunchError as error:
        raise WrongFiles(str(error)) from None
