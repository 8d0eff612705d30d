"""What becomes of the files that a run names: each is read, or the run carries it as unread, with the reason.

A training file names a DeepSpeed file and a model, an Accelerate file names a DeepSpeed file and a hostfile, the launch
command names the Accelerate file and the script. Whoever sent the documents from elsewhere (`follow=False`) may have
sent these along; nothing is looked for then.
"""

from __future__ import annotations

import os

from fp8check.rules import models
from fp8check.rules.reading import Document, Unreadable, files
from fp8check.rules.reading.kind import Kind
from fp8check.rules.reading.limits import MAX_BYTES
from fp8check.rules.record import Record
from fp8check.rules.settings.accelerate import AccelerateConfig
from fp8check.rules.settings.launch import LAUNCHERS
from fp8check.rules.settings.script import Script
from fp8check.rules.settings.values import FILLED_IN, Origin, Section, Setting, Undecided, taken
from fp8check.rules.trainers import registry
from fp8check.rules.trainers.detect import read
from fp8check.rules.trainers.run import Refused, Unread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fp8check.rules.facts import Facts
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.settings.script import ScriptSource
    from fp8check.rules.trainers.run import FileInput
    from fp8check.rules.trainers.training import Training

# Also of what was not sent along, so that a service says what the command says.
ABSENT = "no such file"
# What a command line calls DeepSpeed's file: HfArgumentParser, deepspeed.add_config_arguments, accelerate launch.
_DEEPSPEED_FLAGS = ("deepspeed", "deepspeed_config", "deepspeed_config_file")


class Named(Record):
    """A file that the run names: what was read of it, or why nothing was; neither where nothing is named."""

    document: Document | None = None
    unread: Unread | None = None


NOTHING = Named()


def accelerate_file(launch: Launch, facts: Facts, *, follow: bool) -> tuple[Named, bool]:
    """The file that --config_file names, or the machine's default (commands/config/config_args.py).

    Returns:
        The file, and whether it is the default, which `accelerate launch --cpu` does not read.
    """
    path = launch.config_file
    if path is not None:
        place = taken(path, Origin(flag=f"{registry.starter(launch).config_flag} {path}"))
        if place.is_later:
            return _filled_in("accelerate", place), False
        if is_shipped(launch, follow=follow):
            why = f"no such file, and {launch.through} {facts.package(str(launch.through))} brings none of that name"
            own = registry.starter(launch).shipped(path, facts)
            unread = Unread("accelerate", path, why, place, "the name of a file that is there", absent=True)
            return (NOTHING if own is not None else Named(None, unread)), False
        if launch.changed(path):
            return _changed("accelerate", path, place, launch), False
        return _found("accelerate", [_home(path)], path, place, follow=follow), False
    if launch.flag("cpu") or not follow:
        return NOTHING, False
    variables = facts.variables or {}
    cache = variables.get("HF_HOME") or os.path.join(variables.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    folder = os.path.expanduser(os.path.join(cache, "accelerate"))
    path = os.path.join(folder, "default_config.yaml")  # both constants of config_args.py name it: never the .json
    named = _found("accelerate", [path], path, None, follow=True)
    if named.document is not None or (named.unread is not None and not named.unread.absent):
        return named, True
    if facts.host is not None and facts.host != os.uname().nodename:
        why = f"there is none here, and {facts.host} may have one"
        return Named(None, Unread("accelerate", path, why, None, "accelerate launch --config_file with a file")), True
    return NOTHING, False


def is_shipped(launch: Launch, *, follow: bool) -> bool:
    """Whether the launch names an Accelerate file that the trainer's command has within itself.

    A file of that name goes before it (trl/cli).
    """
    name = launch.config_file
    if name is None or name not in registry.starter(launch).shipped_configs:
        return False
    fault = _fault([_home(name)]) if follow else None
    return not follow or (fault is not None and fault.reason in ("absent", "irregular"))


def shipped(launch: Launch, facts: Facts, *, follow: bool) -> AccelerateConfig | None:
    """What stands in the Accelerate file that the trainer's command has within itself; None where it reads another."""
    if not is_shipped(launch, follow=follow):
        return None
    name = str(launch.config_file)
    section = registry.starter(launch).shipped(name, facts)
    return None if section is None else AccelerateConfig(section)


def deepspeed_file(
    training: Training,
    config: AccelerateConfig | None,
    launch: Launch,
    variables: Mapping[str, str],
    given: Sequence[Document],
    *,
    follow: bool,
) -> tuple[Named, Section | None]:
    """DeepSpeed's configuration: the file that is named first, or what stands in its place.

    The Trainer takes that of the training file; the launcher's flag goes before the Accelerate file. One that was given
    is taken whatever its name is, where there is but one.
    """
    if len(given) == 1:
        return Named(given[0]), None
    for setting, path in _deepspeed_places(training, config, launch, variables):
        if setting.is_later:
            return _filled_in("deepspeed", setting), None
        value = setting.value
        if isinstance(value, dict):
            return NOTHING, training.top.section(training.deepspeed_key or "")
        if is_inline(value):
            mapping = inline(str(value))
            return (NOTHING if mapping is not None else _no_json("deepspeed", setting)), mapping
        if not isinstance(value, str):
            why = "this names no file"
            unread = Unread("deepspeed", str(value), why, setting, "the name of the DeepSpeed file in its place")
            return Named(None, unread), None
        same = next((document for document in given if _same_name(document.path, value)), None)
        if same is not None:
            return Named(same), None
        if launch.changed(value):
            return _changed("deepspeed", value, setting, launch), None
        folders = (os.path.dirname(path or ""), "") if path is not None else ("",)
        places = [os.path.join(folder, value) for folder in dict.fromkeys(folders)]
        return _found("deepspeed", places, value, setting, follow=follow, loader="json"), None
    return (Named(given[0]) if given else NOTHING), None


def _deepspeed_places(
    training: Training, config: AccelerateConfig | None, launch: Launch, variables: Mapping[str, str]
) -> Iterator[tuple[Setting, str | None]]:
    """The settings that name DeepSpeed's file, the one that counts first, each with the file that it stands in."""
    if training.deepspeed is not None:
        yield training.deepspeed, training.path
    for flag in _deepspeed_flags(launch):
        yield flag, None
    try:
        named = config.deepspeed_file if config is not None else None
    except Undecided:  # deepspeed_config as a whole is filled in later, which the prediction says
        named = None
    if named is not None and (named.is_later or named.value not in (None, "none")):
        yield named, config.path if config is not None else None
    variable = variables.get("ACCELERATE_DEEPSPEED_CONFIG_FILE", "none")
    if variable != "none":
        yield taken(variable, Origin(variable="ACCELERATE_DEEPSPEED_CONFIG_FILE")), None


def _deepspeed_flags(launch: Launch) -> Iterator[Setting]:
    named = launch.setting("deepspeed_config_file")
    if named is not None and isinstance(named.shown, str) and named.shown != "none":
        yield named
    if any("deepspeed" in word for word in launch.arguments):
        from fp8check.rules.trainers.arguments import options

        for name, text, written in options(launch.arguments):
            if name in _DEEPSPEED_FLAGS and text.endswith(".json"):
                yield taken(text, Origin(flag=written))


def is_inline(value: object) -> bool:
    """Whether a value is JSON in the place of a file's name."""
    return isinstance(value, str) and value.lstrip().startswith("{")


def inline(text: str) -> Section | None:
    """A mapping that is written as JSON where a file may be named (hf_argparser.py); None where it is none."""
    import json

    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    return Section(data=data) if isinstance(data, dict) else None


def _no_json(input_: FileInput, setting: Setting) -> Named:
    return Named(None, Unread(input_, str(setting.value), "this is not JSON", setting, "JSON, or the name of a file"))


def other_files(
    training: Training, config: AccelerateConfig | None, launch: Launch, sent: Sequence[Document], *, follow: bool
) -> Iterator[Unread]:
    """Files of which nothing is taken here, and without which the run does not start as it says."""
    for setting, path in _others(training, config, launch):
        if setting.is_later:
            yield _later("other", setting)
            continue
        name = str(setting.value)
        if any(_same_name(document.path, name) for document in sent) or launch.changed(name):
            continue  # what a script writes before it starts the run, is there by then
        if not follow:
            yield _absent("other", name, setting)
            continue
        fault = _fault(_home(os.path.join(folder, name)) for folder in _folders(path))
        if fault is not None:
            yield _unread("other", name, fault, setting)


def _hostfiles(config: AccelerateConfig) -> tuple[Setting, ...]:
    try:
        return config.hostfiles
    except Undecided:  # the section that names them is filled in later, which the prediction says
        return ()


def _others(
    training: Training, config: AccelerateConfig | None, launch: Launch
) -> Iterator[tuple[Setting, str | None]]:
    """The settings that name a file of no kind, each with the file that it stands in."""
    settings: list[tuple[Setting | None, str | None]] = []
    if config is not None:
        settings += [(setting, config.path) for setting in _hostfiles(config)]
    settings += [(launch.setting(flag), None) for flag in ("deepspeed_hostfile", "hostfile", "mpirun_hostfile")]
    settings += [(training.get(key), training.path) for key in training.file_keys]
    for setting, path in settings:
        if setting is not None and setting.is_later:
            yield setting, path
            continue
        value = setting.value if setting is not None else None
        if setting is not None and isinstance(value, str) and value != "none" and not is_inline(value):
            yield setting, path


def names_of(training: Training, config: AccelerateConfig | None, launch: Launch) -> Iterator[str]:
    """The files of no kind that a run names, without their folders: for FSDP, or such of which nothing is taken."""
    names = [setting.shown for setting, _ in _others(training, config, launch)]
    fsdp = training.get(training.fsdp_key) if training.fsdp_key is not None else None
    names.append(fsdp.shown if fsdp is not None else None)
    yield from (os.path.basename(name) for name in names if isinstance(name, str))


def _same_name(path: str, name: str) -> bool:
    return os.path.basename(path) == os.path.basename(name)


def _fault(places: Iterable[str]) -> Unreadable | None:
    """Why no file of these names can be read; None where one can."""
    fault = None
    for place in places:
        try:
            files.start(place, 1)
        except Unreadable as error:
            fault = error if fault is None or error.reason != "absent" else fault
            continue
        return None
    return fault


def fsdp_file(setting: Setting | None, path: str | None, sent: Sequence[Document], *, follow: bool) -> Named:
    """The file that FSDP's setting names where TrainingArguments take a mapping or a file (training_args.py)."""
    if setting is None or setting.is_later:
        return NOTHING if setting is None else _filled_in("other", setting)
    if not isinstance(setting.value, str):
        return NOTHING
    if is_inline(setting.value):
        return NOTHING if inline(setting.value) is not None else _no_json("other", setting)
    name = setting.value
    given = next((document for document in sent if _same_name(document.path, name)), None)
    if given is not None:
        return Named(given)
    places = [os.path.join(folder, name) for folder in _folders(path)]
    return _found("other", places, name, setting, follow=follow, loader="json")


def _folders(path: str | None) -> Iterable[str]:
    """Where a name that stands in a file is looked for: beside that file, and in the current folder."""
    return dict.fromkeys((os.path.dirname(path or ""), ""))


def script_file(launch: Launch, given: tuple[str, bytes] | None, *, follow: bool) -> tuple[Named, Script | None]:
    """The script that was given, or that the launch names, with what it does."""
    name = launch.script
    if name is None:
        return (NOTHING, None) if given is None else _parsed(*given)
    if registry.of_program(name) is not None or launch.through is not None or name in LAUNCHERS:
        return NOTHING, None
    if _is_trainers_module(launch):
        return NOTHING, None
    place = Setting(name, Origin(flag=name))
    if name == "-c" or launch.flag("no_python"):
        why = "code on the command line is not looked at" if name == "-c" else "a command, and no Python file"
        return Named(None, Unread("script", name, why, place, "the script itself in the launch command")), None
    module = name.replace(".", "/") if launch.is_module else ""
    names = [os.path.join(place, one) for place in launch.modules_in for one in _files_of(module)] if module else [name]
    if given is not None and any(_same_name(given[0], one) for one in names):
        return _parsed(*given)
    if launch.changed(name):
        return _changed("script", name, place, launch), None
    if not follow:
        return Named(None, _absent("script", name, place, "no such module" if module else ABSENT)), None
    fault = None
    for one in names:
        try:
            return _parsed(one, files.read(_home(one), MAX_BYTES), place)
        except Unreadable as error:
            fault = error if fault is None or error.reason != "absent" else fault
    if fault is not None and fault.reason != "absent":
        return Named(None, _unread("script", name, fault, place)), None
    return Named(None, _absent("script", name, place, "no such module" if module else ABSENT)), None


def _files_of(module: str) -> tuple[str, str]:
    return f"{module}.py", f"{module}/__main__.py"


# What reads a file that the command names, in scripts: TrlParser's --config, and the files of HfArgumentParser.
_READS = ("TrlParser", "parse_yaml_file", "parse_json_file")


def training_file(launch: Launch, script: Script | None, others: Sequence[Document], *, follow: bool) -> Unread | None:
    """The training file that a trainer's command, or a script by a trainer's parser, reads, neither given nor found.

    Args:
        others: the files of the run that are no training files.
    """
    named = trainings_named(launch)
    unread = next((_changed("training", one, None, launch).unread for one in named if launch.changed(one)), None)
    if unread is not None:
        return unread._replace(decides=True)
    if registry.by_command(launch) is None and not parses_file(script):
        return None
    name = next(iter(named), None)
    if name is None:
        return None
    document = next((one for one in others if _same_name(one.path, name)), None)
    if document is None and follow:
        try:
            document = read(name)
        except Unreadable as error:
            return _unread("training", name, error, None)._replace(decides=True)
    if document is None:
        return _absent("training", name, None)._replace(decides=True)
    if document.root is None or document.root.kind != "map":
        return Unread("training", name, "it holds no mapping", None, f"fp8check once {name} holds one", decides=True)
    why, command = "no training file that is known here", "--trainer with the name of the one that reads it"
    return Unread("training", name, why, None, command, decides=True)


def words_beside(source: ScriptSource) -> tuple[tuple[str, ...], Unread | None]:
    """The words of train.args beside train.py, which HfArgumentParser puts before those of the command.

    None of them where the script has no such parser, or no such file; the file, where it is there and cannot be read.
    """
    if not source.parsers:
        return (), None
    from fp8check.rules.reading.source import load  # few scripts have one

    path = f"{os.path.splitext(source.path)[0]}.args"
    try:
        return tuple(load(path, files.read(path, MAX_BYTES)).text.split()), None
    except Unreadable as error:
        return (), None if error.reason == "absent" else _unread("training", path, error, None)._replace(decides=True)


def parses_file(script: Script | None) -> bool:
    """Whether a script has a trainer's parser read the file that its command names."""
    source = None if script is None else script.source
    return source is not None and bool(source.parsers) and any(word in source.text for word in _READS)


def trainings_named(launch: Launch, *, read_by_command: bool = True) -> list[str]:
    """The files that the program's arguments name and that may be its training file, the likeliest first.

    Args:
        read_by_command: only those that the program reads; False: also those that it was given in the wrong way.
    """
    found = []
    before = ""
    by_command = registry.by_command(launch)
    wanted = by_command.file_flag if by_command is not None and read_by_command else None
    for word in launch.arguments:
        if word == "--":
            break
        flag, _, name = word.rpartition("=") if word.startswith("--") else (before, "", word)
        is_read = wanted is None or before == wanted
        before = word
        if is_read and name.endswith((".yaml", ".yml", ".json")) and (flag == "--config" or not flag.startswith("--")):
            found.append(name)
    return found


def _is_trainers_module(launch: Launch) -> bool:
    """Whether the program is a module of a trainer that has commands of its own: it is no script of the user's."""
    package = str(launch.script).partition(".")[0] if launch.is_module else ""
    ours = next((trainer for trainer in registry.TRAINERS if trainer.name == package), None)
    return bool(package) and (bool(ours.programs) if ours is not None else registry.is_trainer(package))


def _parsed(name: str, data: bytes, place: Setting | None = None) -> tuple[Named, Script | None]:
    from fp8check.rules.reading.source import load
    from fp8check.rules.settings.script_syntax import parse, why_unparsed

    try:
        text = load(name, data)
    except Unreadable as error:
        return Named(None, _unread("script", name, error, place)), None
    source = parse(text)
    if source is None:
        why = why_unparsed(text)
        return Named(None, Unread("script", name, why, place, "a script that Python can parse")), None
    # A report shows its lines.
    document = Document(name, source.text, "python", None, loader="python", kind=Kind("script"))
    return Named(document), Script.of(source)


def script_source(document: Document) -> ScriptSource | None:
    """What a script does; None where it cannot be parsed."""
    from fp8check.rules.reading.source import Source
    from fp8check.rules.settings.script_syntax import parse

    return parse(Source(document.path, document.text))


def model_of(
    training: Training, given: Sequence[Document], facts: Facts, *, follow: bool
) -> tuple[models.ModelShape | None, Unread | None]:
    """The model's layers, and the config.json that would have told them, where it cannot be read."""
    for document in given:
        data = document.root.data() if document.root is not None else None
        if isinstance(data, dict):
            return models.from_config(data, training.model or document.path, "config.json"), None
    name = training.model
    if name is None:
        return None, None
    setting = training.setting_for("model")
    if follow:
        base = os.path.dirname(training.path or "") or "."
        found = models.search(name, base=base, environ=facts.variables or {})
    else:
        found = models.not_looked_for(name)
    if not found.unread:
        return found.shape, None
    return found.shape, Unread("model", name, found.unread, setting, _here(f"{name}/config.json"))


def _found(
    input_: FileInput,
    places: Sequence[str],
    name: str,
    setting: Setting | None,
    *,
    follow: bool,
    loader: str | None = None,
) -> Named:
    """The document at the first of some places that has one."""
    if not follow:
        return Named(None, _absent(input_, name, setting))
    for place in places:
        try:
            document = read(place, loader=loader)
        except Unreadable as error:
            if error.reason == "absent":
                continue
            unread = _unread(input_, place, error, setting)
            return Named(None, unread._replace(broken=input_ == "deepspeed" and _is_no_json(place)))
        if loader == "json" and (document.root is None or document.root.kind != "map"):
            why = "it holds no mapping"
            return Named(None, Unread(input_, place, why, setting, f"a {name} that DeepSpeed and the Trainer can read"))
        return Named(document)
    return Named(None, _absent(input_, name, setting))


def _changed(input_: FileInput, path: str, setting: Setting | None, launch: Launch) -> Named:
    """A file that the script of the run writes or changes before it starts it."""
    why = launch.changed(path)
    return Named(None, Unread(input_, path, why, setting, f"fp8check on {path} as it is after that line"))


def _filled_in(input_: FileInput, setting: Setting) -> Named:
    """A file whose name is filled in later."""
    return Named(None, _later(input_, setting))


def _later(input_: FileInput, setting: Setting) -> Unread:
    return Unread(input_, str(setting.shown), "its name is filled in later", setting, FILLED_IN)


def _is_no_json(path: str) -> bool:
    """Whether json.load, by which DeepSpeed's file is read everywhere, refuses it as well."""
    import json

    try:
        json.loads(files.read(path, MAX_BYTES))
    except ValueError:
        return True
    except (Unreadable, RecursionError):
        pass
    return False


# What is filled in before anything reads the file, by a program that knows these marks.
_FILLED_IN_BEFORE = ("{{", "{%", "<%")
_PARSED_AGAIN = 100_000  # characters that PyYAML's own parser is given, for its words: it is slow, and asked again


def _no_yaml(path: str, error: Unreadable) -> Refused | None:
    """What PyYAML's scanner or parser stops at, which all loaders share; None where it goes on, or in a template."""
    # Not where reading stops for a reason of its own ("large"), as at more values than anybody writes.
    if error.line is None or error.reason != "content" or not path.endswith((".yaml", ".yml")):
        return None
    import yaml

    try:
        text = files.read(path, MAX_BYTES).decode()
        if len(text) > _PARSED_AGAIN:
            return None
        if "template" in os.path.basename(path).lower() or any(mark in text for mark in _FILLED_IN_BEFORE):
            return None
        for _ in yaml.parse(text, Loader=yaml.SafeLoader):
            pass
    except yaml.MarkedYAMLError as fault:
        return Refused(type(fault).__name__, f'{fault.problem} in "{path}", line {error.line}, column {error.column}')
    except (yaml.YAMLError, Unreadable, UnicodeDecodeError, RecursionError):
        pass
    return None


def _unread(input_: FileInput, path: str, error: Unreadable, setting: Setting | None) -> Unread:
    where = f" (line {error.line})" if error.line is not None else ""
    refused = _no_yaml(path, error) if input_ in ("training", "accelerate") else None
    command = _here(path) if refused is None else f"fp8check once {path} is YAML"
    return Unread(input_, path, error.message + where, setting, command, refused=refused)


def _absent(input_: FileInput, path: str, setting: Setting | None, why: str = ABSENT) -> Unread:
    return Unread(input_, path, why, setting, _here(path), absent=True)


def _here(path: str) -> str:
    return f"fp8check where {path} can be read; to a service, send it along"


def _home(path: str) -> str:
    return os.path.expanduser(path) if path.startswith("~") else path
