# Dataflyt with Airflow and all that it imports, in the versions that requirements.txt has and the tests run with.
#
#   docker build .                  for production: no simulator is started by it, no S3 server is in it
#   docker build --target demo .    with an S3 server in memory, for docker compose --profile demo

FROM python:3.11.14-slim-bookworm AS dataflyt

# tini reaps what Airflow's processes leave and passes signals on.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
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
    DATAFLYT_KOMMUNER=/opt/dataflyt/include/kommuner

WORKDIR /opt/dataflyt

# What others wrote comes first: it changes seldom. The code is read where it lies, as in the repository.
COPY pyproject.toml requirements.txt README.md LICENSE ./
RUN mkdir include \
    && python -m venv /opt/venv \
    && pip install --constraint requirements.txt --editable '.[cluster]'

COPY include include
COPY dags dags
COPY plugins plugins

# Mounted volumes take their owner from these.
RUN mkdir airflow logs demo && chown dataflyt: airflow logs demo
USER dataflyt

# What is healthy depends on what a container runs: docker-compose.yaml says it for each. This holds for all of them.
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s \
    CMD ["python", "-c", "import dataflyt.kommune"]
ENTRYPOINT ["tini", "--"]
CMD ["airflow", "version"]


FROM dataflyt AS demo

USER root
RUN pip install --constraint requirements.txt --editable '.[cluster,s3server]'
USER dataflyt


# The one that is built when none is named.
FROM dataflyt
