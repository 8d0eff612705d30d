"""What leaves: reports in every format, messages of errors, pages. No character of them steers a terminal or a CI system."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING

import pytest

from tests.attacks.lines import attack
from tests.support.command import run
from tests.support.service import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.service import Served

FORMATS = ("text", "json", "sarif", "junit", "html", "concise", "github", "gitlab", "markdown")
CASES = ("Cc", "Cf", "Cs", "Zl", "Zp")
RIGHT_TO_LEFT = "\u202e"
LINE = "\n::stop-commands::x"


def hidden(text: str) -> set[str]:
    """The characters of a text that are not seen, less line breaks and tabs."""
    return {char for char in text if unicodedata.category(char) in CASES and char not in "\n\t"}


def commands(text: str) -> list[str]:
    """The lines that a CI system takes for commands, but for annotations of findings."""
    lines = re.split("\r\n|[\n\r]", text)
    steering = (line for line in lines if line.strip().startswith("::") or re.search(r"##\w*\[", line))
    return [line for line in steering if not re.match("::(error|warning|notice) title=FP[0-9]+", line)]


def check(folder: Path, format_: str, files: dict[str, str], *options: str) -> str:
    """The report of files that are written into the folder."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    done = run(*files, "--format", format_, "--no-environment", *options, cwd=folder)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def accelerate(recipe: str) -> str:
    """An Accelerate file whose recipe has this for its format, in the quotes of JSON."""
    return (
        "distributed_type: 'NO'\nmixed_precision: fp8\nnum_processes: 1\n"
        f"fp8_config:\n  backend: TE\n  fp8_format: {recipe}\n"
    )


def quoted(text: str) -> str:
    """A text in double quotes, with every character that YAML does not take as it is escaped."""
    return json.dumps(text)


# S1: values in the text report


@attack("S1")
@pytest.mark.parametrize("value", [f"HYBRID{LINE}", "HYBRID\x1b[2J\x1b]0;title\x07", "HYBRID\r\x9b31m"])
def test_a_value_stays_in_its_line(value: str, tmp_path: Path) -> None:
    text = check(tmp_path, "text", {"accel.yaml": accelerate(quoted(value))})
    assert hidden(text) == set()
    assert commands(text) == []
    assert re.search(r"requested .*HYBRID\\", text)  # what it really holds is seen


@pytest.mark.parametrize("command", ["outcome", "explain", "fix", "plan", "upgrade"])
@pytest.mark.parametrize("value", [f"x{LINE}", "\x1b[2J", RIGHT_TO_LEFT, "\u200b", "\U000e0041", "##[group]"])
def test_other_commands_show_it_as_well(command: str, value: str, tmp_path: Path) -> None:
    (tmp_path / "accel.yaml").write_text(accelerate(quoted(value)))
    words = {"outcome": ("outcome", "accel.yaml"), "explain": ("explain", "accel.yaml:6"), "fix": ("fix", "accel.yaml")}
    words["plan"] = ("plan", "accel.yaml")
    words["upgrade"] = ("upgrade", "accel.yaml", "--to", "accelerate==1.9.0")
    done = run(*words[command], *(() if command == "fix" else ("--no-environment",)), cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    for text in (done.stdout, done.stderr):
        assert hidden(text) == set()
        assert commands(text) == []


# S2: escapes and characters that turn the direction


@attack("S2")
@pytest.mark.parametrize("char", ["\x1b", RIGHT_TO_LEFT, "\u2066", "\u200f"], ids=lambda char: f"U+{ord(char):04X}")
@pytest.mark.parametrize("format_", ["github", "html"])
def test_no_such_character_reaches_annotations_and_pages(format_: str, char: str, tmp_path: Path) -> None:
    key = quoted(f"margn{char}exe")
    files = {"accel.yaml": accelerate(quoted(f"HYBRID{char}")) + f"  {key}: 1\n"}
    text = check(tmp_path, format_, files)
    assert hidden(text) == set()
    assert f"\\x{ord(char):02x}" in text or f"\\u{ord(char):04x}" in text


@attack("S2")
def test_nor_does_one_that_stands_in_a_comment(tmp_path: Path) -> None:
    files = {"accel.yaml": f"# {RIGHT_TO_LEFT} evil \u2066\n" + accelerate("HYBRID")}
    assert hidden(check(tmp_path, "html", files)) == set()


@pytest.mark.parametrize("format_", FORMATS)
def test_no_format_lets_anything_hidden_out(format_: str, tmp_path: Path) -> None:
    every = "".join(chr(code) for code in (*range(1, 32), *range(127, 160), 0xAD, 0x61C, 0x2028, 0x2029, 0xFEFF))
    bidi = "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\U000e0001\U000e007f\ufff9"
    files = {"accel.yaml": accelerate(quoted(every + bidi + LINE)) + f"  {quoted(every + bidi)}: 1\n"}
    text = check(tmp_path, format_, files, "--launch", f"accelerate launch train{bidi}.py --x '##[group]{LINE}'")
    assert hidden(text) == set()
    assert commands(text) == []
    if format_ in ("json", "sarif", "gitlab"):
        assert json.loads(text)


# S3: standard error


@attack("S3")
@pytest.mark.parametrize(
    "words",
    [
        ("no\x1b[2Jsuch\u202e.yaml",),
        (f"no{LINE}",),
        ("--launch", f"accelerate launch '--x{LINE}'", "accel.yaml"),
        ("--launch", "accelerate launch --x\x1b[2J", "accel.yaml"),
        (f"--x\x1b[2J{LINE}", "accel.yaml"),
        ("--format", f"x\x1b[2J{LINE}", "accel.yaml"),
        ("--config", f"no\x1b[2J{LINE}", "accel.yaml"),
        ("fix", f"no\x1b[2J{LINE}"),
    ],
    ids=lambda words: repr(words[-2:][0])[:24],
)
def test_what_is_refused_is_not_repeated_raw(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "accel.yaml").write_text(accelerate("HYBRID"))
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert hidden(done.stderr) == set()
    assert commands(done.stderr) == []
    assert len(done.stderr) > 20


@attack("S3")
@pytest.mark.parametrize("key", ["a\x1b[2J\u202e", f"a{LINE}", "a##[group]"], ids=["escape", "line", "hashes"])
def test_nor_is_a_key_of_the_configuration(key: str, tmp_path: Path) -> None:
    (tmp_path / "fp8check.toml").write_text(f"{quoted(key)} = 1\n")
    done = run(cwd=tmp_path)
    assert done.returncode == 2
    assert hidden(done.stderr) == set()
    assert commands(done.stderr) == []


# S4: the older commands of GitHub's runner, anywhere in a line; those of Azure Pipelines and TeamCity


@attack("S4")
@pytest.mark.parametrize("command", ["##[add-mask]x", "##vso[task.complete result=Succeeded;]", "##teamcity[x]"])
@pytest.mark.parametrize("format_", ["text", "json", "html", "junit", "concise", "gitlab", "sarif"])
def test_no_older_command_passes(format_: str, command: str, tmp_path: Path) -> None:
    files = {"accel.yaml": accelerate(quoted(command)) + f"  {quoted(command)}: 1\n"}
    text = check(tmp_path, format_, files)
    assert commands(text) == []
    if format_ in ("json", "sarif", "gitlab"):
        assert command in json.dumps(json.loads(text)) or "#\\\\#" in text


# S5: files outside of the run's folder

SECRET = "a-line-of-somebody-else"
DEEPSPEED = f'{{"bf16": {{"enabled": true}}, "zero_optimization": {{"stage": 3}}, "note": "{SECRET}"}}\n'
SCRIPT = f"# {SECRET}\nfrom accelerate import Accelerator\naccelerator = Accelerator(kwarg_handlers=['{SECRET}'])\n"


def outside(folder: Path) -> tuple[Path, Path]:
    """The folder of the run, and a DeepSpeed file and a script beside it."""
    run_folder = folder / "run"
    (folder / "elsewhere").mkdir()
    run_folder.mkdir()
    (folder / "elsewhere" / "ds.json").write_text(DEEPSPEED)
    (folder / "elsewhere" / "train.py").write_text(SCRIPT)
    return run_folder, folder / "elsewhere"


def with_deepspeed(named: str) -> dict[str, str]:
    return {
        "accel.yaml": "distributed_type: DEEPSPEED\nmixed_precision: fp8\nnum_processes: 8\nfp8_config:\n  backend: TE\n"
        f"deepspeed_config:\n  deepspeed_config_file: {named}\n"
    }


@attack("S5")
@pytest.mark.parametrize("how", ["above", "by its whole path", "by a link"])
def test_a_file_elsewhere_is_not_embedded(how: str, tmp_path: Path) -> None:
    folder, elsewhere = outside(tmp_path)
    (folder / "link.json").symlink_to(elsewhere / "ds.json")
    names = {"above": "../elsewhere/ds.json", "by its whole path": str(elsewhere / "ds.json"), "by a link": "link.json"}
    text = check(folder, "html", with_deepspeed(names[how]))
    assert SECRET not in text
    assert names[how] in text  # that it was read is said


@attack("S5")
def test_nor_is_a_script_elsewhere(tmp_path: Path) -> None:
    folder, elsewhere = outside(tmp_path)
    launch = f"accelerate launch --config_file accel.yaml {elsewhere}/train.py"
    text = check(folder, "html", {"accel.yaml": accelerate("HYBRID")}, "--launch", launch)
    assert SECRET not in text
    assert "kwarg_handlers" in text  # what is wrong with it is said


@pytest.mark.parametrize("format_", FORMATS)
def test_no_format_quotes_a_file_elsewhere(format_: str, tmp_path: Path) -> None:
    folder, elsewhere = outside(tmp_path)
    launch = f"accelerate launch --config_file accel.yaml {elsewhere}/train.py"
    text = check(folder, format_, with_deepspeed("../elsewhere/ds.json"), "--launch", launch)
    assert SECRET not in text


def test_what_is_in_the_folder_or_named_is_quoted(tmp_path: Path) -> None:
    folder, elsewhere = outside(tmp_path)
    (folder / "ds.json").write_text(DEEPSPEED)
    assert SECRET in check(folder, "html", with_deepspeed("ds.json"))
    done = run("accel.yaml", str(elsewhere / "ds.json"), "--format", "html", "--no-environment", cwd=folder)
    assert SECRET in done.stdout


def test_a_configuration_names_nothing_elsewhere(tmp_path: Path) -> None:
    folder, elsewhere = outside(tmp_path)
    (elsewhere / "accel.yaml").write_text(f"# {SECRET}\n{accelerate('HYBRID')}")
    (folder / "fp8check.toml").write_text('[[run]]\nfiles = ["../elsewhere/accel.yaml"]\n')
    done = run("--format", "html", "--no-environment", cwd=folder)
    assert done.returncode in (0, 1), done.stderr
    assert SECRET not in done.stdout


# E1: JSON that is indented with tabs

TABS = (
    '{\n\t"distributed_type": "NO",\n\t"mixed_precision": "fp8",\n\t"num_processes": 1,\n'
    '\t"fp8_config": {"backend": "TE", "margn": 0}\n}\n'
)


@attack("E1")
@pytest.mark.parametrize("format_", [name for name in FORMATS if name != "text"])
def test_json_with_tabs_is_reported(format_: str, tmp_path: Path) -> None:
    assert "FP203" in check(tmp_path, format_, {"accel.json": TABS})


@attack("E1")
def test_json_with_tabs_is_fixed(tmp_path: Path) -> None:
    (tmp_path / "accel.json").write_text(TABS)
    done = run("fix", "accel.json", "--unsafe", cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    assert "margn" not in (tmp_path / "accel.json").read_text()
    assert '\n\t"num_processes": 1,\n' in (tmp_path / "accel.json").read_text()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("service")) as one:
        yield one


@attack("E1")
@pytest.mark.parametrize("format_", ["json", "sarif", "html"])
def test_json_with_tabs_is_answered(format_: str, service: Served) -> None:
    body = {"files": [{"name": "accel.json", "text": TABS}]}
    answer = service.post(f"/check?format={format_}", json=body)
    assert answer.status_code == 200, answer.text
    assert "FP203" in answer.text


@pytest.mark.parametrize(
    "script", ["x = {\n\t'a': [1,\n", "import accelerate\naccelerate.Accelerator(kwarg_handlers=[])\n"]
)
def test_no_script_is_read_as_yaml(script: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(script)
    launch = "accelerate launch --config_file accel.yaml train.py"
    for format_ in FORMATS:
        check(tmp_path, format_, {"accel.yaml": accelerate("HYBRID")}, "--launch", launch)


# E3: half of a surrogate pair, which no UTF-8 text can hold

HALF = {
    "accel.json": '{"distributed_type": "NO", "mixed_precision": "fp8", "num_processes": 1, '
    '"fp8_config": {"backend": "TE", "fp8_format": "\\ud800", "x\\udfff": "\\ud800"}}\n'
}


@attack("E3")
@pytest.mark.parametrize("format_", FORMATS)
def test_half_a_pair_is_reported(format_: str, tmp_path: Path) -> None:
    text = check(tmp_path, format_, HALF)
    assert "FP" in text
    assert hidden(text) == set()


@attack("E3")
@pytest.mark.parametrize("where", ["in yaml", "in a key", "in facts", "in a name", "in the launch line"])
def test_half_a_pair_elsewhere(where: str, tmp_path: Path) -> None:
    facts = {"schema": "fp8check/facts/1", "variables": {"NVTE_X": "\ud800"}, "packages": {"accelerate": "1.15.0"}}
    (tmp_path / "facts.json").write_text(json.dumps(facts))
    files = {
        "in yaml": {"accel.yaml": accelerate('"\\ud800"')},
        "in a key": {"accel.yaml": accelerate("HYBRID") + '  "\\ud800": 1\n'},
        "in a name": {"n\udcff.yaml": accelerate("HYBRID")},
    }.get(where, {"accel.yaml": accelerate("HYBRID")})
    options = {
        "in facts": ("--facts", "facts.json"),
        "in the launch line": ("--launch", "NVTE_X=\udcff accelerate launch --config_file accel.yaml"),
    }.get(where, ("--no-environment",))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    for format_ in FORMATS:
        done = run(*files, "--format", format_, *options, cwd=tmp_path)
        assert done.returncode in (0, 1), done.stderr


@attack("E3")
@pytest.mark.parametrize("format_", FORMATS)
def test_half_a_pair_is_answered(format_: str, service: Served) -> None:
    (name, text) = next(iter(HALF.items()))
    answer = service.post(f"/check?format={format_}", json={"files": [{"name": name, "text": text}]})
    assert answer.status_code == 200, answer.text
    assert hidden(answer.text) == set()


def test_half_a_pair_is_fixed_and_stored_in_a_baseline(tmp_path: Path) -> None:
    (tmp_path / "accel.json").write_text(HALF["accel.json"])
    done = run("accel.json", "--write-baseline", "known.json", "--no-environment", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "known.json").read_bytes())
    done = run("accel.json", "--baseline", "known.json", "--no-environment", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert run("fix", "accel.json", "--unsafe", "--diff", cwd=tmp_path).returncode in (0, 1)


EVERY = f"\x1b[31m{RIGHT_TO_LEFT}\u200b##[group]x{LINE}\r\x9b"


@attack("S2")
@pytest.mark.parametrize("path", ["/check?format=html", "/check?format=github"])
def test_no_answer_holds_anything_hidden(path: str, service: Served) -> None:
    body = {
        "accelerate": accelerate(quoted(EVERY)),
        "training": f"bf16: true\nstage: sft\noutput_dir: {quoted(EVERY)}\n",
    }
    answer = service.post(path, json=body)
    assert answer.status_code == 200, answer.text
    assert hidden(answer.text) == set()
    assert commands(answer.text) == []


@pytest.mark.parametrize("format_", FORMATS)
def test_nor_does_what_is_stored_or_refused(format_: str, service: Served) -> None:
    """Stored checks and their page, problems, the form that comes back with what was sent, and the log."""
    training = f"bf16: true # {RIGHT_TO_LEFT}\nstage: sft\noutput_dir: {quoted(EVERY)}\n{quoted(EVERY)}: 1\n"
    files = [{"name": f"x{EVERY}.yaml", "text": training}, {"name": "accel.yaml", "text": accelerate(quoted(EVERY))}]
    options = {"launch": f"accelerate launch '{EVERY}'", "variables": {"NVTE_X": EVERY}}
    answer = service.post(f"/check?format={format_}", json={"files": files, "options": options})
    stored = answer.headers.get("content-location", "/checks/none")
    answers = [
        answer,
        service.get(f"{stored}?format={format_}"),
        service.get(stored, headers={"Accept": "text/html"}),
        service.get("/checks", headers={"Accept": "text/html"}),
        service.post("/check", json={"files": [{"name": f"x{EVERY}", "text": f"{EVERY}: ["}]}),
        service.post("/check", json={"accelerate": "x: 1", EVERY: 1}),
        service.post("/check", json={"accelerate": accelerate("HYBRID"), "options": {"launch": EVERY}}),
        service.post("/check", json={"accelerate": accelerate("HYBRID"), "options": {"select": [EVERY]}}),
        service.post("/", data={"accelerate": f"{RIGHT_TO_LEFT} [\u200b\x1b", "launch": f"'{EVERY}", "facts": EVERY}),
        service.get("/rules/%1b%5B31m%E2%80%AE"),
    ]
    for one in answers:
        assert one.status_code < 500, one.text
        assert hidden(one.text) == set(), one.text
        assert commands(one.text) == []
    log = service.log.read_text()
    assert hidden(log) == set()
    assert commands(log) == []


# S6: credentials


def made(length: int) -> str:
    """Letters and digits that are no credential of anybody."""
    return ("Zq7" + "aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zC" * 4)[:length]


KINDS = {
    "Google OAuth": "ya29." + made(40),
    "Google API": "AIza" + made(35),
    "npm": "npm_" + made(36),
    "PyPI": "pypi-AgEIcHlwaS5vcmc" + made(60),
    "Grafana": "glsa_" + made(32) + "_1a2b3c4d",
}
MORE = {
    "Hugging Face": "hf_" + made(34),
    "Anthropic": "sk-ant-api03-" + made(90),
    "GitHub": "ghs_" + made(36),
    "GitLab": "glpat-" + made(20),
    "AWS": "ASIA" + "Q2W3E4R5T6Y7U2I3",
    "Slack": "xoxb-123456789012-" + made(24),
    "Databricks": "dapi" + "0123456789abcdef" * 2,
    "a token of the web": f"eyJ{made(20)}.eyJ{made(20)}.{made(30)}",
    "Stripe": "sk_live_" + made(24),
}
NAMED = made(24).lower()  # no shape tells this one


@attack("S6")
@pytest.mark.parametrize("kind", KINDS)
def test_a_variable_of_a_shape_that_scanners_know_is_masked(kind: str, tmp_path: Path) -> None:
    text = check_with(tmp_path, "json", HF_HUB_ENDPOINT_X=KINDS[kind])
    assert KINDS[kind] not in text
    assert '"HF_HUB_ENDPOINT_X": "***"' in text


def check_with(folder: Path, format_: str, **variables: str) -> str:
    """A report with what is known of this machine, whose shell has these variables."""
    (folder / "accel.yaml").write_text(accelerate("HYBRID"))
    done = run("accel.yaml", "--format", format_, cwd=folder, **variables)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@attack("S6")
@pytest.mark.parametrize(
    "variable", [f"HF_TOKEN={NAMED}", f"WANDB_API_KEY='{NAMED}'", f'MY_SECRET="{NAMED[:9]}""{NAMED[9:]}"']
)
def test_a_variable_of_the_launch_command_is_masked(variable: str, tmp_path: Path) -> None:
    launch = f"{variable} accelerate launch --config_file accel.yaml train.py"
    text = check(tmp_path, "json", {"accel.yaml": accelerate("HYBRID")}, "--launch", launch)
    assert NAMED not in text


@attack("S6")
@pytest.mark.parametrize("kind", [*KINDS, *MORE])
def test_a_value_of_a_file_is_masked_in_reports(kind: str, tmp_path: Path) -> None:
    """In messages and in the lines that are quoted; the marks below a line stay where they were."""
    secret = (KINDS | MORE)[kind]
    files = {"accel.yaml": accelerate(quoted(secret)) + f'  margn: "{secret}"  # {secret}\n'}
    for format_ in ("text", "html"):
        text = check(tmp_path, format_, files)
        assert secret not in text
        assert "*****" in text
    lines = check(tmp_path, "text", files).splitlines()
    at = next(number for number, line in enumerate(lines) if "margn:" in line and " | " in line)
    assert lines[at].index("margn") == lines[at + 1].index("^")
    assert lines[at + 1].count("^") == len(f'margn: "{secret}"')


@attack("S6")
@pytest.mark.parametrize(
    "lines",
    [
        "hub_token: {}",
        "hub_token: '{}'",
        "hub_token: &t {}",
        "hub_token:\n  {}",
        "hub_token: >-\n  {}",
        "wandb_api_key: {}",
        "# export HF_TOKEN={}",
        "launch: python train.py --hub_token {}",
        "env: {{OPENAI_API_KEY: {}}}",
        "hub_token: {}\nhub_token: none",
    ],
)
def test_a_value_is_masked_by_its_name(lines: str, tmp_path: Path) -> None:
    train = "model_name_or_path: Qwen/Qwen2.5-7B\nstage: sft\noutput_dir: x\nbf16: true\n"
    files = {"train.yaml": train + lines.format(NAMED) + "\n", "accel.yaml": accelerate("HYBRID")}
    for format_ in ("text", "html", "json", "sarif", "junit", "github"):
        assert NAMED not in check(tmp_path, format_, files)
    page = check(tmp_path, "html", files)
    assert "Qwen/Qwen2.5-7B" in page
    assert "*" * len(NAMED) in page


@pytest.mark.parametrize("format_", FORMATS)
def test_no_format_lets_a_credential_out(format_: str, tmp_path: Path) -> None:
    secrets = [*KINDS.values(), *MORE.values(), NAMED]
    recipe = (
        "".join(f"  {quoted(f'x {secret}')}: {quoted(secret)}\n" for secret in secrets[:-1]) + f"  api_key: {NAMED}\n"
    )
    launch = f"WANDB_API_KEY={NAMED} accelerate launch --main_process_ip {secrets[0]} train.py --hub_token {NAMED}"
    text = check(tmp_path, format_, {"accel.yaml": accelerate(quoted(secrets[1])) + recipe}, "--launch", launch)
    for secret in secrets:
        assert secret not in text


@pytest.mark.parametrize("command", ["fix", "explain", "outcome", "stderr", "baseline"])
def test_no_command_lets_a_credential_out(command: str, tmp_path: Path) -> None:
    secret = KINDS["npm"]
    text = accelerate(quoted(secret)) + f"  hub_token: {NAMED}\n  margn: 1 # {secret}\n"
    (tmp_path / "accel.yaml").write_text(text)
    words = {
        "fix": ("fix", "accel.yaml", "--unsafe", "--diff"),
        "explain": ("explain", "accel.yaml:7", "--no-environment"),
        "outcome": ("outcome", "accel.yaml", "--no-environment"),
        "stderr": ("accel.yaml", "--launch", f"{secret} --hub_token {NAMED}"),
        "baseline": ("accel.yaml", "--no-environment", "--write-baseline", "known.json"),
    }
    done = run(*words[command], cwd=tmp_path)
    shown = done.stdout + done.stderr
    if command == "baseline":
        shown += (tmp_path / "known.json").read_text()
    assert done.returncode in (0, 1, 2), done.stderr
    assert secret not in shown
    assert NAMED not in shown


def test_the_service_stores_and_shows_no_credential(service: Served) -> None:
    secret = KINDS["Grafana"]
    training = (
        f"model_name_or_path: Qwen/Qwen2.5-7B\nstage: sft\noutput_dir: x\nhub_token: {NAMED}\nbf16: true # {secret}\n"
    )
    body = {
        "training": training,
        "accelerate": accelerate(quoted(secret)),
        "options": {"launch": f"HF_TOKEN={NAMED} accelerate launch train.py", "variables": {"MY_API_KEY": NAMED}},
    }
    answer = service.post("/check", json=body)
    assert answer.status_code == 200, answer.text
    stored = answer.headers["content-location"]
    for format_ in FORMATS:
        text = service.get(f"{stored}?format={format_}").text
        assert "accelerate.yaml" in text or format_ == "junit"
        assert NAMED not in text
        assert secret not in text
    page = service.get(stored, headers={"Accept": "text/html"}).text
    assert NAMED not in page + answer.text
    assert secret not in page + answer.text
    database = next(service.log.parent.glob("checks.db"))
    for part in database.parent.glob("checks.db*"):
        assert NAMED.encode() not in part.read_bytes()
        assert secret.encode() not in part.read_bytes()
    assert NAMED not in service.log.read_text()
