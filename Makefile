# `make help` lists the targets. Everything a target needs is set up by the target itself.

.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3.11
BIN := .venv/bin
# What was installed is remembered by the content it was installed from.
READY := .venv/.ready

# Every warning of dbt is an error, but for the two paths that keep `dbt build` from littering the root.
DBT_WARNINGS := '{"error": "all", "warn": ["ConfigLogPathDeprecation", "ConfigTargetPathDeprecation", "DeprecationsSummary"]}'

.PHONY: help setup run test soak sustained bench lint types models check docs format lock sample load clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## The virtual environment with the pinned packages and the `engagement` command

$(READY): requirements.lock pyproject.toml
	@test -x $(BIN)/python || { echo "Creating the virtual environment …"; $(PYTHON) -m venv .venv; }
	@echo "Installing the pinned packages (under a minute; two with a slow network) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -E '^uv==' requirements.lock)"
	@$(BIN)/uv pip install --quiet --quiet --compile-bytecode --python $(BIN)/python --requirement requirements.lock
	@$(BIN)/uv pip install --quiet --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .
	@touch $(READY)

run: setup ## Sample data on first start, then orchestrator and dashboard; Ctrl-C stops both
	@exec $(BIN)/engagement up --sample-if-empty

test: setup check ## Everything that must hold: lint, types, dbt, definitions, all tests
	@echo "Tests …"
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests

soak: setup ## 200 kills, a bomb of 1 GB, 100,000 tiny files, 300 random streams; prints their totals (an hour)
	@KILLS=200 INCREMENTAL_CASES=300 $(BIN)/python -m pytest \
		tests/test_crashes.py tests/test_hostile_folders.py tests/test_incremental.py

sustained: setup ## Half an hour of 70,000 events a minute with three readers: waiting, memory, disk, accounting
	@$(BIN)/python -m tests.benchmarks.sustained

bench: setup ## Every cost with its budget in one table: make bench SIZES=0.5M,5M PARTS=batch,pages OPTIONS="--files 5"
	@$(BIN)/python -W ignore -m tests.benchmarks.bench \
		$(if $(SIZES),--sizes $(SIZES)) $(if $(PARTS),--parts $(PARTS)) $(OPTIONS)

check: lint types models ## The checks without the tests

lint: setup ## ruff and sqlfluff
	@echo "Lint …"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/sqlfluff lint --processes 2 models dbt_project 2>/dev/null

types: setup ## mypy
	@echo "Types …"
	@$(BIN)/mypy

models: setup ## Parses the dbt project and validates the Dagster definitions
	@echo "dbt project and Dagster definitions …"
	@$(BIN)/dbt --quiet --warn-error-options $(DBT_WARNINGS) parse --no-partial-parse
	@$(BIN)/python -W ignore -m dagster definitions validate --module-name orchestration.definitions --log-level error

docs: setup ## docs/metrics.md, and the models with columns and lineage in docs/site/index.html
	@$(BIN)/python -m app.metric_pages
	@$(BIN)/python -m orchestration.model_docs

format: setup ## Formats Python and SQL in place
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/sqlfluff fix --processes 2 models dbt_project

lock: setup ## Resolves requirements.lock anew from pyproject.toml, without addresses
	@$(BIN)/uv pip compile pyproject.toml --extra dev --upgrade --no-emit-index-url --no-annotate \
		--python-version 3.11 --quiet --output-file requirements.lock --custom-compile-command "make lock"

sample: setup ## Writes a sample stream to the landing folder
	@$(BIN)/engagement sample

load: setup ## One micro-batch now
	@$(BIN)/engagement load

clean: ## Removes the virtual environment and caches; data/ stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache dbt_project/target docs/site ./*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
