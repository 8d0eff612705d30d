"""Whose configuration a run has, where its script can be read: what the script does goes before any key of a file."""

from __future__ import annotations

import sys

from fp8check.rules.record import Record
from fp8check.rules.settings.script import ARGUMENTS
from fp8check.rules.trainers import registry
from fp8check.rules.trainers.data import names
from fp8check.rules.trainers.script import OwnScript

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from fp8check.rules.settings.script import ScriptSource
    from fp8check.rules.trainers.training import Training

# Packages that bring no Trainer and make no Accelerator for their users, whatever is imported of them.
TOOLS = names(
    """
    accelerate apex bitsandbytes cv2 datasets deepspeed einops evaluate flash_attn fire huggingface_hub hydra jsonlines
    matplotlib mlflow nltk numpy omegaconf pandas peft PIL pyarrow pydantic regex requests rich safetensors scipy
    sentencepiece sklearn tensorboard tiktoken tokenizers torch torchao torchvision tqdm transformer_engine transformers
    trl typing_extensions wandb xformers yaml
    """
)
# Packages that fit what has no Linear layer of torch, and what is imported beside them to read and to count.
_CLASSIC = names("catboost cuml dask_ml fasttext joblib lightgbm sklearn statsmodels xgboost")
_BESIDE = names(
    """
    boto3 cudf cupy dask dask_cuda datasets distributed flask jsonlines matplotlib nltk numpy pandas psutil pyarrow
    requests rich rmm scipy seaborn tqdm yaml
    """
)


class Decided(Record):
    """Whose configuration it is.

    Attributes:
        trainer: None where neither the script nor a module beside it tells, and the keys of the file have to.
        unknown: what is not known of it; "" where it is.
    """

    trainer: type[Training] | None
    unknown: str = ""


def by_script(script: ScriptSource, modules: Sequence[ScriptSource]) -> Decided:
    """Who trains by what a script uses itself, and else by what the modules that it imports use.

    Args:
        modules: those that could be read, the nearest first.
    """
    makes_one = _makes_accelerator(script)
    if script.trainers and not (makes_one and all(used.idle for used in script.trainers)):
        trainer = _first(script)
        if trainer is not None:
            return Decided(trainer)
    if makes_one:
        return Decided(OwnScript)
    uses = next((source for source in modules if _first(source) is not None), None)
    if uses is not None and script.trainers:  # one of its own, which a module derives
        return Decided(_first(uses))
    makes = next((source for source in modules if _makes_accelerator(source)), None)
    if uses is not None and makes is not None and uses is not makes:
        what = f"{makes.path} makes an Accelerator and {uses.path} uses {uses.trainers[0].what}"
        return Decided(OwnScript, f"{what}: which of them {script.path} trains by cannot be told from its text")
    if uses is not None:
        return Decided(_first(uses))
    if makes is not None:
        return Decided(OwnScript)
    return _neither(script, modules)


def _neither(script: ScriptSource, modules: Sequence[ScriptSource]) -> Decided:
    """What is left where no Trainer that is known here was found, and no Accelerator."""
    read = {part for source in modules for part in source.path.removesuffix(".py").replace("\\", "/").split("/")}
    others = (used.what for source in (script, *modules) for used in source.trainers if not used.trainer)
    other = next((what for what in others if what.lstrip(".").partition(".")[0] not in read), "")
    if other:
        return Decided(OwnScript, f"{script.path} trains by {other}, which is not known here")
    hidden = [name for source in (script, *modules) for name in source.imports if may_train(name, read)]
    what = f"{script.path} makes no Accelerator and uses no Trainer"
    if hidden:
        package = hidden[0].lstrip(".").partition(".")[0]
        return Decided(None, f"{what} itself, and {package}, which it imports, could not be looked into")
    if not any(name.partition(".")[0] == "torch" for source in (script, *modules) for name in source.imports):
        return Decided(None)  # it trains nothing: a stand-in for the one that will
    return Decided(OwnScript, f"{what}: nothing in it reads the precision that it is started with")


def may_train(imported: str, read: Collection[str]) -> bool:
    """Whether what is imported is a module that was not read, and may hold all that matters."""
    package = imported.lstrip(".").partition(".")[0]
    return package not in read and package not in TOOLS and package not in sys.stdlib_module_names


def fits_without_torch(sources: Sequence[ScriptSource]) -> bool:
    """Whether all that a script and its modules can train by is a package without torch: fasttext, sklearn, cuml."""
    own = {part for source in sources for part in source.path.removesuffix(".py").replace("\\", "/").split("/")}
    imported = {name.lstrip(".").partition(".")[0] for source in sources for name in source.imports}
    packages = imported - sys.stdlib_module_names - own
    return bool(packages & _CLASSIC) and packages <= (_CLASSIC | _BESIDE)


def _first(source: ScriptSource) -> type[Training] | None:
    """The trainer of what is used: TRL's go before their base, but for arguments of the base that these are given.

    (trl 1.16.0 sft_trainer.py "isinstance(args, TrainingArguments) and not isinstance(args, SFTConfig)": all fields of
    these are passed on, and none of TRL's own defaults counts.)
    """
    known = [trainer for trainer in source.trainers if trainer.trainer]
    if not known:
        return None
    order = ("llamafactory", "axolotl", "trl", "transformers")
    name = min((trainer.trainer for trainer in known), key=order.index)
    if name == "trl":
        made = {call.name for call in source.named(*ARGUMENTS)}
        made = made or {last for trainer in known if (last := trainer.what.rpartition(".")[2]) in ARGUMENTS}
        name = "transformers" if made and all(one.endswith("TrainingArguments") for one in made) else name
    return registry.find(name)


def _makes_accelerator(source: ScriptSource) -> bool:
    return bool(source.named("Accelerator")) or bool(source.hidden)
