"""Whether a Python script trains, by what it calls: a launch line of one that does not is no run."""

from __future__ import annotations

import ast
import re
import warnings
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_KEPT = 256
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
# Calls that are steps of a training, whatever they belong to.
_STEPS = frozenset(("backward", "train_batch", "training_step", "manual_backward", "forward_backward_func")) | {
    "apply_gradients",
    "value_and_grad",
}
# A call that begins with one of these words and ends with none of the others starts a training: train(), run_sft().
_BEGINS = frozenset(("train", "pretrain", "finetune", "distill", "tune"))
_ASKS = frozenset(("is", "get", "load", "set", "has", "not", "pre", "should", "build", "make", "prepare", "in", "read"))
_DOES = frozenset(("run", "launch", "do", "start", "main", "fine", "training", "fit", "learn"))
_TRAINING = frozenset(
    (
        *("train", "training", "finetune", "finetuning", "tune", "tuning", "pretrain", "pretraining", "distill"),
        *("exp", "sft", "dpo", "ppo", "grpo", "kto", "rm"),
    )
)
_LOOPS = frozenset(("training", "fit", "learn"))
_THINGS = frozenset(
    (
        *("data", "dataset", "datasets", "split", "loader", "dataloader", "dataloaders", "args", "arguments"),
        *("config", "path", "paths", "file", "files", "dir", "folder", "set", "test", "prompt", "prompts", "sampler"),
        *("transform", "transforms", "batch", "df", "name", "ids", "samples", "examples", "features", "size", "eval"),
        *("val", "job", "log", "logs", "parser", "tokenizer", "iterator", "text", "texts", "corpus", "lines"),
        *("vocab", "eda", "jobs"),
    )
)
# What `.train()` makes of these is no model.
_NO_MODELS = ("token", "bpe", "sentencepiece", "kmeans", "index", "faiss", "quantizer", "vectorizer", "spm", "scaler")
# All that deepspeed.initialize() is given where nothing trains.
_TO_GENERATE = frozenset(("model", "config_params", "config"))
# A module of whose text one of these is a part has a training in it.
_IN_MODULES = (".backward(", "trainer.train(", ".train_batch(", "deepspeed.initialize(", "optimizer.step(")
_SERVERS = ("FastAPI(", "Flask(__name__", "uvicorn.run(")
# What a script with gradients and a step has in it: an optimizer, or what brings one.
_AFTER_BACK = (
    "optim",
    "Optim",
    ".step(",
    "deepspeed",
    "Accelerator",
    "rainer",
    "train(",
    "adam",
    "Adam",
    "sgd",
    "SGD",
    "fit(",
)


def trains(text: str) -> bool:
    """Whether a script calls what trains: a step backward, one of an optimizer, trainer.train(), finetune().

    Text that is no Python calls nothing.
    """
    return _trains(text)


def serves(text: str) -> bool:
    """Whether a script starts a web server, which trains nothing before it is asked to."""
    return any(part in text for part in _SERVERS)


def has_training(text: str) -> bool:
    """Whether a module that is imported has a training in it, whoever calls that."""
    return any(part in text for part in _IN_MODULES)


def only_goes_back(text: str) -> bool:
    """Whether a script computes gradients, and nothing in it makes a step with them: a test, or a measurement.

    An engine or an Accelerator may make the step where the script does not name an optimizer.
    """
    text = text.replace("prof.step(", "").replace("profiler.step(", "")
    return ".backward(" in text and not any(part in text for part in _AFTER_BACK)


@lru_cache(maxsize=_KEPT)
def _trains(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        return any(_is_training(call) for call in _calls(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _is_training(call: ast.Call) -> bool:
    called = call.func
    if isinstance(called, ast.Name):
        return _starts(called.id)
    if not isinstance(called, ast.Attribute):
        return False
    name, holder = called.attr, _last(called.value)
    if name in _STEPS:
        return True
    if name == "step":
        return "opt" in holder
    if name == "initialize":
        given = {keyword.arg for keyword in call.keywords}  # a model alone is only spread, to generate
        return holder in ("deepspeed", "ds") and (bool(call.args) or not given <= _TO_GENERATE)
    if any(word in holder for word in _NO_MODELS):
        return False
    if name == "train":  # model.train(False), .train(mode=was_training) only say how it is used
        return not (call.args or call.keywords) or not _is_mode(call)
    if name in ("fit", "learn", "tune", "run_loop"):
        return any(word in holder for word in ("train", "model", "learn", "tuner", "runner"))
    return _starts(name)


def _is_mode(call: ast.Call) -> bool:
    first = call.args[0] if call.args else call.keywords[0].value
    keyword = None if call.args else call.keywords[0].arg
    return keyword == "mode" or (isinstance(first, ast.Constant) and first.value is False)


def _starts(name: str) -> bool:
    """Whether a function is called as one is that trains: train, train_model, run_training, finetune, main_train."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _THINGS:
        return False
    if name[:1].isupper() and len(words) > 1 and "_" not in name:  # a class is made: PretrainTaskManager()
        return False
    if words[0] in _BEGINS or (words[-1] in ("train", "finetune") and words[0] not in _ASKS):
        return True
    if words[0] in _LOOPS and "loop" in words:  # run_loop may be one of anything
        return True
    return words[0] in _DOES and any(word in _TRAINING for word in words[1:])


def _last(node: ast.expr) -> str:
    """The last name of what a method is called of, in small letters: trainer, self.optimizer."""
    if isinstance(node, ast.Call):
        node = node.func
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name.lower()
