"""Where a run ends, and what it trains: one case for each thing that a stage decides.

The releases that change a stage are in test_releases.py; what the launcher, the trainer, Accelerator and the first
step do alike in all of them is here.
"""

from __future__ import annotations

import json

import pytest

from fp8check.rules.checking.runs import assemble, parse_launch
from fp8check.rules.facts import Facts
from fp8check.rules.outcome import predict
from fp8check.rules.outcome.matrix import describe
from fp8check.rules.trainers.detect import read
from tests.support.outcomes import AO, DDP, DEEPSPEED, FSDP, ONE, SHELL, TE, outcome_of, script, seen
from tests.support.runs import assembled_of

FLAGS = "accelerate launch --mixed_precision fp8"
PYTHON = {"launch": "python train.py", "variables": SHELL}
NEWEST = {"torch": "2.13.0", "accelerate": "1.15.0", "transformers": "5.23.0", "transformer_engine": "2.9.0"}
ABSENT = "the environment that trains: accelerate is not installed in this one"
BOTH = {**NEWEST, "torchao": "0.18.0"}
BEFORE = {"accelerate": "1.3.0", "transformers": "4.49.0", "transformer_engine": "2.1.0"}
WITH_DEEPSPEED = {**BOTH, "deepspeed": "0.19.8"}
TORCHAO_SHELL = {"launch": "python train.py"}
MSAMP = {"accelerate": "1.15.0", "transformers": "5.23.0", "msamp": "0.4.0"}
DEFAULT = "fp8 TE all HYBRID 1024 max"


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({"launch": f"{FLAGS} --fp8_override_linear_precision false,maybe,true t.py"}, "SystemExit (launch)"),
        ({"launch": f"{FLAGS} --fp8_recipe delayed t.py"}, "SystemExit (launch)"),
        ({"launch": f"{FLAGS} --multi_gpu --num_processes 1 t.py"}, "ValueError (launch)"),
        ({"launch": f"{FLAGS} --num_processes 1 t.py", "gpus": 2}, DEFAULT),
        ({"launch": f"{FLAGS} --use_deepspeed t.py"}, "ImportError (launch)"),
        ({"launch": f"{FLAGS} --use_fsdp --fsdp_version 2 t.py"}, "AttributeError (prepare)"),
        (
            {"launch": f"{FLAGS} --use_fsdp --fsdp_version 2 --fsdp_cpu_ram_efficient_loading false t.py"},
            "fp8 TE none",
        ),
        ({"launch": f"{FLAGS} --cpu t.py"}, DEFAULT),
        ({"launch": "accelerate launch --config_file other.yaml t.py"}, "undecided: other.yaml: no such file"),
        ({"accelerate": "mixed_precision: fp8\n"}, "ValueError (launch)"),
        ({"accelerate": f"{ONE}compute_environment: SOMEWHERE\n"}, "ValueError (launch)"),
        ({"accelerate": "distributed_type: SOMETHING\n"}, "ValueError (launch)"),
        ({"accelerate": DEEPSPEED}, "ImportError (launch)"),
        ({"accelerate": f"{ONE}fp8_backend: TE\n"}, "ValueError (launch)"),
        ({"accelerate": ONE.replace("fp8", "float8")}, "ValueError (launch)"),
        ({"accelerate": ONE.replace("fp8", "no")}, "AttributeError (launch)"),
        ({"accelerate": ONE.replace("fp8", "FP8") + TE}, DEFAULT),
        (
            {
                "accelerate": DDP.replace("num_processes: 2\n", "") + TE,
                "launch": "accelerate launch --config_file accel.yaml t.py",
            },
            "ValueError (launch)",
        ),
        ({"accelerate": DDP.replace("num_processes: 2\n", "") + TE}, DEFAULT),
        ({"launch": "accelerate launch t.py"}, "no NO none"),
        ({"accelerate": "distributed_type: XLA\n"}, "undecided: distributed_type XLA is not modeled"),
        ({"accelerate": "distributed_type: 'NO'\nfp16: true\n"}, "fp16 NO none"),
        ({"accelerate": "distributed_type: 'NO'\n"}, "no NO none"),
        ({"accelerate": ONE + TE + "  override_linear_precision: {fprop: true}\n"}, "KeyError (launch)"),
        ({"accelerate": ONE + TE + "  override_linear_precision: [false]\n"}, "IndexError (launch)"),
        ({"accelerate": ONE + TE + "  override_linear_precision: false\n"}, "TypeError (launch)"),
    ],
)
def test_the_launcher(case: dict[str, object], expected: str) -> None:
    assert seen(outcome_of({"stack": NEWEST, **case})).startswith(expected)


LLAMAFACTORY_CLI = "llamafactory-cli train train.yaml"


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        ({"launch": "python t.py"}, "NO"),
        ({"launch": "torchrun --nproc_per_node 2 t.py"}, "MULTI_GPU"),
        ({"launch": LLAMAFACTORY_CLI, "training": "stage: sft\n"}, "NO"),
        ({"launch": LLAMAFACTORY_CLI, "training": "stage: sft\n", "gpus": 2}, "MULTI_GPU"),
        ({"launch": LLAMAFACTORY_CLI, "training": "stage: sft\n", "variables": {"FORCE_TORCHRUN": "1"}}, "MULTI_GPU"),
    ],
)
def test_only_accelerate_launch_reads_the_accelerate_file(case: dict[str, object], kind: str) -> None:
    outcome = outcome_of({"stack": NEWEST, "accelerate": ONE + TE, **case})
    assert (seen(outcome), outcome.distributed_type) == ("no NO none", kind)


def test_the_launcher_passes_over_the_default_file_with_cpu() -> None:
    case = {"stack": NEWEST, "accelerate": ONE + TE}
    run = assembled_of({**case, "launch": "accelerate launch --cpu --config_file accel.yaml t.py"}).run
    assert seen(predict(run)) == DEFAULT
    run = assembled_of({**case, "launch": "accelerate launch t.py"}).run._replace(accelerate_is_default=True)
    assert seen(predict(run)) == DEFAULT
    run = assembled_of({**case, "launch": "accelerate launch --cpu t.py"}).run._replace(accelerate_is_default=True)
    assert seen(predict(run)) == "no NO none"


def test_the_launcher_reads_no_file_that_it_does_not_name() -> None:
    case = {"stack": NEWEST, "accelerate": ONE + TE}
    run = assembled_of({**case, "launch": "accelerate launch t.py"}).run
    assert run.config_read is None
    assert seen(predict(run)) == "no NO none"
    outcome = predict(assembled_of({**case, "launch": "accelerate launch --config_file other.yaml t.py"}).run)
    assert outcome.undecided is not None
    assert outcome.undecided.what == "what other.yaml says"


@pytest.mark.parametrize(
    ("key", "variable", "value"),
    [
        ("margin: 3", "ACCELERATE_FP8_MARGIN", "3"),
        ("fp8_margin: 3", "ACCELERATE_FP8_MARGIN", "3"),
        ("interval: 1", "ACCELERATE_FP8_MARGIN", "0"),
        ("margin:", "ACCELERATE_FP8_MARGIN", None),
        ("bogus: 7", "ACCELERATE_FP8_BOGUS", "7"),
        ("fp8x: 7", "ACCELERATE_FP8X", None),
    ],
)
def test_the_launcher_exports_a_key(key: str, variable: str, value: str | None) -> None:
    environment = outcome_of({"stack": NEWEST, "accelerate": f"{ONE}{TE}  {key}\n"}).environment
    assert (environment[variable].value if variable in environment else None) == value


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({"training": "bf16: true\nfp16: true\n"}, "ValueError (arguments)"),
        ({"training": "fp16: true\n"}, "fp16 TE all HYBRID 1024 max"),
        ({"training": "deepspeed: ds.json\n"}, "PackageNotFoundError (arguments)"),
        ({"training": "fsdp: full_shard\n", "accelerate": f"{ONE}{TE}", "launch": None}, "ValueError (trainer)"),
        (
            {
                "training": "fsdp: full_shard\nfsdp_config: {version: 1}\n",
                "accelerate": f"{DDP}{TE}",
                "launch": None,
            },
            "ValueError (prepare)",
        ),
        (
            {"training": "fsdp: full_shard\nfsdp_config: {version: 2}\n", "accelerate": f"{DDP}{TE}", "launch": None},
            "fp8 TE none",
        ),
        (
            {
                "training": "fsdp: full_shard\nfsdp_config: {version: 2, cpu_ram_efficient_loading: true}\n",
                "accelerate": f"{DDP}{AO}",
                "launch": None,
                "stack": BOTH,
            },
            "ValueError (accelerator)",
        ),
        ({"training": "output_dir: out\n", "accelerate": f"{DEEPSPEED}{TE}", "launch": None}, "ValueError (step)"),
        (
            {"training": "bf16: true\n", "accelerate": f"{DEEPSPEED}{TE}", "launch": None},
            "bf16 TE all HYBRID 1024 max",
        ),
        (
            {
                "training": "deepspeed: ds.json\n",
                "deepspeed": json.dumps({"bf16": {"enabled": True}}),
                "variables": {},
            },
            "ValueError (step)",
        ),
        (
            {
                "training": "deepspeed: ds.json\nfp16: true\n",
                "deepspeed": json.dumps({"fp16": {"enabled": True}}),
                "variables": {},
                "launch": "torchrun --nproc_per_node 1 train.py",
            },
            "fp16 NO none",
        ),
        (
            {
                "training": "deepspeed: ds.json\nfp16: true\n",
                "deepspeed": json.dumps({"fp16": {"enabled": True}}),
                "variables": {},
                "launch": "python train.py",
            },
            "ModuleNotFoundError (prepare)",
        ),
        (
            {
                "trainer": "llamafactory",
                "training": "stage: sft\nfp8: true\nquantization_bit: 4\n",
                "stack": {**NEWEST, "llamafactory": "0.9.5"},
            },
            "ValueError (arguments)",
        ),
        (
            {
                "trainer": "llamafactory",
                "training": "stage: sft\nfinetuning_type: full\nfp8: true\n",
                "stack": {**NEWEST, "transformers": "4.53.3", "accelerate": "1.7.0", "llamafactory": "0.9.3"},
                "variables": {"ALLOW_EXTRA_ARGS": "1"},
            },
            "no None none",
        ),
        (
            {
                "trainer": "llamafactory",
                "training": "stage: sft\nfp8: true\nfp8_backend: te\n",
                "stack": {"accelerate": "1.10.1", "transformers": "4.57.1", "llamafactory": "0.9.5"},
                "variables": {},
            },
            "ModuleNotFoundError (trainer)",
        ),
        (
            {
                "trainer": "llamafactory",
                "training": "stage: sft\nfinetuning_type: full\nbf16: true\nfp8: true\nfp8_backend: torchao\n",
                "stack": {
                    "accelerate": "1.10.1",
                    "transformers": "4.57.1",
                    "torchao": "0.17.0",
                    "llamafactory": "0.9.5",
                },
                "variables": {},
            },
            "fp8 AO some",
        ),
    ],
)
def test_the_trainer(case: dict[str, object], expected: str) -> None:
    stack = NEWEST if expected == "PackageNotFoundError (arguments)" else {**NEWEST, "deepspeed": "0.19.8"}
    assert seen(outcome_of({**PYTHON, "stack": stack, **case})) == expected


@pytest.mark.parametrize("variable", ["USE_V1", "USE_MCA", "USE_MEGATRON_BRIDGE"])
def test_another_engine_of_llamafactory_is_undecided(variable: str) -> None:
    case = {"trainer": "llamafactory", "training": "stage: sft\nfinetuning_type: full\nbf16: true\nfp8: true\n"}
    other = outcome_of({**case, "launch": f"{variable}=1 llamafactory-cli train train.yaml"})
    assert other.starts is None
    assert other.undecided is not None
    assert f"{variable}=1 hands the file to" in other.undecided.what
    same = outcome_of({**case, "launch": f"{variable}=0 llamafactory-cli train train.yaml"})
    assert same.starts is not None


AXOLOTL = "base_model: x\nbf16: true\nfp8: true\n"


def test_axolotl_itself_refuses_the_gather_without_fsdp2() -> None:
    text = f"{AXOLOTL}fp8_enable_fsdp_float8_all_gather: true\n"
    error = outcome_of({"launch": "python t.py", "trainer": "axolotl", "training": text}).error
    assert error is not None
    assert (error.stage, error.type) == ("arguments", "ValidationError")
    assert "requires FSDP2" in error.message


@pytest.mark.parametrize(
    ("text", "kind", "version", "efficient"),
    [
        ("", "MULTI_GPU", None, None),
        ("fsdp_version: 2\n", "MULTI_GPU", None, None),
        ("fsdp_config: {fsdp_version: 2}\n", "FSDP", 2, "false"),
        ("fsdp_config: {version: 2, cpu_ram_efficient_loading: false}\n", "FSDP", 2, "false"),
        ("fsdp_version: 2\nfsdp_config: {reshard_after_forward: true}\n", "FSDP", 2, "false"),
        ("fsdp: [full_shard]\nfsdp_config: {use_orig_params: true}\n", "FSDP", 1, "false"),
        ("fsdp_version: 2\nfsdp_config: {cpu_ram_efficient_loading: true}\n", "FSDP", 2, "true"),
    ],
)
def test_axolotl_sets_the_variables_of_fsdp(text: str, kind: str, version: int | None, efficient: str | None) -> None:
    launch = "accelerate launch --multi_gpu --num_processes 2 -m axolotl.cli.train train.yaml"
    outcome = outcome_of({"launch": launch, "trainer": "axolotl", "training": "base_model: x\nbf16: true\n" + text})
    assert outcome.accelerator is not None
    assert (outcome.distributed_type, outcome.accelerator.fsdp_version) == (kind, version)
    seen_ = outcome.environment.get("FSDP_CPU_RAM_EFFICIENT_LOADING")
    assert (None if seen_ is None else seen_.value) == efficient


@pytest.mark.parametrize(
    ("launch", "gpu", "expected"),
    [
        (
            "accelerate launch --multi_gpu --num_processes 2 --mixed_precision fp8",
            ["9.0", "8.0"],
            "AssertionError (step)",
        ),
        ("accelerate launch --multi_gpu --num_processes 2 --mixed_precision fp8", ["9.0", "9.0", "8.0"], DEFAULT),
        ("torchrun --nproc_per_node 2", ["9.0", "8.0"], "AssertionError (step)"),
        ("torchrun --nproc_per_node ${N}", ["9.0", "8.0"], DEFAULT),
        ("torchrun --nproc_per_node x", ["9.0", "8.0"], DEFAULT),
        ("python", ["9.0", "8.0"], DEFAULT),
    ],
)
def test_each_process_wants_a_gpu_that_can_fp8(launch: str, gpu: list[str], expected: str) -> None:
    """Executed: tests/conformance/commands.jsonl machine-ddp-second-old, with the GPUs in the order of the bus."""
    variables = {**SHELL, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    case = {"launch": f"{launch} t.py", "variables": variables, "gpu": gpu, "stack": NEWEST}
    assert seen(outcome_of(case)) == expected


@pytest.mark.parametrize(
    ("flags", "file", "refused"),
    [
        ("--gpu_ids 0", DDP, True),
        ("--gpu_ids 0", ONE, False),
        ("--gpu_ids 0 --multi_gpu", ONE, True),
        ("--gpu_ids 0 --use_fsdp", DDP, False),
        ("--gpu_ids 0 --num_machines 2", DDP, False),
        ("--gpu_ids all", DDP + "gpu_ids: '0'\n", False),
        ("--gpu_ids 0,1", DDP, False),
        ("", DDP + "gpu_ids: '0'\nnum_machines: 2\n", False),
        ("", DDP + "gpu_ids: '0'\n", True),
    ],
)
def test_one_gpu_id_is_none_for_several_processes(flags: str, file: str, refused: bool) -> None:
    """accelerate/commands/launch.py _validate_launch_command; executed: machine-gpu-ids-one, mixed-029."""
    case = {"launch": f"accelerate launch --config_file accel.yaml {flags} t.py", "accelerate": file, "gpus": 2}
    assert (outcome_of(case).error_of("one-gpu-id") is not None) is refused


@pytest.mark.parametrize(
    ("file", "release", "error"),
    [
        ("train.json", "0.9.5", "json-never-read"),
        ("train.json", "0.9.4", None),
        ("train.yaml", "0.9.5", None),
        ("train.json", None, None),
    ],
)
def test_llamafactory_0_9_5_reads_no_json(file: str, release: str | None, error: str | None) -> None:
    """Executed with 0.9.4 and 0.9.5: tests/conformance/commands.jsonl lf-json."""
    training = read(file, b'{"stage": "sft", "finetuning_type": "full", "bf16": true}')
    facts = Facts(packages={} if release is None else {"llamafactory": release})
    (one,) = assemble([training], facts, launch=parse_launch(f"llamafactory-cli train {file}"), follow=False)
    found = predict(one.run).error
    assert (None if found is None else found.code) == error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bf16: false\n", "no TE all HYBRID 1024 max"),
        ("fp16: true\n", "ValueError (step)"),
        (
            "fp16: true\nadapter: lora\nlora_r: 16\nlora_alpha: 16\nlora_target_linear: true\n",
            "fp16 TE all HYBRID 1024 max",
        ),
    ],
)
def test_axolotl_s_own_precision_goes_before_the_launcher_s(text: str, expected: str) -> None:
    """Executed with 0.19.0: tests/conformance/commands.jsonl axolotl-launcher-accelerate-off, axolotl-fp16."""
    case = {
        "launch": "python -m axolotl.cli.train train.yaml",
        "trainer": "axolotl",
        "training": f"base_model: x\n{text}",
        "variables": SHELL,
    }
    assert seen(outcome_of(case)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (AXOLOTL, "fp8 AO some"),
        (f"{AXOLOTL}fp8_enable_fsdp_float8_all_gather: false\n", "fp8 AO some"),
        (AXOLOTL.replace("fp8: true", "fp8: false"), "bf16 NO none"),
    ],
)
def test_axolotl_passes_torchao_itself(text: str, expected: str) -> None:
    stack = {"torch": "2.11.0", "accelerate": "1.13.0", "transformers": "5.16.1", "torchao": "0.17.0"}
    outcome = outcome_of({"launch": "python t.py", "trainer": "axolotl", "training": text, "stack": stack})
    assert seen(outcome) == expected
    if expected != "bf16 NO none":
        assert outcome.prepared.recipe is not None
        assert outcome.prepared.recipe["recipe"].value == "tensorwise"
        assert outcome.environment["ACCELERATE_MIXED_PRECISION"].value == "fp8"


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({"script": script("float8")}, "ValueError (accelerator)"),
        ({"script": "Accelerator(mixed_precision=args.precision)\n"}, "undecided: train.py passes mixed_precision="),
        ({"script": "import os\nos.environ['ACCELERATE_FP8_FORMAT'] = 'E4M3'\n" + script()}, "fp8 TE all E4M3"),
        ({"script": script(prepared="model")}, "ValueError (prepare)"),
        ({"script": script("fp8", "TERecipeKwargs()"), "stack": {"torchao": "0.18.0"}}, "ImportError (accelerator)"),
        ({"script": script("bf16", "TERecipeKwargs()")}, "ValueError (accelerator)"),
        ({"script": script("fp8", 'FP8RecipeKwargs(backend="AO")')}, "ValueError (accelerator)"),
        ({"script": script("fp8", 'FP8RecipeKwargs(backend="te")')}, DEFAULT),
        ({"script": script("fp8", "AORecipeKwargs(pad_inner_dim=False)"), "stack": BOTH}, "fp8 AO some gathered"),
        ({"script": script("fp8", "MSAMPRecipeKwargs()"), "stack": MSAMP}, "fp8 MSAMP None"),
        ({"script": script("fp8", 'MSAMPRecipeKwargs(opt_level="o2")'), "stack": MSAMP}, "ValueError (accelerator)"),
        # 1.3 and before know one class for both.
        ({"script": script("fp8", 'FP8RecipeKwargs(backend="AO")'), "stack": BEFORE}, "ValueError (accelerator)"),
        ({"script": script("fp8", 'FP8RecipeKwargs(backend="msamp")'), "stack": BEFORE}, "ValueError (accelerator)"),
        (
            {
                "script": script("fp8"),
                "variables": {},
                "stack": {"accelerate": "1.3.0", "transformers": "4.49.0", "msamp": "0.4.0"},
            },
            "fp8 MSAMP None",
        ),
        (
            {
                "script": script("fp8", 'FP8RecipeKwargs(backend="TE")'),
                "stack": {"accelerate": "1.3.0", "transformers": "4.49.0", "msamp": "0.4.0"},
            },
            "ValueError (accelerator)",
        ),
    ],
)
def test_a_script_of_ones_own(case: dict[str, object], expected: str) -> None:
    assert seen(outcome_of({**PYTHON, "stack": NEWEST, **case})).startswith(expected)


LOADING = "  fsdp_cpu_ram_efficient_loading: true\n"


@pytest.mark.parametrize(
    ("stack", "more", "expected"),
    [
        ({}, LOADING, "AttributeError: 'Tensor' object has no attribute 'device_mesh'"),
        ({}, "", "AttributeError: 'Tensor' object has no attribute 'device_mesh'"),  # the launcher's default is true
        ({}, LOADING.replace("true", "false"), ""),
        ({"accelerate": "1.9.0", "transformers": "4.57.1"}, LOADING, "AttributeError: 'Tensor' object has no"),
        ({"transformer_engine": "1.11.0"}, LOADING, "AttributeError: '_io.BytesIO' object has no attribute"),
        # Its conversion fails before.
        ({}, f"{LOADING}parallelism_config: {{parallelism_config_tp_size: 2}}\n", "RuntimeError: got mixed"),
    ],
)
def test_fsdp2_takes_te_s_own_state_for_a_shard(stack: dict[str, str], more: str, expected: str) -> None:
    accelerate = f"{FSDP}{TE}fsdp_config:\n  fsdp_version: 2\n{more}"
    error = outcome_of({"stack": {**NEWEST, **stack}, "accelerate": accelerate}).error
    assert (f"{error.type}: {error.message}" if error is not None else "").startswith(expected)
    assert (error is None) is (expected == "")


def test_whether_a_script_wraps_its_model_is_not_followed_into_blocks() -> None:
    text = "from accelerate import Accelerator\nfrom peft import get_peft_model\naccelerator = Accelerator()\n"
    text += "if LORA:\n    model = get_peft_model(make(), config)\nmodel, o = accelerator.prepare(model, o)\n"
    old = {"accelerate": "1.10.1", "transformers": "4.57.1", "transformer_engine": "2.8.0", "torchao": "0.18.0"}
    case = {"accelerate": ONE + TE, "script": text, "launch": "accelerate launch --config_file accel.yaml train.py"}
    undecided = outcome_of({**case, "stack": {**old, "peft": "0.17.1"}}).undecided
    assert undecided is not None
    assert undecided.what.startswith("whether train.py wraps its model")
    assert outcome_of({**case, "stack": {**old, "peft": "0.20.0"}}).undecided is None


def test_axolotl_makes_parameters_of_te_s_own_state() -> None:
    accelerate = f"{FSDP}{TE}fsdp_config:\n  fsdp_version: 2\n"
    own = "fsdp_version: 2\nfsdp_config: {cpu_ram_efficient_loading: true}\n"
    stack = {"accelerate": "1.13.0", "transformers": "5.16.1", "transformer_engine": "2.9.0", "axolotl": "0.19.0"}
    launch = "axolotl train train.yaml -- --config_file accel.yaml"
    for more, type_ in ((own, "RuntimeError"), ("", "AttributeError")):
        case = {
            "training": f"base_model: a/b\n{more}",
            "accelerate": accelerate,
            "launch": launch,
            "trainer": "axolotl",
        }
        error = outcome_of({**case, "stack": stack, "gpus": 2}).error_of("fsdp2-loads-te-state")
        assert error is not None
        assert error.type == type_


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({**PYTHON, "stack": {"accelerate": "1.15.0"}}, "ValueError (accelerator)"),
        ({**PYTHON, "stack": {"transformer_engine": "2.9.0"}}, f"undecided: {ABSENT}"),
        ({**PYTHON, "variables": {**SHELL, "ACCELERATE_FP8_BACKEND": "te"}}, "ValueError (accelerator)"),
        ({**PYTHON, "variables": {**SHELL, "ACCELERATE_FP8_AMAX_COMPUTE_ALGO": "mean"}}, "ValueError (accelerator)"),
        ({**PYTHON, "variables": {**SHELL, "ACCELERATE_FP8_AMAX_HISTORY_LEN": "16.0"}}, "ValueError (accelerator)"),
        ({**PYTHON, "variables": {**SHELL, "ACCELERATE_FP8_OVERRIDE_FPROP": "a"}}, "ValueError (accelerator)"),
        ({**PYTHON, "variables": {"ACCELERATE_MIXED_PRECISION": "fp8"}, "stack": MSAMP}, "fp8 MSAMP None"),
        ({"accelerate": f"{ONE}fp8_config: {{backend: MSAMP}}\n"}, "ImportError (prepare)"),
        (
            {**PYTHON, "variables": {**SHELL, "ACCELERATE_MIXED_PRECISION": "bf16"}, "stack": {"accelerate": "1.15.0"}},
            "ImportError (prepare)",
        ),
        ({"accelerate": ONE + AO}, "ImportError (accelerator)"),
        ({"accelerate": ONE + AO, "stack": {**NEWEST, "accelerate": "1.10.1"}}, "ImportError (prepare)"),
        (
            {**TORCHAO_SHELL, "variables": {"ACCELERATE_FP8_BACKEND": "AO"}, "stack": BOTH},
            "AttributeError (prepare)",
        ),
        (
            {**PYTHON, "transformer_engine": {"imports": False, "error": "libnvrtc.so.13: cannot open"}},
            "ImportError (prepare)",
        ),
        (
            {
                "accelerate": f"{ONE}{TE}  use_mxfp8_block_scaling: true\n  amax_history_len: 16\n",
                "gpu": "10.0",
            },
            "ValueError (prepare)",
        ),
        ({"accelerate": f"{ONE}{TE}  use_mxfp8_block_scaling: true\n"}, "ValueError (prepare)"),
        (
            {
                "accelerate": f"{ONE}{TE}  override_linear_precision: [true, false, false]\n",
                "stack": {"accelerate": "1.9.0", "transformer_engine": "1.11.0", "transformers": "4.57.1"},
            },
            "ValidationError (prepare)",
        ),
        ({**PYTHON, "tokens": 35}, "AssertionError (step)"),
        ({**PYTHON, "tokens": 24}, "RuntimeError (step)"),
        ({**PYTHON, "tokens": 48}, DEFAULT),
        ({"accelerate": f"{FSDP}fp8_config: {{backend: MSAMP}}\n"}, "NotImplementedError (accelerator)"),
        (
            {"accelerate": f"{DEEPSPEED.replace('1}', '3}')}fp8_config: {{backend: MSAMP}}\n", "stack": WITH_DEEPSPEED},
            "NotImplementedError (accelerator)",
        ),
        (
            {
                "accelerate": DEEPSPEED.replace("zero_stage: 1", "deepspeed_config_file: ds.json") + TE,
                "stack": WITH_DEEPSPEED,
            },
            "ValueError (accelerator)",
        ),
        (
            {
                "accelerate": DEEPSPEED.replace("zero_stage: 1", "deepspeed_config_file: ds.json") + TE,
                "launch": f"{FLAGS} --config_file accel.yaml t.py",
                "deepspeed": "{}",
                "stack": WITH_DEEPSPEED,
            },
            DEFAULT,
        ),
        (
            {
                "accelerate": DEEPSPEED.replace("zero_stage: 1", "deepspeed_config_file: ds.json") + TE,
                "launch": f"{FLAGS} --config_file accel.yaml t.py",
                "stack": WITH_DEEPSPEED,
            },
            "undecided: ds.json: no such file",
        ),
        (
            {
                "accelerate": DEEPSPEED.replace("zero_stage: 1", "deepspeed_config_file: ds.json") + TE,
                "launch": f"{FLAGS} --config_file accel.yaml t.py",
                "deepspeed": json.dumps({"fp16": {"enabled": True}}),
                "stack": WITH_DEEPSPEED,
            },
            "ValueError (accelerator)",
        ),
        ({"accelerate": f"{DEEPSPEED}{AO}", "stack": WITH_DEEPSPEED}, "RuntimeError (prepare)"),
        ({"accelerate": f"{DEEPSPEED.replace('fp8', 'fp16')}", "stack": WITH_DEEPSPEED}, "fp16 NO none"),
    ],
)
def test_accelerator(case: dict[str, object], expected: str) -> None:
    assert seen(outcome_of({"stack": NEWEST, **case})) == expected


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        ({"torchao": "0.17.0"}, "fp8 AO some gathered"),
        ({"transformer_engine": "2.9.0"}, DEFAULT),
        ({"transformer_engine": "2.9.0", "torchao": "0.17.0"}, "fp8 AO some gathered"),
        ({"transformer_engine": "2.9.0", "torchao": "0.6.0"}, DEFAULT),
        ("unknown", "undecided: no backend is named"),
    ],
)
def test_the_first_backend_that_is_there(stack: object, expected: str) -> None:
    known = {"accelerate": "1.15.0", **stack} if isinstance(stack, dict) else stack
    variables = {"ACCELERATE_MIXED_PRECISION": "fp8"}
    assert seen(outcome_of({"launch": "python t.py", "variables": variables, "stack": known})).startswith(expected)


def test_a_release_from_after_this_model_is_taken_for_the_newest() -> None:
    outcome = outcome_of({**PYTHON, "stack": {**NEWEST, "accelerate": "2.0.0"}})
    assert seen(outcome) == DEFAULT
    assert outcome.stack.newer == {"accelerate": "2.0.0"}
    assert outcome.stack.name("accelerate") == "accelerate 1.15.0"


@pytest.mark.parametrize(
    ("peft", "torchao", "expected"),
    [
        ("0.18.1", "0.18.0", "ImportError (trainer)"),
        ("0.19.0", "0.18.0", "bf16 NO none"),
        ("0.18.1", "0.17.0", "bf16 NO none"),
        (None, "0.18.0", "bf16 NO none"),
    ],
)
def test_peft_imports_what_torchao_no_longer_has(peft: str | None, torchao: str, expected: str) -> None:
    stack = {"accelerate": "1.10.1", "transformers": "4.57.1", "torchao": torchao}
    text = "use_peft: true\nlora_r: 16\nbf16: true\n"
    case = {"launch": "python t.py", "training": text, "stack": stack | ({"peft": peft} if peft else {})}
    assert seen(outcome_of(case)) == expected


TORCHAO = {"ACCELERATE_MIXED_PRECISION": "fp8", "ACCELERATE_FP8_BACKEND": "AO"}


@pytest.mark.parametrize(
    ("accelerate", "torch", "torchao", "expected"),
    [
        ("1.15.0", "2.8.0", "0.18.0", "ImportError (accelerator)"),
        ("1.13.0", "2.9.1", "0.18.0", "ImportError (accelerator)"),
        ("1.12.0", "2.8.0", "0.18.0", "ImportError (prepare)"),
        ("1.12.0", "2.10.0", "0.18.0", "fp8 AO some"),
        ("1.12.0", "2.8.0", "0.17.0", "fp8 AO some"),
        ("1.12.0", "2.8.0", "0.6.0", "ValueError (accelerator)"),
    ],
)
def test_where_torchao_is_imported(accelerate: str, torch: str, torchao: str, expected: str) -> None:
    stack = {"accelerate": accelerate, "torch": torch, "torchao": torchao, "transformers": "4.57.1"}
    assert seen(outcome_of({"launch": "python t.py", "variables": TORCHAO, "stack": stack})) == expected


def test_a_release_that_imports_torchao_cannot_even_launch() -> None:
    stack = {"accelerate": "1.6.0", "torch": "2.8.0", "torchao": "0.18.0", "transformers": "4.57.1"}
    assert seen(outcome_of({"accelerate": ONE.replace("fp8", "bf16"), "stack": stack})) == "ImportError (launch)"


def test_a_matrix_cell_that_is_not_known() -> None:
    outcome = outcome_of({"accelerate": "distributed_type: TP\n", "stack": NEWEST})
    assert describe(outcome) == ("not known: distributed_type TP is not modeled", False)


def test_the_trace_leaves_out_variables_that_nothing_touched() -> None:
    outcome = outcome_of({**PYTHON, "stack": NEWEST})
    names = [name for name, _ in outcome.settings()]
    assert "ACCELERATE_FP8_BACKEND" not in names
    assert names[:2] == ["mixed_precision", "backend"]


def test_the_trace_of_a_run_that_ends_at_its_launch() -> None:
    outcome = outcome_of({"launch": f"{FLAGS} --fp8_backend TE t.py", "variables": {"HF_HOME": "x"}, "stack": NEWEST})
    assert list(outcome.settings()) == []
