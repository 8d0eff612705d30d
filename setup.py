"""What pyproject.toml cannot say: each top-level code folder is one subpackage of `fp8check`, found, not listed; the
version is that of rules/version.py; and what is built does not depend on who builds it where and when.

With SOURCE_DATE_EPOCH set the same tree gives the same bytes: `make reproducible`.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import tarfile
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOMS = ("rules", "probe", "cli", "service")
HERE = Path(__file__).parent
_FILE_MODE = 0o644
_FOLDER_MODE = 0o755


def version() -> str:
    """The one place that says it. It is read, not imported: nothing of fp8check is needed to build it."""
    found = re.search(r'^VERSION = "([^"]+)"$', (HERE / "rules/version.py").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SystemExit("rules/version.py says no VERSION")
    return found[1]


class CleanBuild(build_py):
    """Builds from nothing: a module that was deleted must not live on in a wheel, out of a stale build folder."""

    def run(self) -> None:
        """Remove what an earlier build left, and build."""
        if not self.editable_mode:
            shutil.rmtree(Path(self.build_lib) / "fp8check", ignore_errors=True)
        super().run()
        if not self.editable_mode:
            for path in (Path(self.build_lib) / "fp8check").rglob("*"):
                path.chmod(_FOLDER_MODE if path.is_dir() else _FILE_MODE)  # whatever the umask was


class SameArchive(sdist):
    """An archive with the time of SOURCE_DATE_EPOCH, nobody's names, and an order of its own."""

    def make_archive(self, base_name: str, format: str, *rest: object, **named: object) -> str:  # noqa: A002
        """Write the archive, and write it again."""
        made: str = super().make_archive(base_name, format, *rest, **named)  # type: ignore[arg-type]
        when = os.environ.get("SOURCE_DATE_EPOCH")
        if format == "gztar" and when is not None:
            _rewrite(Path(made), int(when))
        return made


def _rewrite(path: Path, when: int) -> None:
    with tarfile.open(path) as old:
        held = [(one, old.extractfile(one).read() if one.isfile() else b"") for one in old.getmembers()]  # type: ignore[union-attr]
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=when) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for one, content in sorted(held, key=lambda pair: pair[0].name):
            one.mtime, one.uid, one.gid, one.uname, one.gname, one.pax_headers = when, 0, 0, "", "", {}
            one.mode = _FOLDER_MODE if one.isdir() else _FILE_MODE
            new.addfile(one, io.BytesIO(content))


os.umask(0o022)  # a wheel keeps the modes of files, those that say which package it is included
setup(
    version=version(),
    packages=[f"fp8check.{name}" for name in find_packages(include=[f"{room}*" for room in ROOMS])],
    package_dir={f"fp8check.{room}": room for room in ROOMS},
    cmdclass={"build_py": CleanBuild, "sdist": SameArchive},
)
