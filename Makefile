# Every target makes the environment it needs (.venv) and caches it; nothing but python3 (with venv) and make has to be there.
#   PYTHON=/path/to/python3.12 make test      another interpreter, in an environment of its own
#   SECONDS=30 CACHE=naive DB=postgres make demo

BOOT := $(or $(PYTHON),python3)
IN    = @command -v $(BOOT) >/dev/null 2>&1 || { echo "No $(BOOT) on PATH. Type: apt-get install python3 python3-venv" >&2; exit 2; }; \
        $(BOOT) tools/venv.py

PYTEST_ARGS ?= -n 2

.DEFAULT_GOAL := help
.PHONY: help demo test coverage test-matrix lint types bench bench-smoke docs dist mutants clean

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

demo: ## a shop under traffic, the number of stale reads on screen (SECONDS=30, CACHE=naive, DB=postgres)
	$(IN) demo -- -m example_project.demo

test: ## the tests, on SQLite, PostgreSQL and a real redis-server
	$(IN) prometheus,test -- -m pytest $(PYTEST_ARGS)

coverage: ## the protocol's tests; every branch of it has to be walked
	$(IN) prometheus,test -- -m pytest -q tests/protocol --cov=cache_consistency.protocol --cov-branch --cov-report=term-missing --cov-fail-under=100

test-matrix: ## the tests on each pair of Python and Django that this machine has
	@$(BOOT) tools/matrix.py

lint: ## ruff
	$(IN) lint -- -m ruff check --quiet --output-format=concise .

types: ## mypy, strict
	$(IN) lint -- -m mypy

bench: ## the figures of docs/performance.md, measured here
	$(IN) test -- -m tests.bench

bench-smoke: ## the same, a few seconds each: does it run, are the orders of magnitude right
	$(IN) test -- -m tests.bench --smoke

mutants: ## switch each rule of the protocol off; some test must fail for each
	$(IN) prometheus,test -- -m tests.mutants

docs: ## the documentation as pages, every link checked
	$(IN) docs -- -m mkdocs build --strict --quiet --site-dir .run/site

dist: ## sdist and wheel
	@rm -rf dist
	$(IN) lint -- -m build --outdir dist .

clean: ## remove environments, caches and what was built
	rm -rf .venv .venv-* .run dist build .pytest_cache .mypy_cache .ruff_cache .coverage htmlcov
