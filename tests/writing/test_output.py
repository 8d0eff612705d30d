"""Reports and baselines: whole or not at all, and never anywhere else than the command line says."""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from fp8check.rules.writing import Output, Unwritable, output, write
from fp8check.rules.writing.place import descriptor_of, place_of

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = b"{}\n", b'{"verdict": "pass"}\n'


def tried(path: Path) -> str:
    """What is said where it cannot be written."""
    try:
        write(str(path), NEW)
    except Unwritable as problem:
        return str(problem)
    return ""


def fail_half_way(path: Path) -> None:
    with Output(str(path)) as made:
        made.write(b"cut")
        raise KeyError


def hidden(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir() if one.name.startswith(".")]


@pytest.mark.usefixtures("system")
def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(str(tmp_path / "new.json"), NEW)
    finally:
        os.umask(before)
    assert (tmp_path / "new.json").read_bytes() == NEW
    assert stat.S_IMODE((tmp_path / "new.json").stat().st_mode) == 0o640
    assert hidden(tmp_path) == []


@pytest.mark.usefixtures("system")
def test_an_old_file_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_bytes(OLD)
    path.chmod(0o664)
    write(str(path), NEW)
    assert path.read_bytes() == NEW
    assert stat.S_IMODE(path.stat().st_mode) == 0o664
    assert hidden(tmp_path) == []


@pytest.mark.usefixtures("system")
def test_nothing_is_there_before_the_end_and_nothing_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with Output(str(path)) as made:
        made.write(b"[1,")
        assert not path.exists()
        made.write(b"2]")
    assert path.read_bytes() == b"[1,2]"
    with pytest.raises(KeyError):
        fail_half_way(path)
    assert path.read_bytes() == b"[1,2]"
    assert hidden(tmp_path) == []


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("name", ["open", "write", "fsync", "fchmod", "link", "rename", "lstat"])
def test_whatever_fails_and_whenever_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, there: bool
) -> None:
    path = tmp_path / "a.json"
    genuine = getattr(os, name)
    for fatal in range(20):
        if there:
            path.write_bytes(OLD)
        elif path.exists():
            path.unlink()
        made = 0

        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal made
            made += 1
            if made == fatal + 1:  # noqa: B023
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return genuine(*arguments, **named)

        with monkeypatch.context() as patch:
            patch.setattr(os, name, call)
            said = tried(path)
        assert said in ("", f"{path}: no space left on device")
        assert hidden(tmp_path) == []
        if not said:
            assert path.read_bytes() == NEW
        else:
            assert path.exists() is there
            assert not there or path.read_bytes() == OLD
        if made <= fatal:
            return
    pytest.fail("it never ended")


@pytest.mark.usefixtures("system")
def test_somebody_makes_the_file_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with Output(str(path)) as made:
        made.write(NEW)
        path.write_bytes(OLD)
    assert path.read_bytes() == NEW


def test_somebody_makes_the_file_in_the_last_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    genuine = output.NewFile.place_new

    def place_new(self: Any, name: str) -> None:
        path.write_bytes(OLD)
        genuine(self, name)

    monkeypatch.setattr(output.NewFile, "place_new", place_new)
    write(str(path), NEW)
    assert path.read_bytes() == NEW


def test_what_would_lose_something_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(OLD)
    os.link(path, tmp_path / "twin.json")
    with pytest.raises(Unwritable, match="one of 2 names"):
        write(str(path), NEW)
    assert path.read_bytes() == OLD
    with pytest.raises(Unwritable, match="is a directory"):
        write(str(tmp_path), NEW)
    with pytest.raises(Unwritable, match="no such file or directory"):
        write(str(tmp_path / "missing" / "a.json"), NEW)
    with pytest.raises(Unwritable, match="not a directory"):
        write(f"{path}/a.json", NEW)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        with pytest.raises(Unwritable, match="is neither a file nor a pipe"):
            write(str(tmp_path / "socket"), NEW)


# Owner, mode, attributes.


def test_what_cannot_be_kept_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(OLD)
    os.setxattr(path, "user.note", b"1")

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(os, "setxattr", refuse)
        with pytest.raises(Unwritable, match=r"its extended attribute user\.note could not be kept"):
            write(str(path), NEW)
    with monkeypatch.context() as patch:
        patch.setattr(os, "setxattr", lambda *_: None)
        with pytest.raises(Unwritable, match=r"its extended attribute user\.note could not be kept"):
            write(str(path), NEW)
    with monkeypatch.context() as patch:
        genuine = os.fstat

        def fstat(descriptor: int) -> Any:
            found = genuine(descriptor)
            return os.stat_result([*found[:4], found.st_uid + found.st_size, *found[5:10]])

        patch.setattr(os, "fstat", fstat)
        patch.setattr(os, "fchown", refuse)
        with pytest.raises(Unwritable, match=r"its owner \(\d+:\d+\) could not be kept"):
            write(str(path), NEW)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fchmod", lambda *_: None)
        path.chmod(0o664)
        with pytest.raises(Unwritable, match=r"its mode \(664\) could not be kept"):
            write(str(path), NEW)
    assert path.read_bytes() == OLD
    assert hidden(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(OLD)
    os.chown(path, 12345, 23456)
    path.chmod(0o4751)
    write(str(path), NEW)
    state = path.stat()
    assert (state.st_uid, state.st_gid, stat.S_IMODE(state.st_mode)) == (12345, 23456, 0o4751)


def acl(*, other: int) -> bytes:
    """A POSIX ACL as the kernel has it: user 12345 may read, and `other` what is said."""
    entries = [(1, 6, 0xFFFFFFFF), (2, 4, 12345), (4, 4, 0xFFFFFFFF), (16, 4, 0xFFFFFFFF), (32, other, 0xFFFFFFFF)]
    return b"\2\0\0\0" + b"".join(
        tag.to_bytes(2, "little") + rights.to_bytes(2, "little") + who.to_bytes(4, "little")
        for tag, rights, who in entries
    )


def test_an_acl_stays_and_that_of_the_folder_does_not_come(tmp_path: Path) -> None:
    with_acl, without = tmp_path / "a.json", tmp_path / "b.json"
    for path in (with_acl, without):
        path.write_bytes(OLD)
        path.chmod(0o640)
    os.setxattr(with_acl, "system.posix_acl_access", acl(other=0))
    os.setxattr(tmp_path, "system.posix_acl_default", acl(other=4))
    for path in (with_acl, without):
        write(str(path), NEW)
    assert os.getxattr(with_acl, "system.posix_acl_access") == acl(other=0)
    assert os.listxattr(without) == []
    assert stat.S_IMODE(without.stat().st_mode) == 0o640


def test_attributes_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(OLD)

    def fail(number: int) -> None:
        def listxattr(_: int) -> list[str]:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "listxattr", listxattr)

    fail(errno.EIO)
    with pytest.raises(Unwritable, match="input/output error"):
        write(str(path), NEW)
    fail(errno.ENOTSUP)
    write(str(path), NEW)
    assert path.read_bytes() == NEW


def test_the_label_of_the_system_is_the_same_or_stays_as_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SELinux gives each new file the label of its folder; only where it is another one has it to be set."""
    path = tmp_path / "a.json"
    path.write_bytes(OLD)
    monkeypatch.setattr(os, "listxattr", lambda _: ["security.selinux"])
    monkeypatch.setattr(os, "getxattr", lambda *_: b"label")
    write(str(path), NEW)
    old = path.stat().st_ino
    monkeypatch.setattr(os, "listxattr", lambda one: ["security.selinux"] if os.fstat(one).st_ino != old else [])
    write(str(path), OLD)
    assert path.read_bytes() == OLD


# Links.


def test_a_link_to_a_file_beside_it_is_followed(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.json").symlink_to("sub/new.json")
    write(str(tmp_path / "link.json"), NEW)
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "sub" / "new.json").read_bytes() == NEW


@pytest.mark.parametrize("target", ["../home/.bashrc", "{home}/.bashrc", "up/.bashrc"])
def test_a_link_that_leads_out_of_its_folder_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    home, checkout = tmp_path / "home", tmp_path / "checkout"
    home.mkdir()
    checkout.mkdir()
    (home / ".bashrc").write_bytes(OLD)
    (checkout / "up").symlink_to(home)
    (checkout / "link.json").symlink_to(target.format(home=home))
    monkeypatch.chdir(checkout)
    for name in ("link.json", "./link.json", str(checkout / "link.json"), "up/.bashrc", f"{checkout}/up/new.json"):
        with pytest.raises(Unwritable, match="is a link that leads out of its folder") as caught:
            write(name, NEW)
        assert caught.value.hint == "name the file that is to be written itself"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Unwritable, match="is a link that leads out of its folder"):
        write("checkout/link.json", NEW)
    assert [one.name for one in home.iterdir()] == [".bashrc"]
    assert (home / ".bashrc").read_bytes() == OLD


def test_the_way_to_the_current_folder_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tmp_path / "real"
    (real / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to(real)
    write(str(tmp_path / "link" / "a.json"), NEW)
    assert (real / "a.json").read_bytes() == NEW
    monkeypatch.chdir(tmp_path / "link" / "sub")
    assert place_of("../b.json").path == str(real / "b.json")
    assert place_of("b.json").path == str(real / "sub" / "b.json")
    assert place_of(str(real / "sub" / "b.json")).path == str(real / "sub" / "b.json")
    monkeypatch.chdir("/")
    assert place_of("tmp/x.json").path == os.path.realpath("/tmp/x.json")
    assert place_of("/tmp/x.json").path == os.path.realpath("/tmp/x.json")


def test_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(Unwritable, match=r"levels of symbolic links|is neither a file nor a pipe"):
        write(str(tmp_path / "loop"), NEW)


# What is no file.


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/dev/stdout", 1),
        ("/dev/stderr", 2),
        ("/dev/fd/63", 63),
        ("/proc/self/fd/5", 5),
        ("/dev/null", None),
        ("/dev/fd/x", None),
        ("/dev/fd/²", None),
        ("/dev/fd/99999999999999999999", None),
        ("stdout", None),
    ],
)
def test_open_files_of_this_process(path: str, number: int | None) -> None:
    assert descriptor_of(path) == number


def test_dev_null_and_a_full_device() -> None:
    write("/dev/null", NEW)
    with pytest.raises(Unwritable, match="/dev/full: no space left on device"):
        write("/dev/full", NEW)


def test_a_pipe_that_somebody_reads(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(Unwritable, match="nobody reads this pipe"):
        write(str(pipe), NEW)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write(str(pipe), NEW)
    assert os.read(reader, 100) == NEW
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_device_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> int:
        raise OSError(errno.ENXIO, "No such device or address")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(Unwritable, match="no such device"):
        write("/dev/null", NEW)


def test_a_pipe_of_the_shell() -> None:
    """`--format json=>(jq .)` names /dev/fd/63."""
    reader, writer = os.pipe()
    write(f"/dev/fd/{writer}", NEW)
    os.close(writer)
    assert os.read(reader, 100) == NEW
    os.close(reader)
    with pytest.raises(Unwritable, match="bad file descriptor"):
        write(f"/dev/fd/{writer}", NEW)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_stays_the_file_that_the_shell_opened(tmp_path: Path, name: str) -> None:
    code = f"from fp8check.rules.writing import write; print('before', flush=True); write({name!r}, b'report')"
    path = tmp_path / "out"
    with path.open("wb") as stream:
        subprocess.run([sys.executable, "-c", code], stdout=stream, check=True)
    assert path.read_bytes() == b"before\nreport"
