"""What a training script of the user's own does with Accelerate. syntax.py finds it out, without running anything."""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.reading import Span
    from fp8check.rules.settings.values import Setting

HANDLERS = ("TERecipeKwargs", "AORecipeKwargs", "FP8RecipeKwargs", "MSAMPRecipeKwargs")
# Calls after which a variable of Accelerate comes too late: they read the environment.
# The arguments of a Trainer, and what makes them of the command line: their bf16 and fp16 decide, not the Accelerate
# file. Those of TRL are the classes of 1.16.0 below its _BaseConfig, and older ones.
ARGUMENTS = (
    *("TrainingArguments", "Seq2SeqTrainingArguments", "SFTConfig", "DPOConfig", "GRPOConfig", "KTOConfig"),
    *("ORPOConfig", "CPOConfig", "RewardConfig", "RLOOConfig", "PPOConfig", "OnlineDPOConfig", "DistillationConfig"),
    *("GKDConfig", "GOLDConfig", "BCOConfig", "PRMConfig", "XPOConfig", "NashMDConfig"),
)
PARSERS = ("HfArgumentParser", "TrlParser")
READERS = ("Accelerator", *ARGUMENTS)


class Unevaluated(Record):
    """An expression that is no literal: what it evaluates to is known to the script alone."""

    text: str


class Call(Record):
    """One call.

    Attributes:
        name: the last part of what is called: "Accelerator", "prepare".
        keywords: the keyword arguments; a value is a literal's, or Unevaluated. "**" is a mapping that is spread.
        positional: the text of each positional argument; None where they hold a `*`.
        span: where that name stands.
        block: which list of statements it stands in, from the outermost inward; that of a function is negative.
    """

    name: str
    keywords: dict[str, Setting]
    positional: tuple[str, ...] | None
    span: Span
    block: tuple[int, ...]


class Assigned(Record):
    """`os.environ[name] = value`."""

    name: str
    setting: Setting
    span: Span
    block: tuple[int, ...]


class ScriptSource(Record):
    """One script.

    Attributes:
        calls: the calls that matter here, in the order of the file.
        assigned: the environment variables that it sets.
        passed: the FP8 recipe handler among the kwargs_handlers of its only Accelerator; None where there is none.
        text: its text, for those who show a line of it.
    """

    path: str
    text: str
    calls: tuple[Call, ...]
    assigned: tuple[Assigned, ...]
    passed: Call | None

    def named(self, *names: str) -> tuple[Call, ...]:
        """The calls of these names."""
        return tuple(call for call in self.calls if call.name in names)

    @property
    def accelerator(self) -> Call | None:
        """The call that makes the Accelerator; None where there is none, or more than one."""
        made = self.named("Accelerator")
        return made[0] if len(made) == 1 else None

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


class Script(Record):
    """What a script of the user's own hands to Accelerator, where it is known.

    Attributes:
        mixed_precision: the argument, or None.
        handler: the class of the recipe handler passed, one of HANDLERS, or None, and its arguments.
        prepares_together: whether model and optimizer go into one prepare() call.
        source: the script itself, where it was read.
        environment: the variables that it sets before it makes its Accelerator.
        unknown: what of it cannot be told without running it; "" where all that matters is known.
        models: how many models go into one prepare() call.
    """

    mixed_precision: Setting | None = None
    handler: str | None = None
    handler_arguments: Mapping[str, object] = {}
    prepares_together: bool = True
    source: ScriptSource | None = None
    environment: Mapping[str, Setting] = {}
    unknown: str = ""
    models: int = 1

    @classmethod
    def of(cls, source: ScriptSource) -> Script:
        """What a script does, from its text."""
        maker = source.accelerator
        if maker is None:
            return cls(source=source, unknown=_without_accelerator(source))
        precision = maker.keywords.get("mixed_precision")
        known = precision is not None and precision.value is not None and not isinstance(precision.value, Unevaluated)
        passed = source.passed
        return cls(
            mixed_precision=precision if known else None,
            handler=None if passed is None else passed.name,
            handler_arguments={} if passed is None else _literals(passed),
            prepares_together=model_prepared_alone(source) is None,
            source=source,
            environment={
                one.name: one.setting._replace(value=str(one.setting.value))
                for one in source.assigned
                if source.before(one, maker) and not isinstance(one.setting.value, Unevaluated)
            },
            unknown=_unknown_precision(source, maker),
            models=max((len(models_in(call)) for call in source.prepares), default=1),
        )


def _without_accelerator(source: ScriptSource) -> str:
    """What is not known of a script that does not make one Accelerator."""
    if source.named("Accelerator"):
        return f"{source.path} makes more than one Accelerator"
    return _own_arguments(source) if source.named(*ARGUMENTS, *PARSERS) else ""


def _unknown_precision(source: ScriptSource, maker: Call) -> str:
    """What the precision that a script passes hangs on; "" where it is a literal, or none is passed."""
    precision, spread = maker.keywords.get("mixed_precision"), maker.keywords.get("**")
    if precision is not None:
        text = f"mixed_precision={precision.value.text}" if isinstance(precision.value, Unevaluated) else ""
    else:
        text = f"**{spread.value.text}" if spread is not None and isinstance(spread.value, Unevaluated) else ""
    return f"{source.path} passes {text} to Accelerator" if text else ""


def _own_arguments(source: ScriptSource) -> str:
    """That a script makes the arguments of a Trainer itself, with what it says of precision there."""
    call = source.named(*ARGUMENTS, *PARSERS)[0]
    written = {name: call.keywords[name].value for name in ("bf16", "fp16") if name in call.keywords}
    flags = [f"{name}={value.text if isinstance(value, Unevaluated) else value}" for name, value in written.items()]
    said = f", with {' and '.join(flags)}" if flags else ""
    how = "makes its own" if call.name in ARGUMENTS else "reads its arguments by"
    return f"{source.path} {how} {call.name}{said}: its bf16 and fp16 decide, not the Accelerate file"


def _literals(handler: Call) -> dict[str, object]:
    return {name: one.value for name, one in handler.keywords.items() if not isinstance(one.value, Unevaluated)}


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
