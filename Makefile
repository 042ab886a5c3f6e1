# How many tests run at once: one more than the cores, as many of them wait for a server or a browser.
WORKERS ?= 3
# Tests that share a server, a browser or a cluster stay in one process, and long ones begin first: tests/conftest.py.
# Modules are compiled once, also where PYTHONDONTWRITEBYTECODE is set: the tests start some hundred processes.
PYTEST = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

# `make run` and `make test` are all a newcomer needs; both make the environment first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8501
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help run test test-quick test-exhaustive lint docs screenshots bench bench-quick dist clean

help: ## list what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

run: $(VENV)/run.stamp ## make the environment and start the app; PORT=8502 sets its port, HOST=0.0.0.0 opens it to the network
	@$(BIN)/python -m se_viz app --host $(HOST) --port $(PORT)

test: $(VENV)/dev.stamp ## make the environment and run every test
	@$(PYTEST) $(ARGS)

test-quick: WORKERS = 2 # one a core, as none of them waits for long
test-quick: $(VENV)/dev.stamp ## run the tests that are not marked slow
	@$(PYTEST) -q -m "not slow" $(ARGS)

test-exhaustive: $(VENV)/dev.stamp ## run every test with every case, before a release
	@$(PYTEST) --exhaustive $(ARGS)

lint: $(VENV)/dev.stamp ## format, lint, types, layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: $(VENV)/dev.stamp ## build the documentation into site/, with warnings as errors
	@PATH="$(abspath $(BIN)):$$PATH" NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The documentation is in site/index.html"

screenshots: $(VENV)/dev.stamp ## take the screenshots of the documentation again
	@$(BIN)/python docs/scripts/screenshots.py

bench: $(VENV)/dev.stamp ## measure against peers; the machine should be idle
	@for script in capture precision pages startup decode profiles interventions soak; do $(BIN)/python benchmarks/$$script.py || exit 1; done

bench-quick: $(VENV)/dev.stamp ## check that every benchmark runs, two at a time
	@printf '%s\n' soak capture precision pages startup decode profiles interventions | PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 xargs -P 2 -I NAME $(BIN)/python benchmarks/NAME.py --quick

dist: $(VENV)/dev.stamp ## build the wheel and the sdist into dist/
	@rm -rf dist build
	@$(BIN)/python -m build --no-isolation --quiet

clean: ## remove the environment and caches
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=…"; exit 1; }
	@echo "Making the environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing (torch is large; this takes a few minutes once) …"
	@$(PIP) -r requirements.txt
	@$(PIP) --no-deps --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt requirements-ray.txt $(VENV)/run.stamp
	@$(PIP) -r requirements-dev.txt
	@touch $@
