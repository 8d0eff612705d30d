"""What one error hides is told in the same report: where it stands, after what, and where nobody could look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.checking.advising import Advisor, advised
from fp8check.rules.checking.behind import behind
from fp8check.rules.checking.many import check_each
from fp8check.rules.checking.request import Request, RunRequest, check_request
from fp8check.rules.checking.selection import select
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.engine.running import Finding
from fp8check.rules.facts import Facts, Gpu
from fp8check.rules.input_error import InputError
from fp8check.rules.reading import Span
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.report import build
from fp8check.rules.report.formats import Look
from fp8check.rules.report.schema import as_data
from fp8check.rules.report.text import render
from fp8check.rules.settings.values import Origin, Setting
from fp8check.rules.suppression.fingerprint import fingerprints
from fp8check.rules.trainers.detect import read
from tests.support.runs import facts_of
from tests.tools import pairs

if TYPE_CHECKING:
    from pathlib import Path

    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.suppression.examined import Examined

TRAIN = "output_dir: out\nbf16: true\n"
PLAIN = "output_dir: out\nbf16: false\n"
ACCEL = 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config:\n  backend: AO\n'
GATHER = "after {} fixed: the weights that torchao converts will not be trained"


def always(_documents: object, _launch: object) -> bool:
    """Nobody counts what it costs to edit and to judge a run."""
    return True


def part(train: str | None = TRAIN, accel: str | None = ACCEL, launch: str | None = None, **case: object) -> RunRequest:
    files = {"train.yaml": train, "accel.yaml": accel}
    documents = tuple(read(path, text.encode()) for path, text in files.items() if text is not None)
    script = ("train.py", b"") if launch is not None and "train.py" in launch else None
    trainer = case.pop("trainer", "transformers" if train is not None else None)
    return RunRequest(documents, facts_of(case), launch, trainer, script=script, follow=False)  # type: ignore[arg-type]


def report(given: RunRequest, **request: object) -> Examined:
    made = Request((given,), **request)  # type: ignore[arg-type]
    return advised(made, check_request(made)).reports[0]


def later(given: RunRequest) -> dict[str, tuple[str, str]]:
    return {one.rule: (one.message, str(one.span)) for one in report(given).later}


def test_what_a_crash_hides_is_found_and_says_after_what() -> None:
    found = report(part())
    assert [one.rule for one in found.findings] == ["FP101"]
    assert [(one.rule, one.severity, one.after) for one in found.later] == [
        ("FP210", "error", ("FP101",)),
        ("FP518", "warning", ("FP101",)),
    ]
    assert later(part())["FP210"] == (GATHER.format("FP101 is"), "accel.yaml:4:3")
    assert found.hiding == ()
    assert all(one.fix is None and one.action is None for one in found.later)


def test_behind_a_precision_that_is_misspelled_is_the_one_that_is_meant() -> None:
    accel = ACCEL.replace("fp8\n", "fp 8\n", 1)
    assert [one.rule for one in report(part(None, accel)).findings if one.severity == "error"] == ["FP303"]
    assert sorted(later(part(None, accel))) == ["FP210"]


def test_a_missing_package_hides_no_recipe() -> None:
    accel = ACCEL.replace("AO", "TE") + "  amax_history_len: 0\n"
    found = report(part(PLAIN, accel, stack={"accelerate": "1.15.0", "transformers": "5.17.0"}))
    assert [one.rule for one in found.findings] == ["FP601", "FP609"]
    (one,) = found.later
    assert one.message == "after FP601 and FP609 are fixed: an amax history of length 0 cannot be kept"


def test_places_and_lines_are_those_of_the_files_as_they_are() -> None:
    found = later(part(PLAIN, f"nonsense: 1\n{ACCEL}"))
    assert found["FP210"] == (GATHER.format("FP302 is"), "accel.yaml:5:3")
    (one,) = [one for one in report(part(TRAIN, f"nonsense: 1\n{ACCEL}")).later if one.rule == "FP101"]
    assert [str(other.place) for other in one.related] == ["accel.yaml:3:1"]


def test_three_errors_and_more_are_the_ones_above() -> None:
    accel = f"nonsense: 1\nnumber: 2\n{ACCEL}fp16: true\n"
    given = part(f"{TRAIN}fp16: true\n", accel, variables={"ACCELERATE_FP8_BACKEND": "nonsense"})
    assert any(one.message.startswith("after the errors above are fixed: ") for one in report(given).later)


@pytest.mark.parametrize(
    ("launch", "variables", "hidden"),
    [
        ("accelerate launch --config_file accel.yaml --mixed_precision fp4 train.py", {}, "FP319 is"),
        ("python train.py", {"ACCELERATE_FP8_BACKEND": "nonsense"}, "FP112 and FP301 are"),
    ],
)
def test_behind_a_flag_a_variable_and_another_launcher(launch: str, variables: dict[str, str], hidden: str) -> None:
    assert later(part(None, launch=launch, variables=variables))["FP210"][0] == GATHER.format(hidden)


def test_behind_a_command_that_starts_nothing() -> None:
    given = part("base_model: a/b\nfp8: true\n", None, "accelerate launch trl sft --config cfg.yaml", trainer="axolotl")
    assert [one.after for one in report(given).later] == [("FP305",)]


def test_nothing_is_told_of_another_machine_than_the_users() -> None:
    stack = {"accelerate": "1.15.0", "transformers": "5.17.0"}
    found = later(part(PLAIN, ACCEL, stack=stack, gpu="8.0"))
    assert "FP210" in found
    assert not [rule for rule in found if rule.startswith(("FP6", "FP7"))]


def test_giving_up_fp8_is_no_cure() -> None:
    accel = ACCEL.replace('"NO"', "MEGATRON_LM")
    assert not {"FP102", "FP103"} & {*later(part(PLAIN, accel))}


def test_where_nobody_can_look_the_report_says_so() -> None:
    given = part("output_dir: saves/${model\nfp8: true\nstage: sft\n", None, trainer="llamafactory")
    found = report(given)
    assert found.hiding == ("FP904",)
    text = render([build.brief(found)], {}, Look(color=False))
    assert "1 error; FP904 may hide more" in text
    assert as_data(build.full_report(found))["hiding"] == ["FP904"]


def test_a_report_has_both_and_its_data_says_which_comes_later() -> None:
    whole = build.full_report(report(part()))
    assert [one.after for one in whole.findings] == [(), ("FP101",), ("FP101",)]
    assert whole.findings[1].pointer == "/fp8_config/backend"
    assert as_data(whole)["findings"][1]["after"] == ["FP101"]
    assert [one.rule for one in build.brief(report(part())).findings] == ["FP101", "FP210", "FP518"]


def test_behind_an_error_that_was_known_before_nothing_is_new() -> None:
    found = report(part())
    marks = fingerprints(found.findings, found.documents)
    known = [{"fingerprint": marks[0], "rule": "FP101", "file": "train.yaml", "message": "x"}]
    assert [one.rule for one in build.brief(report(part(), baseline=known)).findings] == ["FP101"]
    assert [one.state for one in build.brief(report(part(), baseline=[])).findings] == ["new", "new", "new"]


def test_only_rules_that_were_asked_for_are_told() -> None:
    rules = select(["FP101"], []).rules
    assert report(part(), rules=rules).later == ()


def test_many_runs_are_told_the_same() -> None:
    (one,) = check_each(Request((part(),)))
    assert [other.rule for other in one.later] == ["FP210", "FP518"]


def test_a_budget_ends_the_search() -> None:
    request = Request((part(),))
    (found,) = check_request(request).reports
    told = Advisor(request, 0).told(request.runs[0], found)
    assert told.later == ()
    assert told.hiding == ("FP101",)


def test_a_cure_that_makes_no_run_is_passed_over() -> None:
    request = Request((part(),))
    (found,) = check_request(request).reports

    def judge(given: RunRequest) -> Examined:
        return check_request(Request((given._replace(documents=()),))).reports[0]

    assert behind(request.runs[0], found, judge, always) == ((), ("FP101",))

    def tired(given: RunRequest) -> Examined:
        raise Unfixable(given.launch or "enough")

    assert behind(request.runs[0], found, tired, always) == ((), ("FP101",))


def made_up(rule: str, span: Span | None, message: str = "m", *, fix: Fix | None = None) -> Finding:
    return Finding(rule, "x", "error", message, span, "at accel.yaml:2", (), (), "", fix)


def test_what_the_cure_made_or_another_machine_has_is_not_told() -> None:
    given = part(PLAIN, f"nonsense: 1\n{ACCEL}")
    (found,) = check_request(Request((given,))).reports
    judged: list[RunRequest] = []

    def judge(changed: RunRequest) -> Examined:
        judged.append(changed)
        report = check_request(Request((changed,))).reports[0]
        accel = next(one for one in report.documents if one.path == "accel.yaml")
        where = accel.get("mixed_precision")
        assert where is not None
        gap = Span("accel.yaml", 1, 1, 1, 2, 0, 1)
        words = f"see accel.yaml:2, accel.yaml:99999999999 and accel.yaml:x, not {where.span.line}"
        every = [
            made_up("FP220", where.span, words),
            made_up("FP221", None),
            made_up("FP222", gap),
            made_up("FP601", None),
        ]
        return report._replace(findings=(*every, made_up("FP995", None)))

    later, hiding = behind(given, found, judge, always)
    assert [(one.rule, str(one.span)) for one in later][:2] == [("FP220", "accel.yaml:3:18"), ("FP221", "None")]
    assert later[0].message.startswith(
        "after FP302 is fixed: see accel.yaml:3, accel.yaml:99999999999 and accel.yaml:x,"
    )
    assert later[0].label == "at accel.yaml:3"
    assert "FP222" not in [one.rule for one in later]
    assert hiding
    assert len(judged) > 1


def test_settings_of_the_shell_and_a_run_that_nothing_starts_otherwise() -> None:
    given = part(None, launch="python train.py")
    (found,) = check_request(Request((given,))).reports
    because = (Setting("x", Origin(variable="A")), Setting("x", Origin(default="accelerate 1.15.0")))
    error = PredictedError("unknown-precision", "accelerator", "ValueError", "m", because)
    inputs = found.inputs._replace(outcome=found.outcome._replace(error=error))
    found = found._replace(inputs=inputs, findings=(made_up("FP220", None),))
    judged: list[RunRequest] = []

    def judge(changed: RunRequest) -> Examined:
        judged.append(changed)
        if len(judged) == 1:
            raise InputError("no run")
        if changed.facts.packages != given.facts.packages:
            return found._replace(findings=(made_up("FP601", None),))
        return found

    assert behind(given._replace(facts=given.facts.with_variables({"A": "1"})), found, judge, always)[0] == ()
    assert judged[0].facts.variables == {}
    same = part(None, launch="accelerate launch --config_file accel.yaml train.py")
    (as_it_is,) = check_request(Request((same,))).reports
    assert behind(same, as_it_is._replace(findings=(made_up("FP220", None),)), lambda _: found, always)[1] == ("FP220",)
    other = given._replace(documents=(), launch="accelerate launch train.py")
    assert behind(other, found, lambda _: found, always) == ((), ("FP220",))


def test_pairs_of_faults_are_told_in_one_report() -> None:
    every = [pairs.told(*pair) for pair in pairs.pairs(200, 7)]
    assert len(every) == 200
    assert sum(one.how == "both" for one in every) >= pairs.LEAST * len(every)


@pytest.mark.parametrize("gpus", [None, []])
def test_gpus_that_nobody_has_seen_are_not_counted(
    gpus: list[Gpu] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        b"import torch\nfrom accelerate import Accelerator\nfrom accelerate.utils import TERecipeKwargs\n"
        b"from transformers import AutoModelForCausalLM\n"
        b'accelerator = Accelerator(mixed_precision="fp8", kwargs_handlers=[TERecipeKwargs()])\n'
        b'model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-1.5B")\n'
        b"optimizer = torch.optim.AdamW(model.parameters())\nmodel, optimizer = accelerator.prepare(model, optimizer)\n"
        b"model.train()\nfor batch in batches:\n    accelerator.backward(model(**batch).loss)\n    optimizer.step()\n"
    )
    (tmp_path / "train.py").write_bytes(source)
    monkeypatch.chdir(tmp_path)
    found = report(
        RunRequest((), Facts(gpus=gpus, variables={}, source="machine"), "torchrun --nproc_per_node 8 train.py")
    )
    assert "FP403" in [one.rule for one in found.findings]
    # The H100 that is taken to be there to look behind FP403 is one, and no machine of anybody's.
    assert not [one for one in found.later if one.rule in ("FP309", "FP414")]


def test_behind_processes_that_nobody_named_no_error_is_made_up() -> None:
    accel = (
        "distributed_type: FSDP\nmixed_precision: fp8\nfsdp_config:\n  fsdp_version: 2\n"
        "  fsdp_cpu_ram_efficient_loading: true\nfp8_config:\n  backend: AO\n"
    )
    command = "accelerate launch --config_file accel.yaml train.py train.yaml"
    found = later(part(TRAIN, accel, command, gpus=8))
    # It was looked behind FP328 by taking distributed_type out: the run then ended for the lack of it (FP303).
    assert "FP303" not in found
    assert found["FP505"][0].startswith("after FP328 is fixed: torchao cannot be used with cpu_ram_efficient_loading")
