"""Flags that are cut short, what a command leaves out, and scripts that are started by their own name.

Each was executed once and compared before anything was changed for it (docs/evidence/commands.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.tools.conformance.commands import programs
from tests.tools.conformance.commands.second_tries import (
    AO,
    AXOLOTL,
    FACTORY_3,
    FACTORY_5,
    NEW,
    OLD,
    PLAIN,
    TE,
    TWO,
    Try,
    config,
    own,
)
from tests.tools.conformance.commands.third_tries import FLAGS, PARSED, SFT, without

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KIND = "fourth tries"
TRL_18 = "1.8-trl"
BF16 = config(mixed_precision="bf16")
LAUNCH = "accelerate launch --config_file te.yaml train.py"
# A script of one's own with a parser of argparse; {more} is what else the parser is made with, {asked} how it is asked.
ARGPARSE = (
    own(
        """import argparse

parser = argparse.ArgumentParser({made})
parser.add_argument("--mixed_precision", default=None)
parser.add_argument("--mixed_layers", type=int, default=0)
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--lr_decay", type=float, default=0.0)
parser.add_argument("--learning_steps", "--learning-steps", type=int, default=1)
parser.add_argument("--output", default="out")
parser.add_argument("--out_dir", default="out")
args = {asked}
""".replace("{", "{{")
        .replace("}", "}}")
        .replace("{{made}}", "{made}")
        .replace("{{asked}}", "{asked}"),
        "accelerator = Accelerator(mixed_precision=args.mixed_precision)",
    )
    .replace("{", "{{")
    .replace("}", "}}")
    .replace("{{made}}", "{made}")
    .replace("{{asked}}", "{asked}")
)


def script(made: str = "", asked: str = "parser.parse_args()") -> str:
    """The script with its parser."""
    return ARGPARSE.format(made=made, asked=asked)


def _cut_short() -> Iterator[tuple[str, Try]]:
    files = {"te.yaml": TE, "ao.yaml": AO}
    plain = {**files, "train.py": script()}
    for name, words in (
        ("two", "--mixed fp8"),
        ("two-equals", "--mixed=fp8"),
        ("one", "--mixed_p fp8"),
        ("one-equals", "--mixed_p=bf16"),
        ("exact", "--lr 0.1"),
        ("exact-shorter", "--l 0.1"),
        ("spellings", "--learning 2"),
        ("spelling", "--learning_s 2"),
        ("spelling-dash", "--learning-s 2"),
        ("mixed-spelling", "--out-dir out"),
        ("two-and-unknown", "--mixed fp8 --nothing 1"),
        ("value", "--output=--mixed"),
        ("behind-dashes", "-- --mixed fp8"),
    ):
        yield f"cut-argparse-{name}", Try(f"{LAUNCH} {words}", plain)
    for name, made, asked, words in (
        ("no-abbreviation", "allow_abbrev=False", "parser.parse_args()", "--mixed_p fp8"),
        ("no-abbreviation-two", "allow_abbrev=False", "parser.parse_args()", "--mixed fp8"),
        ("known", "", "parser.parse_known_args()[0]", "--mixed fp8"),
        ("known-one", "", "parser.parse_known_args()[0]", "--mixed_p fp8"),
        ("known-loose", "allow_abbrev=False", "parser.parse_known_args()[0]", "--mixed_p fp8"),
    ):
        yield f"cut-argparse-{name}", Try(f"{LAUNCH} {words}", {**files, "train.py": script(made, asked)})
    flags = {**files, "train.py": programs.FLAGS}
    most = "--output_dir out --max_steps 1 --report_to none --save_strategy no --learning_rate 0.01"
    for stack, at in ((NEW, ""), (OLD, "-old")):
        for name, words in (
            ("batch", f"{most} --per_device_train 4"),
            ("batch-dashes", f"{most} --per-device-train 4"),
            ("bf", f"{most} --per_device_train_batch_size 4 --bf True"),
            ("bf16-f", f"{most} --per_device_train_batch_size 4 --bf16_f True"),
            ("fp16", f"{most} --per_device_train_batch_size 4 --fp1"),
            ("checkpointing", f"{most} --per_device_train_batch_size 4 --gradient_check True"),
            ("accumulation", f"{most} --per_device_train_batch_size 4 --gradient_acc 2"),
            ("max", "--output_dir out --max 1 --report_to none --save_strategy no --per_device_train_batch_size 4"),
            (
                "max-st",
                "--output_dir out --max_st 1 --report_to none --save_strategy no --per_device_train_batch_size 4",
            ),
            (
                "output",
                "--output out --max_steps 1 --report_to none --save_strategy no --per_device_train_batch_size 4",
            ),
            ("learn", f"{most} --per_device_train_batch_size 4 --learn 0.1"),
            ("mixed", f"{most} --per_device_train_batch_size 4 --mixed fp8"),
            ("model", f"{most} --per_device_train_batch_size 4 --model model"),
            ("model-name", f"{most} --per_device_train_batch_size 4 --model_n model"),
        ):
            yield f"cut-hf-{name}{at}", Try(f"{LAUNCH} {words}", flags, stack)
        for name, words in (
            ("precision", "--mixed_prec fp8 train.py"),
            ("precision-equals", "--mixed_prec=fp8 train.py"),
            ("processes", "--num_proc 1 train.py"),
            ("num", "--num 1 train.py"),
            ("config", "--config te.yaml train.py"),
            ("multi", "--multi train.py"),
            ("fp8", "--fp8_back te train.py"),
        ):
            yield f"cut-launch-{name}{at}", Try(f"accelerate launch {words}", {**files, "train.py": PLAIN}, stack)
        trl = f"trl sft {FLAGS}"
        for name, words in (
            ("bf", "--bf true"),
            ("max", "--max_len 32"),
            ("m", "--max 32"),
            ("gradient", "--gradient_check true"),
            ("precision", "--mixed_prec fp8"),
            ("processes", "--num_proc 1"),
            ("config", "--accelerate_conf te.yaml"),
            ("peft", "--use_p"),
            ("lora", "--use_peft --lora 8"),
        ):
            yield f"cut-trl-{name}{at}", Try(f"{trl} {words}", files, stack)
        recipe = {**files, "recipe.yaml": SFT}
        yield f"cut-trl-conf{at}", Try("trl sft --conf recipe.yaml", recipe, stack)
        module = "accelerate launch --config_file te.yaml -m trl.scripts.sft"
        for name, words in (("bf", "--bf false"), ("max", "--max_len 32"), ("gradient", "--gradient_check false")):
            yield f"cut-module-{name}{at}", Try(f"{module} {FLAGS} {words}", files, stack)
    parsed = {**files, "train.py": PARSED.format(how="", rest=""), "recipe.yaml": without(SFT, "bf16")}
    for name, words in (
        ("bf", "--bf false"),
        ("batch", "--per_device_train 2"),
        ("conf", "--conf recipe.yaml"),
        ("dataset", "--dataset data/sft"),
        ("dataset-name", "--dataset_n data/sft"),
    ):
        yield f"cut-parser-{name}", Try(f"{LAUNCH} --config recipe.yaml {words}", parsed)
    for name, words in (
        ("nproc", "--nproc 1 train.py"),
        ("nproc-per", "--nproc_per 1 train.py"),
        ("nproc-dash", "--nproc-per 1 train.py"),
        ("n", "--n 1 train.py"),
        ("nn", "--nn 1 --nproc_per_node 1 train.py"),
        ("no", "--no train.py"),
        ("rdzv", "--rdzv c10d --nproc_per_node 1 train.py"),
        ("master", "--master_p 29511 --nproc_per_node 1 train.py"),
        ("master-two", "--master 29511 --nproc_per_node 1 train.py"),
        ("stand", "--stand --nproc_per_node 1 train.py"),
        ("unknown", "--processes 1 train.py"),
        ("two", "--nproc_per 2 train.py"),
    ):
        yield (
            f"cut-torchrun-{name}",
            Try(
                f"torchrun {words}",
                {"train.py": PLAIN},
                gpus=TWO if name == "two" else ["9.0"],
                variables={"ACCELERATE_MIXED_PRECISION": "fp8"},
            ),
        )
    for release, at in ((FACTORY_3, "0.9.3"), (FACTORY_5, "0.9.5")):
        base = (
            "--stage sft --do_train --model_name_or_path model --dataset sft --dataset_dir data --template default "
            "--finetuning_type full --cutoff_len 32 --output_dir out --learning_rate 0.01 --max_steps 1 "
            "--report_to none --save_strategy no"
        )
        for name, words in (
            ("batch", "--per_device_train 4"),
            ("bf", "--per_device_train_batch_size 4 --bf true"),
            ("bf16", "--per_device_train_batch_size 4 --bf16 true"),
            ("finetuning", "--per_device_train_batch_size 4 --finetuning lora"),
            ("fp8", "--per_device_train_batch_size 4 --bf16 true --fp8_b te"),
            ("fp", "--per_device_train_batch_size 4 --bf16 true --fp true"),
        ):
            yield f"cut-lf-{name}-{at}", Try(f"llamafactory-cli train {base} {words}", {}, release)


def _left_out() -> Iterator[tuple[str, Try]]:
    """Commands of TRL without a model, without a dataset, without a directory."""
    te = {"te.yaml": TE}
    base = {"output_dir": "out", "max_steps": 1, "report_to": "none", "save_strategy": "no", "bf16": True,
            "per_device_train_batch_size": 4}  # fmt: skip
    methods: dict[str, dict[str, Any]] = {
        "sft": {"dataset_name": "data/sft"},
        "dpo": {"dataset_name": "data/dpo"},
        "reward": {"dataset_name": "data/reward"},
        "grpo": {
            "dataset_name": "data/prompts",
            "reward_funcs": ["get_soft_overlong_punishment"],
            "num_generations": 4,
        },
        "kto": {"dataset_name": "data/dpo"},
        "rloo": {
            "dataset_name": "data/prompts",
            "reward_funcs": ["get_soft_overlong_punishment"],
            "num_generations": 4,
        },
    }
    for stack, at in ((NEW, ""), (OLD, "-old"), (AXOLOTL, "-1.9"), (TRL_18, "-0.18")):
        for method, data in methods.items():
            if stack == TRL_18 and method in ("reward", "rloo", "grpo"):
                continue  # it has no such command, or not the reward that GRPO is given
            both = {**base, "model_name_or_path": "model", **data}
            for name, file in (
                ("model", without(both, "model_name_or_path")),
                ("data", without(both, "dataset_name")),
                ("both", without(both, "dataset_name", "model_name_or_path")),
            ):
                if name == "both" and method not in ("sft", "dpo"):
                    continue
                yield (
                    f"left-trl-{method}-{name}{at}",
                    Try(f"trl {method} --config r.yaml", {**te, "r.yaml": file}, stack),
                )
            if method in ("sft", "grpo"):
                yield f"left-trl-{method}-nothing{at}", Try(f"trl {method}", te, stack)
        flags = " ".join(f"--{key} {value}" for key, value in base.items())
        yield f"left-flags-model{at}", Try(f"trl sft {flags} --dataset_name data/sft", te, stack)
        yield f"left-flags-data{at}", Try(f"trl sft {flags} --model_name_or_path model", te, stack)
        yield (
            f"left-te-model{at}",
            Try(f"trl sft {flags} --dataset_name data/sft --accelerate_config te.yaml", te, stack),
        )
        yield (
            f"left-te-data{at}",
            Try(f"trl sft {flags} --model_name_or_path model --accelerate_config te.yaml", te, stack),
        )
        module = "accelerate launch --config_file te.yaml -m trl.scripts"
        yield f"left-module-sft-model{at}", Try(f"{module}.sft {flags} --dataset_name data/sft", te, stack)
        yield f"left-module-sft-data{at}", Try(f"{module}.sft {flags} --model_name_or_path model", te, stack)
        yield f"left-module-dpo-data{at}", Try(f"{module}.dpo {flags} --model_name_or_path model", te, stack)
        yield (
            f"left-model-null{at}",
            Try("trl sft --config r.yaml", {**te, "r.yaml": {**SFT, "model_name_or_path": None}}, stack),
        )
        yield (
            f"left-data-null{at}",
            Try("trl sft --config r.yaml", {**te, "r.yaml": {**SFT, "dataset_name": None}}, stack),
        )
        mixture = {**without(SFT, "dataset_name"), "datasets": [{"path": "data/sft"}]}
        yield f"left-mixture{at}", Try("trl sft --config r.yaml", {**te, "r.yaml": mixture}, stack)
        yield (
            f"left-mixture-both{at}",
            Try("trl sft --config r.yaml", {**te, "r.yaml": {**mixture, "dataset_name": "data/sft"}}, stack),
        )
        yield f"left-no-output{at}", Try("trl sft --config r.yaml", {**te, "r.yaml": without(SFT, "output_dir")}, stack)
        if stack == TRL_18:
            continue  # its accelerate ends at the file before
        parsed = {**te, "train.py": PARSED.format(how="", rest=""), "r.yaml": without(SFT, "model_name_or_path")}
        yield f"left-parser-model{at}", Try(f"{LAUNCH} --config r.yaml", parsed, stack)
        parsed = {**te, "train.py": PARSED.format(how="", rest=""), "r.yaml": without(SFT, "dataset_name")}
        yield f"left-parser-data{at}", Try(f"{LAUNCH} --config r.yaml", parsed, stack)


RUN = "accelerate launch --config_file ${1:-te.yaml} train.py\n"
# A script that reads its own arguments one by one; {head} begins the loop, {first} is what it looks at.
LOOP = """CONFIG=te.yaml
PRECISION=
{head}
  case {first} in
    -c|--config) CONFIG="$2"; shift 2 ;;
    --config=*) CONFIG="${{1#*=}}"; shift ;;
    --bf16) PRECISION="--mixed_precision bf16"; shift ;;
    *) shift ;;
  esac
done
accelerate launch --config_file $CONFIG $PRECISION train.py
"""
HEADS = {
    "gt": ("while [[ $# -gt 0 ]]; do", "$1"),
    "single": ("while [ $# -gt 0 ]; do", '"$1"'),
    "quoted": ('while [ "$#" -gt 0 ]; do', '"$1"'),
    "arithmetic": ("while (( $# )); do", "$1"),
    "greater": ("while (( $# > 0 )); do", "$1"),
    "text": ('while [ -n "$1" ]; do', "$1"),
    "not-empty": ('while [[ "$1" != "" ]]; do', "$1"),
    "until": ("until [ $# -eq 0 ]; do", "$1"),
    "key": ('while [[ $# -gt 0 ]]; do\n  key="$1"', "$key"),
}
FOR = """CONFIG=te.yaml
for arg in "$@"; do
  case $arg in
    --config=*) CONFIG="${arg#*=}" ;;
    --ao) CONFIG=ao.yaml ;;
  esac
done
accelerate launch --config_file $CONFIG train.py
"""
GETOPTS = """CONFIG=te.yaml
while getopts "c:ab" opt; do
  case $opt in
    c) CONFIG=$OPTARG ;;
    a) CONFIG=ao.yaml ;;
    b) CONFIG=bf16.yaml ;;
  esac
done
shift $((OPTIND - 1))
accelerate launch --config_file $CONFIG train.py
"""


def _scripts() -> Iterator[tuple[str, Try]]:
    """Scripts that start scripts, and that are started by their own name."""
    te = {"te.yaml": TE, "ao.yaml": AO, "bf16.yaml": BF16, "train.py": PLAIN}
    run = {**te, "run.sh": f"#!/bin/bash\n{RUN}"}
    for name, command in (
        ("chmod", "chmod +x run.sh; ./run.sh"),
        ("chmod-and", "chmod +x run.sh && ./run.sh"),
        ("chmod-arguments", "chmod +x run.sh; ./run.sh ao.yaml"),
        ("chmod-variable", "chmod 755 run.sh && ACCELERATE_FP8_BACKEND=AO ./run.sh bf16.yaml"),
        ("chmod-nohup", "chmod +x run.sh; nohup ./run.sh ao.yaml > out.log 2>&1"),
        ("chmod-background", "chmod +x run.sh; ./run.sh & wait"),
        ("tee", "bash run.sh 2>&1 | tee out.log"),
        ("options", "bash -ex run.sh ao.yaml; echo done"),
        ("done", "bash run.sh && echo done"),
        ("folder", "mkdir -p sub && cd sub && cd .. && bash run.sh"),
        ("time", "time bash run.sh ao.yaml"),
        ("exec", "chmod +x run.sh; exec ./run.sh ao.yaml"),
        ("dot", ". ./run.sh"),
        ("dot-arguments", "set -e; . ./run.sh ao.yaml"),
        ("semicolons", "export A=B; bash run.sh ao.yaml; true"),
        ("bash-c", "bash -c 'bash run.sh ao.yaml'"),
    ):
        yield f"script-{name}", Try(command, run)
    python = {**te, "prep.sh": "export ACCELERATE_MIXED_PRECISION=bf16\ncd /tmp\nOTHER=1\necho ready\n"}
    launch = "accelerate launch --config_file te.yaml train.py"
    for name, command in (
        ("bash", f"bash prep.sh && {launch}"),
        ("python", "bash prep.sh && python train.py"),
        ("source", "source ./prep.sh; cd - > /dev/null; python train.py"),
        ("semicolon", f"bash prep.sh; {launch}"),
        ("exported", "export ACCELERATE_MIXED_PRECISION=fp8; bash prep.sh && python train.py"),
    ):
        yield f"script-before-{name}", Try(command, python)
    for name, outer, inner, words in (
        ("plain", "bash inner.sh\n", RUN, ""),
        ("argument", "bash inner.sh ao.yaml\n", RUN, ""),
        ("handed-on", 'bash inner.sh "$@"\n', RUN, " ao.yaml"),
        ("handed-on-none", 'bash inner.sh "$@"\n', RUN, ""),
        ("first", "sh ./inner.sh $1\n", RUN, " ao.yaml"),
        (
            "exported",
            "export CONFIG=ao.yaml\nbash inner.sh\n",
            "accelerate launch --config_file $CONFIG train.py\n",
            "",
        ),
        (
            "not-exported",
            "CONFIG=ao.yaml\nbash inner.sh\n",
            "accelerate launch --config_file ${CONFIG:-te.yaml} train.py\n",
            "",
        ),
        (
            "in-front",
            "CONFIG=ao.yaml bash inner.sh\n",
            "accelerate launch --config_file ${CONFIG:-te.yaml} train.py\n",
            "",
        ),
        ("own-folder", 'bash "$(dirname "$0")/inner.sh" ao.yaml\n', RUN, ""),
        ("variable", "SCRIPT=inner.sh\nbash $SCRIPT ao.yaml\n", RUN, ""),
        ("exit", "bash inner.sh ao.yaml || exit 1\n", RUN, ""),
        ("if", "if [ -f inner.sh ]; then bash inner.sh ao.yaml; fi\n", RUN, ""),
        ("function", 'go() { bash inner.sh "$1"; }\ngo ao.yaml\n', RUN, ""),
        ("loop", "for c in ao.yaml; do bash inner.sh $c; done\n", RUN, ""),
        ("wrapped", "nohup nice bash inner.sh ao.yaml\n", RUN, ""),
        ("timeout", "chmod +x inner.sh\ntimeout 100 ./inner.sh ao.yaml\n", f"#!/bin/bash\n{RUN}", ""),
    ):
        yield f"script-nested-{name}", Try(f"bash run.sh{words}", {**te, "run.sh": outer, "inner.sh": inner})


def _loops() -> Iterator[tuple[str, Try]]:
    te = {"te.yaml": TE, "ao.yaml": AO, "bf16.yaml": BF16, "train.py": PLAIN}
    for name, (head, first) in HEADS.items():
        files = {**te, "run.sh": LOOP.format(head=head, first=first)}
        yield f"loop-{name}-none", Try("bash run.sh", files)
        yield f"loop-{name}-two", Try("bash run.sh --config ao.yaml", files)
        if name in ("gt", "until", "key"):
            yield f"loop-{name}-equals", Try("bash run.sh --config=ao.yaml", files)
            yield f"loop-{name}-switch", Try("bash run.sh --bf16", files)
            yield f"loop-{name}-several", Try("bash run.sh --other -c ao.yaml --bf16", files)
            yield f"loop-{name}-last", Try("bash run.sh --config bf16.yaml -c ao.yaml", files)
    for name, words in (
        ("none", ""),
        ("equals", " --config=ao.yaml"),
        ("switch", " x --ao"),
        ("last", " --ao --config=te.yaml"),
    ):
        yield f"loop-for-{name}", Try(f"bash run.sh{words}", {**te, "run.sh": FOR})
    for name, words in (
        ("none", ""),
        ("value", " -c ao.yaml"),
        ("switch", " -a"),
        ("joined", " -cao.yaml"),
        ("two", " -b -a"),
    ):
        yield f"loop-getopts-{name}", Try(f"bash run.sh{words}", {**te, "run.sh": GETOPTS})


_TE_TEXT = "distributed_type: 'NO'\nmixed_precision: fp8\nnum_processes: 1\nfp8_config:\n  backend: {backend}\n  fp8_format: E4M3\n"
_WRITTEN: dict[str, str] = {
    "quoted": "cat > accel.yaml <<'EOF'\n{te}EOF\n{launch}",
    "plain": "cat > accel.yaml <<EOF\n{te}EOF\n{launch}",
    "behind": "cat <<EOF > accel.yaml\n{te}EOF\n{launch}",
    "tee": "tee accel.yaml <<'EOF'\n{te}EOF\n{launch}",
    "tee-quiet": "cat <<'EOF' | tee accel.yaml > /dev/null\n{te}EOF\n{launch}",
    "variable": "BACKEND=TE\ncat > accel.yaml <<EOF\n{te_variable}EOF\n{launch}",
    "argument": "cat > accel.yaml <<EOF\n{te_argument}EOF\n{launch}",
    "folder": "mkdir -p conf\ncat > conf/accel.yaml <<'EOF'\n{te}EOF\naccelerate launch --config_file conf/accel.yaml train.py\n",
    "echo": "echo 'mixed_precision: fp8' > accel.yaml\n{launch}",
    "appended": "cat > accel.yaml <<'EOF'\n{te}EOF\necho 'machine_rank: 0' >> accel.yaml\n{launch}",
    "twice": "cat > accel.yaml <<'EOF'\nmixed_precision: bf16\nEOF\ncat > accel.yaml <<'EOF'\n{te}EOF\n{launch}",
    "over": "cat > te.yaml <<'EOF'\n{ao}EOF\naccelerate launch --config_file te.yaml train.py\n",
    "function": "write() {{\ncat > accel.yaml <<'EOF'\n{te}EOF\n}}\nwrite\n{launch}",
    "sed": "cat > accel.yaml <<'EOF'\n{te}EOF\nsed -i 's/TE/AO/' accel.yaml\n{launch}",
    "removed": "cat > accel.yaml <<'EOF'\n{te}EOF\n{launch}rm accel.yaml\n",
    "indented": "cat > accel.yaml <<-'EOF'\n\tmixed_precision: fp8\n\tdistributed_type: 'NO'\n\tEOF\n{launch}",
    "condition": "if [ ! -f accel.yaml ]; then\ncat > accel.yaml <<'EOF'\n{te}EOF\nfi\n{launch}",
    "python": "cat > own.py <<'EOF'\n{script}EOF\naccelerate launch --config_file te.yaml own.py\n",
    "by-variable": "CONFIG=accel.yaml\ncat > $CONFIG <<'EOF'\n{te}EOF\naccelerate launch --config_file $CONFIG train.py\n",
}


def _written() -> Iterator[tuple[str, Try]]:
    """Files that a script writes before it starts a training with them."""
    te, ao = _TE_TEXT.format(backend="TE"), _TE_TEXT.format(backend="AO")
    texts = {
        "te": te,
        "ao": ao,
        "te_variable": _TE_TEXT.format(backend="$BACKEND"),
        "te_argument": _TE_TEXT.format(backend="${1:-AO}"),
        "launch": "accelerate launch --config_file accel.yaml train.py\n",
        "script": PLAIN,
    }
    for name, text in _WRITTEN.items():
        files = {"te.yaml": TE, "train.py": PLAIN, "run.sh": text.format(**texts)}
        yield f"written-{name}", Try("bash run.sh", files)
    recipe = "".join(f"{key}: {value}\n" for key, value in SFT.items())
    sft = f"cat > recipe.yaml <<'EOF'\n{recipe}EOF\ntrl sft --config recipe.yaml\n"
    yield "written-trl", Try("bash run.sh", {"run.sh": sft})
    there = f"cat > recipe.yaml <<'EOF'\n{recipe}EOF\ntrl sft --config recipe.yaml --accelerate_config te.yaml\n"
    yield "written-trl-over", Try("bash run.sh", {"te.yaml": TE, "recipe.yaml": "bf16: false\n", "run.sh": there})


FROM_FILE = script('fromfile_prefix_chars="@"')


def _fresh() -> Iterator[tuple[str, Try]]:
    """Commands of classes that nobody had looked at; those of which something is decided."""
    te = {"te.yaml": TE, "ao.yaml": AO, "bf16.yaml": BF16, "train.py": PLAIN}
    env = {**te, ".env": "ACCELERATE_MIXED_PRECISION=fp8\nACCELERATE_FP8_BACKEND=AO\n"}
    for name, command in (
        ("set-a", "set -a; . ./.env; set +a; python train.py"),
        ("set-a-source", "set -a && source .env && set +a && python train.py"),
        ("not-exported", ". ./.env; python train.py"),
    ):
        yield f"fresh-dotenv-{name}", Try(command, env)
    for name, command in (
        ("dot", "accelerate launch --config_file ./te.yaml ./train.py"),
        ("dashes", "accelerate launch --config_file te.yaml -- train.py"),
        ("dash-flag", "accelerate launch --config-file te.yaml train.py"),
        ("twice", "accelerate launch --config_file te.yaml --config_file ao.yaml train.py"),
        ("value-last", "accelerate launch train.py --config_file te.yaml --mixed_precision fp8"),
        ("flag-empty", "accelerate launch --mixed_precision= train.py"),
        ("module-name", "accelerate launch --config_file te.yaml -m train"),
        ("python-options", "ACCELERATE_MIXED_PRECISION=fp8 python -O -B -W error::SyntaxWarning train.py"),
        ("python-311", "ACCELERATE_MIXED_PRECISION=fp8 python3.11 train.py"),
        ("hidden", "CUDA_VISIBLE_DEVICES= accelerate launch --config_file te.yaml train.py"),
        ("hidden-minus", "CUDA_VISIBLE_DEVICES=-1 accelerate launch --config_file te.yaml train.py"),
        ("upper-variable", "ACCELERATE_MIXED_PRECISION=FP8 python train.py"),
        ("use-fsdp-variable", "ACCELERATE_USE_FSDP=true ACCELERATE_MIXED_PRECISION=bf16 python train.py"),
        ("use-cpu-variable", "ACCELERATE_USE_CPU=true ACCELERATE_MIXED_PRECISION=fp8 python train.py"),
        ("comment", "accelerate launch --config_file te.yaml train.py # --mixed_precision bf16"),
        ("pipefail", "set -euo pipefail; accelerate launch --config_file te.yaml train.py 2>&1 | tee log"),
        ("trap", "trap 'echo end' EXIT; accelerate launch --config_file ao.yaml train.py"),
        ("default", "CONFIG=${CONFIG:-ao.yaml}; accelerate launch --config_file $CONFIG train.py"),
        ("array", 'ARGS=(--config_file ao.yaml); accelerate launch "${ARGS[@]}" train.py'),
        ("unset", "export ACCELERATE_MIXED_PRECISION=bf16; unset ACCELERATE_MIXED_PRECISION; python train.py"),
        ("not", "! false && accelerate launch --config_file ao.yaml train.py"),
        ("or", "accelerate launch --config_file ao.yaml train.py || echo failed"),
        ("subshell", "(export ACCELERATE_MIXED_PRECISION=bf16; true); python train.py"),
        ("group", "{ export ACCELERATE_MIXED_PRECISION=bf16; }; python train.py"),
        ("test", "[ -f te.yaml ] && accelerate launch --config_file te.yaml train.py"),
    ):
        yield f"fresh-{name}", Try(command, te)
    yield "fresh-json", Try("accelerate launch --config_file te.json train.py", {**te, "te.json": TE})
    yield "fresh-empty-file", Try("accelerate launch --config_file e.yaml train.py", {**te, "e.yaml": ""})
    yield (
        "fresh-crlf",
        Try(
            "accelerate launch --config_file e.yaml train.py",
            {**te, "e.yaml": "mixed_precision: fp8\r\nnum_processes: 1\r\n"},
        ),
    )
    flags = {**te, "train.py": programs.FLAGS}
    most = "--output_dir out --report_to none --save_strategy no --learning_rate 0.01 --per_device_train_batch_size 4"
    for name, words in (
        ("float-steps", "--max_steps 1.0"),
        ("underscore", "--max_steps 1_0"),
        ("exponent", "--max_steps 1 --weight_decay 1e-2"),
        ("empty-bf16", "--max_steps 1 --bf16="),
        (
            "json",
            """--max_steps 1 --gradient_checkpointing --gradient_checkpointing_kwargs '{"use_reentrant": false}'""",
        ),
        ("json-file", "--max_steps 1 --accelerator_config a.json"),
        ("negative", "--max_steps -1 --num_train_epochs 0.1"),
        ("no-output", "--max_steps 1 --seed 1 --data_seed 2"),
        ("twice", "--max_steps 1 --bf16 --no_bf16"),
        ("dataloader", "--max_steps 1 --no_dataloader_pin_memory"),
        ("optional", "--max_steps 1 --torch_compile false --tf32 false"),
    ):
        yield f"fresh-hf-{name}", Try(f"{LAUNCH} {most} {words}", {**flags, "a.json": '{"split_batches": true}'})
    yield (
        "fresh-args-file",
        Try(
            "accelerate launch --config_file te.yaml train.py",
            {**flags, "train.args": f"{most} --max_steps 1 --bf16 True\n"},
        ),
    )
    yield (
        "fresh-args-file-and-flags",
        Try(f"{LAUNCH} --bf16 False", {**flags, "train.args": f"{most} --max_steps 1 --bf16 True\n"}),
    )
    from_file = {**te, "train.py": FROM_FILE, "args.txt": "--mixed_precision=bf16\n--lr=0.1\n"}
    yield "fresh-at-file-flag", Try(f"{LAUNCH} @args.txt --mixed_precision no", from_file)
    yield "fresh-at-word", Try(f"{LAUNCH} @args.txt", {**te, "train.py": script(), "args.txt": "--lr=0.1\n"})
    recipe = {**te, "r.yaml": SFT, "r2.yaml": {**SFT, "bf16": False}}
    for name, command in (
        ("twice", "trl sft --config r.yaml --config r2.yaml"),
        ("behind", "trl sft --config r.yaml --bf16 false --bf16 true"),
        ("module", "python -m trl sft --config r.yaml"),
        (
            "script",
            "accelerate launch --config_file ao.yaml -m trl.scripts.sft --config r2.yaml --accelerate_config te.yaml",
        ),
    ):
        yield f"fresh-trl-{name}", Try(command, recipe)


def everything() -> Iterator[tuple[str, Try]]:
    """All of them, each with what it is called."""
    for made in (_cut_short(), _left_out(), _scripts(), _loops(), _written(), _fresh()):
        yield from made


_UNASKED = "what a script of one's own does without a model or a dataset hangs on what it does with them"
_OPEN: Mapping[str, str] = {
    **{f"written-{name}": "a file that the script itself writes" for name in (*_WRITTEN, "trl", "trl-over")},
    "cut-torchrun-unknown": "a flag that the torchrun of another release may have",
    **{f"left-parser-{what}{at}": _UNASKED for what in ("model", "data") for at in ("", "-old", "-1.9")},
}


def undecided(name: str) -> str | None:
    """Why a case has to be left open; None where it is decided."""
    return _OPEN.get(name)
