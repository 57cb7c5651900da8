# The verbs of this project, one a line: `make setup`, `make race`, `make test`, …
# PYTHON makes the virtual environment, VENV is where it stands.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
TABLE = build/breast_cancer.csv

.PHONY: setup race test test-slow test-browser test-long test-all lint docs gallery oracles bench results clean
.DELETE_ON_ERROR:

setup: $(VENV)/dev.stamp ## everything to work on Slalom

race: $(VENV)/run.stamp $(TABLE) ## race recipes on real data for half a minute
	$(BIN)/slalom race $(TABLE) --target diagnosis --seconds 30 --seed 0

test: $(VENV)/dev.stamp ## the fast tests
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not long and not browser"

test-slow: $(VENV)/dev.stamp ## the slow tests alone; that there are none (5) is no failure
	$(BIN)/python -m pytest -n 2 --dist load -m slow || [ $$? -eq 5 ]

test-browser: $(VENV)/dev.stamp ## reports in Chromium, which is installed where it is not there (SCREENSHOTS=DIR keeps pictures)
	command -v chromium || command -v chromium-browser || .ci/chromium
	$(PIP) -e ".[browser]"
	$(BIN)/python -m pytest -m browser tests/browser

test-long: $(VENV)/dev.stamp ## tests that CI has no time for: races that are cut off in many ways, every lesson broken and drawn
	$(BIN)/python -m pytest -n 2 --dist loadfile -m long

test-all: test test-slow test-browser test-long ## all tests

docs: $(VENV)/dev.stamp ## the tables of docs/techniques, from the docstrings
	$(BIN)/python docs/generate.py

gallery: $(VENV)/dev.stamp ## the lessons with their pictures as a static site: build/gallery/html/index.html
	$(PIP) -e ".[gallery]"
	$(BIN)/python docs/gallery.py build/gallery

oracles: ## in an environment with PyTorch and Keras: records PyTorch anew, and runs what is exported for both
	$(PYTHON) -m venv build/oracles
	build/oracles/bin/python -m pip --disable-pip-version-check install --quiet -c constraints.txt -e ".[oracles]"
	build/oracles/bin/python tests/recorded/record_torch.py --check
	build/oracles/bin/python -m pytest tests/with_torch

lint: $(VENV)/dev.stamp ## formatter, linter, types, spelling, tables of the documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/python docs/generate.py --check

bench: build/bench/made.stamp ## Slalom beside everybody else, for most of an hour; the tables of docs/performance.md
	build/bench/bin/python -m benchmarks --json build/bench.json --page docs/performance.md

results: build/bench/made.stamp ## Slalom beside Optuna and others at equal seconds, 2.5 hours a set; RTDL=… TABLES=… name folders of data
	build/bench/bin/python -m benchmarks.equal_time $(if $(RTDL),--rtdl "$(RTDL)") $(if $(TABLES),--tables "$(TABLES)") \
		--seconds 60 300 --json build/equal_time.json --page docs/results.md

clean: ## everything that was made but the environment and the runs
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The stamps are renewed when what they hang on changes; the one for work holds the one for use.
$(VENV)/run.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e .
	touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e ".[dev]"
	touch $(VENV)/run.stamp $@

build/bench/made.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv build/bench
	build/bench/bin/python -m pip --disable-pip-version-check install --quiet -c constraints.txt -e ".[bench]"
	touch $@

$(TABLE): examples/bundled_table.py | $(VENV)/run.stamp
	$(BIN)/python examples/bundled_table.py breast_cancer $@
