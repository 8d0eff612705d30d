"""A fault on each file that a run looks at: it is named, and the run is not called clean.

Runs with every kind of input are made once, with each call of the system recorded. Then each call on each file fails
once, with each of the errors that such a call has. What comes of it is exit code 2 with the file's name, or a report
that is no pass and has the name: never a pass, never an internal error.
"""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from fp8check.rules.checking import named
from fp8check.rules.facts import engine, libraries, packages
from fp8check.rules.facts.data import Interpreter
from tests.attacks.test_unknown import FACTS
from tests.support.trees import install, write
from tests.tools.golden import Said
from tests.tools.golden import run as command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = {
    "model_type": "llama",
    "hidden_size": 512,
    "intermediate_size": 1024,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "vocab_size": 1024,
}
TRAIN = "output_dir: out\nbf16: true\nper_device_train_batch_size: 8\nlearning_rate: 1.0e-5\n"
PLAIN = "distributed_type: 'NO'\nnum_processes: 1\nmixed_precision: bf16\n"
# Beside a file of DeepSpeed's own it says nothing more, and the launcher's flag says the precision.
DEEPSPEED = "distributed_type: DEEPSPEED\nnum_processes: 1\n"
SCRIPT = "import trainer\n\ntrainer.main()\n"


class Run(NamedTuple):
    """Files, by name, and the words of a command that says `pass` of them."""

    files: dict[str, str]
    words: tuple[str, ...]


def facts(**variables: str) -> str:
    return json.dumps({**FACTS, "variables": variables})


REPORT = ("--format", "json")
RUNS = {
    "a configuration with all that it names": Run(
        {
            "fp8check.toml": (
                'baseline = "baseline.json"\n[[run]]\nfiles = ["conf/train.yaml", "conf/accel.yaml"]\n'
                'launch = "accelerate launch --mixed_precision bf16 --config_file conf/accel.yaml t.py conf/train.yaml"\nfacts = "facts.json"\n'
            ),
            "baseline.json": '{"schema": "fp8check/baseline/1", "findings": []}',
            "facts.json": facts(),
            "conf/train.yaml": f"{TRAIN}deepspeed: ds.json\nmodel_name_or_path: ../m\n",
            "conf/accel.yaml": DEEPSPEED,
            "conf/ds.json": '{"bf16": {"enabled": true}}',
            "m/config.json": json.dumps(MODEL),
            "t.py": SCRIPT,
            "trainer.py": "def main():\n    pass\n",
        },
        (),
    ),
    "the machine's default file, and a model of the hub's cache": Run(
        {
            "pyproject.toml": "[tool.fp8check]\n",
            "train.yaml": f"{TRAIN}model_name_or_path: me/tiny\n",
            "node.json": facts(HF_HOME="hf"),
            "hf/accelerate/default_config.yaml": PLAIN,
            "hf/hub/models--me--tiny/refs/main": COMMIT,
            f"hf/hub/models--me--tiny/snapshots/{COMMIT}/config.json": json.dumps(MODEL),
            "pack/t.py": SCRIPT,
        },
        ("train.yaml", "--launch", "accelerate launch -m pack.t train.yaml", "--facts", "node.json"),
    ),
    "files of the launch command": Run(
        {
            "own.toml": 'fail-on = "warning"\n',
            "known.json": '{"schema": "fp8check/baseline/1", "findings": []}',
            "node.json": facts(),
            "train.yaml": f"{TRAIN}accelerator_config: ac.json\n",
            "ac.json": "{}",
            "accel.yaml": DEEPSPEED + "deepspeed_config: {deepspeed_hostfile: hosts}\n",
            "hosts": "a slots=8\n",
            "flag.json": '{"bf16": {"enabled": true}}',
            "t": SCRIPT,
        },
        (
            *("train.yaml", "--config", "own.toml", "--baseline", "known.json", "--facts", "node.json", "--launch"),
            "accelerate launch --config_file accel.yaml --deepspeed_config_file flag.json t train.yaml",
        ),
    ),
    "files for FSDP and for DeepSpeed that two files name": Run(
        {
            "train.yaml": f"{TRAIN}fsdp: full_shard\nfsdp_config: fsdp.json\n",
            "fsdp.json": '{"fsdp_version": 1}',
            "node.json": facts(),
        },
        (
            "train.yaml",
            "--no-config",
            "--facts",
            "node.json",
            "--launch",
            "torchrun -m trl.scripts.sft --config train.yaml --model_name_or_path a/b --dataset_name a/b",
        ),
    ),
    "a DeepSpeed file that the Accelerate file names": Run(
        {
            "train.yaml": TRAIN,
            "accel.yaml": "distributed_type: DEEPSPEED\nnum_processes: 1\n"
            "deepspeed_config: {deepspeed_config_file: other.json}\n",
            "other.json": '{"bf16": {"enabled": true}}',
            "node.json": facts(),
        },
        ("train.yaml", "accel.yaml", "--no-config", "--facts", "node.json"),
    ),
    "a shell script, with one that it reads and one that it starts": Run(
        {
            "run.sh": "source ./env.sh\nbash inner.sh\npython own.py\n",
            "env.sh": "export WANDB_MODE=offline\n",
            "inner.sh": "python other.py\n",
            "own.py": "from accelerate import Accelerator\n\nAccelerator()\n",
            "other.py": "from accelerate import Accelerator\n\nAccelerator()\n",
            "node.json": facts(),
        },
        ("run.sh", "--no-config", "--facts", "node.json"),
    ),
    "a script whose parser reads a file beside it": Run(
        {
            "train.py": "from transformers import HfArgumentParser, Trainer, TrainingArguments\n\n"
            "(args,) = HfArgumentParser(TrainingArguments).parse_args_into_dataclasses()\n"
            "Trainer(args=args).train()\n",
            "train.args": "--output_dir out --bf16 True --per_device_train_batch_size 8",
            "node.json": facts(),
        },
        ("--no-config", "--facts", "node.json", "--launch", "torchrun train.py"),
    ),
    "the hook": Run({"train.yaml": TRAIN, "accel.yaml": PLAIN}, ("--hook", "train.yaml", "accel.yaml")),
}
# Each call, and the errors that the system has for it. That there is no such file is said of one that stat has seen.
ERRORS = {
    "os.open": (errno.EACCES, errno.EIO, errno.ENOENT, errno.EISDIR, errno.ELOOP, errno.EMFILE, errno.ESTALE),
    "os.read": (errno.EIO, errno.EISDIR, errno.ESTALE),
    "os.fstat": (errno.EIO, errno.ESTALE),
    "os.stat": (errno.EACCES, errno.EIO, errno.ELOOP, errno.ESTALE, errno.ENAMETOOLONG),
    "os.lstat": (errno.EACCES, errno.EIO, errno.ELOOP),
    "os.listdir": (errno.EACCES, errno.EIO),
    "os.scandir": (errno.EACCES, errno.EIO),
    "open": (errno.EACCES, errno.EIO, errno.ENOENT, errno.EISDIR, errno.EMFILE),
}


class Fault(NamedTuple):
    """One call on one file, by its name from the run's folder, and the error that it ends with."""

    call: str
    name: str
    error: int


class Watch:
    """The calls of the system on the files below a folder, recorded; the one that is to fail, fails."""

    def __init__(self, folder: Path, fault: Fault | None = None) -> None:
        self.seen: dict[tuple[str, str], None] = {}
        self.read: set[str] = set()  # to their end, without a fault
        self.fired = 0
        self._folder = os.path.realpath(folder)
        self._fault = fault
        self._opened: dict[int, str] = {}

    def _look(self, call: str, path: object) -> None:
        if isinstance(path, int):
            name = self._opened.get(path)
        else:
            whole = os.path.join(os.getcwd(), os.fsdecode(path))  # type: ignore[arg-type]
            name = os.path.relpath(whole, self._folder) if whole.startswith(self._folder) else None
        if name is None:
            return
        self.seen[call, name] = None
        if self._fault is not None and (call, name) == self._fault[:2]:
            self.fired += 1
            raise OSError(self._fault.error, os.strerror(self._fault.error), name)

    def wrapped(self, call: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def made(path: object = ".", *others: Any, **named: Any) -> Any:
            if call != "open" or not isinstance(path, int):
                self._look(call, path)
            answer = real(path, *others, **named)
            if call == "os.open":
                self._opened[answer] = os.path.relpath(os.path.join(os.getcwd(), str(path)), self._folder)
            if call == "os.read" and not answer and isinstance(path, int) and path in self._opened:
                self.read.add(self._opened[path])
            return answer

        return made

    def put(self, patch: pytest.MonkeyPatch) -> None:
        """In the place of the real calls."""
        for call in ERRORS:
            if call == "open":
                made = self.wrapped(call, builtins.open)
                patch.setattr(builtins, "open", made)
                patch.setattr(io, "open", made)
            else:
                name = call.removeprefix("os.")
                patch.setattr(os, name, self.wrapped(call, getattr(os, name)))


def said(run: Run, folder: Path, fault: Fault | None = None) -> tuple[Said, Watch]:
    """What the command says of a run, with a fault where there is one."""
    watch = Watch(folder, fault)
    with pytest.MonkeyPatch.context() as patch:
        watch.put(patch)
        return command([*REPORT, *run.words]), watch


def put(run: Run, folder: Path) -> None:
    for name, text in run.files.items():
        write(folder / name, text)


def faults(watch: Watch) -> Iterator[Fault]:
    for call, name in watch.seen:
        yield from (Fault(call, name, error) for error in ERRORS[call])


def judged(done: Said, fault: Fault) -> str:
    """What is wrong with what was said; "" where the fault is told."""
    name = fault.name.rpartition("/")[2]
    if done.code == 2:
        return "" if name in done.err else f"exit 2 without {name}: {done.err}"
    if done.code not in (0, 1):
        return f"exit {done.code}: {done.err}"
    for one in reports_of(done):
        told = json.dumps([one["undecided"], one["findings"]])
        # The folder of a cache stands for what is in it.
        if one["verdict"] != "pass" and (name in told or fault.name.split("/")[0] in told or "me/tiny" in told):
            return ""
    return f"verdict {[one['verdict'] for one in reports_of(done)]} without {name}"


def reports_of(done: Said) -> list[dict[str, Any]]:
    reports = json.loads(done.out)
    return reports if isinstance(reports, list) else [reports]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def untold(run: Run, folder: Path) -> tuple[list[str], set[str], int]:
    """The faults that are not told, the files that were looked at, and how many faults there were."""
    put(run, folder)
    clean, watch = said(run, folder)
    assert clean.code == 0, clean.err
    assert {one["verdict"] for one in reports_of(clean)} == {"pass"}, clean.out
    wrong, number = [], 0
    for number, fault in enumerate(faults(watch), 1):  # noqa: B007
        done, again = said(run, folder, fault)
        assert again.fired, fault
        assert done.code in (0, 1, 2), (fault, done.err)
        if fault.name in again.read or fault.name not in run.files:  # it was read after all, or it is a folder
            continue
        problem = judged(done, fault)
        if problem:
            wrong.append(f"{fault.call} {fault.name} {errno.errorcode[fault.error]}: {problem}")
    return wrong, {file for _, file in watch.seen}, number


@pytest.mark.parametrize("name", RUNS)
def test_a_fault_on_each_file_of_a_run_is_told(name: str, tmp_path: Path) -> None:
    wrong, looked_at, number = untold(RUNS[name], tmp_path)
    assert wrong == []
    assert looked_at >= set(RUNS[name].files)  # every file that was put there had its faults
    assert number >= 15 * len(RUNS[name].files)


def test_the_faults_are_on_every_kind_of_input() -> None:
    """What the runs above have between them."""
    assert len({file for run in RUNS.values() for file in run.files}) >= 25


def test_a_file_that_is_passed_over_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a reader that takes what it cannot read for absent, as the first release did, the test above fails."""

    def passed_over(*arguments: Any, **named_arguments: Any) -> named.Named:
        found = real(*arguments, **named_arguments)
        return named.NOTHING if found.document is None else found

    real = named._found
    monkeypatch.setattr(named, "_found", passed_over)
    wrong, _, _ = untold(RUNS["a DeepSpeed file that the Accelerate file names"], tmp_path)
    assert {line.split()[1] for line in wrong} == {"other.json"}
    assert all("verdict ['pass']" in line for line in wrong)


def test_a_fault_on_the_environment_makes_nothing_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metadata and files of packages: what cannot be read is not known, and never known to be absent."""
    site, more = tmp_path / "site", tmp_path / "more"
    install(site, "torch-2.11.0", "accelerate-1.15.0", "transformer_engine-2.20.2")
    install(more, "torchao-0.17.0", importable=False)
    write(more / "torchao-0.17.0.dist-info" / "direct_url.json", '{"dir_info": {"editable": true}}')
    write(more / "trl.egg-info" / "PKG-INFO", "Version: 1.16.0\n")
    (more / "trl").mkdir()
    write(site / "torch" / "version.py", "cuda = '13.0'\n")
    write(site / "transformer_engine" / "libtransformer_engine.so")
    write(site / "transformer_engine" / "wheel_lib" / "transformer_engine_torch.so")
    path = (str(site), str(more))
    monkeypatch.setattr(sys.modules["fp8check.rules.facts.collect"], "this_one", lambda: Interpreter("3.12.3", path))

    def looked(fault: Fault | None = None) -> tuple[dict[str, object], Watch]:
        watch = Watch(tmp_path, fault)
        with pytest.MonkeyPatch.context() as patch:
            watch.put(patch)
            scan = packages.scan(path)
            cuda = libraries.torch_cuda(path)
            parts = engine.parts(scan.versions, path)
        found = {**scan.versions, "cuda": cuda.get("torch", "no key"), **{f"te {key}": parts[key] for key in parts}}
        return found, watch

    clean, watch = looked()
    assert clean["torchao"] == "0.17.0"
    assert clean["trl"] == "1.16.0"
    assert clean["te core_library"] == "libtransformer_engine.so"
    assert clean["te torch_library"] == "transformer_engine_torch.so"
    assert len({name for _, name in watch.seen}) >= 6
    for fault in faults(watch):
        found, again = looked(fault)
        assert again.fired
        for key, value in clean.items():
            if value is not None:
                assert found.get(key, "no key") in (value, "no key", "unknown"), (fault, key)
