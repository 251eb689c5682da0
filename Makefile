# `make demo` and `make test` each set everything up; the rest is for people who work on limbeck.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

# Python keeps what it compiled, whatever the shell says: tests start many processes that import limbeck.
export PYTHONDONTWRITEBYTECODE :=

# One process more than there are cores, as some tests wait for servers and browsers; `make test WORKERS=0` runs in one,
# as a debugger wants it.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')

.PHONY: setup demo test test-quick check fix sanitize arm wheels bench clean

setup: $(READY)

# The kernels are compiled for this CPU meanwhile, where there is a C++ compiler (hatch_build.py).
$(READY): pyproject.toml constraints.txt hatch_build.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all]' --group dev
	touch $(READY)

demo: $(READY)
	$(BIN)/limbeck demo

test: $(READY)
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal --durations 15

test-quick: $(READY)
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal --durations 15 -m 'not slow' --hypothesis-profile quick

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The kernels outside Python: with sanitizers, and for Arm in an emulator where one is installed.
sanitize: $(READY)
	$(BIN)/python .ci/check_kernels.py sanitize

arm: $(READY)
	$(BIN)/python .ci/check_kernels.py arm

# A wheel for every platform, into dist/, compiled from here by zig (a package of PyPI); each is checked.
wheels: $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group wheels
	$(BIN)/python .ci/wheels.py

# Serving and work units are measured with a model and peers of one's own: benchmarks/serve*.py, benchmarks/units*.py.
bench: $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group bench
	for script in read probe quality quality_finetune encode memory imdb_probe head imdb_finetune train train_accuracy train_memory audit audit_planted labels kill kill_trainer distil distil_unlabelled distil_general distil_base multi multi_finetune tag_review ratings window near units_schedule wordpiece pictures readme; do $(BIN)/python benchmarks/$$script.py || exit 1; done

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist build
