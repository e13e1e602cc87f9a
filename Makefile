# Every target is one line of help and one command. `make` alone prints them.
.DEFAULT_GOAL := help
.PHONY: help setup up down status compose-up compose-down compose-test test test-all test-faults fuzz check load locust experiment experiments bench lock clean
SOUK := .venv/bin/souk
PYTHON_IN_VENV := .venv/bin/python

help:  ## print this help
	@sed -n 's/^\([a-z-]*\):.*##/\1 #/p' Makefile | while IFS='#' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

setup:  ## prepare this machine: .venv, pinned packages, nginx (every other target does this first)
	@PYTHON="$(PYTHON)" sh deploy/setup.sh

up: setup  ## start everything; returns when the shop serves
	@$(SOUK) up --detach

down: setup  ## stop everything; nothing is left running
	@$(SOUK) down

status: setup  ## every process, its address, health and memory
	@$(SOUK) status

compose-up:  ## the same in containers, with PostgreSQL: build, start, and back when all are healthy; needs Docker alone
	@$(or $(PYTHON),python3) -m deploy.compose up

compose-down:  ## stop and remove the containers; the data stays (docker compose down --volumes wipes it)
	@$(or $(PYTHON),python3) -m deploy.compose down

compose-test: setup  ## the tests that need a Docker Engine: a system of containers of its own, at most 8 minutes
	@$(PYTHON_IN_VENV) -m pytest -q tests/compose -m compose

test: setup  ## all tests: three workers, of which one has the whole systems, one after the other
	@$(PYTHON_IN_VENV) -m pytest -q -n 3 --dist loadgroup

test-all: setup  ## the same in every combination of databases, brokers and registries, with all kill points; an hour
	@$(PYTHON_IN_VENV) -m pytest -q -n 2 --dist loadgroup --all-combinations -m "not slow and not compose"

test-faults: setup  ## everything is killed, stopped, slowed and filled up under load; half an hour, alone on the machine
	@$(PYTHON_IN_VENV) -m pytest -q tests/faults -m "faults and not thorough" --latency

fuzz: setup  ## what schemathesis finds in every service's API when it looks longer; FUZZ_SEED=2 looks elsewhere
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-200} $(PYTHON_IN_VENV) -m pytest -q -n 2 services/tests/test_schemathesis.py

check: setup  ## style, types, import rules, insecure code, vulnerable packages, Kubernetes manifests, sizes, links in the docs
	@$(PYTHON_IN_VENV) -m deploy.checks

load: setup  ## shoppers for 60 s against the running shop; other options by ARGS="--seconds 10 --users 5"
	@$(PYTHON_IN_VENV) -m loadtests $(ARGS)

locust: setup  ## Locust's web page on the same shoppers; over processes by WORKERS=4, Locust's own options by ARGS="..."
	@.venv/bin/locust -f loadtests/locustfile.py --host http://127.0.0.1:$${GATEWAY_PORT:-8080} $(if $(WORKERS),--processes $(WORKERS)) $(ARGS)

experiment: setup  ## one experiment on a system of its own: NAME=baseline; other options by ARGS="--quick --seed 2"
	@$(SOUK) experiment run $(or $(NAME),$(error give NAME=..., one that "souk experiment list" names)) $(ARGS)

experiments: setup  ## all experiments, quickly, and a table of what came of them; under 20 minutes
	@$(SOUK) experiment run --all --quick $(ARGS)

bench: setup  ## what costs how much: start, memory, latency, spread; each beside what is promised
	@$(PYTHON_IN_VENV) -m bench

lock: setup  ## write requirements.txt anew from pyproject.toml
	@sh deploy/lock.sh

clean:  ## stop everything, and remove .venv and caches; the data in SOUK_HOME stays (souk reset wipes it)
	@if [ -x $(SOUK) ]; then $(SOUK) down; fi; rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
