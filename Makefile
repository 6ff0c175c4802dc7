# Each target does all of its own set-up; it needs python3 (3.11 or newer), make and a package registry.
#
#   make up                     start the loop on the sample set; ARGS="--images DIR" and the like are passed on
#   make test                   style, types, import contracts, tests (two at a time; ARGS="-n 0 FILE" for a look at one)
#   make bench                  speed, each figure beside its anchor; BENCH=messaging runs one of them
#   make clean                  remove the virtual environment and caches; homes are left alone

PYTHON ?= python3
ARGS ?=
BENCH ?= $(basename $(notdir $(wildcard tests/benchmarks/*.py)))

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.installed
TOOLS := $(VENV)/.installed-test
ANCHORS := $(VENV)/.installed-bench
TORCH := $(VENV)/.installed-torch
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: up test bench clean
.DELETE_ON_ERROR:

up: $(RUNTIME)
	@$(BIN)/supervisor up $(ARGS)

test: $(TOOLS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

bench: $(TOOLS) $(if $(filter retrieving,$(BENCH)),$(ANCHORS)) $(if $(filter-out training,$(BENCH)),,$(TORCH))
	@missed=0; for name in $(BENCH); do \
	  echo "== $$name"; OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.$$name $(ARGS) || missed=1; \
	done; exit $$missed

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find actors bus schemas supervisor tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): pyproject.toml | $(BIN)/python
	@echo "installing oneiros into $(VENV)"
	@$(PIP) install --editable .
	@touch $@

$(TOOLS): pyproject.toml | $(BIN)/python
	@echo "installing oneiros and its test tools into $(VENV)"
	@$(PIP) install --editable '.[test]'
	@touch $(RUNTIME) $@

# What a benchmark compares with; without it the benchmark says what it leaves out.
$(ANCHORS): pyproject.toml | $(TOOLS)
	@echo "installing what retrieval is compared with into $(VENV)"
	@$(PIP) install --editable '.[bench]' || for package in numba duckdb faiss-cpu hnswlib; do \
	  $(PIP) install $$package || echo "$$package cannot be installed here"; \
	done
	@touch $@

# 0.9 GB: only for who asks for this benchmark alone; without it the benchmark says what it leaves out.
$(TORCH): pyproject.toml | $(TOOLS)
	@echo "installing torch, which training is compared with, into $(VENV)"
	@$(PIP) install --editable '.[torch]' || echo "torch cannot be installed here"
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "oneiros needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { \
	  rm -rf $(VENV); \
	  echo "$(PYTHON) -m venv failed; on Debian and Ubuntu, install the package python3-venv." >&2; exit 1; }
