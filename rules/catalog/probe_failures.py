"""FP801 to FP805: how the probe ended, where it did not go through."""

from __future__ import annotations

from fp8check.rules.catalog.probe_requirements import place, ran
from fp8check.rules.engine.definition import ERROR, Found, rule
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.seen import Seen


@rule(
    "FP801",
    "probe-hangs",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl hang-in-step]: killed 15 s past the imports",
    "own tests/probe/test_emulated.py: a hang in an import and one in backward are ended as a group",
    claims=("seen",),
)
def probe_hangs(requested: Requested, seen: Seen) -> Iterator[Found]:
    """The probe did not end in its time and was killed.

    Why it hurts: a step of a few layers takes milliseconds. What hangs here hangs in the run, with all its GPUs.

    Example: a GPU that stopped answering; a file system that does not deliver the packages.

    Write instead: nothing in the files; fix what the stage names.
    """
    ran(seen)
    if seen.ended != "hang":
        return
    yield Found(
        f"the probe hangs: {seen.why}",
        place=place(requested),
        label=f"while importing {seen.importing}" if seen.importing else f"in stage {seen.stage or 'start'}",
        notes=_last_words(seen),
        help=_hang_help(seen),
    )


def _hang_help(seen: Seen) -> str:
    if seen.importing is not None or seen.stage in (None, "start", "import"):
        return f"time the import: python -X importtime -c 'import {seen.importing or 'torch'}'"
    return "look for Xid errors in dmesg, and for another process on the GPU in nvidia-smi"


def _last_words(seen: Seen) -> tuple[str, ...]:
    """The last line that the process printed."""
    lines = [line.strip() for line in seen.output.splitlines() if line.strip()]
    return (f"its last words: {lines[-1][:200]}",) if lines else ()


@rule(
    "FP802",
    "probe-dies",
    ERROR,
    "own tests/probe/test_emulated.py: SIGSEGV and SIGKILL in a step, and an exit without an answer",
    claims=("seen",),
)
def probe_dies(requested: Requested, seen: Seen) -> Iterator[Found]:
    """The probe's process died, or ended without an answer.

    Why it hurts: the run would die the same way, with no traceback. A segmentation fault is mostly a library that was
    built for another release; SIGKILL is mostly the host's memory.

    Example: an extension for torch 2.8 under torch 2.9; a container limit of 16 GiB.

    Write instead: packages that were built for each other; a larger memory limit.
    """
    ran(seen)
    if seen.ended not in ("killed", "no answer"):
        return
    where = f"while importing {seen.importing}" if seen.importing else f"in stage {seen.stage or 'start'}"
    yield Found(
        f"the probe's process died: {seen.why}",
        place=place(requested),
        label=where,
        notes=_last_words(seen),
        help=_death_help(seen),
    )


def _death_help(seen: Seen) -> str:
    if "SIGKILL" in seen.why:
        return "look in dmesg for the out-of-memory killer, and raise the memory limit of the job or container"
    if "SIGSEGV" in seen.why or "SIGABRT" in seen.why or "SIGILL" in seen.why:
        return "reinstall torch and the FP8 backend for each other; python -X faulthandler shows where it dies"
    return "run it by hand: fp8check probe shows what the process prints"


@rule(
    "FP803",
    "out-of-memory",
    ERROR,
    "own tests/probe/test_emulated.py: OutOfMemoryError in backward, and MemoryError",
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl gpu-memory-lies]: a GPU that is full ends the step",
    claims=("seen",),
)
def out_of_memory(requested: Requested, seen: Seen) -> Iterator[Found]:
    """Not even the few layers of the probe fit into the memory that is free.

    Why it hurts: the run has all layers. FP8 saves no memory: the BF16 weights stay, and FP8 copies come on top.

    Example: another process holds the GPU.

    Write instead: a smaller micro-batch, or a GPU of one's own.
    """
    ran(seen)
    if seen.error is None or not seen.error.is_out_of_memory:
        return
    free, words = _free_memory(seen), seen.error.first_line[:160]
    yield Found(
        f"the probe ran out of memory in stage {seen.error.stage}",
        place=place(requested),
        label=f"{free}; {words}" if words else free,
        help="free the GPU (nvidia-smi shows who holds it), or take fewer tokens per micro-batch",
    )


def _free_memory(seen: Seen) -> str:
    device = seen.device
    if device is None or device.free_mib is None:
        return "no memory"
    return f"{device.free_mib / 1024:.1f} GiB of {device.name} were free"


@rule(
    "FP804",
    "import-fails",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl wrong-cudnn]: the system's cuDNN 9.14 before torch's 9.19",
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl missing-extension]: FileNotFoundError in the import",
    "https://github.com/NVIDIA/TransformerEngine/issues/2040",
    claims=("seen",),
)
def import_fails(requested: Requested, seen: Seen) -> Iterator[Found]:
    """A package of the run cannot be imported.

    Why it hurts: Accelerate looks only at package metadata. The import happens in prepare(), after the model is loaded.

    Example: the system's cuDNN in front of the one that torch brought; an extension built for another torch.

    Write instead: see the help, which depends on the fault.
    """
    ran(seen)
    error = seen.error
    if error is None or error.stage != "import" or error.is_out_of_memory:
        return
    from fp8check.rules.seen.faults import fault_of_import  # only where an import failed

    fault = fault_of_import(error, seen)
    yield Found(
        f"{seen.importing or 'a package'} cannot be imported: {fault.cause}",
        place=place(requested),
        label=f"{error.type}: {error.first_line[:240]}",
        help=fault.fix,
    )


@rule(
    "FP805",
    "step-raises",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl ao-bf16]: AttributeError in prepare() as predicted",
    "own tests/probe/test_emulated.py: an exception in backward",
    claims=("seen",),
)
def step_raises(requested: Requested, seen: Seen, outcome: Outcome) -> Iterator[Found]:
    """The run ends with an exception in Accelerator(), in prepare() or in its first step.

    Why it hurts: it does so after the model is loaded and the data is prepared.

    Example: torchao with `bf16: true`: 'NoneType' object has no attribute 'config'.

    Write instead: what the rule about that exception says; where none does, the exception is not known here yet.
    """
    ran(seen)
    error = seen.error
    if seen.ended == "error" and error is None:
        raise Undecided("with which exception the probe ended", "seen")
    if seen.ended != "error" or error is None or error.is_out_of_memory or error.stage == "import":
        return
    from fp8check.rules.seen.faults import fix_of_step  # only where a step failed

    predicted = outcome.error
    if predicted is None:
        note = "that was not predicted: please report it, with the output of fp8check probe --json"
    elif predicted.type == error.type:
        note = f"as predicted: {predicted.type} ({predicted.stage})"
    else:
        note = f"predicted was {predicted.type} ({predicted.stage})"
    yield Found(
        f"the step ends with {error.type} in stage {error.stage}",
        place=place(requested),
        label=error.first_line[:240],
        notes=(note,),
        help=fix_of_step(error),
    )
