"""The folder of one watched run: the way into its processes, and what these tell. It goes when the run has ended."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fp8check.probe.way.fp8check_watch import OVER, VARIABLE
from fp8check.rules.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
WAY = HERE / "way"
MODULE, TRIAL = "fp8check_watch", "fp8check_trial"


class Session:
    """What is put in front of a command, and what its processes have told until now."""

    def __init__(self, steps: int, every: int | None, *, old_torch: bool = False, trial: bool = False) -> None:
        """Make the folder.

        Args:
            steps: of the optimizer that are watched.
            every: after so many steps it is looked again; None for never.
            old_torch: whether torch is known to be older than 2.5: then it calls no entry point.
            trial: whether it leaves nothing behind, and each of its processes waits for its end after these steps.
        """
        self._trial = trial
        self._began = time.time()
        self.steps = steps
        self.folder = tempfile.mkdtemp(prefix="fp8check-run-")
        for name in ("ranks", "beats", "entered", "way"):
            os.mkdir(os.path.join(self.folder, name))
        settings = {"steps": steps, "every": every, "lookers": str(HERE / "child")}
        self._write("settings.json", json.dumps({**settings, "trial": trial}))
        self._write(f"way/{MODULE}.py", (WAY / f"{MODULE}.py").read_text(encoding="utf-8"))
        if trial:
            self._write(f"way/{TRIAL}.py", (WAY / f"{TRIAL}.py").read_text(encoding="utf-8"))
        if old_torch or trial:
            self._write("way/sitecustomize.py", (WAY / "chained.py").read_text(encoding="utf-8"))
        if not old_torch:
            info = f"way/{MODULE}-{VERSION}.dist-info"
            os.mkdir(os.path.join(self.folder, info))
            self._write(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {MODULE}\nVersion: {VERSION}\n")
            self._write(f"{info}/entry_points.txt", f"[torch.backends]\n{MODULE} = {MODULE}:enter\n")

    def _write(self, name: str, text: str) -> None:
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    @property
    def mark(self) -> str:
        """The variable by which all processes of the run are known."""
        return f"{VARIABLE}={self.folder}"

    def environ(self, shell: Mapping[str, str]) -> dict[str, str]:
        """The environment of the command: that of the shell, and two variables more; of a trial those of trackers."""
        if self._trial:
            from fp8check.probe.way.fp8check_trial import ENVIRONMENT

            shell = {**shell, **ENVIRONMENT}
        way = os.path.join(self.folder, "way")
        before = shell.get("PYTHONPATH")
        return {
            **shell,
            VARIABLE: self.folder,
            "PYTHONPATH": way if not before else f"{way}{os.pathsep}{before}",
        }

    def entered(self) -> int | None:
        """How many processes the watcher was let into, launchers and workers among them; None: nobody knows."""
        if not all(os.path.isdir(os.path.join(self.folder, name)) for name in ("ranks", "beats", "entered")):
            return None
        return len(os.listdir(os.path.join(self.folder, "entered")))

    def told(self) -> list[dict[str, object]]:
        """What the ranks have told, each the last that it did of each look."""
        found = []
        for path in sorted(Path(self.folder, "ranks").glob("*.json")):
            try:
                one = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if isinstance(one, dict):
                found.append(one)
        return found

    def quiet_s(self) -> float:
        """The seconds since any process of the run gave a sign."""
        newest = self._began
        for name in ("", "ranks", "beats", "entered"):
            folder = Path(self.folder, name)
            try:
                signs = [folder, *folder.iterdir()]
                newest = max(newest, *(path.stat().st_mtime for path in signs))
            except OSError:
                continue
        return time.time() - newest

    def over(self) -> None:
        """Nothing more is to be seen: processes that begin from now on let no watcher in."""
        with contextlib.suppress(OSError):  # the folder may be gone, or full
            self._write(OVER, "")

    def close(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder, ignore_errors=True)
