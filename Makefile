# Commands for working on Dataflyt and for trying it. `make` alone lists them, and the variables they read.
# Needs Python 3.11 or later and make; everything else is installed into .venv.

PYTHON ?= python3
KOMMUNE ?= haugesund
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SUPERVISOR := $(BIN)/python -m supervisor --kommune '$(KOMMUNE)'

unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help setup demo up plan run backup restore test cluster lint lock bench clean

help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## */\1\t/' | awk -F '\t' '{printf "make %-8s %s\n", $$1, $$2}'
	@printf '\nVariables, as in make plan KOMMUNE=bergen:\n'
	@grep -hE '^#: ' $(MAKEFILE_LIST) | sed -E 's/^#: //' | awk -F ' +- +' '{printf "  %-25s %s\n", $$1, $$2}'

#: KOMMUNE=haugesund - demo, plan, run: which kommune, by id or number
#: WEEKS=4 - demo: all kommuner through so many weeks of a simulated calendar, without Airflow
#: START=2026-07-20 - demo: the day on which the weeks begin (default: today)
#: PORT=8080 - up: where Airflow listens (default: 8080, another one when it is taken)
#: RUN=3 ROWS=1 - plan: an earlier run; each row, by the warehouse's own ids
#: FILE=kept.dump - backup, restore: the file (default of backup: a new one in .local/backups)
#: YES=1 - restore: do not ask before the warehouse is replaced
#: PYTHON=python3.12 - setup: which Python .venv is made with
#: DATAFLYT_LOCAL=folder - where databases, files and logs lie (default: .local)
#: DATAFLYT_KOMMUNER=folder - where the kommune files lie (default: include/kommuner)

setup: $(STAMP)  ## make .venv and install everything into it

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Dataflyt needs Python 3.11 or later: make PYTHON=python3.12 …"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)  ## run a kommune through everything on this machine, from registers to FEIDE export; or WEEKS=4
	@$(SUPERVISOR) demo --weeks '$(WEEKS)' --start '$(START)'

up: $(STAMP)  ## keep Airflow running with all kommuner, to look at and try, until Ctrl-C
	@$(SUPERVISOR) up --port '$(PORT)'

plan: $(STAMP)  ## show what the newest run would change, or changed: make plan KOMMUNE=haugesund
	@$(SUPERVISOR) run -- dataflyt plan '$(KOMMUNE)' $(if $(RUN),--run '$(RUN)') $(if $(ROWS),--rows)

run: $(STAMP)  ## run a kommune without Airflow, up to its plan: make run KOMMUNE=haugesund
	@$(SUPERVISOR) run -- dataflyt run '$(KOMMUNE)'

backup: $(STAMP)  ## keep the warehouse in a file: make backup FILE=warehouse.dump
	@$(SUPERVISOR) backup --file '$(FILE)'

restore: $(STAMP)  ## put a backup in the place of the warehouse, after asking: make restore FILE=warehouse.dump
	@$(SUPERVISOR) restore --file '$(FILE)' --yes '$(YES)'

# Three for two cores: half of the time a test waits for the database.
test: $(STAMP)  ## run the whole suite, in parallel
	$(BIN)/python -m pytest -n 3 --dist worksteal

cluster: $(STAMP)  ## run a kommune over two Celery workers, kill them in mid-task, and compare (needs redis-server)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.txt -e '.[dev,cluster,s3server]'
	$(BIN)/python -m tests.cluster

lint: $(STAMP)  ## check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

lock: $(STAMP)  ## write the versions that pyproject.toml resolves to into requirements.txt
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --all-extras \
		--no-emit-index-url --no-header --no-annotate pyproject.toml -o requirements.txt

bench: $(STAMP)  ## measure time and memory, beside their aims (a quarter of an hour): make bench BENCH='--only parsing'
	$(BIN)/python benchmarks/bench.py $(BENCH)

clean:  ## remove .venv, and .local with its databases, files and backups
	rm -rf $(VENV) .local .pytest_cache .mypy_cache .ruff_cache .hypothesis include/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
