# Everything runs in .venv, which is made from the lock file when it is missing or out of date.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: help setup prism demo test lint format bench bench-live clean lock

help:  ## Say what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(BIN)/meterbeam  ## Make .venv with the locked dependencies and the command meterbeam

$(BIN)/meterbeam: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup  ## Meter and price an hour of real requests, and show the result
	$(BIN)/meterbeam demo

prism: setup  ## Build Prism, the local engine of streams, once (needs Go; minutes)
	@$(BIN)/python -m pipelines.build_prism

test: setup prism  ## Run all tests
	$(BIN)/pytest -n 2

lint: setup  ## Check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: setup  ## Format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: setup  ## Measure speed and memory against peers (minutes, and 1.2 GB of disk)
	$(BIN)/python benchmarks/bench.py

bench-live: setup prism  ## Measure a stream: latency, backlog, ten steady minutes
	$(BIN)/python benchmarks/live.py latency
	$(BIN)/python benchmarks/live.py backlog
	$(BIN)/python benchmarks/live.py steady

lock: setup  ## Resolve the dependencies anew into requirements.lock
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe --no-header \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  --extra dev --output-file requirements.lock pyproject.toml

clean:  ## Remove .venv, caches and outputs
	rm -rf .venv out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
