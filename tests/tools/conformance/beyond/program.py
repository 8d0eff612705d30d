"""The training program of one case: asks its trainer's questions, and puts the answers of all ranks together.

python -m tests.tools.conformance.beyond.program SPEC.json FOLDER      on a machine with GPUs, by its own launcher
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.tools.conformance.beyond import asking

LOG_TAIL = 1500


def run(case: dict[str, Any], folder: Path) -> None:
    """Ask everything; the answers of this rank lie in the folder."""
    spec = case["beyond"]
    answers = asking.Answers(folder)
    if spec["trainer"] == "script":
        from tests.tools.conformance.beyond import script as chain
    elif spec["trainer"] in ("llamafactory", "axolotl"):
        from tests.tools.conformance.beyond import programs as chain  # type: ignore[no-redef]
    else:
        from tests.tools.conformance.beyond import trainers as chain  # type: ignore[no-redef]
    chain.run(spec, folder, answers)


def together(folder: Path) -> dict[str, Any]:
    """The answers of rank 0; where another rank failed alone, or knows better why both did, that one's."""
    ranks = sorted(folder.glob(asking.ANSWERS.format(rank="*")))
    answers: dict[str, Any] = {}
    for path in ranks:
        text = path.read_text(encoding="utf-8").replace(f"{folder}/", "")
        for question, answer in json.loads(text).items():
            if question not in answers or _worth(answer) > _worth(answers[question]):
                answers[question] = answer
    return answers


def _worth(answer: dict[str, Any]) -> int:
    """An error tells more than none, unless it only says that another rank is gone."""
    if answer["ok"]:
        return 0
    return 1 if "gloo" in answer["message"] or "NCCL" in answer["message"] else 2


def observed(folder: Path, *, ended: bool) -> dict[str, Any]:
    """What is recorded of a case: the answers, the last lines of its log where it gave none or did not end."""
    answers = together(folder)
    seen: dict[str, Any] = {"answers": answers, "ended": ended}
    if not answers or not ended or os.environ.get("CONFORMANCE_KEEP"):
        seen["log"] = (folder / "log").read_text(encoding="utf-8", errors="replace")[
            -int(os.environ.get("CONFORMANCE_TAIL", LOG_TAIL)) :
        ]
    return seen


def main() -> None:
    """The training script that a launcher starts."""
    case = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    run(case, Path(sys.argv[2]))
    import torch.distributed as group

    if group.is_initialized():
        group.destroy_process_group()
    sys.stdout.flush()
    # What hangs at exit (a thread of a library) has nothing more to say.
    os._exit(0)


if __name__ == "__main__":
    main()
