"""What a checkout or a request can have run: nothing (A1 to A4), and what a program that is run can do (U5, E7, N3, N4, S9)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.attacks.lines import attack
from tests.support.command import COMMAND, run
from tests.support.hostile import make
from tests.support.processes import PARTS, gone, numbers_in
from tests.support.service import served
from tests.support.trees import script

if TYPE_CHECKING:
    from collections.abc import Iterator

TRAIN = "model_name_or_path: Qwen/Qwen2.5-7B\nper_device_train_batch_size: 1\nmax_seq_length: 64\noutput_dir: x\n"
ACCELERATE = 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n  fp8_format: HYBRID\n'
WRONG = '{"distributed_type": "NO", "mixed_precision": "fp8", "fp8_config": {"backend": "te"}}\n'  # YAML, too
GPU = "0, NVIDIA H200, 9.0, 143771, Disabled, 580.159.04"
REAL_PYTHON = shutil.which(sys.executable) or sys.executable
# What no program may get of a run, whoever names it.
HOSTILE = {
    "LD_PRELOAD": "/nowhere/evil.so",
    "LD_AUDIT": "/nowhere/evil.so",
    "PYTHONPATH": "/nowhere/evil",
    "PYTHONSTARTUP": "/nowhere/evil.py",
    "PYTHONWARNINGS": "all:0:antigravity.x:0:0",
    "PATH": "/nowhere/evil:/usr/bin:/bin",
    "CXX": "/nowhere/evil",
    "CC": "/nowhere/evil",
    "BROWSER": "/nowhere/evil %s",
    "TRITON_CACHE_DIR": "/nowhere/evil",
    "TORCH_EXTENSIONS_DIR": "/nowhere/evil",
    "TORCHINDUCTOR_CACHE_DIR": "/nowhere/evil",
    "NVTE_CUDA_INCLUDE_DIR": "/nowhere/evil",
    "CUDA_HOME": "/nowhere/evil",
    "HF_HOME": "/nowhere/evil",
    "ACCELERATE_CONFIG_FILE": "/nowhere/evil",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A run in a folder of its own."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "train.yaml").write_text(TRAIN)
    (folder / "accel.yaml").write_text(ACCELERATE)
    return folder


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder for programs, outside of the checkout."""
    folder = tmp_path / "tools"
    folder.mkdir()
    return folder


def spy(tools: Path) -> tuple[str, Path]:
    """An interpreter that writes down its environment, and then is the real one."""
    seen = tools / "seen"
    seen.mkdir()
    text = f'/usr/bin/env -0 > {seen}/$$; echo "$(pwd)" >> {seen}/folders; exec {REAL_PYTHON} "$@"'
    return script(tools / "python", text), seen


def site(tools: Path) -> str:
    """A folder of packages that make an environment that trains, as far as their metadata tells."""
    folder = tools / "site"
    releases = {"torch": "2.9.1", "accelerate": "1.15.0", "transformers": "4.57.1", "transformer_engine": "2.9.0"}
    for name, release in releases.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise ImportError('no package: a test')\n")
        (folder / f"{name}-{release}.dist-info").mkdir()
    return str(folder)


def environments(seen: Path) -> list[dict[str, str]]:
    """The environments that were written down."""
    files = [one for one in seen.iterdir() if one.name.isdigit()]
    return [dict(pair.split("=", 1) for pair in one.read_text().split("\0") if "=" in pair) for one in files]


def flat(variables: dict[str, str]) -> str:
    return " ".join(f"{name}='{value}'" for name, value in variables.items())


# A1: variables


@attack("A1")
@pytest.mark.parametrize("way", ["variables", "launch"])
def test_no_variable_of_a_request_reaches_a_process(way: str, checkout: Path, tools: Path) -> None:
    python, seen = spy(tools)
    options: dict[str, object] = {"probe": True, "trainer": "transformers"}
    if way == "variables":
        options["variables"] = HOSTILE
    else:
        options["launch"] = f"{flat(HOSTILE)} accelerate launch train.py"
    files = [{"name": name, "text": (checkout / name).read_text()} for name in ("train.yaml", "accel.yaml")]
    gpu = f'echo "{GPU}"'
    script(tools / "nvidia-smi", gpu)
    with served(
        checkout,
        PATH=f"{tools}:{os.environ['PATH']}",
        PYTHONPATH=site(tools),
        FP8CHECK_TRAINING_PYTHON=python,
    ) as one:
        for old in seen.iterdir():
            old.unlink()
        answer = one.post("/check", json={"files": files, "options": options}, headers={"Prefer": "wait=60"})
        assert answer.status_code in (200, 202), answer.text
    assert environments(seen), "the probe was started"
    for environment in environments(seen):
        assert "evil" not in json.dumps(environment)
        assert "antigravity" not in json.dumps(environment)


@attack("A1")
@pytest.mark.parametrize("by", ["launch of the configuration", "launch", "--set-variable"])
def test_no_variable_that_loads_code_reaches_the_probe(by: str, checkout: Path, tools: Path) -> None:
    python, seen = spy(tools)
    words = ["train.yaml", "accel.yaml", "--trainer", "transformers"]
    line = f"{flat(HOSTILE)} accelerate launch train.py"
    if by == "launch":
        words += ["--launch", line]
    elif by == "--set-variable":
        words += [word for name, value in HOSTILE.items() for word in ("--set-variable", f"{name}={value}")]
    else:
        (checkout / "fp8check.toml").write_text(
            f'[[run]]\nfiles = ["train.yaml", "accel.yaml"]\ntrainer = "transformers"\nlaunch = """{line}"""\n'
        )
        words = []
    words += ["--probe", "--python", python, "--format", "json"]
    done = run(*words, cwd=checkout, PYTHONPATH=site(tools))
    assert environments(seen)
    for environment in environments(seen):
        assert "evil" not in json.dumps(environment)
        assert "antigravity" not in json.dumps(environment)
    probe = json.loads(done.stdout)["probe"]
    assert "variables that no other program gets" in json.dumps(probe["assumed"]), "and the report says so"


def _probed_with(line: str, checkout: Path, python: str, path: str, *words: str) -> dict[str, Any]:
    (checkout / "fp8check.toml").write_text(
        f'[[run]]\nfiles = ["train.yaml", "accel.yaml"]\ntrainer = "transformers"\nlaunch = """{line}"""\n'
    )
    done = run("--probe", "--python", python, "--format", "json", *words, cwd=checkout, PYTHONPATH=path)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_a_variable_of_a_configuration_reaches_the_probe_with_consent_only(checkout: Path, tools: Path) -> None:
    python, seen = spy(tools)
    line = "FSDP_VERSION=2 NVTE_BACKWARD_OVERRIDE=high_precision accelerate launch train.py"
    path = site(tools)
    report = _probed_with(line, checkout, python, path)
    assert report["probe"]["ended"] == "not run"
    assert "--trust-config" in report["probe"]["why"]
    assert report["verdict"] != "pass"
    assert all("NVTE_BACKWARD_OVERRIDE" not in environment for environment in environments(seen))
    _probed_with(line, checkout, python, path, "--trust-config")
    assert any(one.get("NVTE_BACKWARD_OVERRIDE") == "high_precision" for one in environments(seen))


@attack("A1")
def test_the_environment_of_each_child_is_an_allow_list(checkout: Path, tools: Path) -> None:
    """Promise 6: what a child gets of this process's own environment, too."""
    python, seen = spy(tools)
    script(tools / "nvidia-smi", f'/usr/bin/env -0 > {seen}/$$; echo "{GPU}"')
    own = {
        "HF_TOKEN": "hf_abcdefghijklmnop",
        "AWS_SECRET_ACCESS_KEY": "x",
        "FP8CHECK_DATABASE": "postgresql://a:b@c/d",
        "PYTHONSTARTUP": "/nowhere/x.py",
        "PYTHONWARNINGS": "default",
        "BROWSER": "/nowhere/x",
        "SOMETHING": "else",
        "NVTE_FLASH_ATTN": "0",
        "CUDA_VISIBLE_DEVICES": "0",
    }
    path = f".::{checkout}:{tools}:{os.environ['PATH']}"
    words = ["train.yaml", "accel.yaml", "--trainer", "transformers", "--python", python, "--probe"]
    run(*words, cwd=checkout, PATH=path, LD_LIBRARY_PATH=f":/opt/lib:.:{checkout}", PYTHONPATH=site(tools), **own)
    run("env", "--import-check", "--python", python, cwd=checkout, PATH=path, **own)
    told = environments(seen)
    assert len(told) >= 4
    for environment in told:
        left = set(environment) & (set(own) - {"NVTE_FLASH_ATTN", "CUDA_VISIBLE_DEVICES"})
        assert not left, left
        assert environment["NVTE_FLASH_ATTN"] == "0"
        for entry in environment["PATH"].split(":") + environment.get("LD_LIBRARY_PATH", "/x").split(":"):
            assert os.path.isabs(entry)
            assert Path(entry) != checkout
    folders = set((seen / "folders").read_text().split())
    assert str(checkout) not in folders
    assert not any(Path(one).exists() for one in folders), "the working folders are removed"


# A2: programs that a configuration names


def _evil(checkout: Path) -> Path:
    mark = checkout.parent / "was_here"
    script(checkout / "evil", f"touch {mark}")
    return mark


@attack("A2")
@pytest.mark.parametrize("file", ["fp8check.toml", "pyproject.toml"])
@pytest.mark.parametrize("words", [(), ("--config",), ("--format", "json")])
def test_a_configuration_starts_no_program(file: str, words: tuple[str, ...], checkout: Path) -> None:
    _no_program_is_started(file, words, checkout)


@pytest.mark.parametrize(
    "words", [("outcome",), ("probe",), ("--probe",), ("--server", "http://127.0.0.1:9"), ("fix",)]
)
def test_nor_for_another_command(words: tuple[str, ...], checkout: Path) -> None:
    _no_program_is_started("fp8check.toml", words, checkout)


def _no_program_is_started(file: str, words: tuple[str, ...], checkout: Path) -> None:
    mark = _evil(checkout)
    prefix = "tool.fp8check." if file == "pyproject.toml" else ""
    (checkout / file).write_text(f'[[{prefix}run]]\nfiles = ["train.yaml", "accel.yaml"]\npython = "./evil"\n')
    done = run(*words, *([file] if words == ("--config",) else []), cwd=checkout)
    assert not mark.exists()
    if words != ("fix",):  # which takes its files from the command line alone
        assert done.returncode in ((4,) if "--server" in words else (0, 3)), done.stderr
        assert "was not started" in done.stderr
        assert "--trust-config" in done.stderr


def test_what_is_not_asked_is_undecided(checkout: Path) -> None:
    _evil(checkout)
    (checkout / "fp8check.toml").write_text('[[run]]\nfiles = ["train.yaml", "accel.yaml"]\npython = "./evil"\n')
    done = run("--format", "json", "--require-evidence", cwd=checkout)
    report = json.loads(done.stdout)
    assert done.returncode == 3
    assert report["verdict"] != "pass"
    assert "packages" in json.dumps(report["undecided"])
    assert any("was not started" in note for note in report["facts"]["notes"])


@pytest.mark.parametrize("way", ["--trust-config", "--python", "the user's own configuration", "a folder above"])
def test_consent_starts_it(way: str, checkout: Path, tmp_path: Path) -> None:
    mark = _evil(checkout)
    (checkout / "fp8check.toml").write_text('[[run]]\nfiles = ["train.yaml", "accel.yaml"]\npython = "./evil"\n')
    home = tmp_path / "config"
    (home / "fp8check").mkdir(parents=True)
    folder = {"the user's own configuration": checkout, "a folder above": tmp_path}.get(way)
    if folder is not None:
        (home / "fp8check" / "config.toml").write_text(f'trusted = ["/elsewhere", "{folder}"]\n')
    words = {"--trust-config": ["--trust-config"], "--python": ["--python", "./evil"]}.get(way, [])
    done = run(*words, cwd=checkout, XDG_CONFIG_HOME=str(home))
    assert mark.exists()
    assert "it printed no answer" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('trusted = ["/elsewhere"]', "was not started"),
        ('trusted = ["{folder}-not"]', "was not started"),
        ("trusted = []", "was not started"),
        ("", "was not started"),
        ('trusted = ["."]', "is relative"),
        ("trusted = true", "is a list of folders"),
        ("trust = []", "is not known"),
        ("trusted = [", "config.toml"),
    ],
)
def test_the_users_own_configuration_names_whole_folders(text: str, said: str, checkout: Path, tmp_path: Path) -> None:
    mark = _evil(checkout)
    (checkout / "fp8check.toml").write_text('[[run]]\nfiles = ["train.yaml", "accel.yaml"]\npython = "./evil"\n')
    own = tmp_path / "config" / "fp8check" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text(text.replace("{folder}", str(checkout)))
    done = run(cwd=checkout, XDG_CONFIG_HOME=str(tmp_path / "config"))
    assert said in done.stderr
    assert not mark.exists()


def test_a_relative_place_of_the_users_configuration_does_not_count(checkout: Path) -> None:
    mark = _evil(checkout)
    (checkout / "fp8check.toml").write_text('[[run]]\nfiles = ["train.yaml", "accel.yaml"]\npython = "./evil"\n')
    own = checkout / "config" / "fp8check" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text(f'trusted = ["{checkout}"]')
    run(cwd=checkout, XDG_CONFIG_HOME="config")
    assert not mark.exists()


# A3: file names that look like options

NAMES = [
    "--format=json=out.yaml",
    "--write-baseline=x.json",
    "--fail-on=never",
    "--help",
    "-h",
    "--version",
    "--ignore=FP2",
    "--select=FP9",
    "--fail-on=never.yaml",
    "--no-config",
    "--config=c.yaml",
    "--baseline=b.json",
    "--server=localhost",
    "--facts=f.json",
    "--probe",
    "-q",
    "--",
    "-",
    "--hook",
    "--no-such-option",
    "--format",
]


@attack("A3")
@pytest.mark.parametrize("name", NAMES[:8])
def test_an_argument_of_the_hook_that_is_a_file_is_a_file(name: str, checkout: Path) -> None:
    """Whatever a file is called, the hook says no: obeyed, each of these would make it say yes, or write elsewhere."""
    (checkout / name).write_text(WRONG)
    (checkout / "wrong.yaml").write_text(WRONG)
    (checkout / "out.yaml").write_text("untouched\n")
    done = run("--hook", name, "wrong.yaml", cwd=checkout)
    assert (checkout / "out.yaml").read_text() == "untouched\n"
    assert not (checkout / "x.json").exists()
    assert done.returncode == 1, done.stderr
    assert done.stdout.count("FP201 error") == 2, "both files were checked"


@pytest.mark.parametrize("name", NAMES)
def test_such_a_file_alone(name: str, checkout: Path) -> None:
    (checkout / name).write_text(WRONG)
    done = run("--hook", *(["--hook"] if name == "--hook" else []), name, cwd=checkout)
    assert done.returncode == 1, done.stderr
    assert "FP201" in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_such_a_file_beside_others(name: str, checkout: Path) -> None:
    (checkout / name).write_text("other: yaml\n")
    (checkout / "wrong.yaml").write_text(WRONG)
    done = run("--hook", name, "wrong.yaml", cwd=checkout)
    assert done.returncode == 1, done.stderr
    assert "FP201" in done.stdout
    assert "is taken for no option" in done.stderr or name in ("--hook",)


def test_such_a_file_in_a_folder_that_is_called_like_an_option(checkout: Path) -> None:
    folder = checkout / "--format=json=" / "elsewhere"
    folder.mkdir(parents=True)
    (folder / "y.yaml").write_text(WRONG)
    done = run("--hook", "--format=json=/elsewhere/y.yaml", cwd=checkout)
    assert done.returncode == 1, done.stderr


def test_a_dangling_link_is_something_that_was_committed(checkout: Path) -> None:
    (checkout / "--fail-on=never").symlink_to("nowhere")
    (checkout / "wrong.yaml").write_text(WRONG)
    assert run("--hook", "--fail-on=never", "wrong.yaml", cwd=checkout).returncode in (1, 2)


def test_the_hooks_own_options_count_before_the_first_file(checkout: Path) -> None:
    (checkout / "wrong.yaml").write_text(WRONG)
    (checkout / "-q").mkdir()  # a folder is nothing that git commits
    assert run("--hook", "-q", "--fail-on=never", "wrong.yaml", cwd=checkout).returncode == 0
    assert run("--hook", "--fail-on", "never", "wrong.yaml", cwd=checkout).returncode == 0
    assert run("--hook", "--fail-on", "never", "--", "wrong.yaml", cwd=checkout).returncode == 0
    after = run("--hook", "wrong.yaml", "--fail-on=never", cwd=checkout)
    assert after.returncode in (1, 2), "behind a file everything is a file, also one that is not there any more"
    assert run("--hook", "--no-such-option", "wrong.yaml", cwd=checkout).returncode == 2


def test_a_value_is_a_value_also_where_a_file_has_its_name(checkout: Path) -> None:
    (checkout / "wrong.yaml").write_text(WRONG)
    run("wrong.yaml", "--write-baseline", "base.json", "--no-environment", cwd=checkout)
    assert run("--hook", "--baseline", "base.json", "wrong.yaml", cwd=checkout).returncode == 0


# A4: the current folder on the path of a child

TRAPS = (
    *("json.py", "sitecustomize.py", "usercustomize.py", "os.py", "site.py", "encodings.py", "yaml.py", "pynvml.py"),
    *("subprocess.py", "socket.py", "selectors.py", "ctypes.py", "re.py", "asyncio.py", "fp8check.py", "tomllib.py"),
    *("transformer_engine/__init__.py", "torch/__init__.py", "importlib/__init__.py", "fp8check_probe/__init__.py"),
)


@pytest.fixture
def trapped(checkout: Path) -> Path:
    """A checkout of modules that tell that they were imported."""
    mark = checkout.parent / "was_imported"
    code = f"import posix; posix.close(posix.open({str(mark)!r}, posix.O_CREAT | posix.O_WRONLY))\n"
    for name in TRAPS:
        file = checkout / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(code)
    (checkout / "transformer_engine" / "pytorch.py").write_text(code)
    (checkout / "pyvenv.cfg").write_text("home = .\ninclude-system-site-packages = true\n")
    (checkout / "evil.pth").write_text(f"import posix; posix.open({str(mark)!r}, posix.O_CREAT)\n")
    return checkout


def nothing_is_imported(trapped: Path) -> None:
    assert not (trapped.parent / "was_imported").exists(), "a module of the checkout was imported"


@attack("A4")
@pytest.mark.parametrize(
    "words",
    [
        ("train.yaml", "accel.yaml", "--python", REAL_PYTHON),
        ("env", "--import-check"),
        ("env", "--import-check", "--python", REAL_PYTHON),
        ("env", "--python", REAL_PYTHON, "--json"),
    ],
)
def test_no_child_imports_from_the_current_folder(words: tuple[str, ...], trapped: Path) -> None:
    done = run(*words, cwd=trapped)
    nothing_is_imported(trapped)
    assert done.returncode in (0, 1, 2), done.stderr


@attack("A4")
def test_the_services_child_imports_nothing_from_its_current_folder(trapped: Path) -> None:
    text = ACCELERATE + "# " + "x" * 20_000 + "\n"  # large enough for a process of its own
    with served(trapped) as one:
        answer = one.post("/check", json={"files": [{"name": "accel.yaml", "text": text}]})
        nothing_is_imported(trapped)
        assert answer.status_code == 200


@pytest.mark.parametrize("entry", ["", ".", ":/nowhere", "/nowhere:", "{here}", "{link}"])
@pytest.mark.parametrize(
    "words",
    [
        ("train.yaml", "accel.yaml", "--python", REAL_PYTHON, "--probe"),
        ("env", "--import-check", "--python", REAL_PYTHON),
    ],
)
def test_an_entry_of_pythonpath_that_is_the_current_folder(
    entry: str, words: tuple[str, ...], trapped: Path, tmp_path: Path
) -> None:
    """An empty entry means the current folder. What Python itself imports before fp8check begins is out of its hands."""
    for name in ("sitecustomize.py", "usercustomize.py", "os.py", "site.py", "encodings.py", "re.py", "fp8check.py"):
        (trapped / name).unlink()
    shutil.rmtree(trapped / "importlib")
    (tmp_path / "link").symlink_to(trapped)
    path = entry.format(here=trapped, link=tmp_path / "link")
    done = run(*words, cwd=trapped, PYTHONPATH=path)
    nothing_is_imported(trapped)
    assert "Traceback" not in done.stderr


def test_a_bare_name_of_an_interpreter_is_none_of_the_current_folder(checkout: Path) -> None:
    mark = _evil(checkout)
    done = run("train.yaml", "accel.yaml", "--python", "evil", cwd=checkout, PATH=f".::{checkout}:{os.environ['PATH']}")
    assert not mark.exists()
    assert done.returncode == 2
    assert "cannot be started" in done.stderr


def test_metadata_of_the_checkout_is_no_installed_plugin(checkout: Path) -> None:
    mark = checkout.parent / "was_here"
    (checkout / "evil_plugin.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    info = checkout / "evil_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evil-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[fp8check.rules]\nevil = evil_plugin\n[fp8check.trainers]\nevil = evil_plugin:X\n"
    )
    (checkout / "fp8check.toml").write_text('plugins = ["evil"]\n')
    for path in ("", ".", str(checkout)):
        done = run("train.yaml", "accel.yaml", cwd=checkout, PYTHONPATH=path)
        assert done.returncode == 2
        assert "no installed package has the plug-in evil" in done.stderr
        assert run("train.yaml", "--trainer", "evil", cwd=checkout, PYTHONPATH=path).returncode == 2
    assert not mark.exists()


# U5: nvidia-smi


@attack("U5")
@pytest.mark.parametrize(
    "says", ["exit 0", "echo", "echo; echo '   '; echo", "printf '\\t\\n \\n'", "printf '\\r\\n\\r\\n'", "printf '\\f'"]
)
def test_an_nvidia_smi_that_says_nothing_is_not_no_gpu(says: str, checkout: Path, tools: Path) -> None:
    _no_gpu_is_claimed(says, checkout, tools)


@pytest.mark.parametrize(
    "says",
    [
        "echo garbage",
        "echo '0'",
        "echo ',,,,,'",
        "echo 'index, name, compute_cap'",
        f"echo '{GPU}, more'",
        f"echo '{GPU}'; echo garbage",
        f"echo '{GPU}'; exit 3",
        "echo 'No devices were found'; echo 'or were they'",
        "printf '\\377\\376\\000'",
        "kill -9 $$",
        "exit 1",
        "echo '-1, NVIDIA H200, 9.0, 1, Disabled, 580.1'",
        "echo '0, NVIDIA H200, nine, 1, Disabled, 580.1'",
    ],
)
def test_nor_is_one_that_says_something_else(says: str, checkout: Path, tools: Path) -> None:
    _no_gpu_is_claimed(says, checkout, tools)


def _no_gpu_is_claimed(says: str, checkout: Path, tools: Path) -> None:
    script(tools / "nvidia-smi", says)
    path = f"{tools}:{os.environ['PATH']}"
    facts = json.loads(run("env", "--json", cwd=checkout, PATH=path).stdout)
    assert facts.get("gpus") is None, "unknown, and not none"
    assert "nvidia-smi" in json.dumps(facts["notes"])
    done = run("train.yaml", "accel.yaml", "--format", "json", cwd=checkout, PATH=path)
    assert "FP703" not in {one["rule"] for one in json.loads(done.stdout)["findings"]}


def test_an_nvidia_smi_of_the_current_folder_is_not_run(checkout: Path) -> None:
    mark = checkout.parent / "was_here"
    script(checkout / "nvidia-smi", f"touch {mark}; echo '{GPU}'")
    for path in (".", "", str(checkout)):
        facts = json.loads(run("env", "--json", cwd=checkout, PATH=f"{path}:/usr/bin:/bin").stdout)
        assert facts.get("gpus") is None
    assert not mark.exists()


# E7, N4: nvidia-ml-py and libnvidia-ml


def _pynvml(tools: Path, code: str) -> dict[str, str]:
    script(tools / "nvidia-smi", "exit 9")
    (tools / "pynvml.py").write_text(code)
    return {"PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(tools)}


@attack("E7")
@pytest.mark.parametrize(
    "code",
    [
        "raise RuntimeError('no driver')",
        "raise OSError('libnvidia-ml.so.1: cannot open shared object file')",
        "raise AttributeError('x')",
        "raise SystemExit(0)",
        "def",
        "import os; os._exit(0)",
        "import os; os.abort()",
    ],
)
def test_a_pynvml_that_raises_anything_is_no_answer(code: str, checkout: Path, tools: Path) -> None:
    done = run("train.yaml", "accel.yaml", "--format", "json", cwd=checkout, **_pynvml(tools, code))
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert report["facts"].get("gpus") is None
    assert "nvidia-ml-py" in json.dumps(report["facts"]["notes"])


@attack("N4")
def test_a_libnvidia_ml_that_hangs_is_given_up(checkout: Path, tools: Path) -> None:
    began = time.monotonic()
    with subprocess.Popen(
        [COMMAND, "env", "--json"],
        cwd=checkout,
        stdout=subprocess.PIPE,
        env={**os.environ, **_pynvml(tools, "import time\nnvmlInit = lambda: time.sleep(600)\n")},
    ) as process:
        try:
            out, _ = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            pytest.fail("it hangs")
    assert time.monotonic() - began < 45
    assert json.loads(out).get("gpus") is None
    assert "gave no answer" in json.dumps(json.loads(out)["notes"])


# N3: output without an end


@attack("N3")
@pytest.mark.parametrize("stream", ["", " >&2"])
def test_a_python_that_prints_without_end_is_ended(stream: str, checkout: Path, tools: Path) -> None:
    python = script(tools / "python", f"exec yes '{'x' * 500}'{stream}")
    limited = f"ulimit -v 1500000; exec {COMMAND} train.yaml accel.yaml --python {python}"
    began = time.monotonic()
    done = subprocess.run(
        ["timeout", "-k", "5", "60", "bash", "-c", limited], cwd=checkout, capture_output=True, check=False
    )
    assert done.returncode == 2, done.stderr[-500:]
    assert b"printed more than" in done.stderr
    assert time.monotonic() - began < 20


@attack("N3")
def test_an_nvidia_smi_that_prints_without_end_is_ended(checkout: Path, tools: Path) -> None:
    script(tools / "nvidia-smi", f"exec yes '{GPU}'")
    limited = f"ulimit -v 1500000; exec {COMMAND} env --json"
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["timeout", "-k", "5", "60", "bash", "-c", limited],
        cwd=checkout,
        capture_output=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0
    assert json.loads(done.stdout).get("gpus") is None


# S9: the tree of a child

TREE = """
cd {folder}
setsid sh -c 'echo $$ > session; exec sleep 600' &
(setsid sh -c 'setsid sleep 600 & echo $! > orphan' &)
sh -c 'trap "" TERM INT HUP; echo $$ > deaf; while :; do sleep 600; done' &
while [ ! -s session ] || [ ! -s orphan ] || [ ! -s deaf ]; do sleep 0.02; done
sleep 600
"""


@pytest.fixture
def tree(tools: Path) -> Iterator[tuple[str, Path]]:
    """An interpreter that starts processes with sessions of their own, as torchrun does, when it is to probe."""
    folder = tools / "tree"
    folder.mkdir()
    start = TREE.format(folder=folder)
    text = f'case "$*" in *fp8check_probe*|*transformer_engine.pytorch*) {start};; esac\nexec {REAL_PYTHON} "$@"'
    yield script(tools / "python", text), folder
    for name in PARTS:
        file = folder / name
        if file.exists():
            subprocess.run(["kill", "-9", file.read_text().strip()], check=False, capture_output=True)


@attack("S9")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_whatever_signal_ends_the_command_ends_the_tree(
    number: signal.Signals, checkout: Path, tree: tuple[str, Path]
) -> None:
    python, folder = tree
    words = ["train.yaml", "accel.yaml", "--trainer", "transformers", "--python", python, "--probe"]
    with subprocess.Popen(
        [COMMAND, *words],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": site(Path(python).parent)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        numbers = numbers_in(folder)
        process.send_signal(number)
    assert gone(numbers)


@attack("S9")
def test_the_tree_of_an_import_check_ends_with_the_command(checkout: Path, tree: tuple[str, Path]) -> None:
    python, folder = tree
    with subprocess.Popen(
        [COMMAND, "env", "--import-check", "--python", python],
        cwd=checkout,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        numbers = numbers_in(folder)
        process.send_signal(signal.SIGTERM)
    assert gone(numbers)


# Promise 1: nothing of a checkout is run


def _audited(lines: str, path: str) -> tuple[list[Any], dict[str, int]]:
    """What an audit hook saw of commands over checkouts, and how often each exit code came."""
    python = Path(COMMAND).with_name("python")
    words = [str(python), "-I", "-B", str(Path(__file__).parent.parent / "support" / "audited.py")]
    environment = {**os.environ, "PATH": f".::{path}:{os.environ['PATH']}"}
    done = subprocess.run(words, input=lines, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    *seen, codes = (json.loads(line) for line in done.stdout.splitlines())
    return seen, codes


@attack("A2")
@pytest.mark.parametrize(
    "numbers", [range(0, 300, 6), pytest.param(range(300), marks=pytest.mark.slow)], ids=["50", "300"]
)
def test_nothing_of_hostile_checkouts_is_run(numbers: range, tmp_path: Path) -> None:
    """No program, no import, no connection, and nothing is written but what the words of a command name."""
    mark = tmp_path / "mark"
    checkouts = [make(number, tmp_path, mark) for number in numbers]
    seen, codes = _audited("".join(json.dumps(one) + "\n" for one in checkouts), "/usr/bin")
    assert seen == []
    assert not mark.exists()
    assert sum(codes.values()) == sum(len(one.commands) for one in checkouts)
    assert codes["0"] + codes["1"] > sum(codes.values()) / 2, "most of them get as far as a verdict"


@pytest.mark.parametrize(
    ("words", "event"),
    [
        (["train.yaml", "accel.yaml", "--python", "./evil"], "subprocess.Popen"),
        (["train.yaml", "accel.yaml", "--format", "json=elsewhere.json"], "changed"),
        (["train.yaml", "--server", "http://127.0.0.1:9", "--no-environment"], "socket.connect"),
    ],
)
def test_the_hook_sees_what_it_is_to_see(words: list[str], event: str, checkout: Path) -> None:
    _evil(checkout)
    seen, _ = _audited(json.dumps([str(checkout), [[words, []]]]) + "\n", "/usr/bin")
    assert event in {what for _, _, what, _ in seen}
