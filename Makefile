# Two commands for a fresh machine: `make demo` and `make test`. On one with a GPU: `make gpu`. Each sets up an environment of its own.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo test test-slow fuzz gpu check docs dist clean

demo: $(VENV)/.quickstart
	@$(BIN)/python -m pytest --model=cellama --tier=quick --quiet --tb=no --no-summary; code=$$?; \
	case $$code in \
	  0) echo "make demo: pytest exited 0: cellama beat every baseline on every metric"; exit 0 ;; \
	  1) echo "make demo: pytest exited 1: a verdict was reached and cellama did not pass; the page says where"; exit 0 ;; \
	  *) echo "make demo: pytest exited $$code: no verdict was reached"; exit $$code ;; \
	esac

# two tests at a time, each on one thread: most of them start a pytest of their own
test: $(VENV)/.test check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow -n 2 --dist worksteal

# 4,000 fresh cases a kind of malformed input; a failure prints what shows it again
fuzz: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m fuzz -n 2 tests/fuzz tests/test_faults.py

# the environment it is started in, for a machine with a GPU often has no network
gpu:
	$(PYTHON) -m benchmarks.gpu

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tests/types_checked.py

# every warning is an error; the pages are in docs/_build/html
docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -W --keep-going --quiet -b html docs docs/_build/html

# the source distribution, the wheel made of it, and what an index would refuse of them
dist: $(VENV)/.docs
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist . > /dev/null
	$(BIN)/check-wheel-contents dist/*.whl
	$(BIN)/python -m twine check --strict dist/*

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# torch comes first, so that nothing else chooses its version
$(VENV)/.quickstart: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) torch
	$(PIP) --editable '.[html,quickstart,xdist]'
	@touch $@

$(VENV)/.test: $(VENV)/.quickstart
	$(PIP) --editable '.[test]'
	@touch $@

$(VENV)/.docs: $(VENV)/.quickstart
	$(PIP) --editable '.[dist,docs]'
	@touch $@

clean:
	rm -rf $(VENV) build dist docs/_build zsgate-report *.egg-info
