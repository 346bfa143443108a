# All that a person or CI does with this checkout; `make` alone lists it.

PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 3
QUICK := policy.poll_s=2 cluster.beat_s=2 cluster.stale_s=12
PACKAGES := make procps util-linux munge slurm-wlm slurmdbd mariadb-server

.PHONY: help demo demo-slurm test check system clean

help:
	@echo 'make demo        install into .venv, run the quickstart sweep here, print its law'
	@echo 'make test        install the test tools too, run the whole suite'
	@echo 'make check       format, lint, types, layers'
	@echo 'make system      as root, Debian or Ubuntu: install Slurm for the tests and for demo-slurm, Chromium for the tests'
	@echo 'make demo-slurm  run the quickstart sweep on a throw-away Slurm cluster on this machine'
	@echo 'make clean       remove .venv and caches; runs/ stays'

demo: .venv/installed
	$(BIN)/python -m launcher sweep=quickstart

demo-slurm: .venv/installed
	$(BIN)/python -m tests.slurm.cluster --nodes 2 --cpus 2 -- \
		$(BIN)/python -m launcher watch sweep=quickstart cluster=slurm root=runs-slurm $(QUICK)

test: .venv/tools
	$(BIN)/pytest --numprocesses=$(WORKERS) --dist=loadgroup $(PYTEST_ARGS)

check: .venv/tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

system:
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $(PACKAGES) \
		$$(apt-cache show chromium >/dev/null 2>&1 && echo chromium)

clean:
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache *.egg-info

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[train]'
	touch $@

.venv/tools: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --group test --group check
	touch $@
