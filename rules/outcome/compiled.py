"""Whether the model is compiled: torch.compile by the trainer, or by Accelerate's dynamo plug-in."""

from __future__ import annotations

from fp8check.rules.settings.values import Origin, Setting, SettingLater

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.trainers.run import Run

OFF = ("TORCHDYNAMO_DISABLE", "TORCH_COMPILE_DISABLE")


def compiled_by(run: Run) -> Setting | None:
    """What makes the trainer or Accelerator compile the model; None where neither does. A script may do so itself."""
    return asked_by(run) if switched_off(run) is None else None


def switched_off(run: Run) -> Setting | None:
    """The variable that makes torch.compile do nothing; None where there is none (torch _dynamo/; run with 2.13)."""
    variables = run.facts.variables or {}
    name = next((name for name in OFF if variables.get(name) == "1"), None)
    return Setting(variables[name], Origin(variable=name)) if name is not None else None


def asked_by(run: Run) -> Setting | None:
    """What asks the trainer or Accelerator to compile the model; None where nothing does.

    Accelerator compiles where ACCELERATE_DYNAMO_BACKEND is not NO, which `accelerate launch` always sets
    (utils/launch.py).

    Raises:
        Undecided: a script may do so itself.
    """
    compiled = run.training.compiled
    if isinstance(compiled, SettingLater):
        raise compiled.undecided
    if compiled is not None:
        return compiled
    backend = _dynamo_backend(run)
    return backend if backend is not None and str(backend.value).upper() != "NO" else None


def _dynamo_backend(run: Run) -> Setting | None:
    if run.launch.tool != "accelerate":
        variable = (run.facts.variables or {}).get("ACCELERATE_DYNAMO_BACKEND")
        return Setting(variable, Origin(variable="ACCELERATE_DYNAMO_BACKEND")) if variable is not None else None
    flag = run.launch.flag("dynamo_backend")
    if flag is not None:
        return Setting(flag, Origin(flag=f"--dynamo_backend {flag}"))
    config = run.config_read
    if config is None:
        return None
    written = config.dynamo_backend
    return written if written is not None and written.value else None  # an unquoted NO is false
