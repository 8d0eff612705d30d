"""buildah, with a store of its own: nothing of the machine's own images is touched. It needs root, and no daemon."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

STORE = ROOT / ".image"
BASE = "localhost/fp8check-base"
CPU = "localhost/fp8check"
GPU = "localhost/fp8check-gpu"
PACKAGES = ("buildah", "debootstrap")


def get_programs() -> None:
    """buildah and debootstrap, from Debian, where they are not."""
    lacking = [name for name in PACKAGES if shutil.which(name) is None]
    if lacking:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        words = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *lacking]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def buildah(*words: str, check: bool = True, quiet: bool = True) -> subprocess.CompletedProcess[str]:
    """Run buildah; what it prints is kept, or goes where this program's output goes."""
    STORE.mkdir(exist_ok=True)
    store = ["--root", str(STORE / "storage"), "--runroot", str(STORE / "run"), "--storage-driver", "vfs"]
    kept = subprocess.PIPE if quiet else None
    done = subprocess.run(["buildah", *store, *words], stdout=kept, stderr=kept, text=True, check=False)
    if check and done.returncode:
        raise SystemExit(f"buildah {' '.join(words)}: {done.stderr or done.returncode}")
    return done


def listed(name: str) -> bool:
    """Whether there is an image of that name."""
    return buildah("inspect", "--type", "image", name, check=False).returncode == 0


def configuration(name: str) -> dict[str, Any]:
    """What an image says of how it is run (Config of the Docker format)."""
    found: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", name).stdout)["Docker"]["config"]
    return found


def build(name: str, file: str, base: str, arguments: dict[str, str], more: Iterable[str] = ()) -> None:
    """`docker build`, as buildah does it where it may start no container: chroot isolation.

    A machine that reaches its registries through a proxy of its own has a certificate for that. pip and apt get it for
    the time of the build; nothing of it stays in the image.
    """
    lent = []
    if trusted := os.environ.get("SSL_CERT_FILE"):
        settings = STORE / "pip.conf"
        settings.write_text("[global]\ncert = /registry-ca.pem\n")
        lent = ["--volume", f"{trusted}:/registry-ca.pem:ro", "--volume", f"{settings}:/etc/pip.conf:ro"]
    given = [word for key, value in {"BASE": base, **arguments}.items() for word in ("--build-arg", f"{key}={value}")]
    # The docker format: that of OCI has no HEALTHCHECK.
    words = ["build", "--quiet", "--isolation", "chroot", "--format", "docker", "--pull-never", "--layers=false"]
    words += ["--ignorefile", str(ROOT / ".dockerignore"), "--file", str(ROOT / "docker" / file), "--tag", name]
    buildah(*words, *given, *lent, *more, str(ROOT))
