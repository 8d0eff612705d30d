"""What a file is: the tools' own files are known, the files that stand beside them in a repository are not taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from fp8check.rules.checking.runs import WrongFiles, assemble
from fp8check.rules.facts import Facts
from fp8check.rules.trainers.detect import identified, may_be_ours, read

TRAINING = {
    "a small file with FP8": ("llamafactory", "fp8: true\nbf16: true\noutput_dir: x\n"),
    "sft": (
        "llamafactory",
        "model_name_or_path: a\nstage: sft\nfinetuning_type: full\ntemplate: qwen\ncutoff_len: 2048\n",
    ),
    "chat": ("llamafactory", "model_name_or_path: a\ntemplate: qwen\ninfer_backend: vllm\n"),
    "merge": ("llamafactory", "model_name_or_path: a\nadapter_name_or_path: b\ntemplate: qwen\nexport_dir: c\n"),
    "megatron": (
        "llamafactory",
        "model_name_or_path: a\nstage: sft\nfinetuning_type: full\nmixed_precision: bf16_mixed\n",
    ),
    "v1": ("llamafactory-v1", "model: a\ntrain_dataset: b.yaml\ndist_config:\n  name: fsdp2\nmicro_batch_size: 1\n"),
    "v1 export": ("llamafactory-v1", "model: a\npeft_config:\n  name: lora\n"),
    "flags": ("transformers", "bf16: true\n"),
    "a script's own arguments": (
        "transformers",
        "model_name_or_path: a\ntrain_file: b\nmax_seq_length: 1024\noutput_dir: x\noptim: a\nlearning_rate: 1\nlora_rank: 64\nlora_alpha: 16\nbf16: true\n",
    ),
    "trainer": ("transformers", "output_dir: x\nper_device_train_batch_size: 4\nbf16: true\nlearning_rate: 1.0e-5\n"),
    "run_clm": (
        "transformers",
        "model_name_or_path: a\ndataset_name: b\ndataset_config_name: c\nblock_size: 1024\noutput_dir: x\nfp16: true\n",
    ),
    "fsdp in the trainer": ("transformers", "output_dir: x\nfsdp: full_shard\nfsdp_config: {version: 2}\nbf16: true\n"),
    "merged": ("transformers", "<<: &d {output_dir: x, bf16: true}\nmax_steps: 3\n"),
    "trl": ("trl", "model_name_or_path: a\ndataset_name: b\nlearning_rate: 0.0001\nreport_to: none\n"),
    "trl dpo": (
        "trl",
        "model_name_or_path: a\ntorch_dtype: bfloat16\ndataset_name: b\nloss_type: sigmoid\nbeta: 0.1\nbf16: true\n",
    ),
    "trl grpo": ("trl", "model_name_or_path: a\ndataset_name: b\nnum_generations: 8\nuse_vllm: true\nbf16: true\n"),
    "trl mixture": ("trl", "model_name_or_path: a\ndatasets:\n- path: b\nuse_peft: true\nlora_r: 8\noutput_dir: x\n"),
    "axolotl": (
        "axolotl",
        "base_model: a\ndatasets:\n- path: b\n  type: alpaca\nsequence_len: 4096\nadapter: lora\nbf16: auto\n",
    ),
    "axolotl fp8 alone": ("axolotl", "base_model: a\nfp8: true\n"),
    "axolotl fp8": (
        "axolotl",
        "base_model: a\nfp8: true\ntorch_compile: true\nsequence_len: 8192\nsample_packing: true\n",
    ),
    "json": ("transformers", '{"output_dir": "x", "bf16": true, "max_steps": 5}'),
}

OTHER_KINDS = {
    "accelerate": [
        "compute_environment: LOCAL_MACHINE\ndistributed_type: MULTI_GPU\nmixed_precision: fp8\nnum_processes: 8\n",
        "mixed_precision: fp8\n",
        "fp8_config:\n  backend: TE\n",
        "distributed_type: FSDP\nfsdp_config:\n  fsdp_version: 2\nnum_processes: 2\n",
        '{"compute_environment": "LOCAL_MACHINE", "distributed_type": "NO", "debug": false, "mixed_precision": "bf16"}',
        "compute_environment: AMAZON_SAGEMAKER\nec2_instance_type: x\niam_role_name: y\nbase_job_name: z\n",
        "compute_environment: LOCAL_MACHINE\nunknown_key: 1\nmixed_precision: no\n",
    ],
    "deepspeed": [
        '{"train_micro_batch_size_per_gpu": "auto", "zero_optimization": {"stage": 3}, "bf16": {"enabled": "auto"}}',
        '{"zero_optimization": {"stage": 2}}',
        '{"train_batch_size": 8, "fp16": {"enabled": true}, "optimizer": {"type": "AdamW"}}',
        "zero_optimization:\n  stage: 1\ngradient_clipping: 1.0\n",
    ],
    "model": [
        '{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "dtype": "bfloat16"}',
        '{"model_type": "gpt2", "n_embd": 768, "n_layer": 12}',
        '{"architectures": ["Qwen2VL"], "text_config": {"hidden_size": 1}, "vision_config": {}}',
    ],
    "other": [
        # GitHub workflow, GitLab CI, compose, Kubernetes, Helm, MkDocs, pre-commit, conda, OpenAPI, Dependabot,
        # CITATION, Ansible, Prometheus, Hydra, torchtune, mergekit, vLLM, tokens, a data set's card, lists and scalars
        "name: CI\non: [push]\nenv: {X: 1}\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n    - uses: a/b\n",
        "stages: [test]\nvariables: {A: b}\ntest:\n  stage: test\n  script: [make]\n",
        "services:\n  web:\n    image: nginx\n    environment:\n      - BF16=true\nvolumes: {}\n",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: train\nspec:\n  template: {}\n",
        "apiVersion: v1\nkind: A\n---\napiVersion: v1\nkind: B\n",
        "replicaCount: 1\nimage: {repository: a, tag: b}\nresources: {}\ntemplate: x\n",
        "site_name: x\nnav:\n- a.md\ntheme: material\nplugins: [search]\n",
        "repos:\n- repo: https://github.com/x/y\n  rev: v1\n  hooks: [{id: z}]\ndefault_stages: [commit]\n",
        "name: env\nchannels: [conda-forge]\ndependencies: [python=3.11, pip]\nprefix: /x\n",
        "openapi: 3.0.0\ninfo: {title: x, version: 1.0.0}\npaths: {}\ncomponents: {}\n",
        "version: 2\nupdates:\n- package-ecosystem: pip\n  directory: /\n",
        "cff-version: 1.2.0\ntitle: x\nauthors: []\nmessage: cite\n",
        "- hosts: all\n  tasks: []\n",
        "global: {scrape_interval: 15s}\nscrape_configs: []\n",
        "output_dir: x\nmodel: {_component_: y}\nloss: {}\ndtype: bf16\ngradient_accumulation_steps: 8\n",
        "output_dir: x\nmodel: {_component_: y}\nmax_steps: 1\nlearning_rate: 1\ngradient_accumulation_steps: 8\n",
        "base_model: a\nmerge_method: ties\ndtype: bfloat16\nmodels:\n- model: b\n",
        "model: a\ntensor-parallel-size: 2\nmax-model-len: 4096\n",
        "model_name_or_path: a/b\ndevice_map: null\nattn_implementation: sdpa\ngeneration_cfg: {top_p: 0.9}\n",
        '"<|START|>": begins\n"<|END|>": ends\n',
        "my_data:\n  path: a/b\n  source: hf_hub\n",
        '{"alpaca": {"file_name": "a.json", "columns": {"prompt": "x"}}}',
        '{"peft_type": "LORA", "base_model_name_or_path": "a", "r": 8, "lora_alpha": 16, "lora_dropout": 0.0}',
        '{"model_max_length": 4096, "tokenizer_class": "X", "chat_template": "y", "bos_token": "z"}',
        '{"bos_token_id": 1, "eos_token_id": 2, "max_length": 4096, "transformers_version": "4.40.0"}',
        '{"name": "x", "version": "1.0.0", "scripts": {}, "dependencies": {}}',
        '{"compilerOptions": {"strict": true}, "include": ["src"]}',
        "debug: true\n",
        "name: x\nfp8: null\n",
        "template: x\nstage: prod\n",
        "datasets:\n- a\n- b\n",
        "- bf16\n",
        "bf16\n",
        "",
        "{}\n",
        "[]\n",
    ],
}  # fmt: skip


FOREIGN = {
    "NeMo AutoModel": [
        "step_scheduler: {max_steps: 5}\nmodel: {_target_: a}\nfp8: {enabled: true, recipe_name: tensorwise}\n",
        "recipe: TrainEagle3Recipe\nrecipe_args: {fp8: true}\noptimizer: {lr: 1}\ncheckpoint: {enabled: true}\n",
        "recipe: a\ndist_env: {backend: nccl}\nmodel: {_target_: a}\nfp8: {enabled: true}\nbf16: true\n",
    ],
    "gpt-neox": [
        "pipe_parallel_size: 1\nnum_layers: 16\nhidden_size: 2048\nzero_optimization: {stage: 1}\nte_fp8_format: hybrid\n",
        '{"pipe-parallel-size": 1, "num-layers": 16, "hidden-size": 2048, "zero_optimization": {"stage": 1}}',
    ],
    "gpt-neox, in parts": [
        '{"finetune": true, "zero_optimization": {"stage": 1}, "train_iters": 32, "checkpoint_factor": 10}',
        '{"vocab-file": "a", "merge-file": "b", "save": "c"}',
        "train_data_paths: []\nvalid_data_paths: []\n",
    ],
    "Hydra, in parts": [
        "# @package recipes.training_config.model_config\nmodel_name_or_path: a/b\nmax_length: 1\n",
        "name_or_path: ???\nmax_length: 1250\nuse_peft: false\nmax_grad_norm: 1.0\ngradient_accumulation_steps: 1\n",
    ],
    "verl": ["actor_rollout_ref: {model: {}}\ntrainer: {n_gpus_per_node: 8}\nbf16: true\n"],
    "nanotron": ["general: {}\nmodel: {dtype: bfloat16}\nparallelism: {dp: 2}\ntokens: {}\n"],
    "torchtune": ["model: {_component_: a}\ntokenizer: {_component_: b}\ncheckpointer: {}\nfp16: false\nbf16: true\n"],
    "SimpleTuner": [
        '{"model_family": "flux", "data_backend_config": "a.json", "mixed_precision": "bf16", "learning_rate": 1}',
        '{"--model_family": "flux", "--data_backend_config": "a.json", "--mixed_precision": "bf16"}',
    ],
    "kohya_ss": [
        '{"learning_rate": 1, "mixed_precision": "fp16", "fp8_base": false, "max_data_loader_n_workers": "0", "caption_extension": ".txt", "bucket_reso_steps": 64}',
    ],
    "PaddleNLP": [
        '{"model_name_or_path": "a/b", "output_dir": "o", "learning_rate": 1e-5, "fp16": true, "max_length": 512, "recompute": true, "tensor_parallel_degree": 2}',
    ],
    "SageMaker HyperPod": ["run: {name: a}\ntrainer: {devices: 8}\nexp_manager: {}\nmodel: {fp8: true}\n", "run: {}\ntraining_config: {}\n", "model_name_or_path: a\nattn_implementation: sdpa\nchat_template_key: null\n"],
    "NeMo": ["trainer: {precision: bf16}\nexp_manager: {}\nmodel: {fp8: true}\nname: a\n"],
    "Hydra": ["defaults:\n- model: small\nseed: 1\nlearning_rate: 1e-3\nbatch_size: 4\nmodel: {dim: 4}\n", "defaults:\n- _self_\nlr: 5e-7\ngradient_accumulation_steps: 1\nmax_length: 512\nwarmup_steps: 1\n", "_target_: a.b\nbf16: true\n"],
    "ms-swift": [
        "model: Qwen/Qwen2.5-7B\ntuner_type: lora\nper_device_train_batch_size: 1\nbf16: true\nlearning_rate: 1e-4\n",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("tool", "text"), [(tool, text) for tool, texts in FOREIGN.items() for text in texts])
def test_files_of_tools_that_are_not_known_are_told_apart(tool: str, text: str) -> None:
    document = read("f.yaml", text.encode())
    name = tool.partition(",")[0]
    assert (document.kind, document.dialect) == ("other", name)
    with pytest.raises(WrongFiles, match=f"f.yaml:1:1: this is a file of {name}, .*it was not checked"):
        list(assemble([document], Facts()))


@pytest.mark.parametrize("own", ["", "loss_type: sft\nuse_peft: true\n"], ids=["transformers", "trl"])
def test_a_file_with_a_few_shared_keys_among_many_others_is_nobodys(own: str) -> None:
    shared = "learning_rate: 1e-4\nbf16: true\nper_device_train_batch_size: 1\ngradient_checkpointing: true\n" + own
    others = [f"key_{number}: 1\n" for number in range(24)]
    assert read("f.yaml", (shared + "".join(others[:12])).encode()).kind == "training"
    assert read("f.yaml", (shared + "".join(others)).encode()).kind == "other"


@pytest.mark.parametrize("name", TRAINING)
def test_training_files(name: str) -> None:
    dialect, text = TRAINING[name]
    document = read("f.yaml", text.encode())
    assert (document.kind, document.dialect) == ("training", dialect)
    assert (identified(document).name, identified(document).dialect) == ("training", dialect)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in OTHER_KINDS.items() for text in texts])
def test_other_files(kind: str, text: str) -> None:
    document = read("f.yaml", text.encode())
    assert (document.kind, document.dialect) == (kind, None)


@pytest.mark.parametrize(
    "text", [*(text for _, text in TRAINING.values()), *OTHER_KINDS["accelerate"], *OTHER_KINDS["deepspeed"]]
)
def test_what_cannot_be_parsed_may_be_ours_where_it_has_a_key_of_ours(text: str) -> None:
    assert may_be_ours(text.encode())
    assert may_be_ours(text.encode() + b"\n{{ broken ]\n")


def test_what_has_no_key_of_ours_is_not() -> None:
    for text in ("{{ if x }}\nname: a\n", '{"bf16x": 1, "a": {"bf16": 1}}', '{"a": 1,}', "{" * 5000):
        assert not may_be_ours(text.encode())
    assert may_be_ours(b'{"a": {"bf16": 1},}')  # nobody can parse it, and so the word counts


@pytest.mark.parametrize(
    ("start", "ours"),
    [
        pytest.param(
            '{"version": "1.0", "model": {"vocab": {"bf16": 1, "packing": [2], "\\\\": 3}}, "x": "', False, id="tokens"
        ),
        pytest.param('{"version": "a \\" {", "list": [{"bf16": 1}], "x": "', False, id="a quote in a text"),
        pytest.param('{"zero_optimization": {"stage": 3}, "bf16": {"enabled": true}, "x": "', True, id="DeepSpeed's"),
        pytest.param('{"output_dir": "a", "bf16": true, "learning_rate": 1, "x": "', True, id="a trainer's"),
        pytest.param('{"vocab": {"bf16": 1}, "x": {"y": "', True, id="no end"),
        pytest.param('[{"bf16": 1}, "', True, id="a list"),
    ],
)
def test_json_that_is_too_large_is_told_by_its_top_level_keys(start: str, ours: object) -> None:
    data = start.encode() + b"z" * (1 << 20) + (b'"]' if start[0] == "[" else b'"}')
    assert may_be_ours(data) is ours


@pytest.mark.parametrize("loader", ["pyyaml", "omegaconf"])
def test_the_kind_does_not_depend_on_the_loader(loader: str) -> None:
    for dialect, text in TRAINING.values():
        assert read("f.yaml", text.encode(), loader=loader).dialect == dialect


CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"


def expected(path: Path) -> tuple[str, str | None]:
    """The kind of a file of the corpus, from the folder that its project keeps it in."""
    name = path.relative_to(CORPUS).as_posix()
    if path.suffix == ".json":
        return "deepspeed", None
    if "tokens_cfg" in name:
        return "other", None
    if (
        name.startswith("accelerate/")
        or "accelerate_configs/" in name
        or "/accelerate/" in name
        or "/accelerate_" in name
    ):
        return "accelerate", None
    if name.startswith("trl/"):
        return "training", "trl"
    return "training", "llamafactory-v1" if "/v1/" in name else "llamafactory"


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of public configurations is not here")
def test_the_corpus() -> None:
    files = [path for path in sorted(CORPUS.rglob("*")) if path.suffix in {".yaml", ".yml", ".json"}]
    assert len(files) > 100
    wrong = {}
    for path in files:
        document = read(str(path))
        if (document.kind, document.dialect) != expected(path):
            wrong[path.name] = (document.kind, document.dialect)
    assert wrong == {}
