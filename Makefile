# make demo   install, then the whole way on pictures it draws itself: train, test, fuse, export and score, check, look
# make demo-segmentation   the same with masks instead of boxes: a segmenter
# make demo-classification   the same with a folder of pictures for each class: a classifier
# make test   install, then the test suite, in two processes (JOBS=4 for more)
# All install into .venv first (make setup). Another Python: make setup PYTHON=python3.12

SUPPORTED := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))
PYTHON ?= $(shell for python in python3 python3.12 python3.11 python3.10; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && { echo $$python; break; }; done)
BIN := .venv/bin
INSTALLED := .venv/.installed
ARGS ?=
JOBS ?= 2

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo demo-segmentation demo-classification test lint types doctor clean

help:
	@sed -n '/^# make/s/^# //p' Makefile

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt startup/_mobileone_mm_startup.py startup/mobileone_mm_startup.pth
	@test -x $(BIN)/pip || "$(PYTHON)" -c '$(SUPPORTED)' 2>/dev/null || { \
		echo "Python 3.10, 3.11 or 3.12 is needed; PYTHON='$(PYTHON)' is none of these. Try: make setup PYTHON=/path/to/python3.12" >&2; \
		exit 1; }
	@test -x $(BIN)/pip || "$(PYTHON)" -m venv --clear .venv
	@echo 'installing into .venv (on Linux about 6 GB, most of it torch; some minutes)'
	$(BIN)/pip install --constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -c 'import cv2' 2>/dev/null || { \
		echo 'opencv-python finds no GL library on this machine: taking the build that needs none'; \
		$(BIN)/pip uninstall --quiet --yes opencv-python && \
		$(BIN)/pip install --constraint constraints.txt --force-reinstall --no-deps opencv-python-headless; }
	@touch $@

demo: setup
	$(BIN)/mobileone demo $(ARGS)

demo-segmentation: setup
	$(BIN)/mobileone demo --task segmentation $(ARGS)

demo-classification: setup
	$(BIN)/mobileone demo --task classification $(ARGS)

test: setup
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

doctor: setup
	$(BIN)/python -m mobileone_mm.doctor

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build dist demo work_dirs
