"""`fp8check lsp`: a language server on standard input and output, for editors (pygls; the extra `lsp`).

It checks the runs of fp8check.toml with what is open in the editor: findings at the lines of both files, on hover what
becomes of a line and who decided it, fixes and the whole plan as code actions.
"""

from __future__ import annotations

import gc
import os

from fp8check.cli import options as groups
from fp8check.cli.options import Options, Parser, UsageError
from fp8check.rules.checking.exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lsprotocol import types
    from pygls.lsp.server import LanguageServer

    from fp8check.cli.edited import Edited, Look
    from fp8check.rules.report.schema import Edit, Finding, Fix, Plans

ABOUT = "A language server on standard input and output: the runs of fp8check.toml while their files are edited."
SOURCE = "fp8check"
PLAN = "fp8check: do the whole plan (all files)"


def parser() -> Parser:
    """The options of the command."""
    made = Parser("fp8check lsp", ABOUT, groups=(groups.config,))
    made.add_argument("--stdio", action="store_true", help="accepted because editors pass it; there is no other way")
    return made


def lsp(argv: list[str]) -> int:
    """Serve until the editor says that it ends."""
    options = parser().parse_args(argv)
    try:
        import pygls.lsp.server  # noqa: F401
    except ImportError:
        raise UsageError("the language server needs pygls: pip install 'fp8check[lsp]'") from None
    gc.enable()  # unlike other commands it goes on
    server_of(options).start_io()
    return ExitCode.OK


def server_of(options: Options) -> LanguageServer:
    """The server, which looks at the runs of the folder that the editor opens."""
    from lsprotocol import types
    from pygls import uris
    from pygls.lsp.server import LanguageServer

    from fp8check.rules.version import VERSION

    every = {**vars(options), "files": [], "launch": None, "baseline": None}
    server = LanguageServer("fp8check", VERSION)
    told = _Told(server, Options(**every))

    @server.feature(types.INITIALIZED)
    def initialized(_: types.InitializedParams) -> None:
        told.folders()
        told.again()
        if _watches(server.client_capabilities):
            watchers = [types.FileSystemWatcher(f"**/*.{ending}") for ending in ("yaml", "yml", "json", "toml")]
            watching = types.DidChangeWatchedFilesRegistrationOptions(watchers)
            wish = types.Registration("files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, watching)
            server.client_register_capability(types.RegistrationParams([wish]))

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def elsewhere(_: types.DidChangeWatchedFilesParams) -> None:
        told.again()

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def added(_: types.DidChangeWorkspaceFoldersParams) -> None:
        told.folders()
        told.again()

    def changed(uri: str) -> None:
        path = uris.to_fs_path(uri)
        if path is not None:
            told.texts[path] = server.workspace.get_text_document(uri).source
            told.again()

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        changed(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def edit(params: types.DidChangeTextDocumentParams) -> None:
        changed(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(_: types.DidSaveTextDocumentParams) -> None:
        told.again()

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        told.texts.pop(uris.to_fs_path(params.text_document.uri) or "", None)
        told.again()

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> types.Hover | None:
        path = uris.to_fs_path(params.text_document.uri) or ""
        text = "\n\n".join(dict.fromkeys(one.line(path, params.position.line + 1) for one in told.looks)).strip("\n")
        if not text:
            return None
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, f"```text\n{text}\n```"))

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix], resolve_provider=True),
    )
    def actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        return [*told.actions(params)]

    @server.feature(types.CODE_ACTION_RESOLVE)
    def resolve(action: types.CodeAction) -> types.CodeAction:
        look, plans = told.plan(str(action.data))
        fix = plans.plans[0].fix if plans is not None and plans.plans else None
        if fix is not None and look is not None:
            action.edit = told.edit(look, fix)
        said = told.rest(plans)
        if said:
            server.window_show_message(types.ShowMessageParams(types.MessageType.Info, said))
        return action

    return server


def _watches(can: types.ClientCapabilities) -> bool:
    """Whether the editor tells of files that change elsewhere, where it is asked to."""
    files = can.workspace.did_change_watched_files if can.workspace is not None else None
    return files is not None and bool(files.dynamic_registration)


class _Told:
    """What the editor was told last.

    Attributes:
        texts: what is open, by its full name.
        looks: what is said of the runs, of each folder that is open.
    """

    def __init__(self, server: LanguageServer, options: Options) -> None:
        self._server = server
        self._options = options
        self._edited: list[Edited] = []
        self._files: frozenset[str] = frozenset()
        self.texts: dict[str, str] = {}
        self.looks: tuple[Look, ...] = ()

    def folders(self) -> None:
        """Take the folders that are open now; each has its own configuration."""
        from pygls import uris

        from fp8check.cli.edited import Edited

        workspace = self._server.workspace
        named = [uris.to_fs_path(uri) for uri in workspace.folders] or [workspace.root_path]
        roots = dict.fromkeys(root or os.getcwd() for root in named)
        self._edited = [Edited(self._options, root, self.texts) for root in roots if os.path.isdir(root)]

    def again(self) -> None:
        """Check, and publish what is found in every file of the runs; what is gone is told, too."""
        from lsprotocol import types
        from pygls import uris

        self.looks = tuple(one.look() for one in self._edited)
        files = frozenset[str]().union(*(one.files for one in self.looks))
        by_file: dict[str, list[types.Diagnostic]] = {path: [] for path in sorted(files | self._files)}
        for look in self.looks:
            for path, finding in look.findings():
                by_file.setdefault(path, []).append(self._diagnostic(look, path, finding))
            for path, diagnostic in self._problems(look):
                by_file.setdefault(path, []).append(diagnostic)
        self._files = files
        for path, found in by_file.items():
            uri = uris.from_fs_path(path)
            if uri is not None:
                self._server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found))

    def plan(self, path: str) -> tuple[Look | None, Plans | None]:
        """What to do about the first run that fails and has this file."""
        for edited, look in zip(self._edited, self.looks, strict=True):
            if look.fails(path):
                return look, edited.plan(path)
        return None, None

    def _problems(self, look: Look) -> Iterable[tuple[str, types.Diagnostic]]:
        from lsprotocol import types

        for problem in look.problems:
            path, line, column = look.place_of(problem)
            here = types.Position(line - 1, column - 1)
            message = getattr(problem, "message", str(problem))
            severity = types.DiagnosticSeverity.Error
            yield path, types.Diagnostic(types.Range(here, here), message, severity, source=SOURCE)

    def _diagnostic(self, look: Look, path: str, finding: Finding) -> types.Diagnostic:
        from lsprotocol import types

        from fp8check.rules.report.schema import sentences

        severities = {
            "error": types.DiagnosticSeverity.Error,
            "warning": types.DiagnosticSeverity.Warning,
            "info": types.DiagnosticSeverity.Information,
        }
        related = [
            types.DiagnosticRelatedInformation(
                types.Location(_uri(look, place.file), self._range(look, place.file, place)), place.message
            )
            for place in finding.related
            if place.file is not None
        ]
        return types.Diagnostic(
            range=self._range(look, path, finding),
            message="\n".join(sentences(finding)),
            severity=severities[finding.severity],
            code=finding.rule,
            code_description=types.CodeDescription(finding.url),
            source=SOURCE,
            related_information=related or None,
        )

    def _range(self, look: Look, path: str, place: object) -> types.Range:
        """Lines and columns from 1, in characters, as the editor counts them."""
        from lsprotocol import types

        names = ("line", "column", "end_line", "end_column")
        line, column, end_line, end_column = (getattr(place, name) or 1 for name in names)
        document = self._server.workspace.get_text_document(_uri(look, path))
        try:
            lines = document.lines
        except (OSError, ValueError):
            lines = []
        codec = document.position_codec
        whole = types.Range(types.Position(line - 1, column - 1), types.Position(end_line - 1, end_column - 1))
        return codec.range_to_client_units(lines, whole)

    def edit(self, look: Look, fix: Fix) -> types.WorkspaceEdit:
        """Its edits, of all files together."""
        from lsprotocol import types

        changes: dict[str, list[types.TextEdit]] = {}
        for one in fix.edits:
            changes.setdefault(_uri(look, one.file), []).append(self._text_edit(look, one))
        return types.WorkspaceEdit(changes=changes)

    def _text_edit(self, look: Look, edit: Edit) -> types.TextEdit:
        from lsprotocol import types

        return types.TextEdit(self._range(look, edit.file, edit), edit.text)

    def actions(self, params: types.CodeActionParams) -> Iterable[types.CodeAction]:
        """The fixes of what is found on these lines, and the plan where a run with this file fails."""
        from lsprotocol import types
        from pygls import uris

        path = uris.to_fs_path(params.text_document.uri) or ""
        first, last = params.range.start.line + 1, params.range.end.line + 1
        for look in self.looks:
            for place, finding in look.findings():
                if place == path and finding.fix is not None and _is_on(finding, first, last):
                    yield types.CodeAction(
                        title=f"{finding.rule}: {finding.help or finding.message}",
                        kind=types.CodeActionKind.QuickFix,
                        diagnostics=[self._diagnostic(look, path, finding)],
                        is_preferred=finding.fix.safe,
                        edit=self.edit(look, finding.fix),
                    )
        if any(look.fails(path) for look in self.looks):
            yield types.CodeAction(title=PLAN, kind=types.CodeActionKind.QuickFix, data=path)

    def rest(self, plans: object) -> str:
        """What of a plan no editor does, or why there is none."""
        from fp8check.rules.report.schema import Plans

        if not isinstance(plans, Plans):
            return "fp8check: no run that fails has this file"
        if not plans.plans:
            return f"fp8check: no way to the goal: {'; '.join(plans.why_not)}"
        steps = [step for step in plans.plans[0].steps if step.kind not in ("edit", "file")]
        said = [
            f"pip install {step.after}" if step.kind == "package" else f"{step.kind}: {step.after}" for step in steps
        ]
        return f"fp8check, beside the files: {'; '.join(said)}" if said else ""


def _is_on(finding: Finding, first: int, last: int) -> bool:
    """Whether a finding stands on any of these lines."""
    return (
        finding.line is not None and finding.end_line is not None and finding.line <= last and finding.end_line >= first
    )


def _uri(look: Look, path: str) -> str:
    from pygls import uris

    return uris.from_fs_path(look.full(path)) or ""
