"""Several files change all or none, on every kind of file system, whatever fails, and whoever writes meanwhile."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fp8check.rules.writing import Change, Unwritable, folder, kernel, old_file, replace_all, replacing, tidy
from fp8check.rules.writing.new_file import NewFile
from fp8check.rules.writing.old_file import CHANGED, OldFile

if TYPE_CHECKING:
    from collections.abc import Callable

OLD, NEW = b"a: 1\r\n", b"a: 2\r\nb: 3\r\n"
# Every call of the system between the first byte and the last name, by the one who makes it.
STEPS = [
    (os, "open"),
    (os, "write"),
    (os, "fsync"),
    (os, "fchmod"),
    (os, "link"),
    (os, "rename"),
    (os, "stat"),
    (os, "pread"),
]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = [tmp_path / "a.yaml", tmp_path / "b.yaml", tmp_path / "sub" / "c.yaml"]
    made[2].parent.mkdir()
    for one in made:
        one.write_bytes(OLD)
        one.chmod(0o640)
    return made


def changes(files: list[Path]) -> list[Change]:
    return [Change(str(one), OLD, NEW) for one in files]


def check_old(files: list[Path]) -> None:
    assert [one.read_bytes() for one in files] == [OLD] * len(files)
    check_tidy(files)


def check_tidy(files: list[Path]) -> None:
    for parent in {one.parent for one in files}:
        assert [one.name for one in parent.iterdir() if one.name.startswith(".")] == []


def test_all_are_new(files: list[Path], system: str) -> None:
    if system != "bare":
        os.setxattr(files[0], "user.note", b"kept")
    replace_all(changes(files))
    assert [one.read_bytes() for one in files] == [NEW] * 3
    assert {one.stat().st_mode & 0o7777 for one in files} == {0o640}
    if system != "bare":
        assert os.getxattr(files[0], "user.note") == b"kept"
    check_tidy(files)


def test_nothing_to_do(files: list[Path]) -> None:
    replace_all([])
    check_old(files)


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize(("module", "name"), STEPS, ids=lambda one: one if isinstance(one, str) else "")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_whatever_fails_and_whenever_all_are_old(
    files: list[Path], monkeypatch: pytest.MonkeyPatch, module: Any, name: str, number: int
) -> None:
    """Each call fails in turn: the first, the second, ... until none is left to fail."""
    genuine = getattr(module, name)
    for fatal in range(40):
        made = 0

        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal made
            made += 1
            if made == fatal + 1:  # noqa: B023
                raise OSError(number, os.strerror(number))
            return genuine(*arguments, **named)

        with monkeypatch.context() as patch:
            patch.setattr(module, name, call)
            said = tried(files)
        if said:
            assert os.strerror(number).lower() in said
            check_old(files)
            continue
        assert [one.read_bytes() for one in files] == [NEW] * 3
        check_tidy(files)
        for one in files:
            one.write_bytes(OLD)
        if made <= fatal:
            return
    pytest.fail("it never ended")


def tried(files: list[Path]) -> str:
    """What is said where they cannot be replaced."""
    try:
        replace_all(changes(files))
    except Unwritable as problem:
        return str(problem)
    return ""


def test_a_write_that_takes_a_part_goes_on(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: genuine(descriptor, data[:2]))
    replace_all(changes(files))
    assert files[0].read_bytes() == NEW


@pytest.mark.usefixtures("system")
def test_what_cannot_be_put_back_is_kept_and_named(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The third cannot be replaced, and then the second not be put back: the first is, and the second is not lost."""
    genuine = NewFile.place_over
    made = replacing._Replacement.put

    def put(self: Any) -> None:
        if self._place.name == "c.yaml":
            monkeypatch.setattr(NewFile, "place_over", place_over)
            raise Unwritable("c.yaml", "no space left on device")
        made(self)

    def place_over(self: NewFile, name: str) -> None:
        if name == "b.yaml":
            raise OSError(errno.EIO, "Input/output error")
        genuine(self, name)

    monkeypatch.setattr(replacing._Replacement, "put", put)
    with pytest.raises(Unwritable, match=r"b\.yaml: could not be put back \(Input/output error\)") as caught:
        replace_all(changes(files))
    assert files[0].read_bytes() == OLD
    kept = Path(str(caught.value).rsplit(" ", 1)[1])
    assert kept.read_bytes() == OLD


# Who else writes.


def in_place(path: Path) -> None:
    path.write_bytes(b"edited\n")


def by_rename(path: Path) -> None:
    beside = path.with_name("editor")
    beside.write_bytes(b"edited\n")
    beside.rename(path)


def same_size_and_time(path: Path) -> None:
    state = path.stat()
    path.write_bytes(OLD.replace(b"1", b"7"))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def new_mode(path: Path) -> None:
    path.chmod(0o600)


EDITS = [in_place, by_rename, same_size_and_time, new_mode]


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_before_anything_was_replaced_is_seen(
    files: list[Path], edit: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = OldFile.lease

    def lease(self: OldFile) -> None:
        if self._named.endswith("c.yaml"):
            edit(files[1])
        genuine(self)

    monkeypatch.setattr(OldFile, "lease", lease)
    with pytest.raises(Unwritable, match="changed since it was read"):
        replace_all([*changes(files)[:1], *changes(files)[2:], *changes(files)[1:2]])
    assert files[0].read_bytes() == OLD
    assert files[1].read_bytes() != NEW
    check_tidy(files)


@pytest.mark.parametrize("edit", [by_rename])
def test_an_edit_between_the_last_look_and_the_swap_goes_before(
    files: list[Path], edit: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The swap brings it out of its place, where it is seen, and it goes back."""
    genuine = NewFile.appear

    def appear(self: NewFile) -> None:
        genuine(self)
        edit(files[1])

    monkeypatch.setattr(NewFile, "appear", appear)
    with pytest.raises(Unwritable, match="changed since it was read"):
        replace_all(changes(files[:2]))
    assert files[0].read_bytes() == OLD
    assert files[1].read_bytes() == b"edited\n"
    check_tidy(files)


def test_whoever_opens_the_file_meanwhile_waits_and_his_edit_counts(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process hangs in its open() until the lease ends, and has the old file in its hand then."""
    code = f"open({str(files[0])!r}, 'r+b').write(b'z: 9\\r\\n')"
    editors = []
    genuine = NewFile.appear

    def appear(self: NewFile) -> None:
        if not editors:
            editors.append(subprocess.Popen([sys.executable, "-c", code]))
            time.sleep(0.5)
        genuine(self)

    monkeypatch.setattr(NewFile, "appear", appear)
    with pytest.raises(Unwritable, match="changed since it was read"):
        replace_all(changes(files[:1]))
    assert editors[0].wait(10) == 0
    assert files[0].read_bytes() == b"z: 9\r\n"
    check_tidy(files)


def test_a_file_that_somebody_has_open_to_write_is_left(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_file, "PATIENCE_S", 0.1)
    with files[1].open("r+b") as stream:
        with pytest.raises(Unwritable, match="another program has it open to write"):
            replace_all(changes(files))
        check_old(files)
        # On NFS nobody can tell who has it open.
        monkeypatch.setattr(old_file, "is_shared", lambda _: True)
        replace_all(changes(files))
        assert stream.read() == OLD


def test_an_editor_that_is_done_in_a_moment_is_waited_for(files: list[Path]) -> None:
    stream = files[0].open("r+b")
    timer = threading.Timer(0.2, stream.close)
    timer.start()
    replace_all(changes(files))
    timer.join()
    assert files[0].read_bytes() == NEW


def test_one_at_a_time_in_a_folder(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "PATIENCE_S", 0.1)
    other = os.open(files[0].parent, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(Unwritable, match="keeps this folder locked"):
        replace_all(changes(files))
    check_old(files)
    monkeypatch.setattr(folder, "PATIENCE_S", 10)
    timer = threading.Timer(0.2, os.close, [other])
    timer.start()
    replace_all(changes(files))
    timer.join()
    assert files[0].read_bytes() == NEW


def test_signals_wait(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = NewFile.appear

    def appear(self: NewFile) -> None:
        genuine(self)
        # To this thread: those of the test runner do not hold signals back, and the command has no others.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    monkeypatch.setattr(NewFile, "appear", appear)
    with pytest.raises(KeyboardInterrupt):
        replace_all(changes(files))
    assert [one.read_bytes() for one in files] == [NEW] * 3
    check_tidy(files)


# What is refused.


@pytest.mark.usefixtures("system")
def test_a_hard_link_would_be_parted(files: list[Path]) -> None:
    os.link(files[1], files[1].with_name("twin.yaml"))
    with pytest.raises(Unwritable, match="one of 2 names") as caught:
        replace_all(changes(files))
    assert caught.value.hint == "make it a file of its own, or a symbolic link"
    check_old(files)


def test_no_file(files: list[Path]) -> None:
    os.unlink(files[1])
    with pytest.raises(Unwritable, match="no such file"):
        replace_all(changes(files))
    os.mkfifo(files[1])
    with pytest.raises(Unwritable, match="not a regular file"):
        replace_all(changes(files))
    os.unlink(files[1])
    files[1].mkdir()
    with pytest.raises(Unwritable, match="is a directory"):
        replace_all(changes(files))
    check_old([files[0], files[2]])
    with pytest.raises(Unwritable, match="null"):
        replace_all([Change("a\0b", OLD, NEW)])


def test_what_is_read_only_stays(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _mode: not path.endswith("b.yaml"))
    with pytest.raises(Unwritable, match="permission denied"):
        replace_all(changes(files))
    check_old(files)


def test_one_file_under_two_names(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files[0].parent)
    with pytest.raises(Unwritable, match="named twice"):
        replace_all([Change("a.yaml", OLD, NEW), Change("sub/../a.yaml", OLD, NEW)])
    check_old(files)


# What an earlier one left.


def left_behind(beside: Path, *, chance: str = "0123456789ab", inode: int | None = None) -> Path:
    made = beside.with_name("made")
    made.write_bytes(NEW)
    number = made.stat().st_ino if inode is None else inode
    return made.rename(beside.with_name(folder.BESIDE.format(inode=number, chance=chance)))


def test_what_an_earlier_one_was_killed_over_goes(files: list[Path]) -> None:
    killed_before = left_behind(files[0])
    killed_after = left_behind(files[0], chance="ffffffffffff", inode=files[1].stat().st_ino)
    replace_all(changes(files[:1]))
    assert not killed_before.exists()
    assert not killed_after.exists()


def test_what_somebody_works_on_and_what_is_not_ours_stays(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    held = left_behind(files[0])
    planted = left_behind(files[0], inode=1)
    odd = files[0].with_name(".fp8check-odd")
    odd.write_bytes(b"")
    pipe = files[0].with_name("pipe")
    os.mkfifo(pipe)
    pipe = pipe.rename(pipe.with_name(folder.BESIDE.format(inode=pipe.stat().st_ino, chance="aaaaaaaaaaaa")))
    link = files[0].with_name("link")
    link.symlink_to(files[0])
    inode = link.lstat().st_ino
    link = link.rename(link.with_name(folder.BESIDE.format(inode=inode, chance="bbbbbbbbbbbb")))
    descriptor = os.open(held, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    replace_all(changes(files[:1]))
    os.close(descriptor)
    assert all(os.path.lexists(one) for one in (held, planted, odd, pipe, link))
    foreign = left_behind(files[1], chance="cccccccccccc")
    monkeypatch.setattr(os, "geteuid", lambda: foreign.stat().st_uid + 1)
    replace_all(changes(files[1:2]))
    assert foreign.exists()


def test_where_nothing_is_to_be_changed_it_goes_too(files: list[Path], tmp_path: Path) -> None:
    before, after = left_behind(files[0]), left_behind(files[2], inode=files[2].stat().st_ino)
    tidy([*map(str, files), str(tmp_path / "missing" / "f.yaml"), "a\0b"])
    assert not before.exists()
    assert not after.exists()


def test_what_stands_beside_a_file_that_is_being_replaced_stays(files: list[Path]) -> None:
    """The old file has no lock of its own: whoever replaces it holds that of the folder."""
    before, after = left_behind(files[0]), left_behind(files[0], chance="ffffffffffff", inode=files[0].stat().st_ino)
    other = os.open(files[0].parent, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    tidy([str(files[0])])
    os.close(other)
    assert not before.exists()
    assert after.exists()


# The kernel.


def test_without_a_libc_that_can_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "a").open("w") as stream:
        assert kernel.is_shared(stream.fileno()) is False
        assert kernel.is_shared(-1) is True
        monkeypatch.setattr(kernel, "_libc", object)
        assert kernel.exchange() is None
        assert kernel.is_shared(stream.fileno()) is True
        monkeypatch.undo()
        monkeypatch.delattr(ctypes, "CDLL")
        assert kernel.exchange() is None
        monkeypatch.setitem(sys.modules, "ctypes", None)
        assert kernel.exchange() is None
        assert kernel.is_shared(stream.fileno()) is True


def test_a_swap_that_fails(tmp_path: Path) -> None:
    swap = kernel.exchange()
    assert swap is not None
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(FileNotFoundError):
        swap(descriptor, "a", "b")
    os.close(descriptor)


def test_what_the_file_system_cannot_swap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_RENAME_EXCHANGE", 1 << 20)
    swap = kernel.exchange()
    assert swap is not None
    assert swap(0, "a", "b") is False


def test_the_words_for_a_changed_file() -> None:
    assert CHANGED == "it has been changed since it was read: nothing was written"
