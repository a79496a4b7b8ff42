# One command for each thing one does here; `make` alone lists them.
#
# Everything runs in .venv, which is made on first use from the lock file and made again only when the lock file or
# pyproject.toml has changed. There is one environment, not a small one for the demo and a large one for the tests:
# measured, the development tools add twenty seconds to an installation of fifteen, and a second one would be paid in full.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
HEAVY  ?= .venv-frameworks
ARGS   ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
export PATH := $(abspath $(BIN)):$(PATH)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv demo start check format lint test test-backends test-backends-extra test-long test-frameworks bench docs lock lock-frameworks clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(READY) ## make .venv with exactly what the lock file names

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Modelyard needs Python 3.11 or newer; '$(PYTHON)' is not that. Name one: make PYTHON=python3.12 venv" >&2; \
	  exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	  echo "'$(PYTHON) -m venv' failed. On Debian and Ubuntu it needs the package python3-venv." >&2; exit 1; }
	@echo "Installing what requirements/dev.txt names into $(VENV) (about a minute, once) ..."
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY) ## watch a real model go through its whole life (no server, under two minutes)
	@$(BIN)/python examples/demo.py

start: $(READY) ## start a server for the registry in ./model_registry (Ctrl-C stops it)
	@$(BIN)/modelyard server

# Without import-linter's cache: it was seen to answer for a file that had been replaced, and saves under a second.
check: $(READY) ## formatting, lint, types and layers: what runs first for every change
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(READY) ## rewrite the code the way `make check` wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: $(READY) ## only the linter
	$(BIN)/ruff check .

# The gate prints nothing when it holds, so that the test summary stays the last thing on the screen.
test: $(READY) ## every quick test; domain and service must be covered to the last branch
	$(BIN)/python -m pytest -n auto -m "not long and not backends" --cov=modelyard.domain --cov=modelyard.service --cov-report= $(if $(ARGS),--cov-append $(ARGS))
	@mkdir -p .make
	@$(BIN)/coverage report --fail-under=100 > .make/coverage.txt || { \
	  cat .make/coverage.txt; echo "domain/ and service/ must be covered to the last branch." >&2; exit 1; }

test-backends: $(READY) ## the contract suites against real databases and object stores; a missing one is a failure
	MODELYARD_REQUIRE=$${MODELYARD_REQUIRE:-all} $(BIN)/python -m pytest -n auto --dist loadfile -m "backends and not long and not extra" $(ARGS)

# Hundreds of megabytes that nothing else needs, so not part of judging a change. What cannot be had is told, and missed.
test-backends-extra: $(READY) ## the same on MySQL and Ceph, which are fetched first
	-$(BIN)/python tests/services/unpack.py
	MODELYARD_REQUIRE=$${MODELYARD_REQUIRE-mysql,ceph} $(BIN)/python -m pytest -n auto --dist loadfile -m "extra and not long" $(ARGS)

test-long: $(READY) ## what takes minutes: soak, load, a kill at every step (half an hour on two cores)
	$(BIN)/python -m pytest -n auto --dist worksteal -m "long and not extra" --timeout=1200 $(ARGS)

test-frameworks: $(READY) $(HEAVY)/.ready ## the flavors of PyTorch, Keras, spaCy ... in an environment of their own (gigabytes)
	$(HEAVY)/bin/python -m pytest -n auto --dist worksteal -m long --timeout=1200 tests/flavors tests/registry/test_frameworks.py $(ARGS)

# Gigabytes, so they have an environment of their own.
$(HEAVY)/.ready: pyproject.toml requirements/inputs.py requirements/frameworks.txt
	@test -x $(HEAVY)/bin/python || $(PYTHON) -m venv $(HEAVY)
	@echo "Installing torch, Keras, transformers, spaCy, MLflow and CatBoost into $(HEAVY) (two to eight minutes, once) ..."
	@mkdir -p .make
	@$(BIN)/python requirements/inputs.py frameworks > .make/frameworks.in
	@$(HEAVY)/bin/python -m pip install --quiet --requirement .make/frameworks.in --constraint requirements/frameworks.txt
	@$(HEAVY)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

bench: $(READY) ## measure, beside the floors and peers that are installed (quiet machine, some minutes)
	$(BIN)/python -m benchmarks

docs: $(READY) ## write the generated reference pages again
	$(BIN)/python -m modelyard.settings docs/reference/configuration.md
	$(BIN)/python -m modelyard.cli.reference docs/reference/cli.md
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/generate_permissions.py
	$(BIN)/python -m modelyard.rest.reference docs/reference/rest-api.md

# Hashes of every published file, so that one lock file serves each supported Python and platform. The index settings
# of the machine that happens to run this are kept out of it.
lock: $(READY) ## choose versions again and write requirements/dev.txt (a few minutes)
	@mkdir -p .make
	@$(BIN)/python requirements/inputs.py > .make/dev.in
	PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade \
	  --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --no-emit-options --output-file requirements/dev.txt .make/dev.in

# The newest of everything: run the tests on it before the file goes anywhere.
lock-frameworks: $(READY) ## choose versions of the frameworks again and write requirements/frameworks.txt
	rm -rf $(HEAVY)
	sed -i '/^[^#]/d' requirements/frameworks.txt
	@$(MAKE) --no-print-directory $(HEAVY)/.ready
	@$(HEAVY)/bin/python -m pip freeze --exclude-editable | sed 's/+[a-z0-9]*$$//' >> requirements/frameworks.txt
	@touch $(HEAVY)/.ready

clean: ## remove what these commands made (never a registry)
	rm -rf $(VENV) $(HEAVY) .make .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
