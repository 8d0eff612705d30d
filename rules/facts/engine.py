"""Transformer Engine's parts: the metapackage, the core library and the extension for torch, and how they fit.

Keys of the result: "metapackage", "torch_extension": versions, None where they are known to be absent; "core": versions
of the core packages that are installed, by CUDA release ({"cu12": ...}), {} where it is known that there is none;
"core_library", "torch_library": names of the compiled files, None where there is none; "imports": whether a real
import works, None until import_check() tried; "error": what that import said.
"""

from __future__ import annotations

import os
import re

from fp8check.rules.facts.errors import BadInterpreter
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fp8check.rules.facts.data import Facts

# 9.3 s were measured for the first import on a fast machine; network disks are slower.
IMPORT_TIME_LIMIT_S = 180.0

_CORES = ("transformer_engine_cu12", "transformer_engine_cu13")

_CORE_LIBRARY = r"libtransformer_engine\.(?:so|dylib)"
_TORCH_LIBRARY = r"(?:lib)?transformer_engine_torch[.\w-]*\.so"


class Misfit(Record):
    """One thing about the parts that keeps Transformer Engine from working: a short kind, and a sentence."""

    kind: str
    message: str


class Imported(Record):
    """What a real import showed: whether it works, None where the time ran out; and the last line of the error."""

    imports: bool | None
    error: str | None


def parts(packages: Mapping[str, str | None], folders: Iterable[str]) -> dict[str, object]:
    """Which parts are installed; nothing is imported. A version that is not known has no key."""
    found: dict[str, object] = {}
    if all(name in packages for name in _CORES):
        found["core"] = {name[-4:]: packages[name] for name in _CORES if packages[name] is not None}
    for key, package in (("metapackage", "transformer_engine"), ("torch_extension", "transformer_engine_torch")):
        if package in packages:
            found[key] = packages[package]
    names, all_read = _libraries(folders)
    for key, pattern in (("core_library", _CORE_LIBRARY), ("torch_library", _TORCH_LIBRARY)):
        library = next((name for name in names if "transformer_engine" in name and re.fullmatch(pattern, name)), None)
        if library is not None or all_read:
            found[key] = library
    return {**found, "imports": None, "error": None}


def _libraries(folders: Iterable[str]) -> tuple[list[str], bool]:
    """Names of the files in the places where transformer_engine/common/__init__.py looks for compiled code.

    Returns:
        The names, and whether all of the places that there are could be read.
    """
    all_read = True
    names: list[str] = []
    for folder in folders:
        for place in ("", "transformer_engine", os.path.join("transformer_engine", "wheel_lib")):
            try:
                names += sorted(os.listdir(os.path.join(folder, place)))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                all_read = False
    return names, all_read


def misfits(facts: Facts) -> list[Misfit] | None:
    """What is wrong with the parts, as far as their names and versions tell; None where they are not known.

    An empty list does not say that it works: only an import shows that.
    """
    parts_known = facts.transformer_engine
    if parts_known is None or "metapackage" not in parts_known:
        return None
    metapackage, extension = parts_known["metapackage"], parts_known.get("torch_extension")
    core = parts_known.get("core")
    if not isinstance(core, dict):
        return None
    cores = {name: version for name, version in core.items() if version}
    no_core_file = _known_absent(parts_known, "core_library")
    no_torch_file = _known_absent(parts_known, "torch_library")
    if metapackage is None:
        return _without_metapackage(cores, extension)
    found: list[Misfit] = []
    if not cores and not parts_known.get("core_library"):
        found.append(Misfit("no core", "the metapackage is installed without the compiled library that it wraps"))
    if extension is None and not parts_known.get("torch_library"):
        found.append(Misfit("no torch extension", "transformer_engine_torch, the part for torch, is not installed"))
    if cores and no_core_file:
        found.append(Misfit("core library missing", "the core package is installed, but its library file is not there"))
    if extension is not None and no_torch_file:
        found.append(Misfit("torch library missing", "transformer_engine_torch is installed without its compiled file"))
    return found + _versions_differ(metapackage, cores, extension) + _cuda_differs(facts, cores)


def _known_absent(parts_known: Mapping[str, object], name: str) -> bool:
    """Whether a file was looked for and is not there; a key that is absent is not known."""
    return name in parts_known and parts_known[name] is None


def _without_metapackage(cores: Mapping[str, object], extension: object) -> list[Misfit]:
    if not cores and extension is None:
        return []
    return [Misfit("no metapackage", "parts are installed, but transformer_engine itself is not: Accelerate sees none")]


def _versions_differ(metapackage: object, cores: Mapping[str, object], extension: object) -> list[Misfit]:
    """TE refuses parts of different versions (transformer_engine/common/__init__.py)."""
    every = {"transformer_engine": metapackage, **{f"transformer_engine_{name}": cores[name] for name in cores}}
    if extension is not None:
        every["transformer_engine_torch"] = extension
    if len({str(version).partition("+")[0] for version in every.values()}) < 2:
        return []
    listed = ", ".join(f"{name} {version}" for name, version in every.items())
    return [Misfit("versions differ", f"the parts must have one version: {listed}")]


def _cuda_differs(facts: Facts, cores: Mapping[str, object]) -> list[Misfit]:
    built_for = (facts.cuda or {}).get("torch")
    if built_for is None or not cores or f"cu{built_for.partition('.')[0]}" in cores:
        return []
    listed = " and ".join(sorted(cores))
    return [Misfit("cuda differs", f"the core library is for {listed}, torch was built for CUDA {built_for}")]


def import_check(
    python: str, environ: Mapping[str, str] | None = None, timeout_s: float = IMPORT_TIME_LIMIT_S
) -> Imported:
    """Really import transformer_engine.pytorch, in a process of its own.

    Args:
        python: the interpreter to do it with.
        environ: the variables of which it gets those that another program may have; this process's where it is None.
        timeout_s: the time after which it is given up, in seconds.

    Raises:
        BadInterpreter: the interpreter cannot be started.
    """
    from fp8check.rules.child import environment
    from fp8check.rules.child import python as child
    from fp8check.rules.child.run import run
    from fp8check.rules.child.supervised import NotStarted

    words = child.training(python, "import transformer_engine.pytorch")
    allowed = environment.own(os.environ if environ is None else environ)
    try:
        ended = run(words, limit_s=timeout_s, environ=allowed)
    except NotStarted as error:
        raise BadInterpreter(python, f"cannot be started: {error}") from error
    if ended.how == "limit" and ended.why.startswith("gave"):
        return Imported(None, f"the import did not end within {timeout_s:g} s")
    if ended.how in ("limit", "lost"):
        return Imported(None, f"the import {ended.why or 'was ended by something else'}")
    if (ended.how, ended.code) == ("exit", 0):
        return Imported(True, None)
    said = ended.errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
    if ended.how == "signal":
        said = f"killed by signal {ended.code}"
    return Imported(False, _without_home(said, environ)[:2000])


def _without_home(text: str, environ: Mapping[str, str] | None) -> str:
    """Error texts name files; a report need not name the user."""
    home = (os.environ if environ is None else environ).get("HOME", "")
    return text.replace(home, "~") if len(home) > 1 else text
