"""Every decided value knows who set it and whom it overrode."""

from __future__ import annotations

import pytest

from tests.support.runs import report_of

FP8 = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n  fp8_format: E4M3\n"


def test_the_flag_and_the_line_that_it_overrode() -> None:
    outcome = report_of({"training": "output_dir: out\nbf16: true\n", "accelerate": FP8}).outcome
    assert outcome.mixed_precision is not None
    chain = [outcome.mixed_precision.origin.describe(), outcome.mixed_precision.overrode[0].origin.describe()]
    assert chain == ["train.yaml:2", "accel.yaml:2"]


def test_the_shell_that_the_launcher_overwrote() -> None:
    outcome = report_of({"accelerate": FP8, "variables": {"ACCELERATE_FP8_FORMAT": "HYBRID"}}).outcome
    setting = outcome.environment["ACCELERATE_FP8_FORMAT"]
    assert (setting.value, setting.origin.describe()) == ("E4M3", "accel.yaml:5")
    assert "variable ACCELERATE_FP8_FORMAT" in [other.origin.describe() for other in setting.overrode]


def test_the_command_line_beats_the_file() -> None:
    outcome = report_of(
        {"accelerate": FP8, "launch": "accelerate launch --config_file accel.yaml --fp8_format HYBRID t.py"}
    ).outcome
    assert outcome.prepared.recipe is not None
    setting = outcome.prepared.recipe["fp8_format"]
    assert setting.value == "HYBRID"
    assert outcome.environment["ACCELERATE_FP8_FORMAT"].origin.describe() == "command line --fp8_format HYBRID"


def test_an_early_end_leaves_the_rest_unknown() -> None:
    outcome = report_of({"accelerate": "distributed_type: 'NO'\nmixed_precision: float8\n"}).outcome
    assert (outcome.starts, outcome.mixed_precision, outcome.backend, outcome.fp8_layers) == (False, None, None, None)
    assert outcome.error is not None
    assert outcome.error.stage == "launch"


@pytest.mark.parametrize("kind", ["NO", "DATA_PARALLEL", "MODEL_PARALLEL"])
def test_a_sagemaker_job_is_undecided(kind: str) -> None:
    config = f"compute_environment: AMAZON_SAGEMAKER\ndistributed_type: '{kind}'\nmixed_precision: fp8\nec2_instance_type: x\niam_role_name: y\n"
    report = report_of({"accelerate": config})
    assert report.outcome.starts is None
    assert report.verdict == "undecided"


@pytest.mark.parametrize(("where", "kind"), [("AMAZON_SAGEMAKER", "MULTI_GPU"), ("LOCAL_MACHINE", "DATA_PARALLEL")])
def test_a_distributed_type_of_the_other_environment_ends_the_launch(where: str, kind: str) -> None:
    report = report_of({"accelerate": f"compute_environment: {where}\ndistributed_type: {kind}\n"})
    assert report.outcome.error is not None
    assert "DistributedType" in report.outcome.error.message


def test_one_outcome_takes_under_two_milliseconds() -> None:
    import time

    from fp8check.rules.outcome import predict

    run = report_of({"training": "output_dir: out\nbf16: true\n", "accelerate": FP8}).inputs.run
    began = time.process_time()
    for _ in range(200):
        predict(run)
    assert (time.process_time() - began) / 200 < 0.002


def test_versions_that_are_not_known_are_predicted_twice() -> None:
    report = report_of({"accelerate": FP8.replace("TE", "AO"), "stack": "unknown"})
    assert report.earlier is not None
    assert report.outcome.frozen is not None
    assert report.earlier.frozen is None
    assert "FP210" in [one.rule for one in report.undecided]
