#!/usr/bin/env python3
"""Run a Dockerfile's steps without a Docker engine: each stage in a fresh tree of Debian, by debootstrap and chroot.

docker/try-steps.py [FILE]        needs root, debootstrap, and Debian's packages and PyPI

Knows what docker/cpu.Dockerfile uses: FROM debian:..., SHELL, RUN, COPY, ENV, WORKDIR, USER, VOLUME, EXPOSE,
HEALTHCHECK and CMD; anything else ends it. Then CMD is started as USER with a read-only root, and HEALTHCHECK is run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
TOKENS = "ci check,read never sha256:" + "0" * 64 + "\n"


def instructions(path: Path) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile, continued lines joined."""
    text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
    lines = [line.split(None, 1) for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(word, rest.strip()) for word, rest in lines]


class Stage:
    """One stage: a tree, and the environment of its commands."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self.shell = ["/bin/sh", "-c"]
        self.variables: dict[str, str] = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        self.folder = "/"
        self.user = "root"

    def command(self, words: list[str]) -> list[str]:
        """Words as they are run inside."""
        variables = [f"{name}={value}" for name, value in {**network(), **self.variables}.items()]
        who = [] if self.user == "root" else ["--userspec", self.user]
        go = ["/bin/sh", "-c", f'cd {self.folder} && exec "$@"', "sh"]
        return ["/usr/sbin/chroot", *who, str(self.tree), "/usr/bin/env", "-i", *variables, *go, *words]

    def run(self, step: str) -> None:
        """RUN."""
        print(f"RUN {' '.join(step.split())[:110]}", flush=True)
        subprocess.run(self.command([*self.shell, step]), check=True, stdout=subprocess.DEVNULL)


TRUST = "/registry-ca.pem"  # whom this machine trusts, beside what the image's own packages bring


def network() -> dict[str, str]:
    """How this machine reaches its registries."""
    named = {name: os.environ[name] for name in ("http_proxy", "https_proxy", "no_proxy") if name in os.environ}
    return {**named, "PIP_CERT": TRUST, "SSL_CERT_FILE": TRUST} if "SSL_CERT_FILE" in os.environ else named


def debian(release: str, tree: Path) -> None:
    """A fresh, minimal Debian."""
    subprocess.run(["debootstrap", "--variant=minbase", release, str(tree)], check=True, stdout=subprocess.DEVNULL)
    shutil.copy("/etc/resolv.conf", tree / "etc/resolv.conf")
    if "SSL_CERT_FILE" in os.environ:
        shutil.copy(os.environ["SSL_CERT_FILE"], tree / TRUST.lstrip("/"))


def copy(stage: Stage, stages: dict[str, Stage], words: list[str]) -> None:
    """COPY, from the repository or from an earlier stage."""
    source = REPOSITORY
    if words[0].startswith("--from="):
        source = stages[words.pop(0).partition("=")[2]].tree
    *names, to = words
    print(f"COPY {' '.join(names)} {to}", flush=True)
    target = stage.tree / os.path.join(stage.folder, to).lstrip("/")
    for name in names:
        path = source / name.lstrip("/")
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__") if source is REPOSITORY else None
            shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        else:
            shutil.copy(path, target / path.name if to.endswith("/") else target)


def build(path: Path, root: Path) -> tuple[Stage, list[str], list[str]]:
    """All steps; returns the last stage, its CMD and its HEALTHCHECK."""
    stages: dict[str, Stage] = {}
    stage = Stage(root)
    start: list[str] = []
    check: list[str] = []
    for word, rest in instructions(path):
        if word == "FROM":
            found = re.fullmatch(r"debian:(\w+)-slim(?: AS (\w+))?", rest)
            if found is None:
                raise SystemExit(f"FROM {rest}: only Debian can be made here")
            name = found[2] or "last"
            stage = stages[name] = Stage(root / name)
            print(f"FROM {rest}", flush=True)
            debian(found[1], stage.tree)
        elif word == "SHELL":
            stage.shell = json.loads(rest)
        elif word == "RUN":
            stage.run(rest)
        elif word == "COPY":
            copy(stage, stages, rest.split())
        elif word == "ENV":
            stage.variables.update(pair.split("=", 1) for pair in rest.split())  # type: ignore[arg-type]
        elif word == "WORKDIR":
            stage.folder = rest
            (stage.tree / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif word == "USER":
            stage.user = rest
        elif word == "CMD":
            start = json.loads(rest)
        elif word == "HEALTHCHECK":
            check = json.loads(rest.partition("CMD ")[2])
        elif word not in ("VOLUME", "EXPOSE"):
            raise SystemExit(f"{word} is not known here")
    return stage, start, check


def serve(stage: Stage, start: list[str], check: list[str]) -> None:
    """Start CMD, its root read-only but for the volume and /tmp, and ask HEALTHCHECK."""
    secrets = stage.tree / "run/secrets"
    secrets.mkdir(parents=True, exist_ok=True)
    (secrets / "fp8check_tokens").write_text(TOKENS)
    # In a mount namespace of its own: all of it is gone when the service ends.
    script = (
        'mount --bind "$1" "$1" && mount --bind "$1/data" "$1/data" && mount -t tmpfs tmpfs "$1/tmp" '
        '&& mount --rbind /proc "$1/proc" && mount --bind /dev "$1/dev" '
        '&& mount -o remount,ro,bind "$1" && shift && exec "$@"'
    )
    service = subprocess.Popen(["unshare", "--mount", "sh", "-c", script, "sh", str(stage.tree), *stage.command(start)])
    try:
        until = time.monotonic() + 30
        while subprocess.run(stage.command(check), stderr=subprocess.DEVNULL, check=False).returncode:
            if time.monotonic() > until or service.poll() is not None:
                raise SystemExit("the health check was never met")
            time.sleep(0.5)
        print("HEALTHCHECK met", flush=True)
        status = Path(f"/proc/{service.pid}/status").read_text()
        print("runs as uid", re.findall(r"Uid:\s+(\d+)", status)[0])
        for folder in ("opt", "usr", "var"):
            words = ["du", "-sm", "--one-file-system", str(stage.tree / folder)]
            used = subprocess.run(words, capture_output=True, text=True, check=True).stdout
            print(f"/{folder}: {used.split()[0]} MiB")
    finally:
        service.terminate()
        service.wait()


def main() -> int:
    """Build and serve in a folder that is removed afterward."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "docker/cpu.Dockerfile"
    root = Path(tempfile.mkdtemp(prefix="fp8check-image-"))
    root.chmod(0o755)
    try:
        serve(*build(path, root))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
