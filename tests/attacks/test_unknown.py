"""What is named and cannot be looked at is undecided, or refused with words: never clean, and never without end."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.attacks.lines import attack
from tests.support.command import COMMAND
from tests.support.service import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.service import Served

TRAIN = "model_name_or_path: Qwen/Qwen2.5-7B\noutput_dir: out\nper_device_train_batch_size: 8\nlearning_rate: 1.0e-5\n"
DEEPSPEED = "distributed_type: DEEPSPEED\nnum_processes: 1\nmixed_precision: 'no'\n"
FP8 = "distributed_type: 'NO'\nnum_processes: 1\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"
SCRIPT = 'from accelerate import Accelerator\naccelerator = Accelerator(mixed_precision="bf16")\n'
# All that is known of a machine on which everything is installed and works.
FACTS: dict[str, Any] = {
    "schema": "fp8check/facts/1",
    "python": "3.12.3",
    "packages": {
        "torch": "2.11.0",
        "accelerate": "1.15.0",
        "transformers": "5.17.0",
        "transformer_engine": "2.20.2",
        "transformer_engine_torch": "2.20.2",
        "torchao": "0.17.0",
        "deepspeed": "0.19.8",
        "peft": "0.21.0",
        "trl": "1.16.0",
        "msamp": None,
        "llamafactory": None,
        "axolotl": None,
    },
    "variables": {},
    "gpus": [{"index": 0, "name": "NVIDIA H200", "compute_capability": "9.0", "memory_mib": 143771, "mig": False}],
    "cuda": {"torch": "13.0", "driver": "13.0"},
}
DEFAULT_LAUNCH = "accelerate launch -m llamafactory.launcher train.yaml"
MEMORY = 1 << 30
# Permissions do not bind the superuser: these rights are taken from him (linux/capability.h, prctl.h).
DROP, OVERRIDES = 24, (1, 2)  # PR_CAPBSET_DROP; CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def _libc() -> ctypes.CDLL | None:
    """What takes the rights away; None where that cannot be done here."""
    library = ctypes.CDLL(None)
    may = "import ctypes, os; os._exit(ctypes.CDLL(None).prctl(24, 1, 0, 0, 0) != 0)"
    able = os.geteuid() != 0 or subprocess.run([sys.executable, "-c", may], check=False).returncode == 0
    return library if able else None


LIBC = _libc() if sys.platform == "linux" else None


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    if LIBC is not None and os.geteuid() == 0:
        for right in OVERRIDES:
            LIBC.prctl(DROP, right, 0, 0, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "facts.json").write_text(json.dumps(FACTS))
    (tmp_path / "train.yaml").write_text(TRAIN)
    (tmp_path / "accel.yaml").write_text(FP8)
    (tmp_path / "home").mkdir()
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command, with an end and with a bound for its memory; what does not end has the exit code -1."""
    try:
        return subprocess.run(
            [COMMAND, *words],
            cwd=folder,
            env={**os.environ, "HOME": str(folder / "home"), "HF_HOME": str(folder / "home" / "hf")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=15,
            check=False,
            preexec_fn=_bounded,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, -1, "", "it does not end")


def report(folder: Path, *words: str) -> dict[str, Any]:
    done = run(folder, *words, "--facts", "facts.json", "--format", "json")
    assert done.returncode in (0, 1), done.stderr
    one: dict[str, Any] = json.loads(done.stdout)
    return one


def lacking(one: dict[str, Any], name: str) -> set[str]:
    """The rules that are undecided for want of a file."""
    return {said["rule"] for said in one["undecided"] if name in said["needs"]}


def fifo(path: Path) -> None:
    os.mkfifo(path)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def missing(path: Path) -> None:
    assert not path.exists()


NO_FILES = [missing, dangling, loop, fifo, Path.mkdir]
kinds = pytest.mark.parametrize("kind", NO_FILES, ids=lambda kind: kind.__name__)


def test_what_deepspeed_would_say(folder: Path) -> None:
    """The error that is lost where its file is not read."""
    (folder / "ds.json").write_text('{"bf16": {"enabled": true}}')
    (folder / "train.yaml").write_text(TRAIN + "deepspeed: ds.json\n")
    (folder / "accel.yaml").write_text(DEEPSPEED)
    one = report(folder, "train.yaml", "accel.yaml")
    assert "FP314" in [found["rule"] for found in one["findings"]]


@attack("U1")
@kinds
def test_a_deepspeed_file_that_the_training_file_names(folder: Path, kind: Callable[[Path], None]) -> None:
    kind(folder / "ds.json")
    (folder / "train.yaml").write_text(TRAIN + "deepspeed: ds.json\n")
    (folder / "accel.yaml").write_text(DEEPSPEED)
    one = report(folder, "train.yaml", "accel.yaml")
    assert one["verdict"] == "undecided"
    assert "FP314" in lacking(one, "ds.json")
    assert one["outcome"]["starts"] is None
    assert run(folder, "train.yaml", "accel.yaml", "--facts", "facts.json", "--require-evidence").returncode == 3


@attack("U1")
@pytest.mark.parametrize(
    ("accelerate", "launch"),
    [
        (DEEPSPEED + "deepspeed_config: {deepspeed_config_file: ds.json}\n", None),
        (DEEPSPEED, "accelerate launch --config_file accel.yaml --deepspeed_config_file ds.json t.py train.yaml"),
        (DEEPSPEED, "accelerate launch --config_file accel.yaml t.py train.yaml --deepspeed ds.json"),
        ("distributed_type: 'NO'\nnum_processes: 1\n", "torchrun t.py --deepspeed ds.json"),
    ],
)
def test_a_deepspeed_file_that_others_name(folder: Path, accelerate: str, launch: str | None) -> None:
    (folder / "t.py").write_text("import trainer\n")
    (folder / "accel.yaml").write_text(accelerate)
    files = ["accel.yaml"] if launch is not None and "torchrun" in launch else ["train.yaml", "accel.yaml"]
    one = report(folder, *files, *(["--launch", launch] if launch is not None else []))
    assert "FP215" in lacking(one, "ds.json")
    assert one["outcome"]["starts"] is not True
    assert one["verdict"] != "pass"


def test_what_the_script_would_say(folder: Path) -> None:
    (folder / "t.py").write_text(SCRIPT)
    one = report(folder, "accel.yaml", "--launch", "accelerate launch --config_file accel.yaml t.py")
    assert "FP118" in [found["rule"] for found in one["findings"]]


@attack("U2")
@kinds
def test_a_script_that_cannot_be_read(folder: Path, kind: Callable[[Path], None]) -> None:
    kind(folder / "t.py")
    one = report(folder, "accel.yaml", "--launch", "accelerate launch --config_file accel.yaml t.py")
    assert "FP118" in lacking(one, "t.py")
    assert one["outcome"]["starts"] is None
    assert one["verdict"] == "undecided"


@attack("U2")
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(SCRIPT.encode() + b"#" * (1 << 20), id="over 1 MiB"),
        pytest.param(SCRIPT.encode() + b"x = " + b"-" * 100_000 + b"1\n", id="too deep"),
        pytest.param(SCRIPT.encode("utf-16"), id="UTF-16"),
        pytest.param(SCRIPT.encode() + "# é\n".encode("latin-1"), id="Latin-1"),
        pytest.param(SCRIPT.encode() + b"print 'Python 2'\n", id="no Python"),
    ],
)
def test_a_script_that_cannot_be_understood(folder: Path, content: bytes) -> None:
    (folder / "t.py").write_bytes(content)
    one = report(folder, "accel.yaml", "--launch", "accelerate launch --config_file accel.yaml t.py")
    assert "FP118" in lacking(one, "t.py")
    assert one["outcome"]["starts"] is None


@attack("U2")
@pytest.mark.parametrize(
    ("launch", "name"),
    [
        ("accelerate launch --config_file accel.yaml {}", "t"),
        ("accelerate launch --config_file accel.yaml {}", "train.sh"),
        ("accelerate launch --config_file accel.yaml -m pack.{}", "pack/t.py"),
        ("accelerate launch --config_file accel.yaml --module {}", "t/__main__.py"),
    ],
)
def test_a_script_by_another_name_is_read(folder: Path, launch: str, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(SCRIPT)
    named = name.removesuffix("/__main__.py").removesuffix(".py").rpartition("/")[2] if "-m" in launch else name
    one = report(folder, "accel.yaml", "--launch", launch.format(named))
    assert "FP118" in [found["rule"] for found in one["findings"]]


@attack("U2")
@pytest.mark.parametrize("launch", ["-m pack.t", "--module t", "--no_python ./start.sh"])
def test_a_module_that_is_not_here(folder: Path, launch: str) -> None:
    one = report(folder, "accel.yaml", "--launch", f"accelerate launch --config_file accel.yaml {launch}")
    assert "FP118" in lacking(one, launch.rpartition(" ")[2])


@attack("U2")
def test_beside_a_trainer_a_script_is_read_too(folder: Path) -> None:
    (folder / "accel.yaml").write_text("distributed_type: 'NO'\nnum_processes: 1\nmixed_precision: 'no'\n")
    launch = "accelerate launch --config_file accel.yaml t.py train.yaml"
    one = report(folder, "train.yaml", "accel.yaml", "--launch", launch)
    assert one["verdict"] == "undecided"
    assert one["outcome"]["starts"] is None


def default(folder: Path) -> list[str]:
    """Facts of a machine whose default file asks for FP8, and the words of a command that takes it."""
    variables = {"HF_HOME": str(folder / "hf")}
    (folder / "facts.json").write_text(json.dumps({**FACTS, "variables": variables}))
    path = folder / "hf" / "accelerate" / "default_config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(FP8)
    return ["train.yaml", "--launch", DEFAULT_LAUNCH]


def test_what_the_default_file_would_say(folder: Path) -> None:
    assert report(folder, *default(folder))["requested"]["fp8"] is True


@attack("U3")
@pytest.mark.parametrize("part", ["hf", "hf/accelerate", "hf/accelerate/default_config.yaml"])
@pytest.mark.parametrize("kind", [loop], ids=["loop"])
def test_a_default_file_that_cannot_be_read(folder: Path, part: str, kind: Callable[[Path], None]) -> None:
    words = default(folder)
    (folder / part).rename(folder / "away")
    kind(folder / part)
    one = report(folder, *words)
    assert one["verdict"] == "undecided"
    assert lacking(one, "default_config.yaml")
    assert one["outcome"]["starts"] is None


bound = pytest.mark.skipif(not LIBC, reason="the superuser of this system keeps all of his rights")


@bound
@pytest.mark.parametrize(
    ("closed", "files", "words"),
    [
        # Of these two release 0.1.0 said that they cannot be read, and no more.
        pytest.param("ds.json", {"train.yaml": TRAIN + "deepspeed: ds.json\n", "ds.json": "{}"}, [], id="DeepSpeed"),
        pytest.param("hf/accelerate/default_config.yaml", {}, ["--launch", DEFAULT_LAUNCH], id="default file"),
        pytest.param(
            "conf",
            {"train.yaml": TRAIN + "deepspeed: conf/ds.json\n", "conf/ds.json": "{}"},
            [],
            id="folder of the DeepSpeed file",
            marks=attack("U1"),
        ),
        pytest.param(
            "t.py", {"t.py": "import x\n"}, ["--launch", "torchrun t.py train.yaml"], id="script", marks=attack("U2")
        ),
        pytest.param(
            "hf/accelerate", {}, ["--launch", DEFAULT_LAUNCH], id="folder of the default file", marks=attack("U3")
        ),
        pytest.param(
            "m/config.json",
            {"m/config.json": "{}", "train.yaml": TRAIN.replace("Qwen/Qwen2.5-7B", "./m")},
            [],
            id="model",
            marks=attack("U1"),
        ),
    ],
)
def test_what_may_not_be_read(folder: Path, closed: str, files: dict[str, str], words: list[str]) -> None:
    default(folder)
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / closed).chmod(0)
    try:
        one = report(folder, "train.yaml", *words)
    finally:
        (folder / closed).chmod(0o755)
    assert one["verdict"] == "undecided"
    assert "permission denied" in json.dumps(one["undecided"])


@bound
@attack("U4")
def test_the_hook_tells_of_what_it_may_not_read(folder: Path) -> None:
    (folder / "accel.yaml").chmod(0)
    done = run(folder, "--hook", "accel.yaml")
    assert (done.returncode, "accel.yaml: permission denied" in done.stderr) == (2, True)


@attack("U4")
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: path.write_bytes(b"\xff\xfe" + FP8.encode("utf-16-le")), id="UTF-16"),
        pytest.param(lambda path: path.write_bytes(FP8.encode() + "# é\n".encode("latin-1")), id="Latin-1"),
        pytest.param(lambda path: path.write_text(FP8 + "#" * (1 << 20)), id="over 1 MiB"),
        pytest.param(dangling, id="dangling"),
        pytest.param(loop, id="loop"),
        pytest.param(fifo, id="FIFO"),
        pytest.param(lambda path: path.write_text("a:\n" + "- 1\n" * 60_000 + FP8), id="too many values"),
    ],
)
def test_the_hook_tells_of_a_file_that_it_cannot_read(folder: Path, make: Callable[[Path], object]) -> None:
    (folder / "accel.yaml").unlink()
    make(folder / "accel.yaml")
    done = run(folder, "--hook", "accel.yaml")
    assert done.returncode == 2
    assert "accel.yaml" in done.stderr


def test_the_hook_tells_of_what_nobody_can_parse(folder: Path) -> None:
    (folder / "a.yaml").write_text("{{ if x }}\nbf16: true\n")
    assert "a.yaml" in run(folder, "--hook", "a.yaml").stderr
    assert run(folder, "--hook", "--require-evidence", "a.yaml").returncode == 3
    (folder / "data.json").write_text("[" + "1," * 600_000 + "1]")
    done = run(folder, "--hook", "--require-evidence", "data.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")  # a list in JSON is no configuration


@pytest.mark.parametrize(
    ("name", "text", "code", "told"),
    [
        pytest.param("a.yaml", "{{ if x }}\nb: c\n", 0, False, id="a template of something else"),
        pytest.param("a.json", '{"a": 1,}', 0, False, id="settings of an editor"),
        pytest.param(
            "vocab.json", json.dumps({f"t{n}": n for n in range(13_000)} | {"x": {"bf16": 1}}), 0, False, id="data"
        ),
        pytest.param("vocab.json", json.dumps({f"t{n}": n for n in range(13_000)} | {"fp16": {}}), 2, True, id="ours"),
        pytest.param("data.json", json.dumps({f"t{n}": n for n in range(130_000)}), 0, False, id="over 1 MiB"),
        pytest.param(
            "data.json", json.dumps({f"t{n}": n for n in range(130_000)} | {"bf16": {}}), 2, True, id="ours, over"
        ),
        pytest.param(
            "vocab.json", json.dumps({f"t{n}": n for n in range(130_000)} | {"bf16": 1}), 0, False, id="tokens, over"
        ),
        pytest.param(
            "ds.json",
            '{"bf16": {"enabled": 1}, "zero_optimization": {"stage": ${STAGE}}}',
            0,
            True,
            id="filled in before",
        ),
        pytest.param(
            "ds.json",
            '{"bf16": {"enabled": 1}, "zero_optimization": {"stage": STAGE}}',
            2,
            True,
            id="DeepSpeed's, and broken",
        ),
    ],
)
def test_the_hook_tells_of_what_may_be_a_runs(folder: Path, name: str, text: str, code: int, told: bool) -> None:
    (folder / name).write_text(text)
    done = run(folder, "--hook", name)
    assert (done.returncode, name in done.stderr, done.stdout) == (code, told, "")


OF_FILES = ["--facts", "--baseline", "--config"]


@attack("N1")
@pytest.mark.parametrize("option", OF_FILES)
def test_a_fifo_is_refused(folder: Path, option: str) -> None:
    fifo(folder / "pipe")
    done = run(folder, "accel.yaml", option, "pipe")
    assert done.returncode == 2, done.stderr
    assert "pipe: a FIFO, not a regular file" in done.stderr


@attack("N1")
@pytest.mark.parametrize("text", ['baseline = "pipe"\n', '[[run]]\nfiles = ["accel.yaml"]\nfacts = "pipe"\n'])
def test_a_fifo_that_a_configuration_names_is_refused(folder: Path, text: str) -> None:
    fifo(folder / "pipe")
    (folder / "fp8check.toml").write_text(text)
    done = run(folder, *(["accel.yaml"] if "run" not in text else []))
    assert done.returncode == 2, done.stderr
    assert "pipe: a FIFO, not a regular file" in done.stderr


@attack("N2")
@pytest.mark.parametrize("configured", [False, True])
def test_a_device_is_refused(folder: Path, configured: bool) -> None:
    if configured:
        (folder / "fp8check.toml").write_text('baseline = "/dev/zero"\n')
    done = run(folder, "accel.yaml", *([] if configured else ["--baseline", "/dev/zero"]))
    assert done.returncode == 2, done.stderr
    assert "/dev/zero: a device, not a regular file" in done.stderr


@pytest.mark.parametrize("option", OF_FILES)
@pytest.mark.parametrize("kind", [*NO_FILES, lambda path: path.symlink_to("/dev/zero")])
def test_whatever_is_no_file_is_refused(folder: Path, option: str, kind: Callable[[Path], None]) -> None:
    kind(folder / "odd")
    done = run(folder, "accel.yaml", option, "odd")
    assert done.returncode == 2
    assert "odd: " in done.stderr


@pytest.mark.parametrize("option", OF_FILES)
def test_a_file_of_ten_gigabytes_is_refused_at_once(folder: Path, option: str) -> None:
    with (folder / "large").open("wb") as stream:
        stream.truncate(10 << 30)  # no block of it is written
    done = run(folder, "accel.yaml", option, "large")
    assert done.returncode == 2
    assert "large: larger than" in done.stderr


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served")) as one:
        yield one


def asked(service: Served, files: dict[str, str], **options: object) -> dict[str, Any]:
    body = {
        "files": [{"name": name, "text": text} for name, text in files.items()],
        "facts": json.dumps(FACTS),
        "options": options,
    }
    answer = service.post("/check?format=json", json=body)
    assert answer.status_code == 200, answer.text
    one: dict[str, Any] = answer.json()
    return one


@attack("U1")
def test_a_deepspeed_file_that_was_not_sent(service: Served) -> None:
    one = asked(service, {"train.yaml": TRAIN + "deepspeed: ds.json\n", "accel.yaml": DEEPSPEED})
    assert one["verdict"] == "undecided"
    assert "FP314" in lacking(one, "ds.json")
    assert "send it along" in json.dumps(one["undecided"])


@attack("U2")
def test_a_script_that_was_not_sent(service: Served) -> None:
    launch = "accelerate launch --config_file accel.yaml t.py"
    one = asked(service, {"accel.yaml": FP8}, launch=launch)
    assert "FP118" in lacking(one, "t.py")
    assert one["outcome"]["starts"] is None
    sent = asked(service, {"accel.yaml": FP8, "t.py": SCRIPT}, launch=launch)
    assert "FP118" in [found["rule"] for found in sent["findings"]]


def test_another_script_than_the_one_that_is_started_is_not_taken_for_it(service: Served) -> None:
    launch = "accelerate launch --config_file accel.yaml t.py"
    one = asked(service, {"accel.yaml": FP8, "other.py": "accelerator = Accelerator()\n"}, launch=launch)
    assert "FP118" in lacking(one, "t.py")


def test_a_script_without_py_can_be_sent(service: Served) -> None:
    launch = "accelerate launch --config_file accel.yaml src/t"
    one = asked(service, {"accel.yaml": FP8, "a.py": "import x\n", "src/t": SCRIPT}, launch=launch)
    assert "FP118" in [found["rule"] for found in one["findings"]]


def test_a_training_file_that_only_the_launch_names(folder: Path) -> None:
    (folder / "accel.yaml").write_text("distributed_type: 'NO'\nnum_processes: 1\nmixed_precision: 'no'\n")
    launch = "accelerate launch --config_file accel.yaml -m llamafactory.launcher {}"
    one = report(folder, "accel.yaml", "--launch", launch.format("gone.yaml"))
    assert one["verdict"] == "undecided"
    assert lacking(one, "gone.yaml")
    one = report(folder, "accel.yaml", "--launch", launch.format("train.yaml"))
    assert (one["verdict"], [file["path"] for file in one["files"]]) == ("pass", ["train.yaml", "accel.yaml"])  # type: ignore[index, attr-defined]
    assert report(folder, "accel.yaml", "train.yaml", "--launch", launch.format("train.yaml"))["verdict"] == "pass"
