"""Where the real stack would raise, and where a prediction cannot be made."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from fp8check.rules.settings.values import Setting

    # Where a run ends: in the launcher, TrainingArguments, the trainer, Accelerator(), prepare(), or the first step.
    Stage = Literal["launch", "arguments", "trainer", "accelerator", "prepare", "step"]

    # One for every error of the model, by which rules know it. mypy refuses any other word; the text is for people.
    ErrorCode = Literal[
        # trainers
        "fp16-and-bf16",
        "trainer-without-deepspeed",
        "unknown-training-key",
        "value-not-taken",
        "value-refused",
        "accumulates-nothing",
        "batch-without-columns",
        "backend-without-group",
        "rank-not-positive",
        "adapters-without-alpha",
        "adapters-on-head",
        "settings-not-together",
        "batch-size-not-positive",
        "ambiguous-flag",
        "trainer-without-model",
        "trainer-without-data",
        "dataset-not-named",
        "package-missing",
        "reporter-missing",
        "unknown-attention",
        "accelerate-too-old",
        "llamafactory-refuses-version",
        "ppo-wants-old-trl",
        "quantized-without-adapters",
        "quantization-not-trainable",
        "fp8-with-quantization",
        "json-never-read",
        "peft-against-torchao",
        "stub-without-te",
        "fp8-config-without-fp8",
        "all-gather-not-tensorwise",
        "all-gather-without-fsdp2",
        "half-precision-gradients",
        "axolotl-recipe-refused",
        "axolotl-refuses-gpu",
        "axolotl-zero3-without-its-file",
        "axolotl-wraps-two-dtypes",
        "llamafactory-deepspeed-alone",
        "axolotl-without-fp8-library",
        # files
        "file-refused",
        "file-is-no-json",
        # launcher
        "command-is-no-script",
        "module-without-python",
        "script-is-no-program",
        "launcher-without-deepspeed",
        "flag-without-value",
        "command-refuses-flag",
        "accelerate-config-twice",
        "accelerate-config-by-equals",
        "accelerate-config-null",
        "launcher-flag-choice",
        "launcher-flag-value",
        "unknown-launcher-flag",
        "two-launch-kinds",
        "multi-gpu-one-process",
        "config-not-a-map",
        "config-without-distributed-type",
        "unknown-config-key",
        "unknown-compute-environment",
        "unknown-distributed-type",
        "launcher-number-as-text",
        "duplicate-gpu",
        "gpu-ids-not-text",
        "one-gpu-id",
        "processes-not-given",
        "launcher-precision-not-text",
        "unknown-launcher-precision",
        "launcher-without-fp8-library",
        "override-not-text",
        "override-not-strippable",
        "override-is-a-map",
        "override-not-subscriptable",
        "override-too-short",
        "unknown-dynamo-backend",
        "dynamo-backend-not-text",
        # accelerator
        "dynamo-twice",
        "wrong-keyword",
        "handler-twice",
        "accumulation-no-number",
        "variable-refused",
        "accumulation-twice",
        "script-refuses-words",
        "mesh-not-whole",
        "mesh-too-large",
        "mesh-without-launcher",
        "context-parallel-without-fsdp",
        "script-without-deepspeed",
        "plugin-is-no-object",
        "deepspeed-plugin-twice",
        "unknown-precision",
        "msamp-with-zero3",
        "precision-beside-deepspeed-file",
        "unknown-handler-class",
        "no-fp8-library",
        "no-nvidia-driver",
        "precision-against-deepspeed-file",
        "unknown-backend-variable",
        "handler-without-precision",
        "msamp-with-fsdp",
        "torchao-without-fsdp",
        "torchao-ram-efficient-loading",
        # recipe
        "unknown-handler-backend",
        "old-handler-without-msamp",
        "old-handler-without-te",
        "unknown-opt-level",
        "ao-handler-without-torchao",
        "torchao-breaks",
        "te-handler-without-te",
        "unknown-amax-algorithm",
        "unknown-format",
        "recipe-number",
        "recipe-switch",
        "block-scaling-with-amax",
        "pure-e5m2",
        "override-beyond-wgrad",
        # fsdp
        "fsdp-with-deepspeed",
        "fsdp-not-distributed",
        "fsdp-loads-unsynced",
        "fsdp-setting-refused",
        "fsdp-class-not-found",
        "fsdp2-shards-a-list",
        "te-around-compiled",
        "te-traced",
        "optimizer-without-state",
        "replicas-refused",
        "nothing-to-evaluate",
        "rewards-checkpointed-under-ddp",
        "machines-without-first",
        "deepspeed-prepares-nothing",
        "adapters-not-causal",
        "scheduler-without-rate",
        "adapters-find-nothing",
        "axolotl-fsdp-without-config",
        "settings-beside-deepspeed-file",
        "deepspeed-values-differ",
        "checkpointing-twice",
        "deepspeed-bf16-mismatch",
        # prepare
        "fsdp2-model-alone",
        "te-not-found",
        "te-model-alone",
        "data-parallel",
        "deepspeed-without-batch-size",
        "deepspeed-without-launcher",
        "te-several-models",
        "fsdp2-empties-optimizer",
        "fsdp2-loads-te-state",
        "zero3-gathers-nothing",
        "te-import-fails",
        "te-variable-no-number",
        "te-empty-metapackage",
        "te-library-missing",
        "te-versions-differ",
        "te-for-another-cuda",
        "block-scaling-not-supported",
        "unknown-backward-override",
        "backward-override-with-delayed-scaling",
        "te-without-fp8-module",
        "te-without-mxfp8-attribute",
        "te-without-mxfp8-import",
        "torchao-not-found",
        "torchao-handler-dropped",
        "torchao-filter-broken",
        "torchao-without-config",
        "deepspeed-swapped-weights",
        "fsdp1-swapped-weights",
        "msamp-not-found",
        # step
        "checkpointing-not-reentrant",
        "backward-without-gradients",
        "checkpointing-plain-function",
        "negative-amax-history",
        "empty-amax-history",
        "capability-too-low",
        "tokens-not-by-8",
        "tokens-not-by-16",
        "no-kernel-image",
        "cublas-without-fp8",
        "te-under-tensor-parallelism",
        "fsdp-checkpointing",
        "bias-of-head",
        "fsdp2-thaws-base",
        "dimensions-not-by-block",
        "gather-of-uneven-shards",
        "out-of-memory",
    ]


class PredictedError(Exception):
    """The run ends here with an exception of the real stack.

    Attributes:
        code: which error it is; it stays the same when a package rewords its text.
        stage: where the run ends.
        type: the exception's class name.
        message: its text, as the package writes it: to be shown, never to be compared.
        because: the settings that lead to it.
        flag: the launcher's flag that is refused, without dashes; "" where it is none.
        choices: the values that it takes instead.
    """

    def __init__(
        self,
        code: ErrorCode,
        stage: Stage,
        type_: str,
        message: str,
        because: tuple[Setting | None, ...] = (),
        *,
        flag: str = "",
        choices: tuple[str, ...] = (),
    ) -> None:
        super().__init__(f"{type_} at {stage}: {message}")
        self.code = code
        self.stage = stage
        self.type = type_
        self.message = message
        self.because = tuple(setting for setting in because if setting is not None)
        self.flag = flag
        self.choices = choices

    @property
    def first_line(self) -> str:
        """As much of the message as a report has room for."""
        return next(iter(self.message.splitlines()), "")
