"""A launch command alone is a run: its flags are the training configuration, and the files that it names are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.cli.main import main
from fp8check.rules.checking.examining import examine
from fp8check.rules.checking.runs import Assembled, assemble, parse_launch
from fp8check.rules.facts import Facts, Gpu
from fp8check.rules.outcome import predict
from fp8check.rules.outcome.effective import Effective
from fp8check.rules.releases.stack import Stack
from fp8check.rules.settings.values import Undecided
from fp8check.rules.trainers.detect import read
from tests.support.runs import facts_of

if TYPE_CHECKING:
    from pathlib import Path

    from fp8check.rules.outcome import Outcome

pytestmark = pytest.mark.usefixtures("folder")

TRAINER = """from transformers import HfArgumentParser, Trainer, TrainingArguments
(arguments,) = HfArgumentParser((TrainingArguments,)).parse_args_into_dataclasses()
Trainer(args=arguments)
"""
RANKS = "LOCAL_RANK=0 RANK=0 WORLD_SIZE=2 MASTER_ADDR=a MASTER_PORT=1 "
GONE = "gone.py: no such file: what it makes of --bf16 True is not known"
OWN = "from accelerate import Accelerator\nAccelerator()\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(TRAINER)
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path


def made(launch: str, facts: Facts | None = None, *, follow: bool = True) -> Assembled:
    (one,) = assemble([], facts_of({}) if facts is None else facts, launch=parse_launch(launch), follow=follow)
    return one


def outcome(launch: str, facts: Facts | None = None) -> Outcome:
    return predict(made(launch, facts).run)


def why(launch: str, facts: Facts | None = None) -> str:
    undecided = outcome(launch, facts).undecided
    return "" if undecided is None else undecided.what


def precision(launch: str, facts: Facts | None = None) -> object:
    setting = outcome(launch, facts).mixed_precision
    return None if setting is None else setting.value


# The flags behind the program.


def test_flags_of_a_trainers_script_are_its_configuration() -> None:
    run = made("accelerate launch --mixed_precision fp8 train.py --bf16 True --per_device_train_batch_size 4").run
    assert (run.training.name, run.training.value("per_device_train_batch_size")) == ("transformers", 4)
    assert precision("accelerate launch --mixed_precision fp8 train.py --bf16 True") == "bf16"
    assert precision("accelerate launch --mixed_precision fp8 train.py") == "fp8"
    (found,) = [one for one in examine(run, made("python own.py").documents).findings if one.rule == "FP101"]
    assert found.message == "--bf16 True cancels FP8"


def test_flags_of_a_script_of_ones_own_are_its_own() -> None:
    assert made("python own.py --bf16 True").run.training.value("bf16") is None
    assert precision("accelerate launch --mixed_precision fp8 own.py --bf16 True") == "fp8"


def test_who_reads_the_flags_of_a_script_that_cannot_be_read_is_not_known() -> None:
    assert why("accelerate launch gone.py --bf16 True") == GONE
    assert why("accelerate launch gone.py --my_own 1") == "gone.py: no such file"


@pytest.mark.parametrize(
    ("launch", "trainer", "bf16"),
    [
        ("trl sft --bf16 False", "trl", False),
        ("python -m trl.scripts.sft --bf16 False", "trl", False),
        ("llamafactory-cli train --stage sft --bf16 true", "llamafactory", True),
        ("llamafactory-cli train bf16=true", "llamafactory", None),
        ("accelerate launch -m llamafactory.launcher --bf16", "llamafactory", True),
        ("axolotl train x.yaml --bf16 true -- --bf16 false", "axolotl", True),
        ("accelerate launch -m axolotl.cli.train x.yaml --bf16 true", "axolotl", True),
    ],
)
def test_a_trainers_own_command_says_who_reads_the_flags(launch: str, trainer: str, bf16: bool | None) -> None:
    run = made(launch).run
    assert (run.training.name, run.training.value("bf16")) == (trainer, bf16)


def test_a_switch_of_the_script_is_no_deepspeed_file() -> None:
    assert made("deepspeed train.py --deepspeed --bf16 True").run.training.deepspeed is None
    named = made("deepspeed train.py --deepspeed ds.json").run.training.deepspeed
    assert named is not None
    assert named.value == "ds.json"


# The training file that the command names.


@pytest.mark.parametrize(
    "launch",
    [
        "trl sft --config cfg.yaml",
        "accelerate launch train.py cfg.yaml",
        "accelerate launch train.py --config cfg.yaml",
    ],
)
def test_the_training_file_that_the_command_names_is_read(folder: Path, launch: str) -> None:
    (folder / "cfg.yaml").write_text("model_name_or_path: m\nbf16: true\nper_device_train_batch_size: 2\n")
    one = made(launch)
    assert one.run.training.path == "cfg.yaml"
    assert one.run.training.value("bf16") is True
    assert made(launch, follow=False).run.training.path is None


def test_a_trainers_command_reads_its_file_whatever_the_keys_are(folder: Path) -> None:
    (folder / "cfg.yaml").write_text("beta: 1\n")
    assert made("trl dpo --config cfg.yaml").run.training.path == "cfg.yaml"
    assert made("python own.py cfg.yaml").run.training.path is None


def test_other_files_that_the_command_names_are_left_alone(folder: Path) -> None:
    (folder / "data.json").write_text("[]")
    (folder / "cfg.yaml").write_text("{")
    assert made("python own.py --data data.json data.json cfg.yaml gone.yaml").run.unread == ()


def test_a_training_file_that_cannot_be_read_leaves_the_run_undecided(folder: Path) -> None:
    (folder / "cfg.yaml").write_bytes(b"\xff\xfe\x00a")
    assert why("trl sft --config cfg.yaml").startswith("cfg.yaml: ")
    assert why("trl sft --config gone.yaml") == "gone.yaml: no such file"
    run = made("trl sft --mixed_precision fp8 --config gone.yaml").run
    assert [one.rule for one in examine(run).findings] == []


@pytest.mark.parametrize("before", ["", "docker run image ", "docker run -e NVTE_DEBUG=1 image ", "sudo NVTE_DEBUG=1 "])
def test_variables_that_a_wrapper_may_set_are_not_known(before: str) -> None:
    """What a command sets for the wrapped program is not all of its environment: where that is, nobody looked."""
    here = facts_of({"variables": {}})._replace(source="machine")
    report = examine(made(f"{before}accelerate launch --mixed_precision fp8 own.py", here).run)
    lacking = {one.rule: one.needs for one in report.undecided}
    if before:
        name = "docker run" if before.startswith("docker") else "sudo"
        assert lacking["FP105"] == f"{name} may set any variable"
    else:
        assert "FP105" not in lacking


# What it is not known what it starts.


@pytest.mark.parametrize("launch", ["make train", "trl train.py", "accelerate config", "$X a.py"])
def test_what_is_not_understood_is_undecided_and_never_passes(launch: str) -> None:
    one = made(launch)
    report = examine(one.run, one.documents)
    assert (report.verdict, report.findings, one.run.launch.tool) == ("undecided", (), "")
    assert report.outcome.undecided is not None
    assert report.outcome.undecided.what == one.run.launch.unknown


@pytest.mark.parametrize("tool", ["accelerate", "python", "trl", "axolotl", "llamafactory-cli", "accelerate launch"])
def test_a_tools_bare_name_is_a_launch_beside_files_only(tool: str) -> None:
    assert (
        why(tool)
        == f"{tool.split(maxsplit=1)[0]} alone does not say what it starts: name the files, or the whole command"
    )
    document = read("accel.yaml", b"distributed_type: 'NO'\nnum_processes: 1\n")
    (one,) = assemble([document], facts_of({}), launch=parse_launch(tool))
    assert not one.run.launch.unknown


def test_nothing_is_said_of_an_accelerate_file_where_the_launch_is_not_known() -> None:
    document = read("accel.yaml", b"distributed_type: 'NO'\nnum_processes: 1\nmixed_precision: fp8\n")
    (one,) = assemble([document], facts_of({}), launch=parse_launch("./start.sh"))
    report = examine(one.run, one.documents)
    assert (report.verdict, report.findings) == ("undecided", ())
    assert {"FP301", "FP308"} <= {undecided.rule for undecided in report.undecided}


@pytest.mark.parametrize(
    "launch", ["trl sft $ARGS", "python train.py --bf16 True ${A[@]}", 'accelerate launch own.py "$@"']
)
def test_arguments_that_may_be_any_flag_decide(launch: str) -> None:
    word = launch.rsplit(maxsplit=1)[-1].strip('"')
    assert (
        why(launch) == f"the launch command: what {word} stands for is not known: any flag of the training may be in it"
    )
    assert examine(made(f"A=1 {launch}").run).verdict == "undecided"


def test_an_argument_that_is_a_flags_value_is_filled_in_later() -> None:
    assert made("trl sft --bf16 $X").run.unread == ()
    assert why("trl sft --bf16 $X") == "command line --bf16 $X: $X is filled in later"


# Launchers in launchers, ranks and copies.


@pytest.mark.parametrize(
    ("launch", "kind"),
    [
        ("python own.py", "NO"),
        (f"{RANKS}python own.py", "MULTI_GPU"),
        ("LOCAL_RANK=-1 python own.py", "NO"),
        (f"{RANKS}accelerate launch own.py", "MULTI_GPU"),
        (f"{RANKS}accelerate launch --cpu own.py", "NO"),
        ("torchrun --no_python accelerate launch --multi_gpu --num_processes 2 own.py", "MULTI_GPU"),
        ("torchrun own.py", "MULTI_GPU"),
        ("torchrun --no_python python own.py", "MULTI_GPU"),
        ("torchrun --no_python accelerate launch --num_processes 1 own.py", "MULTI_GPU"),
        ("accelerate launch --num_processes 1 -m torch.distributed.run --nproc_per_node 2 own.py", "MULTI_GPU"),
        ("accelerate launch --num_processes 1 --no_python deepspeed own.py", "MULTI_GPU"),
        ("srun -n 1 python own.py", "NO"),
        ("srun python own.py", "NO"),
        ("SLURM_NTASKS=8 srun -N 1 accelerate launch own.py", "NO"),
        ("srun -n 2 torchrun --nnodes 2 own.py", "MULTI_GPU"),
        ("mpirun -n 2 accelerate launch --multi_gpu --num_processes 4 own.py", "MULTI_GPU"),
    ],
)
def test_what_a_run_is_spread_over(launch: str, kind: str) -> None:
    assert outcome(launch).distributed_type == kind


@pytest.mark.parametrize("rank", ["", "--machine_rank $SLURM_PROCID ", "--main_process_port ${PORT} "])
def test_a_launcher_on_each_node_of_slurm_is_one_run(rank: str) -> None:
    launch = f"srun -n 4 accelerate launch --num_machines 4 --num_processes 32 {rank}--mixed_precision fp8 own.py"
    facts = facts_of({})._replace(gpus=None)
    assert (why(launch, facts), precision(launch, facts)) == ("", "fp8")


@pytest.mark.parametrize(
    ("launch", "number"),
    [
        ("torchrun --nproc_per_node 4 own.py", 4),
        ("torchrun --no_python accelerate launch --multi_gpu --num_processes 2 own.py", 2),
        ("torchrun --nproc_per_node 4 --no_python accelerate launch --num_processes 1 own.py", 4),
        ("accelerate launch --num_processes 1 -m torch.distributed.run --nproc_per_node 3 own.py", 3),
        (f"{RANKS}LOCAL_WORLD_SIZE=5 python own.py", 5),
        ("srun -n 2 torchrun --nproc_per_node 4 --nnodes 2 own.py", 4),
    ],
)
def test_how_many_processes_a_machine_has(launch: str, number: int) -> None:
    processes = Effective(made(launch).run, Stack(facts_of({}))).processes
    assert processes is not None
    assert processes.value == number


@pytest.mark.parametrize(
    ("launch", "reason"),
    [
        (f"{RANKS}python own.py", "how many processes there are: the shell gives this one its rank"),
        (
            "torchrun --nproc_per_node 2 --no_python accelerate launch --multi_gpu --num_processes 2 own.py",
            "how many processes two launchers start",
        ),
    ],
)
def test_how_many_processes_there_are_is_not_always_known(launch: str, reason: str) -> None:
    with pytest.raises(Undecided, match=reason):
        Effective(made(launch).run, Stack(facts_of({}))).processes  # noqa: B018  the attribute raises


@pytest.mark.parametrize(
    ("launch", "reason"),
    [
        ("srun -n 8 python own.py", "srun starts 8 of it, and the script decides what they are to each other"),
        ("srun -n ${N} python own.py", "srun starts several of it, and the script decides what they are to each other"),
        ("mpirun python own.py", "mpirun starts several of it, and the script decides what they are to each other"),
        (
            "mpirun -np 2 accelerate launch own.py",
            "mpirun starts 2 of it, and the script decides what they are to each other",
        ),
        (
            "torchrun --nproc_per_node 2 --no_python accelerate launch --multi_gpu --num_processes 2 own.py",
            "torchrun starts accelerate, and both start processes: what comes of that is not modeled",
        ),
        (
            "accelerate launch -m accelerate.commands.launch own.py",
            "what the outer accelerate launch starts",
        ),
        (
            "accelerate launch --multi_gpu --no_python llamafactory-cli train cfg.yaml",
            "how many GPUs llamafactory-cli sees",
        ),
    ],
)
def test_what_is_not_known_of_processes(launch: str, reason: str) -> None:
    facts = facts_of({"gpu": "unknown"}) if "llamafactory" in launch else None
    assert why(launch, facts) == reason


# What wrappers change.

HERE = Facts(
    python="3.12.3",
    packages={"torch": "2.11.0", "accelerate": "1.15.0"},
    variables={"A": "1", "B": "2"},
    gpus=[Gpu(0, "NVIDIA H100", "9.0")],
    driver="570.1",
    source="machine",
)


@pytest.mark.parametrize(
    ("wrapper", "variables", "packages", "gpus"),
    [
        ("C=3 ", {"A": "1", "B": "2", "C": "3"}, True, True),
        ("env -i C=3 ", {"C": "3"}, True, True),
        ("env -u A ", {"B": "2"}, True, True),
        ("sudo ", None, True, True),
        ("sudo -E C=3 ", {"A": "1", "B": "2", "C": "3"}, True, True),
        ("sudo C=3 ", {"C": "3"}, True, True),
        ("uv run ", {"A": "1", "B": "2"}, False, True),
        ("conda run -n x ", {"A": "1", "B": "2"}, False, True),
        ("docker run --gpus all image ", None, False, True),
        ("docker run -e C=3 image ", {"C": "3"}, False, False),
        ("apptainer exec --nv image ", {"A": "1", "B": "2"}, False, True),
        ("apptainer exec image ", {"A": "1", "B": "2"}, False, False),
        ("srun -n1 ", {"A": "1", "B": "2"}, True, False),
        ("kubectl exec pod -- ", None, False, False),
    ],
)
def test_what_wrappers_leave_of_the_facts_of_this_machine(
    wrapper: str, variables: dict[str, str] | None, packages: bool, gpus: bool
) -> None:
    facts = made(f"{wrapper}python own.py", HERE).run.facts
    assert facts.variables == variables
    assert (facts.packages is not None, facts.gpus is not None) == (packages, gpus)
    assert bool(facts.notes) is not (packages and gpus)


def test_inside_an_allocation_srun_starts_it_on_a_node_like_this_one() -> None:
    inside = HERE._replace(variables={"SLURM_JOB_ID": "7"})
    assert made("srun -n1 python own.py", inside).run.facts == inside


def test_facts_that_were_saved_for_the_run_hold_inside_wrappers() -> None:
    saved = HERE._replace(source="file")
    facts = made("docker run image env -u A python own.py", saved).run.facts
    assert facts == saved._replace(variables={"B": "2"})
    assert made("env -i python own.py", saved).run.facts.variables == {}


# The command line.


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--launch", "accelerate launch --mixed_precision fp8 train.py --bf16 True"], 1, "--bf16 True cancels FP8"),
        (["outcome", "--launch", "torchrun train.py --bf16 True"], 0, "bf16"),
        (["--launch", "make train"], 0, "nothing is known of 'make'"),
        (["--launch", "make train", "--require-evidence"], 3, "nothing is known of 'make'"),
        (["--launch", "trl train.py"], 0, "trl train.py starts no training that is known here"),
        (["--launch", "nohup uv run accelerate launch own.py > log 2>&1 &"], 0, "nothing found"),
        (["fix", "--launch", "accelerate launch --mixed_precision fp8 train.py"], 2, "name the files to fix"),
        (["--launch", "accelerate launch 'x"], 2, "cannot be read"),
        (["--launch", "A=1"], 2, "the launch command is empty"),
        (["--launch", ""], 2, "--launch with the whole command"),
        ([], 2, "--launch with the whole command"),
    ],
)
def test_the_command_line(capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str) -> None:
    assert main([*words, "--no-config", "--no-environment"]) == code
    assert said in "".join(capsys.readouterr())
