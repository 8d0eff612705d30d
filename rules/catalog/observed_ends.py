"""FP801 to FP805: how the probe ended, where it did not go through."""

from __future__ import annotations

from fp8check.rules.catalog.observing import place, ran
from fp8check.rules.catalog.rule import ERROR, Found, rule
from fp8check.rules.outcome import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.catalog.context import Asked
    from fp8check.rules.evidence import Evidence
    from fp8check.rules.outcome import Outcome

_OUT_OF_MEMORY = ("out of memory", "OutOfMemory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")


def is_out_of_memory(evidence: Evidence) -> bool:
    """Whether the probe ended for want of memory, of the GPU or of the host."""
    error = evidence.error or {}
    text = f"{error.get('type')} {error.get('message')}"
    return error.get("type") == "MemoryError" or any(mark in text for mark in _OUT_OF_MEMORY)


@rule(
    "FP801",
    "probe-hangs",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl hang-in-step]: killed 15 s past the imports",
    "own tests/probe/test_emulated.py: a hang in an import and one in backward are ended as a group",
)
def probe_hangs(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """The probe did not end in its time and was killed.

    Why it hurts: a step of a few layers takes milliseconds. What hangs here hangs in the run, with all its GPUs.

    Example: a GPU that stopped answering; a file system that does not deliver the packages.

    Write instead: nothing in the files; mend what the stage names.
    """
    ran(evidence)
    if evidence.ended != "hang":
        return
    yield Found(
        f"the probe hangs: {evidence.why}",
        place(asked),
        f"while importing {evidence.importing}" if evidence.importing else f"in stage {evidence.stage or 'start'}",
        notes=_last_words(evidence),
        help=_hang_help(evidence),
    )


def _hang_help(evidence: Evidence) -> str:
    if evidence.importing is not None or evidence.stage in (None, "start", "import"):
        return f"time the import: python -X importtime -c 'import {evidence.importing or 'torch'}'"
    return "look for Xid errors in dmesg, and for another process on the GPU in nvidia-smi"


def _last_words(evidence: Evidence) -> tuple[str, ...]:
    """The last line that the process printed."""
    lines = [line.strip() for line in evidence.output.splitlines() if line.strip()]
    return (f"its last words: {lines[-1][:200]}",) if lines else ()


@rule(
    "FP802",
    "probe-dies",
    ERROR,
    "own tests/probe/test_emulated.py: SIGSEGV and SIGKILL in a step, and an exit without an answer",
)
def probe_dies(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """The probe's process died, or ended without an answer.

    Why it hurts: the run would die the same way, with no traceback. A segmentation fault is mostly a library that was
    built for another release; SIGKILL is mostly the host's memory.

    Example: an extension for torch 2.8 under torch 2.9; a container limit of 16 GiB.

    Write instead: packages that were built for each other; a larger memory limit.
    """
    ran(evidence)
    if evidence.ended not in ("killed", "no answer"):
        return
    where = f"while importing {evidence.importing}" if evidence.importing else f"in stage {evidence.stage or 'start'}"
    yield Found(
        f"the probe's process died: {evidence.why}",
        place(asked),
        where,
        notes=_last_words(evidence),
        help=_death_help(evidence),
    )


def _death_help(evidence: Evidence) -> str:
    if "SIGKILL" in evidence.why:
        return "look in dmesg for the out-of-memory killer, and raise the memory limit of the job or container"
    if "SIGSEGV" in evidence.why or "SIGABRT" in evidence.why or "SIGILL" in evidence.why:
        return "reinstall torch and the FP8 backend for each other; python -X faulthandler shows where it dies"
    return "run it by hand: fp8check probe shows what the process prints"


@rule(
    "FP803",
    "out-of-memory",
    ERROR,
    "own tests/probe/test_emulated.py: OutOfMemoryError in backward, and MemoryError",
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl gpu-memory-lies]: a GPU that is full ends the step",
)
def out_of_memory(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """Not even the few layers of the probe fit into the memory that is free.

    Why it hurts: the run has all layers. FP8 saves no memory: the BF16 weights stay, and FP8 copies come on top.

    Example: another process holds the GPU.

    Write instead: a smaller micro-batch, or a GPU of one's own.
    """
    ran(evidence)
    if not is_out_of_memory(evidence):
        return
    device = evidence.device or {}
    free = f"{device['free_mib'] / 1024:.1f} GiB of {device['name']} were free" if "free_mib" in device else "no memory"
    words = str((evidence.error or {}).get("message") or "").partition("\n")[0][:160]
    yield Found(
        f"the probe ran out of memory in stage {(evidence.error or {}).get('stage')}",
        place(asked),
        f"{free}; {words}" if words else free,
        help="free the GPU (nvidia-smi shows who holds it), or take fewer tokens per micro-batch",
    )


@rule(
    "FP804",
    "import-fails",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl wrong-cudnn]: the system's cuDNN 9.14 before torch's 9.19",
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl missing-extension]: FileNotFoundError in the import",
    "https://github.com/NVIDIA/TransformerEngine/issues/2040",
)
def import_fails(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """A package of the run cannot be imported.

    Why it hurts: Accelerate looks only at package metadata. The import happens in prepare(), after the model is loaded.

    Example: the system's cuDNN in front of the one that torch brought; an extension built for another torch.

    Write instead: see the help, which depends on the fault.
    """
    ran(evidence)
    error = evidence.error
    if error is None or error.get("stage") != "import" or is_out_of_memory(evidence):
        return
    from fp8check.rules.catalog.broken_imports import explain  # only where an import failed

    fault = explain(evidence)
    yield Found(
        f"{evidence.importing or 'a package'} cannot be imported: {fault.cause}",
        place(asked),
        f"{error.get('type')}: {str(error.get('message')).splitlines()[0][:240] if error.get('message') else ''}",
        help=fault.fix,
    )


@rule(
    "FP805",
    "step-raises",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl ao-bf16]: AttributeError in prepare() as predicted",
    "own tests/probe/test_emulated.py: an exception in backward",
)
def step_raises(asked: Asked, evidence: Evidence, outcome: Outcome) -> Iterator[Found]:
    """The run ends with an exception in Accelerator(), in prepare() or in its first step.

    Why it hurts: it does so after the model is loaded and the data is prepared.

    Example: torchao with `bf16: true`: 'NoneType' object has no attribute 'config'.

    Write instead: what the rule about that exception says; where none does, the exception is not known here yet.
    """
    ran(evidence)
    error = evidence.error
    if evidence.ended == "error" and error is None:
        raise Undecided("with which exception the probe ended", "evidence")
    if evidence.ended != "error" or error is None or is_out_of_memory(evidence) or error.get("stage") == "import":
        return
    predicted = outcome.error
    if predicted is None:
        note = "that was not predicted: please report it, with the output of fp8check probe --json"
    elif predicted.type == error.get("type"):
        note = f"as predicted: {predicted.type} ({predicted.stage})"
    else:
        note = f"predicted was {predicted.type} ({predicted.stage})"
    yield Found(
        f"the step ends with {error.get('type')} in stage {error.get('stage')}",
        place(asked),
        str(error.get("message") or "").partition("\n")[0][:240],
        notes=(note,),
        help=_known_fix(str(error.get("message"))),
    )


_FIXES = {
    "'NoneType' object has no attribute 'config'": "remove bf16 from the training file: FP8 keeps BF16 for the rest",
    "divisible by 8": "pad batches to a multiple of 16 (pad_to_multiple_of: 16)",
    "lda % 16": "pad batches to a multiple of 16 (pad_to_multiple_of: 16)",
    "A different number of tensors was saved": "switch gradient checkpointing off, or set use_reentrant: true",
    "device-side assert": "run with CUDA_LAUNCH_BLOCKING=1 to see which kernel asserts",
    "CUDA error": "run with CUDA_LAUNCH_BLOCKING=1 to see which kernel fails; look for Xid errors in dmesg",
}


def _known_fix(message: str) -> str:
    return next((fix for text, fix in _FIXES.items() if text in message), "")
