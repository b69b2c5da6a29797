# The two main commands are `make figures` and `make test`; `make help` lists all. If .venv is missing, they first create it from the hashed lock.
# To use another interpreter: make PYTHON=python3.12 figures

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
PIP = $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet
# One BLAS thread per process: the matrices of the tests are small, and a second thread slows them down.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 VECLIB_MAXIMUM_THREADS=1
# Bytecode is kept in .venv. Without it every process of the tests would compile all modules that it imports, because pip
# does not compile them (see below).
BYTECODE := PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(CURDIR)/$(VENV)/bytecode

.PHONY: figures help test test-kernels test-slow test-times lint docs bench gpu setup clean

# One process per core. Cells that are already in results/ are not computed again. If cells fail, the report is written
# nevertheless, and make ends with an error.
figures: $(READY) ## draw all figures and tables at preset quick and write the report, in results/ (default)
	$(BIN)/paper-repro run --preset quick; ran=$$?; test $$ran -eq 130 && exit $$ran; \
	  $(BIN)/paper-repro report --preset quick && exit $$ran

# One process per core, at most eight.
test: lint ## run the linter, the type checker and the fast tests
	$(ONE_THREAD) $(BYTECODE) $(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 8

# The fast numeric tests, under two kinds of BLAS kernels other than this machine's, and with two BLAS threads.
test-kernels: $(READY) ## run the numeric tests under other BLAS kernels
	$(BYTECODE) $(BIN)/python tests/support/kernels.py

test-slow: $(READY) ## run the slow tests
	$(ONE_THREAD) $(BYTECODE) HYPOTHESIS_PROFILE=slow $(BIN)/python -m pytest -m slow

# Measures all tests that are not marked slow in their files, and lists the slow ones in tests/slow_tests.txt.
test-times: $(READY) ## measure the tests and list the slow ones
	$(ONE_THREAD) $(BYTECODE) $(BIN)/python -m pytest -q --measure-times -m "not slow" -n auto --maxprocesses 8 \
	  --junitxml=.pytest_cache/times.xml
	$(BIN)/python tests/support/tiers.py .pytest_cache/times.xml

lint: $(READY) ## run ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Outputs of the gallery and the tutorials are kept in docs/generated until their code changes. Warnings and broken links are
# errors. Pages of source code are always rebuilt: Sphinx would keep those of unchanged files, even if the names to which
# they link have changed.
docs: $(VENV)/ready-docs ## build the documentation site in docs/_build/html
	rm -rf docs/_build/html/_modules
	$(ONE_THREAD) $(BIN)/python -m sphinx -W --keep-going -q -j auto -b html -d docs/_build/doctrees docs docs/_build/html
	$(BIN)/python docs/_ext/site_checks.py docs/_build/html
	@echo "open docs/_build/html/index.html"

$(VENV)/ready-docs: $(READY) requirements-docs.lock
	@$(PIP) --no-compile --require-hashes -r requirements-docs.lock
	@touch $@

bench: $(READY) ## run the benchmarks, at small sizes
	$(BIN)/python -m benchmarks

# Needs a Python that has CuPy and the other packages: make gpu PYTHON=python3
gpu: ## run the tests and benchmarks that need a GPU
	$(PYTHON) -m pytest -m gpu tests/gpu
	$(PYTHON) -m benchmarks.fig1_grid --gpu
	$(PYTHON) -m benchmarks.exact_recovery --device gpu --cells 50x100 200x500 1000x1000 --n 50000 --d 100 --seeds 100:101
	$(PYTHON) -m paper_repro run exact --preset quick --device gpu

setup: $(READY) ## create the environment .venv from the lock
	@echo "done; next: $(BIN)/paper-repro list"

# Prints the targets, each with the text after its ##.
help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS="$$(printf '\t')" read -r name text; do \
	  printf '%-18s %s\n' "$$name" "$$text"; done

# Does not touch results/, which may have taken a night to compute.
clean: ## remove .venv and all built files, but not results/
	rm -rf $(VENV) build dist docs/_build docs/generated *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The last line builds with setuptools, which is in the lock, so nothing without a hash is downloaded.
# Without --no-compile, pip spends half of its time compiling modules that are never imported.
$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "make: '$(PYTHON)' was not found; install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { \
	  echo "make: '$(PYTHON)' is $$($(PYTHON) --version 2>&1), but Python 3.11 or newer is needed; name one: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || { \
	  echo "make: '$(PYTHON)' lacks venv or ensurepip; on Debian and Ubuntu they are in the package python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python && $(BIN)/python -c "" 2>/dev/null || { \
	  echo "creating $(VENV) with $$($(PYTHON) --version) from requirements.lock (once, a minute or two)"; \
	  $(PYTHON) -m venv --clear $(VENV); }
	@$(PIP) --no-compile --require-hashes -r requirements.lock || { \
	  echo "make: the packages of requirements.lock could not be installed; see the lines above (no network, or no wheels for this machine?)" >&2; exit 1; }
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@
