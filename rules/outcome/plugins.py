"""The objects that a script gives to Accelerator to distribute the run: FSDP, DeepSpeed and parallelism by code.

Read in accelerate 1.10.1 and 1.15.0 accelerator.py, state.py, parallelism_config.py; executed with both
(tests/conformance/commands.jsonl script-objects-*).
"""

from __future__ import annotations

from fp8check.rules.outcome import processes
from fp8check.rules.releases.behaviors import Accelerate
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.settings.script import WRITTEN_OUT, Made
from fp8check.rules.settings.values import Origin, Setting, Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.releases.accelerate_enums import DistributedType
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.trainers.data import Started
    from fp8check.rules.trainers.run import Run

_CLASSES = {
    "fsdp_plugin": "FullyShardedDataParallelPlugin",
    "deepspeed_plugin": "DeepSpeedPlugin",
}
_SIZES = ("dp_replicate_size", "dp_shard_size", "tp_size", "cp_size", "sp_size")
_SEVERAL: tuple[DistributedType, ...] = ("MULTI_GPU", "FSDP")
_BESIDE_LOADERS = ("model", "opt", "sched")


def distribute(run: Run, stack: Stack, started: Started) -> Started:
    """The training process as what the script gives to Accelerator distributes it.

    Raises:
        PredictedError: Accelerator() refuses it.
        Undecided: an object is not known, or of a kind that is not modeled.
    """
    plugins = run.script.plugins
    if not plugins or run.training.is_huggingface:
        return started
    megatron = plugins.get("megatron_lm_plugin")
    if megatron is not None:
        raise Undecided(f"{megatron.origin.describe()} passes megatron_lm_plugin to Accelerator", WRITTEN_OUT)
    _check_classes(plugins)
    if "deepspeed_plugin" in plugins or "deepspeed_plugins" in plugins:
        started = _by_deepspeed(run, stack, started, plugins)
    elif "fsdp_plugin" in plugins:
        started = _by_fsdp(stack, started, plugins["fsdp_plugin"])
    _check_parallelism(run, started, plugins)
    return started


def _check_classes(plugins: Mapping[str, Setting]) -> None:
    both = [plugins[name] for name in ("deepspeed_plugin", "deepspeed_plugins") if name in plugins]
    if len(both) > 1:
        text = "You cannot pass in both `deepspeed_plugins` and `deepspeed_plugin`."
        raise PredictedError("deepspeed-plugin-twice", "accelerator", "ValueError", text, tuple(both))
    for name, setting in plugins.items():
        class_ = _CLASSES.get(name)
        if class_ is not None and not isinstance(setting.value, (Made, dict)):
            text = f"`{name}` must be a {class_} object."
            raise PredictedError("plugin-is-no-object", "accelerator", "TypeError", text, (setting,))
    fsdp = plugins.get("fsdp_plugin")
    if fsdp is not None and isinstance(fsdp.value, dict):
        text = "`fsdp_plugin` must be a FullyShardedDataParallelPlugin object."
        raise PredictedError("plugin-is-no-object", "accelerator", "TypeError", text, (fsdp,))


def _by_deepspeed(run: Run, stack: Stack, started: Started, plugins: Mapping[str, Setting]) -> Started:
    setting = plugins.get("deepspeed_plugin") or plugins["deepspeed_plugins"]
    if stack.has("deepspeed") is False:
        text = "DeepSpeed is not installed => run `pip install deepspeed` or build it from source."
        raise PredictedError("script-without-deepspeed", "accelerator", "ImportError", text, (setting,))
    if run.deepspeed is None:
        raise Undecided(f"what the DeepSpeed plugin of {setting.origin.describe()} holds is not known", WRITTEN_OUT)
    return started._replace(kind="DEEPSPEED", fsdp_version=None, unknown=None)


def check_deepspeed(run: Run, kind: DistributedType, stack: Stack, started: Started) -> None:
    """What DeepSpeed wants of a script that gives it a plugin, when prepare() begins.

    Raises:
        PredictedError: nothing tells it how large a batch is; no launcher told the process its rank, and mpi4py, by
            which DeepSpeed asks MPI for it then, is absent (executed: script-objects-deepspeed-mpi).
        Undecided: MPI is asked.
    """
    setting = run.script.plugins.get("deepspeed_plugin") or run.script.plugins.get("deepspeed_plugins")
    if kind != "DEEPSPEED" or setting is None or run.deepspeed is None:
        return
    check_batches(run, kind)
    check_rank(stack, started, setting)


def check_batches(run: Run, kind: DistributedType) -> None:
    """prepare() of DeepSpeed looks for its batch size in the loaders that are given to the first call of it.

    accelerate 1.10.1 and 1.15.0 accelerator.py _prepare_deepspeed, once the layers are converted.

    Raises:
        PredictedError: nothing tells it how large a batch is.
    """
    source = run.script.source
    if kind != "DEEPSPEED" or source is None or run.training.is_huggingface or not source.prepares:
        return
    if run.deepspeed is not None and run.deepspeed.micro_batch != "auto":
        return
    first = source.prepares[0]
    names = [name.lower() for name in first.positional or ()]
    if not all(any(word in name for word in _BESIDE_LOADERS) for name in names):
        return
    setting = run.script.plugins.get("deepspeed_plugin") or run.script.plugins.get("deepspeed_plugins")
    config = run.config_read
    because = setting or (config.distributed_type if config is not None else None)
    text = (
        "When using DeepSpeed, `accelerate.prepare()` requires you to pass at least one of training or evaluation "
        "dataloaders with `batch_size` attribute returning an integer value or alternatively set an integer value "
        "in `train_micro_batch_size_per_gpu` in the deepspeed config file"
    )
    raise PredictedError("deepspeed-without-batch-size", "prepare", "ValueError", text, (because,))


def check_rank(stack: Stack, started: Started, setting: Setting) -> None:
    """A process that no launcher told its rank: DeepSpeed asks MPI for it, by mpi4py.

    So does a Trainer that gets `deepspeed` (executed: second-trainer-deepspeed-dict).
    """
    if started.kind != "NO":
        return
    if stack.has("mpi4py") is False:
        text = "No module named 'mpi4py'"
        raise PredictedError("deepspeed-without-launcher", "prepare", "ModuleNotFoundError", text, (setting,))
    what = "DeepSpeed is started without a launcher, and asks MPI for its rank"
    raise Undecided(what, "the command behind torchrun, deepspeed or accelerate launch --use_deepspeed")


def _by_fsdp(stack: Stack, started: Started, setting: Setting) -> Started:
    """FSDP only where a launcher gave the process its rank (state.py: MULTI_GPU); the object counts first."""
    plugin = setting.value
    given: Mapping[str, object] = plugin.keywords if isinstance(plugin, Made) else {}
    where = setting.origin
    variables = dict(started.environment)
    efficient = given.get("cpu_ram_efficient_loading")
    if efficient is not None:
        _require(efficient, "cpu_ram_efficient_loading", setting)
        made = Setting(str(efficient).lower(), where)
        variables["FSDP_CPU_RAM_EFFICIENT_LOADING"] = made.over(variables.get("FSDP_CPU_RAM_EFFICIENT_LOADING"))
    if started.kind not in _SEVERAL:
        if started.unknown is not None:
            raise started.unknown
        return started._replace(environment=variables)
    version = given.get("fsdp_version")
    _require(version, "fsdp_version", setting)
    if version is None:
        version = variables.get("FSDP_VERSION", Setting("1", Origin(default=stack.name("accelerate")))).value
    second = str(version) == "2"
    if second and not stack.does(Accelerate.HAS_FSDP2):
        text = "FullyShardedDataParallelPlugin.__init__() got an unexpected keyword argument 'fsdp_version'"
        raise PredictedError("wrong-keyword", "accelerator", "TypeError", text, (setting,))
    return started._replace(kind="FSDP", fsdp_version=2 if second else 1, environment=variables)


def _require(value: object, name: str, setting: Setting) -> None:
    if value is not None and not isinstance(value, (str, int, bool)):
        raise Undecided(f"{setting.origin.describe()} passes a {name} that is not known", WRITTEN_OUT)


def _check_parallelism(run: Run, started: Started, plugins: Mapping[str, Setting]) -> None:
    setting = run.script.parallelism
    if setting is None:
        return
    plugin = setting.value
    given: Mapping[str, object] = plugin.keywords if isinstance(plugin, Made) else {}
    sizes = {name: _size(given.get(name), name, started, setting) for name in _SIZES}
    total = 1
    for size in sizes.values():
        total *= size
    if total == 1:
        return
    fsdp = plugins.get("fsdp_plugin")
    if started.kind in _SEVERAL and sizes["cp_size"] > 1 and fsdp is None and started.kind != "FSDP":
        text = (
            "`cp_size > 1` specified in the `parallelism_config`, but no `fsdp_plugin` was provided. We need a "
            "`fsdp_plugin` to use context parallelism with `cp_backend=torch`, as we also shard the model across the "
            "device mesh to save more memory"
        )
        raise PredictedError("context-parallel-without-fsdp", "accelerator", "ValueError", text, (setting,))
    if started.kind == "NO":
        if started.unknown is not None:
            raise started.unknown
        text = "Error initializing torch.distributed using env:// rendezvous: environment variable RANK expected"
        raise PredictedError("mesh-without-launcher", "accelerator", "ValueError", text, (setting,))
    world = processes.everywhere(run)
    count = world.value if world is not None else None
    if not isinstance(count, int):
        raise Undecided("how many processes there are", "launch")
    if total > count:
        text = f"Mesh should not be bigger than default world size {count}, but found {total} ranks!"
        raise PredictedError("mesh-too-large", "accelerator", "RuntimeError", text, (setting,))
    if total != count:
        text = f"ParallelismConfig total_size ({total}) does not match num_processes ({count})."
        raise PredictedError("mesh-not-whole", "accelerator", "ValueError", text, (setting,))
    plain = sizes["dp_replicate_size"] if started.kind != "FSDP" else sizes["dp_shard_size"]
    if plain != total:
        raise Undecided(f"{setting.origin.describe()} passes {_said(sizes)}: that is not modeled", WRITTEN_OUT)


def _size(value: object, name: str, started: Started, setting: Setting) -> int:
    if value is None:
        variable = started.environment.get(f"PARALLELISM_CONFIG_{name.upper()}")
        value = int(str(variable.value)) if variable is not None and str(variable.value).isdecimal() else 1
    if not isinstance(value, int):
        raise Undecided(f"{setting.origin.describe()} passes a {name} that is not known", WRITTEN_OUT)
    return value


def _said(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name}={size}" for name, size in sizes.items() if size != 1)
