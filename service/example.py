"""The run that the form's example button fills in: examples/llamafactory-qwen2.5-7b, and a test holds it to that."""

from __future__ import annotations

EXAMPLE = {
    "training": """\
# Full fine-tuning of Qwen2.5-7B in FP8, as such files are passed around.
### model
model_name_or_path: Qwen/Qwen2.5-7B

### method
stage: sft
do_train: true
finetuning_type: full

### dataset
dataset: identity
template: qwen
cutoff_len: 2048
preprocessing_num_workers: 8

### output
output_dir: saves/qwen2.5-7b-fp8
logging_steps: 10
save_steps: 500
overwrite_output_dir: true

### train
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 1.0e-5
num_train_epochs: 1.0
lr_scheduler_type: cosine
warmup_ratio: 0.1

### precision
bf16: true
fp8: true
fp8_backend: te
""",
    "accelerate": """\
compute_environment: LOCAL_MACHINE
distributed_type: "NO"
mixed_precision: fp8
fp8_config:
  backend: TE
  fp8_format: E4M3
  amax_history_len: 1024
  amax_compute_algo: max
num_machines: 1
num_processes: 1
use_cpu: false
""",
    "gpu": "H200",
    "gpus": "1",
    "stack": """\
torch==2.8.0
accelerate==1.11.0
transformers==5.6.0
llamafactory==0.9.5
peft==0.18.1
transformer_engine==2.9.0
""",
}
