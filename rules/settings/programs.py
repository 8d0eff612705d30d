"""Programs beside Accelerate: the flags of torchrun and deepspeed, commands of trainers that are not checked."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# torch/distributed/run.py get_args_parser of 1.13 to 2.13, and launch.py's own --use_env.
TORCHRUN = _names(
    """
    nnodes nproc_per_node rdzv_backend rdzv_endpoint rdzv_id rdzv_conf standalone max_restarts monitor_interval
    start_method event_log_handler role m module no_python run_path log_dir r redirects t tee local_ranks_filter
    node_rank master_addr master_port local_addr logs_specs numa_binding signals_to_handle shutdown_timeout
    virtual_local_rank duplicate_stdout_filters duplicate_stderr_filters use_env
    """
)
# deepspeed/launcher/runner.py parse_args of 0.9 to 0.18.
DEEPSPEED = _names(
    """
    H hostfile i include e exclude num_nodes min_elastic_nodes max_elastic_nodes num_gpus num_accelerators
    master_port master_addr node_rank launcher launcher_args module no_python no_local_rank no_ssh_check no_ssh
    ssh_port force_multi save_pid enable_each_rank_log autotuning elastic_training bind_cores_to_rank
    bind_core_list venv_script slurm_comment log_level
    """
)
DEEPSPEED_SWITCHES = _names(
    """
    module no_python no_local_rank no_ssh_check no_ssh force_multi save_pid elastic_training bind_cores_to_rank
    """
)


def begun(tool: str, flag: str, known: frozenset[str]) -> list[str]:
    """The flags of torchrun or deepspeed that begin so; torchrun has each with hyphens as well (argparse_util.py)."""
    flags = {f"--{name}" for name in known if len(name) > 1}
    if tool == "torchrun":
        flags |= {one.replace("_", "-") for one in flags}
    return sorted(one for one in flags if one.startswith(flag))


# Commands that start training by other means, with whose they are, and the commands of theirs that do; () for any.
FOREIGN: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "swift": ("ms-swift", ("sft", "pt", "rlhf", "megatron")),
    "megatron": ("ms-swift", ("sft", "pt", "rlhf")),
    "tune": ("torchtune", ("run",)),
    "automodel": ("NeMo AutoModel", ()),
    "nemo": ("NeMo", ("llm",)),
    "composer": ("Composer", ()),
    "fabric": ("Lightning Fabric", ("run",)),
    "litgpt": ("LitGPT", ("finetune", "finetune_full", "finetune_lora", "pretrain")),
    "xtuner": ("XTuner", ("train",)),
    "colossalai": ("ColossalAI", ("run",)),
    "horovodrun": ("Horovod", ()),
    "ray": ("Ray", ("job",)),
    "sky": ("SkyPilot", ("launch", "exec", "jobs")),
    "modal": ("Modal", ("run",)),
    "hf": ("Hugging Face Jobs", ("jobs",)),
    "oumi": ("Oumi", ("train", "distributed", "launch")),
    "autotrain": ("AutoTrain", ()),
    "simpletuner": ("SimpleTuner", ("train",)),
    "gantry": ("Gantry", ("run",)),
    "torchx": ("TorchX", ("run",)),
    "ilab": ("InstructLab", ("model",)),
}
# Modules that Python brings or that are installed to build, test or serve: no training begins with them.
TOOLS = _names(
    """
    pip venv ensurepip build pytest unittest http.server json.tool ipykernel jupyter notebook pdb_attach
    compileall py_compile zipfile tarfile site sysconfig timeit virtualenv uv poetry twine mypy ruff black isort
    flake8 pylint pre_commit spacy nltk.downloader vllm.entrypoints.openai.api_server
    vllm.entrypoints.api_server sglang.launch_server torch.utils.collect_env bitsandbytes xformers.info
    huggingface_hub.commands.huggingface_cli tensorboard.main
    """
)
# Modules that run the Python file, or with -m the module, behind their options; and which of these take a value.
RUNNERS = {
    "cProfile": ("-o", "-s"),
    "profile": ("-o", "-s"),
    "pdb": ("-c",),
    "debugpy": ("--listen", "--connect", "--log-to"),
}
# Modules that are commands of wrappers.py, too: `python -m coverage run x.py`.
WRAPPING = _names("coverage memray viztracer scalene kernprof")
# Packages whose modules train by means that are not known here.
FOREIGN_PACKAGES = {
    "verl": "verl",
    "torchtitan": "torchtitan",
    "nemo_automodel": "NeMo AutoModel",
    "nemo": "NeMo",
    "swift": "ms-swift",
    "megatron": "Megatron-LM",
    "torchtune": "torchtune",
    "openrlhf": "OpenRLHF",
    "nanotron": "nanotron",
    "litgpt": "LitGPT",
    "intel_extension_for_pytorch": "the launcher of Intel's extension",
    "xtuner": "XTuner",
    "simpletuner": "SimpleTuner",
    "oumi": "Oumi",
    "composer": "Composer",
}
# Files of these packages' repositories that are started by their paths.
FOREIGN_FILES = {
    "swift/cli/": "ms-swift",
    "torchtitan/train.py": "torchtitan",
    "nemo_automodel/recipes/": "NeMo AutoModel",
    "simpletuner/train.py": "SimpleTuner",
    "verl/trainer/": "verl",
    "openrlhf/cli/": "OpenRLHF",
    "xtuner/v1/train/cli/": "XTuner",
}
