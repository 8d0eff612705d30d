"""A script of the user's own, which makes its Accelerator itself: nothing is known of what it takes from a file."""

from __future__ import annotations

from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.settings.script import COMPILES, REENTRANT, WRAPS, WRITTEN_OUT, in_script
from fp8check.rules.settings.values import Undecided
from fp8check.rules.trainers.data import AcceleratorArguments, HandedOver
from fp8check.rules.trainers.training import Training

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.models import ModelShape
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.script import Script
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.data import Environment
    from fp8check.rules.trainers.training import Thing

# By which names the settings that a script itself says are kept (rules/settings/script_model.py).
SAID: Mapping[Thing, str] = {"model": "model_name_or_path", "micro_batch": "batch_size", "sequence": "max_length"}


class OwnScript(Training):
    """A configuration that a script of the user's own reads, if there is any."""

    __slots__ = ()

    name = "script"
    title = "the script"

    def setting_for(self, what: Thing) -> Setting | None:
        """What the script itself says in literals, or its command line; of a file nobody knows what it takes."""
        written = self.get(SAID[what])
        return written if written is not None and (in_script(written) or written.origin.flag is not None) else None

    @property
    def compiled(self) -> Setting | None:
        """That the script may compile its model itself, where a word of it says so."""
        return self.get(COMPILES)

    def reentrant(self, stack: Stack) -> bool | None:
        """See Training; in a script gradient_checkpointing_enable() itself is told."""
        if not in_script(self.get("gradient_checkpointing")):
            return super().reentrant(stack)
        written = self.get(REENTRANT)
        return self._reentrant_by_default(stack) if written is None else bool(written.value)

    @property
    def deepspeed(self) -> Setting | None:
        """LLaMA-Factory v1, of which nothing else is modeled, names it in a section for the distribution."""
        named = self.top.section("dist_config").get("config_file")
        return named if named is not None and isinstance(named.value, str) else None

    def hand_over(self, stack: Stack, environment: Environment, script: Script) -> Iterator[HandedOver]:
        """What the script says in literals."""
        if script.several:
            raise Undecided(script.ways(environment), WRITTEN_OUT)
        if script.unknown:
            raise Undecided(script.unknown, WRITTEN_OUT)
        arguments = AcceleratorArguments(
            script.mixed_precision,
            script.handler,
            script.handler_arguments,
            "together" if script.prepares_together else "model first",
        )
        yield HandedOver(script.over(environment), arguments)

    def check_model(self, stack: Stack, model: ModelShape | None) -> None:
        """See Training: PEFT looks whether a layer is torchao's as soon as the script has it wrap its model."""
        wraps = self.get(WRAPS)
        pair = None if wraps is None else stack.adapters_break(pins_old_peft=False)
        if wraps is None or pair is None:
            return
        if wraps.is_later:
            raise Undecided(
                f"whether {wraps.origin.describe()} wraps its model, which these releases of PEFT and torchao end with",
                WRITTEN_OUT,
            )
        text = pair.message.format(version=stack.known("torchao"))
        raise PredictedError("peft-against-torchao", "arguments", pair.type, text, (wraps,))

    @classmethod
    def sample(cls, *, bf16: bool, checkpointing: bool, lora: bool) -> dict[str, object] | None:
        """A script has no bf16 flag."""
        if bf16:
            return None
        return {
            "gradient_checkpointing": checkpointing,
            "gradient_checkpointing_kwargs": {"use_reentrant": False},
            **({"use_peft": True, "lora_r": 16} if lora else {}),
        }
