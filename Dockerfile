# The image of Pinrelay. docker-compose.yml shows how to run it; docs/releasing.md how it is built for several machines:
# nothing here depends on the processor.

# ---------------------------------------------------------------------------------------------------------------------
# Build: an environment with what running needs, from exact versions with hashes. What builds it stays here.

FROM python:3.13-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285 AS build
WORKDIR /src

# For those who run `pinrelay reconcile` or `pinrelay import` in the image: FILES=yes has DuckDB, which is of 60 MB,
# FILES=all also its extensions, of 125 MB, by which it reads S3, the web, SQLite and MySQL.
ARG FILES=
COPY constraints.txt ./
RUN sed '/^# == To build/,$d' constraints.txt >to-run.txt && \
    if [ -n "$FILES" ]; then sed '1,/^# == For files/d; /^# == For warehouse/,$d' constraints.txt >>to-run.txt; fi && \
    if [ "$FILES" = all ]; then sed '1,/^# == For warehouse/d; /^# == To develop/,$d' constraints.txt >>to-run.txt; fi && \
    sed '1,/^# == To build/d; /^# == For files/,$d' constraints.txt >to-build.txt
RUN python -m venv /opt/pinrelay && \
    /opt/pinrelay/bin/pip install --require-hashes -r to-run.txt
RUN python -m venv /opt/builder && \
    /opt/builder/bin/pip install --require-hashes -r to-build.txt

# Of 50 MB of languages, translations and syntaxes nothing is used: names of countries are.
# hadolint ignore=DL3003
RUN cd /opt/pinrelay/lib/python3*/site-packages && \
    find babel/locale-data -name '*.dat' ! -name root.dat ! -name 'en*.dat' -delete && \
    find pycountry/locales -name '*.mo' ! -name iso3166-1.mo -delete && \
    find pygments/lexers -type f ! -name '__init__.*' ! -name '_mapping.*' -delete

COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY presets presets
COPY mappings mappings
COPY sources sources
COPY destinations destinations
COPY docs/grafana-dashboard.json docs/prometheus-alerts.yaml docs/
RUN /opt/builder/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels . && \
    /opt/pinrelay/bin/pip install --no-deps --no-index wheels/*.whl && \
    /opt/pinrelay/bin/pip uninstall --yes pip setuptools
# The console's templates are compiled here, because what runs may not write beside its modules.
RUN /opt/pinrelay/bin/python -P -c 'from app.console.pages import environment as e; [e().get_template(n) for n in e().list_templates()]'

# ---------------------------------------------------------------------------------------------------------------------
# Run: that environment, a user without rights, and a volume for the outbox. All else may be read-only but for /tmp.

FROM python:3.13-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285
ARG VERSION=unreleased
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="Pinrelay" \
      org.opencontainers.image.description="A self-hosted Pinterest Conversions destination" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"

RUN groupadd --system --gid 10001 pinrelay && \
    useradd --system --uid 10001 --gid pinrelay --no-create-home pinrelay && \
    install --directory --owner=pinrelay --group=pinrelay --mode=0700 /data
COPY --from=build /opt/pinrelay /opt/pinrelay
WORKDIR /srv/pinrelay

ENV PATH=/opt/pinrelay/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=8080 \
    OUTBOX_URL=sqlite:////data/pinrelay.db

# By number: Kubernetes cannot tell from a name that it is not root.
USER 10001:10001
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM

# Alive, not ready: trouble at Pinterest is no reason to restart.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
CMD ["pinrelay", "serve"]
