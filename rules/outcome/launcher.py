"""The launcher: what environment the training process starts with, or why it never starts.

Models accelerate/commands/launch.py and utils/launch.py (0.34.0 to 1.15.0), torchrun, and a plain interpreter.
"""

from __future__ import annotations

from functools import lru_cache

from fp8check.rules.outcome import processes
from fp8check.rules.releases.accelerate_enums import DISTRIBUTED_TYPES, DYNAMO_BACKENDS, SAGEMAKER_TYPES
from fp8check.rules.releases.accelerate_keys import unknown_keys
from fp8check.rules.releases.behaviors import Accelerate
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.settings.accelerate import AccelerateConfig
from fp8check.rules.settings.launch import INTEGERS, LAUNCHER_FLAGS, LAUNCHERS, REALS
from fp8check.rules.settings.values import Origin, Setting, Undecided, is_number, taken, whole_number
from fp8check.rules.trainers.data import Started
from fp8check.rules.trainers.registry import PROGRAMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.releases.accelerate_enums import DistributedType
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.trainers.run import Run

    Environment = dict[str, Setting]

PRECISIONS = ("no", "fp8", "fp16", "bf16")
# The launcher's own defaults, exported whenever the precision is fp8. `backend` has none and is left out.
_FP8_DEFAULTS = {
    "fp8_use_autocast_during_eval": False,
    "fp8_margin": 0,
    "fp8_interval": 1,
    "fp8_amax_history_len": 1024,
    "fp8_amax_compute_algo": "most_recent",
    "fp8_override_linear_precision": (False, False, False),
    "fp8_opt_level": "O2",
}

# utils/environment.py str_to_bool: it strips nothing.
BOOLEANS = ("y", "yes", "t", "true", "on", "1", "n", "no", "f", "false", "off", "0")


def start(run: Run, stack: Stack) -> Started:
    """What the training process starts with.

    Raises:
        PredictedError: the launcher itself ends with an error.
        Undecided: the launch is of a kind that is not modeled.
    """
    launch = run.launch
    if launch.unknown:
        raise Undecided(launch.unknown, "launch")
    if launch.is_module and str(launch.script).endswith(".py"):
        what = (
            f"-m {launch.script} looks for a module py in a package, runs what it takes for that package, and then ends"
        )
        raise Undecided(what, "the command without -m")
    if launch.flag("no_python") and launch.is_module:
        _refuse_module(launch)
    if launch.through is not None or launch.is_module:
        run.training.check_command(launch, stack)
    if launch.tool == "accelerate":
        started = _accelerate_launch(run, stack, _shell(run))
    else:
        if launch.tool != "python":
            _check_own_flags(launch)
            _check_script(run)
        kind, unknown = processes.spread(run)
        started = Started(_shell(run), kind, unknown=unknown)
    pair = processes.doubled(run)
    if pair is not None:
        what = f"{pair[0]} starts {pair[1]}, and both start processes: what comes of that is not modeled"
        raise Undecided(what, "one launcher alone")
    if started.kind == "NO" and processes.gets_ranks(run):
        started = started._replace(kind="MULTI_GPU")
    around = launch.surroundings
    # Told to start several, the launcher starts one where there is no GPU at all: FP8 has none there either.
    tells = launch.tool == "accelerate" and started.unknown is not None and (launch.number("num_processes") or 0) > 1
    if around.copies != 1 and started.kind == "NO" and not tells:
        number = "several" if around.copies is None else around.copies
        what = f"{around.copies_by} starts {number} of it, and the script decides what they are to each other"
        raise Undecided(what, "a launcher that says how many processes there are: torchrun or accelerate launch")
    return started


def _refuse_module(launch: Launch) -> None:
    """accelerate utils/launch.py of 1.0.1 to 1.15.0, torch/distributed/run.py of 2.13.0: one or the other."""
    texts = {
        "accelerate": "--module and --no_python cannot be used together",
        "torchrun": "Don't use both the '--no-python' flag and the '--module' flag at the same time.",
    }
    text = texts.get(launch.tool)
    if text is not None:
        because = (_flag("no_python", True),)
        raise PredictedError("module-without-python", "launch", "ValueError", text, because, flag="no_python")


def _shell(run: Run) -> Environment:
    variables = run.facts.variables or {}
    shell = {name: taken(value, Origin(variable=name)) for name, value in variables.items()}
    # What the trainer's own command sets from its file before it starts the launcher is among them.
    return {**shell, **run.training.variables} if run.training.is_started_through(run.launch) else shell


def is_configuration(launch: Launch) -> bool:
    """Whether a configuration stands where the program is looked for: `accelerate launch train.yaml`."""
    return str(launch.script).lower().endswith((".yaml", ".yml")) and not launch.is_module


def _check_own_flags(launch: Launch) -> None:
    """A flag of torchrun or deepspeed that is the beginning of several, or spelled in no way that argparse knows."""
    from fp8check.rules.settings.programs import DEEPSPEED, TORCHRUN, begun

    known = TORCHRUN if launch.tool == "torchrun" else DEEPSPEED
    for name in launch.flags:
        if name not in known:
            flags = begun(launch.tool, f"--{name}", known)
            text = f"ambiguous option: --{name} could match {', '.join(flags)}" if flags else ""
            text = text or f"unrecognized arguments: --{name}"
            because = (_flag(name, launch.flags[name]),)
            raise PredictedError("unknown-launcher-flag", "launch", "SystemExit", text, because, flag=name)


def _check_script(run: Run) -> None:
    """The launchers run `python WORD` unless --no_python is given: a command of the shell is no Python file.

    Nor is a configuration: where the script was left out, python takes its first line for a statement and fails.
    """
    launch = run.launch
    word = launch.script if is_configuration(launch) else run.training.instead_of_script(launch, run.facts)
    if launch.flag("no_python") or (launch.through is not None and word is None):
        return
    if launch.through is None and launch.script in LAUNCHERS | PROGRAMS:
        raise PredictedError(
            "command-is-no-script", "launch", "CalledProcessError", f"python: can't open file {launch.script!r}"
        )
    if word is None:
        return
    if word.endswith(".py"):
        what = f"{launch.through} hands {word} on to accelerate launch, which runs it instead of its own script"
        raise Undecided(what, f"the command without {word}")
    refused, because = run.refused.get("script"), (Setting(word, Origin(flag=word)),)
    if refused is not None:
        raise PredictedError("command-is-no-script", "arguments", refused.type, refused.message, because)
    text = f"python {word} returned non-zero exit status 1"
    raise PredictedError("command-is-no-script", "launch", "CalledProcessError", text, because)


def _accelerate_launch(run: Run, stack: Stack, environment: Environment) -> Started:
    _check_flags(run, stack)
    _check_script(run)
    config = run.config_read
    if config is None:
        if "accelerate" in run.refused:
            raise run.refused["accelerate"].error("launch")
        run.require("accelerate")
        if run.names_other_config and run.launch.config_file is not None:
            raise Undecided(f"what {run.launch.config_file} says", f"fp8check with {run.launch.config_file}")
    if config is not None:
        if config is run.accelerate and "accelerate" in run.refused:
            raise run.refused["accelerate"].error("launch")
        _load(config, stack)
        if config.is_sagemaker:
            raise Undecided("the configuration starts a job on Amazon SageMaker, which is not modeled", "launch")
        _check_gpu_ids(run, config)
    kind, unknown = processes.kind_of(run, config)
    _check_processes(run, config)
    _check_numbers(run, config, kind)
    if kind == "NO" and unknown is None:
        _check_machines(run, config)
    if kind == "DEEPSPEED" and stack.has("deepspeed") is False:
        text = "DeepSpeed is not installed => run `pip3 install deepspeed` or build it from source."
        raise PredictedError(
            "launcher-without-deepspeed",
            "launch",
            "ImportError",
            text,
            (config.distributed_type,) if config is not None else (),
        )
    _check_dynamo(run, config, stack)
    precision = _precision(run, config, stack)
    beaten = environment.get("ACCELERATE_MIXED_PRECISION")
    environment["ACCELERATE_MIXED_PRECISION"] = precision.over(beaten)
    if precision.value == "fp8":
        if stack.sees_fp8_library() is False:
            raise _no_library(stack, precision)
        _export_fp8(run, config, stack, environment, simple=kind == "NO")
    version = _export_fsdp(run, config, stack, environment) if kind == "FSDP" else None
    ids = run.gpu_ids
    if ids is not None:
        _put(environment, "CUDA_VISIBLE_DEVICES", ids, str(ids.value))
    _check_program(run, kind)
    return Started(environment, kind, version, unknown)


def _check_program(run: Run, kind: DistributedType) -> None:
    """--no_python starts the word itself, which a shell would look for on its path: a file that lies here is not there.

    Executed with 1.10.1 and 1.15.0, where the launcher starts one process by itself.
    """
    word = run.launch.script
    if not run.launch.flag("no_python") or word is None or not word.endswith(".py") or "/" in word or kind != "NO":
        return
    if run.script.source is not None or any(file.input == "script" for file in run.unread):
        raise PredictedError(
            "script-is-no-program",
            "launch",
            "FileNotFoundError",
            f"[Errno 2] No such file or directory: {word!r}",
            (_flag("no_python", True),),
            flag="no_python",
        )


def _check_dynamo(run: Run, config: AccelerateConfig | None, stack: Stack) -> None:
    """utils/launch.py: DynamoBackend(args.dynamo_backend.upper()); `dynamo_backend: NO` without quotes is false."""
    if config is None or run.launch.flag("dynamo_backend") is not None:
        return
    backend = config.dynamo_backend or (config.dynamo_short if stack.does(Accelerate.PREFIXES_DYNAMO) else None)
    if backend is None or backend.is_later or backend.value is None:
        return
    if not isinstance(backend.value, str):
        text = f"'{type(backend.value).__name__}' object has no attribute 'upper'"
        raise PredictedError("dynamo-backend-not-text", "launch", "AttributeError", text, (backend,))
    if backend.value.upper() not in DYNAMO_BACKENDS:
        text = f"Unknown dynamo backend: {backend.value.upper()}."
        raise PredictedError("unknown-dynamo-backend", "launch", "ValueError", text, (backend,))


def _check_flags(run: Run, stack: Stack) -> None:
    if not run.launch.flags:
        return
    backends = ("ao", "te", "msamp") if stack.does(Accelerate.LAUNCHER_OFFERS_AO) else ("te", "msamp")
    formats: tuple[str, ...] = ("E4M3", "HYBRID")
    if stack.does(Accelerate.LAUNCHER_OFFERS_E5M2):
        formats = ("HYBRID", "E4M3", "E5M2")
    choices = {
        "mixed_precision": ("no", "fp16", "bf16", "fp8"),
        "fp8_backend": backends,
        "fp8_format": formats,
        "fp8_amax_compute_algo": ("max", "most_recent"),
        "fp8_opt_level": ("O1", "O2"),
        "dynamo_backend": tuple(name.lower() for name in DYNAMO_BACKENDS),
        "dynamo_mode": ("default", "reduce-overhead", "max-autotune"),
    }
    for name, allowed in choices.items():
        value = run.launch.flag(name)
        if value is not None and value not in allowed:
            text = f"argument --{name}: invalid choice: {value!r} (choose from {', '.join(map(repr, allowed))})"
            raise PredictedError(
                "launcher-flag-choice", "launch", "SystemExit", text, (_flag(name, value),), flag=name, choices=allowed
            )
    _check_numbers_of_flags(run)
    name = "fp8_override_linear_precision"
    override = run.launch.flag(name)
    strange = [part for part in str(override).split(",") if part.lower() not in BOOLEANS] if override else []
    if strange:
        text = f"argument --{name}: invalid <lambda> value: {override!r}"
        raise PredictedError("launcher-flag-value", "launch", "SystemExit", text, (_flag(name, override),), flag=name)
    unknown = [name for name in run.launch.flags if name not in LAUNCHER_FLAGS]
    if unknown:
        raise PredictedError(
            "unknown-launcher-flag",
            "launch",
            "SystemExit",
            f"unrecognized arguments: --{unknown[0]}",
            (_flag(unknown[0], True),),
            flag=unknown[0],
        )
    kinds = [name for name in ("cpu", "multi_gpu", "tpu", "use_deepspeed", "use_fsdp") if run.launch.flag(name)]
    if len(kinds) > 1:
        text = "You can only use one of `--cpu`, `--multi_gpu`, `--tpu`, `--use_deepspeed`, `--use_fsdp` at a time."
        raise PredictedError(
            "two-launch-kinds", "launch", "ValueError", text, tuple(_flag(name, True) for name in kinds)
        )
    processes = run.launch.number("num_processes")
    if run.launch.flag("multi_gpu") and processes is not None and processes < 2:
        text = "You need to use at least 2 processes to use `--multi_gpu`."
        raise PredictedError(
            "multi-gpu-one-process",
            "launch",
            "ValueError",
            text,
            (_flag("multi_gpu", True), _flag("num_processes", processes)),
        )


_OF_THE_NODE = frozenset(("machine_rank", "main_process_port", "max_restarts", "num_cpu_threads_per_process"))


def _check_numbers_of_flags(run: Run) -> None:
    """argparse reads them by int() and float().

    Which node it is and what it listens on is filled in on each node, and is a number there, or nothing starts at all.
    """
    for name in run.launch.flags:
        setting = run.launch.setting(name) if name in _OF_THE_NODE else None
        if setting is not None and setting.is_later:
            continue
        kind = "int" if name in INTEGERS else "float" if name in REALS else ""
        value = run.launch.flag(name) if kind else None
        if isinstance(value, str) and not is_number(value, kind):
            text = f"argument --{name}: invalid {kind} value: {value!r}"
            raise PredictedError("launcher-flag-value", "launch", "SystemExit", text, (_flag(name, value),), flag=name)


def _flag(name: str, value: object) -> Setting:
    return taken(value, Origin(flag=f"--{name}" if value is True else f"--{name} {value}"))


def _load(config: AccelerateConfig, stack: Stack) -> None:
    """load_config_from_file: what it refuses (commands/config/config_args.py)."""
    if config.malformed is not None:
        raise PredictedError(
            "config-not-a-map", "launch", "AttributeError", f"{config.malformed!r} object has no attribute 'get'"
        )
    distributed = config.distributed_type
    if distributed is None:
        raise PredictedError(
            "config-without-distributed-type",
            "launch",
            "ValueError",
            "A `distributed_type` must be specified in the config file.",
        )
    unknown = unknown_keys(config, stack.version("accelerate"))
    if unknown:
        text = (
            f"The config file at {config.path or 'FILE'} had unknown keys ({unknown}), please try upgrading your "
            "`accelerate` version or fix (and potentially remove) these keys from your config file."
        )
        raise PredictedError(
            "unknown-config-key", "launch", "ValueError", text, tuple(config.top.get(name) for name in unknown)
        )
    environment = config.compute_environment
    if environment is not None and environment.value not in ("LOCAL_MACHINE", "AMAZON_SAGEMAKER"):
        text = f"{environment.value!r} is not a valid ComputeEnvironment"
        raise PredictedError("unknown-compute-environment", "launch", "ValueError", text, (environment,))
    known: tuple[str, ...] = DISTRIBUTED_TYPES
    name = "DistributedType"
    if config.is_sagemaker:
        known, name = SAGEMAKER_TYPES, "SageMakerDistributedType"
    if isinstance(distributed.value, str) and distributed.value not in known:
        text = f"{distributed.value!r} is not a valid {name}"
        raise PredictedError("unknown-distributed-type", "launch", "ValueError", text, (distributed,))


def _check_numbers(run: Run, config: AccelerateConfig | None, kind: DistributedType) -> None:
    """prepare_simple_launcher_cmd_env, prepare_multi_gpu_env: what the file holds is compared with a number."""
    if config is None:
        return
    for name, setting in (("num_machines", config.num_machines), ("num_processes", config.num_processes)):
        if setting is None or setting.value is None or run.launch.flag(name) is not None:
            continue
        if not isinstance(setting.value, (int, float)) and (name == "num_machines" or kind == "NO"):
            text = f"'>' not supported between instances of {type(setting.value).__name__!r} and 'int'"
            raise PredictedError("launcher-number-as-text", "launch", "TypeError", text, (setting,))


def _check_machines(run: Run, config: AccelerateConfig | None) -> None:
    """prepare_simple_launcher_cmd_env of 1.0.1 to 1.15.0: several machines want the first one's address and port."""
    machines = run.launch.setting("num_machines") or (None if config is None else config.num_machines)
    number = None if machines is None or machines.is_later else whole_number(str(machines.value))
    if number is None or number < 2:
        return
    for name, what in (("main_process_ip", "IP"), ("main_process_port", "port")):
        given = run.launch.setting(name) or (None if config is None else config.first_machine[name])
        if given is None or (not given.is_later and given.value is None):
            text = f"When using multiple machines, you need to specify the main process {what}."
            raise PredictedError("machines-without-first", "launch", "AssertionError", text, (machines,))


# With one of these flags it is not the file that says over what the run is spread.
_OTHER_KINDS = ("use_deepspeed", "use_fsdp", "use_megatron_lm", "tpu")


def _check_gpu_ids(run: Run, config: AccelerateConfig) -> None:
    """_validate_launch_command: gpu_ids is text, and more than one for MULTI_GPU on one machine."""
    ids, kind = run.launch.setting("gpu_ids") or config.gpu_ids, config.distributed_type
    if ids is None or ids.value is None:
        return
    if not isinstance(ids.value, str):
        text = f"{type(ids.value).__name__!r} object has no attribute 'split'"
        raise PredictedError("gpu-ids-not-text", "launch", "AttributeError", text, (ids,))
    machines = run.launch.setting("num_machines") or config.num_machines
    number = None if machines is None else whole_number(str(machines.value))
    asked = run.launch.setting("multi_gpu")
    if asked is None and kind is not None and kind.value == "MULTI_GPU":
        asked = None if any(run.launch.flag(name) for name in _OTHER_KINDS) else kind
    if asked is not None and ids.value != "all" and "," not in ids.value and (number or 1) <= 1:
        raise PredictedError(
            "one-gpu-id", "launch", "ValueError", "Less than two GPU ids were configured", (ids, asked)
        )


def _check_processes(run: Run, config: AccelerateConfig | None) -> None:
    """process_config gives num_processes a default only where distributed_type is the string NO.

    Where the launch command was not given, it may well pass --num_processes: then nothing is said.
    """
    if config is None or run.launch.flag("num_processes") is not None or config.num_processes is not None:
        return
    if not run.launch.given:
        return
    distributed = config.distributed_type
    if distributed is None or distributed.value != "NO":
        text = "You need to manually pass in `--num_processes` using this config yaml."
        raise PredictedError("processes-not-given", "launch", "ValueError", text, (distributed,))


def precision_meant(word: object) -> str | None:
    """The precision that a word means which is none but for how it is spelled: "fp 8", "FP-8", "float8"."""
    letters = "".join(letter for letter in str(word).lower() if letter.isalnum())
    spelled = letters.replace("bfloat", "bf").replace("float", "fp")
    return spelled if spelled in PRECISIONS else None


def _precision(run: Run, config: AccelerateConfig | None, stack: Stack) -> Setting:
    flag = run.launch.flag("mixed_precision")
    written = config.mixed_precision if config is not None else None
    if flag is not None:
        return _flag("mixed_precision", flag).over(written)
    if written is None:
        if config is not None and config.old_fp16:
            return Setting("fp16", Origin(code="fp16: true of an old configuration"))
        return Setting("no", Origin(default=f"{stack.name('accelerate')} launch"))
    if not isinstance(written.value, str):
        text = f"{type(written.value).__name__!r} object has no attribute 'lower'"
        raise PredictedError("launcher-precision-not-text", "launch", "AttributeError", text, (written,))
    lowered = written.value.lower()
    if lowered not in PRECISIONS:
        text = f"Unknown mixed_precision mode: {lowered}. Choose between {list(PRECISIONS)}."
        raise PredictedError("unknown-launcher-precision", "launch", "ValueError", text, (written,))
    return written._replace(value=lowered)


def _no_library(stack: Stack, precision: Setting) -> PredictedError:
    newer = stack.does(Accelerate.TORCHAO_COUNTS_AS_FP8_LIBRARY)
    libraries = "Transformer Engine, MSAMP or torchao" if newer else "Transformer Engine or MSAMP"
    text = f"FP8 is not available on this machine. Please ensure that either {libraries} is installed."
    return PredictedError("launcher-without-fp8-library", "launch", "RuntimeError", text, (precision,))


def _export_fp8(
    run: Run, config: AccelerateConfig | None, stack: Stack, environment: Environment, *, simple: bool
) -> None:
    """setup_fp8_env: every fp8_* argument that is not None becomes ACCELERATE_FP8_*."""
    for name, setting in _fp8_arguments(run, config, stack).items():
        if setting.value is None:
            continue
        if name == "fp8_override_linear_precision":
            _export_override(setting, stack, environment, simple=simple)
        else:
            _put(environment, f"ACCELERATE_{name.upper()}", setting, str(setting.value))


def _put(environment: Environment, variable: str, setting: Setting, text: str) -> None:
    exported = setting if setting.value is text else Setting(text, setting.origin, setting.overrode)
    before = environment.get(variable)
    environment[variable] = exported if before is None else exported.over(before)  # none is before most


def _fp8_arguments(run: Run, config: AccelerateConfig | None, stack: Stack) -> dict[str, Setting]:
    e4m3 = stack.does(Accelerate.LAUNCHER_DEFAULTS_TO_E4M3)
    configures_ao = stack.does(Accelerate.TORCHAO_RECIPE_HAS_CONFIG)
    arguments = {**_fp8_defaults(stack.name("accelerate"), e4m3, configures_ao)}
    flags = {name: _flag(name, value) for name, value in run.launch.flags.items() if name.startswith("fp8_")}
    written = _fp8_config(config, stack)
    layers = (flags, written) if stack.does(Accelerate.FP8_CONFIG_BEATS_FLAGS) else (written, flags)
    for layer in layers:
        for name, setting in layer.items():
            arguments[name] = setting.over(arguments.get(name))
    return arguments


@lru_cache(maxsize=8)  # the newest release, an earlier one, and few others
def _fp8_defaults(release: str, e4m3: bool, configures_ao: bool) -> dict[str, Setting]:
    default = Origin(default=f"{release} launch")
    arguments = {name: Setting(value, default) for name, value in _FP8_DEFAULTS.items()}
    arguments["fp8_format"] = Setting("E4M3" if e4m3 else "HYBRID", default)
    if configures_ao:
        arguments["fp8_enable_fsdp_float8_all_gather"] = Setting(1, default)
        arguments["fp8_pad_inner_dim"] = Setting(1, default)
    return arguments


def _fp8_config(config: AccelerateConfig | None, stack: Stack) -> dict[str, Setting]:
    if config is None or not stack.does(Accelerate.LAUNCHER_COPIES_FP8_CONFIG):
        return {}
    # 1.4 prefixed a key unless it held "fp8" anywhere, later releases unless it begins with it.
    anywhere = stack.does(Accelerate.FP8_CONFIG_BEATS_FLAGS)
    settings: dict[str, Setting] = {}
    for key in config.fp8:
        prefixed = key if ("fp8" in key if anywhere else key.startswith("fp8")) else f"fp8_{key}"
        setting = config.fp8.get(key)
        if setting is not None and prefixed.startswith("fp8_"):
            settings[prefixed] = setting
    return settings


def _export_override(setting: Setting, stack: Stack, environment: Environment, *, simple: bool) -> None:
    if stack.does(Accelerate.LAUNCHER_EXPORTS_OVERRIDE_WHOLE):
        _put(environment, "ACCELERATE_FP8_OVERRIDE_LINEAR_PRECISION", setting, str(setting.value))
        return
    parts = _override_parts(setting, stack)
    if simple and stack.does(Accelerate.LAUNCHER_EXPORTS_OVERRIDE_RAW):
        strange = next((part for part in parts if not isinstance(part, str)), None)
        if strange is not None:
            text = f"expected str, bytes or os.PathLike object, not {type(strange).__name__}"
            raise PredictedError("override-not-text", "launch", "TypeError", text, (setting,))
    for gemm, part in zip(("FPROP", "DGRAD", "WGRAD"), parts, strict=True):
        _put(environment, f"ACCELERATE_FP8_OVERRIDE_{gemm}", setting, str(part))


def _override_parts(setting: Setting, stack: Stack) -> list[object]:
    value = setting.value
    if isinstance(value, str) and setting.origin.flag is not None:
        value = tuple(part.strip().lower() in ("y", "yes", "t", "true", "on", "1") for part in value.split(","))
    if stack.does(Accelerate.LAUNCHER_STRIPS_OVERRIDE):
        if not isinstance(value, str):
            text = f"{type(value).__name__!r} object has no attribute 'strip'"
            raise PredictedError("override-not-strippable", "launch", "AttributeError", text, (setting,))
        value = [part.strip() for part in value.strip("()").split(",")]
    if isinstance(value, dict):
        raise PredictedError("override-is-a-map", "launch", "KeyError", "0", (setting,))
    if not isinstance(value, (str, list, tuple)):
        text = f"{type(value).__name__!r} object is not subscriptable"
        raise PredictedError("override-not-subscriptable", "launch", "TypeError", text, (setting,))
    if len(value) < 3:
        kind = "string" if isinstance(value, str) else type(value).__name__
        raise PredictedError("override-too-short", "launch", "IndexError", f"{kind} index out of range", (setting,))
    return list(value[:3])


# What of FSDP the training process is told by default, of what something hangs on; and what it is told where somebody
# says it, whose default changes nothing.
_FSDP_DEFAULTS: Mapping[str, object] = {"fsdp_version": "1", "fsdp_cpu_ram_efficient_loading": "true"}
_LEAST = 100_000_000  # parameters of a unit, where units are made by size
_FSDP_SAID = (
    *("fsdp_sync_module_states", "fsdp_sharding_strategy", "fsdp_reshard_after_forward", "fsdp_min_num_params"),
    *("fsdp_auto_wrap_policy", "fsdp_transformer_layer_cls_to_wrap", "fsdp_backward_prefetch", "fsdp_state_dict_type"),
)
_IN_SMALL_LETTERS = ("fsdp_sync_module_states", "fsdp_reshard_after_forward", *_FSDP_DEFAULTS)


def _export_fsdp(run: Run, config: AccelerateConfig | None, stack: Stack, environment: Environment) -> int:
    """prepare_multi_gpu_env: the FSDP_* variables that FP8 depends on."""
    default = Origin(default=f"{stack.name('accelerate')} launch")
    arguments = {name: Setting(value, default) for name, value in _FSDP_DEFAULTS.items()}
    if config is not None:
        for key in config.fsdp:
            name = key if key.startswith("fsdp") else f"fsdp_{key}"
            written = config.fsdp.get(key)
            if written is not None and name in arguments:
                arguments[name] = written.over(arguments[name])
            elif written is not None and name in _FSDP_SAID:
                arguments[name] = written
    for name in (*_FSDP_DEFAULTS, *_FSDP_SAID):
        if run.launch.flag(name) is not None:
            arguments[name] = _flag(name, run.launch.flag(name)).over(arguments.get(name))
    if not stack.does(Accelerate.HAS_FSDP2):
        arguments["fsdp_version"] = Setting("1", Origin(default=stack.name("accelerate")))
    efficient, synced = arguments["fsdp_cpu_ram_efficient_loading"], arguments.get("fsdp_sync_module_states")
    if synced is not None and not synced.is_later and efficient.value and not synced.value:
        text = "When using `--fsdp_cpu_ram_efficient_loading` set `--fsdp_sync_module_states` to `True`"
        raise PredictedError("fsdp-loads-unsynced", "launch", "ValueError", text, (synced, efficient))
    policy = arguments.get("fsdp_auto_wrap_policy")
    if policy is not None and not policy.is_later and str(policy.value).upper() == "SIZE_BASED_WRAP":
        arguments.setdefault("fsdp_min_num_params", Setting(_LEAST, default))
    for name, setting in arguments.items():
        variable = "FSDP_TRANSFORMER_CLS_TO_WRAP" if name == "fsdp_transformer_layer_cls_to_wrap" else name.upper()
        if name in _FSDP_SAID and setting.is_later:
            environment[variable] = setting.over(environment.get(variable))
            continue
        if setting.value is None and name in _FSDP_SAID:
            continue
        text = str(setting.value)
        _put(environment, variable, setting, text.lower() if name in _IN_SMALL_LETTERS else text)
    return 2 if str(arguments["fsdp_version"].value) == "2" else 1
