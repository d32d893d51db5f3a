# Needs python3 (3.11 or later) with venv, and make. Every target sets up the virtual environment on its own.
PYTHON ?= python3
VENV   ?= .venv
PORT   ?= 4566
API_PORT ?= 8000
LOCAL_HOME ?= .local
STAGE  ?= dev
MINUTES ?= 5
BIN    := $(VENV)/bin
PY     := $(BIN)/python

.PHONY: setup demo test lint local bench package deploy destroy soak mutants pins
setup: $(VENV)/.installed

$(VENV)/.installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name one with make PYTHON=python3.12")'
	@echo "Setting up $(VENV) (about a minute, once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

demo: setup
	@$(PY) -m local demo $(if $(DATA),--data $(DATA))

local: setup
	@$(PY) -m local serve --port $(PORT) --api-port $(API_PORT) --home $(LOCAL_HOME)

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

test: lint
	@$(PY) -m pytest --numprocesses auto --dist loadfile

bench: setup
	@$(PY) -m benchmarks

soak: setup
	@$(PY) -m local soak --minutes $(MINUTES)

# What the tests don't notice: one small change to the code at a time. PATHS=producer.py a part; SAMPLE=200 so many of them.
mutants: .venv-mutants/.installed
	@.venv-mutants/bin/python -m mutants $(PATHS) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(WORKERS),--workers $(WORKERS))

.venv-mutants/.installed: requirements-mutants.txt
	@echo "Setting up .venv-mutants (about a minute, once) ..."
	@$(PYTHON) -m venv .venv-mutants
	@.venv-mutants/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements-mutants.txt
	@touch $@

package: setup
	@$(PY) -m infra package --stage $(STAGE)

deploy: setup
	@$(PY) -m infra deploy --stage $(STAGE)

destroy: setup
	@$(PY) -m infra destroy --stage $(STAGE)

# Resolves the exact pins again, for every Python from 3.11 on. Needs uv.
pins:
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate --no-header requirements.in -o requirements.txt
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate --no-header requirements-dev.in -o requirements-dev.txt
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate --no-header requirements-mutants.in -o requirements-mutants.txt
