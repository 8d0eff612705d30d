"""Values of TrainingArguments that nothing takes: what each of them ends at, by the stage that looks at it.

transformers training_args.py, trainer.py, optimization.py and integrations/integration_utils.py of 4.45.2 to 5.24.0,
and torch 2.13.0 utils/data/dataloader.py, optim/ and utils/checkpoint.py. Executed one keyword a script with 4.57.1
and 5.23.0 (docs/evidence/commands.md, tenth tries). axolotl has names of its own.
"""

from __future__ import annotations

from types import NoneType

from fp8check.rules.record import Record
from fp8check.rules.releases import behaviors
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.settings.values import Setting
from fp8check.rules.trainers.evaluation import evaluates_nothing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Literal

    from fp8check.rules.releases.errors import ErrorCode, Stage
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.trainers.run import Run

    # When they are looked at: as the arguments are made, as Trainer begins to be, once it has its Accelerator, before
    # the model is prepared, up to its layers, and in the loss and the update.
    When = Literal["arguments", "trainer", "callbacks", "optimizer", "step", "update"]

_DEBUG = ("underflow_overflow", "tpu_metrics_debug")  # debug_utils.py DebugOption
_STEPS = 500  # that pass between two reports or checkpoints where nobody says
_SEEDS = 2**32
_WITHOUT_END = float("inf")
# The classes of torch and what they look at (torch/optim), by their names in training_args.py OptimizerNames.
_WITH_BETAS = ("adamw_torch", "adamw_torch_fused")
_WITH_RATE = (*_WITH_BETAS, "sgd", "adagrad", "rmsprop")
# What each function of optimization.py takes of lr_scheduler_kwargs; those that pass over them are not here.
_OF_SCHEDULER: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "linear": ("get_linear_schedule_with_warmup", ()),
    "cosine": ("get_cosine_schedule_with_warmup", ("num_cycles",)),
    "cosine_with_restarts": ("get_cosine_with_hard_restarts_schedule_with_warmup", ("num_cycles",)),
    "polynomial": ("get_polynomial_decay_schedule_with_warmup", ("lr_end", "power")),
    "inverse_sqrt": ("get_inverse_sqrt_schedule", ("timescale",)),
    "cosine_with_min_lr": (
        "get_cosine_with_min_lr_schedule_with_warmup",
        ("num_cycles", "min_lr", "min_lr_rate"),
    ),
    "cosine_warmup_with_min_lr": (
        "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
        ("num_cycles", "min_lr", "min_lr_rate", "warmup_lr_rate"),
    ),
    "warmup_stable_decay": (
        "get_wsd_schedule",
        ("num_decay_steps", "num_stable_steps", "warmup_type", "decay_type", "min_lr_ratio", "num_cycles"),
    ),
}
_WITH_LOWEST = ("cosine_with_min_lr", "cosine_warmup_with_min_lr")
_LOWEST = 1e-7  # lr_end of a polynomial where nobody says
_RATE = 5e-5  # learning_rate of TrainingArguments
# The package of a reporter, by the class that asks for it, with what that raises (integration_utils.py).
_REPORTERS: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "azure_ml": (("azureml_core", "azureml_sdk"), "RuntimeError", "AzureMLCallback requires azureml to be installed."),
    "comet_ml": (("comet_ml",), "RuntimeError", "CometCallback requires comet-ml to be installed."),
    "mlflow": (("mlflow",), "RuntimeError", "MLflowCallback requires mlflow to be installed."),
    "neptune": (
        ("neptune", "neptune_client"),
        "ValueError",
        "NeptuneCallback requires the Neptune client library to be installed.",
    ),
    "tensorboard": (
        ("tensorboard", "tensorboardx"),
        "RuntimeError",
        "TensorBoardCallback requires tensorboard to be installed.",
    ),
    "trackio": (("trackio",), "RuntimeError", "TrackioCallback requires trackio to be installed."),
    "wandb": (("wandb",), "RuntimeError", "WandbCallback requires wandb to be installed. Run `pip install wandb`."),
    "codecarbon": (("codecarbon",), "RuntimeError", "CodeCarbonCallback requires `codecarbon` to be installed."),
    "clearml": (("clearml",), "RuntimeError", "ClearMLCallback requires 'clearml' to be installed."),
    "dagshub": (("mlflow",), "RuntimeError", "MLflowCallback requires mlflow to be installed."),
    "flyte": (("flytekit",), "ImportError", "FlyteCallback requires flytekit to be installed."),
    "dvclive": (("dvclive",), "RuntimeError", "DVCLiveCallback requires dvclive to be installed."),
    "swanlab": (("swanlab",), "RuntimeError", "SwanLabCallback requires swanlab to be installed."),
    "kubeflow": ((), "", ""),  # it asks for a variable that Kubeflow sets
}
# torch/utils/checkpoint.py checkpoint(): what the reentrant kind takes; it refuses every other keyword.
_OF_CHECKPOINTING = frozenset(
    ("use_reentrant", "preserve_rng_state", "context_fn", "determinism_check", "debug", "early_stop")
)


class Refusal(Record):
    """What a value ends at.

    Attributes:
        type_: the exception's class.
        text: its words.
        because: the value.
    """

    type_: str
    text: str
    because: Setting
    code: ErrorCode = "value-refused"


def check(run: Run, stack: Stack, when: When) -> None:
    """What is refused then.

    Raises:
        PredictedError: something is.
    """
    first = next(_CHECKS[when](_Values(run, stack)), None)
    if first is not None:
        run.training.rest_on(first.because)
        stage = run.training.parsed_at(run.launch) if when == "arguments" else _STAGES[when]
        named = (name for name, setting in run.training.top.settings() if setting is first.because)
        because, flag = (first.because,), next(named, "")
        raise PredictedError(first.code, stage, first.type_, first.text, because, flag=flag)


class _Values:
    """The values of a run's TrainingArguments, of which those that are filled in later say nothing."""

    def __init__(self, run: Run, stack: Stack) -> None:
        self.run, self.stack = run, stack

    def get(self, name: str) -> Setting | None:
        """The setting of an argument whose value is known."""
        setting = self.run.training.get(name)
        return None if setting is None or setting.is_later else setting

    def is_later(self, name: str) -> bool:
        """Whether an argument is filled in later."""
        setting = self.run.training.get(name)
        return setting is not None and setting.is_later

    def value(self, name: str, default: object = None) -> object:
        """What is known to stand there; the default where nothing does, and where it is not known."""
        setting = self.get(name)
        return default if setting is None else setting.value

    def number(self, name: str) -> tuple[Setting, float] | None:
        """A number that is known to be one; a switch counts as 0 or 1, as in Python."""
        setting = self.get(name)
        value = setting.value if setting is not None else None
        return (setting, float(value)) if setting is not None and isinstance(value, (int, float)) else None

    def no_number(self, name: str) -> Setting | None:
        """A text or null where a number was meant, of which nothing makes a number on its way.

        A script that reads the file by a parser of its own may make one of it: FP908.
        """
        setting = self.get(name)
        if setting is None or not isinstance(setting.value, (str, NoneType)):
            return None
        training, span = self.run.training, setting.origin.span
        if span is None:
            return None
        stays = not training.guessed and (setting.value is None or training.keeps_text)
        return setting if stays or span.file.endswith((".py", ".ipynb")) else None

    def switched_on(self, name: str) -> Setting | None:
        """A switch that is known to be on: a text is, whatever it says, where nothing makes yes or no of it."""
        setting = self.get(name)
        if setting is None or not setting.value:
            return None
        return setting if self.no_number(name) is not None else self.run.training.switched_on(name)

    def strategy(self, name: str, default: str) -> str | None:
        """When something is done: a word of TrainingArguments; None where it is not known."""
        older = "evaluation_strategy" if name == "eval_strategy" and self.run.training.get(name) is None else name
        if self.is_later(older):
            return None
        written = self.value(older, default)
        return written if isinstance(written, str) else default

    @property
    def scheduler(self) -> tuple[str, Mapping[str, object]] | None:
        """The scheduler with what it is told; None where one of the two is not known."""
        if self.is_later("lr_scheduler_type") or self.is_later("lr_scheduler_kwargs"):
            return None
        name, told = self.value("lr_scheduler_type", "linear"), self.value("lr_scheduler_kwargs")
        if not isinstance(name, str) or not (told is None or isinstance(told, dict)):
            return None  # a text of JSON, as a flag has it
        return name, told or {}


def _unordered(sign: str, setting: Setting) -> Refusal:
    """What Python says of a comparison with a number."""
    kind = type(setting.value).__name__
    return Refusal("TypeError", f"'{sign}' not supported between instances of '{kind}' and 'int'", setting)


def _no_operand(sign: str, setting: Setting) -> Refusal:
    """What Python says where a whole number is to be counted with it."""
    kind = type(setting.value).__name__
    return Refusal("TypeError", f"unsupported operand type(s) for {sign}: 'int' and '{kind}'", setting)


def _not_between(setting: Setting) -> Refusal:
    """What Python says where torch compares a number with it."""
    kind = type(setting.value).__name__
    return Refusal("TypeError", f"'<=' not supported between instances of 'float' and '{kind}'", setting)


def _of_arguments(values: _Values) -> Iterator[Refusal]:
    """TrainingArguments.__post_init__, in its order of 5.23.0."""
    debug = values.get("debug")
    for word in str(debug.value).split() if debug is not None and isinstance(debug.value, str) else ():
        if debug is not None and word not in _DEBUG:
            yield Refusal("ValueError", f"{word} is not a valid DebugOption, please select one of {[*_DEBUG]}", debug)
    greedy = values.get("lr_scheduler_type")
    if greedy is not None and greedy.value == "greedy" and not values.stack.does(behaviors.Transformers.KNOWS_GREEDY):
        yield Refusal("ValueError", "greedy is not a valid SchedulerType", greedy)
    cache = values.get("torch_empty_cache_steps")
    if cache is not None and cache.value is not None and not _is_step(cache.value) and not _is_flagged(cache):
        text = f"`torch_empty_cache_steps` must be an integer bigger than 0, got {cache.value}."
        yield Refusal("ValueError", text, cache)
    yield from _of_steps(values)
    yield from _of_best(values)
    both = values.switched_on("fp16_full_eval")
    if both is not None and values.switched_on("bf16_full_eval"):
        yield Refusal("ValueError", "At most one of fp16 and bf16 can be True for full eval, but not both", both)
    apex = values.get("half_precision_backend")
    if apex is not None and apex.value == "apex":  # until 5.0, which has no such argument any more
        yield from _of_apex(values, apex)
    if (
        values.scheduler is not None
        and values.scheduler[0] in ("reduce_lr_on_plateau", "greedy")
        and values.strategy("eval_strategy", "no") == "no"
        and (chosen := values.get("lr_scheduler_type")) is not None
    ):
        yield Refusal("ValueError", f"lr_scheduler_type {chosen.value} requires an eval strategy", chosen)
    yield from _of_warmup(values)
    yield from _of_workers(values)
    timeout = values.no_number("ddp_timeout")
    if timeout is not None:
        kind = type(timeout.value).__name__
        yield Refusal("TypeError", f"unsupported type for timedelta seconds component: {kind}", timeout)


def _of_apex(values: _Values, asked: Setting) -> Iterator[Refusal]:
    if values.switched_on("bf16"):
        yield Refusal("ValueError", " `--half_precision_backend apex`: GPU bf16 is not supported by apex.", asked)
    if values.stack.has("apex") is False:
        text = "Using FP16 with APEX but APEX is not installed, please refer to https://www.github.com/nvidia/apex."
        yield Refusal("ImportError", text, asked, "package-missing")


def _is_step(value: object) -> bool:
    return isinstance(value, int) and value > 0


def _is_flagged(setting: Setting) -> bool:
    """Whether argparse gets it, which makes a number of it or refuses it."""
    return setting.origin.flag is not None


def _of_steps(values: _Values) -> Iterator[Refusal]:
    """How often something is done, where it is done by steps."""
    for strategy, name, default in (
        ("logging_strategy", "logging_steps", "steps"),
        ("eval_strategy", "eval_steps", "no"),
        ("save_strategy", "save_steps", "steps"),
    ):
        if values.strategy(strategy, default) != "steps":
            continue
        other = values.no_number(name)
        if other is not None and not (name == "eval_steps" and other.value is None):  # logging_steps stand in for it
            yield _unordered(">", other)
        known = values.number(name)
        if known is None:
            continue
        setting, number = known
        if number == 0 and name == "logging_steps":
            text = "logging strategy IntervalStrategy.STEPS requires non-zero --logging_steps"
            yield Refusal("ValueError", text, setting)
        if number == _WITHOUT_END:
            yield Refusal("OverflowError", "cannot convert float infinity to integer", setting)
        elif number > 1 and number != int(number):
            yield Refusal("ValueError", f"--{name} must be an integer if bigger than 1: {setting.value}", setting)


def _of_best(values: _Values) -> Iterator[Refusal]:
    """The best model is the best of those that are saved: both come at the same time."""
    best = values.switched_on("load_best_model_at_end")
    if best is None:
        return
    saves, evaluates = values.strategy("save_strategy", "steps"), values.strategy("eval_strategy", "no")
    if saves is None or evaluates is None or saves == "best":
        return
    if saves != evaluates:
        text = (
            "--load_best_model_at_end requires the save and eval strategy to match, but found\n"
            f"- Evaluation strategy: IntervalStrategy.{evaluates.upper()}\n"
            f"- Save strategy: SaveStrategy.{saves.upper()}"
        )
        yield Refusal("ValueError", text, best)
    every = values.number("eval_steps") or values.number("logging_steps")
    saved = values.number("save_steps")
    if saves != "steps" or every is None or values.is_later("save_steps") or values.is_later("eval_steps"):
        return
    step, save = every[1], float(_STEPS) if saved is None else saved[1]
    if step >= 1 and save >= 1 and save % step:
        text = (
            "--load_best_model_at_end requires the saving steps to be a round multiple of the evaluation steps, but "
            f"found {save:g}, which is not a round multiple of {step:g}."
        )
        yield Refusal("ValueError", text, best if saved is None else saved[0])


def _of_warmup(values: _Values) -> Iterator[Refusal]:
    """Until 5.0 a share lies between 0 and 1, and steps are whole; later ones look for less than 0 alone."""
    share, steps = values.number("warmup_ratio"), values.number("warmup_steps")
    no_share, no_steps = values.no_number("warmup_ratio"), values.no_number("warmup_steps")
    if values.stack.does(behaviors.Transformers.WARMS_UP_BY_WHOLE_STEPS):
        if no_share is not None:
            yield _unordered("<", no_share)
        if share is not None and not 0 <= share[1] <= 1:
            yield Refusal("ValueError", "warmup_ratio must lie in range [0,1]", share[0])
        wrong = no_steps
        if steps is not None and (steps[1] < 0 or not isinstance(steps[0].value, int)):
            wrong = steps[0]
        if wrong is not None:
            text = "warmup_steps must be of type int and must be 0 or a positive integer."
            yield Refusal("ValueError", text, wrong)
        return
    if steps is not None and steps[1] < 0:
        text = f"Got warmup_steps = {steps[0].value}, Expected value warmup_steps >= 0"
        yield Refusal("ValueError", text, steps[0])
    if no_steps is not None:
        yield _unordered("<", no_steps)


def _of_workers(values: _Values) -> Iterator[Refusal]:
    ahead = values.number("dataloader_prefetch_factor")
    if ahead is not None and not values.is_later("dataloader_num_workers") and values.value(*_NO_WORKERS) == 0:
        text = (
            "--dataloader_prefetch_factor can only be set when data is loaded in a different process, i.e. when "
            "--dataloader_num_workers > 0."
        )
        yield Refusal("ValueError", text, ahead[0])
    workers = values.no_number("dataloader_num_workers")
    if workers is not None and values.stack.does(behaviors.Transformers.COUNTS_WORKERS):
        yield _unordered(">", workers)


_NO_WORKERS = ("dataloader_num_workers", 0)


def _of_trainer(values: _Values) -> Iterator[Refusal]:
    """Trainer.__init__ before it has its Accelerator: the seed, and the micro-batches that share a step."""
    seed = values.get("seed")
    if seed is not None and type(seed.value) is int and not 0 <= seed.value < _SEEDS:
        yield Refusal("ValueError", "Seed must be between 0 and 2**32 - 1", seed)
    if seed is not None and not _is_flagged(seed):
        if isinstance(seed.value, float):
            text = "Cannot cast scalar from dtype('float64') to dtype('int64') according to the rule 'safe'"
            yield Refusal("TypeError", text, seed)
        if seed.value is None:
            text = "int() argument must be a string, a bytes-like object or a real number, not 'NoneType'"
            yield Refusal("TypeError", text, seed)
        if isinstance(seed.value, str) and values.no_number("seed") is not None:
            text = "Cannot cast scalar from dtype('<U2') to dtype('int64') according to the rule 'safe'"
            yield Refusal("TypeError", text, seed)
    given, steps = values.get("accelerator_config"), values.number("gradient_accumulation_steps")
    told = given.value.get("gradient_accumulation_kwargs") if given and isinstance(given.value, dict) else None
    if given is not None and isinstance(told, dict) and "num_steps" in told and steps is not None and steps[1] > 1:
        text = (
            "The `AcceleratorConfig`'s `num_steps` is set but `gradient_accumulation_steps` is greater than 1 in the "
            "passed `TrainingArguments`"
        )
        yield Refusal("ValueError", text, given)


def _of_callbacks(values: _Values) -> Iterator[Refusal]:
    """Trainer.__init__ once it has its Accelerator: its log level, what it compares, and whom it reports to."""
    from fp8check.rules.releases.argument_values import LOG_LEVELS

    for name in ("log_level_replica", "log_level"):
        level = values.get(name)
        if level is not None and not _is_flagged(level) and level.value not in LOG_LEVELS:
            yield Refusal("KeyError", repr(level.value), level)
    compared = values.get("metric_for_best_model")
    best = values.get("save_strategy")
    is_compared = compared is not None and compared.value is not None
    loads = values.switched_on("load_best_model_at_end") or values.is_later("load_best_model_at_end")
    told = values.scheduler is None or values.scheduler[0] in ("reduce_lr_on_plateau", "greedy")
    if (
        best is not None
        and best.value == "best"
        and not (is_compared or loads or told or values.is_later("metric_for_best_model"))
    ):
        text = (
            "`args.metric_for_best_model` must be provided when using 'best' save_strategy or if "
            "`args.load_best_model_at_end` is set to `True`."
        )
        yield Refusal("ValueError", text, best)
    for name in ("max_steps", "num_train_epochs"):
        number = values.no_number(name)
        if number is not None:
            yield _unordered(">", number)
    size = values.no_number(_BATCH)
    if size is not None and size.value is None:
        yield Refusal("TypeError", "unsupported operand type(s) for *: 'NoneType' and 'int'", size)
    smoothing = values.no_number("label_smoothing_factor")
    if smoothing is not None and values.stack.does(behaviors.Transformers.SMOOTHS_ABOVE_ZERO):
        yield _unordered(">", smoothing)
    yield from _of_reporters(values)


def _of_reporters(values: _Values) -> Iterator[Refusal]:
    to = values.get("report_to")
    if to is None or (_is_flagged(to) and to.value is None) or to.value in ("all", "none", ["all"], ["none"]):
        return
    if to.value is None and values.stack.does(behaviors.Transformers.REPORTS_TO_ALL):
        return
    named = to.value if isinstance(to.value, list) else [to.value]
    known = [name for name in _REPORTERS if _has_reporter(name, values.stack)]
    for name in named:
        if name not in known:
            text = f"{name} is not supported, only {', '.join(known)} are supported."
            yield Refusal("ValueError", text, to)
    for name in named:
        packages, type_, text = _REPORTERS.get(str(name), ((), "", ""))
        if packages and all(values.stack.has(package) is False for package in packages):
            yield Refusal(type_, text, to, "reporter-missing")


def _has_reporter(name: str, stack: Stack) -> bool:
    """Whether a release knows it; of those that came earlier than 4.45.2 nothing is said."""
    if name == "swanlab":
        return stack.does(behaviors.Transformers.KNOWS_SWANLAB)
    if name == "trackio":
        return stack.does(behaviors.Transformers.KNOWS_TRACKIO)
    return name != "kubeflow" or stack.does(behaviors.Transformers.KNOWS_KUBEFLOW)


def _of_optimizer(values: _Values) -> Iterator[Refusal]:
    """What train() makes before it prepares the model: the batches, the optimizer, the scheduler."""
    yield from _of_batches(values)
    deepspeed = values.run.deepspeed
    if deepspeed is None or deepspeed.optimizer is None:  # else DeepSpeed makes it
        yield from _of_rate(values)
    if not values.stack.does(behaviors.Transformers.SCHEDULES_LAST):
        yield from _of_scheduler(values)


def _of_batches(values: _Values) -> Iterator[Refusal]:
    accumulated = values.no_number("gradient_accumulation_steps")
    if accumulated is not None:
        yield _no_operand("//", accumulated)
    workers = values.number("dataloader_num_workers")
    if workers is not None and workers[1] < 0:
        text = "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing."
        yield Refusal("ValueError", text, workers[0])
    named = values.no_number("dataloader_num_workers")
    if named is not None:
        yield _unordered("<", named)
    if values.value(*_NO_WORKERS) == 0 and not values.is_later("dataloader_num_workers"):
        context = values.get("dataloader_multiprocessing_context")
        if context is not None and context.value is not None:
            text = (
                "multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got "
                "num_workers=0"
            )
            yield Refusal("ValueError", text, context)
        stays = values.switched_on("dataloader_persistent_workers")
        if stays is not None:
            yield Refusal("ValueError", "persistent_workers option needs num_workers > 0", stays)
    size = values.get(_BATCH)
    if size is not None and not _is_flagged(size) and (isinstance(size.value, float) or values.no_number(_BATCH)):
        text = f"batch_size should be a positive integer value, but got batch_size={size.value}"
        yield Refusal("ValueError", text, size, "batch-size-not-positive")
    drops = values.get("dataloader_drop_last")
    if drops is not None and not isinstance(drops.value, bool) and not _is_flagged(drops):
        is_text = isinstance(drops.value, str)
        if not is_text or values.no_number("dataloader_drop_last") is not None:
            text = f"drop_last should be a boolean value, but got drop_last={drops.value}"
            yield Refusal("ValueError", text, drops)


_BATCH = "per_device_train_batch_size"


def _of_rate(values: _Values) -> Iterator[Refusal]:
    """torch/optim: what its classes look at as they are made."""
    optimizer = values.value("optim", _WITH_BETAS[0])
    if values.is_later("optim") or optimizer not in _WITH_RATE:
        return
    rate = values.number("learning_rate")
    if rate is not None and rate[1] < 0:
        yield Refusal("ValueError", f"Invalid learning rate: {rate[0].value}", rate[0])
    other = values.no_number("learning_rate")
    if other is not None:
        yield _not_between(other)
    if optimizer not in _WITH_BETAS:
        return
    for name, below, said in (
        ("adam_epsilon", _WITHOUT_END, "Invalid epsilon value:"),
        ("adam_beta1", 1.0, "Invalid beta parameter at index 0:"),
        ("adam_beta2", 1.0, "Invalid beta parameter at index 1:"),
    ):
        known, other = values.number(name), values.no_number(name)
        if known is not None and not 0 <= known[1] < below:
            yield Refusal("ValueError", f"{said} {known[0].value}", known[0])
        if other is not None:
            yield _not_between(other)


def _of_scheduler(values: _Values) -> Iterator[Refusal]:
    """optimization.py get_scheduler(): what its functions take, and what they want to be told."""
    scheduler, deepspeed = values.scheduler, values.run.deepspeed
    if scheduler is None or scheduler[0] not in _OF_SCHEDULER:
        return
    if deepspeed is not None and deepspeed.scheduler is not None:
        return  # DeepSpeed makes it
    name, told = scheduler
    function, taken = _OF_SCHEDULER[name]
    because = values.get("lr_scheduler_kwargs") or values.get("lr_scheduler_type")
    if name == "inverse_sqrt" and not values.stack.does(behaviors.Transformers.TELLS_TIMESCALE):
        return  # it is told nothing
    other = next((key for key in told if key not in taken and key != "last_epoch"), None)
    if other is not None and because is not None:
        yield Refusal("TypeError", f"{function}() got an unexpected keyword argument '{other}'", because)
    chosen = values.get("lr_scheduler_type")
    if chosen is None:
        return
    if name in _WITH_LOWEST and told.get("min_lr") is None and told.get("min_lr_rate") is None:
        text = "One of min_lr or min_lr_rate should be set through the `lr_scheduler_kwargs`"
        yield Refusal("ValueError", text, chosen, "scheduler-without-rate")
    if name in _WITH_LOWEST and told.get("min_lr") is not None and told.get("min_lr_rate") is not None and because:
        yield Refusal("ValueError", "Only one of min_lr or min_lr_rate should be set", because)
    if name == "warmup_stable_decay" and "num_decay_steps" not in told and values.run.training.name != "llamafactory":
        text = "get_wsd_schedule() missing 1 required positional argument: 'num_decay_steps'"
        yield Refusal("TypeError", text, chosen)  # LLaMA-Factory works them out (train/trainer_utils.py)
    rate = values.number("learning_rate")
    end = told.get("lr_end", _LOWEST)
    if name == "polynomial" and isinstance(end, (int, float)) and not values.is_later("learning_rate"):
        first = _RATE if rate is None else rate[1]
        if first <= end:
            at = because if "lr_end" in told or rate is None else rate[0]
            yield Refusal("ValueError", f"lr_end ({end}) must be smaller than initial lr ({first})", at or chosen)


def _of_step(values: _Values) -> Iterator[Refusal]:
    """What train() meets once the model is prepared, up to the layers that it checkpoints."""
    if values.stack.does(behaviors.Transformers.SCHEDULES_LAST):
        yield from _of_scheduler(values)
    asked = values.switched_on("eval_on_start")
    made = values.run.script.constructs
    if asked is not None and made and all(map(evaluates_nothing, made)):
        yield Refusal("ValueError", "Trainer: evaluation requires an eval_dataset.", asked)
    ahead = values.number("dataloader_prefetch_factor")
    if ahead is not None and ahead[1] <= 0:
        text = "prefetch_factor must be greater than 0 for MultiProcessingDataLoaderIter"
        yield Refusal("AssertionError", text, ahead[0])
    for name in ("gradient_accumulation_steps", "max_steps"):
        whole = values.get(name)
        if whole is not None and isinstance(whole.value, float) and not _is_flagged(whole):
            yield Refusal("TypeError", "'float' object cannot be interpreted as an integer", whole)
    yield from _of_checkpointing(values)
    for name in ("logging_steps", "eval_steps", "save_steps"):  # whatever the strategy is
        written = values.no_number(name)
        if written is not None and written.value is not None:
            yield _unordered("<", written)


def _of_update(values: _Values) -> Iterator[Refusal]:
    """What the loss and the update look at, which come last."""
    smoothing = values.no_number("label_smoothing_factor")
    if smoothing is not None:
        yield _no_operand("-", smoothing)
    clip = values.no_number("max_grad_norm")
    if clip is not None and (clip.value is not None or values.stack.does(behaviors.Transformers.CLIPS_WITHOUT_LOOKING)):
        yield _unordered(">", clip)
    decay = values.no_number("weight_decay")
    if decay is not None and values.value("optim", _WITH_BETAS[0]) in _WITH_BETAS:
        yield Refusal("TypeError", "_fused_adamw_() received an invalid combination of arguments", decay)


def _of_checkpointing(values: _Values) -> Iterator[Refusal]:
    """Keywords that torch's checkpoint() does not take, where the kind is the reentrant one, as it is by itself."""
    told = values.get("gradient_checkpointing_kwargs")
    asked = values.switched_on("gradient_checkpointing") or values.switched_on("activation_checkpointing")
    if told is None or not isinstance(told.value, dict) or asked is None:
        return
    others = [key for key in told.value if key not in _OF_CHECKPOINTING]
    if others and told.value.get("use_reentrant") is not False:
        yield Refusal("ValueError", f"Unexpected keyword arguments: {','.join(others)}", told)


_CHECKS: Mapping[When, Callable[[_Values], Iterator[Refusal]]] = {
    "arguments": _of_arguments,
    "trainer": _of_trainer,
    "callbacks": _of_callbacks,
    "optimizer": _of_optimizer,
    "step": _of_step,
    "update": _of_update,
}
_STAGES: Mapping[When, Stage] = {
    "trainer": "trainer",
    "callbacks": "trainer",
    "optimizer": "step",
    "step": "step",
    "update": "step",
}
