# Every target works on a fresh machine: what it needs is made first.
#   make eval                        the built-in model on the embedded benchmark
#   make eval BENCH=gaia K=8         another benchmark; see `toleap run --help` for what ARGS takes
PYTHON ?= python3
VENV ?= .venv
BENCH ?= atoll
SERVER ?= auto
ARGS ?=

bin := $(VENV)/bin
ready := $(VENV)/.toleap-ready
optional = $(if $(LIMIT),--limit $(LIMIT)) $(if $(K),--k $(K)) $(if $(MODEL),--model $(MODEL)) $(if $(WEB),--web $(WEB)) \
	$(if $(BASE_URL),--base-url $(BASE_URL)) $(if $(PRESET),--preset $(PRESET)) $(if $(RUN),--run $(RUN))

.PHONY: setup eval test check view bench

setup: $(ready)
	@command -v bwrap >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq bubblewrap; \
	else \
		echo "execute_code needs bubblewrap: install it with your system's package manager, e.g. apt-get install bubblewrap"; \
	fi
	$(bin)/toleap setup --server $(SERVER)

eval: setup
	$(bin)/toleap run $(BENCH) --reference $(optional) $(ARGS)

test: setup
	$(bin)/pytest $(ARGS)

check: $(ready)
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy

view: $(ready)
	$(bin)/toleap table $(ARGS)

bench: $(ready)
	$(bin)/python tests/bench/run.py $(ARGS)

$(ready): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make setup PYTHON=...")'
	test -x $(bin)/python || $(PYTHON) -m venv $(VENV) || ($(PYTHON) -m pip install --user virtualenv && $(PYTHON) -m virtualenv $(VENV))
	$(bin)/python -m pip install --quiet 'uv>=0.6,<0.14'
	PYTHONPATH=. $(bin)/python -m toleap.uv pip install --quiet --python $(bin)/python -e '.[dev]'
	touch $@
