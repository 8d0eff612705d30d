"""What the weights are kept in when prepare() gets them."""

from __future__ import annotations

from fp8check.rules.settings.values import Origin, Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.outcome.run import Run
    from fp8check.rules.outcome.stack import Stack

_KINDS = ("bfloat16", "float16", "float32")


def kept_in(run: Run, stack: Stack) -> Setting | None:
    """The weights' dtype, "bfloat16", "float16" or "float32"; None where the script or the checkpoint decides.

    - LLaMA-Factory loads what config.json names, and casts what it trains to float32, but for pure_bf16 and BAdam
      (model/adapter.py of 0.9.3 to 0.9.5). Under adapters the weights stay as they are loaded.
    - Else the training file's own key counts.
    - Without one, transformers 5 loads what config.json names, where 4 loads float32 (modeling_utils.py
      from_pretrained). A script that loads its model itself may do otherwise.
    """
    training = run.training
    if training.trainer == "llamafactory":
        if training.uses_lora:
            return _of_checkpoint(run)
        low = next((training.get(key) for key in ("pure_bf16", "use_badam") if training.on(key)), None)
        if low is not None:
            return low._replace(value="bfloat16")
        return Setting("float32", Origin(code=f"{stack.name('llamafactory')} model/adapter.py"))
    for key in ("dtype", "torch_dtype"):
        written = training.get(key)
        if written is not None and written.value in _KINDS:
            return written
    if training.trainer != "transformers":
        return None
    if not stack.does("transformers", "loads the checkpoint's dtype"):
        return Setting("float32", Origin(default=stack.name("transformers")))
    return _of_checkpoint(run)


def _of_checkpoint(run: Run) -> Setting | None:
    named = run.model.dtype if run.model is not None else None
    return Setting(named, Origin(code="the model's config.json")) if named in _KINDS else None
