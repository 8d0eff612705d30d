"""Which packages an environment has, from the names of its metadata folders; nothing is imported.

The answer is the one that importlib.metadata would give in that environment: the first folder on sys.path that has
metadata of a package decides.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Looked for by name, so that their absence is known. The second name is what Accelerate's is_..._available() looks for
# besides the metadata: the importable package.
WATCHED = {
    "torch": "torch",
    "accelerate": "accelerate",
    "transformers": "transformers",
    "transformer_engine": "transformer_engine",
    "transformer_engine_cu12": None,
    "transformer_engine_cu13": None,
    "transformer_engine_torch": None,
    "torchao": "torchao",
    "msamp": "msamp",
    "trl": "trl",
    "axolotl": "axolotl",
    "llamafactory": "llamafactory",
    "deepspeed": "deepspeed",
    "peft": "peft",
    "bitsandbytes": "bitsandbytes",
    "megatron_core": "megatron",
    "flash_attn": "flash_attn",
    "intel_transformer_engine": "intel_transformer_engine",
    "triton": "triton",
    "datasets": "datasets",
    "numpy": "numpy",
    "pydantic": "pydantic",
    "nvidia_ml_py": "pynvml",
}

# Reported where they are found; which of them there ought to be depends on the build of torch.
_FAMILIES = (
    "transformer_engine",
    "nvidia_cudnn",
    "nvidia_cublas",
    "nvidia_nccl",
    "nvidia_cuda_runtime",
    "nvidia_cuda_nvrtc",
    "nvidia_cusparselt",
)

# Distributions whose name differs from the one that the facts use.
_OTHER_NAMES = {"ms_amp": "msamp", "llama_factory": "llamafactory"}

_SEPARATORS = re.compile(r"[-_.]+")
_METADATA = re.compile(r"(?P<name>.+?)(?:-(?P<version>[^-]+)(?:-py[\d.]+.*)?)?\.(?:dist-info|egg-info)", re.IGNORECASE)
_EGG = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(?:-.*)?\.egg", re.IGNORECASE)
_VERSION_LINE = re.compile(r"^Version:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


class Scan(NamedTuple):
    """What the folders of one sys.path hold.

    Attributes:
        versions: of the packages of interest; None where one is known to be absent, no key where it is not known.
        duplicates: packages with metadata of several versions, the effective one first.
        notes: what could not be read, what looked odd.
    """

    versions: dict[str, str | None]
    duplicates: dict[str, list[str]]
    notes: list[str]


def normalised(name: str) -> str:
    """A distribution's name as the facts write it: "MS-AMP" -> "msamp", "nvidia-ml-py" -> "nvidia_ml_py"."""
    plain = _SEPARATORS.sub("_", name).lower()
    return _OTHER_NAMES.get(plain, plain)


def scan(folders: Iterable[str]) -> Scan:
    """Look through the folders of a sys.path, in its order."""
    found: dict[str, list[str]] = {}
    importable: set[str] = set()
    notes: list[str] = []
    all_read = True
    for folder in dict.fromkeys(folders):
        try:
            for entry in _entries(folder):
                _take(folder, entry, found, importable, notes)
        except FileNotFoundError:
            continue  # sys.path names folders that need not exist
        except OSError as error:
            all_read = False
            notes.append(f"a folder of sys.path could not be read: {error.strerror}")
    versions: dict[str, str | None] = {name: candidates[0] for name, candidates in found.items()}
    _settle(versions, importable, notes, all_read)
    duplicates = {name: list(dict.fromkeys(several)) for name, several in found.items() if len(set(several)) > 1}
    notes += [f"{name} has metadata of several versions: {', '.join(found[name])}" for name in sorted(duplicates)]
    return Scan(versions, duplicates, notes)


def _entries(folder: str) -> Iterator[str]:
    """Names in a folder of sys.path; an egg, packed or not, counts as metadata of its own name."""
    egg = _EGG.fullmatch(os.path.basename(folder))
    if egg is not None:
        yield f"{egg['name']}-{egg['version']}.egg-info"
        yield egg["name"]
    if os.path.isfile(folder):
        return  # the packed standard library, or an egg
    yield from os.listdir(folder)


def _take(folder: str, entry: str, found: dict[str, list[str]], importable: set[str], notes: list[str]) -> None:
    """Sort one name: metadata of a package of interest, or something that an import could find."""
    if not entry.lower().endswith((".dist-info", ".egg-info")):
        importable.add(entry.partition(".")[0])
        if entry.startswith("__editable__"):
            importable.add(_editable_name(entry))
        return
    match = _METADATA.fullmatch(entry)
    if match is None:
        return
    name = normalised(match["name"])
    if name.startswith("~"):
        _note_leftover(name, notes)
        return
    if name not in WATCHED and not name.startswith(_FAMILIES):
        return
    version = match["version"] or _written_version(os.path.join(folder, entry))
    if version is None:
        notes.append(f"the metadata of {name} names no version")
        version = "unknown"
    found.setdefault(name, []).append(version)


def _note_leftover(name: str, notes: list[str]) -> None:
    """Pip renames a package to "~name" while it replaces it; if it is still there, that was interrupted."""
    if any(watched.endswith(name[1:]) for watched in WATCHED):
        notes.append(f"{name}: left behind by an interrupted installation")


def _editable_name(entry: str) -> str:
    """The package behind `__editable__.name-1.0.pth` or `__editable___name_1_0_finder.py`."""
    rest = entry.removeprefix("__editable__").lstrip("._")
    return next((name for name in WATCHED if rest.lower().replace("-", "_").startswith(name)), "")


def _written_version(metadata: str) -> str | None:
    """The version inside an egg-info that has none in its name: a package in development."""
    path = os.path.join(metadata, "PKG-INFO") if os.path.isdir(metadata) else metadata
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            match = _VERSION_LINE.search(file.read(65536))
    except OSError:
        return None
    return match[1] if match is not None else None


def _settle(versions: dict[str, str | None], importable: set[str], notes: list[str], all_read: bool) -> None:
    """Write down what is known to be absent, as is metadata whose package cannot be imported."""
    for name, module in WATCHED.items():
        if name not in versions:
            if all_read:
                versions[name] = None
        elif module is not None and module not in importable and name not in importable and all_read:
            notes.append(f"{name} {versions[name]} has metadata, but there is no package to import")
            versions[name] = None
