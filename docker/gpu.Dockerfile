# The service with probes, and the stack that trains: docker build -f docker/gpu.Dockerfile .
# Run it with --gpus all. Its own environment is what is checked where a request brings no facts.
ARG BASE=nvidia/cuda:12.8.1-cudnn-devel-ubuntu24.04
# hadolint ignore=DL3006
FROM ${BASE} AS system
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates g++ ninja-build python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin fp8check \
    && install -d -o fp8check /data
ENV PATH=/opt/fp8check/bin:/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

FROM system AS stack
COPY docker/gpu-requirements.txt /src/docker/gpu-requirements.txt
# Transformer Engine's extension for torch is built against the torch that is there: after it, and not in isolation.
RUN python3 -m venv /opt/fp8check \
    && pip install --no-cache-dir torch==2.8.0 setuptools==80.9.0 wheel==0.45.1 ninja==1.13.0 packaging==25.0 \
    && NVTE_FRAMEWORK=pytorch MAX_JOBS=4 \
       pip install --no-cache-dir --no-build-isolation -r /src/docker/gpu-requirements.txt

FROM stack
WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE ./
COPY rules rules
COPY probe probe
COPY cli cli
COPY service service
# What is installed is the repository itself.
# hadolint ignore=DL3013
RUN pip install --no-cache-dir '.[postgres,gpu]'
# The tokens file is a place, and holds hashes.
# hadolint ignore=DL3064
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HF_HUB_OFFLINE=1 \
    FP8CHECK_DATABASE=sqlite:////data/fp8check.db \
    FP8CHECK_TOKENS_FILE=/run/secrets/fp8check_tokens
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="fp8check-gpu" \
      org.opencontainers.image.description="Will this training run really train in FP8? The service with probes." \
      org.opencontainers.image.source="https://github.com/fp8check/fp8check" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["fp8check", "serve", "--host", "0.0.0.0"]
