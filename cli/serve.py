"""`fp8check serve`: the HTTP service."""

from __future__ import annotations

from fp8check.cli.options import Parser, UsageError
from fp8check.cli.streams import say_exactly
from fp8check.rules.checking.exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.cli.options import Options
    from fp8check.service.tokens import Token

ABOUT = """\
The HTTP service: POST /check for CI, stored reports, and a page at /. Its settings are variables FP8CHECK_...; all of
them are in docs/service.md. Without a tokens file it serves this machine only.

  fp8check serve                                     http://127.0.0.1:8000
  fp8check serve --new-token ci --scopes check,read  prints a token, and its line for FP8CHECK_TOKENS_FILE
"""


def serve(argv: list[str]) -> int:
    """Run the service until it is stopped, or make a token."""
    options = parser().parse_args(argv)
    try:
        from fp8check.service import server
    except ImportError as problem:
        raise UsageError(f"the service is not installed ({problem.name}): pip install 'fp8check[service]'") from None
    if options.new_token is not None:
        return _new_token(options)
    try:
        server.serve(options.host, options.port, behind_proxy=options.behind_proxy)
    except server.NotServed as problem:
        raise UsageError(str(problem)) from None
    return ExitCode.OK


def parser() -> Parser:
    """The options of the command."""
    parser = Parser("fp8check serve", ABOUT)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1: this machine only)")
    parser.add_argument("--port", type=int, default=8000, help="0 picks a free one (default: 8000)")
    parser.add_argument(
        "--behind-proxy",
        action="store_true",
        help="trust X-Forwarded-... headers of a proxy on this machine; needs tokens",
    )
    parser.add_argument("--new-token", metavar="NAME", help="create a token and print it; it is shown only once")
    parser.add_argument(
        "--scopes", default="check", help="what it may do: check, probe, read, separated by commas (default: check)"
    )
    parser.add_argument(
        "--days", type=int, default=365, help="how many days the token is valid; 0: forever (default: 365)"
    )
    return parser


def _new_token(options: Options) -> int:
    from fp8check.service.tokens import BadTokens, make

    token: Token
    try:
        secret, token = make(options.new_token, options.scopes.split(","), options.days or None)
    except BadTokens as problem:
        raise UsageError(str(problem)) from None
    say_exactly(f"token (give it to the caller): {secret}\nline (append it to FP8CHECK_TOKENS_FILE): {token.line()}\n")
    return ExitCode.OK
