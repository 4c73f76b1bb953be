# make        what CI runs          make run    the main job on virtual phones, no phone needed
# make test   the tests             make slow   the slow ones, and the registry's again on PostgreSQL
# make lint   style, types, and who may import whom
# make bench  measurements          make lock   refresh the pinned requirements
#
# All of it works in .venv of this folder, which is made on first use and brought up to date when requirements change.

PYTHON := $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null && $$p -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$p; break; }; done)
PIP := .venv/bin/python -m pip --disable-pip-version-check --no-input -q
# Tests wait for devices and servers half of the time.
WORKERS ?= $(shell echo $$(($$(nproc) + 1)))
ARGS ?=

# The tests start fleet hundreds of times: with this set, each start would compile it anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := ci
.PHONY: ci run test slow lint bench lock wheel apt clean
.DELETE_ON_ERROR:

ci: lint test slow wheel

run: .venv/.ready
	FLEET_HOME=.fleet .venv/bin/python examples/run.py

test: apt .venv/.ready-dev
	.venv/bin/pytest -q -n $(WORKERS) -m "not slow" $(ARGS)

slow: apt .venv/.ready-dev
	.venv/bin/pytest -q -n $(WORKERS) -m slow $(ARGS)

lint: .venv/.ready-dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: apt .venv/.ready-dev
	missed=; for name in $(basename $(notdir $(filter-out %/__init__.py,$(wildcard bench/*.py)))); do \
		echo "== $$name"; .venv/bin/python -m bench.$$name || missed="$$missed $$name"; done; \
		[ -z "$$missed" ] || { echo "Missed:$$missed" >&2; exit 1; }

wheel: .venv/.ready-dev
	.ci/wheel

apt:
	@.ci/apt

.venv/.made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed: sudo apt install python3 python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.ready: requirements.txt pyproject.toml .venv/.made
	$(PIP) install --require-hashes -r requirements.txt
	# A plain path: what setuptools would put in its place costs every start a fifth of its time.
	$(PIP) install --no-deps --config-settings editable_mode=compat -e .
	@touch $@

.venv/.ready-dev: requirements-dev.txt .venv/.ready
	$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@

# The lock files hold no index address; uv is only needed here, so it has a place of its own.
build/uv/bin/uv: .venv/.made
	$(PYTHON) -m venv build/uv
	build/uv/bin/python -m pip --disable-pip-version-check -q install uv

LOCK = build/uv/bin/uv pip compile pyproject.toml -q --universal --generate-hashes --no-header --no-emit-index-url

lock: build/uv/bin/uv
	$(LOCK) --upgrade -o requirements.txt
	$(LOCK) --upgrade --group dev -c requirements.txt -o requirements-dev.txt

clean:
	rm -rf .venv .fleet build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
