"""Writes: what a fix, a report or a baseline must not lose, whatever fails, and whoever writes meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.attacks.lines import attack
from tests.support.command import COMMAND, run

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = ("--no-environment", "--no-config")
BROKEN = (
    "# Accelerate, by hand\n"
    'distributed_type: "NO"\n'
    "mixed_precision: fp8  # the point of it all\n"
    "fp8_config:\n"
    "  backend: te          # Transformer Engine\n"
)
FIXED = BROKEN.replace("te  ", "TE  ")
TRAIN = "output_dir: out\nlearning_rate: 1e-5\n"
TRAIN_FIXED = "output_dir: out\nlearning_rate: 1.0e-05\n"


@pytest.fixture
def accel(tmp_path: Path) -> Path:
    path = tmp_path / "accel.yaml"
    path.write_text(BROKEN)
    return path


@pytest.fixture
def train(tmp_path: Path) -> Path:
    path = tmp_path / "train.yaml"
    path.write_text(TRAIN)
    return path


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


# L1: a fix keeps every value that it says it moves.

SECTION = 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_confg:\n  # tried on Monday\n  backend: TE  # by hand\n'
OF_OTHERS = 'distributed_type: "NO"\nmixed_precision: fp8\ncomms_config:\n  # of our own launcher\n  ring: true\n'


@attack("L1")
def test_a_misspelt_section_keeps_what_it_holds(accel: Path) -> None:
    accel.write_text(SECTION)
    run("fix", "--unsafe", str(accel), *OPTIONS)
    assert accel.read_text() == SECTION.replace("fp8_confg", "fp8_config")


@attack("L1")
def test_a_section_of_somebody_else_is_renamed_to_nothing(accel: Path) -> None:
    accel.write_text(OF_OTHERS)
    done = run("fix", "--unsafe", str(accel), *OPTIONS)
    assert accel.read_text() == OF_OTHERS
    assert "fsdp_config" not in done.stderr


MOVED = {
    "a comment": ("fp8_config:\n  backend: TE\nfp8_margin: 2  # by hand\n", "  margin: 2  # by hand\n"),
    "into a section that is not there": ("fp8_backend: TE\n", "fp8_config:\n  backend: TE\n"),
    "beside another value": ("fp8_config:\n  backend: TE\nfp8_backend: AO\n", "fp8_backend: AO\n"),
    "where there is no training file": ("learning_rate: 3.0e-4\n", "learning_rate: 3.0e-4\n"),
    "a misspelt section beside the right one": (
        "fp8_config:\n  backend: TE\nfp8_confg:\n  margin: 3\n",
        "fp8_confg:\n  margin: 3\n",
    ),
    "two misspelt sections": ("fp8_confg:\n  backend: TE\nfp8_cofnig:\n  margin: 3\n", "  margin: 3\n"),
}


@attack("L1")
@pytest.mark.parametrize("name", MOVED)
def test_what_is_to_be_moved_is_there_afterwards(accel: Path, name: str) -> None:
    text, kept = MOVED[name]
    accel.write_text(f'distributed_type: "NO"\nmixed_precision: fp8\n{text}')
    done = run("fix", "--unsafe", str(accel), *OPTIONS)
    assert kept in accel.read_text(), done.stderr


@attack("L1")
def test_a_recipe_in_the_training_file_is_not_deleted_by_a_fix_that_says_write_it_elsewhere(
    accel: Path, train: Path
) -> None:
    train.write_text("output_dir: out\namax_history_len: 16  # short\n")
    accel.write_text(FIXED)
    run("fix", "--unsafe", str(train), str(accel), *OPTIONS, "--trainer", "transformers")
    assert accel.read_text() == f"{FIXED}  amax_history_len: 16  # short\n"


# L2: fixes come to a fixpoint.


def facts(folder: Path, capability: str, *, number: int = 1) -> str:
    packages = {"accelerate": "1.15.0", "torch": "2.11.0", "transformers": "5.17.0"}
    packages |= {"transformer_engine": "2.20.2", "torchao": "0.17.0"}
    gpu = {"name": "A GPU", "compute_capability": capability, "memory_mib": 81920, "mig": False}
    gpus = [{"index": index, **gpu} for index in range(number)]
    data = {"schema": "fp8check/facts/1", "python": "3.11.7", "packages": packages, "variables": {}, "gpus": gpus}
    path = folder / "facts.json"
    path.write_text(json.dumps(data))
    return str(path)


UNDOING = {
    "FP701 and FP103 on an A100": ("8.0", 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n'),
    "FP103 and FP701 on an A100": (
        "8.0",
        'distributed_type: "NO"\nmixed_precision: bf16\nfp8_config:\n  backend: TE\n',
    ),
    "FP507 and FP103": ("9.0", "distributed_type: MEGATRON_LM\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n"),
    "FP103 and FP507": ("9.0", "distributed_type: MEGATRON_LM\nmixed_precision: bf16\nfp8_config:\n  backend: TE\n"),
}


@attack("L2")
@pytest.mark.parametrize("name", UNDOING)
def test_what_is_said_to_be_fixed_is_fixed_and_stays_so(tmp_path: Path, accel: Path, name: str) -> None:
    capability, text = UNDOING[name]
    machine = facts(tmp_path, capability)
    accel.write_text(text)
    first = run("fix", "--unsafe", str(accel), "--facts", machine, "--no-config")
    after = accel.read_text()
    again = run("fix", "--unsafe", str(accel), "--facts", machine, "--no-config")
    assert accel.read_text() == after
    said = [line.split()[1] for line in first.stderr.splitlines() if line.startswith("fixed ")]
    found = json.loads(run(str(accel), "--facts", machine, "--no-config", "--format", "json").stdout)["findings"]
    assert not {*said} & {one["rule"] for one in found}
    assert "\nfixed " not in f"\n{again.stderr}"
    other = name.split(maxsplit=1)[0]
    assert (f"fixed {other}" in first.stderr) or other in first.stderr  # the one that did not come to pass is told


@attack("L2")
def test_a_fix_leads_to_no_other_trouble(tmp_path: Path, accel: Path, train: Path) -> None:
    """FP518 wrote torch_compile: true under DDP, of which FP520 says that it fails."""
    machine = facts(tmp_path, "9.0", number=2)
    train.write_text("output_dir: out\nmax_steps: 5\nper_device_train_batch_size: 1\n")
    accel.write_text(
        "distributed_type: MULTI_GPU\nnum_processes: 2\nmixed_precision: fp8\nfp8_config:\n  backend: AO\n"
        "  enable_fsdp_float8_all_gather: false\n"
    )
    words = (str(train), str(accel), "--facts", machine, "--no-config", "--trainer", "transformers")
    before = {one["rule"] for one in json.loads(run(*words, "--format", "json").stdout)["findings"]}
    assert "FP518" in before
    run("fix", "--unsafe", *words)
    after = {one["rule"] for one in json.loads(run(*words, "--format", "json").stdout)["findings"]}
    assert "FP520" not in after


# L3: a full disk.


def limited(size: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command where no file can be larger than this: to the writer it is what a full disk is."""
    process = subprocess.Popen(
        [COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    )
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))
    out, err = process.communicate()
    return subprocess.CompletedProcess([], process.returncode, out, err)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB, all but full."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> None:
    with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as stream:
        while True:
            stream.write(b"x" * 4096)


GOOD = '{"good": true}\n'
OUTPUTS = {
    "a report": "--format=json={}",
    "SARIF": "--format=sarif={}",
    "a page": "--format=html={}",
    "a baseline": "--write-baseline={}",
}


@attack("L3")
@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_full_disk_leaves_the_old_report(tmp_path: Path, accel: Path, kind: str) -> None:
    target = tmp_path / "out"
    target.write_text(GOOD)
    done = limited(100, str(accel), *OPTIONS, OUTPUTS[kind].format(target))
    assert target.read_text() == GOOD
    assert done.returncode == 2
    assert "too large" in done.stderr
    assert names(tmp_path) == ["accel.yaml", "out"]


@attack("L3")
@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_disk_that_really_is_full_leaves_the_old_report(small_disk: Path, accel: Path, kind: str) -> None:
    target = small_disk / "out"
    target.write_text(GOOD)
    fill(small_disk)
    done = run(str(accel), *OPTIONS, OUTPUTS[kind].format(target))
    assert target.read_text() == GOOD
    assert done.returncode == 2
    assert "no space left on device" in done.stderr
    assert names(small_disk) == ["filler", "out"]


def test_no_report_is_made_where_there_was_none(tmp_path: Path, accel: Path) -> None:
    done = limited(100, str(accel), *OPTIONS, f"--format=json={tmp_path / 'new'}")
    assert (done.returncode, names(tmp_path)) == (2, ["accel.yaml"])


def test_a_fix_on_a_full_disk(small_disk: Path) -> None:
    accel = small_disk / "accel.yaml"
    accel.write_text(BROKEN)
    fill(small_disk)
    done = run("fix", str(accel), *OPTIONS)
    assert (done.returncode, accel.read_text()) == (2, BROKEN)
    assert names(small_disk) == ["accel.yaml", "filler"]
    assert "fixed" not in done.stderr


def test_worth_on_a_full_disk(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text(GOOD)
    done = limited(100, "worth", "Qwen/Qwen2.5-7B", "--out", str(target))
    assert (done.returncode, target.read_text()) == (2, GOOD)


# L4: several files, all or none.

LONG = TRAIN + "# a long story\n" * 400


@pytest.mark.parametrize("first", [pytest.param("accel.yaml", marks=attack("L4")), "train.yaml"])
def test_where_one_cannot_be_written_none_is(tmp_path: Path, accel: Path, train: Path, first: str) -> None:
    train.write_text(LONG)
    files = [accel, train] if first == "accel.yaml" else [train, accel]
    done = limited(2000, "fix", "--unsafe", *map(str, files), *OPTIONS, "--trainer", "transformers")
    assert done.returncode == 2, done.stderr
    assert (accel.read_text(), train.read_text()) == (BROKEN, LONG)
    assert names(tmp_path) == ["accel.yaml", "train.yaml"]


@attack("L4")
def test_where_one_cannot_be_written_in_its_folder_none_is(small_disk: Path, accel: Path) -> None:
    train = small_disk / "train.yaml"
    train.write_text(TRAIN)
    fill(small_disk)
    done = run("fix", str(accel), str(train), *OPTIONS, "--trainer", "transformers")
    assert done.returncode == 2
    assert (accel.read_text(), train.read_text()) == (BROKEN, TRAIN)


def test_all_are_written(tmp_path: Path, accel: Path, train: Path) -> None:
    done = run("fix", str(accel), str(train), *OPTIONS, "--trainer", "transformers")
    assert "fixed FP201" in done.stderr
    assert "fixed FP908" in done.stderr
    assert (accel.read_text(), train.read_text()) == (FIXED, TRAIN_FIXED)
    assert names(tmp_path) == ["accel.yaml", "train.yaml"]


# L5: hard links, owner, attributes.


@attack("L5")
def test_two_names_of_one_file_stay_so(accel: Path) -> None:
    twin = accel.with_name("twin.yaml")
    os.link(accel, twin)
    done = run("fix", str(accel), *OPTIONS)
    assert accel.read_text() == twin.read_text()
    assert accel.samefile(twin)
    assert (done.returncode, "hard link" in done.stderr) == (2, True)


@attack("L5")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_stays(accel: Path) -> None:
    os.chown(accel, 12345, 23456)
    accel.chmod(0o604)
    run("fix", str(accel), *OPTIONS)
    state = accel.stat()
    assert accel.read_text() == FIXED
    assert (state.st_uid, state.st_gid, stat.S_IMODE(state.st_mode)) == (12345, 23456, 0o604)


@attack("L5")
@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="no extended attributes here")
def test_extended_attributes_stay(accel: Path) -> None:
    try:
        os.setxattr(accel, "user.note", b"kept")
    except OSError:
        pytest.skip("no extended attributes here")
    run("fix", str(accel), *OPTIONS)
    assert accel.read_text() == FIXED
    assert os.getxattr(accel, "user.note") == b"kept"


# L6: standard input.


@attack("L6")
def test_standard_input_keeps_its_byte_order_mark() -> None:
    done = run("fix", "-", *OPTIONS, stdin=f"\ufeff{BROKEN}".encode())
    assert done.stdout == f"\ufeff{FIXED}"


BYTES = {
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "mixed": lambda text: text.replace("\n", "\r\n", 2),
    "no last line break": lambda text: text.rstrip("\n"),
    "spaces at the ends": lambda text: text.replace("fp8_config:\n", "fp8_config:   \n") + "   \n \n",
    "anchors": lambda text: f"{text}debug: &off false\nuse_cpu: *off\n",
    "not ASCII": lambda text: f"# \N{GREEK SMALL LETTER MU}P \N{PILE OF POO}\n{text}",
}


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("name", BYTES)
def test_what_is_not_edited_keeps_its_bytes(accel: Path, name: str, mark: str) -> None:
    before, after = (f"{mark}{BYTES[name](text)}".encode() for text in (BROKEN, FIXED))
    done = subprocess.run([COMMAND, "fix", "-", *OPTIONS], input=before, capture_output=True, check=False)
    assert done.stdout == after
    accel.write_bytes(before)
    run("fix", str(accel), *OPTIONS)
    assert accel.read_bytes() == after


# L7: somebody edits the file between reading and writing. An interpreter that is asked for its packages does it here:
# it is started after the files were read, and before anything is written.

EDITED = f"{BROKEN}debug: true\n"
EDITS = {
    "in place": "printf 'debug: true\\n' >> {0}",
    "by a new file": "{{ cat {0}; printf 'debug: true\\n'; }} > {0}.new; mv {0}.new {0}",
    "of the same size and time": "cp -p {0} {0}.old; sed -i s/Acc/ACC/ {0}; touch -r {0}.old {0}; rm {0}.old",
}


@attack("L7")
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("both", [False, True])
def test_an_edit_meanwhile_is_not_lost(tmp_path: Path, accel: Path, train: Path, edit: str, both: bool) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n{EDITS[edit].format(accel)}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    files = (str(train), str(accel), "--trainer", "transformers") if both else (str(accel),)
    done = run("fix", *files, "--no-config", "--python", str(python))
    assert accel.read_text() == (BROKEN.replace("Acc", "ACC") if "size" in edit else EDITED)
    assert train.read_text() == TRAIN
    assert done.returncode == 2
    assert "accel.yaml: it has been changed since it was read: nothing was written" in done.stderr
    assert "fixed" not in done.stderr
    assert names(tmp_path) == ["accel.yaml", "python", "train.yaml"]


def test_an_editor_that_never_rests_loses_nothing(accel: Path) -> None:
    """Each number that the editor says it saved is there, or a later one."""
    code = (
        "import sys\n"
        "for number in range(100000):\n"
        "    text = open(sys.argv[1]).read()\n"
        "    with open(sys.argv[1], 'r+') as stream:\n"
        "        stream.write(text.split('#!')[0] + f'#! {number:06}\\n')\n"
        "    assert open(sys.argv[1]).read().endswith(f'#! {number:06}\\n'), number\n"
    )
    editor = subprocess.Popen([sys.executable, "-c", code, str(accel)], stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(8):
            run("fix", str(accel), *OPTIONS)
            assert editor.poll() is None
    finally:
        editor.kill()
        _, said = editor.communicate()
    assert said == ""


def test_two_at_once(tmp_path: Path) -> None:
    """Of two fixes of the same files each is made whole, or refused."""
    files = [tmp_path / f"{name}.yaml" for name in "ab"]
    for _ in range(4):
        for one in files:
            one.write_text(TRAIN)
        words = [COMMAND, "fix", *map(str, files), *OPTIONS, "--trainer", "transformers"]
        both = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        ends = [(one.wait(), one.communicate()[1]) for one in both]
        assert [one.read_text() for one in files] == [TRAIN_FIXED] * 2, ends
        assert names(tmp_path) == ["a.yaml", "b.yaml"]
        assert all(code == 0 or "changed since it was read" in said for code, said in ends), ends


# L8: kill -9.


def killed(folder: Path, *words: str) -> bool:
    """Start the command, and kill it as soon as a name comes up in the folder; whether one did."""
    before = set(os.listdir(folder))
    process = subprocess.Popen([COMMAND, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    came = False
    while process.poll() is None and not came:
        came = bool(set(os.listdir(folder)) - before)
    process.kill()
    process.wait()
    return came


@attack("L8")
def test_whoever_is_killed_leaves_nothing_that_stays(tmp_path: Path, accel: Path) -> None:
    """The next fix takes away what there was no time for; on Linux's own file systems there is hardly ever anything."""
    for _ in range(25):
        accel.write_text(BROKEN)
        killed(tmp_path, "fix", str(accel), *OPTIONS)
        assert accel.read_text() in (BROKEN, FIXED)
        accel.write_text(BROKEN)
        run("fix", str(accel), *OPTIONS)
        assert accel.read_text() == FIXED
        assert names(tmp_path) == ["accel.yaml"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_whenever_a_signal_comes_each_file_is_whole(tmp_path: Path, accel: Path, train: Path, signum: int) -> None:
    report = tmp_path / "report.json"
    chance = random.Random(signum)  # noqa: S311  only when to strike
    for _ in range(12):
        accel.write_text(BROKEN)
        train.write_text(TRAIN)
        report.write_text(GOOD)
        kinds = (["fix"], ["--format", f"json={report}"])
        words = [*chance.choice(kinds), str(accel), str(train), *OPTIONS, "--trainer", "transformers"]
        process = subprocess.Popen([COMMAND, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.04, 0.25))
        process.send_signal(signum)
        process.wait()
        pair = (accel.read_text(), train.read_text())
        between = ((FIXED, TRAIN),) if signum == signal.SIGKILL else ()  # rules/writing/replacing.py says so
        assert pair in ((BROKEN, TRAIN), (FIXED, TRAIN_FIXED), *between)
        assert report.read_text() == GOOD or json.loads(report.read_text())["schema"]
    run("fix", str(accel), *OPTIONS)
    assert names(tmp_path) == ["accel.yaml", "report.json", "train.yaml"]


# Links, and what is no file.


@pytest.mark.parametrize("words", [["fix"], ["--format=json=link.yaml"], ["--write-baseline=link.yaml"]])
def test_a_link_of_a_checkout_leads_nowhere_else(tmp_path: Path, words: list[str]) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    secret = tmp_path / ".bashrc"
    secret.write_text(BROKEN)
    (checkout / "link.yaml").symlink_to("../.bashrc")
    done = run(*words, "link.yaml", *OPTIONS, cwd=checkout)
    assert secret.read_text() == BROKEN
    assert done.returncode == 2
    assert "link.yaml is a link that leads out of its folder" in done.stderr
    assert (names(tmp_path), names(checkout)) == ([".bashrc", "checkout"], ["link.yaml"])


def test_a_link_within_a_folder_stays_one(accel: Path) -> None:
    link = accel.with_name("link.yaml")
    link.symlink_to("accel.yaml")
    run("fix", str(link), *OPTIONS)
    assert (link.is_symlink(), accel.read_text()) == (True, FIXED)


def test_a_report_may_go_to_what_is_no_file(tmp_path: Path, accel: Path) -> None:
    wanted = json.loads(run(str(accel), *OPTIONS, "--format", "json").stdout)["findings"]
    assert json.loads(run(str(accel), *OPTIONS, "--format=json=/dev/stdout").stdout)["findings"] == wanted
    assert run(str(accel), *OPTIONS, "--format=json=/dev/null").returncode == 1
    full = run(str(accel), *OPTIONS, "--format=json=/dev/full")
    assert (full.returncode, "/dev/full: no space left on device" in full.stderr) == (2, True)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    alone = run(str(accel), *OPTIONS, f"--format=json={pipe}")
    assert (alone.returncode, "nobody reads this pipe" in alone.stderr) == (2, True)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    run(str(accel), *OPTIONS, f"--format=json={pipe}")
    assert os.read(reader, 10000).startswith(b"{")
    os.close(reader)
