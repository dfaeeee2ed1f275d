# Every target does all the set-up it needs. It takes Python 3.11 or newer, make and git; uv makes it faster.
# PYTHON=/path/to/python chooses the interpreter, UV= (empty) makes pip do the work.

VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
# One more than there are processors: many tests wait for servers, for processes, or for a limit of time.
PYTEST = --numprocesses $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --maxprocesses 4 --dist worksteal
# All three thirds are every test at length; which one a commit gets is in its number.
SHARE = $(shell echo $$((0x$$(git rev-parse --short=7 HEAD 2>/dev/null || echo 0) % 3 + 1)))/3
UV ?= $(shell uv --version >/dev/null 2>&1 && command -v uv)

.DEFAULT_GOAL := help
.PHONY: help investigate test test-all browser coverage pythons lab site bench soak picture lock clean FORCE

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

investigate: $(INSTALLED) ## run every notebook against a live pair of servers; show which claims held
	@$(PY) -m kit investigate

test: $(INSTALLED) ## check style and types, run the tests that find most of what can break (tests/lengths.py)
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(PY) -m pytest $(PYTEST) -m "not at_length"

test-all: test ## the same, and then every other test; SHORT=yes takes a third of those, another one for each commit
	@$(PY) -m pytest $(PYTEST) -m at_length $(if $(SHORT),--share $(SHARE))

browser: $(INSTALLED) ## see that there is a Chromium, in which `make test-all` tries the notebooks; install one where there is none
	@$(PY) tools/browser.py

coverage: $(INSTALLED) ## run all tests and show which lines of kit/ they reach, in every process; OF="-m 'not at_length'" takes fewer
	@$(PY) tools/covered.py $(PYTEST) $(OF)

pythons: $(INSTALLED) ## test what depends on the interpreter under each other Python here, from 3.9 on; list them
	@$(PY) tools/pythons.py $(if $(SHORT),--short)

lab: $(INSTALLED) ## open JupyterLab on the notebooks, with the pair up
	@$(PY) -m kit lab

site: $(INSTALLED) ## publish the last run of the notebooks as a site, in build/site
	@$(PY) tools/publish.py

bench: $(INSTALLED) ## measure what the kit costs; a table, and a JSON file in build/
	@$(PY) tools/bench.py

soak: $(INSTALLED) ## load the kit: many trials, pairs, runs, traces; a table of what changes and what is left; SHORT=yes takes few
	@$(PY) tools/soak.py $(if $(SHORT),--short)

picture: $(INSTALLED) ## draw the README's picture again, from two live trials
	@$(PY) tools/picture.py

lock: $(INSTALLED) ## write requirements.lock again from pyproject.toml (remove it first for the newest versions)
	@$(PY) -m uv pip compile pyproject.toml --quiet --no-config --universal --python-version 3.11 --all-extras \
		--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		--output-file requirements.lock

clean: ## remove the environment and everything else that was created here, except runs
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
	find kit tests tools notebooks -name __pycache__ -prune -exec rm -rf {} +

# The environment is made once, and again when the lock or the list of dependencies has changed.
$(INSTALLED): requirements.lock pyproject.toml
	@UV='$(UV)' PYTHON='$(PYTHON)' sh tools/environment.sh $(VENV) requirements.lock

# An interpreter that is named on the command line, and is not the environment's, makes it again.
VERSION := -c 'import sys; print(sys.version_info[:2])' 2>/dev/null
ifneq ($(PYTHON),)
ifneq ($(shell $(PYTHON) $(VERSION)),$(shell $(PY) $(VERSION)))
$(INSTALLED): FORCE
endif
endif
