"""An image, started as an engine would: its root read-only, its user, no capability, no new privileges, its own network.

No engine is needed: a mount namespace has the image's tree read-only, /tmp of its own, the volume and the secrets; the
network is one of which nobody else knows. Needs root.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.tools.image.store import buildah, configuration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CLONE_NEWNET = 0x40000000
READY_S = 60
# In a mount namespace of its own: all of it is gone when the service ends. /proc and the devices are what an engine
# gives, too; the secrets are read-only, as everything is but the volume and /tmp.
_MOUNTS = """\
tree=$1 data=$2 secrets=$3; shift 3
mount --bind "$tree" "$tree"
mount --bind "$data" "$tree/data"
mount -t tmpfs -o nosuid,nodev,size=64m tmpfs "$tree/tmp"
mount -t tmpfs -o nosuid,nodev,size=1m tmpfs "$tree/run"
mkdir "$tree/run/secrets"
mount --bind "$secrets" "$tree/run/secrets"
mount -o remount,ro,bind "$tree/run/secrets"
mount -o remount,ro "$tree/run"
mount -t proc proc "$tree/proc" 2>/dev/null || mount --rbind /proc "$tree/proc"
mount -t tmpfs -o nosuid,mode=755,size=64k tmpfs "$tree/dev"
for one in null zero random urandom; do
    touch "$tree/dev/$one"
    mount --bind "/dev/$one" "$tree/dev/$one"
done
mount -o remount,ro "$tree/dev"
mount -o remount,ro,bind "$tree"
exec "$@"
"""


def own_network() -> None:
    """Let this process, and what it starts from here on, have a loopback of its own: ports are nobody else's."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@contextlib.contextmanager
def mounted(image: str) -> Iterator[Path]:
    """The tree of an image, as a container of its own; it is removed afterward."""
    container = buildah("from", "--pull-never", image).stdout.strip()
    try:
        yield Path(buildah("mount", container).stdout.strip())
    finally:
        buildah("umount", container)
        buildah("rm", container)


class Container(NamedTuple):
    """An image's tree with what a container gets beside it."""

    tree: Path
    config: Mapping[str, Any]
    data: Path
    secrets: Path
    variables: Mapping[str, str] = {}

    def command(self, *words: str) -> list[str]:
        """Words as they are run inside, in this process's mount namespace."""
        named = dict(pair.split("=", 1) for pair in self.config["Env"]) | dict(self.variables)
        variables = [f"{name}={value}" for name, value in named.items()]
        user = self.config["User"]
        less = [f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs"]
        less += ["--bounding-set=-all", "--inh-caps=-all"]
        go = ["/bin/sh", "-c", f'cd {self.config["WorkingDir"]} && exec "$@"', "sh"]
        return ["chroot", str(self.tree), "setpriv", *less, "env", "-i", *variables, *go, *words]


class Running(NamedTuple):
    """A container that runs."""

    container: Container
    process: subprocess.Popen[bytes]

    def inside(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as `docker exec` does."""
        enter = ["nsenter", f"--target={self.process.pid}", "--mount", *self.container.command(*words)]
        return subprocess.run(enter, capture_output=True, text=True, check=False)

    def healthy(self) -> bool:
        """What the image's own HEALTHCHECK says."""
        kind, *words = self.container.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self.inside(*words).returncode == 0

    def status(self) -> dict[str, str]:
        """What the kernel says of its first process."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return {name: value.strip() for name, value in re.findall(r"(?m)^(\w+):(.*)$", text)}


def new_container(tree: Path, image: str, folder: Path, tokens: str, **variables: str) -> Container:
    """A container with an empty volume, and a tokens file as its secret."""
    config = configuration(image)
    data, secrets = folder / "data", folder / "secrets"
    data.mkdir()
    secrets.mkdir()
    shutil.chown(data, int(config["User"]))  # as a new volume takes the owner of the image's folder
    (secrets / "fp8check_tokens").write_text(tokens)
    (secrets / "fp8check_tokens").chmod(0o400)
    for path in (secrets, secrets / "fp8check_tokens"):
        shutil.chown(path, int(config["User"]))
    return Container(tree, config, data, secrets, variables)


@contextlib.contextmanager
def running(container: Container, log: Path) -> Iterator[Running]:
    """Start the image's CMD, and wait until its HEALTHCHECK is met. It is ended as an engine ends it, and has to go."""
    words = ["unshare", "--mount", "sh", "-euc", _MOUNTS, "sh"]
    words += [str(container.tree), str(container.data), str(container.secrets)]
    words += container.command(*container.config["Cmd"])
    with log.open("ab") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    one = Running(container, process)
    try:
        until = time.monotonic() + READY_S
        while not one.healthy():
            if time.monotonic() > until or process.poll() is not None:
                raise SystemExit(f"the health check was never met: {log.read_text()[-2000:]}")
            time.sleep(0.3)
        yield one
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
        process.wait(30)
