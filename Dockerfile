# Dataflyt with Airflow and everything it imports, in the versions that the tests run with (make lock).
#
#   docker build .                  for production: no simulator, no S3 server and no kommune file is in it
#   docker build --target demo .    with all three, for docker compose --profile demo
#   docker build --target feide .   OpenLDAP alone, for docker compose --profile feide
#
# --build-arg PACKAGES='sshfs apache-airflow-providers-amazon' adds packages: for file systems, logs, secrets.

FROM python:3.11.14-slim-bookworm AS dataflyt

# tini reaps the zombies of Airflow's processes and passes signals on. Pango and a font draw the text of PDF documents.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 \
        fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 50000 --create-home --home-dir /opt/dataflyt dataflyt

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    AIRFLOW_HOME=/opt/dataflyt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/dataflyt/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/dataflyt/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=false \
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=/opt/dataflyt/logs \
    DATAFLYT_KOMMUNER=/opt/dataflyt/kommuner \
    XDG_CACHE_HOME=/tmp/cache

WORKDIR /opt/dataflyt

# Dependencies come first: they change seldom. The code is imported from its folder, as in the repository.
COPY pyproject.toml deploy/requirements.txt README.md LICENSE ./
RUN mkdir include \
    && python -m venv /opt/venv \
    && pip install --require-hashes --no-deps --requirement requirements.txt \
    && pip install --no-deps --editable .

# Packages of yours come without hashes, and change no version that is there.
ARG PACKAGES=
RUN test -z "$PACKAGES" || { pip freeze --exclude-editable > /tmp/installed.txt \
    && pip install --constraint /tmp/installed.txt $PACKAGES; }

COPY include/airflow_local_settings.py include/
COPY include/dataflyt include/dataflyt
COPY dags dags
COPY plugins plugins

# Mounted volumes take their owner from these.
RUN mkdir airflow logs demo kommuner && chown dataflyt: airflow logs demo kommuner
USER dataflyt

# docker-compose.yaml has a health check for each service. This one holds for all of them.
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s \
    CMD ["python", "-c", "import dataflyt.config.loading"]
ENTRYPOINT ["tini", "--"]
CMD ["airflow", "version"]


FROM dataflyt AS demo

USER root
COPY deploy/requirements-demo.txt ./
RUN pip install --require-hashes --no-deps --requirement requirements-demo.txt
COPY include/kommuner include/kommuner
COPY include/simulator include/simulator
COPY include/supervisor include/supervisor
USER dataflyt


FROM debian:12.12-slim AS feide

RUN apt-get update \
    && apt-get install --yes --no-install-recommends slapd ldap-utils \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 50000 --create-home --home-dir /var/lib/feide dataflyt
COPY deploy/feide/start.sh deploy/feide/schema.ldif /opt/feide/
USER dataflyt
CMD ["/opt/feide/start.sh"]


# The stage that is built by default.
FROM dataflyt
