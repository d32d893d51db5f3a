# Needs python3 (3.11 or later) with venv, and make. Every target sets up the virtual environment on its own:
# demo, local, live and soak install what they need (200 MB); the others everything (1.6 GB), which `make setup` does alone.
PYTHON ?= python3
VENV   ?= .venv
PORT   ?= 4566
API_PORT ?= 8000
LOCAL_HOME ?= .local
STAGE  ?= dev
MINUTES ?= 5
SOURCE ?= bluesky
BIN     = $(VENV)/bin
PY      = $(BIN)/python
PIP     = $(PY) -m pip --disable-pip-version-check install --quiet --quiet

# Values reach the commands as environment variables, so that a path may have spaces.
export DATA LOCAL_HOME SOURCE
# What was typed, for advice in its words (local/terminal.py).
export TYPED := make $(firstword $(MAKECMDGOALS))
# Containers often set it. Each start would compile the libraries anew: that takes longer than all else of a start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup ready demo test test-unit test-again endurance coverage lint local live bench package deploy destroy soak mutants pins recording bench-compare
.DEFAULT_GOAL := help
help: ## list these commands
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(VENV)/.installed ## install everything into .venv (1.6 GB)
	@$(PY) -m accelerator

# Everything contains what the local AWS needs. The accelerator is built if its compiler is there, which `setup` installs.
ready: $(if $(wildcard $(VENV)/.installed),$(VENV)/.installed,$(VENV)/.installed-local)
	@$(PY) -m accelerator

# The pins name every package, so pip resolves nothing (--no-deps). Modules are compiled when they are first imported.
# A newer pip goes first: the one that comes with Python 3.11 takes twice as long to read the package index.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name one with make PYTHON=python3.12")'
	@echo "Setting up $(VENV) for $(1) ..."
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@$(PIP) --no-deps --no-compile $$(grep '^pip==' requirements-local.txt)
	@$(PIP) --no-deps --no-compile --requirement $(2)
	@touch $@
endef

$(VENV)/.installed-local: requirements-local.txt
	$(call install,the local AWS (200 MB$(comma) about half a minute$(comma) once),$<)

$(VENV)/.installed: requirements-dev.txt requirements-local.txt
	$(call install,tests and deployment (1.6 GB$(comma) a minute or two$(comma) once),$<)

comma := ,

demo: ready ## run the whole flow here on made-up tweets, and print what landed; DATA=file.csv for others
	@$(PY) -m local demo --home "$$LOCAL_HOME/demo" $${DATA:+--data "$$DATA"}

local: ready ## serve the local AWS and the admin API until Ctrl-C; PORT=, API_PORT=, LOCAL_HOME=
	@$(PY) -m local serve --port $(PORT) --api-port $(API_PORT) --home "$$LOCAL_HOME" --prepare

live: ready ## show posts as they are written, by kind, until Ctrl-C; SOURCE=simulated without the internet
	@$(PY) -m local live --source "$$SOURCE" --home "$$LOCAL_HOME/live"

lint: setup ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(PY) -m mypy

# MEASURED=yes writes down which lines of chalicelib/ run. TESTS=tests/docs runs a part.
test: lint ## lint, then run every test but those of endurance
	@$(PY) $(if $(MEASURED),-m coverage run) -m pytest --numprocesses auto --dist loadfile $(TESTS)
	@$(if $(TESTS),,echo "Left out: tests/endurance, two minutes that make endurance runs.")

test-again: setup ## run what failed the last time, by itself
	@$(PY) -m pytest --last-failed --last-failed-no-failures none tests

endurance: setup ## see that memory stays bounded and nothing is lost through faults and kills
	@$(PY) -m pytest --numprocesses auto --dist loadfile tests/endurance

test-unit: setup ## run the tests that need no local AWS, process or warehouse
	@$(PY) -m pytest --numprocesses auto tests/unit

# By the product's own tests, not by those of the local AWS and of the pages. What fails is run once more, by itself.
coverage: setup ## run the tests of the product, and fail if they leave out more lines of chalicelib/ than is known
	@$(PY) -m coverage erase
	@$(MAKE) --no-print-directory test MEASURED=yes TESTS="tests/unit tests/integration" || $(MAKE) --no-print-directory test-again
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report --skip-covered

bench: setup ## print the benchmark tables
	@$(PY) -m benchmarks

# The working tree, if AFTER isn't said.
BEFORE ?= HEAD
bench-compare: setup ## what a tweet costs, before and after: BEFORE=main AFTER=HEAD
	@$(PY) -m benchmarks.compare $(BEFORE) $(AFTER)

soak: ready ## send tweets through faults and audit what arrived; MINUTES=5
	@$(PY) -m local soak --home "$$LOCAL_HOME/soak" --minutes $(MINUTES)

# What the tests don't notice: one small change to the code at a time. PATHS=producer.py a part; SAMPLE=200 so many of them.
mutants: .venv-mutants/.installed ## see which small changes to the code no test notices; PATHS=, SAMPLE=
	@.venv-mutants/bin/python -m mutants $(PATHS) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(WORKERS),--workers $(WORKERS))

.venv-mutants/.installed: override VENV := .venv-mutants
.venv-mutants/.installed: requirements-dev.txt requirements-mutants.txt requirements-local.txt
	$(call install,mutation testing (1.6 GB$(comma) a minute or two$(comma) once),$< --requirement requirements-mutants.txt)

# The README from a fresh clone to the report, typed into a terminal: docs/first-run.txt and the README's picture.
recording: setup ## type the README into a terminal from a fresh clone, and record it
	@$(PY) docs/first_run.py

package: setup ## package the app, and see that the bundle runs alone; STAGE=dev
	@$(PY) -m infra package --stage $(STAGE)

deploy: setup ## deploy a stage to AWS; STAGE=dev
	@$(PY) -m infra deploy --stage $(STAGE)

destroy: setup ## take a stage down; STAGE=dev
	@$(PY) -m infra destroy --stage $(STAGE)

# Resolves the exact pins again, for every Python from 3.11 on. Needs uv.
PIN := uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate --no-header
pins: ## resolve the exact pins again; needs uv
	$(PIN) requirements.in -o requirements.txt
	$(PIN) --constraint requirements.txt requirements-local.in -o requirements-local.txt
	$(PIN) --constraint requirements-local.txt requirements-dev.in -o requirements-dev.txt
	$(PIN) --constraint requirements-dev.txt requirements-mutants.in -o requirements-mutants.txt
