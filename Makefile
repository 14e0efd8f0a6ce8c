# make demo   shows the whole thing on this machine (needs Python 3.11 or newer, nothing else)
# make test   everything CI runs: set-up, lint, types, import contracts, tests
# make help   the other targets

PYTHON ?= python3
PYTEST_ARGS ?=
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := .venv-clients
STAMPS := $(VENV)/.stamps
SOURCES := $(wildcard indexer archiver object_lambda bindery)
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --custom-compile-command "make lock" \
	--python-version 3.11
LOCK := $(COMPILE) --extra gateway --group build

.PHONY: help clients setup setup-runtime setup-bench setup-fuzz setup-clients system-packages demo layers test lint format types contracts unit bench fuzz build lock clean
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMPS)/venv:
	@PYTHON="$(PYTHON)" scripts/venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

# The lock is installed before the project: pip refuses an unhashed line beside hashed ones.
$(STAMPS)/runtime: $(STAMPS)/venv requirements.lock pyproject.toml
	@echo "== set-up: runtime packages"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(STAMPS)/test: $(STAMPS)/runtime requirements-test.lock
	@echo "== set-up: test packages"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-test.lock
	@touch $@

$(STAMPS)/bench: $(STAMPS)/test requirements-bench.lock
	@echo "== set-up: bench packages"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@touch $@

$(STAMPS)/fuzz: $(STAMPS)/test requirements-fuzz.lock
	@echo "== set-up: fuzz packages"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-fuzz.lock
	@touch $@

$(CLIENTS)/.stamp: requirements-clients.lock tests/clients/javascript/package-lock.json
	@PYTHON="$(PYTHON)" scripts/venv $(CLIENTS)
	@echo "== set-up: clients that read what is served"
	@$(CLIENTS)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-clients.lock
	@mkdir -p $(CLIENTS)/javascript && cp tests/clients/javascript/*.json $(CLIENTS)/javascript/
	@PATH="$(CURDIR)/$(CLIENTS)/bin:$$PATH" npm --prefix $(CLIENTS)/javascript ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

setup-runtime: $(STAMPS)/runtime  ## .venv with what runs, nothing else
setup: $(STAMPS)/test  ## .venv with everything developers and tests need
setup-bench: $(STAMPS)/bench  ## the same and the rivals of make bench
setup-fuzz: $(STAMPS)/fuzz  ## the same as setup and the fuzzer

setup-clients: $(CLIENTS)/.stamp  ## .venv-clients with the clients of tests/clients

system-packages:  ## the programs the tests run (by apt when root)
	@scripts/system-packages test

layers: setup-runtime  ## what the Lambda functions of template.yaml run on, in build/
	@layer/build $(ARCHITECTURE)

demo: setup-runtime  ## pack, serve and read a small bucket on this machine
	@$(BIN)/bindery demo

test:  ## everything CI runs
	@MAKE="$(MAKE)" scripts/test

lint: setup  ## ruff: rules and layout
	@echo "== lint"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: setup  ## ruff: rewrite to the layout, fix what can be fixed safely
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

types: setup  ## mypy --strict on source and tests
	@echo "== types"
	@$(BIN)/mypy $(SOURCES) tests

contracts: setup  ## who may import whom
	@echo "== import contracts"
	@$(BIN)/lint-imports --no-cache

unit: setup setup-clients  ## pytest alone; PYTEST_ARGS='-k name' narrows it
	@echo "== tests"
	@$(BIN)/pytest -n 2 --dist worksteal $(PYTEST_ARGS)

clients: setup setup-clients  ## the table of clients anew: docs/clients.md
	@$(BIN)/pytest -n 2 tests/clients/test_clients.py --clients-page docs/clients.md

bench: setup-bench  ## speed, memory, size and cost beside the rivals
	@scripts/system-packages bench
	@$(BIN)/python -m tests.bench

fuzz: setup-fuzz  ## every reader of foreign bytes against a fuzzer, FUZZ_SECONDS=60 each; FUZZ_TARGETS='scan_zip' narrows it
	@$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(FUZZ_TARGETS)

build: setup  ## the wheel and the source archive, into dist/
	@$(BIN)/python -m build --no-isolation --outdir dist .

lock: setup  ## rewrite the lock files from pyproject.toml
	@$(LOCK) pyproject.toml -o requirements.lock
	@$(LOCK) --group test -c requirements.lock pyproject.toml -o requirements-test.lock
	@$(LOCK) --group test --group bench -c requirements-test.lock pyproject.toml -o requirements-bench.lock
	@$(COMPILE) --group pyproject.toml:clients -o requirements-clients.lock
	@$(LOCK) --group test --group fuzz -c requirements-test.lock pyproject.toml -o requirements-fuzz.lock

clean:  ## everything that make made
	@rm -rf $(VENV) $(CLIENTS) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .fuzz
