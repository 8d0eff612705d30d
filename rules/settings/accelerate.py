"""What Accelerate takes from its configuration file."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.settings.deepspeed import offloaded
from fp8check.rules.settings.values import Section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.settings.deepspeed import Offload
    from fp8check.rules.settings.values import Setting

# What recipe keys of fp8_config are called in the recipe that the backend ends with.
_RECIPE_KEYS = {
    "fp8_format": "fp8_format",
    "format": "fp8_format",
    "amax_history_len": "amax_history_len",
    "amax_compute_algo": "amax_compute_algo",
    "margin": "margin",
}


class AccelerateConfig(Record):
    """An Accelerate configuration, as its loader sees it.

    Attributes:
        malformed: the Python type of a file that holds no mapping ("NoneType", "list"); else None.
    """

    top: Section
    path: str | None = None
    malformed: str | None = None

    @classmethod
    def sample(
        cls, distributed_type: str, backend: str, *, fsdp_version: int | None = None, gather: bool = True
    ) -> AccelerateConfig:
        """The configuration of a run in FP8 with one process, as somebody would write it for `fp8check matrix`.

        Args:
            gather: whether torchao's all-gather is left at its default.
        """
        config: dict[str, object] = {
            "compute_environment": "LOCAL_MACHINE",
            "distributed_type": distributed_type,
            "num_processes": 1,
            "mixed_precision": "fp8",
            "fp8_config": {"backend": backend, **({} if gather else {"enable_fsdp_float8_all_gather": False})},
        }
        if fsdp_version is not None:
            config["fsdp_config"] = {"fsdp_version": fsdp_version, "fsdp_cpu_ram_efficient_loading": False}
        if distributed_type == "DEEPSPEED":
            config["deepspeed_config"] = {"zero_stage": 1}
        return cls(Section(data=config))

    @property
    def mixed_precision(self) -> Setting | None:
        """The precision that the file names; None where the key is absent or null."""
        setting = self.top.get("mixed_precision")
        return None if setting is None or setting.value is None else setting

    @property
    def fp8(self) -> Section:
        """fp8_config; empty where it is absent or null."""
        return self.top.section("fp8_config")

    @property
    def backend(self) -> Setting | None:
        """The backend that fp8_config names."""
        return self.fp8.get("backend")

    @property
    def recipe(self) -> dict[str, Setting]:
        """The values of a recipe that fp8_config holds, by their name in the recipe."""
        settings = ((name, self.fp8.get(key)) for key, name in _RECIPE_KEYS.items())
        return {
            name: setting
            for name, setting in settings
            if setting is not None and (setting.is_later or setting.value is not None)
        }

    @property
    def old_fp16(self) -> bool:
        """Whether it says fp16: true, as configurations did before there was mixed_precision."""
        return bool(self.top.value("fp16"))

    @property
    def off_gpus(self) -> Setting | None:
        """What keeps the processes off all GPUs; None where nothing does."""
        written = self.top.get("use_cpu")
        if written is not None and written.value:
            return written
        kind = self.distributed_type
        return kind if kind is not None and kind.value == "MULTI_CPU" else None

    @property
    def fsdp(self) -> Section:
        """fsdp_config."""
        return self.top.section("fsdp_config")

    @property
    def fsdp_version(self) -> Setting | None:
        """Which FSDP: 1 or 2."""
        return self.fsdp.get("fsdp_version")

    @property
    def fsdp_checkpointing(self) -> Setting | None:
        """Whether FSDP checkpoints activations itself."""
        return self.fsdp.get("fsdp_activation_checkpointing")

    @property
    def tensor_parallel(self) -> Setting | None:
        """The degree of tensor parallelism."""
        return self.top.section("parallelism_config").get("parallelism_config_tp_size")

    @property
    def is_fsdp2(self) -> bool:
        """Whether it is the second of the two."""
        return str(self.fsdp.value("fsdp_version", 1)) == "2"

    @property
    def shard_group(self) -> Setting | None:
        """How many processes share a weight by parallelism_config: dp_shard times cp; None where it does not say."""
        parallel = self.top.section("parallelism_config")
        written = [parallel.get(f"parallelism_config_{name}_size") for name in ("dp_shard", "cp")]
        size, first = 1, None
        for setting in written:
            if setting is not None and isinstance(setting.value, int) and setting.value > 0:
                size, first = size * setting.value, first or setting
        return first._replace(value=size) if first is not None else None

    @property
    def splits_processes(self) -> bool:
        """Whether parallelism_config divides the processes into groups."""
        return bool(self.top.section("parallelism_config"))

    @property
    def wraps_layers(self) -> bool:
        """Whether FSDP takes a decoder layer at a time."""
        return self.fsdp.value("fsdp_auto_wrap_policy", "TRANSFORMER_BASED_WRAP") == "TRANSFORMER_BASED_WRAP"

    @property
    def reshards(self) -> bool | None:
        """Whether FSDP gives gathered weights back after the forward pass; None where it shards less, or otherwise."""
        fsdp = self.fsdp
        strategy = str(fsdp.value("fsdp_sharding_strategy", "FULL_SHARD"))
        after = str(fsdp.value("fsdp_reshard_after_forward", True))
        if strategy in ("FULL_SHARD", "1"):
            return {"True": True, "true": True, "FULL_SHARD": True, "False": False, "false": False}.get(after)
        return False if strategy in ("SHARD_GRAD_OP", "2") and not self.is_fsdp2 else None

    @property
    def offloads_params(self) -> bool:
        """Whether FSDP keeps weights and states in the memory of the CPU."""
        return self.fsdp.value("fsdp_offload_params") in (True, "true")

    @property
    def offload(self) -> Offload | None:
        """What deepspeed_config keeps in the memory of the CPU; None where it lies on a disk."""
        return offloaded(*(self.deepspeed.value(f"offload_{what}_device") for what in ("optimizer", "param")))

    @property
    def deepspeed(self) -> Section:
        """deepspeed_config."""
        return self.top.section("deepspeed_config")

    @property
    def accumulation(self) -> Setting | None:
        """Steps whose gradients are summed, as DeepSpeed's section has them."""
        return self.deepspeed.get("gradient_accumulation_steps")

    @property
    def zero_stage(self) -> Setting | None:
        """DeepSpeed's ZeRO stage."""
        return self.deepspeed.get("zero_stage")

    @property
    def zero3_init(self) -> Setting | None:
        """Whether Accelerate takes the weights for sharded when they are loaded, and gathers them to look at them."""
        return self.deepspeed.get("zero3_init_flag")

    @property
    def deepspeed_file(self) -> Setting | None:
        """The DeepSpeed file that deepspeed_config names."""
        return self.deepspeed.get("deepspeed_config_file")

    @property
    def hostfiles(self) -> tuple[Setting, ...]:
        """The settings that name a list of machines."""
        settings = (
            self.deepspeed.get("deepspeed_hostfile"),
            self.top.section("mpirun_config").get("mpirun_hostfile"),
        )
        return tuple(setting for setting in settings if setting is not None)

    @property
    def dynamo_short(self) -> Setting | None:
        """The backend of torch.compile without its prefix, which the launcher puts in front in newer releases."""
        return self.top.section("dynamo_config").get("backend")

    @property
    def dynamo_backend(self) -> Setting | None:
        """The backend of torch.compile: under dynamo_config, or at the top in old files."""
        return self.top.section("dynamo_config").get("dynamo_backend") or self.top.get("dynamo_backend")

    @property
    def distributed_type(self) -> Setting | None:
        """NO, MULTI_GPU, FSDP, DEEPSPEED, ...; False where the file has an unquoted NO."""
        return self.top.get("distributed_type")

    @property
    def num_processes(self) -> Setting | None:
        """How many processes are started, on all machines together."""
        return self.top.get("num_processes")

    @property
    def first_machine(self) -> Mapping[str, Setting | None]:
        """Where the first of several machines listens, by the launcher's names."""
        return {name: self.top.get(name) for name in ("main_process_ip", "main_process_port")}

    @property
    def num_machines(self) -> Setting | None:
        """On how many machines."""
        return self.top.get("num_machines")

    @property
    def gpu_ids(self) -> Setting | None:
        """Which GPUs of the machine are used: "all", or numbers with commas."""
        return self.top.get("gpu_ids")

    @property
    def compute_environment(self) -> Setting | None:
        """LOCAL_MACHINE or AMAZON_SAGEMAKER."""
        return self.top.get("compute_environment")

    @property
    def is_sagemaker(self) -> bool:
        """Whether the file is for Amazon SageMaker, where the launcher does something else altogether."""
        return self.top.value("compute_environment") == "AMAZON_SAGEMAKER"

    def wants_fp8(self) -> bool:
        """Whether the file asks for FP8 precision."""
        setting = self.mixed_precision
        return setting is not None and str(setting.value).lower() == "fp8"
