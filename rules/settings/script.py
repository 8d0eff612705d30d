"""What a training script of the user's own does with Accelerate. syntax.py finds it out, without running anything."""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
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
