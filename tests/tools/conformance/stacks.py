"""Installs pinned releases side by side and composes them into stacks.

    python -m tests.tools.conformance.stacks --root .conformance [--stacks 1.15 ...]

Every release has a folder of its own (`pip install --no-deps --target`), and a stack is a list of such folders on
PYTHONPATH over one base environment with torch. So torch is installed once, a stack costs nothing more than its
releases, and a package is absent by leaving its folder out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
STAND_INS = {"transformer_engine": ("te_standin", "transformer_engine"), "msamp": ("msamp_standin", "ms-amp")}
FIXED = ("python", "torch")
Stack = dict[str, str]


def table() -> dict[str, Any]:
    """The pinned releases, stacks.json."""
    return dict(json.loads((HERE / "stacks.json").read_text(encoding="utf-8")))


def known() -> dict[str, Stack]:
    """The named stacks: package to version."""
    return dict(table()["stacks"])


def python(root: Path) -> Path:
    """The interpreter of the base environment."""
    return root / "base" / "bin" / "python"


def folders(stack: Stack, root: Path) -> list[Path]:
    """The package folders that a stack is made of, those that others need included."""
    beside = table()["beside"]
    releases: Stack = {}
    for name, version in stack.items():
        for other, needed in beside.get(name, {}).get(version, {}).items():
            releases.setdefault(other, needed)
    releases.update({name: version for name, version in stack.items() if name not in FIXED})
    return [root / "packages" / f"{name}-{version}" for name, version in sorted(releases.items())]


def environment(stack: Stack, root: Path) -> dict[str, str]:
    """The variables of a process in a stack: nothing of the caller's shell that the packages would read."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    path = os.pathsep.join([str(folder) for folder in folders(stack, root)] + [str(REPOSITORY)])
    # PATH without the base environment's programs would hide torchrun and ninja.
    kept["PATH"] = f"{root / 'base' / 'bin'}{os.pathsep}{kept.get('PATH', '')}"
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "DISABLE_VERSION_CHECK": "1"}
    # What DeepSpeed builds is locked while it does: a run that is killed meanwhile would stop those of everybody else.
    offline["TORCH_EXTENSIONS_DIR"] = str(root / "extensions")
    return {**kept, **offline, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}


def prepare(root: Path, stacks: list[Stack]) -> None:
    """Install whatever the stacks lack."""
    root.mkdir(parents=True, exist_ok=True)
    names = {name for stack in stacks for name in stack}
    _base(root, names)
    missing = sorted({folder for stack in stacks for folder in folders(stack, root) if not _done(folder).exists()})
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda folder: _install(root, folder), missing))


def _done(folder: Path) -> Path:
    return folder / ".installed"


def _base(root: Path, names: set[str]) -> None:
    pinned = table()
    wanted = list(pinned["base"])
    for name, requirements in pinned["extras"].items():
        wanted += requirements if name in names else []
    marker = root / "base" / ".installed"
    have = marker.read_text(encoding="utf-8").splitlines() if marker.exists() else []
    if set(wanted) <= set(have):
        return
    if not python(root).exists():
        # The oldest releases here were made for 3.11 at the latest; another interpreter may do.
        interpreter = shutil.which("python3.11") or sys.executable
        subprocess.run([interpreter, "-m", "venv", str(root / "base")], check=True)
    # torch is pinned in the same call, so that nothing can bring another one.
    _pip(root, [*dict.fromkeys([*pinned["base"], *wanted])])
    marker.write_text("\n".join(wanted), encoding="utf-8")


def _install(root: Path, folder: Path) -> None:
    name, _, version = folder.name.rpartition("-")
    if name in STAND_INS:
        link(folder, name, version)
    else:
        options = ["--no-build-isolation"] if name == "deepspeed" else []
        _pip(root, ["--no-deps", "--no-compile", *options, "--target", str(folder), f"{name}=={version}"])
    _done(folder).touch()


def _pip(root: Path, arguments: list[str]) -> None:
    command = [str(python(root)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, env={**os.environ, "DS_BUILD_OPS": "0"})


def link(folder: Path, name: str, version: str) -> None:
    """Give a stand-in the name and the metadata of the release it stands for."""
    source, distribution = STAND_INS[name]
    folder.mkdir(parents=True, exist_ok=True)
    package = folder / name
    if not package.is_symlink():
        package.symlink_to(HERE / source, target_is_directory=True)
    info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir(exist_ok=True)
    metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Install the named stacks, all of them unless some are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(".conformance"))
    parser.add_argument("--stacks", nargs="*", default=None, help="names from stacks.json")
    options = parser.parse_args(arguments)
    stacks = known()
    prepare(options.root.resolve(), [stacks[name] for name in options.stacks or stacks])
    print(f"{len(options.stacks or stacks)} stacks ready in {options.root}")


if __name__ == "__main__":
    main()
