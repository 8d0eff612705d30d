"""What a check requires of the outcome: each name and operator against the report's own outcome, and hostile texts."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fp8check.rules.engine.gate import LAYERS, LONGEST, MOST, NAMES, OPERATORS, SWITCH, BadRequirement, parsed, required
from fp8check.rules.report import build
from fp8check.rules.report.schema import as_data
from tests.support.cases import CASES
from tests.support.runs import report_of
from tests.tools import gates_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.engine.gate import Name, Required
    from fp8check.rules.suppression.examined import Examined

COMPARED = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
FP8 = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"
TRAINING = (
    "model_name_or_path: Qwen/Qwen2.5-7B\noutput_dir: out\nper_device_train_batch_size: 8\nmax_seq_length: 1024\n"
)
LARGE: dict[str, object] = {
    "training": TRAINING + "packing: true\nbf16: false\ngradient_checkpointing: false\n",
    "trainer": "transformers",
    "accelerate": FP8,
}


def outcome_of(report: Examined) -> Mapping[str, object]:
    """The outcome as a report has it."""
    found = as_data(build.full_report(report))["outcome"]
    assert isinstance(found, dict)
    return found


def in_report(name: str, outcome: Mapping[str, object]) -> object:
    """The value of that name in a report's outcome, found by the name's parts."""
    first, _, second = name.partition(".")
    value = outcome[first]
    if first == "speedup":
        second = second or "predicted"
    if first == "memory" and not second:
        second = "fp8_gib" if isinstance(value, dict) and value["fp8_gib"] is not None else "bf16_gib"
    if second:
        return value.get(second) if isinstance(value, dict) else None
    return value


# How to write a value that is the same, and one that is another.
def values_of(known: Name, value: object) -> tuple[str, str]:
    if not known.words:
        return f"{value}", f"{float(str(value)) + 1}"
    same = str(value).lower() if known.words == SWITCH else str(value)
    return same, next(word for word in known.words if word != same)


# Some cases, with all that they differ in.
SAMPLE = [
    case for file in CASES.values() for case in file["found"] if "crashing" not in case and "require" not in case
][::24]


def test_what_is_required_agrees_with_the_report_for_every_name_and_operator() -> None:
    decided = dict.fromkeys(NAMES, 0)
    open_ = 0
    for case in [LARGE, *SAMPLE]:
        report = report_of(case)
        outcome = outcome_of(report)
        early = outcome["starts"] is False or report.earlier is not None
        for name, known in NAMES.items():
            if name in ("recipe", "mixed_precision"):
                continue  # of the words of a recipe, and of a value that is filled in later: below
            value = in_report(name, outcome)
            if value is None:
                word = known.words[-1] if known.words else "1"
                (one,) = required(parsed([f"{name}=={word}"]), report.outcome, report.earlier)
                assert one.met is not True or report.earlier is not None
                open_ += one.met is None
                continue
            if early or outcome["fp8_layers"] != "all":
                continue  # what a run that does not train in FP8 has none of: below
            same, other = values_of(known, value)
            for sign in OPERATORS if known.words in ((), LAYERS) else ("==", "!="):
                for wanted in (same, other):
                    text = f"{name}{sign}{wanted}"
                    (one,) = required(parsed([text]), report.outcome, None)
                    if known.words == LAYERS:
                        expected = COMPARED[sign](LAYERS.index(str(value)), LAYERS.index(wanted))
                    elif known.words:
                        expected = COMPARED[sign](same, wanted)
                    else:
                        expected = COMPARED[sign](float(str(value)), float(wanted))
                    assert one.met is expected, f"{text}: {one}"
                    decided[name] += 1
    never = {name for name, count in decided.items() if not count} - {"recipe", "mixed_precision"}
    assert never <= {"recipe.recipe", "recipe.pad_inner_dim", "recipe.enable_fsdp_float8_all_gather"}
    assert open_ > 100


def asked(case: Mapping[str, object], *texts: str) -> list[Required]:
    report = report_of({**case, "require": texts})
    assert len(report.required) == len(texts)
    return list(report.required)


AO = {**LARGE, "accelerate": FP8.replace("backend: TE", "backend: AO, pad_inner_dim: true")}
MET = [
    (LARGE, "recipe==HYBRID", True),
    (LARGE, "recipe==DelayedScaling", True),
    (LARGE, "recipe!=tensorwise", True),
    (LARGE, "recipe==tensorwise", False),
    (LARGE, "backend==te", True),
    (LARGE, "backend == 'TE'", True),
    (LARGE, "mixed_precision==fp8", True),
    (LARGE, "mixed_precision!=BF16", True),
    (LARGE, "fp8_layers>=some", True),
    (LARGE, "fp8_layers<all", False),
    (LARGE, "recipe.pad_inner_dim==true", False),
    (AO, "recipe==tensorwise", True),
    (AO, "recipe.recipe==tensorwise", True),
    (AO, "recipe.recipe!=rowwise", True),
    (AO, "recipe.enable_fsdp_float8_all_gather==true", True),
    (AO, "recipe.pad_inner_dim==true", True),
    (AO, "recipe.pad_inner_dim!=true", False),
    (AO, "recipe.amax_history_len>=1", False),
]


@pytest.mark.parametrize(("case", "text", "met"), MET)
def test_words(case: Mapping[str, object], text: str, met: bool) -> None:
    (one,) = asked(case, text)
    assert one.met is met
    assert one.value is not None or one.why


ENDS = {**LARGE, "stack": {"torch": "2.11.0", "accelerate": "1.15.0", "transformers": "5.17.0", "trl": "1.16.0"}}
BF16 = {**LARGE, "accelerate": "distributed_type: 'NO'\nmixed_precision: bf16\n"}
EVERY = [f"{name}=={known.words[-1] if known.words else 1}" for name, known in NAMES.items()]
OTHERS = [f"{name}!={known.words[0] if known.words else 0}" for name, known in NAMES.items()]


@pytest.mark.parametrize("texts", [EVERY, OTHERS], ids=["==", "!="])
def test_a_run_that_does_not_start_meets_nothing_but_that(texts: list[str]) -> None:
    met = {one.requirement for one in asked(ENDS, *texts) if one.met}
    assert met <= {
        "fp8_enabled==true",
        "fp8_enabled!=false",
        "mixed_precision==fp8",
        "mixed_precision!=no",
        "backend!=NO",
        "distributed_type!=NO",
    }
    starts, *_ = asked(ENDS, "starts==true")
    assert (starts.met, starts.value, starts.why[:25]) == (False, False, "the run does not start: R")


def test_a_run_in_bf16_has_a_memory_and_no_speedup() -> None:
    memory, fp8, speed, layers, trained = asked(
        BF16, "memory>1", "memory.fp8_gib>1", "speedup<9", "fp8_layers==none", "trains_converted_weights==true"
    )
    assert memory.met
    assert memory.value == asked(BF16, "memory.bf16_gib>1")[0].value
    assert (fp8.met, speed.met, layers.met, trained.met) == (False, False, True, False)
    assert fp8.why == speed.why == trained.why == "the run does not train in FP8"


UNKNOWN = {**LARGE, "stack": "unknown"}


def test_what_depends_on_releases_has_to_hold_in_both() -> None:
    report = report_of(UNKNOWN)
    assert report.earlier is not None
    newest, before = report.outcome, report.earlier
    (one,) = required(parsed(["memory>0"]), newest, None)
    (other,) = required(parsed(["memory>0"]), before, None)
    low, high = sorted([float(str(one.value)), float(str(other.value))])
    assert low < high
    both, neither, between = required(
        parsed([f"memory<={high}", f"memory<{low}", f"memory<={(low + high) / 2}"]), newest, before
    )
    assert (both.met, neither.met, between.met) == (True, False, None)
    assert both.value is None
    assert both.said == f"{one.value} with the newest releases, {other.value} with earlier ones"
    assert between.why == "it depends on releases that are not known"
    assert "--facts" in between.command
    (open_,) = required(parsed(["speedup>=1"]), newest, before._replace(undecided=OPEN))
    assert (open_.met, open_.why) == (None, OPEN.what)
    (open_,) = required(parsed(["speedup>=1"]), newest._replace(undecided=OPEN), before)
    assert open_.met is None


def _undecided() -> object:
    report = report_of({"accelerate": FP8.replace("fp8\n", "${PRECISION}\n", 1), "training": "output_dir: out\n"})
    assert report.outcome.undecided is not None
    return report.outcome.undecided


OPEN = _undecided()


def test_a_prediction_that_ends_early_decides_nothing_that_comes_later() -> None:
    report = report_of({"accelerate": FP8.replace("fp8\n", "${PRECISION}\n", 1), "training": "output_dir: out\n"})
    every = required(parsed([*EVERY, *OTHERS]), report.outcome, report.earlier)
    assert [one.requirement for one in every if one.met is not None] == []
    assert all(one.why for one in every)


def test_an_accelerator_that_is_reached_is_known_though_the_rest_is_not() -> None:
    outcome = report_of(LARGE).outcome._replace(undecided=OPEN)
    known = {one.requirement for one in required(parsed(EVERY), outcome, None) if one.met is not None}
    assert known == {"mixed_precision==fp8", "backend==AO", "fp8_enabled==true", "distributed_type==TP"}


def test_gpus_that_are_not_known() -> None:
    (limit,) = asked({**LARGE, "gpu": "unknown"}, "memory.limit_gib>1")
    assert (limit.met, limit.why) == (None, "the memory of the GPU")
    assert "--facts" in limit.command
    script = "from accelerate import Accelerator\nAccelerator()\n"
    (kind,) = asked(
        {"script": script, "launch": "accelerate launch train.py", "gpu": "unknown"}, "distributed_type==NO"
    )
    assert (kind.met, kind.why) == (None, "it is NO or MULTI_GPU, by the number of GPUs, which is not known")


def test_ms_amp_and_a_script_that_turns_fp8_on_itself() -> None:
    msamp = {
        "accelerate": FP8.replace("backend: TE", "backend: MSAMP"),
        "training": "output_dir: out\nbf16: false\n",
        "stack": {"torch": "2.4.0", "accelerate": "1.9.0", "transformers": "4.55.0", "msamp": "0.4.0"},
    }
    (layers,) = asked(msamp, "fp8_layers==all")
    assert layers.met is None
    own = {
        "script": "from accelerate import Accelerator\nimport transformer_engine.pytorch as te\na = Accelerator()\n"
        "with te.fp8_autocast(enabled=True):\n    pass\n",
        "launch": "accelerate launch train.py",
    }
    enabled, converted = asked(own, "fp8_enabled==true", "layers.converted>0")
    assert (enabled.met, converted.met) == (None, None)


def test_a_speed_that_is_not_modeled() -> None:
    (one,) = asked({**LARGE, "training": str(LARGE["training"]).replace("max_seq_length: 1024\n", "")}, "speedup>1")
    assert one.met is None
    assert "--probe" in one.command


@pytest.mark.parametrize("gpu", ["unknown", "none"])
def test_the_speed_on_a_gpu_that_is_not_known_is_not_known(gpu: str) -> None:
    (one,) = asked({**LARGE, "gpu": gpu}, "speedup>0.1")
    assert one.met is None
    assert "facts.json" in one.command


def test_old_accelerate_has_no_fp8_enabled() -> None:
    case = {
        "accelerate": FP8,
        "script": "from accelerate import Accelerator\nAccelerator()\n",
        "launch": "accelerate launch train.py",
        "stack": {"torch": "2.4.0", "accelerate": "1.4.0", "transformer_engine": "1.13.0"},
    }
    (one,) = asked(case, "fp8_enabled==true")
    assert (one.met, one.why) == (False, "this release of Accelerate has no such value")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("speedupp>=1", "the outcome has no 'speedupp'. Did you mean speedup? There are starts, mixed_precision,"),
        ("zzzzzz==1", "the outcome has no 'zzzzzz'. There are starts"),
        ("speedup", "a requirement is a name, an operator and a value, as speedup>=1.1; not 'speedup'"),
        (">=1", "a requirement is a name"),
        ("", "a requirement is a name"),
        ("speedup=1.1", "the operators are == != >= <= > <"),
        ("speedup!1.1", "the operators are"),
        ("memory<=70GiB", "its value is a number"),
        ("memory<=", "its value is a number"),
        ("memory<=nan", "its value is a number"),
        ("memory<=1e5", "its value is a number"),
        ("memory<=--1", "its value is a number"),
        ("memory<=1.2.3", "its value is a number"),
        ("memory<=\u0661", "its value is a number"),
        ("memory<=" + 30 * "9", "its value is a number"),
        ("fp8_layers==every", "its value is one of none, some, all"),
        ("backend>=TE", "its values have no order; the operators are == and !="),
        ("starts==yes", "its value is one of false, true"),
        ("recipe=={}", "its value is one of DelayedScaling, MXFP8BlockScaling"),
        ("x" * 300, "a requirement of more than 200 characters"),
    ],
)
def test_what_is_not_understood_is_refused_with_what_there_is(text: str, said: str) -> None:
    with pytest.raises(BadRequirement) as refused:
        parsed([text])
    assert said in str(refused.value)


def test_the_page_lists_the_names() -> None:
    assert gates_page.PAGE.read_text(encoding="utf-8") == gates_page.page(), "make docs"


def test_bounds() -> None:
    assert len(parsed(["starts==true", "starts == true", "starts==true"])) == 2
    with pytest.raises(BadRequirement, match=f"more than {MOST} requirements"):
        parsed([f"speedup>={number}" for number in range(MOST + 1)])
    assert [one.text for one in parsed(["recipe.margin==-1", "speedup>=1.10", "starts== TRUE "])] == [
        "recipe.margin==-1",
        "speedup>=1.10",
        "starts==true",
    ]


WRITTEN = st.one_of(
    st.text(max_size=LONGEST + 10),
    st.builds(
        lambda name, sign, value: f"{name}{sign}{value}",
        st.sampled_from([*NAMES, "speed", "", " "]),
        st.sampled_from([*OPERATORS, "=", "===", "!", "<>", "=>"]),
        st.one_of(st.text(max_size=20), st.floats().map(str), st.integers().map(str), st.sampled_from(["TE", "all"])),
    ),
)


@given(text=WRITTEN)
@settings(max_examples=400, deadline=None)
def test_any_text_is_understood_as_it_is_written_or_refused(text: str) -> None:
    try:
        (one,) = parsed([text])
    except BadRequirement:
        return
    assert one.name in NAMES
    assert text.strip().startswith(one.name)
    assert one.operator in text
    assert parsed([one.text]) == (one,)
    (held,) = required([one], REPORT.outcome, None)
    assert held.met in (True, False, None)


REPORT = report_of(LARGE)
