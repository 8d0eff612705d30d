"""Beside the way in, where a run is a trial (`fp8check run --compare`): what it would leave behind is switched off.

It trains a few steps, as it is written, and is ended then. Until then it saves no checkpoint, starts no tracker, pushes
nothing to a hub, and a Trainer's output folder is a temporary one. Where one of these switches cannot be set, the
process ends: a trial that leaves something behind is none.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

FAILED = 86  # the exit code where a switch cannot be set
OUTPUT = "output"  # the folder within that of the run
# Trackers that read how much they are to do from the environment, and where the packages read it. mlflow and trackio
# have no such variable. A script that imports one of them itself, wandb apart, is not tried (checking/comparing.py).
ENVIRONMENT = {
    "WANDB_MODE": "disabled",  # wandb 0.31.0, wandb/sdk/wandb_settings.py: mode, _noop; an argument of init() beats it
    "COMET_MODE": "disabled",  # transformers 4.45.2 to 5.6.0, integrations/integration_utils.py; comet_ml has no such
    "COMET_START_ONLINE": "false",  # comet_ml 3.58.8, comet_start/init_parameters.py: into a file, which is not sent
    "NEPTUNE_MODE": "debug",  # neptune 1.14.0, metadata_containers/run.py: nothing is stored
    "SWANLAB_MODE": "disabled",  # swanlab 0.10.3, sdk/internal/settings/__init__.py: env_prefix, mode
    "CLEARML_OFFLINE_MODE": "1",  # clearml 2.1.12, backend_api/session/defs.py: into a folder, which is not sent
}
SAVING = {  # functions and methods that write a model, by module: they do nothing
    "safetensors.torch": ("save_file", "save_model"),
    "torch.distributed.checkpoint.state_dict_saver": ("save", "async_save", "save_state_dict"),
    "accelerate.accelerator": ("Accelerator.save_state", "Accelerator.save_model"),
    "transformers.modeling_utils": ("PreTrainedModel.save_pretrained",),
    "transformers.tokenization_utils_base": ("PreTrainedTokenizerBase.save_pretrained",),
    "peft.peft_model": ("PeftModel.save_pretrained",),
    "deepspeed.runtime.engine": ("DeepSpeedEngine.save_checkpoint", "DeepSpeedEngine.save_16bit_model"),
}
PUSHING = ("create_repo", "create_commit", "upload_file", "upload_folder", "upload_large_folder")


_off: set[str] = set()  # the modules in which everything is switched off


def switches(folder: str, enter: Callable[[ModuleType], None]) -> dict[str, Callable[[ModuleType], None]]:
    """What is done to which module as soon as it is there.

    Args:
        folder: of the run.
        enter: what is done to torch beside this.
    """
    made: dict[str, Callable[[ModuleType], None]] = {
        name: functools.partial(_nothing_saved, names) for name, names in SAVING.items()
    }
    made["torch"] = functools.partial(_torch, enter)
    made["transformers.training_args"] = functools.partial(_arguments, os.path.join(folder, OUTPUT))
    made["accelerate.accelerator"] = _accelerator
    made["huggingface_hub.hf_api"] = _hub
    made["wandb"] = _wandb
    return {name: functools.partial(_surely, do) for name, do in made.items()}


def left_on() -> list[str]:
    """The modules that were imported, and in which something is not switched off."""
    names = ("torch", *SAVING, "transformers.training_args", "huggingface_hub.hf_api", "wandb")
    return [name for name in names if name in sys.modules and name not in _off]


def _surely(do: Callable[[ModuleType], None], module: ModuleType) -> None:
    try:
        do(module)
        _off.add(module.__name__)
    except Exception as error:  # noqa: BLE001  whatever it was
        print(
            f"fp8check: {module.__name__}: what it saves cannot be switched off: {error}", file=sys.stderr, flush=True
        )
        os._exit(FAILED)


def _without(original: Any) -> Any:
    @functools.wraps(original)
    def nothing(*_given: Any, **_named: Any) -> None:
        return None

    return nothing


def _nothing_saved(names: tuple[str, ...], module: ModuleType) -> None:
    for name in names:
        place: Any = module
        *classes, last = name.split(".")
        for one in classes:
            place = getattr(place, one)
        if hasattr(place, last):  # releases differ in what they have
            setattr(place, last, _without(getattr(place, last)))


def _torch(enter: Callable[[ModuleType], None], torch: Any) -> None:
    enter(torch)
    original = torch.save

    @functools.wraps(original)
    def save(obj: Any, f: Any, *given: Any, **named: Any) -> Any:
        """Into memory as before; what is to be a file is not written."""
        if isinstance(f, (str, os.PathLike)) or isinstance(getattr(f, "name", None), str):
            return None
        return original(obj, f, *given, **named)

    torch.save = torch.serialization.save = save


def _arguments(output: str, module: Any) -> None:
    """All that a Trainer leaves behind is asked for by its arguments, wherever these come from."""
    original = module.TrainingArguments.__post_init__

    @functools.wraps(original)
    def post_init(self: Any, *given: Any, **named: Any) -> None:
        self.output_dir = output
        wanted = {"save_strategy": "no", "report_to": "none", "push_to_hub": False, "load_best_model_at_end": False}
        for name, value in {**wanted, "logging_dir": None}.items():
            if hasattr(self, name):
                setattr(self, name, value)
        original(self, *given, **named)

    module.TrainingArguments.__post_init__ = post_init


def _accelerator(module: Any) -> None:
    _nothing_saved(SAVING["accelerate.accelerator"], module)

    def init_trackers(self: Any, *_given: Any, **_named: Any) -> None:
        self.trackers = []

    module.Accelerator.init_trackers = functools.wraps(module.Accelerator.init_trackers)(init_trackers)


def _wandb(module: Any) -> None:
    """What a script says itself of the mode, in an argument or in settings, comes before the variable."""
    original = module.init
    signature = inspect.signature(original)

    @functools.wraps(original)
    def init(*given: Any, **named: Any) -> Any:
        bound = signature.bind_partial(*given, **named)
        bound.arguments["mode"] = "disabled"
        return original(*bound.args, **bound.kwargs)

    module.init = init


def _hub(module: Any) -> None:
    """Whoever pushes learns that it cannot be: what comes back from a push, nobody can make up."""

    def refuse(*_given: Any, **_named: Any) -> None:
        raise RuntimeError("fp8check run --compare: nothing is pushed to a hub in a trial")

    for name in PUSHING:
        original = getattr(module.HfApi, name, None)
        if original is None:
            continue
        refused = functools.wraps(original)(refuse)
        setattr(module.HfApi, name, refused)
        if hasattr(module, name):  # a method of the one HfApi, bound before
            setattr(module, name, refused)
