# From a fresh clone: `make demo` shows what it does, `make test` checks that it works. Both set everything up themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STYLESWEEP := $(BIN)/stylesweep
# A torch that is installed in $(VENV) already (the CPU-only build, say) is left alone, if it is of the pinned version.
CONSTRAINTS := constraints.txt

# Tests and demo start hundreds of processes of ours: each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo gallery test soak lint docs-pictures clean

help:
	@echo "make demo     a sweep on sample pictures: two to five minutes of computing on 2 cores"
	@echo "make gallery  look at the results in the browser"
	@echo "make test     format, types, import rules and all tests but those of make soak"
	@echo "make soak     the tests that take minutes each"
	@echo "make docs-pictures   the pictures of the README and of docs/, by the sweeps in examples/"
	@echo "make setup    only the virtual environment in $(VENV)"

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml $(CONSTRAINTS)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "A virtual environment needs Debian's python3-venv: sudo apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) --editable ".[dev,samples]"
	@touch $@

demo: setup
	$(STYLESWEEP) weights fetch vgg16-hed
	$(STYLESWEEP) samples demo
	$(STYLESWEEP) run examples/demo.yaml
	$(STYLESWEEP) sheet demo --out demo
	@echo "Open the gallery:  make gallery"

gallery: setup
	$(STYLESWEEP) gallery

test: setup lint
	$(STYLESWEEP) weights fetch vgg16-hed
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder -m "not soak"

# Minutes each: what is measured over many runs, and what needs longer to be seen; and the rules again on examples that are drawn anew.
soak: setup
	$(STYLESWEEP) weights fetch vgg16-hed
	$(BIN)/python -m pytest -m soak
	STYLESWEEP_EXAMPLES=drawn $(BIN)/python -m pytest --numprocesses 2 --dist loadfile $$(grep --recursive --files-with-matches --include='test_*.py' hypothesis tests)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Wants chromium too, for the picture of the gallery. Its workspace is kept: what was run is not run again.
docs-pictures: setup
	$(STYLESWEEP) weights fetch vgg16-hed
	$(BIN)/python docs/make_pictures.py

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
