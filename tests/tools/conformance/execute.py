"""Runs ONE case inside a stack and writes what was observed.

    python -m tests.tools.conformance.execute FOLDER

As a program of its own it is the training script of the slow way: a real `accelerate launch` starts it, and it finds
the case in FOLDER. `run_case` is the fast way, for a process in which the packages are imported already.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.tools.conformance import launching, machine, observe, training
from tests.tools.conformance.files import RESULT, gpus, lay_out, write

if TYPE_CHECKING:
    from tests.tools.conformance.cases import Case


def run_program(case: Case, folder: Path) -> None:
    """The training program of a case, in a process that has the environment of the launcher."""
    if case.get("beyond"):
        from tests.tools.conformance.beyond import program

        program.run(case, folder)
        _leave()
        return
    watch = observe.Watch()
    watch.install()
    error: BaseException | None = None
    try:
        _program(case["trainer"])(case, watch, folder)
    except (Exception, SystemExit) as raised:  # noqa: BLE001 - whatever the packages raise is the observation
        error = raised
        warnings.warn(f"{watch.stage}: {raised!r}", stacklevel=1)
        import traceback

        traceback.print_exc()
    if os.environ.get("RANK", "0") == "0":
        write(folder, watch.observed(error))
    _leave()
    if error is not None:
        raise SystemExit(1)


def _program(trainer: str) -> Any:
    if trainer == "llamafactory":
        from tests.tools.conformance import factory

        return factory.run
    return training.run_script if trainer == "script" else training.run_trainer


def _leave() -> None:
    import torch.distributed as group

    if group.is_initialized():
        group.destroy_process_group()


def run_case(case: Case, folder: Path, home: Path) -> None:
    """Launch a case in this process; the observation is in the folder afterward."""
    compute_capability = case["gpu"]["compute_capability"]
    os.environ.update(machine.variables(compute_capability))
    os.environ.update({key: str(value) for key, value in case["variables"].items()})
    config_file = lay_out(case, folder, home)
    machine.pretend([compute_capability] * gpus(case))
    os.chdir(folder)
    try:
        launching.start(case, config_file, lambda: run_program(case, folder))
    except (Exception, SystemExit) as raised:  # noqa: BLE001 - whatever the launcher raises is the observation
        import traceback

        traceback.print_exc()
        if not (folder / RESULT).exists():
            nothing = observe.Watch().observed(None)
            write(folder, {**nothing, "started": False, "error": observe.described("launch", raised)})


def main(arguments: list[str]) -> None:
    """The training script of the slow way: the case is in FOLDER/case.json."""
    folder = Path(arguments[0])
    case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    machine.quiet()
    machine.pretend([case["gpu"]["compute_capability"]] * gpus(case))
    run_program(case, folder)


if __name__ == "__main__":
    main(sys.argv[1:])
