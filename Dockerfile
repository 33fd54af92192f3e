# The image of Pinrelay. docker-compose.yml shows how to run it.

# ---------------------------------------------------------------------------------------------------------------------
# Build: an environment with what running needs, from exact versions with hashes. What builds it stays here.

FROM python:3.13-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285 AS build
WORKDIR /src

COPY constraints.txt ./
RUN sed '/^# == To build/,$d' constraints.txt >to-run.txt && \
    sed '1,/^# == To build/d; /^# == To develop/,$d' constraints.txt >to-build.txt
RUN python -m venv /opt/pinrelay && \
    /opt/pinrelay/bin/pip install --require-hashes -r to-run.txt
RUN python -m venv /opt/builder && \
    /opt/builder/bin/pip install --require-hashes -r to-build.txt

COPY pyproject.toml README.md LICENSE ./
COPY app app
RUN /opt/builder/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels . && \
    /opt/pinrelay/bin/pip install --no-deps --no-index wheels/*.whl && \
    /opt/pinrelay/bin/pip uninstall --yes pip setuptools

# ---------------------------------------------------------------------------------------------------------------------
# Run: that environment, the presets, mappings and sources, a user without rights, and a volume for the outbox.

FROM python:3.13-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285
LABEL org.opencontainers.image.title="Pinrelay" \
      org.opencontainers.image.licenses="MIT"

RUN useradd --system --uid 10001 --no-create-home pinrelay && \
    install --directory --owner=pinrelay --mode=0700 /data
COPY --from=build /opt/pinrelay /opt/pinrelay
WORKDIR /srv/pinrelay
COPY presets presets
COPY mappings mappings
COPY sources sources

ENV PATH=/opt/pinrelay/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=8080 \
    OUTBOX_URL=sqlite:////data/pinrelay.db

USER pinrelay
VOLUME /data
EXPOSE 8080

# Alive, not ready: trouble at Pinterest is no reason to restart.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
CMD ["pinrelay", "serve"]
