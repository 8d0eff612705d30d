"""CUDA and its libraries: what torch was built for, which cuDNN, cuBLAS and NCCL it brings, and which others stand
in their way.

Keys of the result: "cudnn", "cublas", "nccl" are the versions that pip installed beside torch; "cudnn_on_path" is a
cuDNN that LD_LIBRARY_PATH puts before them, "cudnn_system" the one of the operating system. Two versions of cuDNN in
one process are what breaks an import of Transformer Engine with "undefined symbol".
"""

from __future__ import annotations

import os
import re

from fp8check.rules.reading import Unreadable, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SYSTEM_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/local/cuda/lib64",
    "/usr/lib",
)

_TORCH_CUDA = r"(?m)^cuda\b[^=]*=\s*(?:['\"]([\d.]+)['\"]|(None))"


def torch_cuda(folders: Iterable[str]) -> dict[str, str | None]:
    """The CUDA version that torch was built for, under the key "torch"; None for a build without CUDA.

    Read out of torch/version.py as text. No key where it cannot be read.
    """
    for folder in folders:
        path = os.path.join(folder, "torch", "version.py")
        try:
            match = re.search(_TORCH_CUDA, files.start(path, 16384).decode("utf-8", "replace"))
        except Unreadable as error:
            if error.reason == "absent":
                continue
            return {}
        return {} if match is None else {"torch": match[1]}
    return {}


def versions(
    packages: Mapping[str, str | None], built_for: str | None, environ: Mapping[str, str], folders: Iterable[str]
) -> dict[str, str | None]:
    """The libraries and their versions; see the top of this module for the keys.

    Args:
        packages: versions of the installed packages.
        built_for: the CUDA version that torch was built for, None where it is not known.
        environ: the environment of the run.
        folders: its sys.path.
    """
    found: dict[str, str | None] = {}
    for library in ("cudnn", "cublas", "nccl"):
        version = _of_pip(library, packages, built_for)
        if version is not None:
            found[library] = version
    own = {os.path.realpath(os.path.join(folder, "nvidia", "cudnn", "lib")) for folder in folders}
    on_path = _cudnn(_before(environ.get("LD_LIBRARY_PATH", ""), own))
    if on_path is not None:
        found["cudnn_on_path"] = on_path
    system = _cudnn(_SYSTEM_FOLDERS)
    if system is not None:
        found["cudnn_system"] = system
    return found


def _of_pip(library: str, packages: Mapping[str, str | None], built_for: str | None) -> str | None:
    """The version of nvidia_cudnn_cu12 and the like; the wheels for CUDA 13 partly have no suffix.

    An upgrade leaves those of the former CUDA release behind, so the one that torch was built for comes first.
    """
    suffixes = ["_cu13", "", "_cu12", "_cu11"]
    if built_for is not None:
        suffixes.insert(0, f"_cu{built_for.partition('.')[0]}")
    names = (f"nvidia_{library}{suffix}" for suffix in suffixes)
    return next((packages[name] for name in names if name in packages), None)


def _before(search_path: str, own: set[str]) -> list[str]:
    """The folders of a library search path up to the one that holds torch's own cuDNN."""
    before: list[str] = []
    for folder in filter(None, search_path.split(os.pathsep)):
        if os.path.realpath(folder) in own:
            break
        before.append(folder)
    return before


def _cudnn(folders: Iterable[str]) -> str | None:
    """The version of the first libcudnn.so in these folders, from the name of the file behind the link."""
    for folder in folders:
        try:
            names = sorted(name for name in os.listdir(folder) if name.startswith("libcudnn.so"))
        except OSError:
            continue
        if names:
            real = os.path.basename(os.path.realpath(os.path.join(folder, names[-1])))
            return real.removeprefix("libcudnn.so").removeprefix(".") or "unknown"
    return None
