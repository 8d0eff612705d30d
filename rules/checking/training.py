"""Which of the programs that a shell script starts are trainings: of the others nothing is said.

What the script calls decides, where it can be read; else its name, and the flags that it is handed.
"""

from __future__ import annotations

from itertools import pairwise

from fp8check.rules.settings.launch import Launch
from fp8check.rules.settings.script_training import has_training, only_goes_back, serves, trains
from fp8check.rules.settings.values import Undecided
from fp8check.rules.trainers import registry
from fp8check.rules.trainers.deciding import fits_without_torch, may_train

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.settings.script import ScriptSource
    from fp8check.rules.trainers.run import Run

    # What the text of a script and its modules says: a training is called, one may be, a module has one, none is unless
    # it is hidden in packages that are not looked into, none is at all; and: it was not read.
    Told = Literal["trains", "may train", "module", "hidden", "nothing", "unread"]

# What the names of scripts and modules say.
_TRAINS = ("train", "tune", "tuning", "sft", "dpo", "grpo", "ppo", "kto", "orpo", "rlhf", "distill", "fp8", "lora")
_TRAINS_NOT = (
    *("eval", "infer", "generat", "predict", "download", "convert", "prepar", "preprocess", "process", "merge"),
    *("export", "test", "bench", "plot", "serve", "vllm", "tokeniz", "upload", "setup", "install", "demo", "data"),
    *("submit", "job", "visualiz", "extract", "filter", "analy", "cleanup", "parse", "labelling", "labeling"),
    *("web", "gradio", "interactive", "sklearn", "slurm", "chatbot", "sampl", "label", "caption", "annotat", "mining"),
)
_BEGINS_NOT = (
    *("eval", "infer", "generate", "predict", "download", "convert", "prepare", "preprocess", "merge", "export"),
    *("plot", "serve", "tokenize", "upload", "submit", "visualize", "extract", "filter", "analy", "cleanup", "parse"),
    *("coverage", "pytest", "assert", "check_", "verify", "compare", "monitor", "collect", "encode_"),
)
# Programs that begin with these train nothing, although they may make the engine or the optimizer that one has.
_NEVER = ("convert", "merge", "export", "download", "upload", "plot", "tokenize", "submit", "visualize")
_FOLDERS_NOT = frozenset(
    (
        *("eval", "evals", "evaluate", "evaluation", "inference", "infer", "benchmark", "benchmarks", "bench"),
        *("serve", "serving", "tests", "test", "demo", "demos", "generation", "generate"),
    )
)
_FOLDERS = frozenset(
    ("train", "training", "trainer", "finetune", "finetuning", "pretrain", "sft", "dpo", "grpo", "rlhf")
)
_ENTRIES = ("main", "run", "cli", "__main__", "launch", "start", "app", "experiment", "train")
# Flags that trainings have, and other programs do not.
_FLAGS = frozenset(
    (
        *("per_device_train_batch_size", "learning_rate", "lr", "num_train_epochs", "epochs", "bf16", "fp16"),
        *("num_epochs", "max_epochs", "total_epochs", "n_epochs"),
        *("mixed_precision", "deepspeed", "deepspeed_config", "gradient_accumulation_steps", "max_train_steps"),
        *("train_batch_size", "gradient_checkpointing", "lora_rank", "lora_r", "warmup_ratio", "weight_decay"),
    )
)
# What the text of a program that generates has in it, and what that of one that trains has, whatever it hides.
_COMPUTING = ("pipeline", "generate", "infer", "predict", "decode")
_LEARNING = ("train", "tune", "optim", "loss", "learn", "epoch", ".fit(", "sft", "dpo", "ppo", "reward")
# Classes of arguments: programs that evaluate are handed those of a Trainer, too.
_ARGUMENTS = ("Arguments", "Config")
# Those that say in which precision a program computes, which one that generates has, too.
_PRECISION = frozenset(("bf16", "fp16", "mixed_precision"))
# Flags of programs that generate, or evaluate what is generated.
_GENERATES = frozenset(
    (
        *("do_sample", "max_new_tokens", "generation_only", "allow_code_execution", "n_samples", "num_fewshot"),
        *("save_generations", "load_generations_path", "metric_output_path", "gen_len", "beam", "lenpen"),
        "max_output_length",
    )
)
# Flags of programs that train, too, and with which they do not.
_ONLY = frozenset(("only_eval", "test_only", "dry_run"))
_ONLY_WHAT = ("eval", "infer", "process", "prepar", "tokeniz", "generat", "predict")  # --do_dataprocessing_only


def is_training(assembled: Assembled, known: dict[str, Told], *, follow: bool) -> bool:
    """Whether a line is a run: `python prepare.py` and `torchrun evaluate.py` start none.

    Args:
        known: what is told of scripts that other lines start as well, by their paths; it grows.
        follow: whether the modules that a script imports are read.
    """
    run, launch = assembled.run, assembled.run.launch
    if (launch.tool == "python" and launch.script in (None, "-c", "-")) or _only_evaluates(launch):
        return False
    if launch.unknown or launch.script is None or launch.through is not None:
        return True
    if registry.of_program(launch.script) is not None or _asks_for_fp8(run):
        return True
    source = _source(assembled)
    path = "" if source is None else source.path
    if path not in known:
        known[path] = _told(source, follow=follow)
    told = known[path]
    if _is_told_not_to_train(assembled, "" if source is None else source.text):
        return False
    unread = told == "unread" and launch.script.endswith(".py")
    if unread and any(file.input == "script" and not file.absent for file in run.unread):
        return True  # it is there, and nobody could read it: whether it trains is not known
    says = _says(launch)
    if says is False and _only_measures(launch):
        return False
    if told == "trains" or (run.training.path is not None and not (launch.tool == "python" and says is False)):
        return True
    return _is_told(launch, told, says)


def _is_told(launch: Launch, told: Told, says: bool | None) -> bool:
    """Whether a line is a run of whose script no call of a training is seen."""
    if says is None:
        says = _said_by_command(launch)
    if says is None and (_is_in_other_folder(launch) or _only_generates(launch)):
        says = False
    if launch.tool != "python":
        return says is not False and (told != "nothing" or says is True or launch.tool == "accelerate")
    if told == "unread":
        return _has_flags(launch) if says is None else says
    if told == "module" and says is None:  # a library has one, and many use it for something else
        return _has_flags(launch) or _is_entry(launch)
    if told in ("hidden", "module"):
        return says is True
    return told == "may train" and says is not False


def is_sure(run: Run) -> bool:
    """Whether anything tells that a line's program trains: what it calls, its name, or its flags."""
    launch = run.launch
    unread = any(file.input == "script" for file in run.unread) and run.script.source is None
    if launch.script is None or launch.through is not None or run.training.path is not None:
        return True
    if registry.of_program(launch.script) is not None or _asks_for_fp8(run):
        return True
    if _may_only_evaluate(launch):
        return False
    if not unread and not _does_many_things(launch):
        return True
    # Neither that a program is about FP8 says that it trains, nor the folder that it stands in.
    says = _says(launch) if _is_entry(launch) else _said_by(_name(launch).replace("fp8", ""))
    return says is True or _said_by_command(launch) is True or _has_flags(launch)


def _may_only_evaluate(launch: Launch) -> bool:
    """Whether a switch says that the program evaluates, which many then do alone: main.py --eval."""
    pairs = pairwise((*launch.arguments, "--"))
    return any(word in ("--eval", "--evaluate", "--inference") and following[:1] == "-" for word, following in pairs)


def _does_many_things(launch: Launch) -> bool:
    """Whether a program is the one command of a package, which a file may tell to prepare data, too."""
    return launch.is_module and str(launch.script).rpartition(".")[2] in ("cli", "__main__")


def sounds_like_training(script: str) -> bool:
    """Whether the name of a Python file says that it trains."""
    return _says(Launch("python", {}, script)) is True


def _only_measures(launch: Launch) -> bool:
    """Whether a program is called as those are that measure a step, or test one, or make what a training has."""
    name = (launch.script or "").lower().replace("\\", "/").rpartition("/")[2].removesuffix(".py")
    is_test = name.startswith(("test_", *_NEVER)) or name.endswith("_test")
    return is_test or (launch.tool == "python" and "bench" in name)


def _only_generates(launch: Launch) -> bool:
    """Whether the flags are those of a program that generates, and none is one of a training."""
    return bool(_flags(launch) & _GENERATES) and not _has_flags(launch, _FLAGS - _PRECISION)


def _only_evaluates(launch: Launch) -> bool:
    """Whether a flag says that nothing is trained this time: --eval_only True, --help."""
    for word, following in pairwise((*launch.arguments, "")):
        if word in ("--help", "-h"):
            return True
        name, equals, value = word.lstrip("-").partition("=")
        said = value if equals else following
        if word[:1] == "-" and _says_only(name.replace("-", "_")) and said.lower() not in _OFF:
            return True
    return False


def _says_only(name: str) -> bool:
    """Whether a flag says that something else than a training is all that is done."""
    if name in _ONLY:
        return True
    return name.endswith("_only") and "train" not in name and any(part in name for part in _ONLY_WHAT)


_OFF = ("false", "no", "0")


def _is_told_not_to_train(assembled: Assembled, text: str) -> bool:
    """Whether a script is told not to train this time: --do_train False; --do_predict, where it asks for do_train.

    Args:
        text: that of the script.
    """
    words = assembled.run.launch.arguments
    given: dict[str, bool] = {}
    for word, following in pairwise((*words, "")):
        name, equals, value = word.lstrip("-").partition("=")
        if word[:2] == "--":
            given[name] = (value if equals else following).lower() not in _OFF
    if "do_train" in given:
        return not given["do_train"]
    asks = "args.do_train" in text and "do_train: bool = field(default=True" not in text
    return (
        asks and assembled.run.training.path is None and (given.get("do_eval", False) or given.get("do_predict", False))
    )


def _asks_for_fp8(run: Run) -> bool:
    """Whether the launcher or its file asks for FP8: of what becomes of that something is to be said."""
    if run.launch.tool != "accelerate":
        return False
    flag = run.launch.setting("mixed_precision")
    try:
        setting = flag if flag is not None or run.accelerate is None else run.accelerate.mixed_precision
    except Undecided:  # it is filled in later, and may be FP8
        return True
    return setting is not None and not setting.is_later and str(setting.value).lower() == "fp8"


def _source(assembled: Assembled) -> ScriptSource | None:
    """The script of a run; of one whose Trainer makes the Accelerator it stands among the files alone."""
    if assembled.run.script.source is not None:
        return assembled.run.script.source
    document = next((document for document in assembled.documents if document.kind == "script"), None)
    if document is None:
        return None
    from fp8check.rules.reading.source import Source
    from fp8check.rules.settings.script_syntax import parse

    return parse(Source(document.path, document.text))


def _told(source: ScriptSource | None, *, follow: bool) -> Told:
    if source is None:
        return "unread"
    if fits_without_torch((source,)) or only_goes_back(source.text):
        return "nothing"
    if trains(source.text):
        return "trains"
    own = any(own_fp8.sure and "training" in own_fp8.what for own_fp8 in source.own)
    makes = source.named("Accelerator") and not _infers(source.text)
    if own or makes or any(not trainer.what.endswith(_ARGUMENTS) for trainer in source.trainers):
        return "may train"
    if serves(source.text):
        return "nothing"
    if not follow:
        return "hidden"
    from fp8check.rules.checking.modules import with_modules

    modules = with_modules(source).sources
    if fits_without_torch((source, *modules)):
        return "nothing"
    if any(has_training(script.text) or script.trainers for script in modules):
        return "module"
    read = {part for script in modules for part in script.path.removesuffix(".py").replace("\\", "/").split("/")}
    hides = any(may_train(name, read) for name in source.imports) and not _only_computes(source.text.lower())
    return "hidden" if hides else "nothing"


def _infers(text: str) -> bool:
    """Whether a script generates by a model, and has nothing of what makes a step: its Accelerator spreads that."""
    return ".generate(" in text and not any(part in text for part in ("backward", "optim", "Optim", "loss"))


def _only_computes(text: str) -> bool:
    """Whether a script has words of programs that generate, and none of those that train."""
    return any(word in text for word in _COMPUTING) and not any(word in text for word in _LEARNING)


def _says(launch: Launch) -> bool | None:
    """Whether the name of a program says that it trains, or that it does something else; None: neither, or both."""
    parts = _parts(launch)
    says = _said_by(parts[-1])
    folder = parts[-2] if says is None and len(parts) > 1 else ""
    if folder in _FOLDERS or folder in _FOLDERS_NOT:
        return folder in _FOLDERS
    return says


def _parts(launch: Launch) -> list[str]:
    """The name of a program with the folders or packages that it stands in."""
    name = (launch.script or "").lower().replace("\\", "/")
    return name.split(".") if launch.is_module else name.removesuffix(".py").split("/")


def _name(launch: Launch) -> str:
    return _parts(launch)[-1]


def _said_by(name: str) -> bool | None:
    name = name.replace("pretrained", "")  # a model that is
    if name.startswith(_BEGINS_NOT):  # what it does stands first: merge_lora, submit_dpo_job
        return False
    train, other = any(part in name for part in _TRAINS), any(part in name for part in _TRAINS_NOT)
    return None if train == other else train


def _said_by_command(launch: Launch) -> bool | None:
    """What the word behind a program says that does all that a project does: main.py eval, cli.py train, tool train."""
    is_entry = _is_entry(launch) or not (launch.is_module or str(launch.script).endswith(".py"))
    first = launch.arguments[0] if is_entry and launch.arguments else ""
    return _said_by(first.lower()) if first.isalpha() else None


def _is_in_other_folder(launch: Launch) -> bool:
    name = (launch.script or "").lower().replace("\\", "/")
    parts = name.split(".") if launch.is_module else name.split("/")
    return any(part in _FOLDERS_NOT for part in parts[:-1])


def _is_entry(launch: Launch) -> bool:
    """Whether a program is called as those are that do all that a project does: main.py, run.py."""
    name = (launch.script or "").replace("\\", "/").rpartition("/")[2].removesuffix(".py")
    return name.rpartition(".")[2] in _ENTRIES


def _flags(launch: Launch) -> set[str]:
    return {word.partition("=")[0].lstrip("-").replace("-", "_") for word in launch.arguments if word[:1] == "-"}


def _has_flags(launch: Launch, flags: frozenset[str] = _FLAGS) -> bool:
    keys = [word.partition("=")[0] for word in launch.arguments if "=" in word]  # of Hydra: trainer.nnodes=2
    return bool(_flags(launch) & flags) or any(
        key.startswith("trainer.") or key.endswith("train_files") for key in keys
    )
