"""What pyproject.toml cannot say: each top-level code folder is one subpackage of `fp8check`, found, not listed."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOMS = ("rules", "probe", "cli", "service")


class CleanBuild(build_py):
    """Builds from nothing: a module that was deleted must not live on in a wheel, out of a stale build folder."""

    def run(self) -> None:
        """Remove what an earlier build left, and build."""
        if not self.editable_mode:
            shutil.rmtree(Path(self.build_lib) / "fp8check", ignore_errors=True)
        super().run()


setup(
    packages=[f"fp8check.{name}" for name in find_packages(include=[f"{room}*" for room in ROOMS])],
    package_dir={f"fp8check.{room}": room for room in ROOMS},
    cmdclass={"build_py": CleanBuild},
)
