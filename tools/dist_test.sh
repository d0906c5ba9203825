#!/usr/bin/env bash
# Test on several GPUs of one machine: tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of test.py]
set -euo pipefail
usage="usage: dist_test.sh CONFIG CHECKPOINT GPUS [options]"
config=${1:?$usage} checkpoint=${2:?$usage} gpus=${3:?$usage}
exec torchrun --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$gpus" "$(dirname "$0")/test.py" "$config" "$checkpoint" --launcher pytorch "${@:4}"
