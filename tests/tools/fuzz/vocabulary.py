"""The words that inputs are made of: keys and values that the tools know, and what attackers write."""

from __future__ import annotations

import re
from functools import cache

from fp8check.rules.catalog import RULES
from fp8check.rules.releases.accelerate_keys import CLUSTER_KEYS, FP8_KEYS, SAGEMAKER_KEYS
from fp8check.rules.settings.launch import LAUNCHER_FLAGS
from fp8check.rules.trainers.detect import DEEPSPEED
from fp8check.rules.trainers.registry import NAMES, TRAINERS
from tests.tools.fuzz.cases import runs

# What no output may show as it is written.
HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "::stop-commands::x",
    "\n::error::x",
    "a\n::set-output name=x::y",
    "##[command]x",
    "##vso[task.setvariable]x",
    "\u202eevil\u202c",
    "\u2066x\u2069",
    "\u200f",
    "\u061c",
    "\u2028x\u2029",
    "\x85",
    "\x9b31m",
    "\x00",
    "\x07\x08",
    "\r\nx",
    "\ufeff",
    "\ufffe",
    "<script>alert(1)</script>",
    '"><img src=x onerror=y>',
    "]]>",
    "-->",
    "&amp;&#x1b;",
    "%0A::error::x",
    "%s%n{0}{x.__class__}",
    "$(id)`id`",
    "';--",
    "\ud800",
    "\udc80",
    "e\u0301\U0001f600",
    "A" * 700,
)
# Made up, each as its provider makes them: no report may show one that stands by itself.
_BODY = "Zq7Rk2Vn9Xw4Bt6Yp1Lc8Md3Hs5Jg0Fa"
SECRETS = (
    f"hf_{_BODY}ab",
    f"ghp_{_BODY}abCD",
    f"glpat-{_BODY[:20]}",
    f"glsa_{_BODY}_a1b2c3d4",
    f"AIzaSy{_BODY}a",
    f"npm_{_BODY}abCD",
    f"pypi-AgEIcHlwaS5vcmc{_BODY}{_BODY}",
    f"ya29.{_BODY}{_BODY}",
    f"sk-proj-{_BODY}{_BODY}",
    "AKIAQ7RK2VN9XW4BT6YP",
    f"xoxb-123456789012-{_BODY[:24]}",
)
YAML_VALUES = (
    *("true", "false", "yes", "off", "null", "~", "''", "0", "1", "-1", "2", "8", "16", "1024", "9" * 40, "9" * 5000),
    *("0x1F", "0o17", "017", "1_000", "1:30", "190:20:30", "1e5", "1e-5", "1e400", ".inf", "-.INF", ".nan", "0.0"),
    *("2001-01-01", "2001-12-14t21:59:43.10-05:00", "!!binary aGFsbG8=", "!!set {a, b}", "!!omap [a: 1]", "!!pairs []"),
    *("!!str 1", "!!int '3'", "!!float 1", "!!bool yes", "!!null x", "!!python/object:os.system x", "!x y", "!!timestamp x"),
    *("[]", "{}", "[[[]]]", "{a: {b: [c]}}", "[1, two, 3.0, null]", "{? [x] : y}", "*a", "&a 1", "&a [*a]", "|", ">-", "?"),
    *("fp8", "bf16", "fp16", "no", "'no'", "'NO'", "TE", "AO", "MSAMP", "te", "FSDP", "DEEPSPEED", "MULTI_GPU", "TP"),
    *("MEGATRON_LM", "HYBRID", "E4M3", "max", "most_recent", "auto", "lora", "full", "sft", "paged_adamw_8bit", "adamw_torch"),
    *("Qwen/Qwen2.5-7B", "mistralai/Mixtral-8x7B-v0.1", "/etc/passwd", "../../x", "ds.json", "missing.json", "~/x", "."),
    *("${VAR}", "${x:1}", "${oc.env:HOME}", "{{ x }}", "$VAR", "\"\\ud800\"", '"\\e[31m\\x07"', '"\\u202e"', '"\\0"'),
    *('"a\\n::error::b"', '"::stop-commands::x"', '"##[error]x"', '"\\x9b\\x85"', "'<b onclick=x>'", "'%0A::error::'"),
    *("²", "\u0661", "1e1_0", "0x", "+1", ".5", "1.", "1,000", "NaN", "-0", "True ", "on # x", "a: b", "#", "- a"),
)  # fmt: skip
JSON_VALUES: tuple[object, ...] = (
    *(None, True, False, 0, 1, -1, 2, 8, 10**30, 1.5, -0.0, 1e308, float("inf"), float("nan"), "", "auto", "0", "words"),
    *("9.1.0", "12.4", "2.11.0", "none", "unknown", "v1", "1", "1.", ".1", "1.2.3.4.5", "9.x", "²", "9" * 5000, "\uff11.\uff12"),
    *([], {}, [[]], [None], {"a": None}, {"": {}}, ["auto"], {"enabled": True}, {"stage": 3}, [1, "2", [3]]),
    *HOSTILE,
    *SECRETS,
)  # fmt: skip
DAYS = ("2001-01-01", "2999-12-31", "2027-02-30", "soon", "", "²", "10000-01-01")
WORDS = (
    *("accelerate", "launch", "python", "python3", "-m", "torchrun", "deepspeed", "llamafactory-cli", "train", "trl", "sft"),
    *("axolotl", "train.py", "train.yaml", "accel.yaml", "torch.distributed.run", "--", "-", "-c", "=", "env", "FOO=bar"),
    *("CUDA_VISIBLE_DEVICES=0", "CUDA_VISIBLE_DEVICES=", "ACCELERATE_MIXED_PRECISION=fp8", "LD_PRELOAD=x", "NVTE_DEBUG=1"),
    *("--config_file", "accel.yaml", "--mixed_precision", "fp8", "--num_processes", "8", "²", "9" * 5000, "--fp8_backend"),
    *("TE", "AO", "--use_fsdp", "--use_deepspeed", "--zero_stage", "3", "--nproc_per_node", "--bf16", "True", "'", '"', "\\"),
    *("nohup", "env", "-i", "-u", "-S", "srun", "-n", "--ntasks=2", "sbatch", "--wrap", "uv", "run", "conda", "time", "timeout"),
    *("5h", "nice", "numactl", "sudo", "-E", "docker", "exec", "--gpus", "all", "image", "bash", "-lc", "mpirun", "-np", "eval"),
    *("accelerate.commands.launch", "/usr/bin/torchrun", "$ARGS", "${A[@]}", "<N>", "LOCAL_RANK=0", "export", "cd", "--help"),
    *("$(id)", ";", "&&", "|", ">x", "#", "\n", "\t", "--no_python", "--module", "--env", "hf.co/x", "--deepspeed", "ds.json"),
)  # fmt: skip
SHELL = (
    "#!/bin/bash",
    "#SBATCH --nodes=2 --gres=gpu:h100:4",
    "#SBATCH --export=ALL,ACCELERATE_MIXED_PRECISION=fp8",
    "set -euo pipefail; set -a",
    "export ACCELERATE_MIXED_PRECISION=fp8 A='x y'",
    'A=${A:-4}; B="$A $1"; C+=(--x "$B" \'y z\')',
    "declare -a ARGS=(--mixed_precision fp8 # why",
    "  --num_processes $((N * 2)))",
    'if [ "$1" = fp8 ]; then P=fp8; elif x; then P=bf16; else',
    "fi",
    '[ -z "$LR" ] && LR=1e-4 || exit 1',
    "case $1 in a|b) P=fp8 ;; (c) ;& *) ;; esac",
    "for lr in 1e-4 $2; do",
    "while read -r x; do A=$x; done < <(ls)",
    "done",
    "for ((i=0;i<3;i++)); do",
    'run() { accelerate launch --config_file accel.yaml "$@" "$1"; }',
    "run train.py --bf16 True",
    "function f {",
    "}",
    "(cd sub; FOO=bar torchrun train.py) | tee log &",
    'cd "$(dirname "${BASH_SOURCE[0]}")/.." && source env.sh',
    "accelerate launch --config_file accel.yaml \\",
    '  --mixed_precision $P train.py "${ARGS[@]}" > log 2>&1',
    'srun --ntasks=8 bash -c "accelerate launch train.py --rank \\$SLURM_PROCID"',
    "CMD='accelerate launch train.py'; eval \"$CMD\"; $CMD",
    "read -r -d '' X <<EOF",
    '--bf16 True $A `x` "',
    "EOF",
    "cat <<-'EOF' > x.yaml",
    "bash -s <<EOF",
    "cat > job.sh <<EOF",
    "sbatch --nodes=2 job.sh; source ./job.sh x; bash job.sh",
    "alias r='srun -n 2 accelerate launch'; r train.py",
    "set -- a {b,c} {1..3}; pushd sub; popd; cd -",
    "printf -v A '%s' x; let B=A+1; ((C = 2)); IFS=:",
    'while getopts "a:" o; do A=$OPTARG; done; for x; do y; done',
    "if [[ $A == fp8* ]] && ! [ -z $B ]; then torchrun $ARGS x.py; fi",
    "xargs -I{} python train.py {} | parallel torchrun {number of gpus} ::: a",
    'python - <<< "$A"',
    "A=$A$A; B=${A##*/}${A%.*}${A/x/y}${#A}${!A}${A:1:2}",
    "unset A; shift; ((i++)); let i=1",
    "llamafactory-cli train train.yaml; exec trl sft --config train.yaml",
    "$'\\x41' \"\" '' $\"y\"",
    "'",
    '"',
    "$(",
    "`",
    "${A:-",
    "((",
    "(",
    ")",
    ";;",
    "esac",
    "<your model>",
    "# fp8check: ignore[FP101] why",
)
SNIPPETS = (
    "from accelerate import Accelerator",
    "from accelerate.utils import AORecipeKwargs, TERecipeKwargs",
    "import os",
    "import transformer_engine.pytorch as te",
    "from torchao.float8 import convert_to_float8_training",
    "accelerator = Accelerator(mixed_precision='fp8', kwargs_handlers=[TERecipeKwargs()])",
    "accelerator = Accelerator(**kwargs)",
    "model = AutoModelForCausalLM.from_pretrained('Qwen/Qwen2.5-0.5B', torch_dtype=torch.bfloat16)",
    "model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(args.m), dtype=args.d)",
    "model = AutoModelForCausalLM.from_pretrained(*names, quantization_config=BitsAndBytesConfig())",
    "loader = DataLoader(data, 4, shuffle=True)",
    "batch = tokenizer(texts, truncation=True, max_length=args.length)",
    "SFTTrainer(model='Qwen/Qwen2.5-0.5B', args=args, peft_config=LoraConfig(r=8, target_modules='all-linear'))",
    "parser.add_argument('--mp', choices=['no', 'fp16', *more], default='fp8')",
    "k = []",
    "k.append(AORecipeKwargs())",
    "if x:",
    "    k = [AORecipeKwargs()]",
    "Accelerator(kwargs_handlers=k, *a)",
    "model = accelerator.prepare(model, *rest)",
    "model, optimizer = accelerator.prepare(model, optimizer)",
    "convert_to_float8_training(model)",
    "with te.fp8_autocast(enabled=True):",
    "    pass",
    "os.environ['ACCELERATE_MIXED_PRECISION'] = 'fp8'",
    "os.environ[name] = value",
    "args = TrainingArguments(output_dir='x', bf16=True, fp16=not True)",
    "args = SFTConfig(**d)",
    "from trl import SFTConfig, SFTTrainer",
    "from transformers import Trainer",
    "parser.add_argument('--mp', default='fp8', type=str)",
    "parser.add_argument('--fp8', action='store_true')",
    "parser.set_defaults(**d)",
    "args = parser.parse_args()",
    "setattr(args, 'mp', x)",
    "args.mp = 'bf16'",
    "Accelerator(mixed_precision=args.mp if args.fp8 else 'no')",
    "k['mixed_precision'] = args.mp",
    "Accelerator(**k)",
    "if accelerator is None: accelerator = Accelerator()",
    "@dataclass\nclass A(TrainingArguments):\n    bf16: bool = field(default=True)",
    "SFTConfig(bf16=not args.fp8, gradient_checkpointing_kwargs={'use_reentrant': True})",
    "if TYPE_CHECKING:",
    "parser = HfArgumentParser(TrainingArguments)",
    "model = AutoModelForCausalLM.from_pretrained('x', torch_dtype='auto', load_in_8bit=1e999)",
    "def f(x, /, *, y: int = (z := 3)) -> None:",
    "    return lambda *a, **k: {**k, 'a': [*a]}",
    "async def g():",
    "    async with a as (b, c): await d",
    "match x:",
    "    case {'a': [1, *_]} | C(y=2) if z:",
    "        Accelerator(mixed_precision=f'{x!r:>{w}}')",
    "class A(B, metaclass=C):",
    "    @property",
    "    def train(self): return self.train()",
    "try:",
    "except* ValueError:",
    "finally:",
    "x = " + "-" * 60 + "1",
    "x = " + "(" * 60 + ")" * 60,
    "x = 'a' 'b' f'{1}' b'c'",
    "x = 9" + "9" * 4400,
    "x = 1_0e1_0j if y else ...",
    "# -*- coding: utf-16 -*-",
    "'''",
    "\\",
    "\f",
    "del x, y[0].z",
    "global Accelerator",
    "Accelerator = print",
    "é = Accelerator(mixed_precision='é\U0001f600')",
)
PIECES = (
    *":-?[]{},#&*!|>'\"%@` \n\r\t0~=.;()\\/\x00\x1b\x7f\x85",
    *(": ", "- ", "\n  ", " #", "&a ", "*a", "!!str ", "<<: ", "|\n", "é", "\r\n", "---\n", "...\n", "\ufeff", "\u2028", "\U0001f600"),
)  # fmt: skip


@cache
def keys() -> tuple[str, ...]:
    """Keys of files."""
    known = {*CLUSTER_KEYS, *FP8_KEYS, *SAGEMAKER_KEYS, *DEEPSPEED}
    known.update(key for trainer in TRAINERS for key in trainer.known)
    texts = (text for case in runs() for text in case.values())
    known.update(key for text in texts for key in re.findall(r"^\s*\"?([\w.-]{2,40})\"?:", text, re.M))
    known |= {"schema", "packages", "gpus", "driver", "cuda", "libraries", "variables", "transformer_engine", "notes"}
    known |= {"training", "accelerate", "files", "facts", "options", "launch", "name", "text", "select", "findings"}
    return tuple(sorted(known))


@cache
def yaml_values() -> tuple[str, ...]:
    """What can stand behind a key in YAML."""
    texts = (case.get(name, "") for case in runs() for name in ("training", "accelerate"))
    found = {value for text in texts for value in re.findall(r": +(\S[^\n]{0,60})$", text, re.M)}
    return (*YAML_VALUES, *YAML_VALUES, *sorted(found), *HOSTILE, *SECRETS)


@cache
def words() -> tuple[str, ...]:
    """Words of launch lines."""
    flags = [f"--{name}" for name in sorted(LAUNCHER_FLAGS)]
    secret = [
        form.format(one) for one in SECRETS for form in ("{}", "HF_TOKEN={}", "--hub_token={}", "https://u:{}@host/x")
    ]
    return (*WORDS, *WORDS, *WORDS, *flags, *(f"{flag}=1" for flag in flags[::7]), *HOSTILE, *secret)


@cache
def rules() -> tuple[str, ...]:
    """Names of rules and groups, right and wrong."""
    return (*(one.id for one in RULES), *(one.name for one in RULES[::5]), "FP1", "FP", "FP000", "", "*", "fp101", "²")


TRAINER_NAMES = (*NAMES, "", "nobody")
