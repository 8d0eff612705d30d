# The service for checks: small, no GPU, no root. Build it in the repository: docker build -f docker/cpu.Dockerfile .
ARG BASE=debian:bookworm-slim
# hadolint ignore=DL3006
FROM ${BASE} AS build
SHELL ["/bin/sh", "-eu", "-c"]
# Debian's own security updates are wanted: versions are those of the release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
COPY docker/cpu-requirements.txt /src/docker/cpu-requirements.txt
RUN python3 -m venv /opt/fp8check \
    && /opt/fp8check/bin/pip install --no-cache-dir --no-compile --require-hashes \
       -r /src/docker/cpu-requirements.txt
WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE ./
COPY rules rules
COPY probe probe
COPY cli cli
COPY service service
# What only building and testing need goes: pip, sources and headers of extensions, test suites of packages. Compiled
# modules that nobody checks against their sources start a read-only container as fast as it can be.
RUN /opt/fp8check/bin/pip install --no-cache-dir --no-compile --no-deps . \
    && /opt/fp8check/bin/pip uninstall -y setuptools pip \
    && find /opt/fp8check/lib -name '*.py[xi]' -delete -o -name '*.[ch]' -delete -o -name '*.pxd' -delete \
    && find /opt/fp8check/lib -type d \( -path '*/sqlalchemy/testing' -o -path '*/alembic/testing' -o -name tests \) \
       -prune -exec rm -rf {} + \
    && rm -rf /opt/fp8check/include \
    && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/fp8check/lib

# hadolint ignore=DL3006
FROM ${BASE}
SHELL ["/bin/sh", "-eu", "-c"]
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/* \
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
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="fp8check" \
      org.opencontainers.image.description="Will this training run really train in FP8? The service for checks." \
      org.opencontainers.image.source="https://github.com/fp8check/fp8check" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["fp8check", "serve", "--host", "0.0.0.0"]
