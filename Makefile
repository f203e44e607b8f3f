# Shuxin: everything a developer or operator does by hand. `make help` lists it.
# Needs make, git and Python 3.11; the rest is installed by `make setup` (once, see .make/).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# The interpreter the virtual environment is made from; override with `make setup PYTHON=...`.
PYTHON ?= $(shell command -v /usr/bin/python3.11 || command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# python3.11-venv   virtual environments          python3.11-dev, gcc, libc6-dev    build crypto/native
#                                                 and with libgmp-dev fastecdsa (libp2p)
# libssl3           SM2, SM3, SM4 (libcrypto)     libgmp10    run fastecdsa
# libseccomp2       jail of the contract worker   openssl     second opinion in tests; readable keys
APT_PACKAGES := python3.11 python3.11-venv python3.11-dev gcc libc6-dev libgmp-dev libgmp10 \
	libssl3 libseccomp2 openssl ca-certificates

# Processes that share the tests (tests/conftest.py); 0: all in one. One more than two cores: the
# one that runs networks of processes waits for a quarter of its time.
WORKERS ?= 3
RUNS ?= 200
# Bits that make flips flips.
FLIPS ?= 100
# Scenarios from this seed on are values, which can be shrunk; earlier seeds keep their meaning.
SEED ?= 3000
MINUTES ?= 5
# Options of make bench-ledger: --full adds 10^7 keys, --keys 10000,100000, --rounds 31, --clock cpu,
# --keep --folder DIR; of make bench-business: --rounds 5, --transactions 3000, --output FILE
BENCH ?=
# Options of make mutants-business: --contract grant, --tests unit, --sample 300 --seed 1
MUTANTS ?=
# Of make fuzz-api.
REQUESTS ?= 10000
# Number of the first round of make fuzz-vm, or request of make fuzz-api; other numbers are others.
FIRST ?= 0
# Of make crash: SIGKILLs of ledger writers, and of nodes of a network.
KILLS ?= 200
NODE_KILLS ?= 30

# The compiled part; `make setup` builds it into the sources.
NATIVE := crypto/native/build.py $(wildcard crypto/native/*.[ch])
PACKAGES := $(wildcard bench cli client consensus contracts crypto executors ledger node p2p scenarios)

.PHONY: help setup demo test e2e coverage fuzz-vm fuzz-api mutants-vm mutants-business versions lint format bench bench-vm bench-gas bench-ledger bench-net bench-access bench-business bench-replay sim twins proto proto-check reference lock sanitize bench-history crash flips clean

help: ## Lists the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .make/installed ## Installs system packages and .venv; runs once

demo: .make/installed ## A network of four nodes and three executors runs a scenario and is audited
	$(BIN)/shuxin scenario run insurance --demo --answers run

test: .make/installed ## Every test but the long ones of make e2e and make crash
	$(BIN)/python -m pytest -n $(WORKERS)

e2e: .make/installed ## The long tests: networks under faults at full length, upgrades, recoveries; an hour (tests/e2e/README.md)
	$(BIN)/python -m pytest -m long --ignore=tests/crash

# The tests that drive the consensus core and the contract machine; fails below 100 (pyproject.toml
# says of what). Of the machine none that draws programs: what is reached must not be luck. And not
# the corpus of the sandbox, which repeats them under other seeds and versions.
CORE_TESTS := tests/unit/test_pbft_*.py tests/property/test_pbft_*.py tests/sim/test_scenes.py \
	tests/sim/test_bugs_of_others.py tests/sim/test_clock.py
VM_TESTS := tests/unit/test_vm_*.py tests/unit/test_engine_*.py \
	$(filter-out tests/sandbox/test_corpus.py,$(wildcard tests/sandbox/test_*.py))

flips: .make/installed ## 100 bits flipped in a real node's store: each is found, and mended from peers; half an hour
	$(BIN)/python -m tests.e2e.flips $(FLIPS) 1

coverage: .make/installed ## Which branches of consensus/ and contracts/vm/ no test takes: none
	$(BIN)/coverage run -m pytest -q $(CORE_TESTS) $(VM_TESTS)
	$(BIN)/coverage report

mutants-vm: .make/installed ## Which small changes of check, compile and verify no test sees; fails while there are any
	$(BIN)/python -m tests.mutation

mutants-business: .make/installed ## Which small changes of the system contracts no test sees: make mutants-business MUTANTS="--contract grant"
	$(BIN)/python -m tests.mutation.business $(MUTANTS)

# Other versions of CPython run the corpus of tests/sandbox beside 3.11, with these packages alone.
VERSION_NEEDS := msgspec cffi pycparser pytest iniconfig pluggy packaging pygments psutil
versions: .make/installed ## Equal results of the contract machine on the CPython versions at hand
	@for version in 3.12 3.13; do \
		python="$$(ls -d $$HOME/.pyenv/versions/$$version*/bin/python 2>/dev/null | tail -1)"; \
		python="$${python:-$$(command -v python$$version || true)}"; \
		if [ -z "$$python" ]; then echo "No CPython $$version here: left out"; continue; fi; \
		folder=".make/py$${version/./}"; \
		echo "CPython $$version: $$python"; \
		[ -x "$$folder/bin/python" ] || "$$python" -m venv "$$folder"; \
		"$$folder/bin/python" -m pip --disable-pip-version-check install --quiet \
			$$(grep -E "^($$(echo $(VERSION_NEEDS) | tr ' ' '|'))==" requirements/dev.txt | cut -d' ' -f1); \
	done
	$(BIN)/python -m pytest -q tests/sandbox/test_corpus.py

# Memory comes from the C library, so that the sanitizer knows where each buffer ends.
SANITIZED := -fsanitize=address,undefined -fno-sanitize-recover=all -g
sanitize: .make/installed ## The tests of the compiled hashes with every access to memory checked
	rm -rf .make/sanitized
	CFLAGS="$(SANITIZED)" $(BIN)/python setup.py -q build_ext --build-temp .make/sanitized/o \
		--build-lib .make/sanitized/lib
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
		ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc SHUXIN_LANES=.make/sanitized/lib \
		$(BIN)/python -m pytest -q --noconftest -p tests.sanitized_lanes \
		tests/unit/test_crypto_native.py tests/property/test_ledger_hashes.py

lint: .make/installed proto-check ## Format, rules, types, import layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(PACKAGES) tests
	$(BIN)/lint-imports --no-cache --no-logo

format: .make/installed ## Rewrites the sources in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .make/installed ## Measures committed rate and finality beside their bounds
	$(BIN)/python -m bench

bench-vm: .make/installed ## Contract calls in process and jailed beside plain Python; fails beyond its bounds
	$(BIN)/python -m bench.vm

bench-gas: .make/installed ## Nanoseconds and bytes per unit of gas of every priced operation; fails beyond its bounds
	$(BIN)/python -m bench.gas

bench-ledger: .make/installed ## Commits and proofs by size of state beside raw LevelDB; fails beyond its bounds: make bench-ledger BENCH="--full"
	$(BIN)/python -m bench.ledger $(BENCH)

bench-net: .make/installed ## Votes and blocks between two nodes beside Noise and plain TCP; fails beyond its bound
	$(BIN)/python -m bench.net

bench-access: .make/installed ## What one client waits beside a greedy one, with quotas and without; fails beyond its bounds
	$(BIN)/python -m bench.access

bench-replay: .make/installed ## Replays 100,000 signed transactions beside verifying alone; minutes
	$(BIN)/python -m bench.replay

bench-business: .make/installed ## Grants, evidence and tasks on four nodes beside plain transfers; minutes
	$(BIN)/python -m bench.business $(BENCH)

bench-history: .make/installed ## What the history costs commits, how fast it follows and answers
	$(BIN)/python -m bench.history $(BENCH)

sim: .make/installed ## Simulates consensus under faults: make sim RUNS=1000 SEED=7000
	$(BIN)/python -m tests.sim --runs $(RUNS) --seed $(SEED)
	$(BIN)/python -m tests.sim --moving --runs $$(( ($(RUNS) + 4) / 5 )) --seed $(SEED)

twins: .make/installed ## Simulates a replica that exists twice: every schedule of two views
	$(BIN)/python -m tests.sim.twins

crash: .make/installed ## Crashes at every fault point, planted defects and random kills: make crash KILLS=1000
	$(BIN)/python -m tests.crash --kills $(KILLS) --node-kills $(NODE_KILLS)
	$(BIN)/python -m pytest -q -m long tests/crash

fuzz-vm: .make/installed ## Drawn programs in the contract machine and in plain Python: make fuzz-vm MINUTES=30
	$(BIN)/python -m tests.fuzz_vm --minutes $(MINUTES) --seed $(FIRST)

fuzz-api: .make/installed ## Drawn requests of every method at a real node: make fuzz-api REQUESTS=100000
	$(BIN)/python -m tests.fuzz_api --requests $(REQUESTS) --seed $(FIRST)

PROTOC = $(BIN)/python -m grpc_tools.protoc -I proto --python_out=$(1) --grpc_python_out=$(1) \
	--mypy_out=quiet:$(1) --mypy_grpc_out=quiet:$(1) proto/shuxin/v1/*.proto

proto: .make/installed ## Generates proto/gen from proto/shuxin/v1/*.proto
	PATH="$(CURDIR)/$(BIN):$$PATH" $(call PROTOC,proto/gen)

# The generated code is checked in; this proves that it is what the .proto files say.
proto-check: .make/installed
	@fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	PATH="$(CURDIR)/$(BIN):$$PATH" $(call PROTOC,$$fresh); \
	diff -ru --exclude=__init__.py --exclude=__pycache__ "$$fresh/shuxin" proto/gen/shuxin \
		|| { echo "proto/gen is not what proto/ generates: run 'make proto'" >&2; exit 1; }

reference: .make/installed ## Writes docs/commands.md, contract-rules.md and acts.md from the code
	$(BIN)/python -m cli.reference > docs/commands.md
	$(BIN)/python -m contracts.kit.rules_page > docs/contract-rules.md
	$(BIN)/python -m tests.standard.acts

# Keeps the versions that are pinned; delete a line (or the file) first to let one move.
LOCK := $(BIN)/pip-compile --quiet --strip-extras --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links
lock: .make/installed
	$(LOCK) --output-file requirements/core.txt pyproject.toml
	$(LOCK) --extra audit --output-file requirements/audit.txt pyproject.toml
	$(LOCK) --extra executors --output-file requirements/executors.txt pyproject.toml
	$(LOCK) --extra audit --extra executors --extra dev --output-file requirements/dev.txt pyproject.toml

clean: ## Removes caches, what the demo wrote and the environment
	rm -rf $(VENV) .make build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache .grimp_cache .coverage run crypto/native/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.make/system: Makefile
	@mkdir -p .make
	@if command -v dpkg-query >/dev/null; then \
		missing=""; \
		for package in $(APT_PACKAGES); do \
			dpkg-query -W -f='$${Status}' "$$package" 2>/dev/null | grep -q 'ok installed' \
				|| missing="$$missing $$package"; \
		done; \
		if [ -n "$$missing" ]; then \
			sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
			if [ -n "$$sudo" ] && ! command -v sudo >/dev/null; then \
				echo "As root, run: apt-get update && apt-get install$$missing" >&2; exit 1; \
			fi; \
			echo "Installing system packages:$$missing"; \
			$$sudo apt-get update -q; \
			$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; \
		fi; \
	else \
		echo "Not a Debian system: make sure that these are present: $(APT_PACKAGES)"; \
	fi
	@touch $@

.make/installed: .make/system pyproject.toml setup.py requirements/dev.txt $(NATIVE)
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo "Python 3.11 is needed (docs/adr/0008): make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	[ -x $(BIN)/python ] || "$(PYTHON)" -m venv $(VENV)
	$(PIP) install --quiet --requirement requirements/dev.txt
	$(PIP) install --quiet --no-deps --editable .
	@touch $@
