# For CPUs and NVIDIA GPUs:
#   docker build --tag mitosis .
# For CPUs alone, smaller; URL is PyTorch's package index of CPU wheels:
#   docker build --tag mitosis --build-arg TORCH_INDEX=URL .
# To run (docs/inference.md):
#   docker run --rm --gpus all --user "$(id -u):$(id -g)" --volume "$PWD":/data mitosis \
#       tools/infer.py /data/slides --checkpoint /data/best.pth --out /data/counts
ARG BASE=python:3.11-slim
FROM ${BASE}
RUN apt-get update && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1 USER=mitosis MPLCONFIGDIR=/tmp/matplotlib
COPY Makefile constraints.txt setup.py pyproject.toml README.md LICENSE ./
COPY mmdet_mitosis/__init__.py mmdet_mitosis/
ARG TORCH_INDEX=""
RUN if [ -n "$TORCH_INDEX" ]; then python3 -m venv .venv && .venv/bin/python -m pip install \
    --no-deps --constraint constraints.txt --index-url "$TORCH_INDEX" torch torchvision; fi
ARG EXTRAS=lite,table
RUN make setup EXTRAS="$EXTRAS"
COPY mmdet_mitosis mmdet_mitosis
COPY configs configs
COPY data_prep data_prep
COPY tools tools

RUN useradd --create-home mitosis
USER mitosis
ENTRYPOINT ["/app/.venv/bin/python"]
CMD ["tools/infer.py", "--help"]
