# Every target sets itself up: the first one makes the virtual environment and installs the lock.
# With make, git and Python 3.10 on the machine nothing else is needed (bazel apart).

PYTHON ?= python3.10
VENV := .venv
BIN := $(VENV)/bin
UV := $(VENV)/.uv
READY := $(VENV)/.ready
PACKAGE_LINK := .typing/tfx_privacy
PYTEST_ARGS ?=
LOCK_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint format protos lock wheel bazel bench clean

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(READY) $(PACKAGE_LINK)  ## make .venv and install requirements.lock into it, once

demo: setup  ## the taxi pipelines: a leaky model that is blocked, a tame one that is pushed (output in demo/)
	$(BIN)/python -m tfx_privacy.pipelines.taxi_demo --output demo

test: setup  ## all tests but the slow ones
	$(BIN)/python -m pytest -q --durations=15 $(PYTEST_ARGS)

test-slow: setup  ## the tests that take minutes
	$(BIN)/python -m pytest -q --durations=15 -m slow $(PYTEST_ARGS)

lint: setup  ## ruff, mypy, the direction of imports, generated code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/generate_protos.py --check

format: setup  ## let ruff format the code and sort the imports
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .

protos: setup  ## generate proto/*_pb2.py and *_pb2.pyi
	$(BIN)/python tools/generate_protos.py

lock: $(UV)  ## resolve setup.py into requirements.lock (LOCK_ARGS=--upgrade for newer versions)
	$(BIN)/uv pip compile --quiet --python-version 3.10 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" --extra dev $(LOCK_ARGS) setup.py -o requirements.lock

wheel: setup  ## sdist and, from it, the wheel, in dist/
	$(BIN)/python -m build --no-isolation --outdir dist .

bazel: setup  ## build //:tfx_privacy and //components and run the metrics tests with Debian's bazel-bootstrap
	@command -v bazel >/dev/null || { \
	  echo "make bazel needs bazel, which is not on this machine."; \
	  echo "On Debian: apt-get install bazel-bootstrap"; exit 1; }
	bazel build //:tfx_privacy //components
	PATH="$(CURDIR)/$(BIN):$$PATH" bazel test --test_env=PATH --test_output=errors \
	  --override_repository=rules_cc=$(CURDIR)/tools/bazel/rules_cc \
	  --override_repository=rules_java=$(CURDIR)/tools/bazel/rules_java \
	  --override_repository=remote_coverage_tools=$(CURDIR)/tools/bazel/coverage \
	  //tests/metrics:all

bench: setup  ## the side-by-side measurements, by hand and long
	$(BIN)/python benchmarks/against_tfma.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/evidence_cost.py
	$(BIN)/python benchmarks/calibration.py --runs 1000 --refit-runs 0
	$(BIN)/python benchmarks/verdicts.py --runs 100 --default-runs 50 --real-runs 5
	$(BIN)/python benchmarks/controls.py --runs 500 --real-runs 3

clean:  ## remove what was built (.venv and demo/ stay)
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -path ./.venv -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf

# A virtual environment of another Python, or of one that is gone, is made anew.
$(UV): requirements.lock
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 10))' 2>/dev/null || { \
	  echo "tfx-privacy needs Python 3.10, with venv: '$(PYTHON)' is not it. TFX 1.16 knows no later one."; \
	  echo "  Debian or Ubuntu that has it:  apt-get install python3.10 python3.10-venv"; \
	  echo "  pyenv:                         pyenv install 3.10"; \
	  echo "  uv:                            uv python install 3.10"; \
	  echo "Then again, naming it where it is not on the PATH:  make PYTHON=/path/to/python3.10 setup"; \
	  exit 1; }
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 10))' 2>/dev/null \
	  || $(PYTHON) -m venv --clear $(VENV)
	@awk '/^[^ #]/ {uv = /^uv==/} uv' requirements.lock > $(VENV)/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@touch $@

$(READY): $(UV) requirements.lock setup.py version.py
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --require-hashes -r requirements.lock
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --no-deps --no-build-isolation -e .
	@touch $@

$(PACKAGE_LINK):
	@mkdir -p $(@D)
	ln -sfn .. $@
