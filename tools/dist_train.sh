#!/usr/bin/env bash
# Train on several GPUs of one machine: tools/dist_train.sh CONFIG GPUS [options of train.py]
set -euo pipefail
config=${1:?usage: dist_train.sh CONFIG GPUS [options]} gpus=${2:?usage: dist_train.sh CONFIG GPUS [options]}
exec torchrun --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$gpus" "$(dirname "$0")/train.py" "$config" --launcher pytorch "${@:3}"
