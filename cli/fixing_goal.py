"""`fp8check fix --goal GOAL`: a plan is made, and what of it is no file is said."""

from __future__ import annotations

import os
from contextlib import suppress

from fp8check.cli.options import UsageError
from fp8check.cli.output import style_of_complaints
from fp8check.cli.plan import one_request
from fp8check.cli.progress import LOOKING, Progress
from fp8check.cli.putting import put, put_new
from fp8check.cli.streams import complain, say
from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.checking.planning import SECONDS, after, plan_request
from fp8check.rules.credentials import masked_shapes
from fp8check.rules.plain_text import shown
from fp8check.rules.report.masking import hidden
from fp8check.rules.report.plan import as_text, secrets_of_runs, step_of
from fp8check.rules.report.plan_text import step_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fp8check.cli.options import Options
    from fp8check.rules.checking.request import Request, RunRequest
    from fp8check.rules.reading import Document
    from fp8check.rules.repair.plan import Plan, Planned


def fix_goal(request: Request, options: Options, others: Sequence[RunRequest]) -> int:
    """Write the files of a plan, all or none, and print what is left to do: packages, variables, the command.

    Args:
        others: the other runs of the configuration, which stay as they are.

    Raises:
        UsageError: there is no plan of that number.
        Unwritable: a file cannot be written; none was.
    """
    wanted = 1 if options.plan is None else options.plan
    if wanted < 1:
        raise UsageError("--plan takes a number from 1 on")
    progress = Progress(options)
    spent = progress.watching(after(SECONDS), LOOKING)
    planned = plan_request(one_request(request), options.goal, plans=wanted, spent=spent, beside=others)
    progress.end()
    if not planned.plans:
        complain(as_text(planned, style_of_complaints()))
        return ExitCode.FINDINGS
    if wanted > len(planned.plans):
        raise UsageError(f"there is no plan {wanted}; fp8check plan shows {len(planned.plans)}")
    chosen = planned.plans[wanted - 1]
    _write(planned.before, chosen, diff=options.diff)
    _tell(chosen, planned, options)
    return ExitCode.OK


def _write(before: Sequence[Document], chosen: Plan, *, diff: bool) -> None:
    """The files as the plan leaves them; a new one is taken away again where the others cannot be written.

    Raises:
        Unwritable: a file cannot be written; none was.
    """
    now = {document.path: document for document in chosen.documents}
    same = [now.pop(document.path, document) for document in before]
    new = [*now.values()]
    if diff:
        put(before, same, diff=True)
        say("".join(f"--- /dev/null\n+++ {shown(document.path)}\n{_added(document)}" for document in new))
        return
    put_new(new)
    try:
        put(before, same, diff=False)
    except BaseException:
        for document in new:
            with suppress(OSError):
                os.unlink(document.path)
        raise


def _added(document: Document) -> str:
    lines = document.text.splitlines()
    return f"@@ -0,0 +1,{len(lines)} @@\n" + "".join(f"+{shown(line)}\n" for line in lines)


def _tell(chosen: Plan, planned: Planned, options: Options) -> None:
    """What was done, and what is for people to do, on standard error: standard output may be a file."""
    files = [one for one in chosen.steps if one.kind in ("edit", "file") and not one.by_hand]
    others = [one for one in chosen.steps if one not in files]
    lines: list[str] = []
    style = style_of_complaints()
    if not options.quiet:
        done = "would change" if options.diff else "changed"
        lines += [line for step in files for line in _told(done, step_lines(step_of(step), 0, style))]
        lines += [] if chosen.steps else ["nothing to do"]
    lines += [f"to do:{line.removeprefix('  0.')}" for step in others for line in step_lines(step_of(step), 0, style)]
    if chosen.launch is not None and not any(one.kind == "launch" for one in others):
        lines.append(f"start with: {style.hang}{style.command}{shown(chosen.launch)}")
    secrets = secrets_of_runs(planned)
    complain("".join(f"{masked_shapes(hidden(line, secrets))}\n" for line in lines))


def _told(done: str, lines: Iterable[str]) -> list[str]:
    return [f"{done}{line.removeprefix('  0.')}" if line.startswith("  0.") else line for line in lines]
