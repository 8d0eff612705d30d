"""Every file that a run names is read, or the run says which was not, why, and what would decide it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from fp8check.rules.checking.examining import examine
from fp8check.rules.checking.runs import Assembled, WrongFiles, assemble, parse_launch
from fp8check.rules.facts import Facts
from fp8check.rules.outcome import predict
from fp8check.rules.reading.limits import MAX_BYTES
from fp8check.rules.settings.script_syntax import MAX_CALLS, MAX_CHARACTERS
from fp8check.rules.trainers.detect import read
from tests.support.outcomes import DEEPSPEED

if TYPE_CHECKING:
    from pathlib import Path

TRAIN = "output_dir: out\nbf16: true\nper_device_train_batch_size: 8\n"
SCRIPT = "accelerator = Accelerator(mixed_precision='bf16')\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with no home of the user's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def one(
    training: str = "",
    accelerate: str = "",
    launch: str | None = None,
    *,
    follow: bool = True,
    script: tuple[str, bytes] | None = None,
    **variables: str,
) -> Assembled:
    files = [("train.yaml", training), ("accel.yaml", accelerate)]
    documents = [read(name, text.encode()) for name, text in files if text]
    facts = Facts(variables=variables)
    (made,) = assemble(documents, facts, launch=parse_launch(launch), follow=follow, script=script)
    return made


def unread(made: Assembled) -> list[tuple[str, str, str]]:
    return [(one.input, one.path, one.why) for one in made.run.unread]


@pytest.mark.parametrize(
    ("named", "path"),
    [
        ({"training": TRAIN + "deepspeed: ds.json\n"}, "ds.json"),
        ({"accelerate": DEEPSPEED.replace("zero_stage: 1", "deepspeed_config_file: ds.json")}, "ds.json"),
        ({"launch": "accelerate launch --use_deepspeed --deepspeed_config_file ds.json -m trl.x"}, "ds.json"),
        ({"launch": "deepspeed --module trl.x --deepspeed --deepspeed_config ds.json"}, "ds.json"),
        ({"launch": "torchrun -m trl.x --deepspeed=ds.json"}, "ds.json"),
        ({"training": TRAIN, "launch": "torchrun -m trl.x train.yaml --deepspeed ds.json"}, "ds.json"),
        ({"training": "model: x\nquant_config: {name: bnb}\ndist_config: {config_file: ds.json}\n"}, "ds.json"),
        ({"ACCELERATE_DEEPSPEED_CONFIG_FILE": "ds.json"}, "ds.json"),
    ],
)
def test_a_deepspeed_file_is_found_wherever_it_is_named(folder: Path, named: dict[str, str], path: str) -> None:
    missing = one(**named)
    assert unread(missing) == [("deepspeed", path, "no such file")]
    assert missing.run.unread[0].place is not None
    assert predict(missing.run).starts is not True
    (folder / path).write_text('{"x": 1}')
    there = one(**named)
    assert unread(there) == []
    assert there.run.deepspeed is not None
    assert there.run.deepspeed.top.value("x") == 1


def test_the_trainer_takes_the_file_that_the_training_file_names(folder: Path) -> None:
    (folder / "other.json").write_text("{}")
    accelerate = DEEPSPEED.replace("zero_stage: 1", "deepspeed_config_file: other.json")
    made = one(TRAIN + "deepspeed: ds.json\n", accelerate)
    assert made.run.deepspeed is None
    assert unread(made) == [("deepspeed", "ds.json", "no such file")]


@pytest.mark.parametrize(
    ("text", "value"),
    [("deepspeed: {x: 1}\n", 1), ("deepspeed: '{\"x\": 2}'\n", 2)],
)
def test_a_deepspeed_configuration_may_stand_where_it_is_named(text: str, value: object) -> None:
    made = one(TRAIN + text)
    assert unread(made) == []
    assert made.run.deepspeed is not None
    assert made.run.deepspeed.top.value("x") == value


@pytest.mark.parametrize("value", ["5", "[a]", "true"])
def test_what_names_no_file(value: str) -> None:
    ((input_, _, why),) = unread(one(f"{TRAIN}deepspeed: {value}\n"))
    assert (input_, why) == ("deepspeed", "this names no file")


@pytest.mark.parametrize("text", ["none", "null"])
def test_no_deepspeed_file(text: str) -> None:
    assert unread(one("", DEEPSPEED.replace("zero_stage: 1", f"deepspeed_config_file: {text}"))) == []
    assert unread(one(launch="accelerate launch --deepspeed_config_file none -m trl.x")) == []


@pytest.mark.parametrize(
    ("content", "why", "broken"),
    [
        (b"", "(line 1)", True),
        (b'{"a": 1,}', "a comma before '}' (line 1)", True),
        (b"\xff\xfe{\x00}\x00", "the file is UTF-16, not UTF-8 (line 1)", False),
        (b"[]", "it holds no mapping", False),
        (b"[" * 5000, "", False),
        (b" " * (MAX_BYTES + 1), f"larger than {MAX_BYTES:,} bytes", False),
    ],
)
def test_a_deepspeed_file_that_cannot_be_used(folder: Path, content: bytes, why: str, broken: bool) -> None:
    (folder / "ds.json").write_bytes(content)
    made = one(TRAIN + "deepspeed: ds.json\n")
    assert [(file.input, file.broken) for file in made.run.unread] == [("deepspeed", broken)]
    assert made.run.unread[0].why.endswith(why)
    assert predict(made.run).starts is (False if broken else None)  # text that is not JSON ends the Trainer's start


def test_a_file_that_is_gone_before_it_is_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fp8check.rules.checking import named
    from fp8check.rules.reading import Unreadable

    def gone(*_: object, **__: object) -> bytes:
        raise Unreadable("ds.json", "it is gone again")

    (folder / "ds.json").write_text("{")
    monkeypatch.setattr(named.files, "read", gone)
    monkeypatch.setattr(named, "read", gone)
    assert [file.broken for file in one(TRAIN + "deepspeed: ds.json\n").run.unread] == [False]


@pytest.mark.parametrize("kind", ["fifo", "folder", "link to nothing", "link loop", "device"])
def test_what_is_no_file(folder: Path, kind: str) -> None:
    path = folder / "ds.json"
    words = {
        "fifo": "a FIFO, not a regular file",
        "folder": "a folder, not a regular file",
        "link to nothing": "a link to a file that does not exist",
        "link loop": "too many levels of symbolic links",
        "device": "a device, not a regular file",
    }
    {
        "fifo": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "link to nothing": lambda: path.symlink_to("nowhere"),
        "link loop": lambda: path.symlink_to("ds.json"),
        "device": lambda: path.symlink_to("/dev/zero"),
    }[kind]()
    assert unread(one(TRAIN + "deepspeed: ds.json\n")) == [("deepspeed", "ds.json", words[kind])]


def test_rules_about_a_file_that_was_not_read_are_undecided() -> None:
    made = one(TRAIN + "deepspeed: ds.json\n")
    report = examine(made.run, made.documents)
    rules = {said.rule: said for said in report.undecided if said.needs == "ds.json: no such file"}
    assert set(rules) >= {"FP215", "FP314", "FP315", "FP517", "FP911"}
    assert rules["FP314"].command == "fp8check where ds.json can be read; to a service, send it along"
    assert report.verdict == "undecided"


@pytest.mark.parametrize(
    ("launch", "path", "why"),
    [
        ("accelerate launch train.py", "train.py", "no such file"),
        ("accelerate launch train", "train", "no such file"),
        ("python ~/train.py", "~/train.py", "no such file"),
        ("python -W ignore -u train.py", "train.py", "no such file"),
        ("python -m my.train", "my.train", "no such module"),
        ("torchrun -m my.train", "my.train", "no such module"),
        ("accelerate launch --module my.train", "my.train", "no such module"),
        ("python -c 'import train'", "-c", "code on the command line is not looked at"),
        ("python -", "-", "no such file"),
        ("torchrun --no_python ./start.sh", "./start.sh", "a command, and no Python file"),
        ("python .", ".", "a folder, not a regular file"),
    ],
)
@pytest.mark.parametrize("training", ["", TRAIN])
def test_a_script_that_is_not_here(launch: str, path: str, why: str, training: str) -> None:
    made = one(training, launch=launch)
    assert unread(made) == [("script", path, why)]
    report = examine(made.run, made.documents)
    assert report.verdict == "undecided"
    assert "FP118" in [said.rule for said in report.undecided]
    assert report.outcome.starts is None


@pytest.mark.parametrize(
    "launch",
    [
        "accelerate launch",
        "python",
        "python -m llamafactory.launcher train.yaml",
        "accelerate launch -m axolotl.cli.train train.yaml",
        "torchrun -m trl.scripts.sft",
        "llamafactory-cli train train.yaml",
        "trl sft --config train.yaml",
        "accelerate launch torchrun train.py",
    ],
)
def test_programs_and_modules_of_packages_are_no_scripts(launch: str) -> None:
    assert unread(one(TRAIN, launch=launch)) == []


@pytest.mark.parametrize(
    ("launch", "path"),
    [
        ("python train.py", "train.py"),
        ("python train", "train"),
        ("python -m my.train", "my/train.py"),
        ("python -m my", "my/__main__.py"),
        ("python ~/t.py", "home/t.py"),
    ],
)
def test_a_script_is_found_by_its_name_or_as_a_module(folder: Path, launch: str, path: str) -> None:
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_text(SCRIPT)
    made = one(launch=launch)
    assert unread(made) == []
    assert made.run.script.mixed_precision is not None
    assert made.run.script.mixed_precision.value == "bf16"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"def broken(:\n", "it is no Python that can be parsed here"),
        (b"x = " + b"(" * 2000 + b")" * 2000, "it is no Python that can be parsed here"),
        (b"#" * (MAX_CHARACTERS + 1), "it has more than 524,288 characters"),
        ("# é\n".encode("latin-1"), "byte 0xe9 is not UTF-8 (line 1)"),
        ("x = 1\n".encode("utf-16"), "the file is UTF-16, not UTF-8 (line 1)"),
        (b"#" * (MAX_BYTES + 1), f"larger than {MAX_BYTES:,} bytes"),
    ],
)
def test_a_script_that_cannot_be_read(folder: Path, content: bytes, why: str) -> None:
    (folder / "t.py").write_bytes(content)
    assert unread(one(launch="python t.py")) == [("script", "t.py", why)]


def test_a_folder_that_cannot_be_searched_is_no_missing_module(folder: Path) -> None:
    (folder / "my").symlink_to("my")
    assert unread(one(launch="python -m my.train")) == [("script", "my.train", "too many levels of symbolic links")]


def test_the_script_that_was_sent_is_the_one_that_is_started() -> None:
    sent = ("src/train.py", SCRIPT.encode())
    assert one(launch="python elsewhere/train.py", follow=False, script=sent).run.script.mixed_precision is not None
    other = one(launch="python other.py", follow=False, script=sent)
    assert unread(other) == [("script", "other.py", "no such file")]
    assert one(launch="python", follow=False, script=sent).run.script.mixed_precision is not None


def test_an_accelerate_file_that_is_named() -> None:
    launch = "accelerate launch --config_file ~/none.yaml -m trl.x"
    made = one(launch=launch)
    assert unread(made) == [("accelerate", "~/none.yaml", "no such file")]
    assert str(predict(made.run).undecided) == "~/none.yaml: no such file"


def test_a_configuration_that_a_trainer_brings() -> None:
    made = one(launch="trl sft --accelerate_config zero3")
    assert unread(made) == []
    assert made.run.config_read is not None
    assert made.run.config_read.top.value("distributed_type") == "DEEPSPEED"


def test_the_default_file_is_no_default_where_its_folder_does_not_tell(folder: Path) -> None:
    cache = folder / "hf"
    cache.symlink_to("hf")
    launch = "accelerate launch -m trl.x"
    made = one(TRAIN, launch=launch, HF_HOME=str(cache))
    path = str(cache / "accelerate" / "default_config.yaml")
    assert unread(made) == [("accelerate", path, "too many levels of symbolic links")]
    assert predict(made.run).starts is None
    assert examine(made.run, made.documents).verdict == "undecided"
    cpu = one(TRAIN, launch="accelerate launch --cpu -m trl.x", HF_HOME=str(cache))
    assert unread(cpu) == []


def test_a_broken_default_file_is_told_by_its_line(folder: Path) -> None:
    path = folder / "hf" / "accelerate" / "default_config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("mixed_precision: fp8\n: [\n")
    ((input_, where, why),) = unread(one(TRAIN, launch="accelerate launch -m trl.x", HF_HOME=str(folder / "hf")))
    assert (input_, where) == ("accelerate", str(path))
    assert why.endswith("(line 2)")


@pytest.mark.parametrize(
    ("accelerate", "launch", "training"),
    [
        (DEEPSPEED.replace("zero_stage: 1", "deepspeed_hostfile: hosts"), None, ""),
        ("distributed_type: MULTI_CPU\nmpirun_config: {mpirun_hostfile: hosts}\n", None, ""),
        ("", "deepspeed --hostfile hosts --module trl.x", ""),
        ("", None, TRAIN + "accelerator_config: hosts\n"),
    ],
)
def test_files_of_which_nothing_is_taken_have_to_be_there(
    folder: Path, accelerate: str, launch: str | None, training: str
) -> None:
    made = one(training, accelerate, launch)
    assert unread(made) == [("other", "hosts", "no such file")]
    assert predict(made.run).starts is not True
    (folder / "hosts").write_text("a slots=8\n")
    assert unread(one(training, accelerate, launch)) == []
    (folder / "hosts").unlink()
    (folder / "hosts").mkdir()
    assert unread(one(training, accelerate, launch)) == [("other", "hosts", "a folder, not a regular file")]


def test_files_of_which_nothing_is_taken_may_be_given() -> None:
    accelerate = read("accel.yaml", DEEPSPEED.replace("zero_stage: 1", "deepspeed_hostfile: conf/hosts").encode())
    (made,) = assemble([accelerate], Facts(), follow=False)
    assert unread(made) == [("other", "conf/hosts", "no such file")]
    (made,) = assemble([accelerate, read("hosts", b"a slots=8\n")], Facts(), follow=False)
    assert unread(made) == []
    with pytest.raises(WrongFiles):
        list(assemble([accelerate, read("others", b"a slots=8\n")], Facts(), follow=False))


def test_inline_settings_are_no_files() -> None:
    assert unread(one(TRAIN + "accelerator_config: '{\"split_batches\": true}'\n")) == []
    assert unread(one(TRAIN + "fsdp_config: '{\"version\": 2}'\n")) == []


FSDP = "fsdp: full_shard\nfsdp_config: fsdp.json\n"


def test_a_file_for_fsdp_is_read(folder: Path) -> None:
    made = one(TRAIN + FSDP, launch="torchrun -m trl.x")
    assert unread(made) == [("other", "fsdp.json", "no such file")]
    (folder / "fsdp.json").write_text('{"fsdp_version": 2}')
    made = one(TRAIN + FSDP, launch="torchrun -m trl.x")
    assert unread(made) == []
    state = predict(made.run).accelerator
    assert state is not None
    assert state.is_fsdp2
    assert [document.path for document in made.documents] == ["train.yaml", "fsdp.json"]


def test_a_file_for_fsdp_may_be_given() -> None:
    documents = [read("train.yaml", (TRAIN + FSDP).encode()), read("conf/fsdp.json", b'{"fsdp_version": 2}')]
    (made,) = assemble(documents, Facts(), follow=False)
    assert unread(made) == []
    assert made.run.training.top.section("fsdp_config").value("fsdp_version") == 2


@pytest.mark.parametrize("content", ["{", "[" * 2000])
def test_the_config_of_a_model_that_is_broken(folder: Path, content: str) -> None:
    (folder / "m").mkdir()
    (folder / "m" / "config.json").write_text(content)
    made = one(f"{TRAIN}model_name_or_path: ./m\n")
    ((input_, path, why),) = unread(made)
    assert (input_, path) == ("model", "./m")
    assert why.startswith("config.json of ./m: ")
    assert made.run.unread[0].needs == why
    report = examine(made.run, made.documents)
    assert report.verdict == "undecided"
    assert why in [said.needs for said in report.undecided]
    assert report.outcome.starts is True  # that it cannot be read here says nothing of the precision


@pytest.mark.parametrize("name", ["./m", "/models/m", "~/m"])
def test_a_models_folder_that_is_not_here(name: str) -> None:
    ((input_, _, why),) = unread(one(f"{TRAIN}model_name_or_path: {name}\n"))
    assert (input_, why) == ("model", f"{name}: no such directory here with a config.json")


def test_a_name_on_the_hub_is_no_folder() -> None:
    assert unread(one(f"{TRAIN}model_name_or_path: nobody/has-this\n")) == []


def test_a_cache_that_cannot_be_read(folder: Path) -> None:
    (folder / "hub").symlink_to("hub")
    made = one(f"{TRAIN}model_name_or_path: Qwen/Qwen2.5-7B\n", HF_HUB_CACHE=str(folder / "hub"))
    ((input_, _, why),) = unread(made)
    assert input_ == "model"
    assert why.endswith("refs/main: too many levels of symbolic links")


def test_a_flag_of_a_script_that_names_no_json(folder: Path) -> None:
    why = "no such module: what it makes of --deepspeed zero3 is not known"
    assert unread(one(launch="torchrun -m own.x --deepspeed zero3 --config x")) == [("script", "own.x", why)]
    assert unread(one(launch="torchrun -m trl.x --deepspeed zero3")) == [("deepspeed", "zero3", "no such file")]
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("launch", "name"),
    [
        ("llamafactory-cli train conf/sft.yaml", "conf/sft.yaml"),
        ("accelerate launch -m llamafactory.launcher sft.yaml", "sft.yaml"),
        ("trl sft --config sft.yaml", "sft.yaml"),
        ("python -m trl.scripts.sft --config sft.yml", "sft.yml"),
        ("axolotl train sft.yaml -- --config_file accel.yaml", "sft.yaml"),
    ],
)
def test_a_training_file_that_only_the_launch_names(launch: str, name: str) -> None:
    accelerate = "distributed_type: 'NO'\nnum_processes: 1\nmixed_precision: 'no'\n"
    made = one("", accelerate, launch)
    assert unread(made) == [("training", name, "no such file")]
    assert examine(made.run, made.documents).verdict == "undecided"
    assert unread(one(TRAIN, accelerate, launch)) == []
    made = one("", accelerate, launch, follow=False)
    assert ("training", name, "no such file") in unread(made)


@pytest.mark.parametrize(
    "launch", ["accelerate launch -m trl.scripts.sft", "llamafactory-cli train", "python -m trl.x"]
)
def test_a_launch_that_names_no_training_file(launch: str) -> None:
    assert unread(one("", "distributed_type: 'NO'\nnum_processes: 1\n", launch)) == []


def test_of_several_deepspeed_files_the_one_that_is_named_counts() -> None:
    files = [read(name, text) for name, text in (("a.json", b'{"zero_optimization": {}, "x": 1}'),)]
    files += [
        read("b.json", b'{"zero_optimization": {}, "x": 2}'),
        read("train.yaml", f"{TRAIN}deepspeed: c/b.json\n".encode()),
    ]
    (made,) = assemble(files, Facts(), follow=False)
    assert made.run.deepspeed is not None
    assert made.run.deepspeed.top.value("x") == 2
    (made,) = assemble([*files[:2], read("train.yaml", TRAIN.encode())], Facts(), follow=False)
    assert made.run.deepspeed is not None
    assert made.run.deepspeed.top.value("x") == 1


@pytest.mark.parametrize(
    ("accelerate", "launch", "input_"),
    [
        ("", "accelerate launch --config_file ${CONFIG} -m trl.x", "accelerate"),
        (DEEPSPEED.replace("zero_stage: 1", "deepspeed_hostfile: '${HOSTS}'"), None, "other"),
        (DEEPSPEED.replace("zero_stage: 1", "deepspeed_config_file: '${FILE}'"), None, "deepspeed"),
    ],
)
def test_a_name_that_is_filled_in_later(accelerate: str, launch: str | None, input_: str) -> None:
    ((named, _, why),) = unread(one("", accelerate, launch))
    assert (named, why) == (input_, "its name is filled in later")


def test_a_model_of_the_hub_is_not_looked_for_where_nothing_is_followed() -> None:
    made = one(f"{TRAIN}model_name_or_path: Qwen/Qwen2.5-7B\n", follow=False)
    assert unread(made) == []
    assert made.run.model is not None


def test_settings_of_fsdp_may_be_json_where_a_file_is_named() -> None:
    made = one(f"{TRAIN}fsdp: full_shard\n", launch="torchrun -m trl.x --fsdp_config '{\"fsdp_version\": 2}'")
    assert made.run.training.top.section("fsdp_config").value("fsdp_version") == 2


@pytest.mark.parametrize("key", ["deepspeed", "fsdp_config"])
@pytest.mark.parametrize("text", ["{", "{'a': 1}", '{"a": 1},'])
def test_json_that_is_none_is_unread(key: str, text: str) -> None:
    (unread_,) = one(f"{TRAIN}fsdp: full_shard\n", launch=f'torchrun -m trl.x --{key} "{text}"').run.unread
    assert unread_.why == "this is not JSON"


@pytest.mark.parametrize("module", ["deepspeed.launcher.launch", "transformers.x", "torch.utils.bottleneck"])
def test_modules_that_run_another_script_are_not_known(module: str) -> None:
    assert unread(one(launch=f"python -m {module} train.py")) == [("script", module, "no such module")]


def test_the_default_file_of_another_machine_is_not_known(folder: Path) -> None:
    launch = parse_launch("accelerate launch -m trl.x")
    documents = [read("train.yaml", TRAIN.encode())]
    facts = Facts(variables={"HF_HOME": str(folder)}, host="gpu07")
    (made,) = assemble(documents, facts, launch=launch)
    path = str(folder / "accelerate" / "default_config.yaml")
    assert unread(made) == [("accelerate", path, "there is none here, and gpu07 may have one")]
    (made,) = assemble(documents, facts._replace(host=os.uname().nodename), launch=launch)
    assert unread(made) == []
    write = folder / "accelerate" / "default_config.yaml"
    write.parent.mkdir()
    write.write_text("distributed_type: 'NO'\nnum_processes: 1\n")
    (made,) = assemble(documents, facts, launch=launch)
    assert unread(made) == []  # homes are shared on most clusters


@pytest.mark.parametrize("command", ["trl sft --config l.yaml", "llamafactory-cli train l.yaml"])
def test_a_training_file_that_holds_no_mapping(command: str, folder: Path) -> None:
    (folder / "l.yaml").write_text("- a\n- b\n")
    (made,) = assemble([], Facts(), launch=parse_launch(command))
    assert ("training", "l.yaml", "it holds no mapping") in unread(made)


def test_a_file_of_keys_of_ones_own_that_a_scripts_parser_reads(folder: Path) -> None:
    """It was said not to be there, where most of its keys are known to nobody."""
    own = "".join(f"own_{number}: 1\n" for number in range(10))
    (folder / "r.yaml").write_text(f"model_name_or_path: a/b\n{own}")
    script = "from trl import SFTConfig, TrlParser\np = TrlParser((SFTConfig,))\np.parse_args_and_config()\n"
    launch = parse_launch("python s.py --config r.yaml")
    (made,) = assemble([], Facts(), launch=launch, script=("s.py", script.encode()))
    assert unread(made) == []
    assert made.run.training.path == "r.yaml"


def test_a_script_of_more_calls_than_anybody_writes(folder: Path) -> None:
    (folder / "t.py").write_text("from accelerate import Accelerator\n" + "Accelerator()\n" * MAX_CALLS)
    assert unread(one(launch="python t.py")) == []
    (folder / "t.py").write_text("from accelerate import Accelerator\n" + "Accelerator()\n" * (MAX_CALLS + 1))
    why = "it has more than 2,000 calls that decide how it trains"
    assert unread(one(launch="python t.py")) == [("script", "t.py", why)]
    (folder / "sub.py").write_text("from accelerate import Accelerator\n" + "Accelerator()\n" * (MAX_CALLS + 1))
    (folder / "t.py").write_text("from sub import Accelerator\nAccelerator()\n")
    assert why in str(unread(one(launch="python t.py")))
