"""FP7xx: hardware and driver."""

from __future__ import annotations

from fp8check.rules.catalog.installation import wants_te
from fp8check.rules.catalog.shared_fixes import unset, write_bf16
from fp8check.rules.edits.fix import unsafe
from fp8check.rules.engine.definition import ERROR, INFO, WARNING, Found, rule
from fp8check.rules.engine.requirements import (
    reached,
    require_gpus,
    require_packages,
    require_prediction,
    require_version,
    require_visible_gpus,
)
from fp8check.rules.outcome.accelerator import SMALLEST_CAPABILITY
from fp8check.rules.outcome.limits import old_cublas
from fp8check.rules.outcome.prepare import refusal
from fp8check.rules.releases.recipes import requested_scalings, scaling_called
from fp8check.rules.releases.versions import at_least, parse, parsed
from fp8check.rules.settings.edits import delete, replace
from fp8check.rules.settings.script import WRITTEN_OUT
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.facts import Facts, Gpu
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.trainers.axolotl import Axolotl
    from fp8check.rules.trainers.run import Run


@rule(
    "FP701",
    "gpu-without-fp8",
    ERROR,
    'accelerate 0.34.0..1.15.0 state.py "Will use FP16 instead": below compute capability 8.9',
    "ran accelerate 1.15.0 [conformance release-handler-on-ampere-1.15]: fp16, and the layers converted",
    "https://github.com/aredden/flux-fp8-api/issues/30",
    claims=("lost", "ends"),
)
def gpu_without_fp8(requested: Requested, gpus: Sequence[Gpu], run: Run, outcome: Outcome) -> Iterator[Found]:
    """The GPU has no FP8: its compute capability is below 8.9.

    Why it hurts: Accelerate does not stop. It trains in FP16, not in BF16, after one warning in the log: another
    range of numbers, a GradScaler, and overflows that BF16 does not have. With a backend named, accelerate 1.9 and
    newer convert the layers all the same, and the first step fails.

    Example: `mixed_precision: fp8` on an A100 (8.0) or an RTX 3090 (8.6).

    Write instead: `mixed_precision: bf16` there; FP8 needs H100, H200, B200, L40S, RTX 4090 or newer.
    """
    if not requested.anywhere and not requested.perhaps:
        return
    weak = _weak(gpus)
    if 0 < len(weak) < len(gpus):
        gpus = require_visible_gpus(run)
        weak = _weak(gpus)
    if not weak:
        return
    if not requested.anywhere:
        raise Undecided(requested.perhaps, WRITTEN_OUT)
    mixed = len(weak) < len(gpus)
    happens = "Accelerate falls back to FP16, not BF16, with one line in the log"
    if not requested.fp8:
        happens = "the script computes in FP8 itself: its first FP8 GEMM fails here, or is emulated"
    elif outcome.error is not None and outcome.error.stage == "step":
        happens = f"the layers are converted and the first step fails: {outcome.error.message}"
    yield Found(
        f"{weak[0].name} cannot compute in FP8 (compute capability {weak[0].compute_capability}, 8.9 is needed)",
        place=next((setting for setting in requested.anywhere if setting.origin.span is not None), requested.backend),
        label=happens,
        notes=("each process asks the GPU that it runs on, so that some train in FP8 and some do not",)
        if mixed
        else (),
        fact="BF16 trains on this machine" if requested.fp8 else "without FP8 the script trains on this machine",
        fix=write_bf16(requested.fp8[0]) if requested.fp8 else None,
    )


def _weak(gpus: Sequence[Gpu]) -> list[Gpu]:
    return [gpu for gpu in gpus if parse(gpu.compute_capability) < SMALLEST_CAPABILITY]


@rule(
    "FP702",
    "mxfp8-off-blackwell",
    ERROR,
    'transformer_engine 2.1.0..2.8.0 pytorch/fp8.py "compute capability 10.0 or higher required for MXFP8"',
    'transformer_engine 2.6.0..2.8.0 pytorch/fp8.py "is not supported on 12.0+ architectures yet"',
    'transformer_engine 2.9.0..2.20.2 pytorch/quantization.py "is not supported on 12.0+ architectures yet"',
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl mxfp8]: ValueError MXFP8 block scaling is not available",
    "https://github.com/NVIDIA/TransformerEngine/issues/2668",
    claims=("ends",),
)
def mxfp8_off_blackwell(run: Run, outcome: Outcome) -> Iterator[Found]:
    """MXFP8 block scaling on a GPU that has none.

    Why it hurts: it needs compute capability 10.x (B200, B300). Hopper has none, and the RTX 50 series (12.0) is
    refused by Transformer Engine. prepare() raises ValueError.

    Example: `use_mxfp8_block_scaling: true` on an H200.

    Write instead: delete the line; delayed scaling runs on Hopper.
    """
    for own_fp8 in run.script.own:
        scaling = scaling_called(own_fp8.recipe.value) if own_fp8.recipe is not None else None
        if scaling is None or not own_fp8.sure:
            continue
        seen = require_visible_gpus(run)
        message = refusal(run, outcome.stack, scaling)
        if message:
            yield Found(
                f"{scaling.called} is not available on {seen[0].name} "
                f"(compute capability {seen[0].compute_capability})",
                place=own_fp8.recipe,
                label=message,
                fact="a DelayedScaling recipe runs on this GPU",
            )
            return
    accelerate = run.accelerate
    if accelerate is None or not accelerate.wants_fp8():
        return
    for scaling, requested in requested_scalings(accelerate.fp8, outcome.stack):
        seen = require_visible_gpus(run)
        message = refusal(run, outcome.stack, scaling)
        if message:
            require_prediction(outcome)
        if message and not outcome.starts:
            yield Found(
                f"{scaling.called} is not available on {seen[0].name} "
                f"(compute capability {seen[0].compute_capability})",
                place=requested,
                label=reached(outcome, message, "block-scaling-not-supported"),
                fact="delayed scaling, the default, runs on this GPU",
                fix=unsafe(delete(requested)),
            )


@rule(
    "FP703",
    "no-gpu",
    WARNING,
    "https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#cuda-environment-variables",
    'accelerate 1.15.0 utils/environment.py "def check_cuda_fp8_capability": without a GPU it goes on, on the CPU',
    "ran accelerate 1.15.0, torchao 0.18.0 [executed no-gpu-goes-on-on-the-cpu]: fp8, on the CPU",
    claims=("perhaps",),
)
def no_gpu(requested: Requested, facts: Facts, gpus: Sequence[Gpu]) -> Iterator[Found]:
    """FP8 is asked for in a training environment that sees no GPU.

    Why it hurts: on a login node or in a container without the NVIDIA runtime the run goes to the CPU or ends at the
    first kernel. An empty CUDA_VISIBLE_DEVICES hides every GPU.

    Example: `CUDA_VISIBLE_DEVICES=""` left over in the shell.

    Write instead: run it on the GPU node; here, check with `--facts` of that node.
    """
    if not requested.anywhere or facts.is_training_environment is not True:
        return
    visible = facts.visible_gpus()
    if visible is None or visible:
        return
    hidden = (facts.variables or {}).get("CUDA_VISIBLE_DEVICES")
    note = f"CUDA_VISIBLE_DEVICES={hidden!r} hides {len(gpus)} GPU(s)" if gpus else "no NVIDIA GPU was found"
    yield Found(
        "no GPU is visible in this training environment",
        place=requested.anywhere[0],
        label="FP8 needs a GPU of compute capability 8.9 or higher",
        notes=(note,),
        action=unset("CUDA_VISIBLE_DEVICES") if gpus else None,
        fact="" if gpus else "the facts of the GPU node can be given with --facts facts.json",
    )


@rule(
    "FP704",
    "driver-too-old",
    ERROR,
    "https://docs.nvidia.com/deploy/cuda-compatibility/",
    'torch 2.9.1..2.15.0 lib/libc10_cuda.so "The NVIDIA driver on your system is too old": raised at the first use',
    claims=("perhaps",),
)
def driver_too_old(requested: Requested, facts: Facts) -> Iterator[Found]:
    """The driver is older than the CUDA that torch was built for.

    Why it hurts: torch finds no usable GPU, or the first kernel fails.

    Example: a driver for CUDA 12.4, or driver 570, with a torch for CUDA 13.0.

    Write instead: a newer driver, or a torch for the driver's CUDA.
    """
    if not requested.anywhere or facts.gpus == []:
        return
    cuda = facts.cuda or {}
    if "torch" not in cuda:
        raise Undecided("the CUDA that torch was built for", "packages")
    torch = cuda["torch"]
    if torch is None:
        return  # FP620 speaks of that
    driver = cuda.get("driver") or _cuda_of(facts.driver)
    if driver is None:
        raise Undecided("the CUDA that the driver supports", "gpus")
    if require_version(driver, "the driver's CUDA", "gpus")[0] >= require_version(torch, "torch's CUDA", "packages")[0]:
        return
    if "driver" not in cuda:
        what = f"whether the driver {facts.driver}, of CUDA {driver}, runs CUDA {torch} by a compatibility package"
        raise Undecided(what, "gpus")
    yield Found(
        f"the driver supports CUDA {driver}, torch was built for CUDA {torch}",
        place=requested.anywhere[0],
        label="torch cannot use this driver",
        fact=f"a torch for CUDA {driver} runs with the driver that is installed",
    )


# The first driver of each CUDA release (docs.nvidia.com/deploy/cuda-compatibility).
_DRIVERS = ((580, "13.0"), (525, "12.0"), (450, "11.0"))


def _cuda_of(driver: str | None) -> str | None:
    """The CUDA release that a driver is for, from its version; None where that is not known."""
    if driver is None:
        return None
    branch = require_version(driver, "the driver", "gpus")[0]
    return next((cuda for first, cuda in _DRIVERS if branch >= first), None)


@rule(
    "FP705",
    "ada-needs-newer-cublas",
    ERROR,
    'transformer_engine 2.9.0..2.20.2 pytorch/quantization.py "CublasLt version 12.1.3.x or higher required for FP8"',
    'transformer_engine 1.13.0..2.8.0 pytorch/fp8.py "Cuda version 12.1 or higher required for FP8 execution on Ada."',
    "https://github.com/NVIDIA/CUDALibrarySamples/issues/180",
    "ran transformer_engine 2.20.2 [executed te-checks-by-gpu]: cuBLASLt 12.1.0 is refused on 8.9, 12.1.3 is not",
    claims=("ends",),
)
def ada_needs_newer_cublas(requested: Requested, facts: Facts, outcome: Outcome) -> Iterator[Found]:
    """An Ada GPU (8.9) with a CUDA or cuBLAS that has no FP8 for it.

    Why it hurts: Hopper computes in FP8 from CUDA 11.8 on, Ada only from CUDA 12.1 with cuBLASLt 12.1.3 on.
    Transformer Engine raises in the first step.

    Example: an RTX 4090 with nvidia-cublas-cu12 12.1.0.26.

    Write instead: a torch for CUDA 12.4 or newer.
    """
    if not wants_te(requested, outcome):
        return
    seen = require_visible_gpus(outcome.run)
    if not seen or seen[0].compute_capability != "8.9":
        return
    cublas, torch = (facts.libraries or {}).get("cublas"), (facts.cuda or {}).get("torch")
    if not cublas and not torch:
        raise Undecided("the versions of CUDA and cuBLAS", "packages")
    for of, version in (("torch's CUDA", torch), ("cuBLAS", cublas)):
        if version:
            require_version(version, of, "packages")
    old = old_cublas(outcome.run)
    if not old or outcome.starts:
        return
    yield Found(
        f"{old} has no FP8 for {seen[0].name}: 12.1.3 is the first that has",
        place=requested.backend or next(iter(requested.fp8), None),
        label=reached(
            outcome, "Transformer Engine refuses the first step on compute capability 8.9", "cublas-without-fp8"
        ),
        fact="a torch built for CUDA 12.4 or newer computes in FP8 on this GPU",
    )


@rule(
    "FP706",
    "torch-too-old-for-gpu",
    ERROR,
    "https://github.com/pytorch/pytorch/issues/150733",
    "https://github.com/lllyasviel/FramePack/issues/550",
    "https://docs.nvidia.com/cuda/blackwell-compatibility-guide/",
    'torch 2.9.1..2.15.0 cuda/__init__.py "is not compatible with the current PyTorch installation"',
    "ran torch 2.13.0 [executed torch-without-kernels-for-the-gpu]: the warning, asked of an RTX 5090",
    claims=("ends",),
)
def torch_too_old_for_gpu(requested: Requested, facts: Facts, run: Run, outcome: Outcome) -> Iterator[Found]:
    """A Blackwell GPU with a torch that was built for a CUDA older than 12.8: it has no kernels for that GPU.

    Why it hurts: "CUDA error: no kernel image is available for execution on the device", at the first kernel, in any
    precision.

    Example: an RTX 5090 (12.0) with torch 2.6 for CUDA 12.4.

    Write instead: a torch for CUDA 12.8 or newer.
    """
    if not requested.anywhere and outcome.error_of("no-kernel-image") is None:
        return
    new = next((gpu for gpu in require_visible_gpus(run) if at_least(parse(gpu.compute_capability), 10)), None)
    if new is None:
        return
    cuda = facts.cuda or {}
    if "torch" not in cuda:
        raise Undecided("the CUDA that torch was built for", "packages")
    torch = cuda["torch"]
    if torch is None or at_least(require_version(torch, "torch's CUDA", "packages"), 12, 8) or outcome.starts:
        return
    yield Found(
        f"torch for CUDA {torch} has no kernels for {new.name} (compute capability {new.compute_capability})",
        place=next(iter(requested.anywhere), None),
        label=reached(
            outcome,
            "the first kernel fails: no kernel image is available for execution on the device",
            "no-kernel-image",
        ),
        fact="a torch built for CUDA 12.8 or newer has kernels for this GPU",
    )


@rule(
    "FP707",
    "gpus-differ",
    WARNING,
    "https://github.com/huggingface/accelerate/blob/v1.15.0/src/accelerate/utils/environment.py",
    'accelerate 1.15.0 utils/environment.py "def check_cuda_fp8_capability": each process asks for its own GPU',
    "ran accelerate 1.15.0 [command machine-ddp-two-kinds]: both processes begin, in FP8",
    claims=("nothing",),
)
def gpus_differ(requested: Requested, facts: Facts, outcome: Outcome) -> Iterator[Found]:
    """Several processes on GPUs of different kinds, all of them with FP8.

    Why it hurts: in each step all wait for the slowest. And they do not compute alike: what 16 has to divide on one
    kind 8 divides on another, MXFP8 is there on one and not on the other.

    Example: an H100 (9.0) beside an L40S (8.9).

    Write instead: CUDA_VISIBLE_DEVICES with the GPUs of one kind.
    """
    if not requested.anywhere or not outcome.is_distributed:
        return
    if len({gpu.compute_capability for gpu in require_gpus(facts)}) < 2:
        return
    able = [gpu for gpu in require_visible_gpus(outcome.run) if parse(gpu.compute_capability) >= SMALLEST_CAPABILITY]
    kinds = {gpu.compute_capability: gpu.name for gpu in able}
    if len(kinds) < 2:
        return
    listed = " and ".join(f"{name} ({capability})" for capability, name in sorted(kinds.items()))
    yield Found(
        f"the processes run on GPUs of different kinds: {listed}",
        place=requested.anywhere[0],
        label="each step takes as long as on the slowest of them",
        fact="CUDA_VISIBLE_DEVICES with the numbers of one kind of GPU hides the others",
    )


@rule(
    "FP708",
    "visible-devices-cut-short",
    WARNING,
    "https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#cuda-environment-variables",
    "ran torch 2.13.0 [executed visible-devices-end-the-list]: torch reads the list up to the first that is not there",
    claims=("nothing",),
)
def visible_devices_cut_short(
    requested: Requested, gpus: Sequence[Gpu], variables: Mapping[str, str]
) -> Iterator[Found]:
    """CUDA_VISIBLE_DEVICES names a GPU that is not there: that one and all after it are hidden.

    Why it hurts: CUDA ends the list at the first number that it does not know, without a word. A run meant for four
    GPUs starts on two.

    Example: `CUDA_VISIBLE_DEVICES=0,1,8,2` on a machine with 8 GPUs, numbered 0 to 7.

    Write instead: numbers that `nvidia-smi -L` lists.
    """
    value = variables.get("CUDA_VISIBLE_DEVICES")
    if not requested.anywhere or not value or not gpus:
        return
    entries = [entry.strip() for entry in value.split(",")]
    known = {str(gpu.index) for gpu in gpus}
    wrong = next((entry for entry in entries if entry not in known), None)
    if wrong is None or not wrong.isdecimal():
        return  # identifiers of GPUs are not among the facts, and a negative number is there to end the list
    hidden = len(entries) - entries.index(wrong)
    yield Found(
        f"CUDA_VISIBLE_DEVICES={value}: there is no GPU {wrong}",
        place=requested.anywhere[0],
        label=f"{hidden} of {len(entries)} named GPU{'' if len(entries) == 1 else 's'} left out, without a message",
        fact="nvidia-smi -L lists the GPUs that there are",
    )


@rule(
    "FP710",
    "mig-instance",
    WARNING,
    "ran torch 2.13.0 [executed visible-devices-end-the-list]: torch takes names of instances, and counts none of them",
    'torch 2.9.1..2.15.0 cuda/__init__.py "# Skip MIG parsing": it leaves the counting to CUDA',
    "https://docs.nvidia.com/datacenter/tesla/mig-user-guide/",
    claims=("nothing",),
)
def mig_instance(requested: Requested, gpus: Sequence[Gpu], outcome: Outcome) -> Iterator[Found]:
    """The GPU is cut into MIG instances.

    Why it hurts: CUDA shows a process one instance, a part of the multiprocessors and of the memory. Several processes
    need an instance each, named to each of them, and nobody tried FP8 there; the speeds that are predicted are those of
    whole GPUs.

    Example: an H100 in seven instances of 1g.10gb.

    Write instead: a whole GPU; or one process, and a short run to see whether FP8 pays there.
    """
    cut = next((gpu for gpu in gpus if gpu.mig), None)
    if not requested.anywhere or cut is None:
        return
    several = outcome.is_distributed
    yield Found(
        f"{cut.name} is cut into MIG instances",
        place=requested.anywhere[0],
        label="CUDA shows each process one instance, the first that is named"
        if several
        else "the run gets a part of the GPU and of its memory",
        fact="a run on whole GPUs, without MIG, has no such limit"
        if several
        else "a short run shows whether FP8 pays on a part of a GPU",
    )


@rule(
    "FP711",
    "rowwise-off-hopper",
    WARNING,
    "https://github.com/pytorch/pytorch/issues/192707",
    "https://github.com/pytorch/ao/issues/2904",
    "https://github.com/pytorch/ao/issues/2843",
    'axolotl 0.19.0 utils/schemas/fp8.py "rowwise"',
    claims=("perhaps",),
)
def rowwise_off_hopper(axolotl: Axolotl, facts: Facts) -> Iterator[Found]:
    """torchao's rowwise scaling on a GPU other than Hopper, where its kernels have failed.

    Why it hurts: the kernels for a scale in each row were written for Hopper (9.0). On the RTX 50 series they ended
    with CUBLAS_STATUS_NOT_SUPPORTED, on B200 with "Arch conditional MMA instruction used without targeting appropriate
    compute capability", depending on the release of torch. Tensorwise scaling worked on the same machines.

    Example: `fp8_config: {recipe: rowwise}` on an RTX 5090.

    Write instead: `recipe: tensorwise`.
    """
    recipe = axolotl.fp8_config.get("recipe")
    if not axolotl.on("fp8") or recipe is None:
        return
    if not str(recipe.value).startswith("rowwise"):
        return
    other = next((gpu for gpu in require_gpus(facts) if gpu.compute_capability in _ROWWISE_FAILED), None)
    if other is None:
        return
    yield Found(
        f"rowwise scaling has failed on GPUs like {other.name} (compute capability {other.compute_capability})",
        place=recipe,
        label="its kernels were written for Hopper (9.0)",
        notes=(_ROWWISE_FAILED[other.compute_capability],),
        fix=unsafe(replace(recipe, "tensorwise")),
    )


_ROWWISE_FAILED = {
    "12.0": "CUBLAS_STATUS_NOT_SUPPORTED, with torch 2.10 for CUDA 13.0",
    "10.0": "Arch conditional MMA instruction used without targeting appropriate compute capability",
}


@rule(
    "FP712",
    "axolotl-refuses-gpu",
    ERROR,
    'axolotl 0.19.0 cli/config.py "return compute_capability >= (9, 0)": Ada is refused',
    'axolotl 0.19.0 utils/schemas/config.py "fp8 requested, but fp8 is not supported on this GPU"',
    "ran axolotl 0.19.0 [command axolotl-ada]: ValidationError",
    claims=("ends",),
)
def axolotl_refuses_gpu(axolotl: Axolotl, run: Run, outcome: Outcome) -> Iterator[Found]:
    """Axolotl's `fp8: true` on a GPU below compute capability 9.0, Ada among them.

    Why it hurts: RTX 4090 and L40S (8.9) have FP8, and Accelerate takes them. Axolotl does not: it refuses the file.

    Example: `fp8: true` on an RTX 4090.

    Write instead: `bf16: true` there.
    """
    fp8 = axolotl.get("fp8")
    if fp8 is None or not fp8.value:
        return
    seen = require_visible_gpus(run)
    error = outcome.error_of("axolotl-refuses-gpu")
    if error is None:
        return
    on = (
        f"on {seen[0].name} (compute capability {seen[0].compute_capability}, it wants 9.0)"
        if seen
        else "without a GPU"
    )
    yield Found(
        f"Axolotl refuses FP8 {on}",
        place=fp8,
        label=f"it raises {error.type}: {error.message}",
        fact="bf16: true without fp8 trains on this machine"
        if seen
        else "the facts of the GPU node can be given with --facts facts.json",
    )


@rule(
    "FP713",
    "te-on-rtx-50",
    WARNING,
    'transformer_engine 2.9.0..2.20.2 pytorch/quantization.py "is not supported on 12.0+ architectures yet": of MXFP8',
    "ran transformer_engine 2.20.2 [executed te-checks-by-gpu]: another recipe by default on 12.0 than on 10.0",
    "https://github.com/NVIDIA/TransformerEngine/issues/1654",
    "https://github.com/NVIDIA/TransformerEngine/issues/2255",
    "https://github.com/NVIDIA/TransformerEngine/issues/2668",
    claims=("perhaps",),
)
def te_on_rtx_50(requested: Requested, facts: Facts, outcome: Outcome) -> Iterator[Found]:
    """Transformer Engine's FP8 on compute capability 12.x: RTX 50 and RTX PRO Blackwell.

    Why it hurts: these have fewer FP8 kernels than B200, though they are called Blackwell, too. The backward GEMM has
    failed on an RTX 5090 where the forward pass went well, so that a test of the forward pass alone says nothing.

    Example: backend TE on an RTX 5090.

    Write instead: a real step, forward and backward, before the long run; a recent CUDA and Transformer Engine.
    """
    if not wants_te(requested, outcome):
        return
    rtx = next((gpu for gpu in require_gpus(facts) if gpu.compute_capability.startswith("12.")), None)
    if rtx is None:
        return
    yield Found(
        f"Transformer Engine's FP8 has failed on {rtx.name} in the backward pass",
        place=requested.backend or requested.fp8[0],
        label=f"compute capability {rtx.compute_capability} has other FP8 kernels than 10.0",
        fact="fp8check --probe takes a step forward and backward there",
    )


@rule(
    "FP715",
    "h20-with-old-cublas",
    INFO,
    "https://github.com/NVIDIA-NeMo/Speech/issues/8505",
    "measured NVIDIA H200 [docs/evidence/h200-variables.jsonl plain]: another Hopper, CUDA 13.0: the GEMMs end well",
    "https://github.com/hpcaitech/Open-Sora/issues/749",
    claims=("perhaps",),
)
def h20_with_old_cublas(requested: Requested, run: Run, facts: Facts, gpus: Sequence[Gpu]) -> Iterator[Found]:
    """An H20 with a cuBLAS before 12.5: GEMMs are reported to end the process.

    Why it hurts: users of H20 saw their runs end with "Floating point exception: integer divide by zero" (signal 8) in
    the middle of training, in FP8 and without it, where the same ran on other Hopper GPUs. It was not tried here.

    Example: an H20 with torch for CUDA 12.1.

    Write instead: torch for CUDA 12.6 or newer.
    """
    visible = run.visible_gpus()
    if not requested.anywhere or not any("H20" in gpu.name.split() for gpu in visible or gpus):
        return
    version = parsed((facts.libraries or {}).get("cublas")) or parsed((facts.cuda or {}).get("torch"))
    if version is None:
        raise Undecided("which cuBLAS the H20 is used with", "packages")
    if at_least(version, 12, 5):
        return
    yield Found(
        f"an H20 with cuBLAS {'.'.join(map(str, version))}: runs of others have ended with signal 8 in its GEMMs",
        place=requested.anywhere[0],
        label="Floating point exception: integer divide by zero",
        fact="a torch built for CUDA 12.6 or newer has a cuBLAS without this fault",
    )


@rule(
    "FP716",
    "cuda-13.2-on-blackwell",
    INFO,
    "https://github.com/pytorch/pytorch/pull/177769",
    "measured NVIDIA H200 [docs/evidence/h200-variables.jsonl cast]: CUDA 13.0 on Hopper casts as the CPU does",
    "https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/cuda/Copy.cu",
    claims=("perhaps",),
)
def cuda_13_2_on_blackwell(requested: Requested, run: Run, facts: Facts, outcome: Outcome) -> Iterator[Found]:
    """torch for CUDA 13.2 on Blackwell: its casts from float32 to FP8 gave NaN before there was a workaround.

    Why it hurts: the compiler of CUDA 13.2 turned that cast into code that yields NaN. torch's source has a slower way
    round it since March 2026; a build from before has not. Only torchao without torch.compile casts with that kernel.
    It was not tried here.

    Example: a nightly torch of February 2026 for CUDA 13.2 on a B200, with torchao.

    Write instead: torch 2.12 or newer.
    """
    if not requested.fp8 or outcome.backend_name != "AO":
        return
    gpus = run.visible_gpus()
    if parsed((facts.cuda or {}).get("torch")) != (13, 2) or not gpus:
        return
    torch = parsed(require_packages(facts).get("torch"))
    if torch is None or at_least(torch, 2, 12) or not at_least(parse(gpus[0].compute_capability), 10):
        return
    yield Found(
        f"torch {facts.package('torch')} for CUDA 13.2 may turn casts to FP8 into NaN on this GPU",
        place=requested.fp8[0],
        label="without torch.compile, torchao casts with torch's own kernel",
        fact="torch 2.12 and newer cast to FP8 in a way that yields no NaN",
    )
