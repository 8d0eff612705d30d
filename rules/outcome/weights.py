"""What the weights are kept in when prepare() gets them."""

from __future__ import annotations

from fp8check.rules.releases.behaviors import LlamaFactory, Transformers
from fp8check.rules.settings.values import Origin, Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.trainers.run import Run

_KINDS = ("bfloat16", "float16", "float32")


def kept_in(run: Run, stack: Stack) -> Setting | None:
    """The weights' dtype, "bfloat16", "float16" or "float32"; None where the script or the checkpoint decides.

    - LLaMA-Factory casts what full fine-tuning trains to float32, but for pure_bf16 and BAdam (model/adapter.py of
      0.9.3 to 0.9.5). What it casts not stays as loaded: as config.json names it from 0.9.4 on, before in the precision
      of the run. Frozen layers and trained ones are of two kinds: that is no one dtype.
    - Else the training file's own key counts.
    - Without one, transformers 5 loads what config.json names, where 4 loads float32 (modeling_utils.py
      from_pretrained). A script that loads its model itself may do otherwise.
    """
    training = run.training
    if training.trainer == "llamafactory":
        return _factory(run, stack)
    for key in ("dtype", "torch_dtype"):
        written = training.get(key)
        if written is not None and written.value in _KINDS:
            return written
    if training.trainer != "transformers":
        return None
    if not stack.does(Transformers.LOADS_CHECKPOINT_DTYPE):
        return Setting("float32", Origin(default=stack.name("transformers")))
    return _of_checkpoint(run)


def _factory(run: Run, stack: Stack) -> Setting | None:
    training = run.training
    stays = training.on("pure_bf16") or training.on("use_badam")
    if not training.uses_lora and not stays:
        full = training.value("finetuning_type") == "full"
        cast = Setting("float32", Origin(code=f"{stack.name('llamafactory')} model/adapter.py"))
        return cast if full else None
    if stack.does(LlamaFactory.LOADS_CHECKPOINT_DTYPE):
        return _of_checkpoint(run)
    for key, dtype in (("bf16", "bfloat16"), ("pure_bf16", "bfloat16"), ("fp16", "float16")):
        written = training.get(key)
        if written is not None and training.on(key):
            return written._replace(value=dtype)
    return None


def _of_checkpoint(run: Run) -> Setting | None:
    named = run.model.dtype if run.model is not None else None
    return Setting(named, Origin(code="the model's config.json")) if named in _KINDS else None
