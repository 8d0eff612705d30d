"""The wheel, got as people get a program: `uvx fp8check`, `pipx run fp8check`, and pip; on Python 3.10 and 3.13.

    python -m tests.tools.release.installers dist/fp8check-*.whl [--ways uvx pipx pip] [--pythons 3.10 3.13]

Each time in a fresh environment with empty caches: the version, a check with its exit code, and the service, which has to
answer a check. The lines are the published ones, word for word; the wheel lies where the index would have it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.support.example import BODY
from tests.support.paths import EXAMPLE
from tests.tools.smoke import WANTED, interpreters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

START_S = 180
CHECK = [str(EXAMPLE / "train.yaml"), str(EXAMPLE / "accelerate.yaml"), "--facts", str(EXAMPLE / "facts.json")]
WAYS = ("uvx", "pipx", "pip")
FAILS = 1  # the example run does not train in FP8


class Way(NamedTuple):
    """A way to run the program: the words before its arguments, for the command alone and for the service."""

    name: str
    command: Sequence[str]
    service: Sequence[str]


UVX = Way("uvx", ("uvx", "fp8check"), ("uvx", "--from", "fp8check[service]", "fp8check"))
PIPX = Way("pipx", ("pipx", "run", "fp8check"), ("pipx", "run", "--spec", "fp8check[service]", "fp8check"))


def programs(folder: Path) -> Path:
    """uv and pipx."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    words = [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "uv", "pipx"]
    subprocess.run(words, check=True, stderr=subprocess.DEVNULL)
    return folder / "bin"


def surroundings(bin_: Path, python: str, wheels: Path, folder: Path) -> dict[str, str]:
    """Variables with which the lines find that Python and the wheel, and nothing that another run left behind."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIPX_", "VIRTUAL_ENV"))}
    return {
        **kept,
        "PATH": f"{bin_}:{os.environ['PATH']}",
        "HOME": str(folder),
        "UV_CACHE_DIR": str(folder / "uv"),
        "UV_PYTHON": python,
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_FIND_LINKS": str(wheels),
        "UV_NO_PROGRESS": "1",
        "PIPX_HOME": str(folder / "pipx"),
        "PIPX_DEFAULT_PYTHON": python,
        "PIPX_DEFAULT_BACKEND": "pip",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "FP8CHECK_DATABASE": f"sqlite:///{folder}/checks.db",
    }


def with_pip(python: str, wheels: Path, folder: Path) -> Way:
    """A virtual environment with the service in it, and the command alone in another."""
    for name, what in (("alone", "fp8check"), ("service", "fp8check[service]")):
        subprocess.run([python, "-m", "venv", folder / name], check=True)
        words = ["install", "--quiet", "--disable-pip-version-check", "--find-links", str(wheels), what]
        subprocess.run([folder / name / "bin/pip", *words], check=True, stderr=subprocess.DEVNULL)
    return Way("pip", (str(folder / "alone/bin/fp8check"),), (str(folder / "service/bin/fp8check"),))


@contextlib.contextmanager
def serving(words: Sequence[str], variables: Mapping[str, str], folder: Path) -> Iterator[str]:
    """The service; it has to end when it is told to."""
    words = [*words, "serve", "--port", "0"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            words, env=variables, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            if found is None:
                raise SystemExit(f"{' '.join(words)}: {(folder / 'log').read_text()[-2000:]}")
            yield found[0].rstrip("/")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 15)  # uvx and pipx start it as a process of their own
            process.wait(30)


def tried(way: Way, variables: Mapping[str, str], folder: Path, version: str) -> list[str]:
    """What does not hold, in words."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        full = [*way.command, *words]
        return subprocess.run(
            full, env=variables, cwd=folder, capture_output=True, text=True, timeout=START_S, check=False
        )

    wrong = []
    if version not in (said := run("--version")).stdout:
        wrong.append(f"--version says {said.stdout.strip()!r}: {said.stderr[-500:]}")
    checked = run(*CHECK)
    if checked.returncode != FAILS or "FP101" not in checked.stdout:
        wrong.append(f"the check ended with {checked.returncode}: {checked.stderr[-500:]}")
    with serving(way.service, variables, folder) as url:
        asked = urllib.request.Request(  # noqa: S310  this machine
            f"{url}/check", json.dumps(BODY).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
            if answer.headers["FP8check-Exit-Code"] != str(FAILS):
                wrong.append(f"the service answered {answer.headers['FP8check-Exit-Code']}")
    return wrong


def main(words: list[str]) -> int:
    """Exit code 1 where a way does not hold."""
    made = argparse.ArgumentParser()
    made.add_argument("wheel", type=Path)
    made.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    made.add_argument("--pythons", nargs="+", default=WANTED)
    options = made.parse_args(words)
    wheel = options.wheel.resolve()
    version = wheel.name.split("-")[1]
    failed = False
    with tempfile.TemporaryDirectory(prefix="fp8check-installers-") as place:
        bin_ = programs(Path(place) / "programs")
        wheels = Path(place) / "wheels"
        wheels.mkdir()
        (wheels / wheel.name).write_bytes(wheel.read_bytes())
        for release, python in interpreters(tuple(options.pythons)).items():
            if python is None:
                print(f"Python {release}: is not on this machine")
                continue
            for name in options.ways:
                folder = Path(place) / f"{name}-{release}"
                folder.mkdir()
                begin = time.monotonic()
                variables = surroundings(bin_, python, wheels, folder)
                way = {"uvx": UVX, "pipx": PIPX}.get(name) or with_pip(python, wheels, folder)
                wrong = tried(way, variables, folder, version)
                failed |= bool(wrong)
                took = f"{time.monotonic() - begin:.0f} s"
                print(
                    f"Python {release}, {' '.join(way.command) if name != 'pip' else 'pip'}: {wrong or 'holds'} ({took})",
                    flush=True,
                )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
