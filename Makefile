# Commands for working on Dataflyt and for trying it. `make` alone lists them.
# Needs Python 3.11 or later and make; everything else is installed into .venv.

PYTHON ?= python3
KOMMUNE ?= haugesund
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SUPERVISOR := $(BIN)/python -m supervisor --kommune '$(KOMMUNE)'

unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint lock plan run bench clean

help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## */\1\t/' | awk -F '\t' '{printf "make %-8s %s\n", $$1, $$2}'

setup: $(STAMP)  ## make .venv and install everything into it

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Dataflyt needs Python 3.11 or later: make PYTHON=python3.12 …"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)  ## run a kommune through everything on this machine, from registers to FEIDE export
	@$(SUPERVISOR) demo

plan: $(STAMP)  ## show what the newest run would change: make plan KOMMUNE=haugesund
	@$(SUPERVISOR) run -- dataflyt plan '$(KOMMUNE)'

run: $(STAMP)  ## run a kommune without Airflow, up to its plan: make run KOMMUNE=haugesund
	@$(SUPERVISOR) run -- dataflyt run '$(KOMMUNE)'

test: $(STAMP)  ## run the whole suite, in parallel
	$(BIN)/python -m pytest -n 2

lint: $(STAMP)  ## check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

lock: $(STAMP)  ## write the versions that pyproject.toml resolves to into requirements.txt
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --all-extras \
		--no-emit-index-url --no-header --no-annotate pyproject.toml -o requirements.txt

bench: $(STAMP)  ## measure time and memory of every step, for kommuner of three sizes (a quarter of an hour)
	$(BIN)/python benchmarks/scale.py --pupils 400 4000 40000 --runs 2

clean:  ## remove .venv, and .local with the demo's database and files
	rm -rf $(VENV) .local .pytest_cache .mypy_cache .ruff_cache .hypothesis include/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
