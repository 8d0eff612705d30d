"""Which packages an environment has, from the names of its metadata folders; nothing is imported.

The answer is the one that importlib.metadata would give in that environment: the first folder on sys.path that has
metadata of a package decides.
"""

from __future__ import annotations

import os
import re

from fp8check.rules.reading import Unreadable, files
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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
    "mpi4py": "mpi4py",
    "megatron_core": "megatron",
    "flash_attn": "flash_attn",
    "flash_attn_3": "flash_attn_interface",
    "kernels": "kernels",
    "liger_kernel": "liger_kernel",
    "sageattention": "sageattention",
    "xformers": "xformers",
    "unsloth": "unsloth",
    "intel_transformer_engine": "intel_transformer_engine",
    "galore_torch": "galore_torch",
    "apollo_torch": "apollo_torch",
    "badam": "badam",
    "adam_mini": "adam_mini",
    "lomo_optim": "lomo_optim",
    "grokadamw": "grokadamw",
    "schedulefree": "schedulefree",
    "torch_optimi": "optimi",
    "torchdistx": "torchdistx",
    "apex": "apex",
    **dict.fromkeys(("wandb", "tensorboard", "tensorboardx", "mlflow", "comet_ml", "clearml", "swanlab", "trackio")),
    **dict.fromkeys(("neptune", "neptune_client", "azureml_core", "azureml_sdk", "codecarbon", "flytekit", "dvclive")),
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

_SEPARATORS = r"[-_.]+"
_INFOS = (".dist-info", ".egg-info")
_METADATA = r"(?i)(?P<name>.+?)(?:-(?P<version>[^-]+)(?:-py[\d.]+.*)?)?\.(?:dist-info|egg-info)"
_EGG = r"(?i)(?P<name>[^-]+)-(?P<version>[^-]+)(?:-.*)?\.egg"
_EDITABLE = r'"editable"\s*:\s*true'
_VERSION_LINE = r"(?im)^Version:\s*(\S+)"


class Scan(Record):
    """What the folders of one sys.path hold.

    Attributes:
        versions: of the packages of interest; None where one is known to be absent, no key where it is not known.
        duplicates: packages with metadata of several versions in one folder, the effective one first.
        notes: what could not be read, what looked odd.
    """

    versions: dict[str, str | None]
    duplicates: dict[str, list[str]]
    notes: list[str]


class _Metadata(Record):
    version: str
    path: str


def normalized(name: str) -> str:
    """A distribution's name as the facts write it: "MS-AMP" -> "msamp", "nvidia-ml-py" -> "nvidia_ml_py"."""
    alike = "-" not in name and "." not in name and "__" not in name  # nearly all: a pattern would have to be compiled
    plain = name.lower() if alike else re.sub(_SEPARATORS, "_", name).lower()
    return _OTHER_NAMES.get(plain, plain)


def scan(folders: Iterable[str]) -> Scan:
    """Look through the folders of a sys.path, in its order."""
    found: dict[str, list[_Metadata]] = {}
    importable: set[str] = set()
    notes: list[str] = []
    all_read = True
    for folder in dict.fromkeys(folders):
        try:
            entries = _entries(folder)
            # Thousands of names, of which a few count: no call for each.
            metadata = [one for one in entries if one[-5:].lower() == "-info" and one.lower().endswith(_INFOS)]
            for entry in metadata:
                _take(folder, entry, found, notes)
            others = {*entries}.difference(metadata)  # that a package has metadata makes nothing to import of it
            importable.update([one.partition(".")[0] for one in others])
        except FileNotFoundError:
            continue  # sys.path names folders that need not exist
        except OSError as error:
            all_read = False
            notes.append(f"a folder of sys.path could not be read: {error.strerror}")
    versions = _settled(found, importable, notes, all_read)
    several = {name: list(dict.fromkeys(_beside_first(all_of_it))) for name, all_of_it in found.items()}
    duplicates = {name: different for name, different in several.items() if len(different) > 1}
    notes += [f"{name} has metadata of several versions: {', '.join(duplicates[name])}" for name in sorted(duplicates)]
    return Scan(versions, duplicates, notes)


def _beside_first(found: list[_Metadata]) -> Iterator[str]:
    """The versions in the folder that counts: of those further behind neither code nor metadata is looked at.

    PYTHONPATH, the user's own folder and an environment over the system's packages put one in front on purpose.
    """
    first = os.path.dirname(found[0].path)
    return (metadata.version for metadata in found if os.path.dirname(metadata.path) == first)


def _entries(folder: str) -> list[str]:
    """Names in a folder of sys.path; an egg, packed or not, counts as metadata of its own name."""
    name = os.path.basename(folder)
    egg = re.fullmatch(_EGG, name) if name.lower().endswith(".egg") else None
    own = [] if egg is None else [f"{egg['name']}-{egg['version']}.egg-info", egg["name"]]
    # a file: the packed standard library, or an egg
    return own if os.path.isfile(folder) else [*own, *os.listdir(folder)]


def _take(folder: str, entry: str, found: dict[str, list[_Metadata]], notes: list[str]) -> None:
    """Keep the metadata of a package of interest."""
    written, stated = _parted(entry)
    name = normalized(written)
    if name.startswith("~"):
        _note_leftover(name, notes)
        return
    if name not in WATCHED and not name.startswith(_FAMILIES):
        return
    path = os.path.join(folder, entry)
    version = stated or _written_version(path)
    if version is None:
        notes.append(f"the metadata of {name} names no version")
        version = "unknown"
    found.setdefault(name, []).append(_Metadata(version, path))


def _parted(entry: str) -> tuple[str, str | None]:
    """The name and the version that a folder or file of metadata is called after."""
    name, dash, version = entry[: -len(".dist-info")].partition("-")
    if dash and name and version and "-" not in version and entry.endswith(".dist-info"):  # as wheels have it
        return name, version
    match = re.fullmatch(_METADATA, entry)
    return (match["name"], match["version"]) if match is not None else ("", None)


def _note_leftover(name: str, notes: list[str]) -> None:
    """Pip renames a package to "~name" while it replaces it; if it is still there, that was interrupted."""
    if any(watched.endswith(name[1:]) for watched in WATCHED):
        notes.append(f"{name}: left behind by an interrupted installation")


def _written_version(metadata: str) -> str | None:
    """The version inside an egg-info that has none in its name: a package in development."""
    path = os.path.join(metadata, "PKG-INFO") if os.path.isdir(metadata) else metadata
    try:
        match = re.search(_VERSION_LINE, files.start(path, 65536).decode("utf-8", "replace"))
    except Unreadable:
        return None
    return match[1] if match is not None else None


def _settled(
    found: Mapping[str, list[_Metadata]], importable: set[str], notes: list[str], all_read: bool
) -> dict[str, str | None]:
    """The versions, with what is known to be absent, as is metadata whose package cannot be imported."""
    versions: dict[str, str | None] = {name: several[0].version for name, several in found.items()}
    if not all_read:
        return versions
    for name, module in WATCHED.items():
        if name not in versions:
            versions[name] = None
        elif module is not None and module not in importable:
            _settle(name, found[name][0], versions, notes)
    return versions


def _settle(name: str, metadata: _Metadata, versions: dict[str, str | None], notes: list[str]) -> None:
    """The version of a package whose metadata is there, and which no folder has to import."""
    try:
        if _is_editable(metadata.path):
            return
    except Unreadable as error:
        notes.append(f"whether {name} can be imported is not known: {error.message}: direct_url.json")
        del versions[name]
        return
    notes.append(f"{name} {versions[name]} has metadata, but there is no package to import")
    versions[name] = None


def _is_editable(metadata: str) -> bool:
    """Whether the package was installed from a folder elsewhere, where an import finds it (PEP 610).

    Raises:
        Unreadable: the file that says so is there, and cannot be read.
    """
    try:
        text = files.start(os.path.join(metadata, "direct_url.json"), 65536).decode("utf-8", "replace")
    except Unreadable as error:
        if error.reason == "absent":
            return False
        raise
    return re.search(_EDITABLE, text) is not None
