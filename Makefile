# Everything runs in a virtual environment of its own, made on first use.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready

.PHONY: help demo test lint format types slow bench clean

help:  ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[redis,fast]' --group test --group quality --group oidc
	touch $(READY)

demo: $(READY)  ## start simulator, issuer and gateway on loopback, nothing to configure
	$(BIN)/olgw demo

test: $(READY) lint types  ## all checks and the tests
	$(BIN)/python -m pytest -q -n 2

lint: $(READY)  ## style and common mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY)  ## put the code in form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY)  ## mypy, strict
	$(BIN)/mypy

slow: $(READY)  ## soaks, races and figures
	$(BIN)/python -m pytest -q -m slow --timeout 1800

clean:  ## remove what was made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
