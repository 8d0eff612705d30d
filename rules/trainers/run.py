"""One run, as it is asked for: what the prediction starts from."""

from __future__ import annotations

from fp8check.rules.settings.accelerate import AccelerateConfig
from fp8check.rules.settings.script import ARGUMENTS, PARSERS, Unevaluated
from fp8check.rules.trainers.training import Training

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.facts import Facts
    from fp8check.rules.models import ModelShape
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.settings.script import Call, ScriptSource
    from fp8check.rules.settings.values import Section, Setting


class Script:
    """What a script of the user's own hands to Accelerator, where it is known.

    Attributes:
        source: the script itself, where it was read.
        environment: the variables that it sets before it makes its Accelerator.
        unknown: what of it cannot be told without running it; "" where all that matters is known.
        mixed_precision: the argument, or None.
        handler: the class of the recipe handler passed ("TERecipeKwargs", "AORecipeKwargs", "FP8RecipeKwargs",
            "MSAMPRecipeKwargs"), or None, and its arguments.
        prepares_together: whether model and optimizer go into one prepare() call.
        models: how many models go into one prepare() call.
    """

    __slots__ = (
        "environment",
        "handler",
        "handler_arguments",
        "mixed_precision",
        "models",
        "prepares_together",
        "source",
        "unknown",
    )

    def __init__(
        self,
        mixed_precision: Setting | None = None,
        handler: str | None = None,
        handler_arguments: Mapping[str, object] | None = None,
        prepares_together: bool = True,
    ) -> None:
        self.mixed_precision = mixed_precision
        self.handler = handler
        self.handler_arguments = dict(handler_arguments or {})
        self.prepares_together = prepares_together
        self.source: ScriptSource | None = None
        self.environment: dict[str, Setting] = {}
        self.unknown = ""
        self.models = 1

    @classmethod
    def of(cls, source: ScriptSource) -> Script:
        """What a script does, from its text."""
        script = cls()
        script.source = source
        maker = source.accelerator
        if maker is None:
            if source.named("Accelerator"):
                script.unknown = f"{source.path} makes more than one Accelerator"
            elif source.named(*ARGUMENTS, *PARSERS):
                script.unknown = _own_arguments(source)
            return script
        precision = maker.keywords.get("mixed_precision")
        spread = maker.keywords.get("**")
        if precision is None and spread is not None and isinstance(spread.value, Unevaluated):
            script.unknown = f"{source.path} passes **{spread.value.text} to Accelerator"
        elif precision is not None and isinstance(precision.value, Unevaluated):
            script.unknown = f"{source.path} passes mixed_precision={precision.value.text} to Accelerator"
        elif precision is not None and precision.value is not None:
            script.mixed_precision = precision
        if source.passed is not None:
            script.handler = source.passed.name
            script.handler_arguments = _literals(source.passed)
        script.prepares_together = model_prepared_alone(source) is None
        script.models = max((len(models_in(call)) for call in source.prepares), default=1)
        for one in source.assigned:
            if source.before(one, maker) and not isinstance(one.setting.value, Unevaluated):
                script.environment[one.name] = one.setting._replace(value=str(one.setting.value))
        return script


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


class Run:
    """The files, the launch command, the machine and the model of one run.

    Attributes:
        accelerate: the Accelerate configuration at hand, whether or not the launch reads it.
        accelerate_is_default: it is the machine's default_config.yaml, not named by --config_file.
        deepspeed: the DeepSpeed JSON that either file names.
        tokens: tokens in a batch, where it is known exactly; None where batches are padded to what they hold.
    """

    __slots__ = (
        "accelerate",
        "accelerate_is_default",
        "deepspeed",
        "facts",
        "launch",
        "model",
        "script",
        "tokens",
        "training",
    )

    def __init__(
        self,
        *,
        launch: Launch,
        facts: Facts,
        accelerate: AccelerateConfig | None = None,
        training: Training | None = None,
        deepspeed: Section | None = None,
        model: ModelShape | None = None,
        script: Script | None = None,
        accelerate_is_default: bool = False,
        tokens: int | None = None,
    ) -> None:
        self.tokens = tokens
        self.launch = launch
        self.facts = facts
        self.accelerate = accelerate
        self.training = training if training is not None else Training("script")
        self.deepspeed = deepspeed
        self.model = model
        self.script = script if script is not None else Script()
        self.accelerate_is_default = accelerate_is_default

    @property
    def config_read(self) -> AccelerateConfig | None:
        """The Accelerate configuration that the launch really reads.

        Only `accelerate launch` reads one, and with --cpu it passes over the default file
        (commands/launch.py _validate_launch_command).
        """
        if self.launch.tool != "accelerate":
            return None
        if self.accelerate_is_default and self.launch.flag("cpu"):
            return None
        return self.accelerate
