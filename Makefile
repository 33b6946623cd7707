# Two commands from a bare machine: `make up` and `make test`. `make` alone lists what there is.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
MANAGE := $(BIN)/python manage.py
# Say PYTHON=/path/to/python to choose another one.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { command -v "$$name"; break; }; done)
ARGS ?=
COUNT ?= 10000
ORDERS ?= 1000
SEED := $(or $(SEED),$(shell date +%s))

.PHONY: help setup up demo doctor test test-random test-books bench bench-small bench-pages screenshots lint format clean distclean

help: ## List these commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Make the virtual environment and install the packages
	@echo '$(VENV) is ready. Next: make up'

up: $(VENV)/.installed ## Start everything, feed the sample orders once, serve until Ctrl-C (ARGS="--port 9000")
	@$(MANAGE) up $(ARGS)

demo: $(VENV)/.installed ## 200 orders, a worker killed half-way, a closing table
	@$(MANAGE) demo $(ARGS)

doctor: $(VENV)/.installed ## What is reachable, what is missing, how to mend it
	@$(MANAGE) doctor $(ARGS)

test: $(VENV)/.installed-dev ## Run the tests, several at once (ARGS="-k name" chooses, in one process)
	@# Some hundred processes would compile everything again, each for itself.
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest $(or $(ARGS),-n auto)

test-random: $(VENV)/.installed-dev ## Run 10,000 random definitions (COUNT=) by a seed that is printed (SEED=)
	@echo "SEED=$(SEED)"
	@RANDOM_DEFINITIONS=$(COUNT) $(BIN)/python -m pytest \
		$(addprefix tests/unit/engine/transitions/test_random_,workflows.py machines.py undo.py pauses.py retries.py leaving.py rewinds.py) \
		--hypothesis-seed=$(SEED) $(ARGS)

test-books: $(VENV)/.installed-dev ## 1,000 orders (ORDERS=) on Redis and RabbitMQ, a worker killed every 5 s, the books checked
	@SHOP_ORDERS=$(ORDERS) $(BIN)/python -m pytest tests/faults/test_books.py $(ARGS)

bench: $(VENV)/.installed-dev ## Measure against plain Celery on Redis and RabbitMQ (ARGS="--only W1,W4")
	@$(BIN)/python -m tests.benchmarks --flatness --json var/bench/bench.json --plot var/bench/bench.svg $(ARGS)

bench-small: $(VENV)/.installed-dev ## The same in a minute or two, on one broker; fails only on a gross regression
	@$(BIN)/python -m tests.benchmarks --small --json var/bench/small.json --plot var/bench/small.svg $(ARGS)

bench-pages: $(VENV)/.installed-dev ## How long lists and the dashboard take with 100,000 instances (ARGS="--fill 10000")
	@$(BIN)/python -m tests.benchmarks.pages --json var/bench/pages.json $(ARGS)

screenshots: $(VENV)/.installed-dev ## Photograph every page, at two widths, light and dark, into var/screenshots (needs Chromium)
	@$(BIN)/python -m tests.screenshots $(ARGS)

lint: $(VENV)/.installed-dev ## Check style, types and imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy manage.py orchestrator tasks workflows_app
	@$(BIN)/lint-imports

format: $(VENV)/.installed-dev ## Rewrite the code in the common style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## Remove caches; data and packages stay
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -not -path './var/*' -prune -exec rm -rf {} +
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache staticfiles

distclean: clean ## Remove the packages too; data stays in var/
	@rm -rf $(VENV)

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo 'No Python from 3.11 to 3.13 was found. Install one, or name it: make up PYTHON=/path/to/python3'; exit 1; fi
	@echo "Making the virtual environment in $(VENV) with $(PYTHON)"
	@if "$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null; then "$(PYTHON)" -m venv --clear $(VENV); \
	elif "$(PYTHON)" -m virtualenv --version >/dev/null 2>&1; then "$(PYTHON)" -m virtualenv --quiet $(VENV); \
	else echo "$(PYTHON) cannot make virtual environments: its venv or ensurepip module is missing."; \
		echo 'On Debian and Ubuntu: apt-get install python3-venv. Elsewhere: install virtualenv, or name another Python'; \
		echo 'with make PYTHON=/path/to/python3.'; exit 1; fi

$(VENV)/.installed: requirements.txt | $(BIN)/python
	@echo 'Installing the packages (a minute or so the first time)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo 'Installing the tools for tests and checks'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
