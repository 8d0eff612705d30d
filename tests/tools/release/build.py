"""The wheel and the sdist, as a release has them: by pinned programs, with the time of the commit.

    python -m tests.tools.release.build dist          builds them
    python -m tests.tools.release.build --twice       builds them in two folders, at two times, with two umasks: same bytes

The wheel is built from the unpacked sdist: what the sdist lacks would be lacking in it, and `make wheel` compares it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from tests.support.paths import ROOT

REQUIREMENTS = ROOT / ".github" / "release-requirements.txt"
OF_THE_TREE = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "rules", "probe", "cli", "service")


def commit_time() -> str:
    """When what is released was committed, in seconds since 1970."""
    words = ["git", "log", "-1", "--format=%ct"]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def programs(folder: Path) -> Path:
    """An environment with the pinned programs that build."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    words = ["install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(REQUIREMENTS)]
    subprocess.run([folder / "bin/pip", *words], check=True)
    return folder / "bin/python"


def built(python: Path, tree: Path, out: Path, when: str, umask: int = 0o022) -> list[Path]:
    """The sdist and the wheel of a tree."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": when}
    build = [str(python), "-m", "build", "--no-isolation", "--outdir", str(out)]

    def run(*words: str) -> None:
        done = subprocess.run(
            [*build, *words], env=environment, umask=umask, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)

    run("--sdist", str(tree))
    (archive,) = out.glob("*.tar.gz")
    with tempfile.TemporaryDirectory(prefix="fp8check-sdist-") as place:
        with tarfile.open(archive) as opened:
            opened.extractall(place, filter="data")
        (unpacked,) = Path(place).iterdir()
        run("--wheel", str(unpacked))
    return sorted(out.iterdir())


def copied(to: Path) -> Path:
    """What a build needs of the tree, elsewhere: a build leaves its folders behind."""
    to.mkdir(parents=True)
    for name in OF_THE_TREE:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"), copy_function=shutil.copy
            )
        else:
            shutil.copy(ROOT / name, to / name)
    return to


def digest(path: Path) -> str:
    """SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(words: list[str]) -> int:
    """Exit code 1 where two builds differ."""
    with tempfile.TemporaryDirectory(prefix="fp8check-build-") as name:
        folder = Path(name)
        python, when = programs(folder / "programs"), commit_time()
        if words != ["--twice"]:
            out = Path(words[0])
            out.mkdir(exist_ok=True)
            made = built(python, copied(folder / "tree"), folder / "out", when)
            for path in made:
                print(digest(path), shutil.copy(path, out))
            return 0
        first = built(python, copied(folder / "here"), folder / "first", when)
        time.sleep(2.1)  # a ZIP counts time in steps of two seconds
        second = built(python, copied(folder / "some/where/else"), folder / "second", when, umask=0o077)
        for one, two in zip(first, second, strict=True):
            print(f"{'same' if digest(one) == digest(two) else 'DIFFERENT'} {one.name} {digest(one)}")
        return int([digest(one) for one in first] != [digest(two) for two in second])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
