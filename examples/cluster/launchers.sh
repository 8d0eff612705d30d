#!/bin/bash
# Without a shared folder, by the launcher that the training has anyway: each rank looks at its environment and probes its
# own GPU, and rank 0 says what all of them come to. fp8check has to be installed in the training environment.
set -euo pipefail

# torchrun, on each node:
torchrun --nnodes "${NNODES:-1}" --node-rank "${NODE_RANK:-0}" --nproc-per-node 8 \
    --master-addr "${MASTER_ADDR:-localhost}" --master-port 29500 \
    -m fp8check.probe.rank train.yaml accelerate.yaml --probe

# accelerate, with the options of the training:
accelerate launch --config_file accelerate.yaml -m fp8check.probe.rank train.yaml accelerate.yaml --probe

# Ray, on any node of the cluster (pip install "fp8check[ray]"): one task a node.
fp8check nodes --ray train.yaml accelerate.yaml --probe
