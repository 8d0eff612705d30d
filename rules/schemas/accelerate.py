"""The schema of an Accelerate file: the keys that a release really reads, for editors.

It says of one file alone what is wrong in every run. What depends on the run beside it (another file, a flag, the
packages) is what fp8check itself says.
"""

from __future__ import annotations

from fp8check.rules.input_error import InputError
from fp8check.rules.outcome.launcher import BOOLEANS, PRECISIONS
from fp8check.rules.releases.accelerate_enums import BACKENDS, DISTRIBUTED_TYPES, SAGEMAKER_TYPES
from fp8check.rules.releases.accelerate_keys import (
    FP8_KEYS,
    OPTIONS,
    WIZARD_KEYS,
    is_section,
    known_keys,
)
from fp8check.rules.releases.behaviors import Accelerate
from fp8check.rules.releases.recipes import BLOCK_SCALINGS
from fp8check.rules.releases.versions import NEWEST, at_least, between, parse
from fp8check.rules.schemas.records import described, standalone
from fp8check.rules.settings.accelerate import AccelerateConfig
from fp8check.rules.settings.values import Section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.releases.behaviors import Behavior
    from fp8check.rules.releases.versions import Version
    from fp8check.rules.schemas.records import Schema

_WHOLE = r"^\s*[+-]?\d+\s*$"

# One line on each key of fp8_config. The rules say the same at length, with their evidence.
ABOUT: Mapping[str, str] = {
    "backend": "TE is Transformer Engine, AO is torchao, MSAMP is MS-AMP, which nobody maintains. In capitals: another "
    "spelling ends the run in Accelerator().",
    "fp8_format": "HYBRID is E4M3 forward and E5M2 for gradients. With E4M3 gradients are E4M3 as well. E5M2 alone is "
    "refused by Transformer Engine in prepare().",
    "margin": "Margin of the scaling factor of delayed scaling.",
    "interval": "Transformer Engine dropped it in 2.2: no effect since.",
    "amax_history_len": "Of how many steps delayed scaling remembers the largest values. `accelerate config` writes "
    "amax_history_length instead, which nothing reads.",
    "amax_compute_algo": "max. most_recent never reaches Transformer Engine, which takes the maximum all the same.",
    "override_linear_precision": "A list of three booleans: fprop, dgrad, wgrad. Transformer Engine dropped it in 2.0: "
    "no effect since.",
    "use_autocast_during_eval": "Whether the model computes in FP8 in model.eval(), too.",
    "opt_level": "O1 or O2, in capitals.",
    "use_mxfp8_block_scaling": "MXFP8 instead of delayed scaling.",
    "pad_inner_dim": "Whether inner dimensions are padded to what the kernels take.",
    "enable_fsdp_float8_all_gather": "Whether FSDP2 gathers weights in float8.",
}
_BACKENDS = {"TE": "Transformer Engine", "AO": "torchao", "MSAMP": "MS-AMP"}

# One line on the keys of the top level of which fp8check knows more than that they are there.
ABOUT_TOP: Mapping[str, str] = {
    "compute_environment": "Where it runs. A file for AMAZON_SAGEMAKER has other keys.",
    "distributed_type": "Over what the run is spread. It has to be there; NO in quotes: without, PyYAML reads false.",
    "mixed_precision": "What `accelerate launch` asks for; no in quotes: without, PyYAML reads false and the launcher "
    "stops. transformers 5 and newer pass the training file's bf16 or fp16 to Accelerator, which goes before this.",
    "num_processes": "On all machines together; a number, without quotes. It has to be there or on the command line, "
    "unless distributed_type is NO.",
    "num_machines": "A number, without quotes.",
    "gpu_ids": 'Text: "all", or numbers with commas, in quotes. It overwrites CUDA_VISIBLE_DEVICES.',
    "fp8_config": "Backend and recipe of FP8. Other than at the top level, an unknown key is accepted without a word.",
    "fp16": "Of old files: mixed_precision: fp16 says it today.",
}


class UnknownRelease(InputError):
    """It is no release of Accelerate that has a schema."""


def schema(release: str | None = None) -> Schema:
    """The schema of the file as that release of Accelerate reads it; without one, the newest that is known.

    Raises:
        UnknownRelease: it is no release, or one of before FP8.
    """
    release = release or NEWEST["accelerate"]
    try:
        version = parse(release)
    except ValueError as problem:
        raise UnknownRelease(str(problem)) from None
    if not at_least(version, 0, 34):
        raise UnknownRelease(f"accelerate {release} knows no FP8 in its file; 0.34.0 is the first")
    cluster, sagemaker = (set(known_keys(AccelerateConfig(Section(data=data)), version)) for data in _KINDS)
    properties = {name: _top(name, version) for name in sorted(cluster | sagemaker)}
    body: Schema = {
        "type": "object",
        "required": ["distributed_type"],
        "properties": properties,
        "additionalProperties": False,
        "if": {
            "properties": {"compute_environment": {"const": "AMAZON_SAGEMAKER"}},
            "required": ["compute_environment"],
        },
        "then": {"properties": {**_forbidden(cluster - sagemaker), "distributed_type": {"enum": [*SAGEMAKER_TYPES]}}},
        "else": {"properties": {**_forbidden(sagemaker - cluster), "distributed_type": {"enum": [*DISTRIBUTED_TYPES]}}},
    }
    about = f"What `accelerate launch --config_file` takes, with the keys that accelerate {release} really reads."
    return standalone(f"Accelerate configuration (accelerate {release})", about, body, {})


_KINDS: tuple[dict[str, object], ...] = ({}, {"compute_environment": "AMAZON_SAGEMAKER"})


def _forbidden(names: set[str]) -> dict[str, object]:
    return dict.fromkeys(sorted(names), False)


def _top(name: str, version: Version) -> Schema:
    """One key of the top level."""
    if name == "fp8_config":
        return described(_fp8_config(version), ABOUT_TOP[name])
    values: Mapping[str, Schema] = {
        "compute_environment": {"enum": ["LOCAL_MACHINE", "AMAZON_SAGEMAKER"]},
        "distributed_type": {"type": "string", "enum": [*dict.fromkeys((*DISTRIBUTED_TYPES, *SAGEMAKER_TYPES))]},
        "mixed_precision": _choice(PRECISIONS),
        "num_processes": {"type": ["integer", "null"]},
        "num_machines": {"type": ["integer", "null"]},
        "gpu_ids": {"type": ["string", "null"]},
        "fsdp_config": _section("fsdp_version"),
    }
    value = values.get(name) or ({"type": ["object", "null"]} if is_section(name) else {})
    return described(value, ABOUT_TOP.get(name))


def _fp8_config(version: Version) -> Schema:
    """The section, closed: an unknown key is the mistake that nothing else tells of."""
    if not _does(version, Accelerate.LAUNCHER_COPIES_FP8_CONFIG):
        nothing: Schema = {"not": {}, "errorMessage": "accelerate 1.3 and older read no key of fp8_config"}
        return {"type": ["object", "null"], "additionalProperties": nothing}
    read = {name: _option(name, version) for name, since in FP8_KEYS.items() if at_least(version, *since)}
    dead = {
        key: {
            "description": f"`accelerate config` writes it, and no release reads it: {meant} is what is read.",
            "errorMessage": f"nothing reads {key}: write {meant}",
            "doNotSuggest": True,
            "not": {},
        }
        for key, meant in WIZARD_KEYS.items()
    }
    prefixed = {f"^fp8_{name}$": read[name] for name in read if not name.startswith("fp8_")}
    return {
        "type": ["object", "null"],
        "properties": {**read, **dead},
        "patternProperties": prefixed,
        "additionalProperties": False,
    }


def _option(name: str, version: Version) -> Schema:
    """One key of fp8_config: its values, its default, and what is true of it."""
    option = OPTIONS.get(name) or OPTIONS.get(name.removeprefix("fp8_"))
    about = ABOUT["fp8_format" if name == "format" else name]
    if option is None:
        names = [backend for backend in BACKENDS if backend != "NO"]
        if not _does(version, Accelerate.BACKEND_FROM_ENVIRONMENT):
            return {"description": f"accelerate 1.4 to 1.8 read it nowhere. {about}"}
        return {"description": about, "enum": [*names, "NO", None]}
    scaling = next((one for one in BLOCK_SCALINGS if one.switch == name), None)
    if scaling is not None:
        first = ".".join(str(part) for part in scaling.since)
        without = " and ".join(key for key, _ in scaling.excludes)
        about += f" It needs a GPU of compute capability {first} or newer, and goes without {without}."
    since = ".".join(str(part) for part in max(option.since, Accelerate.LAUNCHER_COPIES_FP8_CONFIG.since))
    text = f"{about} Read by {_BACKENDS[option.backend]} alone, from accelerate {since} on."
    return {"description": text, **_values(name, option.default), "default": option.default}


def _values(name: str, default: object) -> Schema:
    """The values that Accelerate takes for an option; null counts as not written."""
    if name in ("format", "fp8_format"):
        return _choice(("HYBRID", "E4M3"))
    if name == "amax_compute_algo":
        return _choice(("max", "most_recent"))
    if name == "opt_level":
        return {"enum": ["O1", "O2", None]}
    if isinstance(default, list):
        first = [_SWITCH] * len(default)  # the launcher takes no more of them
        return {"type": ["array", "null"], "items": first, "minItems": len(first)}
    if isinstance(default, bool):
        return {"anyOf": [_SWITCH, {"type": "null"}]}
    least = {"minimum": 1} if name == "amax_history_len" else {}
    return {"type": ["integer", "string", "null"], "pattern": _WHOLE, **least}


def _any_case(word: str) -> str:
    return "".join(f"[{letter.upper()}{letter.lower()}]" if letter.isalpha() else letter for letter in word)


_SWITCH: Schema = {
    "anyOf": [
        {"type": "boolean"},
        {"enum": [0, 1]},
        {"type": "string", "pattern": f"^({'|'.join(_any_case(word) for word in BOOLEANS)})$"},
    ]
}


def _choice(words: tuple[str, ...]) -> Schema:
    """One of these words, in any case: the words themselves are what an editor offers."""
    pattern = f"^({'|'.join(_any_case(word) for word in words)})$"
    return {"anyOf": [{"enum": [*words]}, {"type": "string", "pattern": pattern}, {"type": "null"}]}


def _section(version_key: str) -> Schema:
    return {"type": ["object", "null"], "properties": {version_key: {"enum": [1, 2, "1", "2", None]}}}


def _does(version: Version, behavior: Behavior) -> bool:
    return between(version, behavior.since, behavior.until)
