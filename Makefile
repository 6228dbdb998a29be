# The same commands that CI calls. Everything happens in .venv; nothing outside this folder is changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
# Tests wait more than they compute, so there are more workers than cores.
WORKERS ?= 4
FAST ?= -n $(WORKERS) --dist worksteal

.PHONY: help demo test faults browser check fix bench flames pictures reference docs lock clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sbkube needs Python 3.11 or newer: make PYTHON=python3.12 …" or 0)'
	$(PYTHON) -m venv $(VENV)

$(READY): pyproject.toml requirements-dev.lock | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements-dev.lock -e .
	@touch $@

$(READY_DEV): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements-dev.lock -e '.[dev]'
	@touch $@

demo: $(READY)  ## the main job, from an empty sandbox to a rollback
	@$(BIN)/python scripts/demo.py

test: $(READY_DEV)  ## all tests of the short run
	$(BIN)/python -m pytest $(FAST) $(ARGS)

faults: $(READY_DEV)  ## break everything on purpose, for up to an hour (docs/faults.md)
	SBKUBE_FAULTS=long $(BIN)/python -m pytest $(FAST) $(or $(ARGS),tests/faults)

browser: $(READY_DEV)  ## the web page in Chromium (apt-get install chromium)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'playwright>=1.61'
	$(BIN)/python -m pytest $(or $(ARGS),tests/browser)

check: $(READY_DEV)  ## linters, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(READY_DEV)  ## repair what can be repaired
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY_DEV)  ## measure; prints a table (WHAT=scale, pages or versus: other ones)
	$(BIN)/python -m bench$(addprefix .,$(WHAT)) $(ARGS)

flames: $(READY_DEV)  ## draw where the time goes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check py-spy
	$(BIN)/python -m bench.flames

pictures: $(READY_DEV)  ## the terminal and the web page, for the documents (apt-get install chromium)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'playwright>=1.61'
	$(BIN)/python scripts/make_pictures.py

reference: $(READY_DEV)  ## the reference pages, from the code
	$(BIN)/python -m sbkube.report.schemas
	$(BIN)/python scripts/make_docs.py

docs: reference  ## the documentation as a website in site/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements-dev.lock -e '.[docs]'
	$(BIN)/python -m pytest -q tests/test_site.py
	$(BIN)/python -m zensical build --clean --strict
	@echo "open site/index.html"

lock: $(READY_DEV)  ## renew the development lock file
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --extra dev --extra postgres --no-emit-index-url --no-header -o requirements-dev.lock pyproject.toml

clean:  ## remove the environment and everything that was built
	rm -rf $(VENV) dist build site .pytest_cache .mypy_cache .ruff_cache .hypothesis .sbkube
