"""Plans for runs that read the machine's default Accelerate file: what other runs read as well is left as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.checking.planning import applied
from fp8check.rules.trainers.detect import read
from tests.repair.test_plan import SINGLE, planned, request_of, steps

if TYPE_CHECKING:
    from pathlib import Path

    from fp8check.rules.checking.request import RunRequest
    from fp8check.rules.repair.plan import Planned

SCRIPT = """from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
model = AutoModelForCausalLM.from_pretrained("a/b")
args = TrainingArguments(output_dir="out", bf16=True)
Trainer(model=model, args=args, train_dataset=data).train()
"""
COMMENTED = "# of the wizard\ndistributed_type: 'NO'  # one GPU\nmixed_precision: {}\n"
FP8 = COMMENTED.format("fp8") + "fp8_config:\n  backend: TE\n"


@pytest.fixture(autouse=True)
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "hf" / "accelerate").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "hf" / "accelerate" / "default_config.yaml"


def run(where: Path, text: str, launch: str = "accelerate launch train.py", **files: str) -> RunRequest:
    """A run of the script on a machine with that default file; files in front of it by name."""
    where.write_text(text)
    given = {"train.py": SCRIPT, **{name.replace("_", "."): text for name, text in files.items()}}
    part = request_of(given, launch, variables={"HF_HOME": str(where.parents[1])})
    return part._replace(follow=True)


def is_whole(part: RunRequest, found: Planned, where: Path, text: str) -> bool:
    """Whether nothing is left to do behind the plan, and the default file is as it was."""
    return steps(planned(applied(part, found.plans[0]), found.goal)) == [] and where.read_text() == text


@pytest.mark.parametrize("precision", ["bf16", "'no'"])
def test_fp8_comes_by_a_copy_that_the_command_names(where: Path, precision: str) -> None:
    text = COMMENTED.format(precision)
    part = run(where, text)
    found = planned(part, "fp8")
    quoted = "'fp8'" if precision == "'no'" else "fp8"
    assert found.plans[0].documents[-1].path == "accel.yaml"
    assert found.plans[0].documents[-1].text == COMMENTED.format(quoted) + "fp8_config:\n  backend: TE\n"
    assert found.plans[0].launch == "accelerate launch --config_file accel.yaml train.py"
    assert is_whole(part, found, where, text)


def test_another_backend_comes_by_a_copy(where: Path) -> None:
    text = FP8.replace("TE", "MSAMP\n  opt_level: O2")
    part = run(where, text)
    found = planned(part, "fp8")
    assert "backend: TE\n" in found.plans[0].documents[-1].text
    assert "# one GPU" in found.plans[0].documents[-1].text
    assert is_whole(part, found, where, text)


def test_bf16_is_told_by_the_command(where: Path) -> None:
    part = run(where, FP8)
    found = planned(part, "bf16")
    assert steps(found) == ["launch accelerate launch train.py -> accelerate launch --mixed_precision bf16 train.py"]
    assert is_whole(part, found, where, FP8)


def test_bf16_is_told_where_the_default_file_ends_the_run(where: Path) -> None:
    text = FP8.replace("TE", "MSAMP")
    part = run(where, text)
    found = planned(part, "bf16")
    assert [one.kind for one in found.plans[0].steps] == ["launch"]
    assert is_whole(part, found, where, text)


def test_bf16_is_told_in_a_shell_script(where: Path) -> None:
    where.write_text(FP8)
    shell = f"export HF_HOME={where.parents[1]}  # our models\naccelerate launch train.py --lr 1e-4\n"
    (where.parents[2] / "work" / "train.py").write_text(SCRIPT)
    part = request_of({"run.sh": shell})._replace(follow=True)
    found = planned(part, "bf16")
    (text,) = [one.text for one in found.plans[0].documents if one.path == "run.sh"]
    assert text == shell.replace("launch train.py", "launch --mixed_precision bf16 train.py")


def test_a_default_file_that_was_given_is_edited(where: Path) -> None:
    where.write_text(FP8)
    part = run(where, FP8)
    part = part._replace(documents=(*part.documents, read(str(where), FP8.encode())))
    made = steps(planned(part, "bf16"))
    assert f"edit {where}:3 mixed_precision: fp8 -> mixed_precision: bf16" in made


def test_a_file_of_its_own_is_edited_and_not_copied(where: Path) -> None:
    part = run(where, FP8, "accelerate launch --config_file accel.yaml train.py", accel_yaml=SINGLE)
    made = steps(planned(part, "bf16"))
    assert "edit accel.yaml:2 mixed_precision: fp8 -> mixed_precision: bf16" in made
    assert all(not one.startswith("file") for one in made)


def test_a_job_step_names_a_new_file_and_none_takes_another_launcher(where: Path) -> None:
    own = "from accelerate import Accelerator\nfrom transformers import AutoModelForCausalLM\n"
    own += "accelerator = Accelerator(mixed_precision='fp8')\nmodel = AutoModelForCausalLM.from_pretrained('a/b')\n"
    own += "model, loader = accelerator.prepare(model, loader)\nmodel.train()\n"
    own += "for batch in loader:\n    accelerator.backward(model(**batch).loss)\n"
    (where.parents[2] / "work" / "train.py").write_text(own)
    slurm = "#!/bin/bash\n#SBATCH --nodes=1\nsrun {} train.py  # ours\n"
    found = planned(request_of({"run.sh": slurm.format("accelerate launch")})._replace(follow=True), "fp8")
    (text,) = [one.text for one in found.plans[0].documents if one.path == "run.sh"]
    assert text == slurm.format("accelerate launch --config_file accel.yaml")
    left = planned(request_of({"run.sh": slurm.format("python")})._replace(follow=True), "fp8")
    assert all("SLURM" not in why for why in left.why_not)
