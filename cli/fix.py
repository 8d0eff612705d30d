"""`fp8check fix FILE...`: fix what can be fixed, and say what cannot."""

from __future__ import annotations

from fp8check.cli import options as groups
from fp8check.cli.config import load
from fp8check.cli.options import Parser, UsageError
from fp8check.cli.output import print_crashes
from fp8check.cli.putting import put
from fp8check.cli.requests import beside, request_of
from fp8check.cli.streams import complain
from fp8check.rules.checking.request import Checked, check_request
from fp8check.rules.plain_text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.reading import Document
    from fp8check.rules.repair import Fixed
    from fp8check.rules.suppression.examined import Examined

ABOUT = """\
Fix what can be fixed without changing what the run does. Edits the entries concerned and nothing
else, and checks each file before writing it."""


def parser() -> Parser:
    """The options of the command."""
    parts = (groups.files, groups.run, groups.machine, groups.rules, groups.config, groups.failing)
    parser = Parser("fp8check fix", ABOUT, groups=(*parts, groups.quiet, groups.hook))
    parser.add_argument("--diff", action="store_true", help="show what would change; change nothing")
    parser.add_argument("--unsafe", action="store_true", help="also make fixes that change what the run does")
    groups.goal(parser)
    parser.add_argument("--plan", type=int, metavar="N", help="carry out plan number N of `fp8check plan`")
    return parser


def fix(argv: list[str]) -> int:
    """Fix the files in place; with --diff print what would change; standard input goes to standard output."""
    options = parser().parse_args(argv)
    if options.hook:
        from fp8check.cli.hook_fix import fix_hook

        return fix_hook(options)
    # A plan is made of the files that a launch command names; what nobody has named by itself is fixed in none.
    asks_for_a_plan = options.goal is not None or options.plan is not None
    if not options.files and not (options.launch and asks_for_a_plan):
        goal = f" --goal {options.goal}" if options.goal is not None else ""
        raise UsageError(f"name the files to fix, as for the check: fp8check fix{goal} train.yaml accel.yaml")
    config = load(options)
    request = request_of(options, config)
    if asks_for_a_plan:
        from fp8check.cli.fixing_goal import fix_goal

        return fix_goal(request, options, beside(options, config, request))
    (part,) = request.runs

    def examine(current: Sequence[Document]) -> tuple[Examined, ...]:
        changed = part._replace(documents=tuple(current))
        return check_request(request._replace(runs=(changed,))).reports

    from fp8check.rules import repair

    fixed = repair.fix_all(part.documents, examine, unsafe=options.unsafe)
    put(part.documents, fixed.documents, diff=options.diff)
    _tell(fixed, quiet=options.quiet, dry=options.diff)
    print_crashes(crash for report in fixed.left for crash in report.crashes)
    return Checked((), fixed.left).exit_code(options.fail_on or config.fail_on or "error")


def _tell(fixed: Fixed, *, quiet: bool, dry: bool) -> None:
    """What was done, on standard error: standard output may be a file."""
    done = "would fix" if dry else "fixed"
    lines = [f"{done} {one.rule} {one.message}: {one.help}" for one in fixed.applied]
    lines += [
        f"not fixed {refusal.finding.rule} {refusal.finding.message}: {refusal.reason}" for refusal in fixed.refused
    ]
    if not quiet:
        lines += [
            f"left {one.rule} {one.message}: its fix changes what the run does (--unsafe)" for one in fixed.unsafe
        ]
    for finding in (one for report in fixed.left for one in report.findings):
        if finding.severity == "error" and finding.fix is None:
            lines.append(f"left {finding.rule} {finding.message}: this is for you to fix")
    from fp8check.rules.report.masking import hidden, secrets_of

    secrets = tuple(secret for examined in fixed.left for secret in secrets_of(examined.inputs.run, examined.documents))
    complain("".join(f"{shown(hidden(line, secrets))}\n" for line in dict.fromkeys(lines)))
