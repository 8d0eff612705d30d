# Everything that people and CI run. `make` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXAMPLE := examples/llamafactory-qwen2.5-7b
SHARED := ../shared

.PHONY: docs help demo test lint types coverage bench corpus score conformance conformance-sample mutation hook-test probe-env probe-test test-gpu format clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 24

$(VENV)/.installed: pyproject.toml $(wildcard rules/*.py rules/*/*.py rules/*/*.json cli/*.py probe/*.py probe/*/*.py service/*.py)
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check '.[dev]'
	@touch $@

demo: $(VENV)/.installed ## check the example run: what really happens to it
	@$(BIN)/fp8check $(EXAMPLE)/train.yaml $(EXAMPLE)/accelerate.yaml --facts $(EXAMPLE)/facts.json --fail-on never

test: $(VENV)/.installed ## run the tests against the installed package
	@$(BIN)/python -m pytest -q

lint: $(VENV)/.installed ## ruff: rules and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.installed ## mypy strict on the installed package
	@cd $(VENV) && bin/mypy --config-file ../pyproject.toml -p fp8check.rules -p fp8check.cli -p fp8check.probe -p fp8check.service

coverage: $(VENV)/.installed ## branch coverage of the rules
	@$(BIN)/coverage run -m pytest -q
	@$(BIN)/coverage report

bench: $(VENV)/.installed ## CPU time against yamllint on the same two files
	@$(BIN)/python tests/bench.py $(EXAMPLE)/train.yaml $(EXAMPLE)/accelerate.yaml

corpus: $(VENV)/.installed ## findings per rule over the real files of ../shared/corpus
	@$(BIN)/python -m tests.corpus $(SHARED)/corpus

score: $(VENV)/.installed ## predictions against the executed cases of ../shared/observed
	@$(BIN)/python -m tests.score $(SHARED)/observed/cases.jsonl

hook-test: $(VENV)/.installed ## run the real pre-commit on a real repository
	@$(BIN)/python -m pytest -q tests/test_hook.py

conformance: $(VENV)/.installed ## run the real packages over generated cases and compare (long)
	@$(BIN)/python -m tests.conformance.stacks --root .conformance
	@$(BIN)/python -m tests.conformance.record --out .conformance/recorded.jsonl --seed 1
	@$(BIN)/python -m tests.conformance.compare .conformance/recorded.jsonl --at-least 1

conformance-sample: $(VENV)/.installed ## the fixed sample of it that CI runs
	@mkdir -p .conformance
	@$(BIN)/python -m tests.conformance.record --sample --out .conformance/sample.jsonl
	@$(BIN)/python -m tests.conformance.compare .conformance/sample.jsonl --quiet --at-least 1

mutation: $(VENV)/.installed ## which version bounds no recorded case needs (after make conformance)
	@$(BIN)/python -m tests.mutation .conformance/recorded.jsonl

PROBE_ENV := .probe-env
GPU_PYTHON ?= python3

$(PROBE_ENV)/.installed:
	@test -d $(PROBE_ENV) || $(PYTHON) -m venv $(PROBE_ENV)
	@$(PROBE_ENV)/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 torchao==0.18.0 accelerate==1.15.0 'peft>=0.19'
	@touch $@

probe-env: $(PROBE_ENV)/.installed ## an environment with torch for the CPU, in which the probe is emulated

probe-test: $(VENV)/.installed $(PROBE_ENV)/.installed ## the probe on the CPU: the real path emulated, and injected faults
	@$(BIN)/python -m pytest -q tests/probe

test-gpu: ## the GPU suite, in the training environment: make test-gpu GPU_PYTHON=/path/to/train-env/bin/python
	@$(GPU_PYTHON) -m pytest -q -s -m gpu tests/gpu

docs: $(VENV)/.installed ## write the generated pages anew
	@$(BIN)/fp8check matrix --all > docs/compatibility.md

format: $(VENV)/.installed ## format the code
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

clean: ## remove what was built
	@rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage
