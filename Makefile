# `make run` and `make test` work on a fresh machine with Python 3.11 or newer and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes

.PHONY: help run run-scaled test bench install install-dev lint requirements screenshots clean

help:
	@echo "make run         the site on http://127.0.0.1:8000 with a demo course"
	@echo "make test        lint, types, contracts and every test"
	@echo "make bench       benchmarks, as a table and as JSON under benchmarks/results/"
	@echo "make run-scaled  two web processes and a worker on DATABASE_URL and REDIS_URL"
	@echo "make requirements  compile requirements*.in again"

run: install
	@$(BIN)/python manage.py quickstart

run-scaled: install
	@$(BIN)/python manage.py run_scaled

test: install-dev
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m tests

lint: install-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@DEBUG=true ENV_FILE=/dev/null $(BIN)/mypy core courses chats studybuddy manage.py
	@$(BIN)/lint-imports
	@DEBUG=true ENV_FILE=/dev/null DATABASE_URL=sqlite:///:memory: $(BIN)/python -W error manage.py makemigrations --check --dry-run

bench: install-dev
	@$(BIN)/python -m benchmarks

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "StudyBuddy needs Python 3.11 or newer. Name it: make run PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
		|| { echo "Python's venv module is missing. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@said=$$($(PYTHON) -m venv $(VENV) 2>&1) \
		|| { echo "Can't make $(VENV) here: check that you may write to this folder. ($$(echo "$$said" | tail -n 1))"; exit 1; }

$(VENV)/.installed: requirements.txt | $(VENV)/bin/pip
	@echo "Installing the site's packages …"
	@$(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements-integrations.txt $(VENV)/.installed
	@echo "Installing what the tests need …"
	@$(INSTALL) -r requirements-dev.txt
	@$(INSTALL) -r requirements-integrations.txt
	@touch $@

requirements: install-dev
	@for name in requirements requirements-dev requirements-integrations; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--no-emit-find-links --no-header --annotation-style line $$name.in -o $$name.txt || exit 1; \
	done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis staticfiles
