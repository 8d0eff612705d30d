"""The language server where editing is not neat: other line ends, wide characters, files that go, several folders, typing fast."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest
from lsprotocol import types

from tests.cli.test_lsp import CONFIG, Editor, line_of, session
from tests.support.paths import EXAMPLE

if TYPE_CHECKING:
    from pathlib import Path

NAMES = {"train.yaml": "train.yaml", "accel.yaml": "accelerate.yaml", "facts.json": "facts.json"}
WATCHES = types.ClientCapabilities(
    workspace=types.WorkspaceClientCapabilities(
        did_change_watched_files=types.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True)
    )
)


def fill(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name, source in NAMES.items():
        shutil.copy(EXAMPLE / source, folder / name)
    (folder / "fp8check.toml").write_text(CONFIG)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path)


async def heard(editor: Editor) -> None:
    await asyncio.wait_for(editor.news.wait(), 20)
    editor.news.clear()


async def changed_elsewhere(editor: Editor, name: str, how: types.FileChangeType) -> None:
    editor.news.clear()
    event = types.FileEvent(editor.uri(name), how)
    editor.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([event]))
    await heard(editor)


def test_line_ends_of_windows_stay(folder: Path) -> None:
    for name in ("train.yaml", "accel.yaml"):
        text = (folder / name).read_text()
        (folder / name).write_bytes(text.replace("\n", "\r\n").encode())
    bf16 = line_of(folder, "train.yaml", "bf16")

    async def talk(editor: Editor) -> None:
        await editor.open("train.yaml")
        (one,) = [one for one in editor.found[editor.uri("train.yaml")] if one.code == "FP101"]
        assert (one.range.start, one.range.end) == (types.Position(bf16, 0), types.Position(bf16, len("bf16: true")))
        (fix,) = [one for one in await editor.actions("train.yaml", bf16) if one.title.startswith("FP101")]
        after = editor.apply(fix.edit)["train.yaml"]
        assert "bf16: false\r\n" in after
        assert after.count("\n") == after.count("\r\n") == (folder / "train.yaml").read_bytes().count(b"\r\n")
        await editor.type("train.yaml", bf16, 6, 10, "false")
        assert "FP101" not in editor.rules("train.yaml")

    session(folder, talk)


def test_what_stands_behind_wide_characters_is_changed_where_it_is(folder: Path) -> None:
    """Each of these is two of UTF-16 and four bytes; they stand before the value, in its line and above it."""
    line = '{"🙂🙂": 1, "bf16": true, "fp8": true, "model_name_or_path": "Qwen/Qwen2.5-7B", "output_dir": "o"}'
    (folder / "train.yaml").write_text(f"# 🙂🙂🙂\n{line}\n", encoding="utf-8")
    start = len('{"xxxx": 1, "bf16": ')

    async def talk(editor: Editor) -> None:
        await editor.open("train.yaml")
        (one,) = [one for one in editor.found[editor.uri("train.yaml")] if one.code == "FP101"]
        assert (one.range.start.character, one.range.end.character) == (start - len('"bf16": '), start + len("true"))
        (fix,) = [one for one in await editor.actions("train.yaml", 1) if one.title.startswith("FP101")]
        assert '"🙂🙂": 1, "bf16": false, "fp8"' in editor.apply(fix.edit)["train.yaml"]
        await editor.type("train.yaml", 1, start, start + 4, "false")
        assert "FP101" not in editor.rules("train.yaml")

    session(folder, talk)


def test_a_client_that_counts_bytes_is_told_bytes(folder: Path) -> None:
    (folder / "train.yaml").write_text(
        '{"🙂": 1, "bf16": true, "output_dir": "o", "model_name_or_path": "Qwen/Qwen2.5-7B"}\n', encoding="utf-8"
    )
    utf8 = types.GeneralClientCapabilities(position_encodings=[types.PositionEncodingKind.Utf8])

    async def talk(editor: Editor) -> None:
        found = [one for one in editor.found[editor.uri("train.yaml")] if one.code == "FP101"]
        assert [one.range.start.character for one in found] == [len('{"🙂": 1, '.encode())]

    session(folder, talk, can=types.ClientCapabilities(general=utf8))


def test_what_is_typed_counts_and_what_is_thrown_away_does_not(folder: Path) -> None:
    bf16 = line_of(folder, "train.yaml", "bf16")
    saved = (folder / "train.yaml").read_bytes()

    async def talk(editor: Editor) -> None:
        await editor.open("train.yaml")
        await editor.type("train.yaml", bf16, 6, 10, "false")
        assert "FP101" not in editor.rules("train.yaml")
        assert (folder / "train.yaml").read_bytes() == saved, "nothing is written"
        editor.news.clear()
        document = types.TextDocumentIdentifier(editor.uri("train.yaml"))
        editor.client.text_document_did_close(types.DidCloseTextDocumentParams(document))
        await heard(editor)
        assert "FP101" in editor.rules("train.yaml")

    session(folder, talk)


def test_a_file_that_goes_is_told_and_one_that_comes_back_is_read(folder: Path) -> None:
    text = (folder / "accel.yaml").read_text()

    async def talk(editor: Editor) -> None:
        assert "FP205" in editor.rules("accel.yaml")
        await asyncio.wait_for(editor.registered.wait(), 20)  # it is asked for beside what is told of the files
        assert editor.wished == [types.WORKSPACE_DID_CHANGE_WATCHED_FILES]
        (folder / "accel.yaml").unlink()
        await changed_elsewhere(editor, "accel.yaml", types.FileChangeType.Deleted)
        (gone,) = editor.found[editor.uri("accel.yaml")]
        assert "accel.yaml" in gone.message or "no such file" in gone.message.lower()
        assert gone.severity == types.DiagnosticSeverity.Error
        (folder / "accel.yaml").write_text(text)
        await changed_elsewhere(editor, "accel.yaml", types.FileChangeType.Created)
        assert "FP205" in editor.rules("accel.yaml")

    session(folder, talk, can=WATCHES)


def test_each_folder_has_its_own_runs(tmp_path: Path) -> None:
    """Two folders in one window, with files of the same names: what is said of one is not said of the other."""
    one, two = fill(tmp_path / "one"), fill(tmp_path / "two")
    good = (two / "train.yaml").read_text().replace("bf16: true", "bf16: false")
    (two / "train.yaml").write_text(good)
    bf16 = line_of(one, "train.yaml", "bf16")

    async def talk(editor: Editor) -> None:
        assert "FP101" in editor.rules("one/train.yaml")
        assert "FP101" not in editor.rules("two/train.yaml")
        await editor.open("two/train.yaml")
        await editor.type("two/train.yaml", bf16, 6, 11, "true")
        assert "FP101" in editor.rules("two/train.yaml")
        await editor.open("one/train.yaml")
        assert "one/" not in await editor.hover("two/train.yaml", bf16)
        assert "mixed_precision" in await editor.hover("one/train.yaml", bf16)
        (fix,) = [each for each in await editor.actions("two/train.yaml", bf16) if each.title.startswith("FP101")]
        assert fix.edit is not None
        assert [*(fix.edit.changes or {})] == [editor.uri("two/train.yaml")]
        (plan,) = [each for each in await editor.actions("one/train.yaml", 0) if "plan" in each.title]
        done = (await editor.client.code_action_resolve_async(plan)).edit
        assert done is not None
        assert {*(done.changes or {})} == {editor.uri("one/train.yaml"), editor.uri("one/accel.yaml")}

    session(tmp_path, talk, last="two/train.yaml", folders=("one", "two"))


def test_a_mistake_in_the_configuration_is_told_before_it_is_saved(folder: Path) -> None:
    async def talk(editor: Editor) -> None:
        await editor.open("train.yaml")
        assert "FP101" in editor.rules("train.yaml")
        await editor.open("fp8check.toml")
        end = len('files = ["train.yaml", "accel.yaml"]')
        await editor.type("fp8check.toml", 1, end - 1, end, "")
        (one,) = editor.found[editor.uri("fp8check.toml")]
        assert one.range.start.line >= 1, "where the parser stopped, and not the first line"
        assert editor.rules("train.yaml") == [], "nothing is said of runs that nobody knows"
        await editor.type("fp8check.toml", 1, end - 1, end - 1, "]")
        assert editor.found[editor.uri("fp8check.toml")] == []
        assert "FP101" in editor.rules("train.yaml")

    session(folder, talk)


def test_typing_faster_than_it_answers_ends_where_the_text_ends(folder: Path) -> None:
    bf16 = line_of(folder, "train.yaml", "bf16")

    async def talk(editor: Editor) -> None:
        await editor.open("train.yaml")
        for version in range(1, 61):
            text, end = ("false", 10) if version % 2 else ("true", 11)
            here = types.Range(types.Position(bf16, 6), types.Position(bf16, end))
            document = types.VersionedTextDocumentIdentifier(version, editor.uri("train.yaml"))
            change = types.TextDocumentContentChangePartial(range=here, text=text)
            editor.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))
        assert "mixed_precision" in await editor.hover("train.yaml", bf16), "asked behind all of them"
        assert "FP101" in editor.rules("train.yaml")

    session(folder, talk)


def test_half_of_a_character_ends_nothing(folder: Path) -> None:
    """JSON can carry half of a surrogate pair, as an editor sends while a character is composed."""
    bf16 = line_of(folder, "train.yaml", "bf16")

    async def talk(editor: Editor) -> None:
        await editor.open("train.yaml")
        await editor.type("train.yaml", 0, 0, 0, "# \ud83d")
        assert editor.found[editor.uri("train.yaml")] != []
        await editor.type("train.yaml", 0, 0, 3, "")
        assert "FP101" in editor.rules("train.yaml")
        await editor.type("train.yaml", bf16, 6, 10, "false")
        assert "FP101" not in editor.rules("train.yaml")

    session(folder, talk)
