"""The language server, driven by a real client over its standard input and output."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import time
from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types
from pygls import uris
from pygls.lsp.client import LanguageClient

from tests.support.command import COMMAND
from tests.support.paths import EXAMPLE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

CONFIG = '[[run]]\nfiles = ["train.yaml", "accel.yaml"]\nfacts = "facts.json"\n'


class Editor:
    """An editor that has a folder open."""

    def __init__(self, folder: Path, client: LanguageClient) -> None:
        self.folder = folder
        self.client = client
        self.texts: dict[str, str] = {}
        self.found: dict[str, list[types.Diagnostic]] = {}
        self.said: list[str] = []
        self.wished: list[str] = []
        self.news = asyncio.Event()
        self.registered = asyncio.Event()
        self.last = "train.yaml"
        self._version = 0

    def uri(self, name: str) -> str:
        return uris.from_fs_path(str(self.folder / name)) or ""

    async def open(self, name: str) -> None:
        self.texts[name] = (self.folder / name).read_bytes().decode()
        item = types.TextDocumentItem(self.uri(name), "yaml", 0, self.texts[name])
        self.news.clear()
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        await asyncio.wait_for(self.news.wait(), 20)

    async def type(self, name: str, line: int, column: int, end: int, text: str) -> float:
        """Write the text over columns of a line, from 0; the seconds until what is found is told anew."""
        self._version += 1
        here = types.Range(types.Position(line, column), types.Position(line, end))
        change = types.TextDocumentContentChangePartial(range=here, text=text)
        document = types.VersionedTextDocumentIdentifier(self._version, self.uri(name))
        self.news.clear()
        begin = time.perf_counter()
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))
        await asyncio.wait_for(self.news.wait(), 20)
        return time.perf_counter() - begin

    def rules(self, name: str) -> list[str]:
        return [str(one.code) for one in self.found[self.uri(name)]]

    async def actions(self, name: str, line: int) -> list[types.CodeAction]:
        here = types.Range(types.Position(line, 0), types.Position(line, 0))
        context = types.CodeActionContext(diagnostics=[])
        document = types.TextDocumentIdentifier(self.uri(name))
        given = await self.client.text_document_code_action_async(types.CodeActionParams(document, here, context))
        return [one for one in given or () if isinstance(one, types.CodeAction)]

    async def hover(self, name: str, line: int) -> str:
        document = types.TextDocumentIdentifier(self.uri(name))
        answer = await self.client.text_document_hover_async(types.HoverParams(document, types.Position(line, 2)))
        return answer.contents.value if answer and isinstance(answer.contents, types.MarkupContent) else ""

    def apply(self, edit: types.WorkspaceEdit | None) -> dict[str, str]:
        """The texts of the folder's files after the edits."""
        assert edit is not None
        after = {}
        for uri, edits in (edit.changes or {}).items():
            name = uri.rpartition("/")[2]
            lines = (self.folder / name).read_bytes().decode().splitlines(keepends=True)
            for one in sorted(edits, key=lambda one: (one.range.start.line, one.range.start.character), reverse=True):
                start, end = one.range.start, one.range.end
                text = "".join(lines)
                ends = [sum(map(len, lines[: place.line])) + _index(lines, place) for place in (start, end)]
                lines = (text[: ends[0]] + one.new_text + text[ends[1] :]).splitlines(keepends=True)
            after[name] = "".join(lines)
        return after


def _index(lines: list[str], place: types.Position) -> int:
    """The characters before a place, which an editor counts in UTF-16."""
    line = lines[place.line] if place.line < len(lines) else ""
    return len(line.encode("utf-16-le")[: 2 * place.character].decode("utf-16-le"))


def session(
    folder: Path,
    talk: Callable[[Editor], Awaitable[None]],
    *,
    last: str = "train.yaml",
    can: types.ClientCapabilities | None = None,
    folders: tuple[str, ...] = (),
) -> None:
    """Start the server in the folder, say hello, talk, and end it.

    Args:
        last: of which file it tells last.
        can: what the editor can.
        folders: the folders in it that are open, where it is several.
    """

    async def whole() -> None:
        client = LanguageClient("editor", "1")
        editor = Editor(folder, client)
        editor.last = last

        @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def told(params: types.PublishDiagnosticsParams) -> None:
            editor.found[params.uri] = list(params.diagnostics)
            if params.uri == editor.uri(editor.last):  # the server tells of all files of the runs, in this order
                editor.news.set()

        @client.feature(types.CLIENT_REGISTER_CAPABILITY)
        def wished(params: types.RegistrationParams) -> None:
            editor.wished += [one.method for one in params.registrations]
            editor.registered.set()

        @client.feature(types.WINDOW_SHOW_MESSAGE)
        def said(params: types.ShowMessageParams) -> None:
            editor.said.append(params.message)

        await client.start_io(COMMAND, "lsp", "--stdio")
        root = uris.from_fs_path(str(folder))
        several = [types.WorkspaceFolder(editor.uri(one), one) for one in folders]
        capabilities = can if can is not None else types.ClientCapabilities()
        await client.initialize_async(
            types.InitializeParams(capabilities, root_uri=root, workspace_folders=several or None)
        )
        client.initialized(types.InitializedParams())
        await asyncio.wait_for(editor.news.wait(), 20)
        await talk(editor)
        await client.shutdown_async(None)
        client.exit(None)
        await client.stop()

    asyncio.run(whole())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, source in {
        "train.yaml": "train.yaml",
        "accel.yaml": "accelerate.yaml",
        "facts.json": "facts.json",
    }.items():
        shutil.copy(EXAMPLE / source, tmp_path / name)
    (tmp_path / "fp8check.toml").write_text(CONFIG)
    return tmp_path


def line_of(folder: Path, name: str, begin: str) -> int:
    return next(at for at, line in enumerate((folder / name).read_text().splitlines()) if line.startswith(begin))


def test_open_edit_hover_and_fix_over_both_files(folder: Path) -> None:
    bf16, backend = line_of(folder, "train.yaml", "bf16"), line_of(folder, "accel.yaml", "  backend")

    async def talk(editor: Editor) -> None:
        assert "FP101" in editor.rules("train.yaml")
        assert "FP205" in editor.rules("accel.yaml"), "what nobody opened is told, too"
        (one,) = [one for one in editor.found[editor.uri("train.yaml")] if one.code == "FP101"]
        assert (one.range.start.line, one.range.start.character) == (bf16, 0)
        assert one.severity == types.DiagnosticSeverity.Error
        assert one.related_information is not None
        assert one.related_information[0].location.uri == editor.uri("accel.yaml")
        assert one.code_description is not None
        assert one.code_description.href.endswith("/rules/FP101")

        await editor.open("train.yaml")
        text = await editor.hover("train.yaml", bf16)
        assert "mixed_precision" in text
        assert "accel.yaml:3" in text, "whom it overrode"
        assert await editor.hover("train.yaml", 0) == ""

        (fix,) = [one for one in await editor.actions("train.yaml", bf16) if one.title.startswith("FP101")]
        assert "bf16: false\n" in editor.apply(fix.edit)["train.yaml"]

        await editor.type("train.yaml", bf16, 6, 10, "false")
        assert "FP101" not in editor.rules("train.yaml")
        await editor.type("train.yaml", bf16, 6, 11, "true")
        assert "FP101" in editor.rules("train.yaml")

        await editor.open("accel.yaml")
        assert "FP201" not in editor.rules("accel.yaml")
        end = len("  backend: TE")
        await editor.type("accel.yaml", backend, end - 2, end, "te")
        assert "FP201" in editor.rules("accel.yaml")

    session(folder, talk)


def test_the_plan_is_an_action_over_both_files(folder: Path) -> None:
    async def talk(editor: Editor) -> None:
        await editor.open("accel.yaml")
        (plan,) = [one for one in await editor.actions("accel.yaml", 0) if "plan" in one.title]
        assert plan.edit is None
        done = editor.apply((await editor.client.code_action_resolve_async(plan)).edit)
        assert {*done} == {"train.yaml", "accel.yaml"}
        for name, text in done.items():
            (folder / name).write_text(text)
        assert any("pip install torchao" in one for one in editor.said)

    session(folder, talk)

    async def again(editor: Editor) -> None:
        errors = [one for found in editor.found.values() for one in found if one.severity == 1]
        assert [one.code for one in errors] == ["FP607"], "torchao is still to be installed"

    session(folder, again)


def test_what_cannot_be_read_is_told_at_its_line_and_goes_away(folder: Path) -> None:
    async def talk(editor: Editor) -> None:
        await editor.open("accel.yaml")
        first = editor.texts["accel.yaml"].splitlines()[0]
        await editor.type("accel.yaml", 0, 0, 0, "[")
        (one,) = editor.found[editor.uri("accel.yaml")]
        assert one.code is None
        await editor.type("accel.yaml", 0, 0, 1, "")
        assert editor.texts["accel.yaml"].startswith(first)
        assert "FP205" in editor.rules("accel.yaml")

    session(folder, talk)


def test_columns_are_those_of_the_editor(folder: Path) -> None:
    """An editor counts in UTF-16: a character beyond the first plane is two."""
    (folder / "train.yaml").write_text(
        '{"🙂": 1, "bf16": true, "output_dir": "o", "model_name_or_path": "Qwen/Qwen2.5-7B"}\n'
    )

    async def talk(editor: Editor) -> None:
        found = [one for one in editor.found[editor.uri("train.yaml")] if one.code == "FP101"]
        assert [one.range.start.character for one in found] == [len('{"xx": 1, ')]

    session(folder, talk)


def test_a_folder_behind_a_link_keeps_the_name_that_the_editor_has(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(folder, target_is_directory=True)

    async def talk(editor: Editor) -> None:
        assert "FP101" in editor.rules("train.yaml")
        await editor.open("train.yaml")
        bf16 = line_of(folder, "train.yaml", "bf16")
        await editor.type("train.yaml", bf16, 6, 10, "false")
        assert "FP101" not in editor.rules("train.yaml")
        assert all("/linked/" in uri for uri in editor.found)

    session(tmp_path / "linked", talk)


def test_a_configuration_that_is_wrong_is_told_there(folder: Path) -> None:
    (folder / "fp8check.toml").write_text(CONFIG + "colour = 1\n")

    async def talk(editor: Editor) -> None:
        (one,) = editor.found[editor.uri("fp8check.toml")]
        assert "colour is not known" in one.message
        (folder / "fp8check.toml").write_text(CONFIG)
        editor.last = "train.yaml"
        editor.news.clear()
        document = types.TextDocumentIdentifier(editor.uri("fp8check.toml"))
        editor.client.text_document_did_save(types.DidSaveTextDocumentParams(document))
        await asyncio.wait_for(editor.news.wait(), 20)
        assert editor.found[editor.uri("fp8check.toml")] == []
        assert "FP101" in editor.rules("train.yaml")

    session(folder, talk, last="pyproject.toml")


def test_it_answers_within_a_tenth_of_a_second_after_a_keystroke(folder: Path) -> None:
    bf16 = line_of(folder, "train.yaml", "bf16")
    took: list[float] = []

    async def talk(editor: Editor) -> None:
        await editor.open("train.yaml")
        word = "true"
        letters = [*enumerate(word)]
        for _ in range(6):
            took.extend([await editor.type("train.yaml", bf16, 6 + at, 7 + at, "") for at, _ in reversed(letters)])
            took.extend([await editor.type("train.yaml", bf16, 6 + at, 6 + at, one) for at, one in letters])

    session(folder, talk)
    print(f"{len(took)} keystrokes: median {1000 * statistics.median(took):.0f} ms, most {1000 * max(took):.0f} ms")
    assert statistics.median(took) < 0.1


def test_without_pygls_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    from fp8check.cli.main import main

    absent: Any = None
    monkeypatch.setitem(sys.modules, "pygls.lsp.server", absent)
    assert main(["lsp"]) == 2
    assert "pip install 'fp8check[lsp]'" in capsys.readouterr().err
