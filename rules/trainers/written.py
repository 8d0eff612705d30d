"""The training configuration that a script writes itself: TrainingArguments(bf16=True), and SFTConfig and its kin."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.settings.script import (
    AFTERWARD,
    ARGUMENTS,
    PARSERS,
    PLACES,
    REENTRANT,
    WRITTEN_OUT,
    Unevaluated,
    options_of,
)
from fp8check.rules.settings.script_known import known
from fp8check.rules.settings.script_model import (
    CHECKPOINTS,
    adapters_of,
    batches_of,
    checkpointing_of,
    is_used,
    model_of,
)
from fp8check.rules.settings.values import Later, Origin, Section, Setting, SettingLater

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.settings.script import Call, ScriptSource
    from fp8check.rules.settings.script_known import Start

# What decides over FP8 and over the memory: where a script may set any of it, none is known.
_DECIDING = ("bf16", "fp16", "gradient_checkpointing", "deepspeed", "fsdp", "per_device_train_batch_size")
_MOST = 16  # places where a script makes its arguments
_OF_TRL = ("ScriptArguments", "ModelConfig", "DatasetMixtureConfig")  # what its scripts parse beside the arguments
# By which a script reads a file in its own way: what of it becomes an argument, the keys of the file do not tell.
_READS_ITSELF = ("yaml.safe_load", "yaml.load", "yaml.full_load", "OmegaConf", "hydra", "tomllib", "json.load")
_LORA = ("use_lora", "use_peft", "lora", "peft", "use_qlora", "lora_enable", "lora_rank", "lora_r")


class Written(Record):
    """What of a training configuration stands in a script.

    Attributes:
        settings: what the script passes; these go before any file and any flag.
        defaults: what holds where neither a file nor a flag says otherwise.
        parsed: whether the rest comes of a file and of flags; else nothing but the script sets anything.
        words: what its parser gets in the place of the command line; None where it gets that.
    """

    settings: Mapping[str, Setting]
    defaults: Mapping[str, Setting] = {}
    parsed: bool = False
    words: tuple[str, ...] | None = None

    def over(self, file: Section, flags: Mapping[str, Setting]) -> tuple[Section, dict[str, Setting]]:
        """The file and what lies over it; where nothing but the script sets anything, no file counts, and no flag."""
        if not self.parsed:
            return Section(), {**self.defaults, **self.settings}
        defaults = {name: setting for name, setting in self.defaults.items() if name not in file}
        return file, {**defaults, **flags, **self.settings}


def written(script: ScriptSource, modules: Sequence[ScriptSource], start: Start, *, file: bool) -> Written:
    """The configuration that a script and its modules write, for a Trainer of transformers or TRL.

    Args:
        start: how the script is started.
        file: whether a training file is at hand.
    """
    words = start.words or ()
    options = options_of([script, *modules], start.words, start.variables)
    every = [known(script, modules, start), *(module.with_options(options) for module in modules)]
    fields = {
        name: _known(name, setting)
        for source in every
        if source.command_line
        for name, setting in source.command_line.derived.items()
        if "fp8" not in name  # which neither transformers nor TRL has: the class's own code reads it
    }
    calls = next((made for source in every if (made := source.named(*ARGUMENTS))), ())
    classes = {*ARGUMENTS, *(name for source in every for name in source.derived)}
    given = {name for source in every for name in source.parsers}
    parsed = bool(given & classes) or (not calls and bool(given))
    itself = any(word in source.text for source in every for word in _READS_ITSELF)
    adapters = {**_adapters(every, options), **adapters_of(every)}
    loaded = {**_loaded(every), **_checkpointing(every)}
    changed = _changed(every)
    line = script.command_line
    if parsed and line is not None and line.mapped is not None:
        return Written(
            {name: Setting(one, Origin(code=script.path)) for name, one in line.mapped.items()}, {**loaded, **adapters}
        )
    if parsed or not 0 < len(calls) <= _MOST:
        preset = {} if line is None else {name: _known(name, setting) for name, setting in line.preset.items()}
        fields = {**fields, **preset}
        how = f"{script.path} makes its arguments in a way that is not known here"
        file = file and not itself
        unknown = {} if parsed or file else _unknown(script, how)
        refused = _refused(script, words) if parsed and script.parsers and not modules else {}
        fixed = line.fixed if line is not None and parsed else None
        return Written({**loaded, **refused, **changed}, {**adapters, **unknown, **fields}, parsed or file, fixed)
    spread = any("**" in call.keywords for call in calls)
    names = dict.fromkeys(name for call in calls for name in call.keywords if name != "**")
    settings = {name: _one(name, [call.keywords.get(name) for call in calls], calls) for name in names}
    settings |= _no_keywords(every, calls)
    asked = settings.get("gradient_checkpointing")
    settings = {**loaded, **settings}
    if asked is None or asked.is_later or asked.value is not True:  # to leave it off switches nothing off
        settings |= _checkpointing(every)
    settings |= changed
    if not spread:
        return Written(settings, {**adapters, **fields})
    spread_by = next(call for call in calls if "**" in call.keywords)
    text = str(_text(spread_by.keywords["**"]))
    file = file and (text.isidentifier() or not itself)  # a whole file may be, and no section of one is
    unknown = {} if file else _unknown(script, f"{spread_by.span.file}:{spread_by.span.line} passes **{text}")
    return Written(settings, {**adapters, **fields, **unknown}, file)


def _no_keywords(sources: Sequence[ScriptSource], calls: Sequence[Call]) -> dict[str, Setting]:
    """The keywords that the class of a call does not have, which is transformers' or TRL's own."""
    from fp8check.rules.trainers.data import is_no_argument

    taken = {name for source in sources for name in source.imports}
    own = {base for source in sources for base in source.derived.values()}  # a call has the name of the base
    made: dict[str, Setting] = {}
    for call in calls:
        if (
            call.retried
            or call.name in own
            or not any(f"{package}.{call.name}" in taken for package in ("transformers", "trl"))
        ):
            continue
        for name, setting in call.keywords.items():
            if is_no_argument(name) and not call.may_do_without(name):
                made[name] = setting._replace(origin=setting.origin._replace(code=call.name))
    return made


def _checkpointing(sources: Sequence[ScriptSource]) -> dict[str, Setting]:
    """That a script checkpoints its model by itself: a Trainer switches that on as well, and never off."""
    if not any(source.named(CHECKPOINTS) for source in sources):
        return {}
    made = checkpointing_of(sources)
    way = made.pop(REENTRANT, None)
    if way is not None and not way.is_later:
        made["gradient_checkpointing_kwargs"] = way._replace(value={"use_reentrant": way.value})
    return made


def _changed(sources: Sequence[ScriptSource]) -> dict[str, Setting]:
    """What is set of the arguments once they are made; of checkpointing the trainer says by which name it counts."""
    made: dict[str, Setting] = {}
    for one in (change for source in sources for change in source.changed):
        setting = _known(one.name, one.setting)
        own = "checkpointing" in one.name
        if one.perhaps and not (own and one.name.endswith("_kwargs")):
            name = "gradient_checkpointing" if own else one.name
            where = f"{one.setting.origin.describe()} may set {one.name} of {one.holder}"
            made[name] = SettingLater(Later(str(_text(one.setting)), where, WRITTEN_OUT), one.setting.origin)
        elif not one.perhaps:
            made[f"{AFTERWARD}{one.name}" if own else one.name] = setting
    return made


def _loaded(sources: Sequence[ScriptSource]) -> dict[str, Setting]:
    """The model that the script itself loads, and the length to which it cuts its texts, for a Trainer."""
    lengths = batches_of(sources).get("max_length")
    made = {**model_of(sources), **({"max_seq_length": lengths} if lengths is not None else {})}
    places = next((source for source in sources if "device_map" in source.text), None)
    return made if places is None else {**made, PLACES: Setting(True, Origin(code=places.path))}


def _refused(script: ScriptSource, words: Sequence[str]) -> dict[str, Setting]:
    """The flags that no class of the script's parser can have; none where some classes may not be seen here."""
    from fp8check.rules.trainers.arguments import options, settings
    from fp8check.rules.trainers.data import is_no_argument
    from fp8check.rules.trainers.deciding import may_train

    if not script.named(*PARSERS) or "return_remaining_strings" in script.text:
        return {}
    if any(may_train(name, frozenset()) for name in script.imports):
        return {}
    classes = {*ARGUMENTS, *script.derived, *_OF_TRL}
    if any(name not in classes and f"class {name}" not in script.text for name in script.parsers):
        return {}
    own = script.command_line.options if script.command_line is not None else {}
    given = [one for one in options(words) if is_no_argument(one[0]) and one[0] not in own]
    return settings(given, frozenset(name for name, _, _ in given))


def _unknown(script: ScriptSource, why: str) -> dict[str, Setting]:
    return {
        name: SettingLater(Later("?", f"whether {name} is set: {why}", WRITTEN_OUT), Origin(code=script.path))
        for name in _DECIDING
    }


def _one(name: str, given: Sequence[Setting | None], calls: Sequence[Call]) -> Setting:
    """What all calls that make the arguments pass; what is not known where they differ."""
    first = next(setting for setting in given if setting is not None)
    if all(setting is not None and setting.value == first.value for setting in given):
        return _known(name, first)
    ways = [
        f"{call.span.file}:{call.span.line} "
        + (f"with {name}={_text(setting)}" if setting is not None else f"without {name}")
        for call, setting in zip(calls, given, strict=True)
    ]
    why = f"the arguments are made in several places: {', '.join(ways)}"
    return SettingLater(Later(str(_text(first)), why, WRITTEN_OUT), first.origin)


def _known(name: str, setting: Setting) -> Setting:
    if not isinstance(setting.value, Unevaluated):
        return setting
    where = f"{setting.origin.describe()} passes {name}={setting.value.text}"
    return SettingLater(Later(setting.value.text, where, WRITTEN_OUT), setting.origin)


def _text(setting: Setting | None) -> object:
    value = None if setting is None else setting.value
    return value.text if isinstance(value, Unevaluated) else value


def _adapters(sources: Sequence[ScriptSource], options: Mapping[str, Setting]) -> dict[str, Setting]:
    """That adapters are trained, where a script uses PEFT; whether, where its command line says."""
    for source in sources:
        names = ("peft", "peft.LoraConfig", "peft.get_peft_model")
        uses = next((one for one in source.imports if one in names and is_used(source, one)), None)
        if uses is None:
            continue
        asked = next((setting for name, setting in options.items() if name in _LORA), None)
        if asked is None:
            return {"use_peft": Setting(True, Origin(code=source.path))}
        if not asked.is_later:
            return {"use_peft": asked._replace(value=bool(asked.value))}
        why = f"{source.path} uses {uses} where its command line says"
        return {"use_peft": SettingLater(Later(uses, why, WRITTEN_OUT), asked.origin)}
    return {}
