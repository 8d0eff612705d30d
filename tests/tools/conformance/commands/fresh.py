"""The slow way: each program of a command is an interpreter of its own, which must agree with the forks.

    python -m tests.tools.conformance.commands.fresh [--root .conformance]

Runs some of the cases both ways, prints what differs, and ends with status 1 where anything does. As a program of its
own (client.py starts it with the folder of the programs, a name and the arguments) it is one of these interpreters.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.tools.conformance.cases import Case

CASES = (
    "trl-sft-te-file-1.16",
    "trl-file-env-format-1.16",
    "trl-fsdp2-2-1.16",
    "trl-dpo-te-file-0.24",
    "sft-bf16-off-fsdp2-new",
    "dpo-plain-te-old",
    "nested-torchrun-two-each-one-flags",
    "nested-two-own",
    "wrapped-stacked",
    "wrapped-bash-c-export",
    "flags-both-te",
    "machine-gpu-ids-single-old",
    "axolotl-fp8",
    "lf-sft-fp8-te-0.9.5",
    "lf-two-0.9.4",
    "lf-module-launcher-fp8-0.9.3",
)
FIELDS = ("started", "mixed_precision", "fp8_enabled", "backend", "distributed_type", "recipe", "linears",
          "fp8_linears_run", "checkpointing", "processes", "variables")  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run the fixed cases both ways."""
    from tests.tools.conformance import stacks
    from tests.tools.conformance.commands import make, run

    root = Path(arguments[1] if arguments[:1] == ["--root"] else ".conformance").resolve()
    chosen: dict[str, list[Case]] = {}
    for case in make.everything():
        if case["id"] in CASES:
            chosen.setdefault(json.dumps(case["stack"], sort_keys=True), []).append(case)
    stacks.prepare(root, [json.loads(key) for key in chosen])
    failed = 0
    for key, members in chosen.items():
        with run.Stack(json.loads(key), root) as stack:
            for number, case in enumerate(members):
                fast = stack.run(case, 2 * number)
                marker = stack.folder / "bin" / "fresh"
                marker.touch()
                slow = stack.run(case, 2 * number + 1)
                marker.unlink()
                wrong = differences(fast, slow)
                failed += bool(wrong)
                print(f"{'differs' if wrong else 'agrees ':8} {case['id']} {'; '.join(wrong)}", flush=True)
    print(f"{len(CASES) - failed} of {len(CASES)} cases agree both ways")
    return int(failed > 0)


def differences(fast: dict[str, Any], slow: dict[str, Any]) -> list[str]:
    """The fields in which the two ways differ."""
    from tests.tools.conformance.commands import recorded

    fast, slow = recorded.telling(fast), recorded.telling(slow)
    kinds = [(side.get("error") or {}).get("type") for side in (fast, slow)]
    wrong = [] if kinds[0] == kinds[1] else [f"error: {kinds[0]} and {kinds[1]}: {slow['error']}"]
    return wrong + [
        f"{name}: {fast.get(name)!r} and {slow.get(name)!r}" for name in FIELDS if fast.get(name) != slow.get(name)
    ]


def be_program(folder: Path, program: str, arguments: list[str]) -> None:
    """What client.py starts: one program of a case, in an interpreter that imports everything anew."""
    sys.argv = [program]
    from tests.tools.conformance.commands import interpreter

    case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    if "llamafactory" in str(sys.path):
        from tests.tools.conformance import factory

        factory.without_audio()
    for name in ("llamafactory.extras.misc", "axolotl.loaders.model"):  # what machine.py changes there
        if name.partition(".")[0] in str(sys.path):
            import_module(name)
    interpreter.become(interpreter.Programs(folder.parent), case, program, arguments)


if __name__ == "__main__":
    if len(sys.argv) > 2 and Path(sys.argv[1], "case.json").exists():
        be_program(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
    sys.exit(main(sys.argv[1:]))
