"""FP6xx: packages, versions, libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.catalog.rule import ERROR, INFO, Found, rule
from fp8check.rules.outcome import Undecided
from fp8check.rules.settings.versions import NEWEST, at_least, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.catalog.context import Asked
    from fp8check.rules.facts import Facts, Misfit
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.settings.values import Setting

OLDEST_CUDA = (12, 1)  # Transformer Engine 2.x, docs/installation.rst; 12.8 for compute capability 10.0 and newer
OLDEST_CUDA_BLACKWELL = (12, 8)
OLDEST_CUDNN = (9, 3)


def wants_te(asked: Asked, outcome: Outcome) -> bool:
    """Whether the run asks for Transformer Engine, or gets it."""
    if asked.backend is not None and str(asked.backend.value).lower() == "te":
        return True
    return bool(asked.fp8) and outcome.backend is not None and outcome.backend.value == "TE"


def _place(asked: Asked) -> Setting | None:
    return asked.backend or (asked.fp8[0] if asked.fp8 else None)


@rule(
    "FP601",
    "transformer-engine-missing",
    ERROR,
    'accelerate 1.4.0..1.15.0 utils/dataclasses.py "TransformerEngine is not available. Please install it"',
    'accelerate 0.34.0..1.15.0 utils/imports.py "transformer_engine": the metapackage is what is looked for',
)
def transformer_engine_missing(
    asked: Asked, packages: Mapping[str, str | None], facts: Facts, outcome: Outcome
) -> Iterator[Found]:
    """The run asks for Transformer Engine, and it is not installed.

    Why it hurts: the run ends in Accelerator() or in prepare(). The package that counts is `transformer_engine`:
    a core library without the metapackage is not seen.

    Example: `backend: TE` in an environment without transformer_engine.

    Write instead: `pip install --no-build-isolation transformer_engine[pytorch]`.
    """
    if not wants_te(asked, outcome) or outcome.stack.sees_te() is not False:
        return
    cores = [name for name in ("transformer_engine_cu12", "transformer_engine_cu13") if packages.get(name)]
    note = f"{cores[0]} is installed, but Accelerate looks for the metapackage transformer_engine" if cores else ""
    yield Found(
        "Transformer Engine is asked for and not installed",
        _place(asked),
        f"not found in {(facts.python and 'Python ' + facts.python) or 'this environment'}",
        notes=(note,) if note else (),
        help="pip install --no-build-isolation transformer_engine[pytorch]",
    )


@rule(
    "FP602",
    "transformer-engine-incomplete",
    ERROR,
    'transformer_engine 2.9.0..2.20.2 common/__init__.py "Found empty `transformer-engine` meta package installed"',
    "https://github.com/NVIDIA/TransformerEngine/issues/1541",
    "https://github.com/huggingface/accelerate/issues/1757",
    "https://github.com/NVIDIA/TransformerEngine/issues/1853",
)
def transformer_engine_incomplete(
    asked: Asked, outcome: Outcome, facts: Facts, transformer_engine: Mapping[str, object]
) -> Iterator[Found]:
    """Transformer Engine is installed in part: the metapackage without its core library or its torch extension.

    Why it hurts: `pip install transformer_engine` installs from 2.9 on a package of Python files only. Accelerate
    takes it for installed, and the run ends in prepare(), after the model is loaded.

    Example: transformer_engine 2.9.0 without transformer_engine_cu13 and transformer_engine_torch.

    Write instead: `pip install --no-build-isolation transformer_engine[pytorch]==VERSION`.
    """
    version = transformer_engine.get("metapackage")
    if not wants_te(asked, outcome) or not version:
        return
    if transformer_engine.get("imports") is False:
        yield Found(
            "Transformer Engine cannot be imported",
            _place(asked),
            str(transformer_engine.get("error") or "the import fails"),
            help="pip install --no-build-isolation --force-reinstall transformer_engine[pytorch], under this torch",
        )
        return
    if transformer_engine.get("imports") is True:
        return
    for misfit in _misfits(facts, transformer_engine):
        if misfit.kind not in _DO_NOT_FIT:
            yield Found(
                f"Transformer Engine {version} is not complete: {misfit.message}",
                _place(asked),
                "Accelerate takes it for installed; the import in prepare() fails",
                help=f"pip install --no-build-isolation transformer_engine[pytorch]=={version}",
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
)
def transformer_engine_does_not_fit(
    asked: Asked, outcome: Outcome, facts: Facts, transformer_engine: Mapping[str, object]
) -> Iterator[Found]:
    """The parts of Transformer Engine do not fit each other, or not torch.

    Why it hurts: metapackage, core library and torch extension have to be of one release, and the core library has
    to be built for the CUDA that torch was built for. Otherwise the import fails in prepare().

    Example: transformer_engine 2.9.0 with transformer_engine_torch 2.8.0; or a cu12 core under torch for CUDA 13.

    Write instead: one release of all three, of torch's CUDA.
    """
    if not wants_te(asked, outcome) or not transformer_engine.get("metapackage"):
        return
    for misfit in _misfits(facts, transformer_engine):
        if misfit.kind in _DO_NOT_FIT:
            yield Found(
                f"the parts of Transformer Engine do not fit: {misfit.message}",
                _place(asked),
                "the import in prepare() fails",
                help="pip install --no-build-isolation --force-reinstall transformer_engine[pytorch], under this torch",
            )


@rule(
    "FP604",
    "newer-than-known",
    INFO,
    'accelerate 1.15.0 __init__.py "1.15.0": the newest release that was executed',
    'transformers 5.23.0 __init__.py "5.23.0": the newest release that was executed',
)
def newer_than_known(outcome: Outcome, packages: Mapping[str, str | None]) -> Iterator[Found]:
    """A package is newer than the newest release that this tool knows.

    Why it hurts: the prediction treats it as that newest release. What changed since is not in it.

    Example: accelerate 1.16 with a fp8check that knows 1.15.

    Write instead: a newer fp8check.
    """
    del packages  # only known versions can be newer
    for package, version in outcome.stack.newer.items():
        yield Found(
            f"{package} {version} is newer than the newest release known here, {NEWEST[package]}",
            notes=(f"it is predicted as {NEWEST[package]}",),
            help="upgrade fp8check, and check the outcome with --probe",
        )


@rule(
    "FP605",
    "cuda-or-cudnn-too-old",
    ERROR,
    "https://docs.nvidia.com/deeplearning/transformer-engine/user-guide/installation.html",
)
def cuda_or_cudnn_too_old(asked: Asked, outcome: Outcome, facts: Facts) -> Iterator[Found]:
    """CUDA or cuDNN is older than what Transformer Engine 2 needs.

    Why it hurts: the import fails, or the first FP8 GEMM does.

    Example: torch built for CUDA 11.8, or cuDNN 8.9, with Transformer Engine 2.9.

    Write instead: torch for CUDA 12.1 or newer (12.8 on B200 and RTX 50), cuDNN 9.3 or newer.
    """
    if not wants_te(asked, outcome):
        return
    cuda = (facts.cuda or {}).get("torch")
    cudnn = (facts.libraries or {}).get("cudnn")
    if not cuda and not cudnn:
        if facts.is_training_environment is True:
            raise Undecided("the CUDA and cuDNN versions of torch", "packages")
        return
    blackwell = any(at_least(parse(gpu.compute_capability), 10, 0) for gpu in facts.gpus or ())
    needed = OLDEST_CUDA_BLACKWELL if blackwell else OLDEST_CUDA
    if cuda and not at_least(parse(str(cuda)), *needed):
        text = f"CUDA {cuda} is too old: Transformer Engine needs {needed[0]}.{needed[1]}"
        yield Found(text, _place(asked), "the CUDA that torch was built for", help="install a torch for a newer CUDA")
    if (
        cudnn
        and not at_least(parse(str(cudnn)), *OLDEST_CUDNN)
        and at_least(outcome.stack.version("transformer_engine"), 2)
    ):
        text = f"cuDNN {cudnn} is too old: Transformer Engine 2 needs 9.3"
        yield Found(text, _place(asked), "the cuDNN beside torch", help="install a newer cuDNN, or a newer torch")


@rule(
    "FP606",
    "no-training-environment",
    INFO,
    "ran fp8check 0.1.0 [executed no-training-environment]: an empty environment has no version of any package",
)
def no_training_environment(facts: Facts, outcome: Outcome, asked: Asked) -> Iterator[Found]:
    """The interpreter that was looked at has neither torch nor accelerate.

    Why it hurts: it is not the one that trains. Versions are assumed to be the newest known, and what depends on the
    installation stays undecided.

    Example: fp8check installed with pipx, or run by pre-commit.

    Write instead: `fp8check --python /path/to/train-env/bin/python`, or `--facts facts.json` of the node.
    """
    if facts.is_training_environment is True or not asked.fp8 or not outcome.stack.assumed:
        return
    words = ", ".join(f"{name.replace('_', ' ')} {version}" for name, version in sorted(outcome.stack.assumed.items()))
    yield Found(
        "the versions of the training environment are not known",
        notes=(f"assumed: {words}",),
        help="name its interpreter with --python, or its facts with --facts",
    )
