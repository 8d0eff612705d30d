"""What a trainer takes from its training file. One class for all dialects; what differs is the table of names."""

from __future__ import annotations

from fp8check.rules.settings.values import Origin, Section, Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# What each dialect calls a thing. A thing that a dialect does not have is left out.
NAMES: Mapping[str, Mapping[str, str]] = {
    "llamafactory": {
        "model": "model_name_or_path",
        "micro_batch": "per_device_train_batch_size",
        "sequence": "cutoff_len",
        "deepspeed": "deepspeed",
    },
    "transformers": {
        "model": "model_name_or_path",
        "micro_batch": "per_device_train_batch_size",
        "sequence": "max_seq_length",
        "deepspeed": "deepspeed",
    },
    "trl": {
        "model": "model_name_or_path",
        "micro_batch": "per_device_train_batch_size",
        "sequence": "max_length",
        "deepspeed": "deepspeed",
    },
    "axolotl": {
        "model": "base_model",
        "micro_batch": "micro_batch_size",
        "sequence": "sequence_len",
        "deepspeed": "deepspeed",
    },
}

# Keys by which a LLaMA-Factory file for Megatron is told.
MEGATRON = ("tensor_model_parallel_size", "pipeline_model_parallel_size", "expert_model_parallel_size")

# per_device_train_batch_size of TrainingArguments; axolotl's micro_batch_size; LLaMA-Factory's cutoff_len
# (hparams/data_args.py@0.9.5); TRL's max_length (trainer/sft_config.py@1.16.0).
DEFAULT_MICRO_BATCH = {"llamafactory": 8, "transformers": 8, "trl": 8, "axolotl": 1}
DEFAULT_SEQUENCE = {"llamafactory": 2048, "trl": 1024, "axolotl": 512}


class Training:
    """A training configuration as its trainer sees it.

    `trainer` is who reads it: "llamafactory", "transformers", "trl", "axolotl", or "script" where a script of the
    user's own does, in which case nothing is known of what it takes from the file.
    """

    __slots__ = ("path", "top", "trainer")

    def __init__(self, trainer: str, top: Section | None = None, path: str | None = None) -> None:
        self.trainer = trainer
        self.top = top if top is not None else Section()
        self.path = path

    def get(self, name: str) -> Setting | None:
        """The setting of that key."""
        return self.top.get(name)

    def value(self, name: str, default: object = None) -> object:
        """The bare value of that key."""
        return self.top.value(name, default)

    def on(self, name: str) -> bool:
        """Whether a flag is on for the trainer: the loaded value is truthy, as a dataclass field is tested there."""
        return bool(self.top.value(name))

    def setting_for(self, what: str) -> Setting | None:
        """The setting that this dialect has for a thing of NAMES."""
        name = NAMES.get(self.trainer, {}).get(what)
        return None if name is None else self.get(name)

    @property
    def is_huggingface(self) -> bool:
        """Whether transformers.TrainingArguments and Trainer are underneath."""
        return self.trainer in NAMES

    @property
    def model(self) -> str | None:
        """The model's name or path, if the file gives one."""
        setting = self.setting_for("model")
        return setting.value if setting is not None and isinstance(setting.value, str) else None

    @property
    def micro_batch(self) -> int | None:
        """Sequences in one forward pass of one GPU."""
        return self._count("micro_batch", DEFAULT_MICRO_BATCH)

    @property
    def sequence(self) -> int | None:
        """The longest sequence, in tokens."""
        return self._count("sequence", DEFAULT_SEQUENCE)

    def _count(self, what: str, defaults: Mapping[str, int]) -> int | None:
        setting = self.setting_for(what)
        if setting is None or setting.value is None:
            return defaults.get(self.trainer)
        return setting.value if isinstance(setting.value, int) and setting.value > 0 else None

    @property
    def uses_lora(self) -> bool:
        """Whether adapters are trained on a frozen base."""
        if self.trainer == "llamafactory":
            return self.value("finetuning_type", "lora") in ("lora", "oft")
        if self.trainer == "axolotl":
            return self.value("adapter") in ("lora", "qlora")
        return self.on("use_peft")

    @property
    def lora_rank(self) -> int | None:
        """The adapters' rank; the dialect's default where the file does not say."""
        name, default = {"llamafactory": ("lora_rank", 8), "axolotl": ("lora_r", None)}.get(
            self.trainer, ("lora_r", 16)
        )
        rank = self.value(name, default)
        return rank if isinstance(rank, int) else None

    @property
    def uses_megatron(self) -> bool:
        """Whether LLaMA-Factory hands the file to Megatron, which has FP8 keys of its own (hparams/, USE_MCA)."""
        return self.trainer == "llamafactory" and any(name in self.top for name in MEGATRON)

    @property
    def quantized(self) -> Setting | None:
        """The setting that loads the base model quantized, if one does."""
        for name in ("quantization_bit", "load_in_4bit", "load_in_8bit"):
            setting = self.get(name)
            if setting is not None and setting.value:
                return setting
        return None

    @property
    def checkpointing(self) -> Setting | None:
        """What switches gradient checkpointing on, or None where it is off.

        LLaMA-Factory switches it on by itself unless `disable_gradient_checkpointing` is set
        (model/model_utils/checkpointing.py@0.9.5), whatever `gradient_checkpointing` says.
        """
        if self.trainer == "llamafactory":
            if self.on("disable_gradient_checkpointing"):
                return None
            written = self.get("gradient_checkpointing")
            own = Setting(True, Origin(code="llamafactory, which switches gradient checkpointing on by itself"))
            return written if written is not None and written.value else own.over(written)
        setting = self.get("gradient_checkpointing")
        return setting if setting is not None and setting.value else None
