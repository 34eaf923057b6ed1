# Commands for developing and trying Dataflyt. `make` alone lists them and their variables. They need Python 3.11 or
# later and make; everything else is installed into .venv.

PYTHON ?= python3
KOMMUNE ?= haugesund
GIVEN := $(if $(filter file,$(origin KOMMUNE)),,$(KOMMUNE))
SURE := $(filter-out 0,$(YES))
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# While Python starts, it would answer Ctrl-C with a traceback: the trap ignores it until the supervisor listens.
SUPERVISOR := trap '' INT; exec $(BIN)/python -m supervisor --under-make --kommune='$(KOMMUNE)'

# These commands print their own errors. Without -q make would add «*** [demo] Error 1». With -q it runs the lines that
# begin with +, and ends with 1 in silence when one of them ends with 1. With -n a + would run the line.
# Together with another goal (make setup test) there is no -q: make would skip the lines of that goal.
QUIET := setup demo up plan run doctor import backup restore
ifeq ($(if $(MAKECMDGOALS),$(filter-out $(QUIET),$(MAKECMDGOALS)),default),)
ifeq ($(findstring n,$(firstword -$(MAKEFLAGS))),)
MAKEFLAGS += -q
ALONE := +
endif
endif
unexport MAKEFLAGS
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help setup demo up plan run doctor import backup restore test test-long cluster soak kills lint docs lock sbom audit bench bench-peers clean

help:  ## vis kommandoene
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */\1\t/' | awk -F '\t' '{printf "make %-11s %s\n", $$1, $$2}'
	@printf '\nVariabler, som i make plan KOMMUNE=bergen:\n'
	@grep -hE '^#: ' $(MAKEFILE_LIST) | sed -E 's/^#: //' | awk -F ' +- +' '{printf "  %-25s %s\n", $$1, $$2}'

#: KOMMUNE=haugesund - demo, plan, run, doctor, import: hvilken kommune, ved id eller nummer
#: WEEKS=4 - demo: alle kommuner gjennom så mange uker av en simulert kalender, uten Airflow
#: START=2026-07-20 - demo: dagen ukene begynner (ellers i dag)
#: PORT=8080 - up: porten Airflow lytter på (ellers 8080, eller en ledig når den er opptatt)
#: RUN=3 ROWS=1 - plan: en tidligere kjøring; hver rad, med varehusets egne id-er
#: AS=101 PURPOSE=5 - plan med ROWS=1: hvem du er (id-en under people i kommunefilen), og hvorfor; ellers blir du spurt
#: APPROVER=101 - run: hvem som svarer når kjøringen spør, ved id-en i kommunefilen
#: FILE=katalog.ldif - import, backup, restore: filen (backup lager ellers en ny i .local/backups)
#: YES=1 - run, import, restore: svar ja uten å bli spurt
#: PYTHON=python3.12 - setup: hvilken Python .venv lages med
#: DATAFLYT_LOCAL=mappe - hvor databaser, filer og logger ligger (ellers .local)
#: DATAFLYT_KOMMUNER=mappe - hvor kommunefilene ligger (ellers include/kommuner)

setup: $(STAMP)  ## lag .venv og installer alt der

$(STAMP): requirements.txt pyproject.toml
	$(ALONE)@$(PYTHON) include/supervisor/install.py $(VENV) && touch $@ || exit 1

demo: $(STAMP)  ## kjør en kommune gjennom alt på denne maskinen, fra registrene til FEIDE-eksporten; eller WEEKS=4
	$(ALONE)@$(SUPERVISOR) demo --weeks='$(WEEKS)' --start='$(START)'

up: $(STAMP)  ## hold Airflow i gang med alle kommuner, til utprøving, til Ctrl-C
	$(ALONE)@$(SUPERVISOR) up --port='$(PORT)'

plan: $(STAMP)  ## vis hva den nyeste kjøringen ville endre, eller har endret: make plan KOMMUNE=haugesund
	$(ALONE)@$(SUPERVISOR) run -- dataflyt plan '$(KOMMUNE)' $(if $(RUN),--run='$(RUN)') $(if $(ROWS),--rows) $(if $(AS),--as='$(AS)') $(if $(PURPOSE),--purpose='$(PURPOSE)')

run: $(STAMP)  ## kjør hele flyten for en kommune uten Airflow; frigir og publiserer når den ikke spør, ellers etter ja
	$(ALONE)@$(SUPERVISOR) run -- dataflyt run '$(KOMMUNE)' $(if $(SURE),--approve) $(if $(APPROVER),--approver='$(APPROVER)')

doctor: $(STAMP)  ## undersøk varehus, tilkoblinger, nøkler og mapper for alle kommuner, eller én: make doctor KOMMUNE=bergen
	$(ALONE)@$(SUPERVISOR) run -- dataflyt doctor $(if $(GIVEN),'$(GIVEN)')

import: $(STAMP)  ## importer kommunens katalog slik den er i dag, etter å ha spurt: make import FILE=katalog.ldif
	$(ALONE)@test -n '$(FILE)' || { echo 'Hvilken fil? Skriv: make import FILE=katalog.ldif'; exit 1; }
	$(ALONE)@$(SUPERVISOR) run -- dataflyt account import '$(FILE)' $(if $(GIVEN),--kommune='$(GIVEN)') $(if $(SURE),--approve)

backup: $(STAMP)  ## ta sikkerhetskopi av varehuset i en fil: make backup FILE=varehus.dump
	$(ALONE)@$(SUPERVISOR) backup --file='$(FILE)'

restore: $(STAMP)  ## erstatt varehuset med en sikkerhetskopi, etter å ha spurt: make restore FILE=varehus.dump
	$(ALONE)@$(SUPERVISOR) restore --file='$(FILE)' --yes='$(YES)'

# Three workers for two cores: a test waits for the database half of the time.
test: $(STAMP)  ## kjør de raske testene, flere om gangen: under 8 minutter på to kjerner
	$(BIN)/python -m pytest -n 3 --dist worksteal -m 'not long'

test-long: $(STAMP)  ## kjør de lange testene: Airflow, make demo, simulerte uker, og hver test på over fem sekunder
	$(BIN)/python -m pytest -n 3 --dist worksteal -m long

cluster: $(STAMP)  ## kjør en kommune på to Celery-arbeidere, drep dem midt i, og sammenlign (trenger redis-server)
	$(BIN)/python -m tests.cluster

soak: $(STAMP)  ## kjør tjue kommuner gjennom tretti dager med feil og drepte arbeidere: make soak SOAK='--kommuner 4 --days 5'
	$(BIN)/python -m tests.cluster.soak $(SOAK)

kills: $(STAMP)  ## drep en kjøring på tilfeldige steder, kjør den igjen, og sammenlign: make kills BENCH='--times 20'
	$(BIN)/python benchmarks/kills.py $(BENCH)

lint: $(STAMP)  ## kontroller stil, typer og at det som importeres, er ført opp i pyproject.toml
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/deptry .

docs: $(STAMP)  ## skriv dokumentasjonen, også det som lages av koden, og bygg den i .local/site
	PYTHONPATH=include $(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

# The image has its own locks, in the same versions: what developers need is not in it.
LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate pyproject.toml
lock: $(STAMP)  ## skriv versjonene som pyproject.toml gir, med hasher, i requirements.txt og deploy/requirements*.txt
	$(LOCK) --all-extras -o requirements.txt
	$(LOCK) --extra cluster -c requirements.txt -o deploy/requirements.txt
	$(LOCK) --extra cluster --extra trial --extra s3server -c requirements.txt -o deploy/requirements-demo.txt

SBOM := .local/sbom
sbom: $(STAMP)  ## list det som er i imaget, i CycloneDX-format (.local/sbom.json), og lisensene (.local/licences.csv)
	$(BIN)/uv venv -q --clear $(SBOM)
	$(BIN)/uv pip install -q --python $(SBOM)/bin/python --require-hashes -r deploy/requirements.txt
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o $(SBOM).json $(SBOM)/bin/python
	$(BIN)/python -m supervisor.supply licences $(SBOM).json .local/licences.csv

audit: $(STAMP)  ## se etter kjente sårbarheter i det som er i imaget, der listen over dem kan nås
	$(BIN)/python -m supervisor.supply audit deploy/requirements.txt

bench: $(STAMP)  ## mål tid og minne mot målene (et kvarter): make bench BENCH='--only parsing'
	$(BIN)/python benchmarks/bench.py $(BENCH)

PEERS := .local/peers
bench-peers: $(STAMP)  ## mål lasting og fletting mot et bart COPY, dlt, dbt og pandas, i et miljø for seg (ti minutter)
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers/requirements.txt
	$(BIN)/python benchmarks/peers/compare.py --python $(PEERS)/bin/python $(BENCH)

clean:  ## fjern .venv, og .local med databaser, filer og sikkerhetskopier
	rm -rf $(VENV) .local .pytest_cache .mypy_cache .ruff_cache .hypothesis include/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
