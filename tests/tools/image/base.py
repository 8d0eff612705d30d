"""The image that a Dockerfile begins with: the registry's where it is reached, and else Debian's packages."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.tools.image.store import BASE, buildah, listed

if TYPE_CHECKING:
    from collections.abc import Callable

RELEASE = "bookworm"
OF_THE_REGISTRY = f"docker.io/library/debian:{RELEASE}-slim"
MIRROR = "http://deb.debian.org"
SOURCES = f"""\
deb {MIRROR}/debian {RELEASE} main
deb {MIRROR}/debian {RELEASE}-updates main
deb {MIRROR}/debian-security {RELEASE}-security main
"""
# What debian:...-slim leaves out of Debian's packages, and what debootstrap leaves behind. Licenses stay.
LEFT_OUT = "path-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\n" + "".join(
    f"path-exclude=/usr/share/{name}/*\n" for name in ("man", "info", "locale", "groff", "lintian")
)


def base(say: Callable[[str], object]) -> str:
    """The name of the base image."""
    if listed(BASE):
        say(f"base: {BASE}, made before (buildah rmi {BASE} makes it anew)")
        return BASE
    if buildah("pull", "--quiet", OF_THE_REGISTRY, check=False).returncode == 0:
        say(f"base: {OF_THE_REGISTRY}")
        return OF_THE_REGISTRY
    say(f"base: no registry is reached; Debian's packages by debootstrap, as {BASE}")
    with tempfile.TemporaryDirectory(prefix="fp8check-base-") as folder:
        tree = Path(folder) / "tree"
        words = ["debootstrap", "--variant=minbase", RELEASE, str(tree), f"{MIRROR}/debian"]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        _slim(tree)
        made = buildah("from", "scratch").stdout.strip()
        try:
            buildah("add", "--quiet", made, str(tree), "/")
            buildah("config", "--cmd", "/bin/bash", "--env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", made)
            buildah("commit", "--quiet", made, BASE)
        finally:
            buildah("rm", made)
    return BASE


def _slim(tree: Path) -> None:
    (tree / "etc/apt/sources.list").write_text(SOURCES)
    (tree / "etc/dpkg/dpkg.cfg.d/slim").write_text(LEFT_OUT)
    (tree / "etc/resolv.conf").unlink(missing_ok=True)
    for name in ("var/cache/apt", "var/lib/apt/lists", "var/log", "var/cache/debconf"):
        shutil.rmtree(tree / name)
        (tree / name).mkdir()
    for name in ("man", "info", "locale", "groff", "lintian"):
        shutil.rmtree(tree / "usr/share" / name, ignore_errors=True)
    for path in (tree / "usr/share/doc").rglob("*"):
        if path.name != "copyright" and not path.is_dir():
            path.unlink()
