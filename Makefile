# `make` lists the targets. Each does its own set-up in .venv and build/, and `make clean` removes both.

PYTHON ?= python3
CC ?= cc
EMBED_COMPILERS ?= $(notdir $(shell for cc in gcc clang; do command -v $$cc; done))
PYTEST_ARGS ?=
PEERS_ARGS ?=
BENCH_ARGS ?=
COMMITS ?= HEAD~1 HEAD

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
C_TEXT := $(shell find src_c tests examples benchmarks -name '*.[ch]' -o -name '*.cpp' | sort) cconv/cconv_import.h cconv/results.h
CORE_FILES := $(shell find src_c tools) $(wildcard cconv/*.pyx cconv/*.px[id] cconv/*.h) # with folders: a file taken away counts too
EMBED_OPTIMIZATION ?= -O2
EMBED_FLAGS = $(EMBED_OPTIMIZATION) -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Werror -Isrc_c/include
SANITIZERS := address,undefined

.DELETE_ON_ERROR:
.PHONY: help demo test conformance bench compare peers lint format asan embed clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.core ## run a photograph through two layers on the compiled core, write a picture (IMAGE=...)
	$(BIN)/python -m cconv demo $(IMAGE)

test: $(VENV)/.core $(VENV)/.test ## run all tests on the compiled core (PYTEST_ARGS='-k pool')
	CCONV_REQUIRE_EXT=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

conformance: $(VENV)/.core $(VENV)/.conformance ## compare with ONNX, PyTorch and SciPy
	CCONV_REQUIRE_EXT=1 $(BIN)/python -m pytest tests/conformance $(PYTEST_ARGS)

bench: $(VENV)/.core $(VENV)/.bench $(HOME)/.asv-machine.json ## time this checkout with asv (BENCH_ARGS='--bench pool')
	$(BIN)/asv run --config benchmarks/asv.conf.json --environment existing --show-stderr $(BENCH_ARGS)

# Times and memory alone, for asv takes every growing figure for a loss.
compare: $(VENV)/.bench $(HOME)/.asv-machine.json ## compare two commits with asv (COMMITS='main HEAD' BENCH_ARGS='--bench pool.Time')
	$(BIN)/asv continuous --config benchmarks/asv.conf.json --interleave-rounds --show-stderr \
		$(or $(BENCH_ARGS),--bench 'time|peakmem') $(COMMITS)

peers: $(VENV)/.core $(VENV)/.peers ## time cconv beside other libraries, draw pictures (PEERS_ARGS='--only resnet50')
	@mkdir -p build/peers
	$(BIN)/python -m benchmarks.peers --json build/peers/peers.json $(PEERS_ARGS); status=$$?; \
		[ $$status -gt 1 ] || $(BIN)/python -m benchmarks.pictures build/peers/peers.json && exit $$status

lint: $(VENV)/.core $(VENV)/.lint ## check style and types: ruff, clang-format, cython-lint, mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@echo clang-format; $(BIN)/clang-format --dry-run -Werror $(C_TEXT)
	PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint cconv examples
	$(BIN)/mypy

format: $(VENV)/.python $(VENV)/.lint ## rewrite Python and C files in the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	@echo clang-format; $(BIN)/clang-format -i $(C_TEXT)

# The tests run from build/asan/lib. The runtime of the sanitizer must be loaded before Python, and with
# it libstdc++, whose exceptions it wraps. Python's own leaks at exit are not ours to report.
asan: build/asan/.built $(VENV)/.test ## run the tests on a core with address and undefined-behaviour sanitizers
	CCONV_REQUIRE_EXT=1 CCONV_SANITIZE=$(SANITIZERS) CCONV_OBJECTS="$$(echo $(CURDIR)/build/asan/temp.*)" \
		PYTHONPATH=build/asan/lib PYTHONSAFEPATH=1 PYTHONMALLOC=malloc \
		LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libstdc++.so)" \
		ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:strict_init_order=1 \
		UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		$(BIN)/python -m pytest -s tests $(PYTEST_ARGS)

build/asan/.built: $(VENV)/.core $(wildcard cconv/*.py cconv/*/*.py)
	rm -rf build/asan
	CC=gcc CCONV_REQUIRE_EXT=1 CCONV_SANITIZE=$(SANITIZERS) $(BIN)/python setup.py --quiet \
		build --build-base build/asan --build-lib build/asan/lib
	touch $@

# Whatever the compiler, and with OpenMP or without, the answer is the same to the last bit.
embed: $(EMBED_COMPILERS:%=build/embed/%.txt) ## make one C file of the core and build a program with it, with gcc and with clang
	@for text in $^; do cmp $$text $< || exit 1; done

.PHONY: $(EMBED_COMPILERS:%=build/embed/%.txt)
$(EMBED_COMPILERS:%=build/embed/%.txt): build/embed/%.txt: build/embed/cconv.c
	$* $(EMBED_FLAGS) $(if $(filter gcc,$*),-fopenmp) tests/embed/filter_image.c $< -lm -o build/embed/filter_image-$*
	build/embed/filter_image-$* > $@

build/embed/cconv.c: $(CORE_FILES)
	@mkdir -p build/embed
	$(PYTHON) tools/amalgamate.py src_c $@

clean: ## remove everything the other targets made
	rm -rf $(VENV) build dist *.egg-info cconv/_build_config.py cconv/_core*.so cconv-demo.png
	rm -rf cconv/include cconv/src cconv/lib
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find benchmarks cconv examples tests tools -name __pycache__ -prune -exec rm -rf {} +

# Set-up, once each. An edit of a Python file needs nothing; one of the core's files builds it again.

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "cconv needs Python 3.11 or newer; choose one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || \
		{ echo "this Python cannot make a venv; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --upgrade 'pip>=25.1'
	touch $@

$(VENV)/.core: $(VENV)/.python pyproject.toml setup.py $(CORE_FILES)
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['build-system']['requires'], sep='\n')" \
		> $(VENV)/build-requires.txt
	$(PIP) install -r $(VENV)/build-requires.txt
	CCONV_REQUIRE_EXT=1 $(PIP) install --no-build-isolation --editable '.[demo]'
	touch $@

$(VENV)/.test: $(VENV)/.python pyproject.toml
	$(PIP) install --group test
	touch $@

$(VENV)/.conformance: $(VENV)/.python pyproject.toml
	$(PIP) install --group conformance
	touch $@

$(VENV)/.bench: $(VENV)/.python pyproject.toml
	$(PIP) install --group bench
	touch $@

# asv wants a description of the machine, and keeps it there.
$(HOME)/.asv-machine.json: | $(VENV)/.bench
	$(BIN)/asv machine --yes --config benchmarks/asv.conf.json > /dev/null

$(VENV)/.peers: $(VENV)/.python pyproject.toml
	$(PIP) install --group peers
	touch $@

$(VENV)/.lint: $(VENV)/.python pyproject.toml
	$(PIP) install --group lint
	touch $@
