# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The one entry for people and CI. Every target makes its own environment in
# .venv first; nothing outside this directory is changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Where `make conform` puts its report, and the seed that it draws from.
OUT ?= result
SEED ?= 1
RELEASE_SEEDS ?= 1 2 3
# Further words for ofi-conform, pytest: make conform ARGS="--area RMA"
ARGS ?=

RUN_READY := $(VENV)/.ready-run
DEVELOP_READY := $(VENV)/.ready-develop
NATIVE := $(shell find reference/native -name '*.[ch]' -o -name '*.py' -o -name CMakeLists.txt)
OUR_C := $(shell find reference/native tests -name '*.[ch]')

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help conform test release spec docs lint format export clean

help: ## say what there is
	@echo "make TARGET, with TARGET one of:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14

conform: $(RUN_READY) ## judge every provider found on this machine; prints where the report is
	@$(BIN)/ofi-conform run --all --complete --seed $(SEED) --out $(OUT) $(ARGS)

test: $(DEVELOP_READY) ## run the project's tests of itself
	@$(BIN)/pytest $(ARGS)

release: $(DEVELOP_READY) ## the long rest: every test, then several seeds of every provider (hours)
	$(BIN)/pytest --release $(ARGS)
	for seed in $(RELEASE_SEEDS); do \
		$(BIN)/ofi-conform run --all --complete --profile release --seed $$seed --out $(OUT)-$$seed || exit; \
	done

spec: $(DEVELOP_READY) ## the specifications as HTML in build/spec
	@$(BIN)/sphinx-build -q -W --keep-going -b html spec build/spec
	@echo "wrote build/spec/index.html"

docs: $(DEVELOP_READY) ## the guides as HTML in build/docs
	@$(BIN)/sphinx-build -q -W --keep-going -b html docs build/docs
	@echo "wrote build/docs/index.html"

lint: $(DEVELOP_READY) ## what the checkers say of style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(OUR_C)

format: $(DEVELOP_READY) ## let the formatters have their way
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/clang-format -i $(OUR_C)

export: $(RUN_READY) ## write the committed files that are made from others
	$(BIN)/python spec/tools/export.py
	$(BIN)/python tests/model/write_schemas.py

clean: ## remove what was made here (environment, builds, reports stay out of git anyway)
	rm -rf $(VENV) build dist .hypothesis .pytest_cache .mypy_cache .ruff_cache

# Two stamps: a conformance run need not wait for the developers' tools.
$(RUN_READY): pyproject.toml tools/set_up.py $(NATIVE)
	@$(PYTHON) tools/set_up.py run
	@touch $@

$(DEVELOP_READY): pyproject.toml tools/set_up.py $(RUN_READY)
	@$(PYTHON) tools/set_up.py develop
	@touch $@
