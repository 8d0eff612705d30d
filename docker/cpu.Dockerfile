# The service for checks: small, no GPU, no root. Build it in the repository: docker build -f docker/cpu.Dockerfile .
FROM debian:bookworm-slim AS build
SHELL ["/bin/sh", "-eu", "-c"]
# Debian's own security updates are wanted: versions are those of the release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY rules rules
COPY probe probe
COPY cli cli
COPY service service
RUN python3 -m venv /opt/fp8check \
    && /opt/fp8check/bin/pip install --no-cache-dir '.[postgres]' \
    && /opt/fp8check/bin/pip uninstall -y setuptools pip \
    && /opt/fp8check/bin/python -m compileall -q /opt/fp8check/lib

FROM debian:bookworm-slim
SHELL ["/bin/sh", "-eu", "-c"]
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin fp8check \
    && install -d -o fp8check /data
COPY --from=build /opt/fp8check /opt/fp8check
# Another machine trains: what this container is says nothing about a run.
# The tokens file is a place, and holds hashes.
# hadolint ignore=DL3064
ENV PATH=/opt/fp8check/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FP8CHECK_DATABASE=sqlite:////data/fp8check.db \
    FP8CHECK_TOKENS_FILE=/run/secrets/fp8check_tokens \
    FP8CHECK_OWN_ENVIRONMENT=false \
    FP8CHECK_PROBE=false
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["fp8check", "serve", "--host", "0.0.0.0"]
