"""Whether a start without a plan has none: every combination of a reduced set of values is judged, and no move is asked.

What a person could change is cut down to dimensions with two to six values each: the trainer's precision flags, its own
FP8, who computes in FP8, how the run is spread, checkpointing, tokens, the command, the packages, the variables; in each
the value that is there is one of them. All combinations are predicted, and those that the model takes for good are judged
by the rules as any run is. Files of other kinds, the text of scripts and the model stay as they are, and so do files
that a loader refuses, and what names a DeepSpeed file that nobody can read: these are for people to see to.
"""

from __future__ import annotations

import shlex
from itertools import product
from typing import TYPE_CHECKING, Any

import yaml

from fp8check.rules.checking.request import Request, RunRequest, assembled, check_request
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.input_error import InputError
from fp8check.rules.outcome import predict
from fp8check.rules.reading.kind import Kind
from fp8check.rules.record import Record
from fp8check.rules.releases.versions import NEWEST
from fp8check.rules.repair.apply import check_kind
from fp8check.rules.repair.goal import chosen, problems, unmet
from fp8check.rules.trainers.detect import read
from tests.tools.journeys.stacks import TAKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fp8check.rules.moves.site import Goal
    from fp8check.rules.reading import Document

    Change = Callable[["Values"], None]

MOST = 6_000  # combinations of one start; a start that has more is cut, and says so


class Tried(Record):
    """What came of it.

    Attributes:
        ways: combinations that are good runs, by the names of their values.
        states: how many combinations were predicted.
        is_whole: whether these were all.
    """

    ways: tuple[str, ...]
    states: int
    is_whole: bool


class Values:
    """The values of a run that are changed: files as data, the words of the command, variables, packages."""

    def __init__(self, part: RunRequest, trainer: str) -> None:
        self.trainer = trainer
        self.files: dict[str, Any] = {}
        self.kinds: dict[str, str] = {}
        for one in part.documents:
            data = one.root.data() if one.root is not None else None
            if one.kind in ("training", "accelerate", "deepspeed") and isinstance(data, dict):
                self.files[one.kind] = data
                self.kinds[one.kind] = one.path
        self.command = part.launch
        self.variables = dict(part.facts.variables or {})
        self.packages = None if part.facts.packages is None else dict(part.facts.packages)
        self.gpus = len(part.facts.gpus or ())
        self.names_unread = _names_unread(self.files, part)

    @property
    def flags(self) -> tuple[str, ...]:
        """Options of the command that say the precision, in its trainer's words; others are a script's own."""
        return (*_FLAGS, "fp8") if self.trainer in ("llamafactory", "axolotl") else _FLAGS

    @property
    def training(self) -> dict[str, Any]:
        """The training file; one that is not there takes what is written and is left."""
        return self.files.get("training", {})

    @property
    def accelerate(self) -> dict[str, Any]:
        """The Accelerate file, made where there is none."""
        return self.files.setdefault("accelerate", {})


_FLAGS = ("bf16", "fp16", "no_bf16")


def _names_unread(files: dict[str, Any], part: RunRequest) -> bool:
    """Whether a DeepSpeed file is named that is not there, or is no JSON."""
    section = files.get("accelerate", {}).get("deepspeed_config")
    named = section.get("deepspeed_config_file") if isinstance(section, dict) else None
    if not isinstance(named or files.get("training", {}).get("deepspeed"), str):
        return False
    (report,) = check_request(Request((part,))).reports
    return not any(one.kind == "deepspeed" and not one.problems for one in report.documents)


def nothing(_: Values) -> None:
    """As it is."""


def _flags(bf16: bool) -> Change:
    def change(values: Values) -> None:
        for name in ("fp16", "pure_bf16", "tf32", "bf16_full_eval", "half_precision_backend", "float16", "bfloat16"):
            values.training.pop(name, None)
        values.training["bf16"] = bf16
        values.training["fp16"] = False
        _without_options(values, values.flags)

    return change


def _without_options(values: Values, names: Sequence[str]) -> None:
    """The command without options of these names, and without their values."""
    words = _split(values.command)
    kept: list[str] = []
    drops = False
    for word in words:
        name = word.partition("=")[0].lstrip("-")
        if (word.startswith("-") and name in names) or (not word.startswith("-") and name in names and "=" in word):
            drops = word.startswith("-") and "=" not in word
            continue
        if drops and not word.startswith("-") and "." not in word:
            drops = False
            continue
        drops = False
        kept.append(word)
    if values.command is not None:
        values.command = shlex.join(kept)


def _split(command: str | None) -> list[str]:
    try:
        return shlex.split(command or "")
    except ValueError:
        return []


def _own_off(values: Values) -> None:
    for name in ("fp8", "fp8_backend", "fp8_enable_fsdp_float8_all_gather", "fp8_config"):
        values.training.pop(name, None)


def _own_on(values: Values) -> None:
    values.training["fp8"] = True
    if values.trainer == "llamafactory":
        values.training["fp8_backend"] = "te"


def _own_torchao(values: Values) -> None:
    values.training["fp8"] = True
    if values.trainer == "llamafactory":
        values.training["fp8_backend"] = "torchao"
    else:
        values.training["torch_compile"] = True


def _by(backend: str) -> Change:
    def change(values: Values) -> None:
        values.accelerate["mixed_precision"] = "fp8"
        values.accelerate.pop("fp8_backend", None)
        recipe = {"enable_fsdp_float8_all_gather": False} if backend == "AO" else {}
        values.accelerate["fp8_config"] = {"backend": backend, **recipe}
        _plain(values)

    return change


def _bf16_file(values: Values) -> None:
    values.accelerate["mixed_precision"] = "bf16"
    values.accelerate.pop("fp8_config", None)
    values.accelerate.pop("fp8_backend", None)
    _plain(values)


def _plain(values: Values) -> None:
    """What an Accelerate file needs beside, and the keys of it that the launcher knows."""
    known = yaml.safe_load(_KNOWN)
    for name in [name for name in values.accelerate if name not in known]:
        del values.accelerate[name]
    values.accelerate["use_cpu"] = False
    values.accelerate.setdefault("compute_environment", "LOCAL_MACHINE")
    values.accelerate.setdefault("distributed_type", "NO")
    values.accelerate.setdefault("num_machines", 1)
    values.accelerate.setdefault("num_processes", max(1, values.gpus))


_KNOWN = """
[compute_environment, distributed_type, mixed_precision, fp8_config, fsdp_config, deepspeed_config, num_machines,
 num_processes, machine_rank, use_cpu, debug, main_process_ip, main_process_port, main_training_function, rdzv_backend,
 same_network, downcast_bf16, gpu_ids, dynamo_config, parallelism_config, megatron_lm_config, enable_cpu_affinity]
"""


def _spread(kind: str, section: str = "", settings: dict[str, Any] | None = None) -> Change:
    def change(values: Values) -> None:
        for name in ("fsdp_config", "deepspeed_config", "parallelism_config", "megatron_lm_config"):
            values.accelerate.pop(name, None)
        for name in ("deepspeed", "fsdp", "fsdp_config", "fsdp_version"):
            values.training.pop(name, None)
        values.accelerate["distributed_type"] = kind
        if section:
            values.accelerate[section] = dict(settings or {})
        count = max(1, values.gpus)
        values.accelerate["num_processes"] = 1 if kind == "NO" else max(count, 1)
        _without_options(values, ("multi_gpu", "use_fsdp", "use_deepspeed", "num_processes", "cpu", "gpu_ids"))

    return change


_FSDP2 = {
    "fsdp_version": 2,
    "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
    "fsdp_reshard_after_forward": True,
    "fsdp_cpu_ram_efficient_loading": False,
    "fsdp_state_dict_type": "SHARDED_STATE_DICT",
}


def _zero(stage: int) -> dict[str, Any]:
    none = {"offload_optimizer_device": "none", "offload_param_device": "none"}
    return {"zero_stage": stage, **none, "gradient_accumulation_steps": "auto"}


def _checkpointing_off(values: Values) -> None:
    values.training["gradient_checkpointing"] = False
    if values.trainer == "llamafactory":
        values.training.pop("gradient_checkpointing", None)
        values.training["disable_gradient_checkpointing"] = True
    values.training.pop("gradient_checkpointing_kwargs", None)
    section = values.files.get("accelerate", {}).get("fsdp_config")
    if isinstance(section, dict):
        section.pop("fsdp_activation_checkpointing", None)


def _fitting(values: Values) -> None:
    """A number of tokens that FP8 kernels take, one row at a time."""
    for name in ("per_device_train_batch_size", "micro_batch_size"):
        if name in values.training:
            values.training[name] = 1
    for name in ("cutoff_len", "max_length", "max_seq_length", "sequence_len"):
        if isinstance(values.training.get(name), int):
            values.training[name] = max(16, values.training[name] // 16 * 16)
    if values.trainer == "axolotl":
        values.training["pad_to_sequence_len"] = True
    elif values.trainer == "trl":
        values.training["pad_to_multiple_of"] = 16
    values.training["dataloader_drop_last"] = True


# What starts a trainer that has a command of its own, and what `accelerate launch` starts instead.
_PROGRAMS = {
    "llamafactory": (("llamafactory-cli", "lmf", "llamafactory.launcher", "llamafactory.cli"), "llamafactory.launcher"),
    "axolotl": (("axolotl", "axolotl.cli.train"), "axolotl.cli.train"),
}


def _with_file(values: Values) -> None:
    """A launch that reads the Accelerate file; what the command says to the trainer stays."""
    words = _split(values.command)
    path = values.kinds.get("accelerate", "accelerate_new.yaml")
    script = next((word for word in words if word.endswith(".py")), None)
    start = ["accelerate", "launch", "--config_file", path]
    names, module = _PROGRAMS.get(values.trainer, ((), ""))
    program = next((at for at, word in enumerate(words) if word in names), None)
    if values.trainer == "trl" and "trl" in words:
        own = words[words.index("trl") :]
        values.command = shlex.join([*own, "--accelerate_config", path])
    elif program is not None:
        own = [word for word in words[program + 1 :] if word != "train"]
        values.command = shlex.join([*start, "-m", module, *own])
    elif script is not None:
        values.command = shlex.join([*start, script, *words[words.index(script) + 1 :]])


def _unset(values: Values) -> None:
    for name in [*values.variables]:
        if name.startswith(("ACCELERATE_", "FP8_", "NVTE_", "FSDP_")):
            del values.variables[name]


def _newest(values: Values) -> None:
    taken = {**NEWEST, **TAKEN.get(values.trainer, {})}
    packages = values.packages if values.packages is not None else {}
    for name, release in taken.items():
        if name == "torch" and "+cpu" in str(packages.get(name)):
            continue  # another build is another machine's
        if packages.get(name) is not None or name in ("accelerate", "transformer_engine", "torchao", "deepspeed"):
            packages[name] = release
    packages["transformer_engine_torch"] = packages["transformer_engine"]
    values.packages = packages


def dimensions(values: Values, goal: Goal) -> list[dict[str, Change]]:
    """What is varied of a run, each with the names of its values."""
    several = values.gpus > 1
    later = any("$" in str(value) for value in values.files.get("accelerate", {}).values())
    precision = {"flags as they are": nothing, "bf16 off": _flags(False), "bf16 on": _flags(True)}
    own: dict[str, Change] = {"own as it is": nothing, "own off": _own_off}
    if values.trainer in ("llamafactory", "axolotl") and goal == "fp8":
        own |= {"own on": _own_on, "own torchao": _own_torchao}
    backends: dict[str, Change] = {"file as it is": nothing}
    backends |= {"TE": _by("TE"), "AO": _by("AO")} if goal == "fp8" else {"BF16": _bf16_file}
    spread: dict[str, Change] = {"spread as it is": nothing}
    if values.names_unread or later:  # a value that is filled in later blocks an edit
        pass
    elif several:
        spread |= {"DDP": _spread("MULTI_GPU"), "FSDP2": _spread("FSDP", "fsdp_config", _FSDP2)}
        spread |= {f"ZeRO-{stage}": _spread("DEEPSPEED", "deepspeed_config", _zero(stage)) for stage in (2, 3)}
    else:
        spread |= {"one": _spread("NO")}
    checkpointing: dict[str, Change] = {"checkpointing as it is": nothing, "checkpointing off": _checkpointing_off}
    tokens: dict[str, Change] = {"tokens as they are": nothing, "fitting tokens": _fitting}
    launch: dict[str, Change] = {"command as it is": nothing}
    if values.command is not None:
        launch["with the file"] = _with_file
    variables: dict[str, Change] = {"variables as they are": nothing}
    if values.variables:
        variables["unset"] = _unset
    packages: dict[str, Change] = {"packages as they are": nothing, "newest": _newest}
    return [precision, own, backends, spread, checkpointing, tokens, launch, variables, packages]


def good_ways(part: RunRequest, goal: Goal, most: int = 1) -> Tried:
    """Combinations that are good runs, as far as `most` of them."""
    given = check_request(Request((part,))).reports
    if len(given) != 1:
        return Tried((), 0, False)
    before = chosen(given[0])
    trainer = given[0].inputs.run.training.name
    axes = dimensions(Values(part, trainer), goal)
    states = 0
    ways: list[str] = []
    seen: set[str] = set()
    read_before: dict[str, Any] = {}
    for names in product(*axes):
        if states >= MOST:
            return Tried(tuple(ways), states, False)
        values = Values(part, trainer)
        for axis, name in zip(axes, names, strict=True):
            axis[name](values)
        key = repr((values.files, values.command, values.variables, values.packages))
        if key in seen:
            continue
        seen.add(key)
        states += 1
        if _is_good(part, values, goal, before, read_before):
            ways.append(", ".join(name for name in names if "as it is" not in name and "as they are" not in name))
            if len(ways) == most:
                return Tried(tuple(ways), states, False)
    return Tried(tuple(ways), states, True)


def _is_good(part: RunRequest, values: Values, goal: Goal, before: object, read_before: dict[str, Any]) -> bool:
    request = _request(part, values, read_before)
    try:
        (one,) = assembled(request)
        if [*unmet(predict(one.run), goal, before)]:  # type: ignore[arg-type]
            return False
        (report,) = check_request(Request((request,))).reports
    except (InputError, ValueError):
        return False
    for one in part.documents:  # no way leads to a file that nobody could tell what it is
        try:
            check_kind(one, next(two for two in request.documents if two.path == one.path))
        except Unfixable:
            return False
    return not problems(report, goal, before)  # type: ignore[arg-type]


def _request(part: RunRequest, values: Values, read_before: dict[str, Any]) -> RunRequest:
    documents = []
    paths = {path: kind for kind, path in values.kinds.items()}
    for one in part.documents:
        kind = None if one.problems else paths.get(one.path)
        documents.append(one if kind is None else _document(one.path, values.files[kind], one, read_before))
    if "accelerate" in values.files and "accelerate" not in values.kinds and values.accelerate:
        documents.append(_document("accelerate_new.yaml", values.accelerate, None, read_before))
    facts = part.facts._replace(variables=values.variables, packages=values.packages)
    if values.packages != part.facts.packages:
        facts = facts._replace(transformer_engine=None)
    return part._replace(documents=tuple(documents), launch=values.command, facts=facts)


def _document(path: str, data: Any, before: Document | None, read_before: dict[str, Any]) -> Document:
    """The file with that data; each text is read once."""
    key = f"{path} {data!r}"
    if key not in read_before:
        kind = Kind("accelerate") if before is None else Kind(before.kind, before.dialect, before.loader)
        read_before[key] = read(path, yaml.safe_dump(data, sort_keys=False).encode()).as_kind(kind)
    found: Document = read_before[key]
    return found
