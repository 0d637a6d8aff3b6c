# fanlight: `make run` shows it, `make test` tests it.  `make help` lists the rest.
#
# Every target first makes what it needs: a virtual environment in .venv, made anew when pyproject.toml changes.
# PYTHON=/path/to/python3.x picks the interpreter, VENV=… another place for the environment.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

CODE := core engines transports cli

# DuckDB 2.0's binding lists what it believes leaked when a process ends, after pytest's summary; nobody needs to read that.
QUIETLY := 2> >(sed -E '/^(nanobind: | - (leaked|\.\.\. skipped) |See https:\/\/nanobind)/d' >&2)
PYTHONS ?= 3.11 3.12 3.13

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: run
run: $(VENV)/.run ## Set up, then run the demo: a busy sample service with fanlight inside it
	@$(BIN)/fanlight demo

.PHONY: test
test: $(VENV)/.dev ## Set up, then run the whole test suite
	@$(BIN)/python -m pytest -q $(QUIETLY)

.PHONY: check
check: $(VENV)/.dev ## Format, lint, types (mypy and pyright), then all tests, those of the docs included
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright
	@$(BIN)/python -m pytest -q $(QUIETLY)

.PHONY: docs
docs: $(VENV)/.dev ## Check the documentation: headings, links, samples
	@$(BIN)/python -m pytest -q tests/docs $(QUIETLY)

.PHONY: format
format: $(VENV)/.dev ## Format the code and repair what ruff can repair
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: setup
setup: $(VENV)/.dev ## Make the environment with everything for working on fanlight

.PHONY: test-all
test-all: ## Run the tests on every Python of PYTHONS (3.11 3.12 3.13) that this machine has
	@set -e; ran=; for v in $(PYTHONS); do \
		for p in python$$v $$HOME/.pyenv/versions/$$v.*/bin/python; do \
			$$p -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$$v')" 2>/dev/null || continue; \
			echo "== Python $$v ($$p)"; \
			$(MAKE) --no-print-directory VENV=.venv-$$v PYTHON=$$p test; ran="$$ran $$v"; break; \
		done; \
	done; echo "tested on:$$ran"

.PHONY: bench
bench: $(VENV)/.bench ## Measure against other servers, side by side (a table, written to a file)
	@$(BIN)/python -m bench

.PHONY: provider
provider: $(VENV)/.provider ## Install an OpenID provider (npm) for the tests with real parts, and run those
	@$(BIN)/python -m pytest -q tests/real $(QUIETLY)

.PHONY: mutants
mutants: $(VENV)/.mutants ## Break authentication in each place, and list what no test notices (MODULES="jwt oidc"; an hour)
	@$(BIN)/python -m fuzz.mutants $(MODULES)

.PHONY: console
console: ## Build the browser's scripts and styles (needs npm), then check and test them
	cd console && npm ci && npm run build && npm run check && npm test

.PHONY: build
build: $(VENV)/.dev ## Build the wheel and the source distribution into dist/
	@$(BIN)/python -m build --no-isolation

.PHONY: clean
clean: ## Remove environments, caches and what was built
	rm -rf .venv .venv-3.* console/node_modules dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find $(CODE) tests examples bench fuzz -name __pycache__ -prune -exec rm -rf {} +

# The environment, in steps: empty, for running, for developing, for measuring.
# Debian keeps the part of venv that brings pip in a package of its own: say so instead of failing with a traceback.
$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "fanlight needs Python 3.11 or newer.  On Debian 12: apt-get install python3 python3-venv" >&2; exit 1; fi
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments.  On Debian 12: apt-get install python3-venv" >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'

$(VENV)/.run: pyproject.toml | $(BIN)/python
	@echo "installing fanlight with all extras into $(VENV)"
	@$(PIP) install -e '.[all]'
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "installing tools for tests, types and documentation into $(VENV)"
	@$(PIP) install --group dev
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	@echo "installing the servers that the benchmarks compare with into $(VENV)"
	@$(PIP) install --group bench
	@touch $@

$(VENV)/.mutants: $(VENV)/.dev
	@echo "installing the maker of mutants into $(VENV)"
	@$(PIP) install --group mutants
	@touch $@

$(VENV)/.provider: $(VENV)/.dev
	@echo "installing an OpenID provider into $(VENV)/provider"
	@npm install --silent --no-fund --no-audit --prefix $(VENV)/provider oidc-provider@9
	@touch $@
