# The two commands: `make figures` and `make test`; `make help` lists all. Both first make .venv, from the hashed lock, if it is not there yet.
# Another interpreter: make PYTHON=python3.12 figures

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
PIP = $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet
# One BLAS thread a process: the matrices of the tests are small, and a second thread slows them down.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 VECLIB_MAXIMUM_THREADS=1
# Bytecode is kept, beside the packages and out of the tree: else all processes of the tests, those that they start too,
# compile all that they import, since pip does not (see below).
BYTECODE := PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(CURDIR)/$(VENV)/bytecode

.PHONY: figures help test test-kernels test-slow test-times lint docs bench gpu setup clean

# Figures and tables of preset quick and the report, in results/, with one process a core. What is there already is not
# computed again. Where cells failed, the report is written all the same, and make says that it failed.
figures: $(READY) ## all figures and tables at preset quick, and the report, in results/ (default)
	$(BIN)/paper-repro run --preset quick; ran=$$?; test $$ran -eq 130 && exit $$ran; \
	  $(BIN)/paper-repro report --preset quick && exit $$ran

# One process a core, up to eight.
test: lint ## the fast tests, after lint
	$(ONE_THREAD) $(BYTECODE) $(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 8

# The numeric ones of these tests again, under two other kinds of BLAS kernels than this machine's and with two threads.
test-kernels: $(READY) ## the numeric tests under other BLAS kernels
	$(BYTECODE) $(BIN)/python tests/support/kernels.py

test-slow: $(READY) ## the slow tests
	$(ONE_THREAD) $(BYTECODE) HYPOTHESIS_PROFILE=slow $(BIN)/python -m pytest -m slow

# Measures all but the tests that are marked slow in their files, and writes which of them are slow to tests/slow_tests.txt.
test-times: $(READY) ## measure which tests are slow
	$(ONE_THREAD) $(BYTECODE) $(BIN)/python -m pytest -q --measure-times -m "not slow" -n auto --maxprocesses 8 \
	  --junitxml=.pytest_cache/times.xml
	$(BIN)/python tests/support/tiers.py .pytest_cache/times.xml

lint: $(READY) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The documentation site, in docs/_build/html. What the gallery and the tutorials computed is kept in docs/generated until
# their code changes. Warnings are errors, and so are links that lead nowhere. Pages of source code are made anew: Sphinx keeps
# those of files that did not change, though the names that they lead to may have.
docs: $(VENV)/ready-docs ## the documentation site, in docs/_build/html
	rm -rf docs/_build/html/_modules
	$(ONE_THREAD) $(BIN)/python -m sphinx -W --keep-going -q -j auto -b html -d docs/_build/doctrees docs docs/_build/html
	$(BIN)/python docs/_ext/site_checks.py docs/_build/html
	@echo "open docs/_build/html/index.html"

$(VENV)/ready-docs: $(READY) requirements-docs.lock
	@$(PIP) --no-compile --require-hashes -r requirements-docs.lock
	@touch $@

bench: $(READY) ## the benchmarks
	$(BIN)/python -m benchmarks

# All that wants a GPU, in a Python that has CuPy and the other packages: make gpu PYTHON=python3
gpu: ## tests and benchmarks that need a GPU
	$(PYTHON) -m pytest -m gpu tests/gpu
	$(PYTHON) -m benchmarks.fig1_grid --gpu
	$(PYTHON) -m benchmarks.exact_recovery --device gpu --cells 50x100 200x500 1000x1000 --n 50000 --d 100 --seeds 100:101
	$(PYTHON) -m paper_repro run exact --preset quick --device gpu

setup: $(READY) ## the environment .venv, from the lock
	@echo "done; now: $(BIN)/paper-repro list"

# The targets, each with what stands behind its ##.
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS="$$(printf '\t')" read -r name text; do \
	  printf '%-18s %s\n' "$$name" "$$text"; done

# Leaves results/ alone: they may have taken a night.
clean: ## remove .venv and all that is built; results/ stays
	rm -rf $(VENV) build dist docs/_build docs/generated *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# setuptools, which the last line builds with, is in the lock: nothing that has no hash is fetched.
# Without --no-compile, pip spends half of its time on modules that are never imported.
$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "make: there is no '$(PYTHON)' here; install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { \
	  echo "make: '$(PYTHON)' is $$($(PYTHON) --version 2>&1), Python 3.11 or newer is needed; name one: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || { \
	  echo "make: '$(PYTHON)' lacks venv or ensurepip; on Debian and Ubuntu they are in the package python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python && $(BIN)/python -c "" 2>/dev/null || { \
	  echo "making $(VENV) with $$($(PYTHON) --version), and filling it from requirements.lock (once, a minute or two)"; \
	  $(PYTHON) -m venv --clear $(VENV); }
	@$(PIP) --no-compile --require-hashes -r requirements.lock || { \
	  echo "make: the packages of requirements.lock could not be installed; see the lines above (no network, or no wheels for this machine?)" >&2; exit 1; }
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@
