"""What a training script of the user's own does with Accelerate, and with FP8. Nothing of it is run to find out."""

from __future__ import annotations

from functools import lru_cache

from fp8check.rules.record import Record
from fp8check.rules.settings.values import Later, Origin, Setting, SettingIfUnset, SettingLater, Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.reading import Span
    from fp8check.rules.settings.script_forms import Form
    from fp8check.rules.settings.script_options import CommandLine

HANDLERS = ("TERecipeKwargs", "AORecipeKwargs", "FP8RecipeKwargs", "MSAMPRecipeKwargs")
# Other kinds of handlers of accelerate 0.34 to 1.15 (utils/dataclasses.py): none of them is about FP8.
OTHER_HANDLERS = frozenset(
    (
        *("DistributedDataParallelKwargs", "InitProcessGroupKwargs", "GradScalerKwargs", "AutocastKwargs"),
        *("ProfileKwargs", "DDPCommunicationHookType"),
    )
)
# Classes of what these keywords are given, and of what recipe handlers are.
PLUGIN_CLASSES = ("FullyShardedDataParallelPlugin", "DeepSpeedPlugin", "ParallelismConfig", "TorchTensorParallelPlugin")
# The keywords of Accelerator that decide how the run is distributed, by an object that the script makes.
PLUGINS = (
    *("fsdp_plugin", "deepspeed_plugin", "deepspeed_plugins", "megatron_lm_plugin", "parallelism_config"),
    "torch_tp_plugin",
)
# Variables that decide what Accelerate does.
DECIDING = ("ACCELERATE_", "FSDP_")
# Values of an option that turn nothing on.
_OFF = (None, False, "", "no", "none", "bf16", "fp16", "fp32", "float32", "bfloat16")
_MOST_SAID = 4  # Accelerators of one script that a message names
# What would tell what a script does.
WRITTEN_OUT = (
    "fp8check -- COMMAND, where a flag of the command or a variable in front of it (NAME=value) decides it; "
    "else a literal in its place"
)
# Under this name, which no file has, whose code loads the model of a script: "trl", where its Trainer does, or
# "transformers". What the weights are kept in without a dtype differs.
LOADER = "loaded by"
# And that it may place the layers of its model itself, over several GPUs.
PLACES = "places layers"
# And that a script may compile its model.
COMPILES = "compiles"
# What is set of a Trainer's arguments once they are made, as a setting of its own: not every release looks again.
AFTERWARD = "afterward: "
# Whether its gradient checkpointing is reentrant, where it says so.
REENTRANT = "checkpoints reentrant"
# That it wraps its model for adapters; later where that stands in a block or a function.
WRAPS = "wraps for adapters"
# Arguments of recipe handlers on which nothing hangs that is predicted here.
_WITHOUT_EFFECT = ("interval", "module_filter_func")
# The arguments of a Trainer, and what makes them of the command line: their bf16 and fp16 decide, not the Accelerate
# file. Those of TRL are the classes of 1.16.0 below its _BaseConfig, and older ones.
ARGUMENTS = (
    *("TrainingArguments", "Seq2SeqTrainingArguments", "SFTConfig", "DPOConfig", "GRPOConfig", "KTOConfig"),
    *("ORPOConfig", "CPOConfig", "RewardConfig", "RLOOConfig", "PPOConfig", "OnlineDPOConfig", "DistillationConfig"),
    *("GKDConfig", "GOLDConfig", "BCOConfig", "PRMConfig", "XPOConfig", "NashMDConfig"),
)
PARSERS = ("HfArgumentParser", "TrlParser")
# The Trainers whose keywords are known (rules/releases/trainer_keywords.py), by the package that has them.
TRAINERS = {
    **dict.fromkeys(("Trainer", "Seq2SeqTrainer"), "transformers"),
    **dict.fromkeys(("SFTTrainer", "DPOTrainer", "GRPOTrainer", "RewardTrainer", "KTOTrainer", "RLOOTrainer"), "trl"),
}
# Calls after which a variable of Accelerate comes too late: they read the environment.
READERS = ("Accelerator", *ARGUMENTS)


# Keywords that all calls of a script together are given by mappings; of what is spread behind them nothing is known.
MOST_SPREAD = 5_000
_KEPT = 16  # scripts of which what is asked often is kept


class Unevaluated(Record):
    """An expression that is no literal: what it evaluates to is known to the script alone.

    Attributes:
        form: what it hangs on, where that is the command line alone (rules/settings/script_forms.py).
        perhaps: whether it is what a mapping gets by a statement of its own, which may not be reached, so that the call
            may do without the keyword.
    """

    text: str
    form: Form | None = None
    perhaps: bool = False


def is_perhaps(setting: Setting) -> bool:
    """Whether a call may not be given a keyword after all."""
    return isinstance(setting.value, Unevaluated) and setting.value.perhaps


class Made(Record):
    """What a call of a package's class makes: its name, and what it is given; a value may be script_values.UNKNOWN.

    Attributes:
        whole: whether no `*` or `**` of it is unknown.
        line, column: where what is called stands, as ast counts.
    """

    name: str
    keywords: Mapping[str, object] = {}
    positional: tuple[object, ...] = ()
    whole: bool = True
    line: int = 0
    column: int = 0


class Call(Record):
    """One call.

    Attributes:
        name: the last part of what is called: "Accelerator", "prepare".
        keywords: the keyword arguments; a value is a literal's, or Unevaluated. "**" is a mapping that is spread.
        positional: the text of each positional argument; None where they hold a `*`.
        span: where that name stands.
        block: which list of statements it stands in, from the outermost inward; that of a function is negative.
        fallback: whether it makes what nobody handed over: `if accelerator is None: accelerator = Accelerator()`.
        retried: whether another call of it is made where this one fails: `try: ... except TypeError: ...`.
        perhaps: whether it stands under a condition, and it is not known that the script comes there.
    """

    name: str
    keywords: dict[str, Setting]
    positional: tuple[str, ...] | None
    span: Span
    block: tuple[int, ...]
    fallback: bool = False
    retried: bool = False
    perhaps: bool = False

    def may_do_without(self, keyword: str) -> bool:
        """Whether it is not known that it is made with one of its keywords."""
        value = self.keywords[keyword].value
        return self.perhaps or (isinstance(value, Unevaluated) and value.perhaps)


class Assigned(Record):
    """`os.environ[name] = value`."""

    name: str
    setting: Setting
    span: Span
    block: tuple[int, ...]


class Changed(Record):
    """`args.name = value`, where `args` are a Trainer's arguments that are made.

    Attributes:
        anew: whether they are made once more with it: dataclasses.replace(args, name=value).
        perhaps: whether it stands under a condition.
    """

    holder: str
    name: str
    setting: Setting
    anew: bool = False
    perhaps: bool = False


class OwnFp8(Record):
    """A place of a script that turns FP8 on by other means than Accelerate's, or that may.

    Attributes:
        what: what is called or named there, with its module: "torchao.float8.convert_to_float8_training".
        sure: whether it computes in FP8 whenever the script runs; else its name alone has to do with FP8.
        backend: whose FP8 that is, as people call it; None where it is not known.
        recipe: the only recipe class of Transformer Engine that the script makes, with its place; None where it makes
            several, or only under a condition.
        word: whether it is only a word, as "fp8", or a recipe handler, that is kept, compared or handed on.
    """

    what: str
    sure: bool
    backend: str | None
    span: Span
    recipe: Setting | None = None
    word: bool = False

    @property
    def setting(self) -> Setting:
        """The place, as a setting that asks for FP8."""
        return Setting(self.what, Origin(span=self.span))

    def describe(self) -> str:
        """What happens there, in one short phrase."""
        where = f"{self.span.file}:{self.span.line}"
        if self.sure:
            by = f" by {self.backend}" if self.backend is not None else ""
            return f"{where} turns FP8 on itself{by}: {self.what}"
        return f"{where} may turn FP8 on itself: {self.what}"


def in_script(setting: Setting | None) -> bool:
    """Whether a setting stands in a script, and is written as Python writes it."""
    return setting is not None and setting.origin.span is not None and setting.origin.span.file.endswith(".py")


class UsedTrainer(Record):
    """A Trainer, the arguments of one, or a package that trains, which a script uses.

    Attributes:
        what: its name, with its module: "transformers.Trainer".
        trainer: whose it is, by the name of rules/trainers; "" where it is none that is known here.
        idle: whether it is imported, and nothing in the script names it again.
    """

    what: str
    trainer: str
    span: Span
    idle: bool = False


class ScriptSource(Record):
    """One script.

    Attributes:
        calls: the calls that matter here, in the order of the file.
        assigned: the environment variables that it sets.
        passed: the FP8 recipe handler among the kwargs_handlers of its only Accelerator; None where there is none.
        text: its text, for those who show a line of it.
        own: where it turns FP8 on by other means, or may; what is sure stands first.
        hidden: what of its Accelerator is made in a way that cannot be told from the text; "" where all is told.
        imports: the modules that it imports, and the names that it takes of them, with their dots.
        trainers: the Trainers that it uses, in the order of the file.
        command_line: what it takes of its command line; None of a script that was not read.
        parsers: the classes that a parser makes of the command line, or of a file that this names.
        derived: the classes that are derived from a Trainer's arguments, each with the one that it comes from.
        unsure: what of the handlers of its Accelerator is not known; "" where all is.
        twice: a class of handlers of which its Accelerator gets two; None where there is none.
        variables: what it sets of the environment before its Accelerator, or may set; of one that it takes away the
            value is None. None where the script was not followed up to there.
        evaluates: the call that trains a model in evaluation mode; None where none does, or it is not known.
        detached: the call that goes back from what was computed without gradients; None as well.
        unprepared: the call that goes back from what a model computed that no prepare() was given; None as well.
        refused: the word of the command at which its parser ends it; None where there is none.
        uses: what it uses of packages that train, as "trl.DPOTrainer"; of one whose Trainer makes the Accelerator.
        changed: what it changes of a Trainer's arguments once they are made.
    """

    path: str
    text: str
    calls: tuple[Call, ...]
    assigned: tuple[Assigned, ...]
    passed: Call | None
    own: tuple[OwnFp8, ...] = ()
    hidden: str = ""
    imports: tuple[str, ...] = ()
    trainers: tuple[UsedTrainer, ...] = ()
    command_line: CommandLine | None = None
    parsers: frozenset[str] = frozenset()
    derived: Mapping[str, str] = {}
    unsure: str = ""
    twice: Call | None = None
    variables: Mapping[str, Setting] | None = None
    evaluates: Setting | None = None
    detached: Setting | None = None
    unprepared: Setting | None = None
    refused: Setting | None = None
    changed: tuple[Changed, ...] = ()

    def with_options(self, options: Mapping[str, Setting]) -> ScriptSource:
        """The script where the options of its command line are these: what hangs on them is known then."""
        if not options:
            return self
        from fp8check.rules.settings.script_forms import value_of

        def known(setting: Setting) -> Setting:
            if not isinstance(setting.value, Unevaluated) or setting.value.form is None:
                return setting
            try:
                made = value_of(setting.value.form, options, setting)
            except Undecided:
                return setting
            return setting if made.is_later else made

        def evaluated(call: Call) -> Call:
            return call._replace(keywords={name: known(setting) for name, setting in call.keywords.items()})

        passed = None if self.passed is None else evaluated(self.passed)
        own = tuple(one for one in self.own if one.sure or not self._is_off(one.span, options))
        return self._replace(calls=tuple(map(evaluated, self.calls)), passed=passed, own=own)

    def _is_off(self, span: Span, options: Mapping[str, Setting]) -> bool:
        """Whether an option of the command line stands there that is not set: args.fp8."""
        variable, _, name = self.text[span.start : span.end].partition(".")
        if self.command_line is None or variable not in self.command_line.results:
            return False
        option = options.get(name)
        return option is not None and not option.is_later and option.value in _OFF

    def named(self, *names: str) -> tuple[Call, ...]:
        """The calls of these names."""
        by_name = _by_name(_Same(self.calls))
        there = [name for name in names if name in by_name]
        if len(there) < 2:
            return by_name[there[0]] if there else ()
        return tuple(call for call in self.calls if call.name in names)

    @property
    def accelerator(self) -> Call | None:
        """The call that makes the Accelerator; None where there is none, or several that differ in what matters."""
        return _only_accelerator(_Same(self.calls))

    @property
    def dynamo(self) -> Setting | None:
        """The backend of torch.compile that it gives to Accelerator, by a keyword or in a TorchDynamoPlugin."""
        maker = self.accelerator
        given = [maker.keywords.get("dynamo_backend")] if maker is not None else []
        given += [call.keywords.get("backend") for call in self.named("TorchDynamoPlugin")]
        return next((one for one in given if one is not None), None)

    @property
    def dynamo_twice(self) -> bool:
        """Whether Accelerator gets both, of which it takes one."""
        maker = self.accelerator
        return maker is not None and {"dynamo_backend", "dynamo_plugin"} <= set(maker.keywords)

    @property
    def prepares(self) -> tuple[Call, ...]:
        """The calls of prepare() that name all that they prepare."""
        return tuple(call for call in self.named("prepare") if call.positional)

    def before(self, one: Assigned, call: Call) -> bool | None:
        """Whether an assignment runs before a call; None where the file alone does not tell.

        It tells where the call stands in the assignment's own list of statements, or deeper; a function may be called
        at any time after it is defined.
        """
        depth = len(one.block)
        if call.block[:depth] != one.block:
            return None
        if one.span.start < call.span.start:
            return True
        return None if any(number < 0 for number in call.block[depth:]) else False


def options_of(
    sources: Sequence[ScriptSource], words: Sequence[str] | None, variables: Mapping[str, str] | None = None
) -> dict[str, Setting]:
    """The options of a script and its modules, started with these words: of equal names those of the first count.

    Args:
        words: None where nobody said how it is started.
        variables: those of the shell; None where they are not known.
    """
    options: dict[str, Setting] = {}
    for one in reversed(sources):
        if one.command_line is not None:
            options.update(one.command_line.values(words, variables))
    return options


class Parsed(Record):
    """What a script's parser of dataclasses takes.

    Attributes:
        parser: TrlParser or HfArgumentParser.
        classes: the classes that it is given, by the names that transformers and TRL have for them.
        own: what classes of the script itself add.
        strict: whether a key of the file that no class has ends the run; it does not where the script asks so.
        word: a file's name on the command line that the parser takes for no option; "" where there is none.
        flags: the names of the flags on the command line, each as it is written; none where it may pass some over.
        asks: the fields of ModelConfig and ScriptArguments that the script looks at, of those without a default.
    """

    parser: str
    classes: tuple[str, ...]
    own: frozenset[str]
    strict: bool
    word: str = ""
    flags: tuple[tuple[str, str], ...] = ()
    asks: tuple[str, ...] = ()


class Script(Record):
    """What a script of the user's own hands to Accelerator, where it is known.

    Attributes:
        mixed_precision: the argument, or None.
        handler: the class of the recipe handler passed, one of HANDLERS, or None, and its arguments: of one that is no
            literal the value is Unevaluated.
        prepares_together: whether model and optimizer go into one prepare() call.
        source: the script itself, where it was read.
        environment: the variables that it sets before it makes its Accelerator, or may set.
        unknown: what of it cannot be told without running it; "" where all that matters is known.
        models: how many models go into one prepare() call.
        own: where it turns FP8 on by other means, or may; what is sure stands first.
        several: the calls that make its Accelerator, where there are several that differ.
        plugins: the objects by which it distributes the run, by the keyword of Accelerator.
        refused: the word of the command at which its parser ends it; None where there is none.
        arguments: the calls that make a Trainer's arguments, of transformers' own classes and TRL's.
        constructs: the calls that make a Trainer, of these as well.
        loads_late: whether it loads its model once the arguments are there; None where that is not known.
        compiled: the call of torch.compile() whose model its Trainer gets; None where none does.
        parsed: what its parser of dataclasses takes; None where that is not known, or no Trainer is used.
        maker: the module beside it that makes its Accelerator; None where it does that itself.
    """

    mixed_precision: Setting | None = None
    handler: str | None = None
    handler_arguments: Mapping[str, object] = {}
    prepares_together: bool = True
    source: ScriptSource | None = None
    environment: Mapping[str, Setting] = {}
    unknown: str = ""
    models: int = 1
    own: tuple[OwnFp8, ...] = ()
    several: tuple[Call, ...] = ()
    plugins: Mapping[str, Setting] = {}
    refused: Setting | None = None
    uses: tuple[str, ...] = ()
    arguments: tuple[Call, ...] = ()
    constructs: tuple[Call, ...] = ()
    loads_late: bool | None = None
    compiled: Call | None = None
    parsed: Parsed | None = None
    maker: ScriptSource | None = None

    @classmethod
    def of(cls, source: ScriptSource) -> Script:
        """What a script does, from its text."""
        maker = source.accelerator
        if maker is None:
            several = source.named("Accelerator")[:_MOST_SAID]
            unknown = _without_accelerator(source)
            return cls(source=source, unknown=unknown, own=source.own, several=several, refused=source.refused)
        precision = maker.keywords.get("mixed_precision")
        known = precision is not None and precision.value is not None and not isinstance(precision.value, Unevaluated)
        passed = source.passed
        return cls(
            mixed_precision=precision if known else None,
            handler=None if passed is None else passed.name,
            handler_arguments={} if passed is None else _arguments(passed),
            prepares_together=model_prepared_alone(source) is None,
            source=source,
            environment=_environment(source, maker),
            unknown=_unknown_precision(source, maker) or source.hidden or source.unsure or _plugin(source, maker),
            models=max((len(models_in(call)) for call in source.prepares), default=1),
            own=source.own,
            plugins=_plugins(maker),
            refused=source.refused,
        )

    @property
    def parallelism(self) -> Setting | None:
        """The object that says over how many processes it splits the model; None where it gives none."""
        return self.plugins.get("parallelism_config") or self.plugins.get("torch_tp_plugin")

    @property
    def deepspeed(self) -> Mapping[str, object] | None:
        """The configuration of the DeepSpeed plugin that it gives to Accelerator, the first of several; else None."""
        given = self.plugins.get("deepspeed_plugin") or self.plugins.get("deepspeed_plugins")
        value = None if given is None else given.value
        if isinstance(value, dict):
            value = next(iter(value.values()), None)
        if not isinstance(value, Made) or not value.whole or value.positional[1:]:
            return None
        config = value.positional[0] if value.positional else value.keywords.get("hf_ds_config")
        if config is not None:
            return config if isinstance(config, dict) else None
        stage = value.keywords.get("zero_stage")
        return {"zero_optimization": {"stage": stage}} if type(stage) is int else None

    @property
    def perhaps(self) -> str:
        """What of the script may ask for FP8, in words; "" where that is known."""
        if self.own and self.own[0].sure:
            return ""
        variables = (one.later.why for one in self.environment.values() if isinstance(one, SettingLater))
        return self.unknown or next((one.describe() for one in self.own), next(variables, ""))

    def ways(self, environment: Mapping[str, Setting]) -> str:
        """What comes of each of several Accelerators, in words.

        Args:
            environment: the variables that the launcher sets: they decide where no precision is passed.
        """
        started = environment.get("ACCELERATE_MIXED_PRECISION")
        default = "no" if started is None else started.shown
        where = "" if started is None else f", of {started.origin.describe()}"
        said = []
        for call in self.several:
            passed = _deciding(call)[0]
            made = f"line {call.span.line} makes Accelerator({f'mixed_precision={passed!r}' if passed else ''})"
            said.append(f"{made}: {_comes_to(passed if passed else default)}{'' if passed else where}")
        return f"which Accelerator trains hangs on what {self.several[0].span.file} does: {'; '.join(said)}"

    def over(self, environment: Mapping[str, Setting]) -> Mapping[str, Setting]:
        """The variables as the script leaves them."""
        if not self.environment:
            return environment
        own = {
            name: setting.over(environment.get(name))
            for name, setting in self.environment.items()
            if not (isinstance(setting, SettingIfUnset) and name in environment)
        }
        return {n: one for n, one in {**environment, **own}.items() if one.is_later or one.value is not None}

    def through(self, module: ScriptSource) -> Script:
        """The script whose Accelerator is made by a module beside it."""
        made = Script.of(module)
        source = self.source
        if source is not None:
            source = source._replace(
                evaluates=source.evaluates or module.evaluates,
                detached=source.detached or module.detached,
                unprepared=source.unprepared or module.unprepared,
            )
        return self._replace(
            maker=module,
            source=source,
            mixed_precision=made.mixed_precision,
            handler=made.handler,
            handler_arguments=made.handler_arguments,
            plugins=made.plugins,
            models=max(self.models, made.models),
            prepares_together=self.prepares_together and made.prepares_together,
            unknown=self.unknown or made.unknown,
        )

    def importing(self, module: ScriptSource, *, decided: bool = False) -> Script:
        """The script with what a module beside it does, where that matters; else itself.

        Args:
            decided: whether it is known which module makes its Accelerator.
        """
        alone = self.source is not None and self.source.accelerator is not None
        made = module.named("Accelerator") if alone else module.named("Accelerator", *ARGUMENTS, *PARSERS)
        made = tuple(call for call in made if not (alone and call.fallback))
        unknown = self.unknown
        if made and not unknown and not decided:
            call = made[0]
            unknown = f"{call.span.file}:{call.span.line} makes {call.name}, in a module that the script imports"
        variables = _environment(module, None)
        if not module.own and not variables and unknown == self.unknown:
            return self
        own = tuple(sorted((*self.own, *module.own), key=lambda one: not one.sure))
        return self._replace(own=own, environment={**variables, **self.environment}, unknown=unknown)

    @classmethod
    def beside_trainer(
        cls,
        script: Script,
        source: ScriptSource,
        parsed: Parsed | None = None,
        *,
        loads_late: bool | None = None,
        compiled: Call | None = None,
    ) -> Script:
        """What counts of a script whose Trainer makes the Accelerator: the FP8 that it turns on by other means.

        Args:
            loads_late, compiled: see script_model.loads_late and compiled_for.
        """
        environment = {**script.environment, **_environment(source, None)}
        uses = tuple(one.what for one in source.trainers)
        taken = {f"{package}.{name}" for package in ("transformers", "trl") for name in ARGUMENTS}
        imported = {one.rpartition(".")[2] for one in source.imports if one in taken}
        arguments = tuple(
            call for call in source.named(*ARGUMENTS) if call.name in imported - {*source.derived.values()}
        )
        constructs = tuple(
            call for call in source.named(*TRAINERS) if f"{TRAINERS[call.name]}.{call.name}" in source.imports
        )
        return cls(
            own=script.own,
            environment=environment,
            refused=script.refused,
            uses=uses,
            arguments=arguments,
            constructs=constructs,
            loads_late=loads_late,
            compiled=compiled,
            parsed=parsed,
        )


def _environment(source: ScriptSource, maker: Call | None) -> dict[str, Setting]:
    """The variables that are set before that call; where it is not known whether or to what, the value is unknown."""
    if source.variables is not None:
        return dict(source.variables)
    variables: dict[str, Setting] = {}
    for one in source.assigned:
        before = None if maker is None else source.before(one, maker)
        if before and not isinstance(one.setting.value, Unevaluated):
            variables[one.name] = one.setting._replace(value=str(one.setting.value))
        elif before is not False and one.name.startswith(DECIDING):
            text = one.setting.value.text if isinstance(one.setting.value, Unevaluated) else str(one.setting.value)
            why = f"{source.path}:{one.span.line} may set {one.name} to {text}"
            variables[one.name] = SettingLater(Later(text, why), one.setting.origin)
    return variables


class _Same:
    """The calls of a script, known by what they are: rules ask for them again and again, and to look through thousands
    each time, be it for their hash, took most of a check."""

    __slots__ = ("calls",)

    def __init__(self, calls: tuple[Call, ...]) -> None:
        self.calls = calls

    def __hash__(self) -> int:
        return id(self.calls)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.calls is other.calls


@lru_cache(maxsize=_KEPT)
def _by_name(same: _Same) -> Mapping[str, tuple[Call, ...]]:
    found: dict[str, list[Call]] = {}
    for call in same.calls:
        found.setdefault(call.name, []).append(call)
    return {name: tuple(calls) for name, calls in found.items()}


@lru_cache(maxsize=_KEPT)
def _only_accelerator(same: _Same) -> Call | None:
    made = _by_name(same).get("Accelerator", ())
    deciding = _deciding(made[0]) if made else ()
    return made[0] if made and all(_deciding(one) == deciding for one in made[1:]) else None


_DECIDING = ("mixed_precision", "kwargs_handlers", "**", *PLUGINS)


def _deciding(maker: Call) -> tuple[object, ...]:
    """What of a call of Accelerator decides over FP8 and the distribution, to be compared: the precision first.

    It is asked of each of thousands of calls, again and again.
    """
    given = maker.keywords
    values = [given[name].value if name in given else None for name in _DECIDING]
    return (*[one.text if isinstance(one, Unevaluated) else one for one in values], maker.positional is None)


def _comes_to(precision: object) -> str:
    return "FP8" if precision == "fp8" else "no FP8" if precision in ("no", "fp16", "bf16") else f"{precision}"


def _without_accelerator(source: ScriptSource) -> str:
    """What is not known of a script that does not make one Accelerator."""
    if source.named("Accelerator"):
        lines = ", ".join(str(call.span.line) for call in source.named("Accelerator")[:_MOST_SAID])
        return f"{source.path} makes more than one Accelerator, in lines {lines}"
    if source.hidden:
        return source.hidden
    return _own_arguments(source) if source.named(*ARGUMENTS, *PARSERS) else ""


def _unknown_precision(source: ScriptSource, maker: Call) -> str:
    """What the precision that a script passes hangs on; "" where it is a literal, or none is passed."""
    precision, spread = maker.keywords.get("mixed_precision"), maker.keywords.get("**")
    if precision is not None and isinstance(precision.value, Unevaluated):
        return f"{source.path} passes mixed_precision={precision.value.text} to Accelerator"
    if spread is not None and isinstance(spread.value, Unevaluated):
        return f"{source.path} passes **{spread.value.text} to Accelerator"
    return f"{source.path} passes arguments with * to Accelerator" if maker.positional is None else ""


def _plugins(maker: Call) -> dict[str, Setting]:
    """The objects by which the script distributes the run."""
    return {
        name: maker.keywords[name]
        for name in PLUGINS
        if name in maker.keywords and maker.keywords[name].value is not None
    }


def _plugin(source: ScriptSource, maker: Call) -> str:
    """That it is not known by which object of its own the script distributes the run; "" where it is."""
    plugin = next((name for name, one in _plugins(maker).items() if isinstance(one.value, Unevaluated)), None)
    return f"{source.path} passes {plugin} to Accelerator: it decides how the run is distributed" if plugin else ""


def _own_arguments(source: ScriptSource) -> str:
    """That a script makes the arguments of a Trainer itself, with what it says of precision there."""
    call = source.named(*ARGUMENTS, *PARSERS)[0]
    written = {name: call.keywords[name].value for name in ("bf16", "fp16") if name in call.keywords}
    flags = [f"{name}={value.text if isinstance(value, Unevaluated) else value}" for name, value in written.items()]
    said = f", with {' and '.join(flags)}" if flags else ""
    how = "makes its own" if call.name in ARGUMENTS else "reads its arguments by"
    return f"{source.path} {how} {call.name}{said}: its bf16 and fp16 decide, not the Accelerate file"


def _arguments(handler: Call) -> dict[str, object]:
    """The arguments of a recipe handler on which something hangs."""
    arguments = {name: one.value for name, one in handler.keywords.items() if name not in _WITHOUT_EFFECT}
    if handler.positional is None or handler.positional:
        arguments["*"] = Unevaluated(", ".join(handler.positional or ("*",)))
    return arguments


def models_in(call: Call) -> list[str]:
    """The models among what a call of prepare() is given, by their names: model, ref_model, self.model."""
    return [name for name in call.positional or () if name.lower().endswith("model")]


def model_prepared_alone(source: ScriptSource) -> Call | None:
    """A call of prepare() that is given a model and no optimizer, by the names of what it is given."""
    for call in source.prepares:
        names = [name.lower() for name in call.positional or ()]
        if any("model" in name for name in names) and not any("opt" in name for name in names):
            return call
    return None
