"""FP6xx: packages, versions, libraries."""

from __future__ import annotations

from fp8check.rules.catalog.shared_fixes import upgraded
from fp8check.rules.edits.action import Action
from fp8check.rules.engine.definition import ERROR, INFO, WARNING, Found, rule
from fp8check.rules.engine.requirements import reached, require_decided, require_packages, require_version
from fp8check.rules.outcome.compiled import compiled_by
from fp8check.rules.outcome.effective import number
from fp8check.rules.releases.behaviors import TransformerEngine
from fp8check.rules.releases.versions import NEWEST, OLDEST_ACCELERATE, at_least, parse, parsed
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.facts import Facts, Misfit
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.llamafactory import LlamaFactory
    from fp8check.rules.trainers.run import Run

# What Transformer Engine 2.x says of itself (METADATA); 12.8 for compute capability 10.0 and newer.
OLDEST_CUDA = (12, 1)
OLDEST_CUDA_BLACKWELL = (12, 8)


def wants_te(requested: Requested, outcome: Outcome) -> bool:
    """Whether the run asks for Transformer Engine, or gets it."""
    if requested.backend is not None and str(requested.backend.value).lower() == "te":
        return True
    return bool(requested.fp8) and outcome.backend_name == "TE"


def _place(requested: Requested) -> Setting | None:
    return requested.backend or (requested.fp8[0] if requested.fp8 else None)


@rule(
    "FP601",
    "transformer-engine-missing",
    ERROR,
    'accelerate 1.4.0..1.15.0 utils/dataclasses.py "TransformerEngine is not available. Please install it"',
    'accelerate 0.34.0..1.15.0 utils/imports.py "transformer_engine": the metapackage is what is looked for',
    "ran accelerate 1.15.0 [executed te-not-installed]: ImportError",
    claims=("ends", "ignored"),
)
def transformer_engine_missing(requested: Requested, facts: Facts, outcome: Outcome) -> Iterator[Found]:
    """The run asks for Transformer Engine, and it is not installed.

    Why it hurts: the run ends in Accelerator() or in prepare(). The package that counts is `transformer_engine`:
    a core library without the metapackage is not seen.

    Example: `backend: TE` in an environment without transformer_engine.

    Write instead: `pip install --no-build-isolation transformer_engine[pytorch]`.
    """
    if not wants_te(requested, outcome):
        return
    packages = require_packages(facts)
    if outcome.stack.sees_te() is not False:
        return
    cores = [name for name in ("transformer_engine_cu12", "transformer_engine_cu13") if packages.get(name)]
    note = f"{cores[0]} is installed, but Accelerate looks for the metapackage transformer_engine" if cores else ""
    yield Found(
        "Transformer Engine is asked for and not installed",
        place=_place(requested),
        label=f"not found in {(facts.python and 'Python ' + facts.python) or 'this environment'}",
        notes=(note,) if note else (),
        action=upgraded(outcome, "transformer_engine"),
        fact="it is built for the torch that is there: transformer_engine[pytorch], with --no-build-isolation",
    )


@rule(
    "FP602",
    "transformer-engine-incomplete",
    ERROR,
    'transformer_engine 2.9.0..2.20.2 common/__init__.py "Found empty `transformer-engine` meta package installed"',
    "https://github.com/NVIDIA/TransformerEngine/issues/1541",
    "https://github.com/huggingface/accelerate/issues/1757",
    "https://github.com/NVIDIA/TransformerEngine/issues/1853",
    "ran transformer_engine 2.20.2 [executed empty-metapackage]: the import fails",
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl missing-extension]: the import fails, and the run with it",
    claims=("ends",),
)
def transformer_engine_incomplete(
    requested: Requested, outcome: Outcome, facts: Facts, transformer_engine: Mapping[str, object]
) -> Iterator[Found]:
    """Transformer Engine is installed in part: the metapackage without its core library or its torch extension.

    Why it hurts: `pip install transformer_engine` installs from 2.9 on a package of Python files only. Accelerate
    takes it for installed, and the run ends in prepare(), after the model is loaded.

    Example: transformer_engine 2.9.0 without transformer_engine_cu13 and transformer_engine_torch.

    Write instead: `pip install --no-build-isolation transformer_engine[pytorch]==VERSION`.
    """
    version = transformer_engine.get("metapackage")
    if not wants_te(requested, outcome) or not version:
        return
    if transformer_engine.get("imports") is False:
        said = str(transformer_engine.get("error") or "the import fails")
        yield Found(
            "Transformer Engine cannot be imported",
            place=_place(requested),
            label=reached(outcome, said, "te-import-fails"),
            fact="transformer_engine[pytorch], built anew with --no-build-isolation under this torch, fits",
        )
        return
    if transformer_engine.get("imports") is True:
        return
    for misfit in _misfits(facts, transformer_engine):
        if misfit.kind not in _DO_NOT_FIT and not outcome.starts:
            yield Found(
                f"Transformer Engine {version} is not complete: {misfit.message}",
                place=_place(requested),
                label=reached(
                    outcome,
                    "Accelerate takes it for installed; the import in prepare() fails",
                    "te-empty-metapackage",
                    "te-library-missing",
                ),
                fact=f"transformer_engine[pytorch]=={version}, built with --no-build-isolation, has all its parts",
            )


# Kinds of misfits that are about versions; the others are about parts that are not there.
_DO_NOT_FIT = ("versions differ", "cuda differs")


def _misfits(facts: Facts, transformer_engine: Mapping[str, object]) -> list[Misfit]:
    from fp8check.rules.facts import misfits  # most runs do not come here

    found = misfits(facts)
    if found is None or "torch_extension" not in transformer_engine:
        raise Undecided("which parts of Transformer Engine are installed", "transformer_engine")
    return found


@rule(
    "FP603",
    "transformer-engine-does-not-fit",
    ERROR,
    'transformer_engine 2.8.0..2.20.2 common/__init__.py "package version mismatch": an assertion at import',
    "https://github.com/NVIDIA/TransformerEngine/issues/2040",
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl version-mismatch]: the import fails",
    claims=("ends",),
)
def transformer_engine_does_not_fit(
    requested: Requested, outcome: Outcome, facts: Facts, transformer_engine: Mapping[str, object]
) -> Iterator[Found]:
    """The parts of Transformer Engine do not fit each other, or not torch.

    Why it hurts: metapackage, core library and torch extension have to be of one release, and the core library has
    to be built for the CUDA that torch was built for. Otherwise the import fails in prepare().

    Example: transformer_engine 2.9.0 with transformer_engine_torch 2.8.0; or a cu12 core under torch for CUDA 13.

    Write instead: one release of all three, of torch's CUDA.
    """
    if not wants_te(requested, outcome) or not transformer_engine.get("metapackage"):
        return
    for misfit in _misfits(facts, transformer_engine):
        if misfit.kind in _DO_NOT_FIT and not outcome.starts:
            yield Found(
                f"the parts of Transformer Engine do not fit: {misfit.message}",
                place=_place(requested),
                label=reached(outcome, "the import in prepare() fails", "te-versions-differ", "te-for-another-cuda"),
                fact="transformer_engine[pytorch], built anew with --no-build-isolation under this torch, fits",
            )


@rule(
    "FP604",
    "newer-than-known",
    INFO,
    'accelerate 1.15.0 __init__.py "1.15.0": the newest release that was executed',
    'transformers 5.24.0 __init__.py "5.24.0": the newest release that was executed',
    "own rules/releases/versions.py: NEWEST has the newest release of each package that was executed or read",
    requires=("packages",),  # only known versions can be newer
    claims=("nothing",),
)
def newer_than_known(outcome: Outcome) -> Iterator[Found]:
    """A package is newer than the newest release that this tool knows.

    Why it hurts: the prediction treats it as that newest release. What changed since is not in it.

    Example: accelerate 1.16 with a fp8check that knows 1.15.

    Write instead: a newer fp8check.
    """
    for package, version in outcome.stack.newer.items():
        yield Found(
            f"{package} {version} is newer than the newest release known here, {NEWEST[package]}",
            notes=(f"it is predicted as {NEWEST[package]}",),
            fact="--probe shows what it really does; a newer fp8check may know it",
        )


@rule(
    "FP605",
    "cuda-or-cudnn-too-old",
    ERROR,
    'transformer_engine 2.4.0..2.20.2 METADATA "CUDA: 12.1+ (Hopper/Ada/Ampere), 12.8+ (Blackwell)": what it asks for',
    'transformer_engine 2.4.0..2.19.0 METADATA "cuDNN: 9.3+"',
    'transformer_engine 2.20.2 METADATA "cuDNN: 9.12+"',
    "https://docs.nvidia.com/deeplearning/transformer-engine/user-guide/installation.html",
    claims=("perhaps",),
)
def cuda_or_cudnn_too_old(requested: Requested, outcome: Outcome, facts: Facts) -> Iterator[Found]:
    """CUDA or cuDNN is older than what Transformer Engine 2 asks for.

    Why it hurts: the import fails, or the first FP8 GEMM does. The release says itself what it asks for: cuDNN 9.3,
    and from 2.20 on 9.12.

    Example: torch built for CUDA 11.8, or cuDNN 8.9, with Transformer Engine 2.9.

    Write instead: torch for CUDA 12.1 or newer (12.8 on B200 and RTX 50), cuDNN 9.12 or newer.
    """
    if not wants_te(requested, outcome):
        return
    cuda = (facts.cuda or {}).get("torch")
    cudnn = (facts.libraries or {}).get("cudnn")
    if not cuda and not cudnn:
        if facts.is_training_environment is True:
            raise Undecided("the CUDA and cuDNN versions of torch", "packages")
        return
    blackwell = any(at_least(parse(gpu.compute_capability), 10, 0) for gpu in facts.gpus or ())
    needed = OLDEST_CUDA_BLACKWELL if blackwell else OLDEST_CUDA
    if cuda and not at_least(require_version(cuda, "torch's CUDA", "packages"), *needed):
        text = f"CUDA {cuda} is too old: Transformer Engine needs {needed[0]}.{needed[1]}"
        yield Found(
            text,
            place=_place(requested),
            label="the CUDA that torch was built for",
            fact=f"a torch that was built for CUDA {needed[0]}.{needed[1]} or newer has what it needs",
        )
    wanted = _oldest_cudnn(outcome.stack)
    if cudnn and not at_least(require_version(cudnn, "cuDNN", "packages"), *wanted):
        text = f"cuDNN {cudnn} is too old: {outcome.stack.name('transformer_engine')} asks for {wanted[0]}.{wanted[1]}"
        yield Found(
            text,
            place=_place(requested),
            label="the cuDNN beside torch",
            fact=f"a release of torch that brings cuDNN {wanted[0]}.{wanted[1]} or newer has what it needs",
        )


def _oldest_cudnn(stack: Stack) -> tuple[int, int]:
    """What a release of Transformer Engine asks for; 1.x takes cuDNN 8."""
    if not at_least(stack.version("transformer_engine"), 2):
        return (0, 0)
    return (9, 12) if stack.does(TransformerEngine.WANTS_CUDNN_9_12) else (9, 3)


@rule(
    "FP606",
    "no-training-environment",
    INFO,
    "ran fp8check 0.1.0 [executed no-training-environment]: an empty environment has no version of any package",
    claims=("nothing",),
)
def no_training_environment(facts: Facts, outcome: Outcome, requested: Requested) -> Iterator[Found]:
    """The interpreter that was looked at has neither torch nor accelerate.

    Why it hurts: it is not the one that trains. Versions are assumed to be the newest known, and what depends on the
    installation stays undecided.

    Example: fp8check installed with pipx, or run by pre-commit.

    Write instead: `fp8check --python /path/to/train-env/bin/python`, or `--facts facts.json` of the node.
    """
    if facts.is_training_environment is True or not requested.fp8 or not outcome.stack.assumed:
        return
    words = [f"{name.replace('_', ' ')} {version}" for name, version in sorted(outcome.stack.assumed.items())]
    told = outcome.effective.all_processes
    processes = number(told)
    if told is not None and processes is not None and not told.origin.is_users:
        words.append(f"{processes} process{'' if processes == 1 else 'es'}")
    yield Found(
        f"assumed: {', '.join(words)}{'; no GPU is known' if facts.gpus is None else ''}",
        fact="`fp8check env --json` on the GPU node writes what is known of it, for --facts",
    )


@rule(
    "FP607",
    "torchao-missing",
    ERROR,
    'accelerate 1.13.0..1.15.0 utils/dataclasses.py "TorchAO is not available. Please install it"',
    'accelerate 1.4.0..1.15.0 accelerator.py "was not found on your system or is too old of a version"',
    'accelerate 1.4.0..1.15.0 utils/imports.py "0.6.1": an older torchao counts as absent',
    "ran accelerate 1.11.0 [command lf-module-launcher-fp8-0.9.5]: ImportError",
    "ran accelerate 1.15.0 [executed torchao-not-installed]: ImportError",
    claims=("ends", "ignored"),
)
def torchao_missing(requested: Requested, facts: Facts, outcome: Outcome) -> Iterator[Found]:
    """The run asks for torchao, and it is not installed, or older than 0.6.1, which counts as not installed.

    Why it hurts: the run ends in Accelerator() or in prepare(); an old release is passed over without a word.

    Example: `backend: AO` in an environment without torchao.

    Write instead: `pip install torchao`, in a release that fits torch.
    """
    if requested.backend is None or str(requested.backend.value).upper() not in ("AO", "TORCHAO"):
        return
    version = require_packages(facts).get("torchao")
    if outcome.stack.sees_torchao() is not False:
        return
    yield Found(
        f"torchao {version} is too old: Accelerate wants 0.6.1"
        if version
        else "torchao is asked for and not installed",
        place=requested.backend,
        label="Accelerate takes it for absent" if version else "no such package in this environment",
        fact="once a torchao that fits this torch is installed, Accelerate finds it",
        action=upgraded(outcome, "torchao"),
    )


@rule(
    "FP608",
    "torchao-does-not-fit-torch",
    ERROR,
    'torchao 0.18.0 workflows/float8/float8_tensor.py "from torch.nn.functional import ScalingType"',
    'torch 2.9.1 nn/functional.py !"ScalingType": the name that torchao imports',
    'torch 2.10.0..2.15.0 nn/functional.py "ScalingType"',
    'torch 2.9.1..2.15.0 _inductor/kernel/flex/flex_attention.py "flex_attention": torchao 0.12 looks one folder up',
    "ran torchao 0.6.1 to 0.18.0, torch 2.13.0 [executed torchao-imports]: of thirteen releases 0.12.0 alone fails",
    claims=("ends",),
)
def torchao_does_not_fit_torch(requested: Requested, facts: Facts, outcome: Outcome) -> Iterator[Found]:
    """torchao and torch of releases that do not go together: torchao cannot be imported.

    Why it hurts: Accelerate looks at names and versions only and takes it for installed. Where no backend is named it
    even prefers it to Transformer Engine, and the import ends the run. torchao 0.18 wants torch 2.10; torchao 0.12
    wants a module that torch 2.9 has moved.

    Example: torchao 0.18.0 with torch 2.8.

    Write instead: torch 2.10 or newer, or torchao 0.17.
    """
    require_decided(requested, outcome)
    error, stack = outcome.error_of("torchao-breaks"), outcome.stack
    if outcome.error is None and requested.fp8 and outcome.backend_name == "AO":
        require_packages(facts)
    pair = stack.torchao_breaks() if error is not None else None
    if not requested.fp8 or error is None or pair is None:
        return
    yield Found(
        f"{stack.name('torchao')} does not fit {stack.name('torch')}: it cannot be imported",
        place=_place(requested),
        label=f"{error.type}: {error.message}",
        notes=() if requested.backend is not None else ("no backend is named, and Accelerate takes torchao first",),
        action=upgraded(outcome, "torchao"),
        fact=pair.cure,
    )


@rule(
    "FP609",
    "no-fp8-library",
    ERROR,
    'accelerate 1.4.0..1.15.0 utils/launch.py "FP8 is not available on this machine"',
    'accelerate 0.34.0..1.15.0 utils/imports.py "def is_fp8_available"',
    'accelerate 1.3.0 utils/imports.py "is_msamp_available() or is_transformer_engine_available()"',
    "ran accelerate 1.15.0 [executed no-fp8-library]: RuntimeError by the launcher, ValueError without it",
    "ran accelerate 1.3.0, torchao 0.18.0 [executed torchao-is-no-fp8-library-to-1.3]: RuntimeError",
    claims=("ends",),
)
def no_fp8_library(requested: Requested, packages: Mapping[str, str | None], outcome: Outcome) -> Iterator[Found]:
    """FP8 is asked for, and no package that could do it is installed.

    Why it hurts: the launcher stops with RuntimeError, or Accelerator() with ValueError. Up to accelerate 1.3 torchao
    does not count as such a package.

    Example: `mixed_precision: fp8` where neither transformer_engine nor torchao is installed.

    Write instead: `pip install torchao`, or Transformer Engine.
    """
    if not requested.fp8 or outcome.stack.sees_fp8_library() is not False or outcome.starts:
        return
    only_torchao = bool(packages.get("torchao"))
    yield Found(
        "no package for FP8 is installed",
        place=_place(requested),
        label=f"{outcome.stack.name('accelerate')} finds none, and stops",
        notes=("torchao is installed; it counts from accelerate 1.4 on",) if only_torchao else (),
        action=upgraded(outcome, "accelerate") if only_torchao else None,
        fact="" if only_torchao else "FP8 needs Transformer Engine or torchao",
    )


@rule(
    "FP612",
    "accelerate-does-not-fit-te",
    ERROR,
    'accelerate 1.11.0..1.12.0 utils/transformer_engine.py "te.fp8.check_mxfp8_support()": an attribute',
    'accelerate 1.13.0..1.15.0 utils/transformer_engine.py "from transformer_engine.pytorch.fp8 import"',
    'transformer_engine 2.9.0..2.20.2 pytorch/__init__.py !"from transformer_engine.pytorch.fp8"',
    'transformer_engine 1.13.0 pytorch/fp8.py !"def check_mxfp8_support"',
    'transformer_engine 2.9.0..2.20.2 pytorch/fp8.py "transformer_engine.pytorch.fp8 will be removed in a ": announced',
    "ran accelerate 1.12.0 [conformance release-mxfp8-9.0-1.12-te2.9]: AttributeError in prepare()",
    claims=("ends",),
)
def accelerate_does_not_fit_te(requested: Requested, facts: Facts, outcome: Outcome) -> Iterator[Found]:
    """Accelerate and Transformer Engine are of releases that do not go together.

    Why it hurts: from 1.11 on, Accelerate asks Transformer Engine whether MXFP8 is available, though nobody wants it.
    accelerate 1.11 and 1.12 look where Transformer Engine 2.9 and newer no longer have the answer; releases of
    Transformer Engine before 2 have none at all. prepare() raises.

    Example: accelerate 1.12.0 with Transformer Engine 2.9.

    Write instead: accelerate 1.13 or newer with Transformer Engine 2.1 or newer.
    """
    if not wants_te(requested, outcome):
        return
    require_packages(facts)
    error = outcome.error_of("te-without-fp8-module", "te-without-mxfp8-attribute", "te-without-mxfp8-import")
    if error is None:
        return
    stack = outcome.stack
    yield Found(
        f"{stack.name('accelerate')} does not go with {stack.name('transformer_engine')}",
        place=_place(requested),
        label=f"prepare() raises {error.type}: {error.message}",
        action=upgraded(outcome, "accelerate", "transformer_engine"),
        fact="accelerate 1.13 and newer go with Transformer Engine 2.1 and newer",
    )


@rule(
    "FP614",
    "peft-does-not-fit-torchao",
    ERROR,
    'peft 0.18.1 tuners/lora/torchao.py "from torchao.quantization import LinearActivationQuantizedTensor"',
    'peft 0.19.0..0.21.2 tuners/lora/torchao.py !"LinearActivationQuantizedTensor"',
    'torchao 0.18.0 quantization/__init__.py !"LinearActivationQuantizedTensor"',
    'torchao 0.17.0 quantization/__init__.py "LinearActivationQuantizedTensor"',
    "ran peft 0.18.1, torchao 0.18.0 [executed peft-0.18-with-torchao-0.18]: ImportError",
    "ran peft 0.17.1, torchao 0.18.0 [command trl-sft-lora-0.24]: ImportError",
    'peft 0.19.0..0.21.2 import_utils.py "Found an incompatible version of torchao" "0.16.0": before, 0.4.0 would do',
    "ran peft 0.15.2 to 0.21.2 beside torchao 0.13.0 to 0.18.0 [executed peft-beside-torchao]: ImportErrors",
    claims=("ends",),
)
def peft_does_not_fit_torchao(run: Run, outcome: Outcome) -> Iterator[Found]:
    """PEFT and torchao of releases that do not go together: LoRA cannot start, whatever the backend is.

    Why it hurts: as soon as PEFT wraps a layer it looks whether the layer is torchao's. Before 0.19 it imports a class
    that torchao 0.18 no longer has; from 0.19 on it refuses every torchao before 0.16. LLaMA-Factory 0.9.5 allows PEFT
    0.18. A torchao that nobody uses is enough.

    Example: peft 0.18.1 and torchao 0.18.0, `finetuning_type: lora`; or peft 0.19 and torchao 0.15.

    Write instead: PEFT 0.19 or newer with torchao 0.16 or newer; or PEFT 0.18 with torchao 0.17.
    """
    error, stack = outcome.error_of("peft-against-torchao"), outcome.stack
    pair = stack.adapters_break(pins_old_peft=run.training.pins_old_peft) if error is not None else None
    if error is None or pair is None:
        return
    peft = stack.name("peft") if stack.has("peft") else "PEFT older than 0.19"
    yield Found(
        f"{peft} does not go with {stack.name('torchao')}",
        place=error.because[0],
        label=f"{error.type}: {error.message}",
        action=upgraded(outcome, "peft", "torchao"),
        fact=pair.cure,
    )


@rule(
    "FP615",
    "nan-from-compiled-float8",
    WARNING,
    'torchao 0.18.0 float8/_inductor_patch.py "PropagateNan.ALL": the workaround',
    "https://github.com/triton-lang/triton/issues/11111",
    claims=("FP8",),
)
def nan_from_compiled_float8(run: Run, outcome: Outcome) -> Iterator[Found]:
    """torch 2.14 or newer compiles torchao's float8 backward pass to code that yields NaN; torchao 0.18 fixes it.

    Why it hurts: the loss becomes NaN or infinite in a run whose numbers are sound. The compiler's minimum and maximum
    are lowered wrongly before a store in float8; torchao works around it from 0.18 on.

    Example: torch 2.14 with torchao 0.17, backend AO and `torch_compile: true`.

    Write instead: torchao 0.18 or newer.
    """
    if outcome.trains_in_fp8 is not True or outcome.backend_name != "AO":
        return
    compiles = compiled_by(run)
    if compiles is None:
        return
    packages = require_packages(run.facts)
    torch, torchao = parsed(packages.get("torch")), parsed(packages.get("torchao"))
    if torch is None or torchao is None or not at_least(torch, 2, 14) or at_least(torchao, 0, 18):
        return
    yield Found(
        f"torch {packages['torch']} compiles float8 of torchao {packages['torchao']} to code that yields NaN",
        place=compiles,
        label="the backward pass may be NaN or infinite, without a fault of the model",
        action=upgraded(outcome, "torchao"),
        fact="torchao 0.18 and newer work around this fault of the compiler",
    )


@rule(
    "FP616",
    "two-cudnns",
    WARNING,
    'transformer_engine 2.20.2 METADATA "CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED": among its known troubles',
    "https://github.com/NVIDIA/TransformerEngine/issues/1853",
    "https://github.com/NVIDIA/TransformerEngine/issues/1309",
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl wrong-cudnn]: the import fails",
    claims=("perhaps",),
)
def two_cudnns(requested: Requested, outcome: Outcome, facts: Facts) -> Iterator[Found]:
    """Two versions of cuDNN: the one beside torch, and another that the loader finds.

    Why it hurts: cuDNN is split into libraries that load each other. Transformer Engine may pick up one of each
    version, and its import ends with "undefined symbol" or CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED; package metadata
    looks perfect. On an H200, cuDNN 9.14 of the system and 9.19 beside torch did that.

    Example: cuDNN 9.14 in /usr/lib and nvidia-cudnn-cu13 9.19.

    Write instead: LD_LIBRARY_PATH with site-packages/nvidia/cudnn/lib in front.
    """
    libraries = facts.libraries
    if not wants_te(requested, outcome) or (facts.transformer_engine or {}).get("imports") is True:
        return
    if libraries is None:
        if facts.is_training_environment is True:
            raise Undecided("the versions of cuDNN", "packages")
        return
    own = libraries.get("cudnn")
    unread: list[tuple[str, str]] = []
    for key, where in (("cudnn_on_path", "LD_LIBRARY_PATH"), ("cudnn_system", "the system's folders")):
        other = libraries.get(key)
        if not own or not other:
            continue
        version = parsed(other)
        if version is None:
            unread.append((other, where))
            continue
        if version[:2] == require_version(own, "the cuDNN beside torch", "packages")[:2]:
            continue
        yield Found(
            f"two versions of cuDNN: {own} beside torch, {other} in {where}",
            place=_place(requested),
            label="Transformer Engine may load parts of both, and its import then fails",
            fact="site-packages/nvidia/cudnn/lib, first in LD_LIBRARY_PATH, has the cuDNN that torch was built for",
        )
        return
    for other, where in unread:
        require_version(other, f"the cuDNN in {where}", "packages")


@rule(
    "FP617",
    "package-installed-twice",
    WARNING,
    "https://docs.python.org/3/library/importlib.metadata.html",
    'accelerate 1.15.0 utils/imports.py "importlib.metadata.version": metadata decides',
    "ran accelerate 1.15.0 [executed installed-twice]: the metadata of one, the code of the other",
    requires=("packages",),
    claims=("nothing",),
)
def package_installed_twice(requested: Requested, facts: Facts) -> Iterator[Found]:
    """A package has metadata of two versions in one folder.

    Why it hurts: the code is that of one of them, and which one is chance. Accelerate decides by metadata what it may
    call: it calls functions that the other version does not have. A folder that stands in front of another, as
    PYTHONPATH puts it there, is no such chance: its metadata and its code count.

    Example: torchao 0.17.0 and 0.14.1 after an interrupted upgrade.

    Write instead: `pip uninstall` it until pip says that it is not installed, then install it once.
    """
    if not requested.fp8:
        return
    for name, versions in (facts.duplicates or {}).items():
        if len(versions) < 2:
            continue
        yield Found(
            f"{name} is installed twice: {' and '.join(versions)}",
            place=_place(requested),
            label=f"metadata of {versions[0]} is found first; the code may be that of either",
            fact="where only one of these packages is installed it is clear which release is imported",
        )


@rule(
    "FP618",
    "llamafactory-refuses-version",
    ERROR,
    'llamafactory 0.9.5 extras/misc.py "transformers>=4.55.0,<=5.6.0" "accelerate>=1.3.0,<=1.15.0"',
    'llamafactory 0.9.5 extras/misc.py "peft>=0.18.0,<=0.20.0" "trl>=0.18.0,<=0.24.0"',
    'llamafactory 0.9.4 extras/misc.py "transformers>=4.51.0,<=4.57.1" "accelerate>=1.3.0,<=1.11.0"',
    'llamafactory 0.9.4 extras/misc.py "peft>=0.14.0,<=0.17.1" "trl>=0.18.0,<=0.24.0"',
    'llamafactory 0.9.3 extras/misc.py "transformers>=4.45.0,<=4.52.4" "accelerate>=0.34.0,<=1.7.0"',
    'llamafactory 0.9.3 extras/misc.py "peft>=0.14.0,<=0.15.2" "trl>=0.8.6,<=0.9.6"',
    'llamafactory 0.9.4..0.9.5 train/ppo/trainer.py "trl>=0.8.6,<=0.9.6": in stage ppo',
    "ran llamafactory 0.9.5, transformers 5.24.0 [executed llamafactory-refuses-version]: ImportError",
    "ran llamafactory 0.9.5 [command lf-ppo-plain-0.9.5]: ImportError",
    claims=("ends",),
)
def llamafactory_refuses_version(
    llamafactory: LlamaFactory, requested: Requested, facts: Facts, run: Run, outcome: Outcome
) -> Iterator[Found]:
    """A package is outside the range that LLaMA-Factory checks when it starts.

    Why it hurts: it raises ImportError before it reads the data. The check can be switched off, and then other things
    fail: these ranges are what it was made for. Its stage ppo wants a TRL of another age than all the rest.

    Example: llamafactory 0.9.5 with transformers 5.23.

    Write instead: the release that the range allows, or DISABLE_VERSION_CHECK=1 at your own risk.
    """
    if requested.fp8:
        require_packages(facts)
    if outcome.error_of("ppo-wants-old-trl") is not None:
        yield Found(
            f"stage ppo of {outcome.stack.name('llamafactory')} refuses trl {facts.package('trl')}",
            place=llamafactory.get("stage"),
            label="it raises ImportError: trl 0.8.6 to 0.9.6 is wanted",
            fact="trl 0.9.6 with DISABLE_VERSION_CHECK=1 starts: all the rest of LLaMA-Factory wants a newer one",
        )
    refused = [*llamafactory.refused_packages(outcome.stack)]
    if not refused or llamafactory.checks_switched_off(outcome.stack, outcome.environment):
        return
    if not run.starts_trainer:
        raise Undecided(f"whether {run.launch.script} goes through LLaMA-Factory's own check of versions", "seen")
    llamafactory.rest_on()
    for one in refused:
        low, high = (".".join(map(str, bound)) for bound in (one.oldest, one.newest))
        yield Found(
            f"{outcome.stack.name('llamafactory')} refuses {one.package} {one.version}: it takes {low} to {high}",
            place=next(iter(requested.fp8), None) or llamafactory.setting_for("model"),
            label=reached(
                outcome, "it compares versions when it starts, and raises ImportError", "llamafactory-refuses-version"
            ),
            action=Action(packages={one.package: high}),
            fact="DISABLE_VERSION_CHECK=1 switches the check off",
        )


@rule(
    "FP619",
    "accelerate-too-old-for-trainer",
    ERROR,
    'transformers 5.0.0..5.24.0 utils/import_utils.py "ACCELERATE_MIN_VERSION"',
    "ran transformers 5.23.0 [executed accelerate-too-old-for-trainer]: ImportError, accelerate 1.1.0 is wanted",
    requires=("training", "packages"),
    claims=("ends",),
)
def accelerate_too_old_for_trainer(requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """transformers 5 with an accelerate older than 1.1, which its Trainer refuses.

    Why it hurts: the training arguments raise ImportError: "Using the Trainer with PyTorch requires accelerate".

    Example: transformers 5.2 with accelerate 0.34.

    Write instead: accelerate 1.13 or newer.
    """
    error = outcome.error_of("accelerate-too-old")
    if error is None:
        return
    yield Found(
        f"{outcome.stack.name('transformers')} refuses {outcome.stack.name('accelerate')}",
        place=next(iter(requested.fp8), None),
        label=f"TrainingArguments raise {error.type}: accelerate 1.1.0 is the oldest",
        action=upgraded(outcome, "accelerate"),
    )


@rule(
    "FP620",
    "torch-without-cuda",
    ERROR,
    "ran torch 2.13.0 [executed torch-without-cuda]: torch.version.cuda is None, and CUDA is not available",
    "https://pytorch.org/get-started/locally/",
    claims=("perhaps",),
)
def torch_without_cuda(requested: Requested, packages: Mapping[str, str | None], facts: Facts) -> Iterator[Found]:
    """torch is a build without CUDA.

    Why it hurts: no GPU is used, whatever nvidia-smi shows. FP8 kernels are CUDA kernels: the run goes to the CPU, or
    ends at the first of them.

    Example: `pip install torch --index-url https://download.pytorch.org/whl/cpu`.

    Write instead: a torch for the driver's CUDA.
    """
    torch = packages.get("torch")
    if not requested.anywhere or not torch:
        return
    if facts.cuda is None or "torch" not in facts.cuda:
        if "+cpu" not in torch:
            raise Undecided("the CUDA that torch was built for", "packages")
    elif facts.cuda["torch"] is not None or "+rocm" in torch:
        return
    yield Found(
        f"torch {torch} is built without CUDA",
        place=requested.anywhere[0],
        label="it uses no GPU, and FP8 needs one",
        fact="a torch for CUDA is at https://pytorch.org/get-started/locally/; where another machine trains, "
        "--facts says what it has",
    )


@rule(
    "FP621",
    "torch-for-amd",
    WARNING,
    'transformer_engine 2.9.0..2.20.2 METADATA "for accelerating Transformer models on NVIDIA GPUs"',
    'torchao 0.17.0..0.18.0 float8/config.py "e4m3fnuz": other number formats on MI300',
    "https://rocm.docs.amd.com/en/latest/",
    claims=("nothing",),
)
def torch_for_amd(requested: Requested, packages: Mapping[str, str | None]) -> Iterator[Found]:
    """torch is a build for AMD's ROCm: nothing that is said here was tried there.

    Why it hurts: Transformer Engine on PyPI is NVIDIA's; AMD has a port of its own. torchao's FP8 runs on MI300 with
    other number formats.

    Example: torch 2.9.0+rocm6.4.

    Write instead: see AMD's pages; check with a short run.
    """
    torch = packages.get("torch")
    if not requested.anywhere or not torch or "+rocm" not in torch:
        return
    yield Found(
        f"torch {torch} is for AMD GPUs, which are not modeled here",
        place=requested.anywhere[0],
        label="what follows is said of NVIDIA GPUs",
        fact="a short run in FP8 and one in BF16 show whether it is safe here",
    )


@rule(
    "FP622",
    "accelerate-older-than-known",
    WARNING,
    'accelerate 0.33.0 commands/config/config_args.py !"fp8_config": FP8 by file and launcher is new in 0.34',
    'accelerate 0.34.0 commands/config/config_args.py "fp8_config"',
    'accelerate 0.28.0 utils/dataclasses.py "Unknown mixed precision value": under FSDP',
    "https://github.com/huggingface/accelerate/issues/2615",
    "ran accelerate 0.33.0 [executed accelerate-0.33-refuses-fp8-config]: ValueError, an unknown key",
    claims=("nothing",),
)
def accelerate_older_than_known(requested: Requested, packages: Mapping[str, str | None]) -> Iterator[Found]:
    """accelerate is older than 0.34, the first release that knows FP8 by file and launcher.

    Why it hurts: what is said here is said of newer releases. Old ones refuse `fp8_config` as an unknown key, and under
    FSDP some end with "Unknown mixed precision value: fp8".

    Example: accelerate 0.28 with `mixed_precision: fp8` under FSDP.

    Write instead: accelerate 1.13 or newer.
    """
    accelerate = parsed(packages.get("accelerate"))
    if not requested.fp8 or accelerate is None or at_least(accelerate, *parse(OLDEST_ACCELERATE)):
        return
    yield Found(
        f"accelerate {packages['accelerate']} is older than {OLDEST_ACCELERATE}, the first that is known here",
        place=requested.fp8[0],
        label="FP8 by file and launcher is new in 0.34: what follows may not hold",
        action=Action(packages={"accelerate": NEWEST["accelerate"]}),
        fact="accelerate 1.13 and newer know FP8 by file and launcher",
    )
