"""The first training file of each trainer, with what is for people to fill in.

What stands here is what a trainer cannot start without, in its own words, and what decides about FP8. Each draft is
read and judged as any file is before somebody gets it (choosing.py): nothing here is taken on trust.
"""

from __future__ import annotations

import json

from fp8check.rules.edits.rendering import scalar
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SEQUENCE = 2048  # tokens of a sequence, unless fewer are asked for in a whole micro-batch
_RATE = {False: "1.0e-5", True: "1.0e-4"}  # learning rates to begin with: of full training, and of LoRA


class Setup(Record):
    """What a draft is made for.

    Attributes:
        lora: whether adapters are trained, and not all weights.
        sequence, micro_batch: tokens of a sequence, sequences in a micro-batch on a GPU.
        own: whether the trainer's own switch turns FP8 on, and not the Accelerate file.
        bf16: whether the training file says bf16, as DeepSpeed demands of it.
        compiled: whether it runs under torch.compile, which torchao's casts want.
    """

    model: str
    lora: bool
    sequence: int
    micro_batch: int
    checkpointing: bool
    own: bool = False
    bf16: bool = False
    compiled: bool = False

    @property
    def precision(self) -> str:
        """Why bf16 is what it is, as a comment."""
        if self.own:
            return "FP8 in the matrix products, BF16 in the rest."
        if self.bf16:
            return "DeepSpeed holds it against its own bf16; Transformer Engine's layers run in FP8 all the same."
        return "true would cancel FP8, which keeps BF16 for the rest by itself."


def _text(value: str) -> str:
    """A text as a YAML value."""
    return scalar(value, "pyyaml")


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _compiled(setup: Setup) -> str:
    return "torch_compile: true\n" if setup.compiled else ""


def _llamafactory(setup: Setup) -> str:
    adapters = "lora_rank: 16\nlora_target: all\n" if setup.lora else ""
    return f"""\
### model
model_name_or_path: {_text(setup.model)}

### method
stage: sft
do_train: true
finetuning_type: {"lora" if setup.lora else "full"}
{adapters}
### dataset: yours, as data/dataset_info.json names it, and the template of the model
dataset: identity
template: default
cutoff_len: {setup.sequence}
# Full micro-batches: what FP8 gains depends on the number of tokens, which FP8 kernels want to be a multiple of 16.
packing: true

### output
output_dir: saves/fp8
logging_steps: 10
save_steps: 500

### train
per_device_train_batch_size: {setup.micro_batch}
gradient_accumulation_steps: 8
learning_rate: {_RATE[setup.lora]}
num_train_epochs: 1.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
disable_gradient_checkpointing: {_yes(not setup.checkpointing)}
{_compiled(setup)}
### precision: {setup.precision}
bf16: {_yes(setup.bf16)}
"""


def _trl(setup: Setup) -> str:
    adapters = "use_peft: true\nlora_r: 16\nlora_target_modules: all-linear\n" if setup.lora else ""
    return f"""\
model_name_or_path: {_text(setup.model)}
{adapters}
# Yours.
dataset_name: trl-lib/Capybara
max_length: {setup.sequence}
# Full micro-batches: what FP8 gains depends on the number of tokens, which FP8 kernels want to be a multiple of 16.
packing: true
pad_to_multiple_of: 16

output_dir: saves/fp8
per_device_train_batch_size: {setup.micro_batch}
gradient_accumulation_steps: 8
learning_rate: {_RATE[setup.lora]}
num_train_epochs: 1.0
gradient_checkpointing: {_yes(setup.checkpointing)}
{_compiled(setup)}
# {setup.precision}
bf16: {_yes(setup.bf16)}
"""


_AXOLOTL_ADAPTERS = """\
adapter: lora
lora_r: 16
lora_alpha: 32
lora_target_linear: true
# Axolotl's own kernels, which are on by default, take the weights out of the layers and multiply in BF16.
lora_mlp_kernel: false
lora_qkv_kernel: false
lora_o_kernel: false
"""


# utils/trainer.py prepare_optim_env of 0.19.0: without either flag it sets the precision to "no".
_AXOLOTL_WITHOUT_BF16 = "true would make the precision bf16; without it what is no matrix product is in float32."


def _axolotl(setup: Setup) -> str:
    adapters = _AXOLOTL_ADAPTERS if setup.lora else ""
    precision = setup.precision if setup.own or setup.bf16 else _AXOLOTL_WITHOUT_BF16
    own = "fp8: true\nfp8_enable_fsdp_float8_all_gather: false\n" if setup.own else ""
    return f"""\
base_model: {_text(setup.model)}
{adapters}
# Yours.
datasets:
  - path: tatsu-lab/alpaca
    type: alpaca
sequence_len: {setup.sequence}
# Full micro-batches: what FP8 gains depends on the number of tokens, which FP8 kernels want to be a multiple of 16.
sample_packing: true
pad_to_sequence_len: true

output_dir: saves/fp8
micro_batch_size: {setup.micro_batch}
gradient_accumulation_steps: 8
learning_rate: {_RATE[setup.lora]}
num_epochs: 1
optimizer: adamw_torch_fused
lr_scheduler: cosine
gradient_checkpointing: {_yes(setup.checkpointing)}
{_compiled(setup)}
# {precision}
bf16: {_yes(setup.own or setup.bf16)}
{own}"""


_PEFT = "from peft import LoraConfig, get_peft_model\n"
_ADAPTERS = """
model = get_peft_model(model, LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM"))"""


def _transformers(setup: Setup) -> str:
    peft, adapters = (_PEFT, _ADAPTERS) if setup.lora else ("", "")
    return f'''\
"""Training with transformers' Trainer in FP8, which the Accelerate file beside it turns on."""

from datasets import load_dataset
{peft}from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForLanguageModeling
from transformers import Trainer, TrainingArguments

MODEL = {_quoted(setup.model)}
SEQUENCE = {setup.sequence}  # tokens; each sequence is as long, so every micro-batch is full

arguments = TrainingArguments(
    output_dir="saves/fp8",
    per_device_train_batch_size={setup.micro_batch},
    gradient_accumulation_steps=8,
    learning_rate={_RATE[setup.lora]},
    num_train_epochs=1,
    gradient_checkpointing={setup.checkpointing},
    torch_compile={setup.compiled},
    # {setup.precision}
    bf16={setup.bf16},
    dataloader_drop_last=True,
)

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForCausalLM.from_pretrained(MODEL){adapters}
texts = load_dataset("tatsu-lab/alpaca", split="train")["text"]  # yours
tokens = [one for text in texts for one in (*tokenizer(text)["input_ids"], tokenizer.eos_token_id)]
rows = [{{"input_ids": tokens[at : at + SEQUENCE]}} for at in range(0, len(tokens) - SEQUENCE + 1, SEQUENCE)]
collate = DataCollatorForLanguageModeling(tokenizer, mlm=False)
Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collate).train()
'''


ACCUMULATION = 8  # steps of a script, which its Accelerate file says, too


def _script(setup: Setup) -> str:
    peft, adapters = (_PEFT, _ADAPTERS) if setup.lora else ("", "")
    steps = ACCUMULATION
    checkpointing = "\nmodel.gradient_checkpointing_enable()" if setup.checkpointing else ""
    compiled = "\nmodel = torch.compile(model)" if setup.compiled else ""
    return f'''\
"""A training loop of your own in FP8, which the Accelerate file beside it turns on."""

import torch
from accelerate import Accelerator
from datasets import load_dataset
{peft}from transformers import AutoModelForCausalLM, AutoTokenizer

MODEL = {_quoted(setup.model)}
SEQUENCE = {setup.sequence}  # tokens; each sequence is as long, so every micro-batch is full
MICRO_BATCH = {setup.micro_batch}

tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32){adapters}{checkpointing}
# Behind the model: under ZeRO-3 transformers loads it in parts once there is an Accelerator, which TE cannot convert.
accelerator = Accelerator(gradient_accumulation_steps={steps})  # precision, backend and recipe: see the Accelerate file
texts = load_dataset("tatsu-lab/alpaca", split="train")["text"]  # yours
tokens = [one for text in texts for one in (*tokenizer(text)["input_ids"], tokenizer.eos_token_id)]
rows = torch.tensor(tokens[: len(tokens) // SEQUENCE * SEQUENCE]).view(-1, SEQUENCE)
batches = torch.utils.data.DataLoader(rows, batch_size=MICRO_BATCH, shuffle=True, drop_last=True)
optimizer = torch.optim.AdamW(model.parameters(), lr={_RATE[setup.lora]})
model, optimizer, batches = accelerator.prepare(model, optimizer, batches){compiled}

model.train()
for batch in batches:
    with accelerator.accumulate(model):
        loss = model(input_ids=batch, labels=batch).loss
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
accelerator.wait_for_everyone()
weights = accelerator.get_state_dict(model)  # whole, also where each GPU holds a part of them
main = accelerator.is_main_process
accelerator.unwrap_model(model).save_pretrained("saves/fp8", is_main_process=main, state_dict=weights)
'''


def _quoted(text: str) -> str:
    """A text as a Python literal, in the quotes that formatters want."""
    return json.dumps(text)


class Draft(Record):
    """How the first file of a trainer is made.

    Attributes:
        file: its name.
        has_own: whether the trainer has an own switch for FP8, beside the Accelerate file.
    """

    file: str
    text: Callable[[Setup], str]
    has_own: bool = False


DRAFTS: Mapping[str, Draft] = {
    "llamafactory": Draft("train.yaml", _llamafactory),
    "transformers": Draft("train.py", _transformers),
    "trl": Draft("train.yaml", _trl),
    "axolotl": Draft("train.yaml", _axolotl, has_own=True),
    "script": Draft("train.py", _script),
}
