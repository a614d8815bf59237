# make demo   from nothing to a served demo archive      make test   from nothing to all tests run
# make check  style, types, floors                       make bench  the benchmarks (bench/RESULTS.md)
# make setup  only installs                              make lock   renews requirements/*.lock
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Every install is pinned and hash-checked, what must be built too; the project itself needs no download.
INSTALL = $(PIP) install --require-hashes --no-build-isolation --requirement
DEMO_OPTIONS ?=

.PHONY: setup setup-dev setup-bench system-packages system-packages-bench demo test check bench lock clean

setup: $(VENV)/.run
setup-dev: $(VENV)/.dev
setup-bench: $(VENV)/.bench

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.lock requirements/build.lock pyproject.toml | $(BIN)/python
	$(INSTALL) requirements/build.lock
	$(INSTALL) requirements/run.lock
	$(PIP) install --no-build-isolation --no-deps --editable .
	touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.run
	$(INSTALL) requirements/dev.lock
	touch $@

$(VENV)/.bench: requirements/bench.lock $(VENV)/.dev
	$(INSTALL) requirements/bench.lock
	touch $@

# Real components the tests and benchmarks use beside the wheels. Only root can install them.
system-packages:
	@tools/install_debian_packages.sh tools/debian-packages.txt

system-packages-bench:
	@tools/install_debian_packages.sh tools/debian-packages-bench.txt

demo: setup
	$(BIN)/voxkeep demo $(DEMO_OPTIONS)

test: setup-dev system-packages
	$(BIN)/python -m pytest

# also types what the benchmarks use
check: setup-bench
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup-bench system-packages-bench
	$(BIN)/python -m bench

LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--python-version 3.11 --custom-compile-command "make lock" --upgrade

lock: | $(BIN)/python
	$(PIP) install uv
	$(LOCK) pyproject.toml -o requirements/run.lock
	$(LOCK) pyproject.toml --group dev -o requirements/dev.lock
	$(LOCK) pyproject.toml --group dev --group bench -o requirements/bench.lock
	$(LOCK) requirements/build.in -o requirements/build.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
