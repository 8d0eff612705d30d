"""The Hugging Face Trainer, in a script of which nothing more is known."""

from __future__ import annotations

from fp8check.rules.reading.kind import Kind
from fp8check.rules.releases import behaviors
from fp8check.rules.settings.script import PLACES
from fp8check.rules.settings.values import Origin, Setting
from fp8check.rules.trainers.data import Detection, count, has_share, names
from fp8check.rules.trainers.huggingface import ARGUMENTS, LESS_USUAL, OFF_GPUS, TELLING, HuggingFace
from fp8check.rules.trainers.training import DTYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.models import ModelShape
    from fp8check.rules.reading.kind import Shape
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.settings.script import Script
    from fp8check.rules.trainers.training import Thing


_SEQUENCE = names("max_seq_length block_size model_max_length")


def _tells(shape: Shape) -> bool:
    if shape.get("model") == "map":
        return False  # torchtune and Hydra describe the model there
    known = count(shape, ARGUMENTS | TELLING)
    enough = known >= 2 or count(shape, TELLING) > ("fp8" in shape)  # which transformers does not have
    return enough and (2 * known >= len(shape) or (known >= 4 and has_share(shape, known)))


class Transformers(HuggingFace):
    """A configuration for the Hugging Face Trainer."""

    __slots__ = ()

    name = "transformers"
    shards_from_cpu = True
    title = "the Hugging Face Trainer"
    detections = (Detection(80, _tells, Kind("training", "transformers")),)
    shares_keys = True
    telling = ARGUMENTS | TELLING
    known = ARGUMENTS | OFF_GPUS | LESS_USUAL | _SEQUENCE
    sequence_key = "max_seq_length"
    batches_by_script = True
    written_in_scripts = True
    keeps_text = True

    def uncounted(self, launch: Launch, script: Script) -> str:
        """See Training."""
        own = self._counts("attn_implementation", None, "sdpa", "flash_attention_2")
        return own or super().uncounted(launch, script)

    def setting_for(self, what: Thing) -> Setting | None:
        """run_clm.py of transformers' examples calls the length block_size, the scripts of Alpaca model_max_length."""
        if what != "sequence":
            return super().setting_for(what)
        lengths = (self.get(name) for name in ("max_seq_length", "block_size", "model_max_length"))
        return next(
            (setting for setting in lengths if setting is not None and (setting.is_later or setting.value is not None)),
            None,
        )

    def replicates(self, stack: Stack, launch: Launch, script: Script) -> bool | None:
        """See Training. A model that is loaded with a device_map over several GPUs is not wrapped (n_gpu 1)."""
        return None if self.value(PLACES) else True

    def weights(self, stack: Stack, model: ModelShape | None) -> Setting | None:
        """transformers 5 loads what config.json names, where 4 loads float32 (modeling_utils.py from_pretrained).

        A script that loads its model itself may do otherwise: what it says is a setting, too.
        """
        written = self.get("dtype") or self.get("torch_dtype")
        if written is not None and written.value == "auto":
            return dtype_of_checkpoint(model)
        return self.written_dtype() or loaded_dtype(stack, model)


def loaded_dtype(stack: Stack, model: ModelShape | None) -> Setting | None:
    """What from_pretrained() loads where nobody names a type."""
    if not stack.does(behaviors.Transformers.LOADS_CHECKPOINT_DTYPE):
        return Setting("float32", Origin(default=stack.name("transformers")))
    return dtype_of_checkpoint(model)


def dtype_of_checkpoint(model: ModelShape | None) -> Setting | None:
    """What config.json says that the weights are kept in."""
    named = model.dtype if model is not None else None
    return Setting(named, Origin(code="the model's config.json")) if named in DTYPES else None
