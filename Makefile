# The entrance for contributors; CONTRIBUTING.md says more. All of it works in .venv/.
PYTHON ?= python3.11
BIN := .venv/bin

# What is pure or small: no server, no LLM, no built survey.
QUICK := tests/engine/graph tests/engine/compiler tests/engine/project tests/engine/state \
	tests/science/evaluation tests/science/surveys tests/test_entrance.py \
	tests/test_independence.py

.PHONY: dev quick check lint references lock

# Make the environment, with the versions CI has, the weights of the embedded LLM and the hooks.
dev:
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	$(BIN)/lupom setup
	$(BIN)/pre-commit install

# Under a minute (27 s of CPU): run it after each change.
quick:
	$(BIN)/pytest -n auto $(QUICK)

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What CI does, without installing anything.
check: lint
	$(BIN)/pytest -n auto

# Pages and schemas that are made from code; tests compare them.
references:
	$(BIN)/python -m lupom.cli.reference > docs/commands.md
	$(BIN)/python -m lupom.engine.project.reference > docs/settings.md
	$(BIN)/python -m lupom.engine.project.reference docs/llms.md
	$(BIN)/python -m lupom.engine.dictionary . > docs/tables.md
	$(BIN)/python -m lupom.engine.project.schemas schemas --shipped
	$(BIN)/python -m lupom.science.surveys.schema schemas

# Renew constraints.txt with the newest versions that fit pyproject.toml, for every platform.
lock:
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra dev \
		--no-annotate --no-header pyproject.toml -o constraints.txt
