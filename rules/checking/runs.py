"""From documents to runs: which file is what, what they name, and how the run is started."""

from __future__ import annotations

import os

from fp8check.rules import reading
from fp8check.rules.checking.named import (
    NOTHING,
    Named,
    accelerate_file,
    deepspeed_file,
    fsdp_file,
    inline,
    is_inline,
    model_of,
    names_of,
    other_files,
    parses_file,
    script_file,
    shipped,
    training_file,
    trainings_named,
    words_beside,
)
from fp8check.rules.input_error import InputError
from fp8check.rules.outcome.launcher import is_configuration
from fp8check.rules.reading.kind import Kind
from fp8check.rules.record import Record
from fp8check.rules.settings.accelerate import AccelerateConfig
from fp8check.rules.settings.deepspeed import DeepSpeedConfig
from fp8check.rules.settings.launch import Launch, LaunchError
from fp8check.rules.settings.script import ARGUMENTS, PARSERS, Script
from fp8check.rules.settings.values import Origin, Section, Setting
from fp8check.rules.trainers import registry
from fp8check.rules.trainers.detect import read
from fp8check.rules.trainers.run import Refused, Run
from fp8check.rules.trainers.script import OwnScript
from fp8check.rules.trainers.transformers import Transformers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fp8check.rules.facts import Facts
    from fp8check.rules.reading import Document
    from fp8check.rules.reading.nodes import ProblemCode
    from fp8check.rules.settings.script import Parsed, ScriptSource
    from fp8check.rules.settings.script_known import Start
    from fp8check.rules.trainers.commands import Load
    from fp8check.rules.trainers.run import Unread
    from fp8check.rules.trainers.training import Training
    from fp8check.rules.trainers.written import Written


_MOST_OF_DOTENV = 64 * 1024  # bytes

# The exceptions that tools stop with at a file that goes on being read here (executed: omegaconf 2.4.0, pyyaml 6.0.4).
_STOPS: Mapping[ProblemCode, str] = {
    "multiple-documents": "ComposerError",
    "duplicate-key": "ConstructorError",
    "key-type": "KeyValidationError",
    "key-conflict": "KeyValidationError",
    "value-type": "UnsupportedValueType",
    "interpolation": "GrammarParseError",
}


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
) -> Iterator[Assembled]:
    """The runs that these documents describe, each made when it is asked for.

    There is one for each training file, all with the one Accelerate file.

    Args:
        launch: how the runs are started; None: by accelerate where an Accelerate file is given, else by python; the
            script among the documents, where there is one.
        trainer: who reads the training file; None: told by its content.
        follow: whether to read files that these name (a DeepSpeed configuration, the model's config.json, the
            machine's default Accelerate file). Never where the documents come from strangers.
        script: the name and the text of the script that the runs start; None: the first among the documents, or the
            one that the launch names, where names are followed.

    What is named and cannot be read, is among the `unread` of its run.

    Raises:
        WrongFiles: the documents do not make up runs.
        UnknownTrainer: there is no such trainer.
    """
    by_kind = _loaded(sort(documents))
    if script is None:
        script = _given_script(documents, launch)
    launch = _launch_of(script, launch, by_kind)
    if launch is not None and not documents and script is None:
        launch = _undecided_if_bare(launch)
    if launch is not None and launch.given:
        from fp8check.rules.checking.started import facts_of_launch  # most checks name no launch

        facts = facts_of_launch(launch, facts)
    texts = {one.path: one.loaded().text for one in documents if one.kind == "script"}
    started = _started(launch, script, trainer, facts, texts, follow=follow)
    if launch is not None and launch.arguments and follow and not by_kind.training:
        by_kind = by_kind._replace(training=_named_training(launch, by_kind, trainer, started))
    by_kind = _with_own_files(by_kind, launch, started)
    if trainer is not None:  # whoever says who reads the training file has said that it is one
        by_kind = by_kind._replace(training=by_kind.training + by_kind.other, other=())
    _refuse_unknown(by_kind, trainer, launch)
    launch = _as_made(launch, by_kind, facts)
    accelerate, is_default = _accelerate_of(by_kind, launch, facts, follow=follow)
    if launch is None:
        launch = Launch("accelerate" if accelerate is not NOTHING else "python", given=False)
    common = _Common(by_kind, accelerate, is_default, facts, launch, trainer, follow, started)
    for training in by_kind.training or (None,):
        yield _assembled(training.loaded() if training is not None else None, common)


def _refuse_unknown(by_kind: ByKind, trainer: str | None, launch: Launch | None) -> None:
    """Raise where a file is of no kind, and none of the runs names it."""
    if not by_kind.other:
        return
    names = _names(by_kind, trainer, launch)
    for document in by_kind.other:
        if os.path.basename(document.path) not in names:
            raise WrongFiles(_of_no_kind(document))


def _accelerate_of(by_kind: ByKind, launch: Launch | None, facts: Facts, *, follow: bool) -> tuple[Named, bool]:
    """The Accelerate file of the runs, and whether it is the machine's default one; NOTHING where there is none."""
    if len(by_kind.accelerate) > 1:
        paths = ", ".join(document.path for document in by_kind.accelerate)
        raise WrongFiles(f"more than one Accelerate file: {paths}; a run has one")
    if by_kind.accelerate:
        return Named(by_kind.accelerate[0]), False
    if launch is None or launch.tool != "accelerate":
        return NOTHING, False
    return accelerate_file(launch, facts, follow=follow)


def _of_other_kinds(by_kind: ByKind) -> tuple[Document, ...]:
    return (*by_kind.accelerate, *by_kind.deepspeed, *by_kind.other)


def _named_training(launch: Launch, by_kind: ByKind, trainer: str | None, started: _Started) -> tuple[Document, ...]:
    """The training file that the command names, where none was given; none where it cannot be read."""
    given = {os.path.basename(one.path) for one in _of_other_kinds(by_kind)}
    for name in trainings_named(launch, read_by_command=False):
        if os.path.basename(name) in given or launch.changed(name):
            continue
        try:
            document = read(name, trainer=trainer)
        except reading.Unreadable:
            continue  # what has to be there is among the unread ones (named.training_file)
        is_told = trainer is not None or started.by_command or parses_file(started.script)
        if document.kind == "training" or (is_told and document.root is not None and document.root.kind == "map"):
            return (document,)
    return ()


def _as_made(launch: Launch | None, by_kind: ByKind, facts: Facts) -> Launch | None:
    """The launch as the trainer's own command makes it, where one starts the launcher."""
    if launch is None or launch.through is None:
        return launch
    starter = registry.starter(launch)
    if by_kind.training and not _is_passed_over(by_kind.training[0], launch):
        launch = starter.with_flags_of_file(launch, _section(by_kind.training[0].loaded()))
    return starter.as_released(launch, facts)


def _undecided_if_bare(launch: Launch) -> Launch:
    """The launch where there is nothing beside it: a tool's bare name does not say what it starts."""
    is_bare = launch.script is None or (not launch.arguments and registry.of_program(launch.script) is not None)
    if launch.unknown or not is_bare:
        return launch
    name = launch.script or launch.tool
    return launch._replace(unknown=f"{name} alone does not say what it starts: name the files, or the whole command")


def _refused(**documents: Document | None) -> dict[str, Refused]:
    """What each file's own tool stops at first."""
    found: dict[str, Refused] = {}
    for name, document in documents.items():
        for problem in document.problems if document is not None else ():
            type_ = _STOPS.get(problem.code) if problem.fatal else None
            if type_ is not None and name not in found:
                found[name] = Refused(type_, problem.message, Setting(None, Origin(span=problem.span)))
    return found


def _given_script(documents: Sequence[Document], launch: Launch | None) -> tuple[str, bytes] | None:
    """The script among the documents: the one that the launch names, or the first; behind it stand its modules."""
    scripts = [document for document in documents if document.kind == "script"]
    named = os.path.basename(launch.script) if launch is not None and launch.script is not None else ""
    first = scripts[0] if scripts else None
    given = next((document for document in scripts if os.path.basename(document.path) == named), first)
    return None if given is None else (given.path, given.loaded().text.encode())


def _launch_of(script: tuple[str, bytes] | None, launch: Launch | None, by_kind: ByKind) -> Launch | None:
    """The launch with a script that was given: it is what is started where the command names none."""
    if script is None or (launch is not None and launch.script is not None):
        return launch
    if launch is None:
        launch = Launch("accelerate" if by_kind.accelerate else "python", given=False)
    handed = [document.path for document in (*by_kind.training, *by_kind.other)]
    arguments = launch.arguments if launch.given or len(handed) != 1 else tuple(handed)
    flags = launch.flags
    if launch.tool == "accelerate" and launch.config_file is None and len(by_kind.accelerate) == 1:
        flags = {**flags, "config_file": by_kind.accelerate[0].path}
    return launch._replace(script=script[0], flags=flags, arguments=arguments)


def _loaded(by_kind: ByKind) -> ByKind:
    """The same with all but the training files in memory: every run needs those."""
    kept = (by_kind.accelerate, by_kind.deepspeed, by_kind.model, by_kind.other)
    return ByKind(by_kind.training, *(tuple([document.loaded() for document in documents]) for documents in kept))


def _names(by_kind: ByKind, trainer: str | None, launch: Launch | None) -> set[str]:
    """The files of no kind that the runs name."""
    config = _config(by_kind.accelerate[0]) if by_kind.accelerate else None
    names: set[str] = set()
    for training in by_kind.training or (None,):
        one = training.loaded() if training is not None else None
        names.update(names_of(_trainer(one, trainer)(_section(one)), config, launch or Launch("python")))
    words = launch.arguments if launch is not None else ()
    names.update(os.path.basename(value) for value, of_fsdp in _valued(words) if of_fsdp)
    return names


def _of_no_kind(document: Document) -> str:
    """What is wrong with a file that is no part of a run."""
    if document.dialect is not None:
        tool = document.dialect
        return f"{document.path}:1:1: this is a file of {tool}, which fp8check does not know: it was not checked"
    return (
        f"{document.path}:1:1: this is neither a training file nor an Accelerate file: no key of either was found in it"
    )


def _assembled(training: Document | None, common: _Common) -> Assembled:
    """One run: a training file, or none, with all that the runs have in common."""
    by_kind, facts, follow, started = common.by_kind, common.facts, common.follow, common.started
    adapter = _trainer(training, common.trainer) if started.trainer is None else started.trainer
    training = _read_by(training, started.trainer)
    launch = adapter.usual(common.launch)
    section, fsdp = _training_section(training, adapter, launch, common)
    settings = adapter(section, training.path if training else None, guessed=_is_guessed(adapter, section, common))
    if settings.is_started_through(launch):
        own = {name: str(setting.value) for name, setting in settings.variables.items() if not setting.is_later}
        facts = facts.with_variables(own) if own else facts
    accelerate = common.accelerate.document
    config = _config(accelerate) if accelerate is not None else None
    deepspeed, mapping = deepspeed_file(
        settings, config, launch, facts.variables or {}, by_kind.deepspeed, follow=follow
    )
    script = started.script
    if settings.is_huggingface and script is not None and script.source is not None:
        from fp8check.rules.settings.script_model import compiled_for, loads_late  # few runs have a script

        late, compiled = loads_late(script.source), compiled_for(script.source)
        takes = _parsed(script.source, launch, training)
        script = Script.beside_trainer(script, script.source, takes, loads_late=late, compiled=compiled)
    model, model_unread = model_of(settings, by_kind.model, facts, follow=follow)
    named_only = (
        None if training is not None else training_file(launch, started.script, _of_other_kinds(by_kind), follow=follow)
    )
    others = other_files(settings, config, launch, by_kind.other, follow=follow)
    beside = (common.accelerate.unread, deepspeed.unread, model_unread, fsdp.unread, named_only)
    unread = _unread_of(launch, (*beside, *others, *started.unread))
    refused: dict[str, Refused] = {file.input: file.refused for file in unread if file.refused is not None}
    word = launch.script if is_configuration(launch) else adapter.instead_of_script(launch, facts)
    if word is not None:
        from fp8check.rules.checking.as_python import refused as by_python  # few commands are so

        ends = by_python(word, [*by_kind.training, *by_kind.accelerate, *by_kind.other], follow=follow)
        refused.update({} if ends is None else {"script": ends})
    refused.update(_refused(training=training, accelerate=accelerate, deepspeed=deepspeed.document))
    run = Run(
        launch=launch,
        facts=facts,
        accelerate=config,
        accelerate_is_default=common.is_default,
        training=settings,
        deepspeed=_deepspeed(deepspeed.document, mapping) or _deepspeed_of(script),
        model=model,
        script=script if script is not None else Script(),
        unread=unread,
        shipped=shipped(launch, facts, follow=follow),
        refused=refused,
    )
    documents = (training, accelerate, deepspeed.document, fsdp.document, *started.documents)
    return Assembled(run, tuple(document for document in documents if document is not None))


def _parsed(source: ScriptSource, launch: Launch, training: Document | None) -> Parsed | None:
    """What the script's parser of dataclasses takes; None where it has none."""
    if not source.parsers or not source.named(*PARSERS):
        return None
    from fp8check.rules.settings.script_parsed import parsed  # few scripts have one

    words = _words(launch) if launch.given else ()
    return parsed(source, words, training.path if training is not None else None)


def _is_guessed(adapter: type[Training], section: Section, common: _Common) -> bool:
    """Whether nobody said who reads the training file, and its keys are those of several trainers."""
    said = common.trainer is not None or common.started.trainer is not None
    return adapter.shares_keys and not said and adapter.own_keys.isdisjoint(section)


def _unread_of(launch: Launch, files: Iterable[Unread | None]) -> tuple[Unread, ...]:
    """The files that could not be read, with what is not known of a command that was given."""
    if launch.given:
        from fp8check.rules.checking.started import unknown_arguments, unknown_launch

        files = (unknown_launch(launch), *files, *unknown_arguments(launch))
    return tuple(file for file in files if file is not None)


class _Started(Record):
    """The script that the runs start, with the modules beside it.

    Attributes:
        trainer: whose configuration the runs have, by the command or what the script does; None where both do not tell.
        by_command: whether the command is the trainer's own.
        modules: those that were read.
        words: those of a file beside it, which its parser puts before the words of the command.
    """

    script: Script | None = None
    documents: tuple[Document, ...] = ()
    unread: tuple[Unread, ...] = ()
    trainer: type[Training] | None = None
    by_command: bool = False
    modules: tuple[ScriptSource, ...] = ()
    words: tuple[str, ...] = ()

    def written(self, adapter: type[Training], launch: Launch, facts: Facts, *, file: bool) -> Written | None:
        """The training configuration that the script writes; None where it writes none for that trainer."""
        source = self.script.source if self.script is not None else None
        if source is None or not adapter.written_in_scripts or not any((self.trainer, source.named(*ARGUMENTS))):
            return None
        from fp8check.rules.trainers.written import written

        return written(source, self.modules, start_of(launch, facts), file=file)

    def said(self) -> dict[str, Setting]:
        """What a script that makes its own Accelerator says of its model and its batches."""
        from fp8check.rules.settings.script_model import said

        source = self.script.source if self.script is not None else None
        return {} if source is None else said([source, *self.modules])


class _Common(Record):
    """What all runs of some documents have in common.

    Attributes:
        accelerate: the one Accelerate file.
        is_default: whether that is the machine's default file, which nobody named.
        launch: how they are started, as far as that does not depend on their training file.
        trainer: who was said to read the training files; None: their content tells.
        follow: whether files that these name are read.
        started: the script that is started, and who trains by it.
    """

    by_kind: ByKind
    accelerate: Named
    is_default: bool
    facts: Facts
    launch: Launch
    trainer: str | None
    follow: bool
    started: _Started


def _started(
    launch: Launch | None,
    given: tuple[str, bytes] | None,
    trainer: str | None,
    facts: Facts,
    texts: Mapping[str, str],
    *,
    follow: bool,
) -> _Started:
    """The script, where it can be read, and who trains by it: that goes before any key of a file."""
    text, script = script_file(launch or Launch("python", given=False), given, follow=follow)
    documents: tuple[Document, ...] = () if text.document is None else (text.document,)
    unread: tuple[Unread, ...] = () if text.unread is None else (text.unread,)
    if script is None or script.source is None:
        own = registry.by_command(launch) if launch is not None and trainer is None else None
        if own is None and launch is not None and text.unread is not None:
            unread = (_with_flags(text.unread, launch),)
        return _Started(script, documents, unread, own, by_command=own is not None)
    from fp8check.rules.checking.modules import Imported, with_modules  # most runs have no script
    from fp8check.rules.settings.script_known import known
    from fp8check.rules.trainers.deciding import by_script

    source = script.source
    start = start_of(launch, facts, _dotenv(source) if follow else None, reads=follow)
    imported = with_modules(source, start, texts) if follow else Imported(Script.of(known(source, (), start)))
    words, of_words = words_beside(source) if follow else ((), None)
    unread += (*imported.unread, *((of_words,) if of_words is not None else ()))
    script, documents = imported.script, documents + imported.documents
    if trainer is not None:
        return _Started(script, documents, unread, modules=imported.sources, words=words)
    decided = by_script(source, imported.sources)
    if decided.unknown and not script.unknown:
        script = script._replace(unknown=decided.unknown)
    return _Started(script, documents, unread, decided.trainer, modules=imported.sources, words=words)


def start_of(
    launch: Launch | None, facts: Facts, dotenv: Mapping[str, str] | None = None, *, reads: bool = False
) -> Start:
    """How the script is started, as far as it can see that."""
    from fp8check.rules.settings.script_known import Start

    gpus = facts.visible_gpus()
    alike = gpus is not None and len({gpu.compute_capability for gpu in gpus}) <= 1
    ordered = alike or (facts.variables or {}).get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
    return Start(
        _words(launch) if launch is not None and launch.given else None,
        facts.variables,
        tuple(gpu.compute_capability for gpu in gpus) if gpus is not None and ordered else None,
        counted=facts.count_gpus,
        launched=launch is not None and launch.tool == "accelerate",
        dotenv=dotenv,
        reads=reads,
        packages=_importable(facts),
    )


def _words(launch: Launch) -> tuple[str, ...]:
    """The words that the script gets: deepspeed's launcher tells it its rank before all others (launcher/launch.py)."""
    tells = launch.tool == "deepspeed" and not launch.flag("no_local_rank")
    return ("--local_rank=0", *launch.arguments) if tells else tuple(launch.arguments)


def _importable(facts: Facts) -> dict[str, bool]:
    """Whether packages can be imported; of Transformer Engine that is not known where its parts do not fit."""
    from fp8check.rules.facts import misfits

    known = {name: version is not None for name, version in (facts.packages or {}).items()}
    if known.get("transformer_engine") and misfits(facts):
        del known["transformer_engine"]
    return known


def _dotenv(source: ScriptSource) -> Mapping[str, str] | None:
    """What a file .env beside a script says, which load_dotenv() reads; None where it cannot be read."""
    if "load_dotenv" not in source.text:
        return None
    from fp8check.rules.reading import files

    try:
        text = files.read(os.path.join(os.path.dirname(source.path), ".env"), _MOST_OF_DOTENV).decode()
    except (reading.Unreadable, UnicodeDecodeError):
        return None
    pairs = (line.strip().removeprefix("export ").partition("=") for line in text.splitlines())
    return {name.strip(): value.strip().strip("'\"") for name, equals, value in pairs if equals and name[:1] != "#"}


def _with_flags(unread: Unread, launch: Launch) -> Unread:
    """A script that cannot be read, and is handed flags that a Trainer would take: who trains hangs on it."""
    flags = Transformers.over_the_file(launch.arguments) if launch.arguments else {}
    if not flags:
        return unread
    first = next(iter(flags.values())).origin.flag
    return unread._replace(why=f"{unread.why}: what it makes of {first} is not known", decides=True)


def _with_own_files(by_kind: ByKind, launch: Launch | None, started: _Started) -> ByKind:
    """The files that a script or a trainer's command is handed are its own, whatever their keys are."""
    if launch is None or started.trainer is None:
        return by_kind
    handed = {os.path.basename(value) for value, of_fsdp in _valued(launch.arguments) if not of_fsdp}
    others = by_kind.accelerate if len(by_kind.accelerate) > 1 and started.trainer is OwnScript else ()
    own = [document for document in (*by_kind.other, *others) if os.path.basename(document.path) in handed]
    return ByKind(
        (*by_kind.training, *own),
        tuple(document for document in by_kind.accelerate if document not in own),
        by_kind.deepspeed,
        by_kind.model,
        tuple(document for document in by_kind.other if document not in own),
    )


_FOR_FSDP = ("fsdp_config", "--fsdp_config", "--fsdp-config")  # names a file that is no training file


def _valued(words: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """What the words of a script name, and whether it is for FSDP."""
    before = ""
    for word in words:
        name, _, value = word.rpartition("=")
        yield value, (name or before) in _FOR_FSDP
        before = word


def _read_by(training: Document | None, trainer: type[Training] | None) -> Document | None:
    """The training file as that trainer reads it; as its keys tell where none is said."""
    if training is None or trainer is None or training.dialect == trainer.name:
        return training
    if training.loader not in ("json", trainer.loader):
        training = reading.read(training.path, training.text.encode(), loader=trainer.loader)
    return training.as_kind(Kind("training", trainer.name, trainer.loader))


def _training_section(
    training: Document | None, adapter: type[Training], launch: Launch, common: _Common
) -> tuple[Section, Named]:
    """The settings of a training file, under those of the command line; and the file that it names for FSDP."""
    section, started = _section(training), common.started
    if training is not None and _is_passed_over(training, launch):
        section = Section()
    unset = {
        name: Setting(None, Origin(code=f"{adapter.name}, which has no {name}"))
        for name in adapter.passed_over(launch, common.facts)
        if name in section
    }
    if unset:
        section = Section(section.node, over=unset)
    source = None if started.script is None else started.script.source
    line = None if source is None else source.command_line
    words = (*started.words, *launch.arguments)
    over = adapter.over_the_file(words, () if line is None else line.options) if words else None
    written = started.written(adapter, launch, common.facts, file=training is not None)
    if written is not None and written.words is not None:
        over = adapter.over_the_file(written.words)
    if written is not None:
        section, over = written.over(section, over or {})
    if adapter is OwnScript and source is not None:
        over = {**(over or {}), **started.said()}
    if over:
        section = Section(section.node, over={**unset, **over})
    if adapter.fsdp_key is None or (training is None and not over):
        return section, NOTHING
    named = section.get(adapter.fsdp_key)
    path = None if training is None else training.path
    fsdp = fsdp_file(named, path, common.by_kind.other, follow=common.follow)
    inner = _section(fsdp.document) if fsdp.document is not None else None
    if named is not None and not named.is_later and is_inline(named.value):
        inner = inline(str(named.value))
    if inner is not None:
        section = Section(section.node, over={**unset, **(over or {})}, sections={adapter.fsdp_key: inner})
    return section, fsdp


def _is_passed_over(training: Document, launch: Launch) -> bool:
    """Whether the command names the file, and not in the way in which its program reads one."""
    mentioned = trainings_named(launch, read_by_command=False)
    name = os.path.basename(training.path)
    is_there = any(os.path.basename(one) == name for one in mentioned)
    return is_there and not any(os.path.basename(one) == name for one in trainings_named(launch))


def _deepspeed(document: Document | None, mapping: Section | None) -> DeepSpeedConfig | None:
    if document is not None:
        return DeepSpeedConfig(_section(document))
    return DeepSpeedConfig(mapping) if mapping is not None else None


def _deepspeed_of(script: Script | None) -> DeepSpeedConfig | None:
    """What a script gives to DeepSpeed by an object."""
    config = None if script is None else script.deepspeed
    return None if config is None else DeepSpeedConfig(Section(data=config))


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


def parse_launch(command: str | None, trainer: str | None = None, load: Load | None = None) -> Launch | None:
    """The launch command as the user wrote it.

    Args:
        trainer: who is said to read the training file: its own commands are known as well.
        load: gives the text of a shell script that one of several commands starts.

    Raises:
        WrongFiles: it cannot be understood.
        UnknownTrainer: there is no such trainer.
    """
    if command is None:
        return None
    from fp8check.rules.trainers.commands import parse  # few checks are given a command

    try:
        return parse(command, None if trainer is None else registry.find(trainer), load)
    except LaunchError as error:
        raise WrongFiles(str(error)) from None
