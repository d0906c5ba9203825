PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := demo
EXTRAS ?= lite,dev
JOBS ?= auto

.DEFAULT_GOAL := help
.PHONY: help setup demo baseline test stress lint clean-demo

help:  ## say what can be made
	@echo "make help        this list"
	@echo "make setup       the environment: $(VENV) with the pinned packages"
	@echo "make demo        synthesise slides, train Mask R-CNN, test it, draw pictures (into $(DEMO)/)"
	@echo "make baseline    the demo, and beside it the two-stage baseline, compared (into $(DEMO)/)"
	@echo "make test        the tests, one process a core (JOBS=1 make test: one process)"
	@echo "make stress      long attacks: kills, bad and hostile input (tests/stress/)"
	@echo "make lint        ruff"
	@echo "make clean-demo  remove what the demo made"
	@echo "PYTHON=python3.12 make …   with another interpreter (3.11 or 3.12)"

setup: $(STAMP)

$(STAMP): setup.py constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "no such interpreter: $(PYTHON); Python 3.11 or 3.12 is needed: say PYTHON=/path/to/python3.11 make …" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v in ((3, 11), (3, 12)) else "Python 3.11 or 3.12 is needed, and $(PYTHON) is %d.%d: say PYTHON=python3.11 make …" % v)'
	@# An interrupted venv has an interpreter and no pip.
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "setuptools<81" wheel
	$(BIN)/python -m pip install --quiet --progress-bar off -c constraints.txt -e ".[$(EXTRAS)]"
	@# mmcv-lite asks for opencv-python, which does not import without libGL; both write the same folder.
	$(BIN)/python -m pip uninstall --quiet --yes opencv-python opencv-python-headless
	$(BIN)/python -m pip install --quiet --no-deps -c constraints.txt opencv-python-headless
	@touch $@

demo: $(STAMP)
	$(BIN)/python tools/demo.py --out $(DEMO)

baseline: $(STAMP)
	$(BIN)/python tools/baseline.py demo --out $(DEMO)

test: $(STAMP)
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder

stress: $(STAMP)
	$(BIN)/python -m pytest -q -s -p no:xdist tests/stress/stress_*.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean-demo:
	rm -rf $(DEMO)
