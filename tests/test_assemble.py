"""From files to runs: what a run is made of, and which files it names are read with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.checking.runs import WrongFiles, assemble, parse_launch, sort
from fp8check.rules.facts import Facts
from fp8check.rules.outcome import predict
from fp8check.rules.reading import Document
from fp8check.rules.reading.kind import Kind
from fp8check.rules.trainers.detect import read

if TYPE_CHECKING:
    from pathlib import Path

    from fp8check.rules.checking.runs import Assembled

FP8 = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n"
MODEL = '{"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "vocab_size": 96, "num_attention_heads": 8}'


def document(path: str, text: str, kind: str) -> Document:
    one = read(path, text.encode())
    return one.as_kind(Kind(kind, one.dialect, one.loader))


def training(text: str = "output_dir: out\n", path: str = "train.yaml") -> Document:
    return document(path, text, "training")


def one(*documents: Document, launch: str | None = None, follow: bool = True, **variables: str) -> Assembled:
    facts = Facts(packages={}, variables=variables)
    trainer = "transformers" if any(part.kind == "training" for part in documents) else None
    (made,) = assemble(documents, facts, launch=parse_launch(launch), trainer=trainer, follow=follow)
    return made


def test_each_training_file_is_a_run_with_the_one_accelerate_file() -> None:
    files = [training(path="a.yaml"), document("accel.yaml", FP8, "accelerate"), training(path="b.yaml")]
    made = list(assemble(files, Facts()))
    assert [[part.path for part in run.documents] for run in made] == [
        ["a.yaml", "accel.yaml"],
        ["b.yaml", "accel.yaml"],
    ]
    assert {run.run.launch.tool for run in made} == {"accelerate"}
    assert not any(run.run.launch.given for run in made)


def test_without_an_accelerate_file_python_starts_the_run() -> None:
    assert one(training()).run.launch.tool == "python"


def test_two_accelerate_files_are_no_run() -> None:
    files = [document(name, FP8, "accelerate") for name in ("a.yaml", "b.yaml")]
    with pytest.raises(WrongFiles, match=r"more than one Accelerate file: a\.yaml, b\.yaml"):
        list(assemble(files, Facts()))


def test_a_file_of_neither_kind_is_refused_unless_its_reader_is_named() -> None:
    strange = read("x.yaml", b"color: red\n")
    with pytest.raises(WrongFiles, match=r"x\.yaml:1:1: this is neither"):
        list(assemble([strange], Facts()))
    (made,) = assemble([strange], Facts(), trainer="trl")
    assert made.run.training.value("color") == "red"


def test_the_dialect_tells_the_trainer_and_a_script_reads_the_rest() -> None:
    text = "stage: sft\nfinetuning_type: full\nmodel_name_or_path: m\ndataset: d\ntemplate: t\n"
    known = read("train.yaml", text.encode())
    unknown = training("anything: 1\n").as_kind(Kind("training", "somebody's own"))
    made = list(assemble([known, unknown], Facts()))
    assert [run.run.training.name for run in made] == ["llamafactory", "script"]


def test_kinds_are_sorted_in_their_order() -> None:
    files = [training(path="b.yaml"), document("ds.json", "{}", "deepspeed"), training(path="a.yaml")]
    assert [part.path for part in sort(files).training] == ["b.yaml", "a.yaml"]
    assert [part.path for part in sort(files).deepspeed] == ["ds.json"]


def test_accelerate_launch_reads_no_default_of_json(tmp_path: Path) -> None:
    """Both constants of commands/config/config_args.py, 0.34.0 to 1.15.0, name the .yaml."""
    default = tmp_path / "accelerate" / "default_config.json"
    default.parent.mkdir()
    default.write_text('{"distributed_type": "NO", "mixed_precision": "fp8"}')
    made = one(training(), launch="accelerate launch t.py", HF_HOME=str(tmp_path))
    assert (made.run.accelerate, made.run.unread[:0]) == (None, ())


def test_accelerate_launch_reads_the_machines_default(tmp_path: Path) -> None:
    default = tmp_path / "accelerate" / "default_config.yaml"
    default.parent.mkdir()
    default.write_text('{"distributed_type": "NO", "mixed_precision": "fp8"}')
    made = one(training(), launch="accelerate launch t.py", HF_HOME=str(tmp_path))
    assert made.run.accelerate is not None
    assert made.run.accelerate_is_default
    assert [part.path for part in made.documents] == ["train.yaml", str(default)]


@pytest.mark.parametrize("launch", ["accelerate launch t.py", "accelerate launch --config_file none.yaml t.py"])
def test_there_may_be_no_file_to_read(tmp_path: Path, launch: str) -> None:
    made = one(training(), launch=launch, XDG_CACHE_HOME=str(tmp_path))
    assert (made.run.accelerate, made.run.accelerate_is_default) == (None, False)
    assert [one.path for one in made.run.unread if one.input == "accelerate"] == ["none.yaml"] * ("none" in launch)


def test_the_file_that_the_launch_names_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(FP8)
    made = one(training(), launch=f"accelerate launch --config_file {path} t.py")
    assert made.run.accelerate is not None
    assert made.run.accelerate.path == str(path)
    assert not made.run.accelerate_is_default


@pytest.mark.parametrize(("text", "kind"), [("", "NoneType"), ("- a\n", "list"), ("fp8\n", "str")])
def test_a_default_file_that_holds_no_mapping_ends_the_launch(tmp_path: Path, text: str, kind: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    error = predict(one(launch=f"accelerate launch --config_file {path} t.py").run).error
    assert error is not None
    assert (error.stage, error.type) == ("launch", "AttributeError")
    assert error.message == f"{kind!r} object has no attribute 'get'"


@pytest.mark.parametrize("beside", [True, False])
def test_a_deepspeed_file_is_looked_for_beside_its_file_and_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: bool
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / ("sub/ds.json" if beside else "ds.json")).write_text('{"bf16": {"enabled": true}}')
    monkeypatch.chdir(tmp_path)
    made = one(training("output_dir: out\ndeepspeed: ds.json\n", "sub/train.yaml"))
    assert made.run.deepspeed is not None
    assert made.run.deepspeed.enabled("bf16").value is True
    assert len(made.documents) == 2


def test_the_accelerate_file_names_a_deepspeed_file_too(tmp_path: Path) -> None:
    (tmp_path / "ds.json").write_text("{}")
    text = "distributed_type: DEEPSPEED\ndeepspeed_config: {deepspeed_config_file: ds.json}\n"
    accelerate = document(str(tmp_path / "accel.yaml"), text, "accelerate")
    assert one(training("deepspeed: {stage: 1}\n"), accelerate).run.deepspeed is not None
    assert one(training(), document("accel.yaml", text, "accelerate")).run.deepspeed is None


def test_a_deepspeed_file_that_was_given_is_taken() -> None:
    made = one(training("deepspeed: other.json\n"), document("ds.json", '{"x": 1}', "deepspeed"))
    assert made.run.deepspeed is not None
    assert made.run.deepspeed.top.value("x") == 1


def test_a_script_is_read_for_its_accelerator(tmp_path: Path) -> None:
    path = tmp_path / "t.py"
    path.write_text('accelerator = Accelerator(mixed_precision="fp8")\n')
    made = one(launch=f"python {path}")
    assert made.run.script.mixed_precision is not None
    assert made.run.script.mixed_precision.value == "fp8"
    (script,) = made.documents
    assert (script.path, script.kind, script.line(1)) == (str(path), "script", path.read_text().strip())


@pytest.mark.parametrize("content", [b"def broken(:\n", b"\xff\xfe\x00"])
def test_a_script_that_cannot_be_read_is_unread(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.py"
    path.write_bytes(content)
    made = one(launch=f"python {path}")
    assert made.run.script.source is None
    assert made.documents == ()
    assert [one.input for one in made.run.unread] == ["script"]
    assert predict(made.run).starts is None


def test_nothing_is_followed_for_strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("ds.json", "{}"), ("config.json", MODEL), ("accel.yaml", FP8)):
        (tmp_path / name).write_text(text)
    text = f"deepspeed: ds.json\nmodel_name_or_path: {tmp_path}\n"
    made = one(training(text), launch="accelerate launch --config_file accel.yaml t.py", follow=False)
    assert (made.run.deepspeed, made.run.model, made.run.accelerate) == (None, None, None)
    told = "can be read; to a service, send it along"
    assert {one.input: (one.why, one.command) for one in made.run.unread} == {
        "accelerate": ("no such file", f"fp8check where accel.yaml {told}"),
        "deepspeed": ("no such file", f"fp8check where ds.json {told}"),
        "model": (
            f"{tmp_path}: no such directory here with a config.json",
            f"fp8check where {tmp_path}/config.json {told}",
        ),
        "script": ("no such file", f"fp8check where t.py {told}"),
    }
    followed = one(training(text), launch="accelerate launch --config_file accel.yaml t.py").run
    assert None not in (followed.deepspeed, followed.model, followed.accelerate)


def test_a_models_configuration_may_be_given() -> None:
    made = one(training("model_name_or_path: mine\n"), document("config.json", MODEL, "model"))
    assert made.run.model is not None
    assert made.run.model.name == "mine"
    assert one(training(), document("config.json", "[]", "model")).run.model is None


def test_a_launch_command_that_cannot_be_understood() -> None:
    with pytest.raises(WrongFiles, match="the launch command cannot be read: this quote is never closed"):
        parse_launch("accelerate launch 'x")


def test_a_launch_command_of_which_it_is_not_known_what_it_starts() -> None:
    made = one(training("bf16: true\n"), document("accel.yaml", FP8, "accelerate"), launch="make train")
    (unread,) = made.run.unread
    assert unread.input == "launch"
    assert unread.needs.startswith("the launch command: nothing is known of 'make': say the command that it starts")


def test_a_script_from_elsewhere_is_put_to_its_run() -> None:
    script = ("t.py", b"Accelerator(mixed_precision='bf16')\n")
    (made,) = assemble([document("accel.yaml", FP8, "accelerate")], Facts(), follow=False, script=script)
    assert made.run.script.mixed_precision is not None
    assert made.documents[-1].path == "t.py"


@pytest.mark.parametrize(
    ("text", "content"), [("", b"def ("), ("output_dir: out\n", b"import transformers as t\nt.Trainer()\n")]
)
def test_a_script_that_says_nothing_leaves_the_run_as_it_is(text: str, content: bytes) -> None:
    """One that cannot be parsed, and any beside the Trainer, which builds its Accelerator itself; the report has it."""
    files = [document("accel.yaml", FP8, "accelerate")]
    if text:
        files.append(training(text).as_kind(Kind("training", "transformers")))
    (made,) = assemble(files, Facts(), follow=False, script=("t.py", content))
    assert made.run.script.source is None
    (known,) = assemble(files, Facts())
    assert [part.path for part in made.documents] == [part.path for part in known.documents] + ["t.py"] * bool(text)
    assert [one.why for one in made.run.unread] == ["it is no Python that can be parsed here"] * (not text)
