"""What GPUs showed of `fp8check run`, and of what FP8 is worth to real trainers: the statements of docs hold."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pytest

from fp8check.rules import models
from fp8check.rules.outcome.gpus import find
from fp8check.rules.outcome.peak_inputs import Step
from fp8check.rules.outcome.speed import Point, Setup, Speed, in_words, predict_point, setup_of, speed_of
from fp8check.rules.outcome.whole_step import Rest
from tests.support.peaks import H100, H200, outcome_of_case
from tests.tools import measured_page
from tests.tools.conformance.commands.recorded import read
from tests.tools.gpu.llamas import config_of
from tests.tools.gpu.run_cases import CASES
from tests.tools.gpu.series_cases import FEW, WHOLE, groups
from tests.tools.gpu.stepped_aside import figures
from tests.tools.gpu.worth_cases import runs
from tests.tools.gpu.worth_fit import DISTURBED

EVIDENCE = Path(__file__).parents[2] / "docs" / "evidence"


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (EVIDENCE / name).read_text(encoding="utf-8").splitlines()]


RUN = {row["name"]: row for row in _rows("h200-run.jsonl")}
POINTS = _rows("worth-points.jsonl")


def test_every_case_was_run() -> None:
    assert set(RUN) == {case["name"] for case in CASES}
    assert sum(row["gpus"] == 2 for row in RUN.values()) >= 9


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_what_was_seen_is_real(case: dict[str, Any]) -> None:
    row = RUN[case["name"]]
    assert row["agrees"]
    assert row["wrong"] == []
    assert row["losses"]["apart"] == row["losses"]["two unwatched"] == 0.0
    seen, real = row["seen"], row["real"]
    if seen["gemms"] is not None:
        recorded = real["kernels"]["backward"] - real["again"]
        assert seen["gemms"]["fprop"] == real["kernels"]["forward"]
        assert seen["gemms"]["dgrad"] + seen["gemms"]["wgrad"] == recorded


def test_what_is_wrong_on_purpose_does_not_pass() -> None:
    wrong = [case for case in CASES if not case["right"]]
    assert len(wrong) >= 6
    for case in wrong:
        assert RUN[case["name"]]["verdict"].startswith("not as requested")
        assert case["rule"] in RUN[case["name"]]["rules"]


def test_both_precisions_side_by_side_are_as_they_are_separately() -> None:
    """Memory in all; the time of a step where steps wait for the GPU: in the others the host decides, and differs."""
    found = _rows("h200-compared.jsonl")
    assert len(found) >= 4
    close = 0
    for row in found:
        tried, alone = row["compared"], row["separate"]
        assert tried["peak_gib"] == pytest.approx(alone["peak_gib"], rel=0.001)
        apart = [abs(tried["ms"][one]["median"] / alone["ms"][one] - 1) for one in ("fp8", "bf16")]
        close += max(apart) <= 0.03
        assert max(apart) <= 0.07
    assert close >= 2


def test_where_nothing_is_beside_a_run_the_comparison_is_as_separate_runs_are() -> None:
    """Losses and memory in all of it; docs/evidence/README.md says which times are not."""
    found = [row for row in _rows("h200-compared-alone.jsonl") if "error" not in row]
    assert {row["name"]: row["says"] for row in found} == {"t-3-ao": "within", "lf-1-te": "more", "t-2-te": "more"}
    for row in found:
        for key in ("loss fp8", "loss bf16"):
            assert row["apart"][key] == 0
        assert row["apart"]["loss gap"] < 1e-6
        assert max(row["apart"][key] for key in ("memory", "peak fp8", "peak bf16")) < 0.0003


def test_four_comparisons_are_as_separate_runs_are_in_all_figures() -> None:
    """Of each trainer and backend that waits for the GPU; the two that wait for the host are not."""
    found = _rows("compared-again.jsonl")
    within = {row["name"] for row in found if max(row["apart"].values()) <= 0.03}
    assert (
        within == {row["name"] for row in found if row["says"] == "within"} == {"t-2-te", "t-3-ao", "q-12-te", "r-3-ao"}
    )
    for row in found:
        assert max(row["apart"][key] for key in ("loss fp8", "loss bf16", "loss gap")) < 1e-6
        assert max(row["apart"][key] for key in ("memory", "peak fp8", "peak bf16")) < 0.0003


def test_a_step_takes_as_long_once_the_watcher_has_stepped_aside() -> None:
    """Where two unwatched runs tell as much; the figures are formed anew from the blocks."""
    found = {row["name"]: row for row in _rows("h100-aside.jsonl")}
    for row in found.values():
        if "took" in row:
            assert {key: row[key] for key in figures(row["took"])} == figures(row["took"])
            assert set(row["verdicts"]) == {"as requested"}
    says = {name: row.get("says") for name, row in found.items()}
    assert "more" not in says.values()
    within = {name for name, word in says.items() if word == "within"}
    assert within == {"te-autocast", "trainer-te", "own-ao-compiled", "own-te"}


def test_the_cases_of_which_nothing_was_known_were_measured_again() -> None:
    """One stays open: of LLaMA-Factory's adapters with torchao the range of the figure has no cost in it as well."""
    found = _rows("aside-again.jsonl")
    for row in found:
        assert {key: row[key] for key in figures(row["took"])} == figures(row["took"])
        assert set(row["verdicts"]) == {"as requested"}
    assert {row["name"] for row in found if row["says"] == "within"} == {"lf-te-full", "torchao-alone", "trl-ao"}
    (still,) = [row for row in found if row["says"] == "more"]
    assert still["name"] == "lf-ao-lora"
    assert still["range"][0] < 1 < still["range"][1]


def test_a_cold_probe_ends_within_a_minute() -> None:
    found = _rows("cold-probes.jsonl")
    assert {(row["id"], row["ranks"]) for row in found} == {
        (name, n) for name in ("te", "ao-gather-off") for n in (1, 2)
    }
    for row in found:
        assert row["seconds"] <= 60
        assert row["exit"] == 0
        assert row["ranks"] == 2 or row["part_of_probe"]["bf16_ms"]["repeats"] >= 3
        assert row["ranks"] == 1 or row["counts"]["passing"] == 2


def test_points_are_of_fp8_and_of_bf16() -> None:
    names = {one["name"] for _, one in runs()}
    predicted = json.loads((EVIDENCE / "worth-predicted.json").read_text(encoding="utf-8"))
    assert len(POINTS) >= 40
    assert sum(one["gpus"] == 2 for one in POINTS) >= 10
    assert {one["tokens"] for one in POINTS} >= {1024, 16384}
    assert {one["strategy"] for one in POINTS} == {"single", "DDP", "FSDP2", "ZeRO-2", "ZeRO-3"}
    for one in POINTS:
        assert one["name"] in names & set(predicted)
        assert min(one["kernels"]["fp8"].values()) > 0
        assert max(one["kernels"]["bf16"].values()) == 0
        assert one["speedup"] == pytest.approx(one["ms"]["bf16"] / one["ms"]["fp8"], abs=1e-3)


class Said(NamedTuple):
    """A pair that nothing is fitted to, and what was said of it before it ran, for the GPU that it ran on."""

    pair: dict[str, Any]
    speedup: float
    low: float
    high: float

    @property
    def off(self) -> float:
        """How far, as a share."""
        return abs(self.speedup / self.pair["speedup"] - 1)

    @property
    def inside(self) -> bool:
        """Whether it lies in the range."""
        return bool(self.low <= self.pair["speedup"] <= self.high)


@cache
def _held() -> list[Said]:
    """Of a loop of one's own nothing is said."""
    files = {gpu: f"held-predicted{more}.json" for gpu, more in (("H100", ""), ("H200", "-h200"))}
    told = {gpu: json.loads((EVIDENCE / name).read_text(encoding="utf-8")) for gpu, name in files.items()}
    found = []
    for pair in _rows("held-points.jsonl"):
        said = told["H100" if "H100" in pair["gpu"] else "H200"][pair["name"]]
        if pair["trainer"] != "own":
            found.append(Said(pair, said["speedup"], *said["range"]))
    return found


def _first() -> list[Said]:
    """Those of the list that was predicted before the first of them ran."""
    later = {name for name, *_ in (*FEW, *WHOLE)}
    return [one for one in _held() if one.pair["name"].rpartition("-")[0] not in later]


def _signs(some: list[Said]) -> tuple[int, int]:
    """Of how many it is right whether FP8 is faster, and of how many pairs outside of 0.95 to 1.05."""
    sided = [one for one in some if not 0.95 <= one.pair["speedup"] <= 1.05]
    return sum((one.speedup > 1) == (one.pair["speedup"] > 1) for one in sided), len(sided)


def _table(words: str, some: list[Said]) -> str:
    off = [one.off for one in some]
    widths = [(one.high - one.low) / one.speedup for one in some]
    signs, sided = _signs(some)
    return (
        f"| {words} | {len(some)} | {100 * median(off):.1f} % | {100 * max(off):.0f} % | {sum(one.inside for one in some)} "
        f"| {100 * median(widths):.0f} % | {signs} of {sided} |"
    )


def test_pairs_that_nothing_is_fitted_to_are_as_predicted() -> None:
    """docs/worth.md has the figures; of the first list they are those that were asked for before it was made."""
    first = _first()
    assert sum(one.pair["gpus"] == 2 for one in first) >= 10
    assert {one.pair["gpu"].split()[1] for one in first} == {"H100", "H200"}
    assert {1024, 16384} <= {one.pair["tokens"] for one in first}
    assert {True, False} == {one.pair["compiled"] for one in first} == {one.pair["lora"] for one in first}
    for one in _held():
        assert min(one.pair["kernels"]["fp8"].values()) > 0
        assert max(one.pair["kernels"]["bf16"].values()) == 0
    assert len(first) >= 40
    assert median(one.off for one in first) <= 0.08
    assert max(one.off for one in first) <= 0.25
    assert median((one.high - one.low) / one.speedup for one in first) <= 0.2
    assert sum(one.inside for one in first) >= 0.9 * len(first)
    signs, sided = _signs(first)
    assert signs == sided
    seconds = [one for one in _held() if one not in first]
    words = {"one GPU": 1, "two GPUs": 2}
    page = (EVIDENCE.parent / "worth.md").read_text(encoding="utf-8")
    for row in (
        *(
            _table(f"the first list, {each}", [one for one in first if one.pair["gpus"] == n])
            for each, n in words.items()
        ),
        _table("the first list", first),
        _table("few tokens, adapters, whole models", seconds),
    ):
        assert row in page, row


def test_pairs_that_nothing_is_fitted_to_with_what_was_measured_of_the_host() -> None:
    """The same model with the launch cost that was measured in the same trainings."""
    every = {one["name"]: one for _, some in groups() for one in some}
    off, inside = [], 0
    for one in _first():
        gpu = H100 if "H100" in one.pair["gpu"] else H200
        outcome = outcome_of_case(every[one.pair["name"]], gpu)
        setup, model, tokens = setup_of(outcome.run, outcome), outcome.run.model, outcome.effective.tokens
        assert setup is not None
        assert model is not None
        assert tokens is not None
        said = predict_point(model, tokens, setup)
        assert said.speedup == pytest.approx(one.speedup, abs=6e-4)  # the model is the one that said it
        measured = [host["BF16"] for host in one.pair["host"].values() if "BF16" in host]
        with_host = predict_point(model, tokens, setup._replace(host=sum(measured) / len(measured)))
        assert with_host.speedup is not None
        off.append(abs(with_host.speedup / one.pair["speedup"] - 1))
        inside += (with_host.low or 0) <= one.pair["speedup"] <= (with_host.high or 0)
    assert median(off) <= 0.06
    told = f"{100 * median(off):.1f} % in the median with it, {inside} of {len(off)} in their ranges"
    assert told in (EVIDENCE.parent / "worth.md").read_text(encoding="utf-8").replace("\n", " "), told


def test_how_far_off_the_first_predictions_were() -> None:
    """The list of evidence has these figures: those of the model of bare layers, before the runs."""
    predicted = json.loads((EVIDENCE / "worth-predicted.json").read_text(encoding="utf-8"))
    known = [(predicted[one["name"]], one["speedup"]) for one in POINTS if predicted[one["name"]].get("speedup")]
    off = [abs(said["speedup"] / real - 1) for said, real in known]
    inside = [said["range"][0] <= real <= said["range"][1] for said, real in known]
    signs = [(said["speedup"] > 1) == (real > 1) for said, real in known if not 0.95 <= real <= 1.05]
    assert (round(median(off), 2), round(max(off), 2)) == (0.30, 1.91)
    assert (len(known), sum(inside), sum(signs), len(signs)) == (45, 18, 36, 42)


@cache
def _predicted() -> list[tuple[float, Speed]]:
    """Of each run that is predicted: its speed-up, and what is said of it today."""
    measured = {one["name"]: one["speedup"] for one in POINTS}
    found = []
    for _, case in runs():
        if case["name"] in measured and case["trainer"] != "own":  # what its script says is not read there
            speed = speed_of(outcome_of_case(case, H200))
            assert speed is not None
            found.append((measured[case["name"]], speed))
    return found


def test_how_far_off_what_was_said_before_is() -> None:
    """docs/worth.md has these figures, of predictions that were written down before any of these runs."""
    predicted = json.loads((EVIDENCE / "series-predicted.json").read_text(encoding="utf-8"))
    known = [(predicted[one["name"]], one["speedup"]) for one in _rows("series-points.jsonl")]
    off = [abs(said["speedup"] / real - 1) for said, real in known]
    inside = sum(said["range"][0] <= real <= said["range"][1] for said, real in known)
    signs = [(said["speedup"] > 1) == (real > 1) for said, real in known if not 0.95 <= real <= 1.05]
    row = (
        f"| {len(off)} | {100 * median(off):.0f} % | {100 * max(off):.0f} % | {inside} | {sum(signs)} of {len(signs)} |"
    )
    assert row in (EVIDENCE.parent / "worth.md").read_text(encoding="utf-8"), row


@cache
def _today() -> dict[str, tuple[dict[str, Any], Point]]:
    """Each pair of whole steps, and what is predicted of it today; a loop of one's own is not read."""
    every = {one["name"]: one for _, some in groups() for one in some} | {one["name"]: one for _, one in runs()}
    found = {}
    for pair in (*POINTS, *_rows("series-points.jsonl")):
        if pair["trainer"] == "own":
            continue
        outcome = outcome_of_case(every[pair["name"]], H200)
        setup, model, tokens = setup_of(outcome.run, outcome), outcome.run.model, outcome.effective.tokens
        assert setup is not None
        assert model is not None
        assert tokens is not None
        found[pair["name"]] = pair, predict_point(model, tokens, setup)
    return found


def test_which_way_to_fp8_is_said_to_be_fastest() -> None:
    """Of the ways of one training, by its name without the c of torch.compile, the fastest."""
    ways: dict[str, list[tuple[float, float]]] = {}
    for name, (pair, point) in _today().items():
        training = name.rpartition("-")[0].removesuffix("c")
        ways.setdefault(training, []).append((point.fp8_ms or 0.0, pair["ms"]["fp8"]))
    several = [found for found in ways.values() if len(found) > 1]
    right = sum(min(found)[1] == min(real for _, real in found) for found in several)
    told = f"{right} of {len(several)}"
    assert told in (EVIDENCE.parent / "worth.md").read_text(encoding="utf-8").replace("\n", " "), told


def test_what_people_say_of_fp8() -> None:
    """The statements of docs/worth.md that are of all pairs."""
    pairs = POINTS + _rows("series-points.jsonl") + _rows("held-points.jsonl")
    peaks = [one["peak_gib"]["fp8"] / one["peak_gib"]["bf16"] for one in pairs if None not in one["peak_gib"].values()]
    assert min(peaks) > 0.88
    assert {one["name"] for one in pairs if one["tokens"] == 1024 and one["speedup"] > 1} == {"s-2-te"}
    whole = {one["name"]: round(one["speedup"], 2) for one in pairs if one["name"].startswith("w-")}
    told = {"w-1-te": 0.7, "w-2-te": 0.69, "w-2-ao": 0.25, "w-5-te": 1.37, "w-7-te": 1.11, "w-20-te": 1.25}
    assert {name: whole[name] for name in told} == told
    best = max((one["speedup"], one["name"]) for one in pairs if one["name"] not in DISTURBED)
    assert best == (1.4248, "q-6-te")
    eager = [one["speedup"] for one in pairs if one["backend"] == "AO" and not one["compiled"]]
    assert max(eager) < 1
    assert 0.45 < median(eager) < 0.6
    assert sum(one["speedup"] > 1 for one in pairs if one["lora"]) == 2
    losses = [one for one in _rows("converge.jsonl") if "loss" in one]
    plain = {one["warm_up"]: one["loss"] for one in losses if one["kind"] == "bf16"}
    apart = [abs(a - b) for one in losses for a, b in zip(one["loss"], plain[one["warm_up"]], strict=True)]
    assert max(apart) < 0.07
    assert all(loss[0] - loss[-1] > 4 for loss in plain.values())


def test_no_word_of_a_whole_step_is_contradicted() -> None:
    for real, said in _predicted():
        word = in_words(said, measured=True)
        assert real < 1 or "slower" not in word
        assert real > 1 or "faster" not in word


def test_whole_steps_of_h100s() -> None:
    """On a host that launches faster than a usual one."""
    model, gpu = models.from_config(config_of("7B4"), "7B4", "config.json"), find("H100")
    assert model is not None
    assert gpu is not None
    for row in _rows("h100-steps.jsonl"):
        step = Step("BF16", row["tokens"], **row["step"])
        point = predict_point(model, row["tokens"], Setup(gpu, row["backend"], scope="model", rest=Rest(step)))
        assert point.bf16_ms == pytest.approx(row["ms"]["bf16"], rel=0.15)
        assert (point.low or 0) < row["ms"]["bf16"] / row["ms"]["fp8"] < (point.high or 0)


def test_cells_that_were_executed_on_a_cpu_say_what_was_seen() -> None:
    files = [measured_page.COMMANDS, measured_page.COMMANDS.with_name("advised.jsonl")]
    recorded = {case["id"]: case for file in files for case in read(file)}
    named = set()
    for trainer in measured_page.TRAINERS:
        for strategy in measured_page.STRATEGIES:
            for backend, compiled in measured_page.KINDS.values():
                key = (trainer, backend, compiled, strategy)
                text, _ = measured_page.cell(key, measured_page.points().get(key))
                if "on a CPU" in text:
                    seen = recorded[text.rpartition(", ")[2]]["observed"]
                    error = seen["error"]
                    assert ("FP8" in text) == (error is None), text
                    assert error is None or f"{error['type']} ({error['stage']})" in text, text
                    assert error is not None or seen["fp8_linears_run"] > 0, text
                    named.add(text)
                elif text.startswith("predicted"):  # nobody has to run what does not train
                    assert "Error" in text or "no FP8" in text, text
    assert len(named) >= 20
