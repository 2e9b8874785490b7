# One command per wish; see README.md.
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.PHONY: setup run test test-fast chaos soak lint fix types bench docs check lock clean

setup: $(STAMP)

$(STAMP): pyproject.toml requirements.lock ops/setup.sh
	@bash ops/setup.sh $(VENV)
	@touch $@

run: setup
	$(VENV)/bin/hutong demo

test: setup
	@bash ops/test-services.sh $(PY) -m pytest -n 2 --dist loadfile

test-fast: setup
	$(PY) -m pytest -m "not slow and not services"

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports

fix: setup
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

types: setup
	$(VENV)/bin/mypy

chaos: setup
	@bash ops/test-services.sh $(PY) -m tests.faults.chaos
	@bash ops/test-services.sh $(PY) -m tests.faults.chaos --cluster --rounds 200
	$(PY) -m tests.faults.log_chaos build/log-chaos --seconds 3600

soak: setup
	HYPOTHESIS_PROFILE=explore $(PY) -m pytest -m hypothesis
	$(PY) -m tests.faults.soak

bench: setup
	$(VENV)/bin/hutong bench

docs: setup
	$(PY) -m pytest tests/docs

check: lint types docs test

lock:
	$(PY) -m pip install -q uv
	$(VENV)/bin/uv pip compile --universal --python-version 3.11 --extra dev --generate-hashes --no-emit-index-url --no-header -q -o requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) build dist *.egg-info
