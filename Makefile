# Everything runs in a virtual environment of its own, made on first use; the demo needs less of it
# than the tests do.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready
TOOLS  := $(VENV)/tools
RUNS   ?= 20000
PARSERS ?= token path link credentials values bodies prefer traceparent forwarded caching keys config

# Tests start some hundred processes, each of which would compile all anew where this is set.
test slow deploy-check bench: export PYTHONDONTWRITEBYTECODE =

define judged
@$(BIN)/python -m pytest -q $(1) || { [ $$? = 1 ] && \
  echo 'What failed is run once more, alone. What passes then depends on how busy the machine is: mend it.' && \
  $(BIN)/python -m pytest -q --last-failed --last-failed-no-failures none --exitfirst; }
endef

.PHONY: help demo test lint format types slow bench deploy-check lock fuzz audit sbom clean

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[redis,fast]'
	touch $(READY)

$(TOOLS): $(READY)
	$(BIN)/python -m pip install --quiet --group test --group quality --group oidc --group browser
	touch $(TOOLS)

demo: $(READY)  ## start simulator, issuer and gateway on loopback, nothing to configure
	$(BIN)/olgw demo

test: $(TOOLS) lint types  ## all checks and the tests
	$(call judged,-n 3 --dist worksteal)

lint: $(TOOLS)  ## style and common mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(TOOLS)  ## put the code in form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(TOOLS)  ## mypy, strict
	$(BIN)/mypy

bench: $(TOOLS)  ## beside HAProxy, nginx and a plain aiohttp proxy; two cores, Debian's packages
	$(BIN)/python -m bench.run

slow: export OLGW_EXPLORE = 1
slow: $(TOOLS)  ## soaks, races and figures
	$(BIN)/python -m pytest -q -m slow --timeout 1800

deploy-check: $(TOOLS)  ## what is in deploy/, by Helm, Kubernetes' schemas, Prometheus, systemd, nginx
	$(BIN)/python -m pip install --quiet --group deploy
	$(call judged,-rs -n 2 tests/deploy)

lock:  ## the hashed requirement files of deploy/ anew; needs uv
	deploy/lock.sh

fuzz: $(TOOLS)  ## look for inputs that break a parser, guided by coverage; RUNS=n for each parser
	@if ! $(BIN)/python -m pip install --quiet atheris; then \
	  echo 'fuzz: SKIPPED, no atheris for this Python or system; make test runs tests/fuzz all the same'; \
	else for parser in $(PARSERS); do \
	  $(BIN)/python tests/fuzz/atheris_parsers.py $$parser -runs=$(RUNS) -max_len=4096 -timeout=5 || exit 1; \
	done; fi

audit: $(TOOLS)  ## known holes in dependencies, and risky code
	$(BIN)/python -m pip install --quiet bandit pip-audit
	@# Skipped: what ruff's S104, S301 and S310 ask about as well, answered where it stands.
	$(BIN)/bandit --quiet --recursive gateway --severity-level medium --skip B104,B301,B310
	@if $(BIN)/python -c "import urllib.request as u; u.urlopen('https://api.osv.dev', timeout=5)" 2>&1 | grep -q URLError; then \
	  echo 'audit: SKIPPED pip-audit, its data cannot be reached from here'; \
	else $(BIN)/pip-audit --strict --require-hashes --vulnerability-service osv -r deploy/requirements.txt; fi

sbom: $(TOOLS)  ## what a release is made of, CycloneDX, in dist/
	mkdir -p dist
	$(BIN)/python -m pip install --quiet cyclonedx-bom
	$(BIN)/cyclonedx-py requirements deploy/requirements.txt --pyproject pyproject.toml --output-reproducible --output-file dist/olconnect-gateway.cdx.json

clean:  ## remove what was made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
