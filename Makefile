# Everything runs in .venv, which is made from the lock file when it is missing or out of date.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: help setup prism flink demo test test-all test-flink test-airflow test-image lint format fuzz record-counts bench bench-live bench-flink clean lock views specs template launch-stream \
  launch-backfill schedule-backfill

# make itself runs what stands as $(shell …) in a value on its command line
$(foreach v,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $v))),$(if \
  $(findstring $$,$(value $v)),$(error $v: a value may have no $$ in it; give it in the environment))))

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

flink: setup  ## Get a Flink cluster for tests, once (needs Java and Maven; minutes)
	@$(BIN)/python tests/flink_setup.py

test-flink: setup flink  ## Run the fault tests on a Flink cluster of two workers (minutes)
	$(BIN)/python tests/flink_cluster.py $(BIN)/pytest -n 0 -o python_files='check_*.py' tests/flink

test-airflow: setup  ## Run nights of the example DAG in Airflow (minutes, and 1.6 GB of disk)
	$(BIN)/python tests/airflow/airflow_environment.py
	$(BIN)/pytest -n 0 -o python_files='check_*.py' tests/airflow

test-image: setup  ## Do the steps of the image's Dockerfile and run what they make (minutes, as root)
	$(BIN)/pytest -n 0 -o python_files='check_*.py' tests/templates

test-all: test test-flink test-airflow test-image fuzz  ## Run all tests there are

lint: setup  ## Check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/hadolint templates/Dockerfile

format: setup  ## Format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

fuzz: setup  ## Read a million spoilt records fast and exactly, and compare (minutes)
	$(BIN)/python tests/fuzz_records.py

record-counts: setup  ## Record anew what each step takes, and say what has changed
	$(BIN)/python tests/record_counts.py

bench: setup prism  ## Measure speed and memory against peers and bars (an hour, and 12 GB of disk)
	$(BIN)/python benchmarks/bench.py

bench-live: setup prism  ## Measure a stream: latency, backlog, ten steady minutes
	$(BIN)/python benchmarks/live.py latency
	$(BIN)/python benchmarks/live.py backlog
	$(BIN)/python benchmarks/live.py steady

bench-flink: setup flink  ## Measure a Flink cluster: slots, and checkpoints of 10,000,000 keys (minutes)
	$(BIN)/python tests/flink_cluster.py $(BIN)/python benchmarks/flink_scale.py batch
	$(BIN)/python tests/flink_cluster.py $(BIN)/python benchmarks/flink_scale.py state
	$(BIN)/python tests/flink_cluster.py $(BIN)/python benchmarks/flink_scale.py state --backend rocksdb

lock: setup  ## Resolve the dependencies anew into requirements.lock
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe --no-header \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  --extra dev --output-file requirements.lock pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python templates/make_locks.py

views: setup  ## Translate the views for DuckDB anew
	$(BIN)/python -c "from pipelines.views import duckdb_sql; duckdb_sql.write()"

specs: setup  ## Make the templates' specifications and locks anew
	$(BIN)/python templates/make_specs.py
	$(BIN)/python templates/make_locks.py

template: setup  ## Build the Dataflow templates: IMAGE=… BUCKET=…, see docs/templates.md
	@$(BIN)/python templates/launch.py template

launch-stream: setup  ## Launch a stream: BUCKET=… CATALOG=… INPUT=… OUTPUT=… RUN_ID=… [RATES=…]
	@$(BIN)/python templates/launch.py stream

launch-backfill: setup  ## Launch a backfill: BUCKET=… CATALOG=… OUTPUT=… [FROM=… TO=… RATES=…]
	@$(BIN)/python templates/launch.py backfill

schedule-backfill: setup  ## Say what has Cloud Scheduler launch a backfill every night
	@$(BIN)/python templates/schedule_backfill.py

clean:  ## Remove .venv, caches and outputs
	rm -rf .venv out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
